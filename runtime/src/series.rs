//! The bytes of a time series: the CPUs' parts put together, and the order of its intervals.
//!
//! In come values of `tseries` maps as [`SERIES_HEADER`] and [`INTERVAL`] say, out go the same with one part, in which
//! values stand where ranks were. What they mean to a reader is told in [`crate::results`].

use crate::bytes::{turn, unsigned};
use pfscript_compiler::manifest::Fold;
use pfscript_probes::abi::{
    INTERVAL, INTERVAL_NUMBER, INTERVAL_VALUE, INTERVAL_WEIGHT, SERIES_HEADER,
};

/// One interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// [`INTERVAL_NUMBER`]
    pub number: u64,
    /// [`INTERVAL_VALUE`]
    pub value: u64,
    /// [`INTERVAL_WEIGHT`], not 0
    pub weight: u64,
}

/// The intervals of a series that something came in, in the order in which they are kept.
pub fn intervals(series: &[u8]) -> impl Iterator<Item = Interval> + '_ {
    places(series).map(read).filter(Interval::is_there)
}

/// The number of the newest interval of a series, if there is one.
pub fn newest(series: &[u8]) -> Option<u64> {
    intervals(series).map(|interval| interval.number).max()
}

/// Puts the CPUs' parts of a series together into `out`, which is zero and has the size of one part.
pub fn merge(fold: Fold, signed: bool, per_cpu: &[u8], out: &mut [u8]) {
    for part in per_cpu.chunks_exact(out.len().max(1)) {
        let begin = (SERIES_HEADER as usize).min(out.len());
        for (into, from) in out[begin..]
            .chunks_exact_mut(INTERVAL.size() as usize)
            .zip(places(part))
        {
            let (old, new) = (read(into), read(from));
            if new.is_there() {
                let joined = match old.number.cmp(&new.number) {
                    _ if !old.is_there() => new,
                    std::cmp::Ordering::Less => new,
                    std::cmp::Ordering::Greater => old,
                    std::cmp::Ordering::Equal => join(fold, old, new),
                };
                INTERVAL_NUMBER.set(into, joined.number);
                INTERVAL_VALUE.set(into, joined.value);
                INTERVAL_WEIGHT.set(into, joined.weight);
            }
        }
    }
    turn_extremes(fold, signed, out);
}

/// Puts values in the place of ranks, or ranks in that of values, where a series keeps extremes.
pub fn turn_extremes(fold: Fold, signed: bool, series: &mut [u8]) {
    if let Fold::Min | Fold::Max = fold {
        let begin = (SERIES_HEADER as usize).min(series.len());
        for place in series[begin..].chunks_exact_mut(INTERVAL.size() as usize) {
            let word = read(place).value;
            INTERVAL_VALUE.set(place, turn(word, fold == Fold::Min, signed));
        }
    }
}

/// Two CPUs' parts of one interval.
fn join(fold: Fold, one: Interval, other: Interval) -> Interval {
    let (value, weight) = match fold {
        Fold::Last if other.weight > one.weight => (other.value, other.weight),
        Fold::Last => (one.value, one.weight),
        Fold::Sum | Fold::Avg => (
            one.value.wrapping_add(other.value),
            one.weight.wrapping_add(other.weight),
        ),
        Fold::Min | Fold::Max => (one.value.max(other.value), one.weight),
    };
    Interval {
        value,
        weight,
        ..one
    }
}

impl Interval {
    /// Whether it has begun and something came in it.
    fn is_there(&self) -> bool {
        self.number != 0 && self.weight != 0
    }
}

fn places(series: &[u8]) -> impl Iterator<Item = &[u8]> {
    let begin = (SERIES_HEADER as usize).min(series.len());
    series[begin..].chunks_exact(INTERVAL.size() as usize)
}

fn read(place: &[u8]) -> Interval {
    Interval {
        number: unsigned(INTERVAL_NUMBER.of(place)),
        value: unsigned(INTERVAL_VALUE.of(place)),
        weight: unsigned(INTERVAL_WEIGHT.of(place)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::tests::words;

    /// What several CPUs' parts come to, each a header and intervals of three words.
    fn merged(fold: Fold, signed: bool, parts: &[&[[i64; 3]]]) -> Vec<[i64; 3]> {
        let size = 8 + 24 * parts[0].len();
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend(words(&[9]));
            for interval in *part {
                bytes.extend(words(interval));
            }
        }
        let mut out = vec![0; size];
        merge(fold, signed, &bytes, &mut out);
        places(&out)
            .map(read)
            .map(|one| [one.number as i64, one.value as i64, one.weight as i64])
            .collect()
    }

    #[test]
    fn the_newer_interval_of_a_place_stays_and_equal_ones_are_joined() {
        let parts: [&[[i64; 3]]; 3] = [
            &[[5, 10, 1], [2, 7, 3], [0, 0, 0]],
            &[[5, 20, 2], [6, -1, 4], [0, 0, 0]],
            &[[1, 99, 9], [6, 3, 1], [3, 4, 0]],
        ];
        assert_eq!(
            merged(Fold::Sum, true, &parts),
            [[5, 30, 3], [6, 2, 5], [0, 0, 0]]
        );
        assert_eq!(
            merged(Fold::Avg, true, &parts),
            merged(Fold::Sum, true, &parts)
        );
        // The one with the later time.
        assert_eq!(
            merged(Fold::Last, true, &parts),
            [[5, 20, 2], [6, -1, 4], [0, 0, 0]]
        );
    }

    #[test]
    fn extremes_are_values_behind_the_merge() {
        for (fold, signed, expected) in [
            (Fold::Min, true, -3),
            (Fold::Max, true, 7),
            (Fold::Max, false, -3),
            (Fold::Min, false, 7),
        ] {
            let rank = |value: i64| turn(value as u64, fold == Fold::Min, signed) as i64;
            let parts: [&[[i64; 3]]; 2] = [&[[5, rank(-3), 1]], &[[5, rank(7), 1]]];
            assert_eq!(merged(fold, signed, &parts), [[5, expected, 1]], "{fold:?}");
        }
    }

    #[test]
    fn intervals_without_values_are_none() {
        let series = words(&[0, 4, 1, 1, 9, 5, 0, 0, 0, 0]);
        let numbers: Vec<u64> = intervals(&series).map(|one| one.number).collect();
        assert_eq!(numbers, [4]);
        assert_eq!(newest(&series), Some(4));
        assert_eq!(newest(&words(&[0, 0, 0, 0])), None);
        assert_eq!(newest(&[]), None);
    }
}
