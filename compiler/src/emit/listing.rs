//! The object's code as text: what `-d asm` prints.
//!
//! In come linked programs and functions, out go their instructions with labels and the script's lines, once somebody
//! reads them: a start would spend a third of its compilation on them otherwise. Nothing here changes what is emitted.

use super::asm::{Code, class, jump};
use super::disasm::instruction;
use super::link::Linked;
use super::source::Source;
use crate::ir::text;
use std::fmt::{self, Write};

/// Maps, programs and functions, which are listed when this is displayed.
#[derive(Clone, Debug)]
pub struct Listing {
    pub(super) linked: Linked,
    pub(super) source_name: String,
    pub(super) source: String,
}

impl fmt::Display for Listing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = Source::new(&self.source_name, &self.source);
        for map in &self.linked.maps {
            writeln!(out, "{}", text::map(map))?;
        }
        for program in &self.linked.programs {
            writeln!(out, "\n{}: {}", program.section, program.entry.symbol)?;
            code(out, &program.entry.code, &source)?;
        }
        for function in &self.linked.functions {
            writeln!(out, "\n.text: {}", function.symbol)?;
            code(out, &function.code, &source)?;
        }
        Ok(())
    }
}

/// Lists a function. Where jumps go is a label, numbered in the order of the targets.
fn code(out: &mut impl Write, code: &Code, source: &Source<'_>) -> fmt::Result {
    let mut targets: Vec<usize> = (0..code.insns.len())
        .filter_map(|index| target(code, index))
        .collect();
    targets.sort_unstable();
    targets.dedup();
    let label = |target| targets.partition_point(|&other| other <= target);
    let mut places = code.places.iter().peekable();
    let mut references = code.references.iter().peekable();
    let mut last_line = 0;
    let mut index = 0;
    while index < code.insns.len() {
        if targets.binary_search(&index).is_ok() {
            writeln!(out, "L{}:", label(index))?;
        }
        while let Some((_, span)) = places.next_if(|(start, _)| *start <= index) {
            let line = source.position(*span).line;
            if line != last_line {
                writeln!(out, "; {}:{line}: {}", source.name, source.line(line))?;
                last_line = line;
            }
        }
        let reference = references
            .next_if(|(at, _)| *at == index)
            .map(|(_, reference)| reference);
        let (mut text, wide) = instruction(&code.insns, index, reference);
        if let Some(target) = target(code, index)
            && let Some((before, _distance)) = text.rsplit_once(' ')
        {
            text = format!("{before} L{}", label(target));
        }
        writeln!(out, "{index:4}: {text}")?;
        index += if wide { 2 } else { 1 };
    }
    Ok(())
}

/// Where the instruction at `index` jumps to, if it is a jump.
fn target(code: &Code, index: usize) -> Option<usize> {
    let insn = code.insns[index];
    let jumps = matches!(insn.class(), class::JMP | class::JMP32)
        && !matches!(insn.code & jump::MASK, jump::CALL | jump::EXIT);
    let next = index + 1;
    jumps
        .then(|| next.checked_add_signed(insn.off.into()))
        .flatten()
}
