//! Checking: from the syntax tree to [`crate::hir`].
//!
//! Types flow both ways between probes (a map's key may get its type in the last one), so the whole script is checked
//! again and again until no type of a map or variable changes; what the last pass says is what counts.

mod attach_points;
pub(crate) mod c_types;
mod casts;
pub mod debug_types;
mod declarations;
mod elements;
mod emptying;
mod expr;
mod extents;
mod filling;
mod flow;
pub(crate) mod integer_types;
mod integers;
mod loops;
mod maps;
mod measures;
mod named;
mod operators;
mod options;
mod pass;
mod places;
mod pointers;
mod renewal;
mod scope;
mod stmt;
mod type_info;
mod type_names;
mod variables;

pub use declarations::Declared;

use crate::facts::{self, Facts};
use crate::hir::{Expr, ExprKind, Loop, ScriptMap, Stmt, Var, VarData};
use crate::manifest::{Attach, Mode, RecordKind, Site, SiteColumn};
use crate::providers::Provider;
use crate::types::{Type, TypeTable};
use attach_points::{Differences, Group, Point, expand};
use cranelift_entity::PrimaryMap;
use declarations::Declarations;
pub(crate) use expr::{not_known, parse_integer};
use flow::Flows;
use indexmap::IndexMap;
pub use maps::{KeyUse, MapContent, MapInfo};
pub use named::{Parameter, ParameterDefault, ProbeFilter};
use options::configure;
pub use options::{Limits, MissingProbes, Options, PREFIXES, SETTINGS, Setting, SettingValue};
use pass::Pass;
use pfscript_grammar::ast::{self, Item, Script};
use pfscript_grammar::{Diagnostic, Severity, Span};
use pfscript_probes::Feature;
use scope::Scopes;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The most passes over a script. Few need more than four.
const MAX_PASSES: usize = 64;

/// What checking a script gives.
pub struct Checked {
    /// One for each program to make.
    pub actions: Vec<CheckedAction>,
    /// The script's maps with their final types.
    pub maps: PrimaryMap<ScriptMap, MapInfo>,
    /// What all types are made of.
    pub types: TypeTable,
    /// What else the object needs.
    pub needs: Needs,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
    /// What a check goes on without, as warnings ([`Facts::thorough`]). If there is any, types may be unknown, and no object
    /// can be made.
    pub unchecked: Vec<Diagnostic>,
    /// Sizes, after the script's own `config`.
    pub limits: Limits,
    /// [`Options::failures_by_place`].
    pub failures_by_place: bool,
}

/// One action for one or more sites of the same provider: one program.
pub struct CheckedAction {
    /// The provider.
    pub provider: &'static dyn Provider,
    /// The sites.
    pub sites: Vec<Site>,
    /// What the program looks up about the site that it runs for.
    pub columns: BTreeSet<SiteColumn>,
    /// The name that stands for all attach points, as written.
    pub name: String,
    /// The body, the predicate included.
    pub body: Vec<Stmt>,
    /// Its variables.
    pub vars: PrimaryMap<Var, VarData>,
    /// The attach points in the script.
    pub span: Span,
}

/// What the actions need beside their own code.
#[derive(Clone, Default)]
pub struct Needs {
    /// The kinds of records that are sent.
    pub records: Vec<RecordKind>,
    /// Frames that an element of the table of stacks has room for; 0 for no such table.
    pub stacks: u32,
    /// Some that are to be whole are walked by the kernel.
    pub kernel_walks: bool,
    /// Some are walked by tables.
    pub unwind_tables: bool,
    /// Stacks that nothing holds any more are given up.
    pub renews_stacks: bool,
    /// User stacks or symbols are captured.
    pub user_symbols: bool,
    /// Kernel stacks or symbols are captured.
    pub kernel_symbols: bool,
    /// The elements of a map are visited (`len()`).
    pub visits_elements: bool,
    /// `pf_map_globals` is used.
    pub globals: bool,
    /// Constants that routines take from the kernel's types, by name.
    pub parameters: BTreeMap<&'static str, u64>,
    /// What the script asks for by name (`getopt()`).
    pub script_parameters: BTreeMap<String, Parameter>,
    /// Where the script first asks for the process id of a command.
    pub needs_command: Option<Span>,
    /// It asks whether there is a command, and so can do without.
    pub asks_for_command: bool,
    /// It says what becomes of processes' resident pages.
    pub accounts_for_pages: bool,
    /// It says which processes begin.
    pub follows_children: bool,
    /// It puts all processes together where it prints what they have grown by.
    pub puts_together: bool,
}

