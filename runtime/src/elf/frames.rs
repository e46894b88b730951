//! The parts of a file that say how to unwind its stacks: the bytes of `.eh_frame` and `.debug_frame`, and what is needed to
//! understand them.

use super::sections::{Section, Sections};
use super::{Header, cut_short, header, invalid, read_at, segments};
use crate::bytes::{slice, unsigned};
use gimli::{BaseAddresses, EhFrameHdr, LittleEndian};
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use pfscript_compiler::facts::Segment;
use std::fs::File;
use std::io;

/// Bytes of a section: more than a browser has, with room.
const MAX_SECTION: u64 = 1 << 26;

/// Bytes of `.init` and `.fini` each, which have some 20.
const MAX_STARTUP: u64 = 4096;

/// Bytes of `.plt` that differ from what follows them.
const LINKAGE_HEADER: u64 = 32;

/// What a file says of frames.
pub struct Frames {
    /// The type of processor: `EM_*`.
    pub machine: u64,
    /// The address at which the system begins to run it; 0 for none.
    pub entry: u64,
    /// The parts of the file that are code.
    pub code: Vec<Segment>,
    /// `.eh_frame`.
    pub eh_frame: Option<EhFrame>,
    /// `.debug_frame`, inflated.
    pub debug_frame: Option<Vec<u8>>,
    /// `.init` and `.fini`: code of which nothing else speaks. Their offsets in the file, and their bytes.
    pub startup: Vec<(u64, Vec<u8>)>,
    /// `.plt` and its kin, through which functions of other files are called: their offsets in the file, how many bytes they have, and
    /// the first of these. On x86-64 `.eh_frame` speaks of them, on arm64 nothing does.
    pub linkage: Vec<(u64, u64, Vec<u8>)>,
    /// The addresses from which those in the sections are counted.
    pub bases: BaseAddresses,
}

/// The section `.eh_frame`.
pub struct EhFrame {
    pub bytes: Vec<u8>,
    /// Whether a zero ends it: nobody says how long it is.
    pub terminated: bool,
}

/// Reads the sections of a 64-bit file that say how to unwind.
///
/// # Errors
/// If it is no such file or is damaged ([`io::ErrorKind::InvalidData`]), or can't be read.
pub fn read(file: &File) -> io::Result<Frames> {
    const PF_X: u64 = 1;
    let header = header(file)?;
    if header.class != super::Class::Wide {
        return Err(invalid("not a 64-bit little-endian ELF file"));
    }
    let loaded = loaded(file, &header)?;
    let code = loaded.iter().filter(|loaded| loaded.flags & PF_X != 0);
    let mut frames = Frames {
        machine: unsigned(slice(&header.bytes, 18, 2)),
        entry: header.class.word(&header.bytes, 24, 24),
        code: code.map(|loaded| loaded.segment.clone()).collect(),
        eh_frame: None,
        debug_frame: None,
        startup: Vec::new(),
        linkage: Vec::new(),
        bases: BaseAddresses::default(),
    };
    // Without sections, or with damaged ones, the segments say as much as is needed to run the program.
    let _ = frames.read_sections(file, &header);
    if frames.eh_frame.is_none() {
        frames.read_by_segment(file, &header, &loaded)?;
    }
    Ok(frames)
}

impl Frames {
    fn read_sections(&mut self, file: &File, header: &Header) -> io::Result<()> {
        let sections = Sections::read(file, header)?;
        let sections = sections.by_name(file)?;
        let find = |wanted: &str| {
            let found = sections.find(wanted);
            found.filter(|section| section.kind != Section::NOBITS)
        };
        let bases = std::mem::take(&mut self.bases);
        self.bases = bases
            .set_text(find(".text").map_or(0, |section| section.address))
            .set_got(find(".got").map_or(0, |section| section.address));
        for section in [".init", ".fini"].into_iter().filter_map(find) {
            let size = section.size.min(MAX_STARTUP);
            let bytes = part(file, section.offset, size)?;
            self.startup.push((section.offset, bytes));
        }
        for section in [".plt", ".iplt"].into_iter().filter_map(find) {
            let size = section.size.min(LINKAGE_HEADER);
            let bytes = part(file, section.offset, size)?;
            self.linkage.push((section.offset, section.size, bytes));
        }
        if let Some(section) = find(".debug_frame") {
            self.debug_frame = debug_frame(file, section)?;
        }
        if let Some(section) = find(".eh_frame") {
            let bytes = part(file, section.offset, section.size)?;
            self.set_eh_frame(section.address, bytes, false);
        }
        Ok(())
    }

