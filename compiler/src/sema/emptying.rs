//! Printing and emptying a map in one step.
//!
//! A script says `print(@); clear(@);`, and means that nothing is counted between the two. User space does both, one after the
//! other, while programs go on counting. So the two become one record here: the map is exchanged for an empty one, then printed
//! at leisure. In come checked actions, out go the same with fewer records.
//!
//! A print waits for an emptying of its map. What stands between may be anything but an access to the map or a way out. Where
//! one of the two stands under a condition, it is taken to where the other one is: a print into both branches behind it, an
//! emptying to the ends of both branches before it. Since user space prints later anyway, nobody can tell.

mod inexact;

pub(super) use inexact::warnings;

use super::CheckedAction;
use crate::hir::{Argument, Base, Expr, ExprKind, Iterated, Place, Stmt};
use crate::manifest::{RecordKind, Then};
use cranelift_entity::EntityRef;
use std::collections::BTreeSet;

/// Joins each print that is followed by an emptying with that.
pub(super) fn join(actions: &mut [CheckedAction], records: &mut Vec<RecordKind>) {
    for action in actions {
        Join { records }.block(&mut action.body);
    }
}

/// Makes one record of those that follow each other, and drops the kinds of records that nothing sends any more.
pub(super) fn merge(actions: &mut [CheckedAction], records: &mut Vec<RecordKind>) {
    for action in &mut *actions {
        Join { records }.rows(&mut action.body);
    }
    renumber(actions, records);
}

/// The maps that user space empties while other programs may use them. What runs alone (`BEGIN`, `END`) does not count.
pub(super) fn emptied_while_used(
    actions: &mut [CheckedAction],
    records: &[RecordKind],
) -> BTreeSet<usize> {
    let mut maps = BTreeSet::new();
    let concurrent = actions
        .iter_mut()
        .filter(|action| action.provider.info().kind.interrupts());
    for stmt in concurrent.flat_map(|action| &mut action.body) {
        stmt.visit_exprs(&mut |expr| {
            if let ExprKind::Emit { kind, .. } = expr.kind
                && let Some(record) = records.get(kind as usize)
            {
                emptied(record, &mut maps);
            }
        });
    }
    maps
}

fn emptied(record: &RecordKind, maps: &mut BTreeSet<usize>) {
    match record {
        RecordKind::ClearMap { map }
        | RecordKind::ZeroMap { map }
        | RecordKind::PrintMap {
            map,
            then: Then::Clear | Then::Zero,
            ..
        } => {
            maps.insert(*map);
        }
        RecordKind::Several(kinds) => kinds.iter().for_each(|kind| emptied(kind, maps)),
        RecordKind::PrintMap {
            then: Then::Keep, ..
        }
        | RecordKind::Printf { .. }
        | RecordKind::PrintValue { .. }
        | RecordKind::Resident { .. }
        | RecordKind::Time { .. }
        | RecordKind::Memory { .. }
        | RecordKind::Exit => {}
    }
}

/// What a statement asks of user space for a whole map.
#[derive(Clone, Copy)]
enum Request {
    Print(usize),
    Empty(usize, Then),
}

struct Join<'a> {
    records: &'a mut Vec<RecordKind>,
}

