//! Source files, lines and inlined functions, by a file's DWARF.
//!
//! In comes an open file, out goes what can be asked for places after the file is gone. Sections may be compressed (zlib, zstd), parts
//! may lie in other files: those of each source file (`.dwo`), all of these in one (`.dwp`), what several files have in common (made by
//! dwz). What a file may cost is bounded: the bytes of its sections, and the units that each look-up takes apart.

use super::sections::{ByName, Sections};
use super::{header, invalid};
use crate::bytes::{slice, unsigned};
use addr2line::{Context, LookupContinuation as _, LookupResult};
use gimli::{Dwarf, DwarfPackage, DwoId, EndianReader, LittleEndian, SectionId};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of all sections of a file, inflated.
const MAX_SECTIONS: u64 = 192 << 20;

/// Bytes of what describes one source file, of its lines, and of all that it declares. Each is taken apart at once, into some 30 times
/// its size.
const MAX_PROGRAM: u64 = 4 << 20;
const MAX_UNIT: u64 = 16 << 20;

/// Calls that are inlined into each other.
const MAX_INLINED: usize = 64;

pub(super) type Bytes = EndianReader<LittleEndian, Arc<[u8]>>;

/// Finds what the kernel or the process would find at a path, if it may be read.
pub type Open<'a> = &'a dyn Fn(&Path) -> Option<File>;

/// The lines of a file.
pub struct Lines {
    context: Context<Bytes>,
    split: Split,
    size: usize,
}

/// Where the parts of a file's DWARF are that compilers put into files of their own.
#[derive(Default)]
pub(super) struct Split {
    package: Option<DwarfPackage<Bytes>>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("size", &self.size).finish()
    }
}

/// A call that a place belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The function, as the compiler mangled it.
    pub function: Option<String>,
    /// The source file.
    pub file: Option<String>,
    /// The line there, from 1.
    pub line: Option<u32>,
}

/// Whether a file has DWARF.
pub fn has_lines(file: &File) -> bool {
    let found = || {
        let header = header(file).ok()?;
        let sections = Sections::read(file, &header).ok()?;
        let named = sections.by_name(file).ok()?;
        section(&named, ".debug_info").map(|_| ())
    };
    found().is_some()
}

impl Lines {
    /// Reads the DWARF of a file. `program` is the path of the program or library that it is about, `open` opens other files.
    ///
    /// # Errors
    /// If there is none, or it is damaged, too large, or can't be read.
    pub fn read(file: &File, program: &Path, open: Open<'_>) -> io::Result<Lines> {
        let (dwarf, split, size) = all_sections(file, program, open)?;
        Ok(Lines {
            context: Context::from_dwarf(dwarf).map_err(|_| invalid("the DWARF is damaged"))?,
            split,
            size,
        })
    }

    /// The bytes that it keeps, without what look-ups add.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The calls that an address belongs to, by the file's own count: those that were inlined first, the innermost before all others,
    /// and then the function's own.
    pub fn find(&self, address: u64, open: Open<'_>) -> Vec<Call> {
        let mut lookup = self.context.find_frames(address);
        let found = loop {
            match lookup {
                LookupResult::Output(found) => break found,
                LookupResult::Load { load, continuation } => {
                    let place = (load.comp_dir, load.path);
                    let split = self.split.load(load.dwo_id, place, &load.parent, open);
                    lookup = continuation.resume(split);
                }
            }
        };
        let mut calls = Vec::new();
        let Ok(mut frames) = found else {
            return calls;
        };
        while calls.len() < MAX_INLINED
            && let Ok(Some(frame)) = frames.next()
        {
            let name = frame.function.as_ref().map(|function| function.raw_name());
            let location = frame.location.as_ref();
            calls.push(Call {
                function: name.and_then(|name| Some(name.ok()?.into_owned())),
                file: location.and_then(|location| Some(location.file?.to_owned())),
                line: location
                    .and_then(|location| location.line)
                    .filter(|line| *line > 0),
            });
        }
        calls
    }
}

