//! The functions: `count()`, `str()`, `printf()`, … Each row checks a call and says what it is made of.

use super::builtins;
use super::printf;
use crate::hir::{Aggregate, Expr, ExprKind};
use crate::manifest::{Action, Field, StackMode};
use crate::sema::{Checker, KeyUse};
use crate::types::{Pointee, Type, fields, round_up};
use pfscript_grammar::ast::{self, ExprKind as Ast};
use pfscript_grammar::{Diagnostic, Span};
use pfscript_probes::abi::{MAX_STACK_FRAMES, RECORD_HEADER};

/// A call in the script.
pub struct Call<'a> {
    /// The function's name.
    pub name: &'a str,
    /// Its arguments.
    pub args: &'a [ast::Expr],
    /// The whole call.
    pub span: Span,
}

/// An aggregation and the value that it takes, if it takes one.
pub type Aggregation = (Aggregate, Option<Expr>);

/// How a call is checked, which is also where it may stand.
pub enum Check {
    /// Gives a value.
    Value(fn(&mut Checker<'_>, &Call<'_>) -> Result<Expr, Diagnostic>),
    /// Stands alone as a statement.
    Statement(fn(&mut Checker<'_>, &Call<'_>) -> Result<Expr, Diagnostic>),
    /// Stands on the right of `@map =`.
    Aggregate(fn(&mut Checker<'_>, &Call<'_>) -> Result<Aggregation, Diagnostic>),
}

/// One function.
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// How it is called, for messages and the reference.
    pub signature: &'static str,
    /// What it does, for the reference.
    pub doc: &'static str,
    /// The fewest arguments.
    pub least: usize,
    /// The most arguments.
    pub most: usize,
    /// What a call does.
    pub check: Check,
}

/// The most arguments that `printf` takes.
const MOST_ARGUMENTS: usize = 64;

macro_rules! functions {
    ($($signature:literal, $least:expr, $most:expr, $check:expr, $doc:literal;)*) => {
        /// All functions, in the order of the reference.
        pub const FUNCTIONS: &[Function] = &[$(Function {
            name: name_of($signature),
            signature: $signature,
            doc: $doc,
            least: $least,
            most: $most,
            check: $check,
        }),*];
    };
}

