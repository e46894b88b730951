//! Walks over made-up stacks of arm64, on any machine.

use super::super::walk::{End, Frame, Registers, Walker};
use super::*;
use std::collections::HashMap;

/// The bits of an address, as most kernels have it.
const ADDRESS_BITS: u64 = (1 << 48) - 1;
/// A signature, where addresses have none of their bits.
const SIGNATURE: u64 = 0xb5f3 << 48;

const LEAF: u64 = 0x1000;
const FRAMED: u64 = 0x2000;
const RESTORER: u64 = 0x3000;
const ALLOCATES: u64 = 0x4000;
const START: u64 = 0x5000;

fn row(rule: Rule, number: i64, fp: i64, ra: i64) -> Option<Row> {
    Some(Row {
        rule,
        number,
        fp,
        ra,
        bx: 0,
    })
}

/// How functions of 4 KiB are unwound.
fn lookup(address: u64) -> Option<Row> {
    match address & !0xfff {
        LEAF => row(Rule::FromSp, 0, 0, 0),
        FRAMED => row(Rule::FromSp, 4, -4, -3),
        RESTORER => row(Rule::Signal, 0, 0, 0),
        ALLOCATES => row(Rule::FromFp, 2, -2, -1),
        START => row(Rule::Outermost, 0, 0, 0),
        _ => None,
    }
}

fn registers(ip: u64, sp: u64, lr: u64) -> Registers {
    Registers {
        ip,
        sp,
        fp: 0,
        lr,
        bx: 0,
        scratch: [0; 5],
    }
}

/// The stack above the address 0x8000.
fn words(words: &[(u64, u64)]) -> HashMap<u64, u64> {
    words
        .iter()
        .map(|(at, word)| (0x8000 + at, *word))
        .collect()
}

fn walk(registers: Registers, stack: &HashMap<u64, u64>) -> (Vec<Frame>, End) {
    let memory = |address: u64| stack.get(&address).copied();
    Walker::aarch64(ADDRESS_BITS).walk(registers, true, 127, lookup, memory)
}

fn called(address: u64) -> Frame {
    Frame {
        address,
        interrupted: false,
    }
}

fn interrupted(address: u64) -> Frame {
    Frame {
        address,
        interrupted: true,
    }
}

#[test]
fn return_addresses_are_in_the_register_or_on_the_stack_and_may_be_signed() {
    let stack = words(&[
        // FRAMED saved x29 and x30 at the bottom of 32 bytes.
        (0, 0x8100),
        (8, (ALLOCATES + 8) | SIGNATURE),
        // ALLOCATES did where its frame pointer says, with room below that nobody knows the size of.
        (0x100, 0),
        (0x108, START + 8),
    ]);
    let (frames, end) = walk(registers(LEAF, 0x8000, (FRAMED + 8) | SIGNATURE), &stack);
    let expected = [
        interrupted(LEAF),
        called(FRAMED + 8),
        called(ALLOCATES + 8),
        called(START + 8),
    ];
    assert_eq!((frames, end), (expected.to_vec(), End::Outermost));
}

#[test]
fn a_signal_gives_all_registers_back() {
    // struct rt_sigframe: siginfo in 128 bytes, ucontext in 176, the address of a fault, x0 to x30, sp, pc.
    let x0 = 128 + 176 + 8;
    let stack = words(&[
        (0, 0),
        (8, RESTORER + 4),
        (32 + x0 + 29 * 8, 0x8900),
        (32 + x0 + 30 * 8, ALLOCATES + 8),
        // Handlers may have a stack of their own.
        (32 + x0 + 31 * 8, 0x4000),
        (32 + x0 + 32 * 8, LEAF + 4),
        (0x900, 0),
        (0x908, START + 8),
    ]);
    let (frames, end) = walk(registers(FRAMED, 0x8000, 0), &stack);
    let expected = [
        interrupted(FRAMED),
        called(RESTORER + 4),
        interrupted(LEAF + 4),
        called(ALLOCATES + 8),
        called(START + 8),
    ];
    assert_eq!((frames, end), (expected.to_vec(), End::Outermost));
}

#[test]
fn who_called_has_its_return_address_no_more_in_the_register() {
    let (frames, end) = walk(registers(LEAF, 0x8000, LEAF + 8), &words(&[]));
    let expected = [interrupted(LEAF), called(LEAF + 8)];
    assert_eq!((frames, end), (expected.to_vec(), End::Unknown));
}

#[test]
fn addresses_have_as_many_bits_as_the_kernel_says() {
    let walker = Walker::aarch64((1 << 39) - 1);
    let signed = registers(LEAF, 0x8000, (START + 8) | 0xff80 << 36);
    let (frames, end) = walker.walk(signed, true, 127, lookup, |_| None);
    let expected = [interrupted(LEAF), called(START + 8)];
    assert_eq!((frames, end), (expected.to_vec(), End::Outermost));
}
