//! Probe families. A provider is one file: its names, how its attach points are written and expanded, what its
//! probes can be asked for, and what to attach. The registry below is the only other place that knows a provider.
//!
//! A provider says *what* to attach as data ([`crate::manifest::Attach`]); the runtime has one mechanism for each
//! kind of that data and knows no families.

use crate::facts::{Arch, FactError, KernelFacts};
use crate::ir::Width;
use crate::manifest::{Attach, ProgramType};
use pfscript_grammar::ast::AttachPoint;
use pfscript_grammar::{Diagnostic, Spanned};

mod begin_end;
mod hardware;
mod interval;
mod kprobe;
pub mod nearest;
mod parts;
mod perf_event;
mod profile;
mod software;
mod timer;
mod tracepoint;
pub mod tracepoint_format;

/// All providers, in the order of the reference.
static REGISTRY: &[&dyn Provider] = &[
    &begin_end::Begin,
    &begin_end::End,
    &software::Software,
    &hardware::Hardware,
    &profile::Profile,
    &interval::Interval,
    &tracepoint::Tracepoint,
    &kprobe::Kprobe,
    &kprobe::Kretprobe,
];

/// Families of bpftrace's that are not here yet, by all their names.
const NOT_YET: &[&[&str]] = &[
    &["uprobe", "u"],
    &["uretprobe", "ur"],
    &["usdt", "U"],
    &["fentry", "f", "kfunc"],
    &["fexit", "fr", "kretfunc"],
    &["rawtracepoint", "rt"],
    &["watchpoint", "w"],
    &["asyncwatchpoint", "aw"],
    &["iter", "it"],
    &["self"],
    &["bench"],
    &["test"],
    &["special"],
];

/// All providers.
pub fn registry() -> &'static [&'static dyn Provider] {
    REGISTRY
}

/// The provider of that name or alias.
pub fn by_name(name: &str) -> Option<&'static dyn Provider> {
    REGISTRY
        .iter()
        .copied()
        .find(|provider| provider.info().names.contains(&name))
}

/// The provider that the first part of an attach point names.
///
/// # Errors
/// "… probes are not supported yet" for a family of bpftrace's that is not here, otherwise "unknown probe type" with
/// the nearest names.
pub fn find(name: &Spanned<String>) -> Result<&'static dyn Provider, Diagnostic> {
    let written = name.node.as_str();
    if let Some(provider) = by_name(written) {
        return Ok(provider);
    }
    if let Some(family) = NOT_YET.iter().find(|family| family.contains(&written)) {
        let what = format!("`{}` probes", family[0]);
        return Err(Diagnostic::unsupported(name.span, &what));
    }
    let names = REGISTRY.iter().flat_map(|provider| provider.info().names);
    let error = Diagnostic::error(name.span, format!("unknown probe type `{written}`"));
    Err(match nearest::did_you_mean(written, names.copied()) {
        Some(help) => error.help(help),
        None => error.help(format!(
            "probe types are {}",
            REGISTRY
                .iter()
                .map(|provider| format!("`{}`", provider.info().names[0]))
                .collect::<Vec<_>>()
                .join(", ")
        )),
    })
}

/// What is constant about a provider.
#[derive(Debug)]
pub struct ProviderInfo {
    /// The full name first, then the aliases.
    pub names: &'static [&'static str],
    /// How an attach point is written: `software:EVENT:COUNT`.
    pub syntax: &'static str,
    /// One line for the reference.
    pub doc: &'static str,
    /// The entry template's family (`pf_enter_<family>`): `perf_event`, `tracepoint`, `kprobe`, `once`.
    pub family: &'static str,
    /// First part of the ELF section name.
    pub section: &'static str,
    /// Program type.
    pub program: ProgramType,
    /// Whether `-p PID` narrows it to that process.
    pub filtered: bool,
    /// Whether its list names whole attach points; else how they begin.
    pub listed: bool,
    /// The feature without which it cannot attach.
    pub needs: Option<pfscript_probes::Feature>,
}

