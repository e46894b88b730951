//! Kernel types, read from BTF (`/sys/kernel/btf/vmlinux`, or a recorded blob).
//!
//! In go the bytes, out come answers about single types: layouts of structures, prototypes of functions, values of
//! enumerators. Nothing is copied out of the bytes, and nothing beyond the header is looked at before the first
//! question; that one walks the type section once and notes where each type starts (4 bytes a type) and which types
//! carry names.
//!
//! The bytes are not trusted. Every read is checked, every chain of references has a longest length and every search a
//! largest effort, so that any bytes give answers or `None`, in bounded time, and never a panic.
//!
//! Left out: split BTF of modules, `.BTF.ext`, big-endian files.

mod enumerations;
mod find;
mod members;
mod spelling;
mod writer;

pub use enumerations::EnumInfo;
pub use members::Member;
pub use writer::{BtfWriter, trim};

use std::fmt;
use std::sync::{Mutex, OnceLock};

/// The longest chain of typedefs and qualifiers, and the deepest nest of declarators, that is followed.
const MAX_DEPTH: u32 = 64;

/// A type's number in its BTF. 0 is `void`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub u32);

impl TypeId {
    /// `void`, which no entry of the file describes.
    pub const VOID: TypeId = TypeId(0);
}

/// What a type is: `BTF_KIND_*` of `include/uapi/linux/btf.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the kernel's names")]
pub enum Kind {
    Void,
    Int,
    Pointer,
    Array,
    Struct,
    Union,
    /// Enumerations of 64-bit values are [`Kind::Enum64`], but [`Btf::find`] finds either by either.
    Enum,
    /// A structure or union that is declared and never defined.
    Forward,
    Typedef,
    Volatile,
    Const,
    Restrict,
    Func,
    FuncProto,
    Var,
    DataSec,
    Float,
    DeclTag,
    TypeTag,
    Enum64,
}

/// The kinds by their numbers, and the bytes that follow the 12 bytes common to all types: so many, and so many for each element.
const KINDS: [(Kind, u8, u8); 20] = [
    (Kind::Void, 0, 0),
    (Kind::Int, 4, 0),
    (Kind::Pointer, 0, 0),
    (Kind::Array, 12, 0),
    (Kind::Struct, 0, 12),
    (Kind::Union, 0, 12),
    (Kind::Enum, 0, 8),
    (Kind::Forward, 0, 0),
    (Kind::Typedef, 0, 0),
    (Kind::Volatile, 0, 0),
    (Kind::Const, 0, 0),
    (Kind::Restrict, 0, 0),
    (Kind::Func, 0, 0),
    (Kind::FuncProto, 0, 8),
    (Kind::Var, 4, 0),
    (Kind::DataSec, 0, 12),
    (Kind::Float, 0, 0),
    (Kind::DeclTag, 4, 0),
    (Kind::TypeTag, 0, 0),
    (Kind::Enum64, 0, 12),
];

/// Why bytes are not BTF that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BtfError {
    /// Shorter than the header says, or than a header is.
    Truncated,
    /// The magic number is missing.
    NotBtf,
    /// Written by a machine of the other byte order.
    ByteOrder,
    /// A version other than 1.
    Version(u8),
}

impl fmt::Display for BtfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BtfError::Truncated => write!(f, "BTF is shorter than its header says"),
            BtfError::NotBtf => write!(f, "not BTF (magic number missing)"),
            BtfError::ByteOrder => write!(f, "BTF of the other byte order"),
            BtfError::Version(version) => write!(f, "BTF of unknown version {version}"),
        }
    }
}

impl std::error::Error for BtfError {}

/// An integer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntInfo {
    /// Storage in bytes.
    pub bytes: u32,
    /// Bits in use: `8 * bytes`, but for integers that old compilers made for bit fields.
    pub bits: u32,
    /// Two's complement.
    pub signed: bool,
    /// `_Bool`
    pub is_bool: bool,
    /// `char` and its kin: marked so in the file (compilers seldom do), or one byte wide and named so.
    pub is_char: bool,
}

/// A function's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionPrototype<'a> {
    /// Names and types in order. Names may be empty.
    pub params: Vec<(&'a str, TypeId)>,
    /// What it returns; [`TypeId::VOID`] for nothing.
    pub ret: TypeId,
    /// Whether `...` follows the parameters.
    pub variadic: bool,
}

