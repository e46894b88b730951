//! Functions of strings: rows of the table in the parent. Comparisons with `==` are operators (`sema::operators`).

use super::{Args, FunctionRow};
use crate::hir::{Argument, Base, Expr, ExprKind, Place, StringEnd};
use crate::ir::{Arith, Condition};
use crate::sema::Checker;
use crate::types::{Type, round_up};
use pfscript_grammar::Diagnostic;
use pfscript_grammar::ast::{self, BinaryOp, ExprKind as Ast};
use pfscript_probes::abi::MAX_STRING_BYTES;

pub(super) const ROWS: &[FunctionRow] = rows! {
    "str(ptr|string p, [int limit]) -> string", Value(str_), "the string at `p`, from kernel or user memory, or the beginning of a string: at most `limit` bytes with its terminator; of literals and parameters, `limit` bytes";
    "strlen(string s) -> uint64", Routine("pf_strlen"), "the length of a string in bytes";
    "strncmp(string a, string b, const uint n) -> int32", Routine("pf_strncmp"), "0 if two strings are the same in their first `n` bytes, else 1";
    "memcmp(any a, any b, int count) -> int64", Value(memcmp), "0 if the first `count` bytes of two values are the same, else the difference of the first ones that differ; of pointers, of the memory there";
    "str_concat(string a, string b) -> string", Value(str_concat), "one string behind the other";
    "strstr(string haystack, string needle) -> int64", Value(strstr), "where `needle` begins in `haystack`, from 0; -1 if it is not there";
    "strcap(ptr|string s) -> uint64", Value(strcap), "the room that a string or an array has, in bytes; of a pointer, `default_str_length()`";
    "strcontains(string haystack, string needle) -> bool", Value(strcontains), "whether `needle` is in `haystack`";
};

fn strcontains(_: &mut Checker<'_>, args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let none = Expr::int(0, Type::I64, span);
    Ok(Expr {
        kind: ExprKind::Compare(
            Condition::Ne,
            Box::new(place_in_string(args)?),
            Box::new(none),
        ),
        ty: Type::Bool,
        span,
    })
}

fn strstr(_: &mut Checker<'_>, args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let one = Expr::int(1, Type::I64, span);
    Ok(Expr {
        kind: ExprKind::Arith(Arith::Sub, Box::new(place_in_string(args)?), Box::new(one)),
        ty: Type::I64,
        span,
    })
}

/// Where a needle is first in a haystack, from 1, or 0. Its length is known before, if it is a literal: that is faster, and less for
/// the verifier to look at.
fn place_in_string(mut args: Args<'_>) -> Result<Expr, Diagnostic> {
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
            "pf_strstr_literal"
        }
        _ => {
            passed.push(Argument::Text(needle));
            "pf_strstr"
        }
    };
    Ok(Expr {
        kind: ExprKind::Routine {
            routine,
            args: passed,
        },
        ty: Type::I64,
        span: args.span,
    })
}

fn str_concat(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let strings = [args.value(0)?, args.value(1)?];
    let types = strings.each_ref().map(|string| string.ty);
    let [a_room, b_room] = types.map(|ty| i64::from(checker.types.size(ty)));
    let both = Expr {
        kind: ExprKind::Tuple(strings.into()),
        ty: checker.tuple_type(&types, &[], span)?,
        span,
    };
    let most = i64::from(checker.options.limits.max_strlen);
    let sizes = Expr::int(a_room | b_room << 20 | most << 40, Type::I64, span);
    Ok(Expr {
        kind: ExprKind::Routine {
            routine: "pf_str_concat",
            args: vec![Argument::Address(both), Argument::Value(sizes)],
        },
        ty: Type::Str {
            bytes: checker.options.limits.string_room(),
        },
        span,
    })
}

fn strcap(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let value = args.value(0)?;
    let room = match (&value.kind, value.ty) {
        (ExprKind::Str(text), _) => text.len() as u64 + 1,
        (_, Type::Str { bytes }) => bytes.into(),
        (_, Type::Array { count, .. }) => count.into(),
        _ => checker.options.limits.max_strlen.into(),
    };
    Ok(Expr::int(room as i64, Type::U64, span))
}

fn memcmp(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let count = args.value(2)?;
    let constant = match count.constant() {
        Some(constant) => Some(
            u32::try_from(constant)
                .ok()
                .filter(|constant| *constant <= MAX_STRING_BYTES)
                .ok_or_else(|| {
                    let message = format!("`count` must be from 0 to {MAX_STRING_BYTES}");
                    Diagnostic::error(args.span(2), message)
                })?,
        ),
        None => None,
    };
    let mut passed = Vec::new();
    for index in 0..2 {
        let at = args.span(index);
        let value = args.value(index)?;
        let value = match (value.ty, constant) {
            (Type::Pointer(_), Some(count)) => {
                let ty = Type::Array {
                    element: checker.types.intern(Type::int(1, false)),
                    count: count.max(1),
                };
                checker.load(Place::whole(Base::Memory(Box::new(value)), ty), at)?
            }
            (Type::Pointer(_), None) => {
                let message = "`count` must be a constant where memory is compared";
                return Err(Diagnostic::error(args.span(2), message));
            }
            _ => value,
        };
        let room = checker.types.size(value.ty);
        let whole = checker.types.c_size(value.ty).unwrap_or(room);
        if let Some(count) = constant.filter(|count| *count > whole.max(room.min(MAX_STRING_BYTES)))
        {
            let message = format!("`count` is {count}, but this has {whole} bytes");
            return Err(Diagnostic::error(at, message));
        }
        passed.push(Argument::Address(value));
        passed.push(Argument::Value(Expr::int(room.into(), Type::I64, at)));
    }
    passed.push(Argument::Value(count));
    Ok(Expr {
        kind: ExprKind::Routine {
            routine: "pf_memcmp",
            args: passed,
        },
        ty: Type::I64,
        span,
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
    // With its terminator.
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
            bytes: round_up(most + 1),
        },
        span: args.span,
    })
}