/// What is known of the maps and variables so far.
#[derive(Default)]
struct Env {
    types: TypeTable,
    maps: IndexMap<String, MapInfo>,
    vars: Vec<PrimaryMap<Var, VarData>>,
    /// What the script says of maps.
    declared: Declarations,
    /// The type of a map or variable is not what it was in the pass before.
    changed: bool,
    /// Where that was seen last.
    last_change: Option<Span>,
    /// The types of some values cannot be known ([`Checker::unchecked`]): what is unknown after the last pass is no error.
    partial: bool,
    /// What was read where, while its type was not known.
    flows: Flows,
    /// What they take.
    extents: extents::Extents,
}

/// The probe that is being checked.
pub struct ProbeContext<'a> {
    /// Its provider.
    pub provider: &'static dyn Provider,
    /// Its sites; at least one.
    points: &'a [&'a Point],
    /// What differs between them and is asked for all the same.
    differences: Differences,
    /// What the program looks up about its site.
    columns: BTreeSet<SiteColumn>,
}

impl ProbeContext<'_> {
    /// Whether it is a test: then what it returns is of interest.
    fn is_test(&self) -> bool {
        let mode = self.points.first().map(|point| &point.site.attach);
        matches!(
            mode,
            Some(Attach::Asked {
                mode: Mode::Test,
                ..
            })
        )
    }

    /// Whether a site has an argument of that name.
    pub fn has_argument(&self, name: &str, facts: &dyn Facts) -> bool {
        self.points.iter().any(|point| {
            let arguments = point.arguments(self.provider, facts).as_deref();
            let mut arguments = arguments.unwrap_or_default().iter();
            arguments.any(|argument| argument.name == name)
        })
    }
}

/// Checks one action.
pub struct Checker<'a> {
    /// The machine.
    pub facts: &'a dyn Facts,
    /// The user's choices.
    pub options: Options,
    /// What the actions need.
    pub needs: Needs,
    /// The probe at hand.
    pub probe: ProbeContext<'a>,
    /// Which action of the pass this is.
    action: usize,
    /// What all types are made of.
    pub types: TypeTable,
    env: Env,
    scopes: Scopes,
    /// The loops around what is being checked, the innermost last.
    loops: Vec<Loop>,
    /// How many loops the action has so far.
    loop_count: u32,
    /// How many loops and blocks that are repeated are around what is being checked.
    repeated: u32,
    vars: PrimaryMap<Var, VarData>,
    /// The action's variables as the pass before left them.
    known_vars: PrimaryMap<Var, VarData>,
    diagnostics: Vec<Diagnostic>,
    /// What is not known, as warnings.
    unchecked: Vec<Diagnostic>,
}

