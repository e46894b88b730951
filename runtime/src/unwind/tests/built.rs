//! Tables of programs that the C compiler makes here, in the ways in which programs are made.

use super::super::*;
use super::oracle::compare;
use super::table_of;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Frames of all kinds: a leaf, one that calls, one of varying size, one whose stack is aligned anew, one larger than the numbers
/// of small instructions, one that ends in a call that does not return, a handler, a recursion.
const SOURCE: &str = r#"
#include <alloca.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
volatile int sink;
__attribute__((noinline)) void take(void *place) { sink += *(volatile char *)place; }
__attribute__((noinline)) int leaf(int x) { return x * 3 + 1; }
__attribute__((noinline)) int calls(int x) { take(&x); return leaf(x) ^ sink; }
__attribute__((noinline)) int varying(int x) {
    char *room = alloca(x + 1); memset(room, 0, x + 1); take(room); return sink + x;
}
__attribute__((noinline)) int aligned(int x, ...) {
    __attribute__((aligned(64))) char room[64]; memset(room, x, 64);
    char *more = alloca(x + 1); memset(more, 1, x + 1); take(room); take(more); return sink;
}
__attribute__((noinline)) int large(int x) { char room[100000]; memset(room, x, sizeof room); take(room); return sink; }
__attribute__((noinline, noreturn)) void ends(int x) { take(&x); abort(); }
__attribute__((noinline)) int recurses(int x) { int more = x > 0 ? recurses(x - 1) : 0; take(&more); return more + 1; }
static void handler(int number) { sink = number; }
int main(int argc, char **argv) {
    signal(SIGUSR1, handler); raise(SIGUSR1);
    if (argc > 100) ends(argc);
    return (calls(argc) + varying(argc) + aligned(argc, 2) + large(argc) + recurses(argc) + (int)strlen(argv[0])) == -1;
}
"#;

