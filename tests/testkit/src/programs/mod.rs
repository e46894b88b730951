//! Random programs in the language, and what they print: written by a generator, run by an interpreter of its own.
//!
//! In comes a seed, out come a script and its output. The interpreter knows the rules of `docs/language.md` and nothing of
//! the compiler. Programs use what is the same in each run: no clocks, no processes, no events but `BEGIN`, `interval`, a signal that
//! a program has sent to its tracer, and `END`. `print()`, `clear()` and `zero()` of maps happen when user space comes to them: behind all of
//! `BEGIN`, what comes between, or all of `END`. What structures have in them comes from variables: their addresses are taken for those
//! of structures. A macro is run as a function that gets its expressions unevaluated, and variables and maps by reference.
//!
//! Where several intervals run, their order is unknown: each has maps of its own, and they print nothing. Time series have a clock of the
//! script's, and programs of their own ([`series`]).

mod ast;
mod generate;
mod interpret;
mod maps;
mod memory;
mod printf;
pub mod series;
mod value;
mod written;

/// A script and what it prints on standard output.
#[derive(Clone, Debug)]
pub struct Program {
    /// The script.
    pub source: String,
    /// What `-q` prints.
    pub output: Vec<u8>,
}

/// What programs may use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Features {
    /// Loops, reading of aggregations, and long keys, which need Linux 5.17.
    pub loops: bool,
}

/// The program of a seed. The same seed gives the same program.
pub fn program(seed: u64, features: Features) -> Program {
    let program = generate::program(seed, features);
    Program {
        output: interpret::output(&program),
        source: program.to_string(),
    }
}

/// What the program of a seed uses: every fourth does without loops.
pub fn features(seed: u64) -> Features {
    let loops = !seed.is_multiple_of(4);
    Features { loops }
}
