//! The stream of address-space changes: a dummy perf event on every CPU whose records tell of executed programs, forks,
//! ends of processes and executable mappings.
//!
//! In come the kernel's bytes, out go changes in the order of time, and how many were lost. Nothing is kept here.

use crate::bytes::{slice, string, unsigned};
use crate::error::{Error, ErrorKind};
use crate::refusal::no_permission;
use crate::sys::{self, perf};
use aya_obj::generated::{
    perf_event_attr, perf_event_sample_format, perf_event_type, perf_sw_ids, perf_type_id,
};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// One change. Times are `CLOCK_MONOTONIC` in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub time: u64,
    /// What.
    pub change: Change,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An executable mapping was made.
    Mapped(RawMapping),
    /// The process began to execute another program: all its mappings are gone.
    Executed {
        /// The process.
        tgid: u32,
    },
    /// A process was made, with its parent's mappings.
    Forked {
        /// The new process.
        child: u32,
        /// The one that it is a copy of.
        parent: u32,
    },
    /// The process ended.
    Ended {
        /// The process.
        tgid: u32,
    },
}

/// An executable mapping as the kernel reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawMapping {
    /// The process.
    pub tgid: u32,
    /// First address.
    pub start: u64,
    /// First address behind it.
    pub end: u64,
    /// Where in the file it begins, in bytes.
    pub offset: u64,
    /// The file.
    pub file: RawFile,
}

/// The identity of a mapped file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RawFile {
    /// Major and minor number of its device.
    pub device: (u32, u32),
    /// Its inode number; 0 for what is no file.
    pub inode: u64,
    /// Its path as the process sees it, or `[vdso]`, `//anon` and the like.
    pub path: Vec<u8>,
}

/// The open events.
#[derive(Debug)]
pub struct Stream {
    // The buffers are unmapped before their events are closed.
    cpus: Vec<(perf::Records, OwnedFd)>,
    pending: Vec<Record>,
    lost: u64,
    read_at: u64,
}

impl Stream {
    /// Opens the events and starts them.
    ///
    /// # Errors
    /// [`ErrorKind::Permission`] or [`ErrorKind::Kernel`].
    pub fn open() -> Result<Stream, Error> {
        let attr = attributes();
        let mut cpus = Vec::new();
        for cpu in sys::online_cpus().map_err(|error| failed(&error))? {
            let event = perf::open(&attr, -1, cpu as i32).map_err(|error| failed(&error))?;
            let records = map_buffer(event.as_fd()).map_err(|error| failed(&error))?;
            cpus.push((records, event));
        }
        Ok(Stream {
            cpus,
            pending: Vec::new(),
            lost: 0,
            read_at: 0,
        })
    }

    /// Descriptors that become readable when a buffer fills.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.cpus.iter().map(|(_, event)| event.as_fd())
    }

    /// How many records did not fit into the buffers.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Up to when all that happened was read, `CLOCK_MONOTONIC` in nanoseconds.
    pub fn read_at(&self) -> u64 {
        self.read_at
    }

    /// The records since the last call, by rising time.
    pub fn read(&mut self) -> Vec<Record> {
        if self.pending.is_empty() && self.cpus.iter().all(|(records, _)| records.is_empty()) {
            return Vec::new();
        }
        // While one CPU's buffer is read, others go on. What is newer than this moment waits for the next call, so that
        // the order holds across calls, too.
        let now = sys::clock_ns(libc::CLOCK_MONOTONIC);
        self.read_at = now;
        for (records, _) in &mut self.cpus {
            records.drain(|kind, misc, bytes| match parse(kind, misc, bytes) {
                Parsed::Record(record) => self.pending.push(record),
                Parsed::Lost(count) => self.lost += count,
                Parsed::Other => {}
            });
        }
        // Stable, so that records of one CPU and one moment keep their order.
        self.pending.sort_by_key(|record| record.time);
        let ready = self.pending.partition_point(|record| record.time <= now);
        self.pending.drain(..ready).collect()
    }
}

fn attributes() -> perf_event_attr {
    let mut attr = perf::attributes();
    attr.type_ = perf_type_id::PERF_TYPE_SOFTWARE as u32;
    attr.config = perf_sw_ids::PERF_COUNT_SW_DUMMY as u64;
    attr.sample_type = perf_event_sample_format::PERF_SAMPLE_TID as u64
        | perf_event_sample_format::PERF_SAMPLE_TIME as u64;
    attr.set_sample_id_all(1);
    attr.set_mmap(1);
    attr.set_mmap2(1);
    attr.set_comm(1);
    attr.set_comm_exec(1);
    attr.set_task(1);
    attr.set_use_clockid(1);
    attr.clockid = libc::CLOCK_MONOTONIC;
    // Every record wakes us: a file can be opened for certain only while the process that mapped it runs.
    attr.set_watermark(1);
    attr.__bindgen_anon_2.wakeup_watermark = 1;
    attr
}

const BUFFER_PAGES: usize = 128;

/// The largest buffer that the limit on locked memory leaves room for.
fn map_buffer(event: BorrowedFd<'_>) -> io::Result<perf::Records> {
    let mut pages = BUFFER_PAGES;
    loop {
        match perf::Records::map(event, pages) {
            Err(error) if pages > 4 && error.raw_os_error() == Some(libc::EPERM) => pages /= 2,
            result => return result,
        }
    }
}

