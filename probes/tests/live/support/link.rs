//! The smallest linker that makes templates and a few hand-written instructions one program.

use std::collections::BTreeMap;

use pfscript_probes::{Referent, library};

use pfscript_testkit::{
    Map, Program,
    program::{ProgramSpec, Records, load_btf},
};

/// Source register of a load of 64 bits that stands for a map (`BPF_PSEUDO_MAP_FD`).
const PSEUDO_MAP: u8 = 1;
/// Source register of a load of 64 bits that stands for a function (`BPF_PSEUDO_FUNC`).
const PSEUDO_FUNCTION: u8 = 4;
/// Source register of a call that goes to a function of the program (`BPF_PSEUDO_CALL`).
const PSEUDO_CALL: u8 = 1;

/// Instructions, with places to fill. Registers are numbers; values on the stack are 8 bytes.
#[derive(Clone, Default)]
pub struct Code {
    bytes: Vec<u8>,
    fill: Vec<(usize, Referent<'static>)>,
}

impl Code {
    /// A body: `r6` is the context, `r7` the frame.
    pub fn body() -> Code {
        Code::default().op(0xbf, 6, 1, 0, 0).op(0xbf, 7, 2, 0, 0)
    }

    /// Any instruction.
    pub fn op(mut self, opcode: u8, target: u8, source: u8, offset: i16, immediate: i32) -> Code {
        self.bytes.extend([opcode, target | source << 4]);
        self.bytes.extend(offset.to_le_bytes());
        self.bytes.extend(immediate.to_le_bytes());
        self
    }

    /// register = number
    pub fn set(self, register: u8, value: u64) -> Code {
        self.op(0x18, register, 0, 0, value as u32 as i32)
            .op(0, 0, 0, 0, (value >> 32) as i32)
    }

    /// register = other register
    pub fn copy(self, register: u8, from: u8) -> Code {
        self.op(0xbf, register, from, 0, 0)
    }

    /// register = context[index]
    pub fn argument(self, register: u8, index: i16) -> Code {
        self.op(0x79, register, 6, index * 8, 0)
    }

    /// stack[offset] = register
    pub fn spill(self, offset: i16, register: u8) -> Code {
        self.op(0x7b, 10, register, offset, 0)
    }

    /// register = &stack[offset]
    pub fn stack(self, register: u8, offset: i16) -> Code {
        self.copy(register, 10)
            .op(0x07, register, 0, 0, offset.into())
    }

    /// register = map
    pub fn map(mut self, register: u8, name: &'static str) -> Code {
        self.fill.push((self.bytes.len() / 8, Referent::Map(name)));
        self.set(register, 0)
    }

    /// Calls a routine.
    pub fn call(mut self, name: &'static str) -> Code {
        self.fill.push((self.bytes.len() / 8, Referent::Call(name)));
        self.op(0x85, 0, PSEUDO_CALL, 0, 0)
    }

    /// Stores `r0` in the element of the map `result`, by its index. Uses the stack at -200 and below.
    pub fn result(self, index: u64) -> Code {
        self.spill(-208, 0)
            .set(1, index)
            .spill(-200, 1)
            .map(1, "result")
            .stack(2, -200)
            .stack(3, -208)
            .set(4, 0)
            .op(0x85, 0, 0, 0, 2)
    }

    /// Returns 0.
    pub fn exit(self) -> Code {
        self.set(0, 0).op(0x95, 0, 0, 0, 0)
    }
}

/// The name that the body has in a linked program.
const BODY: &str = "body";

/// Links `entry`, `body` and what they call, and loads the program.
pub fn load(
    program_type: u32,
    entry: &'static str,
    body: &Code,
    maps: &BTreeMap<&'static str, Map>,
    parameters: &BTreeMap<&'static str, u64>,
) -> Result<Program, String> {
    let mut names = vec![entry];
    let mut code = Vec::new();
    let mut starts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut fill = Vec::new();
    let mut at = 0;
    while let Some(&name) = names.get(at) {
        let start = code.len() / 8;
        starts.insert(name, start);
        let wanted: Vec<(usize, Referent<'static>)> = if name == BODY {
            code.extend(&body.bytes);
            body.fill.clone()
        } else {
            let template = library().get(name).unwrap_or_else(|| panic!("{name}"));
            code.extend(template.code.iter());
            let relocations = template.relocations.iter();
            relocations.map(|r| (r.instruction, r.referent)).collect()
        };
        for (instruction, target) in wanted {
            let called = match target {
                Referent::Call(name) | Referent::Callback(name) => Some(name),
                Referent::Hole => Some(BODY),
                Referent::Map(_) | Referent::Parameter(_) => None,
            };
            if let Some(called) = called
                && !names.contains(&called)
            {
                names.push(called);
            }
            fill.push((start + instruction, target));
        }
        at += 1;
    }
    for (instruction, target) in fill {
        let (source, value) = match target {
            Referent::Map(name) => (PSEUDO_MAP, maps[name].fd() as u64),
            Referent::Parameter(name) => (0, parameters[name]),
            Referent::Call(name) => (PSEUDO_CALL, distance(instruction, starts[name])),
            Referent::Hole => (PSEUDO_CALL, distance(instruction, starts[BODY])),
            Referent::Callback(name) => (PSEUDO_FUNCTION, distance(instruction, starts[name])),
        };
        let wide = code[instruction * 8] == 0x18;
        let place = &mut code[instruction * 8..];
        place[1] = place[1] & 15 | source << 4;
        place[4..8].copy_from_slice(&(value as u32).to_le_bytes());
        if wide && matches!(target, Referent::Parameter(_)) {
            place[12..16].copy_from_slice(&((value >> 32) as u32).to_le_bytes());
        }
    }
    let btf = load_btf(&function_types(&names))?;
    let functions: Vec<u8> = (FIRST_FUNCTION..)
        .zip(&names)
        .flat_map(|(function, name)| [starts[name] as u32, function])
        .flat_map(u32::to_ne_bytes)
        .collect();
    Program::load(&ProgramSpec {
        program_type,
        instructions: &code,
        btf: &btf,
        functions: Records {
            bytes: &functions,
            size: 8,
        },
        lines: Records::default(),
    })
}

/// What a call from one instruction to another has in its immediate field.
fn distance(from: usize, to: usize) -> u64 {
    (to as i64 - from as i64 - 1) as u64
}

/// The type number of the first function; 1 is `int`, 2 is `int ()`.
const FIRST_FUNCTION: u32 = 3;

/// BTF with a static function of each name. Callbacks must have it (check_ld_imm, kernel/bpf/verifier.c).
fn function_types(names: &[&str]) -> Vec<u8> {
    let mut strings = b"\0int\0".to_vec();
    let mut types = vec![1, 1 << 24, 4, 1 << 24 | 32, 0, 13 << 24, 1];
    for name in names {
        types.extend([strings.len() as u32, 12 << 24, 2]);
        strings.extend(name.as_bytes());
        strings.push(0);
    }
    let types: Vec<u8> = types.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut btf = vec![0x9f, 0xeb, 1, 0];
    for word in [24, 0, types.len(), types.len(), strings.len()] {
        btf.extend((word as u32).to_le_bytes());
    }
    btf.extend(types);
    btf.extend(strings);
    btf
}
