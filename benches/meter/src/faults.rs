//! The C program, compiled by clang, loaded and attached as a Rust program would do it.
//!
//! In a process of its own, as its competitors are: to load it, the kernel's BTF is read, and this process is to stay
//! small, for what it says of others' memory.

use aya::Ebpf;
use aya::programs::PerfEvent;
use aya::programs::perf_event::{PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent};
use aya::util::online_cpus;
use std::path::Path;

/// The argument that makes this executable call [`hold`].
pub const HOLD: &str = "--hold-c-program";

/// Runs the program on every page fault until the standard input ends, or a signal ends the process.
pub fn hold(object: &Path) -> Result<(), String> {
    let _program = attach(object)?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())
        .map(drop)
        .map_err(|error| format!("standard input: {error}"))
}

fn attach(object: &Path) -> Result<Ebpf, String> {
    let in_c = |error: &dyn std::fmt::Display| format!("the C program: {error}");
    let mut ebpf = Ebpf::load_file(object).map_err(|error| in_c(&error))?;
    let program = ebpf
        .program_mut("faults")
        .ok_or_else(|| in_c(&"it has no function `faults`"))?;
    let program: &mut PerfEvent = program.try_into().map_err(|error| in_c(&error))?;
    program.load().map_err(|error| in_c(&error))?;
    for cpu in online_cpus().map_err(|(what, error)| in_c(&format_args!("{what}: {error}")))? {
        program
            .attach(
                PerfEventConfig::Software(SoftwareEvent::PageFaults),
                PerfEventScope::AllProcessesOneCpu { cpu },
                SamplePolicy::Period(1),
                false,
            )
            .map_err(|error| in_c(&error))?;
    }
    Ok(ebpf)
}
