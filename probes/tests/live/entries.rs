//! Probe programs: loaded, attached, nested.

use std::{hint::black_box, ptr::null_mut};

use pfscript_probes::{
    LossCause, MapTemplate,
    abi::{SCRATCH_LEVELS, STACK_DEFAULT_DEPTH, STACK_PIECE_FRAMES, STACK_USER},
    library,
};

use pfscript_testkit::{Map, program};

use crate::{
    keyed, session,
    support::{DEPTH, LOSS, link::Code},
};

/// Marks the levels of scratch memory below `levels` as busy, the others as free.
fn occupy(scratch: &Map, levels: u32) {
    let mut value = vec![0; scratch.words()];
    for level in 0..SCRATCH_LEVELS {
        value[0] = u64::from(level < levels);
        scratch.fill(&level.to_ne_bytes(), &value);
    }
}

/// Argument 0 goes into the frame.
fn scribble() -> Code {
    keyed()
        .set(3, LOSS)
        .call("pf_count")
        .argument(1, 0)
        .op(0x7b, 7, 1, 0, 0)
        .exit()
}

#[test]
fn a_program_takes_the_first_free_level_and_frees_it() {
    for entry in library().entries() {
        takes_the_first_free_level(entry.name);
    }
}

fn takes_the_first_free_level(entry: &'static str) {
    let session = session!(MapTemplate::Count, 1);
    let program = session.entered(entry, &scribble());
    let scratch = &session.maps["pf_map_scratch"];
    for busy in 0..SCRATCH_LEVELS {
        occupy(scratch, busy);
        program.run(&[7]);
        for level in 0..SCRATCH_LEVELS {
            let value = scratch.get(&level.to_ne_bytes()).unwrap();
            let cpus = value.chunks_exact(scratch.words());
            let mut written = 0;
            for cpu in cpus {
                assert_eq!(
                    cpu[0],
                    u64::from(level < busy),
                    "busy flag of level {level}"
                );
                written += cpu[1];
            }
            assert_eq!(
                written,
                if level == busy { 7 } else { 0 },
                "frame of level {level}"
            );
        }
    }
    session.assert_lost(&[]);
}

#[test]
fn a_run_without_a_free_level_is_counted_and_skipped() {
    for entry in library().entries() {
        counts_runs_without_a_level(entry.name);
    }
}

fn counts_runs_without_a_level(entry: &'static str) {
    let session = session!(MapTemplate::Count, 1);
    let program = session.entered(entry, &scribble());
    occupy(&session.maps["pf_map_scratch"], SCRATCH_LEVELS);
    program.run(&[7]);
    program.run(&[7]);
    assert_eq!(session.value(7), None);
    session.assert_lost(&[(LossCause::ScratchBusy, 2)]);
    occupy(&session.maps["pf_map_scratch"], 0);
    program.run(&[7]);
    assert_eq!(session.value(7), Some(vec![1]));
    session.assert_lost(&[(LossCause::ScratchBusy, 2)]);
}

#[test]
fn every_entry_loads_as_every_program_type() {
    let session = session!(MapTemplate::Count, 1);
    for stack in [
        "pf_stack",
        "pf_stack_preemptible",
        "pf_stack_renewed",
        "pf_stack_renewed_preemptible",
    ] {
        let body = Code::body()
            .set(1, 7)
            .spill(-8, 1)
            .map(1, "map")
            .stack(2, -8)
            .set(3, LOSS)
            .call("pf_count")
            .copy(1, 6)
            .set(2, STACK_USER | STACK_DEFAULT_DEPTH)
            .set(3, u64::from(STACK_PIECE_FRAMES) * 8)
            .set(4, LOSS)
            .call(stack)
            .exit();
        for entry in library().entries() {
            for program_type in [
                program::PERF_EVENT,
                program::TRACEPOINT,
                program::KPROBE,
                program::RAW_TRACEPOINT,
            ] {
                session.load(program_type, entry.name, &body);
            }
        }
    }
}

/// What `@[ustack] = count()` comes to, on argument-free contexts.
fn count_by_stack() -> Code {
    Code::body()
        .copy(1, 6)
        .set(2, STACK_USER | STACK_DEFAULT_DEPTH)
        .set(3, u64::from(DEPTH) * 8)
        .set(4, LOSS)
        .call("pf_stack")
        .spill(-8, 0)
        .map(1, "map")
        .stack(2, -8)
        .set(3, LOSS)
        .call("pf_count")
        .exit()
}

#[test]
fn page_faults_are_counted_by_stack() {
    const PAGES: usize = 100;
    let session = session!(MapTemplate::Count, 64);
    let entry = "pf_enter_framed";
    let program = session.load(program::PERF_EVENT, entry, &count_by_stack());
    // PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS
    let event = program.attach(1, 2).expect("page-fault event");
    let length = PAGES * 4096;
    // SAFETY: a new mapping of that length.
    let mapping = unsafe {
        libc::mmap(
            null_mut(),
            length,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(mapping, libc::MAP_FAILED);
    // SAFETY: the mapping above; huge pages would make fewer faults.
    unsafe { libc::madvise(mapping, length, libc::MADV_NOHUGEPAGE) };
    for page in 0..PAGES {
        // SAFETY: within the mapping above.
        unsafe { black_box(mapping.cast::<u8>().add(page * 4096)).write_volatile(1) };
    }
    drop(event);
    let counts: Vec<u64> = session.maps["map"]
        .keys()
        .into_iter()
        .map(|id| session.value(id).unwrap()[0])
        .collect();
    assert!(
        counts.iter().any(|count| *count >= PAGES as u64),
        "{counts:?}"
    );
    for id in session.maps["map"].keys() {
        if let Some(value) = session.maps["pf_map_stacks"].get(&id.to_ne_bytes()) {
            assert_eq!(value[0] as u32, std::process::id());
        }
    }
    assert_eq!(session.lost(LossCause::ScratchBusy), 0);
}

#[test]
fn tracepoints_are_counted() {
    let session = session!(MapTemplate::Count, 64);
    let id = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"]
        .iter()
        .find_map(|root| {
            std::fs::read_to_string(format!("{root}/events/syscalls/sys_enter_getppid/id")).ok()
        });
    let Some(id) = id else {
        return println!("skip: tracefs is not mounted");
    };
    let entry = "pf_enter_framed";
    let program = session.load(program::TRACEPOINT, entry, &count_by_stack());
    // PERF_TYPE_TRACEPOINT
    let id = id.trim().parse().unwrap();
    let event = program.attach(2, id).expect("tracepoint event");
    for _ in 0..10 {
        // SAFETY: has no arguments.
        unsafe { libc::getppid() };
    }
    drop(event);
    let total: u64 = session.maps["map"]
        .keys()
        .into_iter()
        .map(|id| session.value(id).unwrap()[0])
        .sum();
    assert_eq!(total, 10);
    session.assert_lost(&[]);
}
