//! Operands and results: where they are, and how they get into a register or out of one.
//!
//! In come operands and their locations, out go registers that hold them. Which location a value has was decided before
//! (`regalloc`, `frame`).

use super::{CONTEXT, Selected, Selector};
use crate::emit::ErrorKind;
use crate::emit::asm::{Insn, R4, R10, Reg, alu, size};
use crate::emit::regalloc::Location;
use crate::emit::simplify::Operand;
use crate::ir::Value;

impl Selector<'_> {
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

    pub(super) fn is_in(&self, operand: Operand, register: Reg) -> bool {
        self.register_of(operand) == Some(register)
    }

    /// The register that holds an operand; `spare` if it has to be loaded.
    pub(super) fn in_register(&mut self, operand: Operand, spare: Reg) -> Result<Reg, ErrorKind> {
        match self.register_of(operand) {
            Some(register) => Ok(register),
            None => {
                self.load_operand(spare, operand)?;
                Ok(spare)
            }
        }
    }

    /// `register = operand`
    pub(super) fn load_operand(&mut self, register: Reg, operand: Operand) -> Selected {
        match operand {
            Operand::Const(constant) => self.assembler.mov_imm(register, constant),
            Operand::Context => self.assembler.mov(register, CONTEXT),
            Operand::Map(map) => {
                let symbol = &self.module.maps[map].symbol;
                self.assembler.mov_map(register, symbol);
            }
            Operand::Function(function) => {
                let symbol = &self.module.functions[function].symbol;
                self.assembler.mov_function(register, symbol);
            }
            Operand::Slot(slot, offset) => {
                let memory = self.slot_memory(slot)?.plus(offset);
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
                None => {
                    let what = format!("{value} is used and has no location");
                    return Err(ErrorKind::Malformed(what));
                }
            },
        }
        Ok(())
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
}
