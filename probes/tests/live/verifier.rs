//! What big programs cost the verifier.

use pfscript_probes::{
    MapTemplate,
    abi::{STACK_DEFAULT_DEPTH, STACK_PIECE_FRAMES, STACK_USER},
};

use crate::{
    session,
    support::{LOSS, link::Code},
};

#[test]
fn the_verifier_bears_many_calls_of_the_routines_with_loops_and_branches() {
    bears_many_calls("pf_stack");
}

#[test]
fn it_does_so_where_stacks_are_given_up() {
    bears_many_calls("pf_stack_renewed");
}

fn bears_many_calls(stack: &'static str) {
    let template = MapTemplate::Hist { bits: 5 };
    let session = session!(template, 16);
    let mut body = Code::body();
    for call in 0..8 {
        // Each result goes into the next histogram, so that nothing is dead to the verifier.
        body = body
            .copy(1, 7)
            .copy(2, 7)
            .op(0x07, 2, 0, 0, 1024)
            .set(3, 1024)
            .call("pf_streq")
            .copy(8, 0)
            .copy(1, 6)
            .set(2, STACK_USER | STACK_DEFAULT_DEPTH)
            .set(3, u64::from(STACK_PIECE_FRAMES) * 8)
            .set(4, LOSS)
            .call(stack)
            .copy(1, 8)
            .op(0x0f, 1, 0, 0, 0)
            .set(2, 5)
            .call("pf_log2")
            .copy(3, 0)
            .set(1, call)
            .spill(-8, 1)
            .map(1, "map")
            .stack(2, -8)
            .set(4, template.buckets().unwrap().into())
            .set(5, LOSS)
            .call("pf_bucket");
    }
    session.program(&body.exit()).run(&[]);
    for call in 0..8 {
        assert_eq!(session.value(call).unwrap().iter().sum::<u64>(), 1);
    }
}
