//! What prints.

use super::Generator;
use super::expressions::boxed;
use crate::programs::ast::{Conversion, Expr, Stmt, Type};

impl Generator {
    pub(super) fn conversion(&mut self) -> Conversion {
        let kinds = ['d', 'u', 'x', 'X', 'o', 'c', 's', 's', 'i', 'r'];
        let kind = self.random.one_of(&kinds);
        let number = !matches!(kind, 's' | 'c' | 'r');
        let signed = kind == 'd' || kind == 'i';
        let based = matches!(kind, 'x' | 'X' | 'o');
        let left = self.chance(3);
        let precise = !matches!(kind, 'c' | 'r') && self.chance(4);
        let lengths = match number {
            true => &["", "", "", "hh", "h", "l", "ll"][..],
            false if kind == 'r' => &["", "x", "h"],
            false => &[""],
        };
        Conversion {
            left,
            zero: number && !left && self.chance(3),
            plus: signed && self.chance(4),
            blank: signed && self.chance(4),
            other: based && self.chance(3),
            width: self.random.below(12) as usize,
            precision: precise.then(|| self.random.below(6) as usize),
            length: self.random.one_of(lengths),
            kind,
        }
    }

    pub(super) fn print(&mut self) -> Stmt {
        if !self.prints() {
            // What several intervals print comes in any order.
            let value = self.any_int(2);
            return Stmt::Discard(value);
        }
        if self.chance(20) {
            return self.printed_name();
        }
        if self.chance(12) {
            return Stmt::Print(self.buffer());
        }
        if self.chance(2) {
            let ty = self.any_type();
            return Stmt::Print(match ty {
                // A bare map would be printed as one.
                Type::Int { .. } => match self.any_int(3) {
                    Expr::Element(map, keys) if keys.is_empty() => {
                        Expr::Cast(8, true, boxed(Expr::Element(map, keys)))
                    }
                    other => other,
                },
                _ => match self.value(&ty, 3) {
                    Expr::Element(map, keys) if keys.is_empty() => {
                        Expr::Block(Vec::new(), boxed(Expr::Element(map, keys)))
                    }
                    other => other,
                },
            });
        }
        let count = 1 + self.random.below(4);
        let mut bytes = false;
        let parts = (0..count).map(|_| {
            let conversion = self.conversion();
            let kind = conversion.kind;
            let value = match kind {
                'c' => Expr::Number(b'a' as u64 + self.random.below(26)),
                'r' => self.buffer(),
                // The precision is of text alone.
                's' if conversion.precision.is_some() => self.text(2),
                's' => {
                    let ty = self.any_type();
                    self.value(&ty, 2)
                }
                _ => self.any_int(2),
            };
            let text = match bytes {
                // `%rx` is another conversion.
                true => " ",
                false => self.random.one_of(&["", " ", "x=", ": "]),
            };
            bytes = kind == 'r';
            let text = text.to_owned();
            (text, conversion, value)
        });
        Stmt::Printf(parts.collect())
    }
}
