//! What a program asks the system to load with it: its interpreter, and the libraries that it names.

use super::{Class, Header, header, invalid, read_at};
use crate::bytes::{slice, string, unsigned};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// Bytes of the dynamic section, of which programs have some 500, and of a name.
const MAX_DYNAMIC: u64 = 1 << 16;
const MAX_NAME: usize = 4096;

/// What a program or a library asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// The dynamic linker.
    pub interpreter: Option<PathBuf>,
    /// The names of libraries.
    pub libraries: Vec<OsString>,
    /// Where they are looked for first: folders with colons between them, and perhaps `$ORIGIN`.
    pub folders: Vec<OsString>,
}

/// Reads what a file asks for; nothing if it is linked for good.
///
/// # Errors
/// If it is no 64-bit ELF file or is damaged ([`io::ErrorKind::InvalidData`]), or can't be read.
pub fn read(file: &File) -> io::Result<Dynamic> {
    const PT_DYNAMIC: u64 = 2;
    const PT_INTERP: u64 = 3;
    let header = header(file)?;
    if header.class != Class::Wide {
        return Err(invalid("not a 64-bit little-endian ELF file"));
    }
    let mut found = Dynamic::default();
    let mut dynamic = None;
    let class = header.class;
    for segment in super::segments(file, &header)?.chunks_exact(class.segment()) {
        let offset = class.word(segment, 4, 8);
        match class.number(segment, 0, 0) {
            PT_INTERP => found.interpreter = name_at(file, offset).map(PathBuf::from),
            PT_DYNAMIC => dynamic = Some((offset, class.word(segment, 16, 32))),
            _ => {}
        }
    }
    if let Some((offset, size)) = dynamic {
        found.read_dynamic(file, &header, offset, size)?;
    }
    Ok(found)
}

impl Dynamic {
    fn read_dynamic(
        &mut self,
        file: &File,
        header: &Header,
        offset: u64,
        size: u64,
    ) -> io::Result<()> {
        const NEEDED: u64 = 1;
        const STRTAB: u64 = 5;
        const RPATH: u64 = 15;
        const RUNPATH: u64 = 29;
        const ENTRY: usize = 16;
        let size = size.min(MAX_DYNAMIC) as usize;
        let mut bytes = vec![0; size / ENTRY * ENTRY];
        read_at(file, &mut bytes, offset)?;
        let entries: Vec<(u64, u64)> = bytes
            .chunks_exact(ENTRY)
            .map(|entry| (unsigned(slice(entry, 0, 8)), unsigned(slice(entry, 8, 8))))
            .take_while(|(tag, _)| *tag != 0)
            .collect();
        let Some((_, strings)) = entries.iter().find(|(tag, _)| *tag == STRTAB) else {
            return Ok(());
        };
        let strings = super::layout(file, header)?
            .segments
            .iter()
            .find_map(|segment| segment.file_offset(*strings))
            .ok_or_else(|| invalid("the names of libraries are nowhere"))?;
        for (tag, value) in entries {
            let list = match tag {
                NEEDED => &mut self.libraries,
                RPATH | RUNPATH => &mut self.folders,
                _ => continue,
            };
            list.extend(strings.checked_add(value).and_then(|at| name_at(file, at)));
        }
        Ok(())
    }
}

/// The name at an offset of the file.
fn name_at(file: &File, offset: u64) -> Option<OsString> {
    use std::os::unix::fs::FileExt as _;
    let mut bytes = vec![0; MAX_NAME];
    let read = file.read_at(&mut bytes, offset).ok()?;
    let name = string(&bytes[..read]);
    (!name.is_empty() && name.len() < read).then(|| OsString::from_vec(name.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_names_its_linker_and_its_libraries() {
        let own = read(&File::open("/bin/sh").unwrap()).unwrap();
        let interpreter = own.interpreter.unwrap();
        assert!(
            interpreter.to_string_lossy().contains("ld-"),
            "{interpreter:?}"
        );
        let names = own.libraries.iter().map(|name| name.to_string_lossy());
        let names: Vec<_> = names.collect();
        assert!(
            names.iter().any(|name| name.starts_with("libc.")),
            "{names:?}"
        );
    }

    #[test]
    fn what_is_no_program_asks_for_nothing() {
        assert!(read(&File::open("/etc/passwd").unwrap()).is_err());
    }
}
