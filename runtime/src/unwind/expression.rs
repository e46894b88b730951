//! The DWARF expressions that a table can say. Compilers and assemblers make few of them.

use super::Reader;
use gimli::{Encoding, Expression, Format, Operation, Register};

/// What an expression computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A register and a number of bytes.
    Sum(Register, i64),
    /// The word at a register and a number of bytes, plus a number of bytes.
    Word(Register, i64, i64),
    /// The stack pointer and 8, or 16 where the low 4 bits of the address are this number or more.
    Plt(i64),
}

/// Operations of the longest of them.
const MAX_OPERATIONS: usize = 9;

/// What an expression computes; `None` if it is none of the known ones.
pub(super) fn form(expression: Expression<Reader<'_>>) -> Option<Form> {
    use Operation::{And, Deref, Ge, Plus, PlusConstant, RegisterOffset, Shl, UnsignedConstant};
    const RSP: u16 = 7;
    const RIP: u16 = 16;
    let encoding = Encoding {
        address_size: 8,
        format: Format::Dwarf32,
        version: 4,
    };
    let mut operations = [const { Operation::Nop }; MAX_OPERATIONS];
    let mut count = 0;
    let mut rest = expression.0;
    while !rest.is_empty() {
        *operations.get_mut(count)? = Operation::parse(&mut rest, encoding).ok()?;
        count += 1;
    }
    let constant = |value: &u64| i64::try_from(*value).ok();
    Some(match &operations[..count] {
        [
            RegisterOffset {
                register, offset, ..
            },
        ] => Form::Sum(*register, *offset),
        [
            RegisterOffset {
                register, offset, ..
            },
            Deref {
                size: 8,
                space: false,
                ..
            },
        ] => Form::Word(*register, *offset, 0),
        [
            RegisterOffset {
                register, offset, ..
            },
            Deref {
                size: 8,
                space: false,
                ..
            },
            PlusConstant { value },
        ]
        | [
            RegisterOffset {
                register, offset, ..
            },
            Deref {
                size: 8,
                space: false,
                ..
            },
            UnsignedConstant { value },
            Plus,
        ] => Form::Word(*register, *offset, constant(value)?),
        [
            RegisterOffset {
                register: Register(RSP),
                offset: 8,
                ..
            },
            RegisterOffset {
                register: Register(RIP),
                offset: 0,
                ..
            },
            UnsignedConstant { value: 15 },
            And,
            UnsignedConstant { value },
            Ge,
            UnsignedConstant { value: 3 },
            Shl,
            Plus,
        ] => Form::Plt(constant(value)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gimli::{EndianSlice, LittleEndian};

    fn of(bytes: &[u8]) -> Option<Form> {
        form(Expression(EndianSlice::new(bytes, LittleEndian)))
    }

    #[test]
    fn known_expressions_are_told_apart() {
        let (sp, fp) = (Register(7), Register(6));
        // breg6 -8
        assert_eq!(of(&[0x76, 0x78]), Some(Form::Sum(fp, -8)));
        // breg6 -8; deref
        assert_eq!(of(&[0x76, 0x78, 0x06]), Some(Form::Word(fp, -8, 0)));
        // breg7 152; deref; plus_uconst 8
        let word = [0x77, 0x98, 0x01, 0x06, 0x23, 0x08];
        assert_eq!(of(&word), Some(Form::Word(sp, 152, 8)));
        // breg7 8; breg16 0; lit15; and; lit11; ge; lit3; shl; plus
        let mut plt = [
            0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22,
        ];
        assert_eq!(of(&plt), Some(Form::Plt(11)));
        plt[1] = 16;
        assert_eq!(of(&plt), None);
    }

    #[test]
    fn others_are_unknown() {
        for bytes in [
            &[][..],
            &[0x06],
            &[0x77],
            &[0x77, 0x98],
            // breg7 8; breg9 0; lit8; mul; plus; deref; plus_uconst 8
            &[0x77, 0x08, 0x79, 0x00, 0x38, 0x1e, 0x22, 0x06, 0x23, 0x08],
            // A word of 4 bytes.
            &[0x76, 0x78, 0x94, 0x04],
            &[0x76, 0x78, 0x06, 0x06],
            &[0x30; 40],
        ] {
            assert_eq!(of(bytes), None, "{bytes:x?}");
        }
        // breg6 0; deref; plus_uconst of more than a signed number.
        let mut large = vec![0x76, 0x00, 0x06, 0x23];
        large.extend([0xff; 9]);
        large.push(0x01);
        assert_eq!(of(&large), None);
    }
}
