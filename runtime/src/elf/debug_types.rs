//! Functions' parameters and the types that a program was compiled with, by a file's DWARF.
//!
//! In comes an open file and what is asked for, out go types in the form of BTF, with what they are made of. What a file may cost
//! is bounded. Left out: what has no place in BTF (variants, templates' parameters, static members), and type units of their own.

use super::lines::{Bytes, Open, Split, all_sections};
use gimli::{AttributeValue, DebuggingInformationEntry, Dwarf, Reader as _, Unit, UnitOffset};
use gimli::{constants as dw, read::UnitHeader};
use pfscript_compiler::btf::{BtfWriter, Kind, TypeId};
use pfscript_compiler::facts::WantedTypes;
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// The most types that a script gets of one file.
const MAX_TYPES: usize = 100_000;

/// The most members, enumerators or parameters that one type has: BTF counts them in 16 bits.
const MAX_PARTS: usize = 0xffff;

/// What a name or a type is followed through, from one entry to the next (`DW_AT_abstract_origin`, `DW_AT_specification`).
const MAX_ORIGINS: usize = 8;

type Entry = DebuggingInformationEntry<Bytes>;

/// Writes the functions and types that are asked for, as far as the file knows them. `program` is the path of the program or library
/// that the file is about, `open` opens other files.
///
/// # Errors
/// If there is no DWARF, or it is damaged, too large, or can't be read.
pub fn write(
    file: &File,
    program: &Path,
    open: Open<'_>,
    wanted: &WantedTypes<'_>,
    writer: &mut BtfWriter,
) -> io::Result<()> {
    let (dwarf, split, _) = all_sections(file, program, open)?;
    let mut reader = Reader {
        dwarf: Arc::new(dwarf),
        split,
        open,
        units: Vec::new(),
        starts: HashMap::new(),
        numbers: HashMap::new(),
        waiting: VecDeque::new(),
        first: writer.next(),
    };
    let functions = reader
        .find(wanted)
        .map_err(|_| super::invalid("the DWARF is damaged"))?;
    reader.write_types(writer);
    for function in functions {
        let params: Vec<(&str, TypeId)> = function
            .params
            .iter()
            .map(|(name, ty)| (name.as_str(), *ty))
            .collect();
        let prototype = writer.prototype(&params, function.result);
        writer.reference(Kind::Func, &function.name, prototype);
    }
    Ok(())
}

/// A unit, with the file that it is in.
struct Part {
    dwarf: Arc<Dwarf<Bytes>>,
    unit: Unit<Bytes>,
}

impl Part {
    fn text(&self, value: Option<AttributeValue<Bytes>>) -> Option<String> {
        let text = self.dwarf.attr_string(&self.unit, value?).ok()?;
        Some(text.to_string_lossy().ok()?.into_owned())
    }

    fn entry(&self, at: UnitOffset) -> Option<Entry> {
        self.unit.entry(at).ok()
    }

    /// The entries right below one.
    fn children(&self, at: UnitOffset) -> Vec<Entry> {
        let mut children = Vec::new();
        let Ok(mut entries) = self.unit.entries_at_offset(at) else {
            return children;
        };
        let Ok(Some(parent)) = entries.next_dfs() else {
            return children;
        };
        if !parent.has_children() {
            return children;
        }
        let mut next = entries.next_dfs().map(|entry| entry.cloned());
        while let Ok(Some(entry)) = next
            && children.len() < MAX_PARTS
        {
            children.push(entry);
            next = entries.next_sibling().map(|entry| entry.cloned());
        }
        children
    }
}

/// An entry that is a type, or what is left of an array's dimensions.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    unit: usize,
    at: UnitOffset,
    /// The dimensions of an array that come before this one.
    dimension: usize,
}

/// A function, with types as they will be numbered.
struct Function {
    name: String,
    params: Vec<(String, TypeId)>,
    result: TypeId,
}

struct Reader<'a> {
    dwarf: Arc<Dwarf<Bytes>>,
    split: Split,
    open: Open<'a>,
    units: Vec<Rc<Part>>,
    /// Units by where they start in `.debug_info`.
    starts: HashMap<usize, usize>,
    /// The number of each type, in the order in which they are written.
    numbers: HashMap<Place, TypeId>,
    waiting: VecDeque<Place>,
    first: TypeId,
}

