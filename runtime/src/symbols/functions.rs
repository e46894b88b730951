//! From a place in the kernel or in an ELF file to a function: blazesym with a memory of what was asked.
//!
//! In come an open file and an offset, or a kernel address; out goes a name and the distance from its start. Lines and inlined
//! functions are left out.

use super::demangle::Demangler;
use crate::elf;
use crate::processes::{FileId, Mapped};
use blazesym::MaybeDefault;
use blazesym::symbolize::source::{Elf, Kernel, Source};
use blazesym::symbolize::{Input, Symbolizer};
use pfscript_compiler::facts::Binary;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
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
    sources: HashMap<FileId, SymbolFiles>,
    demangler: Demangler,
}

/// Where a file's symbols are.
struct SymbolFiles {
    layout: Binary,
    /// A file that holds nothing but its symbols, where one is installed.
    beside: Option<PathBuf>,
}

impl std::fmt::Debug for Functions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Functions")
            .field("kernel", &self.kernel.len())
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

/// Where distributions put the symbols of stripped files.
const DEBUG_FILES: &str = "/usr/lib/debug/.build-id";

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
        let kernel = Kernel {
            vmlinux: MaybeDefault::None,
            kaslr_offset: Some(0),
            debug_syms: false,
            ..Kernel::default()
        };
        let found = self.look_up(&Source::Kernel(kernel), Input::AbsAddr(address));
        self.kernel.insert(address, found.clone());
        found
    }

    /// The function at an offset in a file: by the symbols that were installed beside a stripped file, else by its own.
    pub fn file(&mut self, id: FileId, file: &Mapped, offset: u64) -> Option<Symbol> {
        if let Some(known) = self.files.get(&(id, offset)) {
            return known.clone();
        }
        let (own, handle) = (file.readable()?, file.handle()?);
        let source = self.sources.entry(id).or_insert_with(|| {
            let layout = elf::read_layout(handle).unwrap_or_default();
            let beside = debug_file(&layout.build_id).filter(|path| path.exists());
            SymbolFiles { layout, beside }
        });
        let found = match (source.beside.clone(), source.layout.address(offset)) {
            (Some(path), Some(address)) => self.elf(path, Input::VirtOffset(address)),
            _ => None,
        }
        .or_else(|| self.elf(own, Input::FileOffset(offset)));
        self.files.insert((id, offset), found.clone());
        found
    }

    fn elf(&mut self, path: PathBuf, place: Input<u64>) -> Option<Symbol> {
        let mut elf = Elf::new(path);
        elf.debug_syms = false;
        self.look_up(&Source::Elf(elf), place)
    }

    fn look_up(&mut self, source: &Source<'_>, place: Input<u64>) -> Option<Symbol> {
        let symbolizer = self.symbolizer.get_or_insert_with(|| {
            Symbolizer::builder()
                .enable_auto_reload(false)
                .enable_code_info(false)
                .enable_inlined_fns(false)
                .enable_demangling(false)
                .build()
        });
        let symbol = symbolizer
            .symbolize_single(source, place)
            .ok()?
            .into_sym()?;
        Some(Symbol {
            name: self.demangler.readable(&symbol.name).into(),
            offset: symbol.offset as u64,
        })
    }
}

/// Where the symbols of a stripped file would be if they were installed.
fn debug_file(build_id: &[u8]) -> Option<PathBuf> {
    let (first, rest) = build_id.split_first()?;
    let mut path = format!("{DEBUG_FILES}/{first:02x}/");
    for byte in rest {
        // Writing to a String can't fail.
        let _ = write!(path, "{byte:02x}");
    }
    path.push_str(".debug");
    Some(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_beside_a_file_are_found_by_its_build_id() {
        assert_eq!(
            debug_file(&[0xab, 1, 2]),
            Some(PathBuf::from("/usr/lib/debug/.build-id/ab/0102.debug"))
        );
        assert_eq!(debug_file(&[]), None);
    }
}
