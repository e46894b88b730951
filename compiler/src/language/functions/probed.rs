//! Functions of what a probe interrupts: rows of the table in the parent.

use super::{Args, FunctionRow};
use crate::facts::{Arch, FactError};
use crate::hir::{Expr, ExprKind};
use crate::ir::{Arith, Width};
use crate::language::not_here;
use crate::manifest::Attach;
use crate::program::Context;
use crate::providers::Access;
use crate::sema::Checker;
use crate::types::Type;
use pfscript_grammar::{Diagnostic, Span, escape};

pub(super) const ROWS: &[FunctionRow] = rows! {
    "reg(const string name) -> uint64", Value(reg), "what a register of the processor holds where the probe interrupts, by its name in the kernel's `struct pt_regs`: `reg(\"ip\")`; `pc` is where the instruction is, on each kind of processor";
    "uaddr(const string name)", Value(uaddr), "the address of a variable of the program or library that the probe (`uprobe`, `usdt`) is in, as a pointer to an unsigned integer of the variable's size: `*uaddr(\"count\")`";
};

/// The registers of `struct pt_regs` and where they are there, in bytes.
fn registers(arch: Arch) -> &'static [(&'static str, u32)] {
    match arch {
        Arch::X86_64 => &[
            ("r15", 0),
            ("r14", 8),
            ("r13", 16),
            ("r12", 24),
            ("bp", 32),
            ("bx", 40),
            ("r11", 48),
            ("r10", 56),
            ("r9", 64),
            ("r8", 72),
            ("ax", 80),
            ("cx", 88),
            ("dx", 96),
            ("si", 104),
            ("di", 112),
            ("orig_ax", 120),
            ("ip", 128),
            ("pc", 128),
            ("cs", 136),
            ("flags", 144),
            ("sp", 152),
            ("ss", 160),
        ],
        Arch::Aarch64 => &[
            ("r0", 0),
            ("r1", 8),
            ("r2", 16),
            ("r3", 24),
            ("r4", 32),
            ("r5", 40),
            ("r6", 48),
            ("r7", 56),
            ("r8", 64),
            ("r9", 72),
            ("r10", 80),
            ("r11", 88),
            ("r12", 96),
            ("r13", 104),
            ("r14", 112),
            ("r15", 120),
            ("r16", 128),
            ("r17", 136),
            ("r18", 144),
            ("r19", 152),
            ("r20", 160),
            ("r21", 168),
            ("r22", 176),
            ("r23", 184),
            ("r24", 192),
            ("r25", 200),
            ("r26", 208),
            ("r27", 216),
            ("r28", 224),
            ("r29", 232),
            ("r30", 240),
            ("sp", 248),
            ("pc", 256),
            ("pstate", 264),
        ],
    }
}

fn reg(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    match checker.probe.provider.info().kind.info().context {
        Context::Registers | Context::PerfEvent => {}
        Context::Record | Context::Arguments | Context::Nothing => {
            return Err(not_here(checker, "reg", span).help(
                "probes of functions and of perf events have registers: `uprobe`, `kprobe`, `profile`, `software`",
            ));
        }
    }
    let at = args.span(0);
    let name = args.text(0)?;
    let name = String::from_utf8_lossy(&name);
    let registers = registers(checker.facts.arch());
    let Some(&(_, offset)) = registers.iter().find(|row| row.0 == name) else {
        let message = format!("there is no register `{}`", escape(&name));
        return Err(
            Diagnostic::error(at, message).suggest(&name, registers.iter().map(|row| row.0))
        );
    };
    Ok(register(offset, span))
}

/// The register that points to the instruction.
pub(in crate::language) fn instruction_pointer(arch: Arch, span: Span) -> Expr {
    let row = registers(arch).iter().find(|row| row.0 == "pc");
    register(row.map_or(0, |row| row.1), span)
}

/// A register, by where it is in `struct pt_regs`.
fn register(offset: u32, span: Span) -> Expr {
    Expr {
        kind: ExprKind::Argument(Access::Context {
            offset,
            width: Width::W64,
            signed: false,
        }),
        ty: Type::U64,
        span,
    }
}

fn uaddr(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let at = args.span(0);
    let name = args.text(0)?;
    let name = String::from_utf8_lossy(&name);
    let Some(Attach::Uprobe {
        path,
        offset,
        on_return,
        ..
    }) = checker.only_site().map(|site| site.attach.clone())
    else {
        return Err(not_here(checker, "uaddr", span)
            .help("`uprobe`, `uretprobe` and `usdt` probes are in a file that has variables"));
    };
    let error = |error: FactError| {
        error.diagnostic(at, || {
            let file = path.display().to_string();
            format!("`{}` has no variable `{}`", escape(&file), escape(&name))
        })
    };
    let variable = checker.facts.variable(&path, &name).map_err(error)?;
    let bytes = match variable.size {
        1 | 2 | 4 => variable.size as u32,
        _ => 8,
    };
    let ty = checker.types.pointer_to(Type::int(bytes, false));
    if !variable.position_independent {
        return Ok(Expr::int(variable.address as i64, ty, span));
    }
    // Where the file is in this process, the instruction says at which the probe is.
    if on_return {
        let message = "`uaddr` is not available where a function of this file returns: the file may be anywhere in memory, and \
                       the caller does not say where";
        return Err(
            Diagnostic::error(span, message).help("use a `uprobe`, and keep the address in a map")
        );
    }
    let binary = checker.facts.binary(&path).map_err(error)?;
    let here = binary.address(offset).unwrap_or(offset);
    let distance = variable.address.wrapping_sub(here) as i64;
    Ok(Expr {
        kind: ExprKind::Arith(
            Arith::Add,
            Box::new(instruction_pointer(checker.facts.arch(), span)),
            Box::new(Expr::int(distance, Type::I64, span)),
        ),
        ty,
        span,
    })
}
