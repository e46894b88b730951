//! What a terminal is like, and whose it is at the moment.

use std::os::fd::{AsRawFd as _, BorrowedFd};

/// How many columns it has; `None` if it is no terminal, or one that does not know.
pub fn columns(fd: BorrowedFd<'_>) -> Option<usize> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the kernel writes `size`.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGWINSZ, &mut size) };
    (result == 0 && size.ws_col > 0).then_some(size.ws_col.into())
}

/// Whether this process is in the foreground there: whether what it writes is what is looked at.
pub fn is_foreground(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: takes and returns integers.
    unsafe { libc::tcgetpgrp(fd.as_raw_fd()) == libc::getpgrp() }
}
