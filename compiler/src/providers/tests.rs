//! All families, on a recorded kernel.

use super::*;
use crate::manifest::{PerfEvent, PerfScope, Sample};
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

fn expand_on(text: &str, facts: &RecordedFacts) -> Result<Vec<Expansion>, Diagnostic> {
    let point = point(text);
    find(&point.parts[0])?.expand(&point, facts)
}

fn expand(text: &str) -> Result<Vec<Expansion>, Diagnostic> {
    expand_on(text, &facts())
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
fn families_are_found_by_all_their_names() {
    for (alias, name) in [
        ("BEGIN", "begin"),
        ("END", "end"),
        ("s", "software"),
        ("h", "hardware"),
        ("p", "profile"),
        ("i", "interval"),
        ("t", "tracepoint"),
        ("k", "kprobe"),
        ("kr", "kretprobe"),
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
fn unknown_families_are_answered_with_the_nearest() {
    let (place, message, help) = failure("sofware:faults");
    assert_eq!(place, "sofware");
    assert_eq!(message, "unknown probe type `sofware`");
    assert_eq!(help, "did you mean `software`?");
    let (_, _, help) = failure("zzzzzzzz:x");
    assert!(help.contains("`tracepoint`"), "{help}");
}

#[test]
fn families_of_bpftrace_that_are_missing_are_told_apart() {
    for (text, family) in [
        ("u:/bin/sh:main", "uprobe"),
        ("kfunc:vfs_read", "fentry"),
        ("rt:x", "rawtracepoint"),
    ] {
        let (_, message, _) = failure(text);
        assert_eq!(message, format!("`{family}` probes are not supported yet"));
    }
}

#[test]
fn begin_and_end_take_nothing() {
    assert_eq!(names("BEGIN"), ["begin"]);
    assert_eq!(expand("end").unwrap()[0].attach, Attach::End);
    let (place, message, _) = failure("BEGIN:x");
    assert_eq!(
        (place.as_str(), message.as_str()),
        ("x", "`begin` takes no `x` here")
    );
}

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
            "no software event is called `page-fault`",
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
            "`software` takes no `2` here",
            "attach points of this family are written `software:EVENT[:COUNT]`",
        ),
        (
            "software",
            "software",
            "`software` needs more to say what to trace",
            "attach points of this family are written `software:EVENT[:COUNT]`",
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
            "no hardware event is called `cycels`",
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
fn timers_take_all_spellings_of_a_rate() {
    for (text, name, sample) in [
        ("profile:hz:99", "profile:hz:99", Sample::Frequency(99)),
        ("p:99", "profile:hz:99", Sample::Frequency(99)),
        ("profile:99hz", "profile:hz:99", Sample::Frequency(99)),
        ("profile:s:1", "profile:s:1", Sample::Period(1_000_000_000)),
        ("profile:ms:10", "profile:ms:10", Sample::Period(10_000_000)),
        ("profile:us:500", "profile:us:500", Sample::Period(500_000)),
        (
            "profile:1s",
            "profile:us:1000000",
            Sample::Period(1_000_000_000),
        ),
        (
            "interval:100ms",
            "interval:us:100000",
            Sample::Period(100_000_000),
        ),
        ("i:s:1", "interval:s:1", Sample::Period(1_000_000_000)),
        (
            "interval:1e9",
            "interval:us:1000000",
            Sample::Period(1_000_000_000),
        ),
        (
            "interval:2m",
            "interval:us:120000000",
            Sample::Period(120_000_000_000),
        ),
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
        ("profile:5000", "5000", "`5000` lacks a unit"),
        ("interval:5", "5", "`5` lacks a unit"),
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
        (
            "profile",
            "profile",
            "`profile` needs more to say what to trace",
        ),
    ] {
        let (at, what, _) = failure(text);
        assert_eq!((at.as_str(), what.as_str()), (place, message), "{text}");
    }
}

#[test]
fn sampled_addresses_are_behind_the_registers() {
    let offset = |arch| match by_name("software").unwrap().address(arch) {
        Some(Access::Context { offset, .. }) => offset,
        other => panic!("{other:?}"),
    };
    // `sizeof(struct pt_regs)` and a `u64`, as BTF has them.
    let facts = facts();
    let btf = facts.btf().unwrap();
    let registers = btf.find(crate::btf::Kind::Struct, "pt_regs").unwrap();
    assert_eq!(offset(Arch::X86_64), btf.size_of(registers).unwrap() + 8);
    assert_eq!(offset(Arch::Aarch64), 280);
    assert_eq!(by_name("kprobe").unwrap().address(Arch::X86_64), None);
    assert_eq!(by_name("interval").unwrap().address(Arch::X86_64), None);
}

#[test]
fn tracepoints_expand_in_both_parts() {
    assert_eq!(
        names("t:sched:sched_switch"),
        ["tracepoint:sched:sched_switch"]
    );
    assert_eq!(
        names("tracepoint:exceptions:*"),
        [
            "tracepoint:exceptions:page_fault_kernel",
            "tracepoint:exceptions:page_fault_user"
        ]
    );
    assert_eq!(names("t:sys*:sys_enter_open*").len(), 2);
    assert_eq!(
        expand("t:sched:sched_switch").unwrap()[0].attach,
        Attach::Tracepoint {
            category: "sched".to_owned(),
            name: "sched_switch".to_owned()
        }
    );
}

#[test]
fn wrong_tracepoints_are_answered_at_their_place() {
    for (text, place, message, help) in [
        (
            "t:sched:sched_swich",
            "sched_swich",
            "no tracepoint `sched_swich` in category `sched`",
            "did you mean `sched_switch`?",
        ),
        (
            "t:shed:sched_switch",
            "shed",
            "no tracepoints in category `shed`",
            "did you mean `tracepoint:sched:sched_switch`?",
        ),
        (
            "t:syscall:sys_entr_open",
            "syscall",
            "no tracepoints in category `syscall`",
            "did you mean `syscalls`?",
        ),
        (
            "t:sched",
            "t:sched",
            "`tracepoint` needs more to say what to trace",
            "attach points of this family are written `tracepoint:CATEGORY:NAME`",
        ),
        (
            "t:sched:*zzz",
            "*zzz",
            "no tracepoint in `sched` matches `*zzz`",
            "see `pfscript -l 'tracepoint:sched:*'`",
        ),
        (
            "t:zzz*:*",
            "zzz*",
            "no tracepoints in category `zzz*`",
            "see `pfscript -l 'tracepoint:*'`",
        ),
    ] {
        let (at, what, advice) = failure(text);
        assert_eq!((at.as_str(), what.as_str()), (place, message), "{text}");
        assert_eq!(advice, help, "{text}");
    }
}

#[test]
fn without_tracefs_the_reason_is_given() {
    let facts = facts().without(Feature::Tracepoints);
    for text in ["t:sched:sched_switch", "t:sched:*"] {
        let (place, message, _) = failure_on(text, &facts);
        assert_eq!(
            (place.as_str(), message.as_str()),
            ("sched", "tracefs is not mounted")
        );
    }
}

#[test]
fn fields_of_tracepoints_are_arguments() {
    let facts = facts();
    let provider = by_name("tracepoint").unwrap();
    let arguments = |text: &str| {
        let expansion = expand(text).unwrap().remove(0);
        provider.arguments(&expansion, &facts).unwrap()
    };
    let switch = arguments("t:sched:sched_switch");
    assert_eq!(switch[0].name, "prev_comm");
    assert_eq!(switch[0].ty, ArgumentType::String { bytes: 16 });
    assert_eq!(switch[0].access, Access::InContext { offset: 8 });
    let open = arguments("t:syscalls:sys_enter_openat");
    let names: Vec<&str> = open.iter().map(|argument| argument.name.as_str()).collect();
    assert_eq!(names, ["__syscall_nr", "dfd", "filename", "flags", "mode"]);
    assert_eq!(
        open[2].ty,
        ArgumentType::Pointer {
            to: "char".to_owned()
        }
    );
    assert_eq!(
        provider
            .declarations("tracepoint:syscalls:sys_enter_openat", &facts)
            .unwrap(),
        [
            "int __syscall_nr",
            "int dfd",
            "const char * filename",
            "int flags",
            "umode_t mode"
        ]
    );
}

#[test]
fn kprobes_take_functions_offsets_and_modules() {
    let facts = facts()
        .with_function("xfs:xfs_file_open")
        .with_function("xfs:vfs_private");
    let expand = |text: &str| expand_on(text, &facts).unwrap();
    let read = &expand("k:vfs_read")[0];
    assert_eq!(read.name, "kprobe:vfs_read");
    assert_eq!(read.function.as_deref(), Some("vfs_read"));
    assert_eq!(
        expand("kprobe:vfs_read+0x10")[0],
        Expansion {
            name: "kprobe:vfs_read+16".to_owned(),
            function: Some("vfs_read".to_owned()),
            attach: Attach::Kprobe {
                function: "vfs_read".to_owned(),
                offset: 16,
                on_return: false
            }
        }
    );
    assert!(matches!(
        &expand("kr:vfs_read")[0].attach,
        Attach::Kprobe {
            on_return: true,
            offset: 0,
            ..
        }
    ));
    let file_open = &expand("kprobe:xfs:xfs_file_open")[0];
    assert_eq!(file_open.name, "kprobe:xfs:xfs_file_open");
    assert_eq!(file_open.function.as_deref(), Some("xfs_file_open"));
    assert_eq!(expand("kprobe:xfs_file_open")[0], *file_open);
    assert_eq!(expand("kprobe:vmlinux:vfs_read")[0], *read);
    assert_eq!(expand("kprobe:xfs:*").len(), 2);
    assert_eq!(expand("kprobe:xfs:vfs_*").len(), 1);
    let all = expand("kprobe:vfs_*");
    assert!(all.len() > 20 && all.iter().any(|one| one.name == "kprobe:xfs:vfs_private"));
}

#[test]
fn wrong_functions_are_answered_at_their_place() {
    for (text, place, message, help) in [
        (
            "kprobe:vfs_raed",
            "vfs_raed",
            "no kernel function `vfs_raed` that can be probed",
            "did you mean `vfs_read` or `vfs_readv`?",
        ),
        (
            "kprobe:zzz*",
            "zzz*",
            "no kernel function matches `zzz*`",
            "",
        ),
        (
            "kretprobe:vfs_read+1",
            "vfs_read+1",
            "a return has no offset",
            "write the function alone, or a `kprobe` with an offset",
        ),
        (
            "kprobe:vfs_read+x",
            "vfs_read+x",
            "the offset must be a number of bytes, not `x`",
            "",
        ),
        (
            "kprobe:vfs_*+1",
            "vfs_*+1",
            "an offset means nothing with a wildcard",
            "",
        ),
        (
            "kprobe:nosuch:vfs_read",
            "vfs_read",
            "no function `vfs_read` in module `nosuch`",
            "see `pfscript -l 'kprobe:*vfs_read*'`; functions that the compiler inlined have no entry",
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
fn kernels_without_kprobes_name_the_option_and_a_way_out() {
    let facts = RecordedFacts::linux_6_18();
    let (place, message, help) = failure_on("kprobe:handle_mm_fault", &facts);
    assert_eq!(place, "handle_mm_fault");
    assert!(
        message.starts_with("this kernel has no kprobes"),
        "{message}"
    );
    assert!(help.contains("CONFIG_KPROBES"), "{help}");
    assert!(
        help.contains("software:page-faults") && help.contains("ffaults.pf"),
        "{help}"
    );
    let (_, _, help) = failure_on("kprobe:vfs_*", &facts);
    assert!(
        help.contains("CONFIG_KPROBES") && !help.contains("page"),
        "{help}"
    );
}

#[test]
fn arguments_by_number_follow_the_calling_convention() {
    let facts = facts();
    let btf = facts.btf().unwrap();
    let registers = btf.find(crate::btf::Kind::Struct, "pt_regs").unwrap();
    let register = |name: &str| btf.member(registers, name).unwrap().bit_offset / 8;
    let kprobe = by_name("kprobe").unwrap();
    let in_register = |offset| Access::Context {
        offset,
        width: Width::W64,
        signed: false,
    };
    for (number, name) in (0..).zip(["di", "si", "dx", "cx", "r8", "r9"]) {
        let argument = kprobe.argument(number, Arch::X86_64).unwrap();
        assert_eq!(argument.access, in_register(register(name)), "{name}");
    }
    let on_stack = |pointer, offset| Access::Stack { pointer, offset };
    let access = |number, arch| kprobe.argument(number, arch).unwrap().access;
    assert_eq!(access(6, Arch::X86_64), on_stack(register("sp"), 8));
    assert_eq!(access(9, Arch::X86_64), on_stack(register("sp"), 32));
    assert_eq!(access(7, Arch::Aarch64), in_register(56));
    assert_eq!(access(8, Arch::Aarch64), on_stack(248, 0));
    assert_eq!(kprobe.argument(10, Arch::X86_64), None);
    let result = |arch| {
        by_name("kretprobe")
            .unwrap()
            .return_value(arch)
            .unwrap()
            .access
    };
    assert_eq!(result(Arch::X86_64), in_register(register("ax")));
    assert_eq!(result(Arch::Aarch64), in_register(0));
    assert_eq!(
        by_name("kretprobe").unwrap().argument(0, Arch::X86_64),
        None
    );
    assert_eq!(kprobe.return_value(Arch::X86_64), None);
}

#[test]
fn named_arguments_of_functions_come_from_btf() {
    let facts = facts();
    let provider = by_name("kprobe").unwrap();
    let arguments = |text: &str| {
        let expansion = expand(text).unwrap().remove(0);
        provider.arguments(&expansion, &facts).unwrap()
    };
    let read = arguments("kprobe:vfs_read");
    let names: Vec<&str> = read.iter().map(|argument| argument.name.as_str()).collect();
    assert_eq!(names, ["file", "buf", "count", "pos"]);
    assert_eq!(
        read[0].ty,
        ArgumentType::Pointer {
            to: "struct file".to_owned()
        }
    );
    assert_eq!(
        read[2].ty,
        ArgumentType::Int {
            bytes: 8,
            signed: false
        }
    );
    assert_eq!(arguments("kprobe:vfs_read+4"), []);
    assert_eq!(
        provider.declarations("kprobe:vfs_read", &facts).unwrap(),
        [
            "struct file * file",
            "char * buf",
            "size_t count",
            "loff_t * pos"
        ]
    );
    assert_eq!(
        by_name("kretprobe")
            .unwrap()
            .declarations("kretprobe:vfs_read", &facts)
            .unwrap(),
        ["ssize_t retval"]
    );
}

#[test]
fn named_arguments_on_the_stack_are_whole_words() {
    let mut writer = crate::recorded::BtfWriter::new();
    let int = writer.int("int", 4, 1);
    let long = writer.int("long int", 8, 1);
    let params = ["a", "b", "c", "d", "e", "f"].map(|name| (name, int));
    let params = [&params[..], &[("narrow", int), ("wide", long)]].concat();
    let prototype = writer.prototype(&params, int);
    writer.reference(crate::btf::Kind::Func, "many", prototype);
    let facts = facts().with_btf(crate::btf::Btf::new(writer.finish()).unwrap());
    let expansion = expand_on("kprobe:many", &facts).unwrap().remove(0);
    let provider = by_name("kprobe").unwrap();
    let arguments = provider.arguments(&expansion, &facts).unwrap();
    let names: Vec<&str> = arguments.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f", "wide"]);
    let on_stack = Access::Stack {
        pointer: 152,
        offset: 16,
    };
    assert_eq!(arguments[6].access, on_stack);
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
