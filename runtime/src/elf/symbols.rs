//! Names for places in a file: its symbols, by address, in memory.
//!
//! In comes an open file, out goes a table that can be asked after the file is gone. Whoever wrote the file may be hostile:
//! it is read in pieces and within limits, and what does not make sense is left out. Of a stripped file the symbols are read that
//! were put beside it, or compressed into it. Where names are more than is worth keeping, they are read from the file when
//! they are asked for.

use super::{
    Class, MAX_SYMBOLS, Section, Sections, Symbol, each_symbol, header, layout, lines, mini,
    names_of,
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
        if symbols.tables.is_empty()
            && let Ok(sections) = Sections::read(&file, &header)
            && let Some(within) = mini::file(&file, &sections, inflate)
        {
            // Those that are in the other table are left out of this one.
            symbols.add(&Arc::new(within), Section::SYMTAB, false);
        }
        symbols.add(&file, Section::DYNSYM, false);
        Ok(symbols)
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
        self.segments.iter().find_map(|segment| {
            let within = offset.checked_sub(segment.offset)?;
            (within < segment.size).then(|| within.checked_add(segment.address))?
        })
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

/// Some of a file's symbols, sorted by address, those of one address by size, the largest first.
#[derive(Debug)]
struct Table {
    rows: Vec<Row>,
    names: Names,
    /// Whether it holds all functions, so that one whose size is unknown goes on to the next one.
    all: bool,
}

#[derive(Debug)]
struct Row {
    address: u64,
    /// In bytes; 0 if the file does not tell.
    size: u32,
    /// Where its name begins among all names.
    name: u32,
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
        let names = if strings.size <= MAX_KEPT {
            let mut names = vec![0; strings.size as usize];
            super::read_at(file, &mut names, strings.offset)?;
            Names::Kept(names)
        } else {
            Names::InFile {
                file: Arc::clone(file),
                offset: strings.offset,
                size: strings.size,
            }
        };
        let mut rows = Vec::new();
        each_symbol(file, class, symbols, |symbol| {
            if names.may_name(symbol) {
                rows.push(Row {
                    address: symbol.address,
                    size: u32::try_from(symbol.size).unwrap_or(u32::MAX),
                    name: symbol.name as u32,
                });
            }
            Ok(())
        })?;
        // Stable: of several names for one function the first stays the first.
        rows.sort_by_key(|row| (row.address, u32::MAX - row.size));
        rows.shrink_to_fit();
        Ok(Table { rows, names, all })
    }

    fn find(&self, address: u64) -> Option<(String, u64)> {
        let behind = self.rows.partition_point(|row| row.address <= address);
        let start = self.rows.get(behind.checked_sub(1)?)?.address;
        let first = self.rows.partition_point(|row| row.address < start);
        let offset = address - start;
        // The largest of those that begin there, or the first that goes on to the next one. The table is sorted, so that the
        // last one tells whether there is such a one.
        let holds = |row: &&Row| match row.size {
            0 => offset == 0 || self.all,
            size => offset < size.into(),
        };
        let row = [first, behind - 1]
            .iter()
            .filter_map(|index| self.rows.get(*index))
            .find(holds)?;
        Some((self.names.get(row.name)?, offset))
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
    /// Whether a symbol is the name of a place in the file.
    fn may_name(&self, symbol: &Symbol) -> bool {
        const NOTYPE: u64 = 0;
        // A number with a name, which is no address: `LINUX_2.6`.
        const ABSOLUTE: u64 = 0xfff1;
        const KINDS: [u64; 4] = [NOTYPE, Symbol::OBJECT, Symbol::FUNC, Symbol::GNU_IFUNC];
        // Marks between code and data on arm64: `$x`, `$d`.
        let is_mark = || match self {
            Names::Kept(names) => names.get(symbol.name) == Some(&b'$'),
            Names::InFile { .. } => false,
        };
        KINDS.contains(&symbol.kind)
            && ![Symbol::UNDEF, ABSOLUTE].contains(&symbol.section)
            && symbol.name != 0
            && !(symbol.kind == NOTYPE && is_mark())
    }

    /// The name that begins there. Bytes that are no UTF-8 are replaced.
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
            length => (length < rest.len()).then(|| text(name)),
        }
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

    fn table(rows: &[(u64, u32, &str)], all: bool) -> Table {
        let mut names = vec![0];
        let mut made: Vec<Row> = Vec::new();
        for (address, size, name) in rows {
            made.push(Row {
                address: *address,
                size: *size,
                name: names.len() as u32,
            });
            names.extend_from_slice(name.as_bytes());
            names.push(0);
        }
        made.sort_by_key(|row| (row.address, u32::MAX - row.size));
        Table {
            rows: made,
            names: Names::Kept(names),
            all,
        }
    }

    #[test]
    fn a_place_is_named_by_the_symbol_that_holds_it() {
        let rows = [
            (0x100, 0x10, "first"),
            (0x200, 0, "label"),
            (0x300, 4, "short"),
            (0x300, 0x20, "long"),
        ];
        let found = |all, address| table(&rows, all).find(address);
        let is = |name: &str, offset| Some((name.to_owned(), offset));
        for all in [false, true] {
            assert_eq!(found(all, 0xff), None);
            assert_eq!(found(all, 0x10f), is("first", 0xf));
            assert_eq!(found(all, 0x110), None);
            assert_eq!(found(all, 0x200), is("label", 0));
            assert_eq!(found(all, 0x31f), is("long", 0x1f));
            assert_eq!(found(all, 0x320), None);
        }
        // Where a table holds all symbols, one of unknown size goes on to the next.
        assert_eq!(found(true, 0x2ff), is("label", 0xff));
        assert_eq!(found(false, 0x201), None);
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
        let binary = crate::elf::read(Path::new("/proc/self/exe")).unwrap();
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
