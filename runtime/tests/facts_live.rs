//! Facts of the kernel that the tests run on. Everything that needs root is skipped without it.

use pfscript_compiler::btf::{Btf, Kind};
use pfscript_compiler::facts::{FactError, Facts};
use pfscript_compiler::probe_list::list;
use pfscript_compiler::providers::tracepoint_types;
use pfscript_compiler::recorded::trim;
use pfscript_probes::{FEATURES, Feature};
use pfscript_runtime::facts::{LiveFacts, Presence, describe};
use pfscript_testkit::{is_root, needs_root};

#[test]
fn layouts_come_from_the_running_kernel() {
    let facts = LiveFacts::new();
    let Some(btf) = facts.btf() else {
        assert_eq!(facts.presence(Feature::Btf), Presence::Absent);
        return;
    };
    let task = btf.find(Kind::Struct, "task_struct").unwrap();
    let comm = btf.member(task, "comm").unwrap();
    assert_eq!(btf.size_of(comm.ty), Some(16));
    assert_eq!(btf.c_declaration(comm.ty, "comm"), "char comm[16]");
    assert!(btf.member(task, "mm").is_some());
    let file = btf.find(Kind::Struct, "file").unwrap();
    assert!(btf.member(file, "f_path").is_some());
    assert_eq!(btf.function("vfs_read").unwrap().params.len(), 4);
    let enumerator = btf.enumerator("PIDTYPE_TGID");
    assert_eq!(enumerator.map(|(_, value)| value), Some(1));
}

#[test]
fn every_type_of_the_running_kernel_can_be_spelled() {
    let facts = LiveFacts::new();
    let Some(btf) = facts.btf() else {
        return;
    };
    for id in btf.ids() {
        // Only what is without a name has a hole in it, and `...` of its own.
        assert!(
            !btf.c_name(id).starts_with("..."),
            "{id:?} {}",
            btf.c_name(id)
        );
        btf.size_of(id);
        if btf.kind(id) == Kind::Struct {
            let bits = btf.size_of(id).unwrap() * 8;
            for name in btf.member_names(id) {
                assert!(btf.member(id, name).unwrap().bit_offset <= bits);
            }
        }
    }
}

#[test]
fn a_trimmed_record_keeps_layouts() {
    let facts = LiveFacts::new();
    let Some(btf) = facts.btf() else {
        return;
    };
    let keep = [
        "task_struct",
        "mm_struct",
        "file",
        "inode",
        "sk_buff",
        "vfs_read",
        "pid_type",
    ];
    let trimmed = Btf::new(trim(btf, &keep)).unwrap();
    for name in &keep[..5] {
        let [whole, cut] = [btf, &trimmed].map(|btf| btf.find(Kind::Struct, name).unwrap());
        assert_eq!(trimmed.c_definition(cut), btf.c_definition(whole));
        assert_eq!(trimmed.size_of(cut), btf.size_of(whole));
        for member in btf.member_names(whole) {
            let [a, b] =
                [btf.member(whole, member), trimmed.member(cut, member)].map(Option::unwrap);
            assert_eq!(
                (a.bit_offset, a.bitfield_bits),
                (b.bit_offset, b.bitfield_bits),
                "{member}"
            );
            assert_eq!(btf.size_of(a.ty), trimmed.size_of(b.ty), "{member}");
        }
    }
}

#[test]
fn what_types_tell_of_tracepoints_is_so() {
    let facts = LiveFacts::new();
    if !is_root() || facts.presence(Feature::Tracepoints) != Presence::Present {
        return;
    }
    let Some(btf) = facts.btf() else {
        return;
    };
    let (mut told, mut events) = (0, 0);
    // To look for the class of each takes its time.
    let whole = ["irq", "sched", "signal"];
    for (number, (category, name)) in facts.tracepoints().unwrap().iter().enumerate() {
        if number % 12 != 0 && !whole.contains(&category.as_str()) {
            continue;
        }
        let of_kernel = |prefix: &str| btf.find(Kind::Typedef, &format!("{prefix}{name}"));
        let Some(known) = tracepoint_types::of_event(btf, category, name, facts.arch()) else {
            // Of a module, or made up.
            assert_eq!(of_kernel("btf_trace_"), None, "{category}:{name}");
            assert!(!name.starts_with("sys_exit_"), "{category}:{name}");
            continue;
        };
        let format = facts.tracepoint(category, name).unwrap();
        let readable = format.fields.iter().filter(|field| field.is_readable());
        for field in readable {
            let place = known
                .format
                .fields
                .iter()
                .find(|known| known.name == field.name);
            match place {
                Some(known) => {
                    assert_eq!(
                        known.argument(),
                        field.argument(),
                        "{category}:{name} {known:?}"
                    );
                    told += 1;
                }
                None => assert!(
                    known.partial || known.unclear.contains(&field.name),
                    "{category}:{name} lacks {field:?}: {known:?}"
                ),
            }
        }
        let has = |name: &str| format.fields.iter().any(|field| field.name == name);
        for field in &known.format.fields {
            assert!(has(&field.name), "{category}:{name} has no {field:?}");
        }
        events += 1;
    }
    assert!(
        events > 100 && told > events,
        "{told} fields of {events} events"
    );
}

