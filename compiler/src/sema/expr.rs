//! Expressions: names, calls, literals, conditions, and what a value may be used for.
//!
//! In come expressions of the syntax tree, out goes typed HIR. Operators, places and casts have files of their own; builtins
//! and functions are tables of the language.

use super::Checker;
use crate::hir::{Expr, ExprKind};
use crate::language;
use crate::language::builtins::Builtin;
use crate::language::constants;
use crate::language::functions::{self, Call};
use crate::language::later::{self, Kind};
use crate::types::Type;
use pfscript_grammar::ast::{self, BinaryOp, ExprKind as Ast};
use pfscript_grammar::{Diagnostic, Span};
use std::sync::Arc;

/// The most tuples that may be within each other.
const MAX_TUPLE_DEPTH: u32 = 16;
/// The most bytes that a tuple, a structure or an array may take: what all slots of a program have together.
const MAX_VALUE_BYTES: u32 = 32 << 10;

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
                    Some(value) if text.starts_with('-') => {
                        Expr::int(value as i64, Type::I64, span)
                    }
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
            Ast::Call { name, args } => self.call(&Call {
                name: &name.node,
                args,
                span,
                written: name.span,
            }),
            Ast::Unary { op, operand } => self.unary(*op, operand, span),
            Ast::IncDec {
                target,
                increment,
                prefix,
            } => self.step(target, if *increment { 1 } else { -1 }, *prefix, span),
            Ast::Binary { first, rest } => self.operators(first, rest, span),
            Ast::Ternary {
                condition,
                then,
                otherwise,
            } => {
                let Some(then) = then else {
                    return self.value_or(condition, otherwise, span);
                };
                match self.holds_always(condition)? {
                    Some(true) => return self.expr(then),
                    Some(false) => return self.expr(otherwise),
                    None => {}
                }
                let condition = self.condition(condition)?;
                let then = self.expr(then)?;
                let otherwise = self.expr(otherwise)?;
                self.choose(condition, then, otherwise, span)
            }
            Ast::Block { body, value } => self.block_value(body, value.as_deref(), span),
            Ast::If { arms, otherwise } => self.if_value(arms, otherwise.as_deref(), span),
            Ast::Field { base, name, .. } => self.field(base, name, span),
            Ast::TupleField { base, index } => self.tuple_field(base, index, span),
            Ast::Index { base, index } => self.index(base, index, span),
            Ast::Cast { ty, operand } => self.cast(ty, operand, span),
            Ast::Comptime(value) => self.comptime(value, span),
            Ast::TypeOf(ty) => Err(Diagnostic::error(ty.span, "a type is no value").help(
                "`typeof` stands in casts, in `let`, in `sizeof`, `typeinfo` and `offsetof`, and as the argument of a macro",
            )),
            Ast::SizeOf(of) => self.size_of(of, span),
            Ast::TypeInfo(of) => self.type_info(of, span),
            Ast::OffsetOf { of, path } => self.offset_of(of, path, span),
            Ast::Tuple(items) => self.tuple(items.iter(), &[], span),
            Ast::Record(fields) => {
                let names: Vec<Arc<str>> = (fields.iter())
                    .map(|(name, _)| name.node.as_str().into())
                    .collect();
                self.tuple(fields.iter().map(|(_, value)| value), &names, span)
            }
            Ast::Unsupported(node) => Err(Diagnostic::unsupported(node.span, node.what)),
        }
    }

    /// `comptime x`
    pub(super) fn comptime(&mut self, value: &ast::Expr, span: Span) -> Result<Expr, Diagnostic> {
        let value = self.expr(value)?;
        match (&value.kind, value.known()) {
            (_, Some(known)) => Ok(Expr::int(known, value.ty, span)),
            _ if value.is_written() => Ok(value),
            // Another pass will know more.
            (_, None) if value.ty == Type::Unknown => Ok(value),
            (_, None) => Err(not_known(value.span)),
        }
    }

    /// Whether a condition that is `comptime` holds; none for others. What it leaves out is not even looked at, and neither is
    /// what follows a condition that holds.
    pub(super) fn holds_always(
        &mut self,
        condition: &ast::Expr,
    ) -> Result<Option<bool>, Diagnostic> {
        let Ast::Comptime(known) = &condition.kind else {
            return Ok(None);
        };
        let known = self.comptime(known, condition.span)?;
        Ok(Some(known.known() != Some(0)))
    }

    /// `(a, b)`, `(a = 1, b = 2)`
    fn tuple<'e>(
        &mut self,
        items: impl Iterator<Item = &'e ast::Expr>,
        names: &[Arc<str>],
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let items = items
            .map(|item| self.printable(item))
            .collect::<Result<Vec<_>, _>>()?;
        let types: Vec<Type> = items.iter().map(|item| item.ty).collect();
        let ty = self.tuple_type(&types, names, span)?;
        Ok(Expr {
            kind: ExprKind::Tuple(items),
            ty,
            span,
        })
    }

    /// The type of a tuple of these items.
    ///
    /// # Errors
    /// If no map or variable could hold it. What is stored in itself, such as `@a = (1, @a)`, grows until it is refused.
    pub(crate) fn tuple_type(
        &mut self,
        items: &[Type],
        names: &[Arc<str>],
        span: Span,
    ) -> Result<Type, Diagnostic> {
        let ty = self.types.named_tuple(items, names);
        let error = if self.types.depth(ty) > MAX_TUPLE_DEPTH {
            format!("tuples can be at most {MAX_TUPLE_DEPTH} deep within each other")
        } else if self.types.size(ty) > MAX_VALUE_BYTES {
            format!("this tuple takes more than {MAX_VALUE_BYTES} bytes")
        } else {
            return Ok(ty);
        };
        let help = "does it hold a variable or map that it is assigned to?";
        Err(Diagnostic::error(span, error).help(help))
    }

    /// A row of operators of one precedence, from left to right.
    fn operators(
        &mut self,
        first: &ast::Expr,
        rest: &[(BinaryOp, ast::Expr)],
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        // Each of these two is a precedence of its own.
        if let Some((op @ (BinaryOp::And | BinaryOp::Or), _)) = rest.first() {
            let operands = std::iter::once(first).chain(rest.iter().map(|(_, operand)| operand));
            let conditions = operands
                .map(|operand| self.condition(operand))
                .collect::<Result<Vec<_>, _>>()?;
            return Ok(Expr {
                kind: match op {
                    BinaryOp::And => ExprKind::And(conditions),
                    _ => ExprKind::Or(conditions),
                },
                ty: Type::Bool,
                span,
            });
        }
        let mut left = self.expr(first)?;
        for (op, right) in rest {
            let right = self.expr(right)?;
            let so_far = Span {
                start: span.start,
                end: right.span.end,
            };
            left = match parameter_from(first, *op, &left, &right) {
                Some(rest) => Expr::string(rest, so_far),
                None => self.binary(*op, left, right, so_far)?,
            };
        }
        // Parentheses at the end belong to the place.
        left.span = span;
        Ok(left)
    }

    /// A value that a variable, a map or a record can hold, and that can be printed. Of a structure, all members are known.
    pub(crate) fn printable(&mut self, expr: &ast::Expr) -> Result<Expr, Diagnostic> {
        let value = self.something(expr)?;
        if let Type::Record(_) | Type::Array { .. } = value.ty {
            if self.types.size(value.ty) > MAX_VALUE_BYTES {
                let what = self.types.describe(value.ty);
                let error = format!("{what} of more than {MAX_VALUE_BYTES} bytes is no value");
                return Err(
                    Diagnostic::error(expr.span, error).help("name the part of it that you want")
                );
            }
            if let Some(btf) = self.facts.btf() {
                self.types.complete(btf, value.ty);
            }
        }
        Ok(value)
    }

    /// Any value, but not none.
    fn something(&mut self, expr: &ast::Expr) -> Result<Expr, Diagnostic> {
        let value = self.expr(expr)?;
        match value.ty {
            Type::Void => Err(match &expr.kind {
                Ast::Call { name, .. } => {
                    let message = format!("`{}` returns no value", name.node);
                    Diagnostic::error(expr.span, message).help("write it as a separate statement")
                }
                _ => Diagnostic::error(expr.span, "this has no value"),
            }),
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
        // `(comm = "x")` is a record with one field, which is no condition.
        if let Ast::Record(_) = &expr.kind {
            return Err(
                Diagnostic::error(expr.span, "`=` is not allowed in a condition")
                    .help("compare with `==`"),
            );
        }
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

    pub(super) fn ident(&mut self, name: &str, span: Span) -> Result<Expr, Diagnostic> {
        if let Some(builtin) = Builtin::named(name) {
            return (builtin.check)(self, span);
        }
        if let Some(error) = later::diagnostic(name, &[Kind::Builtin], span) {
            return Err(error);
        }
        let btf = self.facts.btf();
        let enumerator = btf.and_then(|btf| self.types.enumerator(btf, name));
        let constant = || Some((constants::named(name, self.facts.arch())?, Type::I64));
        if let Some((value, ty)) = enumerator.or_else(constant) {
            return Ok(Expr::int(value, ty, span));
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

    fn call(&mut self, call: &Call<'_>) -> Result<Expr, Diagnostic> {
        // Of a call in the body of a macro, errors are shown where the macro is called.
        let name_span = match call.span.contains(call.written) {
            true => call.written,
            false => call.span,
        };
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

/// What `$1 + 2` is where the parameter is a text: the text without its first two bytes.
fn parameter_from<'a>(
    first: &ast::Expr,
    op: BinaryOp,
    left: &'a Expr,
    right: &Expr,
) -> Option<&'a [u8]> {
    let (Ast::Positional(_), BinaryOp::Add, ExprKind::Str(text)) = (&first.kind, op, &left.kind)
    else {
        return None;
    };
    let skipped = usize::try_from(right.constant()?).ok()?;
    Some(text.get(skipped..).unwrap_or_default())
}

/// A positional parameter that is a number: decimal, hexadecimal, octal (`0775`), or negative.
pub(crate) fn parse_integer(text: &str) -> Option<u64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let value = match digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None if digits.len() > 1 && digits.starts_with('0') => {
            u64::from_str_radix(digits, 8).ok()?
        }
        None => digits.parse().ok()?,
    };
    Some(if negative {
        value.wrapping_neg()
    } else {
        value
    })
}

/// The answer to what must be known when the script is compiled.
pub(crate) fn not_known(span: Span) -> Diagnostic {
    Diagnostic::error(span, "this is not known before the script runs")
}
