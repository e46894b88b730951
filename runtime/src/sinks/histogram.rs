//! Histograms as bpftrace draws them: a row for each bucket, with its bounds, its count and a bar.
//!
//! In come buckets with their bounds, out go lines. JSON has its own form.

use crate::results::{Bucket, Histogram, Scale};
use std::io::Write as _;

/// The widest bar, and the narrowest that still says something.
const BAR: usize = 52;
const LEAST_BAR: usize = 4;

/// Room for bounds and counts, which longer ones exceed.
const LABEL: usize = 16;
const COUNT: usize = 8;

/// Appends an end of line, the rows, each ended by one, and an empty line. `columns` is how wide rows may be, where that matters: bars
/// become shorter then, down to what still says something. They are all alike, and never longer than bpftrace's.
pub fn rows(histogram: &Histogram, columns: Option<usize>, out: &mut Vec<u8>) {
    out.push(b'\n');
    let label = |bucket: &Bucket| match histogram.scale {
        Scale::Log2 { bits } => log2_label(bucket, bits),
        Scale::Linear { step } => linear_label(bucket, step),
    };
    let beside = |bucket: &Bucket| {
        let count = bucket.count.checked_ilog10().unwrap_or(0) as usize + 1;
        // With a blank and the two ends of the bar.
        label(bucket).len().max(LABEL) + count.max(COUNT) + 3
    };
    let bar = match columns {
        Some(columns) => {
            let beside = histogram.buckets.iter().map(beside).max().unwrap_or(0);
            columns.saturating_sub(beside).clamp(LEAST_BAR, BAR)
        }
        None => BAR,
    };
    let most = histogram.buckets.iter().map(|bucket| bucket.count).max();
    for bucket in &histogram.buckets {
        // At most `bar`, since no count is above `most`.
        let width = (u128::from(bucket.count) * bar as u128)
            .checked_div(most.unwrap_or(0).into())
            .unwrap_or(0) as usize;
        // Writing to a vector can't fail.
        let _ = writeln!(
            out,
            "{:<LABEL$}{:>COUNT$} |{:<bar$}|",
            label(bucket),
            bucket.count,
            "@".repeat(width),
        );
    }
    out.push(b'\n');
}

/// `[a, b)`, or `[a]` where there is nothing else in it.
fn interval(from: Option<i64>, to: Option<i128>, edge: impl Fn(i128) -> String) -> String {
    match (from.map(i128::from), to) {
        (None, None) => "(..., ...)".to_owned(),
        (None, Some(to)) => format!("(..., {})", edge(to)),
        (Some(from), None) => format!("[{}, ...)", edge(from)),
        (Some(from), Some(to)) if from + 1 == to => format!("[{}]", edge(from)),
        (Some(from), Some(to)) => format!("[{}, {})", edge(from), edge(to)),
    }
}

/// A bucket of `hist`: powers of two above 2^10 times the number of parts get a suffix, so that they stay short.
fn log2_label(bucket: &Bucket, bits: u32) -> String {
    const SUFFIXES: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
    // What people take for the bound of all 64-bit numbers is just above the greatest.
    let to = bucket.to.map_or(1 << 63, i128::from);
    interval(bucket.from, Some(to), |edge| {
        let decade = edge.checked_ilog2().unwrap_or(0).saturating_sub(bits) / 10;
        let suffix = SUFFIXES.get(decade as usize).copied().unwrap_or("");
        format!("{}{suffix}", edge >> (10 * decade))
    })
}

