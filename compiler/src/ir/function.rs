//! A function: its signature, and its instructions, blocks, slots and values in dense tables.
//!
//! These are data types and look-ups. Functions are made by [`FunctionBuilder`](super::FunctionBuilder) and checked by
//! [`verify()`](super::verify()).

use super::{Block, FuncId, Inst, InstData, Literal, Slot, Value};
use cranelift_entity::{PrimaryMap, SecondaryMap};
use pfscript_grammar::Span;

/// What a parameter or result is to the kernel's verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A 64-bit number.
    Scalar,
    /// The program's context.
    Context,
    /// A map.
    Map,
    /// A key, as the kernel hands it to a callback: memory to read.
    MapKey,
    /// The value of a map's element.
    MapValue,
    /// Memory of a caller: part of one of its slots.
    Memory,
    /// The scratch memory of this run, where the emitter puts slots that the stack has no room for. Only the body of a
    /// probe has such a parameter.
    Frame,
    /// Memory of the caller in which [`InstData::Link`] put the address of its frame, and perhaps its context: a function
    /// that is called back has a part of the frame for its own slots, and can use slots of those around it.
    Link,
}

/// What a function takes and gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// At most five, in `r1` to `r5`.
    pub params: Vec<Kind>,
    /// In `r0`, if it gives one.
    pub result: Option<Kind>,
}

impl Signature {
    /// That of the body of a probe: context and frame, no result.
    pub fn body() -> Signature {
        Signature {
            params: vec![Kind::Context, Kind::Frame],
            result: None,
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueDef {
    /// It is the parameter of this index.
    Param(usize),
    /// It is the result of an instruction.
    Inst(Inst),
}

/// A slot's needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotData {
    /// In bytes; a multiple of 8, so is its alignment.
    pub size: u32,
    /// Zeroed when the function starts (a variable that a path may read before it is assigned).
    pub zeroed: bool,
    /// It is in the frame, so that the kernel's verifier does not know what it holds.
    pub framed: bool,
    /// What it holds, for dumps: `$file`, `key of @`.
    pub name: String,
    /// The slot of a function around this one that it stands for; it is in the frame then.
    pub outer: Option<(FuncId, Slot)>,
}

/// A block's instructions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockData {
    /// In order; the last one is the only terminator.
    pub insts: Vec<Inst>,
}

/// A function: the body of a probe, or what bodies and other functions call or have the kernel call back.
#[derive(Clone, Debug)]
pub struct Function {
    /// The ELF symbol. A body that is a program by itself goes by the program's instead.
    pub symbol: String,
    /// What it takes and gives.
    pub signature: Signature,
    /// The values of the parameters.
    pub params: Vec<Value>,
    /// All instructions, in the order of their making.
    pub insts: PrimaryMap<Inst, InstData>,
    /// All blocks; the first is the entry, and blocks are laid out in this order.
    pub blocks: PrimaryMap<Block, BlockData>,
    /// All slots.
    pub slots: PrimaryMap<Slot, SlotData>,
    /// All constant bytes.
    pub literals: PrimaryMap<Literal, Vec<u8>>,
    /// Each value's definition.
    pub values: PrimaryMap<Value, ValueDef>,
    /// The value that an instruction defines, if any.
    pub results: SecondaryMap<Inst, Option<Value>>,
    /// The place in the script that an instruction comes from.
    pub spans: SecondaryMap<Inst, Span>,
}

impl Function {
    /// A function without blocks.
    pub fn new(symbol: &str, signature: Signature) -> Function {
        let mut values = PrimaryMap::new();
        let params = (0..signature.params.len())
            .map(|index| values.push(ValueDef::Param(index)))
            .collect();
        Function {
            symbol: symbol.to_owned(),
            signature,
            params,
            insts: PrimaryMap::new(),
            blocks: PrimaryMap::new(),
            slots: PrimaryMap::new(),
            literals: PrimaryMap::new(),
            values,
            results: SecondaryMap::new(),
            spans: SecondaryMap::new(),
        }
    }

    /// Appends an instruction that defines a value.
    pub fn define(&mut self, block: Block, data: InstData, span: Span) -> Value {
        let inst = self.append(block, data, span);
        let value = self.values.push(ValueDef::Inst(inst));
        self.results[inst] = Some(value);
        value
    }

    /// Appends an instruction that defines no value.
    pub fn append(&mut self, block: Block, data: InstData, span: Span) -> Inst {
        let inst = self.insts.push(data);
        self.spans[inst] = span;
        self.blocks[block].insts.push(inst);
        inst
    }

    /// The instruction that a value is the result of, if it is no parameter.
    pub fn definition(&self, value: Value) -> Option<Inst> {
        match self.values[value] {
            ValueDef::Inst(inst) => Some(inst),
            ValueDef::Param(_) => None,
        }
    }

    /// What a value is, if it is a parameter.
    pub fn param_kind(&self, value: Value) -> Option<Kind> {
        match self.values[value] {
            ValueDef::Inst(_) => None,
            ValueDef::Param(index) => self.signature.params.get(index).copied(),
        }
    }

    /// Whether the emitter may put slots into scratch memory: there is a parameter for it.
    pub fn has_frame(&self) -> bool {
        self.signature.params.contains(&Kind::Frame) || self.is_linked()
    }

    /// Whether it gets the frame of the function that has it called back.
    pub fn is_linked(&self) -> bool {
        self.signature.params.contains(&Kind::Link)
    }

    /// The functions that it calls or takes the address of, in the order of the instructions.
    pub fn callees(&self) -> impl Iterator<Item = FuncId> {
        self.insts.values().filter_map(InstData::callee)
    }

    /// Whether a block already ends in a terminator.
    pub fn is_terminated(&self, block: Block) -> bool {
        self.blocks[block]
            .insts
            .last()
            .is_some_and(|&inst| self.insts[inst].is_terminator())
    }
}
