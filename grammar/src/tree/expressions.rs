//! Expressions: the grammar's flat sequence becomes a tree by precedence.
//!
//! In come the grammar's pairs, out go nodes. Types are not known here.

use std::collections::HashSet;
use std::sync::LazyLock;

use pest::iterators::Pair;
use pest::pratt_parser::{Assoc, Op, PrattParser};

use super::{Builder, Deep, unquoted};
use crate::ast::*;
use crate::diagnostic::Diagnostic;
use crate::literal;
use crate::rule::Rule;
use crate::scan::{MAX_DEPTH, MAX_OPERANDS};
use crate::span::{Span, Spanned};

/// C's precedence, loosest first.
static PRATT: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    use Assoc::{Left, Right};
    let infix = |rule| Op::infix(rule, Left);
    PrattParser::new()
        .op(Op::infix(Rule::ternary, Right))
        .op(infix(Rule::or))
        .op(infix(Rule::and))
        .op(infix(Rule::bit_or))
        .op(infix(Rule::bit_xor))
        .op(infix(Rule::bit_and))
        .op(infix(Rule::eq) | infix(Rule::ne))
        .op(infix(Rule::lt) | infix(Rule::le) | infix(Rule::gt) | infix(Rule::ge))
        .op(infix(Rule::shl) | infix(Rule::shr))
        .op(infix(Rule::add) | infix(Rule::sub))
        .op(infix(Rule::mul) | infix(Rule::div) | infix(Rule::rem))
        .op(Op::prefix(Rule::neg)
            | Op::prefix(Rule::not)
            | Op::prefix(Rule::bit_not)
            | Op::prefix(Rule::deref)
            | Op::prefix(Rule::address_of)
            | Op::prefix(Rule::pre_inc)
            | Op::prefix(Rule::pre_dec)
            | Op::prefix(Rule::cast)
            | Op::prefix(Rule::comptime))
        .op(Op::postfix(Rule::post_inc)
            | Op::postfix(Rule::post_dec)
            | Op::postfix(Rule::tuple_field)
            | Op::postfix(Rule::field)
            | Op::postfix(Rule::index))
});

