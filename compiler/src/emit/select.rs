//! Instructions for a body: what each IR instruction becomes, once its values have their places.
//!
//! In comes a body, out go its [`Code`], the bytes of frame that it wants and the bytes of stack that it takes. The body
//! is a function `(context, frame)` that returns 0. Context and frame live in `r6` and `r9`, values where the allocation
//! says; `r4` and `r5` are free for use within the code of one IR instruction.

use super::access::Memory;
use super::asm::{
    Assembler, Code, Insn, Label, R0, R1, R2, R4, R5, R6, R9, R10, Reg, alu, jump, size,
};
use super::frame::{BODY_STACK_BYTES, FrameLayout, SPILL_BYTES, SlotPlace};
use super::regalloc::{self, Allocation, Location};
use super::simplify::{Operand, Simplified, Terminator, inverted, swapped};
use super::{AssembleError, ErrorKind};
use crate::ir::{
    Arith, Block, Condition, Function, Inst, InstData, Module, ProbeId, Slot, Value, Width,
};
use cranelift_entity::SecondaryMap;
use pfscript_grammar::Span;

/// The register that holds the context, where a body needs it.
const CONTEXT: Reg = R6;
/// The register that holds the frame's address, where a body needs it.
const FRAME: Reg = R9;

/// A body's code and needs.
#[derive(Debug)]
pub struct Body {
    /// The code.
    pub code: Code,
    /// Bytes of scratch memory; if 0, the body takes no frame.
    pub frame_bytes: u32,
    /// Bytes of stack.
    pub stack_bytes: u32,
}

/// Compiles the body of a probe.
pub fn body(module: &Module, probe: ProbeId) -> Result<Body, AssembleError> {
    let function = &module.probes[probe].body;
    let fail = |span, kind| AssembleError {
        probe: Some(probe),
        span,
        kind,
    };
    let simplified = Simplified::new(function).map_err(|unterminated| {
        let what = format!("{:?} does not end in its only terminator", unterminated.0);
        fail(None, ErrorKind::Malformed(what))
    })?;
    let context = regalloc::uses_context(&simplified);
    let (allocation, layout) =
        allocate(&simplified, context).ok_or_else(|| fail(None, ErrorKind::TooManyValues))?;

    let mut assembler = Assembler::default();
    let labels: SecondaryMap<Block, _> = {
        let none = assembler.label();
        let mut labels = SecondaryMap::with_default(none);
        for plan in &simplified.blocks {
            labels[plan.block] = assembler.label();
        }
        labels
    };
    let mut selector = Selector {
        module,
        function,
        simplified: &simplified,
        allocation: &allocation,
        layout: &layout,
        assembler,
    };
    selector
        .prologue(context)
        .map_err(|kind| fail(None, kind))?;
    for (index, plan) in simplified.blocks.iter().enumerate() {
        selector.assembler.place(labels[plan.block]);
        for &inst in &plan.insts {
            selector.at(inst);
            selector
                .inst(inst)
                .map_err(|kind| fail(Some(function.spans[inst]), kind))?;
        }
        selector.at(plan.end);
        let next = simplified.blocks.get(index + 1).map(|plan| plan.block);
        selector.terminator(plan.terminator, next, &labels);
    }
    let code = selector
        .assembler
        .finish()
        .map_err(|_| fail(None, ErrorKind::TooLong))?;
    Ok(Body {
        code,
        frame_bytes: layout.frame_bytes,
        stack_bytes: layout.stack_bytes,
    })
}

/// Registers and memory. A frame takes a register, so whether there is one comes first.
fn allocate(simplified: &Simplified, context: bool) -> Option<(Allocation, FrameLayout)> {
    if let Some(layout) = FrameLayout::on_stack(simplified) {
        let allocation = regalloc::allocate(simplified, context, false);
        if let Some(layout) = layout.with_spills(allocation.spills) {
            return Some((allocation, layout));
        }
    }
    let allocation = regalloc::allocate(simplified, context, true);
    let room = BODY_STACK_BYTES.checked_sub(allocation.spills * SPILL_BYTES)?;
    let layout = FrameLayout::framed(simplified, room).with_spills(allocation.spills)?;
    Some((allocation, layout))
}

/// The result of selecting instructions, which go to the assembler.
pub(super) type Selected = Result<(), ErrorKind>;

/// A body in the making.
pub(super) struct Selector<'a> {
    module: &'a Module,
    pub(super) function: &'a Function,
    simplified: &'a Simplified<'a>,
    allocation: &'a Allocation,
    pub(super) layout: &'a FrameLayout,
    pub(super) assembler: Assembler,
}

