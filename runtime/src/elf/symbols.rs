//! Names for places in a file: its symbols, by address, in memory.
//!
//! In comes an open file, out goes a table that can be asked after the file is gone. Whoever wrote the file may be hostile:
//! it is read in pieces and within limits, and what does not make sense is left out. Of a stripped file the symbols are read that
//! were put beside it, or compressed into it, or that Go keeps for itself. Where names are more than is worth keeping, they are read from the file when
//! they are asked for.

use super::go::GoTable;
use super::{
    Class, MAX_SYMBOLS, Section, Sections, Symbol, each_symbol, header, layout, lines, mini,
    names_of, separate,
};
use crate::bytes::string;
use pfscript_compiler::facts::Segment;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// Bytes of names that are kept in memory for each table.
const MAX_KEPT: u64 = 16 << 20;

/// Bytes of a name. Longer ones are cut, to [`CUT_NAME`]: names may lie over each other in the file, so that a small one can
/// have very many.
const MAX_NAME: usize = 8 << 10;

/// Bytes that are left of a name that is too long, before three dots.
const CUT_NAME: usize = 1 << 10;

/// What a table whose names stay in the file counts for, in bytes, since it holds a descriptor.
const WEIGHT_OF_DESCRIPTOR: usize = 8 << 20;

/// The same of a file that is held open for its source lines.
const WEIGHT_OF_DEBUG_FILE: usize = 1 << 20;

/// The symbols of a file.
#[derive(Debug)]
pub struct SymbolFile {
    segments: Vec<Segment>,
    /// The best first.
    tables: Vec<Table>,
    /// The file that has its source lines, if they are wanted.
    debug: Option<Arc<File>>,
    /// Empty if there is none.
    build_id: Arc<[u8]>,
    /// Its symbols might still be had by its build id.
    missing: bool,
    too_large: bool,
}

impl SymbolFile {
    /// Reads the symbols of a program or a library, of 32 or 64 bits; `beside` is the file that they were put into where it was
    /// stripped of them. What is inflated is taken from `inflate`, in bytes. Where lines are wanted, too, the file that has them is
    /// held open.
    ///
    /// # Errors
    /// If it is neither, is damaged, or can't be read.
    pub fn read(
        file: File,
        beside: Option<File>,
        inflate: &mut u64,
        wants_lines: bool,
    ) -> io::Result<SymbolFile> {
        let header = header(&file)?;
        let mut symbols = SymbolFile {
            segments: layout(&file, &header)?.segments,
            tables: Vec::new(),
            debug: None,
            build_id: separate::build_id(&file).unwrap_or_default().into(),
            missing: false,
            too_large: false,
        };
        let (file, beside) = (Arc::new(file), beside.map(Arc::new));
        if wants_lines {
            let mut files = [Some(&file), beside.as_ref()].into_iter().flatten();
            symbols.debug = files.find(|file| lines::has_lines(file)).cloned();
        }
        if let Some(beside) = beside {
            symbols.add(&beside, Section::SYMTAB, true);
        }
        symbols.add(&file, Section::SYMTAB, true);
        symbols.missing = symbols.tables.is_empty() && !symbols.build_id.is_empty();
        if symbols.tables.is_empty()
            && let Ok(sections) = Sections::read(&file, &header)
            && let Some(within) = mini::file(&file, &sections, inflate)
        {
            // Those that are in the other table are left out of this one.
            symbols.add(&Arc::new(within), Section::SYMTAB, false);
        }
        if symbols.tables.is_empty() {
            symbols.tables.extend(Table::of_go(&file));
        }
        symbols.add(&file, Section::DYNSYM, false);
        Ok(symbols)
    }

    /// The build id by which symbols that are not there might still be had; once.
    pub fn take_missing(&mut self) -> Option<Arc<[u8]>> {
        std::mem::take(&mut self.missing).then(|| Arc::clone(&self.build_id))
    }

    /// The file's build id; empty if it has none.
    pub fn build_id(&self) -> &Arc<[u8]> {
        &self.build_id
    }

