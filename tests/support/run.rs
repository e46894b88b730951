//! Running the command under test: how it is started, what it wrote, how it ended.

use super::workload::Report;
use super::{LIMIT, MARK, PFSCRIPT, Scratch};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that a thread reads from a pipe until its end.
#[derive(Clone, Debug, Default)]
struct Collected(Arc<(Mutex<Bytes>, Condvar)>);

/// What came out of a pipe, and whether it has ended.
type Bytes = (Vec<u8>, bool);

impl Collected {
    fn read(mut from: impl Read + Send + 'static) -> Collected {
        let collected = Collected::default();
        let to = collected.clone();
        thread::spawn(move || {
            let mut buffer = [0; 65536];
            loop {
                let got = from.read(&mut buffer).unwrap_or(0);
                let mut state = to.0.0.lock().expect("no reader panics");
                state.0.extend_from_slice(&buffer[..got]);
                state.1 = got == 0;
                to.0.1.notify_all();
                if got == 0 {
                    return;
                }
            }
        });
        collected
    }

    /// Waits until the bytes, and whether they have ended, fulfil a condition; false after `limit`.
    fn wait(&self, limit: Duration, done: impl Fn(&[u8], bool) -> bool) -> bool {
        let state = self.0.0.lock().expect("no reader panics");
        let waited = self
            .0
            .1
            .wait_timeout_while(state, limit, |state| !done(&state.0, state.1));
        !waited.expect("no reader panics").1.timed_out()
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.0.lock().expect("no reader panics").0.clone()
    }
}

/// A command to run: pfscript, or something that runs it.
#[derive(Debug)]
pub struct Tracer {
    command: Command,
    input: Option<Vec<u8>>,
    output: Option<Stdio>,
    kept: Option<Scratch>,
}

impl Tracer {
    /// Any command.
    pub fn command(program: impl AsRef<OsStr>) -> Tracer {
        // A job in the background of a script inherits SIGINT ignored, one of nohup SIGHUP, and the command would lose those
        // that come before it has a handler, or leave them ignored on purpose.
        for signal in [libc::SIGINT, libc::SIGHUP] {
            // SAFETY: a signal that this process has no handler of its own for.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        let mut command = Command::new(program);
        command.env_remove("NO_COLOR");
        // cargo's own, which makes the loader of every traced program search more folders.
        command.env_remove("LD_LIBRARY_PATH");
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("PFSCRIPT_") || name.starts_with("BPFTRACE_") {
                command.env_remove(name.as_ref());
            }
        }
        command.env(MARK, std::process::id().to_string());
        Tracer {
            command,
            input: None,
            output: None,
            kept: None,
        }
    }

    /// pfscript with these arguments.
    pub fn new<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Tracer {
        Tracer::command(PFSCRIPT).args(arguments)
    }

    /// pfscript with a script on the command line.
    pub fn script(source: &str) -> Tracer {
        Tracer::new(["-e", source])
    }

    pub fn arg(self, argument: impl AsRef<OsStr>) -> Tracer {
        self.args([argument])
    }

    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Tracer {
        self.command.args(arguments);
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Tracer {
        self.command.env(name, value);
        self
    }

    pub fn folder(mut self, folder: &Path) -> Tracer {
        self.command.current_dir(folder);
        self
    }

    /// What it reads.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Tracer {
        self.input = Some(bytes.into());
        self
    }

    /// Where it writes, instead of into the test's hands.
    pub fn output(mut self, output: impl Into<Stdio>) -> Tracer {
        self.output = Some(output.into());
        self
    }

    /// Keeps a folder until it has ended.
    pub fn keep(mut self, scratch: Scratch) -> Tracer {
        self.kept = Some(scratch);
        self
    }

    /// As the leader of a process group of its own, as a shell starts a job.
    pub fn own_group(mut self) -> Tracer {
        self.command.process_group(0);
        self
    }

    pub fn start(self) -> Running {
        let Tracer {
            mut command,
            input,
            output,
            kept,
        } = self;
        let shown = format!("{command:?}");
        let mut child = command
            .stdin(if input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(output.unwrap_or_else(Stdio::piped))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("can't run {shown}: {error}"));
        let out = child.stdout.take().map(Collected::read);
        let err = Collected::read(child.stderr.take().expect("it is a pipe"));
        if let Some(input) = input {
            let mut pipe = child.stdin.take().expect("it is a pipe");
            thread::spawn(move || {
                // The command may leave before it has read everything.
                let _ = pipe.write_all(&input);
            });
        }
        Running {
            child,
            out,
            err,
            shown,
            _kept: kept,
        }
    }

