//! Time series as bpftrace draws them: a row for each interval, with its beginning, its value, and a star where that is between
//! the least and the greatest.
//!
//! In come points, out go lines. JSON has its own form.

use super::push;
use crate::local_time::{self, Zone};
use crate::results::{Point, Series};

/// The columns between the two edges, and one.
const WIDTH: usize = 52;

/// How exactly times are written: the label, the digits behind the seconds, and the bytes that label and blanks take.
type Exactness = (&'static str, usize, usize);
const NANOSECONDS: Exactness = ("hh:mm:ss.ns", 9, 19);
/// The least interval that each is for, in nanoseconds.
const EXACTNESS: [(u64, Exactness); 4] = [
    (1_000_000_000, ("hh:mm:ss", 0, 9)),
    (1_000_000, ("hh:mm:ss.ms", 3, 13)),
    (1_000, ("hh:mm:ss.μs", 6, 16)),
    (0, NANOSECONDS),
];

/// Appends an end of line, the rows between two scales, and an empty line.
pub fn plot(series: &Series, out: &mut Vec<u8>) {
    out.push(b'\n');
    if series.points.is_empty() {
        out.extend_from_slice(b"<no data>\n");
        return;
    }
    let exactness = EXACTNESS.iter().find(|row| series.interval >= row.0);
    let (label, digits, room) = match (exactness, &series.points[..]) {
        // A row alone is no multiple of anything.
        (None, _) | (_, [_]) => NANOSECONDS,
        (Some(row), _) => row.1,
    };
    let scale = Scale::of(series);
    let edge = "_".repeat(WIDTH - 1);
    push(out, format_args!("{:room$}", ""));
    scale.bounds(out);
    // bpftrace counts bytes here, of which μ has two.
    let blanks = room.saturating_sub(label.len());
    push(out, format_args!("{label}{:blanks$}|{edge}|\n", ""));
    for point in &series.points {
        let second = local_time::since_1970("%H:%M:%S", point.start, Zone::Local);
        out.extend_from_slice(&second);
        if digits > 0 {
            let fraction = format!("{:09}", point.start % 1_000_000_000);
            push(out, format_args!(".{}", &fraction[..digits]));
        }
        out.push(b' ');
        scale.row(point, out);
    }
    push(out, format_args!("{:room$}v{edge}v\n{:room$}", "", ""));
    scale.bounds(out);
    out.push(b'\n');
}

/// What the columns of a plot stand for.
struct Scale {
    /// The values of the first and the last column; `None` if there is no value.
    bounds: Option<(i128, i128)>,
    /// The column of zero, if it is marked.
    zero: Option<usize>,
}

impl Scale {
    fn of(series: &Series) -> Scale {
        let values = || series.points.iter().filter_map(|point| point.value);
        let bounds = values().min().zip(values().max());
        let bounds = bounds.map(|(least, greatest)| match (least, greatest) {
            // As bpftrace has it: one less and one more, as far as 64 bits go.
            (least, greatest) if least == greatest => widened(least, series.signed),
            other => other,
        });
        let zero = bounds.and_then(|(least, greatest)| {
            let within = least < 0 && greatest > 0;
            // A column more than a value would be put into, as in bpftrace.
            let column = within.then(|| column(-least, greatest - least, WIDTH + 1))?;
            (column > 0).then_some(column)
        });
        Scale { bounds, zero }
    }

    /// The least value on the left, the greatest on the right.
    fn bounds(&self, out: &mut Vec<u8>) {
        let (least, greatest) = match self.bounds {
            Some((least, greatest)) => (least.to_string(), greatest.to_string()),
            None => ("null".to_owned(), "null".to_owned()),
        };
        let room = (WIDTH + 1).saturating_sub(least.len());
        push(out, format_args!("{least}{greatest:>room$}\n"));
    }

    fn row(&self, point: &Point, out: &mut Vec<u8>) {
        let mut row = [b' '; WIDTH + 1];
        row[0] = b'|';
        row[WIDTH] = b'|';
        if let Some(zero) = self.zero {
            row[zero.min(WIDTH)] = b'.';
        }
        if let (Some(value), Some((least, greatest))) = (point.value, self.bounds) {
            row[column(value - least, greatest - least, WIDTH).min(WIDTH)] = b'*';
        }
        out.extend_from_slice(&row);
        match point.value {
            Some(value) => push(out, format_args!(" {value}\n")),
            None => out.extend_from_slice(b" -\n"),
        }
    }
}

/// The bounds of a plot of one value of 64 bits.
fn widened(value: i128, signed: bool) -> (i128, i128) {
    let (least, greatest) = match signed {
        true => (i64::MIN.into(), i64::MAX.into()),
        false => (0, u64::MAX.into()),
    };
    ((value - 1).max(least), (value + 1).min(greatest))
}

/// The column of a distance from the least value, where the greatest is `width` columns away. In floating point, as bpftrace's.
fn column(distance: i128, range: i128, width: usize) -> usize {
    (distance as f64 * width as f64 / range as f64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plot of values from the time 0 on. Times are local, so that their hours are left out.
    fn text(interval: u64, signed: bool, values: &[Option<i128>]) -> Vec<String> {
        let start = |index: usize| index as u64 * interval;
        let point = |(index, value): (usize, &Option<i128>)| Point {
            start: start(index),
            value: *value,
        };
        let series = Series {
            interval,
            signed,
            points: values.iter().enumerate().map(point).collect(),
        };
        let mut out = Vec::new();
        plot(&series, &mut out);
        let text = String::from_utf8(out).unwrap();
        let digit = |line: &str| line.starts_with(|c: char| c.is_ascii_digit());
        text.lines()
            .map(|line| match digit(line) {
                true => line.chars().skip(6).collect(),
                false => line.to_owned(),
            })
            .collect()
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_star_is_where_the_value_is_between_the_least_and_the_greatest() {
        let values = [Some(7), None, Some(-3), Some(0)];
        assert_eq!(
            text(SECOND, true, &values),
            [
                "",
                "         -3                                                  7",
                "hh:mm:ss |___________________________________________________|",
                "00 |              .                                    * 7",
                "01 |              .                                    | -",
                "02 *              .                                    | -3",
                "03 |              *                                    | 0",
                "         v___________________________________________________v",
                "         -3                                                  7",
                "",
            ]
        );
    }

    #[test]
    fn the_plot_of_one_value_is_one_wide_on_both_sides_as_far_as_64_bits_go() {
        let bounds = |signed, value: i128| {
            let lines = text(SECOND, signed, &[Some(value), Some(value)]);
            let words: Vec<&str> = lines[1].split_whitespace().collect();
            (words.join(" "), lines[3].find('*').unwrap() - 3)
        };
        for (signed, value, expected, column) in [
            (true, 7, "6 8", 26),
            (true, 0, "-1 1", 26),
            (false, 0, "0 1", 0),
            (
                false,
                u64::MAX.into(),
                "18446744073709551614 18446744073709551615",
                52,
            ),
            (
                true,
                i64::MIN.into(),
                "-9223372036854775808 -9223372036854775807",
                0,
            ),
        ] {
            let (words, at) = bounds(signed, value);
            assert_eq!((words.as_str(), at), (expected, column), "{value}");
        }
    }

    #[test]
    fn zero_is_marked_between_the_edges() {
        let column = |least, greatest| {
            let lines = text(SECOND, true, &[Some(least), None, Some(greatest)]);
            lines[4].find('.').map(|at| at - 3)
        };
        for (least, greatest, expected) in [
            (-5, 5, Some(26)),
            (-3, 5, Some(19)),
            (-100, 3, Some(51)),
            (-100_000, 100, Some(52)),
            (-2, 100, Some(1)),
            (-1, 100, None),
            (0, 5, None),
            (-5, 0, None),
        ] {
            assert_eq!(column(least, greatest), expected, "{least} to {greatest}");
        }
    }

    #[test]
    fn times_are_as_exact_as_the_interval() {
        let rows = |interval| {
            let lines = text(interval, true, &[Some(1), Some(1)]);
            let label = lines[2].split('|').next().unwrap().to_owned();
            let time = lines[4].split_once(' ').unwrap().0.to_owned();
            (label, time)
        };
        for (interval, label, time) in [
            (60 * SECOND, "hh:mm:ss ", "00"),
            (1_500_000_000, "hh:mm:ss ", "01"),
            (1_500_000, "hh:mm:ss.ms  ", "00.001"),
            (3_000, "hh:mm:ss.μs    ", "00.000003"),
            (7, "hh:mm:ss.ns        ", "00.000000007"),
        ] {
            assert_eq!(rows(interval), (label.to_owned(), time.to_owned()));
        }
        // One row alone has all digits, and no value no bounds.
        assert_eq!(
            text(SECOND, true, &[None]),
            [
                "",
                "                   null                                             null",
                "hh:mm:ss.ns        |___________________________________________________|",
                "00.000000000 |                                                   | -",
                "                   v___________________________________________________v",
                "                   null                                             null",
                "",
            ]
        );
    }

    #[test]
    fn a_map_in_which_nothing_came_says_so() {
        assert_eq!(text(SECOND, true, &[]), ["", "<no data>"]);
    }
}
