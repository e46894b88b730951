//! The formats of `printf`: text and conversions, and what each conversion prints. What comes in is the text, what goes
//! out are its pieces; the values are counted and checked by those who have them.

use super::later::{self, Kind};
use crate::manifest::{BytesForm, Conversion, FormatPiece, Holds};
use crate::types::Type;

/// The largest width or precision.
const MAX_WIDTH: u32 = 4096;

/// Whether a conversion prints values of a type.
pub(super) fn prints(kind: u8, ty: Type) -> bool {
    match kind {
        b's' if ty.has_names() => true,
        b's' => matches!(
            ty,
            Type::Str { .. }
                | Type::Buffer { .. }
                | Type::Stack { .. }
                | Type::KernelSymbol
                | Type::UserSymbol
                | Type::Named(_)
                | Type::Bool
                | Type::Int { .. }
                | Type::Tuple(_)
                | Type::Record(_)
                | Type::Array { .. }
                | Type::Unknown
        ),
        b'r' => matches!(
            ty,
            Type::Buffer {
                holds: Holds::Bytes,
                ..
            } | Type::Unknown
        ),
        b'g' => matches!(ty, Type::Int { .. } | Type::Unknown),
        _ => ty.is_condition(),
    }
}

/// Splits a format into text and conversions.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(format: &[u8]) -> Result<Vec<FormatPiece>, String> {
    let mut pieces = Vec::new();
    let mut text = Vec::new();
    let mut bytes = format.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            text.push(byte);
            continue;
        }
        if bytes.peek() == Some(&b'%') {
            bytes.next();
            text.push(b'%');
            continue;
        }
        // A percent sign before what cannot be part of a conversion is meant as itself, as bpftrace takes it: `100%\n`.
        if !bytes.peek().is_some_and(|next| {
            next.is_ascii_alphanumeric() || matches!(next, b'-' | b'+' | b' ' | b'#' | b'.')
        }) {
            text.push(b'%');
            continue;
        }
        let mut conversion = Conversion::default();
        while let Some(&flag) = bytes.peek() {
            match flag {
                b'-' => conversion.left = true,
                b'0' => conversion.zero = true,
                b'+' => conversion.plus = true,
                b' ' => conversion.space = true,
                b'#' => conversion.alternate = true,
                _ => break,
            }
            bytes.next();
        }
        let number = |bytes: &mut std::iter::Peekable<_>| {
            let mut value = None;
            while let Some(digit) = bytes.next_if(|byte: &u8| byte.is_ascii_digit()) {
                let next = value.unwrap_or(0u32) * 10 + u32::from(digit - b'0');
                if next > MAX_WIDTH {
                    return Err(format!("a width or precision of more than {MAX_WIDTH}"));
                }
                value = Some(next);
            }
            Ok(value)
        };
        conversion.width = number(&mut bytes)?;
        if bytes.next_if_eq(&b'.').is_some() {
            conversion.precision = Some(number(&mut bytes)?.unwrap_or(0));
        }
        let mut halves = 0;
        while let Some(length) =
            bytes.next_if(|byte| matches!(byte, b'h' | b'l' | b'j' | b'z' | b't' | b'q'))
        {
            halves += u32::from(length == b'h');
            conversion.length = Some(match halves {
                0 => 8,
                1 => 2,
                _ => 1,
            });
        }
        match bytes.next() {
            Some(kind @ (b'd' | b'i' | b'u' | b'x' | b'X' | b'o' | b's' | b'c' | b'p')) => {
                conversion.kind = kind;
            }
            Some(b'r') => {
                conversion.kind = b'r';
                if bytes.next_if_eq(&b'x').is_some() {
                    conversion.bytes = BytesForm::Escaped;
                } else if bytes.next_if_eq(&b'h').is_some() {
                    conversion.bytes = BytesForm::Hexadecimal;
                }
            }
            Some(b'g') if bytes.next_if_eq(&b'r').is_some() => conversion.kind = b'g',
            Some(kind) => {
                let name = format!("%{}", kind.escape_ascii());
                return Err(later::later(&name, &[Kind::Conversion]).unwrap_or_else(|| {
                    format!("unknown conversion `{name}`; a percent sign is written `%%`")
                }));
            }
            None => return Err("the format ends in `%`; a percent sign is written `%%`".into()),
        }
        if !text.is_empty() {
            pieces.push(FormatPiece::Text(std::mem::take(&mut text)));
        }
        pieces.push(FormatPiece::Conversion(conversion));
    }
    if !text.is_empty() {
        pieces.push(FormatPiece::Text(text));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_width_precision_and_length_are_read() {
        let pieces = parse(b"a%%b%-08.3llx").unwrap();
        assert_eq!(
            pieces,
            [
                FormatPiece::Text(b"a%b".to_vec()),
                FormatPiece::Conversion(Conversion {
                    left: true,
                    zero: true,
                    width: Some(8),
                    precision: Some(3),
                    length: Some(8),
                    kind: b'x',
                    ..Conversion::default()
                })
            ]
        );
        assert_eq!(
            parse(b"%hhd").unwrap(),
            [FormatPiece::Conversion(Conversion {
                length: Some(1),
                kind: b'd',
                ..Conversion::default()
            })]
        );
    }

    #[test]
    fn bytes_are_printed_in_three_ways() {
        let forms: Vec<BytesForm> = parse(b"%r%10rx%rh")
            .unwrap()
            .into_iter()
            .map(|piece| match piece {
                FormatPiece::Conversion(Conversion {
                    kind: b'r', bytes, ..
                }) => bytes,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            forms,
            [
                BytesForm::Characters,
                BytesForm::Escaped,
                BytesForm::Hexadecimal
            ]
        );
    }

    #[test]
    fn a_percent_sign_by_itself_is_one() {
        for (format, text) in [
            (&b"100%"[..], &b"100%"[..]),
            (b"100%\n", b"100%\n"),
            (b"%, %%", b"%, %"),
            (b"(%)", b"(%)"),
        ] {
            assert_eq!(parse(format).unwrap(), [FormatPiece::Text(text.to_vec())]);
        }
    }

    #[test]
    fn what_is_no_conversion_is_an_error() {
        assert!(parse(b"100% ").is_err());
        assert!(parse(b"%5").is_err());
        assert!(parse(b"%y").is_err());
        assert!(parse(b"%99999d").is_err());
    }
}
