//! What every process had mapped where, over time. Pure bookkeeping: changes come in, from whichever source, and an
//! address of a process at a moment is answered with the mapping that held it.
//!
//! A process's life is cut into epochs, each begun by a fork or an exec. Mappings of an epoch are never taken back (the
//! kernel does not report munmap(2)); a later one that lies over an earlier one wins from its time on. Processes that
//! ended are kept, since their stacks are named later, until [`AddressSpaces::prune`] is told that nothing needs them.

use super::files::FileId;
use std::collections::HashMap;
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
}

#[derive(Debug, Default)]
struct Process {
    /// By rising `since`; never empty.
    epochs: Vec<Epoch>,
    parent: u32,
    ended: bool,
    /// When its mappings were read from /proc.
    read_at: Option<u64>,
    /// Whether all its mappings are known: since it was seen from its first moment, or has been read.
    complete: bool,
}

impl Process {
    fn new(since: u64) -> Process {
        Process {
            epochs: vec![Epoch {
                since,
                mappings: Rc::default(),
            }],
            ..Process::default()
        }
    }

    /// The index of the epoch at a moment: the last that began before, or the first.
    fn at(&self, time: u64) -> usize {
        self.epochs
            .partition_point(|epoch| epoch.since <= time)
            .saturating_sub(1)
    }

    fn begin(&mut self, epoch: Epoch) {
        let place = self
            .epochs
            .partition_point(|other| other.since <= epoch.since);
        self.epochs.insert(place, epoch);
    }
}

/// Every process's mappings.
#[derive(Debug, Default)]
pub struct AddressSpaces {
    processes: HashMap<u32, Process>,
    ended: usize,
}

impl AddressSpaces {
    /// A mapping was made.
    pub fn mapped(&mut self, tgid: u32, mapping: Mapping) {
        let process = self
            .processes
            .entry(tgid)
            .or_insert_with(|| Process::new(0));
        let index = process.at(mapping.time);
        add(&mut process.epochs[index], mapping);
    }

    /// A process began to execute another program.
    pub fn executed(&mut self, tgid: u32, time: u64) {
        let process = self
            .processes
            .entry(tgid)
            .or_insert_with(|| Process::new(0));
        let mut epoch = Epoch {
            since: time,
            mappings: Rc::default(),
        };
        if process.read_at.is_some_and(|read_at| read_at >= time) {
            // /proc was read after the exec, though its record comes only now: what was read is the new program's.
            let index = process.at(time);
            epoch.mappings = std::mem::take(&mut process.epochs[index].mappings);
            process.read_at = None;
        }
        process.begin(epoch);
        process.complete = true;
    }

