//! The files that the symbols of stripped programs and libraries were put into, where distributions install them: under
//! `/usr/lib/debug` by build id or by path, and beside the file itself.
//!
//! In comes a stripped file and its path, out goes the other one, open. It is looked for as a process sees its own files, or as we see
//! ours. Whoever makes a file can claim any build id and, with some arithmetic, any checksum, and a user may have a root folder
//! of their own in which they map everybody's libraries. So a file is believed only if it belongs to root or to the owner of the
//! file that it is about.

use super::debuginfod::Servers;
use crate::elf::separate::{self, Separate};
use crate::sys::process;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Where distributions install them.
const FOLDER: &str = "/usr/lib/debug";

/// Bytes of a file whose checksum is counted.
const MAX_SUMMED: u64 = 1 << 30;

/// Bytes of all such files of a session together.
const MAX_SUMMED_IN_ALL: u64 = 4 << 30;

/// Opens what a file's DWARF names, as we see our own files.
pub fn open(path: &Path) -> Option<File> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    process::open_regular_beneath(c"/", &path).ok()
}

/// Looks such files up.
#[derive(Debug)]
pub struct DebugFiles {
    /// Bytes that may still be summed.
    left: u64,
    servers: Option<Servers>,
    /// Folders to look in before all others.
    folders: Vec<PathBuf>,
}

impl Default for DebugFiles {
    fn default() -> DebugFiles {
        DebugFiles {
            left: MAX_SUMMED_IN_ALL,
            servers: None,
            folders: Vec::new(),
        }
    }
}

/// A path to try, and how to know that what is there is the right file.
#[derive(Debug, PartialEq, Eq)]
struct Candidate {
    path: PathBuf,
    check: Check,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    BuildId,
    Checksum(u32),
}

impl DebugFiles {
    /// Looks in these folders first. What is no absolute path is one of the current folder, or of the program's.
    pub fn in_folders(folders: &[PathBuf]) -> DebugFiles {
        DebugFiles {
            folders: folders.to_vec(),
            ..DebugFiles::default()
        }
    }

    /// The file with the symbols that `file`, at `path`, was stripped of. `root` is the folder that the path begins at.
    pub fn find(&mut self, file: &File, path: &Path, root: &Path) -> Option<File> {
        let separate = separate::separate(file).ok()??;
        self.find_named(&separate, file, path, root)
    }

    /// The file with the DWARF that `file` was stripped of, which may have its symbols still.
    pub fn find_dwarf(&mut self, file: &File, path: &Path, root: &Path) -> Option<File> {
        let separate = separate::named(file).ok()??;
        self.find_named(&separate, file, path, root)
    }

    fn find_named(
        &mut self,
        separate: &Separate,
        file: &File,
        path: &Path,
        root: &Path,
    ) -> Option<File> {
        let owner = file.metadata().ok()?.uid();
        let root = CString::new(root.as_os_str().as_bytes()).ok()?;
        let mut candidates = in_folders(&self.folders, separate, path);
        candidates.extend(self::candidates(separate, path));
        candidates.into_iter().find_map(|candidate| {
            let path = CString::new(candidate.path.as_os_str().as_bytes()).ok()?;
            let found = process::open_regular_beneath(&root, &path).ok()?;
            let theirs = found.metadata().ok()?.uid();
            let believed = theirs == 0 || theirs == owner;
            (believed && self.is_right(&found, &candidate.check, separate)).then_some(found)
        })
    }

    /// The file with the symbols of what has this build id, from the servers that the user names, if there are any. That takes its
    /// time.
    pub fn fetch(&mut self, build_id: &[u8]) -> Option<File> {
        let servers = self.servers.get_or_insert_with(Servers::from_environment);
        let found = servers.find(build_id)?;
        let theirs = separate::build_id(&found).ok()?;
        (theirs == build_id).then_some(found)
    }

    fn is_right(&mut self, found: &File, check: &Check, separate: &Separate) -> bool {
        match check {
            Check::BuildId => {
                separate::build_id(found).is_ok_and(|build_id| build_id == separate.build_id)
            }
            Check::Checksum(expected) => self
                .checksum(found)
                .is_ok_and(|checksum| checksum == Some(*expected)),
        }
    }

    /// The checksum of a file; `None` if it is too large.
    fn checksum(&mut self, file: &File) -> io::Result<Option<u32>> {
        const AT_ONCE: usize = 1 << 17;
        let length = file.metadata()?.len();
        if length > MAX_SUMMED || length > self.left {
            return Ok(None);
        }
        self.left -= length;
        let mut sum = crc32fast::Hasher::new();
        let mut piece = vec![0; AT_ONCE];
        let mut at = 0;
        // It may grow meanwhile.
        while at < length {
            let wanted = AT_ONCE.min((length - at) as usize);
            let read = file.read_at(&mut piece[..wanted], at)?;
            if read == 0 {
                break;
            }
            sum.update(&piece[..read]);
            at += read as u64;
        }
        Ok(Some(sum.finalize()))
    }
}