impl Join<'_> {
    /// Joins the requests of a block. What stands before a statement is looked at only if it holds what is looked for, so
    /// that long blocks take no more time than they are long.
    fn block(&mut self, stmts: &mut Vec<Stmt>) {
        let mut at = 0;
        // Of what stands before `at`: the maps that are printed, and how far it reaches to the last statement that sends
        // a record or leaves.
        let mut printed = BTreeSet::new();
        let mut quiet_from = 0;
        while at < stmts.len() {
            if let Some(Request::Empty(map, then)) = self.request(&stmts[at])
                && printed.contains(&map)
            {
                if let Some(print) = self.print_before(stmts, at, map) {
                    self.set_then(&stmts[print], then);
                    stmts.remove(at);
                    continue;
                }
                if let Some(branches) = self.branches_before(stmts, at, map) {
                    let empty = stmts.remove(at);
                    for body in stmts[branches].branches_mut() {
                        body.push(self.copy(&empty));
                    }
                    self.branches(&mut stmts[branches]);
                    continue;
                }
            }
            if matches!(stmts[at], Stmt::If { .. }) {
                while self.is_taken_along(stmts, quiet_from, at) {
                    let print = stmts.remove(quiet_from - 1);
                    at -= 1;
                    for body in stmts[at].branches_mut() {
                        body.insert(0, self.copy(&print));
                    }
                    let before = &mut stmts[..quiet_from - 1];
                    quiet_from = before
                        .iter_mut()
                        .rposition(|stmt| sends(stmt) || leaves(stmt))
                        .map_or(0, |last| last + 1);
                }
                self.branches(&mut stmts[at]);
            }
            self.add_printed(&mut stmts[at], &mut printed);
            if sends(&mut stmts[at]) || leaves(&mut stmts[at]) {
                quiet_from = at + 1;
            }
            at += 1;
        }
    }

    fn add_printed(&self, stmt: &mut Stmt, printed: &mut BTreeSet<usize>) {
        stmt.visit_exprs(&mut |expr| {
            if let ExprKind::Emit { kind, .. } = expr.kind
                && let Some(RecordKind::PrintMap { map, .. }) = self.records.get(kind as usize)
            {
                printed.insert(*map);
            }
        });
    }

    /// Makes one record of requests that follow each other, since each exchange of maps takes a wait.
    fn rows(&mut self, stmts: &mut Vec<Stmt>) {
        let mut at = 0;
        while at < stmts.len() {
            for body in stmts[at].branches_mut() {
                self.rows(body);
            }
            if at > 0
                && let Some(second) = self.whole_map(&stmts[at])
                && let Some(first) = self.whole_map(&stmts[at - 1])
            {
                stmts.remove(at);
                let added = self.records[second].clone();
                let record = &mut self.records[first];
                match record {
                    RecordKind::Several(kinds) => kinds.push(added),
                    _ => *record = RecordKind::Several(vec![record.clone(), added]),
                }
                continue;
            }
            at += 1;
        }
    }

    /// The kind of the record, if a statement asks for something that is done with a whole map.
    fn whole_map(&self, stmt: &Stmt) -> Option<usize> {
        let Stmt::Expr(Expr {
            kind: ExprKind::Emit { kind, .. },
            ..
        }) = stmt
        else {
            return None;
        };
        let index = *kind as usize;
        match self.records.get(index)? {
            RecordKind::PrintMap { .. }
            | RecordKind::ClearMap { .. }
            | RecordKind::ZeroMap { .. }
            | RecordKind::Several(_) => Some(index),
            RecordKind::Printf { .. }
            | RecordKind::PrintValue { .. }
            | RecordKind::Resident { .. }
            | RecordKind::Time { .. }
            | RecordKind::Memory { .. }
            | RecordKind::Exit => None,
        }
    }

    fn branches(&mut self, stmt: &mut Stmt) {
        for body in stmt.branches_mut() {
            self.block(body);
        }
    }

    /// The print of a map that every way to `at` comes from, with nothing between that counts.
    fn print_before(&mut self, stmts: &mut [Stmt], at: usize, map: usize) -> Option<usize> {
        for index in (0..at).rev() {
            match self.request(&stmts[index]) {
                Some(Request::Print(printed)) if printed == map => return Some(index),
                _ if self.uses(&mut stmts[index], map) || leaves(&mut stmts[index]) => {
                    return None;
                }
                _ => {}
            }
        }
        None
    }

    /// The condition before `at` under which a map is printed, with nothing behind the print that counts.
    fn branches_before(&mut self, stmts: &mut [Stmt], at: usize, map: usize) -> Option<usize> {
        for index in (0..at).rev() {
            if self.ends_with_print(&mut stmts[index], map) {
                return Some(index);
            }
            if self.uses(&mut stmts[index], map) || leaves(&mut stmts[index]) {
                return None;
            }
        }
        None
    }

    fn ends_with_print(&mut self, stmt: &mut Stmt, map: usize) -> bool {
        stmt.branches_mut().any(|branch| {
            let end = branch.len();
            self.print_before(branch, end, map).is_some()
                || self.branches_before(branch, end, map).is_some()
        })
    }

    /// Whether what sends the last record before the condition at `at` is a print that one of its branches would take, and
    /// can be moved there. One that stands further away can't be: another record's turn to be shown comes first.
    fn is_taken_along(&mut self, stmts: &mut [Stmt], quiet_from: usize, at: usize) -> bool {
        let Some(last) = quiet_from.checked_sub(1) else {
            return false;
        };
        let Some(Request::Print(map)) = self.request(&stmts[last]) else {
            return false;
        };
        self.begins_with_emptying(&mut stmts[at], map)
            && stmts[quiet_from..at]
                .iter_mut()
                .all(|between| !self.uses(between, map))
    }

    /// Whether a branch empties a map before anything in it that counts.
    fn begins_with_emptying(&mut self, stmt: &mut Stmt, map: usize) -> bool {
        let Stmt::If { arms, .. } = stmt else {
            return false;
        };
        if arms
            .iter_mut()
            .any(|(condition, _)| self.expr_uses(condition, map))
        {
            return false;
        }
        for branch in stmt.branches_mut() {
            for stmt in branch {
                match self.request(stmt) {
                    Some(Request::Empty(emptied, _)) if emptied == map => return true,
                    _ if self.begins_with_emptying(stmt, map) => return true,
                    _ if self.uses(stmt, map) || leaves(stmt) => break,
                    _ => {}
                }
            }
        }
        false
    }

    fn request(&self, stmt: &Stmt) -> Option<Request> {
        let Stmt::Expr(expr) = stmt else {
            return None;
        };
        match &expr.kind {
            ExprKind::Emit { kind, .. } => match self.records.get(*kind as usize)? {
                RecordKind::PrintMap {
                    map,
                    then: Then::Keep,
                    ..
                } => Some(Request::Print(*map)),
                RecordKind::ClearMap { map } => Some(Request::Empty(*map, Then::Clear)),
                RecordKind::ZeroMap { map } => Some(Request::Empty(*map, Then::Zero)),
                _ => None,
            },
            // All that there is of a map without key.
            ExprKind::MapDelete { map, key } if key.is_empty() => {
                Some(Request::Empty(map.index(), Then::Clear))
            }
            _ => None,
        }
    }

    fn set_then(&mut self, print: &Stmt, how: Then) {
        if let Stmt::Expr(Expr {
            kind: ExprKind::Emit { kind, .. },
            ..
        }) = print
            && let Some(RecordKind::PrintMap { then, .. }) = self.records.get_mut(*kind as usize)
        {
            *then = how;
        }
    }

    /// A second request of the same, whose record is a kind of its own.
    fn copy(&mut self, request: &Stmt) -> Stmt {
        let mut copy = request.clone();
        if let Stmt::Expr(Expr {
            kind: ExprKind::Emit { kind, .. },
            ..
        }) = &mut copy
            && let Some(record) = self.records.get(*kind as usize).cloned()
        {
            *kind = self.records.len() as u32;
            self.records.push(record);
        }
        copy
    }

    /// Whether a statement reads, changes or prints a map.
    fn uses(&self, stmt: &mut Stmt, map: usize) -> bool {
        let mut found = false;
        stmt.visit(&mut |stmt| {
            found |= match stmt {
                Stmt::Aggregate { map: used, .. } => used.index() == map,
                Stmt::Assign { place, .. } => is_in(place, map),
                Stmt::Loop {
                    over: Iterated::Elements { map: used, .. },
                    ..
                } => used.index() == map,
                Stmt::Expr(_)
                | Stmt::If { .. }
                | Stmt::Loop { .. }
                | Stmt::Unroll { .. }
                | Stmt::Clear(_)
                | Stmt::Break(_)
                | Stmt::Continue(_)
                | Stmt::Return(_) => false,
            };
        });
        stmt.visit_exprs(&mut |expr| found |= self.touches(expr, map));
        found
    }

    fn expr_uses(&self, expr: &mut Expr, map: usize) -> bool {
        let mut found = false;
        expr.visit(&mut |expr| found |= self.touches(expr, map));
        found
    }

    /// Whether an expression itself, not its parts, is about a map.
    fn touches(&self, expr: &Expr, map: usize) -> bool {
        match &expr.kind {
            ExprKind::Load(place) | ExprKind::Address(place) | ExprKind::Add { place, .. } => {
                is_in(place, map)
            }
            ExprKind::MapDelete { map: used, .. }
            | ExprKind::MapHasKey { map: used, .. }
            | ExprKind::MapLength(used) => used.index() == map,
            ExprKind::Routine { args, .. } | ExprKind::Helper { args, .. } => args
                .iter()
                .any(|arg| matches!(arg, Argument::Map(used) if used.index() == map)),
            ExprKind::Emit { kind, .. } => match self.records.get(*kind as usize) {
                Some(
                    RecordKind::PrintMap { map: used, .. }
                    | RecordKind::ClearMap { map: used }
                    | RecordKind::ZeroMap { map: used },
                ) => *used == map,
                _ => false,
            },
            // What its statements do is not looked into.
            ExprKind::Block(..) => true,
            _ => false,
        }
    }
}

