//! Lowering: from the checked script to the IR and the manifest.
//!
//! Values that fit a register become [`Value`]s; strings, tuples and keys are built in [`Slot`]s, in place where they
//! are needed: an expression is stored *into* a slot, so that a key's string is read straight into the key.

mod call;
mod expr;
mod maps;
mod stmt;

use crate::facts::KernelFacts;
use crate::hir::{ScriptMap, Var};
use crate::ir::{
    Block, Condition, Function, InstData, MapId, Module, ProbeData, ProbeId, Slot, SlotData, Value,
};
use crate::manifest::{Manifest, ProbeManifest};
use crate::sema::{Checked, CheckedAction, Options};
use cranelift_entity::{EntityRef, SecondaryMap};
use pfscript_grammar::{Diagnostic, Span};
use pfscript_probes::LOSS_CAUSES;
use std::collections::HashMap;

/// Lowers a checked script.
///
/// # Errors
/// What the script asks for that no layout can hold, such as a key that is too long.
pub fn lower(
    checked: &Checked,
    facts: &dyn KernelFacts,
    options: &Options,
) -> Result<(Module, Manifest), Vec<Diagnostic>> {
    let mut module = Module::default();
    let mut manifest = Manifest {
        actions: checked.output.actions.clone(),
        user_symbols: checked.output.user_symbols,
        kernel_symbols: checked.output.kernel_symbols,
        globals: checked.output.globals,
        ..Manifest::default()
    };
    let maps = maps::define(checked, facts, &mut module, &mut manifest)?;
    for action in &checked.actions {
        let probe: ProbeId = module.probes.next_key();
        let info = action.provider.info();
        let body = Lower::new(checked, action, &maps, probe).action();
        module.probes.push(ProbeData {
            family: info.family,
            section: info.section,
            tgid: match options.tgid {
                Some(tgid) if info.filtered => tgid,
                _ => 0,
            },
            body,
        });
        manifest.probes.push(ProbeManifest {
            symbol: format!("p{}", probe.index()),
            name: action.name.clone(),
            span: action.span,
            program: info.program,
            attach: action
                .expansions
                .iter()
                .map(|expansion| expansion.attach.clone())
                .collect(),
        });
    }
    Ok((module, manifest))
}

/// The module's ids of the maps.
struct Maps {
    script: SecondaryMap<ScriptMap, Option<MapId>>,
    globals: Option<MapId>,
}

/// A place in a slot.
#[derive(Clone, Copy)]
struct Place {
    slot: Slot,
    offset: u32,
}

impl Place {
    fn at(self, bytes: u32) -> Place {
        Place {
            offset: self.offset + bytes,
            ..self
        }
    }
}

/// Lowers one action.
struct Lower<'a> {
    checked: &'a Checked,
    action: &'a CheckedAction,
    maps: &'a Maps,
    probe: ProbeId,
    function: Function,
    block: Block,
    span: Span,
    vars: HashMap<Var, Slot>,
    /// Slots of earlier statements that are free again, and those that this statement uses.
    free: Vec<Slot>,
    busy: Vec<Slot>,
    /// Where reads through pointers land before they are loaded.
    landing: Option<Slot>,
}

impl<'a> Lower<'a> {
    fn new(
        checked: &'a Checked,
        action: &'a CheckedAction,
        maps: &'a Maps,
        probe: ProbeId,
    ) -> Lower<'a> {
        let mut function = Function::default();
        let block = function.blocks.push(Default::default());
        Lower {
            checked,
            action,
            maps,
            probe,
            function,
            block,
            span: action.span,
            vars: HashMap::new(),
            free: Vec::new(),
            busy: Vec::new(),
            landing: None,
        }
    }

    fn action(mut self) -> Function {
        let action = self.action;
        self.stmts(&action.body);
        if !self.function.is_terminated(self.block) {
            self.effect(InstData::Return);
        }
        self.function
    }

    /// Appends an instruction that defines a value.
    fn push(&mut self, data: InstData) -> Value {
        let value = self.function.push(self.block, data, self.span);
        // Only called with instructions that have a result; a constant stands in for what cannot be.
        value.unwrap_or_else(|| Value::new(0))
    }

    /// Appends an instruction for its effect.
    fn effect(&mut self, data: InstData) {
        self.function.push(self.block, data, self.span);
    }

    fn constant(&mut self, value: i64) -> Value {
        self.push(InstData::Const(value))
    }

    fn new_block(&mut self) -> Block {
        self.function.blocks.push(Default::default())
    }

    fn jump(&mut self, target: Block) {
        if !self.function.is_terminated(self.block) {
            self.effect(InstData::Jump(target));
        }
    }

    fn branch(&mut self, condition: Condition, args: [Value; 2], then: Block, otherwise: Block) {
        self.effect(InstData::Branch {
            condition,
            args,
            then,
            otherwise,
        });
    }

    /// A slot for the rest of this statement.
    fn temporary(&mut self, size: u32, name: &str) -> Place {
        let slots = &self.function.slots;
        let slot = match self.free.iter().position(|&slot| slots[slot].size == size) {
            Some(index) => self.free.swap_remove(index),
            None => self.new_slot(size, name),
        };
        self.busy.push(slot);
        Place { slot, offset: 0 }
    }

    fn new_slot(&mut self, size: u32, name: &str) -> Slot {
        self.function.slots.push(SlotData {
            size,
            zeroed: false,
            name: name.to_string(),
        })
    }

    /// The slot of a variable.
    fn variable(&mut self, var: Var) -> Place {
        let data = &self.action.vars[var];
        let function = &mut self.function;
        let slot = *self.vars.entry(var).or_insert_with(|| {
            function.slots.push(SlotData {
                size: data.ty.size().max(8),
                zeroed: data.zeroed,
                name: data.name.clone(),
            })
        });
        Place { slot, offset: 0 }
    }

    fn address(&mut self, place: Place) -> Value {
        self.push(InstData::SlotAddr {
            slot: place.slot,
            offset: place.offset,
        })
    }

    /// The first loss counter of this probe.
    fn loss(&mut self) -> Value {
        self.constant((self.probe.index() as u32 * LOSS_CAUSES).into())
    }

    fn routine(&mut self, routine: &'static str, args: Vec<Value>) -> Value {
        self.push(InstData::CallRoutine { routine, args })
    }

    fn helper(&mut self, helper: u32, args: Vec<Value>) -> Value {
        self.push(InstData::CallHelper { helper, args })
    }

    fn map_id(&self, map: ScriptMap) -> MapId {
        // Every map of the script was defined before any action is lowered.
        self.maps.script[map].unwrap_or_else(|| MapId::new(0))
    }
}
