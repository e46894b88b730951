//! The files in which processes write down what the code is called that they generate, opened while the processes live.
//!
//! In come processes that map memory that is executable and no program's, out go open files. Anybody can make a file
//! `/tmp/perf-PID.map`, so one is believed only if the process that has this id now can see it, in its own /tmp and under the
//! id that it knows itself by, and if it belongs to the process's user. The JVM writes its file when it ends, and that is opened
//! when it has. What is in the files is read in `symbols`.

use super::command_tree::CommandTree;
use super::leftovers::Leftovers;
use super::map_place::{Folders, MapPlace};
use super::proc_status;
use super::records::RawFile;
use crate::sys::{self, process};
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
    folders: Folders,
    command: CommandTree,
    leftovers: Leftovers,
    /// How many files were opened, or are known to have been written anew.
    changes: u64,
}

#[derive(Clone, Debug)]
struct Wait {
    until: Instant,
    delay: Duration,
    /// Where the file was last looked for.
    place: Option<MapPlace>,
}

impl Generated {
    /// Of a command too, which has not started; `told` says that its runtimes are told to write files.
    pub fn of_command(pid: u32, told: bool) -> Generated {
        let mut generated = Generated::default();
        let place = MapPlace::of(pid, &mut generated.folders).ok();
        generated.command = CommandTree::new(pid, place, told);
        generated
    }

    /// The processes of the command.
    pub fn command(&self) -> &CommandTree {
        &self.command
    }

    /// A process is to write its file, which it has not done by itself if there is none.
    pub fn will_write(&mut self, tgid: u32) {
        if let Ok(place) = MapPlace::of(tgid, &mut self.folders)
            && place.open().is_err()
        {
            self.leftovers.map_at(tgid, place);
        }
    }

    /// A process wrote its file anew.
    pub fn rewritten(&mut self, tgid: u32) {
        self.changes += 1;
        self.look(tgid);
    }

    /// Changes when there is more to be read, or something else.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// A process mapped memory that may hold generated code. Its file is looked for now, or soon if it was just looked for,
    /// and then for a while.
    pub fn seen(&mut self, tgid: u32) {
        let soon = Instant::now() + FIRST_DELAY;
        if let Some(known) = self.waiting.get_mut(&tgid) {
            if known.until > soon {
                (known.until, known.delay) = (soon, FIRST_DELAY);
            }
        } else if !self.open.contains_key(&tgid) && self.waiting.len() < MAX_WAITED_FOR {
            self.look_or_wait(tgid, FIRST_DELAY);
        }
    }

    /// Looks for the files that it is time to look for.
    pub fn look_again(&mut self) {
        let now = Instant::now();
        let due: Vec<(u32, Duration)> = self
            .waiting
            .iter()
            .filter(|(_, wait)| wait.until <= now)
            .map(|(tgid, wait)| (*tgid, wait.delay))
            .collect();
        for (tgid, delay) in due {
            self.look_or_wait(tgid, (delay * 2).min(LAST_DELAY));
        }
    }

