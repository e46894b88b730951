//! What `printf` makes of values, as C does.

use super::ast::Conversion;
use super::value::{Int, Value};

/// Arguments narrower than an `int` become one, unless a length says otherwise.
pub(super) fn formatted(conversion: Conversion, value: &Value) -> Vec<u8> {
    match conversion.kind {
        's' => {
            let text = match value {
                Value::Text(text) => text.shown(conversion.precision),
                other => other.shown(),
            };
            widened(conversion, text)
        }
        'r' => {
            let Value::Buffer(bytes) = value else {
                panic!("no bytes: {value:?}");
            };
            let text = match conversion.length {
                "" => value.shown(),
                form => {
                    let (before, between) = if form == "x" { ("\\x", "") } else { ("", " ") };
                    let bytes = bytes.iter().map(|byte| format!("{before}{byte:02x}"));
                    bytes.collect::<Vec<_>>().join(between).into_bytes()
                }
            };
            widened(conversion, text)
        }
        'c' => {
            let letter = char::from(value.clone().int().bits as u8);
            padded(conversion, "", &letter.to_string(), false).into_bytes()
        }
        _ => number(conversion, value.clone().int()).into_bytes(),
    }
}

/// Text in its width, which counts bytes.
fn widened(conversion: Conversion, mut text: Vec<u8>) -> Vec<u8> {
    let blanks = vec![b' '; conversion.width.saturating_sub(text.len())];
    match conversion.left {
        true => text.extend(blanks),
        false => text = [blanks, text].concat(),
    }
    text
}

fn number(conversion: Conversion, int: Int) -> String {
    let bytes = match conversion.length {
        "hh" => 1,
        "h" => 2,
        "l" | "ll" => 8,
        _ => int.bytes.max(4),
    };
    let (sign, digits) = match conversion.kind {
        'd' | 'i' => {
            let number = Int::new(int.bits, bytes, true).bits;
            let sign = match number < 0 {
                true => "-",
                false if conversion.plus => "+",
                false if conversion.blank => " ",
                false => "",
            };
            (sign, number.unsigned_abs().to_string())
        }
        kind => {
            let bits = Int::new(int.bits, bytes, false).bits as u64;
            let prefix = match kind {
                _ if !conversion.other || bits == 0 => "",
                'x' => "0x",
                'X' => "0X",
                _ => "",
            };
            let digits = match kind {
                'u' => bits.to_string(),
                'x' => format!("{bits:x}"),
                'X' => format!("{bits:X}"),
                'o' if conversion.other && bits != 0 => format!("0{bits:o}"),
                'o' => format!("{bits:o}"),
                other => panic!("%{other} is not known"),
            };
            (prefix, digits)
        }
    };
    match conversion.precision {
        Some(0) if digits == "0" && !(conversion.kind == 'o' && conversion.other) => {
            padded(conversion, sign, "", false)
        }
        Some(least) => padded(conversion, sign, &format!("{digits:0>least$}"), false),
        None => padded(conversion, sign, &digits, conversion.zero),
    }
}

fn padded(conversion: Conversion, sign: &str, text: &str, zeros: bool) -> String {
    let width = conversion.width;
    match (conversion.left, zeros) {
        (true, _) => format!("{:<width$}", format!("{sign}{text}")),
        (false, true) => {
            let width = width.saturating_sub(sign.len());
            format!("{sign}{text:0>width$}")
        }
        (false, false) => format!("{:>width$}", format!("{sign}{text}")),
    }
}
