//! Aggregations, shared variables and the counters of losses.

use pfscript_probes::{
    LossCause, MapTemplate,
    abi::{MINMAX_MAX, MINMAX_SIGNED},
};

use crate::{
    keyed, session,
    support::{LOSS, link::Code},
};

#[test]
fn count_counts_and_says_when_the_map_is_full() {
    let session = session!(MapTemplate::Count, 2);
    let program = session.program(&keyed().set(3, LOSS).call("pf_count").exit());
    for key in [7, 8, 7, 9, 7, 9] {
        program.run(&[key]);
    }
    assert_eq!(session.value(7), Some(vec![3]));
    assert_eq!(session.value(8), Some(vec![1]));
    assert_eq!(session.value(9), None);
    session.assert_lost(&[(LossCause::MapFull, 2)]);
}

#[test]
fn sum_wraps_and_says_when_the_map_is_full() {
    let session = session!(MapTemplate::Sum, 1);
    let body = keyed().argument(3, 1).set(4, LOSS).call("pf_sum").exit();
    let program = session.program(&body);
    for value in [5, 10, -18i64 as u64] {
        program.run(&[7, value]);
    }
    program.run(&[8, 1]);
    assert_eq!(session.value(7), Some(vec![-3i64 as u64]));
    session.assert_lost(&[(LossCause::MapFull, 1)]);
}

#[test]
fn avg_keeps_count_and_total() {
    let session = session!(MapTemplate::Avg, 1);
    let body = keyed().argument(3, 1).set(4, LOSS).call("pf_avg").exit();
    let program = session.program(&body);
    for value in [5, 10, -18i64 as u64] {
        program.run(&[7, value]);
    }
    program.run(&[8, 1]);
    assert_eq!(session.value(7), Some(vec![3, -3i64 as u64]));
    session.assert_lost(&[(LossCause::MapFull, 1)]);
}

#[test]
fn minmax_compares_as_it_is_told() {
    let minus = -5i64 as u64;
    for (routine, mode, expected) in ["pf_minmax", "pf_extreme"].into_iter().flat_map(|routine| {
        [
            (routine, 0, 3),
            (routine, MINMAX_MAX, minus),
            (routine, MINMAX_SIGNED, minus),
            (routine, MINMAX_SIGNED | MINMAX_MAX, 9),
        ]
    }) {
        let session = session!(MapTemplate::MinMax, 1);
        let body = keyed()
            .argument(3, 1)
            .set(4, mode)
            .set(5, LOSS)
            .call(routine)
            .exit();
        let program = session.program(&body);
        pin();
        for value in [4, 9, minus, 3] {
            program.run(&[7, value]);
        }
        program.run(&[8, 1]);
        // On one CPU, so that the sum over all is that one's.
        let expected = rank(expected, mode);
        assert_eq!(
            session.value(7),
            Some(vec![expected, 1]),
            "{routine}, mode {mode}"
        );
        session.assert_lost(&[(LossCause::MapFull, 1)]);
    }
}

/// What stands for a value in a map.
fn rank(value: u64, mode: u64) -> u64 {
    let flipped = value ^ (mode & MINMAX_SIGNED) << 62;
    if mode & MINMAX_MAX == 0 {
        !flipped
    } else {
        flipped
    }
}

#[test]
fn an_extreme_that_cpus_share_is_the_greatest_of_all() {
    const EACH: u64 = 20_000;
    // The same layout, shared.
    let session = session!(MapTemplate::Scalar { size: 16 }, 1);
    let body = keyed().argument(3, 1).set(4, MINMAX_MAX).set(5, LOSS);
    let program = session.program(&body.call("pf_extreme").exit());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let program = &program;
            scope.spawn(move || {
                for value in 0..EACH {
                    program.run(&[7, value * 4 + thread]);
                }
            });
        }
    });
    assert_eq!(session.value(7), Some(vec![(EACH - 1) * 4 + 3, 1]));
    session.assert_lost(&[]);
}

#[test]
fn the_first_value_is_an_extreme_even_if_zero_would_be_more_so() {
    for (routine, mode, value) in [
        ("pf_minmax", 0, 8),
        ("pf_minmax", MINMAX_SIGNED | MINMAX_MAX, -8i64 as u64),
        ("pf_extreme", 0, 8),
        ("pf_extreme", MINMAX_SIGNED | MINMAX_MAX, -8i64 as u64),
        // Of the lowest rank that there is.
        ("pf_extreme", 0, u64::MAX),
    ] {
        let session = session!(MapTemplate::MinMax, 1);
        let body = keyed().argument(3, 1).set(4, mode).set(5, LOSS);
        session.program(&body.call(routine).exit()).run(&[7, value]);
        assert_eq!(session.value(7), Some(vec![rank(value, mode), 1]));
    }
}

