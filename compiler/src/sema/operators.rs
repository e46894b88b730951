//! Operators: what they take, what they give, and what they come to where all is constant.
//!
//! In come an operator and checked operands, out goes HIR or a diagnostic. Assignment is a statement.

use super::{Checker, MapContent, integers};
use crate::hir::{Base, Division, Expr, ExprKind, Place};
use crate::ir::{Arith, Condition};
use crate::types::Type;
use pfscript_grammar::ast::{self, BinaryOp, ExprKind as Ast, UnaryOp};
use pfscript_grammar::{Diagnostic, Span};
use pfscript_probes::abi::MAX_STRING_BYTES;

impl Checker<'_> {
    pub(super) fn unary(
        &mut self,
        op: UnaryOp,
        operand: &ast::Expr,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        match op {
            UnaryOp::Not => {
                let value = self.condition(operand)?;
                Ok(Expr {
                    kind: ExprKind::Not(Box::new(value)),
                    ty: Type::Bool,
                    span,
                })
            }
            UnaryOp::Neg => {
                let value = self.number(operand)?;
                let negative = match operand.kind {
                    // Of a literal that is too large for a signed number, the negative may be one.
                    Ast::Int(_) => integers::negated(value),
                    _ => integers::negative(value),
                };
                Ok(Expr { span, ..negative })
            }
            UnaryOp::BitNot => {
                let value = self.number(operand)?;
                Ok(integers::complement(value, span))
            }
            UnaryOp::Deref => {
                let value = self.expr(operand)?;
                let value = self.decayed(value);
                match value.ty {
                    Type::Pointer(target) => self.deref(value, target, span),
                    // An address that is a plain number, as `kaddr()` gives it, is that of a word.
                    Type::Int { .. } => {
                        let word = self.types.intern(Type::U64);
                        self.deref(value, word, span)
                    }
                    Type::Unknown => Ok(value),
                    other => Err(Diagnostic::error(
                        span,
                        format!("expected a pointer, found {}", self.types.describe(other)),
                    )
                    .help("cast it: `*(uint64 *)x`")),
                }
            }
            UnaryOp::AddressOf => self.address(operand, span),
        }
    }

    pub(super) fn step(
        &mut self,
        target: &ast::Expr,
        delta: i64,
        prefix: bool,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        match &target.kind {
            Ast::Variable(name) => {
                let value = self.variable(name, target.span)?;
                let ty = value.ty;
                if let (Type::Int { bytes: ..8, .. }, Some(var)) = (ty, self.scopes.open(name))
                    && self.vars[var].declared
                {
                    return Ok(self.declared_step(var, value, delta, prefix, span));
                }
                let delta = self.distance_of(Expr::int(delta, Type::I64, span), ty);
                match (value.kind, delta) {
                    (ExprKind::Load(place), Some(delta)) => {
                        self.note_sum(&place.base);
                        Ok(add(place, delta, prefix, ty, span))
                    }
                    _ => Err(Diagnostic::error(
                        span,
                        format!("`${name}` is {}, not a number", self.types.describe(ty)),
                    )),
                }
            }
            Ast::Map { name, keys } => {
                let (map, key) = self.map_element(name, keys.as_deref(), target.span)?;
                let counted = match *self.content(map) {
                    // Counted down, it may go below zero.
                    MapContent::Scalar(Type::Int { .. }) if delta < 0 => Type::I64,
                    _ => Expr::literal(0, span).ty,
                };
                self.store(map, MapContent::Scalar(counted), span)?;
                let delta = Expr::int(delta, Type::I64, span);
                let added = match *self.content(map) {
                    MapContent::Scalar(ty) => self.distance_of(delta, ty).map(|delta| (delta, ty)),
                    MapContent::Unknown | MapContent::Aggregate(..) => None,
                };
                let Some((delta, ty)) = added else {
                    return Err(Diagnostic::error(
                        span,
                        "only numbers and pointers can be incremented or decremented",
                    ));
                };
                let place = Place::whole(Base::Element { map, key }, ty);
                self.note_sum(&place.base);
                Ok(add(place, delta, prefix, ty, span))
            }
            _ => Err(Diagnostic::error(
                target.span,
                "only variables (`$x`) and maps (`@x`) can be incremented or decremented",
            )),
        }
    }

    /// `left op right`, for all operators but `&&` and `||`.
    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        left: Expr,
        right: Expr,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let signed = integers::takes_signed(op, &left, &right);
        let comparison = condition(op, signed);
        if let Some(condition) = comparison
            && self.env.partial
            && (left.ty == Type::Unknown || right.ty == Type::Unknown)
        {
            // Of whatever type it is, the other may be too.
            return Ok(Expr {
                kind: ExprKind::Compare(condition, Box::new(left), Box::new(right)),
                ty: Type::Bool,
                span,
            });
        }
        if let (Type::Str { .. }, Type::Str { .. })
        | (Type::Buffer { .. }, Type::Buffer { .. })
        | (Type::Tuple(_), Type::Tuple(_))
        | (Type::Record(_), Type::Record(_))
        | (Type::Array { .. }, Type::Array { .. }) = (left.ty, right.ty)
        {
            return self.compare_bytes(op, (left, right), span);
        }
        if !(left.ty.is_condition() && right.ty.is_condition()) {
            let wrong = if left.ty.is_condition() {
                &right
            } else {
                &left
            };
            return Err(Diagnostic::error(
                wrong.span,
                format!(
                    "`{}` does not take {}",
                    op.symbol(),
                    self.types.describe(wrong.ty)
                ),
            ));
        }
        if let Some(condition) = comparison {
            self.warn_of_sign(&left, &right, span);
            return Ok(Expr {
                kind: ExprKind::Compare(condition, Box::new(left), Box::new(right)),
                ty: Type::Bool,
                span,
            });
        }
        if let (BinaryOp::Add | BinaryOp::Sub, Type::Pointer(pointee)) = (op, left.ty)
            && right.ty.is_number()
        {
            return Ok(self.offset_pointer(op, left, right, pointee, span));
        }
        if let (BinaryOp::Add, Type::Pointer(pointee)) = (op, right.ty)
            && left.ty.is_number()
        {
            return Ok(self.offset_pointer(op, right, left, pointee, span));
        }
        let ty = integers::result(op, &left, &right);
        // A shift has the sign of what is shifted.
        let signed = match op {
            BinaryOp::Shr => ty.is_signed(),
            _ => signed,
        };
        let divides = matches!(op, BinaryOp::Div | BinaryOp::Mod);
        if let (Some(a), Some(b)) = (left.constant(), right.constant()) {
            if !divides || b != 0 {
                return Ok(Expr::int(fold(op, a, b, signed), ty, span));
            }
            if left.ty.is_literal() && right.ty.is_literal() {
                return Err(Diagnostic::error(span, "this divides by zero"));
            }
        }
        if divides {
            let division = Division {
                signed,
                rest: op == BinaryOp::Mod,
            };
            return Ok(Expr {
                kind: ExprKind::Divide(division, Box::new(left), Box::new(right)),
                ty,
                span,
            });
        }
        let arith = match (op, signed) {
            (BinaryOp::Add, _) => Arith::Add,
            (BinaryOp::Sub, _) => Arith::Sub,
            (BinaryOp::Mul, _) => Arith::Mul,
            (BinaryOp::BitAnd, _) => Arith::And,
            (BinaryOp::BitOr, _) => Arith::Or,
            (BinaryOp::BitXor, _) => Arith::Xor,
            (BinaryOp::Shl, _) => Arith::Shl,
            (BinaryOp::Shr, false) => Arith::LShr,
            (BinaryOp::Shr, true) => Arith::AShr,
            _ => {
                return Err(Diagnostic::error(
                    span,
                    format!("`{}` cannot be used here", op.symbol()),
                ));
            }
        };
        Ok(Expr {
            kind: ExprKind::Arith(arith, Box::new(left), Box::new(right)),
            ty,
            span,
        })
    }
}

