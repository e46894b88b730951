//! Functions that gather values in maps: `count()`, `hist()`, … Rows of the table in the parent, and the checks of the
//! parameters of histograms. How values are added up is in the routines (`probes/bpf/aggregate.bpf.c`).

use super::{Aggregation, Args, FunctionRow};
use crate::hir::Aggregate;
use crate::sema::Checker;
use pfscript_grammar::Diagnostic;

pub(super) const ROWS: &[FunctionRow] = rows! {
    "count()", Aggregate(|_, _| Ok((Aggregate::Count, Vec::new()))), "counts how often it is reached";
    "sum(int n)", Aggregate(|_, mut args| Ok((Aggregate::Sum, vec![args.value(0)?]))), "adds up `n`";
    "min(int n)", Aggregate(|_, mut args| Ok((Aggregate::Min, vec![args.value(0)?]))), "keeps the least `n`";
    "max(int n)", Aggregate(|_, mut args| Ok((Aggregate::Max, vec![args.value(0)?]))), "keeps the greatest `n`";
    "avg(int n)", Aggregate(|_, mut args| Ok((Aggregate::Avg, vec![args.value(0)?]))), "keeps the average of `n`";
    "stats(int n)", Aggregate(|_, mut args| Ok((Aggregate::Stats, vec![args.value(0)?]))), "keeps count, average and total of `n`";
    "hist(int n, [const int bits])", Aggregate(hist), "a histogram of `n` by powers of two, each in `2^bits` parts (bits 0 to 5)";
    "lhist(int n, const int min, const int max, const int step)", Aggregate(lhist), "a histogram of `n` in equal steps from `min` to `max`";
};

fn hist(_: &mut Checker<'_>, mut args: Args<'_>) -> Result<Aggregation, Diagnostic> {
    let value = args.value(0)?;
    let bits = match args.has(1) {
        true => args.constant(1)?,
        false => 0,
    };
    match bits {
        0..=5 => Ok((Aggregate::Hist { bits: bits as u32 }, vec![value])),
        _ => Err(Diagnostic::error(args.span(1), "`bits` must be 0 to 5")),
    }
}

/// The most buckets of an `lhist`, as in bpftrace.
const MAX_BUCKETS: i64 = 1000;

fn lhist(_: &mut Checker<'_>, mut args: Args<'_>) -> Result<Aggregation, Diagnostic> {
    let value = args.value(0)?;
    let (min, max, step) = (args.constant(1)?, args.constant(2)?, args.constant(3)?);
    if step <= 0 {
        return Err(Diagnostic::error(
            args.span(3),
            "`step` must be greater than zero",
        ));
    }
    if max <= min {
        return Err(Diagnostic::error(
            args.span(2),
            "`max` must be greater than `min`",
        ));
    }
    match max.checked_sub(min).map(|range| range / step) {
        Some(buckets) if buckets <= MAX_BUCKETS => {}
        _ => {
            return Err(Diagnostic::error(
                args.span,
                format!("this makes more than {MAX_BUCKETS} buckets"),
            )
            .help("use a larger step"));
        }
    }
    Ok((Aggregate::LHist { min, max, step }, vec![value]))
}
