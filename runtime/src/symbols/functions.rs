//! From a place in the kernel or in an ELF file to a function, with a memory of what was asked.
//!
//! In come a place in a file that a process had mapped, or a kernel address; out goes a name and the distance from its start.
//! Lines and inlined functions are left out.

use super::demangle::Demangler;
use super::kernel::KernelSymbols;
use crate::processes::{FileId, Place, Processes};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// The name of a function, and how far behind its start a place is, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The name, demangled.
    pub name: Arc<str>,
    /// In bytes from the function's start.
    pub offset: u64,
}

/// What is known of a place in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Its address as the file counts, if the file could be read.
    pub address: Option<u64>,
    /// Its function.
    pub symbol: Option<Symbol>,
}

/// Answers of a kind that are remembered; with one more, all are forgotten.
const REMEMBERED: usize = 1 << 17;

/// Looks functions up. Nothing is read before the first question.
#[derive(Debug, Default)]
pub struct Functions {
    kernel: KernelSymbols,
    addresses: HashMap<u64, Option<Symbol>>,
    files: HashMap<(FileId, u64), Found>,
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
        remember(&mut self.addresses, address, &found);
        found
    }

    /// What is at an offset in a file.
    pub fn file(&mut self, processes: &mut Processes, place: Place) -> Found {
        let key = (place.file, place.offset);
        if let Some(known) = self.files.get(&key) {
            return known.clone();
        }
        let symbols = processes.symbols(place.file);
        let address = symbols.and_then(|symbols| symbols.address(place.offset));
        let symbol = symbols
            .zip(address)
            .and_then(|(symbols, at)| symbols.find(at));
        let found = Found {
            address,
            symbol: symbol.map(|symbol| self.symbol(symbol)),
        };
        remember(&mut self.files, key, &found);
        found
    }

    /// Forgets what was found in files, whose ids may be others' from now on.
    pub fn forget_files(&mut self) {
        self.files.clear();
    }

    fn symbol(&mut self, (name, offset): (String, u64)) -> Symbol {
        Symbol {
            name: self.demangler.readable(&name).into(),
            offset,
        }
    }
}

fn remember<K: Eq + Hash, V: Clone>(known: &mut HashMap<K, V>, key: K, found: &V) {
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(key, found.clone());
}
