//! Map specifications: for each kind of map that a script can need, its BPF type and the layout of its values.
//!
//! The compiler adds the layout of the key and the capacity; user space reads values by what is said here. The layouts
//! that the C in `bpf/` knows are those of [`abi`](crate::abi).

use crate::Feature;
use crate::abi::{
    AVERAGE, CAPTURE, EXTREME, INTERVAL, KNOWN_STACKS, PYTHON_CODE, PYTHON_KEY, PYTHON_LINES_BYTES,
    PYTHON_NAME_BYTES, PYTHON_PATH_BYTES, REST, REST_BYTES, REST_COUNT, SCRATCH_HEADER,
    SCRATCH_LEVELS, SERIES_HEADER, STACK_HEADER, UNWIND_FILE, UNWIND_TABLE, map,
};

/// `BPF_MAP_TYPE_HASH`
pub const BPF_MAP_TYPE_HASH: u32 = 1;
/// `BPF_MAP_TYPE_ARRAY`
pub const BPF_MAP_TYPE_ARRAY: u32 = 2;
/// `BPF_MAP_TYPE_PERCPU_HASH`
pub const BPF_MAP_TYPE_PERCPU_HASH: u32 = 5;
/// `BPF_MAP_TYPE_PERCPU_ARRAY`
pub const BPF_MAP_TYPE_PERCPU_ARRAY: u32 = 6;
/// `BPF_MAP_TYPE_LRU_HASH`
pub const BPF_MAP_TYPE_LRU_HASH: u32 = 9;
/// `BPF_MAP_TYPE_LRU_PERCPU_HASH`
pub const BPF_MAP_TYPE_LRU_PERCPU_HASH: u32 = 10;
/// `BPF_MAP_TYPE_ARRAY_OF_MAPS`
pub const BPF_MAP_TYPE_ARRAY_OF_MAPS: u32 = 12;
/// `BPF_MAP_TYPE_RINGBUF`
pub const BPF_MAP_TYPE_RINGBUF: u32 = 27;

/// The most bits that a power-of-two histogram can have.
pub const MAX_LOG2_BITS: u32 = 5;

/// Files that can have tables to be unwound by at the same time. A busy machine maps some thousand.
pub const MAX_UNWIND_TABLES: u32 = 8192;

/// Bytes of the ring buffer of files whose tables were missed: a power of two pages, for some thousand.
pub const UNWIND_WANTED_BYTES: u32 = 64 << 10;

/// Code objects of Python that programs remember to have seen. User space has them forget all when these become many; then each is
/// copied again.
pub const MAX_PYTHON_KNOWN: u32 = 1 << 14;

/// Bytes of the ring buffer of what these are called: a power of two pages, for some thousand.
pub const PYTHON_CODES_BYTES: u32 = 512 << 10;
/// Bytes of the ring buffer of stacks that are left to user space: a power of two pages, for some thousand of usual depth.
pub const RESTS_BYTES: u32 = 4 << 20;

/// Stacks that are left to user space at the same time.
pub const MAX_RESTS: u32 = 1 << 14;

/// The most bytes of a value that each CPU has its own of: `PCPU_MIN_UNIT_SIZE` (include/linux/percpu.h), the limit of
/// `htab_map_alloc_check`.
pub const MAX_PER_CPU_VALUE: u32 = 32 << 10;