    pub fn run(self) -> Finished {
        self.start().finish()
    }
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    out: Option<Collected>,
    err: Collected,
    shown: String,
    // Removed with the value.
    _kept: Option<Scratch>,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the command alone.
    pub fn signal(&self, signal: i32) {
        // SAFETY: takes integers; the child is not reaped yet, so that the id is its own.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    /// Sends a signal to all of a group of its own, as Ctrl-C does.
    pub fn signal_group(&self, signal: i32) {
        // SAFETY: as above, and `own_group` made it the leader.
        unsafe { libc::kill(-(self.child.id() as i32), signal) };
    }

    pub fn interrupt(&self) {
        self.signal(libc::SIGINT);
    }

    /// Waits until it says that probes are attached.
    pub fn attached(self) -> Running {
        let seen = |bytes: &[u8], _| String::from_utf8_lossy(bytes).contains("Attached ");
        let ended = |bytes: &[u8], end: bool| end || seen(bytes, end);
        if !self.err.wait(LIMIT, ended) || !seen(&self.err.bytes(), true) {
            let shown = self.shown.clone();
            panic!("{shown} did not attach:\n{}", self.finish());
        }
        self
    }

    /// Waits for text in its output.
    pub fn printed(self, text: &str) -> Running {
        let out = self.out.clone().expect("the test reads the output");
        let seen = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text);
        out.wait(LIMIT, |bytes, end| end || seen(bytes));
        if !seen(&out.bytes()) {
            let shown = self.shown.clone();
            panic!("{shown} did not print {text:?}:\n{}", self.finish());
        }
        self
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("it is this process's child")
            .is_some()
    }

    /// Waits until it ends and everything that it wrote is read.
    pub fn finish(mut self) -> Finished {
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is this process's child") {
                break status;
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!(
                    "{} hangs; it wrote {:?} and {:?}",
                    self.shown,
                    self.out.as_ref().map(|out| tail(&out.bytes())),
                    tail(&self.err.bytes())
                );
            }
            thread::sleep(Duration::from_millis(2));
        };
        for pipe in self.out.iter().chain([&self.err]) {
            assert!(
                pipe.wait(LIMIT, |_, end| end),
                "{} has ended but something holds its output",
                self.shown
            );
        }
        Finished {
            status,
            out: self.out.as_ref().map(Collected::bytes).unwrap_or_default(),
            err: self.err.bytes(),
            shown: std::mem::take(&mut self.shown),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without effect on one that has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tail(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(2000)..]).into_owned()
}

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
    pub shown: String,
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: {}\nout: {}\nerr: {}",
            self.shown,
            self.status,
            String::from_utf8_lossy(&self.out),
            String::from_utf8_lossy(&self.err)
        )
    }
}

impl Finished {
    /// Fails unless it ended with this status.
    #[track_caller]
    pub fn expect(self, status: i32) -> Finished {
        assert_eq!(self.status.code(), Some(status), "{self}");
        self
    }

    /// Fails unless it ended well.
    #[track_caller]
    pub fn ok(self) -> Finished {
        self.expect(0)
    }

    /// Fails unless it ended well and lost nothing. A stack that is cut is none: libraries without frame pointers may
    /// send the kernel's walk in circles.
    #[track_caller]
    pub fn lossless(self) -> Finished {
        let finished = self.ok();
        assert_eq!(finished.lost("lost "), 0, "{finished}");
        finished
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap_or_else(|_| panic!("not UTF-8: {self}"))
    }

    #[track_caller]
    pub fn messages(&self) -> &str {
        std::str::from_utf8(&self.err).unwrap_or_else(|_| panic!("not UTF-8: {self}"))
    }

    /// Fails unless all of these are in its messages.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Finished {
        for word in words {
            assert!(self.messages().contains(word), "no {word:?} in {self}");
        }
        self
    }

    /// Fails unless a line of the output is this one.
    #[track_caller]
    pub fn has_line(self, line: &str) -> Finished {
        assert!(self.text().lines().any(|found| found == line), "{self}");
        self
    }

    /// Fails unless it is an error of one message: status 1, nothing on the output, no sign of a crash, and these words.
    #[track_caller]
    pub fn refuses(self, words: &[&str]) -> Finished {
        let finished = self.expect(1).says(words);
        assert_eq!(finished.text(), "", "{finished}");
        finished.has_no_crash()
    }

    /// Fails if it panicked, or blames itself.
    #[track_caller]
    pub fn has_no_crash(self) -> Finished {
        for sign in ["panicked", "RUST_BACKTRACE", "bug", "verifier"] {
            assert!(!self.messages().contains(sign), "{self}");
        }
        self
    }

    /// What it reports as lost: a line's number and the line.
    #[track_caller]
    pub fn losses(&self) -> Vec<(u64, String)> {
        let reports = self
            .messages()
            .lines()
            .filter_map(|line| line.strip_prefix("WARNING: "));
        reports
            .filter(|line| line.starts_with("lost ") || line.starts_with("cut "))
            .map(|line| {
                let number = line.split(' ').nth(1).expect("a word follows");
                let number = number
                    .parse()
                    .unwrap_or_else(|_| panic!("no number: {line}"));
                (number, line.to_owned())
            })
            .collect()
    }

    /// The sum of the losses whose report holds `reason`.
    #[track_caller]
    pub fn lost(&self, reason: &str) -> u64 {
        self.losses()
            .iter()
            .filter(|(_, line)| line.contains(reason))
            .map(|(number, _)| number)
            .sum()
    }

    /// The line that a workload printed, `name=number` by `name=number`, and the output without it.
    #[track_caller]
    pub fn split_report(&self) -> (Report, String) {
        let text = self.text();
        let line = text
            .lines()
            .find(|line| line.starts_with("pid="))
            .unwrap_or_else(|| panic!("the workload printed nothing: {self}"));
        (
            Report::parse(line),
            text.replacen(&format!("{line}\n"), "", 1),
        )
    }
}
