//! `--check` by those who may not look: it gives root's answer, or says what it did not check.

mod support;

use pfscript_testkit::needs_root;
use support::{Tracer, without_root};

/// Scripts about facts of all kinds, right and wrong.
const SCRIPTS: &[&str] = &[
    "software:page-faults:1 { @[ustack, pid, comm] = count(); }",
    "hardware:nosuch:1 { }",
    "profile:hz:99 { @[kstack] = count(); }",
    "interval:s:1 { print(vma(1)); }",
    "BEGIN { print(curtask->comm); }",
    "BEGIN { print(curtask->nosuch); }",
    "BEGIN { print(kaddr(\"_stext\")); print(kaddr(\"nosuch_symbol\") + 1); }",
    "tracepoint:sched:sched_switch { @[args.prev_comm] = sum(args.next_pid); }",
    "tracepoint:sched:sched_switch { @[args.prev_com] = count(); }",
    "tracepoint:sched:sched_switch { @ = args.prev_pid; @ = \"text\"; }",
    "tracepoint:sched:sched_swich { @ = count(); }",
    "tracepoint:nosuch:sched_switch { @ = count(); }",
    "tracepoint:sched:sched_process_exec { @[args.filename] = count(); }",
    "tracepoint:sched:sched_process_exec { @[args.filename + 1] = count(); }",
    "tracepoint:sched:sched_wakeup { @[args.comm] = sum(args.target_cpu); }",
    "tracepoint:sched:sched_wakeup { @ = args.nosuch; }",
    "tracepoint:syscalls:sys_enter_openat { print(str(args.filename)); }",
    "tracepoint:syscalls:sys_enter_openat { print(args.nosuch); }",
    "tracepoint:syscalls:sys_enter_execve { print(args.argv); }",
    "tracepoint:syscalls:sys_enter_opennat { print(str(args.filename)); }",
    "tracepoint:syscalls:sys_exit_read /args.ret > 0/ { @ = hist(args.ret); }",
    "tracepoint:syscalls:sys_exit_read { @ = hist(args.rat); }",
    "tracepoint:syscalls:sys_enter_* { @[probe] = count(); }",
    "tracepoint:nosuch:* { @[args.x] = count(); }",
    "rawtracepoint:sched_switch { @ = args.prev; }",
    "rawtracepoint:sched_swich { @ = arg0; }",
    "rawtracepoint:sched_* { @[func] = count(); }",
    "kprobe:vfs_read { @ = arg0; }",
    "kprobe:vfs_raed { @ = arg0; }",
    "kprobe:vfs_* { @[func] = count(); }",
    "tracepoint:sched:sched_process_exec { $x = args.filename; if ($x == \"a\") { @x = $x; } @y[@x, $x] = 1; print(@y); }",
];

#[test]
fn a_plain_user_is_told_what_root_is_or_what_is_not_checked() {
    needs_root!();
    for script in SCRIPTS {
        let root = Tracer::new(["--check", "-e", script]).run().has_no_crash();
        let user = without_root()
            .args(["--check", "-e", script])
            .run()
            .has_no_crash();
        let unchecked = user.messages().contains("is not checked: ");
        match (root.status.code(), user.status.code()) {
            (Some(0), Some(0)) => {}
            (Some(1), Some(1)) => {
                let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
                assert_eq!(first(user.messages()), first(root.messages()), "{script}");
            }
            (Some(1), Some(0)) => assert!(unchecked, "{script}\n{root}\n{user}"),
            other => panic!("{other:?}: {script}\n{root}\n{user}"),
        }
        // Root looks everywhere.
        assert!(!root.messages().contains("is not checked"), "{root}");
    }
}

#[test]
fn what_is_not_checked_is_shown_with_its_place_and_the_remedy() {
    needs_root!();
    let script = "t:sched:sched_process_exec { @[args.filename] = count(); }";
    let finished = without_root().args(["--check", "-e", script]).run().ok();
    let messages = finished.messages();
    for part in [
        "warning: `args.filename` is not checked: cannot read /sys/kernel/tracing",
        "^^^^^^^^^^^^^",
        "in the category `sched`",
        "check as root",
    ] {
        assert!(messages.contains(part), "{part}: {finished}");
    }
    // What is to run needs the facts.
    without_root()
        .args(["-d", "ir", "-e", script])
        .run()
        .refuses(&["run as root"]);
    // And so without any tracefs, where the user may not mount it.
    let nowhere = "umount -l /sys/kernel/tracing /sys/kernel/debug 2>/dev/null || true; exec setpriv --reuid=65534 --regid=65534 --clear-groups -- \"$@\"";
    let scratch = support::Scratch::open_to_all("no-tracefs");
    let program = scratch.path().join("pfscript");
    support::copy_program(support::PFSCRIPT, &program);
    let finished = Tracer::command("unshare")
        .args(["-m", "sh", "-c", nowhere, "sh"])
        .arg(&program)
        .args(["--check", "-e", script])
        .run()
        .ok();
    assert!(
        finished.messages().contains("tracefs is not mounted"),
        "{finished}"
    );
}
