//! One function checked: its entities, the paths from definitions to uses, its calls.
//!
//! In comes a function of a module, out go its violations. What concerns several functions is checked in the parent.

use super::rule::{MAX_ARGS, Rule, Violation};
use crate::ir::dominance::Dominance;
use crate::ir::{Block, FuncId, Function, Inst, InstData, Kind, Module, Slot, Value, ValueDef};
use cranelift_entity::SecondaryMap;
use pfscript_grammar::Span;
use std::fmt;

/// `BPF_FUNC_map_lookup_elem`, whose result is a map value.
const MAP_LOOKUP_ELEM: u32 = 1;

/// A helper that calls a function of the module back.
struct CallingBack {
    /// Its number.
    helper: u32,
    /// Which of its arguments the function is.
    argument: usize,
    /// What it calls the function with; the memory may be a link. The function gives a number: 0 to go on, 1 to stop.
    params: &'static [Kind],
}

impl CallingBack {
    fn calls(&self, params: &[Kind]) -> bool {
        let mut pairs = self.params.iter().zip(params);
        self.params.len() == params.len()
            && pairs.all(|pair| pair.0 == pair.1 || pair == (&Kind::Memory, &Kind::Link))
    }
}

const CALLING_BACK: [CallingBack; 2] = [
    // bpf_for_each_map_elem
    CallingBack {
        helper: 164,
        argument: 1,
        params: &[Kind::Map, Kind::MapKey, Kind::MapValue, Kind::Memory],
    },
    // bpf_loop
    CallingBack {
        helper: 181,
        argument: 1,
        params: &[Kind::Scalar, Kind::Memory],
    },
];

/// Checks one function.
pub(super) struct Checker<'a> {
    module: &'a Module,
    arity: &'a dyn Fn(&str) -> Option<usize>,
    id: FuncId,
    function: &'a Function,
    violations: &'a mut Vec<Violation>,
    /// The instruction at hand.
    inst: Option<Inst>,
}

