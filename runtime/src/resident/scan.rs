//! What a process has resident, and what memory it is, by `/proc/PID/smaps` and `/proc/PID/pagemap`.
//!
//! In comes a process that lives, or is held at its exit; out go mappings with the pages that are resident in each. The zero page,
//! which reads of untouched memory show, is nobody's memory and left out, as in the kernel's own sums.

use crate::results::MemoryKind;
use crate::sys;
use std::fs::File;
use std::io::{self, BufReader};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

/// One mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Where it is, in pages.
    pub pages: Range<u64>,
    /// The path of a file, `[heap]` and the like, empty for memory without a name.
    pub name: Box<[u8]>,
    /// The pages of it that are resident, in order.
    pub resident: Vec<Run>,
    /// Those that show the zero page, which is nobody's.
    pub zeros: Vec<Range<u64>>,
}

/// Resident pages in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where they are.
    pub pages: Range<u64>,
    /// What memory they are.
    pub kind: MemoryKind,
    /// Whether no file is behind them and another process has them, too: parent and child, until one of them writes.
    pub shared: bool,
}

/// What was resident at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The name of the process.
    pub comm: Vec<u8>,
    /// Its mappings, by address; those of which nothing is there are left out.
    pub mappings: Vec<Mapping>,
}

impl Snapshot {
    /// How many pages are resident.
    pub fn pages(&self) -> u64 {
        let runs = self.mappings.iter().flat_map(|mapping| &mapping.resident);
        runs.map(|run| run.pages.end - run.pages.start).sum()
    }
}

/// Bits of a word of `pagemap` (Documentation/admin-guide/mm/pagemap.rst).
const PRESENT: u64 = 1 << 63;
const FILE_OR_SHARED: u64 = 1 << 61;
const EXCLUSIVE: u64 = 1 << 56;
const FRAME: u64 = (1 << 55) - 1;

/// Bits of a word of `/proc/kpageflags` (include/uapi/linux/kernel-page-flags.h).
const FLAG_HUGE: u64 = 1 << 22;
const FLAG_ZERO: u64 = 1 << 24;

/// How many pages are looked at in one read: the process's own calls of `mmap()` wait meanwhile.
const PIECE: u64 = 32 << 10;

/// Looks at a process.
///
/// # Errors
/// The kernel's: the process is gone, or may not be looked at.
pub fn read(process: u32) -> io::Result<Snapshot> {
    let folder = format!("/proc/{process}");
    let mut comm = std::fs::read(format!("{folder}/comm"))?;
    comm.truncate(comm.trim_ascii_end().len());
    let pagemap = File::open(format!("{folder}/pagemap"))?;
    let smaps = BufReader::new(File::open(format!("{folder}/smaps"))?);
    let frames = Frames::open();
    let page = sys::page_size() as u64;
    let mut mappings = listed(smaps, page)?;
    for mapping in &mut mappings {
        let kind = kind(&mapping.name);
        let Range { mut start, end } = mapping.pages;
        let mut words = vec![0; 8 * (end - start).min(PIECE) as usize];
        while start < end {
            let next = (start - start % PIECE + PIECE).min(end);
            let piece = &mut words[..8 * (next - start) as usize];
            pagemap.read_exact_at(piece, 8 * start)?;
            let words = piece.as_chunks::<8>().0;
            let words: Vec<u64> = words.iter().map(|word| u64::from_ne_bytes(*word)).collect();
            frames.classify(start, &words, kind, mapping);
            start = next;
        }
    }
    mappings.retain(|mapping| !mapping.resident.is_empty() || !mapping.zeros.is_empty());
    Ok(Snapshot { comm, mappings })
}

/// What a process has mapped, in pages.
///
/// # Errors
/// The kernel's: the process is gone, or may not be looked at.
pub fn mapped(process: u32, page: u64) -> io::Result<Vec<Range<u64>>> {
    let text = std::fs::read(format!("/proc/{process}/maps"))?;
    let lines = text.split(|byte| *byte == b'\n');
    let mappings = lines.filter_map(|line| header(line, page));
    Ok(mappings.map(|mapping| mapping.pages).collect())
}

