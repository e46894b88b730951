//! Machines and users that lack something: one message that names it and says what to do.

mod support;

use pfscript_testkit::needs_root;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use support::{PFSCRIPT, Scratch, Tracer, Workload, workload};

const ONE_LINER: &str = "software:page-faults:1 { @[ustack, pid, comm] = count(); }";

/// Runs as root, with the capabilities that are named and no others.
fn with_capabilities(names: &[&str]) -> Tracer {
    let set = names
        .iter()
        .fold("-all".to_owned(), |set, name| format!("{set},+{name}"));
    Tracer::command("setpriv")
        .args([
            format!("--bounding-set={set}"),
            "--inh-caps=-all".to_owned(),
            "--".to_owned(),
        ])
        .arg(PFSCRIPT)
}

/// Runs after a shell's commands, in a mount namespace of its own.
fn in_mount_namespace(commands: &str, arguments: &[&str]) -> Tracer {
    let script = format!("set -e\n{commands}\nexec \"$@\"");
    Tracer::command("unshare")
        .args(["-m", "sh", "-c", &script, "sh", PFSCRIPT])
        .args(arguments)
}

#[test]
fn without_root_it_says_which_rights_are_missing() {
    let run = |arguments: &[&str]| support::without_root().args(arguments).run();
    let finished = run(&["-e", ONE_LINER]).refuses(&["root", "CAP_BPF"]);
    assert!(finished.messages().lines().count() <= 8, "{finished}");
    run(&["-e", "BEGIN { exit(); }"]).refuses(&["CAP_BPF"]);
}

#[test]
fn without_root_scripts_can_be_checked_and_dumped() {
    let run = |arguments: &[&str]| support::without_root().args(arguments).run().ok();
    assert_eq!(run(&["--check", "-e", ONE_LINER]).text(), "");
    assert!(
        run(&["-d", "ir", "-e", ONE_LINER])
            .text()
            .contains("call pf_stack")
    );
    assert!(!run(&["-d", "asm", "-e", ONE_LINER]).text().is_empty());
    assert!(
        run(&["-l", "software:*"])
            .text()
            .contains("software:page-faults:")
    );
}

#[test]
fn the_capability_that_is_missing_is_named() {
    needs_root!();
    with_capabilities(&["bpf"])
        .args(["-e", ONE_LINER])
        .run()
        .refuses(&["CAP_PERFMON"]);
    with_capabilities(&["perfmon"])
        .args(["-e", ONE_LINER])
        .run()
        .refuses(&["CAP_BPF"]);
    with_capabilities(&[])
        .args(["-e", ONE_LINER])
        .run()
        .refuses(&["CAP_BPF"]);
}

#[test]
fn two_capabilities_are_enough() {
    needs_root!();
    let command = format!("{} 70", workload("anon2mmap"));
    let finished = with_capabilities(&["bpf", "perfmon"])
        .args(["-e", ONE_LINER, "-c", &command])
        .run()
        .lossless();
    let (_, rest) = finished.split_report();
    let rows = support::stacks::parse(&rest);
    assert_eq!(rows.last().map(|row| row.count), Some(70), "{rows:#?}");
}

#[test]
fn kprobes_that_the_kernel_lacks_are_answered_with_its_option() {
    needs_root!();
    if Path::new("/sys/bus/event_source/devices/kprobe").exists() {
        println!("skip: this kernel has kprobes");
        return;
    }
    for script in [
        "kprobe:handle_mm_fault { @ = count(); }",
        "kretprobe:handle_mm_fault { @ = count(); }",
    ] {
        let finished = Tracer::script(script)
            .run()
            .refuses(&["CONFIG_KPROBES", "^"]);
        assert_eq!(
            finished.messages().matches("error: ").count(),
            1,
            "{finished}"
        );
    }
}

#[test]
fn events_that_the_machine_lacks_are_answered_as_such() {
    needs_root!();
    // Virtual machines often have no such counters; where there are some, the script runs.
    let finished = Tracer::script("hardware:cpu-cycles:1000000 { } BEGIN { exit(); }")
        .run()
        .has_no_crash();
    match finished.status.code() {
        Some(0) => println!("skip: this machine has hardware events"),
        _ => drop(finished.refuses(&["hardware:cpu-cycles:1000000", "software:", "^"])),
    }
}

