//! Macros: what a call of one stands for is put in its place, before anything is checked.
//!
//! What comes in is the tree of a script; what goes out is one without calls of macros. A macro is the script's own or one
//! of the prelude. It is hygienic: its variables get names that nothing else has, and it reaches the script's variables and
//! maps only as arguments. `$a` takes a variable, `@m` a map, and a bare name any expression, which is put in, and so
//! evaluated, wherever the body has the name.
//!
//! Everything that comes from the body of a macro has the place of the call, so that is where messages point;
//! [`Expanded::explain`] adds which macro it was. A body with statements becomes a block, which gives a value if
//! an expression closes the body.

mod substitute;
pub(crate) mod visit;

use super::builtins::Builtin;
use super::functions;
use super::prelude::PRELUDE;
use pfscript_grammar::ast::{
    Block, Expr, ExprKind, Item, Macro, MacroParam, Script, Stmt, StmtKind,
};
use pfscript_grammar::{Diagnostic, MAX_DEPTH, Span};
use std::borrow::Cow;
use std::collections::HashMap;
use substitute::Substitution;

/// The most nodes of the tree that macros may make.
const MAX_NODES: usize = 1 << 18;

/// A script without calls of macros.
pub struct Expanded<'s> {
    /// The script.
    pub script: Cow<'s, Script>,
    /// Where calls were, and what is to be said of them.
    calls: Vec<(Span, String)>,
}

impl Expanded<'_> {
    /// Says of every message at or in a call of a macro which macro that is, the innermost.
    pub fn explain(&self, diagnostics: &mut [Diagnostic]) {
        for diagnostic in diagnostics {
            let span = diagnostic.span;
            let within = |call: &&(Span, String)| call.0.to(span) == call.0;
            let innermost = self
                .calls
                .iter()
                .filter(within)
                .min_by_key(|call| call.0.end - call.0.start);
            if let Some((_, note)) = innermost {
                diagnostic.note.get_or_insert_with(|| note.clone());
                diagnostic.message = substitute::as_written(&diagnostic.message);
            }
        }
    }
}

/// Puts in what the script's calls of macros stand for.
///
/// # Errors
/// What is wrong with the macros and their calls.
pub fn expand(script: &Script) -> Result<Expanded<'_>, Vec<Diagnostic>> {
    let mut expander = Expander {
        own: HashMap::new(),
        stack: Vec::new(),
        depth: 0,
        nodes: 0,
        exhausted: false,
        fresh: 0,
        calls: Vec::new(),
        errors: Vec::new(),
    };
    expander.define(script);
    let mut expanded = script.clone();
    for item in &mut expanded.items {
        match item {
            Item::Probe(probe) => {
                if let Some(predicate) = &mut probe.predicate {
                    expander.expr(predicate);
                }
                expander.block(&mut probe.body);
            }
            Item::Declaration(declaration) => {
                visit::declaration(declaration, &mut |expr| expander.expr(expr));
            }
            _ => {}
        }
    }
    let Expander {
        calls, mut errors, ..
    } = expander;
    let script = match calls.is_empty() {
        true => Cow::Borrowed(script),
        false => Cow::Owned(expanded),
    };
    let expanded = Expanded { script, calls };
    if errors.is_empty() {
        return Ok(expanded);
    }
    expanded.explain(&mut errors);
    errors.dedup();
    Err(errors)
}

/// A macro that a call means.
#[derive(Clone, Copy)]
struct Found<'s> {
    definition: &'s Macro,
    /// It is one of the prelude.
    prelude: bool,
}

struct Expander<'s> {
    /// The script's own macros by name.
    own: HashMap<&'s str, Vec<&'s Macro>>,
    /// The macros whose bodies are being put in, one within the other.
    stack: Vec<Found<'s>>,
    depth: usize,
    nodes: usize,
    /// Macros stand for too much: nothing more is put in.
    exhausted: bool,
    /// How many macros were put in so far.
    fresh: usize,
    calls: Vec<(Span, String)>,
    errors: Vec<Diagnostic>,
}

impl<'s> Expander<'s> {
    fn define(&mut self, script: &'s Script) {
        let kinds = |definition: &Macro| -> Vec<_> {
            let params = definition.params.iter();
            params
                .map(|param| std::mem::discriminant(&param.node))
                .collect()
        };
        for definition in script.macros() {
            let named = self.own.entry(&definition.name.node).or_default();
            let twice = named.iter().any(|other| kinds(other) == kinds(definition));
            named.push(definition);
            if twice {
                self.errors.push(Diagnostic::error(
                    definition.name.span,
                    format!("the macro `{}` is defined twice", definition.name.node),
                ));
            }
        }
    }

