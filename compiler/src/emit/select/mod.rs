//! Instructions for a function: what each IR instruction becomes, once its values have their places.
//!
//! In comes a function, out go its [`Code`], the bytes of frame that it wants and the bytes of stack that it takes.
//! Parameters arrive in `r1` to `r5`, a result leaves in `r0`, which is 0 where there is none. Context and frame live in
//! `r6` and `r9`, values where the allocation says; `r4` and `r5` are free for use within the code of one IR instruction.
//! How functions are put together, and what they call, is the linker's.

mod arguments;
mod arith;
mod memory;
mod operands;

use super::asm::{Assembler, Code, Insn, Label, R0, R6, R9, Reg, Unresolved};
use super::frame::{FrameLayout, SPILL_BYTES, Surroundings, UsedSlots};
use super::regalloc::{self, Allocation};
use super::simplify::{Operand, Simplified, Terminator};
use super::{AssembleError, ErrorKind};
use crate::ir::{Block, FuncId, Function, Inst, InstData, LINK_BYTES, Module};
use cranelift_entity::SecondaryMap;
use pfscript_grammar::Span;
use pfscript_probes::abi::SCRATCH_HEADER;
use pfscript_probes::maps::MAX_PER_CPU_VALUE;

/// The register that holds the context, where a function needs it.
const CONTEXT: Reg = R6;
/// The register that holds the frame's address, where a body needs it.
const FRAME: Reg = R9;

/// Where in a link the context is; the frame is at its start.
const LINK_CONTEXT: i16 = 8;

/// A function's code and needs.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The code.
    pub code: Code,
    /// Bytes of scratch memory, those of the functions around it included; if 0, the function takes no frame.
    pub frame_bytes: u32,
    /// Bytes of stack.
    pub stack_bytes: u32,
}

/// Compiles a function of the module for its place among others; the code, and where its slots are.
pub fn function(
    module: &Module,
    id: FuncId,
    surroundings: &Surroundings<'_>,
) -> Result<(Compiled, FrameLayout), AssembleError> {
    let function = &module.functions[id];
    let fail = |span, kind| AssembleError {
        function: Some(id),
        span,
        ..AssembleError::from(kind)
    };
    let simplified = Simplified::new(function).map_err(|unterminated| {
        let what = format!("{} does not end in its only terminator", unterminated.0);
        fail(None, ErrorKind::Malformed(what))
    })?;
    let context = regalloc::uses_context(&simplified);
    let (allocation, layout) =
        allocate(&simplified, context, surroundings).map_err(|kind| fail(None, kind))?;

    let mut assembler = Assembler::default();
    let labels = Labels {
        blocks: simplified
            .blocks
            .iter()
            .fold(SecondaryMap::new(), |mut labels, plan| {
                labels[plan.block] = Some(assembler.label());
                labels
            }),
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
        let label = labels.of(plan.block).map_err(|kind| fail(None, kind))?;
        selector.assembler.place(label);
        for &inst in &plan.insts {
            selector.at(inst);
            selector
                .inst(inst)
                .map_err(|kind| fail(Some(function.spans[inst]), kind))?;
        }
        selector.at(plan.end);
        let next = simplified.blocks.get(index + 1).map(|plan| plan.block);
        selector
            .terminator(plan.terminator, next, &labels)
            .map_err(|kind| fail(Some(function.spans[plan.end]), kind))?;
    }
    let code = selector.assembler.finish().map_err(|unresolved| {
        let kind = match unresolved {
            Unresolved::TooFar => ErrorKind::TooLong,
            Unresolved::NeverPlaced => {
                ErrorKind::Malformed("a jump leads to a label that is nowhere".to_owned())
            }
        };
        fail(None, kind)
    })?;
    let compiled = Compiled {
        code,
        frame_bytes: layout.frame_bytes,
        stack_bytes: layout.stack_bytes,
    };
    Ok((compiled, layout))
}

