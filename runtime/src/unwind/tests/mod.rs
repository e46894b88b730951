//! Tests of whole tables.

mod arm64;
mod built;
#[cfg(target_arch = "x86_64")]
mod live;
mod made;
mod mutated;
#[cfg(target_arch = "x86_64")]
mod oracle;
#[cfg(target_arch = "x86_64")]
mod stock;

use super::*;
use std::os::unix::fs::FileExt as _;

/// The table of a file of these bytes.
pub(super) fn table_of(bytes: &[u8]) -> io::Result<Table> {
    let file = File::from(crate::sys::process::memory_file(c"image")?);
    file.write_all_at(bytes, 0)?;
    Table::read(&file)
}

/// Whether a table is well formed, as those who look up in it take for granted.
pub(super) fn check_form(table: &Table) {
    let chunks = table.chunks as usize;
    let bounds = &table.words[..=chunks];
    assert_eq!(bounds[0], chunks as u64 + 1);
    assert_eq!(bounds[chunks], table.words.len() as u64);
    for bounds in bounds.windows(2) {
        assert!(bounds[0] < bounds[1], "a chunk has no row");
        let rows = &table.words[bounds[0] as usize..bounds[1] as usize];
        assert_eq!(row::offset(rows[0]), 0);
        for rows in rows.windows(2) {
            assert!(row::offset(rows[0]) < row::offset(rows[1]));
            assert_ne!(Row::decode(rows[0]), Row::decode(rows[1]));
        }
    }
}

/// The bytes of a small library that every machine has.
pub(super) fn vdso() -> Vec<u8> {
    let file = crate::processes::own_vdso().unwrap();
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

#[test]
fn the_vdso_has_a_table() {
    let table = table_of(&vdso()).unwrap();
    check_form(&table);
    let file = crate::processes::own_vdso().unwrap();
    let code = &crate::elf::frames::read(&file).unwrap().code[0];
    let known =
        (code.offset..code.offset + code.size).filter(|at| table.lookup(*at).rule != Rule::Unknown);
    assert!(known.count() > 500);
}

#[test]
fn what_is_no_program_is_refused() {
    let own = vdso();
    let changed = |at: usize, byte: u8| {
        let mut bytes = own.clone();
        bytes[at] = byte;
        bytes
    };
    for (bytes, reason) in [
        (vec![], "not an ELF file"),
        (b"#!/bin/sh\n".to_vec(), "not an ELF file"),
        (own[..60].to_vec(), "damaged, or cut short"),
        (changed(4, 1), "not a 64-bit little-endian ELF file"),
        (changed(5, 2), "not a 64-bit little-endian ELF file"),
        (changed(18, 3), "not for x86-64 or arm64"),
        (changed(54, 1), "the table of segments is damaged"),
    ] {
        let error = table_of(&bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(error.to_string(), reason);
    }
}
