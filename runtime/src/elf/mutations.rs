//! Damaged files: whatever their bytes are, reading them ends soon, in names or in an error.

use super::lines::{Call, Lines};
use super::separate::separate;
use super::symbols::SymbolFile;
use crate::sys::process;
use pfscript_testkit::random::Random;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

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

/// A stripped library with a build id, a link to a file of symbols, and symbols compressed into it; and that file, with DWARF.
fn library() -> (Vec<u8>, Vec<u8>) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("pfscript-mutations-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
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
    let [stripped, debug] =
        ["x.so", "x.debug"].map(|name| std::fs::read(folder.join(name)).unwrap());
    std::fs::remove_dir_all(&folder).unwrap();
    (stripped, debug)
}

fn memory_file(bytes: &[u8]) -> File {
    let file = File::from(process::memory_file(c"mutation").unwrap());
    file.write_all_at(bytes, 0).unwrap();
    file
}

/// The names that places in a file have, each so many bytes behind the one before.
fn names(file: File, step: usize) -> Vec<String> {
    let mut left = 1 << 30;
    let Ok(symbols) = SymbolFile::read(file, None, &mut left, false) else {
        return Vec::new();
    };
    let offsets = (0..0x4000).step_by(step);
    let addresses = offsets.filter_map(|offset| symbols.address(offset));
    let found = addresses.filter_map(|address| symbols.find(address));
    found.map(|(name, _)| name).collect()
}

#[test]
fn mutated_files_are_read_to_an_end() {
    let (sound, _) = library();
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
    // Where what matters is: the header, the segments, and the sections with their table behind all code.
    mutate(&sound, sound.len() / 4, |bytes| {
        let file = memory_file(bytes);
        let _ = separate(&file);
        names(file, 512);
    });
}

/// Calls `each` with ten thousand damaged forms of a file, the same in every run. Most damage is at the beginning and behind `rest`.
fn mutate(sound: &[u8], rest: usize, each: impl Fn(&[u8])) {
    const TIMES: usize = 10_000;
    let mut numbers = Random::new(1);
    let mut random = move |below: usize| numbers.below(below as u64) as usize;
    for _ in 0..TIMES {
        let mut bytes = sound.to_vec();
        for _ in 0..1 + random(4) {
            let at = match random(3) {
                0 => random(0x400),
                _ => rest + random(sound.len() - rest),
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
        each(&bytes);
    }
}

/// The calls that places in a file belong to, each so many bytes behind the one before.
fn calls(bytes: &[u8], step: usize) -> Vec<Call> {
    let file = memory_file(bytes);
    let nothing = |_: &Path| None;
    let Ok(lines) = Lines::read(&file, Path::new("/x.so"), &nothing) else {
        return Vec::new();
    };
    let addresses = (0x1000..0x1100).step_by(step);
    addresses
        .flat_map(|address| lines.find(address, &nothing))
        .collect()
}

#[test]
fn mutated_dwarf_is_read_to_an_end() {
    let (_, sound) = library();
    let all = calls(&sound, 8);
    for name in ["local", "global"] {
        let is = |call: &&Call| call.function.as_deref() == Some(name);
        let call = all
            .iter()
            .find(is)
            .unwrap_or_else(|| panic!("{name}: {all:?}"));
        assert!(
            call.file
                .as_ref()
                .is_some_and(|file| file.ends_with("/x.c"))
        );
        assert_eq!(call.line, Some(1));
    }
    mutate(&sound, 0x2c0, |bytes| {
        calls(bytes, 64);
    });
}
