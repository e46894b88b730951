//! `tseries()`: a row of the table in the parent, the check of its parameters, and the clock that it goes by.
//!
//! Intervals begin at multiples of their length since 1970, so that those of all keys and CPUs are the same. How values are
//! kept is in the routines (`probes/bpf/series.bpf.c`).

use super::{Aggregation, Args, FunctionRow};
use crate::hir::{Aggregate, Expr, ExprKind};
use crate::ir::Arith;
use crate::language::builtins;
use crate::manifest::{Fold, Globals};
use crate::sema::{Checker, KeyUse, MapContent};
use crate::types::Type;
use pfscript_grammar::{Diagnostic, Span};
use pfscript_probes::maps::MAX_PER_CPU_VALUE;
use pfscript_probes::{Feature, MapTemplate};

pub(super) const ROWS: &[FunctionRow] = rows! {
    "tseries(int n, const int interval_ns, const int num_intervals, [const string fold])", Aggregate(tseries), "what `n` was over time: the last `num_intervals` intervals of `interval_ns` nanoseconds, and of each the last `n`, or with `fold` the `avg`, `max`, `min` or `sum`. Maps of it are printed whole";
};

/// The most intervals: the kernel takes values of up to 4 MiB.
const MAX_INTERVALS: i64 = 100_000;

/// What `fold` can be.
const FOLDS: &[(&str, Fold)] = &[
    ("avg", Fold::Avg),
    ("max", Fold::Max),
    ("min", Fold::Min),
    ("sum", Fold::Sum),
    ("none", Fold::Last),
];

fn tseries(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Aggregation, Diagnostic> {
    let value = args.value(0)?;
    let (interval, intervals) = (args.constant(1)?, args.constant(2)?);
    if interval <= 0 {
        let message = "`interval_ns` must be greater than zero";
        return Err(Diagnostic::error(args.span(1), message).help("such as `100ms` or `1s`"));
    }
    if !(1..=MAX_INTERVALS).contains(&intervals) {
        let message = format!("`num_intervals` must be 1 to {MAX_INTERVALS}");
        return Err(Diagnostic::error(args.span(2), message));
    }
    let fold = match args.has(3) {
        false => Fold::Last,
        true => {
            let name = String::from_utf8_lossy(&args.text(3)?).into_owned();
            let found = FOLDS.iter().find(|row| row.0 == name);
            found.map(|row| row.1).ok_or_else(|| {
                let message =
                    format!("`fold` must be \"avg\", \"max\", \"min\" or \"sum\", not \"{name}\"");
                Diagnostic::error(args.span(3), message)
                    .suggest(&name, FOLDS.iter().map(|row| row.0))
            })?
        }
    };
    let extremes = matches!(fold, Fold::Min | Fold::Max);
    let intervals = intervals as u32;
    let template = MapTemplate::Series {
        intervals,
        extremes,
    };
    if extremes && template.value_size() > MAX_PER_CPU_VALUE {
        checker.need(Feature::AtomicExchange, args.span(2))?;
    }
    let time = clock(checker, args.span)?;
    let aggregate = Aggregate::Series {
        fold,
        interval: interval as u64,
        intervals,
    };
    Ok((aggregate, vec![value, time]))
}

/// Nanoseconds since 1970: the wall clock as it was when tracing began, and the time since then; or what the map holds that the
/// user names.
fn clock(checker: &mut Checker<'_>, span: Span) -> Result<Expr, Diagnostic> {
    if let Some(name) = checker.options.limits.series_clock.clone() {
        return map_as_clock(checker, &name, span);
    }
    checker.needs.globals = true;
    let ahead = Expr {
        kind: ExprKind::Global(Globals::REAL_AHEAD),
        ty: Type::U64,
        span,
    };
    let boot = builtins::nsecs(checker, span);
    Ok(Expr {
        kind: ExprKind::Arith(Arith::Add, Box::new(boot), Box::new(ahead)),
        ty: Type::U64,
        span,
    })
}

fn map_as_clock(checker: &mut Checker<'_>, name: &str, span: Span) -> Result<Expr, Diagnostic> {
    let map = checker.map(
        name.trim_start_matches('@'),
        KeyUse::Element(Vec::new()),
        span,
    )?;
    match *checker.content(map) {
        MapContent::Unknown => {}
        MapContent::Scalar(Type::Unknown | Type::Int { .. }) => {}
        MapContent::Scalar(_) | MapContent::Aggregate(..) => {
            let message = format!("`{name}` is to be the clock of `tseries`, but holds no integer");
            return Err(Diagnostic::error(span, message).help(
                "the setting dummy_ts_map names it; without that, the clock is the system's",
            ));
        }
    }
    checker.element_value(map, Vec::new(), span)
}
