//! The functions of a Go program, as the Go linker writes them down for the program's own traces (`.gopclntab`). Nothing removes that:
//! a running program needs it, so that stripped ones have it too.
//!
//! In comes an open file, out come functions with their addresses, names, and how far each instruction's stack pointer is below that at
//! the function's beginning. Known are the tables of Go 1.18 and later, for x86-64. Their layout is `runtime/symtab.go` of Go's.

use super::sections::Sections;
use super::{header, invalid};
use crate::bytes::{slice, string, unsigned};
use std::fs::File;
use std::io;

/// Bytes of the table: the largest programs have a third of that.
const MAX_TABLE: u64 = 96 << 20;

/// Bytes of the table's header.
const HEADER: usize = 72;

/// Bytes of a row of the index of functions.
const INDEX_ROW: usize = 8;

/// The table of functions of a file.
#[derive(Debug)]
pub struct GoTable {
    bytes: Vec<u8>,
    /// Where it is in the file.
    offset: u64,
    /// The address from which those of functions are counted.
    text: u64,
    /// Functions.
    count: usize,
    /// Where in the table are: names, what follows them, how stack pointers change, the index of functions.
    names: usize,
    files: usize,
    changes: usize,
    index: usize,
    /// Where a function's flags are in what is said of it.
    flags: usize,
}

/// Bytes of a name that are looked at here.
const MAX_NAME: usize = 64;

/// A function of the table.
#[derive(Clone, Copy, Debug)]
pub struct GoFunction<'a> {
    /// Where it is, by the file's own count; in bytes, with what fills the room up to the next one.
    pub address: u64,
    pub size: u64,
    /// Its name, as `runtime.mcall`, or the beginning of a long one.
    pub name: &'a [u8],
    /// Where among all names that begins.
    pub name_at: u32,
    flags: u8,
    changes: &'a [u8],
}

impl GoTable {
    /// Reads the table of a file; `None` if it has none, or one of another version.
    ///
    /// # Errors
    /// If the file is damaged or can't be read.
    pub fn read(file: &File) -> io::Result<Option<GoTable>> {
        /// As the linker calls it, and in position-independent programs.
        const NAMES: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];
        let header = header(file)?;
        let sections = Sections::read(file, &header)?;
        let sections = sections.by_name(file)?;
        let Some(section) = NAMES.iter().find_map(|name| sections.find(name)) else {
            return Ok(None);
        };
        let Some(mut table) = GoTable::parse(section.content(file, MAX_TABLE)?, section.offset)?
        else {
            return Ok(None);
        };
        // The dynamic linker writes down where a position-independent program's code begins. Another linker may have put the code of C
        // before that of Go: then the program does not begin with a function of Go.
        if table.text == 0 {
            let entry = header.class.word(&header.bytes, 24, 24);
            table.text = sections.find(".text").map_or(0, |text| text.address);
            if !table.functions().any(|function| function.address == entry) {
                return Ok(None);
            }
        }
        Ok(Some(table))
    }

    fn parse(bytes: Vec<u8>, offset: u64) -> io::Result<Option<GoTable>> {
        // How the table begins from Go 1.18 and 1.20 on, and where flags are then; instructions are counted by the byte, and
        // addresses have 8, as on x86-64.
        const VERSIONS: [([u8; 8], usize); 2] = [
            ([0xf0, 0xff, 0xff, 0xff, 0, 0, 1, 8], 37),
            ([0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8], 41),
        ];
        let version = VERSIONS.iter().find(|(begin, _)| bytes.starts_with(begin));
        let Some((_, flags)) = version else {
            return Ok(None);
        };
        if bytes.len() < HEADER {
            return Err(invalid("damaged, or cut short"));
        }
        let number = |at| unsigned(slice(&bytes, at, 8));
        let within = |at| usize::try_from(number(at)).unwrap_or(usize::MAX);
        Ok(Some(GoTable {
            offset,
            text: number(24),
            count: within(8).min(bytes.len() / INDEX_ROW),
            names: within(32),
            files: within(40),
            changes: within(56),
            index: within(64),
            flags: *flags,
            bytes,
        }))
    }

    /// Its functions, in the order of their addresses. What makes no sense is left out.
    pub fn functions(&self) -> impl Iterator<Item = GoFunction<'_>> {
        (0..self.count).filter_map(|number| self.function(number))
    }

    fn function(&self, number: usize) -> Option<GoFunction<'_>> {
        let row = self.index.checked_add(number * INDEX_ROW)?;
        // The next one begins where this one ends; behind the last is the end of all.
        let [start, end] = [self.number(row)?, self.number(row + INDEX_ROW)?];
        let said = self.index.checked_add(self.number(row + 4)? as usize)?;
        let name_at = self.number(said.checked_add(4)?)?;
        let changes_at = self.number(said.checked_add(16)?)? as usize;
        let changes = self.changes.checked_add(changes_at)?;
        let name = self
            .bytes
            .get(self.names.checked_add(name_at as usize)?..)?;
        Some(GoFunction {
            address: self.text.checked_add(start.into())?,
            size: end.checked_sub(start)?.into(),
            name: string(&name[..name.len().min(MAX_NAME)]),
            name_at,
            flags: *self.bytes.get(said.checked_add(self.flags)?)?,
            // Nothing is known of one that has none.
            changes: match changes_at {
                0 => &[],
                _ => self.bytes.get(changes..)?,
            },
        })
    }

    /// Where the names are: the offset in the file, and how many bytes there are.
    pub fn names(&self) -> (u64, u64) {
        let end = self.files.min(self.bytes.len());
        let names = self.names.min(end);
        (
            self.offset.saturating_add(names as u64),
            (end - names) as u64,
        )
    }

    fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?;
        Some(unsigned(bytes) as u32)
    }
}

