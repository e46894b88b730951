//! Time series: intervals that are used in turn.

use pfscript_probes::abi::{INTERVAL, MINMAX_MAX, MINMAX_SIGNED, SERIES_HEADER};
use pfscript_probes::{LossCause, MapTemplate};

use crate::support::{LOSS, Session, link::Code};
use crate::{keyed, session};

/// The intervals of each series here.
const INTERVALS: u64 = 3;
/// Bytes of `struct pf_sample`, and where it is on the stack.
const SAMPLE: i16 = -40;

/// Takes a key, a value, a time, and the number of the interval.
fn body(routine: &'static str, mode: u64) -> Code {
    keyed()
        .argument(3, 1)
        .spill(SAMPLE, 3)
        .argument(3, 2)
        .spill(SAMPLE + 8, 3)
        .argument(3, 3)
        .spill(SAMPLE + 16, 3)
        .set(3, mode)
        .spill(SAMPLE + 24, 3)
        .stack(3, SAMPLE)
        .set(4, INTERVALS)
        .set(5, LOSS)
        .call(routine)
        .exit()
}

/// A map of one series that all CPUs share, so that its bytes are not added up.
fn shared() -> Option<Session> {
    let size = SERIES_HEADER + INTERVALS as u32 * INTERVAL.size();
    Session::with(MapTemplate::Scalar { size }, 1)
}

/// Number, value and weight of each interval.
fn intervals(session: &Session) -> Vec<[u64; 3]> {
    let words = session.value(7).expect("the key is there");
    assert_eq!(words[0], 0, "no claim is left");
    words[1..]
        .chunks_exact(3)
        .map(|words| [words[0], words[1], words[2]])
        .collect()
}

#[test]
fn intervals_are_used_in_turn_and_older_samples_left_out() {
    let Some(session) = shared() else { return };
    let program = session.program(&body("pf_series_sum", 0));
    for (value, number) in [(5, 4), (6, 4), (1, 5), (2, 9)] {
        program.run(&[7, value, 0, number]);
    }
    assert_eq!(intervals(&session), [[9, 2, 1], [4, 11, 2], [5, 1, 1]]);
    // The next turn begins anew; what is older than an interval's turn has no place any more.
    program.run(&[7, 3, 0, 7]);
    program.run(&[7, 8, 0, 6]);
    program.run(&[7, 9, 0, 4]);
    assert_eq!(intervals(&session), [[9, 2, 1], [7, 3, 1], [5, 1, 1]]);
    session.assert_lost(&[]);
}

#[test]
fn the_last_value_stays_with_its_time() {
    let Some(session) = shared() else { return };
    let program = session.program(&body("pf_series_last", 0));
    for (value, time, number) in [(5, 40, 4), (6, 39, 4), (-1i64 as u64, 0, 3)] {
        program.run(&[7, value, time, number]);
    }
    assert_eq!(
        intervals(&session),
        [[3, u64::MAX, 1], [4, 6, 40], [0, 0, 0]]
    );
    session.assert_lost(&[]);
}

#[test]
fn extremes_are_kept_by_rank() {
    let minus = -5i64 as u64;
    for routine in ["pf_series_minmax", "pf_series_extreme"] {
        for (mode, expected) in [
            (0, !3),
            (MINMAX_MAX, minus),
            (MINMAX_SIGNED, !(minus ^ 1 << 63)),
            (MINMAX_SIGNED | MINMAX_MAX, 9 ^ 1 << 63),
        ] {
            let Some(session) = shared() else { return };
            let program = session.program(&body(routine, mode));
            for value in [4, 9, minus, 3] {
                program.run(&[7, value, 0, 1]);
            }
            assert_eq!(intervals(&session)[1], [1, expected, 1], "{routine} {mode}");
            program.run(&[7, 4, 0, 4]);
            assert_eq!(intervals(&session)[1][0], 4, "{routine} {mode}");
            assert_ne!(intervals(&session)[1][1], expected, "{routine} {mode}");
            session.assert_lost(&[]);
        }
    }
}

#[test]
fn a_full_map_is_said() {
    let session = session!(
        MapTemplate::Series {
            intervals: 3,
            extremes: false
        },
        1
    );
    let program = session.program(&body("pf_series_last", 0));
    program.run(&[7, 1, 0, 1]);
    program.run(&[8, 1, 0, 1]);
    session.assert_lost(&[(LossCause::MapFull, 1)]);
}

/// Many interval beginnings, in which each thread meets the others: what is not counted as lost is there.
#[test]
fn cpus_that_begin_intervals_at_once_lose_nothing_in_silence() {
    const EACH: u64 = 3_000;
    const THREADS: u64 = 4;
    let Some(session) = shared() else { return };
    let program = session.program(&body("pf_series_sum", 0));
    let mut kept = 0;
    for number in 1..=6 {
        // Each begins a new interval, all at the same time.
        let number = number * INTERVALS;
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                let program = &program;
                scope.spawn(move || {
                    for _ in 0..EACH {
                        program.run(&[7, 2, 0, number]);
                    }
                });
            }
        });
        let [found, total, weight] = intervals(&session)[0];
        assert_eq!((found, total), (number, weight * 2));
        kept += weight;
    }
    let lost = session.lost(LossCause::NoMemory);
    assert_eq!(kept + lost, 6 * EACH * THREADS);
}
