//! Every template at work in this kernel: linked into a program, run, its effect looked at. The files are those of
//! `bpf/`. A test that cannot run here says `skip: ` and why.

mod aggregate;
mod arith;
mod entries;
mod events;
mod memory;
mod series;
mod stack;
mod support;
mod verifier;
mod vma;

use support::link::Code;

/// A session, or the end of the test.
macro_rules! session {
    ($($arguments:expr),*) => {
        match session!(@new $($arguments),*) {
            Some(session) => session,
            None => return,
        }
    };
    (@new) => { $crate::support::Session::new() };
    (@new $template:expr, $entries:expr) => { $crate::support::Session::with($template, $entries) };
}

/// A body that calls a routine on the map `map` with the key of argument 0: `r1` and `r2` are set.
fn keyed() -> Code {
    Code::body()
        .argument(1, 0)
        .spill(-8, 1)
        .map(1, "map")
        .stack(2, -8)
}

/// Bytes as words of 8.
fn words(bytes: &[u8]) -> Vec<u64> {
    bytes
        .chunks_exact(8)
        .map(|word| u64::from_ne_bytes(word.try_into().unwrap()))
        .collect()
}

pub(crate) use session;