impl Builder<'_> {
    pub(super) fn expr(&self, pair: Pair<'_, Rule>) -> Deep<Expr> {
        // The Pratt parser recurses for each prefix in a row and for each `?:` in a chain.
        let (mut run, mut ternaries) = (0, 0);
        for pair in pair.clone().into_inner() {
            match pair.as_rule() {
                Rule::ternary => ternaries += 1,
                Rule::neg
                | Rule::not
                | Rule::bit_not
                | Rule::deref
                | Rule::address_of
                | Rule::pre_inc
                | Rule::pre_dec
                | Rule::cast
                | Rule::comptime => run += 1,
                _ => run = 0,
            }
            if run + ternaries > MAX_DEPTH {
                self.too_deep(self.span(&pair));
                return self.dummy(self.span(&pair));
            }
        }
        PRATT
            .map_primary(|pair| self.primary(pair))
            .map_prefix(|op, operand| self.prefix(op, operand))
            .map_postfix(|operand, op| self.postfix(operand, op))
            .map_infix(|left, op, right| self.infix(left, op, right))
            .parse(pair.into_inner())
    }

    /// An expression one level above its deepest part.
    pub(super) fn node(&self, kind: ExprKind, span: Span, depth: usize) -> Deep<Expr> {
        if depth >= MAX_DEPTH {
            self.too_deep(span);
            return self.dummy(span);
        }
        Deep {
            node: Expr { kind, span },
            depth: depth + 1,
        }
    }

    pub(super) fn primary(&self, pair: Pair<'_, Rule>) -> Deep<Expr> {
        let span = self.span(&pair);
        let text = pair.as_str();
        let unsupported = |what| {
            let unsupported = self.unsupported(what, &pair, 0);
            let span = self.trimmed(&pair);
            self.node(ExprKind::Unsupported(unsupported), span, 0)
        };
        let kind = match pair.as_rule() {
            Rule::number => ExprKind::Int(literal::integer(text).unwrap_or_else(|error| {
                self.literal_error(error, span, 0);
                0
            })),
            Rule::string => ExprKind::Str(self.string(unquoted(text).unwrap_or(text), span)),
            Rule::char => {
                let inner = text.trim_start_matches('\'');
                let inner = inner.strip_suffix('\'').unwrap_or(inner);
                ExprKind::Int(u64::from(literal::character(inner).unwrap_or_else(
                    |error| {
                        self.literal_error(error, span, 1);
                        0
                    },
                )))
            }
            Rule::bool => ExprKind::Bool(text == "true"),
            Rule::positional_count => ExprKind::PositionalCount,
            Rule::positional => match text[1..].parse() {
                Ok(number) if number > 0 => ExprKind::Positional(number),
                Ok(_) => {
                    self.error(
                        Diagnostic::error(span, "positional parameters begin with `$1`")
                            .help("the number of parameters is `$#`"),
                    );
                    ExprKind::Positional(1)
                }
                Err(_) => {
                    self.error(Diagnostic::error(
                        span,
                        "the number of this parameter is too large",
                    ));
                    ExprKind::Positional(1)
                }
            },
            Rule::variable => ExprKind::Variable(text[1..].to_owned()),
            Rule::name => return self.name(pair),
            Rule::map => return self.map(pair),
            Rule::paren => return self.paren(pair),
            Rule::block_expr | Rule::if_expr => {
                return match pair.clone().into_inner().next() {
                    Some(chain) if pair.as_rule() == Rule::if_expr => self.if_expr(chain),
                    Some(block) => self.block_expr(block),
                    None => self.dummy(span),
                };
            }
            Rule::sizeof | Rule::offsetof | Rule::typeinfo => return self.measure(pair),
            Rule::typeof_expr => {
                let (ty, depth) = match pair.clone().into_inner().next() {
                    Some(ty) => self.any_type(ty),
                    None => return self.dummy(span),
                };
                return match ty {
                    Ok(ty) => self.node(ExprKind::TypeOf(ty), span, depth),
                    Err(what) => unsupported(what),
                };
            }
            _ => return self.dummy(span),
        };
        self.node(kind, span, 0)
    }

    /// `sizeof(x)`, `typeinfo(x)`, `offsetof(type, member)`
    fn measure(&self, pair: Pair<'_, Rule>) -> Deep<Expr> {
        let span = self.span(&pair);
        let mut of = None;
        let mut depth = 0;
        let mut path = Vec::new();
        let rule = pair.as_rule();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::type_name | Rule::type_typeof => match self.any_type(part.clone()) {
                    (Ok(ty), deep) => {
                        depth = deep;
                        of = Some(Measured::Type(ty));
                    }
                    (Err(what), _) => {
                        let node = self.text_of(what, span, self.span(&part));
                        return self.node(node, span, 0);
                    }
                },
                Rule::expr => {
                    let value = self.expr(part);
                    depth = value.depth;
                    of = Some(Measured::Value(Box::new(value.node)));
                }
                Rule::field_name => {
                    path.push(Spanned::new(part.as_str().to_owned(), self.span(&part)));
                }
                Rule::index => {
                    let node = self.text_of("elements in offsetof", span, self.span(&part));
                    return self.node(node, span, 0);
                }
                _ => {}
            }
        }
        let Some(of) = of else {
            return self.dummy(span);
        };
        let kind = match rule {
            Rule::offsetof => ExprKind::OffsetOf { of, path },
            Rule::typeinfo => ExprKind::TypeInfo(of),
            _ => ExprKind::SizeOf(of),
        };
        self.node(kind, span, depth)
    }

    pub(super) fn map(&self, pair: Pair<'_, Rule>) -> Deep<Expr> {
        let mut span = self.span(&pair);
        let mut name = String::new();
        let mut keys = None;
        let mut depth = 0;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::map_name => {
                    name = part.as_str()[1..].to_owned();
                    span = self.span(&part);
                }
                _ => {
                    span = span.to(self.span(&part));
                    let (list, deepest) = self.exprs(part);
                    keys = Some(list);
                    depth = deepest;
                }
            }
        }
        self.node(ExprKind::Map { name, keys }, span, depth)
    }

    /// A call, or a name by itself.
    pub(super) fn name(&self, pair: Pair<'_, Rule>) -> Deep<Expr> {
        let mut span = self.span(&pair);
        let mut name = Spanned::new(String::new(), span);
        let mut call = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::ident => {
                    name = Spanned::new(part.as_str().to_owned(), self.span(&part));
                    span = name.span;
                }
                _ => {
                    span = span.to(self.span(&part));
                    call = Some(self.exprs(part));
                }
            }
        }
        match call {
            Some((args, depth)) => self.node(ExprKind::Call { name, args }, span, depth),
            None => self.node(ExprKind::Ident(name.node), span, 0),
        }
    }

    /// The expressions directly within a pair, and the depth of the deepest.
    pub(super) fn exprs(&self, pair: Pair<'_, Rule>) -> (Vec<Expr>, usize) {
        let mut depth = 0;
        let list = pair
            .into_inner()
            .filter(|pair| pair.as_rule() == Rule::expr)
            .map(|expr| {
                let expr = self.expr(expr);
                depth = depth.max(expr.depth);
                expr.node
            })
            .collect();
        (list, depth)
    }

    /// Parentheses, a tuple, or a record.
    pub(super) fn paren(&self, pair: Pair<'_, Rule>) -> Deep<Expr> {
        let span = self.span(&pair);
        let items: Vec<Pair<'_, Rule>> = pair
            .clone()
            .into_inner()
            .filter(|part| part.as_rule() == Rule::paren_item)
            .collect();
        let labelled = items.iter().any(|item| {
            item.clone()
                .into_inner()
                .any(|part| part.as_rule() == Rule::paren_label)
        });
        let count = items.len();
        if labelled {
            return self.named_items(items, span);
        }
        if count == 0 {
            let unsupported = self.unsupported("empty tuples", &pair, 0);
            return self.node(ExprKind::Unsupported(unsupported), span, 0);
        }
        let tuple = count > 1
            || pair
                .clone()
                .into_inner()
                .any(|part| part.as_rule() == Rule::comma);
        let mut depth = 0;
        let mut list = Vec::with_capacity(count);
        for item in items {
            for expr in item.into_inner() {
                let expr = self.expr(expr);
                depth = depth.max(expr.depth);
                list.push(expr.node);
            }
        }
        match list.pop() {
            // The parentheses are gone from the tree, but belong to the place.
            Some(expr) if !tuple => Deep {
                node: Expr { span, ..expr },
                depth,
            },
            last => {
                list.extend(last);
                self.node(ExprKind::Tuple(list), span, depth)
            }
        }
    }

    /// `(a = 1, b = 2)`
    fn named_items(&self, items: Vec<Pair<'_, Rule>>, span: Span) -> Deep<Expr> {
        let mut depth = 0;
        let mut fields: Vec<(Spanned<String>, Expr)> = Vec::with_capacity(items.len());
        let mut names = HashSet::new();
        for item in items {
            let place = self.span(&item);
            let mut parts = item.into_inner().peekable();
            let Some(label) = parts.next_if(|part| part.as_rule() == Rule::paren_label) else {
                let message = "this field of the record has no name";
                self.error(Diagnostic::error(place, message).help("write `(a = 1, b = 2)`"));
                continue;
            };
            let text = label.as_str();
            let length = text
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(text.len());
            let start = self.span(&label).start as usize;
            let name = Spanned::new(text[..length].to_owned(), Span::new(start, start + length));
            if !names.insert(name.node.clone()) {
                let message = format!("the record has two fields `{}`", name.node);
                self.error(Diagnostic::error(name.span, message));
            }
            for expr in parts {
                let value = self.expr(expr);
                depth = depth.max(value.depth);
                fields.push((name.clone(), value.node));
            }
        }
        self.node(ExprKind::Record(fields), span, depth)
    }

    pub(super) fn prefix(&self, op: Pair<'_, Rule>, operand: Deep<Expr>) -> Deep<Expr> {
        let span = self.span(&op).to(operand.node.span);
        let mut depth = operand.depth;
        let unary = |op| {
            move |operand| ExprKind::Unary {
                op,
                operand: Box::new(operand),
            }
        };
        let kind = match op.as_rule() {
            Rule::neg => unary(UnaryOp::Neg)(operand.node),
            Rule::not => unary(UnaryOp::Not)(operand.node),
            Rule::bit_not => unary(UnaryOp::BitNot)(operand.node),
            Rule::deref => unary(UnaryOp::Deref)(operand.node),
            Rule::address_of => unary(UnaryOp::AddressOf)(operand.node),
            rule @ (Rule::pre_inc | Rule::pre_dec) => {
                self.inc_dec(self.span(&op), operand.node, rule == Rule::pre_inc, true)
            }
            Rule::cast => match op.clone().into_inner().next().map(|ty| self.any_type(ty)) {
                Some((Ok(ty), deep)) => {
                    depth = depth.max(deep);
                    ExprKind::Cast {
                        ty,
                        operand: Box::new(operand.node),
                    }
                }
                other => {
                    let what = other.and_then(|(ty, _)| ty.err()).unwrap_or("casts");
                    return self.node(self.text_of(what, span, self.span(&op)), span, 0);
                }
            },
            _ => ExprKind::Comptime(Box::new(operand.node)),
        };
        self.node(kind, span, depth)
    }

    pub(super) fn postfix(&self, operand: Deep<Expr>, op: Pair<'_, Rule>) -> Deep<Expr> {
        let op_span = self.span(&op);
        let span = operand.node.span.to(op_span);
        let mut depth = operand.depth;
        let base = operand.node;
        let kind = match op.as_rule() {
            rule @ (Rule::post_inc | Rule::post_dec) => {
                self.inc_dec(op_span, base, rule == Rule::post_inc, false)
            }
            Rule::field => {
                let arrow = op.as_str().starts_with("->");
                let name = op
                    .into_inner()
                    .find(|part| part.as_rule() == Rule::field_name)
                    .map(|name| Spanned::new(name.as_str().to_owned(), self.span(&name)));
                ExprKind::Field {
                    base: Box::new(base),
                    name: name.unwrap_or(Spanned::new(String::new(), op_span)),
                    arrow,
                }
            }
            Rule::tuple_field => {
                let digits = op.as_str().trim_start_matches('.').trim_start();
                let digits = digits.trim_start_matches(|c: char| !c.is_ascii_digit());
                let index = digits.parse().unwrap_or_else(|_| {
                    self.error(Diagnostic::error(
                        op_span,
                        "the number of this tuple field is too large",
                    ));
                    0
                });
                let at = Span::new(op_span.end as usize - digits.len(), op_span.end as usize);
                ExprKind::TupleField {
                    base: Box::new(base),
                    index: Spanned::new(index, at),
                }
            }
            _ => {
                let index = op
                    .into_inner()
                    .find(|part| part.as_rule() == Rule::expr)
                    .map_or_else(|| self.dummy(op_span), |index| self.expr(index));
                depth = depth.max(index.depth);
                ExprKind::Index {
                    base: Box::new(base),
                    index: Box::new(index.node),
                }
            }
        };
        self.node(kind, span, depth)
    }

    pub(super) fn inc_dec(
        &self,
        op: Span,
        target: Expr,
        increment: bool,
        prefix: bool,
    ) -> ExprKind {
        if !matches!(
            target.kind,
            ExprKind::Variable(_) | ExprKind::Map { .. } | ExprKind::Bool(_)
        ) || matches!(target.kind, ExprKind::Bool(_)) && !self.failed()
        {
            let sign = if increment { "++" } else { "--" };
            self.error(
                Diagnostic::error(op, format!("`{sign}` needs a variable or a map element")).help(
                    "only these can be incremented or decremented; to subtract a negative number, write `1 - -1`",
                ),
            );
        }
        ExprKind::IncDec {
            target: Box::new(target),
            increment,
            prefix,
        }
    }

    pub(super) fn infix(
        &self,
        left: Deep<Expr>,
        op: Pair<'_, Rule>,
        right: Deep<Expr>,
    ) -> Deep<Expr> {
        let span = left.node.span.to(right.node.span);
        let mut depth = left.depth.max(right.depth);
        let kind = match op.as_rule() {
            Rule::ternary => {
                let then = op
                    .into_inner()
                    .find(|part| part.as_rule() == Rule::expr)
                    .map(|then| self.expr(then));
                depth = then.as_ref().map_or(depth, |then| depth.max(then.depth));
                ExprKind::Ternary {
                    condition: Box::new(left.node),
                    then: then.map(|then| Box::new(then.node)),
                    otherwise: Box::new(right.node),
                }
            }
            rule => return self.binary(left, binary(rule), right, span),
        };
        self.node(kind, span, depth)
    }

    /// `left op right`, as one node with what `left` is made of if that has operators of the same precedence.
    fn binary(&self, left: Deep<Expr>, op: BinaryOp, right: Deep<Expr>, span: Span) -> Deep<Expr> {
        match left.node.kind {
            ExprKind::Binary { first, mut rest } if rest[0].0.precedence() == op.precedence() => {
                if rest.len() >= MAX_OPERANDS {
                    self.too_many_operands(right.node.span);
                    return self.dummy(span);
                }
                rest.push((op, right.node));
                let kind = ExprKind::Binary { first, rest };
                self.node(kind, span, right.depth.max(left.depth - 1))
            }
            kind => {
                let first = Box::new(Expr { kind, ..left.node });
                let rest = vec![(op, right.node)];
                let kind = ExprKind::Binary { first, rest };
                self.node(kind, span, left.depth.max(right.depth))
            }
        }
    }
}

fn binary(rule: Rule) -> BinaryOp {
    match rule {
        Rule::add => BinaryOp::Add,
        Rule::sub => BinaryOp::Sub,
        Rule::mul => BinaryOp::Mul,
        Rule::div => BinaryOp::Div,
        Rule::rem => BinaryOp::Mod,
        Rule::bit_and => BinaryOp::BitAnd,
        Rule::bit_or => BinaryOp::BitOr,
        Rule::bit_xor => BinaryOp::BitXor,
        Rule::shl => BinaryOp::Shl,
        Rule::shr => BinaryOp::Shr,
        Rule::and => BinaryOp::And,
        Rule::or => BinaryOp::Or,
        Rule::ne => BinaryOp::Ne,
        Rule::lt => BinaryOp::Lt,
        Rule::le => BinaryOp::Le,
        Rule::gt => BinaryOp::Gt,
        Rule::ge => BinaryOp::Ge,
        _ => BinaryOp::Eq,
    }
}
