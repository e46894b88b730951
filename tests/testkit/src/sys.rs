//! bpf(2) itself: the attributes are those that aya-obj generated from the kernel's headers. The runtime has a call of its own,
//! so that its tests do not test themselves.

use aya_obj::generated::{bpf_attr, bpf_cmd};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::Once;

/// An all-zero attribute block, as the kernel wants unused fields.
pub fn zeroed() -> bpf_attr {
    // SAFETY: the union's members are integers and arrays of integers, for which all zeroes is a value.
    unsafe { std::mem::zeroed() }
}

/// Calls bpf(2). What the addresses in the attributes point to must be as large as the command takes it to be, and live.
pub fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<i32> {
    lift_memory_lock_limit();
    // SAFETY: the attributes are live and their size is passed; the callers, all in this crate, see to what they
    // point to.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_long,
            std::ptr::from_mut(attr),
            size_of::<bpf_attr>(),
        )
    };
    match result {
        ..0 => Err(io::Error::last_os_error()),
        value => Ok(i32::try_from(value).expect("bpf(2) returns an int")),
    }
}

/// Calls a command that makes a descriptor.
pub fn bpf_fd(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<OwnedFd> {
    let fd = bpf(command, attr)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The address of what is referred to, for an attribute.
pub fn address<T: ?Sized>(of: &T) -> u64 {
    std::ptr::from_ref(of).cast::<u8>() as u64
}

/// Maps and programs count against this limit before Linux 5.11. Later kernels do without, so that a refusal is no matter.
fn lift_memory_lock_limit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let unlimited = libc::rlimit {
            rlim_cur: libc::RLIM_INFINITY,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: reads a live structure.
        unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &unlimited) };
    });
}
