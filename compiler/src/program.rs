//! What kinds of BPF programs there are, and what each can do: one enum, one table.
//!
//! In comes a question about a program ("may it be preempted?", "where does it find its site?"), out goes the answer from
//! its row. Whoever writes a provider names a kind; the emitter, the loader and the attach mechanisms read its row. What
//! is traced by a program of a kind is not said here: that is [`crate::manifest::Attach`].

use pfscript_probes::{Feature, abi};

/// A kind of BPF program. The kernel's program type alone does not make one: how it is attached does too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProgramKind {
    /// Runs when a perf event overflows.
    PerfEvent,
    /// Runs when a tracepoint of tracefs fires.
    Tracepoint,
    /// Runs when a tracepoint is hit, before any record of it is made.
    RawTracepoint,
    /// Runs at an instruction of the kernel, or where a function returns.
    Kprobe,
    /// Runs at an instruction of a process, or where a function of one returns.
    Uprobe,
    /// Is run by the session itself (`BEGIN`, `END`).
    Once,
}

/// What the program's context pointer points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// `struct bpf_perf_event_data`
    PerfEvent,
    /// The tracepoint's record, as its `format` file describes it.
    Record,
    /// The arguments of a call, 8 bytes each.
    Arguments,
    /// `struct pt_regs`
    Registers,
    /// Nothing that a script could use: nobody is interrupted, so there are no registers.
    Nothing,
}

/// How programs come to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// A perf event that has its program early (`PERF_EVENT_IOC_SET_BPF`) and is enabled later.
    PerfEvent,
    /// A perf event whose program runs as soon as the event has it: by a perf link where the program asks for its site,
    /// else by `PERF_EVENT_IOC_SET_BPF`, which kernels before 5.15 know too.
    PerfLink,
    /// A link to what the attach point names, without an event; the program runs as soon as there is one.
    Link,
    /// `BPF_PROG_TEST_RUN`
    Once,
}

impl Mechanism {
    /// Whether the kernel waits, for each site that is closed, until no CPU uses it any more; else an event can be
    /// disabled at once.
    pub fn detaches_slowly(self) -> bool {
        match self {
            Mechanism::PerfLink | Mechanism::Link => true,
            Mechanism::PerfEvent | Mechanism::Once => false,
        }
    }
}

/// What is true of all programs of a kind.
#[derive(Debug)]
pub struct ProgramInfo {
    /// In listings and messages.
    pub name: &'static str,
    /// First part of the ELF section's name, from which loaders take the program type.
    pub section: &'static str,
    /// `enum bpf_prog_type`
    pub program_type: u32,
    /// `enum bpf_attach_type`, told to the kernel when the program is loaded; 0 where it does not matter.
    pub expected_attach_type: u32,
    /// Whether it is loaded for one function of the kernel's BTF.
    pub btf_target: bool,
    /// What its context is.
    pub context: Context,
    /// Whether it may sleep.
    pub sleeps: bool,
    /// Whether another program of the same kind may run on its CPU before it has ended.
    pub preemptible: bool,
    /// Whether interrupts may be off while it runs.
    pub interrupts_off: bool,
    /// How it is attached.
    pub mechanism: Mechanism,
    /// The feature that lets a program ask which of its attach points it runs for (`bpf_get_attach_cookie`); `None` where
    /// no kernel has that, so that each site needs a program of its own.
    pub cookie: Option<Feature>,
    /// The entry template that claims a frame of scratch memory for the action.
    pub framed_entry: &'static str,
    /// What the kernel must have.
    pub needs: Option<Feature>,
}

/// The entry template of programs that are over before another one begins on their CPU, but for those that interrupt it.
const NESTING_ENTRY: &str = abi::FRAMED_ENTRY;

/// The entry template of programs that others may preempt.
const PREEMPTIBLE_ENTRY: &str = abi::PREEMPTIBLE_ENTRY;

/// An event that the command's threads inherit (`perf_event_attr.inherit`) has no cookie in the children: the kernel
/// copies the program, not the cookie (`perf_event_alloc`, kernel/events/core.c). So no program shares such sites.
static PERF_EVENT: ProgramInfo = ProgramInfo {
    name: "perf_event",
    section: "perf_event",
    program_type: 7,
    expected_attach_type: 0,
    btf_target: false,
    context: Context::PerfEvent,
    sleeps: false,
    preemptible: false,
    interrupts_off: true,
    mechanism: Mechanism::PerfEvent,
    cookie: None,
    framed_entry: NESTING_ENTRY,
    needs: None,
};

static TRACEPOINT: ProgramInfo = ProgramInfo {
    name: "tracepoint",
    section: "tracepoint",
    program_type: 5,
    expected_attach_type: 0,
    btf_target: false,
    context: Context::Record,
    sleeps: false,
    preemptible: false,
    interrupts_off: true,
    mechanism: Mechanism::PerfLink,
    cookie: Some(Feature::AttachCookie),
    framed_entry: NESTING_ENTRY,
    needs: Some(Feature::Tracepoints),
};

