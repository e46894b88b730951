//! The intermediate representation: what one probe's body does, instruction by instruction, before registers.
//!
//! A [`Function`] owns all its entities in dense tables. A [`Value`] is defined once, by one instruction, and used in
//! blocks that its own block dominates; there are no block parameters: what joins (variables, ternaries) goes through
//! a [`Slot`], a piece of the body's memory. Values are 64 bits wide; pointers to context, maps and map values are
//! values like others, so the emitter must keep them in registers or in 8-byte spills as the verifier wants.

use crate::program::ProgramKind;
use cranelift_entity::{PrimaryMap, SecondaryMap, entity_impl};
use pfscript_grammar::Span;

/// A 64-bit value, the result of one instruction.
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

/// A piece of memory of one run of the body: a variable, a key, a string, a record.
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

/// A probe of the module: one function, one program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProbeId(u32);
entity_impl!(ProbeId, "p");

/// The size of a memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Width {
    W8,
    W16,
    W32,
    W64,
}

impl Width {
    /// In bytes.
    pub fn bytes(self) -> u32 {
        match self {
            Width::W8 => 1,
            Width::W16 => 2,
            Width::W32 => 4,
            Width::W64 => 8,
        }
    }

    /// The width of `bytes` bytes, if a load can have it.
    pub fn of(bytes: u32) -> Option<Width> {
        match bytes {
            1 => Some(Width::W8),
            2 => Some(Width::W16),
            4 => Some(Width::W32),
            8 => Some(Width::W64),
            _ => None,
        }
    }
}

/// 64-bit arithmetic. Division and remainder by zero give 0 and the dividend, as in eBPF; signed division is a routine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Arith {
    Add,
    Sub,
    Mul,
    UDiv,
    UMod,
    And,
    Or,
    Xor,
    Shl,
    LShr,
    AShr,
}

/// 64-bit comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Condition {
    Eq,
    Ne,
    ULt,
    ULe,
    UGt,
    UGe,
    SLt,
    SLe,
    SGt,
    SGe,
}

/// What an instruction does. Offsets and sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstData {
    /// A constant.
    Const(i64),
    /// The probe's context pointer.
    Context,
    /// `args[0] op args[1]`
    Arith { op: Arith, args: [Value; 2] },
    /// 1 or 0
    Compare {
        condition: Condition,
        args: [Value; 2],
    },
    /// The low `width` bits of `arg`, sign- or zero-extended.
    Extend {
        width: Width,
        signed: bool,
        arg: Value,
    },
    /// A load through a pointer that the verifier knows: context or map value.
    Load {
        base: Value,
        offset: i32,
        width: Width,
        signed: bool,
    },
    /// A store through a pointer to a map value.
    Store {
        base: Value,
        offset: i32,
        width: Width,
        value: Value,
    },
    /// Adds a 64-bit value to a word of a map value, atomically.
    AtomicAdd {
        /// Pointer to a map value.
        base: Value,
        /// In bytes.
        offset: i32,
        /// What is added.
        value: Value,
    },
    /// The address of a byte of a slot.
    SlotAddr { slot: Slot, offset: u32 },
    /// A load from a slot.
    SlotLoad {
        slot: Slot,
        offset: u32,
        width: Width,
        signed: bool,
    },
    /// A store to a slot.
    SlotStore {
        slot: Slot,
        offset: u32,
        width: Width,
        value: Value,
    },
    /// Zeroes `bytes` bytes of a slot.
    SlotZero { slot: Slot, offset: u32, bytes: u32 },
    /// Copies `bytes` bytes between slots (which do not overlap).
    SlotCopy {
        from: Slot,
        from_offset: u32,
        to: Slot,
        to_offset: u32,
        bytes: u32,
    },
    /// Copies `bytes` bytes from a map value to a slot.
    LoadBytes {
        base: Value,
        slot: Slot,
        offset: u32,
        bytes: u32,
    },
    /// Writes a literal, then zeroes up to `bytes` bytes in all.
    SlotBytes {
        slot: Slot,
        offset: u32,
        literal: Literal,
        bytes: u32,
    },
    /// A map, as helpers and routines take it.
    MapPointer(MapId),
    /// Calls helper number `helper` (`enum bpf_func_id`); at most five arguments.
    CallHelper { helper: u32, args: Vec<Value> },
    /// Calls a routine of the template library; at most five arguments.
    CallRoutine {
        routine: &'static str,
        args: Vec<Value>,
    },
    /// Terminator.
    Jump(Block),
    /// Terminator: `if args[0] condition args[1] goto then else goto otherwise`.
    Branch {
        condition: Condition,
        args: [Value; 2],
        then: Block,
        otherwise: Block,
    },
    /// Terminator: leaves the body.
    Return,
}

