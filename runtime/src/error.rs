//! The crate's one error type.
//!
//! Errors of a script before it runs are diagnostics (`pfscript_grammar`). What was lost is no error but a
//! [`Loss`](crate::loss::Loss).

use pfscript_grammar::Span;
use std::fmt;
use std::io;

/// What kind of thing went wrong; the exit status and the place of the blame depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A right is missing.
    Permission,
    /// The kernel lacks something, or refuses it.
    Kernel,
    /// An attach point can't be attached to.
    Attach,
    /// The command or process to trace can't be had.
    Target,
    /// Our own fault.
    Bug,
    /// Output could not be written.
    Output,
}

/// Why a session could not begin or go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of thing went wrong.
    pub kind: ErrorKind,
    /// What was being done, to what, and why it failed: one line, without a final period.
    pub message: String,
    /// What to try.
    pub help: Option<String>,
    /// The place in the script that it is about.
    pub span: Option<Span>,
    /// Lines for a bug report, such as the end of the verifier's log.
    pub detail: Option<String>,
}

impl Error {
    /// An error without help, place and detail.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error {
            kind,
            message: message.into(),
            help: None,
            span: None,
            detail: None,
        }
    }

    /// With advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Error {
        self.help = Some(help.into());
        self
    }

    /// With a place in the script.
    #[must_use]
    pub fn at(mut self, span: Span) -> Error {
        self.span = Some(span);
        self
    }

    /// With lines for a bug report.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Error {
        self.detail = Some(detail.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\nhelp: {help}")?;
        }
        if let Some(detail) = &self.detail {
            write!(f, "\n{detail}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// An error of the kernel's in `doing` something.
pub(crate) fn kernel_error(doing: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| Error::new(ErrorKind::Kernel, format!("{doing}: {error}"))
}

/// Why delivery stopped.
pub(crate) enum Halt {
    /// The sink refuses.
    Output(io::Error),
    /// Anything else.
    Error(Error),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Halt {
        Halt::Output(error)
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Halt {
        Halt::Error(error)
    }
}
