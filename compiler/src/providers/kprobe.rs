//! `kprobe:FUNCTION[+OFFSET]` and `kretprobe:FUNCTION`: the entry, an instruction inside, or the return of a function
//! of the kernel. The function takes wildcards; `kprobe:MODULE:FUNCTION` looks in one module.
//!
//! A function without wildcards that BTF knows is taken without a look at the list of all functions, which the kernel
//! takes tens of milliseconds to print; that kprobes may attach to it the kernel itself says soon after. A check, after which
//! nothing is attached, looks ([`Facts::thorough`]): BTF also knows functions that are there by another name alone.

use super::convention::Convention;
use super::{Argument, Provider, ProviderInfo, nearest, parts, prototype, variants};
use crate::btf::Kind;
use crate::facts::{Arch, FactError, Facts, unchecked};
use crate::glob::{self, Glob};
use crate::manifest::{Attach, Site};
use crate::program::ProgramKind;
use pfscript_grammar::ast::AttachPoint;
use pfscript_grammar::{Diagnostic, Spanned};
use pfscript_probes::Feature;

/// Probes on functions of the kernel.
pub(super) struct Kprobe {
    info: ProviderInfo,
    on_return: bool,
}

pub(super) static KPROBE: Kprobe = Kprobe {
    info: info(
        &["kprobe", "k"],
        "kprobe:[MODULE:]FUNCTION[+OFFSET]",
        "the entry of a kernel function; its arguments are `arg0` and so on, or `args.NAME`",
        true,
    ),
    on_return: false,
};

pub(super) static KRETPROBE: Kprobe = Kprobe {
    info: info(
        &["kretprobe", "kr"],
        "kretprobe:[MODULE:]FUNCTION",
        "the return of a kernel function; what it returns is `retval`",
        false,
    ),
    on_return: true,
};

const fn info(
    names: &'static [&'static str],
    syntax: &'static str,
    doc: &'static str,
    listed: bool,
) -> ProviderInfo {
    ProviderInfo {
        names,
        syntax,
        doc,
        kind: ProgramKind::Kprobe,
        narrowed: true,
        listed,
    }
}

/// What an attach point says.
struct Written<'a> {
    module: Option<&'a Spanned<String>>,
    part: &'a Spanned<String>,
    function: &'a str,
    offset: u64,
}

fn read<'a>(
    point: &'a AttachPoint,
    info: &ProviderInfo,
    on_return: bool,
) -> Result<Written<'a>, Diagnostic> {
    let (module, part) = match parts::parts(point, info, 1..=2)? {
        [module, function] => (Some(module), function),
        [function, ..] => (None, function),
        // `parts` has seen to it that there is one.
        [] => return Err(Diagnostic::error(point.span, "a function is missing")),
    };
    let (function, offset) = match part.node.split_once('+') {
        None => (part.node.as_str(), 0),
        Some(_) if on_return => {
            return Err(
                Diagnostic::error(part.span, "a return probe takes no offset")
                    .help("remove the offset, or use `kprobe`"),
            );
        }
        Some((function, text)) => {
            let offset = parts::integer(text).ok_or_else(|| {
                let message = format!("the offset must be a number of bytes, not `{text}`");
                Diagnostic::error(part.span, message)
            })?;
            if glob::is_pattern(function) {
                let message = "an offset cannot be combined with a wildcard";
                return Err(Diagnostic::error(part.span, message));
            }
            (function, offset)
        }
    };
    // Functions of the kernel proper have no module; BTF calls that one `vmlinux`.
    let module = module.filter(|module| module.node != "vmlinux");
    Ok(Written {
        module,
        part,
        function,
        offset,
    })
}

/// `module:function` or `function`, taken apart.
fn split(listed: &str) -> (Option<&str>, &str) {
    match listed.split_once(':') {
        Some((module, function)) => (Some(module), function),
        None => (None, listed),
    }
}

fn site(info: &ProviderInfo, listed: &str, offset: u64, on_return: bool) -> Site {
    let mut name = format!("{}:{listed}", info.names[0]);
    if offset > 0 {
        name = format!("{name}+{offset}");
    }
    Site {
        name,
        function: Some(split(listed).1.to_owned()),
        attach: Attach::Kprobe {
            // The kernel too takes `module:function` (`kallsyms_lookup_name`).
            function: listed.to_owned(),
            offset,
            on_return,
        },
    }
}

