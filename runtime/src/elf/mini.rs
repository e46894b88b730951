//! The small file within a file that some distributions put the names of local functions into (`.gnu_debugdata`, compressed
//! with xz).
//!
//! In comes the section, out goes a file in memory. Some bytes of it can stand for gigabytes, so what comes out is bounded, of each
//! file and of all together.

use super::sections::Sections;
use crate::sys::process;
use lzma_rust2::XzReader;
use std::fs::File;
use std::io::{self, Read as _};

/// Bytes of the section. Of a browser it has some 2 million.
const MAX_COMPRESSED: u64 = 8 << 20;

/// Bytes of the file in it.
const MAX_FILE: u64 = 32 << 20;

/// Memory for the work, in KiB: the greatest window that xz takes unless told otherwise, and more.
const MAX_MEMORY: u32 = 80 << 10;

/// The file within a file; `None` if there is none, or it is damaged or too large. What it takes is taken from `left`, in bytes.
pub(super) fn file(file: &File, sections: &Sections, left: &mut u64) -> Option<File> {
    let named = sections.by_name(file).ok()?;
    let section = named.find(".gnu_debugdata")?;
    let compressed = section.content(file, MAX_COMPRESSED).ok()?;
    inflate(&compressed, left).ok()
}

fn inflate(compressed: &[u8], left: &mut u64) -> io::Result<File> {
    let room = MAX_FILE.min(*left);
    let file = File::from(process::memory_file(c"debugdata")?);
    let reader = XzReader::new_mem_limit(compressed, true, MAX_MEMORY);
    let copied = io::copy(&mut reader.take(room), &mut &file);
    // What ends in an error has cost its work, too.
    let length = file.metadata()?.len();
    *left -= length.min(*left);
    copied?;
    match length < room {
        true => Ok(file),
        false => Err(super::invalid("too much is in it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    /// So many zeros, compressed.
    fn compressed(zeros: usize) -> Vec<u8> {
        let mut child = Command::new("xz")
            .args(["-0", "--stdout"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || input.write_all(&vec![0; zeros]).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output.stdout
    }

    #[test]
    fn what_stands_for_more_than_it_may_is_refused() {
        let small = compressed(5000);
        let mut left = 12_000;
        for expected in [7000, 2000] {
            let file = inflate(&small, &mut left).unwrap();
            assert_eq!(file.metadata().unwrap().len(), 5000);
            assert_eq!(left, expected);
        }
        assert!(inflate(&small, &mut left).is_err());
        assert_eq!(left, 0);
        assert!(inflate(&small, &mut left).is_err());
        let large = compressed(MAX_FILE as usize + 1);
        assert!(large.len() < 100_000);
        let mut left = 1 << 40;
        assert!(inflate(&large, &mut left).is_err());
        assert_eq!(left, (1 << 40) - MAX_FILE);
        assert!(inflate(&small[..small.len() / 2], &mut left).is_err());
        assert!(inflate(b"nonsense", &mut left).is_err());
    }
}
