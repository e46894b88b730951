//! `rawtracepoint` on this kernel: counts, arguments and names agree with `tracepoint`, and what is attached is gone afterwards.

mod support;

use pfscript_testkit::needs_root;
use support::{Report, Tracer, rows, workload};

fn trace(script: &str) -> (String, Report) {
    let command = format!("{} 50 /no/such/file", workload("calls"));
    let finished = Tracer::script(script).args(["-c", &command]).run();
    let out = String::from_utf8_lossy(&finished.expect(0).out).into_owned();
    let report = out.lines().find(|line| line.starts_with("pid="));
    let report = Report::parse(report.expect("the workload reports"));
    (out, report)
}

#[track_caller]
fn count(out: &str, map: &str, key: &str) -> i64 {
    let rows = rows(out, map);
    let row = rows.iter().find(|(name, _)| name == key);
    row.unwrap_or_else(|| panic!("no {map}[{key}] in {out}")).1
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
