//! Numbers, strings and fields out of the kernel's bytes, by the manifest's layouts, and their order. What is not there
//! reads as zero. Values for those who take results are made in [`crate::results`], not here.

use pfscript_compiler::manifest::{DataType, Field, Layout, Member};
use pfscript_probes::abi::{AVERAGE_COUNT, AVERAGE_TOTAL};
use std::cmp::Ordering;

/// Reads a little-endian unsigned integer of up to 8 bytes; missing bytes are zero.
pub fn unsigned(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let len = bytes.len().min(8);
    word[..len].copy_from_slice(&bytes[..len]);
    u64::from_le_bytes(word)
}

/// Reads a little-endian two's complement integer of up to 8 bytes.
pub fn signed(bytes: &[u8]) -> i64 {
    let unused = 64 - 8 * bytes.len().min(8) as u32;
    let value = unsigned(bytes) as i64;
    value.checked_shl(unused).unwrap_or(0) >> unused.min(63)
}

/// The bytes of `size` at `offset`; shorter if `bytes` ends before.
pub fn slice(bytes: &[u8], offset: u32, size: u32) -> &[u8] {
    let start = (offset as usize).min(bytes.len());
    let end = (offset as usize + size as usize).min(bytes.len());
    &bytes[start..end]
}

/// A field's bytes.
pub fn field<'a>(bytes: &'a [u8], field: &Field) -> &'a [u8] {
    slice(bytes, field.offset, field.layout.size)
}

/// The bytes of a string: up to the first zero byte.
pub fn string(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    &bytes[..end]
}

/// Whether the room of a string says that it was cut: its last byte is not zero then.
pub fn was_cut(room: &[u8]) -> bool {
    room.last().is_some_and(|last| *last != 0)
}

/// What is shown of a string in this room.
pub fn shown(room: &[u8], trailer: &[u8]) -> Vec<u8> {
    if !was_cut(room) {
        return string(room).to_vec();
    }
    let text = string(&room[..room.len() - 1]);
    [text, trailer].concat()
}

/// The bytes of a buffer, behind their length.
pub fn buffer(bytes: &[u8]) -> &[u8] {
    let length = u32::try_from(unsigned(slice(bytes, 0, 8))).unwrap_or(u32::MAX);
    slice(bytes, 8, length)
}

/// The value of an integer (`Int`, `Bool`, `Pointer`), as wide as any of them.
pub fn number(layout: &Layout, bytes: &[u8]) -> Option<i128> {
    match &layout.ty {
        DataType::Int {
            bytes: size,
            signed: true,
            ..
        } => Some(signed(slice(bytes, 0, *size)).into()),
        DataType::Int {
            bytes: size,
            signed: false,
            ..
        } => Some(unsigned(slice(bytes, 0, *size)).into()),
        DataType::Bool => Some(unsigned(slice(bytes, 0, 1)).into()),
        DataType::Pointer | DataType::Named(_) => Some(unsigned(slice(bytes, 0, 8)).into()),
        _ => None,
    }
}

/// A bit field's number, and whether it is signed; `None` for members that are none.
pub fn member_number(member: &Member, record: &[u8]) -> Option<(i128, bool)> {
    let bits = member.bits?;
    let word = unsigned(field(record, &member.field));
    let unused = 64u32.saturating_sub(bits.count).min(63);
    let above = unused.saturating_sub(bits.shift);
    let raised = word << above;
    Some(match member.field.layout.ty {
        DataType::Int { signed: true, .. } => ((raised as i64 >> unused).into(), true),
        _ => ((raised >> unused).into(), false),
    })
}

