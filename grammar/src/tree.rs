//! From the grammar's pairs to the syntax tree.
//!
//! The grammar has accepted the text; what is left to refuse here are literals without a value, targets of `++` that
//! cannot change, expressions that are too long, and trees deeper than
//! [`crate::MAX_DEPTH`] that brackets do not show (`!!!…`).

mod declarations;
mod expressions;
mod statements;
mod types;

use std::cell::RefCell;

use pest::iterators::Pair;

use crate::ast::*;
use crate::diagnostic::Diagnostic;
use crate::literal::{self, LiteralError};
use crate::rule::Rule;
use crate::scan::MAX_OPERANDS;
use crate::span::{Span, Spanned};

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
            Rule::macro_item => Item::Macro(self.macro_item(pair)),
            Rule::fn_item => unsupported("functions defined in scripts", &pair, 0),
            Rule::import => self.import(pair),
            Rule::map_decl => Item::MapDeclaration(self.map_declaration(pair)),
            _ => Item::Declaration(self.declaration(pair)),
        }
    }

    /// The expression of a pair whose rule is that.
    pub(crate) fn expression(&self, pair: Pair<'_, Rule>) -> Expr {
        self.expr(pair).node
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

    fn import(&self, pair: Pair<'_, Rule>) -> Item {
        let span = self.trimmed(&pair);
        let mut parts = pair.into_inner();
        let path =
            parts.find_map(|part| unquoted(part.as_str()).map(|text| self.string(text, span)));
        let path = String::from_utf8_lossy(&path.unwrap_or_default()).into_owned();
        Item::Import(Spanned::new(path, span))
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
        self.once(crate::syntax_error::too_deep(span));
    }

    fn too_many_operands(&self, span: Span) {
        let message = format!("this expression has more than {MAX_OPERANDS} operands in a row");
        let help = "split it: keep a part of it in a variable";
        self.once(Diagnostic::error(span, message).help(help));
    }

    /// An error that is said only once of an item.
    fn once(&self, error: Diagnostic) {
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

/// Where the last token of a pair ends. A rule that closes with an optional element has read the blanks before it.
fn end(pair: &Pair<'_, Rule>) -> usize {
    let span = pair.as_span();
    let last = || pair.clone().into_inner().next_back();
    match pair.as_rule() {
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
