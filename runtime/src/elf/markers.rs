//! The markers of a file (`.note.stapsdt`), which `sys/sdt.h` and its kin leave: USDT probes.
//!
//! In comes an open file, out come markers with addresses by the file's own count. What their arguments mean is left to the
//! compiler.

use super::{Class, Header, Sections, read_at};
use crate::bytes::{slice, unsigned};
use pfscript_compiler::facts::Marker;
use std::fs::File;
use std::io;

/// Bytes of all notes: a marker takes about 100. The greatest programs have some thousand.
const MAX_BYTES: u64 = 16 << 20;

/// The section of the notes, and the one whose address the linker may have moved against what the notes say.
const NOTES: &str = ".note.stapsdt";
const BASE: &str = ".stapsdt.base";

/// The markers of a file, sorted; none if it has none or they are damaged.
///
/// # Errors
/// If the file can't be read.
pub(super) fn read(file: &File, header: &Header) -> io::Result<Vec<Marker>> {
    if header.class != Class::Wide {
        return Ok(Vec::new());
    }
    let sections = Sections::read(file, header)?;
    let named = sections.by_name(file)?;
    let Some(notes) = named
        .find(NOTES)
        .filter(|section| section.size <= MAX_BYTES)
    else {
        return Ok(Vec::new());
    };
    let mut bytes = vec![0; notes.size as usize];
    read_at(file, &mut bytes, notes.offset)?;
    let base = named.find(BASE).map(|section| section.address);
    let mut markers = parse(&bytes, base);
    markers.sort_unstable();
    markers.dedup();
    Ok(markers)
}

/// The markers of the notes, as far as they are whole. `base` is where the linker put what the notes count from.
fn parse(notes: &[u8], base: Option<u64>) -> Vec<Marker> {
    const HEADER: usize = 12;
    const STAPSDT: u64 = 3;
    let mut markers = Vec::new();
    let mut rest = notes;
    while rest.len() > HEADER {
        let name_size = unsigned(slice(rest, 0, 4)) as usize;
        let size = unsigned(slice(rest, 4, 4)) as usize;
        let kind = unsigned(slice(rest, 8, 4));
        let content = HEADER + name_size.next_multiple_of(4);
        let Some(description) = rest.get(content..content + size) else {
            break;
        };
        if kind == STAPSDT && rest.get(HEADER..HEADER + name_size) == Some(b"stapsdt\0") {
            markers.extend(marker(description, base));
        }
        let end = content + size.next_multiple_of(4);
        rest = rest.get(end..).unwrap_or_default();
    }
    markers
}

/// Address, base and semaphore, 8 bytes each, then three strings.
fn marker(description: &[u8], base: Option<u64>) -> Option<Marker> {
    const NUMBERS: usize = 24;
    let mut strings = description.get(NUMBERS..)?.split(|byte| *byte == 0);
    let mut text = || {
        let text = str::from_utf8(strings.next()?).ok()?;
        Some(text.to_owned())
    };
    let word = |at| unsigned(slice(description, at, 8));
    // A linker that moves sections afterwards (prelink) does not know the notes.
    let moved = base.map_or(0, |base| base.wrapping_sub(word(8)));
    let semaphore = match word(16) {
        0 => 0,
        address => address.wrapping_add(moved),
    };
    Some(Marker {
        provider: text()?,
        name: text()?,
        arguments: text()?,
        address: word(0).wrapping_add(moved),
        semaphore,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(numbers: [u64; 3], strings: &[u8]) -> Vec<u8> {
        let mut description: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        description.extend(strings);
        let mut note = Vec::new();
        note.extend(8_u32.to_le_bytes());
        note.extend((description.len() as u32).to_le_bytes());
        note.extend(3_u32.to_le_bytes());
        note.extend(b"stapsdt\0");
        note.extend(&description);
        note.resize(note.len().next_multiple_of(4), 0);
        note
    }

    #[test]
    fn markers_are_read_and_moved_with_their_base() {
        let notes = [
            note([0x1000, 0x5000, 0], b"libc\0setjmp\08@%rdi -4@%esi\0"),
            note([0x1010, 0x5000, 0x6000], b"app\0start\0\0"),
        ]
        .concat();
        let markers = parse(&notes, Some(0x5100));
        assert_eq!(markers.len(), 2);
        assert_eq!((markers[0].address, markers[0].semaphore), (0x1100, 0));
        assert_eq!(markers[0].provider, "libc");
        assert_eq!(markers[0].arguments, "8@%rdi -4@%esi");
        assert_eq!((markers[1].address, markers[1].semaphore), (0x1110, 0x6100));
        assert_eq!(parse(&notes, None)[1].semaphore, 0x6000);
    }

    #[test]
    fn damaged_notes_end_the_reading() {
        let notes = note([1, 2, 3], b"a\0b\0c\0");
        for length in 0..notes.len() {
            parse(&notes[..length], None);
        }
        let mut big = notes.clone();
        big[0..4].copy_from_slice(&u32::MAX.to_le_bytes());
        big[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(parse(&big, None), []);
        // A string without its end, and one that is no text.
        assert_eq!(parse(&note([1, 2, 3], b"a\0b"), None), []);
        assert_eq!(parse(&note([1, 2, 3], b"a\0\xff\0c\0"), None), []);
    }
}
