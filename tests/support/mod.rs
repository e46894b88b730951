//! What the end-to-end tests share: the command under test, the workloads that it traces, and readers of its output.
//!
//! Nothing here mocks the kernel. A test that needs root says so and returns when it has none. Waits have no length that
//! a test depends on: [`LIMIT`] only turns a hang into a failure.

// Each test binary is compiled with its own copy and uses part of it.
#![allow(dead_code)]

pub mod kernel;
pub mod stacks;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// The command under test.
pub const PFSCRIPT: &str = env!("CARGO_BIN_EXE_pfscript");

/// After this a test counts as hanging.
pub const LIMIT: Duration = Duration::from_secs(120);

/// Marks every process that a test starts, so that one left behind is found.
pub const MARK: &str = "PFSCRIPT_TEST_RUN";

/// Whether this process may trace.
pub fn is_root() -> bool {
    // SAFETY: takes and returns nothing but an integer.
    unsafe { libc::geteuid() == 0 }
}

/// Returns from a test that can't be run without root, and says so.
#[macro_export]
macro_rules! needs_root {
    () => {
        if !$crate::support::is_root() {
            println!("skip: tracing needs root");
            return;
        }
    };
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository, as text for a command line.
pub fn repository_file(path: &str) -> String {
    repository()
        .join(path)
        .to_str()
        .expect("the repository's path is UTF-8")
        .to_owned()
}

/// A folder that goes with the value.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "{name}.{}.{:?}",
            std::process::id(),
            thread::current().id()
        ));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the build folder can be written");
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and returns its path.
    pub fn file(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).expect("the build folder can be written");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The path of a compiled workload: those of `tests/workloads`, and those beside this file.
pub fn workload(name: &str) -> String {
    let path = workloads().join(name);
    assert!(path.exists(), "there is no workload {name}");
    path.to_str()
        .expect("the build folder's path is UTF-8")
        .to_owned()
}

fn workloads() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("workloads");
        fs::create_dir_all(&folder).expect("the build folder can be written");
        // Test binaries of several builds may run at once.
        let lock = fs::File::create(folder.join("lock")).expect("the build folder can be written");
        // SAFETY: takes a descriptor that is open, and a number.
        assert_eq!(unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX) }, 0);
        build_workloads(&folder);
        folder
    })
}

/// Compiles the workloads, unless they are newer than their sources.
fn build_workloads(folder: &Path) {
    let shared = repository().join("tests/workloads");
    let own = repository().join("tests/support/workloads");
    let modified = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let sources: Vec<PathBuf> = [&shared, &own]
        .into_iter()
        .flat_map(|folder| fs::read_dir(folder).expect("the workloads are there"))
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    let newest = sources.iter().filter_map(|path| modified(path)).max();
    let stamp = folder.join("built");
    if modified(&stamp) >= newest && stamp.exists() {
        return;
    }
    let status = Command::new(shared.join("build")).arg(folder).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "the workloads don't compile"
    );
    for source in sources.iter().filter(|path| path.starts_with(&own)) {
        let name = source
            .file_stem()
            .and_then(OsStr::to_str)
            .expect("a workload has a name");
        compile(
            source,
            &folder.join(name),
            &["-I", shared.to_str().expect("UTF-8")],
        );
    }
    fs::write(stamp, "").expect("the build folder can be written");
}

/// Compiles a C file with the flags of `tests/workloads/build` and some more.
pub fn compile(source: &Path, output: &Path, flags: &[&str]) {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let status = Command::new(compiler)
        .args(
            "-std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -O0 -fno-omit-frame-pointer -g"
                .split(' '),
        )
        .args(flags)
        .arg("-o")
        .args([output, source])
        .arg("-pthread")
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "{} doesn't compile",
        source.display()
    );
}

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
}

