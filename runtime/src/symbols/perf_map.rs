//! `/tmp/perf-PID.map`: the names that just-in-time compilers write down for the code that they generate.
//!
//! In come an address and an open file, out goes a name. The file is not trusted: it may have any size and hold anything. So
//! it is read in pieces, no more of it than the bounds below, and what was read is not read again; a line that is no entry is
//! left out. Which file it is, and that it belongs to the process's user, was settled when it was opened
//! (`processes/generated.rs`).

use super::jitdump;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

/// Bytes of a file that are read. A large program on V8 writes some ten million.
const MAX_BYTES: u64 = 64 << 20;

/// Functions that are kept.
const MAX_FUNCTIONS: usize = 1 << 20;

/// Bytes of a line; longer ones are left out.
const MAX_LINE: usize = 16 << 10;

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// Bytes before the place up to which a file was read, by which it is known to be the same.
const LAST: usize = 64;

/// The functions of one process, by rising address.
#[derive(Debug, Default)]
pub struct PerfMap {
    functions: Vec<Entry>,
    /// All names, one after another.
    names: String,
    /// Which file it is, by device and inode, how far it was read, and the last bytes before.
    file: (u64, u64),
    end: u64,
    last: Vec<u8>,
    /// How far the binary file was read.
    dump_end: u64,
    cut: bool,
}

/// A line of the file.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    start: u64,
    end: u64,
    name: Name,
}

/// A part of all names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    start: u32,
    length: u32,
}

impl PerfMap {
    /// Reads what was appended since it was read before; all of it if the file was begun anew, as the JVM does. Code that is not in
    /// there any more keeps its name where no other came in its place. No more than `room` bytes are kept.
    pub fn update(&mut self, file: &File, room: usize) {
        let Ok(meta) = file.metadata() else {
            return;
        };
        let (size, identity) = (meta.len(), (meta.dev(), meta.ino()));
        if identity == self.file && self.is_same(file) {
            self.append(file, size, room);
            return;
        }
        let before = std::mem::replace(
            self,
            PerfMap {
                file: identity,
                dump_end: self.dump_end,
                ..PerfMap::default()
            },
        );
        self.append(file, size, room);
        self.keep(&before, room);
    }

    /// Whether a file begins with what was read.
    fn is_same(&self, file: &File) -> bool {
        let mut last = vec![0; self.last.len()];
        file.read_exact_at(&mut last, self.end - self.last.len() as u64)
            .is_ok()
            && last == self.last
    }

    /// Takes over the functions of another one in whose place there are none.
    fn keep(&mut self, before: &PerfMap, room: usize) {
        let kept = before.functions.iter().filter(|old| {
            let behind = self.functions.partition_point(|new| new.start < old.end);
            let last = behind.checked_sub(1).map(|last| &self.functions[last]);
            last.is_none_or(|last| last.end <= old.start)
        });
        for old in kept.collect::<Vec<_>>() {
            if self.is_full(room) {
                break;
            }
            if let Some(name) = before.name(old.name) {
                self.insert(old.start, old.end, name);
            }
        }
        self.functions.sort_by_key(|function| function.start);
    }

    /// Reads a file on, up to its size.
    fn append(&mut self, file: &File, size: u64, room: usize) {
        let from = self.end;
        let readable = size.min(MAX_BYTES);
        let mut line = Vec::new();
        let mut too_long = false;
        let mut piece = vec![0; PIECE.min((readable - self.end.min(readable)) as usize)];
        let mut at = self.end;
        while at < readable && !self.is_full(room) {
            let wanted = piece.len().min((readable - at) as usize);
            let read = match file.read_at(&mut piece[..wanted], at) {
                Ok(0) | Err(_) => break,
                Ok(read) => read,
            };
            for part in piece[..read].split_inclusive(|byte| *byte == b'\n') {
                too_long |= line.len() + part.len() > MAX_LINE;
                if !too_long {
                    line.extend_from_slice(part);
                }
                at += part.len() as u64;
                if part.last() == Some(&b'\n') {
                    if !too_long {
                        self.take_in(&line);
                    }
                    line.clear();
                    too_long = false;
                    // A line that is not complete yet is read again.
                    self.end = at;
                }
            }
        }
        self.cut |= size > MAX_BYTES || self.is_full(room);
        if self.end == from {
            return;
        }
        self.last.resize(LAST.min(self.end as usize), 0);
        let last_at = self.end - self.last.len() as u64;
        if file.read_exact_at(&mut self.last, last_at).is_err() {
            // It was cut short in between.
            self.last.clear();
        }
        // Of code generated twice at an address the later line is the true one; the sort is stable.
        self.functions.sort_by_key(|function| function.start);
    }

    /// Reads what was appended to the binary file, `jit-PID.dump`.
    pub fn update_dump(&mut self, file: &File, room: usize) {
        let end = jitdump::read(file, self.dump_end, |generated| {
            self.insert(generated.start, generated.end, &generated.name);
            !self.is_full(room)
        });
        self.dump_end = end.unwrap_or(u64::MAX - 1);
        self.cut |= self.is_full(room);
        self.functions.sort_by_key(|function| function.start);
    }

    fn is_full(&self, room: usize) -> bool {
        self.functions.len() >= MAX_FUNCTIONS || self.size() >= room
    }

    /// The memory that it takes, in bytes.
    pub fn size(&self) -> usize {
        self.names.len() + self.functions.len() * size_of::<Entry>()
    }