impl Split {
    /// What a compiler put into a file of its own for one source file: that of a folder and a path.
    pub(super) fn load(
        &self,
        id: DwoId,
        (folder, path): (Option<Bytes>, Option<Bytes>),
        parent: &Arc<Dwarf<Bytes>>,
        open: Open<'_>,
    ) -> Option<Arc<Dwarf<Bytes>>> {
        if let Some(package) = &self.package
            && let Ok(Some(unit)) = package.find_cu(id, parent)
        {
            return Some(Arc::new(unit));
        }
        let has_path = path.is_some();
        let mut whole = PathBuf::new();
        for part in [folder, path].into_iter().flatten() {
            whole.push(OsStr::from_bytes(part.bytes()));
        }
        (has_path && whole.is_absolute()).then_some(())?;
        let mut left = MAX_SECTIONS;
        let mut dwarf = sections_of(&open(&whole)?, &mut left, |id| id.dwo_name()).ok()?;
        let unit = dwarf.units().next().ok()??;
        let unit = dwarf.unit(unit).ok()?;
        // One that was made for another state of the source.
        (unit.dwo_id == Some(id)).then_some(())?;
        dwarf.make_dwo(parent);
        Some(Arc::new(dwarf))
    }
}

/// The DWARF of a file, with what others have of it, and its bytes.
///
/// # Errors
/// If there is none, or it is damaged, too large, or can't be read.
pub(super) fn all_sections(
    file: &File,
    program: &Path,
    open: Open<'_>,
) -> io::Result<(Dwarf<Bytes>, Split, usize)> {
    let mut left = MAX_SECTIONS;
    let mut dwarf = sections_of(file, &mut left, |id| Some(id.name()))?;
    if let Some(common) = common(file, open)
        && let Ok(common) = sections_of(&common, &mut left, |id| Some(id.name()))
    {
        dwarf.set_sup(common);
    }
    let package = package(program, open, &mut left);
    Ok((dwarf, Split { package }, (MAX_SECTIONS - left) as usize))
}

/// The sections that lines are found by, under the names that they have in this kind of file.
fn sections_of(
    file: &File,
    left: &mut u64,
    name: impl Fn(SectionId) -> Option<&'static str>,
) -> io::Result<Dwarf<Bytes>> {
    let header = header(file)?;
    let sections = Sections::read(file, &header)?;
    let named = sections.by_name(file)?;
    let wide = header.class == super::Class::Wide;
    if name(SectionId::DebugInfo).is_none_or(|name| section(&named, name).is_none()) {
        return Err(invalid("there is no DWARF"));
    }
    Dwarf::load(|id| {
        let wanted = matches!(
            id,
            SectionId::DebugAbbrev
                | SectionId::DebugAddr
                | SectionId::DebugAranges
                | SectionId::DebugInfo
                | SectionId::DebugLine
                | SectionId::DebugLineStr
                | SectionId::DebugRanges
                | SectionId::DebugRngLists
                | SectionId::DebugStr
                | SectionId::DebugStrOffsets
        );
        let bytes = match name(id).filter(|_| wanted) {
            Some(name) => content(file, &named, name, wide, left)?,
            None => Vec::new(),
        };
        let most = match id {
            SectionId::DebugLine => MAX_PROGRAM,
            SectionId::DebugInfo => MAX_UNIT,
            _ => u64::MAX,
        };
        match largest_unit(&bytes, most) {
            Some(largest) if largest > most => Err(invalid("a unit of the DWARF is too large")),
            _ => Ok(reader(bytes)),
        }
    })
}

fn reader(bytes: Vec<u8>) -> Bytes {
    EndianReader::new(bytes.into(), LittleEndian)
}

/// All `.dwo` files of a program in one.
fn package(program: &Path, open: Open<'_>, left: &mut u64) -> Option<DwarfPackage<Bytes>> {
    let mut path = program.as_os_str().to_owned();
    path.push(".dwp");
    let file = open(Path::new(&path))?;
    let header = header(&file).ok()?;
    let sections = Sections::read(&file, &header).ok()?;
    let named = sections.by_name(&file).ok()?;
    let wide = header.class == super::Class::Wide;
    let load = |id: SectionId| -> Result<Bytes, gimli::Error> {
        let bytes = match id.dwo_name() {
            Some(name) => content(&file, &named, name, wide, left).map_err(|_| gimli::Error::Io)?,
            None => Vec::new(),
        };
        Ok(reader(bytes))
    };
    DwarfPackage::load(load, reader(Vec::new())).ok()
}