impl Reader<'_> {
    /// Looks through all units for what is asked for.
    fn find(&mut self, wanted: &WantedTypes<'_>) -> gimli::Result<Vec<Function>> {
        let mut functions = Vec::new();
        let mut names: Vec<&str> = wanted.names.iter().map(String::as_str).collect();
        let mut left = wanted.functions.to_vec();
        let dwarf = Arc::clone(&self.dwarf);
        let mut headers = dwarf.units();
        while let Some(header) = headers.next()? {
            if left.is_empty() && names.is_empty() {
                break;
            }
            let Some(number) = self.unit(header)? else {
                continue;
            };
            let part = Rc::clone(&self.units[number]);
            let mut entries = part.unit.entries();
            while let Some(entry) = entries.next_dfs()? {
                match entry.tag() {
                    dw::DW_TAG_subprogram if !left.is_empty() => {
                        let address = entry.attr_value(dw::DW_AT_low_pc);
                        let address = match address {
                            Some(value) => part.dwarf.attr_address(&part.unit, value)?,
                            None => None,
                        };
                        let found = left.iter().position(|(_, at)| Some(*at) == address);
                        if let Some(found) = found {
                            let (name, _) = left.swap_remove(found);
                            functions.push(self.function(number, entry, name));
                        }
                    }
                    dw::DW_TAG_structure_type
                    | dw::DW_TAG_class_type
                    | dw::DW_TAG_union_type
                    | dw::DW_TAG_enumeration_type
                    | dw::DW_TAG_typedef
                        if !names.is_empty() && entry.attr(dw::DW_AT_declaration).is_none() =>
                    {
                        let name = part.text(entry.attr_value(dw::DW_AT_name));
                        let found = names
                            .iter()
                            .position(|wanted| Some(*wanted) == name.as_deref());
                        if let Some(found) = found {
                            names.swap_remove(found);
                            self.number(Place {
                                unit: number,
                                at: entry.offset(),
                                dimension: 0,
                            });
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(functions)
    }

    /// A unit's number; none if what is in a file of its own is not there.
    fn unit(&mut self, header: UnitHeader<Bytes>) -> gimli::Result<Option<usize>> {
        let start = header.offset().0;
        if let Some(&known) = self.starts.get(&start) {
            return Ok(Some(known));
        }
        let unit = self.dwarf.unit(header)?;
        let part = match (unit.dwo_id, unit.dwo_name()?) {
            (Some(id), Some(name)) => {
                let path = self.dwarf.attr_string(&unit, name).ok();
                let found =
                    self.split
                        .load(id, (unit.comp_dir.clone(), path), &self.dwarf, self.open);
                let Some(dwarf) = found else {
                    return Ok(None);
                };
                let Some(header) = dwarf.units().next()? else {
                    return Ok(None);
                };
                let mut whole = dwarf.unit(header)?;
                whole.copy_relocated_attributes(&unit);
                Part { dwarf, unit: whole }
            }
            _ => Part {
                dwarf: Arc::clone(&self.dwarf),
                unit,
            },
        };
        let number = self.units.len();
        self.units.push(Rc::new(part));
        self.starts.insert(start, number);
        Ok(Some(number))
    }

    /// Where the type of an entry is; none for `void`, and for what cannot be followed.
    fn type_of(&mut self, unit: usize, entry: &Entry) -> Option<Place> {
        let (unit, at) = self.reference(unit, entry.attr_value(dw::DW_AT_type)?)?;
        Some(Place {
            unit,
            at,
            dimension: 0,
        })
    }

    fn reference(
        &mut self,
        unit: usize,
        value: AttributeValue<Bytes>,
    ) -> Option<(usize, UnitOffset)> {
        match value {
            AttributeValue::UnitRef(at) => Some((unit, at)),
            AttributeValue::DebugInfoRef(at) => {
                // Within a file of one unit, that is the unit.
                let own = &self.units[unit];
                if let Some(inside) = at.to_unit_offset(&own.unit.header)
                    && !Arc::ptr_eq(&own.dwarf, &self.dwarf)
                {
                    return Some((unit, inside));
                }
                let dwarf = Arc::clone(&self.dwarf);
                let mut headers = dwarf.units();
                while let Ok(Some(header)) = headers.next() {
                    if let Some(inside) = at.to_unit_offset(&header) {
                        return Some((self.unit(header).ok()??, inside));
                    }
                }
                None
            }
            _ => None,
        }
    }

    /// An entry's attribute, or that of the entry that it completes.
    fn inherited(
        &mut self,
        unit: usize,
        entry: &Entry,
        name: gimli::DwAt,
    ) -> Option<(usize, AttributeValue<Bytes>)> {
        let (mut unit, mut entry) = (unit, entry.clone());
        for _ in 0..MAX_ORIGINS {
            if let Some(value) = entry.attr_value(name) {
                return Some((unit, value));
            }
            let origin = entry
                .attr_value(dw::DW_AT_abstract_origin)
                .or_else(|| entry.attr_value(dw::DW_AT_specification))?;
            let at;
            (unit, at) = self.reference(unit, origin)?;
            entry = self.units[unit].entry(at)?;
        }
        None
    }

    /// The number of what an entry's type is, which may be its origin's.
    fn inherited_type(&mut self, unit: usize, entry: &Entry) -> TypeId {
        let found = self.inherited(unit, entry, dw::DW_AT_type);
        let place = found.and_then(|(unit, value)| self.reference(unit, value));
        place.map_or(TypeId::VOID, |(unit, at)| {
            self.number(Place {
                unit,
                at,
                dimension: 0,
            })
        })
    }

    fn function(&mut self, unit: usize, entry: &Entry, name: String) -> Function {
        let part = Rc::clone(&self.units[unit]);
        let mut params = Vec::new();
        for child in part.children(entry.offset()) {
            if child.tag() != dw::DW_TAG_formal_parameter {
                continue;
            }
            let named = self.inherited(unit, &child, dw::DW_AT_name);
            let named = named.and_then(|(unit, value)| self.units[unit].text(Some(value)));
            let ty = self.inherited_type(unit, &child);
            params.push((named.unwrap_or_default(), ty));
        }
        Function {
            name,
            params,
            result: self.inherited_type(unit, entry),
        }
    }

    /// A type's number, under which it will be written.
    fn number(&mut self, place: Place) -> TypeId {
        let next = TypeId(self.first.0 + self.numbers.len() as u32);
        if self.numbers.len() >= MAX_TYPES {
            return self.numbers.get(&place).copied().unwrap_or(TypeId::VOID);
        }
        *self.numbers.entry(place).or_insert_with(|| {
            self.waiting.push_back(place);
            next
        })
    }

    fn optional(&mut self, place: Option<Place>) -> TypeId {
        place.map_or(TypeId::VOID, |place| self.number(place))
    }

    /// Writes types in the order of their numbers, one for each; those that they are made of come behind.
    fn write_types(&mut self, writer: &mut BtfWriter) {
        while let Some(place) = self.waiting.pop_front() {
            let part = Rc::clone(&self.units[place.unit]);
            match part.entry(place.at) {
                Some(entry) => self.write_type(place, &part, &entry, writer),
                None => {
                    writer.forward("", false);
                }
            }
        }
    }

    fn write_type(&mut self, place: Place, part: &Part, entry: &Entry, writer: &mut BtfWriter) {
        let name = part
            .text(entry.attr_value(dw::DW_AT_name))
            .unwrap_or_default();
        let size = entry.attr_value(dw::DW_AT_byte_size);
        let size = size.and_then(|size| size.udata_value()).unwrap_or(0);
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let to = match entry.tag() {
            dw::DW_TAG_array_type => None,
            _ => self.type_of(place.unit, entry),
        };
        match entry.tag() {
            dw::DW_TAG_base_type => {
                let encoding = entry.attr_value(dw::DW_AT_encoding);
                let bits = match encoding {
                    Some(AttributeValue::Encoding(dw::DW_ATE_boolean)) => Some(4),
                    Some(AttributeValue::Encoding(dw::DW_ATE_signed_char)) => Some(1),
                    Some(AttributeValue::Encoding(dw::DW_ATE_signed)) => Some(1),
                    Some(AttributeValue::Encoding(
                        dw::DW_ATE_unsigned | dw::DW_ATE_unsigned_char | dw::DW_ATE_UTF,
                    )) => Some(0),
                    _ => None,
                };
                match bits {
                    Some(encoding) => writer.int(&name, size, encoding),
                    None => writer.float(&name, size),
                };
            }
            dw::DW_TAG_pointer_type
            | dw::DW_TAG_reference_type
            | dw::DW_TAG_rvalue_reference_type => {
                let to = self.optional(to);
                writer.reference(Kind::Pointer, "", to);
            }
            dw::DW_TAG_typedef => {
                let to = self.optional(to);
                writer.reference(Kind::Typedef, &name, to);
            }
            dw::DW_TAG_const_type => {
                let to = self.optional(to);
                writer.reference(Kind::Const, "", to);
            }
            dw::DW_TAG_volatile_type | dw::DW_TAG_restrict_type | dw::DW_TAG_atomic_type => {
                let to = self.optional(to);
                writer.reference(Kind::Volatile, "", to);
            }
            dw::DW_TAG_structure_type | dw::DW_TAG_class_type | dw::DW_TAG_union_type => {
                let is_union = entry.tag() == dw::DW_TAG_union_type;
                if entry.attr(dw::DW_AT_declaration).is_some() {
                    writer.forward(&name, is_union);
                    return;
                }
                let members = self.members(place.unit, part, entry);
                let members: Vec<(&str, TypeId, u32, u32)> = members
                    .iter()
                    .map(|(name, ty, at, bits)| (name.as_str(), *ty, *at, *bits))
                    .collect();
                let kind = if is_union { Kind::Union } else { Kind::Struct };
                writer.structure(kind, &name, size, &members);
            }
            dw::DW_TAG_enumeration_type => {
                let values: Vec<(String, i64)> = part
                    .children(entry.offset())
                    .iter()
                    .filter_map(|child| {
                        let value = child.attr_value(dw::DW_AT_const_value)?;
                        let value = value
                            .sdata_value()
                            .or(value.udata_value().map(|n| n as i64))?;
                        Some((part.text(child.attr_value(dw::DW_AT_name))?, value))
                    })
                    .collect();
                let signed = values.iter().any(|(_, value)| *value < 0);
                let values: Vec<(&str, i64)> = values
                    .iter()
                    .map(|(name, value)| (name.as_str(), *value))
                    .collect();
                writer.enumeration(&name, size, signed, &values);
            }
            dw::DW_TAG_array_type => self.write_array(place, part, entry, writer),
            dw::DW_TAG_subroutine_type => {
                writer.prototype(&[], TypeId::VOID);
            }
            _ => {
                writer.forward(&name, false);
            }
        }
    }

    /// One dimension of an array; the next one is what its elements are.
    fn write_array(&mut self, place: Place, part: &Part, entry: &Entry, writer: &mut BtfWriter) {
        let counts: Vec<u32> = part
            .children(entry.offset())
            .iter()
            .filter(|child| child.tag() == dw::DW_TAG_subrange_type)
            .map(|range| {
                let number = |name| range.attr_value(name).and_then(|value| value.udata_value());
                let last = number(dw::DW_AT_upper_bound).map(|last| last.wrapping_add(1));
                let count = number(dw::DW_AT_count).or(last).unwrap_or(0);
                u32::try_from(count).unwrap_or(0)
            })
            .collect();
        let element = match place.dimension + 1 < counts.len() {
            true => Some(Place {
                dimension: place.dimension + 1,
                ..place
            }),
            false => self.type_of(place.unit, entry),
        };
        let element = self.optional(element);
        writer.array(element, counts.get(place.dimension).copied().unwrap_or(0));
    }

    /// The members of a structure: name, type, where in bits, and how many bits if it is a bit field.
    fn members(
        &mut self,
        unit: usize,
        part: &Part,
        entry: &Entry,
    ) -> Vec<(String, TypeId, u32, u32)> {
        let mut members = Vec::new();
        for child in part.children(entry.offset()) {
            let inherited = child.tag() == dw::DW_TAG_inheritance;
            // What is static is no part of the value.
            let is_static = child.attr(dw::DW_AT_external).is_some();
            if !(inherited || child.tag() == dw::DW_TAG_member) || is_static {
                continue;
            }
            let number = |name| child.attr_value(name).and_then(|value| value.udata_value());
            let bytes = number(dw::DW_AT_data_member_location).unwrap_or(0);
            let bits = number(dw::DW_AT_bit_size).unwrap_or(0);
            let at = match (
                number(dw::DW_AT_data_bit_offset),
                number(dw::DW_AT_bit_offset),
            ) {
                (Some(at), _) => at,
                // DWARF 3 counts from the most significant bit of the unit.
                (None, Some(from_top)) => {
                    let room = 8 * number(dw::DW_AT_byte_size).unwrap_or(4);
                    (8 * bytes + room).saturating_sub(from_top + bits)
                }
                (None, None) => 8 * bytes,
            };
            let (Ok(at), Ok(bits)) = (u32::try_from(at), u32::try_from(bits)) else {
                continue;
            };
            let ty = self.type_of(unit, &child);
            let ty = self.optional(ty);
            let name = part.text(child.attr_value(dw::DW_AT_name));
            members.push((name.unwrap_or_default(), ty, at, bits));
        }
        members
    }
}