/// Of mappings that are larger and of which nothing is resident, it is not asked which pages show the zero page: they may be endless.
const LARGE: u64 = 64 << 10;

/// The mappings that `smaps` lists of which something may be resident.
fn listed(mut smaps: impl io::BufRead, page: u64) -> io::Result<Vec<Mapping>> {
    let mut mappings = Vec::new();
    let mut last = None;
    let mut line = Vec::new();
    while smaps.read_until(b'\n', &mut line)? > 0 {
        match line.strip_prefix(b"Rss:") {
            Some(size) => {
                let is_none = size.trim_ascii().starts_with(b"0 ");
                mappings.extend(
                    last.take()
                        .filter(|mapping| !is_none || may_be_zero(mapping)),
                );
            }
            None => last = header(&line, page).or(last),
        }
        line.clear();
    }
    Ok(mappings)
}

/// Whether a mapping of which nothing is resident is asked for the zero page.
fn may_be_zero(mapping: &Mapping) -> bool {
    let is_file = kind(&mapping.name) == MemoryKind::File;
    !is_file && mapping.pages.end - mapping.pages.start <= LARGE
}

/// The line that a mapping begins with: `start-end perms offset major:minor inode   path`.
fn header(line: &[u8], page: u64) -> Option<Mapping> {
    let mut words = line.splitn(6, |byte| *byte == b' ');
    let (start, end) = std::str::from_utf8(words.next()?).ok()?.split_once('-')?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let pages = number(start)? / page..number(end)? / page;
    let name = words.nth(4)?.trim_ascii();
    Some(Mapping {
        pages,
        name: name.strip_suffix(b" (deleted)").unwrap_or(name).into(),
        resident: Vec::new(),
        zeros: Vec::new(),
    })
}

/// What the memory of a mapping is, by its name.
fn kind(name: &[u8]) -> MemoryKind {
    let shared: [&[u8]; 5] = [
        b"/memfd:",
        b"/SYSV",
        b"/dev/zero",
        b"/dev/shm/",
        b"[anon_shmem",
    ];
    match name {
        b"" => MemoryKind::Anonymous,
        b"[heap]" => MemoryKind::Heap,
        b"[stack]" => MemoryKind::Stack,
        _ if name.starts_with(b"[anon:") => MemoryKind::Anonymous,
        _ if shared.iter().any(|start| name.starts_with(start)) => MemoryKind::Shared,
        // What the kernel maps, such as `[vdso]`, is one file for all.
        _ => MemoryKind::File,
    }
}

/// What is known of page frames.
struct Frames {
    /// The frame of the zero page, as far as it is known.
    zero: Option<u64>,
    /// What the kernel says of each frame.
    flags: Option<File>,
    /// Pages of a huge page.
    huge: u64,
}

impl Frames {
    fn open() -> Frames {
        let size = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
        let size = size.ok().and_then(|size| size.trim().parse().ok());
        let mut frames = Frames {
            zero: None,
            flags: File::open("/proc/kpageflags").ok(),
            huge: size.unwrap_or(2 << 20) / sys::page_size() as u64,
        };
        frames.zero = untouched_frame().filter(|frame| frames.flags(*frame) & FLAG_ZERO != 0);
        frames
    }

    /// The kernel's flags of a frame; none if they can't be read.
    fn flags(&self, frame: u64) -> u64 {
        let mut word = [0; 8];
        match &self.flags {
            Some(file) if file.read_exact_at(&mut word, 8 * frame).is_ok() => {
                u64::from_ne_bytes(word)
            }
            _ => 0,
        }
    }

