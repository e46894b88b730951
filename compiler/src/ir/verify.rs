//! The rules of the IR, checked: what lowering promises and the emitter relies on.
//!
//! In comes a module, out come all its [`Violation`]s. Debug builds check every module that is lowered, and tests those
//! that they build; release builds do not. What the kernel's verifier checks of pointers (their bounds, whether they
//! were compared with null) is left to it.

use super::dominance::Dominance;
use super::{
    Block, FuncId, Function, Inst, InstData, Kind, Literal, Module, ProbeId, Signature, Slot,
    Value, ValueDef,
};
use cranelift_entity::SecondaryMap;
use pfscript_grammar::Span;
use pfscript_probes::catalogue;
use std::collections::HashSet;
use std::fmt;

/// The most arguments of a call, and parameters of a function.
const MAX_ARGS: usize = 5;
/// `BPF_FUNC_map_lookup_elem`, whose result is a map value.
const MAP_LOOKUP_ELEM: u32 = 1;

/// A helper that calls a function of the module back.
struct CallingBack {
    /// Its number.
    helper: u32,
    /// Which of its arguments the function is.
    argument: usize,
    /// What it calls the function with. The function gives a number: 0 to go on, 1 to stop.
    params: &'static [Kind],
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

/// A rule that is broken, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Each block ends in a terminator, and has no other.
    OneTerminator(Block),
    /// Each instruction stands in one block, once.
    StandsOnce,
    /// A function has a block to begin with.
    HasBlocks,
    /// What an instruction or probe names exists.
    Exists(String),
    /// An instruction has a result if and only if it defines a value.
    ResultIfAny,
    /// A value is used only where its definition is on every path.
    Dominated(Value),
    /// An access stays within its slot.
    WithinSlot {
        /// The slot.
        slot: Slot,
        /// The first byte.
        offset: u32,
        /// How many.
        bytes: u32,
    },
    /// A slot's size is a multiple of 8 and not 0.
    SlotSize(Slot),
    /// A literal fits where it is written.
    LiteralFits(Literal),
    /// A call has as many arguments as what it calls has parameters.
    Arity {
        /// What is called.
        callee: String,
        /// How many arguments it takes.
        takes: usize,
        /// How many it gets.
        gets: usize,
    },
    /// Helpers, and functions, take at most five arguments.
    FiveArguments(usize),
    /// Arguments and results are of the kinds that the signature says.
    OfKind {
        /// The value.
        value: Value,
        /// What the signature says.
        wanted: Kind,
        /// What it is.
        is: Kind,
    },
    /// Only what gives a result is used as a value, and `return` gives one if and only if the signature says so.
    NoResult(FuncId),
    /// The address of a function is given only to a helper that calls back, of the signature that it calls.
    CallsBack(FuncId),
    /// No function calls itself, directly or through others.
    NoRecursion,
    /// A symbol is an identifier, and no other function's.
    Symbol(String),
    /// A body has the signature of a body, belongs to one probe, and is not called.
    BodyOfOne(FuncId),
    /// A function takes at most one context, and only a body takes a frame.
    Parameters,
}

/// A rule that is broken, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The function, if it is in one.
    pub function: Option<FuncId>,
    /// The instruction, if it is one.
    pub inst: Option<Inst>,
    /// The place in the script that the instruction comes from.
    pub span: Span,
    /// The rule.
    pub rule: Rule,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(function) = self.function {
            write!(f, "{function}: ")?;
        }
        if let Some(inst) = self.inst {
            write!(f, "{inst}: ")?;
        }
        self.rule.fmt(f)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::OneTerminator(block) => {
                write!(f, "{block} does not end in its only terminator")
            }
            Rule::StandsOnce => f.write_str("the instruction does not stand in one block, once"),
            Rule::HasBlocks => f.write_str("the function has no block"),
            Rule::Exists(what) => write!(f, "{what} does not exist"),
            Rule::ResultIfAny => f.write_str("it has a result and defines none, or the reverse"),
            Rule::Dominated(value) => {
                write!(f, "{value} is used where it is not defined on every path")
            }
            Rule::WithinSlot {
                slot,
                offset,
                bytes,
            } => write!(f, "{bytes} bytes at {offset} are not within {slot}"),
            Rule::SlotSize(slot) => {
                write!(f, "the size of {slot} is 0 or no multiple of 8")
            }
            Rule::LiteralFits(literal) => write!(f, "{literal} is longer than its place"),
            Rule::Arity {
                callee,
                takes,
                gets,
            } => write!(f, "{callee} takes {takes} arguments and gets {gets}"),
            Rule::FiveArguments(count) => {
                write!(
                    f,
                    "{count} arguments or parameters; {MAX_ARGS} are the most"
                )
            }
            Rule::OfKind { value, wanted, is } => {
                write!(f, "{value} is {is:?} and must be {wanted:?}")
            }
            Rule::NoResult(function) => {
                write!(
                    f,
                    "the result of {function} is used or given against its signature"
                )
            }
            Rule::CallsBack(function) => write!(
                f,
                "the address of {function} is given where no function of its signature is called back"
            ),
            Rule::NoRecursion => f.write_str("the function calls itself"),
            Rule::Symbol(symbol) => write!(
                f,
                "the symbol {symbol:?} is no identifier or stands for two functions"
            ),
            Rule::BodyOfOne(function) => write!(
                f,
                "{function} is not the body of one probe alone, with the signature of a body"
            ),
            Rule::Parameters => {
                f.write_str("it takes two contexts, or takes a frame and is no body")
            }
        }
    }
}

