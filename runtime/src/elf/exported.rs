//! Variables that a file exports, by name, and what they hold at the start.

use super::frames::loaded;
use super::sections::{Section, Sections};
use super::{Class, Symbol, each_symbol, header, invalid, names_of, read_at};
use pfscript_compiler::facts::Segment;
use std::fs::File;
use std::io;

/// The variables that a program or a library exports of those that were asked for.
#[derive(Debug)]
pub struct Exported<const N: usize> {
    addresses: [Option<u64>; N],
    loaded: Vec<Segment>,
    code: Segment,
}

impl<const N: usize> Exported<N> {
    /// Looks names up among those that a file exports; `None` if it has not the first of them.
    ///
    /// # Errors
    /// If it is no 64-bit ELF file or is damaged ([`io::ErrorKind::InvalidData`]), or can't be read.
    pub fn read(file: &File, wanted: [&str; N]) -> io::Result<Option<Exported<N>>> {
        const PF_X: u64 = 1;
        let header = header(file)?;
        if header.class != Class::Wide {
            return Err(invalid("not a 64-bit little-endian ELF file"));
        }
        let sections = Sections::read(file, &header)?;
        let Some(symbols) = sections.of_kind(Section::DYNSYM) else {
            return Ok(None);
        };
        let names = names_of(file, header.class, symbols, &sections)?;
        let mut strings = vec![0; names.size as usize];
        read_at(file, &mut strings, names.offset)?;
        let mut addresses = [None; N];
        each_symbol(file, header.class, symbols, |symbol| {
            let name = strings.get(symbol.name..).unwrap_or_default();
            let is_wanted = |wanted: &&str| {
                let rest = name.strip_prefix(wanted.as_bytes());
                rest.is_some_and(|rest| rest.first() == Some(&0))
            };
            if symbol.kind == Symbol::OBJECT
                && symbol.section != Symbol::UNDEF
                && let Some(index) = wanted.iter().position(is_wanted)
            {
                addresses[index] = Some(symbol.address);
            }
            Ok(())
        })?;
        if addresses.first().is_none_or(Option::is_none) {
            return Ok(None);
        }
        let rows = loaded(file, &header)?;
        let code = rows.iter().find(|row| row.flags & PF_X != 0);
        let code = code.ok_or_else(|| invalid("it has no code"))?;
        Ok(Some(Exported {
            addresses,
            code: code.segment.clone(),
            loaded: rows.into_iter().map(|row| row.segment).collect(),
        }))
    }

    /// The addresses of all that were asked for, as the file counts; `None` if one is not there.
    pub fn all(&self) -> Option<[u64; N]> {
        let mut all = [0; N];
        for (to, from) in all.iter_mut().zip(self.addresses) {
            *to = from?;
        }
        Some(all)
    }

    /// The offset in the file that an address would have if all of the file were mapped as its code is, modulo 2^64.
    pub fn beside_code(&self, address: u64) -> u64 {
        address
            .wrapping_sub(self.code.address)
            .wrapping_add(self.code.offset)
    }

    /// Reads what is at an address when the file is loaded.
    ///
    /// # Errors
    /// If the file holds nothing for that address, or can't be read.
    pub fn content(&self, file: &File, address: u64, bytes: &mut [u8]) -> io::Result<()> {
        let offset = self.loaded.iter().find_map(|segment| {
            let within = address.checked_sub(segment.address)?;
            let end = within.checked_add(bytes.len() as u64)?;
            (end <= segment.size).then(|| segment.offset.checked_add(within))?
        });
        let offset = offset.ok_or_else(|| invalid("a variable is nowhere"))?;
        read_at(file, bytes, offset)
    }
}
