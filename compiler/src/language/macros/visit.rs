//! The direct parts of a node of the syntax tree.
//!
//! In comes a node, out go its children, one after the other. Going deeper is left to the caller.

use pfscript_grammar::ast::c::{Declaration, Declarator, Derived, Specifiers};
use pfscript_grammar::ast::{Block, Expr, ExprKind, Iterated, Measured, Stmt, StmtKind, TypeName};

/// The expression that a type is of, however deep it is named in it: `typeof(typeof(x))`.
fn of_type(ty: &mut TypeName) -> Option<&mut Expr> {
    match ty.of.as_deref_mut()? {
        Measured::Type(ty) => of_type(ty),
        Measured::Value(value) => Some(value),
    }
}

/// Calls `see` for each direct part of an expression.
pub(crate) fn children(expr: &mut Expr, see: &mut dyn FnMut(Part<'_>)) {
    let mut visit = |expr: &mut Expr| see(Part::Expr(expr));
    match &mut expr.kind {
        ExprKind::Int(_)
        | ExprKind::Str(_)
        | ExprKind::Bool(_)
        | ExprKind::Ident(_)
        | ExprKind::Positional(_)
        | ExprKind::PositionalCount
        | ExprKind::Variable(_)
        | ExprKind::Map { keys: None, .. }
        | ExprKind::Unsupported(_) => {}
        ExprKind::SizeOf(Measured::Type(ty))
        | ExprKind::TypeInfo(Measured::Type(ty))
        | ExprKind::OffsetOf {
            of: Measured::Type(ty),
            ..
        }
        | ExprKind::TypeOf(ty) => of_type(ty).into_iter().for_each(visit),
        ExprKind::Map {
            keys: Some(parts), ..
        }
        | ExprKind::Call { args: parts, .. }
        | ExprKind::Tuple(parts) => parts.iter_mut().for_each(&mut visit),
        ExprKind::Record(fields) => fields.iter_mut().for_each(|(_, value)| visit(value)),
        ExprKind::Unary { operand, .. } | ExprKind::Comptime(operand) => visit(operand),
        ExprKind::Cast { ty, operand } => {
            of_type(ty).into_iter().for_each(&mut visit);
            visit(operand);
        }
        ExprKind::SizeOf(Measured::Value(value))
        | ExprKind::TypeInfo(Measured::Value(value))
        | ExprKind::OffsetOf {
            of: Measured::Value(value),
            ..
        } => visit(value),
        ExprKind::IncDec { target, .. } => visit(target),
        ExprKind::Field { base, .. } | ExprKind::TupleField { base, .. } => visit(base),
        ExprKind::Binary { first, rest } => {
            visit(first);
            rest.iter_mut().for_each(|(_, operand)| visit(operand));
        }
        ExprKind::Index { base, index } => {
            visit(base);
            visit(index);
        }
        ExprKind::Ternary {
            condition,
            then,
            otherwise,
        } => {
            visit(condition);
            then.iter_mut().for_each(|then| visit(then));
            visit(otherwise);
        }
        ExprKind::Block { body, value } => {
            see(Part::Block(body));
            if let Some(value) = value {
                see(Part::Expr(value));
            }
        }
        ExprKind::If { arms, otherwise } => {
            for (condition, then) in arms {
                visit(condition);
                visit(then);
            }
            if let Some(otherwise) = otherwise {
                visit(otherwise);
            }
        }
    }
}

/// A direct part of a statement.
pub(crate) enum Part<'a> {
    Expr(&'a mut Expr),
    Block(&'a mut Block),
}

/// Calls `visit` for each direct part of a statement.
pub(crate) fn parts(stmt: &mut Stmt, visit: &mut dyn FnMut(Part<'_>)) {
    match &mut stmt.kind {
        StmtKind::Expr(expr) | StmtKind::Return(Some(expr)) => visit(Part::Expr(expr)),
        StmtKind::Assign { target, value, .. } => {
            visit(Part::Expr(target));
            visit(Part::Expr(value));
        }
        StmtKind::Let { ty, value, .. } => {
            let of = ty.as_mut().and_then(of_type);
            for part in of.into_iter().chain(value) {
                visit(Part::Expr(part));
            }
        }
        StmtKind::If { arms, otherwise } => {
            for (condition, then) in arms {
                visit(Part::Expr(condition));
                visit(Part::Block(then));
            }
            if let Some(otherwise) = otherwise {
                visit(Part::Block(otherwise));
            }
        }
        StmtKind::Block(block) => visit(Part::Block(block)),
        StmtKind::While {
            condition: head,
            body,
        }
        | StmtKind::Unroll { count: head, body } => {
            visit(Part::Expr(head));
            visit(Part::Block(body));
        }
        StmtKind::For { over, body, .. } => {
            match over {
                Iterated::Elements(map) => visit(Part::Expr(map)),
                Iterated::Range(first, end) => {
                    visit(Part::Expr(first));
                    visit(Part::Expr(end));
                }
            }
            visit(Part::Block(body));
        }
        StmtKind::Break
        | StmtKind::Continue
        | StmtKind::Return(None)
        | StmtKind::Unsupported(_) => {}
    }
}

/// Calls `see` for each expression in a declaration of C: lengths of arrays, widths of bit fields, values of enumerators.
pub(super) fn declaration(declaration: &mut Declaration, see: &mut dyn FnMut(&mut Expr)) {
    specifiers(&mut declaration.ty, see);
    declarators(&mut declaration.declarators, see);
}

fn specifiers(ty: &mut Specifiers, see: &mut dyn FnMut(&mut Expr)) {
    match ty {
        Specifiers::Named { .. } => {}
        Specifiers::Record(record) => {
            for member in &mut record.members {
                specifiers(&mut member.ty, see);
                declarators(&mut member.declarators, see);
            }
        }
        Specifiers::Enumeration(enumeration) => {
            let values = enumeration.enumerators.iter_mut();
            values.filter_map(|(_, value)| value.as_mut()).for_each(see);
        }
    }
}

fn declarators(all: &mut [Declarator], see: &mut dyn FnMut(&mut Expr)) {
    for declarator in all {
        let derived = declarator.derived.iter_mut();
        let lengths = derived.filter_map(|derived| match derived {
            Derived::Array(length) => length.as_mut(),
            Derived::Pointer | Derived::Function => None,
        });
        lengths.chain(&mut declarator.bits).for_each(&mut *see);
    }
}
