//! Programs of the running kernel: loaded, run, attached to perf events. In come instructions, out go results and the
//! verifier's log; objects are read in `object`.

use crate::sys::{address, bpf, bpf_fd, zeroed};
use aya_obj::generated::{bpf_cmd, bpf_prog_info};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `BPF_PROG_TYPE_KPROBE`
pub const KPROBE: u32 = 2;
/// `BPF_PROG_TYPE_TRACEPOINT`
pub const TRACEPOINT: u32 = 5;
/// `BPF_PROG_TYPE_PERF_EVENT`
pub const PERF_EVENT: u32 = 7;
/// `BPF_PROG_TYPE_RAW_TRACEPOINT`
pub const RAW_TRACEPOINT: u32 = 17;

/// A program to load.
#[derive(Clone, Copy, Debug)]
pub struct ProgramSpec<'a> {
    /// `enum bpf_prog_type`
    pub program_type: u32,
    /// 8 bytes each; maps and calls are resolved.
    pub instructions: &'a [u8],
    /// The types that functions and lines refer to.
    pub btf: &'a OwnedFd,
    /// `struct bpf_func_info`
    pub functions: Records<'a>,
    /// `struct bpf_line_info`
    pub lines: Records<'a>,
}

/// Records of one size, one after another.
#[derive(Clone, Copy, Debug, Default)]
pub struct Records<'a> {
    /// All of them.
    pub bytes: &'a [u8],
    /// The size of one.
    pub size: u32,
}

impl Records<'_> {
    fn count(&self) -> u32 {
        (self.bytes.len() as u32)
            .checked_div(self.size)
            .unwrap_or(0)
    }
}

/// A loaded program.
#[derive(Debug)]
pub struct Program(OwnedFd);

/// Bytes of the log that a refusal is explained with: the reason is at its end.
const EXPLANATION: usize = 16 << 10;

impl Program {
    /// Loads a program.
    ///
    /// # Errors
    /// The kernel's, with the end of the verifier's log.
    pub fn load(spec: &ProgramSpec<'_>) -> Result<Program, String> {
        // A log that does not fit is an error of its own, so that one is asked for only to explain a refusal.
        if let (Ok(program), _) = load(spec, 0) {
            return Ok(program);
        }
        match load(spec, 1) {
            (Ok(program), _) => Ok(program),
            (Err(error), log) => Err(refused(&error, &log)),
        }
    }

    /// Loads a program; all that the verifier says of it, too.
    ///
    /// # Errors
    /// As [`Program::load`].
    pub fn load_with_log(spec: &ProgramSpec<'_>) -> Result<(Program, String), String> {
        match load(spec, 2) {
            (Ok(program), log) => Ok((program, log)),
            (Err(error), log) => Err(refused(&error, &log)),
        }
    }

    /// Runs a raw tracepoint program once, here and now, with these arguments; what it returned.
    ///
    /// # Errors
    /// The kernel's.
    pub fn run(&self, arguments: &[u64]) -> io::Result<u32> {
        let mut attr = zeroed();
        attr.test.prog_fd = self.0.as_raw_fd() as u32;
        if !arguments.is_empty() {
            attr.test.ctx_in = address(arguments);
            attr.test.ctx_size_in = size_of_val(arguments) as u32;
        }
        bpf(bpf_cmd::BPF_PROG_TEST_RUN, &mut attr)?;
        // SAFETY: this is the member that the command uses.
        Ok(unsafe { attr.test.retval })
    }

