//! Statements: assignments, declarations, conditions, and calls that stand alone.
//!
//! In come statements of the syntax tree, out goes HIR; what is assigned gives maps and variables their types. What a
//! name means is decided in `scope`.

use super::flow::Holder;
use super::integers::negated;
use super::operators::add;
use super::{Checker, MapContent};
use crate::hir::{Expr, ScriptMap, Stmt, Var, VarData};
use crate::language::builtins;
use crate::language::functions::{self, Aggregation, Call, FunctionKind};
use crate::types::Type;
use cranelift_entity::PrimaryMap;
use pfscript_grammar::ast::{self, BinaryOp, ExprKind as Ast, StmtKind};
use pfscript_grammar::{Diagnostic, Span};

/// Once so much was said, the rest of the script is not looked at.
const MAX_DIAGNOSTICS: usize = 1000;

impl Checker<'_> {
    /// Checks a whole action: the predicate, then the body. `known` are its variables as the pass before left them.
    pub(super) fn action(
        &mut self,
        probe: &ast::Probe,
        known: PrimaryMap<Var, VarData>,
    ) -> Vec<Stmt> {
        self.known_vars = known;
        let condition = probe.predicate.as_ref().and_then(|predicate| {
            let result = self.condition(predicate);
            self.keep(result)
        });
        let body = self.block(&probe.body);
        match condition {
            Some(condition) => vec![Stmt::If {
                arms: vec![(condition, body)],
                otherwise: Vec::new(),
            }],
            None => body,
        }
    }

    /// Keeps the error for later, so that the rest is checked too.
    pub(super) fn keep<T>(&mut self, result: Result<T, Diagnostic>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.diagnostics.push(error);
                None
            }
        }
    }

    pub(super) fn block(&mut self, block: &ast::Block) -> Vec<Stmt> {
        self.scopes.enter();
        let out = self.statements(block);
        self.scopes.leave();
        out
    }

    /// A block whose scope is open already.
    pub(super) fn statements(&mut self, block: &ast::Block) -> Vec<Stmt> {
        let mut out = Vec::new();
        for stmt in &block.statements {
            if self.diagnostics.len() >= MAX_DIAGNOSTICS {
                break;
            }
            let result = self.stmt(stmt, &mut out);
            self.keep(result);
        }
        self.warn_of_unreachable(&block.statements);
        out
    }

    /// What stands behind a statement that always leaves the block is there by mistake.
    fn warn_of_unreachable(&mut self, statements: &[ast::Stmt]) {
        let Some(at) = statements.iter().position(leaves) else {
            return;
        };
        let (Some(first), Some(last)) = (statements.get(at + 1), statements.last()) else {
            return;
        };
        let warning = Diagnostic::warning(first.span.to(last.span), "this is never reached");
        let before = match &statements[at].kind {
            StmtKind::Break => "`break`",
            StmtKind::Continue => "`continue`",
            StmtKind::Return(_) => "`return`",
            _ => "`exit()`",
        };
        self.diagnostics
            .push(warning.help(format!("{before} stands before it")));
    }

    fn stmt(&mut self, stmt: &ast::Stmt, out: &mut Vec<Stmt>) -> Result<(), Diagnostic> {
        match &stmt.kind {
            StmtKind::Expr(expr) => {
                let checked = self.effect(expr)?;
                out.push(Stmt::Expr(checked));
            }
            // What it gives is dropped.
            StmtKind::Assign {
                target,
                op: None,
                value,
            } if matches!(&target.kind, Ast::Ident(name) if name == "_") => {
                let dropped = self.expr(value)?;
                out.push(Stmt::Expr(dropped));
            }
            StmtKind::Assign { target, op, value } => {
                let op = op.as_ref().map(|op| op.node);
                let result = self.assign(target, op, value, stmt.span, out);
                if let (Err(_), Ast::Variable(name)) = (&result, &target.kind)
                    && self.scopes.open(name).is_none()
                {
                    // One message is enough: reads of the variable shall not complain too.
                    self.new_variable(name, Type::Unknown);
                }
                result?;
            }
            StmtKind::Let { name, ty, value } => {
                self.declare(name, ty.as_ref(), value.as_ref(), out)?
            }
            StmtKind::If { arms, otherwise } => {
                let (open, otherwise) = self.open_arms(arms, otherwise.as_ref())?;
                let mut checked = Vec::with_capacity(open.len());
                for (condition, then) in open {
                    let condition = self.condition(condition);
                    let condition = self.keep(condition);
                    let then = self.block(then);
                    checked.extend(condition.map(|condition| (condition, then)));
                }
                let otherwise = otherwise.map_or(Vec::new(), |block| self.block(block));
                // A condition that was refused is an error, so there will be no object that lacks its arm.
                if checked.is_empty() {
                    out.extend(otherwise);
                } else {
                    out.push(Stmt::If {
                        arms: checked,
                        otherwise,
                    });
                }
            }
            StmtKind::While { condition, body } => {
                out.push(self.while_loop(condition, body)?);
            }
            StmtKind::For { name, over, body } => {
                out.push(self.for_loop(name, over, body)?);
            }
            StmtKind::Unroll { count, body } => out.push(self.unroll(count, body)?),
            StmtKind::Break => {
                self.in_loop("break", stmt.span)?;
                out.push(Stmt::Break(stmt.span));
            }
            StmtKind::Continue => {
                self.in_loop("continue", stmt.span)?;
                out.push(Stmt::Continue(stmt.span));
            }
            StmtKind::Return(value) => {
                let value = value.as_ref().map(|value| self.number(value));
                out.push(match value.transpose()? {
                    // The result of a test. Nobody asks for that of other programs.
                    Some(value) if self.probe.is_test() => Stmt::Expr(self.exit(value, stmt.span)),
                    _ => Stmt::Return(stmt.span),
                });
            }
            StmtKind::Block(block) => out.extend(self.block(block)),
            StmtKind::Unsupported(node) => {
                return Err(Diagnostic::unsupported(node.span, node.what));
            }
        }
        Ok(())
    }

    /// An expression that stands alone.
    fn effect(&mut self, expr: &ast::Expr) -> Result<Expr, Diagnostic> {
        let checked = self.expr(expr)?;
        if checked.ty != Type::Void && !has_effect(expr) {
            self.diagnostics.push(
                Diagnostic::warning(expr.span, "this value is not used")
                    .help("print it or assign it"),
            );
        }
        Ok(checked)
    }

    fn assign(
        &mut self,
        target: &ast::Expr,
        op: Option<BinaryOp>,
        value: &ast::Expr,
        span: Span,
        out: &mut Vec<Stmt>,
    ) -> Result<(), Diagnostic> {
        match &target.kind {
            // `@x = { …; count() }`: an aggregation is no value that a block could give.
            Ast::Map { .. } if let Some((body, inner)) = aggregating_block(value) => {
                self.scopes.enter();
                out.extend(self.statements(body));
                let result = self.assign(target, op, inner, span, out);
                self.scopes.leave();
                result
            }
            Ast::Map { name, keys } => {
                if let Some((aggregate, values)) = self.aggregate(value)? {
                    if let Some(op) = op {
                        return Err(Diagnostic::error(
                            span,
                            format!(
                                "`{}()` must be assigned with `=`, not `{}=`",
                                aggregate.name(),
                                op.symbol()
                            ),
                        ));
                    }
                    let (map, key) = self.map_element(name, keys.as_deref(), target.span)?;
                    let gathered = values.first();
                    let signed = gathered.is_none_or(|value| value.ty.is_signed());
                    let signed = signed && !is_unsigned(gathered);
                    self.store(map, MapContent::Aggregate(aggregate, signed), span)?;
                    out.push(Stmt::Aggregate {
                        map,
                        key,
                        aggregate,
                        values,
                        span,
                    });
                    return Ok(());
                }
                let is_func = matches!(&value.kind, Ast::Ident(name) if name == "func");
                let mut value = self.printable(value)?;
                let (map, key) = self.map_element(name, keys.as_deref(), target.span)?;
                if is_func
                    && *self.content(map) == MapContent::Scalar(Type::KernelSymbol)
                    && let Some(symbol) = builtins::func_symbol(self, value.span)
                {
                    value = symbol;
                }
                self.assign_map(map, key, op, value, span, out)
            }
            Ast::Variable(name) => {
                if self.aggregate(value)?.is_some() {
                    return Err(not_a_value(value));
                }
                let value = self.printable(value)?;
                let value = match op {
                    None => value,
                    Some(op) => {
                        let old = self.variable(name, target.span)?;
                        self.binary(op, old, value, span)?
                    }
                };
                let value = self.as_declared(name, value);
                let var = self.assign_variable(name, &value, target.span)?;
                self.note_assignment(&value, Holder::Var(self.action, var));
                out.push(self.set(var, value));
                Ok(())
            }
            Ast::Unsupported(node) => Err(Diagnostic::unsupported(node.span, node.what)),
            _ => Err(Diagnostic::error(
                target.span,
                "only variables (`$x`) and maps (`@x`) can be assigned",
            )),
        }
    }

    fn assign_map(
        &mut self,
        map: ScriptMap,
        key: Vec<Expr>,
        op: Option<BinaryOp>,
        value: Expr,
        span: Span,
        out: &mut Vec<Stmt>,
    ) -> Result<(), Diagnostic> {
        let numeric = matches!(value.ty, Type::Int { .. } | Type::Bool | Type::Unknown);
        match op {
            None => {
                self.note_assigned(map);
                self.note_assignment(&value, Holder::Map(map));
                let place = self.element_for(map, key, value.ty, span)?;
                out.push(Stmt::Assign { place, value, span });
            }
            Some(op @ (BinaryOp::Add | BinaryOp::Sub)) if numeric => {
                let delta = match op {
                    BinaryOp::Add => value,
                    _ => negated(value),
                };
                let (delta, ty) = match *self.content(map) {
                    MapContent::Scalar(ty @ Type::Pointer(target)) => {
                        (self.in_bytes(delta, target), ty)
                    }
                    // A later assignment may say that it is a pointer.
                    MapContent::Unknown => (delta, Expr::literal(0, span).ty),
                    MapContent::Scalar(_) | MapContent::Aggregate(..) => (delta, Type::I64),
                };
                let place = self.element_for(map, key, ty, span)?;
                self.note_sum(&place.base);
                out.push(Stmt::Expr(add(place, delta, true, ty, span)));
            }
            Some(op) => {
                let old = self.element_value(map, key.clone(), span)?;
                let value = self.binary(op, old, value, span)?;
                self.note_assigned(map);
                self.note_extent(&value, Holder::Map(map));
                let place = self.element_for(map, key, value.ty, span)?;
                out.push(Stmt::Assign { place, value, span });
            }
        }
        Ok(())
    }

    /// An aggregation on the right of an assignment, if `value` is one.
    pub(super) fn aggregate(
        &mut self,
        value: &ast::Expr,
    ) -> Result<Option<Aggregation>, Diagnostic> {
        if let Ast::Call { name, args } = &value.kind
            && let Some(rows) = functions::named(&name.node)
            && let FunctionKind::Aggregate(_) = rows[0].kind
        {
            let call = Call {
                name: &name.node,
                args,
                span: value.span,
                written: name.span,
            };
            let row = functions::choose(rows, &call)?;
            return functions::aggregation(self, row, &call).map(Some);
        }
        Ok(None)
    }
}

