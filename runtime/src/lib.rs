//! The pfscript runtime: loads what the compiler made, attaches it, and turns what comes back into output.
//!
//! [`Session`] does all of it, in order. The other public modules are its parts, each usable by itself: [`print`] and
//! [`format`] are pure functions from bytes and layouts to text; [`decode`] reads maps; [`output`] is where another
//! form than text plugs in. This is the only crate that makes system calls.

pub mod attach;
pub mod command;
pub mod decode;
pub mod error;
pub mod facts;
pub mod format;
pub mod load;
pub mod loss;
pub mod output;
pub mod print;
pub mod session;
pub mod symbols;
mod sys;

pub use command::Command;
pub use error::{Error, ErrorKind};
pub use facts::LiveFacts;
pub use loss::{Cause, Loss};
pub use output::{Sink, Text};
pub use session::{Object, Outcome, Session, Stop, StopHandle, Target};
