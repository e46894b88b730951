//! The files in which processes write down what the code is called that they generate, opened while the processes live.
//!
//! In come processes that map memory that is executable and no program's, out go open files. Anybody can make a file
//! `/tmp/perf-PID.map`, so one is believed only if the process that has this id now can see it, in its own /tmp and under the
//! id that it knows itself by, and if it belongs to the process's user. Once a process is gone nothing is opened any more.
//! What is in the files is read in `symbols`.

use super::records::RawFile;
use crate::sys::process;
use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

/// Files that are held open.
const MAX_OPEN: usize = 128;

/// Processes that are watched for a file at a time.
const MAX_WAITED_FOR: usize = 4096;

/// How long after a process generated code its file is looked for again; the time doubles from the first up to the last.
const FIRST_DELAY: Duration = Duration::from_millis(10);
const LAST_DELAY: Duration = Duration::from_secs(4);

/// What is known of the files of processes that generate code.
#[derive(Debug, Default)]
pub struct Generated {
    open: HashMap<u32, File>,
    /// What processes have mapped to tell of it: `jit-PID.dump`.
    dumps: HashMap<u32, File>,
    waiting: HashMap<u32, Wait>,
    /// Processes whose file could have been opened, had there not been too many.
    refused: HashSet<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    until: Instant,
    delay: Duration,
}

impl Generated {
    /// A process mapped memory that may hold generated code. Its file is looked for now, or soon if it was just looked for,
    /// and then for a while.
    pub fn seen(&mut self, tgid: u32) {
        let soon = Instant::now() + FIRST_DELAY;
        let wait = Wait {
            until: soon,
            delay: FIRST_DELAY,
        };
        if let Some(known) = self.waiting.get_mut(&tgid) {
            if known.until > soon {
                *known = wait;
            }
        } else if !self.open.contains_key(&tgid)
            && self.waiting.len() < MAX_WAITED_FOR
            && !self.look(tgid)
        {
            self.waiting.insert(tgid, wait);
        }
    }

    /// Looks for the files that it is time to look for.
    pub fn look_again(&mut self) {
        let now = Instant::now();
        let due: Vec<(u32, Wait)> = self
            .waiting
            .iter()
            .filter(|(_, wait)| wait.until <= now)
            .map(|(tgid, wait)| (*tgid, *wait))
            .collect();
        for (tgid, wait) in due {
            if !self.look(tgid) {
                let delay = (wait.delay * 2).min(LAST_DELAY);
                let until = now + delay;
                self.waiting.insert(tgid, Wait { until, delay });
            }
        }
    }

    /// How long until a file should be looked for; `None` if none is waited for.
    pub fn next_look(&self) -> Option<Duration> {
        let next = self.waiting.values().map(|wait| wait.until).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// A process ended.
    pub fn ended(&mut self, tgid: u32) {
        self.waiting.remove(&tgid);
    }

    /// A process that has an id begins its life: what was known of that id is another's.
    pub fn begun(&mut self, tgid: u32) {
        self.waiting.remove(&tgid);
        self.open.remove(&tgid);
        self.dumps.remove(&tgid);
        self.refused.remove(&tgid);
    }

    /// Closes the files of all processes but those that are `kept`.
    pub fn prune(&mut self, kept: impl Fn(u32) -> bool) {
        self.open.retain(|tgid, _| kept(*tgid));
        self.dumps.retain(|tgid, _| kept(*tgid));
        self.waiting.retain(|tgid, _| kept(*tgid));
        self.refused.retain(|tgid| kept(*tgid));
    }

    /// The file of a process, if it has one that can be believed.
    pub fn file(&mut self, tgid: u32) -> Option<&File> {
        if !self.open.contains_key(&tgid) {
            self.look(tgid);
        }
        self.open.get(&tgid)
    }

    /// A process mapped a file `jit-PID.dump`, which says that it writes its generated code down there.
    pub fn dump_mapped(&mut self, tgid: u32, file: &RawFile) {
        if self.dumps.len() >= MAX_OPEN {
            self.refused.insert(tgid);
        } else if let Ok(file) = open_dump(tgid, file) {
            self.dumps.insert(tgid, file);
        }
    }

    /// That file.
    pub fn dump(&self, tgid: u32) -> Option<&File> {
        self.dumps.get(&tgid)
    }

    /// Whether a process's file is there and was not opened, since too many are open.
    pub fn is_refused(&self, tgid: u32) -> bool {
        self.refused.contains(&tgid)
    }

    /// Opens the file of a process; whether that is settled.
    fn look(&mut self, tgid: u32) -> bool {
        match open(tgid) {
            Ok(file) if self.open.len() < MAX_OPEN => {
                self.open.insert(tgid, file);
            }
            Err(error) if !matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
                return false;
            }
            _ => {
                self.refused.insert(tgid);
            }
        }
        self.waiting.remove(&tgid);
        true
    }
}

