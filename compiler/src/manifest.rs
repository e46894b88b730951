//! What the runtime must know about an object: which probes to attach where, how maps and records are laid out,
//! and what to do for each record. The runtime decodes by the manifest alone.

mod probes;
mod resident;

pub use probes::{
    Attach, Mode, PerfEvent, PerfScope, ProbeManifest, Sample, Site, SiteColumn, SiteTable,
};
pub use resident::ResidentChange;

use crate::ir::{MapId, ProbeId};
use cranelift_entity::PrimaryMap;
use pfscript_grammar::Span;
use pfscript_probes::LossCause;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything the runtime needs beside the ELF bytes.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// The probes, in source order.
    pub probes: PrimaryMap<ProbeId, ProbeManifest>,
    /// The script's maps, in order of first appearance.
    pub maps: Vec<MapManifest>,
    /// The kinds of records that programs send: a record in the event buffer starts with its kind's index as a `u32`.
    pub records: Vec<RecordKind>,
    /// Whether any probe captures user stacks or user symbols (so that address spaces must be recorded).
    pub user_symbols: bool,
    /// Whether any probe captures kernel stacks or kernel symbols.
    pub kernel_symbols: bool,
    /// Whether stacks that nothing holds any more are given up: there are two tables then, `pf_map_stack_tables`, in the place
    /// of `pf_map_stacks`.
    pub renews_stacks: bool,
    /// User stacks are walked by tables, which are wanted for each file that code is of.
    pub unwind_tables: bool,
    /// After how many frames stacks are cut that are to be whole; `None` if that is not the same for all.
    pub stack_limit: Option<u32>,
    /// Whether the map `pf_map_globals` is there; see [`Globals`].
    pub globals: bool,
    /// The script's `config` says that its maps are not printed at the end.
    pub silent_maps: bool,
    /// Frames are shown with their source lines, and with the functions that were inlined there.
    pub source_lines: bool,
    /// A JVM that is the process of `-p` is asked what its code is called.
    pub jvm_map: bool,
    /// What is shown behind a string that was cut.
    pub str_trunc_trailer: String,
    /// Where the script asks for the process id of a command (`cpid`): it cannot run without one.
    pub needs_command: Option<Span>,
    /// The script says what becomes of processes' resident pages.
    pub accounts_for_pages: bool,
    /// It says which processes begin: a process that the session follows is followed with those that it starts.
    pub follows_children: bool,
    /// Where what processes have grown by is printed, they are put together.
    pub puts_together: bool,
    /// The map `pf_map_sites`, that the runtime fills before attaching; `None` if no program asks for its site.
    pub sites: Option<SiteTable>,
    /// What may go wrong at places in the script. The counter of each stands in `pf_map_loss` behind those of the probes.
    pub faults: Vec<FaultManifest>,
    /// Faults are shown with their lines of the script, and what fails is among them.
    pub failures_by_place: bool,
}

/// What may go wrong at a place in the script, and is counted there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// It divides by zero, which gives 1.
    DivisionByZero,
    /// The index of an element is behind the end of its array.
    OutOfBounds,
    /// An element is read that a map does not have, which gives zero. Only where [`Manifest::failures_by_place`].
    NoElement,
    /// Something is lost, which the place counts and not the probe. Only where [`Manifest::failures_by_place`].
    Lost {
        /// Why.
        cause: LossCause,
        /// It is a string that is read.
        string: bool,
    },
}

/// A place in the script where something may go wrong.
#[derive(Clone, Debug)]
pub struct FaultManifest {
    /// The probe that it is in.
    pub probe: ProbeId,
    /// What that is.
    pub kind: FaultKind,
    /// Where it is.
    pub span: Span,
    /// Its line, from 1; 0 until the object is assembled.
    pub line: u32,
    /// Its column there, in bytes, from 1.
    pub column: u32,
}

/// The word that programs read where there are so many of them that the kernel takes long to detach them.
pub struct StopWord;

impl StopWord {
    /// Its symbol in `.bss`, a `u64`: not 0 once the programs are to do nothing any more.
    pub const SYMBOL: &'static str = "pf_data_stop";
    /// The array map of one element that loaders make of the section.
    pub const MAP: &'static str = ".bss";
}

