//! Reads and comparisons of memory.

use pfscript_probes::LossCause;

use crate::{
    session,
    support::{LOSS, link::Code},
    words,
};

/// A body that reads `size` bytes of the address in argument 0 onto the stack, by `routine`.
/// Results: what the routine returned, then the bytes, 8 at a time.
fn reading(routine: &'static str, size: i16) -> Code {
    read_onto_stack(Code::body().argument(8, 0), routine, size)
}

/// The same for a kernel address: that of scratch memory which holds arguments 0 and 1. The address goes through
/// memory, so that it is a number to the verifier.
fn reading_kernel(routine: &'static str, size: i16) -> Code {
    let body = Code::body()
        .argument(1, 0)
        .op(0x7b, 7, 1, 0, 0)
        .argument(1, 1)
        .op(0x7b, 7, 1, 8, 0)
        .op(0x7b, 7, 7, 16, 0)
        .op(0x79, 8, 7, 16, 0);
    read_onto_stack(body, routine, size)
}

/// Reads from the address in `r8`.
fn read_onto_stack(mut body: Code, routine: &'static str, size: i16) -> Code {
    let start = -(size + 7) / 8 * 8;
    body = body.set(1, u64::MAX);
    for offset in (start..0).step_by(8) {
        body = body.spill(offset, 1);
    }
    body = body
        .stack(1, start)
        .set(2, size as u64)
        .copy(3, 8)
        .set(4, LOSS)
        .call(routine)
        .result(0);
    for (index, offset) in (start..0).step_by(8).enumerate() {
        body = body.op(0x79, 0, 10, offset, 0).result(index as u64 + 1);
    }
    body.exit()
}

/// Addresses that nothing is mapped at: of the process, and of the kernel.
const NOWHERE: [u64; 2] = [1 << 16, 0xffff_ffff_ffff_e000];

/// Where fields of null pointers would be.
const NULL: [u64; 2] = [0, (1 << 16) - 1];

#[test]
fn read_copies_memory_of_the_process_and_zeroes_what_it_cannot() {
    let session = session!();
    let program = session.program(&reading("pf_read", 16));
    let memory = [0x1122_3344_5566_7788u64, 42];
    let results = program.run(&[memory.as_ptr() as u64]);
    assert_eq!(results, [1, memory[0], memory[1]]);
    let causes = [LossCause::UserReadFailed, LossCause::KernelReadFailed];
    for (cause, address) in causes.into_iter().zip(NOWHERE) {
        let session = session!();
        let program = session.program(&reading("pf_read", 16));
        assert_eq!(program.run(&[address]), [0, 0, 0]);
        session.assert_lost(&[(cause, 1)]);
    }
}

#[test]
fn what_a_null_pointer_points_to_is_zero_and_not_lost() {
    // What is behind the room of a string stays as it was.
    let behind = 0xff << 56;
    for (routine, size, results) in [
        ("pf_read", 16, vec![0, 0, 0]),
        ("pf_read_str", 7, vec![0, behind]),
    ] {
        let session = session!();
        let program = session.program(&reading(routine, size));
        for address in NULL {
            assert_eq!(program.run(&[address]), results, "{routine}");
        }
        session.assert_lost(&[]);
    }
}

#[test]
fn read_copies_memory_of_the_kernel() {
    let session = session!();
    let program = session.program(&reading_kernel("pf_read", 16));
    assert_eq!(program.run(&[42, u64::MAX]), [1, 42, u64::MAX]);
    session.assert_lost(&[]);
}

#[test]
fn read_str_returns_the_length_and_counts_what_it_cut() {
    let session = session!();
    let program = session.program(&reading("pf_read_str", 7));
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    for (string, length, truncated) in [
        (c"", 1, 0),
        (c"abc", 4, 0),
        (c"abcde", 6, 0),
        (c"abcdef", 7, 0),
        (c"abcdefg", 7, 1),
        (c"abcdefghijklmnop", 7, 2),
    ] {
        // A copy, for its page to be present: the kernel's helpers do not wait for one to be read from a file.
        let present = string.to_owned();
        let results = program.run(&[present.as_ptr() as u64]);
        assert_eq!(results[0], length, "{string:?}");
        let text = results[1].to_ne_bytes();
        let expected = string.to_bytes_with_nul();
        let end = length as usize - 1;
        assert_eq!(text[..end], expected[..end], "{string:?}");
        assert_eq!(text[end], 0, "{string:?}");
        // Behind its terminator, the last byte says that it was cut.
        if expected.len() > 7 {
            assert_eq!(text[7], 1, "{string:?}");
        }
        session.assert_lost(&[(LossCause::StringTruncated, truncated)]);
    }
    for address in NOWHERE {
        assert_eq!(program.run(&[address]), [0, word(b"\0\0\0\0\0\0\0\xff")]);
    }
    session.assert_lost(&[
        (LossCause::StringTruncated, 2),
        (LossCause::UserReadFailed, 1),
        (LossCause::KernelReadFailed, 1),
    ]);
}

#[test]
fn read_str_copies_strings_of_the_kernel() {
    let session = session!();
    let program = session.program(&reading_kernel("pf_read_str", 7));
    let strings = words(b"abcdefghabcdef\0\0abcdef\0\x01");
    let (cut, whole, marked) = (strings[0], strings[1], strings[2]);
    assert_eq!(program.run(&[whole, 0])[0], 7);
    session.assert_lost(&[]);
    assert_eq!(program.run(&[cut, 0]), [7, marked]);
    session.assert_lost(&[(LossCause::StringTruncated, 1)]);
}

/// A body that compares, in scratch memory, 1024 bytes of argument 0 and of argument 1, or the first `n` of them.
fn comparison(n: u64) -> Code {
    Code::body()
        .copy(1, 7)
        .set(2, 1024)
        .argument(3, 0)
        .set(4, LOSS)
        .call("pf_read")
        .copy(1, 7)
        .op(0x07, 1, 0, 0, 1024)
        .set(2, 1024)
        .argument(3, 1)
        .set(4, LOSS)
        .call("pf_read")
        .copy(1, 7)
        .copy(2, 7)
        .op(0x07, 2, 0, 0, 1024)
        .set(3, n)
        .call("pf_streq")
        .result(0)
        .exit()
}

#[test]
fn streq_compares_so_many_bytes_and_no_more() {
    let session = session!();
    let equal = [b'x'; 1024];
    for n in [8, 16, 64, 1024] {
        let program = session.program(&comparison(n as u64));
        let run =
            |other: &[u8; 1024]| program.run(&[equal.as_ptr() as u64, other.as_ptr() as u64])[0];
        assert_eq!(run(&equal), 1);
        for differs in [0, 7, n / 2, n - 1] {
            let mut other = equal;
            other[differs] = b'y';
            assert_eq!(run(&other), 0, "byte {differs} of {n}");
        }
        if n < 1024 {
            let mut other = equal;
            other[n] = b'y';
            assert_eq!(run(&other), 1, "byte {n}, past the end");
        }
    }
    session.assert_lost(&[]);
}
