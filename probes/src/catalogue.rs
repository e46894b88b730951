//! The catalogue: every template by name, with its parameters and what it needs from the kernel.
//!
//! The objects in `prebuilt/` and these tables name the same functions; a test holds them to that. What a routine does
//! in full is said beside its C source.

use crate::Feature;
use crate::abi::{FRAMED_ENTRY, LOSS_ROUTINE, PREEMPTIBLE_ENTRY};

/// A prebuilt function that the script's body calls.
#[derive(Debug)]
pub struct Routine {
    /// Its symbol.
    pub name: &'static str,
    /// The names of its parameters, in `r1` and up. Those called `loss` are the first of the probe's counters:
    /// the probe's index times [`LOSS_CAUSES`](crate::LOSS_CAUSES).
    pub params: &'static [&'static str],
    /// What the kernel must have.
    pub needs: &'static [Feature],
    /// What it does and returns, in a line.
    pub doc: &'static str,
}

/// A prebuilt program that claims a frame of scratch memory for the script's body, and calls it with the context and the
/// frame's address. Which kind of program takes which entry is said where kinds are.
#[derive(Debug)]
pub struct Entry {
    /// Its symbol.
    pub name: &'static str,
    /// What it is for, in a line.
    pub doc: &'static str,
}

/// A prebuilt function that a routine has the kernel call back. Listed for completeness: scripts do not call it.
#[derive(Debug)]
pub struct Callback {
    /// Its symbol.
    pub name: &'static str,
    /// What it does, in a line.
    pub doc: &'static str,
}

/// All routines, by subject.
pub const ROUTINES: &[Routine] = &[
    Routine {
        name: LOSS_ROUTINE,
        params: &["index"],
        needs: &[],
        doc: "adds one to a counter of the map of losses",
    },
    Routine {
        name: "pf_count",
        params: &["map", "key", "loss"],
        needs: &[],
        doc: "adds one to a count",
    },
    Routine {
        name: "pf_sum",
        params: &["map", "key", "value", "loss"],
        needs: &[],
        doc: "adds a value to a sum",
    },
    Routine {
        name: "pf_avg",
        params: &["map", "key", "value", "loss"],
        needs: &[],
        doc: "adds one to a count and a value to its total",
    },
    Routine {
        name: "pf_minmax",
        params: &["map", "key", "value", "mode", "loss"],
        needs: &[],
        doc: "keeps the least or, with MINMAX_MAX, the greatest value; MINMAX_SIGNED compares as signed",
    },
    Routine {
        name: "pf_bucket",
        params: &["map", "key", "index", "buckets", "loss"],
        needs: &[],
        doc: "adds one to a histogram's bucket, to the last one if there is none of that index",
    },
    Routine {
        name: "pf_set",
        params: &["map", "key", "value", "loss"],
        needs: &[],
        doc: "stores the value at an address",
    },
    Routine {
        name: "pf_add",
        params: &["map", "key", "delta", "loss"],
        needs: &[],
        doc: "adds to a shared number atomically; the number as it was seen before",
    },
    Routine {
        name: "pf_log2",
        params: &["value", "bits"],
        needs: &[],
        doc: "the bucket of a value in a power-of-two histogram",
    },
    Routine {
        name: "pf_sdiv",
        params: &["a", "b"],
        needs: &[],
        doc: "the signed quotient, rounded towards zero; 0 if b is 0",
    },
    Routine {
        name: "pf_smod",
        params: &["a", "b"],
        needs: &[],
        doc: "the signed remainder, with the sign of a; 0 if b is 0",
    },
    Routine {
        name: "pf_read",
        params: &["to", "size", "address", "loss"],
        needs: &[],
        doc: "copies memory of the kernel or the process, or zeroes; 1 if it could be read",
    },
    Routine {
        name: "pf_read_str",
        params: &["to", "size", "address", "loss"],
        needs: &[],
        doc: "copies a string; its length with the NUL, or 0 if it could not be read",
    },
    Routine {
        name: "pf_streq",
        params: &["a", "b", "n"],
        needs: &[],
        doc: "1 if n bytes are the same, n a multiple of 8 and at most 1024",
    },
    Routine {
        name: "pf_strlen",
        params: &["string", "room"],
        needs: &[],
        doc: "the bytes before the NUL of a string in so much room",
    },
    Routine {
        name: "pf_emit",
        params: &["record", "size", "loss"],
        needs: &[Feature::RingBuffer],
        doc: "sends a record to user space",
    },
    Routine {
        name: "pf_stack",
        params: &["ctx", "flags", "size", "loss"],
        needs: &[],
        doc: "stores the current stack, each different one once; its id, or 0",
    },
    Routine {
        name: "pf_stack_len",
        params: &["id"],
        needs: &[],
        doc: "the frames of a stored stack, or 0",
    },
    Routine {
        name: "pf_map_len",
        params: &["map"],
        needs: &[Feature::ForEachMapElement],
        doc: "the elements of a map",
    },
    Routine {
        name: "pf_vma",
        params: &["address", "loss"],
        needs: &[Feature::FindVma, Feature::CurrentTaskBtf],
        doc: "the address of the vm_area_struct that an address of the process lies in, or 0",
    },
];

/// All entries.
pub const ENTRIES: &[Entry] = &[
    Entry {
        name: FRAMED_ENTRY,
        doc: "programs that cannot be preempted nor sleep: claims without atomic instructions",
    },
    Entry {
        name: PREEMPTIBLE_ENTRY,
        doc: "programs that can be preempted and cannot sleep: claims by atomic additions",
    },
];

