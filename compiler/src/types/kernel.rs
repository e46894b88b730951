//! Types of the kernel: from BTF into the table. Structures come in by name and size; a member is looked up, and its type
//! brought in, when a script asks for it.

use super::{EnumerationId, Record, RecordId, Type, TypeTable};
use crate::btf::{self, Btf, Kind};
use crate::manifest::Enumeration;
use cranelift_entity::EntityRef;
use std::sync::Arc;

/// The longest chain of pointers and arrays that is followed. BTF is not trusted: a pointer may point to itself.
const MAX_DEPTH: u32 = 32;

/// What the names of one enumeration may take together, in bytes. Values behind those are printed as numbers.
const MAX_NAMES_BYTES: usize = 1 << 20;

/// A member of a structure or union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// What it is; `None` for what the language has no type for, such as a floating-point number.
    pub ty: Option<Type>,
    /// The type as C spells it, for messages.
    pub spelled: String,
    /// In bits from the start of the structure.
    pub bit_offset: u32,
    /// The width in bits, if it is a bit field.
    pub bits: Option<u32>,
}

impl TypeTable {
    /// The type of the language that a type of the kernel is; `None` for what has none: functions, floating-point
    /// numbers, integers of 16 bytes.
    pub fn import(&mut self, btf: &Btf, id: btf::TypeId) -> Option<Type> {
        self.import_nested(btf, id, MAX_DEPTH)
    }

    /// What a pointer to a type of the kernel points to; [`Type::Void`] if that is nothing that can be read.
    pub fn import_target(&mut self, btf: &Btf, id: btf::TypeId) -> Type {
        self.import_part(btf, id, MAX_DEPTH)
    }

    fn import_nested(&mut self, btf: &Btf, id: btf::TypeId, depth: u32) -> Option<Type> {
        let depth = depth.checked_sub(1)?;
        let resolved = btf.resolve(id);
        if let Some(int) = btf.int(resolved) {
            return match (int.is_bool, int.bytes) {
                (true, _) => Some(Type::Bool),
                (false, bytes @ (1 | 2 | 4 | 8)) => Some(Type::int(bytes, int.signed)),
                _ => None,
            };
        }
        if let Some(enumeration) = self.enumeration(btf, resolved) {
            return Some(enumeration);
        }
        if let Some((element, count)) = btf.array(resolved) {
            if count > 0 && is_text(btf, resolved, element) {
                return Some(Type::Chars { count });
            }
            let element = self.import_part(btf, element, depth);
            return Some(Type::Array {
                element: self.intern(element),
                count,
            });
        }
        if let Some(target) = btf.pointee(resolved) {
            let target = self.import_part(btf, target, depth);
            return Some(self.pointer_to(target));
        }
        self.import_record(btf, resolved).map(Type::Record)
    }

    /// An enumeration, with the names of its values.
    fn enumeration(&mut self, btf: &Btf, id: btf::TypeId) -> Option<Type> {
        let id = btf.resolve(id);
        let info = btf.enum_info(id)?;
        let entry = self.enumerations.entry(id);
        let index = entry.index();
        entry.or_insert_with(|| Arc::new(names(btf, id)));
        let enumeration = EnumerationId::new(index);
        Some(Type::enumerated(info.bytes, info.signed, enumeration))
    }

    /// An enumeration as C spells it: `enum pid_type`.
    pub fn enumeration_name(&self, btf: &Btf, enumeration: EnumerationId) -> Option<String> {
        let (id, _) = self.enumerations.get_index(enumeration.index())?;
        Some(btf.c_name(*id))
    }

    /// An enumerator: its value, and its type, which is as wide as any.
    pub fn enumerator(&mut self, btf: &Btf, name: &str) -> Option<(i64, Type)> {
        let (id, value) = btf.enumerator(name)?;
        let ty = match self.enumeration(btf, id)? {
            // Its value is compared as a signed number.
            Type::Int {
                enumeration: Some(enumeration),
                ..
            } => Type::enumerated(8, true, enumeration),
            other => other,
        };
        Some((value, ty))
    }

    /// What a pointer points to or an array holds.
    fn import_part(&mut self, btf: &Btf, id: btf::TypeId, depth: u32) -> Type {
        let resolved = btf.resolve(id);
        let definition = match btf.kind(resolved) {
            // A declaration without its members, as a module's or another unit's type may stand: find the definition.
            Kind::Forward => {
                let name = btf.name(resolved);
                btf.find(Kind::Struct, name)
                    .or_else(|| btf.find(Kind::Union, name))
            }
            _ => Some(resolved),
        };
        definition
            .and_then(|id| self.import_nested(btf, id, depth))
            .unwrap_or(Type::Void)
    }

    /// A structure or union of the kernel.
    fn import_record(&mut self, btf: &Btf, resolved: btf::TypeId) -> Option<RecordId> {
        if !matches!(btf.kind(resolved), Kind::Struct | Kind::Union) {
            return None;
        }
        if let Some(&known) = self.of_kernel.get(&resolved) {
            return Some(known);
        }
        let record = self.records.push(Record {
            name: btf.c_name(resolved),
            size: btf.size_of(resolved)?,
            origin: resolved,
            members: None,
        });
        self.of_kernel.insert(resolved, record);
        Some(record)
    }

    /// The member of that name, also one of an anonymous structure or union inside.
    pub fn field(&mut self, btf: &Btf, record: RecordId, name: &str) -> Option<Field> {
        let member = btf.member(self.record(record).origin, name)?;
        Some(Field {
            ty: self.import(btf, member.ty),
            spelled: btf.c_name(member.ty),
            bit_offset: member.bit_offset,
            bits: member.bitfield_bits,
        })
    }

    /// The names of a structure's members, for suggestions.
    pub fn field_names<'b>(&self, btf: &'b Btf, record: RecordId) -> Vec<&'b str> {
        btf.member_names(self.record(record).origin)
    }
}

/// The names of an enumeration's values; of several for one value, the last.
fn names(btf: &Btf, id: btf::TypeId) -> Enumeration {
    let mut room = MAX_NAMES_BYTES;
    let within = |(name, _): &(&str, i64)| {
        room = room.saturating_sub(name.len());
        room > 0
    };
    Enumeration {
        names: btf
            .enumerators(id)
            .take_while(within)
            .map(|(name, value)| (value, name.into()))
            .collect(),
    }
}

/// Whether an array of such elements holds text. In the kernel, bytes of any sort may be characters; scripts say `char`
/// where they mean it.
fn is_text(btf: &Btf, array: btf::TypeId, element: btf::TypeId) -> bool {
    match btf.is_declared(array) {
        true => btf.int_name(element) == Some("char"),
        false => btf
            .int(element)
            .is_some_and(|int| int.is_char || int.bytes == 1 && int.signed),
    }
}
