//! Lowering: from the checked script to the IR and the manifest.
//!
//! Values that fit a register become [`Value`]s; strings, tuples and keys are built in slots, in place where they are
//! needed: an expression is stored *into* a slot, so that a key's string is read straight into the key.
//!
//! Nothing is checked here that the checker has checked. Where a checked script should say otherwise, that is an
//! internal error with its place, and there is no object.

mod buffer;
mod call;
mod expr;
mod faults;
mod loops;
mod maps;
mod read;
mod sites;
mod stmt;
mod store;

use crate::facts::Facts;
use crate::hir::{Expr, Var};
use crate::ir::{
    Block, Condition, FuncId, Function, FunctionBuilder, Kind, Module, ProbeData, ProbeId,
    Signature, Slot, SlotPlace, Value,
};
use crate::language::parameters;
use crate::manifest::{FaultKind, FaultManifest, Manifest, ProbeManifest};
use crate::sema::{Checked, CheckedAction};
use crate::types::Type;
use cranelift_entity::{EntityRef, PrimaryMap};
use indexmap::IndexSet;
use maps::Maps;
use pfscript_grammar::{Diagnostic, Span};
use pfscript_probes::LOSS_CAUSES;
use pfscript_probes::abi::{MAX_STACK_FRAMES, STACK_DEPTH_PARAMETER, STACK_PIECE_FRAMES, map};
use std::collections::HashMap;

/// Lowers a checked script.
///
/// # Errors
/// What the script asks for that no layout can hold, such as a key that is too long.
pub fn lower(checked: &Checked, facts: &dyn Facts) -> Result<(Module, Manifest), Vec<Diagnostic>> {
    let mut module = Module {
        parameters: checked.needs.parameters.clone(),
        ..Module::default()
    };
    let ids = parameters::of_process_ids(facts).map_err(|error| vec![error])?;
    module.parameters.extend(ids);
    if checked.needs.unwind_tables {
        let depth = checked.needs.stacks.into();
        module.parameters.insert(STACK_DEPTH_PARAMETER, depth);
    }
    let mut manifest = Manifest {
        records: checked.needs.records.clone(),
        user_symbols: checked.needs.user_symbols,
        kernel_symbols: checked.needs.kernel_symbols,
        renews_stacks: checked.needs.renews_stacks,
        unwind_tables: checked.needs.unwind_tables,
        stack_limit: match (checked.needs.kernel_walks, checked.needs.unwind_tables) {
            (true, true) => None,
            (true, false) => Some(STACK_PIECE_FRAMES),
            (false, _) => Some(MAX_STACK_FRAMES),
        },
        globals: checked.needs.globals,
        failures_by_place: checked.failures_by_place,
        silent_maps: !checked.limits.print_maps,
        source_lines: checked.limits.source_lines,
        jvm_map: checked.limits.jvm_map,
        str_trunc_trailer: checked.limits.str_trunc_trailer.clone(),
        needs_command: (!checked.needs.asks_for_command)
            .then_some(checked.needs.needs_command)
            .flatten(),
        accounts_for_pages: checked.needs.accounts_for_pages,
        follows_children: checked.needs.follows_children,
        puts_together: checked.needs.puts_together,
        sites: sites::table(checked),
        ..Manifest::default()
    };
    let maps = maps::define(checked, facts, &mut module, &mut manifest)?;
    let visitor = (checked.needs.visits_elements).then(|| module.functions.push(visitor()));
    let mut errors = Vec::new();
    let mut faults = IndexSet::new();
    let mut rows = 0;
    let stops = has_slow_detaching(checked);
    for action in &checked.actions {
        let probe: ProbeId = module.probes.next_key();
        let info = action.provider.info();
        let functions = &mut module.functions;
        let mut builder = FunctionBuilder::new(&format!("body_{probe}"), Signature::body());
        builder.set_span(action.span);
        let lower = Lower {
            checked,
            action,
            maps: &maps,
            visitor,
            probe,
            errors: &mut errors,
            faults: &mut faults,
            level: Level::new(functions.push(Function::new("", Signature::default()))),
            functions,
            builder,
            around: Vec::new(),
            words: HashMap::new(),
            loops: 0,
        };
        let body = lower.action();
        module.probes.push(ProbeData {
            kind: info.kind,
            narrowed: info.narrowed,
            stops: stops && info.kind.info().mechanism.detaches_slowly(),
            body,
        });
        manifest.probes.push(ProbeManifest {
            symbol: format!("p{}", probe.index()),
            name: action.name.clone(),
            span: action.span,
            kind: info.kind,
            narrowing: None,
            rows: sites::rows(action, &mut rows),
            sites: action.sites.clone(),
        });
    }
    if let Some(counters) = module.maps.values_mut().find(|map| map.symbol == map::LOSS) {
        counters.max_entries += faults.len() as u32;
    }
    manifest.faults = faults
        .into_iter()
        .map(|(probe, kind, span)| FaultManifest {
            probe,
            kind,
            span,
            line: 0,
            column: 0,
        })
        .collect();
    if errors.is_empty() {
        Ok((module, manifest))
    } else {
        Err(errors)
    }
}

/// How many counters of losses the probes have together.
fn counters_of_probes(checked: &Checked) -> u32 {
    (checked.actions.len() as u32).max(1) * LOSS_CAUSES
}

/// Whether the kernel takes so long to detach all programs that they are to be stopped before: some 50 to 100 ms for each
/// site, under one lock; or whether what goes on meanwhile would be missed, since memory is looked at when nothing is recorded any more.
fn has_slow_detaching(checked: &Checked) -> bool {
    const MANY: usize = 16;
    let slow = checked.actions.iter().filter(|action| {
        let program = action.provider.info().kind.info();
        program.mechanism.detaches_slowly()
    });
    checked.needs.accounts_for_pages || slow.map(|action| action.sites.len()).sum::<usize>() > MANY
}

