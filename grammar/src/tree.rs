//! From the grammar's pairs to the syntax tree.
//!
//! The grammar has accepted the text; what is left to refuse here are literals without a value, targets of `++` that
//! cannot change, and trees deeper than [`MAX_DEPTH`] that brackets do not show (`1+1+1+…`, `else if` chains).

use std::cell::RefCell;
use std::sync::LazyLock;

use pest::iterators::{Pair, Pairs};
use pest::pratt_parser::{Assoc, Op, PrattParser};

use crate::ast::*;
use crate::diagnostic::Diagnostic;
use crate::literal::{self, LiteralError};
use crate::parse::Rule;
use crate::scan::MAX_DEPTH;
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

/// A node and the depth of the tree below it.
struct Deep<T> {
    node: T,
    depth: usize,
}

/// Builds the nodes of one item, which starts at `base` in the source.
pub(crate) struct Builder<'s> {
    source: &'s str,
    base: usize,
    errors: RefCell<Vec<Diagnostic>>,
}

/// A type as the grammar has it: one that the tree can hold, or the name of what it cannot.
type AnyType = Result<TypeName, &'static str>;

impl<'s> Builder<'s> {
    pub(crate) fn new(source: &'s str, base: usize) -> Builder<'s> {
        Builder {
            source,
            base,
            errors: RefCell::new(Vec::new()),
        }
    }

    /// What was refused, in source order.
    pub(crate) fn into_errors(self) -> Vec<Diagnostic> {
        let mut errors = self.errors.into_inner();
        errors.sort_by_key(|error| error.span.start);
        errors
    }

    // ---- Items

    /// The item of a pair whose rule is one of the items' rules.
    pub(crate) fn item(&self, pair: Pair<'_, Rule>) -> Item {
        let unsupported = |what, pair: &Pair<'_, Rule>, head| {
            Item::Unsupported(self.unsupported(what, pair, head))
        };
        match pair.as_rule() {
            Rule::probe => self.probe(pair),
            Rule::include => self.include(pair),
            Rule::config => Item::Config(
                pair.into_inner()
                    .filter(|pair| pair.as_rule() == Rule::config_entry)
                    .map(|entry| self.config_entry(entry))
                    .collect(),
            ),
            Rule::directive => {
                let head = pair
                    .as_str()
                    .find(char::is_whitespace)
                    .unwrap_or(pair.as_str().len());
                let what = match &pair.as_str()[..head] {
                    "#define" => "macro definitions with `#define`",
                    _ => "preprocessor conditionals and other directives",
                };
                let line = pair.as_str().lines().next().map_or(0, str::len);
                unsupported(what, &pair, line)
            }
            Rule::macro_item => unsupported("macros", &pair, 0),
            Rule::fn_item => unsupported("functions defined in scripts", &pair, 0),
            Rule::import => unsupported("imports", &pair, 0),
            Rule::map_decl => unsupported("map declarations", &pair, 0),
            _ => {
                let what = match first_word(pair.as_str()) {
                    "struct" => "struct definitions",
                    "union" => "union definitions",
                    "enum" => "enum definitions",
                    "typedef" => "type definitions",
                    _ => "C declarations",
                };
                unsupported(what, &pair, 0)
            }
        }
    }

    fn include(&self, pair: Pair<'_, Rule>) -> Item {
        let span = self.trimmed(&pair);
        let path = pair
            .into_inner()
            .next()
            .map(|path| match path.as_rule() {
                // A local include keeps its quotes, so that it can be told from a system one.
                Rule::include_local => path.as_str().to_owned(),
                _ => path.as_str().trim_matches(['<', '>']).to_owned(),
            })
            .unwrap_or_default();
        Item::Include(Spanned::new(path, span))
    }

