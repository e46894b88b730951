//! `hardware:EVENT[:COUNT]`: events that the processor counts. Virtual machines seldom have them.
//!
//! Besides the generic events there are perf's cache events, spelled as perf does (`L1-dcache-load-misses`), and raw
//! ones (`r01c2`: `r` and the event's number in hexadecimal).

use super::perf_event::{
    Counted, Event, Selected, TYPE_HARDWARE, TYPE_HARDWARE_CACHE, TYPE_RAW, counted, event,
};

pub(super) static HARDWARE: Counted = counted(
    &["hardware", "h"],
    "hardware:EVENT[:COUNT]",
    "an event of the processor, every COUNT times it happens",
    EVENTS,
    select,
);

/// `PERF_COUNT_HW_*`. The periods are bpftrace's.
static EVENTS: &[Event] = &[
    event(&["cpu-cycles", "cycles"], 0, 1_000_000),
    event(&["instructions"], 1, 1_000_000),
    event(&["cache-references"], 2, 1_000_000),
    event(&["cache-misses"], 3, 1_000_000),
    event(&["branch-instructions", "branches"], 4, 100_000),
    event(&["branch-misses"], 5, 100_000),
    event(&["bus-cycles"], 6, 100_000),
    event(
        &["frontend-stalls", "stalled-cycles-frontend"],
        7,
        1_000_000,
    ),
    event(&["backend-stalls", "stalled-cycles-backend"], 8, 1_000_000),
    event(&["ref-cycles"], 9, 1_000_000),
];

/// `PERF_COUNT_HW_CACHE_*`, in the kernel's order.
const CACHES: [&str; 7] = [
    "L1-dcache",
    "L1-icache",
    "LLC",
    "dTLB",
    "iTLB",
    "branch",
    "node",
];

/// What is done to a cache and how it ends: perf's words, operation, result (`PERF_COUNT_HW_CACHE_OP_*`,
/// `PERF_COUNT_HW_CACHE_RESULT_*`).
const CACHE_EVENTS: [(&str, u64, u64); 6] = [
    ("loads", 0, 0),
    ("load-misses", 0, 1),
    ("stores", 1, 0),
    ("store-misses", 1, 1),
    ("prefetches", 2, 0),
    ("prefetch-misses", 2, 1),
];

/// Period of cache and raw events, of which nothing is known.
const OTHER_PERIOD: u64 = 1_000_000;

fn select(name: &str) -> Option<Selected> {
    if let Some(event) = EVENTS.iter().find(|event| event.names.contains(&name)) {
        return Some(Selected {
            event_type: TYPE_HARDWARE,
            config: event.config,
            period: event.period,
        });
    }
    if let Some(config) = raw(name) {
        return Some(Selected {
            event_type: TYPE_RAW,
            config,
            period: OTHER_PERIOD,
        });
    }
    let (cache, rest) = CACHES
        .iter()
        .enumerate()
        .find_map(|(number, cache)| Some((number as u64, name.strip_prefix(cache)?)))?;
    let words = rest.strip_prefix('-')?;
    let &(_, operation, result) = CACHE_EVENTS.iter().find(|event| event.0 == words)?;
    Some(Selected {
        event_type: TYPE_HARDWARE_CACHE,
        config: cache | operation << 8 | result << 16,
        period: OTHER_PERIOD,
    })
}

/// `r` and hexadecimal digits.
fn raw(name: &str) -> Option<u64> {
    let digits = name.strip_prefix('r')?;
    match digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => u64::from_str_radix(digits, 16).ok(),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(name: &str) -> Option<(u32, u64)> {
        select(name).map(|selected| (selected.event_type, selected.config))
    }

    #[test]
    fn cache_and_raw_events_are_spelled_as_perf_spells_them() {
        assert_eq!(numbers("cycles"), Some((0, 0)));
        assert_eq!(numbers("L1-dcache-loads"), Some((3, 0)));
        assert_eq!(numbers("LLC-load-misses"), Some((3, 0x1_0002)));
        assert_eq!(numbers("dTLB-store-misses"), Some((3, 0x1_0103)));
        assert_eq!(numbers("branch-misses"), Some((0, 5)));
        assert_eq!(numbers("r01c2"), Some((4, 0x1c2)));
        assert_eq!(numbers("ref-cycles"), Some((0, 9)));
        assert_eq!(numbers("r"), None);
        assert_eq!(numbers("LLC"), None);
    }
}