/// Offsets in the single value of the array map `pf_map_globals`, that the runtime fills before attaching.
pub struct Globals;

impl Globals {
    /// `u64`: `CLOCK_BOOTTIME` in nanoseconds when tracing began (`elapsed`).
    pub const START: u32 = 0;
    /// `u64`: process id of the command that is traced (`cpid`).
    pub const COMMAND: u32 = 8;
    /// `u64`: what `CLOCK_TAI` was ahead of `CLOCK_BOOTTIME` in nanoseconds when tracing began.
    pub const TAI_AHEAD: u32 = 16;
    /// `u64`: how many CPUs there may be.
    pub const CPUS: u32 = 24;
    /// `u64`: what `CLOCK_REALTIME` was ahead of `CLOCK_BOOTTIME` in nanoseconds when tracing began (`tseries`).
    pub const REAL_AHEAD: u32 = 32;
    /// The value's size in bytes.
    pub const SIZE: u32 = 40;
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
    /// Values come from adding alone (`++`, `+=`), so that those of two keys have a sum.
    pub only_added: bool,
    /// `stats` are in the order of their totals, not of their averages.
    pub by_total: bool,
    /// Capacity in entries.
    pub capacity: u32,
    /// How programs find the map, if it is emptied while they run; `None` if there is one that they know.
    pub generations: Option<Generations>,
}

/// A map that is emptied while programs use it is there twice. Programs use the present one of the two, user space reads
/// and empties the other, after it has made them change over and the last program that began before has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generations {
    /// The ELF symbol of the `BPF_MAP_TYPE_ARRAY_OF_MAPS` that holds both.
    pub symbol: String,
    /// The element of `pf_map_generations` (a `u32`: 0 or 1) that says which one programs use.
    pub index: u32,
}

/// What a map holds, and how it is laid out.
///
/// In a map without key, each CPU has a value, and the runtime puts them together. In a map with keys, all CPUs share one
/// where they can ([`shared_map_type`](pfscript_probes::MapTemplate::shared_map_type)); the layout is the same.
#[derive(Clone, Debug, PartialEq)]
pub enum MapValue {
    /// One value, shared by all CPUs.
    Scalar(Layout),
    /// `u64`
    Count,
    /// `u64`: the sum, modulo 2^64
    Sum {
        /// Printed as a signed number.
        signed: bool,
    },
    /// `{ u64 count; i64 total }`, printed as the average
    Avg {
        /// Printed as a signed number.
        signed: bool,
    },
    /// `{ u64 count; i64 total }`, printed as count, average and total
    Stats {
        /// Printed as a signed number.
        signed: bool,
    },
    /// `{ u64 rank; u64 set }`: see [`EXTREME_RANK`](pfscript_probes::abi::EXTREME_RANK)
    Min {
        /// Compared and printed as a signed number.
        signed: bool,
    },
    /// `{ u64 rank; u64 set }`: see [`EXTREME_RANK`](pfscript_probes::abi::EXTREME_RANK)
    Max {
        /// Compared and printed as a signed number.
        signed: bool,
    },
    /// `u64[buckets]`; the buckets are `pfscript_probes`' `log2_bounds`.
    Hist {
        /// Sub-buckets per power of two: `2^bits`.
        bits: u32,
    },
    /// `u64[buckets]`: below `min`, `[min, min+step)`, …, at or above `max`.
    LHist {
        /// Lower bound of the second bucket.
        min: i64,
        /// Lower bound of the last bucket.
        max: i64,
        /// Width of the buckets between.
        step: i64,
    },
    /// A header, then `{ u64 number; u64 value; u64 weight }` for each interval: see
    /// [`INTERVAL`](pfscript_probes::abi::INTERVAL)
    Series {
        /// What becomes of the values of an interval.
        fold: Fold,
        /// The length of an interval in nanoseconds, at least 1.
        interval: u64,
        /// How many intervals are kept.
        intervals: u32,
        /// Compared and printed as signed numbers.
        signed: bool,
    },
}

