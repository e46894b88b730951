//! What functions of Python are called, as programs copied it when they first saw each.
//!
//! In come records of a ring buffer; out go frames for words of a stack.

use super::lines;
use crate::bytes::{slice, unsigned};
use crate::error::Error;
use crate::load::Loaded;
use crate::loss::{Cause, Loss};
use crate::results::Frame;
use crate::ring::LateRing;
use pfscript_probes::abi::{
    PYTHON_CODE, PYTHON_KEY, PYTHON_LINES_BYTES, PYTHON_NAME_BYTES, PYTHON_PATH_BYTES,
    PYTHON_UNITS, STACK_PYTHON, map,
};
use pfscript_probes::maps::MAX_PYTHON_KNOWN;
use std::collections::{HashMap, HashSet};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Bytes that all functions together may take.
const ROOM: usize = 64 << 20;

/// Bytes of keys of functions that programs remember to have copied, before they are to forget them: three of four of those that
/// there is room for.
const MOST_COPIED: usize = (MAX_PYTHON_KNOWN / 4 * 3 * PYTHON_KEY.size()) as usize;

/// A function, or what else runs: a class's body, a module.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Code {
    name: Arc<str>,
    path: Arc<str>,
    first_line: u32,
    lines: Box<[u8]>,
}

impl Code {
    fn size(&self) -> usize {
        size_of::<Code>() + self.name.len() + self.path.len() + self.lines.len()
    }
}

/// The process of a function, and what it is known by there.
type Key = (u32, u64);

/// The functions of all processes.
#[derive(Debug, Default)]
pub struct Codes {
    ring: Option<LateRing>,
    known: HashMap<Key, Arc<Code>>,
    /// Each once: processes run the same programs.
    distinct: HashSet<Arc<Code>>,
    size: usize,
    /// The keys of what programs remember to have copied.
    copied: Vec<u8>,
    /// Functions that were asked for and are not known.
    missed: HashSet<Key>,
}

impl Codes {
    /// Of what an object's programs see.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(loaded: &Loaded) -> Result<Codes, Error> {
        let ring = loaded.map(map::PYTHON_CODES);
        Ok(Codes {
            ring: ring.map(|map| LateRing::new(map.fd())).transpose()?,
            ..Codes::default()
        })
    }

    /// A descriptor that becomes readable when records wait.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.ring.as_ref().and_then(LateRing::fd)
    }

    /// Takes in the records that wait.
    pub fn drain(&mut self, loaded: &Loaded) {
        let Some(mut ring) = self.ring.take() else {
            return;
        };
        while let Some(record) = ring.next() {
            self.add(&record);
            self.copied.extend(PYTHON_CODE.extent("key").of(&record));
        }
        self.ring = Some(ring);
        // Of what has ended, too; what is still used is copied once more.
        if self.copied.len() >= MOST_COPIED {
            if let Some(known) = loaded.map(map::PYTHON_KNOWN) {
                let _ = known.delete_all(&self.copied);
            }
            self.copied.clear();
        }
    }

    fn add(&mut self, record: &[u8]) {
        let number = |name: &str| unsigned(PYTHON_CODE.extent(name).of(record)) as u32;
        let key = PYTHON_CODE.extent("key").of(record);
        let id = unsigned(PYTHON_KEY.extent("id").of(key));
        let tgid = unsigned(PYTHON_KEY.extent("tgid").of(key)) as u32;
        let mut end = PYTHON_CODE.size();
        let mut next = |bytes: u32, room: u32| {
            let start = end;
            end += bytes.min(room);
            slice(record, start, bytes.min(room))
        };
        let name = next(number("name_bytes"), PYTHON_NAME_BYTES);
        let path = next(number("path_bytes"), PYTHON_PATH_BYTES);
        let lines = next(number("lines_bytes"), PYTHON_LINES_BYTES);
        let code = Arc::new(Code {
            name: text(name, number("name_bytes"), number("name_state")).into(),
            path: text(path, number("path_bytes"), number("path_state")).into(),
            first_line: number("first_line"),
            lines: lines.into(),
        });
        let code = match self.distinct.get(&code) {
            Some(same) => Arc::clone(same),
            None if self.size + code.size() > ROOM => return,
            None => {
                self.size += code.size();
                self.distinct.insert(Arc::clone(&code));
                code
            }
        };
        self.known.insert((tgid, id), code);
    }

    /// The frame that a word of a process's stack stands for; `None` if it is an address.
    pub fn frame(&mut self, tgid: u32, word: u64) -> Option<Frame> {
        const UNITS: u64 = (1 << PYTHON_UNITS) - 1;
        if word & STACK_PYTHON == 0 {
            return None;
        }
        let key = (tgid, (word & !STACK_PYTHON) >> PYTHON_UNITS);
        let mut frame = Frame {
            interpreted: true,
            ..Frame::default()
        };
        let Some(code) = self.known.get(&key) else {
            self.missed.insert(key);
            return Some(frame);
        };
        frame.function = Some(Arc::clone(&code.name));
        frame.file = Some(Arc::clone(&code.path));
        frame.line = match word & UNITS {
            // It has not begun.
            UNITS => Some(code.first_line),
            unit => lines::line(&code.lines, code.first_line, unit as u32),
        };
        Some(frame)
    }

    /// Forgets the functions of processes that are not to be kept.
    pub fn retain(&mut self, mut keeps: impl FnMut(u32) -> bool) {
        self.known.retain(|(tgid, _), _| keeps(*tgid));
        self.distinct.retain(|code| Arc::strong_count(code) > 1);
        self.size = self.distinct.iter().map(|code| code.size()).sum();
    }

    /// The names that were asked for and are not known.
    pub fn losses(&self) -> Option<Loss> {
        (!self.missed.is_empty()).then_some(Loss {
            probe: None,
            cause: Cause::PythonNames,
            count: self.missed.len() as u64,
            capacity: None,
        })
    }
}