/// Checks a module that calls the routines of the template library.
///
/// # Errors
/// All that breaks a rule.
pub fn verify(module: &Module) -> Result<(), Vec<Violation>> {
    verify_with(module, &|name| {
        catalogue::routine(name).map(|routine| routine.params.len())
    })
}

/// Checks a module that calls other routines too; `arity` says how many arguments each takes.
///
/// # Errors
/// All that breaks a rule.
pub fn verify_with(
    module: &Module,
    arity: &dyn Fn(&str) -> Option<usize>,
) -> Result<(), Vec<Violation>> {
    let mut violations = Vec::new();
    check_probes(module, &mut violations);
    check_symbols(module, &mut violations);
    check_recursion(module, &mut violations);
    for (id, function) in &module.functions {
        let mut checker = Checker {
            module,
            arity,
            id,
            function,
            violations: &mut violations,
            inst: None,
        };
        // What follows looks things up by what this has found to exist.
        if checker.check_entities() {
            checker.check_dominance();
            checker.check_signatures();
        }
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(violations)
    }
}

fn in_function(function: FuncId, rule: Rule) -> Violation {
    Violation {
        function: Some(function),
        inst: None,
        span: Span::default(),
        rule,
    }
}

fn check_probes(module: &Module, violations: &mut Vec<Violation>) {
    let mut owners: SecondaryMap<FuncId, Option<ProbeId>> = SecondaryMap::new();
    for (probe, data) in &module.probes {
        let Some(body) = module.functions.get(data.body) else {
            let rule = Rule::Exists(format!("{}, the body of {probe},", data.body));
            violations.push(in_function(data.body, rule));
            continue;
        };
        let taken = owners[data.body].replace(probe).is_some();
        if taken || body.signature != Signature::body() {
            violations.push(in_function(data.body, Rule::BodyOfOne(data.body)));
        }
    }
    for (id, function) in &module.functions {
        for callee in function.callees() {
            if owners[callee].is_some() {
                violations.push(in_function(id, Rule::BodyOfOne(callee)));
            }
        }
        let count = |kind| {
            let params = function.signature.params.iter();
            params.filter(|&&param| param == kind).count()
        };
        if function.signature.params.len() > MAX_ARGS {
            let rule = Rule::FiveArguments(function.signature.params.len());
            violations.push(in_function(id, rule));
        }
        if count(Kind::Context) > 1 || (count(Kind::Frame) > 0 && owners[id].is_none()) {
            violations.push(in_function(id, Rule::Parameters));
        }
    }
}

fn check_symbols(module: &Module, violations: &mut Vec<Violation>) {
    let mut known = HashSet::new();
    for (id, function) in &module.functions {
        let symbol = function.symbol.as_str();
        let plain = symbol
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_');
        if symbol.is_empty() || !plain || !known.insert(symbol) {
            violations.push(in_function(id, Rule::Symbol(symbol.to_owned())));
        }
    }
}

/// Walks the calls in depth; a function that is met while it is being walked calls itself.
fn check_recursion(module: &Module, violations: &mut Vec<Violation>) {
    #[derive(Clone, Copy, Default, PartialEq)]
    enum State {
        #[default]
        New,
        Open,
        Done,
    }
    let mut states: SecondaryMap<FuncId, State> = SecondaryMap::new();
    for root in module.functions.keys() {
        // A function to enter, or, if true, one whose callees are done.
        let mut work = vec![(root, false)];
        while let Some((id, done)) = work.pop() {
            if done {
                states[id] = State::Done;
                continue;
            }
            if states[id] != State::New {
                continue;
            }
            states[id] = State::Open;
            work.push((id, true));
            let Some(function) = module.functions.get(id) else {
                continue;
            };
            for callee in function.callees() {
                match states[callee] {
                    State::New => work.push((callee, false)),
                    State::Open => violations.push(in_function(callee, Rule::NoRecursion)),
                    State::Done => {}
                }
            }
        }
    }
}

/// Checks one function.
struct Checker<'a> {
    module: &'a Module,
    arity: &'a dyn Fn(&str) -> Option<usize>,
    id: FuncId,
    function: &'a Function,
    violations: &'a mut Vec<Violation>,
    /// The instruction at hand.
    inst: Option<Inst>,
}

impl Checker<'_> {
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
            InstData::SlotAddr { slot, .. } if function.slots.get(slot).is_none() => {
                self.missing(slot);
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
                        && row.params == signature.params
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
