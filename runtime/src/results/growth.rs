//! By what the resident memory of processes has grown.

use super::value::Value;
use std::time::Duration;

/// What memory is, as far as its pages show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MemoryKind {
    /// What `brk()` grows.
    Heap,
    /// The stack of the first thread.
    Stack,
    /// The stack of another thread.
    ThreadStack,
    /// Other memory that no file is behind.
    Anonymous,
    /// The same in huge pages.
    Huge,
    /// Pages of a file's private mapping that were written to.
    Copied,
    /// Pages of a file.
    File,
    /// Memory that processes share.
    Shared,
    /// What nobody could look at.
    Unknown,
}

impl MemoryKind {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            MemoryKind::Heap => "heap",
            MemoryKind::Stack => "stack",
            MemoryKind::ThreadStack => "thread stack",
            MemoryKind::Anonymous => "anon",
            MemoryKind::Huge => "huge",
            MemoryKind::Copied => "copied",
            MemoryKind::File => "file",
            MemoryKind::Shared => "shmem",
            MemoryKind::Unknown => "unknown",
        }
    }
}

/// Pages that are resident at the end and were not when tracing began.
#[derive(Clone, Debug, PartialEq)]
pub struct GrowthPart {
    /// Their bytes.
    pub bytes: u64,
    /// How many more they are than when it was printed before; `None` the first time.
    pub recent: Option<i64>,
    /// What memory they are.
    pub kind: MemoryKind,
    /// What is mapped there: the path of a file, `[heap]` and the like; `None` for memory without a name.
    pub file: Option<Box<[u8]>>,
    /// Who is charged for them; `None` if nothing tells.
    pub by: Option<Value>,
}

/// How the resident memory of processes has changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GrowthReport {
    /// Each process, those that have grown most first. Where there are more than five, those of one name are one.
    pub processes: Vec<Growth>,
    /// How long they were looked at.
    pub time: Duration,
    /// How long it is since it was printed before; `None` the first time.
    pub recent: Option<Duration>,
    /// Bytes that processes touched that are not followed, a page for each fault: they are in no other number.
    pub others: u64,
}

/// How the resident memory of a process has changed, or that of several of one name.
///
/// `after - before` is the sum of all parts, less `gone`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Growth {
    /// The process, the first of several.
    pub process: u32,
    /// How many there are.
    pub processes: u32,
    /// Its name when it was looked at last: at most 15 bytes; empty if nothing tells.
    pub comm: Vec<u8>,
    /// How long it was looked at.
    pub time: Duration,
    /// Bytes that were resident in the beginning: 0 of a command, whose memory begins with it. Of a child that has executed no program
    /// those that it still has from its parent, so that what it writes to is its growth.
    pub before: u64,
    /// Bytes that were resident in the end: of a process that exits just before that.
    pub after: u64,
    /// Bytes of `before` that are not resident any more.
    pub gone: u64,
    /// By how much more it has grown than when it was printed before; `None` the first time.
    pub recent: Option<i64>,
    /// Bytes that were charged to somebody and given back before the end, page by page as they were touched.
    pub returned: u64,
    /// The same by who was charged, the largest first.
    pub returned_by: Vec<(u64, Value)>,
    /// Bytes that were allocated and not freed, by who has allocated them, the largest first; empty where the script does not follow that.
    /// They need not be resident.
    pub allocated_by: Vec<(u64, Value)>,
    /// Of so many pages that stand alone, one was told apart, since there were too many: sizes are exact then, and whose they are is not.
    /// 1 if all were.
    pub sample: u64,
    /// What has become resident, the largest parts first.
    pub parts: Vec<GrowthPart>,
    /// Why nobody could see what was resident in the end, of one at least: `after` and the parts are what faults alone tell then.
    pub unseen: Option<String>,
}