fn expand(
    point: &AttachPoint,
    facts: &dyn Facts,
    Kprobe { info, on_return }: &Kprobe,
    sure: bool,
) -> Result<Vec<Site>, Diagnostic> {
    let written = read(point, info, *on_return)?;
    if !facts.has(Feature::Kprobes) {
        return Err(no_kprobes(&written, info));
    }
    let make = |listed: &str, offset: u64| site(info, listed, offset, *on_return);
    let is_pattern = |text: &str| glob::is_pattern(text);
    if is_pattern(written.function)
        || written
            .module
            .is_some_and(|module| is_pattern(&module.node))
    {
        let found = matching(&written, facts)?;
        return Ok(found.into_iter().map(|listed| make(listed, 0)).collect());
    }
    let listed = exact(&written, facts, sure || facts.thorough())?;
    Ok(vec![make(&listed, written.offset)])
}

/// The functions that a pattern matches: those of the kernel proper, or of the modules that match.
fn matching<'f>(written: &Written<'_>, facts: &'f dyn Facts) -> Result<Vec<&'f str>, Diagnostic> {
    let functions = facts
        .functions()
        .map_err(|error| error.diagnostic(written.part.span, String::new))?;
    let wanted = Glob::new(written.function);
    let modules = written.module.map(|module| Glob::new(&module.node));
    let found: Vec<&str> = functions
        .iter()
        .map(String::as_str)
        .filter(|listed| {
            let (module, function) = split(listed);
            let in_module = match (&modules, module) {
                (Some(modules), Some(module)) => modules.matches(module),
                (Some(_), None) => false,
                // Without a module named, those of modules are meant too.
                (None, _) => true,
            };
            in_module && wanted.matches(function)
        })
        .collect();
    if found.is_empty() {
        let message = format!("no kernel function matches `{}`", written.part.node);
        return Err(Diagnostic::error(written.part.span, message));
    }
    Ok(found)
}

/// The one function of that name, as it is listed; `sure` if nothing but the list will do.
fn exact(written: &Written<'_>, facts: &dyn Facts, sure: bool) -> Result<String, Diagnostic> {
    let function = written.function;
    let listed = match written.module {
        Some(module) => format!("{}:{function}", module.node),
        None => function.to_owned(),
    };
    let in_btf = |name: &str| {
        facts
            .btf()
            .is_some_and(|btf| btf.find(Kind::Func, name).is_some())
    };
    if written.module.is_none() && !sure && in_btf(function) {
        return Ok(listed);
    }
    let functions = match facts.functions() {
        Ok(functions) => functions,
        // Nobody knows; the kernel will say so when it is attached to.
        Err(_) => return Ok(listed),
    };
    if functions.binary_search(&listed).is_ok() {
        return Ok(listed);
    }
    if written.module.is_none()
        && let Some(found) = functions.iter().find(|name| split(name).1 == function)
    {
        return Ok(found.clone());
    }
    if written.offset == 0
        && let Some(variant) = variants::of_whole(variants(written, functions))
    {
        // Whoever attaches it finds it by its own name, and says what it is.
        return Ok(match facts.thorough() {
            true => variant.clone(),
            false => listed,
        });
    }
    let error = missing(written, functions);
    if error.help.is_some() {
        return Err(error);
    }
    let names = functions
        .iter()
        .filter(|_| written.module.is_none())
        .map(String::as_str)
        .chain(functions.iter().filter_map(|name| {
            let (module, function) = split(name);
            (module? == written.module?.node).then_some(function)
        }));
    let help = nearest::did_you_mean(function, names).unwrap_or_else(|| {
        format!("see `pfscript -l 'kprobe:*{function}*'`; functions that the compiler inlined have no entry")
    });
    Err(error.help(help))
}

/// The names of what the compiler made of a function.
fn variants<'f>(
    written: &Written<'_>,
    functions: &'f [String],
) -> impl Iterator<Item = &'f String> {
    functions.iter().filter(|name| {
        let (module, function) = split(name);
        let wanted = written.module.map(|module| module.node.as_str());
        (wanted.is_none() || wanted == module) && variants::is_variant(function, written.function)
    })
}

/// The message about a function that cannot be probed by this name.
fn missing(written: &Written<'_>, functions: &[String]) -> Diagnostic {
    let function = written.function;
    let message = match written.module {
        Some(module) => format!("no function `{function}` in module `{}`", module.node),
        None => format!("no kernel function `{function}` that can be probed"),
    };
    let names: Vec<String> = (variants(written, functions).take(4))
        .map(|name| format!("`{name}`"))
        .collect();
    let error = Diagnostic::error(written.part.span, message);
    match names.is_empty() {
        true => error,
        false => error.help(format!("the compiler made {} of it", names.join(" and "))),
    }
}

