//! Where the members of a structure go: alignment, bit fields, unions, packed structures.
//!
//! In come members with their sizes, out go offsets in bits. What their types are is left to the parent.

use crate::btf::{Btf, Kind, TypeId};
use pfscript_grammar::{Diagnostic, Span};

/// Bytes of the greatest structure: offsets of bit fields have 24 bits.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// Members of one structure, or enumerators: BTF counts them in 16 bits.
pub(super) const MAX_MEMBERS: usize = 65_535;

/// How deep types of the kernel are looked into for their alignment.
pub(super) const MAX_DEPTH: u32 = 32;

/// A type and its room in memory, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Laid {
    pub(super) id: TypeId,
    /// `None` for what has no size: `void`, functions, structures that are only declared.
    pub(super) size: Option<u64>,
    pub(super) align: u64,
}

pub(super) fn too_large(span: Span) -> Diagnostic {
    let message = format!("this is larger than {MAX_BYTES} bytes");
    Diagnostic::error(span, message)
}

/// The alignment of a type of the kernel: that of its greatest part.
pub(super) fn alignment(btf: &Btf, id: TypeId, depth: u32) -> u64 {
    let Some(depth) = depth.checked_sub(1) else {
        return 8;
    };
    let resolved = btf.resolve(id);
    match btf.kind(resolved) {
        Kind::Struct | Kind::Union => {
            let size = btf.size_of(resolved).unwrap_or(1);
            let members = btf.members(resolved).take(MAX_MEMBERS);
            let greatest = members.map(|member| alignment(btf, member.ty, depth)).max();
            // One that is no multiple of it is packed.
            let greatest = greatest.unwrap_or(1);
            if u64::from(size) % greatest == 0 {
                greatest
            } else {
                1
            }
        }
        Kind::Array => match btf.array(resolved) {
            Some((element, _)) => alignment(btf, element, depth),
            None => 1,
        },
        _ => u64::from(btf.size_of(resolved).unwrap_or(1)).clamp(1, 16),
    }
}

/// Where the next member of a structure goes.
pub(super) struct Layout {
    pub(super) union: bool,
    pub(super) packed: bool,
    /// Bits in use.
    pub(super) bits: u64,
    /// Bits of the whole.
    pub(super) size_bits: u64,
    /// In bytes.
    pub(super) align: u64,
}

impl Layout {
    /// Places a member of `size` bytes; the bit that it begins at.
    pub(super) fn place(&mut self, laid: Laid, size: u64, span: Span) -> Result<u64, Diagnostic> {
        let align = if self.packed { 1 } else { laid.align.max(1) };
        self.align = self.align.max(align);
        let start = match self.union {
            true => 0,
            false => self.bits.next_multiple_of(8 * align),
        };
        self.take(start, 8 * size, span)
    }

    /// Places a bit field in units of `size` bytes; `None` if it is one of no bits, which ends a unit.
    pub(super) fn place_bits(
        &mut self,
        size: u64,
        bits: u64,
        span: Span,
    ) -> Result<Option<u64>, Diagnostic> {
        let unit = 8 * size;
        if bits == 0 {
            self.bits = self.bits.next_multiple_of(unit);
            return Ok(None);
        }
        if !self.packed {
            self.align = self.align.max(size);
        }
        let mut start = if self.union { 0 } else { self.bits };
        if !self.packed && start / unit != (start + bits - 1) / unit {
            start = start.next_multiple_of(unit);
        }
        self.take(start, bits, span).map(Some)
    }

    fn take(&mut self, start: u64, bits: u64, span: Span) -> Result<u64, Diagnostic> {
        self.bits = start + bits;
        self.size_bits = self.size_bits.max(self.bits);
        match self.size_bits <= 8 * MAX_BYTES {
            true => Ok(start),
            false => Err(too_large(span)),
        }
    }
}
