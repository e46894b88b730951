//! `-l` and `-lv`: the attach points and types that a pattern matches, in bpftrace's form.
//!
//! In come facts and a pattern, out go lines and notes. Nothing is printed here, and no script is looked at.

use crate::btf::Kind;
use crate::facts::{FactError, Facts};
use crate::glob::{self, Glob};
use crate::providers::{self, Provider, nearest};
use pfscript_grammar::ast::Script;
use pfscript_grammar::{Diagnostic, Span, Spanned, escape};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// For standard output, in order; arguments and members are lines of their own.
    pub lines: Vec<String>,
    /// For standard error: what could not be listed, and why.
    pub notes: Vec<String>,
}

/// Lists the attach points that `pattern` matches: `*page_fault*` among all probe types that have a finite list,
/// `kprobe:vfs_*` in one. `struct file`, `union …` and `enum …` look for types instead. With `verbose`, arguments come
/// below each attach point, and types come with their members. Several patterns are separated by commas.
pub fn list(facts: &dyn Facts, pattern: Option<&str>, verbose: bool) -> Listing {
    let mut listing = Listing::default();
    // A name has no comma, but for those of C++ functions.
    let several = pattern.is_some_and(|all| !all.contains(['(', '<', '"']));
    match pattern {
        Some(all) if several => {
            for pattern in all.split(',') {
                matching(&mut listing, facts, pattern.trim(), verbose);
            }
        }
        pattern => matching(&mut listing, facts, pattern.unwrap_or("*").trim(), verbose),
    }
    listing
}

/// Lists the attach points that a script names, in its order, without what comes behind an event's name (`interval:s:`).
pub fn of_script(facts: &dyn Facts, script: &Script, verbose: bool) -> Listing {
    let mut listing = Listing::default();
    for point in script.probes().flat_map(|probe| &probe.attach_points) {
        let provider = match providers::find(&point.parts[0]) {
            Ok(provider) => provider,
            Err(error) => {
                listing.notes.push(sentence(error));
                continue;
            }
        };
        let parts: Vec<&str> = point.parts[1..].iter().map(|p| p.node.as_str()).collect();
        let before = (listing.lines.len(), listing.notes.len());
        one_family(&mut listing, facts, provider, &parts.join(":"), verbose);
        if (listing.lines.len(), listing.notes.len()) == before && parts.len() > 1 {
            // A name that ends in a colon is that of an event, behind which a count or rate stands.
            let written = parts[..parts.len() - 1].join(":");
            let event = format!("{}:{written}:", provider.info().names[0]);
            let names = names(&mut listing, facts, provider, &written);
            let is_event = names.is_some_and(|names| names.contains(&event));
            let event = is_event.then_some(event);
            show(&mut listing, facts, provider, event.into_iter(), verbose);
        }
        if (listing.lines.len(), listing.notes.len()) == before {
            let name = format!("{}:{}", provider.info().names[0], parts.join(":"));
            listing
                .notes
                .push(format!("nothing matches `{}`", escape(&name)));
        }
    }
    listing
}

/// An error about an attach point where there is no script to show.
fn sentence(error: Diagnostic) -> String {
    match error.help {
        Some(help) => format!("{}; {help}", error.message),
        None => error.message,
    }
}

fn matching(listing: &mut Listing, facts: &dyn Facts, pattern: &str, verbose: bool) {
    let before = (listing.lines.len(), listing.notes.len());
    if let Some((tag, name)) = pattern.split_once(char::is_whitespace)
        && let Some(kind) = tagged(tag)
    {
        types(listing, facts, (tag, kind), name.trim(), verbose);
    } else {
        probes(listing, facts, pattern, verbose);
    }
    // A probe type that was named and can't be listed has said why.
    let named = pattern.contains([':', ' ']) || providers::by_name(pattern).is_some();
    let explained = named && listing.notes.len() > before.1;
    if listing.lines.len() == before.0 && !explained {
        let mut note = format!("nothing matches `{}`", escape(pattern));
        if !glob::is_pattern(pattern) && !pattern.contains([':', ' ']) {
            note.push_str(&format!("; try `*{}*`", escape(pattern)));
        }
        listing.notes.push(note);
    }
}

/// What a tag before a type's name asks for.
fn tagged(tag: &str) -> Option<Kind> {
    match tag {
        "struct" => Some(Kind::Struct),
        "union" => Some(Kind::Union),
        "enum" => Some(Kind::Enum),
        _ => None,
    }
}

