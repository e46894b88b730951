//! The system calls that the standard library lacks, in small safe functions.
//!
//! No policy is here: what a failure means is said by the callers.

pub mod bpf;
pub mod bpf_links;
pub mod guard;
pub mod jvm_attach;
mod names;
pub mod perf;
pub mod process;
pub mod ptrace;
pub mod script_signals;
pub mod signals;
pub mod terminal;

pub use names::{cgroup_id, cgroup_path, signal_name};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Size of a page in bytes.
pub fn page_size() -> usize {
    // SAFETY: reads a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

/// Gives a file that is open a name, which must not be there yet.
///
/// # Errors
/// The kernel's; `EEXIST` if there is such a file.
pub fn link(file: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    let open = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let name = CString::new(name.as_os_str().as_bytes())?;
    let here = libc::AT_FDCWD;
    // SAFETY: both are strings that end in a zero byte and outlive the call.
    let result = unsafe {
        libc::linkat(
            here,
            open.as_ptr(),
            here,
            name.as_ptr(),
            libc::AT_SYMLINK_FOLLOW,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Parses a CPU list of sysfs: `0-3,5`.
pub fn parse_cpus(list: &str) -> Vec<u32> {
    let mut cpus = Vec::new();
    for range in list.trim().split(',').filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            cpus.extend(first..=last);
        }
    }
    cpus
}

/// The CPUs that are online.
///
/// # Errors
/// If sysfs can't be read.
pub fn online_cpus() -> io::Result<Vec<u32>> {
    Ok(parse_cpus(&std::fs::read_to_string(
        "/sys/devices/system/cpu/online",
    )?))
}

/// How many CPUs there can be: per-CPU maps hold a value for each.
///
/// # Errors
/// If sysfs can't be read.
pub fn possible_cpus() -> io::Result<usize> {
    let list = parse_cpus(&std::fs::read_to_string(
        "/sys/devices/system/cpu/possible",
    )?);
    Ok(list.last().map_or(1, |last| *last as usize + 1))
}

/// Waits until one of `fds` is readable or hung up, or `timeout_ms` has passed (−1: for ever). Returns which are; an
/// interrupted wait returns none.
///
/// # Errors
/// The kernel's.
pub fn poll(fds: &[BorrowedFd<'_>], timeout_ms: i32) -> io::Result<Vec<bool>> {
    poll_all(fds, &[], timeout_ms)
}

/// As [`poll`], and until the other side of one of `writers` has gone: the reader of a pipe or socket, or a terminal.
/// Those come behind `fds` in what is returned.
///
/// # Errors
/// The kernel's.
pub fn poll_all(
    fds: &[BorrowedFd<'_>],
    writers: &[BorrowedFd<'_>],
    timeout_ms: i32,
) -> io::Result<Vec<bool>> {
    let entry = |fd: &BorrowedFd<'_>, events| libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    };
    let readers = fds.iter().map(|fd| entry(fd, libc::POLLIN));
    // Without any event asked for, poll(2) tells of POLLERR and POLLHUP alone.
    let writers = writers.iter().map(|fd| entry(fd, 0));
    let mut set: Vec<libc::pollfd> = readers.chain(writers).collect();
    // SAFETY: `set` is a slice of that many elements.
    let result = unsafe { libc::poll(set.as_mut_ptr(), set.len() as libc::nfds_t, timeout_ms) };
    if result < 0 {
        let error = io::Error::last_os_error();
        if error.kind() == io::ErrorKind::Interrupted {
            return Ok(vec![false; set.len()]);
        }
        return Err(error);
    }
    Ok(set.iter().map(|entry| entry.revents != 0).collect())
}

/// Lifts the limit on locked memory, which kernels before 5.11 count maps against.
pub fn lift_memory_lock_limit() -> bool {
    let limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the kernel reads the struct.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit) == 0 }
}

/// How many files this process may have open.
pub fn open_files_limit() -> usize {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel writes the struct.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
    }
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
}

/// Lifts the soft limit on open files to the hard one: a probe may need an event per CPU and function.
pub fn lift_open_files_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel writes, then reads, the struct.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 && limit.rlim_cur < limit.rlim_max
        {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

/// Calls `work` on each of the CPUs that this thread may run on, then lets it run where it did before.
pub fn on_each_cpu(cpus: &[u32], mut work: impl FnMut()) {
    const SIZE: usize = std::mem::size_of::<libc::cpu_set_t>();
    // SAFETY: a set of bits, for which zero is a value; the kernel writes at most the size that it is told.
    let (before, known) = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let status = libc::sched_getaffinity(0, SIZE, &mut set);
        (set, status == 0)
    };
    if !known {
        return;
    }
    for &cpu in cpus {
        if cpu as usize >= SIZE * 8 {
            continue;
        }
        // SAFETY: as above; the CPU's bit is inside the set.
        let moved = unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(cpu as usize, &mut set);
            libc::sched_setaffinity(0, SIZE, &set) == 0
        };
        if moved {
            work();
        }
    }
    // SAFETY: the set that the kernel gave.
    unsafe {
        libc::sched_setaffinity(0, SIZE, &before);
    }
}

/// Waits until all programs that run now have ended, but for those that sleep.
pub fn wait_for_programs() {
    // MEMBARRIER_CMD_GLOBAL waits for a grace period of RCU (kernel/sched/membarrier.c), which programs are readers of.
    const GLOBAL: libc::c_int = 1;
    // SAFETY: takes and returns integers.
    let waited = unsafe { libc::syscall(libc::SYS_membarrier, GLOBAL, 0, 0) == 0 };
    if !waited {
        // Kernels with CPUs that have no timer tick refuse. A program that cannot be preempted is over when its CPU has
        // run this thread.
        on_each_cpu(&online_cpus().unwrap_or_default(), || {});
    }
}

/// `CLOCK_BOOTTIME` or another clock, in nanoseconds.
pub fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes the struct; a clock that it does not know leaves it zero.
    unsafe {
        libc::clock_gettime(clock, &mut time);
    }
    (time.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_have_ranges() {
        assert_eq!(parse_cpus("0-2,5,7-8\n"), vec![0, 1, 2, 5, 7, 8]);
        assert_eq!(parse_cpus("\n"), Vec::<u32>::new());
        assert_eq!(parse_cpus("0"), vec![0]);
    }
}
