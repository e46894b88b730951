//! One row of a table: how to find the caller's frame from somewhere in a function.
//!
//! In the table a row is a word, whose parts `UNWIND_*` of the ABI names. Numbers are in words of 8 bytes, as stacks are.

use pfscript_probes::abi::{
    UNWIND_AT_FP, UNWIND_AT_SP, UNWIND_CFA, UNWIND_CHUNK_BITS, UNWIND_FP, UNWIND_FROM_BX,
    UNWIND_FROM_FP, UNWIND_FROM_SCRATCH, UNWIND_FROM_SP, UNWIND_GOROUTINE, UNWIND_MOVED,
    UNWIND_OUTERMOST, UNWIND_PLT, UNWIND_RA, UNWIND_RULE, UNWIND_SAVES_BX, UNWIND_SIGNAL,
    UNWIND_UNKNOWN,
};

/// Where a frame's canonical address (CFA) comes from: the value of the stack pointer before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Rule {
    /// Nothing is known of this address.
    Unknown = UNWIND_UNKNOWN,
    /// This frame was called by none: the start of a thread.
    Outermost = UNWIND_OUTERMOST,
    /// The stack pointer and the number.
    FromSp = UNWIND_FROM_SP,
    /// The frame pointer and the number.
    FromFp = UNWIND_FROM_FP,
    /// The word at the stack pointer and the number, plus `ra`. The return address is one word below.
    AtSp = UNWIND_AT_SP,
    /// The word at the frame pointer and the number, plus `ra`. The return address is one word below, and the caller's frame
    /// pointer `fp` from the frame pointer.
    AtFp = UNWIND_AT_FP,
    /// An entry of x86-64's procedure linkage table: the stack pointer and 8, or 16 where the low 4 bits of the address are the
    /// number (not in words) or more.
    Plt = UNWIND_PLT,
    /// The return of a signal handler: the registers are in the signal's frame.
    Signal = UNWIND_SIGNAL,
    /// x86-64's rbx and the number.
    FromBx = UNWIND_FROM_BX,
    /// A register of x86-64 that calls do not keep, and the number; `ra` says which, as a place in [`SCRATCH`] behind
    /// [`FIRST_SCRATCH`]. The return address is one word below. An `fp` of more than 0 counts from the frame pointer, and from 1.
    FromScratch = UNWIND_FROM_SCRATCH,
    /// As [`Self::FromFp`], from a stack of its own, which may be above or below the caller's.
    Moved = UNWIND_MOVED,
    /// What a goroutine has its thread do, on the thread's own stack: the goroutine's stack pointer, plus `ra`. The return address is one word
    /// below. The goroutine is named `fp` words from the thread's base, as that which its thread's part at the number runs.
    Goroutine = UNWIND_GOROUTINE,
}

/// Registers of x86-64 that calls do not keep, by DWARF's numbers (r11, r10, r9, r8, rax): as they follow each other in the kernel's `struct
/// pt_regs`, from a word on.
pub(super) const SCRATCH: [u16; 5] = [11, 10, 9, 8, 0];
pub(super) const FIRST_SCRATCH: i64 = 6;

/// How to find the caller's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// Where the CFA comes from.
    pub rule: Rule,
    /// The number of the rule, in words unless it says otherwise.
    pub number: i64,
    /// Where the caller's frame pointer is, in words from the CFA; 0: in its register.
    pub fp: i64,
    /// Where the return address is, in words from the CFA; 0: in the link register.
    pub ra: i64,
    /// Where x86-64's rbx of the caller is, in words from the CFA; 0: in its register, or nobody says.
    pub bx: i64,
}

impl Row {
    /// Nothing is known.
    pub const UNKNOWN: Row = Row::bare(Rule::Unknown);

    /// A rule without numbers.
    pub(super) const fn bare(rule: Rule) -> Row {
        Row {
            rule,
            number: 0,
            fp: 0,
            ra: 0,
            bx: 0,
        }
    }

    /// The row as a word, for offset 0. What a word has no room for is unknown.
    pub(super) fn encode(&self) -> u64 {
        // There is room for one of the two, and the other one is as it is always.
        let (bit, last) = match self.rule {
            Rule::FromBx => (UNWIND_SAVES_BX, self.bx),
            Rule::FromSp | Rule::FromFp if self.bx != 0 => (UNWIND_SAVES_BX, self.bx),
            _ => (0, self.ra),
        };
        let parts = [
            part(self.number, UNWIND_CFA, UNWIND_FP),
            part(self.fp, UNWIND_FP, UNWIND_RA),
            part(last, UNWIND_RA, u64::BITS),
        ];
        match parts {
            [Some(number), Some(fp), Some(last)] if bit == 0 || self.ra == -1 => {
                (self.rule as u64 | bit) << UNWIND_RULE | number | fp | last
            }
            _ => UNWIND_UNKNOWN << UNWIND_RULE,
        }
    }

