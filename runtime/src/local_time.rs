//! The wall-clock time as a script wants it written.
//!
//! In come a `strftime` format and a time, out goes text in the system's time zone.

use crate::sys;
use std::ffi::CString;
use std::sync::LazyLock;

const SECOND_NS: i128 = 1_000_000_000;

/// What the wall clock is ahead of the time since boot, in nanoseconds: one number for a session, so that times of events are as
/// far apart as the events.
static AHEAD_NS: LazyLock<i128> = LazyLock::new(|| {
    i128::from(sys::clock_ns(libc::CLOCK_REALTIME))
        - i128::from(sys::clock_ns(libc::CLOCK_BOOTTIME))
});

/// The same number.
pub fn real_ahead_ns() -> i128 {
    *AHEAD_NS
}

/// The local wall-clock time now, by `strftime`'s rules. A format without a result, or one with a zero byte, gives
/// nothing.
pub fn local_time(format: &str) -> Vec<u8> {
    let now = sys::clock_ns(libc::CLOCK_REALTIME);
    formatted(format, now.into(), Zone::Local)
}

/// The same of a moment, in nanoseconds since boot. `%f` are its microseconds, six digits.
pub fn since_boot(format: &str, nsecs: u64) -> Vec<u8> {
    let time = *AHEAD_NS + i128::from(nsecs);
    let micros = format!("{:06}", time.rem_euclid(SECOND_NS) / 1000);
    formatted(&with_micros(format, &micros), time, Zone::Local)
}

/// Which time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// That of the system's time zone.
    Local,
    /// Universal time.
    Utc,
}

/// A moment, in nanoseconds since 1970, by `strftime`'s rules.
pub fn since_1970(format: &str, nsecs: u64, zone: Zone) -> Vec<u8> {
    formatted(format, nsecs.into(), zone)
}

/// Puts in the microseconds for each `%f`.
fn with_micros(format: &str, micros: &str) -> String {
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        let (before, conversion) = rest.split_at(at);
        let length = conversion.chars().take(2).map(char::len_utf8).sum();
        let (conversion, behind) = conversion.split_at(length);
        out.push_str(before);
        out.push_str(if conversion == "%f" {
            micros
        } else {
            conversion
        });
        rest = behind;
    }
    out + rest
}

/// A time in nanoseconds since 1970.
fn formatted(format: &str, time: i128, zone: Zone) -> Vec<u8> {
    let (Ok(format), Ok(seconds)) = (
        CString::new(format),
        libc::time_t::try_from(time.div_euclid(SECOND_NS)),
    ) else {
        return Vec::new();
    };
    let mut out = vec![0_u8; 256 + 16 * format.as_bytes().len()];
    // SAFETY: `parts` is a struct of integers (and a pointer into static memory that the two set), all
    // zeroes being values of them; strftime writes at most `out.len()` bytes and returns how many.
    let written = unsafe {
        let mut parts: libc::tm = std::mem::zeroed();
        match zone {
            Zone::Local => libc::localtime_r(&seconds, &mut parts),
            Zone::Utc => libc::gmtime_r(&seconds, &mut parts),
        };
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

    #[test]
    fn microseconds_are_put_in() {
        assert_eq!(with_micros("%f %%f é%", "000123"), "000123 %%f é%");
        let micros = |nsecs| {
            let text = String::from_utf8(since_boot("%s%f", nsecs)).unwrap();
            text.parse::<u64>().unwrap()
        };
        assert_eq!(micros(1_000_123_000) - micros(0), 1_000_123);
    }
}