/// A kind of map. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MapTemplate {
    /// A variable, shared by all CPUs: any value of that size. Numbers are `u64`.
    Scalar {
        /// Size of the value.
        size: u32,
    },
    /// `u64 count`
    Count,
    /// `u64 sum`, the sum of the CPUs' ones, modulo 2^64
    Sum,
    /// `u64 count`, `i64 total`
    Avg,
    /// `u64 rank`, `u64 set` (0: no value yet)
    MinMax,
    /// `u64 count`, `i64 total`
    Stats,
    /// `u64` for each bucket of `hist(n, bits)`: see [`log2_bounds`]
    Hist {
        /// 2 to this power is the number of parts that each power of two is cut into.
        bits: u32,
    },
    /// `u64` for each bucket of `lhist(n, min, max, step)`: see [`linear_bounds`]
    LHist {
        /// Where the first proper bucket begins.
        min: i64,
        /// Where the last proper bucket ends.
        max: i64,
        /// How wide a bucket is, at least 1.
        step: i64,
    },
    /// A header of [`SERIES_HEADER`] bytes, then an [`INTERVAL`] for each interval of `tseries`, used in turn.
    Series {
        /// How many intervals.
        intervals: u32,
        /// Whether the least or the greatest value of each is kept.
        extremes: bool,
    },
    /// Stacks by id, or pieces of deep ones: a header of [`STACK_HEADER`] bytes, then `u64` for each frame.
    Stacks {
        /// Frames there is room for.
        depth: u32,
    },
    /// Scratch memory that stacks are captured into: `u64 busy`, `u64 wanted` (bytes of
    /// frames that the next stack is likely to need), then the stack. [`SCRATCH_LEVELS`] elements.
    Captures {
        /// Frames there is room for.
        depth: u32,
    },
    /// Ids of stacks that are known to be stored: [`KNOWN_STACKS`] elements, by bits of the id. Shared by all CPUs, which
    /// mostly read it: one more page for each CPU would cost more than all that it saves.
    Known,
    /// The ring buffer of records; its capacity is in bytes.
    Events,
    /// Scratch memory: `u64 busy`, then the frame. [`SCRATCH_LEVELS`] elements.
    Scratch {
        /// Size of the frame.
        frame: u32,
    },
    /// `u64` counters of what was lost: see [`LossCause`](crate::LossCause).
    Loss,
    /// One element that stays zero: what a new histogram or time series begins as.
    Zeros {
        /// Size of the biggest one.
        size: u32,
    },
    /// One element that the program and its loader share.
    Globals {
        /// Size of the element.
        size: u32,
    },
    /// `u32` for each map that is there twice: 0 or 1, the one that programs use.
    Generations,
    /// The two maps of which programs use one.
    Pair,
    /// Where the tables to unwind files by are, by file ([`UNWIND_FILE`], [`UNWIND_TABLE`]).
    UnwindFiles,
    /// The tables: each an array of `u64` of its own, made when a file is first seen.
    UnwindTables,
    /// The ring buffer of files whose tables were missed ([`UNWIND_WANTED`](crate::abi::UNWIND_WANTED)).
    UnwindWanted,
    /// The code objects of Python that were seen ([`PYTHON_KEY`]).
    PythonKnown,
    /// The ring buffer of what they are called ([`PYTHON_CODE`]).
    PythonCodes,
    /// Scratch memory that this is put together in. [`SCRATCH_LEVELS`] elements.
    PythonScratch,
    /// The ring buffer of stacks that are left to user space ([`REST`]).
    Rests,
    /// How often each of these was captured ([`REST_COUNT`]), by its id.
    RestCounts,
    /// Scratch memory that they are put together in. [`SCRATCH_LEVELS`] elements.
    Rest,
}

impl MapTemplate {
    /// The size of a value, on one CPU.
    pub fn value_size(self) -> u32 {
        match self {
            MapTemplate::Scalar { size }
            | MapTemplate::Zeros { size }
            | MapTemplate::Globals { size } => size,
            MapTemplate::Count
            | MapTemplate::Sum
            | MapTemplate::Loss
            | MapTemplate::Known
            | MapTemplate::PythonKnown => 8,
            MapTemplate::Avg | MapTemplate::Stats => AVERAGE.size(),
            MapTemplate::MinMax => EXTREME.size(),
            MapTemplate::Hist { .. } | MapTemplate::LHist { .. } => {
                self.buckets().unwrap_or(0).saturating_mul(8)
            }
            MapTemplate::Series { intervals, .. } => intervals
                .saturating_mul(INTERVAL.size())
                .saturating_add(SERIES_HEADER),
            MapTemplate::Stacks { depth } => STACK_HEADER + depth * 8,
            MapTemplate::Captures { depth } => SCRATCH_HEADER + CAPTURE.size() + depth * 8,
            MapTemplate::Events
            | MapTemplate::UnwindWanted
            | MapTemplate::PythonCodes
            | MapTemplate::Rests => 0,
            MapTemplate::Scratch { frame } => SCRATCH_HEADER + frame,
            // A `u32`; of a map of maps the kernel wants the size of a descriptor.
            MapTemplate::Generations | MapTemplate::Pair | MapTemplate::UnwindTables => 4,
            MapTemplate::UnwindFiles => UNWIND_TABLE.size(),
            MapTemplate::PythonScratch => {
                PYTHON_CODE.size() + PYTHON_NAME_BYTES + PYTHON_PATH_BYTES + PYTHON_LINES_BYTES
            }
            MapTemplate::RestCounts => REST_COUNT.size(),
            MapTemplate::Rest => REST.size() + REST_BYTES,
        }
    }

