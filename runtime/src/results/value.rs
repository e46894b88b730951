//! The values of the language as a program takes them. They own what they hold.

use pfscript_compiler::manifest::StackMode;
use std::sync::Arc;

/// A value of a record, or a key or a value of a map.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A signed integer of any size.
    Int(i64),
    /// An unsigned integer of any size.
    UInt(u64),
    /// A number of an enumeration.
    Enumerator {
        /// The number, of up to 64 bits.
        number: i128,
        /// Its name in the enumeration.
        name: Arc<str>,
    },
    /// `true` or `false`.
    Bool(bool),
    /// An address that nothing was looked up for.
    Pointer(u64),
    /// A member of a structure whose type the language does not have, such as `float`.
    Absent,
    /// A string: any bytes but zero. From outside, so it may hold anything.
    Str(Vec<u8>),
    /// A string of the script's own: any bytes but zero.
    Literal(Vec<u8>),
    /// Bytes, as many as there are.
    Buffer(Vec<u8>),
    /// `(1, "x")`, and the keys of a map that has several.
    Tuple(Vec<Value>),
    /// Named parts in order: a structure, or `(a=1, b="x")`.
    Record(Vec<(Arc<str>, Value)>),
    /// Elements of one type.
    Array(Vec<Value>),
    /// A stack.
    Stack(Stack),
    /// A function, named by an address in it.
    Symbol(Frame),
    /// What `stats` made.
    Stats(Stats),
    /// What `hist` or `lhist` made.
    Histogram(Histogram),
    /// What `tseries` made.
    Series(Series),
}

/// A stack of calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// Of a process, not of the kernel.
    pub user: bool,
    /// How the script wants it printed. In [`StackMode::Raw`] frames have addresses alone.
    pub mode: StackMode,
    /// The innermost call first; none if the stack could not be had.
    pub frames: Vec<Frame>,
}

/// An address in code, and what is known about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The address itself.
    pub address: u64,
    /// The function's name, demangled.
    pub function: Option<Arc<str>>,
    /// In bytes from the function's start; 0 without a function, and where it was inlined.
    pub offset: u64,
    /// Whether it is a frame of Python, which has no address: function, file and line are the interpreter's, not those of C. Without
    /// a function where its name did not arrive.
    pub interpreted: bool,
    /// Whether the function was inlined into the next frame's, which has the same address.
    pub inlined: bool,
    /// What is mapped there: the path of a file, as its process saw it; `[vdso]`, `[heap]`, `//anon` and the like for what no
    /// file is behind. `None` for the kernel's code and where nothing is mapped.
    pub module: Option<Arc<[u8]>>,
    /// The address's offset in that file, in bytes; `None` if there is no file.
    pub module_offset: Option<u64>,
    /// The same place as the file counts, which is what `addr2line` and `objdump` take; its offset where the file could not be
    /// read, and the address itself if there is no file.
    pub module_address: Option<u64>,
    /// The file's build id, if the script asks for it; `None` if it has none.
    pub build_id: Option<Arc<[u8]>>,
    /// The source file, if the script asks for it.
    pub file: Option<Arc<str>>,
    /// The line there, from 1.
    pub line: Option<u32>,
}

impl Frame {
    /// A frame of which the address alone is known.
    pub fn at(address: u64) -> Frame {
        Frame {
            address,
            ..Frame::default()
        }
    }
}

/// What `stats` made. The numbers are those of a signed or an unsigned 64-bit integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// How many numbers there were.
    pub count: u64,
    /// Their average, cut towards zero; 0 of none.
    pub average: i128,
    /// Their sum, which wraps as 64 bits do.
    pub total: i128,
}

/// What `hist` or `lhist` made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// How its buckets were chosen.
    pub scale: Scale,
    /// From the first to the last bucket that something fell into, by rising bounds; none if there is none.
    pub buckets: Vec<Bucket>,
}

/// How the buckets of a histogram follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// `hist`: powers of two, each cut into `2^bits` parts.
    Log2 {
        /// As the script gives it.
        bits: u32,
    },
    /// `lhist`: all alike.
    Linear {
        /// The width of one.
        step: i64,
    },
}

/// One bucket: how many values fell between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The least value that belongs into it; `None` if there is no bound.
    pub from: Option<i64>,
    /// The least value above it; `None` if there is no bound.
    pub to: Option<i64>,
    /// How many.
    pub count: u64,
}

/// What `tseries` made of a key's values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// The length of an interval in nanoseconds, at least 1.
    pub interval: u64,
    /// Whether its numbers are those of a signed integer.
    pub signed: bool,
    /// From the first interval that is kept and that a value came in, to the newest of all keys, in order and without gap. None
    /// if no value came under any key.
    pub points: Vec<Point>,
}

/// One interval of a time series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its beginning, in nanoseconds since 1970.
    pub start: u64,
    /// What its values came to, a number of a signed or an unsigned 64-bit integer; `None` if none came.
    pub value: Option<i128>,
}