    /// Adds the symbols of the file that they were put into, found later.
    pub fn add_beside(&mut self, file: File, wants_lines: bool) {
        let file = Arc::new(file);
        if wants_lines && self.debug.is_none() && lines::has_lines(&file) {
            self.debug = Some(Arc::clone(&file));
        }
        let others = std::mem::take(&mut self.tables);
        self.add(&file, Section::SYMTAB, true);
        self.tables.extend(others);
    }

    /// Adds a table of a file if it is sound. `all` says whether it has all functions.
    fn add(&mut self, file: &Arc<File>, kind: u64, all: bool) {
        let Ok(header) = header(file) else {
            return;
        };
        let Ok(sections) = Sections::read(file, &header) else {
            return;
        };
        let Some(symbols) = sections.of_kind(kind) else {
            return;
        };
        match Table::read(file, header.class, symbols, &sections, all) {
            Ok(table) => self.tables.push(table),
            Err(_) => {
                let count = symbols.size / header.class.symbol() as u64;
                self.too_large |= count > MAX_SYMBOLS;
            }
        }
    }

    /// The address, as the file counts, of what is loaded from an offset in it.
    pub fn address(&self, offset: u64) -> Option<u64> {
        self.segments
            .iter()
            .find_map(|segment| segment.address_of(offset))
    }

    /// The symbol at such an address, and how far behind its start that is, in bytes.
    pub fn find(&self, address: u64) -> Option<(String, u64)> {
        self.tables.iter().find_map(|table| table.find(address))
    }

    /// The file that has its source lines, if there is one and they are wanted.
    pub fn debug(&self) -> Option<&Arc<File>> {
        self.debug.as_ref()
    }

    /// The memory that it takes, in bytes.
    pub fn size(&self) -> usize {
        let tables: usize = self.tables.iter().map(Table::size).sum();
        tables + self.debug.as_ref().map_or(0, |_| WEIGHT_OF_DEBUG_FILE)
    }

    /// Whether there are more symbols than are read.
    pub fn is_too_large(&self) -> bool {
        self.too_large
    }
}

/// Some of a file's symbols, sorted by address, those of one address by size, the largest first, and aliases by [`order`].
#[derive(Debug)]
struct Table {
    rows: Vec<Row>,
    names: Names,
}

#[derive(Debug)]
struct Row {
    address: u64,
    /// In bytes; 0 if it is not known.
    size: u32,
    /// Where its name begins among all names.
    name: u32,
}

/// A symbol that is to be a row.
struct Found {
    address: u64,
    /// As the file tells it.
    size: u32,
    name: u32,
    order: u16,
    /// Where it ends at the latest, if its size is not told; 0 if that says nothing, since not all symbols are in the table.
    end: u64,
}

/// All names, each with a zero byte behind it.
#[derive(Debug)]
enum Names {
    Kept(Vec<u8>),
    InFile {
        file: Arc<File>,
        offset: u64,
        size: u64,
    },
}

impl Table {
    fn read(
        file: &Arc<File>,
        class: Class,
        symbols: &Section,
        sections: &Sections,
        all: bool,
    ) -> io::Result<Table> {
        let strings = names_of(file, class, symbols, sections)?;
        let names = Names::read(file, strings.offset, strings.size)?;
        let mut found = Vec::new();
        each_symbol(file, class, symbols, |symbol| {
            if names.may_name(symbol) {
                let section = sections.number(symbol.section as usize);
                let end = section.and_then(|section| section.address.checked_add(section.size));
                found.push(Found {
                    address: symbol.address,
                    size: u32::try_from(symbol.size).unwrap_or(u32::MAX),
                    name: symbol.name as u32,
                    order: names.order(symbol),
                    end: end.filter(|_| all).unwrap_or(0),
                });
            }
            Ok(())
        })?;
        Ok(Table::new(found, names))
    }

