//! tracefs: where it is, and its lists of tracepoints and functions.
//!
//! In come files of the kernel, out go names, or why they cannot be had. What a `format` file says is parsed by the compiler.

use pfscript_compiler::facts::FactError;
use std::io;
use std::path::Path;

/// Where it belongs, and where kernels before 4.1 had it.
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Names that ftrace gives to places whose function it does not know (5.19).
const NO_FUNCTION: &str = "__ftrace_invalid_address_";

/// Finds tracefs, or mounts it.
pub(crate) fn find() -> Result<&'static Path, FactError> {
    let mut denied = None;
    for place in PLACES.map(Path::new) {
        match place.join("events").try_exists() {
            Ok(true) => return Ok(place),
            Ok(false) => {}
            Err(error) => {
                denied.get_or_insert_with(|| unreadable(place, &error));
            }
        }
    }
    // Not root: tracefs may well be mounted behind a directory that we can't look into.
    if let Some(error) = denied {
        return Err(error);
    }
    let place = Path::new(PLACES[0]);
    match mount() {
        Ok(()) if place.join("events").is_dir() => Ok(place),
        Ok(()) => Err(not_mounted("it has no folder `events`")),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Err(FactError::Unavailable {
            reason: "this kernel has no tracefs".to_owned(),
            help: Some("it was built without CONFIG_TRACING".to_owned()),
        }),
        // Whether there is one to be mounted, only root may try.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let FactError::Unavailable { reason, help } = not_mounted(&error.to_string()) else {
                return Err(FactError::Unknown);
            };
            Err(FactError::Hidden { reason, help })
        }
        Err(error) => Err(not_mounted(&error.to_string())),
    }
}

fn not_mounted(detail: &str) -> FactError {
    FactError::Unavailable {
        reason: format!("tracefs is not mounted ({detail})"),
        help: Some(format!("as root: mount -t tracefs tracefs {}", PLACES[0])),
    }
}

/// tracefs is there and we may not read it.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> FactError {
    let reason = format!("cannot read {}: {error}", path.display());
    let (root, mount) = (
        "run as root: by default only root can read tracefs",
        "check that tracefs is mounted: mount -t tracefs tracefs /sys/kernel/tracing",
    );
    match error.kind() {
        io::ErrorKind::PermissionDenied => FactError::Hidden {
            reason,
            help: Some(root.to_owned()),
        },
        _ => FactError::Unavailable {
            reason,
            help: Some(mount.to_owned()),
        },
    }
}

/// tracefs is there and has no formats.
pub(super) fn no_formats(events: &Path) -> FactError {
    FactError::Unavailable {
        reason: format!("{} has no formats", events.display()),
        help: None,
    }
}

fn mount() -> io::Result<()> {
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // SAFETY: the strings are literals that end in zero; there is no data.
    let result = unsafe {
        libc::mount(
            c"tracefs".as_ptr(),
            c"/sys/kernel/tracing".as_ptr(),
            c"tracefs".as_ptr(),
            flags,
            std::ptr::null(),
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// All tracepoints, sorted. One file lists them; the directories would take thousands of system calls.
pub(super) fn tracepoints(root: &Path) -> Result<Vec<(String, String)>, FactError> {
    let path = root.join("available_events");
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
    let mut names: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(category, name)| (category.to_owned(), name.to_owned()))
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// The list of functions that ftrace can attach to.
pub(super) const FUNCTIONS: &str = "available_filter_functions";

/// All functions of such a list, which kprobes can attach to, too: `name`, or `module:name`; sorted.
pub(super) fn functions(path: &Path) -> Result<Vec<String>, FactError> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let mut names = parse_functions(&text);
    if names.is_empty() {
        return Err(FactError::Unavailable {
            reason: format!("{} is empty", path.display()),
            help: None,
        });
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Lines of `function` or `function [module]`.
fn parse_functions(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.starts_with(NO_FUNCTION))
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let name = words.next()?;
            let module = words
                .next()
                .and_then(|word| word.strip_prefix('[')?.strip_suffix(']'));
            Some(match module {
                Some(module) => format!("{module}:{name}"),
                None => name.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_modules_carry_the_module() {
        let text = "vfs_read\n__ftrace_invalid_address___64\nxfs_open [xfs]\n\n";
        assert_eq!(parse_functions(text), ["vfs_read", "xfs:xfs_open"]);
    }

    #[test]
    fn messages_say_how_to_mount() {
        let FactError::Unavailable { help, .. } = not_mounted("x") else {
            panic!("a reason");
        };
        assert_eq!(
            help.as_deref(),
            Some("as root: mount -t tracefs tracefs /sys/kernel/tracing")
        );
    }
}
