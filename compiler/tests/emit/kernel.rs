//! An object in this kernel: parsed and linked by aya-obj, loaded and run by bare system calls.

use aya_obj::generated::{bpf_attr, bpf_cmd, bpf_prog_info};
use aya_obj::{Object, ProgramSection, btf::BtfFeatures};
use pfscript_compiler::manifest::ReadOnlyData;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

const PROG_TYPE_KPROBE: u32 = 2;
const PROG_TYPE_TRACEPOINT: u32 = 5;
const PROG_TYPE_PERF_EVENT: u32 = 7;
const PROG_TYPE_RAW_TRACEPOINT: u32 = 17;

/// Why the tests that need the kernel cannot run here.
pub fn unavailable() -> Option<&'static str> {
    // SAFETY: geteuid has no preconditions.
    (unsafe { libc::geteuid() } != 0).then_some("loading programs needs root")
}

/// A loaded object.
pub struct Loaded {
    pub maps: BTreeMap<String, OwnedFd>,
    pub programs: BTreeMap<String, OwnedFd>,
    /// What the verifier said of each program.
    pub logs: BTreeMap<String, String>,
}

impl Loaded {
    /// Loads all maps and programs; the verifier's words if it refuses one.
    pub fn new(elf: &[u8]) -> Result<Loaded, String> {
        Loaded::load(elf, false)
    }

    /// Loads all for one process alone, or for all if it is 0.
    pub fn narrowed(elf: &[u8], process: u32) -> Result<Loaded, String> {
        let mut object = parse(elf)?;
        let word = u64::from(process).to_le_bytes();
        let data = HashMap::from([(ReadOnlyData::PROCESS, (&word[..], false))]);
        object
            .patch_map_data(data)
            .map_err(|error| format!("aya-obj: {error}"))?;
        Loaded::load_object(object, false)
    }

    /// Loads all, and keeps what the verifier says of what it accepts.
    pub fn with_logs(elf: &[u8]) -> Result<Loaded, String> {
        Loaded::load(elf, true)
    }

    fn load(elf: &[u8], verbose: bool) -> Result<Loaded, String> {
        Loaded::load_object(parse(elf)?, verbose)
    }

    fn load_object(mut object: Object, verbose: bool) -> Result<Loaded, String> {
        let btf = load_btf(&mut object)?;
        let mut maps = BTreeMap::new();
        for (name, map) in &object.maps {
            let mut attr = zeroed();
            // SAFETY: the union's fields are plain data, and all of it was zeroed.
            let create = unsafe { &mut attr.__bindgen_anon_1 };
            create.map_type = map.map_type();
            create.key_size = map.key_size();
            create.value_size = map.value_size();
            create.max_entries = map.max_entries();
            create.map_flags = map.map_flags();
            let fd = bpf(bpf_cmd::BPF_MAP_CREATE, &mut attr)
                .map_err(|error| format!("map {name}: {error}"))?;
            let fd = owned(fd);
            if !map.data().is_empty() {
                freeze(&fd, map.data()).map_err(|error| format!("map {name}: {error}"))?;
            }
            maps.insert(name.clone(), fd);
        }
        link(&mut object, &|name| maps[name].as_raw_fd())?;
        let mut programs = BTreeMap::new();
        let mut logs = BTreeMap::new();
        for (name, program) in &object.programs {
            let (fd, log) = load_program(&object, program, btf.as_raw_fd(), verbose)
                .map_err(|error| format!("program {name}: {error}"))?;
            programs.insert(name.clone(), fd);
            logs.insert(name.clone(), log);
        }
        Ok(Loaded {
            maps,
            programs,
            logs,
        })
    }

    /// Runs a raw tracepoint program once with these arguments as its context.
    pub fn run(&self, program: &str, context: &[u64]) -> Result<u32, String> {
        let mut attr = zeroed();
        // SAFETY: as above.
        let test = unsafe { &mut attr.test };
        test.prog_fd = self.programs[program].as_raw_fd() as u32;
        if !context.is_empty() {
            test.ctx_in = context.as_ptr() as u64;
            test.ctx_size_in = size_of_val(context) as u32;
        }
        bpf(bpf_cmd::BPF_PROG_TEST_RUN, &mut attr).map_err(|error| error.to_string())?;
        // SAFETY: the kernel wrote this field.
        Ok(unsafe { attr.test.retval })
    }

    /// How many instructions the verifier has left of a program.
    pub fn instructions(&self, program: &str) -> usize {
        // SAFETY: all fields are integers, for which zero is valid.
        let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
        let mut attr = zeroed();
        attr.info.bpf_fd = self.programs[program].as_raw_fd() as u32;
        attr.info.info = (&raw mut info) as u64;
        attr.info.info_len = size_of::<bpf_prog_info>() as u32;
        bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr).expect("a program of our own");
        info.xlated_prog_len as usize / 8
    }

    /// The value of an array map with one entry, which is not per CPU.
    pub fn value(&self, map: &str, bytes: usize) -> Vec<u8> {
        let key = 0u32;
        let mut value = vec![0u8; bytes];
        let mut attr = zeroed();
        // SAFETY: as above.
        let element = unsafe { &mut attr.__bindgen_anon_2 };
        element.map_fd = self.maps[map].as_raw_fd() as u32;
        element.key = (&raw const key) as u64;
        element.__bindgen_anon_1.value = value.as_mut_ptr() as u64;
        bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attr).expect("the entry of an array is there");
        value
    }
}

