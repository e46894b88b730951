//! From a place in the kernel or in an ELF file to a function, with a memory of what was asked.
//!
//! In come a place in a file that a process had mapped, or a kernel address; out goes a name and the distance from its start.
//! Lines and inlined functions are left out.

use super::demangle::Demangler;
use crate::processes::{FileId, Place, Processes};
use blazesym::MaybeDefault;
use blazesym::symbolize::source::{Kernel, Source};
use blazesym::symbolize::{Input, Symbolizer};
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
#[derive(Default)]
pub struct Functions {
    symbolizer: Option<Symbolizer>,
    kernel: HashMap<u64, Option<Symbol>>,
    files: HashMap<(FileId, u64), Option<Symbol>>,
    demangler: Demangler,
}

impl std::fmt::Debug for Functions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Functions")
            .field("kernel", &self.kernel.len())
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

/// The lowest address of the kernel's half, on x86-64 and arm64 alike.
const KERNEL_HALF: u64 = 1 << 63;

impl Functions {
    /// The kernel function at an address, by /proc/kallsyms.
    pub fn kernel(&mut self, address: u64) -> Option<Symbol> {
        if address < KERNEL_HALF {
            // The symbol table begins with offsets of per-CPU variables, which are no addresses.
            return None;
        }
        if let Some(known) = self.kernel.get(&address) {
            return known.clone();
        }
        let found = self.look_up(address);
        self.kernel.insert(address, found.clone());
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
        let found = found.map(|(name, offset)| Symbol {
            name: self.demangler.readable(&name).into(),
            offset,
        });
        self.files.insert(key, found.clone());
        found
    }

    fn look_up(&mut self, address: u64) -> Option<Symbol> {
        let symbolizer = self.symbolizer.get_or_insert_with(|| {
            Symbolizer::builder()
                .enable_auto_reload(false)
                .enable_code_info(false)
                .enable_inlined_fns(false)
                .enable_demangling(false)
                .build()
        });
        let source = Source::Kernel(Kernel {
            vmlinux: MaybeDefault::None,
            kaslr_offset: Some(0),
            debug_syms: false,
            ..Kernel::default()
        });
        let symbol = symbolizer
            .symbolize_single(&source, Input::AbsAddr(address))
            .ok()?
            .into_sym()?;
        Some(Symbol {
            name: self.demangler.readable(&symbol.name).into(),
            offset: symbol.offset as u64,
        })
    }
}
