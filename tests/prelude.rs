//! What the prelude says, against what the system says.

mod support;

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
