//! The files that a script asks for: `#include "types.h"`, `import "library";`, and what `-I` and `--include` name.
//!
//! In come a script and folders to look in. Out goes one text, the script and then its headers, so that every place of the script
//! stays where it is; and who asks for a place is told the file that it is in. Headers of the system are not read: types come
//! from the kernel's BTF, and constants from a table.

use pfscript::grammar::{self, Asked, Diagnostic, Span, escape};
use std::collections::HashSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Folders of the kernel's headers and the C library's. A header in one of them need not be there.
const OF_THE_SYSTEM: &[&str] = &[
    "acpi",
    "arpa",
    "asm",
    "asm-generic",
    "bits",
    "bpf",
    "crypto",
    "drm",
    "generated",
    "gnu",
    "kvm",
    "linux",
    "media",
    "misc",
    "mtd",
    "net",
    "netinet",
    "netpacket",
    "rdma",
    "scsi",
    "soc",
    "sound",
    "sys",
    "target",
    "trace",
    "uapi",
    "vdso",
    "video",
    "xen",
];

/// How deep headers include others.
const MAX_DEPTH: u32 = 32;

/// The longest text.
const MAX_BYTES: usize = grammar::MAX_SOURCE_BYTES;

/// What they may be.
const LIMITS: &str = "a script and its headers have at most 1 MiB, and are at most 32 deep";

/// One file in the text.
#[derive(Debug)]
struct Part {
    /// What it is called in messages.
    name: String,
    /// Where it begins.
    start: usize,
}

/// A script and what it includes.
#[derive(Debug)]
pub struct Sources {
    text: String,
    parts: Vec<Part>,
    /// Where what the script includes is looked for first; empty for the folder that we are in.
    folder: PathBuf,
}

/// Brings headers in.
struct Includer<'a> {
    sources: &'a mut Sources,
    folders: &'a [PathBuf],
    color: bool,
    seen: HashSet<PathBuf>,
}

