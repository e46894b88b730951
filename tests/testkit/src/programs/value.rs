//! Values of programs, and what operators and `printf` make of them.

use super::ast::{Binary, Type, Variable};
use super::memory;
use std::cmp::Ordering;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Int(Int),
    Bool(bool),
    Text(Text),
    Tuple(Vec<Value>),
    Record(Vec<(&'static str, Value)>),
    /// A structure or an array, as the bytes that C has of it.
    Memory(Type, Vec<u8>),
    /// To a variable of one of the frames.
    Pointer(usize, Variable),
    /// Bytes of a string.
    Buffer(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text {
    pub(super) bytes: Vec<u8>,
    /// It is said in the script where it is used.
    pub(super) literal: bool,
    /// And is printed as it is written there.
    pub(super) raw: bool,
    /// What is shown behind it, if it was longer than strings may be. Such a string differs from one that ends there.
    pub(super) cut: Option<&'static str>,
}

impl Text {
    pub(super) fn new(bytes: &[u8]) -> Text {
        Text {
            bytes: bytes.to_vec(),
            literal: false,
            raw: false,
            cut: None,
        }
    }

    /// What is printed of it, or of the first bytes: as it is, where it is the script's own.
    pub(super) fn shown(&self, most: Option<usize>) -> Vec<u8> {
        let mut whole = self.bytes.clone();
        whole.extend_from_slice(self.cut.unwrap_or_default().as_bytes());
        whole.truncate(most.unwrap_or(whole.len()));
        match self.raw {
            true => whole,
            false => escaped(&whole),
        }
    }
}

/// Bytes with what a terminal could act upon made visible.
pub(super) fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c.is_ascii_control() {
                true => text.extend(format!("\\x{:02x}", u32::from(c)).bytes()),
                false => text.extend(c.to_string().bytes()),
            }
        }
        for byte in chunk.invalid() {
            text.extend(format!("\\x{byte:02x}").bytes());
        }
    }
    text
}

/// An integer, extended to 64 bits by its own sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Int {
    pub(super) bits: i64,
    pub(super) bytes: u32,
    pub(super) signed: bool,
    /// A literal is signed or not as what it meets.
    pub(super) literal: bool,
}

impl Int {
    pub(super) fn new(bits: i64, bytes: u32, signed: bool) -> Int {
        let unused = 64 - 8 * bytes;
        let raised = bits << unused;
        Int {
            bits: match signed {
                true => raised >> unused,
                false => ((raised as u64) >> unused) as i64,
            },
            bytes,
            signed,
            literal: false,
        }
    }

    pub(super) fn signed(bits: i64) -> Int {
        Int::new(bits, 8, true)
    }

    pub(super) fn text(self) -> String {
        match self.signed {
            true => self.bits.to_string(),
            false => (self.bits as u64).to_string(),
        }
    }

    pub(super) fn compare(self, other: Int) -> Ordering {
        match self.signed {
            true => self.bits.cmp(&other.bits),
            false => (self.bits as u64).cmp(&(other.bits as u64)),
        }
    }
}

impl Value {
    pub(super) fn int(self) -> Int {
        match self {
            Value::Int(int) => int,
            Value::Bool(set) => Int::new(set.into(), 1, false),
            other => panic!("not a number: {other:?}"),
        }
    }

    pub(super) fn text(self) -> Text {
        match self {
            Value::Text(text) => text,
            other => panic!("not a string: {other:?}"),
        }
    }

    pub(super) fn holds(&self) -> bool {
        match self {
            Value::Int(int) => int.bits != 0,
            Value::Bool(set) => *set,
            other => panic!("not a condition: {other:?}"),
        }
    }

    /// What a variable or a map keeps of it.
    pub(super) fn kept(self) -> Value {
        match self {
            Value::Int(int) => Value::Int(Int {
                literal: false,
                ..int
            }),
            Value::Text(text) => Value::Text(Text {
                literal: false,
                raw: false,
                ..text
            }),
            Value::Tuple(items) => Value::Tuple(items.into_iter().map(Value::kept).collect()),
            Value::Record(items) => {
                let items = items.into_iter();
                Value::Record(items.map(|(name, value)| (name, value.kept())).collect())
            }
            other => other,
        }
    }

    pub(super) fn shown(&self) -> Vec<u8> {
        match self {
            Value::Int(int) => int.text().into_bytes(),
            Value::Bool(set) => set.to_string().into_bytes(),
            Value::Text(text) => text.shown(None),
            Value::Buffer(bytes) => escaped_buffer(bytes),
            Value::Tuple(items) => {
                let items: Vec<Vec<u8>> = items.iter().map(Value::shown).collect();
                [b"(", &items.join(&b", "[..])[..], b")"].concat()
            }
            Value::Record(items) => {
                let named = items.iter();
                let named = named.map(|(name, value)| {
                    [format!(".{name} = ").into_bytes(), value.shown()].concat()
                });
                let named: Vec<Vec<u8>> = named.collect();
                [b"{ ", &named.join(&b", "[..])[..], b" }"].concat()
            }
            Value::Memory(ty, bytes) => memory::shown(ty, bytes),
            Value::Pointer(..) => panic!("addresses are not shown"),
        }
    }

