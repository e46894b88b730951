//! `printf`: a format and its arguments to text, with C's semantics for each conversion.
//!
//! In come a parsed format and decoded values, out goes text, not escaped. What fits which conversion was checked by
//! the compiler.

use super::allocation_flags;
use super::form::{self, MAX_DIGITS, Outside, digits};
use crate::results::{Argument, Printf, Value};
use pfscript_compiler::manifest::{Conversion, FormatPiece};
use pfscript_grammar::escape::Keep;

/// Appends what a format makes of its arguments. The script's own text passes as it is.
pub fn printf(format: &Printf<'_>, outside: Outside, out: &mut Vec<u8>) {
    let mut arguments = format.arguments.iter();
    for piece in format.pieces {
        match piece {
            FormatPiece::Text(text) => out.extend_from_slice(text),
            FormatPiece::Conversion(conversion) => {
                // The compiler counts the arguments; one that is missing prints nothing.
                if let Some(argument) = arguments.next() {
                    convert(conversion, argument, outside, out);
                }
            }
        }
    }
}

fn convert(conversion: &Conversion, argument: &Argument, outside: Outside, out: &mut Vec<u8>) {
    let begin = out.len();
    match (conversion.kind, &argument.value) {
        // Strings are cut as they came, and padded as they are shown.
        (b's', Value::Str(whole)) => {
            let keep = match conversion.lines {
                true => Keep::Layout,
                false => Keep::Nothing,
            };
            outside(cut(conversion, whole), keep, out);
        }
        (b's', Value::Literal(whole)) => out.extend_from_slice(cut(conversion, whole)),
        (b'r', Value::Buffer(bytes)) => form::bytes(bytes, conversion.bytes, out),
        (b'g', value) => allocation_flags::names(word(value), out),
        (b's', value) => form::value(value, outside, out),
        (b'c', value) => outside(&[word(value) as u8], Keep::Layout, out),
        (kind, _) => integer(conversion, kind, argument, out),
    }
    pad(conversion, begin, out);
}

/// What a conversion prints of a string: no more than its precision.
fn cut<'t>(conversion: &Conversion, whole: &'t [u8]) -> &'t [u8] {
    let most = conversion
        .precision
        .map_or(whole.len(), |most| most as usize);
    &whole[..most.min(whole.len())]
}

/// An argument's 64 bits, extended by its own sign; 0 of what is no number.
fn word(value: &Value) -> u64 {
    match value {
        Value::Int(number) => *number as u64,
        Value::UInt(number) | Value::Pointer(number) => *number,
        Value::Enumerator { number, .. } => *number as u64,
        Value::Bool(set) => u64::from(*set),
        Value::Symbol(frame) => frame.address,
        Value::Absent
        | Value::Str(_)
        | Value::Literal(_)
        | Value::Buffer(_)
        | Value::Tuple(_)
        | Value::Record(_)
        | Value::Array(_)
        | Value::Stack(_)
        | Value::Stats(_)
        | Value::Histogram(_)
        | Value::Series(_) => 0,
    }
}

/// Appends a number with its sign or prefix and its zeros, but without blanks.
fn integer(conversion: &Conversion, kind: u8, argument: &Argument, out: &mut Vec<u8>) {
    // Arguments narrower than an `int` become one, as C's promotions have it.
    let own = argument.size.max(4);
    let unused = 64 - 8 * conversion.length.unwrap_or(own).clamp(1, 8);
    let word = word(&argument.value) << unused;
    let signed = (word as i64) >> unused;
    let (number, prefix, base) = match kind {
        b'd' | b'i' => {
            let sign = match signed {
                ..0 => "-",
                _ if conversion.plus => "+",
                _ if conversion.space => " ",
                _ => "",
            };
            (signed.unsigned_abs(), sign, 10)
        }
        _ => {
            let number = word >> unused;
            let with_prefix = number != 0 && (kind == b'p' || conversion.alternate);
            match kind {
                b'x' | b'p' => (number, if with_prefix { "0x" } else { "" }, 16),
                b'X' => (number, if with_prefix { "0X" } else { "" }, 16),
                b'o' => (number, "", 8),
                _ => (number, "", 10),
            }
        }
    };
    let mut room = [0; MAX_DIGITS];
    let mut digits = digits(number, base, &mut room);
    if kind == b'X' {
        digits.make_ascii_uppercase();
    }
    let precision = conversion.precision.filter(|_| kind != b'p');
    if number == 0 && precision == Some(0) {
        digits = &mut [];
    }
    let width = conversion.width.unwrap_or(0) as usize;
    let mut least = match precision {
        Some(least) => least as usize,
        None if conversion.zero && !conversion.left => width.saturating_sub(prefix.len()),
        None => 0,
    };
    if kind == b'o' && conversion.alternate {
        // The first digit is to be a zero.
        least = least.max(digits.len() + usize::from(number != 0)).max(1);
    }
    out.extend_from_slice(prefix.as_bytes());
    out.resize(out.len() + least.saturating_sub(digits.len()), b'0');
    out.extend_from_slice(digits);
}