/// What becomes of the values of one interval of a time series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// The last one stays.
    Last,
    /// They are added up, modulo 2^64.
    Sum,
    /// Their average.
    Avg,
    /// The least one stays.
    Min,
    /// The greatest one stays.
    Max,
}

/// A type of the language and the bytes that hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Size in bytes, padding included.
    pub size: u32,
    /// The type.
    pub ty: DataType,
}

impl Layout {
    /// Where the stacks in it are, in bytes from its start.
    pub fn stacks(&self) -> Vec<u32> {
        let within = |field: &Field| -> Vec<u32> {
            let stacks = field.layout.stacks().into_iter();
            stacks.map(|offset| field.offset + offset).collect()
        };
        match &self.ty {
            DataType::Stack { .. } => vec![0],
            DataType::Tuple(fields) => fields.iter().flat_map(within).collect(),
            DataType::Record(members) => {
                let fields = members.iter().map(|member| &member.field);
                fields.flat_map(within).collect()
            }
            DataType::Array { element, count } => {
                let stacks = element.stacks();
                let elements = (0..*count).map(|index| index * element.size);
                elements
                    .filter(|_| !stacks.is_empty())
                    .flat_map(|start| stacks.iter().map(move |offset| start + offset))
                    .collect()
            }
            DataType::Int { .. }
            | DataType::Bool
            | DataType::Pointer
            | DataType::String
            | DataType::Chars
            | DataType::Literal
            | DataType::Buffer(_)
            | DataType::Named(_)
            | DataType::KernelSymbol
            | DataType::UserSymbol
            | DataType::Absent => Vec::new(),
        }
    }
}

/// The types that cross from the kernel to the user: keys, values, fields of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataType {
    /// A little-endian integer of 1, 2, 4 or 8 bytes.
    Int {
        /// In bytes.
        bytes: u32,
        /// Two's complement.
        signed: bool,
        /// What the values of an enumeration are printed as; others are printed as numbers.
        names: Option<Arc<Enumeration>>,
    },
    /// One byte, printed `true` or `false`.
    Bool,
    /// `u64`, printed in hexadecimal.
    Pointer,
    /// Bytes up to the first zero byte. If the last one of the layout's size is not zero, the string was longer.
    String,
    /// An array of characters: bytes up to the first zero byte or the layout's size.
    Chars,
    /// A string that the script itself has there, so that it is printed as it was written.
    Literal,
    /// `u64` length, then so many bytes; zeros behind them.
    Buffer(Holds),
    /// Fields at their offsets, printed `(a, b)` (a map's keys: `a, b`).
    Tuple(Vec<Field>),
    /// `count` elements of the same layout, printed `[a,b]`.
    Array {
        /// Layout of one.
        element: Box<Layout>,
        /// How many.
        count: u32,
    },
    /// A structure or union as C lays it out, or a tuple with names, printed `{ .a = 1, .b = 2 }`.
    Record(Vec<Member>),
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
    /// `u64`, printed as what it stands for.
    Named(Naming),
    /// Bytes of a type that the language does not have, such as `float`, printed `null`.
    Absent,
}

/// What the bytes of a buffer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holds {
    /// Any bytes.
    Bytes,
    /// 4 bytes of an IPv4 address, or 16 of an IPv6 one: `127.0.0.1`.
    InternetAddress,
    /// 6 bytes: `05:04:03:02:01:02`.
    HardwareAddress,
}

/// What a number stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Naming {
    /// Nanoseconds since boot: a wall-clock time.
    Time {
        /// Of `strftime(3)`, and `%f` for microseconds.
        format: String,
    },
    /// A user id: the user's name.
    User,
    /// An `errno`: what it means.
    Error,
    /// A signal's number: what it is called.
    Signal,
    /// The number of a system call: what it is called on this architecture.
    Syscall,
    /// A cgroup's id: where it is in the unified hierarchy.
    Cgroup,
}

impl Naming {
    /// As messages call it.
    pub fn describe(&self) -> &'static str {
        match self {
            Naming::Time { .. } => "a time to be printed",
            Naming::User => "the name of a user",
            Naming::Error | Naming::Signal | Naming::Syscall => "a name to be printed",
            Naming::Cgroup => "the path of a cgroup",
        }
    }
}

