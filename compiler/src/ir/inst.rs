//! Instructions: what each one does, which values it uses, whether it defines one.
//!
//! These are data types and questions about them. What an operation computes is in `ops`; which registers hold the values is
//! the emitter's affair.

use super::{Arith, Block, Condition, FuncId, Literal, MapId, Slot, Value, Width};

/// A place in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotPlace {
    /// The slot.
    pub slot: Slot,
    /// Bytes from its start.
    pub offset: u32,
}

impl SlotPlace {
    /// The place so many bytes further.
    pub fn at(self, bytes: u32) -> SlotPlace {
        SlotPlace {
            offset: self.offset + bytes,
            ..self
        }
    }
}

impl From<Slot> for SlotPlace {
    fn from(slot: Slot) -> SlotPlace {
        SlotPlace { slot, offset: 0 }
    }
}

/// Bytes of what [`InstData::Link`] fills: two pointers.
pub const LINK_BYTES: u32 = 16;

/// What an instruction does. Offsets and sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstData {
    /// A constant.
    Const(i64),
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
    /// A load through a pointer that the kernel's verifier knows: context, map value, memory of a caller.
    Load {
        base: Value,
        offset: i32,
        width: Width,
        signed: bool,
    },
    /// A store through a pointer to a map value or to memory of a caller.
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
        from: SlotPlace,
        to: SlotPlace,
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
    /// Puts the address of the frame, and the context if `context`, into a slot of [`LINK_BYTES`] bytes, for a function
    /// that is called back with the slot's address as its [`Kind::Link`](super::Kind::Link).
    Link { slot: Slot, context: bool },
    /// The program's context, in a function that has it from its link.
    Context,
    /// A map, as helpers and routines take it.
    MapPointer(MapId),
    /// The address of a function, as helpers that call back take it.
    FuncAddr(FuncId),
    /// Calls a function of the module.
    Call { function: FuncId, args: Vec<Value> },
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
    /// Terminator: leaves the function, with its result if it has one.
    Return(Option<Value>),
}

impl InstData {
    /// Whether it ends a block.
    pub fn is_terminator(&self) -> bool {
        matches!(
            self,
            InstData::Jump(_) | InstData::Branch { .. } | InstData::Return(_)
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
                    | InstData::Link { .. }
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
            InstData::Call { args, .. }
            | InstData::CallHelper { args, .. }
            | InstData::CallRoutine { args, .. } => args.iter().copied().for_each(f),
            InstData::Return(value) => value.iter().copied().for_each(f),
            InstData::Const(_)
            | InstData::SlotAddr { .. }
            | InstData::SlotLoad { .. }
            | InstData::SlotZero { .. }
            | InstData::SlotCopy { .. }
            | InstData::SlotBytes { .. }
            | InstData::Link { .. }
            | InstData::Context
            | InstData::MapPointer(_)
            | InstData::FuncAddr(_)
            | InstData::Jump(_) => {}
        }
    }

    /// Calls `f` with each part of a slot that is read or written: the slot, the first byte and how many. An address
    /// that is taken is no access.
    pub fn for_each_slot_access(&self, mut f: impl FnMut(Slot, u32, u32)) {
        match *self {
            InstData::SlotLoad {
                slot,
                offset,
                width,
                ..
            }
            | InstData::SlotStore {
                slot,
                offset,
                width,
                ..
            } => f(slot, offset, width.bytes()),
            InstData::SlotZero {
                slot,
                offset,
                bytes,
            }
            | InstData::LoadBytes {
                slot,
                offset,
                bytes,
                ..
            }
            | InstData::SlotBytes {
                slot,
                offset,
                bytes,
                ..
            } => f(slot, offset, bytes),
            InstData::SlotCopy { from, to, bytes } => {
                f(from.slot, from.offset, bytes);
                f(to.slot, to.offset, bytes);
            }
            InstData::Link { slot, .. } => f(slot, 0, LINK_BYTES),
            InstData::Const(_)
            | InstData::Context
            | InstData::Arith { .. }
            | InstData::Compare { .. }
            | InstData::Extend { .. }
            | InstData::Load { .. }
            | InstData::Store { .. }
            | InstData::AtomicAdd { .. }
            | InstData::SlotAddr { .. }
            | InstData::MapPointer(_)
            | InstData::FuncAddr(_)
            | InstData::Call { .. }
            | InstData::CallHelper { .. }
            | InstData::CallRoutine { .. }
            | InstData::Jump(_)
            | InstData::Branch { .. }
            | InstData::Return(_) => {}
        }
    }

    /// Calls `f` with each block that may follow.
    pub fn for_each_successor(&self, mut f: impl FnMut(Block)) {
        match *self {
            InstData::Jump(target) => f(target),
            InstData::Branch {
                then, otherwise, ..
            } => {
                f(then);
                f(otherwise);
            }
            _ => {}
        }
    }

    /// The function of the module that it calls or takes the address of.
    pub fn callee(&self) -> Option<FuncId> {
        match *self {
            InstData::Call { function, .. } | InstData::FuncAddr(function) => Some(function),
            _ => None,
        }
    }

    /// The arguments, if it is a call. Calls clobber the registers that are not preserved.
    pub fn call_args(&self) -> Option<&[Value]> {
        match self {
            InstData::Call { args, .. }
            | InstData::CallHelper { args, .. }
            | InstData::CallRoutine { args, .. } => Some(args),
            _ => None,
        }
    }
}
