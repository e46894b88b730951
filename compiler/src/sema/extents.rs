//! How much room values take by their own, which is what `sizeof` says: a number that is written down the least that holds it, a
//! tuple its parts, each aligned as in C.
//!
//! In come checked expressions, out go sizes. What values really take is another matter: numbers have 8 bytes wherever they are
//! kept (see [`crate::types`]). So what was assigned to each variable and map is noted here.

use super::Checker;
use super::flow::Holder;
use crate::hir::{Base, Expr, ExprKind, Place};
use crate::types::{Type, TypeTable};
use pfscript_grammar::Span;
use std::collections::HashMap;

/// The room of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// In bytes.
    Plain { size: u32, align: u32 },
    /// That of each item.
    Tuple(Vec<Extent>),
}

/// The room of what variables and maps were assigned.
#[derive(Default)]
pub(super) struct Extents {
    held: HashMap<Holder, Extent>,
    /// Whether the script asks for any.
    pub(super) wanted: bool,
}

impl Extent {
    /// That of a type.
    pub(super) fn of(types: &TypeTable, ty: Type) -> Extent {
        let size = types.c_size(ty).unwrap_or(types.size(ty));
        let align = match ty {
            Type::Tuple(tuple) => {
                let items = types.items(tuple).iter();
                return Extent::Tuple(items.map(|item| Extent::of(types, *item)).collect());
            }
            Type::Array { element, .. } => Extent::of(types, types.get(element)).align(),
            Type::Str { .. } | Type::Chars { .. } | Type::Buffer { .. } => 1,
            Type::Record(_) => 8,
            _ => size.clamp(1, 8),
        };
        Extent::Plain { size, align }
    }

    /// In bytes.
    pub(super) fn size(&self) -> u32 {
        match self {
            Extent::Plain { size, .. } => *size,
            Extent::Tuple(items) => {
                let end = items.iter().fold(0_u32, |end, item| {
                    let start = end.next_multiple_of(item.align());
                    start.saturating_add(item.size())
                });
                end.next_multiple_of(self.align())
            }
        }
    }

    fn align(&self) -> u32 {
        match self {
            Extent::Plain { align, .. } => *align,
            Extent::Tuple(items) => items.iter().map(Extent::align).max().unwrap_or(1),
        }
    }

    /// Room for either.
    fn join(self, other: Extent) -> Extent {
        match (self, other) {
            (Extent::Tuple(one), Extent::Tuple(other)) if one.len() == other.len() => {
                let pairs = one.into_iter().zip(other);
                Extent::Tuple(pairs.map(|(one, other)| one.join(other)).collect())
            }
            (one, other) if one.size() < other.size() => other,
            (one, _) => one,
        }
    }

    /// That of a part of a value of type `whole`, at an offset in what the value takes in a map.
    fn part(self, types: &TypeTable, whole: Type, offset: u32, ty: Type) -> Extent {
        let (Type::Tuple(tuple), Extent::Tuple(items)) = (whole, &self) else {
            return match whole == ty {
                true => self,
                false => Extent::of(types, ty),
            };
        };
        if whole == ty {
            return self;
        }
        let mut start = 0;
        for (item, extent) in types.items(tuple).iter().zip(items) {
            let end = start + types.size(*item);
            if (start..end).contains(&offset) {
                return extent.clone().part(types, *item, offset - start, ty);
            }
            start = end;
        }
        Extent::of(types, ty)
    }
}

impl Checker<'_> {
    /// The room of a value.
    pub(super) fn extent(&self, value: &Expr) -> Extent {
        if let Some(size) = value.literal_bytes() {
            return Extent::Plain { size, align: size };
        }
        match &value.kind {
            ExprKind::Str(bytes) => Extent::Plain {
                size: u32::try_from(bytes.len() + 1).unwrap_or(u32::MAX),
                align: 1,
            },
            ExprKind::Tuple(items) => {
                Extent::Tuple(items.iter().map(|item| self.extent(item)).collect())
            }
            ExprKind::Ternary(condition, then, otherwise) => match condition.constant() {
                Some(0) => self.extent(otherwise),
                Some(_) => self.extent(then),
                None => self.extent(then).join(self.extent(otherwise)),
            },
            ExprKind::Block(_, Some(value)) => self.extent(value),
            // As the memory has it, without room for a terminator.
            ExprKind::Load(place) if matches!(place.ty, Type::Chars { .. }) => {
                Extent::of(&self.types, place.ty)
            }
            ExprKind::Load(place) if !place.in_c => self.extent_at(place),
            _ => Extent::of(&self.types, value.ty),
        }
    }

    fn extent_at(&self, place: &Place) -> Extent {
        let held = |holder| self.env.extents.held.get(&holder).cloned();
        let (whole, extent) = match &place.base {
            Base::Var(var) => {
                let holder = Holder::Var(self.action, *var);
                (self.vars[*var].ty, held(holder))
            }
            Base::Element { map, .. } => match self.content(*map) {
                super::MapContent::Scalar(ty) => (*ty, held(Holder::Map(*map))),
                _ => (place.ty, None),
            },
            Base::Value(value) => (value.ty, Some(self.extent(value))),
            Base::Memory(_) => (place.ty, None),
        };
        let extent = extent.unwrap_or_else(|| Extent::of(&self.types, whole));
        extent.part(&self.types, whole, place.offset, place.ty)
    }

    /// Notes that a variable or a map is added to, after which it is a number of 64 bits.
    pub(super) fn note_sum(&mut self, base: &Base) {
        let holder = match base {
            Base::Var(var) => Holder::Var(self.action, *var),
            Base::Element { map, .. } => Holder::Map(*map),
            Base::Memory(_) | Base::Value(_) => return,
        };
        self.note_extent(&Expr::int(0, Type::I64, Span::default()), holder);
    }

    /// Notes what a variable or a map is assigned.
    pub(super) fn note_extent(&mut self, value: &Expr, to: Holder) {
        let new = self.extent(value);
        let held = &mut self.env.extents.held;
        let joined = match held.get(&to) {
            Some(old) => old.clone().join(new),
            None => new,
        };
        let changed = held.get(&to) != Some(&joined);
        if changed {
            held.insert(to, joined);
            // What was asked for before is to be said anew.
            self.env.changed |= self.env.extents.wanted;
        }
    }
}
