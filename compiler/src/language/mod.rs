//! The language's names: one table row for each builtin and each function. The type checker and the language reference
//! read these tables; adding a row is all it takes to add a name.

pub mod builtins;
mod format;
pub mod functions;
pub mod later;
pub mod signature;

pub use builtins::{BUILTINS, Builtin};
pub use functions::FunctionRow;

/// The reference of all builtins and functions, as Markdown tables (a part of `docs/language.md`).
pub fn reference() -> String {
    let mut out = String::from("### Builtins\n\n| name | type | what it is |\n|---|---|---|\n");
    for row in BUILTINS {
        out += &format!("| `{}` | {} | {} |\n", row.name, row.ty, row.doc);
    }
    out += "\n### Functions\n\n| call | what it does |\n|---|---|\n";
    for row in functions::all() {
        let call = row.signature.replace('|', "\\|");
        out += &format!("| `{call}` | {} |\n", row.doc);
    }
    out
}
