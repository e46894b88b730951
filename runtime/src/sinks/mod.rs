//! Who takes a session's events: the trait, and the forms that the crate has itself. A sink sees nothing but
//! [`crate::results`]. A new form is a file here and its line in [`FORMS`].

mod allocation_flags;
mod form;
mod growth;
mod histogram;
pub mod json;
mod memory;
mod printf;
mod series;
pub mod text;

pub use json::Json;
pub use text::Text;

use crate::results::{Event, GrowthReport, Printf, Value};
use std::io::{self, Write};

/// A form of output that can be asked for by name.
#[derive(Debug)]
pub struct Form {
    /// As `-f` spells it.
    pub name: &'static str,
    /// What it is, in a few words that follow the name.
    pub doc: &'static str,
    /// Makes a sink that writes there.
    pub sink: fn(Writers) -> Box<dyn Sink>,
}

/// Where a form writes.
pub struct Writers {
    /// For results.
    pub results: Box<dyn Write>,
    /// For messages, of a form that keeps them apart.
    pub messages: Box<dyn Write>,
    /// How many columns the terminal has at the moment that results are for; `None` if they are for none.
    pub columns: Columns,
}

/// Says how wide the output is.
pub type Columns = Box<dyn Fn() -> Option<usize>>;

/// All forms; the first one is the default.
pub const FORMS: &[Form] = &[text::FORM, json::FORM];

/// The line that says in any form that all probes are attached: bpftrace's, under the name of the variable that asks for it.
pub const NOTICE: &[u8] = b"__BPFTRACE_NOTIFY_PROBES_ATTACHED\n";

/// What a format makes of its arguments, as it is: for what is not printed.
pub(crate) fn formatted(format: &Printf<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    printf::printf(format, json::raw, &mut text);
    text
}

/// A value as text, as it is: for what is not printed.
pub(crate) fn shown(value: &Value) -> Vec<u8> {
    let mut text = Vec::new();
    form::value(value, json::raw, &mut text);
    text
}

/// By what processes have grown, as the text sink has it.
pub(crate) fn growth_text(report: &GrowthReport) -> Vec<u8> {
    let mut text = Vec::new();
    growth::report(report, text::escaped, &mut text);
    text
}

pub(crate) use form::short_name;
pub(crate) use growth::size;

/// Appends formatted text.
fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector can't fail.
    let _ = out.write_fmt(text);
}

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
