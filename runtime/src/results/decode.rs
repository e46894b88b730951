//! From bytes to values, by the manifest's layouts. Addresses become frames here, by whoever knows [`Names`]; what is not
//! there reads as zero, empty or unnamed.

use super::format::{Argument, Printf};
use super::series;
use super::value::{Bucket, Frame, Histogram, Scale, Stack, Stats, Value};
use crate::bytes::{
    as_number, average, buffer, field, member_number, number, shown, slice, string, unsigned,
};
use pfscript_compiler::manifest::{
    DataType, Field, FormatPiece, Holds, Layout, MapValue, Naming, StackMode,
};
use pfscript_probes::maps::{linear_bounds, log2_bounds};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What turns addresses into frames.
pub trait Names {
    /// The first `depth` frames of a captured stack; addresses alone if the mode is [`StackMode::Raw`].
    fn stack(&mut self, id: u64, user: bool, mode: StackMode, depth: u32) -> Vec<Frame>;
    /// A function of the kernel.
    fn kernel_symbol(&mut self, address: u64) -> Frame;
    /// A function of a process.
    fn user_symbol(&mut self, address: u64, tgid: u32) -> Frame;
    /// What a number stands for.
    fn named(&mut self, naming: &Naming, number: u64) -> Value;
    /// What is shown behind a string that was cut.
    fn trailer(&self) -> &[u8];
}

/// Names nothing: addresses as they are, stacks empty.
#[derive(Debug, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn stack(&mut self, _: u64, _: bool, _: StackMode, _: u32) -> Vec<Frame> {
        Vec::new()
    }

    fn kernel_symbol(&mut self, address: u64) -> Frame {
        Frame::at(address)
    }

    fn user_symbol(&mut self, address: u64, _: u32) -> Frame {
        Frame::at(address)
    }

    fn named(&mut self, _: &Naming, number: u64) -> Value {
        Value::UInt(number)
    }

    fn trailer(&self) -> &[u8] {
        b".."
    }
}

/// What is in a buffer. Addresses are text from here on.
fn held(holds: Holds, bytes: &[u8]) -> Value {
    let text = match (holds, bytes) {
        (Holds::InternetAddress, bytes) => {
            match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
                (Ok(address), _) => Ipv4Addr::from(address).to_string(),
                (_, Ok(address)) => Ipv6Addr::from(address).to_string(),
                _ => String::new(),
            }
        }
        (Holds::HardwareAddress, bytes) => {
            let parts: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            parts.join(":")
        }
        (Holds::Bytes, bytes) => return Value::Buffer(bytes.to_vec()),
    };
    Value::Literal(text.into_bytes())
}

/// The value that `bytes` hold.
pub fn value(layout: &Layout, bytes: &[u8], names: &mut dyn Names) -> Value {
    let word = || unsigned(slice(bytes, 0, 8));
    match &layout.ty {
        DataType::Int { .. } => named(&layout.ty, number(layout, bytes).unwrap_or(0)),
        DataType::Bool => Value::Bool(unsigned(slice(bytes, 0, 1)) != 0),
        DataType::Pointer => Value::Pointer(word()),
        DataType::Absent => Value::Absent,
        DataType::String => {
            let room = slice(bytes, 0, layout.size);
            Value::Str(shown(room, names.trailer()))
        }
        DataType::Chars => Value::Str(string(slice(bytes, 0, layout.size)).to_vec()),
        DataType::Literal => Value::Literal(string(slice(bytes, 0, layout.size)).to_vec()),
        DataType::Buffer(holds) => held(*holds, buffer(slice(bytes, 0, layout.size))),
        DataType::Named(naming) => names.named(naming, word()),
        DataType::Tuple(parts) => Value::Tuple(
            parts
                .iter()
                .map(|part| value(&part.layout, field(bytes, part), names))
                .collect(),
        ),
        DataType::Record(members) => Value::Record(
            members
                .iter()
                .map(|member| {
                    let read = match member_number(member, bytes) {
                        Some((number, _)) => named(&member.field.layout.ty, number),
                        None => value(&member.field.layout, field(bytes, &member.field), names),
                    };
                    (member.name.as_str().into(), read)
                })
                .collect(),
        ),
        DataType::Array { element, count } => Value::Array(
            (0..*count)
                .map(|index| slice(bytes, index * element.size, element.size))
                .map(|bytes| value(element, bytes, names))
                .collect(),
        ),
        DataType::Stack { user, mode, depth } => Value::Stack(Stack {
            user: *user,
            mode: *mode,
            frames: names.stack(word(), *user, *mode, *depth),
        }),
        DataType::KernelSymbol => Value::Symbol(names.kernel_symbol(word())),
        DataType::UserSymbol => {
            let tgid = unsigned(slice(bytes, 8, 4)) as u32;
            Value::Symbol(names.user_symbol(word(), tgid))
        }
    }
}

