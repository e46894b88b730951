//! The maps in which programs find tables of how to unwind, and what a file is known by there. What is put into them is
//! [`crate::unwind_tables`]'s.

use crate::bytes::unsigned;
use crate::sys::bpf::{MapHandle, MapSpec};
use pfscript_probes::abi::{UNWIND_FILE, map};
use pfscript_probes::maps::BPF_MAP_TYPE_ARRAY;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt as _;

/// What the kernel knows a file by; the vdso has zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Its inode number.
    pub inode: u64,
    /// Major and minor number of its device.
    pub device: (u32, u32),
}

/// Bits of a minor number in the kernel's `dev_t` (include/linux/kdev_t.h).
const MINOR_BITS: u32 = 20;

impl Identity {
    /// What the kernel knows an open file by, where the file system does not tell a process otherwise.
    ///
    /// # Errors
    /// The kernel's.
    pub fn of(file: &File) -> io::Result<Identity> {
        let meta = file.metadata()?;
        Ok(Identity {
            inode: meta.ino(),
            device: (libc::major(meta.dev()), libc::minor(meta.dev())),
        })
    }

    /// The key of the map of files.
    pub fn key(self) -> Vec<u8> {
        let (major, minor) = self.device;
        let device = major << MINOR_BITS | minor;
        let mut key = vec![0; UNWIND_FILE.size() as usize];
        UNWIND_FILE.extent("inode").set(&mut key, self.inode);
        UNWIND_FILE.extent("device").set(&mut key, device.into());
        key
    }

    /// The file of a key.
    pub fn of_key(key: &[u8]) -> Identity {
        let device = unsigned(UNWIND_FILE.extent("device").of(key)) as u32;
        Identity {
            inode: unsigned(UNWIND_FILE.extent("inode").of(key)),
            device: (device >> MINOR_BITS, device & ((1 << MINOR_BITS) - 1)),
        }
    }
}

/// The maps that programs look into.
#[derive(Debug)]
pub struct UnwindMaps {
    /// Where each file's table is.
    pub files: MapHandle,
    /// The tables, a map of maps.
    pub tables: MapHandle,
    /// What was missed.
    pub wanted: MapHandle,
}

impl UnwindMaps {
    /// The map that programs know by this symbol.
    pub fn fd(&self, symbol: &str) -> Option<BorrowedFd<'_>> {
        match symbol {
            map::UNWIND_FILES => Some(self.files.fd()),
            map::UNWIND_TABLES => Some(self.tables.fd()),
            map::UNWIND_WANTED => Some(self.wanted.fd()),
            _ => None,
        }
    }

    /// A map such as tables are, of so many words.
    ///
    /// # Errors
    /// The kernel's.
    pub fn table(words: u32) -> io::Result<MapHandle> {
        /// User space fills it as memory (Linux 5.5).
        const BPF_F_MMAPABLE: u32 = 1 << 10;
        /// Arrays in one map of maps may differ in length (Linux 5.10).
        const BPF_F_INNER_MAP: u32 = 1 << 12;
        let spec = MapSpec {
            name: "unwind_table",
            map_type: BPF_MAP_TYPE_ARRAY,
            key_size: 4,
            value_size: 8,
            max_entries: words,
            flags: BPF_F_MMAPABLE | BPF_F_INNER_MAP,
            inner: None,
        };
        MapHandle::create(&spec, 1)
    }
}
