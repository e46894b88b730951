//! The code that runs before and after a program or a library, `.init` and `.fini`, and that through which functions of other files
//! are called, `.plt` (of arm64: on x86-64 files speak of it).
//!
//! The linker makes it, or puts it together of parts in assembly, of which nothing says how to unwind (`crti.S` and `crtn.S` of glibc),
//! and it is in each library: short programs spend some hundredths of their page faults there. It is known by its first and last
//! instructions.

use super::machine::Machine;
use super::row::{Row, Rule};

/// How such code begins and ends.
struct Shape {
    machine: Machine,
    /// What may stand before: a mark for indirect jumps, or the signing of the return address.
    mark: &'static [u8],
    /// The instructions that make a frame.
    begin: &'static [u8],
    /// How many bytes of them have run when the frame is there.
    made: u32,
    /// The instructions that take it away.
    end: &'static [u8],
    /// What may stand between them and the return.
    unmark: &'static [u8],
    /// The instruction that returns.
    leave: &'static [u8],
    /// Before there is a frame, and with it.
    rows: [Row; 2],
}

const fn row(number: i64, fp: i64, ra: i64) -> Row {
    Row {
        rule: Rule::FromSp,
        number,
        fp,
        ra,
        bx: 0,
    }
}

const SHAPES: [Shape; 2] = [
    Shape {
        machine: Machine::X86_64,
        // endbr64
        mark: &[0xf3, 0x0f, 0x1e, 0xfa],
        // sub $8, %rsp
        begin: &[0x48, 0x83, 0xec, 0x08],
        made: 4,
        // add $8, %rsp
        end: &[0x48, 0x83, 0xc4, 0x08],
        unmark: &[],
        // ret
        leave: &[0xc3],
        rows: [row(1, 0, -1), row(2, 0, -1)],
    },
    Shape {
        machine: Machine::Aarch64,
        // paciasp
        mark: &[0x3f, 0x23, 0x03, 0xd5],
        // stp x29, x30, [sp, #-16]!; mov x29, sp
        begin: &[0xfd, 0x7b, 0xbf, 0xa9, 0xfd, 0x03, 0x00, 0x91],
        made: 4,
        // ldp x29, x30, [sp], #16
        end: &[0xfd, 0x7b, 0xc1, 0xa8],
        // autiasp
        unmark: &[0xbf, 0x23, 0x03, 0xd5],
        // ret
        leave: &[0xc0, 0x03, 0x5f, 0xd6],
        rows: [row(0, 0, 0), row(2, -2, -1)],
    },
];

/// The rows of such code, by offset in it; none if it is of another shape.
pub(super) fn rows(machine: Machine, code: &[u8]) -> Vec<(u32, u64)> {
    let shapes = SHAPES.iter().filter(|shape| shape.machine == machine);
    let found = shapes.filter_map(|shape| shape.rows_of(code)).next();
    found.unwrap_or_default()
}

/// The rows of entries for calls of other files, by offset, from the first bytes of them all; none if their file speaks of them.
///
/// Entries leave the stack as it is. Before them is the code that has the dynamic linker find a function: it puts the entry's and the
/// caller's address there.
pub(super) fn linkage(machine: Machine, begin: &[u8]) -> Vec<(u32, u64)> {
    const HEADER: u32 = 32;
    /// stp x16, x30, [sp, #-16]!, at the beginning or behind a mark for indirect jumps.
    const PUSH: [u8; 4] = [0xf0, 0x7b, 0xbf, 0xa9];
    if machine != Machine::Aarch64 {
        return Vec::new();
    }
    let mut rows = vec![(0, row(0, 0, 0).encode())];
    let instructions = begin.chunks_exact(4).take(2);
    if let Some(at) = instructions.into_iter().position(|code| code == PUSH) {
        rows.push((4 * at as u32 + 4, row(2, 0, -1).encode()));
        rows.push((HEADER, row(0, 0, 0).encode()));
    }
    rows
}

