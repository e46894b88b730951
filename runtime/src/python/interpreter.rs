//! Which files are interpreters of Python, and where they keep the frames of threads.
//!
//! In comes a file, out goes a row for programs ([`PYTHON`]). The places of fields are those that the interpreter itself says, which it
//! does since 3.13 (`_Py_DebugOffsets`), else those of its version, which are the same for all of its releases.

use crate::bytes::{slice, unsigned};
use crate::elf::exported::Exported;
use pfscript_probes::abi::PYTHON;
use std::fs::File;
use std::io;

/// The fields of a row that a version has, with their values.
type Fields = &'static [(&'static str, u64)];

/// Of a version whose interpreters do not say.
struct Version {
    /// Major and minor number.
    number: u64,
    /// Where in `_PyRuntime` the first interpreter is.
    interpreters: u64,
    fields: Fields,
}

const VERSIONS: [Version; 2] = [
    Version {
        number: 0x030b,
        interpreters: 40,
        fields: &[
            ("next_interpreter", 0),
            ("first_thread", 16),
            ("next_thread", 8),
            ("thread_id", 152),
            ("thread_frame", 56),
            ("has_anchors", 1),
            ("anchor_frame", 8),
            ("anchor_previous", 16),
            ("code", 32),
            ("previous", 48),
            ("instruction", 56),
            // `is_entry`
            ("mark", 68),
            ("marked", 1),
            ("marks_own", 1),
            ("texts", 112),
            ("first_line", 72),
            ("bytecode", 184),
            ("ascii", 48),
            ("wide", 72),
        ],
    },
    Version {
        number: 0x030c,
        interpreters: 40,
        fields: &[
            ("next_interpreter", 0),
            ("first_thread", 72),
            ("next_thread", 8),
            ("thread_id", 136),
            ("thread_frame", 56),
            ("has_anchors", 1),
            ("anchor_frame", 0),
            ("anchor_previous", 8),
            ("code", 0),
            ("previous", 8),
            ("instruction", 56),
            // `owner`
            ("mark", 70),
            ("marked", OWNED_BY_C_STACK),
            ("texts", 112),
            ("first_line", 68),
            ("bytecode", 192),
            ("ascii", 40),
            ("wide", 40 + MORE_THAN_ASCII),
        ],
    },
];

/// `FRAME_OWNED_BY_CSTACK`
const OWNED_BY_C_STACK: u64 = 3;
/// How much longer the header of a string is that is not ASCII, since 3.12.
const MORE_THAN_ASCII: u64 = 16;

/// The version whose interpreters say it.
const SAYS_ITSELF: u64 = 0x030d;
/// Where in `_Py_DebugOffsets` of that version what is said.
const SAID: Fields = &[
    ("next_interpreter", 64),
    ("first_thread", 72),
    ("next_thread", 168),
    ("thread_id", 192),
    ("thread_frame", 184),
    ("code", 240),
    ("previous", 232),
    ("instruction", 248),
    ("mark", 264),
    ("texts", 280),
    ("first_line", 312),
    ("bytecode", 344),
    ("ascii", 560),
];
const SAID_COOKIE: &[u8] = b"xdebugpy";
const SAID_FREE_THREADED: u32 = 16;
const SAID_INTERPRETERS: u32 = 40;
/// The file, the name, the qualified name and the table of lines of a code object.
const SAID_TEXTS: [u32; 4] = [280, 288, 296, 304];
const SAID_BYTES: usize = 584;

