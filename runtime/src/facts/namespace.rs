//! The pid namespace that the tracer runs in: whose process ids it takes, gives and prints.

use std::os::unix::fs::MetadataExt as _;

/// The inode number of the initial pid namespace (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
const INITIAL: u32 = 0xefff_fffc;

/// The namespace's inode number; none for the initial one, and where there is no `/proc` to tell.
pub(crate) fn pid() -> Option<u32> {
    let inode = std::fs::metadata("/proc/self/ns/pid").ok()?.ino() as u32;
    (inode != INITIAL).then_some(inode)
}

/// Whether `/proc` shows the processes of another namespace than ours, as it does after `unshare --pid` without
/// `--mount-proc`: its ids mean other processes, so what it says of one would be taken for another's.
pub(crate) fn proc_is_foreign() -> bool {
    // The link is the reader's id in the namespace that was mounted; it is empty or missing where it has none there.
    match std::fs::read_link("/proc/self") {
        Ok(own) => own.to_str() != Some(&std::process::id().to_string()),
        Err(_) => std::path::Path::new("/proc/version").exists(),
    }
}
