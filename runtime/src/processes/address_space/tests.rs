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
    assert_eq!(spaces.past(), 1);
    spaces.forked(2, 1, 20);
    assert_eq!(spaces.past(), 1);
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
    spaces.read(1, 60, vec![mapping(0x1000, 1, 0), mapping(0x9000, 2, 0)]);
    assert!(!spaces.is_unknown(1));
    assert_eq!(file(&spaces, 1, 5, 0x1000), Some(1));
    assert_eq!(file(&spaces, 1, 70, 0x9000), Some(2));
    spaces.forked(3, 1, 70);
    assert!(!spaces.is_unknown(3));
}

#[test]
fn proc_read_between_an_exec_and_its_record_is_the_new_programs() {
    let mut spaces = AddressSpaces::default();
    spaces.mapped(1, mapping(0x5000, 2, 40));
    spaces.read(1, 60, vec![mapping(0x1000, 1, 0)]);
    spaces.executed(1, 55);
    assert_eq!(file(&spaces, 1, 50, 0x1000), None);
    assert_eq!(file(&spaces, 1, 56, 0x1000), Some(1));
    // The one before keeps what it had, and the new one has nothing of it.
    assert_eq!(file(&spaces, 1, 50, 0x5000), Some(2));
    assert_eq!(file(&spaces, 1, 56, 0x5000), None);
}

/// A processor's records are in order, those of two are not.
#[test]
fn what_was_told_before_the_record_of_an_exec_is_the_new_programs_if_it_is_later() {
    let mut spaces = AddressSpaces::default();
    spaces.forked(1, 9, 10);
    spaces.mapped(1, mapping(0x1000, 1, 20));
    spaces.mapped(1, mapping(0x1000, 2, 40));
    spaces.executed(1, 30);
    assert_eq!(file(&spaces, 1, 25, 0x1000), Some(1));
    assert_eq!(file(&spaces, 1, 35, 0x1000), Some(2));
    // A process that was made earlier than what was told of it.
    spaces.mapped(3, mapping(0x7000, 3, 25));
    spaces.forked(3, 1, 22);
    assert_eq!(file(&spaces, 3, 50, 0x7000), Some(3));
    assert_eq!(file(&spaces, 3, 50, 0x1000), Some(1));
}

#[test]
fn a_child_has_what_was_read_of_its_parent() {
    let mut spaces = AddressSpaces::default();
    spaces.read(1, 60, vec![mapping(0x1000, 1, 0)]);
    spaces.forked(2, 1, 50);
    spaces.executed(2, 55);
    assert_eq!(file(&spaces, 2, 52, 0x1000), Some(1));
    assert_eq!(file(&spaces, 2, 56, 0x1000), None);
    assert_eq!(file(&spaces, 1, 70, 0x1000), Some(1));
}

#[test]
fn what_was_read_wins_over_what_was_recorded_before_it() {
    let mut spaces = AddressSpaces::default();
    spaces.mapped(1, mapping(0x1000, 1, 10));
    spaces.read(1, 60, vec![mapping(0x1000, 2, 0)]);
    spaces.mapped(1, mapping(0x1000, 3, 70));
    for (time, expected) in [(20, 1), (65, 2), (75, 3)] {
        assert_eq!(file(&spaces, 1, time, 0x1000), Some(expected));
    }
    spaces.read(1, 80, vec![mapping(0x8000, 4, 0)]);
    assert_eq!(file(&spaces, 1, 75, 0x1000), Some(3));
    assert_eq!(file(&spaces, 1, 90, 0x8000), Some(4));
    assert_eq!(spaces.files().len(), 4);
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
    spaces.prune(30, |tgid| (tgid == 2).then_some(20));
    assert_eq!(spaces.past(), 1);
    assert_eq!(file(&spaces, 1, 20, 0x1000), None);
    assert_eq!(file(&spaces, 2, 20, 0x1000), Some(1));
    assert_eq!(file(&spaces, 3, 20, 0x1000), Some(1));
}

#[test]
fn what_went_before_in_a_process_is_forgotten_but_for_what_is_needed() {
    let mut spaces = AddressSpaces::default();
    for tgid in [1, 2] {
        for turn in 1..=100 {
            spaces.executed(tgid, 100 * turn);
            spaces.mapped(tgid, mapping(0x1000, turn as u32, 100 * turn + 1));
        }
    }
    assert_eq!(spaces.past(), 200);
    spaces.prune(20_000, |tgid| (tgid == 2).then_some(9_750));
    assert_eq!(spaces.past(), 3);
    assert_eq!(file(&spaces, 1, 10_050, 0x1000), Some(100));
    assert_eq!(file(&spaces, 2, 9_750, 0x1000), Some(97));
    let files: Vec<usize> = (spaces.files().iter().map(|file| file.index())).collect();
    assert_eq!(files.len(), 4, "{files:?}");
}

#[test]
fn a_process_that_maps_ever_new_places_keeps_what_it_has() {
    let mut spaces = AddressSpaces::default();
    spaces.mapped(1, mapping(0x1000, 7, 1));
    let mut most = 0;
    for turn in 2..10_000 {
        spaces.mapped(1, mapping(0x1000 * turn, 8, turn));
        if spaces.is_crowded(1) {
            most = most.max(spaces.processes[&1].epochs[0].mappings.len());
            spaces.make_room(1, &HashSet::from([(0x1000, 0x2000)]));
        }
    }
    assert_eq!(most, MANY_MAPPINGS + 1);
    assert_eq!(file(&spaces, 1, 100_000, 0x1000), Some(7));
    assert_eq!(file(&spaces, 1, 100_000, 0x1000 * 9_000), Some(8));
    assert_eq!(file(&spaces, 1, 100_000, 0x2000), None);
}

#[test]
fn a_process_that_has_many_mappings_is_not_asked_at_each() {
    let mut spaces = AddressSpaces::default();
    let mut present = HashSet::new();
    let mut asked = 0;
    for turn in 1..10_000 {
        spaces.mapped(1, mapping(0x1000 * turn, 8, turn));
        present.insert((0x1000 * turn, 0x1000 * (turn + 1)));
        if spaces.is_crowded(1) {
            asked += 1;
            spaces.make_room(1, &present);
        }
    }
    assert!(asked < 5, "{asked}");
    assert_eq!(file(&spaces, 1, 100_000, 0x1000), Some(8));
}
