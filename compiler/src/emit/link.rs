//! Puts functions and templates together: programs, shared functions and maps, ready to be written.
//!
//! An action that needs no scratch memory is the program itself. One that does is a function, called by a copy of its
//! program kind's entry template, with the hole made a call of it and the parameters made constants. Before either stands
//! its guards, if it has any ([`super::guard`]). Functions are these bodies, the other
//! functions of the module, then the routines that something reaches, in the order in which they are reached.

use super::asm::{Code, INSN_BYTES, Insn, LD_IMM64, Reference};
use super::frame::{MAX_CALL_FRAMES, STACK_BYTES, STACK_ROUNDING};
use super::{AssembleError, ErrorKind, functions, guard};
use crate::ir::{MapData, Module, ProbeData, ProbeId};
use pfscript_grammar::Span;
use pfscript_probes::abi::{
    LOSS_PARAMETER, PID_NAMESPACE_PARAMETER, PID_TGID_ROUTINE, SCRATCH_LEVELS, helper, map,
};
use pfscript_probes::{LOSS_CAUSES, MapTemplate, Referent, Template};
use std::collections::{HashMap, HashSet};

/// Where templates come from, by name.
pub type TemplateSource<'a> = dyn Fn(&str) -> Option<&'a Template<'a>> + 'a;

/// A function with a symbol.
#[derive(Clone, Debug)]
pub struct LinkedFunction {
    /// Its symbol.
    pub symbol: String,
    /// Its code. That of templates has no places in the script.
    pub code: Code,
    /// Bytes of stack.
    stack_bytes: u32,
    /// If the verifier checks it once, whoever calls it: how many numbers it takes.
    pub global: Option<usize>,
}

/// A program: an entry in a section of its own.
#[derive(Clone, Debug)]
pub struct Program {
    /// The section: program type and symbol.
    pub section: String,
    /// The entry.
    pub entry: LinkedFunction,
}

/// What an object is written from.
#[derive(Clone, Debug, Default)]
pub struct Linked {
    /// The programs, by probe.
    pub programs: Vec<Program>,
    /// The functions of `.text`.
    pub functions: Vec<LinkedFunction>,
    /// The maps.
    pub maps: Vec<MapData>,
    /// Whether a program reads the word that stops it.
    pub stop_word: bool,
    /// The templates in use.
    pub templates: Vec<String>,
    /// Bytes of a frame.
    pub frame_bytes: u32,
}

/// Compiles all bodies, and brings what they need.
pub fn link(module: &Module, templates: &TemplateSource<'_>) -> Result<Linked, AssembleError> {
    let mut linked = Linked {
        maps: module.maps.values().cloned().collect(),
        ..Linked::default()
    };
    let mut compiled = functions::compile(module)?;
    for (probe, data) in module.probes.iter() {
        let fail = |kind| AssembleError {
            probe: Some(probe),
            ..AssembleError::from(kind)
        };
        let missing = || ErrorKind::Malformed(format!("{} is the body of two probes", data.body));
        let body = compiled[data.body].take().ok_or_else(|| fail(missing()))?;
        linked.frame_bytes = linked.frame_bytes.max(body.frame_bytes);
        linked.stop_word |= data.stops;
        if body.frame_bytes == 0 {
            // An entry would do nothing but call.
            let code = program_code(data, body.code, None);
            let program = program(probe, data, code.map_err(fail)?, body.stack_bytes);
            linked.programs.push(program);
            continue;
        }
        let body_symbol = module.functions[data.body].symbol.clone();
        let entry = enter(probe, data, &body_symbol, templates).map_err(fail)?;
        let place = first_place(&body.code);
        let code = program_code(data, entry.code, place).map_err(fail)?;
        let name = data.kind.info().framed_entry;
        if !linked.templates.iter().any(|known| known == name) {
            linked.templates.push(name.to_owned());
        }
        linked
            .programs
            .push(program(probe, data, code, entry.stack_bytes));
        linked.functions.push(LinkedFunction {
            symbol: body_symbol,
            code: body.code,
            stack_bytes: body.stack_bytes,
            global: None,
        });
    }
    for (id, function) in module.functions.iter() {
        if let Some(compiled) = compiled[id].take() {
            linked.functions.push(LinkedFunction {
                symbol: function.symbol.clone(),
                code: compiled.code,
                stack_bytes: compiled.stack_bytes,
                global: None,
            });
        }
    }
    if linked.frame_bytes > 0 {
        linked.maps.push(scratch_map(linked.frame_bytes));
    }
    reach(&mut linked, module, templates)?;
    check_maps(&linked)?;
    check_stack(&linked)?;
    Ok(linked)
}

