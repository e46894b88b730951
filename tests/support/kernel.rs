//! What the kernel holds: BPF objects, and processes that a test left behind.

use super::MARK;
use pfscript_testkit::ids::{self, Id, KINDS};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// The BPF objects that processes which no test started hold open.
fn held_by_others() -> BTreeSet<Id> {
    let mut held = BTreeSet::new();
    for process in processes() {
        if is_marked(&process) {
            continue;
        }
        let Ok(entries) = fs::read_dir(process.join("fdinfo")) else {
            continue;
        };
        for entry in entries.flatten() {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            for line in text.lines() {
                for (kind, _) in KINDS {
                    let id = line
                        .strip_prefix(kind)
                        .and_then(|rest| rest.strip_prefix("_id:"));
                    if let Some(id) = id.and_then(|id| id.trim().parse().ok()) {
                        held.insert((kind, id));
                    }
                }
            }
        }
    }
    held
}

fn processes() -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or("");
            name.parse::<u32>().is_ok()
        })
        .collect()
}

/// Whether this test run started the process.
fn is_marked(process: &Path) -> bool {
    let mark = format!("{MARK}={}", std::process::id());
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    environment
        .split(|byte| *byte == 0)
        .any(|variable| variable == mark.as_bytes())
}

/// Processes that this test run started and that still run, with their command lines.
pub fn leftover_processes() -> Vec<String> {
    processes()
        .iter()
        .filter(|process| is_marked(process))
        .map(|process| {
            let line = fs::read(process.join("cmdline")).unwrap_or_default();
            format!(
                "{}: {}",
                process.display(),
                String::from_utf8_lossy(&line).replace('\0', " ")
            )
        })
        .collect()
}

/// The kernel's state before something that should leave nothing behind.
#[derive(Debug)]
pub struct Before(BTreeSet<Id>);

impl Before {
    pub fn now() -> Before {
        Before(ids::all())
    }

    /// Whether the kernel holds no BPF object that was not there before.
    pub fn is_clean(&self) -> bool {
        ids::all().is_subset(&self.0)
    }

    /// Fails if there are BPF objects that were not there before and that no stranger holds, or processes that a test
    /// started. The kernel frees objects a little after their last descriptor is closed, so this waits for that.
    #[track_caller]
    pub fn nothing_left(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            // What others make and drop in the meantime has gone in a later round, or they hold it.
            let mut left: BTreeSet<_> = ids::all().difference(&self.0).copied().collect();
            if !left.is_empty() {
                let others = held_by_others();
                left.retain(|object| !others.contains(object));
            }
            let processes = leftover_processes();
            if left.is_empty() && processes.is_empty() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "left behind: {left:?}, {processes:?}"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}
