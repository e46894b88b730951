//! Functions that say of what kind a value is, and how long its kind is: rows of the table in the parent. The answers are
//! constants; what they are asked of is not computed.

use super::{Args, FunctionRow};
use crate::hir::Expr;
use crate::sema::Checker;
use crate::types::Type;
use pfscript_grammar::Diagnostic;
use pfscript_grammar::ast::ExprKind as Ast;

pub(super) const ROWS: &[FunctionRow] = rows! {
    "is_array(any x) -> bool", Value(|_, args| whether(args, |ty| matches!(ty, Type::Array { .. }))), "whether `x` is an array";
    "is_integer(any x) -> bool", Value(|_, args| whether(args, |ty| matches!(ty, Type::Int { .. }))), "whether `x` is an integer";
    "is_unsigned_integer(any x) -> bool", Value(|_, args| whether(args, |ty| matches!(ty, Type::Int { signed: false, .. }))), "whether `x` is an unsigned integer; a literal is not";
    "is_ptr(any x) -> bool", Value(|_, args| whether(args, |ty| matches!(ty, Type::Pointer(_)))), "whether `x` is a pointer";
    "is_str(any x) -> bool", Value(|_, args| whether(args, |ty| matches!(ty, Type::Str { .. }))), "whether `x` is a string";
    "is_literal(any x) -> bool", Value(is_literal), "whether `x` is written as a literal: `1`, `true`, `\"text\"`";
};

/// A constant by the type of the argument: false while that is not known yet, which a later pass over the script mends.
fn whether(mut args: Args<'_>, is: fn(&Type) -> bool) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let value = args.value(0)?;
    Ok(Expr::int(is(&value.ty).into(), Type::Bool, span))
}

fn is_literal(_: &mut Checker<'_>, args: Args<'_>) -> Result<Expr, Diagnostic> {
    let literal = matches!(
        args.ast(0).map(|ast| &ast.kind),
        Some(Ast::Int(_) | Ast::Bool(_) | Ast::Str(_))
    );
    Ok(Expr::int(literal.into(), Type::Bool, args.span))
}
