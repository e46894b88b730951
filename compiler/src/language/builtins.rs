//! The builtins: `pid`, `comm`, `ustack`, … Each row checks a use of its name and says what it is made of.

use crate::hir::{Base, Expr, ExprKind, Place};
use crate::ir::{Arith, Width};
use crate::manifest::{Globals, StackMode};
use crate::providers::{Access, Argument, ArgumentType};
use crate::sema::Checker;
use crate::types::{COMM_BYTES, Type};
use pfscript_grammar::{Diagnostic, Span};
use pfscript_probes::Feature;
use pfscript_probes::abi::{MAX_STACK_FRAMES, helper};

/// One builtin.
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// Its type, for the reference.
    pub ty: &'static str,
    /// What it is, for the reference.
    pub doc: &'static str,
    /// What a use of it does.
    pub check: fn(&mut Checker<'_>, Span) -> Result<Expr, Diagnostic>,
}

macro_rules! builtins {
    ($($name:literal, $ty:literal, $doc:literal, $check:expr;)*) => {
        /// All builtins, in the order of the reference.
        pub const BUILTINS: &[Builtin] = &[$(Builtin { name: $name, ty: $ty, doc: $doc, check: $check }),*];
    };
}

builtins! {
    "pid", "uint32", "process id (the kernel's tgid)", |_, span| Ok(high_half(helper::GET_CURRENT_PID_TGID, span));
    "tid", "uint32", "thread id (the kernel's pid)", |_, span| Ok(low_half(helper::GET_CURRENT_PID_TGID, span));
    "uid", "uint32", "user id", |_, span| Ok(low_half(helper::GET_CURRENT_UID_GID, span));
    "gid", "uint32", "group id", |_, span| Ok(high_half(helper::GET_CURRENT_UID_GID, span));
    "comm", "string", "name of the current thread, at most 15 bytes", |_, span| Ok(Expr {
        kind: ExprKind::Helper { helper: helper::GET_CURRENT_COMM, args: Vec::new() },
        ty: Type::Str { bytes: COMM_BYTES },
        span,
    });
    "cpu", "uint32", "number of the current CPU", |_, span| Ok(call(helper::GET_SMP_PROCESSOR_ID, Type::U32, span));
    "cpid", "uint32", "process id of the command started with `-c`", |checker, span| match checker.options.command_pid {
        Some(pid) => Ok(Expr::int(pid.into(), Type::U32, span)),
        None => Err(Diagnostic::error(span, "`cpid` needs a command").help("start one with `-c COMMAND`")),
    };
    "nsecs", "uint64", "nanoseconds since boot, time asleep included", |checker, span| Ok(nsecs(checker, span));
    "elapsed", "uint64", "nanoseconds since tracing began", |checker, span| {
        checker.output.globals = true;
        Ok(Expr {
            kind: ExprKind::Arith(
                Arith::Sub,
                Box::new(nsecs(checker, span)),
                Box::new(Expr { kind: ExprKind::Global(Globals::START), ty: Type::U64, span }),
            ),
            ty: Type::U64,
            span,
        })
    };
    "rand", "uint32", "a random number", |_, span| Ok(call(helper::GET_PRANDOM_U32, Type::U32, span));
    "ustack", "stack", "the user stack; `ustack(depth)`, `ustack(mode, depth)` with mode `bpftrace`, `perf` or `raw`", |checker, span| {
        stack(checker, true, None, None, span)
    };
    "kstack", "stack", "the kernel stack; takes the same arguments as `ustack`", |checker, span| {
        stack(checker, false, None, None, span)
    };
    "arg0", "uint64", "first argument of the traced function; `arg1` … `arg9` likewise", |checker, span| argument(checker, 0, span);
    "arg1", "uint64", "see `arg0`", |checker, span| argument(checker, 1, span);
    "arg2", "uint64", "see `arg0`", |checker, span| argument(checker, 2, span);
    "arg3", "uint64", "see `arg0`", |checker, span| argument(checker, 3, span);
    "arg4", "uint64", "see `arg0`", |checker, span| argument(checker, 4, span);
    "arg5", "uint64", "see `arg0`", |checker, span| argument(checker, 5, span);
    "arg6", "uint64", "see `arg0`", |checker, span| argument(checker, 6, span);
    "arg7", "uint64", "see `arg0`", |checker, span| argument(checker, 7, span);
    "arg8", "uint64", "see `arg0`", |checker, span| argument(checker, 8, span);
    "arg9", "uint64", "see `arg0`", |checker, span| argument(checker, 9, span);
    "args", "record", "the arguments of the probe by name: `args.filename`", |_, span| Err(
        Diagnostic::error(span, "`args` cannot stand alone").help("name one of the arguments, such as `args.filename`; `-lv PROBE` lists them")
    );
    "retval", "uint64", "what the traced function returned; cast it where it may be negative: `(int32)retval < 0`", |checker, span| {
        let provider = checker.probe.provider;
        match provider.return_value(checker.facts.arch()) {
            Some(argument) => checker.argument_value(&argument, span),
            None => Err(not_here(checker, "retval", span).help("`retval` is there in `kretprobe`")),
        }
    };
    "addr", "uint64", "the address that the perf event sampled: for `software:page-faults`, the address that faulted", |checker, span| {
        let provider = checker.probe.provider;
        match provider.address(checker.facts.arch()) {
            Some(access) => Ok(Expr { kind: ExprKind::Argument(access), ty: Type::U64, span }),
            None => Err(not_here(checker, "addr", span).help("`addr` is there in `software` and `hardware` probes")),
        }
    };
    "func", "string", "name of the traced function", |checker, span| {
        match checker.probe.expansion.function.clone() {
            Some(name) => Ok(string(name.as_bytes(), span)),
            None => Err(not_here(checker, "func", span).help("`func` is there in `kprobe` and `kretprobe`")),
        }
    };
    "probe", "string", "full name of the probe", |checker, span| {
        Ok(string(checker.probe.expansion.name.as_bytes(), span))
    };
    "curtask", "struct task_struct *", "the current task", |checker, span| {
        let task = checker.kernel_type(crate::btf::Kind::Struct, "task_struct");
        Ok(call(helper::GET_CURRENT_TASK, checker.types.pointer_to(task), span))
    };
    "cgroup", "uint64", "id of the current cgroup (version 2)", |_, span| Ok(call(helper::GET_CURRENT_CGROUP_ID, Type::U64, span));
    "ctx", "void *", "the program's context", |checker, span| {
        if checker.probe.provider.info().family == "once" {
            return Err(not_here(checker, "ctx", span));
        }
        Ok(Expr { kind: ExprKind::Context, ty: Type::VOID_POINTER, span })
    };
}

