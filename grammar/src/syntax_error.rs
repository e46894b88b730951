//! Syntax errors in the words of the language rather than of the grammar.
//!
//! The grammar tells how far it came and which rules it would have taken there; the scan tells which brackets are open.
//! Together they make one message at one place.

use crate::diagnostic::Diagnostic;
use crate::escape::escape;
use crate::rule::Rule;
use crate::scan::{self, Flaw, MAX_DEPTH, Until};
use crate::span::Span;

/// Where and how the grammar failed.
pub(crate) struct Failure<'e> {
    /// Where the item starts.
    pub(crate) start: usize,
    /// From where on brackets, strings and comments count: behind the attach points.
    pub(crate) from: usize,
    /// The furthest place that was reached.
    pub(crate) at: usize,
    /// The rules that would have gone on from there.
    pub(crate) expected: &'e [Rule],
    /// The parser gave up for want of stack.
    pub(crate) exhausted: bool,
}

impl Failure<'_> {
    /// A failure about which nothing more is known.
    pub(crate) fn at(at: usize) -> Failure<'static> {
        Failure {
            start: at,
            from: at,
            at,
            expected: &[],
            exhausted: false,
        }
    }

    fn expects(&self, rules: &[Rule]) -> bool {
        self.expected.iter().any(|rule| rules.contains(rule))
    }
}

/// "nested too deeply", the one message for all ways to nest.
pub(crate) fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error(span, "this is nested too deeply").help(format!(
        "blocks, brackets and operators may nest {MAX_DEPTH} levels deep; put a part into a variable"
    ))
}

/// The diagnostic for a flaw by itself.
pub(crate) fn of_flaw(source: &str, flaw: Flaw) -> Diagnostic {
    let byte = |at: usize| char::from(source.as_bytes()[at]);
    let one = |at| Span::new(at, at + 1);
    match flaw {
        Flaw::Unclosed { open } => {
            let bracket = source.as_bytes()[open];
            Diagnostic::error(one(open), format!("unclosed `{}`", char::from(bracket)))
                .label("opened here")
                .help(format!(
                    "add the missing `{}`",
                    char::from(scan::closing(bracket))
                ))
        }
        Flaw::Mismatched { open, close } => {
            let wanted = char::from(scan::closing(source.as_bytes()[open]));
            Diagnostic::error(
                one(close),
                format!("expected `{wanted}`, found `{}`", byte(close)),
            )
            .help(format!(
                "the `{}` {} is still open",
                byte(open),
                place(source, open, close)
            ))
        }
        Flaw::Stray { close } => Diagnostic::error(
            one(close),
            format!("`{}` has no opening bracket", byte(close)),
        )
        .help("remove it, or add the opening bracket"),
        Flaw::TooDeep { at } => too_deep(one(at)),
        Flaw::UnterminatedString { at } => Diagnostic::error(one(at), "unterminated string")
            .label("the string begins here")
            .help("end the string with `\"` on the same line; write a line break as `\\n`"),
        Flaw::UnterminatedComment { at } => {
            Diagnostic::error(Span::new(at, at + 2), "unterminated comment")
                .label("the comment begins here")
                .help("end it with `*/`")
        }
    }
}

