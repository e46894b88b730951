//! The wall-clock time as a script wants it written.
//!
//! In comes a `strftime` format, out goes text in the system's time zone. Timestamps of events are not made here.

use std::ffi::CString;

/// The local wall-clock time now, by `strftime`'s rules. A format without a result, or one with a zero byte, gives
/// nothing.
pub fn local_time(format: &str) -> Vec<u8> {
    let Ok(format) = CString::new(format) else {
        return Vec::new();
    };
    let mut out = vec![0_u8; 256 + 16 * format.as_bytes().len()];
    // SAFETY: `now` and `parts` are structs of integers (and a pointer into static memory that `localtime_r` sets), all
    // zeroes being values of them; strftime writes at most `out.len()` bytes and returns how many.
    let written = unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut parts: libc::tm = std::mem::zeroed();
        libc::localtime_r(&now, &mut parts);
        libc::strftime(out.as_mut_ptr().cast(), out.len(), format.as_ptr(), &parts)
    };
    out.truncate(written);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_follows_strftime() {
        assert_eq!(local_time("%%|%n"), b"%|\n");
        assert_eq!(local_time("%H:%M:%S\n").len(), 9);
        assert_eq!(local_time("a\0b"), b"");
        assert_eq!(local_time(""), b"");
    }
}
