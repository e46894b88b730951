//! Opening a file that a process has mapped, from outside, whatever became of its path since.
//!
//! In come a path and an identity, out goes a file that is the very one. Only regular files are opened, for devices may act on
//! being opened, and what is at a path may be exchanged at any time.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A mapped file, as the kernel told of it.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// As its process saw it.
    pub path: &'a Path,
    /// Its inode number.
    pub inode: u64,
    /// Major and minor number of its device.
    pub device: (u32, u32),
}

/// Tells a file from a later one with the same inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    /// Its size in bytes.
    pub size: u64,
    modified: (i64, i64),
    created: Option<SystemTime>,
}

impl Stamp {
    /// What is known of a file.
    pub fn new(meta: &Metadata) -> Stamp {
        Stamp {
            inode: meta.ino(),
            size: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            created: meta.created().ok(),
        }
    }
}

/// What came of opening a file.
#[derive(Debug)]
pub enum Opened {
    /// The file.
    File(File, Stamp),
    /// There, and no regular file.
    Nothing,
    /// Not to be found.
    Absent,
    /// Too many are open.
    Refused,
    /// We have no right to open it.
    Hidden,
}

/// Opens a file, which `processes` (the one that has it mapped, then those that it descends from) saw at its path, and the
/// first one mapped at `range`.
pub fn open(file: Wanted<'_>, processes: &[u32], range: (u64, u64)) -> Opened {
    let path = file.path;
    let by_path = open_if(path, |meta| {
        meta.ino() == file.inode && device(meta.dev()) == file.device
    });
    let mut hidden = false;
    let mut in_vain = |opened: &Opened| {
        hidden |= matches!(opened, Opened::Hidden);
        matches!(opened, Opened::Absent | Opened::Hidden)
    };
    if !in_vain(&by_path) {
        return by_path;
    }
    // The link leads to the very file, even if it is deleted or in another container.
    if let Some(process) = processes.first() {
        let link = format!("/proc/{process}/map_files/{:x}-{:x}", range.0, range.1);
        let by_link = open_if(Path::new(&link), |_| true);
        if !in_vain(&by_link) {
            return by_link;
        }
    }
    // Overlay and other layered file systems report another device for a path than for a mapping.
    let roots = processes
        .iter()
        .map(|process| PathBuf::from(format!("/proc/{process}/root")))
        .chain([PathBuf::from("/")]);
    for root in roots {
        if let Ok(relative) = path.strip_prefix("/") {
            let below = open_if(&root.join(relative), |meta| meta.ino() == file.inode);
            if !in_vain(&below) {
                return below;
            }
        }
    }
    match hidden {
        true => Opened::Hidden,
        false => Opened::Absent,
    }
}

/// Opens a regular file (devices may act on being opened) that `accepts` takes for the right one.
fn open_if(path: &Path, accepts: impl Fn(&Metadata) -> bool) -> Opened {
    let right = |meta: &Metadata| accepts(meta);
    match std::fs::metadata(path) {
        Ok(meta) if right(&meta) && meta.is_file() => {}
        Ok(meta) if right(&meta) => return Opened::Nothing,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Opened::Hidden,
        _ => return Opened::Absent,
    }
    // What is at the path may be exchanged at any time: a named pipe must not be waited for.
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .and_then(|file| Ok((file.metadata()?, file)));
    match opened {
        Ok((meta, file)) if right(&meta) && meta.is_file() => Opened::File(file, Stamp::new(&meta)),
        Err(error) if is_limit(&error) => Opened::Refused,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Opened::Hidden,
        _ => Opened::Absent,
    }
}

fn is_limit(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Major and minor number.
pub fn device(dev: u64) -> (u32, u32) {
    (libc::major(dev), libc::minor(dev))
}