/// What stands before the parenthesis.
const fn name_of(signature: &'static str) -> &'static str {
    let bytes = signature.as_bytes();
    let mut end = 0;
    while bytes[end] != b'(' {
        end += 1;
    }
    signature.split_at(end).0
}

use Check::{Aggregate as Agg, Statement, Value};

functions! {
    "count()", 0, 0, Agg(|_, _| Ok((Aggregate::Count, None))), "counts how often it is reached";
    "sum(int n)", 1, 1, Agg(|c, call| number(c, call, Aggregate::Sum)), "adds up `n`";
    "min(int n)", 1, 1, Agg(|c, call| number(c, call, Aggregate::Min)), "keeps the least `n`";
    "max(int n)", 1, 1, Agg(|c, call| number(c, call, Aggregate::Max)), "keeps the greatest `n`";
    "avg(int n)", 1, 1, Agg(|c, call| number(c, call, Aggregate::Avg)), "keeps the average of `n`";
    "stats(int n)", 1, 1, Agg(|c, call| number(c, call, Aggregate::Stats)), "keeps count, average and total of `n`";
    "hist(int n[, int bits])", 1, 2, Agg(hist), "a histogram of `n` by powers of two, each in `2^bits` parts (bits 0 to 5)";
    "lhist(int n, int min, int max, int step)", 4, 4, Agg(lhist), "a histogram of `n` in equal steps from `min` to `max`";
    "str(ptr p[, int limit])", 1, 2, Value(str_), "the string at `p`, from kernel or user memory, at most `limit` bytes with its terminator";
    "ksym(ptr p)", 1, 1, Value(ksym), "the name of the kernel symbol at `p`";
    "usym(ptr p)", 1, 1, Value(usym), "the name of the user symbol at `p` in the current process";
    "kaddr(string name)", 1, 1, Value(kaddr), "the address of a kernel symbol";
    "ustack([mode,] [int depth])", 0, 2, Value(|c, call| stack(c, call, true)), "the user stack";
    "kstack([mode,] [int depth])", 0, 2, Value(|c, call| stack(c, call, false)), "the kernel stack";
    "kptr(ptr p)", 1, 1, Value(address), "`p` itself: whether an address is the kernel's is seen when it is read";
    "uptr(ptr p)", 1, 1, Value(address), "`p` itself, likewise";
    "vma(ptr p)", 1, 1, Value(vma), "the `struct vm_area_struct` of the current process that holds the address `p`, or 0; needs Linux 5.17";
    "len(map|stack x)", 1, 1, Value(len), "entries in a map, or frames in a stack";
    "delete(map m[, key])", 1, 2, Statement(delete), "removes an element: `delete(@m[key])` or `delete(@m, key)`";
    "clear(map m)", 1, 1, Statement(|c, call| map_action(c, call, |map| Action::ClearMap { map })), "removes all elements";
    "zero(map m)", 1, 1, Statement(|c, call| map_action(c, call, |map| Action::ZeroMap { map })), "sets all values to zero";
    "print(x[, int top[, int div]])", 1, 3, Statement(print), "prints a value, or a map: its `top` largest entries, values divided by `div`";
    "printf(string format, …)", 1, MOST_ARGUMENTS, Statement(printf::check), "prints by a format, as in C";
    "time([string format])", 0, 1, Statement(time), "prints the time of day by a `strftime` format, `%H:%M:%S\\n` by default";
    "exit([int status])", 0, 1, Statement(exit), "ends tracing: `END` probes run and maps are printed";
}

/// Functions of bpftrace that pfscript does not have yet.
pub const LATER: &[&str] = &[
    "assert",
    "assert_str",
    "bswap",
    "buf",
    "cat",
    "cgroup_path",
    "cgroupid",
    "errorf",
    "fail",
    "getopt",
    "has_key",
    "is_array",
    "is_err",
    "is_integer",
    "is_literal",
    "is_null",
    "is_ptr",
    "is_str",
    "is_unsigned_integer",
    "join",
    "jstr",
    "kstr",
    "macaddr",
    "memcmp",
    "nsecs",
    "ntop",
    "offsetof",
    "override",
    "path",
    "percpu_kaddr",
    "ppid",
    "pton",
    "reg",
    "signal",
    "sizeof",
    "skboutput",
    "socket_cookie",
    "static_assert",
    "strcap",
    "strcontains",
    "strerror",
    "strftime",
    "strlen",
    "strncmp",
    "strstr",
    "stack_len",
    "system",
    "timestamp",
    "tseries",
    "tolower",
    "toupper",
    "uaddr",
    "unwatch",
    "usermode",
    "ustr",
    "warnf",
    "find",
    "ncpus",
    "comm",
    "pcomm",
    "numaid",
    "syscall_name",
    "default_str_length",
];

fn number(
    checker: &mut Checker<'_>,
    call: &Call<'_>,
    aggregate: Aggregate,
) -> Result<Aggregation, Diagnostic> {
    let value = checker.number(&call.args[0])?;
    Ok((aggregate, Some(value)))
}

/// A constant integer argument.
fn constant(checker: &mut Checker<'_>, arg: &ast::Expr, what: &str) -> Result<i64, Diagnostic> {
    let value = checker.expr(arg)?;
    value
        .constant()
        .ok_or_else(|| Diagnostic::error(arg.span, format!("{what} must be a constant number")))
}

fn hist(checker: &mut Checker<'_>, call: &Call<'_>) -> Result<Aggregation, Diagnostic> {
    let value = checker.number(&call.args[0])?;
    let bits = match call.args.get(1) {
        Some(arg) => match constant(checker, arg, "the number of bits")? {
            bits @ 0..=5 => bits as u32,
            bits => {
                return Err(Diagnostic::error(
                    arg.span,
                    format!("{bits} is not a number of bits that `hist` takes"),
                )
                .help("use 0 to 5"));
            }
        },
        None => 0,
    };
    Ok((Aggregate::Hist { bits }, Some(value)))
}

/// The most buckets of an `lhist`, as in bpftrace.
const MOST_BUCKETS: i64 = 1000;

fn lhist(checker: &mut Checker<'_>, call: &Call<'_>) -> Result<Aggregation, Diagnostic> {
    let value = checker.number(&call.args[0])?;
    let min = constant(checker, &call.args[1], "`min`")?;
    let max = constant(checker, &call.args[2], "`max`")?;
    let step = constant(checker, &call.args[3], "`step`")?;
    if step <= 0 {
        return Err(Diagnostic::error(
            call.args[3].span,
            "`step` must be greater than zero",
        ));
    }
    if max <= min {
        return Err(Diagnostic::error(
            call.args[2].span,
            "`max` must be greater than `min`",
        ));
    }
    match max.checked_sub(min).map(|range| range / step) {
        Some(buckets) if buckets <= MOST_BUCKETS => {}
        _ => {
            return Err(Diagnostic::error(
                call.span,
                format!("that makes more than {MOST_BUCKETS} buckets"),
            )
            .help("use a larger step"));
        }
    }
    Ok((Aggregate::LHist { min, max, step }, Some(value)))
}

fn str_(checker: &mut Checker<'_>, call: &Call<'_>) -> Result<Expr, Diagnostic> {
    if let Ast::Positional(number) = call.args[0].kind {
        let text = checker.positional(number).unwrap_or_default();
        return Ok(builtins::string(text.as_bytes(), call.span));
    }
    let value = checker.expr(&call.args[0])?;
    let address = match &value.ty {
        Type::Str { .. } if call.args.len() == 1 => return Ok(value),
        Type::Pointer(_) | Type::Array { .. } | Type::Int { .. } | Type::Unknown => value,
        other => {
            return Err(Diagnostic::error(
                call.args[0].span,
                format!("`str` takes a pointer, not {}", other.describe()),
            ));
        }
    };
    let max = checker.options.limits.max_strlen;
    let (limit, most) = match call.args.get(1) {
        None => (None, max),
        Some(arg) => {
            let limit = checker.number(arg)?;
            match limit.constant() {
                Some(n) if n <= 0 => {
                    return Err(Diagnostic::error(
                        arg.span,
                        "the limit must be greater than zero",
                    ));
                }
                Some(n) => (None, (n as u64).min(max.into()) as u32),
                None => (Some(Box::new(limit)), max),
            }
        }
    };
    Ok(Expr {
        kind: ExprKind::ReadString {
            address: Box::new(address),
            limit,
            most,
        },
        ty: Type::Str {
            bytes: round_up(most),
        },
        span: call.span,
    })
}

/// An address argument: a pointer or an integer.
fn address(checker: &mut Checker<'_>, call: &Call<'_>) -> Result<Expr, Diagnostic> {
    let value = checker.expr(&call.args[0])?;
    if value.ty.is_scalar() && !matches!(value.ty, Type::Stack { .. } | Type::Bool) {
        return Ok(value);
    }
    Err(Diagnostic::error(
        call.args[0].span,
        format!(
            "`{}` takes an address, not {}",
            call.name,
            value.ty.describe()
        ),
    ))
}

fn ksym(checker: &mut Checker<'_>, call: &Call<'_>) -> Result<Expr, Diagnostic> {
    checker.output.kernel_symbols = true;
    Ok(Expr {
        ty: Type::KernelSymbol,
        span: call.span,
        ..address(checker, call)?
    })
}

fn usym(checker: &mut Checker<'_>, call: &Call<'_>) -> Result<Expr, Diagnostic> {
    checker.output.user_symbols = true;
    Ok(Expr {
        kind: ExprKind::UserSymbol(Box::new(address(checker, call)?)),
        ty: Type::UserSymbol,
        span: call.span,
    })
}

fn kaddr(checker: &mut Checker<'_>, call: &Call<'_>) -> Result<Expr, Diagnostic> {
    let arg = &call.args[0];
    let Ast::Str(name) = &arg.kind else {
        return Err(Diagnostic::error(
            arg.span,
            "`kaddr` takes a constant string",
        ));
    };
    let name = String::from_utf8_lossy(name);
    match checker.facts.kernel_symbol(&name) {
        Ok(address) => Ok(Expr::int(address as i64, Type::U64, call.span)),
        Err(error) => {
            Err(error.diagnostic(arg.span, || format!("the kernel has no symbol `{name}`")))
        }
    }
}

fn stack(checker: &mut Checker<'_>, call: &Call<'_>, user: bool) -> Result<Expr, Diagnostic> {
    let mut mode = None;
    let mut depth = None;
    for arg in call.args {
        match &arg.kind {
            Ast::Ident(name) if mode.is_none() => {
                mode = Some(match name.as_str() {
                    "bpftrace" => StackMode::Bpftrace,
                    "perf" => StackMode::Perf,
                    "raw" => StackMode::Raw,
                    "build_id" => {
                        return Err(Diagnostic::unsupported(arg.span, "stacks as build ids"));
                    }
                    _ => {
                        return Err(Diagnostic::error(
                            arg.span,
                            format!("unknown stack mode `{name}`"),
                        )
                        .suggest(name, ["bpftrace", "perf", "raw"]));
                    }
                });
            }
            _ if depth.is_none() => {
                let frames = constant(checker, arg, "the depth of a stack")?;
                if !(1..=MAX_STACK_FRAMES.into()).contains(&frames) {
                    return Err(Diagnostic::error(
                        arg.span,
                        format!("{frames} is not a depth of a stack"),
                    )
                    .help(format!("use 1 to {}", MAX_STACK_FRAMES)));
                }
                depth = Some(frames as u32);
            }
            _ => {
                return Err(Diagnostic::error(
                    arg.span,
                    "a stack takes a mode and a depth, each once",
                ));
            }
        }
    }
    builtins::stack(checker, user, mode, depth, call.span)
}

fn vma(checker: &mut Checker<'_>, call: &Call<'_>) -> Result<Expr, Diagnostic> {
    checker.need(pfscript_probes::Feature::FindVma, call.span)?;
    let address = address(checker, call)?;
    let area = checker
        .facts
        .btf()
        .and_then(|btf| btf.find(crate::btf::Kind::Struct, "vm_area_struct"));
    Ok(Expr {
        kind: ExprKind::Routine {
            routine: "pf_vma",
            args: vec![address],
            loss: true,
        },
        ty: Type::Pointer(area.map_or(Pointee::Void, Pointee::Btf)),
        span: call.span,
    })
}

fn len(checker: &mut Checker<'_>, call: &Call<'_>) -> Result<Expr, Diagnostic> {
    let arg = &call.args[0];
    let kind = if let Ast::Map { name, keys: None } = &arg.kind {
        checker.need(pfscript_probes::Feature::ForEachMapElement, call.span)?;
        let map = checker.map(name, KeyUse::Whole, arg.span)?;
        ExprKind::MapLength(map)
    } else {
        let value = checker.expr(arg)?;
        if !matches!(value.ty, Type::Stack { .. } | Type::Unknown) {
            return Err(Diagnostic::error(
                arg.span,
                format!("`len` takes a map or a stack, not {}", value.ty.describe()),
            ));
        }
        ExprKind::StackLength(Box::new(value))
    };
    Ok(Expr {
        kind,
        ty: Type::I64,
        span: call.span,
    })
}

fn delete(checker: &mut Checker<'_>, call: &Call<'_>) -> Result<Expr, Diagnostic> {
    let Ast::Map { name, keys } = &call.args[0].kind else {
        return Err(Diagnostic::error(
            call.args[0].span,
            "`delete` takes a map element",
        ));
    };
    let keys = match (keys, call.args.get(1)) {
        (None, Some(key)) => Some(std::slice::from_ref(key)),
        (Some(keys), None) => Some(keys.as_slice()),
        (None, None) => None,
        (Some(_), Some(extra)) => {
            return Err(Diagnostic::error(extra.span, "the key is given twice"));
        }
    };
    let (map, key) = checker.map_element(name, keys, call.args[0].span)?;
    Ok(Expr {
        kind: ExprKind::MapDelete { map, key },
        ty: Type::Bool,
        span: call.span,
    })
}

/// The whole map that an argument names.
fn whole_map(checker: &mut Checker<'_>, call: &Call<'_>) -> Result<usize, Diagnostic> {
    let arg = &call.args[0];
    match &arg.kind {
        Ast::Map { name, keys: None } => {
            let map = checker.map(name, KeyUse::Whole, arg.span)?;
            Ok(cranelift_entity::EntityRef::index(map))
        }
        _ => Err(Diagnostic::error(
            arg.span,
            format!("`{}` takes a whole map, such as `@counts`", call.name),
        )),
    }
}

fn map_action(
    checker: &mut Checker<'_>,
    call: &Call<'_>,
    action: fn(usize) -> Action,
) -> Result<Expr, Diagnostic> {
    let map = whole_map(checker, call)?;
    Ok(checker.emit(action(map), Vec::new(), call.span))
}

fn print(checker: &mut Checker<'_>, call: &Call<'_>) -> Result<Expr, Diagnostic> {
    if matches!(call.args[0].kind, Ast::Map { keys: None, .. }) {
        let map = whole_map(checker, call)?;
        let mut option = |index: usize, what| match call.args.get(index) {
            Some(arg) => match constant(checker, arg, what)? {
                n if n >= 0 => Ok(n as u64),
                _ => Err(Diagnostic::error(
                    arg.span,
                    format!("{what} must not be negative"),
                )),
            },
            None => Ok(0),
        };
        let top = option(1, "the number of entries")?;
        let divisor = option(2, "the divisor")?.max(1);
        return Ok(checker.emit(
            Action::PrintMap { map, top, divisor },
            Vec::new(),
            call.span,
        ));
    }
    if let Some(extra) = call.args.get(1) {
        return Err(Diagnostic::error(
            extra.span,
            "`print` of a value takes no further argument",
        ));
    }
    let value = checker.printable(&call.args[0])?;
    let field = Field {
        offset: RECORD_HEADER,
        layout: value.ty.layout(),
    };
    let size = RECORD_HEADER + value.ty.size();
    Ok(checker.emit(Action::PrintValue { field, size }, vec![value], call.span))
}

fn time(checker: &mut Checker<'_>, call: &Call<'_>) -> Result<Expr, Diagnostic> {
    let format = match call.args.first() {
        None => "%H:%M:%S\n".to_string(),
        Some(ast::Expr {
            kind: Ast::Str(format),
            ..
        }) => String::from_utf8_lossy(format).into_owned(),
        Some(arg) => {
            return Err(Diagnostic::error(
                arg.span,
                "`time` takes a constant string",
            ));
        }
    };
    Ok(checker.emit(Action::Time { format }, Vec::new(), call.span))
}

fn exit(checker: &mut Checker<'_>, call: &Call<'_>) -> Result<Expr, Diagnostic> {
    let status = match call.args.first() {
        Some(arg) => checker.number(arg)?,
        None => Expr::int(0, Type::I64, call.span),
    };
    let mut emit = checker.emit(Action::Exit, vec![status], call.span);
    if let ExprKind::Emit { leaves, .. } = &mut emit.kind {
        *leaves = true;
    }
    Ok(emit)
}

/// Fields of a record, behind its header.
pub(crate) fn record_fields(values: &[Expr]) -> (Vec<Field>, u32) {
    let types: Vec<Type> = values.iter().map(|value| value.ty.clone()).collect();
    let size = RECORD_HEADER + types.iter().map(Type::size).sum::<u32>();
    (fields(&types, RECORD_HEADER), size)
}
