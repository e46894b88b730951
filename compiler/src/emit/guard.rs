//! The guards before a program: it leaves at once if the session has stopped it, or if it is not for this process.
//!
//! In comes a program's code, out goes the same with some instructions before it. To stop programs is to set a word of the
//! object's data, which they read each time. To narrow them to a process, the loader puts its id into the instruction before
//! it loads: where it stays 0, the verifier removes what that makes dead, and one move of a constant is all that is left.
//! Which programs have which guard is not decided here.

use super::asm::{Assembler, Code, Insn, R0, R1, R2, R6, R7, Unresolved, alu, jump, size};
use crate::ir::ProbeData;
use crate::manifest::StopWord;
use pfscript_probes::abi::helper;

/// Puts the guards of a probe before its program's code.
///
/// # Errors
/// Never in practice: the jumps span some ten instructions.
pub fn guarded(probe: &ProbeData, code: Code) -> Result<Code, Unresolved> {
    if !probe.narrowed && !probe.stops {
        return Ok(code);
    }
    let mut assembler = Assembler::default();
    if let Some(&(_, place)) = code.places.first() {
        assembler.at(place);
    }
    if probe.stops {
        stop(&mut assembler);
    }
    if probe.narrowed {
        narrow(&mut assembler);
    }
    let mut whole = assembler.finish()?;
    append(&mut whole, code);
    Ok(whole)
}

/// Leaves if the session has stopped its programs.
fn stop(assembler: &mut Assembler) {
    let goes_on = assembler.label();
    assembler.mov_data(R2, StopWord::SYMBOL);
    assembler.push(Insn::load(size::DW, R2, R2, 0));
    assembler.push_jump(Insn::jump_imm(jump::JEQ, R2, 0, 0), goes_on);
    assembler.mov_imm(R0, 0);
    assembler.push(Insn::exit());
    assembler.place(goes_on);
}

/// Leaves if the session has named a process and another one runs.
fn narrow(assembler: &mut Assembler) {
    let ours = assembler.label();
    assembler.mov_process(R2);
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
    use crate::ir::FuncId;
    use crate::program::ProgramKind;
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
        let mut probe = ProbeData {
            kind: ProgramKind::Tracepoint,
            narrowed: false,
            stops: false,
            body: FuncId::from_u32(0),
        };
        let unguarded = guarded(&probe, plain.clone()).unwrap();
        assert_eq!(unguarded.insns, plain.insns);
        probe.narrowed = true;
        let whole = guarded(&probe, plain.clone()).unwrap();
        let before = whole.insns.len() - plain.insns.len();
        assert_eq!(whole.insns[before..], plain.insns[..]);
        let call = Reference::Call(LOSS_ROUTINE.to_owned());
        assert_eq!(
            whole.references,
            [(0, Reference::Process), (before + 1, call)]
        );
        // The guard is where the program begins.
        let places = [(0, Span::new(3, 5)), (before + 1, Span::new(7, 9))];
        assert_eq!(whole.places, places);
        // That it is stopped is asked first.
        probe.stops = true;
        let both = guarded(&probe, plain.clone()).unwrap();
        let stop = Reference::Data(StopWord::SYMBOL.to_owned());
        assert_eq!(both.references.first(), Some(&(0, stop)));
        assert!(both.insns.ends_with(&whole.insns));
    }
}
