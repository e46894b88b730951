//! The text of `--info`: what this kernel has of what pfscript can use, and which rights are missing.
//!
//! In come facts, out goes text. Features and probes are read from their tables; finding them out is done elsewhere.

use super::{LiveFacts, Presence};
use pfscript_compiler::facts::{FactError, Facts};
use pfscript_compiler::providers;
use pfscript_probes::{FEATURES, Feature};
use std::fmt::Write as _;
use std::path::Path;

/// Capabilities that tracing takes: number in `include/uapi/linux/capability.h`, name, what for.
const CAPABILITIES: [(u32, &str, &str); 5] = [
    (38, "CAP_PERFMON", "perf events and tracing programs"),
    (39, "CAP_BPF", "BPF maps and programs"),
    (34, "CAP_SYSLOG", "names of kernel addresses"),
    (19, "CAP_SYS_PTRACE", "symbols of other users' processes"),
    (2, "CAP_DAC_READ_SEARCH", "tracefs and files of other users"),
];

/// `CAP_SYS_ADMIN`, which stands for the first two.
const ADMIN: u32 = 21;

/// What is true of the running kernel, as text of several lines.
pub fn describe(facts: &LiveFacts) -> String {
    let mut text = String::new();
    kernel(&mut text, facts);
    rights(&mut text);
    features(&mut text, facts);
    probes(&mut text, facts);
    by_bpftrace(&mut text, facts);
    text
}

/// Writing to a string cannot fail, so results are dropped here and below.
fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<34} {value}");
}

fn read(path: &str) -> Option<String> {
    let content = std::fs::read_to_string(Path::new(path)).ok()?;
    Some(content.trim().to_owned())
}

fn kernel(text: &mut String, facts: &LiveFacts) {
    text.push_str("Kernel\n");
    let release = read("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned());
    line(text, "release", &release);
    line(text, "architecture", std::env::consts::ARCH);
    let online = read("/sys/devices/system/cpu/online").unwrap_or_default();
    let possible = read("/sys/devices/system/cpu/possible").unwrap_or_default();
    line(
        text,
        "CPUs",
        &format!("{online} online, {possible} possible"),
    );
    let btf = match facts.btf() {
        Some(btf) => format!("{} types in {} kB", btf.type_count(), btf.byte_len() / 1000),
        None => "no (needs CONFIG_DEBUG_INFO_BTF)".to_owned(),
    };
    line(text, "BTF", &btf);
    let tracefs = match facts.tracefs() {
        Ok(root) => root.display().to_string(),
        Err(error) => reason(&error),
    };
    line(text, "tracefs", &tracefs);
}

fn reason(error: &FactError) -> String {
    match error {
        FactError::Unknown => "no".to_owned(),
        FactError::Unavailable { reason, help } | FactError::Hidden { reason, help } => {
            match help {
                Some(help) => format!("{reason}; {help}"),
                None => reason.clone(),
            }
        }
    }
}

fn rights(text: &mut String) {
    text.push_str("\nRights\n");
    let effective = read("/proc/self/status").and_then(|status| {
        let digits = status
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:"))?;
        u64::from_str_radix(digits.trim(), 16).ok()
    });
    if let Some(effective) = effective {
        let missing: Vec<String> = missing_capabilities(effective)
            .map(|(name, purpose)| format!("{name} ({purpose})"))
            .collect();
        match missing.is_empty() {
            true => line(text, "capabilities missing", "none"),
            false => line(text, "capabilities missing", &missing.join(", ")),
        }
    }
    for (name, path) in [
        (
            "perf_event_paranoid",
            "/proc/sys/kernel/perf_event_paranoid",
        ),
        ("kptr_restrict", "/proc/sys/kernel/kptr_restrict"),
        (
            "unprivileged_bpf_disabled",
            "/proc/sys/kernel/unprivileged_bpf_disabled",
        ),
        ("lockdown", "/sys/kernel/security/lockdown"),
    ] {
        if let Some(value) = read(path) {
            line(text, name, &value);
        }
    }
}

fn missing_capabilities(effective: u64) -> impl Iterator<Item = (&'static str, &'static str)> {
    let has = move |number: u32| effective >> number & 1 != 0;
    CAPABILITIES
        .into_iter()
        .filter(move |&(number, ..)| {
            let stands_for_it = number == 38 || number == 39;
            !(has(number) || stands_for_it && has(ADMIN))
        })
        .map(|(_, name, purpose)| (name, purpose))
}

fn features(text: &mut String, facts: &LiveFacts) {
    text.push_str("\nFeatures\n");
    for row in FEATURES {
        let value = match facts.presence(row.feature) {
            Presence::Present => "yes".to_owned(),
            Presence::Absent => match row.config {
                Some(config) => format!("no (needs Linux {}, {config})", row.since),
                None => format!("no (needs Linux {})", row.since),
            },
            Presence::Unknown(reason) => format!("unknown ({reason})"),
        };
        line(text, row.name, &value);
    }
}

fn probes(text: &mut String, facts: &LiveFacts) {
    text.push_str("\nProbes\n");
    for provider in providers::registry() {
        let info = provider.info();
        let absent = |feature: Feature| facts.presence(feature) == Presence::Absent;
        let value = match info.kind.info().needs.filter(|&feature| absent(feature)) {
            Some(feature) => format!("no (needs {})", feature.info().name),
            None => "yes".to_owned(),
        };
        line(text, info.names[0], &value);
    }
}

/// What scripts look for in what `bpftrace --info` prints. Without a feature: nothing here makes use of it.
const BPFTRACE: &[(&str, Option<Feature>)] = &[
    ("btf", Some(Feature::Btf)),
    ("module btf", None),
    ("dpath", None),
    ("get_func_ip", Some(Feature::FunctionAddress)),
    ("get_tai_ns", Some(Feature::TaiTime)),
    ("loop", Some(Feature::Loop)),
    ("kprobe_multi", Some(Feature::KprobeMulti)),
    ("kprobe_session", None),
    ("uprobe_multi", Some(Feature::UprobeMulti)),
    ("iter", None),
];

fn by_bpftrace(text: &mut String, facts: &LiveFacts) {
    text.push_str("\nIn the words of bpftrace\n");
    for (name, feature) in BPFTRACE {
        let present = feature.is_some_and(|feature| facts.presence(feature) == Presence::Present);
        let _ = writeln!(text, "  {name}: {}", if present { "yes" } else { "no" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        let names = |effective: u64| -> Vec<&str> {
            missing_capabilities(effective)
                .map(|(name, _)| name)
                .collect()
        };
        assert_eq!(names(u64::MAX), Vec::<&str>::new());
        assert_eq!(
            names(1 << ADMIN),
            ["CAP_SYSLOG", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"]
        );
        assert_eq!(names(0).len(), 5);
    }
}