fn scratch_map(frame: u32) -> MapData {
    let template = MapTemplate::Scratch {
        frame: frame.next_multiple_of(8),
    };
    MapData {
        symbol: map::SCRATCH.to_owned(),
        map_type: template.bpf_map_type(),
        key_size: 4,
        value_size: template.value_size(),
        max_entries: SCRATCH_LEVELS,
        flags: 0,
    }
}

/// Where in the script a function's code begins.
fn first_place(code: &Code) -> Option<Span> {
    code.places.first().map(|&(_, place)| place)
}

/// A program's code: its guards, and what it does. An entry has no place in the script of its own: the
/// kernel's messages about it show `place`, where the body begins.
fn program_code(data: &ProbeData, mut code: Code, place: Option<Span>) -> Result<Code, ErrorKind> {
    if let Some(place) = place {
        code.places.insert(0, (0, place));
    }
    guard::guarded(data, code).map_err(|_| ErrorKind::TooLong)
}

fn program(probe: ProbeId, data: &ProbeData, code: Code, stack_bytes: u32) -> Program {
    let symbol = format!("p{}", probe.as_u32());
    Program {
        section: format!("{}/{symbol}", data.kind.info().section),
        entry: LinkedFunction {
            symbol,
            code,
            stack_bytes,
            global: None,
        },
    }
}

/// The entry template of a probe's kind, made to call its body.
fn enter(
    probe: ProbeId,
    data: &ProbeData,
    body_symbol: &str,
    templates: &TemplateSource<'_>,
) -> Result<LinkedFunction, ErrorKind> {
    let name = data.kind.info().framed_entry;
    let template = templates(name).ok_or_else(|| ErrorKind::UnknownTemplate(name.to_owned()))?;
    let parameter = |name: &str| match name {
        LOSS_PARAMETER => Some(u64::from(probe.as_u32()) * u64::from(LOSS_CAUSES)),
        _ => None,
    };
    instantiate(template, name, Some(body_symbol), &parameter)
}

/// Brings the routines that the functions refer to, and those that these refer to.
fn reach(
    linked: &mut Linked,
    module: &Module,
    templates: &TemplateSource<'_>,
) -> Result<(), ErrorKind> {
    let parameter = |name: &str| module.parameters.get(name).copied();
    let mut known: HashSet<String> = linked
        .functions
        .iter()
        .map(|function| function.symbol.clone())
        .collect();
    let wanted = |function: &LinkedFunction| -> Vec<String> {
        let references = function.code.references.iter();
        references
            .filter_map(|(_, reference)| match reference {
                Reference::Call(symbol) | Reference::Callback(symbol) => Some(symbol.clone()),
                Reference::Map(_) | Reference::Data(_) | Reference::Process => None,
            })
            .collect()
    };
    let namespace = module.parameters.contains_key(PID_NAMESPACE_PARAMETER);
    if namespace {
        let entries = linked.programs.iter_mut().map(|program| &mut program.entry);
        for function in entries.chain(&mut linked.functions) {
            translate_process_ids(&mut function.code);
        }
    }
    let entries = linked.programs.iter().map(|program| &program.entry);
    let mut queue: Vec<String> = entries.chain(&linked.functions).flat_map(wanted).collect();
    // A queue with an index instead of removal: what is reached is appended while it is read.
    let mut next = 0;
    while let Some(symbol) = queue.get(next).cloned() {
        next += 1;
        if !known.insert(symbol.clone()) {
            continue;
        }
        let template =
            templates(&symbol).ok_or_else(|| ErrorKind::UnknownTemplate(symbol.clone()))?;
        let mut function = instantiate(template, &symbol, None, &parameter)?;
        if namespace {
            translate_process_ids(&mut function.code);
        }
        queue.extend(wanted(&function));
        linked.templates.push(symbol);
        linked.functions.push(function);
    }
    Ok(())
}

/// Has a routine called instead of the helper that gives process ids. Both take and give the same.
fn translate_process_ids(code: &mut Code) {
    let helper = Insn::call_helper(helper::GET_CURRENT_PID_TGID);
    for (index, insn) in code.insns.iter_mut().enumerate() {
        // What follows an `ld_imm64` is its second half, whose code is 0.
        if *insn == helper {
            *insn = Insn::call_function();
            let routine = Reference::Call(PID_TGID_ROUTINE.to_owned());
            code.references.push((index, routine));
        }
    }
    code.references.sort_by_key(|&(index, _)| index);
}

