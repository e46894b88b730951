//! What the kernel's refusal to open or to attach means, in words.
//!
//! In come an error number and the probe, out goes an [`Error`] with what to try. Refusals to load are explained in `load`.

use crate::error::{Error, ErrorKind};
use crate::refusal::exhausted;
use crate::refusal::no_permission;
use pfscript_compiler::manifest::ProbeManifest;
use pfscript_grammar::escape;
use std::io;
use std::path::Path;

/// The error of a probe that cannot be attached: `why` completes "can't attach …:".
pub fn cannot(info: &ProbeManifest, why: &str) -> Error {
    let message = format!("can't attach `{}`: {why}", info.name);
    Error::new(ErrorKind::Attach, message).at(info.span)
}

/// What the kernel's refusal of a probe's event means.
pub fn refused(error: &io::Error, info: &ProbeManifest) -> Error {
    if let Some(exhausted) = exhausted(error, &format!("attach `{}`", info.name)) {
        return exhausted.at(info.span);
    }
    let attach = |why: &str| cannot(info, why);
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => {
            no_permission(&format!("attach `{}`", info.name), "CAP_PERFMON").at(info.span)
        }
        Some(libc::ENOENT) => attach("this machine has no such event").with_help(
            "virtual machines often lack hardware events; `software:` events are always there",
        ),
        Some(libc::EOPNOTSUPP) => attach("this machine does not support the event"),
        Some(libc::ENODEV) => attach("this machine has no hardware that counts the event"),
        Some(libc::ESRCH) => attach("the process to trace has ended"),
        Some(libc::EINVAL) => attach("the kernel rejected the event (EINVAL)"),
        Some(libc::EBUSY) => {
            attach("something else uses the event, and it can be used by one only")
                .with_help("end what traces or counts with it: other tracers, perf, a debugger")
        }
        Some(libc::E2BIG) => attach("too many programs are attached there already")
            .with_help("the kernel allows 64; end other tracers"),
        Some(libc::ENOSPC) => attach("the hardware has no counter left, or no breakpoint")
            .with_help("use fewer hardware events at a time; other tools take some too"),
        _ => attach(&error.to_string()),
    }
}

/// The kernel's `ENOTSUPP`, which it returns to user space although it is not for it.
const ENOTSUPP: i32 = 524;

/// A place in a file that takes no uprobe.
pub fn no_place(error: &io::Error, path: &Path, offset: u64, info: &ProbeManifest) -> Error {
    let shown = path.to_string_lossy();
    let shown = escape(&shown);
    match error.raw_os_error() {
        Some(libc::ENOENT) => cannot(info, &format!("there is no file `{shown}`")),
        // The kernel refuses what is no code: a wrong instruction, or one that is behind the end of the file.
        Some(libc::EINVAL | libc::EBADF | ENOTSUPP | libc::EIO) => cannot(
            info,
            &format!("the kernel can't put a probe at {offset:#x} of `{shown}`"),
        )
        .with_help("is an instruction there, in a file that can be mapped?"),
        _ => refused(error, info),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pfscript_compiler::program::ProgramKind;
    use pfscript_grammar::Span;

    fn probe() -> ProbeManifest {
        ProbeManifest {
            symbol: "p0".into(),
            name: "hardware:cycles:100".into(),
            span: Span::new(0, 3),
            kind: ProgramKind::PerfEvent,
            sites: Vec::new(),
            narrowing: None,
            rows: None,
        }
    }

    #[test]
    fn refusals_are_explained() {
        let explain = |code| refused(&io::Error::from_raw_os_error(code), &probe());
        assert_eq!(
            explain(libc::ENOENT).message,
            "can't attach `hardware:cycles:100`: this machine has no such event"
        );
        // Whatever the number, there are words for it.
        for code in [
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOMEM,
            libc::EBUSY,
            libc::E2BIG,
            libc::ENOSPC,
        ] {
            let error = explain(code);
            assert!(error.help.is_some(), "{error}");
            assert!(!error.message.contains("os error"), "{error}");
            assert_eq!(error.span, Some(Span::new(0, 3)));
        }
        assert_eq!(explain(libc::EPERM).kind, ErrorKind::Permission);
        assert_eq!(explain(libc::EINVAL).span, Some(Span::new(0, 3)));
    }
}
