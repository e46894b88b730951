//! Where slots and spills are: on the BPF stack while they are small, in scratch memory beyond.
//!
//! The kernel gives one program 512 bytes of stack for all functions that are active at a time, and wants the sum over
//! the deepest chain of calls, each rounded up to 32 (`check_max_stack_depth`). A body and the functions that it calls
//! may have [`SCRIPT_STACK_BYTES`] together; entries and routines share the rest. Scratch memory is a frame in a map's
//! value, whose address the entry passes to the body, and the body by a link to functions that are called back: each has
//! a part of the frame behind those of the functions around it, whose slots it may use too. Functions without link get no
//! frame: what they need must fit on the stack, and so must a link (the kernel wants `ARG_PTR_TO_STACK_OR_NULL` there).

use super::simplify::{Operand, Simplified};
use crate::ir::{FuncId, InstData, Slot};
use cranelift_entity::{EntitySet, SecondaryMap};

/// All that a program's active functions may use together (`MAX_BPF_STACK`).
pub const STACK_BYTES: u32 = 512;
/// The most functions that are active at a time (`MAX_CALL_FRAMES`).
pub const MAX_CALL_FRAMES: u32 = 8;
/// The verifier rounds each function's use up to this.
pub const STACK_ROUNDING: u32 = 32;
/// The most that a body and the functions that it calls use for slots and spills.
pub const SCRIPT_STACK_BYTES: u32 = 320;
/// Bytes of a spill slot.
pub const SPILL_BYTES: u32 = 8;

/// Where a slot begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotLocation {
    /// So many bytes from the stack pointer; negative.
    Stack(i32),
    /// So many bytes into the frame.
    Frame(u32),
}

/// Where a function's slots and spills are.
#[derive(Clone, Debug, Default)]
pub struct FrameLayout {
    places: SecondaryMap<Slot, Option<SlotLocation>>,
    /// Bytes of slots on the stack; spills follow below.
    slots_on_stack: u32,
    /// Bytes of stack, slots and spills.
    pub stack_bytes: u32,
    /// Bytes of the frame, those of the functions around it included; 0 if none is needed.
    pub frame_bytes: u32,
}

/// What a function has to share.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The most stack that it may use.
    pub stack_limit: u32,
    /// The most of it that is for slots which could be in the frame.
    pub slot_limit: u32,
    /// Bytes of the frame that belong to the functions around it.
    pub frame_base: u32,
    /// Those of its slots that functions use which it has called back.
    pub shared: EntitySet<Slot>,
    /// It has such functions called back, and must give them the frame.
    pub links: bool,
    /// Where slots of functions are that are compiled, those around it among them.
    pub layouts: &'a SecondaryMap<FuncId, FrameLayout>,
}

/// The slots that what is emitted refers to.
#[derive(Debug)]
pub struct UsedSlots {
    all: EntitySet<Slot>,
    /// Those that must be on the stack.
    pinned: EntitySet<Slot>,
}

impl FrameLayout {
    /// Places the used slots on the stack if all fit.
    pub fn on_stack(
        simplified: &Simplified,
        used: &UsedSlots,
        surroundings: &Surroundings<'_>,
    ) -> Option<FrameLayout> {
        let limit = surroundings.slot_limit;
        let layout = FrameLayout::place(simplified, used, surroundings, limit);
        (layout.frame_bytes == 0).then_some(layout)
    }

    /// Places the used slots, those that exceed `stack_bytes` in the frame; none if one that must be on the stack does.
    pub fn framed(
        simplified: &Simplified,
        used: &UsedSlots,
        surroundings: &Surroundings<'_>,
        stack_bytes: u32,
    ) -> Option<FrameLayout> {
        let stack_bytes = stack_bytes.min(surroundings.slot_limit);
        let layout = FrameLayout::place(simplified, used, surroundings, stack_bytes);
        let on_stack = |slot| matches!(layout.places[slot], Some(SlotLocation::Stack(_)));
        used.pinned.iter().all(on_stack).then_some(layout)
    }