/// A template's code with its parameters, and its hole if it has one, filled.
fn instantiate(
    template: &Template<'_>,
    symbol: &str,
    body: Option<&str>,
    parameter: &dyn Fn(&str) -> Option<u64>,
) -> Result<LinkedFunction, ErrorKind> {
    let bad = |what: &str| ErrorKind::BadTemplate(format!("{}: {what}", template.name));
    let (chunks, rest) = template.code.as_chunks::<INSN_BYTES>();
    if chunks.is_empty() || !rest.is_empty() {
        return Err(bad("no whole number of instructions"));
    }
    let mut code = Code {
        insns: chunks.iter().copied().map(Insn::decode).collect(),
        ..Code::default()
    };
    for relocation in template.relocations.iter() {
        let index = relocation.instruction;
        let is_load = |insns: &[Insn]| {
            insns.get(index).is_some_and(|insn| insn.code == LD_IMM64) && insns.len() > index + 1
        };
        let is_call = |insns: &[Insn]| {
            insns.get(index).map(|insn| insn.code) == Some(Insn::call_function().code)
        };
        let (reference, right) = match relocation.referent {
            Referent::Call(name) => (Reference::Call(name.to_owned()), is_call(&code.insns)),
            Referent::Hole => {
                let body = body.ok_or_else(|| bad("a routine has a hole"))?;
                (Reference::Call(body.to_owned()), is_call(&code.insns))
            }
            Referent::Callback(name) => {
                (Reference::Callback(name.to_owned()), is_load(&code.insns))
            }
            Referent::Map(name) => (Reference::Map(name.to_owned()), is_load(&code.insns)),
            Referent::Parameter(name) => {
                let value =
                    parameter(name).ok_or_else(|| ErrorKind::UnknownParameter(name.to_owned()))?;
                if !is_load(&code.insns) {
                    return Err(bad("a parameter is not loaded"));
                }
                let load = Insn::load_imm64(super::asm::Reg(code.insns[index].dst), value);
                code.insns[index..index + 2].copy_from_slice(&load);
                continue;
            }
        };
        if !right {
            return Err(bad("a reference is neither called nor loaded"));
        }
        if is_call(&code.insns) {
            code.insns[index] = Insn::call_function();
        }
        code.references.push((index, reference));
    }
    Ok(LinkedFunction {
        symbol: symbol.to_owned(),
        stack_bytes: stack_bytes(&code.insns),
        code,
        global: template.is_global().then(|| template.params().count()),
    })
}

fn check_maps(linked: &Linked) -> Result<(), ErrorKind> {
    let maps: HashSet<&str> = linked.maps.iter().map(|map| map.symbol.as_str()).collect();
    let entries = linked.programs.iter().map(|program| &program.entry);
    for function in entries.chain(&linked.functions) {
        for (_, reference) in &function.code.references {
            if let Reference::Map(symbol) = reference
                && !maps.contains(symbol.as_str())
            {
                return Err(ErrorKind::UnknownMap(symbol.clone()));
            }
        }
    }
    Ok(())
}

/// The instruction of each program that is narrowed to a process whose immediate is the process's id, by probe.
pub fn narrowings(linked: &Linked) -> Vec<Option<u32>> {
    let narrowing = |program: &Program| {
        let mut references = program.entry.code.references.iter();
        let found = references.find(|(_, reference)| *reference == Reference::Process);
        found.map(|&(index, _)| index as u32)
    };
    linked.programs.iter().map(narrowing).collect()
}

/// The most maps that one program may refer to: `MAX_USED_MAPS` (kernel/bpf/verifier.c).
pub const MAX_MAPS: usize = 64;

