//! All facts of the running kernel as a file, for a check of scripts on another machine.
//!
//! In come [`LiveFacts`], out go the bytes of `recorded::encode`, and what could not be recorded. Programs and libraries are
//! left out, and so are addresses of symbols, which change with each boot and are not for others to know.

use super::{KernelFile, LiveFacts, Presence, tracefs};
use pfscript_compiler::facts::{FactError, Facts};
use pfscript_compiler::recorded::{self, Part};
use pfscript_probes::FEATURES;
use std::fmt::Write as _;

/// What was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The file.
    pub file: Vec<u8>,
    /// What is not in it, and why: one sentence each.
    pub missing: Vec<String>,
}

/// Records the running kernel. As root, nothing is missing that the kernel has.
pub fn record(facts: &LiveFacts) -> Recorded {
    let btf = KernelFile::open(super::BTF_PATH);
    let btf = btf.as_ref().map_err(|_| FactError::Unavailable {
        reason: "this kernel has no BTF".to_owned(),
        help: Some("it was built without CONFIG_DEBUG_INFO_BTF".to_owned()),
    });
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let record = recorded::Record {
        arch: facts.arch(),
        release: release.trim(),
        page_bytes: facts.page_bytes(),
        pid_namespace: facts.pid_namespace(),
        features: FEATURES
            .iter()
            .map(|row| {
                let presence = match facts.presence(row.feature) {
                    Presence::Present => Ok(true),
                    Presence::Absent => Ok(false),
                    Presence::Unknown(reason) => Err(reason),
                };
                (row.feature, presence)
            })
            .collect(),
        tracepoints: tracepoints(facts),
        functions: facts.functions().map(|names| names.join("\n") + "\n"),
        symbols: symbols(),
        btf: btf.map(AsRef::as_ref),
    };
    let mut missing = Vec::new();
    for (what, error) in [
        ("tracepoints", record.tracepoints.as_ref().err()),
        ("functions", record.functions.as_ref().err()),
        ("symbols", record.symbols.as_ref().err()),
        ("types", record.btf.as_ref().err()),
    ] {
        match error {
            Some(FactError::Unavailable { reason, .. } | FactError::Hidden { reason, .. }) => {
                missing.push(format!("no {what} are recorded: {reason}"));
            }
            Some(FactError::Unknown) | None => {}
        }
    }
    for (feature, presence) in &record.features {
        if let Err(reason) = presence {
            let name = feature.info().name;
            missing.push(format!("whether there is {name} is not recorded: {reason}"));
        }
    }
    Recorded {
        file: recorded::encode(&record),
        missing,
    }
}

/// The fields of all tracepoints. What tracefs lists and has no format for is left out.
fn tracepoints(facts: &LiveFacts) -> Part<String> {
    let events = facts.tracefs()?.join("events");
    let mut text = String::new();
    for (category, name) in facts.tracepoints()? {
        let path = events.join(category).join(name).join("format");
        let Ok(format) = std::fs::read_to_string(&path) else {
            continue;
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "tracepoint:{category}:{name}");
        for line in format.lines().filter(|line| line.contains("field:")) {
            let _ = writeln!(text, "{line}");
        }
        text.push('\n');
    }
    match text.is_empty() {
        true => Err(tracefs::no_formats(&events)),
        false => Ok(text),
    }
}

/// The names of the kernel's own symbols, sorted.
fn symbols() -> Part<String> {
    let mut names = Vec::new();
    let read = super::symbols(|_, _, name| {
        names.push(name.to_owned());
        None::<()>
    });
    read.map_err(|error| FactError::Unavailable {
        reason: format!("cannot read {}: {error}", super::KALLSYMS_PATH),
        help: None,
    })?;
    names.sort_unstable();
    names.dedup();
    Ok(names.join("\n") + "\n")
}
