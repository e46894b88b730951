//! What the end-to-end tests share: the command under test, the workloads that it traces, and readers of its output.
//!
//! Nothing here mocks the kernel. A test that needs root says so and returns when it has none. Waits have no length that
//! a test depends on: [`LIMIT`] only turns a hang into a failure.

// Each test binary is compiled with its own copy and uses part of it.
#![allow(dead_code, unused_imports)]

pub mod browser;
pub mod frameless;
pub mod growth;
pub mod kernel;
pub mod limited;
pub mod run;
pub mod shipped;
pub mod stacks;
pub mod terminal;
pub mod tools;
pub mod workload;

pub use pfscript_testkit::is_root;
pub use run::{Finished, Running, Tracer};
pub use workload::{Report, Workload, faults_so_far, workload};

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The command under test.
pub const PFSCRIPT: &str = env!("CARGO_BIN_EXE_pfscript");

/// After this a test counts as hanging.
pub const LIMIT: Duration = Duration::from_secs(120);

/// Marks every process that a test starts, so that one left behind is found.
pub const MARK: &str = "PFSCRIPT_TEST_RUN";

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
    /// One in the build folder.
    pub fn new(name: &str) -> Scratch {
        Scratch::within(Path::new(env!("CARGO_TARGET_TMPDIR")), name)
    }

    /// One that every user can enter.
    pub fn open_to_all(name: &str) -> Scratch {
        let scratch = Scratch::within(&std::env::temp_dir(), &format!("pfscript-{name}"));
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&scratch.0, mode).expect("it is ours");
        scratch
    }

    /// One whose files are in memory (tmpfs).
    pub fn within_memory(name: &str) -> Scratch {
        Scratch::within(Path::new("/dev/shm"), name)
    }

    fn within(folder: &Path, name: &str) -> Scratch {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{name}.{}.{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the folder can be written");
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and returns its path.
    pub fn file(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).expect("the folder can be written");
        path
    }

    /// Writes a file that can be executed, and returns its path.
    pub fn program(&self, name: &str, content: &str) -> PathBuf {
        let text = self.file(format!("{name}.text"), content);
        fs::set_permissions(&text, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let path = self.0.join(name);
        copy_program(text, &path);
        path
    }
}

/// A name for processes by which a script knows them from all others, those of another run of the same test included: at most
/// 15 bytes.
pub fn own_name(name: &str) -> String {
    let own = format!("{name}{:x}", std::process::id());
    assert!(own.len() < 16, "{own} is too long for a process's name");
    own
}

impl Scratch {
    /// Copies a workload, so that its processes have a name of their own: that of the file. Returns its path and that name.
    pub fn named(&self, workload: &str, name: &str) -> (PathBuf, String) {
        let name = own_name(name);
        let path = self.path().join(&name);
        copy_program(workload::workload(workload), &path);
        (path, name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
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

/// The number under a key of a map.
#[track_caller]
pub fn count(text: &str, map: &str, key: &str) -> i64 {
    let rows = rows(text, map);
    let row = rows.iter().find(|(name, _)| name == key);
    row.unwrap_or_else(|| panic!("no {map}[{key}] in {text}")).1
}

/// Traces a run of a workload; what is printed, and the workload's report in it.
#[track_caller]
pub fn trace(script: &str, command: &str) -> (String, Report) {
    let finished = Tracer::script(script).args(["-c", command]).run().ok();
    let (report, text) = finished.split_report();
    (text, report)
}

/// The same of a workload; `FILE` stands for its file in the script.
#[track_caller]
pub fn trace_workload(script: &str, name: &str, arguments: impl Display) -> (String, Report) {
    let program = workload(name);
    let script = script.replace("FILE", &program);
    trace(&script, &format!("{program} {arguments}"))
}

/// Copies a file that is to be executed: by another process, since a program cannot run while anybody has it open for
/// writing, and what this process has open is for a moment also open in what other tests start.
pub fn copy_program(from: impl AsRef<Path>, to: &Path) {
    let copied = std::process::Command::new("cp")
        .args([from.as_ref(), to])
        .status();
    assert!(copied.is_ok_and(|status| status.success()), "cannot copy");
}

/// pfscript, run by a user without any right; as that user already, where the tests are. Root's own folders may be closed
/// to that user, so it gets a copy.
pub fn without_root() -> Tracer {
    if !is_root() {
        return Tracer::command(PFSCRIPT);
    }
    let scratch = Scratch::open_to_all("without-root");
    let program = scratch.path().join("pfscript");
    copy_program(PFSCRIPT, &program);
    let user = [
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all",
        "--",
    ];
    Tracer::command("setpriv")
        .args(user)
        .arg(program)
        .folder(Path::new("/"))
        .keep(scratch)
}
