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

#[test]
fn processes_have_their_names_by_their_ids() {
    needs_root!();
    let scratch = Scratch::new("named");
    let program = scratch.program("some-name", "#!/bin/sh\nexec sleep 20\n");
    let mut child = std::process::Command::new(program).spawn().unwrap();
    let name = || std::fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap();
    // Until it runs what it is to run.
    while name() != "sleep\n" {
        std::thread::yield_now();
    }
    let script = "BEGIN { print(comm(1)); print(comm($1)); print(comm(2147483647)); exit(); }";
    let finished = Tracer::new(["-e", script, &child.id().to_string()]).run();
    child.kill().unwrap();
    child.wait().unwrap();
    let finished = finished.ok();
    let first = std::fs::read_to_string("/proc/1/comm").unwrap();
    assert_eq!(
        finished.text().trim_end(),
        format!("{first}sleep\nN/A"),
        "{finished}"
    );
    finished.says(&["no process has the id 2147483647"]);
}

/// A folder's cgroup is that of the processes in it.
#[test]
fn cgroups_are_had_by_their_folders() {
    needs_root!();
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
    let mount = mounts.lines().find_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        (words[2] == "cgroup2").then_some(words[1])
    });
    let (Some(own), Some(mount)) = (own, mount) else {
        println!("skip: no cgroup2 is mounted");
        return;
    };
    let folder = format!("{mount}/{own}");
    let script = "BEGIN { printf(\"%d\\n\", cgroup == cgroupid(str($1))); exit(); }";
    let finished = Tracer::new(["-e", script, &folder]).run().ok();
    assert_eq!(finished.text().lines().next(), Some("1"), "{finished}");
    for (folder, words) in [("/proc", "no cgroup"), ("/none", "no folder")] {
        Tracer::new(["-e", script, folder])
            .run()
            .refuses(&[words, folder, "^"]);
    }
}
