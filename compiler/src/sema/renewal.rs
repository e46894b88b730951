//! Whether stacks have to be given up while a script runs.
//!
//! Stacks are stored in a table, and maps hold their ids. A script that only ever puts stacks into the keys of maps and takes
//! none out again needs each stack to the end. In any other script, stacks are left in the table that nothing holds any more:
//! those of elements that were removed or overwritten, those that were only printed or measured. Who is charged for resident pages
//! is kept to the end, as keys are. There programs take the way
//! through two tables, which costs them a look-up more for each new stack.

use super::{CheckedAction, MapContent, MapInfo};
use crate::hir::{Argument, ExprKind};
use crate::manifest::RecordKind;
use crate::types::{Type, TypeTable};
use cranelift_entity::EntityRef;

/// Whether the script leaves stacks behind that nothing holds.
pub(super) fn is_needed<'a>(
    actions: &mut [CheckedAction],
    maps: impl Iterator<Item = &'a MapInfo>,
    records: &[RecordKind],
    types: &TypeTable,
) -> bool {
    let holds = |ty: Type| !types.layout(ty).stacks().is_empty();
    let mut kept = Vec::new();
    for map in maps {
        if matches!(map.value, MapContent::Scalar(ty) if holds(ty)) {
            return true;
        }
        let in_key = map.key.iter().flatten().any(|ty| holds(*ty));
        let forgets = map.declared.is_some_and(|declared| declared.forgets);
        if in_key && (map.emptied_while_used || forgets) {
            return true;
        }
        kept.push(in_key);
    }
    let is_charged = |kind: u32| {
        matches!(
            records.get(kind as usize),
            Some(RecordKind::Resident { .. })
        )
    };
    let (mut left, mut charged) = (false, false);
    for stmt in actions.iter_mut().flat_map(|action| &mut action.body) {
        stmt.visit_exprs(&mut |expr| {
            left |= match &expr.kind {
                ExprKind::MapDelete { map, .. } => kept.get(map.index()) == Some(&true),
                ExprKind::Emit { kind, fields, .. } => {
                    let has_stack = fields.iter().any(|field| holds(field.ty));
                    charged |= has_stack && is_charged(*kind);
                    has_stack && !is_charged(*kind)
                }
                // What is only measured.
                ExprKind::Routine { args, .. } => args
                    .iter()
                    .any(|arg| matches!(arg, Argument::Value(value) if holds(value.ty))),
                _ => false,
            };
        });
    }
    left || !(charged || kept.contains(&true))
}
