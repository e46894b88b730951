//! Sessions on the running kernel, as an embedder runs them. All of it needs root and is skipped without.

use pfscript_compiler::{Options, compile};
use pfscript_probes::LossCause;
use pfscript_runtime::facts::LiveFacts;
use pfscript_runtime::{
    Cause, Command, Error, ErrorKind, Object, Outcome, Runtimes, Session, Stop, Target,
};
use pfscript_testkit::needs_root;
use std::io::{self, BufRead as _, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Output that can be looked at afterwards.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn object(source: &str) -> Object {
    let script = pfscript_grammar::parse(source).unwrap();
    compile(
        &script,
        "test",
        source,
        &LiveFacts::new(),
        &Options::default(),
    )
    .map_err(|errors| pfscript_grammar::render(&errors, "test", source, false))
    .unwrap()
    .object
}

/// What a session printed, what it said, and how it went.
struct Ran {
    text: String,
    messages: String,
    outcome: Result<Outcome, Error>,
}

fn run(source: &str, command: Option<&str>) -> Ran {
    run_until(source, command, &Stop::new().unwrap())
}

fn run_until(source: &str, command: Option<&str>, stop: &Stop) -> Ran {
    let command = command.map(|line| Command::parse(line, Runtimes::AsTheyAre).unwrap());
    let (text, messages) = (Buffer::default(), Buffer::default());
    let session = Session::new(object(source), source)
        .output(text.clone())
        .messages(messages.clone())
        .target(command.map_or(Target::All, Target::Command));
    let outcome = session.run(stop);
    Ran {
        text: text.text(),
        messages: messages.text(),
        outcome,
    }
}

#[test]
fn a_script_of_begin_alone_ends_at_once() {
    needs_root!();
    let ran = run(
        r#"BEGIN { printf("hi %d\n", 5); @x = 1; } END { printf("bye\n"); }"#,
        None,
    );
    assert_eq!(ran.outcome.unwrap(), Outcome::default());
    assert_eq!(ran.text, "hi 5\nbye\n\n\n@x: 1\n");
    assert_eq!(ran.messages, "Attached 2 probes\n");
}

#[test]
fn the_scripts_exit_code_is_the_outcomes() {
    needs_root!();
    let ran = run("interval:ms:10 { exit(3); }", None);
    let outcome = ran.outcome.unwrap();
    assert_eq!((outcome.exit_code, outcome.status(false)), (3, 3));
    assert_eq!(ran.messages, "Attached 1 probe\n");
}

#[test]
fn another_thread_can_end_a_session() {
    needs_root!();
    let stop = Stop::new().unwrap();
    let handle = stop.handle();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        handle.stop();
    });
    let since = Instant::now();
    let ran = run_until(
        r#"interval:s:1000 { @x = 1; } END { printf("end\n"); }"#,
        None,
        &stop,
    );
    thread.join().unwrap();
    assert!(since.elapsed() < Duration::from_secs(5));
    assert_eq!(ran.text, "end\n\n\n");
    assert!(ran.outcome.is_ok());
}

#[test]
fn only_the_command_and_its_children_are_counted() {
    needs_root!();
    let ran = run(
        "software:page-faults:1 { @[comm] = count(); }",
        Some("sh -c 'true; sleep 0.01; /bin/true'"),
    );
    ran.outcome.unwrap();
    let mut names: Vec<&str> = ran
        .text
        .lines()
        .filter_map(|line| Some(line.strip_prefix("@[")?.split_once(']')?.0))
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["sh", "sleep", "true"], "{}", ran.text);
}

#[test]
fn a_program_that_cannot_be_executed_is_an_error() {
    needs_root!();
    let path = std::env::temp_dir().join(format!("pfscript-noexec-{}", process::id()));
    std::fs::write(&path, b"\x7fELFnot really").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).unwrap();
    let ran = run("software:page-faults:1 { @ = count(); }", path.to_str());
    std::fs::remove_file(&path).unwrap();
    // An unknown format goes to the shell, as execvp(3) has it, and ends there; either way nothing hangs.
    if let Err(error) = ran.outcome {
        assert_eq!(error.kind, ErrorKind::Target);
    }
}

