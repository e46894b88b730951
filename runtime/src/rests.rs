//! Stacks that programs began to walk and left, since they came to code whose table was not there yet: the rest is walked here, once
//! it is.
//!
//! In come registers and copies of stacks ([`REST`]), out go the frames behind those that the program found, by the stack's id. A copy
//! waits until the tables of all files are there that it passes through; those that nobody else asks for are asked for here. What
//! cannot be finished is counted by its cause, as often as programs captured it.

use crate::bytes::unsigned;
use crate::error::Error;
use crate::load::Loaded;
use crate::processes::{Kind, Processes};
use crate::raw_table::each_entry;
use crate::ring::LateRing;
use crate::sys;
use crate::unwind::walk::{End, Registers, Walker};
use crate::unwind::{Row, Rule};
use crate::unwind_maps::Identity;
use crate::unwind_tables::UnwindTables;
use pfscript_probes::abi::{
    LossCause, REST, REST_COUNT, STACK_DEFAULT_DEPTH, STACK_INTERRUPTED, map,
};
use pfscript_probes::maps::{MAX_RESTS, MAX_UNWIND_TABLES};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt as _;

/// Bytes of the copies that wait.
const MAX_BYTES: usize = 64 << 20;

/// How frames are linked where nothing else is known.
const BY_FRAME_POINTER: Row = Row {
    rule: Rule::FromFp,
    number: 2,
    fp: -2,
    ra: -1,
    bx: 0,
};

/// Pages of a copy.
const PAGE: u64 = 4096;

/// The stacks that were left, and the tables to walk them by.
pub struct Rests {
    /// The tables.
    pub tables: UnwindTables,
    inbox: Inbox,
    /// Files whose tables were asked for here and are not there yet.
    asked: HashSet<Identity>,
    /// [`UnwindTables::changes`], when the copies that wait were looked at.
    changes: u64,
    /// How many there may be before those are given up that nothing asks for any more.
    room: usize,
}

/// What comes in, and what became of it.
struct Inbox {
    ring: LateRing,
    waiting: Vec<Rest>,
    /// How many of them are new.
    new: usize,
    /// Of their copies.
    bytes: usize,
    /// By the stack's id; `None` for what waits.
    walked: HashMap<u64, Option<Walked>>,
}

/// A stack that waits for tables.
struct Rest {
    id: u64,
    tgid: u32,
    time: u64,
    registers: Registers,
    walker: Walker,
    interrupted: bool,
    /// Frames that are wanted, from that of the registers on.
    most: usize,
    /// Nobody asked for so many.
    default_depth: bool,
    /// A bit for each page of the copy that could be read.
    pages: u64,
    /// The stack, from the stack pointer on.
    copy: Box<[u8]>,
}

/// What a stack came to.
struct Walked {
    /// The frames behind those that the program found, as words of a stack.
    frames: Box<[u64]>,
    /// What is missing.
    cause: Option<LossCause>,
    time: u64,
}

impl Rests {
    /// Those of an object that has these tables; `None` if it leaves none.
    ///
    /// # Errors
    /// The kernel's.
    pub fn begin(tables: UnwindTables, loaded: &Loaded) -> Result<Option<Rests>, Error> {
        let Some(ring) = loaded.map(map::RESTS) else {
            return Ok(None);
        };
        Ok(Some(Rests {
            tables,
            inbox: Inbox {
                ring: LateRing::new(ring.fd())?,
                waiting: Vec::new(),
                new: 0,
                bytes: 0,
                walked: HashMap::new(),
            },
            asked: HashSet::new(),
            changes: 0,
            room: MAX_RESTS as usize / 2,
        }))
    }

