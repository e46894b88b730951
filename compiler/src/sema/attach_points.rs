//! Attach points: parameters put in, wildcards expanded, grouped by provider, and split where one program cannot serve
//! them all.
//!
//! In come the attach points of a probe as written; out go groups of sites. What an action asks of its site is not looked
//! at here but noted by the checker, in [`Differences`].

use super::{MissingProbes, Options};
use crate::facts::{FactError, Facts};
use crate::glob;
use crate::manifest::Site;
use crate::providers::{self, Argument, Provider};
use indexmap::IndexMap;
use pfscript_grammar::ast;
use pfscript_grammar::{Diagnostic, Severity, Span, Spanned};
use std::cell::OnceCell;
use std::collections::BTreeSet;

/// Attach points of one provider.
pub(super) struct Group {
    /// The provider.
    pub provider: &'static dyn Provider,
    /// The sites that they stand for.
    pub points: Vec<Point>,
    /// Where they stand.
    pub span: Span,
    /// As written.
    pub name: String,
}

/// A site, and its arguments once somebody has asked for them.
pub(super) struct Point {
    /// The site.
    pub site: Site,
    arguments: OnceCell<Result<Vec<Argument>, FactError>>,
}

impl Point {
    fn new(site: Site) -> Point {
        Point {
            site,
            arguments: OnceCell::new(),
        }
    }

    /// What `args` has at this site.
    pub fn arguments(
        &self,
        provider: &dyn Provider,
        facts: &dyn Facts,
    ) -> &Result<Vec<Argument>, FactError> {
        self.arguments
            .get_or_init(|| match provider.arguments(&self.site, facts) {
                Err(FactError::Unknown) => Ok(Vec::new()),
                result => result,
            })
    }

    fn argument(
        &self,
        name: &str,
        provider: &dyn Provider,
        facts: &dyn Facts,
    ) -> Option<&Argument> {
        let arguments = self.arguments(provider, facts).as_ref().ok()?;
        arguments.iter().find(|argument| argument.name == name)
    }
}

/// What an action asked for that is not the same at all of its sites, so that one program cannot serve them.
#[derive(Default)]
pub(super) struct Differences {
    /// The name or the function, which the program has no way to look up.
    pub texts: bool,
    /// Arguments of other types, or in other places.
    pub arguments: BTreeSet<String>,
}

impl Differences {
    /// The fewest lists of sites within each of which nothing differs.
    pub fn split<'p>(
        &self,
        points: &[&'p Point],
        provider: &dyn Provider,
        facts: &dyn Facts,
    ) -> Vec<Vec<&'p Point>> {
        if self.texts {
            return points.iter().map(|point| vec![*point]).collect();
        }
        let mut parts: IndexMap<Vec<Option<&Argument>>, Vec<&Point>> = IndexMap::new();
        for point in points {
            let layout = self.arguments.iter();
            let layout = layout.map(|name| point.argument(name, provider, facts));
            parts.entry(layout.collect()).or_default().push(point);
        }
        parts.into_values().collect()
    }

    /// What to say of them: "the action uses …".
    pub fn describe(&self) -> String {
        if self.texts {
            return "`func` or `probe`".to_owned();
        }
        let names = self.arguments.iter();
        let names: Vec<String> = names.map(|name| format!("`args.{name}`")).collect();
        format!(
            "{}, which differs between the attach points",
            names.join(", ")
        )
    }
}

