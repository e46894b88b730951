//! The files that many processes have mapped as code: what a program that starts next will most likely have mapped, too.
//!
//! In comes /proc, out go files, the most common first.

use super::opening::{self, Opened, Wanted};
use super::proc_maps;
use super::records::{RawFile, RawMapping};
use crate::unwind_maps::Identity;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// So many processes must have a file mapped.
const MANY: usize = 3;

/// At most so many files.
const MAX_FILES: usize = 64;

/// A file, and where one process has it mapped.
#[derive(Debug)]
pub struct Common {
    mapping: RawMapping,
}

impl Common {
    /// The file and what the kernel knows it by; `None` if it cannot be had any more.
    pub fn open(&self) -> Option<(Identity, File)> {
        let RawFile {
            device,
            inode,
            path,
        } = &self.mapping.file;
        let wanted = Wanted {
            path: Path::new(OsStr::from_bytes(path)),
            inode: *inode,
            device: *device,
        };
        let range = (self.mapping.start, self.mapping.end);
        match opening::open(wanted, &[self.mapping.tgid], range) {
            Opened::File(file, _) => {
                let identity = Identity {
                    inode: *inode,
                    device: *device,
                };
                Some((identity, file))
            }
            _ => None,
        }
    }
}

/// The files that many of the running processes have mapped as code, the least common first.
pub fn files() -> Vec<Common> {
    let processes = proc_maps::processes().unwrap_or_default();
    let maps = processes.into_iter().map(proc_maps::read);
    common(maps.filter_map(Result::ok))
}

/// The same, of the mappings of each process.
fn common(processes: impl Iterator<Item = Vec<RawMapping>>) -> Vec<Common> {
    let mut counts: HashMap<(u64, (u32, u32)), (usize, RawMapping)> = HashMap::new();
    for mut mappings in processes {
        // A file may have several parts that are code.
        mappings.sort_by_key(|mapping| (mapping.file.inode, mapping.file.device));
        mappings.dedup_by_key(|mapping| (mapping.file.inode, mapping.file.device));
        for mapping in mappings {
            let file = &mapping.file;
            if file.inode != 0 && file.path.first() == Some(&b'/') {
                let key = (file.inode, file.device);
                counts.entry(key).or_insert_with(|| (0, mapping)).0 += 1;
            }
        }
    }
    let mut many: Vec<(usize, RawMapping)> = counts.into_values().collect();
    many.retain(|(count, _)| *count >= MANY);
    many.sort_by_key(|(count, mapping)| (*count, mapping.file.inode));
    let rare = many.len().saturating_sub(MAX_FILES);
    let rest = many.split_off(rare).into_iter();
    rest.map(|(_, mapping)| Common { mapping }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(tgid: u32, inode: u64, path: &str) -> RawMapping {
        RawMapping {
            tgid,
            start: 0x1000,
            end: 0x2000,
            offset: 0,
            file: RawFile {
                device: (8, 1),
                inode,
                path: path.into(),
            },
        }
    }

    #[test]
    fn files_of_many_processes_come_last() {
        let process = |tgid: u32| {
            let mut mappings = vec![
                mapping(tgid, 1, "/lib/libc.so"),
                mapping(tgid, 1, "/lib/libc.so"),
                mapping(tgid, 0, "[vdso]"),
            ];
            if tgid > 1 {
                mappings.push(mapping(tgid, 2, "/lib/libm.so"));
            }
            if tgid > 2 {
                mappings.push(mapping(tgid, 3, "/bin/rare"));
            }
            mappings
        };
        let found = common((1..=4).map(process));
        let paths: Vec<&[u8]> = found
            .iter()
            .map(|common| &*common.mapping.file.path)
            .collect();
        assert_eq!(paths, [&b"/lib/libm.so"[..], b"/lib/libc.so"]);
    }

    #[test]
    fn the_c_library_is_common() {
        let children: Vec<_> = (0..MANY)
            .map(|_| {
                let mut sleep = std::process::Command::new("sleep");
                sleep.arg("100").spawn().unwrap()
            })
            .collect();
        let named = |common: &Common| {
            let path = String::from_utf8_lossy(&common.mapping.file.path).into_owned();
            path.contains("/libc.so").then(|| common.open().is_some())
        };
        // A child has it mapped a moment after it was started.
        let mut found = None;
        for _ in 0..500 {
            found = files().iter().find_map(named);
            if found.is_some() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        for mut child in children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(found, Some(true));
    }
}