    /// A descriptor that becomes readable when a stack is left; `None` if these cannot be read.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inbox.ring.fd()
    }

    /// Whether none was left so far.
    pub fn is_empty(&self) -> bool {
        self.inbox.walked.is_empty()
    }

    /// Walks what was left and can be walked by now.
    pub fn settle(&mut self, processes: &mut Processes) {
        self.inbox.take_in();
        let changes = self.tables.changes();
        if self.inbox.new == 0 && changes == self.changes {
            return;
        }
        self.changes = changes;
        self.walk_waiting(processes, false);
    }

    /// The frames of a stack behind those that the program found, as words of a stack. Waits for tables, if need be.
    pub fn of(&mut self, id: u64, processes: &mut Processes) -> &[u64] {
        self.settle(processes);
        if !matches!(self.inbox.walked.get(&id), Some(Some(_))) {
            self.settle_all(processes);
        }
        match self.inbox.walked.get(&id) {
            Some(Some(walked)) => &walked.frames,
            _ => &[],
        }
    }

    /// Walks all that was left, and waits for tables.
    pub fn settle_all(&mut self, processes: &mut Processes) {
        self.settle(processes);
        // Each turn brings the tables of files that the walk came to in the turn before.
        for _ in 0..MAX_UNWIND_TABLES {
            if self.inbox.waiting.is_empty() {
                return;
            }
            let before = self.tables.changes();
            let inbox = &mut self.inbox;
            self.tables.wait(|| {
                processes.drain();
                inbox.take_in();
            });
            self.settle(processes);
            if self.asked.is_empty() && self.tables.changes() == before {
                break;
            }
        }
        self.walk_waiting(processes, true);
    }

    /// Walks what waits. What waits for the `last` time ends where a table is missing.
    fn walk_waiting(&mut self, processes: &mut Processes, last: bool) {
        self.inbox.new = 0;
        for rest in std::mem::take(&mut self.inbox.waiting) {
            match self.walk(&rest, processes, last) {
                Some(walked) => {
                    self.inbox.bytes -= rest.copy.len();
                    self.inbox.walked.insert(rest.id, Some(walked));
                }
                None => self.inbox.waiting.push(rest),
            }
        }
    }

    /// Walks one; `None` if a table is not there yet.
    fn walk(&mut self, rest: &Rest, processes: &mut Processes, last: bool) -> Option<Walked> {
        let (mut waits, mut is_mapped, mut was_linked) = (false, false, false);
        let (tables, asked) = (&self.tables, &mut self.asked);
        let lookup = |address| {
            let place = processes.locate(rest.tgid, rest.time, address);
            is_mapped = place.is_some();
            let place = place?;
            let linked = std::mem::take(&mut was_linked);
            let file = processes.file(place.file);
            let identity = match file.kind {
                // What a runtime made may push addresses of its own choice, too.
                Kind::Anonymous => {
                    was_linked = true;
                    return Some(BY_FRAME_POINTER);
                }
                Kind::Vdso => Identity::default(),
                Kind::File => file.identity(),
            };
            if linked && file.kind == Kind::File {
                let file = processes.file_again(place.file);
                if file.is_some_and(|file| !ends_call(&file, place.offset)) {
                    is_mapped = false;
                    return None;
                }
            }
            if let Some(table) = tables.table(identity) {
                asked.remove(&identity);
                let row = table.map_or(Row::UNKNOWN, |table| table.lookup(place.offset));
                was_linked = row.rule == Rule::Unknown;
                return Some(if was_linked { BY_FRAME_POINTER } else { row });
            }
            waits = true;
            if !asked.contains(&identity)
                && let Some(file) = processes.file_again(place.file)
            {
                asked.insert(identity);
                tables.add_missing(identity, file);
            }
            None
        };
        let memory = |address| rest.word(address);
        let walker = rest.walker;
        let (mut frames, end) =
            walker.walk(rest.registers, rest.interrupted, rest.most, lookup, memory);
        if waits && !last {
            return None;
        }
        let began = frames.len() > 1 || is_mapped;
        if !is_mapped && frames.len() > 1 {
            frames.pop();
        }
        let cause = match end {
            End::Outermost => None,
            End::Deep => rest.default_depth.then_some(LossCause::StackTruncated),
            End::Unreadable => Some(LossCause::StackEarly),
            End::Unknown | End::NoProgress if waits || !began => Some(LossCause::StackEarly),
            End::Unknown | End::NoProgress => Some(LossCause::StackCut),
        };
        let interrupted = |interrupted| if interrupted { STACK_INTERRUPTED } else { 0 };
        Some(Walked {
            // The program has the first.
            frames: frames
                .iter()
                .skip(1)
                .map(|frame| frame.address | interrupted(frame.interrupted))
                .collect(),
            cause,
            time: rest.time,
        })
    }

    /// Forgets stacks that no table of stacks has any more, once there are many.
    ///
    /// # Errors
    /// The kernel's.
    pub fn tidy(&mut self, loaded: &Loaded) -> io::Result<()> {
        /// A program stores a stack after it left it.
        const STORED_NS: u64 = 1_000_000_000;
        if self.inbox.walked.len() < self.room {
            return Ok(());
        }
        let now = sys::clock_ns(libc::CLOCK_MONOTONIC);
        let counts = loaded.map(map::REST_COUNTS);
        let mut stack = Vec::new();
        self.inbox.walked.retain(|id, walked| {
            let Some(walked) = walked else {
                return true;
            };
            if now.saturating_sub(walked.time) < STORED_NS {
                return true;
            }
            let id = id.to_le_bytes();
            // What is whole need not be counted. The others are, at the end.
            if walked.cause.is_none()
                && let Some(counts) = counts
            {
                let _ = counts.delete(&id);
            }
            let mut tables = loaded.stacks();
            walked.cause.is_some()
                || tables.any(|table| {
                    stack.resize(table.value_size(), 0);
                    table.lookup(&id, &mut stack).unwrap_or(true)
                })
        });
        self.room = (2 * self.inbox.walked.len()).max(MAX_RESTS as usize / 2);
        Ok(())
    }

    /// How often stacks were left that could not be finished, by the index of the counter that counts such stacks of that probe.
    ///
    /// # Errors
    /// The kernel's.
    pub fn losses(&self, loaded: &Loaded) -> io::Result<BTreeMap<u32, u64>> {
        let mut losses = BTreeMap::new();
        let Some(counts) = loaded.map(map::REST_COUNTS) else {
            return Ok(losses);
        };
        each_entry(counts, |id, counted| {
            let number = |name| unsigned(REST_COUNT.extent(name).of(counted));
            let cause = match self.inbox.walked.get(&unsigned(id)) {
                Some(Some(walked)) => walked.cause,
                // The copy did not arrive.
                _ => Some(LossCause::StackEarly),
            };
            if let Some(cause) = cause {
                let index = number("loss") as u32 + cause as u32;
                *losses.entry(index).or_default() += number("count");
            }
        })?;
        Ok(losses)
    }
}

