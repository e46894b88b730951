//! What a session tells its sink, in order. These are data alone: `session` and `perform` make them, a sink shows them.

use super::format::Printf;
use super::growth::GrowthReport;
use super::memory::Memory;
use super::place::{Failure, Place};
use super::table::Table;
use super::value::Value;
use crate::loss::Loss;
use std::time::Duration;

/// What a benchmark came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Benchmark {
    /// The script's name for it.
    pub name: String,
    /// How long a run takes, in nanoseconds.
    pub average_ns: u64,
    /// How many times it was run.
    pub iterations: u64,
}

/// What a test came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// The script's name for it.
    pub name: String,
    /// Whether it went well.
    pub passed: bool,
    /// How long it took, the call of the kernel included.
    pub took: Duration,
}

/// How far the tests of a script are.
#[derive(Clone, Copy, Debug)]
pub enum Testing<'a> {
    /// So many are run now.
    Begin(usize),
    /// The one of this name is run.
    Runs(&'a str),
    /// It was run.
    Ran(&'a TestResult),
    /// All were, in this order.
    End(&'a [TestResult]),
}

/// What a script says of itself, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said<'a> {
    /// `errorf`, not `warnf`.
    pub error: bool,
    /// The text, without a newline at its end.
    pub text: &'a [u8],
    /// Where it says so.
    pub place: Place<'a>,
}

/// Something that happened. Strings in it are as they came from the traced system; nothing is escaped.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// So many probes are attached. What `BEGIN` printed comes before it.
    Attached(usize),
    /// The script printed a format with its arguments.
    Printf(Printf<'a>),
    /// The script printed the time, by `strftime`.
    Time(Vec<u8>),
    /// The script printed the beginning of a file.
    File(Vec<u8>),
    /// A command that the script runs wrote something: whole lines, if they are not too long.
    Command(Vec<u8>),
    /// The script printed the strings of an array, joined.
    Joined(Vec<u8>),
    /// The script printed a value.
    Value(Value),
    /// The script printed a map, or it is printed at the end.
    Map(Table<'a>),
    /// What a map held when it was emptied, or holds when tracing has ended: all of it, whatever is printed. Only where pictures are made,
    /// and not for sinks.
    Held(Table<'a>),
    /// What is resident now.
    Memory(&'a Memory),
    /// By what processes have grown: when the script prints it, and at the end.
    Growth(&'a GrowthReport),
    /// All benchmarks were run, in this order.
    Benchmarks(&'a [Benchmark]),
    /// Tests are run.
    Testing(Testing<'a>),
    /// Tracing has ended; what follows are the maps that are printed at the end, and losses.
    Ended,
    /// Something was lost.
    Lost(&'a Loss),
    /// Something failed at a place in the script, and places are asked for.
    Failed(Failure<'a>),
    /// The script said what is wrong (`errorf`, `warnf`).
    Said(Said<'a>),
    /// All probes are attached; for whoever waits for that line among the results.
    Notice,
    /// What the session is doing, for those who want to know more.
    Message(&'a str),
}