impl<'a> Checker<'a> {
    /// A check of a function, that adds what it finds to `violations`.
    pub(super) fn new(
        module: &'a Module,
        arity: &'a dyn Fn(&str) -> Option<usize>,
        id: FuncId,
        violations: &'a mut Vec<Violation>,
    ) -> Checker<'a> {
        Checker {
            module,
            arity,
            id,
            function: &module.functions[id],
            violations,
            inst: None,
        }
    }

    /// Checks all.
    pub(super) fn check(mut self) {
        // What follows looks things up by what this has found to exist.
        if self.check_entities() {
            self.check_dominance();
            self.check_signatures();
        }
    }

    fn broken(&mut self, rule: Rule) {
        self.violations.push(Violation {
            function: Some(self.id),
            inst: self.inst,
            span: self
                .inst
                .map_or(Span::default(), |inst| self.function.spans[inst]),
            rule,
        });
    }

    fn missing(&mut self, what: impl fmt::Display) {
        self.broken(Rule::Exists(what.to_string()));
    }

    /// Checks that everything is there, ends, and keeps within its slots; returns whether all of it does.
    fn check_entities(&mut self) -> bool {
        let before = self.violations.len();
        let function = self.function;
        if function.blocks.is_empty() {
            self.broken(Rule::HasBlocks);
        }
        for (slot, data) in &function.slots {
            if data.size == 0 || !data.size.is_multiple_of(8) {
                self.broken(Rule::SlotSize(slot));
            }
        }
        let mut stands: SecondaryMap<Inst, u32> = SecondaryMap::new();
        for (block, data) in &function.blocks {
            self.inst = None;
            let mut terminators = 0;
            for &inst in &data.insts {
                let Some(data) = function.insts.get(inst) else {
                    self.missing(inst);
                    continue;
                };
                stands[inst] += 1;
                terminators += u32::from(data.is_terminator());
            }
            let last = data.insts.last().and_then(|&inst| function.insts.get(inst));
            if terminators != 1 || !last.is_some_and(InstData::is_terminator) {
                self.broken(Rule::OneTerminator(block));
            }
        }
        for (inst, data) in &function.insts {
            self.inst = Some(inst);
            if stands[inst] != 1 {
                self.broken(Rule::StandsOnce);
            }
            let result = function.results[inst];
            let defined = result.map(|value| function.values.get(value).copied());
            let right = match defined {
                Some(definition) => data.has_result() && definition == Some(ValueDef::Inst(inst)),
                None => !data.has_result(),
            };
            if !right {
                self.broken(Rule::ResultIfAny);
            }
            self.check_names(data);
            self.check_slots(data);
        }
        self.inst = None;
        self.violations.len() == before
    }

    fn check_names(&mut self, data: &InstData) {
        let (function, module) = (self.function, self.module);
        data.for_each_operand(|value| {
            if function.values.get(value).is_none() {
                self.missing(value);
            }
        });
        data.for_each_successor(|block| {
            if function.blocks.get(block).is_none() {
                self.missing(block);
            }
        });
        if let Some(callee) = data.callee()
            && module.functions.get(callee).is_none()
        {
            self.missing(callee);
        }
        match *data {
            InstData::MapPointer(map) if module.maps.get(map).is_none() => {
                self.missing(map);
            }
            InstData::SlotBytes { literal, .. } if function.literals.get(literal).is_none() => {
                self.missing(literal);
            }
            _ => {}
        }
    }

    fn check_slots(&mut self, data: &InstData) {
        let function = self.function;
        let mut outside = |slot: Slot, offset: u32, bytes: u32| match function.slots.get(slot) {
            None => self.missing(slot),
            Some(data) => {
                if offset.checked_add(bytes).is_none_or(|end| end > data.size) {
                    self.broken(Rule::WithinSlot {
                        slot,
                        offset,
                        bytes,
                    });
                }
            }
        };
        data.for_each_slot_access(&mut outside);
        match *data {
            // An address is that of a byte.
            InstData::SlotAddr { slot, offset } => outside(slot, offset, 1),
            InstData::Link { .. } if !function.has_frame() => self.broken(Rule::Linked(self.id)),
            InstData::Context if !function.is_linked() => self.broken(Rule::Linked(self.id)),
            InstData::SlotBytes { literal, bytes, .. }
                if function
                    .literals
                    .get(literal)
                    .is_some_and(|literal| literal.len() > bytes as usize) =>
            {
                self.broken(Rule::LiteralFits(literal));
            }
            _ => {}
        }
    }

    /// Checks that definitions come before uses on every path. Blocks that nothing reaches are not looked at.
    fn check_dominance(&mut self) {
        let function = self.function;
        let dominance = Dominance::new(function);
        let mut homes: SecondaryMap<Inst, Option<(Block, usize)>> = SecondaryMap::new();
        for (block, data) in &function.blocks {
            for (index, &inst) in data.insts.iter().enumerate() {
                homes[inst] = Some((block, index));
            }
        }
        for (block, data) in &function.blocks {
            if !dominance.is_reached(block) {
                continue;
            }
            for (index, &inst) in data.insts.iter().enumerate() {
                self.inst = Some(inst);
                function.insts[inst].for_each_operand(|value| {
                    let defined = match function.definition(value) {
                        None => true,
                        Some(definition) => homes[definition].is_some_and(|(home, at)| {
                            if home == block {
                                at < index
                            } else {
                                dominance.dominates(home, block)
                            }
                        }),
                    };
                    if !defined {
                        self.broken(Rule::Dominated(value));
                    }
                });
            }
        }
    }

    /// Checks calls and returns against what they call and give.
    fn check_signatures(&mut self) {
        let (function, module) = (self.function, self.module);
        for (inst, data) in &function.insts {
            self.inst = Some(inst);
            if let Some(count) = data.call_args().map(<[Value]>::len)
                && count > MAX_ARGS
            {
                self.broken(Rule::FiveArguments(count));
            }
            data.for_each_operand(|value| {
                if let Some(callee) = self.callee_of(value)
                    && module.functions[callee].signature.result.is_none()
                {
                    self.broken(Rule::NoResult(callee));
                }
            });
            match data {
                InstData::Call {
                    function: callee,
                    args,
                } => {
                    let params = &module.functions[*callee].signature.params;
                    self.check_arity(callee.to_string(), params.len(), args.len());
                    for (&arg, &kind) in args.iter().zip(params) {
                        self.check_kind(arg, kind);
                    }
                }
                InstData::CallRoutine { routine, args } => match (self.arity)(routine) {
                    Some(takes) => self.check_arity((*routine).to_owned(), takes, args.len()),
                    None => self.missing(routine),
                },
                InstData::Return(value) => match (function.signature.result, value) {
                    (Some(kind), Some(value)) => self.check_kind(*value, kind),
                    (None, None) => {}
                    (Some(_), None) | (None, Some(_)) => self.broken(Rule::NoResult(self.id)),
                },
                _ => {}
            }
            self.check_callbacks(data);
        }
    }

    fn check_arity(&mut self, callee: String, takes: usize, gets: usize) {
        if takes != gets {
            self.broken(Rule::Arity {
                callee,
                takes,
                gets,
            });
        }
    }

    /// Checks that every address of a function that is used goes where such a function is called back.
    fn check_callbacks(&mut self, data: &InstData) {
        let function = self.function;
        let address = |value: Value| match function.insts[function.definition(value)?] {
            InstData::FuncAddr(callback) => Some(callback),
            _ => None,
        };
        let helper = match data {
            InstData::CallHelper { helper, .. } => {
                CALLING_BACK.iter().find(|row| row.helper == *helper)
            }
            _ => None,
        };
        let mut index = 0;
        data.for_each_operand(|value| {
            if let Some(callback) = address(value) {
                let signature = &self.module.functions[callback].signature;
                let fits = helper.is_some_and(|row| {
                    row.argument == index
                        && row.calls(&signature.params)
                        && signature.result == Some(Kind::Scalar)
                });
                if !fits {
                    self.broken(Rule::CallsBack(callback));
                }
            }
            index += 1;
        });
    }

    fn check_kind(&mut self, value: Value, wanted: Kind) {
        if let Some(is) = self.kind(value)
            && is != wanted
        {
            self.broken(Rule::OfKind { value, wanted, is });
        }
    }

    /// The function of the module that a value is the result of.
    fn callee_of(&self, value: Value) -> Option<FuncId> {
        match self.function.insts[self.function.definition(value)?] {
            InstData::Call { function, .. } => Some(function),
            _ => None,
        }
    }

    /// What a value is, where that can be seen at its definition.
    fn kind(&self, value: Value) -> Option<Kind> {
        let Some(inst) = self.function.definition(value) else {
            return self.function.param_kind(value);
        };
        match &self.function.insts[inst] {
            InstData::Const(_) | InstData::Compare { .. } | InstData::Extend { .. } => {
                Some(Kind::Scalar)
            }
            InstData::SlotAddr { .. } => Some(Kind::Memory),
            InstData::MapPointer(_) => Some(Kind::Map),
            InstData::Call { function, .. } => self.module.functions[*function].signature.result,
            InstData::CallHelper {
                helper: MAP_LOOKUP_ELEM,
                ..
            } => Some(Kind::MapValue),
            _ => None,
        }
    }
}
