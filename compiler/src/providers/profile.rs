//! `profile:UNIT:NUMBER` and `profile:DURATION`: a timer on every CPU: what runs there is sampled.

use super::ProviderInfo;
use super::timer::Timer;
use crate::manifest::PerfScope;
use crate::program::ProgramKind;

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
