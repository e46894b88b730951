//! Tables of how to unwind a file's code, and what they say of it.
#![no_main]

use pfscript_runtime::unwind::Table;
use pfscript_runtime::untrusted::memory_file;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(table) = Table::read(&memory_file(bytes)) {
        for offset in (0..0x4000).step_by(61) {
            table.lookup(offset);
        }
    }
});
