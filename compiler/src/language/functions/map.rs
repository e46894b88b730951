//! Functions of maps: `delete()`, `clear()`, `len()`, … Rows of the table in the parent, and what a call is made of. Printing
//! is in `output`, aggregations are in `aggregate`.

use super::{Args, FunctionRow};
use crate::hir::{Expr, ExprKind, ScriptMap};
use crate::manifest::RecordKind;
use crate::sema::Checker;
use crate::types::Type;
use cranelift_entity::EntityRef;
use pfscript_grammar::Diagnostic;
use pfscript_probes::Feature;

pub(super) const ROWS: &[FunctionRow] = rows! {
    "len(map m) -> int64", Value(length), "the number of entries in a map; needs Linux 5.13";
    "len(stack s) -> int64", Routine("pf_stack_len"), "the number of frames in a stack";
    "has_key(map m, any key) -> bool", Value(has_key), "whether a map has an element: `has_key(@m, key)`";
    "delete(map m, any key) -> bool", Statement(delete_key), "removes an element: `delete(@m, key)`; whether there was one";
    "delete(element e) -> bool", Statement(delete), "removes an element: `delete(@m[key])`; whether there was one";
    "clear(map m)", Statement(|checker, args| whole(checker, args, |map| RecordKind::ClearMap { map })), "removes all elements";
    "zero(map m)", Statement(|checker, args| whole(checker, args, |map| RecordKind::ZeroMap { map })), "sets all values to zero";
};

fn length(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let map = args.map(0)?;
    with_keys(checker, &args, "len", map)?;
    checker.need(Feature::ForEachMapElement, args.span)?;
    checker.needs.visits_elements = true;
    Ok(Expr {
        kind: ExprKind::MapLength(map),
        ty: Type::I64,
        span: args.span,
    })
}

fn delete(_: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let (map, key) = args.element(0)?;
    Ok(Expr {
        kind: ExprKind::MapDelete { map, key },
        ty: Type::Bool,
        span: args.span,
    })
}

fn delete_key(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let (map, key) = (args.map(0)?, args.value(1)?);
    let key = checker.key(map, vec![key], args.span(0))?;
    Ok(Expr {
        kind: ExprKind::MapDelete { map, key },
        ty: Type::Bool,
        span: args.span,
    })
}

fn has_key(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let (map, key) = (args.map(0)?, args.value(1)?);
    with_keys(checker, &args, "has_key", map)?;
    let key = checker.key(map, vec![key], args.span(0))?;
    Ok(Expr {
        kind: ExprKind::MapHasKey { map, key },
        ty: Type::Bool,
        span: args.span,
    })
}

/// Refuses a map that is one value.
fn with_keys(
    checker: &Checker<'_>,
    args: &Args<'_>,
    function: &str,
    map: ScriptMap,
) -> Result<(), Diagnostic> {
    match checker.is_without_key(map) {
        true => {
            let message = format!("`{function}` is for maps with keys");
            Err(Diagnostic::error(args.span(0), message))
        }
        false => Ok(()),
    }
}

/// What user space does with a whole map.
fn whole(
    checker: &mut Checker<'_>,
    mut args: Args<'_>,
    kind: fn(usize) -> RecordKind,
) -> Result<Expr, Diagnostic> {
    let map = args.map(0)?;
    Ok(checker.emit(kind(map.index()), Vec::new(), args.span))
}