/// Fills what was appended since `begin` up to the width.
fn pad(conversion: &Conversion, begin: usize, out: &mut Vec<u8>) {
    let len = out.len() - begin;
    let blanks = (conversion.width.unwrap_or(0) as usize).saturating_sub(len);
    out.resize(out.len() + blanks, b' ');
    if !conversion.left {
        out[begin..].rotate_right(blanks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::tests::{int, words};
    use crate::results::{self, NoNames};
    use pfscript_compiler::manifest::{DataType, Field, Layout};

    /// A conversion from its text, such as `%-05.3hhd`.
    fn parse(text: &str) -> Conversion {
        let mut conversion = Conversion::default();
        let mut rest = text.strip_prefix('%').unwrap();
        while let Some(flag) = rest.chars().next().filter(|c| "-0+ #".contains(*c)) {
            match flag {
                '-' => conversion.left = true,
                '0' => conversion.zero = true,
                '+' => conversion.plus = true,
                ' ' => conversion.space = true,
                _ => conversion.alternate = true,
            }
            rest = &rest[1..];
        }
        let digits =
            |rest: &str| rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let width = digits(rest);
        conversion.width = rest[..width].parse().ok();
        rest = &rest[width..];
        if let Some(after) = rest.strip_prefix('.') {
            let len = digits(after);
            conversion.precision = Some(after[..len].parse().unwrap_or(0));
            rest = &after[len..];
        }
        let (length, kind) = rest.split_at(rest.len() - 1);
        conversion.length = match length {
            "" => None,
            "hh" => Some(1),
            "h" => Some(2),
            _ => Some(8),
        };
        conversion.kind = kind.as_bytes()[0];
        conversion
    }

    fn all(pieces: &[FormatPiece], fields: &[Field], record: &[u8]) -> String {
        let format = results::printf(pieces, fields, record, &mut NoNames);
        let mut out = Vec::new();
        printf(
            &format,
            |text, _, out| out.extend_from_slice(text),
            &mut out,
        );
        String::from_utf8(out).unwrap()
    }

    fn shown(format: &str, layout: Layout, bytes: &[u8]) -> String {
        let pieces = [FormatPiece::Conversion(parse(format))];
        let fields = [Field { offset: 0, layout }];
        all(&pieces, &fields, bytes)
    }

    fn number(format: &str, value: i64) -> String {
        shown(format, int(8, true), &words(&[value]))
    }

    #[test]
    fn flags_and_widths_are_those_of_c() {
        for (format, expected) in [
            ("%d", "42"),
            ("%5d", "   42"),
            ("%-5d", "42   "),
            ("%05d", "00042"),
            ("%+d", "+42"),
            ("% d", " 42"),
            ("%i", "42"),
            ("%u", "42"),
            ("%x", "2a"),
            ("%X", "2A"),
            ("%#x", "0x2a"),
            ("%#X", "0X2A"),
            ("%o", "52"),
            ("%#o", "052"),
            ("%c", "*"),
            ("%p", "0x2a"),
            ("%10p", "      0x2a"),
            ("%.3d", "042"),
            ("%8.3d", "     042"),
            ("%-8.3d", "042     "),
            ("%+5d", "  +42"),
            ("%08.3d", "     042"),
            ("%#06x", "0x002a"),
            ("%-06d", "42    "),
            ("%+05d", "+0042"),
            ("%5c", "    *"),
            ("%-5c", "*    "),
        ] {
            assert_eq!(number(format, 42), expected, "{format}");
        }
        assert_eq!(number("%05d", -42), "-0042");
        assert_eq!(number("%#x", 0), "0");
        assert_eq!(number("%#o", 0), "0");
        assert_eq!(number("%p", 0), "0");
        assert_eq!(number("%.0d", 0), "");
        assert_eq!(number("%#.0o", 0), "0");
        assert_eq!(number("%#.4o", 42), "0052");
        assert_eq!(number("%#06o", 42), "000052");
        assert_eq!(number("%lo", -1), "1777777777777777777777");
        assert_eq!(number("%d", i64::MIN), "-9223372036854775808");
    }

    #[test]
    fn lengths_cut_the_argument() {
        for (format, expected) in [
            ("%hhd", "-1"),
            ("%hd", "-1"),
            ("%ld", "-1"),
            ("%lld", "-1"),
            ("%hhu", "255"),
            ("%hu", "65535"),
            ("%lu", "18446744073709551615"),
            ("%zx", "ffffffffffffffff"),
            ("%jd", "-1"),
        ] {
            assert_eq!(number(format, -1), expected, "{format}");
        }
        assert_eq!(number("%hd", 70000), "4464");
        assert_eq!(number("%ld", 1 << 40), "1099511627776");
    }

    #[test]
    fn narrow_arguments_are_promoted() {
        assert_eq!(shown("%d", int(1, false), &[255]), "255");
        assert_eq!(shown("%u", int(1, true), &[255]), "4294967295");
        assert_eq!(shown("%x", int(1, true), &[255]), "ffffffff");
        assert_eq!(shown("%d", int(4, false), &[255; 4]), "-1");
        assert_eq!(shown("%lu", int(1, true), &[255]), "18446744073709551615");
    }

    #[test]
    fn strings_are_cut_and_padded() {
        let text = Layout {
            size: 8,
            ty: DataType::String,
        };
        for (format, expected) in [
            ("%s", "abc"),
            ("%10s", "       abc"),
            ("%-10s", "abc       "),
            ("%.2s", "ab"),
            ("%10.2s", "        ab"),
            ("%.9s", "abc"),
        ] {
            assert_eq!(
                shown(format, text.clone(), b"abc\0xxx\0"),
                expected,
                "{format}"
            );
        }
    }

    #[test]
    fn any_value_can_be_a_string() {
        assert_eq!(number("%s", 5), "5");
        assert_eq!(number("%-5s", 5), "5    ");
        let flag = Layout {
            size: 1,
            ty: DataType::Bool,
        };
        assert_eq!(shown("%5s", flag.clone(), &[1]), " true");
        assert_eq!(shown("%-6s", flag.clone(), &[0]), "false ");
        assert_eq!(shown("%d", flag, &[1]), "1");
        let pointer = Layout {
            size: 8,
            ty: DataType::Pointer,
        };
        assert_eq!(shown("%5s", pointer.clone(), &words(&[7])), "  0x7");
        assert_eq!(shown("%x", pointer.clone(), &words(&[7])), "7");
        assert_eq!(shown("%p", pointer, &words(&[-1])), "0xffffffffffffffff");
    }

    #[test]
    fn text_and_arguments_come_in_order() {
        let text = |text: &str| FormatPiece::Text(text.as_bytes().to_vec());
        let pieces = [
            text("a"),
            FormatPiece::Conversion(parse("%d")),
            text("%\n"),
            FormatPiece::Conversion(parse("%x")),
        ];
        let fields = [
            Field {
                offset: 8,
                layout: int(8, true),
            },
            Field {
                offset: 16,
                layout: int(4, false),
            },
        ];
        assert_eq!(all(&pieces, &fields, &words(&[0, -1, 255])), "a-1%\nff");
    }
}
