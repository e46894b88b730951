//! From source text to a syntax tree or to diagnostics.
//!
//! Items are parsed one at a time: first what kind of item begins here (for a probe, its attach points), then a lexical
//! scan that bounds its nesting and finds its end, then the grammar, then the tree. So the cost is linear in the size of
//! the script, and the stack that the recursive descent needs is bounded.

use pest::Parser;
use pest::error::{Error, ErrorVariant, InputLocation};

use crate::MAX_SOURCE_BYTES;
use crate::ast::{Item, Script};
use crate::diagnostic::Diagnostic;
use crate::preprocess::{self, preprocess};
use crate::rule::{Rule, ScriptParser};
use crate::scan::{self, Flaw, Until};
use crate::span::{Span, Spanned};
use crate::syntax_error::{self, Failure};
use crate::tree::Builder;

/// The text of a script, or a diagnostic at its first byte that is not UTF-8.
///
/// To render that diagnostic, pass `String::from_utf8_lossy(bytes)` as the source: up to the place they agree.
pub fn decode(bytes: &[u8]) -> Result<&str, Diagnostic> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let byte = bytes.get(at).copied().unwrap_or_default();
        Diagnostic::error(Span::new(at, at + 1), "the script is not UTF-8 text")
            .label(format!("the byte 0x{byte:02x}"))
            .help("in a string, write such a byte as an escape: `\\xff`")
    })
}

/// Parses a script.
///
/// ```
/// let script = pfscript_grammar::parse("BEGIN { printf(\"hello\\n\"); }").unwrap();
/// assert_eq!(script.probes().count(), 1);
///
/// let errors = pfscript_grammar::parse("BEGIN { printf(\"hello\\n\")").unwrap_err();
/// assert_eq!(errors[0].message, "unclosed `{`");
/// ```
///
/// # Errors
///
/// The first syntax error; or every literal without a value; or that the script is too large or nests too deeply.
pub fn parse(source: &str) -> Result<Script, Vec<Diagnostic>> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(vec![
            Diagnostic::error(Span::new(0, 0), "the script is too large").help(format!(
                "it has {} bytes, the limit is {MAX_SOURCE_BYTES}",
                source.len()
            )),
        ]);
    }
    let mut script = Script::default();
    let mut errors = Vec::new();
    let mut at = start(source);
    let (source, macros) = preprocess(source, at).map_err(|error| vec![error])?;
    let source = &*source;
    script.items.extend(macros.into_iter().map(Item::Macro));
    loop {
        at = scan::skip_trivia(source, at)
            .map_err(|flaw| vec![syntax_error::of_flaw(source, flaw)])?;
        if at == source.len() {
            break;
        }
        let builder = Builder::new(source, at);
        let (item, end) = item(source, at, &builder).map_err(|error| vec![error])?;
        errors.extend(builder.into_errors());
        script.items.push(item);
        at = end;
    }
    if errors.is_empty() {
        Ok(script)
    } else {
        Err(errors)
    }
}

/// How a file asks for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `#include "types.h"`
    Local,
    /// `#include <linux/fs.h>`
    System,
    /// `import "library";`
    Import,
}

/// The files that a script or a header asks for, where its conditions take them: how, the path, and where it does. What is wrong
/// with it is for [`parse`] to say; files behind that may be missing.
///
/// ```
/// use pfscript_grammar::{Asked, includes};
/// let found = includes("import \"lib.bt\"; \n#include \"a.h\"\n#if 0\n#include <b.h>\n#endif\n");
/// let found: Vec<_> = found.iter().map(|(asked, path)| (*asked, path.node.as_str())).collect();
/// assert_eq!(found, [(Asked::Local, "a.h"), (Asked::Import, "lib.bt")]);
/// ```
pub fn includes(source: &str) -> Vec<(Asked, Spanned<String>)> {
    if source.len() > MAX_SOURCE_BYTES {
        return Vec::new();
    }
    let included = preprocess::includes(source, start(source)).into_iter();
    let mut found: Vec<_> = included
        .map(|path| {
            let asked = match path.node.starts_with('"') {
                true => Asked::Local,
                false => Asked::System,
            };
            let bare = path.node.trim_matches(['"', '<', '>']).to_owned();
            (asked, Spanned::new(bare, path.span))
        })
        .collect();
    // Few scripts have one, and for the others this is all.
    if source.contains("import")
        && let Ok(script) = parse(source)
    {
        found.extend(script.items.into_iter().filter_map(|item| match item {
            Item::Import(path) => Some((Asked::Import, path)),
            _ => None,
        }));
    }
    found
}