/// What `bpf_for_each_map_elem` calls for each element: it does nothing, and goes on. The helper itself counts. Where the
/// callback counts, the verifier has a state more for each element that there might be, and does not come to an end if the
/// number is compared afterwards.
fn visitor() -> Function {
    let signature = Signature {
        params: vec![Kind::Map, Kind::MapKey, Kind::MapValue, Kind::Memory],
        result: Some(Kind::Scalar),
    };
    let mut builder = FunctionBuilder::new("visit_element", signature);
    let go_on = builder.constant(0);
    builder.ret(Some(go_on));
    builder.finish()
}

/// Lowers one action.
struct Lower<'a> {
    checked: &'a Checked,
    action: &'a CheckedAction,
    maps: &'a Maps,
    /// What is called for each element that is only counted.
    visitor: Option<FuncId>,
    probe: ProbeId,
    errors: &'a mut Vec<Diagnostic>,
    /// The module's functions. One that is begun has its place there.
    functions: &'a mut PrimaryMap<FuncId, Function>,
    /// What may go wrong at places in the script: each has a counter.
    faults: &'a mut IndexSet<(ProbeId, FaultKind, Span)>,
    builder: FunctionBuilder,
    /// What belongs to the function that is being built.
    level: Level,
    /// The functions around it, that of the probe first.
    around: Vec<(FunctionBuilder, Level)>,
    /// Slots in the probe's function for what the whole action has one of.
    words: HashMap<&'static str, Slot>,
    /// How many functions of loops there are so far.
    loops: u32,
}

/// A function in the making: the body of a probe, or of a loop.
struct Level {
    id: FuncId,
    vars: HashMap<Var, Slot>,
    /// Slots of functions around this one, by their level there.
    outer: HashMap<(usize, Slot), Slot>,
    /// What this function hands to those that it has called back.
    link: Option<Slot>,
    /// It needs the program's context from its link.
    uses_context: bool,
    /// It may have the whole action left.
    leaves: bool,
}

impl Level {
    fn new(id: FuncId) -> Level {
        Level {
            id,
            vars: HashMap::new(),
            outer: HashMap::new(),
            link: None,
            uses_context: false,
            leaves: false,
        }
    }
}

impl<'a> Lower<'a> {
    fn action(mut self) -> FuncId {
        let action = self.action;
        self.stmts(&action.body);
        if !self.builder.is_terminated() {
            self.builder.ret(None);
        }
        let id = self.level.id;
        self.functions[id] = self.builder.finish();
        id
    }

    /// Gives what `lower` builds a place in the script.
    fn at<R>(&mut self, span: Span, lower: impl FnOnce(&mut Self) -> R) -> R {
        let outer = self.builder.set_span(span);
        let result = lower(self);
        self.builder.set_span(outer);
        result
    }

    /// Does one thing or the other by a condition of the script, and goes on behind both.
    fn if_else(
        &mut self,
        condition: &Expr,
        then: impl FnOnce(&mut Self),
        otherwise: impl FnOnce(&mut Self),
    ) {
        let (yes, no) = (self.builder.block(), self.builder.block());
        self.condition(condition, yes, no);
        self.either([yes, no], then, otherwise);
    }

    /// Does one thing in one block and the other in the other, and goes on behind both.
    fn either(
        &mut self,
        [yes, no]: [Block; 2],
        then: impl FnOnce(&mut Self),
        otherwise: impl FnOnce(&mut Self),
    ) {
        self.builder.switch_to(yes);
        then(self);
        let then_end = self.builder.current();
        self.builder.switch_to(no);
        otherwise(self);
        self.builder.join(&[then_end]);
    }

    /// Reports what a checked script cannot say. The value stands in for the one that there is not; with the error there
    /// is no object that could use it.
    fn internal_error(&mut self, span: Span, what: &str) -> Value {
        let error = Diagnostic::error(span, format!("internal error: {what}"));
        self.errors
            .push(error.help("this is a bug in pfscript; please report it with the script"));
        self.builder.constant(0)
    }

    /// The slot of a variable.
    fn variable(&mut self, var: Var) -> SlotPlace {
        let data = &self.action.vars[var];
        let home = data.home.len().min(self.around.len());
        let size = self.checked.types.size(data.ty).max(8);
        let (builder, level) = match self.around.get_mut(home) {
            Some((builder, level)) => (builder, level),
            None => (&mut self.builder, &mut self.level),
        };
        let slot = *level.vars.entry(var).or_insert_with(|| {
            if data.zeroed {
                builder.zeroed_slot(size, &data.name)
            } else {
                builder.slot(size, &data.name)
            }
        });
        self.slot_of(home, slot).into()
    }

    /// Bytes that a value takes in a slot.
    fn size(&self, ty: Type) -> u32 {
        self.checked.types.size(ty)
    }

    /// The program's context.
    fn context(&mut self) -> Value {
        if !self.around.is_empty() {
            self.level.uses_context = true;
            return self.builder.linked_context();
        }
        match self.builder.param(0) {
            Some(context) => context,
            None => self.internal_error(self.action.span, "a function without context uses it"),
        }
    }

    /// Whether a value is not zero, as the arguments of a branch.
    fn truth(&mut self, value: Value) -> (Condition, [Value; 2]) {
        let zero = self.builder.constant(0);
        (Condition::Ne, [value, zero])
    }
}
