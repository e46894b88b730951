//! The facts of a machine in one file: what `--record-facts` writes and `--facts` reads.
//!
//! A line `pfscript facts 1`, then a zlib stream of sections. A section is a line `NAME BYTES` and so many bytes:
//!
//! | section | bytes |
//! |---|---|
//! | `arch` | `x86_64` or `aarch64` |
//! | `release` | the kernel's release, for messages |
//! | `page` | bytes of a page of memory, if they are not 4096 |
//! | `pid-namespace` | the inode number of the recorder's pid namespace, if it is not the initial one |
//! | `features` | lines `present NAME`, `absent NAME`, or `unsure NAME: REASON` |
//! | `tracepoints` | for each a line `tracepoint:CATEGORY:NAME`, its `field:` lines, and an empty line |
//! | `functions` | functions that kprobes can attach to, one a line |
//! | `symbols` | names of the kernel's symbols, one a line; their addresses change with each boot |
//! | `btf` | `/sys/kernel/btf/vmlinux` |
//!
//! Instead of one of the last four there may be `NAME.absent` (the machine has none) or `NAME.hidden` (the recorder had no right
//! to see it) with a line that says why, and a second one that says what to try. Sections that are not known are passed over;
//! the number in the first line counts changes that make older readers wrong.
//!
//! Files come from other machines and are not trusted: sizes and counts are bounded, and what does not fit is an error.

use super::RecordedFacts;
use crate::btf::Btf;
use crate::facts::{Arch, FactError};
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use pfscript_probes::{FEATURES, Feature};
use std::fmt::{self, Write as _};

/// The first line, without the version and its end.
const MAGIC: &str = "pfscript facts ";
/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
/// The most bytes of a file. A distribution's kernel takes 4 MB.
pub const MAX_FILE_BYTES: usize = 32 << 20;
/// The most bytes that it may stand for. A distribution's kernel takes 20 MB.
const MAX_BYTES: usize = 64 << 20;
/// The most bytes of a section of a few words, and of each of its lines.
const MAX_WORDS: usize = 64 << 10;
/// The most functions, and the most tracepoints.
const MAX_NAMES: usize = 1 << 20;

/// What is known, or why not.
pub type Part<T> = Result<T, FactError>;

/// What is written of a machine.
#[derive(Debug)]
pub struct Record<'a> {
    /// Its architecture.
    pub arch: Arch,
    /// The kernel's release.
    pub release: &'a str,
    /// As [`Facts::page_bytes`](crate::facts::Facts::page_bytes).
    pub page_bytes: u32,
    /// As [`Facts::pid_namespace`](crate::facts::Facts::pid_namespace).
    pub pid_namespace: Option<u32>,
    /// Which features it has (true), lacks, or may have (why that is not known).
    pub features: Vec<(Feature, Result<bool, String>)>,
    /// The text of the section.
    pub tracepoints: Part<String>,
    /// One a line.
    pub functions: Part<String>,
    /// One a line.
    pub symbols: Part<String>,
    /// The kernel's types.
    pub btf: Part<&'a [u8]>,
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// It does not begin as it should.
    NotFacts,
    /// It has a version that this pfscript does not read.
    Version(u32),
    /// It stands for more than the bounds allow: what there is too much of.
    TooLarge(&'static str),
    /// It is cut short or changed: what is wrong.
    Damaged(&'static str),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::NotFacts => {
                write!(f, "these are no facts, as --record-facts writes them")
            }
            RecordError::Version(version) => write!(
                f,
                "these facts are of version {version}, and this pfscript reads version {VERSION}"
            ),
            RecordError::TooLarge(what) => write!(f, "these facts are too large: {what}"),
            RecordError::Damaged(what) => write!(f, "these facts are damaged: {what}"),
        }
    }
}

impl std::error::Error for RecordError {}

fn arch_name(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "x86_64",
        Arch::Aarch64 => "aarch64",
    }
}

