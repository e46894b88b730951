//! The little that is read of ELF files here: where their segments lie, their build id, and the functions that they define.
//!
//! In comes a file, out goes a [`Binary`], names for its addresses ([`symbols`]), or what it says of its frames ([`frames`]). Files
//! are read, never mapped, since they may change or be cut short meanwhile, and a read beyond the end of a mapped file kills whoever
//! reads; and nothing that a file says of itself is believed: what it names must lie within it, and within the limits below.

pub mod debug_types;
pub mod dynamic;
pub mod exported;
pub mod frames;
pub mod go;
pub mod lines;
mod markers;
mod mini;
#[cfg(test)]
mod mutations;
mod sections;
pub mod separate;
pub mod statements;
pub mod symbols;

use crate::bytes::{slice, unsigned};
use pfscript_compiler::facts::{Binary, FunctionSymbol, Segment, VariableSymbol};
use sections::{Section, Sections};

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Segments of a file: linkers make about a dozen.
const MAX_SEGMENTS: usize = 256;

/// Bytes of one note segment: a build id takes 36.
const MAX_NOTES: u64 = 1 << 16;

/// Symbols of a table: enough for a browser with all that it is made of. Each function that is kept takes some 80 bytes and
/// its name.
const MAX_SYMBOLS: u64 = 1 << 22;

/// Bytes of a string table; and of all functions' names together, for they may overlap in it. 64 for each symbol.
const MAX_NAMES: u64 = MAX_SYMBOLS * 64;

/// Symbols that are read at once.
const SYMBOLS_AT_ONCE: usize = 4096;

/// The width of addresses, and with it the places of fields. Offsets are in bytes, those of 32-bit files first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Narrow,
    Wide,
}

impl Class {
    fn pick<T>(self, narrow: T, wide: T) -> T {
        match self {
            Class::Narrow => narrow,
            Class::Wide => wide,
        }
    }

    /// The size of a row of the table of segments.
    fn segment(self) -> usize {
        self.pick(32, 56)
    }

    /// The size of a row of the table of sections.
    fn section(self) -> usize {
        self.pick(40, 64)
    }

    /// The size of a row of a table of symbols.
    fn symbol(self) -> usize {
        self.pick(16, 24)
    }

    /// A field as wide as an address.
    fn word(self, row: &[u8], narrow: u32, wide: u32) -> u64 {
        unsigned(slice(row, self.pick(narrow, wide), self.pick(4, 8)))
    }

    /// A field of 4 bytes.
    fn number(self, row: &[u8], narrow: u32, wide: u32) -> u64 {
        unsigned(slice(row, self.pick(narrow, wide), 4))
    }

    /// A field of 2 bytes.
    fn half(self, row: &[u8], narrow: u32, wide: u32) -> u64 {
        unsigned(slice(row, self.pick(narrow, wide), 2))
    }
}

/// The beginning of a file.
struct Header {
    class: Class,
    bytes: Vec<u8>,
}

/// Reads a program or a shared library with its functions; `symbols_of` finds the file that a stripped one's symbols were put into.
///
/// # Errors
/// If it is neither or is damaged ([`io::ErrorKind::InvalidData`]), or can't be read.
pub fn read(
    path: &Path,
    symbols_of: impl FnOnce(&File, &Path) -> Option<File>,
) -> io::Result<Binary> {
    let (file, header) = open(path)?;
    let mut functions = functions(&file, &header)?;
    // Of a stripped file, those that others may call are there all the same.
    if let Some(symbols) = symbols_of(&file, path) {
        let header = self::header(&symbols)?;
        functions.extend(self::functions(&symbols, &header)?);
    }
    let mut binary = layout(&file, &header)?;
    binary.markers = markers::read(&file, &header)?;
    Ok(binary.with_functions(functions))
}

/// Opens a program or a shared library.
fn open(path: &Path) -> io::Result<(File, Header)> {
    const ET_EXEC: u64 = 2;
    // Devices may act on being opened, and a named pipe waits.
    if !std::fs::metadata(path)?.is_file() {
        return Err(invalid("not a regular file"));
    }
    let file = File::open(path)?;
    let header = header(&file)?;
    if header.class != Class::Wide {
        return Err(invalid("not a 64-bit little-endian ELF file"));
    }
    if ![ET_EXEC, ET_DYN].contains(&header.kind()) {
        return Err(invalid("neither a program nor a shared library"));
    }
    Ok((file, header))
}