    /// Adds room for spills; whether all still fits.
    pub fn with_spills(mut self, spills: u32, limit: u32) -> Option<FrameLayout> {
        self.stack_bytes = self.slots_on_stack + spills * SPILL_BYTES;
        (self.stack_bytes <= limit).then_some(self)
    }

    /// Where a slot begins; none if it is never used.
    pub fn slot(&self, slot: Slot) -> Option<SlotLocation> {
        self.places[slot]
    }

    /// The offset of a spill slot from the stack pointer.
    pub fn spill(&self, number: u32) -> i32 {
        -((self.slots_on_stack + (number + 1) * SPILL_BYTES) as i32)
    }

    fn place(
        simplified: &Simplified,
        used: &UsedSlots,
        surroundings: &Surroundings<'_>,
        stack_bytes: u32,
    ) -> FrameLayout {
        let slots = &simplified.function.slots;
        let mut layout = FrameLayout::default();
        let mut frame_end = surroundings.frame_base;
        let mut framed = surroundings.links;
        // What is shared has its place even where this function itself does not use it.
        let shared = surroundings.shared.iter();
        let shared = shared.filter(|&slot| !used.all.contains(slot));
        let mut by_size: Vec<Slot> = used.all.iter().chain(shared).collect();
        by_size.sort_by_key(|&slot| (!used.pinned.contains(slot), slots[slot].size, slot));
        for slot in by_size {
            if let Some((function, outer)) = slots[slot].outer {
                layout.places[slot] = surroundings.layouts[function].places[outer];
                framed = true;
                continue;
            }
            let size = slots[slot].size.next_multiple_of(8);
            let fits = size.saturating_add(layout.slots_on_stack) <= stack_bytes;
            if fits && !slots[slot].framed && !surroundings.shared.contains(slot) {
                layout.slots_on_stack += size;
                let offset = -(layout.slots_on_stack as i32);
                layout.places[slot] = Some(SlotLocation::Stack(offset));
            } else {
                layout.places[slot] = Some(SlotLocation::Frame(frame_end));
                frame_end = frame_end.saturating_add(size);
                framed = true;
            }
        }
        if framed {
            // At least a word, since 0 is said of a function without frame.
            layout.frame_bytes = frame_end.max(8);
        }
        layout.stack_bytes = layout.slots_on_stack;
        layout
    }
}

impl UsedSlots {
    /// Looks through what is emitted.
    pub fn new(simplified: &Simplified) -> UsedSlots {
        let mut used = UsedSlots {
            all: EntitySet::new(),
            pinned: EntitySet::new(),
        };
        for plan in &simplified.blocks {
            for &inst in &plan.insts {
                used.note(simplified, &simplified.function.insts[inst]);
            }
            plan.terminator.for_each_operand(|operand| {
                if let Operand::Slot(slot, _) = operand {
                    used.all.insert(slot);
                }
            });
        }
        used
    }

    /// Bytes of all, and of those that must be on the stack.
    pub fn bytes(&self, simplified: &Simplified) -> (u32, u32) {
        let sum = |set: &EntitySet<Slot>| {
            set.iter().fold(0u32, |sum, slot| {
                sum.saturating_add(simplified.function.slots[slot].size)
            })
        };
        (sum(&self.all), sum(&self.pinned))
    }

    fn note(&mut self, simplified: &Simplified, data: &InstData) {
        data.for_each_slot_access(|slot, _, _| {
            self.all.insert(slot);
        });
        let mut slots = Vec::new();
        let mut calls_back = false;
        data.for_each_operand(|value| match simplified.operand(value) {
            Operand::Slot(slot, _) => slots.push(slot),
            Operand::Function(_) => calls_back = true,
            _ => {}
        });
        for slot in slots {
            self.all.insert(slot);
            if calls_back {
                self.pinned.insert(slot);
            }
        }
    }
}
