//! The object's code as text: what `-d asm` prints.

use super::asm::Code;
use super::disasm::instruction;
use super::link::Linked;
use super::source::Source;
use std::fmt::Write;

/// Lists maps, programs and functions.
pub fn write(linked: &Linked, source: &Source<'_>) -> String {
    let mut out = String::new();
    for map in &linked.maps {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(
            out,
            "map {}: type {} key {} value {} entries {} flags {:#x}",
            map.symbol, map.map_type, map.key_size, map.value_size, map.max_entries, map.flags
        );
    }
    for program in &linked.programs {
        let _ = writeln!(out, "\n{}: {}", program.section, program.entry.symbol);
        code(&mut out, &program.entry.code, source);
    }
    for function in &linked.functions {
        let _ = writeln!(out, "\n.text: {}", function.symbol);
        code(&mut out, &function.code, source);
    }
    out
}

fn code(out: &mut String, code: &Code, source: &Source<'_>) {
    let mut places = code.places.iter().peekable();
    let mut references = code.references.iter().peekable();
    let mut last_line = 0;
    let mut index = 0;
    while index < code.insns.len() {
        while let Some((_, span)) = places.next_if(|(start, _)| *start <= index) {
            let line = source.position(*span).line;
            if line != last_line {
                let _ = writeln!(out, "; {}:{line}: {}", source.name, source.line(line));
                last_line = line;
            }
        }
        let reference = references
            .next_if(|(at, _)| *at == index)
            .map(|(_, reference)| reference);
        let (text, wide) = instruction(&code.insns, index, reference);
        let _ = writeln!(out, "{index:4}: {text}");
        index += if wide { 2 } else { 1 };
    }
}
