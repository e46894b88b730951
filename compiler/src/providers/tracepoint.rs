//! `tracepoint:CATEGORY:NAME`: the places that kernel developers marked for tracing, with their records' fields as
//! arguments. Both parts take wildcards. How the fields are read from the kernel's text is in `tracepoint_format`.

use super::{Argument, Provider, ProviderInfo, nearest, parts, tracepoint_types};
use crate::btf::Kind;
use crate::facts::{FactError, Facts, TracepointFormat, unchecked};
use crate::glob::{self, Glob};
use crate::manifest::{Attach, Site};
use crate::program::ProgramKind;
use pfscript_grammar::ast::AttachPoint;
use pfscript_grammar::{Diagnostic, Span, Spanned};

pub(super) struct Tracepoint;

pub(super) static TRACEPOINT: Tracepoint = Tracepoint;

static INFO: ProviderInfo = ProviderInfo {
    names: &["tracepoint", "t"],
    syntax: "tracepoint:CATEGORY:NAME",
    doc: "a tracepoint of the kernel; its fields are `args.NAME`",
    kind: ProgramKind::Tracepoint,
    narrowed: true,
    listed: true,
};

fn site(category: &str, name: &str) -> Site {
    Site {
        name: format!("{}:{category}:{name}", INFO.names[0]),
        function: None,
        attach: Attach::Tracepoint {
            category: category.to_owned(),
            name: name.to_owned(),
        },
    }
}

/// A tracepoint without wildcards: its own format file tells, so that the directory is read for suggestions alone.
fn exact(
    category: &Spanned<String>,
    name: &Spanned<String>,
    facts: &dyn Facts,
) -> Result<Site, Diagnostic> {
    match facts.tracepoint(&category.node, &name.node) {
        Ok(_) => Ok(site(&category.node, &name.node)),
        Err(FactError::Unknown) => Err(unknown(category, name, facts)),
        Err(error) => Err(error.diagnostic(category.span, String::new)),
    }
}

/// "no such tracepoint", at the part that is wrong.
fn unknown(category: &Spanned<String>, name: &Spanned<String>, facts: &dyn Facts) -> Diagnostic {
    let all = facts.tracepoints().unwrap_or_default();
    let (wanted, written) = (category.node.as_str(), name.node.as_str());
    if all.iter().any(|(category, _)| category == wanted) {
        let message = format!("no tracepoint `{written}` in category `{wanted}`");
        let siblings = all
            .iter()
            .filter(|(category, _)| category == wanted)
            .map(|(_, name)| name.as_str());
        let help = elsewhere(written, all)
            .or_else(|| nearest::did_you_mean(written, siblings))
            .unwrap_or_else(|| format!("see `pfscript -l 'tracepoint:{wanted}:*'`"));
        return Diagnostic::error(name.span, message).help(help);
    }
    let message = format!("no tracepoints in category `{wanted}`");
    let mut categories: Vec<&str> = all.iter().map(|(category, _)| category.as_str()).collect();
    categories.dedup();
    let help = elsewhere(written, all)
        .or_else(|| without_system_calls(wanted))
        .or_else(|| nearest::did_you_mean(wanted, categories))
        .unwrap_or_else(|| match glob::is_pattern(written) {
            true => "see `pfscript -l 'tracepoint:*'`".to_owned(),
            false => format!("see `pfscript -l 'tracepoint:*:*{written}*'`"),
        });
    Diagnostic::error(category.span, message).help(help)
}

/// The category of system calls is an option of its own.
fn without_system_calls(category: &str) -> Option<String> {
    (category == "syscalls").then(|| {
        "tracepoints of system calls need a kernel built with CONFIG_FTRACE_SYSCALLS".to_owned()
    })
}

/// The same name in another category is what was meant.
fn elsewhere(written: &str, all: &[(String, String)]) -> Option<String> {
    let (category, name) = all.iter().find(|(_, name)| name == written)?;
    Some(format!("did you mean `tracepoint:{category}:{name}`?"))
}

/// The category and name in a site's full name.
fn names(full: &str) -> Option<(&str, &str)> {
    let (_, point) = full.split_once(':')?;
    point.split_once(':')
}