/// The file with what several have in common (`.gnu_debugaltlink`): a path, a zero byte, and the build id of what is there.
fn common(file: &File, open: Open<'_>) -> Option<File> {
    const MAX_LINK: u64 = 4096;
    let header = header(file).ok()?;
    let sections = Sections::read(file, &header).ok()?;
    let named = sections.by_name(file).ok()?;
    let link = named
        .find(".gnu_debugaltlink")?
        .content(file, MAX_LINK)
        .ok()?;
    let end = link.iter().position(|byte| *byte == 0)?;
    let (path, build_id) = (Path::new(OsStr::from_bytes(&link[..end])), &link[end + 1..]);
    // It is relative to where the file itself is.
    let own = std::os::fd::AsRawFd::as_raw_fd(file);
    let own = std::fs::read_link(format!("/proc/self/fd/{own}")).ok()?;
    let found = open(&own.parent()?.join(path))?;
    let theirs = super::separate::build_id(&found).ok()?;
    (theirs == build_id).then_some(found)
}

/// A section, by its name or by that of its older compressed form.
fn section<'a>(named: &'a ByName<'_>, name: &str) -> Option<&'a super::sections::Section> {
    named.find(name).or_else(|| named.find(&older_name(name)?))
}

/// `.zdebug_info` of `.debug_info`.
fn older_name(name: &str) -> Option<String> {
    Some(format!(".z{}", name.strip_prefix('.')?))
}

/// A section's bytes, inflated; none if there is no such section. They are taken from `left`.
fn content(
    file: &File,
    named: &ByName<'_>,
    name: &str,
    wide: bool,
    left: &mut u64,
) -> io::Result<Vec<u8>> {
    let Some(section) = section(named, name) else {
        return Ok(Vec::new());
    };
    let bytes = section.content(file, *left)?;
    let bytes = match (section.is_compressed(), bytes.strip_prefix(b"ZLIB")) {
        (true, _) => {
            // Kind, on 64 bits four bytes of nothing, size, alignment.
            let (size_at, size_of, rest) = if wide { (8, 8, 24) } else { (4, 4, 12) };
            let kind = unsigned(slice(&bytes, 0, 4));
            let size = unsigned(slice(&bytes, size_at, size_of));
            inflate(kind, bytes.get(rest..).unwrap_or_default(), size, *left)?
        }
        (false, Some(rest)) if named.find(name).is_none() && rest.len() > 8 => {
            let (size, rest) = rest.split_at(8);
            let size = size
                .iter()
                .fold(0, |size, byte| size << 8 | u64::from(*byte));
            inflate(ZLIB, rest, size, *left)?
        }
        (false, _) => bytes,
    };
    *left -= (bytes.len() as u64).min(*left);
    Ok(bytes)
}

/// `ELFCOMPRESS_ZLIB` and `ELFCOMPRESS_ZSTD`.
const ZLIB: u64 = 1;
const ZSTD: u64 = 2;

fn inflate(kind: u64, bytes: &[u8], size: u64, left: u64) -> io::Result<Vec<u8>> {
    let damaged = || invalid("a compressed section is damaged");
    if size > left {
        return Err(invalid("the DWARF is too large"));
    }
    let inflated = match kind {
        ZLIB => miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(bytes, size as usize)
            .map_err(|_| damaged())?,
        ZSTD => {
            let mut inflated = Vec::new();
            let reader = ruzstd::decoding::StreamingDecoder::new(bytes).map_err(|_| damaged())?;
            reader.take(size).read_to_end(&mut inflated)?;
            inflated
        }
        _ => return Err(invalid("a section is compressed in an unknown way")),
    };
    match inflated.len() as u64 == size {
        true => Ok(inflated),
        false => Err(damaged()),
    }
}

/// The size of the largest unit of `.debug_info` or `.debug_line`: each begins with it. `None` where `most` is no bound.
fn largest_unit(bytes: &[u8], most: u64) -> Option<u64> {
    const WIDE: u64 = 0xffff_ffff;
    (most < u64::MAX).then_some(())?;
    let mut largest = 0;
    let mut rest = bytes;
    while rest.len() >= 4 {
        let (size, header) = match unsigned(slice(rest, 0, 4)) {
            WIDE => (unsigned(slice(rest, 4, 8)), 12),
            size => (size, 4),
        };
        // One that claims more than there is has what there is.
        largest = largest.max(size.min(rest.len() as u64));
        let end = usize::try_from(size)
            .ok()
            .and_then(|size| size.checked_add(header));
        rest = end.and_then(|end| rest.get(end..)).unwrap_or_default();
    }
    Some(largest)
}
