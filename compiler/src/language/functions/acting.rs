//! Functions that act on what is traced, or on the kernel's log: rows of the table in the parent. Those that change what
//! other processes do need the tracer's word of consent, as `system()` does.

use super::consent::consent;
use super::output::printed;
use super::{Args, FunctionRow};
use crate::hir::{Argument, Expr, ExprKind};
use crate::ir::Condition;
use crate::language::constants;
use crate::language::format;
use crate::language::not_here;
use crate::manifest::{Attach, Conversion, FormatPiece, Site};
use crate::program::Context;
use crate::sema::Checker;
use crate::types::Type;
use pfscript_grammar::{Diagnostic, Span, escape};
use pfscript_probes::Feature;
use pfscript_probes::abi::helper;

pub(super) const ROWS: &[FunctionRow] = rows! {
    "signal(int|string signal)", Statement(|checker, args| signal(checker, args, helper::SEND_SIGNAL)), "sends the current process a signal, by number or name: `signal(SIGSTOP)`, `signal(\"SIGSTOP\")`; needs `--unsafe`";
    "signal_thread(int|string signal)", Statement(|checker, args| signal(checker, args, helper::SEND_SIGNAL_THREAD)), "the same to the current thread";
    "write_user(ptr to, string from, const uint bytes) -> bool", Value(write_user), "writes the first bytes of a string to the current process's memory, and says whether that went well; needs `--unsafe`";
    "override(int result)", Statement(override_return), "gives the caller of a kernel function this result, and does not run the function, which the kernel must allow (`ALLOW_ERROR_INJECTION`); in `kprobe`; needs `--unsafe`";
    "debugf(format text, …)", Statement(debugf), "a line in the kernel's `trace_pipe`, of at most three values, one of them a string";
};

/// The largest number of a signal.
const LAST_SIGNAL: i64 = 64;

/// The values that `bpf_trace_printk` takes.
const PRINTK_VALUES: usize = 3;

fn signal(checker: &mut Checker<'_>, mut args: Args<'_>, helper: u32) -> Result<Expr, Diagnostic> {
    let (name, span, at) = (args.name(), args.span, args.span(0));
    consent(checker, &format!("`{name}` sends signals"), span)?;
    // The current process is the tracer itself where no event is.
    if checker.probe.provider.info().kind.info().context == Context::Nothing {
        return Err(not_here(checker, name, span)
            .help("the process there is the tracer itself; `exit()` ends it"));
    }
    let given = args.value(0)?;
    let number = match (&given.kind, given.ty) {
        (ExprKind::Str(bytes), _) => {
            let text = String::from_utf8_lossy(bytes);
            let number = constants::named(&text, checker.facts.arch())
                .filter(|_| text.starts_with("SIG"))
                .ok_or_else(|| {
                    let message = format!("there is no signal `{}`", escape(&text));
                    Diagnostic::error(at, message)
                        .help("signals are called as in C: `SIGTERM`, `SIGSTOP`, `SIGUSR1`")
                })?;
            Expr::int(number, Type::I64, at)
        }
        (_, Type::Str { .. }) => {
            return Err(Diagnostic::error(
                at,
                "the name of a signal must be a constant string",
            ));
        }
        _ => given,
    };
    if number
        .constant()
        .is_some_and(|number| !(1..=LAST_SIGNAL).contains(&number))
    {
        let message = format!("a signal is a number from 1 to {LAST_SIGNAL}");
        return Err(Diagnostic::error(at, message));
    }
    Ok(call(
        helper,
        vec![Argument::Value(number)],
        Type::Void,
        span,
    ))
}

fn write_user(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    consent(
        checker,
        "`write_user` changes the memory of processes",
        span,
    )?;
    checker.need(Feature::WriteUserMemory, span)?;
    let (to, from, bytes) = (args.value(0)?, args.value(1)?, args.constant(2)?);
    let room = i64::from(checker.types.size(from.ty));
    if !(1..=room).contains(&bytes) {
        let message = format!("`bytes` must be from 1 to {room}, the room of the string");
        return Err(Diagnostic::error(args.span(2), message));
    }
    let count = Expr::int(bytes, Type::I64, span);
    let passed = vec![
        Argument::Value(to),
        Argument::Address(from),
        Argument::Value(count),
    ];
    let status = call(helper::PROBE_WRITE_USER, passed, Type::I64, span);
    let none = Expr::int(0, Type::I64, span);
    Ok(Expr {
        kind: ExprKind::Compare(Condition::Eq, Box::new(status), Box::new(none)),
        ty: Type::Bool,
        span,
    })
}

