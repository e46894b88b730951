//! The types of the language, in one interned table.
//!
//! In come types as the script and the kernel name them; out go small [`Type`]s, which are copied freely and compared
//! in one step, and a [`TypeTable`] that knows what those with parts are made of. A part is named by a [`TypeId`], a
//! [`TupleId`] or a [`RecordId`] of this table, never by a number of the BTF that it came from, so that types of all
//! sources stand side by side. `kernel` brings types in from BTF, `layout` says how values are laid out in maps and
//! records.
//!
//! Left out: where a value is (see [`crate::hir::Place`]) and what a script may do with it (see [`crate::sema`]).

mod kernel;
mod layout;
mod members;

pub use kernel::Field;
pub use layout::{fields, round_up};
pub use members::{BitField, Member};

use crate::btf;
use crate::manifest::{Enumeration, Holds, Naming, StackMode};
use cranelift_entity::{EntityRef, PrimaryMap, entity_impl};
use indexmap::{IndexMap, IndexSet};
use std::collections::HashMap;
use std::sync::Arc;

/// A type of the table: what a pointer points to, what an array holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(u32);
entity_impl!(TypeId, "ty");

/// The items of a tuple, in the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TupleId(u32);
entity_impl!(TupleId, "tuple");

/// A structure or union, in the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(u32);
entity_impl!(RecordId, "record");

/// What numbers stand for, in the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamingId(u32);
entity_impl!(NamingId, "naming");

/// An enumeration, in the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnumerationId(u32);
entity_impl!(EnumerationId, "enumeration");

/// A type of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Not known yet: a map or variable that is read before the place that gives it a type.
    Unknown,
    /// A call that returns no value; what a pointer points to of which no more is known.
    Void,
    /// An integer of 1, 2, 4 or 8 bytes, held sign- or zero-extended.
    Int {
        /// In bytes.
        bytes: u32,
        /// Two's complement.
        signed: bool,
        /// A literal: takes any sign that it is joined with.
        literal: bool,
        /// The names that its values are printed by. What is computed has none.
        enumeration: Option<EnumerationId>,
    },
    /// `true` or `false`
    Bool,
    /// A zero-terminated, zero-padded string in `bytes` bytes, a multiple of 8.
    Str {
        /// Room, terminator included.
        bytes: u32,
    },
    /// Up to `bytes` bytes, a multiple of 8, and how many they are: a `u64`, the bytes, zeros.
    Buffer {
        /// Room for the bytes.
        bytes: u32,
        /// What they are.
        holds: Holds,
    },
    /// A pointer.
    Pointer(TypeId),
    /// A structure or union, laid out as C does.
    Record(RecordId),
    /// An array, laid out as C does.
    Array {
        /// What one element is.
        element: TypeId,
        /// How many.
        count: u32,
    },
    /// An array of characters in memory, which is read as a string.
    Chars {
        /// How many.
        count: u32,
    },
    /// `(a, b)`
    Tuple(TupleId),
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
    /// A number that is printed as what it stands for.
    Named(NamingId),
}

/// Bytes of `comm`.
pub const COMM_BYTES: u32 = 16;

/// Size of a pointer in bytes, on every architecture that pfscript knows.
const POINTER_BYTES: u32 = 8;

impl Type {
    /// Signed 64-bit.
    pub const I64: Type = Type::int(8, true);
    /// Unsigned 64-bit.
    pub const U64: Type = Type::int(8, false);
    /// Unsigned 32-bit.
    pub const U32: Type = Type::int(4, false);
    /// A pointer to what is not known.
    pub const VOID_POINTER: Type = Type::Pointer(TypeTable::VOID);

    /// An integer type.
    pub const fn int(bytes: u32, signed: bool) -> Type {
        Type::Int {
            bytes,
            signed,
            literal: false,
            enumeration: None,
        }
    }

    /// An integer type whose values have names.
    const fn enumerated(bytes: u32, signed: bool, enumeration: EnumerationId) -> Type {
        Type::Int {
            bytes,
            signed,
            literal: false,
            enumeration: Some(enumeration),
        }
    }

