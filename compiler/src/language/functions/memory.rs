//! Functions that print what is resident: rows of the table in the parent. The runtime looks when it gets the record.

use super::{Args, FunctionRow};
use crate::hir::Expr;
use crate::manifest::RecordKind;
use crate::sema::Checker;
use pfscript_grammar::Diagnostic;

/// Processes that are printed unless the script says how many.
const ROWS_SHOWN: u32 = 15;

pub(super) const ROWS: &[FunctionRow] = rows! {
    "rss_print([const uint top], [const string cgroup])", Statement(rss_print), "prints what is resident when the record is delivered, by kind (anon, file, shmem; swap beside it), with a row of bars for the samples before: of the process of `-p` or `-c` a line; else of the machine, and the `top` largest processes (default: 15), of all or of a cgroup by its folder below `/sys/fs/cgroup`";
};

fn rss_print(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let top = match args.has(0) {
        true => u32::try_from(args.constant(0)?).unwrap_or(u32::MAX),
        false => ROWS_SHOWN,
    };
    let cgroup = match args.has(1) {
        true => String::from_utf8_lossy(&args.text(1)?).into_owned(),
        false => String::new(),
    };
    let kind = RecordKind::Memory { top, cgroup };
    Ok(checker.emit(kind, Vec::new(), args.span))
}
