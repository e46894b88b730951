//! Statements.

use super::{Lower, Place};
use crate::hir::{self, Aggregate, Base, Expr, ExprKind, ScriptMap, Stmt};
use crate::ir::{Arith, Block, Condition, InstData, Value, Width};
use crate::sema::MapContent;
use crate::types::Type;
use pfscript_grammar::Span;
use pfscript_probes::abi::{MINMAX_MAX, MINMAX_SIGNED, RECORD_HEADER, RECORD_PROBE};

impl Lower<'_> {
    pub(super) fn stmts(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            if self.function.is_terminated(self.block) {
                // What follows `return` or `exit()` is never reached, and the verifier wants no such code.
                return;
            }
            self.stmt(stmt);
            let mut busy = std::mem::take(&mut self.busy);
            self.free.append(&mut busy);
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
                span,
            } => {
                let value = value.as_ref().map(|value| self.value(value));
                let key = self.key(*map, key);
                self.span = *span;
                self.aggregate(*map, key, *aggregate, value);
            }
            Stmt::If {
                condition,
                then,
                otherwise,
            } => {
                let then_block = self.new_block();
                let otherwise_block = self.new_block();
                self.condition(condition, then_block, otherwise_block);
                self.block = then_block;
                self.stmts(then);
                let then_end = self.block;
                self.block = otherwise_block;
                self.stmts(otherwise);
                self.join(&[then_end]);
            }
            Stmt::Return(span) => {
                self.span = *span;
                self.effect(InstData::Return);
            }
        }
    }

    fn assign(&mut self, place: &hir::Place, value: &Expr, span: Span) {
        let ty = place.ty;
        match &place.base {
            Base::Element { map, key } => {
                let slot = self.temporary(self.size(ty), "value");
                self.store(value, slot, &ty);
                let key = self.key(*map, key);
                self.span = span;
                let pointer = self.map_pointer(*map);
                let key = self.address(key);
                let value = self.address(slot);
                let loss = self.loss();
                self.routine("pf_set", vec![pointer, key, value, loss]);
            }
            Base::Var(var) => {
                self.span = span;
                // The new value of a tuple may be made of the old one.
                if let Type::Tuple(_) = ty {
                    let temporary = self.temporary(self.size(ty), "tuple");
                    self.store(value, temporary, &ty);
                    let slot = self.variable(*var);
                    self.copy(temporary, slot, self.size(ty));
                } else {
                    let slot = self.variable(*var);
                    self.store(value, slot, &ty);
                }
            }
            // The checker assigns to no other.
            Base::Memory(_) | Base::Value(_) => {}
        }
    }

    /// Goes on in a new block behind the current one and `ends`, unless none of them gets there.
    pub(super) fn join(&mut self, ends: &[Block]) {
        let open: Vec<Block> = ends
            .iter()
            .copied()
            .chain([self.block])
            .filter(|&block| !self.function.is_terminated(block))
            .collect();
        if open.is_empty() {
            return;
        }
        let next = self.new_block();
        for block in open {
            self.block = block;
            self.jump(next);
        }
        self.block = next;
    }

    /// An expression for its effect.
    fn run(&mut self, expr: &Expr) {
        self.span = expr.span;
        match &expr.kind {
            ExprKind::Emit {
                action,
                fields,
                leaves,
            } => {
                let fields_size = fields.iter().map(|field| self.size(field.ty));
                let size = RECORD_HEADER + fields_size.sum::<u32>();
                let record = self.temporary(size, "record");
                let mut at = record.at(RECORD_HEADER);
                for field in fields {
                    self.store(field, at, &field.ty);
                    at = at.at(self.size(field.ty));
                }
                self.span = expr.span;
                let probe = cranelift_entity::EntityRef::index(self.probe) as i64;
                let header = self.constant(i64::from(*action) | probe << (8 * RECORD_PROBE.offset));
                self.store_word(record, header);
                let address = self.address(record);
                let size = self.constant(size.into());
                let loss = self.loss();
                self.routine("pf_emit", vec![address, size, loss]);
                if *leaves {
                    self.effect(InstData::Return);
                }
            }
            _ if expr.ty.is_scalar() => {
                self.value(expr);
            }
            _ => {
                let ty = expr.ty;
                let place = self.temporary(self.size(ty).max(8), "unused");
                self.store(expr, place, &ty);
            }
        }
    }

    fn aggregate(
        &mut self,
        map: ScriptMap,
        key: Place,
        aggregate: Aggregate,
        value: Option<Value>,
    ) {
        let signed = matches!(self.checked.maps[map].value, MapContent::Aggregate(_, true));
        if matches!(aggregate, Aggregate::Count | Aggregate::Sum) {
            return self.add_in_place(map, key, aggregate, value);
        }
        let value = value.unwrap_or_else(|| self.constant(0));
        // Computed before the map's pointer and the key's address, which are wanted right at the call.
        let index = match aggregate {
            Aggregate::Hist { bits } => {
                let bits = self.constant(bits.into());
                self.routine("pf_log2", vec![value, bits])
            }
            Aggregate::LHist { min, max, step } => self.linear_bucket(value, min, max, step),
            _ => value,
        };
        let buckets = super::maps::buckets(aggregate);
        let pointer = self.map_pointer(map);
        let key = self.address(key);
        let (routine, mut args) = match aggregate {
            Aggregate::Min | Aggregate::Max => {
                let flag = |set: bool, flag| if set { flag } else { 0 };
                let mode =
                    flag(aggregate == Aggregate::Max, MINMAX_MAX) | flag(signed, MINMAX_SIGNED);
                let mode = self.constant(mode as i64);
                ("pf_minmax", vec![pointer, key, value, mode])
            }
            Aggregate::Hist { .. } | Aggregate::LHist { .. } => {
                let buckets = self.constant(buckets.into());
                ("pf_bucket", vec![pointer, key, index, buckets])
            }
            _ => ("pf_avg", vec![pointer, key, value]),
        };
        args.push(self.loss());
        self.routine(routine, args);
    }

    /// `count()` and `sum()`, with the usual case, a key that is there, in line: the call of a routine costs as much as
    /// a tenth of what there is to do.
    fn add_in_place(
        &mut self,
        map: ScriptMap,
        key: Place,
        aggregate: Aggregate,
        value: Option<Value>,
    ) {
        let (found, there, missing) = self.look_up(self.map_id(map), key);

        self.block = there;
        let delta = match value {
            Some(value) => value,
            None => self.constant(1),
        };
        self.effect(InstData::AtomicAdd {
            base: found,
            offset: 0,
            value: delta,
        });

        self.block = missing;
        let pointer = self.map_pointer(map);
        let mut args = vec![pointer, self.address(key)];
        let routine = match aggregate {
            Aggregate::Sum => {
                args.extend(value);
                "pf_sum"
            }
            _ => "pf_count",
        };
        args.push(self.loss());
        self.routine(routine, args);
        self.join(&[there]);
    }

    /// 0 below `min`, the last bucket from `max` on, equal steps between.
    fn linear_bucket(&mut self, value: Value, min: i64, max: i64, step: i64) -> Value {
        let index = self.temporary(8, "bucket");
        let (below, inside, above, between) = (
            self.new_block(),
            self.new_block(),
            self.new_block(),
            self.new_block(),
        );
        let low = self.constant(min);
        self.branch(Condition::SLt, [value, low], below, inside);

        self.block = below;
        let zero = self.constant(0);
        self.store_word(index, zero);

        self.block = inside;
        let high = self.constant(max);
        self.branch(Condition::SGe, [value, high], above, between);

        self.block = above;
        let last = super::maps::buckets(Aggregate::LHist { min, max, step }) - 1;
        let last = self.constant(last.into());
        self.store_word(index, last);

        self.block = between;
        let low = self.constant(min);
        let distance = self.arith(Arith::Sub, value, low);
        let step = self.constant(step);
        let steps = self.arith(Arith::UDiv, distance, step);
        let one = self.constant(1);
        let bucket = self.arith(Arith::Add, steps, one);
        self.store_word(index, bucket);
        self.join(&[below, above]);
        self.load_word(index)
    }

    pub(super) fn store_word(&mut self, place: Place, value: Value) {
        self.effect(InstData::SlotStore {
            slot: place.slot,
            offset: place.offset,
            width: Width::W64,
            value,
        });
    }

    pub(super) fn load_word(&mut self, place: Place) -> Value {
        self.push(InstData::SlotLoad {
            slot: place.slot,
            offset: place.offset,
            width: Width::W64,
            signed: false,
        })
    }

    pub(super) fn arith(&mut self, op: Arith, left: Value, right: Value) -> Value {
        self.push(InstData::Arith {
            op,
            args: [left, right],
        })
    }
}
