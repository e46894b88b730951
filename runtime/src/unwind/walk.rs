//! Walks a stack by tables, in user space: from registers and a copy of the stack to the addresses of its frames.
//!
//! This is what the programs in the kernel do. It is for the rest of stacks that these came to before a table was there, and to
//! hold their walk against.

use super::machine::Machine;
use super::row::{FIRST_SCRATCH, Row, Rule};

/// Bytes of a word.
const WORD: i64 = 8;

/// The registers of a frame that a walk needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// The address of the instruction: the next one, or the one to which a call returns.
    pub ip: u64,
    /// The stack pointer.
    pub sp: u64,
    /// The frame pointer: rbp, x29.
    pub fp: u64,
    /// The link register: x30. x86-64 has none.
    pub lr: u64,
    /// rbx. arm64 has none.
    pub bx: u64,
    /// x86-64's r11, r10, r9, r8 and rax, which are known of no frame that called; 0 where they are not.
    pub scratch: [u64; 5],
}

/// A frame of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The address of its code.
    pub address: u64,
    /// It is of the instruction that runs next, and not where a call returns to.
    pub interrupted: bool,
}

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At the start of the thread.
    Outermost,
    /// Nothing is known of the last frame's address.
    Unknown,
    /// The stack cannot be read where the caller's frame is said to be.
    Unreadable,
    /// The caller's frame would not be further up the stack.
    NoProgress,
    /// There were as many frames as were wanted.
    Deep,
}

/// How to walk the stacks of a type of processor.
#[derive(Clone, Copy, Debug)]
pub struct Walker {
    machine: Machine,
    /// The bits of an address of code; those above are a signature (pointer authentication).
    address_bits: u64,
}

impl Walker {
    /// For x86-64.
    pub const X86_64: Walker = Walker {
        machine: Machine::X86_64,
        address_bits: u64::MAX,
    };

    /// For arm64, where an address of code has these bits.
    pub const fn aarch64(address_bits: u64) -> Walker {
        Walker {
            machine: Machine::Aarch64,
            address_bits,
        }
    }

    /// For the processor that this runs on, where an address of code has these bits.
    pub const fn here(address_bits: u64) -> Walker {
        if cfg!(target_arch = "aarch64") {
            Walker::aarch64(address_bits)
        } else {
            Walker::X86_64
        }
    }

    /// A stack's frames, innermost first, at most `most` of them, and why they end. The first one has these registers, and was
    /// `interrupted` where it is, or called. `lookup` finds the row of an address, and `memory` reads the word at one; both may know
    /// nothing of it.
    pub fn walk(
        self,
        registers: Registers,
        interrupted: bool,
        most: usize,
        mut lookup: impl FnMut(u64) -> Option<Row>,
        mut memory: impl FnMut(u64) -> Option<u64>,
    ) -> (Vec<Frame>, End) {
        let mut frames = Vec::new();
        let (mut registers, mut interrupted) = (registers, interrupted);
        frames.push(Frame {
            address: registers.ip,
            interrupted,
        });
        loop {
            // A call may be the last instruction of its function, and what follows belongs to another.
            let address = registers.ip.wrapping_sub(u64::from(!interrupted));
            let row = lookup(address).unwrap_or(Row::UNKNOWN);
            // Only who did not call has the return address in the link register still.
            let in_register = row.ra == 0 && matches!(row.rule, Rule::FromSp | Rule::FromFp);
            if in_register && !interrupted {
                return (frames, End::Unknown);
            }
            let caller = match self.caller(row, registers, &mut memory) {
                Ok(caller) => caller,
                Err(end) => return (frames, end),
            };
            let signal = row.rule == Rule::Signal;
            // Handlers may have a stack of their own.
            let switched = matches!(row.rule, Rule::Signal | Rule::Moved);
            let moved = caller.sp > registers.sp || (in_register && caller.sp == registers.sp);
            if !switched && !moved {
                return (frames, End::NoProgress);
            }
            if caller.ip == 0 {
                return (frames, End::Outermost);
            }
            if frames.len() >= most {
                return (frames, End::Deep);
            }
            registers = caller;
            interrupted = signal;
            frames.push(Frame {
                address: registers.ip,
                interrupted,
            });
        }
    }

