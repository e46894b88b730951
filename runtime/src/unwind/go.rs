//! What programs of Go know of their own functions, as rows.
//!
//! Go writes down for each instruction how far the stack pointer is below that at the function's beginning, and a function that has a
//! frame keeps its caller's frame pointer at the frame's top. What that does not say are the few functions of Go's runtime that
//! change to another stack: there the instructions say from where on.

use super::functions::{Functions, Rows, in_file};
use super::machine::Function;
use super::row::{Row, Rule};
use crate::bytes::unsigned;
use crate::elf::go::{GoFunction, GoTable};
use pfscript_compiler::facts::Segment;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Bytes of a word.
const WORD: i64 = 8;

/// Bytes that are read of a function's code: those that change the stack have some 200.
const MAX_CODE: u64 = 4096;

/// Functions whose code is read: some ten change the stack.
const MAX_READ: usize = 256;

/// Functions whose address stands on the stack though no call is before them, and what holds in them: what a signal handler returns to, and
/// what stands for a goroutine that has its thread do something.
const NOT_CALLED: [(&[u8], Row); 2] = [
    (b"runtime.sigreturn", Row::bare(Rule::Signal)),
    (b"runtime.systemstack_switch", framed(0)),
];

/// What C calls functions of Go by. It changes to the goroutine's stack, as though that had called it.
const FROM_C: &[u8] = b"runtime.cgocallback";

/// A function that goes on with a goroutine's thread's own stack, where the goroutine's stack pointer is then, in words from the CFA.
const ON_THREAD_STACK: [(&[u8], i64); 3] = [
    (b"runtime.systemstack", 1),
    // Calls functions of C.
    (b"runtime.asmcgocall", 1),
    // Makes a larger stack: it is called before a function has a frame.
    (b"runtime.morestack", 0),
];

/// The functions of a Go program and their rows; none of other files.
///
/// # Errors
/// If it says too much.
pub(super) fn functions(file: &File, code: &[Segment]) -> io::Result<Functions> {
    let mut functions = Functions::default();
    // One that is damaged says nothing.
    let Ok(Some(table)) = GoTable::read(file) else {
        return Ok(functions);
    };
    let read = |function: &GoFunction<'_>, start| {
        let mut bytes = vec![0; function.size.min(MAX_CODE) as usize];
        file.read_exact_at(&mut bytes, start).ok().map(|()| bytes)
    };
    let systemstack = table
        .functions()
        .find(|function| function.name == ON_THREAD_STACK[0].0);
    let goroutine = systemstack.and_then(|function| {
        let start = in_file(code, place(&function))?;
        goroutine(&read(&function, start)?)
    });
    let mut left = MAX_READ;
    for function in table.functions() {
        let Some(start) = in_file(code, place(&function)) else {
            continue;
        };
        let not_called = NOT_CALLED.iter().find(|(name, _)| *name == function.name);
        if let Some((_, row)) = not_called
            && start > 0
        {
            // A walk looks for what is before the address.
            functions.add_rows(start - 1, function.size + 1, |tell| tell(0, row.encode()))?;
            continue;
        }
        let mut others = Vec::new();
        if function.sets_stack() && left > 0 {
            left -= 1;
            let code = read(&function, start).unwrap_or_default();
            others = other_stacks(&function, &code, goroutine);
        }
        functions.add_rows(start, function.size, |tell| {
            if function.is_outermost() {
                tell(0, Row::bare(Rule::Outermost).encode());
            } else {
                rows(&function, &others, tell);
            }
        })?;
    }
    functions.sort();
    Ok(functions)
}

fn place(function: &GoFunction<'_>) -> Function {
    Function {
        start: function.address,
        size: function.size,
    }
}

/// A part of a function that runs on another stack.
#[derive(Clone, Copy)]
struct Other {
    /// Offsets in the function.
    start: u64,
    end: u64,
    row: Row,
}

/// Tells the rows of a function, with parts in order that run on another stack.
fn rows(function: &GoFunction<'_>, others: &[Other], tell: Rows<'_>) {
    let mut start = 0;
    for (end, depth) in function.depths() {
        while start < end {
            let (row, until) = match others.iter().find(|other| start < other.end) {
                Some(other) if other.start <= start => (other.row, other.end),
                Some(other) => (framed(depth), other.start),
                None => (framed(depth), end),
            };
            tell(start, row.encode());
            start = until.min(end);
        }
    }
    if start < function.size {
        tell(start, Row::UNKNOWN.encode());
    }
}

/// The row where the stack pointer is so many bytes, in whole words, below that at the function's beginning.
const fn framed(depth: i64) -> Row {
    Row {
        rule: Rule::FromSp,
        number: depth / WORD + 1,
        fp: if depth > 0 { -2 } else { 0 },
        ra: -1,
        bx: 0,
    }
}

