//! For tests: runs a template that only calculates, without a kernel.
//!
//! In come a routine and its arguments, out goes its result. Memory, helpers and maps are left out.

use crate::library;

/// What a routine returns for these arguments. Panics on an instruction that is not plain 64-bit arithmetic or a jump.
pub fn run(name: &str, arguments: &[u64]) -> u64 {
    let template = library().get(name).unwrap();
    let code: Vec<&[u8]> = template.code.chunks_exact(8).collect();
    let mut registers = [0u64; 11];
    registers[1..=arguments.len()].copy_from_slice(arguments);
    let mut at = 0;
    for _ in 0..10_000 {
        let instruction = code[at];
        let opcode = instruction[0];
        let target = usize::from(instruction[1] & 15);
        let offset = i16::from_le_bytes([instruction[2], instruction[3]]);
        let immediate = i32::from_le_bytes(instruction[4..8].try_into().unwrap());
        let left = registers[target];
        let right = if opcode & 8 != 0 {
            registers[usize::from(instruction[1] >> 4)]
        } else {
            immediate as i64 as u64
        };
        at += 1;
        match (opcode & 7, opcode & 0xf0) {
            (0, 0x10) if opcode == 0x18 => {
                let high = i32::from_le_bytes(code[at][4..8].try_into().unwrap());
                registers[target] = u64::from(immediate as u32) | u64::from(high as u32) << 32;
                at += 1;
            }
            (7, operation) => registers[target] = arithmetic(operation, left, right),
            // Of the 32-bit operations, moves alone are in use.
            (4, 0xb0) => registers[target] = u64::from(right as u32),
            (5, 0x90) => return registers[0],
            (5, operation) => {
                if condition(operation, left, right) {
                    at = at.checked_add_signed(offset.into()).unwrap();
                }
            }
            _ => panic!("{name}: opcode {opcode:#x}"),
        }
    }
    panic!("{name} does not end");
}

fn arithmetic(operation: u8, left: u64, right: u64) -> u64 {
    match operation {
        0x00 => left.wrapping_add(right),
        0x10 => left.wrapping_sub(right),
        0x20 => left.wrapping_mul(right),
        0x30 => left.checked_div(right).unwrap_or(0),
        0x40 => left | right,
        0x50 => left & right,
        0x60 => left << (right & 63),
        0x70 => left >> (right & 63),
        0x80 => left.wrapping_neg(),
        0x90 => left.checked_rem(right).unwrap_or(left),
        0xa0 => left ^ right,
        0xb0 => right,
        0xc0 => (left as i64 >> (right & 63)) as u64,
        _ => panic!("arithmetic operation {operation:#x}"),
    }
}

fn condition(operation: u8, left: u64, right: u64) -> bool {
    match operation {
        0x00 => true,
        0x10 => left == right,
        0x20 => left > right,
        0x30 => left >= right,
        0x50 => left != right,
        0x60 => left as i64 > right as i64,
        0x70 => left as i64 >= right as i64,
        0xa0 => left < right,
        0xb0 => left <= right,
        0xc0 => (left as i64) < right as i64,
        0xd0 => left as i64 <= right as i64,
        _ => panic!("jump {operation:#x}"),
    }
}

#[test]
fn division_is_that_of_c_and_never_faults() {
    let edges = [
        0,
        1,
        -1,
        2,
        -2,
        7,
        -7,
        100,
        i64::MAX,
        i64::MIN,
        i64::MIN + 1,
    ];
    for a in edges {
        for b in edges {
            let arguments = [a as u64, b as u64];
            let quotient = if b == 0 { 0 } else { a.wrapping_div(b) };
            let rest = if b == 0 { 0 } else { a.wrapping_rem(b) };
            assert_eq!(run("pf_sdiv", &arguments) as i64, quotient, "{a} / {b}");
            assert_eq!(run("pf_smod", &arguments) as i64, rest, "{a} % {b}");
        }
    }
}
