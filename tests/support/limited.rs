//! A cgroup whose memory is limited.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A cgroup that may have 32 MiB, of version 1 or 2. It is removed with the value, when no process is in it.
pub struct Limited(PathBuf);

impl Limited {
    /// `None` if there is no controller of memory that one could make a group of.
    pub fn new(name: &str) -> Option<Limited> {
        for (root, limit) in [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ] {
            if !Path::new(root).join("cgroup.procs").exists() {
                continue;
            }
            let folder = Path::new(root).join(format!("pfscript-{name}-{}", std::process::id()));
            if fs::create_dir(&folder).is_err() {
                continue;
            }
            let group = Limited(folder);
            if fs::write(group.0.join(limit), (32 << 20).to_string()).is_ok() {
                return Some(group);
            }
        }
        None
    }

    /// What a shell has to do to run a command in it.
    pub fn line(&self, command: &str) -> String {
        let procs = self.0.join("cgroup.procs");
        format!("echo $$ >'{}' && {command}", procs.display())
    }

    /// Runs a command of the shell in it, to its end.
    pub fn run(&self, command: &str) {
        Command::new("sh")
            .args(["-c", &self.line(command)])
            .output()
            .expect("there is a shell");
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
