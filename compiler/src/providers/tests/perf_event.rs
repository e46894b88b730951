//! `software` and `hardware`.

use super::*;
use crate::manifest::{PerfScope, Sample};

#[test]
fn software_events_have_the_periods_of_bpftrace() {
    for (text, config, period) in [
        ("software:page-faults", 2, 100),
        ("s:faults:1", 2, 1),
        ("software:faults:", 2, 100),
        ("software:page-faults:0", 2, 100),
        ("software:page-faults:1e3", 2, 1000),
        ("software:cs", 3, 1000),
        ("software:cpu", 0, 1_000_000),
        ("software:major-faults", 6, 1),
        ("software:minor-faults", 5, 100),
        ("software:task-clock", 1, 1),
        ("software:bpf-output", 10, 1),
    ] {
        let expected = PerfEvent {
            event_type: 1,
            config,
            sample: Sample::Period(period),
            scope: PerfScope::EveryCpu,
        };
        assert_eq!(perf_event(text), expected, "{text}");
    }
    assert_eq!(names("s:faults:1"), ["software:faults:1"]);
    assert_eq!(names("s:page-faults"), ["software:page-faults"]);
}

#[test]
fn hardware_events_have_the_periods_of_bpftrace() {
    for (text, event_type, config, period) in [
        ("h:cycles", 0, 0, 1_000_000),
        ("hardware:branch-misses", 0, 5, 100_000),
        ("hardware:frontend-stalls", 0, 7, 1_000_000),
        ("hardware:cache-misses:10", 0, 3, 10),
        ("hardware:L1-dcache-load-misses:10", 3, 0x1_0000, 10),
    ] {
        let event = perf_event(text);
        assert_eq!(
            (event.event_type, event.config),
            (event_type, config),
            "{text}"
        );
        assert_eq!(event.sample, Sample::Period(period), "{text}");
    }
}

#[test]
fn wrong_events_are_answered_at_their_place() {
    for (text, place, message, help) in [
        (
            "software:page-fault",
            "page-fault",
            "unknown software event `page-fault`",
            "did you mean `page-faults`?",
        ),
        (
            "software:page-faults:x",
            "x",
            "the count must be a number, not `x`",
            "",
        ),
        (
            "software:page-faults:1:2",
            "2",
            "unexpected `2` in a `software` attach point",
            "such attach points are written `software:EVENT[:COUNT]`",
        ),
        (
            "software",
            "software",
            "`software` needs an event name",
            "such attach points are written `software:EVENT[:COUNT]`",
        ),
        (
            "software:*",
            "*",
            "`software` probes take no wildcards",
            "see `pfscript -l 'software:*'` for the events",
        ),
        (
            "hardware:cycels",
            "cycels",
            "unknown hardware event `cycels`",
            "did you mean `cycles`?",
        ),
    ] {
        assert_eq!(
            failure(text),
            (place.to_owned(), message.to_owned(), help.to_owned()),
            "{text}"
        );
    }
}

#[test]
fn sampled_addresses_are_behind_the_registers() {
    let addr = |name, arch| by_name(name).unwrap().builtin("addr", arch);
    let offset = |arch| match addr("software", arch).unwrap().access {
        Access::Context { offset, .. } => offset,
        other => panic!("{other:?}"),
    };
    // `sizeof(struct pt_regs)` and a `u64`, as BTF has them.
    let facts = facts();
    let btf = facts.btf().unwrap();
    let registers = btf.find(crate::btf::Kind::Struct, "pt_regs").unwrap();
    assert_eq!(offset(Arch::X86_64), btf.size_of(registers).unwrap() + 8);
    assert_eq!(offset(Arch::Aarch64), 280);
    assert_eq!(addr("kprobe", Arch::X86_64), None);
    assert_eq!(addr("interval", Arch::X86_64), None);
}
