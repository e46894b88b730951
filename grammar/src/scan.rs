//! The lexical pre-pass: brackets, strings and comments, before the grammar runs.
//!
//! It bounds the depth to which an item nests, so that the recursive descent cannot exhaust the stack, and finds what a
//! grammar reports poorly: the bracket that nobody closed, the string or comment that never ends. It starts behind the
//! attach points of a probe (whose paths may hold anything), where text means the same to it and to the grammar.

/// How deep brackets, operators and blocks may nest.
pub const MAX_DEPTH: usize = 256;

/// How many operators of one precedence may follow each other. Such a row is one node of the tree, but what is made of it
/// later may nest.
pub const MAX_OPERANDS: usize = 4096;

/// What is wrong with the brackets, strings or comments of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The script ends before this bracket is closed.
    Unclosed { open: usize },
    /// `(` closed by `}`, where a `{` before it is open too.
    Mismatched { open: usize, close: usize },
    /// A closing bracket that nothing opened.
    Stray { close: usize },
    /// The bracket or `?` that goes beyond [`MAX_DEPTH`].
    TooDeep { at: usize },
    /// The opening quote of a string that does not end on its line.
    UnterminatedString { at: usize },
    /// The opening `/*` of a comment that does not end.
    UnterminatedComment { at: usize },
}

impl Flaw {
    /// Where it shows: what stands before this place is sound.
    pub(crate) fn at(self, source: &str) -> usize {
        match self {
            Flaw::Unclosed { .. } => source.len(),
            Flaw::Mismatched { close, .. } | Flaw::Stray { close } => close,
            Flaw::TooDeep { at }
            | Flaw::UnterminatedString { at }
            | Flaw::UnterminatedComment { at } => at,
        }
    }
}

/// Where an item ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// With the brace that closes a probe's body; a `{` in a predicate does not open one.
    Body,
    /// With the first closing brace.
    Brace,
    /// With the first closing parenthesis.
    Paren,
    /// With the first semicolon.
    Semicolon,
    /// With the semicolon of a C declaration, or its closing brace and what may belong to that.
    Declaration,
    /// At a position, to learn what is open there.
    Position(usize),
}

/// An open bracket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) bracket: u8,
    pub(crate) at: usize,
    /// How many `?` wait for their `:` directly within it.
    questions: usize,
}

/// What a scan found.
pub(crate) struct Scan {
    /// The item cannot reach beyond this offset.
    pub(crate) end: usize,
    /// The first thing that is wrong, if anything.
    pub(crate) flaw: Option<Flaw>,
    /// The brackets that are open at `end`, outermost first.
    pub(crate) open: Vec<Open>,
}

/// A lexical element that is more than one byte of code.
enum Lexeme {
    /// Whitespace or a comment, up to this offset.
    Trivia(usize),
    /// A string or character literal, up to this offset.
    Literal(usize),
    /// Any other byte.
    Code(u8),
}

/// The element at `at`, which must be inside the source.
fn lexeme(source: &str, at: usize) -> Result<Lexeme, Flaw> {
    let bytes = source.as_bytes();
    match bytes[at] {
        b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => Ok(Lexeme::Trivia(at + 1)),
        b'/' if bytes.get(at + 1) == Some(&b'/') => {
            let end = source[at..].find('\n').map_or(source.len(), |n| at + n);
            Ok(Lexeme::Trivia(end))
        }
        b'/' if bytes.get(at + 1) == Some(&b'*') => match source[at + 2..].find("*/") {
            Some(n) => Ok(Lexeme::Trivia(at + 2 + n + 2)),
            None => Err(Flaw::UnterminatedComment { at }),
        },
        b'"' => string_end(bytes, at)
            .map(Lexeme::Literal)
            .ok_or(Flaw::UnterminatedString { at }),
        b'\'' => Ok(char_end(source, at).map_or(Lexeme::Code(b'\''), Lexeme::Literal)),
        byte => Ok(Lexeme::Code(byte)),
    }
}

/// The offset behind the string that opens at `at`.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut i = at + 1;
    loop {
        match bytes.get(i)? {
            b'"' => return Some(i + 1),
            b'\n' => return None,
            b'\\' => i += 2,
            _ => i += 1,
        }
    }
}

/// The offset behind the character literal that opens at `at`, if it is one.
fn char_end(source: &str, at: usize) -> Option<usize> {
    let rest = &source[at + 1..];
    let mut chars = rest.char_indices();
    match chars.next()?.1 {
        '\'' | '\n' => None,
        '\\' => {
            if chars.next()?.1 == '\n' {
                return None;
            }
            chars
                .find(|&(_, c)| c == '\'' || c == '\n')
                .and_then(|(i, c)| (c == '\'').then_some(at + 1 + i + 1))
        }
        _ => match chars.next()? {
            (i, '\'') => Some(at + 1 + i + 1),
            _ => None,
        },
    }
}

/// The first offset from `at` on that is neither whitespace nor comment.
pub(crate) fn skip_trivia(source: &str, mut at: usize) -> Result<usize, Flaw> {
    while at < source.len() {
        match lexeme(source, at) {
            Ok(Lexeme::Trivia(end)) => at = end,
            Ok(_) | Err(Flaw::UnterminatedString { .. }) => break,
            Err(flaw) => return Err(flaw),
        }
    }
    Ok(at)
}