impl Builtin {
    /// The builtin of that name.
    pub fn named(name: &str) -> Option<&'static Builtin> {
        BUILTINS.iter().find(|row| row.name == name)
    }

    /// Whether it may differ between the attach points of one probe.
    pub fn differs_by_attach_point(&self) -> bool {
        matches!(self.name, "func" | "probe")
    }
}

fn call(helper: u32, ty: Type, span: Span) -> Expr {
    Expr {
        kind: ExprKind::Helper {
            helper,
            args: Vec::new(),
        },
        ty,
        span,
    }
}

fn high_half(helper: u32, span: Span) -> Expr {
    Expr {
        kind: ExprKind::Arith(
            Arith::LShr,
            Box::new(call(helper, Type::U64, span)),
            Box::new(Expr::int(32, Type::I64, span)),
        ),
        ty: Type::U32,
        span,
    }
}

fn low_half(helper: u32, span: Span) -> Expr {
    Expr {
        kind: ExprKind::Extend {
            width: Width::W32,
            signed: false,
            value: Box::new(call(helper, Type::U64, span)),
        },
        ty: Type::U32,
        span,
    }
}

/// A constant string.
pub(crate) fn string(bytes: &[u8], span: Span) -> Expr {
    Expr {
        kind: ExprKind::Str(bytes.to_vec()),
        ty: Type::Str {
            bytes: crate::types::round_up(bytes.len() as u32 + 1),
        },
        span,
    }
}