impl Inbox {
    /// Takes in what programs left.
    fn take_in(&mut self) {
        while let Some(record) = self.ring.next() {
            let rest = Rest::read(&record);
            if self.walked.contains_key(&rest.id) {
                continue;
            }
            if self.bytes + rest.copy.len() > MAX_BYTES {
                let walked = Walked {
                    frames: Box::default(),
                    cause: Some(LossCause::StackEarly),
                    time: rest.time,
                };
                self.walked.insert(rest.id, Some(walked));
                continue;
            }
            self.walked.insert(rest.id, None);
            self.bytes += rest.copy.len();
            self.waiting.push(rest);
            self.new += 1;
        }
    }
}

impl Rest {
    /// What a program sent.
    fn read(record: &[u8]) -> Rest {
        let number = |name| unsigned(REST.extent(name).of(record));
        let copy = record.get(REST.size() as usize..).unwrap_or_default();
        let length = (number("length") as usize).min(copy.len());
        let depth = number("depth") & !STACK_DEFAULT_DEPTH;
        Rest {
            id: number("id"),
            tgid: number("tgid") as u32,
            time: number("time"),
            registers: Registers {
                ip: number("ip"),
                sp: number("sp"),
                fp: number("fp"),
                lr: number("lr"),
                bx: number("bx"),
                scratch: [0; 5],
            },
            walker: Walker::here(number("address_bits")),
            interrupted: number("exact") != 0,
            most: depth.saturating_sub(number("frames")) as usize + 1,
            default_depth: number("depth") & STACK_DEFAULT_DEPTH != 0,
            pages: number("pages"),
            copy: copy[..length].into(),
        }
    }

