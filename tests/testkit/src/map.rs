//! Maps of the running kernel: made, read, filled. In come sizes, keys and values as bytes; what they mean is the test's
//! affair.

use crate::sys::{address, bpf, bpf_fd, zeroed};
use aya_obj::generated::{bpf_attr, bpf_cmd, bpf_map_type};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// What a map is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct MapSpec {
    /// `enum bpf_map_type`
    pub map_type: u32,
    /// In bytes.
    pub key_size: u32,
    /// In bytes, of one CPU's value.
    pub value_size: u32,
    /// Capacity; of a ring buffer in bytes.
    pub max_entries: u32,
    /// `BPF_F_*`
    pub flags: u32,
}

/// A live map.
#[derive(Debug)]
pub struct Map {
    fd: OwnedFd,
    spec: MapSpec,
    copies: usize,
}

impl Map {
    /// Makes a map.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(spec: MapSpec) -> io::Result<Map> {
        Map::create(spec, None)
    }

    /// Makes a map of maps that are like `inner`, and puts that into each place. Its key and value are of 4 bytes.
    ///
    /// # Errors
    /// The kernel's.
    pub fn of_maps(spec: MapSpec, inner: &[&Map]) -> io::Result<Map> {
        let map = Map::create(spec, inner.first().copied())?;
        for (place, inner) in inner.iter().enumerate() {
            let (key, value) = (place as u32, inner.fd());
            let mut attr = zeroed();
            attr.__bindgen_anon_2.map_fd = map.fd() as u32;
            attr.__bindgen_anon_2.key = std::ptr::from_ref(&key) as u64;
            attr.__bindgen_anon_2.__bindgen_anon_1.value = std::ptr::from_ref(&value) as u64;
            bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attr)?;
        }
        Ok(map)
    }

    fn create(spec: MapSpec, inner: Option<&Map>) -> io::Result<Map> {
        let mut attr = zeroed();
        attr.__bindgen_anon_1.map_type = spec.map_type;
        attr.__bindgen_anon_1.key_size = spec.key_size;
        attr.__bindgen_anon_1.value_size = spec.value_size;
        attr.__bindgen_anon_1.max_entries = spec.max_entries;
        attr.__bindgen_anon_1.map_flags = spec.flags;
        attr.__bindgen_anon_1.inner_map_fd = inner.map_or(0, |inner| inner.fd() as u32);
        let per_cpu = [
            bpf_map_type::BPF_MAP_TYPE_PERCPU_HASH as u32,
            bpf_map_type::BPF_MAP_TYPE_PERCPU_ARRAY as u32,
            bpf_map_type::BPF_MAP_TYPE_LRU_PERCPU_HASH as u32,
        ]
        .contains(&spec.map_type);
        Ok(Map {
            fd: bpf_fd(bpf_cmd::BPF_MAP_CREATE, &mut attr)?,
            spec,
            copies: if per_cpu { possible_cpus() } else { 1 },
        })
    }

    /// The descriptor's number, as instructions have it.
    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Words of 8 bytes in one CPU's value. Values are padded to them.
    pub fn words(&self) -> usize {
        self.spec.value_size.div_ceil(8) as usize
    }

    /// The value as words, of all CPUs one after the other; none if there is no such key.
    pub fn get(&self, key: &[u8]) -> Option<Vec<u64>> {
        let mut value = vec![0_u64; self.words() * self.copies];
        let mut attr = self.element(key);
        attr.__bindgen_anon_2.__bindgen_anon_1.value = value.as_mut_ptr() as u64;
        bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attr).ok()?;
        Some(value)
    }

    /// The value as words, added up over the CPUs.
    pub fn sum(&self, key: &[u8]) -> Option<Vec<u64>> {
        let mut sum = vec![0_u64; self.words()];
        for cpu in self.get(key)?.chunks_exact(self.words()) {
            for (total, word) in sum.iter_mut().zip(cpu) {
                *total = total.wrapping_add(*word);
            }
        }
        Some(sum)
    }

    /// The bytes of a value that all CPUs share.
    pub fn bytes(&self, key: &[u8]) -> Option<Vec<u8>> {
        assert_eq!(self.copies, 1, "each CPU has a value of its own");
        let words = self.get(key)?;
        let mut bytes: Vec<u8> = words.into_iter().flat_map(u64::to_ne_bytes).collect();
        bytes.truncate(self.spec.value_size as usize);
        Some(bytes)
    }

    /// Sets the value on every CPU.
    pub fn fill(&self, key: &[u8], value: &[u64]) {
        assert_eq!(value.len(), self.words());
        let values = value.repeat(self.copies);
        let mut attr = self.element(key);
        attr.__bindgen_anon_2.__bindgen_anon_1.value = values.as_ptr() as u64;
        bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attr).expect("BPF_MAP_UPDATE_ELEM");
    }

    /// Fills the only value of an array, for good: the verifier takes it for constants if programs may only read it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn freeze(&self, value: &[u8]) -> io::Result<()> {
        assert_eq!(value.len(), self.spec.value_size as usize);
        let first = 0_u32.to_ne_bytes();
        let mut attr = self.element(&first);
        attr.__bindgen_anon_2.__bindgen_anon_1.value = address(value);
        bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attr)?;
        let mut attr = zeroed();
        attr.__bindgen_anon_2.map_fd = self.fd() as u32;
        bpf(bpf_cmd::BPF_MAP_FREEZE, &mut attr).map(drop)
    }

    /// All keys, which must be of 8 bytes.
    pub fn keys(&self) -> Vec<u64> {
        assert_eq!(self.spec.key_size, 8);
        let mut keys: Vec<u64> = Vec::new();
        loop {
            let mut next = 0_u64;
            let mut attr = zeroed();
            attr.__bindgen_anon_2.map_fd = self.fd() as u32;
            attr.__bindgen_anon_2.key = keys.last().map_or(0, address);
            attr.__bindgen_anon_2.__bindgen_anon_1.next_key = std::ptr::from_mut(&mut next) as u64;
            if bpf(bpf_cmd::BPF_MAP_GET_NEXT_KEY, &mut attr).is_err() {
                return keys;
            }
            keys.push(next);
        }
    }

    fn element(&self, key: &[u8]) -> bpf_attr {
        assert_eq!(key.len(), self.spec.key_size as usize);
        let mut attr = zeroed();
        attr.__bindgen_anon_2.map_fd = self.fd() as u32;
        attr.__bindgen_anon_2.key = address(key);
        attr
    }

    /// What a ring buffer holds and nobody has consumed.
    pub fn records(&self) -> Vec<Vec<u8>> {
        let ring = bpf_map_type::BPF_MAP_TYPE_RINGBUF as u32;
        assert_eq!(self.spec.map_type, ring);
        let capacity = self.spec.max_entries as usize;
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
                self.fd(),
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
}

/// CPUs that the kernel makes room for in per-CPU values.
fn possible_cpus() -> usize {
    let list =
        std::fs::read_to_string("/sys/devices/system/cpu/possible").expect("/sys is mounted");
    let last = list.trim().rsplit(['-', ',']).next().unwrap_or_default();
    last.parse::<usize>().expect("the list ends with a number") + 1
}

#[test]
fn a_frozen_array_keeps_its_value() {
    crate::needs_root!();
    let map = Map::new(MapSpec {
        map_type: bpf_map_type::BPF_MAP_TYPE_ARRAY as u32,
        key_size: 4,
        value_size: 8,
        max_entries: 1,
        flags: 0,
    });
    let map = map.unwrap();
    map.freeze(&7_u64.to_ne_bytes()).unwrap();
    assert_eq!(map.get(&[0; 4]), Some(vec![7]));
    assert!(map.freeze(&[0; 8]).is_err());
}