/// The diagnostic for a failure of the grammar, in view of what the scan found.
pub(crate) fn of_failure(source: &str, failure: &Failure<'_>, flaw: Option<Flaw>) -> Diagnostic {
    let at = failure.at;
    if failure.exhausted {
        return too_deep(Span::new(at, at));
    }
    // What the scan stumbled over before the grammar did, or at the same place, it explains better.
    if let Some(flaw) = flaw
        && (flaw.at(source) <= at || at == failure.start)
    {
        return of_flaw(source, flaw);
    }
    let found = Found::at(source, at);
    if let Some(diagnostic) = unknown_text(source, at, &found) {
        return diagnostic;
    }
    let error = |message: String| Diagnostic::error(found.span, message);
    let open = scan::scan(source, failure.from.min(at), Until::Position(at)).open;
    let inside = open.last();
    // A probe that starts inside a body: the body before it was never closed.
    if let (Some(Flaw::Unclosed { .. }), Some(brace)) =
        (flaw, open.iter().rev().find(|open| open.bracket == b'{'))
        && starts_probe(source, at)
    {
        return of_flaw(source, Flaw::Unclosed { open: brace.at })
            .help("add the missing `}` before the next probe");
    }
    let rest = &source[at..];
    match inside.map(|open| open.bracket) {
        None => outside(source, failure, &found),
        Some(bracket) => {
            let assigns = rest.starts_with('=') && !rest.starts_with("==");
            let operand = failure.expects(OPERANDS);
            if operand && !failure.expects(STATEMENTS) {
                let diagnostic = error(format!("expected an expression, found {found}"));
                return match rest.as_bytes().first() {
                    _ if failure.expects(&[Rule::operand_token]) => {
                        diagnostic.help("write the value to cast after the type")
                    }
                    Some(b'+') => diagnostic.help("remove the `+`: there is no unary `+`"),
                    Some(b')' | b']') if previous(source, failure, at).ends_with(',') => {
                        diagnostic.help("remove the comma")
                    }
                    Some(b']') if previous(source, failure, at).ends_with('[') => {
                        diagnostic.help("a map without keys is written without brackets: `@x`")
                    }
                    _ => diagnostic,
                };
            }
            if bracket == b'{' && operand {
                return statement(failure, &found, rest);
            }
            if assigns && bracket != b'[' && failure.expects(OPERATORS) {
                let diagnostic = error("`=` is not allowed in an expression".to_owned());
                return if bracket == b'{' {
                    diagnostic
                        .help("write the assignment as a separate statement, or compare with `==`")
                } else {
                    diagnostic
                        .help("compare with `==`, or write the assignment as a separate statement")
                };
            }
            if failure.expects(&[Rule::block, Rule::open_brace]) {
                if previous(source, failure, at).ends_with('}') {
                    return error(format!("expected `{{`, found {found}"))
                        .help("the braces before it were parsed as the condition");
                }
                return error(format!("expected `{{`, found {found}")).help(
                    "put the body of `if`, `else` or a loop in braces, even if it is one statement",
                );
            }
            if failure.expects(&[Rule::semicolon]) {
                return missing_semicolon(source, failure, &found);
            }
            if failure.expects(&[Rule::field_name, Rule::tuple_index]) {
                return error(format!("expected the name of a field, found {found}"));
            }
            if failure.expects(&[Rule::predicate_end]) {
                return error(format!(
                    "expected `/` at the end of the predicate, found {found}"
                ));
            }
            if failure.expects(&[Rule::macro_param, Rule::fn_param]) {
                return specific(failure, &found);
            }
            let wanted = match bracket {
                b'(' | b'[' => char::from(scan::closing(bracket)),
                _ => return specific(failure, &found),
            };
            if failure.expects(&[Rule::close_paren, Rule::close_bracket, Rule::comma])
                || failure.expects(OPERATORS)
            {
                let comma = if failure.expects(&[Rule::comma]) {
                    "`,` or "
                } else {
                    ""
                };
                return error(format!("expected {comma}`{wanted}`, found {found}")).help(format!(
                    "the `{}` {} is still open",
                    char::from(bracket),
                    inside.map_or(String::new(), |open| place(source, open.at, at)),
                ));
            }
            specific(failure, &found)
        }
    }
}

const OPERANDS: &[Rule] = &[
    Rule::expr,
    Rule::number,
    Rule::paren_item,
    Rule::expr_stmt,
    Rule::operand_token,
];
const STATEMENTS: &[Rule] = &[
    Rule::close_brace,
    Rule::expr_stmt,
    Rule::stmt_keyword,
    Rule::empty,
];
const OPERATORS: &[Rule] = &[Rule::operator, Rule::index];

/// Text that no token begins with.
fn unknown_text(source: &str, at: usize, found: &Found<'_>) -> Option<Diagnostic> {
    let c = source[at..].chars().next()?;
    let error = |message: String| Diagnostic::error(found.span, message);
    match c {
        '\'' => Some(error("unterminated character literal".to_owned()).help(
            "a character literal is one character in single quotes; strings take double quotes",
        )),
        '#' if source[at..].starts_with("#!") => Some(
            error("`#!` is not allowed here".to_owned())
                .help("move it to the first line of the script"),
        ),
        '#' => Some(
            error("a preprocessor line is not allowed here".to_owned())
                .help("move it before the first probe; comments begin with `//`"),
        ),
        '`' => Some(error("unknown character '`'".to_owned())),
        '\\' => Some(error("unknown character `\\`".to_owned())),
        '$' if source[at + 1..].starts_with(|c: char| c.is_ascii_digit()) => Some(
            error(format!(
                "`{}` is neither a variable nor a parameter",
                escape(found.text?)
            ))
            .help("variable names begin with a letter; parameters are numbers: `$1`"),
        )
        .filter(|_| {
            found
                .text
                .is_some_and(|text| text.contains(|c: char| c.is_ascii_alphabetic() || c == '_'))
        }),
        '$' => Some(error("expected a name after `$`".to_owned()).help(
            "a variable is written `$name`, a parameter `$1`, the number of parameters `$#`",
        ))
        .filter(|_| {
            !source[at + 1..]
                .starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '#'))
        }),
        c if c.is_ascii() && !c.is_ascii_control() => None,
        c @ ('“' | '”' | '„' | '‟' | '«' | '»' | '‘' | '’' | '‚' | '‛') => Some(
            error(format!("`{c}` is a typographic quotation mark"))
                .label(format!("U+{:04X}", u32::from(c)))
                .help("strings take straight double quotes: `\"text\"`"),
        ),
        c => Some(
            error(format!(
                "unknown character `{}`",
                escape(c.encode_utf8(&mut [0; 4]))
            ))
            .label(format!("U+{:04X}", u32::from(c)))
            .help("only ASCII characters are allowed outside of strings and comments"),
        ),
    }
}

