//! C's preprocessor, as far as scripts use it: conditions, and names for expressions.
//!
//! In comes the text of a script. Out goes a text of the same length, in which directives and what conditions leave out are
//! blanks, so that every place stays where it is; and the definitions, each as a macro. So a `#define` is an expression that
//! has a name: one whose text is none (a type, half a statement) is known to conditions alone. `#include` is left to
//! the grammar.
//!
//! A directive begins a line, outside comments and strings.

mod condition;

use crate::ast::{Block, Expr, Macro, MacroParam};
use crate::diagnostic::Diagnostic;
use crate::rule::{Rule, ScriptParser};
use crate::scan::{self, Flaw, Until};
use crate::span::{Span, Spanned};
use crate::tree::Builder;
use pest::Parser as _;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// What clang defines for bpftrace's scripts. Types come from BTF here, always.
const PREDEFINED: [&str; 1] = ["BPFTRACE_HAVE_BTF"];

/// A name for an expression; without one, a name that conditions may ask for.
struct Definition {
    name: Spanned<String>,
    params: Vec<Spanned<MacroParam>>,
    value: Option<Expr>,
    span: Span,
}

/// An `#if` and what belongs to it.
struct Conditional {
    span: Span,
    /// This part is taken, and what is around it.
    taken: bool,
    /// One part was, or what is around it is not.
    settled: bool,
    /// Its `#else` was seen.
    last: bool,
}

/// Carries out the directives from `start` on.
///
/// # Errors
/// The first directive that is wrong.
pub(crate) fn preprocess(
    source: &str,
    start: usize,
) -> Result<(Cow<'_, str>, Vec<Macro>), Diagnostic> {
    let mut preprocessor = Preprocessor::new(source);
    preprocessor.run(start)?;
    Ok(preprocessor.finish())
}

/// What is included from `start` on, where conditions take it; what comes before a directive that is wrong.
pub(crate) fn includes(source: &str, start: usize) -> Vec<Spanned<String>> {
    let mut preprocessor = Preprocessor::new(source);
    // The parser says what is wrong.
    let _ = preprocessor.run(start);
    preprocessor.includes
}

struct Preprocessor<'s> {
    source: &'s str,
    output: Cow<'s, str>,
    /// Each with its place in the order of definitions.
    definitions: HashMap<&'s str, (usize, Definition)>,
    order: usize,
    open: Vec<Conditional>,
    includes: Vec<Spanned<String>>,
}