/// The offset behind a byte order mark and a `#!` line.
fn start(source: &str) -> usize {
    let at = if source.starts_with('\u{feff}') { 3 } else { 0 };
    if source[at..].starts_with("#!") {
        return source[at..].find('\n').map_or(source.len(), |n| at + n);
    }
    at
}

/// The item that begins at `at`, and where it ends.
fn item(source: &str, at: usize, builder: &Builder<'_>) -> Result<(Item, usize), Diagnostic> {
    let head = ScriptParser::parse(Rule::item_head, &source[at..])
        .map_err(|error| {
            let failure = failure(&error, at, at);
            syntax_error::of_failure(source, &failure, None)
        })?
        .next();
    let kind = head.as_ref().map(|pair| pair.as_rule());
    let (rule, from, until) = match kind {
        Some(Rule::include) => (Rule::include, at, None),
        Some(Rule::config_head) => (Rule::config, at, Some(Until::Brace)),
        Some(Rule::macro_head) => (Rule::macro_item, at, Some(Until::Brace)),
        Some(Rule::fn_head) => (Rule::fn_item, at, Some(Until::Brace)),
        Some(Rule::import_head) => (Rule::import, at, Some(Until::Semicolon)),
        Some(Rule::map_decl_head) => (Rule::map_decl, at, Some(Until::Paren)),
        Some(Rule::c_head) => (Rule::c_decl, at, Some(Until::Declaration)),
        _ => {
            let length = head.map_or(0, |pair| pair.as_str().len());
            (Rule::probe, at + length, Some(Until::Body))
        }
    };
    let (end, flaw) = match until {
        None => (source.len(), None),
        Some(until) => {
            let scan = scan::scan(source, from, until);
            // The semicolon of a map declaration stands behind its parenthesis.
            let end = match until {
                Until::Paren => scan::skip_trivia(source, scan.end)
                    .ok()
                    .filter(|&next| source[next..].starts_with(';'))
                    .map_or(scan.end, |next| next + 1),
                _ => scan.end,
            };
            (end, scan.flaw)
        }
    };
    let mut pairs = ScriptParser::parse(rule, &source[at..end]).map_err(|error| {
        let failure = failure(&error, at, from);
        syntax_error::of_failure(source, &failure, flaw)
    })?;
    let Some(pair) = pairs.next() else {
        // Not reached: each of these rules makes a pair.
        let failure = Failure::at(at);
        return Err(syntax_error::of_failure(source, &failure, flaw));
    };
    if let Some(flaw @ Flaw::TooDeep { .. }) = flaw {
        return Err(syntax_error::of_flaw(source, flaw));
    }
    let end = at + pair.as_span().end();
    Ok((builder.item(pair), end))
}

/// Where the grammar failed, in an item that starts at `start` and whose brackets count from `from` on.
pub(crate) fn failure(error: &Error<Rule>, start: usize, from: usize) -> Failure<'_> {
    let offset = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    let expected = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives.as_slice(),
        ErrorVariant::CustomError { .. } => &[],
    };
    Failure {
        start,
        from,
        at: start + offset,
        expected,
        exhausted: matches!(error.variant, ErrorVariant::CustomError { .. }),
    }
}
