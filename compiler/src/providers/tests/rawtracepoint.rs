//! `rawtracepoint`.

use super::*;
use crate::btf::{Btf, Kind, TypeId};
use crate::ir::Width;
use crate::recorded::BtfWriter;

/// A kernel whose types know of `sched_switch(bool preempt, struct task_struct *prev, unsigned int prev_state)` and of
/// `sys_enter`, with a prototype that only the newer name of its function has.
fn facts() -> RecordedFacts {
    let mut writer = BtfWriter::new();
    let flag = writer.int("_Bool", 1, 4);
    let word = writer.int("unsigned int", 4, 0);
    let long = writer.int("long int", 8, 1);
    let task = writer.forward("task_struct", false);
    let pointer = writer.reference(Kind::Pointer, "", task);
    let data = writer.reference(Kind::Pointer, "", TypeId::VOID);
    let mut event = |prefix: &str, name: &str, params: &[(&str, TypeId)]| {
        let params: Vec<_> = [&[("__data", data)], params].concat();
        let prototype = writer.prototype(&params, TypeId::VOID);
        let called = writer.reference(Kind::Pointer, "", prototype);
        writer.reference(Kind::Typedef, &format!("btf_trace_{name}"), called);
        writer.reference(Kind::Func, &format!("{prefix}{name}"), prototype);
    };
    let switch = [("preempt", flag), ("prev", pointer), ("prev_state", word)];
    event("__traceiter_", "sched_switch", &switch);
    event(
        "__probestub_",
        "sys_enter",
        &[("regs", pointer), ("id", long)],
    );
    RecordedFacts::linux_6_18().with_btf(Btf::new(writer.finish()).unwrap())
}

fn raw(name: &str) -> Site {
    Site {
        name: format!("rawtracepoint:vmlinux:{name}"),
        function: None,
        attach: Attach::RawTracepoint {
            name: name.to_owned(),
        },
    }
}

#[test]
fn events_are_those_of_the_types() {
    let facts = facts();
    for text in [
        "rt:sched_switch",
        "rawtracepoint:vmlinux:sched_switch",
        "rt:sched_*",
        "rt:vm*:*switch",
    ] {
        assert_eq!(
            expand_on(text, &facts).unwrap(),
            [raw("sched_switch")],
            "{text}"
        );
    }
    let all = expand_on("rt:*", &facts).unwrap();
    assert_eq!(all, [raw("sched_switch"), raw("sys_enter")]);
    let listed = by_name("rt").unwrap().list(&facts).unwrap();
    assert_eq!(
        listed,
        [
            "rawtracepoint:vmlinux:sched_switch",
            "rawtracepoint:vmlinux:sys_enter"
        ]
    );
}

#[test]
fn events_of_modules_are_known_by_their_names_in_tracefs() {
    // Of what the types do not know, tracefs does.
    let site = expand_on("rt:exceptions:page_fault_user", &facts()).unwrap();
    assert_eq!(site[0].name, "rawtracepoint:exceptions:page_fault_user");
    assert_eq!(site[0].attach, raw("page_fault_user").attach);
}

#[test]
fn without_types_events_are_those_of_tracefs() {
    let facts = RecordedFacts::linux_6_18().without(Feature::Btf);
    let all = expand_on("rt:*", &facts).unwrap();
    assert!(all.contains(&raw("page_fault_user")), "{all:?}");
    // Each is one of `sys_enter`, which is traced instead.
    assert!(all.iter().all(|site| !site.name.contains("sys_enter_")));
}

#[test]
fn wrong_events_are_answered_at_their_place() {
    for (text, place, message, help) in [
        (
            "rt:sched_swich",
            "sched_swich",
            "unknown raw tracepoint `sched_swich`",
            "did you mean `sched_switch`?",
        ),
        (
            "rt:sys_enter_openat",
            "sys_enter_openat",
            "unknown raw tracepoint `sys_enter_openat`",
            "all system calls share `rawtracepoint:sys_enter`; `tracepoint:syscalls:sys_enter_openat` is one call",
        ),
        (
            "rt:zzz*",
            "zzz*",
            "no raw tracepoint matches `zzz*`",
            "see `pfscript -l 'rawtracepoint:*'`",
        ),
        (
            "rt:sched:sched_switch",
            "sched",
            "`sched_switch` is an event of the kernel, not of a module `sched`",
            "did you mean `rawtracepoint:sched_switch`?",
        ),
        (
            "rt:xfs:xfs_*",
            "xfs",
            "the events of `xfs` cannot be listed",
            "wildcards find events of the kernel proper, `vmlinux`; name one of a module",
        ),
    ] {
        let (at, what, advice) = failure_on(text, &facts());
        assert_eq!((at.as_str(), what.as_str()), (place, message), "{text}");
        assert_eq!(advice, help, "{text}");
    }
}

#[test]
fn arguments_are_words_of_the_call() {
    let facts = facts();
    let provider = by_name("rt").unwrap();
    let found: Vec<_> = (provider.arguments(&raw("sched_switch"), &facts).unwrap())
        .into_iter()
        .map(|argument| (argument.name, argument.access))
        .collect();
    let at = |offset, width| Access::Context {
        offset,
        width,
        signed: false,
    };
    assert_eq!(
        found,
        [
            ("preempt".to_owned(), at(0, Width::W8)),
            ("prev".to_owned(), at(8, Width::W64)),
            ("prev_state".to_owned(), at(16, Width::W32)),
        ]
    );
    assert_eq!(
        provider
            .declarations("rawtracepoint:vmlinux:sys_enter", &facts)
            .unwrap(),
        ["struct task_struct * regs", "long int id"]
    );
    let third = provider.builtin("arg2", Arch::X86_64).unwrap();
    assert_eq!(third.access, at(16, Width::W64));
    assert!(provider.builtin("retval", Arch::X86_64).is_none());
    assert!(provider.builtin("arg10", Arch::X86_64).is_none());
}