    /// Whether its values are printed by names.
    pub fn has_names(self) -> bool {
        matches!(
            self,
            Type::Int {
                enumeration: Some(_),
                ..
            }
        )
    }

    /// Whether values of the type are 64-bit values in registers.
    pub fn is_scalar(self) -> bool {
        match self {
            Type::Int { .. }
            | Type::Bool
            | Type::Pointer(_)
            | Type::Stack { .. }
            | Type::KernelSymbol
            | Type::Named(_)
            | Type::Unknown => true,
            Type::Void
            | Type::Str { .. }
            | Type::Buffer { .. }
            | Type::Record(_)
            | Type::Array { .. }
            | Type::Chars { .. }
            | Type::Tuple(_)
            | Type::UserSymbol => false,
        }
    }

    /// Whether arithmetic makes sense.
    pub fn is_number(self) -> bool {
        matches!(self, Type::Int { .. } | Type::Bool | Type::Unknown)
    }

    /// Whether it can be compared with zero.
    pub fn is_condition(self) -> bool {
        self.is_number() || matches!(self, Type::Pointer(_) | Type::KernelSymbol)
    }

    /// Whether it is signed in arithmetic: everything is, but `u64` and pointers, since narrower unsigned types are
    /// promoted to 64 bits without loss.
    pub fn is_signed(self) -> bool {
        match self {
            Type::Int { bytes, signed, .. } => signed || bytes < 8,
            Type::Pointer(_) | Type::KernelSymbol => false,
            _ => true,
        }
    }

    /// Whether it is an integer literal.
    pub fn is_literal(self) -> bool {
        matches!(self, Type::Int { literal: true, .. })
    }
}

/// A structure or union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// As C names it: `struct file`.
    pub name: String,
    /// In bytes.
    pub size: u32,
    /// Its number in the kernel's BTF, which is asked for its members when they are wanted: `task_struct` alone has
    /// hundreds, and leads to half of the kernel's types.
    origin: btf::TypeId,
    /// All members, once a value of it is kept: see [`TypeTable::complete`].
    members: Option<Vec<Member>>,
}

/// What a tuple is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Items {
    types: Box<[Type]>,
    /// As many names as items; none if they are numbered.
    names: Box<[Arc<str>]>,
}

/// What is known of a tuple beside its items.
#[derive(Clone, Copy, Debug)]
struct TupleFacts {
    /// What the items take together, in bytes.
    size: u32,
    /// How many tuples are within each other, itself included.
    depth: u32,
}

/// All types of a script that have parts, each once.
#[derive(Clone, Debug)]
pub struct TypeTable {
    types: IndexSet<Type>,
    tuples: IndexSet<Items>,
    /// What is known of each tuple beside its items.
    tuple_facts: Vec<TupleFacts>,
    records: PrimaryMap<RecordId, Record>,
    of_kernel: HashMap<btf::TypeId, RecordId>,
    enumerations: IndexMap<btf::TypeId, Arc<Enumeration>>,
    namings: IndexSet<Naming>,
}

impl Default for TypeTable {
    fn default() -> TypeTable {
        TypeTable {
            // `VOID` is the first.
            types: IndexSet::from([Type::Void]),
            tuples: IndexSet::new(),
            tuple_facts: Vec::new(),
            records: PrimaryMap::new(),
            of_kernel: HashMap::new(),
            enumerations: IndexMap::new(),
            namings: IndexSet::new(),
        }
    }
}

impl TypeTable {
    /// [`Type::Void`], which every table has.
    pub const VOID: TypeId = TypeId(0);

    /// A type's place in the table.
    pub fn intern(&mut self, ty: Type) -> TypeId {
        TypeId::new(self.types.insert_full(ty).0)
    }

    /// What a pointer points to or an array holds.
    pub fn get(&self, id: TypeId) -> Type {
        self.types[id.index()]
    }

    /// A pointer to something.
    pub fn pointer_to(&mut self, target: Type) -> Type {
        Type::Pointer(self.intern(target))
    }

    /// A number that stands for something.
    pub fn named(&mut self, naming: Naming) -> Type {
        Type::Named(NamingId::new(self.namings.insert_full(naming).0))
    }

