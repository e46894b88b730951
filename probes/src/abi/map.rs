//! The maps that templates know by name. How each is made is in [`maps`](crate::maps).

/// Counters of losses.
pub const LOSS: &str = "pf_map_loss";
/// Stacks by id.
pub const STACKS: &str = "pf_map_stacks";
/// Two tables of stacks by id, in the place of the one, where stacks are given up.
pub const STACK_TABLES: &str = "pf_map_stack_tables";
/// Memory that stacks are captured into.
pub const CAPTURES: &str = "pf_map_captures";
/// Ids of stacks that are stored.
pub const KNOWN: &str = "pf_map_known";
/// Where the tables to unwind files by are.
pub const UNWIND_FILES: &str = "pf_map_unwind_files";
/// The tables.
pub const UNWIND_TABLES: &str = "pf_map_unwind_tables";
/// Files whose tables were missed.
pub const UNWIND_WANTED: &str = "pf_map_unwind_wanted";
/// Code objects of Python that were seen.
pub const PYTHON_KNOWN: &str = "pf_map_python_known";
/// What they are called.
pub const PYTHON_CODES: &str = "pf_map_python_codes";
/// Memory that this is put together in.
pub const PYTHON_SCRATCH: &str = "pf_map_python_scratch";
/// What user space needs to walk on where a table was missed.
pub const RESTS: &str = "pf_map_rests";
/// How often that was so, by the stack's id.
pub const REST_COUNTS: &str = "pf_map_rest_counts";
/// Memory that it is put together in.
pub const REST: &str = "pf_map_rest";
/// The event buffer.
pub const EVENTS: &str = "pf_map_events";
/// Scratch memory of framed programs.
pub const SCRATCH: &str = "pf_map_scratch";
/// What a new histogram begins as.
pub const ZEROS: &str = "pf_map_zeros";
/// What the program and its loader share. No template has it; the compiler makes it.
pub const GLOBALS: &str = "pf_map_globals";

/// Which generation of its maps programs use. Likewise.
pub const GENERATIONS: &str = "pf_map_generations";

/// What programs look up about the site that they run for. Likewise.
pub const SITES: &str = "pf_map_sites";

/// Those that templates refer to: the symbol, and for a reader of the C, type and value.
pub(super) const REFERRED: &[(&str, &str)] = &[
    (
        LOSS,
        "PERCPU_ARRAY: __u64, by probe * PF_LOSS_CAUSES + cause",
    ),
    (STACKS, "HASH: __u64 id -> struct pf_stack"),
    (
        STACK_TABLES,
        "ARRAY_OF_MAPS of two such, by the last bit of the generation",
    ),
    (
        CAPTURES,
        "PERCPU_ARRAY of PF_SCRATCH_LEVELS: struct pf_scratch with a struct pf_capture",
    ),
    (
        KNOWN,
        "ARRAY of PF_KNOWN_STACKS: __u64 id, of a stack that is stored; see PF_KNOWN_FIRST",
    ),
    (
        UNWIND_FILES,
        "HASH: struct pf_unwind_file -> struct pf_unwind_table",
    ),
    (
        UNWIND_TABLES,
        "ARRAY_OF_MAPS: ARRAY of __u64; see PF_UNWIND_CHUNK_BITS",
    ),
    (UNWIND_WANTED, "RINGBUF of struct pf_unwind_wanted"),
    (RESTS, "RINGBUF of struct pf_rest"),
    (REST_COUNTS, "HASH: __u64 id -> struct pf_rest_count"),
    (
        REST,
        "PERCPU_ARRAY of PF_SCRATCH_LEVELS: struct pf_rest with PF_REST_BYTES of the stack",
    ),
    (PYTHON_KNOWN, "HASH: struct pf_python_key -> __u64, not 0"),
    (PYTHON_CODES, "RINGBUF of struct pf_python_code"),
    (
        PYTHON_SCRATCH,
        "PERCPU_ARRAY of PF_SCRATCH_LEVELS: struct pf_python_code with its texts",
    ),
    (
        EVENTS,
        "RINGBUF of records, each begins with struct pf_record",
    ),
    (
        SCRATCH,
        "PERCPU_ARRAY of PF_SCRATCH_LEVELS: struct pf_scratch with a frame",
    ),
    (
        ZEROS,
        "ARRAY of one element as big as the biggest histogram, never written",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Referent, library};
    use std::collections::BTreeSet;

    #[test]
    fn these_are_the_maps_that_templates_refer_to() {
        let mut used = BTreeSet::new();
        for name in library().names() {
            for relocation in library().get(name).unwrap().relocations.iter() {
                if let Referent::Map(map) = relocation.referent {
                    used.insert(map);
                }
            }
        }
        let listed: BTreeSet<&str> = REFERRED.iter().map(|(symbol, _)| *symbol).collect();
        assert_eq!(used, listed);
    }
}
