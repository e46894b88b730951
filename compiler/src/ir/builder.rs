//! Building a function: instructions go to the current block and get the current place in the script.
//!
//! What defines a value and what is done for its effect are different methods, so no caller has to say what stands for
//! a value that is not there. The builder also hands out the temporary slots of a statement, which the next one reuses.
//! It knows nothing of the script: maps, variables and counters of losses are its caller's.

use super::{
    Arith, Block, Condition, FuncId, Function, InstData, MapId, Signature, Slot, SlotData,
    SlotPlace, Value, Width,
};
use pfscript_grammar::Span;
use pfscript_probes::abi::helper;

/// A function in the making.
#[derive(Debug)]
pub struct FunctionBuilder {
    function: Function,
    block: Block,
    span: Span,
    /// Temporary slots of earlier statements that are free again, and those that this statement uses.
    free: Vec<Slot>,
    busy: Vec<Slot>,
    /// Where reads through pointers land before they are loaded.
    landing: Option<Slot>,
}

impl FunctionBuilder {
    /// Starts a function, in its first block.
    pub fn new(symbol: &str, signature: Signature) -> FunctionBuilder {
        let mut function = Function::new(symbol, signature);
        let block = function.blocks.push(Default::default());
        FunctionBuilder {
            function,
            block,
            span: Span::default(),
            free: Vec::new(),
            busy: Vec::new(),
            landing: None,
        }
    }

    /// The function as it is so far.
    pub fn function(&self) -> &Function {
        &self.function
    }

    /// The function. Its blocks must have been ended.
    pub fn finish(self) -> Function {
        self.function
    }

    /// The value of a parameter; none if the signature has fewer.
    pub fn param(&self, index: usize) -> Option<Value> {
        self.function.params.get(index).copied()
    }

    // Places in the script.

    /// Gives the instructions that follow a place in the script; returns the one before, to go back to.
    pub fn set_span(&mut self, span: Span) -> Span {
        std::mem::replace(&mut self.span, span)
    }

    /// The place of the instructions that follow.
    pub fn span(&self) -> Span {
        self.span
    }

    // Blocks.

    /// A new block, empty and not yet reached.
    pub fn block(&mut self) -> Block {
        self.function.blocks.push(Default::default())
    }

    /// The block that instructions go to.
    pub fn current(&self) -> Block {
        self.block
    }

    /// Goes on in a block.
    pub fn switch_to(&mut self, block: Block) {
        self.block = block;
    }

    /// Whether the current block has ended: what would follow is never reached, and must not be built.
    pub fn is_terminated(&self) -> bool {
        self.function.is_terminated(self.block)
    }

    /// Goes on in a new block behind the current one and `ends`, unless none of them gets there.
    pub fn join(&mut self, ends: &[Block]) {
        let open: Vec<Block> = ends
            .iter()
            .copied()
            .chain([self.block])
            .filter(|&block| !self.function.is_terminated(block))
            .collect();
        if open.is_empty() {
            return;
        }
        let next = self.block();
        for block in open {
            self.block = block;
            self.jump(next);
        }
        self.block = next;
    }

    /// Does one thing or the other, and goes on behind both.
    pub fn if_else(
        &mut self,
        condition: Condition,
        args: [Value; 2],
        then: impl FnOnce(&mut FunctionBuilder),
        otherwise: impl FnOnce(&mut FunctionBuilder),
    ) {
        let (yes, no) = (self.block(), self.block());
        self.branch(condition, args, yes, no);
        self.switch_to(yes);
        then(self);
        let then_end = self.current();
        self.switch_to(no);
        otherwise(self);
        self.join(&[then_end]);
    }

    /// Ends the block: goes on elsewhere.
    pub fn jump(&mut self, target: Block) {
        self.effect(InstData::Jump(target));
    }

    /// Ends the block: goes on in one of two places.
    pub fn branch(
        &mut self,
        condition: Condition,
        args: [Value; 2],
        then: Block,
        otherwise: Block,
    ) {
        self.effect(InstData::Branch {
            condition,
            args,
            then,
            otherwise,
        });
    }

    /// Ends the block: leaves the function.
    pub fn ret(&mut self, result: Option<Value>) {
        self.effect(InstData::Return(result));
    }

    // Slots.

    /// A slot for the whole function.
    pub fn slot(&mut self, size: u32, name: &str) -> Slot {
        self.function.slots.push(SlotData {
            size,
            zeroed: false,
            framed: false,
            name: name.to_owned(),
            outer: None,
        })
    }

