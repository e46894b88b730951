//! How to unwind stacks of code that keeps no frame pointers: what a file says of its frames, as a compact table.
//!
//! In comes a program or a library with `.eh_frame` or `.debug_frame`, for x86-64 or arm64. Out goes a [`Table`]: for each
//! part of its code a row that says where the caller's frame is. Rows go by offsets in the file, so that whoever knows what is
//! mapped where needs nothing else. A table is a plain array of words, for programs in the kernel to look up in; the ABI
//! (`UNWIND_*` in [`pfscript_probes::abi`]) says how.
//!
//! A row restores the stack pointer, the frame pointer and the return address, which is all that a walk needs. What cannot be
//! said in a row is unknown, and so are gaps between functions. Nothing that a file says is believed: a table that lies ends a
//! walk, and what a file can make a table cost is bounded.
//!
//! - [`crate::elf`] finds the sections, `functions.rs` their entries.
//! - `machine.rs` runs the instructions of each function, `expression.rs` knows the expressions that occur.
//! - `go.rs` makes rows of what Go programs know of their own functions.
//! - `startup.rs` knows the code that files say nothing of, and that all have.
//! - `musl.rs` knows where programs, threads and handlers begin in a C library that says nothing.
//! - `row.rs` is one row, `builder.rs` makes the table of all.
//! - [`walk`] walks stacks by tables in user space.

mod builder;
mod expression;
mod functions;
mod go;
mod machine;
mod musl;
mod row;
mod startup;
#[cfg(test)]
mod tests;
pub mod walk;

pub use row::{Row, Rule};

use crate::elf::frames;
use builder::Builder;
use functions::{Entries, Functions};
use gimli::{DebugFrame, EhFrame, EndianSlice, LittleEndian, Vendor};
use machine::Machine;
use pfscript_compiler::facts::Segment;
use pfscript_probes::abi::UNWIND_CHUNK_BITS;
use std::fs::File;
use std::io;

/// What a file says of its frames, as it is read.
type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// How to unwind each address of a file: rows by offset in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The number of the first chunk: its offset in the file, shifted right by `UNWIND_CHUNK_BITS`.
    pub first_chunk: u64,
    /// For each chunk, and once more for the end, the element at which its rows begin; then the rows.
    pub words: Vec<u64>,
    /// How many chunks there are.
    pub chunks: u32,
}

impl Table {
    /// Reads what a program or a library says of its frames. A file that says nothing has an empty table.
    ///
    /// # Errors
    /// If it is no 64-bit ELF file for x86-64 or arm64, is damaged, or says more than any program does
    /// ([`io::ErrorKind::InvalidData`]); if it can't be read.
    pub fn read(file: &File) -> io::Result<Table> {
        const EM_X86_64: u64 = 62;
        const EM_AARCH64: u64 = 183;
        let frames = frames::read(file)?;
        let (machine, vendor) = match frames.machine {
            EM_X86_64 => (Machine::X86_64, Vendor::Default),
            EM_AARCH64 => (Machine::Aarch64, Vendor::AArch64),
            _ => return Err(invalid("not for x86-64 or arm64")),
        };
        let (bases, code) = (&frames.bases, &frames.code[..]);
        let mut functions = Functions::default();
        if let Some(eh_frame) = &frames.eh_frame {
            let mut section = EhFrame::new(&eh_frame.bytes, LittleEndian);
            section.set_address_size(8);
            section.set_vendor(vendor);
            let entries = Entries::of_eh_frame(&eh_frame.bytes, eh_frame.terminated);
            functions.add(machine, &section, entries, bases, code)?;
            functions.sort();
        }
        // Where `.eh_frame` is only of some functions, as in programs of Go with parts in C, the others are here. Go's own table is there
        // where they are stripped, too, and says more.
        if machine == Machine::X86_64 {
            functions.fill(go::functions(file, code)?);
        }
        if let Some(bytes) = &frames.debug_frame {
            let mut section = DebugFrame::new(bytes, LittleEndian);
            section.set_address_size(8);
            section.set_vendor(vendor);
            let entries = Entries::of_debug_frame(bytes);
            let mut others = Functions::default();
            others.add(machine, &section, entries, bases, code)?;
            others.sort();
            functions.fill(others);
        }
        let mut startup = Functions::default();
        for (offset, bytes) in &frames.startup {
            let rows = startup::rows(machine, bytes);
            if !rows.is_empty() && is_code(code, *offset, bytes.len() as u64) {
                startup.push(*offset, bytes.len() as u32, rows);
            }
        }
        for (offset, size, begin) in &frames.linkage {
            let rows = startup::linkage(machine, begin);
            if let (false, Ok(bytes)) = (rows.is_empty(), u32::try_from(*size))
                && is_code(code, *offset, *size)
            {
                startup.push(*offset, bytes, rows);
            }
        }
        startup.sort();
        functions.fill(startup);
        if machine == Machine::X86_64 {
            let places = musl::places(file, code, &functions);
            functions.fill(places);
        }
        functions.begin_at(frames.entry, code);
        table(&functions)
    }

    /// As [`View::lookup`].
    pub fn lookup(&self, file_offset: u64) -> Row {
        let view = View {
            first_chunk: self.first_chunk,
            chunks: self.chunks,
            words: &self.words,
        };
        view.lookup(file_offset)
    }
}

/// A [`Table`] whose words are somewhere else.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// [`Table::first_chunk`]
    pub first_chunk: u64,
    /// [`Table::chunks`]
    pub chunks: u32,
    /// [`Table::words`]
    pub words: &'a [u64],
}

impl View<'_> {
    /// The row that holds at an offset in the file. Of a return address, ask for the byte before: a call may be the last
    /// instruction of its function.
    pub fn lookup(&self, file_offset: u64) -> Row {
        self.word(file_offset).map_or(Row::UNKNOWN, Row::decode)
    }

    fn word(&self, file_offset: u64) -> Option<u64> {
        let chunk = (file_offset >> UNWIND_CHUNK_BITS).checked_sub(self.first_chunk)?;
        let chunk = usize::try_from(chunk).ok()?;
        if chunk >= self.chunks as usize {
            return None;
        }
        let bound = |index: usize| usize::try_from(*self.words.get(index)?).ok();
        let rows = self.words.get(bound(chunk)?..bound(chunk + 1)?)?;
        let wanted = row::offset(file_offset);
        let behind = rows.partition_point(|row| row::offset(*row) <= wanted);
        rows.get(behind.checked_sub(1)?).copied()
    }
}

/// Whether so many bytes at an offset are in a part of the file that is code.
fn is_code(code: &[Segment], offset: u64, bytes: u64) -> bool {
    code.iter().any(|segment| {
        let before = offset.checked_sub(segment.offset);
        let left = before.and_then(|before| segment.size.checked_sub(before));
        left.is_some_and(|left| bytes <= left)
    })
}

/// The table of functions that are in order.
fn table(functions: &Functions) -> io::Result<Table> {
    let unknown = Row::UNKNOWN.encode();
    let ranges = &functions.ranges;
    let mut builder = Builder::new(ranges.first().map_or(0, |first| first.start));
    let mut end = None;
    for range in ranges {
        if let Some(end) = end.filter(|end| *end < range.start) {
            builder.put(end, unknown)?;
        }
        for (at, rule) in functions.rows(range) {
            let at = range.start + u64::from(*at);
            if at < range.end {
                builder.put(at, *rule)?;
            }
        }
        end = Some(range.end);
    }
    if let Some(end) = end {
        builder.end(end, unknown)?;
    }
    Ok(builder.finish())
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
