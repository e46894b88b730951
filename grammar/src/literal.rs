//! Integer, character and string literals: from the text between the delimiters to values.
//!
//! In comes text, out go numbers, bytes, or an error at an offset in the text. Where literals begin and end is the grammar's
//! affair.

/// Why a literal is not one, with the place relative to its text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LiteralError {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl LiteralError {
    fn new(start: usize, end: usize, message: impl Into<String>) -> LiteralError {
        LiteralError {
            start,
            end,
            message: message.into(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> LiteralError {
        self.help = Some(help.into());
        self
    }
}

/// Nanoseconds in the units that a literal may carry.
const DURATIONS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3600 * 1_000_000_000),
    ("d", 86_400 * 1_000_000_000),
];

/// The value of `42`, `0x2a`, `052`, `1e6`, `1_000`, `10ul`, `5ms` (durations are nanoseconds).
pub(crate) fn integer(text: &str) -> Result<u64, LiteralError> {
    let (radix, prefix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, 2),
        [b'0', second, ..] if second.is_ascii_digit() || *second == b'_' => (8, 1),
        _ => (10, 0),
    };
    let digits_end = text[prefix..]
        .find(|c: char| !(c.is_digit(radix.max(10)) || c == '_'))
        .map_or(text.len(), |n| prefix + n);
    let digits = &text[prefix..digits_end];
    let suffix = &text[digits_end..];
    if digits.ends_with('_') {
        let message = "an integer cannot end in `_`";
        return Err(LiteralError::new(digits_end - 1, digits_end, message));
    }
    if !digits.contains(|c: char| c.is_ascii_hexdigit()) {
        return Err(LiteralError::new(
            0,
            text.len(),
            "expected hexadecimal digits after `0x`",
        ));
    }
    let overflow = || {
        LiteralError::new(0, text.len(), "this integer does not fit into 64 bits")
            .help(format!("the largest is {}", u64::MAX))
    };
    let mut value: u64 = 0;
    for (i, c) in digits.char_indices().filter(|&(_, c)| c != '_') {
        let Some(digit) = c.to_digit(radix) else {
            let at = prefix + i;
            return Err(
                LiteralError::new(at, at + 1, format!("`{c}` is not an octal digit"))
                    .help("an integer that begins with 0 is octal, as in C"),
            );
        };
        value = value
            .checked_mul(u64::from(radix))
            .and_then(|value| value.checked_add(u64::from(digit)))
            .ok_or_else(overflow)?;
    }
    if suffix.is_empty() || is_type_suffix(suffix) {
        return Ok(value);
    }
    if radix == 10 {
        if let Some(&(_, factor)) = DURATIONS.iter().find(|(unit, _)| *unit == suffix) {
            return value.checked_mul(factor).ok_or_else(overflow);
        }
        if let Some(exponent) = suffix.strip_prefix(['e', 'E'])
            && !exponent.is_empty()
            && exponent.bytes().all(|b| b.is_ascii_digit())
        {
            if value == 0 {
                return Ok(0);
            }
            return exponent
                .parse()
                .ok()
                .and_then(|exponent| 10u64.checked_pow(exponent))
                .and_then(|factor| value.checked_mul(factor))
                .ok_or_else(overflow);
        }
    }
    Err(LiteralError::new(
        digits_end,
        text.len(),
        format!("unknown integer suffix `{suffix}`"),
    )
    .help("a suffix is a type (`u`, `l`, `ul`, `ll`, `ull`), a unit of time (`ns`, `us`, `ms`, `s`, `m`, `h`, `d`) or an exponent, as in `1e6`"))
}

/// C's suffixes, in either case: `u`, `l`, `ll`, `ul`, `ull`, `lu`, `llu`.
fn is_type_suffix(suffix: &str) -> bool {
    matches!(
        suffix.to_ascii_lowercase().as_str(),
        "u" | "l" | "ll" | "ul" | "ull" | "lu" | "llu"
    )
}

/// The value of the character literal whose quotes enclose `text`.
pub(crate) fn character(text: &str) -> Result<u8, LiteralError> {
    match string(text)?.as_slice() {
        [byte] => Ok(*byte),
        _ => Err(LiteralError::new(
            0,
            text.len(),
            "a character literal must be exactly one byte",
        )
        .help("use a string: \"…\"")),
    }
}