/// A folder that goes with the test.
pub(super) struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let name = format!("pfscript-unwind-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// Compiles a program.
    pub fn compile(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        let (input, out) = (self.0.join(format!("{name}.c")), self.0.join(name));
        fs::write(&input, source).unwrap();
        let mut cc = Command::new(std::env::var_os("CC").unwrap_or("cc".into()));
        run(cc.args(["-w", "-o"]).arg(&out).arg(&input).args(flags));
        out
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    output.stdout
}

/// The parts of the file in which functions of the program lie, by name.
fn functions(path: &Path) -> Vec<(String, u64, u64)> {
    let text = run(Command::new("readelf").args(["-Ws", "-l"]).arg(path));
    let text = String::from_utf8(text).unwrap();
    let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let words: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let code = words.iter().find(|words| {
        words.first() == Some(&"LOAD")
            && words[6..].iter().any(|flag| *flag == "E" || *flag == "RE")
    });
    let code = code.unwrap();
    let (offset, address) = (hex(code[1]), hex(code[2]));
    let found = words
        .iter()
        .filter(|words| words.get(3) == Some(&"FUNC") && words[6] != "UND");
    found
        .map(|words| {
            let start = hex(words[1]) - address + offset;
            (
                words[7].to_owned(),
                start,
                start + words[2].parse::<u64>().unwrap(),
            )
        })
        .collect()
}

/// The rules that hold somewhere in a function.
fn rules(table: &Table, functions: &[(String, u64, u64)], name: &str) -> HashSet<Rule> {
    let (_, start, end) = functions.iter().find(|(found, ..)| found == name).unwrap();
    (*start..*end).map(|at| table.lookup(at).rule).collect()
}

#[test]
fn programs_are_told_as_they_were_built() {
    let folder = Folder::new("built");
    let ways: [&[&str]; 9] = [
        &["-O0"],
        &["-O2"],
        &["-O2", "-fno-omit-frame-pointer"],
        &["-Os", "-fcf-protection=full", "-Wl,-z,ibtplt"],
        &["-O2", "-fno-pie", "-no-pie", "-Wl,-z,noseparate-code"],
        &["-O2", "-static"],
        &["-O2", "-static-pie"],
        &["-O2", "-mstackrealign", "-Wl,-z,now"],
        &["-O2", "-g", "-s"],
    ];
    let mut all = HashSet::new();
    for (number, flags) in ways.iter().enumerate() {
        let path = folder.compile(&format!("way{number}"), SOURCE, flags);
        let seen = compare(&path, 1);
        println!("{flags:?}: {seen:?}");
        // Before it returns, `aligned` has its frame pointer back, which the compiler forgets to say.
        assert!(seen.unsaid <= 1, "{flags:?}");
        all.extend(seen.right.keys().copied());
    }
    for rule in [
        Rule::Outermost,
        Rule::FromSp,
        Rule::FromFp,
        Rule::AtFp,
        Rule::Plt,
        Rule::Signal,
    ] {
        assert!(all.contains(&rule), "{rule:?}");
    }
}

#[test]
fn functions_have_the_frames_that_they_are_known_to_have() {
    let folder = Folder::new("known");
    let path = folder.compile("known", SOURCE, &["-O2", "-fno-pie", "-no-pie"]);
    let table = table_of(&fs::read(&path).unwrap()).unwrap();
    let functions = functions(&path);
    let rules = |name| rules(&table, &functions, name);
    let only = |rules: &[Rule]| HashSet::from_iter(rules.iter().copied());
    for name in [
        "leaf", "calls", "large", "ends", "recurses", "main", "handler",
    ] {
        assert_eq!(rules(name), only(&[Rule::FromSp]), "{name}");
    }
    assert_eq!(rules("varying"), only(&[Rule::FromSp, Rule::FromFp]));
    assert!(rules("aligned").contains(&Rule::AtFp));
    assert_eq!(rules("_start"), only(&[Rule::Outermost]));
    let (_, start, end) = functions.iter().find(|(name, ..)| name == "large").unwrap();
    let deepest = (*start..*end).map(|at| table.lookup(at).number).max();
    assert!(deepest.unwrap() > 100_000 / 8, "{deepest:?}");
}

#[test]
fn it_does_not_matter_how_the_frames_are_stored() {
    let folder = Folder::new("stored");
    let path = folder.compile("whole", SOURCE, &["-O2", "-g"]);
    let whole = fs::read(&path).unwrap();
    let expected = table_of(&whole).unwrap();
    let functions_of_whole = functions(&path);
    assert!(expected.words.len() > 30);

    run(Command::new("strip")
        .args(["-o"])
        .arg(folder.0.join("stripped"))
        .arg(&path));
    let stripped = fs::read(folder.0.join("stripped")).unwrap();
    assert_eq!(table_of(&stripped).unwrap(), expected);

    // Without sections, the index of frames leads to them.
    let mut bare = whole.clone();
    bare[40..48].fill(0);
    bare[60..64].fill(0);
    let bare = table_of(&bare).unwrap();
    // Only sections tell where the code is that runs before and after.
    let file = File::open(&path).unwrap();
    let startup = crate::elf::frames::read(&file).unwrap().startup;
    let known = (0..whole.len() as u64).filter(|at| {
        let within = |part: &(u64, Vec<u8>)| (part.0..part.0 + part.1.len() as u64).contains(at);
        !startup.iter().any(within)
    });
    for at in known {
        assert_eq!(bare.lookup(at), expected.lookup(at), "{at:#x}");
    }

    // `.debug_frame`, as it is and compressed, where the program's own functions are in nothing else.
    let own = [
        "leaf", "calls", "varying", "aligned", "large", "ends", "recurses", "main", "handler",
    ];
    for (number, compression) in ["none", "zlib"].iter().enumerate() {
        let compression = format!("-gz={compression}");
        let flags = [
            "-O2",
            "-g",
            "-fno-asynchronous-unwind-tables",
            "-fno-unwind-tables",
            "-fno-exceptions",
            &compression,
        ];
        let path = folder.compile(&format!("debug{number}"), SOURCE, &flags);
        let table = table_of(&fs::read(&path).unwrap()).unwrap();
        let functions = functions(&path);
        let sections = run(Command::new("readelf").arg("-WS").arg(&path));
        let sections = String::from_utf8(sections).unwrap();
        let section = sections
            .lines()
            .find(|line| line.contains(" .debug_frame"))
            .unwrap();
        let is_compressed = section.split_whitespace().any(|word| word == "C");
        assert_eq!(is_compressed, number == 1, "{section}");
        for name in own {
            let found = rules(&table, &functions, name);
            let expected = rules(&expected, &functions_of_whole, name);
            assert_eq!(found, expected, "{name}");
        }
        // From `.eh_frame`, which the files that the linker adds have.
        let start = rules(&table, &functions, "_start");
        assert_eq!(start, HashSet::from([Rule::Outermost]));
    }
}
