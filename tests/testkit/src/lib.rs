//! What the tests of all crates share.
//!
//! In come ELF objects, instructions and expected texts; out go loaded programs, values of maps, and differences. It
//! depends on no crate that it tests: numbers and names of theirs are passed to it. Everything panics or says why it
//! failed in words, since its callers are tests.

pub mod golden;
