//! The pfscript runtime: loads what the compiler made, attaches it, and turns what comes back into output.
//!
//! [`Session`] does all of it, in order. [`mod@print`], [`format`](mod@format) and [`decode`] are pure functions from bytes
//! and layouts to values and text; [`output`] is where another form than text plugs in; [`facts`] is what the compiler
//! may know of the running kernel. This is the only crate that makes system calls.

mod attach;
pub mod command;
pub mod decode;
pub mod error;
pub mod facts;
pub mod format;
mod load;
pub mod loss;
pub mod output;
mod perform;
pub mod print;
mod run;
pub mod session;
mod symbols;
mod sys;

pub use command::Command;
pub use error::{Error, ErrorKind};
pub use facts::LiveFacts;
pub use loss::{Cause, Loss};
pub use output::{Sink, Text};
pub use session::{Object, Outcome, Session, Stop, StopHandle, Target};
