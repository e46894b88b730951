//! What the runtime must know about an object: which probes to attach where, how maps and records are laid out,
//! and what to do for each record. The runtime decodes by the manifest alone.

use crate::ir::{MapId, ProbeId};
use cranelift_entity::PrimaryMap;
use pfscript_grammar::Span;

/// Everything the runtime needs beside the ELF bytes.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// The probes, in source order.
    pub probes: PrimaryMap<ProbeId, ProbeManifest>,
    /// The script's maps, in order of first appearance.
    pub maps: Vec<MapManifest>,
    /// The asynchronous actions: a record in the event buffer starts with its action's index as a `u32`.
    pub actions: Vec<Action>,
    /// Whether any probe captures user stacks or user symbols (so that address spaces must be recorded).
    pub user_symbols: bool,
    /// Whether any probe captures kernel stacks or kernel symbols.
    pub kernel_symbols: bool,
    /// Whether the map `pf_map_globals` is there; see [`Globals`].
    pub globals: bool,
}

/// Offsets in the single value of the array map `pf_map_globals`, that the runtime fills before attaching.
pub struct Globals;

impl Globals {
    /// `u64`: `CLOCK_BOOTTIME` in nanoseconds when tracing began (`elapsed`).
    pub const START: u32 = 0;
    /// The value's size in bytes.
    pub const SIZE: u32 = 8;
}

/// One probe: one program and the points to attach it to.
#[derive(Clone, Debug)]
pub struct ProbeManifest {
    /// The program's ELF symbol and, behind its section's first part, section name: `p0`.
    pub symbol: String,
    /// The probe as messages call it: `software:page-faults:1`.
    pub name: String,
    /// Where it stands in the script.
    pub span: Span,
    /// The program's type.
    pub program: ProgramType,
    /// Where to attach it; all must succeed.
    pub attach: Vec<Attach>,
}

/// The program types in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the kernel's names")]
pub enum ProgramType {
    PerfEvent,
    Tracepoint,
    Kprobe,
    RawTracepoint,
}

/// One attach point, as the mechanism that attaches it sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attach {
    /// Run once by the runtime before any other probe fires (`BEGIN`).
    Begin,
    /// Run once by the runtime after the last probe was detached (`END`).
    End,
    /// A perf event.
    PerfEvent(PerfEvent),
    /// A tracepoint of tracefs.
    Tracepoint {
        /// Such as `sched`.
        category: String,
        /// Such as `sched_switch`.
        name: String,
    },
    /// A kernel function.
    Kprobe {
        /// Its name.
        function: String,
        /// Bytes from its start.
        offset: u64,
        /// At its return.
        on_return: bool,
    },
}

impl Attach {
    /// Whether a session of a command sees other processes there, too.
    pub fn fires_outside_command(&self) -> bool {
        match self {
            // Run in the tracer itself.
            Attach::Begin | Attach::End => false,
            // Narrowed to the command's process tree, but for `OneCpu`, which is there for what it prints.
            Attach::PerfEvent(_) => false,
            Attach::Tracepoint { .. } | Attach::Kprobe { .. } => true,
        }
    }
}

/// A perf event to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerfEvent {
    /// `perf_event_attr.type`
    pub event_type: u32,
    /// `perf_event_attr.config`
    pub config: u64,
    /// When it fires.
    pub sample: Sample,
    /// Where it counts.
    pub scope: PerfScope,
}

/// When a perf event fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Every `n` events (nanoseconds, for clocks).
    Period(u64),
    /// `n` times a second.
    Frequency(u64),
}

/// Where a perf event counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerfScope {
    /// Every process on every CPU; narrowed to the command's process tree under `-c`.
    EveryCpu,
    /// One CPU, whatever runs there (`interval`).
    OneCpu,
}

/// A map of the script.
#[derive(Clone, Debug)]
pub struct MapManifest {
    /// The module's id.
    pub id: MapId,
    /// As the script writes it: `@`, `@start`.
    pub name: String,
    /// The ELF symbol.
    pub symbol: String,
    /// The keys; `None` for a map without key (its key is one zero `u64`). A single key is not a tuple.
    pub key: Option<Layout>,
    /// The value.
    pub value: MapValue,
    /// Capacity in entries.
    pub capacity: u32,
}