/// What needs nothing of what a mount namespace lacks works there.
#[track_caller]
fn one_liner_works(setup: &str) {
    let command = format!("{} 30", workload("anon2mmap"));
    let finished = in_mount_namespace(setup, &["-e", ONE_LINER, "-c", &command])
        .run()
        .lossless();
    assert!(finished.text().contains("]: 30"), "{finished}");
}

#[test]
fn tracefs_is_mounted_or_the_way_to_mount_it_is_told() {
    needs_root!();
    let unmount = "umount -l /sys/kernel/tracing 2>/dev/null || true\numount -l /sys/kernel/debug 2>/dev/null || true\n\
                   test ! -e /sys/kernel/tracing/events";
    let script = "tracepoint:syscalls:sys_enter_close { @ = count(); } BEGIN { printf(\"ran\\n\"); exit(); }";
    let finished = in_mount_namespace(unmount, &["-q", "-e", script])
        .run()
        .has_no_crash();
    match finished.status.code() {
        Some(0) => assert_eq!(finished.text(), "ran\n\n\n"),
        _ => drop(finished.refuses(&["tracefs", "mount -t tracefs", "/sys/kernel/tracing"])),
    }
    // What needs no tracefs is not bothered.
    one_liner_works(unmount);
}

#[test]
fn where_tracefs_cannot_be_mounted_the_message_says_so() {
    needs_root!();
    let unmount = "umount -l /sys/kernel/tracing 2>/dev/null || true\numount -l /sys/kernel/debug 2>/dev/null || true";
    // The right to trace, without the one to mount.
    let capabilities = "exec setpriv --bounding-set=-all,+bpf,+perfmon --inh-caps=-all -- \"$@\"";
    let script = "tracepoint:syscalls:sys_enter_close { @ = count(); }";
    let finished = in_mount_namespace(&format!("{unmount}\n{capabilities}"), &["-e", script]).run();
    finished.refuses(&["tracefs", "mount -t tracefs", "/sys/kernel/tracing"]);
}

#[test]
fn a_kernel_without_btf_is_named_as_such_where_types_are_needed() {
    needs_root!();
    let hide = "mount -t tmpfs none /sys/kernel/btf";
    let finished = in_mount_namespace(hide, &["-e", "BEGIN { print(curtask->pid); }"]).run();
    finished.refuses(&["BTF", "CONFIG_DEBUG_INFO_BTF", "^"]);
    // And only there.
    one_liner_works(hide);
}

#[test]
fn broken_btf_is_no_crash() {
    needs_root!();
    let scratch = Scratch::new("btf");
    let real = fs::read("/sys/kernel/btf/vmlinux").expect("this kernel has BTF");
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("short", &real[..20.min(real.len())]),
        ("cut", &real[..real.len() / 2]),
        ("zeroes", &[0; 4096]),
    ] {
        let file = scratch.file(name, bytes);
        let hide = format!("mount --bind '{}' /sys/kernel/btf/vmlinux", file.display());
        let finished =
            in_mount_namespace(&hide, &["-e", "BEGIN { print(curtask->pid); exit(); }"]).run();
        finished.refuses(&["BTF"]);
    }
}

/// pfscript, run by a plain user who may trace and no more.
fn who_may_trace() -> Tracer {
    let scratch = Scratch::open_to_all("may-trace");
    let program = scratch.path().join("pfscript");
    support::copy_program(PFSCRIPT, &program);
    let rights = [
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all,+bpf,+perfmon",
        "--ambient-caps=-all,+bpf,+perfmon",
        "--",
    ];
    Tracer::command("setpriv")
        .args(rights)
        .arg(program)
        .folder(Path::new("/"))
        .keep(scratch)
}

