//! What a stripped file says of the file that its symbols were put into: its build id, and the name and the checksum that
//! `objcopy --add-gnu-debuglink` left. Where such a file may be is known elsewhere.

use super::sections::{Section, Sections};
use super::{Header, find_build_id, header};
use crate::bytes::unsigned;
use std::fs::File;
use std::io;

/// Bytes of notes that a build id is looked for in.
const MAX_NOTES: u64 = 1 << 16;

/// How to know the file with the symbols of a stripped one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Separate {
    /// What the linker made of the file's contents, the same in both; empty if it has none.
    pub build_id: Vec<u8>,
    /// What the file itself says.
    pub link: Option<Link>,
}

/// The section `.gnu_debuglink`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The file's name, without folders.
    pub name: Vec<u8>,
    /// The CRC-32 of all of it.
    pub checksum: u32,
}

/// How to know the file with the symbols that a program or a library lacks; `None` if it lacks none, or says nothing.
///
/// # Errors
/// If it is no such file, is damaged, or can't be read.
pub fn separate(file: &File) -> io::Result<Option<Separate>> {
    let sections = Sections::read(file, &header(file)?)?;
    match sections.of_kind(Section::SYMTAB) {
        Some(_) => Ok(None),
        None => named(file),
    }
}

/// How to know the file with what a program or a library was stripped of, be it symbols or DWARF; `None` if it says nothing.
///
/// # Errors
/// As [`separate`].
pub fn named(file: &File) -> io::Result<Option<Separate>> {
    let header = header(file)?;
    let sections = Sections::read(file, &header)?;
    let separate = Separate {
        build_id: build_id_in(file, &header, &sections),
        link: link(file, &sections)?,
    };
    Ok((separate != Separate::default()).then_some(separate))
}

/// The build id of a file, which may be one of symbols alone; empty if it has none.
///
/// # Errors
/// As [`separate`].
pub fn build_id(file: &File) -> io::Result<Vec<u8>> {
    let header = header(file)?;
    let sections = Sections::read(file, &header)?;
    Ok(build_id_in(file, &header, &sections))
}

/// By its sections, or, where it has none any more, by its segments. In a file of symbols alone segments say nothing.
fn build_id_in(file: &File, header: &Header, sections: &Sections) -> Vec<u8> {
    let mut notes = sections.all_of_kind(Section::NOTE);
    let of_sections = notes.find_map(|section| {
        let notes = section.content(file, MAX_NOTES).ok()?;
        find_build_id(&notes)
    });
    of_sections
        .or_else(|| Some(super::layout(file, header).ok()?.build_id))
        .unwrap_or_default()
}

/// A name, a zero byte, zeros up to a multiple of four bytes, and the checksum.
fn link(file: &File, sections: &Sections) -> io::Result<Option<Link>> {
    const MAX_LINK: u64 = 4096;
    let named = sections.by_name(file)?;
    let Some(section) = named.find(".gnu_debuglink") else {
        return Ok(None);
    };
    let bytes = section.content(file, MAX_LINK)?;
    Ok(parse_link(&bytes))
}

fn parse_link(bytes: &[u8]) -> Option<Link> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let name = &bytes[..end];
    let at = (end + 1).next_multiple_of(4);
    let checksum = bytes.get(at..at + 4)?;
    // Anything but a name would lead anywhere.
    let is_name = !name.is_empty() && name != b"." && name != b".." && !name.contains(&b'/');
    is_name.then(|| Link {
        name: name.to_vec(),
        checksum: unsigned(checksum) as u32,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_a_name_and_a_checksum() {
        let link = |bytes: &[u8]| parse_link(bytes).map(|link| (link.name, link.checksum));
        let is = |name: &str| Some((name.as_bytes().to_vec(), 0x0403_0201));
        assert_eq!(link(b"abc\0\x01\x02\x03\x04"), is("abc"));
        assert_eq!(link(b"abcd\0\0\0\0\x01\x02\x03\x04"), is("abcd"));
        assert_eq!(link(b"abcd\0\0\0\0\x01\x02\x03"), None);
        assert_eq!(link(b"abc"), None);
        for name in ["", ".", "..", "a/b", "/a", "../b"] {
            let mut bytes = name.as_bytes().to_vec();
            bytes.resize((name.len() + 1).next_multiple_of(4) + 4, 0);
            assert_eq!(link(&bytes), None, "{name}");
        }
    }
}
