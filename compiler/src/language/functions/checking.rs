//! Checks that are made when the script is compiled: rows of the table in the parent. They leave nothing to run. Checks while it runs
//! are in the prelude.

use super::output::printed;
use super::{Args, FunctionRow};
use crate::hir::{Expr, ExprKind};
use crate::language::format;
use crate::manifest::FormatPiece;
use crate::sema::{Checker, not_known};
use crate::types::Type;
use pfscript_grammar::{Diagnostic, Span, escape};

pub(super) const ROWS: &[FunctionRow] = rows! {
    "assert_str(any x)", Statement(assert_str), "an error when the script is compiled, unless `x` is a string, an array or a pointer";
    "static_assert(any condition, const string message)", Statement(static_assert), "an error when the script is compiled, with this message, if a constant condition does not hold";
    "fail(format text, …)", Statement(fail), "an error when the script is compiled; what it prints are constants";
    "kfunc_exist(const string name) -> bool", Value(kfunc_exist), "whether the kernel has a function of that name for BPF programs (a kfunc)";
    "kfunc_allowed(const string name) -> bool", Value(|_, args| Ok(Expr::int(0, Type::Bool, args.span))), "whether scripts may lead to calls of that kfunc: always false, since nothing here is made of them, so that a script takes its other way";
};

fn assert_str(_: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let value = args.value(0)?;
    match value.ty {
        Type::Str { .. } | Type::Array { .. } | Type::Pointer(_) | Type::Unknown => {
            Ok(nothing(span))
        }
        _ => Err(Diagnostic::error(
            args.span(0),
            "expected a string, an array or a pointer",
        )),
    }
}

fn static_assert(_: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let message = String::from_utf8_lossy(&args.text(1)?).into_owned();
    let condition = args.value(0)?;
    match condition.known() {
        Some(0) => Err(Diagnostic::error(span, escape(&message))),
        Some(_) => Ok(nothing(span)),
        None => Err(not_known(args.span(0)).help("`assert` checks while it runs")),
    }
}

fn fail(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let text = args.text(0)?;
    let pieces =
        format::parse(&text).map_err(|message| Diagnostic::error(args.span(0), message))?;
    let values = printed(checker, &pieces, args.rest(), args.span)?;
    let mut values = values.iter();
    let mut message = String::new();
    for piece in &pieces {
        match piece {
            FormatPiece::Text(text) => message += &String::from_utf8_lossy(text),
            FormatPiece::Conversion(_) => match values.next() {
                Some(Expr {
                    kind: ExprKind::Int(number),
                    ..
                }) => message += &number.to_string(),
                Some(Expr {
                    kind: ExprKind::Str(text),
                    ..
                }) => message += &String::from_utf8_lossy(text),
                other => {
                    let at = other.map_or(args.span, |value| value.span);
                    return Err(not_known(at));
                }
            },
        }
    }
    Err(Diagnostic::error(args.span, escape(&message)))
}

fn kfunc_exist(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let name = args.text(0)?;
    let name = String::from_utf8_lossy(&name);
    let exists = checker.facts.btf().is_some_and(|btf| btf.has_kfunc(&name));
    Ok(Expr::int(exists.into(), Type::Bool, span))
}

/// What a check leaves of itself.
fn nothing(span: Span) -> Expr {
    Expr {
        kind: ExprKind::Block(Vec::new(), None),
        ty: Type::Void,
        span,
    }
}
