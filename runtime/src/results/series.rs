//! Time series from bytes: which intervals are shown, and what their values came to.

use super::value::{Point, Series};
use crate::bytes::as_number;
use crate::series as raw;
use pfscript_compiler::manifest::{Fold, MapValue};
use std::collections::BTreeMap;

pub use raw::newest;

/// The series in `bytes`, of a map whose newest interval has the number `newest`; `None` if there is none.
pub fn decode(kind: &MapValue, bytes: &[u8], newest: Option<u64>) -> Series {
    let MapValue::Series {
        fold,
        interval,
        intervals,
        signed,
    } = *kind
    else {
        return Series::default();
    };
    let mut points = Vec::new();
    if let Some(newest) = newest {
        let oldest = newest.saturating_sub(u64::from(intervals) - 1).max(1);
        let kept: BTreeMap<u64, i128> = raw::intervals(bytes)
            .filter(|one| (oldest..=newest).contains(&one.number))
            .map(|one| (one.number, value(fold, signed, one)))
            .collect();
        let first = kept.keys().next().copied().unwrap_or(newest);
        points = (first..=newest)
            .map(|number| Point {
                start: (number - 1).saturating_mul(interval),
                value: kept.get(&number).copied(),
            })
            .collect();
    }
    Series {
        interval,
        signed,
        points,
    }
}

/// What the values of an interval came to.
fn value(fold: Fold, signed: bool, interval: raw::Interval) -> i128 {
    let value = as_number(interval.value, signed);
    match fold {
        // Cut towards zero, as averages are.
        Fold::Avg => value / i128::from(interval.weight.max(1)),
        Fold::Last | Fold::Sum | Fold::Min | Fold::Max => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::tests::words;

    fn kind(fold: Fold, interval: u64, signed: bool) -> MapValue {
        MapValue::Series {
            fold,
            interval,
            intervals: 4,
            signed,
        }
    }

    fn points(
        kind: &MapValue,
        intervals: &[[i64; 3]],
        newest: Option<u64>,
    ) -> Vec<(u64, Option<i128>)> {
        let mut bytes = words(&[0]);
        for interval in intervals {
            bytes.extend(words(interval));
        }
        let points = decode(kind, &bytes, newest).points;
        points.iter().map(|one| (one.start, one.value)).collect()
    }

    #[test]
    fn points_go_from_the_first_value_to_the_newest_of_all_keys() {
        let kind = kind(Fold::Last, 100, true);
        let kept = [[9, 5, 1], [7, -6, 1], [2, 3, 1], [0, 0, 0]];
        let expected = [(600, Some(-6)), (700, None), (800, Some(5)), (900, None)];
        assert_eq!(points(&kind, &kept, Some(10)), expected);
        assert_eq!(points(&kind, &kept, Some(11))[0], (800, Some(5)));
        // All of it is too old.
        assert_eq!(points(&kind, &kept, Some(20)), [(1900, None)]);
        assert_eq!(points(&kind, &kept, None), []);
    }

    #[test]
    fn the_first_interval_since_1970_is_one() {
        let kind = kind(Fold::Last, 100, true);
        let kept = [[1, 5, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]];
        assert_eq!(points(&kind, &kept, Some(2)), [(0, Some(5)), (100, None)]);
    }

    #[test]
    fn averages_are_cut_towards_zero() {
        let kind = kind(Fold::Avg, 100, true);
        let kept = [[5, -7, 2], [6, 7, 2]];
        let expected = [(400, Some(-3)), (500, Some(3))];
        assert_eq!(points(&kind, &kept, Some(6)), expected);
    }

    #[test]
    fn nothing_overflows() {
        let kind = kind(Fold::Last, u64::MAX, false);
        let kept = [[-1, -1, -1]];
        let expected = [(u64::MAX, Some(i128::from(u64::MAX)))];
        assert_eq!(points(&kind, &kept, Some(u64::MAX)), expected);
    }
}
