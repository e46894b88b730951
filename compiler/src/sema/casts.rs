//! Casts: what can be cast to what, and what it comes to.
//!
//! In come a checked operand and a type, out goes an expression or a diagnostic. Names of types are resolved in `type_names`.

use super::Checker;
use crate::hir::{Expr, ExprKind};
use crate::ir::Width;
use crate::types::Type;
use pfscript_grammar::ast::{self, TypeName};
use pfscript_grammar::{Diagnostic, Span};

impl Checker<'_> {
    /// `(type)operand`
    pub(super) fn cast(
        &mut self,
        name: &TypeName,
        operand: &ast::Expr,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let ty = self.type_named(name)?;
        let value = self.expr(operand)?;
        let value = self.decayed(value)?;
        if !value.ty.is_scalar() || matches!(value.ty, Type::Stack { .. }) {
            return Err(Diagnostic::error(
                operand.span,
                format!("{} cannot be cast", self.types.describe(value.ty)),
            ));
        }
        let kind = match (ty, value.constant()) {
            (Type::Int { bytes, signed, .. }, Some(constant)) => {
                ExprKind::Int(extend(constant, bytes, signed))
            }
            (Type::Int { bytes, signed, .. }, None) => match Width::of(bytes) {
                Some(width @ (Width::W8 | Width::W16 | Width::W32)) => ExprKind::Extend {
                    width,
                    signed,
                    value: Box::new(value),
                },
                // All the bits that there are.
                Some(Width::W64) | None => value.kind,
            },
            (Type::Bool, _) => ExprKind::Not(Box::new(Expr {
                kind: ExprKind::Not(Box::new(value)),
                ty: Type::Bool,
                span,
            })),
            (Type::Str { .. }, _) => {
                return Err(
                    Diagnostic::error(span, "a number cannot be cast to a string")
                        .help("read a string with `str(pointer)`"),
                );
            }
            _ => value.kind,
        };
        Ok(Expr { kind, ty, span })
    }
}

/// A constant as an integer type of `bytes` bytes holds it.
fn extend(value: i64, bytes: u32, signed: bool) -> i64 {
    let shift = 64 - bytes * 8;
    if signed {
        value << shift >> shift
    } else {
        ((value as u64) << shift >> shift) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_cut_and_extended_as_c_does() {
        assert_eq!(extend(-1, 4, false), 0xffff_ffff);
        assert_eq!(extend(0x80, 1, true), -128);
        assert_eq!(extend(-1, 8, false), -1);
    }
}