/// The attach points of a probe, by provider. What a check does not know of them goes to `unchecked`.
pub(super) fn expand(
    probe: &ast::Probe,
    facts: &dyn Facts,
    options: &Options,
    warnings: &mut Vec<Diagnostic>,
    unchecked: &mut Vec<Diagnostic>,
) -> Result<Vec<Group>, Vec<Diagnostic>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut errors = Vec::new();
    for point in &probe.attach_points {
        let point = match substitute(point, options) {
            Ok(point) => point,
            Err(error) => {
                errors.push((error, false));
                continue;
            }
        };
        let provider = match providers::find(&point.parts[0]) {
            Ok(provider) => provider,
            Err(error) => {
                errors.push((error, false));
                continue;
            }
        };
        let expanded = match facts.thorough().then(|| provider.unseen(&point, facts)) {
            Some(Some((site, warning))) => {
                unchecked.push(warning);
                Ok(vec![site])
            }
            _ => match options.limits.missing_probes {
                MissingProbes::Error => provider.expand(&point, facts),
                MissingProbes::Warn | MissingProbes::Ignore => provider.expand_sure(&point, facts),
            },
        };
        match expanded {
            Ok(sites) => {
                let written: Vec<&str> =
                    point.parts.iter().map(|part| part.node.as_str()).collect();
                let same =
                    |group: &&mut Group| group.provider.info().names[0] == provider.info().names[0];
                let names = provider.info().names;
                let always = names.contains(&"begin") || names.contains(&"end");
                let filter = options.probe_filter.as_ref().filter(|_| !always);
                let taken = |site: &Site| filter.is_none_or(|filter| filter.takes(&site.name));
                let mut points = sites.into_iter().filter(taken).map(Point::new).peekable();
                if points.peek().is_none() {
                    continue;
                }
                match groups.iter_mut().find(same) {
                    Some(group) => {
                        group.points.extend(points);
                        group.span = group.span.to(point.span);
                        group.name = format!("{}, {}", group.name, written.join(":"));
                    }
                    None => groups.push(Group {
                        provider,
                        points: points.collect(),
                        span: point.span,
                        name: written.join(":"),
                    }),
                }
            }
            Err(error) => match options.limits.missing_probes {
                MissingProbes::Error => errors.push((error, is_pattern(&point))),
                MissingProbes::Warn => warnings.push(as_warning(error)),
                MissingProbes::Ignore => {}
            },
        }
    }
    // Beside attach points that there are, a wildcard may match nothing, as in `k:lookup_fast, k:lookup_fast.constprop.*`.
    if !groups.is_empty() && errors.iter().all(|(_, is_pattern)| *is_pattern) {
        warnings.extend(errors.drain(..).map(|(error, _)| as_warning(error)));
    }
    let errors: Vec<Diagnostic> = errors.into_iter().map(|(error, _)| error).collect();
    if errors.is_empty() {
        Ok(groups)
    } else {
        Err(errors)
    }
}

/// Whether an attach point has wildcards.
fn is_pattern(point: &ast::AttachPoint) -> bool {
    point.parts.iter().any(|part| glob::is_pattern(&part.node))
}

fn as_warning(error: Diagnostic) -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        ..error
    }
}

/// Puts positional parameters into an attach point. What a parameter holds may be several parts of it: `i:ms:1`.
///
/// # Errors
/// If one was not given: in an action that would be 0, but there is no attach point that it could mean.
pub(super) fn substitute(
    point: &ast::AttachPoint,
    options: &Options,
) -> Result<ast::AttachPoint, Diagnostic> {
    let replace = |part: &Spanned<String>| {
        let mut out = String::new();
        let mut rest = part.node.as_str();
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            match rest[..digits].parse::<usize>() {
                Ok(number) if number > 0 => match options.positional.get(number - 1) {
                    Some(value) => out.push_str(value),
                    None => {
                        let message = format!("the parameter `${number}` is not given");
                        return Err(Diagnostic::error(part.span, message)
                            .help("it is written behind the script: `pfscript SCRIPT VALUE`"));
                    }
                },
                _ => {
                    out.push('$');
                    out.push_str(&rest[..digits]);
                }
            }
            rest = &rest[digits..];
        }
        Ok(out + rest)
    };
    let mut parts = Vec::new();
    for part in &point.parts {
        let text = replace(part)?;
        match text == part.node {
            true => parts.push(part.clone()),
            false => parts.extend(
                text.split(':')
                    .map(|text| Spanned::new(text.to_owned(), part.span)),
            ),
        }
    }
    Ok(ast::AttachPoint {
        parts,
        span: point.span,
    })
}
