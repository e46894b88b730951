//! What the tests of all crates share: golden files, and programs and maps in the running kernel.
//!
//! In come ELF objects, instructions, numbers and expected texts; out go loaded programs, values of maps, and differences.
//! It depends on no crate that it tests: what they define is passed to it as a number. Nothing stands in for the
//! kernel here. Where a caller could not go on anyway, it panics and says why.

pub mod golden;
pub mod ids;
pub mod map;
pub mod object;
pub mod program;
pub mod programs;
pub mod random;

mod sys;

pub use map::{Map, MapSpec};
pub use object::Loaded;
pub use program::Program;

/// Whether this process may load programs and trace.
pub fn is_root() -> bool {
    // SAFETY: takes nothing and returns a number.
    unsafe { libc::geteuid() == 0 }
}

/// Returns from a test that can't be run without root, and says so. What the test returns then can be given.
#[macro_export]
macro_rules! needs_root {
    ($($value:expr)?) => {
        if !$crate::is_root() {
            println!("skip: needs root");
            return $($value)?;
        }
    };
}
