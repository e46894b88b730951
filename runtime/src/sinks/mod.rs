//! Who takes a session's events: the trait, and the forms that the crate has itself. A sink sees nothing but
//! [`crate::results`]. A new form is a file here.

mod form;
mod histogram;
pub mod json;
mod printf;
pub mod text;

pub use json::Json;
pub use text::Text;

use crate::results::Event;
use std::io;

/// A consumer of a session's events. Errors end the session; `BrokenPipe` ends it quietly.
pub trait Sink {
    /// Takes an event. Kinds that it does not know are to be passed over.
    ///
    /// # Errors
    /// If it can't be written.
    fn event(&mut self, event: &Event<'_>) -> io::Result<()>;

    /// Nothing more is to come for the moment.
    ///
    /// # Errors
    /// If it can't be written.
    fn flush(&mut self) -> io::Result<()>;
}
