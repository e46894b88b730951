//! Programs and libraries as the compiler is told of them: made by the C compiler here, compared with what `readelf` says
//! of the same files and with this very process, then damaged.

use pfscript_compiler::facts::{Binary, FactError, Facts, FunctionSymbol};
use pfscript_runtime::LiveFacts;
use pfscript_testkit::random::Random;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const SOURCE: &str = r#"
__attribute__((noinline)) int shown(int x) { return x * 3 + 1; }
static __attribute__((noinline)) int hidden(int x) { return shown(x) ^ 5; }
static int picked(int x) { return hidden(x) + 2; }
static void *pick(void) { return picked; }
int indirect(int) __attribute__((ifunc("pick")));
int variable = 7;
int main(int argc, char **argv) { (void)argv; return hidden(argc) + indirect(variable); }
"#;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("pfscript-binaries-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// Compiles the source above.
    fn compile(&self, name: &str, flags: &[&str]) -> PathBuf {
        let (source, out) = (self.0.join("source.c"), self.0.join(name));
        fs::write(&source, SOURCE).unwrap();
        let mut cc = Command::new(std::env::var_os("CC").unwrap_or("cc".into()));
        run(cc.args(flags).arg("-o").arg(&out).arg(&source));
        out
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn read(path: &Path) -> Result<Arc<Binary>, FactError> {
    LiveFacts::new().binary(path)
}

fn reason(path: &Path) -> String {
    match read(path) {
        Err(FactError::Unavailable { reason, .. } | FactError::Hidden { reason, .. }) => {
            let start = format!("cannot read {}: ", path.display());
            reason.strip_prefix(&start).unwrap().to_owned()
        }
        other => panic!("{other:?}"),
    }
}

fn readelf(flag: &str, path: &Path) -> String {
    run(Command::new("readelf").args(["-W", flag]).arg(path))
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

/// The functions in one of readelf's tables.
fn functions_by_readelf(path: &Path, table: &str) -> Vec<FunctionSymbol> {
    let text = readelf("-s", path);
    let title = format!("Symbol table '{table}'");
    let table = text.split("\n\n").map(str::trim_start);
    let table = table.filter(|part| part.starts_with(&title));
    let mut functions: Vec<FunctionSymbol> = table
        .flat_map(str::lines)
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, address, size, kind, _, _, section, name, ..] = words[..] else {
                return None;
            };
            if !["FUNC", "IFUNC"].contains(&kind) || section == "UND" {
                return None;
            }
            Some(FunctionSymbol {
                // Without the version that readelf appends.
                name: name.split('@').next().unwrap().to_owned(),
                address: hex(address),
                size: match size.strip_prefix("0x") {
                    Some(digits) => hex(digits),
                    None => size.parse().unwrap(),
                },
                indirect: kind == "IFUNC",
            })
        })
        .collect();
    functions.sort();
    functions
}

/// Compares all that is told of a file.
fn check(path: &Path, table: &str, position_independent: bool) -> Arc<Binary> {
    let binary = read(path).unwrap();
    assert_eq!(binary.functions(), functions_by_readelf(path, table));
    assert_eq!(binary.position_independent, position_independent);
    let id: String = binary.build_id.iter().map(|b| format!("{b:02x}")).collect();
    let notes = readelf("-n", path);
    let id_by_readelf = notes.split_once("Build ID: ").map(|(_, id)| id);
    let id_by_readelf = id_by_readelf.and_then(|id| id.lines().next());
    assert_eq!(id, id_by_readelf.unwrap_or(""));
    // `[14] .text PROGBITS 0000000000001060 001060 000170 …`: where readelf has the code's addresses in the file.
    let sections = readelf("-S", path);
    let text = sections.split_once(" .text ").unwrap().1;
    let words: Vec<&str> = text.split_whitespace().collect();
    let (address, offset, size) = (hex(words[1]), hex(words[2]), hex(words[3]));
    let mut checked = 0;
    for function in binary.functions() {
        if function.address >= address && function.address < address + size {
            let expected = function.address - address + offset;
            assert_eq!(binary.file_offset(function.address), Some(expected));
            assert_eq!(binary.address(expected), Some(function.address));
            checked += 1;
        }
    }
    assert!(checked > 0);
    binary
}

