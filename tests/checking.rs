//! `--check` by those who may not look, and for other machines: it gives root's answer, or says what it did not check.

mod support;

use pfscript_testkit::needs_root;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use support::{Scratch, Tracer, without_root};

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
        "--record-facts FILE",
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
    let scratch = Scratch::open_to_all("no-tracefs");
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

/// Facts of this machine, recorded by root in a file that all may read.
fn recorded() -> (Scratch, PathBuf) {
    let scratch = Scratch::open_to_all("facts");
    let file = scratch.path().join("this.facts");
    let recording = Tracer::new(["--record-facts"]).arg(&file).run().ok();
    assert_eq!(recording.text(), "");
    let all = Permissions::from_mode(0o644);
    fs::set_permissions(&file, all).expect("it is ours");
    (scratch, file)
}

/// A plain user's pfscript where there is neither tracefs nor BTF nor anything else of sysfs, as on another machine.
fn elsewhere(scratch: &Scratch) -> impl Fn() -> Tracer + use<> {
    let program = scratch.path().join("pfscript");
    support::copy_program(support::PFSCRIPT, &program);
    let script =
        "umount -l /sys && exec setpriv --reuid=65534 --regid=65534 --clear-groups -- \"$@\"";
    move || {
        Tracer::command("unshare")
            .args(["-m", "sh", "-c", script, "sh"])
            .arg(&program)
    }
}

#[test]
fn recorded_facts_give_the_answers_of_their_machine_anywhere() {
    needs_root!();
    let (scratch, file) = recorded();
    let elsewhere = elsewhere(&scratch);
    for script in SCRIPTS {
        let here = Tracer::new(["--check", "-e", script]).run().has_no_crash();
        let there = elsewhere()
            .args(["--check", "-e", script, "--facts"])
            .arg(&file)
            .run()
            .has_no_crash();
        assert_eq!(
            there.status.code(),
            here.status.code(),
            "{script}\n{here}\n{there}"
        );
        let said = there
            .messages()
            .split("\npfscript: ")
            .next()
            .unwrap_or_default();
        assert_eq!(said.trim(), here.messages().trim(), "{script}");
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("/proc is mounted");
        let named = there
            .messages()
            .contains(&format!("is Linux {}", release.trim()));
        assert_eq!(named, !here.messages().is_empty(), "{there}");
    }
    // What a script becomes is the same, too.
    let script = "tracepoint:sched:sched_process_exec { @[args.filename, probe] = count(); }";
    let here = Tracer::new(["-d", "object", "-e", script]).run().ok();
    let there = elsewhere()
        .args(["-d", "object", "-e", script, "--facts"])
        .arg(&file)
        .run()
        .ok();
    assert_eq!(there.out, here.out);
}

#[test]
fn facts_are_for_checks_and_are_not_trusted() {
    needs_root!();
    let (scratch, file) = recorded();
    let script = "BEGIN { exit(); }";
    Tracer::script(script)
        .arg("--facts")
        .arg(&file)
        .run()
        .refuses(&["--check", "-d", "on this machine"]);
    let check = |file: &Path| {
        Tracer::new(["--check", "-e", script, "--facts"])
            .arg(file)
            .run()
    };
    let bytes = fs::read(&file).expect("it is ours");
    for (name, content, said) in [
        ("empty", &b""[..], "these are no facts"),
        ("short", &bytes[..bytes.len() / 2], "damaged"),
        ("newer", b"pfscript facts 9\nx", "version 9"),
    ] {
        check(&scratch.file(name, content)).refuses(&[name, said]);
    }
    check(Path::new("/nonexistent")).refuses(&["can't read the facts", "/nonexistent"]);
    check(Path::new("/dev/zero")).refuses(&["more than 32 MiB"]);
    // What a plain user could not record is said then, and again where it matters.
    let own = scratch.path().join("own.facts");
    let mode = Permissions::from_mode(0o777);
    fs::set_permissions(scratch.path(), mode).expect("it is ours");
    let recording = without_root().arg("--record-facts").arg(&own).run().ok();
    assert!(
        recording.messages().contains("no tracepoints are recorded"),
        "{recording}"
    );
    let script = "tracepoint:sched:sched_process_exec { @[args.filename] = count(); }";
    let checked = Tracer::new(["--check", "-e", script, "--facts"])
        .arg(&own)
        .run()
        .ok();
    assert!(
        checked
            .messages()
            .contains("`args.filename` is not checked"),
        "{checked}"
    );
}

#[test]
fn recorded_facts_hold_no_address() {
    needs_root!();
    let (_scratch, file) = recorded();
    let ir = |symbol: &str, facts: &[&std::ffi::OsStr]| {
        let script = format!("BEGIN {{ print(kaddr(\"{symbol}\")); }}");
        let dump = Tracer::new(["-d", "ir", "-e", &script])
            .args(facts)
            .run()
            .ok();
        dump.text().to_owned()
    };
    assert_ne!(ir("_stext", &[]), ir("_etext", &[]));
    let facts = ["--facts".as_ref(), file.as_os_str()];
    assert_eq!(ir("_stext", &facts), ir("_etext", &facts));
}
