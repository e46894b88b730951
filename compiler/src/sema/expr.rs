//! Expressions.

use super::{Checker, MapContent};
use crate::hir::{Argument, Expr, ExprKind};
use crate::ir::{Arith, Condition};
use crate::language;
use crate::language::builtins::{self, Builtin};
use crate::language::functions::{self, Call};
use crate::language::later::{self, Kind};
use crate::types::{Pointee, Type};
use pfscript_grammar::ast::{self, BinaryOp, ExprKind as Ast, UnaryOp};
use pfscript_grammar::{Diagnostic, Span};

impl Checker<'_> {
    /// Any expression that has a value.
    pub(crate) fn expr(&mut self, expr: &ast::Expr) -> Result<Expr, Diagnostic> {
        let span = expr.span;
        match &expr.kind {
            Ast::Int(value) => Ok(integer(*value, span)),
            Ast::Bool(value) => Ok(Expr::int(i64::from(*value), Type::Bool, span)),
            Ast::Str(bytes) => Ok(builtins::string(bytes, span)),
            Ast::Ident(name) => self.ident(name, span),
            Ast::Positional(number) => Ok(match self.positional(*number) {
                None => integer(0, span),
                Some(text) => match parse_integer(&text) {
                    Some(value) => Expr {
                        span,
                        ..integer(value, span)
                    },
                    None => builtins::string(text.as_bytes(), span),
                },
            }),
            Ast::PositionalCount => Ok(integer(self.options.positional.len() as u64, span)),
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
                let ty = then.ty.join(&otherwise.ty).ok_or_else(|| {
                    Diagnostic::error(
                        span,
                        format!(
                            "the two values differ in type: {} and {}",
                            then.ty.describe(),
                            otherwise.ty.describe()
                        ),
                    )
                })?;
                Ok(Expr {
                    kind: ExprKind::Ternary(condition, Box::new(then), Box::new(otherwise)),
                    ty,
                    span,
                })
            }
            Ast::Field { base, name, arrow } => self.field(base, name, *arrow, span),
            Ast::TupleField { base, index } => {
                let tuple = self.expr(base)?;
                match &tuple.ty {
                    Type::Tuple(items) => {
                        let at = index.node as usize;
                        let Some(ty) = items.get(at).cloned() else {
                            return Err(Diagnostic::error(
                                index.span,
                                format!("the tuple has {} fields, counted from 0", items.len()),
                            ));
                        };
                        let offset = items[..at].iter().map(Type::size).sum();
                        Ok(Expr {
                            kind: ExprKind::TupleField {
                                tuple: Box::new(tuple),
                                offset,
                            },
                            ty,
                            span,
                        })
                    }
                    Type::Unknown => Ok(Expr {
                        ty: Type::Unknown,
                        ..tuple
                    }),
                    other => Err(Diagnostic::error(
                        span,
                        format!("{} has no numbered fields", other.describe()),
                    )),
                }
            }
            Ast::Index { base, index } => self.index(base, index, span),
            Ast::Cast { ty, operand } => self.cast(ty, operand, span),
            Ast::Tuple(items) => {
                let items = items
                    .iter()
                    .map(|item| self.printable(item))
                    .collect::<Result<Vec<_>, _>>()?;
                let ty = Type::Tuple(items.iter().map(|item| item.ty.clone()).collect());
                Ok(Expr {
                    kind: ExprKind::Tuple(items),
                    ty,
                    span,
                })
            }
            Ast::Unsupported(node) => Err(Diagnostic::unsupported(node.span, node.what)),
        }
    }

    /// A value that a map, a variable or a record can hold.
    pub(crate) fn storable(&mut self, expr: &ast::Expr) -> Result<Expr, Diagnostic> {
        let value = self.expr(expr)?;
        match value.ty {
            Type::Void => Err(Diagnostic::error(expr.span, "this gives no value")),
            _ => Ok(value),
        }
    }

    /// A value that can be printed.
    pub(crate) fn printable(&mut self, expr: &ast::Expr) -> Result<Expr, Diagnostic> {
        let value = self.storable(expr)?;
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

    /// A number.
    pub(crate) fn number(&mut self, expr: &ast::Expr) -> Result<Expr, Diagnostic> {
        let value = self.expr(expr)?;
        if value.ty.is_number() || matches!(value.ty, Type::Pointer(_)) {
            return Ok(value);
        }
        Err(Diagnostic::error(
            expr.span,
            format!("expected a number, found {}", value.ty.describe()),
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
            format!("expected a condition, found {}", value.ty.describe()),
        );
        Err(match value.ty {
            Type::Str { .. } => error.help("compare it with a string: `comm == \"bash\"`"),
            _ => error,
        })
    }

    fn ident(&mut self, name: &str, span: Span) -> Result<Expr, Diagnostic> {
        if let Some(builtin) = Builtin::named(name) {
            self.used_expansion |= builtin.differs_by_attach_point();
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

    fn unary(&mut self, op: UnaryOp, operand: &ast::Expr, span: Span) -> Result<Expr, Diagnostic> {
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
                Ok(Expr {
                    span,
                    ..self.negated(value)
                })
            }
            UnaryOp::BitNot => {
                let value = self.number(operand)?;
                let ones = Expr::int(-1, Type::I64, span);
                self.binary(BinaryOp::BitXor, value, ones, span)
            }
            UnaryOp::Deref => {
                let value = self.expr(operand)?;
                match value.ty.clone() {
                    Type::Pointer(pointee)
                    | Type::Array {
                        element: pointee, ..
                    } => self.read_pointee(value, &pointee, span),
                    // An address that is a plain number, as `kaddr()` gives it, is that of a word.
                    Type::Int { .. } => {
                        let word = Pointee::Int {
                            bytes: 8,
                            signed: false,
                        };
                        self.read_pointee(value, &word, span)
                    }
                    Type::Unknown => Ok(value),
                    other => Err(Diagnostic::error(
                        span,
                        format!("expected a pointer, found {}", other.describe()),
                    )
                    .help("cast it: `*(uint64 *)x`")),
                }
            }
            UnaryOp::AddressOf => {
                let value = self.expr(operand)?;
                match value {
                    // What is read has an address; what is not read yet is one.
                    Expr {
                        kind: ExprKind::Read { address, .. } | ExprKind::ReadString { address, .. },
                        ..
                    } => Ok(Expr {
                        ty: Type::Pointer(Pointee::Void),
                        span,
                        ..*address
                    }),
                    Expr {
                        ty: Type::Record(id),
                        kind,
                        ..
                    } => Ok(Expr {
                        kind,
                        ty: Type::Pointer(Pointee::Btf(id)),
                        span,
                    }),
                    _ => Err(Diagnostic::unsupported(
                        span,
                        "addresses of anything but fields",
                    )),
                }
            }
        }
    }

    /// `-value`
    pub(super) fn negated(&self, value: Expr) -> Expr {
        let span = value.span;
        if let ExprKind::Int(constant) = value.kind {
            return Expr::int(constant.wrapping_neg(), Type::I64, span);
        }
        Expr {
            kind: ExprKind::Arith(
                Arith::Sub,
                Box::new(Expr::int(0, Type::I64, span)),
                Box::new(value),
            ),
            ty: Type::I64,
            span,
        }
    }

    fn step(
        &mut self,
        target: &ast::Expr,
        delta: i64,
        prefix: bool,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        match &target.kind {
            Ast::Variable(name) => {
                let value = self.variable(name, target.span)?;
                let ExprKind::Var(var) = value.kind else {
                    return Ok(value);
                };
                if !value.ty.is_number() {
                    return Err(Diagnostic::error(
                        span,
                        format!("`${name}` is {}, not a number", value.ty.describe()),
                    ));
                }
                Ok(Expr {
                    kind: ExprKind::VarAdd {
                        var,
                        delta,
                        after: prefix,
                    },
                    ty: value.ty,
                    span,
                })
            }
            Ast::Map { name, keys } => {
                let (map, key) = self.map_element(name, keys.as_deref(), target.span)?;
                self.store(map, MapContent::Scalar(integer(0, span).ty), span)?;
                let ty = match self.content(map) {
                    MapContent::Scalar(ty) if ty.is_number() => ty.clone(),
                    _ => {
                        return Err(Diagnostic::error(
                            span,
                            "only numbers can be counted up or down",
                        ));
                    }
                };
                Ok(Expr {
                    kind: ExprKind::MapAdd {
                        map,
                        key,
                        delta: Box::new(Expr::int(delta, Type::I64, span)),
                        after: prefix,
                    },
                    ty,
                    span,
                })
            }
            _ => Err(Diagnostic::error(
                target.span,
                "only variables (`$x`) and maps (`@x`) can be counted up or down",
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
        let comparison = condition(op, left.ty.is_signed() && right.ty.is_signed());
        if let (Type::Str { .. }, Type::Str { .. }) = (&left.ty, &right.ty) {
            let equal = match op {
                BinaryOp::Eq => true,
                BinaryOp::Ne => false,
                _ => {
                    return Err(Diagnostic::error(
                        span,
                        format!(
                            "strings can be compared with `==` and `!=`, not `{}`",
                            op.symbol()
                        ),
                    ));
                }
            };
            return Ok(Expr {
                kind: ExprKind::CompareStr {
                    equal,
                    left: Box::new(left),
                    right: Box::new(right),
                },
                ty: Type::Bool,
                span,
            });
        }
        if !(left.ty.is_condition() && right.ty.is_condition()) {
            let wrong = if left.ty.is_condition() {
                &right
            } else {
                &left
            };
            return Err(Diagnostic::error(
                wrong.span,
                format!("`{}` does not take {}", op.symbol(), wrong.ty.describe()),
            ));
        }
        if let Some(condition) = comparison {
            return Ok(Expr {
                kind: ExprKind::Compare(condition, Box::new(left), Box::new(right)),
                ty: Type::Bool,
                span,
            });
        }
        if let (BinaryOp::Add | BinaryOp::Sub, Type::Pointer(pointee)) = (op, &left.ty)
            && right.ty.is_number()
        {
            let pointee = pointee.clone();
            return Ok(self.offset_pointer(op, left, right, &pointee, span));
        }
        let signed = left.ty.is_signed() && right.ty.is_signed();
        let ty = match (&left.ty, &right.ty) {
            (Type::Int { literal: true, .. }, Type::Int { literal: true, .. }) => left.ty.clone(),
            _ => Type::int(8, signed),
        };
        // A shift's result has the type of what is shifted.
        let signed = match op {
            BinaryOp::Shr => left.ty.is_signed(),
            _ => signed,
        };
        if let (Some(a), Some(b)) = (left.constant(), right.constant()) {
            return Ok(Expr::int(fold(op, a, b, signed), ty, span));
        }
        let arith = match (op, signed) {
            (BinaryOp::Add, _) => Arith::Add,
            (BinaryOp::Sub, _) => Arith::Sub,
            (BinaryOp::Mul, _) => Arith::Mul,
            (BinaryOp::Div, false) => Arith::UDiv,
            (BinaryOp::Mod, false) => Arith::UMod,
            (BinaryOp::BitAnd, _) => Arith::And,
            (BinaryOp::BitOr, _) => Arith::Or,
            (BinaryOp::BitXor, _) => Arith::Xor,
            (BinaryOp::Shl, _) => Arith::Shl,
            (BinaryOp::Shr, false) => Arith::LShr,
            (BinaryOp::Shr, true) => Arith::AShr,
            (BinaryOp::Div | BinaryOp::Mod, true) => {
                let routine = if op == BinaryOp::Div {
                    "pf_sdiv"
                } else {
                    "pf_smod"
                };
                return Ok(Expr {
                    kind: ExprKind::Routine {
                        routine,
                        args: vec![Argument::Value(left), Argument::Value(right)],
                    },
                    ty,
                    span,
                });
            }
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

/// An integer literal.
fn integer(value: u64, span: Span) -> Expr {
    let ty = match i64::try_from(value) {
        Ok(_) => Type::Int {
            bytes: 8,
            signed: true,
            literal: true,
        },
        Err(_) => Type::U64,
    };
    Expr::int(value as i64, ty, span)
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

/// Arithmetic on constants, as the kernel would do it: division by zero gives 0, its remainder the dividend.
fn fold(op: BinaryOp, a: i64, b: i64, signed: bool) -> i64 {
    let shift = b as u32 & 63;
    match (op, signed) {
        (BinaryOp::Add, _) => a.wrapping_add(b),
        (BinaryOp::Sub, _) => a.wrapping_sub(b),
        (BinaryOp::Mul, _) => a.wrapping_mul(b),
        (BinaryOp::Div, true) => {
            if b == 0 {
                0
            } else {
                a.wrapping_div(b)
            }
        }
        (BinaryOp::Mod, true) => {
            if b == 0 {
                a
            } else {
                a.wrapping_rem(b)
            }
        }
        (BinaryOp::Div, false) => (a as u64).checked_div(b as u64).unwrap_or(0) as i64,
        (BinaryOp::Mod, false) => (a as u64).checked_rem(b as u64).unwrap_or(a as u64) as i64,
        (BinaryOp::BitAnd, _) => a & b,
        (BinaryOp::BitOr, _) => a | b,
        (BinaryOp::BitXor, _) => a ^ b,
        (BinaryOp::Shl, _) => a << shift,
        (BinaryOp::Shr, true) => a >> shift,
        (BinaryOp::Shr, false) => (a as u64 >> shift) as i64,
        _ => 0,
    }
}