    fn block(&mut self, block: &mut Block) {
        for stmt in &mut block.statements {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &mut Stmt) {
        if !self.enter(stmt.span) {
            return;
        }
        if let StmtKind::Expr(expr) = &mut stmt.kind {
            self.children(expr);
            match self.find(expr) {
                Ok(Some(found)) if !found.definition.body.statements.is_empty() => {
                    if let Some(block) = self.statements(expr, found) {
                        stmt.kind = StmtKind::Block(block);
                    }
                }
                Ok(Some(found)) => self.value(expr, found),
                Ok(None) => {}
                Err(error) => self.errors.push(error),
            }
        } else {
            visit::parts(stmt, &mut |part| self.part(part));
        }
        self.depth -= 1;
    }

    fn children(&mut self, expr: &mut Expr) {
        visit::children(expr, &mut |part| self.part(part));
    }

    fn part(&mut self, part: visit::Part<'_>) {
        match part {
            visit::Part::Expr(expr) => self.expr(expr),
            visit::Part::Block(block) => self.block(block),
        }
    }

    fn expr(&mut self, expr: &mut Expr) {
        if !self.enter(expr.span) {
            return;
        }
        self.children(expr);
        match self.find(expr) {
            Ok(Some(found)) => self.value(expr, found),
            Ok(None) => {}
            Err(error) => self.errors.push(error),
        }
        self.depth -= 1;
    }

    /// Counts a node; false if macros made too many or nest too deeply, so that this is the place to stop.
    fn enter(&mut self, span: Span) -> bool {
        if self.exhausted {
            return false;
        }
        if !self.stack.is_empty() {
            self.nodes += 1;
            if self.depth >= MAX_DEPTH || self.nodes > MAX_NODES {
                self.exhausted = true;
                self.errors.push(Diagnostic::error(
                    span,
                    "the expansion of this macro is too large",
                ));
                return false;
            }
        }
        self.depth += 1;
        true
    }

    /// The macro that an expression calls, if it calls one.
    fn find(&self, expr: &Expr) -> Result<Option<Found<'s>>, Diagnostic> {
        let (name, args) = match &expr.kind {
            ExprKind::Ident(name) => (name.as_str(), &[][..]),
            ExprKind::Call { name, args } => (name.node.as_str(), args.as_slice()),
            _ => return Ok(None),
        };
        let mut candidates = Vec::new();
        // What the prelude says means the same in every script.
        if !self.stack.last().is_some_and(|within| within.prelude) {
            let own = self.own.get(name).into_iter().flatten();
            candidates.extend(own.map(|definition| Found {
                definition,
                prelude: false,
            }));
        }
        let fits = |found: &&Found<'s>| mismatch(found.definition, args).is_none();
        if let Some(found) = candidates.iter().find(fits) {
            return Ok(Some(*found));
        }
        // A builtin takes no arguments: with some, its name may be that of a macro.
        let builtin = args.is_empty() && Builtin::named(name).is_some();
        if builtin || functions::named(name).is_some() {
            return Ok(None);
        }
        let prelude = PRELUDE
            .iter()
            .map(|row| &row.definition)
            .filter(|definition| definition.name.node == name)
            .map(|definition| Found {
                definition,
                prelude: true,
            });
        candidates.extend(prelude);
        if let Some(found) = candidates.iter().find(fits) {
            return Ok(Some(*found));
        }
        let closest = candidates
            .iter()
            .filter_map(|found| mismatch(found.definition, args))
            .max_by_key(|mismatch| mismatch.at);
        let Some(closest) = closest else {
            return Ok(None);
        };
        let span = closest.at.and_then(|at| args.get(at)).map(|arg| arg.span);
        let ways: Vec<String> = candidates
            .iter()
            .map(|found| format!("`{}`", found.definition.head()))
            .collect();
        let message = format!("the macro `{name}` takes {}", closest.wanted);
        let span = span.unwrap_or(expr.span);
        let help = format!("it is called as {}", ways.join(" or "));
        Err(Diagnostic::error(span, message).help(help))
    }

    /// Puts the value of a macro in the place of its call, whose arguments are expanded.
    fn value(&mut self, expr: &mut Expr, found: Found<'s>) {
        let definition = found.definition;
        let mut value = match &definition.value {
            Some(value) if definition.body.statements.is_empty() => value.clone(),
            _ if definition.body.statements.is_empty() => {
                self.errors.push(Diagnostic::error(
                    expr.span,
                    format!("the macro `{}` is empty", definition.name.node),
                ));
                return;
            }
            value => Expr {
                kind: ExprKind::Block {
                    body: definition.body.clone(),
                    value: value.clone().map(Box::new),
                },
                span: expr.span,
            },
        };
        let Some(mut substitution) = self.begin(expr, found) else {
            return;
        };
        substitution.expr(&mut value);
        self.end(substitution, |expander| {
            expander.expr(&mut value);
            *expr = value;
        });
    }

    /// The statements of a macro, for the place of its call, whose arguments are expanded.
    fn statements(&mut self, call: &mut Expr, found: Found<'s>) -> Option<Block> {
        let mut substitution = self.begin(call, found)?;
        let mut block = found.definition.body.clone();
        let value = found.definition.value.iter().cloned();
        block.statements.extend(value.map(|value| Stmt {
            span: value.span,
            kind: StmtKind::Expr(value),
        }));
        substitution.block(&mut block);
        self.end(substitution, |expander| expander.block(&mut block));
        Some(block)
    }

