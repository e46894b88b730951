//! One pass over a script: in come probes with their attach points, out come checked actions, or all that is wrong.
//!
//! How often the script is gone through, and what one pass leaves for the next, is the parent's to say.

use super::attach_points::{Differences, Group, Point};
use super::scope::Scopes;
use super::{
    Checked, CheckedAction, Checker, Env, MapContent, Needs, Options, ProbeContext, declarations,
    emptying, filling, renewal,
};
use crate::facts::Facts;
use crate::manifest::SiteColumn;
use crate::providers::{self, Provider};
use cranelift_entity::PrimaryMap;
use pfscript_grammar::{Diagnostic, Severity, ast};
use std::collections::{BTreeSet, HashSet};

/// One pass over the script.
pub(super) struct Pass<'a> {
    pub(super) facts: &'a dyn Facts,
    pub(super) options: &'a Options,
    pub(super) env: Env,
    pub(super) needs: Needs,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) unchecked: Vec<Diagnostic>,
    pub(super) actions: Vec<CheckedAction>,
}

impl Needs {
    /// What is there now, to come back to. Records are only ever added.
    fn mark(&self) -> (usize, Needs) {
        let flags = Needs {
            records: Vec::new(),
            parameters: self.parameters.clone(),
            script_parameters: self.script_parameters.clone(),
            ..*self
        };
        (self.records.len(), flags)
    }

    /// Forgets what was added since a mark.
    fn back_to(&mut self, (records, flags): (usize, Needs)) {
        let mut kept = std::mem::take(&mut self.records);
        kept.truncate(records);
        *self = Needs {
            records: kept,
            ..flags
        };
    }
}