/// One kernel's types.
///
/// ```
/// use pfscript_compiler::btf::{Btf, BtfError};
/// assert_eq!(Btf::new(b"not BTF, whatever it is".to_vec()).err(), Some(BtfError::NotBtf));
/// ```
pub struct Btf {
    bytes: Box<dyn AsRef<[u8]> + Send + Sync>,
    /// Where the type section starts and ends in the bytes.
    types: (usize, usize),
    /// Where the string section starts and ends in the bytes.
    strings: (usize, usize),
    /// Types up to this one were there before those that a script declares, which are found first.
    base: u32,
    index: OnceLock<Index>,
    /// What was found by kind and name, or is known not to be there.
    found: Mutex<find::Found>,
}

/// What the first question finds out about all types.
struct Index {
    /// Offset in the bytes of type 1, 2, ….
    offsets: Vec<u32>,
    /// Types other than functions that have a name to be found by, in order.
    named: Vec<u32>,
    /// Functions, in order.
    functions: Vec<u32>,
    /// Offset in the bytes behind the last type.
    end: usize,
}

/// The 12 bytes that every type starts with, and where its trailer starts.
#[derive(Clone, Copy)]
struct Header {
    name: u32,
    kind: Kind,
    kind_flag: bool,
    vlen: u32,
    /// A size in bytes or a type, by kind.
    size_or_type: u32,
    trailer: usize,
    /// Where the next type starts.
    end: usize,
}

impl fmt::Debug for Btf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Btf")
            .field("bytes", &self.byte_len())
            .finish_non_exhaustive()
    }
}

impl Btf {
    /// Takes the bytes and checks the header; types are not looked at yet. `bytes` may be a memory map.
    ///
    /// # Errors
    /// If the header is not that of BTF version 1 in little-endian order, or names sections outside the bytes.
    pub fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Btf, BtfError> {
        let (types, strings) = {
            let bytes = bytes.as_ref();
            match bytes.get(..2) {
                Some([0x9f, 0xeb]) => {}
                Some([0xeb, 0x9f]) => return Err(BtfError::ByteOrder),
                Some(_) => return Err(BtfError::NotBtf),
                None => return Err(BtfError::Truncated),
            }
            match bytes.get(2) {
                Some(1) => {}
                Some(&version) => return Err(BtfError::Version(version)),
                None => return Err(BtfError::Truncated),
            }
            let field = |at: usize| u32_at(bytes, at).ok_or(BtfError::Truncated);
            let header = field(4)? as usize;
            let section = |offset: u32, length: u32| {
                let start = header.checked_add(offset as usize)?;
                let end = start.checked_add(length as usize)?;
                // Offsets of types are kept in 32 bits.
                (end <= bytes.len() && u32::try_from(end).is_ok()).then_some((start, end))
            };
            (
                section(field(8)?, field(12)?).ok_or(BtfError::Truncated)?,
                section(field(16)?, field(20)?).ok_or(BtfError::Truncated)?,
            )
        };
        Ok(Btf {
            bytes: Box::new(bytes),
            types,
            strings,
            base: 0,
            index: OnceLock::new(),
            found: Mutex::default(),
        })
    }

    /// These types and more, which may refer to them by number and are found before them. They are numbered from
    /// [`Btf::type_count`] on, and their names stand behind these names.
    ///
    /// # Errors
    /// If the whole is too large.
    pub(crate) fn extended(&self, types: &[u8], strings: &[u8]) -> Result<Btf, BtfError> {
        let bytes = self.bytes();
        // What is behind the last type that can be read would shift the numbers.
        let (start, _) = self.types;
        let end = self.index().end;
        let known = &bytes[self.strings.0..self.strings.1];
        let header = [
            0x0001_eb9f,
            24,
            0,
            (end - start + types.len()) as u32,
            (end - start + types.len()) as u32,
            (known.len() + strings.len()) as u32,
        ];
        let header: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
        let whole = [&header[..], &bytes[start..end], types, known, strings].concat();
        let mut extended = Btf::new(whole)?;
        extended.base = self.type_count();
        Ok(extended)
    }

    /// Bytes of all names.
    pub(crate) fn string_bytes(&self) -> u32 {
        (self.strings.1 - self.strings.0) as u32
    }

