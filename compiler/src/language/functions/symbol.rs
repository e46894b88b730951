//! Functions of addresses: symbols, and what is mapped at an address. Rows of the table in the parent; names are found by the
//! runtime, but for `kaddr()`, whose address is known when the script is compiled.

use super::{Args, FunctionRow};
use crate::hir::{Expr, ExprKind};
use crate::sema::Checker;
use crate::types::Type;
use pfscript_grammar::Diagnostic;

pub(super) const ROWS: &[FunctionRow] = rows! {
    "ksym(ptr p)", Value(ksym), "the name of the kernel symbol at `p`";
    "usym(ptr p)", Value(usym), "the name of the user symbol at `p` in the current process";
    "kaddr(const string name) -> uint64", Value(kaddr), "the address of a kernel symbol";
    "kptr(ptr p)", Value(|_, mut args| args.value(0)), "`p` itself: whether an address is the kernel's is seen when it is read";
    "uptr(ptr p)", Value(|_, mut args| args.value(0)), "`p` itself, likewise";
    "vma(ptr p) -> struct vm_area_struct *", Routines(&["pf_vma_maple", "pf_vma_red_black", "pf_vma"]), "what the current process has mapped at the address `p`, or 0 if nothing";
};

fn ksym(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    checker.needs.kernel_symbols = true;
    Ok(Expr {
        ty: Type::KernelSymbol,
        span: args.span,
        ..args.value(0)?
    })
}

fn usym(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    checker.needs.user_symbols = true;
    Ok(Expr {
        kind: ExprKind::UserSymbol(Box::new(args.value(0)?)),
        ty: Type::UserSymbol,
        span: args.span,
    })
}

fn kaddr(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let name = args.text(0)?;
    let name = String::from_utf8_lossy(&name);
    match checker.facts.kernel_symbol(&name) {
        Ok(address) => Ok(Expr::int(address as i64, Type::U64, args.span)),
        Err(error) => match error.hidden(checker.facts) {
            Some(reason) => {
                let what = format!("the address of `{name}`");
                let unknown = checker.unchecked(&what, reason, args.span(0));
                Ok(Expr {
                    ty: Type::U64,
                    ..unknown
                })
            }
            None => Err(error.diagnostic(args.span(0), || {
                format!("the kernel has no symbol `{name}`")
            })),
        },
    }
}
