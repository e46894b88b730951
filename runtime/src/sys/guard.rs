//! The guard of a command: a process between the tracer and the command that outlives the tracer by moments, and ends
//! everything that the command has started.
//!
//! The guard is the parent of the command, and takes in what the command's descendants leave behind when they end
//! (`PR_SET_CHILD_SUBREAPER`), daemons too, whatever user they became. So its children are all that it must know: when one
//! is ended, those below it become children in turn. In comes a pipe whose end is the tracer's, out goes the command's
//! wait status. When to end it, and what its status means, is the caller's business.
//!
//! Between fork and the end there are async-signal-safe calls alone, since the tracer may have had other threads.

use std::os::fd::RawFd;

/// How long a command may take to end after SIGTERM.
const GRACE_MS: u64 = 2000;
/// How long the guard goes on ending what is left then. There is an end to it, for what a user started who is not root may
/// have become root's, or fork faster than it is found.
const LIMIT_MS: u64 = 5000;
/// How long all of it takes at most, with room for a busy machine.
pub const END_MS: i32 = (GRACE_MS + LIMIT_MS + 3000) as i32;
/// Processes that are remembered to have had SIGTERM, so that none gets it twice. Any others get SIGKILL alone.
const ASKED: usize = 1024;

/// What the tracer writes to ask for an end; if the pipe closes without it, the tracer was killed.
pub const PLEASE: u8 = b'e';

/// What the guard is given.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// The command's process, its child.
    pub command: libc::pid_t,
    /// Reading end of the pipe from the tracer.
    pub control: RawFd,
    /// Writing end of the pipe to the tracer: the command's pid and then its wait status, as 4 bytes each.
    pub status: RawFd,
}

/// What the guard does until everything has ended. All signals must be blocked.
///
/// # Safety
/// Only in a child just forked, after it has forked the command.
pub unsafe fn guard(watch: Watch) -> ! {
    let Watch { command, .. } = watch;
    // SAFETY: integers, descriptors of this process, and buffers of the sizes that are said.
    unsafe {
        // What is signalled with the tracer's group is not signalled here.
        libc::setpgid(0, 0);
        // Whoever reads the tracer's output is not kept waiting by a copy of it.
        let (control, status) = keep(watch.control, watch.status);
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&mut signals, libc::SIGCHLD);
        let ended = libc::signalfd(-1, &signals, libc::SFD_NONBLOCK);
        tell(status, command);
        let mut running = true;
        loop {
            let mut fds = [polled(control), polled(ended)];
            libc::poll(fds.as_mut_ptr(), 2, -1);
            drain(ended);
            running &= reap(command, status) != Reaped::Command;
            let [asked, _] = fds;
            if asked.revents != 0 {
                break;
            }
        }
        let mut byte = 0_u8;
        let politely = libc::read(control, (&raw mut byte).cast(), 1) == 1 && byte == PLEASE;
        end(running.then_some(command), status, ended, politely);
        libc::_exit(0)
    }
}

/// Moves the two descriptors to 0 and 1, and closes all others.
unsafe fn keep(control: RawFd, status: RawFd) -> (RawFd, RawFd) {
    // SAFETY: descriptors of this process; above 2 for the moment, so that neither overwrites the other.
    unsafe {
        let control = libc::fcntl(control, libc::F_DUPFD, 3);
        let status = libc::fcntl(status, libc::F_DUPFD, 3);
        libc::dup2(control, 0);
        libc::dup2(status, 1);
        // Linux 5.9.
        libc::syscall(libc::SYS_close_range, 2_u32, u32::MAX, 0_u32);
    }
    (0, 1)
}

fn polled(fd: RawFd) -> libc::pollfd {
    libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    }
}

unsafe fn tell(to: RawFd, number: i32) {
    let bytes = number.to_ne_bytes();
    // SAFETY: as many bytes as there are.
    unsafe {
        libc::write(to, bytes.as_ptr().cast(), bytes.len());
    }
}