/// The statements of a block that ends in an aggregation, and that.
fn aggregating_block(value: &ast::Expr) -> Option<(&ast::Block, &ast::Expr)> {
    let Ast::Block {
        body,
        value: Some(inner),
    } = &value.kind
    else {
        return None;
    };
    let aggregates = match &inner.kind {
        Ast::Call { name, .. } => functions::named(&name.node)
            .is_some_and(|rows| matches!(rows[0].kind, FunctionKind::Aggregate(_))),
        _ => aggregating_block(inner).is_some(),
    };
    aggregates.then_some((body, inner))
}

/// Whether nothing that follows a statement in its block is ever run.
fn leaves(stmt: &ast::Stmt) -> bool {
    match &stmt.kind {
        StmtKind::Break | StmtKind::Continue | StmtKind::Return(_) => true,
        StmtKind::Expr(expr) => match &expr.kind {
            Ast::Call { name, .. } => name.node == "exit",
            _ => false,
        },
        _ => false,
    }
}

/// Whether an expression may stand alone, although it gives a value.
fn has_effect(expr: &ast::Expr) -> bool {
    match &expr.kind {
        Ast::IncDec { .. } | Ast::Block { .. } | Ast::If { .. } => true,
        Ast::Call { name, .. } => functions::named(&name.node)
            .is_some_and(|rows| matches!(rows[0].kind, FunctionKind::Statement(_))),
        Ast::Ternary {
            then, otherwise, ..
        } => then.as_ref().is_some_and(|then| has_effect(then)) && has_effect(otherwise),
        _ => false,
    }
}

fn is_unsigned(value: Option<&Expr>) -> bool {
    matches!(
        value.map(|value| &value.ty),
        Some(Type::Int { signed: false, .. } | Type::Pointer(_))
    )
}

pub(super) fn not_a_value(value: &ast::Expr) -> Diagnostic {
    Diagnostic::error(value.span, "an aggregation can only be assigned to a map")
        .help("such as `@counts[comm] = count()`")
}