/// Fills the only value of an array map, for good.
fn freeze(map: &OwnedFd, data: &[u8]) -> std::io::Result<()> {
    let key = 0u32;
    let mut attr = zeroed();
    // SAFETY: as above.
    let element = unsafe { &mut attr.__bindgen_anon_2 };
    element.map_fd = map.as_raw_fd() as u32;
    element.key = (&raw const key) as u64;
    element.__bindgen_anon_1.value = data.as_ptr() as u64;
    bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attr)?;
    let mut attr = zeroed();
    attr.__bindgen_anon_2.map_fd = map.as_raw_fd() as u32;
    bpf(bpf_cmd::BPF_MAP_FREEZE, &mut attr).map(drop)
}

/// Parses an ELF file as aya does.
pub fn parse(elf: &[u8]) -> Result<Object, String> {
    Object::parse(elf).map_err(|error| format!("aya-obj: {error}"))
}

/// Resolves references to maps and functions, so that each program is one list of instructions.
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

fn load_btf(object: &mut Object) -> Result<OwnedFd, String> {
    let features = BtfFeatures::new(true, true, true, true, true, true, true, true);
    let btf = object
        .fixup_and_sanitize_btf(&features)
        .map_err(|error| format!("BTF: {error}"))?
        .ok_or("no BTF")?
        .to_bytes();
    let mut log = vec![0u8; 1 << 16];
    let mut attr = zeroed();
    // SAFETY: as above.
    let load = unsafe { &mut attr.__bindgen_anon_7 };
    load.btf = btf.as_ptr() as u64;
    load.btf_size = btf.len() as u32;
    load.btf_log_buf = log.as_mut_ptr() as u64;
    load.btf_log_size = log.len() as u32;
    load.btf_log_level = 1;
    let fd = bpf(bpf_cmd::BPF_BTF_LOAD, &mut attr)
        .map_err(|error| format!("BTF: {error}\n{}", text(&log)))?;
    Ok(owned(fd))
}

fn load_program(
    object: &Object,
    program: &aya_obj::Program,
    btf: RawFd,
    verbose: bool,
) -> Result<(OwnedFd, String), String> {
    let function = &object.functions[&program.function_key()];
    let func_info = function.func_info.func_info_bytes();
    let line_info = function.line_info.line_info_bytes();
    let mut attr = zeroed();
    // SAFETY: as above.
    let load = unsafe { &mut attr.__bindgen_anon_3 };
    load.prog_type = match program.section {
        ProgramSection::KProbe => PROG_TYPE_KPROBE,
        ProgramSection::TracePoint => PROG_TYPE_TRACEPOINT,
        ProgramSection::PerfEvent => PROG_TYPE_PERF_EVENT,
        ProgramSection::RawTracePoint => PROG_TYPE_RAW_TRACEPOINT,
        ref other => return Err(format!("unexpected section {other:?}")),
    };
    load.insns = function.instructions.as_ptr() as u64;
    load.insn_cnt = function.instructions.len() as u32;
    load.license = program.license.as_ptr() as u64;
    load.prog_btf_fd = btf as u32;
    load.func_info = func_info.as_ptr() as u64;
    load.func_info_rec_size = function.func_info_rec_size as u32;
    load.func_info_cnt = function.func_info.len() as u32;
    load.line_info = line_info.as_ptr() as u64;
    load.line_info_rec_size = function.line_info_rec_size as u32;
    load.line_info_cnt = function.line_info.len() as u32;
    if !verbose && let Ok(fd) = bpf(bpf_cmd::BPF_PROG_LOAD, &mut attr) {
        return Ok((owned(fd), String::new()));
    }
    let mut log = vec![0u8; 1 << 24];
    // SAFETY: as above.
    let load = unsafe { &mut attr.__bindgen_anon_3 };
    load.log_buf = log.as_mut_ptr() as u64;
    load.log_size = log.len() as u32;
    load.log_level = 2;
    match bpf(bpf_cmd::BPF_PROG_LOAD, &mut attr) {
        Ok(fd) => Ok((owned(fd), text(&log))),
        Err(error) => Err(format!("{error}\n{}", text(&log))),
    }
}

fn text(log: &[u8]) -> String {
    let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
    String::from_utf8_lossy(&log[..end]).into_owned()
}

fn zeroed() -> bpf_attr {
    // SAFETY: all fields are integers, for which zero is valid.
    unsafe { std::mem::zeroed() }
}

fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> std::io::Result<i32> {
    // SAFETY: the attribute is valid for its size, and what its addresses point to outlives the call in all callers.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command as i32, attr, size_of::<bpf_attr>()) };
    if result < 0 {
        Err(std::io::Error::last_os_error())
    } else {
        Ok(result as i32)
    }
}

fn owned(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just returned this descriptor to us, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
