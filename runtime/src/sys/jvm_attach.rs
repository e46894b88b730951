//! Asking a JVM: the child that does it, as the JVM's user and in its root folder.
//!
//! HotSpot listens on a socket in its /tmp once it finds a file there and is sent SIGQUIT (its dynamic attach mechanism). Whom to ask, and
//! what the answer means, is the caller's business. Whoever owns that folder may have put anything there: a socket must be the JVM's
//! own, and nobody is waited for longer than is said.
//!
//! The child makes async-signal-safe calls alone, since the tracer has other threads.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// How long the JVM may take to listen.
const LISTEN_MS: u64 = 4000;
/// Between two looks for the socket.
const PAUSE_MS: libc::c_int = 5;

/// A JVM, and what the child needs for it.
#[derive(Debug)]
pub struct Machine<'a> {
    /// Its id.
    pub pid: u32,
    /// The same as a descriptor.
    pub pidfd: BorrowedFd<'a>,
    /// Its root folder; `None` if that is ours.
    pub root: Option<BorrowedFd<'a>>,
    /// Its effective user.
    pub user: u32,
    /// Its effective group.
    pub group: u32,
    /// The socket, as it sees it.
    pub socket: &'a CStr,
    /// The file that makes it listen.
    pub trigger: &'a CStr,
    /// The file that it is to write: if there is one, it must be a regular one of its own.
    pub output: &'a CStr,
    /// What it is asked.
    pub request: &'a [u8],
}

/// What a child got to. What the JVM says comes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// It could not act as the JVM's user in its folders.
    Entering,
    /// The file that the JVM is to write is something else.
    Output,
    /// The JVM could not be made to listen.
    Triggering,
    /// The JVM does not listen.
    Listening,
    /// The socket is not the JVM's own.
    Foreign,
    /// The JVM could not be asked.
    Asking,
    /// The JVM was asked, and its answer follows.
    Answered,
}

impl Stage {
    const ALL: [Stage; 7] = [
        Stage::Entering,
        Stage::Output,
        Stage::Triggering,
        Stage::Listening,
        Stage::Foreign,
        Stage::Asking,
        Stage::Answered,
    ];

    /// That of a number.
    pub fn from_byte(byte: u8) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| *stage as u8 == byte)
    }
}

/// Forks a child that asks. It writes a [`Stage`] as a byte, an `errno` (0: none) as four, and the answer. Returns its pid.
///
/// # Errors
/// The kernel's.
pub fn fork(machine: &Machine<'_>, report: &OwnedFd) -> io::Result<u32> {
    let report = report.as_raw_fd();
    // SAFETY: the child calls nothing but async-signal-safe functions before `_exit`.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: this is the child.
        0 => unsafe {
            let (stage, errno) = match ask(machine, report) {
                Ok(never) => match never {},
                Err((stage, true)) => (stage, *libc::__errno_location()),
                Err((stage, false)) => (stage, 0),
            };
            tell(report, stage, errno);
            libc::_exit(1)
        },
        pid => Ok(pid as u32),
    }
}

/// Where it failed, and whether `errno` says why.
type Failed = (Stage, bool);

enum Never {}

/// # Safety
/// Only in a child just forked.
unsafe fn ask(machine: &Machine<'_>, report: RawFd) -> Result<Never, Failed> {
    // SAFETY: descriptors and C strings that outlive the calls; numbers.
    unsafe {
        // What is signalled with the tracer's group is not for this one.
        libc::setpgid(0, 0);
        enter(machine).map_err(|()| (Stage::Entering, true))?;
        // With the tracer, however that ends. Another user forgets it.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if is_there(machine.output) && !is_own(machine, machine.output, libc::S_IFREG) {
            return Err((Stage::Output, false));
        }
        if !is_there(machine.socket) {
            make_listen(machine)?;
        }
        if !is_own(machine, machine.socket, libc::S_IFSOCK) {
            return Err((Stage::Foreign, false));
        }
        let asking = |()| (Stage::Asking, true);
        let socket = connect(machine.socket).map_err(asking)?;
        if listener(socket) != Some(machine.pid) {
            return Err((Stage::Foreign, false));
        }
        let (request, size) = (machine.request.as_ptr().cast(), machine.request.len());
        if libc::send(socket, request, size, libc::MSG_NOSIGNAL) != size as isize {
            return Err((Stage::Asking, true));
        }
        tell(report, Stage::Answered, 0);
        let mut buffer = [0_u8; 4096];
        loop {
            let got = libc::recv(socket, buffer.as_mut_ptr().cast(), buffer.len(), 0);
            let Ok(got @ 1..) = usize::try_from(got) else {
                libc::_exit(0);
            };
            // Whoever reads it has enough at some time, and ends this process.
            libc::write(report, buffer.as_ptr().cast(), got);
        }
    }
}

unsafe fn tell(report: RawFd, stage: Stage, errno: i32) {
    let [a, b, c, d] = errno.to_ne_bytes();
    let bytes = [stage as u8, a, b, c, d];
    // SAFETY: as many bytes as there are.
    unsafe {
        libc::write(report, bytes.as_ptr().cast(), bytes.len());
    }
}

