//! The signals that end a session: SIGINT, SIGTERM and SIGHUP.
//!
//! In come signals, out goes a descriptor that is readable once one has come. What a further one does depends on what the
//! session is doing, which it says here: results are not lost to it, but it gets a user out of printing that does not end.

use super::process::{eventfd, raise_raw};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};

/// What a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Phase {
    /// It has no results yet: a further signal ends the process.
    Starting,
    /// It has results that are not printed yet: a further signal ends the process only where the output does not take
    /// what is written.
    Tracing,
    /// It prints the last results: a further signal ends the process.
    Printing,
    /// Everything is printed: a further signal ends the process.
    Done,
}

const END_SIGNALS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// Signals within this time are one wish: timeout(1) signals its child and then its whole group, and a closed terminal may
/// come with a SIGHUP from the kernel, one from the shell, and a SIGTERM.
const ONE_WISH_NS: u64 = 1_000_000_000;

const INCOMPLETE: &[u8] = b"pfscript: stopped by a second signal, so the output is incomplete\n";

/// The descriptor that the handler raises; −1 while no handler is installed.
static SIGNALLED: AtomicI32 = AtomicI32::new(-1);
static PHASE: AtomicU32 = AtomicU32::new(Phase::Starting as u32);
static WRITING: AtomicBool = AtomicBool::new(false);
/// When the first signal came (`CLOCK_MONOTONIC`, 0: none yet).
static FIRST_NS: AtomicU64 = AtomicU64::new(0);

/// What a signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Nothing: it repeats another, or there is more to lose than to gain.
    None,
    /// It ends tracing.
    End,
    /// It ends the process, with a word on what that cuts off if there is anything.
    Die { cut: bool },
}

/// What a signal does that comes at `now` ns, when the first one came at `first` (0: none yet).
fn answer(now: u64, first: u64, phase: u32, writing: bool) -> Answer {
    if first == 0 {
        Answer::End
    } else if now.saturating_sub(first) < ONE_WISH_NS {
        Answer::None
    } else if phase == Phase::Starting as u32 || phase == Phase::Done as u32 {
        Answer::Die { cut: false }
    } else if phase == Phase::Printing as u32 || writing {
        Answer::Die { cut: true }
    } else {
        Answer::None
    }
}

extern "C" fn on_end_signal(signal: libc::c_int) {
    // Relaxed throughout: each word stands for itself, and no two handlers run at a time.
    const ORDER: Ordering = Ordering::Relaxed;
    // The clock never stands at 0 when a process runs, and 0 means never.
    let now = super::clock_ns(libc::CLOCK_MONOTONIC).max(1);
    let answer = answer(
        now,
        FIRST_NS.load(ORDER),
        PHASE.load(ORDER),
        WRITING.load(ORDER),
    );
    // SAFETY: the signal and `errno` are this process's own; write(2), signal(2) and raise(3) may be called in a handler.
    unsafe {
        let errno = *libc::__errno_location();
        match answer {
            Answer::None => {}
            Answer::End => {
                FIRST_NS.store(now, ORDER);
                let fd = SIGNALLED.load(ORDER);
                if fd >= 0 {
                    raise_raw(fd);
                }
            }
            Answer::Die { cut } => {
                if cut {
                    libc::write(
                        libc::STDERR_FILENO,
                        INCOMPLETE.as_ptr().cast(),
                        INCOMPLETE.len(),
                    );
                }
                // Blocked until the handler returns.
                libc::signal(signal, libc::SIG_DFL);
                libc::raise(signal);
            }
        }
        *libc::__errno_location() = errno;
    }
}

/// Handlers for SIGINT, SIGTERM and SIGHUP while it lives. SIGHUP stays ignored where it was (nohup(1)).
#[derive(Debug)]
pub struct EndSignals {
    fd: OwnedFd,
    before: [libc::sigaction; END_SIGNALS.len()],
}

impl EndSignals {
    /// Installs the handlers. There can be one such value in a process.
    ///
    /// # Errors
    /// `EBUSY` if there is one already, else the kernel's.
    pub fn install() -> io::Result<EndSignals> {
        let fd = eventfd()?;
        SIGNALLED
            .compare_exchange(-1, fd.as_raw_fd(), Ordering::Relaxed, Ordering::Relaxed)
            .map_err(|_| io::Error::from_raw_os_error(libc::EBUSY))?;
        FIRST_NS.store(0, Ordering::Relaxed);
        // SAFETY: structs of integers and optional pointers, for which all zeroes is a value.
        let mut before: [libc::sigaction; END_SIGNALS.len()] = unsafe { std::mem::zeroed() };
        for (signal, before) in END_SIGNALS.iter().zip(&mut before) {
            // SAFETY: as above; the handler does only what a handler may.
            unsafe {
                libc::sigaction(*signal, std::ptr::null(), before);
                if *signal == libc::SIGHUP && before.sa_sigaction == libc::SIG_IGN {
                    continue;
                }
                let mut action: libc::sigaction = std::mem::zeroed();
                let handler: extern "C" fn(libc::c_int) = on_end_signal;
                action.sa_sigaction = handler as libc::sighandler_t;
                // One at a time, so that what one reads no other changes.
                for other in END_SIGNALS {
                    libc::sigaddset(&mut action.sa_mask, other);
                }
                libc::sigaction(*signal, &action, std::ptr::null_mut());
            }
        }
        let signals = EndSignals { fd, before };
        signals.phase(Phase::Starting);
        signals.writing(false);
        Ok(signals)
    }

    /// Readable once a signal has come.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Says what the session does from now on.
    pub fn phase(&self, phase: Phase) {
        PHASE.store(phase as u32, Ordering::Relaxed);
    }

    /// Says whether the session is writing to its output, which may take for ever.
    pub fn writing(&self, writing: bool) {
        WRITING.store(writing, Ordering::Relaxed);
    }
}

impl Drop for EndSignals {
    fn drop(&mut self) {
        for (signal, before) in END_SIGNALS.iter().zip(&self.before) {
            // SAFETY: restores what the kernel reported when the handlers were installed.
            unsafe {
                libc::sigaction(*signal, before, std::ptr::null_mut());
            }
        }
        SIGNALLED.store(-1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = ONE_WISH_NS;
    const PHASES: [Phase; 4] = [
        Phase::Starting,
        Phase::Tracing,
        Phase::Printing,
        Phase::Done,
    ];

    #[test]
    fn the_first_signal_ends_tracing_whatever_happens() {
        for phase in PHASES {
            for writing in [false, true] {
                assert_eq!(answer(5, 0, phase as u32, writing), Answer::End);
            }
        }
    }

    #[test]
    fn signals_within_a_second_are_one() {
        for phase in PHASES {
            for writing in [false, true] {
                let soon = answer(9 + SECOND, 10, phase as u32, writing);
                assert_eq!(soon, Answer::None);
            }
        }
    }

    #[test]
    fn a_further_signal_cuts_output_and_nothing_else() {
        let later = |phase, writing| answer(10 + SECOND, 10, phase as u32, writing);
        let cut = Answer::Die { cut: true };
        assert_eq!(later(Phase::Printing, false), cut);
        assert_eq!(later(Phase::Printing, true), cut);
        assert_eq!(later(Phase::Tracing, true), cut);
        assert_eq!(later(Phase::Tracing, false), Answer::None);
        for phase in [Phase::Starting, Phase::Done] {
            assert_eq!(later(phase, false), Answer::Die { cut: false });
        }
    }
}
