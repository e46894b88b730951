//! All that a section of frames says of functions: where each lies in the file, and its rows.
//!
//! Entries are found by their lengths, so that one that is damaged or of an unknown kind does not hide those behind it. What
//! functions have in common is read once, and only where an entry begins. So each byte of a section is read a fixed number of
//! times.

use super::Reader;
use super::invalid;
use super::machine::{Common, Function, Machine};
use super::row::{Row, Rule};
use crate::bytes::unsigned;
use gimli::{BaseAddresses, DebugFrame, EhFrame, UnwindOffset, UnwindSection};
use pfscript_compiler::facts::Segment;
use std::collections::HashMap;
use std::io;

/// Entries of what functions have in common: linkers leave a few dozen, or one for each object file in `.debug_frame`. What refers to
/// others is unknown. Each takes some 200 bytes here, and as little as 12 in the file.
const MAX_COMMONS: usize = 1 << 16;

/// A function's part of the file, and its rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// Offsets in the file.
    pub start: u64,
    pub end: u64,
    /// Where its rows begin in [`Functions::rows`].
    first: u32,
    count: u32,
}

/// Takes rows: the offset in the function at which a rule begins, and the rule as a word.
pub(super) type Rows<'a> = &'a mut dyn FnMut(u64, u64);

/// Functions and their rows.
#[derive(Default)]
pub(super) struct Functions {
    pub ranges: Vec<Range>,
    /// For each function, one behind the other: the offset in the function at which a rule begins, and the rule as a word.
    rows: Vec<(u32, u64)>,
}

impl Functions {
    /// The rows of a function: the offset in it at which a rule begins, and the rule.
    pub fn rows(&self, range: &Range) -> &[(u32, u64)] {
        &self.rows[range.first as usize..][..range.count as usize]
    }

    /// Adds what a section says.
    ///
    /// # Errors
    /// If it says too much.
    pub fn add<'a, S: Frames<'a>>(
        &mut self,
        machine: Machine,
        section: &S,
        entries: Entries<'a>,
        bases: &BaseAddresses,
        code: &[Segment],
    ) -> io::Result<()> {
        let mut commons = HashMap::new();
        let common_entries = entries.clone().filter(|entry| entry.common);
        for entry in common_entries.take(MAX_COMMONS) {
            if let Ok(common) = section.cie_from_offset(bases, entry.offset.into()) {
                let common = Common::new(machine, section, bases, common);
                commons.insert(entry.offset, common);
            }
        }
        for entry in entries.filter(|entry| !entry.common) {
            let Ok(partial) = section.partial_fde_from_offset(bases, entry.offset.into()) else {
                continue;
            };
            let Some(common) = commons.get(&UnwindOffset::into(partial.cie_offset())) else {
                continue;
            };
            let Ok(parsed) = partial.parse(|_, _, _| Ok(common.entry.clone())) else {
                continue;
            };
            let function = Function {
                start: parsed.initial_address(),
                size: parsed.len(),
            };
            let Some(start) = in_file(code, function) else {
                continue;
            };
            self.add_rows(start, function.size, |tell| {
                common.rows(section, function, parsed.instructions(section, bases), tell);
            })?;
        }
        Ok(())
    }