/// Writes a machine's facts as a file.
pub fn encode(record: &Record<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    let mut section = |name: &str, bytes: &[u8]| {
        body.extend_from_slice(format!("{name} {}\n", bytes.len()).as_bytes());
        body.extend_from_slice(bytes);
    };
    section("arch", arch_name(record.arch).as_bytes());
    section("release", record.release.as_bytes());
    if record.page_bytes != 4096 {
        section("page", record.page_bytes.to_string().as_bytes());
    }
    if let Some(inode) = record.pid_namespace {
        section("pid-namespace", inode.to_string().as_bytes());
    }
    let mut features = String::new();
    for (feature, presence) in &record.features {
        let name = feature.info().name;
        // Writing to a string cannot fail.
        let _ = match presence {
            Ok(true) => writeln!(features, "present {name}"),
            Ok(false) => writeln!(features, "absent {name}"),
            Err(reason) => writeln!(features, "unsure {name}: {}", one_line(reason)),
        };
    }
    section("features", features.as_bytes());
    let parts: [(&str, Part<&[u8]>); 4] = [
        ("tracepoints", text(&record.tracepoints)),
        ("functions", text(&record.functions)),
        ("symbols", text(&record.symbols)),
        ("btf", record.btf.clone()),
    ];
    for (name, part) in parts {
        let (state, reason, help) = match part {
            Ok(bytes) => {
                section(name, bytes);
                continue;
            }
            Err(FactError::Hidden { reason, help }) => ("hidden", reason, help),
            Err(FactError::Unavailable { reason, help }) => ("absent", reason, help),
            Err(FactError::Unknown) => ("absent", "there is none".to_owned(), None),
        };
        let help = help.unwrap_or_default();
        let words = format!("{}\n{}\n", one_line(&reason), one_line(&help));
        section(&format!("{name}.{state}"), words.as_bytes());
    }
    let mut file = format!("{MAGIC}{VERSION}\n").into_bytes();
    file.extend(compress_to_vec_zlib(&body, 6));
    file
}

