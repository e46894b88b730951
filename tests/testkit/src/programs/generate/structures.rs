//! Structures, arrays and records, and expressions of them.

use super::expressions::boxed;
use super::{Generator, WIDTHS};
use crate::programs::ast::{Binary, Content, Expr, I64, Stmt, Type};
use crate::programs::memory::{Member, Structure, is_dense, shape};
use std::rc::Rc;

/// In bytes, so that programs stay small.
const MAX_SIZE: u32 = 32;

/// Letters, as words of them are made: `word & LOW | HIGH`.
const LOW: u64 = 0x0707_0707_0707_0707;
const HIGH: u64 = 0x6060_6060_6060_6060;

impl Generator {
    pub(super) fn structures(&mut self) {
        for number in 0..self.random.below(3) {
            let mut structure = Structure {
                name: format!("t{number}"),
                union: self.chance(5),
                packed: self.chance(4),
                members: Vec::new(),
            };
            for index in 0..2 + self.random.below(4) {
                let (ty, bits) = self.member_type(&structure);
                let name = format!("f{index}");
                structure.members.push(Member { name, ty, bits });
                if structure.laid().size > MAX_SIZE {
                    structure.members.pop();
                }
            }
            self.script.structures.push(Rc::new(structure));
        }
    }

    fn member_type(&mut self, within: &Structure) -> (Type, Option<u32>) {
        let int = Type::Int {
            bytes: self.random.one_of(&WIDTHS),
            signed: self.chance(2),
        };
        match self.random.below(10) {
            0 | 1 if !within.union => {
                let bits = 1 + self.random.below(u64::from(8 * shape(&int).0)) as u32;
                // Packed ones that are in nine bytes are not supported.
                let bits = if within.packed { bits.min(32) } else { bits };
                (int, Some(bits))
            }
            2 | 3 => {
                let count = 2 + self.random.below(3) as u32;
                (Type::Array(Box::new(int), count), None)
            }
            4 => (Type::Chars(3 + self.random.below(6) as u32), None),
            5 | 6 if !self.script.structures.is_empty() => {
                let inner = Type::Struct(self.script.structures[0].clone());
                match self.chance(4) && shape(&inner).0 <= MAX_SIZE / 2 {
                    true => (Type::Array(Box::new(inner), 2), None),
                    false => (inner, None),
                }
            }
            _ => (int, None),
        }
    }

    /// One of the structures, if there are any.
    fn any_structure(&mut self) -> Option<Rc<Structure>> {
        let count = self.script.structures.len() as u64;
        let one =
            |this: &mut Self| this.script.structures[this.random.below(count) as usize].clone();
        (count > 0).then(|| one(self))
    }

    pub(super) fn structure_or_number(&mut self) -> Type {
        self.any_structure().map_or(I64, Type::Struct)
    }

    /// A structure, an array or a record.
    pub(super) fn composite_type(&mut self) -> Type {
        match self.random.below(3) {
            0 => self.structure_or_number(),
            1 => {
                let bytes = self.random.one_of(&WIDTHS);
                let element = Type::Int {
                    bytes,
                    signed: self.chance(2),
                };
                let least = if bytes == 1 { 2 } else { bytes };
                let total = least << self.random.below(u64::from((8 / least).ilog2()) + 1);
                Type::Array(Box::new(element), total / bytes)
            }
            _ => {
                let names = ["a", "b", "c"];
                let count = 1 + self.random.below(3) as usize;
                let items = names[..count].iter();
                Type::Record(items.map(|name| (*name, self.item_type(0))).collect())
            }
        }
    }

    pub(super) fn composite_as_key(&mut self) -> Vec<Type> {
        let ty = self.composite_type();
        match self.chance(3) {
            true if is_dense(&ty) => vec![ty, I64],
            _ if is_dense(&ty) => vec![ty],
            _ => vec![I64],
        }
    }

    /// Words that have a structure in their memory.
    fn words(&mut self, structure: &Structure, depth: u32) -> Stmt {
        let count = structure.laid().size.div_ceil(8).max(2);
        let text = holds_text(structure);
        let words = (0..count).map(|_| {
            if text && self.chance(2) {
                // An end of the text somewhere.
                let letters = self.random.next() & LOW | HIGH;
                return Expr::Number(letters & !(0xff << (8 * self.random.below(8))));
            }
            let word = Expr::Cast(8, false, boxed(self.any_int(depth)));
            match text {
                true => {
                    let low = Expr::Binary(Binary::And, boxed(word), boxed(Expr::Number(LOW)));
                    Expr::Binary(Binary::Or, boxed(low), boxed(Expr::Number(HIGH)))
                }
                false => word,
            }
        });
        let words = words.map(|word| Expr::Cast(8, false, boxed(word)));
        let words = Expr::Tuple(words.collect());
        let variable = self.next_variable;
        self.next_variable += 1;
        Stmt::Let(variable, words)
    }

