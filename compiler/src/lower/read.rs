//! What is read: elements of maps, globals, arguments of the probe, memory at any address.
//!
//! In comes a place, out goes a value or a filled slot. Whether a read is allowed was checked before.

use super::Lower;
use crate::hir::{Aggregate, Base, Expr, Place, ScriptMap};
use crate::ir::{Arith, Condition, SlotPlace, Value, Width};
use crate::providers::Access;
use crate::sema::MapContent;
use crate::types::Type;
use pfscript_grammar::Span;
use pfscript_probes::abi::layout::Extent;
use pfscript_probes::abi::{AVERAGE_COUNT, AVERAGE_TOTAL, EXTREME_RANK, helper};

impl Lower<'_> {
    /// Copies a map element into a slot, or zeroes where there is none; of an aggregation, what it has come to.
    pub(super) fn element(&mut self, map: ScriptMap, key: &[Expr], place: SlotPlace, bytes: u32) {
        let key = self.key(map, key);
        self.builder.zero(place, bytes);
        let pointer = self.map_pointer(map);
        let content = &self.checked.maps[map].value;
        self.look_up(
            pointer,
            key,
            |this, found| match *content {
                MapContent::Aggregate(aggregate, signed) => {
                    this.store_aggregated(found, aggregate, signed, place);
                }
                MapContent::Scalar(_) | MapContent::Unknown => {
                    this.builder.load_bytes(found, place, bytes);
                }
            },
            Self::count_missing_element,
        );
    }

    /// Stores what an aggregation has come to, from a pointer to its value: a number, of `stats` count, average and total.
    pub(super) fn store_aggregated(
        &mut self,
        value: Value,
        aggregate: Aggregate,
        signed: bool,
        place: SlotPlace,
    ) {
        let mut words = vec![self.aggregated(value, aggregate, signed)];
        if aggregate == Aggregate::Stats {
            let [count, total] = [AVERAGE_COUNT, AVERAGE_TOTAL].map(|extent| {
                let offset = extent.offset as i32;
                self.builder.load(value, offset, Width::W64, false)
            });
            words.insert(0, count);
            words.push(total);
        }
        for (word, at) in words.into_iter().zip((0..).step_by(8)) {
            self.builder.store_word(place.at(at), word);
        }
    }

    /// The number that an aggregation has come to, from a pointer to its value; of a histogram, what its first bucket has.
    fn aggregated(&mut self, value: Value, aggregate: Aggregate, signed: bool) -> Value {
        let builder = &mut self.builder;
        let mut word = |extent: Extent| {
            let offset = extent.offset as i32;
            builder.load(value, offset, Width::W64, false)
        };
        match aggregate {
            Aggregate::Avg | Aggregate::Stats => {
                let (total, count) = (word(AVERAGE_TOTAL), word(AVERAGE_COUNT));
                match signed {
                    true => builder.routine("pf_sdiv", vec![total, count]),
                    false => builder.arith(Arith::UDiv, total, count),
                }
            }
            Aggregate::Min | Aggregate::Max => {
                let rank = word(EXTREME_RANK);
                let sign = if signed { i64::MIN } else { 0 };
                let least = if aggregate == Aggregate::Min { -1 } else { 0 };
                let turned = builder.constant(sign ^ least);
                builder.arith(Arith::Xor, rank, turned)
            }
            Aggregate::Count
            | Aggregate::Sum
            | Aggregate::Hist { .. }
            | Aggregate::LHist { .. }
            | Aggregate::Series { .. } => builder.load(value, 0, Width::W64, false),
        }
    }

    /// A word of the globals.
    pub(super) fn global(&mut self, offset: u32, span: Span) -> Value {
        let Some(map) = self.maps.globals else {
            return self.internal_error(span, "a global is read and the module has none");
        };
        let result = self.builder.temporary(8, "global");
        let key = self.builder.temporary(8, "key");
        let zero = self.builder.constant(0);
        self.builder.store_word(key, zero);
        self.builder.store_word(result, zero);
        let map = self.builder.map_pointer(map);
        self.look_up(
            map,
            key,
            |this, found| {
                let value = this.builder.load(found, offset as i32, Width::W64, false);
                this.builder.store_word(result, value);
            },
            |_| {},
        );
        self.builder.load_word(result)
    }

    /// A value that the provider keeps in the context or on the stack.
    pub(super) fn argument(&mut self, access: Access) -> Value {
        let context = self.context();
        match access {
            Access::Context {
                offset,
                width,
                signed,
            } => self.builder.load(context, offset as i32, width, signed),
            Access::Memory {
                base,
                index,
                offset,
                width,
                signed,
            } => {
                let mut address = self.builder.load(context, base as i32, Width::W64, false);
                if let Some((register, scale)) = index {
                    let index = self
                        .builder
                        .load(context, register as i32, Width::W64, false);
                    let scale = self.builder.constant(scale.into());
                    let index = self.builder.arith(Arith::Mul, index, scale);
                    address = self.builder.arith(Arith::Add, address, index);
                }
                let above = self.builder.constant(offset.into());
                let address = self.builder.arith(Arith::Add, address, above);
                self.read(address, width, signed)
            }
            Access::Constant(value) => self.builder.constant(value),
            Access::InContext { offset } => {
                let offset = self.builder.constant(offset.into());
                self.builder.arith(Arith::Add, context, offset)
            }
            Access::DataLocation { offset } => self.located(context, offset, 0),
            Access::RelativeLocation { offset } => self.located(context, offset, offset + 4),
        }
    }

    /// The address of bytes that stand `base` bytes, and what the low half of the `u32` at `offset` says, into the
    /// context.
    fn located(&mut self, context: Value, offset: u32, base: u32) -> Value {
        let location = self.builder.load(context, offset as i32, Width::W32, false);
        let mask = self.builder.constant(0xffff);
        let distance = self.builder.arith(Arith::And, location, mask);
        let base = self.builder.constant(base.into());
        let distance = self.builder.arith(Arith::Add, distance, base);
        self.builder.arith(Arith::Add, context, distance)
    }

    /// The scalar at a place.
    pub(super) fn load(&mut self, place: &Place, span: Span) -> Value {
        let bytes = match place.bits {
            Some(field) => Some(field.width.bytes()),
            None if place.in_c => self.checked.types.c_size(place.ty),
            None => Some(Width::W64.bytes()),
        };
        let Some(width) = bytes.and_then(Width::of) else {
            return self.internal_error(span, "memory of no register's size is read as one");
        };
        let signed = matches!(place.ty, Type::Int { signed: true, .. });
        let extended = signed && place.bits.is_none();
        let word = match &place.base {
            Base::Memory(address) => {
                let address = self.address_at(address, place.offset);
                self.read(address, width, extended)
            }
            _ => {
                let slot = self.in_slot(place);
                self.load_part(slot, width, extended && width != Width::W64)
            }
        };
        let Some(field) = place.bits else {
            return word;
        };
        let up = (64 - field.shift - field.bits).into();
        let up = self.builder.constant(up);
        let down = self.builder.constant((64 - field.bits).into());
        let raised = self.builder.arith(Arith::Shl, word, up);
        let op = if signed { Arith::AShr } else { Arith::LShr };
        self.builder.arith(op, raised, down)
    }

    /// A scalar in a slot. The verifier wants loads from the stack aligned, which C's packed structures are not.
    fn load_part(&mut self, place: SlotPlace, width: Width, signed: bool) -> Value {
        if place.offset.is_multiple_of(width.bytes()) {
            return self.builder.slot_load(place, width, signed);
        }
        let landing = self.builder.landing();
        self.copy_part(place, landing.into(), width.bytes());
        self.builder.slot_load(landing, width, signed)
    }

    /// Copies bytes between slots, wherever they begin and however many they are.
    pub(super) fn copy_part(&mut self, from: SlotPlace, to: SlotPlace, bytes: u32) {
        let to = self.builder.address(to);
        let bytes = self.builder.constant(bytes.into());
        let from = self.builder.address(from);
        self.builder
            .helper(helper::PROBE_READ_KERNEL, vec![to, bytes, from]);
    }

    /// The address of an element in a slot; 0 if the index is none.
    pub(super) fn element_address(
        &mut self,
        place: &Place,
        index: &Expr,
        size: u32,
        count: u32,
    ) -> Value {
        let index = self.value(index);
        let first = self.in_slot(place);
        let builder = &mut self.builder;
        let result = builder.temporary(8, "element");
        let nothing = builder.constant(0);
        builder.store_word(result, nothing);
        let (inside, behind) = (builder.block(), builder.block());
        let limit = builder.constant(count.into());
        builder.branch(Condition::ULt, [index, limit], inside, behind);

        builder.switch_to(inside);
        // The verifier may not know what was compared any more, if the index was spilled between.
        let mask = builder.constant(i64::from(count.next_power_of_two()) - 1);
        let index = builder.arith(Arith::And, index, mask);
        let size = builder.constant(size.into());
        let distance = builder.arith(Arith::Mul, index, size);
        let first = builder.address(first);
        let address = builder.arith(Arith::Add, first, distance);
        builder.store_word(result, address);
        builder.switch_to(behind);
        builder.join(&[inside]);
        builder.load_word(result)
    }

    /// Reads a structure or an array into a slot; zeroes if it cannot be read.
    pub(super) fn read_whole(&mut self, address: Value, place: SlotPlace, ty: Type) {
        let bytes = self.checked.types.c_size(ty).unwrap_or(0);
        self.pad(place, ty);
        self.read_bytes(place, bytes, address);
    }

    /// The address of a place in a variable or an element.
    pub(super) fn address_of(&mut self, place: &Place) -> Value {
        let Base::Element { map, key } = &place.base else {
            let slot = self.in_slot(place);
            let address = self.builder.address(slot);
            return self.builder.pointer_as_number(address);
        };
        let key = self.key(*map, key);
        let map = self.map_pointer(*map);
        let result = self.builder.temporary(8, "address");
        let zero = self.builder.constant(0);
        self.builder.store_word(result, zero);
        self.look_up(
            map,
            key,
            |this, found| {
                let address = this.builder.pointer_as_number(found);
                let offset = this.builder.constant(place.offset.into());
                let address = this.builder.arith(Arith::Add, address, offset);
                this.builder.store_word(result, address);
            },
            |_| {},
        );
        self.builder.load_word(result)
    }

    /// Reads bytes at an address that may be anything; zeros if they cannot be read.
    pub(super) fn read_bytes(&mut self, place: SlotPlace, bytes: u32, address: Value) {
        let target = self.builder.address(place);
        let size = self.builder.constant(bytes.into());
        let loss = self.loss_of_read(false, 0);
        self.builder
            .routine("pf_read", vec![target, size, address, loss]);
    }

    /// Zeroes what a structure or an array leaves of its last word.
    pub(super) fn pad(&mut self, place: SlotPlace, ty: Type) {
        let size = self.size(ty);
        if self.checked.types.c_size(ty) != Some(size) {
            self.builder.zero(place.at(size - 8), 8);
        }
    }

    /// An address, `offset` bytes further.
    pub(super) fn address_at(&mut self, address: &Expr, offset: u32) -> Value {
        let address = self.value(address);
        match offset {
            0 => address,
            offset => {
                let offset = self.builder.constant(offset.into());
                self.builder.arith(Arith::Add, address, offset)
            }
        }
    }

    /// Reads memory at an address that may be anything; zero if it cannot be read.
    fn read(&mut self, address: Value, width: Width, signed: bool) -> Value {
        let landing = self.builder.landing();
        let target = self.builder.address(landing);
        let size = self.builder.constant(width.bytes().into());
        let loss = self.loss_of_read(false, 0);
        self.builder
            .routine("pf_read", vec![target, size, address, loss]);
        self.builder.slot_load(landing, width, signed)
    }

    /// Reads a string of at most `size` bytes from an address into `room` bytes.
    /// `loss` is the place of the counters, with a flag.
    pub(super) fn read_string(
        &mut self,
        place: SlotPlace,
        room: u32,
        size: Value,
        address: Value,
        loss: Value,
    ) {
        self.builder.zero(place, room);
        let target = self.builder.address(place);
        self.builder
            .routine("pf_read_str", vec![target, size, address, loss]);
    }

    /// 1 if two strings are equal.
    pub(super) fn compare_strings(&mut self, left: &Expr, right: &Expr) -> Value {
        // Both are zero-padded and end within the shorter room, or differ there.
        let bytes = self.size(left.ty).min(self.size(right.ty));
        let left = self.materialize(left);
        let right = self.materialize(right);
        let left = self.builder.address(left);
        let right = self.builder.address(right);
        let bytes = self.builder.constant(bytes.into());
        self.builder.routine("pf_streq", vec![left, right, bytes])
    }
}
