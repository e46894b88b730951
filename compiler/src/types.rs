//! The types of the language, how they join, and how they are laid out in maps and records.

use crate::btf::TypeId;
use crate::manifest::{DataType, Field, Layout, StackMode};

/// A type of the language. Integers, booleans, pointers and addresses are 64-bit values; the rest lives in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Not known yet: a map or variable that is read before the place that gives it a type.
    Unknown,
    /// A call that gives no value.
    Void,
    /// An integer of 1, 2, 4 or 8 bytes, held sign- or zero-extended.
    Int {
        /// In bytes.
        bytes: u32,
        /// Two's complement.
        signed: bool,
        /// A literal: takes any sign that it is joined with.
        literal: bool,
    },
    /// `true` or `false`
    Bool,
    /// A zero-terminated, zero-padded string in `bytes` bytes, a multiple of 8.
    Str {
        /// Room, terminator included.
        bytes: u32,
    },
    /// A pointer.
    Pointer(Pointee),
    /// A structure or union in the kernel's (or the user's) memory; the value is its address.
    Record(TypeId),
    /// An array in memory; the value is its address.
    Array {
        /// What one element is.
        element: Pointee,
        /// How many.
        count: u32,
    },
    /// `(a, b)`
    Tuple(Vec<Type>),
    /// The id of an interned stack.
    Stack {
        /// User or kernel.
        user: bool,
        /// How it is printed.
        mode: StackMode,
        /// At most so many frames.
        depth: u32,
    },
    /// A kernel address to be printed as a name.
    KernelSymbol,
    /// A user address and its process, to be printed as a name.
    UserSymbol,
}

/// What a pointer points to, or what an array holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pointee {
    /// Not known.
    Void,
    /// Integers.
    Int {
        /// In bytes.
        bytes: u32,
        /// Two's complement.
        signed: bool,
    },
    /// A type of the kernel's BTF.
    Btf(TypeId),
    /// Another pointer, to something of `Box`.
    Pointer(Box<Pointee>),
}

/// Bytes of `comm`.
pub const COMM_BYTES: u32 = 16;

/// The next multiple of 8.
pub fn round_up(bytes: u32) -> u32 {
    bytes.next_multiple_of(8)
}

impl Type {
    /// Signed 64-bit.
    pub const I64: Type = Type::int(8, true);
    /// Unsigned 64-bit.
    pub const U64: Type = Type::int(8, false);
    /// Unsigned 32-bit.
    pub const U32: Type = Type::int(4, false);

    /// An integer type.
    pub const fn int(bytes: u32, signed: bool) -> Type {
        Type::Int {
            bytes,
            signed,
            literal: false,
        }
    }

    /// Whether values of the type are 64-bit values in registers.
    pub fn is_scalar(&self) -> bool {
        matches!(
            self,
            Type::Int { .. }
                | Type::Bool
                | Type::Pointer(_)
                | Type::Record(_)
                | Type::Array { .. }
                | Type::Stack { .. }
                | Type::KernelSymbol
                | Type::Unknown
        )
    }

    /// Whether arithmetic makes sense.
    pub fn is_number(&self) -> bool {
        matches!(self, Type::Int { .. } | Type::Bool | Type::Unknown)
    }

    /// Whether it can be compared with zero.
    pub fn is_condition(&self) -> bool {
        self.is_number() || matches!(self, Type::Pointer(_) | Type::KernelSymbol)
    }

    /// Whether it is signed in arithmetic: everything is, but `u64` and pointers, since narrower unsigned types are
    /// promoted to 64 bits without loss.
    pub fn is_signed(&self) -> bool {
        match self {
            Type::Int { bytes, signed, .. } => *signed || *bytes < 8,
            Type::Pointer(_) | Type::Record(_) | Type::Array { .. } | Type::KernelSymbol => false,
            _ => true,
        }
    }

    /// Bytes that it takes in a map, a record or a variable: a multiple of 8.
    pub fn size(&self) -> u32 {
        match self {
            Type::Void => 0,
            Type::Str { bytes } => *bytes,
            Type::Tuple(items) => items.iter().map(Type::size).sum(),
            Type::UserSymbol => 16,
            _ => 8,
        }
    }

