//! The files that a program will have mapped when its `main` begins: itself, the dynamic linker, and the libraries that they name.
//!
//! In comes a path, out go files. They are looked for as the dynamic linker of glibc does; what is not found is left out, since
//! it is seen when it is mapped. What a program loads later by itself is not known.

use crate::elf::dynamic;
use crate::facts::files::library;
use std::collections::{HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Files that are looked at, of a program with all its libraries.
const MAX_FILES: usize = 512;

/// Interpreters of scripts that are themselves scripts.
const MAX_SCRIPTS: usize = 4;

/// Where libraries are, besides where the linker's cache says. Debian and its kin have them by architecture.
const FOLDERS: &[&str] = &[
    #[cfg(target_arch = "x86_64")]
    "/lib/x86_64-linux-gnu",
    #[cfg(target_arch = "aarch64")]
    "/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];

/// The files that `program` will have mapped as code, each once.
pub fn files(program: &Path) -> Vec<File> {
    let preset = std::env::var_os("LD_LIBRARY_PATH");
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut left = VecDeque::from([interpreted(program)]);
    while let (Some(path), true) = (left.pop_front(), found.len() < MAX_FILES) {
        let Some(file) = open(&path, &mut seen) else {
            continue;
        };
        if let Ok(dynamic) = dynamic::read(&file) {
            left.extend(dynamic.interpreter);
            let own = path.parent().unwrap_or(Path::new("/"));
            let lists = dynamic.folders.iter().chain(&preset);
            let folders: Vec<PathBuf> = lists.flat_map(|list| folders(list, own)).collect();
            left.extend(
                dynamic
                    .libraries
                    .iter()
                    .filter_map(|name| find(name, &folders)),
            );
        }
        found.push(file);
    }
    found
}

/// Opens a regular file that was not seen before.
fn open(path: &Path, seen: &mut HashSet<(u64, u64)>) -> Option<File> {
    let meta = std::fs::metadata(path).ok()?;
    let new = meta.is_file() && seen.insert((meta.dev(), meta.ino()));
    new.then(|| File::open(path).ok()).flatten()
}

/// The program that runs a script, or the program itself.
fn interpreted(program: &Path) -> PathBuf {
    /// The kernel reads no more (BINPRM_BUF_SIZE).
    const LINE: u64 = 256;
    let mut program = program.to_owned();
    for _ in 0..MAX_SCRIPTS {
        let mut line = Vec::new();
        let is_file = std::fs::metadata(&program).is_ok_and(|meta| meta.is_file());
        let opened = is_file.then(|| File::open(&program).ok()).flatten();
        let read = opened.map(|file| file.take(LINE).read_to_end(&mut line));
        let (Some(Ok(_)), Some(rest)) = (read, line.strip_prefix(b"#!")) else {
            break;
        };
        let rest = rest.trim_ascii_start();
        let end = rest.iter().position(u8::is_ascii_whitespace);
        let path = &rest[..end.unwrap_or(rest.len())];
        program = PathBuf::from(OsString::from_vec(path.to_vec()));
    }
    program
}

/// The folders of a list, of a file that is in `own`.
fn folders(list: &OsStr, own: &Path) -> Vec<PathBuf> {
    const ORIGIN: [&[u8]; 2] = [b"$ORIGIN", b"${ORIGIN}"];
    let folders = list.as_bytes().split(|byte| *byte == b':');
    folders
        .filter(|folder| !folder.is_empty())
        .map(|folder| {
            let rest = ORIGIN
                .iter()
                .find_map(|origin| folder.strip_prefix(*origin));
            match rest {
                Some(rest) => own.join(OsStr::from_bytes(rest.strip_prefix(b"/").unwrap_or(rest))),
                None => PathBuf::from(OsStr::from_bytes(folder)),
            }
        })
        .collect()
}

/// Where a library is.
fn find(name: &OsStr, folders: &[PathBuf]) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(name));
    }
    let in_folders = |folder: &Path| {
        let path = folder.join(name);
        path.exists().then_some(path)
    };
    let first = folders.iter().find_map(|folder| in_folders(folder));
    let cached = || library(name.to_str()?);
    let last = || {
        FOLDERS
            .iter()
            .find_map(|folder| in_folders(Path::new(folder)))
    };
    first.or_else(cached).or_else(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd as _;

    /// The names of the files that a program will map.
    fn names(program: &Path) -> Vec<String> {
        let name = |file: &File| std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let files = files(program);
        let paths = files.iter().map(|file| name(file).unwrap());
        paths
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn a_program_comes_with_its_linker_and_its_libraries() {
        let names = names(Path::new("/bin/ls"));
        for begin in ["ls", "ld-linux", "libc.so"] {
            let count = names.iter().filter(|name| name.starts_with(begin)).count();
            assert_eq!(count, 1, "{begin} in {names:?}");
        }
    }

    #[test]
    fn a_script_is_its_interpreter() {
        let path = std::env::temp_dir().join(format!("pfscript-startup-{}", std::process::id()));
        std::fs::write(&path, "#! /bin/ls -l\n").unwrap();
        assert_eq!(interpreted(&path), Path::new("/bin/ls"));
        // A script that is its own interpreter comes to an end.
        std::fs::write(&path, format!("#!{}\n", path.display())).unwrap();
        assert_eq!(interpreted(&path), path);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn folders_may_be_relative_to_the_file() {
        let list = OsStr::new("/a:$ORIGIN/../lib::${ORIGIN}");
        let own = Path::new("/opt/x/bin");
        let expected = ["/a", "/opt/x/bin/../lib", "/opt/x/bin/"].map(PathBuf::from);
        assert_eq!(folders(list, own), expected);
    }
}
