//! The programs that are traced, and what they say that they did.

use super::{LIMIT, Scratch, repository, repository_file};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

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
fn compile(source: &Path, output: &Path, flags: &[&str]) {
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

impl Scratch {
    /// A program, or a library if it is named `lib….so`, made from a text in C, which may include what workloads share.
    pub fn compiled(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        self.compiled_with(name, text, &[])
    }

    /// The same, with more of the compiler's flags.
    pub fn compiled_with(&self, name: &str, text: impl AsRef<[u8]>, more: &[&str]) -> PathBuf {
        let source = self.file(format!("{name}.c"), text);
        let output = self.path().join(name);
        let shared = repository_file("tests/workloads");
        let mut flags = vec!["-I", &shared];
        if name.ends_with(".so") {
            flags.extend(["-shared", "-fPIC"]);
        }
        flags.extend(more);
        compile(&source, &output, &flags);
        output
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
        Workload::start_at(Path::new(&workload(name)), arguments)
    }

    /// A copy of one.
    pub fn start_at(program: &Path, arguments: &[&str]) -> Workload {
        let child = Command::new(program)
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