/// What a map holds under a key, divided by `divisor`: numbers, averages and the counts of `hist`, as bpftrace has it. A
/// time series ends with its own newest interval.
pub fn map_value(kind: &MapValue, bytes: &[u8], divisor: u64, names: &mut dyn Names) -> Value {
    let divisor = divisor.max(1);
    let divided = |number: i128, signed| integer(number / i128::from(divisor), signed);
    let word = |index: u32| unsigned(slice(bytes, index * 8, 8));
    match kind {
        MapValue::Scalar(layout) => match (&layout.ty, number(layout, bytes)) {
            (DataType::Int { signed, .. }, Some(number)) if divisor > 1 => divided(number, *signed),
            _ => value(layout, bytes, names),
        },
        MapValue::Count => divided(word(0).into(), false),
        MapValue::Sum { signed } | MapValue::Min { signed } | MapValue::Max { signed } => {
            divided(as_number(word(0), *signed), *signed)
        }
        MapValue::Avg { signed } => divided(average(bytes, *signed), *signed),
        MapValue::Stats { signed } => Value::Stats(Stats {
            count: word(0),
            average: average(bytes, *signed) / i128::from(divisor),
            total: as_number(word(1), *signed),
        }),
        MapValue::Hist { bits } => Value::Histogram(Histogram {
            scale: Scale::Log2 { bits: *bits },
            buckets: buckets(bytes, divisor, |index| log2_bounds(index, *bits)),
        }),
        // bpftrace divides the counts of `hist` alone.
        MapValue::LHist { min, max, step } => Value::Histogram(Histogram {
            scale: Scale::Linear { step: *step },
            buckets: buckets(bytes, 1, |index| linear_bounds(index, *min, *max, *step)),
        }),
        MapValue::Series { .. } => {
            Value::Series(series::decode(kind, bytes, series::newest(bytes)))
        }
    }
}

/// An integer of a type, by its name if it has one.
fn named(ty: &DataType, number: i128) -> Value {
    let DataType::Int { signed, names, .. } = ty else {
        return integer(number, false);
    };
    // Names stand by the 64 bits of their values.
    let name = names
        .as_ref()
        .and_then(|all| all.names.get(&(number as i64)));
    match name {
        Some(name) => Value::Enumerator {
            number,
            name: name.clone(),
        },
        None => integer(number, *signed),
    }
}

fn integer(number: i128, signed: bool) -> Value {
    // Both came from 64 bits, and division made none larger.
    if signed {
        Value::Int(number as i64)
    } else {
        Value::UInt(number as u64)
    }
}

/// The buckets from the first to the last that is not empty. Division changes their counts, not which they are.
fn buckets(bytes: &[u8], divisor: u64, bounds: impl Fn(u32) -> (i64, i64)) -> Vec<Bucket> {
    let counts = || bytes.chunks_exact(8).map(unsigned).enumerate();
    let used = |(index, count): (usize, u64)| (count > 0).then_some(index);
    let first = counts().find_map(used).unwrap_or(0);
    let end = counts()
        .filter_map(used)
        .next_back()
        .map_or(0, |last| last + 1);
    counts()
        .take(end)
        .skip(first)
        .map(|(index, count)| {
            let (from, to) = bounds(index as u32);
            Bucket {
                from: (from != i64::MIN).then_some(from),
                to: (to != i64::MAX).then_some(to),
                count: count / divisor,
            }
        })
        .collect()
}

