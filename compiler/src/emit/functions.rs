//! All functions of a module that its probes reach, compiled, callees first.
//!
//! A function without frame takes the stack that it needs, and its callers share what is left of [`SCRIPT_STACK_BYTES`]: a
//! body then moves more of its slots to the frame. A body and the functions that have its frame by a link have equal parts
//! of the stack for slots, as many as are active at a time; these are compiled callers first, since slots of the callers
//! are used in them.

use super::frame::{FrameLayout, SCRIPT_STACK_BYTES, STACK_ROUNDING, Surroundings};
use super::select::{self, Compiled};
use super::{AssembleError, ErrorKind};
use crate::ir::{FuncId, Function, Module, ProbeId, Slot};
use cranelift_entity::{EntitySet, SecondaryMap};

/// Bytes of stack that each function is left which shares the frame of others.
const LEAST_SHARE: u32 = 64;

/// Compiles all bodies, and what they call or have called back.
pub fn compile(module: &Module) -> Result<SecondaryMap<FuncId, Option<Compiled>>, AssembleError> {
    let mut compiled: SecondaryMap<FuncId, Option<Compiled>> = SecondaryMap::new();
    let mut layouts: SecondaryMap<FuncId, FrameLayout> = SecondaryMap::new();
    // Bytes of stack of each function and the deepest chain of calls below it.
    let mut chains: SecondaryMap<FuncId, u32> = SecondaryMap::new();
    for (probe, data) in module.probes.iter() {
        let in_probe = |error: AssembleError| AssembleError {
            probe: (error.function == Some(data.body)).then_some(probe),
            ..error
        };
        let order = callees_first(module, probe, data.body)?;
        // How many functions that share the frame are active at a time, from each on.
        let mut levels: SecondaryMap<FuncId, u32> = SecondaryMap::new();
        for &id in &order {
            let function = &module.functions[id];
            let below = |of: &SecondaryMap<FuncId, u32>| {
                let callees = function.callees();
                callees.map(|callee| of[callee]).max().unwrap_or(0)
            };
            if function.has_frame() {
                levels[id] = 1 + below(&levels);
            } else if compiled[id].is_none() {
                let below = below(&chains);
                let limit = SCRIPT_STACK_BYTES.saturating_sub(below);
                let surroundings = Surroundings {
                    stack_limit: limit,
                    slot_limit: limit,
                    frame_base: 0,
                    shared: EntitySet::new(),
                    links: false,
                    layouts: &layouts,
                };
                let (function, layout) =
                    select::function(module, id, &surroundings).map_err(in_probe)?;
                chains[id] = below + function.stack_bytes.max(1).next_multiple_of(STACK_ROUNDING);
                layouts[id] = layout;
                compiled[id] = Some(function);
            }
        }
        let shared = shared(module, &order);
        let share = SCRIPT_STACK_BYTES / levels[data.body].max(1);
        let share = share - share % STACK_ROUNDING;
        let mut bases: SecondaryMap<FuncId, u32> = SecondaryMap::new();
        let mut above: SecondaryMap<FuncId, u32> = SecondaryMap::new();
        let mut frame_bytes = 0;
        for id in order.into_iter().rev() {
            let function = &module.functions[id];
            if !function.has_frame() || compiled[id].is_some() {
                continue;
            }
            let below = function.callees().map(|callee| chains[callee]).max();
            let below = below.unwrap_or(0);
            // Intermediate values may take more than the function's part, as long as the others have some.
            let others = (levels[id] - 1) * share.min(LEAST_SHARE);
            let left = SCRIPT_STACK_BYTES.saturating_sub(above[id] + others);
            let surroundings = Surroundings {
                stack_limit: left.saturating_sub(below),
                slot_limit: share.saturating_sub(below),
                frame_base: bases[id],
                shared: shared[id].clone(),
                links: linked(module, function).next().is_some(),
                layouts: &layouts,
            };
            let (done, layout) = select::function(module, id, &surroundings).map_err(in_probe)?;
            let stack = done.stack_bytes.max(1).next_multiple_of(STACK_ROUNDING);
            for callee in linked(module, function) {
                above[callee] = above[id] + stack;
                bases[callee] = done.frame_bytes.max(bases[id]);
            }
            frame_bytes = frame_bytes.max(done.frame_bytes);
            layouts[id] = layout;
            compiled[id] = Some(done);
        }
        if let Some(body) = &mut compiled[data.body] {
            body.frame_bytes = frame_bytes;
        }
    }
    Ok(compiled)
}

/// The functions that a function gives its frame to.
fn linked<'a>(module: &'a Module, function: &'a Function) -> impl Iterator<Item = FuncId> + 'a {
    let callees = function.callees();
    callees.filter(|&callee| module.functions[callee].is_linked())
}

/// The slots of these functions that others of them use.
fn shared(module: &Module, functions: &[FuncId]) -> SecondaryMap<FuncId, EntitySet<Slot>> {
    let mut shared: SecondaryMap<FuncId, EntitySet<Slot>> = SecondaryMap::new();
    for &id in functions {
        let slots = module.functions[id].slots.values();
        for (function, slot) in slots.filter_map(|slot| slot.outer) {
            shared[function].insert(slot);
        }
    }
    shared
}

/// A body and all functions that it reaches, each behind those that it calls.
fn callees_first(
    module: &Module,
    probe: ProbeId,
    body: FuncId,
) -> Result<Vec<FuncId>, AssembleError> {
    let fail = |what: String| AssembleError {
        probe: Some(probe),
        ..AssembleError::from(ErrorKind::Malformed(what))
    };
    let reached = module.reached([body]);
    if let Some(recursive) = reached.recursive.first() {
        return Err(fail(format!("{recursive} calls itself")));
    }
    let missing = |id: &&FuncId| module.functions.get(**id).is_none();
    match reached.callees_first.iter().find(missing) {
        Some(missing) => Err(fail(format!("{missing} does not exist"))),
        None => Ok(reached.callees_first),
    }
}
