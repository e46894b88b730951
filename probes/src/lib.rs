//! The template library: prebuilt eBPF routines and probe programs, and the specifications of the maps that they use.
//!
//! The C sources are in `bpf/`, what clang made of them in `prebuilt/`; the build script makes [`library()`] of that. A template's
//! unresolved references are its parameters: maps (`pf_map_*`), constants (`pf_param_*`), other templates, and the
//! hole that the script's body fills (`pf_body`).

pub mod abi;
mod catalogue;
pub mod features;
#[cfg(test)]
mod interpreter;
pub mod library;
pub mod maps;
#[cfg(test)]
mod objects;
pub mod template;

pub use abi::{LOSS_CAUSES, LossCause};
pub use features::{FEATURES, Feature, FeatureInfo};
pub use library::{Library, library};
pub use maps::MapTemplate;
pub use template::{Referent, Relocation, Template};