    /// The kernel's map type.
    pub fn bpf_map_type(self) -> u32 {
        match self {
            MapTemplate::Scalar { .. }
            | MapTemplate::Stacks { .. }
            | MapTemplate::UnwindFiles
            | MapTemplate::PythonKnown
            | MapTemplate::RestCounts => BPF_MAP_TYPE_HASH,
            MapTemplate::Count
            | MapTemplate::Sum
            | MapTemplate::Avg
            | MapTemplate::MinMax
            | MapTemplate::Stats
            | MapTemplate::Hist { .. }
            | MapTemplate::LHist { .. }
            | MapTemplate::Series { .. } => BPF_MAP_TYPE_PERCPU_HASH,
            MapTemplate::Events
            | MapTemplate::UnwindWanted
            | MapTemplate::PythonCodes
            | MapTemplate::Rests => BPF_MAP_TYPE_RINGBUF,
            MapTemplate::Scratch { .. }
            | MapTemplate::Captures { .. }
            | MapTemplate::Loss
            | MapTemplate::PythonScratch
            | MapTemplate::Rest => BPF_MAP_TYPE_PERCPU_ARRAY,
            MapTemplate::Known
            | MapTemplate::Zeros { .. }
            | MapTemplate::Globals { .. }
            | MapTemplate::Generations => BPF_MAP_TYPE_ARRAY,
            MapTemplate::Pair | MapTemplate::UnwindTables => BPF_MAP_TYPE_ARRAY_OF_MAPS,
        }
    }

    /// The map type that lets all CPUs share one value, for kinds whose routines change it atomically, and the feature that
    /// this takes. A map with many keys is better so: a new key of a per-CPU hash costs the kernel ten times as much and
    /// fails when keys come fast, while CPUs seldom meet at a key. A map with one key is better per CPU, since there they
    /// always meet.
    pub fn shared_map_type(self) -> Option<(u32, Option<Feature>)> {
        match self {
            MapTemplate::Count
            | MapTemplate::Sum
            | MapTemplate::Avg
            | MapTemplate::Stats
            | MapTemplate::Hist { .. }
            | MapTemplate::LHist { .. }
            | MapTemplate::Series {
                extremes: false, ..
            } => Some((BPF_MAP_TYPE_HASH, None)),
            MapTemplate::MinMax | MapTemplate::Series { extremes: true, .. } => {
                Some((BPF_MAP_TYPE_HASH, Some(Feature::AtomicExchange)))
            }
            _ => None,
        }
    }

    /// Whether each CPU has its own values.
    pub fn per_cpu(self) -> bool {
        matches!(
            self.bpf_map_type(),
            BPF_MAP_TYPE_PERCPU_HASH | BPF_MAP_TYPE_PERCPU_ARRAY
        )
    }

