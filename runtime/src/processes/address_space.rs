//! What every process had mapped where, over time. Pure bookkeeping: changes come in, from whichever source, and an
//! address of a process at a moment is answered with the mapping that held it.
//!
//! A process's life is cut into epochs, each begun by a fork or an exec. Mappings of an epoch are never taken back (the
//! kernel does not report munmap(2)); a later one that lies over an earlier one wins from its time on. Processes that
//! ended, and what went before in those that run, are kept, since stacks are named later, until [`AddressSpaces::prune`] is
//! told what is still needed. A process that maps ever new places has [`AddressSpaces::is_crowded`] say so.
//!
//! Changes may be told of late, and /proc be read between one and its record. So everything is kept by its time, and goes over
//! to the epoch that turns out to have begun before it.

use super::file_id::FileId;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// An executable mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// First address behind it.
    pub end: u64,
    /// Where in the file it begins, in bytes.
    pub offset: u64,
    /// The file.
    pub file: FileId,
    /// When it was made, `CLOCK_MONOTONIC` in nanoseconds; 0 for one that was there before.
    pub time: u64,
}

impl Mapping {
    /// Where in the file an address is.
    pub fn file_offset(&self, address: u64) -> u64 {
        address.wrapping_sub(self.start).wrapping_add(self.offset)
    }
}

#[derive(Clone, Debug, Default)]
struct Epoch {
    since: u64,
    /// In the order of their times. Shared with children until one of them changes.
    mappings: Rc<Vec<Mapping>>,
    /// What /proc said of it last.
    read: Option<Snapshot>,
}

/// All that a process had mapped at one moment.
#[derive(Clone, Debug)]
struct Snapshot {
    time: u64,
    mappings: Rc<Vec<Mapping>>,
}

impl Epoch {
    /// The mapping that held `address` at `time`.
    fn find(&self, time: u64, address: u64) -> Option<&Mapping> {
        let holds = |mapping: &&Mapping| (mapping.start..mapping.end).contains(&address);
        let newest_first = self.mappings.iter().rev().filter(holds);
        let recorded = newest_first.clone().find(|mapping| mapping.time <= time);
        let read = self.read.as_ref();
        let read = read.and_then(|read| Some((read.time, read.mappings.iter().find(holds)?)));
        match (recorded, read) {
            // What lay there before was mapped over without a record.
            (Some(recorded), Some((at, read))) if recorded.time < at && at <= time => Some(read),
            (Some(recorded), _) => Some(recorded),
            (None, Some((_, read))) => Some(read),
            // One that was reported a little late is better than none.
            (None, None) => newest_first.clone().next(),
        }
    }

    /// Takes out what is known to have been there only from `time` on.
    fn split_off(&mut self, time: u64) -> Epoch {
        let read = self.read.take_if(|read| read.time >= time);
        let before = self.mappings.partition_point(|mapping| mapping.time < time);
        let later = match before < self.mappings.len() {
            true => Rc::make_mut(&mut self.mappings).split_off(before),
            false => Vec::new(),
        };
        Epoch {
            since: time,
            mappings: Rc::new(later),
            read,
        }
    }
}

#[derive(Debug, Default)]
struct Process {
    /// By rising `since`; never empty.
    epochs: Vec<Epoch>,
    parent: u32,
    ended: bool,
    /// Whether all its mappings are known: since it was seen from its first moment, or has been read.
    complete: bool,
    /// So many mappings an epoch may have before it is looked at which of them are left; 0 for [`MANY_MAPPINGS`].
    room: usize,
}

/// More executable mappings than all but a few processes have at a time.
const MANY_MAPPINGS: usize = 4096;

impl Process {
    fn new(first: Epoch) -> Process {
        Process {
            epochs: vec![first],
            ..Process::default()
        }
    }

    /// The index of the epoch at a moment: the last that began before, or the first.
    fn at(&self, time: u64) -> usize {
        self.epochs
            .partition_point(|epoch| epoch.since <= time)
            .saturating_sub(1)
    }

