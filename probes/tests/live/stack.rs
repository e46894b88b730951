//! Stacks and their ids.

use pfscript_probes::{
    LossCause,
    abi::{KNOWN_GENERATION, KNOWN_STORED, STACK_DEFAULT_DEPTH, STACK_USER},
};

use crate::{
    session,
    support::{DEPTH, LOSS, STACKS, Session, TABLES, link::Code},
};

/// A body that captures a stack of that depth and stores its id.
fn capture(flags: u64, depth: u32) -> Code {
    capture_by("pf_stack", flags, depth)
}

/// The same, by one of the routines that capture stacks.
fn capture_by(routine: &'static str, flags: u64, depth: u32) -> Code {
    Code::body()
        .copy(1, 6)
        .set(2, flags)
        .set(3, u64::from(depth) * 8)
        .set(4, LOSS)
        .call(routine)
        .result(0)
        .exit()
}

/// The stack of that id: tgid, number of frames, time, and the frames.
fn stack(session: &Session, id: u64) -> (u32, u32, u64, Vec<u64>) {
    let value = session.maps["pf_map_stacks"]
        .get(&id.to_ne_bytes())
        .unwrap();
    let (tgid, frames) = (value[0] as u32, (value[0] >> 32) as u32);
    (
        tgid,
        frames,
        value[1],
        value[3..3 + frames as usize].to_vec(),
    )
}

fn monotonic() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes a live structure.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[test]
fn equal_stacks_have_one_id_and_are_stored_once() {
    let session = session!();
    let program = session.program(&capture(STACK_USER | STACK_DEFAULT_DEPTH, DEPTH));
    let before = monotonic();
    let mut ids: Vec<u64> = Vec::new();
    for _ in 0..5 {
        ids.push(program.run(&[])[0]);
    }
    let after = monotonic();
    assert!(ids[0] != 0 && ids.iter().all(|id| *id == ids[0]));
    assert_eq!(session.maps["pf_map_stacks"].keys(), [ids[0]]);
    let (tgid, frames, first, addresses) = stack(&session, ids[0]);
    assert_eq!(tgid, std::process::id());
    assert!((1..DEPTH).contains(&frames));
    assert!(before <= first && first <= after);
    assert!(addresses.iter().all(|address| *address as i64 > 0));
    session.assert_lost(&[]);
}

#[test]
fn kernel_stacks_have_no_process_and_full_tables_are_counted() {
    let session = session!();
    let mut ids = Vec::new();
    // Each depth makes another stack.
    for depth in 1..=STACKS + 2 {
        ids.push(session.program(&capture(0, depth)).run(&[])[0]);
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len() as u32, STACKS + 2);
    let stored = session.maps["pf_map_stacks"].keys();
    assert_eq!(stored.len() as u32, STACKS);
    for id in stored {
        let (tgid, _, _, addresses) = stack(&session, id);
        assert_eq!(tgid, 0);
        assert!(addresses.iter().all(|address| (*address as i64) < 0));
    }
    session.assert_lost(&[(LossCause::StacksFull, 2)]);
}

#[test]
fn a_stack_that_fills_the_default_depth_counts_as_truncated() {
    let session = session!();
    session.program(&capture(STACK_DEFAULT_DEPTH, 2)).run(&[]);
    session.assert_lost(&[(LossCause::StackTruncated, 1)]);
    // A depth that the script asked for is no loss.
    session.program(&capture(0, 2)).run(&[]);
    session.assert_lost(&[(LossCause::StackTruncated, 1)]);
}

#[test]
fn a_stack_that_cannot_be_walked_is_counted_and_has_no_id() {
    let session = session!();
    // BPF_F_USER_BUILD_ID takes elements of 32 bytes, which 8 are not.
    let program = session.program(&capture(STACK_USER | 1 << 11, 1));
    assert_eq!(program.run(&[]), [0]);
    // Nothing is left when 255 frames are skipped.
    assert_eq!(session.program(&capture(255, 4)).run(&[]), [0]);
    assert!(session.maps["pf_map_stacks"].keys().is_empty());
    session.assert_lost(&[(LossCause::StackFailed, 2)]);
}

#[test]
fn stacks_of_all_depths_are_whole_whatever_the_last_one_needed() {
    let session = session!();
    let deep = session.program(&capture(0, DEPTH));
    let id = deep.run(&[])[0];
    let (_, frames, _, addresses) = stack(&session, id);
    // However often a stack is captured, and whatever is asked for in between, it stays the same one.
    for depth in (1..frames).chain([DEPTH]) {
        let other = session.program(&capture(0, depth)).run(&[])[0];
        assert_ne!(other, 0, "{depth}");
        assert_eq!(deep.run(&[])[0], id, "{depth}");
    }
    assert_eq!(addresses.len() as u32, frames);
}

fn renewed_stacks_are_stored_in_the_present_table(routine: &'static str) {
    let session = session!();
    let known = &session.maps["pf_map_known"];
    let stored = || known.get(&KNOWN_STORED.to_ne_bytes()).unwrap()[0];
    let generation = |number| known.fill(&KNOWN_GENERATION.to_ne_bytes(), &[number]);
    let tables = || TABLES.map(|name| session.maps[name].keys());
    let first = session.program(&capture_by(routine, 0, 1));
    let second = session.program(&capture_by(routine, 0, 2));
    let a = first.run(&[])[0];
    assert_eq!(first.run(&[]), [a]);
    assert_eq!((tables(), stored()), ([vec![a], vec![]], 1));
    // What is remembered of one generation is not in the other table.
    generation(1);
    assert_eq!(first.run(&[]), [a]);
    let b = second.run(&[])[0];
    assert_ne!(a, b);
    let [old, new] = tables();
    assert_eq!((old, new.len(), stored()), (vec![a], 2, 3));
    // Nor is it remembered two generations later, but the stack is found there.
    generation(3);
    assert_eq!(first.run(&[]), [a]);
    assert_eq!((tables()[1].len(), stored()), (2, 3));
    session.assert_lost(&[]);
    // A table that is full counts what it refuses, and nothing else.
    for depth in 3..3 + STACKS {
        session.program(&capture_by(routine, 0, depth)).run(&[]);
    }
    assert_eq!((tables()[1].len() as u32, stored()), (STACKS, 4));
    session.assert_lost(&[(LossCause::StacksFull, 2)]);
}

#[test]
fn a_stack_is_stored_in_the_table_of_the_present_generation() {
    renewed_stacks_are_stored_in_the_present_table("pf_stack_renewed");
}

#[test]
fn programs_that_can_be_preempted_store_stacks_there_too() {
    renewed_stacks_are_stored_in_the_present_table("pf_stack_renewed_preemptible");
}

#[test]
fn a_stack_of_either_table_can_be_measured() {
    let session = session!();
    let known = &session.maps["pf_map_known"];
    let id = session
        .program(&capture_by("pf_stack_renewed", 0, 2))
        .run(&[])[0];
    let body = Code::body().argument(1, 0).call("pf_stack_len").result(0);
    let length = session.program(&body.exit());
    for generation in 0..4 {
        known.fill(&KNOWN_GENERATION.to_ne_bytes(), &[generation]);
        assert_eq!(length.run(&[id]), [2], "{generation}");
        assert_eq!(length.run(&[id ^ 1]), [0], "{generation}");
    }
}