#[test]
fn programs_and_libraries_are_told_as_readelf_tells_them() {
    let folder = Folder::new("kinds");
    let id = "-Wl,--build-id";
    let has = |binary: &Binary, name: &str| binary.functions_named(name).len() == 1;

    let pie = folder.compile("pie", &["-pie", "-fPIE", id]);
    let binary = check(&pie, ".symtab", true);
    assert_eq!(binary.build_id.len(), 20);
    assert!(has(&binary, "main") && has(&binary, "hidden") && !has(&binary, "variable"));
    assert!(!has(&binary, "__libc_start_main"), "defined elsewhere");
    let [indirect] = binary.functions_named("indirect") else {
        panic!("{:?}", binary.functions());
    };
    assert!(indirect.indirect && !binary.functions_named("shown")[0].indirect);

    let fixed = folder.compile("fixed", &["-no-pie", "-fno-pie", "-Wl,--build-id=none"]);
    assert_eq!(check(&fixed, ".symtab", false).build_id, []);

    let library = folder.compile("library.so", &["-shared", "-fPIC", id]);
    assert!(has(&check(&library, ".symtab", true), "hidden"));
    run(Command::new("strip").arg(&library));
    let binary = check(&library, ".dynsym", true);
    assert!(has(&binary, "shown") && !has(&binary, "hidden"));

    let whole = folder.compile("static", &["-static", id]);
    assert!(has(&check(&whole, ".symtab", false), "hidden"));
    run(Command::new("strip").arg(&whole));
    let binary = read(&whole).unwrap();
    assert_eq!(binary.functions(), []);
    assert!(!binary.segments.is_empty() && !binary.build_id.is_empty());
}

#[test]
fn the_c_library_is_told_as_readelf_tells_it() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let Some(path) = maps
        .split_whitespace()
        .find(|word| word.ends_with("/libc.so.6"))
    else {
        println!("skip: this test is linked with another C library");
        return;
    };
    let path = Path::new(path);
    let table = match readelf("-S", path).contains(" .symtab ") {
        true => ".symtab",
        false => ".dynsym",
    };
    let binary = check(path, table, true);
    assert!(!binary.functions_named("malloc").is_empty());
}

/// A function to be found in this program's file.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pfscript_test_function(x: u64) -> u64 {
    x.rotate_left(7) ^ 0x5eed_5eed_5eed_5eed
}

#[test]
fn a_function_of_this_process_lies_where_it_is_said_to_lie() {
    let path = fs::read_link("/proc/self/exe").unwrap();
    let binary = read(&path).unwrap();
    let [function] = binary.functions_named("pfscript_test_function") else {
        panic!("{} functions, none is ours", binary.functions().len());
    };
    let offset = binary.file_offset(function.address).unwrap();

    let here = pfscript_test_function as extern "C" fn(u64) -> u64 as usize as u64;
    let mut loaded = vec![0; function.size as usize];
    let memory = fs::File::open("/proc/self/mem").unwrap();
    memory.read_exact_at(&mut loaded, here).unwrap();
    let mut stored = vec![0; function.size as usize];
    let file = fs::File::open(&path).unwrap();
    file.read_exact_at(&mut stored, offset).unwrap();
    assert!(!stored.is_empty());
    assert_eq!(loaded, stored);

    // And as the kernel counts: by the mapping that the function is in.
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mapped = maps.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let offset = hex(words.nth(1)?);
        (hex(start)..hex(end))
            .contains(&here)
            .then(|| here - hex(start) + offset)
    });
    assert_eq!(mapped, Some(offset));
}