/// The names of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enumeration {
    /// By value. Unsigned values of 64 bits are here by their bits.
    pub names: BTreeMap<i64, Arc<str>>,
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
    /// Of user stacks: each frame's build id, and its offset in the file.
    BuildId,
}

impl StackMode {
    /// What scripts call the modes, in their order.
    pub const NAMES: [&'static str; 4] = ["bpftrace", "perf", "raw", "build_id"];

    /// What scripts call it.
    pub fn name(self) -> &'static str {
        StackMode::NAMES[self as usize]
    }

    /// The mode of that name.
    pub fn named(name: &str) -> Option<StackMode> {
        use StackMode::{Bpftrace, BuildId, Perf, Raw};
        let mut modes = [Bpftrace, Perf, Raw, BuildId].into_iter();
        modes.find(|mode| mode.name() == name)
    }
}

/// A field of a tuple or record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// In bytes from the start.
    pub offset: u32,
    /// What is there.
    pub layout: Layout,
}

/// A named member of a structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Where it is; of a bit field, the integer that holds its bits.
    pub field: Field,
    /// Of a bit field, which ones.
    pub bits: Option<Bits>,
}

/// The bits of a bit field, in a little-endian integer of at most 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    /// The lowest one.
    pub shift: u32,
    /// How many.
    pub count: u32,
}

/// What the runtime does when a record arrives. A record is `{ u32 kind; u32 probe; fields… }`; offsets of fields
/// count from the record's start.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordKind {
    /// `printf`, `cat`, `system`: the pieces of the format with the fields they take.
    Printf {
        /// What becomes of the text.
        purpose: Purpose,
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
        /// What is done with the map in the same step, so that nothing is counted between.
        then: Then,
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
    /// What statements in a row ask for, one after another; each is one of the three above. Those that empty maps empty them
    /// at the same moment.
    Several(Vec<RecordKind>),
    /// `time(format)`: the wall-clock time by `strftime`.
    Time {
        /// The format, `%H:%M:%S\n` by default.
        format: String,
    },
    /// `rss_print(…)`: what is resident now, of the target, else of a cgroup, else of all.
    Memory {
        /// How many processes at most.
        top: u32,
        /// The cgroup's folder; empty: all processes.
        cgroup: String,
    },
    /// `rss_fault(…)` and the like: what changes of a process's resident pages.
    Resident {
        /// How it changes.
        change: ResidentChange,
        /// The process's id, an address and a length in bytes, all of them numbers; then who is charged, or the address that the
        /// range moves to, if the change has that. Of a page that was touched the length is how many such pages
        /// it stands for. Of a process that begins its id, and not 0 if it has the same memory; of
        /// one that ends 0, 0 and its name.
        fields: Vec<Field>,
        /// The record's size in bytes.
        size: u32,
    },
    /// `exit()`, `exit(code)`: the `u32` at offset 8 of the record is the code.
    Exit,
}

/// What becomes of a formatted text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is printed.
    Print,
    /// It is the path of a file, of which the beginning is printed.
    Cat {
        /// At most so many bytes.
        most: u32,
    },
    /// A shell runs it, and what that writes is printed.
    System,
    /// It stands between the strings that the only field has: how many there are as a `u64`, and behind it as many of one size as
    /// are printed at most.
    Join,
    /// It is a message about what the script found.
    Warning(Span),
    /// The same, of an error. Tracing goes on.
    Error(Span),
}

/// What becomes of a map that was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Keep,
    /// `print(@map); clear(@map)`
    Clear,
    /// `print(@map); zero(@map)`
    Zero,
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
    /// The letter: `d i u x X o s c p r`, and `g` for flags of the allocator (`%gr`).
    pub kind: u8,
    /// How the bytes of a buffer are written (`r`).
    pub bytes: BytesForm,
    /// The string may have lines and columns (`s`): newlines and tabs in it pass.
    pub lines: bool,
}

/// How the bytes of a buffer are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BytesForm {
    /// `%r`: printable ones as characters, others as `\x0a`.
    #[default]
    Characters,
    /// `%rx`: `\x68\x0a`
    Escaped,
    /// `%rh`: `68 0a`
    Hexadecimal,
}
