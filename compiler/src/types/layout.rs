//! How values are laid out: in maps, records and variables, and in C's memory.
//!
//! In come types, out go sizes and offsets. What the runtime is told of them is in [`crate::manifest`].

use super::{EnumerationId, POINTER_BYTES, Type, TypeTable};
use crate::manifest::{self, DataType, Enumeration, Layout};
use cranelift_entity::EntityRef;
use std::sync::Arc;

/// The most structures and arrays within each other that are printed. BTF is not trusted.
const MAX_DEPTH: u32 = 32;

/// The next multiple of 8.
pub fn round_up(bytes: u32) -> u32 {
    bytes.next_multiple_of(8)
}

impl TypeTable {
    /// Bytes that a value takes in a map, a record or a variable: a multiple of 8.
    pub fn size(&self, ty: Type) -> u32 {
        match ty {
            Type::Void => 0,
            Type::Str { bytes } => bytes,
            Type::Buffer { bytes, .. } => bytes.saturating_add(8),
            Type::Tuple(tuple) => self.tuple_facts[tuple.index()].size,
            Type::UserSymbol => 16,
            // As C lays it out, padded. There are no maps of empty values.
            Type::Record(_) | Type::Array { .. } | Type::Chars { .. } => {
                let bytes = self.c_size(ty).unwrap_or(u32::MAX);
                bytes.max(1).checked_next_multiple_of(8).unwrap_or(u32::MAX)
            }
            Type::Unknown
            | Type::Int { .. }
            | Type::Bool
            | Type::Pointer(_)
            | Type::Stack { .. }
            | Type::KernelSymbol
            | Type::Named(_) => 8,
        }
    }

    /// Bytes that a value takes in the memory of the kernel or of a process, as C lays it out; `None` for what C does
    /// not have.
    pub fn c_size(&self, ty: Type) -> Option<u32> {
        match ty {
            Type::Void => Some(1),
            Type::Bool => Some(1),
            // As the script itself keeps it.
            Type::Named(_) => Some(8),
            Type::Int { bytes, .. } => Some(bytes),
            Type::Pointer(_) => Some(POINTER_BYTES),
            Type::Record(record) => Some(self.record(record).size),
            Type::Array { element, count } => self.c_size(self.get(element))?.checked_mul(count),
            Type::Chars { count } => Some(count),
            Type::Unknown
            | Type::Str { .. }
            | Type::Buffer { .. }
            | Type::Tuple(_)
            | Type::Stack { .. }
            | Type::KernelSymbol
            | Type::UserSymbol => None,
        }
    }

    /// How the runtime sees it. Integers are 8 bytes wherever they are stored.
    pub fn layout(&self, ty: Type) -> Layout {
        let data = match ty {
            Type::Int {
                bytes,
                signed,
                literal,
                enumeration,
            } => DataType::Int {
                bytes: 8,
                signed: signed || bytes < 8 && literal,
                names: self.enumeration_names(enumeration),
            },
            Type::Bool => DataType::Bool,
            Type::Str { .. } => DataType::String,
            Type::Buffer { holds, .. } => DataType::Buffer(holds),
            Type::Named(naming) => DataType::Named(self.naming(naming).clone()),
            Type::Pointer(_) => DataType::Pointer,
            Type::Record(_) | Type::Array { .. } | Type::Chars { .. } => {
                return Layout {
                    size: self.size(ty),
                    ..self.c_layout(ty, MAX_DEPTH)
                };
            }
            Type::Tuple(tuple) => {
                let fields = fields(self, self.items(tuple), 0);
                match self.names(tuple) {
                    [] => DataType::Tuple(fields),
                    names => DataType::Record(named(names, fields)),
                }
            }
            Type::Stack { user, mode, depth } => DataType::Stack { user, mode, depth },
            Type::KernelSymbol => DataType::KernelSymbol,
            Type::UserSymbol => DataType::UserSymbol,
            Type::Unknown | Type::Void => DataType::Int {
                bytes: 8,
                signed: true,
                names: None,
            },
        };
        Layout {
            size: self.size(ty),
            ty: data,
        }
    }

    fn enumeration_names(&self, enumeration: Option<EnumerationId>) -> Option<Arc<Enumeration>> {
        Some(self.enumerations[enumeration?.index()].clone())
    }

    /// How the runtime sees a value as C lays it out, down to `depth` structures within each other.
    pub(super) fn c_layout(&self, ty: Type, depth: u32) -> Layout {
        let depth = depth.saturating_sub(1);
        let data = match ty {
            Type::Int {
                bytes,
                signed,
                enumeration,
                ..
            } => DataType::Int {
                bytes,
                signed,
                names: self.enumeration_names(enumeration),
            },
            Type::Chars { .. } => DataType::Chars,
            // A member that the language has no type for.
            Type::Void => DataType::Absent,
            Type::Array { element, count } => DataType::Array {
                element: Box::new(self.c_layout(self.get(element), depth)),
                count,
            },
            Type::Record(_) if depth == 0 => DataType::Record(Vec::new()),
            Type::Record(record) => DataType::Record(self.member_layouts(record, depth)),
            _ => self.layout(ty).ty,
        };
        Layout {
            size: self.c_size(ty).unwrap_or(0),
            ty: data,
        }
    }
}

/// Members with these names.
fn named(names: &[Arc<str>], fields: Vec<manifest::Field>) -> Vec<manifest::Member> {
    let members = names
        .iter()
        .zip(fields)
        .map(|(name, field)| manifest::Member {
            name: name.to_string(),
            field,
            bits: None,
        });
    members.collect()
}

/// Lays out values one behind the other, the first at `start`.
pub fn fields(types: &TypeTable, items: &[Type], start: u32) -> Vec<manifest::Field> {
    let mut offset = start;
    items
        .iter()
        .map(|&item| {
            let layout = types.layout(item);
            let field = manifest::Field { offset, layout };
            offset += types.size(item);
            field
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_follow_each_other_without_gaps() {
        let items = [Type::U32, Type::Str { bytes: 16 }, Type::Bool];
        let laid = fields(&TypeTable::default(), &items, 8);
        let offsets: Vec<u32> = laid.iter().map(|field| field.offset).collect();
        assert_eq!(offsets, [8, 16, 32]);
    }

    #[test]
    fn sizes_in_memory_are_those_of_c() {
        let mut types = TypeTable::default();
        let element = types.intern(Type::int(2, true));
        let array = Type::Array { element, count: 5 };
        assert_eq!(types.c_size(array), Some(10));
        assert_eq!(types.c_size(Type::VOID_POINTER), Some(8));
        assert_eq!(types.c_size(Type::KernelSymbol), None);
    }
}
