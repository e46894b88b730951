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
        self.statements(pair, false)
    }

    /// The statements of a block, without the last one if it is said to be the block's value.
    fn statements(&self, pair: Pair<'_, Rule>, but_last: bool) -> Deep<Block> {
        let span = self.span(&pair);
        let mut statements = Vec::new();
        let mut depth = 0;
        let mut pairs: Vec<Pair<'_, Rule>> = pair
            .into_inner()
            .filter(|pair| {
                !matches!(
                    pair.as_rule(),
                    Rule::open_brace | Rule::close_brace | Rule::semicolon | Rule::empty
                )
            })
            .collect();
        if but_last {
            pairs.pop();
        }
        for pair in pairs {
            let statement = self.statement(pair);
            depth = depth.max(statement.depth);
            statements.push(statement.node);
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
                Rule::block => (body, value) = self.valued(part).node,
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

    /// The statements of a block, and what it gives: what no semicolon follows at its end.
    fn valued(&self, pair: Pair<'_, Rule>) -> Deep<(Block, Option<Expr>)> {
        let last = last_statement(&pair);
        let value = match last.as_ref().map(Pair::as_rule) {
            Some(Rule::expr_stmt) => {
                return self.block(pair).map(|mut block| {
                    let value = block.statements.pop_if(|last| {
                        // An assignment gives nothing.
                        matches!(last.kind, StmtKind::Expr(_))
                    });
                    let value = value.and_then(|last| match last.kind {
                        StmtKind::Expr(value) => Some(value),
                        _ => None,
                    });
                    (block, value)
                });
            }
            Some(Rule::if_chain) => last.map(|chain| self.if_expr(chain)),
            Some(Rule::block) => last.map(|block| self.block_expr(block)),
            _ => None,
        };
        match value {
            Some(value) => {
                let mut block = self.statements(pair, true);
                block.depth = block.depth.max(value.depth);
                block.map(|block| (block, Some(value.node)))
            }
            None => self.block(pair).map(|block| (block, None)),
        }
    }

    pub(super) fn block_expr(&self, pair: Pair<'_, Rule>) -> Deep<Expr> {
        let span = self.trimmed(&pair);
        let Deep {
            node: (body, value),
            depth,
        } = self.valued(pair);
        let value = value.map(Box::new);
        self.node(ExprKind::Block { body, value }, span, depth)
    }

    pub(super) fn if_expr(&self, pair: Pair<'_, Rule>) -> Deep<Expr> {
        let span = self.trimmed(&pair);
        let mut depth = 0;
        let (arms, otherwise) = self.arms(pair, &mut depth, &mut |block, depth| {
            // The chain and its blocks are one level together.
            let block = self.block_expr(block);
            *depth = block.depth.saturating_sub(1).max(*depth);
            block.node
        });
        let otherwise = otherwise.map(Box::new);
        self.node(ExprKind::If { arms, otherwise }, span, depth)
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
            Rule::while_loop => {
                self.repeated(pair, |condition, body| StmtKind::While { condition, body })
            }
            Rule::for_loop => self.for_loop(pair),
            Rule::unroll_loop => {
                self.repeated(pair, |count, body| StmtKind::Unroll { count, body })
            }
            Rule::comptime_if => match pair.clone().into_inner().last() {
                Some(chain) => self.comptime_if(chain),
                None => unsupported("comptime statements", &pair),
            },
            Rule::break_stmt => Deep {
                node: StmtKind::Break,
                depth: 0,
            },
            Rule::continue_stmt => Deep {
                node: StmtKind::Continue,
                depth: 0,
            },
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
                Rule::type_any => match self.any_type(part) {
                    (Ok(any), deep) => {
                        ty = Some(any);
                        depth = deep;
                    }
                    (Err(what), _) => {
                        return Deep {
                            node: StmtKind::Unsupported(self.unsupported(what, &whole, 0)),
                            depth: 0,
                        };
                    }
                },
                Rule::expr => {
                    let expr = self.expr(part);
                    depth = depth.max(expr.depth);
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

    /// A head and a block.
    fn repeated(
        &self,
        pair: Pair<'_, Rule>,
        make: impl FnOnce(Expr, Block) -> StmtKind,
    ) -> Deep<StmtKind> {
        let span = self.span(&pair);
        let mut head = self.dummy(span);
        let mut body = Deep {
            node: Block {
                statements: Vec::new(),
                span,
            },
            depth: 0,
        };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr => head = self.expr(part),
                Rule::block => body = self.block(part),
                _ => {}
            }
        }
        Deep {
            depth: head.depth.max(body.depth),
            node: make(head.node, body.node),
        }
    }

    fn for_loop(&self, pair: Pair<'_, Rule>) -> Deep<StmtKind> {
        let span = self.span(&pair);
        let mut name = Spanned::new(String::new(), span);
        let mut ends = Vec::new();
        let mut body = Block {
            statements: Vec::new(),
            span,
        };
        let mut depth = 0;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::variable => {
                    name = Spanned::new(part.as_str()[1..].to_owned(), self.span(&part));
                }
                Rule::expr => {
                    let expr = self.expr(part);
                    depth = depth.max(expr.depth);
                    ends.push(expr.node);
                }
                Rule::block => {
                    let block = self.block(part);
                    depth = depth.max(block.depth);
                    body = block.node;
                }
                _ => {}
            }
        }
        let last = ends.pop().unwrap_or_else(|| self.dummy(span).node);
        let over = match ends.pop() {
            Some(first) => Iterated::Range(first, last),
            None => Iterated::Elements(last),
        };
        Deep {
            node: StmtKind::For { name, over, body },
            depth,
        }
    }

    pub(super) fn map_declaration(&self, pair: Pair<'_, Rule>) -> MapDeclaration {
        let span = self.trimmed(&pair);
        let mut declaration = MapDeclaration {
            name: Spanned::new(String::new(), span),
            kind: Spanned::new(String::new(), span),
            args: Vec::new(),
            span,
        };
        for part in pair.into_inner() {
            let place = self.span(&part);
            match part.as_rule() {
                Rule::map_name => {
                    declaration.name = Spanned::new(part.as_str()[1..].to_owned(), place);
                }
                Rule::ident => declaration.kind = Spanned::new(part.as_str().to_owned(), place),
                Rule::call_args => declaration.args = self.exprs(part).0,
                _ => {}
            }
        }
        declaration
    }

    /// `comptime if`: all of its conditions are known before the script runs.
    fn comptime_if(&self, chain: Pair<'_, Rule>) -> Deep<StmtKind> {
        let mut statement = self.if_chain(chain);
        if let StmtKind::If { arms, .. } = &mut statement.node {
            for (condition, _) in arms {
                let span = condition.span;
                let kind = ExprKind::Bool(false);
                let inner = std::mem::replace(condition, Expr { kind, span });
                condition.kind = ExprKind::Comptime(Box::new(inner));
            }
        }
        statement.depth += 1;
        statement
    }

    /// The whole chain of `else if` is one statement.
    pub(super) fn if_chain(&self, pair: Pair<'_, Rule>) -> Deep<StmtKind> {
        let mut depth = 0;
        let (arms, otherwise) = self.arms(pair, &mut depth, &mut |block, depth| {
            let block = self.block(block);
            *depth = block.depth.max(*depth);
            block.node
        });
        Deep {
            node: StmtKind::If { arms, otherwise },
            depth,
        }
    }

    /// The conditions of a chain with what `block` makes of their blocks, and of the last `else`.
    fn arms<B>(
        &self,
        pair: Pair<'_, Rule>,
        depth: &mut usize,
        block: &mut dyn FnMut(Pair<'_, Rule>, &mut usize) -> B,
    ) -> (Vec<(Expr, B)>, Option<B>) {
        let mut arms = Vec::new();
        let mut otherwise = None;
        let mut arm =
            |pairs: Pairs<'_, Rule>,
             depth: &mut usize,
             block: &mut dyn FnMut(Pair<'_, Rule>, &mut usize) -> B| {
                let mut condition: Option<Deep<Expr>> = None;
                for pair in pairs {
                    match pair.as_rule() {
                        Rule::expr => condition = Some(self.expr(pair)),
                        Rule::block => {
                            let body = block(pair, depth);
                            if let Some(condition) = condition.take() {
                                *depth = condition.depth.max(*depth);
                                arms.push((condition.node, body));
                            }
                        }
                        _ => {}
                    }
                }
            };
        arm(pair.clone().into_inner(), depth, block);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::else_if => arm(part.into_inner(), depth, block),
                Rule::else_block => {
                    let mut parts = part.into_inner();
                    let last = parts.find(|pair| pair.as_rule() == Rule::block);
                    otherwise = last.map(|last| block(last, depth));
                }
                _ => {}
            }
        }
        (arms, otherwise)
    }
}

/// The last statement of a block, if no semicolon follows it.
fn last_statement<'p>(block: &Pair<'p, Rule>) -> Option<Pair<'p, Rule>> {
    block
        .clone()
        .into_inner()
        .rev()
        .find(|pair| pair.as_rule() != Rule::close_brace)
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
