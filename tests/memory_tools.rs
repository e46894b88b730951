//! The shipped tools that count page faults and other events: what they say, against what workloads know of themselves.

mod support;

use pfscript_testkit::needs_root;
use serde_json::Value;
use std::fs;
use support::shipped::{self, report};
use support::{Finished, Tracer, workload};

/// Runs a shipped script.
fn tool(name: &str, arguments: &[&str]) -> Finished {
    shipped::tool(name, arguments).run()
}

/// The objects of an output in JSON, without other lines.
#[track_caller]
fn objects(finished: &Finished) -> Vec<Value> {
    let lines = finished.text().lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// What a map holds, from its first object that has anything.
#[track_caller]
fn map(finished: &Finished, name: &str) -> serde_json::Map<String, Value> {
    objects(finished)
        .iter()
        .filter_map(|object| object["data"][name].as_object())
        .find(|map| !map.is_empty())
        .unwrap_or_else(|| panic!("no {name} in {finished}"))
        .clone()
}

#[test]
fn faults_has_bytes_beside_counts() {
    needs_root!();
    let command = format!("{} 4096", workload("anon2mmap"));
    let finished = tool("faults", &["-f", "json", "-c", &command]).lossless();
    let report = report(&finished);
    let rows = map(&finished, "@");
    let end = format!(",{},anon2mmap,minor", report.pid());
    let (_, found) = rows
        .iter()
        .find(|(key, _)| key.starts_with("\nmain+") && key.ends_with(&end))
        .unwrap_or_else(|| panic!("no row of the loop: {finished}"));
    assert_eq!(found["count"], 4096, "{finished}");
    assert_eq!(
        found["total"].as_u64(),
        found["average"].as_u64().map(|average| average * 4096)
    );
    // A kernel that counts pages in batches may be short of one, and ahead by what was batched before.
    let pages = found["total"].as_u64().expect("a number") / 4096;
    assert!((4000..=4160).contains(&pages), "{finished}");
    // The others are less, so that only this one is left where one is asked for.
    let first = tool("faults", &["--top=1", "-f", "json", "-c", &command]).lossless();
    let rows = map(&first, "@");
    assert!(
        rows.len() == 1 && rows.keys().all(|key| key.starts_with("\nmain+")),
        "{first}"
    );
}

/// Threads of a process change the same sums of the kernel at the same time.
#[test]
fn faults_has_the_bytes_of_each_thread() {
    needs_root!();
    let command = format!("{} 4 3000", workload("threads"));
    let finished = tool("faults", &["-f", "json", "-c", &command]).lossless();
    let pid = report(&finished).pid();
    let rows = map(&finished, "@");
    for thread in 0..4 {
        let end = format!(",{pid},worker{thread},minor");
        let own = rows.iter().filter(|(key, _)| key.ends_with(&end));
        let most = own.max_by_key(|(_, value)| value["count"].as_u64());
        let (_, value) = most.unwrap_or_else(|| panic!("no row of {thread}: {finished}"));
        assert_eq!(value["count"], 3000, "{finished}");
        let bytes = value["total"].as_u64().expect("a number");
        assert!(
            bytes.abs_diff(3000 * 4096) * 20 <= 3000 * 4096,
            "{finished}"
        );
    }
}

#[test]
fn faults_counts_huge_pages_by_their_size() {
    needs_root!();
    let enabled = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    if !enabled.is_ok_and(|text| !text.contains("[never]")) {
        return eprintln!("skip: this kernel has no huge pages");
    }
    let command = format!("{} 4096 --huge", workload("anon2mmap"));
    let finished = tool("faults", &["--all", "-f", "json", "-c", &command]).lossless();
    let report = report(&finished);
    let bytes: u64 = map(&finished, "@")
        .iter()
        .filter(|(key, _)| key.starts_with("\nmain+"))
        .filter_map(|(_, value)| value["total"].as_u64())
        .sum();
    assert!(report.faults() < 4096, "{finished}");
    assert!((16 << 20..17 << 20).contains(&bytes), "{bytes}: {finished}");
}

#[test]
fn faults_prints_twenty_stacks_unless_told_otherwise() {
    needs_root!();
    let command = format!("{} 100", workload("anon2mmap"));
    let count = |more: &[&str]| {
        let finished = tool("faults", &[&["-f", "json", "-c", &command], more].concat()).lossless();
        let total = map(&finished, "@total")["minor"]["count"].as_u64();
        (map(&finished, "@").len(), total)
    };
    assert_eq!(count(&[]).0, 20);
    assert_eq!(count(&["--top=3"]).0, 3);
    let (rows, faults) = count(&["--all"]);
    assert!(rows > 20 && faults >= Some(100 + rows as u64 - 1));
}

/// A number that stands before words in an output.
#[track_caller]
fn number_before(finished: &Finished, words: &str) -> f64 {
    let line = finished
        .text()
        .lines()
        .find_map(|line| line.split_once(words));
    let before = line.unwrap_or_else(|| panic!("no {words} in {finished}")).0;
    before.trim().parse().expect("a number")
}

#[test]
fn faultstat_agrees_with_the_commands_own_usage() {
    needs_root!();
    let command = format!("{} 20000", workload("anon2mmap"));
    let finished = tool("faultstat", &["-c", &command]).lossless();
    let report = report(&finished);
    // The report is made before the program ends, and has what the kernel faulted in for exec.
    let minor = number_before(&finished, "  minor faults") as u64;
    assert!(
        (report.get("total") - 30..report.get("total") + 40).contains(&minor),
        "{finished}"
    );
    let peak = number_before(&finished, " MiB peak resident memory");
    assert!((78.0..90.0).contains(&peak), "{finished}");
    for what in ["elapsed", "user", "system"] {
        number_before(&finished, &format!(" s {what}"));
    }
    assert!(
        finished.text().contains("]: { .count = 20000, "),
        "{finished}"
    );
    // The same, of words behind its name; options among them are the command's.
    let finished = tool("faultstat", &["--top=1", "sh", "-c", "exit 0"]).lossless();
    assert!(
        number_before(&finished, "  minor faults") > 20.0,
        "{finished}"
    );
    // Run as a file, it has the command as any script has it.
    let file = support::repository_file("scripts/faultstat.pf");
    let finished = Tracer::new([&file, "ls"]).run();
    finished.refuses(&["-c 'COMMAND'", "--run COMMAND"]);
}

#[test]
fn faultstat_counts_threads_and_children_and_waits_for_the_last_thread() {
    needs_root!();
    for (name, arguments) in [("threads", "4 500"), ("nproc_faults", "5 400")] {
        let command = format!("{} {arguments}", workload(name));
        let finished = tool("faultstat", &["-c", &command]).lossless();
        let minor = number_before(&finished, "  minor faults") as u64;
        let own = report(&finished).faults();
        assert!((own..own + 800).contains(&minor), "{finished}");
        // There are times, though those of the last thread could be 0: they come in ticks.
        number_before(&finished, " s system");
    }
}

#[test]
fn stackcount_takes_any_probe_and_counts_by_stack() {
    needs_root!();
    let command = format!("{} 300", workload("anon2mmap"));
    for (probe, option, rows) in [
        ("software:page-faults:1", "-U", 300),
        ("software:minor-faults:1", "-UP", 300),
        ("tracepoint:syscalls:sys_enter_execve", "-K", 1),
    ] {
        let finished = tool("stackcount", &[probe, option, "-f", "json", "-c", &command]).ok();
        let most = map(&finished, "@").values().filter_map(Value::as_u64).max();
        assert_eq!(most, Some(rows), "{finished}");
        let names_process = map(&finished, "@")
            .keys()
            .any(|key| key.ends_with(",anon2mmap"));
        assert_eq!(names_process, option.contains('P'), "{finished}");
    }
    tool(
        "stackcount",
        &["software:page-faults:1", "-D", "1", "-i", "1"],
    )
    .ok();
    // Of children, too, where the session follows them.
    let command = format!("{} 3 250", workload("nproc_faults"));
    let finished = tool("stackcount", &["s:minor-faults:1", "-U", "-c", &command]).lossless();
    assert_eq!(finished.text().matches("]: 250\n").count(), 3, "{finished}");
    tool("stackcount", &[]).refuses(&["`$1` is not given"]);
}

#[test]
fn trace_prints_a_line_and_a_stack_for_each_event() {
    needs_root!();
    let command = workload("opens");
    let command = format!("{command} 2 /dev/null");
    let probe = "tracepoint:syscalls:sys_enter_openat";
    let finished = tool("trace", &[probe, "-UA", "-c", &command]).ok();
    let mut lines = finished
        .text()
        .lines()
        .filter(|line| !line.starts_with("pid="));
    assert_eq!(
        lines.next(),
        Some("PID      TID      COMM             FUNC"),
        "{finished}"
    );
    let events: Vec<&str> = finished
        .text()
        .lines()
        .filter(|line| line.ends_with(probe))
        .collect();
    assert!(!events.is_empty(), "{finished}");
    assert!(
        events.iter().all(|line| line.contains(" opens ")),
        "{finished}"
    );
    let arguments = finished.text().matches(".filename = ").count();
    assert_eq!(arguments, events.len(), "{finished}");
    assert!(finished.text().contains("        main+"), "{finished}");
    let plain = tool("trace", &[probe, "-c", &command]).ok();
    assert!(!plain.text().contains("main+"), "{plain}");
}
