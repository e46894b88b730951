//! Expressions: scalars become values, everything else is stored into slots.

use super::{Lower, Place};
use crate::hir::{Expr, ExprKind, ScriptMap};
use crate::ir::{Arith, Block, Condition, InstData, Value, Width};
use crate::language::builtins::helper;
use crate::providers::Access;
use crate::types::Type;
use pfscript_probes::catalogue::{STACK_DEFAULT_DEPTH, STACK_USER};

impl Lower<'_> {
    /// A scalar's value.
    pub(super) fn value(&mut self, expr: &Expr) -> Value {
        self.span = expr.span;
        match &expr.kind {
            ExprKind::Int(value) => self.constant(*value),
            ExprKind::Var(var) => {
                let place = self.variable(*var);
                self.load_word(place)
            }
            ExprKind::Context => self.push(InstData::Context),
            ExprKind::Argument(access) => self.argument(*access),
            ExprKind::Helper { args, .. } | ExprKind::Routine { args, .. } => {
                let args = self.arguments(args);
                self.call(expr, args)
            }
            ExprKind::Stack {
                user,
                depth,
                default_depth,
            } => {
                let context = self.push(InstData::Context);
                let flag = |set: bool, flag: u64| if set { flag } else { 0 };
                let flags = flag(*user, STACK_USER) | flag(*default_depth, STACK_DEFAULT_DEPTH);
                let flags = self.constant(flags as i64);
                let size = self.constant(i64::from(*depth) * 8);
                let loss = self.loss();
                self.routine("pf_stack", vec![context, flags, size, loss])
            }
            ExprKind::Global(offset) => self.global(*offset),
            ExprKind::MapGet { map, key } => {
                let result = self.temporary(8, "element");
                self.element(*map, key, result, 8);
                self.load_word(result)
            }
            ExprKind::MapAdd {
                map,
                key,
                delta,
                after,
            } => {
                let delta = self.value(delta);
                let key = self.key(*map, key);
                self.span = expr.span;
                let pointer = self.map_pointer(*map);
                let key = self.address(key);
                let loss = self.loss();
                let before = self.routine("pf_add", vec![pointer, key, delta, loss]);
                if *after {
                    self.arith(Arith::Add, before, delta)
                } else {
                    before
                }
            }
            ExprKind::VarAdd { var, delta, after } => {
                let place = self.variable(*var);
                let before = self.load_word(place);
                let delta = self.constant(*delta);
                let sum = self.arith(Arith::Add, before, delta);
                self.store_word(place, sum);
                if *after { sum } else { before }
            }
            ExprKind::Arith(op, left, right) => {
                let left = self.value(left);
                let right = self.value(right);
                self.span = expr.span;
                self.arith(*op, left, right)
            }
            ExprKind::Compare(condition, left, right) => {
                let left = self.value(left);
                let right = self.value(right);
                self.push(InstData::Compare {
                    condition: *condition,
                    args: [left, right],
                })
            }
            ExprKind::CompareStr { equal, left, right } => {
                let same = self.compare_strings(left, right);
                if *equal {
                    return same;
                }
                let one = self.constant(1);
                self.arith(Arith::Xor, same, one)
            }
            ExprKind::Not(operand) => {
                let value = self.value(operand);
                let zero = self.constant(0);
                self.push(InstData::Compare {
                    condition: Condition::Eq,
                    args: [value, zero],
                })
            }
            ExprKind::And(..) | ExprKind::Or(..) => {
                let result = self.temporary(8, "condition");
                let (yes, no) = (self.new_block(), self.new_block());
                self.condition(expr, yes, no);
                self.block = yes;
                let one = self.constant(1);
                self.store_word(result, one);
                self.block = no;
                let zero = self.constant(0);
                self.store_word(result, zero);
                self.join(&[yes]);
                self.load_word(result)
            }
            ExprKind::Ternary(..) => {
                let result = self.temporary(8, "choice");
                self.store(expr, result, &expr.ty);
                self.load_word(result)
            }
            ExprKind::Extend {
                width,
                signed,
                value,
            } => {
                let arg = self.value(value);
                self.push(InstData::Extend {
                    width: *width,
                    signed: *signed,
                    arg,
                })
            }
            ExprKind::Read {
                address,
                width,
                signed,
            } => self.read(address, *width, *signed),
            ExprKind::ReadBits {
                address,
                width,
                shift,
                bits,
                signed,
            } => {
                let word = self.read(address, *width, false);
                let up = self.constant((64 - shift - bits).into());
                let down = self.constant((64 - bits).into());
                let raised = self.arith(Arith::Shl, word, up);
                let op = if *signed { Arith::AShr } else { Arith::LShr };
                self.arith(op, raised, down)
            }
            ExprKind::TupleField { tuple, offset } => {
                let place = self.materialize(tuple).at(*offset);
                self.load_word(place)
            }
            ExprKind::MapDelete { map, key } => {
                let key = self.key(*map, key);
                let pointer = self.map_pointer(*map);
                let key = self.address(key);
                let status = self.helper(helper::MAP_DELETE_ELEM, vec![pointer, key]);
                let zero = self.constant(0);
                self.push(InstData::Compare {
                    condition: Condition::Eq,
                    args: [status, zero],
                })
            }
            // These live in memory (or give nothing), and the checker lets none of them stand for a number.
            ExprKind::Str(_)
            | ExprKind::UserSymbol(_)
            | ExprKind::ReadString { .. }
            | ExprKind::Tuple(_)
            | ExprKind::Emit { .. } => self.constant(0),
        }
    }

    /// Goes to `yes` or `no` by a condition.
    pub(super) fn condition(&mut self, expr: &Expr, yes: Block, no: Block) {
        self.span = expr.span;
        match &expr.kind {
            ExprKind::Not(operand) => self.condition(operand, no, yes),
            ExprKind::And(left, right) => {
                let both = self.new_block();
                self.condition(left, both, no);
                self.block = both;
                self.condition(right, yes, no);
            }
            ExprKind::Or(left, right) => {
                let other = self.new_block();
                self.condition(left, yes, other);
                self.block = other;
                self.condition(right, yes, no);
            }
            ExprKind::Compare(condition, left, right) => {
                let left = self.value(left);
                let right = self.value(right);
                self.span = expr.span;
                self.branch(*condition, [left, right], yes, no);
            }
            _ => {
                let value = self.value(expr);
                let zero = self.constant(0);
                self.branch(Condition::Ne, [value, zero], yes, no);
            }
        }
    }

    /// Stores a value of the type `ty` (or of one that joined to it) into a slot, all of its bytes.
    pub(super) fn store(&mut self, expr: &Expr, place: Place, ty: &Type) {
        self.span = expr.span;
        match (&expr.kind, ty) {
            (ExprKind::Ternary(condition, then, otherwise), _) => {
                let (yes, no) = (self.new_block(), self.new_block());
                self.condition(condition, yes, no);
                self.block = yes;
                self.store(then, place, ty);
                let yes_end = self.block;
                self.block = no;
                self.store(otherwise, place, ty);
                self.join(&[yes_end]);
            }
            (_, Type::Str { bytes }) => self.store_string(expr, place, *bytes),
            (ExprKind::Tuple(items), Type::Tuple(types)) => {
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
                self.store_word(place, address);
                let ids = self.helper(helper::GET_CURRENT_PID_TGID, Vec::new());
                let shift = self.constant(32);
                let tgid = self.arith(Arith::LShr, ids, shift);
                self.store_word(place.at(8), tgid);
            }
            (_, Type::UserSymbol) => {
                let from = self.materialize(expr);
                self.copy(from, place, ty.size());
            }
            _ => {
                let value = self.value(expr);
                self.store_word(place, value);
            }
        }
    }

    /// A place that holds the expression's value: its variable's slot, or a temporary one.
    pub(super) fn materialize(&mut self, expr: &Expr) -> Place {
        match &expr.kind {
            ExprKind::Var(var) => self.variable(*var),
            ExprKind::TupleField { tuple, offset } => self.materialize(tuple).at(*offset),
            ExprKind::MapGet { map, key } if !expr.ty.is_scalar() => {
                let place = self.temporary(expr.ty.size(), "element");
                self.element(*map, key, place, expr.ty.size());
                place
            }
            _ => {
                let place = self.temporary(expr.ty.size(), "value");
                self.store(expr, place, &expr.ty);
                place
            }
        }
    }

    /// Copies a value between types of the same shape whose strings may differ in room.
    fn convert(&mut self, from: Place, from_ty: &Type, to: Place, to_ty: &Type) {
        match (from_ty, to_ty) {
            (Type::Str { bytes: have }, Type::Str { bytes: room }) => {
                self.copy(from, to, *have.min(room));
                self.zero(to.at(*have.min(room)), room.saturating_sub(*have));
            }
            (Type::Tuple(have), Type::Tuple(want)) => {
                let (mut from, mut to) = (from, to);
                for (have, want) in have.iter().zip(want) {
                    self.convert(from, have, to, want);
                    from = from.at(have.size());
                    to = to.at(want.size());
                }
            }
            _ => self.copy(from, to, to_ty.size()),
        }
    }

    /// Stores a string into `room` bytes, zero-padded.
    fn store_string(&mut self, expr: &Expr, place: Place, room: u32) {
        match &expr.kind {
            ExprKind::Str(bytes) => {
                let text = &bytes[..bytes.len().min(room as usize - 1)];
                let literal = self.function.literals.push(text.to_vec());
                self.effect(InstData::SlotBytes {
                    slot: place.slot,
                    offset: place.offset,
                    literal,
                    bytes: room,
                });
            }
            ExprKind::Helper { args, .. } | ExprKind::Routine { args, .. } => {
                self.call_for_string(expr, args, place, room);
            }
            ExprKind::ReadString {
                address,
                limit,
                most,
            } => {
                let address = self.value(address);
                let most = (*most).min(room);
                let size = match limit {
                    None => self.constant(most.into()),
                    Some(limit) => self.bounded(limit, most),
                };
                self.span = expr.span;
                self.zero(place, room);
                let target = self.address(place);
                let loss = self.loss();
                self.routine("pf_read_str", vec![target, size, address, loss]);
            }
            ExprKind::MapGet { map, key } => {
                let have = expr.ty.size();
                if have == room {
                    self.element(*map, key, place, room);
                } else {
                    let from = self.materialize(expr);
                    self.convert(from, &expr.ty, place, &Type::Str { bytes: room });
                }
            }
            _ => {
                let from = self.materialize(expr);
                if from.slot != place.slot || from.offset != place.offset {
                    self.convert(from, &expr.ty, place, &Type::Str { bytes: room });
                }
            }
        }
    }

    /// A value, cut to `1..=most`.
    fn bounded(&mut self, expr: &Expr, most: u32) -> Value {
        let value = self.value(expr);
        let result = self.temporary(8, "limit");
        let (fits, too_much) = (self.new_block(), self.new_block());
        let above = self.new_block();
        let limit = self.constant(most.into());
        self.branch(Condition::ULe, [value, limit], above, too_much);

        self.block = above;
        let one = self.constant(1);
        self.branch(Condition::UGe, [value, one], fits, too_much);

        self.block = fits;
        self.store_word(result, value);
        self.block = too_much;
        let limit = self.constant(most.into());
        self.store_word(result, limit);
        self.join(&[fits]);
        self.load_word(result)
    }

    /// Copies a map element into a slot, or zeroes where there is none.
    fn element(&mut self, map: ScriptMap, key: &[Expr], place: Place, bytes: u32) {
        let span = self.span;
        let key = self.key(map, key);
        self.span = span;
        self.zero(place, bytes);
        let (found, some, none) = self.look_up(self.map_id(map), key);
        self.block = some;
        for (at, bytes) in pieces(bytes) {
            let base = if at == 0 {
                found
            } else {
                let at = self.constant(at.into());
                self.arith(Arith::Add, found, at)
            };
            self.effect(InstData::LoadBytes {
                base,
                slot: place.slot,
                offset: place.offset + at,
                bytes,
            });
        }
        self.block = none;
        self.join(&[some]);
    }

    fn global(&mut self, offset: u32) -> Value {
        let result = self.temporary(8, "global");
        let key = self.temporary(8, "key");
        let zero = self.constant(0);
        self.store_word(key, zero);
        self.store_word(result, zero);
        let Some(map) = self.maps.globals else {
            return zero;
        };
        let (found, some, none) = self.look_up(map, key);
        self.block = some;
        let value = self.push(InstData::Load {
            base: found,
            offset: offset as i32,
            width: Width::W64,
            signed: false,
        });
        self.store_word(result, value);
        self.block = none;
        self.join(&[some]);
        self.load_word(result)
    }

    fn argument(&mut self, access: Access) -> Value {
        let context = self.push(InstData::Context);
        match access {
            Access::Context {
                offset,
                width,
                signed,
            } => self.push(InstData::Load {
                base: context,
                offset: offset as i32,
                width,
                signed,
            }),
            Access::Stack { pointer, offset } => {
                let stack = self.push(InstData::Load {
                    base: context,
                    offset: pointer as i32,
                    width: Width::W64,
                    signed: false,
                });
                let above = self.constant(offset.into());
                let address = self.arith(Arith::Add, stack, above);
                self.read_at(address, Width::W64, false)
            }
            Access::InContext { offset } => {
                let offset = self.constant(offset.into());
                self.arith(Arith::Add, context, offset)
            }
            Access::DataLocation { offset } => self.located(context, offset, 0),
            Access::RelativeLocation { offset } => self.located(context, offset, offset + 4),
        }
    }

    /// The address of bytes that stand `base` bytes, and what the low half of the `u32` at `offset` says, into the
    /// context.
    fn located(&mut self, context: Value, offset: u32, base: u32) -> Value {
        let location = self.push(InstData::Load {
            base: context,
            offset: offset as i32,
            width: Width::W32,
            signed: false,
        });
        let mask = self.constant(0xffff);
        let distance = self.arith(Arith::And, location, mask);
        let base = self.constant(base.into());
        let distance = self.arith(Arith::Add, distance, base);
        self.arith(Arith::Add, context, distance)
    }

    fn read(&mut self, address: &Expr, width: Width, signed: bool) -> Value {
        let span = self.span;
        let address = self.value(address);
        self.span = span;
        self.read_at(address, width, signed)
    }

    /// Reads memory at an address that may be anything; zero if it cannot be read.
    fn read_at(&mut self, address: Value, width: Width, signed: bool) -> Value {
        let slot = match self.landing {
            Some(slot) => slot,
            None => {
                let slot = self.new_slot(8, "read");
                self.landing = Some(slot);
                slot
            }
        };
        let place = Place { slot, offset: 0 };
        let target = self.address(place);
        let size = self.constant(width.bytes().into());
        let loss = self.loss();
        self.routine("pf_read", vec![target, size, address, loss]);
        self.push(InstData::SlotLoad {
            slot,
            offset: 0,
            width,
            signed,
        })
    }

    /// 1 if two strings are equal.
    fn compare_strings(&mut self, left: &Expr, right: &Expr) -> Value {
        let span = self.span;
        // Both are zero-padded and end within the shorter room, or differ there.
        let bytes = left.ty.size().min(right.ty.size());
        let left = self.materialize(left);
        let right = self.materialize(right);
        self.span = span;
        let left = self.address(left);
        let right = self.address(right);
        let bytes = self.constant(bytes.into());
        self.routine("pf_streq", vec![left, right, bytes])
    }

    pub(super) fn copy(&mut self, from: Place, to: Place, bytes: u32) {
        for (at, bytes) in pieces(bytes) {
            self.effect(InstData::SlotCopy {
                from: from.slot,
                from_offset: from.offset + at,
                to: to.slot,
                to_offset: to.offset + at,
                bytes,
            });
        }
    }

    pub(super) fn zero(&mut self, place: Place, bytes: u32) {
        for (at, bytes) in pieces(bytes) {
            self.effect(InstData::SlotZero {
                slot: place.slot,
                offset: place.offset + at,
                bytes,
            });
        }
    }
}

/// Cuts a range of bytes into what one instruction of the IR moves.
fn pieces(bytes: u32) -> impl Iterator<Item = (u32, u32)> {
    const MOST: u32 = 1024;
    (0..bytes)
        .step_by(MOST as usize)
        .map(move |at| (at, MOST.min(bytes - at)))
}
