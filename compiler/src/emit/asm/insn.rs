//! eBPF instructions: registers, opcodes, and their encoding.
//!
//! In come opcodes and operands, out go instructions and their 8 bytes. Labels and references are the assembler's.

use std::fmt;

/// A register.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reg(pub u8);

impl fmt::Debug for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// Results of calls.
pub const R0: Reg = Reg(0);
/// First argument.
pub const R1: Reg = Reg(1);
/// Second argument.
pub const R2: Reg = Reg(2);
/// Third argument.
pub const R3: Reg = Reg(3);
/// Fourth argument.
pub const R4: Reg = Reg(4);
/// Fifth argument.
pub const R5: Reg = Reg(5);
/// First of those that calls preserve.
pub const R6: Reg = Reg(6);
/// Preserved by calls.
pub const R7: Reg = Reg(7);
/// Preserved by calls.
pub const R8: Reg = Reg(8);
/// Last of those that calls preserve.
pub const R9: Reg = Reg(9);
/// The stack pointer, read-only: the stack lies below it.
pub const R10: Reg = Reg(10);

/// The registers that arguments of calls go to.
pub const ARGUMENTS: [Reg; 5] = [R1, R2, R3, R4, R5];

/// Size of an instruction in bytes; `ld_imm64` takes two.
pub const INSN_BYTES: usize = 8;

/// `BPF_CLASS`: the low three bits of the opcode.
pub mod class {
    /// Mask of the class.
    pub const MASK: u8 = 0x07;
    /// `ld_imm64`, and legacy packet loads.
    pub const LD: u8 = 0x00;
    /// Load into a register.
    pub const LDX: u8 = 0x01;
    /// Store of an immediate.
    pub const ST: u8 = 0x02;
    /// Store of a register.
    pub const STX: u8 = 0x03;
    /// 32-bit arithmetic.
    pub const ALU: u8 = 0x04;
    /// 64-bit jumps, calls, exit.
    pub const JMP: u8 = 0x05;
    /// Jumps on 32-bit comparisons.
    pub const JMP32: u8 = 0x06;
    /// 64-bit arithmetic.
    pub const ALU64: u8 = 0x07;
}

/// `BPF_SIZE`: of a load or store.
pub mod size {
    /// Mask of the size.
    pub const MASK: u8 = 0x18;
    /// 4 bytes.
    pub const W: u8 = 0x00;
    /// 2 bytes.
    pub const H: u8 = 0x08;
    /// 1 byte.
    pub const B: u8 = 0x10;
    /// 8 bytes.
    pub const DW: u8 = 0x18;
}

/// `BPF_MODE`: of a load or store.
pub mod mode {
    /// Mask of the mode.
    pub const MASK: u8 = 0xe0;
    /// 64-bit immediate, in two instructions.
    pub const IMM: u8 = 0x00;
    /// Through a register and an offset.
    pub const MEM: u8 = 0x60;
    /// Atomic read-modify-write.
    pub const ATOMIC: u8 = 0xc0;
}

/// `BPF_SRC`: of arithmetic and jumps.
pub mod source {
    /// Mask of the source.
    pub const MASK: u8 = 0x08;
    /// The sign-extended 32-bit immediate.
    pub const K: u8 = 0x00;
    /// The source register.
    pub const X: u8 = 0x08;
}

/// `BPF_OP` of the arithmetic classes.
pub mod alu {
    /// Mask of the operation.
    pub const MASK: u8 = 0xf0;
    /// `dst += src`
    pub const ADD: u8 = 0x00;
    /// `dst -= src`
    pub const SUB: u8 = 0x10;
    /// `dst *= src`
    pub const MUL: u8 = 0x20;
    /// `dst /= src`, unsigned
    pub const DIV: u8 = 0x30;
    /// `dst |= src`
    pub const OR: u8 = 0x40;
    /// `dst &= src`
    pub const AND: u8 = 0x50;
    /// `dst <<= src`
    pub const LSH: u8 = 0x60;
    /// `dst >>= src`, unsigned
    pub const RSH: u8 = 0x70;
    /// `dst = -dst`
    pub const NEG: u8 = 0x80;
    /// `dst %= src`, unsigned
    pub const MOD: u8 = 0x90;
    /// `dst ^= src`
    pub const XOR: u8 = 0xa0;
    /// `dst = src`
    pub const MOV: u8 = 0xb0;
    /// `dst >>= src`, signed
    pub const ARSH: u8 = 0xc0;
    /// Byte swap.
    pub const END: u8 = 0xd0;
}

/// `BPF_OP` of the jump classes.
pub mod jump {
    /// Mask of the operation.
    pub const MASK: u8 = 0xf0;
    /// Always.
    pub const JA: u8 = 0x00;
    /// `==`
    pub const JEQ: u8 = 0x10;
    /// `>`, unsigned
    pub const JGT: u8 = 0x20;
    /// `>=`, unsigned
    pub const JGE: u8 = 0x30;
    /// `&`
    pub const JSET: u8 = 0x40;
    /// `!=`
    pub const JNE: u8 = 0x50;
    /// `>`, signed
    pub const JSGT: u8 = 0x60;
    /// `>=`, signed
    pub const JSGE: u8 = 0x70;
    /// Call of a helper or function.
    pub const CALL: u8 = 0x80;
    /// Return.
    pub const EXIT: u8 = 0x90;
    /// `<`, unsigned
    pub const JLT: u8 = 0xa0;
    /// `<=`, unsigned
    pub const JLE: u8 = 0xb0;
    /// `<`, signed
    pub const JSLT: u8 = 0xc0;
    /// `<=`, signed
    pub const JSLE: u8 = 0xd0;
}

