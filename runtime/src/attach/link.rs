//! Links: attachments that are objects of their own, with a descriptor that ends them when it is closed, and with a cookie
//! that the program can ask for.
//!
//! Perf links (Linux 5.15) join an open perf event and a program; the program then runs whenever the event fires, for
//! tracepoints and kprobes from that moment on. How events are opened is not said here.

use super::errors::refused;
use crate::error::Error;
use crate::sys::bpf;
use pfscript_compiler::manifest::ProbeManifest;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Links a perf event to a program, which will be told `cookie`.
///
/// # Errors
/// As [`refused`] explains.
pub fn perf(
    event: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    cookie: u64,
    info: &ProbeManifest,
) -> Result<OwnedFd, Error> {
    bpf::link_perf_event(event, program, cookie).map_err(|error| refused(&error, info))
}