    fn bytes(&self) -> &[u8] {
        // `as_ref` on the inner value: a box of it implements `AsRef` too.
        (*self.bytes).as_ref()
    }

    /// The size of the file in bytes.
    pub fn byte_len(&self) -> usize {
        self.bytes().len()
    }

    /// How many types there are, `void` not counted; the highest [`TypeId`].
    pub fn type_count(&self) -> u32 {
        self.index().offsets.len() as u32
    }

    /// Whether a type came later, with [`Btf::extended`].
    pub(crate) fn is_declared(&self, id: TypeId) -> bool {
        self.base > 0 && id.0 > self.base
    }

    /// All types in order.
    pub fn ids(&self) -> impl Iterator<Item = TypeId> + use<> {
        (1..=self.type_count()).map(TypeId)
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| {
            let bytes = self.bytes();
            let (mut at, end) = self.types;
            // A kernel's types take some 25 bytes each; functions are not quite half of them.
            let estimate = (end - at) / 24;
            let mut index = Index {
                offsets: Vec::with_capacity(estimate),
                named: Vec::new(),
                functions: Vec::with_capacity(estimate / 2),
                end: at,
            };
            // Ends at the first type that is cut off or of an unknown kind, whose length is unknown.
            while let Some(header) = header_at(bytes, at) {
                if header.end > end {
                    break;
                }
                index.offsets.push(at as u32);
                let id = index.offsets.len() as u32;
                if header.name != 0 {
                    match header.kind {
                        Kind::Func => index.functions.push(id),
                        Kind::DeclTag | Kind::TypeTag => {}
                        _ => index.named.push(id),
                    }
                }
                at = header.end;
                index.end = at;
            }
            index
        })
    }

    fn header(&self, id: TypeId) -> Option<Header> {
        let position = (id.0 as usize).checked_sub(1)?;
        let &offset = self.index().offsets.get(position)?;
        header_at(self.bytes(), offset as usize)
    }

    /// The `index`-th `u32` of a type's trailer; headers in the index have theirs within the bytes.
    fn trailer(&self, header: &Header, index: usize) -> Option<u32> {
        u32_at(self.bytes(), header.trailer + 4 * index)
    }

    /// The bytes of a name, its zero, and all names behind it; none if there is none.
    fn name_and_more(&self, name: u32) -> &[u8] {
        let (start, end) = self.strings;
        start
            .checked_add(name as usize)
            .and_then(|start| self.bytes().get(start..end))
            .unwrap_or_default()
    }

    /// The bytes of a name, without the zero. Empty if there is none.
    fn name_bytes(&self, name: u32) -> &[u8] {
        let tail = self.name_and_more(name);
        match tail.iter().position(|&byte| byte == 0) {
            Some(length) => &tail[..length],
            None => &[],
        }
    }

    fn string(&self, name: u32) -> &str {
        str::from_utf8(self.name_bytes(name)).unwrap_or_default()
    }

    /// What a type is; [`Kind::Void`] for 0 and for numbers beyond the file's.
    pub fn kind(&self, id: TypeId) -> Kind {
        self.header(id).map_or(Kind::Void, |header| header.kind)
    }

    /// A type's own name, without `struct` or such; empty if it has none.
    pub fn name(&self, id: TypeId) -> &str {
        self.header(id)
            .map_or("", |header| self.string(header.name))
    }

    /// The type behind typedefs, qualifiers and tags.
    pub fn resolve(&self, id: TypeId) -> TypeId {
        self.strip(id, |kind| {
            matches!(
                kind,
                Kind::Typedef
                    | Kind::Const
                    | Kind::Volatile
                    | Kind::Restrict
                    | Kind::TypeTag
                    | Kind::DeclTag
            )
        })
    }

    /// The type behind qualifiers and tags; typedefs stay.
    pub fn strip_qualifiers(&self, id: TypeId) -> TypeId {
        self.strip(id, |kind| {
            matches!(
                kind,
                Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag | Kind::DeclTag
            )
        })
    }

    fn strip(&self, mut id: TypeId, transparent: impl Fn(Kind) -> bool) -> TypeId {
        for _ in 0..MAX_DEPTH {
            match self.header(id) {
                Some(header) if transparent(header.kind) => id = TypeId(header.size_or_type),
                _ => return id,
            }
        }
        TypeId::VOID
    }

    /// The type itself with its header, behind typedefs and qualifiers, if it is of one of these kinds.
    fn resolved(&self, id: TypeId, kinds: &[Kind]) -> Option<Header> {
        let header = self.header(self.resolve(id))?;
        kinds.contains(&header.kind).then_some(header)
    }

    /// The type that a reference refers to: what a pointer points to, what a typedef names, a function's prototype.
    /// Typedefs are not looked through.
    pub fn target(&self, id: TypeId) -> Option<TypeId> {
        let header = self.header(id)?;
        matches!(
            header.kind,
            Kind::Pointer
                | Kind::Typedef
                | Kind::Const
                | Kind::Volatile
                | Kind::Restrict
                | Kind::TypeTag
                | Kind::DeclTag
                | Kind::Func
                | Kind::Var
        )
        .then_some(TypeId(header.size_or_type))
    }

    /// What a pointer points to; typedefs of the pointer are looked through, the answer is as written.
    pub fn pointee(&self, id: TypeId) -> Option<TypeId> {
        self.resolved(id, &[Kind::Pointer])
            .map(|header| TypeId(header.size_or_type))
    }

    /// About an integer, typedefs looked through.
    pub fn int(&self, id: TypeId) -> Option<IntInfo> {
        let header = self.resolved(id, &[Kind::Int])?;
        let encoding = self.trailer(&header, 0)?;
        let flags = (encoding >> 24) & 0xf;
        let bytes = header.size_or_type;
        let name = self.string(header.name);
        Some(IntInfo {
            bytes,
            bits: encoding & 0xff,
            signed: flags & 1 != 0,
            is_char: flags & 2 != 0
                || (bytes == 1 && matches!(name, "char" | "signed char" | "unsigned char")),
            is_bool: flags & 4 != 0,
        })
    }

    /// What an integer is called in C, typedefs looked through.
    pub(crate) fn int_name(&self, id: TypeId) -> Option<&str> {
        let header = self.resolved(id, &[Kind::Int])?;
        Some(self.string(header.name))
    }

    /// The prototype of a kernel function.
    pub fn function(&self, name: &str) -> Option<FunctionPrototype<'_>> {
        let function = self.header(self.find(Kind::Func, name)?)?;
        self.prototype(TypeId(function.size_or_type))
    }

    /// A prototype, given its type or that of a function.
    pub fn prototype(&self, id: TypeId) -> Option<FunctionPrototype<'_>> {
        let mut header = self.header(self.resolve(id))?;
        if header.kind == Kind::Func {
            header = self.header(TypeId(header.size_or_type))?;
        }
        if header.kind != Kind::FuncProto {
            return None;
        }
        let mut params = (0..header.vlen as usize)
            .map(|index| {
                let name = self.trailer(&header, 2 * index)?;
                Some((
                    self.string(name),
                    TypeId(self.trailer(&header, 2 * index + 1)?),
                ))
            })
            .collect::<Option<Vec<_>>>()?;
        // A last parameter without type stands for `...`.
        let variadic = params.pop_if(|&mut (_, ty)| ty == TypeId::VOID).is_some();
        Some(FunctionPrototype {
            params,
            ret: TypeId(header.size_or_type),
            variadic,
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

// Called for each of a kernel's 130,000 types, most of whose fields nobody asks for there.
#[inline(always)]
fn header_at(bytes: &[u8], at: usize) -> Option<Header> {
    let fields: &[u8; 12] = bytes.get(at..)?.first_chunk()?;
    let (words, _) = fields.as_chunks::<4>();
    let word = |index: usize| u32::from_le_bytes(words[index]);
    let info = word(1);
    let (kind, fixed, each) = *KINDS.get((info >> 24 & 0x1f) as usize)?;
    if kind == Kind::Void {
        return None;
    }
    let vlen = info & 0xffff;
    let trailer = at + fields.len();
    Some(Header {
        name: word(0),
        kind,
        kind_flag: info >> 31 != 0,
        vlen,
        size_or_type: word(2),
        trailer,
        end: trailer + usize::from(fixed) + usize::from(each) * vlen as usize,
    })
}

#[cfg(test)]
mod tests;
