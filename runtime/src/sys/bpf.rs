//! bpf(2): maps, programs, BTF.
//!
//! File descriptors are owned and close on exec (the kernel opens them so). Keys and values are byte slices whose
//! lengths the caller takes from the map's own sizes; every function checks them before the kernel is asked to write.

use aya_obj::generated::{
    BPF_ANY, BPF_NOEXIST, bpf_attr, bpf_cmd, bpf_insn, bpf_prog_info, bpf_stats_type,
};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// An all-zero attribute block, as the kernel wants unused fields.
pub(super) fn zeroed() -> bpf_attr {
    // SAFETY: the union's members are integers and arrays of integers, for which all zeroes is a value.
    unsafe { std::mem::zeroed() }
}

fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<i64> {
    // SAFETY: the kernel reads and writes `attr` within the size given; the pointers inside it were made from slices
    // that the calling function in this file holds for the length of the call and whose lengths it checked.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_long,
            std::ptr::from_mut(attr),
            size_of::<bpf_attr>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

pub(super) fn bpf_fd(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<OwnedFd> {
    let fd = bpf(command, attr)?;
    let fd = i32::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: the kernel has just returned this descriptor for us alone to own.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A name as the kernel takes it: at most 15 of its characters, others dropped.
fn object_name(name: &str) -> [libc::c_char; 16] {
    let mut out = [0; 16];
    let accepted = name
        .bytes()
        .filter(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'.');
    for (slot, byte) in out.iter_mut().take(15).zip(accepted) {
        // ASCII, so that the sign of `c_char` does not matter.
        *slot = byte as libc::c_char;
    }
    out
}

/// What a map is to be.
#[derive(Clone, Copy, Debug)]
pub struct MapSpec<'a> {
    /// For tools that list maps.
    pub name: &'a str,
    /// `enum bpf_map_type`
    pub map_type: u32,
    /// In bytes.
    pub key_size: u32,
    /// In bytes, of one CPU's value.
    pub value_size: u32,
    /// Capacity.
    pub max_entries: u32,
    /// `BPF_F_*`
    pub flags: u32,
    /// Of a map of maps, one like those that it will hold.
    pub inner: Option<BorrowedFd<'a>>,
}

/// Creates a map.
///
/// # Errors
/// The kernel's: `EPERM` without privileges, `ENOMEM`/`E2BIG` if it is too big.
pub fn create_map(spec: &MapSpec<'_>) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    attr.__bindgen_anon_1.map_type = spec.map_type;
    attr.__bindgen_anon_1.key_size = spec.key_size;
    attr.__bindgen_anon_1.value_size = spec.value_size;
    attr.__bindgen_anon_1.max_entries = spec.max_entries;
    attr.__bindgen_anon_1.map_flags = spec.flags;
    attr.__bindgen_anon_1.map_name = object_name(spec.name);
    if let Some(inner) = spec.inner {
        attr.__bindgen_anon_1.inner_map_fd = inner.as_raw_fd() as u32;
    }
    bpf_fd(bpf_cmd::BPF_MAP_CREATE, &mut attr)
}

/// A map's descriptor with the sizes that every access must respect.
#[derive(Debug)]
pub struct MapHandle {
    fd: OwnedFd,
    key_size: usize,
    value_size: usize,
    parts: usize,
    max_entries: u32,
}

impl MapHandle {
    /// Creates a map.
    ///
    /// `cpus` is the number of possible CPUs, by which the values of per-CPU maps are multiplied.
    ///
    /// # Errors
    /// Those of [`create_map`].
    pub fn create(spec: &MapSpec<'_>, cpus: usize) -> io::Result<MapHandle> {
        use aya_obj::generated::bpf_map_type as kind;
        let per_cpu = [
            kind::BPF_MAP_TYPE_PERCPU_HASH as u32,
            kind::BPF_MAP_TYPE_PERCPU_ARRAY as u32,
            kind::BPF_MAP_TYPE_LRU_PERCPU_HASH as u32,
        ]
        .contains(&spec.map_type);
        let (value_size, parts) = if per_cpu {
            let part = (spec.value_size as usize).next_multiple_of(8);
            (part * cpus, cpus.max(1))
        } else {
            (spec.value_size as usize, 1)
        };
        Ok(MapHandle {
            fd: create_map(spec)?,
            key_size: spec.key_size as usize,
            value_size,
            parts,
            max_entries: spec.max_entries,
        })
    }

    /// The descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd as _;
        self.fd.as_fd()
    }

    /// Size of a key in bytes.
    pub fn key_size(&self) -> usize {
        self.key_size
    }

    /// Size of a value in bytes as the system call sees it: all CPUs' values for per-CPU maps, each padded to 8 bytes.
    pub fn value_size(&self) -> usize {
        self.value_size
    }

    /// How many parts a value has: one for each possible CPU, or one.
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// Capacity in entries.
    pub fn max_entries(&self) -> u32 {
        self.max_entries
    }

    fn check(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> io::Result<()> {
        let key_fits = key.is_none_or(|key| key.len() == self.key_size);
        let value_fits = value.is_none_or(|value| value.len() == self.value_size);
        if key_fits && value_fits {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(libc::EINVAL))
        }
    }

    fn element_attr(&self, key: Option<&[u8]>) -> bpf_attr {
        let mut attr = zeroed();
        attr.__bindgen_anon_2.map_fd = self.fd.as_raw_fd() as u32;
        attr.__bindgen_anon_2.key = key.map_or(0, |key| key.as_ptr() as u64);
        attr
    }

    /// Reads the value of `key` into `value`; false if there is none.
    ///
    /// # Errors
    /// `EINVAL` if a length is wrong, else the kernel's.
    pub fn lookup(&self, key: &[u8], value: &mut [u8]) -> io::Result<bool> {
        self.check(Some(key), Some(value))?;
        let mut attr = self.element_attr(Some(key));
        attr.__bindgen_anon_2.__bindgen_anon_1.value = value.as_mut_ptr() as u64;
        found(bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attr))
    }

    /// The key after `key` (the first for `None`) into `next`; false after the last.
    ///
    /// # Errors
    /// `EINVAL` if a length is wrong, else the kernel's.
    pub fn next_key(&self, key: Option<&[u8]>, next: &mut [u8]) -> io::Result<bool> {
        self.check(key, None)?;
        self.check(Some(next), None)?;
        let mut attr = self.element_attr(key);
        attr.__bindgen_anon_2.__bindgen_anon_1.next_key = next.as_mut_ptr() as u64;
        found(bpf(bpf_cmd::BPF_MAP_GET_NEXT_KEY, &mut attr))
    }

    /// Sets the value of `key`, present or not.
    ///
    /// # Errors
    /// `EINVAL` if a length is wrong, `E2BIG` if the map is full, else the kernel's.
    pub fn update(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.set(key, value, BPF_ANY)
    }

    /// Sets the value of `key` if it is not there; false if it is.
    ///
    /// # Errors
    /// As for [`Self::update`].
    pub fn insert(&self, key: &[u8], value: &[u8]) -> io::Result<bool> {
        match self.set(key, value, BPF_NOEXIST) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn set(&self, key: &[u8], value: &[u8], flags: u32) -> io::Result<()> {
        self.check(Some(key), Some(value))?;
        let mut attr = self.element_attr(Some(key));
        attr.__bindgen_anon_2.__bindgen_anon_1.value = value.as_ptr() as u64;
        attr.__bindgen_anon_2.flags = flags.into();
        bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attr).map(drop)
    }

    /// Writes the elements of an array of 8 bytes each that was made with `BPF_F_MMAPABLE` (Linux 5.5), as many as there are. They stay
    /// where they are as long as the result lives, which takes no memory of its own.
    ///
    /// # Errors
    /// `EINVAL` if there are more than the map has, else the kernel's.
    pub fn fill(&self, words: &[u64]) -> io::Result<Words> {
        if words.is_empty() || words.len() > self.max_entries as usize || self.value_size != 8 {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                std::mem::size_of_val(words),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                self.fd.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = base.cast::<u64>();
        // SAFETY: both are as long, the mapping belongs to this function alone and begins at a page.
        unsafe { std::ptr::copy_nonoverlapping(words.as_ptr(), base, words.len()) };
        Ok(Words {
            base,
            count: words.len(),
        })
    }

    /// Keeps user space from changing the map from now on (Linux 5.2). What programs may only read (`BPF_F_RDONLY_PROG`) is
    /// then constant, and the verifier takes it so.
    ///
    /// # Errors
    /// The kernel's.
    pub fn freeze(&self) -> io::Result<()> {
        let mut attr = self.element_attr(None);
        bpf(bpf_cmd::BPF_MAP_FREEZE, &mut attr).map(drop)
    }

    /// Removes `key`; false if it was not there.
    ///
    /// # Errors
    /// `EINVAL` if the length is wrong, else the kernel's.
    pub fn delete(&self, key: &[u8]) -> io::Result<bool> {
        self.check(Some(key), None)?;
        let mut attr = self.element_attr(Some(key));
        found(bpf(bpf_cmd::BPF_MAP_DELETE_ELEM, &mut attr))
    }

    /// Reads up to `max` entries, all of the next batch, appending them to `keys` and `values`, and removes them if `take`
    /// is set; `cursor` is where to go on ([`Cursor::default`] for the start). Returns how many were read, and whether
    /// there are more.
    ///
    /// # Errors
    /// `EINVAL` where the kernel has no batches for the map's type, `ENOSPC` if one hash bucket holds more than `max`
    /// entries, else the kernel's.
    pub fn lookup_batch(
        &self,
        cursor: &mut Cursor,
        keys: &mut Vec<u8>,
        values: &mut Vec<u8>,
        max: u32,
        take: bool,
    ) -> io::Result<(usize, bool)> {
        let (keys_before, values_before) = (keys.len(), values.len());
        keys.resize(keys_before + max as usize * self.key_size, 0);
        values.resize(values_before + max as usize * self.value_size, 0);
        // Hash maps write a `u32`, others a whole key.
        let mut next = vec![0_u8; self.key_size.max(4)];
        let mut attr = zeroed();
        attr.batch.map_fd = self.fd.as_raw_fd() as u32;
        attr.batch.in_batch = cursor.0.as_ref().map_or(0, |bytes| bytes.as_ptr() as u64);
        attr.batch.out_batch = next.as_mut_ptr() as u64;
        attr.batch.keys = keys[keys_before..].as_mut_ptr() as u64;
        attr.batch.values = values[values_before..].as_mut_ptr() as u64;
        attr.batch.count = max;
        let command = match take {
            false => bpf_cmd::BPF_MAP_LOOKUP_BATCH,
            true => bpf_cmd::BPF_MAP_LOOKUP_AND_DELETE_BATCH,
        };
        let result = found(bpf(command, &mut attr));
        // At the end of the map the kernel says ENOENT, with the last entries delivered.
        let count = match &result {
            // SAFETY: `batch` is the member that was written above and that the command uses.
            Ok(_) => unsafe { attr.batch.count }.min(max) as usize,
            Err(_) => 0,
        };
        keys.truncate(keys_before + count * self.key_size);
        values.truncate(values_before + count * self.value_size);
        let more = result?;
        cursor.0 = Some(next);
        Ok((count, more))
    }

    /// Removes the keys in `keys`, one after another in the slice; those that are not there are passed over.
    ///
    /// # Errors
    /// The kernel's, from the first key that could not be removed.
    pub fn delete_all(&self, keys: &[u8]) -> io::Result<()> {
        for key in keys.chunks_exact(self.key_size.max(1)) {
            self.delete(key)?;
        }
        Ok(())
    }
}

/// Where a batch read goes on.
#[derive(Debug, Default)]
pub struct Cursor(Option<Vec<u8>>);

fn found(result: io::Result<i64>) -> io::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Loads a BTF blob.
///
/// # Errors
/// The kernel's; old kernels refuse kinds that they do not know.
pub fn load_btf(blob: &[u8]) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    attr.__bindgen_anon_7.btf = blob.as_ptr() as u64;
    attr.__bindgen_anon_7.btf_size =
        u32::try_from(blob.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    bpf_fd(bpf_cmd::BPF_BTF_LOAD, &mut attr)
}

/// A program to load.
#[derive(Debug)]
pub struct ProgramSpec<'a> {
    /// For tools that list programs.
    pub name: &'a str,
    /// `enum bpf_prog_type`
    pub program_type: u32,
    /// `enum bpf_attach_type`; 0 where it does not matter.
    pub expected_attach_type: u32,
    /// Its instructions, maps and calls resolved.
    pub instructions: &'a [bpf_insn],
    /// The licence it declares.
    pub license: &'a CStr,
    /// The BTF that function and line information refer to.
    pub btf: Option<BtfInfo<'a>>,
}

