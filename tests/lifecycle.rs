//! How a session ends, and that it leaves nothing behind: no BPF object, no process, no hang.
//!
//! The tests look at what the whole kernel holds, so they run one after the other.

mod support;

use pfscript_testkit::{ids, needs_root};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use support::kernel::{self, Before};
use support::{Running, Scratch, Tracer, repository_file, workload};

const ONE_LINER: &str = "software:page-faults:1 { @[ustack, pid, comm] = count(); }";

/// One test at a time; a failed one spoils nothing for the next.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session that does not end by itself.
fn endless() -> Running {
    Tracer::new(["-e", ONE_LINER, "-c", "sleep 1000"]).start()
}

/// Killed, it ends as the signal has it.
fn kill(session: Running) {
    session.signal(libc::SIGKILL);
    assert_eq!(session.finish().status.signal(), Some(libc::SIGKILL));
}

#[test]
fn the_check_for_leftovers_sees_programs_and_processes() {
    needs_root!();
    let _alone = alone();
    let before = Before::now();
    let tracer = endless().attached();
    let left = ids::all();
    assert!(!before.is_clean(), "{left:?}");
    // The command is not to be known by its mark for the moment in which it executes its program.
    let seen = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(20));
        kernel::leftover_processes().len() >= 2
    });
    assert!(seen, "{:?}", kernel::leftover_processes());
    tracer.interrupt();
    tracer.finish().ok();
    before.nothing_left();
}

#[test]
fn sessions_that_run_leave_nothing() {
    needs_root!();
    let _alone = alone();
    let before = Before::now();
    let command = format!("{} 100", workload("anon2mmap"));
    Tracer::new([&repository_file("scripts/faults.pf"), "-c", &command])
        .run()
        .ok();
    Tracer::new([&repository_file("scripts/ffaults.pf"), "-c", &command])
        .run()
        .ok();
    Tracer::script("BEGIN { @ = 1; exit(); }").run().ok();
    Tracer::script(
        "tracepoint:syscalls:sys_enter_open* { @[probe] = count(); } interval:ms:50 { exit(); }",
    )
    .run()
    .ok();
    Tracer::script("profile:hz:99 { @[kstack] = count(); } interval:ms:50 { exit(); }")
        .run()
        .ok();
    Tracer::new(["--dry-run", "-e", ONE_LINER]).run().ok();
    before.nothing_left();
}

#[test]
fn sessions_that_fail_leave_nothing() {
    needs_root!();
    let _alone = alone();
    let before = Before::now();
    let sleep = "sleep 1000";
    for arguments in [
        &["-e", "BEGIN { $x = ; }", "-c", sleep][..],
        &["-e", "BEGIN { print(nothing); }", "-c", sleep],
        &["-e", "tracepoint:no:such { }", "-c", sleep],
        &["-e", "kprobe:no_such_function_at_all { }", "-c", sleep],
        &["-e", ONE_LINER, "-p", "99999999"],
        &["-e", ONE_LINER, "-c", "/does/not/exist"],
        &["-e", ONE_LINER, "-c", sleep, "-o", "/does/not/exist/file"],
        // One that can be attached and one that can't.
        &[
            "-e",
            "software:page-faults:1 { @ = count(); } hardware:no-such-event:1 { }",
            "-c",
            sleep,
        ],
    ] {
        Tracer::new(arguments).run().refuses(&[]);
    }
    // A file that the kernel can't execute.
    let scratch = Scratch::new("not-executable");
    let broken = scratch.program("broken", "#!/no/such/interpreter\n");
    Tracer::new(["-e", ONE_LINER, "-c", &broken.display().to_string()])
        .run()
        .expect(1);
    before.nothing_left();
}

#[test]
fn a_check_starts_no_command() {
    needs_root!();
    let _alone = alone();
    let scratch = Scratch::new("check");
    let file = scratch.path().join("touched");
    let command = format!("touch '{}'", file.display());
    for flags in [&["--check"][..], &["-d", "ir"], &["-d", "ast"]] {
        Tracer::new(flags)
            .args(["-e", ONE_LINER, "-c", &command])
            .run()
            .ok();
        assert!(!file.exists(), "{flags:?}");
    }
    Tracer::new(["--dry-run", "-e", ONE_LINER, "-c", &command])
        .run()
        .ok();
    assert!(!file.exists(), "a dry run starts no command either");
    let finished = Tracer::new(["-e", ONE_LINER, "-c", &command]).run().ok();
    assert!(file.exists(), "{finished}");
}

