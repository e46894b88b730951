//! What the prelude says, against what the system says.

mod support;

use pfscript_testkit::needs_root;
use support::{Scratch, Tracer};

#[test]
fn ppid_is_the_parent_that_the_process_sees() {
    needs_root!();
    let scratch = Scratch::new("ppid");
    let program = scratch.program("parent", "#!/bin/sh\necho parent $PPID\n");
    let script = "software:page-faults:1 /pid == cpid/ { @p[ppid, ppid()] = count(); }";
    let finished = Tracer::new(["-c", program.to_str().unwrap(), "-e", script])
        .run()
        .ok();
    let text = finished.text();
    let parent = text
        .lines()
        .find_map(|line| line.strip_prefix("parent "))
        .unwrap_or_else(|| panic!("no parent in {text}"));
    let keys: Vec<&str> = text.lines().filter(|line| line.starts_with("@p")).collect();
    assert_eq!(keys.len(), 1, "{text}");
    assert!(
        keys[0].starts_with(&format!("@p[{parent}, {parent}]: ")),
        "{text}"
    );
}

#[test]
fn names_of_parent_and_first_thread_are_those_of_the_processes() {
    needs_root!();
    let scratch = Scratch::new("parents");
    let program = scratch.program("leading", "#!/bin/sh\ntrue\n");
    let script = "software:page-faults:1 /pid == cpid && comm == \"leading\"/ {
        @p[pcomm, pcomm(curtask), leader_comm, leader_comm()] = count();
        @t[leader_tid == tid, leader_tid() == leader_tid(curtask), ppid(curtask) == ppid] = count();
    }
    BEGIN { @e[is_err(-1), is_err(-4095), is_err(-4096), is_err(0), is_err(1)] = count(); }";
    let finished = Tracer::new(["-c", program.to_str().unwrap(), "-e", script])
        .run()
        .ok();
    let text = finished.text();
    assert!(
        text.contains("@p[pfscript, pfscript, leading, leading]: "),
        "{text}"
    );
    assert!(text.contains("@t[true, true, true]: "), "{text}");
    assert!(
        text.contains("@e[true, true, false, false, false]: "),
        "{text}"
    );
}