    /// Begins to put in a macro: what its parameters stand for.
    fn begin(&mut self, call: &Expr, found: Found<'s>) -> Option<Substitution<'s>> {
        if self.exhausted {
            return None;
        }
        let definition = found.definition;
        let name = &definition.name.node;
        let origin = if found.prelude { " of the prelude" } else { "" };
        self.calls
            .push((call.span, format!("in the macro `{name}`{origin}")));
        let again = |within: &Found<'s>| std::ptr::eq(within.definition, definition);
        if self.stack.iter().any(again) {
            let chain: Vec<&str> = self
                .stack
                .iter()
                .chain([&found])
                .map(|within| within.definition.name.node.as_str())
                .collect();
            self.errors.push(
                Diagnostic::error(call.span, format!("the macro `{name}` calls itself"))
                    .help(format!("the chain of calls is {}", chain.join(" > "))),
            );
            return None;
        }
        self.stack.push(found);
        self.fresh += 1;
        let args = match &call.kind {
            ExprKind::Call { args, .. } => args.clone(),
            _ => Vec::new(),
        };
        let left = MAX_NODES.saturating_sub(self.nodes);
        Some(Substitution::new(
            definition,
            args,
            call.span,
            !found.prelude,
            self.fresh,
            left,
        ))
    }

    /// Ends to put in a macro: goes on with the macros in its body, if all went well.
    fn end(&mut self, substitution: Substitution<'s>, go_on: impl FnOnce(&mut Self)) {
        match substitution.into_error() {
            None => go_on(self),
            Some(error) => self.errors.push(error),
        }
        self.stack.pop();
    }
}

/// Why a call does not fit a macro.
struct Mismatch {
    /// The first argument that is wrong; `None` if there are too few or too many.
    at: Option<usize>,
    /// What the macro takes.
    wanted: String,
}

fn mismatch(definition: &Macro, args: &[Expr]) -> Option<Mismatch> {
    let (takes, has) = (definition.params.len(), args.len());
    if takes != has {
        let takes = functions::arguments(takes);
        return Some(Mismatch {
            at: None,
            wanted: format!("{takes}, but {} given", functions::given(has)),
        });
    }
    for (at, (param, arg)) in definition.params.iter().zip(args).enumerate() {
        let wanted = match (&param.node, &arg.kind) {
            (MacroParam::Name(_), _)
            | (MacroParam::Variable(_), ExprKind::Variable(_))
            | (MacroParam::Map(_), ExprKind::Map { keys: None, .. }) => continue,
            (MacroParam::Variable(_), _) => "a variable here",
            (MacroParam::Map(_), _) => "a whole map here",
        };
        return Some(Mismatch {
            at: Some(at),
            wanted: wanted.into(),
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    fn expanded(source: &str) -> Result<String, String> {
        let script = pfscript_grammar::parse(source).unwrap();
        let message = |errors: Vec<Diagnostic>| errors[0].message.clone();
        let expanded = expand(&script).map_err(message)?;
        let probe = expanded.script.probes().next().unwrap().clone();
        let text = pfscript_grammar::format(&Script {
            items: vec![Item::Probe(probe)],
        });
        Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn arguments_are_put_in_whole_and_variables_are_set_apart() {
        assert_eq!(
            expanded("macro twice(x) { x * 2 } BEGIN { print(twice(1 + 1)); }").unwrap(),
            "BEGIN { print((1 + 1) * 2); }"
        );
        assert_eq!(
            expanded(
                "macro keep(x, $to) { let $y = x; $to = $y; } BEGIN { keep($y, $x); keep(1, $x) }"
            )
            .unwrap(),
            "BEGIN { { let $y#1 = $y; $x = $y#1; } { let $y#2 = 1; $x = $y#2; } }"
        );
    }

    #[test]
    fn names_of_the_tables_mean_the_macro_if_it_fits() {
        let script =
            "macro len(a, b) { a } macro pid() { 1 } BEGIN { print(len(@x) + len(2, 3) + pid); }";
        assert_eq!(
            expanded(script).unwrap(),
            "BEGIN { print(len(@x) + 2 + 1); }"
        );
    }

    #[test]
    fn macros_that_stand_for_too_much_are_refused() {
        let mut doubling = "macro m0(x) { x + x }\n".to_string();
        for n in 1..40 {
            writeln!(doubling, "macro m{n}(x) {{ m{0}(m{0}(x)) }}", n - 1).unwrap();
        }
        let mut nesting = "macro m0() { 1 }\n".to_string();
        for n in 1..2000 {
            writeln!(nesting, "macro m{n}() {{ -m{}() }}", n - 1).unwrap();
        }
        let many = format!("macro m39(x) {{ {} }}", vec!["x"; 20_000].join("; "));
        let large = format!("m39({})", vec!["1"; 100].join(" + "));
        for (macros, call) in [
            (doubling, "m39(1)"),
            (nesting, "m1999()"),
            (many, large.as_str()),
        ] {
            let script = format!("{macros} BEGIN {{ {call}; }}");
            assert_eq!(
                expanded(&script).unwrap_err(),
                "the expansion of this macro is too large"
            );
        }
    }
}
