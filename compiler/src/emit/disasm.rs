//! Instructions as text, in the notation of the kernel's verifier.
//!
//! In come instructions and what they refer to, out goes a line for each. Labels and the script's lines are added by
//! `listing`.

use super::asm::{Insn, LD_IMM64, Reference, alu, class, jump, mode, pseudo, size, source};
use pfscript_probes::abi::helper;

/// The text of the instruction at `insns[index]`, and whether it takes two places (`ld_imm64`).
pub fn instruction(insns: &[Insn], index: usize, reference: Option<&Reference>) -> (String, bool) {
    let insn = insns[index];
    if insn.code == LD_IMM64 {
        let high = insns.get(index + 1).map_or(0, |second| second.imm);
        return (load_imm64(insn, high, reference), true);
    }
    let text = match insn.class() {
        class::ALU => arithmetic(insn, 'w'),
        class::ALU64 if reference == Some(&Reference::Process) => {
            format!("r{} = process", insn.dst)
        }
        class::ALU64 => arithmetic(insn, 'r'),
        class::JMP => control(insn, 'r', reference),
        class::JMP32 => control(insn, 'w', reference),
        class::LDX if insn.code & mode::MASK == mode::MEM => {
            format!("r{} = {}", insn.dst, memory(insn, insn.src))
        }
        class::ST if insn.code & mode::MASK == mode::MEM => {
            format!("{} = {}", memory(insn, insn.dst), insn.imm)
        }
        class::STX if insn.code & mode::MASK == mode::MEM => {
            format!("{} = r{}", memory(insn, insn.dst), insn.src)
        }
        class::STX if insn.code & mode::MASK == mode::ATOMIC => atomic(insn),
        _ => unknown(insn),
    };
    (text, false)
}

fn unknown(insn: Insn) -> String {
    format!(
        "unknown {:#04x} dst={} src={} off={} imm={}",
        insn.code, insn.dst, insn.src, insn.off, insn.imm
    )
}

fn load_imm64(insn: Insn, high: i32, reference: Option<&Reference>) -> String {
    let dst = insn.dst;
    match reference {
        Some(Reference::Map(symbol)) => format!("r{dst} = map[{symbol}] ll"),
        Some(Reference::Data(symbol)) => format!("r{dst} = data[{symbol}] ll"),
        Some(Reference::Callback(symbol) | Reference::Call(symbol)) => {
            format!("r{dst} = func[{symbol}] ll")
        }
        Some(Reference::Process) | None => {
            let value = u64::from(high as u32) << 32 | u64::from(insn.imm as u32);
            format!("r{dst} = {value:#x} ll")
        }
    }
}

fn memory(insn: Insn, base: u8) -> String {
    let ty = match insn.code & size::MASK {
        size::B => "u8",
        size::H => "u16",
        size::W => "u32",
        _ => "u64",
    };
    format!("*({ty} *)(r{base} {:+})", insn.off)
}

fn atomic(insn: Insn) -> String {
    /// `BPF_FETCH`: the old value goes to the source register.
    const FETCH: i32 = 0x01;
    let target = memory(insn, insn.dst);
    let src = insn.src;
    let fetch = if insn.imm & FETCH != 0 { "fetch " } else { "" };
    match (insn.imm & !FETCH) as u8 {
        alu::ADD => format!("lock {fetch}{target} += r{src}"),
        alu::OR => format!("lock {fetch}{target} |= r{src}"),
        alu::AND => format!("lock {fetch}{target} &= r{src}"),
        alu::XOR => format!("lock {fetch}{target} ^= r{src}"),
        0xe0 => format!("r{src} = xchg({target}, r{src})"),
        0xf0 => format!("r0 = cmpxchg({target}, r0, r{src})"),
        _ => unknown(insn),
    }
}

fn arithmetic(insn: Insn, register: char) -> String {
    let dst = insn.dst;
    let operator = match insn.code & alu::MASK {
        alu::ADD => "+=",
        alu::SUB => "-=",
        alu::MUL => "*=",
        alu::DIV => "/=",
        alu::OR => "|=",
        alu::AND => "&=",
        alu::LSH => "<<=",
        alu::RSH => ">>=",
        alu::MOD => "%=",
        alu::XOR => "^=",
        alu::MOV => "=",
        alu::ARSH => "s>>=",
        alu::NEG => return format!("{register}{dst} = -{register}{dst}"),
        alu::END => {
            let order = if insn.code & source::MASK == source::X {
                "be"
            } else {
                "le"
            };
            return format!("r{dst} = {order}{} r{dst}", insn.imm);
        }
        _ => return unknown(insn),
    };
    if insn.code & source::MASK == source::X {
        format!("{register}{dst} {operator} {register}{}", insn.src)
    } else {
        format!("{register}{dst} {operator} {}", insn.imm)
    }
}

fn control(insn: Insn, register: char, reference: Option<&Reference>) -> String {
    let operator = match insn.code & jump::MASK {
        jump::JA => return format!("goto {:+}", insn.off),
        jump::CALL => return call(insn, reference),
        jump::EXIT => return "exit".to_owned(),
        jump::JEQ => "==",
        jump::JGT => ">",
        jump::JGE => ">=",
        jump::JSET => "&",
        jump::JNE => "!=",
        jump::JSGT => "s>",
        jump::JSGE => "s>=",
        jump::JLT => "<",
        jump::JLE => "<=",
        jump::JSLT => "s<",
        jump::JSLE => "s<=",
        _ => return unknown(insn),
    };
    let dst = insn.dst;
    if insn.code & source::MASK == source::X {
        format!(
            "if {register}{dst} {operator} {register}{} goto {:+}",
            insn.src, insn.off
        )
    } else {
        format!(
            "if {register}{dst} {operator} {:#x} goto {:+}",
            insn.imm, insn.off
        )
    }
}

fn call(insn: Insn, reference: Option<&Reference>) -> String {
    match (reference, insn.src) {
        (Some(Reference::Call(symbol)), _) => format!("call {symbol}"),
        (_, 0) => match helper::name(insn.imm as u32) {
            Some(name) => format!("call bpf_{name}#{}", insn.imm),
            None => format!("call unknown#{}", insn.imm),
        },
        (_, pseudo::CALL) => format!("call pc{:+}", insn.imm),
        (_, pseudo::KFUNC_CALL) => format!("call kernel-function#{}", insn.imm),
        _ => unknown(insn),
    }
}
