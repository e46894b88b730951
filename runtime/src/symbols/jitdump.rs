//! `jit-PID.dump`: what just-in-time compilers write down for `perf inject`, code and all, in binary.
//!
//! In come an open file, out go functions. As of [`super::perf_map`], nothing in it is trusted: it is read in pieces, no more of it than
//! the bounds there, and what was read is not read again; a record that makes no sense ends the reading. The code in it is passed
//! over, and so is code that was moved. Which file it is, and that it belongs to the process's user, was settled when it was opened (`processes/generated.rs`).

use crate::bytes::{slice, string, unsigned};
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// The file's header: `JiTD`, version 1, and its own size.
const MAGIC: u64 = 0x4a69_5444;
const VERSION: u64 = 1;
const HEADER: u64 = 16;

/// Kind, size and time of a record.
const RECORD: u64 = 16;
const LOAD: u64 = 0;

/// Bytes of a record that are read: all before the name, and of that what there is room for.
const MAX_NAME: u64 = 8 << 10;

/// Records that are read at once, so that a file of tiny ones does not keep anybody.
const MAX_RECORDS: usize = 1 << 18;

/// Bytes of a file. With all code in it a large program's has some hundred million.
const MAX_BYTES: u64 = 1 << 30;

/// A function that was generated.
#[derive(Debug, PartialEq, Eq)]
pub struct Generated {
    /// Its first address.
    pub start: u64,
    /// The first address behind it.
    pub end: u64,
    /// Its name.
    pub name: String,
}

/// Reads the records from `at` on; 0 is the beginning. Calls `each` with what was generated, until it says that it has enough.
/// Returns how far it came: what is not whole yet is read again.
pub fn read(file: &File, at: u64, mut each: impl FnMut(Generated) -> bool) -> Option<u64> {
    let length = file.metadata().ok()?.len().min(MAX_BYTES);
    let mut at = match at {
        0 => header(file)?,
        at => at,
    };
    for _ in 0..MAX_RECORDS {
        let mut head = [0; RECORD as usize];
        if at.checked_add(RECORD)? > length || file.read_exact_at(&mut head, at).is_err() {
            break;
        }
        let (kind, size) = (unsigned(&head[..4]), unsigned(&head[4..8]));
        if size < RECORD {
            return None;
        }
        let end = at.checked_add(size)?;
        if end > length {
            break;
        }
        if kind == LOAD {
            let mut body = vec![0; (size - RECORD).min(MAX_NAME) as usize];
            file.read_exact_at(&mut body, at + RECORD).ok()?;
            if load(&body).is_some_and(|generated| !each(generated)) {
                break;
            }
        }
        at = end;
    }
    Some(at)
}

/// Where the records begin.
fn header(file: &File) -> Option<u64> {
    let mut bytes = [0; HEADER as usize];
    file.read_exact_at(&mut bytes, 0).ok()?;
    let (magic, version) = (unsigned(&bytes[..4]), unsigned(&bytes[4..8]));
    let size = unsigned(&bytes[8..12]);
    (magic == MAGIC && version == VERSION && size >= HEADER).then_some(size)
}

/// Process, thread, address, where the code is, its size, its number, and the name.
fn load(body: &[u8]) -> Option<Generated> {
    const NAME: usize = 40;
    let (start, size) = (unsigned(slice(body, 16, 8)), unsigned(slice(body, 24, 8)));
    let rest = body.get(NAME..)?;
    let name = string(rest);
    // One that has no end is cut, or none.
    (!name.is_empty() && name.len() < rest.len()).then_some(())?;
    Some(Generated {
        start,
        end: start.checked_add(size)?,
        name: String::from_utf8_lossy(name).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process;

    fn words(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn head() -> Vec<u8> {
        // Magic and version, size and machine, process, time, flags.
        words(&[MAGIC | VERSION << 32, 40 | 62 << 32, 7, 1, 0])
    }

    fn record(kind: u64, body: &[u8]) -> Vec<u8> {
        let size = RECORD + body.len() as u64;
        [words(&[kind | size << 32, 1]), body.to_vec()].concat()
    }

    fn function(start: u64, size: u64, name: &str) -> Vec<u8> {
        let numbers = words(&[7 | 7 << 32, start, start, size, 1]);
        record(LOAD, &[&numbers, name.as_bytes(), b"\0code"].concat())
    }

    fn read_all(file: &File, at: u64) -> (Option<u64>, Vec<(u64, u64, String)>) {
        let mut all = Vec::new();
        let end = read(file, at, |generated| {
            all.push((generated.start, generated.end, generated.name));
            true
        });
        (end, all)
    }

    fn file(bytes: &[u8]) -> File {
        let file = File::from(process::memory_file(c"dump").unwrap());
        file.write_all_at(bytes, 0).unwrap();
        file
    }

    #[test]
    fn functions_are_read_as_they_are_appended() {
        let first = [head(), function(0x1000, 0x20, "one"), record(3, b"")].concat();
        let second = function(0x2000, 0x10, "two");
        let file = file(&first);
        file.write_all_at(&second[..second.len() - 1], first.len() as u64)
            .unwrap();
        let (end, found) = read_all(&file, 0);
        assert_eq!(end, Some(first.len() as u64));
        assert_eq!(found, [(0x1000, 0x1020, "one".to_owned())]);
        file.write_all_at(&second, first.len() as u64).unwrap();
        let (_, found) = read_all(&file, first.len() as u64);
        assert_eq!(found, [(0x2000, 0x2010, "two".to_owned())]);
    }

    #[test]
    fn what_makes_no_sense_ends_the_reading() {
        let endless = words(&[LOAD, 1]);
        let no_name = record(LOAD, &words(&[7, 1, 1, 1, 1]));
        let overflow = function(u64::MAX, 2, "x");
        assert_eq!(read_all(&file(b"JiTD"), 0), (None, vec![]));
        assert_eq!(read_all(&file(&[0; 64]), 0), (None, vec![]));
        assert_eq!(
            read_all(&file(&[head(), endless].concat()), 0),
            (None, vec![])
        );
        let passed_over = [head(), no_name, overflow, function(1, 1, "y")].concat();
        let (end, found) = read_all(&file(&passed_over), 0);
        assert_eq!((end, found.len()), (Some(passed_over.len() as u64), 1));
        for cut in 0..passed_over.len() {
            read_all(&file(&passed_over[..cut]), 0);
        }
    }
}