/// A format with its arguments out of a record.
pub fn printf<'a>(
    pieces: &'a [FormatPiece],
    fields: &[Field],
    record: &[u8],
    names: &mut dyn Names,
) -> Printf<'a> {
    let arguments = fields
        .iter()
        .map(|part| Argument {
            value: value(&part.layout, field(record, part), names),
            size: match part.layout.ty {
                DataType::Int { bytes, .. } => bytes,
                DataType::Bool => 1,
                _ => 8,
            },
        })
        .collect();
    Printf { pieces, arguments }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bytes::tests::{int, words};

    pub(crate) fn layout(size: u32, ty: DataType) -> Layout {
        Layout { size, ty }
    }

    pub(crate) fn tuple(parts: &[(u32, Layout)]) -> Layout {
        let size = parts
            .iter()
            .map(|(offset, part)| offset + part.size)
            .max()
            .unwrap_or(0);
        let fields = parts
            .iter()
            .map(|(offset, layout)| Field {
                offset: *offset,
                layout: layout.clone(),
            })
            .collect();
        layout(size, DataType::Tuple(fields))
    }

    fn read(layout: &Layout, bytes: &[u8]) -> Value {
        value(layout, bytes, &mut NoNames)
    }

    #[test]
    fn values_keep_their_type() {
        assert_eq!(read(&int(1, true), &[0xfb]), Value::Int(-5));
        assert_eq!(read(&int(8, false), &[0xff; 8]), Value::UInt(u64::MAX));
        assert_eq!(read(&layout(1, DataType::Bool), &[1]), Value::Bool(true));
        assert_eq!(
            read(&layout(4, DataType::Chars), b"a\xff\0c"),
            Value::Str(b"a\xff".to_vec())
        );
        for (room, text) in [
            ("ab\0\0", "ab"),
            ("abc\0", "abc"),
            ("abc\x01", "abc.."),
            ("ab\0\x01", "ab.."),
        ] {
            assert_eq!(
                read(&layout(4, DataType::String), room.as_bytes()),
                Value::Str(text.as_bytes().to_vec())
            );
        }
        let pair = tuple(&[(0, int(8, true)), (8, layout(8, DataType::Pointer))]);
        assert_eq!(
            read(&pair, &words(&[1, 0x7f])),
            Value::Tuple(vec![Value::Int(1), Value::Pointer(0x7f)])
        );
        assert_eq!(
            read(&layout(8, DataType::KernelSymbol), &words(&[9])),
            Value::Symbol(Frame::at(9))
        );
    }

    #[test]
    fn bytes_that_are_not_there_do_no_harm() {
        assert_eq!(read(&int(8, false), &[]), Value::UInt(0));
        let pair = tuple(&[(0, int(8, true)), (8, layout(8, DataType::String))]);
        assert_eq!(
            read(&pair, &[1]),
            Value::Tuple(vec![Value::Int(1), Value::Str(Vec::new())])
        );
    }

    fn histogram(kind: &MapValue, counts: &[i64], divisor: u64) -> Vec<Bucket> {
        match map_value(kind, &words(counts), divisor, &mut NoNames) {
            Value::Histogram(histogram) => histogram.buckets,
            other => panic!("not a histogram: {other:?}"),
        }
    }

    #[test]
    fn buckets_know_their_bounds() {
        let bucket = |from, to, count| Bucket { from, to, count };
        assert_eq!(
            histogram(&MapValue::Hist { bits: 0 }, &[3, 0, 4, 0, 0], 2),
            [
                bucket(None, Some(0), 1),
                bucket(Some(0), Some(1), 0),
                bucket(Some(1), Some(2), 2),
            ]
        );
        let linear = MapValue::LHist {
            min: 0,
            max: 4,
            step: 2,
        };
        assert_eq!(
            histogram(&linear, &[0, 0, 3, 1], 2),
            [bucket(Some(2), Some(4), 3), bucket(Some(4), None, 1)]
        );
        assert_eq!(histogram(&linear, &[0; 4], 1), []);
    }

    #[test]
    fn division_leaves_counts_and_totals_of_stats_alone() {
        let divided = |kind, words_: &[i64]| map_value(&kind, &words(words_), 2, &mut NoNames);
        assert_eq!(
            divided(MapValue::Stats { signed: true }, &[2, 505]),
            Value::Stats(Stats {
                count: 2,
                average: 126,
                total: 505
            })
        );
        assert_eq!(
            divided(MapValue::Avg { signed: true }, &[1, -7]),
            Value::Int(-3)
        );
        assert_eq!(
            divided(MapValue::Sum { signed: false }, &[-1]),
            Value::UInt(u64::MAX / 2)
        );
        assert_eq!(
            divided(MapValue::Scalar(int(8, true)), &[-7]),
            Value::Int(-3)
        );
    }
}
