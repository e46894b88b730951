//! What the C library calls signals, and where the kernel has a cgroup.

use std::ffi::CStr;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

/// What a signal is called, `N/A` for what is none.
pub fn signal_name(signal: i64) -> String {
    /// The highest on Linux.
    const LAST: i64 = 64;
    match i32::try_from(signal) {
        Ok(signal) if (0..=LAST).contains(&signal.into()) => {
            // SAFETY: the C library gives a string that stays as it is until the next call, and no other thread calls.
            let name = unsafe { CStr::from_ptr(libc::strsignal(signal)) };
            name.to_string_lossy().into_owned()
        }
        _ => "N/A".to_owned(),
    }
}

/// `struct file_handle` with the id of a node of kernfs.
#[repr(C)]
struct Handle {
    bytes: u32,
    kind: i32,
    id: u64,
}

/// The path of a cgroup (version 2) within its hierarchy, by its id; `None` if there is none or it can't be asked for.
pub fn cgroup_path(id: u64) -> Option<Vec<u8>> {
    /// `FILEID_KERNFS` (include/linux/exportfs.h)
    const KERNFS: i32 = 0xfe;
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .into_iter()
        .find_map(|mount| {
            let folder = std::fs::File::open(mount).ok()?;
            let mut handle = Handle {
                bytes: 8,
                kind: KERNFS,
                id,
            };
            // SAFETY: the kernel reads the handle, whose length it says, and gives a new descriptor or an error.
            let found = unsafe {
                let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
                let handle = &raw mut handle;
                let fd = libc::syscall(
                    libc::SYS_open_by_handle_at,
                    folder.as_raw_fd(),
                    handle,
                    flags,
                );
                (fd >= 0).then(|| OwnedFd::from_raw_fd(fd as i32))?
            };
            let path = std::fs::read_link(format!("/proc/self/fd/{}", found.as_raw_fd())).ok()?;
            let within = path.strip_prefix(mount).ok()?;
            Some([b"/", within.as_os_str().as_bytes()].concat())
        })
}
