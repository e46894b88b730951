//! `software:EVENT[:COUNT]`: events that the kernel itself counts, such as page faults and context switches. They need
//! no hardware and work in any virtual machine.

use super::perf_event::{self, Counted, Event, Selected, TYPE_SOFTWARE, counted, event};

pub(super) static SOFTWARE: Counted = counted(
    &["software", "s"],
    "software:EVENT[:COUNT]",
    "a software event of the kernel, every COUNT times it happens",
    EVENTS,
    select,
);

/// `PERF_COUNT_SW_*`. The periods are bpftrace's.
static EVENTS: &[Event] = &[
    event(&["cpu-clock", "cpu"], perf_event::CPU_CLOCK, 1_000_000),
    event(&["task-clock"], 1, 1),
    event(&["page-faults", "faults"], 2, 100),
    event(&["context-switches", "cs"], 3, 1000),
    event(&["cpu-migrations", "migrations"], 4, 1),
    event(&["minor-faults"], 5, 100),
    event(&["major-faults"], 6, 1),
    event(&["alignment-faults"], 7, 1),
    event(&["emulation-faults"], 8, 1),
    event(&["dummy"], 9, 1),
    event(&["bpf-output"], 10, 1),
    // Since 5.13.
    event(&["cgroup-switches"], 11, 1),
];

fn select(name: &str) -> Option<Selected> {
    let event = EVENTS.iter().find(|event| event.names.contains(&name))?;
    Some(Selected {
        event_type: TYPE_SOFTWARE,
        config: event.config,
        period: event.period,
    })
}