impl Tracer {
    /// Any command.
    pub fn command(program: impl AsRef<OsStr>) -> Tracer {
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

/// What a workload says that it did.
#[derive(Clone, Debug)]
pub struct Report(HashMap<String, String>);

impl Report {
    pub fn parse(line: &str) -> Report {
        let pairs = line
            .split_whitespace()
            .filter_map(|word| word.split_once('='));
        Report(
            pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    #[track_caller]
    pub fn text(&self, name: &str) -> &str {
        self.0
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    #[track_caller]
    pub fn get(&self, name: &str) -> u64 {
        self.text(name)
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number in {self:?}"))
    }

    pub fn pid(&self) -> u32 {
        self.get("pid") as u32
    }

    /// Minor and major faults together.
    pub fn faults(&self) -> u64 {
        self.get("minflt") + self.get("majflt")
    }
}

/// A workload that runs under the test's own eyes.
#[derive(Debug)]
pub struct Workload(pub Child);

impl Workload {
    /// Starts one; its environment is empty, so that what the kernel copies at exec fits a page.
    pub fn start(name: &str, arguments: &[&str]) -> Workload {
        let child = Command::new(workload(name))
            .args(arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a workload can be run");
        Workload(child)
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits for a line of its output.
    pub fn line(&mut self) -> String {
        let pipe = self.0.stdout.as_mut().expect("it is a pipe");
        let mut line = Vec::new();
        let mut byte = [0];
        while pipe.read(&mut byte).expect("the pipe can be read") == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).expect("a workload prints text")
    }

    /// Waits until it sleeps in a read of its input, and so has no page faults until it is let go.
    pub fn waits(&self) {
        let start = Instant::now();
        let reading = format!("{} 0x0 ", libc::SYS_read);
        while !fs::read_to_string(format!("/proc/{}/syscall", self.pid()))
            .expect("the process lives")
            .starts_with(&reading)
        {
            assert!(start.elapsed() < LIMIT, "the workload reads nothing");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets one go on that waits for a line of input.
    pub fn go(&mut self) {
        self.0
            .stdin
            .as_mut()
            .expect("it is a pipe")
            .write_all(b"\n")
            .expect("it reads");
    }

    /// Waits for its end: what it printed since, and the page faults of its life, by the kernel's own account.
    pub fn end(mut self) -> (String, u64) {
        drop(self.0.stdin.take());
        let mut text = String::new();
        self.0
            .stdout
            .take()
            .expect("it is a pipe")
            .read_to_string(&mut text)
            .expect("it prints text");
        // SAFETY: a struct of integers, for which all zeroes is a value.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        let mut status = 0;
        let pid = self.0.id() as i32;
        // SAFETY: the kernel writes the status and the usage.
        assert_eq!(unsafe { libc::wait4(pid, &mut status, 0, &mut usage) }, pid);
        assert_eq!(status, 0, "the workload failed");
        (text, (usage.ru_minflt + usage.ru_majflt) as u64)
    }
}

/// The page faults of a process so far, by the kernel's own account.
pub fn faults_so_far(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    // After the name, which is in parentheses and may hold blanks: state is field 3, minflt 10, majflt 12.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .expect("a name")
        .1
        .split_whitespace()
        .collect();
    let field = |number: usize| fields[number - 3].parse::<u64>().expect("a number");
    field(10) + field(12)
}

/// The rows `@NAME[KEY]: VALUE` of a map, in the order of the output.
#[track_caller]
pub fn rows(text: &str, name: &str) -> Vec<(String, i64)> {
    let start = format!("@{name}[");
    text.lines()
        .filter_map(|line| line.strip_prefix(&start))
        .map(|line| {
            let (key, value) = line
                .rsplit_once("]: ")
                .unwrap_or_else(|| panic!("not a row: {line}"));
            let value = value
                .parse()
                .unwrap_or_else(|_| panic!("not a number: {line}"));
            (key.to_owned(), value)
        })
        .collect()
}

/// A command that is run by a user without any right; as that user already, where the tests are.
pub fn without_root(program: &str) -> Tracer {
    if !is_root() {
        return Tracer::command(program);
    }
    Tracer::command("setpriv")
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--inh-caps=-all",
            "--",
        ])
        .arg(program)
}
