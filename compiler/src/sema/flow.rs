//! Types that flow from maps and variables to others by plain assignment.
//!
//! A pass over a script carries a type as far as its statements are in order: in `@a = @b; @b = @c; @c = 1` each pass would
//! bring it one map further. What was copied while its type was not known is noted here, and the types are carried along
//! between passes, all the way at once.

use super::{Checker, Env, MapContent};
use crate::hir::{Base, Expr, ExprKind, Place, ScriptMap, Var};
use crate::types::Type;
use cranelift_entity::EntityRef;
use std::collections::HashMap;

/// What has a type that may become known.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    Map(ScriptMap),
    /// A variable of an action, by the action's number.
    Var(usize, Var),
}

/// For each holder of unknown type, those that it was assigned to.
pub(super) type Flows = HashMap<Holder, Vec<Holder>>;

impl Checker<'_> {
    /// Notes that a value goes to `to` unchanged: what room that takes, and where its type is to come from, if it is that of a map or
    /// variable of unknown type.
    pub(super) fn note_assignment(&mut self, value: &Expr, to: Holder) {
        self.note_extent(value, to);
        let ExprKind::Load(Place { base, .. }) = &value.kind else {
            return;
        };
        if value.ty != Type::Unknown {
            return;
        }
        let from = match base {
            Base::Element { map, .. } => Holder::Map(*map),
            Base::Var(var) => Holder::Var(self.action, *var),
            Base::Memory(_) | Base::Value(_) => return,
        };
        self.env.flows.entry(from).or_default().push(to);
    }
}

impl Env {
    /// Makes maps that nothing assigns hold numbers; false if there are none.
    pub(super) fn nothing_assigns(&mut self) -> bool {
        let maps = self.maps.values_mut();
        let unknown = maps.filter(|map| map.value == MapContent::Unknown);
        unknown
            .map(|map| map.value = MapContent::Scalar(Type::I64))
            .count()
            > 0
    }

    /// Carries types along what was noted, and forgets it. Only what is not known is set; the next pass joins the rest.
    pub(super) fn flow(&mut self) {
        let flows = std::mem::take(&mut self.flows);
        let mut work: Vec<Holder> = flows.keys().copied().collect();
        while let Some(from) = work.pop() {
            let ty = self.type_of(from);
            if ty == Type::Unknown {
                continue;
            }
            for &to in flows.get(&from).into_iter().flatten() {
                if self.type_of(to) == Type::Unknown {
                    self.set_type(to, ty);
                    work.push(to);
                }
            }
        }
    }

    fn type_of(&self, holder: Holder) -> Type {
        match holder {
            Holder::Map(map) => match self.maps[map.index()].value {
                MapContent::Scalar(ty) => ty,
                MapContent::Unknown | MapContent::Aggregate(..) => Type::Unknown,
            },
            Holder::Var(action, var) => self.vars[action][var].ty,
        }
    }

    fn set_type(&mut self, holder: Holder, ty: Type) {
        match holder {
            Holder::Map(map) => {
                let value = &mut self.maps[map.index()].value;
                if matches!(value, MapContent::Unknown | MapContent::Scalar(_)) {
                    *value = MapContent::Scalar(ty);
                }
            }
            Holder::Var(action, var) => self.vars[action][var].ty = ty,
        }
    }
}
