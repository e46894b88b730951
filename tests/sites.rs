//! One program for many attach points, on this kernel: names, arguments and counts are those of the point that was hit.

mod support;

use pfscript_testkit::needs_root;
use support::{Report, Tracer, rows, workload};

fn has_cookies() -> bool {
    use pfscript::compiler::facts::Facts as _;
    let facts = pfscript::runtime::facts::LiveFacts::new();
    facts.has(pfscript::probes::Feature::AttachCookie)
}

/// What a script says of the workload `calls`: its output, what the workload did, and the lines of `-v` that name
/// tracepoint programs.
fn trace(script: &str) -> (String, Report, Vec<String>) {
    let command = format!("{} 50 /no/such/file", workload("calls"));
    let finished = Tracer::script(script).args(["-v", "-c", &command]).run();
    // Not lossless: the dynamic linker opens files whose names are not in memory yet.
    let finished = finished.expect(0);
    let out = String::from_utf8_lossy(&finished.out).into_owned();
    let programs = String::from_utf8_lossy(&finished.err)
        .lines()
        .filter(|line| line.contains("Tracepoint program"))
        .map(str::to_owned)
        .collect();
    let report = out.lines().find(|line| line.starts_with("pid="));
    let report = Report::parse(report.expect("the workload reports"));
    (out, report, programs)
}

#[track_caller]
fn count(rows: &[(String, i64)], key: &str) -> i64 {
    let row = rows.iter().find(|(name, _)| name == key);
    row.map_or(0, |(_, count)| *count)
}

#[test]
fn one_program_counts_many_tracepoints_under_their_own_names() {
    needs_root!();
    let (out, report, programs) = trace(
        "tracepoint:syscalls:sys_enter_get* /pid == cpid/ { @shared[probe] = count(); }
        tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { @alone[probe] = count(); }
        tracepoint:syscalls:sys_enter_getuid /pid == cpid/ { @alone[probe] = count(); }",
    );
    let (shared, alone) = (rows(&out, "shared"), rows(&out, "alone"));
    for call in ["getppid", "getuid"] {
        let name = format!("tracepoint:syscalls:sys_enter_{call}");
        assert_eq!(count(&shared, &name), report.get(call) as i64, "{out}");
        assert_eq!(count(&alone, &name), report.get(call) as i64, "{out}");
    }
    if has_cookies() {
        assert_eq!(programs.len(), 3, "{programs:?}");
    }
}

#[test]
fn arguments_are_read_where_each_tracepoint_has_them() {
    needs_root!();
    // `openat` and `newfstatat` have their file names at the same place, `open` at another.
    let mut calls = vec!["openat", "newfstatat"];
    if cfg!(target_arch = "x86_64") {
        calls.push("open");
    }
    let sites = calls
        .iter()
        .map(|call| format!("tracepoint:syscalls:sys_enter_{call}"))
        .collect::<Vec<_>>()
        .join(", ");
    let script = "/pid == cpid && str(args.filename) == \"/no/such/file\"/ { @[probe] = count(); }";
    let (out, report, programs) = trace(&format!("{sites} {script}"));
    let rows = rows(&out, "");
    for call in calls.iter().filter(|call| **call != "newfstatat") {
        let name = format!("tracepoint:syscalls:sys_enter_{call}");
        assert_eq!(count(&rows, &name), report.get(call) as i64, "{out}");
    }
    if has_cookies() {
        assert_eq!(programs.len(), calls.len() - 1, "{programs:?}");
    }
}