/// Function and line information of a program.
#[derive(Clone, Copy, Debug)]
pub struct BtfInfo<'a> {
    /// The BTF object.
    pub fd: BorrowedFd<'a>,
    /// `struct bpf_func_info` records.
    pub functions: &'a [u8],
    /// Size of one.
    pub function_size: u32,
    /// `struct bpf_line_info` records.
    pub lines: &'a [u8],
    /// Size of one.
    pub line_size: u32,
}

/// Loads a program. With a buffer for the verifier's log the load takes longer; do it to explain a failure.
///
/// # Errors
/// The kernel's: `EPERM` without privileges, `EINVAL`/`EACCES`/… if the verifier rejects the program.
pub fn load_program(spec: &ProgramSpec<'_>, log: Option<&mut [u8]>) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    // SAFETY: `__bindgen_anon_3` is the member that BPF_PROG_LOAD uses, and was zeroed as a whole.
    let load = unsafe { &mut attr.__bindgen_anon_3 };
    load.prog_type = spec.program_type;
    load.expected_attach_type = spec.expected_attach_type;
    load.insns = spec.instructions.as_ptr() as u64;
    load.insn_cnt = u32::try_from(spec.instructions.len())
        .map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    load.license = spec.license.as_ptr() as u64;
    load.prog_name = object_name(spec.name);
    if let Some(btf) = &spec.btf {
        load.prog_btf_fd = btf.fd.as_raw_fd() as u32;
        if btf.function_size > 0 && !btf.functions.is_empty() {
            load.func_info = btf.functions.as_ptr() as u64;
            load.func_info_rec_size = btf.function_size;
            load.func_info_cnt = (btf.functions.len() / btf.function_size as usize) as u32;
        }
        if btf.line_size > 0 && !btf.lines.is_empty() {
            load.line_info = btf.lines.as_ptr() as u64;
            load.line_info_rec_size = btf.line_size;
            load.line_info_cnt = (btf.lines.len() / btf.line_size as usize) as u32;
        }
    }
    if let Some(log) = log {
        load.log_level = 1;
        load.log_buf = log.as_mut_ptr() as u64;
        load.log_size = u32::try_from(log.len()).unwrap_or(u32::MAX);
    }
    // The verifier gives up when a signal waits. The handler runs before the next try.
    const TRIES: usize = 5;
    let mut loaded = bpf_fd(bpf_cmd::BPF_PROG_LOAD, &mut attr);
    for _ in 1..TRIES {
        match &loaded {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {
                loaded = bpf_fd(bpf_cmd::BPF_PROG_LOAD, &mut attr);
            }
            _ => break,
        }
    }
    loaded
}

