//! Where lines of source begin, by a file's DWARF: the other way round than [`lines`](super::lines).

use super::lines::{Bytes, Open, all_sections};
use gimli::{ColumnType, Dwarf, LineProgramHeader, LineRow, Reader as _, Unit};
use pfscript_compiler::facts::SourcePlace;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The addresses at which a statement of a line begins, by the file's own count, sorted. `program` is the path of the program or
/// library that the file is about, `open` opens other files.
///
/// # Errors
/// If there is no DWARF, or it is damaged, too large, or can't be read.
pub fn find(
    file: &File,
    program: &Path,
    open: Open<'_>,
    place: SourcePlace<'_>,
) -> io::Result<Vec<u64>> {
    let (dwarf, _, _) = all_sections(file, program, open)?;
    let mut addresses =
        addresses(&dwarf, place).map_err(|_| super::invalid("the DWARF is damaged"))?;
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses)
}

fn addresses(dwarf: &Dwarf<Bytes>, place: SourcePlace<'_>) -> gimli::Result<Vec<u64>> {
    let mut found = Vec::new();
    let mut headers = dwarf.units();
    while let Some(header) = headers.next()? {
        let unit = dwarf.unit(header)?;
        let Some(program) = unit.line_program.clone() else {
            continue;
        };
        let mut rows = program.rows();
        // Several rows in a row may be of one line.
        let mut before = None;
        while let Some((header, row)) = rows.next_row()? {
            let line = row.line().map(std::num::NonZero::get);
            let begins = before != Some((row.file_index(), line)) || place.column.is_some();
            before = match row.end_sequence() {
                true => None,
                false => Some((row.file_index(), line)),
            };
            let column = match row.column() {
                ColumnType::LeftEdge => None,
                ColumnType::Column(column) => Some(column.get()),
            };
            let is_there = line == Some(place.line)
                && (place.column.is_none() || place.column == column)
                && row.is_stmt()
                && !row.end_sequence();
            if is_there && begins && is_of(dwarf, &unit, header, row, place.file) {
                found.push(row.address());
            }
        }
    }
    Ok(found)
}

/// Whether a row is of a source file, of whose path the end is enough.
fn is_of(
    dwarf: &Dwarf<Bytes>,
    unit: &Unit<Bytes>,
    header: &LineProgramHeader<Bytes>,
    row: &LineRow,
    wanted: &Path,
) -> bool {
    let text = |value| {
        let text = dwarf.attr_string(unit, value).ok()?;
        Some(text.to_string_lossy().ok()?.into_owned())
    };
    let path = || {
        let file = row.file(header)?;
        let mut path = PathBuf::new();
        if let Some(folder) = &unit.comp_dir {
            path.push(folder.to_string_lossy().ok()?.as_ref());
        }
        if let Some(folder) = file.directory(header) {
            path.push(text(folder)?);
        }
        path.push(text(file.path_name())?);
        Some(path)
    };
    let wanted = wanted.strip_prefix(".").unwrap_or(wanted);
    path().is_some_and(|path| path.ends_with(wanted))
}