    /// What numbers of a type stand for.
    pub fn naming(&self, naming: NamingId) -> &Naming {
        &self.namings[naming.index()]
    }

    /// The tuple of these items.
    pub fn tuple(&mut self, items: &[Type]) -> Type {
        self.named_tuple(items, &[])
    }

    /// The tuple of items with these names, none of them twice; without names they are numbered.
    pub fn named_tuple(&mut self, types: &[Type], names: &[Arc<str>]) -> Type {
        let items = Items {
            types: types.into(),
            names: names.into(),
        };
        if let Some(index) = self.tuples.get_index_of(&items) {
            return Type::Tuple(TupleId::new(index));
        }
        let mut facts = TupleFacts { size: 0, depth: 1 };
        for &item in types {
            facts.size = facts.size.saturating_add(self.size(item));
            facts.depth = facts.depth.max(1 + self.depth(item));
        }
        self.tuple_facts.push(facts);
        Type::Tuple(TupleId::new(self.tuples.insert_full(items).0))
    }

    /// How many tuples are within each other: 0 for what is none.
    pub fn depth(&self, ty: Type) -> u32 {
        match ty {
            Type::Tuple(tuple) => self.tuple_facts[tuple.index()].depth,
            _ => 0,
        }
    }

    /// A tuple's items.
    pub fn items(&self, tuple: TupleId) -> &[Type] {
        &self.tuples[tuple.index()].types
    }

    /// The names of a tuple's items: as many as there are, or none if they are numbered.
    pub fn names(&self, tuple: TupleId) -> &[Arc<str>] {
        &self.tuples[tuple.index()].names
    }

    /// Where a tuple's items are: in bytes from its start, with their types.
    pub fn item_offsets(&self, tuple: TupleId) -> Vec<(u32, Type)> {
        let mut end = 0;
        let place = |item: &Type| {
            let at = end;
            end += self.size(*item);
            (at, *item)
        };
        self.items(tuple).iter().map(place).collect()
    }

    /// Where the items of one tuple are in another: by name, or in order if they are numbered. `None` if the two have
    /// different names, or not as many items.
    pub fn matching(&self, from: TupleId, to: TupleId) -> Option<Vec<usize>> {
        let (from, to) = (&self.tuples[from.index()], &self.tuples[to.index()]);
        if from.types.len() != to.types.len() || from.names.len() != to.names.len() {
            return None;
        }
        if from.names == to.names {
            return Some((0..to.types.len()).collect());
        }
        let places: HashMap<&str, usize> = (to.names.iter().map(|name| &**name)).zip(0..).collect();
        let found = from.names.iter().map(|name| places.get(&**name).copied());
        found.collect()
    }

    /// A structure or union.
    pub fn record(&self, id: RecordId) -> &Record {
        &self.records[id]
    }

    /// The type as messages call it.
    pub fn describe(&self, ty: Type) -> String {
        match ty {
            Type::Unknown => "a value of unknown type".into(),
            Type::Void => "no value".into(),
            Type::Int { .. } => "an integer".into(),
            Type::Bool => "a boolean".into(),
            Type::Str { .. } | Type::Chars { .. } => "a string".into(),
            Type::Buffer {
                holds: Holds::Bytes,
                ..
            } => "a buffer".into(),
            Type::Buffer { .. } => "an address of a network".into(),
            Type::Pointer(_) => "a pointer".into(),
            Type::Record(_) => "a structure".into(),
            Type::Array { .. } => "an array".into(),
            Type::Tuple(tuple) => match self.names(tuple) {
                [] => format!("a tuple of {}", self.items(tuple).len()),
                names => format!("a record of {}", names.join(", ")),
            },
            Type::Stack { user: true, .. } => "a user stack".into(),
            Type::Stack { user: false, .. } => "a kernel stack".into(),
            Type::KernelSymbol | Type::UserSymbol => "a symbol".into(),
            Type::Named(naming) => self.naming(naming).describe().into(),
        }
    }

