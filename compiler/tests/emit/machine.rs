//! A small eBPF machine, so that what is emitted can be run without a kernel: one program, linked by aya-obj.
//!
//! It is stricter than a processor: memory that was never written and registers that a call clobbered hold poison, and
//! an access outside its region stops the test.

use aya_obj::Object;
use pfscript_compiler::emit::asm::{Insn, LD_IMM64, alu, class, jump, pseudo, size, source};

const POISON: u64 = 0xdead_beef_dead_beef;
const POISON_BYTE: u8 = 0xa5;
const STACK_BYTES: usize = 512;
/// Bytes between regions' addresses.
const REGION: u64 = 1 << 32;

/// Where instructions are, as addresses of functions say it.
const CODE: u64 = 1 << 60;

/// Regions by their number.
const CONTEXT: u64 = 1;
const FIRST_MAP: u64 = 2;
const FIRST_STACK: u64 = 64;

/// A program and its memory.
pub struct Machine {
    insns: Vec<Insn>,
    regions: Vec<(u64, Vec<u8>)>,
    /// Instructions run so far.
    pub steps: usize,
}

/// The number that stands for a map's descriptor in the code.
pub fn map_number(index: usize) -> i32 {
    FIRST_MAP as i32 + index as i32
}

impl Machine {
    /// Loads a program whose maps were linked by [`map_number`]; `maps` are their values.
    pub fn new(object: &Object, program: &str, context: &[u64], maps: &[usize]) -> Machine {
        let function = &object.functions[&object.programs[program].function_key()];
        let insns = function.instructions.iter().map(|insn| Insn {
            code: insn.code,
            dst: insn.dst_reg(),
            src: insn.src_reg(),
            off: insn.off,
            imm: insn.imm,
        });
        let context = context.iter().flat_map(|word| word.to_le_bytes()).collect();
        let maps = maps.iter().enumerate();
        Machine {
            insns: insns.collect(),
            regions: std::iter::once((CONTEXT * REGION, context))
                .chain(
                    maps.map(|(index, &bytes)| (map_number(index) as u64 * REGION, vec![0; bytes])),
                )
                .collect(),
            steps: 0,
        }
    }

    /// The bytes of a map's value.
    pub fn map(&self, index: usize) -> &[u8] {
        &self.regions[index + 1].1
    }

    /// Runs the program to its exit; its result.
    pub fn run(&mut self) -> u64 {
        self.call(0, [CONTEXT * REGION, POISON, POISON, POISON, POISON], 0)
    }

    fn call(&mut self, start: usize, args: [u64; 5], depth: u64) -> u64 {
        let stack = (FIRST_STACK + depth) * REGION;
        self.regions.push((stack, vec![POISON_BYTE; STACK_BYTES]));
        let mut r = [POISON; 11];
        r[1..6].copy_from_slice(&args);
        r[10] = stack + STACK_BYTES as u64;
        let mut pc = start;
        loop {
            self.steps += 1;
            assert!(self.steps < 1_000_000, "the program does not end");
            let insn = self.insns[pc];
            pc += 1;
            let (dst, src) = (usize::from(insn.dst), usize::from(insn.src));
            let operand = if insn.code & source::MASK == source::X {
                r[src]
            } else {
                insn.imm as i64 as u64
            };
            match insn.class() {
                _ if insn.code == LD_IMM64 => {
                    let high = self.insns[pc].imm;
                    pc += 1;
                    r[dst] = match insn.src {
                        pseudo::MAP_FD => insn.imm as u64 * REGION,
                        // From the instruction on, which has two halves.
                        pseudo::FUNC => CODE + (pc as i64 - 1 + i64::from(insn.imm)) as u64,
                        _ => u64::from(high as u32) << 32 | u64::from(insn.imm as u32),
                    };
                }
                class::ALU64 => r[dst] = arithmetic(insn, r[dst], operand),
                class::ALU => {
                    let result = arithmetic(insn, r[dst] as u32 as u64, operand as u32 as u64);
                    r[dst] = result as u32 as u64;
                }
                class::LDX => {
                    let bytes = self.memory(r[src], insn.off, insn.code);
                    let mut word = [0; 8];
                    word[..bytes.len()].copy_from_slice(bytes);
                    r[dst] = u64::from_le_bytes(word);
                }
                class::ST | class::STX => {
                    let value = if insn.class() == class::STX {
                        r[src]
                    } else {
                        insn.imm as i64 as u64
                    };
                    let bytes = self.memory(r[dst], insn.off, insn.code);
                    bytes.copy_from_slice(&value.to_le_bytes()[..bytes.len()]);
                }
                class::JMP => match insn.code & jump::MASK {
                    jump::EXIT => {
                        self.regions.pop();
                        return r[0];
                    }
                    jump::CALL => {
                        let args = [r[1], r[2], r[3], r[4], r[5]];
                        r[0] = if insn.src == pseudo::CALL {
                            let target = (pc as i64 + i64::from(insn.imm)) as usize;
                            self.call(target, args, depth + 1)
                        } else {
                            self.helper(insn.imm, args, depth)
                        };
                        r[1..6].fill(POISON);
                    }
                    op => {
                        if taken(op, r[dst], operand) {
                            pc = (pc as i64 + i64::from(insn.off)) as usize;
                        }
                    }
                },
                other => panic!("class {other} at {pc}"),
            }
        }
    }

