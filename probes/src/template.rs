//! What a template is: a function with places that a linker fills. The build script reads templates from objects too, so nothing
//! here knows the rest of the crate.

use std::borrow::Cow;

/// The symbol of the hole in an entry that the script's body fills.
pub const BODY: &str = "pf_body";
/// How the symbols of maps begin.
pub const MAP_PREFIX: &str = "pf_map_";
/// How the symbols of constants that a program brings begin.
pub const PARAMETER_PREFIX: &str = "pf_param_";

/// What a relocation of a template refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referent<'a> {
    /// A call of another template function, by name.
    Call(&'a str),
    /// The address of a template function (a callback), by name.
    Callback(&'a str),
    /// A call of the script's body.
    Hole,
    /// A map that the program must bring, by name (`pf_map_loss`).
    Map(&'a str),
    /// A 64-bit constant that the program must bring, by name (`pf_param_loss`).
    Parameter(&'a str),
}

/// A place in a template's code that the linker fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation<'a> {
    /// The instruction's index in the template's code (8 bytes an instruction; `ld_imm64` takes two).
    pub instruction: usize,
    /// What goes there.
    pub referent: Referent<'a>,
}

/// One prebuilt function.
#[derive(Clone, Debug)]
pub struct Template<'a> {
    /// Its symbol.
    pub name: &'a str,
    /// Name and parameters as its source spells them: `pf_count(void *map, const void *key, __u64 loss)`.
    pub signature: &'a str,
    /// Its instructions, 8 bytes each, as in the ELF file, but for the immediate fields to fill, which are zero.
    pub code: Cow<'a, [u8]>,
    /// The places to fill, by rising index.
    pub relocations: &'a [Relocation<'a>],
}