    /// The word of the stack at an address, if it is in the copy.
    fn word(&self, address: u64) -> Option<u64> {
        let from = address.checked_sub(self.registers.sp)?;
        let begin = self.registers.sp % PAGE + from;
        let is_there = |at: u64| self.pages.checked_shr((at / PAGE) as u32).unwrap_or(0) & 1 == 1;
        let from = usize::try_from(from).ok()?;
        let word = self.copy.get(from..from.checked_add(8)?)?;
        (is_there(begin) && is_there(begin + 7)).then(|| unsigned(word))
    }
}

/// Whether a call ends with the byte at an offset in a file, as `follows_call` of `calls.h` has it. One that can't be read may be there.
fn ends_call(file: &File, offset: u64) -> bool {
    let mut before = [0; 8];
    let start = offset.saturating_sub(before.len() as u64 - 1);
    file.read_exact_at(&mut before, start).is_err() || is_call(before)
}

/// Whether bytes end with a call: of x86-64 `call rel32`, or by register or memory with its possible lengths; of arm64 `bl` or `blr`.
fn is_call(before: [u8; 8]) -> bool {
    let through_pointer = |pair: &[u8]| pair[0] == 0xff && pair[1] & 0x38 == 0x10;
    if cfg!(target_arch = "aarch64") {
        let last = unsigned(&before[4..]);
        return last & 0xfc00_0000 == 0x9400_0000 || last & 0xffff_fc1f == 0xd63f_0000;
    }
    before[3] == 0xe8 || before[1..].windows(2).any(through_pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn calls_are_told_by_their_bytes() {
        for call in [
            [0, 0, 0, 0xe8, 1, 2, 3, 4],       // call rel32
            [0, 0, 0, 0, 0, 0, 0xff, 0xd0],    // call *%rax
            [0, 0, 0, 0, 0, 0x41, 0xff, 0xd4], // call *%r12
            [0, 0, 0xff, 0x15, 1, 2, 3, 4],    // call *number(%rip)
            [0, 0xff, 0x94, 0x24, 1, 2, 3, 4], // call *number(%rsp)
        ] {
            assert!(is_call(call), "{call:x?}");
        }
        for other in [
            [0; 8],
            [0, 0, 0xe8, 1, 2, 3, 4, 5],
            [0, 0, 0, 0, 0, 0, 0xff, 0xe0], // jmp *%rax
            [0xff, 0x10, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(!is_call(other), "{other:x?}");
        }
    }

    #[test]
    fn words_are_read_where_the_copy_has_them() {
        let sp = 0x7000_0ff0;
        let rest = Rest {
            id: 1,
            tgid: 1,
            time: 1,
            registers: Registers {
                ip: 0,
                sp,
                fp: 0,
                lr: 0,
                bx: 0,
                scratch: [0; 5],
            },
            walker: Walker::X86_64,
            interrupted: true,
            most: 1,
            default_depth: true,
            pages: 0b101,
            copy: (0..0x1020).map(|at| (at / 8) as u8).collect(),
        };
        let word = |number: u64| Some(number * 0x0101_0101_0101_0101);
        assert_eq!(rest.word(sp), word(0));
        assert_eq!(rest.word(sp + 8), word(1));
        // Half of it, and all of it, in a page that is missing.
        assert_eq!(rest.word(sp + 12), None);
        assert_eq!(rest.word(sp + 16), None);
        assert_eq!(rest.word(sp + 16 + PAGE), word(2));
        assert_eq!(rest.word(sp + 0x1018), word(3));
        assert_eq!(rest.word(sp + 0x1019), None);
        assert_eq!(rest.word(sp - 8), None);
        assert_eq!(rest.word(u64::MAX), None);
    }
}