    fn helper(&mut self, number: i32, args: [u64; 5], depth: u64) -> u64 {
        match number {
            // loop
            181 => {
                let mut taken = 0;
                while taken < args[0] {
                    let call = [taken, args[2], POISON, POISON, POISON];
                    taken += 1;
                    if self.call((args[1] - CODE) as usize, call, depth + 1) != 0 {
                        break;
                    }
                }
                taken
            }
            // map_lookup_elem: every map has one element.
            1 => args[0],
            other => panic!("helper {other}"),
        }
    }

    fn memory(&mut self, base: u64, offset: i16, code: u8) -> &mut [u8] {
        let address = base.wrapping_add_signed(offset.into());
        let bytes: usize = match code & size::MASK {
            size::B => 1,
            size::H => 2,
            size::W => 4,
            _ => 8,
        };
        assert_eq!(address % bytes as u64, 0, "misaligned access");
        let regions = self.regions.iter_mut();
        let (start, memory) = regions
            .rev()
            .find(|(start, _)| *start == address / REGION * REGION)
            .unwrap_or_else(|| panic!("access at {address:#x}"));
        let at = (address - *start) as usize;
        &mut memory[at..at + bytes]
    }
}

fn arithmetic(insn: Insn, a: u64, b: u64) -> u64 {
    let wide = insn.class() == class::ALU64;
    match insn.code & alu::MASK {
        alu::ADD => a.wrapping_add(b),
        alu::SUB => a.wrapping_sub(b),
        alu::MUL => a.wrapping_mul(b),
        alu::DIV => a.checked_div(b).unwrap_or(0),
        alu::OR => a | b,
        alu::AND => a & b,
        alu::LSH if wide => a.wrapping_shl(b as u32),
        alu::RSH if wide => a.wrapping_shr(b as u32),
        alu::ARSH if wide => (a as i64).wrapping_shr(b as u32) as u64,
        alu::NEG => a.wrapping_neg(),
        alu::MOD => a.checked_rem(b).unwrap_or(a),
        alu::XOR => a ^ b,
        alu::MOV => b,
        other => panic!("operation {other:#x}"),
    }
}

fn taken(op: u8, a: u64, b: u64) -> bool {
    let (x, y) = (a as i64, b as i64);
    match op {
        jump::JA => true,
        jump::JEQ => a == b,
        jump::JGT => a > b,
        jump::JGE => a >= b,
        jump::JSET => a & b != 0,
        jump::JNE => a != b,
        jump::JSGT => x > y,
        jump::JSGE => x >= y,
        jump::JLT => a < b,
        jump::JLE => a <= b,
        jump::JSLT => x < y,
        jump::JSLE => x <= y,
        other => panic!("jump {other:#x}"),
    }
}