impl Selector<'_> {
    fn at(&mut self, inst: Inst) {
        let span = self.function.spans[inst];
        if span != Span::default() {
            self.assembler.at(span);
        }
    }

    fn prologue(&mut self, context: bool) -> Selected {
        let first = self.simplified.blocks.first();
        if let Some(inst) = first.map(|plan| *plan.insts.first().unwrap_or(&plan.end)) {
            self.at(inst);
        }
        if context {
            self.assembler.mov(CONTEXT, R1);
        }
        if self.layout.frame_bytes > 0 {
            self.assembler.mov(FRAME, R2);
        }
        for (slot, data) in self.function.slots.iter() {
            if data.zeroed && self.layout.slot(slot).is_some() {
                self.zero(slot, 0, data.size)?;
            }
        }
        Ok(())
    }

    fn inst(&mut self, inst: Inst) -> Selected {
        let result = self.function.results[inst];
        match &self.function.insts[inst] {
            InstData::Arith { op, args } => {
                self.arith(result, *op, args.map(|v| self.operand(v)));
                Ok(())
            }
            InstData::Compare { condition, args } => {
                self.compare(result, *condition, args.map(|v| self.operand(v)));
                Ok(())
            }
            InstData::Extend { width, signed, arg } => {
                self.extend(result, *width, *signed, self.operand(*arg));
                Ok(())
            }
            InstData::Load {
                base,
                offset,
                width,
                signed,
            } => {
                let memory = self.memory(self.operand(*base), *offset)?;
                self.load(result, memory, *width, *signed)
            }
            InstData::Store {
                base,
                offset,
                width,
                value,
            } => {
                let memory = self.memory(self.operand(*base), *offset)?;
                self.store(memory, *width, self.operand(*value))
            }
            InstData::AtomicAdd {
                base,
                offset,
                value,
            } => {
                let memory = self.memory(self.operand(*base), *offset)?;
                self.atomic_add(memory, self.operand(*value))
            }
            InstData::SlotLoad {
                slot,
                offset,
                width,
                signed,
            } => {
                let memory = self.slot(*slot, *offset, width.bytes())?;
                self.load(result, memory, *width, *signed)
            }
            InstData::SlotStore {
                slot,
                offset,
                width,
                value,
            } => {
                let memory = self.slot(*slot, *offset, width.bytes())?;
                self.store(memory, *width, self.operand(*value))
            }
            InstData::SlotZero {
                slot,
                offset,
                bytes,
            } => self.zero(*slot, *offset, *bytes),
            InstData::SlotCopy {
                from,
                from_offset,
                to,
                to_offset,
                bytes,
            } => {
                let from = self.slot(*from, *from_offset, *bytes)?;
                let to = self.slot(*to, *to_offset, *bytes)?;
                self.copy(from, to, *bytes)
            }
            InstData::LoadBytes {
                base,
                slot,
                offset,
                bytes,
            } => {
                let from = self.memory(self.operand(*base), 0)?;
                let to = self.slot(*slot, *offset, *bytes)?;
                self.copy(from, to, *bytes)
            }
            InstData::SlotBytes {
                slot,
                offset,
                literal,
                bytes,
            } => {
                let literal = self.simplified.literal(*literal);
                self.write(*slot, *offset, literal, *bytes)
            }
            InstData::CallHelper { helper, args } => {
                self.arguments(args)?;
                self.assembler.push(Insn::call_helper(*helper));
                self.settle(result, R0);
                Ok(())
            }
            InstData::CallRoutine { routine, args } => {
                self.arguments(args)?;
                self.assembler.call(routine);
                self.settle(result, R0);
                Ok(())
            }
            // These are operands, or a block's end.
            InstData::Const(_)
            | InstData::Context
            | InstData::SlotAddr { .. }
            | InstData::MapPointer(_)
            | InstData::Jump(_)
            | InstData::Branch { .. }
            | InstData::Return => Ok(()),
        }
    }

    fn terminator(
        &mut self,
        terminator: Terminator,
        next: Option<Block>,
        labels: &SecondaryMap<Block, Label>,
    ) {
        match terminator {
            Terminator::Return => {
                self.assembler.mov_imm(R0, 0);
                self.assembler.push(Insn::exit());
            }
            Terminator::Jump(target) => self.goto(target, next, labels),
            Terminator::Branch {
                condition,
                args,
                then,
                otherwise,
            } if next == Some(then) => {
                self.branch(inverted(condition), args, labels[otherwise]);
            }
            Terminator::Branch {
                condition,
                args,
                then,
                otherwise,
            } => {
                self.branch(condition, args, labels[then]);
                self.goto(otherwise, next, labels);
            }
        }
    }

    fn goto(&mut self, target: Block, next: Option<Block>, labels: &SecondaryMap<Block, Label>) {
        if next != Some(target) {
            self.assembler.push_jump(Insn::goto(0), labels[target]);
        }
    }

    fn branch(&mut self, condition: Condition, args: [Operand; 2], label: Label) {
        let op = jump_op(condition);
        let left = self.in_register(args[0], R4);
        let insn = match immediate(args[1]) {
            Some(imm) => Insn::jump_imm(op, left, imm, 0),
            None => Insn::jump(op, left, self.in_register(args[1], R5), 0),
        };
        self.assembler.push_jump(insn, label);
    }

    /// `result = args[0] op args[1]`
    fn arith(&mut self, result: Option<Value>, op: Arith, args: [Operand; 2]) {
        let target = self.target(result);
        let [mut left, mut right] = args;
        if commutes(op) && (matches!(left, Operand::Const(_)) || self.is_in(right, target)) {
            std::mem::swap(&mut left, &mut right);
        }
        match (op, left, right) {
            (Arith::Sub, Operand::Const(0), right) => {
                self.load_operand(target, right);
                self.assembler.push(Insn::alu64_imm(alu::NEG, target, 0));
            }
            (Arith::And, left, Operand::Const(0xffff_ffff)) => {
                let left = self.in_register(left, target);
                self.assembler.push(Insn::mov32(target, left));
            }
            (op, left, Operand::Const(constant))
                if let Some((op, imm)) = with_immediate(op, constant) =>
            {
                self.load_operand(target, left);
                self.assembler.push(Insn::alu64_imm(op, target, imm));
            }
            (op, left, right) => {
                let mut right = self.in_register(right, R5);
                // Unless they are the same, `left` would overwrite `right` before it is used.
                if right == target && !self.is_in(left, target) {
                    self.assembler.mov(R5, right);
                    right = R5;
                }
                self.load_operand(target, left);
                self.assembler.push(Insn::alu64(alu_op(op), target, right));
            }
        }
        self.settle(result, target);
    }

    /// `result = args[0] condition args[1]`, 1 or 0.
    fn compare(&mut self, result: Option<Value>, condition: Condition, args: [Operand; 2]) {
        let target = self.target(result);
        let holds = self.assembler.label();
        let done = self.assembler.label();
        let [mut left, mut right] = args;
        let mut condition = condition;
        if matches!(left, Operand::Const(_)) {
            std::mem::swap(&mut left, &mut right);
            condition = swapped(condition);
        }
        // `target` may hold an operand, or be the register that one was loaded into, so it is written after the jump.
        self.branch(condition, [left, right], holds);
        self.assembler.mov_imm(target, 0);
        self.assembler.push_jump(Insn::goto(0), done);
        self.assembler.place(holds);
        self.assembler.mov_imm(target, 1);
        self.assembler.place(done);
        self.settle(result, target);
    }

    /// `result` = the low `width` bits of `arg`, extended.
    fn extend(&mut self, result: Option<Value>, width: Width, signed: bool, arg: Operand) {
        let target = self.target(result);
        match (width, signed) {
            (Width::W32, false) => {
                let arg = self.in_register(arg, target);
                self.assembler.push(Insn::mov32(target, arg));
            }
            (Width::W8 | Width::W16, false) => {
                self.load_operand(target, arg);
                let mask = (1 << (8 * width.bytes())) - 1;
                self.assembler.push(Insn::alu64_imm(alu::AND, target, mask));
            }
            (width, _) => {
                self.load_operand(target, arg);
                self.sign_extend(target, width);
            }
        }
        self.settle(result, target);
    }

    /// Sign-extends the low `width` bits of a register.
    pub(super) fn sign_extend(&mut self, register: Reg, width: Width) {
        let shift = 64 - 8 * width.bytes() as i32;
        if shift > 0 {
            self.assembler
                .push(Insn::alu64_imm(alu::LSH, register, shift));
            self.assembler
                .push(Insn::alu64_imm(alu::ARSH, register, shift));
        }
    }

    /// What a value is where it is used.
    pub(super) fn operand(&self, value: Value) -> Operand {
        self.simplified.operand(value)
    }

    /// The register that an operand is in already.
    pub(super) fn register_of(&self, operand: Operand) -> Option<Reg> {
        match operand {
            Operand::Context => Some(CONTEXT),
            Operand::Value(value) => match self.allocation.location(value) {
                Some(Location::Reg(register)) => Some(register),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_in(&self, operand: Operand, register: Reg) -> bool {
        self.register_of(operand) == Some(register)
    }

    /// The register that holds an operand; `spare` if it has to be loaded.
    pub(super) fn in_register(&mut self, operand: Operand, spare: Reg) -> Reg {
        match self.register_of(operand) {
            Some(register) => register,
            None => {
                self.load_operand(spare, operand);
                spare
            }
        }
    }

    /// `register = operand`
    pub(super) fn load_operand(&mut self, register: Reg, operand: Operand) {
        match operand {
            Operand::Const(constant) => self.assembler.mov_imm(register, constant),
            Operand::Context => self.assembler.mov(register, CONTEXT),
            Operand::Map(map) => {
                let symbol = &self.module.maps[map].symbol;
                self.assembler.mov_map(register, symbol);
            }
            Operand::Slot(slot, offset) => {
                // Only slots that are used are asked for, and these have a place.
                let memory = self.slot_memory(slot).plus(offset);
                self.assembler.mov(register, memory.base);
                if memory.offset != 0 {
                    self.assembler
                        .push(Insn::alu64_imm(alu::ADD, register, memory.offset));
                }
            }
            Operand::Value(value) => match self.allocation.location(value) {
                Some(Location::Reg(from)) => self.assembler.mov(register, from),
                Some(Location::Spill(number)) => {
                    let offset = self.layout.spill(number) as i16;
                    self.assembler
                        .push(Insn::load(size::DW, register, R10, offset));
                }
                // Unreachable: what is used has a location. Zero keeps the code well-formed.
                None => self.assembler.mov_imm(register, 0),
            },
        }
    }

    /// The register to compute a result in.
    pub(super) fn target(&self, result: Option<Value>) -> Reg {
        result
            .and_then(|value| self.register_of(Operand::Value(value)))
            .unwrap_or(R4)
    }

    /// Moves a result from where it was computed to where it belongs.
    pub(super) fn settle(&mut self, result: Option<Value>, from: Reg) {
        match result.and_then(|value| self.allocation.location(value)) {
            Some(Location::Reg(register)) => self.assembler.mov(register, from),
            Some(Location::Spill(number)) => {
                let offset = self.layout.spill(number) as i16;
                self.assembler
                    .push(Insn::store(size::DW, R10, offset, from));
            }
            None => {}
        }
    }

    pub(super) fn slot_memory(&self, slot: Slot) -> Memory {
        match self.layout.slot(slot) {
            Some(SlotPlace::Frame(offset)) => Memory {
                base: FRAME,
                // Frames beyond what an i32 can say are refused before this is run.
                offset: offset as i32,
            },
            Some(SlotPlace::Stack(offset)) => Memory { base: R10, offset },
            // Unreachable: what is used has a place.
            None => Memory {
                base: R10,
                offset: 0,
            },
        }
    }
}

fn jump_op(condition: Condition) -> u8 {
    match condition {
        Condition::Eq => jump::JEQ,
        Condition::Ne => jump::JNE,
        Condition::ULt => jump::JLT,
        Condition::ULe => jump::JLE,
        Condition::UGt => jump::JGT,
        Condition::UGe => jump::JGE,
        Condition::SLt => jump::JSLT,
        Condition::SLe => jump::JSLE,
        Condition::SGt => jump::JSGT,
        Condition::SGe => jump::JSGE,
    }
}

fn alu_op(op: Arith) -> u8 {
    match op {
        Arith::Add => alu::ADD,
        Arith::Sub => alu::SUB,
        Arith::Mul => alu::MUL,
        Arith::UDiv => alu::DIV,
        Arith::UMod => alu::MOD,
        Arith::And => alu::AND,
        Arith::Or => alu::OR,
        Arith::Xor => alu::XOR,
        Arith::Shl => alu::LSH,
        Arith::LShr => alu::RSH,
        Arith::AShr => alu::ARSH,
    }
}

fn commutes(op: Arith) -> bool {
    matches!(
        op,
        Arith::Add | Arith::Mul | Arith::And | Arith::Or | Arith::Xor
    )
}

/// The operand as an immediate, if it is a constant that fits.
pub(super) fn immediate(operand: Operand) -> Option<i32> {
    match operand {
        Operand::Const(constant) => i32::try_from(constant).ok(),
        _ => None,
    }
}

/// The operation with an immediate that has the effect of `op constant`. Powers of two need no multiplication or
/// division, and the verifier (`check_alu_op`) refuses shifts by 64 or more.
fn with_immediate(op: Arith, constant: i64) -> Option<(u8, i32)> {
    let unsigned = constant as u64;
    match op {
        Arith::Mul if unsigned.is_power_of_two() => {
            Some((alu::LSH, unsigned.trailing_zeros() as i32))
        }
        Arith::UDiv if unsigned.is_power_of_two() => {
            Some((alu::RSH, unsigned.trailing_zeros() as i32))
        }
        Arith::UMod if unsigned.is_power_of_two() => i32::try_from(unsigned - 1)
            .ok()
            .map(|mask| (alu::AND, mask)),
        Arith::Shl | Arith::LShr | Arith::AShr => Some((alu_op(op), (constant & 63) as i32)),
        _ => i32::try_from(constant).ok().map(|imm| (alu_op(op), imm)),
    }
}
