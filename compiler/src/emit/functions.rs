//! All functions of a module that its probes reach, compiled, callees first.
//!
//! A function that is called has no frame, so it takes the stack that it needs, and its callers share what is left of
//! [`SCRIPT_STACK_BYTES`]: a body then moves more of its slots to the frame.

use super::frame::{SCRIPT_STACK_BYTES, STACK_ROUNDING};
use super::select::{self, Compiled};
use super::{AssembleError, ErrorKind};
use crate::ir::{FuncId, Module, ProbeId};
use cranelift_entity::SecondaryMap;

/// Compiles all bodies, and what they call or have called back.
pub fn compile(module: &Module) -> Result<SecondaryMap<FuncId, Option<Compiled>>, AssembleError> {
    let mut compiled: SecondaryMap<FuncId, Option<Compiled>> = SecondaryMap::new();
    // Bytes of stack of each function and the deepest chain of calls below it.
    let mut chains: SecondaryMap<FuncId, u32> = SecondaryMap::new();
    for (probe, data) in module.probes.iter() {
        let in_probe = |error: AssembleError| AssembleError {
            probe: (error.function == Some(data.body)).then_some(probe),
            ..error
        };
        for id in callees_first(module, probe, data.body)? {
            if compiled[id].is_some() {
                continue;
            }
            let below = module.functions[id]
                .callees()
                .map(|callee| chains[callee])
                .max()
                .unwrap_or(0);
            let limit = SCRIPT_STACK_BYTES.saturating_sub(below);
            let function = select::function(module, id, limit).map_err(in_probe)?;
            chains[id] = below + function.stack_bytes.max(1).next_multiple_of(STACK_ROUNDING);
            compiled[id] = Some(function);
        }
    }
    Ok(compiled)
}

/// A body and all functions that it reaches, each behind those that it calls.
fn callees_first(
    module: &Module,
    probe: ProbeId,
    body: FuncId,
) -> Result<Vec<FuncId>, AssembleError> {
    #[derive(Clone, Copy, Default, PartialEq)]
    enum State {
        #[default]
        New,
        Open,
        Done,
    }
    let fail = |what: String| AssembleError {
        probe: Some(probe),
        ..AssembleError::from(ErrorKind::Malformed(what))
    };
    let mut states: SecondaryMap<FuncId, State> = SecondaryMap::new();
    let mut order = Vec::new();
    // A function to enter, or, if true, one whose callees are done.
    let mut work = vec![(body, false)];
    while let Some((id, done)) = work.pop() {
        if done {
            states[id] = State::Done;
            order.push(id);
            continue;
        }
        if states[id] != State::New {
            continue;
        }
        states[id] = State::Open;
        work.push((id, true));
        let function = module
            .functions
            .get(id)
            .ok_or_else(|| fail(format!("{id} does not exist")))?;
        for callee in function.callees() {
            match states[callee] {
                State::New => work.push((callee, false)),
                State::Open => return Err(fail(format!("{callee} calls itself"))),
                State::Done => {}
            }
        }
    }
    Ok(order)
}
