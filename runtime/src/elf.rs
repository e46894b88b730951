//! The little that is read of ELF files here: where their segments lie, their build id, and the functions that they define.
//!
//! In comes a file, out goes a [`Binary`]. Files are read, never mapped, since they may change or be cut short meanwhile;
//! and nothing that a file says of itself is believed: what it names must lie within it, and within the limits below. It
//! leaves out debug information, and names for addresses (blazesym reads symbols for those).

use crate::bytes::{slice, unsigned};
use pfscript_compiler::facts::{Binary, FunctionSymbol, Segment};
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

const HEADER: usize = 64;
const SEGMENT: usize = 56;
const SECTION: usize = 64;
const SYMBOL: usize = 24;

/// Reads a program or a shared library with its functions.
///
/// # Errors
/// If it is neither or is damaged ([`io::ErrorKind::InvalidData`]), or can't be read.
pub fn read(path: &Path) -> io::Result<Binary> {
    const ET_EXEC: u64 = 2;
    // Devices may act on being opened, and a named pipe waits.
    if !std::fs::metadata(path)?.is_file() {
        return Err(invalid("not a regular file"));
    }
    let file = File::open(path)?;
    let header = header(&file)?;
    if ![ET_EXEC, ET_DYN].contains(&kind(&header)) {
        return Err(invalid("neither a program nor a shared library"));
    }
    let functions = functions(&file, &header)?;
    Ok(layout(&file, &header)?.with_functions(functions))
}

/// Reads where a file's segments lie, and its build id, but no functions.
///
/// # Errors
/// If it is no ELF file or is damaged ([`io::ErrorKind::InvalidData`]), or can't be read.
pub fn read_layout(file: &File) -> io::Result<Binary> {
    layout(file, &header(file)?)
}

/// A shared library, or a position-independent program.
const ET_DYN: u64 = 3;

fn kind(header: &[u8]) -> u64 {
    unsigned(slice(header, 16, 2))
}

fn header(file: &File) -> io::Result<[u8; HEADER]> {
    let mut header = [0; HEADER];
    let read = file.read_exact_at(&mut header, 0);
    if !header.starts_with(b"\x7fELF") {
        return Err(invalid("not an ELF file"));
    }
    read.map_err(cut_short)?;
    // ELFCLASS64, ELFDATA2LSB.
    if header[4..6] != [2, 1] {
        return Err(invalid("not a 64-bit little-endian ELF file"));
    }
    Ok(header)
}

