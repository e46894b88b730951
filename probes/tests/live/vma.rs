//! Mappings.

use std::ptr::null_mut;

use pfscript_probes::LossCause;
use pfscript_testkit::program::RAW_TRACEPOINT;

use crate::{
    session,
    support::{
        LOSS,
        link::{self, Code},
    },
};

#[test]
fn vma_is_one_number_for_all_addresses_of_a_mapping() {
    let session = session!();
    let body = Code::body().argument(1, 0).set(2, LOSS).call("pf_vma");
    // The shifts show that the script can calculate with it.
    let body = body
        .result(0)
        .op(0x79, 0, 10, -208, 0)
        .op(0x77, 0, 0, 0, 4)
        .op(0x67, 0, 0, 0, 4)
        .result(1)
        .exit();
    let loaded = link::load(
        RAW_TRACEPOINT,
        "pf_enter_framed",
        &body,
        &session.maps,
        &session.parameters,
    );
    // The helpers are of 5.11 and 5.17, callbacks of 5.13.
    let missing = [
        "invalid func",
        "unknown func",
        "number of funcs in func_info",
    ];
    if loaded.is_err_and(|log| missing.iter().any(|message| log.contains(message))) {
        return println!("skip: this kernel has no bpf_find_vma");
    }
    let program = session.program(&body);
    let page = 4096u64;
    // SAFETY: a new mapping, inaccessible but for its address.
    let mapping = unsafe {
        libc::mmap(
            null_mut(),
            3 * page as usize,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    } as u64;
    // SAFETY: the middle page of the mapping above, which nothing refers to.
    unsafe { libc::munmap((mapping + page) as *mut libc::c_void, page as usize) };
    let mut first = Vec::new();
    for _ in 0..100 {
        first = program.run(&[mapping]);
        if first[0] != 0 {
            break;
        }
    }
    assert!((first[0] as i64) < 0, "an address of the kernel");
    assert_eq!(first[1], first[0] >> 4 << 4);
    let lost = session.lost(LossCause::KernelReadFailed);
    let other = program.run(&[mapping + page - 1]);
    if session.lost(LossCause::KernelReadFailed) == lost {
        assert_eq!(first, other);
    }
    let lost = session.lost(LossCause::KernelReadFailed);
    assert_eq!(program.run(&[mapping + page]), [0, 0]);
    assert!(session.lost(LossCause::KernelReadFailed) <= lost + 1);
}
