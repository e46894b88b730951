//! `/proc/PID/status`: whom a process acts as, what it knows itself by, and which signals it takes.

use std::io;

/// What a process's status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its effective user.
    pub user: u32,
    /// Its effective group.
    pub group: u32,
    /// The id that it knows itself by: that in the innermost pid namespace.
    pub inner_pid: u32,
    /// The signals that it has handlers of, a bit each: signal 1 is bit 0.
    pub caught: u64,
}

/// Reads the status of a process.
///
/// # Errors
/// If the process is gone, or [`io::ErrorKind::InvalidData`].
pub fn read(tgid: u32) -> io::Result<Status> {
    let text = std::fs::read_to_string(format!("/proc/{tgid}/status"))?;
    parse(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The parent of a process; `None` if it has ended.
pub fn parent(tgid: u32) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/{tgid}/status")).ok()?;
    let word = |field: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(field))?;
        line.split_whitespace().next()
    };
    let has_ended = matches!(word("State:")?, "Z" | "X");
    word("PPid:")?.parse().ok().filter(|_| !has_ended)
}

fn parse(text: &str) -> Option<Status> {
    let words = |field: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(field))?;
        Some(line.split_whitespace())
    };
    // Real, effective, saved and file system id; of process ids the innermost namespace's comes last.
    Some(Status {
        user: words("Uid:")?.nth(1)?.parse().ok()?,
        group: words("Gid:")?.nth(1)?.parse().ok()?,
        inner_pid: words("NSpid:")?.last()?.parse().ok()?,
        caught: u64::from_str_radix(words("SigCgt:")?.next()?, 16).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_count_are_read() {
        let text = "Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nNSpid:\t90\t12\t1\nSigCgt:\t0000000000000104\n";
        let status = Status {
            user: 2,
            group: 6,
            inner_pid: 1,
            caught: 0x104,
        };
        assert_eq!(parse(text), Some(status));
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_process_has_a_parent_while_it_lives() {
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        assert_eq!(parent(child.id()), Some(std::process::id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(parent(child.id()), None);
    }

    #[test]
    fn this_process_has_a_status() {
        let own = read(std::process::id()).unwrap();
        assert_eq!(own.inner_pid, std::process::id());
        assert!(read(u32::MAX).is_err());
    }
}
