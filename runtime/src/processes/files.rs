//! The files that processes have mapped, opened when they are first seen, so that they can be read after they were
//! deleted and after the processes and their containers are gone.
//!
//! In come paths and identities (device, inode), out go open files. What is in them is read in `symbols`.

use super::records::RawFile;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that is or was mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId(u32);

impl FileId {
    /// The id with this index.
    #[cfg(test)]
    pub fn new(index: u32) -> FileId {
        FileId(index)
    }

    /// Its index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a mapping shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// The kernel's own functions for user space.
    Vdso,
    /// Memory that no file is behind, such as generated code.
    Anonymous,
}

/// One such file.
#[derive(Debug)]
pub struct Mapped {
    /// What it is.
    pub kind: Kind,
    /// Its path as its first process saw it.
    pub path: Arc<[u8]>,
    inode: u64,
    device: (u32, u32),
    handle: Option<File>,
    attempts: u32,
}

impl Mapped {
    /// The open file.
    pub fn handle(&self) -> Option<&File> {
        self.handle.as_ref()
    }

    /// A path at which this process can read the file; `None` if it could not be opened.
    pub fn readable(&self) -> Option<PathBuf> {
        let fd = self.handle.as_ref()?.as_raw_fd();
        Some(PathBuf::from(format!("/proc/self/fd/{fd}")))
    }
}

/// All of them, each once.
#[derive(Debug, Default)]
pub struct Files {
    by_identity: HashMap<RawFile, FileId>,
    files: Vec<Mapped>,
}

impl Files {
    /// The id of a file, new or known.
    pub fn id(&mut self, file: &RawFile) -> FileId {
        // One inode is one file, whatever paths lead to it.
        let identity = match file.inode {
            0 => file.clone(),
            inode => RawFile {
                device: file.device,
                inode,
                path: Vec::new(),
            },
        };
        let next = FileId(self.files.len() as u32);
        let id = *self.by_identity.entry(identity).or_insert(next);
        if id == next {
            self.files.push(Mapped {
                kind: kind(file),
                path: file.path.as_slice().into(),
                inode: file.inode,
                device: file.device,
                handle: None,
                attempts: 0,
            });
        }
        id
    }

    /// The file with this id.
    pub fn get(&self, id: FileId) -> &Mapped {
        &self.files[id.index()]
    }

    /// Whether an attempt to open the file should be made.
    pub fn wants_opening(&self, id: FileId) -> bool {
        const ATTEMPTS: u32 = 4;
        let file = self.get(id);
        file.kind == Kind::File && file.handle.is_none() && file.attempts < ATTEMPTS
    }

    /// Opens the file, which `processes` (the one that has it mapped, then those that it descends from) saw at its path,
    /// and the first one mapped at `range`.
    pub fn open(&mut self, id: FileId, processes: &[u32], range: (u64, u64)) {
        let file = &mut self.files[id.index()];
        file.attempts += 1;
        let path = Path::new(OsStr::from_bytes(&file.path));
        file.handle = open_if(path, |meta| {
            meta.ino() == file.inode && device(meta.dev()) == file.device
        });
        if file.handle.is_some() {
            return;
        }
        // The link leads to the very file, even if it is deleted or in another container.
        if let Some(process) = processes.first() {
            let link = format!("/proc/{process}/map_files/{:x}-{:x}", range.0, range.1);
            file.handle = open_if(Path::new(&link), |_| true);
        }
        // Overlay and other layered file systems report another device for a path than for a mapping.
        let same_inode = |meta: &std::fs::Metadata| meta.ino() == file.inode;
        let roots = processes
            .iter()
            .map(|process| PathBuf::from(format!("/proc/{process}/root")))
            .chain([PathBuf::from("/")]);
        for root in roots {
            if file.handle.is_some() {
                return;
            }
            if let Ok(relative) = path.strip_prefix("/") {
                file.handle = open_if(&root.join(relative), same_inode);
            }
        }
    }

    /// Gives the vDSO, as it is in this process, to the file with this id.
    pub fn provide(&mut self, id: FileId, handle: File) {
        self.files[id.index()].handle = Some(handle);
    }
}

fn kind(file: &RawFile) -> Kind {
    match file.path.as_slice() {
        b"[vdso]" => Kind::Vdso,
        path if file.inode != 0 && path.first() == Some(&b'/') => Kind::File,
        _ => Kind::Anonymous,
    }
}

/// Opens a regular file (devices may act on being opened) that `accepts` takes for the right one.
fn open_if(path: &Path, accepts: impl Fn(&std::fs::Metadata) -> bool) -> Option<File> {
    let meta = std::fs::metadata(path).ok()?;
    if !meta.is_file() || !accepts(&meta) {
        return None;
    }
    let file = File::open(path).ok()?;
    accepts(&file.metadata().ok()?).then_some(file)
}

fn device(dev: u64) -> (u32, u32) {
    (libc::major(dev), libc::minor(dev))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn raw(path: &Path) -> RawFile {
        let meta = std::fs::metadata(path).unwrap();
        RawFile {
            device: device(meta.dev()),
            inode: meta.ino(),
            path: path.as_os_str().as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_file_can_be_read_after_it_was_deleted() {
        let path = std::env::temp_dir().join(format!("pfscript-files-{}", std::process::id()));
        std::fs::write(&path, "text").unwrap();
        let mut files = Files::default();
        let id = files.id(&raw(&path));
        assert!(files.wants_opening(id));
        files.open(id, &[], (0, 0));
        std::fs::remove_file(&path).unwrap();
        assert!(!files.wants_opening(id));
        let mut text = String::new();
        File::open(files.get(id).readable().unwrap())
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "text");
    }

    #[test]
    fn another_file_at_the_path_is_not_taken_for_it() {
        let mut files = Files::default();
        let mut wrong = raw(Path::new("/proc/self/exe"));
        wrong.path = b"/etc/passwd".to_vec();
        let id = files.id(&wrong);
        files.open(id, &[1], (0, 0));
        assert!(files.get(id).readable().is_none());
    }

    #[test]
    fn devices_are_never_opened() {
        let mut files = Files::default();
        let id = files.id(&raw(Path::new("/dev/zero")));
        files.open(id, &[], (0, 0));
        assert!(files.get(id).readable().is_none());
    }

    #[test]
    fn one_inode_is_one_file_and_kinds_are_told_apart() {
        let file = |inode, path: &str| RawFile {
            device: (8, 1),
            inode,
            path: path.as_bytes().to_vec(),
        };
        let mut files = Files::default();
        let a = files.id(&file(5, "/a"));
        assert_eq!(files.id(&file(5, "/b")), a);
        assert_ne!(files.id(&file(6, "/a")), a);
        assert_eq!(files.get(a).kind, Kind::File);
        for (path, kind) in [
            ("[vdso]", Kind::Vdso),
            ("//anon", Kind::Anonymous),
            ("[heap]", Kind::Anonymous),
            ("", Kind::Anonymous),
        ] {
            let id = files.id(&file(0, path));
            assert_eq!(files.get(id).kind, kind, "{path}");
            assert!(!files.wants_opening(id));
        }
    }
}
