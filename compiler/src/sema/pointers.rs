//! Arithmetic with pointers, which counts in elements of what they point to: `pointer + 1` is the next one.
//!
//! In come checked operands, out goes HIR, in bytes. What is not known to have a size, as what `void *` points to, has one byte.

use super::Checker;
use crate::hir::{Expr, ExprKind};
use crate::ir::Arith;
use crate::types::{Type, TypeId};
use pfscript_grammar::Span;
use pfscript_grammar::ast::BinaryOp;

impl Checker<'_> {
    /// `pointer + number` and `pointer - number`.
    pub(super) fn offset_pointer(
        &mut self,
        op: BinaryOp,
        pointer: Expr,
        number: Expr,
        target: TypeId,
        span: Span,
    ) -> Expr {
        let distance = self.in_bytes(number, target);
        let arith = match op {
            BinaryOp::Sub => Arith::Sub,
            _ => Arith::Add,
        };
        Expr {
            kind: ExprKind::Arith(arith, Box::new(pointer), Box::new(distance)),
            ty: Type::Pointer(target),
            span,
        }
    }

    /// A number that is added to what is of a type: of a pointer, as many elements. `None` if nothing can be added.
    pub(super) fn distance_of(&self, number: Expr, ty: Type) -> Option<Expr> {
        match ty {
            Type::Pointer(target) => Some(self.in_bytes(number, target)),
            ty => ty.is_number().then_some(number),
        }
    }

    /// So many elements.
    pub(super) fn in_bytes(&self, number: Expr, target: TypeId) -> Expr {
        let span = number.span;
        let size = self.types.c_size(self.types.get(target));
        let size = i64::from(size.unwrap_or(1));
        match number.constant() {
            Some(constant) => Expr::int(constant.wrapping_mul(size), Type::I64, span),
            None if size == 1 => number,
            None => Expr {
                kind: ExprKind::Arith(
                    Arith::Mul,
                    Box::new(number),
                    Box::new(Expr::int(size, Type::I64, span)),
                ),
                ty: Type::I64,
                span,
            },
        }
    }
}
