//! The bpf(2) and perf_event_open(2) calls that the tests need, and maps on top of them.

use std::{
    io,
    mem::size_of,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use pfscript_probes::maps::{self, MapTemplate};

const BPF_MAP_CREATE: libc::c_long = 0;
const BPF_MAP_LOOKUP_ELEM: libc::c_long = 1;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_MAP_GET_NEXT_KEY: libc::c_long = 4;
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_TEST_RUN: libc::c_long = 10;
const BPF_BTF_LOAD: libc::c_long = 18;

pub const BPF_PROG_TYPE_KPROBE: u32 = 2;
pub const BPF_PROG_TYPE_TRACEPOINT: u32 = 5;
pub const BPF_PROG_TYPE_PERF_EVENT: u32 = 7;
pub const BPF_PROG_TYPE_RAW_TRACEPOINT: u32 = 17;

/// The parts of `union bpf_attr` in use.
#[repr(C)]
#[derive(Default)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct Element {
    map_fd: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct ProgramLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    padding: u32,
}

#[repr(C)]
#[derive(Default)]
struct BtfLoad {
    btf: u64,
    btf_log_buf: u64,
    btf_size: u32,
    btf_log_size: u32,
    btf_log_level: u32,
    padding: u32,
}

#[repr(C)]
#[derive(Default)]
struct TestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
}

/// Calls bpf(2). `attributes` must be one of the structures above, its pointers valid for the command.
fn bpf<T>(command: libc::c_long, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: the structure is live, its size is passed, and the callers below point only at live buffers that are as
    // large as the kernel takes them to be.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result as i32)
}

fn address<T: ?Sized>(of: &T) -> u64 {
    (of as *const T).cast::<u8>() as u64
}

fn descriptor(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for us.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Whether programs may be loaded. Lifts the limit on locked memory, which maps count against before 5.11.
pub fn privileged() -> bool {
    let unlimited = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: reads a live structure. Later kernels do without, so that a refusal is no matter.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &unlimited) };
    // SAFETY: has no arguments.
    unsafe { libc::geteuid() == 0 }
}

/// Processors that the kernel makes room for in per-CPU values.
pub fn possible_cpus() -> usize {
    let list = std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap();
    let last = list.trim().rsplit(['-', ',']).next().unwrap();
    last.parse::<usize>().unwrap() + 1
}

/// A live map.
pub struct Map {
    fd: OwnedFd,
    pub template: MapTemplate,
    value_size: usize,
    copies: usize,
}

impl Map {
    /// Makes a map; `key_size` and `entries` count where the template leaves them open.
    pub fn new(template: MapTemplate, key_size: u32, entries: u32) -> Map {
        let mut attributes = MapCreate {
            map_type: template.bpf_map_type(),
            key_size: template.key_size().unwrap_or(key_size),
            value_size: template.value_size(),
            max_entries: template.max_entries().unwrap_or(entries),
            map_flags: 0,
        };
        let fd = bpf(BPF_MAP_CREATE, &mut attributes).expect("BPF_MAP_CREATE");
        Map {
            fd: descriptor(fd),
            template,
            // Per-CPU values are padded to 8 bytes.
            value_size: (template.value_size() as usize).next_multiple_of(8),
            copies: if template.per_cpu() {
                possible_cpus()
            } else {
                1
            },
        }
    }

    pub fn fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// The value, of all CPUs one after the other.
    pub fn get(&self, key: &[u8]) -> Option<Vec<u64>> {
        let mut value = vec![0u64; self.value_size / 8 * self.copies];
        let mut attributes = Element {
            map_fd: self.fd() as u32,
            key: address(key),
            value: address(value.as_mut_slice()),
            ..Element::default()
        };
        bpf(BPF_MAP_LOOKUP_ELEM, &mut attributes).ok()?;
        Some(value)
    }

    /// The value as words, added up over the CPUs.
    pub fn sum(&self, key: &[u8]) -> Option<Vec<u64>> {
        let words = self.value_size / 8;
        let mut sum = vec![0u64; words];
        for cpu in self.get(key)?.chunks_exact(words) {
            for (total, word) in sum.iter_mut().zip(cpu) {
                *total = total.wrapping_add(*word);
            }
        }
        Some(sum)
    }

    /// Sets the value on every CPU.
    pub fn fill(&self, key: &[u8], value: &[u64]) {
        let values = value.repeat(self.copies);
        assert_eq!(values.len() * 8, self.value_size * self.copies);
        let mut attributes = Element {
            map_fd: self.fd() as u32,
            key: address(key),
            value: address(values.as_slice()),
            ..Element::default()
        };
        bpf(BPF_MAP_UPDATE_ELEM, &mut attributes).expect("BPF_MAP_UPDATE_ELEM");
    }

    /// All keys, which must be of 8 bytes.
    pub fn keys(&self) -> Vec<u64> {
        let mut keys: Vec<u64> = Vec::new();
        let next = 0u64;
        loop {
            let mut attributes = Element {
                map_fd: self.fd() as u32,
                key: keys.last().map_or(0, address),
                value: address(&next),
                ..Element::default()
            };
            if bpf(BPF_MAP_GET_NEXT_KEY, &mut attributes).is_err() {
                return keys;
            }
            keys.push(next);
        }
    }
}