    /// A pointer as the number that it is, of which the kernel's verifier knows nothing.
    pub fn pointer_as_number(&mut self, pointer: Value) -> Value {
        let slot = self.slot(8, "address");
        self.function.slots[slot].framed = true;
        self.store_word(slot, pointer);
        self.load_word(slot)
    }

    /// What a slot of a function around this one is called here.
    pub fn outer_slot(&mut self, size: u32, name: &str, function: FuncId, slot: Slot) -> Slot {
        let here = self.slot(size, name);
        self.function.slots[here].outer = Some((function, slot));
        here
    }

    /// A slot for the whole function that is zero when it starts.
    pub fn zeroed_slot(&mut self, size: u32, name: &str) -> Slot {
        let slot = self.slot(size, name);
        self.function.slots[slot].zeroed = true;
        slot
    }

    /// A slot for the rest of this statement.
    pub fn temporary(&mut self, size: u32, name: &str) -> SlotPlace {
        let slots = &self.function.slots;
        let slot = match self.free.iter().position(|&slot| slots[slot].size == size) {
            Some(index) => self.free.swap_remove(index),
            None => self.slot(size, name),
        };
        self.busy.push(slot);
        slot.into()
    }

    /// Ends a statement: its temporary slots are free again.
    pub fn end_statement(&mut self) {
        self.free.append(&mut self.busy);
    }

