//! What is resident at a moment.

/// Bytes by kind of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryBytes {
    /// Memory that no file is behind.
    pub anonymous: u64,
    /// Pages of files.
    pub file: u64,
    /// Memory that processes share: tmpfs, memfd, `MAP_SHARED` without a file.
    pub shared: u64,
    /// What is not resident but swapped out.
    pub swap: u64,
}

impl MemoryBytes {
    /// What is resident.
    pub fn resident(&self) -> u64 {
        self.anonymous + self.file + self.shared
    }
}

/// What a process, or all of a cgroup, has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryRow {
    /// The process's id; `None` for a cgroup.
    pub process: Option<u32>,
    /// The process's name, or the cgroup's path.
    pub name: Vec<u8>,
    /// What it has now.
    pub now: MemoryBytes,
    /// What was resident, in bytes, in the samples up to this one, the oldest first.
    pub history: Vec<u64>,
}

/// What the machine has, in bytes, as `free` counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MachineMemory {
    /// All memory.
    pub total: u64,
    /// What nobody uses.
    pub free: u64,
    /// What programs can still have without swapping.
    pub available: u64,
    /// Of tmpfs and the like.
    pub shared: u64,
    /// Buffers, files, and what the kernel can take back.
    pub cached: u64,
    /// All swap.
    pub swap_total: u64,
    /// Swap that nobody uses.
    pub swap_free: u64,
}

/// A sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The time of day, `16:50:01`.
    pub time: Vec<u8>,
    /// How many samples came before.
    pub number: u64,
    /// Whether each sample takes the place of the one before, on a terminal.
    pub live: bool,
    /// What the machine has; `None` if one process is looked at.
    pub machine: Option<MachineMemory>,
    /// A cgroup's own row first, then processes, the largest first.
    pub rows: Vec<MemoryRow>,
    /// How many processes are left out.
    pub others: usize,
}