#[test]
fn a_session_ends_with_the_process_that_it_traces() {
    needs_root!();
    let mut child = process::Command::new("sleep").arg("0.2").spawn().unwrap();
    let source = "interval:s:1000 { @x = 1; }";
    let outcome = Session::new(object(source), source)
        .output(io::sink())
        .messages(io::sink())
        .target(Target::Process(child.id()))
        .run(&Stop::new().unwrap());
    child.wait().unwrap();
    assert!(outcome.is_ok());

    let gone = Session::new(object(source), source)
        .target(Target::Process(child.id()))
        .run(&Stop::new().unwrap())
        .unwrap_err();
    assert_eq!(gone.message, format!("there is no process {}", child.id()));
}

#[test]
fn a_closed_pipe_ends_a_session_quietly() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    needs_root!();
    let source = r#"interval:ms:5 { printf("x\n"); }"#;
    let outcome = Session::new(object(source), source)
        .output(Closed)
        .messages(io::sink())
        .run(&Stop::new().unwrap())
        .unwrap();
    assert!(outcome.output_closed);
}

#[test]
fn what_is_lost_is_told_and_makes_a_strict_status() {
    needs_root!();
    let source = "config = { max_map_keys = 2 } BEGIN { @[1] = count(); @[2] = count(); @[3] = count(); @[4] = count(); }";
    let ran = run(source, None);
    let outcome = ran.outcome.unwrap();
    assert_eq!(outcome.losses.len(), 1, "{:?}", outcome.losses);
    let loss = &outcome.losses[0];
    assert_eq!(loss.cause, Cause::Counted(LossCause::MapFull));
    assert_eq!((loss.count, loss.capacity), (2, Some(2)));
    assert_eq!((outcome.status(false), outcome.status(true)), (0, 3));
    assert!(
        ran.messages.contains("lost 2 events of "),
        "{}",
        ran.messages
    );
}

#[test]
fn maps_can_be_read_back_in_their_thousands() {
    needs_root!();
    // Both kinds of map; each process's faults have addresses of their own.
    let ran = run(
        "config = { max_map_keys = 100000 } software:page-faults:1 { @c[addr] = count(); @s[addr] = 1; }",
        Some(
            "sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do /bin/true; done'",
        ),
    );
    assert_eq!(ran.outcome.unwrap().losses, []);
    let count = |prefix| {
        ran.text
            .lines()
            .filter(|line| line.starts_with(prefix))
            .count()
    };
    let (counted, set) = (count("@c["), count("@s["));
    assert!(counted > 1000, "{counted}");
    assert_eq!(counted, set);
}

// Stacks. This test program is itself the traced one: it runs `busy` when told so by its environment.

const BUSY: &str = "PFSCRIPT_TEST_BUSY";

/// The function to find. Its loop calls nothing, even without optimisation, so that it is always the top frame.
#[inline(never)]
fn busy_leaf(milliseconds: u64) -> u64 {
    let mut sum = 0_u64;
    let until = cpu_time() + milliseconds;
    while cpu_time() < until {
        let end = std::hint::black_box(1_000_000_u64);
        let mut n = 0;
        while n < end {
            sum = (sum ^ n) & 0xff_ffff;
            n += 1;
        }
    }
    sum
}

/// The CPU time that this process had, in milliseconds: on a busy machine it takes longer, and is sampled as often.
fn cpu_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Behind the name: `utime` and `stime`, in hundredths of a second (proc_pid_stat(5)).
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    let ticks = fields.skip(11).take(2).map(|field| field.parse::<u64>());
    10 * ticks.map(Result::unwrap).sum::<u64>()
}

/// Not a test: what the tests below trace.
#[test]
fn busy() {
    let Some(what) = std::env::var_os(BUSY) else {
        return;
    };
    let own = std::env::current_exe().unwrap();
    match what.to_str().unwrap() {
        "delete" => std::fs::remove_file(own).unwrap(),
        // Long enough for a tracer to begin meanwhile.
        "before" => {
            std::fs::remove_file(own).unwrap();
            std::hint::black_box(busy_leaf(1000));
        }
        "exec" => {
            std::hint::black_box(busy_leaf(200));
            let error = std::os::unix::process::CommandExt::exec(
                process::Command::new(own)
                    .args(["--exact", "busy"])
                    .env(BUSY, "last"),
            );
            panic!("{error}");
        }
        _ => {}
    }
    std::hint::black_box(busy_leaf(300));
    process::exit(0);
}

