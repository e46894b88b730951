//! Functions of strings: rows of the table in the parent. Comparisons with `==` are operators (`sema::operators`).

use super::{Args, FunctionKind, FunctionRow, row};
use crate::hir::{Argument, Expr, ExprKind, StringEnd};
use crate::sema::Checker;
use crate::types::{Type, round_up};
use pfscript_grammar::Diagnostic;
use pfscript_grammar::ast::{self, BinaryOp, ExprKind as Ast};

pub(super) const ROWS: &[FunctionRow] = &[
    row(
        "str(ptr|string p, [int limit]) -> string",
        FunctionKind::Value(str_),
        "the string at `p`, from kernel or user memory, or the beginning of a string: at most `limit` bytes with its terminator; of literals and parameters, `limit` bytes",
    ),
    row(
        "strlen(string s) -> uint64",
        FunctionKind::Routine("pf_strlen"),
        "the length of a string in bytes",
    ),
    row(
        "strncmp(string a, string b, const uint n) -> int32",
        FunctionKind::Routine("pf_strncmp"),
        "0 if two strings are the same in their first `n` bytes, else 1",
    ),
    row(
        "strcontains(string haystack, string needle) -> bool",
        FunctionKind::Value(strcontains),
        "whether `needle` is in `haystack`",
    ),
];

/// The needle's length is known before, if it is a literal: that is faster, and less for the verifier to look at.
fn strcontains(_: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let (haystack, needle) = (args.value(0)?, args.value(1)?);
    let length = match &needle.kind {
        ExprKind::Str(text) => text.iter().take_while(|byte| **byte != 0).count(),
        _ => 0,
    };
    let mut passed = vec![Argument::Text(haystack)];
    let routine = match i64::try_from(length) {
        Ok(length @ 1..) => {
            let span = needle.span;
            passed.push(Argument::Address(needle));
            passed.push(Argument::Value(Expr::int(length, Type::I64, span)));
            "pf_strcontains_literal"
        }
        _ => {
            passed.push(Argument::Text(needle));
            "pf_strcontains"
        }
    };
    Ok(Expr {
        kind: ExprKind::Routine {
            routine,
            args: passed,
        },
        ty: Type::Bool,
        span: args.span,
    })
}

/// The text of a parameter of the command line, which is a string here even if it looks like a number: `$1`, and without its
/// first bytes `$1 + 2`.
fn parameter(checker: &Checker<'_>, ast: &ast::Expr) -> Option<Vec<u8>> {
    let (number, skipped) = match &ast.kind {
        Ast::Positional(number) => (*number, 0),
        Ast::Binary { first, rest } => match (&first.kind, &rest[..]) {
            (Ast::Positional(number), [(BinaryOp::Add, by)]) => match by.kind {
                Ast::Int(by) => (*number, usize::try_from(by).unwrap_or(usize::MAX)),
                _ => return None,
            },
            _ => return None,
        },
        _ => return None,
    };
    let text = checker.positional(number).unwrap_or_default();
    Some(text.as_bytes().get(skipped..).unwrap_or_default().to_vec())
}

fn str_(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let from = match args.ast(0).and_then(|ast| parameter(checker, ast)) {
        Some(text) => Expr::string(&text, args.span(0)),
        None => args.value(0)?,
    };
    let is_string = matches!(from.ty, Type::Str { .. });
    if is_string && !args.has(1) {
        return Ok(from);
    }
    // Its terminator, or what says that it was cut, comes behind it.
    let max = checker.options.limits.max_strlen + 1;
    let (limit, most, end) = if args.has(1) {
        let limit = args.value(1)?;
        match limit.constant() {
            Some(n) if n <= 0 => {
                return Err(Diagnostic::error(
                    args.span(1),
                    "`limit` must be greater than zero",
                ));
            }
            // What the script itself says has no terminator to be counted.
            Some(n) if let ExprKind::Str(text) = &from.kind => {
                let most = usize::try_from(n).unwrap_or(usize::MAX);
                return Ok(Expr::string(&text[..text.len().min(most)], args.span));
            }
            Some(n) => {
                let most = (n as u64).min(max.into());
                let end = match most == n as u64 {
                    true => StringEnd::Chosen,
                    false => StringEnd::Cut,
                };
                (None, most as u32, end)
            }
            None => (Some(Box::new(limit)), max, StringEnd::Chosen),
        }
    } else {
        (None, max, StringEnd::Cut)
    };
    Ok(Expr {
        kind: ExprKind::ReadString {
            address: Box::new(from),
            limit,
            most,
            end,
        },
        ty: Type::Str {
            bytes: round_up(most),
        },
        span: args.span,
    })
}