/// Runs a raw tracepoint program once, on this CPU (Linux 5.10: `bpf_prog_test_run_raw_tp`).
///
/// # Errors
/// The kernel's; `EINVAL` or `ENOTSUPP` (524) where it can't.
pub fn run_program(fd: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = zeroed();
    attr.test.prog_fd = fd.as_raw_fd() as u32;
    bpf(bpf_cmd::BPF_PROG_TEST_RUN, &mut attr).map(drop)
}

/// How many runs of a program were missed because the probe was already running on that CPU (Linux 5.12; 0 before).
///
/// # Errors
/// The kernel's.
pub fn missed_runs(fd: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(program_info(fd)?.recursion_misses)
}

/// How long a program ran while the kernel counted.
#[derive(Clone, Copy, Debug)]
pub struct RunTime {
    /// All runs together.
    pub nanoseconds: u64,
    /// How many they were.
    pub runs: u64,
}

/// What [`enable_run_time`] has had counted.
///
/// # Errors
/// The kernel's.
pub fn run_time(fd: BorrowedFd<'_>) -> io::Result<RunTime> {
    let info = program_info(fd)?;
    Ok(RunTime {
        nanoseconds: info.run_time_ns,
        runs: info.run_cnt,
    })
}

/// Has the kernel count how long all programs run, as long as the descriptor is open (Linux 5.8).
///
/// # Errors
/// The kernel's.
pub fn enable_run_time() -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    attr.enable_stats.type_ = bpf_stats_type::BPF_STATS_RUN_TIME as u32;
    bpf_fd(bpf_cmd::BPF_ENABLE_STATS, &mut attr)
}