/// What is not checked of a tracepoint of which no more is known than what types tell.
fn warning(
    category: &Spanned<String>,
    name: &Spanned<String>,
    reason: &str,
    span: Span,
    facts: &dyn Facts,
) -> Diagnostic {
    let (group, event) = (category.node.as_str(), name.node.as_str());
    let known = |name: &str| {
        let known = |btf| tracepoint_types::of_event(btf, group, name, facts.arch());
        facts.btf().and_then(known).is_some()
    };
    if !known(event) {
        let what = format!("whether there is a tracepoint `{group}:{event}`");
        let events = facts
            .btf()
            .into_iter()
            .flat_map(|btf| btf.names(Kind::Typedef));
        let names = events.filter_map(|name| name.strip_prefix(tracepoint_types::EVENT_PREFIX));
        let warning = unchecked(span, &what, reason);
        return match nearest::did_you_mean(event, names) {
            Some(help) => warning.help(help),
            None => warning,
        };
    }
    match group {
        "syscalls" => unchecked(span, "whether this kernel traces system calls", reason),
        _ => unchecked(
            category.span,
            &format!("that `{event}` is in the category `{group}`"),
            reason,
        ),
    }
}

/// The fields that types tell, and arguments that they do not.
fn by_types(
    category: &str,
    name: &str,
    reason: &str,
    facts: &dyn Facts,
) -> (TracepointFormat, Vec<Argument>) {
    let known = |btf| tracepoint_types::of_event(btf, category, name, facts.arch());
    let Some(known) = facts.btf().and_then(known) else {
        return (
            TracepointFormat::default(),
            vec![Argument::unknown("", reason)],
        );
    };
    let names = known.unclear.iter().map(String::as_str);
    let names = names.chain(known.partial.then_some(""));
    let unknown = names.map(|name| Argument::unknown(name, reason)).collect();
    (known.format, unknown)
}

impl Provider for Tracepoint {
    fn info(&self) -> &ProviderInfo {
        &INFO
    }

    fn expand(&self, point: &AttachPoint, facts: &dyn Facts) -> Result<Vec<Site>, Diagnostic> {
        let [category, name] = parts::parts(point, &INFO, 2..=2)? else {
            // `parts` has seen to it that there are two.
            return Err(Diagnostic::error(point.span, "a part is missing"));
        };
        if !glob::is_pattern(&category.node) && !glob::is_pattern(&name.node) {
            return Ok(vec![exact(category, name, facts)?]);
        }
        let all = facts
            .tracepoints()
            .map_err(|error| error.diagnostic(category.span, String::new))?;
        let (categories, wanted) = (Glob::new(&category.node), Glob::new(&name.node));
        let matching = |part: &(String, String)| categories.matches(&part.0);
        let found: Vec<Site> = all
            .iter()
            .filter(|tracepoint| matching(tracepoint) && wanted.matches(&tracepoint.1))
            .map(|(category, name)| site(category, name))
            .collect();
        if !found.is_empty() {
            return Ok(found);
        }
        if !all.iter().any(matching) {
            return Err(unknown(category, name, facts));
        }
        let message = format!(
            "no tracepoint in `{}` matches `{}`",
            category.node, name.node
        );
        Err(Diagnostic::error(name.span, message).help(format!(
            "see `pfscript -l 'tracepoint:{}:*'`",
            category.node
        )))
    }

    fn unseen(&self, point: &AttachPoint, facts: &dyn Facts) -> Option<(Site, Diagnostic)> {
        let [category, name] = parts::parts(point, &INFO, 2..=2).ok()? else {
            return None;
        };
        let is_pattern = glob::is_pattern(&category.node) || glob::is_pattern(&name.node);
        let error = match is_pattern {
            true => facts.tracepoints().err(),
            false => facts.tracepoint(&category.node, &name.node).err(),
        }?;
        let reason = error.hidden(facts)?;
        let span = category.span.to(name.span);
        let warning = match is_pattern {
            true => unchecked(span, "which tracepoints match", reason),
            false => warning(category, name, reason, span, facts),
        };
        Some((site(&category.node, &name.node), warning))
    }

    fn arguments(&self, site: &Site, facts: &dyn Facts) -> Result<Vec<Argument>, FactError> {
        let (category, name) = names(&site.name).ok_or(FactError::Unknown)?;
        let (TracepointFormat { fields }, unknown) = match facts.tracepoint(category, name) {
            Ok(format) => (format, Vec::new()),
            Err(error) => match error.hidden(facts) {
                Some(reason) => by_types(category, name, reason, facts),
                None => return Err(error),
            },
        };
        let known = fields.iter().filter_map(|field| field.argument());
        Ok(known.chain(unknown).collect())
    }

    fn list(&self, facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        let mut names: Vec<String> = facts
            .tracepoints()?
            .iter()
            .map(|(category, name)| format!("{}:{category}:{name}", INFO.names[0]))
            .collect();
        // By the whole name: `fib6:` comes before `fib:`.
        names.sort_unstable();
        Ok(names)
    }

    fn declarations(&self, listed: &str, facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        let (category, name) = names(listed).ok_or(FactError::Unknown)?;
        Ok(facts
            .tracepoint(category, name)?
            .fields
            .iter()
            .filter(|field| field.is_readable())
            .map(|field| field.declaration())
            .collect())
    }
}
