//! Running a process and what it took.

use std::io;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// What a process and the children that it waited for took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub wall: Duration,
    /// User and system time.
    pub cpu: Duration,
    /// Peak resident memory of the biggest of them, in KiB. No less than this process had when it forked.
    pub peak_kib: u64,
}

/// Runs a command to its end, which must be a success.
pub fn run(command: &mut Command) -> Result<Usage, String> {
    let start = Instant::now();
    let child = command.spawn().map_err(|error| describe(command, &error))?;
    let (status, usage) = wait(child, start).map_err(|error| describe(command, &error))?;
    if status != 0 {
        return Err(describe(command, &format_args!("wait status {status:#x}")));
    }
    Ok(usage)
}

fn describe(command: &Command, error: &dyn std::fmt::Display) -> String {
    format!("{command:?}: {error}")
}

/// Waits for a child; its wait status, and what it took since `start`.
pub fn wait(child: Child, start: Instant) -> io::Result<(i32, Usage)> {
    let mut status = 0;
    // SAFETY: a struct of integers, for which all zeroes is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes `status` and `usage`. The child has not been waited for, so the id is still its own.
    let result = unsafe { libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    let taken = Usage {
        wall: start.elapsed(),
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak_kib: usage.ru_maxrss as u64,
    };
    Ok((status, taken))
}

/// Asks a child to end, as Ctrl-C does.
pub fn interrupt(child: &Child) {
    // SAFETY: takes integers; the child has not been waited for, so the id is still its own.
    unsafe {
        libc::kill(child.id() as libc::pid_t, libc::SIGINT);
    }
}

/// The median; 0 of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}
