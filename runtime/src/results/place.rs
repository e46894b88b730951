//! Places in the script, and what failed at them.

use crate::loss::{Cause, Loss};
use pfscript_compiler::manifest::FaultKind;
use pfscript_grammar::Span;
use pfscript_probes::LossCause;
use std::borrow::Cow;
use std::fmt;

/// A place in the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// What the script is called.
    pub script: &'a str,
    /// The line, from 1.
    pub line: usize,
    /// The column in it in bytes, from 1.
    pub column: usize,
    /// How many characters of the line it takes.
    pub width: usize,
    /// The line's text.
    pub text: &'a str,
}

impl<'a> Place<'a> {
    /// Where a span is. Of one that takes several lines, the place is the part in the first.
    pub fn new(script: &'a str, source: &'a str, span: Span) -> Place<'a> {
        let start = span.start as usize;
        let before = source.get(..start).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let text = source[line_start..].lines().next().unwrap_or("");
        let end = (span.end as usize).min(line_start + text.len());
        Place {
            script,
            line: before.matches('\n').count() + 1,
            column: before.len() - line_start + 1,
            width: source
                .get(start..end)
                .map_or(0, |part| part.chars().count()),
            text,
        }
    }
}

/// As messages have it in front: `x.bt:2:9-14`.
impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (script, line, column) = (self.script, self.line, self.column);
        write!(f, "{script}:{line}:{column}-{}", column + self.width)
    }
}

/// What failed at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// Where.
    pub place: Place<'a>,
    /// How many times, and what.
    pub loss: &'a Loss,
}

/// The kernel's helper that fails, and with which result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Without `bpf_` in front.
    pub helper: &'static str,
    /// 0 or a negative error number.
    pub code: i32,
    /// What that number means.
    pub meaning: &'static str,
}

const fn refused(helper: &'static str, code: i32, meaning: &'static str) -> Option<Refused> {
    Some(Refused {
        helper,
        code,
        meaning,
    })
}

impl Failure<'_> {
    /// The helper that failed, if it was one.
    pub fn refused(&self) -> Option<Refused> {
        let Cause::Fault { kind, .. } = self.loss.cause else {
            return None;
        };
        let unreadable = |helper| refused(helper, -libc::EFAULT, "Bad address");
        match kind {
            FaultKind::DivisionByZero | FaultKind::OutOfBounds => None,
            FaultKind::NoElement => refused("map_lookup_elem", 0, "Success"),
            FaultKind::Lost { cause, string } => match (cause, string) {
                (LossCause::UserReadFailed, false) => unreadable("probe_read_user"),
                (LossCause::UserReadFailed, true) => unreadable("probe_read_user_str"),
                (LossCause::KernelReadFailed, false) => unreadable("probe_read_kernel"),
                (LossCause::KernelReadFailed, true) => unreadable("probe_read_kernel_str"),
                (LossCause::MapFull, _) => {
                    refused("map_update_elem", -libc::E2BIG, "Argument list too long")
                }
                (LossCause::NoMemory, _) => {
                    refused("map_update_elem", -libc::ENOMEM, "Cannot allocate memory")
                }
                _ => None,
            },
        }
    }

    /// What happened, for people.
    pub fn message(&self) -> Cow<'static, str> {
        let Cause::Fault { kind, .. } = self.loss.cause else {
            return self.loss.to_string().into();
        };
        match kind {
            FaultKind::DivisionByZero => {
                "Divide or modulo by 0 detected. This can lead to unexpected results. 1 is being used as the result."
                    .into()
            }
            FaultKind::OutOfBounds => {
                "Array access out of bounds. This can lead to unexpected results.".into()
            }
            FaultKind::NoElement => {
                "Can't lookup map element because it does not exist.".into()
            }
            FaultKind::Lost {
                cause: LossCause::MapFull,
                ..
            } => "Map full; can't update element. Raise max_map_keys with config, or give this map its own room with \
                  `let @a = hash(5000)` before the probes"
                .into(),
            FaultKind::Lost { .. } => match self.refused() {
                Some(refused) => refused.meaning.into(),
                None => self.loss.to_string().into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_line_a_column_and_a_width() {
        let source = "BEGIN {\n  print(@ä[2]);\n}\n";
        let start = source.find('@').unwrap();
        let span = Span::new(start, start + 6);
        let place = Place::new("x.bt", source, span);
        assert_eq!((place.line, place.column, place.width), (2, 9, 5));
        assert_eq!(place.text, "  print(@ä[2]);");
        assert_eq!(place.to_string(), "x.bt:2:9-14");
        let all = Place::new("x.bt", source, Span::new(0, source.len()));
        assert_eq!((all.line, all.column, all.width), (1, 1, 7));
        let behind = Place::new("x.bt", source, Span::new(1000, 1001));
        assert_eq!((behind.line, behind.width, behind.text), (4, 0, ""));
    }

    #[test]
    fn each_failure_of_a_helper_has_its_number() {
        let failure = |kind| {
            let cause = Cause::Fault {
                kind,
                line: 1,
                column: 1,
                span: Span::default(),
            };
            let loss = Loss {
                probe: None,
                cause,
                count: 1,
                capacity: None,
            };
            let place = Place::new("", "", Span::default());
            let failure = Failure { place, loss: &loss };
            let refused = failure
                .refused()
                .map(|refused| (refused.helper, refused.code));
            (refused, failure.message().into_owned())
        };
        let lost = |cause, string| failure(FaultKind::Lost { cause, string });
        assert_eq!(
            lost(LossCause::UserReadFailed, true),
            (Some(("probe_read_user_str", -14)), "Bad address".into())
        );
        assert_eq!(
            lost(LossCause::MapFull, false).0,
            Some(("map_update_elem", -7))
        );
        assert_eq!(
            failure(FaultKind::NoElement).0,
            Some(("map_lookup_elem", 0))
        );
        assert_eq!(failure(FaultKind::DivisionByZero).0, None);
        assert_eq!(
            lost(LossCause::LoopCut, false).1,
            "ended 1 loop that would have gone on: a `while` may take 1048576 turns, a `for` 8388608, in line 1, column 1"
        );
    }
}
