//! `rawtracepoint:[MODULE:]EVENT`: tracepoints as the kernel calls them, with the arguments of the call instead of a record
//! made of them. Both parts take wildcards.
//!
//! Names and arguments are those of BTF: for each event that programs can be attached to there is a type `btf_trace_EVENT`
//! (since Linux 5.5, include/trace/bpf_probe.h). Left out: arguments of events of modules, whose BTF is not
//! read. Such events are known by their names in tracefs.

use super::tracepoint_types::EVENT_PREFIX;
use super::{
    Access, Argument, ArgumentType, Provider, ProviderInfo, convention, nearest, parts, prototype,
};
use crate::btf::{Btf, Kind, TypeId};
use crate::facts::{Arch, FactError, Facts, unchecked};
use crate::glob::{self, Glob};
use crate::ir::Width;
use crate::manifest::{Attach, Site};
use crate::program::ProgramKind;
use pfscript_grammar::ast::AttachPoint;
use pfscript_grammar::{Diagnostic, Spanned};

pub(super) struct RawTracepoint;

pub(super) static RAWTRACEPOINT: RawTracepoint = RawTracepoint;

static INFO: ProviderInfo = ProviderInfo {
    names: &["rawtracepoint", "rt"],
    syntax: "rawtracepoint:[MODULE:]EVENT",
    doc: "a tracepoint of the kernel; the arguments of its call are `arg0` and so on, or `args.NAME`",
    kind: ProgramKind::RawTracepoint,
    narrowed: true,
    listed: true,
};

/// What BTF calls the kernel proper.
const KERNEL: &str = "vmlinux";

/// How functions are called that have an event's prototype, with names, behind a first parameter `__data`: the first since
/// Linux 5.10 for all events, the last for those that do not share another's (include/linux/tracepoint.h, bpf_probe.h).
const FUNCTION_PREFIXES: [&str; 3] = ["__traceiter_", "__probestub_", "__bpf_trace_"];

/// Bytes of an argument in the context.
const WORD: u32 = 8;

/// Categories of tracefs whose events are no tracepoints of their own.
const MADE_UP: [&str; 4] = ["syscalls", "kprobes", "uprobes", "synthetic"];

fn site(module: Option<&str>, event: &str) -> Site {
    Site {
        name: match module {
            Some(module) => format!("{}:{module}:{event}", INFO.names[0]),
            None => format!("{}:{event}", INFO.names[0]),
        },
        function: None,
        attach: Attach::RawTracepoint {
            name: event.to_owned(),
        },
    }
}

/// The event in a site's full name.
fn event(full: &str) -> &str {
    full.rsplit(':').next().unwrap_or(full)
}

/// The events of the kernel proper, sorted; without BTF, all that tracefs knows.
fn events(facts: &dyn Facts) -> Result<Vec<&str>, FactError> {
    let mut events: Vec<&str> = facts.btf().into_iter().flat_map(of_btf).collect();
    if events.is_empty() {
        events = of_tracefs(facts)?.collect();
    }
    events.sort_unstable();
    events.dedup();
    Ok(events)
}

fn of_btf(btf: &Btf) -> impl Iterator<Item = &str> {
    btf.names(Kind::Typedef)
        .filter_map(|name| name.strip_prefix(EVENT_PREFIX))
}

fn of_tracefs(facts: &dyn Facts) -> Result<impl Iterator<Item = &str>, FactError> {
    let all = facts.tracepoints()?.iter();
    Ok(all
        .filter(|(category, _)| !MADE_UP.contains(&category.as_str()))
        .map(|(_, name)| name.as_str()))
}

/// Whether types know an event.
fn is_known(facts: &dyn Facts, event: &str) -> bool {
    let ty = format!("{EVENT_PREFIX}{event}");
    let btf = facts.btf();
    btf.is_some_and(|btf| btf.find(Kind::Typedef, &ty).is_some())
}

/// What was perhaps meant by the name of an event that is not there.
fn suggestion<'a>(name: &str, events: impl IntoIterator<Item = &'a str>) -> Option<String> {
    of_system_call(name).or_else(|| nearest::did_you_mean(name, events))
}

/// An event without wildcards.
fn exact(
    module: Option<&Spanned<String>>,
    event: &Spanned<String>,
    facts: &dyn Facts,
) -> Result<Site, Diagnostic> {
    let name = event.node.as_str();
    let module = module.filter(|module| module.node != KERNEL);
    let in_kernel = is_known(facts, name);
    match module {
        None if in_kernel => return Ok(site(Some(KERNEL), name)),
        Some(module) if in_kernel => {
            let message = format!(
                "`{name}` is an event of the kernel, not of a module `{}`",
                module.node
            );
            let help = format!("did you mean `{}:{name}`?", INFO.names[0]);
            return Err(Diagnostic::error(module.span, message).help(help));
        }
        _ => {}
    }
    let in_tracefs = match of_tracefs(facts) {
        Ok(mut events) => events.any(|known| known == name),
        // Nobody knows of modules, nor, without BTF, of the kernel; it will say so itself when it is attached to.
        Err(_) => module.is_some() || facts.btf().is_none(),
    };
    if in_tracefs {
        // Types that know of events know of all of the kernel proper; this one is of a module.
        let untyped = facts.btf().is_none_or(|btf| of_btf(btf).next().is_none());
        let module = match module {
            Some(module) => Some(module.node.as_str()),
            None => untyped.then_some(KERNEL),
        };
        return Ok(site(module, name));
    }
    let message = format!("unknown raw tracepoint `{name}`");
    let all = events(facts).unwrap_or_default();
    let help = suggestion(name, all)
        .unwrap_or_else(|| format!("see `pfscript -l '{}:*{name}*'`", INFO.names[0]));
    Err(Diagnostic::error(event.span, message).help(help))
}

