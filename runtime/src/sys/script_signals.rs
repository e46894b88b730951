//! The signals that a script may have probes of: SIGUSR1 and SIGUSR2.
//!
//! In come signals, out goes a descriptor for each kind that is readable once one has come. Those that come before it was
//! asked are one, as they are to the kernel.

use super::process::{eventfd, raise_raw};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

const SIGNALS: [libc::c_int; 2] = [libc::SIGUSR1, libc::SIGUSR2];

/// The descriptors that the handler raises, in the order of [`SIGNALS`]; −1 while none is installed.
static RAISED: [AtomicI32; SIGNALS.len()] = [AtomicI32::new(-1), AtomicI32::new(-1)];

extern "C" fn on_signal(signal: libc::c_int) {
    for (known, fd) in SIGNALS.iter().zip(&RAISED) {
        let fd = fd.load(Ordering::Relaxed);
        if *known == signal && fd >= 0 {
            // SAFETY: `errno` is this thread's own.
            let errno = unsafe { *libc::__errno_location() };
            raise_raw(fd);
            // SAFETY: as above.
            unsafe { *libc::__errno_location() = errno };
        }
    }
}

/// A handler for a signal while it lives.
#[derive(Debug)]
pub struct ScriptSignal {
    number: libc::c_int,
    fd: OwnedFd,
    before: libc::sigaction,
}

impl ScriptSignal {
    /// Installs the handler. There can be one such value in a process for each signal.
    ///
    /// # Errors
    /// `EBUSY` if there is one already, `EINVAL` for a signal that no script has, else the kernel's.
    pub fn install(number: i32) -> io::Result<ScriptSignal> {
        let raised = raised(number).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
        let fd = eventfd()?;
        raised
            .compare_exchange(-1, fd.as_raw_fd(), Ordering::Relaxed, Ordering::Relaxed)
            .map_err(|_| io::Error::from_raw_os_error(libc::EBUSY))?;
        // SAFETY: a struct of integers and optional pointers, for which all zeroes is a value.
        let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: as above; the handler loads a number and calls write(2), which a handler may.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(libc::c_int) = on_signal;
            action.sa_sigaction = handler as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(number, &action, &mut before);
        }
        Ok(ScriptSignal { number, fd, before })
    }

    /// Its number.
    pub fn number(&self) -> i32 {
        self.number
    }

    /// Readable once the signal has come.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Whether the signal has come since this was asked last.
    pub fn take(&self) -> bool {
        let mut count = [0_u8; 8];
        // SAFETY: reads at most 8 bytes into an array of 8, from a descriptor that does not block.
        let read =
            unsafe { libc::read(self.fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
        read == count.len() as isize
    }
}

impl Drop for ScriptSignal {
    fn drop(&mut self) {
        // SAFETY: restores what the kernel reported when the handler was installed.
        unsafe {
            libc::sigaction(self.number, &self.before, std::ptr::null_mut());
        }
        if let Some(raised) = raised(self.number) {
            raised.store(-1, Ordering::Relaxed);
        }
    }
}

fn raised(number: i32) -> Option<&'static AtomicI32> {
    let at = SIGNALS.iter().position(|signal| *signal == number)?;
    RAISED.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_that_come_before_it_is_asked_are_one() {
        let signal = ScriptSignal::install(libc::SIGUSR2).unwrap();
        assert!(!signal.take());
        for _ in 0..3 {
            // SAFETY: raises a signal that has a handler.
            unsafe { libc::raise(libc::SIGUSR2) };
        }
        assert!(signal.take());
        assert!(!signal.take());
        assert_eq!(
            ScriptSignal::install(libc::SIGUSR2)
                .unwrap_err()
                .raw_os_error(),
            Some(libc::EBUSY)
        );
        assert_eq!(
            ScriptSignal::install(libc::SIGTERM)
                .unwrap_err()
                .raw_os_error(),
            Some(libc::EINVAL)
        );
        drop(signal);
        ScriptSignal::install(libc::SIGUSR2).unwrap();
    }
}
