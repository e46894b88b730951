//! What the library says of its templates: which are routines, entries and callbacks, what a routine's parameters are and
//! what it needs from the kernel.
//!
//! Nothing is listed here. A template is an entry if it has the hole for a body, and a callback if another one has the
//! kernel call it; the others are routines. Parameters are in the signature that its C source leaves in the object. What
//! it needs follows from the helpers that it calls and from its atomic instructions. What it does is said beside its C
//! source.

use std::collections::BTreeSet;

use crate::features::{FEATURES, Feature};
use crate::{Library, Referent, Template};

/// How the signature of a global function ends.
const GLOBAL: &str = " global";

impl<'a> Template<'a> {
    /// The names of the parameters, in `r1` and up.
    pub fn params(&self) -> impl Iterator<Item = &'a str> {
        self.signature
            .split(',')
            .filter_map(|param| {
                param
                    .trim_end_matches(GLOBAL)
                    .trim_end_matches(')')
                    .rsplit([' ', '*', '('])
                    .next()
            })
            .filter(|name| !matches!(*name, "" | "void"))
    }

    /// Whether the verifier checks it once, whoever calls it (`pf_global` in `bpf/template.h`). Its parameters and its result
    /// are numbers of 64 bits.
    pub fn is_global(&self) -> bool {
        self.signature.ends_with(GLOBAL)
    }

    /// Whether the last parameter is the place of the probe's counters of losses: the probe's index times
    /// [`LOSS_CAUSES`](crate::LOSS_CAUSES).
    pub fn counts_losses(&self) -> bool {
        self.params().last() == Some("loss")
    }

    /// Whether it is an entry: a program that claims a frame of scratch memory for the script's body, and calls it with
    /// the context and the frame's address. Which kind of program takes which entry is said where kinds are.
    pub fn is_entry(&self) -> bool {
        let mut referents = self.relocations.iter().map(|r| r.referent);
        referents.any(|referent| referent == Referent::Hole)
    }

    /// The numbers of the kernel's helpers that it calls (`enum bpf_func_id`).
    pub fn helpers(&self) -> impl Iterator<Item = u32> {
        self.code
            .chunks_exact(8)
            .filter(|instruction| instruction[0] == 0x85 && instruction[1] >> 4 == 0)
            .map(|call| u32::from_le_bytes([call[4], call[5], call[6], call[7]]))
    }
}

impl Template<'_> {
    /// Whether it has atomic instructions that return what was there before.
    fn exchanges(&self) -> bool {
        // BPF_STX | BPF_ATOMIC; a plain addition has no more in its immediate than BPF_ADD, which is 0.
        let mut instructions = self.code.chunks_exact(8);
        instructions.any(|code| code[0] & 0xe7 == 0xc3 && code[4..8] != [0; 4])
    }
}

impl Library {
    /// All entries, by name.
    pub fn entries(&self) -> impl Iterator<Item = &'static Template<'static>> + use<> {
        self.templates().filter(|template| template.is_entry())
    }

