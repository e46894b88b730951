//! Calls of helpers and routines by what a table row says of them: integers are values, strings an address and the room
//! there, a string result is written where it is wanted. Calls that the lowering makes of its own accord are not made here.

use super::{Lower, Place};
use crate::hir::{Argument, Expr, ExprKind};
use crate::ir::Value;
use pfscript_probes::catalogue;

impl Lower<'_> {
    /// Calls the helper or the routine of an expression, with the place of the loss counters last if it takes one.
    pub(super) fn call(&mut self, expr: &Expr, mut args: Vec<Value>) -> Value {
        self.span = expr.span;
        match &expr.kind {
            ExprKind::Helper { helper, .. } => self.helper(*helper, args),
            ExprKind::Routine { routine, .. } => {
                let params = catalogue::routine(routine).map_or(&[][..], |entry| entry.params);
                if params.last() == Some(&"loss") {
                    args.push(self.loss());
                }
                self.routine(routine, args)
            }
            _ => self.value(expr),
        }
    }

    /// Has a helper or a routine write its string into `room` bytes, zero-padded.
    pub(super) fn call_for_string(
        &mut self,
        expr: &Expr,
        args: &[Argument],
        place: Place,
        room: u32,
    ) {
        let given = self.arguments(args);
        let used = expr.ty.size().min(room);
        // What is written over may be what is read: `$x = f($x)`.
        let out = match self.reads(args, place) {
            true => self.temporary(room, "result"),
            false => place,
        };
        // Linux 5.17 to 6.3 leave what follows the terminator as it was (bpf_get_current_comm: strscpy).
        self.zero(out, room);
        let mut all = vec![self.address(out), self.constant(used.into())];
        all.extend(given);
        self.call(expr, all);
        if out.slot != place.slot {
            self.copy(out, place, room);
        }
    }

    /// What a helper or a routine is given, as it takes it.
    pub(super) fn arguments(&mut self, args: &[Argument]) -> Vec<Value> {
        let mut values = Vec::new();
        for arg in args {
            match arg {
                Argument::Value(value) => values.push(self.value(value)),
                Argument::Text(text) => {
                    let place = self.materialize(text);
                    values.push(self.address(place));
                    values.push(self.constant(text.ty.size().into()));
                }
                Argument::Map(map) => values.push(self.map_pointer(*map)),
            }
        }
        values
    }

    /// Whether one of the strings may be in the slot of a place.
    fn reads(&mut self, args: &[Argument], place: Place) -> bool {
        args.iter().any(|arg| match arg {
            Argument::Text(text) => self.is_in(text, place),
            Argument::Value(_) | Argument::Map(_) => false,
        })
    }

    fn is_in(&mut self, expr: &Expr, place: Place) -> bool {
        match &expr.kind {
            ExprKind::Var(var) => self.variable(*var).slot == place.slot,
            ExprKind::TupleField { tuple, .. } => self.is_in(tuple, place),
            _ => false,
        }
    }
}
