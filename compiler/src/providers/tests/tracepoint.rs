//! `tracepoint`.

use super::*;

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
            "`tracepoint` needs a name",
            "such attach points are written `tracepoint:CATEGORY:NAME`",
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
    let arguments = |text| arguments(provider, text);
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
fn kernels_without_tracepoints_of_system_calls_name_the_option() {
    let facts = RecordedFacts::empty(Arch::X86_64).with(Feature::Tracepoints);
    let (place, message, help) = failure_on("t:syscalls:sys_enter_open", &facts);
    assert_eq!(place, "syscalls");
    assert_eq!(message, "no tracepoints in category `syscalls`");
    assert!(help.contains("CONFIG_FTRACE_SYSCALLS"), "{help}");
}