/// Loads BTF.
pub fn load_btf(bytes: &[u8]) -> OwnedFd {
    let mut attributes = BtfLoad {
        btf: address(bytes),
        btf_size: bytes.len() as u32,
        ..BtfLoad::default()
    };
    descriptor(bpf(BPF_BTF_LOAD, &mut attributes).expect("BPF_BTF_LOAD"))
}

/// Loads a program; the error has the end of the verifier's log. `functions` pairs the first instruction of each function with its
/// type in `btf`.
pub fn load_program(
    program_type: u32,
    code: &[u8],
    btf: &OwnedFd,
    functions: &[[u32; 2]],
) -> Result<OwnedFd, String> {
    let mut attributes = ProgramLoad {
        prog_type: program_type,
        insn_cnt: (code.len() / 8) as u32,
        insns: address(code),
        license: address(c"GPL"),
        prog_btf_fd: btf.as_raw_fd() as u32,
        func_info_rec_size: 8,
        func_info: address(functions),
        func_info_cnt: functions.len() as u32,
        ..ProgramLoad::default()
    };
    // A log that does not fit is an error of its own, so that one is asked for only to explain a refusal.
    let error = match bpf(BPF_PROG_LOAD, &mut attributes) {
        Ok(fd) => return Ok(descriptor(fd)),
        Err(error) => error,
    };
    let mut log = vec![0u8; 16 << 20];
    attributes.log_level = 1;
    attributes.log_size = log.len() as u32;
    attributes.log_buf = address(log.as_mut_slice());
    bpf(BPF_PROG_LOAD, &mut attributes).ok().map(descriptor);
    let length = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
    // The reason is at the end.
    let log = &log[length.saturating_sub(4096)..length];
    Err(format!(
        "BPF_PROG_LOAD: {error}\n{}",
        String::from_utf8_lossy(log)
    ))
}

/// Runs a raw tracepoint program here and now, with that context.
pub fn test_run(program: &OwnedFd, context: &[u64; 12]) {
    let mut attributes = TestRun {
        prog_fd: program.as_raw_fd() as u32,
        ctx_in: address(context),
        ctx_size_in: size_of::<[u64; 12]>() as u32,
        ..TestRun::default()
    };
    bpf(BPF_PROG_TEST_RUN, &mut attributes).expect("BPF_PROG_TEST_RUN");
}

/// The fields of `struct perf_event_attr` (its first version, 64 bytes) in use.
#[repr(C)]
#[derive(Default)]
struct PerfEventAttr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    bp_addr: u64,
}

/// Attaches a program to a perf event of this thread, every time it happens.
pub fn attach(kind: u32, config: u64, program: &OwnedFd) -> io::Result<OwnedFd> {
    const PERF_EVENT_IOC_ENABLE: libc::c_ulong = 0x2400;
    const PERF_EVENT_IOC_SET_BPF: libc::c_ulong = 0x4004_2408;
    let attributes = PerfEventAttr {
        kind,
        size: size_of::<PerfEventAttr>() as u32,
        config,
        sample_period: 1,
        ..PerfEventAttr::default()
    };
    // SAFETY: the structure is live and says its size.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &attributes, 0, -1, -1, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let event = descriptor(fd as i32);
    // SAFETY: both requests take a number.
    let result = unsafe {
        libc::ioctl(
            event.as_raw_fd(),
            PERF_EVENT_IOC_SET_BPF,
            program.as_raw_fd(),
        ) == 0
            && libc::ioctl(event.as_raw_fd(), PERF_EVENT_IOC_ENABLE, 0) == 0
    };
    if result {
        Ok(event)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// What a ring buffer holds and nobody has consumed.
pub fn ring_records(map: &Map, capacity: usize) -> Vec<Vec<u8>> {
    assert_eq!(map.template.bpf_map_type(), maps::BPF_MAP_TYPE_RINGBUF);
    // SAFETY: asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    // The producer's page and then the data; the consumer's page, before these, is not needed.
    // SAFETY: a new mapping, of the size that a ring buffer of this capacity has.
    let base = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            page + capacity,
            libc::PROT_READ,
            libc::MAP_SHARED,
            map.fd(),
            page as libc::off_t,
        )
    };
    assert_ne!(base, libc::MAP_FAILED);
    // SAFETY: the mapping is that long, readable, and no program runs meanwhile.
    let bytes = unsafe { std::slice::from_raw_parts(base.cast::<u8>(), page + capacity) };
    let produced = u64::from_ne_bytes(bytes[..8].try_into().unwrap()) as usize;
    let data = &bytes[page..];
    let mut records = Vec::new();
    let mut at = 0;
    while at < produced {
        let length = u32::from_ne_bytes(data[at..at + 4].try_into().unwrap()) as usize;
        records.push(data[at + 8..at + 8 + length].to_vec());
        at += (8 + length).next_multiple_of(8);
    }
    // SAFETY: `bytes` is not used past this.
    unsafe { libc::munmap(base, page + capacity) };
    records
}
