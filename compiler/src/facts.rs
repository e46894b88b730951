//! What the compiler may know about the machine, and nothing else.
//!
//! Questions come in through [`Facts`], answers go out as plain data. How the answers are found is left to who implements
//! the trait: the runtime for the running kernel, `recorded` for tests.

mod binary;
mod with_types;

pub use binary::{Binary, FunctionSymbol, Marker, Segment, VariableSymbol};
pub(crate) use with_types::WithTypes;

use crate::btf::{Btf, BtfWriter};
use pfscript_grammar::{Diagnostic, Span};
use pfscript_probes::Feature;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The machine as the compiler sees it. The runtime implements it for the running kernel, tests for recorded ones.
/// The same script and the same facts give the same bytes.
pub trait Facts {
    /// The architecture's calling convention.
    fn arch(&self) -> Arch;

    /// Bytes of a page of memory, a power of two.
    fn page_bytes(&self) -> u32;

    /// Kernel types, if the kernel has BTF.
    fn btf(&self) -> Option<&Btf>;

    /// The pid namespace whose process ids the script sees, as the inode number of `/proc/self/ns/pid`; none if it is the
    /// initial one.
    fn pid_namespace(&self) -> Option<u32>;

    /// Whether the kernel has a feature.
    fn has(&self, feature: Feature) -> bool;

    /// Why it is not known whether the kernel has a feature, where that cannot be tried. [`Facts::has`] is hopeful then.
    fn unsure(&self, _feature: Feature) -> Option<String> {
        None
    }

    /// The format of one tracepoint.
    ///
    /// # Errors
    /// [`FactError::Unknown`] if there is no such tracepoint, [`FactError::Unavailable`] if tracefs can't be read.
    fn tracepoint(&self, category: &str, name: &str) -> Result<TracepointFormat, FactError>;

    /// All tracepoints as `(category, name)`, sorted.
    ///
    /// # Errors
    /// [`FactError::Unavailable`] if tracefs can't be read.
    fn tracepoints(&self) -> Result<&[(String, String)], FactError>;

    /// Kernel functions that kprobes can attach to, sorted.
    ///
    /// # Errors
    /// [`FactError::Unavailable`] if the kernel has no kprobes or does not tell.
    fn functions(&self) -> Result<&[String], FactError>;

    /// For a script that is checked, and not run: facts are looked up even where the kernel would find out soon after, and
    /// where they are hidden from us, the check says so and goes on.
    fn thorough(&self) -> bool {
        false
    }

    /// The address of a kernel symbol, as `/proc/kallsyms` has it.
    ///
    /// # Errors
    /// [`FactError::Unknown`] if there is no such symbol, [`FactError::Unavailable`] if addresses are hidden.
    fn kernel_symbol(&self, name: &str) -> Result<u64, FactError>;

    /// A program or a shared library. The same for one path as long as the facts live.
    ///
    /// # Errors
    /// [`FactError::Unknown`] if there is no such file, [`FactError::Unavailable`] if it can't be read or is no such file.
    fn binary(&self, path: &Path) -> Result<Arc<Binary>, FactError>;

    /// What symbols are called by their authors, in C++ and Rust, in that order: themselves where nothing is known of that.
    fn readable(&self, symbols: &[&str]) -> Vec<String> {
        symbols.iter().map(|symbol| (*symbol).to_owned()).collect()
    }

    /// A variable that a program or a shared library defines.
    ///
    /// # Errors
    /// [`FactError::Unknown`] if it defines none of that name, else as [`Facts::binary`].
    fn variable(&self, _path: &Path, _name: &str) -> Result<VariableSymbol, FactError> {
        Err(FactError::not_recorded("what variables a file has"))
    }

    /// Writes functions and types that a program or a library was compiled with, as far as what describes it knows them.
    ///
    /// # Errors
    /// [`FactError::Unknown`] if there is no such description (DWARF), else as [`Facts::binary`].
    fn debug_types(
        &self,
        _path: &Path,
        _wanted: &WantedTypes<'_>,
        _writer: &mut BtfWriter,
    ) -> Result<(), FactError> {
        Err(FactError::not_recorded("what a file was compiled with"))
    }

    /// The addresses in a program or a library, by its own count, at which statements of a line of its source begin; sorted, none
    /// if there is no such line.
    ///
    /// # Errors
    /// As [`Facts::debug_types`].
    fn statements(&self, _path: &Path, _place: SourcePlace<'_>) -> Result<Vec<u64>, FactError> {
        Err(FactError::not_recorded("where the lines of a file are"))
    }