    /// Several types as messages call them.
    pub fn describe_all(&self, types: &[Type]) -> String {
        let all: Vec<String> = types.iter().map(|ty| self.describe(*ty)).collect();
        all.join(", ")
    }

    /// The type that holds values of both, or `None` if there is none.
    pub fn join(&mut self, a: Type, b: Type) -> Option<Type> {
        use Type::*;
        Some(match (a, b) {
            (a, b) if a == b => a,
            (Unknown, ty) | (ty, Unknown) => ty,
            (
                Int {
                    bytes: a,
                    signed: s,
                    literal: l,
                    enumeration: e,
                },
                Int {
                    bytes: b,
                    signed: t,
                    literal: m,
                    enumeration: f,
                },
            ) => Int {
                bytes: a.max(b),
                signed: match (l, m) {
                    (true, false) => t,
                    (false, true) => s,
                    // A narrower unsigned type fits the wider signed one; of equal width, signed wins, since
                    // what was negative must print so.
                    _ => s || t,
                },
                literal: l && m,
                enumeration: e.filter(|_| e == f),
            },
            (Bool, int @ Int { .. }) | (int @ Int { .. }, Bool) => int,
            (Str { bytes: a }, Str { bytes: b }) => Str { bytes: a.max(b) },
            (Buffer { bytes: a, holds }, Buffer { bytes: b, holds: o }) if holds == o => Buffer {
                bytes: a.max(b),
                holds,
            },
            // A null pointer is written 0.
            (pointer @ Pointer(_), Int { literal: true, .. })
            | (Int { literal: true, .. }, pointer @ Pointer(_)) => pointer,
            (Pointer(_), Pointer(_)) => Type::VOID_POINTER,
            (Tuple(a), Tuple(b)) => {
                let order = self.matching(a, b)?;
                let names = self.names(a).to_vec();
                let mine = self.items(a).to_vec();
                let theirs = order
                    .iter()
                    .map(|at| self.items(b)[*at])
                    .collect::<Vec<_>>();
                let items = self.join_all(&mine, &theirs)?;
                self.named_tuple(&items, &names)
            }
            _ => return None,
        })
    }

    /// Joins two lists item by item; `None` if they differ in length or two items do not join.
    pub fn join_all(&mut self, a: &[Type], b: &[Type]) -> Option<Vec<Type>> {
        if a.len() != b.len() {
            return None;
        }
        a.iter().zip(b).map(|(a, b)| self.join(*a, *b)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_takes_the_sign_that_it_meets() {
        let mut types = TypeTable::default();
        let literal = Type::Int {
            bytes: 8,
            signed: true,
            literal: true,
            enumeration: None,
        };
        assert_eq!(types.join(literal, Type::U64), Some(Type::U64));
        assert_eq!(types.join(Type::I64, Type::U64), Some(Type::I64));
    }

    #[test]
    fn strings_join_to_the_longer_and_tuples_join_by_item() {
        let mut types = TypeTable::default();
        let mut tuple = |bytes| types.tuple(&[Type::U32, Type::Str { bytes }]);
        let (short, long) = (tuple(16), tuple(64));
        assert_eq!(types.join(short, long), Some(long));
        assert_eq!(types.join(Type::Str { bytes: 8 }, Type::U64), None);
    }

    #[test]
    fn equal_types_are_one() {
        let mut types = TypeTable::default();
        assert_eq!(types.pointer_to(Type::U32), types.pointer_to(Type::U32));
        assert_ne!(types.pointer_to(Type::U32), types.pointer_to(Type::U64));
        let pair = types.tuple(&[Type::U32, Type::Bool]);
        assert_eq!(types.tuple(&[Type::U32, Type::Bool]), pair);
        assert_eq!(types.pointer_to(Type::Void), Type::VOID_POINTER);
    }

    #[test]
    fn a_tuple_of_tuples_takes_the_room_of_one_entry_each() {
        let mut types = TypeTable::default();
        let mut tuple = types.tuple(&[Type::I64]);
        for _ in 0..64 {
            tuple = types.tuple(&[tuple, tuple]);
        }
        assert_eq!(types.tuples.len(), 65);
        assert_eq!(types.size(tuple), u32::MAX);
    }
}
