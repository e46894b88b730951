//! Registers for values: linear scan over live intervals.
//!
//! In comes what to emit of a function, and which of the preserved registers are taken; out comes a [`Location`] for
//! every value that needs one. A value that lives across a call gets a preserved register or a spill; any other gets one
//! of [`TEMPORARIES`] first. `r4` and `r5` are never given out: instruction selection works in them. A spilled value is
//! whole in its 8 aligned bytes, so the verifier still knows what it is (5.10: `check_stack_write`, `mod_reg_state` by id).

use super::asm::{ARGUMENTS, R0, R1, R2, R3, R6, R7, R8, R9, Reg};
use super::simplify::{Operand, Simplified};
use crate::ir::{Block, Inst, InstData, Value};
use cranelift_entity::SecondaryMap;

/// Registers for values that do not live across a call.
pub const TEMPORARIES: [Reg; 4] = [R1, R2, R3, R0];

/// Where a value is, from its definition to its last use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// In a register.
    Reg(Reg),
    /// In a stack slot of 8 bytes, by its number.
    Spill(u32),
}

/// Where all values are.
#[derive(Debug)]
pub struct Allocation {
    locations: SecondaryMap<Value, Option<Location>>,
    /// How many spill slots there are.
    pub spills: u32,
}

impl Allocation {
    /// Where a value is; none if nothing uses it.
    pub fn location(&self, value: Value) -> Option<Location> {
        self.locations[value]
    }
}

/// The positions at which a value must be somewhere. Parameters are there at 0; step `n` uses at `2n + 1` and defines at
/// `2n + 2`.
#[derive(Clone, Copy, Debug)]
struct Interval {
    value: Value,
    start: u32,
    end: u32,
    across_call: bool,
    hint: Option<Reg>,
}

/// Whether the function needs the context.
pub fn uses_context(simplified: &Simplified) -> bool {
    let function = simplified.function;
    simplified.blocks.iter().any(|plan| {
        let mut found = false;
        for &inst in &plan.insts {
            let data = &function.insts[inst];
            found |= matches!(data, InstData::Link { context: true, .. });
            data.for_each_operand(|value| {
                found |= simplified.operand(value) == Operand::Context;
            });
        }
        plan.terminator
            .for_each_operand(|operand| found |= operand == Operand::Context);
        found
    })
}

/// Gives out registers; `context` and `frame` say whether `r6` and `r9` are taken by these pointers.
pub fn allocate(simplified: &Simplified, context: bool, frame: bool) -> Allocation {
    let mut preserved = vec![R7, R8];
    if !context {
        preserved.push(R6);
    }
    if !frame {
        preserved.push(R9);
    }
    scan(simplified, intervals(simplified), &preserved)
}

fn step_use(step: usize) -> u32 {
    2 * step as u32 + 1
}

fn step_define(step: usize) -> u32 {
    2 * step as u32 + 2
}

/// All values' intervals, by rising start.
fn intervals(simplified: &Simplified) -> Vec<Interval> {
    let function = simplified.function;
    let live_out = live_out(simplified);
    let mut ranges: SecondaryMap<Value, Option<(u32, u32)>> = SecondaryMap::new();
    let mut hints: SecondaryMap<Value, Option<Reg>> = SecondaryMap::new();
    let mut order = Vec::new();
    let mut calls = Vec::new();
    let mut extend = |ranges: &mut SecondaryMap<Value, Option<(u32, u32)>>, value, position| {
        let range = &mut ranges[value];
        *range = Some(match *range {
            None => {
                order.push(value);
                (position, position)
            }
            Some((start, end)) => (start.min(position), end.max(position)),
        });
    };

    for (&param, register) in function.params.iter().zip(ARGUMENTS) {
        if simplified.operand(param) == Operand::Value(param) {
            extend(&mut ranges, param, 0);
            hints[param] = Some(register);
        }
    }
    let mut step = 0;
    for plan in &simplified.blocks {
        for &inst in &plan.insts {
            simplified.for_each_use(inst, |value| extend(&mut ranges, value, step_use(step)));
            if let Some(value) = defined(simplified, inst) {
                extend(&mut ranges, value, step_define(step));
            }
            note_hints(simplified, inst, &mut hints);
            if function.insts[inst].call_args().is_some() {
                calls.push(step_use(step));
            }
            step += 1;
        }
        plan.terminator.for_each_operand(|operand| {
            if let Operand::Value(value) = operand {
                extend(&mut ranges, value, step_use(step));
            }
        });
        // Definitions come before uses in the order of blocks, so only ends can be elsewhere: in loops, behind all uses.
        for &value in &live_out[plan.block] {
            extend(&mut ranges, value, step_define(step));
        }
        step += 1;
    }

    let mut intervals: Vec<Interval> = order
        .into_iter()
        .filter_map(|value| {
            let (start, end) = ranges[value]?;
            let next_call = calls.partition_point(|&call| call <= start);
            Some(Interval {
                value,
                start,
                end,
                across_call: calls.get(next_call).is_some_and(|&call| call < end),
                hint: hints[value],
            })
        })
        .collect();
    intervals.retain(|interval| interval.start < interval.end);
    intervals.sort_by_key(|interval| (interval.start, interval.value));
    intervals
}

/// The value that an instruction puts somewhere.
pub fn defined(simplified: &Simplified, inst: Inst) -> Option<Value> {
    let value = simplified.function.results[inst]?;
    (simplified.operand(value) == Operand::Value(value)).then_some(value)
}

