//! How many new keys one event may bring to a map while the kernel cannot get more memory.
//!
//! A map that grows takes its elements from a few that each CPU has in store. The kernel stocks up behind the program, by an interrupt
//! (`bpf_mem_alloc`, kernel/bpf/memalloc.c), so a program that runs with interrupts off has no more than what is there: of a thousand
//! keys that a loop makes in an `interval` probe, four would stay. Such maps need all of their memory beforehand. In come checked
//! actions, out goes the most elements that one of them may make at once.

use super::CheckedAction;
use crate::hir::{Base, ExprKind, Place, Stmt};
use cranelift_entity::EntityRef as _;
use std::collections::BTreeMap;

/// How many elements of each map, by its index.
type Counts = BTreeMap<usize, u32>;

/// The most new elements that an event may bring to each map, where interrupts may be off.
pub(super) fn at_once(actions: &mut [CheckedAction]) -> Counts {
    let mut most = Counts::new();
    for action in actions {
        if action.provider.info().kind.info().interrupts_off {
            raise(&mut most, &body(&mut action.body));
        }
    }
    most
}

fn body(stmts: &mut [Stmt]) -> Counts {
    let mut counts = Counts::new();
    for stmt in stmts {
        add(&mut counts, &statement(stmt), 1);
    }
    counts
}

fn statement(stmt: &mut Stmt) -> Counts {
    let mut counts = Counts::new();
    match stmt {
        // One of the branches is taken.
        Stmt::If { .. } => stmt
            .branches_mut()
            .for_each(|branch| raise(&mut counts, &body(branch))),
        Stmt::Loop { body: turn, .. } => add(&mut counts, &body(turn), u32::MAX),
        Stmt::Unroll { times, body: turn } => {
            let times = *times;
            add(&mut counts, &body(turn), times);
        }
        Stmt::Assign { place, .. } => element(place, &mut counts),
        Stmt::Aggregate { map, .. } => add(&mut counts, &Counts::from([(map.index(), 1)]), 1),
        Stmt::Expr(_) | Stmt::Clear(_) | Stmt::Break(_) | Stmt::Continue(_) | Stmt::Return(_) => {}
    }
    // Those in blocks that are values stand in expressions. Of what is nested, too many are counted rather than too few.
    stmt.visit_exprs(&mut |expr| match &mut expr.kind {
        ExprKind::Add { place, .. } => element(place, &mut counts),
        ExprKind::Block(inner, _) => add(&mut counts, &body(inner), 1),
        _ => {}
    });
    counts
}

fn element(place: &Place, counts: &mut Counts) {
    if let Base::Element { map, .. } = &place.base {
        add(counts, &Counts::from([(map.index(), 1)]), 1);
    }
}

fn add(counts: &mut Counts, more: &Counts, times: u32) {
    for (map, count) in more {
        let sum = counts.entry(*map).or_default();
        *sum = sum.saturating_add(count.saturating_mul(times));
    }
}

fn raise(counts: &mut Counts, others: &Counts) {
    for (map, count) in others {
        let most = counts.entry(*map).or_default();
        *most = (*most).max(*count);
    }
}
