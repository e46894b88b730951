//! Functions that give bytes: a row of the table in the parent.

use super::{Args, FunctionRow};
use crate::hir::{Base, Expr, ExprKind, Place};
use crate::ir::Condition;
use crate::manifest::Holds;
use crate::sema::Checker;
use crate::types::{Type, round_up};
use pfscript_grammar::{Diagnostic, escape};
use pfscript_probes::abi::MAX_STRING_BYTES;
use std::net::IpAddr;

pub(super) const ROWS: &[FunctionRow] = rows! {
    "buf(any data, [int length]) -> buffer", Value(buf), "`length` bytes from the address or the string `data`, or all of an array; `%r` prints them, `%rx` and `%rh` in hexadecimal";
    "ntop(any address)", Value(|checker, args| ntop(checker, args, 0)), "the internet address in an integer (IPv4) or an array of 4 or 16 bytes (IPv6), in network order, as text";
    "ntop(int family, any address)", Value(|checker, args| ntop(checker, args, 1)), "the same of a family: `AF_INET` or `AF_INET6`";
    "pton(const string address) -> uint8[]", Value(pton), "the 4 or 16 bytes of an internet address";
    "macaddr(any address)", Value(macaddr), "the hardware address in an array of 6 bytes, or at an address, as text: `05:04:03:02:01:02`";
};

fn buf(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let value = args.value(0)?;
    let is_text = matches!(value.ty, Type::Str { .. });
    let in_characters = matches!(
        &value.kind,
        ExprKind::Load(Place {
            ty: Type::Chars { .. },
            ..
        })
    );
    let value = checker.characters(value);
    let (from, whole) = match value.ty {
        Type::Unknown => return Ok(value),
        Type::Int { .. } | Type::Pointer(_) => {
            let target = Type::Void;
            (Place::whole(Base::Memory(Box::new(value)), target), None)
        }
        Type::Array { .. } | Type::Record(_) => {
            let whole = checker.types.c_size(value.ty);
            // The room of a string says nothing of its length.
            let whole = whole.filter(|_| !is_text || in_characters);
            (checker.place(value), whole)
        }
        other => {
            let what = checker.types.describe(other);
            let message = format!("expected an address, an array or a string, found {what}");
            return Err(Diagnostic::error(args.span(0), message));
        }
    };
    let (length, most) = match (args.has(1), whole) {
        (true, _) => {
            let at = args.span(1);
            let length = args.value(1)?;
            match length.constant() {
                Some(constant) => match u32::try_from(constant) {
                    Ok(constant @ 0..=MAX_STRING_BYTES) => (None, constant),
                    _ => {
                        let message = format!("`length` must be from 0 to {MAX_STRING_BYTES}");
                        return Err(Diagnostic::error(at, message));
                    }
                },
                None => (
                    Some(Box::new(length)),
                    round_up(checker.options.limits.max_strlen),
                ),
            }
        }
        (false, Some(whole @ 0..=MAX_STRING_BYTES)) => (None, whole),
        (false, Some(whole)) => {
            let message =
                format!("`buf` takes at most {MAX_STRING_BYTES} bytes, and this has {whole}");
            return Err(Diagnostic::error(args.span(0), message)
                .help(format!("say how many: `buf(x, {MAX_STRING_BYTES})`")));
        }
        (false, None) => {
            let what = if is_text { "a string" } else { "an address" };
            let message = format!("`buf` needs a length for {what}");
            return Err(Diagnostic::error(span, message).help("such as `buf(x, 16)`"));
        }
    };
    Ok(Expr {
        kind: ExprKind::Buffer { from, length, most },
        ty: Type::Buffer {
            bytes: round_up(most),
            holds: Holds::Bytes,
        },
        span,
    })
}

const IPV4_BYTES: u32 = 4;
const IPV6_BYTES: u32 = 16;
const HARDWARE_BYTES: u32 = 6;
/// `AF_INET` and `AF_INET6` of Linux.
const FAMILIES: [(i64, u32); 2] = [(2, IPV4_BYTES), (10, IPV6_BYTES)];