impl Checker<'_> {
    /// `left == right` and `left != right` of what takes more than a register.
    pub(super) fn compare_bytes(
        &mut self,
        op: BinaryOp,
        (left, right): (Expr, Expr),
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let equal = match op {
            BinaryOp::Eq => true,
            BinaryOp::Ne => false,
            _ => {
                let what = self.types.describe(left.ty);
                let sign = op.symbol();
                let error = format!("{what} can be compared with `==` and `!=`, not `{sign}`");
                return Err(Diagnostic::error(span, error));
            }
        };
        let Some(ty) = self.types.join(left.ty, right.ty) else {
            let (left, right) = (self.types.describe(left.ty), self.types.describe(right.ty));
            let error = format!("{left} cannot be compared with {right} of another type");
            return Err(Diagnostic::error(span, error));
        };
        if self.types.size(ty) > MAX_STRING_BYTES {
            let error = format!("values of more than {MAX_STRING_BYTES} bytes cannot be compared");
            return Err(Diagnostic::error(span, error).help("compare the parts that you want"));
        }
        // Strings and buffers end where the shorter room does, or differ there; items of tuples stand at the same places.
        let fitted = |value: Expr| match value.ty {
            Type::Tuple(_) if value.ty != ty => Box::new(Expr {
                ty,
                span: value.span,
                kind: ExprKind::Block(Vec::new(), Some(Box::new(value))),
            }),
            _ => Box::new(value),
        };
        Ok(Expr {
            kind: ExprKind::CompareStr {
                equal,
                left: fitted(left),
                right: fitted(right),
            },
            ty: Type::Bool,
            span,
        })
    }
}