fn program_info(fd: BorrowedFd<'_>) -> io::Result<bpf_prog_info> {
    // SAFETY: a struct of integers and arrays of integers, for which all zeroes is a value.
    let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
    let mut attr = zeroed();
    attr.info.bpf_fd = fd.as_raw_fd() as u32;
    attr.info.info = std::ptr::from_mut(&mut info) as u64;
    attr.info.info_len = size_of::<bpf_prog_info>() as u32;
    bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr)?;
    Ok(info)
}

/// The elements of an array that [`MapHandle::fill`] wrote, and that nobody changes.
#[derive(Debug)]
pub struct Words {
    base: *mut u64,
    count: usize,
}

// SAFETY: the memory is only read as long as this lives.
unsafe impl Send for Words {}
// SAFETY: likewise.
unsafe impl Sync for Words {}

impl std::ops::Deref for Words {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        // SAFETY: it is mapped, as long, and was written. Neither programs nor user space write to it.
        unsafe { std::slice::from_raw_parts(self.base, self.count) }
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nothing borrows it any more.
        unsafe { libc::munmap(self.base.cast(), self.count * size_of::<u64>()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_cleaned() {
        let name = object_name("pf-map.with_a_long_name");
        let text: String = name.iter().map(|c| *c as u8 as char).collect();
        assert_eq!(text, "pfmap.with_a_lo\0");
    }
}