/// Up to Linux 6.19 tracepoints call their programs with preemption off (`__DO_TRACE`, include/linux/tracepoint.h). Since
/// then they are guarded by SRCU alone, and `__bpf_trace_run` (kernel/trace/bpf_trace.c) only disables migration. One
/// program is still never entered twice on a CPU; the kernel counts such runs as missed.
static RAW_TRACEPOINT: ProgramInfo = ProgramInfo {
    name: "raw tracepoint",
    section: "raw_tracepoint",
    program_type: 17,
    expected_attach_type: 0,
    btf_target: false,
    context: Context::Arguments,
    sleeps: false,
    preemptible: true,
    interrupts_off: true,
    mechanism: Mechanism::Link,
    cookie: Some(Feature::RawTracepointCookie),
    framed_entry: PREEMPTIBLE_ENTRY,
    needs: None,
};

static KPROBE: ProgramInfo = ProgramInfo {
    name: "kprobe",
    section: "kprobe",
    program_type: 2,
    expected_attach_type: 0,
    btf_target: false,
    context: Context::Registers,
    sleeps: false,
    preemptible: false,
    interrupts_off: true,
    mechanism: Mechanism::PerfLink,
    cookie: Some(Feature::AttachCookie),
    framed_entry: NESTING_ENTRY,
    needs: Some(Feature::Kprobes),
};

/// Since Linux 6.0 uprobes run their programs with preemption on (`uprobe_dispatcher`, `bpf_prog_run_array_uprobe`).
static UPROBE: ProgramInfo = ProgramInfo {
    name: "uprobe",
    section: "uprobe",
    program_type: 2,
    expected_attach_type: 0,
    btf_target: false,
    context: Context::Registers,
    sleeps: false,
    preemptible: true,
    interrupts_off: false,
    mechanism: Mechanism::PerfLink,
    cookie: Some(Feature::AttachCookie),
    framed_entry: PREEMPTIBLE_ENTRY,
    needs: Some(Feature::Uprobes),
};

/// A raw tracepoint program: of the types that can be run at will since Linux 5.10, the one that may call what scripts do.
static ONCE: ProgramInfo = ProgramInfo {
    name: "once",
    section: "raw_tracepoint",
    program_type: 17,
    expected_attach_type: 0,
    btf_target: false,
    context: Context::Nothing,
    sleeps: false,
    preemptible: false,
    interrupts_off: false,
    mechanism: Mechanism::Once,
    cookie: None,
    framed_entry: NESTING_ENTRY,
    needs: Some(Feature::RawTracepointTestRun),
};

impl ProgramKind {
    /// All kinds.
    pub const ALL: [ProgramKind; 6] = [
        ProgramKind::PerfEvent,
        ProgramKind::Tracepoint,
        ProgramKind::RawTracepoint,
        ProgramKind::Kprobe,
        ProgramKind::Uprobe,
        ProgramKind::Once,
    ];

    /// The kind's row.
    pub fn info(self) -> &'static ProgramInfo {
        match self {
            ProgramKind::PerfEvent => &PERF_EVENT,
            ProgramKind::Tracepoint => &TRACEPOINT,
            ProgramKind::RawTracepoint => &RAW_TRACEPOINT,
            ProgramKind::Kprobe => &KPROBE,
            ProgramKind::Uprobe => &UPROBE,
            ProgramKind::Once => &ONCE,
        }
    }

    /// Whether it interrupts processes in the midst of their own code.
    pub fn traces_programs(self) -> bool {
        match self {
            ProgramKind::Uprobe => true,
            ProgramKind::PerfEvent
            | ProgramKind::Tracepoint
            | ProgramKind::RawTracepoint
            | ProgramKind::Kprobe
            | ProgramKind::Once => false,
        }
    }

    /// Whether it interrupts something: then it has registers and a context to look at. A stack has every program: the
    /// tracer's own where the session runs it.
    pub fn interrupts(self) -> bool {
        match self.info().context {
            Context::PerfEvent | Context::Record | Context::Arguments | Context::Registers => true,
            Context::Nothing => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_row_and_a_name_of_its_own() {
        let mut names: Vec<&str> = ProgramKind::ALL.map(|kind| kind.info().name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ProgramKind::ALL.len());
    }

    #[test]
    fn entries_are_in_the_library() {
        for kind in ProgramKind::ALL {
            let entry = kind.info().framed_entry;
            let template = pfscript_probes::library().get(entry).expect(entry);
            assert!(template.is_entry(), "{entry}");
        }
    }

    #[test]
    fn the_claim_without_atomics_is_for_programs_that_nest() {
        for kind in ProgramKind::ALL {
            let info = kind.info();
            if info.sleeps || info.preemptible {
                assert_ne!(info.framed_entry, NESTING_ENTRY, "{}", info.name);
            }
        }
    }
}
