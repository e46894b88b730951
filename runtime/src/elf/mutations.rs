//! Damaged files: whatever their bytes are, reading them ends soon, in names or in an error.

use crate::untrusted::{calls, names, where_symbols_are};
use pfscript_testkit::random::Random;
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

#[test]
fn mutated_files_are_read_to_an_end() {
    let (sound, _) = library();
    let elsewhere = where_symbols_are(&sound).expect("it says where its symbols are");
    assert_eq!(elsewhere.build_id.len(), 20);
    assert_eq!(elsewhere.link.expect("it has a link").name, b"x.debug");
    let all = names(&sound, 4);
    for name in ["local", "global"] {
        assert!(all.iter().any(|found| found == name), "{name}: {all:?}");
    }
    // Where what matters is: the header, the segments, and the sections with their table behind all code.
    mutate(&sound, sound.len() / 4, |bytes| {
        where_symbols_are(bytes);
        names(bytes, 512);
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

#[test]
fn mutated_dwarf_is_read_to_an_end() {
    let (_, sound) = library();
    let all = calls(&sound, 8);
    for name in ["local", "global"] {
        let call = all
            .iter()
            .find(|call| call.function.as_deref() == Some(name))
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
