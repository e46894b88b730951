//! BTF bytes from descriptions of types: for what scripts declare, for recorded facts and for tests, and no more
//! complete than they need.

use super::{Btf, Kind, TypeId};
use std::collections::{HashMap, HashSet};

/// Types and strings so far. Types are numbered from 1 in the order of `BtfWriter::add`, and may refer to numbers
/// not yet given.
#[derive(Debug)]
pub struct BtfWriter {
    types: Vec<u8>,
    strings: Vec<u8>,
    known: HashMap<String, u32>,
    count: u32,
    /// Bytes of the names before those here.
    first_string: u32,
}

impl Default for BtfWriter {
    fn default() -> Self {
        BtfWriter {
            types: Vec::new(),
            // The empty string is at offset 0.
            strings: vec![0],
            known: HashMap::new(),
            count: 0,
            first_string: 0,
        }
    }
}

impl BtfWriter {
    /// Nothing yet.
    pub fn new() -> BtfWriter {
        BtfWriter::default()
    }

    /// Types that come behind others, for [`Btf::extended`].
    pub(crate) fn behind(others: &Btf) -> BtfWriter {
        BtfWriter {
            count: others.type_count(),
            first_string: others.string_bytes(),
            strings: Vec::new(),
            ..BtfWriter::default()
        }
    }

    /// The types and the strings alone.
    pub(crate) fn sections(&self) -> (&[u8], &[u8]) {
        (&self.types, &self.strings)
    }

    /// The number that the next type gets.
    pub fn next(&self) -> TypeId {
        TypeId(self.count + 1)
    }

    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(&at) = self.known.get(text) {
            return at;
        }
        let at = self.first_string + self.strings.len() as u32;
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        self.known.insert(text.to_owned(), at);
        at
    }

    fn word(&mut self, word: u32) {
        self.types.extend_from_slice(&word.to_le_bytes());
    }

    /// Adds a type: `BTF_KIND_*`, its flag, the number of its elements, its size or the type it refers to, and the
    /// words behind.
    fn add(
        &mut self,
        name: &str,
        kind: u32,
        flag: bool,
        elements: u32,
        size_or_type: u32,
        words: &[u32],
    ) -> TypeId {
        let name = self.string(name);
        self.word(name);
        self.word(u32::from(flag) << 31 | kind << 24 | elements & 0xffff);
        self.word(size_or_type);
        for &word in words {
            self.word(word);
        }
        self.count += 1;
        TypeId(self.count)
    }

    /// An integer type; `encoding` is 1 for signed, 2 for characters, 4 for booleans.
    pub fn int(&mut self, name: &str, bytes: u32, encoding: u32) -> TypeId {
        self.add(name, 1, false, 0, bytes, &[(encoding << 24) | (bytes * 8)])
    }

    /// A pointer, typedef, qualifier, tag or function: what refers to one other type.
    pub fn reference(&mut self, kind: Kind, name: &str, to: TypeId) -> TypeId {
        let number = match kind {
            Kind::Pointer => 2,
            Kind::Typedef => 8,
            Kind::Volatile => 9,
            Kind::Const => 10,
            Kind::Restrict => 11,
            Kind::Func => 12,
            _ => 18,
        };
        self.add(name, number, false, 0, to.0, &[])
    }

    /// An array.
    pub fn array(&mut self, element: TypeId, count: u32) -> TypeId {
        self.add("", 3, false, 0, 0, &[element.0, element.0, count])
    }

    /// A structure or union with `(name, type, bit offset, bits of a bit field or 0)`.
    pub fn structure(
        &mut self,
        kind: Kind,
        name: &str,
        bytes: u32,
        members: &[(&str, TypeId, u32, u32)],
    ) -> TypeId {
        let number = if kind == Kind::Union { 5 } else { 4 };
        let flag = members.iter().any(|member| member.3 != 0);
        let mut words = Vec::with_capacity(3 * members.len());
        for &(name, ty, offset, bits) in members {
            words.extend([self.string(name), ty.0, bits << 24 | offset]);
        }
        self.add(name, number, flag, members.len() as u32, bytes, &words)
    }

    /// A floating-point type.
    pub fn float(&mut self, name: &str, bytes: u32) -> TypeId {
        self.add(name, 16, false, 0, bytes, &[])
    }

    /// A structure or union that is only declared.
    pub fn forward(&mut self, name: &str, is_union: bool) -> TypeId {
        self.add(name, 7, is_union, 0, 0, &[])
    }

    /// An enumeration of 1, 2, 4 or 8 bytes.
    pub fn enumeration(
        &mut self,
        name: &str,
        bytes: u32,
        signed: bool,
        values: &[(&str, i64)],
    ) -> TypeId {
        let wide = bytes == 8;
        let mut words = Vec::new();
        for &(name, value) in values {
            words.extend([self.string(name), value as u32]);
            if wide {
                words.push((value >> 32) as u32);
            }
        }
        let number = if wide { 19 } else { 6 };
        self.add(name, number, signed, values.len() as u32, bytes, &words)
    }

    /// A function's type.
    pub fn prototype(&mut self, params: &[(&str, TypeId)], ret: TypeId) -> TypeId {
        let mut words = Vec::with_capacity(2 * params.len());
        for &(name, ty) in params {
            words.extend([self.string(name), ty.0]);
        }
        self.add("", 13, false, params.len() as u32, ret.0, &words)
    }

    /// The file.
    pub fn finish(&self) -> Vec<u8> {
        let header = [
            0x0001_eb9f,
            24,
            0,
            self.types.len() as u32,
            self.types.len() as u32,
            self.strings.len() as u32,
        ];
        let mut bytes: Vec<u8> = header
            .iter()
            .flat_map(|word: &u32| word.to_le_bytes())
            .collect();
        bytes.extend_from_slice(&self.types);
        bytes.extend_from_slice(&self.strings);
        bytes
    }
}