    /// A process was made, with its parent's mappings.
    pub fn forked(&mut self, child: u32, parent: u32, time: u64) {
        let (mappings, complete) = match self.processes.get(&parent) {
            Some(process) => (
                Rc::clone(&process.epochs[process.at(time)].mappings),
                process.complete,
            ),
            None => (Rc::default(), false),
        };
        let process = self
            .processes
            .entry(child)
            .or_insert_with(|| Process::new(time));
        if process.ended {
            process.ended = false;
            self.ended -= 1;
        }
        process.parent = parent;
        process.complete = complete;
        process.read_at = None;
        process.begin(Epoch {
            since: time,
            mappings,
        });
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
    pub fn read(&mut self, tgid: u32, time: u64, mappings: impl IntoIterator<Item = Mapping>) {
        let process = self
            .processes
            .entry(tgid)
            .or_insert_with(|| Process::new(0));
        let index = process.at(time);
        let epoch = &mut process.epochs[index];
        let later = std::mem::take(&mut epoch.mappings);
        for mapping in mappings {
            add(epoch, mapping);
        }
        for mapping in later.iter() {
            add(epoch, *mapping);
        }
        process.read_at = Some(time);
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
        let epoch = &process.epochs[process.at(time)];
        let holds = |mapping: &&Mapping| (mapping.start..mapping.end).contains(&address);
        let mut newest_first = epoch.mappings.iter().rev().filter(holds);
        // One that was reported a little late is better than none.
        let first = newest_first.next()?;
        if first.time <= time {
            return Some(first);
        }
        newest_first
            .find(|mapping| mapping.time <= time)
            .or(Some(first))
    }

    /// How many processes that ended are kept.
    pub fn ended_processes(&self) -> usize {
        self.ended
    }

    /// Forgets the processes that ended and that `needed` does not name.
    pub fn prune(&mut self, needed: impl Fn(u32) -> bool) {
        self.processes
            .retain(|tgid, process| !process.ended || needed(*tgid));
        self.ended = self
            .processes
            .values()
            .filter(|process| process.ended)
            .count();
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
mod tests {
    use super::*;

    fn mapping(start: u64, file: u32, time: u64) -> Mapping {
        Mapping {
            start,
            end: start + 0x1000,
            offset: 0x500,
            file: FileId::new(file),
            time,
        }
    }

    fn file(spaces: &AddressSpaces, tgid: u32, time: u64, address: u64) -> Option<u32> {
        spaces
            .find(tgid, time, address)
            .map(|mapping| mapping.file.index() as u32)
    }

    #[test]
    fn an_address_is_found_by_its_offset_in_the_file() {
        let mut spaces = AddressSpaces::default();
        spaces.mapped(1, mapping(0x1000, 7, 10));
        let found = spaces.find(1, 20, 0x1010).unwrap();
        assert_eq!(found.file_offset(0x1010), 0x510);
        assert_eq!(spaces.find(1, 20, 0x2000), None);
        assert_eq!(spaces.find(2, 20, 0x1010), None);
    }

    #[test]
    fn exec_begins_a_new_address_space() {
        let mut spaces = AddressSpaces::default();
        spaces.mapped(1, mapping(0x1000, 1, 10));
        spaces.executed(1, 20);
        spaces.mapped(1, mapping(0x1000, 2, 21));
        assert_eq!(file(&spaces, 1, 15, 0x1000), Some(1));
        assert_eq!(file(&spaces, 1, 25, 0x1000), Some(2));
        assert_eq!(file(&spaces, 1, u64::MAX, 0x1000), Some(2));
    }

    #[test]
    fn a_child_has_its_parents_mappings_of_that_time() {
        let mut spaces = AddressSpaces::default();
        spaces.mapped(1, mapping(0x1000, 1, 10));
        spaces.forked(2, 1, 20);
        spaces.mapped(1, mapping(0x5000, 3, 30));
        spaces.mapped(2, mapping(0x7000, 4, 30));
        assert_eq!(file(&spaces, 2, 40, 0x1000), Some(1));
        assert_eq!(file(&spaces, 2, 40, 0x5000), None);
        assert_eq!(file(&spaces, 2, 40, 0x7000), Some(4));
        assert_eq!(file(&spaces, 1, 40, 0x7000), None);
        assert_eq!(spaces.parent(2), Some(1));
    }

    #[test]
    fn a_process_id_that_is_used_again_is_another_process() {
        let mut spaces = AddressSpaces::default();
        spaces.forked(2, 1, 10);
        spaces.mapped(2, mapping(0x1000, 1, 11));
        spaces.ended(2);
        assert_eq!(spaces.ended_processes(), 1);
        spaces.forked(2, 1, 20);
        assert_eq!(spaces.ended_processes(), 0);
        spaces.mapped(2, mapping(0x1000, 5, 21));
        assert_eq!(file(&spaces, 2, 15, 0x1000), Some(1));
        assert_eq!(file(&spaces, 2, 25, 0x1000), Some(5));
    }

    #[test]
    fn a_later_mapping_wins_from_its_time_on() {
        let mut spaces = AddressSpaces::default();
        spaces.mapped(1, mapping(0x1000, 1, 10));
        spaces.mapped(1, mapping(0x1800, 2, 20));
        assert_eq!(file(&spaces, 1, 15, 0x1900), Some(1));
        assert_eq!(file(&spaces, 1, 25, 0x1900), Some(2));
        assert_eq!(file(&spaces, 1, 25, 0x1100), Some(1));
        // Reported late: better than nothing.
        assert_eq!(file(&spaces, 1, 15, 0x2700), Some(2));
    }

    #[test]
    fn what_proc_says_joins_what_was_seen() {
        let mut spaces = AddressSpaces::default();
        assert!(spaces.is_unknown(1));
        spaces.mapped(1, mapping(0x9000, 2, 50));
        assert!(spaces.is_unknown(1));
        spaces.read(1, 60, [mapping(0x1000, 1, 0), mapping(0x9000, 2, 0)]);
        assert!(!spaces.is_unknown(1));
        assert_eq!(file(&spaces, 1, 5, 0x1000), Some(1));
        assert_eq!(file(&spaces, 1, 70, 0x9000), Some(2));
        spaces.forked(3, 1, 70);
        assert!(!spaces.is_unknown(3));
    }

    #[test]
    fn proc_read_between_an_exec_and_its_record_is_the_new_programs() {
        let mut spaces = AddressSpaces::default();
        spaces.read(1, 60, [mapping(0x1000, 1, 0)]);
        spaces.executed(1, 55);
        assert_eq!(file(&spaces, 1, 50, 0x1000), None);
        assert_eq!(file(&spaces, 1, 56, 0x1000), Some(1));
    }

    #[test]
    fn mapping_the_same_place_again_and_again_does_not_grow_without_bound() {
        let mut spaces = AddressSpaces::default();
        for time in 0..1000 {
            spaces.mapped(1, mapping(0x1000, (time % 2) as u32, time));
            spaces.mapped(1, mapping(0x8000, 3, time));
        }
        let mappings = &spaces.processes[&1].epochs[0].mappings;
        assert!(mappings.len() < 20, "{}", mappings.len());
        assert_eq!(file(&spaces, 1, 2000, 0x1000), Some(1));
        assert_eq!(file(&spaces, 1, 998, 0x1000), Some(0));
    }

    #[test]
    fn a_file_that_is_mapped_again_over_another_one_wins_again() {
        let mut spaces = AddressSpaces::default();
        spaces.mapped(1, mapping(0x1000, 1, 10));
        spaces.mapped(1, mapping(0x1800, 2, 20));
        spaces.mapped(1, mapping(0x1000, 1, 30));
        assert_eq!(file(&spaces, 1, 25, 0x1900), Some(2));
        assert_eq!(file(&spaces, 1, 35, 0x1900), Some(1));
    }

    #[test]
    fn only_ended_processes_that_nothing_needs_are_forgotten() {
        let mut spaces = AddressSpaces::default();
        for tgid in 1..=3 {
            spaces.mapped(tgid, mapping(0x1000, 1, 10));
        }
        spaces.ended(1);
        spaces.ended(2);
        spaces.prune(|tgid| tgid == 2);
        assert_eq!(spaces.ended_processes(), 1);
        assert_eq!(file(&spaces, 1, 20, 0x1000), None);
        assert_eq!(file(&spaces, 2, 20, 0x1000), Some(1));
        assert_eq!(file(&spaces, 3, 20, 0x1000), Some(1));
    }
}
