//! `rawtracepoint` on this kernel: counts, arguments and names agree with `tracepoint`, and what is attached is gone afterwards.

mod support;

use pfscript_testkit::needs_root;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use support::{LIMIT, Report, Tracer, Workload, count, rows, workload};

fn trace(script: &str) -> (String, Report) {
    support::trace(script, &format!("{} 50 /no/such/file", workload("calls")))
}

/// Both see the same calls; arguments by name, by number and behind pointers are those of the record.
#[test]
fn calls_and_arguments_are_those_of_the_tracepoints() {
    needs_root!();
    let (out, report) = trace(
        "tracepoint:raw_syscalls:sys_enter /pid == cpid/ { @record[args.id] = count(); }
        rawtracepoint:sys_enter /pid == cpid/ { @named[args.id] = count(); @same[args.id == arg1] = count(); }
        rt:sched_process_exec /pid == cpid/ { @exec[args.p->tgid == cpid, str(args.bprm->filename)] = count(); }",
    );
    let number = libc::SYS_getppid.to_string();
    let expected = report.get("getppid") as i64;
    assert_eq!(count(&out, "record", &number), expected);
    assert_eq!(count(&out, "named", &number), expected);
    let same = rows(&out, "same");
    assert_eq!(same.len(), 1, "{out}");
    assert!(same[0].0 == "true" || same[0].0 == "1", "{out}");
    assert!(out.contains(&workload("calls").to_string()), "{out}");
}

/// One program for many events where the kernel has cookies, one for each where it has not: names are the event's own.
#[test]
fn many_events_have_their_own_names() {
    needs_root!();
    let (out, _) = trace(
        "rt:sched_process_* /pid == cpid/ { @[probe] = count(); }
        rt:sys_enter, rt:sys_exit /pid == cpid/ { @calls[probe] = count(); }",
    );
    assert_eq!(
        count(&out, "", "rawtracepoint:vmlinux:sched_process_exec"),
        1
    );
    assert_eq!(
        count(&out, "", "rawtracepoint:vmlinux:sched_process_exit"),
        1
    );
    // `exit_group` does not return.
    let entered = count(&out, "calls", "rawtracepoint:vmlinux:sys_enter");
    let left = count(&out, "calls", "rawtracepoint:vmlinux:sys_exit");
    assert!((entered - left).abs() <= 2, "{out}");
}

/// `-c` with a stack: the frames are named, although only a raw tracepoint samples them.
#[test]
fn stacks_of_a_command_are_named() {
    needs_root!();
    let (out, _) = trace(&format!(
        "rt:sys_enter /pid == cpid && args.id == {}/ {{ @[ustack] = count(); }}",
        libc::SYS_getppid
    ));
    assert!(
        out.lines()
            .any(|line| line.trim_start().starts_with("syscall+")),
        "{out}"
    );
}

/// `waits` calls madvise once, in a function that `touch` calls.
fn madvise() -> String {
    format!("args.id == {}", libc::SYS_madvise)
}

/// Waits until a process has a file open.
fn has_opened(pid: u32, file: &str) {
    let start = Instant::now();
    let opened = || {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process lives");
        let mut links = files.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        links.any(|link| link == Path::new(file))
    };
    while !opened() {
        assert!(start.elapsed() < LIMIT, "{file} is not opened");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Raw tracepoints fire in any process even under `-c`, so that stacks of others are named too: of those that were there
/// before, and of those that came later. All are gone when names are looked up.
#[test]
fn stacks_outside_of_a_command_are_named_too() {
    needs_root!();
    let mut before = Workload::start("waits", &["10"]);
    before.line();
    before.waits();
    let script = format!(
        "rt:sys_enter /comm == \"waits\" && {}/ {{ @[ustack, pid] = count(); }}",
        madvise()
    );
    let tracer = Tracer::script(&script)
        .args(["-c", "sleep 1000"])
        .own_group()
        .start()
        .attached();
    // Processes that ran before are read beside tracing, and the files that they have mapped are held open.
    has_opened(tracer.pid(), &workload("waits"));
    let mut later = Workload::start("waits", &["10"]);
    later.line();
    let pids = [before.pid(), later.pid()];
    for mut workload in [before, later] {
        workload.go();
        workload.end();
    }
    tracer.interrupt();
    let out = tracer.finish().ok().text().to_owned();
    for pid in pids {
        let end = out.find(&format!(", {pid}]: 1"));
        let end = end.unwrap_or_else(|| panic!("no stack of {pid}: {out}"));
        let start = out[..end].rfind("@[").expect("a row begins");
        assert!(out[start..end].contains(" touch+"), "{pid}: {out}");
    }
}

#[test]
fn a_process_alone_is_traced_where_it_is_asked_for() {
    needs_root!();
    let mut traced = Workload::start("waits", &["10"]);
    let mut other = Workload::start("waits", &["10"]);
    for workload in [&mut traced, &mut other] {
        workload.line();
        workload.waits();
    }
    let script = format!(
        "rt:sys_enter /comm == \"waits\" && {}/ {{ @[pid] = count(); }}",
        madvise()
    );
    let pid = traced.pid().to_string();
    let tracer = Tracer::script(&script)
        .args(["-p", &pid])
        .start()
        .attached();
    // The session ends with the process that it traces.
    for mut workload in [other, traced] {
        workload.go();
        workload.end();
    }
    let finished = tracer.finish().lossless();
    assert_eq!(rows(finished.text(), ""), [(pid, 1)], "{finished}");
}

/// Each tracepoint of tracefs that is one of its own is listed, with the arguments that its call has.
#[test]
fn the_list_has_the_tracepoints_of_tracefs() {
    needs_root!();
    let list = |flags: &str, pattern: &str| {
        let finished = Tracer::new([flags, pattern]).run().ok();
        finished.text().to_owned()
    };
    let raw = list("-l", "rt:sched_*");
    let listed: Vec<&str> = raw.lines().collect();
    assert!(listed.is_sorted() && listed.len() > 5, "{raw}");
    for tracepoint in list("-l", "tracepoint:sched:sched_*").lines() {
        let name = tracepoint.trim_start_matches("tracepoint:sched:");
        let name = format!("rawtracepoint:vmlinux:{name}");
        assert!(listed.binary_search(&name.as_str()).is_ok(), "no {name}");
    }
    assert_eq!(
        list("-lv", "rt:sys_enter"),
        "rawtracepoint:vmlinux:sys_enter\n    struct pt_regs * regs\n    long int id\n"
    );
}

#[test]
fn an_argument_that_the_event_has_not_is_an_error_at_its_probe() {
    needs_root!();
    let finished = Tracer::script("rt:sys_enter { @ = sum(arg9); }")
        .run()
        .expect(1);
    let err = String::from_utf8_lossy(&finished.err);
    assert!(
        err.contains("`sys_enter` has fewer arguments than are asked for"),
        "{err}"
    );
    assert!(err.contains("-e:1:1"), "{err}");
}
