//! What is known when a script is compiled, what is declared with its width, and pointers to variables.

use super::expressions::boxed;
use super::{Generator, WIDTHS};
use crate::programs::ast::{Binary, Content, Expr, I64, Stmt, Type};
use crate::programs::memory::shape;

impl Generator {
    /// A type that C has.
    fn measured(&mut self) -> Type {
        match self.random.below(3) {
            0 => Type::Int {
                bytes: self.random.one_of(&WIDTHS),
                signed: self.chance(2),
            },
            _ => self.structure_or_number(),
        }
    }

    /// A number that is known when the script is compiled, and what it is.
    fn known(&mut self) -> (Expr, u64) {
        match self.random.below(4) {
            0 => {
                let ty = self.measured();
                let size = shape(&ty).0;
                (Expr::SizeOfType(ty), size.into())
            }
            1 => match self.variable(|seen| {
                matches!(
                    seen.ty,
                    Type::Int { .. } | Type::Struct(_) | Type::Array(..)
                )
            }) {
                Some(seen) => {
                    let size = shape(&seen.ty).0;
                    let of = match seen.ty == I64 && !seen.fixed && !seen.declared {
                        // It is not evaluated.
                        true => Expr::Step {
                            variable: seen.variable,
                            up: true,
                            prefix: true,
                        },
                        false => Expr::Variable(seen.variable),
                    };
                    (Expr::SizeOf(boxed(of), size), size.into())
                }
                None => {
                    let ty = self.measured();
                    let size = shape(&ty).0;
                    (Expr::SizeOfType(ty), size.into())
                }
            },
            _ => {
                let structure = match self.structure_or_number() {
                    Type::Struct(structure) => structure,
                    _ => return (Expr::SizeOfType(I64), 8),
                };
                let index = self.random.below(structure.members.len() as u64) as usize;
                match structure.members[index].bits {
                    None => {
                        let at = structure.laid().offsets[index] / 8;
                        (Expr::OffsetOf(structure, index), at.into())
                    }
                    Some(_) => (Expr::SizeOfType(I64), 8),
                }
            }
        }
    }

    pub(super) fn constant(&mut self) -> Expr {
        self.known().0
    }

    /// What a value is: known when the script is compiled.
    pub(super) fn kind(&mut self) -> Option<Expr> {
        let plain = |ty: &Type| {
            matches!(
                ty,
                Type::Int { .. } | Type::Text | Type::Array(..) | Type::Struct(_)
            )
        };
        if self.chance(4) {
            return Some(Expr::Is("literal", boxed(self.word())));
        }
        let seen = self.variable(|seen| plain(&seen.ty))?;
        let kinds = ["integer", "unsigned_integer", "str", "array", "ptr"];
        let of = Expr::Variable(seen.variable);
        Some(Expr::Is(self.random.one_of(&kinds), boxed(of)))
    }

    /// A condition that is known when the script is compiled.
    pub(super) fn comptime(&mut self, depth: u32) -> Stmt {
        let (number, value) = self.known();
        let holds = self.chance(2);
        let other = value + u64::from(!holds) * (1 + self.random.below(3));
        let condition = Expr::Binary(Binary::Eq, boxed(number), boxed(Expr::Number(other)));
        let body = self.body(depth);
        Stmt::Comptime(condition, holds, body)
    }

    /// A variable with a width.
    pub(super) fn declaration(&mut self) -> Stmt {
        let int = |ty: &Type| matches!(ty, Type::Int { .. });
        let like = self.variable(|seen| int(&seen.ty) && !seen.fixed);
        let (bytes, signed, like) = match like {
            Some(seen) if self.chance(2) => match seen.ty {
                Type::Int { bytes, signed } => (bytes, signed, Some(seen.variable)),
                other => panic!("{other:?} is no integer"),
            },
            _ => (self.random.one_of(&WIDTHS), self.chance(2), None),
        };
        let value = (!self.chance(4)).then(|| self.any_int(2));
        let variable = self.fresh(Type::Int { bytes, signed }, false);
        let seen = self.seen.last_mut().expect("it is fresh");
        seen.declared = true;
        Stmt::Declare(variable, (bytes, signed), like, value)
    }

    /// A pointer to a variable.
    pub(super) fn pointer(&mut self) -> Option<Stmt> {
        let seen = self.variable(|seen| seen.ty == I64 && !seen.fixed && !seen.declared)?;
        let pointer = self.fresh(Type::Pointer, true);
        Some(Stmt::Let(pointer, Expr::Address(seen.variable)))
    }

    /// An integer through a pointer.
    pub(super) fn pointed(&mut self, depth: u32) -> Option<Expr> {
        if self.chance(2)
            && let Some(seen) = self.variable(|seen| seen.ty == Type::Pointer)
        {
            let mark = self.random.one_of(&["", "", "kptr", "uptr"]);
            return Some(Expr::Star(mark, seen.variable));
        }
        match self.random.below(3) {
            0 => {
                let seen = self.variable(|seen| matches!(seen.ty, Type::Int { .. }))?;
                Some(Expr::Behind(seen.variable))
            }
            1 => {
                let map = self.map(|map| map.content == Content::Plain(I64))?;
                Some(Expr::BehindElement(map, self.keys(map, depth)))
            }
            _ => {
                let words = |items: &[Type]| items.iter().all(|item| *item == I64);
                let seen = self.variable(|seen| match &seen.ty {
                    Type::Tuple(items) => words(items),
                    Type::Array(..) | Type::Struct(_) => true,
                    ty => *ty == I64 && !seen.declared,
                })?;
                let size = match &seen.ty {
                    Type::Tuple(items) => 8 * items.len() as u32,
                    ty => shape(ty).0,
                };
                let bytes = self.random.one_of(&WIDTHS);
                if bytes > size {
                    return None;
                }
                let at = self.index(size / bytes, depth);
                Some(Expr::Within {
                    variable: seen.variable,
                    bytes,
                    signed: self.chance(2),
                    at: boxed(at),
                    indexed: self.chance(2),
                })
            }
        }
    }
}