    /// The id of the cgroup (version 2) whose folder is at a path.
    ///
    /// # Errors
    /// [`FactError::Unknown`] if there is no such folder, [`FactError::Unavailable`] if it is that of no such cgroup.
    fn cgroup_id(&self, _path: &Path) -> Result<u64, FactError> {
        Err(FactError::not_recorded("the id of a cgroup"))
    }

    /// The files that a script means by a path, which may have wildcards, or by a bare name: a program's, looked for as a
    /// shell does, or a shared library's (`libc`, `libc.so.6`). Sorted; none if there are none.
    fn files(&self, written: &str) -> Vec<PathBuf>;
}

/// What is asked of the description of a program or a library.
#[derive(Clone, Copy, Debug)]
pub struct WantedTypes<'a> {
    /// Functions: the name to write each under, and its address by the file's own count.
    pub functions: &'a [(String, u64)],
    /// Names of structures, unions, enumerations and typedefs.
    pub names: &'a [String],
}

/// A place in the source of a program.
#[derive(Clone, Copy, Debug)]
pub struct SourcePlace<'a> {
    /// The source file's path, or the end of it.
    pub file: &'a Path,
    /// From 1.
    pub line: u64,
    /// From 1; any if it is not said.
    pub column: Option<u64>,
}

/// Why a fact can't be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactError {
    /// There is no such thing on this machine.
    Unknown,
    /// The source of such facts can't be used; `reason` is a whole message and `help` says what to do.
    Unavailable {
        /// What is wrong.
        reason: String,
        /// What to try.
        help: Option<String>,
    },
    /// There is such a source, and we have no right to read it. A check goes on without ([`Facts::thorough`]).
    Hidden {
        /// What is wrong.
        reason: String,
        /// What to try.
        help: Option<String>,
    },
}

impl FactError {
    /// What depends on a feature that this kernel lacks.
    pub fn lacking(feature: Feature) -> FactError {
        let info = feature.info();
        FactError::Unavailable {
            reason: format!("this kernel has no {}", info.name),
            help: info
                .config
                .map(|config| format!("it needs a kernel built with {config}")),
        }
    }

    /// What is asked of the machine itself when a script is compiled, and is in no record of its facts.
    fn not_recorded(what: &str) -> FactError {
        FactError::Unavailable {
            reason: format!("{what} is not among the recorded facts"),
            help: Some("check on the machine where it will run".to_owned()),
        }
    }

    /// The error as a message at a place; `unknown` is the message for [`FactError::Unknown`].
    pub fn diagnostic(self, span: Span, unknown: impl FnOnce() -> String) -> Diagnostic {
        match self {
            FactError::Unknown => Diagnostic::error(span, unknown()),
            FactError::Unavailable { reason, help } | FactError::Hidden { reason, help } => {
                let error = Diagnostic::error(span, reason);
                match help {
                    Some(help) => error.help(help),
                    None => error,
                }
            }
        }
    }

    /// Why a check goes on without the fact; `None` if it does not.
    pub fn hidden(&self, facts: &dyn Facts) -> Option<&str> {
        match self {
            FactError::Hidden { reason, .. } if facts.thorough() => Some(reason),
            _ => None,
        }
    }
}

/// The warning of a check that goes on: `what` is not known, and why.
pub fn unchecked(span: Span, what: &str, reason: &str) -> Diagnostic {
    Diagnostic::warning(span, format!("{what} is not checked: {reason}")).help(
        "check as root, or by facts that root recorded: `--record-facts FILE`, then `--facts FILE`",
    )
}

/// CPU architectures that pfscript knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// x86-64
    X86_64,
    /// 64-bit ARM
    Aarch64,
}

/// A tracepoint's `format` file, parsed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TracepointFormat {
    /// The fields in order, common ones included.
    pub fields: Vec<TracepointField>,
}

/// One `field:` line of a `format` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracepointField {
    /// The field's name, without brackets.
    pub name: String,
    /// The C type as written, without name and brackets: `const char *`, `__data_loc char[]`, `unsigned int`.
    pub c_type: String,
    /// `Some(n)` for `name[n]`.
    pub array: Option<u32>,
    /// In bytes from the record's start.
    pub offset: u32,
    /// In bytes.
    pub size: u32,
    /// The file's `signed:` flag.
    pub signed: bool,
}
