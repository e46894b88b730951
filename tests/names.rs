//! Numbers that are printed as what they stand for, against what the system says.

mod support;

use pfscript_testkit::needs_root;
use std::process::Command;
use support::{Tracer, workload};

fn printed(script: &str) -> String {
    Tracer::new(["-q", "-e", script])
        .run()
        .ok()
        .text()
        .to_owned()
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_user_is_the_one_that_runs_the_session() {
    needs_root!();
    let script = "BEGIN { print(username); @u[username] = 1; exit(); }";
    let user = said("id", &["-un"]);
    assert_eq!(
        printed(script),
        format!("{user}\n\n@u[{}]: 1\n", user.trim())
    );
}

#[test]
fn times_of_day_are_those_of_the_clock() {
    needs_root!();
    let before = said("date", &["+%s"]);
    let text = printed(
        "BEGIN { print(strftime(\"%s\", nsecs)); printf(\"%s %s\\n\", strftime(\"%s%f\", 1000123000), strftime(\"%s%f\", 0)); }",
    );
    let after = said("date", &["+%s"]);
    let number = |text: &str| text.trim().parse::<u64>().unwrap();
    let numbers: Vec<u64> = text.split_whitespace().map(number).collect();
    // The clocks are read one after another, and rounded down.
    let bounds = number(&before) - 1..=number(&after) + 1;
    assert!(bounds.contains(&numbers[0]), "{text} {before} {after}");
    assert_eq!(numbers[1] - numbers[2], 1_000_123);
}

#[test]
fn a_cgroup_has_the_path_that_its_process_sees() {
    needs_root!();
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    if !mounts
        .lines()
        .any(|line| line.contains("/sys/fs/cgroup cgroup2 "))
    {
        println!("skip: no cgroup2 is mounted at /sys/fs/cgroup");
        return;
    }
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = groups
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .unwrap();
    let text = printed("BEGIN { print(cgroup_path(cgroup)); print((1, cgroup_path(5))); }");
    assert_eq!(text, format!("unified:{own}\n(1, )\n\n\n"));
}

#[test]
fn code_of_processes_is_told_from_the_kernels() {
    needs_root!();
    let script =
        "profile:hz:999 /pid == cpid/ { @in[usermode] = count(); if (usermode) { exit(); } }";
    let finished = Tracer::new(["-q", "-c", "sh -c 'while :; do :; done'", "-e", script])
        .run()
        .ok();
    // The clock may strike once more before the end is seen.
    assert!(finished.text().contains("@in[1]: "), "{finished}");
}

/// `ustack(build_id)`: who has the symbols elsewhere needs no more than the file's id and the offset in it.
#[test]
fn frames_are_build_ids_and_offsets_where_the_script_asks_for_them() {
    needs_root!();
    let program = workload("anon2mmap");
    let notes = Command::new("readelf").args(["-n", &program]).output();
    let notes = String::from_utf8(notes.expect("binutils are there").stdout).unwrap();
    let id = notes
        .split("Build ID: ")
        .nth(1)
        .expect("the linker puts one in");
    let id = id.split_whitespace().next().unwrap();
    let script = "software:page-faults:1 /pid == cpid/ { @[ustack(build_id, 1), ustack(raw, 1)] = count(); }";
    let finished = Tracer::new(["-c", &format!("{program} 300"), "-e", script])
        .run()
        .ok();
    let text = finished.text();
    // The one instruction that touches all pages.
    let rows: Vec<&str> = text
        .split("@[")
        .filter(|row| row.contains("]: 300"))
        .collect();
    assert_eq!(rows.len(), 1, "{finished}");
    let (frame, raw) = rows[0].trim().split_once(", ").expect("a key of two");
    let (found, offset) = frame.trim().split_once(" 0x").expect("an id and an offset");
    assert_eq!(found, id, "{finished}");
    let raw = raw.trim().lines().next().unwrap();
    // Files are mapped by pages, so the lowest digits are those of the address.
    assert_eq!(
        offset[offset.len() - 3..],
        raw[raw.len() - 3..],
        "{finished}"
    );
}
