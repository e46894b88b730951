//! The files that a script means: paths with wildcards, programs by their bare names, shared libraries by theirs.
//!
//! In comes what an attach point has, out go paths. Whether there is a program in a file is not looked at here.

use crate::bytes::{slice, unsigned};
use crate::processes::proc_maps;
use pfscript_compiler::glob::{Glob, is_pattern};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The most files that one pattern stands for, and the most names that are looked at to find them.
const MAX_FILES: usize = 10_000;
const MAX_NAMES: usize = 1_000_000;

/// Where the dynamic linker keeps what it knows of libraries, and how many bytes of it are read.
const LINKER_CACHE: &str = "/etc/ld.so.cache";
const MAX_CACHE: u64 = 16 << 20;

/// The files of a written name; none if there are none. Where a process is followed, `*` or nothing stands for the files
/// that it has mapped, and absolute paths are its own where it sees other ones than we do.
pub(super) fn named(written: &str, process: Option<u32>) -> Vec<PathBuf> {
    let root = process.map(root_of).unwrap_or_default();
    if matches!(written, "" | "*") {
        return process
            .map(|process| mapped(process, &root))
            .unwrap_or_default();
    }
    if is_pattern(written) {
        return matching(written);
    }
    let path = &seen_from(&root, Path::new(written));
    if written.contains('/') {
        return match path.try_exists() {
            // The message about a file that can't be looked at comes from who reads it.
            Ok(false) => Vec::new(),
            Ok(true) | Err(_) => vec![path.to_owned()],
        };
    }
    program(written)
        .or_else(|| library(written))
        .into_iter()
        .collect()
}

/// What goes before absolute paths of a process: nothing, but where it has other mounts than we have.
fn root_of(process: u32) -> PathBuf {
    let mounts = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/mnt"));
    match (mounts(&process.to_string()), mounts("self")) {
        (Ok(theirs), Ok(ours)) if theirs != ours => PathBuf::from(format!("/proc/{process}/root")),
        _ => PathBuf::new(),
    }
}

/// A path of a process as we reach it.
fn seen_from(root: &Path, path: &Path) -> PathBuf {
    match path.strip_prefix("/") {
        Ok(below) if !root.as_os_str().is_empty() => root.join(below),
        _ => path.to_owned(),
    }
}

/// The files that a process has mapped as code, sorted.
fn mapped(process: u32, root: &Path) -> Vec<PathBuf> {
    let mappings = proc_maps::read(process).unwrap_or_default();
    let paths: BTreeSet<PathBuf> = mappings
        .iter()
        .map(|mapping| Path::new(OsStr::from_bytes(&mapping.file.path)))
        .filter(|path| path.is_absolute())
        .map(|path| seen_from(root, path))
        .take(MAX_FILES)
        .collect();
    paths.into_iter().collect()
}

/// A program, looked for as a shell does.
fn program(name: &str) -> Option<PathBuf> {
    const EXECUTABLE: u32 = 0o111;
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| {
            let metadata = std::fs::metadata(path);
            metadata.is_ok_and(|metadata| metadata.is_file() && metadata.mode() & EXECUTABLE != 0)
        })
}

/// A shared library, as the dynamic linker finds it: `libc.so.6`, or `libc` for any version.
pub(crate) fn library(name: &str) -> Option<PathBuf> {
    use std::io::Read as _;
    let mut cache = Vec::new();
    let file = std::fs::File::open(LINKER_CACHE).ok()?;
    file.take(MAX_CACHE).read_to_end(&mut cache).ok()?;
    find_library(&cache, name)
}

/// The first library of that name in the linker's cache: a header of 48 bytes, entries of 24, then the strings that they
/// point to (`struct cache_file_new`, sysdeps/generic/dl-cache.h of glibc).
fn find_library(cache: &[u8], name: &str) -> Option<PathBuf> {
    const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
    const HEADER: usize = 48;
    const ENTRY: usize = 24;
    if !cache.starts_with(MAGIC) {
        return None;
    }
    let count = unsigned(slice(cache, 20, 4)) as usize;
    let entries = cache.get(HEADER..)?.chunks_exact(ENTRY).take(count);
    let text = |entry: &[u8], at: u32| {
        let start = unsigned(slice(entry, at, 4)) as usize;
        let rest = cache.get(start..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        str::from_utf8(&rest[..end]).ok()
    };
    let any_version = format!("{name}.so");
    let is_it = |found: &str| {
        found == name || found == any_version || {
            let rest = found.strip_prefix(&any_version);
            rest.is_some_and(|version| version.starts_with('.'))
        }
    };
    let mut named = entries.filter(|entry| text(entry, 4).is_some_and(is_it));
    text(named.next()?, 8).map(PathBuf::from)
}

/// The files that a path with wildcards stands for, folder by folder. A wildcard does not match a `/`, nor a `.` that a name
/// begins with.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let start = match pattern.starts_with('/') {
        true => PathBuf::from("/"),
        false => PathBuf::new(),
    };
    let mut found = vec![start];
    let mut left = MAX_NAMES;
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for folder in found {
            if is_pattern(part) {
                within(&folder, part, &mut next, &mut left);
            } else {
                next.push(folder.join(part));
            }
        }
        next.truncate(MAX_FILES);
        found = next;
    }
    found.retain(|path| path.is_file());
    found.sort_unstable();
    found
}

