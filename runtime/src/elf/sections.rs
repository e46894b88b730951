//! The table of sections of a file.
//!
//! In comes an open file, out come its sections, by number, kind or name. Strip may have removed all of them; segments, which
//! programs are loaded by, are read elsewhere.

use super::{Class, Header, invalid, read_at};
use std::fs::File;
use std::io;

/// One row of the table of sections.
#[derive(Clone, Copy)]
pub(super) struct Section {
    /// Where in the table of names its name is.
    name: u64,
    pub(super) kind: u64,
    pub(super) flags: u64,
    /// Where it is loaded, by the file's own count.
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
    /// The number of another section that belongs to it.
    pub(super) link: usize,
    pub(super) entry_size: u64,
}

impl Section {
    pub(super) const SYMTAB: u64 = 2;
    pub(super) const STRTAB: u64 = 3;
    pub(super) const NOTE: u64 = 7;
    /// One that takes no room in the file.
    pub(super) const NOBITS: u64 = 8;
    pub(super) const DYNSYM: u64 = 11;

    fn new(class: Class, row: &[u8]) -> Section {
        Section {
            name: class.number(row, 0, 0),
            kind: class.number(row, 4, 4),
            flags: class.word(row, 8, 8),
            address: class.word(row, 12, 16),
            offset: class.word(row, 16, 24),
            size: class.word(row, 20, 32),
            link: class.number(row, 24, 40) as usize,
            entry_size: class.word(row, 36, 56),
        }
    }

    /// Whether its bytes are compressed, with a header before them.
    pub(super) fn is_compressed(&self) -> bool {
        const SHF_COMPRESSED: u64 = 0x800;
        self.flags & SHF_COMPRESSED != 0
    }

    /// Its bytes, of which there are at most `most`.
    ///
    /// # Errors
    /// If there are more, or the file ends before.
    pub(super) fn content(&self, file: &File, most: u64) -> io::Result<Vec<u8>> {
        if self.kind == Section::NOBITS {
            return Ok(Vec::new());
        }
        // A file may claim more than it has: no memory is taken for that.
        let length = file.metadata()?.len();
        if self.size > most || self.size > length {
            return Err(invalid("a section is too large"));
        }
        let mut bytes = vec![0; self.size as usize];
        read_at(file, &mut bytes, self.offset)?;
        Ok(bytes)
    }
}

/// The sections of a file.
pub(super) struct Sections {
    rows: Vec<Section>,
    /// The number of the one with all names.
    names: usize,
}

impl Sections {
    /// Reads the table; an empty one if there is none.
    ///
    /// # Errors
    /// If it is damaged or can't be read.
    pub(super) fn read(file: &File, header: &Header) -> io::Result<Sections> {
        let class = header.class;
        let start = class.word(&header.bytes, 32, 40);
        let size = class.half(&header.bytes, 46, 58) as usize;
        // At most 65,535, so that the table has less than 4 MiB.
        let count = class.half(&header.bytes, 48, 60) as usize;
        let names = class.half(&header.bytes, 50, 62) as usize;
        if start == 0 {
            let rows = Vec::new();
            return Ok(Sections { rows, names });
        }
        // More than 65,279 sections are counted elsewhere, and 0 stands here; programs have a few dozen.
        if count == 0 || size != class.section() {
            return Err(invalid("the table of sections is damaged"));
        }
        let mut table = vec![0; class.section() * count];
        read_at(file, &mut table, start)?;
        let rows = table.chunks_exact(class.section());
        let rows = rows.map(|row| Section::new(class, row)).collect();
        Ok(Sections { rows, names })
    }

    /// The one with this number.
    pub(super) fn number(&self, number: usize) -> Option<&Section> {
        self.rows.get(number)
    }

    /// The first of a kind.
    pub(super) fn of_kind(&self, kind: u64) -> Option<&Section> {
        self.all_of_kind(kind).next()
    }

    /// All of a kind.
    pub(super) fn all_of_kind(&self, kind: u64) -> impl Iterator<Item = &Section> {
        self.rows.iter().filter(move |section| section.kind == kind)
    }

    /// Looks sections up by name.
    ///
    /// # Errors
    /// If the names can't be read.
    pub(super) fn by_name(&self, file: &File) -> io::Result<ByName<'_>> {
        const MAX_NAMES: u64 = 1 << 22;
        let names = match self.rows.get(self.names) {
            Some(names) if names.size <= MAX_NAMES => {
                let mut bytes = vec![0; names.size as usize];
                read_at(file, &mut bytes, names.offset)?;
                bytes
            }
            // None, or more than sections can have.
            _ => Vec::new(),
        };
        Ok(ByName {
            rows: &self.rows,
            names,
        })
    }
}

/// Sections with their names.
pub(super) struct ByName<'a> {
    rows: &'a [Section],
    /// One behind the other.
    names: Vec<u8>,
}

impl ByName<'_> {
    /// The first section of this name.
    pub(super) fn find(&self, wanted: &str) -> Option<&Section> {
        self.rows.iter().find(|section| {
            let name = usize::try_from(section.name)
                .ok()
                .and_then(|at| self.names.get(at..));
            name.is_some_and(|name| {
                name.starts_with(wanted.as_bytes()) && name.get(wanted.len()) == Some(&0)
            })
        })
    }
}
