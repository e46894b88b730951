//! `sizeof` and `offsetof`: numbers that are known when a script is compiled.
//!
//! In come types and expressions, which are checked and not evaluated, out go constants.

use super::Checker;
use super::extents::Extent;
use super::type_names::string_named;
use crate::hir::Expr;
use crate::language::builtins::Builtin;
use crate::types::Type;
use pfscript_grammar::ast::{self, ExprKind as Ast, Measured, TypeName, UnaryOp};
use pfscript_grammar::{Diagnostic, Span, Spanned};

/// What `sizeof` and its kin look at.
pub(super) enum Look {
    Type(Type),
    Value(Expr),
}

/// The size of the least integer type that holds a literal with a minus in front.
pub(super) fn negative_literal_bytes(value: &ast::Expr) -> Option<u32> {
    let Ast::Unary {
        op: UnaryOp::Neg,
        operand,
    } = &value.kind
    else {
        return None;
    };
    let Ast::Int(number) = operand.kind else {
        return None;
    };
    let holds = |bytes: &u32| i128::from(number) <= 1i128 << (8 * bytes - 1);
    Some([1, 2, 4].into_iter().find(holds).unwrap_or(8))
}

impl Checker<'_> {
    /// `sizeof(type)`, `sizeof(x)`: in bytes, as C has it; of a string its room, of a tuple what it takes, of a literal the
    /// least that holds it.
    pub(super) fn size_of(&mut self, of: &Measured, span: Span) -> Result<Expr, Diagnostic> {
        self.env.extents.wanted = true;
        if let Measured::Value(value) = of
            && let Some(bytes) = negative_literal_bytes(value)
        {
            return Ok(Expr::int(bytes.into(), Type::U64, span));
        }
        let extent = match self.measured(of)? {
            Look::Type(ty) => Extent::of(&self.types, ty),
            Look::Value(value) => self.extent(&value),
        };
        Ok(Expr::int(extent.size().into(), Type::U64, span))
    }

    /// `offsetof(type, member.member)`: in bytes.
    pub(super) fn offset_of(
        &mut self,
        of: &Measured,
        path: &[Spanned<String>],
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let mut ty = self.type_of(of)?;
        let mut bytes = 0;
        for name in path {
            let Type::Record(record) = ty else {
                let message = format!("{} has no fields", self.types.describe(ty));
                return Err(Diagnostic::error(name.span, message));
            };
            let field = self.field_of(record, name, span)?;
            if field.bits.is_some() {
                let message = format!("`{}` is a bit field, which has no address", name.node);
                return Err(Diagnostic::error(name.span, message));
            }
            bytes += field.bit_offset / 8;
            ty = field.ty.unwrap_or(Type::Void);
        }
        Ok(Expr::int(bytes.into(), Type::U64, span))
    }

    /// What is looked at.
    pub(super) fn measured(&mut self, of: &Measured) -> Result<Look, Diagnostic> {
        Ok(match of {
            Measured::Type(name) if self.is_value(name) => {
                Look::Value(self.ident(&name.name, name.span)?)
            }
            Measured::Type(name) => Look::Type(self.type_measured(name)?),
            Measured::Value(value) => Look::Value(self.expr(value)?),
        })
    }

    /// `typeof(x)`
    pub(super) fn type_of(&mut self, of: &Measured) -> Result<Type, Diagnostic> {
        Ok(match self.measured(of)? {
            Look::Type(ty) => ty,
            Look::Value(value) => value.ty,
        })
    }

    /// Whether what looks like the name of a type is that of a builtin or an enumerator.
    fn is_value(&mut self, name: &TypeName) -> bool {
        let bare =
            name.tag.is_none() && name.of.is_none() && name.pointers == 0 && name.array.is_none();
        let enumerator = |this: &mut Self| {
            let btf = this.facts.btf();
            btf.is_some_and(|btf| this.types.enumerator(btf, &name.name).is_some())
        };
        bare && (Builtin::named(&name.name).is_some() || enumerator(self))
    }

    pub(super) fn type_measured(&mut self, name: &TypeName) -> Result<Type, Diagnostic> {
        if let Some(string) = string_named(name) {
            return Ok(string);
        }
        let mut ty = self.target_named(name)?;
        for _ in 0..name.pointers {
            ty = self.types.pointer_to(ty);
        }
        if let Some(count) = name.array {
            let element = self.types.intern(ty);
            let count = u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX);
            ty = Type::Array { element, count };
        }
        if ty == Type::Void && name.name != "void" && name.of.is_none() {
            let message = format!("`{}` is declared, but its members are not known", name.name);
            return Err(Diagnostic::error(name.span, message));
        }
        Ok(ty)
    }
}
