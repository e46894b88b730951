//! Programs that the session runs by itself, without an event: `BEGIN`, `END`, those for signals to the tracer, and benchmarks.
//!
//! In come loaded programs, out goes how many were run. When they run is the session's decision.

use super::program;
use crate::error::{Error, ErrorKind};
use crate::load::Loaded;
use crate::sys::bpf;
use pfscript_compiler::manifest::{Attach, Manifest};

/// Runs the programs of one kind of site (`BEGIN`, `END`, one signal), in order. Returns how many.
///
/// # Errors
/// [`ErrorKind::Kernel`] if the kernel can't (before 5.10).
pub fn run_once(which: &Attach, loaded: &Loaded, manifest: &Manifest) -> Result<usize, Error> {
    let mut runs = 0;
    for (probe, info) in &manifest.probes {
        for _ in info.points().filter(|point| *point == which) {
            bpf::run_program(program(loaded, probe)?).map_err(|error| {
                Error::new(
                    ErrorKind::Kernel,
                    format!("can't run `{}`: {error}", info.name),
                )
                .with_help("programs that the tracer runs need Linux 5.10 or newer")
                .at(info.span)
            })?;
            runs += 1;
        }
    }
    Ok(runs)
}