fn no_kprobes(written: &Written<'_>, info: &ProviderInfo) -> Diagnostic {
    let message = format!(
        "this kernel has no kprobes, so `{}:{}` cannot be traced",
        info.names[0], written.part.node
    );
    let config = "kprobes need a kernel built with CONFIG_KPROBES and CONFIG_KPROBE_EVENTS";
    let help = if written.function.contains("fault") {
        format!(
            "{config}; to trace page faults, use `software:page-faults:1`, as `ffaults.pf` does"
        )
    } else {
        format!("{config}; tracepoints and software events are available: see `pfscript -l`")
    };
    Diagnostic::error(written.part.span, message).help(help)
}

/// Whether it is where a function begins, so that the registers still hold its arguments.
fn is_entry(attach: &Attach) -> bool {
    matches!(
        attach,
        Attach::Kprobe {
            offset: 0,
            on_return: false,
            ..
        }
    )
}

/// The functions as `-l` prints them under one probe type's name.
fn list(info: &ProviderInfo, facts: &dyn Facts) -> Result<Vec<String>, FactError> {
    if !facts.has(Feature::Kprobes) {
        return Err(FactError::lacking(Feature::Kprobes));
    }
    Ok(facts
        .functions()?
        .iter()
        .map(|function| format!("{}:{function}", info.names[0]))
        .collect())
}

/// The prototype's parts as bpftrace prints them: `struct file * file`.
fn prototype_lines(
    listed: &str,
    facts: &dyn Facts,
    result: bool,
) -> Result<Vec<String>, FactError> {
    let function = listed.rsplit(':').next().unwrap_or(listed);
    let Some((btf, prototype)) = facts
        .btf()
        .and_then(|btf| Some((btf, btf.function(function)?)))
    else {
        return Ok(Vec::new());
    };
    if result {
        return Ok(vec![format!("{} retval", btf.c_name(prototype.ret))]);
    }
    Ok(prototype::declarations(btf, &prototype.params))
}

impl Provider for Kprobe {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn expand(&self, point: &AttachPoint, facts: &dyn Facts) -> Result<Vec<Site>, Diagnostic> {
        expand(point, facts, self, false)
    }

    fn expand_sure(&self, point: &AttachPoint, facts: &dyn Facts) -> Result<Vec<Site>, Diagnostic> {
        expand(point, facts, self, true)
    }

    fn unseen(&self, point: &AttachPoint, facts: &dyn Facts) -> Option<(Site, Diagnostic)> {
        if !facts.has(Feature::Kprobes) {
            return None;
        }
        let written = read(point, &self.info, self.on_return).ok()?;
        let error = facts.functions().err()?;
        let reason = error.hidden(facts)?;
        let is_pattern = |text: &str| glob::is_pattern(text);
        let module = written.module.map(|module| module.node.as_str());
        let listed = match module {
            Some(module) => format!("{module}:{}", written.function),
            None => written.function.to_owned(),
        };
        let what = match is_pattern(written.function) || module.is_some_and(is_pattern) {
            true => "which functions match".to_owned(),
            false => format!("whether the function `{listed}` can be probed"),
        };
        let mut warning = unchecked(written.part.span, &what, reason);
        let names = || {
            facts
                .btf()
                .into_iter()
                .flat_map(|btf| btf.names(Kind::Func))
        };
        let suspect = module.is_none() && !names().any(|name| name == written.function);
        if let Some(help) = suspect
            .then(|| nearest::did_you_mean(written.function, names()))
            .flatten()
        {
            warning = warning.help(help);
        }
        Some((
            site(&self.info, &listed, written.offset, self.on_return),
            warning,
        ))
    }

    fn builtin(&self, name: &str, arch: Arch) -> Option<Argument> {
        Convention::of(arch).builtin(name, self.on_return)
    }

    fn arguments(&self, site: &Site, facts: &dyn Facts) -> Result<Vec<Argument>, FactError> {
        // Behind the entry the registers hold something else.
        match (&site.function, facts.btf()) {
            (Some(function), Some(btf)) if is_entry(&site.attach) => {
                Ok(prototype::arguments(btf, function, facts.arch()))
            }
            _ => Ok(Vec::new()),
        }
    }

    fn list(&self, facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        list(&self.info, facts)
    }

    fn declarations(&self, listed: &str, facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        prototype_lines(listed, facts, self.on_return)
    }
}