/// What a map holds, and how it is laid out.
#[derive(Clone, Debug, PartialEq)]
pub enum MapValue {
    /// One value, shared by all CPUs.
    Scalar(Layout),
    /// Per CPU `u64`.
    Count,
    /// Per CPU 64-bit sum.
    Sum {
        /// Printed as a signed number.
        signed: bool,
    },
    /// Per CPU `{ u64 count; i64 total }`, printed as the average.
    Avg {
        /// Printed as a signed number.
        signed: bool,
    },
    /// Per CPU `{ u64 count; i64 total }`, printed as all three.
    Stats {
        /// Printed as a signed number.
        signed: bool,
    },
    /// Per CPU `{ u64 value; u64 is_set }`
    Min {
        /// Compared and printed as a signed number.
        signed: bool,
    },
    /// Per CPU `{ u64 value; u64 is_set }`
    Max {
        /// Compared and printed as a signed number.
        signed: bool,
    },
    /// Per CPU `u64[buckets]`; the buckets are `pfscript_probes`' `log2_bounds`.
    Hist {
        /// Sub-buckets per power of two: `2^bits`.
        bits: u32,
    },
    /// Per CPU `u64[buckets]`: below `min`, `[min, min+step)`, …, at or above `max`.
    LHist {
        /// Lower bound of the second bucket.
        min: i64,
        /// Lower bound of the last bucket.
        max: i64,
        /// Width of the buckets between.
        step: i64,
    },
}

/// A type of the language and the bytes that hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Size in bytes, padding included.
    pub size: u32,
    /// The type.
    pub ty: DataType,
}

/// The types that cross from the kernel to the user: keys, values, arguments of actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataType {
    /// A little-endian integer of 1, 2, 4 or 8 bytes.
    Int {
        /// In bytes.
        bytes: u32,
        /// Two's complement.
        signed: bool,
    },
    /// One byte, printed `true` or `false`.
    Bool,
    /// `u64`, printed in hexadecimal.
    Pointer,
    /// Bytes up to the first zero byte or the layout's size.
    String,
    /// Fields at their offsets, printed `(a, b)` (a map's keys: `a, b`).
    Tuple(Vec<Field>),
    /// `count` elements of the same layout, printed `[a,b]`.
    Array {
        /// Layout of one.
        element: Box<Layout>,
        /// How many.
        count: u32,
    },
    /// `u64` key of `pf_map_stacks`, 0 where the stack could not be had.
    Stack {
        /// User or kernel.
        user: bool,
        /// How frames are printed.
        mode: StackMode,
        /// At most so many frames.
        depth: u32,
    },
    /// `u64` kernel address, printed as the function's name (and offset).
    KernelSymbol,
    /// `{ u64 address; u32 tgid; u32 zero }`, printed as the function's name.
    UserSymbol,
}

/// How a stack is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StackMode {
    /// `function+offset`, a line each.
    Bpftrace,
    /// `address function+offset (file)`
    Perf,
    /// Addresses alone.
    Raw,
}

/// A field of a tuple or record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// In bytes from the start.
    pub offset: u32,
    /// What is there.
    pub layout: Layout,
}

/// What the runtime does when a record arrives. A record is `{ u32 action; u32 probe; fields… }`; offsets of fields
/// count from the record's start.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// `printf`: the pieces of the format with the fields they take.
    Printf {
        /// Text and conversions in order.
        pieces: Vec<FormatPiece>,
        /// The arguments in order.
        fields: Vec<Field>,
        /// The record's size in bytes.
        size: u32,
    },
    /// `print(value)`: the value and a newline.
    PrintValue {
        /// The value.
        field: Field,
        /// The record's size in bytes.
        size: u32,
    },
    /// `print(@map)`, `print(@map, top)`, `print(@map, top, div)`
    PrintMap {
        /// Index into [`Manifest::maps`].
        map: usize,
        /// At most so many entries, the largest; 0 for all.
        top: u64,
        /// Values are divided by it; 1 for none.
        divisor: u64,
    },
    /// `clear(@map)`: removes all keys.
    ClearMap {
        /// Index into [`Manifest::maps`].
        map: usize,
    },
    /// `zero(@map)`: sets all values to zero.
    ZeroMap {
        /// Index into [`Manifest::maps`].
        map: usize,
    },
    /// `time(format)`: the wall-clock time by `strftime`.
    Time {
        /// The format, `%H:%M:%S\n` by default.
        format: String,
    },
    /// `exit()`, `exit(code)`: the `u32` at offset 8 of the record is the code.
    Exit,
}

/// A piece of a format string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatPiece {
    /// Bytes to print as they are.
    Text(Vec<u8>),
    /// A conversion that takes the next argument.
    Conversion(Conversion),
}

/// A `printf` conversion: `%-16s`, `%05llx`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Conversion {
    /// `-`
    pub left: bool,
    /// `0`
    pub zero: bool,
    /// `+`
    pub plus: bool,
    /// ` `
    pub space: bool,
    /// `#`
    pub alternate: bool,
    /// Minimum width.
    pub width: Option<u32>,
    /// Digits after the point, or the most bytes of a string.
    pub precision: Option<u32>,
    /// Integer arguments are cut to so many bytes first (`hh` 1, `h` 2, `l`/`ll`/`j`/`z`/`t` 8); `None`: the argument's own.
    pub length: Option<u32>,
    /// The letter: `d i u x X o s c p`.
    pub kind: u8,
}