unsafe fn drain(signals: RawFd) {
    let mut buffer = [0_u8; 512];
    // SAFETY: at most as many bytes as there are.
    while unsafe { libc::read(signals, buffer.as_mut_ptr().cast(), buffer.len()) } > 0 {}
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reaped {
    /// None has ended, or others than the command.
    Others,
    /// The command.
    Command,
    /// There are no children left.
    All,
}

/// Takes the status of the children that have ended, and passes the command's on.
unsafe fn reap(command: libc::pid_t, status: RawFd) -> Reaped {
    let mut reaped = Reaped::Others;
    loop {
        let mut value = 0;
        // SAFETY: the kernel writes `value`.
        let pid = unsafe { libc::waitpid(-1, &mut value, libc::WNOHANG) };
        match pid {
            0 => return reaped,
            -1 => {
                return match reaped {
                    Reaped::Command => reaped,
                    _ => Reaped::All,
                };
            }
            _ if pid == command => {
                // SAFETY: a descriptor of this process, or −1.
                unsafe { tell(status, value) };
                reaped = Reaped::Command;
            }
            _ => {}
        }
    }
}

/// Ends all children, and what becomes a child by that: with SIGTERM first, if `politely`, then with SIGKILL.
unsafe fn end(mut command: Option<libc::pid_t>, status: RawFd, ended: RawFd, politely: bool) {
    let now = || super::clock_ns(libc::CLOCK_MONOTONIC) / 1_000_000;
    let begin = now();
    let grace = if politely { GRACE_MS } else { 0 };
    let mut asked = [0; ASKED];
    let mut count = 0;
    // SAFETY: the pids are those of children, none of which has been reaped since they were found.
    unsafe {
        loop {
            match reap(command.unwrap_or(0), status) {
                Reaped::All => return,
                Reaped::Command => command = None,
                Reaped::Others => {}
            }
            let passed = now().saturating_sub(begin);
            if passed > grace + LIMIT_MS {
                return;
            }
            each_child(command, |pid| {
                if passed >= grace {
                    libc::kill(pid, libc::SIGKILL);
                } else if !asked.contains(&pid)
                    && let Some(place) = asked.get_mut(count)
                {
                    *place = pid;
                    count += 1;
                    libc::kill(pid, libc::SIGTERM);
                    // One that is stopped would not see it.
                    libc::kill(pid, libc::SIGCONT);
                }
            });
            let mut fds = [polled(ended)];
            libc::poll(fds.as_mut_ptr(), 1, 50);
            drain(ended);
        }
    }
}

/// Calls `found` with each child of this process. Where `/proc` is of another pid namespace, the numbers in it mean other
/// processes: then with the command alone, if that is not reaped yet.
fn each_child(command: Option<libc::pid_t>, mut found: impl FnMut(libc::pid_t)) {
    // SAFETY: integers, C strings, and buffers of the sizes that are said.
    unsafe {
        let own = libc::getpid();
        let mut link = [0_u8; 16];
        let length = libc::readlink(c"/proc/self".as_ptr(), link.as_mut_ptr().cast(), link.len());
        let proc_is_ours = usize::try_from(length)
            .ok()
            .and_then(|length| link.get(..length))
            .and_then(number)
            == Some(own);
        let folder = libc::open(c"/proc".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY);
        if !proc_is_ours || folder < 0 {
            libc::close(folder);
            return command.into_iter().for_each(found);
        }
        // Aligned for the kernel's structures.
        let mut buffer = [0_u64; 1024];
        loop {
            let size = size_of_val(&buffer);
            let got = libc::syscall(
                libc::SYS_getdents64,
                folder,
                buffer.as_mut_ptr(),
                size as libc::c_uint,
            );
            let Ok(got @ 1..) = usize::try_from(got) else {
                break;
            };
            let bytes = std::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), got.min(size));
            for name in names(bytes) {
                if let Some(pid) = number(name)
                    && parent(name) == Some(own)
                {
                    found(pid);
                }
            }
        }
        libc::close(folder);
    }
}

/// The names in what getdents64(2) gave: of each entry `u64 inode, i64 offset, u16 length, u8 type, char name[]`.
fn names(mut entries: &[u8]) -> impl Iterator<Item = &[u8]> {
    const LENGTH: usize = 16;
    const NAME: usize = 19;
    std::iter::from_fn(move || {
        let length = entries.get(LENGTH..LENGTH + 2)?.try_into().ok()?;
        let length = usize::from(u16::from_ne_bytes(length));
        let name = entries.get(NAME..length)?;
        entries = entries.get(length..)?;
        let end = name.iter().position(|byte| *byte == 0);
        name.get(..end.unwrap_or(name.len()))
    })
}

/// A decimal number.
fn number(digits: &[u8]) -> Option<i32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i32, |number, byte| match byte {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(i32::from(byte - b'0')),
        _ => None,
    })
}

/// The parent of a process, whose number is given as text.
fn parent(pid: &[u8]) -> Option<i32> {
    // The number, the name of at most 64 bytes, the state and the parent come first.
    let mut text = [0_u8; 256];
    let mut path = [0_u8; 32];
    let parts = [&b"/proc/"[..], pid, b"/stat\0"];
    let mut length = 0;
    for part in parts {
        path.get_mut(length..length + part.len())?
            .copy_from_slice(part);
        length += part.len();
    }
    // SAFETY: a string that ends in NUL, and a buffer of the size that is said.
    let got = unsafe {
        let file = libc::open(path.as_ptr().cast(), libc::O_RDONLY);
        let got = libc::read(file, text.as_mut_ptr().cast(), text.len());
        libc::close(file);
        got
    };
    parent_in(text.get(..usize::try_from(got).ok()?)?)
}

/// The parent in the text of `/proc/PID/stat`: `PID (NAME) STATE PARENT …`, where the name may hold anything.
fn parent_in(stat: &[u8]) -> Option<i32> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut words = stat
        .get(name_end + 1..)?
        .split(|byte| *byte == b' ')
        .skip(1);
    words.next()?;
    number(words.next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_behind_a_name_of_any_kind() {
        assert_eq!(parent_in(b"12 (sh) S 7 12 12 0 -1"), Some(7));
        assert_eq!(parent_in(b"12 (a) b) R 1 (x) Z 3 4"), Some(3));
        assert_eq!(parent_in(b"12 (sh"), None);
        assert_eq!(parent_in(b""), None);
        assert_eq!(number(b"99999999999"), None);
        assert_eq!(number(b"self"), None);
    }

    #[test]
    fn children_are_found() {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let mut found = Vec::new();
        each_child(None, |pid| found.push(pid));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&(child.id() as i32)), "{found:?}");
        assert!(!found.contains(&(std::process::id() as i32)));
    }
}
