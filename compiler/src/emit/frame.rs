//! Where slots and spills are: on the BPF stack while they are small, in scratch memory beyond.
//!
//! The kernel gives one program 512 bytes of stack for all functions that are active at a time, and wants the sum over
//! the deepest chain of calls, each rounded up to 32 (`check_max_stack_depth`). The body may have
//! [`BODY_STACK_BYTES`]; entries and routines share the rest. Scratch memory is a frame in a map's value, whose address
//! the entry passes to the body.

use super::simplify::{Operand, Simplified};
use crate::ir::{InstData, Slot};
use cranelift_entity::{EntitySet, SecondaryMap};

/// All that a program's active functions may use together (`MAX_BPF_STACK`).
pub const STACK_BYTES: u32 = 512;
/// The verifier rounds each function's use up to this.
pub const STACK_ROUNDING: u32 = 32;
/// The most that a body uses for slots and spills.
pub const BODY_STACK_BYTES: u32 = 320;
/// The biggest value of a per-CPU array (`PCPU_MIN_UNIT_SIZE`).
pub const SCRATCH_VALUE_BYTES: u32 = 32 << 10;
/// Bytes of a spill slot.
pub const SPILL_BYTES: u32 = 8;

/// Where a slot begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotPlace {
    /// So many bytes from the stack pointer; negative.
    Stack(i32),
    /// So many bytes into the frame.
    Frame(u32),
}

/// Where a body's slots and spills are.
#[derive(Debug, Default)]
pub struct FrameLayout {
    places: SecondaryMap<Slot, Option<SlotPlace>>,
    /// Bytes of slots on the stack; spills follow below.
    slots_on_stack: u32,
    /// Bytes of stack, slots and spills.
    pub stack_bytes: u32,
    /// Bytes of the frame; 0 if none is needed.
    pub frame_bytes: u32,
}

impl FrameLayout {
    /// Places the used slots on the stack if all fit.
    pub fn on_stack(simplified: &Simplified) -> Option<FrameLayout> {
        let used = used_slots(simplified);
        let layout = FrameLayout::place(simplified, &used, BODY_STACK_BYTES);
        (layout.frame_bytes == 0).then_some(layout)
    }

    /// Places the used slots, those that exceed `stack_bytes` in the frame.
    pub fn framed(simplified: &Simplified, stack_bytes: u32) -> FrameLayout {
        FrameLayout::place(simplified, &used_slots(simplified), stack_bytes)
    }

    /// Adds room for spills; whether all still fits.
    pub fn with_spills(mut self, spills: u32) -> Option<FrameLayout> {
        self.stack_bytes = self.slots_on_stack + spills * SPILL_BYTES;
        (self.stack_bytes <= BODY_STACK_BYTES).then_some(self)
    }

    /// Where a slot begins; none if it is never used.
    pub fn slot(&self, slot: Slot) -> Option<SlotPlace> {
        self.places[slot]
    }

    /// The offset of a spill slot from the stack pointer.
    pub fn spill(&self, number: u32) -> i32 {
        -((self.slots_on_stack + (number + 1) * SPILL_BYTES) as i32)
    }

    fn place(simplified: &Simplified, used: &EntitySet<Slot>, stack_bytes: u32) -> FrameLayout {
        let slots = &simplified.function.slots;
        let mut layout = FrameLayout::default();
        let mut by_size: Vec<Slot> = slots.keys().filter(|&slot| used.contains(slot)).collect();
        by_size.sort_by_key(|&slot| (slots[slot].size, slot));
        for slot in by_size {
            let size = slots[slot].size.next_multiple_of(8);
            let fits = size.saturating_add(layout.slots_on_stack) <= stack_bytes;
            if fits {
                layout.slots_on_stack += size;
                let offset = -(layout.slots_on_stack as i32);
                layout.places[slot] = Some(SlotPlace::Stack(offset));
            } else {
                layout.places[slot] = Some(SlotPlace::Frame(layout.frame_bytes));
                layout.frame_bytes = layout.frame_bytes.saturating_add(size);
            }
        }
        layout.stack_bytes = layout.slots_on_stack;
        layout
    }
}

/// The slots that what is emitted refers to.
fn used_slots(simplified: &Simplified) -> EntitySet<Slot> {
    let mut used = EntitySet::new();
    let function = simplified.function;
    for plan in &simplified.blocks {
        for &inst in &plan.insts {
            let data = &function.insts[inst];
            data.for_each_operand(|value| {
                if let Operand::Slot(slot, _) = simplified.operand(value) {
                    used.insert(slot);
                }
            });
            match *data {
                InstData::SlotLoad { slot, .. }
                | InstData::SlotStore { slot, .. }
                | InstData::SlotZero { slot, .. }
                | InstData::LoadBytes { slot, .. }
                | InstData::SlotBytes { slot, .. } => {
                    used.insert(slot);
                }
                InstData::SlotCopy { from, to, .. } => {
                    used.insert(from);
                    used.insert(to);
                }
                _ => {}
            }
        }
        if let super::simplify::Terminator::Branch { args, .. } = plan.terminator {
            for arg in args {
                if let Operand::Slot(slot, _) = arg {
                    used.insert(slot);
                }
            }
        }
    }
    used
}
