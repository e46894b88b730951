//! The command that is traced: how it is given, how it ends, and that nothing of it outlives the tracer.

mod support;

use pfscript_testkit::needs_root;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::{Duration, Instant};
use support::{LIMIT, Tracer};

const TREE: &str = "PFSCRIPT_TEST_TREE";

/// The command lines of the processes that run with this mark in their environment.
fn running(mark: &str) -> Vec<String> {
    let wanted = format!("{TREE}={mark}");
    let processes = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let marked = processes.map(|entry| entry.path()).filter(|process| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == wanted.as_bytes())
    });
    marked
        .map(|process| fs::read(process.join("cmdline")).unwrap_or_default())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .collect()
}

/// How many of them are `sleep`, and nothing that only speaks of it.
fn sleepers(mark: &str) -> usize {
    let lines = running(mark);
    lines
        .iter()
        .filter(|line| line.starts_with("sleep "))
        .count()
}

#[track_caller]
fn wait_for_sleepers(mark: &str, count: usize) {
    let begin = Instant::now();
    while sleepers(mark) < count {
        assert!(begin.elapsed() < LIMIT, "{:?}", running(mark));
        thread::sleep(Duration::from_millis(10));
    }
}

#[track_caller]
fn nothing_runs(mark: &str) {
    let begin = Instant::now();
    while !running(mark).is_empty() {
        assert!(begin.elapsed() < LIMIT, "{:?}", running(mark));
        thread::sleep(Duration::from_millis(20));
    }
}

/// A tree of four `sleep`: the command's child, one that ignores what can be ignored, one of another user, and a daemon whose
/// parent has gone.
const SLEEPERS: &str = "sleep 1001 & \
    (trap '' TERM INT HUP; exec sleep 1002) & \
    su nobody -s /bin/sh -c 'sleep 1003 & wait' & \
    (setsid sleep 1004 &) ; \
    wait";

#[test]
fn all_that_a_command_started_ends_with_the_tracer_however_that_ends() {
    needs_root!();
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGKILL] {
        let mark = format!("{}-{signal}", std::process::id());
        let tracer = Tracer::script("BEGIN { @ = 1; }")
            .env(TREE, &mark)
            .args(["--run", "sh", "-c", SLEEPERS])
            .start()
            .attached();
        wait_for_sleepers(&mark, 4);
        tracer.signal(signal);
        let finished = tracer.finish();
        if signal == libc::SIGKILL {
            assert_eq!(finished.status.signal(), Some(signal), "{finished}");
        } else {
            assert_eq!(running(&mark), [""; 0], "{finished}");
            assert_eq!(finished.text(), "\n\n@: 1\n", "{finished}");
            assert_eq!(finished.status.code(), Some(0), "{finished}");
        }
        nothing_runs(&mark);
    }
}

/// The tracer's own process group, killed: the guard is in none that a terminal or a shell ends with it.
#[test]
fn a_killed_group_leaves_nothing() {
    needs_root!();
    let mark = format!("{}-group", std::process::id());
    let tracer = Tracer::script("BEGIN { }")
        .env(TREE, &mark)
        .args(["--run", "sh", "-c", "setsid sleep 1000 & sleep 1000"])
        .own_group()
        .start()
        .attached();
    wait_for_sleepers(&mark, 2);
    tracer.signal_group(libc::SIGKILL);
    tracer.finish();
    nothing_runs(&mark);
}

#[test]
fn what_a_command_leaves_behind_ends_with_the_session() {
    needs_root!();
    let mark = format!("{}-left", std::process::id());
    for script in ["BEGIN { }", "interval:s:1000 { }", "BEGIN { exit(); }"] {
        Tracer::script(script)
            .env(TREE, &mark)
            .args(["--run", "sh", "-c", "sleep 1000 & (setsid sleep 1000 &)"])
            .run()
            .ok();
        assert_eq!(running(&mark), [""; 0]);
    }
}

