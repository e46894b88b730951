//! The pfscript grammar: from the bytes of a script to a syntax tree, or to diagnostics that point at the place.
//!
//! Nothing here does I/O, and nothing here panics, whatever the bytes.
//!
//! ```
//! let source = "BEGIN { printf(\"%d\\n\", 1 +) }";
//! let errors = pfscript_grammar::parse(source).unwrap_err();
//! let text = pfscript_grammar::render(&errors, "hello.pf", source, false);
//! assert!(text.contains("error: expected an expression, found `)`"));
//! assert!(text.contains("hello.pf:1:27"));
//! ```

// The code that pest derives without its `std` names this crate.
extern crate alloc;

pub mod ast;
pub mod diagnostic;
pub mod dump;
pub mod escape;
pub mod format;
mod literal;
mod parse;
mod preprocess;
mod render;
mod rule;
mod scan;
pub mod span;
mod syntax_error;
mod tree;

pub use diagnostic::{Diagnostic, Severity};
pub use dump::dump;
pub use escape::{escape, escape_bytes};
pub use format::format;
pub use parse::{Asked, decode, includes, parse};
pub use render::render;
pub use scan::{MAX_DEPTH, MAX_OPERANDS};
pub use span::{Span, Spanned};

/// The largest script that is read, in bytes.
pub const MAX_SOURCE_BYTES: usize = 1 << 20;
