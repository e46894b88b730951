//! What an integer is: its width, its sign, and what operators make of them. `docs/language.md` says the same for users.
//!
//! In come checked operands, out come types, and values cut to their width. Values are 64 bits wide in registers, sign- or
//! zero-extended; results of two operands have 64 bits.

use super::Checker;
use crate::hir::{Expr, ExprKind};
use crate::ir::{Arith, Width};
use crate::types::Type;
use pfscript_grammar::ast::BinaryOp;
use pfscript_grammar::{Diagnostic, Span};

/// Whether an operator takes its operands as signed numbers: unless both are unsigned. A literal is what the other operand is,
/// but where it is negative; addresses are unsigned whatever they meet.
pub(super) fn takes_signed(op: BinaryOp, left: &Expr, right: &Expr) -> bool {
    if [left, right]
        .iter()
        .any(|operand| matches!(operand.ty, Type::Pointer(_) | Type::KernelSymbol))
    {
        return false;
    }
    let bitwise = matches!(op, BinaryOp::BitAnd | BinaryOp::BitOr | BinaryOp::BitXor);
    let adapts = |operand: &Expr| {
        operand.ty.is_literal() && (bitwise || operand.constant().is_some_and(|value| value >= 0))
    };
    let unsigned = |operand: &Expr| match operand.ty {
        Type::Int { signed, .. } => !signed,
        ty => ty == Type::Bool,
    };
    let both = unsigned(left) && (unsigned(right) || adapts(right));
    !(both || adapts(left) && unsigned(right))
}

/// The type of what an operator makes of two integers. A difference is signed, and a shift has the sign of what is shifted.
pub(super) fn result(op: BinaryOp, left: &Expr, right: &Expr) -> Type {
    if left.ty.is_literal() && right.ty.is_literal() {
        return left.ty;
    }
    match op {
        BinaryOp::Sub => Type::I64,
        BinaryOp::Shl | BinaryOp::Shr => Type::int(8, !is_unsigned(left.ty)),
        _ => Type::int(8, takes_signed(op, left, right)),
    }
}

fn is_unsigned(ty: Type) -> bool {
    matches!(
        ty,
        Type::Int { signed: false, .. } | Type::Pointer(_) | Type::KernelSymbol
    )
}

/// `-value`: of an unsigned number one of the same width, else a signed one of 64 bits.
pub(super) fn negative(value: Expr) -> Expr {
    let (ty, span) = (value.ty, value.span);
    let negated = negated(value);
    match ty {
        Type::Int {
            bytes,
            signed: false,
            ..
        } => cut(negated, bytes, false, span),
        _ => negated,
    }
}

/// What is added to subtract a value: a signed number of 64 bits.
pub(super) fn negated(value: Expr) -> Expr {
    let span = value.span;
    if let ExprKind::Int(constant) = value.kind {
        return Expr::int(constant.wrapping_neg(), Type::I64, span);
    }
    let zero = Expr::int(0, Type::I64, span);
    Expr {
        kind: ExprKind::Arith(Arith::Sub, Box::new(zero), Box::new(value)),
        ty: Type::I64,
        span,
    }
}

/// `~value`: of an unsigned number one of the same width, of a literal one that is what it meets, else a signed one of 64 bits.
pub(super) fn complement(value: Expr, span: Span) -> Expr {
    let ty = value.ty;
    if let (true, Some(constant)) = (ty.is_literal(), value.constant()) {
        return Expr::int(!constant, ty, span);
    }
    let ones = Expr::int(-1, Type::I64, span);
    let flipped = match value.constant() {
        Some(constant) => Expr::int(!constant, Type::I64, span),
        None => Expr {
            kind: ExprKind::Arith(Arith::Xor, Box::new(value), Box::new(ones)),
            ty: Type::I64,
            span,
        },
    };
    match ty {
        Type::Int {
            bytes,
            signed: false,
            ..
        } => cut(flipped, bytes, false, span),
        _ => flipped,
    }
}

/// A value as an integer type of `bytes` bytes holds it.
pub(super) fn cut(value: Expr, bytes: u32, signed: bool, span: Span) -> Expr {
    let kind = match (value.constant(), Width::of(bytes)) {
        (Some(constant), _) => ExprKind::Int(cut_constant(constant, bytes, signed)),
        (None, Some(width @ (Width::W8 | Width::W16 | Width::W32))) => ExprKind::Extend {
            width,
            signed,
            value: Box::new(value),
        },
        // All the bits that there are.
        (None, Some(Width::W64) | None) => value.kind,
    };
    Expr {
        kind,
        ty: Type::int(bytes, signed),
        span,
    }
}

fn cut_constant(value: i64, bytes: u32, signed: bool) -> i64 {
    let shift = 64 - bytes * 8;
    if signed {
        value << shift >> shift
    } else {
        ((value as u64) << shift >> shift) as i64
    }
}

impl Checker<'_> {
    /// Warns of a narrow unsigned number that is compared with a negative one: it is above, whatever its bits are.
    pub(super) fn warn_of_sign(&mut self, left: &Expr, right: &Expr, span: Span) {
        let narrow = |operand: &Expr| match operand.ty {
            Type::Int {
                bytes: bytes @ ..8,
                signed: false,
                ..
            } => Some(bytes),
            _ => None,
        };
        let negative = |operand: &Expr| operand.constant().is_some_and(|value| value < 0);
        for (one, other) in [(left, right), (right, left)] {
            if let (Some(bytes), None, true) = (narrow(one), one.constant(), negative(other)) {
                let bits = bytes * 8;
                let message = format!("an unsigned number of {bits} bits is never negative");
                let warning = Diagnostic::warning(span, message);
                self.diagnostics
                    .push(warning.help(format!("to compare its bits: `(int{bits})x`")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_cut_and_extended_as_c_does() {
        assert_eq!(cut_constant(-1, 4, false), 0xffff_ffff);
        assert_eq!(cut_constant(0x80, 1, true), -128);
        assert_eq!(cut_constant(-1, 8, false), -1);
    }

    #[test]
    fn two_unsigned_numbers_are_taken_as_unsigned_and_all_others_as_signed() {
        let span = Span::default();
        let of = |ty| Expr::int(5, ty, span);
        let (u64, u32, i64) = (of(Type::U64), of(Type::U32), of(Type::I64));
        let five = Expr::literal(5, span);
        let minus = negated(five.clone());
        let signed = |left: &Expr, right: &Expr| takes_signed(BinaryOp::Lt, left, right);
        for (left, right, expected) in [
            (&u64, &u64, false),
            (&u64, &u32, false),
            (&u64, &five, false),
            (&five, &u32, false),
            (&u64, &i64, true),
            (&u64, &minus, true),
            (&i64, &five, true),
            (&five, &five, true),
        ] {
            assert_eq!(signed(left, right), expected, "{left:?} {right:?}");
            assert_eq!(signed(right, left), expected, "{right:?} {left:?}");
        }
        assert_eq!(result(BinaryOp::Sub, &u64, &u64), Type::I64);
        assert_eq!(result(BinaryOp::Mul, &u32, &u32), Type::U64);
    }
}
