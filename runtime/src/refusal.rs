//! What the kernel's refusals mean where it does not matter what it was asked for: descriptors, memory and limits run out, or a right
//! is missing.
//!
//! In comes an error number, out go words and what to try. What a number means for one call alone is said there: `load`,
//! `attach::errors`.

use crate::error::{Error, ErrorKind};
use std::io;

/// What an error number means.
struct Meaning {
    numbers: &'static [i32],
    why: &'static str,
    help: &'static str,
}

const MEANINGS: &[Meaning] = &[
    Meaning {
        numbers: &[libc::EMFILE],
        why: "this process may not open more files",
        help: "each map, program and attach point takes one: raise the limit (ulimit -n 65536) or use fewer of them",
    },
    Meaning {
        numbers: &[libc::ENFILE],
        why: "the system may not open more files",
        help: "close other programs, or raise the limit: sysctl fs.file-max",
    },
    Meaning {
        numbers: &[libc::ENOMEM],
        why: "the kernel has not enough memory",
        help: "make maps smaller (`config = { max_map_keys = … }`), or free memory; containers have limits of their own",
    },
    Meaning {
        numbers: &[libc::EAGAIN, libc::EINTR],
        why: "the kernel could not do it just now",
        help: "try again",
    },
];

/// The error of something that the kernel refused for want of something, if it is that: `doing` completes "can't".
pub fn exhausted(error: &io::Error, doing: &str) -> Option<Error> {
    let number = error.raw_os_error()?;
    let meaning = MEANINGS
        .iter()
        .find(|meaning| meaning.numbers.contains(&number))?;
    let message = format!("can't {doing}: {}", meaning.why);
    Some(Error::new(ErrorKind::Kernel, message).with_help(meaning.help))
}

/// A missing right: `doing` completes "no permission to …".
pub fn no_permission(doing: &str, capability: &str) -> Error {
    Error::new(ErrorKind::Permission, format!("no permission to {doing}")).with_help(format!(
        "run it as root, or with the capabilities CAP_BPF and CAP_PERFMON (missing here: {capability})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_out_is_named_with_what_to_try() {
        let explain =
            |number| exhausted(&io::Error::from_raw_os_error(number), "make the map `@x`");
        let error = explain(libc::EMFILE).unwrap();
        assert_eq!(
            error.message,
            "can't make the map `@x`: this process may not open more files"
        );
        assert!(error.help.unwrap().contains("ulimit -n"));
        for number in [libc::ENFILE, libc::ENOMEM, libc::EAGAIN] {
            assert!(explain(number).is_some(), "{number}");
        }
        assert_eq!(explain(libc::EINVAL), None);
        assert_eq!(exhausted(&io::Error::other("?"), "go on"), None);
    }

    #[test]
    fn each_number_has_one_meaning() {
        let mut numbers: Vec<i32> = MEANINGS
            .iter()
            .flat_map(|meaning| meaning.numbers)
            .copied()
            .collect();
        numbers.sort_unstable();
        let all = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), all);
    }
}
