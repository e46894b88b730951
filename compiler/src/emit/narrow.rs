//! The guard of programs that a session can narrow to one process.
//!
//! In comes a program's code, out goes the same with some instructions before it, which leave at once if the loader has
//! put a process id into the object's read-only data and another process runs. The verifier takes the word for the
//! constant that it is by then (`bpf_map_is_rdonly`, kernel/bpf/verifier.c, Linux 5.5) and removes what it makes dead:
//! where no process is named, a load is all that is left. Which programs are narrowed is not decided here.

use super::asm::{Assembler, Code, Insn, R0, R1, R2, R6, R7, Unresolved, alu, jump, size};
use crate::manifest::ReadOnlyData;
use pfscript_probes::abi::helper;

/// Puts the guard before a program's code.
///
/// # Errors
/// Never in practice: the jumps span some ten instructions.
pub fn guarded(code: Code) -> Result<Code, Unresolved> {
    let mut assembler = Assembler::default();
    let ours = assembler.label();
    if let Some(&(_, place)) = code.places.first() {
        assembler.at(place);
    }
    assembler.mov_data(R2, ReadOnlyData::PROCESS);
    assembler.push(Insn::load(size::DW, R2, R2, 0));
    assembler.push_jump(Insn::jump_imm(jump::JEQ, R2, 0, 0), ours);
    // The context is the program's first argument, and calls take the registers of arguments.
    assembler.mov(R6, R1);
    assembler.mov(R7, R2);
    assembler.push(Insn::call_helper(helper::GET_CURRENT_PID_TGID));
    assembler.push(Insn::alu64_imm(alu::RSH, R0, 32));
    assembler.mov(R1, R6);
    assembler.push_jump(Insn::jump(jump::JEQ, R0, R7, 0), ours);
    assembler.mov_imm(R0, 0);
    assembler.push(Insn::exit());
    assembler.place(ours);
    let mut whole = assembler.finish()?;
    append(&mut whole, code);
    Ok(whole)
}

/// Appends code that no jump leads into from before; its own jumps are relative.
fn append(whole: &mut Code, code: Code) {
    let start = whole.insns.len();
    whole.insns.extend(code.insns);
    let references = code.references.into_iter();
    whole
        .references
        .extend(references.map(|(at, reference)| (start + at, reference)));
    let places = code
        .places
        .into_iter()
        .map(|(at, place)| (start + at, place));
    for (at, place) in places {
        if whole.places.last().is_none_or(|&(_, last)| last != place) {
            whole.places.push((at, place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::asm::Reference;
    use pfscript_grammar::Span;
    use pfscript_probes::abi::LOSS_ROUTINE;

    #[test]
    fn what_the_code_refers_to_moves_with_it() {
        let mut assembler = Assembler::default();
        assembler.at(Span::new(3, 5));
        assembler.mov_imm(R0, 0);
        assembler.at(Span::new(7, 9));
        assembler.call(LOSS_ROUTINE);
        assembler.push(Insn::exit());
        let plain = assembler.finish().unwrap();
        let whole = guarded(plain.clone()).unwrap();
        let before = whole.insns.len() - plain.insns.len();
        assert_eq!(whole.insns[before..], plain.insns[..]);
        let data = Reference::Data(ReadOnlyData::PROCESS.to_owned());
        let call = Reference::Call(LOSS_ROUTINE.to_owned());
        assert_eq!(whole.references, [(0, data), (before + 1, call)]);
        // The guard is where the program begins.
        let places = [(0, Span::new(3, 5)), (before + 1, Span::new(7, 9))];
        assert_eq!(whole.places, places);
    }
}
