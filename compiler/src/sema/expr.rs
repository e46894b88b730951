//! Expressions: names, calls, literals, conditions, and what a value may be used for.
//!
//! In come expressions of the syntax tree, out goes typed HIR. Operators, places and casts have files of their own; builtins
//! and functions are tables of the language.

use super::Checker;
use crate::hir::{Expr, ExprKind};
use crate::language;
use crate::language::builtins::Builtin;
use crate::language::functions::{self, Call};
use crate::language::later::{self, Kind};
use crate::types::Type;
use pfscript_grammar::ast::{self, BinaryOp, ExprKind as Ast};
use pfscript_grammar::{Diagnostic, Span};

impl Checker<'_> {
    /// Any expression that has a value.
    pub(crate) fn expr(&mut self, expr: &ast::Expr) -> Result<Expr, Diagnostic> {
        let span = expr.span;
        match &expr.kind {
            Ast::Int(value) => Ok(Expr::literal(*value, span)),
            Ast::Bool(value) => Ok(Expr::int(i64::from(*value), Type::Bool, span)),
            Ast::Str(bytes) => Ok(Expr::string(bytes, span)),
            Ast::Ident(name) => self.ident(name, span),
            Ast::Positional(number) => Ok(match self.positional(*number) {
                None => Expr::literal(0, span),
                Some(text) => match parse_integer(&text) {
                    Some(value) => Expr::literal(value, span),
                    None => Expr::string(text.as_bytes(), span),
                },
            }),
            Ast::PositionalCount => Ok(Expr::literal(self.options.positional.len() as u64, span)),
            Ast::Variable(name) => self.variable(name, span),
            Ast::Map { name, keys } => {
                let (map, key) = self.map_element(name, keys.as_deref(), span)?;
                self.element_value(map, key, span)
            }
            Ast::Call { name, args } => self.call(
                &Call {
                    name: &name.node,
                    args,
                    span,
                },
                name.span,
            ),
            Ast::Unary { op, operand } => self.unary(*op, operand, span),
            Ast::IncDec {
                target,
                increment,
                prefix,
            } => self.step(target, if *increment { 1 } else { -1 }, *prefix, span),
            Ast::Binary { op, left, right } => match op {
                BinaryOp::And | BinaryOp::Or => {
                    let left = Box::new(self.condition(left)?);
                    let right = Box::new(self.condition(right)?);
                    Ok(Expr {
                        kind: match op {
                            BinaryOp::And => ExprKind::And(left, right),
                            _ => ExprKind::Or(left, right),
                        },
                        ty: Type::Bool,
                        span,
                    })
                }
                _ => {
                    let left = self.expr(left)?;
                    let right = self.expr(right)?;
                    self.binary(*op, left, right, span)
                }
            },
            Ast::Ternary {
                condition,
                then,
                otherwise,
            } => {
                let condition = Box::new(self.condition(condition)?);
                let then = self.storable(then)?;
                let otherwise = self.storable(otherwise)?;
                let Some(ty) = self.types.join(then.ty, otherwise.ty) else {
                    return Err(Diagnostic::error(
                        span,
                        format!(
                            "the two values have different types: {} and {}",
                            self.types.describe(then.ty),
                            self.types.describe(otherwise.ty)
                        ),
                    ));
                };
                let choice = Expr {
                    kind: ExprKind::Ternary(condition, Box::new(then), Box::new(otherwise)),
                    ty,
                    span,
                };
                self.referred(choice)
            }
            Ast::Field { base, name, .. } => self.field(base, name, span),
            Ast::TupleField { base, index } => self.tuple_field(base, index, span),
            Ast::Index { base, index } => self.index(base, index, span),
            Ast::Cast { ty, operand } => self.cast(ty, operand, span),
            Ast::Tuple(items) => {
                let items = items
                    .iter()
                    .map(|item| self.printable(item))
                    .collect::<Result<Vec<_>, _>>()?;
                let types: Vec<Type> = items.iter().map(|item| item.ty).collect();
                let ty = self.types.tuple(&types);
                Ok(Expr {
                    kind: ExprKind::Tuple(items),
                    ty,
                    span,
                })
            }
            Ast::Unsupported(node) => Err(Diagnostic::unsupported(node.span, node.what)),
        }
    }

    /// A value that a variable can keep.
    pub(crate) fn storable(&mut self, expr: &ast::Expr) -> Result<Expr, Diagnostic> {
        let value = self.something(expr)?;
        self.kept(value)
    }

    /// A value that a map or a record can hold, and that can be printed.
    pub(crate) fn printable(&mut self, expr: &ast::Expr) -> Result<Expr, Diagnostic> {
        let value = self.something(expr)?;
        match value.ty {
            Type::Record(_) => Err(Diagnostic::unsupported(
                expr.span,
                "whole structures as values",
            )
            .help("name the field that you want")),
            Type::Array { .. } => Err(Diagnostic::unsupported(expr.span, "whole arrays as values")
                .help("name the element that you want")),
            _ => Ok(value),
        }
    }

    /// Any value, but not none.
    fn something(&mut self, expr: &ast::Expr) -> Result<Expr, Diagnostic> {
        let value = self.expr(expr)?;
        match value.ty {
            Type::Void => Err(Diagnostic::error(expr.span, "this has no value")),
            _ => Ok(value),
        }
    }

    /// A number.
    pub(crate) fn number(&mut self, expr: &ast::Expr) -> Result<Expr, Diagnostic> {
        let value = self.expr(expr)?;
        if value.ty.is_number() || matches!(value.ty, Type::Pointer(_)) {
            return Ok(value);
        }
        Err(Diagnostic::error(
            expr.span,
            format!("expected a number, found {}", self.types.describe(value.ty)),
        ))
    }

    /// A value that is compared with zero.
    pub(super) fn condition(&mut self, expr: &ast::Expr) -> Result<Expr, Diagnostic> {
        let value = self.expr(expr)?;
        if value.ty.is_condition() {
            return Ok(value);
        }
        let error = Diagnostic::error(
            expr.span,
            format!(
                "expected a condition, found {}",
                self.types.describe(value.ty)
            ),
        );
        Err(match value.ty {
            Type::Str { .. } => error.help("compare it with a string: `comm == \"bash\"`"),
            _ => error,
        })
    }

    fn ident(&mut self, name: &str, span: Span) -> Result<Expr, Diagnostic> {
        if let Some(builtin) = Builtin::named(name) {
            return (builtin.check)(self, span);
        }
        if let Some(error) = later::diagnostic(name, &[Kind::Builtin], span) {
            return Err(error);
        }
        if let Some(value) = self.facts.btf().and_then(|btf| btf.enumerator(name)) {
            return Ok(Expr::int(value, Type::I64, span));
        }
        if let Some(error) = later::diagnostic(name, &[Kind::Function], span) {
            return Err(error);
        }
        let error = Diagnostic::error(span, format!("unknown name `{name}`"));
        if functions::named(name).is_some() {
            return Err(error.help(format!("it is a function: write `{name}()`")));
        }
        Err(error.suggest(name, language::names()))
    }

    fn call(&mut self, call: &Call<'_>, name_span: Span) -> Result<Expr, Diagnostic> {
        if let Some(rows) = functions::named(call.name) {
            let row = functions::choose(rows, call)?;
            return functions::value(self, row, call);
        }
        let builtin = Builtin::named(call.name);
        if builtin.is_some() && call.args.is_empty() {
            return self.ident(call.name, call.span);
        }
        if let Some(error) =
            later::diagnostic(call.name, &[Kind::Function, Kind::Builtin], name_span)
        {
            return Err(error);
        }
        if builtin.is_some() {
            return Err(Diagnostic::error(
                call.span,
                format!("`{}` takes no arguments", call.name),
            ));
        }
        Err(
            Diagnostic::error(name_span, format!("unknown function `{}`", call.name))
                .suggest(call.name, language::function_names()),
        )
    }
}

/// A positional parameter that is a number: decimal, hexadecimal, or negative.
fn parse_integer(text: &str) -> Option<u64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let value = match digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    Some(if negative {
        value.wrapping_neg()
    } else {
        value
    })
}