/// Checks a script.
///
/// # Errors
/// What is wrong with it, at least one error.
pub fn check(
    script: &Script,
    facts: &dyn Facts,
    options: &Options,
) -> Result<Checked, Vec<Diagnostic>> {
    let mut options = options.clone();
    let mut warnings = Vec::new();
    let mut errors = Vec::new();
    let mut declared = Declarations::new();
    for item in &script.items {
        match item {
            Item::Config(entries) => {
                configure(entries, &mut options, &mut warnings, &mut errors);
            }
            Item::Unsupported(node) => {
                errors.push(Diagnostic::unsupported(node.span, node.what));
            }
            Item::MapDeclaration(declaration) => {
                errors.extend(declarations::add(&mut declared, declaration).err());
            }
            Item::Include(_) | Item::Import(_) => {}
            Item::Probe(_) | Item::Macro(_) | Item::Declaration(_) => {}
        }
    }
    let probes: Vec<&ast::Probe> = script.probes().collect();
    if probes.is_empty() && errors.is_empty() {
        errors.push(
            Diagnostic::error(Span::default(), "the script has no probes")
                .help("a probe looks like `software:page-faults:1 { @[comm] = count(); }`"),
        );
    }
    let mut expanded = Vec::new();
    let mut unchecked = Vec::new();
    let mut choice = Pass::new(facts, &options);
    for probe in &probes {
        if choice.leaves_out(probe) {
            expanded.push((*probe, Vec::new()));
            continue;
        }
        match expand(probe, facts, &options, &mut warnings, &mut unchecked) {
            Ok(groups) => expanded.push((*probe, groups)),
            Err(more) => errors.extend(more),
        }
    }
    // What it asks for by name where it says which probes it has.
    let script_parameters = choice.needs.script_parameters;
    if errors.is_empty() {
        errors.extend(bounded_points(&expanded, &options).err());
    }
    if !errors.is_empty() {
        // What is wrong with the actions that have their attach points is said too.
        if !expanded.is_empty() {
            errors.extend(one_pass(&expanded, facts, &options));
        }
        return Err(errors);
    }

    let mut env = Env {
        declared,
        ..Env::default()
    };
    for _ in 0..MAX_PASSES {
        env.changed = false;
        let mut pass = Pass::new(facts, &options);
        pass.env = env;
        pass.needs.script_parameters = script_parameters.clone();
        pass.unchecked = unchecked.clone();
        for (probe, groups) in &expanded {
            for group in groups {
                pass.group(probe, group);
            }
        }
        // Nothing will be in a map that the probes which are not there would have assigned.
        let left_out = expanded.iter().any(|(_, groups)| groups.is_empty());
        let settled = !pass.env.changed;
        if settled && !(left_out && pass.env.nothing_assigns()) {
            return pass.finish(&mut warnings);
        }
        env = pass.env;
        env.flow();
    }
    // The tables of types are finite and small, but a script may be made so that every pass widens one.
    let span = env.last_change.unwrap_or_default();
    Err(vec![
        Diagnostic::error(
            span,
            format!("the types of the maps do not settle in {MAX_PASSES} passes over the script"),
        )
        .help("assign each map before the place that reads it"),
    ])
}

/// The errors of actions, in a script of which other things are wrong: what other probes would say of maps is not known.
fn one_pass(
    expanded: &[(&ast::Probe, Vec<Group>)],
    facts: &dyn Facts,
    options: &Options,
) -> Vec<Diagnostic> {
    let mut pass = Pass::new(facts, options);
    pass.env.partial = true;
    for (probe, groups) in expanded {
        for group in groups {
            pass.group(probe, group);
        }
    }
    let mut seen = HashSet::new();
    let mut errors = pass.diagnostics;
    errors.retain(|error| error.severity == Severity::Error && seen.insert(error.span));
    errors
}

/// Bounds the attach points: at least one, and no more than a setting allows.
fn bounded_points(
    expanded: &[(&ast::Probe, Vec<Group>)],
    options: &Options,
) -> Result<(), Diagnostic> {
    let Some((probe, _)) = expanded.first() else {
        return Ok(());
    };
    let groups = expanded.iter().flat_map(|(_, groups)| groups);
    let count: usize = groups.map(|group| group.points.len()).sum();
    let error = |message: String| Err(Diagnostic::error(probe.attach_points[0].span, message));
    if count == 0 {
        let what = match options.probe_filter {
            None => "no attach point of the script matches anything",
            Some(_) => "the filter takes no attach point of the script",
        };
        return error(what.to_owned());
    }
    if let Some(most) = options.limits.max_probes
        && count > most as usize
    {
        return error(format!(
            "the script has {count} attach points; max_probes is {most}"
        ));
    }
    Ok(())
}