    /// How many instructions the verifier has left of it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn instructions(&self) -> io::Result<usize> {
        // SAFETY: a struct of integers and arrays of integers, for which all zeroes is a value.
        let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
        let mut attr = zeroed();
        attr.info.bpf_fd = self.0.as_raw_fd() as u32;
        attr.info.info = std::ptr::from_mut(&mut info) as u64;
        attr.info.info_len = size_of::<bpf_prog_info>() as u32;
        bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr)?;
        Ok(info.xlated_prog_len as usize / 8)
    }

    /// Attaches it to a perf event of this thread, every time that it happens, until what is returned is dropped. The
    /// event is given by `type` and `config` of `struct perf_event_attr`.
    ///
    /// # Errors
    /// The kernel's.
    pub fn attach(&self, event_type: u32, config: u64) -> io::Result<OwnedFd> {
        const PERF_EVENT_IOC_ENABLE: libc::c_ulong = 0x2400;
        const PERF_EVENT_IOC_SET_BPF: libc::c_ulong = 0x4004_2408;
        let attributes = PerfEventAttr {
            event_type,
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
        // SAFETY: the kernel has just made this descriptor for us.
        let event = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        for (request, argument) in [
            (PERF_EVENT_IOC_SET_BPF, self.0.as_raw_fd()),
            (PERF_EVENT_IOC_ENABLE, 0),
        ] {
            // SAFETY: both requests take a number.
            if unsafe { libc::ioctl(event.as_raw_fd(), request, argument) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(event)
    }
}

/// The fields of `struct perf_event_attr` (its first version, 64 bytes) in use.
#[repr(C)]
#[derive(Default)]
struct PerfEventAttr {
    event_type: u32,
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

/// Loads BTF.
///
/// # Errors
/// The kernel's, with what it says about the types.
pub fn load_btf(bytes: &[u8]) -> Result<OwnedFd, String> {
    let mut log = vec![0_u8; 1 << 16];
    let mut attr = zeroed();
    attr.__bindgen_anon_7.btf = address(bytes);
    attr.__bindgen_anon_7.btf_size = bytes.len() as u32;
    attr.__bindgen_anon_7.btf_log_buf = log.as_mut_ptr() as u64;
    attr.__bindgen_anon_7.btf_log_size = log.len() as u32;
    attr.__bindgen_anon_7.btf_log_level = 1;
    bpf_fd(bpf_cmd::BPF_BTF_LOAD, &mut attr)
        .map_err(|error| format!("BTF: {}", refused(&error, &text(&log))))
}

/// Loads a program, with the verifier's log of that level (0 for none).
fn load(spec: &ProgramSpec<'_>, log_level: u32) -> (io::Result<Program>, String) {
    let mut log = vec![0_u8; if log_level > 0 { 16 << 20 } else { 0 }];
    let mut attr = zeroed();
    // SAFETY: this is the member that the command uses, and it was zeroed as a whole.
    let load = unsafe { &mut attr.__bindgen_anon_3 };
    load.prog_type = spec.program_type;
    load.insns = address(spec.instructions);
    load.insn_cnt = (spec.instructions.len() / 8) as u32;
    load.license = address(c"GPL");
    load.prog_btf_fd = spec.btf.as_raw_fd() as u32;
    load.func_info = address(spec.functions.bytes);
    load.func_info_rec_size = spec.functions.size;
    load.func_info_cnt = spec.functions.count();
    load.line_info = address(spec.lines.bytes);
    load.line_info_rec_size = spec.lines.size;
    load.line_info_cnt = spec.lines.count();
    if log_level > 0 {
        load.log_level = log_level;
        load.log_size = log.len() as u32;
        load.log_buf = log.as_mut_ptr() as u64;
    }
    let result = bpf_fd(bpf_cmd::BPF_PROG_LOAD, &mut attr).map(Program);
    (result, text(&log))
}

fn text(log: &[u8]) -> String {
    let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
    String::from_utf8_lossy(&log[..end]).into_owned()
}

fn refused(error: &io::Error, log: &str) -> String {
    let start = log.ceil_char_boundary(log.len().saturating_sub(EXPLANATION));
    format!("{error}\n{}", &log[start..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::needs_root;

    /// Loads a raw tracepoint program; BTF has no more than `int`.
    fn load(instructions: &[[u8; 8]]) -> Result<Program, String> {
        let words = [24, 0, 16, 16, 5, 1, 1 << 24, 4, 1 << 24 | 32_u32];
        let mut btf = vec![0x9f, 0xeb, 1, 0];
        btf.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        btf.extend(b"\0int\0");
        Program::load(&ProgramSpec {
            program_type: RAW_TRACEPOINT,
            instructions: instructions.as_flattened(),
            btf: &load_btf(&btf)?,
            functions: Records::default(),
            lines: Records::default(),
        })
    }

    const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];

    #[test]
    fn a_program_runs_and_tells_its_length() {
        needs_root!();
        let program = load(&[[0xb7, 0, 0, 0, 7, 0, 0, 0], EXIT]).unwrap();
        assert_eq!(program.run(&[]).unwrap(), 7);
        assert_eq!(program.instructions().unwrap(), 2);
    }

    #[test]
    fn a_refusal_has_the_verifiers_reason() {
        needs_root!();
        let refusal = load(&[EXIT]).unwrap_err();
        assert!(refusal.contains("R0 !read_ok"), "{refusal}");
    }
}