/// Whatever it is doing when the signal comes, it ends: well, with what it has seen, or by the signal if that comes
/// before it has a handler for it.
#[test]
fn ctrl_c_during_start_up_ends_cleanly() {
    needs_root!();
    let _alone = alone();
    let before = Before::now();
    let mut by_signal = 0;
    let mut well = 0;
    for step in 0..80 {
        let group = step % 2 == 0;
        let mut tracer = Tracer::new(["-e", ONE_LINER]).own_group();
        if step % 4 < 2 {
            tracer = tracer.args(["-c", "sleep 1000"]);
        }
        let tracer = tracer.start();
        thread::sleep(Duration::from_micros(step * 500));
        if group {
            tracer.signal_group(libc::SIGINT);
        } else {
            tracer.signal(libc::SIGINT);
        }
        let finished = tracer.finish().has_no_crash();
        match (finished.status.code(), finished.status.signal()) {
            (Some(0), _) => well += 1,
            (_, Some(libc::SIGINT)) => by_signal += 1,
            _ => panic!("after {step} half milliseconds: {finished}"),
        }
    }
    println!("{well} ended well, {by_signal} by the signal");
    assert!(
        well > 0,
        "no signal came late enough, so this proves nothing"
    );
    before.nothing_left();
}

#[test]
fn ctrl_c_ends_the_command() {
    needs_root!();
    let _alone = alone();
    let before = Before::now();
    let tracer = endless().attached();
    tracer.interrupt();
    tracer.finish().ok();
    before.nothing_left();
    // Also one that ignores the polite signals.
    let stubborn = "sh -c 'trap \"\" TERM INT; echo started; while :; do sleep 1; done'";
    let tracer = Tracer::new(["-e", "BEGIN { }", "-c", stubborn])
        .start()
        .attached()
        .printed("started");
    tracer.interrupt();
    let finished = tracer.finish();
    assert_eq!(finished.status.code(), Some(0), "{finished}");
}

/// A map that is much more than a pipe holds, printed into a pipe that nobody reads.
#[test]
fn a_second_ctrl_c_during_output_stops_it_and_says_so() {
    needs_root!();
    let _alone = alone();
    let before = Before::now();
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let script =
        "tracepoint:syscalls:sys_enter_close /args.fd >= 1000000/ { @[args.fd] = count(); }";
    let tracer = Tracer::new(["-e", script])
        .output(writer)
        .start()
        .attached();
    let keys = std::process::Command::new(workload("keys"))
        .arg("60000")
        .output()
        .expect("it runs");
    assert!(keys.status.success());
    tracer.interrupt();
    // It has begun to print, and can't go on.
    let mut first = [0; 100];
    reader.read_exact(&mut first).expect("the map is printed");
    // Signals within a second are one wish.
    thread::sleep(Duration::from_millis(1100));
    tracer.interrupt();
    let finished = tracer.finish();
    assert_eq!(finished.status.signal(), Some(libc::SIGINT), "{finished}");
    finished.says(&["stopped by a second signal, so the output is incomplete"]);
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).expect("the pipe can be read");
    assert!(
        rest.len() < 600_000,
        "it printed everything: {} bytes",
        rest.len()
    );
    before.nothing_left();
}

#[test]
fn a_closed_pipe_ends_quietly() {
    needs_root!();
    let _alone = alone();
    let before = Before::now();
    let head = |tracer: Tracer, writer, reader| {
        let tracer = tracer.output(writer).start();
        let mut line = String::new();
        let mut reader = BufReader::new(reader);
        reader.read_line(&mut line).expect("it prints");
        drop(reader);
        let finished = tracer.finish();
        assert_eq!(finished.status.code(), Some(0), "{finished}");
        assert_eq!(finished.messages(), "", "{finished}");
        line
    };
    // While events come.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let events = Tracer::new(["-q", "-e", "interval:ms:1 { printf(\"tick\\n\"); }"]);
    assert_eq!(head(events, writer, reader), "tick\n");
    // While a map is printed.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let script =
        "tracepoint:syscalls:sys_enter_close /args.fd >= 1000000/ { @[args.fd] = count(); }";
    let command = format!("{} 40000", workload("keys"));
    head(
        Tracer::new(["-q", "-e", script, "-c", &command]),
        writer,
        reader,
    );
    // While attach points are listed.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    head(Tracer::new(["-l", "tracepoint:*"]), writer, reader);
    before.nothing_left();
}

