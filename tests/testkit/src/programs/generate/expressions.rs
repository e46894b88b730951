//! Expressions of programs.

use super::structures::is_composite;
use super::{ARITHMETIC, COMPARISONS, Generator, WIDTHS};
use crate::programs::ast::Binary;
use crate::programs::ast::{Content, Expr, I64, Map, Stmt, Type, Unary};
use crate::programs::memory::shape;

/// Whether an expression is written with literals alone, so that it is worked out when the script is compiled.
fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) => true,
        Expr::Unary(_, of) => is_literal(of),
        Expr::Binary(_, a, b) => is_literal(a) && is_literal(b),
        Expr::Macro(..) | Expr::Parameter(_) => true,
        Expr::SizeOfType(_) | Expr::SizeOf(..) | Expr::OffsetOf(..) | Expr::Is(..) => true,
        Expr::Option(_) | Expr::NoParameter(_) => true,
        _ => false,
    }
}

pub(super) fn boxed(expr: Expr) -> Box<Expr> {
    Box::new(expr)
}

impl Generator {
    /// An expression of a type.
    pub(super) fn value(&mut self, ty: &Type, depth: u32) -> Expr {
        if self.params.is_some()
            && self.chance(2)
            && let Some(given) = self.parameter(|known| known == ty)
        {
            return given;
        }
        if depth > 0 && self.chance(3) {
            let fits = self.variable(|seen| seen.ty == *ty);
            if let Some(seen) = fits {
                return Expr::Variable(seen.variable);
            }
        }
        match ty {
            Type::Int { bytes, signed } => {
                let value = self.any_int(depth);
                Expr::Cast(*bytes, *signed, boxed(value))
            }
            Type::Bool => self.condition_of_type_bool(depth),
            Type::Text => self.text(depth),
            Type::Struct(_) | Type::Array(..) | Type::Record(_) => self.composite(ty, depth),
            Type::Chars(_) => panic!("text is a string outside of structures"),
            Type::Pointer => panic!("pointers are in variables"),
            Type::Tuple(items) => Expr::Tuple(
                items
                    .iter()
                    .map(|item| self.value(item, depth.saturating_sub(1)))
                    .collect(),
            ),
        }
    }

    /// `if` and `&&` take integers too.
    pub(super) fn condition(&mut self, depth: u32) -> Expr {
        match self.chance(5) {
            true => self.any_int(depth),
            false => self.condition_of_type_bool(depth),
        }
    }

    pub(super) fn condition_of_type_bool(&mut self, depth: u32) -> Expr {
        if depth == 0 {
            return Expr::Bool(self.chance(2));
        }
        let depth = depth - 1;
        match self.random.below(12) {
            9 if self.chance(3) => self.fact(),
            9 => self.kind().unwrap_or(Expr::Bool(true)),
            10 => {
                let seen = self.variable(|seen| !seen.fixed && !seen.declared);
                let found = seen.and_then(|seen| {
                    let content = Content::Plain(seen.ty.clone());
                    let map = self.map(|map| !map.key.is_empty() && map.content == content)?;
                    Some(Expr::Find(map, self.keys(map, depth), seen.variable))
                });
                found.unwrap_or(Expr::Bool(false))
            }
            11 if self.chance(3) => {
                let number = self.random.below(5000) as i64 - 10;
                let number = Expr::Unary(Unary::Minus, boxed(Expr::Number(number.unsigned_abs())));
                match self.chance(2) {
                    true => Expr::IsErr(boxed(number)),
                    false => Expr::IsErr(boxed(self.any_int(depth))),
                }
            }
            0 => Expr::Unary(Unary::Not, boxed(self.condition(depth))),
            1 | 2 => Expr::Logical(
                self.chance(2),
                boxed(self.condition(depth)),
                boxed(self.condition(depth)),
            ),
            3 => {
                let op = self.random.one_of(&COMPARISONS[..2]);
                Expr::Binary(op, boxed(self.text(depth)), boxed(self.text(depth)))
            }
            4 => Expr::Strcontains(boxed(self.text(depth)), boxed(self.text(depth))),
            5 => match self.map(|map| !map.key.is_empty()) {
                Some(map) => Expr::HasKey(map, self.keys(map, depth)),
                None => Expr::Bool(true),
            },
            6 => match self.variable(|seen| is_composite(&seen.ty)) {
                Some(seen) => {
                    let op = self.random.one_of(&COMPARISONS[..2]);
                    let other = self.value(&seen.ty, depth);
                    Expr::Binary(op, boxed(Expr::Variable(seen.variable)), boxed(other))
                }
                None => Expr::Bool(false),
            },
            _ => {
                let op = self.random.one_of(&COMPARISONS);
                Expr::Binary(op, boxed(self.any_int(depth)), boxed(self.any_int(depth)))
            }
        }
    }

    pub(super) fn number(&mut self) -> Expr {
        match self.random.number() {
            number @ 0.. => Expr::Number(number as u64),
            number => Expr::Unary(
                Unary::Minus,
                boxed(Expr::Number(number.unsigned_abs() & i64::MAX as u64)),
            ),
        }
    }