/// The programs that refer to more than [`MAX_MAPS`] maps, with all that they call, and to how many. The data is one.
pub fn too_many_maps(linked: &Linked) -> Vec<(ProbeId, usize)> {
    if linked.maps.len() < MAX_MAPS {
        return Vec::new();
    }
    let functions: HashMap<&str, &LinkedFunction> = linked
        .functions
        .iter()
        .map(|function| (function.symbol.as_str(), function))
        .collect();
    let count = |entry: &LinkedFunction| {
        let mut maps = HashSet::new();
        let mut seen = HashSet::new();
        let mut work = vec![entry];
        while let Some(function) = work.pop() {
            for (_, reference) in &function.code.references {
                match reference {
                    Reference::Map(symbol) | Reference::Data(symbol) => {
                        maps.insert(symbol.clone());
                    }
                    Reference::Process => {}
                    Reference::Call(symbol) | Reference::Callback(symbol) => {
                        if seen.insert(symbol.clone()) {
                            work.extend(functions.get(symbol.as_str()));
                        }
                    }
                }
            }
        }
        maps.len()
    };
    let programs = (0..).map(ProbeId::from_u32).zip(&linked.programs);
    programs
        .map(|(probe, program)| (probe, count(&program.entry)))
        .filter(|(_, maps)| *maps > MAX_MAPS)
        .collect()
}

/// Checks what `check_max_stack_depth` of the kernel checks: the sum along the deepest chain of calls, and its length.
fn check_stack(linked: &Linked) -> Result<(), AssembleError> {
    let mut depths = Depths {
        functions: linked
            .functions
            .iter()
            .map(|function| (function.symbol.as_str(), function))
            .collect(),
        known: HashMap::new(),
    };
    for (index, program) in linked.programs.iter().enumerate() {
        let Depth { bytes, frames } = depths.below(&program.entry);
        let kind = if bytes > STACK_BYTES {
            ErrorKind::StackTooDeep { bytes }
        } else if frames > MAX_CALL_FRAMES {
            ErrorKind::TooManyCalls
        } else {
            continue;
        };
        return Err(AssembleError {
            probe: Some(ProbeId::from_u32(index as u32)),
            ..AssembleError::from(kind)
        });
    }
    Ok(())
}

/// The deepest chain of calls from a function on, itself included.
#[derive(Clone, Copy, Default)]
struct Depth {
    bytes: u32,
    frames: u32,
}

struct Depths<'a> {
    functions: HashMap<&'a str, &'a LinkedFunction>,
    known: HashMap<&'a str, Depth>,
}

impl<'a> Depths<'a> {
    fn below(&mut self, function: &'a LinkedFunction) -> Depth {
        if let Some(&known) = self.known.get(function.symbol.as_str()) {
            return known;
        }
        // What a function that calls itself adds is not known, nor does it matter: the kernel refuses recursion.
        self.known.insert(&function.symbol, Depth::default());
        let mut deepest = Depth::default();
        for (_, reference) in &function.code.references {
            let called = match reference {
                Reference::Call(symbol) | Reference::Callback(symbol) => {
                    self.functions.get(symbol.as_str()).copied()
                }
                Reference::Map(_) | Reference::Data(_) | Reference::Process => None,
            };
            if let Some(called) = called {
                let depth = self.below(called);
                deepest.bytes = deepest.bytes.max(depth.bytes);
                deepest.frames = deepest.frames.max(depth.frames);
            }
        }
        let own = function.stack_bytes.max(1).next_multiple_of(STACK_ROUNDING);
        let depth = Depth {
            bytes: own + deepest.bytes,
            frames: 1 + deepest.frames,
        };
        self.known.insert(&function.symbol, depth);
        depth
    }
}

/// Bytes of stack that code touches: accesses through `r10`, and addresses made from it.
fn stack_bytes(insns: &[Insn]) -> u32 {
    use super::asm::{R10, alu, class, source};
    let mut lowest = 0i32;
    let mut copies = [false; 16];
    copies[usize::from(R10.0)] = true;
    for insn in insns {
        let (dst, src) = (usize::from(insn.dst & 15), usize::from(insn.src & 15));
        match insn.class() {
            class::LDX if insn.src == R10.0 => lowest = lowest.min(insn.off.into()),
            class::ST | class::STX if insn.dst == R10.0 => lowest = lowest.min(insn.off.into()),
            class::ALU64 if insn.code == class::ALU64 | source::X | alu::MOV => {
                copies[dst] = copies[src];
            }
            class::ALU64 if insn.code == class::ALU64 | source::K | alu::ADD && copies[dst] => {
                lowest = lowest.min(insn.imm);
                copies[dst] = false;
            }
            class::ALU | class::ALU64 => copies[dst] = false,
            _ => {}
        }
        if insn.class() == class::LDX || insn.code == LD_IMM64 {
            copies[dst] = false;
        }
    }
    lowest.unsigned_abs()
}