    /// How long until a file should be looked for; `None` if none is waited for.
    pub fn next_look(&self) -> Option<Duration> {
        let next = self.waiting.values().map(|wait| wait.until).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// A process ended at a time (`CLOCK_MONOTONIC` in nanoseconds), and may have written its file last of all. What was written later
    /// is another's.
    pub fn ended(&mut self, tgid: u32, time: u64) {
        let wait = self.waiting.remove(&tgid);
        if let Some(place) = wait.and_then(|wait| wait.place) {
            let since = sys::clock_ns(libc::CLOCK_MONOTONIC).saturating_sub(time);
            let end = sys::clock_ns(libc::CLOCK_REALTIME).saturating_sub(since);
            self.take(tgid, place.open_changed_before(end));
        } else if self.open.contains_key(&tgid) {
            self.changes += 1;
        }
        self.command.ended(tgid);
    }

    /// A process that has an id begins its life: what was known of that id is another's.
    pub fn begun(&mut self, tgid: u32, parent: u32) {
        self.waiting.remove(&tgid);
        self.open.remove(&tgid);
        self.dumps.remove(&tgid);
        self.refused.remove(&tgid);
        self.command.begun(tgid, parent);
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

    /// Looks for the file of a process that lives, and waits for it if it is not there.
    fn look_or_wait(&mut self, tgid: u32, delay: Duration) {
        let (settled, place) = self.look(tgid);
        if !settled {
            let until = Instant::now() + delay;
            let wait = Wait {
                until,
                delay,
                place,
            };
            self.waiting.insert(tgid, wait);
        }
    }

    /// Opens the file of a process that lives: whether that is settled, and where it was looked for.
    fn look(&mut self, tgid: u32) -> (bool, Option<MapPlace>) {
        let place = MapPlace::of(tgid, &mut self.folders);
        match place.or_else(|error| self.command.place_of(tgid).ok_or(error)) {
            Ok(place) => {
                if self.command.is_told(tgid) {
                    self.leftovers.map_at(tgid, place.clone());
                    if let Ok(folder) = self.folders.current(tgid) {
                        self.leftovers.logs_in(tgid, folder, place.clone());
                    }
                }
                (self.take(tgid, place.open()), Some(place))
            }
            Err(error) => (self.is_settled(tgid, &error), None),
        }
    }

    /// Takes the file of a process, if it could be opened; whether that is settled.
    fn take(&mut self, tgid: u32, opened: io::Result<File>) -> bool {
        match opened {
            Ok(file) if self.open.len() < MAX_OPEN || self.open.contains_key(&tgid) => {
                self.open.insert(tgid, file);
                self.changes += 1;
                self.waiting.remove(&tgid);
                true
            }
            Ok(_) => self.is_settled(tgid, &io::Error::from_raw_os_error(libc::EMFILE)),
            Err(error) => self.is_settled(tgid, &error),
        }
    }

    /// Whether a file that could not be opened is given up.
    fn is_settled(&mut self, tgid: u32, error: &io::Error) -> bool {
        let refused = matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE));
        if refused {
            self.refused.insert(tgid);
            self.waiting.remove(&tgid);
        }
        refused
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
    let user = proc_status::read(tgid)?.user;
    let path = CString::new(wanted.path.as_slice())?;
    let root = CString::new(format!("/proc/{tgid}/root"))?;
    let file = process::open_regular_beneath(&root, &path)?;
    let meta = file.metadata()?;
    match meta.ino() == wanted.inode && meta.uid() == user {
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
    fn a_file_is_waited_for_and_opened_within_bounds() {
        let own = std::process::id();
        let mut generated = Generated::default();
        generated.seen(own);
        assert!(generated.file(own).is_none());
        assert!(generated.next_look().is_some());
        let written = Written::new();
        let before = generated.changes();
        assert!(generated.file(own).is_some());
        assert!(generated.next_look().is_none());
        assert_ne!(generated.changes(), before);
        generated.prune(|tgid| tgid != own);
        for other in 0..MAX_OPEN as u32 {
            let file = File::open("/dev/null").unwrap();
            generated.open.insert(u32::MAX - other, file);
        }
        assert!(generated.file(own).is_none());
        assert!(generated.is_refused(own));
        drop(written);
        // One that is written at the end is its own, and one that is written a second later is not.
        for (later, is_own) in [(0, true), (1_000_000_000, false)] {
            generated = Generated::default();
            generated.seen(own);
            let _written = Written::new();
            let now = sys::clock_ns(libc::CLOCK_MONOTONIC);
            generated.ended(own, now - later);
            assert_eq!(generated.open.contains_key(&own), is_own);
        }
        // And one that is left behind by a command.
        let written = Written::new();
        generated = Generated::of_command(own, true);
        generated.seen(own);
        drop(generated);
        assert!(!written.0.exists());
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
