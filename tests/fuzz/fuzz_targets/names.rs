//! Files that places get their names of: symbols, links to other files, compressed ones, DWARF.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pfscript_runtime::untrusted::read_all(bytes));