#[test]
fn a_full_device_is_an_error() {
    needs_root!();
    let _alone = alone();
    let before = Before::now();
    let full = || {
        OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("the device is there")
    };
    let refused = |tracer: Tracer, full: File| {
        let finished = tracer.output(full).run().has_no_crash();
        assert_eq!(finished.status.code(), Some(1), "{finished}");
        assert!(
            finished.messages().contains("can't write the output"),
            "{finished}"
        );
        assert!(
            finished.messages().contains("No space left on device"),
            "{finished}"
        );
    };
    refused(
        Tracer::script("BEGIN { printf(\"text\\n\"); exit(); }"),
        full(),
    );
    refused(Tracer::script("BEGIN { @ = 1; exit(); }"), full());
    refused(
        Tracer::script("interval:ms:1 { printf(\"text\\n\"); }"),
        full(),
    );
    refused(Tracer::new(["-l", "software:*"]), full());
    refused(Tracer::new(["--info"]), full());
    refused(Tracer::new(["-d", "asm", "-e", "BEGIN { @ = 1; }"]), full());
    let finished = Tracer::new(["-e", "BEGIN { @ = 1; exit(); }", "-o", "/dev/full"]).run();
    assert_eq!(finished.status.code(), Some(1), "{finished}");
    assert!(
        finished.messages().contains("No space left on device"),
        "{finished}"
    );
    before.nothing_left();
}

#[test]
fn closed_standard_streams_are_no_crash() {
    needs_root!();
    let _alone = alone();
    let before = Before::now();
    let run = |redirections: &str| {
        let line = format!("exec \"$@\" {redirections}");
        Tracer::command("sh")
            .args([
                "-c",
                &line,
                "sh",
                support::PFSCRIPT,
                "-e",
                "BEGIN { printf(\"x\\n\"); exit(); }",
            ])
            .run()
    };
    let finished = run("2>&-");
    assert_eq!(
        (finished.status.code(), finished.text()),
        (Some(0), "x\n\n\n"),
        "{finished}"
    );
    let finished = run("<&-");
    assert_eq!(
        (finished.status.code(), finished.text()),
        (Some(0), "x\n\n\n"),
        "{finished}"
    );
    assert!(matches!(
        run(">&-").has_no_crash().status.code(),
        Some(0 | 1)
    ));
    before.nothing_left();
}

#[test]
fn killed_it_takes_its_command_along() {
    needs_root!();
    let _alone = alone();
    let before = Before::now();
    let tracer = endless().attached();
    kill(tracer);
    before.nothing_left();
}

/// Killed at any moment of its start, with a command that waits for it.
#[test]
fn killed_during_start_up_it_leaves_nothing() {
    needs_root!();
    let _alone = alone();
    let before = Before::now();
    for step in 0..40 {
        let tracer = endless();
        thread::sleep(Duration::from_millis(step));
        kill(tracer);
    }
    before.nothing_left();
}

#[test]
fn many_sessions_run_side_by_side() {
    needs_root!();
    let _alone = alone();
    let before = Before::now();
    let command = format!("{} 50", workload("anon2mmap"));
    let sessions: Vec<_> = (0..8)
        .map(|_| Tracer::new(["-e", ONE_LINER, "-c", &command]).start())
        .collect();
    for session in sessions {
        let finished = session.finish().lossless();
        let (report, rest) = finished.split_report();
        let rows = support::stacks::parse(&rest);
        assert!(rows.iter().all(|row| row.pid == report.pid()), "{rows:#?}");
        assert_eq!(rows.last().map(|row| row.count), Some(50), "{rows:#?}");
    }
    before.nothing_left();
}
