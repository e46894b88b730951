//! The tables of captured stacks: one, or two of which programs use one, if stacks are given up while a script runs.
//!
//! Which of two tables programs use, the last bit of a generation says, that only rises: what programs remember of one
//! generation is forgotten in the next without being cleared. An id is the same in both tables. Which stacks are carried along
//! and when a table is emptied, `session::renewal` decides.

use crate::bytes::unsigned;
use crate::generations::Pair;
use crate::raw_table::each_entry;
use crate::sys::bpf::MapHandle;
use pfscript_probes::abi::{KNOWN_GENERATION, KNOWN_STORED, STACK_BEFORE};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// Two tables.
#[derive(Debug)]
pub struct StackTables {
    pair: Pair,
    /// What programs read.
    generation: AtomicU64,
}

impl StackTables {
    /// Puts two empty tables into `pair`. Programs use the first.
    ///
    /// # Errors
    /// The kernel's, if it does not take them.
    pub fn new(tables: [MapHandle; 2], pair: MapHandle) -> io::Result<StackTables> {
        Ok(StackTables {
            pair: Pair::new(tables, pair)?,
            generation: AtomicU64::new(0),
        })
    }

    /// The map of both, for programs.
    pub fn pair(&self) -> BorrowedFd<'_> {
        self.pair.fd()
    }

    /// The table that programs use.
    pub fn present(&self) -> &MapHandle {
        self.table(self.generation.load(Ordering::Relaxed))
    }

    /// The table that programs used before they changed over; empty if no stack is left there.
    pub fn past(&self) -> &MapHandle {
        self.table(self.generation.load(Ordering::Relaxed) + 1)
    }

    /// Makes programs that begin from now on use the other table, which must be empty. `known` is the map `pf_map_known`.
    ///
    /// # Errors
    /// The kernel's.
    pub fn change_over(&self, known: &MapHandle) -> io::Result<()> {
        let generation = self.generation.load(Ordering::Relaxed) + 1;
        known.update(&KNOWN_GENERATION.to_le_bytes(), &generation.to_le_bytes())?;
        self.generation.store(generation, Ordering::Relaxed);
        Ok(())
    }

    /// Waits until all programs that have begun have ended.
    ///
    /// # Errors
    /// The kernel's.
    pub fn wait(&self) -> io::Result<()> {
        self.pair.wait()
    }

    /// Carries a stack along from the past table to the present one, with the pieces that it is made of. How many of them have just
    /// been put there; the others were there already, or are in neither.
    ///
    /// # Errors
    /// `E2BIG` if the present table is full, else the kernel's.
    pub fn carry_along(&self, id: u64) -> io::Result<u64> {
        let (present, past) = (self.present(), self.past());
        let mut piece = vec![0; past.value_size()];
        let (mut id, mut carried) = (id, 0);
        while id != 0 {
            let key = id.to_le_bytes();
            if !present.lookup(&key, &mut piece)? {
                if !past.lookup(&key, &mut piece)? {
                    break;
                }
                carried += u64::from(present.insert(&key, &piece)?);
            }
            // A piece is stored before those behind it, and perhaps in the past table alone.
            id = unsigned(STACK_BEFORE.of(&piece));
        }
        Ok(carried)
    }

    /// Removes all stacks from the past table, which no program may use any more.
    ///
    /// # Errors
    /// The kernel's.
    pub fn empty_past(&self) -> io::Result<()> {
        let past = self.past();
        let mut keys = Vec::new();
        each_entry(past, |id, _| keys.extend_from_slice(id))?;
        past.delete_all(&keys)
    }

    fn table(&self, generation: u64) -> &MapHandle {
        self.pair.map((generation & 1) as u32)
    }
}

/// How many stacks were ever stored, by `pf_map_known`, where stacks are given up.
///
/// # Errors
/// The kernel's.
pub fn stored(known: &MapHandle) -> io::Result<u64> {
    let mut count = [0; 8];
    known.lookup(&KNOWN_STORED.to_le_bytes(), &mut count)?;
    Ok(u64::from_le_bytes(count))
}