    /// Begins an epoch, with what it has from the one before and what was told of it already.
    fn begin(&mut self, mut epoch: Epoch) {
        let place = self
            .epochs
            .partition_point(|other| other.since <= epoch.since);
        if let Some(before) = place.checked_sub(1) {
            let later = self.epochs[before].split_off(epoch.since);
            for mapping in later.mappings.iter() {
                add(&mut epoch, *mapping);
            }
            epoch.read = later.read.or(epoch.read);
        }
        self.epochs.insert(place, epoch);
    }
}

/// Every process's mappings.
#[derive(Debug, Default)]
pub struct AddressSpaces {
    processes: HashMap<u32, Process>,
    ended: usize,
    /// Of all processes together.
    epochs: usize,
}

impl AddressSpaces {
    /// A mapping was made.
    pub fn mapped(&mut self, tgid: u32, mapping: Mapping) {
        let process = self.process(tgid);
        let index = process.at(mapping.time);
        add(&mut process.epochs[index], mapping);
    }

    /// A process began to execute another program.
    pub fn executed(&mut self, tgid: u32, time: u64) {
        let process = self.process(tgid);
        process.begin(Epoch {
            since: time,
            ..Epoch::default()
        });
        process.complete = true;
        self.epochs += 1;
    }

    /// A process was made, with its parent's mappings.
    pub fn forked(&mut self, child: u32, parent: u32, time: u64) {
        let mut epoch = Epoch {
            since: time,
            ..Epoch::default()
        };
        let mut complete = false;
        if let Some(process) = self.processes.get(&parent) {
            let inherited = &process.epochs[process.at(time)];
            epoch.mappings = Rc::clone(&inherited.mappings);
            epoch.read = inherited.read.clone();
            complete = process.complete;
        }
        if let Some(read) = &mut epoch.read {
            read.time = time;
        }
        let process = match self.processes.entry(child) {
            Entry::Occupied(known) => {
                let process = known.into_mut();
                process.begin(epoch);
                process
            }
            Entry::Vacant(new) => new.insert(Process::new(epoch)),
        };
        self.epochs += 1;
        if process.ended {
            process.ended = false;
            self.ended -= 1;
        }
        process.parent = parent;
        process.complete = complete;
    }

    /// A process ended.
    pub fn ended(&mut self, tgid: u32) {
        if let Some(process) = self.processes.get_mut(&tgid)
            && !process.ended
        {
            process.ended = true;
            self.ended += 1;
        }
    }

    /// A process's mappings were read from /proc, at `time`.
    pub fn read(&mut self, tgid: u32, time: u64, mappings: Vec<Mapping>) {
        let process = self.process(tgid);
        let index = process.at(time);
        let epoch = &mut process.epochs[index];
        let last = epoch.read.replace(Snapshot {
            time,
            mappings: Rc::new(mappings),
        });
        for mapping in last.iter().flat_map(|last| last.mappings.iter()) {
            add(epoch, *mapping);
        }
        process.complete = true;
    }

    /// Whether /proc should be read for this process, if it still runs.
    pub fn is_unknown(&self, tgid: u32) -> bool {
        self.processes
            .get(&tgid)
            .is_none_or(|process| !process.complete)
    }

    /// Whether anything is known of a process.
    pub fn is_known(&self, tgid: u32) -> bool {
        self.processes.contains_key(&tgid)
    }

    /// A process and those that it descends from, as far as that was seen.
    pub fn lineage(&self, tgid: u32) -> Vec<u32> {
        const GENERATIONS: usize = 8;
        std::iter::successors(Some(tgid), |tgid| self.parent(*tgid))
            .take(GENERATIONS)
            .collect()
    }

    /// Who made this process, if that was seen.
    fn parent(&self, tgid: u32) -> Option<u32> {
        self.processes
            .get(&tgid)
            .map(|process| process.parent)
            .filter(|parent| *parent != 0)
    }

    /// The mapping that held `address` in the process at `time`.
    pub fn find(&self, tgid: u32, time: u64, address: u64) -> Option<&Mapping> {
        let process = self.processes.get(&tgid)?;
        process.epochs[process.at(time)].find(time, address)
    }