impl Shape {
    fn rows_of(&self, code: &[u8]) -> Option<Vec<(u32, u64)>> {
        let marked = code.strip_prefix(self.mark).unwrap_or(code);
        marked.strip_prefix(self.begin)?;
        let made = (code.len() - marked.len()) as u32 + self.made;
        let rest = marked.strip_suffix(self.leave)?;
        let rest = rest.strip_suffix(self.unmark).unwrap_or(rest);
        rest.strip_suffix(self.end)?;
        let gone = (code.len() - marked.len() + rest.len()) as u32;
        let [without, with] = self.rows.map(|row| row.encode());
        (made < gone).then(|| vec![(0, without), (made, with), (gone, without)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The row at an offset.
    fn at(rows: &[(u32, u64)], offset: u32) -> Row {
        let row = rows.iter().rfind(|row| row.0 <= offset).unwrap();
        Row::decode(row.1)
    }

    #[test]
    fn code_of_x86_64_is_known_by_its_ends() {
        let fini = [0x48, 0x83, 0xec, 0x08, 0x48, 0x83, 0xc4, 0x08, 0xc3];
        let rows = |code: &[u8]| super::rows(Machine::X86_64, code);
        let known = rows(&fini);
        let found = [0, 3, 4, 7, 8].map(|offset| at(&known, offset).number);
        assert_eq!(found, [1, 1, 2, 2, 1]);
        let marked = [&[0xf3, 0x0f, 0x1e, 0xfa], &fini[..]].concat();
        let found = [0, 4, 8, 12].map(|offset| at(&rows(&marked), offset).number);
        assert_eq!(found, [1, 1, 2, 1]);
        for other in [&fini[1..], &fini[..8], &fini[..4], &[]] {
            assert_eq!(rows(other), []);
        }
        assert_eq!(super::rows(Machine::Aarch64, &fini), []);
    }

    #[test]
    fn calls_of_other_files_on_arm64_leave_the_stack_as_it_is() {
        let (leaf, pushed) = (row(0, 0, 0), row(2, 0, -1));
        let push = [0xf0, 0x7b, 0xbf, 0xa9];
        let mark = [0x5f, 0x24, 0x03, 0xd5];
        let rows = |begin: &[u8]| super::linkage(Machine::Aarch64, begin);
        let found = [0, 3, 4, 31, 32, 48].map(|offset| at(&rows(&push), offset));
        assert_eq!(found, [leaf, leaf, pushed, pushed, leaf, leaf]);
        let marked = rows(&[mark, push].concat());
        let found = [0, 4, 8, 31, 32].map(|offset| at(&marked, offset));
        assert_eq!(found, [leaf, leaf, pushed, pushed, leaf]);
        // Where functions are found when the program begins, there may be entries alone.
        let found = [0, 16, 32].map(|offset| at(&rows(&[mark, mark, push].concat()), offset));
        assert_eq!(found, [leaf; 3]);
        assert_eq!(super::linkage(Machine::X86_64, &push), []);
    }

    #[test]
    fn code_of_arm64_is_known_by_its_ends() {
        let words = |words: &[u32]| {
            words
                .iter()
                .flat_map(|word| word.to_le_bytes())
                .collect::<Vec<u8>>()
        };
        let call = 0x9400_0010;
        let code = [0xa9bf_7bfd, 0x9100_03fd, call, 0xa8c1_7bfd, 0xd65f_03c0];
        let known = rows(Machine::Aarch64, &words(&code));
        let leaf = row(0, 0, 0);
        let found = [0, 4, 8, 12, 16].map(|offset| at(&known, offset));
        let framed = row(2, -2, -1);
        assert_eq!(found, [leaf, framed, framed, framed, leaf]);
        let signed = [&[0xd503_233f], &code[..4], &[0xd503_23bf, code[4]]].concat();
        let known = rows(Machine::Aarch64, &words(&signed));
        let found = [0, 4, 8, 16, 20, 24].map(|offset| at(&known, offset));
        assert_eq!(found, [leaf, leaf, framed, framed, leaf, leaf]);
    }
}
