//! The source lines of mapped files, where the script asks for them: read when the first place of a file is asked for, kept within
//! bounds.

use super::debug_files::open;
use super::file_id::FileId;
use crate::elf::lines::{Call, Lines};
use crate::sys;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

/// Bytes of DWARF that are kept.
const MAX_KEPT: usize = 256 << 20;

/// How much larger the tracer may become by what look-ups take apart, in bytes. No honest file comes near it.
const MAX_GROWTH: u64 = 1 << 30;

/// The lines of all files.
#[derive(Debug, Default)]
pub struct LineTables {
    /// `None` for files that have none.
    files: HashMap<FileId, Option<Lines>>,
    /// Bytes that are kept.
    size: usize,
    /// Resident bytes before the first look-up.
    before: Option<u64>,
    given_up: bool,
}

impl LineTables {
    /// The calls that an address of a file belongs to, by the file's own count; see [`Lines::find`]. `debug` is the file with the
    /// DWARF, `program` the path of the program or library that it is about. `None` if too much memory was needed for lines.
    pub fn calls(
        &mut self,
        id: FileId,
        debug: &File,
        program: &Path,
        address: u64,
    ) -> Option<Vec<Call>> {
        if self.given_up {
            return None;
        }
        let before = *self.before.get_or_insert_with(resident);
        if !self.files.contains_key(&id) {
            let lines = Lines::read(debug, program, &open).ok();
            let size = lines.as_ref().map_or(0, Lines::size);
            if self.size + size > MAX_KEPT {
                self.forget();
            }
            self.size += size;
            self.files.insert(id, lines);
        }
        let lines = self.files.get(&id).and_then(Option::as_ref);
        let calls = lines.map(|lines| lines.find(address, &open));
        if calls.is_some() && resident().saturating_sub(before) > MAX_GROWTH {
            self.forget();
            self.given_up = true;
        }
        Some(calls.unwrap_or_default())
    }

    /// Forgets all files, whose ids may be others' from now on.
    pub fn forget(&mut self) {
        self.files.clear();
        self.size = 0;
    }
}

/// The bytes of memory that this process has.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse::<u64>().ok());
    pages.unwrap_or(0) * sys::page_size() as u64
}