/// One attach point after wildcards were expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion {
    /// The full name, aliases resolved: `kprobe:vfs_read`, `software:page-faults:1` (the builtin `probe`).
    pub name: String,
    /// The traced kernel function, if there is one (the builtin `func`).
    pub function: Option<String>,
    /// What to attach.
    pub attach: Attach,
}

/// How an argument's value is reached from the program's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Loaded from the context at `offset` bytes.
    Context {
        /// In bytes.
        offset: u32,
        /// Width of the load.
        width: Width,
        /// Sign-extended if true.
        signed: bool,
    },
    /// Read from kernel memory, 8 bytes at `offset` bytes above the stack pointer, which is in the context at `pointer`.
    Stack {
        /// Offset of the stack pointer in the context, in bytes.
        pointer: u32,
        /// In bytes above it.
        offset: u32,
    },
    /// Bytes that stand in the context itself, from `offset` (an array member of a tracepoint record).
    InContext {
        /// In bytes.
        offset: u32,
    },
    /// Bytes whose offset in the context is the low 16 bits of the `u32` at `offset` (`__data_loc`).
    DataLocation {
        /// In bytes.
        offset: u32,
    },
    /// As [`Access::DataLocation`], but counted from the end of that `u32`, `offset + 4` (`__rel_loc`, 5.17).
    RelativeLocation {
        /// In bytes.
        offset: u32,
    },
}

/// What an argument is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentType {
    /// An integer.
    Int {
        /// 1, 2, 4 or 8.
        bytes: u32,
        /// Two's complement.
        signed: bool,
    },
    /// One byte, 0 or 1.
    Bool,
    /// A pointer; the C type that it points to, if known, without qualifiers (`struct task_struct`, `char`, `void`).
    Pointer {
        /// Spelled as in C.
        to: String,
    },
    /// A string of at most `bytes` bytes (0: unknown), standing in the context or at a data location.
    String {
        /// Its room.
        bytes: u32,
    },
    /// An array of integers.
    Array {
        /// Size of an element in bytes.
        element: u32,
        /// Its sign.
        signed: bool,
        /// How many; 0 if each record has its own number of them (at a data location).
        count: u32,
    },
}

/// A named argument of a probe (`args.name`), or `argN`, or `retval`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: ArgumentType,
    /// Where it is.
    pub access: Access,
}

/// A probe family.
pub trait Provider: Sync {
    /// What is constant about it.
    fn info(&self) -> &'static ProviderInfo;

    /// The attach points that a written one stands for: wildcards expanded, names checked, defaults filled in.
    ///
    /// # Errors
    /// A diagnostic at the part of the attach point that is wrong, with the nearest names.
    fn expand(
        &self,
        point: &AttachPoint,
        facts: &dyn KernelFacts,
    ) -> Result<Vec<Expansion>, Diagnostic>;

    /// `arg0` … `arg9`; `None` if this family has no such argument.
    fn argument(&self, _number: u32, _arch: Arch) -> Option<Argument> {
        None
    }

    /// `retval`; `None` if this family has none.
    fn return_value(&self, _arch: Arch) -> Option<Argument> {
        None
    }

    /// `args.name`; empty if this family has none.
    ///
    /// # Errors
    /// If the facts can't be had.
    fn arguments(
        &self,
        _expansion: &Expansion,
        _facts: &dyn KernelFacts,
    ) -> Result<Vec<Argument>, FactError> {
        Ok(Vec::new())
    }

    /// The address that a perf event sampled (the builtin `addr`); `None` if this family has none.
    fn address(&self, _arch: Arch) -> Option<Access> {
        None
    }

    /// The names of all attach points, as `-l` prints them, in order. Families with no finite list (`profile:hz:…`)
    /// give examples with the usual values.
    ///
    /// # Errors
    /// If the facts can't be had.
    fn list(&self, facts: &dyn KernelFacts) -> Result<Vec<String>, FactError>;

    /// What `-lv` prints under an attach point that [`Provider::list`] named: its arguments as C declares them, in
    /// order (`int dfd`, `const char * filename`).
    ///
    /// # Errors
    /// If the facts can't be had.
    fn declarations(
        &self,
        _listed: &str,
        _facts: &dyn KernelFacts,
    ) -> Result<Vec<String>, FactError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests;
