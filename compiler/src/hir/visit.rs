//! Walks over checked statements and expressions.
//!
//! In comes a statement, out goes every expression in it, each before its parts.

use super::{Argument, Base, Expr, ExprKind, Iterated, Place, Stmt};

impl Stmt {
    /// Shows every statement in this one to `see`, itself first; not those in blocks that are values.
    pub fn visit(&self, see: &mut dyn FnMut(&Stmt)) {
        see(self);
        match self {
            Stmt::If { arms, otherwise } => {
                let bodies = arms.iter().map(|(_, body)| body).chain([otherwise]);
                bodies.flatten().for_each(|stmt| stmt.visit(see));
            }
            Stmt::Loop { body, .. } | Stmt::Unroll { body, .. } => {
                body.iter().for_each(|stmt| stmt.visit(see));
            }
            Stmt::Expr(_)
            | Stmt::Assign { .. }
            | Stmt::Aggregate { .. }
            | Stmt::Clear(_)
            | Stmt::Break(_)
            | Stmt::Continue(_)
            | Stmt::Return(_) => {}
        }
    }

    /// The bodies of a condition, one of which is taken; of other statements none.
    pub fn branches_mut(&mut self) -> impl Iterator<Item = &mut Vec<Stmt>> {
        let branches = match self {
            Stmt::If { arms, otherwise } => Some((arms, otherwise)),
            _ => None,
        };
        let bodies = branches.map(|(arms, otherwise)| {
            let bodies = arms.iter_mut().map(|(_, body)| body);
            bodies.chain([otherwise])
        });
        bodies.into_iter().flatten()
    }

    /// Shows every expression in this statement, and in those in it, to `see`, which may change it.
    pub fn visit_exprs(&mut self, see: &mut dyn FnMut(&mut Expr)) {
        match self {
            Stmt::Expr(expr) => expr.visit(see),
            Stmt::Assign { place, value, .. } => {
                place.visit(see);
                value.visit(see);
            }
            Stmt::Aggregate { key, values, .. } => {
                for expr in key.iter_mut().chain(values) {
                    expr.visit(see);
                }
            }
            Stmt::If { arms, otherwise } => {
                for (condition, body) in arms {
                    condition.visit(see);
                    body.iter_mut().for_each(|stmt| stmt.visit_exprs(see));
                }
                otherwise.iter_mut().for_each(|stmt| stmt.visit_exprs(see));
            }
            Stmt::Loop { over, body, .. } => {
                match over {
                    Iterated::While(condition) => condition.visit(see),
                    Iterated::Range { first, end, .. } => {
                        first.visit(see);
                        end.visit(see);
                    }
                    Iterated::Elements { .. } => {}
                }
                body.iter_mut().for_each(|stmt| stmt.visit_exprs(see));
            }
            Stmt::Unroll { body, .. } => {
                body.iter_mut().for_each(|stmt| stmt.visit_exprs(see));
            }
            Stmt::Clear(_) | Stmt::Break(_) | Stmt::Continue(_) | Stmt::Return(_) => {}
        }
    }
}

impl Place {
    fn visit(&mut self, see: &mut dyn FnMut(&mut Expr)) {
        match &mut self.base {
            Base::Memory(inner) | Base::Value(inner) => inner.visit(see),
            Base::Element { key, .. } => key.iter_mut().for_each(|part| part.visit(see)),
            Base::Var(_) => {}
        }
    }
}

impl Expr {
    /// Shows every expression in this one to `see`, itself first.
    pub fn visit(&mut self, see: &mut dyn FnMut(&mut Expr)) {
        see(self);
        match &mut self.kind {
            ExprKind::Int(_)
            | ExprKind::Str(_)
            | ExprKind::Context
            | ExprKind::Argument(_)
            | ExprKind::Stack { .. }
            | ExprKind::Global(_)
            | ExprKind::MapLength(_)
            | ExprKind::SiteText(_) => {}
            ExprKind::Load(place) | ExprKind::Address(place) => place.visit(see),
            ExprKind::ElementAddress { place, index, .. } => {
                place.visit(see);
                index.visit(see);
            }
            ExprKind::Helper { args, .. } | ExprKind::Routine { args, .. } => {
                for arg in args {
                    match arg {
                        Argument::Value(expr) | Argument::Text(expr) | Argument::Address(expr) => {
                            expr.visit(see);
                        }
                        Argument::Map(_) => {}
                    }
                }
            }
            ExprKind::UserSymbol(inner)
            | ExprKind::Not(inner)
            | ExprKind::Extend { value: inner, .. } => inner.visit(see),
            ExprKind::Add { place, delta, .. } => {
                place.visit(see);
                delta.visit(see);
            }
            ExprKind::Index { index, .. } => index.visit(see),
            ExprKind::Arith(_, left, right)
            | ExprKind::Divide(_, left, right)
            | ExprKind::Compare(_, left, right)
            | ExprKind::CompareStr { left, right, .. } => {
                left.visit(see);
                right.visit(see);
            }
            ExprKind::Ternary(condition, then, otherwise) => {
                for part in [condition, then, otherwise] {
                    part.visit(see);
                }
            }
            ExprKind::ReadString { address, limit, .. } => {
                address.visit(see);
                if let Some(limit) = limit {
                    limit.visit(see);
                }
            }
            ExprKind::Buffer { from, length, .. } => {
                from.visit(see);
                if let Some(length) = length {
                    length.visit(see);
                }
            }
            ExprKind::Block(body, value) => {
                body.iter_mut().for_each(|stmt| stmt.visit_exprs(see));
                if let Some(value) = value {
                    value.visit(see);
                }
            }
            ExprKind::And(parts)
            | ExprKind::Or(parts)
            | ExprKind::Tuple(parts)
            | ExprKind::MapDelete { key: parts, .. }
            | ExprKind::MapHasKey { key: parts, .. }
            | ExprKind::Emit { fields: parts, .. } => {
                parts.iter_mut().for_each(|part| part.visit(see));
            }
        }
    }
}