    /// What a program of Go knows of its own functions; `None` if it is no such program.
    fn of_go(file: &Arc<File>) -> Option<Table> {
        let functions = GoTable::read(file).ok()??;
        let (offset, size) = functions.names();
        let names = Names::read(file, offset, size).ok()?;
        let found = functions.functions().map(|function| Found {
            address: function.address,
            size: u32::try_from(function.size).unwrap_or(u32::MAX),
            name: function.name_at,
            order: 0,
            end: 0,
        });
        Some(Table::new(found.collect(), names))
    }

    fn new(mut found: Vec<Found>, names: Names) -> Table {
        // Stable: of equally good names the first stays the first.
        found.sort_by_key(|found| (found.address, u32::MAX - found.size, found.order));
        let mut next = u64::MAX;
        let mut rows: Vec<Row> = Vec::with_capacity(found.len());
        for (index, symbol) in found.iter().enumerate().rev() {
            if let Some(after) = found
                .get(index + 1)
                .filter(|after| after.address > symbol.address)
            {
                next = after.address;
            }
            let size = match symbol.size {
                // It goes on to the next one, but not out of its section.
                0 => next.min(symbol.end).saturating_sub(symbol.address),
                size => size.into(),
            };
            rows.push(Row {
                address: symbol.address,
                size: u32::try_from(size).unwrap_or(u32::MAX),
                name: symbol.name,
            });
        }
        rows.reverse();
        Table { rows, names }
    }

    fn find(&self, address: u64) -> Option<(String, u64)> {
        /// So many symbols may begin within a function, as labels of assembly do.
        const WITHIN: usize = 16;
        let behind = self.rows.partition_point(|row| row.address <= address);
        let holds = |row: &&Row| match row.size {
            0 => row.address == address,
            size => address - row.address < size.into(),
        };
        let before = &self.rows[behind.saturating_sub(WITHIN)..behind];
        let nearest = before.iter().rev().find(holds)?.address;
        // The best of those that begin there.
        let first = self.rows.partition_point(|row| row.address < nearest);
        let row = self.rows[first..behind].iter().find(holds)?;
        Some((self.names.get(row.name)?, address - nearest))
    }

    fn size(&self) -> usize {
        let names = match &self.names {
            Names::Kept(names) => names.len(),
            Names::InFile { .. } => WEIGHT_OF_DESCRIPTOR,
        };
        names + self.rows.len() * size_of::<Row>()
    }
}

impl Names {
    /// Those at an offset in a file, so many bytes.
    ///
    /// # Errors
    /// If the file can't be read there.
    fn read(file: &Arc<File>, offset: u64, size: u64) -> io::Result<Names> {
        if size > MAX_KEPT {
            let file = Arc::clone(file);
            return Ok(Names::InFile { file, offset, size });
        }
        let mut names = vec![0; size as usize];
        super::read_at(file, &mut names, offset)?;
        Ok(Names::Kept(names))
    }

    /// Whether a symbol is the name of a place in the file.
    fn may_name(&self, symbol: &Symbol) -> bool {
        const NOTYPE: u64 = 0;
        // A number with a name, which is no address: `LINUX_2.6`.
        const ABSOLUTE: u64 = 0xfff1;
        const KINDS: [u64; 4] = [NOTYPE, Symbol::OBJECT, Symbol::FUNC, Symbol::GNU_IFUNC];
        // Marks between code and data on arm64 (`$x`, `$d`), and what compilers and their plugins leave within functions (`.L5`).
        let is_mark = || match self {
            Names::Kept(names) => matches!(names.get(symbol.name), Some(b'$' | b'.')),
            Names::InFile { .. } => false,
        };
        KINDS.contains(&symbol.kind)
            && ![Symbol::UNDEF, ABSOLUTE].contains(&symbol.section)
            && symbol.name != 0
            && !(symbol.kind == NOTYPE && is_mark())
    }