/// A kernel's BTF cut down to some types and functions: those of `keep` whole (by their names: structures, unions,
/// enumerations, typedefs and functions), and what they hold by value; other structures are only declared.
pub fn trim(btf: &Btf, keep: &[&str]) -> Vec<u8> {
    let mut trimmer = Trimmer {
        btf,
        keep,
        numbers: HashMap::new(),
        visited: HashSet::new(),
        order: Vec::new(),
    };
    for &name in keep {
        for kind in [
            Kind::Struct,
            Kind::Union,
            Kind::Enum,
            Kind::Typedef,
            Kind::Int,
            Kind::Func,
        ] {
            if let Some(id) = btf.find(kind, name) {
                trimmer.take(id, true);
            }
        }
    }
    trimmer.write()
}

/// What of a type is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    Declared,
}

struct Trimmer<'a> {
    btf: &'a Btf,
    keep: &'a [&'a str],
    /// New numbers.
    numbers: HashMap<TypeId, u32>,
    /// Types seen, and whether by value.
    visited: HashSet<(TypeId, bool)>,
    order: Vec<(TypeId, Extent)>,
}

impl Trimmer<'_> {
    /// Takes a type and all that it needs; `by_value` if its layout counts.
    fn take(&mut self, id: TypeId, by_value: bool) {
        if id == TypeId::VOID {
            return;
        }
        let btf = self.btf;
        let kind = btf.kind(id);
        let is_structure = matches!(kind, Kind::Struct | Kind::Union);
        let name = btf.name(id);
        let extent = match is_structure && !by_value && !name.is_empty() {
            true if !self.keep.contains(&name) => Extent::Declared,
            _ => Extent::Whole,
        };
        let known = self.numbers.get(&id).map(|&number| number as usize - 1);
        match known {
            Some(place) if extent == Extent::Whole => self.order[place].1 = Extent::Whole,
            Some(_) => {}
            None => {
                self.order.push((id, extent));
                self.numbers.insert(id, self.order.len() as u32);
            }
        }
        // A typedef may be met behind a pointer first and by value later.
        if !self.visited.insert((id, by_value)) {
            return;
        }
        if extent == Extent::Declared {
            return;
        }
        match kind {
            Kind::Struct | Kind::Union => {
                for member in btf.members(id) {
                    self.take(member.ty, true);
                }
            }
            Kind::Array => {
                if let Some((element, _)) = btf.array(id) {
                    self.take(element, true);
                }
            }
            Kind::FuncProto => {
                if let Some(prototype) = btf.prototype(id) {
                    for &(_, ty) in &prototype.params {
                        self.take(ty, false);
                    }
                    self.take(prototype.ret, false);
                }
            }
            _ => {
                if let Some(target) = btf.target(id) {
                    // Through a pointer the layout does not count any more.
                    let by_value = by_value && !matches!(kind, Kind::Pointer | Kind::Func);
                    self.take(target, by_value);
                }
            }
        }
    }

    fn number(&self, id: TypeId) -> TypeId {
        TypeId(self.numbers.get(&id).copied().unwrap_or(0))
    }

    fn write(&self) -> Vec<u8> {
        let btf = self.btf;
        let mut writer = BtfWriter::new();
        for &(id, extent) in &self.order {
            let (kind, name) = (btf.kind(id), btf.name(id));
            match kind {
                Kind::Struct | Kind::Union if extent == Extent::Declared => {
                    writer.forward(name, kind == Kind::Union)
                }
                Kind::Struct | Kind::Union => {
                    let members: Vec<_> = btf
                        .members(id)
                        .map(|member| {
                            (
                                member.name,
                                self.number(member.ty),
                                member.bit_offset,
                                member.bitfield_bits.unwrap_or(0),
                            )
                        })
                        .collect();
                    writer.structure(kind, name, btf.size_of(id).unwrap_or(0), &members)
                }
                Kind::Int => {
                    let int = btf.int(id);
                    let bit = |set: bool, bit: u32| if set { bit } else { 0 };
                    let encoding = int.map_or(0, |int| bit(int.signed, 1) | bit(int.is_bool, 4));
                    writer.int(name, int.map_or(0, |int| int.bytes), encoding)
                }
                Kind::Enum | Kind::Enum64 => {
                    let info = btf.enum_info(id);
                    let values: Vec<_> = btf.enumerators(id).collect();
                    let (bytes, signed) = info.map_or((4, false), |info| (info.bytes, info.signed));
                    writer.enumeration(name, bytes, signed, &values)
                }
                Kind::Array => {
                    let (element, count) = btf.array(id).unwrap_or((TypeId::VOID, 0));
                    writer.array(self.number(element), count)
                }
                Kind::FuncProto => {
                    let prototype = btf.prototype(id);
                    let params: Vec<_> = prototype
                        .iter()
                        .flat_map(|prototype| &prototype.params)
                        .map(|&(name, ty)| (name, self.number(ty)))
                        .collect();
                    let ret = prototype.map_or(TypeId::VOID, |prototype| prototype.ret);
                    writer.prototype(&params, self.number(ret))
                }
                Kind::Forward => writer.forward(name, btf.c_name(id).starts_with("union")),
                _ => {
                    let target = btf.target(id).unwrap_or(TypeId::VOID);
                    writer.reference(kind, name, self.number(target))
                }
            };
        }
        writer.finish()
    }
}