/// A variable of a program or a shared library; `None` if it defines none of that name.
///
/// # Errors
/// As [`read`].
pub fn variable(path: &Path, name: &str) -> io::Result<Option<VariableSymbol>> {
    let (file, header) = open(path)?;
    let position_independent = layout(&file, &header)?.position_independent;
    let Some((symbols, strings)) = symbols(&file, &header)? else {
        return Ok(None);
    };
    let mut found = None;
    each_symbol(&file, header.class, &symbols, |symbol| {
        let named = || {
            let rest = strings.get(symbol.name..)?.strip_prefix(name.as_bytes())?;
            (rest.first() == Some(&0)).then_some(())
        };
        let defined = symbol.kind == Symbol::OBJECT && symbol.section != Symbol::UNDEF;
        if found.is_none() && defined && named().is_some() {
            found = Some(VariableSymbol {
                address: symbol.address,
                size: symbol.size,
                position_independent,
            });
        }
        Ok(())
    })?;
    Ok(found)
}

/// A shared library, or a position-independent program.
const ET_DYN: u64 = 3;

impl Header {
    fn kind(&self) -> u64 {
        unsigned(slice(&self.bytes, 16, 2))
    }
}

fn header(file: &File) -> io::Result<Header> {
    const IDENTITY: usize = 16;
    let mut bytes = vec![0; IDENTITY];
    let read = file.read_exact_at(&mut bytes, 0);
    if !bytes.starts_with(b"\x7fELF") {
        return Err(invalid("not an ELF file"));
    }
    read.map_err(cut_short)?;
    // ELFCLASS32 or ELFCLASS64, ELFDATA2LSB.
    let class = match bytes[4..6] {
        [1, 1] => Class::Narrow,
        [2, 1] => Class::Wide,
        _ => return Err(invalid("not a 64-bit little-endian ELF file")),
    };
    bytes.resize(class.pick(52, 64), 0);
    read_at(file, &mut bytes, 0)?;
    Ok(Header { class, bytes })
}

/// Where a file's segments lie, and its build id.
fn layout(file: &File, header: &Header) -> io::Result<Binary> {
    const PT_LOAD: u64 = 1;
    const PT_NOTE: u64 = 4;
    let class = header.class;
    let table = segments(file, header)?;
    let mut binary = Binary::default();
    binary.position_independent = header.kind() == ET_DYN;
    for segment in table.chunks_exact(class.segment()) {
        let offset = class.word(segment, 4, 8);
        let address = class.word(segment, 8, 16);
        let size = class.word(segment, 16, 32);
        match class.number(segment, 0, 0) {
            PT_LOAD => binary.segments.push(Segment {
                offset,
                address,
                size,
            }),
            PT_NOTE if binary.build_id.is_empty() => {
                binary.build_id = build_id(file, offset, size).unwrap_or_default();
            }
            _ => {}
        }
    }
    Ok(binary)
}

/// The table of segments: whole rows.
fn segments(file: &File, header: &Header) -> io::Result<Vec<u8>> {
    let class = header.class;
    let start = class.word(&header.bytes, 28, 32);
    let size = class.half(&header.bytes, 42, 54) as usize;
    let count = class.half(&header.bytes, 44, 56) as usize;
    if count > MAX_SEGMENTS || (count > 0 && size != class.segment()) {
        return Err(invalid("the table of segments is damaged"));
    }
    let mut table = vec![0; class.segment() * count];
    read_at(file, &mut table, start)?;
    Ok(table)
}

/// The build id among the notes at an offset.
fn build_id(file: &File, offset: u64, size: u64) -> Option<Vec<u8>> {
    let mut notes = vec![0; usize::try_from(size.min(MAX_NOTES)).ok()?];
    file.read_exact_at(&mut notes, offset).ok()?;
    find_build_id(&notes)
}

