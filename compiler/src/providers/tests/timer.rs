//! `profile` and `interval`.

use super::*;
use crate::manifest::{PerfScope, Sample};

#[test]
fn timers_take_all_spellings_of_a_rate() {
    let (hz, ns) = (Sample::Frequency, Sample::Period);
    for (text, name, sample) in [
        ("profile:hz:99", "profile:hz:99", hz(99)),
        ("p:99", "profile:hz:99", hz(99)),
        ("profile:99hz", "profile:hz:99", hz(99)),
        ("profile:s:1", "profile:s:1", ns(1_000_000_000)),
        ("profile:ms:10", "profile:ms:10", ns(10_000_000)),
        ("profile:us:500", "profile:us:500", ns(500_000)),
        ("profile:1s", "profile:us:1000000", ns(1_000_000_000)),
        ("interval:100ms", "interval:us:100000", ns(100_000_000)),
        ("i:s:1", "interval:s:1", ns(1_000_000_000)),
        ("interval:1e9", "interval:us:1000000", ns(1_000_000_000)),
        ("interval:2m", "interval:us:120000000", ns(120_000_000_000)),
    ] {
        assert_eq!(names(text), [name], "{text}");
        let event = perf_event(text);
        assert_eq!(
            (event.event_type, event.config, event.sample),
            (1, 0, sample),
            "{text}"
        );
        let scope = match text.starts_with('p') {
            true => PerfScope::EveryCpu,
            false => PerfScope::OneCpu,
        };
        assert_eq!(event.scope, scope, "{text}");
    }
}

#[test]
fn wrong_rates_are_answered_at_their_place() {
    for (text, place, message) in [
        ("profile:xx:1", "xx", "`xx` is not a unit of time"),
        ("profile:hz:0", "0", "the rate must be at least 1"),
        ("profile:hz:x", "x", "the rate must be a number, not `x`"),
        ("profile:hz", "hz", "`hz` is neither a rate nor a duration"),
        ("profile:1x", "1x", "`1x` is neither a rate nor a duration"),
        ("profile:1ns", "1ns", "the shortest period is 1us"),
        ("profile:5000", "5000", "`5000` needs a unit"),
        ("interval:5", "5", "`5` needs a unit"),
        (
            "profile:99999999999999d",
            "99999999999999d",
            "the period is too long",
        ),
        (
            "profile:s:99999999999",
            "99999999999",
            "the period is too long",
        ),
        ("profile", "profile", "`profile` needs a rate"),
    ] {
        let (at, what, _) = failure(text);
        assert_eq!((at.as_str(), what.as_str()), (place, message), "{text}");
    }
}