/// All callbacks.
pub const CALLBACKS: &[Callback] = &[
    Callback {
        name: "pf_map_counted",
        doc: "counts an element for pf_map_len",
    },
    Callback {
        name: "pf_vma_found",
        doc: "notes the mapping that bpf_find_vma found",
    },
];

/// The routine of that name.
pub fn routine(name: &str) -> Option<&'static Routine> {
    ROUTINES.iter().find(|routine| routine.name == name)
}

/// The entry of that name.
pub fn entry(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::abi::map;
    use crate::{Referent, library};

    fn catalogued() -> Vec<&'static str> {
        let routines = ROUTINES.iter().map(|routine| routine.name);
        let entries = ENTRIES.iter().map(|entry| entry.name);
        let callbacks = CALLBACKS.iter().map(|callback| callback.name);
        routines.chain(entries).chain(callbacks).collect()
    }

    #[test]
    fn catalogue_and_objects_name_the_same_templates() {
        let names = catalogued();
        let catalogue: BTreeSet<&str> = names.iter().copied().collect();
        let objects: BTreeSet<&str> = library().names().collect();
        assert_eq!(catalogue, objects);
        assert_eq!(catalogue.len(), names.len(), "a name is listed twice");
    }

    #[test]
    fn entries_and_nothing_else_have_the_hole_once() {
        for name in library().names() {
            let holes = library()
                .get(name)
                .unwrap()
                .relocations
                .iter()
                .filter(|relocation| relocation.referent == Referent::Hole)
                .count();
            assert_eq!(holes, usize::from(entry(name).is_some()), "{name}");
        }
    }

    #[test]
    fn entries_and_nothing_else_use_scratch_memory() {
        for name in library().names() {
            let template = library().get(name).unwrap();
            let scratch = Referent::Map(map::SCRATCH);
            let uses = template.relocations.iter().any(|r| r.referent == scratch);
            assert_eq!(uses, entry(name).is_some(), "{name}");
        }
    }

    #[test]
    fn callbacks_are_what_routines_have_called_back() {
        let listed: BTreeSet<&str> = CALLBACKS.iter().map(|callback| callback.name).collect();
        let mut used = BTreeSet::new();
        for name in library().names() {
            for relocation in &library().get(name).unwrap().relocations {
                if let Referent::Callback(target) = relocation.referent {
                    used.insert(target);
                }
            }
        }
        assert_eq!(listed, used);
    }

    #[test]
    fn a_routine_that_counts_losses_is_told_where() {
        for routine in ROUTINES {
            let template = library().get(routine.name).unwrap();
            let counts = template
                .relocations
                .iter()
                .any(|relocation| relocation.referent == Referent::Call("pf_loss"));
            assert_eq!(
                counts,
                routine.params.last() == Some(&"loss"),
                "{}",
                routine.name
            );
            assert!(routine.params.len() <= 5, "{}", routine.name);
        }
    }

    /// The kernel allows 512 bytes for a program and all that it calls; what templates take the body lacks.
    #[test]
    fn templates_use_little_of_the_stack() {
        for name in library().names() {
            let entry = ENTRIES.iter().any(|entry| entry.name == name);
            let code = &library().get(name).unwrap().code;
            let mut used = 0;
            for (at, instruction) in code.chunks_exact(8).enumerate() {
                let (target, source) = (instruction[1] & 15, instruction[1] >> 4);
                let offset = i16::from_le_bytes(instruction[2..4].try_into().unwrap());
                let accesses = match instruction[0] & 7 {
                    1 => source == 10,
                    2 | 3 => target == 10,
                    _ => false,
                };
                if accesses {
                    used = used.max(-i32::from(offset));
                }
                // An address on the stack: a copy of r10, and a constant added to it right after.
                if instruction[0] == 0xbf && source == 10 {
                    let next = &code[at * 8 + 8..at * 8 + 16];
                    assert_eq!((next[0], next[1]), (0x07, target), "{name}");
                    used = used.max(-i32::from_le_bytes(next[4..].try_into().unwrap()));
                }
            }
            assert!(used <= if entry { 16 } else { 64 }, "{name}: {used}");
        }
    }

    /// What eBPF lacked in 5.10, besides helpers: atomics that return a value, and everything of `-mcpu=v4`.
    #[test]
    fn no_instruction_is_newer_than_linux_5_10() {
        for name in library().names() {
            let template = library().get(name).unwrap();
            let mut instructions = template.code.chunks_exact(8);
            while let Some(instruction) = instructions.next() {
                let (opcode, offset) = (instruction[0], &instruction[2..4]);
                let immediate = i32::from_le_bytes(instruction[4..8].try_into().unwrap());
                match opcode & 7 {
                    // BPF_STX: atomics are additions without BPF_FETCH.
                    3 if opcode & 0xe0 == 0xc0 => assert_eq!(immediate, 0, "{name}"),
                    // BPF_LDX: no sign extension (BPF_MEMSX).
                    1 => assert_ne!(opcode & 0xe0, 0x80, "{name}"),
                    // BPF_ALU, BPF_ALU64: signed division and moves are marked by the offset; no bswap.
                    4 | 7 => {
                        assert_eq!(offset, [0, 0], "{name}");
                        assert_ne!(opcode, 0xd7, "{name}");
                    }
                    // BPF_JMP32: no long jump.
                    6 => assert_ne!(opcode, 0x06, "{name}"),
                    _ => {}
                }
                if opcode == 0x18 {
                    instructions.next();
                }
            }
        }
    }
}