/// The names in a folder that a pattern matches.
fn within(folder: &Path, pattern: &str, found: &mut Vec<PathBuf>, left: &mut usize) {
    let wanted = Glob::new(pattern);
    let here = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let Ok(entries) = std::fs::read_dir(here) else {
        return;
    };
    for entry in entries.flatten() {
        if *left == 0 || found.len() >= MAX_FILES {
            return;
        }
        *left -= 1;
        let name = entry.file_name();
        let hidden = |name: &str| name.starts_with('.') && !pattern.starts_with('.');
        if let Some(name) = name.to_str()
            && !hidden(name)
            && wanted.matches(name)
        {
            found.push(folder.join(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache with these libraries and their files.
    fn cache(libraries: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = b"glibc-ld.so.cache1.1".to_vec();
        bytes.extend((libraries.len() as u32).to_le_bytes());
        bytes.resize(48, 0);
        let mut strings = Vec::new();
        let start = 48 + 24 * libraries.len();
        for (name, path) in libraries {
            bytes.extend([3, 0, 0, 0]);
            for text in [name, path] {
                bytes.extend(((start + strings.len()) as u32).to_le_bytes());
                strings.extend(text.as_bytes());
                strings.push(0);
            }
            bytes.extend([0; 12]);
        }
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn libraries_are_found_by_name_with_or_without_version() {
        let cache = cache(&[
            ("libcrypt.so.1", "/lib/libcrypt.so.1"),
            ("libc.so.6", "/lib/libc.so.6"),
            ("libm.so", "/lib/libm.so"),
        ]);
        let found = |name: &str| find_library(&cache, name);
        assert_eq!(found("libc"), Some("/lib/libc.so.6".into()));
        assert_eq!(found("libc.so.6"), Some("/lib/libc.so.6".into()));
        assert_eq!(found("libm"), Some("/lib/libm.so".into()));
        for name in ["lib", "libc.so.", "libcr", ""] {
            assert_eq!(found(name), None, "{name}");
        }
        for length in 0..cache.len() {
            find_library(&cache[..length], "libm");
        }
        assert_eq!(find_library(b"another file", "libc"), None);
    }

    #[test]
    fn wildcards_stand_for_files_of_each_folder() {
        let root = std::env::temp_dir().join(format!("pfscript-files-{}", std::process::id()));
        for folder in ["a1", "a2", "b1", ".a3"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
            std::fs::write(root.join(folder).join("tool"), "").unwrap();
        }
        let found = named(&format!("{}/a*/t??l", root.display()), None);
        assert_eq!(found, [root.join("a1/tool"), root.join("a2/tool")]);
        // A folder is no file.
        assert_eq!(
            named(&format!("{}/*", root.display()), None),
            Vec::<PathBuf>::new()
        );
        let all = named(&format!("{}/*/tool", root.display()), None);
        assert_eq!(all.len(), 3);
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(
            named(&format!("{}/tool", root.display()), None),
            Vec::<PathBuf>::new()
        );
    }

    #[test]
    fn a_process_has_its_own_program_mapped() {
        let own = std::process::id();
        let program = std::env::current_exe().unwrap();
        for written in ["*", ""] {
            assert!(named(written, Some(own)).contains(&program));
            assert_eq!(named(written, None), Vec::<PathBuf>::new());
        }
        let other = Path::new("/proc/1/root");
        assert_eq!(seen_from(other, Path::new("/bin/sh")), other.join("bin/sh"));
        assert_eq!(seen_from(other, Path::new("./sh")), Path::new("./sh"));
    }

    #[test]
    fn a_bare_name_is_a_program_that_a_shell_would_find() {
        let found = named("sh", None);
        assert!(
            found[0].is_absolute() && found[0].ends_with("sh"),
            "{found:?}"
        );
        assert_eq!(
            named("no-such-program-or-library", None),
            Vec::<PathBuf>::new()
        );
    }
}
