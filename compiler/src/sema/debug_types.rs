//! What traced programs were compiled with, as BTF behind the kernel's: the arguments of their functions by name, and types that
//! the kernel does not have. Only what a script names is asked for.
//!
//! In come the script's probes in user space, out go facts whose types have that. What a file's description does not know is missed
//! where the script uses it.

use super::Options;
use super::attach_points::substitute;
use super::integer_types::INTEGER_TYPES;
use crate::btf::{Btf, BtfWriter, Kind};
use crate::facts::{Facts, WantedTypes, WithTypes};
use crate::language::macros::visit::{self, Part};
use crate::manifest::Attach;
use crate::providers;
use pfscript_grammar::ast::{self, Expr, ExprKind, Measured, Script, Stmt, StmtKind, TypeName};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The most functions of a script whose arguments are looked up.
const MAX_FUNCTIONS: usize = 10_000;

/// What is asked of one file.
#[derive(Default)]
struct Asked {
    functions: BTreeMap<String, u64>,
    names: BTreeSet<String>,
}

/// What the body of a probe uses that may be a program's.
#[derive(Default)]
struct Uses {
    arguments: bool,
    names: BTreeSet<String>,
}

/// The facts with what the script asks of the programs that it traces; `None` if it asks nothing that is known.
pub fn described<'a>(
    script: &Script,
    options: &Options,
    facts: &'a dyn Facts,
) -> Option<WithTypes<'a>> {
    // The kernel's types take a while to read, and most scripts need none here.
    script
        .probes()
        .find(|probe| in_programs(probe).next().is_some())?;
    let none = Btf::new(BtfWriter::new().finish()).ok();
    let kernel = facts.btf().or(none.as_ref())?;
    let mut asked: BTreeMap<PathBuf, Asked> = BTreeMap::new();
    for probe in script.probes() {
        ask(probe, options, facts, kernel, &mut asked);
    }
    if asked.is_empty() {
        return None;
    }
    let mut writer = BtfWriter::behind(kernel);
    let first = writer.next();
    for (path, asked) in asked {
        let functions: Vec<(String, u64)> =
            asked.functions.into_iter().take(MAX_FUNCTIONS).collect();
        let names: Vec<String> = asked.names.into_iter().collect();
        let wanted = WantedTypes {
            functions: &functions,
            names: &names,
        };
        // What is not there is said where the script uses it.
        let _ = facts.debug_types(&path, &wanted, &mut writer);
    }
    if writer.next() == first {
        return None;
    }
    let (types, strings) = writer.sections();
    let btf = kernel.extended(types, strings).ok()?;
    Some(WithTypes::new(facts, btf))
}

/// Where a probe is attached in programs.
fn in_programs(probe: &ast::Probe) -> impl Iterator<Item = &ast::AttachPoint> {
    probe.attach_points.iter().filter(|point| {
        let provider = point.parts.first().map(providers::find);
        provider.is_some_and(|found| found.is_ok_and(|found| found.info().kind.traces_programs()))
    })
}

/// Notes what a probe asks of the files that it is attached to.
fn ask(
    probe: &ast::Probe,
    options: &Options,
    facts: &dyn Facts,
    kernel: &Btf,
    asked: &mut BTreeMap<PathBuf, Asked>,
) {
    let mut points = in_programs(probe).peekable();
    if points.peek().is_none() {
        return;
    }
    let mut uses = Uses::default();
    let mut predicate = probe.predicate.clone();
    let mut body = probe.body.clone();
    predicate.iter_mut().for_each(|expr| uses.expr(expr));
    uses.block(&mut body);
    uses.names.retain(|name| !is_known(kernel, name));
    if !uses.arguments && uses.names.is_empty() {
        return;
    }
    for point in points {
        let Ok(point) = substitute(point, options) else {
            continue;
        };
        let sites = providers::find(&point.parts[0]).and_then(|found| found.expand(&point, facts));
        for site in sites.unwrap_or_default() {
            let Attach::Uprobe { path, offset, .. } = &site.attach else {
                continue;
            };
            let file = asked.entry(path.clone()).or_default();
            file.names.extend(uses.names.iter().cloned());
            let Some(function) = site.function.as_deref().filter(|_| uses.arguments) else {
                continue;
            };
            let binary = facts.binary(path);
            if let Some(address) = binary.ok().and_then(|binary| binary.address(*offset)) {
                file.functions.insert(name_of(path, function), address);
            }
        }
    }
}

/// What a function of a file is called among the types.
pub(crate) fn name_of(path: &std::path::Path, function: &str) -> String {
    format!("{}:{function}", path.display())
}

/// Whether a name means a type without any program.
fn is_known(kernel: &Btf, name: &str) -> bool {
    let kinds = [
        Kind::Struct,
        Kind::Union,
        Kind::Enum,
        Kind::Typedef,
        Kind::Int,
    ];
    let own = ["string", "buffer", "bool", "_Bool", "void", ""];
    own.contains(&name)
        || INTEGER_TYPES.iter().any(|row| row.0 == name)
        || kinds.iter().any(|kind| kernel.find(*kind, name).is_some())
}

impl Uses {
    fn block(&mut self, block: &mut ast::Block) {
        for stmt in &mut block.statements {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &mut Stmt) {
        if let StmtKind::Let { ty: Some(ty), .. } = &stmt.kind {
            self.ty(ty);
        }
        visit::parts(stmt, &mut |part| self.part(part));
    }

    fn part(&mut self, part: Part<'_>) {
        match part {
            Part::Expr(expr) => self.expr(expr),
            Part::Block(block) => self.block(block),
        }
    }

    fn expr(&mut self, expr: &mut Expr) {
        match &expr.kind {
            ExprKind::Ident(name) => self.arguments |= name == "args",
            ExprKind::Cast { ty, .. } | ExprKind::TypeOf(ty) => self.ty(ty),
            ExprKind::SizeOf(Measured::Type(ty))
            | ExprKind::TypeInfo(Measured::Type(ty))
            | ExprKind::OffsetOf {
                of: Measured::Type(ty),
                ..
            } => self.ty(ty),
            _ => {}
        }
        visit::children(expr, &mut |part| self.part(part));
    }

    fn ty(&mut self, ty: &TypeName) {
        match ty.of.as_deref() {
            Some(Measured::Type(of)) => self.ty(of),
            // `visit` comes by what is measured.
            Some(Measured::Value(_)) => {}
            None => {
                self.names.insert(ty.name.clone());
            }
        }
    }
}