fn is_in(place: &Place, map: usize) -> bool {
    matches!(&place.base, Base::Element { map: used, .. } if used.index() == map)
}

/// Whether a statement may end the action.
fn leaves(stmt: &mut Stmt) -> bool {
    let mut found = false;
    stmt.visit(&mut |stmt| {
        found |= matches!(stmt, Stmt::Return(_) | Stmt::Break(_) | Stmt::Continue(_));
    });
    stmt.visit_exprs(&mut |expr| {
        found |= matches!(
            expr.kind,
            ExprKind::Emit { leaves: true, .. } | ExprKind::Block(..)
        );
    });
    found
}

/// Whether a statement may send a record.
fn sends(stmt: &mut Stmt) -> bool {
    let mut found = false;
    stmt.visit_exprs(&mut |expr| found |= matches!(expr.kind, ExprKind::Emit { .. }));
    found
}

/// Keeps the kinds of records that something sends, and numbers them in the order of the script.
fn renumber(actions: &mut [CheckedAction], records: &mut Vec<RecordKind>) {
    let mut kept: Vec<RecordKind> = Vec::new();
    for stmt in actions.iter_mut().flat_map(|action| &mut action.body) {
        stmt.visit_exprs(&mut |expr| {
            if let ExprKind::Emit { kind, .. } = &mut expr.kind
                && let Some(record) = records.get(*kind as usize)
            {
                *kind = kept.len() as u32;
                kept.push(record.clone());
            }
        });
    }
    *records = kept;
}