#[test]
fn what_is_no_binary_is_refused_with_a_reason() {
    let folder = Folder::new("others");
    for path in ["/no/such/file", "/etc/passwd/file", ""] {
        assert_eq!(read(Path::new(path)), Err(FactError::Unknown), "{path:?}");
    }
    assert_eq!(reason(Path::new("/")), "not a regular file");
    assert_eq!(reason(Path::new("/dev/null")), "not a regular file");
    let pipe = folder.0.join("pipe");
    run(Command::new("mkfifo").arg(&pipe));
    assert_eq!(reason(&pipe), "not a regular file");
    let text = folder.0.join("text");
    fs::write(&text, "#!/bin/sh\n").unwrap();
    assert_eq!(reason(&text), "not an ELF file");
    fs::write(&text, "").unwrap();
    assert_eq!(reason(&text), "not an ELF file");
    let object = folder.compile("object.o", &["-c"]);
    assert_eq!(reason(&object), "neither a program nor a shared library");
}

#[test]
fn a_name_that_is_not_utf8_is_left_out() {
    let folder = Folder::new("names");
    let path = folder.compile("program", &[]);
    let mut bytes = fs::read(&path).unwrap();
    let all = read(&path).unwrap().functions().len();
    let name = b"\0hidden\0";
    let at = bytes.windows(name.len()).rposition(|part| part == name);
    bytes[at.unwrap() + 1] = 0xff;
    fs::write(&path, bytes).unwrap();
    let binary = read(&path).unwrap();
    assert_eq!(binary.functions_named("hidden"), []);
    assert_eq!(binary.functions().len(), all - 1);
}