impl<'s> Preprocessor<'s> {
    fn new(source: &'s str) -> Preprocessor<'s> {
        Preprocessor {
            source,
            output: Cow::Borrowed(source),
            definitions: HashMap::new(),
            order: 0,
            open: Vec::new(),
            includes: Vec::new(),
        }
    }

    fn run(&mut self, start: usize) -> Result<(), Diagnostic> {
        let source = self.source;
        let mut at = start;
        let mut comment = false;
        while at < source.len() {
            let mut whole = at..line_end(source, at);
            let directive = (!comment).then(|| directive(source, &whole)).flatten();
            comment = ends_in_comment(&source[whole.clone()], comment);
            // A directive goes on behind a backslash, and behind a comment.
            while directive.is_some()
                && whole.end < source.len()
                && (comment || goes_on(&source[whole.clone()]))
            {
                let next = whole.end..line_end(source, whole.end);
                comment = ends_in_comment(&source[next.clone()], comment);
                whole.end = next.end;
            }
            match directive {
                Some(name) => self.directive(name, whole.clone())?,
                None if !self.is_taken() => self.blank(whole.clone()),
                None => {}
            }
            at = whole.end;
        }
        if let Some(open) = self.open.last() {
            return Err(Diagnostic::error(
                open.span,
                "no `#endif` ends this condition",
            ));
        }
        Ok(())
    }

    fn is_taken(&self) -> bool {
        self.open.last().is_none_or(|condition| condition.taken)
    }

    fn blank(&mut self, range: Range<usize>) {
        let blanks: String = self.source[range.clone()]
            .bytes()
            .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
            .collect();
        self.output.to_mut().replace_range(range, &blanks);
    }

    /// Carries out a directive, whose name is at `name`.
    fn directive(&mut self, name: Range<usize>, whole: Range<usize>) -> Result<(), Diagnostic> {
        let span = Span::new(whole.start, name.end);
        let rest = name.end..whole.start + self.source[whole.clone()].trim_end().len();
        let rest = rest.start..rest.end.max(rest.start);
        let taken = self.is_taken();
        match &self.source[name.clone()] {
            "include" => {
                if taken {
                    let span = Span::new(whole.start, rest.end);
                    self.includes
                        .extend(path(&self.source[rest]).map(|path| Spanned::new(path, span)));
                } else {
                    self.blank(whole);
                }
                return Ok(());
            }
            "ifdef" => self.begin(span, |this| Ok(this.is_defined(&this.name(&rest)?.node)))?,
            "ifndef" => self.begin(span, |this| Ok(!this.is_defined(&this.name(&rest)?.node)))?,
            "if" => self.begin(span, |this| this.holds(&rest))?,
            "elif" => {
                let settled = self.next_part(span)?;
                let holds = !settled && self.holds(&rest)?;
                self.take(holds);
            }
            "else" => {
                let settled = self.next_part(span)?;
                self.take(!settled);
                if let Some(open) = self.open.last_mut() {
                    open.last = true;
                }
            }
            "endif" => {
                if self.open.pop().is_none() {
                    return Err(nothing_open(span));
                }
            }
            _ if !taken => {}
            "define" => self.define(&rest)?,
            "undef" => {
                let name = self.name(&rest)?;
                self.definitions.remove(name.node.as_str());
            }
            "error" => {
                let text = self.source[rest].trim();
                return Err(Diagnostic::error(span, format!("the script says: {text}")));
            }
            "warning" | "pragma" | "line" => {}
            other => {
                let known = [
                    "if", "ifdef", "ifndef", "elif", "else", "endif", "define", "undef", "include",
                    "error",
                ];
                let error = Diagnostic::error(span, format!("there is no directive `#{other}`"));
                return Err(error.suggest(other, known));
            }
        }
        self.blank(whole);
        Ok(())
    }

    fn begin(
        &mut self,
        span: Span,
        holds: impl FnOnce(&Self) -> Result<bool, Diagnostic>,
    ) -> Result<(), Diagnostic> {
        let around = self.is_taken();
        let taken = around && holds(self)?;
        self.open.push(Conditional {
            span,
            taken,
            settled: taken || !around,
            last: false,
        });
        Ok(())
    }

    /// Goes on to the next part of a condition; whether another one was taken.
    fn next_part(&mut self, span: Span) -> Result<bool, Diagnostic> {
        let open = self.open.last_mut().ok_or_else(|| nothing_open(span))?;
        if open.last {
            return Err(Diagnostic::error(span, "this condition had its `#else`"));
        }
        open.taken = false;
        Ok(open.settled)
    }

    fn take(&mut self, part: bool) {
        if let Some(open) = self.open.last_mut() {
            open.taken = part;
            open.settled |= part;
        }
    }

    /// The name that is all that a directive is given.
    fn name(&self, rest: &Range<usize>) -> Result<Spanned<String>, Diagnostic> {
        let text = &self.source[rest.clone()];
        let start = rest.start + (text.len() - text.trim_start().len());
        let end = word_end(self.source, start);
        if end == start {
            let span = Span::new(rest.start, rest.end);
            return Err(Diagnostic::error(span, "expected a name"));
        }
        Ok(Spanned::new(
            self.source[start..end].to_owned(),
            Span::new(start, end),
        ))
    }

    fn is_defined(&self, name: &str) -> bool {
        PREDEFINED.contains(&name) || self.definitions.contains_key(name)
    }

    fn define(&mut self, rest: &Range<usize>) -> Result<(), Diagnostic> {
        let name = self.name(rest)?;
        let mut at = name.span.end as usize;
        let mut params = Vec::new();
        if self.source[at..rest.end].starts_with('(') {
            let inside = at + 1..rest.end;
            let Some(length) = self.source[inside.clone()].find(')') else {
                let span = Span::new(at, at + 1);
                return Err(Diagnostic::error(span, "no `)` closes these parameters"));
            };
            params = self.params(inside.start..inside.start + length)?;
            at = inside.start + length + 1;
        }
        let definition = Definition {
            value: expression(self.source, at..rest.end),
            span: Span::new(name.span.start as usize, rest.end),
            name,
            params,
        };
        let key = &self.source[definition.name.span.range()];
        self.order += 1;
        self.definitions.insert(key, (self.order, definition));
        Ok(())
    }

    fn params(&self, range: Range<usize>) -> Result<Vec<Spanned<MacroParam>>, Diagnostic> {
        let text = &self.source[range.clone()];
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let mut params = Vec::new();
        let mut start = range.start;
        for part in text.split(',') {
            let name = self.name(&(start..start + part.len()))?;
            let rest = &self.source[name.span.end as usize..start + part.len()];
            if !rest.trim().is_empty() {
                let span = Span::new(start, start + part.len());
                return Err(Diagnostic::error(span, "expected the name of a parameter"));
            }
            params.push(Spanned::new(MacroParam::Name(name.node), name.span));
            start += part.len() + 1;
        }
        Ok(params)
    }

    fn holds(&self, rest: &Range<usize>) -> Result<bool, Diagnostic> {
        let text = &self.source[rest.clone()];
        let span = Span::new(
            rest.start + (text.len() - text.trim_start().len()),
            rest.end,
        );
        let asked = condition::with_parentheses(text);
        let Some(expr) = expression(&asked, 0..asked.len()) else {
            return Err(Diagnostic::error(span, "expected a condition"));
        };
        let known = |name: &str| match self.definitions.get(name) {
            Some((_, definition)) => condition::Known::Defined(definition.value.as_ref()),
            None if PREDEFINED.contains(&name) => condition::Known::Defined(None),
            None => condition::Known::Unknown,
        };
        condition::value(&expr, &known)
            .map(|value| value != 0)
            .map_err(|message| Diagnostic::error(span, message))
    }

    fn finish(self) -> (Cow<'s, str>, Vec<Macro>) {
        let mut definitions: Vec<_> = self.definitions.into_values().collect();
        definitions.sort_by_key(|(order, _)| *order);
        let macros = definitions.into_iter().filter_map(|(_, definition)| {
            Some(Macro {
                body: Block {
                    statements: Vec::new(),
                    span: definition.span,
                },
                value: Some(definition.value?),
                name: definition.name,
                params: definition.params,
                span: definition.span,
            })
        });
        (self.output, macros.collect())
    }
}

fn nothing_open(span: Span) -> Diagnostic {
    Diagnostic::error(span, "there is no `#if` before this")
}

/// The expression that a part of a text is, if it is one. Backslashes at the ends of lines are passed over.
fn expression(source: &str, range: Range<usize>) -> Option<Expr> {
    let joined = source[range.clone()]
        .replace("\\\r\n", "  \n")
        .replace("\\\n", " \n");
    let scan = scan::scan(&joined, 0, Until::Position(joined.len()));
    if matches!(scan.flaw, Some(Flaw::TooDeep { .. })) {
        return None;
    }
    let pairs = ScriptParser::parse(Rule::definition, &joined).ok()?;
    let expr = pairs
        .flat_map(|pair| pair.into_inner())
        .find(|pair| pair.as_rule() == Rule::expr)?;
    let builder = Builder::new(source, range.start);
    let expr = builder.expression(expr);
    builder.into_errors().is_empty().then_some(expr)
}

/// The name of the directive that a line is, without its `#`.
fn directive(source: &str, line: &Range<usize>) -> Option<Range<usize>> {
    let text = source[line.clone()].trim_start_matches([' ', '\t']);
    let name = text.strip_prefix('#')?.trim_start_matches([' ', '\t']);
    let start = line.end - name.len();
    let end = word_end(source, start);
    (end > start).then_some(start..end)
}

/// The path behind `include`, with its quotes or brackets.
fn path(text: &str) -> Option<String> {
    let text = text.trim_start();
    let close = match text.bytes().next()? {
        b'"' => '"',
        b'<' => '>',
        _ => return None,
    };
    let end = text[1..].find(close)?;
    Some(text[..end + 2].to_owned())
}

fn word_end(source: &str, start: usize) -> usize {
    let rest = source.as_bytes().get(start..).unwrap_or_default();
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    start + rest.iter().take_while(|byte| word(byte)).count()
}

/// The offset behind the line that begins at `at`.
fn line_end(source: &str, at: usize) -> usize {
    source[at..].find('\n').map_or(source.len(), |n| at + n + 1)
}

/// Whether a line goes on in the next one.
fn goes_on(line: &str) -> bool {
    line.trim_end_matches(['\r', '\n']).ends_with('\\')
}

/// Whether a comment is open at the end of a text, and was (`open`) at its start. The name of a file in an attach point may hold `/*`:
/// there a character of a name stands before it.
fn ends_in_comment(text: &str, mut open: bool) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let two = bytes.get(at..at + 2).unwrap_or_default();
        match (open, two) {
            (true, b"*/") => {
                open = false;
                at += 2;
            }
            (true, _) => at += 1,
            (false, b"//") => at += text[at..].find('\n').unwrap_or(text.len() - at),
            (false, b"/*") => {
                let before = at.checked_sub(1).map(|before| bytes[before]);
                open = !before
                    .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"._-*".contains(&byte));
                at += 2;
            }
            (false, [b'"', _]) => {
                at += 1;
                while let Some(byte) = bytes.get(at)
                    && !b"\"\n".contains(byte)
                {
                    at += if *byte == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            (false, _) => at += 1,
        }
    }
    open
}

#[cfg(test)]
mod tests;
