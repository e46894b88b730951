//! Text for a terminal: the one place where bytes that come from a script, a process or a kernel are made harmless.
//!
//! Printable text stays as it is. Control characters, bidirectional overrides and bytes that are not UTF-8 become
//! visible: `\x1b`, `\u{202e}`, `\xff`. A backslash stays itself: the result is to be read, not to be parsed.

use std::borrow::Cow;
use std::fmt::Write;

/// Which control characters pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Keep {
    /// None.
    #[default]
    Nothing,
    /// Newline and tab, for text that may span lines.
    Layout,
}

/// Text with everything a terminal could act upon escaped.
///
/// ```
/// use pfscript_grammar::escape::escape;
/// assert_eq!(escape("bash"), "bash");
/// assert_eq!(escape("\x1b[2J"), "\\x1b[2J");
/// ```
pub fn escape(text: &str) -> Cow<'_, str> {
    escape_bytes(text.as_bytes(), Keep::Nothing)
}

/// As [`escape`], for bytes that need not be UTF-8, with a choice for newlines and tabs.
///
/// ```
/// use pfscript_grammar::escape::{escape_bytes, Keep};
/// assert_eq!(escape_bytes(b"a\n\xff", Keep::Nothing), "a\\x0a\\xff");
/// assert_eq!(escape_bytes(b"a\n\xff", Keep::Layout), "a\n\\xff");
/// ```
pub fn escape_bytes(bytes: &[u8], keep: Keep) -> Cow<'_, str> {
    // Nearly all that is shown.
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Cow::Borrowed(text);
    }
    let passes = |c: char| !is_unprintable(c) || (keep == Keep::Layout && matches!(c, '\n' | '\t'));
    if let Ok(text) = std::str::from_utf8(bytes)
        && text.chars().all(passes)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if passes(c) {
                out.push(c);
            } else {
                push_escaped(c, &mut out);
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    Cow::Owned(out)
}

/// Appends the visible form of an unprintable character.
pub(crate) fn push_escaped(c: char, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = match u32::from(c) {
        code @ 0..0x80 => write!(out, "\\x{code:02x}"),
        code => write!(out, "\\u{{{code:x}}}"),
    };
}

/// True for what a terminal acts upon or hides: C0 and C1 controls, DEL, line and paragraph separators, bidirectional
/// controls, zero-width characters that can hide text, tags and the byte order mark.
pub fn is_unprintable(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f'
        | '\x7f'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_is_borrowed() {
        assert!(matches!(escape("检查 é \\n"), Cow::Borrowed("检查 é \\n")));
    }

    #[test]
    fn nothing_that_a_terminal_acts_upon_remains() {
        let all: String = (0..=0x10ffff).filter_map(char::from_u32).collect();
        assert!(!escape(&all).chars().any(is_unprintable));
        let bytes: Vec<u8> = (0..=255).collect();
        let escaped = escape_bytes(&bytes, Keep::Nothing);
        assert!(escaped.is_ascii() && !escaped.chars().any(is_unprintable));
    }

    #[test]
    fn layout_passes_on_request_only() {
        assert_eq!(escape_bytes(b"a\tb\nc\r", Keep::Layout), "a\tb\nc\\x0d");
        assert_eq!(escape("a\tb"), "a\\x09b");
    }

    #[test]
    fn overrides_and_invalid_bytes_are_shown() {
        assert_eq!(escape("a\u{202e}b\u{9b}"), "a\\u{202e}b\\u{9b}");
        assert_eq!(escape_bytes(b"\xe6\xa3", Keep::Nothing), "\\xe6\\xa3");
    }
}
