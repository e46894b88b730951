//! Gives up stacks that nothing holds any more, so that a session of days does not run out of room for new ones.
//!
//! There are two tables of stacks then. When the one that programs use is half full of new stacks, they change over to the
//! other. Stacks that are still held are carried along, and once nothing can ask for another one, the table before is emptied.
//! An id is held by a map of the script, by a program that runs, or by a record that waits to be delivered:
//!
//! 1. Programs that began before the change are waited for. From then on, what is captured is in the present table.
//! 2. The maps are read, and what they hold is carried along. A program may take an id out of one map and put it into another
//!    behind the reader's back. So after another wait they are read again, until nothing new was found.
//! 3. What programs had taken out of maps to print it is in the event buffer by now. Once the records that wait there are
//!    delivered, the past table is emptied.
//!
//! User space asks the present table first, then the past one, so no print sees any of this.

use crate::bytes::{slice, unsigned};
use crate::load::Loaded;
use crate::raw_table::RawTable;
use crate::stack_tables::{self, StackTables};
use pfscript_compiler::manifest::{Manifest, MapValue};
use pfscript_probes::abi::map;
use std::collections::HashSet;
use std::io;
use std::time::{Duration, Instant};

/// How far it is, for one session.
pub struct Renewal {
    holders: Vec<Holder>,
    /// How many stacks there had ever been when programs last changed over.
    stored_before: u64,
    /// How many were carried along since.
    carried: u64,
    stage: Stage,
}

/// A map of the script that holds stacks.
struct Holder {
    /// Index into the manifest's maps.
    map: usize,
    /// Where they are in a key.
    in_key: Vec<u32>,
    /// Where they are in a value.
    in_value: Vec<u32>,
}

#[derive(Clone, Copy)]
enum Stage {
    /// The past table is empty.
    Settled,
    /// Programs have changed over. Stacks that are held are to be carried along, at that time or later.
    Carrying(Instant),
    /// Records that were sent before may still ask for other stacks of the past table: at most those in so many bytes, and none
    /// that come after the buffer was empty and programs have ended since.
    Delivering { left: usize, was_empty: bool },
}

impl Renewal {
    /// For a session of this object; `None` if it gives up no stacks.
    pub fn new(manifest: &Manifest) -> Option<Renewal> {
        let holders = manifest.maps.iter().enumerate().map(|(map, info)| Holder {
            map,
            in_key: info.key.iter().flat_map(|key| key.stacks()).collect(),
            in_value: match &info.value {
                MapValue::Scalar(layout) => layout.stacks(),
                _ => Vec::new(),
            },
        });
        manifest.renews_stacks.then(|| Renewal {
            holders: holders
                .filter(|holder| !(holder.in_key.is_empty() && holder.in_value.is_empty()))
                .collect(),
            stored_before: 0,
            carried: 0,
            stage: Stage::Settled,
        })
    }

    /// The most time from now to the next [`Self::step`]: a table must not fill up between. Of what programs capture, this
    /// leaves room for 160,000 new stacks a second in a table of the usual size.
    pub fn interval(&self, loaded: &Loaded) -> Duration {
        const SOON: Duration = Duration::from_millis(10);
        const LONGEST: Duration = Duration::from_millis(200);
        const STACKS_A_MILLISECOND: u64 = 160;
        let half = loaded
            .stacks()
            .next()
            .map_or(0, |present| u64::from(present.max_entries()) / 2);
        match self.stage {
            Stage::Settled => {
                Duration::from_millis(half / STACKS_A_MILLISECOND).clamp(SOON, LONGEST)
            }
            Stage::Carrying(_) => LONGEST,
            Stage::Delivering { .. } => SOON,
        }
    }

    /// Takes note of a record of so many bytes that was delivered.
    pub fn delivered(&mut self, bytes: usize) {
        if let Stage::Delivering { left, .. } = &mut self.stage {
            *left = left.saturating_sub(bytes);
        }
    }