#[test]
fn names_of_files_that_may_not_be_opened_are_missed_with_the_remedy() {
    needs_root!();
    let scratch = Scratch::open_to_all("hidden");
    let program = scratch.path().join("hidden");
    support::copy_program(workload("waits"), &program);
    let closed = fs::Permissions::from_mode(0o700);
    fs::set_permissions(&program, closed).expect("it is ours");
    let mut process = Workload::start_at(&program, &["50"]);
    process.line();
    process.waits();
    let script = "software:page-faults:1 { @[ustack(1)] = count(); }";
    let pid = process.pid().to_string();
    let tracer = who_may_trace().args(["--strict", "-e", script, "-p", &pid]);
    let tracer = tracer.start().attached();
    process.go();
    process.end();
    let finished = tracer.finish().expect(3);
    assert!(finished.text().contains("[hidden+0x"), "{finished}");
    finished.says(&[
        "lost 1 file's names",
        "CAP_SYS_PTRACE",
        "CAP_DAC_READ_SEARCH",
    ]);
}

#[test]
fn kernel_addresses_without_names_are_announced_once_with_the_remedy() {
    needs_root!();
    let script =
        "profile:hz:99 { @[kstack] = count(); @k[ksym(1)] = count(); } interval:ms:300 { exit(); }";
    let says = |tracer: Tracer, script: &str| {
        let finished = tracer.args(["-e", script]).run().ok();
        finished
            .messages()
            .matches("/proc/kallsyms hides them")
            .count()
    };
    // Root sees them, unless the machine hides them from everybody.
    let all = fs::read_to_string("/proc/kallsyms").expect("/proc is mounted");
    let hidden = all
        .lines()
        .take(50)
        .all(|line| line.starts_with("0000000000000000 "));
    assert_eq!(says(Tracer::new([""; 0]), script), usize::from(hidden));
    // Without CAP_SYSLOG they are shown only where users may use perf.
    let tracer = || with_capabilities(&["bpf", "perfmon"]);
    let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").expect("a number");
    let shown = !hidden && paranoid.trim().parse::<i32>().is_ok_and(|level| level < 2);
    assert_eq!(says(tracer(), script), usize::from(!shown));
    // Who asks for no names misses none.
    assert_eq!(says(tracer(), "BEGIN { @ = 1; exit(); }"), 0);
}

#[test]
fn a_process_that_does_not_exist_is_named() {
    needs_root!();
    for pid in ["99999999", "0"] {
        Tracer::new(["-e", ONE_LINER, "-p", pid])
            .run()
            .refuses(&[pid, "process"]);
    }
    let mut gone = Command::new("true").spawn().expect("it runs");
    gone.wait().expect("it ends");
    let pid = gone.id().to_string();
    Tracer::new(["-e", ONE_LINER, "-p", &pid])
        .run()
        .refuses(&[&pid, "process"]);
}

#[test]
fn commands_that_cannot_be_run_are_named() {
    needs_root!();
    let scratch = Scratch::new("commands");
    let text = scratch.file("text", "no program");
    fs::set_permissions(&text, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let broken = scratch.program("broken", "#!/no/such/interpreter\n");
    let path = |path: &Path| format!("'{}'", path.display());
    for (command, words) in [
        (
            "/does/not/exist".to_owned(),
            &["/does/not/exist", "no such file"][..],
        ),
        (
            "no-such-command-anywhere x".to_owned(),
            &["no-such-command-anywhere", "PATH"],
        ),
        (path(&text), &["text", "not executable"]),
        (path(scratch.path()), &["directory"]),
        (path(&broken), &["broken"]),
        (String::new(), &["empty"]),
        ("   ".to_owned(), &["empty"]),
        ("echo 'open".to_owned(), &["quote"]),
    ] {
        Tracer::new(["-e", ONE_LINER, "-c", &command])
            .run()
            .refuses(words);
    }
}

#[test]
fn a_command_that_ends_at_once_is_traced() {
    needs_root!();
    let finished = Tracer::new(["-e", ONE_LINER, "-c", "true"])
        .run()
        .lossless();
    assert!(!support::stacks::parse(finished.text()).is_empty());
}

#[test]
fn an_output_file_that_cannot_be_written_is_named() {
    needs_root!();
    let run = |file: &str| Tracer::new(["-e", "BEGIN { exit(); }", "-o", file]).run();
    run("/does/not/exist/file").refuses(&["/does/not/exist/file"]);
    run("/").refuses(&["/"]);
}
