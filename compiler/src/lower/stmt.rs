//! Statements.

use super::Lower;
use crate::hir::{Aggregate, Base, Expr, ExprKind, Place, ScriptMap, Stmt};
use crate::ir::{Arith, Condition, SlotPlace, Value};
use crate::sema::MapContent;
use crate::types::Type;
use pfscript_grammar::Span;
use pfscript_probes::abi::{MINMAX_MAX, MINMAX_SIGNED, RECORD_HEADER, RECORD_PROBE};

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
            Stmt::Assign { place, value, span } => self.assign(place, value, *span),
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

    fn assign(&mut self, place: &Place, value: &Expr, span: Span) {
        let ty = place.ty;
        match &place.base {
            Base::Element { map, key } => {
                let slot = self.builder.temporary(self.size(ty), "value");
                self.store(value, slot, ty);
                let key = self.key(*map, key);
                let pointer = self.map_pointer(*map);
                let key = self.builder.address(key);
                let value = self.builder.address(slot);
                let loss = self.loss();
                self.builder
                    .routine("pf_set", vec![pointer, key, value, loss]);
            }
            // The new value of a tuple may be made of the old one.
            Base::Var(var) if matches!(ty, Type::Tuple(_)) => {
                let temporary = self.builder.temporary(self.size(ty), "tuple");
                self.store(value, temporary, ty);
                let slot = self.variable(*var);
                self.builder.copy(temporary, slot, self.size(ty));
            }
            Base::Var(var) => {
                let slot = self.variable(*var);
                self.store(value, slot, ty);
            }
            Base::Memory(_) | Base::Value(_) => {
                self.internal_error(span, "something is assigned that is no variable and no map");
            }
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
                let place = self.builder.temporary(self.size(expr.ty).max(8), "unused");
                self.store(expr, place, expr.ty);
            }
        }
    }

    /// A record to user space.
    fn emit(&mut self, action: u32, fields: &[Expr], leaves: bool) {
        let fields_size = fields.iter().map(|field| self.size(field.ty));
        let size = RECORD_HEADER + fields_size.sum::<u32>();
        let record = self.builder.temporary(size, "record");
        let mut at = record.at(RECORD_HEADER);
        for field in fields {
            self.store(field, at, field.ty);
            at = at.at(self.size(field.ty));
        }
        let probe = i64::from(self.probe.as_u32());
        let header = self
            .builder
            .constant(i64::from(action) | probe << (8 * RECORD_PROBE.offset));
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
                let flag = |set: bool, flag| if set { flag } else { 0 };
                let mode =
                    flag(aggregate == Aggregate::Max, MINMAX_MAX) | flag(signed, MINMAX_SIGNED);
                let mode = self.builder.constant(mode as i64);
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
        Stmt::Expr(value) => value.span,
        Stmt::Assign { span, .. } | Stmt::Aggregate { span, .. } | Stmt::Return(span) => *span,
        Stmt::If { condition, .. } => condition.span,
    }
}
