//! Features of the BPF machinery, found by trying: a tiny program or map for each, made and dropped again.
//!
//! For a helper, a program that calls it with no arguments: the verifier refuses that either because it does not know
//! the helper, or, further on, because of the arguments; its log tells which.

use super::Presence;
use crate::sys::bpf::{self, MapSpec, ProgramSpec};
use crate::sys::bpf_links;
use aya_obj::generated::{bpf_attach_type, bpf_insn, bpf_map_type, bpf_prog_type};
use pfscript_compiler::btf::{Btf, Kind};
use pfscript_probes::Feature;
use pfscript_probes::abi::helper;
use pfscript_probes::features::SHORT_KEY_BYTES;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// The kernel's `ENOTSUPP`, which it returns to user space although it is not for it.
const ENOTSUPP: i32 = 524;

/// Tries a feature that [`super::LiveFacts`] does not find in a file.
pub(super) fn presence(feature: Feature) -> Presence {
    crate::sys::lift_memory_lock_limit();
    match feature {
        Feature::HashWithoutPreallocation => growing_hash(),
        Feature::LongKeys => long_keys(),
        Feature::RingBuffer => ring_buffer(),
        Feature::RawTracepointTestRun => test_run(),
        Feature::KprobeMulti => kprobe_multi(),
        Feature::UprobeMulti => uprobe_multi(),
        Feature::AtomicExchange => atomic_exchange(),
        Feature::RawTracepointCookie => has_helper(
            helper::GET_ATTACH_COOKIE,
            &[bpf_prog_type::BPF_PROG_TYPE_RAW_TRACEPOINT],
        ),
        _ => match feature.info().helper {
            Some(number) => has_helper(number, &PROGRAM_TYPES_WITH_MOST_HELPERS),
            None => Presence::Absent,
        },
    }
}

/// What the kernel's types tell of a feature that we have no right to try: its list of helpers is there for all to read.
pub(super) fn by_types(feature: Feature, btf: &Btf) -> Option<Presence> {
    let helper = i64::from(feature.info().helper?);
    let helpers = btf.find(Kind::Enum, "bpf_func_id")?;
    let known = btf.enumerators(helpers).any(|(name, number)| {
        // The last one counts them.
        number == helper && name != "__BPF_FUNC_MAX_ID"
    });
    Some(match known {
        true => Presence::Present,
        false => Presence::Absent,
    })
}

/// An error of the attempt itself: a missing right is not a missing feature.
fn verdict(result: io::Result<()>) -> Presence {
    match result {
        Ok(()) => Presence::Present,
        Err(error) => match error.raw_os_error() {
            Some(libc::EPERM | libc::ENOMEM | libc::EMFILE | libc::ENFILE) => {
                Presence::Unknown(format!("bpf: {error}"))
            }
            // A kernel or sandbox without the system call.
            Some(libc::ENOSYS) => Presence::Absent,
            _ => Presence::Absent,
        },
    }
}

/// An instruction. Codes are those of `include/uapi/linux/bpf.h`; the source register is in the upper half of `registers`.
fn instruction(code: u8, registers: u8, off: i16, imm: i32) -> bpf_insn {
    let [low, high] = off.to_le_bytes();
    let [a, b, c, d] = imm.to_le_bytes();
    let bytes = [code, registers, low, high, a, b, c, d];
    // SAFETY: `bpf_insn` is eight bytes of integers without padding, in this order.
    unsafe { std::mem::transmute::<[u8; 8], bpf_insn>(bytes) }
}

fn call(helper: u32) -> bpf_insn {
    instruction(0x85, 0, 0, helper as i32)
}

/// `r0 = 0; exit`
fn leave() -> [bpf_insn; 2] {
    [instruction(0xb7, 0, 0, 0), instruction(0x95, 0, 0, 0)]
}

fn spec(program_type: bpf_prog_type, instructions: &[bpf_insn]) -> ProgramSpec<'_> {
    ProgramSpec {
        name: "pf_probe",
        program_type: program_type as u32,
        expected_attach_type: 0,
        instructions,
        license: c"GPL",
        btf: None,
    }
}

fn load(
    program_type: bpf_prog_type,
    instructions: &[bpf_insn],
    log: Option<&mut [u8]>,
) -> io::Result<OwnedFd> {
    bpf::load_program(&spec(program_type, instructions), log)
}

/// What is allowed in kprobes is most; without them, their program type may still be there, or not.
const PROGRAM_TYPES_WITH_MOST_HELPERS: [bpf_prog_type; 2] = [
    bpf_prog_type::BPF_PROG_TYPE_KPROBE,
    bpf_prog_type::BPF_PROG_TYPE_PERF_EVENT,
];

/// Whether programs of any of these types may call a helper.
fn has_helper(number: u32, program_types: &[bpf_prog_type]) -> Presence {
    let mut instructions = vec![call(number)];
    instructions.extend(leave());
    let mut last = Presence::Absent;
    for &program_type in program_types {
        let mut log = vec![0; 4096];
        let error = match load(program_type, &instructions, Some(&mut log)) {
            Ok(_) => return Presence::Present,
            Err(error) => error,
        };
        if error.raw_os_error() == Some(libc::EPERM) {
            return verdict(Err(error));
        }
        let length = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
        let text = String::from_utf8_lossy(&log[..length]);
        // "unknown func bpf_find_vma#180", "invalid func unknown#180", and since 6.11 "program of this type cannot use
        // helper bpf_get_func_ip#173".
        let refused = ["unknown func", "invalid func", "cannot use helper"]
            .iter()
            .any(|words| text.contains(words));
        if refused || text.is_empty() {
            last = Presence::Absent;
            continue;
        }
        return Presence::Present;
    }
    last
}

