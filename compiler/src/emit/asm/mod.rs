//! eBPF instructions: their encoding, and an assembler with labels.
//!
//! Out come [`Code`]s: instructions, the references that the linker resolves, and the place in the script of each
//! instruction. Which instructions to use is decided elsewhere. Nothing here is newer than the instruction set's
//! version 3 without its 32-bit jumps, so everything loads on 5.10.

mod insn;

pub use insn::*;

use pfscript_grammar::Span;

/// What an instruction refers to, for the linker to resolve.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reference {
    /// A call of a function, by its symbol.
    Call(String),
    /// The address of a function (`ld_imm64`), by its symbol.
    Callback(String),
    /// A map (`ld_imm64`), by its symbol.
    Map(String),
    /// The address of data (`ld_imm64`), by its symbol.
    Data(String),
    /// The id of the process that a program is narrowed to: an immediate, that the loader sets.
    Process,
}

/// A function's instructions.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// The instructions.
    pub insns: Vec<Insn>,
    /// What they refer to: the instruction's index and the reference, by rising index.
    pub references: Vec<(usize, Reference)>,
    /// The place in the script from which on instructions come: the first instruction's index and the place, by rising index.
    pub places: Vec<(usize, Span)>,
}

impl Code {
    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        self.insns.len() * INSN_BYTES
    }

    /// As in the ELF file.
    pub fn encode(&self) -> Vec<u8> {
        self.insns.iter().flat_map(|insn| insn.encode()).collect()
    }
}

/// A place in the code to jump to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(usize);

/// Why a jump's distance cannot be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// It spans more instructions than its 16 bits can say.
    TooFar,
    /// Its label was never placed.
    NeverPlaced,
}

/// Collects instructions.
#[derive(Debug, Default)]
pub struct Assembler {
    code: Code,
    labels: Vec<Option<usize>>,
    jumps: Vec<(usize, Label)>,
}

impl Assembler {
    /// Says where in the script the next instructions come from.
    pub fn at(&mut self, place: Span) {
        let next = self.code.insns.len();
        match self.code.places.last_mut() {
            Some((_, last)) if *last == place => {}
            Some((index, last)) if *index == next => *last = place,
            _ => self.code.places.push((next, place)),
        }
    }

    /// Appends an instruction.
    pub fn push(&mut self, insn: Insn) {
        self.code.insns.push(insn);
    }

    /// `dst = src`, unless they are the same.
    pub fn mov(&mut self, dst: Reg, src: Reg) {
        if dst != src {
            self.push(Insn::alu64(alu::MOV, dst, src));
        }
    }

    /// `dst = imm`
    pub fn mov_imm(&mut self, dst: Reg, imm: i64) {
        match i32::try_from(imm) {
            Ok(imm) => self.push(Insn::alu64_imm(alu::MOV, dst, imm)),
            Err(_) => self.code.insns.extend(Insn::load_imm64(dst, imm as u64)),
        }
    }

    /// `dst = map`
    pub fn mov_map(&mut self, dst: Reg, symbol: &str) {
        self.refer(Reference::Map(symbol.to_owned()));
        self.code.insns.extend(Insn::load_imm64(dst, 0));
    }

    /// `dst = function`
    pub fn mov_function(&mut self, dst: Reg, symbol: &str) {
        self.refer(Reference::Callback(symbol.to_owned()));
        self.code.insns.extend(Insn::load_imm64(dst, 0));
    }

    /// `dst = id of the process`, 0 until the loader sets it
    pub fn mov_process(&mut self, dst: Reg) {
        self.refer(Reference::Process);
        self.mov_imm(dst, 0);
    }

    /// `dst = address of data`
    pub fn mov_data(&mut self, dst: Reg, symbol: &str) {
        self.refer(Reference::Data(symbol.to_owned()));
        self.code.insns.extend(Insn::load_imm64(dst, 0));
    }

    /// Calls a function.
    pub fn call(&mut self, symbol: &str) {
        self.refer(Reference::Call(symbol.to_owned()));
        self.push(Insn::call_function());
    }

    fn refer(&mut self, reference: Reference) {
        let index = self.code.insns.len();
        self.code.references.push((index, reference));
    }

    /// A label, not yet placed.
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// Places a label before the next instruction.
    pub fn place(&mut self, label: Label) {
        self.labels[label.0] = Some(self.code.insns.len());
    }

    /// Appends a jump, whose distance is filled in later.
    pub fn push_jump(&mut self, insn: Insn, label: Label) {
        self.jumps.push((self.code.insns.len(), label));
        self.push(insn);
    }

    /// Fills in the jumps' distances.
    pub fn finish(mut self) -> Result<Code, Unresolved> {
        for &(index, label) in &self.jumps {
            let target = self.labels[label.0].ok_or(Unresolved::NeverPlaced)?;
            let distance = target as i64 - (index as i64 + 1);
            self.code.insns[index].off = i16::try_from(distance).map_err(|_| Unresolved::TooFar)?;
        }
        Ok(self.code)
    }
}
