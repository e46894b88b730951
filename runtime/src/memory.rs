//! Samples of what is resident, from `/proc` and the folders of cgroups: for scripts that ask for it (`rss_print()`).
//!
//! The kernel's own sums are read and nothing is walked, so that a sample costs a process nothing. What was resident in the last samples
//! is kept for each process that is still there.

use crate::error::{Error, ErrorKind};
use crate::local_time::local_time;
use crate::results::{MachineMemory, Memory, MemoryBytes, MemoryRow};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Samples that are kept of each process.
const HISTORY: usize = 20;

/// How deep below a cgroup its processes are looked for.
const DEPTH: usize = 16;

/// Where a cgroup's folder may be, if its path is not absolute: version 2, then version 1.
const CGROUPS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/memory"];

/// What was resident before.
#[derive(Debug, Default)]
pub struct Samples {
    taken: u64,
    live: bool,
    /// When the last one was taken, and how long that took.
    last: Option<(Instant, Duration)>,
    /// By process; 0 is the cgroup.
    history: HashMap<u32, Vec<u64>>,
}

impl Samples {
    /// None so far. `live` says that they are shown on a terminal.
    pub fn new(live: bool) -> Samples {
        Samples {
            live,
            ..Samples::default()
        }
    }

    /// Whether the next one may be taken: an eighth as long after the last as that took. Requests that come faster than samples can be taken, where
    /// there are very many processes, do not wait in line then, to be served when tracing has ended.
    pub fn are_due(&self) -> bool {
        self.last
            .is_none_or(|(end, took)| end.elapsed() >= took / 8)
    }

    /// What is resident now: of a process, else of a cgroup and its processes, else of all; of these the `top` largest.
    ///
    /// # Errors
    /// [`ErrorKind::Target`] if there was no such cgroup from the first sample on.
    pub fn take(
        &mut self,
        process: Option<u32>,
        cgroup: Option<&str>,
        top: usize,
    ) -> Result<Memory, Error> {
        let begin = Instant::now();
        let machine = process.is_none().then(|| machine(&read("/proc/meminfo")));
        let mut rows = Vec::new();
        let pids = match (process, cgroup.filter(|path| !path.is_empty())) {
            (Some(pid), _) => vec![pid],
            (None, Some(path)) => {
                let folder = folder(path);
                if self.last.is_none() && !folder.join("cgroup.procs").exists() {
                    let message = format!("there is no cgroup {path}");
                    let known = CGROUPS.join(" or ");
                    let help = format!("its path is that of its folder below {known}");
                    return Err(Error::new(ErrorKind::Target, message).with_help(help));
                }
                rows.extend(of_cgroup(path, &folder));
                let mut pids = Vec::new();
                processes(&folder, DEPTH, &mut pids);
                pids
            }
            (None, None) => numbers("/proc"),
        };
        let mut found: Vec<MemoryRow> = pids.into_iter().filter_map(of_process).collect();
        found.sort_by_key(|row| (Reverse(row.now.resident()), row.process));
        let others = found.len().saturating_sub(top);
        rows.append(&mut found);
        let mut before = std::mem::take(&mut self.history);
        for row in &mut rows {
            let key = row.process.unwrap_or(0);
            let mut history = before.remove(&key).unwrap_or_default();
            history.push(row.now.resident());
            let old = history.len().saturating_sub(HISTORY);
            history.drain(..old);
            self.history.insert(key, history.clone());
            row.history = history;
        }
        rows.truncate(rows.len() - others);
        self.taken += 1;
        self.last = Some((Instant::now(), begin.elapsed()));
        Ok(Memory {
            time: local_time("%H:%M:%S"),
            number: self.taken - 1,
            live: self.live,
            machine,
            rows,
            others,
        })
    }
}

/// A file's text; nothing if it cannot be read.
fn read(path: impl AsRef<Path>) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The bytes of a line such as `VmSwap:     12 kB`; 0 if there is none.
fn kilobytes(text: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let line = lines.find(|(found, _)| *found == name);
    let number = line.and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<u64>().ok());
    number.map_or(0, |number| number.saturating_mul(1024))
}

/// The number of a line such as `anon 4096`; 0 if there is none.
fn stat(text: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let line = lines.find(|(found, _)| *found == name);
    line.and_then(|(_, number)| number.trim().parse().ok())
        .unwrap_or(0)
}

/// What the machine has, by `/proc/meminfo`.
fn machine(text: &str) -> MachineMemory {
    let of = |name| kilobytes(text, name);
    MachineMemory {
        total: of("MemTotal"),
        free: of("MemFree"),
        available: of("MemAvailable"),
        shared: of("Shmem"),
        cached: of("Buffers") + of("Cached") + of("SReclaimable"),
        swap_total: of("SwapTotal"),
        swap_free: of("SwapFree"),
    }
}