fn text(part: &Part<String>) -> Part<&[u8]> {
    part.as_ref().map(String::as_bytes).map_err(Clone::clone)
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

/// Reads a file.
///
/// # Errors
/// If it is not such a file, is damaged, or is beyond the bounds.
pub fn decode(file: &[u8]) -> Result<RecordedFacts, RecordError> {
    if file.len() > MAX_FILE_BYTES {
        return Err(RecordError::TooLarge("the file has more than 32 MiB"));
    }
    let rest = file.strip_prefix(MAGIC.as_bytes());
    let rest = rest.ok_or(RecordError::NotFacts)?;
    let end = rest.iter().take(12).position(|&byte| byte == b'\n');
    let (version, stream) = rest.split_at(end.ok_or(RecordError::NotFacts)?);
    match number(version).ok_or(RecordError::NotFacts)? {
        VERSION => {}
        version => return Err(RecordError::Version(version)),
    }
    let body =
        decompress_to_vec_zlib_with_limit(&stream[1..], MAX_BYTES).map_err(|error| match error
            .status
        {
            miniz_oxide::inflate::TINFLStatus::HasMoreOutput => {
                RecordError::TooLarge("it stands for more than 64 MiB")
            }
            _ => RecordError::Damaged("it does not decompress"),
        })?;
    let mut facts = RecordedFacts::empty(Arch::X86_64);
    facts.missing_parts();
    let mut known_arch = false;
    let mut rest = body.as_slice();
    while !rest.is_empty() {
        let (name, bytes, behind) =
            section(rest).ok_or(RecordError::Damaged("a section is cut short"))?;
        rest = behind;
        known_arch |= name == "arch";
        take(&mut facts, name, bytes)?;
    }
    match known_arch {
        true => Ok(facts),
        false => Err(RecordError::Damaged("the architecture is missing")),
    }
}

/// The first section: its name, its bytes, what is behind it.
fn section(body: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let end = body.iter().take(80).position(|&byte| byte == b'\n')?;
    let (name, length) = str::from_utf8(&body[..end]).ok()?.rsplit_once(' ')?;
    let behind = &body[end + 1..];
    let (bytes, rest) = behind.split_at_checked(length.parse().ok()?)?;
    Some((name, bytes, rest))
}

fn number(digits: &[u8]) -> Option<u32> {
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Puts what a section says into the facts.
fn take(facts: &mut RecordedFacts, name: &str, bytes: &[u8]) -> Result<(), RecordError> {
    let text = || str::from_utf8(bytes).map_err(|_| RecordError::Damaged("a text is not UTF-8"));
    let words = || match bytes.len() > MAX_WORDS {
        true => Err(RecordError::TooLarge("a section of a few words")),
        false => text(),
    };
    let few = |what| match bytes.iter().filter(|&&byte| byte == b'\n').nth(MAX_NAMES) {
        Some(_) => Err(RecordError::TooLarge(what)),
        None => text(),
    };
    let missing = &mut facts.missing;
    match name {
        "arch" => {
            facts.arch = match words()? {
                "x86_64" => Arch::X86_64,
                "aarch64" => Arch::Aarch64,
                _ => return Err(RecordError::Damaged("an unknown architecture")),
            }
        }
        "release" => facts.release = words()?.to_owned(),
        "page" => {
            let bytes = number(bytes).filter(|bytes: &u32| bytes.is_power_of_two());
            facts.page_bytes = bytes.ok_or(RecordError::Damaged("a page has no such size"))?;
        }
        "pid-namespace" => {
            let inode = number(bytes).ok_or(RecordError::Damaged("a number is none"))?;
            facts.pid_namespace = Some(inode);
        }
        "features" => features(facts, words()?),
        "tracepoints" => {
            let text = text()?;
            if text.matches("\ntracepoint:").nth(MAX_NAMES).is_some() {
                return Err(RecordError::TooLarge("there are too many tracepoints"));
            }
            facts.set_tracepoints(text);
            facts.missing.tracepoints = None;
        }
        "functions" => {
            facts.set_functions(few("there are too many functions")?);
            facts.missing.functions = None;
        }
        "symbols" => {
            facts.symbol_names = few("there are too many symbols")?.to_owned();
            facts.missing.symbols = None;
        }
        "btf" => {
            let btf = Btf::new(bytes.to_vec());
            facts.btf = Some(btf.map_err(|_| RecordError::Damaged("the BTF is none"))?);
        }
        _ => {
            let (part, state) = name.split_once('.').unwrap_or((name, ""));
            let place = match part {
                "tracepoints" => &mut missing.tracepoints,
                "functions" => &mut missing.functions,
                "symbols" => &mut missing.symbols,
                _ => return Ok(()),
            };
            let mut lines = words()?.lines();
            let reason = lines.next().unwrap_or_default().to_owned();
            let help = lines.next().filter(|help| !help.is_empty());
            let help = help.map(str::to_owned);
            *place = match state {
                "hidden" => Some(FactError::Hidden { reason, help }),
                "absent" => Some(FactError::Unavailable { reason, help }),
                _ => return Ok(()),
            };
        }
    }
    Ok(())
}

fn features(facts: &mut RecordedFacts, text: &str) {
    // What the recorder did not know of cannot be told.
    let unrecorded = |row: &pfscript_probes::FeatureInfo| {
        let reason = "it was recorded by another version of pfscript".to_owned();
        (row.feature, reason)
    };
    facts.unsure = FEATURES.iter().map(unrecorded).collect();
    for line in text.lines() {
        let Some((state, rest)) = line.split_once(' ') else {
            continue;
        };
        let (name, reason) = match state {
            "unsure" => rest.split_once(": ").unwrap_or((rest, "")),
            _ => (rest, ""),
        };
        let Some(row) = FEATURES.iter().find(|row| row.name == name) else {
            continue;
        };
        facts.unsure.retain(|(feature, _)| *feature != row.feature);
        facts.features.retain(|feature| *feature != row.feature);
        match state {
            "present" => facts.features.push(row.feature),
            "unsure" => facts.unsure.push((row.feature, reason.to_owned())),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;

    fn record(btf: &[u8]) -> Record<'_> {
        Record {
            arch: Arch::Aarch64,
            release: "6.1.0-test",
            page_bytes: 16384,
            pid_namespace: Some(7),
            features: vec![
                (Feature::Btf, Ok(true)),
                (Feature::Tracepoints, Ok(true)),
                (Feature::Kprobes, Ok(true)),
                (Feature::FindVma, Ok(false)),
                (Feature::RingBuffer, Err("bpf:\nno right".to_owned())),
            ],
            tracepoints: Ok(
                "tracepoint:sched:x\n\tfield:int a;\toffset:8;\tsize:4;\tsigned:1;\n\n\
                             tracepoint:a:y\n\tfield:char b[4];\toffset:8;\tsize:4;\tsigned:0;\n\n"
                    .to_owned(),
            ),
            functions: Ok("vfs_write\nvfs_read\n".to_owned()),
            symbols: Ok("_stext\njiffies\n".to_owned()),
            btf: Ok(btf),
        }
    }

    fn types() -> Vec<u8> {
        super::super::BtfWriter::new().finish()
    }

    #[test]
    fn what_is_written_is_read() {
        let btf = types();
        let facts = decode(&encode(&record(&btf))).unwrap();
        assert_eq!(facts.arch(), Arch::Aarch64);
        assert_eq!(facts.release(), "6.1.0-test");
        assert_eq!(facts.page_bytes(), 16384);
        assert_eq!(facts.pid_namespace(), Some(7));
        assert!(facts.has(Feature::Btf) && !facts.has(Feature::FindVma));
        // What is not known is hoped for, and said where it matters.
        assert!(facts.has(Feature::RingBuffer) && facts.has(Feature::AttachCookie));
        assert_eq!(facts.unsure(Feature::FindVma), None);
        assert_eq!(facts.unsure(Feature::RingBuffer).unwrap(), "bpf: no right");
        assert!(
            facts
                .unsure(Feature::AttachCookie)
                .unwrap()
                .contains("version")
        );
        let names: Vec<_> = facts
            .tracepoints()
            .unwrap()
            .iter()
            .map(|name| name.1.as_str())
            .collect();
        assert_eq!(names, ["y", "x"]);
        assert_eq!(facts.tracepoint("sched", "x").unwrap().fields[0].name, "a");
        assert_eq!(facts.functions().unwrap(), ["vfs_read", "vfs_write"]);
        assert_eq!(facts.kernel_symbol("jiffies"), Ok(0));
        assert_eq!(facts.kernel_symbol("jiff"), Err(FactError::Unknown));
        assert_eq!(facts.btf().unwrap().byte_len(), btf.len());
        assert!(matches!(
            facts.binary("/bin/sh".as_ref()),
            Err(FactError::Hidden { .. })
        ));
    }

    #[test]
    fn what_was_hidden_or_absent_stays_so() {
        let hidden = || FactError::Hidden {
            reason: "cannot read it".to_owned(),
            help: Some("run as root".to_owned()),
        };
        let absent = FactError::lacking(Feature::Kprobes);
        let facts = decode(&encode(&Record {
            tracepoints: Err(hidden()),
            functions: Err(absent.clone()),
            symbols: Err(hidden()),
            btf: Err(FactError::Unknown),
            ..record(&[])
        }))
        .unwrap();
        assert_eq!(facts.tracepoints(), Err(hidden()));
        assert_eq!(facts.tracepoint("a", "y"), Err(hidden()));
        assert_eq!(facts.functions(), Err(absent));
        assert_eq!(facts.kernel_symbol("x"), Err(hidden()));
        assert!(facts.btf().is_none());
    }

    #[test]
    fn other_files_and_versions_are_refused() {
        for bytes in [
            &b""[..],
            b"BEGIN { }",
            b"pfscript facts ",
            b"pfscript facts x\n",
        ] {
            assert_eq!(decode(bytes).unwrap_err(), RecordError::NotFacts);
        }
        let newer = decode(b"pfscript facts 2\nwhatever").unwrap_err();
        assert_eq!(newer, RecordError::Version(2));
        let none = decode(b"pfscript facts 1\nno stream").unwrap_err();
        assert_eq!(none, RecordError::Damaged("it does not decompress"));
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let btf = types();
        let file = encode(&record(&btf));
        let whole = format!("{:?}", decode(&file).unwrap());
        for length in 0..file.len() {
            decode(&file[..length]).unwrap_err();
        }
        for place in 0..file.len() {
            for bit in [0, 3, 7] {
                let mut damaged = file.clone();
                damaged[place] ^= 1 << bit;
                // The stream has a checksum; some bits of its head only say how it was made.
                if let Ok(facts) = decode(&damaged) {
                    assert_eq!(format!("{facts:?}"), whole);
                }
            }
        }
        // And so has none of what is within: every text is cut and changed.
        let start = MAGIC.len() + 2;
        let body = miniz_oxide::inflate::decompress_to_vec_zlib(&file[start..]).unwrap();
        let pack = |body: &[u8]| [&file[..start], &compress_to_vec_zlib(body, 1)].concat();
        for place in 0..body.len() {
            decode(&pack(&body[..place])).err();
            let mut changed = body.clone();
            changed[place] ^= 0x15;
            if let Ok(facts) = decode(&pack(&changed)) {
                let _ = (
                    facts.tracepoint("sched", "x"),
                    facts.functions(),
                    facts.btf(),
                );
            }
        }
    }

    #[test]
    fn what_stands_for_gigabytes_is_refused() {
        let pack = |body: &[u8]| {
            let head = format!("{MAGIC}{VERSION}\n").into_bytes();
            [head, compress_to_vec_zlib(body, 1)].concat()
        };
        let huge = pack(&vec![b'\n'; MAX_BYTES + 1]);
        assert!(matches!(decode(&huge), Err(RecordError::TooLarge(_))));
        for name in ["functions", "symbols"] {
            let many = "a\n".repeat(MAX_NAMES + 1);
            let file = pack(format!("{name} {}\n{many}", many.len()).as_bytes());
            assert!(
                matches!(decode(&file), Err(RecordError::TooLarge(_))),
                "{name}"
            );
        }
        let long = "x".repeat(MAX_WORDS + 1);
        let file = pack(format!("release {}\n{long}", long.len()).as_bytes());
        assert!(matches!(decode(&file), Err(RecordError::TooLarge(_))));
        let beyond = pack(format!("arch 6\nx86_64btf {}\n", u64::MAX).as_bytes());
        assert!(matches!(decode(&beyond), Err(RecordError::Damaged(_))));
    }
}
