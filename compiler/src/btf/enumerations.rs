//! Enumerations: their sizes, and names and values of their enumerators.
//!
//! In comes an enumeration's id, out go answers read from the bytes of BTF. How big other types are is in `members`.

use super::{Btf, Header, Kind, TypeId};

/// An enumeration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnumInfo {
    /// Storage in bytes.
    pub bytes: u32,
    /// Whether values are two's complement.
    pub signed: bool,
    /// How many enumerators it has.
    pub count: u32,
}

impl Btf {
    /// About an enumeration, typedefs looked through.
    pub fn enum_info(&self, id: TypeId) -> Option<EnumInfo> {
        let header = self.resolved(id, &[Kind::Enum, Kind::Enum64])?;
        Some(EnumInfo {
            bytes: header.size_or_type,
            signed: self.enum_signed(&header),
            count: header.vlen,
        })
    }

    /// Kernels before 6.0 never set the flag; there, a negative enumerator tells.
    fn enum_signed(&self, header: &Header) -> bool {
        header.kind_flag
            || (header.kind == Kind::Enum
                && (0..header.vlen as usize)
                    .filter_map(|index| self.trailer(header, 2 * index + 1))
                    .any(|value| (value as i32) < 0 && value > 0xffff_0000))
    }

    /// Names and values of an enumeration, in order, typedefs looked through. Unsigned 64-bit values keep their bits.
    pub fn enumerators(&self, id: TypeId) -> impl Iterator<Item = (&str, i64)> {
        self.resolved(id, &[Kind::Enum, Kind::Enum64])
            .into_iter()
            .flat_map(move |header| {
                let signed = self.enum_signed(&header);
                (0..header.vlen as usize).filter_map(move |index| {
                    let (name, value) = self.enumerator_at(&header, signed, index)?;
                    Some((self.string(name), value))
                })
            })
    }

    fn enumerator_at(&self, header: &Header, signed: bool, index: usize) -> Option<(u32, i64)> {
        if header.kind == Kind::Enum64 {
            let low = self.trailer(header, 3 * index + 1)?;
            let high = self.trailer(header, 3 * index + 2)?;
            let value = (u64::from(high) << 32 | u64::from(low)) as i64;
            return Some((self.trailer(header, 3 * index)?, value));
        }
        let value = self.trailer(header, 2 * index + 1)?;
        let value = match signed {
            true => i64::from(value as i32),
            false => i64::from(value),
        };
        Some((self.trailer(header, 2 * index)?, value))
    }

    /// The first enumerator of that name, in any enumeration: which one, and the value.
    pub fn enumerator(&self, name: &str) -> Option<(TypeId, i64)> {
        if name.is_empty() {
            return None;
        }
        // Most enumerations have no name of their own, so all types are gone through.
        let declared = (self.base + 1..=self.type_count()).map(TypeId);
        let others = (1..=self.base).map(TypeId);
        declared.chain(others).find_map(|id| {
            let header = self.header(id)?;
            let words = match header.kind {
                Kind::Enum => 2,
                Kind::Enum64 => 3,
                _ => return None,
            };
            (0..header.vlen as usize).find_map(|index| {
                let at = Header {
                    name: self.trailer(&header, words * index)?,
                    ..header
                };
                if !self.is_named(&at, name) {
                    return None;
                }
                let signed = self.enum_signed(&header);
                Some((id, self.enumerator_at(&header, signed, index)?.1))
            })
        })
    }
}