/// The verifier of kernels before 6.1 refuses such maps to perf events.
fn growing_hash() -> Presence {
    const NO_PREALLOCATION: u32 = 1;
    let map = match map(bpf_map_type::BPF_MAP_TYPE_HASH, 8, 1, NO_PREALLOCATION) {
        Ok(map) => map,
        Err(error) => return verdict(Err(error)),
    };
    let mut instructions = vec![
        // *(u64 *)(r10 - 8) = 0
        instruction(0x7a, 0x0a, -8, 0),
        // r2 = r10 - 8
        instruction(0xbf, 0xa2, 0, 0),
        instruction(0x07, 0x02, 0, -8),
        // r1 = map (BPF_PSEUDO_MAP_FD)
        instruction(0x18, 0x11, 0, map.as_raw_fd()),
        instruction(0, 0, 0, 0),
        call(helper::MAP_LOOKUP_ELEM),
    ];
    instructions.extend(leave());
    let program = load(bpf_prog_type::BPF_PROG_TYPE_PERF_EVENT, &instructions, None);
    verdict(program.map(drop))
}

/// Older verifiers know no atomic instruction but the addition, and some machines' translators lack the others.
fn atomic_exchange() -> Presence {
    let mut instructions = vec![
        // *(u64 *)(r10 - 8) = 0; r0 = 0; r1 = 0
        instruction(0x7a, 0x0a, -8, 0),
        instruction(0xb7, 0x00, 0, 0),
        instruction(0xb7, 0x01, 0, 0),
        // r0 = cmpxchg(r10 - 8, r0, r1)
        instruction(0xdb, 0x1a, -8, 0xf1),
    ];
    instructions.extend(leave());
    let program = load(bpf_prog_type::BPF_PROG_TYPE_PERF_EVENT, &instructions, None);
    verdict(program.map(drop))
}

/// Before 5.16, keys had to fit the stack of a program.
fn long_keys() -> Presence {
    let bytes = SHORT_KEY_BYTES + 8;
    verdict(map(bpf_map_type::BPF_MAP_TYPE_HASH, bytes, 1, 0).map(drop))
}

fn ring_buffer() -> Presence {
    let bytes = u32::try_from(crate::sys::page_size()).unwrap_or(4096);
    verdict(map(bpf_map_type::BPF_MAP_TYPE_RINGBUF, 0, bytes, 0).map(drop))
}

/// A map of that type, with keys and values of so many bytes.
fn map(map_type: bpf_map_type, bytes: u32, max_entries: u32, flags: u32) -> io::Result<OwnedFd> {
    bpf::create_map(&MapSpec {
        name: "pf_probe",
        map_type: map_type as u32,
        key_size: bytes,
        value_size: bytes,
        max_entries,
        flags,
        inner: None,
    })
}

fn test_run() -> Presence {
    let program = load(bpf_prog_type::BPF_PROG_TYPE_RAW_TRACEPOINT, &leave(), None);
    verdict(program.and_then(|program| bpf::run_program(program.as_fd())))
}

/// Tries to link a program to a function that does not exist: kernels that know such links look for it and say `ESRCH`.
fn kprobe_multi() -> Presence {
    match link_to_nothing() {
        Ok(()) => Presence::Present,
        Err(error) => match error.raw_os_error() {
            Some(libc::EINVAL | libc::EOPNOTSUPP | libc::EBADF | ENOTSUPP) => Presence::Absent,
            Some(libc::EPERM) => verdict(Err(error)),
            _ => Presence::Present,
        },
    }
}

fn link_to_nothing() -> io::Result<()> {
    let attach_type = bpf_attach_type::BPF_TRACE_KPROBE_MULTI as u32;
    let program = for_links(attach_type)?;
    bpf_links::link_functions(
        program.as_fd(),
        &[c"pfscript_no_such_function"],
        attach_type,
    )
    .map(drop)
}

/// Tries to link a program to a place in a folder: kernels that know such links say `EBADF`.
fn uprobe_multi() -> Presence {
    let place = bpf_links::Place {
        offset: 1,
        counter: 0,
        cookie: 0,
    };
    let attach_type = bpf_attach_type::BPF_TRACE_UPROBE_MULTI as u32;
    let linked = for_links(attach_type)
        .and_then(|program| bpf_links::link_places(program.as_fd(), c"/", &[place], false));
    match linked {
        Err(error) if error.raw_os_error() == Some(libc::EBADF) => Presence::Present,
        Err(error) => verdict(Err(error)),
        Ok(_) => Presence::Absent,
    }
}

/// A program that links of a type can be made of.
fn for_links(attach_type: u32) -> io::Result<OwnedFd> {
    let instructions = leave();
    let spec = ProgramSpec {
        expected_attach_type: attach_type,
        ..spec(bpf_prog_type::BPF_PROG_TYPE_KPROBE, &instructions)
    };
    bpf::load_program(&spec, None)
}
