//! Loops: each body is a function of its own, which the kernel calls back (`bpf_loop`, `bpf_for_each_map_elem`).
//!
//! Such a function has the frame of the one around it by a link, and with it the variables that both use: these are slots
//! of the outermost function that uses them. It gives 0 to go on and 1 to stop. Who leaves the whole action notes that in
//! a slot of the probe's body, which is asked behind each loop that may do so.

use super::{Level, Lower};
use crate::hir::{Expr, Iterated, ScriptMap, Stmt, Var};
use crate::ir::{
    Arith, Block, Condition, FuncId, Function, FunctionBuilder, Kind, LINK_BYTES, Signature, Slot,
    Value,
};
use crate::sema::MapContent;
use crate::types::Type;
use pfscript_grammar::Span;
use pfscript_probes::abi::{LOSS_ROUTINE, LossCause, MAX_LOOP_TURNS, MAX_WHILE_TURNS, helper};

/// The function of a loop's body.
#[derive(Clone, Copy)]
struct Callback {
    id: FuncId,
    /// It, or a loop in it, needs the program's context.
    uses_context: bool,
    /// It, or a loop in it, may leave the action.
    leaves: bool,
}

/// The word of the action that says that it was left.
const LEFT: &str = "left";
/// The word of the action that counts the turns of `while` loops.
const TURNS: &str = "turns";

