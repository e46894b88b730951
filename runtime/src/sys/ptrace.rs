//! Holding processes at their exit, when its memory is still mapped: ptrace(2), of the calling thread alone.
//!
//! The thread that holds a process must be the one that waits for it. When the thread ends, the process runs on as before.

use std::io;
use std::os::unix::thread::JoinHandleExt as _;
use std::thread::JoinHandle;

/// Why a held process has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It is about to give its memory back, and to end.
    Exit,
    /// A signal is about to be delivered.
    Signal(i32),
    /// It is stopped as a job of a shell is.
    Job,
    /// Something else, after which it can go on.
    Other,
    /// It has ended.
    Ended,
}

/// Has the kernel hold a process at its exit, and when it gets a signal, since that can't be had alone; `with_children` those that its
/// first thread starts, too.
///
/// # Errors
/// The kernel's: `EPERM` if something else holds it, or without the right to.
pub fn seize(pid: u32, with_children: bool) -> io::Result<()> {
    let children = match with_children {
        true => libc::PTRACE_O_TRACEFORK | libc::PTRACE_O_TRACEVFORK,
        false => 0,
    };
    let options = libc::PTRACE_O_TRACEEXIT | children;
    request(libc::PTRACE_SEIZE, pid, 0, options as usize)
}

/// Waits until one of the processes that this thread holds stops or ends, and tells which.
///
/// # Errors
/// [`io::ErrorKind::Interrupted`] by a signal to this thread, `ECHILD` if it holds none, or the kernel's.
pub fn wait() -> io::Result<(u32, Stopped)> {
    let mut status = 0;
    // Children of other threads here are theirs to wait for.
    let options = libc::__WALL | libc::__WNOTHREAD;
    // SAFETY: the kernel writes `status`.
    let waited = unsafe { libc::waitpid(-1, &mut status, options) };
    match waited {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok((pid as u32, stopped(status))),
    }
}

/// What a status of `waitpid()` says.
fn stopped(status: libc::c_int) -> Stopped {
    if !libc::WIFSTOPPED(status) {
        return Stopped::Ended;
    }
    let signal = libc::WSTOPSIG(status);
    let is_stop = matches!(
        signal,
        libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU
    );
    match status >> 16 {
        libc::PTRACE_EVENT_EXIT => Stopped::Exit,
        libc::PTRACE_EVENT_STOP if is_stop => Stopped::Job,
        0 => Stopped::Signal(signal),
        _ => Stopped::Other,
    }
}

/// Lets a process that has stopped go on, as far as what stopped it would.
///
/// # Errors
/// The kernel's: the process was killed meanwhile.
pub fn go_on(pid: u32, stopped: Stopped) -> io::Result<()> {
    match stopped {
        Stopped::Job => request(libc::PTRACE_LISTEN, pid, 0, 0),
        Stopped::Signal(signal) => request(libc::PTRACE_CONT, pid, 0, signal as usize),
        Stopped::Exit | Stopped::Other => request(libc::PTRACE_CONT, pid, 0, 0),
        Stopped::Ended => Ok(()),
    }
}

fn request(request: libc::c_uint, pid: u32, address: usize, data: usize) -> io::Result<()> {
    // SAFETY: none of these requests reads or writes memory of this process.
    let result = unsafe { libc::ptrace(request, pid as libc::pid_t, address, data) };
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The signal that ends a wait: one that is ignored unless a program asks for it.
const WAKE: libc::c_int = libc::SIGURG;

extern "C" fn on_wake(_: libc::c_int) {}

/// Has [`WAKE`] end the waits of the thread that it is sent to, while it lives.
#[derive(Debug)]
pub struct Wakeful {
    before: libc::sigaction,
}

impl Wakeful {
    /// Installs the handler.
    pub fn install() -> Wakeful {
        // SAFETY: structs of integers and optional pointers, for which all zeroes is a value; the handler does nothing. Without
        // SA_RESTART, so that waits end.
        unsafe {
            let mut before: libc::sigaction = std::mem::zeroed();
            let mut action: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(libc::c_int) = on_wake;
            action.sa_sigaction = handler as libc::sighandler_t;
            libc::sigaction(WAKE, &action, &mut before);
            Wakeful { before }
        }
    }

    /// Ends a wait of a thread, if it is in one.
    pub fn wake<T>(&self, thread: &JoinHandle<T>) {
        // SAFETY: the thread is not joined yet, so that its id is its own.
        unsafe {
            libc::pthread_kill(thread.as_pthread_t(), WAKE);
        }
    }
}

impl Drop for Wakeful {
    fn drop(&mut self) {
        // SAFETY: restores what the kernel reported when the handler was installed.
        unsafe {
            libc::sigaction(WAKE, &self.before, std::ptr::null_mut());
        }
    }
}
