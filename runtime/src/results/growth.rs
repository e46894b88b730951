//! By what a process's resident memory has grown.

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
    /// What memory they are.
    pub kind: MemoryKind,
    /// What is mapped there: the path of a file, `[heap]` and the like; `None` for memory without a name.
    pub file: Option<Box<[u8]>>,
    /// Who is charged for them; `None` if nothing tells.
    pub by: Option<Value>,
}

/// How the resident memory of a process has changed.
///
/// `after - before` is the sum of all parts, less `gone`.
#[derive(Clone, Debug, PartialEq)]
pub struct Growth {
    /// The process.
    pub process: u32,
    /// Its name when it was looked at last: at most 15 bytes; empty if it had gone.
    pub comm: Vec<u8>,
    /// How long it was looked at.
    pub time: Duration,
    /// Bytes that were resident in the beginning; 0 of a command, whose memory begins with it.
    pub before: u64,
    /// Bytes that were resident in the end.
    pub after: u64,
    /// Bytes of `before` that are not resident any more.
    pub gone: u64,
    /// Bytes that were charged to somebody and given back before the end, page by page as they were touched.
    pub returned: u64,
    /// The same by who was charged, the largest first.
    pub returned_by: Vec<(u64, Value)>,
    /// Bytes that other processes touched, such as children of a command, a page for each fault: they are in no other number here.
    pub others: u64,
    /// What has become resident, the largest parts first.
    pub parts: Vec<GrowthPart>,
    /// Why nobody could see what was resident in the end: `after` and the parts are what faults alone tell then.
    pub unseen: Option<String>,
}