fn failed(error: &io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => no_permission("record memory mappings", "CAP_PERFMON"),
        _ => Error::new(
            ErrorKind::Kernel,
            format!("can't record memory mappings, which are needed to name user stacks: {error}"),
        ),
    }
}

/// In `misc`: the name changed since the process executes another program.
const PERF_RECORD_MISC_COMM_EXEC: u16 = 1 << 13;

enum Parsed {
    Record(Record),
    Lost(u64),
    Other,
}

/// Reads a record. `bytes` are those after the header; with `sample_id_all` they end in pid, tid and time.
fn parse(kind: u32, misc: u16, bytes: &[u8]) -> Parsed {
    const TRAILER: usize = 16;
    let word32 = |offset| unsigned(slice(bytes, offset, 4)) as u32;
    let word64 = |offset| unsigned(slice(bytes, offset, 8));
    let Some(body) = bytes.len().checked_sub(TRAILER) else {
        return Parsed::Other;
    };
    let time = unsigned(&bytes[body + 8..]);
    let change = if kind == perf_event_type::PERF_RECORD_MMAP2 as u32 {
        const NAME: usize = 64;
        Change::Mapped(RawMapping {
            tgid: word32(0),
            start: word64(8),
            end: word64(8).saturating_add(word64(16)),
            offset: word64(24),
            file: RawFile {
                device: (word32(32), word32(36)),
                inode: word64(40),
                path: string(bytes.get(NAME..body).unwrap_or_default()).to_vec(),
            },
        })
    } else if kind == perf_event_type::PERF_RECORD_COMM as u32
        && misc & PERF_RECORD_MISC_COMM_EXEC != 0
    {
        Change::Executed { tgid: word32(0) }
    } else if kind == perf_event_type::PERF_RECORD_FORK as u32 && word32(0) != word32(4) {
        // With equal ids it is a thread, which has its process's mappings.
        Change::Forked {
            child: word32(0),
            parent: word32(4),
        }
    } else if kind == perf_event_type::PERF_RECORD_EXIT as u32 && word32(0) == word32(8) {
        Change::Ended { tgid: word32(0) }
    } else if kind == perf_event_type::PERF_RECORD_LOST as u32 {
        return Parsed::Lost(word64(8));
    } else {
        return Parsed::Other;
    };
    Parsed::Record(Record { time, change })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    fn u32s(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn u64s(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn change(kind: perf_event_type, misc: u16, record: &[u8]) -> Option<Change> {
        match parse(kind as u32, misc, record) {
            Parsed::Record(record) => {
                assert_eq!(record.time, 77);
                Some(record.change)
            }
            _ => None,
        }
    }

    #[test]
    fn mappings_are_read() {
        let record = bytes(&[
            &u32s(&[5, 6]),
            &u64s(&[0x1000, 0x2000, 0x3000]),
            &u32s(&[8, 1]),
            &u64s(&[99, 0]),
            &u32s(&[5, 2]),
            b"/bin/x\0\0",
            &u32s(&[5, 6]),
            &u64s(&[77]),
        ]);
        let expected = Change::Mapped(RawMapping {
            tgid: 5,
            start: 0x1000,
            end: 0x3000,
            offset: 0x3000,
            file: RawFile {
                device: (8, 1),
                inode: 99,
                path: b"/bin/x".to_vec(),
            },
        });
        assert_eq!(
            change(perf_event_type::PERF_RECORD_MMAP2, 0, &record),
            Some(expected)
        );
    }

    #[test]
    fn processes_come_and_go_and_threads_are_passed_over() {
        let task = |ids: [u32; 4]| bytes(&[&u32s(&ids), &u64s(&[1]), &u32s(&[0, 0]), &u64s(&[77])]);
        let fork = perf_event_type::PERF_RECORD_FORK;
        let exit = perf_event_type::PERF_RECORD_EXIT;
        assert_eq!(
            change(fork, 0, &task([9, 5, 9, 5])),
            Some(Change::Forked {
                child: 9,
                parent: 5
            })
        );
        assert_eq!(change(fork, 0, &task([5, 5, 10, 5])), None);
        assert_eq!(
            change(exit, 0, &task([9, 5, 9, 5])),
            Some(Change::Ended { tgid: 9 })
        );
        assert_eq!(change(exit, 0, &task([5, 5, 10, 5])), None);
    }

    #[test]
    fn a_new_name_is_an_exec_only_if_it_says_so() {
        let record = bytes(&[
            &u32s(&[5, 5]),
            b"true\0\0\0\0",
            &u32s(&[5, 5]),
            &u64s(&[77]),
        ]);
        let comm = perf_event_type::PERF_RECORD_COMM;
        assert_eq!(
            change(comm, 1 << 13, &record),
            Some(Change::Executed { tgid: 5 })
        );
        assert_eq!(change(comm, 0, &record), None);
    }

    #[test]
    fn losses_are_counted_and_nonsense_is_passed_over() {
        let record = bytes(&[&u64s(&[1, 12]), &u32s(&[0, 0]), &u64s(&[77])]);
        assert!(matches!(
            parse(perf_event_type::PERF_RECORD_LOST as u32, 0, &record),
            Parsed::Lost(12)
        ));
        assert!(matches!(
            parse(perf_event_type::PERF_RECORD_MMAP2 as u32, 0, b"short"),
            Parsed::Other
        ));
        let cut = u64s(&[0, 77]);
        assert!(change(perf_event_type::PERF_RECORD_MMAP2, 0, &cut).is_some());
    }
}