    /// Adds a function and the rows that `run` tells.
    ///
    /// # Errors
    /// If it says too much.
    pub fn add_rows(
        &mut self,
        start: u64,
        size: u64,
        run: impl FnOnce(Rows<'_>),
    ) -> io::Result<()> {
        let first = self.rows.len();
        let rows = &mut self.rows;
        run(&mut |at, rule| {
            // What says the same as the row before is no row.
            let same = rows[first..].last().is_some_and(|last| last.1 == rule);
            if !same && rows.len() <= super::builder::MAX_ROWS {
                // Functions are shorter than 4 GiB.
                rows.push((at as u32, rule));
            }
        });
        if rows.len() > super::builder::MAX_ROWS {
            return Err(invalid("too much is said about how to unwind its frames"));
        }
        self.ranges.push(Range {
            start,
            end: start + size,
            first: first as u32,
            count: (rows.len() - first) as u32,
        });
        Ok(())
    }

    /// Brings functions into the order of the file. Where some overlap, the one that begins last holds, and of those that begin
    /// together the first: as in the index by which programs find them when they run.
    pub fn sort(&mut self) {
        self.ranges.sort_by_key(|range| range.start);
        self.ranges.dedup_by_key(|range| range.start);
        let mut next = u64::MAX;
        for range in self.ranges.iter_mut().rev() {
            range.end = range.end.min(next);
            next = range.start;
        }
    }

    /// Takes the code at the address where the system begins to run the file for what was called by none, if nothing is said of it:
    /// the dynamic linker's, and what is written in assembly. It goes on to the next function, or to the end of its part of the file.
    pub fn begin_at(&mut self, entry: u64, code: &[Segment]) {
        // A library is not run, though its code may be loaded with its header, at 0.
        if entry == 0 {
            return;
        }
        let Some((segment, start)) = code
            .iter()
            .find_map(|segment| Some((segment, segment.file_offset(entry)?)))
        else {
            return;
        };
        let next = self.ranges.partition_point(|range| range.end <= start);
        let next = self.ranges.get(next).map(|range| range.start);
        let Some(last) = segment.offset.checked_add(segment.size) else {
            return;
        };
        let end = next.unwrap_or(last).min(last);
        if start < end {
            let first = self.rows.len() as u32;
            self.rows.push((0, Row::bare(Rule::Outermost).encode()));
            self.ranges.push(Range {
                start,
                end,
                first,
                count: 1,
            });
            self.ranges.sort_by_key(|range| range.start);
        }
    }

    /// The parts of the file from one offset up to another that none of these functions, in order, is in.
    pub fn gaps(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let first = self.ranges.partition_point(|range| range.end <= start);
        let within = self.ranges[first..].iter();
        let within = within.take_while(|range| range.start < end);
        let (mut gaps, mut at) = (Vec::new(), start);
        for range in within {
            if at < range.start {
                gaps.push((at, range.start));
            }
            at = range.end;
        }
        if at < end {
            gaps.push((at, end));
        }
        gaps
    }

    /// Adds code at an offset in the file, with its rows.
    pub fn push(&mut self, start: u64, size: u32, rows: Vec<(u32, u64)>) {
        let first = self.rows.len() as u32;
        let count = rows.len() as u32;
        self.rows.extend(rows);
        if let Some(end) = start.checked_add(size.into()) {
            self.ranges.push(Range {
                start,
                end,
                first,
                count,
            });
        }
    }

    /// Adds those functions of others, in order, of which these say nothing.
    pub fn fill(&mut self, others: Functions) {
        let before = self.rows.len() as u32;
        let known = self.ranges.len();
        self.rows.extend(others.rows);
        for range in others.ranges {
            let next = self.ranges[..known].partition_point(|known| known.end <= range.start);
            if next == known || self.ranges[next].start >= range.end {
                self.ranges.push(Range {
                    first: before + range.first,
                    ..range
                });
            }
        }
        self.ranges.sort_by_key(|range| range.start);
    }
}

/// The offset in the file at which a function lies; `None` if it is empty, or is not all in one part of the file that is code.
pub(super) fn in_file(code: &[Segment], function: Function) -> Option<u64> {
    let end = function.start.checked_add(function.size)?;
    if function.size == 0 || function.size > u32::MAX.into() {
        return None;
    }
    code.iter().find_map(|segment| {
        let last = segment.address.checked_add(segment.size)?;
        let start = function.start.checked_sub(segment.address)?;
        let start = start.checked_add(segment.offset)?;
        // Later sums are within this one.
        start.checked_add(function.size)?;
        (end <= last).then_some(start)
    })
}

/// A section of frames, of either kind.
pub(super) trait Frames<'a>: UnwindSection<Reader<'a>, Offset: UnwindOffset<usize>> {}

impl<'a> Frames<'a> for EhFrame<Reader<'a>> {}
impl<'a> Frames<'a> for DebugFrame<Reader<'a>> {}

/// An entry of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    offset: usize,
    /// Whether it is what functions have in common (a CIE), not a function (an FDE).
    common: bool,
}

/// The entries of a section, by their lengths.
#[derive(Clone)]
pub(super) struct Entries<'a> {
    bytes: &'a [u8],
    offset: usize,
    /// Whether an entry without length ends them.
    terminated: bool,
    /// Whether it is `.debug_frame`, where other numbers mark what is common.
    debug: bool,
}

impl<'a> Entries<'a> {
    /// Entries of `.eh_frame`.
    pub fn of_eh_frame(bytes: &'a [u8], terminated: bool) -> Entries<'a> {
        Entries {
            bytes,
            offset: 0,
            terminated,
            debug: false,
        }
    }

    /// Entries of `.debug_frame`.
    pub fn of_debug_frame(bytes: &'a [u8]) -> Entries<'a> {
        Entries {
            bytes,
            offset: 0,
            terminated: false,
            debug: true,
        }
    }

    fn number(&self, at: usize, size: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(size)?)?;
        Some(unsigned(bytes))
    }
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        const WIDE: u64 = u32::MAX as u64;
        loop {
            let offset = self.offset;
            let short = self.number(offset, 4)?;
            if short == 0 && !self.terminated {
                self.offset += 4;
                continue;
            }
            if short == 0 {
                return None;
            }
            let (body, length) = match short {
                WIDE => (offset + 12, self.number(offset + 4, 8)?),
                short => (offset + 4, short),
            };
            let end = body.checked_add(usize::try_from(length).ok()?)?;
            if end > self.bytes.len() {
                return None;
            }
            self.offset = end;
            let wide = self.debug && short == WIDE;
            let Some(id) = self.number(body, if wide { 8 } else { 4 }) else {
                continue;
            };
            let common = match (self.debug, wide) {
                (false, _) => 0,
                (true, false) => WIDE,
                (true, true) => u64::MAX,
            };
            return Some(Entry {
                offset,
                common: id == common,
            });
        }
    }
}
