//! What is done with the bytes of each file that a process has mapped, for tests that damage some and for `tests/fuzz`: whatever they are, it
//! ends soon, and never in a panic.

#![allow(missing_docs, reason = "no part of the interface")]

use crate::elf::lines::{Call, Lines};
use crate::elf::separate::{Separate, separate};
use crate::elf::symbols::SymbolFile;
use crate::sys::process;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// A file of these bytes.
///
/// # Panics
/// If the kernel gives none.
pub fn memory_file(bytes: &[u8]) -> File {
    let file = File::from(process::memory_file(c"untrusted").expect("memory"));
    file.write_all_at(bytes, 0).expect("memory");
    file
}

/// Where a file says that its symbols are, if not in it.
pub(crate) fn where_symbols_are(bytes: &[u8]) -> Option<Separate> {
    separate(&memory_file(bytes)).ok().flatten()
}

/// The names that places in a file have, each so many bytes behind the one before.
pub fn names(bytes: &[u8], step: usize) -> Vec<String> {
    let mut left = 1 << 30;
    let Ok(symbols) = SymbolFile::read(memory_file(bytes), None, &mut left, false) else {
        return Vec::new();
    };
    let offsets = (0..0x4000).step_by(step);
    let addresses = offsets.filter_map(|offset| symbols.address(offset));
    let found = addresses.filter_map(|address| symbols.find(address));
    found.map(|(name, _)| name).collect()
}

/// The calls that places in a file belong to, each so many bytes behind the one before.
pub(crate) fn calls(bytes: &[u8], step: usize) -> Vec<Call> {
    let nothing = |_: &Path| None;
    let Ok(lines) = Lines::read(&memory_file(bytes), Path::new("/x.so"), &nothing) else {
        return Vec::new();
    };
    let addresses = (0x1000..0x1100).step_by(step);
    addresses
        .flat_map(|address| lines.find(address, &nothing))
        .collect()
}

/// All that is read of a file to name its places.
#[cfg(fuzzing)]
pub fn read_all(bytes: &[u8]) {
    where_symbols_are(bytes);
    names(bytes, 512);
    calls(bytes, 64);
}
