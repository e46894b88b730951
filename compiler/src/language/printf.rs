//! `printf`: its format is parsed and checked against the arguments when the script is compiled.

use super::functions::{Call, record_fields};
use crate::hir::Expr;
use crate::manifest::{Action, Conversion, FormatPiece};
use crate::sema::Checker;
use crate::types::Type;
use pfscript_grammar::Diagnostic;
use pfscript_grammar::ast::ExprKind as Ast;

/// Checks a call of `printf`.
pub(super) fn check(checker: &mut Checker<'_>, call: &Call<'_>) -> Result<Expr, Diagnostic> {
    let format = &call.args[0];
    let Ast::Str(text) = &format.kind else {
        return Err(Diagnostic::error(
            format.span,
            "the format of `printf` must be a constant string",
        )
        .help("to print a string, write `printf(\"%s\\n\", x)`"));
    };
    let pieces = parse(text).map_err(|message| Diagnostic::error(format.span, message))?;
    let conversions: Vec<&Conversion> = pieces
        .iter()
        .filter_map(|piece| match piece {
            FormatPiece::Conversion(conversion) => Some(conversion),
            FormatPiece::Text(_) => None,
        })
        .collect();
    let given = &call.args[1..];
    if conversions.len() != given.len() {
        return Err(Diagnostic::error(
            call.span,
            format!(
                "the format takes {} argument{}, but {} {} given",
                conversions.len(),
                if conversions.len() == 1 { "" } else { "s" },
                given.len(),
                if given.len() == 1 { "is" } else { "are" },
            ),
        ));
    }
    let mut values = Vec::new();
    for (conversion, arg) in conversions.iter().zip(given) {
        let value = checker.printable(arg)?;
        if !fits(conversion.kind, &value.ty) {
            return Err(Diagnostic::error(
                arg.span,
                format!(
                    "`%{}` does not print {}",
                    conversion.kind as char,
                    value.ty.describe()
                ),
            )
            .help(match value.ty {
                Type::Int { .. } | Type::Bool => "use `%d`",
                Type::Pointer(_) => "use `%p`",
                _ => "use `%s`",
            }));
        }
        values.push(value);
    }
    let (fields, size) = record_fields(&values);
    let action = Action::Printf {
        pieces,
        fields,
        size,
    };
    Ok(checker.emit(action, values, call.span))
}

fn fits(kind: u8, ty: &Type) -> bool {
    match kind {
        b's' => matches!(
            ty,
            Type::Str { .. }
                | Type::Stack { .. }
                | Type::KernelSymbol
                | Type::UserSymbol
                | Type::Bool
                | Type::Tuple(_)
                | Type::Unknown
        ),
        _ => ty.is_condition() || matches!(ty, Type::Record(_) | Type::Array { .. }),
    }
}

/// Splits a format into text and conversions.
fn parse(format: &[u8]) -> Result<Vec<FormatPiece>, String> {
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
                if next > 4096 {
                    return Err("a width or precision of more than 4096".to_string());
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
            Some(b'r') => return Err("`%r` (buffers) is not supported yet".into()),
            Some(b'b') => return Err("`%b` (binary) is not supported yet".into()),
            Some(kind) => {
                return Err(format!(
                    "unknown conversion `%{}`; a percent sign is written `%%`",
                    kind.escape_ascii()
                ));
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
    fn what_is_no_conversion_is_an_error() {
        assert!(parse(b"100%").is_err());
        assert!(parse(b"%y").is_err());
        assert!(parse(b"%99999d").is_err());
    }
}