/// Orders two values of the same layout: numbers by value, strings by bytes, composites field by field.
pub fn compare(layout: &Layout, a: &[u8], b: &[u8]) -> Ordering {
    match &layout.ty {
        DataType::String | DataType::Chars | DataType::Literal => {
            string(slice(a, 0, layout.size)).cmp(string(slice(b, 0, layout.size)))
        }
        DataType::Buffer(_) => {
            buffer(slice(a, 0, layout.size)).cmp(buffer(slice(b, 0, layout.size)))
        }
        DataType::Tuple(fields) => fields
            .iter()
            .map(|part| compare(&part.layout, field(a, part), field(b, part)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal),
        DataType::Record(members) => members
            .iter()
            .map(
                |member| match (member_number(member, a), member_number(member, b)) {
                    (Some(a), Some(b)) => a.cmp(&b),
                    _ => {
                        let part = &member.field;
                        compare(&part.layout, field(a, part), field(b, part))
                    }
                },
            )
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal),
        DataType::Array { element, count } => (0..*count)
            .map(|index| {
                let at = |bytes| slice(bytes, index * element.size, element.size);
                compare(element, at(a), at(b))
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal),
        DataType::Absent => Ordering::Equal,
        _ => match (number(layout, a), number(layout, b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.cmp(b),
        },
    }
}

/// A word that is less than another's only if [`compare`] puts the value before the other.
pub fn beginning(layout: &Layout, bytes: &[u8]) -> u64 {
    let text = |text: &[u8]| {
        let mut word = [0; 8];
        let len = text.len().min(8);
        word[..len].copy_from_slice(&text[..len]);
        u64::from_be_bytes(word)
    };
    match &layout.ty {
        DataType::String | DataType::Chars | DataType::Literal => {
            text(string(slice(bytes, 0, layout.size)))
        }
        DataType::Buffer(_) => text(buffer(slice(bytes, 0, layout.size))),
        DataType::Tuple(fields) => fields
            .first()
            .map_or(0, |first| beginning(&first.layout, field(bytes, first))),
        DataType::Record(_) => 0,
        DataType::Array { element, .. } => beginning(element, slice(bytes, 0, element.size)),
        DataType::Int { signed, .. } => risen(number(layout, bytes).unwrap_or(0) as u64, *signed),
        _ => match number(layout, bytes) {
            Some(number) => number as u64,
            None => text(bytes),
        },
    }
}

/// A 64-bit number as an unsigned one, in the same order.
pub fn risen(word: u64, signed: bool) -> u64 {
    word ^ u64::from(signed) << 63
}

/// The value of a rank, or the rank of a value: see [`EXTREME_RANK`](pfscript_probes::abi::EXTREME_RANK).
pub fn turn(word: u64, least: bool, signed: bool) -> u64 {
    let flipped = risen(word, signed);
    if least { !flipped } else { flipped }
}

/// A 64-bit word as the number that it stands for.
pub fn as_number(word: u64, signed: bool) -> i128 {
    if signed {
        i128::from(word as i64)
    } else {
        i128::from(word)
    }
}

/// The average in `{ u64 count; u64 total }`, cut towards zero; 0 of none.
pub fn average(value: &[u8], signed: bool) -> i128 {
    let count = i128::from(unsigned(AVERAGE_COUNT.of(value)));
    as_number(unsigned(AVERAGE_TOTAL.of(value)), signed)
        .checked_div(count)
        .unwrap_or(0)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use pfscript_compiler::manifest::Holds;

    pub(crate) fn int(bytes: u32, signed: bool) -> Layout {
        Layout {
            size: bytes,
            ty: DataType::Int {
                bytes,
                signed,
                names: None,
            },
        }
    }

    pub(crate) fn words(words: &[i64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn integers_of_all_sizes_are_read() {
        assert_eq!(signed(&[0xfb]), -5);
        assert_eq!(signed(&[0xff, 0x7f]), 0x7fff);
        assert_eq!(signed(&[0xff; 8]), -1);
        assert_eq!(signed(&[]), 0);
        assert_eq!(unsigned(&[0xfb]), 251);
        assert_eq!(unsigned(&[1, 0, 0, 0, 1]), 0x1_0000_0001);
    }

    #[test]
    fn averages_are_cut_towards_zero() {
        assert_eq!(average(&words(&[2, 11]), false), 5);
        assert_eq!(average(&words(&[2, -7]), true), -3);
        assert_eq!(average(&words(&[0, 0]), true), 0);
    }

    #[test]
    fn what_begins_with_less_is_less() {
        let text = |ty| Layout { size: 16, ty };
        let at = |offset, layout| Field { offset, layout };
        let array = DataType::Array {
            element: Box::new(int(2, true)),
            count: 8,
        };
        let layouts = [
            int(1, true),
            int(4, false),
            int(8, true),
            int(8, false),
            text(DataType::String),
            text(DataType::Buffer(Holds::Bytes)),
            text(array),
            text(DataType::Tuple(vec![
                at(8, int(8, true)),
                at(0, text(DataType::Pointer)),
            ])),
            text(DataType::KernelSymbol),
        ];
        let word = [
            0,
            1,
            2,
            7,
            0x41,
            0x4142,
            -1,
            -2,
            i64::MIN,
            i64::MAX,
            1 << 31,
        ];
        let all: Vec<Vec<u8>> = word
            .iter()
            .flat_map(|a| word.iter().map(|b| words(&[*a, *b])))
            .collect();
        let mut told = 0;
        for layout in &layouts {
            for (a, b) in all.iter().flat_map(|a| all.iter().map(move |b| (a, b))) {
                let by_beginning = beginning(layout, a).cmp(&beginning(layout, b));
                if by_beginning.is_ne() {
                    assert_eq!(
                        compare(layout, a, b),
                        by_beginning,
                        "{layout:?} {a:?} {b:?}"
                    );
                    told += 1;
                }
            }
        }
        assert!(told > layouts.len() * all.len(), "{told}");
    }
}