impl Includer<'_> {
    /// Adds what a file includes.
    fn visit(&mut self, name: &str, text: &str, folder: &Path, depth: u32) -> Result<(), String> {
        let color = self.color;
        for (asked, wanted) in grammar::includes(text) {
            let refused = |message: String, help: &str| {
                let diagnostic = Diagnostic::error(wanted.span, message).help(help);
                grammar::render(&[diagnostic], name, text, color)
            };
            let path = Path::new(&wanted.node);
            let beside = (asked != Asked::System).then_some(folder);
            let found = match asked {
                Asked::Import => imported(path, beside, self.folders),
                Asked::Local | Asked::System => read(path, beside, self.folders),
            };
            let found =
                found.map_err(|error| refused(error.describe(path), "name a file of text"))?;
            let is_known = match asked {
                // Its functions are here without it.
                Asked::Import => path.starts_with("stdlib"),
                Asked::Local => is_of_the_system(path, true),
                Asked::System => is_of_the_system(path, false),
            };
            if found.is_empty() && !is_known {
                let (what, help) = match asked {
                    Asked::Import => (
                        "file or folder",
                        "it is looked for beside the file that imports it, and in the folders of -I",
                    ),
                    Asked::Local => (
                        "header",
                        "it is looked for beside the file that includes it, and in the folders of -I",
                    ),
                    Asked::System => ("header", "it is looked for in the folders of -I"),
                };
                return Err(refused(
                    format!("there is no {what} `{}`", shown(path)),
                    help,
                ));
            }
            for (path, text) in found {
                let bytes = self.sources.text.len() + text.len();
                if depth == MAX_DEPTH {
                    let message = "these headers include too many others";
                    return Err(refused(message.into(), LIMITS));
                }
                if bytes > MAX_BYTES {
                    let message = "the script and its headers are too long";
                    return Err(refused(message.into(), LIMITS));
                }
                self.add(&path, &text, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Adds a file, if it is not there yet, behind what it includes.
    fn add(&mut self, path: &Path, text: &str, depth: u32) -> Result<(), String> {
        if !self.seen.insert(path.to_owned()) {
            return Ok(());
        }
        let name = shown(path);
        let folder = path.parent().unwrap_or(Path::new(""));
        self.visit(&name, text, folder, depth)?;
        let sources = &mut *self.sources;
        if !sources.text.ends_with('\n') {
            sources.text.push('\n');
        }
        let start = sources.text.len();
        sources.parts.push(Part { name, start });
        // The first line of a file that can be run means nothing here.
        match text.strip_prefix("#!") {
            Some(rest) => sources.text += &["//", rest].concat(),
            None => sources.text += text,
        }
        Ok(())
    }
}

impl Sources {
    /// A script alone.
    pub fn new(name: &str, script: &str, path: Option<&Path>) -> Sources {
        Sources {
            text: script.to_owned(),
            parts: vec![Part {
                name: name.to_owned(),
                start: 0,
            }],
            folder: path
                .and_then(Path::parent)
                .unwrap_or(Path::new(""))
                .to_owned(),
        }
    }

    /// Adds the headers `first`, then those that the script and its headers ask for, each once, behind those that it needs itself.
    ///
    /// # Errors
    /// A header that is not there or cannot be read, rendered.
    pub fn include(
        &mut self,
        folders: &[PathBuf],
        first: &[PathBuf],
        color: bool,
    ) -> Result<(), String> {
        let mut includer = Includer {
            sources: self,
            folders,
            color,
            seen: HashSet::new(),
        };
        for path in first {
            let found = read(path, Some(Path::new("")), folders);
            let found = found.map_err(|error| format!("pfscript: {}", error.describe(path)))?;
            if found.is_empty() && !is_of_the_system(path, true) {
                return Err(format!("pfscript: there is no header {}", shown(path)));
            }
            for (path, text) in found {
                includer.add(&path, &text, 0)?;
            }
        }
        let script = includer.sources.text[..includer.sources.script_bytes()].to_owned();
        let name = includer.sources.name().to_owned();
        let folder = includer.sources.folder.clone();
        includer.visit(&name, &script, &folder, 0)
    }

    /// Where the headers begin, if there are any.
    pub fn headers(&self) -> Option<u32> {
        self.parts.get(1).map(|part| part.start as u32)
    }

    fn script_bytes(&self) -> usize {
        self.range(0).end
    }

    /// What the script is called.
    pub fn name(&self) -> &str {
        self.parts.first().map_or("", |script| &script.name)
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Messages about places in the text, each with its file.
    pub fn render(&self, diagnostics: &[Diagnostic], color: bool) -> String {
        let mut out = String::new();
        for alike in diagnostics.chunk_by(|a, b| self.part_of(a) == self.part_of(b)) {
            let part = alike.first().map_or(0, |first| self.part_of(first));
            let start = self.parts[part].start as u32;
            let moved: Vec<Diagnostic> = alike
                .iter()
                .map(|diagnostic| Diagnostic {
                    span: Span {
                        start: diagnostic.span.start.saturating_sub(start),
                        end: diagnostic.span.end.saturating_sub(start),
                    },
                    ..diagnostic.clone()
                })
                .collect();
            if !out.is_empty() {
                out.push('\n');
            }
            let text = &self.text[self.range(part)];
            out += &grammar::render(&moved, &self.parts[part].name, text, color);
        }
        out
    }

    fn range(&self, part: usize) -> std::ops::Range<usize> {
        let end = self
            .parts
            .get(part + 1)
            .map_or(self.text.len(), |next| next.start);
        self.parts[part].start..end
    }

    fn part_of(&self, diagnostic: &Diagnostic) -> usize {
        let at = diagnostic.span.start as usize;
        self.parts
            .partition_point(|part| part.start <= at)
            .saturating_sub(1)
    }
}

/// Why a header that is there cannot be taken.
enum Unreadable {
    Io(io::Error),
    TooLong,
    NotText,
}

impl Unreadable {
    fn describe(&self, path: &Path) -> String {
        let path = shown(path);
        match self {
            Unreadable::Io(error) => format!("can't read the header {path}: {error}"),
            Unreadable::TooLong => format!("the header {path} is longer than 1 MiB"),
            Unreadable::NotText => format!("the header {path} is not UTF-8"),
        }
    }
}

fn shown(path: &Path) -> String {
    escape(&path.to_string_lossy()).into_owned()
}

/// A file that was found, and its text.
type Found = (PathBuf, String);

/// Where a path may be: in the folder of the file that asks, or in the others.
fn candidates<'p>(
    path: &'p Path,
    beside: Option<&'p Path>,
    folders: &'p [PathBuf],
) -> impl Iterator<Item = PathBuf> {
    let folders = beside
        .into_iter()
        .chain(folders.iter().map(PathBuf::as_path));
    folders.map(move |folder| folder.join(path))
}

/// The first file of that name; none if there is no such file.
fn read(path: &Path, beside: Option<&Path>, folders: &[PathBuf]) -> Result<Vec<Found>, Unreadable> {
    let found = candidates(path, beside, folders).find(|path| path.is_file());
    found.into_iter().map(file).collect()
}

/// The first file of that name, or all scripts and headers of the first folder; none if there is neither.
fn imported(
    path: &Path,
    beside: Option<&Path>,
    folders: &[PathBuf],
) -> Result<Vec<Found>, Unreadable> {
    let Some(found) =
        candidates(path, beside, folders).find(|path| path.is_file() || path.is_dir())
    else {
        return Ok(Vec::new());
    };
    if found.is_file() {
        return Ok(vec![file(found)?]);
    }
    let entries = found.read_dir().map_err(Unreadable::Io)?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| {
        let is_ours = path
            .extension()
            .is_some_and(|end| end == "bt" || end == "h");
        is_ours && path.is_file()
    });
    files.sort();
    files.into_iter().map(file).collect()
}

/// A file's text.
fn file(path: PathBuf) -> Result<Found, Unreadable> {
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    std::fs::File::open(&path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(Unreadable::Io)?;
    if bytes.len() > MAX_BYTES {
        return Err(Unreadable::TooLong);
    }
    let text = String::from_utf8(bytes).map_err(|_| Unreadable::NotText)?;
    Ok((path.canonicalize().unwrap_or(path), text))
}

/// Whether a header is the kernel's or the C library's, whose types and constants are known without it.
fn is_of_the_system(path: &Path, local: bool) -> bool {
    let is_in_the_library = || Path::new("/usr/include").join(path).exists();
    let mut folders = path.iter().filter(|part| *part != "..");
    let folder = folders.next().filter(|_| folders.next().is_some());
    match folder.and_then(|folder| folder.to_str()) {
        Some(folder) if OF_THE_SYSTEM.contains(&folder) => true,
        // The kernel's own files by their place in its tree, `../fs/mount.h`, and `stdint.h`.
        Some(_) => path.starts_with("..") || is_in_the_library(),
        None => !local || is_in_the_library(),
    }
}