/// The offset behind the last thing in `start..end` that is neither whitespace nor comment.
pub(crate) fn significant_end(source: &str, start: usize, end: usize) -> usize {
    let mut at = start;
    let mut last = start;
    while at < end {
        match lexeme(source, at) {
            Ok(Lexeme::Trivia(next)) => at = next,
            Ok(Lexeme::Literal(next)) => {
                at = next;
                last = next;
            }
            Ok(Lexeme::Code(_)) | Err(_) => {
                at += 1;
                last = at;
            }
        }
    }
    last.min(end)
}

/// Reads from `start` to the end of an item.
pub(crate) fn scan(source: &str, start: usize, until: Until) -> Scan {
    let mut open: Vec<Open> = Vec::new();
    let mut questions = 0;
    let mut all_questions = 0;
    let mut at = start;
    let mut slash = None; // the last code byte, if it is a slash other than the one that opens the predicate
    let mut in_body = false;
    let mut predicate = None;
    if let (Until::Body, Ok(next)) = (until, skip_trivia(source, start)) {
        predicate = Some(next).filter(|&next| source.as_bytes().get(next) == Some(&b'/'));
    }
    let found = |end, flaw, open| Scan { end, flaw, open };
    while at < source.len() {
        if let Until::Position(position) = until
            && at >= position
        {
            return found(at, None, open);
        }
        let byte = match lexeme(source, at) {
            Ok(Lexeme::Trivia(end)) => {
                at = end;
                continue;
            }
            Ok(Lexeme::Literal(end)) => {
                slash = None;
                at = end;
                continue;
            }
            Ok(Lexeme::Code(byte)) => byte,
            Err(flaw) => return found(at, Some(flaw), open),
        };
        let depth = open.len() + all_questions;
        let level = open
            .last_mut()
            .map_or(&mut questions, |open| &mut open.questions);
        match byte {
            b'(' | b'[' | b'{' => {
                if depth >= MAX_DEPTH {
                    return found(at, Some(Flaw::TooDeep { at }), open);
                }
                if byte == b'{' && open.is_empty() {
                    in_body = predicate.is_none() || slash.is_some();
                }
                open.push(Open {
                    bracket: byte,
                    at,
                    questions: 0,
                });
            }
            b')' | b']' | b'}' => {
                let Some(last) = open.pop() else {
                    return found(at, Some(Flaw::Stray { close: at }), open);
                };
                all_questions -= last.questions;
                if closing(last.bracket) != byte {
                    let flaw = if open.iter().any(|open| closing(open.bracket) == byte) {
                        Flaw::Mismatched {
                            open: last.at,
                            close: at,
                        }
                    } else {
                        Flaw::Stray { close: at }
                    };
                    return found(at, Some(flaw), open);
                }
                if open.is_empty() {
                    match (until, byte) {
                        (Until::Body, b'}') if in_body => return found(at + 1, None, open),
                        (Until::Brace, b'}') | (Until::Paren, b')') => {
                            return found(at + 1, None, open);
                        }
                        (Until::Declaration, b'}') => {
                            return found(declaration_end(source, at + 1), None, open);
                        }
                        _ => {}
                    }
                }
            }
            b'?' => {
                if depth >= MAX_DEPTH {
                    return found(at, Some(Flaw::TooDeep { at }), open);
                }
                *level += 1;
                all_questions += 1;
            }
            b':' if *level > 0 => {
                *level -= 1;
                all_questions -= 1;
            }
            // Neither can stand between a `?` and its `:`.
            b';' | b',' => {
                all_questions -= *level;
                *level = 0;
                if byte == b';'
                    && open.is_empty()
                    && matches!(until, Until::Semicolon | Until::Declaration)
                {
                    return found(at + 1, None, open);
                }
            }
            _ => {}
        }
        slash = Some(at).filter(|_| byte == b'/' && predicate != Some(at));
        at += 1;
    }
    let flaw = match until {
        Until::Position(_) => None,
        _ => open.last().map(|open| Flaw::Unclosed { open: open.at }),
    };
    found(source.len(), flaw, open)
}

/// How far a C declaration may go on behind its closing brace: to the semicolon, if that is next among `;`, `{`, `}`; else to the
/// end of its attributes.
fn declaration_end(source: &str, start: usize) -> usize {
    let mut at = start;
    while at < source.len() {
        match lexeme(source, at) {
            Ok(Lexeme::Trivia(end)) => at = end,
            Ok(Lexeme::Code(b';')) => return at + 1,
            Ok(Lexeme::Code(b'{' | b'}') | Lexeme::Literal(_)) | Err(_) => break,
            Ok(Lexeme::Code(_)) => at += 1,
        }
    }
    let mut end = start;
    while let Some(next) = attribute_end(source, end) {
        end = next;
    }
    end
}

/// The end of the attribute that follows: `__attribute__((packed))`.
fn attribute_end(source: &str, start: usize) -> Option<usize> {
    let at = skip_trivia(source, start).ok()?;
    let rest = &source[at..];
    let after = rest.strip_prefix("__attribute__");
    let after = after.or_else(|| rest.strip_prefix("__attribute"))?;
    let mut at = skip_trivia(source, source.len() - after.len()).ok()?;
    let mut open = 0_u32;
    while at < source.len() {
        match lexeme(source, at).ok()? {
            Lexeme::Trivia(end) | Lexeme::Literal(end) => at = end,
            Lexeme::Code(byte) => {
                at += 1;
                match byte {
                    b'(' => open += 1,
                    b')' => open = open.checked_sub(1)?,
                    _ => {}
                }
                if open == 0 {
                    return (byte == b')').then_some(at);
                }
            }
        }
    }
    None
}

/// The bracket that closes this one.
pub(crate) fn closing(open: u8) -> u8 {
    match open {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}