fn types(
    listing: &mut Listing,
    facts: &dyn Facts,
    (tag, kind): (&str, Kind),
    name: &str,
    verbose: bool,
) {
    let Some(btf) = facts.btf() else {
        let note = "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF), so its types are unknown";
        listing.notes.push(note.to_owned());
        return;
    };
    let wanted = Glob::new(name);
    let mut names: Vec<&str> = btf
        .names(kind)
        .filter(|candidate| !candidate.is_empty() && wanted.matches(candidate))
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in &names {
        match verbose.then(|| btf.find(kind, name)).flatten() {
            // bpftrace says which module has the type; those of modules are not read.
            Some(id) => {
                let definition = format!("vmlinux: {}", btf.c_definition(id));
                listing.lines.extend(definition.lines().map(str::to_owned));
            }
            None => listing.lines.push(format!("{tag} {name}")),
        }
    }
    if names.is_empty()
        && let Some(help) = nearest::did_you_mean(name, btf.names(kind))
    {
        listing
            .notes
            .push(format!("nothing matches `{}`; {help}", escape(name)));
    }
}

fn probes(listing: &mut Listing, facts: &dyn Facts, pattern: &str, verbose: bool) {
    let (probe_type, rest) = match pattern.split_once(':') {
        Some((probe_type, rest)) => (probe_type, rest),
        None => (pattern, ""),
    };
    // A probe type by itself, by whatever name: `BEGIN`, `kprobe`.
    if let Some(provider) = providers::by_name(pattern) {
        return one_family(listing, facts, provider, "", verbose);
    }
    if pattern.contains(':') && !glob::is_pattern(probe_type) {
        match providers::find(&Spanned::new(probe_type.to_owned(), Span::default())) {
            Ok(provider) => one_family(listing, facts, provider, rest, verbose),
            Err(error) => listing.notes.push(sentence(error)),
        }
        return;
    }
    let wanted = Glob::new(pattern);
    let mut all: Vec<&dyn Provider> = providers::registry().to_vec();
    all.sort_by_key(|provider| provider.info().names[0]);
    for provider in all {
        if let Some(names) = names(listing, facts, provider, rest) {
            let matching = names.into_iter().filter(|name| wanted.matches(name));
            show(listing, facts, provider, matching, verbose);
        }
    }
}

/// The attach points of one probe type; `rest` is the pattern behind its name.
fn one_family(
    listing: &mut Listing,
    facts: &dyn Facts,
    provider: &'static dyn Provider,
    rest: &str,
    verbose: bool,
) {
    let Some(names) = names(listing, facts, provider, rest) else {
        return;
    };
    // `software:`, `tracepoint:sched:`: all below.
    let wanted = match rest.is_empty() || rest.ends_with(':') {
        true => Glob::new(&format!("{rest}*")),
        false => Glob::new(rest),
    };
    let matching = names.into_iter().filter(|name| {
        let target = name.split_once(':').map_or("", |(_, target)| target);
        // `software:page-faults` without the colon behind; `kprobe:xfs_*` without the module before.
        let bare = target.trim_end_matches(':');
        let last = bare.rsplit(':').next().unwrap_or(bare);
        wanted.matches(target)
            || wanted.matches(bare)
            || (!rest.contains(':') && wanted.matches(last))
    });
    show(listing, facts, provider, matching, verbose);
}

/// A probe type's names among which those that match `target` are, or a note why they can't be had.
fn names(
    listing: &mut Listing,
    facts: &dyn Facts,
    provider: &dyn Provider,
    target: &str,
) -> Option<Vec<String>> {
    match provider.list_for(target, facts) {
        Ok(names) => Some(names),
        Err(FactError::Unavailable { reason, help } | FactError::Hidden { reason, help }) => {
            let probe_type = provider.info().names[0];
            let help = help.map_or(String::new(), |help| format!("; {help}"));
            let why = format!(" probes: {reason}{help}");
            // What a second probe type lacks for the same reason need not be said again.
            if !listing.notes.iter().any(|note| note.ends_with(&why)) {
                listing
                    .notes
                    .push(format!("cannot list `{probe_type}`{why}"));
            }
            None
        }
        Err(FactError::Unknown) => None,
    }
}

fn show(
    listing: &mut Listing,
    facts: &dyn Facts,
    provider: &dyn Provider,
    names: impl Iterator<Item = String>,
    verbose: bool,
) {
    for name in names {
        let declarations = match verbose {
            // What can't be read is left out: the attach point itself is there all the same.
            true => provider.declarations(&name, facts).unwrap_or_default(),
            false => Vec::new(),
        };
        listing.lines.push(name);
        listing.lines.extend(
            declarations
                .iter()
                .map(|declaration| format!("    {declaration}")),
        );
    }
}
