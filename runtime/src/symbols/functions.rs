//! From a place in the kernel or in an ELF file to a function, with a memory of what was asked.
//!
//! In come a place in a file that a process had mapped, or a kernel address; out goes a name and the distance from its start.
//! Source lines and inlined functions are those of the file's DWARF, where they are asked for.

use super::demangle::Demangler;
use super::kernel::KernelSymbols;
use crate::elf::lines::Call;
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

/// What an address in a stack points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pointer {
    /// What is executed next.
    Instruction,
    /// What follows a call. The call itself may be the last instruction of its function, where it never returns.
    Return,
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
    files: HashMap<(FileId, u64, Pointer), Found>,
    calls: HashMap<(FileId, u64), Arc<[Call]>>,
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
    pub fn file(&mut self, processes: &mut Processes, place: Place, pointer: Pointer) -> Found {
        let key = (place.file, place.offset, pointer);
        if let Some(known) = self.files.get(&key) {
            return known.clone();
        }
        let symbols = processes.symbols(place.file);
        let address = symbols.and_then(|symbols| symbols.address(place.offset));
        let symbol = symbols.zip(address).and_then(|(symbols, at)| {
            let of_call = || {
                let (name, offset) = symbols.find(at.checked_sub(1)?)?;
                Some((name, offset + 1))
            };
            let called = (pointer == Pointer::Return).then(of_call).flatten();
            called.or_else(|| symbols.find(at))
        });
        let found = Found {
            address,
            symbol: symbol.map(|symbol| self.symbol(symbol)),
        };
        remember(&mut self.files, key, &found);
        found
    }

    /// The calls that an address of a file belongs to, by the file's own count, with readable names; see [`Processes::calls`].
    pub fn calls(&mut self, processes: &mut Processes, file: FileId, address: u64) -> Arc<[Call]> {
        let key = (file, address);
        if let Some(known) = self.calls.get(&key) {
            return Arc::clone(known);
        }
        let mut found = processes.calls(file, address);
        for call in &mut found {
            let name = call.function.as_mut();
            if let Some(name) = name {
                *name = self.demangler.readable(name);
            }
        }
        let found: Arc<[Call]> = found.into();
        remember(&mut self.calls, key, &found);
        found
    }

    /// Forgets what was found in files, whose ids may be others' from now on.
    pub fn forget_files(&mut self) {
        self.files.clear();
        self.calls.clear();
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