#[test]
fn one_path_is_read_once() {
    let folder = Folder::new("once");
    let path = folder.compile("program", &[]);
    let facts = LiveFacts::new();
    let first = facts.binary(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(Arc::ptr_eq(&first, &facts.binary(&path).unwrap()));
    assert_eq!(read(&path), Err(FactError::Unknown));
}

#[test]
fn a_file_that_is_cut_short_is_refused() {
    let folder = Folder::new("short");
    let bytes = fs::read(folder.compile("program", &[])).unwrap();
    let path = folder.0.join("short");
    for length in (0..4096).step_by(64).chain([bytes.len() - 1]) {
        fs::write(&path, &bytes[..length]).unwrap();
        let expected = match length {
            0 => "not an ELF file",
            _ => "damaged, or cut short",
        };
        assert_eq!(reason(&path), expected, "{length} bytes");
    }
}

/// Where a number goes in a file, the number, and its bytes.
type Patch = (usize, u64, usize);

fn patch(bytes: &mut [u8], places: &[Patch]) {
    for &(at, number, size) in places {
        bytes[at..at + size].copy_from_slice(&number.to_le_bytes()[..size]);
    }
}

#[test]
fn sizes_that_a_file_claims_are_bounded() {
    let folder = Folder::new("claims");
    let bytes = fs::read(folder.compile("program", &[])).unwrap();
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let sections = word(40) as usize;
    let mut rows = (0..usize::from(bytes[60])).map(|number| sections + 64 * number);
    // SHT_SYMTAB
    let symbols = rows.find(|row| bytes[row + 4] == 2).unwrap();
    let names = sections + 64 * usize::from(bytes[symbols + 40]);

    let cases: [(&str, &[Patch]); 11] = [
        ("the table of segments is damaged", &[(56, 0xffff, 2)]),
        ("the table of segments is damaged", &[(54, 57, 2)]),
        ("the table of sections is damaged", &[(58, 63, 2)]),
        ("the table of sections is damaged", &[(60, 0, 2)]),
        ("damaged, or cut short", &[(40, u64::MAX, 8)]),
        (
            "the table of symbols has no names",
            &[(symbols + 40, 0xffff_ffff, 4)],
        ),
        ("the table of symbols is damaged", &[(symbols + 56, 0, 8)]),
        ("damaged, or cut short", &[(symbols + 24, u64::MAX, 8)]),
        ("damaged, or cut short", &[(names + 32, 1 << 20, 8)]),
        ("too many symbols", &[(symbols + 32, 24 << 40, 8)]),
        ("too many symbols", &[(names + 32, u64::MAX, 8)]),
    ];
    let path = folder.0.join("damaged");
    for (expected, places) in cases {
        let mut damaged = bytes.clone();
        patch(&mut damaged, places);
        fs::write(&path, &damaged).unwrap();
        assert_eq!(reason(&path), expected, "{places:x?}");
    }

    // A file with a hole of a terabyte has room for everything that it claims. All symbols are functions, and all have
    // the same long name.
    let mut damaged = bytes.clone();
    let start = bytes.len().next_multiple_of(4096) as u64;
    let many = 1 << 16;
    patch(
        &mut damaged,
        &[(symbols + 24, start, 8), (symbols + 32, 24 * many, 8)],
    );
    patch(
        &mut damaged,
        &[
            (names + 24, start + (24 << 16), 8),
            (names + 32, 1 << 16, 8),
        ],
    );
    let symbol = [&[1, 0, 0, 0, 2, 0, 1, 0][..], &[0; 16]].concat();
    damaged.resize(start as usize, 0);
    damaged.extend(symbol.repeat(many as usize));
    damaged.push(0);
    damaged.resize(damaged.len() + (1 << 16) - 2, b'x');
    damaged.push(0);
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(&damaged).unwrap();
    file.set_len(1 << 40).unwrap();
    assert_eq!(reason(&path), "the names of symbols are too long");
}

#[test]
fn damage_at_random_is_survived() {
    let folder = Folder::new("random");
    let library = folder.compile("library.so", &["-shared", "-fPIC"]);
    run(Command::new("strip").arg(&library));
    for file in [folder.compile("program", &[]), library] {
        damage_at_random(&fs::read(file).unwrap(), &folder.0.join("damaged"));
    }
    // What all tests here took at the most, in kB.
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|words| words.split_whitespace().next());
    let peak: u64 = peak.unwrap().parse().unwrap();
    assert!(peak < 1 << 20, "{peak} kB");
}

fn damage_at_random(bytes: &[u8], path: &Path) {
    const ROUNDS: usize = 3000;
    let sections = u64::from_le_bytes(bytes[40..48].try_into().unwrap()) as usize;
    let mut numbers = Random::new(1);
    let mut random = move |below: usize| numbers.below(below as u64) as usize;
    let mut read_well = 0;
    for round in 0..ROUNDS {
        let mut damaged = bytes.to_vec();
        for _ in 0..=random(4) {
            // The header and the segments, the sections, or anywhere.
            let at = match random(3) {
                0 => random(0x400),
                1 => sections + random(bytes.len() - sections),
                _ => random(bytes.len()),
            };
            damaged[at] = match random(3) {
                0 => damaged[at] ^ (1 << random(8)),
                1 => 0xff,
                _ => random(256) as u8,
            };
        }
        fs::write(path, &damaged).unwrap();
        match read(path) {
            Ok(binary) => {
                read_well += 1;
                let size: usize = binary.functions().iter().map(|f| f.name.len()).sum();
                assert!(size < 1 << 20, "round {round}: {size} bytes of names");
                for function in binary.functions() {
                    binary.file_offset(function.address);
                    binary.address(function.address);
                }
            }
            Err(FactError::Unavailable { reason, .. } | FactError::Hidden { reason, .. }) => {
                assert!(reason.starts_with("cannot read "), "round {round}");
            }
            Err(FactError::Unknown) => panic!("round {round}: the file is there"),
        }
    }
    assert!((300..ROUNDS).contains(&read_well), "{read_well}");
}
