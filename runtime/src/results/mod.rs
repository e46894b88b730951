//! What a session tells: [`Event`]s, made once from the kernel's bytes by the manifest alone. Whatever prints, stores or
//! draws them is a sink ([`crate::sinks`]) and sees nothing else. Nothing here is text but what the script's own `time`
//! made, and nothing is escaped.

mod decode;
mod event;
mod format;
mod growth;
mod memory;
mod place;
mod series;
mod table;
mod value;

pub use decode::{Names, NoNames};
pub use event::{Benchmark, Event, Said, TestResult, Testing};
pub use format::{Argument, Printf};
pub use growth::{Growth, GrowthPart, GrowthReport, MemoryKind};
pub use memory::{MachineMemory, Memory, MemoryBytes, MemoryRow};
pub use place::{Failure, Place, Refused};
pub use table::{Entry, Kind, MapOptions, Table};
pub use value::{Bucket, Frame, Histogram, Point, Scale, Series, Stack, Stats, Value};

pub(crate) use decode::{printf, value};

/// Shorthands for the tests of this and of sinks.
#[cfg(test)]
pub(crate) mod testing {
    pub(crate) use super::decode::map_value;
    pub(crate) use super::decode::tests::{layout, tuple};
    pub(crate) use super::table::tests::with_table;
}