    /// Begins statements within one; what it gives goes to [`Self::end_nested`]. Meanwhile its temporary slots stay.
    pub fn begin_nested(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.busy)
    }

    /// Goes on with the statement that others stood in.
    pub fn end_nested(&mut self, mut busy: Vec<Slot>) {
        self.busy.append(&mut busy);
    }

    /// The slot of 8 bytes where reads through pointers land. What is read must be loaded before the next read.
    pub fn landing(&mut self) -> Slot {
        match self.landing {
            Some(slot) => slot,
            None => {
                let slot = self.slot(8, "read");
                self.landing = Some(slot);
                slot
            }
        }
    }

    // Instructions that define a value.

    fn value(&mut self, data: InstData) -> Value {
        self.function.define(self.block, data, self.span)
    }

    /// A constant.
    pub fn constant(&mut self, value: i64) -> Value {
        self.value(InstData::Const(value))
    }

    /// `left op right`
    pub fn arith(&mut self, op: Arith, left: Value, right: Value) -> Value {
        self.value(InstData::Arith {
            op,
            args: [left, right],
        })
    }

    /// 1 if `left condition right`, else 0.
    pub fn compare(&mut self, condition: Condition, left: Value, right: Value) -> Value {
        self.value(InstData::Compare {
            condition,
            args: [left, right],
        })
    }

    /// The low `width` bits of `arg`, sign- or zero-extended.
    pub fn extend(&mut self, width: Width, signed: bool, arg: Value) -> Value {
        self.value(InstData::Extend { width, signed, arg })
    }

    /// What stands `offset` bytes from a pointer that the kernel's verifier knows.
    pub fn load(&mut self, base: Value, offset: i32, width: Width, signed: bool) -> Value {
        self.value(InstData::Load {
            base,
            offset,
            width,
            signed,
        })
    }

    /// The address of a place.
    pub fn address(&mut self, place: impl Into<SlotPlace>) -> Value {
        let SlotPlace { slot, offset } = place.into();
        self.value(InstData::SlotAddr { slot, offset })
    }

    /// What a place holds.
    pub fn slot_load(&mut self, place: impl Into<SlotPlace>, width: Width, signed: bool) -> Value {
        let SlotPlace { slot, offset } = place.into();
        self.value(InstData::SlotLoad {
            slot,
            offset,
            width,
            signed,
        })
    }

    /// The 64-bit value that a place holds.
    pub fn load_word(&mut self, place: impl Into<SlotPlace>) -> Value {
        self.slot_load(place, Width::W64, false)
    }

    /// A map, as helpers and routines take it.
    pub fn map_pointer(&mut self, map: MapId) -> Value {
        self.value(InstData::MapPointer(map))
    }

    /// The address of a function, as helpers that call back take it.
    pub fn func_addr(&mut self, function: FuncId) -> Value {
        self.value(InstData::FuncAddr(function))
    }

    /// What a function of the module returns. There must be a result to use this value.
    pub fn call(&mut self, function: FuncId, args: Vec<Value>) -> Value {
        self.value(InstData::Call { function, args })
    }

    /// What helper number `helper` returns.
    pub fn helper(&mut self, helper: u32, args: Vec<Value>) -> Value {
        self.value(InstData::CallHelper { helper, args })
    }

    /// What a routine of the template library returns.
    pub fn routine(&mut self, routine: &'static str, args: Vec<Value>) -> Value {
        self.value(InstData::CallRoutine { routine, args })
    }

    /// The program's context, in a function that has it from its link.
    pub fn linked_context(&mut self) -> Value {
        self.value(InstData::Context)
    }

    // Instructions for their effect.

    fn effect(&mut self, data: InstData) {
        self.function.append(self.block, data, self.span);
    }

    /// Fills a slot of [`LINK_BYTES`](super::LINK_BYTES) bytes for a function that is called back.
    pub fn link(&mut self, slot: Slot, context: bool) {
        self.effect(InstData::Link { slot, context });
    }

    /// Stores through a pointer that the kernel's verifier knows.
    pub fn store(&mut self, base: Value, offset: i32, width: Width, value: Value) {
        self.effect(InstData::Store {
            base,
            offset,
            width,
            value,
        });
    }

    /// Adds to a word of a map value, atomically.
    pub fn atomic_add(&mut self, base: Value, offset: i32, value: Value) {
        self.effect(InstData::AtomicAdd {
            base,
            offset,
            value,
        });
    }

    /// Stores to a place.
    pub fn slot_store(&mut self, place: impl Into<SlotPlace>, width: Width, value: Value) {
        let SlotPlace { slot, offset } = place.into();
        self.effect(InstData::SlotStore {
            slot,
            offset,
            width,
            value,
        });
    }

    /// Stores 64 bits to a place.
    pub fn store_word(&mut self, place: impl Into<SlotPlace>, value: Value) {
        self.slot_store(place, Width::W64, value);
    }

    /// Copies bytes between places that do not overlap.
    pub fn copy(&mut self, from: impl Into<SlotPlace>, to: impl Into<SlotPlace>, bytes: u32) {
        let (from, to) = (from.into(), to.into());
        if bytes <= MAX_COPY_BYTES {
            self.effect(InstData::SlotCopy { from, to, bytes });
        } else {
            let from = self.address(from);
            self.fill(to, bytes, from);
        }
    }

    /// Has the kernel copy many bytes from memory of its own, or of this program, to a place.
    fn fill(&mut self, to: SlotPlace, bytes: u32, from: Value) {
        let to = self.address(to);
        let bytes = self.constant(bytes.into());
        self.helper(helper::PROBE_READ_KERNEL, vec![to, bytes, from]);
    }

    /// Zeroes bytes at a place.
    pub fn zero(&mut self, place: impl Into<SlotPlace>, bytes: u32) {
        let place = place.into();
        let SlotPlace { slot, offset } = place;
        let mut done = bytes.min(MAX_COPY_BYTES);
        self.effect(InstData::SlotZero {
            slot,
            offset,
            bytes: done,
        });
        // The more there are, the more can be copied at once.
        while done < bytes {
            let more = done.min(bytes - done);
            let from = self.address(place);
            self.fill(place.at(done), more, from);
            done += more;
        }
    }

    /// Writes a literal to a place, then zeroes up to `bytes` bytes in all.
    pub fn slot_bytes(&mut self, place: impl Into<SlotPlace>, literal: &[u8], bytes: u32) {
        let place = place.into();
        let mut written = 0;
        for (at, literal) in (0..).zip(literal.chunks(MAX_COPY_BYTES as usize)) {
            let SlotPlace { slot, offset } = place.at(written);
            let length = match at {
                0 => bytes.min(MAX_COPY_BYTES),
                _ => (literal.len() as u32)
                    .next_multiple_of(8)
                    .min(bytes - written),
            };
            let literal = self.function.literals.push(literal.to_vec());
            self.effect(InstData::SlotBytes {
                slot,
                offset,
                literal,
                bytes: length,
            });
            written += length;
        }
        if written < bytes {
            self.zero(place.at(written), bytes - written);
        }
    }

    /// Copies bytes from a map value to a place.
    pub fn load_bytes(&mut self, base: Value, place: impl Into<SlotPlace>, bytes: u32) {
        let place = place.into();
        if bytes > MAX_COPY_BYTES {
            return self.fill(place, bytes, base);
        }
        let SlotPlace { slot, offset } = place;
        self.effect(InstData::LoadBytes {
            base,
            slot,
            offset,
            bytes,
        });
    }
}

/// The most that is copied or written instruction by instruction.
pub const MAX_COPY_BYTES: u32 = 1024;
