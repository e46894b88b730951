//! What bpftrace's language has and pfscript does not have yet: one row for each name. The answer to each is
//! "… is not supported yet", where a name that neither knows gets "unknown …".
//!
//! Left out: constructs of the syntax, which the grammar keeps as `Unsupported` nodes, and probe types, which the registry of
//! providers lists.

use pfscript_grammar::{Diagnostic, Span};

/// What a missing name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value without arguments, `name` or `name()`.
    Builtin,
    /// A function.
    Function,
    /// A conversion of `printf`.
    Conversion,
}

use Kind::{Builtin, Conversion, Function};

/// The names.
pub const LATER: &[(&str, Kind)] = &[
    ("path", Function),
    ("skboutput", Function),
    ("socket_cookie", Function),
    ("unwatch", Function),
    ("%b", Conversion),
];

impl Kind {
    /// As messages call it.
    pub fn describe(self) -> &'static str {
        match self {
            Builtin => "builtin",
            Function => "function",
            Conversion => "conversion",
        }
    }
}

/// "… is not supported yet", if the name is one of the table, and of one of these kinds.
pub fn later(name: &str, kinds: &[Kind]) -> Option<String> {
    let &(name, kind) = LATER
        .iter()
        .find(|row| row.0 == name && kinds.contains(&row.1))?;
    Some(format!(
        "the {} `{name}` is not supported yet",
        kind.describe()
    ))
}

/// The same as an error at a place.
pub fn diagnostic(name: &str, kinds: &[Kind], span: Span) -> Option<Diagnostic> {
    later(name, kinds).map(|message| Diagnostic::error(span, message))
}
