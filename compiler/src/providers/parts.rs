//! What all providers ask of the parts of an attach point: how many there are, what is missing, and which are numbers.
//!
//! In come an attach point and its provider's syntax, out go its parts or a diagnostic. What a part means is up to the
//! provider.

use super::ProviderInfo;
use pfscript_grammar::ast::AttachPoint;
use pfscript_grammar::{Diagnostic, Spanned};
use std::ops::RangeInclusive;

/// The parts behind the provider's name, if there are as many as its probes take and none but a last one is empty.
///
/// # Errors
/// A diagnostic with the syntax, at the first part too many or at the whole attach point.
pub(super) fn parts<'a>(
    point: &'a AttachPoint,
    info: &ProviderInfo,
    counts: RangeInclusive<usize>,
) -> Result<&'a [Spanned<String>], Diagnostic> {
    let mut written = point.parts.get(1..).unwrap_or_default();
    // `software:page-faults:`, as `-l` prints it.
    if let [others @ .., last] = written
        && last.node.is_empty()
        && !others.is_empty()
    {
        written = others;
    }
    let syntax = format!("such attach points are written `{}`", info.syntax);
    if let Some(extra) = written.get(*counts.end()) {
        let message = format!(
            "unexpected `{}` in a `{}` attach point",
            extra.node, info.names[0]
        );
        return Err(Diagnostic::error(extra.span, message).help(syntax));
    }
    if written.len() < *counts.start() {
        let message = format!(
            "`{}` needs {}",
            info.names[0],
            missing(info.syntax, written.len())
        );
        return Err(Diagnostic::error(point.span, message).help(syntax));
    }
    if written.iter().any(|part| part.node.is_empty()) {
        let message = format!("a part of this `{}` attach point is empty", info.names[0]);
        return Err(Diagnostic::error(point.span, message).help(syntax));
    }
    Ok(written)
}

/// What an attach point of so many parts lacks, in words, by the first way of the syntax: all parts in capitals behind
/// those, but for what may be left out.
fn missing(syntax: &str, given: usize) -> String {
    let mut optional = false;
    let needed: String = (syntax.chars())
        .filter(|c| {
            let hidden = optional || *c == '[';
            optional = hidden && *c != ']';
            !hidden
        })
        .collect();
    let way = needed.split([',', ' ']).next().unwrap_or_default();
    let words: Vec<&str> = (way.split(':').skip(1 + given))
        .filter(|part| part.bytes().all(|byte| byte.is_ascii_uppercase()))
        .map(|part| match part {
            "FUNCTION" => "a function name",
            "EVENT" => "an event name",
            "CATEGORY" => "a category",
            "NAME" => "a name",
            "RATE" => "a rate",
            _ => "another part",
        })
        .collect();
    match words.is_empty() {
        true => "another part".to_owned(),
        false => words.join(" and "),
    }
}

/// A number as the language writes it: `1000`, `1_000`, `1e3`, `0x3e8`.
pub(super) fn integer(text: &str) -> Option<u64> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let text: String = text.chars().filter(|&c| c != '_').collect();
    if let Some(digits) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        // `from_str_radix` takes a sign, the language does not.
        return match digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => u64::from_str_radix(digits, 16).ok(),
            false => None,
        };
    }
    match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let scale = 10u64.checked_pow(exponent.parse().ok()?)?;
            mantissa.parse::<u64>().ok()?.checked_mul(scale)
        }
        None => text.parse().ok(),
    }
}

/// [`integer`], or a diagnostic that says what the number would have been.
pub(super) fn number(part: &Spanned<String>, what: &str) -> Result<u64, Diagnostic> {
    integer(&part.node).ok_or_else(|| {
        let message = format!("{what} must be a number, not `{}`", part.node);
        Diagnostic::error(part.span, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntax_says_what_is_missing() {
        for (syntax, given, expected) in [
            ("kprobe:[MODULE:]FUNCTION[+OFFSET]", 0, "a function name"),
            ("software:EVENT[:COUNT]", 0, "an event name"),
            ("tracepoint:CATEGORY:NAME", 0, "a category and a name"),
            ("tracepoint:CATEGORY:NAME", 1, "a name"),
            ("profile:hz:RATE, profile:s|ms|us:PERIOD", 0, "a rate"),
            ("begin", 0, "another part"),
        ] {
            assert_eq!(missing(syntax, given), expected, "{syntax}");
        }
    }

    /// A provider whose syntax has a new word needs a row here.
    #[test]
    fn every_provider_says_what_it_needs() {
        for provider in crate::providers::registry() {
            let syntax = provider.info().syntax;
            if syntax.contains(':') {
                assert_ne!(missing(syntax, 0), "another part", "{syntax}");
            }
        }
    }

    #[test]
    fn numbers_are_read_as_the_language_writes_them() {
        for (text, value) in [
            ("100", Some(100)),
            ("1e6", Some(1_000_000)),
            ("1_000", Some(1000)),
            ("0x10", Some(16)),
            ("0x+1", None),
            ("x", None),
            ("-1", None),
            ("", None),
            ("1e", None),
            ("1e99", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(integer(text), value, "{text}");
        }
    }
}
