//! What BPF objects the kernel holds, by their ids. Who made them is not known.

use crate::sys::{bpf, zeroed};
use aya_obj::generated::bpf_cmd;
use std::collections::BTreeSet;

/// An object's kind, as `/proc/PID/fdinfo` calls it before `_id:`, and its id.
pub type Id = (&'static str, u32);

/// The kinds of objects that can be listed.
pub const KINDS: [(&str, bpf_cmd); 3] = [
    ("prog", bpf_cmd::BPF_PROG_GET_NEXT_ID),
    ("map", bpf_cmd::BPF_MAP_GET_NEXT_ID),
    ("link", bpf_cmd::BPF_LINK_GET_NEXT_ID),
];

/// All programs, maps and links that the kernel holds; none without root.
pub fn all() -> BTreeSet<Id> {
    let mut found = BTreeSet::new();
    for (kind, command) in KINDS {
        let mut id = 0;
        loop {
            let mut attr = zeroed();
            attr.__bindgen_anon_6.__bindgen_anon_1.start_id = id;
            if bpf(command, &mut attr).is_err() {
                break;
            }
            // SAFETY: this is the member that the command writes.
            id = unsafe { attr.__bindgen_anon_6.next_id };
            found.insert((kind, id));
        }
    }
    found
}
