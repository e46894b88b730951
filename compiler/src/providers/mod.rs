//! Types of probes. A provider is one file: its names, how its attach points are written and expanded, what its
//! probes can be asked for, and what to attach. Another provider is a file here, its module and its line of the registry below,
//! and a row in [`crate::program`] and a variant of [`Attach`](crate::manifest::Attach) where what it attaches is new.
//!
//! A provider says *what* to attach as data ([`crate::manifest::Attach`]); the runtime has one mechanism for each
//! kind of that data and knows no providers.

use crate::facts::{Arch, FactError, Facts};
use crate::ir::Width;
use crate::manifest::Site;
use crate::program::ProgramKind;
use pfscript_grammar::ast::AttachPoint;
use pfscript_grammar::{Diagnostic, Spanned};

mod begin_end;
mod convention;
mod hardware;
mod kprobe;
pub mod nearest;
mod own;
mod parts;
mod perf_event;
mod prototype;
mod rawtracepoint;
mod software;
mod source_lines;
mod timer;
mod tracepoint;
pub mod tracepoint_format;
pub mod tracepoint_types;
mod uprobe;
mod usdt;
mod user_files;
pub mod variants;

/// All providers, in the order of the reference.
static REGISTRY: &[&dyn Provider] = &[
    &begin_end::BEGIN,
    &begin_end::END,
    &software::SOFTWARE,
    &hardware::HARDWARE,
    &timer::PROFILE,
    &timer::INTERVAL,
    &tracepoint::TRACEPOINT,
    &rawtracepoint::RAWTRACEPOINT,
    &kprobe::KPROBE,
    &kprobe::KRETPROBE,
    &uprobe::UPROBE,
    &uprobe::URETPROBE,
    &usdt::USDT,
    &own::SELF,
    &own::BENCH,
    &own::TEST,
];

/// Probe types of bpftrace's that are not here yet, by all their names.
const NOT_YET: &[&[&str]] = &[
    &["fentry", "f", "kfunc"],
    &["fexit", "fr", "kretfunc"],
    &["watchpoint", "w"],
    &["asyncwatchpoint", "aw"],
    &["iter", "it"],
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
/// "… probes are not supported yet" for a probe type of bpftrace's that is not here, otherwise "unknown probe type" with
/// the nearest names.
pub fn find(name: &Spanned<String>) -> Result<&'static dyn Provider, Diagnostic> {
    let written = name.node.as_str();
    if let Some(provider) = by_name(written) {
        return Ok(provider);
    }
    if let Some(names) = NOT_YET.iter().find(|names| names.contains(&written)) {
        let what = format!("`{}` probes", names[0]);
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
    /// The kind of its programs.
    pub kind: ProgramKind,
    /// Whether a session of one process narrows it to that process.
    pub narrowed: bool,
    /// Whether its list names whole attach points; else how they begin.
    pub listed: bool,
}

/// How an argument's value is reached from the program's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Read from memory, at an address that registers make up.
    Memory {
        /// Offset in the context of the register that the address is in, in bytes.
        base: u32,
        /// Another register that is added, by its offset in the context, after it was multiplied.
        index: Option<(u32, u32)>,
        /// Bytes that are added.
        offset: i32,
        /// How much is read there.
        width: Width,
        /// Sign-extended if true.
        signed: bool,
    },
    /// The same for every event.
    Constant(i64),
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ArgumentType {
    /// An integer.
    Int {
        /// 1, 2, 4 or 8.
        bytes: u32,
        /// Two's complement.
        signed: bool,
    },
    /// An integer whose values have names.
    Enumeration {
        /// Of the enumeration.
        name: String,
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
    /// What cannot be told, in a check that goes on without; why not.
    Unknown {
        /// A whole message.
        reason: String,
    },
}

/// A named argument of a probe (`args.name`), or a builtin such as `arg0` or `retval`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Argument {
    /// Its name. Empty for all of which not even the name is known ([`ArgumentType::Unknown`]).
    pub name: String,
    /// Its type.
    pub ty: ArgumentType,
    /// Where it is.
    pub access: Access,
}

impl Argument {
    /// One of which no more is known than the name, or than that there may be such.
    fn unknown(name: &str, reason: &str) -> Argument {
        Argument {
            name: name.to_owned(),
            ty: ArgumentType::Unknown {
                reason: reason.to_owned(),
            },
            access: Access::InContext { offset: 0 },
        }
    }
}

/// A type of probes.
pub trait Provider: Sync {
    /// What is constant about it.
    fn info(&self) -> &ProviderInfo;

    /// The attach points that a written one stands for: wildcards expanded, names checked, defaults filled in.
    ///
    /// # Errors
    /// A diagnostic at the part of the attach point that is wrong, with the nearest names.
    fn expand(&self, point: &AttachPoint, facts: &dyn Facts) -> Result<Vec<Site>, Diagnostic>;

    /// The same where attach points may be missing ([`MissingProbes`](crate::MissingProbes)): also those are, of which the kernel
    /// would say so only when it is to attach to them.
    ///
    /// # Errors
    /// As of [`Provider::expand`].
    fn expand_sure(&self, point: &AttachPoint, facts: &dyn Facts) -> Result<Vec<Site>, Diagnostic> {
        self.expand(point, facts)
    }

    /// For a check: a site that stands for an attach point whose facts are hidden from us, and what is not checked of it.
    /// `None` where nothing is hidden; then [`Provider::expand`] answers.
    fn unseen(&self, _point: &AttachPoint, _facts: &dyn Facts) -> Option<(Site, Diagnostic)> {
        None
    }

    /// A builtin whose meaning depends on the probe, such as `arg0`, `retval` or `addr`; `None` if it has none here.
    fn builtin(&self, _name: &str, _arch: Arch) -> Option<Argument> {
        None
    }

    /// `args.name` at one site; empty if there are none.
    ///
    /// # Errors
    /// If the facts can't be had.
    fn arguments(&self, _site: &Site, _facts: &dyn Facts) -> Result<Vec<Argument>, FactError> {
        Ok(Vec::new())
    }

    /// The names of all attach points, as `-l` prints them, in order. Those without a finite list (`profile:hz:…`)
    /// give examples with the usual values.
    ///
    /// # Errors
    /// If the facts can't be had.
    fn list(&self, facts: &dyn Facts) -> Result<Vec<String>, FactError>;

    /// The names among which those are that match `target`, a pattern for what stands behind the type's name. All of
    /// [`Provider::list`], but where a list needs to be told which file to look in.
    ///
    /// # Errors
    /// If the facts can't be had.
    fn list_for(&self, _target: &str, facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        self.list(facts)
    }

    /// What `-lv` prints under an attach point that [`Provider::list`] named: its arguments as C declares them, in
    /// order (`int dfd`, `const char * filename`).
    ///
    /// # Errors
    /// If the facts can't be had.
    fn declarations(&self, _listed: &str, _facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests;
