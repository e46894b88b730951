//! What a script hands to `printf`. It stays apart, so that each sink can make text of it in its own way, or take the
//! arguments as values.

use super::value::Value;
use pfscript_compiler::manifest::FormatPiece;

/// A format and its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Printf<'a> {
    /// Text of the script's own and conversions, each of which takes the next argument.
    pub pieces: &'a [FormatPiece],
    /// The arguments in order.
    pub arguments: Vec<Argument>,
}

/// An argument of a format.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// What was given.
    pub value: Value,
    /// In bytes, for integers and booleans: `%x` of a one-byte -1 is not that of an eight-byte one. Else 8.
    pub size: u32,
}