/// A failure at the top level: before, between or behind attach points.
fn outside(source: &str, failure: &Failure<'_>, found: &Found<'_>) -> Diagnostic {
    let error = |message: String| Diagnostic::error(found.span, message);
    let at = failure.at;
    if at == failure.start {
        let diagnostic = error(format!("expected a probe, found {found}"));
        return match source.as_bytes().get(at) {
            Some(b'}') => Diagnostic::error(found.span, "`}` has no opening bracket")
                .help("remove it, or add the opening `{`"),
            Some(b'/') => diagnostic.help(
                "a predicate comes after the attach points: `kprobe:vfs_read /pid == 1/ { … }`",
            ),
            Some(b'$' | b'@') => diagnostic.help("put statements inside a probe: `BEGIN { … }`"),
            _ => diagnostic.help(PROBE_SHAPE),
        };
    }
    if failure.expects(&[Rule::attach_point]) {
        return error(format!("expected an attach point, found {found}")).help(PROBE_SHAPE);
    }
    if failure.expects(OPERANDS) {
        return error(format!("expected an expression, found {found}"));
    }
    if failure.expects(&[Rule::block, Rule::predicate, Rule::open_brace])
        && !failure.expects(OPERATORS)
    {
        let head = source[failure.start..failure.from].trim();
        let diagnostic = error(format!("a probe needs a body, found {found}"));
        if failure.expects(&[Rule::predicate]) && source[at..].starts_with('(') {
            return diagnostic.help("put statements inside a probe: `BEGIN { … }`");
        }
        if head.ends_with(':') || found.text == Some(":") {
            return diagnostic.help("remove the space: an attach point contains none");
        }
        return match found.text {
            None => diagnostic.help("add `{ … }` with the statements to run"),
            Some(_) => diagnostic
                .help("add `{ … }`; attach points are separated by commas and contain no spaces"),
        };
    }
    if failure.expects(OPERATORS) || failure.expects(&[Rule::predicate_end]) {
        let rest = &source[failure.at..];
        if rest.starts_with('=') && !rest.starts_with("==") {
            return error("`=` is not allowed in an expression".to_owned())
                .help("compare with `==`");
        }
        return error(format!(
            "expected `/` at the end of the predicate, found {found}"
        ))
        .help("a predicate is an expression between slashes, before the body: `/pid == 1/ { … }`");
    }
    specific(failure, found)
}

const PROBE_SHAPE: &str = "a probe looks like `kprobe:vfs_read { … }` or `BEGIN { … }`";

/// Where a statement should begin.
fn statement(failure: &Failure<'_>, found: &Found<'_>, rest: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        found.span,
        if failure.expects(STATEMENTS) {
            format!("expected a statement or `}}`, found {found}")
        } else {
            format!("expected an expression, found {found}")
        },
    );
    if rest.starts_with("else") {
        return diagnostic.help("`else` follows the closing brace of an `if`");
    }
    diagnostic
}

fn missing_semicolon(source: &str, failure: &Failure<'_>, found: &Found<'_>) -> Diagnostic {
    let what = if failure.expects(&[Rule::config_value])
        || source[failure.start..].starts_with("config")
    {
        "setting"
    } else {
        "statement"
    };
    let message = format!("expected `;` or `}}` after this {what}, found {found}");
    let end = scan::significant_end(source, failure.from, failure.at);
    // On another line, the place to mend is the end of the statement.
    if source[end..failure.at].contains('\n') {
        return Diagnostic::error(Span::new(end, end), message).label("add `;` here");
    }
    let diagnostic = Diagnostic::error(found.span, message);
    let rest = &source[failure.at..];
    let before = &source[failure.from..end];
    if rest.starts_with('=') {
        return diagnostic.help("only `$variables` and `@maps` can be assigned to");
    }
    if before.ends_with('@') && rest.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return diagnostic
            .help("a map's name begins with a letter and follows the `@` without a space");
    }
    diagnostic
}

