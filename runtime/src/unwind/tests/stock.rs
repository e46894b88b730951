//! The tables of programs that nobody here built.

use super::super::*;
use super::oracle::compare;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of this machine, if it has it.
fn stock(name: &str) -> Option<PathBuf> {
    let folders = [
        "/usr/bin",
        "/usr/lib/x86_64-linux-gnu",
        "/lib/x86_64-linux-gnu",
        "/lib64",
    ];
    let mut paths = folders.iter().map(|folder| Path::new(folder).join(name));
    let compiler = || {
        let mut cc = Command::new("cc");
        cc.arg(format!("-print-prog-name={name}"));
        let path = cc.output().ok()?.stdout;
        let path = PathBuf::from(String::from_utf8(path).ok()?.trim());
        path.is_absolute().then_some(path)
    };
    let found = paths.find(|path| path.exists()).or_else(compiler);
    if found.is_none() {
        println!("skip: there is no {name}");
    }
    found
}

/// A program or library, how many of its functions are looked at (every so manyth), and how many rows in a thousand may be
/// unknown since their frames hang on registers that a walk does not have.
const STOCK: [(&str, usize, usize); 15] = [
    ("ls", 1, 0),
    ("sort", 1, 0),
    ("bash", 1, 0),
    ("git", 1, 0),
    ("perl", 1, 0),
    ("python3", 1, 0),
    ("openssl", 1, 0),
    ("redis-server", 1, 0),
    ("cc1", 20, 0),
    ("libstdc++.so.6", 1, 0),
    ("libLLVM-14.so.1", 200, 0),
    // vfork(), __memcpy_avx512_no_vzeroupper(), clone3() and others that keep what they need in a register.
    ("libc.so.6", 1, 1),
    // __sigsetjmp() and the like.
    ("ld-linux-x86-64.so.2", 1, 1),
    // Assembly for many processors, that keeps its frame in whatever register is free.
    ("libcrypto.so.3", 1, 10),
    ("node", 20, 10),
];

#[test]
fn tables_of_stock_programs_say_what_their_files_say() {
    let mut all: Vec<Rule> = Vec::new();
    for (name, one_of, thousandths) in STOCK {
        let Some(path) = stock(name) else { continue };
        let seen = compare(&path, one_of);
        println!("{name}: {seen:?}");
        assert!(seen.rows > 100, "{name}");
        assert!(
            (seen.others + seen.unsaid) * 1000 <= seen.rows * thousandths,
            "{name}: {seen:?}"
        );
        all.extend(seen.right.keys());
    }
    for rule in [
        Rule::Outermost,
        Rule::FromSp,
        Rule::FromFp,
        Rule::FromBx,
        Rule::Plt,
        Rule::Signal,
    ] {
        assert!(all.contains(&rule), "{rule:?}");
    }
}

#[test]
fn the_code_before_and_after_programs_is_known() {
    for name in [
        "ls",
        "bash",
        "perl",
        "libz.so.1",
        "libcrypt.so.1",
        "libcrypto.so.3",
    ] {
        let Some(path) = stock(name) else { continue };
        let file = File::open(&path).unwrap();
        let table = Table::read(&file).unwrap();
        let frames = crate::elf::frames::read(&file).unwrap();
        assert_eq!(frames.startup.len(), 2, "{name}");
        for (start, bytes) in frames.startup {
            let end = start + bytes.len() as u64;
            let number = |at| {
                let row = table.lookup(at);
                assert_eq!((row.rule, row.ra), (Rule::FromSp, -1), "{name} {at:#x}");
                row.number
            };
            let depths: Vec<i64> = (start..end).map(number).collect();
            assert_eq!((depths[0], depths.last()), (1, Some(&1)), "{name}");
            assert_eq!(depths.iter().max(), Some(&2), "{name}");
        }
    }
}
