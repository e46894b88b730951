//! Loops, and blocks and conditions that are values.
//!
//! In come statements and expressions of the syntax tree, out goes HIR. Which loops a variable is used in is noted here and
//! with the variable, so that lowering knows whose memory it is in.

use super::elements::value_of;
use super::{Checker, KeyUse, MapContent};
use crate::hir::{Expr, ExprKind, Iterated, Loop, Stmt};
use crate::types::Type;
use cranelift_entity::EntityRef;
use pfscript_grammar::ast::{self, ExprKind as Ast};
use pfscript_grammar::{Diagnostic, Span, Spanned};
use pfscript_probes::Feature;

/// The most times that a block is unrolled.
const MAX_UNROLLED: i64 = 100;

/// Conditions, and what is done or given where they hold.
type Arms<'a, T> = Vec<&'a (ast::Expr, T)>;

impl Checker<'_> {
    /// `while (condition) { … }`
    pub(super) fn while_loop(
        &mut self,
        condition: &ast::Expr,
        body: &ast::Block,
    ) -> Result<Stmt, Diagnostic> {
        let span = condition.span;
        self.need(Feature::Loop, span)?;
        let id = self.enter_loop();
        let condition = self.condition(condition);
        let condition = self.keep(condition);
        let body = self.block(body);
        self.leave_loop();
        Ok(Stmt::Loop {
            id,
            // A condition that was refused is an error, so there will be no object.
            over: Iterated::While(condition.unwrap_or(Expr::int(0, Type::Bool, span))),
            body,
            span,
        })
    }

    /// `for ($name : …) { … }`
    pub(super) fn for_loop(
        &mut self,
        name: &Spanned<String>,
        over: &ast::Iterated,
        body: &ast::Block,
    ) -> Result<Stmt, Diagnostic> {
        match over {
            ast::Iterated::Range(first, end) => {
                let span = name.span.to(end.span);
                self.need(Feature::Loop, span)?;
                let first = self.whole_number(first)?;
                let end = self.whole_number(end)?;
                let id = self.enter_loop();
                self.scopes.enter();
                let var = self.new_variable(&name.node, Type::I64);
                let body = self.statements(body);
                self.scopes.leave();
                self.leave_loop();
                let over = Iterated::Range { var, first, end };
                Ok(Stmt::Loop {
                    id,
                    over,
                    body,
                    span,
                })
            }
            ast::Iterated::Elements(map) => {
                let Ast::Map {
                    name: map_name,
                    keys: None,
                } = &map.kind
                else {
                    return Err(Diagnostic::error(
                        map.span,
                        "a `for` goes over a map or a range of numbers",
                    )
                    .help("such as `for ($kv : @map)` or `for ($i : 0..10)`"));
                };
                let span = name.span.to(map.span);
                self.need(Feature::ForEachMapElement, span)?;
                let index = self.map(map_name, KeyUse::Whole, map.span)?;
                let info = self.info(index);
                if self.is_without_key(index) {
                    let message = format!("`{}` has no keys to go over", info.name);
                    return Err(Diagnostic::error(map.span, message)
                        .help("a `for` goes over the elements of a map with keys"));
                }
                let key = info.key.clone();
                let value = match &info.value {
                    MapContent::Unknown => Type::Unknown,
                    MapContent::Scalar(ty) => *ty,
                    MapContent::Aggregate(aggregate, signed) => {
                        let (aggregate, signed) = (*aggregate, *signed);
                        value_of(&mut self.types, aggregate, signed).ok_or_else(|| {
                            let message =
                                format!("a `for` cannot go over a map of `{}()`", aggregate.name());
                            Diagnostic::error(map.span, message)
                                .help("histograms and time series are no values; print the map")
                        })?
                    }
                };
                let key = match key.as_deref() {
                    None => Type::Unknown,
                    Some([one]) => *one,
                    Some(many) => self.types.tuple(many),
                };
                let ty = match (key, value) {
                    (Type::Unknown, _) | (_, Type::Unknown) => Type::Unknown,
                    pair => self.types.tuple(&[pair.0, pair.1]),
                };
                let id = self.enter_loop();
                self.scopes.enter();
                let var = self.new_variable(&name.node, ty);
                let body = self.statements(body);
                self.scopes.leave();
                self.leave_loop();
                let over = Iterated::Elements {
                    map: index,
                    var,
                    ty,
                };
                Ok(Stmt::Loop {
                    id,
                    over,
                    body,
                    span,
                })
            }
        }
    }

    /// `unroll(count) { … }`
    pub(super) fn unroll(
        &mut self,
        count: &ast::Expr,
        body: &ast::Block,
    ) -> Result<Stmt, Diagnostic> {
        let times = self.number(count)?.constant();
        let times = match times {
            Some(times @ 1..=MAX_UNROLLED) => times as u32,
            _ => {
                let message = format!("expected a constant from 1 to {MAX_UNROLLED}");
                return Err(Diagnostic::error(count.span, message)
                    .help("for more, or for a number that is not known: `for ($i : 0..$n)`"));
            }
        };
        self.repeated += 1;
        let body = self.block(body);
        self.repeated -= 1;
        Ok(Stmt::Unroll { times, body })
    }

    /// Refuses what is only for loops elsewhere.
    pub(super) fn in_loop(&self, what: &str, span: Span) -> Result<(), Diagnostic> {
        match self.loops.is_empty() {
            false => Ok(()),
            true => Err(Diagnostic::error(
                span,
                format!("`{what}` is only for `while` and `for` loops"),
            )),
        }
    }

    /// `{ statement; … value }`
    pub(super) fn block_value(
        &mut self,
        body: &ast::Block,
        value: Option<&ast::Expr>,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        self.scopes.enter();
        let body = self.statements(body);
        let value = value.map(|value| self.expr(value)).transpose();
        self.scopes.leave();
        let value = value?;
        let ty = value.as_ref().map_or(Type::Void, |value| value.ty);
        let block = Expr {
            kind: ExprKind::Block(body, value.map(Box::new)),
            ty,
            span,
        };
        Ok(block)
    }

    /// The arms of an `if` that its `comptime` conditions leave, and what comes behind them. The rest is not even looked at.
    pub(super) fn open_arms<'a, T>(
        &mut self,
        arms: &'a [(ast::Expr, T)],
        otherwise: Option<&'a T>,
    ) -> Result<(Arms<'a, T>, Option<&'a T>), Diagnostic> {
        let mut open = Vec::with_capacity(arms.len());
        for arm in arms {
            match self.holds_always(&arm.0)? {
                Some(true) => return Ok((open, Some(&arm.1))),
                Some(false) => {}
                None => open.push(arm),
            }
        }
        Ok((open, otherwise))
    }

    /// `if cond { … } else { … }` as a value.
    pub(super) fn if_value(
        &mut self,
        arms: &[(ast::Expr, ast::Expr)],
        otherwise: Option<&ast::Expr>,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let (open, otherwise) = self.open_arms(arms, otherwise)?;
        let mut checked = Vec::with_capacity(open.len());
        for (condition, then) in open {
            checked.push((self.condition(condition)?, self.expr(then)?));
        }
        let mut rest = match otherwise {
            Some(otherwise) => self.expr(otherwise)?,
            None => Expr {
                kind: ExprKind::Block(Vec::new(), None),
                ty: Type::Void,
                span,
            },
        };
        for (condition, then) in checked.into_iter().rev() {
            rest = self.choose(condition, then, rest, span)?;
        }
        Ok(rest)
    }

    /// `value ?: otherwise`: a block that has the value in a variable of its own, whose name no script can write.
    pub(super) fn value_or(
        &mut self,
        value: &ast::Expr,
        otherwise: &ast::Expr,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        self.scopes.enter();
        let mut body = Vec::new();
        let chosen = self.value_or_in_block(value, otherwise, span, &mut body);
        self.scopes.leave();
        let chosen = chosen?;
        Ok(Expr {
            ty: chosen.ty,
            kind: ExprKind::Block(body, Some(Box::new(chosen))),
            span,
        })
    }

    fn value_or_in_block(
        &mut self,
        value: &ast::Expr,
        otherwise: &ast::Expr,
        span: Span,
        body: &mut Vec<Stmt>,
    ) -> Result<Expr, Diagnostic> {
        let name = Spanned::new("?".to_owned(), value.span);
        self.declare(&name, None, Some(value), body)?;
        let condition = self.variable(&name.node, value.span)?;
        if !condition.ty.is_condition() {
            let what = self.types.describe(condition.ty);
            let error = format!("expected a condition, found {what}");
            return Err(Diagnostic::error(value.span, error));
        }
        let then = condition.clone();
        let otherwise = self.expr(otherwise)?;
        self.choose(condition, then, otherwise, span)
    }

    /// `condition ? then : otherwise`
    pub(super) fn choose(
        &mut self,
        condition: Expr,
        then: Expr,
        otherwise: Expr,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let ty = match (then.ty, otherwise.ty) {
            (Type::Void, _) | (_, Type::Void) => Some(Type::Void),
            (then, otherwise) => self.types.join(then, otherwise),
        };
        let Some(ty) = ty else {
            return Err(Diagnostic::error(
                span,
                format!(
                    "the two values have different types: {} and {}",
                    self.types.describe(then.ty),
                    self.types.describe(otherwise.ty)
                ),
            ));
        };
        let [condition, then, otherwise] = [condition, then, otherwise].map(Box::new);
        let choice = Expr {
            kind: ExprKind::Ternary(condition, then, otherwise),
            ty,
            span,
        };
        Ok(choice)
    }

    fn enter_loop(&mut self) -> Loop {
        let id = Loop::new(self.loop_count as usize);
        self.loop_count += 1;
        self.repeated += 1;
        self.loops.push(id);
        id
    }

    fn leave_loop(&mut self) {
        self.loops.pop();
        self.repeated -= 1;
    }

    /// An end of a range.
    fn whole_number(&mut self, expr: &ast::Expr) -> Result<Expr, Diagnostic> {
        let value = self.number(expr)?;
        match value.ty {
            Type::Pointer(_) => Err(Diagnostic::error(
                expr.span,
                "a range goes from a number to a number",
            )),
            _ => Ok(value),
        }
    }
}