/// The text of a string as the interpreter has it, of so many bytes, of which there may be fewer here.
fn text(bytes: &[u8], whole: u32, state: u32) -> String {
    let known = slice(bytes, 0, whole);
    let mut text: String = match state >> 2 & 7 {
        2 => char::decode_utf16(known.chunks_exact(2).map(|pair| unsigned(pair) as u16))
            .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
        4 => known
            .chunks_exact(4)
            .map(|four| {
                char::from_u32(unsigned(four) as u32).unwrap_or(char::REPLACEMENT_CHARACTER)
            })
            .collect(),
        _ => known.iter().map(|byte| char::from(*byte)).collect(),
    };
    if (whole as usize) > bytes.len() {
        text.push_str("..");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: u64 = 0x123;

    /// A record as programs write it.
    fn record(tgid: u32, name: (&[u8], u32, u32), path: &[u8], lines: &[u8]) -> Vec<u8> {
        let mut record = vec![0; PYTHON_CODE.size() as usize];
        let (name, name_bytes, kind) = name;
        for (field, value) in [
            ("first_line", 7),
            ("name_bytes", name_bytes),
            ("name_state", kind << 2),
            ("path_bytes", path.len() as u32),
            ("path_state", 1 << 2),
            ("lines_bytes", lines.len() as u32),
        ] {
            PYTHON_CODE.extent(field).set(&mut record, value.into());
        }
        PYTHON_KEY.extent("id").set(&mut record, ID);
        PYTHON_KEY.extent("tgid").set(&mut record, tgid.into());
        record.extend(name);
        record.extend(path);
        record.extend(lines);
        record
    }

    fn word(unit: u64) -> u64 {
        STACK_PYTHON | ID << PYTHON_UNITS | unit
    }

    #[test]
    fn a_word_is_a_function_and_a_line() {
        let mut codes = Codes::default();
        // Two units, of line 7 and of line 9.
        codes.add(&record(5, (b"f", 1, 1), b"x.py", &[0x80, 0, 0xe0, 1, 2]));
        let mut line = |unit| codes.frame(5, word(unit)).unwrap().line;
        assert_eq!(line(0), Some(7));
        assert_eq!(line(1), Some(9));
        assert_eq!(line(2), None);
        assert_eq!(line((1 << PYTHON_UNITS) - 1), Some(7));
        let frame = codes.frame(5, word(0)).unwrap();
        assert!(frame.interpreted);
        assert_eq!(frame.function.as_deref(), Some("f"));
        assert_eq!(frame.file.as_deref(), Some("x.py"));
        assert_eq!(codes.frame(5, 0x7fff_ffff_f000), None);
        assert_eq!(codes.losses(), None);
    }

    #[test]
    fn what_is_not_known_is_told_once() {
        let mut codes = Codes::default();
        for _ in 0..3 {
            assert_eq!(codes.frame(5, word(0)).unwrap().function, None);
        }
        assert_eq!(codes.losses().map(|loss| loss.count), Some(1));
    }

    #[test]
    fn processes_share_what_is_the_same() {
        let mut codes = Codes::default();
        for tgid in 1..=100 {
            codes.add(&record(tgid, (b"f", 1, 1), b"x.py", &[0; 1000]));
        }
        assert_eq!(codes.distinct.len(), 1);
        codes.retain(|tgid| tgid == 1);
        assert_eq!((codes.known.len(), codes.distinct.len()), (1, 1));
        codes.retain(|_| false);
        assert_eq!((codes.distinct.len(), codes.size), (0, 0));
    }

    #[test]
    fn what_processes_say_is_bounded() {
        let mut codes = Codes::default();
        let lines = vec![0; 4096];
        for first in 0..20_000_u32 {
            let mut record = record(first, (b"f", 1, 1), b"x.py", &lines);
            PYTHON_CODE
                .extent("first_line")
                .set(&mut record, first.into());
            codes.add(&record);
        }
        assert!(codes.size <= ROOM);
        assert!(codes.known.len() > 10_000 && codes.known.len() < 20_000);
    }

    #[test]
    fn names_have_characters_of_any_width() {
        assert_eq!(text(b"caf\xe9", 4, 1 << 2), "caf\u{e9}");
        assert_eq!(text(&[0x16, 0x04, 0x61, 0], 4, 2 << 2), "\u{416}a");
        assert_eq!(text(&[0x00, 0xf6, 0x01, 0], 4, 4 << 2), "\u{1f600}");
        // Half of a pair, no character, and a length that is a lie.
        assert_eq!(text(&[0, 0xd8], 2, 2 << 2), "\u{fffd}");
        assert_eq!(text(&[0xff; 4], 4, 4 << 2), "\u{fffd}");
        assert_eq!(text(b"ab", 3, 1 << 2), "ab..");
        assert_eq!(text(b"", u32::MAX, 7 << 2), "..");
    }

    #[test]
    fn a_record_that_ends_early_does_no_harm() {
        let whole = record(5, (b"f", 1, 1), b"x.py", &[0x80, 0]);
        for length in 0..whole.len() {
            Codes::default().add(&whole[..length]);
        }
    }
}
