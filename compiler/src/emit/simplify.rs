//! What to emit of a function: constants folded, copies seen through, what nothing needs left out.
//!
//! In comes a [`Function`], which stays as it is; out goes a [`Simplified`], a view of it: which blocks are reached and
//! how they end, which instructions are needed, and what each value is where it is used, an [`Operand`]. Constants,
//! addresses and the like are operands that need no register. Registers come later.

use crate::ir::{
    Arith, Block, Condition, FuncId, Function, Inst, InstData, Kind, Literal, MapId, Slot, Value,
    ValueDef, Width,
};
use cranelift_entity::{EntityRef, PrimaryMap, SecondaryMap};

/// What a value is where it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A constant.
    Const(i64),
    /// The context pointer.
    Context,
    /// A map.
    Map(MapId),
    /// The address of a function.
    Function(FuncId),
    /// The address of a byte of a slot.
    Slot(Slot, u32),
    /// A parameter or the result of an instruction, this value's or one that it is a copy of.
    Value(Value),
}

impl Operand {
    /// The operand as an immediate, if it is a constant that fits.
    pub fn immediate(self) -> Option<i32> {
        match self {
            Operand::Const(constant) => i32::try_from(constant).ok(),
            _ => None,
        }
    }
}

/// How a block ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminator {
    /// Goes on elsewhere.
    Jump(Block),
    /// Goes on in one of two places.
    Branch {
        /// The comparison.
        condition: Condition,
        /// What is compared.
        args: [Operand; 2],
        /// Where to if it holds.
        then: Block,
        /// Where to if not.
        otherwise: Block,
    },
    /// Leaves the function, with its result if it has one.
    Return(Option<Operand>),
}

impl Terminator {
    /// Calls `f` with each block that may follow.
    pub fn for_each_successor(&self, mut f: impl FnMut(Block)) {
        match *self {
            Terminator::Jump(target) => f(target),
            Terminator::Branch {
                then, otherwise, ..
            } => {
                f(then);
                f(otherwise);
            }
            Terminator::Return(_) => {}
        }
    }

    /// Calls `f` with each operand.
    pub fn for_each_operand(&self, f: impl FnMut(Operand)) {
        match *self {
            Terminator::Jump(_) => {}
            Terminator::Branch { args, .. } => args.into_iter().for_each(f),
            Terminator::Return(result) => result.into_iter().for_each(f),
        }
    }
}

/// What to emit of a function.
#[derive(Debug)]
pub struct Simplified<'f> {
    /// The function.
    pub function: &'f Function,
    /// The blocks that are reached, in the order to emit them in.
    pub blocks: Vec<BlockPlan>,
    operands: SecondaryMap<Value, Option<Operand>>,
}

/// What to emit of a block.
#[derive(Debug)]
pub struct BlockPlan {
    /// The block.
    pub block: Block,
    /// The instructions, without the terminator.
    pub insts: Vec<Inst>,
    /// The terminator's instruction, for its place in the script.
    pub end: Inst,
    /// The terminator.
    pub terminator: Terminator,
}

/// A block that does not end in its only terminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unterminated(pub Block);

/// Each block's end.
type Ends = PrimaryMap<Block, (Inst, Terminator)>;

impl<'f> Simplified<'f> {
    /// Looks through a function.
    pub fn new(function: &'f Function) -> Result<Simplified<'f>, Unterminated> {
        let mut this = Simplified {
            function,
            blocks: Vec::new(),
            operands: SecondaryMap::new(),
        };
        // A value's operands were made before it, so rising order sees definitions before uses.
        for (value, &definition) in function.values.iter() {
            this.operands[value] = match definition {
                ValueDef::Inst(inst) => this.fold(value, inst),
                ValueDef::Param(_) => match function.param_kind(value) {
                    Some(Kind::Context) => Some(Operand::Context),
                    _ => None,
                },
            };
        }
        let ends = this.terminators()?;
        let order = order(function, &ends);
        let needed = this.needed(&order, &ends);
        for block in order {
            let (end, terminator) = ends[block];
            let insts = function.blocks[block].insts.iter().copied();
            this.blocks.push(BlockPlan {
                block,
                insts: insts.filter(|&inst| needed[inst]).collect(),
                end,
                terminator,
            });
        }
        Ok(this)
    }

    /// What a value is where it is used.
    pub fn operand(&self, value: Value) -> Operand {
        self.operands[value].unwrap_or(Operand::Value(value))
    }

    /// The register-worthy values that an instruction uses.
    pub fn for_each_use(&self, inst: Inst, mut f: impl FnMut(Value)) {
        self.function.insts[inst].for_each_operand(|value| {
            if let Operand::Value(value) = self.operand(value) {
                f(value);
            }
        });
    }

    /// The constant bytes.
    pub fn literal(&self, literal: Literal) -> &'f [u8] {
        &self.function.literals[literal]
    }