    /// Which of several names for one place is shown: the least. Functions come first, then what other files see too, then names
    /// with fewer underscores at their beginning, then shorter ones.
    fn order(&self, symbol: &Symbol) -> u16 {
        const MOST: usize = 0x7f;
        let is_function = [Symbol::FUNC, Symbol::GNU_IFUNC].contains(&symbol.kind);
        let name = match self {
            Names::Kept(names) => names.get(symbol.name..).unwrap_or_default(),
            Names::InFile { .. } => &[],
        };
        let name = string(&name[..name.len().min(MOST)]);
        let underscores = name.iter().take_while(|byte| **byte == b'_').count();
        u16::from(!is_function) << 15
            | u16::from(symbol.local) << 14
            | (underscores as u16) << 7
            | name.len() as u16
    }

    /// The name that begins there, without the version that a linker put behind it. Bytes that are no UTF-8 are replaced.
    fn get(&self, start: u32) -> Option<String> {
        let read;
        let rest = match self {
            Names::Kept(names) => names.get(start as usize..)?,
            Names::InFile { file, offset, size } => {
                let left = size.checked_sub(start.into())?;
                read = read_name(file, offset.checked_add(start.into())?, left)?;
                &read
            }
        };
        let name = string(&rest[..rest.len().min(MAX_NAME)]);
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        match name.len() {
            0 => None,
            MAX_NAME => Some(text(&name[..CUT_NAME]) + "..."),
            // One that has no end is none.
            length => (length < rest.len()).then(|| text(unversioned(name))),
        }
    }
}

/// A name without its version: `memcpy` of `memcpy@@GLIBC_2.14`.
fn unversioned(name: &[u8]) -> &[u8] {
    match name.iter().position(|byte| *byte == b'@') {
        None | Some(0) => name,
        Some(_) if name.ends_with(b"@plt") => name,
        Some(end) => &name[..end],
    }
}

