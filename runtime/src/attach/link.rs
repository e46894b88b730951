//! Links: attachments that are objects of their own, with a descriptor that ends them when it is closed, and with a cookie
//! that the program can ask for.
//!
//! Perf links (Linux 5.15) join an open perf event and a program; the program then runs whenever the event fires, for
//! tracepoints and kprobes from that moment on. How events are opened is not said here. Other links join a program and what
//! an attach point names, without an event.

use super::errors::{cannot, refused};
use crate::error::{Error, ErrorKind};
use crate::sys::bpf_links;
use pfscript_compiler::manifest::{Attach, ProbeManifest};
use std::ffi::CString;
use std::io;
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
    bpf_links::link_perf_event(event, program, cookie).map_err(|error| refused(&error, info))
}

/// Links what an attach point names to a program, which will be told `cookie` if there is one.
///
/// # Errors
/// [`ErrorKind::Permission`] or [`ErrorKind::Attach`], naming the probe and what the kernel's answer means.
pub fn direct(
    attach: &Attach,
    program: BorrowedFd<'_>,
    cookie: Option<u64>,
    info: &ProbeManifest,
) -> Result<OwnedFd, Error> {
    match attach {
        Attach::RawTracepoint { name } => {
            let bytes = CString::new(name.as_str()).map_err(|_| {
                Error::new(ErrorKind::Bug, "a tracepoint's name contains a zero byte")
            })?;
            bpf_links::link_raw_tracepoint(program, &bytes, cookie.unwrap_or(0))
                .map_err(|error| refused_tracepoint(&error, name, info))
        }
        Attach::Begin
        | Attach::End
        | Attach::Signal { .. }
        | Attach::Asked { .. }
        | Attach::PerfEvent(_)
        | Attach::Tracepoint { .. }
        | Attach::Kprobe { .. }
        | Attach::Uprobe { .. } => Err(Error::new(
            ErrorKind::Bug,
            format!("`{}` has no link of its own", info.name),
        )),
    }
}

/// What the kernel's refusal of a raw tracepoint means. It counts the arguments only here, when it knows the tracepoint
/// (`__bpf_probe_register`, kernel/trace/bpf_trace.c).
fn refused_tracepoint(error: &io::Error, name: &str, info: &ProbeManifest) -> Error {
    match error.raw_os_error() {
        Some(libc::ENOENT) => cannot(
            info,
            &format!("no tracepoint `{name}` that programs can be attached to"),
        ),
        Some(libc::EINVAL) => cannot(
            info,
            &format!("the tracepoint `{name}` has fewer arguments than are asked for"),
        )
        .with_help(format!("see `pfscript -lv 'rawtracepoint:{name}'`")),
        _ => refused(error, info),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pfscript_compiler::program::ProgramKind;
    use pfscript_grammar::Span;

    #[test]
    fn refusals_of_tracepoints_are_explained() {
        let probe = ProbeManifest {
            symbol: "p0".into(),
            name: "rt:sys_enter".into(),
            span: Span::new(0, 12),
            kind: ProgramKind::RawTracepoint,
            sites: Vec::new(),
            narrowing: None,
            rows: None,
        };
        let explain = |code| {
            let error = io::Error::from_raw_os_error(code);
            refused_tracepoint(&error, "sys_enter", &probe)
        };
        assert_eq!(
            explain(libc::EINVAL).message,
            "can't attach `rt:sys_enter`: the tracepoint `sys_enter` has fewer arguments than are asked for"
        );
        assert!(explain(libc::ENOENT).message.contains("no tracepoint"));
        assert_eq!(explain(libc::EPERM).kind, ErrorKind::Permission);
    }
}