#[test]
fn the_status_of_the_command_is_shown_and_passed_on() {
    needs_root!();
    let trace = |flags: &[&str], command: &str| {
        Tracer::script("BEGIN { @ = 1; }")
            .args(flags)
            .args(["--run", "sh", "-c", command])
            .run()
    };
    trace(&[], "exit 5")
        .ok()
        .says(&["the command ended with status 5"]);
    trace(&["--exit-status"], "exit 5")
        .expect(5)
        .says(&["the command ended with status 5"]);
    trace(&["--exit-status"], "kill -SEGV $$")
        .expect(128 + libc::SIGSEGV)
        .says(&["the command was ended by signal 11 (SIGSEGV)"]);
    let well = trace(&["--exit-status"], "exit 0").ok();
    assert_eq!(well.messages(), "Attached 1 probe\n", "{well}");
    let quiet = trace(&["-q", "--exit-status"], "exit 7").expect(7);
    assert_eq!(quiet.messages(), "", "{quiet}");

    // One that the session ends has no status of its own.
    let finished = Tracer::script("interval:ms:50 { exit(4); }")
        .args(["--exit-status", "-c", "sleep 1000"])
        .run()
        .expect(4);
    assert!(!finished.messages().contains("ended"), "{finished}");
    Tracer::script("BEGIN { }")
        .arg("--exit-status")
        .run()
        .refuses(&["--exit-status needs a command"]);
}

#[test]
fn runtimes_are_told_in_the_environment_of_a_command() {
    needs_root!();
    let print = "printenv NODE_OPTIONS JAVA_TOOL_OPTIONS";
    let tracer = |options: &[&str]| {
        let tracer = Tracer::new(["-q", "-e", "BEGIN { }", "-c", print]).args(options);
        tracer.env("NODE_OPTIONS", "--no-warnings").run().ok()
    };
    assert_eq!(tracer(&[]).text().trim_end(), "--no-warnings");
    let told = tracer(&["--runtimes"]);
    let lines: Vec<&str> = told.text().lines().collect();
    assert!(lines[0].starts_with("--no-warnings --perf"), "{told}");
    assert!(lines[1].contains("-XX:+PreserveFramePointer"), "{told}");
    Tracer::script("BEGIN { }")
        .arg("--runtimes")
        .run()
        .refuses(&["--runtimes needs a command"]);
}

/// Programs, maps, events and the files of traced processes are open in the tracer, and not for the command to use.
#[test]
fn a_command_inherits_no_descriptor_of_the_tracer() {
    needs_root!();
    let open = |text: &str| -> Vec<String> {
        let links = text.lines().filter_map(|line| line.split_once(" -> "));
        let numbers = links.filter_map(|(line, _)| line.rsplit(' ').next());
        numbers.map(str::to_owned).collect()
    };
    // What a command has without the tracer: the standard streams, the folder that it lists, and what is not ours.
    let plain = std::process::Command::new("ls")
        .args(["-l", "/proc/self/fd"])
        .output()
        .expect("it runs");
    let plain = open(&String::from_utf8_lossy(&plain.stdout));
    assert!(plain.len() > 3, "{plain:?}");
    let script = "software:page-faults:1 { @[ustack, kstack] = count(); printf(\"\"); }";
    for run in [
        &["-c", "ls -l /proc/self/fd"][..],
        &["--run", "ls", "-l", "/proc/self/fd"],
    ] {
        let tracer = Tracer::new(["-q", "--no-maps", "-e", script]);
        let finished = tracer.args(run).run().ok();
        assert_eq!(open(finished.text()), plain, "{finished}");
    }
}

#[test]
fn a_command_is_given_word_by_word() {
    needs_root!();
    let script = "BEGIN { printf(\"%s.%s\\n\", str($1), str($2)); }";
    let words = [
        "printf",
        "[%s]",
        "one two",
        "a \"b\" 'c'",
        "",
        "-e",
        "--help",
        "--",
        "-q",
        "$x",
        "*",
    ];
    let finished = Tracer::new(["-e", script, "x", "y z", "--run"])
        .args(words)
        .run()
        .ok();
    let expected = "x.y z\n[one two][a \"b\" 'c'][][-e][--help][--][-q][$x][*]\n\n";
    assert_eq!(finished.text(), expected, "{finished}");

    Tracer::script(script)
        .args(["-c", "true", "--run", "true"])
        .run()
        .expect(2);
    Tracer::script(script).arg("--run").run().expect(2);
    Tracer::script("BEGIN { }")
        .args(["--run", "no-such-command-here"])
        .run()
        .refuses(&["can't find the command `no-such-command-here` in PATH"]);
}
