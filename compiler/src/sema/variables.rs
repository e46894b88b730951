//! Variables: what declares, assigns and reads them, and what type that gives them.
//!
//! A variable without a declared type takes all that is assigned to it, if one type can hold that; a declared number keeps its width.
//! Which variable a name means is the scopes' matter.

use super::Checker;
use super::flow::Holder;
use super::integers::cut;
use super::stmt::not_a_value;
use crate::hir::{Base, Expr, ExprKind, Place, Stmt, Var, VarData};
use crate::ir::Arith;
use crate::types::Type;
use pfscript_grammar::ast;
use pfscript_grammar::{Diagnostic, Span};

impl Checker<'_> {
    /// `$x = value`
    pub(super) fn set(&self, var: Var, value: Expr) -> Stmt {
        let span = value.span;
        let place = Place::whole(Base::Var(var), self.vars[var].ty);
        Stmt::Assign { place, value, span }
    }

    pub(super) fn declare(
        &mut self,
        name: &pfscript_grammar::Spanned<String>,
        ty: Option<&ast::TypeName>,
        value: Option<&ast::Expr>,
        out: &mut Vec<Stmt>,
    ) -> Result<(), Diagnostic> {
        if self.scopes.is_local(&name.node) {
            return Err(Diagnostic::error(
                name.span,
                format!("`${}` is declared twice in this block", name.node),
            ));
        }
        let value = match value {
            Some(value) if self.aggregate(value)?.is_some() => return Err(not_a_value(value)),
            Some(value) => Some(self.printable(value)?),
            None => None,
        };
        let declared = match ty {
            Some(ty) => Some(match self.type_measured(ty) {
                Ok(whole @ (Type::Record(_) | Type::Array { .. })) => whole,
                _ => self.type_named(ty)?,
            }),
            None => None,
        };
        let value = value.map(|value| match declared {
            Some(declared) => as_declared(declared, value),
            None => value,
        });
        let ty = match (&declared, &value) {
            (Some(declared), Some(value)) => {
                self.types.join(*declared, value.ty).ok_or_else(|| {
                    Diagnostic::error(
                        value.span,
                        format!(
                            "`${}` is declared as {}, but the value is {}",
                            name.node,
                            self.types.describe(*declared),
                            self.types.describe(value.ty)
                        ),
                    )
                })?
            }
            (Some(declared), None) => *declared,
            (None, Some(value)) => value.ty,
            (None, None) => Type::Unknown,
        };
        let var = self.new_variable(&name.node, ty);
        // Whatever the slot held before, a declaration without value starts from zero.
        self.vars[var].zeroed = value.is_none();
        self.vars[var].declared = declared.is_some();
        if value.is_none() && self.repeated > 0 {
            out.push(Stmt::Clear(var));
        }
        if let Some(value) = value {
            self.note_assignment(&value, Holder::Var(self.action, var));
            out.push(self.set(var, value));
        }
        Ok(())
    }

    pub(super) fn new_variable(&mut self, name: &str, ty: Type) -> Var {
        let var = self.vars.next_key();
        let known = self
            .known_vars
            .get(var)
            .filter(|known| known.name[1..] == *name);
        let ty = match known {
            Some(known) => self.types.join(known.ty, ty).unwrap_or(ty),
            None => ty,
        };
        if known.is_none_or(|known| known.ty != ty) {
            self.env.changed = true;
        }
        self.vars.push(VarData {
            name: format!("${name}"),
            ty,
            zeroed: false,
            declared: false,
            home: self.loops.clone(),
        });
        self.scopes.bind(name, var);
        var
    }

    /// The variable that an assignment means: the nearest open block's, else one of a closed block with a fitting
    /// type, else a new one in this block.
    pub(super) fn assign_variable(
        &mut self,
        name: &str,
        value: &Expr,
        span: Span,
    ) -> Result<Var, Diagnostic> {
        if let Some(var) = self.scopes.open(name) {
            match self.types.join(self.vars[var].ty, value.ty) {
                Some(ty) => self.widen(var, ty),
                None => {
                    return Err(Diagnostic::error(
                        span,
                        format!(
                            "`${name}` is {}, but is assigned {} here",
                            self.types.describe(self.vars[var].ty),
                            self.types.describe(value.ty)
                        ),
                    )
                    .help("use another variable"));
                }
            }
            return Ok(var);
        }
        // The latest first. Many can only be of as many types, so there are few.
        for var in self.scopes.closed(name).to_vec().into_iter().rev() {
            if let Some(ty) = self.types.join(self.vars[var].ty, value.ty) {
                self.widen(var, ty);
                self.scopes.bind(name, var);
                return Ok(var);
            }
        }
        Ok(self.new_variable(name, value.ty))
    }

    fn widen(&mut self, var: Var, ty: Type) {
        self.used_here(var);
        if self.vars[var].ty != ty {
            self.vars[var].ty = ty;
        }
        if self.known_vars.get(var).is_none_or(|known| known.ty != ty) {
            self.env.changed = true;
        }
    }

    /// Notes that the loops around this place must get at a variable.
    fn used_here(&mut self, var: Var) {
        let home = &mut self.vars[var].home;
        let pairs = home.iter().zip(&self.loops);
        let common = pairs.take_while(|(a, b)| a == b).count();
        home.truncate(common);
    }

    /// A variable's value.
    pub(super) fn variable(&mut self, name: &str, span: Span) -> Result<Expr, Diagnostic> {
        let var = match self.scopes.open(name) {
            Some(var) => var,
            None => match *self.scopes.closed(name) {
                [var] => {
                    self.vars[var].zeroed = true;
                    var
                }
                [] => {
                    let mut names: Vec<String> =
                        self.scopes.names().map(|name| format!("${name}")).collect();
                    names.sort();
                    return Err(Diagnostic::error(
                        span,
                        format!("`${name}` is used but never assigned"),
                    )
                    .suggest(&format!("${name}"), names.iter().map(String::as_str)));
                }
                _ => {
                    return Err(Diagnostic::error(
                        span,
                        format!("`${name}` has different types in earlier blocks"),
                    )
                    .help("use a different variable for each type"));
                }
            },
        };
        self.used_here(var);
        let ty = self.vars[var].ty;
        Ok(Expr {
            kind: ExprKind::Load(Place::whole(Base::Var(var), ty)),
            ty,
            span,
        })
    }

    /// A value as the variable of that name holds it, if a `let` says its type.
    pub(super) fn as_declared(&self, name: &str, value: Expr) -> Expr {
        match self.scopes.open(name) {
            Some(var) if self.vars[var].declared => as_declared(self.vars[var].ty, value),
            _ => value,
        }
    }

    /// Adds to a declared number of less than 64 bits, which wraps; gives the value before, or after if `after`.
    pub(super) fn declared_step(
        &mut self,
        var: Var,
        value: Expr,
        delta: i64,
        after: bool,
        span: Span,
    ) -> Expr {
        let ty = value.ty;
        let moved = |value: Expr, delta: i64| {
            let delta = Expr::int(delta, Type::I64, span);
            let kind = ExprKind::Arith(Arith::Add, Box::new(value), Box::new(delta));
            as_declared(ty, Expr { kind, ty, span })
        };
        let step = self.set(var, moved(value.clone(), delta));
        // What it was before is what it is, one step back.
        let result = if after { value } else { moved(value, -delta) };
        Expr {
            kind: ExprKind::Block(vec![step], Some(Box::new(result))),
            ty,
            span,
        }
    }
}

/// A number as a variable of a declared type holds it: what its bits have no room for is cut, as in C.
fn as_declared(declared: Type, value: Expr) -> Expr {
    let span = value.span;
    match (declared, value.ty) {
        (Type::Int { bytes, signed, .. }, Type::Int { .. } | Type::Bool) => Expr {
            ty: declared,
            ..cut(value, bytes, signed, span)
        },
        _ => value,
    }
}
