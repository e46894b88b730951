//! Expressions whose value is a scalar, and conditions. What lives in memory is stored (`store`), what is loaded from
//! maps and memory is read (`read`).

use super::Lower;
use crate::hir::{Argument, Base, Expr, ExprKind, Place};
use crate::ir::{Arith, Block, Condition, Value};
use crate::types::Type;
use pfscript_probes::abi::{STACK_BY_TABLES, STACK_DEFAULT_DEPTH, STACK_USER, helper};

impl Lower<'_> {
    /// A scalar's value.
    pub(super) fn value(&mut self, expr: &Expr) -> Value {
        if !expr.ty.is_scalar() && expr.ty != Type::Void {
            let what = format!(
                "{} stands where a number is wanted",
                self.checked.types.describe(expr.ty)
            );
            return self.internal_error(expr.span, &what);
        }
        // A long sum is a deep tree on its left side: down there first, then back, without recursion.
        let mut row = Vec::new();
        let mut innermost = expr;
        while let Some(left) = left_operand(innermost) {
            row.push(innermost);
            innermost = left;
        }
        let mut value = self.at(innermost.span, |this| this.value_here(innermost));
        for operation in row.into_iter().rev() {
            value = self.at(operation.span, |this| this.operation(operation, value));
        }
        value
    }

    /// An operation that [`left_operand`] knows, on its left operand's value.
    fn operation(&mut self, expr: &Expr, left: Value) -> Value {
        match &expr.kind {
            ExprKind::Arith(op, _, right) => {
                let right = self.value(right);
                self.builder.arith(*op, left, right)
            }
            ExprKind::Divide(division, _, right) => self.divide(*division, left, right, expr.span),
            ExprKind::Compare(condition, _, right) => {
                let right = self.value(right);
                self.builder.compare(*condition, left, right)
            }
            ExprKind::Routine { routine, args } => {
                let mut values = vec![left];
                values.extend(self.arguments(args.get(1..).unwrap_or_default()));
                self.routine_with_loss(routine, values)
            }
            _ => self.internal_error(expr.span, "an operation without operands has one"),
        }
    }

    fn value_here(&mut self, expr: &Expr) -> Value {
        match &expr.kind {
            ExprKind::Int(value) => self.builder.constant(*value),
            ExprKind::Load(place) => self.load(place, expr.span),
            ExprKind::Address(place) => self.address_of(place),
            ExprKind::ElementAddress {
                place,
                index,
                size,
                count,
            } => self.element_address(place, index, *size, *count),
            ExprKind::Context => self.context(),
            ExprKind::Argument(access) => self.argument(*access),
            ExprKind::Helper { helper, args } => {
                let args = self.arguments(args);
                self.builder.helper(*helper, args)
            }
            ExprKind::Routine { routine, args } => {
                let args = self.arguments(args);
                self.routine_with_loss(routine, args)
            }
            ExprKind::Stack {
                user,
                depth,
                whole,
                by_tables,
            } => {
                let context = self.context();
                let flag = |set: bool, flag: u64| if set { flag } else { 0 };
                let flags = flag(*user, STACK_USER) | flag(*whole, STACK_DEFAULT_DEPTH);
                let flags = self.builder.constant(flags as i64);
                let size = self.builder.constant(i64::from(*depth) * 8);
                let loss = self.loss();
                let program = self.action.provider.info().kind.info();
                let renews = self.checked.needs.renews_stacks;
                let routine = match (by_tables, program.preemptible, renews) {
                    (false, false, false) => "pf_stack",
                    (false, true, false) => "pf_stack_preemptible",
                    (false, false, true) => "pf_stack_renewed",
                    (false, true, true) => "pf_stack_renewed_preemptible",
                    (true, false, false) => STACK_BY_TABLES,
                    (true, true, false) => "pf_stack_by_tables_preemptible",
                    (true, false, true) => "pf_stack_by_tables_renewed",
                    (true, true, true) => "pf_stack_by_tables_renewed_preemptible",
                };
                self.builder
                    .routine(routine, vec![context, flags, size, loss])
            }
            ExprKind::Global(offset) => self.global(*offset, expr.span),
            ExprKind::Add {
                place,
                delta,
                after,
            } => self.add(place, delta, *after),
            ExprKind::Index { index, count } => self.index(index, *count, expr.span),
            // Seen when the left operand was looked for.
            ExprKind::Arith(_, left, _)
            | ExprKind::Divide(_, left, _)
            | ExprKind::Compare(_, left, _) => {
                let left = self.value(left);
                self.operation(expr, left)
            }
            ExprKind::CompareStr { equal, left, right } => {
                let same = self.compare_strings(left, right);
                if *equal {
                    return same;
                }
                let one = self.builder.constant(1);
                self.builder.arith(Arith::Xor, same, one)
            }
            ExprKind::Not(operand) => {
                let value = self.value(operand);
                let zero = self.builder.constant(0);
                self.builder.compare(Condition::Eq, value, zero)
            }
            ExprKind::And(..) | ExprKind::Or(..) => {
                let result = self.builder.temporary(8, "condition");
                let store = |this: &mut Self, value| {
                    let value = this.builder.constant(value);
                    this.builder.store_word(result, value);
                };
                self.if_else(expr, |this| store(this, 1), |this| store(this, 0));
                self.builder.load_word(result)
            }
            ExprKind::Block(body, Some(value)) => {
                self.nested(body);
                self.value(value)
            }
            ExprKind::Ternary(..) => {
                let result = self.builder.temporary(8, "choice");
                self.store(expr, result, expr.ty);
                self.builder.load_word(result)
            }
            ExprKind::Extend {
                width,
                signed,
                value,
            } => {
                let arg = self.value(value);
                self.builder.extend(*width, *signed, arg)
            }
            // The call is in the body, once for each map: Linux 6.1 refuses one that is made for two of them
            // (`set_map_elem_callback_state`).
            ExprKind::MapLength(map) => {
                let Some(visitor) = self.visitor else {
                    return self.internal_error(expr.span, "elements are visited by nobody");
                };
                let nothing = self.builder.temporary(8, "nothing");
                let zero = self.builder.constant(0);
                self.builder.store_word(nothing, zero);
                let args = vec![
                    self.map_pointer(*map),
                    self.builder.func_addr(visitor),
                    self.builder.address(nothing),
                    zero,
                ];
                self.builder.helper(helper::FOR_EACH_MAP_ELEM, args)
            }
            ExprKind::MapDelete { map, key } => {
                let key = self.key(*map, key);
                let pointer = self.map_pointer(*map);
                let key = self.builder.address(key);
                let status = self
                    .builder
                    .helper(helper::MAP_DELETE_ELEM, vec![pointer, key]);
                let zero = self.builder.constant(0);
                self.builder.compare(Condition::Eq, status, zero)
            }
            ExprKind::MapHasKey { map, key } => {
                let key = self.key(*map, key);
                let pointer = self.map_pointer(*map);
                let result = self.builder.temporary(8, "found");
                let store = |this: &mut Self, value| {
                    let value = this.builder.constant(value);
                    this.builder.store_word(result, value);
                };
                self.look_up(
                    pointer,
                    key,
                    |this, _| store(this, 1),
                    |this| store(this, 0),
                );
                self.builder.load_word(result)
            }
            // These live in memory or give nothing, and their types are no scalars.
            ExprKind::Str(_)
            | ExprKind::SiteText(_)
            | ExprKind::ReadString { .. }
            | ExprKind::Buffer { .. }
            | ExprKind::UserSymbol(_)
            | ExprKind::Tuple(_)
            | ExprKind::Block(_, None)
            | ExprKind::Emit { .. } => {
                self.internal_error(expr.span, "an operation without a value stands for one")
            }
        }
    }

    /// Adds to the number at a place.
    fn add(&mut self, place: &Place, delta: &Expr, after: bool) -> Value {
        let delta = self.value(delta);
        if let Base::Element { map, key } = &place.base {
            let key = self.key(*map, key);
            let pointer = self.map_pointer(*map);
            let key = self.builder.address(key);
            let loss = self.loss();
            let before = self
                .builder
                .routine("pf_add", vec![pointer, key, delta, loss]);
            return match after {
                true => self.builder.arith(Arith::Add, before, delta),
                false => before,
            };
        }
        let slot = self.in_slot(place);
        let before = self.builder.load_word(slot);
        let sum = self.builder.arith(Arith::Add, before, delta);
        self.builder.store_word(slot, sum);
        if after { sum } else { before }
    }

    /// Goes to `yes` or `no` by a condition.
    pub(super) fn condition(&mut self, expr: &Expr, yes: Block, no: Block) {
        self.at(expr.span, |this| match &expr.kind {
            ExprKind::Not(operand) => this.condition(operand, no, yes),
            ExprKind::And(operands) | ExprKind::Or(operands) => {
                let Some((last, others)) = operands.split_last() else {
                    this.internal_error(expr.span, "a condition without operands");
                    return;
                };
                for operand in others {
                    let next = this.builder.block();
                    match expr.kind {
                        ExprKind::And(_) => this.condition(operand, next, no),
                        _ => this.condition(operand, yes, next),
                    }
                    this.builder.switch_to(next);
                }
                this.condition(last, yes, no);
            }
            ExprKind::Compare(condition, left, right) => {
                let left = this.value(left);
                let right = this.value(right);
                this.builder.branch(*condition, [left, right], yes, no);
            }
            _ => {
                let value = this.value(expr);
                let (condition, args) = this.truth(value);
                this.builder.branch(condition, args, yes, no);
            }
        });
    }
}

/// The operand that an operation computes first, where operations may nest as deep as a script's expression is long.
fn left_operand(expr: &Expr) -> Option<&Expr> {
    let left: &Expr = match &expr.kind {
        ExprKind::Arith(_, left, _)
        | ExprKind::Divide(_, left, _)
        | ExprKind::Compare(_, left, _) => left,
        ExprKind::Routine { args, .. } => match &args[..] {
            [Argument::Value(left), Argument::Value(_)] => left,
            _ => return None,
        },
        _ => return None,
    };
    left.ty.is_scalar().then_some(left)
}
