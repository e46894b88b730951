//! `printf` and `time`: a format's pieces and a record's fields to text, with C's semantics for each conversion.

use crate::decode::{self, field, string};
use crate::print::{self, Names, push_escaped};
use pfscript_compiler::manifest::{Conversion, DataType, Field, FormatPiece, Layout};
use pfscript_grammar::escape::{Keep, escape_bytes};
use std::ffi::CString;

/// Appends what a format makes of a record.
pub fn printf(
    pieces: &[FormatPiece],
    fields: &[Field],
    record: &[u8],
    names: &mut dyn Names,
    out: &mut Vec<u8>,
) {
    let mut arguments = fields.iter();
    for piece in pieces {
        match piece {
            FormatPiece::Text(text) => out.extend_from_slice(text),
            FormatPiece::Conversion(conversion) => {
                // The compiler counts the arguments; one that is missing prints nothing.
                if let Some(argument) = arguments.next() {
                    let bytes = field(record, argument);
                    convert(conversion, &argument.layout, bytes, names, out);
                }
            }
        }
    }
}

fn convert(
    conversion: &Conversion,
    layout: &Layout,
    bytes: &[u8],
    names: &mut dyn Names,
    out: &mut Vec<u8>,
) {
    let mut text = Vec::new();
    match conversion.kind {
        b's' => match &layout.ty {
            DataType::String => {
                let whole = string(decode::slice(bytes, 0, layout.size));
                let most = conversion
                    .precision
                    .map_or(whole.len(), |most| most as usize);
                push_escaped(&mut text, &whole[..most.min(whole.len())]);
            }
            _ => print::value(layout, bytes, names, &mut text),
        },
        b'c' => {
            let byte = [word(layout, bytes) as u8];
            text.extend_from_slice(escape_bytes(&byte, Keep::Layout).as_bytes());
        }
        kind => {
            return pad_number(conversion, &integer(conversion, kind, layout, bytes), out);
        }
    }
    pad(conversion, &text, out);
}

/// An argument's 64 bits, extended by its own sign.
fn word(layout: &Layout, bytes: &[u8]) -> u64 {
    match decode::number(layout, bytes) {
        Some(number) => number as u64,
        None => decode::unsigned(decode::slice(bytes, 0, layout.size.min(8))),
    }
}

/// A number on its way to text.
struct Digits {
    /// `-`, `+`, ` `, `0x` or nothing.
    prefix: &'static str,
    digits: String,
}

fn integer(conversion: &Conversion, kind: u8, layout: &Layout, bytes: &[u8]) -> Digits {
    // Arguments narrower than an `int` become one, as C's promotions have it.
    let own = match layout.ty {
        DataType::Int { bytes, .. } => bytes.max(4),
        DataType::Bool => 4,
        _ => 8,
    };
    let unused = 64 - 8 * conversion.length.unwrap_or(own).clamp(1, 8);
    let word = word(layout, bytes) << unused;
    if matches!(kind, b'd' | b'i') {
        let number = (word as i64) >> unused;
        return Digits {
            prefix: match number {
                ..0 => "-",
                _ if conversion.plus => "+",
                _ if conversion.space => " ",
                _ => "",
            },
            digits: with_precision(conversion, number.unsigned_abs(), |n| n.to_string()),
        };
    }
    let number = word >> unused;
    let (prefix, digits) = match kind {
        b'x' => (
            "0x",
            with_precision(conversion, number, |n| format!("{n:x}")),
        ),
        b'X' => (
            "0X",
            with_precision(conversion, number, |n| format!("{n:X}")),
        ),
        b'p' => ("0x", format!("{number:x}")),
        b'o' => {
            let digits = with_precision(conversion, number, |n| format!("{n:o}"));
            if conversion.alternate && !digits.starts_with('0') {
                ("", format!("0{digits}"))
            } else {
                ("", digits)
            }
        }
        _ => ("", with_precision(conversion, number, |n| n.to_string())),
    };
    let with_prefix = number != 0 && (kind == b'p' || conversion.alternate);
    Digits {
        prefix: if with_prefix { prefix } else { "" },
        digits,
    }
}

/// At least as many digits as the precision says; none for zero with precision zero.
fn with_precision(conversion: &Conversion, number: u64, digits: impl Fn(u64) -> String) -> String {
    match conversion.precision {
        Some(0) if number == 0 => String::new(),
        Some(least) => format!("{:0>1$}", digits(number), least as usize),
        None => digits(number),
    }
}

fn pad_number(conversion: &Conversion, number: &Digits, out: &mut Vec<u8>) {
    let width = conversion.width.unwrap_or(0) as usize;
    let len = number.prefix.len() + number.digits.len();
    if conversion.zero && !conversion.left && conversion.precision.is_none() {
        out.extend_from_slice(number.prefix.as_bytes());
        out.resize(out.len() + width.saturating_sub(len), b'0');
        out.extend_from_slice(number.digits.as_bytes());
    } else {
        pad(
            conversion,
            format!("{}{}", number.prefix, number.digits).as_bytes(),
            out,
        );
    }
}

fn pad(conversion: &Conversion, text: &[u8], out: &mut Vec<u8>) {
    let blanks = (conversion.width.unwrap_or(0) as usize).saturating_sub(text.len());
    if !conversion.left {
        out.resize(out.len() + blanks, b' ');
    }
    out.extend_from_slice(text);
    if conversion.left {
        out.resize(out.len() + blanks, b' ');
    }
}

/// The local wall-clock time now, by `strftime`'s rules. A format without a result, or one with a zero byte, gives
/// nothing.
pub fn local_time(format: &str) -> Vec<u8> {
    let Ok(format) = CString::new(format) else {
        return Vec::new();
    };
    let mut out = vec![0_u8; 256 + 16 * format.as_bytes().len()];
    // SAFETY: `now` and `parts` are structs of integers (and a pointer into static memory that `localtime_r` sets), all
    // zeroes being values of them; strftime writes at most `out.len()` bytes and returns how many.
    let written = unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut parts: libc::tm = std::mem::zeroed();
        libc::localtime_r(&now, &mut parts);
        libc::strftime(out.as_mut_ptr().cast(), out.len(), format.as_ptr(), &parts)
    };
    out.truncate(written);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::tests::{int, words};
    use crate::print::NoNames;

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

    fn shown(format: &str, layout: Layout, bytes: &[u8]) -> String {
        let pieces = [FormatPiece::Conversion(parse(format))];
        let fields = [Field { offset: 0, layout }];
        let mut out = Vec::new();
        printf(&pieces, &fields, bytes, &mut NoNames, &mut out);
        String::from_utf8(out).unwrap()
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
                shown(format, text.clone(), b"abc\0xxxx"),
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
        let mut out = Vec::new();
        printf(
            &pieces,
            &fields,
            &words(&[0, -1, 255]),
            &mut NoNames,
            &mut out,
        );
        assert_eq!(String::from_utf8(out).unwrap(), "a-1%\nff");
    }

    #[test]
    fn time_follows_strftime() {
        assert_eq!(local_time("%%|%n"), b"%|\n");
        assert_eq!(local_time("%H:%M:%S\n").len(), 9);
        assert_eq!(local_time("a\0b"), b"");
        assert_eq!(local_time(""), b"");
    }
}