/// The row of a file that is an interpreter; `None` if it is none, or one of another version.
///
/// # Errors
/// If it is no 64-bit ELF file or is damaged ([`io::ErrorKind::InvalidData`]), or can't be read.
pub fn row(file: &File) -> io::Result<Option<Vec<u8>>> {
    let found = Exported::read(file, ["_PyRuntime", "PyCode_Type", "Py_Version"])?;
    let Some(exported) = found else {
        return Ok(None);
    };
    let Some([runtime, code_type, version]) = exported.all() else {
        return Ok(None);
    };
    let mut number = [0; 8];
    exported.content(file, version, &mut number)?;
    // Behind major and minor number are those of the release.
    let number = unsigned(&number) >> 16;
    let (interpreters, fields) = if number == SAYS_ITSELF {
        let mut said = [0; SAID_BYTES];
        exported.content(file, runtime, &mut said)?;
        match said_fields(&said) {
            Some(fields) => (unsigned(slice(&said, SAID_INTERPRETERS, 8)), fields),
            None => return Ok(None),
        }
    } else if let Some(known) = VERSIONS.iter().find(|known| known.number == number) {
        (known.interpreters, known.fields.to_vec())
    } else {
        return Ok(None);
    };
    let mut row = vec![0; PYTHON.size() as usize];
    let first = runtime.wrapping_add(interpreters);
    for (name, address) in [("interpreters", first), ("code_type", code_type)] {
        PYTHON
            .extent(name)
            .set(&mut row, exported.beside_code(address));
    }
    for (name, value) in fields {
        PYTHON.extent(name).set(&mut row, value);
    }
    Ok(Some(row))
}

/// The fields that an interpreter says; `None` if it does not, or says what programs do not know.
fn said_fields(said: &[u8]) -> Option<Vec<(&'static str, u64)>> {
    /// No structure is longer.
    const MOST: u64 = 1 << 20;
    let word = |at: u32| unsigned(slice(said, at, 8));
    let follows = |pair: &[u32]| word(pair[0]).checked_add(8) == Some(word(pair[1]));
    if !said.starts_with(SAID_COOKIE)
        || word(SAID_FREE_THREADED) != 0
        || !SAID_TEXTS.windows(2).all(follows)
    {
        return None;
    }
    let fields = SAID.iter().map(|(name, at)| (*name, word(*at as u32)));
    let mut fields: Vec<_> = fields.collect();
    let (_, ascii) = fields.last()?;
    fields.push(("wide", ascii.saturating_add(MORE_THAN_ASCII)));
    fields.push(("marked", OWNED_BY_C_STACK));
    let all_fit = fields.iter().all(|(_, value)| *value < MOST);
    all_fit.then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_interpreter_has_no_row() {
        assert_eq!(row(&File::open("/bin/sh").unwrap()).unwrap(), None);
        assert!(row(&File::open("/etc/passwd").unwrap()).is_err());
    }

    #[test]
    fn each_version_says_all_that_a_row_has() {
        for version in &VERSIONS {
            for (name, _) in version.fields {
                assert_eq!(PYTHON.extent(name).size, 4, "{name}");
            }
        }
    }

    /// As CPython 3.13 says it, as far as it is read.
    fn said() -> Vec<u8> {
        let mut said = vec![0; SAID_BYTES];
        said[..8].copy_from_slice(SAID_COOKIE);
        let mut put = |at: u32, value: u64| {
            said[at as usize..at as usize + 8].copy_from_slice(&value.to_le_bytes());
        };
        for (index, at) in SAID_TEXTS.into_iter().enumerate() {
            put(at, 112 + 8 * index as u64);
        }
        put(560, 40);
        put(264, 70);
        said
    }

    #[test]
    fn what_an_interpreter_says_is_taken() {
        let fields = said_fields(&said()).unwrap();
        let value = |wanted| fields.iter().find(|(name, _)| *name == wanted).unwrap().1;
        assert_eq!(value("texts"), 112);
        assert_eq!(value("mark"), 70);
        assert_eq!((value("ascii"), value("wide")), (40, 56));
    }

    #[test]
    fn what_cannot_be_is_not_taken() {
        assert_eq!(said_fields(&[]), None);
        for (at, value) in [(0, 1), (SAID_FREE_THREADED, 1), (288, 0), (168, u64::MAX)] {
            let mut bytes = said();
            bytes[at as usize..at as usize + 8].copy_from_slice(&u64::to_le_bytes(value));
            assert_eq!(said_fields(&bytes), None, "{at}");
        }
    }
}
