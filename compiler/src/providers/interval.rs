//! `interval:UNIT:NUMBER` and `interval:DURATION`: a timer on one CPU: for printing and ending, not for sampling.

use super::ProviderInfo;
use super::timer::Timer;
use crate::manifest::PerfScope;
use crate::program::ProgramKind;

pub(super) static INTERVAL: Timer = Timer {
    info: ProviderInfo {
        names: &["interval", "i"],
        syntax: "interval:hz:RATE, interval:s|ms|us:PERIOD or interval:DURATION",
        doc: "a timer on one CPU: for printing and ending, not for sampling",
        kind: ProgramKind::PerfEvent,
        narrowed: false,
        listed: false,
    },
    scope: PerfScope::OneCpu,
};