/// Whether a mapping of this name tells where a process writes its generated code down: `…/jit-123.dump`.
pub fn is_dump(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let number = name
        .strip_prefix(b"jit-")
        .and_then(|rest| rest.strip_suffix(b".dump"));
    number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// The very file that a process has mapped, if it belongs to the process's user.
fn open_dump(tgid: u32, wanted: &RawFile) -> io::Result<File> {
    let (user, _) = identity(tgid)?;
    let path = CString::new(wanted.path.as_slice())?;
    let root = CString::new(format!("/proc/{tgid}/root"))?;
    let file = process::open_regular_beneath(&root, &path)?;
    let meta = file.metadata()?;
    match meta.ino() == wanted.inode && meta.uid() == user {
        true => Ok(file),
        false => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

/// The user that a process acts as, and the id that it knows itself by.
fn identity(tgid: u32) -> io::Result<(u32, u32)> {
    let status = std::fs::read_to_string(format!("/proc/{tgid}/status"))?;
    let last_of = |field: &str, word: usize| -> Option<u32> {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        let words: Vec<&str> = line.split_whitespace().collect();
        words
            .get(word.min(words.len().checked_sub(1)?))?
            .parse()
            .ok()
    };
    // Real, effective, saved and file system user id; of process ids the innermost namespace's comes last.
    let (Some(user), Some(inner)) = (last_of("Uid:", 1), last_of("NSpid:", usize::MAX)) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    Ok((user, inner))
}

/// The file of a process that lives.
fn open(tgid: u32) -> io::Result<File> {
    let (user, inner) = identity(tgid)?;
    let path = CString::new(format!("tmp/perf-{inner}.map"))?;
    let root = CString::new(format!("/proc/{tgid}/root"))?;
    let file = File::from(process::open_beneath(&root, &path)?);
    let meta = file.metadata()?;
    match meta.is_file() && meta.uid() == user {
        true => Ok(file),
        false => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

/// Whether a mapping of this name may hold code that its process generated.
pub fn may_be_generated(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 7] = [
        b"//anon",
        b"[heap]",
        b"[anon",
        b"/memfd:",
        b"/dev/shm/",
        b"/dev/zero",
        b"/SYSV",
    ];
    name.is_empty() || NAMES.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that this process might have written, until the value goes.
    struct Written(std::path::PathBuf);

    impl Written {
        fn new() -> Written {
            let path = std::path::PathBuf::from(format!("/tmp/perf-{}.map", std::process::id()));
            std::fs::write(&path, "1000 10 name\n").unwrap();
            Written(path)
        }
    }

    impl Drop for Written {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    // One test, since there is one such file.
    #[test]
    fn only_a_regular_file_of_the_processs_own_user_is_opened() {
        let own = std::process::id();
        let mut generated = Generated::default();
        generated.seen(own);
        assert!(generated.file(own).is_none());
        assert!(generated.next_look().is_some());
        let written = Written::new();
        assert!(generated.file(own).is_some());
        assert!(generated.next_look().is_none());
        generated.prune(|tgid| tgid != own);
        for other in 0..MAX_OPEN as u32 {
            let file = File::open("/dev/null").unwrap();
            generated.open.insert(u32::MAX - other, file);
        }
        assert!(generated.file(own).is_none());
        assert!(generated.is_refused(own));
        generated = Generated::default();
        if std::os::unix::fs::chown(&written.0, Some(12345), None).is_ok() {
            assert!(generated.file(own).is_none());
        }
        std::fs::remove_file(&written.0).unwrap();
        std::os::unix::fs::symlink("/proc/self/status", &written.0).unwrap();
        assert!(generated.file(own).is_none());
        std::fs::remove_file(&written.0).unwrap();
        std::fs::create_dir(&written.0).unwrap();
        assert!(generated.file(own).is_none());
        std::fs::remove_dir(&written.0).unwrap();
    }

    #[test]
    fn mappings_that_may_hold_generated_code_are_told_apart() {
        for name in [&b""[..], b"//anon", b"[heap]", b"[anon:v8]", b"/memfd:jit"] {
            assert!(may_be_generated(name));
        }
        for name in [
            &b"/usr/bin/node"[..],
            b"[vdso]",
            b"[vsyscall]",
            b"[uprobes]",
        ] {
            assert!(!may_be_generated(name));
        }
    }
}
