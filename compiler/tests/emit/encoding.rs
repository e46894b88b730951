//! Instructions as bytes. The expected ones are what `llvm-mc-19 -triple=bpfel -show-encoding` gives for the text beside.

use pfscript_compiler::emit::asm::{
    Insn, R0, R1, R2, R3, R6, R9, R10, Reference, alu, jump, pseudo, size,
};
use pfscript_compiler::emit::disasm::instruction;

#[test]
fn instructions_are_encoded_as_llvm_encodes_them() {
    let call = Insn::call_function();
    for (insn, bytes, text) in [
        (
            Insn::alu64(alu::MOV, R6, R1),
            [0xbf, 0x16, 0, 0, 0, 0, 0, 0],
            "r6 = r1",
        ),
        (
            Insn::alu64_imm(alu::MOV, R2, -16),
            [0xb7, 0x02, 0, 0, 0xf0, 0xff, 0xff, 0xff],
            "r2 = -16",
        ),
        (
            Insn::alu64_imm(alu::ADD, R2, -24),
            [0x07, 0x02, 0, 0, 0xe8, 0xff, 0xff, 0xff],
            "r2 += -24",
        ),
        (
            Insn::alu64(alu::SUB, R1, R2),
            [0x1f, 0x21, 0, 0, 0, 0, 0, 0],
            "r1 -= r2",
        ),
        (
            Insn::alu64(alu::MUL, R1, R2),
            [0x2f, 0x21, 0, 0, 0, 0, 0, 0],
            "r1 *= r2",
        ),
        (
            Insn::alu64_imm(alu::DIV, R1, 1000),
            [0x37, 0x01, 0, 0, 0xe8, 0x03, 0, 0],
            "r1 /= 1000",
        ),
        (
            Insn::alu64(alu::OR, R1, R2),
            [0x4f, 0x21, 0, 0, 0, 0, 0, 0],
            "r1 |= r2",
        ),
        (
            Insn::alu64_imm(alu::AND, R1, 255),
            [0x57, 0x01, 0, 0, 0xff, 0, 0, 0],
            "r1 &= 255",
        ),
        (
            Insn::alu64_imm(alu::LSH, R0, 32),
            [0x67, 0, 0, 0, 0x20, 0, 0, 0],
            "r0 <<= 32",
        ),
        (
            Insn::alu64(alu::RSH, R1, R2),
            [0x7f, 0x21, 0, 0, 0, 0, 0, 0],
            "r1 >>= r2",
        ),
        (
            Insn::alu64_imm(alu::NEG, R1, 0),
            [0x87, 0x01, 0, 0, 0, 0, 0, 0],
            "r1 = -r1",
        ),
        (
            Insn::alu64(alu::MOD, R1, R2),
            [0x9f, 0x21, 0, 0, 0, 0, 0, 0],
            "r1 %= r2",
        ),
        (
            Insn::alu64(alu::XOR, R1, R2),
            [0xaf, 0x21, 0, 0, 0, 0, 0, 0],
            "r1 ^= r2",
        ),
        (
            Insn::alu64_imm(alu::ARSH, R3, 56),
            [0xc7, 0x03, 0, 0, 0x38, 0, 0, 0],
            "r3 s>>= 56",
        ),
        (
            Insn::mov32(R3, R1),
            [0xbc, 0x13, 0, 0, 0, 0, 0, 0],
            "w3 = w1",
        ),
        (
            Insn::load(size::DW, R0, R10, -8),
            [0x79, 0xa0, 0xf8, 0xff, 0, 0, 0, 0],
            "r0 = *(u64 *)(r10 -8)",
        ),
        (
            Insn::load(size::W, R1, R6, 16),
            [0x61, 0x61, 0x10, 0, 0, 0, 0, 0],
            "r1 = *(u32 *)(r6 +16)",
        ),
        (
            Insn::load(size::H, R1, R6, 2),
            [0x69, 0x61, 0x02, 0, 0, 0, 0, 0],
            "r1 = *(u16 *)(r6 +2)",
        ),
        (
            Insn::load(size::B, R1, R9, 0),
            [0x71, 0x91, 0, 0, 0, 0, 0, 0],
            "r1 = *(u8 *)(r9 +0)",
        ),
        (
            Insn::store(size::DW, R10, -16, R0),
            [0x7b, 0x0a, 0xf0, 0xff, 0, 0, 0, 0],
            "*(u64 *)(r10 -16) = r0",
        ),
        (
            Insn::store(size::B, R9, 5, R1),
            [0x73, 0x19, 0x05, 0, 0, 0, 0, 0],
            "*(u8 *)(r9 +5) = r1",
        ),
        (
            Insn::store_imm(size::W, R10, -4, 7),
            [0x62, 0x0a, 0xfc, 0xff, 0x07, 0, 0, 0],
            "*(u32 *)(r10 -4) = 7",
        ),
        (
            Insn::store_imm(size::DW, R10, -8, -1),
            [0x7a, 0x0a, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff],
            "*(u64 *)(r10 -8) = -1",
        ),
        (
            Insn::jump_imm(jump::JEQ, R1, 0, 3),
            [0x15, 0x01, 0x03, 0, 0, 0, 0, 0],
            "if r1 == 0x0 goto +3",
        ),
        (
            Insn::jump(jump::JSLT, R1, R2, -2),
            [0xcd, 0x21, 0xfe, 0xff, 0, 0, 0, 0],
            "if r1 s< r2 goto -2",
        ),
        (Insn::goto(5), [0x05, 0, 0x05, 0, 0, 0, 0, 0], "goto +5"),
        (
            Insn::call_helper(14),
            [0x85, 0, 0, 0, 0x0e, 0, 0, 0],
            "call bpf_get_current_pid_tgid#14",
        ),
        (
            call,
            [0x85, 0x10, 0, 0, 0xff, 0xff, 0xff, 0xff],
            "call pc-1",
        ),
        (Insn::exit(), [0x95, 0, 0, 0, 0, 0, 0, 0], "exit"),
    ] {
        assert_eq!(insn.encode(), bytes, "{text}");
        assert_eq!(Insn::decode(bytes), insn, "{text}");
        assert_eq!(instruction(&[insn], 0, None), (text.to_owned(), false));
    }
}

#[test]
fn a_64_bit_constant_takes_two_instructions() {
    let load = Insn::load_imm64(R1, 0x1122_3344_5566_7788);
    assert_eq!(
        load.map(Insn::encode),
        [
            [0x18, 0x01, 0, 0, 0x88, 0x77, 0x66, 0x55],
            [0, 0, 0, 0, 0x44, 0x33, 0x22, 0x11],
        ]
    );
    let text = instruction(&load, 0, None);
    assert_eq!(text, ("r1 = 0x1122334455667788 ll".to_owned(), true));
}

#[test]
fn references_are_shown_by_their_symbols() {
    let map = Reference::Map("pf_map_loss".to_owned());
    let load = Insn::load_imm64(R1, 0);
    assert_eq!(
        instruction(&load, 0, Some(&map)).0,
        "r1 = map[pf_map_loss] ll"
    );
    let call = Reference::Call("pf_count".to_owned());
    assert_eq!(
        instruction(&[Insn::call_function()], 0, Some(&call)).0,
        "call pf_count"
    );
    let kernel = Insn {
        src: pseudo::KFUNC_CALL,
        imm: 77,
        ..Insn::call_function()
    };
    assert_eq!(instruction(&[kernel], 0, None).0, "call kernel-function#77");
}