/// Tracepoints of single system calls are made of two that all of them have.
fn of_system_call(name: &str) -> Option<String> {
    let shared = ["sys_enter", "sys_exit"].into_iter().find(|shared| {
        name.strip_prefix(shared)
            .is_some_and(|rest| rest.starts_with('_'))
    })?;
    Some(format!(
        "all system calls share `{}:{shared}`; `tracepoint:syscalls:{name}` is one call",
        INFO.names[0]
    ))
}

/// The parameters of an event's call.
fn parameters<'b>(btf: &'b Btf, event: &str) -> Option<Vec<(&'b str, TypeId)>> {
    let named = FUNCTION_PREFIXES
        .iter()
        .find_map(|prefix| btf.function(&format!("{prefix}{event}")));
    let mut params = named?.params;
    // `__data`, which is not part of the call.
    (!params.is_empty()).then(|| params.split_off(1))
}

fn word(number: u32, width: Width, signed: bool) -> Access {
    Access::Context {
        offset: WORD * number,
        width,
        signed,
    }
}

impl Provider for RawTracepoint {
    fn info(&self) -> &ProviderInfo {
        &INFO
    }

    fn expand(&self, point: &AttachPoint, facts: &dyn Facts) -> Result<Vec<Site>, Diagnostic> {
        let (module, event) = match parts::parts(point, &INFO, 1..=2)? {
            [module, event] => (Some(module), event),
            [event, ..] => (None, event),
            // `parts` has seen to it that there is one.
            [] => return Err(Diagnostic::error(point.span, "an event is missing")),
        };
        let is_pattern = |part: &Spanned<String>| glob::is_pattern(&part.node);
        if !is_pattern(event) && !module.is_some_and(is_pattern) {
            return Ok(vec![exact(module, event, facts)?]);
        }
        if let Some(module) = module
            && !Glob::new(&module.node).matches(KERNEL)
        {
            let message = format!("the events of `{}` cannot be listed", module.node);
            return Err(Diagnostic::error(module.span, message).help(
                "wildcards find events of the kernel proper, `vmlinux`; name one of a module",
            ));
        }
        let wanted = Glob::new(&event.node);
        let found: Vec<Site> = events(facts)
            .map_err(|error| error.diagnostic(event.span, String::new))?
            .into_iter()
            .filter(|event| wanted.matches(event))
            .map(|event| site(Some(KERNEL), event))
            .collect();
        if found.is_empty() {
            let message = format!("no raw tracepoint matches `{}`", event.node);
            let help = format!("see `pfscript -l '{}:*'`", INFO.names[0]);
            return Err(Diagnostic::error(event.span, message).help(help));
        }
        Ok(found)
    }

    fn unseen(&self, point: &AttachPoint, facts: &dyn Facts) -> Option<(Site, Diagnostic)> {
        let parts = parts::parts(point, &INFO, 1..=2).ok()?;
        let (event, module) = parts.split_last()?;
        let error = of_tracefs(facts).err()?;
        let reason = error.hidden(facts)?;
        let is_pattern = parts.iter().any(|part| glob::is_pattern(&part.node));
        let what = match is_pattern {
            // Types list them all.
            true if facts.btf().is_some() => return None,
            true => "which raw tracepoints match".to_owned(),
            false if is_known(facts, &event.node) => return None,
            false => format!("whether there is a raw tracepoint `{}`", event.node),
        };
        let module = module.first().map(|module| module.node.as_str());
        let mut warning = unchecked(event.span, &what, reason);
        let events = facts.btf().into_iter().flat_map(of_btf);
        if let (false, Some(help)) = (is_pattern, suggestion(&event.node, events)) {
            warning = warning.help(help);
        }
        Some((site(module, &event.node), warning))
    }

    fn builtin(&self, name: &str, _arch: Arch) -> Option<Argument> {
        Some(Argument {
            name: name.to_owned(),
            ty: ArgumentType::Int {
                bytes: WORD,
                signed: false,
            },
            access: word(convention::number(name)?, Width::W64, false),
        })
    }

    /// Each argument has a word, of which it takes as many low bytes as it has (`CAST_TO_U64`, bpf_probe.h).
    fn arguments(&self, site: &Site, facts: &dyn Facts) -> Result<Vec<Argument>, FactError> {
        let Some((btf, params)) = facts
            .btf()
            .and_then(|btf| Some((btf, parameters(btf, event(&site.name))?)))
        else {
            return Ok(Vec::new());
        };
        Ok((0..)
            .zip(params)
            .filter(|(_, (name, _))| !name.is_empty())
            .filter_map(|(number, (name, ty))| {
                let (ty, width, signed) = prototype::parameter(btf, ty)?;
                Some(Argument {
                    name: name.to_owned(),
                    ty,
                    access: word(number, width, signed),
                })
            })
            .collect())
    }

    fn list(&self, facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        let events = events(facts)?.into_iter();
        Ok(events
            .map(|event| format!("{}:{KERNEL}:{event}", INFO.names[0]))
            .collect())
    }

    fn declarations(&self, listed: &str, facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        Ok(facts
            .btf()
            .and_then(|btf| {
                let params = parameters(btf, event(listed))?;
                Some(prototype::declarations(btf, &params))
            })
            .unwrap_or_default())
    }
}