impl InstData {
    /// Whether it ends a block.
    pub fn is_terminator(&self) -> bool {
        matches!(
            self,
            InstData::Jump(_) | InstData::Branch { .. } | InstData::Return
        )
    }

    /// Whether it defines a value. Calls do, used or not.
    pub fn has_result(&self) -> bool {
        !self.is_terminator()
            && !matches!(
                self,
                InstData::Store { .. }
                    | InstData::AtomicAdd { .. }
                    | InstData::SlotStore { .. }
                    | InstData::SlotZero { .. }
                    | InstData::SlotCopy { .. }
                    | InstData::LoadBytes { .. }
                    | InstData::SlotBytes { .. }
            )
    }

    /// Calls `f` with each operand, in order.
    pub fn for_each_operand(&self, mut f: impl FnMut(Value)) {
        match self {
            InstData::Arith { args, .. }
            | InstData::Compare { args, .. }
            | InstData::Branch { args, .. } => args.iter().copied().for_each(f),
            InstData::Extend { arg, .. } => f(*arg),
            InstData::Load { base, .. } | InstData::LoadBytes { base, .. } => f(*base),
            InstData::Store { base, value, .. } | InstData::AtomicAdd { base, value, .. } => {
                f(*base);
                f(*value);
            }
            InstData::SlotStore { value, .. } => f(*value),
            InstData::CallHelper { args, .. } | InstData::CallRoutine { args, .. } => {
                args.iter().copied().for_each(f);
            }
            InstData::Const(_)
            | InstData::Context
            | InstData::SlotAddr { .. }
            | InstData::SlotLoad { .. }
            | InstData::SlotZero { .. }
            | InstData::SlotCopy { .. }
            | InstData::SlotBytes { .. }
            | InstData::MapPointer(_)
            | InstData::Jump(_)
            | InstData::Return => {}
        }
    }
}

/// A slot's needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotData {
    /// In bytes; a multiple of 8, so is its alignment.
    pub size: u32,
    /// Zeroed when the body starts (a variable that a path may read before it is assigned).
    pub zeroed: bool,
    /// What it holds, for dumps: `$file`, `key of @`.
    pub name: String,
}

/// A block's instructions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockData {
    /// In order; the last one is the only terminator.
    pub insts: Vec<Inst>,
}

/// The body of one probe.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// All instructions, in the order of their making.
    pub insts: PrimaryMap<Inst, InstData>,
    /// All blocks; the first is the entry, and blocks are laid out in this order.
    pub blocks: PrimaryMap<Block, BlockData>,
    /// All slots.
    pub slots: PrimaryMap<Slot, SlotData>,
    /// All constant bytes.
    pub literals: PrimaryMap<Literal, Vec<u8>>,
    /// Each value's defining instruction.
    pub values: PrimaryMap<Value, Inst>,
    /// The value that an instruction defines, if any.
    pub results: SecondaryMap<Inst, Option<Value>>,
    /// The place in the script that an instruction comes from.
    pub spans: SecondaryMap<Inst, Span>,
}

impl Function {
    /// Appends an instruction to a block; returns the value that it defines, if it defines one.
    pub fn push(&mut self, block: Block, data: InstData, span: Span) -> Option<Value> {
        let has_result = data.has_result();
        let inst = self.insts.push(data);
        self.spans[inst] = span;
        self.blocks[block].insts.push(inst);
        if !has_result {
            return None;
        }
        let value = self.values.push(inst);
        self.results[inst] = Some(value);
        Some(value)
    }

    /// Whether a block already ends in a terminator.
    pub fn is_terminated(&self, block: Block) -> bool {
        self.blocks[block]
            .insts
            .last()
            .is_some_and(|&inst| self.insts[inst].is_terminator())
    }
}

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
    /// The body.
    pub body: Function,
}

/// All of a script, lowered.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// The maps, those of the script and those that templates need (by their symbols). The emitter adds
    /// `pf_map_scratch`, since it alone knows the frames' size.
    pub maps: PrimaryMap<MapId, MapData>,
    /// The probes.
    pub probes: PrimaryMap<ProbeId, ProbeData>,
}