/// A copy of this program, so that it can be deleted. Another process makes it: a program cannot run while anybody has it
/// open for writing, and what this process has open is for a moment also open in what other tests start.
fn copy_of_this(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("pfscript-{name}-{}", process::id()));
    let mut copy = process::Command::new("cp");
    copy.arg(std::env::current_exe().unwrap()).arg(&path);
    assert!(copy.status().unwrap().success());
    path
}

/// How many samples of the command were in `busy_leaf`, and how many in all, when the process was long gone. What else keeps the
/// machine busy is left out.
fn samples_in_leaf(what: &str, path: &Path) -> (u64, u64) {
    let command = format!("env {BUSY}={what} {} --exact busy", path.display());
    let ran = run(
        "profile:hz:199 /pid == cpid/ { @[ustack(1)] = count(); }",
        Some(&command),
    );
    assert_eq!(ran.outcome.unwrap().losses, []);
    let (mut inside, mut all) = (0, 0);
    let mut leaf = false;
    for line in ran.text.lines() {
        if let Some(count) = line.strip_prefix("]: ") {
            let count: u64 = count.parse().unwrap();
            all += count;
            inside += if leaf { count } else { 0 };
            leaf = false;
        }
        leaf |= line.contains("busy_leaf");
    }
    (inside, all)
}

#[test]
fn stacks_of_processes_that_are_gone_have_names() {
    needs_root!();
    let (inside, all) = samples_in_leaf("once", &std::env::current_exe().unwrap());
    assert!(inside > 10 && inside * 10 > all * 7, "{inside} of {all}");
}

#[test]
fn stacks_of_deleted_programs_have_names() {
    needs_root!();
    let path = copy_of_this("deleted");
    let (inside, all) = samples_in_leaf("delete", &path);
    assert!(!path.exists());
    assert!(inside > 10 && inside * 10 > all * 7, "{inside} of {all}");
}

#[test]
fn stacks_from_before_and_after_an_exec_have_names() {
    needs_root!();
    let path = copy_of_this("exec");
    let (inside, all) = samples_in_leaf("exec", &path);
    std::fs::remove_file(&path).unwrap();
    // Some 40 samples before the exec and 60 after it, on a machine with nothing else to do.
    assert!(inside > 15 && inside * 10 > all * 7, "{inside} of {all}");
}