/// The bytes of the string literal whose quotes enclose `text`: C's escapes, and a backslash at the end of a line joins
/// it with the next.
pub(crate) fn string(text: &str) -> Result<Vec<u8>, LiteralError> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] != b'\\' {
            out.push(bytes[i]);
            i += 1;
            continue;
        }
        let start = i;
        i += 1;
        let Some(c) = text[i..].chars().next() else {
            return Err(LiteralError::new(start, i, "this escape is incomplete"));
        };
        i += c.len_utf8();
        match c {
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            'r' => out.push(b'\r'),
            'a' => out.push(0x07),
            'b' => out.push(0x08),
            'e' => out.push(0x1b),
            'f' => out.push(0x0c),
            'v' => out.push(0x0b),
            '\\' | '"' | '\'' | '?' => out.push(c as u8),
            '\n' => {}
            '0'..='7' => {
                let mut value = c as u32 - '0' as u32;
                let limit = (i + 2).min(bytes.len());
                while i < limit && matches!(bytes[i], b'0'..=b'7') {
                    value = value * 8 + u32::from(bytes[i] - b'0');
                    i += 1;
                }
                let Ok(byte) = u8::try_from(value) else {
                    let message =
                        format!("the escape `{}` does not fit into a byte", &text[start..i]);
                    return Err(LiteralError::new(start, i, message).help("the largest is `\\377`"));
                };
                out.push(byte);
            }
            'x' => {
                let limit = (i + 2).min(bytes.len());
                let first = i;
                let mut value = 0;
                while i < limit && bytes[i].is_ascii_hexdigit() {
                    value = value * 16 + (bytes[i] as char).to_digit(16).unwrap_or(0) as u8;
                    i += 1;
                }
                if i == first {
                    return Err(LiteralError::new(
                        start,
                        i,
                        "`\\x` needs one or two hexadecimal digits",
                    ));
                }
                out.push(value);
            }
            _ => {
                return Err(LiteralError::new(
                    start,
                    i,
                    format!(
                        "unknown escape `\\{}`",
                        crate::escape::escape(c.encode_utf8(&mut [0; 4]))
                    ),
                )
                .help("a backslash is written `\\\\`"));
            }
        }
    }
    Ok(out)
}

/// Writes bytes as the inside of a string literal that [`string`] reads back.
pub(crate) fn write_string(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if crate::escape::is_unprintable(c) => {
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        out.push_str(&format!("\\{byte:03o}"));
                    }
                }
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\{byte:03o}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_every_spelling_have_their_value() {
        let cases = [
            ("0", 0),
            ("42", 42),
            ("0x2A", 42),
            ("0XfF", 255),
            ("052", 42),
            ("0_52", 42),
            ("1e6", 1_000_000),
            ("12E2", 1200),
            ("0e99", 0),
            ("1_000__000", 1_000_000),
            ("0xff_ff", 0xffff),
            ("1u", 1),
            ("2l", 2),
            ("3ul", 3),
            ("4ULL", 4),
            ("5llu", 5),
            ("0x1ul", 1),
            ("2ns", 2),
            ("1us", 1_000),
            ("10ms", 10_000_000),
            ("5s", 5_000_000_000),
            ("0s", 0),
            ("1m", 60_000_000_000),
            ("2h", 7_200_000_000_000),
            ("1d", 86_400_000_000_000),
            ("18446744073709551615", u64::MAX),
            ("0xffffffffffffffff", u64::MAX),
            ("01777777777777777777777", u64::MAX),
        ];
        for (text, value) in cases {
            assert_eq!(integer(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn integers_that_are_none_say_why() {
        let cases = [
            (
                "18446744073709551616",
                "this integer does not fit into 64 bits",
            ),
            (
                "0x1ffffffffffffffff",
                "this integer does not fit into 64 bits",
            ),
            ("1e20", "this integer does not fit into 64 bits"),
            (
                "1e99999999999999999999",
                "this integer does not fit into 64 bits",
            ),
            ("400000d", "this integer does not fit into 64 bits"),
            ("09", "`9` is not an octal digit"),
            ("1_", "an integer cannot end in `_`"),
            ("0x", "expected hexadecimal digits after `0x`"),
            ("0x_", "an integer cannot end in `_`"),
            ("1e", "unknown integer suffix `e`"),
            ("1K", "unknown integer suffix `K`"),
            ("0b11", "unknown integer suffix `b11`"),
            ("0x1s", "unknown integer suffix `s`"),
        ];
        for (text, message) in cases {
            assert_eq!(integer(text).unwrap_err().message, message, "{text}");
        }
    }

    #[test]
    fn escapes_are_those_of_c() {
        assert_eq!(string(r#"a\n\t\r\\\"\'\0b"#).unwrap(), b"a\n\t\r\\\"'\0b");
        assert_eq!(
            string(r"\x41\x4g\101\1012\377\xfFf").unwrap(),
            b"A\x04gAA2\xff\xfff"
        );
        assert_eq!(string("a\\\nb").unwrap(), b"ab");
        assert_eq!(string("检查").unwrap(), "检查".as_bytes());
        for bad in [r"\q", r"\400", r"\x", r"\xg", "\\", "\\检"] {
            assert!(string(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn written_strings_read_back() {
        for bytes in [
            &b"a\"b\\\n\x00\x011\xff\xe6\xa3"[..],
            "检\u{202e}查\u{85}".as_bytes(),
        ] {
            let mut text = String::new();
            write_string(bytes, &mut text);
            assert!(!text.chars().any(crate::escape::is_unprintable), "{text:?}");
            assert_eq!(string(&text).unwrap(), bytes);
        }
    }
}
