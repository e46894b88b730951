//! Casts: what can be cast to what, and what it comes to.
//!
//! In come a checked operand and a type, out goes an expression or a diagnostic. Names of types are resolved in `type_names`.

use super::Checker;
use super::integers::cut;
use super::measures::negative_literal_bytes;
use crate::hir::{Base, Expr, ExprKind, Place};
use crate::types::Type;
use pfscript_grammar::ast::{self, BinaryOp, TypeName};
use pfscript_grammar::{Diagnostic, Span};

impl Checker<'_> {
    /// `(type)operand`
    pub(super) fn cast(
        &mut self,
        name: &TypeName,
        operand: &ast::Expr,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        if let Some(count) = name.array {
            return self.cast_to_array(name, count, operand, span);
        }
        let ty = self.type_named(name)?;
        let value = self.expr(operand)?;
        let value = match (ty, value.ty) {
            // An array of an integer's size is seen as one.
            (Type::Int { bytes, .. }, Type::Array { .. })
                if self.types.c_size(value.ty) == Some(bytes) =>
            {
                return self.seen_as(value, ty, span);
            }
            // A string is true if it has characters.
            (Type::Bool, Type::Str { .. }) => {
                let empty = Expr::string(b"", span);
                return self.compare_bytes(BinaryOp::Ne, (value, empty), span);
            }
            (Type::Pointer(_), Type::Str { .. }) => {
                let array = self.characters(value);
                self.decayed(array)
            }
            _ => self.decayed(value),
        };
        if !value.ty.is_scalar() || matches!(value.ty, Type::Stack { .. }) {
            return Err(Diagnostic::error(
                operand.span,
                format!("{} cannot be cast", self.types.describe(value.ty)),
            ));
        }
        let kind = match (ty, value.constant()) {
            (Type::Int { bytes, signed, .. }, _) => cut(value, bytes, signed, span).kind,
            // A number has its own width there, without sign.
            (Type::Pointer(_), _)
                if let Type::Int {
                    bytes,
                    signed: true,
                    ..
                } = value.ty =>
            {
                let least = negative_literal_bytes(operand).or(value.literal_bytes());
                let bytes = least.unwrap_or(bytes);
                cut(value, bytes, false, span).kind
            }
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

    /// `(type[count])operand`: the bytes of a number or of a string, as the elements of an array; as many as there are where
    /// the count is left out.
    fn cast_to_array(
        &mut self,
        name: &TypeName,
        count: Option<u64>,
        operand: &ast::Expr,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let element = self.type_named(&TypeName {
            array: None,
            ..name.clone()
        })?;
        let size = match element {
            Type::Int { bytes, .. } => bytes,
            Type::Bool => 1,
            _ => {
                return Err(Diagnostic::unsupported(
                    name.span,
                    "casts to arrays of anything but integers and booleans",
                ));
            }
        };
        let value = self.expr(operand)?;
        let value = self.characters(value);
        // Of a literal, the characters that it is written with; its room is padded.
        let have = match (&value.kind, value.ty) {
            (ExprKind::Load(place), _) if let Some(length) = literal_length(place) => length,
            (_, Type::Int { bytes, .. }) => bytes,
            (_, Type::Bool) => 1,
            (_, Type::Pointer(_)) => 8,
            (_, Type::Array { .. }) => self.types.c_size(value.ty).unwrap_or(0),
            (_, Type::Unknown) => return Ok(value),
            (_, other) => {
                let what = self.types.describe(other);
                let error = format!("{what} cannot be cast to an array");
                return Err(Diagnostic::error(operand.span, error));
            }
        };
        let room = match value.ty.is_scalar() {
            true => 8,
            false => have,
        };
        let count = match count {
            Some(count) => u32::try_from(count).ok(),
            None => Some(have / size),
        };
        let Some(count) = count.filter(|count| count.saturating_mul(size) <= room) else {
            let error = format!("there are {have} bytes, which are no array of that size");
            return Err(Diagnostic::error(span, error)
                .help(format!("it can have at most {} elements", room / size)));
        };
        let element = self.types.intern(element);
        self.seen_as(value, Type::Array { element, count }, span)
    }

    /// A value's first bytes, as another type has them.
    fn seen_as(&mut self, value: Expr, ty: Type, span: Span) -> Result<Expr, Diagnostic> {
        let place = match value.kind {
            ExprKind::Load(place) if !value.ty.is_scalar() => place,
            _ => {
                let whole = value.ty;
                Place::whole(Base::Value(Box::new(value)), whole)
            }
        };
        self.load(place.part_in_c(0, ty), span)
    }
}

/// The characters of a string literal, with its terminator, if a place is one.
fn literal_length(place: &Place) -> Option<u32> {
    match &place.base {
        Base::Value(value) => match &value.kind {
            ExprKind::Str(bytes) => u32::try_from(bytes.len() + 1).ok(),
            _ => None,
        },
        _ => None,
    }
}