/// The rules that say what they are.
fn specific(failure: &Failure<'_>, found: &Found<'_>) -> Diagnostic {
    let wanted: &[(&[Rule], &str)] = &[
        (
            &[Rule::config_name, Rule::config_entry],
            "a setting: `name = value;`",
        ),
        (&[Rule::macro_param, Rule::fn_param], "a parameter"),
        (
            &[Rule::tag_name],
            "a name after `struct`, `union` or `enum`",
        ),
        (&[Rule::semicolon], "`;`"),
        (&[Rule::close_brace], "`}`"),
        (&[Rule::close_paren, Rule::comma], "`,` or `)`"),
        (&[Rule::close_bracket], "`]`"),
        (&[Rule::colon], "`:`"),
        (&[Rule::assign], "`=`"),
        (&[Rule::block, Rule::open_brace], "`{`"),
        (&[Rule::variable], "a variable, such as `$x`"),
        (&[Rule::map_name], "a map, such as `@x`"),
        (&[Rule::config_value], "a value"),
        (
            &[
                Rule::type_any,
                Rule::type_name,
                Rule::type_sure,
                Rule::base_word,
            ],
            "a type",
        ),
        (&[Rule::ident, Rule::field_name, Rule::name], "a name"),
        (&[Rule::string], "a string"),
        (&[Rule::open_paren, Rule::call_args], "`(`"),
    ];
    let message = wanted
        .iter()
        .find(|(rules, _)| failure.expects(rules))
        .map_or_else(
            || format!("unexpected {found}"),
            |(_, what)| format!("expected {what}, found {found}"),
        );
    Diagnostic::error(found.span, message)
}

/// What stands at a place.
struct Found<'s> {
    text: Option<&'s str>,
    span: Span,
}

impl<'s> Found<'s> {
    /// The word or the sign at `at`.
    fn at(source: &'s str, at: usize) -> Found<'s> {
        let rest = &source[at..];
        let Some(first) = rest.chars().next() else {
            // The end of the script: point behind its last visible character.
            let end = source.trim_end().len();
            return Found {
                text: None,
                span: Span::new(end, end),
            };
        };
        let sigil = usize::from(matches!(first, '$' | '@'));
        let word = rest[sigil..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(rest.len() - sigil);
        let length = match word {
            0 => first.len_utf8(),
            word => sigil + word,
        };
        Found {
            text: Some(&rest[..length]),
            span: Span::new(at, at + length),
        }
    }
}

impl std::fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.text {
            None => f.write_str("the end of the script"),
            Some("\"") => f.write_str("a string"),
            // A name may be a megabyte long.
            Some(text) if text.len() > 40 => write!(f, "`{}…`", escape(&text[..40])),
            Some(text) => write!(f, "`{}`", escape(text)),
        }
    }
}

/// The code before `at`, without blanks and comments.
fn previous<'s>(source: &'s str, failure: &Failure<'_>, at: usize) -> &'s str {
    let end = scan::significant_end(source, failure.from.min(at), at);
    &source[failure.from.min(at)..end]
}

/// Where a bracket stands, as seen from another place.
fn place(source: &str, open: usize, from: usize) -> String {
    if source[open..from].contains('\n') {
        let line = source[..open].bytes().filter(|&byte| byte == b'\n').count() + 1;
        format!("on line {line}")
    } else {
        "before it".to_owned()
    }
}

/// True if a probe seems to begin on this line: a known provider stands at its start.
fn starts_probe(source: &str, at: usize) -> bool {
    const PROVIDERS: &[&str] = &[
        "begin",
        "end",
        "kprobe",
        "kretprobe",
        "uprobe",
        "uretprobe",
        "usdt",
        "tracepoint",
        "rawtracepoint",
        "fentry",
        "fexit",
        "kfunc",
        "kretfunc",
        "profile",
        "interval",
        "software",
        "hardware",
        "iter",
        "watchpoint",
        "asyncwatchpoint",
        "self",
        "bench",
        "test",
        "k",
        "kr",
        "u",
        "ur",
        "t",
        "rt",
        "f",
        "fr",
        "p",
        "i",
        "s",
        "h",
        "it",
        "w",
        "aw",
    ];
    let line_start = source[..at].rfind('\n').map_or(0, |n| n + 1);
    let line = source[line_start..].trim_start();
    let end = line
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(line.len());
    let word = line[..end].to_ascii_lowercase();
    let behind = line[end..].trim_start();
    PROVIDERS.contains(&word.as_str())
        && (behind.starts_with(':') || matches!(word.as_str(), "begin" | "end"))
}