    pub(super) fn composite(&mut self, ty: &Type, depth: u32) -> Expr {
        let inner = depth.saturating_sub(1);
        match self.random.below(6) {
            0 if depth > 0 => {
                let content = Content::Plain(ty.clone());
                if let Some(map) = self.map(|map| map.content == content) {
                    return Expr::Element(map, self.keys(map, inner));
                }
            }
            1 if depth > 0 => {
                return Expr::Choice(
                    boxed(self.condition(inner)),
                    boxed(self.composite(ty, inner)),
                    boxed(self.composite(ty, inner)),
                );
            }
            2 if depth > 0 => {
                if let Some((part, _)) = self.part(|part| part == ty, inner) {
                    return part;
                }
            }
            _ => {}
        }
        self.made(ty, inner.min(1))
    }

    /// One of numbers.
    pub(super) fn made(&mut self, ty: &Type, depth: u32) -> Expr {
        match ty {
            Type::Struct(structure) => {
                let words = self.words(structure, depth);
                let Stmt::Let(variable, _) = words else {
                    panic!("words are in a variable");
                };
                let view = Expr::View(structure.clone(), variable);
                Expr::Block(vec![words], boxed(view))
            }
            Type::Array(..) => match self.address(ty) {
                Some(address) => address,
                None => Expr::Bytes(ty.clone(), boxed(self.any_int(depth))),
            },
            Type::Record(items) => {
                let items = items.iter();
                Expr::Record(
                    items
                        .map(|(name, ty)| (*name, self.value(ty, depth)))
                        .collect(),
                )
            }
            other => panic!("{other:?} is not made"),
        }
    }

    /// A part of something that fits, and its type.
    pub(super) fn part(
        &mut self,
        fits: impl Fn(&Type) -> bool,
        depth: u32,
    ) -> Option<(Expr, Type)> {
        let (mut value, mut ty) = self.whole(depth)?;
        let mut before = Vec::new();
        if let (Expr::Block(body, view), Type::Struct(structure)) = (&value, &ty)
            && let Expr::View(_, variable) = **view
        {
            // What a pointer points to.
            let (variable, structure) = (variable, structure.clone());
            before = body.clone();
            let index = self.random.below(structure.members.len() as u64) as usize;
            value = Expr::Through(structure.clone(), variable, index);
            let by = self.random.below(structure.members.len() as u64) as usize;
            if self.chance(4) && structure.members[by].bits.is_none() {
                value = Expr::Contained {
                    structure: structure.clone(),
                    variable,
                    by,
                    member: index,
                };
            }
            ty = structure.members[index].ty.clone();
        }
        while !fits(&ty) {
            (value, ty) = match ty {
                Type::Struct(structure) => {
                    let index = self.random.below(structure.members.len() as u64) as usize;
                    let ty = structure.members[index].ty.clone();
                    (Expr::Member(boxed(value), structure, index), ty)
                }
                Type::Array(element, count) => {
                    let index = self.index(count, depth);
                    (Expr::Index(boxed(value), boxed(index)), *element)
                }
                Type::Tuple(items) => {
                    let index = self.random.below(items.len() as u64) as usize;
                    (Expr::Item(boxed(value), index), items[index].clone())
                }
                Type::Record(items) => {
                    let index = self.random.below(items.len() as u64) as usize;
                    let (name, ty) = items[index].clone();
                    (Expr::Named(boxed(value), name), ty)
                }
                _ => return None,
            };
        }
        Some(match before.is_empty() {
            true => (value, ty),
            false => (Expr::Block(before, boxed(value)), ty),
        })
    }

    /// Something with parts.
    fn whole(&mut self, depth: u32) -> Option<(Expr, Type)> {
        match self.random.below(4) {
            0 => {
                let keeps =
                    |content: &Content| matches!(content, Content::Plain(ty) if is_composite(ty));
                let map = self.map(|map| keeps(&map.content))?;
                let Content::Plain(ty) = self.script.map(map).content.clone() else {
                    return None;
                };
                let element = Expr::Element(map, self.keys(map, depth));
                match (&ty, self.script.map(map).key.is_empty()) {
                    // `@m[0]` is another map's element.
                    (Type::Array(..), true) => Some((Expr::Block(Vec::new(), boxed(element)), ty)),
                    _ => Some((element, ty)),
                }
            }
            1 => {
                let ty = Type::Struct(self.any_structure()?);
                Some((self.made(&ty, depth.min(1)), ty))
            }
            _ => {
                let seen = self.variable(|seen| is_composite(&seen.ty))?;
                Some((Expr::Variable(seen.variable), seen.ty))
            }
        }
    }

    /// A place in an array, often computed.
    pub(super) fn index(&mut self, count: u32, depth: u32) -> Expr {
        match self.chance(2) {
            true => Expr::Number(self.random.below(count.into())),
            false => {
                let number = Expr::Cast(8, false, boxed(self.any_int(depth.min(1))));
                let count = Expr::Number(count.into());
                Expr::Binary(Binary::Mod, boxed(number), boxed(count))
            }
        }
    }
}

/// Whether a type has parts.
pub(super) fn is_composite(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Tuple(_) | Type::Record(_) | Type::Array(..) | Type::Struct(_)
    )
}

fn holds_text(structure: &Structure) -> bool {
    fn text(ty: &Type) -> bool {
        match ty {
            Type::Chars(_) => true,
            Type::Array(element, _) => text(element),
            Type::Struct(structure) => holds_text(structure),
            _ => false,
        }
    }
    structure.members.iter().any(|member| text(&member.ty))
}
