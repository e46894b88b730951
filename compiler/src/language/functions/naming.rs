//! Functions of numbers that are printed as what they stand for: rows of the table in the parent. What a number stands for is
//! found by the runtime when it is printed; in programs, maps and records it stays a number.

use super::{Args, FunctionRow};
use crate::glob::Glob;
use crate::hir::Expr;
use crate::manifest::Naming;
use crate::sema::Checker;
use pfscript_grammar::Diagnostic;

pub(super) const ROWS: &[FunctionRow] = rows! {
    "strftime(const string format, int nsecs)", Value(strftime), "the time of day at `nsecs` nanoseconds since boot, as strftime(3) formats it; `%f` are its microseconds";
    "strerror(int error)", Value(|checker, args| named(checker, args, Naming::Error)), "what an error number of the kernel means: `strerror(2)` is `No such file or directory`";
    "signal_name(int signal)", Value(|checker, args| named(checker, args, Naming::Signal)), "what a signal is called: `signal_name(9)` is `Killed`";
    "syscall_name(int number)", Value(|checker, args| named(checker, args, Naming::Syscall)), "what the system call of that number is called on this machine: `syscall_name(args.id)` in `raw_syscalls:sys_enter`";
    "cgroup_path(int id, [const string hierarchies])", Value(cgroup_path), "where the cgroup (version 2) of that id is: `unified:/system.slice`; nothing where the hierarchies, a pattern with `*` and `?`, are others than `unified`";
};

/// What the hierarchy of cgroups of version 2 is called.
const UNIFIED: &str = "unified";

fn cgroup_path(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    if args.has(1) {
        let pattern = args.text(1)?;
        if !Glob::new(&String::from_utf8_lossy(&pattern)).matches(UNIFIED) {
            return Ok(Expr::string(b"", args.span));
        }
    }
    named(checker, args, Naming::Cgroup)
}

fn strftime(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let format = String::from_utf8_lossy(&args.text(0)?).into_owned();
    let nsecs = args.value(1)?;
    if nsecs.constant().is_some_and(|nsecs| nsecs < 0) {
        return Err(Diagnostic::error(
            args.span(1),
            "`nsecs` must not be negative",
        ));
    }
    Ok(Expr {
        ty: checker.types.named(Naming::Time { format }),
        span: args.span,
        ..nsecs
    })
}

fn named(
    checker: &mut Checker<'_>,
    mut args: Args<'_>,
    naming: Naming,
) -> Result<Expr, Diagnostic> {
    let span = args.span;
    Ok(Expr {
        ty: checker.types.named(naming),
        span,
        ..args.value(0)?
    })
}
