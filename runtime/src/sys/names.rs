//! What the C library calls signals, and where the kernel has a cgroup.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

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

/// The id of the cgroup (version 2) whose folder is at a path, which is the number of its inode; `None` if it is the folder
/// of something else.
///
/// # Errors
/// If there is no such folder, or it can't be opened.
pub fn cgroup_id(path: &Path) -> io::Result<Option<u64>> {
    // Devices may act on being opened, and a named pipe waits.
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(None);
    }
    let folder = std::fs::File::open(path)?;
    // SAFETY: a struct of integers, for which zero is a value.
    let mut system: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes the struct, which is of that type.
    if unsafe { libc::fstatfs(folder.as_raw_fd(), &raw mut system) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let is_cgroup = system.f_type == libc::CGROUP2_SUPER_MAGIC;
    Ok(is_cgroup.then_some(folder.metadata()?.ino()))
}
