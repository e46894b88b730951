//! What types consist of: elements of arrays, members of structures and unions, and sizes.
//!
//! In come ids of types, out go members, offsets and sizes, in bits and bytes as C lays them out. What a member is to the
//! language is decided in [`crate::types`].

use super::{Btf, Header, Kind, MAX_DEPTH, TypeId};

/// The most members or parameters that one question looks at, over all nested structures.
const MAX_EFFORT: u32 = 100_000;

/// Bytes of a pointer: all architectures that pfscript knows have 64 bits.
const POINTER_BYTES: u32 = 8;

/// A member of a structure or union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its name; empty if it is anonymous.
    pub name: &'a str,
    /// Its type.
    pub ty: TypeId,
    /// In bits from the start of the structure that was asked about.
    pub bit_offset: u32,
    /// The width in bits, if it is a bit field.
    pub bitfield_bits: Option<u32>,
}

impl Btf {
    /// The element type and count of an array, typedefs looked through.
    pub fn array(&self, id: TypeId) -> Option<(TypeId, u32)> {
        let header = self.resolved(id, &[Kind::Array])?;
        Some((TypeId(self.trailer(&header, 0)?), self.trailer(&header, 2)?))
    }

    /// The size in bytes; `None` for what has none: `void`, functions, structures that are only declared.
    pub fn size_of(&self, id: TypeId) -> Option<u32> {
        let mut id = id;
        let mut count = 1u32;
        for _ in 0..MAX_DEPTH {
            let header = self.header(self.resolve(id))?;
            let bytes = match header.kind {
                Kind::Int
                | Kind::Struct
                | Kind::Union
                | Kind::Enum
                | Kind::Enum64
                | Kind::Float
                | Kind::DataSec => header.size_or_type,
                Kind::Pointer => POINTER_BYTES,
                Kind::Array => {
                    count = count.checked_mul(self.trailer(&header, 2)?)?;
                    id = TypeId(self.trailer(&header, 0)?);
                    continue;
                }
                Kind::Var => {
                    id = TypeId(header.size_or_type);
                    continue;
                }
                _ => return None,
            };
            return bytes.checked_mul(count);
        }
        None
    }

    /// The direct members of a structure or union in order, typedefs of it looked through. Anonymous members come as
    /// they are, with an empty name.
    pub fn members(&self, id: TypeId) -> impl Iterator<Item = Member<'_>> {
        self.resolved(id, &[Kind::Struct, Kind::Union])
            .into_iter()
            .flat_map(move |header| {
                (0..header.vlen as usize).filter_map(move |index| self.member_at(&header, index))
            })
    }

    fn member_at(&self, header: &Header, index: usize) -> Option<Member<'_>> {
        let name = self.trailer(header, 3 * index)?;
        let ty = TypeId(self.trailer(header, 3 * index + 1)?);
        let offset = self.trailer(header, 3 * index + 2)?;
        let mut member = Member {
            name: self.string(name),
            ty,
            bit_offset: offset,
            bitfield_bits: None,
        };
        if header.kind_flag {
            member.bit_offset = offset & 0xff_ffff;
            member.bitfield_bits = Some(offset >> 24).filter(|&bits| bits != 0);
        } else if let Some(int) = self.resolved(ty, &[Kind::Int]) {
            // Before 5.0 the integer itself said which of its bits the field has.
            let encoding = self.trailer(&int, 0)?;
            let (bits, skipped) = (encoding & 0xff, (encoding >> 16) & 0xff);
            if skipped != 0 || int.size_or_type.checked_mul(8) != Some(bits) {
                member.bit_offset = offset.checked_add(skipped)?;
                member.bitfield_bits = Some(bits);
            }
        }
        Some(member)
    }

    /// The member of that name, also one of an anonymous structure or union inside; its offset counts from the start
    /// of the outermost one.
    pub fn member(&self, id: TypeId, name: &str) -> Option<Member<'_>> {
        if name.is_empty() {
            return None;
        }
        let mut found = None;
        self.walk_members(id, &mut |member| {
            if member.name == name {
                found = Some(*member);
            }
            found.is_none()
        });
        found
    }

    /// The names of all members, those of anonymous structures and unions inside included, in order.
    pub fn member_names(&self, id: TypeId) -> Vec<&str> {
        let mut names = Vec::new();
        self.walk_members(id, &mut |member| {
            names.push(member.name);
            true
        });
        names
    }

    /// Calls `visit` with each named member, offsets added up, until it says false.
    fn walk_members<'a>(&'a self, id: TypeId, visit: &mut dyn FnMut(&Member<'a>) -> bool) {
        let mut effort = 0;
        self.walk_nested(id, 0, MAX_DEPTH, &mut effort, visit);
    }

    fn walk_nested<'a>(
        &'a self,
        id: TypeId,
        base: u32,
        depth: u32,
        effort: &mut u32,
        visit: &mut dyn FnMut(&Member<'a>) -> bool,
    ) -> bool {
        for mut member in self.members(id) {
            *effort += 1;
            if *effort > MAX_EFFORT {
                return false;
            }
            let Some(bit_offset) = base.checked_add(member.bit_offset) else {
                continue;
            };
            member.bit_offset = bit_offset;
            let go_on = if !member.name.is_empty() {
                visit(&member)
            } else if depth > 0 {
                // Unnamed bit fields have no members, so they are passed over here.
                self.walk_nested(member.ty, bit_offset, depth - 1, effort, visit)
            } else {
                true
            };
            if !go_on {
                return false;
            }
        }
        true
    }
}
