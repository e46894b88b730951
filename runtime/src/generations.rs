//! Maps that are emptied while programs use them.
//!
//! Each is there twice, and a word says which of the two programs use, as [`manifest::Generations`] describes. To read and
//! empty such a map, user space changes the word, waits until no program uses the other map any more, and has it for itself.
//! So what it reads is all that was counted up to the change, and what is counted later is in the map that programs use now.

use crate::sys::bpf::MapHandle;
use pfscript_compiler::manifest;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::sync::atomic::{AtomicU32, Ordering};

/// Two maps of which programs use one, which they find in a map of both.
#[derive(Debug)]
pub struct Pair {
    maps: [MapHandle; 2],
    /// `BPF_MAP_TYPE_ARRAY_OF_MAPS`
    both: MapHandle,
}

impl Pair {
    /// Puts two maps into `both`.
    ///
    /// # Errors
    /// The kernel's, if it does not take them.
    pub fn new(maps: [MapHandle; 2], both: MapHandle) -> io::Result<Pair> {
        let pair = Pair { maps, both };
        pair.put(0)?;
        pair.put(1)?;
        Ok(pair)
    }

    /// The map of both, for programs.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.both.fd()
    }

    /// The first or the second map.
    pub fn map(&self, number: u32) -> &MapHandle {
        let [first, second] = &self.maps;
        if number == 0 { first } else { second }
    }

    /// Waits until all programs that have begun have ended. Takes some milliseconds, or some dozens where all CPUs are busy.
    ///
    /// # Errors
    /// The kernel's.
    pub fn wait(&self) -> io::Result<()> {
        // Changes nothing, but the kernel comes back only after those programs have ended, since they may use what was in
        // the map of maps (maybe_wait_bpf_programs, kernel/bpf/syscall.c, Linux 4.20). That is so for programs that cannot
        // sleep, whether they can be preempted or not.
        self.put(0)
    }

    fn put(&self, number: u32) -> io::Result<()> {
        let map = self.map(number).fd().as_raw_fd();
        self.both.update(&number.to_le_bytes(), &map.to_le_bytes())
    }
}

/// The two maps that stand for one of the script's.
#[derive(Debug)]
pub struct Generations {
    pair: Pair,
    described: manifest::Generations,
    /// What the word is: 0 or 1.
    present: AtomicU32,
}

impl Generations {
    /// Puts two maps into `pair`. Programs use the first.
    ///
    /// # Errors
    /// The kernel's, if it does not take them.
    pub fn new(
        maps: [MapHandle; 2],
        pair: MapHandle,
        described: &manifest::Generations,
    ) -> io::Result<Generations> {
        Ok(Generations {
            pair: Pair::new(maps, pair)?,
            described: described.clone(),
            present: AtomicU32::new(0),
        })
    }

    /// The map that programs use.
    pub fn present(&self) -> &MapHandle {
        self.map(self.present.load(Ordering::Relaxed))
    }

    /// The map that programs used before they changed over. Once [`Self::wait`] came back, none of them touches it.
    pub fn past(&self) -> &MapHandle {
        self.map(self.present.load(Ordering::Relaxed) ^ 1)
    }

    /// Makes programs that begin from now on use the other map, which must be empty. `words` is the map
    /// `pf_map_generations`.
    ///
    /// # Errors
    /// The kernel's.
    pub fn change_over(&self, words: &MapHandle) -> io::Result<()> {
        let present = self.present.load(Ordering::Relaxed) ^ 1;
        words.update(&self.described.index.to_le_bytes(), &present.to_le_bytes())?;
        self.present.store(present, Ordering::Relaxed);
        Ok(())
    }

    /// As [`Pair::wait`].
    ///
    /// # Errors
    /// The kernel's.
    pub fn wait(&self) -> io::Result<()> {
        self.pair.wait()
    }

    /// The ELF symbol of the map of both.
    pub fn symbol(&self) -> &str {
        &self.described.symbol
    }

    /// The map of both, for programs.
    pub fn pair(&self) -> BorrowedFd<'_> {
        self.pair.fd()
    }

    fn map(&self, number: u32) -> &MapHandle {
        self.pair.map(number)
    }
}