/// The folders in a folder that are called by numbers.
fn numbers(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// What a process has; `None` if it is gone, or one of the kernel's threads.
fn of_process(pid: u32) -> Option<MemoryRow> {
    let text = read(format!("/proc/{pid}/status"));
    text.contains("\nVmRSS:").then_some(())?;
    let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(MemoryRow {
        process: Some(pid),
        name: name.strip_suffix(b"\n").unwrap_or(&name).to_vec(),
        now: MemoryBytes {
            anonymous: kilobytes(&text, "RssAnon"),
            file: kilobytes(&text, "RssFile"),
            shared: kilobytes(&text, "RssShmem"),
            swap: kilobytes(&text, "VmSwap"),
        },
        history: Vec::new(),
    })
}

/// The folder of a cgroup.
fn folder(path: &str) -> PathBuf {
    let below = path.trim_start_matches('/');
    let given = Path::new(path);
    let mut known = CGROUPS.iter().map(|root| Path::new(root).join(below));
    match given.is_absolute() && given.join("cgroup.procs").exists() {
        true => given.to_owned(),
        false => known
            .find(|folder| folder.join("memory.stat").exists())
            .unwrap_or_else(|| given.to_owned()),
    }
}

/// What a cgroup has by itself, page cache included.
fn of_cgroup(path: &str, folder: &Path) -> Option<MemoryRow> {
    let text = read(folder.join("memory.stat"));
    // Version 1 calls what is no file `rss`, and has sums with the groups below.
    let now = match text.contains("total_rss ") {
        true => MemoryBytes {
            anonymous: stat(&text, "total_rss"),
            file: stat(&text, "total_cache").saturating_sub(stat(&text, "total_shmem")),
            shared: stat(&text, "total_shmem"),
            swap: stat(&text, "total_swap"),
        },
        false => MemoryBytes {
            anonymous: stat(&text, "anon"),
            file: stat(&text, "file").saturating_sub(stat(&text, "shmem")),
            shared: stat(&text, "shmem"),
            swap: read(folder.join("memory.swap.current"))
                .trim()
                .parse()
                .unwrap_or(0),
        },
    };
    (!text.is_empty()).then(|| MemoryRow {
        process: None,
        name: path.as_bytes().to_vec(),
        now,
        history: Vec::new(),
    })
}

/// The processes of a cgroup and of those below it.
fn processes(folder: &Path, depth: usize, pids: &mut Vec<u32>) {
    let own = read(folder.join("cgroup.procs"));
    pids.extend(own.lines().filter_map(|line| line.parse::<u32>().ok()));
    if depth == 0 {
        return;
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            processes(&entry.path(), depth - 1, pids);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_of_a_process_has_what_it_has() {
        let memory = vec![1_u8; 8 << 20];
        let mut samples = Samples::new(false);
        let own = std::process::id();
        let sample = samples.take(Some(own), None, 20).unwrap();
        let row = &sample.rows[0];
        assert_eq!((row.process, sample.rows.len()), (Some(own), 1));
        assert!(row.now.anonymous >= memory.len() as u64, "{row:?}");
        assert!(row.now.file > 0 && sample.machine.is_none());
        let next = samples.take(Some(own), None, 20).unwrap();
        assert_eq!((next.number, next.rows[0].history.len()), (1, 2));
    }

    #[test]
    fn all_processes_are_there_and_the_largest_are_shown() {
        let mut samples = Samples::new(false);
        let all = samples.take(None, None, usize::MAX).unwrap();
        assert!(all.rows.is_sorted_by_key(|row| Reverse(row.now.resident())));
        let own = std::process::id();
        assert!(all.rows.iter().any(|row| row.process == Some(own)));
        assert!(
            all.machine
                .is_some_and(|machine| machine.total > machine.available)
        );
        let first = samples.take(None, None, 1).unwrap();
        assert_eq!((first.rows.len(), first.rows[0].history.len()), (1, 2));
    }

    #[test]
    fn only_the_last_samples_are_kept() {
        let mut samples = Samples::new(false);
        for _ in 0..HISTORY + 5 {
            samples.take(Some(std::process::id()), None, 1).unwrap();
        }
        let kept: Vec<usize> = samples.history.values().map(Vec::len).collect();
        assert_eq!(kept, [HISTORY]);
        assert!(
            samples
                .take(Some(u32::MAX), None, 1)
                .unwrap()
                .rows
                .is_empty()
        );
        assert!(samples.history.is_empty());
    }

    #[test]
    fn a_sample_is_due_some_time_after_one_that_took_long() {
        let mut samples = Samples::new(false);
        assert!(samples.are_due());
        samples.last = Some((Instant::now(), Duration::MAX));
        assert!(!samples.are_due());
        samples.last = Some((Instant::now(), Duration::ZERO));
        assert!(samples.are_due());
    }

    #[test]
    fn numbers_are_read_by_name() {
        let text = "MemTotal:  100 kB\nShmem: 7 kB\nBad: x kB\n";
        assert_eq!(machine(text).total, 102_400);
        assert_eq!((machine(text).shared, kilobytes(text, "Bad")), (7168, 0));
        assert_eq!(
            (stat("anon 5\nanon_thp 9\n", "anon"), stat("", "anon")),
            (5, 0)
        );
    }

    #[test]
    fn a_cgroup_that_is_not_there_is_an_error() {
        let mut samples = Samples::new(false);
        let error = samples.take(None, Some("/no/such"), 5).unwrap_err();
        assert!(error.to_string().contains("/no/such"), "{error}");
    }
}