/// What the source register of `ld_imm64` and calls means (`BPF_PSEUDO_*`).
pub mod pseudo {
    /// `ld_imm64`: the immediate is a map's file descriptor.
    pub const MAP_FD: u8 = 1;
    /// `ld_imm64`: the immediate is the distance to a function.
    pub const FUNC: u8 = 4;
    /// Call: the immediate is the distance to a function.
    pub const CALL: u8 = 1;
    /// Call: the immediate is the BTF id of a kernel function.
    pub const KFUNC_CALL: u8 = 2;
}

/// `ld_imm64`'s opcode.
pub const LD_IMM64: u8 = class::LD | mode::IMM | size::DW;

/// One instruction as the kernel sees it (`struct bpf_insn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Insn {
    /// The opcode.
    pub code: u8,
    /// The destination register.
    pub dst: u8,
    /// The source register, or a `pseudo`.
    pub src: u8,
    /// Offset of a memory access, or distance of a jump from the next instruction.
    pub off: i16,
    /// The immediate.
    pub imm: i32,
}

impl Insn {
    /// `dst op= src` in 64 bits.
    pub fn alu64(op: u8, dst: Reg, src: Reg) -> Insn {
        Insn {
            code: class::ALU64 | source::X | op,
            dst: dst.0,
            src: src.0,
            ..Insn::default()
        }
    }

    /// `dst op= imm` in 64 bits.
    pub fn alu64_imm(op: u8, dst: Reg, imm: i32) -> Insn {
        Insn {
            code: class::ALU64 | source::K | op,
            dst: dst.0,
            imm,
            ..Insn::default()
        }
    }

    /// `dst = src`, the upper half zeroed.
    pub fn mov32(dst: Reg, src: Reg) -> Insn {
        Insn {
            code: class::ALU | source::X | alu::MOV,
            dst: dst.0,
            src: src.0,
            ..Insn::default()
        }
    }

    /// `dst = *(size *)(base + off)`, zero-extended.
    pub fn load(size: u8, dst: Reg, base: Reg, off: i16) -> Insn {
        Insn {
            code: class::LDX | mode::MEM | size,
            dst: dst.0,
            src: base.0,
            off,
            imm: 0,
        }
    }

    /// `*(size *)(base + off) = src`
    pub fn store(size: u8, base: Reg, off: i16, src: Reg) -> Insn {
        Insn {
            code: class::STX | mode::MEM | size,
            dst: base.0,
            src: src.0,
            off,
            imm: 0,
        }
    }

    /// `lock *(u64 *)(base + off) += src`
    pub fn atomic_add(base: Reg, off: i16, src: Reg) -> Insn {
        Insn {
            code: class::STX | mode::ATOMIC | size::DW,
            dst: base.0,
            src: src.0,
            off,
            imm: 0,
        }
    }

    /// `*(size *)(base + off) = imm`
    pub fn store_imm(size: u8, base: Reg, off: i16, imm: i32) -> Insn {
        Insn {
            code: class::ST | mode::MEM | size,
            dst: base.0,
            src: 0,
            off,
            imm,
        }
    }

    /// `if dst op src goto off`
    pub fn jump(op: u8, dst: Reg, src: Reg, off: i16) -> Insn {
        Insn {
            code: class::JMP | source::X | op,
            dst: dst.0,
            src: src.0,
            off,
            imm: 0,
        }
    }

    /// `if dst op imm goto off`
    pub fn jump_imm(op: u8, dst: Reg, imm: i32, off: i16) -> Insn {
        Insn {
            code: class::JMP | source::K | op,
            dst: dst.0,
            src: 0,
            off,
            imm,
        }
    }

    /// `goto off`
    pub fn goto(off: i16) -> Insn {
        Insn {
            code: class::JMP | jump::JA,
            off,
            ..Insn::default()
        }
    }

    /// A call of a helper.
    pub fn call_helper(number: u32) -> Insn {
        Insn {
            code: class::JMP | jump::CALL,
            imm: number as i32,
            ..Insn::default()
        }
    }

    /// A call of a function that a relocation names; the distance −1 is what compilers leave there.
    pub fn call_function() -> Insn {
        Insn {
            code: class::JMP | jump::CALL,
            src: pseudo::CALL,
            imm: -1,
            ..Insn::default()
        }
    }

    /// `exit`
    pub fn exit() -> Insn {
        Insn {
            code: class::JMP | jump::EXIT,
            ..Insn::default()
        }
    }

    /// `dst = imm ll`
    pub fn load_imm64(dst: Reg, imm: u64) -> [Insn; 2] {
        [
            Insn {
                code: LD_IMM64,
                dst: dst.0,
                imm: imm as u32 as i32,
                ..Insn::default()
            },
            Insn {
                imm: (imm >> 32) as u32 as i32,
                ..Insn::default()
            },
        ]
    }

    /// The bits of the opcode that say the class.
    pub fn class(self) -> u8 {
        self.code & class::MASK
    }

    /// As in the ELF file, little-endian.
    pub fn encode(self) -> [u8; INSN_BYTES] {
        let [off0, off1] = self.off.to_le_bytes();
        let [imm0, imm1, imm2, imm3] = self.imm.to_le_bytes();
        let registers = self.dst | self.src << 4;
        [self.code, registers, off0, off1, imm0, imm1, imm2, imm3]
    }

    /// The reverse of [`Insn::encode`].
    pub fn decode(bytes: [u8; INSN_BYTES]) -> Insn {
        let [code, registers, off0, off1, imm0, imm1, imm2, imm3] = bytes;
        Insn {
            code,
            dst: registers & 0x0f,
            src: registers >> 4,
            off: i16::from_le_bytes([off0, off1]),
            imm: i32::from_le_bytes([imm0, imm1, imm2, imm3]),
        }
    }
}
