//! Structures and arrays as C lays them out.

use super::ast::Type;
use super::value::{Int, Text, Value};
use std::cmp::Ordering;
use std::fmt;

/// A structure or union that a script declares.
#[derive(Clone, Debug, PartialEq)]
pub struct Structure {
    pub name: String,
    pub union: bool,
    pub packed: bool,
    pub members: Vec<Member>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub name: String,
    pub ty: Type,
    /// The width of a bit field.
    pub bits: Option<u32>,
}

/// Where the members of a structure are.
pub struct Laid {
    /// In bits.
    pub offsets: Vec<u32>,
    /// In bytes.
    pub size: u32,
    pub align: u32,
}

impl Structure {
    fn keyword(&self) -> &'static str {
        if self.union { "union" } else { "struct" }
    }

    pub fn laid(&self) -> Laid {
        let (mut at, mut end, mut align, mut offsets) = (0u32, 0u32, 1u32, Vec::new());
        for member in &self.members {
            let (size, aligned) = shape(&member.ty);
            let aligned = if self.packed { 1 } else { aligned };
            align = align.max(aligned);
            if self.union {
                at = 0;
            }
            let width = match member.bits {
                // A bit field is within one unit of its type.
                Some(bits) => {
                    let unit = 8 * size;
                    if !self.packed && at / unit != (at + bits - 1) / unit {
                        at = at.next_multiple_of(unit);
                    }
                    bits
                }
                None => {
                    at = at.next_multiple_of(8 * aligned);
                    8 * size
                }
            };
            offsets.push(at);
            at += width;
            end = end.max(at);
        }
        Laid {
            offsets,
            size: end.div_ceil(8).next_multiple_of(align),
            align,
        }
    }
}

/// Whether what is printed of a value says all of it, in the order that is that of the values.
pub fn is_dense(ty: &Type) -> bool {
    match ty {
        Type::Int { .. } | Type::Bool | Type::Text => true,
        Type::Chars(_) | Type::Pointer => false,
        Type::Array(element, _) => is_dense(element),
        Type::Tuple(items) => items.iter().all(is_dense),
        Type::Record(items) => items.iter().all(|(_, ty)| is_dense(ty)),
        Type::Struct(structure) => {
            let members = &structure.members;
            let bits = |member: &Member| member.bits.unwrap_or(8 * shape(&member.ty).0);
            let all = members.iter().map(bits);
            let covered: u32 = match structure.union {
                true => all.max().unwrap_or(0),
                false => all.sum(),
            };
            members.iter().all(|member| is_dense(&member.ty))
                && covered == 8 * structure.laid().size
        }
    }
}

/// Size and alignment in bytes.
pub fn shape(ty: &Type) -> (u32, u32) {
    match ty {
        Type::Int { bytes, .. } => (*bytes, *bytes),
        Type::Chars(count) => (*count, 1),
        Type::Array(element, count) => {
            let (size, align) = shape(element);
            (size * count, align)
        }
        Type::Struct(structure) => {
            let laid = structure.laid();
            (laid.size, laid.align)
        }
        other => panic!("C has no {other:?}"),
    }
}

/// What a type is as bytes.
pub(super) fn read(ty: &Type, bytes: &[u8]) -> Value {
    match ty {
        Type::Int {
            bytes: width,
            signed,
        } => Value::Int(Int::new(
            number(bytes, 0, 8 * width) as i64,
            *width,
            *signed,
        )),
        Type::Chars(count) => {
            let text = bytes[..*count as usize].split(|byte| *byte == 0);
            let text = text.into_iter().next().expect("split gives one at least");
            Value::Text(Text::new(text))
        }
        _ => Value::Memory(ty.clone(), bytes[..shape(ty).0 as usize].to_vec()),
    }
}

/// The bytes of a tuple of words.
pub(super) fn of_words(value: &Value) -> Vec<u8> {
    let Value::Tuple(words) = value else {
        panic!("not words: {value:?}");
    };
    let bytes = words
        .iter()
        .map(|word| word.clone().int().bits.to_le_bytes());
    bytes.flatten().collect()
}

/// The bytes that a variable has in memory.
pub(super) fn of(value: &Value) -> Vec<u8> {
    match value {
        Value::Int(int) => int.bits.to_le_bytes().to_vec(),
        Value::Memory(_, bytes) => bytes.clone(),
        tuple => of_words(tuple),
    }
}

