//! Layouts of structures that C and Rust share, as tables.
//!
//! In come the fields of a structure, by name and type, in order; out go the places where C's rules put them. Nothing is
//! read or printed here: [`c_header`](super::c_header) prints the structures, and readers take an [`Extent`].

/// The type of a field.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// `__u32`
    U32,
    /// `__u64`
    U64,
    /// `__u8[]`, which ends a structure and has no size of its own.
    Bytes,
    /// `__u64[]`, likewise.
    Words,
    /// A structure.
    Struct(&'static Struct),
    /// So many of a structure.
    Structs(&'static Struct, u32),
}

/// A field.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// What it is, in a few words.
    pub doc: &'static str,
}

/// A row of a structure's table.
pub const fn field(name: &'static str, ty: Type, doc: &'static str) -> Field {
    Field { name, ty, doc }
}

/// A structure, `struct pf_NAME` in C.
#[derive(Debug)]
pub struct Struct {
    /// Its name.
    pub name: &'static str,
    /// What it is, in a line.
    pub doc: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

/// Where a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its first byte.
    pub offset: u32,
    /// Its length in bytes.
    pub size: u32,
}

impl Extent {
    /// The field's bytes; fewer if `bytes` ends before.
    ///
    /// ```
    /// use pfscript_probes::abi::RECORD_PROBE;
    /// assert_eq!(RECORD_PROBE.of(&[1, 0, 0, 0, 2, 0, 0, 0, 3]), [2, 0, 0, 0]);
    /// assert_eq!(RECORD_PROBE.of(&[1]), []);
    /// ```
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        let start = (self.offset as usize).min(bytes.len());
        let end = (self.offset as usize + self.size as usize).min(bytes.len());
        &bytes[start..end]
    }

    /// Writes a number of the field's size, little-endian; what does not fit `bytes` is left out.
    pub fn set(self, bytes: &mut [u8], value: u64) {
        self.fill(bytes, &value.to_le_bytes());
    }

    /// Writes the field's bytes; what does not fit is left out.
    pub fn fill(self, bytes: &mut [u8], value: &[u8]) {
        let places = bytes.iter_mut().skip(self.offset as usize);
        for (place, byte) in places.take(self.size as usize).zip(value) {
            *place = *byte;
        }
    }
}

impl Type {
    /// Size and alignment.
    const fn size_and_alignment(self) -> (u32, u32) {
        match self {
            Type::U32 => (4, 4),
            Type::U64 => (8, 8),
            Type::Bytes => (0, 1),
            Type::Words => (0, 8),
            Type::Struct(layout) => (layout.size(), layout.alignment()),
            Type::Structs(layout, count) => (layout.size() * count, layout.alignment()),
        }
    }
}

impl Struct {
    /// Where a field is. Panics, at compile time where the result is a constant, if there is no field of that name.
    pub const fn extent(&self, name: &str) -> Extent {
        let mut end = 0;
        let mut index = 0;
        while index < self.fields.len() {
            let field = &self.fields[index];
            let (size, alignment) = field.ty.size_and_alignment();
            let offset = u32::next_multiple_of(end, alignment);
            if same(field.name, name) {
                return Extent { offset, size };
            }
            end = offset + size;
            index += 1;
        }
        panic!("the structure has no field of that name")
    }

    /// Bytes, without those of an array of no fixed length at its end.
    pub const fn size(&self) -> u32 {
        let mut end = 0;
        let mut index = 0;
        while index < self.fields.len() {
            let (size, alignment) = self.fields[index].ty.size_and_alignment();
            end = u32::next_multiple_of(end, alignment) + size;
            index += 1;
        }
        end.next_multiple_of(self.alignment())
    }

    const fn alignment(&self) -> u32 {
        let mut most = 1;
        let mut index = 0;
        while index < self.fields.len() {
            let (_, alignment) = self.fields[index].ty.size_and_alignment();
            if alignment > most {
                most = alignment;
            }
            index += 1;
        }
        most
    }
}

/// `a == b`, where `==` cannot be used.
pub(super) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_where_c_leaves_them() {
        const INNER: Struct = Struct {
            name: "inner",
            doc: "",
            fields: &[field("a", Type::U64, ""), field("b", Type::U32, "")],
        };
        const OUTER: Struct = Struct {
            name: "outer",
            doc: "",
            fields: &[
                field("a", Type::U32, ""),
                field("b", Type::Struct(&INNER), ""),
                field("c", Type::U32, ""),
                field("d", Type::Structs(&INNER, 2), ""),
                field("e", Type::U32, ""),
                field("f", Type::Bytes, ""),
            ],
        };
        assert_eq!(INNER.size(), 16);
        assert_eq!(OUTER.extent("b").offset, 8);
        assert_eq!(OUTER.extent("d").offset, 32);
        assert_eq!(OUTER.extent("f").offset, 68);
        assert_eq!(OUTER.size(), 72);
    }
}