    /// A word of a table. Offsets are left out.
    pub(super) fn decode(word: u64) -> Row {
        let code = word >> UNWIND_RULE & ((1 << (UNWIND_CFA - UNWIND_RULE)) - 1);
        let signed =
            |from: u32, to: u32| (word << (u64::BITS - to)) as i64 >> (u64::BITS - to + from);
        let last = signed(UNWIND_RA, u64::BITS);
        let (code, ra, bx) = match code {
            UNWIND_MOVED | UNWIND_GOROUTINE | UNWIND_FROM_SCRATCH => (code, last, 0),
            UNWIND_FROM_BX => (code, -1, last),
            _ if code & UNWIND_SAVES_BX != 0 => (code & !UNWIND_SAVES_BX, -1, last),
            _ => (code, last, 0),
        };
        Row {
            rule: match code {
                UNWIND_OUTERMOST => Rule::Outermost,
                UNWIND_FROM_SP => Rule::FromSp,
                UNWIND_FROM_FP => Rule::FromFp,
                UNWIND_AT_SP => Rule::AtSp,
                UNWIND_AT_FP => Rule::AtFp,
                UNWIND_PLT => Rule::Plt,
                UNWIND_SIGNAL => Rule::Signal,
                UNWIND_FROM_BX => Rule::FromBx,
                UNWIND_FROM_SCRATCH => Rule::FromScratch,
                UNWIND_MOVED => Rule::Moved,
                UNWIND_GOROUTINE => Rule::Goroutine,
                _ => Rule::Unknown,
            },
            number: signed(UNWIND_CFA, UNWIND_FP),
            fp: signed(UNWIND_FP, UNWIND_RA),
            ra,
            bx,
        }
    }
}

/// Bytes that one chunk of a table is about.
pub(super) const CHUNK: u64 = 1 << UNWIND_CHUNK_BITS;

/// The offset in its chunk that a word of a table begins at.
pub(super) fn offset(word: u64) -> u64 {
    word & (CHUNK - 1)
}

/// A signed number in the bits from one up to another; `None` if it does not fit.
fn part(number: i64, from: u32, to: u32) -> Option<u64> {
    let unused = u64::BITS - (to - from);
    let moved = number << unused;
    (moved >> unused == number).then_some((moved as u64) >> unused << from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: [Rule; 11] = [
        Rule::Unknown,
        Rule::Outermost,
        Rule::FromSp,
        Rule::FromFp,
        Rule::AtSp,
        Rule::AtFp,
        Rule::Plt,
        Rule::Signal,
        Rule::FromScratch,
        Rule::Moved,
        Rule::Goroutine,
    ];

    #[test]
    fn rows_become_words_and_rows_again() {
        for rule in RULES {
            for number in [0, 1, -1, (1 << 19) - 1, -(1 << 19)] {
                for fp in [0, -2, (1 << 13) - 1, -(1 << 13)] {
                    for ra in [0, -1, (1 << 13) - 1, -(1 << 13)] {
                        let row = Row {
                            rule,
                            number,
                            fp,
                            ra: if rule == Rule::FromBx { -1 } else { ra },
                            bx: 0,
                        };
                        assert_eq!(Row::decode(row.encode()), row);
                        assert_eq!(offset(row.encode()), 0);
                        assert_eq!(Row::decode(row.encode() | 0xfff), row);
                    }
                }
            }
        }
    }

    #[test]
    fn rbx_has_the_room_of_a_return_address_that_is_where_it_is_always() {
        for rule in [Rule::FromSp, Rule::FromFp, Rule::FromBx] {
            for bx in [-1, -2, (1 << 13) - 1, -(1 << 13)] {
                let row = |ra| Row {
                    rule,
                    number: 3,
                    fp: -2,
                    ra,
                    bx,
                };
                assert_eq!(Row::decode(row(-1).encode()), row(-1));
                assert_eq!(Row::decode(row(-2).encode()), Row::UNKNOWN);
            }
        }
    }

    #[test]
    fn what_has_no_room_is_unknown() {
        let row = |number, fp, ra| Row {
            rule: Rule::FromSp,
            number,
            fp,
            ra,
            bx: 0,
        };
        for row in [
            row(1 << 19, 0, -1),
            row(-(1 << 19) - 1, 0, -1),
            row(i64::MAX, 0, -1),
            row(i64::MIN, 0, -1),
            row(1, 1 << 13, -1),
            row(1, -(1 << 13) - 1, -1),
            row(1, 0, 1 << 13),
        ] {
            assert_eq!(Row::decode(row.encode()), Row::UNKNOWN, "{row:?}");
        }
    }
}