/// Goes where the JVM is, and becomes its user. As system calls: the C library's functions would have other threads do the same.
unsafe fn enter(machine: &Machine<'_>) -> Result<(), ()> {
    // SAFETY: descriptors, C strings and numbers.
    unsafe {
        let done = |result: libc::c_long| if result == 0 { Ok(()) } else { Err(()) };
        if let Some(root) = machine.root {
            done(libc::fchdir(root.as_raw_fd()).into())?;
            done(libc::chroot(c".".as_ptr()).into())?;
        }
        let (user, group) = (machine.user, machine.group);
        if libc::geteuid() != user || libc::getegid() != group {
            let none = std::ptr::null::<libc::gid_t>();
            done(libc::syscall(libc::SYS_setgroups, 0, none))?;
            done(libc::syscall(libc::SYS_setresgid, group, group, group))?;
            done(libc::syscall(libc::SYS_setresuid, user, user, user))?;
        }
        Ok(())
    }
}

fn status_of(path: &CStr) -> Option<libc::stat> {
    // SAFETY: the kernel writes the struct, for which zero is a value; a link is not followed.
    unsafe {
        let mut status: libc::stat = std::mem::zeroed();
        (libc::lstat(path.as_ptr(), &mut status) == 0).then_some(status)
    }
}

fn is_there(path: &CStr) -> bool {
    status_of(path).is_some()
}

/// Whether something of this type is there, and nowhere else, that the JVM's user made.
fn is_own(machine: &Machine<'_>, path: &CStr, kind: libc::mode_t) -> bool {
    status_of(path).is_some_and(|status| {
        let is_of_user = status.st_mode & libc::S_IFMT == kind && status.st_uid == machine.user;
        // Anybody may link a file of the user's to a name of theirs.
        is_of_user && status.st_nlink == 1
    })
}

/// Has the JVM open its socket, and waits until it has.
unsafe fn make_listen(machine: &Machine<'_>) -> Result<(), Failed> {
    // SAFETY: descriptors, C strings and numbers.
    unsafe {
        let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY | libc::O_CLOEXEC;
        let file = libc::open(machine.trigger.as_ptr(), flags, 0o600);
        // Another tool may ask at the same time, and its file does as well.
        if file < 0 && *libc::__errno_location() != libc::EEXIST {
            return Err((Stage::Triggering, true));
        }
        let pidfd = machine.pidfd.as_raw_fd();
        let none = std::ptr::null::<libc::siginfo_t>();
        let quit = libc::SIGQUIT;
        let sent = libc::syscall(libc::SYS_pidfd_send_signal, pidfd, quit, none, 0);
        let failed = (sent != 0).then_some((Stage::Triggering, true));
        let errno = *libc::__errno_location();
        let listens = failed.is_none() && waited_for(machine.socket, pidfd);
        if file >= 0 {
            libc::unlink(machine.trigger.as_ptr());
        }
        *libc::__errno_location() = errno;
        match failed {
            Some(failed) => Err(failed),
            None if listens => Ok(()),
            None => Err((Stage::Listening, false)),
        }
    }
}

/// Waits until something is at a path; false if that takes too long, or the process ends before.
unsafe fn waited_for(path: &CStr, pidfd: RawFd) -> bool {
    let now = || super::clock_ns(libc::CLOCK_MONOTONIC) / 1_000_000;
    let end = now() + LISTEN_MS;
    while !is_there(path) {
        let mut fds = [libc::pollfd {
            fd: pidfd,
            events: libc::POLLIN,
            revents: 0,
        }];
        // SAFETY: one descriptor.
        let ended = unsafe { libc::poll(fds.as_mut_ptr(), 1, PAUSE_MS) } > 0;
        if ended || now() > end {
            return false;
        }
    }
    true
}

/// Connects to a socket.
unsafe fn connect(path: &CStr) -> Result<RawFd, ()> {
    // SAFETY: the path with its NUL fits, and the kernel reads the struct.
    unsafe {
        let mut address: libc::sockaddr_un = std::mem::zeroed();
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
        let bytes = path.to_bytes_with_nul();
        if bytes.len() > address.sun_path.len() {
            return Err(());
        }
        for (to, from) in address.sun_path.iter_mut().zip(bytes) {
            *to = *from as libc::c_char;
        }
        let socket = libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        let size = size_of_val(&address) as libc::socklen_t;
        match socket >= 0 && libc::connect(socket, (&raw const address).cast(), size) == 0 {
            true => Ok(socket),
            false => Err(()),
        }
    }
}

/// The process that listens on the other side.
unsafe fn listener(socket: RawFd) -> Option<u32> {
    // SAFETY: the kernel writes the struct, of the size that is said.
    unsafe {
        let mut peer: libc::ucred = std::mem::zeroed();
        let mut size = size_of_val(&peer) as libc::socklen_t;
        let (level, option) = (libc::SOL_SOCKET, libc::SO_PEERCRED);
        let got = libc::getsockopt(socket, level, option, (&raw mut peer).cast(), &mut size);
        (got == 0).then_some(peer.pid as u32)
    }
}