fn find_build_id(notes: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    const NT_GNU_BUILD_ID: u64 = 3;
    let mut rest = notes;
    while rest.len() > HEADER {
        let name_size = unsigned(slice(rest, 0, 4)) as usize;
        let content_size = unsigned(slice(rest, 4, 4)) as usize;
        let kind = unsigned(slice(rest, 8, 4));
        let content = HEADER.checked_add(name_size.checked_next_multiple_of(4)?)?;
        let end = content.checked_add(content_size)?;
        let name = rest.get(HEADER..HEADER.checked_add(name_size)?)?;
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" {
            return Some(rest.get(content..end)?.to_vec());
        }
        rest = rest.get(end.checked_next_multiple_of(4)?..)?;
    }
    None
}

/// A row of a table of symbols.
struct Symbol {
    /// Where in the table of names its name is.
    name: usize,
    /// `STT_FUNC` and the like.
    kind: u64,
    /// Whether other files do not see it.
    local: bool,
    /// The number of the section that it lies in; 0 if it is defined in another file.
    section: u64,
    address: u64,
    size: u64,
}

impl Symbol {
    const OBJECT: u64 = 1;
    const FUNC: u64 = 2;
    const GNU_IFUNC: u64 = 10;
    const LOCAL: u64 = 0;
    const UNDEF: u64 = 0;

    fn new(class: Class, row: &[u8]) -> Symbol {
        Symbol {
            name: class.number(row, 0, 0) as usize,
            kind: unsigned(slice(row, class.pick(12, 4), 1)) & 0xf,
            local: unsigned(slice(row, class.pick(12, 4), 1)) >> 4 == Symbol::LOCAL,
            section: class.half(row, 14, 6),
            address: class.word(row, 4, 8),
            size: class.word(row, 8, 16),
        }
    }
}

/// The table of all symbols or, in a stripped file, of those for dynamic linking, and their names.
fn symbols(file: &File, header: &Header) -> io::Result<Option<(Section, Vec<u8>)>> {
    let sections = Sections::read(file, header)?;
    let Some(symbols) = [Section::SYMTAB, Section::DYNSYM]
        .iter()
        .find_map(|kind| sections.of_kind(*kind))
    else {
        return Ok(None);
    };
    let names = names_of(file, header.class, symbols, &sections)?;
    let mut strings = vec![0; names.size as usize];
    read_at(file, &mut strings, names.offset)?;
    if strings.last() != Some(&0) {
        return Err(invalid("the names of symbols are damaged"));
    }
    Ok(Some((*symbols, strings)))
}

/// The functions of that table.
fn functions(file: &File, header: &Header) -> io::Result<Vec<FunctionSymbol>> {
    let Some((symbols, strings)) = symbols(file, header)? else {
        return Ok(Vec::new());
    };
    let mut functions = Vec::new();
    // The search for the ends of names is bounded with it.
    let mut left = MAX_NAMES;
    each_symbol(file, header.class, &symbols, |symbol| {
        if let Some((function, length)) = function(symbol, &strings) {
            left = left
                .checked_sub(length as u64)
                .ok_or_else(|| invalid("the names of symbols are too long"))?;
            functions.extend(function);
        }
        Ok(())
    })?;
    Ok(functions)
}

/// The table of names that belongs to a table of symbols. Both are within the file and within the limits.
fn names_of<'a>(
    file: &File,
    class: Class,
    symbols: &Section,
    sections: &'a Sections,
) -> io::Result<&'a Section> {
    let names = sections
        .number(symbols.link)
        .filter(|section| section.kind == Section::STRTAB)
        .ok_or_else(|| invalid("the table of symbols has no names"))?;
    let row = class.symbol() as u64;
    if symbols.entry_size != row || !symbols.size.is_multiple_of(row) {
        return Err(invalid("the table of symbols is damaged"));
    }
    if symbols.size / row > MAX_SYMBOLS || names.size > MAX_NAMES {
        return Err(invalid("too many symbols"));
    }
    let length = file.metadata()?.len();
    for section in [symbols, names] {
        let end = section.offset.checked_add(section.size);
        if end.is_none_or(|end| end > length) {
            return Err(cut_short(io::ErrorKind::UnexpectedEof.into()));
        }
    }
    Ok(names)
}