#[test]
fn bucket_counts_and_keeps_within_the_histogram() {
    let template = MapTemplate::Hist { bits: 5 };
    let session = session!(template, 1);
    let buckets = template.buckets().unwrap() as usize;
    let body = keyed()
        .argument(3, 1)
        .set(4, buckets as u64)
        .set(5, LOSS)
        .call("pf_bucket")
        .exit();
    let program = session.program(&body);
    let last = buckets as u64 - 1;
    for index in [0, 1, 1, last, last + 1, u64::MAX] {
        program.run(&[7, index]);
    }
    program.run(&[8, 1]);
    let mut expected = vec![0; buckets];
    (expected[0], expected[1], expected[buckets - 1]) = (1, 2, 3);
    assert_eq!(session.value(7), Some(expected));
    session.assert_lost(&[(LossCause::MapFull, 1)]);
}

#[test]
fn a_histogram_of_any_value_needs_no_bound_from_the_script() {
    let template = MapTemplate::Hist { bits: 0 };
    let session = session!(template, 1);
    let body = Code::body()
        .argument(1, 0)
        .set(2, 0)
        .call("pf_log2")
        .copy(3, 0)
        .set(1, 7)
        .spill(-8, 1)
        .map(1, "map")
        .stack(2, -8)
        .set(4, template.buckets().unwrap().into())
        .set(5, LOSS)
        .call("pf_bucket")
        .exit();
    let program = session.program(&body);
    for value in [-1i64, 0, 1, 5, 6, i64::MAX] {
        program.run(&[value as u64]);
    }
    let histogram = session.value(7).unwrap();
    assert_eq!(histogram[..5], [1, 1, 1, 0, 2]);
    assert_eq!(histogram[64], 1);
    session.assert_lost(&[]);
}

#[test]
fn set_stores_and_says_when_the_map_is_full() {
    let session = session!(MapTemplate::Scalar { size: 16 }, 1);
    let body = keyed()
        .argument(3, 1)
        .spill(-24, 3)
        .argument(3, 2)
        .spill(-16, 3)
        .stack(3, -24)
        .set(4, LOSS)
        .call("pf_set")
        .exit();
    let program = session.program(&body);
    program.run(&[7, 1, 2]);
    program.run(&[7, 3, 4]);
    program.run(&[8, 5, 6]);
    assert_eq!(session.value(7), Some(vec![3, 4]));
    session.assert_lost(&[(LossCause::MapFull, 1)]);
}

#[test]
fn add_returns_the_number_before() {
    let session = session!(MapTemplate::Scalar { size: 8 }, 1);
    let body = keyed().argument(3, 1).set(4, LOSS).call("pf_add");
    let program = session.program(&body.result(0).exit());
    assert_eq!(program.run(&[7, 5]), [0]);
    assert_eq!(program.run(&[7, -1i64 as u64]), [5]);
    assert_eq!(program.run(&[7, 0]), [4]);
    assert_eq!(program.run(&[8, 1]), [0]);
    session.assert_lost(&[(LossCause::MapFull, 1)]);
}

#[test]
fn adds_from_several_threads_are_all_counted() {
    const EACH: u64 = 20_000;
    let session = session!(MapTemplate::Scalar { size: 8 }, 1);
    let body = keyed().set(3, 1).set(4, LOSS).call("pf_add").exit();
    let program = session.program(&body);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..EACH).for_each(|_| drop(program.run(&[7]))));
        }
    });
    assert_eq!(session.value(7), Some(vec![4 * EACH]));
    session.assert_lost(&[]);
}

#[test]
fn loss_counts_at_its_index_and_ignores_one_past_the_end() {
    let session = session!();
    let program = session.program(&Code::body().argument(1, 0).call("pf_loss").exit());
    let first = LOSS + LossCause::EventsFull as u64;
    let second = LOSS + LossCause::ScratchBusy as u64;
    for index in [first, first, second, 1 << 20] {
        program.run(&[index]);
    }
    session.assert_lost(&[(LossCause::EventsFull, 2), (LossCause::ScratchBusy, 1)]);
}

/// Keeps this thread on the CPU it is on.
fn pin() {
    // SAFETY: the set is live and of the size passed; an all-zero set is a valid one.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(libc::sched_getcpu() as usize, &mut set);
        assert_eq!(libc::sched_setaffinity(0, size_of_val(&set), &set), 0);
    }
}