    /// A number behind statements of its own.
    fn block(&mut self, depth: u32) -> Expr {
        let seen = self.seen.len();
        let value = self.value(&I64, depth);
        let mut body = vec![Stmt::Let(self.fresh(I64, false), value)];
        if self.ordered && !self.repeated && self.chance(4) {
            body.extend(self.within_block());
        }
        let value = Expr::Cast(8, true, boxed(self.any_int(depth)));
        self.seen.truncate(seen);
        Expr::Block(body, boxed(value))
    }

    /// An integer of any size.
    pub(super) fn any_int(&mut self, depth: u32) -> Expr {
        if self.params.is_some()
            && self.chance(2)
            && let Some(given) = self.parameter(|ty| matches!(ty, Type::Int { .. }))
        {
            return given;
        }
        if depth == 0 {
            let known = self.variable(|seen| matches!(seen.ty, Type::Int { .. }));
            return match known {
                Some(seen) if self.chance(2) => Expr::Variable(seen.variable),
                _ => self.number(),
            };
        }
        let depth = depth - 1;
        match self.random.below(27) {
            21 => match self.variable(|seen| seen.ty == Type::Text) {
                Some(seen) => {
                    let index = self.index(7, depth);
                    Expr::Index(boxed(Expr::Variable(seen.variable)), boxed(index))
                }
                _ => self.number(),
            },
            18..=20 => {
                let part = self.part(|ty| matches!(ty, Type::Int { .. }), depth);
                part.map_or_else(|| self.number(), |(part, _)| part)
            }
            0 => Expr::Unary(Unary::Minus, boxed(self.any_int(depth))),
            1 => Expr::Unary(Unary::Complement, boxed(self.any_int(depth))),
            2 => Expr::Cast(
                self.random.one_of(&WIDTHS),
                self.chance(2),
                boxed(self.any_int(depth)),
            ),
            3 => Expr::Cast(8, self.chance(2), boxed(self.condition_of_type_bool(depth))),
            4 => {
                let value = |this: &mut Self| boxed(this.value(&I64, depth));
                match self.random.below(3) {
                    0 => Expr::Elvis(value(self), value(self)),
                    1 => {
                        let when = boxed(self.condition(depth));
                        let (a, b) = (self.block(depth), self.block(depth));
                        Expr::If(when, boxed(a), boxed(b))
                    }
                    _ => Expr::Choice(boxed(self.condition(depth)), value(self), value(self)),
                }
            }
            5 => match self.variable(|seen| seen.ty == I64 && !seen.fixed) {
                Some(seen) => Expr::Step {
                    variable: seen.variable,
                    up: self.chance(2),
                    prefix: self.chance(2),
                },
                None => self.number(),
            },
            6 => Expr::Strlen(boxed(self.text(depth))),
            7 => Expr::Strncmp(
                boxed(self.text(depth)),
                boxed(self.text(depth)),
                match self.chance(4) {
                    true => self.random.below(40),
                    false => self.random.below(6),
                },
            ),
            24 => self.of_strings(depth),
            8 => {
                let bytes = self.random.one_of(&WIDTHS);
                let value = Expr::Cast(bytes, self.chance(2), boxed(self.any_int(depth)));
                Expr::Bswap(boxed(value))
            }
            9 => match self.map(|map| map.content == Content::Plain(I64)) {
                Some(map) => Expr::Element(map, self.keys(map, depth)),
                None => self.number(),
            },
            10 if self.features.loops => {
                let gathers = |map: &Map| matches!(map.content, Content::Gathered(function, _) if function != "stats");
                match self.map(gathers) {
                    Some(map) => {
                        let keys = self.keys(map, depth);
                        Expr::Cast(8, true, boxed(Expr::Element(map, keys)))
                    }
                    None => self.number(),
                }
            }
            11 => {
                let array = |ty: &Type| matches!(ty, Type::Array(element, _) if matches!(**element, Type::Int { .. }) && shape(ty).0.is_power_of_two() && shape(ty).0 <= 8);
                match self.part(array, depth) {
                    Some((array, ty)) => Expr::Cast(shape(&ty).0, self.chance(2), boxed(array)),
                    None => self.number(),
                }
            }
            13 if self.features.loops => match self.map(|map| !map.key.is_empty()) {
                Some(map) => Expr::Len(map),
                None => self.number(),
            },
            14 => self.block(depth),
            12 | 22 => match self.called() {
                Some(called) => called,
                None => self.number(),
            },
            15 => match self.pointed(depth) {
                Some(pointed) => pointed,
                None => self.number(),
            },
            16 => self.constant(),
            17 => match self.variable(|seen| matches!(seen.ty, Type::Int { .. })) {
                Some(seen) => match seen.ty {
                    Type::Int { bytes, signed } => {
                        let of = boxed(self.any_int(depth));
                        Expr::Like(seen.variable, bytes, signed, of)
                    }
                    other => panic!("{other:?} is no integer"),
                },
                None => self.number(),
            },
            23 if self.chance(3) => match self.chance(2) {
                true => Expr::Option(boxed(Expr::Number(self.random.below(9)))),
                false => Expr::NoParameter(self.random.one_of(&["$#", "$1"])),
            },
            _ => {
                let op = self.random.one_of(&ARITHMETIC);
                let (left, mut right) = (self.any_int(depth), self.any_int(depth));
                // A division of literals by zero is an error.
                if matches!(op, Binary::Div | Binary::Mod) && is_literal(&right) {
                    right = Expr::Number(1 + self.random.below(9));
                }
                Expr::Binary(op, boxed(left), boxed(right))
            }
        }
    }
}