impl Checker<'_> {
    /// A value that is not known because facts are hidden from us, in a check that goes on without: of unknown type.
    pub(crate) fn unchecked(&mut self, what: &str, reason: &str, span: Span) -> Expr {
        self.unchecked.push(facts::unchecked(span, what, reason));
        self.env.changed |= !self.env.partial;
        self.env.partial = true;
        Expr {
            kind: ExprKind::Context,
            ty: Type::Unknown,
            span,
        }
    }

    /// Asks for a feature of the kernel.
    ///
    /// # Errors
    /// If this kernel does not have it.
    pub fn need(&mut self, feature: Feature, span: Span) -> Result<(), Diagnostic> {
        if self.facts.thorough()
            && let Some(reason) = self.facts.unsure(feature)
        {
            let what = format!("whether this kernel has {}", feature.info().name);
            self.unchecked(&what, &reason, span);
        }
        if !self.facts.has(feature) {
            let info = feature.info();
            let mut help = format!("Linux {} and newer have it", info.since);
            if let Some(config) = info.config {
                help += &format!(", if built with {config}");
            }
            return Err(
                Diagnostic::error(span, format!("this kernel has no {}", info.name)).help(help),
            );
        }
        Ok(())
    }

    /// All sites that the program is for.
    pub fn sites(&self) -> impl Iterator<Item = &Site> {
        self.probe.points.iter().map(|point| &point.site)
    }

    /// The one site that the program is for. Where the probe has several, there is a program for each.
    pub fn only_site(&mut self) -> Option<&Site> {
        self.probe.differences.texts |= self.probe.points.len() > 1;
        self.probe.points.first().map(|point| &point.site)
    }

    /// What the probe's sites are called, or the functions that they are in: a constant where all are the same, else what
    /// the program looks up by the site that it runs for. `None` where a site has no such thing.
    pub fn site_text(&mut self, column: SiteColumn, span: Span) -> Option<Expr> {
        let points = self.probe.points.iter();
        let texts: Option<Vec<&str>> = points.map(|point| point.site.text(column)).collect();
        let texts = texts?;
        let first = *texts.first()?;
        if texts.iter().all(|text| *text == first) {
            return Some(Expr::string(first.as_bytes(), span));
        }
        let cookie = self.probe.provider.info().kind.info().cookie;
        if !cookie.is_some_and(|feature| self.facts.has(feature)) {
            self.probe.differences.texts = true;
            return Some(Expr::string(first.as_bytes(), span));
        }
        self.probe.columns.insert(column);
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        Some(Expr {
            kind: ExprKind::SiteText(column),
            ty: Type::Str {
                bytes: crate::types::round_up(longest as u32 + 1),
            },
            span,
        })
    }

    /// A record of a kind, with its fields.
    pub fn emit(&mut self, kind: RecordKind, fields: Vec<Expr>, span: Span) -> Expr {
        let index = self.needs.records.len() as u32;
        self.needs.records.push(kind);
        Expr {
            kind: ExprKind::Emit {
                kind: index,
                fields,
                leaves: false,
            },
            ty: Type::Void,
            span,
        }
    }

    /// Ends the session, and with it the action, with an exit status; in a test, the test alone.
    pub fn exit(&mut self, status: Expr, span: Span) -> Expr {
        let mut emit = self.emit(RecordKind::Exit, vec![status], span);
        if let ExprKind::Emit { leaves, .. } = &mut emit.kind {
            *leaves = true;
        }
        emit
    }

    /// The text of `$number`, if it was given.
    pub fn positional(&self, number: u32) -> Option<String> {
        let index = number.checked_sub(1)? as usize;
        self.options.positional.get(index).cloned()
    }
}
