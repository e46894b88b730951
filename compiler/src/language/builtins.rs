//! The builtins: `pid`, `comm`, `ustack`, … Each row checks a use of its name and says what it is made of.
//!
//! In comes a name of the script, out goes HIR, or a diagnostic. What can be said in the language itself is in the prelude
//! instead; what depends on the type of probe is asked of the provider.

use super::functions::probed::instruction_pointer;
use super::{not_here, parameters};
use crate::facts::Arch;
use crate::hir::{Base, Expr, ExprKind, Place, StringEnd};
use crate::ir::{Arith, Condition, Width};
use crate::manifest::{Globals, Naming, SiteColumn, StackMode};
use crate::program::{Context, ProgramKind};
use crate::providers::{self, Access, Argument, ArgumentType};
use crate::sema::{Checker, SETTINGS, SettingValue};
use crate::types::{COMM_BYTES, Type};
use pfscript_grammar::{Diagnostic, Span, Spanned};
use pfscript_probes::Feature;
use pfscript_probes::abi::{MAX_STACK_FRAMES, STACK_PIECE_FRAMES, helper};

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
    "pid", "uint32", "process id (the kernel's tgid) in the tracer's pid namespace, 0 for processes outside of it", |_, span| Ok(high_half(helper::GET_CURRENT_PID_TGID, span));
    "tid", "uint32", "thread id (the kernel's pid), likewise", |_, span| Ok(low_half(helper::GET_CURRENT_PID_TGID, span));
    "uid", "uint32", "user id", |_, span| Ok(low_half(helper::GET_CURRENT_UID_GID, span));
    "gid", "uint32", "group id", |_, span| Ok(high_half(helper::GET_CURRENT_UID_GID, span));
    "comm", "string", "name of the current thread, at most 15 bytes", |_, span| Ok(Expr {
        kind: ExprKind::Helper { helper: helper::GET_CURRENT_COMM, args: Vec::new() },
        ty: Type::Str { bytes: COMM_BYTES },
        span,
    });
    "cpu", "uint32", "number of the current CPU", |_, span| Ok(call(helper::GET_SMP_PROCESSOR_ID, Type::U32, span));
    "cpid", "uint32", "process id of the command started with `-c`; a script that asks `has_cpid` runs without one, too, and it is 0 there", |checker, span| {
        checker.needs.globals = true;
        checker.needs.needs_command.get_or_insert(span);
        Ok(Expr { kind: ExprKind::Global(Globals::COMMAND), ty: Type::U32, span })
    };
    "has_cpid", "bool", "whether there is a command, started with `-c`", |checker, span| {
        checker.needs.globals = true;
        checker.needs.asks_for_command = true;
        let command = Expr { kind: ExprKind::Global(Globals::COMMAND), ty: Type::U64, span };
        let none = Expr::int(0, Type::U64, span);
        Ok(Expr {
            kind: ExprKind::Compare(Condition::Ne, Box::new(command), Box::new(none)),
            ty: Type::Bool,
            span,
        })
    };
    "config", "record", "the settings: `config.max_strlen`; a number is 0 where the kernel decides", |checker, span| config(checker, span);
    "nsecs", "uint64", "nanoseconds since boot, time asleep included", |checker, span| Ok(nsecs(checker, span));
    "elapsed", "uint64", "nanoseconds since tracing began", |checker, span| {
        checker.needs.globals = true;
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
    "ncpus", "uint64", "number of CPUs that there may be", |checker, span| {
        checker.needs.globals = true;
        Ok(Expr { kind: ExprKind::Global(Globals::CPUS), ty: Type::U64, span })
    };
    "jiffies", "uint64", "the kernel's count of timer ticks", |_, span| Ok(call(helper::JIFFIES64, Type::U64, span));
    "numaid", "uint32", "number of the NUMA node of the current CPU", |_, span| Ok(call(helper::GET_NUMA_NODE_ID, Type::U32, span));
    "username", "name", "name of the current user", |checker, span| Ok(Expr {
        ty: checker.types.named(Naming::User),
        ..low_half(helper::GET_CURRENT_UID_GID, span)
    });
    "usermode", "uint8", "1 where the processor ran code of a process, 0 where it ran the kernel's", |checker, span| usermode(checker, span);
    "rand", "uint32", "a random number", |_, span| Ok(call(helper::GET_PRANDOM_U32, Type::U32, span));
    "ustack", "stack", "the user stack; `ustack(mode, walk, depth)`, of which each can be left out, in any order: mode `bpftrace`, `perf`, `raw` or `build_id`, and `fp` or `dwarf` for how it is walked", |checker, span| {
        stack(checker, true, None, None, None, span)
    };
    "kstack", "stack", "the kernel stack; takes the same arguments as `ustack`, but for how it is walked, and no `build_id`", |checker, span| {
        stack(checker, false, None, None, None, span)
    };
    "arg0", "uint64", "first argument of the traced function or raw tracepoint; `arg1` … `arg9` likewise", |checker, span| provided(checker, "arg0", span);
    "arg1", "uint64", "see `arg0`", |checker, span| provided(checker, "arg1", span);
    "arg2", "uint64", "see `arg0`", |checker, span| provided(checker, "arg2", span);
    "arg3", "uint64", "see `arg0`", |checker, span| provided(checker, "arg3", span);
    "arg4", "uint64", "see `arg0`", |checker, span| provided(checker, "arg4", span);
    "arg5", "uint64", "see `arg0`", |checker, span| provided(checker, "arg5", span);
    "arg6", "uint64", "see `arg0`", |checker, span| provided(checker, "arg6", span);
    "arg7", "uint64", "see `arg0`", |checker, span| provided(checker, "arg7", span);
    "arg8", "uint64", "see `arg0`", |checker, span| provided(checker, "arg8", span);
    "arg9", "uint64", "see `arg0`", |checker, span| provided(checker, "arg9", span);
    "arg10", "uint64", "see `arg0`; markers (`usdt`) have up to twelve", |checker, span| provided(checker, "arg10", span);
    "arg11", "uint64", "see `arg0`", |checker, span| provided(checker, "arg11", span);
    "sarg0", "uint64", "first argument on the stack where a function begins (`kprobe`, `uprobe`); `sarg1` … `sarg9` likewise", |checker, span| provided(checker, "sarg0", span);
    "sarg1", "uint64", "see `sarg0`", |checker, span| provided(checker, "sarg1", span);
    "sarg2", "uint64", "see `sarg0`", |checker, span| provided(checker, "sarg2", span);
    "sarg3", "uint64", "see `sarg0`", |checker, span| provided(checker, "sarg3", span);
    "sarg4", "uint64", "see `sarg0`", |checker, span| provided(checker, "sarg4", span);
    "sarg5", "uint64", "see `sarg0`", |checker, span| provided(checker, "sarg5", span);
    "sarg6", "uint64", "see `sarg0`", |checker, span| provided(checker, "sarg6", span);
    "sarg7", "uint64", "see `sarg0`", |checker, span| provided(checker, "sarg7", span);
    "sarg8", "uint64", "see `sarg0`", |checker, span| provided(checker, "sarg8", span);
    "sarg9", "uint64", "see `sarg0`", |checker, span| provided(checker, "sarg9", span);
    "args", "record", "the arguments of the probe by name: `args.filename`; alone, all of them", |checker, span| checker.all_arguments(span);
    "retval", "uint64", "what the traced function returned; cast it where it may be negative: `(int32)retval < 0`", |checker, span| {
        provided(checker, "retval", span)
    };
    "addr", "uint64", "the address that the perf event sampled: for `software:page-faults`, the address that faulted", |checker, span| {
        provided(checker, "addr", span)
    };
    "func", "string", "name of the traced function", |checker, span| {
        match checker.site_text(SiteColumn::Function, span) {
            Some(name) => Ok(name),
            None => Err(not_here(checker, "func", span).help("`func` is available in `kprobe` and `kretprobe`")),
        }
    };
    "probe", "string", "full name of the probe", |checker, span| {
        checker.site_text(SiteColumn::Probe, span).ok_or_else(|| not_here(checker, "probe", span))
    };
    "probetype", "string", "the kind of probe: `tracepoint`, `uprobe`, …, and `special` for `BEGIN`, `END` and `self`", |checker, span| {
        let info = checker.probe.provider.info();
        let name = match info.kind {
            ProgramKind::Once => "special",
            _ => info.names[0],
        };
        Ok(Expr::string(name.as_bytes(), span))
    };
    "default_str_length", "uint64", "the room that strings have if nothing else is said: `max_strlen`", |checker, span| {
        Ok(Expr::int(checker.options.limits.max_strlen.into(), Type::U64, span))
    };
    "curtask", "struct task_struct *", "the current task", |checker, span| {
        let task = checker.kernel_type(crate::btf::Kind::Struct, "task_struct");
        Ok(call(helper::GET_CURRENT_TASK, checker.types.pointer_to(task), span))
    };
    "cgroup", "uint64", "id of the current cgroup (version 2)", |_, span| Ok(call(helper::GET_CURRENT_CGROUP_ID, Type::U64, span));
    "ctx", "void *", "the program's context", |checker, span| {
        if !checker.probe.provider.info().kind.interrupts() {
            return Err(not_here(checker, "ctx", span));
        }
        Ok(Expr { kind: ExprKind::Context, ty: Type::VOID_POINTER, span })
    };
}

