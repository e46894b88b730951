//! Where programs, threads and signal handlers begin and end in code of the C library musl, which distributions build without a word of how to
//! unwind: by its instructions, on x86-64.
//!
//! What of the library's own code runs in between stays unknown.

use super::functions::Functions;
use super::row::{Row, Rule};
use pfscript_compiler::facts::Segment;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// Bytes of code that are looked at: the library has less than half a megabyte, and is often a part of others.
const MAX_CODE: u64 = 16 << 20;

/// Code by which the library is known: the start of a program, and of the library as dynamic linker (`_start`, `_dlstart`).
/// xor %rbp, %rbp; mov %rsp, %rdi; lea number(%rip), %rsi; and $-16, %rsp; call
const START: [&[u8]; 2] = [
    &[0x48, 0x31, 0xed, 0x48, 0x89, 0xe7, 0x48, 0x8d, 0x35],
    &[0x48, 0x83, 0xe4, 0xf0, 0xe8],
];

/// Bytes of the number within, and of that behind it.
const NUMBER: usize = 4;

/// A new thread: xor %ebp, %ebp; pop %rdi; call *%r9; mov %eax, %edi; xor %eax, %eax; mov $60, %al; syscall (`__clone`).
const THREAD: &[u8] = &[
    0x31, 0xed, 0x5f, 0x41, 0xff, 0xd1, 0x89, 0xc7, 0x31, 0xc0, 0xb0, 0x3c, 0x0f, 0x05,
];

/// What a signal handler returns to: mov $15, %rax; syscall (`__restore_rt`).
const SIGNAL_RETURN: &[u8] = &[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];

/// What is done with the result of `main` or of a thread's function, which none comes back from: mov %eax, %edi, or all of it, and a call.
const LAST_CALL: [&[u8]; 2] = [&[0x89, 0xc7, 0xe8], &[0x48, 0x89, 0xc7, 0xe8]];

/// How calls of those end: call *%register, call *(%register).
const THROUGH_POINTER: [(u8, u8); 2] = [(0xff, 0xd0), (0xff, 0x10)];

/// The places in code that nothing speaks of, `known` being what something does; none if it is not of this library.
pub(super) fn places(file: &File, code: &[Segment], known: &Functions) -> Functions {
    let (mut parts, mut left) = (Vec::new(), MAX_CODE);
    for segment in code {
        let end = segment.offset.saturating_add(segment.size);
        for (start, end) in known.gaps(segment.offset, end) {
            let size = (end - start).min(left);
            // Most are between functions, to begin at multiples of 16.
            if size < SIGNAL_RETURN.len() as u64 {
                continue;
            }
            let mut bytes = vec![0; size as usize];
            if file.read_exact_at(&mut bytes, start).is_ok() {
                left -= size;
                parts.push((start, bytes));
            }
        }
    }
    places_of(&parts)
}

/// The places in parts of a file, each with its offset.
fn places_of(parts: &[(u64, Vec<u8>)]) -> Functions {
    let mut places = Functions::default();
    let begins = |code: &[u8]| (0..code.len()).any(|at| is_start(&code[at..]));
    if parts.iter().any(|(_, code)| begins(code)) {
        for (offset, code) in parts {
            mark(*offset, code, &mut places);
        }
        places.sort();
    }
    places
}

/// Adds the places in code at an offset in the file.
fn mark(offset: u64, code: &[u8], places: &mut Functions) {
    let mut push = |at: usize, size: usize, rule| {
        let row = Row::bare(rule).encode();
        places.push(offset + at as u64, size as u32, vec![(0, row)]);
    };
    for at in 0..code.len() {
        let rest = &code[at..];
        if is_start(rest) {
            push(
                at,
                START[0].len() + START[1].len() + 2 * NUMBER,
                Rule::Outermost,
            );
        }
        if rest.starts_with(THREAD) {
            push(at, THREAD.len(), Rule::Outermost);
        }
        // A walk looks for what is before an address that calls return to.
        if rest.starts_with(SIGNAL_RETURN) && at > 0 {
            push(at - 1, SIGNAL_RETURN.len() + 1, Rule::Signal);
        }
        let called = LAST_CALL.iter().any(|last| rest.starts_with(last));
        if called && at >= 2 && THROUGH_POINTER.contains(&(code[at - 2], code[at - 1] & 0xf8)) {
            push(at - 1, 1, Rule::Outermost);
        }
    }
}

fn is_start(code: &[u8]) -> bool {
    let rest = code.strip_prefix(START[0]);
    rest.and_then(|rest| rest.get(NUMBER..))
        .is_some_and(|rest| rest.starts_with(START[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: [u8; 22] = [
        0x48, 0x31, 0xed, 0x48, 0x89, 0xe7, 0x48, 0x8d, 0x35, 1, 2, 3, 4, 0x48, 0x83, 0xe4, 0xf0,
        0xe8, 1, 2, 3, 4,
    ];

    /// The places of code that lies at 0x1000: where each begins and ends, and its rule.
    fn found(code: &[u8]) -> Vec<(u64, u64, Rule)> {
        let places = places_of(&[(0x1000, code.to_vec())]);
        let ranges = places.ranges.iter().map(|range| {
            let rule = Row::decode(places.rows(range)[0].1).rule;
            (range.start, range.end, rule)
        });
        ranges.collect()
    }

    #[test]
    fn places_are_known_by_their_instructions() {
        // call *%rbx; mov %eax, %edi; call
        let main = [0xff, 0xd3, 0x89, 0xc7, 0xe8, 1, 2, 3, 4];
        // call *(%rbx); mov %rax, %rdi; call
        let thread = [0xff, 0x13, 0x48, 0x89, 0xc7, 0xe8, 1, 2, 3, 4];
        let code = [&BEGIN[..], &main, &thread, THREAD, SIGNAL_RETURN].concat();
        assert_eq!(
            found(&code),
            [
                (0x1000, 0x1016, Rule::Outermost),
                (0x1017, 0x1018, Rule::Outermost),
                (0x1020, 0x1021, Rule::Outermost),
                (0x1029, 0x1036, Rule::Outermost),
                (0x1036, 0x1040, Rule::Signal),
            ]
        );
        // Without the start of a program it is of another library.
        assert_eq!(found(&code[1..]), []);
    }

    #[test]
    fn calls_whose_result_is_not_passed_on_are_none() {
        let code = [
            &BEGIN[..],
            &[0xff, 0xd3, 0x89, 0xc3, 0xe8],
            &[0xe8, 0, 0x89, 0xc7, 0xe8],
        ];
        assert_eq!(found(&code.concat()).len(), 1);
        assert_eq!(found(&BEGIN[..20]).len(), 1);
        assert_eq!(found(&BEGIN[..17]), []);
        assert_eq!(found(&[]), []);
    }
}
