//! Calls of helpers and routines by what a table row says of them: integers are values, strings an address and the room
//! there, a string result is written where it is wanted. Calls that the lowering makes of its own accord are not made here.

use super::Lower;
use crate::hir::{Argument, Base, Expr, ExprKind};
use crate::ir::{SlotPlace, Value};
use pfscript_probes::{Template, library};

impl Lower<'_> {
    /// What a helper or a routine is given, as it takes it.
    pub(super) fn arguments(&mut self, args: &[Argument]) -> Vec<Value> {
        let mut values = Vec::new();
        for arg in args {
            match arg {
                Argument::Value(value) => values.push(self.value(value)),
                Argument::Text(text) => {
                    let place = self.materialize(text);
                    values.push(self.builder.address(place));
                    let room = self.size(text.ty);
                    values.push(self.builder.constant(room.into()));
                }
                Argument::Address(text) => {
                    let place = self.materialize(text);
                    values.push(self.builder.address(place));
                }
                Argument::Map(map) => values.push(self.map_pointer(*map)),
            }
        }
        values
    }

    /// Calls a routine, with the place of the loss counters behind the arguments if it takes one.
    pub(super) fn routine_with_loss(
        &mut self,
        routine: &'static str,
        mut args: Vec<Value>,
    ) -> Value {
        if library().get(routine).is_some_and(Template::counts_losses) {
            args.push(self.loss());
        }
        self.builder.routine(routine, args)
    }

    /// Stores the string that a helper or a routine writes: `call` gets its address and room, then `args`.
    pub(super) fn written(
        &mut self,
        expr: &Expr,
        args: &[Argument],
        place: SlotPlace,
        room: u32,
        call: impl FnOnce(&mut Self, Vec<Value>) -> Value,
    ) {
        let given = self.arguments(args);
        let used = self.size(expr.ty).min(room);
        // What is written over may be what is read: `$x = f($x)`.
        let out = match self.reads(args, place) {
            true => self.builder.temporary(room, "result"),
            false => place,
        };
        // Linux 5.17 to 6.3 leave what follows the terminator as it was (bpf_get_current_comm: strscpy).
        self.builder.zero(out, room);
        let mut all = vec![
            self.builder.address(out),
            self.builder.constant(used.into()),
        ];
        all.extend(given);
        call(self, all);
        if out != place {
            self.builder.copy(out, place, room);
        }
    }

    /// Whether one of the strings may be in the slot of a place.
    fn reads(&mut self, args: &[Argument], place: SlotPlace) -> bool {
        args.iter().any(|arg| match arg {
            Argument::Text(text) | Argument::Address(text) => self.is_in(text, place),
            Argument::Value(_) | Argument::Map(_) => false,
        })
    }

    fn is_in(&mut self, expr: &Expr, place: SlotPlace) -> bool {
        match &expr.kind {
            ExprKind::Load(from) => match &from.base {
                Base::Var(var) => self.variable(*var).slot == place.slot,
                Base::Value(value) => self.is_in(value, place),
                Base::Memory(_) | Base::Element { .. } => false,
            },
            _ => false,
        }
    }
}
