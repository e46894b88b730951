//! The intermediate representation: what probes and functions do, instruction by instruction, before registers.
//!
//! A [`Module`] has maps, functions and probes; a probe names the function that is its body. A [`Function`] owns all its
//! entities in dense tables. A [`Value`] is defined once, by one instruction or as a parameter, and used in blocks that
//! its own block dominates; there are no block parameters: what joins (variables, ternaries) goes through a [`Slot`], a
//! piece of the function's memory. Values are 64 bits wide; pointers to context, maps and map values are values like
//! others, so the emitter must keep them in registers or in 8-byte spills as the kernel's verifier wants.
//!
//! [`FunctionBuilder`] makes functions, [`verify()`] checks a module against the rules, [`text`] prints it. Nothing here
//! knows the language, and nothing knows registers or instructions of eBPF.

mod builder;
mod calls;
mod dominance;
mod function;
mod inst;
mod names;
mod ops;
pub mod text;
mod verify;

pub use builder::{FunctionBuilder, MAX_COPY_BYTES};
pub use function::{BlockData, Function, Kind, Signature, SlotData, ValueDef};
pub use inst::{InstData, LINK_BYTES, SlotPlace};
pub use ops::{Arith, Condition, Width};
pub use verify::{Rule, Violation, verify, verify_with};

use crate::program::ProgramKind;
use cranelift_entity::{PrimaryMap, entity_impl};
use std::collections::BTreeMap;

/// A 64-bit value: a parameter, or the result of one instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(u32);
entity_impl!(Value, "v");

/// An instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Inst(u32);
entity_impl!(Inst, "i");

/// A basic block: instructions, the last of which is its only terminator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Block(u32);
entity_impl!(Block, "b");

/// A piece of memory of one run of a function: a variable, a key, a string, a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u32);
entity_impl!(Slot, "s");

/// Constant bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Literal(u32);
entity_impl!(Literal, "lit");

/// A map of the module.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MapId(u32);
entity_impl!(MapId, "m");

/// A function of the module.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FuncId(u32);
entity_impl!(FuncId, "f");

/// A probe of the module: one body, one program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProbeId(u32);
entity_impl!(ProbeId, "p");

/// A map as the kernel will make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapData {
    /// The ELF symbol: `pf_map_loss`, `map_0_start`.
    pub symbol: String,
    /// `BPF_MAP_TYPE_*`
    pub map_type: u32,
    /// In bytes.
    pub key_size: u32,
    /// In bytes.
    pub value_size: u32,
    /// In entries (bytes for a ring buffer).
    pub max_entries: u32,
    /// `BPF_F_*`
    pub flags: u32,
}

/// One probe of the module.
#[derive(Clone, Debug)]
pub struct ProbeData {
    /// The kind of its program.
    pub kind: ProgramKind,
    /// Whether it is narrowed to the session's process, where there is one.
    pub narrowed: bool,
    /// Whether the session can stop it by a word that it reads.
    pub stops: bool,
    /// The body, a function of [`Signature::body`] that no other probe has.
    pub body: FuncId,
}

/// All of a script, lowered.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// The maps, those of the script and those that templates need (by their symbols). The emitter adds
    /// `pf_map_scratch`, since it alone knows the frames' size.
    pub maps: PrimaryMap<MapId, MapData>,
    /// The functions: the bodies of probes, and what these call.
    pub functions: PrimaryMap<FuncId, Function>,
    /// The probes.
    pub probes: PrimaryMap<ProbeId, ProbeData>,
    /// Constants that routines want, by name (`pf_param_size.maple_node`).
    pub parameters: BTreeMap<&'static str, u64>,
}
