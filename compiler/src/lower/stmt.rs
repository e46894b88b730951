//! Statements: assignments, conditions, aggregations, and records for user space.
//!
//! In come checked statements, out go instructions in the current block. Expressions are lowered by `expr` and `store`.

use super::Lower;
use super::maps::{Access, aggregate_template};
use crate::hir::{Aggregate, Base, Expr, ExprKind, Place, ScriptMap, Stmt};
use crate::ir::{Arith, Condition, SlotPlace, Value};
use crate::manifest::Fold;
use crate::sema::MapContent;
use crate::types::Type;
use pfscript_grammar::Span;
use pfscript_probes::abi::{
    MINMAX_MAX, MINMAX_SIGNED, RECORD_HEADER, RECORD_PROBE, SAMPLE, SAMPLE_MODE, SAMPLE_NUMBER,
    SAMPLE_TIME, SAMPLE_VALUE,
};

impl Lower<'_> {
    pub(super) fn stmts(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            if self.builder.is_terminated() {
                // What follows `return` or `exit()` is never reached, and the verifier wants no such code.
                return;
            }
            // What joins behind a statement, or leaves after the last one, still belongs to it.
            if let Some(place) = place(stmt) {
                self.builder.set_span(place);
            }
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
                values,
                span,
            } => {
                // In the order of bpftrace, whose assignments have the value first.
                let key = self.key(*map, key);
                let values: Vec<Value> = values.iter().map(|value| self.value(value)).collect();
                self.aggregate(*map, key, *aggregate, &values, *span);
            }
            Stmt::If { arms, otherwise } => self.if_chain(arms, otherwise),
            Stmt::Loop {
                over, body, span, ..
            } => self.repeat(over, body, *span),
            Stmt::Unroll { times, body } => {
                for _ in 0..*times {
                    self.stmts(body);
                }
            }
            Stmt::Clear(var) => {
                let slot = self.variable(*var);
                let bytes = self.size(self.action.vars[*var].ty).max(8);
                self.builder.zero(slot, bytes);
            }
            Stmt::Break(span) => self.end_turn(false, *span),
            Stmt::Continue(span) => self.end_turn(true, *span),
            Stmt::Return(_) => self.leave(),
        }
    }

    /// One arm after the other, each in the block that the condition before it leads to if it does not hold.
    fn if_chain(&mut self, arms: &[(Expr, Vec<Stmt>)], otherwise: &[Stmt]) {
        let mut ends = Vec::with_capacity(arms.len());
        for (condition, then) in arms {
            let (yes, no) = (self.builder.block(), self.builder.block());
            self.condition(condition, yes, no);
            self.builder.switch_to(yes);
            self.stmts(then);
            ends.push(self.builder.current());
            self.builder.switch_to(no);
        }
        self.stmts(otherwise);
        self.builder.join(&ends);
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
                kind,
                fields,
                leaves,
            } => self.emit(*kind, fields, *leaves),
            ExprKind::Block(body, value) => {
                self.nested(body);
                if let Some(value) = value {
                    self.run(value);
                }
            }
            ExprKind::Ternary(condition, then, otherwise) if expr.ty == Type::Void => {
                self.if_else(condition, |this| this.run(then), |this| this.run(otherwise));
            }
            _ if expr.ty.is_scalar() || expr.ty == Type::Void => {
                self.value(expr);
            }
            _ => {
                let place = self.builder.temporary(self.size(expr.ty), "unused");
                self.store(expr, place, expr.ty);
            }
        }
    }

    /// A record to user space.
    fn emit(&mut self, kind: u32, fields: &[Expr], leaves: bool) {
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
            .constant(i64::from(kind) | probe << (8 * RECORD_PROBE.offset));
        self.builder.store_word(record, header);
        let address = self.builder.address(record);
        let size = self.builder.constant(size.into());
        let loss = self.loss();
        self.builder.routine("pf_emit", vec![address, size, loss]);
        if leaves {
            self.leave();
        }
    }

    fn aggregate(
        &mut self,
        map: ScriptMap,
        key: SlotPlace,
        aggregate: Aggregate,
        values: &[Value],
        span: Span,
    ) {
        let value = match (aggregate, values) {
            (Aggregate::Count, _) => return self.add_in_place(map, key, "pf_count", None),
            (_, [value, ..]) => *value,
            (_, []) => self.internal_error(span, "nothing is given to an aggregation"),
        };
        let signed = matches!(self.checked.maps[map].value, MapContent::Aggregate(_, true));
        match aggregate {
            Aggregate::Count | Aggregate::Sum => {
                self.add_in_place(map, key, "pf_sum", Some(value));
            }
            Aggregate::Min | Aggregate::Max => {
                let mode = mode(aggregate == Aggregate::Max, signed);
                let routine = match self.maps.exchange {
                    true => "pf_extreme",
                    false => "pf_minmax",
                };
                self.update(routine, map, key, value, Some(mode));
            }
            Aggregate::Avg | Aggregate::Stats => self.update("pf_avg", map, key, value, None),
            Aggregate::Hist { bits } => {
                let buckets = self.buckets(aggregate, span);
                let bits = self.builder.constant(bits.into());
                let index = self.builder.routine("pf_log2", vec![value, bits]);
                self.update("pf_bucket", map, key, index, Some(buckets));
            }
            Aggregate::LHist { min, max, step } => {
                let buckets = self.buckets(aggregate, span);
                let index = self.linear_bucket(value, min, max, step, buckets - 1);
                self.update("pf_bucket", map, key, index, Some(buckets));
            }
            Aggregate::Series {
                fold,
                interval,
                intervals,
            } => {
                let Some(&time) = values.get(1) else {
                    self.internal_error(span, "nothing says the time of a time series");
                    return;
                };
                let routine = match (fold, self.maps.exchange) {
                    (Fold::Last, _) => "pf_series_last",
                    (Fold::Sum | Fold::Avg, _) => "pf_series_sum",
                    (Fold::Min | Fold::Max, true) => "pf_series_extreme",
                    (Fold::Min | Fold::Max, false) => "pf_series_minmax",
                };
                let mode = mode(fold == Fold::Max, signed);
                let sample = self.sample(value, time, interval, mode);
                self.update(routine, map, key, sample, Some(intervals.into()));
            }
        }
    }

    /// What the routines of time series take: a value, its time, and the interval that this is in.
    fn sample(&mut self, value: Value, time: Value, interval: u64, mode: i64) -> Value {
        let builder = &mut self.builder;
        let sample = builder.temporary(SAMPLE.size(), "sample");
        // A length whose upper bit is set is none that a script can give.
        let length = builder.constant(interval as i64);
        let whole = builder.arith(Arith::UDiv, time, length);
        let one = builder.constant(1);
        let number = builder.arith(Arith::Add, whole, one);
        let mode = builder.constant(mode);
        for (place, word) in [
            (SAMPLE_VALUE, value),
            (SAMPLE_TIME, time),
            (SAMPLE_NUMBER, number),
            (SAMPLE_MODE, mode),
        ] {
            builder.store_word(sample.at(place.offset), word);
        }
        builder.address(sample)
    }

    /// Calls a routine that updates a map element by a value, which is computed before, and perhaps by a constant.
    fn update(
        &mut self,
        routine: &'static str,
        map: ScriptMap,
        key: SlotPlace,
        value: Value,
        constant: Option<i64>,
    ) {
        let mut args = vec![self.map_pointer(map), self.builder.address(key), value];
        args.extend(constant.map(|constant| self.builder.constant(constant)));
        args.push(self.loss());
        self.builder.routine(routine, args);
    }

    /// The buckets of a histogram.
    fn buckets(&mut self, aggregate: Aggregate, span: Span) -> i64 {
        match aggregate_template(aggregate).buckets() {
            Some(buckets) => buckets.into(),
            None => {
                self.internal_error(span, "a histogram has no buckets");
                1
            }
        }
    }

    /// `count()` and `sum()`, with the usual case, a key that is there, in line: the call of a routine costs as much as
    /// a tenth of what there is to do. Adds the value, or one.
    fn add_in_place(
        &mut self,
        map: ScriptMap,
        key: SlotPlace,
        routine: &'static str,
        value: Option<Value>,
    ) {
        let pointer = self.map_pointer(map);
        self.look_up(
            pointer,
            key,
            |this, found| {
                let delta = value.unwrap_or_else(|| this.builder.constant(1));
                this.builder.atomic_add(found, 0, delta);
            },
            |this| {
                let again = match this.maps.script[map] {
                    // A constant, cheaper made anew than kept.
                    Access::Direct(map) => this.builder.map_pointer(map),
                    Access::Generations { .. } => pointer,
                };
                let mut args = vec![again, this.builder.address(key)];
                args.extend(value);
                args.push(this.loss());
                this.builder.routine(routine, args);
            },
        );
    }

    /// 0 below `min`, the last bucket from `max` on, equal steps between.
    fn linear_bucket(&mut self, value: Value, min: i64, max: i64, step: i64, last: i64) -> Value {
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
        let last = builder.constant(last);
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

/// How extremes are compared, as routines take it.
fn mode(greatest: bool, signed: bool) -> i64 {
    let flag = |set: bool, flag: u64| if set { flag as i64 } else { 0 };
    flag(greatest, MINMAX_MAX) | flag(signed, MINMAX_SIGNED)
}

/// Where a statement stands.
fn place(stmt: &Stmt) -> Option<Span> {
    Some(match stmt {
        Stmt::Expr(value) => value.span,
        Stmt::Assign { span, .. }
        | Stmt::Aggregate { span, .. }
        | Stmt::Loop { span, .. }
        | Stmt::Break(span)
        | Stmt::Continue(span)
        | Stmt::Return(span) => *span,
        Stmt::Unroll { .. } | Stmt::Clear(_) => return None,
        Stmt::If { arms, .. } => arms.first().map(|(condition, _)| condition.span)?,
    })
}