    pub(super) fn compare(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Int(a), Value::Int(b)) => a.compare(*b),
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) => {
                (&a.bytes, a.cut.is_some()).cmp(&(&b.bytes, b.cut.is_some()))
            }
            (Value::Memory(ty, a), Value::Memory(_, b)) => memory::compare(ty, a, b),
            // Whatever the order in which they were written.
            (Value::Record(a), Value::Record(b)) => a
                .iter()
                .map(|(name, value)| value.compare(item(b, name)))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal),
            (Value::Tuple(a), Value::Tuple(b)) => a
                .iter()
                .zip(b)
                .map(|(a, b)| a.compare(b))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal),
            _ => panic!("{self:?} and {other:?} are not of one type"),
        }
    }
}

/// Bytes as `%r` prints them: all but printable ASCII in hexadecimal.
fn escaped_buffer(bytes: &[u8]) -> Vec<u8> {
    let shown = bytes.iter().map(|byte| match byte {
        b' '..=b'~' => vec![*byte],
        _ => format!("\\x{byte:02x}").into_bytes(),
    });
    shown.flatten().collect()
}

/// What a record has by that name.
pub(super) fn item<'a>(record: &'a [(&'static str, Value)], name: &str) -> &'a Value {
    let found = record.iter().find(|(known, _)| *known == name);
    &found.expect("records have what is asked for").1
}

/// What is there where nothing was assigned.
pub(super) fn nothing(ty: &Type) -> Value {
    match ty {
        Type::Int { bytes, signed } => Value::Int(Int::new(0, *bytes, *signed)),
        Type::Bool => Value::Bool(false),
        Type::Text => Value::Text(Text::new(b"")),
        Type::Tuple(items) => Value::Tuple(items.iter().map(nothing).collect()),
        Type::Record(items) => {
            let items = items.iter();
            Value::Record(items.map(|(name, ty)| (*name, nothing(ty))).collect())
        }
        Type::Chars(_) | Type::Array(..) | Type::Struct(_) => memory::zeros(ty),
        Type::Pointer => panic!("pointers are in variables"),
    }
}

/// Whether an operator takes two integers as signed: unless both are unsigned. A literal is what it meets, unless it is
/// negative.
pub(super) fn takes_signed(op: Binary, a: Int, b: Int) -> bool {
    let bitwise = matches!(op, Binary::And | Binary::Or | Binary::Xor);
    let adapts = |int: Int| int.literal && (bitwise || int.bits >= 0);
    let unsigned = |int: Int| !int.signed;
    !(unsigned(a) && (unsigned(b) || adapts(b)) || adapts(a) && unsigned(b))
}

pub(super) fn arithmetic(op: Binary, a: Int, b: Int) -> Int {
    let literal = a.literal && b.literal;
    let by_sign = takes_signed(op, a, b);
    let signed = literal
        || match op {
            Binary::Sub => true,
            Binary::Shl | Binary::Shr => a.signed,
            _ => by_sign,
        };
    let (x, y) = (a.bits, b.bits);
    let shift = (y & 63) as u32;
    let bits = match op {
        Binary::Add => x.wrapping_add(y),
        Binary::Sub => x.wrapping_sub(y),
        Binary::Mul => x.wrapping_mul(y),
        // By zero: 1.
        Binary::Div | Binary::Mod if y == 0 => 1,
        Binary::Div if by_sign => x.wrapping_div(y),
        Binary::Mod if by_sign => x.wrapping_rem(y),
        Binary::Div => (x as u64 / y as u64) as i64,
        Binary::Mod => (x as u64 % y as u64) as i64,
        Binary::And => x & y,
        Binary::Or => x | y,
        Binary::Xor => x ^ y,
        Binary::Shl => x << shift,
        Binary::Shr if signed => x >> shift,
        Binary::Shr => (x as u64 >> shift) as i64,
        _ => panic!("{} compares", op.symbol()),
    };
    Int {
        literal,
        ..Int::new(bits, 8, signed)
    }
}

pub(super) fn says(op: Binary, order: Ordering) -> bool {
    match op {
        Binary::Eq => order.is_eq(),
        Binary::Ne => order.is_ne(),
        Binary::Lt => order.is_lt(),
        Binary::Le => order.is_le(),
        Binary::Gt => order.is_gt(),
        Binary::Ge => order.is_ge(),
        _ => panic!("{} does not compare", op.symbol()),
    }
}
