//! Blocks and statements, from the grammar's pairs to nodes. What is parsed but has no meaning yet becomes an `Unsupported`
//! node.

use pest::iterators::{Pair, Pairs};

use super::{Builder, Deep};
use crate::ast::*;
use crate::rule::Rule;
use crate::scan::MAX_DEPTH;
use crate::span::{Span, Spanned};

impl Builder<'_> {
    pub(super) fn block(&self, pair: Pair<'_, Rule>) -> Deep<Block> {
        let span = self.span(&pair);
        let mut statements = Vec::new();
        let mut depth = 0;
        for pair in pair.into_inner() {
            if !matches!(
                pair.as_rule(),
                Rule::open_brace | Rule::close_brace | Rule::semicolon | Rule::empty
            ) {
                let statement = self.statement(pair);
                depth = depth.max(statement.depth);
                statements.push(statement.node);
            }
        }
        Deep {
            node: Block { statements, span },
            depth,
        }
    }

    pub(super) fn macro_item(&self, pair: Pair<'_, Rule>) -> Macro {
        let span = self.span(&pair);
        let mut name = Spanned::new(String::new(), span);
        let mut params = Vec::new();
        let mut body = Block {
            statements: Vec::new(),
            span,
        };
        let mut value = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::ident => name = Spanned::new(part.as_str().to_owned(), self.span(&part)),
                Rule::macro_param => {
                    let span = self.span(&part);
                    let text = part.as_str();
                    let param = match text.split_at(1) {
                        ("$", name) => MacroParam::Variable(name.to_owned()),
                        ("@", name) => MacroParam::Map(name.to_owned()),
                        _ => MacroParam::Name(text.to_owned()),
                    };
                    params.push(Spanned::new(param, span));
                }
                Rule::block => {
                    let open_end = ends_in_expression(&part);
                    body = self.block(part).node;
                    if open_end
                        && let Some(Stmt {
                            kind: StmtKind::Expr(_),
                            ..
                        }) = body.statements.last()
                        && let Some(Stmt {
                            kind: StmtKind::Expr(expr),
                            ..
                        }) = body.statements.pop()
                    {
                        value = Some(expr);
                    }
                }
                _ => {}
            }
        }
        Macro {
            name,
            params,
            body,
            value,
            span,
        }
    }

    pub(super) fn statement(&self, pair: Pair<'_, Rule>) -> Deep<Stmt> {
        let span = self.trimmed(&pair);
        let unsupported = |what, pair: &Pair<'_, Rule>| Deep {
            node: StmtKind::Unsupported(self.unsupported(what, pair, 0)),
            depth: 0,
        };
        let kind = match pair.as_rule() {
            Rule::block => self.block(pair).map(StmtKind::Block),
            Rule::if_chain => self.if_chain(pair),
            Rule::while_loop => unsupported("while loops", &pair),
            Rule::for_loop => unsupported("for loops", &pair),
            Rule::unroll_loop => unsupported("unroll loops", &pair),
            Rule::comptime_if => unsupported("comptime statements", &pair),
            Rule::break_stmt => unsupported("break statements", &pair),
            Rule::continue_stmt => unsupported("continue statements", &pair),
            Rule::import_stmt => unsupported("imports", &pair),
            Rule::return_stmt => {
                let value = pair
                    .into_inner()
                    .find(|pair| pair.as_rule() == Rule::expr)
                    .map(|expr| self.expr(expr));
                let depth = value.as_ref().map_or(0, |value| value.depth);
                Deep {
                    node: StmtKind::Return(value.map(|value| value.node)),
                    depth,
                }
            }
            Rule::let_stmt => self.let_stmt(pair),
            _ => self.expr_stmt(pair),
        };
        if kind.depth >= MAX_DEPTH {
            self.too_deep(span);
            return Deep {
                node: Stmt {
                    kind: StmtKind::Return(None),
                    span,
                },
                depth: 0,
            };
        }
        Deep {
            depth: kind.depth + 1,
            node: Stmt {
                kind: kind.node,
                span,
            },
        }
    }

    pub(super) fn let_stmt(&self, pair: Pair<'_, Rule>) -> Deep<StmtKind> {
        let mut name = Spanned::new(String::new(), self.span(&pair));
        let mut ty = None;
        let mut value = None;
        let mut depth = 0;
        let whole = pair.clone();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::variable => {
                    name = Spanned::new(part.as_str()[1..].to_owned(), self.span(&part));
                }
                Rule::type_any => match self.type_any(part) {
                    Ok(any) => ty = Some(any),
                    Err(what) => {
                        return Deep {
                            node: StmtKind::Unsupported(self.unsupported(what, &whole, 0)),
                            depth: 0,
                        };
                    }
                },
                Rule::expr => {
                    let expr = self.expr(part);
                    depth = expr.depth;
                    value = Some(expr.node);
                }
                _ => {}
            }
        }
        Deep {
            node: StmtKind::Let { name, ty, value },
            depth,
        }
    }

    pub(super) fn expr_stmt(&self, pair: Pair<'_, Rule>) -> Deep<StmtKind> {
        let mut exprs = Vec::new();
        let mut op = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::assign_op => op = Some((binary_of_assign(part.as_str()), self.span(&part))),
                _ => exprs.push(self.expr(part)),
            }
        }
        let value = exprs.pop().unwrap_or_else(|| self.dummy(Span::default()));
        match (exprs.pop(), op) {
            (Some(target), Some((op, span))) => Deep {
                depth: target.depth.max(value.depth),
                node: StmtKind::Assign {
                    target: target.node,
                    op: op.map(|op| Spanned::new(op, span)),
                    value: value.node,
                },
            },
            _ => value.map(StmtKind::Expr),
        }
    }

    /// The whole chain of `else if` is one statement.
    pub(super) fn if_chain(&self, pair: Pair<'_, Rule>) -> Deep<StmtKind> {
        let mut depth = 0;
        let mut arms = Vec::new();
        let mut otherwise = None;
        let mut arm = |pairs: Pairs<'_, Rule>, depth: &mut usize| {
            let mut condition = None;
            for pair in pairs {
                match pair.as_rule() {
                    Rule::expr => condition = Some(self.expr(pair)),
                    Rule::block => {
                        let block = self.block(pair);
                        if let Some(condition) = condition.take() {
                            *depth = condition.depth.max(block.depth).max(*depth);
                            arms.push((condition.node, block.node));
                        }
                    }
                    _ => {}
                }
            }
        };
        arm(pair.clone().into_inner(), &mut depth);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::else_if => arm(part.into_inner(), &mut depth),
                Rule::else_block => {
                    let mut parts = part.into_inner();
                    let block = parts.find(|pair| pair.as_rule() == Rule::block);
                    otherwise = block.map(|block| self.block(block)).map(|block| {
                        depth = depth.max(block.depth);
                        block.node
                    });
                }
                _ => {}
            }
        }
        Deep {
            node: StmtKind::If { arms, otherwise },
            depth,
        }
    }
}

/// Whether no semicolon follows the last statement of a block.
fn ends_in_expression(block: &Pair<'_, Rule>) -> bool {
    block
        .clone()
        .into_inner()
        .rev()
        .find(|pair| pair.as_rule() != Rule::close_brace)
        .is_some_and(|last| last.as_rule() == Rule::expr_stmt)
}

fn binary_of_assign(text: &str) -> Option<BinaryOp> {
    Some(match text {
        "+=" => BinaryOp::Add,
        "-=" => BinaryOp::Sub,
        "*=" => BinaryOp::Mul,
        "/=" => BinaryOp::Div,
        "%=" => BinaryOp::Mod,
        "&=" => BinaryOp::BitAnd,
        "|=" => BinaryOp::BitOr,
        "^=" => BinaryOp::BitXor,
        "<<=" => BinaryOp::Shl,
        ">>=" => BinaryOp::Shr,
        _ => return None,
    })
}