/// The bytes from an offset on, as many as hold a name and the zero byte behind it.
fn read_name(file: &File, offset: u64, left: u64) -> Option<Vec<u8>> {
    const AT_ONCE: usize = 512;
    let mut bytes = Vec::new();
    let mut piece = [0; AT_ONCE];
    while bytes.len() < MAX_NAME {
        let wanted = AT_ONCE.min(usize::try_from(left).ok()?.checked_sub(bytes.len())?);
        let read = file
            .read_at(&mut piece[..wanted], offset + bytes.len() as u64)
            .ok()?;
        bytes.extend_from_slice(&piece[..read]);
        if read == 0 || piece[..read].contains(&0) {
            break;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// A table of symbols (address, size, name, whether it is local, section's end).
    fn table(symbols: &[(u64, u32, &str, bool, u64)]) -> Table {
        let mut bytes = vec![0];
        let starts: Vec<usize> = symbols
            .iter()
            .map(|symbol| {
                let start = bytes.len();
                bytes.extend_from_slice(symbol.2.as_bytes());
                bytes.push(0);
                start
            })
            .collect();
        let names = Names::Kept(bytes);
        let found = symbols.iter().zip(starts).map(|(symbol, name)| Found {
            address: symbol.0,
            size: symbol.1,
            name: name as u32,
            order: names.order(&Symbol {
                name,
                kind: Symbol::FUNC,
                local: symbol.3,
                section: 1,
                address: symbol.0,
                size: symbol.1.into(),
            }),
            end: symbol.4,
        });
        let found = found.collect();
        Table::new(found, names)
    }

    #[test]
    fn a_place_is_named_by_the_symbol_that_holds_it() {
        let is = |name: &str, offset| Some((name.to_owned(), offset));
        for end in [0, 0x400] {
            let table = table(&[
                (0x100, 0x10, "first", false, end),
                (0x200, 0, "label", false, end),
                (0x300, 4, "short", false, end),
                (0x300, 0x20, "long", false, end),
                (0x308, 4, "within", false, end),
            ]);
            let found = |address| table.find(address);
            assert_eq!(found(0xff), None);
            assert_eq!(found(0x10f), is("first", 0xf));
            assert_eq!(found(0x110), None);
            assert_eq!(found(0x200), is("label", 0));
            assert_eq!(found(0x30b), is("within", 3));
            assert_eq!(found(0x31f), is("long", 0x1f));
            assert_eq!(found(0x320), None);
            // Where a table holds all symbols, one of unknown size goes on to the next.
            assert_eq!(found(0x2ff), (end > 0).then(|| ("label".to_owned(), 0xff)));
        }
        // But not out of its section.
        let table = table(&[
            (0x100, 0, "_init", true, 0x117),
            (0x200, 0x10, "main", false, 0x400),
            (0x300, 0, "_end", false, 0x300),
        ]);
        assert_eq!(table.find(0x116), is("_init", 0x16));
        assert_eq!(table.find(0x117), None);
        assert_eq!(table.find(0x300), is("_end", 0));
        assert_eq!(table.find(0x301), None);
    }

    #[test]
    fn of_several_names_the_plainest_is_shown() {
        for (names, best) in [
            (
                &[
                    ("__GI___nanosleep", true),
                    ("__nanosleep", false),
                    ("nanosleep", false),
                ][..],
                "nanosleep",
            ),
            (&[("short", true), ("of_all_files", false)], "of_all_files"),
            (&[("_exit", false), ("exit_now", false)], "exit_now"),
            (&[("longer", false), ("long", false)], "long"),
            (&[("same", false), ("also", false)], "same"),
            (&[("memcpy@@GLIBC_2.14", false)], "memcpy"),
            (&[("old@GLIBC_2.2.5", false), ("puts@plt", true)], "old"),
            (&[("puts@plt", true)], "puts@plt"),
        ] {
            let symbols: Vec<_> = names
                .iter()
                .map(|(name, local)| (0x100, 0x10, *name, *local, 0))
                .collect();
            assert_eq!(table(&symbols).find(0x104), Some((best.to_owned(), 4)));
        }
    }

    #[test]
    fn names_have_an_end() {
        let names = Names::Kept(b"\0one\0two".to_vec());
        assert_eq!(names.get(1).as_deref(), Some("one"));
        assert_eq!(names.get(0), None);
        assert_eq!(names.get(5), None);
        assert_eq!(names.get(100), None);
        let long = Names::Kept([vec![b'a'; MAX_NAME], vec![0]].concat());
        assert_eq!(long.get(0), Some("a".repeat(CUT_NAME) + "..."));
        assert_eq!(long.get(1), Some("a".repeat(MAX_NAME - 1)));
    }

    #[test]
    fn names_that_stay_in_the_file_are_read_when_they_are_asked_for() {
        use std::io::Write as _;
        let mut file = File::from(crate::sys::process::memory_file(c"names").unwrap());
        let long = "x".repeat(1500);
        write!(file, "before\0one\0{long}\0rest").unwrap();
        let names = Names::InFile {
            file: Arc::new(file),
            offset: 7,
            size: 4 + 1501 + 4,
        };
        assert_eq!(names.get(0).as_deref(), Some("one"));
        assert_eq!(names.get(4), Some(long));
        assert_eq!(names.get(4 + 1501), None);
        assert_eq!(names.get(5000), None);
    }

    #[test]
    fn this_program_has_names() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        let file = File::open("/proc/self/exe").unwrap();
        let binary = crate::elf::read(Path::new("/proc/self/exe"), |_, _| None).unwrap();
        let function = binary
            .functions()
            .iter()
            .find(|function| function.name.contains("this_program_has_names") && function.size > 8)
            .unwrap();
        let symbols = SymbolFile::read(file, None, &mut 0, false).unwrap();
        let offset = binary.file_offset(function.address).unwrap();
        let address = symbols.address(offset + 4).unwrap();
        assert_eq!(address, function.address + 4);
        let (name, within) = symbols.find(address).unwrap();
        assert_eq!((name, within), (function.name.clone(), 4));
        assert!(symbols.size() > 0 && symbols.size() < own.len());
        assert!(!symbols.is_too_large());
    }
}
