//! `profile` and `interval`: timers, on every CPU and on one.
//!
//! `hz:99`, `s:1`, `ms:10`, `us:500` as in all versions of bpftrace, `1s`, `10ms`, `500us` as in the newer ones.

use super::{Provider, ProviderInfo, nearest, parts, perf_event};
use crate::facts::{FactError, Facts};
use crate::manifest::{Attach, PerfEvent, PerfScope, Sample, Site};
use crate::program::ProgramKind;
use pfscript_grammar::ast::AttachPoint;
use pfscript_grammar::{Diagnostic, Spanned};

/// Units of the form `unit:number`, as `-l` lists them.
const UNITS: [&str; 4] = ["hz", "ms", "s", "us"];

/// Units of the form `number unit`, in nanoseconds.
const SUFFIXES: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3600 * SECOND),
    ("d", 86_400 * SECOND),
];

const SECOND: u64 = 1_000_000_000;

/// The shortest period, as in bpftrace.
const SHORTEST: u64 = 1_000;

/// Probes that a clock fires.
pub(super) struct Timer {
    pub info: ProviderInfo,
    /// Which CPUs it runs on.
    pub scope: PerfScope,
}

pub(super) static PROFILE: Timer = Timer {
    info: ProviderInfo {
        names: &["profile", "p"],
        syntax: "profile:hz:RATE, profile:s|ms|us:PERIOD or profile:DURATION",
        doc: "a timer on every CPU: what runs there is sampled",
        kind: ProgramKind::PerfEvent,
        narrowed: true,
        listed: false,
    },
    scope: PerfScope::EveryCpu,
};

pub(super) static INTERVAL: Timer = Timer {
    info: ProviderInfo {
        names: &["interval", "i"],
        syntax: "interval:hz:RATE, interval:s|ms|us:PERIOD or interval:DURATION",
        doc: "a timer on one CPU: for printing and ending, not for sampling",
        narrowed: false,
        ..PROFILE.info
    },
    scope: PerfScope::OneCpu,
};

impl Provider for Timer {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    /// `PROBE:UNIT:NUMBER` and `PROBE:DURATION`, each one cpu-clock event.
    fn expand(&self, point: &AttachPoint, _facts: &dyn Facts) -> Result<Vec<Site>, Diagnostic> {
        let (name, sample) = match parts::parts(point, &self.info, 1..=2)? {
            [unit, number] => unit_and_number(unit, number)?,
            [rate, ..] => duration(rate, &self.info, self.scope)?,
            // `parts` has seen to it that there is one.
            [] => return Err(Diagnostic::error(point.span, "a rate is missing")),
        };
        Ok(vec![Site {
            name: format!("{}:{name}", self.info.names[0]),
            function: None,
            attach: Attach::PerfEvent(PerfEvent {
                event_type: perf_event::TYPE_SOFTWARE,
                config: perf_event::CPU_CLOCK,
                sample,
                scope: self.scope,
            }),
        }])
    }

    /// One example for each unit, as bpftrace lists them.
    fn list(&self, _facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        let name = self.info.names[0];
        Ok(UNITS.map(|unit| format!("{name}:{unit}:")).to_vec())
    }
}

fn unit_and_number(
    unit: &Spanned<String>,
    number: &Spanned<String>,
) -> Result<(String, Sample), Diagnostic> {
    let written = unit.node.as_str();
    let scale = match written {
        "hz" => None,
        "s" => Some(SECOND),
        "ms" => Some(1_000_000),
        "us" => Some(1_000),
        _ => {
            let message = format!("`{written}` is not a unit of time");
            let help = nearest::did_you_mean(written, UNITS)
                .unwrap_or_else(|| "units are `hz`, `s`, `ms` and `us`".to_owned());
            return Err(Diagnostic::error(unit.span, message).help(help));
        }
    };
    let value = parts::number(number, "the rate")?;
    if value == 0 {
        return Err(Diagnostic::error(
            number.span,
            "the rate must be at least 1",
        ));
    }
    let sample = match scale {
        None => Sample::Frequency(value),
        Some(scale) => Sample::Period(period(value, scale, number)?),
    };
    Ok((format!("{written}:{value}"), sample))
}

fn duration(
    rate: &Spanned<String>,
    info: &ProviderInfo,
    scope: PerfScope,
) -> Result<(String, Sample), Diagnostic> {
    let text = rate.node.as_str();
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || c == '_'))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let unreadable = || {
        let message = format!("`{text}` is neither a rate nor a duration");
        let help = format!("write `{0}:hz:99`, `{0}:s:1` or `{0}:10ms`", info.names[0]);
        Diagnostic::error(rate.span, message).help(help)
    };
    // `1e9` is a number, not a unit.
    let bare = parts::integer(text);
    let nanoseconds = match (bare, parts::integer(number)) {
        (Some(bare), _) => return without_unit(bare, rate, info, scope),
        (None, Some(value)) => {
            if matches!(suffix, "hz" | "Hz") && value > 0 {
                return Ok((format!("hz:{value}"), Sample::Frequency(value)));
            }
            let Some(&(_, scale)) = SUFFIXES.iter().find(|unit| unit.0 == suffix) else {
                return Err(unreadable());
            };
            period(value, scale, rate)?
        }
        (None, None) => return Err(unreadable()),
    };
    in_nanoseconds(nanoseconds, rate)
}

/// A number by itself. To bpftrace it is nanoseconds, and an error below 1000; people mean hertz.
fn without_unit(
    number: u64,
    rate: &Spanned<String>,
    info: &ProviderInfo,
    scope: PerfScope,
) -> Result<(String, Sample), Diagnostic> {
    let name = info.names[0];
    match (scope, number) {
        (PerfScope::EveryCpu, 1..SHORTEST) => {
            Ok((format!("hz:{number}"), Sample::Frequency(number)))
        }
        // Could be either, and nanoseconds would keep the machine busy with nothing else.
        (PerfScope::EveryCpu, SHORTEST..100_000) | (PerfScope::OneCpu, 0..SHORTEST) => Err(
            Diagnostic::error(rate.span, format!("`{number}` needs a unit")).help(format!(
                "write `{name}:hz:{number}` for a frequency or `{name}:{number}ms` for a period"
            )),
        ),
        _ => in_nanoseconds(number, rate),
    }
}

/// A period by its name in microseconds, which is how bpftrace names it.
fn in_nanoseconds(
    nanoseconds: u64,
    rate: &Spanned<String>,
) -> Result<(String, Sample), Diagnostic> {
    if nanoseconds < SHORTEST {
        return Err(Diagnostic::error(rate.span, "the shortest period is 1us"));
    }
    Ok((
        format!("us:{}", nanoseconds / 1_000),
        Sample::Period(nanoseconds),
    ))
}

/// The product, within what `perf_event_open` takes as a period.
fn period(value: u64, scale: u64, part: &Spanned<String>) -> Result<u64, Diagnostic> {
    value
        .checked_mul(scale)
        .filter(|&period| period <= i64::MAX as u64)
        .ok_or_else(|| Diagnostic::error(part.span, "the period is too long"))
}