/// The bytes of an array as a number.
pub(super) fn word(bytes: &[u8]) -> i64 {
    number(bytes, 0, 8 * bytes.len() as u32) as i64
}

/// Bits as a number, the least first.
fn number(bytes: &[u8], from: u32, count: u32) -> u64 {
    let bit = |at: u32| u64::from(bytes[at as usize / 8] >> (at % 8) & 1);
    (0..count).fold(0, |word, index| word | bit(from + index) << index)
}

/// What a structure has by that number.
pub(super) fn member(structure: &Structure, index: usize, bytes: &[u8]) -> Value {
    let at = structure.laid().offsets[index];
    let member = &structure.members[index];
    match (member.bits, &member.ty) {
        (
            Some(bits),
            Type::Int {
                bytes: width,
                signed,
            },
        ) => {
            let word = number(bytes, at, bits) << (64 - bits);
            let extended = match signed {
                true => word as i64 >> (64 - bits),
                false => (word >> (64 - bits)) as i64,
            };
            Value::Int(Int::new(extended, *width, *signed))
        }
        (_, ty) => read(ty, &bytes[at as usize / 8..]),
    }
}

pub(super) fn element(element: &Type, index: usize, bytes: &[u8]) -> Value {
    read(element, &bytes[index * shape(element).0 as usize..])
}

/// All members or elements.
fn parts(ty: &Type, bytes: &[u8]) -> Vec<Value> {
    match ty {
        Type::Struct(structure) => (0..structure.members.len())
            .map(|index| member(structure, index, bytes))
            .collect(),
        Type::Array(of, count) => (0..*count as usize)
            .map(|index| element(of, index, bytes))
            .collect(),
        other => panic!("{other:?} has no parts"),
    }
}

pub(super) fn shown(ty: &Type, bytes: &[u8]) -> Vec<u8> {
    let parts = parts(ty, bytes);
    let parts = parts.iter().map(Value::shown);
    match ty {
        Type::Struct(structure) => {
            let named = structure.members.iter().zip(parts);
            let named: Vec<Vec<u8>> = named
                .map(|(member, value)| {
                    [format!(".{} = ", member.name).into_bytes(), value].concat()
                })
                .collect();
            [b"{ ", &named.join(&b", "[..])[..], b" }"].concat()
        }
        _ => [b"[", &parts.collect::<Vec<_>>().join(&b","[..])[..], b"]"].concat(),
    }
}

pub(super) fn compare(ty: &Type, a: &[u8], b: &[u8]) -> Ordering {
    let pairs = parts(ty, a).into_iter().zip(parts(ty, b));
    pairs
        .map(|(a, b)| a.compare(&b))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// What is there where nothing was assigned.
pub(super) fn zeros(ty: &Type) -> Value {
    Value::Memory(ty.clone(), vec![0; shape(ty).0 as usize])
}

/// The name of a type as C has it, without the `[4]` of an array.
pub(super) fn named(ty: &Type) -> String {
    match ty {
        Type::Int { bytes, signed } => {
            let word = ["char", "short", "int", "long"][bytes.ilog2() as usize];
            match (signed, bytes) {
                (true, 1) => "signed char".to_owned(),
                (true, _) => word.to_owned(),
                (false, _) => format!("unsigned {word}"),
            }
        }
        Type::Chars(_) => "char".to_owned(),
        Type::Array(element, _) => named(element),
        Type::Struct(structure) => format!("{} {}", structure.keyword(), structure.name),
        other => panic!("C has no {other:?}"),
    }
}

/// The declaration.
impl fmt::Display for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {} {{", self.keyword(), self.name)?;
        for member in &self.members {
            write!(f, "{} {}", named(&member.ty), member.name)?;
            match (&member.ty, member.bits) {
                (Type::Array(_, count) | Type::Chars(count), _) => writeln!(f, "[{count}];")?,
                (_, Some(bits)) => writeln!(f, " : {bits};")?,
                _ => writeln!(f, ";")?,
            }
        }
        match self.packed {
            true => writeln!(f, "}} __attribute__((packed));"),
            false => writeln!(f, "}};"),
        }
    }
}
