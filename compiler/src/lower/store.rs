//! Values of any size stored into slots: strings, tuples, symbols, and scalars as words.

use super::Lower;
use crate::hir::{Expr, ExprKind};
use crate::ir::{Arith, Condition, SlotPlace, Value};
use crate::language::builtins::helper;
use crate::types::Type;

impl Lower<'_> {
    /// Stores a value of the type `ty` (or of one that joined to it) into a slot, all of its bytes.
    pub(super) fn store(&mut self, expr: &Expr, place: SlotPlace, ty: &Type) {
        self.at(expr.span, |this| this.store_here(expr, place, ty));
    }

    fn store_here(&mut self, expr: &Expr, place: SlotPlace, ty: &Type) {
        match (&expr.kind, ty) {
            (ExprKind::Ternary(condition, then, otherwise), _) => self.if_else(
                condition,
                |this| this.store(then, place, ty),
                |this| this.store(otherwise, place, ty),
            ),
            (_, Type::Str { bytes }) => self.store_string(expr, place, *bytes),
            (ExprKind::Tuple(items), Type::Tuple(types)) => {
                if items.len() != types.len() {
                    self.internal_error(expr.span, "a tuple has not as many values as its place");
                }
                let mut at = place;
                for (item, ty) in items.iter().zip(types) {
                    self.store(item, at, ty);
                    at = at.at(ty.size());
                }
            }
            (ExprKind::MapGet { map, key }, Type::Tuple(_) | Type::UserSymbol)
                if expr.ty == *ty =>
            {
                self.element(*map, key, place, ty.size());
            }
            (_, Type::Tuple(_)) => {
                let from = self.materialize(expr);
                self.convert(from, &expr.ty, place, ty);
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
                self.builder.copy(from, place, ty.size());
            }
            _ => {
                let value = self.value(expr);
                self.builder.store_word(place, value);
            }
        }
    }

    /// A place that holds the expression's value: its variable's slot, or a temporary one.
    pub(super) fn materialize(&mut self, expr: &Expr) -> SlotPlace {
        match &expr.kind {
            ExprKind::Var(var) => self.variable(*var),
            ExprKind::TupleField { tuple, offset } => self.materialize(tuple).at(*offset),
            ExprKind::MapGet { map, key } if !expr.ty.is_scalar() => {
                let place = self.builder.temporary(expr.ty.size(), "element");
                self.element(*map, key, place, expr.ty.size());
                place
            }
            _ => {
                let place = self.builder.temporary(expr.ty.size(), "value");
                self.store(expr, place, &expr.ty);
                place
            }
        }
    }

    /// Copies a value between types of the same shape whose strings may differ in room.
    fn convert(&mut self, from: SlotPlace, from_ty: &Type, to: SlotPlace, to_ty: &Type) {
        match (from_ty, to_ty) {
            (Type::Str { bytes: have }, Type::Str { bytes: room }) => {
                let copied = *have.min(room);
                self.builder.copy(from, to, copied);
                self.builder.zero(to.at(copied), room - copied);
            }
            (Type::Tuple(have), Type::Tuple(want)) => {
                let (mut from, mut to) = (from, to);
                for (have, want) in have.iter().zip(want) {
                    self.convert(from, have, to, want);
                    from = from.at(have.size());
                    to = to.at(want.size());
                }
            }
            _ => self.builder.copy(from, to, to_ty.size()),
        }
    }

    /// Stores a string into `room` bytes, zero-padded.
    fn store_string(&mut self, expr: &Expr, place: SlotPlace, room: u32) {
        match &expr.kind {
            ExprKind::Str(bytes) => {
                let text = &bytes[..bytes.len().min(room as usize - 1)];
                self.builder.slot_bytes(place, text, room);
            }
            ExprKind::HelperString { helper } => {
                let used = expr.ty.size().min(room);
                // Linux 5.17 to 6.3 leave what follows the terminator as it was (bpf_get_current_comm: strscpy).
                self.builder.zero(place, room);
                let address = self.builder.address(place);
                let size = self.builder.constant(used.into());
                self.builder.helper(*helper, vec![address, size]);
            }
            ExprKind::ReadString {
                address,
                limit,
                most,
            } => {
                let address = self.value(address);
                let most = (*most).min(room);
                let size = match limit {
                    None => self.builder.constant(most.into()),
                    Some(limit) => self.bounded(limit, most),
                };
                self.builder.zero(place, room);
                let target = self.builder.address(place);
                let loss = self.loss();
                self.builder
                    .routine("pf_read_str", vec![target, size, address, loss]);
            }
            ExprKind::MapGet { map, key } if expr.ty.size() == room => {
                self.element(*map, key, place, room);
            }
            _ => {
                let from = self.materialize(expr);
                if from != place {
                    self.convert(from, &expr.ty, place, &Type::Str { bytes: room });
                }
            }
        }
    }

    /// A value, cut to `1..=most`.
    fn bounded(&mut self, expr: &Expr, most: u32) -> Value {
        let value = self.value(expr);
        let builder = &mut self.builder;
        let result = builder.temporary(8, "limit");
        let (fits, too_much) = (builder.block(), builder.block());
        let above = builder.block();
        let limit = builder.constant(most.into());
        builder.branch(Condition::ULe, [value, limit], above, too_much);

        builder.switch_to(above);
        let one = builder.constant(1);
        builder.branch(Condition::UGe, [value, one], fits, too_much);

        builder.switch_to(fits);
        builder.store_word(result, value);
        builder.switch_to(too_much);
        let limit = builder.constant(most.into());
        builder.store_word(result, limit);
        builder.join(&[fits]);
        builder.load_word(result)
    }
}