    /// The size of the key, where the kind of map decides it and not the script.
    pub fn key_size(self) -> Option<u32> {
        match self.bpf_map_type() {
            BPF_MAP_TYPE_ARRAY | BPF_MAP_TYPE_PERCPU_ARRAY | BPF_MAP_TYPE_ARRAY_OF_MAPS => Some(4),
            BPF_MAP_TYPE_RINGBUF => Some(0),
            _ => match self {
                MapTemplate::Stacks { .. } | MapTemplate::RestCounts => Some(8),
                MapTemplate::UnwindFiles => Some(UNWIND_FILE.size()),
                MapTemplate::PythonKnown => Some(PYTHON_KEY.size()),
                _ => None,
            },
        }
    }

    /// The number of elements, where the kind of map decides it.
    pub fn max_entries(self) -> Option<u32> {
        match self {
            MapTemplate::Scratch { .. }
            | MapTemplate::Captures { .. }
            | MapTemplate::PythonScratch
            | MapTemplate::Rest => Some(SCRATCH_LEVELS),
            MapTemplate::Known => Some(KNOWN_STACKS),
            MapTemplate::Zeros { .. } | MapTemplate::Globals { .. } => Some(1),
            MapTemplate::Pair => Some(2),
            MapTemplate::UnwindFiles | MapTemplate::UnwindTables => Some(MAX_UNWIND_TABLES),
            MapTemplate::UnwindWanted => Some(UNWIND_WANTED_BYTES),
            MapTemplate::PythonKnown => Some(MAX_PYTHON_KNOWN),
            MapTemplate::PythonCodes => Some(PYTHON_CODES_BYTES),
            MapTemplate::Rests => Some(RESTS_BYTES),
            MapTemplate::RestCounts => Some(MAX_RESTS),
            _ => None,
        }
    }

    /// The symbol of the map, where there is one map of the kind.
    pub fn symbol(self) -> Option<&'static str> {
        match self {
            MapTemplate::Stacks { .. } => Some(map::STACKS),
            MapTemplate::Events => Some(map::EVENTS),
            MapTemplate::Scratch { .. } => Some(map::SCRATCH),
            MapTemplate::Loss => Some(map::LOSS),
            MapTemplate::Known => Some(map::KNOWN),
            MapTemplate::Captures { .. } => Some(map::CAPTURES),
            MapTemplate::Zeros { .. } => Some(map::ZEROS),
            MapTemplate::Globals { .. } => Some(map::GLOBALS),
            MapTemplate::Generations => Some(map::GENERATIONS),
            MapTemplate::UnwindFiles => Some(map::UNWIND_FILES),
            MapTemplate::UnwindTables => Some(map::UNWIND_TABLES),
            MapTemplate::UnwindWanted => Some(map::UNWIND_WANTED),
            MapTemplate::PythonKnown => Some(map::PYTHON_KNOWN),
            MapTemplate::PythonCodes => Some(map::PYTHON_CODES),
            MapTemplate::PythonScratch => Some(map::PYTHON_SCRATCH),
            MapTemplate::Rests => Some(map::RESTS),
            MapTemplate::RestCounts => Some(map::REST_COUNTS),
            MapTemplate::Rest => Some(map::REST),
            _ => None,
        }
    }

    /// The number of buckets, of a histogram.
    pub fn buckets(self) -> Option<u32> {
        match self {
            MapTemplate::Hist { bits } => Some(log2_buckets(bits)),
            MapTemplate::LHist { min, max, step } => Some(linear_buckets(min, max, step)),
            _ => None,
        }
    }

    /// Whether a new value is made of zeros that are too many for the stack: those of [`MapTemplate::Zeros`].
    pub fn begins_as_zeros(self) -> bool {
        matches!(
            self,
            MapTemplate::Hist { .. } | MapTemplate::LHist { .. } | MapTemplate::Series { .. }
        )
    }

    /// What the kernel must have.
    pub fn needs(self) -> &'static [Feature] {
        match self {
            MapTemplate::Events
            | MapTemplate::UnwindWanted
            | MapTemplate::PythonCodes
            | MapTemplate::Rests => &[Feature::RingBuffer],
            _ => &[],
        }
    }

    /// What it holds, in a line.
    pub fn doc(self) -> &'static str {
        match self {
            MapTemplate::Scalar { .. } => "values that the script assigns",
            MapTemplate::Count => "how often, from count()",
            MapTemplate::Sum => "totals, from sum()",
            MapTemplate::Avg => "averages, from avg()",
            MapTemplate::MinMax => "extremes, from min() and max()",
            MapTemplate::Stats => "counts, totals and averages, from stats()",
            MapTemplate::Hist { .. } => "power-of-two histograms, from hist()",
            MapTemplate::LHist { .. } => "linear histograms, from lhist()",
            MapTemplate::Series { .. } => "what values came to over time, from tseries()",
            MapTemplate::Stacks { .. } => "stacks, each once",
            MapTemplate::Events => "records on their way to user space",
            MapTemplate::Scratch { .. } => "memory for what exceeds the stack",
            MapTemplate::Loss => "what was lost, by probe and cause",
            MapTemplate::Captures { .. } => "memory that stacks are captured into",
            MapTemplate::Known => "stacks that need not be looked up",
            MapTemplate::Zeros { .. } => "what a new histogram or time series begins as",
            MapTemplate::Globals { .. } => "what the program and its loader share",
            MapTemplate::Generations => "which of two maps programs use",
            MapTemplate::Pair => "two maps, of which programs use one",
            MapTemplate::UnwindFiles => "where the tables to unwind files by are",
            MapTemplate::UnwindTables => "how to unwind each address of a file",
            MapTemplate::UnwindWanted => "files whose tables were missed",
            MapTemplate::PythonKnown => "functions of Python that were seen",
            MapTemplate::PythonCodes => "what functions of Python are called",
            MapTemplate::PythonScratch => "memory that this is put together in",
            MapTemplate::Rests => "stacks that are left to user space",
            MapTemplate::RestCounts => "how often a stack was left to user space",
            MapTemplate::Rest => "memory that such stacks are put together in",
        }
    }
}

