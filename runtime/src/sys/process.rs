//! Processes: pidfds, and a forked child that waits before exec.
//!
//! Which process is traced, and what its end means, is decided by the session.

use super::guard;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A descriptor that becomes readable when the process ends (Linux 5.3).
///
/// # Errors
/// `ESRCH` if there is no such process.
pub fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes and returns integers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: the kernel has just returned this descriptor for us alone to own.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes the child's status if it has ended; `None` if it still runs.
pub fn try_reap(pid: u32) -> Option<i32> {
    let mut status = 0;
    // SAFETY: the kernel writes `status`.
    let result = unsafe { libc::waitpid(pid as libc::pid_t, &mut status, libc::WNOHANG) };
    (result == pid as libc::pid_t).then_some(status)
}

/// Ends a child that was not reaped, if it has not ended, and reaps it.
pub fn end_child(pid: u32) {
    // SAFETY: the child keeps its id until it is reaped.
    unsafe {
        libc::kill(pid as libc::pid_t, libc::SIGKILL);
        libc::waitpid(pid as libc::pid_t, std::ptr::null_mut(), 0);
    }
}

/// A close-on-exec pipe: reading end, writing end.
///
/// # Errors
/// The kernel's.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned these descriptors for us alone to own.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// An empty file in memory.
///
/// # Errors
/// The kernel's.
pub fn memory_file(name: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: takes a C string and returns an integer.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor for us alone to own.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens a folder to find files in, below another that serves as the root: no link leads out of that (Linux 5.6).
///
/// # Errors
/// The kernel's.
pub fn open_folder_beneath(root: &CStr, path: &CStr) -> io::Result<OwnedFd> {
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    open_in_root(root, path, flags)
}

/// Opens the file of a folder that has this name, for reading: no link is followed, and a named pipe is not waited for.
///
/// # Errors
/// The kernel's.
pub fn open_in(folder: &File, name: &CStr) -> io::Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK;
    // SAFETY: takes a descriptor and a C string, and returns an integer.
    let fd = unsafe { libc::openat(folder.as_raw_fd(), name.as_ptr(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor for us alone to own.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Removes the name from a folder.
///
/// # Errors
/// The kernel's.
pub fn remove_in(folder: &File, name: &CStr) -> io::Result<()> {
    // SAFETY: takes a descriptor and a C string, and returns an integer.
    match unsafe { libc::unlinkat(folder.as_raw_fd(), name.as_ptr(), 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Opens a regular file for reading, below a folder that serves as the root: links are followed, and none leads out of it. Nothing
/// else is opened, for devices may act on that.
///
/// # Errors
/// The kernel's; [`io::ErrorKind::InvalidInput`] if something else is there.
pub fn open_regular_beneath(root: &CStr, path: &CStr) -> io::Result<File> {
    let place = File::from(open_in_root(root, path, libc::O_PATH | libc::O_CLOEXEC)?);
    if !place.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    File::open(format!("/proc/self/fd/{}", place.as_raw_fd()))
}

/// openat2(2) below a folder that serves as the root.
fn open_in_root(root: &CStr, path: &CStr, flags: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes a C string and returns an integer.
    let folder = unsafe {
        libc::open(
            root.as_ptr(),
            libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC,
        )
    };
    if folder < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor for us alone to own.
    let folder = unsafe { OwnedFd::from_raw_fd(folder) };
    // SAFETY: a struct of integers, for which zero is a value.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = flags as u64;
    how.resolve = libc::RESOLVE_IN_ROOT;
    // SAFETY: takes a descriptor, a C string, and a struct of that size, which the kernel only reads.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            folder.as_raw_fd(),
            path.as_ptr(),
            &raw const how,
            size_of::<libc::open_how>(),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A counter that can be polled.
///
/// # Errors
/// The kernel's.
pub fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: takes and returns integers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor for us alone to own.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes an [`eventfd`] readable, for good.
pub fn raise(fd: BorrowedFd<'_>) {
    raise_raw(fd.as_raw_fd());
}

pub(super) fn raise_raw(fd: i32) {
    let one = 1_u64.to_ne_bytes();
    // SAFETY: writes 8 bytes from an array of 8; write(2) may be called in a signal handler.
    unsafe {
        libc::write(fd, one.as_ptr().cast(), one.len());
    }
}

/// What a child needs to start, all made before the fork, since hardly anything may be done between fork and exec.
#[derive(Debug)]
pub struct Program {
    path: CString,
    arguments: Vec<CString>,
    environment: Option<Vec<CString>>,
}

impl Program {
    /// `path` is what is executed, `arguments` start with the name that it sees.
    pub fn new(path: CString, arguments: Vec<CString>) -> Program {
        Program {
            path,
            arguments,
            environment: None,
        }
    }

    /// With these variables, `NAME=VALUE` each, in place of this process's own.
    pub fn environment(self, variables: Vec<CString>) -> Program {
        let environment = Some(variables);
        Program {
            environment,
            ..self
        }
    }

    /// Forks a [`guard`], and of that a child that waits for a byte on the gate and then executes the program. If that
    /// fails it writes `errno` as four bytes to the pipe of failures. Returns the guard's pid; the guard says the child's
    /// first of all, or the negative `errno` of its fork.
    ///
    /// # Errors
    /// The kernel's, of the first fork.
    pub fn fork(&self, pipes: &Pipes) -> io::Result<u32> {
        let shell = c"/bin/sh";
        let mut argv: Vec<*const libc::c_char> =
            self.arguments.iter().map(|word| word.as_ptr()).collect();
        argv.push(std::ptr::null());
        // As execvp(3) does for a file without `#!`: /bin/sh PATH ARGUMENTS…
        let mut shell_argv: Vec<*const libc::c_char> = vec![shell.as_ptr(), self.path.as_ptr()];
        shell_argv.extend(argv.iter().skip(1));
        let mut variables: Vec<*const libc::c_char> = Vec::new();
        let environment = match &self.environment {
            Some(own) => {
                variables.extend(own.iter().map(|variable| variable.as_ptr()));
                variables.push(std::ptr::null());
                variables.as_ptr()
            }
            None => libc_environment(),
        };
        // SAFETY: the children call nothing but async-signal-safe functions before exec or `_exit`; the vectors end in
        // null and outlive the call.
        unsafe {
            // The guard is not to be ended by a signal, from its first moment on.
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
            let pid = libc::fork();
            if pid == 0 {
                libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
                // Ignored, as it may be, children would leave no status.
                libc::signal(libc::SIGCHLD, libc::SIG_DFL);
                let command = libc::fork();
                if command == 0 {
                    child(&self.path, shell, &argv, &shell_argv, environment, pipes);
                }
                guard::guard(guard::Watch {
                    command: match command {
                        -1 => -*libc::__errno_location(),
                        pid => pid,
                    },
                    control: pipes.control.0.as_raw_fd(),
                    status: pipes.status.1.as_raw_fd(),
                });
            }
            let forked = match pid {
                -1 => Err(io::Error::last_os_error()),
                pid => Ok(pid as u32),
            };
            libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
            forked
        }
    }
}

/// The pipes between the tracer, the guard and the child: each a reading and a writing end.
#[derive(Debug)]
pub struct Pipes {
    /// Lets the child go.
    pub gate: (OwnedFd, OwnedFd),
    /// Says why the program can't be executed.
    pub failure: (OwnedFd, OwnedFd),
    /// Says to the guard that it is to end the command, or that the tracer is gone.
    pub control: (OwnedFd, OwnedFd),
    /// Says the child's pid and its wait status.
    pub status: (OwnedFd, OwnedFd),
    /// What the child writes to its standard output; `None` if that is the tracer's.
    pub output: Option<(OwnedFd, OwnedFd)>,
}

impl Pipes {
    /// Four new pipes.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new() -> io::Result<Pipes> {
        Ok(Pipes {
            gate: pipe()?,
            failure: pipe()?,
            control: pipe()?,
            status: pipe()?,
            output: None,
        })
    }
}

/// The child's side, from fork to exec.
///
/// # Safety
/// Only in a child just forked; `argv`, `shell_argv` and `environment` must be null-terminated arrays of C strings.
unsafe fn child(
    path: &CStr,
    shell: &CStr,
    argv: &[*const libc::c_char],
    shell_argv: &[*const libc::c_char],
    environment: *const *const libc::c_char,
    pipes: &Pipes,
) -> ! {
    let gate = pipes.gate.0.as_raw_fd();
    // SAFETY: async-signal-safe functions on descriptors and strings that the caller vouches for.
    unsafe {
        // With the guard, whoever ends that.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
        // Rust ignores SIGPIPE, and an ignored signal stays ignored across exec.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        // Without our copies of the tracer's ends, the read below and the guard's end when the tracer does.
        libc::close(pipes.gate.1.as_raw_fd());
        libc::close(pipes.control.1.as_raw_fd());
        let mut byte = 0_u8;
        let got = loop {
            let got = libc::read(gate, std::ptr::from_mut(&mut byte).cast(), 1);
            if got >= 0 || *libc::__errno_location() != libc::EINTR {
                break got;
            }
        };
        if got != 1 {
            // The tracer went away or gave up.
            libc::_exit(127);
        }
        if let Some((_, output)) = &pipes.output {
            libc::dup2(output.as_raw_fd(), libc::STDOUT_FILENO);
        }
        libc::execve(path.as_ptr(), argv.as_ptr(), environment);
        if *libc::__errno_location() == libc::ENOEXEC {
            libc::execve(shell.as_ptr(), shell_argv.as_ptr(), environment);
        }
        let error = (*libc::__errno_location()).to_ne_bytes();
        libc::write(
            pipes.failure.1.as_raw_fd(),
            error.as_ptr().cast(),
            error.len(),
        );
        libc::_exit(127);
    }
}

fn libc_environment() -> *const *const libc::c_char {
    unsafe extern "C" {
        static environ: *const *const libc::c_char;
    }
    // SAFETY: the C library's own variable; nothing changes it between fork and exec.
    unsafe { environ }
}