impl Lower<'_> {
    /// Statements within an expression, whose temporary slots stay as they are.
    pub(super) fn nested(&mut self, body: &[Stmt]) {
        let busy = self.builder.begin_nested();
        self.stmts(body);
        self.builder.end_nested(busy);
        if self.builder.is_terminated() {
            // The expression is not reached, but must be built somewhere.
            let nowhere = self.builder.block();
            self.builder.switch_to(nowhere);
        }
    }

    /// Leaves the action.
    pub(super) fn leave(&mut self) {
        if self.around.is_empty() {
            return self.builder.ret(None);
        }
        let left = self.of_action(LEFT);
        let one = self.builder.constant(1);
        self.builder.store_word(left, one);
        self.level.leaves = true;
        self.builder.ret(Some(one));
    }

    /// Ends a turn of the innermost loop, and perhaps all of the loop.
    pub(super) fn end_turn(&mut self, goes_on: bool, span: Span) {
        if self.around.is_empty() {
            self.internal_error(span, "a turn ends outside of all loops");
            return;
        }
        let result = self.builder.constant(i64::from(!goes_on));
        self.builder.ret(Some(result));
    }

    /// What a slot of a function around this one, or of this one, is called here.
    pub(super) fn slot_of(&mut self, level: usize, slot: Slot) -> Slot {
        let Some((builder, owner)) = self.around.get(level) else {
            return slot;
        };
        let data = &builder.function().slots[slot];
        let builder = &mut self.builder;
        let outer = self.level.outer.entry((level, slot));
        *outer.or_insert_with(|| builder.outer_slot(data.size, &data.name, owner.id, slot))
    }

    /// A word of the probe's body that is zero when the action begins, as it is called here.
    fn of_action(&mut self, name: &'static str) -> Slot {
        let slot = match self.words.get(name) {
            Some(slot) => *slot,
            None => {
                let builder = match self.around.first_mut() {
                    Some((builder, _)) => builder,
                    None => &mut self.builder,
                };
                let slot = builder.zeroed_slot(8, name);
                self.words.insert(name, slot);
                slot
            }
        };
        self.slot_of(0, slot)
    }

    /// A loop.
    pub(super) fn repeat(&mut self, over: &Iterated, body: &[Stmt], span: Span) {
        match over {
            Iterated::While(condition) => self.repeat_while(condition, body, span),
            Iterated::Range { var, first, end } => {
                self.repeat_range(*var, [first, end], body, span);
            }
            Iterated::Elements { map, var, ty } => {
                self.repeat_elements(*map, (*var, *ty), body, span);
            }
        }
    }

    fn repeat_while(&mut self, condition: &Expr, body: &[Stmt], span: Span) {
        let params = vec![Kind::Scalar, Kind::Link];
        let callback = self.function(params, span, |this| {
            let turns = this.of_action(TURNS);
            let before = this.builder.load_word(turns);
            let most = this.builder.constant(MAX_WHILE_TURNS as i64);
            let (cut, goes_on) = (this.builder.block(), this.builder.block());
            this.builder
                .branch(Condition::UGe, [before, most], cut, goes_on);
            this.builder.switch_to(cut);
            let loss = this.loss_index() + LossCause::LoopCut as u32;
            count_cut(&mut this.builder, loss);
            this.end_turn(false, span);
            this.builder.switch_to(goes_on);
            let one = this.builder.constant(1);
            let after = this.builder.arith(Arith::Add, before, one);
            this.builder.store_word(turns, after);
            let (yes, no) = (this.builder.block(), this.builder.block());
            this.condition(condition, yes, no);
            this.builder.switch_to(no);
            this.end_turn(false, span);
            this.builder.switch_to(yes);
            this.stmts(body);
        });
        let turns = self.builder.constant(MAX_LOOP_TURNS as i64);
        self.call_back(helper::LOOP, turns, callback);
    }

    fn repeat_range(&mut self, var: Var, [first, end]: [&Expr; 2], body: &[Stmt], span: Span) {
        let level = self.around.len();
        let start = self.builder.slot(8, "first");
        let first = self.value(first);
        let end = self.value(end);
        self.builder.store_word(start, first);
        let params = vec![Kind::Scalar, Kind::Link];
        let callback = self.function(params, span, |this| {
            let start = this.slot_of(level, start);
            let start = this.builder.load_word(start);
            let number = match this.builder.param(0) {
                Some(turn) => this.builder.arith(Arith::Add, start, turn),
                None => start,
            };
            let slot = this.variable(var);
            this.builder.store_word(slot, number);
            this.stmts(body);
        });
        // At least one turn: Linux 6.18 does not load a program whose callback it sees is never called (`jit_subprogs`).
        let (some, none) = (self.builder.block(), self.builder.block());
        self.builder
            .branch(Condition::SLt, [first, end], some, none);
        self.either(
            [some, none],
            |this| {
                let builder = &mut this.builder;
                let turns = builder.temporary(8, "turns");
                let distance = builder.arith(Arith::Sub, end, first);
                builder.store_word(turns, distance);
                let most = builder.constant(MAX_LOOP_TURNS as i64);
                let too_many = (Condition::UGt, [distance, most]);
                let cut = |builder: &mut FunctionBuilder| builder.store_word(turns, most);
                builder.if_else(too_many.0, too_many.1, cut, |_| {});
                let turns = builder.load_word(turns);
                let taken = this.call_back(helper::LOOP, turns, callback);
                let loss = this.loss_index() + LossCause::LoopCut as u32;
                this.builder.if_else(
                    too_many.0,
                    too_many.1,
                    |builder| {
                        let whole = (Condition::Eq, [taken, most]);
                        let count = |builder: &mut FunctionBuilder| count_cut(builder, loss);
                        builder.if_else(whole.0, whole.1, count, |_| {});
                    },
                    |_| {},
                );
            },
            |_| {},
        );
    }

    fn repeat_elements(
        &mut self,
        map: ScriptMap,
        (var, ty): (Var, Type),
        body: &[Stmt],
        span: Span,
    ) {
        let params = vec![Kind::Map, Kind::MapKey, Kind::MapValue, Kind::Link];
        let callback = self.function(params, span, |this| {
            let key = this.checked.maps[map].key.as_deref().unwrap_or(&[]);
            let key_bytes: u32 = key.iter().map(|part| this.size(*part)).sum();
            let value_bytes = this.size(ty).saturating_sub(key_bytes);
            let to = this.variable(var);
            let held = this.action.vars[var].ty;
            let place = match held == ty {
                true => to,
                false => this.builder.temporary(this.size(ty), "element"),
            };
            if let (Some(key), Some(value)) = (this.builder.param(1), this.builder.param(2)) {
                this.builder.load_bytes(key, place, key_bytes);
                let value_place = place.at(key_bytes);
                match this.checked.maps[map].value {
                    MapContent::Aggregate(aggregate, signed) => {
                        this.store_aggregated(value, aggregate, signed, value_place);
                    }
                    MapContent::Scalar(_) | MapContent::Unknown => {
                        this.builder.load_bytes(value, value_place, value_bytes);
                    }
                }
            }
            if held != ty {
                this.convert(place, ty, to, held);
            }
            this.builder.end_statement();
            this.stmts(body);
        });
        let map = self.map_pointer(map);
        self.call_back(helper::FOR_EACH_MAP_ELEM, map, callback);
    }

    /// Builds the function of a loop's body; what it leaves open goes on with the next turn.
    fn function(
        &mut self,
        params: Vec<Kind>,
        span: Span,
        build: impl FnOnce(&mut Self),
    ) -> Callback {
        // What is unrolled has a function for each time.
        let symbol = format!("body_p{}_loop{}", self.probe.as_u32(), self.loops);
        self.loops += 1;
        let signature = Signature {
            params,
            result: Some(Kind::Scalar),
        };
        let mut builder = FunctionBuilder::new(&symbol, signature);
        builder.set_span(span);
        let placeholder = Function::new("", Signature::default());
        let id = self.functions.push(placeholder);
        let mut callback = Callback {
            id,
            uses_context: false,
            leaves: false,
        };
        let builder = std::mem::replace(&mut self.builder, builder);
        let level = std::mem::replace(&mut self.level, Level::new(id));
        self.around.push((builder, level));
        build(self);
        if !self.builder.is_terminated() {
            self.end_turn(true, span);
        }
        if let Some((builder, level)) = self.around.pop() {
            let built = std::mem::replace(&mut self.builder, builder);
            let inner = std::mem::replace(&mut self.level, level);
            callback.uses_context = inner.uses_context;
            callback.leaves = inner.leaves;
            self.level.uses_context |= inner.uses_context;
            self.level.leaves |= inner.leaves;
            self.functions[id] = built.finish();
        }
        callback
    }

    /// Has a function called back, and leaves the action behind that if the function did; how often it was called.
    fn call_back(&mut self, helper: u32, first: Value, callback: Callback) -> Value {
        let builder = &mut self.builder;
        let link = *self
            .level
            .link
            .get_or_insert_with(|| builder.slot(LINK_BYTES, "link"));
        self.builder.link(link, callback.uses_context);
        let args = vec![
            first,
            self.builder.func_addr(callback.id),
            self.builder.address(link),
            self.builder.constant(0),
        ];
        let taken = self.builder.helper(helper, args);
        if !callback.leaves {
            return taken;
        }
        let left = self.of_action(LEFT);
        let left = self.builder.load_word(left);
        let (condition, args) = self.truth(left);
        let (gone, on): (Block, Block) = (self.builder.block(), self.builder.block());
        self.builder.branch(condition, args, gone, on);
        self.builder.switch_to(gone);
        match self.around.is_empty() {
            true => self.builder.ret(None),
            false => self.end_turn(false, Span::default()),
        }
        self.builder.switch_to(on);
        taken
    }
}

/// Counts a loop that is ended before its time.
fn count_cut(builder: &mut FunctionBuilder, loss: u32) {
    let index = builder.constant(loss.into());
    builder.routine(LOSS_ROUTINE, vec![index]);
}
