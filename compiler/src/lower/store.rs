//! Values of any size stored into slots: strings, tuples, symbols, and scalars as words.
//!
//! In come an expression and the place for its value, out go instructions that fill it. Places in maps are filled by routines,
//! from slots.

use super::Lower;
use crate::hir::{Base, Expr, ExprKind, Place, StringEnd};
use crate::ir::{Arith, Condition, SlotPlace, Value};
use crate::types::{TupleId, Type};
use pfscript_probes::abi::{STRING_ARRAY, STRING_LIMIT_CHOSEN, helper};

impl Lower<'_> {
    /// Stores a value of the type `ty` (or of one that joined to it) into a slot, all of its bytes.
    pub(super) fn store(&mut self, expr: &Expr, place: SlotPlace, ty: Type) {
        self.at(expr.span, |this| this.store_here(expr, place, ty));
    }

    fn store_here(&mut self, expr: &Expr, place: SlotPlace, ty: Type) {
        match (&expr.kind, ty) {
            (ExprKind::Block(body, Some(value)), _) => {
                self.nested(body);
                self.store(value, place, ty);
            }
            (ExprKind::Ternary(condition, then, otherwise), _) => self.if_else(
                condition,
                |this| this.store(then, place, ty),
                |this| this.store(otherwise, place, ty),
            ),
            (_, Type::Str { bytes }) => self.store_string(expr, place, bytes),
            (ExprKind::Buffer { from, length, most }, Type::Buffer { bytes, .. }) => {
                self.store_buffer(from, length.as_deref(), *most, place, bytes);
            }
            (ExprKind::Tuple(items), Type::Tuple(tuple)) => {
                let offsets = self.item_offsets(expr, tuple);
                for (item, (offset, ty)) in items.iter().zip(offsets) {
                    self.store(item, place.at(offset), ty);
                }
            }
            (
                ExprKind::Load(Place {
                    base: Base::Element { map, key },
                    offset: 0,
                    ..
                }),
                Type::Tuple(_)
                | Type::UserSymbol
                | Type::Buffer { .. }
                | Type::Record(_)
                | Type::Array { .. },
            ) if expr.ty == ty && self.size(ty) == self.element_size(*map) => {
                self.element(*map, key, place, self.size(ty))
            }
            // What a script's pointer to a variable of its own, or to an element, points to.
            (
                ExprKind::Load(Place {
                    base: Base::Memory(address),
                    offset,
                    ..
                }),
                Type::Tuple(_) | Type::UserSymbol | Type::Buffer { .. },
            ) if expr.ty == ty => {
                let address = self.address_at(address, *offset);
                self.read_bytes(place, self.size(ty), address);
            }
            (_, Type::Record(_) | Type::Array { .. }) => self.store_whole(expr, place),
            (_, Type::Tuple(_) | Type::Buffer { .. }) => {
                let from = self.materialize(expr);
                self.convert(from, expr.ty, place, ty);
            }
            (ExprKind::UserSymbol(address), _) => {
                let address = self.value(address);
                self.builder.store_word(place, address);
                let ids = self
                    .builder
                    .helper(helper::GET_CURRENT_PID_TGID, Vec::new());
                let shift = self.builder.constant(32);
                let tgid = self.builder.arith(Arith::LShr, ids, shift);
                self.builder.store_word(place.at(8), tgid);
            }
            (_, Type::UserSymbol) => {
                let from = self.materialize(expr);
                self.builder.copy(from, place, self.size(ty));
            }
            _ => {
                let value = self.value(expr);
                self.builder.store_word(place, value);
            }
        }
    }

    /// Where the items of a tuple go in one of another type: offsets in bytes and types, in the order of its own items.
    fn item_offsets(&mut self, expr: &Expr, to: TupleId) -> Vec<(u32, Type)> {
        let types = &self.checked.types;
        let matching = match expr.ty {
            Type::Tuple(from) => types.matching(from, to),
            _ => None,
        };
        let Some(matching) = matching else {
            self.internal_error(expr.span, "a tuple is stored as one of other items");
            return Vec::new();
        };
        let offsets = types.item_offsets(to);
        matching.into_iter().map(|at| offsets[at]).collect()
    }

    /// Stores a structure or an array, from memory or from another slot.
    fn store_whole(&mut self, expr: &Expr, place: SlotPlace) {
        let ExprKind::Load(from) = &expr.kind else {
            self.internal_error(expr.span, "a structure or an array is made of nothing");
            return;
        };
        if let Base::Memory(address) = &from.base {
            let address = self.address_at(address, from.offset);
            return self.read_whole(address, place, expr.ty);
        }
        let from = self.in_slot(from);
        let bytes = self.size(expr.ty);
        let whole = self.checked.types.c_size(expr.ty) == Some(bytes);
        if from == place {
        } else if whole && from.offset.is_multiple_of(8) {
            self.builder.copy(from, place, bytes);
        } else {
            self.pad(place, expr.ty);
            let bytes = self.checked.types.c_size(expr.ty).unwrap_or(0);
            self.copy_part(from, place, bytes);
        }
    }

    /// Stores values of these types one behind the other.
    pub(super) fn store_all(&mut self, values: &[Expr], place: SlotPlace, types: &[Type]) {
        if values.len() != types.len() {
            let span = values.first().map_or(self.action.span, |value| value.span);
            self.internal_error(span, "there are not as many values as places for them");
        }
        let mut at = place;
        for (value, ty) in values.iter().zip(types) {
            self.store(value, at, *ty);
            at = at.at(self.size(*ty));
        }
    }

    /// A slot that holds the expression's value: that of its variable, or a temporary one.
    pub(super) fn materialize(&mut self, expr: &Expr) -> SlotPlace {
        if let ExprKind::Load(place) = &expr.kind
            && !matches!(place.base, Base::Memory(_))
            && !place.in_c
        {
            return self.in_slot(place);
        }
        let place = self.builder.temporary(self.size(expr.ty), "value");
        self.store(expr, place, expr.ty);
        place
    }

    /// Where a place is in a slot: in its variable's, or in one that its whole was brought into.
    pub(super) fn in_slot(&mut self, place: &Place) -> SlotPlace {
        let whole = match &place.base {
            Base::Var(var) => self.variable(*var),
            Base::Element { map, key } => {
                // The whole has the map's type, which a part of it does not say.
                let bytes = self.element_size(*map);
                let slot = self.builder.temporary(bytes, "element");
                self.element(*map, key, slot, bytes);
                slot
            }
            Base::Value(value) => self.materialize(value),
            Base::Memory(address) => {
                self.internal_error(address.span, "memory stands where a value is wanted");
                self.builder.temporary(8, "nothing")
            }
        };
        whole.at(place.offset)
    }

    /// Copies a value between types of the same shape whose strings may differ in room.
    pub(super) fn convert(&mut self, from: SlotPlace, from_ty: Type, to: SlotPlace, to_ty: Type) {
        let types = &self.checked.types;
        match (from_ty, to_ty) {
            _ if from_ty == to_ty => self.builder.copy(from, to, types.size(to_ty)),
            (Type::Str { bytes: have }, Type::Str { bytes: room }) => {
                let copied = have.min(room);
                self.builder.copy(from, to, copied);
                self.builder.zero(to.at(copied), room - copied);
            }
            (Type::Buffer { bytes: have, .. }, Type::Buffer { bytes: room, .. }) => {
                let copied = 8 + have.min(room);
                self.builder.copy(from, to, copied);
                self.builder.zero(to.at(copied), 8 + room - copied);
            }
            (Type::Tuple(have), Type::Tuple(want)) => {
                let order = types.matching(have, want).unwrap_or_default();
                let offsets = types.item_offsets(want);
                let mut from = from;
                for (&have, at) in types.items(have).iter().zip(order) {
                    let (offset, want) = offsets[at];
                    self.convert(from, have, to.at(offset), want);
                    from = from.at(self.size(have));
                }
            }
            _ => self.builder.copy(from, to, types.size(to_ty)),
        }
    }

    /// Copies values that stand one behind the other, as [`Self::convert`] does.
    pub(super) fn convert_all(
        &mut self,
        from: SlotPlace,
        have: &[Type],
        to: SlotPlace,
        want: &[Type],
    ) {
        let (mut from, mut to) = (from, to);
        for (have, want) in have.iter().zip(want) {
            self.convert(from, *have, to, *want);
            from = from.at(self.size(*have));
            to = to.at(self.size(*want));
        }
    }

    /// Stores a string into `room` bytes, zero-padded.
    fn store_string(&mut self, expr: &Expr, place: SlotPlace, room: u32) {
        match &expr.kind {
            ExprKind::Str(bytes) => {
                let text = &bytes[..bytes.len().min(room as usize - 1)];
                self.builder.slot_bytes(place, text, room);
            }
            ExprKind::Helper { helper, args } => {
                self.written(expr, args, place, room, |this, args| {
                    this.builder.helper(*helper, args)
                });
            }
            ExprKind::Routine { routine, args } => {
                self.written(expr, args, place, room, |this, args| {
                    this.routine_with_loss(routine, args)
                });
            }
            ExprKind::SiteText(column) => self.site_text(expr, *column, place, room),
            ExprKind::ReadString {
                address,
                limit,
                most,
                end,
            } => {
                let address = match address.ty {
                    // The beginning of a string, which may be what it is stored in.
                    Type::Str { .. } => {
                        let whole = self.builder.temporary(self.size(address.ty), "string");
                        self.store(address, whole, address.ty);
                        self.builder.address(whole)
                    }
                    _ => self.value(address),
                };
                let most = (*most).min(room - 1);
                match limit {
                    None => {
                        let size = self.builder.constant(most.into());
                        let loss = self.loss_of_string(*end);
                        self.read_string(place, room, size, address, loss);
                    }
                    Some(limit) => self.read_beginning(place, room, address, limit, most),
                }
            }
            ExprKind::Load(from) if let Type::Chars { count } = from.ty => {
                let address = match &from.base {
                    Base::Memory(address) => self.address_at(address, from.offset),
                    _ => {
                        let slot = self.in_slot(from);
                        self.builder.address(slot)
                    }
                };
                // Where there is no room for all of it, it is cut.
                let (size, end) = match count < room {
                    true => (count, StringEnd::Array),
                    false => (self.checked.limits.max_strlen + 1, StringEnd::Cut),
                };
                let size = self.builder.constant(size.min(room - 1).into());
                let loss = self.loss_of_string(end);
                self.read_string(place, room, size, address, loss);
            }
            ExprKind::Load(Place {
                base: Base::Memory(address),
                offset,
                ty: Type::Str { bytes },
                ..
            }) => {
                let address = self.address_at(address, *offset);
                let read = (*bytes).min(room);
                self.builder.zero(place.at(read), room - read);
                self.read_bytes(place, read, address);
            }
            ExprKind::Load(Place {
                base: Base::Element { map, key },
                offset: 0,
                ..
            }) if self.size(expr.ty) == room => self.element(*map, key, place, room),
            _ => {
                let from = self.materialize(expr);
                if from != place {
                    self.convert(from, expr.ty, place, Type::Str { bytes: room });
                }
            }
        }
    }

    /// The place of the counters for a string that is read, and how it ends.
    fn loss_of_string(&mut self, end: StringEnd) -> Value {
        let flag = match end {
            StringEnd::Cut => 0,
            StringEnd::Chosen => STRING_LIMIT_CHOSEN,
            StringEnd::Array => STRING_ARRAY,
        };
        self.loss_of_read(true, flag)
    }

    /// Reads a string whose length the script computes, cut to `1..=most`. Each way reads it: where ways meet, the length would
    /// be in memory, and the verifier forget its bounds.
    fn read_beginning(
        &mut self,
        place: SlotPlace,
        room: u32,
        address: Value,
        limit: &Expr,
        most: u32,
    ) {
        let limit = self.value(limit);
        let chosen = self.loss_of_string(StringEnd::Chosen);
        let builder = &mut self.builder;
        builder.zero(place, room);
        let target = builder.address(place);
        let (fits, too_much) = (builder.block(), builder.block());
        let above = builder.block();
        let bound = builder.constant(most.into());
        builder.branch(Condition::ULe, [limit, bound], above, too_much);

        builder.switch_to(above);
        let one = builder.constant(1);
        builder.branch(Condition::UGe, [limit, one], fits, too_much);

        builder.switch_to(fits);
        builder.routine("pf_read_str", vec![target, limit, address, chosen]);

        builder.switch_to(too_much);
        let bound = self.builder.constant(most.into());
        let loss = self.loss_of_string(StringEnd::Cut);
        let target = self.builder.address(place);
        self.builder
            .routine("pf_read_str", vec![target, bound, address, loss]);
        self.builder.join(&[fits]);
    }
}
