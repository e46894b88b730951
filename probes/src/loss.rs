//! The ways to lose data, one counter each: by probe and cause, in the per-CPU array `pf_map_loss`.

/// Why something that happened is missing from what was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
pub enum LossCause {
    /// A map had no room for another key.
    MapFull = 0,
    /// The event buffer had no room for another record.
    EventsFull = 1,
    /// The stack table had no room for another stack.
    StacksFull = 2,
    /// A stack could not be walked.
    StackFailed = 3,
    /// A stack had more frames than were asked for by default.
    StackTruncated = 4,
    /// A string was longer than the room for it.
    StringTruncated = 5,
    /// Memory could not be read; the value is zero.
    ReadFailed = 6,
    /// Probes nested deeper than there is scratch memory for: the run was skipped.
    ScratchBusy = 7,
    /// The kernel had no memory at hand for another key or stack.
    NoMemory = 8,
}

/// Counters a probe has: the counter of `(probe, cause)` is `probe * LOSS_CAUSES + cause`.
pub const LOSS_CAUSES: u32 = 9;

impl LossCause {
    /// All causes, by their number.
    pub const ALL: [LossCause; LOSS_CAUSES as usize] = [
        LossCause::MapFull,
        LossCause::EventsFull,
        LossCause::StacksFull,
        LossCause::StackFailed,
        LossCause::StackTruncated,
        LossCause::StringTruncated,
        LossCause::ReadFailed,
        LossCause::ScratchBusy,
        LossCause::NoMemory,
    ];
}
