//! The pfscript runtime: loads what the compiler made, attaches it, and turns what comes back into output.
//!
//! [`Session`] does all of it, in order. What it tells is decoded once, into [`results`]; a [`Sink`] takes that and
//! writes it ([`sinks`]). [`facts`] is what the compiler may know of the running kernel. This is the only crate that makes
//! system calls.

mod attach;
mod bytes;
pub mod command;
mod elf;
pub mod error;
pub mod facts;
mod generations;
mod jvm;
mod load;
mod local_time;
pub mod loss;
mod memory;
mod naming;
mod output_file;
mod outside;
mod perform;
pub mod pictures;
mod processes;
mod progress;
mod python;
mod raw_table;
mod refusal;
mod resident;
mod rests;
pub mod results;
mod ring;
mod runtimes;
mod series;
pub mod session;
pub mod sinks;
mod stack_tables;
mod stop;
mod symbols;
mod sys;
mod tally;
#[cfg(fuzzing)]
pub mod untrusted;
#[cfg(all(test, not(fuzzing)))]
mod untrusted;
pub mod unwind;
mod unwind_maps;
mod unwind_tables;

pub use command::Command;
pub use error::{Error, ErrorKind};
pub use facts::LiveFacts;
pub use loss::{Cause, Loss};
pub use output_file::OutputFile;
pub use pfscript_compiler::Object;
pub use results::Event;
pub use runtimes::Runtimes;
pub use session::{Outcome, Session, Stop, StopHandle, Target};
pub use sinks::{FORMS, Form, Json, Sink, Text, Writers};
