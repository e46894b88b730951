//! Functions that give bytes: a row of the table in the parent.

use super::{Args, FunctionKind, FunctionRow, row};
use crate::hir::{Base, Expr, ExprKind, Place};
use crate::sema::Checker;
use crate::types::{Type, round_up};
use pfscript_grammar::Diagnostic;
use pfscript_probes::abi::MAX_STRING_BYTES;

pub(super) const ROWS: &[FunctionRow] = &[row(
    "buf(any data, [int length]) -> buffer",
    FunctionKind::Value(buf),
    "`length` bytes from the address or the string `data`, or all of an array; `%r` prints them, `%rx` and `%rh` in hexadecimal",
)];

fn buf(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let value = args.value(0)?;
    let is_text = matches!(value.ty, Type::Str { .. });
    let in_characters = matches!(
        &value.kind,
        ExprKind::Load(Place {
            ty: Type::Chars { .. },
            ..
        })
    );
    let value = checker.characters(value);
    let (from, whole) = match value.ty {
        Type::Unknown => return Ok(value),
        Type::Int { .. } | Type::Pointer(_) => {
            let target = Type::Void;
            (Place::whole(Base::Memory(Box::new(value)), target), None)
        }
        Type::Array { .. } | Type::Record(_) => {
            let whole = checker.types.c_size(value.ty);
            // The room of a string says nothing of its length.
            let whole = whole.filter(|_| !is_text || in_characters);
            (checker.place(value), whole)
        }
        other => {
            let what = checker.types.describe(other);
            let message = format!("expected an address, an array or a string, found {what}");
            return Err(Diagnostic::error(args.span(0), message));
        }
    };
    let (length, most) = match (args.has(1), whole) {
        (true, _) => {
            let at = args.span(1);
            let length = args.value(1)?;
            match length.constant() {
                Some(constant) => match u32::try_from(constant) {
                    Ok(constant @ 0..=MAX_STRING_BYTES) => (None, constant),
                    _ => {
                        let message = format!("`length` must be from 0 to {MAX_STRING_BYTES}");
                        return Err(Diagnostic::error(at, message));
                    }
                },
                None => (Some(Box::new(length)), checker.options.limits.max_strlen),
            }
        }
        (false, Some(whole @ 0..=MAX_STRING_BYTES)) => (None, whole),
        (false, Some(whole)) => {
            let message =
                format!("`buf` takes at most {MAX_STRING_BYTES} bytes, and this has {whole}");
            return Err(Diagnostic::error(args.span(0), message)
                .help(format!("say how many: `buf(x, {MAX_STRING_BYTES})`")));
        }
        (false, None) => {
            let what = if is_text { "a string" } else { "an address" };
            let message = format!("`buf` needs a length for {what}");
            return Err(Diagnostic::error(span, message).help("such as `buf(x, 16)`"));
        }
    };
    Ok(Expr {
        kind: ExprKind::Buffer { from, length, most },
        ty: Type::Buffer {
            bytes: round_up(most),
        },
        span,
    })
}