    /// How much is kept of what is over: processes that ended, and earlier epochs of all.
    pub fn past(&self) -> usize {
        self.ended + self.epochs - self.processes.len()
    }

    /// Forgets what is over and not needed. `needed` says since when a process is, if it is; those that run are since `now`.
    pub fn prune(&mut self, now: u64, needed: impl Fn(u32) -> Option<u64>) {
        self.processes.retain(|tgid, process| {
            let since = match (needed(*tgid), process.ended) {
                (None, true) => return false,
                (since, _) => since.unwrap_or(now),
            };
            process.epochs.drain(..process.at(since));
            true
        });
        let processes = self.processes.values();
        self.ended = processes.clone().filter(|process| process.ended).count();
        self.epochs = processes.map(|process| process.epochs.len()).sum();
    }

    /// The files that mappings are of.
    pub fn files(&self) -> HashSet<FileId> {
        let epochs = self.processes.values().flat_map(|process| &process.epochs);
        let mappings = epochs.flat_map(|epoch| {
            let read = epoch.read.iter().flat_map(|read| read.mappings.iter());
            epoch.mappings.iter().chain(read)
        });
        mappings.map(|mapping| mapping.file).collect()
    }

    /// Whether a process made so many mappings that those should be forgotten which it gave back.
    pub fn is_crowded(&self, tgid: u32) -> bool {
        self.processes.get(&tgid).is_some_and(|process| {
            let last = process.epochs.last();
            let mappings = last.map_or(0, |epoch| epoch.mappings.len());
            mappings > process.room.max(MANY_MAPPINGS)
        })
    }

    /// Forgets, of a process's mappings, the older half of those that it no longer has; `present` is what it has, empty if
    /// that is not known.
    pub fn make_room(&mut self, tgid: u32, present: &HashSet<(u64, u64)>) {
        let Some(process) = self.processes.get_mut(&tgid) else {
            return;
        };
        let Some(epoch) = process.epochs.last_mut() else {
            return;
        };
        let is_past = |mapping: &Mapping| !present.contains(&(mapping.start, mapping.end));
        let past = epoch.mappings.iter().filter(|mapping| is_past(mapping));
        let mut to_forget = past.count().div_ceil(2);
        let mappings = Rc::make_mut(&mut epoch.mappings);
        mappings.retain(|mapping| {
            let forgotten = to_forget > 0 && is_past(mapping);
            to_forget -= usize::from(forgotten);
            !forgotten
        });
        process.room = 2 * present.len();
    }

    /// A process, with nothing in it if it is new.
    fn process(&mut self, tgid: u32) -> &mut Process {
        let epochs = &mut self.epochs;
        self.processes.entry(tgid).or_insert_with(|| {
            *epochs += 1;
            Process::new(Epoch::default())
        })
    }
}

/// Adds a mapping at the place of its time. One that is there already, with nothing over it, changes nothing. Of those
/// that follow each other in exactly one place (code that is loaded or generated again and again) the latest are kept.
fn add(epoch: &mut Epoch, mapping: Mapping) {
    const GENERATIONS: usize = 8;
    let mut same_place = Vec::new();
    let mut last_over = 0;
    for (index, other) in epoch.mappings.iter().enumerate() {
        if other.start == mapping.start && other.end == mapping.end {
            same_place.push(index);
        } else if other.start < mapping.end && mapping.start < other.end {
            last_over = index + 1;
        }
    }
    if let Some(index) = same_place.last() {
        let other = epoch.mappings[*index];
        if other.file == mapping.file && other.offset == mapping.offset && *index >= last_over {
            return;
        }
    }
    let mappings = Rc::make_mut(&mut epoch.mappings);
    if same_place.len() >= GENERATIONS {
        mappings.remove(same_place[0]);
    }
    let place = mappings.partition_point(|other| other.time <= mapping.time);
    mappings.insert(place, mapping);
}

#[cfg(test)]
mod tests;