/// A bucket of `lhist`: edges get a suffix only where the step is a multiple of 1024.
fn linear_label(bucket: &Bucket, step: i64) -> String {
    const KILO: i128 = 1 << 10;
    const MEGA: i128 = 1 << 20;
    interval(bucket.from, bucket.to.map(i128::from), |edge| {
        if i128::from(step) % KILO != 0 || edge == 0 {
            format!("{edge}")
        } else if edge % MEGA == 0 {
            format!("{}M", edge / MEGA)
        } else if edge % KILO == 0 {
            format!("{}K", edge / KILO)
        } else {
            format!("{edge}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::tests::words;
    use crate::results::testing::map_value;
    use crate::results::{NoNames, Value};
    use pfscript_compiler::manifest::MapValue;
    use pfscript_probes::maps::{linear_bounds, log2_bounds};

    /// The histogram whose buckets hold `counts`, from index 0.
    fn histogram_text(
        kind: MapValue,
        size: usize,
        counts: &[(usize, i64)],
        divisor: u64,
    ) -> String {
        let mut buckets = vec![0; size];
        for (index, count) in counts {
            buckets[*index] = *count;
        }
        let mut out = Vec::new();
        match map_value(&kind, &words(&buckets), divisor, &mut NoNames) {
            Value::Histogram(histogram) => rows(&histogram, None, &mut out),
            other => panic!("not a histogram: {other:?}"),
        }
        String::from_utf8(out).unwrap()
    }

    fn bucket((from, to): (i64, i64)) -> Bucket {
        Bucket {
            from: (from != i64::MIN).then_some(from),
            to: (to != i64::MAX).then_some(to),
            count: 0,
        }
    }

    fn log2_label_of(index: u32, bits: u32) -> String {
        log2_label(&bucket(log2_bounds(index, bits)), bits)
    }

    fn linear_label_of(index: u32, min: i64, max: i64, step: i64) -> String {
        linear_label(&bucket(linear_bounds(index, min, max, step)), step)
    }

    #[test]
    fn bars_are_as_long_as_there_is_room_for() {
        let bucket = |from, count| Bucket {
            from: Some(from),
            to: Some(from + 1),
            count,
        };
        let widest = |columns, count| {
            let histogram = Histogram {
                scale: Scale::Linear { step: 1 },
                buckets: vec![bucket(1, count), bucket(2, 1)],
            };
            let mut out = Vec::new();
            rows(&histogram, columns, &mut out);
            let text = String::from_utf8(out).unwrap();
            let widths: Vec<usize> = text.lines().map(|line| line.len()).collect();
            assert!(widths[1] == widths[2] || count > 99_999_999, "{text}");
            widths.into_iter().max().unwrap()
        };
        for (columns, width) in [
            (None, 79),
            (Some(300), 79),
            (Some(80), 79),
            (Some(79), 79),
            (Some(60), 60),
            (Some(31), 31),
            (Some(20), 31),
        ] {
            assert_eq!(widest(columns, 5), width, "{columns:?}");
        }
        assert_eq!(widest(Some(80), 1_000_000_000_000), 80);
    }

    #[test]
    fn power_of_two_histograms_print_as_in_bpftrace() {
        let shown = histogram_text(
            MapValue::Hist { bits: 0 },
            65,
            &[(0, 2), (1, 1), (2, 1), (3, 2)],
            1,
        );
        assert_eq!(
            shown,
            "
(..., 0)               2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
[0]                    1 |@@@@@@@@@@@@@@@@@@@@@@@@@@                          |
[1]                    1 |@@@@@@@@@@@@@@@@@@@@@@@@@@                          |
[2, 4)                 2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|

"
        );
        let shown = histogram_text(MapValue::Hist { bits: 0 }, 65, &[(12, 2), (51, 2)], 2);
        assert!(
            shown.starts_with("\n[1K, 2K)               1 |@@@"),
            "{shown}"
        );
        assert!(
            shown.contains("\n[512K, 1M)             0 |    "),
            "{shown}"
        );
        assert!(
            shown.contains("\n[512T, 1P)             1 |@@@@"),
            "{shown}"
        );
    }

    #[test]
    fn division_changes_counts_and_bars_of_hist_but_not_its_rows() {
        let counts = [(2, 7), (3, 1), (4, 3)];
        assert_eq!(
            histogram_text(MapValue::Hist { bits: 0 }, 65, &counts, 2),
            "
[1]                    3 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
[2, 4)                 0 |                                                    |
[4, 8)                 1 |@@@@@@@@@@@@@@@@@                                   |

"
        );
        assert_eq!(
            histogram_text(MapValue::Hist { bits: 0 }, 65, &counts[..1], 100),
            "
[1]                    0 |                                                    |

"
        );
        let kind = MapValue::LHist {
            min: 0,
            max: 10,
            step: 1,
        };
        let shown = histogram_text(kind, 12, &[(2, 3), (3, 1)], 5);
        assert!(shown.contains("[1]                    3 |@@@@"), "{shown}");
    }

    #[test]
    fn an_empty_histogram_has_no_rows() {
        assert_eq!(
            histogram_text(MapValue::Hist { bits: 0 }, 65, &[], 1),
            "\n\n"
        );
    }

    #[test]
    fn labels_of_power_of_two_buckets_are_those_of_bpftrace() {
        // `hist(n, 2)` and `hist(n, 5)`; bucket 0 holds the negative values.
        let labels: Vec<String> = (0..12).map(|index| log2_label_of(index, 2)).collect();
        assert_eq!(
            labels,
            [
                "(..., 0)", "[0]", "[1]", "[2]", "[3]", "[4]", "[5]", "[6]", "[7]", "[8, 10)",
                "[10, 12)", "[12, 14)"
            ]
        );
        let all: Vec<String> = (0..250).map(|index| log2_label_of(index, 2)).collect();
        for label in [
            "[896, 1024)",
            "[1024, 1280)",
            "[3584, 4K)",
            "[4K, 5K)",
            "[28K, 32K)",
        ] {
            assert!(all.iter().any(|one| one == label), "{label}");
        }
        assert_eq!(log2_label_of(65, 5), "[64, 66)");
        assert_eq!(log2_label_of(64, 0), "[4E, 8E)");
    }

    #[test]
    fn linear_histograms_print_as_in_bpftrace() {
        let kind = MapValue::LHist {
            min: 0,
            max: 100,
            step: 10,
        };
        let shown = histogram_text(kind, 12, &[(0, 1), (1, 1), (3, 1), (11, 1)], 1);
        assert!(
            shown.starts_with(
                "
(..., 0)               1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
[0, 10)                1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
[10, 20)               0 |                                                    |
"
            ),
            "{shown}"
        );
        assert!(shown.ends_with("@@@@|\n\n"));
        assert!(shown.contains("\n[100, ...)             1 |@@@@"));
    }

    #[test]
    fn labels_of_linear_buckets_are_those_of_bpftrace() {
        let label = |index, max, step| linear_label_of(index, 0, max, step);
        assert_eq!(label(6, 100, 1), "[5]");
        assert_eq!(label(6, 10000, 1000), "[5000, 6000)");
        assert_eq!(label(1, 10240, 1024), "[0, 1K)");
        assert_eq!(label(11, 10240, 1024), "[10K, ...)");
        assert_eq!(label(3, 10 << 20, 1 << 20), "[2M, 3M)");
        assert_eq!(label(2, 2147483647, 500 << 20), "[500M, 1000M)");
        assert_eq!(
            linear_label_of(2, 512 << 10, 10 << 20, 512 << 10),
            "[1M, 1536K)"
        );
        assert_eq!(linear_label_of(4, 0, 10, 3), "[9, ...)");
    }
}
