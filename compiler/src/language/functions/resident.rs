//! Functions that say what becomes of processes' resident pages: rows of the table in the parent, and the records that they
//! send. The runtime keeps the accounts, and prints at the end what processes have grown by.

use super::output::record_fields;
use super::{Args, FunctionRow};
use crate::hir::Expr;
use crate::manifest::{RecordKind, ResidentChange};
use crate::sema::Checker;
use crate::types::Type;
use pfscript_grammar::Diagnostic;
use pfscript_grammar::ast::{self, ExprKind as Ast};

pub(super) const ROWS: &[FunctionRow] = rows! {
    "rss_fault(ptr address, any by, [int of])", Statement(fault), "charges `by` (such as `ustack`) for the page at `address`, which the process has touched. Of `of` such pages, only one was told: the others go to the nearest that was. At the end is printed what processes have grown by, in bytes, by kind of memory, file and `by`: for pages that are still resident then. Those are the process of `-p` or `-c`, failing that all";
    "rss_fill(ptr address, int length, any by, [int process])", Statement(fill), "charges `by` for those pages of a range that nobody is charged for: the kernel fills it without faults, as for `MAP_POPULATE` and `mlock()`. The range is in this process's memory, or in that of the process of an id";
    "rss_drop(ptr address, int length)", Statement(drop), "takes the charge from a range that is given back, as by `munmap()`";
    "rss_move(ptr address, int length, ptr to)", Statement(shift), "takes the charges of a range along to where it moves, as by `mremap()`";
    "rss_stack(ptr address)", Statement(stack), "says that an address is in the stack of a thread, whose memory is then of that kind";
    "rss_alloc(ptr address, int bytes, any by)", Statement(alloc), "says that `by` has allocated a block, which holds so many bytes, or stands for others with so many in all. What is allocated and not freed is printed beside what processes have grown by";
    "rss_free(ptr address)", Statement(free), "says that the block at `address` is freed";
    "rss_fork(int child, [bool shares])", Statement(fork), "says that this process has started another one, with a copy of its memory, or with the same memory (`shares`) until it executes a program. A script with it follows the process of `-p` or `-c` with those that it starts, and its probes fire in all of them";
    "rss_exit()", Statement(exit), "says that this process ends";
    "rss_together()", Statement(together), "says that all processes are put together in what is printed, by stack, whatever they are called, wherever it stands; else those of one name are, if there are more than five";
    "rss_growth()", Statement(print), "prints what processes have grown by up to now, and since the last time";
};

fn fault(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let (address, by) = (args.value(0)?, args.value(1)?);
    let of = match args.has(2) {
        true => args.value(2)?,
        false => Expr::int(1, Type::U64, args.span),
    };
    change(
        checker,
        ResidentChange::Fault,
        [address, of],
        Some(by),
        &args,
    )
}

fn fill(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let (range, by) = (range(&mut args)?, args.value(2)?);
    let process = match args.has(3) {
        true => args.value(3)?,
        false => builtin(checker, "pid", &args)?,
    };
    let by = Some(by);
    change_of(checker, ResidentChange::Fill, process, range, by, &args)
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

fn stack(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let address = args.value(0)?;
    let length = Expr::int(1, Type::U64, args.span);
    let range = [address, length];
    change(checker, ResidentChange::Stack, range, None, &args)
}

fn alloc(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let (block, by) = (range(&mut args)?, args.value(2)?);
    change(checker, ResidentChange::Allocate, block, Some(by), &args)
}

fn free(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let address = args.value(0)?;
    let length = Expr::int(0, Type::U64, args.span);
    let block = [address, length];
    change(checker, ResidentChange::Free, block, None, &args)
}

fn fork(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    checker.needs.follows_children = true;
    let child = args.value(0)?;
    let shares = match args.has(1) {
        true => args.value(1)?,
        false => Expr::int(0, Type::U64, args.span),
    };
    let both = [child, shares];
    change(checker, ResidentChange::Fork, both, None, &args)
}

fn exit(checker: &mut Checker<'_>, args: Args<'_>) -> Result<Expr, Diagnostic> {
    let name = builtin(checker, "comm", &args)?;
    let nothing = nothing(&args);
    change(checker, ResidentChange::Exit, nothing, Some(name), &args)
}

fn together(checker: &mut Checker<'_>, args: Args<'_>) -> Result<Expr, Diagnostic> {
    checker.needs.accounts_for_pages = true;
    checker.needs.puts_together = true;
    Ok(Expr::int(0, Type::U64, args.span))
}

fn print(checker: &mut Checker<'_>, args: Args<'_>) -> Result<Expr, Diagnostic> {
    let nothing = nothing(&args);
    change(checker, ResidentChange::Print, nothing, None, &args)
}

/// Of what has no range.
fn nothing(args: &Args<'_>) -> [Expr; 2] {
    [0, 0].map(|zero| Expr::int(zero, Type::U64, args.span))
}

fn builtin(checker: &mut Checker<'_>, name: &str, args: &Args<'_>) -> Result<Expr, Diagnostic> {
    checker.expr(&ast::Expr {
        kind: Ast::Ident(name.to_owned()),
        span: args.span,
    })
}

/// The record of a change of this process's memory; `last` is who is charged, or where a range moves to.
fn change(
    checker: &mut Checker<'_>,
    change: ResidentChange,
    range: [Expr; 2],
    last: Option<Expr>,
    args: &Args<'_>,
) -> Result<Expr, Diagnostic> {
    let process = builtin(checker, "pid", args)?;
    change_of(checker, change, process, range, last, args)
}

/// The same of a process's memory.
fn change_of(
    checker: &mut Checker<'_>,
    change: ResidentChange,
    process: Expr,
    [address, length]: [Expr; 2],
    last: Option<Expr>,
    args: &Args<'_>,
) -> Result<Expr, Diagnostic> {
    checker.needs.accounts_for_pages = true;
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