    /// Whether the file holds more than was read.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    fn take_in(&mut self, line: &[u8]) {
        let Some((start, end, name)) = parse_line(line) else {
            return;
        };
        self.insert(start, end, &name);
    }

    fn insert(&mut self, start: u64, end: u64, name: &str) {
        let place = Name {
            start: self.names.len() as u32,
            length: name.len() as u32,
        };
        self.names.push_str(name);
        self.functions.push(Entry {
            start,
            end,
            name: place,
        });
    }

    fn name(&self, Name { start, length }: Name) -> Option<&str> {
        self.names.get(start as usize..(start + length) as usize)
    }

    /// The function at an address, and the offset in it.
    pub fn find(&self, address: u64) -> Option<(&str, u64)> {
        let behind = self
            .functions
            .partition_point(|function| function.start <= address);
        let function = self.functions.get(behind.checked_sub(1)?)?;
        let name = self.name(function.name)?;
        (address < function.end).then(|| (name, address - function.start))
    }
}

/// `START SIZE NAME`, numbers in hexadecimal: where the function begins, where it ends, and its name.
fn parse_line(line: &[u8]) -> Option<(u64, u64, String)> {
    let line = String::from_utf8_lossy(line);
    let mut words = line.splitn(3, ' ');
    let mut number = || {
        let word = words.next()?;
        u64::from_str_radix(word.strip_prefix("0x").unwrap_or(word), 16).ok()
    };
    let start = number()?;
    let end = start.checked_add(number()?)?;
    let name = words.next()?.trim();
    (!name.is_empty()).then(|| (start, end, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const ROOM: usize = 1 << 30;

    /// A file that is open and has no name.
    fn file(text: &[u8]) -> File {
        let mut file = File::from(crate::sys::process::memory_file(c"map").unwrap());
        file.write_all(text).unwrap();
        file
    }

    fn read(text: &[u8]) -> PerfMap {
        let mut map = PerfMap::default();
        map.update(&file(text), ROOM);
        map
    }

    #[test]
    fn functions_are_found_by_address() {
        let map = read(b"2000 10 second one\n0x1000 20 first\nnonsense\n1000 8\n3000 zz x\n");
        assert_eq!(map.find(0x1000), Some(("first", 0)));
        assert_eq!(map.find(0x101f), Some(("first", 0x1f)));
        assert_eq!(map.find(0x1020), None);
        assert_eq!(map.find(0x2005), Some(("second one", 5)));
        assert_eq!(map.find(0xfff), None);
        assert!(!map.is_cut());
    }

    #[test]
    fn code_generated_again_has_its_latest_name() {
        let map = read(b"1000 20 old\n1000 20 new\n");
        assert_eq!(map.find(0x1001), Some(("new", 1)));
    }

    #[test]
    fn what_is_appended_is_read_once_the_line_is_complete() {
        let mut file = file(b"1000 20 one\n2000 20 tw");
        let mut map = PerfMap::default();
        map.update(&file, ROOM);
        assert_eq!(map.find(0x2000), None);
        file.write_all(b"o\n3000 20 three\n").unwrap();
        map.update(&file, ROOM);
        assert_eq!(map.find(0x1000), Some(("one", 0)));
        assert_eq!(map.find(0x2000), Some(("two", 0)));
        assert_eq!(map.find(0x3000), Some(("three", 0)));
        assert_eq!(map.functions.len(), 3);
    }

    #[test]
    fn a_file_that_is_written_anew_is_read_anew() {
        let file = file(b"1000 20 one\n2000 20 two\n3000 20 three\n");
        let mut map = PerfMap::default();
        map.update(&file, ROOM);
        // Of the same length, so that nothing was appended.
        file.write_all_at(b"1008 20 ONE\n2000 20 TWO\n4000 20 THREE\n", 0)
            .unwrap();
        map.update(&file, ROOM);
        assert_eq!(map.find(0x1000), None);
        assert_eq!(map.find(0x1008), Some(("ONE", 0)));
        assert_eq!(map.find(0x2000), Some(("TWO", 0)));
        assert_eq!(map.find(0x3000), Some(("three", 0)));
        assert_eq!(map.find(0x4000), Some(("THREE", 0)));
        let size = map.size();
        file.set_len(0).unwrap();
        map.update(&file, ROOM);
        assert_eq!(map.find(0x2000), Some(("TWO", 0)));
        assert_eq!(map.size(), size);
    }

    #[test]
    fn lines_may_lie_across_pieces_and_long_ones_are_left_out() {
        let mut text = Vec::new();
        for number in 0..10_000 {
            writeln!(text, "{:x} 10 function{number}", number * 16).unwrap();
        }
        writeln!(text, "a00000 10 {}", "x".repeat(MAX_LINE)).unwrap();
        writeln!(text, "b00000 10 last").unwrap();
        let map = read(&text);
        assert_eq!(map.find(16 * 9_999), Some(("function9999", 0)));
        assert_eq!(map.find(0xa0_0000), None);
        assert_eq!(map.find(0xb0_0000), Some(("last", 0)));
    }

    #[test]
    fn no_more_is_read_than_the_bounds_allow() {
        let huge = file(b"1000 20 first\n");
        huge.set_len(3 << 30).unwrap();
        let mut map = PerfMap::default();
        map.update(&huge, ROOM);
        assert_eq!(map.find(0x1000), Some(("first", 0)));
        assert!(map.is_cut());
        let many = "1 1 a\n".repeat(MAX_FUNCTIONS + 100_000);
        let map = read(many.as_bytes());
        assert!(map.is_cut() && map.functions.len() < MAX_FUNCTIONS + PIECE);
        let mut map = PerfMap::default();
        map.update(&file(many.as_bytes()), 1 << 20);
        assert!(map.is_cut() && map.size() < 4 << 20);
    }
}
