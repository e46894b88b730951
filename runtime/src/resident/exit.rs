//! What processes have resident when they exit: they are held there, with their memory still mapped, and looked at.
//!
//! A thread of its own holds them, since only the thread that asked the kernel for that is told. Where a process is a child of this
//! one, whoever waits for children here sees it stop, too. Those that a held process starts are held from their beginning, if that
//! is wanted.

use super::scan::{self, Snapshot};
use crate::sys::ptrace::{self, Stopped, Wakeful};
use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What is seen at processes' exits.
#[derive(Debug)]
pub struct ExitWatch {
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
    wakeful: Wakeful,
}

/// A process that is to be held, and who waits to hear whether it is.
type Request = (u32, mpsc::Sender<io::Result<()>>);

#[derive(Debug, Default)]
struct Shared {
    /// Whether processes that held ones start are held, too.
    with_children: bool,
    is_over: AtomicBool,
    /// By the process's id, which several may have had one after the other.
    seen: Mutex<HashMap<u32, VecDeque<Snapshot>>>,
}

impl ExitWatch {
    /// One that holds nothing yet; those that a held process starts are held too `with_children`.
    ///
    /// # Errors
    /// The kernel's: there can be no more threads.
    pub fn begin(with_children: bool) -> io::Result<ExitWatch> {
        let shared = Arc::new(Shared {
            with_children,
            ..Shared::default()
        });
        let wakeful = Wakeful::install();
        let (requests, asked) = mpsc::channel();
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("exit".into())
            .spawn(move || theirs.watch(&asked))?;
        Ok(ExitWatch {
            thread: Some(thread),
            shared,
            requests,
            wakeful,
        })
    }

    /// Holds a process from now on, unless it is held already.
    ///
    /// # Errors
    /// The kernel's: a debugger holds it already, or there is no right to.
    pub fn hold(&self, process: u32) -> io::Result<()> {
        let gone = |_| io::Error::from(io::ErrorKind::UnexpectedEof);
        let (tell, told) = mpsc::channel();
        let sent = self.requests.send((process, tell));
        sent.map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        loop {
            self.wake();
            match told.recv_timeout(Duration::from_millis(1)) {
                Ok(held) => return held,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return told.recv().map_err(gone)?,
            }
        }
    }

    /// What a process had resident at its exit, if that was seen: of several with the same id the first.
    pub fn take(&self, process: u32) -> Option<Snapshot> {
        let mut seen = self
            .shared
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let own = seen.get_mut(&process)?;
        let first = own.pop_front();
        if own.is_empty() {
            seen.remove(&process);
        }
        first
    }

    /// Lets all processes go. What was seen can still be taken.
    pub fn end(&mut self) {
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

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            self.wakeful.wake(thread);
        }
    }
}

impl Drop for ExitWatch {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    /// Until nobody wants to know any more.
    fn watch(&self, requests: &mpsc::Receiver<Request>) {
        /// So long it waits for a request at a time while it holds nothing.
        const PAUSE: Duration = Duration::from_millis(20);
        let mut held = HashSet::new();
        while !self.is_over.load(Ordering::Relaxed) {
            for (process, tell) in requests.try_iter() {
                self.hold(process, &tell, &mut held);
            }
            let (process, stopped) = match ptrace::wait() {
                Ok(stopped) => stopped,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => match requests.recv_timeout(PAUSE) {
                    Ok((process, tell)) => {
                        self.hold(process, &tell, &mut held);
                        continue;
                    }
                    Err(mpsc::RecvTimeoutError::Timeout) => continue,
                    Err(mpsc::RecvTimeoutError::Disconnected) => return,
                },
            };
            match stopped {
                Stopped::Ended => drop(held.remove(&process)),
                Stopped::Exit => self.see(process),
                Stopped::Signal(_) | Stopped::Job | Stopped::Other => drop(held.insert(process)),
            }
            // It fails when the process was killed meanwhile, which the next wait tells.
            let _ = ptrace::go_on(process, stopped);
        }
    }

    fn hold(&self, process: u32, tell: &mpsc::Sender<io::Result<()>>, held: &mut HashSet<u32>) {
        let result = match held.contains(&process) {
            true => Ok(()),
            false => ptrace::seize(process, self.with_children),
        };
        if result.is_ok() {
            held.insert(process);
        }
        // The other side waits for it.
        let _ = tell.send(result);
    }

    fn see(&self, process: u32) {
        if let Ok(snapshot) = scan::read(process) {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.entry(process).or_default().push_back(snapshot);
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

    /// One that holds the shell.
    fn watch(shell: &Command) -> io::Result<ExitWatch> {
        let watch = ExitWatch::begin(true)?;
        watch.hold(shell.pid())?;
        Ok(watch)
    }

    /// What was seen of a process.
    fn let_go(mut watch: ExitWatch, process: u32) -> Option<Snapshot> {
        watch.end();
        watch.take(process)
    }

    fn signal(shell: &Command, signal: i32) {
        // SAFETY: takes integers; the guard keeps the id until the status was read.
        unsafe { libc::kill(shell.pid() as i32, signal) };
    }

    #[test]
    fn memory_is_seen_at_the_end() {
        let mut shell = shell("sleep 0.3; exit 3");
        let watch = self::watch(&shell).unwrap();
        assert_eq!(status(&mut shell).code(), Some(3));
        let snapshot = let_go(watch, shell.pid()).expect("it was seen");
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
        let watch = self::watch(&shell).unwrap();
        // It has only begun.
        while scan::read(shell.pid()).unwrap().pages() <= 50 {
            thread::sleep(Duration::from_millis(10));
        }
        signal(&shell, libc::SIGKILL);
        assert_eq!(status(&mut shell).signal(), Some(libc::SIGKILL));
        assert!(let_go(watch, shell.pid()).expect("it was seen").pages() > 50);
    }

    #[test]
    fn children_are_seen_each_at_its_end() {
        let line = "for turn in 1 2 3; do (read nothing; exit $turn) </dev/null; done; true";
        let line = format!("sh -c '{line}'");
        let mut shell = Command::parse(&line, Runtimes::AsTheyAre).unwrap();
        let mut watch = self::watch(&shell).unwrap();
        shell.release().unwrap();
        assert_eq!(status(&mut shell).code(), Some(0));
        watch.end();
        let seen = watch.shared.seen.lock().unwrap();
        let others = seen.iter().filter(|(process, _)| **process != shell.pid());
        let pages: Vec<u64> = others
            .flat_map(|(_, all)| all)
            .map(Snapshot::pages)
            .collect();
        assert_eq!(pages.len(), 3, "{pages:?}");
        assert!(pages.iter().all(|pages| *pages > 20), "{pages:?}");
    }

    #[test]
    fn signals_reach_a_process_that_is_held() {
        let mut shell = shell("trap 'exit 4' TERM; while :; do sleep 0.02; done");
        let watch = self::watch(&shell).unwrap();
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
        assert!(let_go(watch, shell.pid()).is_some());
    }

    #[test]
    fn a_process_that_is_let_go_runs_on() {
        let mut shell = shell("sleep 0.3; exit 5");
        assert!(let_go(watch(&shell).unwrap(), shell.pid()).is_none());
        // Nothing holds it any more.
        drop(watch(&shell).unwrap());
        assert_eq!(status(&mut shell).code(), Some(5));
    }

    #[test]
    fn what_a_debugger_holds_is_refused() {
        let shell = shell("sleep 1000");
        let first = watch(&shell).unwrap();
        let error = watch(&shell).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        drop(first);
    }
}