/// Registers and memory. A frame takes a register, so whether there is one comes first.
fn allocate(
    simplified: &Simplified,
    context: bool,
    surroundings: &Surroundings<'_>,
) -> Result<(Allocation, FrameLayout), ErrorKind> {
    let limit = surroundings.stack_limit;
    let used = UsedSlots::new(simplified);
    let (bytes, pinned_bytes) = used.bytes(simplified);
    if let Some(layout) = FrameLayout::on_stack(simplified, &used, surroundings) {
        let allocation = regalloc::allocate(simplified, context, false);
        if let Some(layout) = layout.with_spills(allocation.spills, limit) {
            return Ok((allocation, layout));
        }
    }
    if !simplified.function.has_frame() {
        return Err(ErrorKind::StackTooSmall { bytes, limit });
    }
    let allocation = regalloc::allocate(simplified, context, true);
    let room = limit
        .checked_sub(allocation.spills * SPILL_BYTES)
        .ok_or(ErrorKind::TooManyValues)?;
    let layout = FrameLayout::framed(simplified, &used, surroundings, room).ok_or(
        ErrorKind::StackTooSmall {
            bytes: pinned_bytes,
            limit: room,
        },
    )?;
    let layout = layout
        .with_spills(allocation.spills, limit)
        .ok_or(ErrorKind::TooManyValues)?;
    // Before anything is emitted, since no instruction reaches far beyond.
    let limit = MAX_PER_CPU_VALUE - SCRATCH_HEADER;
    if layout.frame_bytes > limit {
        let bytes = layout.frame_bytes;
        return Err(ErrorKind::FrameTooBig { bytes, limit });
    }
    Ok((allocation, layout))
}

/// The result of selecting instructions, which go to the assembler.
type Selected = Result<(), ErrorKind>;

/// The labels of the blocks that are emitted.
struct Labels {
    blocks: SecondaryMap<Block, Option<Label>>,
}

impl Labels {
    fn of(&self, block: Block) -> Result<Label, ErrorKind> {
        self.blocks[block].ok_or_else(|| ErrorKind::Malformed(format!("{block} is not emitted")))
    }
}

/// A function in the making.
struct Selector<'a> {
    module: &'a Module,
    function: &'a Function,
    simplified: &'a Simplified<'a>,
    allocation: &'a Allocation,
    layout: &'a FrameLayout,
    assembler: Assembler,
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
        self.receive(context)?;
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
            InstData::Arith { op, args } => self.arith(result, *op, args.map(|v| self.operand(v))),
            InstData::Compare { condition, args } => {
                self.compare(result, *condition, args.map(|v| self.operand(v)))
            }
            InstData::Extend { width, signed, arg } => {
                self.extend(result, *width, *signed, self.operand(*arg))
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
            InstData::SlotCopy { from, to, bytes } => {
                let from = self.slot(from.slot, from.offset, *bytes)?;
                let to = self.slot(to.slot, to.offset, *bytes)?;
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
            InstData::Link { slot, context } => {
                let memory = self.slot(*slot, 0, LINK_BYTES)?;
                self.store_register(memory, FRAME)?;
                if *context {
                    self.store_register(memory.plus(LINK_CONTEXT as u32), CONTEXT)?;
                }
                Ok(())
            }
            InstData::Call { function, args } => {
                self.arguments(args)?;
                let symbol = &self.module.functions[*function].symbol;
                self.assembler.call(symbol);
                self.settle(result, R0);
                Ok(())
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
            // These are operands, which stand where they are used.
            InstData::Const(_)
            | InstData::SlotAddr { .. }
            | InstData::Context
            | InstData::MapPointer(_)
            | InstData::FuncAddr(_) => Ok(()),
            InstData::Jump(_) | InstData::Branch { .. } | InstData::Return(_) => Err(
                ErrorKind::Malformed("a terminator within a block".to_owned()),
            ),
        }
    }

    fn terminator(
        &mut self,
        terminator: Terminator,
        next: Option<Block>,
        labels: &Labels,
    ) -> Selected {
        match terminator {
            Terminator::Return(result) => {
                self.load_operand(R0, result.unwrap_or(Operand::Const(0)))?;
                self.assembler.push(Insn::exit());
                Ok(())
            }
            Terminator::Jump(target) => self.goto(target, next, labels),
            Terminator::Branch {
                condition,
                args,
                then,
                otherwise,
            } if next == Some(then) => {
                self.branch(condition.inverted(), args, labels.of(otherwise)?)
            }
            Terminator::Branch {
                condition,
                args,
                then,
                otherwise,
            } => {
                self.branch(condition, args, labels.of(then)?)?;
                self.goto(otherwise, next, labels)
            }
        }
    }

    fn goto(&mut self, target: Block, next: Option<Block>, labels: &Labels) -> Selected {
        if next != Some(target) {
            self.assembler.push_jump(Insn::goto(0), labels.of(target)?);
        }
        Ok(())
    }
}