/// Nanoseconds since boot.
pub(crate) fn nsecs(checker: &mut Checker<'_>, span: Span) -> Expr {
    let helper = if checker.facts.has(Feature::BootTime) {
        helper::KTIME_GET_BOOT_NS
    } else {
        helper::KTIME_GET_NS
    };
    call(helper, Type::U64, span)
}

fn not_here(checker: &Checker<'_>, name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(
        span,
        format!(
            "`{name}` is not available in `{}` probes",
            checker.probe.provider.info().names[0]
        ),
    )
}

fn argument(checker: &mut Checker<'_>, number: u32, span: Span) -> Result<Expr, Diagnostic> {
    match checker
        .probe
        .provider
        .argument(number, checker.facts.arch())
    {
        Some(argument) => checker.argument_value(&argument, span),
        None => Err(not_here(checker, &format!("arg{number}"), span)
            .help("`arg0` … `arg9` are there in `kprobe`; tracepoints have `args.NAME`")),
    }
}

/// A stack of at most `depth` frames.
pub(crate) fn stack(
    checker: &mut Checker<'_>,
    user: bool,
    mode: Option<StackMode>,
    depth: Option<u32>,
    span: Span,
) -> Result<Expr, Diagnostic> {
    if checker.probe.provider.info().family == "once" {
        let name = if user { "ustack" } else { "kstack" };
        return Err(not_here(checker, name, span));
    }
    checker.output.stacks = checker.output.stacks.max(depth.unwrap_or(MAX_STACK_FRAMES));
    if user {
        checker.output.user_symbols = true;
    } else {
        checker.output.kernel_symbols = true;
    }
    Ok(Expr {
        kind: ExprKind::Stack {
            user,
            depth: depth.unwrap_or(MAX_STACK_FRAMES),
            default_depth: depth.is_none(),
        },
        ty: Type::Stack {
            user,
            mode: mode.unwrap_or(StackMode::Bpftrace),
            depth: depth.unwrap_or(MAX_STACK_FRAMES),
        },
        span,
    })
}

impl Checker<'_> {
    /// The value of an argument that the provider describes.
    pub(crate) fn argument_value(
        &mut self,
        argument: &Argument,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let value = |ty| Expr {
            kind: ExprKind::Argument(argument.access),
            ty,
            span,
        };
        Ok(match &argument.ty {
            ArgumentType::Int { bytes, signed } => value(Type::int(*bytes, *signed)),
            ArgumentType::Bool => value(Type::Bool),
            ArgumentType::Pointer { to } => {
                let target = self.target_spelled(to);
                value(self.types.pointer_to(target))
            }
            ArgumentType::String { bytes } => {
                let most = match (argument.access, *bytes) {
                    // What the context holds in place cannot be read past its end.
                    (Access::InContext { .. }, n) if n > 0 => n,
                    _ => self.options.limits.max_strlen,
                };
                Expr {
                    kind: ExprKind::ReadString {
                        address: Box::new(value(Type::U64)),
                        limit: None,
                        most,
                    },
                    ty: Type::Str {
                        bytes: crate::types::round_up(most),
                    },
                    span,
                }
            }
            ArgumentType::Array {
                element,
                signed,
                count,
            } => {
                let ty = Type::Array {
                    element: self.types.intern(Type::int(*element, *signed)),
                    count: *count,
                };
                self.load(
                    Place::whole(Base::Memory(Box::new(value(Type::U64))), ty),
                    span,
                )?
            }
        })
    }
}