    /// Does what is due. `all` says that the event buffer was empty since the last step, and all from it delivered. `waiting`
    /// bytes of records were taken out of it and are not delivered yet.
    ///
    /// # Errors
    /// The kernel's.
    pub fn step(
        &mut self,
        loaded: &Loaded,
        manifest: &Manifest,
        all: bool,
        waiting: usize,
    ) -> io::Result<()> {
        let (Some(tables), Some(known)) = (loaded.stack_tables(), loaded.map(map::KNOWN)) else {
            return Ok(());
        };
        match self.stage {
            Stage::Settled => {
                let stored = stack_tables::stored(known)?;
                if stored - self.stored_before < self.enough(tables) {
                    return Ok(());
                }
                self.stored_before = stored;
                self.carried = 0;
                tables.change_over(known)?;
                tables.wait()?;
                self.carry(loaded, manifest, tables, waiting)
            }
            Stage::Carrying(from) if Instant::now() < from => Ok(()),
            Stage::Carrying(_) => self.carry(loaded, manifest, tables, waiting),
            Stage::Delivering { left, was_empty } => {
                if left == 0 || (all && was_empty) {
                    tables.empty_past()?;
                    self.stage = Stage::Settled;
                } else if all {
                    // A record that is still being written hides those behind it.
                    tables.wait()?;
                    let was_empty = true;
                    self.stage = Stage::Delivering { left, was_empty };
                }
                Ok(())
            }
        }
    }

    /// How many new stacks are enough to change over: half of what was left. Where nearly all is held, a change brings little
    /// and takes as long, so it is not made again and again.
    fn enough(&self, tables: &StackTables) -> u64 {
        let size = u64::from(tables.present().max_entries());
        let half = size.saturating_sub(self.carried) / 2;
        half.max(size / 16).max(1)
    }

    /// Carries along what is held; later again, if there is no room.
    fn carry(
        &mut self,
        loaded: &Loaded,
        manifest: &Manifest,
        tables: &StackTables,
        waiting: usize,
    ) -> io::Result<()> {
        const AGAIN: Duration = Duration::from_secs(1);
        self.stage = match self.carry_all(loaded, manifest, tables)? {
            true => Stage::Delivering {
                left: loaded
                    .map(map::EVENTS)
                    .map_or(waiting, |events| events.max_entries() as usize + waiting),
                was_empty: false,
            },
            false => Stage::Carrying(Instant::now() + AGAIN),
        };
        Ok(())
    }

    /// Whether all that is held could be carried along.
    fn carry_all(
        &mut self,
        loaded: &Loaded,
        manifest: &Manifest,
        tables: &StackTables,
    ) -> io::Result<bool> {
        /// Programs that pass ids from map to map all the time are no reason to go on for ever.
        const ROUNDS: usize = 16;
        let mut seen = HashSet::new();
        for round in 0..ROUNDS {
            let mut found = false;
            for id in self.held(loaded, manifest)? {
                if !seen.insert(id) {
                    continue;
                }
                match tables.carry_along(id) {
                    Ok(carried) => {
                        found |= carried > 0;
                        self.carried += carried;
                    }
                    Err(error) => {
                        return match error.raw_os_error() {
                            Some(libc::E2BIG | libc::ENOMEM | libc::EBUSY) => Ok(false),
                            _ => Err(error),
                        };
                    }
                }
            }
            if round > 0 && !found {
                return Ok(true);
            }
            tables.wait()?;
        }
        Ok(false)
    }

    /// The ids that are in maps now. Of a map that is emptied while it is used, the past generation is empty when this runs.
    fn held(&self, loaded: &Loaded, manifest: &Manifest) -> io::Result<HashSet<u64>> {
        let mut ids = HashSet::new();
        for holder in &self.holders {
            let Some(info) = manifest.maps.get(holder.map) else {
                continue;
            };
            let Some(map) = loaded.script_map(&info.symbol) else {
                continue;
            };
            let table = RawTable::read(map, info)?;
            for entry in 0..table.len() {
                add(&mut ids, table.key(entry), &holder.in_key);
                if !holder.in_value.is_empty() {
                    add(&mut ids, table.value(entry), &holder.in_value);
                }
            }
        }
        Ok(ids)
    }
}

/// Adds the ids at these places.
fn add(ids: &mut HashSet<u64>, bytes: &[u8], offsets: &[u32]) {
    for offset in offsets {
        let id = unsigned(slice(bytes, *offset, 8));
        if id != 0 {
            ids.insert(id);
        }
    }
}
