//! Tables of files that are damaged at random: whatever they say, reading ends soon, and what comes out is well formed.

use super::super::*;
use super::built::Folder;
use super::{check_form, table_of, vdso};
use pfscript_testkit::random::Random;
use std::fs;

/// Changes some bytes of a file: anywhere, in its headers, or where its frames are.
fn mutate(random: &mut Random, bytes: &mut Vec<u8>, frames: std::ops::Range<u64>) {
    for _ in 0..=random.below(8) {
        let length = bytes.len() as u64;
        let at = match random.below(4) {
            0 => random.below(64.min(length)),
            1 => random.below(length),
            _ => frames.start + random.below(frames.end - frames.start),
        };
        let number = random.number().to_le_bytes();
        let width = random.one_of(&[1, 1, 1, 2, 4, 8]);
        for (byte, new) in bytes[at.min(length) as usize..]
            .iter_mut()
            .zip(&number[..width])
        {
            *byte = *new;
        }
    }
    if random.below(16) == 0 {
        bytes.truncate(random.below(bytes.len() as u64) as usize);
    }
}

/// Where a pattern that only a section of frames has begins: the augmentation of its first entry.
fn frames_of(bytes: &[u8]) -> std::ops::Range<u64> {
    let pattern = b"\x01zR\0";
    let at = bytes
        .windows(pattern.len())
        .position(|window| window == pattern);
    let start = at.unwrap() as u64;
    start..(start + 0x600).min(bytes.len() as u64)
}

#[test]
fn damaged_files_have_well_formed_tables() {
    let folder = Folder::new("mutated");
    let path = folder.compile(
        "small",
        "int main(void) { return 0; }",
        &["-O2", "-g", "-gz=zlib"],
    );
    let mut files = vec![vdso(), fs::read(path).unwrap()];
    let mut bare = files[1].clone();
    bare[40..48].fill(0);
    bare[60..64].fill(0);
    files.push(bare);
    let (mut read, mut refused) = (0, 0);
    for seed in 0..10_000 {
        let mut random = Random::new(seed);
        let file = &files[random.below(files.len() as u64) as usize];
        let mut bytes = file.clone();
        mutate(&mut random, &mut bytes, frames_of(file));
        match table_of(&bytes) {
            Ok(table) => {
                read += 1;
                check_form(&table);
                for _ in 0..16 {
                    table.lookup(random.number() as u64);
                    table.lookup(random.below(bytes.len() as u64 + 1));
                }
            }
            Err(error) => {
                refused += 1;
                assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{seed}: {error}");
            }
        }
    }
    // Some are damaged where it matters, and others not.
    assert!(read > 1000 && refused > 100, "{read} {refused}");
}
