//! Instructions for memory: loads, stores, and bytes copied, zeroed or written one instruction after the other.
//!
//! The verifier wants accesses of the stack aligned to their size (`check_ptr_alignment`), so the pieces of longer
//! ones follow the alignment of both ends.

use super::{FRAME, Selected, Selector};
use crate::emit::ErrorKind;
use crate::emit::asm::{Insn, R4, R5, R10, Reg, alu, size};
use crate::emit::frame::SlotLocation;
use crate::emit::simplify::Operand;
use crate::ir::{MAX_COPY_BYTES, Slot, Value, Width};

/// An address: a register and an offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// The register.
    pub(super) base: Reg,
    /// Bytes from there.
    pub(super) offset: i32,
}

impl Memory {
    /// So many bytes further.
    pub(super) fn plus(self, bytes: u32) -> Memory {
        Memory {
            base: self.base,
            offset: self.offset.saturating_add_unsigned(bytes),
        }
    }

    fn offset(self) -> Result<i16, ErrorKind> {
        i16::try_from(self.offset)
            .map_err(|_| ErrorKind::Malformed(format!("offset {} is out of reach", self.offset)))
    }
}

impl Selector<'_> {
    /// The memory `offset` bytes from a pointer, perhaps through `r5`.
    pub(super) fn memory(&mut self, base: Operand, offset: i32) -> Result<Memory, ErrorKind> {
        if let Operand::Slot(slot, start) = base {
            let start = self.slot_memory(slot)?.plus(start);
            return Ok(Memory {
                base: start.base,
                offset: start.offset.saturating_add(offset),
            });
        }
        let base = self.in_register(base, R5)?;
        Ok(self.within_reach(Memory { base, offset }))
    }

    /// The same memory at an offset that an instruction has room for, perhaps through `r5`.
    fn within_reach(&mut self, memory: Memory) -> Memory {
        let Memory { base, offset } = memory;
        if i16::try_from(offset).is_ok() {
            return memory;
        }
        self.assembler.mov(R5, base);
        self.assembler.push(Insn::alu64_imm(alu::ADD, R5, offset));
        Memory {
            base: R5,
            offset: 0,
        }
    }

    /// The memory of `bytes` bytes of a slot.
    pub(super) fn slot(&self, slot: Slot, offset: u32, bytes: u32) -> Result<Memory, ErrorKind> {
        let data = &self.function.slots[slot];
        match offset.checked_add(bytes) {
            Some(end) if end <= data.size => Ok(self.slot_memory(slot)?.plus(offset)),
            _ => Err(ErrorKind::Malformed(format!(
                "{bytes} bytes at {offset} of {slot:?} ({}), which has {}",
                data.name, data.size
            ))),
        }
    }

    /// Where a slot begins.
    pub(super) fn slot_memory(&self, slot: Slot) -> Result<Memory, ErrorKind> {
        match self.layout.slot(slot) {
            Some(SlotLocation::Frame(offset)) => Ok(Memory {
                base: FRAME,
                // Frames beyond what an i32 can say are refused before this is run.
                offset: offset as i32,
            }),
            Some(SlotLocation::Stack(offset)) => Ok(Memory { base: R10, offset }),
            None => Err(ErrorKind::Malformed(format!(
                "{slot} is used and has no place"
            ))),
        }
    }

    /// Stores all of a register.
    pub(super) fn store_register(&mut self, memory: Memory, register: Reg) -> Selected {
        let memory = self.within_reach(memory);
        let offset = memory.offset()?;
        self.assembler
            .push(Insn::store(size::DW, memory.base, offset, register));
        Ok(())
    }

    /// `result = *memory`, extended.
    pub(super) fn load(
        &mut self,
        result: Option<Value>,
        memory: Memory,
        width: Width,
        signed: bool,
    ) -> Selected {
        let memory = self.within_reach(memory);
        let target = self.target(result);
        self.assembler.push(Insn::load(
            size_of(width),
            target,
            memory.base,
            memory.offset()?,
        ));
        if signed {
            self.sign_extend(target, width);
        }
        self.settle(result, target);
        Ok(())
    }

    /// `*memory = value`
    pub(super) fn store(&mut self, memory: Memory, width: Width, value: Operand) -> Selected {
        let memory = self.within_reach(memory);
        let offset = memory.offset()?;
        let size = size_of(width);
        let immediate = match value {
            // A narrow store takes the low bytes of its immediate.
            Operand::Const(constant) if width != Width::W64 => Some(constant as i32),
            value => value.immediate(),
        };
        let insn = match immediate {
            Some(imm) => Insn::store_imm(size, memory.base, offset, imm),
            None => Insn::store(size, memory.base, offset, self.in_register(value, R4)?),
        };
        self.assembler.push(insn);
        Ok(())
    }

    /// Adds to a word of memory, whoever else does.
    pub(super) fn atomic_add(&mut self, memory: Memory, value: Operand) -> Selected {
        let memory = self.within_reach(memory);
        let offset = memory.offset()?;
        let value = self.in_register(value, R4)?;
        self.assembler
            .push(Insn::atomic_add(memory.base, offset, value));
        Ok(())
    }

    /// Zeroes bytes of a slot.
    pub(super) fn zero(&mut self, slot: Slot, offset: u32, bytes: u32) -> Selected {
        self.write(slot, offset, &[], bytes)
    }

    /// Writes bytes to a slot, then zeroes up to `bytes` bytes in all.
    pub(super) fn write(
        &mut self,
        slot: Slot,
        offset: u32,
        literal: &[u8],
        bytes: u32,
    ) -> Selected {
        if literal.len() > bytes as usize {
            let what = format!("{} bytes of literal in {bytes}", literal.len());
            return Err(ErrorKind::Malformed(what));
        }
        let to = self.slot(slot, offset, bytes)?;
        let mut done = 0;
        for width in pieces(bytes, &[to])? {
            let mut piece = [0; 8];
            let rest = literal.get(done as usize..).unwrap_or(&[]);
            let taken = rest.len().min(width.bytes() as usize);
            piece[..taken].copy_from_slice(&rest[..taken]);
            let piece = i64::from_le_bytes(piece);
            if width == Width::W64 && i32::try_from(piece).is_err() {
                // Two stores are shorter than a 64-bit constant and its store.
                let low = Operand::Const(piece);
                let high = Operand::Const(piece >> 32);
                self.store(to.plus(done), Width::W32, low)?;
                self.store(to.plus(done + 4), Width::W32, high)?;
            } else {
                self.store(to.plus(done), width, Operand::Const(piece))?;
            }
            done += width.bytes();
        }
        Ok(())
    }

    /// Copies bytes, through `r4`.
    pub(super) fn copy(&mut self, from: Memory, to: Memory, bytes: u32) -> Selected {
        let mut done = 0;
        for width in pieces(bytes, &[from, to])? {
            let size = size_of(width);
            let from = self.within_reach(from.plus(done));
            self.assembler
                .push(Insn::load(size, R4, from.base, from.offset()?));
            let to = self.within_reach(to.plus(done));
            self.assembler
                .push(Insn::store(size, to.base, to.offset()?, R4));
            done += width.bytes();
        }
        Ok(())
    }
}

/// The widths of the accesses that cover `bytes` bytes, each aligned at all `ends`.
fn pieces(bytes: u32, ends: &[Memory]) -> Result<Vec<Width>, ErrorKind> {
    if bytes > MAX_COPY_BYTES {
        return Err(ErrorKind::TooManyBytes(bytes));
    }
    let mut widths = Vec::new();
    let mut done = 0;
    while done < bytes {
        let fits = |width: &Width| {
            width.bytes() <= bytes - done
                && ends
                    .iter()
                    .all(|end| end.plus(done).offset % width.bytes() as i32 == 0)
        };
        let width = [Width::W64, Width::W32, Width::W16]
            .into_iter()
            .find(fits)
            .unwrap_or(Width::W8);
        widths.push(width);
        done += width.bytes();
    }
    Ok(widths)
}

fn size_of(width: Width) -> u8 {
    match width {
        Width::W8 => size::B,
        Width::W16 => size::H,
        Width::W32 => size::W,
        Width::W64 => size::DW,
    }
}