/// The parts of a function that run on another stack, in order: from the instruction on that sets the stack pointer up to the one that sets
/// it back, if there is one.
fn other_stacks(function: &GoFunction<'_>, code: &[u8], goroutine: Option<Row>) -> Vec<Other> {
    let mut sets = (0..code.len()).filter_map(|at| Some((at + sets_stack(&code[at..])?) as u64));
    let Some(start) = sets.next().filter(|_| function.name != FROM_C) else {
        return Vec::new();
    };
    let end = sets.next().unwrap_or(function.size);
    let known = ON_THREAD_STACK
        .iter()
        .find(|(name, _)| *name == function.name);
    let has_frame = function.depths().any(|(_, depth)| depth > WORD);
    let row = match (known, goroutine) {
        (Some((_, ra)), Some(goroutine)) => Row {
            ra: *ra,
            ..goroutine
        },
        // It has the caller's frame pointer in its register, and leaves out the caller.
        (Some(_), None) => MOVED,
        (None, _) if has_frame => MOVED,
        // Another goroutine goes on there, or a new thread begins: what this one was called by it does not come back to.
        (None, _) => Row::bare(Rule::Outermost),
    };
    let mut others = vec![Other { start, end, row }];
    // Who is on the thread's stack already keeps the stack pointer there, which is aligned for C.
    if let Some(at) = code
        .windows(KEEPS_STACK.len())
        .position(|code| code == KEEPS_STACK)
        && let Some(back) = sets.next()
    {
        let start = (at + KEEPS_STACK.len()) as u64;
        let row = Row {
            rule: Rule::AtSp,
            number: 0x28 / WORD,
            fp: 0,
            ra: 1,
            bx: 0,
        };
        others.push(Other {
            start,
            end: back,
            row,
        });
    }
    others
}

/// mov %rdx, 0x28(%rsp)
const KEEPS_STACK: [u8; 5] = [0x48, 0x89, 0x54, 0x24, 0x28];

/// A frame that is linked by the frame pointer, to one of another stack.
const MOVED: Row = Row {
    rule: Rule::Moved,
    number: 2,
    fp: -2,
    ra: -1,
    bx: 0,
};

/// How long an instruction is that sets the stack pointer; `None` if it is another one.
fn sets_stack(code: &[u8]) -> Option<usize> {
    let [prefix @ (0x48 | 0x49 | 0x4c), operation, operands, ..] = *code else {
        return None;
    };
    let (mode, to, from) = (operands >> 6, operands >> 3 & 7, operands & 7);
    match (prefix, operation) {
        // mov %register, %rsp
        (0x48 | 0x4c, 0x89) if mode == 3 && from == 4 => Some(3),
        // mov number(%register), %rsp
        (0x48 | 0x49, 0x8b) if to == 4 && from != 4 => {
            [Some(3), Some(4), Some(7), None][mode as usize]
        }
        _ => None,
    }
}

/// How the goroutine is found that a thread works for, from how `runtime.systemstack` finds it when it changes back; without `ra`.
fn goroutine(code: &[u8]) -> Option<Row> {
    /// call *%rdi; mov %fs:(number), %rax
    const NAMED: [u8; 7] = [0xff, 0xd7, 0x64, 0x48, 0x8b, 0x04, 0x25];
    /// mov 0x30(%rax), %rbx; mov number(%rbx), %rax
    const RUNS: [u8; 7] = [0x48, 0x8b, 0x58, 0x30, 0x48, 0x8b, 0x83];
    let number_behind = |known: &[u8]| {
        let at = code
            .windows(known.len())
            .position(|window| window == known)?;
        let bytes = code.get(at + known.len()..)?.get(..4)?;
        Some((i64::from(unsigned(bytes) as u32 as i32), at))
    };
    let ((named, call), (runs, at)) = (number_behind(&NAMED)?, number_behind(&RUNS)?);
    (call < at && named % WORD == 0 && runs % WORD == 0).then_some(Row {
        rule: Rule::Goroutine,
        number: runs / WORD,
        fp: named / WORD,
        ra: 0,
        bx: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_that_set_the_stack_pointer_are_known() {
        for (code, length) in [
            (&[0x48, 0x89, 0xdc, 0, 0][..], Some(3)),   // mov %rbx, %rsp
            (&[0x4c, 0x89, 0xe4, 0, 0], Some(3)),       // mov %r12, %rsp
            (&[0x48, 0x8b, 0x23, 0, 0], Some(3)),       // mov (%rbx), %rsp
            (&[0x49, 0x8b, 0x66, 0x38, 0], Some(4)),    // mov 0x38(%r14), %rsp
            (&[0x48, 0x8b, 0xa3, 0, 1, 0, 0], Some(7)), // mov 0x100(%rbx), %rsp
            (&[0x48, 0x89, 0xe3, 0, 0], None),          // mov %rsp, %rbx
            (&[0x48, 0x8b, 0x5c, 0x24, 0x08], None),    // mov 8(%rsp), %rbx
            (&[0x48, 0x83, 0xec, 0x28], None),          // sub $0x28, %rsp
            (&[0x48, 0x89], None),
        ] {
            assert_eq!(sets_stack(code), length, "{code:x?}");
        }
    }

    #[test]
    fn a_goroutine_is_found_as_the_code_finds_it() {
        let code = [
            0xff, 0xd7, 0x64, 0x48, 0x8b, 0x04, 0x25, 0xf8, 0xff, 0xff, 0xff, 0x48, 0x8b, 0x58,
            0x30, 0x48, 0x8b, 0x83, 0xc0, 0, 0, 0,
        ];
        let row = goroutine(&code).unwrap();
        assert_eq!(
            (row.rule, row.fp, row.number),
            (Rule::Goroutine, -1, 0xc0 / 8)
        );
        assert_eq!(Row::decode(row.encode()), row);
        assert_eq!(goroutine(&code[..20]), None);
        assert_eq!(goroutine(&code[2..]), None);
    }
}