#[test]
fn stacks_of_a_process_that_ran_before_have_names_after_its_end() {
    needs_root!();
    let path = copy_of_this("before");
    let mut child = process::Command::new(&path)
        .args(["--exact", "busy"])
        .env(BUSY, "before")
        .stdout(process::Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let ran = run(
        &format!(
            "profile:hz:199 /pid == {}/ {{ @[ustack(1)] = count(); }} interval:ms:3000 {{ exit(); }}",
            child.id()
        ),
        None,
    );
    child.wait().unwrap();
    ran.outcome.unwrap();
    assert!(ran.text.contains("busy_leaf"), "{}", ran.text);
}

#[test]
fn kernel_stacks_have_names() {
    needs_root!();
    let ran = run(
        "software:page-faults:1 { @[kstack] = count(); }",
        Some("/bin/true"),
    );
    ran.outcome.unwrap();
    assert!(
        ran.text.contains("do_syscall_64+") || ran.text.contains("el0_svc+"),
        "{}",
        ran.text
    );
}

/// A process that reads a file again and again, until it is dropped.
struct Busy(process::Child);

impl Busy {
    fn start() -> Busy {
        let program = "while :; do read line < /proc/self/stat; done";
        Busy(
            process::Command::new("sh")
                .args(["-c", program])
                .spawn()
                .unwrap(),
        )
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_session_of_one_process_counts_that_process_only() {
    needs_root!();
    let (one, other) = (Busy::start(), Busy::start());
    // Both kinds of narrowed programs: without scratch memory, and with it for the long key.
    let long = "x".repeat(400);
    let source = format!(
        "tracepoint:raw_syscalls:sys_enter {{ @bare[pid] = count(); }}
        tracepoint:raw_syscalls:sys_exit {{ @framed[\"{long}\", pid] = count(); }}
        interval:ms:300 {{ exit(); }}"
    );
    for pid in [one.0.id(), other.0.id()] {
        let text = Buffer::default();
        // The same object serves every target.
        Session::new(object(&source), source.as_str())
            .output(text.clone())
            .quiet(true)
            .target(Target::Process(pid))
            .run(&Stop::new().unwrap())
            .unwrap();
        let text = text.text();
        let counts = |name: &str| {
            let rows = text.lines().filter(|line| line.starts_with(name));
            let ours = format!("{pid}]: ");
            let (ours, others): (Vec<_>, Vec<_>) = rows.partition(|line| line.contains(&ours));
            (ours.len(), others.len())
        };
        assert_eq!(counts("@bare["), (1, 0), "{text}");
        assert_eq!(counts("@framed["), (1, 0), "{text}");
    }
}

#[test]
fn cpid_is_the_command_of_the_session() {
    needs_root!();
    let source = "BEGIN { printf(\"%d\", cpid); exit(); }";
    let command = Command::parse("true", Runtimes::AsTheyAre).unwrap();
    let (pid, text) = (command.pid(), Buffer::default());
    Session::new(object(source), source)
        .output(text.clone())
        .target(Target::Command(command))
        .run(&Stop::new().unwrap())
        .unwrap();
    assert_eq!(text.text().trim_end(), pid.to_string());

    let error = run(source, None).outcome.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Target);
    assert_eq!(error.message, "`cpid` needs a command");
    let place = error.span.unwrap();
    assert_eq!(&source[place.range()], "cpid");
}

// The end of the command, however it ends.

const HOLD: &str = "PFSCRIPT_TEST_HOLD";

/// Not a test: a session that is ended from outside.
#[test]
fn hold() {
    if std::env::var_os(HOLD).is_none() {
        return;
    }
    let source = "software:page-faults:1 { @ = count(); }";
    let command = Command::parse("sleep 1000", Runtimes::AsTheyAre).unwrap();
    println!("child {}", command.pid());
    io::stdout().flush().unwrap();
    let outcome = Session::new(object(source), source)
        .target(Target::Command(command))
        .run(&Stop::on_signals().unwrap())
        .unwrap();
    println!("status {}", outcome.status(false));
    process::exit(0);
}

/// The end of a held session by a signal: its child's id, and what it printed afterwards.
fn hold_until(signal: libc::c_int) -> (u32, String) {
    let mut holder = process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hold", "--nocapture"])
        .env(HOLD, "1")
        .stdout(process::Stdio::piped())
        .stderr(process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = io::BufReader::new(holder.stdout.take().unwrap()).lines();
    let child = loop {
        let line = lines.next().unwrap().unwrap();
        if let Some((_, pid)) = line.split_once("child ") {
            break pid.parse::<u32>().unwrap();
        }
    };
    let name = format!("/proc/{child}/comm");
    let since = Instant::now();
    while std::fs::read_to_string(&name).unwrap_or_default() != "sleep\n" {
        assert!(since.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(10));
    }
    // SAFETY: the process is our own child and not yet waited for.
    unsafe {
        libc::kill(holder.id() as libc::pid_t, signal);
    }
    let rest = lines.map_while(Result::ok).collect::<Vec<_>>().join("\n");
    holder.wait().unwrap();
    (child, rest)
}

fn is_gone(pid: u32) -> bool {
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(5) {
        match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Err(_) => return true,
            Ok(stat) if stat.contains(") Z ") => return true,
            Ok(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    false
}

#[test]
fn an_interrupt_prints_the_maps_and_ends_the_command() {
    needs_root!();
    let (child, rest) = hold_until(libc::SIGINT);
    assert!(is_gone(child));
    assert!(
        rest.contains("\n@: ") && rest.contains("status 0"),
        "{rest}"
    );
}

#[test]
fn the_command_does_not_outlive_a_killed_session() {
    needs_root!();
    let (child, _) = hold_until(libc::SIGKILL);
    assert!(is_gone(child));
}
