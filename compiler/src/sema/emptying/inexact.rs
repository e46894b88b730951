//! Warnings about maps that are emptied in another way than with the print before it, so that something is lost.
//!
//! `printf("%d", @x); clear(@x);` reads a number and throws it away, and with it what another probe added between the two.
//! Only `print(@x); clear(@x);` is one step. In come actions whose prints are joined already, out goes a warning for each map
//! that one action counts into and another one reads and then empties. Elements that are deleted by their key are left
//! out, but in a loop over their map: mostly nobody else has that key.

use super::is_in;
use crate::hir::{Base, Expr, ExprKind, Iterated, Stmt};
use crate::manifest::{RecordKind, Then};
use crate::sema::CheckedAction;
use cranelift_entity::EntityRef;
use pfscript_grammar::{Diagnostic, Span};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What is lost between a read and an emptying. `names` are the maps', without their `@`.
pub(in crate::sema) fn warnings(
    actions: &mut [CheckedAction],
    records: &[RecordKind],
    names: &[String],
) -> Vec<Diagnostic> {
    let counted: Vec<(Span, BTreeSet<usize>)> = actions
        .iter_mut()
        .map(|action| (action.span, counted_into(action)))
        .collect();
    let mut warnings = Vec::new();
    let mut seen = HashSet::new();
    for action in actions {
        if !action.provider.info().kind.interrupts() {
            continue;
        }
        // An action that is checked for several lists of sites is one of the script.
        let elsewhere = counted.iter().filter(|(span, _)| *span != action.span);
        let mut walk = Walk {
            records,
            counted: elsewhere.flat_map(|(_, maps)| maps).copied().collect(),
            reads: BTreeMap::new(),
            loops: Vec::new(),
            lost: Vec::new(),
        };
        walk.block(&mut action.body);
        for (map, read, emptied) in walk.lost {
            let Some(name) = names.get(map).filter(|_| seen.insert(emptied)) else {
                continue;
            };
            let message =
                format!("what is added to `@{name}` between this and its removal is lost");
            let help = format!("`print(@{name}); clear(@{name});` is one step");
            warnings.push(Diagnostic::warning(read, message).help(help));
        }
    }
    warnings
}

/// The maps that an action adds to.
fn counted_into(action: &mut CheckedAction) -> BTreeSet<usize> {
    let mut maps = BTreeSet::new();
    for stmt in &mut action.body {
        stmt.visit(&mut |stmt| {
            if let Stmt::Aggregate { map, .. } = stmt {
                maps.insert(map.index());
            }
        });
        stmt.visit_exprs(&mut |expr| {
            if let ExprKind::Add { place, .. } = &expr.kind
                && let Base::Element { map, .. } = &place.base
            {
                maps.insert(map.index());
            }
        });
    }
    maps
}

/// A map by its index, and since when it is read.
type Reads = BTreeMap<usize, Span>;

struct Walk<'a> {
    records: &'a [RecordKind],
    /// Maps that other actions add to.
    counted: BTreeSet<usize>,
    /// Those of them that were read on some way to here.
    reads: Reads,
    /// Maps whose elements are being gone through.
    loops: Vec<usize>,
    /// A map, the read, the emptying.
    lost: Vec<(usize, Span, Span)>,
}

impl Walk<'_> {
    fn block(&mut self, stmts: &mut [Stmt]) {
        for stmt in stmts {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &mut Stmt) {
        match stmt {
            Stmt::If { arms, otherwise } => {
                let mut after = Reads::new();
                for (condition, body) in arms {
                    self.expr(condition);
                    self.branch(body, &mut after);
                }
                self.branch(otherwise, &mut after);
                self.reads.append(&mut after);
            }
            Stmt::Loop {
                over, body, span, ..
            } => {
                match over {
                    Iterated::While(condition) => self.expr(condition),
                    Iterated::Range { first, end, .. } => {
                        self.expr(first);
                        self.expr(end);
                    }
                    Iterated::Elements { map, .. } => {
                        self.read(map.index(), *span);
                        self.loops.push(map.index());
                    }
                }
                self.block(body);
                if let Iterated::Elements { .. } = over {
                    self.loops.pop();
                }
            }
            Stmt::Unroll { body, .. } => self.block(body),
            plain => plain.visit_exprs(&mut |expr| self.own(expr)),
        }
    }

    /// One way of several: what it reads is not read on the others.
    fn branch(&mut self, body: &mut [Stmt], after: &mut Reads) {
        let before = self.reads.clone();
        self.block(body);
        let mut reads = std::mem::replace(&mut self.reads, before);
        after.append(&mut reads);
    }

    fn expr(&mut self, expr: &mut Expr) {
        expr.visit(&mut |expr| self.own(expr));
    }

    /// What an expression itself does, without its parts. A part is seen behind it, though it comes first: what empties has
    /// no parts that read.
    fn own(&mut self, expr: &Expr) {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Load(place) => {
                let counted: Vec<usize> = self.counted.iter().copied().collect();
                for map in counted.into_iter().filter(|map| is_in(place, *map)) {
                    self.read(map, span);
                }
            }
            ExprKind::MapDelete { map, key }
                if key.is_empty() || self.loops.contains(&map.index()) =>
            {
                self.emptied(map.index(), span);
            }
            ExprKind::Emit { kind, .. } => {
                if let Some(record) = self.records.get(*kind as usize) {
                    self.record(record, span);
                }
            }
            _ => {}
        }
    }

    fn record(&mut self, record: &RecordKind, span: Span) {
        match record {
            RecordKind::PrintMap {
                map,
                then: Then::Keep,
                ..
            } => self.read(*map, span),
            RecordKind::ClearMap { map } | RecordKind::ZeroMap { map } => self.emptied(*map, span),
            RecordKind::Several(records) => {
                records.iter().for_each(|record| self.record(record, span));
            }
            RecordKind::PrintMap { .. }
            | RecordKind::Printf { .. }
            | RecordKind::PrintValue { .. }
            | RecordKind::Resident { .. }
            | RecordKind::Time { .. }
            | RecordKind::Memory { .. }
            | RecordKind::Exit => {}
        }
    }

    fn read(&mut self, map: usize, span: Span) {
        if self.counted.contains(&map) {
            self.reads.entry(map).or_insert(span);
        }
    }

    fn emptied(&mut self, map: usize, span: Span) {
        if let Some(read) = self.reads.remove(&map) {
            self.lost.push((map, read, span));
        }
    }
}
