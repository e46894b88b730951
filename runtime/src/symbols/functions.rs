//! From a place in the kernel or in an ELF file to a function, with a memory of what was asked.
//!
//! In come a place in a file that a process had mapped, or a kernel address; out goes a name and the distance from its start.
//! Lines and inlined functions are left out.

use super::demangle::Demangler;
use super::kernel::KernelSymbols;
use crate::processes::{FileId, Place, Processes};
use std::collections::HashMap;
use std::sync::Arc;

/// The name of a function, and how far behind its start a place is, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The name, demangled.
    pub name: Arc<str>,
    /// In bytes from the function's start.
    pub offset: u64,
}

/// Looks functions up. Nothing is read before the first question.
#[derive(Debug, Default)]
pub struct Functions {
    kernel: KernelSymbols,
    addresses: HashMap<u64, Option<Symbol>>,
    files: HashMap<(FileId, u64), Option<Symbol>>,
    demangler: Demangler,
}

impl Functions {
    /// The kernel function at an address, by /proc/kallsyms.
    pub fn kernel(&mut self, address: u64) -> Option<Symbol> {
        if let Some(known) = self.addresses.get(&address) {
            return known.clone();
        }
        let found = self.kernel.find(address);
        let found = found.map(|found| self.symbol(found));
        self.addresses.insert(address, found.clone());
        found
    }

    /// The function at an offset in a file.
    pub fn file(&mut self, processes: &mut Processes, place: Place) -> Option<Symbol> {
        let key = (place.file, place.offset);
        if let Some(known) = self.files.get(&key) {
            return known.clone();
        }
        let found = processes
            .symbols(place.file)
            .and_then(|symbols| symbols.find(place.offset));
        let found = found.map(|found| self.symbol(found));
        self.files.insert(key, found.clone());
        found
    }

    fn symbol(&mut self, (name, offset): (String, u64)) -> Symbol {
        Symbol {
            name: self.demangler.readable(&name).into(),
            offset,
        }
    }
}