/// Whether paths lead a process to what they lead us to. One that is gone is taken to be so.
pub fn sees_what_we_see(process: u32) -> bool {
    let of = |process: &str| {
        let of = |name: &str| std::fs::metadata(format!("/proc/{process}/{name}"));
        let (namespace, root) = (of("ns/mnt").ok()?, of("root/").ok()?);
        Some((namespace.ino(), root.dev(), root.ino()))
    };
    let theirs = of(&process.to_string());
    theirs.is_none() || theirs == of("self")
}

/// Where the file may be, the best first.
fn candidates(separate: &Separate, path: &Path) -> Vec<Candidate> {
    let by_build_id = by_build_id(&separate.build_id).map(|path| Candidate {
        path: Path::new(FOLDER).join(path),
        check: Check::BuildId,
    });
    let mut candidates: Vec<Candidate> = by_build_id.into_iter().collect();
    // What is no file has a name in brackets.
    let folder = path.parent().filter(|_| path.is_absolute());
    if let (Some(link), Some(folder)) = (&separate.link, folder) {
        let name = Path::new(std::ffi::OsStr::from_bytes(&link.name));
        let installed = Path::new(FOLDER).join(folder.strip_prefix("/").unwrap_or(folder));
        for folder in [folder, &folder.join(".debug"), &installed] {
            candidates.push(Candidate {
                path: folder.join(name),
                check: Check::Checksum(link.checksum),
            });
        }
    }
    candidates
}

/// Where it may be in folders that the user names: as the file says, by build id as in [`FOLDER`], or called after the file.
fn in_folders(folders: &[PathBuf], separate: &Separate, path: &Path) -> Vec<Candidate> {
    let mut names = Vec::new();
    if let Some(link) = &separate.link {
        let name = PathBuf::from(std::ffi::OsStr::from_bytes(&link.name));
        names.push((name, Check::Checksum(link.checksum)));
    }
    if let Some(name) = by_build_id(&separate.build_id) {
        names.push((name, Check::BuildId));
        let own = path.file_name().map(|name| {
            let mut name = name.to_owned();
            name.push(".debug");
            name
        });
        names.extend(own.map(|name| (name.into(), Check::BuildId)));
    }
    let beside = path.parent().unwrap_or(path);
    let both = folders.iter().flat_map(|folder| {
        let here = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
        [here, beside.join(folder)]
    });
    both.flat_map(|folder| {
        names.iter().map(move |(name, check)| Candidate {
            path: folder.join(name),
            check: *check,
        })
    })
    .collect()
}

/// `.build-id/ab/cdef….debug`
fn by_build_id(build_id: &[u8]) -> Option<PathBuf> {
    let (first, rest) = build_id.split_first()?;
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let name = format!(".build-id/{first:02x}/{}.debug", hex(rest));
    (!rest.is_empty()).then(|| PathBuf::from(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::separate::Link;

    #[test]
    fn files_are_looked_for_by_build_id_and_then_by_name() {
        let link = Link {
            name: b"x.debug".to_vec(),
            checksum: 7,
        };
        let separate = Separate {
            build_id: vec![0xab, 1, 2],
            link: Some(link),
        };
        let paths = |separate: &Separate, path: &str| -> Vec<String> {
            let candidates = candidates(separate, Path::new(path));
            let paths = candidates.iter().map(|candidate| &candidate.path);
            paths.map(|path| path.display().to_string()).collect()
        };
        assert_eq!(
            paths(&separate, "/opt/bin/x"),
            [
                "/usr/lib/debug/.build-id/ab/0102.debug",
                "/opt/bin/x.debug",
                "/opt/bin/.debug/x.debug",
                "/usr/lib/debug/opt/bin/x.debug",
            ]
        );
        assert_eq!(
            paths(&separate, "[vdso]"),
            ["/usr/lib/debug/.build-id/ab/0102.debug"]
        );
        assert_eq!(paths(&Separate::default(), "/opt/bin/x"), [""; 0]);
        let folders = [PathBuf::from("/d")];
        let named = in_folders(&folders, &separate, Path::new("/opt/bin/x"));
        let named = named.iter().map(|named| (named.path.to_str(), named.check));
        let expected = [
            (Some("/d/x.debug"), Check::Checksum(7)),
            (Some("/d/.build-id/ab/0102.debug"), Check::BuildId),
            (Some("/d/x.debug"), Check::BuildId),
        ];
        // An absolute folder is the same beside the program.
        assert_eq!(named.collect::<Vec<_>>(), [expected, expected].concat());
        assert_eq!(
            in_folders(&folders, &Separate::default(), Path::new("/opt/bin/x")),
            []
        );
    }

    #[test]
    fn checksums_are_those_of_the_format_and_bounded() {
        let file = File::from(process::memory_file(c"sum").unwrap());
        file.write_all_at(b"123456789", 0).unwrap();
        let mut files = DebugFiles {
            left: 20,
            ..DebugFiles::default()
        };
        assert_eq!(files.checksum(&file).unwrap(), Some(0xcbf4_3926));
        assert_eq!(files.left, 11);
        file.set_len(12).unwrap();
        assert_eq!(files.checksum(&file).unwrap(), None);
        file.set_len(MAX_SUMMED + 1).unwrap();
        let mut files = DebugFiles::default();
        assert_eq!(files.checksum(&file).unwrap(), None);
    }
}
