//! `sizeof` and `offsetof`: numbers that are known when a script is compiled.
//!
//! In come types and expressions, which are checked and not evaluated, out go constants.

use super::Checker;
use crate::hir::Expr;
use crate::types::Type;
use pfscript_grammar::ast::{Measured, TypeName};
use pfscript_grammar::{Diagnostic, Span, Spanned};

impl Checker<'_> {
    /// `sizeof(type)`, `sizeof(x)`: in bytes, as C has it; of a string its room, of a tuple what it takes.
    pub(super) fn size_of(&mut self, of: &Measured, span: Span) -> Result<Expr, Diagnostic> {
        let ty = self.measured(of)?;
        let bytes = self.types.c_size(ty).unwrap_or(self.types.size(ty));
        Ok(Expr::int(bytes.into(), Type::U64, span))
    }

    /// `offsetof(type, member.member)`: in bytes.
    pub(super) fn offset_of(
        &mut self,
        of: &Measured,
        path: &[Spanned<String>],
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let mut ty = self.measured(of)?;
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

    /// The type that is looked at.
    fn measured(&mut self, of: &Measured) -> Result<Type, Diagnostic> {
        match of {
            Measured::Type(name) => self.type_measured(name),
            Measured::Value(value) => Ok(self.expr(value)?.ty),
        }
    }

    fn type_measured(&mut self, name: &TypeName) -> Result<Type, Diagnostic> {
        // What looks like the name of a type may be an enumerator's.
        if name.tag.is_none()
            && name.pointers == 0
            && name.array.is_none()
            && let Some(btf) = self.facts.btf()
            && let Some((_, ty)) = self.types.enumerator(btf, &name.name)
        {
            return Ok(ty);
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
        if ty == Type::Void && name.name != "void" {
            let message = format!("`{}` is declared, but its members are not known", name.name);
            return Err(Diagnostic::error(name.span, message));
        }
        Ok(ty)
    }
}
