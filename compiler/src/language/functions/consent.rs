//! The consent that functions need which do more than look.

use crate::sema::Checker;
use pfscript_grammar::{Diagnostic, Span};

/// Answers a function that may not be called without consent.
pub(super) fn consent(checker: &Checker<'_>, what: &str, span: Span) -> Result<(), Diagnostic> {
    match checker.options.allows_unsafe {
        true => Ok(()),
        false => Err(Diagnostic::error(
            span,
            format!("{what}, which a script may not do by itself"),
        )
        .help("if you trust the script, allow it with `--unsafe`")),
    }
}