impl Builtin {
    /// The builtin of that name.
    pub fn named(name: &str) -> Option<&'static Builtin> {
        // bpftrace's names for what its library wraps.
        let name = name.strip_prefix("__builtin_").unwrap_or(name);
        BUILTINS.iter().find(|row| row.name == name)
    }
}

/// `func` where a kernel symbol is wanted, in a probe on the entry of a kernel function: the address there.
pub(crate) fn func_symbol(checker: &Checker<'_>, span: Span) -> Option<Expr> {
    let on_entry = checker.probe.provider.info().names[0] == "kprobe";
    on_entry.then(|| Expr {
        ty: Type::KernelSymbol,
        ..instruction_pointer(checker.facts.arch(), span)
    })
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

/// Nanoseconds since boot.
pub(crate) fn nsecs(checker: &mut Checker<'_>, span: Span) -> Expr {
    let helper = if checker.facts.has(Feature::BootTime) {
        helper::KTIME_GET_BOOT_NS
    } else {
        helper::KTIME_GET_NS
    };
    call(helper, Type::U64, span)
}

/// Whether the code that was interrupted is that of a process, or what runs the program by itself is.
fn usermode(checker: &mut Checker<'_>, span: Span) -> Result<Expr, Diagnostic> {
    // Where `struct pt_regs` has the level of privilege, in which bits, and what that of processes is: `cs`, and on arm64 `pstate`.
    let (offset, privilege, of_processes) = match checker.facts.arch() {
        Arch::X86_64 => (136, 3, 3),
        Arch::Aarch64 => (264, 0xf, 0),
    };
    let ty = Type::int(1, false);
    let kind = checker.probe.provider.info().kind;
    let constant = |number| Ok(Expr::int(number, ty, span));
    match (kind, kind.info().context) {
        (ProgramKind::Uprobe | ProgramKind::Once, _) => constant(1),
        (ProgramKind::Kprobe, _) | (_, Context::Record | Context::Arguments) => constant(0),
        (_, Context::PerfEvent | Context::Registers | Context::Nothing) => {
            let access = Access::Context {
                offset,
                width: Width::W64,
                signed: false,
            };
            let state = Expr {
                kind: ExprKind::Argument(access),
                ty: Type::U64,
                span,
            };
            let number = |number| Expr::int(number, Type::I64, span);
            let level = Expr {
                kind: ExprKind::Arith(Arith::And, Box::new(state), Box::new(number(privilege))),
                ty: Type::U64,
                span,
            };
            Ok(Expr {
                kind: ExprKind::Compare(
                    Condition::Eq,
                    Box::new(level),
                    Box::new(number(of_processes)),
                ),
                ty,
                span,
            })
        }
    }
}

/// A builtin that the probe's provider says what it is.
fn provided(checker: &mut Checker<'_>, name: &str, span: Span) -> Result<Expr, Diagnostic> {
    let arch = checker.facts.arch();
    match checker.probe.provider.builtin(name, arch) {
        Some(argument) => checker.argument_value(&argument, span),
        // What each site has in a place of its own.
        None if checker.probe.has_argument(name, checker.facts) => {
            checker.named_argument(&Spanned::new(name.to_owned(), span), span)
        }
        None => Err(not_here(checker, name, span).help(where_it_is(name, arch))),
    }
}

/// Which probes have a builtin.
fn where_it_is(name: &str, arch: Arch) -> String {
    let having = providers::registry()
        .iter()
        .filter(|provider| provider.builtin(name, arch).is_some());
    let names: Vec<String> = having
        .map(|provider| format!("`{}`", provider.info().names[0]))
        .collect();
    let probes = match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => return format!("no probe has `{name}` on this machine"),
    };
    match name.starts_with("arg") {
        true => {
            format!("`arg0` … `arg9` are available in {probes}; tracepoints have `args.NAME`")
        }
        false => format!("`{name}` is available in {probes}"),
    }
}

