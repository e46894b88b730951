//! Functions that give numbers: rows of the table in the parent.

use super::{Args, FunctionRow};
use crate::hir::{Argument, Expr, ExprKind};
use crate::ir::Arith;
use crate::language::builtins;
use crate::manifest::Globals;
use crate::sema::Checker;
use crate::types::Type;
use pfscript_grammar::Diagnostic;
use pfscript_probes::Feature;
use pfscript_probes::abi::helper;

pub(super) const ROWS: &[FunctionRow] = rows! {
    "nsecs([clock clock]) -> uint64", Value(nsecs), "nanoseconds of a clock: `boot`, as `nsecs` alone; `monotonic`, without time asleep; `tai`, which needs Linux 6.1; `sw_tai`, the same by what it was ahead of `boot` when tracing began";
    "bswap(int n)", Value(bswap), "the bytes of `n` in the other order, as an unsigned integer of the same size; literals have the least size that holds them";
};

/// The clocks by their names.
const CLOCKS: &[&str] = &["boot", "monotonic", "tai", "sw_tai"];

fn nsecs(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let kind = match args.word(0).unwrap_or("boot") {
        "boot" => return Ok(builtins::nsecs(checker, span)),
        "monotonic" => ExprKind::Helper {
            helper: helper::KTIME_GET_NS,
            args: Vec::new(),
        },
        "tai" => {
            checker.need(Feature::TaiTime, span)?;
            ExprKind::Helper {
                helper: helper::KTIME_GET_TAI_NS,
                args: Vec::new(),
            }
        }
        "sw_tai" => {
            checker.needs.globals = true;
            let ahead = Expr {
                kind: ExprKind::Global(Globals::TAI_AHEAD),
                ty: Type::U64,
                span,
            };
            let boot = builtins::nsecs(checker, span);
            ExprKind::Arith(Arith::Add, Box::new(boot), Box::new(ahead))
        }
        word => {
            return Err(
                Diagnostic::error(args.span(0), format!("unknown clock `{word}`"))
                    .suggest(word, CLOCKS.iter().copied()),
            );
        }
    };
    Ok(Expr {
        kind,
        ty: Type::U64,
        span,
    })
}

fn bswap(_: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let value = args.value(0)?;
    let bytes = match (value.literal_bytes(), value.ty) {
        (Some(bytes), _) => bytes,
        (None, Type::Int { bytes, .. }) => bytes,
        (None, Type::Bool) => 1,
        (None, _) => 8,
    };
    let size = Expr::int(bytes.into(), Type::I64, span);
    Ok(Expr {
        kind: ExprKind::Routine {
            routine: "pf_bswap",
            args: vec![Argument::Value(value), Argument::Value(size)],
        },
        ty: Type::int(bytes, false),
        span,
    })
}
