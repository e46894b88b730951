//! The pfscript compiler: a syntax tree and what is known of the kernel to a BPF ELF object and its manifest.
//!
//! No I/O, no clock, no environment: the machine is seen through [`facts::Facts`] alone, so the same script and
//! the same facts give the same bytes.

pub mod btf;
pub mod emit;
pub mod facts;
pub mod glob;
pub mod hir;
pub mod ir;
pub mod language;
pub mod lower;
pub mod manifest;
pub mod probe_list;
pub mod program;
pub mod providers;
pub mod recorded;
pub mod sema;
pub mod types;

use crate::emit::source::Source;
use crate::sema::{c_types, debug_types};
use cranelift_entity::EntityRef;
use facts::Facts;
use manifest::Manifest;
use pfscript_grammar::ast::Script;
use pfscript_grammar::{Diagnostic, Severity};
use sema::Checked;
pub use sema::{
    Limits, MissingProbes, Options, PREFIXES, Parameter, ParameterDefault, ProbeFilter, SETTINGS,
    Setting,
};
use std::collections::BTreeMap;

/// What a loader needs of a compiled script.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// A BPF ELF file.
    pub elf: Vec<u8>,
    /// What the runtime must know beside it.
    pub manifest: Manifest,
}

/// A compiled script.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What runs.
    pub object: Object,
    /// What the script asks for by name (`getopt()`), by name. [`Options::named`] may hold others: whether that is an error,
    /// the caller says.
    pub parameters: BTreeMap<String, Parameter>,
    /// Warnings about the script.
    pub warnings: Vec<Diagnostic>,
    /// The module that the ELF file was made from (`-d ir`).
    pub module: ir::Module,
    /// The instructions, readable (`-d asm`).
    pub listing: emit::Listing,
}

/// Compiles a script.
///
/// `name` and `source` are the script's own, for the line information in the object; `source` must be what `script`
/// was parsed from.
///
/// # Errors
/// What is wrong with the script, or what this kernel lacks for it: at least one error, in source order.
pub fn compile(
    script: &Script,
    name: &str,
    source: &str,
    facts: &dyn Facts,
    options: &Options,
) -> Result<Compiled, Vec<Diagnostic>> {
    with_checked(script, facts, options, |mut checked, facts| {
        // Only facts that are for a check may leave something open; without them there is no object.
        if let Some(error) = checked.unchecked.first_mut() {
            error.severity = Severity::Error;
            return Err(vec![error.clone()]);
        }
        assemble(checked, name, source, facts)
    })
}

/// What a check finds out about a script that is right.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Warnings, among them what could not be checked because facts are hidden from us, if the facts are for a check
    /// ([`Facts::thorough`]).
    pub warnings: Vec<Diagnostic>,
    /// The script's parameters by name.
    pub parameters: BTreeMap<String, Parameter>,
}

/// Checks a script without making an object of it.
///
/// # Errors
/// As [`compile`].
pub fn check(
    script: &Script,
    name: &str,
    source: &str,
    facts: &dyn Facts,
    options: &Options,
) -> Result<Verdict, Vec<Diagnostic>> {
    with_checked(script, facts, options, |mut checked, facts| {
        if checked.unchecked.is_empty() {
            let compiled = assemble(checked, name, source, facts)?;
            return Ok(Verdict {
                warnings: compiled.warnings,
                parameters: compiled.parameters,
            });
        }
        let mut warnings = checked.unchecked;
        warnings.append(&mut checked.warnings);
        Ok(Verdict {
            warnings,
            parameters: checked.needs.script_parameters,
        })
    })
}

/// What is made of a script with its macros expanded and its own types among the kernel's, once it is checked; what is
/// said about it says where macros brought it.
fn with_checked<T: HasWarnings>(
    script: &Script,
    facts: &dyn Facts,
    options: &Options,
    make: impl FnOnce(Checked, &dyn Facts) -> Result<T, Vec<Diagnostic>>,
) -> Result<T, Vec<Diagnostic>> {
    let expanded = language::macros::expand(script)?;
    let described = debug_types::described(&expanded.script, options, facts);
    let facts = described
        .as_ref()
        .map_or(facts, |described| described as &dyn Facts);
    let declared = c_types::declared(&expanded.script, options.headers, facts)?;
    let facts = declared
        .as_ref()
        .map_or(facts, |declared| declared as &dyn Facts);
    let mut made =
        sema::check(&expanded.script, facts, options).and_then(|checked| make(checked, facts));
    expanded.explain(match &mut made {
        Ok(made) => made.warnings(),
        Err(errors) => errors,
    });
    made
}

trait HasWarnings {
    fn warnings(&mut self) -> &mut Vec<Diagnostic>;
}

impl HasWarnings for Compiled {
    fn warnings(&mut self) -> &mut Vec<Diagnostic> {
        &mut self.warnings
    }
}

impl HasWarnings for Verdict {
    fn warnings(&mut self) -> &mut Vec<Diagnostic> {
        &mut self.warnings
    }
}

/// Makes the object of a checked script.
fn assemble(
    mut checked: Checked,
    name: &str,
    source: &str,
    facts: &dyn Facts,
) -> Result<Compiled, Vec<Diagnostic>> {
    let (module, mut manifest) = lower::lower(&checked, facts)?;
    if cfg!(debug_assertions) {
        ir::verify(&module).map_err(|violations| {
            violations
                .iter()
                .map(|broken| Diagnostic::error(broken.span, format!("internal error: {broken}")))
                .collect::<Vec<_>>()
        })?;
    }
    if !manifest.faults.is_empty() {
        let lines = Source::new(name, source);
        for fault in &mut manifest.faults {
            let position = lines.position(fault.span);
            (fault.line, fault.column) = (position.line, position.column);
        }
    }
    let assembled = emit::assemble(&module, name, source).map_err(|error| {
        let action = error
            .probe
            .and_then(|probe| checked.actions.get(probe.index()));
        vec![match action {
            Some(action) => Diagnostic::error(
                error.span.unwrap_or(action.span),
                format!("this probe cannot be compiled: {}", error.kind),
            ),
            None => Diagnostic::error(error.span.unwrap_or_default(), error.to_string()),
        }]
    })?;
    for (probe, narrowing) in manifest.probes.values_mut().zip(&assembled.narrowings) {
        probe.narrowing = *narrowing;
    }
    for (probe, maps) in &assembled.too_many_maps {
        let span = checked.actions.get(probe.index());
        checked.warnings.push(
            Diagnostic::warning(
                span.map(|action| action.span).unwrap_or_default(),
                format!(
                    "the kernel will refuse this: it uses {maps} maps, those for output and losses among them, and one \
                     program may use {}",
                    emit::MAX_MAPS
                ),
            )
            .help("use keys instead of maps, such as `@x[\"name\"]`, or several probes"),
        );
    }
    Ok(Compiled {
        object: Object {
            elf: assembled.elf,
            manifest,
        },
        parameters: std::mem::take(&mut checked.needs.script_parameters),
        warnings: std::mem::take(&mut checked.warnings),
        module,
        listing: assembled.listing,
    })
}