/// A stack of at most `depth` frames.
pub(crate) fn stack(
    checker: &mut Checker<'_>,
    user: bool,
    mode: Option<StackMode>,
    walk: Option<Walk>,
    depth: Option<u32>,
    span: Span,
) -> Result<Expr, Diagnostic> {
    let by_tables = user && walk != Some(Walk::FramePointers) && walks_by_tables(checker);
    if walk == Some(Walk::Tables) && !by_tables {
        let message = "this needs types that the kernel's BTF does not have";
        return Err(Diagnostic::error(span, message)
            .help("without them, stacks can be walked by frame pointers: `ustack(fp)`"));
    }
    let most = match by_tables {
        true => MAX_STACK_FRAMES,
        false => STACK_PIECE_FRAMES,
    };
    // The kernel may not walk as far as is asked for. Stacks that are deeper are cut then, too, and counted.
    let whole = depth.is_none_or(|depth| depth > most);
    checker.needs.kernel_walks |= whole && !by_tables;
    let walked = depth.unwrap_or(most).min(most);
    checker.needs.stacks = checker.needs.stacks.max(walked.min(STACK_PIECE_FRAMES));
    if user {
        checker.needs.user_symbols = true;
    } else {
        checker.needs.kernel_symbols = true;
    }
    let mode = mode.unwrap_or(match checker.options.limits.stack_mode {
        // Only user stacks have such ids.
        StackMode::BuildId if !user => StackMode::Bpftrace,
        mode => mode,
    });
    Ok(Expr {
        kind: ExprKind::Stack {
            user,
            depth: walked,
            whole,
            by_tables,
        },
        ty: Type::Stack {
            user,
            mode,
            depth: depth.unwrap_or(MAX_STACK_FRAMES),
        },
        span,
    })
}

