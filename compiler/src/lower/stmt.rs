//! Statements.

use super::Lower;
use crate::hir::{Aggregate, Expr, ExprKind, ScriptMap, Stmt};
use crate::ir::{Arith, Condition, SlotPlace, Value};
use crate::sema::MapContent;
use crate::types::Type;
use pfscript_grammar::Span;

impl Lower<'_> {
    pub(super) fn stmts(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            if self.builder.is_terminated() {
                // What follows `return` or `exit()` is never reached, and the verifier wants no such code.
                return;
            }
            // What joins behind a statement, or leaves after the last one, still belongs to it.
            self.builder.set_span(place(stmt));
            self.stmt(stmt);
            self.builder.end_statement();
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Expr(expr) => self.run(expr),
            Stmt::SetVar { var, value } => {
                let ty = &self.action.vars[*var].ty;
                match ty {
                    // The new value may be made of the old one.
                    Type::Tuple(_) => {
                        let temporary = self.builder.temporary(ty.size(), "tuple");
                        self.store(value, temporary, ty);
                        let place = self.variable(*var);
                        self.builder.copy(temporary, place, ty.size());
                    }
                    _ => {
                        let place = self.variable(*var);
                        self.store(value, place, ty);
                    }
                }
            }
            Stmt::SetMap {
                map,
                key,
                value,
                span,
            } => {
                let MapContent::Scalar(ty) = &self.checked.maps[*map].value else {
                    self.internal_error(*span, "a value is assigned to a map of aggregations");
                    return;
                };
                let place = self.builder.temporary(ty.size(), "value");
                self.store(value, place, ty);
                let key = self.key(*map, key);
                let pointer = self.map_pointer(*map);
                let key = self.builder.address(key);
                let value = self.builder.address(place);
                let loss = self.loss();
                self.builder
                    .routine("pf_set", vec![pointer, key, value, loss]);
            }
            Stmt::Aggregate {
                map,
                key,
                aggregate,
                value,
                ..
            } => {
                let value = value.as_ref().map(|value| self.value(value));
                let key = self.key(*map, key);
                self.aggregate(*map, key, *aggregate, value);
            }
            Stmt::If {
                condition,
                then,
                otherwise,
            } => self.if_else(
                condition,
                |this| this.stmts(then),
                |this| this.stmts(otherwise),
            ),
            Stmt::Return(_) => self.builder.ret(None),
        }
    }

    /// An expression for its effect.
    fn run(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Emit {
                action,
                fields,
                leaves,
            } => self.emit(*action, fields, *leaves),
            _ if expr.ty.is_scalar() => {
                self.value(expr);
            }
            _ => {
                let place = self.builder.temporary(expr.ty.size().max(8), "unused");
                self.store(expr, place, &expr.ty);
            }
        }
    }

    /// A record to user space.
    fn emit(&mut self, action: u32, fields: &[Expr], leaves: bool) {
        let size = 8 + fields.iter().map(|field| field.ty.size()).sum::<u32>();
        let record = self.builder.temporary(size, "record");
        let mut at = record.at(8);
        for field in fields {
            self.store(field, at, &field.ty);
            at = at.at(field.ty.size());
        }
        let probe = i64::from(self.probe.as_u32());
        let header = self.builder.constant(i64::from(action) | probe << 32);
        self.builder.store_word(record, header);
        let address = self.builder.address(record);
        let size = self.builder.constant(size.into());
        let loss = self.loss();
        self.builder.routine("pf_emit", vec![address, size, loss]);
        if leaves {
            self.builder.ret(None);
        }
    }

    fn aggregate(
        &mut self,
        map: ScriptMap,
        key: SlotPlace,
        aggregate: Aggregate,
        value: Option<Value>,
    ) {
        let signed = matches!(self.checked.maps[map].value, MapContent::Aggregate(_, true));
        if matches!(aggregate, Aggregate::Count | Aggregate::Sum) {
            return self.add_in_place(map, key, aggregate, value);
        }
        let value = value.unwrap_or_else(|| self.builder.constant(0));
        // Computed before the map's pointer and the key's address, which are wanted right at the call.
        let index = match aggregate {
            Aggregate::Hist { bits } => {
                let bits = self.builder.constant(bits.into());
                self.builder.routine("pf_log2", vec![value, bits])
            }
            Aggregate::LHist { min, max, step } => self.linear_bucket(value, min, max, step),
            _ => value,
        };
        let buckets = super::maps::buckets(aggregate);
        let pointer = self.map_pointer(map);
        let key = self.builder.address(key);
        let (routine, mut args) = match aggregate {
            Aggregate::Min | Aggregate::Max => {
                let mode = i64::from(aggregate == Aggregate::Max) | i64::from(signed) << 1;
                let mode = self.builder.constant(mode);
                ("pf_minmax", vec![pointer, key, value, mode])
            }
            Aggregate::Hist { .. } | Aggregate::LHist { .. } => {
                let buckets = self.builder.constant(buckets.into());
                ("pf_bucket", vec![pointer, key, index, buckets])
            }
            _ => ("pf_avg", vec![pointer, key, value]),
        };
        args.push(self.loss());
        self.builder.routine(routine, args);
    }

    /// `count()` and `sum()`, with the usual case, a key that is there, in line: the call of a routine costs as much as
    /// a tenth of what there is to do.
    fn add_in_place(
        &mut self,
        map: ScriptMap,
        key: SlotPlace,
        aggregate: Aggregate,
        value: Option<Value>,
    ) {
        self.look_up(
            self.maps.script[map],
            key,
            |this, found| {
                let delta = value.unwrap_or_else(|| this.builder.constant(1));
                this.builder.atomic_add(found, 0, delta);
            },
            |this| {
                let pointer = this.map_pointer(map);
                let mut args = vec![pointer, this.builder.address(key)];
                let routine = match aggregate {
                    Aggregate::Sum => {
                        args.extend(value);
                        "pf_sum"
                    }
                    _ => "pf_count",
                };
                args.push(this.loss());
                this.builder.routine(routine, args);
            },
        );
    }

    /// 0 below `min`, the last bucket from `max` on, equal steps between.
    fn linear_bucket(&mut self, value: Value, min: i64, max: i64, step: i64) -> Value {
        let last = super::maps::buckets(Aggregate::LHist { min, max, step }) - 1;
        let builder = &mut self.builder;
        let index = builder.temporary(8, "bucket");
        let (below, inside, above, between) = (
            builder.block(),
            builder.block(),
            builder.block(),
            builder.block(),
        );
        let low = builder.constant(min);
        builder.branch(Condition::SLt, [value, low], below, inside);

        builder.switch_to(below);
        let zero = builder.constant(0);
        builder.store_word(index, zero);

        builder.switch_to(inside);
        let high = builder.constant(max);
        builder.branch(Condition::SGe, [value, high], above, between);

        builder.switch_to(above);
        let last = builder.constant(last.into());
        builder.store_word(index, last);

        builder.switch_to(between);
        let low = builder.constant(min);
        let distance = builder.arith(Arith::Sub, value, low);
        let step = builder.constant(step);
        let steps = builder.arith(Arith::UDiv, distance, step);
        let one = builder.constant(1);
        let bucket = builder.arith(Arith::Add, steps, one);
        builder.store_word(index, bucket);
        builder.join(&[below, above]);
        builder.load_word(index)
    }
}

/// Where a statement stands.
fn place(stmt: &Stmt) -> Span {
    match stmt {
        Stmt::Expr(value) | Stmt::SetVar { value, .. } => value.span,
        Stmt::SetMap { span, .. } | Stmt::Aggregate { span, .. } | Stmt::Return(span) => *span,
        Stmt::If { condition, .. } => condition.span,
    }
}
