//! Links (`BPF_LINK_CREATE` and the like): what joins a program and what it is to run at, as long as the descriptor is open.

use super::bpf::{bpf_fd, zeroed};
use aya_obj::generated::{bpf_attach_type, bpf_cmd};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

/// Links a perf event to the program that it is to run, which can ask for `cookie` (Linux 5.15).
///
/// # Errors
/// The kernel's; `EINVAL` where it knows no such links.
pub fn link_perf_event(
    event: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    cookie: u64,
) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    // Unions of integers are written member by member; that needs no `unsafe`.
    attr.link_create.__bindgen_anon_1.prog_fd = program.as_raw_fd() as u32;
    attr.link_create.__bindgen_anon_2.target_fd = event.as_raw_fd() as u32;
    attr.link_create.attach_type = bpf_attach_type::BPF_PERF_EVENT as u32;
    attr.link_create.__bindgen_anon_3.perf_event.bpf_cookie = cookie;
    bpf_fd(bpf_cmd::BPF_LINK_CREATE, &mut attr)
}

/// Links a tracepoint, by its name, to the raw tracepoint program that it is to run, which can ask for `cookie`. A cookie other
/// than 0 takes Linux 6.10.
///
/// # Errors
/// The kernel's: `ENOENT` if there is no such tracepoint, `EINVAL` if it has fewer arguments than the program reads.
pub fn link_raw_tracepoint(
    program: BorrowedFd<'_>,
    name: &CStr,
    cookie: u64,
) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    attr.raw_tracepoint.name = name.as_ptr() as u64;
    attr.raw_tracepoint.prog_fd = program.as_raw_fd() as u32;
    attr.raw_tracepoint.cookie = cookie;
    bpf_fd(bpf_cmd::BPF_RAW_TRACEPOINT_OPEN, &mut attr)
}

/// Links kernel functions to the program that they are to run (Linux 5.18).
///
/// # Errors
/// The kernel's; `EINVAL` where it knows no such links, `ESRCH` if there is no function of one of the names.
pub fn link_functions(
    program: BorrowedFd<'_>,
    functions: &[&CStr],
    attach_type: u32,
) -> io::Result<OwnedFd> {
    let names: Vec<u64> = functions.iter().map(|name| name.as_ptr() as u64).collect();
    let mut attr = zeroed();
    attr.link_create.__bindgen_anon_1.prog_fd = program.as_raw_fd() as u32;
    attr.link_create.attach_type = attach_type;
    attr.link_create.__bindgen_anon_3.kprobe_multi.cnt = names.len() as u32;
    attr.link_create.__bindgen_anon_3.kprobe_multi.syms = names.as_ptr() as u64;
    bpf_fd(bpf_cmd::BPF_LINK_CREATE, &mut attr)
}

/// A place in a file of code.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Bytes from the file's beginning.
    pub offset: u64,
    /// Where the counter is that is raised as long as somebody looks, likewise; 0 for none.
    pub counter: u64,
    /// What the program can ask for.
    pub cookie: u64,
}

/// Links places in a file, or on the return of the functions that begin there, to the program that they are to run (Linux 6.6).
///
/// # Errors
/// The kernel's; `EINVAL` where it knows no such links, `EBADF` if the path is no regular file's.
pub fn link_places(
    program: BorrowedFd<'_>,
    path: &CStr,
    places: &[Place],
    on_return: bool,
) -> io::Result<OwnedFd> {
    const ON_RETURN: u32 = 1;
    let offsets: Vec<u64> = places.iter().map(|place| place.offset).collect();
    let counters: Vec<u64> = places.iter().map(|place| place.counter).collect();
    let cookies: Vec<u64> = places.iter().map(|place| place.cookie).collect();
    let mut attr = zeroed();
    attr.link_create.__bindgen_anon_1.prog_fd = program.as_raw_fd() as u32;
    attr.link_create.attach_type = bpf_attach_type::BPF_TRACE_UPROBE_MULTI as u32;
    attr.link_create.__bindgen_anon_3.uprobe_multi.path = path.as_ptr() as u64;
    attr.link_create.__bindgen_anon_3.uprobe_multi.offsets = offsets.as_ptr() as u64;
    attr.link_create
        .__bindgen_anon_3
        .uprobe_multi
        .ref_ctr_offsets = counters.as_ptr() as u64;
    attr.link_create.__bindgen_anon_3.uprobe_multi.cookies = cookies.as_ptr() as u64;
    attr.link_create.__bindgen_anon_3.uprobe_multi.cnt = places.len() as u32;
    attr.link_create.__bindgen_anon_3.uprobe_multi.flags = if on_return { ON_RETURN } else { 0 };
    bpf_fd(bpf_cmd::BPF_LINK_CREATE, &mut attr)
}
