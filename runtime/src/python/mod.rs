//! Frames of Python: CPython 3.11 to 3.13.
//!
//! Programs put them into the stacks that they walk (`probes/bpf/python.bpf.c`). Here is what they must be told of an interpreter
//! for it ([`interpreter`]), and what becomes of their words: names ([`codes`]) and lines (`lines.rs`). Nothing that comes from a process is
//! believed further than that it is printed.

pub mod codes;
pub mod interpreter;
mod lines;