    /// Finds `.eh_frame` as a running program does, by its index.
    fn read_by_segment(
        &mut self,
        file: &File,
        header: &Header,
        loaded: &[Loaded],
    ) -> io::Result<()> {
        const PT_GNU_EH_FRAME: u64 = 0x6474_e550;
        /// Bytes of the index before its table.
        const INDEX: u64 = 64;
        let Some(row) = segments(file, header)?
            .chunks_exact(header.class.segment())
            .find(|row| header.class.number(row, 0, 0) == PT_GNU_EH_FRAME)
            .map(<[u8]>::to_vec)
        else {
            return Ok(());
        };
        let offset = header.class.word(&row, 4, 8);
        let address = header.class.word(&row, 8, 16);
        let size = header.class.word(&row, 16, 32);
        let index = part(file, offset, size.min(INDEX))?;
        let bases = BaseAddresses::default().set_eh_frame_hdr(address);
        let parsed = EhFrameHdr::new(&index, LittleEndian).parse(&bases, 8);
        let start = parsed.and_then(|parsed| parsed.eh_frame_ptr().direct());
        let Ok(start) = start else {
            return Ok(());
        };
        let whole = loaded.iter().find_map(|loaded| {
            let skipped = start.checked_sub(loaded.segment.address)?;
            let left = loaded.segment.size.checked_sub(skipped)?;
            Some((loaded.segment.offset.checked_add(skipped)?, left))
        });
        if let Some((offset, left)) = whole {
            let bytes = part(file, offset, left.min(MAX_SECTION))?;
            self.set_eh_frame(start, bytes, true);
        }
        Ok(())
    }

    fn set_eh_frame(&mut self, address: u64, bytes: Vec<u8>, terminated: bool) {
        self.bases = std::mem::take(&mut self.bases).set_eh_frame(address);
        self.eh_frame = Some(EhFrame { bytes, terminated });
    }
}

/// A segment that is loaded, and how it may be used.
pub(super) struct Loaded {
    pub(super) segment: Segment,
    pub(super) flags: u64,
}

/// The segments that are loaded from the file.
pub(super) fn loaded(file: &File, header: &Header) -> io::Result<Vec<Loaded>> {
    const PT_LOAD: u64 = 1;
    let class = header.class;
    let rows = segments(file, header)?;
    let rows = rows.chunks_exact(class.segment());
    let loaded = rows.filter(|row| class.number(row, 0, 0) == PT_LOAD);
    Ok(loaded
        .map(|row| Loaded {
            segment: Segment {
                offset: class.word(row, 4, 8),
                address: class.word(row, 8, 16),
                size: class.word(row, 16, 32),
            },
            flags: class.number(row, 24, 4),
        })
        .collect())
}

/// `.debug_frame`, inflated where it is compressed; `None` if it is so in a way that is not known here.
fn debug_frame(file: &File, section: &Section) -> io::Result<Option<Vec<u8>>> {
    const COMPRESSED: u64 = 1 << 11;
    const ZLIB: u64 = 1;
    const HEADER: usize = 24;
    let bytes = part(file, section.offset, section.size)?;
    if section.flags & COMPRESSED == 0 {
        return Ok(Some(bytes));
    }
    if unsigned(slice(&bytes, 0, 4)) != ZLIB {
        return Ok(None);
    }
    let Some(body) = bytes.get(HEADER..) else {
        return Ok(None);
    };
    // No more than it says, and no more than is read of others.
    let size = unsigned(slice(&bytes, 8, 8)).min(MAX_SECTION);
    Ok(decompress_to_vec_zlib_with_limit(body, size as usize).ok())
}

/// A part of the file that lies within it.
fn part(file: &File, offset: u64, size: u64) -> io::Result<Vec<u8>> {
    if size > MAX_SECTION {
        return Err(invalid("too much is said about how to unwind its frames"));
    }
    // Nothing is reserved for what is not there.
    let end = offset.checked_add(size);
    if end.is_none_or(|end| end > file.metadata().map_or(0, |metadata| metadata.len())) {
        return Err(cut_short(io::ErrorKind::UnexpectedEof.into()));
    }
    let mut bytes = vec![0; size as usize];
    read_at(file, &mut bytes, offset)?;
    Ok(bytes)
}
