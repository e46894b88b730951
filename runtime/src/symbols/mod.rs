//! Names for addresses.

use crate::error::Error;
use crate::load::Loaded;
use crate::print::{Names, push};
use pfscript_compiler::manifest::{Manifest, StackMode};
use std::os::fd::BorrowedFd;

/// What is known about addresses.
#[derive(Debug, Default)]
pub struct Symbols {}

impl Symbols {
    /// Begins to record address spaces, if the object needs them.
    pub fn begin(_: &Manifest, _: &Loaded, _: Option<u32>) -> Result<Symbols, Error> {
        Ok(Symbols::default())
    }

    /// Descriptors that become readable when records wait.
    pub fn fds(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    /// Reads the records that wait.
    pub fn drain(&mut self) {}

    /// Records that were lost.
    pub fn lost_records(&self) -> u64 {
        0
    }

    /// Names by what is known now.
    pub fn names<'a>(&'a mut self, loaded: &'a Loaded) -> SymbolNames<'a> {
        SymbolNames { _symbols: self, _loaded: loaded }
    }
}

/// Names for the stacks of one object.
pub struct SymbolNames<'a> {
    _symbols: &'a mut Symbols,
    _loaded: &'a Loaded,
}

impl Names for SymbolNames<'_> {
    fn stack(&mut self, _: u64, _: bool, _: StackMode, _: u32, _: &mut Vec<u8>) {}

    fn kernel_symbol(&mut self, address: u64, out: &mut Vec<u8>) {
        push(out, format_args!("{address:#x}"));
    }

    fn user_symbol(&mut self, address: u64, _: u32, out: &mut Vec<u8>) {
        push(out, format_args!("{address:#x}"));
    }
}