impl<'a> GoFunction<'a> {
    /// Whether it was called by none: traces end there.
    pub fn is_outermost(&self) -> bool {
        self.flags & 1 != 0
    }

    /// Whether it changes the stack pointer in other ways than to make room.
    pub fn sets_stack(&self) -> bool {
        self.flags & 2 != 0
    }

    /// For each part of the function the offset at which it ends, and by how many bytes the stack pointer is lower there than at
    /// the function's beginning. They end where that makes no sense.
    pub fn depths(&self) -> impl Iterator<Item = (u64, i64)> + use<'a> {
        let (size, mut rest) = (self.size, self.changes);
        let (mut end, mut depth) = (0_u64, -1_i64);
        std::iter::from_fn(move || {
            if end >= size {
                return None;
            }
            let change = varint(&mut rest)?;
            // A zero ends them, but for the first.
            if change == 0 && end != 0 {
                return None;
            }
            depth += i64::from(change >> 1) ^ -i64::from(change & 1);
            let bytes = varint(&mut rest).filter(|bytes| *bytes > 0)?;
            end = size.min(end + u64::from(bytes));
            (depth >= 0 && depth % 8 == 0).then_some((end, depth))
        })
    }
}

/// A number, 7 bits in each byte, the lowest first.
fn varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in (0..32).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use pfscript_testkit::random::Random;

    const TEXT: u64 = 0x40_1000;

    /// A table of three functions: one that makes room and gives it back, one that is called by none, and one of which nothing is known.
    fn table(version: u8) -> Vec<u8> {
        const NAMES: &[u8] = b"\0first\0second\0third\0";
        const CHANGES: &[u8] = &[0, 2, 4, 0x80 | 48, 0, 0xa0, 1, 47, 1, 0];
        // What is said of a function, in words of 4 bytes.
        let said = if version == 0xf0 { 10 } else { 11 };
        let flags_at = said * 4 - 3;
        let mut bytes = vec![version, 0xff, 0xff, 0xff, 0, 0, 1, 8];
        let names = HEADER;
        let changes = names + NAMES.len();
        let index = changes + CHANGES.len();
        for number in [3, 0, TEXT as usize, names, changes, changes, changes, index] {
            bytes.extend((number as u64).to_le_bytes());
        }
        bytes.extend([NAMES, CHANGES].concat());
        // The index ends with the end of all code.
        let first = 4 * 8;
        for (number, start) in [0, 0x100, 0x140].into_iter().enumerate() {
            bytes.extend(u32::to_le_bytes(start));
            bytes.extend(u32::to_le_bytes(first + number as u32 * said * 4));
        }
        bytes.extend(u32::to_le_bytes(0x200));
        bytes.extend([0; 4]);
        for (name, changes, flags) in [(1, 1, 0), (7, 9, 3), (14, 0, 0)] {
            let mut function = vec![0; said as usize * 4];
            function[4] = name;
            function[16] = changes;
            function[flags_at as usize] = flags;
            bytes.extend(function);
        }
        bytes
    }

    fn parse(bytes: Vec<u8>) -> io::Result<Option<GoTable>> {
        GoTable::parse(bytes, 0x5000)
    }

    #[test]
    fn functions_have_names_places_and_depths() {
        for version in [0xf0, 0xf1] {
            let table = parse(table(version)).unwrap().unwrap();
            let functions: Vec<_> = table.functions().collect();
            let places: Vec<_> = functions
                .iter()
                .map(|function| (function.name, function.address - TEXT, function.size))
                .collect();
            let expected: [(&[u8], u64, u64); 3] = [
                (b"first", 0, 0x100),
                (b"second", 0x100, 0x40),
                (b"third", 0x140, 0xc0),
            ];
            assert_eq!(places, expected);
            let depths = |number: usize| functions[number].depths().collect::<Vec<_>>();
            assert_eq!(depths(0), [(4, 0), (0xa4, 24), (0xa5, 0)]);
            assert_eq!(depths(2), []);
            let flags = functions
                .iter()
                .map(|function| (function.is_outermost(), function.sets_stack()));
            assert_eq!(
                flags.collect::<Vec<_>>(),
                [(false, false), (true, true), (false, false)]
            );
            assert_eq!(table.names(), (0x5000 + 72, 20));
        }
    }

    #[test]
    fn other_versions_are_not_read() {
        assert!(parse(table(0xfb)).unwrap().is_none());
        assert!(parse(Vec::new()).unwrap().is_none());
        assert!(parse(table(0xf1)[..40].to_vec()).is_err());
    }

    #[test]
    fn damaged_tables_end_soon() {
        let whole = table(0xf1);
        let mut functions = 0;
        for seed in 0..10_000 {
            let mut random = Random::new(seed);
            let mut bytes = whole.clone();
            for _ in 0..=random.below(8) {
                let at = 8 + random.below(bytes.len() as u64 - 8);
                bytes[at as usize] = random.number() as u8;
            }
            if random.below(8) == 0 {
                bytes.truncate(random.below(bytes.len() as u64) as usize);
            }
            let Ok(Some(table)) = parse(bytes) else {
                continue;
            };
            for function in table.functions() {
                functions += 1;
                let ends: Vec<u64> = function.depths().map(|(end, _)| end).collect();
                assert!(ends.windows(2).all(|ends| ends[0] < ends[1]), "{seed}");
                assert!(ends.iter().all(|end| *end <= function.size), "{seed}");
            }
        }
        assert!(functions > 10_000, "{functions}");
    }
}
