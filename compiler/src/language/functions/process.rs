//! Functions of the current process and thread, and of cgroups: rows of the table in the parent.

use super::{Args, FunctionRow};
use crate::hir::Expr;
use crate::sema::Checker;
use crate::types::Type;
use pfscript_grammar::ast::{self, ExprKind as Ast};
use pfscript_grammar::{Diagnostic, Spanned, escape};
use std::path::Path;

pub(super) const ROWS: &[FunctionRow] = rows! {
    "pid([pid_ns namespace]) -> uint32", Value(|checker, args| id(checker, args, "pid", "tgid")), "process id: in the tracer's pid namespace (`curr_ns`, as `pid` alone), or in the initial one (`init`)";
    "tid([pid_ns namespace]) -> uint32", Value(|checker, args| id(checker, args, "tid", "pid")), "thread id, likewise";
    "cgroupid(const string path) -> uint64", Value(cgroup_id), "the id of the cgroup (version 2) whose folder is at `path`, to compare with `cgroup`";
};

/// Whose ids they are, by name.
const NAMESPACES: [&str; 2] = ["curr_ns", "init"];

/// An id of the current task: the builtin, or what the kernel itself calls it, which is the same in all namespaces.
fn id(
    checker: &mut Checker<'_>,
    mut args: Args<'_>,
    builtin: &str,
    member: &str,
) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let name = |name: &str| ast::Expr {
        kind: Ast::Ident(name.to_owned()),
        span,
    };
    match args.word(0).unwrap_or("curr_ns") {
        "curr_ns" => checker.expr(&name(builtin)),
        "init" => {
            let field = ast::Expr {
                kind: Ast::Field {
                    base: Box::new(name("curtask")),
                    name: Spanned::new(member.to_owned(), span),
                    arrow: true,
                },
                span,
            };
            let value = checker.expr(&field)?;
            Ok(Expr {
                ty: Type::U32,
                ..value
            })
        }
        word => Err(
            Diagnostic::error(args.span(0), format!("unknown pid namespace `{word}`"))
                .suggest(word, NAMESPACES),
        ),
    }
}

fn cgroup_id(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let at = args.span(0);
    let path = args.text(0)?;
    let path = String::from_utf8_lossy(&path);
    let id = checker.facts.cgroup_id(Path::new(&*path));
    let id = id.map_err(|error| {
        error.diagnostic(at, || format!("there is no folder `{}`", escape(&path)))
    })?;
    Ok(Expr::int(id as i64, Type::U64, args.span))
}
