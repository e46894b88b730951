//! What a process has resident when it exits: it is held there, with its memory still mapped, and looked at.
//!
//! A thread of its own holds it, since only the thread that asked the kernel for that is told. Where the process is a child of this
//! one, whoever waits for children here sees it stop, too.

use super::scan::{self, Snapshot};
use crate::sys::ptrace::{self, Stopped, Wakeful};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What is seen at a process's exit.
#[derive(Debug)]
pub struct ExitWatch {
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    wakeful: Wakeful,
}

#[derive(Debug, Default)]
struct Shared {
    is_over: AtomicBool,
    seen: Mutex<Option<Snapshot>>,
}

impl ExitWatch {
    /// Holds a process from now on.
    ///
    /// # Errors
    /// The kernel's: a debugger holds it already, or there is no right to.
    pub fn begin(process: u32) -> io::Result<ExitWatch> {
        let shared = Arc::new(Shared::default());
        let wakeful = Wakeful::install();
        let (tell, told) = mpsc::channel();
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("exit".into()).spawn(move || {
            let seized = ptrace::seize(process);
            let holds = seized.is_ok();
            // The other side waits for it.
            let _ = tell.send(seized);
            if holds {
                theirs.watch(process);
            }
        })?;
        let watch = ExitWatch {
            thread: Some(thread),
            shared,
            wakeful,
        };
        match told.recv() {
            Ok(Ok(())) => Ok(watch),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Lets the process go, and gives what was resident at its exit, if that came.
    pub fn end(mut self) -> Option<Snapshot> {
        self.let_go();
        let mut seen = self
            .shared
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        seen.take()
    }

    fn let_go(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.shared.is_over.store(true, Ordering::Relaxed);
        // One that comes just before a wait does not end it.
        while !thread.is_finished() {
            self.wakeful.wake(&thread);
            thread::sleep(Duration::from_millis(1));
        }
        // It does not panic, and has nothing to give.
        let _ = thread.join();
    }
}

impl Drop for ExitWatch {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl Shared {
    /// Until the process has ended, or nobody wants to know any more.
    fn watch(&self, process: u32) {
        while !self.is_over.load(Ordering::Relaxed) {
            let stopped = match ptrace::wait(process) {
                Ok(Stopped::Ended) => return,
                Ok(stopped) => stopped,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            if stopped == Stopped::Exit {
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                *seen = scan::read(process).ok();
            }
            // It fails when the process was killed meanwhile, which the next wait tells.
            let _ = ptrace::go_on(process, stopped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::runtimes::Runtimes;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    /// A shell whose parent is another process: a parent would be told of stops, too.
    fn shell(line: &str) -> Command {
        let mut shell = Command::parse(&format!("sh -c \"{line}\""), Runtimes::AsTheyAre).unwrap();
        shell.release().unwrap();
        shell
    }

    /// Waits until it has ended.
    fn status(shell: &mut Command) -> ExitStatus {
        assert_eq!(crate::sys::poll(&[shell.pidfd()], 60_000).unwrap(), [true]);
        shell.exit_status().unwrap()
    }

    fn signal(shell: &Command, signal: i32) {
        // SAFETY: takes integers; the guard keeps the id until the status was read.
        unsafe { libc::kill(shell.pid() as i32, signal) };
    }

    #[test]
    fn memory_is_seen_at_the_end() {
        let mut shell = shell("sleep 0.3; exit 3");
        let watch = ExitWatch::begin(shell.pid()).unwrap();
        assert_eq!(status(&mut shell).code(), Some(3));
        let snapshot = watch.end().expect("it was seen");
        assert_eq!(snapshot.comm, b"sh");
        let heap = snapshot
            .mappings
            .iter()
            .any(|mapping| &*mapping.name == b"[heap]");
        assert!(heap && snapshot.pages() > 50, "{snapshot:?}");
    }

    #[test]
    fn a_process_that_is_killed_is_seen_too() {
        let mut shell = shell("sleep 1000");
        let watch = ExitWatch::begin(shell.pid()).unwrap();
        // It has only begun.
        while scan::read(shell.pid()).unwrap().pages() <= 50 {
            thread::sleep(Duration::from_millis(10));
        }
        signal(&shell, libc::SIGKILL);
        assert_eq!(status(&mut shell).signal(), Some(libc::SIGKILL));
        assert!(watch.end().expect("it was seen").pages() > 50);
    }

    #[test]
    fn signals_reach_a_process_that_is_held() {
        let mut shell = shell("trap 'exit 4' TERM; while :; do sleep 0.02; done");
        let watch = ExitWatch::begin(shell.pid()).unwrap();
        let handles = || {
            let text = std::fs::read_to_string(format!("/proc/{}/status", shell.pid())).unwrap();
            let caught = text
                .lines()
                .find_map(|line| line.strip_prefix("SigCgt:"))
                .unwrap();
            u64::from_str_radix(caught.trim(), 16).unwrap() >> (libc::SIGTERM - 1) & 1 == 1
        };
        while !handles() {
            thread::sleep(Duration::from_millis(10));
        }
        // Stopped as a job is, and set going again.
        signal(&shell, libc::SIGTSTP);
        signal(&shell, libc::SIGCONT);
        signal(&shell, libc::SIGTERM);
        assert_eq!(status(&mut shell).code(), Some(4));
        assert!(watch.end().is_some());
    }

    #[test]
    fn a_process_that_is_let_go_runs_on() {
        let mut shell = shell("sleep 0.3; exit 5");
        assert!(ExitWatch::begin(shell.pid()).unwrap().end().is_none());
        // Nothing holds it any more.
        drop(ExitWatch::begin(shell.pid()).unwrap());
        assert_eq!(status(&mut shell).code(), Some(5));
    }

    #[test]
    fn what_a_debugger_holds_is_refused() {
        let shell = shell("sleep 1000");
        let first = ExitWatch::begin(shell.pid()).unwrap();
        let error = ExitWatch::begin(shell.pid()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        drop(first);
    }
}