/// Calls `each` with every row of a table of symbols that is within the limits.
fn each_symbol(
    file: &File,
    class: Class,
    symbols: &Section,
    mut each: impl FnMut(&Symbol) -> io::Result<()>,
) -> io::Result<()> {
    let mut table = vec![0; class.symbol() * SYMBOLS_AT_ONCE];
    let mut done = 0;
    while done < symbols.size {
        let part = (symbols.size - done).min(table.len() as u64);
        let part_of_table = &mut table[..part as usize];
        read_at(file, part_of_table, symbols.offset + done)?;
        for row in part_of_table.chunks_exact(class.symbol()) {
            each(&Symbol::new(class, row))?;
        }
        done += part;
    }
    Ok(())
}

/// The function that a row of the table of symbols defines, and the length of its name. `None` if it is no function or has
/// no name; there is a length and no function if the name is not UTF-8, since no script could name it.
fn function(symbol: &Symbol, strings: &[u8]) -> Option<(Option<FunctionSymbol>, usize)> {
    if ![Symbol::FUNC, Symbol::GNU_IFUNC].contains(&symbol.kind) || symbol.section == Symbol::UNDEF
    {
        return None;
    }
    let name = strings.get(symbol.name..)?;
    let length = name.iter().position(|byte| *byte == 0)?;
    if length == 0 {
        return None;
    }
    let name = str::from_utf8(&name[..length]).ok();
    let function = name.map(|name| FunctionSymbol {
        name: name.to_owned(),
        address: symbol.address,
        size: symbol.size,
        indirect: symbol.kind == Symbol::GNU_IFUNC,
    });
    Some((function, length))
}

fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    // The kernel counts in signed numbers and has an error of its own for others.
    if i64::try_from(offset).is_err() {
        return Err(cut_short(io::ErrorKind::UnexpectedEof.into()));
    }
    file.read_exact_at(bytes, offset).map_err(cut_short)
}

fn cut_short(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => invalid("damaged, or cut short"),
        _ => error,
    }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_has_segments() {
        let layout = read(Path::new("/proc/self/exe"), |_, _| None).unwrap();
        let first = &layout.segments[0];
        assert_eq!(layout.address(first.offset), Some(first.address));
        assert_eq!(layout.address(u64::MAX), None);
        assert_ne!(layout.functions(), []);
    }

    #[test]
    fn what_is_no_elf_file_is_refused() {
        let path = std::env::temp_dir().join(format!("pfscript-elf-{}", std::process::id()));
        let narrow = [&b"\x7fELF\x01\x01"[..], &[0; 100]].concat();
        for (bytes, reason) in [
            (&b""[..], "not an ELF file"),
            (b"\x7fELF", "damaged, or cut short"),
            (
                b"\x7fELF\x02\x01\0\0\0\0\0\0\0\0\0\0\0",
                "damaged, or cut short",
            ),
            (&[0; 100], "not an ELF file"),
            (&narrow, "not a 64-bit little-endian ELF file"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = read(&path, |_, _| None).unwrap_err();
            assert_eq!(error.to_string(), reason);
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn the_build_id_is_found_among_other_notes() {
        let note = |name: &[u8], content: &[u8], kind: u32| {
            let mut note = Vec::new();
            note.extend((name.len() as u32).to_le_bytes());
            note.extend((content.len() as u32).to_le_bytes());
            note.extend(kind.to_le_bytes());
            note.extend(name);
            note.resize(note.len().next_multiple_of(4), 0);
            note.extend(content);
            note.resize(note.len().next_multiple_of(4), 0);
            note
        };
        let notes = [note(b"GNU\0", &[1; 5], 5), note(b"GNU\0", &[0xab, 1, 2], 3)].concat();
        assert_eq!(find_build_id(&notes), Some(vec![0xab, 1, 2]));
        assert_eq!(find_build_id(&notes[..20]), None);
        assert_eq!(find_build_id(&[0xff; 40]), None);
    }
}
