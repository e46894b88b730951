//! The language's names: one table row for each builtin and each function, and one macro for what can be said in the
//! language itself. The type checker and the language reference read these tables; adding a row is all it takes to add a
//! name.

pub mod builtins;
pub(crate) mod constants;
mod format;
pub mod functions;
pub mod later;
pub mod macros;
pub(crate) mod parameters;
pub mod prelude;
pub mod signature;

use crate::sema::Checker;
pub use builtins::{BUILTINS, Builtin};
pub use functions::FunctionRow;
use pfscript_grammar::{Diagnostic, Span};
use prelude::PRELUDE;

/// The names of all builtins, those of the prelude included.
pub fn names() -> impl Iterator<Item = &'static str> {
    let builtins = BUILTINS.iter().map(|row| row.name);
    builtins.chain(prelude_names(true))
}

/// The names of all functions, those of the prelude included.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    let functions = functions::all().map(|row| row.name);
    functions.chain(prelude_names(false))
}

/// What the probe at hand does not have.
fn not_here(checker: &Checker<'_>, name: &str, span: Span) -> Diagnostic {
    let probes = checker.probe.provider.info().names[0];
    let message = format!("`{name}` is not available in `{probes}` probes");
    Diagnostic::error(span, message)
}

fn prelude_names(without_parameters: bool) -> impl Iterator<Item = &'static str> {
    PRELUDE
        .iter()
        .map(|row| &row.definition)
        .filter(move |definition| definition.params.is_empty() == without_parameters)
        .map(|definition| definition.name.node.as_str())
}

/// The reference of all builtins and functions, as Markdown tables (a part of `docs/language.md`).
pub fn reference(example: impl Fn(&str) -> String) -> String {
    let mut out =
        String::from("### Builtins\n\n| name | type | what it is | example |\n|---|---|---|---|\n");
    let builtin = |name: &str, ty: &str, doc: &str| {
        format!("| `{name}` | {ty} | {doc} | {} |\n", example(name))
    };
    for row in BUILTINS {
        out += &builtin(row.name, row.ty, row.doc);
    }
    let (names, calls): (Vec<_>, Vec<_>) = PRELUDE
        .iter()
        .partition(|row| row.definition.params.is_empty());
    for row in names {
        out += &builtin(&row.definition.name.node, row.ty, row.doc);
    }
    out += "\n### Functions\n\n| call | what it does | example |\n|---|---|---|\n";
    let function = |call: &str, name: &str, doc: &str| {
        let call = call.replace('|', "\\|");
        format!("| `{call}` | {doc} | {} |\n", example(name))
    };
    for row in functions::all() {
        out += &function(row.signature, row.name, row.doc);
    }
    for row in calls {
        let call = format!("{} -> {}", row.definition.head(), row.ty);
        out += &function(&call, &row.definition.name.node, row.doc);
    }
    out
}