/// Notes the registers that would spare a move: where a call returns its result, where it takes its arguments.
fn note_hints(simplified: &Simplified, inst: Inst, hints: &mut SecondaryMap<Value, Option<Reg>>) {
    let data = &simplified.function.insts[inst];
    let Some(args) = data.call_args() else {
        return;
    };
    for (&arg, register) in args.iter().zip(ARGUMENTS) {
        if let Operand::Value(value) = simplified.operand(arg) {
            hints[value].get_or_insert(register);
        }
    }
    if let Some(value) = simplified.function.results[inst] {
        hints[value].get_or_insert(R0);
    }
}

/// The values that live at each block's end: from each use in another block than the definition's, back along all paths
/// to the definition. Most values are used in their own block, so this is quick however many blocks there are.
fn live_out(simplified: &Simplified) -> SecondaryMap<Block, Vec<Value>> {
    let mut homes: SecondaryMap<Value, Option<Block>> = SecondaryMap::new();
    let mut uses: SecondaryMap<Value, Vec<Block>> = SecondaryMap::new();
    let mut predecessors: SecondaryMap<Block, Vec<Block>> = SecondaryMap::new();
    for plan in &simplified.blocks {
        for &inst in &plan.insts {
            if let Some(value) = defined(simplified, inst) {
                homes[value] = Some(plan.block);
            }
        }
        plan.terminator
            .for_each_successor(|next| predecessors[next].push(plan.block));
    }
    if let Some(first) = simplified.blocks.first() {
        for &param in &simplified.function.params {
            homes[param] = Some(first.block);
        }
    }
    for plan in &simplified.blocks {
        let mut note = |value| {
            let blocks = &mut uses[value];
            if homes[value] != Some(plan.block) && blocks.last() != Some(&plan.block) {
                blocks.push(plan.block);
            }
        };
        for &inst in &plan.insts {
            simplified.for_each_use(inst, &mut note);
        }
        plan.terminator.for_each_operand(|operand| {
            if let Operand::Value(value) = operand {
                note(value);
            }
        });
    }
    let mut live_out: SecondaryMap<Block, Vec<Value>> = SecondaryMap::new();
    for value in simplified.function.values.keys() {
        // Blocks that it lives at the start of.
        let mut work = std::mem::take(&mut uses[value]);
        while let Some(block) = work.pop() {
            for &before in &predecessors[block] {
                // One value after the other, so if it is noted already, it is the last one.
                if live_out[before].last() != Some(&value) {
                    live_out[before].push(value);
                    if homes[value] != Some(before) {
                        work.push(before);
                    }
                }
            }
        }
    }
    live_out
}

fn scan(simplified: &Simplified, intervals: Vec<Interval>, preserved: &[Reg]) -> Allocation {
    let mut locations: SecondaryMap<Value, Option<Location>> = SecondaryMap::new();
    let mut active: Vec<(Interval, Reg)> = Vec::new();
    let mut spilled: Vec<Interval> = Vec::new();

    for interval in intervals {
        active.retain(|(other, _)| other.end >= interval.start);
        let temporaries: &[Reg] = if interval.across_call {
            &[]
        } else {
            &TEMPORARIES
        };
        let allowed = || temporaries.iter().chain(preserved).copied();
        let free = |register: &Reg| active.iter().all(|(_, taken)| taken != register);
        let register = wishes(simplified, &interval, &locations)
            .filter(|wish| allowed().any(|register| register == *wish))
            .chain(allowed())
            .find(free);
        if let Some(register) = register {
            locations[interval.value] = Some(Location::Reg(register));
            active.push((interval, register));
            continue;
        }
        // Whoever is needed last makes room.
        let victim = active
            .iter()
            .enumerate()
            .filter(|(_, (_, register))| allowed().any(|allowed| allowed == *register))
            .max_by_key(|(_, (other, _))| (other.end, other.value))
            .map(|(index, &(other, register))| (index, other, register));
        match victim {
            Some((index, other, register)) if other.end > interval.end => {
                locations[interval.value] = Some(Location::Reg(register));
                active[index] = (interval, register);
                spilled.push(other);
            }
            _ => spilled.push(interval),
        }
    }

    let spills = place_spills(spilled, &mut locations);
    Allocation { locations, spills }
}

/// The registers that would spare a move, best first.
fn wishes(
    simplified: &Simplified,
    interval: &Interval,
    locations: &SecondaryMap<Value, Option<Location>>,
) -> impl Iterator<Item = Reg> {
    let function = simplified.function;
    let definition = function.definition(interval.value);
    let source = definition.and_then(|inst| match function.insts[inst] {
        InstData::Arith { args, .. } => Some(args[0]),
        InstData::Extend { arg, .. } => Some(arg),
        _ => None,
    });
    let inherited = source.and_then(|source| match simplified.operand(source) {
        Operand::Value(source) => match locations[source] {
            Some(Location::Reg(register)) => Some(register),
            _ => None,
        },
        _ => None,
    });
    interval.hint.into_iter().chain(inherited)
}

/// Gives every spilled value a slot; values that do not live at the same time may share one.
fn place_spills(
    mut spilled: Vec<Interval>,
    locations: &mut SecondaryMap<Value, Option<Location>>,
) -> u32 {
    spilled.sort_by_key(|interval| (interval.start, interval.value));
    let mut ends: Vec<u32> = Vec::new();
    for interval in spilled {
        let slot = match ends.iter().position(|&end| end < interval.start) {
            Some(slot) => slot,
            None => {
                ends.push(0);
                ends.len() - 1
            }
        };
        ends[slot] = interval.end;
        locations[interval.value] = Some(Location::Spill(slot as u32));
    }
    ends.len() as u32
}