impl<'a> Pass<'a> {
    pub(super) fn new(facts: &'a dyn Facts, options: &'a Options) -> Pass<'a> {
        Pass {
            facts,
            options,
            env: Env::default(),
            needs: Needs::default(),
            diagnostics: Vec::new(),
            unchecked: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// Whether a probe is left out, since its predicate is `comptime` and does not hold: `/comptime getopt("allocs")/`. What depends on
    /// where it would be attached is not known here, and leaves nothing out.
    pub(super) fn leaves_out(&mut self, probe: &ast::Probe) -> bool {
        let (Some(predicate), Some(provider)) = (&probe.predicate, providers::by_name("BEGIN"))
        else {
            return false;
        };
        let mut holds = None;
        self.check(provider, &[], |checker| {
            holds = checker.holds_always(predicate).ok().flatten();
        });
        holds == Some(false)
    }

    /// Checks one probe for the attach points of one provider: for all of them at once, then, where the action asks for
    /// something that differs between them, for as many lists of them as it takes.
    pub(super) fn group(&mut self, probe: &ast::Probe, group: &Group) {
        let mut waiting = vec![group.points.iter().collect::<Vec<_>>()];
        while let Some(points) = waiting.pop() {
            let before = (self.needs.mark(), self.diagnostics.len());
            let differences = self.action(probe, group, &points);
            let mut parts = differences.split(&points, group.provider, self.facts);
            if parts.len() < 2 {
                continue;
            }
            self.actions.pop();
            self.needs.back_to(before.0);
            self.diagnostics.truncate(before.1);
            let programs = self.actions.len() + parts.len() + waiting.len();
            let most = self.options.limits.max_programs;
            if programs > most as usize {
                self.diagnostics.push(
                    Diagnostic::error(
                        group.span,
                        format!(
                            "this needs {} programs, because the action uses {}; the limit is {most}",
                            parts.len(),
                            differences.describe()
                        ),
                    )
                    .help("use a narrower pattern, or raise max_bpf_progs"),
                );
                return;
            }
            // The first part is to come out first.
            parts.reverse();
            waiting.append(&mut parts);
        }
    }

    /// Checks one action; returns what keeps one program from serving all the sites.
    fn action(&mut self, probe: &ast::Probe, group: &Group, points: &[&Point]) -> Differences {
        let index = self.actions.len();
        if self.env.vars.len() <= index {
            self.env.vars.resize_with(index + 1, PrimaryMap::new);
        }
        let known = std::mem::take(&mut self.env.vars[index]);
        let (mut body, mut vars) = (Vec::new(), PrimaryMap::new());
        let (differences, columns) = self.check(group.provider, points, |checker| {
            body = checker.action(probe, known);
            vars = std::mem::take(&mut checker.vars);
        });
        self.env.vars[index] = vars.clone();
        let name = match points {
            [one] => one.site.name.clone(),
            [first, others @ ..] if points.len() < group.points.len() => {
                format!("{} and {} more", first.site.name, others.len())
            }
            _ => group.name.clone(),
        };
        self.actions.push(CheckedAction {
            provider: group.provider,
            sites: points.iter().map(|point| point.site.clone()).collect(),
            columns,
            name,
            body,
            vars,
            span: group.span,
        });
        differences
    }

    /// Has something checked that is for these sites of a provider; returns what keeps one program from serving all of them, and what it
    /// looks up about its site.
    fn check(
        &mut self,
        provider: &'static dyn Provider,
        points: &[&Point],
        what: impl FnOnce(&mut Checker<'_>),
    ) -> (Differences, BTreeSet<SiteColumn>) {
        let mut checker = Checker {
            facts: self.facts,
            options: self.options.clone(),
            needs: std::mem::take(&mut self.needs),
            probe: ProbeContext {
                provider,
                points,
                differences: Differences::default(),
                columns: BTreeSet::new(),
            },
            action: self.actions.len(),
            types: std::mem::take(&mut self.env.types),
            env: std::mem::take(&mut self.env),
            scopes: Scopes::default(),
            loops: Vec::new(),
            loop_count: 0,
            repeated: 0,
            vars: PrimaryMap::new(),
            known_vars: PrimaryMap::new(),
            diagnostics: std::mem::take(&mut self.diagnostics),
            unchecked: std::mem::take(&mut self.unchecked),
        };
        what(&mut checker);
        self.needs = checker.needs;
        self.env = checker.env;
        self.env.types = checker.types;
        self.diagnostics = checker.diagnostics;
        self.unchecked = checker.unchecked;
        (checker.probe.differences, checker.probe.columns)
    }

    pub(super) fn finish(
        mut self,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<Checked, Vec<Diagnostic>> {
        for map in self.env.maps.values() {
            if map.value == MapContent::Unknown {
                self.diagnostics.push(
                    Diagnostic::error(
                        map.span,
                        format!("map `{}` is used but never assigned", map.name),
                    )
                    .suggest(
                        &map.name,
                        self.env
                            .maps
                            .values()
                            .filter(|other| other.value != MapContent::Unknown)
                            .map(|other| other.name.as_str()),
                    ),
                );
            }
        }
        let mismatches = self.env.maps.values().filter_map(declarations::mismatch);
        self.diagnostics.extend(mismatches);
        let used = |name: &str| self.env.maps.contains_key(name);
        let unused = declarations::unused(&self.env.declared, used);
        self.diagnostics.extend(unused);
        let most = self.options.limits.max_programs;
        if let Some(action) = self.actions.get(most as usize) {
            let message = format!(
                "the script needs {} programs; the limit is {most}",
                self.actions.len()
            );
            self.diagnostics
                .push(Diagnostic::error(action.span, message).help("raise max_bpf_progs"));
        }
        let (errors, mut other): (Vec<_>, Vec<_>) = self
            .diagnostics
            .into_iter()
            .partition(|diagnostic| diagnostic.severity == Severity::Error);
        if !errors.is_empty() {
            // An action that is checked for several lists of sites says the same of each.
            let mut seen = HashSet::new();
            let mut first = errors;
            first.retain(|error| seen.insert(error.span));
            return Err(first);
        }
        other.dedup();
        // An action that is checked for several lists of sites says the same of each.
        let mut seen = HashSet::new();
        self.unchecked.retain(|warning| seen.insert(warning.span));
        warnings.append(&mut other);
        let names: Vec<String> = self.env.maps.keys().cloned().collect();
        let records = &mut self.needs.records;
        emptying::join(&mut self.actions, records);
        warnings.extend(emptying::warnings(&mut self.actions, records, &names));
        emptying::merge(&mut self.actions, records);
        let emptied = emptying::emptied_while_used(&mut self.actions, &self.needs.records);
        let new_at_once = filling::at_once(&mut self.actions);
        for (index, map) in self.env.maps.values_mut().enumerate() {
            map.emptied_while_used = emptied.contains(&index);
            map.new_at_once = new_at_once.get(&index).copied().unwrap_or(0);
        }
        self.needs.renews_stacks = self.needs.stacks > 0
            && renewal::is_needed(
                &mut self.actions,
                self.env.maps.values(),
                &self.needs.records,
                &self.env.types,
            );
        Ok(Checked {
            actions: self.actions,
            maps: self.env.maps.into_values().collect(),
            types: self.env.types,
            needs: self.needs,
            warnings: std::mem::take(warnings),
            unchecked: self.unchecked,
            limits: self.options.limits.clone(),
            failures_by_place: self.options.failures_by_place,
        })
    }
}
