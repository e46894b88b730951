//! Functions that say what becomes of a process's resident pages: rows of the table in the parent, and the records that they
//! send. The runtime keeps the account, and prints at the end what the process has grown by.

use super::output::record_fields;
use super::{Args, FunctionRow};
use crate::hir::Expr;
use crate::manifest::{RecordKind, ResidentChange};
use crate::sema::Checker;
use crate::types::Type;
use pfscript_grammar::Diagnostic;
use pfscript_grammar::ast::{self, ExprKind as Ast};

pub(super) const ROWS: &[FunctionRow] = rows! {
    "rss_fault(ptr address, any by)", Statement(fault), "charges `by` (such as `ustack`) for the page at `address`, which the process has touched. At the end is printed what the process of `-p` or `-c` has grown by, in bytes, by kind of memory, file and `by`: for pages that are still resident then";
    "rss_fill(ptr address, int length, any by)", Statement(fill), "charges `by` for those pages of a range that nobody is charged for: the kernel fills it without faults, as for `MAP_POPULATE` and `mlock()`";
    "rss_drop(ptr address, int length)", Statement(drop), "takes the charge from a range that is given back, as by `munmap()`";
    "rss_move(ptr address, int length, ptr to)", Statement(shift), "takes the charges of a range along to where it moves, as by `mremap()`";
};

fn fault(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let (address, by) = (args.value(0)?, args.value(1)?);
    let length = Expr::int(1, Type::U64, args.span);
    change(
        checker,
        ResidentChange::Fault,
        [address, length],
        Some(by),
        &args,
    )
}

fn fill(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let (range, by) = (range(&mut args)?, args.value(2)?);
    change(checker, ResidentChange::Fill, range, Some(by), &args)
}

fn drop(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let range = range(&mut args)?;
    change(checker, ResidentChange::Drop, range, None, &args)
}

fn shift(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let (range, to) = (range(&mut args)?, args.value(2)?);
    change(checker, ResidentChange::Move, range, Some(to), &args)
}

/// The first two arguments: an address and a length in bytes.
fn range(args: &mut Args<'_>) -> Result<[Expr; 2], Diagnostic> {
    Ok([args.value(0)?, args.value(1)?])
}

/// The record of a change; `last` is who is charged, or where a range moves to.
fn change(
    checker: &mut Checker<'_>,
    change: ResidentChange,
    [address, length]: [Expr; 2],
    last: Option<Expr>,
    args: &Args<'_>,
) -> Result<Expr, Diagnostic> {
    checker.needs.needs_target.get_or_insert(args.written);
    let process = checker.expr(&ast::Expr {
        kind: Ast::Ident("pid".to_owned()),
        span: args.span,
    })?;
    let mut values = vec![process, address, length];
    values.extend(last);
    let (fields, size) = record_fields(&checker.types, &values);
    let kind = RecordKind::Resident {
        change,
        fields,
        size,
    };
    Ok(checker.emit(kind, values, args.span))
}
