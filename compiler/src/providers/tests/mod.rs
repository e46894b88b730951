//! All providers, on a recorded kernel: here what is true of all of them, in the other files what is of one.

mod kprobe;
mod perf_event;
mod rawtracepoint;
mod timer;
mod tracepoint;
mod uprobe;
mod usdt;

use super::*;
use crate::manifest::{Attach, PerfEvent};
use crate::recorded::RecordedFacts;
use pfscript_grammar::Span;
use pfscript_probes::Feature;

/// An attach point as the grammar gives it, with true spans.
fn point(text: &str) -> AttachPoint {
    let mut start = 0;
    let parts = text
        .split(':')
        .map(|part| {
            let span = Span::new(start, start + part.len());
            start += part.len() + 1;
            Spanned::new(part.to_owned(), span)
        })
        .collect();
    AttachPoint {
        parts,
        span: Span::new(0, text.len()),
    }
}

/// The recorded kernel has no kprobes; most questions are about those that do.
fn facts() -> RecordedFacts {
    RecordedFacts::linux_6_18().with(Feature::Kprobes)
}

fn expand_on(text: &str, facts: &RecordedFacts) -> Result<Vec<Site>, Diagnostic> {
    let point = point(text);
    find(&point.parts[0])?.expand(&point, facts)
}

fn expand(text: &str) -> Result<Vec<Site>, Diagnostic> {
    expand_on(text, &facts())
}

/// The arguments at the first site.
fn arguments(provider: &dyn Provider, text: &str) -> Vec<Argument> {
    let site = expand(text).unwrap().remove(0);
    provider.arguments(&site, &facts()).unwrap()
}

fn names(text: &str) -> Vec<String> {
    let expansions = expand(text).unwrap();
    expansions
        .into_iter()
        .map(|expansion| expansion.name)
        .collect()
}

fn perf_event(text: &str) -> PerfEvent {
    match expand(text).unwrap().remove(0).attach {
        Attach::PerfEvent(event) => event,
        other => panic!("{other:?}"),
    }
}

/// The text that a failed expansion points at, its message and its help.
fn failure(text: &str) -> (String, String, String) {
    failure_on(text, &facts())
}

fn failure_on(text: &str, facts: &RecordedFacts) -> (String, String, String) {
    let error = expand_on(text, facts).unwrap_err();
    let place = text[error.span.range()].to_owned();
    (place, error.message, error.help.unwrap_or_default())
}

#[test]
fn probe_types_are_found_by_all_their_names() {
    for (alias, name) in [
        ("BEGIN", "begin"),
        ("END", "end"),
        ("s", "software"),
        ("h", "hardware"),
        ("p", "profile"),
        ("i", "interval"),
        ("t", "tracepoint"),
        ("rt", "rawtracepoint"),
        ("k", "kprobe"),
        ("kr", "kretprobe"),
        ("u", "uprobe"),
        ("ur", "uretprobe"),
        ("U", "usdt"),
    ] {
        assert_eq!(by_name(alias).unwrap().info().names[0], name);
        assert_eq!(by_name(name).unwrap().info().names[0], name);
    }
}

#[test]
fn no_name_is_taken_twice() {
    let mut all: Vec<&str> = registry()
        .iter()
        .flat_map(|provider| provider.info().names)
        .chain(NOT_YET.iter().copied().flatten())
        .copied()
        .collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn unknown_probe_types_are_answered_with_the_nearest() {
    let (place, message, help) = failure("sofware:faults");
    assert_eq!(place, "sofware");
    assert_eq!(message, "unknown probe type `sofware`");
    assert_eq!(help, "did you mean `software`?");
    let (_, _, help) = failure("zzzzzzzz:x");
    assert!(help.contains("`tracepoint`"), "{help}");
}

#[test]
fn probe_types_of_bpftrace_that_are_missing_are_told_apart() {
    for (text, name) in [
        ("it:task", "iter"),
        ("kfunc:vfs_read", "fentry"),
        ("w:0x1000:8:w", "watchpoint"),
    ] {
        let (_, message, _) = failure(text);
        assert_eq!(message, format!("`{name}` probes are not supported yet"));
    }
}

#[test]
fn begin_and_end_take_nothing() {
    assert_eq!(names("BEGIN"), ["begin"]);
    assert_eq!(expand("end").unwrap()[0].attach, Attach::End);
    let (place, message, _) = failure("BEGIN:x");
    assert_eq!(
        (place.as_str(), message.as_str()),
        ("x", "unexpected `x` in a `begin` attach point")
    );
}

#[test]
fn lists_name_attach_points_in_full() {
    let facts = facts();
    let list = |name: &str| by_name(name).unwrap().list(&facts).unwrap();
    assert_eq!(
        list("profile"),
        ["profile:hz:", "profile:ms:", "profile:s:", "profile:us:"]
    );
    assert!(list("software").contains(&"software:page-faults:".to_owned()));
    assert!(list("tracepoint").contains(&"tracepoint:sched:sched_switch".to_owned()));
    assert!(list("kprobe").contains(&"kprobe:vfs_read".to_owned()));
    assert!(list("kretprobe").contains(&"kretprobe:vfs_read".to_owned()));
    assert!(
        by_name("kprobe")
            .unwrap()
            .list(&RecordedFacts::linux_6_18())
            .is_err()
    );
}

#[test]
fn everything_listed_can_be_attached_to() {
    let facts = facts();
    for provider in registry().iter().filter(|provider| provider.info().listed) {
        for name in provider.list(&facts).unwrap() {
            let expansions = expand(&name).unwrap();
            assert_eq!(expansions.len(), 1, "{name}");
            assert_eq!(expansions[0].name, name.trim_end_matches(':'));
        }
    }
}