/// The number of buckets of `hist(n, bits)`, `bits` up to [`MAX_LOG2_BITS`].
pub fn log2_buckets(bits: u32) -> u32 {
    let bits = bits.min(MAX_LOG2_BITS);
    ((64 - bits) << bits) + 1
}

/// The values that the routine `pf_log2` puts into a bucket: from `.0` up to, not including, `.1`. The last bucket's
/// `.1` is `i64::MAX`, and included; so is that of an index past it.
///
/// ```
/// use pfscript_probes::maps::log2_bounds;
/// assert_eq!(log2_bounds(0, 0), (i64::MIN, 0));
/// assert_eq!(log2_bounds(4, 0), (4, 8));
/// assert_eq!(log2_bounds(5, 1), (4, 6));
/// ```
pub fn log2_bounds(index: u32, bits: u32) -> (i64, i64) {
    let bits = bits.min(MAX_LOG2_BITS);
    let Some(place) = index.min(log2_buckets(bits) - 1).checked_sub(1) else {
        return (i64::MIN, 0);
    };
    let part = i64::from(place & ((1 << bits) - 1));
    let Some(exponent) = (place >> bits).checked_sub(1) else {
        return (part, part + 1);
    };
    let first = (part + (1 << bits)) << exponent;
    (first, first.saturating_add(1 << exponent))
}

/// The number of buckets of `lhist(n, min, max, step)`: one below `min`, one for each `step`, one from `max` up.
pub fn linear_buckets(min: i64, max: i64, step: i64) -> u32 {
    let steps = (i128::from(max) - i128::from(min)).max(0) / i128::from(step.max(1));
    u32::try_from(steps + 2).unwrap_or(u32::MAX)
}

