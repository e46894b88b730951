//! What a template or an attach mechanism may need from the kernel, and what to say where it is missing.
//!
//! A feature is probed by the runtime (never derived from a version); the version here is for the message alone.

use crate::abi::helper;

/// Something that some kernels have and others do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Feature {
    /// `/sys/kernel/btf/vmlinux`
    Btf,
    /// kprobe perf events (`/sys/bus/event_source/devices/kprobe`)
    Kprobes,
    /// uprobe perf events (`/sys/bus/event_source/devices/uprobe`)
    Uprobes,
    /// `tracepoint` perf events through a mounted tracefs
    Tracepoints,
    /// Hash maps that allocate as they grow are allowed in perf-event programs.
    HashWithoutPreallocation,
    /// Hash maps with keys of more than 512 bytes.
    LongKeys,
    /// `BPF_MAP_TYPE_RINGBUF`
    RingBuffer,
    /// helper `bpf_find_vma`
    FindVma,
    /// atomic instructions that return what was there before (`BPF_FETCH`, `BPF_CMPXCHG`)
    AtomicExchange,
    /// helper `bpf_for_each_map_elem`
    ForEachMapElement,
    /// helper `bpf_loop`
    Loop,
    /// helper `bpf_get_func_ip`
    FunctionAddress,
    /// helper `bpf_get_attach_cookie`
    AttachCookie,
    /// helper `bpf_ktime_get_boot_ns`
    BootTime,
    /// helper `bpf_ktime_get_tai_ns`
    TaiTime,
    /// helper `bpf_get_current_task_btf`
    CurrentTaskBtf,
    /// helper `bpf_probe_write_user`, which kernels in lockdown and some hosts refuse
    WriteUserMemory,
    /// helper `bpf_override_return`
    OverrideReturn,
    /// `BPF_PROG_TEST_RUN` of raw tracepoint programs
    RawTracepointTestRun,
    /// helper `bpf_get_attach_cookie` in raw tracepoint programs
    RawTracepointCookie,
    /// `kprobe.multi` links
    KprobeMulti,
    /// `uprobe.multi` links
    UprobeMulti,
}

/// The most bytes of a hash map's key on kernels without [`Feature::LongKeys`].
pub const SHORT_KEY_BYTES: u32 = 512;

/// One row of the feature table.
#[derive(Debug)]
pub struct FeatureInfo {
    /// The feature.
    pub feature: Feature,
    /// As `--info` and messages call it.
    pub name: &'static str,
    /// The number of the BPF helper whose presence decides it, where one does (`enum bpf_func_id`).
    pub helper: Option<u32>,
    /// The first kernel that has it.
    pub since: &'static str,
    /// The configuration option that must be set, where one decides it.
    pub config: Option<&'static str>,
}

const fn row(
    feature: Feature,
    name: &'static str,
    helper: Option<u32>,
    since: &'static str,
    config: Option<&'static str>,
) -> FeatureInfo {
    FeatureInfo {
        feature,
        name,
        helper,
        since,
        config,
    }
}

/// Every feature, in the order of `--info`.
pub const FEATURES: &[FeatureInfo] = &[
    row(
        Feature::Btf,
        "kernel BTF",
        None,
        "5.2",
        Some("CONFIG_DEBUG_INFO_BTF"),
    ),
    row(
        Feature::Kprobes,
        "kprobes",
        None,
        "4.17",
        Some("CONFIG_KPROBES and CONFIG_KPROBE_EVENTS"),
    ),
    row(
        Feature::Uprobes,
        "uprobes",
        None,
        "4.17",
        Some("CONFIG_UPROBE_EVENTS"),
    ),
    row(
        Feature::Tracepoints,
        "tracepoints",
        None,
        "4.7",
        Some("CONFIG_EVENT_TRACING"),
    ),
    row(
        Feature::HashWithoutPreallocation,
        "growing hash maps in any probe",
        None,
        "6.1",
        None,
    ),
    row(
        Feature::LongKeys,
        "hash keys of more than 512 bytes",
        None,
        "5.16",
        None,
    ),
    row(Feature::RingBuffer, "ring buffer", None, "5.8", None),
    row(
        Feature::FindVma,
        "helper bpf_find_vma",
        Some(helper::FIND_VMA),
        "5.17",
        None,
    ),
    row(
        Feature::AtomicExchange,
        "atomic exchange",
        None,
        "5.12",
        None,
    ),
    row(
        Feature::ForEachMapElement,
        "helper bpf_for_each_map_elem",
        Some(helper::FOR_EACH_MAP_ELEM),
        "5.13",
        None,
    ),
    row(
        Feature::Loop,
        "helper bpf_loop",
        Some(helper::LOOP),
        "5.17",
        None,
    ),
    row(
        Feature::FunctionAddress,
        "helper bpf_get_func_ip",
        Some(helper::GET_FUNC_IP),
        "5.15",
        None,
    ),
    row(
        Feature::AttachCookie,
        "helper bpf_get_attach_cookie",
        Some(helper::GET_ATTACH_COOKIE),
        "5.15",
        None,
    ),
    row(
        Feature::BootTime,
        "helper bpf_ktime_get_boot_ns",
        Some(helper::KTIME_GET_BOOT_NS),
        "5.8",
        None,
    ),
    row(
        Feature::TaiTime,
        "helper bpf_ktime_get_tai_ns",
        Some(helper::KTIME_GET_TAI_NS),
        "6.1",
        None,
    ),
    row(
        Feature::CurrentTaskBtf,
        "helper bpf_get_current_task_btf",
        Some(helper::GET_CURRENT_TASK_BTF),
        "5.11",
        None,
    ),
    row(
        Feature::WriteUserMemory,
        "helper bpf_probe_write_user",
        Some(helper::PROBE_WRITE_USER),
        "4.8",
        None,
    ),
    row(
        Feature::OverrideReturn,
        "helper bpf_override_return",
        Some(helper::OVERRIDE_RETURN),
        "4.16",
        Some("CONFIG_BPF_KPROBE_OVERRIDE"),
    ),
    row(
        Feature::RawTracepointTestRun,
        "test run of raw tracepoints",
        None,
        "5.10",
        None,
    ),
    row(
        Feature::RawTracepointCookie,
        "cookies of raw tracepoints",
        None,
        "6.10",
        None,
    ),
    row(
        Feature::KprobeMulti,
        "kprobe.multi",
        None,
        "5.18",
        Some("CONFIG_FPROBE"),
    ),
    row(
        Feature::UprobeMulti,
        "uprobe.multi",
        None,
        "6.6",
        Some("CONFIG_UPROBE_EVENTS"),
    ),
];

impl Feature {
    /// The feature's row in the table.
    pub fn info(self) -> &'static FeatureInfo {
        FEATURES
            .iter()
            .find(|row| row.feature == self)
            .unwrap_or(&FEATURES[0])
    }
}
