//! pfscript as a library: compile a tracing script, run it, take its results.
//!
//! ```no_run
//! use pfscript::{Options, Program, Stop};
//!
//! let source = "software:page-faults:1 { @[ustack, pid, comm] = count(); }";
//! let program = Program::compile("faults", source, &Options::default())?;
//! let stop = Stop::on_signals()?;
//! let outcome = program.session().run(&stop)?;
//! assert!(outcome.losses.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crates behind it are usable by themselves: [`grammar`] for editors and formatters, [`compiler`] to make objects for
//! other loaders, [`runtime`] to run objects and to take results in another form than text.

pub mod scripts;

pub use pfscript_compiler as compiler;
pub use pfscript_compiler::{Limits, Options};
pub use pfscript_grammar as grammar;
pub use pfscript_probes as probes;
pub use pfscript_runtime as runtime;
pub use pfscript_runtime::{Command, Json, Outcome, Runtimes, Session, Sink, Stop, Target};

use pfscript_compiler::Compiled;
use pfscript_compiler::facts::Facts;
use pfscript_grammar::Diagnostic;
use pfscript_runtime::facts::LiveFacts;
use std::fmt;

/// A compiled script and its source.
#[derive(Clone, Debug)]
pub struct Program {
    /// What the script is called in messages.
    pub name: String,
    /// Its text.
    pub source: String,
    /// What it was compiled to.
    pub compiled: Compiled,
}

/// What is wrong with a script, with what it takes to show it.
#[derive(Clone, Debug)]
pub struct CompileError {
    /// What the script is called.
    pub name: String,
    /// Its text.
    pub source: String,
    /// At least one error.
    pub diagnostics: Vec<Diagnostic>,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = grammar::render(&self.diagnostics, &self.name, &self.source, false);
        f.write_str(text.trim_end())
    }
}

impl std::error::Error for CompileError {}

impl Program {
    /// Compiles a script for the running kernel.
    ///
    /// # Errors
    /// What is wrong with the script, or what this kernel lacks for it.
    pub fn compile(name: &str, source: &str, options: &Options) -> Result<Program, CompileError> {
        Program::compile_for(name, source, options, &LiveFacts::new())
    }

    /// Compiles a script for the kernel that `facts` describe.
    ///
    /// # Errors
    /// What is wrong with the script, or what that kernel lacks for it.
    pub fn compile_for(
        name: &str,
        source: &str,
        options: &Options,
        facts: &dyn Facts,
    ) -> Result<Program, CompileError> {
        let script = grammar::parse(source);
        let compiled = script
            .and_then(|script| compiler::compile(&script, name, source, facts, options))
            .map_err(|diagnostics| CompileError {
                name: name.to_string(),
                source: source.to_string(),
                diagnostics,
            })?;
        Ok(Program {
            name: name.to_string(),
            source: source.to_string(),
            compiled,
        })
    }

    /// Checks a script for the kernel that `facts` describe. Facts that are for a check may leave some of it
    /// open ([`Facts::thorough`]), which the warnings say.
    ///
    /// # Errors
    /// What is wrong with the script, or what that kernel lacks for it.
    pub fn check(
        name: &str,
        source: &str,
        options: &Options,
        facts: &dyn Facts,
    ) -> Result<compiler::Verdict, CompileError> {
        let script = grammar::parse(source);
        script
            .and_then(|script| compiler::check(&script, name, source, facts, options))
            .map_err(|diagnostics| CompileError {
                name: name.to_string(),
                source: source.to_string(),
                diagnostics,
            })
    }

    /// A session that runs the script; its defaults trace everything and print to standard output.
    pub fn session(&self) -> Session {
        // bpftrace's name of what is on the command line.
        let name = if self.name == "-e" {
            "stdin"
        } else {
            &self.name
        };
        Session::new(self.compiled.object.clone(), self.source.clone()).script_name(name)
    }
}
