//! `software:EVENT[:COUNT]`: events that the kernel itself counts, such as page faults and context switches. They need
//! no hardware and work in any virtual machine.

use super::perf_event::{self, Event, Selected, TYPE_SOFTWARE};
use super::{Access, Expansion, Provider, ProviderInfo};
use crate::facts::{Arch, FactError, KernelFacts};
use crate::manifest::ProgramType;
use pfscript_grammar::Diagnostic;
use pfscript_grammar::ast::AttachPoint;

pub(super) struct Software;

static INFO: ProviderInfo = ProviderInfo {
    names: &["software", "s"],
    syntax: "software:EVENT[:COUNT]",
    doc: "a software event of the kernel, every COUNT times it happens",
    family: "perf_event",
    section: "perf_event",
    program: ProgramType::PerfEvent,
    filtered: true,
    listed: true,
    needs: None,
};

/// `PERF_COUNT_SW_*`. The periods are bpftrace's.
static EVENTS: &[Event] = &[
    event(&["cpu-clock", "cpu"], perf_event::CPU_CLOCK, 1_000_000),
    event(&["task-clock"], 1, 1),
    event(&["page-faults", "faults"], 2, 100),
    event(&["context-switches", "cs"], 3, 1000),
    event(&["cpu-migrations", "migrations"], 4, 1),
    event(&["minor-faults"], 5, 100),
    event(&["major-faults"], 6, 1),
    event(&["alignment-faults"], 7, 1),
    event(&["emulation-faults"], 8, 1),
    event(&["dummy"], 9, 1),
    event(&["bpf-output"], 10, 1),
    // Since 5.13.
    event(&["cgroup-switches"], 11, 1),
];

const fn event(names: &'static [&'static str], config: u64, period: u64) -> Event {
    Event {
        names,
        config,
        period,
    }
}

fn select(name: &str) -> Option<Selected> {
    let event = EVENTS.iter().find(|event| event.names.contains(&name))?;
    Some(Selected {
        event_type: TYPE_SOFTWARE,
        config: event.config,
        period: event.period,
    })
}

impl Provider for Software {
    fn info(&self) -> &'static ProviderInfo {
        &INFO
    }

    fn expand(
        &self,
        point: &AttachPoint,
        _facts: &dyn KernelFacts,
    ) -> Result<Vec<Expansion>, Diagnostic> {
        let names = EVENTS.iter().flat_map(|event| event.names).copied();
        perf_event::expand(point, &INFO, select, names)
    }

    fn address(&self, arch: Arch) -> Option<Access> {
        Some(perf_event::address(arch))
    }

    fn list(&self, _facts: &dyn KernelFacts) -> Result<Vec<String>, FactError> {
        Ok(perf_event::list(&INFO, EVENTS))
    }
}