    /// The registers of the caller of a frame, by the row of its address.
    ///
    /// # Errors
    /// If there is no caller, or it is not known.
    pub fn caller(
        self,
        row: Row,
        registers: Registers,
        mut memory: impl FnMut(u64) -> Option<u64>,
    ) -> Result<Registers, End> {
        let mut read = |base: u64, words: i64| {
            let address = base.wrapping_add_signed(words.wrapping_mul(WORD));
            memory(address).ok_or(End::Unreadable)
        };
        let from = |base: u64, words: i64| base.wrapping_add_signed(words.wrapping_mul(WORD));
        let Registers {
            ip,
            sp,
            fp,
            lr,
            bx,
            scratch,
        } = registers;
        let cfa = match row.rule {
            Rule::Unknown => return Err(End::Unknown),
            Rule::Outermost => return Err(End::Outermost),
            Rule::Signal => return self.interrupted(sp, read),
            Rule::FromSp => from(sp, row.number),
            Rule::FromFp | Rule::Moved => from(fp, row.number),
            // It is named where only programs read.
            Rule::Goroutine => return Err(End::Unreadable),
            Rule::FromBx => from(bx, row.number),
            Rule::FromScratch => {
                let at = usize::try_from(row.ra - FIRST_SCRATCH);
                let base = at.ok().and_then(|at| scratch.get(at));
                from(*base.ok_or(End::Unknown)?, row.number)
            }
            Rule::AtSp => from(read(sp, row.number)?, row.ra),
            Rule::AtFp => from(read(fp, row.number)?, row.ra),
            Rule::Plt => from(sp, if (ip & 15) as i64 >= row.number { 2 } else { 1 }),
        };
        let caller_fp = match (row.rule, row.fp) {
            (Rule::AtFp, words) => read(fp, words)?,
            // One that is the caller's again, of which compilers say nothing, is not below the CFA.
            (Rule::FromScratch, 1..) if fp >= cfa => fp,
            (Rule::FromScratch, words @ 1..) => read(fp, words - 1)?,
            (_, 0) => fp,
            (_, words) => read(cfa, words)?,
        };
        let bx = match row.bx {
            0 => bx,
            words => read(cfa, words)?,
        };
        let ip = match (row.rule, row.ra) {
            (Rule::AtSp | Rule::AtFp | Rule::FromScratch, _) => read(cfa, -1)?,
            (_, 0) => lr,
            (_, words) => read(cfa, words)?,
        };
        Ok(Registers {
            ip: ip & self.address_bits,
            sp: cfa,
            fp: caller_fp,
            lr,
            bx,
            scratch: [0; 5],
        })
    }

    /// The registers that a signal interrupted, from the frame that the kernel made for its handler (`struct rt_sigframe`).
    fn interrupted(
        self,
        sp: u64,
        mut read: impl FnMut(u64, i64) -> Result<u64, End>,
    ) -> Result<Registers, End> {
        // In words from the stack pointer: ip, sp, fp, and lr or rbx.
        let [ip, sp_at, fp, last] = match self.machine {
            // The handler's return has taken the first word.
            Machine::X86_64 => [21, 20, 15, 16],
            // Behind 128 bytes of `siginfo` and 176 of `ucontext`: the fault's address, 31 registers, sp, pc.
            Machine::Aarch64 => [71, 70, 68, 69],
        };
        let last = read(sp, last)?;
        let [lr, bx] = match self.machine {
            Machine::X86_64 => [0, last],
            Machine::Aarch64 => [last, 0],
        };
        Ok(Registers {
            ip: read(sp, ip)? & self.address_bits,
            sp: read(sp, sp_at)?,
            fp: read(sp, fp)?,
            lr,
            bx,
            scratch: [0; 5],
        })
    }
}