    /// The type as messages call it.
    pub fn describe(&self) -> String {
        match self {
            Type::Unknown => "a value of unknown type".into(),
            Type::Void => "no value".into(),
            Type::Int { .. } => "an integer".into(),
            Type::Bool => "a boolean".into(),
            Type::Str { .. } => "a string".into(),
            Type::Pointer(_) => "a pointer".into(),
            Type::Record(_) => "a structure".into(),
            Type::Array { .. } => "an array".into(),
            Type::Tuple(items) => format!("a tuple of {}", items.len()),
            Type::Stack { user: true, .. } => "a user stack".into(),
            Type::Stack { user: false, .. } => "a kernel stack".into(),
            Type::KernelSymbol | Type::UserSymbol => "a symbol".into(),
        }
    }

    /// The type that holds values of both, or `None` if there is none.
    pub fn join(&self, other: &Type) -> Option<Type> {
        use Type::*;
        Some(match (self, other) {
            (Unknown, t) | (t, Unknown) => t.clone(),
            (
                Int {
                    bytes: a,
                    signed: s,
                    literal: l,
                },
                Int {
                    bytes: b,
                    signed: t,
                    literal: m,
                },
            ) => Int {
                bytes: *a.max(b),
                signed: match (l, m) {
                    (true, false) => *t,
                    (false, true) => *s,
                    // A narrower unsigned type fits the wider signed one; of equal width, signed wins, since
                    // what was negative must print so.
                    _ => *s || *t,
                },
                literal: *l && *m,
            },
            (Bool, Bool) => Bool,
            (Bool, i @ Int { .. }) | (i @ Int { .. }, Bool) => i.clone(),
            (Str { bytes: a }, Str { bytes: b }) => Str { bytes: *a.max(b) },
            // A null pointer is written 0.
            (p @ Pointer(_), Int { literal: true, .. })
            | (Int { literal: true, .. }, p @ Pointer(_)) => p.clone(),
            (Pointer(a), Pointer(b)) => Pointer(if a == b { a.clone() } else { Pointee::Void }),
            (Tuple(a), Tuple(b)) if a.len() == b.len() => Tuple(
                a.iter()
                    .zip(b)
                    .map(|(x, y)| x.join(y))
                    .collect::<Option<_>>()?,
            ),
            (a, b) if a == b => a.clone(),
            _ => return None,
        })
    }

    /// How the runtime sees it. Integers are 8 bytes wherever they are stored.
    pub fn layout(&self) -> Layout {
        let ty = match self {
            Type::Int { bytes, signed, .. } => DataType::Int {
                bytes: 8,
                signed: *signed || *bytes < 8 && self.is_literal(),
            },
            Type::Bool => DataType::Bool,
            Type::Str { .. } => DataType::String,
            Type::Pointer(_) | Type::Record(_) | Type::Array { .. } => DataType::Pointer,
            Type::Tuple(items) => DataType::Tuple(fields(items, 0)),
            Type::Stack { user, mode, depth } => DataType::Stack {
                user: *user,
                mode: *mode,
                depth: *depth,
            },
            Type::KernelSymbol => DataType::KernelSymbol,
            Type::UserSymbol => DataType::UserSymbol,
            Type::Unknown | Type::Void => DataType::Int {
                bytes: 8,
                signed: true,
            },
        };
        Layout {
            size: self.size(),
            ty,
        }
    }

    fn is_literal(&self) -> bool {
        matches!(self, Type::Int { literal: true, .. })
    }
}

/// Lays out types one behind the other, the first at `start`.
pub fn fields(types: &[Type], start: u32) -> Vec<Field> {
    let mut offset = start;
    types
        .iter()
        .map(|ty| {
            let field = Field {
                offset,
                layout: ty.layout(),
            };
            offset += ty.size();
            field
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_takes_the_sign_that_it_meets() {
        let literal = Type::Int {
            bytes: 8,
            signed: true,
            literal: true,
        };
        assert_eq!(literal.join(&Type::U64), Some(Type::U64));
        assert_eq!(Type::I64.join(&Type::U64), Some(Type::I64));
    }

    #[test]
    fn strings_join_to_the_longer_and_tuples_join_by_element() {
        let tuple = |bytes| Type::Tuple(vec![Type::U32, Type::Str { bytes }]);
        assert_eq!(tuple(16).join(&tuple(64)), Some(tuple(64)));
        assert_eq!(Type::Str { bytes: 8 }.join(&Type::U64), None);
    }

    #[test]
    fn fields_follow_each_other_without_gaps() {
        let laid = fields(&[Type::U32, Type::Str { bytes: 16 }, Type::Bool], 8);
        let offsets: Vec<u32> = laid.iter().map(|field| field.offset).collect();
        assert_eq!(offsets, [8, 16, 32]);
    }
}
