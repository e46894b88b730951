//! Calculations, which give the same in the kernel as on paper.

use pfscript_probes::maps::{self, log2_bounds, log2_buckets};

use crate::{session, support::link::Code};

/// A body that stores what a routine without memory returns.
fn calculation(routine: &'static str) -> Code {
    Code::body()
        .argument(1, 0)
        .argument(2, 1)
        .call(routine)
        .result(0)
        .exit()
}

#[test]
fn log2_agrees_with_its_inverse() {
    let session = session!();
    for bits in 0..=maps::MAX_LOG2_BITS {
        let body = Code::body().argument(1, 0).set(2, bits.into());
        let program = session.program(&body.call("pf_log2").result(0).exit());
        for index in (0..log2_buckets(bits)).step_by(7) {
            let (lower, upper) = log2_bounds(index, bits);
            for value in [lower, upper - 1] {
                assert_eq!(program.run(&[value as u64]), [u64::from(index)]);
            }
        }
    }
}

#[test]
fn division_is_that_of_c_and_never_faults() {
    let session = session!();
    let divide = session.program(&calculation("pf_sdiv"));
    let edges = [0i64, 1, -1, 2, -2, 7, -7, 100, i64::MAX, i64::MIN];
    for a in edges {
        for b in edges {
            let expected = if b == 0 { 0 } else { a.wrapping_div(b) };
            assert_eq!(divide.run(&[a as u64, b as u64]), [expected as u64]);
        }
    }
    let rest = session.program(&calculation("pf_smod"));
    for a in edges {
        for b in edges {
            let expected = if b == 0 { 0 } else { a.wrapping_rem(b) };
            assert_eq!(rest.run(&[a as u64, b as u64]), [expected as u64]);
        }
    }
}