    fn constant(&self, value: Value) -> Option<i64> {
        match self.operand(value) {
            Operand::Const(constant) => Some(constant),
            _ => None,
        }
    }

    /// What the value of `inst` is, if it is not simply the result of `inst`.
    fn fold(&self, value: Value, inst: Inst) -> Option<Operand> {
        let earlier = |operand: Value| operand.index() < value.index();
        match self.function.insts[inst] {
            InstData::Const(constant) => Some(Operand::Const(constant)),
            InstData::Context => Some(Operand::Context),
            InstData::MapPointer(map) => Some(Operand::Map(map)),
            InstData::FuncAddr(function) => Some(Operand::Function(function)),
            InstData::SlotAddr { slot, offset } => Some(Operand::Slot(slot, offset)),
            InstData::Arith { op, args } if args.into_iter().all(earlier) => {
                self.fold_arith(op, args)
            }
            InstData::Compare { condition, args } if args.into_iter().all(earlier) => {
                let left = self.constant(args[0])?;
                let right = self.constant(args[1])?;
                Some(Operand::Const(condition.holds(left, right).into()))
            }
            InstData::Extend { width, signed, arg } if earlier(arg) => {
                self.fold_extend(width, signed, arg)
            }
            _ => None,
        }
    }

    fn fold_arith(&self, op: Arith, args: [Value; 2]) -> Option<Operand> {
        let [left, right] = args.map(|value| self.operand(value));
        if let (Operand::Const(left), Operand::Const(right)) = (left, right) {
            return Some(Operand::Const(op.apply(left, right)));
        }
        match (op, left, right) {
            (
                Arith::Add
                | Arith::Sub
                | Arith::Or
                | Arith::Xor
                | Arith::Shl
                | Arith::LShr
                | Arith::AShr,
                same,
                Operand::Const(0),
            )
            | (Arith::Add | Arith::Or | Arith::Xor, Operand::Const(0), same)
            | (Arith::Mul | Arith::UDiv, same, Operand::Const(1))
            | (Arith::Mul, Operand::Const(1), same)
            | (Arith::UMod, same, Operand::Const(0)) => Some(same),
            (Arith::Mul | Arith::And | Arith::UDiv, _, Operand::Const(0))
            | (Arith::Mul | Arith::And, Operand::Const(0), _)
            | (Arith::UMod, _, Operand::Const(1)) => Some(Operand::Const(0)),
            (Arith::Add, Operand::Slot(slot, offset), Operand::Const(more))
            | (Arith::Add, Operand::Const(more), Operand::Slot(slot, offset)) => {
                let offset = u32::try_from(i64::from(offset).checked_add(more)?).ok()?;
                let size = self.function.slots[slot].size;
                (offset < size).then_some(Operand::Slot(slot, offset))
            }
            _ => None,
        }
    }

    fn fold_extend(&self, width: Width, signed: bool, arg: Value) -> Option<Operand> {
        match self.operand(arg) {
            Operand::Const(constant) => Some(Operand::Const(width.extend(signed, constant))),
            same if width == Width::W64 => Some(same),
            Operand::Value(arg) => {
                let inner = &self.function.insts[self.function.definition(arg)?];
                extended(inner)
                    .is_some_and(|(inner_width, inner_signed)| {
                        fits(inner_width, inner_signed, width, signed)
                    })
                    .then_some(Operand::Value(arg))
            }
            _ => None,
        }
    }

    fn terminators(&self) -> Result<Ends, Unterminated> {
        let mut ends = PrimaryMap::new();
        for (block, data) in self.function.blocks.iter() {
            let count = data
                .insts
                .iter()
                .filter(|&&inst| self.function.insts[inst].is_terminator())
                .count();
            let end = match data.insts.last() {
                Some(&end) if count == 1 => end,
                _ => return Err(Unterminated(block)),
            };
            let terminator = self.terminator(end).ok_or(Unterminated(block))?;
            // Blocks are walked in order, so the key of each is its own.
            ends.push((end, terminator));
        }
        Ok(ends)
    }

    fn terminator(&self, end: Inst) -> Option<Terminator> {
        match self.function.insts[end] {
            InstData::Jump(target) => Some(Terminator::Jump(self.forward(target))),
            InstData::Return(result) => {
                Some(Terminator::Return(result.map(|value| self.operand(value))))
            }
            InstData::Branch {
                condition,
                args,
                then,
                otherwise,
            } => Some(self.branch(condition, args, self.forward(then), self.forward(otherwise))),
            _ => None,
        }
    }

