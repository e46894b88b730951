//! ELF objects in the running kernel: parsed and linked by aya-obj, loaded as this crate loads maps and programs.

use crate::program::{self, Program, ProgramSpec, Records, load_btf};
use crate::{Map, MapSpec};
use aya_obj::generated::bpf_insn;
use aya_obj::{Object, ProgramSection, btf::BtfFeatures};
use std::collections::{BTreeMap, HashSet};
use std::os::fd::{OwnedFd, RawFd};

/// A loaded object.
#[derive(Debug)]
pub struct Loaded {
    /// Its maps, by symbol.
    pub maps: BTreeMap<String, Map>,
    /// Its programs, by symbol.
    pub programs: BTreeMap<String, Program>,
    /// What the verifier said of each program, if it was asked.
    pub logs: BTreeMap<String, String>,
}

impl Loaded {
    /// Loads all maps and programs.
    ///
    /// # Errors
    /// What is wrong with the object, or the verifier's words if it refuses a program.
    pub fn new(elf: &[u8]) -> Result<Loaded, String> {
        Loaded::load(parse(elf)?, false)
    }

    /// Loads all, with this immediate in the instruction `index` of a program.
    ///
    /// # Errors
    /// As [`Loaded::new`].
    ///
    /// # Panics
    /// If there is no such program or instruction.
    pub fn with_immediate(
        elf: &[u8],
        program: &str,
        index: usize,
        immediate: i32,
    ) -> Result<Loaded, String> {
        let mut object = parse(elf)?;
        let key = object.programs[program].function_key();
        let function = object.functions.get_mut(&key).expect("its function");
        function.instructions[index].imm = immediate;
        Loaded::load(object, false)
    }

    /// Loads all, and keeps what the verifier says of what it accepts.
    ///
    /// # Errors
    /// As [`Loaded::new`].
    pub fn with_logs(elf: &[u8]) -> Result<Loaded, String> {
        Loaded::load(parse(elf)?, true)
    }

    fn load(mut object: Object, verbose: bool) -> Result<Loaded, String> {
        let features = BtfFeatures::new(true, true, true, true, true, true, true, true);
        let btf = object
            .fixup_and_sanitize_btf(&features)
            .map_err(|error| format!("BTF: {error}"))?
            .ok_or("no BTF")?
            .to_bytes();
        let btf = load_btf(&btf)?;
        let mut maps = BTreeMap::new();
        for (name, map) in &object.maps {
            let spec = MapSpec {
                map_type: map.map_type(),
                key_size: map.key_size(),
                value_size: map.value_size(),
                max_entries: map.max_entries(),
                flags: map.map_flags(),
            };
            let fail = |error| format!("map {name}: {error}");
            let made = Map::new(spec).map_err(fail)?;
            if !map.data().is_empty() {
                made.freeze(map.data()).map_err(fail)?;
            }
            maps.insert(name.clone(), made);
        }
        link(&mut object, &|name| maps[name].fd())?;
        let mut loaded = Loaded {
            maps,
            programs: BTreeMap::new(),
            logs: BTreeMap::new(),
        };
        for (name, program) in &object.programs {
            let (program, log) = load_program(&object, program, &btf, verbose)
                .map_err(|error| format!("program {name}: {error}"))?;
            loaded.programs.insert(name.clone(), program);
            loaded.logs.insert(name.clone(), log);
        }
        Ok(loaded)
    }

    /// Runs a raw tracepoint program once with these arguments; what it returned.
    pub fn run(&self, program: &str, arguments: &[u64]) -> u32 {
        let result = self.programs[program].run(arguments);
        result.unwrap_or_else(|error| panic!("{program} cannot be run: {error}"))
    }

    /// The first value of an array that all CPUs share.
    pub fn value(&self, map: &str) -> Vec<u8> {
        let first = self.maps[map].bytes(&0_u32.to_ne_bytes());
        first.expect("the entry of an array is there")
    }
}

/// Parses an ELF file as aya does.
///
/// # Errors
/// What is wrong with it.
pub fn parse(elf: &[u8]) -> Result<Object, String> {
    Object::parse(elf).map_err(|error| format!("aya-obj: {error}"))
}

/// Resolves references to maps and functions, so that each program is one list of instructions. `fd` says what stands
/// for a map.
///
/// # Errors
/// What is wrong with the object.
pub fn link(object: &mut Object, fd: &dyn Fn(&str) -> RawFd) -> Result<(), String> {
    let text: HashSet<usize> = object
        .functions
        .keys()
        .map(|&(section, _)| section)
        .collect();
    let maps = object.maps.clone();
    let fds = maps
        .iter()
        .map(|(name, map)| (name.as_str(), fd(name), map));
    object
        .relocate_maps(fds, &text)
        .map_err(|error| format!("aya-obj: {error:?}"))?;
    object
        .relocate_calls(&text)
        .map_err(|error| format!("aya-obj: {error:?}"))
}

fn load_program(
    object: &Object,
    program: &aya_obj::Program,
    btf: &OwnedFd,
    verbose: bool,
) -> Result<(Program, String), String> {
    let function = &object.functions[&program.function_key()];
    let functions = function.func_info.func_info_bytes();
    let lines = function.line_info.line_info_bytes();
    let spec = ProgramSpec {
        program_type: match program.section {
            ProgramSection::KProbe | ProgramSection::UProbe { .. } => program::KPROBE,
            ProgramSection::TracePoint => program::TRACEPOINT,
            ProgramSection::PerfEvent => program::PERF_EVENT,
            ProgramSection::RawTracePoint => program::RAW_TRACEPOINT,
            ref other => return Err(format!("unexpected section {other:?}")),
        },
        instructions: bytes(&function.instructions),
        btf,
        functions: Records {
            bytes: &functions,
            size: function.func_info_rec_size as u32,
        },
        lines: Records {
            bytes: &lines,
            size: function.line_info_rec_size as u32,
        },
    };
    if verbose {
        return Program::load_with_log(&spec);
    }
    Program::load(&spec).map(|program| (program, String::new()))
}

fn bytes(instructions: &[bpf_insn]) -> &[u8] {
    // SAFETY: an instruction is eight bytes of integers without padding.
    unsafe { std::slice::from_raw_parts(instructions.as_ptr().cast(), size_of_val(instructions)) }
}
