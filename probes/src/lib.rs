//! The template library: prebuilt eBPF routines and probe programs, and the specifications of the maps that they use.
//!
//! The C sources are in `bpf/`, what clang made of them in `prebuilt/`; [`library()`] reads the latter. A template's
//! unresolved references are its parameters: maps (`pf_map_*`), constants (`pf_param_*`), other templates, and the
//! hole that the script's body fills (`pf_body`).

use std::borrow::Cow;

pub mod abi;
mod catalogue;
pub mod features;
#[cfg(test)]
mod interpreter;
pub mod library;
pub mod maps;

pub use abi::{LOSS_CAUSES, LossCause};
pub use features::{FEATURES, Feature, FeatureInfo};
pub use library::{Library, LibraryError, library};
pub use maps::MapTemplate;

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
    pub relocations: Vec<Relocation<'a>>,
}