    fn branch(
        &self,
        mut condition: Condition,
        mut args: [Value; 2],
        then: Block,
        otherwise: Block,
    ) -> Terminator {
        // A branch on a comparison's value is a branch on the comparison.
        while let (Operand::Value(value), Some(0)) = (self.operand(args[0]), self.constant(args[1]))
            && let Some(definition) = self.function.definition(value)
            && let InstData::Compare {
                condition: inner,
                args: inner_args,
            } = self.function.insts[definition]
            && matches!(condition, Condition::Eq | Condition::Ne)
        {
            condition = if condition == Condition::Ne {
                inner
            } else {
                inner.inverted()
            };
            args = inner_args;
        }
        let mut operands = args.map(|value| self.operand(value));
        if let [Operand::Const(left), Operand::Const(right)] = operands {
            let holds = condition.holds(left, right);
            return Terminator::Jump(if holds { then } else { otherwise });
        }
        if then == otherwise {
            return Terminator::Jump(then);
        }
        if matches!(operands[0], Operand::Const(_)) {
            operands.swap(0, 1);
            condition = condition.swapped();
        }
        Terminator::Branch {
            condition,
            args: operands,
            then,
            otherwise,
        }
    }

    /// Where a jump to `block` ends up, if all that `block` does is to jump on.
    fn forward(&self, mut block: Block) -> Block {
        // At most as many steps as there are blocks: empty loops exist.
        for _ in 0..self.function.blocks.len() {
            match self.function.blocks[block].insts.as_slice() {
                &[only] => match self.function.insts[only] {
                    InstData::Jump(target) => block = target,
                    _ => break,
                },
                _ => break,
            }
        }
        block
    }

    /// The instructions, other than terminators, that have an effect or whose value something needed uses.
    fn needed(&self, order: &[Block], ends: &Ends) -> SecondaryMap<Inst, bool> {
        let mut needed: SecondaryMap<Inst, bool> = SecondaryMap::new();
        let mut work = Vec::new();
        for &block in order {
            for &inst in &self.function.blocks[block].insts {
                let data = &self.function.insts[inst];
                if !data.is_terminator() && (!data.has_result() || data.call_args().is_some()) {
                    needed[inst] = true;
                    work.push(inst);
                }
            }
            ends[block].1.for_each_operand(|operand| {
                if let Operand::Value(value) = operand {
                    work.extend(self.function.definition(value));
                }
            });
        }
        while let Some(inst) = work.pop() {
            needed[inst] = true;
            self.for_each_use(inst, |value| {
                let definition = self.function.definition(value);
                work.extend(definition.filter(|&inst| !needed[inst]));
            });
        }
        needed
    }
}

/// The blocks that are reached, each before those that it leads to (but for loops), and what is done if a condition
/// holds right behind the condition. So definitions come before uses, live intervals are short and few jumps are needed.
fn order(function: &Function, ends: &Ends) -> Vec<Block> {
    /// A block to enter, or one whose successors are done.
    enum Visit {
        Enter(Block),
        Leave(Block),
    }
    let mut seen: SecondaryMap<Block, bool> = SecondaryMap::new();
    let mut order = Vec::new();
    let first = function.blocks.keys().next();
    let mut work: Vec<Visit> = first.map(Visit::Enter).into_iter().collect();
    while let Some(visit) = work.pop() {
        match visit {
            Visit::Leave(block) => order.push(block),
            Visit::Enter(block) if std::mem::replace(&mut seen[block], true) => {}
            Visit::Enter(block) => {
                work.push(Visit::Leave(block));
                // The last one pushed is finished first, so it comes last.
                let (_, terminator) = &ends[block];
                terminator.for_each_successor(|next| work.push(Visit::Enter(next)));
            }
        }
    }
    order.reverse();
    order
}

/// The width to which an instruction's result is known to be extended, and how.
fn extended(data: &InstData) -> Option<(Width, bool)> {
    match *data {
        InstData::Load { width, signed, .. }
        | InstData::SlotLoad { width, signed, .. }
        | InstData::Extend { width, signed, .. } => Some((width, signed)),
        InstData::Compare { .. } => Some((Width::W8, false)),
        _ => None,
    }
}

/// Whether extending to `outer` changes nothing in what was extended to `inner`.
fn fits(inner: Width, inner_signed: bool, outer: Width, outer_signed: bool) -> bool {
    match (inner_signed, outer_signed) {
        (false, false) | (true, true) => inner.bytes() <= outer.bytes(),
        (false, true) => inner.bytes() < outer.bytes(),
        (true, false) => false,
    }
}