    fn config_entry(&self, pair: Pair<'_, Rule>) -> ConfigEntry {
        let mut entry = ConfigEntry {
            name: Spanned::new(String::new(), self.span(&pair)),
            value: Spanned::new(String::new(), self.span(&pair)),
        };
        for part in pair.into_inner() {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::config_name => entry.name = Spanned::new(part.as_str().to_owned(), span),
                Rule::config_value => {
                    let value = match unquoted(part.as_str()) {
                        Some(inner) => {
                            let bytes = self.string(inner, span);
                            String::from_utf8_lossy(&bytes).into_owned()
                        }
                        None => part.as_str().to_owned(),
                    };
                    entry.value = Spanned::new(value, span);
                }
                _ => {}
            }
        }
        entry
    }

    fn probe(&self, pair: Pair<'_, Rule>) -> Item {
        let span = self.span(&pair);
        let mut attach_points = Vec::new();
        let mut named = None;
        let mut predicate = None;
        let mut body = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::attach_points => {
                    for point in part.into_inner() {
                        if point.as_rule() == Rule::attach_point {
                            let (point, name) = self.attach_point(point);
                            attach_points.push(point);
                            named = named.or(name);
                        }
                    }
                }
                Rule::predicate => {
                    predicate = part
                        .into_inner()
                        .find(|pair| pair.as_rule() == Rule::expr)
                        .map(|expr| self.expr(expr).node);
                }
                _ => body = Some(self.block(part).node),
            }
        }
        if let Some(name) = named {
            return Item::Unsupported(Unsupported {
                what: "named probes",
                text: self.source[span.range()].to_owned(),
                span: name,
            });
        }
        Item::Probe(Probe {
            attach_points,
            predicate,
            body: body.unwrap_or(Block {
                statements: Vec::new(),
                span,
            }),
            span,
        })
    }

    /// The attach point, and the place of its name if it has one.
    fn attach_point(&self, pair: Pair<'_, Rule>) -> (AttachPoint, Option<Span>) {
        let span = self.span(&pair);
        let mut name = None;
        let mut parts = Vec::new();
        for part in pair.into_inner() {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::probe_name => name = Some(span),
                _ => parts.push(Spanned::new(unquote_part(part.as_str()), span)),
            }
        }
        (AttachPoint { parts, span }, name)
    }

    // ---- Statements

    fn block(&self, pair: Pair<'_, Rule>) -> Deep<Block> {
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

    fn statement(&self, pair: Pair<'_, Rule>) -> Deep<Stmt> {
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

    fn let_stmt(&self, pair: Pair<'_, Rule>) -> Deep<StmtKind> {
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

    fn expr_stmt(&self, pair: Pair<'_, Rule>) -> Deep<StmtKind> {
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

    /// An `else if` is a block that holds one `if`, so the chain is folded from its end.
    fn if_chain(&self, pair: Pair<'_, Rule>) -> Deep<StmtKind> {
        type Arm = (Deep<Expr>, Deep<Block>);
        let arm = |pairs: Pairs<'_, Rule>| -> Option<Arm> {
            let mut condition = None;
            for pair in pairs {
                match pair.as_rule() {
                    Rule::expr => condition = Some(self.expr(pair)),
                    Rule::block => return Some((condition?, self.block(pair))),
                    _ => {}
                }
            }
            None
        };
        let span = self.trimmed(&pair);
        let first = arm(pair.clone().into_inner());
        let mut arms: Vec<(Span, Arm)> = first.map(|first| (span, first)).into_iter().collect();
        let mut otherwise = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::else_if => {
                    let start = part
                        .clone()
                        .into_inner()
                        .find(|pair| pair.as_rule() == Rule::kw_if)
                        .map_or(span, |keyword| self.span(&keyword));
                    arms.extend(arm(part.into_inner()).map(|arm| (start, arm)));
                }
                Rule::else_block => {
                    otherwise = part
                        .into_inner()
                        .find(|pair| pair.as_rule() == Rule::block)
                        .map(|block| self.block(block));
                }
                _ => {}
            }
        }
        if arms.len() > MAX_DEPTH {
            self.too_deep(arms[MAX_DEPTH].0);
            arms.truncate(1);
            otherwise = None;
        }
        let mut end = otherwise
            .as_ref()
            .or(arms.last().map(|(_, (_, block))| block))
            .map_or(span, |block| block.node.span);
        loop {
            let Some((start, (condition, then))) = arms.pop() else {
                // Not reached: the grammar has an arm in every chain.
                return Deep {
                    node: StmtKind::Return(None),
                    depth: 0,
                };
            };
            end = end.to(then.node.span);
            let depth = condition
                .depth
                .max(then.depth)
                .max(otherwise.as_ref().map_or(0, |block| block.depth));
            let kind = StmtKind::If {
                condition: condition.node,
                then: then.node,
                otherwise: otherwise.take().map(|block| block.node),
            };
            if arms.is_empty() {
                return Deep { node: kind, depth };
            }
            let span = start.to(end);
            otherwise = Some(Deep {
                node: Block {
                    statements: vec![Stmt { kind, span }],
                    span,
                },
                depth: depth + 1,
            });
        }
    }

    // ---- Expressions

    fn expr(&self, pair: Pair<'_, Rule>) -> Deep<Expr> {
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
    fn node(&self, kind: ExprKind, span: Span, depth: usize) -> Deep<Expr> {
        if depth >= MAX_DEPTH {
            self.too_deep(span);
            return self.dummy(span);
        }
        Deep {
            node: Expr { kind, span },
            depth: depth + 1,
        }
    }

    fn primary(&self, pair: Pair<'_, Rule>) -> Deep<Expr> {
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
                        "there are not that many parameters",
                    ));
                    ExprKind::Positional(1)
                }
            },
            Rule::variable => ExprKind::Variable(text[1..].to_owned()),
            Rule::name => return self.name(pair),
            Rule::map => return self.map(pair),
            Rule::paren => return self.paren(pair),
            Rule::block_expr => return unsupported("block expressions"),
            Rule::if_expr => return unsupported("if expressions"),
            Rule::sizeof => return unsupported("sizeof expressions"),
            Rule::offsetof => return unsupported("offsetof expressions"),
            _ => return unsupported("typeof expressions"),
        };
        self.node(kind, span, 0)
    }

    fn map(&self, pair: Pair<'_, Rule>) -> Deep<Expr> {
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
    fn name(&self, pair: Pair<'_, Rule>) -> Deep<Expr> {
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
    fn exprs(&self, pair: Pair<'_, Rule>) -> (Vec<Expr>, usize) {
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
    fn paren(&self, pair: Pair<'_, Rule>) -> Deep<Expr> {
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
        if labelled || count == 0 {
            let what = if labelled { "records" } else { "empty tuples" };
            let unsupported = self.unsupported(what, &pair, 0);
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

    fn prefix(&self, op: Pair<'_, Rule>, operand: Deep<Expr>) -> Deep<Expr> {
        let span = self.span(&op).to(operand.node.span);
        let depth = operand.depth;
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
            Rule::cast => match op.clone().into_inner().next().map(|ty| self.cast_type(ty)) {
                Some(Ok(ty)) => ExprKind::Cast {
                    ty,
                    operand: Box::new(operand.node),
                },
                other => {
                    let what = other.and_then(Result::err).unwrap_or("casts");
                    return self.node(self.text_of(what, span, self.span(&op)), span, 0);
                }
            },
            _ => {
                let keyword = self.trimmed(&op);
                return self.node(self.text_of("comptime expressions", span, keyword), span, 0);
            }
        };
        self.node(kind, span, depth)
    }

    fn postfix(&self, operand: Deep<Expr>, op: Pair<'_, Rule>) -> Deep<Expr> {
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
                    self.error(Diagnostic::error(op_span, "no tuple has that many fields"));
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

    fn inc_dec(&self, op: Span, target: Expr, increment: bool, prefix: bool) -> ExprKind {
        if !matches!(
            target.kind,
            ExprKind::Variable(_) | ExprKind::Map { .. } | ExprKind::Bool(_)
        ) || matches!(target.kind, ExprKind::Bool(_)) && !self.failed()
        {
            let sign = if increment { "++" } else { "--" };
            self.error(
                Diagnostic::error(op, format!("`{sign}` needs a variable or a map element")).help(
                    "only these can be changed; to subtract a negative number, write `1 - -1`",
                ),
            );
        }
        ExprKind::IncDec {
            target: Box::new(target),
            increment,
            prefix,
        }
    }

    fn infix(&self, left: Deep<Expr>, op: Pair<'_, Rule>, right: Deep<Expr>) -> Deep<Expr> {
        let span = left.node.span.to(right.node.span);
        let mut depth = left.depth.max(right.depth);
        let kind = match op.as_rule() {
            Rule::ternary => {
                let mark = self.span(&op);
                let then = op
                    .into_inner()
                    .find(|part| part.as_rule() == Rule::expr)
                    .map(|then| self.expr(then));
                match then {
                    Some(then) => {
                        depth = depth.max(then.depth);
                        ExprKind::Ternary {
                            condition: Box::new(left.node),
                            then: Box::new(then.node),
                            otherwise: Box::new(right.node),
                        }
                    }
                    None => {
                        depth = 0;
                        self.text_of("conditionals without a second operand", span, mark)
                    }
                }
            }
            rule => ExprKind::Binary {
                op: binary(rule),
                left: Box::new(left.node),
                right: Box::new(right.node),
            },
        };
        self.node(kind, span, depth)
    }

    // ---- Types

    fn cast_type(&self, pair: Pair<'_, Rule>) -> AnyType {
        match pair.as_rule() {
            Rule::type_typeof => Err("typeof expressions"),
            _ => self.type_name(pair),
        }
    }

    fn type_any(&self, pair: Pair<'_, Rule>) -> AnyType {
        match pair.into_inner().next() {
            Some(ty) if ty.as_rule() == Rule::type_name => self.type_name(ty),
            Some(ty) if ty.as_rule() == Rule::type_tuple => Err("tuple types"),
            _ => Err("typeof expressions"),
        }
    }

    fn type_name(&self, pair: Pair<'_, Rule>) -> AnyType {
        let mut ty = TypeName {
            tag: None,
            name: String::new(),
            pointers: 0,
            array: None,
            span: self.trimmed(&pair),
        };
        let mut arrays = 0;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::qualifier => {}
                Rule::type_tag => {
                    ty.tag = Some(match part.as_str() {
                        "union" => TypeTag::Union,
                        "enum" => TypeTag::Enum,
                        _ => TypeTag::Struct,
                    });
                }
                Rule::pointer => ty.pointers += 1,
                Rule::array => {
                    arrays += 1;
                    let size = part.into_inner().next().map(|number| {
                        literal::integer(number.as_str()).unwrap_or_else(|error| {
                            self.literal_error(error, self.span(&number), 0);
                            0
                        })
                    });
                    ty.array = Some(size);
                }
                _ => {
                    if !ty.name.is_empty() {
                        ty.name.push(' ');
                    }
                    ty.name.push_str(part.as_str());
                }
            }
        }
        if arrays > 1 {
            return Err("arrays of arrays");
        }
        Ok(ty)
    }

    // ---- Helpers

    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        Span::new(self.base + span.start(), self.base + span.end())
    }

    /// The span without the blanks and comments that an optional last element leaves behind.
    fn trimmed(&self, pair: &Pair<'_, Rule>) -> Span {
        Span::new(self.base + pair.as_span().start(), self.base + end(pair))
    }

    /// The construct as text. It is pointed at by its first `head` bytes, or by its first word if that is 0.
    fn unsupported(&self, what: &'static str, pair: &Pair<'_, Rule>, head: usize) -> Unsupported {
        let span = self.trimmed(pair);
        let text = &self.source[span.range()];
        let head = match head {
            0 => first_word(text).len().max(1).min(text.len()),
            head => head.min(text.trim_end().len()),
        };
        let start = span.start as usize;
        Unsupported {
            what,
            text: text.to_owned(),
            span: Span::new(start, start + head),
        }
    }

    fn text_of(&self, what: &'static str, whole: Span, place: Span) -> ExprKind {
        ExprKind::Unsupported(Unsupported {
            what,
            text: self.source[whole.range()].to_owned(),
            span: place,
        })
    }

    fn string(&self, inner: &str, span: Span) -> Vec<u8> {
        literal::string(inner).unwrap_or_else(|error| {
            self.literal_error(error, span, 1);
            Vec::new()
        })
    }

    fn literal_error(&self, error: LiteralError, span: Span, quote: usize) {
        let start = span.start as usize + quote;
        let mut diagnostic = Diagnostic::error(
            Span::new(start + error.start, start + error.end),
            error.message,
        );
        diagnostic.help = error.help;
        self.error(diagnostic);
    }

    fn error(&self, diagnostic: Diagnostic) {
        let mut errors = self.errors.borrow_mut();
        if errors.len() < 20 {
            errors.push(diagnostic);
        }
    }

    fn failed(&self) -> bool {
        !self.errors.borrow().is_empty()
    }

    fn too_deep(&self, span: Span) {
        let error = crate::syntax_error::too_deep(span);
        if !self
            .errors
            .borrow()
            .iter()
            .any(|e| e.message == error.message)
        {
            self.error(error);
        }
    }

    /// Stands in for an expression that was refused.
    fn dummy(&self, span: Span) -> Deep<Expr> {
        Deep {
            node: Expr {
                kind: ExprKind::Bool(false),
                span,
            },
            depth: 0,
        }
    }
}

impl<T> Deep<T> {
    fn map<U>(self, f: impl FnOnce(T) -> U) -> Deep<U> {
        Deep {
            node: f(self.node),
            depth: self.depth,
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

/// Where the last token of a pair ends. A rule that closes with an optional element has read the blanks before it.
fn end(pair: &Pair<'_, Rule>) -> usize {
    let span = pair.as_span();
    let last = || pair.clone().into_inner().next_back();
    match pair.as_rule() {
        Rule::directive => span.start() + pair.as_str().trim_end().len(),
        Rule::pointer => last().map_or(span.start() + 1, |last| end(&last)),
        Rule::expr
        | Rule::expr_stmt
        | Rule::let_stmt
        | Rule::return_stmt
        | Rule::if_chain
        | Rule::if_expr
        | Rule::comptime_if
        | Rule::comptime
        | Rule::map
        | Rule::name
        | Rule::map_decl
        | Rule::type_any
        | Rule::type_name
        | Rule::type_sure
        | Rule::type_loose => last().map_or(span.end(), |last| end(&last)),
        _ => span.end(),
    }
}

fn first_word(text: &str) -> &str {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    &text[..end]
}

/// The inside of a quoted literal.
fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

/// A part of an attach point without its quotes. Inside them, `\"` and `\\` are a quote and a backslash.
fn unquote_part(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('"', _) => quoted = !quoted,
            ('\\', Some(&next @ ('"' | '\\'))) if quoted => {
                out.push(next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}