    /// Adds what is resident of pages from `first` on, a word of `pagemap` each, in a mapping of this kind.
    fn classify(&self, first: u64, words: &[u64], kind: MemoryKind, mapping: &mut Mapping) {
        let Mapping {
            resident, zeros, ..
        } = mapping;
        let mut at = 0;
        while at < words.len() {
            let page = first + at as u64;
            let left = (self.huge - page % self.huge) as usize;
            let group = &words[at..words.len().min(at + left)];
            let flags = match group {
                [word, ..] if group.len() as u64 == self.huge && self.is_one_piece(group) => {
                    self.flags(word & FRAME)
                }
                _ => 0,
            };
            for (index, word) in group.iter().enumerate() {
                let is_zero = flags & FLAG_ZERO != 0 || Some(word & FRAME) == self.zero;
                let page = page + index as u64;
                if word & PRESENT == 0 {
                    continue;
                }
                if is_zero {
                    match zeros.last_mut() {
                        Some(run) if run.end == page => run.end += 1,
                        _ => zeros.push(page..page + 1),
                    }
                    continue;
                }
                let kind = match word & FILE_OR_SHARED {
                    0 if kind == MemoryKind::File => MemoryKind::Copied,
                    // A heap or a stack is better known by what it is.
                    0 if kind == MemoryKind::Anonymous && flags & FLAG_HUGE != 0 => {
                        MemoryKind::Huge
                    }
                    _ => kind,
                };
                let shared = word & (FILE_OR_SHARED | EXCLUSIVE) == 0;
                match resident.last_mut() {
                    Some(run)
                        if run.pages.end == page && (run.kind, run.shared) == (kind, shared) =>
                    {
                        run.pages.end += 1;
                    }
                    _ => resident.push(Run {
                        pages: page..page + 1,
                        kind,
                        shared,
                    }),
                }
            }
            at += group.len();
        }
    }

    /// Whether pages have frames in a row, from one that a huge page may begin with.
    fn is_one_piece(&self, words: &[u64]) -> bool {
        let first = words.first().copied().unwrap_or(0);
        let frame = first & FRAME;
        let mut rest = words.iter().enumerate();
        first & PRESENT != 0
            && frame != 0
            && frame.is_multiple_of(self.huge)
            && rest.all(|(index, word)| word & PRESENT != 0 && word & FRAME == frame + index as u64)
    }
}

