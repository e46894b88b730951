//! The code that runs before and after a program or a library: `.init` and `.fini`.
//!
//! The linker puts it together of parts in assembly, of which nothing says how to unwind (`crti.S` and `crtn.S` of glibc), and
//! it is in each library: short programs spend some hundredths of their page faults there. It is known by its first and last
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
