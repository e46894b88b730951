//! `/proc/PID/maps`: the executable mappings of a process that already runs.
//!
//! In comes its text, out go mappings. What changes later arrives as records.

use super::records::{RawFile, RawMapping};
use std::io;

/// Reads the executable mappings of a process.
///
/// # Errors
/// If the process is gone or may not be looked at.
pub fn read(tgid: u32) -> io::Result<Vec<RawMapping>> {
    let text = std::fs::read(format!("/proc/{tgid}/maps"))?;
    Ok(text
        .split(|byte| *byte == b'\n')
        .filter_map(|line| parse(tgid, line))
        .collect())
}

/// The processes that run.
///
/// # Errors
/// If /proc can't be read.
pub fn processes() -> io::Result<Vec<u32>> {
    Ok(std::fs::read_dir("/proc")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect())
}

/// One line: `start-end perms offset major:minor inode   path`.
fn parse(tgid: u32, line: &[u8]) -> Option<RawMapping> {
    let mut rest = line;
    let mut word = || {
        let start = rest.iter().position(|byte| *byte != b' ')?;
        let len = rest[start..]
            .iter()
            .position(|byte| *byte == b' ')
            .unwrap_or(rest.len() - start);
        let word = &rest[start..start + len];
        rest = &rest[start + len..];
        std::str::from_utf8(word).ok()
    };
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let (start, end) = word()?.split_once('-')?;
    if word()?.as_bytes().get(2) != Some(&b'x') {
        return None;
    }
    let offset = hex(word()?)?;
    let (major, minor) = word()?.split_once(':')?;
    let inode = word()?.parse().ok()?;
    let path = rest.trim_ascii_start();
    Some(RawMapping {
        tgid,
        start: hex(start)?,
        end: hex(end)?,
        offset,
        file: RawFile {
            device: (hex(major)? as u32, hex(minor)? as u32),
            inode,
            path: path.strip_suffix(b" (deleted)").unwrap_or(path).to_vec(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let line =
            b"7f00-7f10 r-xp 00001000 fd:0a 1234                       /opt/a b/x.so (deleted)";
        let mapping = parse(3, line).unwrap();
        assert_eq!(
            (mapping.tgid, mapping.start, mapping.end, mapping.offset),
            (3, 0x7f00, 0x7f10, 0x1000)
        );
        assert_eq!(mapping.file.device, (0xfd, 0x0a));
        assert_eq!(mapping.file.inode, 1234);
        assert_eq!(mapping.file.path, b"/opt/a b/x.so");
        let vdso = parse(3, b"7ffd-7fff r-xp 00000000 00:00 0          [vdso]").unwrap();
        assert_eq!(vdso.file.path, b"[vdso]");
        let anonymous = parse(3, b"7ffd-7fff rwxp 00000000 00:00 0 ").unwrap();
        assert_eq!(anonymous.file.path, b"");
    }

    #[test]
    fn what_is_not_executable_is_left_out() {
        assert!(parse(3, b"7f00-7f10 rw-p 00001000 fd:0a 1234 /x").is_none());
        assert!(parse(3, b"").is_none());
        assert!(parse(3, b"nonsense").is_none());
    }

    #[test]
    fn this_process_maps_its_own_code() {
        let own = std::env::current_exe().unwrap();
        let mappings = read(std::process::id()).unwrap();
        use std::os::unix::ffi::OsStrExt as _;
        assert!(
            mappings
                .iter()
                .any(|mapping| mapping.file.path == own.as_os_str().as_bytes())
        );
        assert!(processes().unwrap().contains(&std::process::id()));
    }
}