#[test]
fn tracepoints_have_formats() {
    let facts = LiveFacts::new();
    if !is_root() || facts.presence(Feature::Tracepoints) != Presence::Present {
        return;
    }
    let all = facts.tracepoints().unwrap();
    assert!(all.is_sorted());
    assert!(all.contains(&("sched".to_owned(), "sched_switch".to_owned())));
    let format = facts.tracepoint("sched", "sched_switch").unwrap();
    let comm = format
        .fields
        .iter()
        .find(|field| field.name == "prev_comm")
        .unwrap();
    assert_eq!((comm.array, comm.size), (Some(16), 16));
    for (category, name) in [
        ("sched", "nosuch"),
        ("nosuch", "sched_switch"),
        ("..", "sched"),
        ("sched", "../sched/sched_switch"),
        ("sched", "filter"),
        ("", ""),
    ] {
        assert_eq!(
            facts.tracepoint(category, name),
            Err(FactError::Unknown),
            "{category}:{name}"
        );
    }
}

#[test]
fn every_format_of_the_running_kernel_is_understood() {
    let facts = LiveFacts::new();
    if !is_root() || facts.presence(Feature::Tracepoints) != Presence::Present {
        return;
    }
    for (category, name) in facts.tracepoints().unwrap() {
        let format = facts.tracepoint(category, name).unwrap();
        assert!(
            format.fields.len() >= 4,
            "{category}:{name} has its common fields"
        );
        for field in &format.fields {
            assert!(!field.c_type.is_empty());
            assert_eq!(field.argument().is_some(), field.offset >= 8);
        }
    }
}

#[test]
fn functions_agree_with_kprobes() {
    let facts = LiveFacts::new();
    needs_root!();
    match facts.presence(Feature::Kprobes) {
        Presence::Present => {
            let functions = facts.functions().unwrap();
            assert!(functions.is_sorted());
            assert!(functions.iter().any(|name| name == "vfs_read"));
        }
        _ => assert!(matches!(
            facts.functions(),
            Err(FactError::Unavailable { .. })
        )),
    }
}

#[test]
fn symbols_have_addresses() {
    let facts = LiveFacts::new();
    needs_root!();
    match facts.kernel_symbol("vfs_read") {
        Ok(address) => assert!(address > 1 << 63),
        Err(error) => assert!(matches!(error, FactError::Unavailable { .. })),
    }
    assert_eq!(
        facts.kernel_symbol("no_such_symbol"),
        Err(FactError::Unknown)
    );
}

#[test]
fn features_can_be_tried() {
    needs_root!();
    let facts = LiveFacts::new();
    for row in FEATURES {
        let presence = facts.presence(row.feature);
        assert!(
            !matches!(presence, Presence::Unknown(_)),
            "{} {presence:?}",
            row.name
        );
    }
    // All kernels that pfscript supports have these.
    assert!(facts.has(Feature::RingBuffer));
    assert!(facts.has(Feature::RawTracepointTestRun));
    assert!(facts.has(Feature::BootTime));
}

#[test]
fn the_description_names_every_feature() {
    let text = describe(&LiveFacts::new());
    for row in FEATURES {
        assert!(text.contains(row.name), "{text}");
    }
    assert!(text.contains("release") && text.contains("software"));
}

#[test]
fn lists_are_in_the_form_of_bpftrace() {
    needs_root!();
    let facts = LiveFacts::new();
    let listing = list(&facts, Some("*page-faults*"), false);
    assert_eq!(listing.lines, ["software:page-faults:"]);
    let listing = list(&facts, Some("s:page-faults"), false);
    assert_eq!(listing.lines, ["software:page-faults:"]);
    assert_eq!(
        list(&facts, Some("profile:*"), false).lines,
        ["profile:hz:", "profile:ms:", "profile:s:", "profile:us:"]
    );
    if facts.presence(Feature::Tracepoints) == Presence::Present {
        let listing = list(&facts, Some("t:sched:sched_switch"), true);
        assert_eq!(listing.lines[0], "tracepoint:sched:sched_switch");
        assert_eq!(listing.lines[1], "    char prev_comm[16]");
        let listing = list(&facts, Some("t:sched:"), false);
        assert!(
            listing
                .lines
                .contains(&"tracepoint:sched:sched_wakeup".to_owned())
        );
    }
    let listing = list(&facts, Some("nosuch:*"), false);
    assert!(
        listing.notes[0].starts_with("unknown probe type `nosuch`"),
        "{listing:?}"
    );
    let listing = list(&facts, Some("iter:*"), false);
    assert!(
        listing.notes[0].contains("not supported yet"),
        "{listing:?}"
    );
    let listing = list(&facts, Some("page"), false);
    assert_eq!(
        listing.notes.last().map(String::as_str),
        Some("nothing matches `page`; try `*page*`")
    );
}

#[test]
fn types_are_listed_with_their_members() {
    let facts = LiveFacts::new();
    if facts.btf().is_none() {
        return;
    }
    assert_eq!(
        list(&facts, Some("struct task_struct"), false).lines,
        ["struct task_struct"]
    );
    let listing = list(&facts, Some("struct path"), true);
    assert_eq!(listing.lines[0], "vmlinux: struct path {");
    assert!(
        listing
            .lines
            .contains(&"\tstruct dentry *dentry;".to_owned()),
        "{listing:?}"
    );
    let listing = list(&facts, Some("struct task_strukt"), true);
    assert!(
        listing.notes[0].contains("did you mean `task_struct`"),
        "{listing:?}"
    );
    let listing = list(&facts, Some("enum pid_type"), true);
    assert_eq!(listing.lines[1], "\tPIDTYPE_PID = 0,");
}
