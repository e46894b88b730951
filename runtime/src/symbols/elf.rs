//! The little that must be known of an ELF file beside its symbols: where its segments lie, and its build id, by which
//! its symbols may be found in a file of their own when it was stripped.

use crate::bytes::{slice, unsigned};
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

/// Where distributions put the symbols of stripped files.
const DEBUG_FILES: &str = "/usr/lib/debug/.build-id";

/// A 64-bit little-endian ELF file's outline.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outline {
    loads: Vec<Load>,
    build_id: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
struct Load {
    offset: u64,
    address: u64,
    size: u64,
}

impl Outline {
    /// Reads a file's outline; `None` if it is no such file.
    pub fn read(file: &File) -> Option<Outline> {
        const HEADER: usize = 64;
        const SEGMENT: usize = 56;
        const MAX_SEGMENTS: usize = 256;
        const PT_LOAD: u64 = 1;
        const PT_NOTE: u64 = 4;
        let mut header = [0_u8; HEADER];
        file.read_exact_at(&mut header, 0).ok()?;
        // Magic, ELFCLASS64, ELFDATA2LSB.
        if !header.starts_with(b"\x7fELF\x02\x01") {
            return None;
        }
        let start = unsigned(slice(&header, 32, 8));
        let size = unsigned(slice(&header, 54, 2)) as usize;
        let count = unsigned(slice(&header, 56, 2)) as usize;
        if size != SEGMENT || count > MAX_SEGMENTS {
            return None;
        }
        let mut table = vec![0; size * count];
        file.read_exact_at(&mut table, start).ok()?;
        let mut outline = Outline::default();
        for segment in table.chunks_exact(SEGMENT) {
            let word = |offset| unsigned(slice(segment, offset, 8));
            let (offset, address, size) = (word(8), word(16), word(32));
            match unsigned(slice(segment, 0, 4)) {
                PT_LOAD => outline.loads.push(Load {
                    offset,
                    address,
                    size,
                }),
                PT_NOTE if outline.build_id.is_empty() => {
                    outline.build_id = build_id(file, offset, size).unwrap_or_default();
                }
                _ => {}
            }
        }
        Some(outline)
    }

    /// The address, by the file's own count, of what lies at an offset in it.
    pub fn address(&self, offset: u64) -> Option<u64> {
        let load = self
            .loads
            .iter()
            .find(|load| offset >= load.offset && offset - load.offset < load.size)?;
        Some(offset - load.offset + load.address)
    }

    /// Where the file's symbols would be if they were installed beside it.
    pub fn debug_file(&self) -> Option<PathBuf> {
        let (first, rest) = self.build_id.split_first()?;
        let mut path = format!("{DEBUG_FILES}/{first:02x}/");
        for byte in rest {
            // Writing to a String can't fail.
            let _ = write!(path, "{byte:02x}");
        }
        path.push_str(".debug");
        Some(PathBuf::from(path))
    }
}

/// The build id among the notes at an offset.
fn build_id(file: &File, offset: u64, size: u64) -> Option<Vec<u8>> {
    const MAX_BYTES: u64 = 1 << 16;
    let mut notes = vec![0; usize::try_from(size.min(MAX_BYTES)).ok()?];
    file.read_exact_at(&mut notes, offset).ok()?;
    find_build_id(&notes)
}

fn find_build_id(notes: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    const NT_GNU_BUILD_ID: u64 = 3;
    let mut rest = notes;
    while rest.len() > HEADER {
        let name_size = unsigned(slice(rest, 0, 4)) as usize;
        let content_size = unsigned(slice(rest, 4, 4)) as usize;
        let kind = unsigned(slice(rest, 8, 4));
        let content = HEADER.checked_add(name_size.checked_next_multiple_of(4)?)?;
        let end = content.checked_add(content_size)?;
        let name = rest.get(HEADER..HEADER.checked_add(name_size)?)?;
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" {
            return Some(rest.get(content..end)?.to_vec());
        }
        rest = rest.get(end.checked_next_multiple_of(4)?..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_has_segments() {
        let file = File::open("/proc/self/exe").unwrap();
        let outline = Outline::read(&file).unwrap();
        assert!(!outline.loads.is_empty());
        let load = &outline.loads[0];
        assert_eq!(outline.address(load.offset), Some(load.address));
        assert_eq!(outline.address(u64::MAX), None);
    }

    #[test]
    fn what_is_no_elf_file_has_no_outline() {
        let path = std::env::temp_dir().join(format!("pfscript-elf-{}", std::process::id()));
        for bytes in [&b""[..], b"\x7fELF", &[0; 100]] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(Outline::read(&File::open(&path).unwrap()), None);
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn the_build_id_is_found_among_other_notes() {
        let note = |name: &[u8], content: &[u8], kind: u32| {
            let mut note = Vec::new();
            note.extend((name.len() as u32).to_le_bytes());
            note.extend((content.len() as u32).to_le_bytes());
            note.extend(kind.to_le_bytes());
            note.extend(name);
            note.resize(note.len().next_multiple_of(4), 0);
            note.extend(content);
            note.resize(note.len().next_multiple_of(4), 0);
            note
        };
        let notes = [note(b"GNU\0", &[1; 5], 5), note(b"GNU\0", &[0xab, 1, 2], 3)].concat();
        assert_eq!(find_build_id(&notes), Some(vec![0xab, 1, 2]));
        assert_eq!(find_build_id(&notes[..20]), None);
        assert_eq!(find_build_id(&[0xff; 40]), None);
        let outline = Outline {
            loads: Vec::new(),
            build_id: vec![0xab, 1, 2],
        };
        assert_eq!(
            outline.debug_file(),
            Some(PathBuf::from("/usr/lib/debug/.build-id/ab/0102.debug"))
        );
    }
}
