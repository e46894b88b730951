//! Attach points: parameters put in, wildcards expanded, grouped by family.

use super::Options;
use crate::facts::KernelFacts;
use crate::providers::{self, Expansion, Provider};
use pfscript_grammar::ast;
use pfscript_grammar::{Diagnostic, Span, Spanned};

/// Attach points of one family.
pub(super) struct Group {
    /// The family.
    pub provider: &'static dyn Provider,
    /// The attach points.
    pub expansions: Vec<Expansion>,
    /// Where they stand.
    pub span: Span,
    /// As written.
    pub name: String,
}

/// The attach points of a probe, by family.
pub(super) fn expand(
    probe: &ast::Probe,
    facts: &dyn KernelFacts,
    options: &Options,
) -> Result<Vec<Group>, Vec<Diagnostic>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut errors = Vec::new();
    for point in &probe.attach_points {
        let point = substitute(point, options);
        let provider = match providers::find(&point.parts[0]) {
            Ok(provider) => provider,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        match provider.expand(&point, facts) {
            Ok(expansions) => {
                let written: Vec<&str> =
                    point.parts.iter().map(|part| part.node.as_str()).collect();
                let same =
                    |group: &&mut Group| group.provider.info().names[0] == provider.info().names[0];
                match groups.iter_mut().find(same) {
                    Some(group) => {
                        group.expansions.extend(expansions);
                        group.span = group.span.to(point.span);
                        group.name = format!("{}, {}", group.name, written.join(":"));
                    }
                    None => groups.push(Group {
                        provider,
                        expansions,
                        span: point.span,
                        name: written.join(":"),
                    }),
                }
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(groups)
    } else {
        Err(errors)
    }
}

/// Puts positional parameters into an attach point.
fn substitute(point: &ast::AttachPoint, options: &Options) -> ast::AttachPoint {
    let replace = |text: &str| {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            match rest[..digits].parse::<usize>() {
                Ok(number) if number > 0 => {
                    let value = options.positional.get(number - 1);
                    out.push_str(value.map_or("0", String::as_str));
                }
                _ => {
                    out.push('$');
                    out.push_str(&rest[..digits]);
                }
            }
            rest = &rest[digits..];
        }
        out + rest
    };
    ast::AttachPoint {
        parts: point
            .parts
            .iter()
            .map(|part| Spanned::new(replace(&part.node), part.span))
            .collect(),
        span: point.span,
    }
}