fn override_return(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    consent(
        checker,
        "`override` changes what the kernel's functions do",
        span,
    )?;
    // Behind the entry the function has begun.
    let is_entry = |site: &Site| {
        matches!(
            site.attach,
            Attach::Kprobe {
                offset: 0,
                on_return: false,
                ..
            }
        )
    };
    if !checker.sites().all(is_entry) {
        return Err(not_here(checker, "override", span)
            .help("`kprobe` probes run before the function does: `kprobe:FUNCTION`"));
    }
    checker.need(Feature::OverrideReturn, span)?;
    let context = Expr {
        kind: ExprKind::Context,
        ty: Type::VOID_POINTER,
        span,
    };
    let passed = vec![Argument::Value(context), Argument::Value(args.value(0)?)];
    Ok(call(helper::OVERRIDE_RETURN, passed, Type::Void, span))
}

fn debugf(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let text = args.text(0)?;
    let pieces =
        format::parse(&text).map_err(|message| Diagnostic::error(args.span(0), message))?;
    let values = printed(checker, &pieces, args.rest(), span)?;
    let strings = values
        .iter()
        .filter(|value| matches!(value.ty, Type::Str { .. }))
        .count();
    if values.len() > PRINTK_VALUES || strings > 1 {
        let message = "`debugf` prints at most three values, of which one may be a string";
        return Err(Diagnostic::error(span, message)
            .help("that is what every kernel can print there; `printf` prints more"));
    }
    let named = |value: &&Expr| {
        !matches!(
            value.ty,
            Type::Int { .. } | Type::Bool | Type::Pointer(_) | Type::Str { .. }
        )
    };
    if let Some(value) = values.iter().find(named) {
        let message = format!("`debugf` cannot print {}", checker.types.describe(value.ty));
        return Err(
            Diagnostic::error(value.span, message).help("it prints numbers, addresses and strings")
        );
    }
    let mut format = Vec::new();
    for piece in &pieces {
        match piece {
            FormatPiece::Text(text) => {
                for &byte in text {
                    // What a kernel does not take in a format it refuses at run time, without a word (`%%` before 5.13).
                    match byte {
                        b'\n' | b'\t' | b' '..=b'$' | b'&'..=b'~' => format.push(byte),
                        _ => {
                            let message =
                                "kernels print ASCII characters alone there, and no percent sign";
                            return Err(Diagnostic::error(args.span(0), message));
                        }
                    }
                }
            }
            FormatPiece::Conversion(conversion) => {
                kernel_conversion(conversion, &mut format)
                    .map_err(|message| Diagnostic::error(args.span(0), message))?;
            }
        }
    }
    format.push(0);
    let size = Expr::int(format.len() as i64, Type::I64, span);
    let mut passed = vec![
        Argument::Address(Expr::string(&format, span)),
        Argument::Value(size),
    ];
    passed.extend(values.into_iter().map(|value| match value.ty {
        Type::Str { .. } => Argument::Address(value),
        _ => Argument::Value(value),
    }));
    Ok(call(helper::TRACE_PRINTK, passed, Type::Void, span))
}

/// A conversion as the kernel has it: values are 64 bits wide, without flags, width and precision, which
/// `bpf_trace_printk` of older kernels does not take.
fn kernel_conversion(conversion: &Conversion, format: &mut Vec<u8>) -> Result<(), &'static str> {
    let plain = Conversion {
        kind: conversion.kind,
        length: conversion.length.filter(|bytes| *bytes == 8),
        ..Conversion::default()
    };
    if *conversion != plain {
        return Err("the kernel takes no flags, width, precision or half lengths there");
    }
    let kind: &[u8] = match conversion.kind {
        b'd' | b'i' => b"%lld",
        b'u' => b"%llu",
        b'x' => b"%llx",
        b'p' => b"0x%llx",
        b's' => b"%s",
        _ => return Err("the kernel prints with `%d`, `%i`, `%u`, `%x`, `%p` and `%s` there"),
    };
    format.extend_from_slice(kind);
    Ok(())
}

fn call(helper: u32, args: Vec<Argument>, ty: Type, span: Span) -> Expr {
    Expr {
        kind: ExprKind::Helper { helper, args },
        ty,
        span,
    }
}