fn layout(file: &File, header: &[u8]) -> io::Result<Binary> {
    const PT_LOAD: u64 = 1;
    const PT_NOTE: u64 = 4;
    let start = unsigned(slice(header, 32, 8));
    let size = unsigned(slice(header, 54, 2)) as usize;
    let count = unsigned(slice(header, 56, 2)) as usize;
    if count > MAX_SEGMENTS || (count > 0 && size != SEGMENT) {
        return Err(invalid("the table of segments is damaged"));
    }
    let mut table = vec![0; SEGMENT * count];
    read_at(file, &mut table, start)?;
    let mut binary = Binary::default();
    binary.position_independent = kind(header) == ET_DYN;
    for segment in table.chunks_exact(SEGMENT) {
        let word = |offset| unsigned(slice(segment, offset, 8));
        let (offset, address, size) = (word(8), word(16), word(32));
        match unsigned(slice(segment, 0, 4)) {
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

/// One row of the table of sections.
#[derive(Clone, Copy)]
struct Section {
    kind: u64,
    offset: u64,
    size: u64,
    /// The number of another section that belongs to it.
    link: usize,
    entry_size: u64,
}

impl Section {
    const SYMTAB: u64 = 2;
    const STRTAB: u64 = 3;
    const DYNSYM: u64 = 11;

    fn new(row: &[u8]) -> Section {
        Section {
            kind: unsigned(slice(row, 4, 4)),
            offset: unsigned(slice(row, 24, 8)),
            size: unsigned(slice(row, 32, 8)),
            link: unsigned(slice(row, 40, 4)) as usize,
            entry_size: unsigned(slice(row, 56, 8)),
        }
    }
}

/// The functions of the table of all symbols or, in a stripped file, of those for dynamic linking.
fn functions(file: &File, header: &[u8]) -> io::Result<Vec<FunctionSymbol>> {
    let sections = sections(file, header)?;
    let of = |kind| sections.iter().find(|section| section.kind == kind);
    let Some(symbols) = of(Section::SYMTAB).or_else(|| of(Section::DYNSYM)) else {
        return Ok(Vec::new());
    };
    let names = sections
        .get(symbols.link)
        .filter(|section| section.kind == Section::STRTAB)
        .ok_or_else(|| invalid("the table of symbols has no names"))?;
    if symbols.entry_size != SYMBOL as u64 || !symbols.size.is_multiple_of(SYMBOL as u64) {
        return Err(invalid("the table of symbols is damaged"));
    }
    if symbols.size / SYMBOL as u64 > MAX_SYMBOLS || names.size > MAX_NAMES {
        return Err(invalid("too many symbols"));
    }
    let length = file.metadata()?.len();
    for section in [symbols, names] {
        let end = section.offset.checked_add(section.size);
        if end.is_none_or(|end| end > length) {
            return Err(cut_short(io::ErrorKind::UnexpectedEof.into()));
        }
    }
    let mut strings = vec![0; names.size as usize];
    read_at(file, &mut strings, names.offset)?;
    if strings.last() != Some(&0) {
        return Err(invalid("the names of symbols are damaged"));
    }

    let mut functions = Vec::new();
    // The search for the ends of names is bounded with it.
    let mut left = MAX_NAMES;
    let mut table = vec![0; SYMBOL * SYMBOLS_AT_ONCE];
    let mut done = 0;
    while done < symbols.size {
        let part = (symbols.size - done).min(table.len() as u64);
        let part_of_table = &mut table[..part as usize];
        read_at(file, part_of_table, symbols.offset + done)?;
        for symbol in part_of_table.chunks_exact(SYMBOL) {
            let Some((function, length)) = function(symbol, &strings) else {
                continue;
            };
            left = left
                .checked_sub(length as u64)
                .ok_or_else(|| invalid("the names of symbols are too long"))?;
            functions.extend(function);
        }
        done += part;
    }
    Ok(functions)
}

fn sections(file: &File, header: &[u8]) -> io::Result<Vec<Section>> {
    let start = unsigned(slice(header, 40, 8));
    let size = unsigned(slice(header, 58, 2)) as usize;
    // At most 65,535, so that the table has less than 4 MiB.
    let count = unsigned(slice(header, 60, 2)) as usize;
    if start == 0 {
        return Ok(Vec::new());
    }
    // More than 65,279 sections are counted elsewhere, and 0 stands here; programs have a few dozen.
    if count == 0 || size != SECTION {
        return Err(invalid("the table of sections is damaged"));
    }
    let mut table = vec![0; SECTION * count];
    read_at(file, &mut table, start)?;
    Ok(table.chunks_exact(SECTION).map(Section::new).collect())
}

/// The function that a row of the table of symbols defines, and the length of its name. `None` if it is no function or has
/// no name; there is a length and no function if the name is not UTF-8, since no script could name it.
fn function(symbol: &[u8], strings: &[u8]) -> Option<(Option<FunctionSymbol>, usize)> {
    const STT_FUNC: u64 = 2;
    const STT_GNU_IFUNC: u64 = 10;
    const SHN_UNDEF: u64 = 0;
    let word = |offset| unsigned(slice(symbol, offset, 8));
    let kind = unsigned(slice(symbol, 4, 1)) & 0xf;
    let section = unsigned(slice(symbol, 6, 2));
    if ![STT_FUNC, STT_GNU_IFUNC].contains(&kind) || section == SHN_UNDEF {
        return None;
    }
    let name = strings.get(unsigned(slice(symbol, 0, 4)) as usize..)?;
    let length = name.iter().position(|byte| *byte == 0)?;
    if length == 0 {
        return None;
    }
    let name = str::from_utf8(&name[..length]).ok();
    let function = name.map(|name| FunctionSymbol {
        name: name.to_owned(),
        address: word(8),
        size: word(16),
        indirect: kind == STT_GNU_IFUNC,
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
        let file = File::open("/proc/self/exe").unwrap();
        let layout = read_layout(&file).unwrap();
        let first = &layout.segments[0];
        assert_eq!(layout.address(first.offset), Some(first.address));
        assert_eq!(layout.address(u64::MAX), None);
        assert_eq!(layout.functions(), []);
    }

    #[test]
    fn what_is_no_elf_file_has_no_layout() {
        let path = std::env::temp_dir().join(format!("pfscript-elf-{}", std::process::id()));
        let wide = [&b"\x7fELF\x01\x01"[..], &[0; 100]].concat();
        for (bytes, reason) in [
            (&b""[..], "not an ELF file"),
            (b"\x7fELF", "damaged, or cut short"),
            (&[0; 100], "not an ELF file"),
            (&wide, "not a 64-bit little-endian ELF file"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = read_layout(&File::open(&path).unwrap()).unwrap_err();
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
