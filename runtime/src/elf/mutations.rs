//! Damaged files: whatever their bytes are, reading them ends soon, in names or in an error.

use super::separate::separate;
use super::symbols::SymbolFile;
use crate::sys::process;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

fn run(folder: &Path, program: &str, arguments: &[&str]) {
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "{program} {arguments:?} failed"
    );
}

/// A stripped library with a build id, a link to a file of symbols, and symbols compressed into it.
fn library() -> Vec<u8> {
    let folder = std::env::temp_dir().join(format!("pfscript-mutations-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let source = "static int local(int a) { return a * 3; } int global(int a) { return local(a) + local(a + 1); }";
    std::fs::write(folder.join("x.c"), source).unwrap();
    run(
        &folder,
        "cc",
        &[
            "-shared",
            "-fPIC",
            "-g",
            "-O0",
            "-nostdlib",
            "-Wl,--build-id=sha1",
            "-o",
            "x.so",
            "x.c",
        ],
    );
    run(
        &folder,
        "objcopy",
        &["--only-keep-debug", "x.so", "x.debug"],
    );
    run(
        &folder,
        "objcopy",
        &["-S", "--keep-symbol=local", "x.debug", "mini"],
    );
    run(&folder, "xz", &["-f", "mini"]);
    run(&folder, "strip", &["x.so"]);
    run(
        &folder,
        "objcopy",
        &[
            "--add-section=.gnu_debugdata=mini.xz",
            "--add-gnu-debuglink=x.debug",
            "x.so",
        ],
    );
    let bytes = std::fs::read(folder.join("x.so")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    bytes
}

fn memory_file(bytes: &[u8]) -> File {
    let file = File::from(process::memory_file(c"mutation").unwrap());
    file.write_all_at(bytes, 0).unwrap();
    file
}

/// The names that places in a file have, each so many bytes behind the one before.
fn names(file: File, step: usize) -> Vec<String> {
    let mut left = 1 << 30;
    let Ok(symbols) = SymbolFile::read(file, None, &mut left) else {
        return Vec::new();
    };
    let offsets = (0..0x4000).step_by(step);
    let addresses = offsets.filter_map(|offset| symbols.address(offset));
    let found = addresses.filter_map(|address| symbols.find(address));
    found.map(|(name, _)| name).collect()
}

#[test]
fn mutated_files_are_read_to_an_end() {
    let sound = library();
    let file = memory_file(&sound);
    let separate_ = separate(&file)
        .unwrap()
        .expect("it says where its symbols are");
    assert_eq!(separate_.build_id.len(), 20);
    assert_eq!(separate_.link.expect("it has a link").name, b"x.debug");
    let all = names(file, 4);
    for name in ["local", "global"] {
        assert!(all.iter().any(|found| found == name), "{name}: {all:?}");
    }
    // A generator of numbers that are the same in every run.
    let mut state = 0x1234_5678_9abc_def0_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    // Where what matters is: the header, the segments, and the sections with their table behind all code.
    let code = sound.len() / 4;
    for _ in 0..10_000 {
        let mut bytes = sound.clone();
        for _ in 0..1 + random(4) {
            let at = match random(3) {
                0 => random(0x400),
                _ => code + random(sound.len() - code),
            };
            bytes[at] = match random(4) {
                0 => 0xff,
                1 => 0,
                2 => bytes[at] ^ 1 << random(8),
                _ => random(256) as u8,
            };
        }
        if random(8) == 0 {
            bytes.truncate(random(sound.len()));
        }
        let file = memory_file(&bytes);
        let _ = separate(&file);
        names(file, 64);
    }
}