/// The values that belong into a bucket of `lhist(n, min, max, step)`: from `.0` up to, not including, `.1`; the last
/// bucket's `.1` is `i64::MAX`, and included.
///
/// ```
/// use pfscript_probes::maps::linear_bounds;
/// assert_eq!(linear_bounds(0, 10, 30, 5), (i64::MIN, 10));
/// assert_eq!(linear_bounds(2, 10, 30, 5), (15, 20));
/// assert_eq!(linear_bounds(5, 10, 30, 5), (30, i64::MAX));
/// ```
pub fn linear_bounds(index: u32, min: i64, max: i64, step: i64) -> (i64, i64) {
    let last = linear_buckets(min, max, step) - 1;
    let edge = |n: u32| min.saturating_add(step.max(1).saturating_mul(i64::from(n)));
    match index.min(last) {
        0 => (i64::MIN, min),
        index if index == last => (edge(index - 1), i64::MAX),
        index => (edge(index - 1), edge(index)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::run;

    fn index_of(value: i64, bits: u32) -> u32 {
        run("pf_log2", &[value as u64, u64::from(bits)]) as u32
    }

    #[test]
    fn log2_bounds_invert_the_routine_at_every_edge() {
        for bits in 0..=MAX_LOG2_BITS {
            let last = log2_buckets(bits) - 1;
            for index in 0..=last {
                let (lower, upper) = log2_bounds(index, bits);
                assert!(lower < upper);
                assert_eq!(index_of(lower, bits), index, "{lower} of {bits} bits");
                if index == last {
                    assert_eq!(upper, i64::MAX);
                    assert_eq!(index_of(upper, bits), index);
                } else {
                    assert_eq!(
                        index_of(upper - 1, bits),
                        index,
                        "{upper} - 1 of {bits} bits"
                    );
                    assert_eq!(log2_bounds(index + 1, bits).0, upper, "no gap at {index}");
                }
            }
        }
    }

    /// What bpftrace 0.27.1 prints for `hist(value, bits)`.
    #[test]
    fn log2_buckets_are_those_of_bpftrace() {
        for (value, bits, lower, upper) in [
            (0, 0, 0, 1),
            (1, 0, 1, 2),
            (3, 0, 2, 4),
            (7, 0, 4, 8),
            (3, 1, 3, 4),
            (5, 1, 4, 6),
            (9, 1, 8, 12),
            (31, 1, 24, 32),
            (33, 1, 32, 48),
            (7, 2, 7, 8),
            (9, 2, 8, 10),
            (63, 2, 56, 64),
            (63, 5, 63, 64),
            (64, 5, 64, 66),
            (i64::MAX, 0, 4 << 60, i64::MAX),
            (i64::MAX, 1, 6 << 60, i64::MAX),
            (i64::MAX, 2, 7 << 60, i64::MAX),
            (i64::MAX, 5, 8064 << 50, i64::MAX),
        ] {
            let bounds = log2_bounds(index_of(value, bits), bits);
            assert_eq!(bounds, (lower, upper), "hist({value}, {bits})");
        }
    }

    #[test]
    fn a_histogram_fits_a_per_cpu_value() {
        for bits in 0..=MAX_LOG2_BITS {
            assert!(MapTemplate::Hist { bits }.value_size() <= MAX_PER_CPU_VALUE);
        }
    }

    #[test]
    fn linear_buckets_leave_no_gap() {
        for (min, max, step) in [(0, 100, 10), (-50, 50, 7), (0, 10, 3), (5, 6, 1)] {
            let buckets = linear_buckets(min, max, step);
            assert_eq!(linear_bounds(0, min, max, step), (i64::MIN, min));
            for index in 1..buckets {
                let below = linear_bounds(index - 1, min, max, step);
                assert_eq!(below.1, linear_bounds(index, min, max, step).0);
            }
            assert_eq!(linear_bounds(buckets - 1, min, max, step).1, i64::MAX);
        }
    }

    #[test]
    fn nothing_overflows_on_absurd_bounds() {
        assert_eq!(linear_buckets(i64::MIN, i64::MAX, 1), u32::MAX);
        assert_eq!(linear_buckets(5, 0, 0), 2);
        let huge = MapTemplate::LHist {
            min: i64::MIN,
            max: i64::MAX,
            step: 0,
        };
        assert_eq!(huge.value_size(), u32::MAX);
        assert_eq!(linear_bounds(7, i64::MIN, i64::MAX, i64::MAX).1, i64::MAX);
        assert_eq!(log2_bounds(u32::MAX, 99).1, i64::MAX);
    }
}
