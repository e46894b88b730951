//! What `software` and `hardware` share: the count, the sampled address, and how an event is looked up. The events themselves
//! are in the tables of the two.

use super::{Access, Argument, ArgumentType, Provider, ProviderInfo, nearest, parts};
use crate::facts::{Arch, FactError, Facts};
use crate::glob;
use crate::ir::Width;
use crate::manifest::{Attach, PerfEvent, PerfScope, Sample, Site};
use crate::program::ProgramKind;
use pfscript_grammar::Diagnostic;
use pfscript_grammar::ast::AttachPoint;

/// `PERF_TYPE_*` of `include/uapi/linux/perf_event.h`.
pub(super) const TYPE_HARDWARE: u32 = 0;
pub(super) const TYPE_SOFTWARE: u32 = 1;
pub(super) const TYPE_HARDWARE_CACHE: u32 = 3;
pub(super) const TYPE_RAW: u32 = 4;

/// `PERF_COUNT_SW_CPU_CLOCK`
pub(super) const CPU_CLOCK: u64 = 0;

/// An event with a name.
pub(super) struct Event {
    /// The name first, then its aliases: bpftrace's and perf's alike.
    pub names: &'static [&'static str],
    /// `perf_event_attr.config`
    pub config: u64,
    /// Fires every so many events, where the script does not say.
    pub period: u64,
}

/// An event without aliases, or with some.
pub(super) const fn event(names: &'static [&'static str], config: u64, period: u64) -> Event {
    Event {
        names,
        config,
        period,
    }
}

/// What an event's name stands for.
pub(super) struct Selected {
    pub event_type: u32,
    pub config: u64,
    pub period: u64,
}

/// Probes that fire every so many events.
pub(super) struct Counted {
    pub info: ProviderInfo,
    /// The events that are listed.
    pub events: &'static [Event],
    /// Finds an event, also such as are not listed.
    pub select: fn(&str) -> Option<Selected>,
}

/// A provider of counted events.
pub(super) const fn counted(
    names: &'static [&'static str],
    syntax: &'static str,
    doc: &'static str,
    events: &'static [Event],
    select: fn(&str) -> Option<Selected>,
) -> Counted {
    Counted {
        info: ProviderInfo {
            names,
            syntax,
            doc,
            kind: ProgramKind::PerfEvent,
            narrowed: true,
            listed: true,
        },
        events,
        select,
    }
}

impl Provider for Counted {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    /// `PROBE:EVENT[:COUNT]`
    fn expand(&self, point: &AttachPoint, _facts: &dyn Facts) -> Result<Vec<Site>, Diagnostic> {
        let name = self.info.names[0];
        let names = self.events.iter().flat_map(|event| event.names).copied();
        let written = parts::parts(point, &self.info, 1..=2)?;
        let event = &written[0];
        if glob::is_pattern(&event.node) {
            let message = format!("`{}` probes take no wildcards", name);
            return Err(Diagnostic::error(event.span, message)
                .help(format!("see `pfscript -l '{}:*'` for the events", name)));
        }
        let Some(selected) = (self.select)(&event.node) else {
            let message = format!("unknown {name} event `{}`", event.node);
            let error = Diagnostic::error(event.span, message);
            return Err(match nearest::did_you_mean(&event.node, names) {
                Some(help) => error.help(help),
                None => error.help(format!("see `pfscript -l '{}:*'` for the events", name)),
            });
        };
        let mut full = format!("{name}:{}", event.node);
        let mut period = selected.period;
        if let Some(count) = written.get(1) {
            let number = parts::number(count, "the count")?;
            full = format!("{full}:{number}");
            // As in bpftrace, 0 stands for the default.
            if number > 0 {
                period = number;
            }
            // The kernel keeps the top bit to itself (`perf_event_open`, EINVAL).
            if number > i64::MAX as u64 {
                return Err(Diagnostic::error(count.span, "the count is too large"));
            }
        }
        Ok(vec![Site {
            name: full,
            function: None,
            attach: Attach::PerfEvent(PerfEvent {
                event_type: selected.event_type,
                config: selected.config,
                sample: Sample::Period(period),
                scope: PerfScope::EveryCpu,
            }),
        }])
    }

    fn builtin(&self, name: &str, arch: Arch) -> Option<Argument> {
        (name == "addr").then(|| Argument {
            name: name.to_owned(),
            ty: ArgumentType::Int {
                bytes: 8,
                signed: false,
            },
            access: address(arch),
        })
    }

    fn list(&self, _facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        let name = self.info.names[0];
        let events = self.events.iter().flat_map(|event| event.names);
        let mut names: Vec<String> = events.map(|event| format!("{name}:{event}:")).collect();
        names.sort_unstable();
        Ok(names)
    }
}

/// `addr` in `struct bpf_perf_event_data`, which is `{ bpf_user_pt_regs_t regs; __u64 sample_period; __u64 addr; }`.
fn address(arch: Arch) -> Access {
    let registers = match arch {
        // `struct pt_regs`: 21 registers.
        Arch::X86_64 => 21 * 8,
        // `struct user_pt_regs`: 31 registers, stack pointer, program counter, state.
        Arch::Aarch64 => 34 * 8,
    };
    Access::Context {
        offset: registers + 8,
        width: Width::W64,
        signed: false,
    }
}
