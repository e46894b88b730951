//! Instructions for arithmetic and comparisons: immediates where they fit, shifts for powers of two, one jump for a
//! comparison.
//!
//! In come operators and operands, out go instructions. Constants were folded before, and where operands are is not decided
//! here.

use super::{Selected, Selector};
use crate::emit::asm::{Insn, Label, R4, R5, Reg, alu, jump};
use crate::emit::simplify::Operand;
use crate::ir::{Arith, Condition, Value, Width};

impl Selector<'_> {
    /// Jumps if `args[0] condition args[1]`.
    pub(super) fn branch(
        &mut self,
        condition: Condition,
        args: [Operand; 2],
        label: Label,
    ) -> Selected {
        let op = jump_op(condition);
        let left = self.in_register(args[0], R4)?;
        let insn = match args[1].immediate() {
            Some(imm) => Insn::jump_imm(op, left, imm, 0),
            None => Insn::jump(op, left, self.in_register(args[1], R5)?, 0),
        };
        self.assembler.push_jump(insn, label);
        Ok(())
    }

    /// `result = args[0] op args[1]`
    pub(super) fn arith(
        &mut self,
        result: Option<Value>,
        op: Arith,
        args: [Operand; 2],
    ) -> Selected {
        let target = self.target(result);
        let [mut left, mut right] = args;
        if commutes(op) && (matches!(left, Operand::Const(_)) || self.is_in(right, target)) {
            std::mem::swap(&mut left, &mut right);
        }
        match (op, left, right) {
            (Arith::Sub, Operand::Const(0), right) => {
                self.load_operand(target, right)?;
                self.assembler.push(Insn::alu64_imm(alu::NEG, target, 0));
            }
            (Arith::And, left, Operand::Const(0xffff_ffff)) => {
                let left = self.in_register(left, target)?;
                self.assembler.push(Insn::mov32(target, left));
            }
            (op, left, Operand::Const(constant))
                if let Some((op, imm)) = with_immediate(op, constant) =>
            {
                self.load_operand(target, left)?;
                self.assembler.push(Insn::alu64_imm(op, target, imm));
            }
            (op, left, right) => {
                let mut right = self.in_register(right, R5)?;
                // Unless they are the same, `left` would overwrite `right` before it is used.
                if right == target && !self.is_in(left, target) {
                    self.assembler.mov(R5, right);
                    right = R5;
                }
                self.load_operand(target, left)?;
                self.assembler.push(Insn::alu64(alu_op(op), target, right));
            }
        }
        self.settle(result, target);
        Ok(())
    }

    /// `result = args[0] condition args[1]`, 1 or 0.
    pub(super) fn compare(
        &mut self,
        result: Option<Value>,
        condition: Condition,
        args: [Operand; 2],
    ) -> Selected {
        let target = self.target(result);
        let holds = self.assembler.label();
        let done = self.assembler.label();
        let [mut left, mut right] = args;
        let mut condition = condition;
        if matches!(left, Operand::Const(_)) {
            std::mem::swap(&mut left, &mut right);
            condition = condition.swapped();
        }
        // `target` may hold an operand, or be the register that one was loaded into, so it is written after the jump.
        self.branch(condition, [left, right], holds)?;
        self.assembler.mov_imm(target, 0);
        self.assembler.push_jump(Insn::goto(0), done);
        self.assembler.place(holds);
        self.assembler.mov_imm(target, 1);
        self.assembler.place(done);
        self.settle(result, target);
        Ok(())
    }

    /// `result` = the low `width` bits of `arg`, extended.
    pub(super) fn extend(
        &mut self,
        result: Option<Value>,
        width: Width,
        signed: bool,
        arg: Operand,
    ) -> Selected {
        let target = self.target(result);
        match (width, signed) {
            (Width::W32, false) => {
                let arg = self.in_register(arg, target)?;
                self.assembler.push(Insn::mov32(target, arg));
            }
            (Width::W8 | Width::W16, false) => {
                self.load_operand(target, arg)?;
                let mask = (1 << (8 * width.bytes())) - 1;
                self.assembler.push(Insn::alu64_imm(alu::AND, target, mask));
            }
            (width, _) => {
                self.load_operand(target, arg)?;
                self.sign_extend(target, width);
            }
        }
        self.settle(result, target);
        Ok(())
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
