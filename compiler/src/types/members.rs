//! Members of structures: where they are, and all of them at once, as a structure that is printed needs them.
//!
//! In comes a structure of the table, out go its members with their bytes. They are brought in when a script keeps or prints
//! a value of the structure, not before.

use super::{Field, RecordId, Type, TypeTable};
use crate::btf::Btf;
use crate::ir::Width;
use crate::manifest::{self, Bits};

/// Where the bits of a bit field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitField {
    /// The access that holds them all.
    pub width: Width,
    /// The first bit, counted from the lowest one of the access.
    pub shift: u32,
    /// How many.
    pub bits: u32,
}

/// A member of a structure whose value is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// What is there.
    pub ty: Type,
    /// In bytes from the start of the structure.
    pub offset: u32,
    /// The bits that it has, if it is a bit field.
    pub bits: Option<BitField>,
}

impl Field {
    /// Where the field is: its offset in bytes, its type, and its bits. Those of a bit field are in the smallest aligned
    /// access that holds them all, or else in the smallest one, as in packed structures. `None` for what the language has no
    /// type for, and for bits that are in nine bytes.
    pub fn place(&self) -> Option<(u32, Type, Option<BitField>)> {
        let ty = self.ty?;
        let Some(bits) = self.bits else {
            return Some((self.bit_offset / 8, ty, None));
        };
        let accesses = |aligned: bool| {
            let widths = [Width::W8, Width::W16, Width::W32, Width::W64].into_iter();
            widths.map(move |width| {
                let unit = if aligned { width.bytes() * 8 } else { 8 };
                (width, self.bit_offset / unit * unit)
            })
        };
        let (width, start) = accesses(true)
            .chain(accesses(false))
            .find(|(width, start)| self.bit_offset + bits <= start + width.bytes() * 8)?;
        let field = BitField {
            width,
            shift: self.bit_offset - start,
            bits,
        };
        let ty = match ty {
            Type::Int { .. } => ty,
            // A number too, where one bit is of the type `bool`.
            _ => Type::int(1, false),
        };
        Some((start / 8, ty, Some(field)))
    }
}

impl TypeTable {
    /// Brings in all members of the structures that a value of this type has in it, so that its [layout](TypeTable::layout)
    /// says them. Members that the language has no type for
    /// have none there.
    pub fn complete(&mut self, btf: &Btf, ty: Type) {
        // A structure cannot be within itself, but BTF is not trusted: each is asked once.
        let mut work = vec![ty];
        while let Some(ty) = work.pop() {
            match ty {
                Type::Array { element, .. } => work.push(self.get(element)),
                Type::Tuple(tuple) => work.extend(self.items(tuple)),
                Type::Record(record) if self.record(record).members.is_none() => {
                    let members = self.all_members(btf, record);
                    work.extend(members.iter().map(|member| member.ty));
                    self.records[record].members = Some(members);
                }
                _ => {}
            }
        }
    }

    fn all_members(&mut self, btf: &Btf, record: RecordId) -> Vec<Member> {
        let size = self.record(record).size;
        let names = self.field_names(btf, record);
        let fields = names.into_iter().filter_map(|name| {
            let field = self.field(btf, record, name)?;
            let (offset, ty, bits) = match (field.ty, field.bits) {
                // It is there, but nothing can be said of it.
                (None, None) => (field.bit_offset / 8, Type::Void, None),
                _ => field.place()?,
            };
            // What is not within the structure is not in its value.
            let held = match bits {
                Some(field) => (field.shift + field.bits).div_ceil(8),
                None => self.c_size(ty)?,
            };
            let end = offset.checked_add(held)?;
            let name = name.to_owned();
            (end <= size).then_some(Member {
                name,
                ty,
                offset,
                bits,
            })
        });
        fields.collect()
    }

    /// What the runtime is told of a structure's members.
    pub(super) fn member_layouts(&self, record: RecordId, depth: u32) -> Vec<manifest::Member> {
        let record = self.record(record);
        let members = record.members.iter().flatten();
        members
            .map(|member| {
                let mut layout = self.c_layout(member.ty, depth);
                if let Some(field) = member.bits {
                    // At the end of a packed structure, no more than there is.
                    layout.size = field.width.bytes().min(record.size - member.offset);
                }
                manifest::Member {
                    name: member.name.clone(),
                    field: manifest::Field {
                        offset: member.offset,
                        layout,
                    },
                    bits: member.bits.map(|field| Bits {
                        shift: field.shift,
                        count: field.bits,
                    }),
                }
            })
            .collect()
    }
}