/// Adds to the number at a place; gives the number before, or after if `after`.
pub(super) fn add(place: Place, delta: Expr, after: bool, ty: Type, span: Span) -> Expr {
    Expr {
        kind: ExprKind::Add {
            place,
            delta: Box::new(delta),
            after,
        },
        ty,
        span,
    }
}

fn condition(op: BinaryOp, signed: bool) -> Option<Condition> {
    Some(match (op, signed) {
        (BinaryOp::Eq, _) => Condition::Eq,
        (BinaryOp::Ne, _) => Condition::Ne,
        (BinaryOp::Lt, true) => Condition::SLt,
        (BinaryOp::Lt, false) => Condition::ULt,
        (BinaryOp::Le, true) => Condition::SLe,
        (BinaryOp::Le, false) => Condition::ULe,
        (BinaryOp::Gt, true) => Condition::SGt,
        (BinaryOp::Gt, false) => Condition::UGt,
        (BinaryOp::Ge, true) => Condition::SGe,
        (BinaryOp::Ge, false) => Condition::UGe,
        _ => return None,
    })
}

/// Arithmetic on constants, as the kernel would do it. A divisor is not zero.
fn fold(op: BinaryOp, a: i64, b: i64, signed: bool) -> i64 {
    let shift = b as u32 & 63;
    match (op, signed) {
        (BinaryOp::Add, _) => a.wrapping_add(b),
        (BinaryOp::Sub, _) => a.wrapping_sub(b),
        (BinaryOp::Mul, _) => a.wrapping_mul(b),
        (BinaryOp::Div, true) => a.wrapping_div(b),
        (BinaryOp::Mod, true) => a.wrapping_rem(b),
        (BinaryOp::Div, false) => (a as u64 / b as u64) as i64,
        (BinaryOp::Mod, false) => (a as u64 % b as u64) as i64,
        (BinaryOp::BitAnd, _) => a & b,
        (BinaryOp::BitOr, _) => a | b,
        (BinaryOp::BitXor, _) => a ^ b,
        (BinaryOp::Shl, _) => a << shift,
        (BinaryOp::Shr, true) => a >> shift,
        (BinaryOp::Shr, false) => (a as u64 >> shift) as i64,
        _ => 0,
    }
}
