//! The ELF file: sections, symbols and relocations, such as aya-obj and the LLVM tools read.
//!
//! - a section for each program, whose name begins with the program's type;
//! - `.text`: the functions, local symbols; calls of them are `R_BPF_64_32`, their addresses `R_BPF_64_64`;
//! - `maps`: legacy map definitions, a symbol each, which need no BTF; their addresses are `R_BPF_64_64`;
//! - `.bss`: the word that the loader sets to stop the programs; its address is `R_BPF_64_64`;
//! - `license`, `.BTF`, `.BTF.ext`.

use super::ErrorKind;
use super::asm::{Code, INSN_BYTES, Reference};
use super::debug_info;
use super::link::Linked;
use super::source::Source;
use crate::ir::MapData;
use crate::manifest::StopWord;
use object::elf::{R_BPF_64_32, R_BPF_64_64};
use object::write::{
    Object, Relocation, SectionId, StandardSection, Symbol, SymbolId, SymbolSection,
};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
};
use std::collections::HashMap;

/// The licence that the kernel is told; helpers for tracing are for GPL-compatible programs.
const LICENSE: &[u8] = b"GPL\0";
/// The name of the section of legacy map definitions.
const MAPS_SECTION: &[u8] = b"maps";

/// Writes the file.
pub fn write(linked: &Linked, source: &Source<'_>) -> Result<Vec<u8>, ErrorKind> {
    let mut writer = Writer {
        object: Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little),
        maps: HashMap::new(),
        functions: HashMap::new(),
        data: HashMap::new(),
    };
    writer.write_maps(&linked.maps);
    if linked.stop_word {
        writer.write_stop_word();
    }

    let mut sections = Vec::new();
    for program in &linked.programs {
        let name = program.section.as_bytes().to_vec();
        let section = writer
            .object
            .add_section(Vec::new(), name, SectionKind::Text);
        let entry = &program.entry;
        writer.function(section, &entry.symbol, &entry.code, SymbolScope::Dynamic);
        sections.push((section, 0, &entry.code));
    }
    if !linked.functions.is_empty() {
        let text = writer.object.section_id(StandardSection::Text);
        for function in &linked.functions {
            let (symbol, start) = writer.function(
                text,
                &function.symbol,
                &function.code,
                SymbolScope::Compilation,
            );
            writer.functions.insert(function.symbol.clone(), symbol);
            sections.push((text, start, &function.code));
        }
    }
    // Relocations last: they need all symbols.
    for (section, start, code) in sections {
        writer.relocate(section, start, code)?;
    }

    let info = debug_info::describe(linked, source);
    writer.data(b"license", LICENSE, 1, SectionKind::Data);
    writer.data(b".BTF", &info.btf, 4, SectionKind::Other);
    writer.data(b".BTF.ext", &info.ext, 4, SectionKind::Other);
    writer
        .object
        .write()
        .map_err(|error| ErrorKind::Object(error.to_string()))
}

struct Writer<'a> {
    object: Object<'a>,
    maps: HashMap<String, SymbolId>,
    functions: HashMap<String, SymbolId>,
    data: HashMap<&'static str, SymbolId>,
}

impl Writer<'_> {
    fn data(&mut self, name: &[u8], data: &[u8], align: u64, kind: SectionKind) -> SectionId {
        let section = self.object.add_section(Vec::new(), name.to_vec(), kind);
        self.object.append_section_data(section, data, align);
        section
    }

    /// Map definitions: `struct { u32 type, key_size, value_size, max_entries, flags; }`. A section without symbols
    /// would be an error to aya-obj.
    fn write_maps(&mut self, maps: &[MapData]) {
        if maps.is_empty() {
            return;
        }
        let section = self.data(MAPS_SECTION, &[], 4, SectionKind::Data);
        for map in maps {
            let definition: Vec<u8> = [
                map.map_type,
                map.key_size,
                map.value_size,
                map.max_entries,
                map.flags,
            ]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
            let start = self.object.append_section_data(section, &definition, 4);
            let symbol = self.symbol(
                &map.symbol,
                section,
                start,
                definition.len(),
                SymbolKind::Data,
                SymbolScope::Dynamic,
            );
            self.maps.insert(map.symbol.clone(), symbol);
        }
    }

    /// The word that stops programs, zero.
    fn write_stop_word(&mut self) {
        let (name, length) = (StopWord::SYMBOL, 8);
        let section = self.object.add_section(
            Vec::new(),
            StopWord::MAP.as_bytes().to_vec(),
            SectionKind::UninitializedData,
        );
        self.object.append_section_bss(section, length as u64, 8);
        let symbol = self.symbol(
            name,
            section,
            0,
            length,
            SymbolKind::Data,
            SymbolScope::Dynamic,
        );
        self.data.insert(name, symbol);
    }

    fn function(
        &mut self,
        section: SectionId,
        name: &str,
        code: &Code,
        scope: SymbolScope,
    ) -> (SymbolId, u64) {
        let start = self
            .object
            .append_section_data(section, &code.encode(), INSN_BYTES as u64);
        let symbol = self.symbol(name, section, start, code.bytes(), SymbolKind::Text, scope);
        (symbol, start)
    }

    fn symbol(
        &mut self,
        name: &str,
        section: SectionId,
        value: u64,
        size: usize,
        kind: SymbolKind,
        scope: SymbolScope,
    ) -> SymbolId {
        self.object.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value,
            size: size as u64,
            kind,
            scope,
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        })
    }

    fn relocate(&mut self, section: SectionId, start: u64, code: &Code) -> Result<(), ErrorKind> {
        for (index, reference) in &code.references {
            let (found, r_type) = match reference {
                Reference::Call(symbol) => (self.functions.get(symbol), R_BPF_64_32),
                Reference::Callback(symbol) => (self.functions.get(symbol), R_BPF_64_64),
                Reference::Map(symbol) => (self.maps.get(symbol), R_BPF_64_64),
                Reference::Data(symbol) => (self.data.get(symbol.as_str()), R_BPF_64_64),
                Reference::Process => continue,
            };
            let &symbol =
                found.ok_or_else(|| ErrorKind::Object(format!("{reference:?} has no symbol")))?;
            self.object
                .add_relocation(
                    section,
                    Relocation {
                        offset: start + (index * INSN_BYTES) as u64,
                        symbol,
                        addend: 0,
                        flags: RelocationFlags::Elf { r_type },
                    },
                )
                .map_err(|error| ErrorKind::Object(error.to_string()))?;
        }
        Ok(())
    }
}