/// How a user stack is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    /// By frame pointers.
    FramePointers,
    /// By the tables that are made from each file's call frame information.
    Tables,
}

impl Walk {
    /// What they are called in scripts.
    pub(crate) const NAMES: [(&str, Walk); 2] =
        [("fp", Walk::FramePointers), ("dwarf", Walk::Tables)];

    /// The one of this name.
    pub(crate) fn named(name: &str) -> Option<Walk> {
        let row = Walk::NAMES.iter().find(|row| row.0 == name);
        row.map(|row| row.1)
    }
}

/// Whether user stacks can be walked by tables; notes what that needs.
fn walks_by_tables(checker: &mut Checker<'_>) -> bool {
    let Some(values) = parameters::of_stacks_by_tables(checker.facts) else {
        return false;
    };
    checker.needs.parameters.extend(values);
    checker.needs.unwind_tables = true;
    true
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
            ArgumentType::Enumeration {
                name,
                bytes,
                signed,
            } => value(self.enumeration_named(name, *bytes, *signed)),
            ArgumentType::Bool => value(Type::Bool),
            ArgumentType::Unknown { reason } => {
                let what = format!("`{}`", argument.name);
                self.unchecked(&what, reason, span)
            }
            ArgumentType::Pointer { to } => {
                let target = self.target_spelled(to);
                value(self.types.pointer_to(target))
            }
            ArgumentType::String { bytes } => {
                let longest = self.options.limits.max_strlen + 1;
                let (most, end) = match (argument.access, *bytes) {
                    // What the context holds in place cannot be read past its end.
                    (Access::InContext { .. }, n) if n > 0 && n < longest => (n, StringEnd::Array),
                    _ => (longest, StringEnd::Cut),
                };
                Expr {
                    kind: ExprKind::ReadString {
                        address: Box::new(value(Type::U64)),
                        limit: None,
                        most,
                        end,
                    },
                    ty: Type::Str {
                        bytes: crate::types::round_up(most + 1)
                            .min(self.options.limits.string_room()),
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

/// The settings, as a record of constants.
fn config(checker: &mut Checker<'_>, span: Span) -> Result<Expr, Diagnostic> {
    let mut names = Vec::new();
    let mut items = Vec::new();
    for setting in SETTINGS {
        let Some(value) = setting.value(&checker.options.limits) else {
            continue;
        };
        names.push(setting.name.into());
        items.push(match value {
            SettingValue::Number(number) => Expr::int(number.into(), Type::U64, span),
            SettingValue::Flag(flag) => Expr::int(flag.into(), Type::Bool, span),
            SettingValue::Text(text) => Expr::string(text.as_bytes(), span),
        });
    }
    let types: Vec<Type> = items.iter().map(|item| item.ty).collect();
    Ok(Expr {
        ty: checker.tuple_type(&types, &names, span)?,
        kind: ExprKind::Tuple(items),
        span,
    })
}