/// The frame of memory that was read and never written. Less than a huge page, which would show the huge zero page.
fn untouched_frame() -> Option<u64> {
    let page = sys::page_size();
    let memory = vec![0_u8; 64 * page];
    let address = memory.as_ptr() as usize + 32 * page;
    let read = std::hint::black_box(&memory)[32 * page];
    let mut word = [0; 8];
    let pagemap = File::open("/proc/self/pagemap").ok()?;
    pagemap
        .read_exact_at(&mut word, 8 * (address / page) as u64)
        .ok()?;
    let frame = u64::from_ne_bytes(word) & FRAME;
    (read == 0 && frame != 0).then_some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaps_is_read() {
        let text = b"\
5583a000-5583b000 rw-p 00000000 00:00 0                                  [heap]
Size:                  4 kB
Rss:                   4 kB
VmFlags: rd wr mr
7f00-ff000000 r--p 00001000 fd:0a 1234                    /opt/a b.so (deleted)
Rss:                   0 kB
7f100000-7f102000 rw-p 00000000 00:00 0 \n\
Rss:                   8 kB
";
        let mappings = listed(&text[..], 4096).unwrap();
        let found: Vec<_> = mappings
            .iter()
            .map(|mapping| (mapping.pages.clone(), &*mapping.name))
            .collect();
        let expected: [(_, &[u8]); 2] = [(0x5583a..0x5583b, b"[heap]"), (0x7f100..0x7f102, b"")];
        assert_eq!(found, expected);
        let file = header(
            b"7f000-80000 r--p 00001000 fd:0a 1234        /opt/a b.so (deleted)\n",
            4096,
        );
        assert_eq!(&*file.unwrap().name, b"/opt/a b.so");
    }

    fn by_kind(resident: Vec<Run>) -> Vec<(Range<u64>, MemoryKind)> {
        let runs = resident.into_iter();
        runs.map(|run| (run.pages, run.kind)).collect()
    }

    #[test]
    fn what_a_fork_shares_is_told_apart() {
        let frames = Frames {
            zero: None,
            flags: None,
            huge: 512,
        };
        let words = [
            PRESENT | 5,
            PRESENT | EXCLUSIVE | 6,
            PRESENT | 7 | FILE_OR_SHARED,
        ];
        let mut mapping = Mapping::default();
        frames.classify(0, &words, MemoryKind::Heap, &mut mapping);
        let resident = &mapping.resident;
        let shared: Vec<_> = resident
            .iter()
            .map(|run| (run.pages.clone(), run.shared))
            .collect();
        assert_eq!(shared, [(0..1, true), (1..3, false)]);
    }

    #[test]
    fn pages_are_told_apart_by_their_words() {
        let frames = Frames {
            zero: Some(9),
            flags: None,
            huge: 512,
        };
        let words = [
            PRESENT | EXCLUSIVE | 5,
            PRESENT | 6 | FILE_OR_SHARED,
            0,
            PRESENT | 9,
            PRESENT | 7 | FILE_OR_SHARED,
        ];
        let found = |kind| {
            let mut mapping = Mapping::default();
            frames.classify(100, &words, kind, &mut mapping);
            assert_eq!((mapping.zeros.len(), &mapping.zeros[0]), (1, &(103..104)));
            by_kind(mapping.resident)
        };
        use MemoryKind::{Copied, File, Shared};
        assert_eq!(
            found(File),
            [(100..101, Copied), (101..102, File), (104..105, File)]
        );
        assert_eq!(found(Shared), [(100..102, Shared), (104..105, Shared)]);
    }

    #[test]
    fn huge_pages_are_told_by_their_frames() {
        const FIRST: u64 = 512;
        let found = |flags: u64, kind, words: &[u64]| {
            let file = File::from(sys::process::memory_file(c"flags").unwrap());
            file.write_all_at(&flags.to_ne_bytes(), 8 * FIRST).unwrap();
            let frames = Frames {
                zero: None,
                flags: Some(file),
                huge: 512,
            };
            let mut mapping = Mapping::default();
            frames.classify(1024, words, kind, &mut mapping);
            by_kind(mapping.resident)
        };
        use MemoryKind::{Anonymous, Heap, Huge};
        let whole: Vec<u64> = (FIRST..2 * FIRST).map(|frame| PRESENT | frame).collect();
        assert_eq!(found(FLAG_HUGE, Anonymous, &whole), [(1024..1536, Huge)]);
        assert_eq!(found(FLAG_HUGE, Heap, &whole), [(1024..1536, Heap)]);
        assert_eq!(found(FLAG_ZERO, Anonymous, &whole), []);
        assert_eq!(found(0, Anonymous, &whole), [(1024..1536, Anonymous)]);
        // Frames that are not in a row are no huge page, whatever is said of the first.
        let mut mixed = whole.clone();
        mixed.swap(5, 6);
        assert_eq!(
            found(FLAG_HUGE, Anonymous, &mixed),
            [(1024..1536, Anonymous)]
        );
    }

    /// The sum is the kernel's own, but for what the other tests of this process touch meanwhile.
    #[test]
    fn the_sum_is_that_of_the_kernel() {
        let memory = vec![1_u8; 64 << 20];
        let own = std::process::id();
        let sum = read(own).unwrap().pages() * sys::page_size() as u64;
        let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("Rss:"))
            .unwrap();
        let kernels: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
        assert!(sum.abs_diff(kernels << 10) < 8 << 20, "{sum} {kernels} KiB");
        assert_eq!(std::hint::black_box(&memory)[5], 1);
    }
}