    /// The names of the functions that templates have the kernel call back.
    pub fn callbacks(&self) -> BTreeSet<&'static str> {
        self.templates()
            .flat_map(|template| template.relocations.iter())
            .filter_map(|relocation| match relocation.referent {
                Referent::Callback(name) => Some(name),
                _ => None,
            })
            .collect()
    }

    /// All that a script's body may call, by name.
    pub fn routines(&self) -> impl Iterator<Item = &'static Template<'static>> + use<> {
        let callbacks = self.callbacks();
        self.templates()
            .filter(move |template| !template.is_entry() && !callbacks.contains(template.name))
    }

    /// The features that the kernel must have for a template and all that it calls.
    pub fn needs(&self, name: &str) -> BTreeSet<Feature> {
        let mut needs = BTreeSet::new();
        for template in self.reached(name) {
            for helper in template.helpers() {
                let rows = FEATURES.iter().filter(|row| row.helper == Some(helper));
                needs.extend(rows.map(|row| row.feature));
            }
            if template.exchanges() {
                needs.insert(Feature::AtomicExchange);
            }
        }
        needs
    }

    /// The constants that the program must bring for a template and all that it calls, by name.
    pub fn parameters(&self, name: &str) -> BTreeSet<&'static str> {
        let reached = self.reached(name).into_iter();
        let relocations = reached.flat_map(|template| template.relocations.iter());
        relocations
            .filter_map(|relocation| match relocation.referent {
                Referent::Parameter(name) => Some(name),
                _ => None,
            })
            .collect()
    }

    /// A template, and those that it calls or has called back.
    fn reached(&self, name: &str) -> Vec<&Template<'static>> {
        let mut reached = Vec::new();
        let mut left = vec![name];
        let mut seen = BTreeSet::new();
        while let Some(name) = left.pop() {
            let Some(template) = self.get(name).filter(|_| seen.insert(name)) else {
                continue;
            };
            reached.push(template);
            for relocation in template.relocations.iter() {
                if let Referent::Call(name) | Referent::Callback(name) = relocation.referent {
                    left.push(name);
                }
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{FRAMED_ENTRY, LOSS_PARAMETER, LOSS_ROUTINE, PREEMPTIBLE_ENTRY, map};
    use crate::library;

    fn params(name: &str) -> Vec<&'static str> {
        library().get(name).unwrap().params().collect()
    }

    #[test]
    fn parameters_are_those_of_the_c_source() {
        assert_eq!(params("pf_loss"), ["index"]);
        assert_eq!(params("pf_count"), ["map", "key", "loss"]);
        assert_eq!(params("pf_read"), ["to", "size", "address", "loss"]);
        assert_eq!(params("pf_vma_found"), ["task", "vma", "found"]);
        let nothing = Template {
            signature: "pf_nothing(void)",
            ..library().get("pf_loss").unwrap().clone()
        };
        assert_eq!(nothing.params().count(), 0);
    }

    #[test]
    fn every_template_is_of_one_sort() {
        let entries: Vec<&str> = library().entries().map(|entry| entry.name).collect();
        assert_eq!(entries, [FRAMED_ENTRY, PREEMPTIBLE_ENTRY]);
        let callbacks = library().callbacks();
        assert!(callbacks.contains("pf_vma_found"), "{callbacks:?}");
        let routines: Vec<&str> = library().routines().map(|routine| routine.name).collect();
        assert!(routines.contains(&LOSS_ROUTINE), "{routines:?}");
        assert!(routines.contains(&"pf_strlen"), "{routines:?}");
        let all = entries.len() + callbacks.len() + routines.len();
        assert_eq!(all, library().names().count());
    }

    #[test]
    fn needs_follow_from_the_helpers_that_are_called() {
        assert_eq!(library().needs("pf_strlen"), BTreeSet::new());
        let needs = |name| library().needs(name).into_iter().collect::<Vec<_>>();
        assert_eq!(needs("pf_vma"), [Feature::FindVma, Feature::CurrentTaskBtf]);
        assert_eq!(needs("pf_vma_maple"), []);
        assert_eq!(needs("pf_vma_red_black"), []);
    }

    #[test]
    fn templates_change_nothing_outside_of_their_maps() {
        // Read memory, ask about the current task, the time and the CPU, and store in maps and in the event buffer.
        let allowed = [
            "map_lookup_elem",
            "map_update_elem",
            "map_delete_elem",
            "for_each_map_elem",
            "ringbuf_output",
            "ringbuf_reserve",
            "ringbuf_submit",
            "ringbuf_discard",
            "probe_read",
            "probe_read_str",
            "probe_read_user",
            "probe_read_kernel",
            "probe_read_user_str",
            "probe_read_kernel_str",
            "copy_from_user",
            "get_stack",
            "find_vma",
            "get_attach_cookie",
        ];
        for template in library().templates() {
            for number in template.helpers() {
                let name = crate::abi::helper::name(number).unwrap_or("unknown");
                let asks = ["get_current_", "ktime_get_", "get_smp_", "get_prandom_"];
                let harmless =
                    allowed.contains(&name) || asks.iter().any(|asks| name.starts_with(asks));
                assert!(harmless, "{} calls bpf_{name}", template.name);
            }
        }
    }

    #[test]
    fn parameters_are_those_of_all_that_is_reached() {
        assert!(library().parameters("pf_vma").is_empty());
        let maple = library().parameters("pf_vma_maple");
        for name in ["offset.mm_struct.mm_mt.ma_root", "size.maple_node"] {
            assert!(maple.contains(&*format!("pf_param_{name}")), "{maple:?}");
        }
        let mut entry = library().parameters(FRAMED_ENTRY).into_iter();
        assert_eq!(entry.next(), Some(LOSS_PARAMETER));
    }

    #[test]
    fn entries_have_the_hole_once() {
        for entry in library().entries() {
            let referents = entry.relocations.iter().map(|r| r.referent);
            let holes = referents.filter(|referent| *referent == Referent::Hole);
            assert_eq!(holes.count(), 1, "{}", entry.name);
        }
    }

    #[test]
    fn entries_and_nothing_else_use_scratch_memory() {
        for template in library().templates() {
            let scratch = Referent::Map(map::SCRATCH);
            let uses = template.relocations.iter().any(|r| r.referent == scratch);
            assert_eq!(uses, template.is_entry(), "{}", template.name);
        }
    }

    #[test]
    fn a_routine_that_counts_losses_is_told_where() {
        // What the verifier checks once has no losses of its own: it says what became of it.
        for routine in library().routines().filter(|routine| !routine.is_global()) {
            // By itself, or by a routine that it tells.
            let counts = routine.relocations.iter().any(|r| match r.referent {
                Referent::Call(LOSS_ROUTINE) => true,
                Referent::Call(other) => library()
                    .get(other)
                    .is_some_and(|other| other.counts_losses()),
                _ => false,
            });
            assert_eq!(counts, routine.counts_losses(), "{}", routine.name);
            assert!(routine.params().count() <= 5, "{}", routine.name);
        }
    }

    /// The kernel allows 512 bytes for a program and all that it calls; what templates take the body lacks.
    #[test]
    fn templates_use_little_of_the_stack() {
        for template in library().templates() {
            let (name, code) = (template.name, &template.code);
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
            assert!(
                used <= if template.is_entry() { 16 } else { 64 },
                "{name}: {used}"
            );
        }
    }

    /// What eBPF lacked in 5.10, besides helpers: atomics that return a value, which are a feature, and everything of
    /// `-mcpu=v4`.
    #[test]
    fn no_instruction_is_newer_than_linux_5_10() {
        for name in library().names() {
            let template = library().get(name).unwrap();
            let mut instructions = template.code.chunks_exact(8);
            while let Some(instruction) = instructions.next() {
                let (opcode, offset) = (instruction[0], &instruction[2..4]);
                let immediate = i32::from_le_bytes(instruction[4..8].try_into().unwrap());
                match opcode & 7 {
                    // BPF_STX: atomics are additions without BPF_FETCH, or make it a template that needs the feature.
                    3 if opcode & 0xe0 == 0xc0 && immediate != 0 => {
                        assert!(library().needs(name).contains(&Feature::AtomicExchange));
                        assert!(
                            ["pf_extreme", "pf_series_extreme"].contains(&name),
                            "the compiler must choose {name} by the feature"
                        );
                    }
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