/// The bytes that an array or a string of characters has; an integer's as they are in memory.
fn bytes_of(checker: &mut Checker<'_>, value: Expr) -> (Place, Option<u32>) {
    let value = checker.characters(value);
    let size = checker.types.c_size(value.ty);
    (checker.place(value), size)
}

fn ntop(checker: &mut Checker<'_>, mut args: Args<'_>, at: usize) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let value = args.value(at)?;
    let (from, have) = match value.ty {
        Type::Unknown => return Ok(value),
        Type::Int { .. } => {
            let (from, _) = bytes_of(checker, value);
            (from, Some(IPV4_BYTES))
        }
        Type::Array { .. } | Type::Str { .. } => bytes_of(checker, value),
        _ => (Place::whole(Base::Value(Box::new(value)), Type::Void), None),
    };
    let Some(have @ (IPV4_BYTES | IPV6_BYTES)) = have else {
        let message = "an internet address is an integer, or an array of 4 or 16 bytes";
        return Err(Diagnostic::error(args.span(at), message));
    };
    let length = match at {
        0 => None,
        _ => {
            let at = args.span(0);
            let family = args.value(0)?;
            match family.constant() {
                Some(constant) => {
                    let row = FAMILIES.iter().find(|row| row.0 == constant);
                    let Some((_, bytes)) = row.filter(|row| row.1 <= have) else {
                        let message = match row {
                            Some(_) => "this family's addresses have 16 bytes",
                            None => "the family must be AF_INET (2) or AF_INET6 (10)",
                        };
                        return Err(Diagnostic::error(at, message));
                    };
                    Some(Expr::int((*bytes).into(), Type::I64, at))
                }
                None => Some(length_of(family)),
            }
        }
    };
    Ok(Expr {
        kind: ExprKind::Buffer {
            from,
            length: length.map(Box::new),
            most: have,
        },
        ty: Type::Buffer {
            bytes: round_up(have),
            holds: Holds::InternetAddress,
        },
        span,
    })
}

/// The bytes of a family's addresses: 16 of `AF_INET6`, else 4.
fn length_of(family: Expr) -> Expr {
    let span = family.span;
    let int = |number: u32| Box::new(Expr::int(number.into(), Type::I64, span));
    let is_ipv6 = Expr {
        kind: ExprKind::Compare(Condition::Eq, Box::new(family), int(10)),
        ty: Type::Bool,
        span,
    };
    Expr {
        kind: ExprKind::Ternary(Box::new(is_ipv6), int(IPV6_BYTES), int(IPV4_BYTES)),
        ty: Type::I64,
        span,
    }
}

fn pton(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let (span, at) = (args.span, args.span(0));
    let text = args.text(0)?;
    let text = String::from_utf8_lossy(&text);
    let bytes = match text.parse() {
        Ok(IpAddr::V4(address)) => address.octets().to_vec(),
        Ok(IpAddr::V6(address)) => address.octets().to_vec(),
        Err(_) => {
            let message = format!("`{}` is no internet address", escape(&text));
            return Err(Diagnostic::error(at, message)
                .help("such as `pton(\"127.0.0.1\")` or `pton(\"::1\")`"));
        }
    };
    let array = Type::Array {
        element: checker.types.intern(Type::int(1, false)),
        count: bytes.len() as u32,
    };
    let text = Expr::string(&bytes, span);
    let whole = text.ty;
    checker.load(
        Place::whole(Base::Value(Box::new(text)), whole).part_in_c(0, array),
        span,
    )
}

fn macaddr(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let value = args.value(0)?;
    let from = match value.ty {
        Type::Unknown => return Ok(value),
        Type::Int { .. } | Type::Pointer(_) => {
            Place::whole(Base::Memory(Box::new(value)), Type::Void)
        }
        _ => match bytes_of(checker, value) {
            (from, Some(HARDWARE_BYTES..)) => from,
            _ => {
                let message = "a hardware address is an array of 6 bytes, or the address of one";
                return Err(Diagnostic::error(args.span(0), message));
            }
        },
    };
    Ok(Expr {
        kind: ExprKind::Buffer {
            from,
            length: None,
            most: HARDWARE_BYTES,
        },
        ty: Type::Buffer {
            bytes: round_up(HARDWARE_BYTES),
            holds: Holds::HardwareAddress,
        },
        span,
    })
}
