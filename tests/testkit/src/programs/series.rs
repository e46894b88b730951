//! Programs of time series by a clock of their own, and what they print with `-f json`.

use super::value::Int;
use crate::random::Random;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The map that is the clock.
pub const CLOCK: &str = "@ts";

/// A length as it is written, in nanoseconds.
const LENGTHS: [(&str, u64); 5] = [
    ("1ms", 1_000_000),
    ("250us", 250_000),
    ("100ms", 100_000_000),
    ("1s", 1_000_000_000),
    ("7s", 7_000_000_000),
];

struct Series {
    length: (&'static str, u64),
    /// How many intervals are kept.
    count: u64,
    fold: Option<&'static str>,
    signed: bool,
    keyed: bool,
    /// What came in each interval, by key and number of the interval.
    came: BTreeMap<u64, BTreeMap<u64, Vec<i64>>>,
}

impl Series {
    fn random(random: &mut Random) -> Series {
        let folds = [None, Some("sum"), Some("avg"), Some("min"), Some("max")];
        Series {
            length: random.one_of(&LENGTHS),
            count: 1 + random.below(6),
            fold: random.one_of(&folds),
            signed: random.below(3) > 0,
            keyed: random.below(2) == 0,
            came: BTreeMap::new(),
        }
    }

    /// What the values of an interval come to.
    fn come_to(&self, values: &[i64]) -> i64 {
        let sum = || {
            values
                .iter()
                .fold(0i64, |sum, value| sum.wrapping_add(*value))
        };
        let order = |value: &&i64| match self.signed {
            true => i128::from(**value),
            false => i128::from(**value as u64),
        };
        let found = match self.fold {
            Some("sum") => return sum(),
            Some("avg") if self.signed => return sum() / values.len() as i64,
            Some("avg") => return (sum() as u64 / values.len() as u64) as i64,
            Some("min") => values.iter().min_by_key(order),
            Some("max") => values.iter().max_by_key(order),
            _ => values.last(),
        };
        *found.expect("an interval has values")
    }

    /// The intervals of a key, of those that the newest of all keys leaves.
    fn points(&self, intervals: &BTreeMap<u64, Vec<i64>>) -> String {
        let newest = self
            .came
            .values()
            .filter_map(|intervals| intervals.keys().next_back());
        let newest = newest.max().expect("a series has values");
        let oldest = (newest + 1).saturating_sub(self.count);
        let points = intervals.range(oldest..).map(|(interval, values)| {
            let start = interval * self.length.1;
            let (seconds, rest) = (start / 1_000_000_000, start % 1_000_000_000);
            let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            let value = Int::new(self.come_to(values), 8, self.signed).text();
            format!(
                "{{\"interval_start\":\"1970-01-01 {hours:02}:{minutes:02}:{seconds:02}.{rest:09}\",\"value\":{value}}}"
            )
        });
        format!("[{}]", points.collect::<Vec<_>>().join(","))
    }

    fn line(&self, number: usize) -> String {
        let keys = self.came.iter();
        let keys = keys.map(|(key, intervals)| match self.keyed {
            true => format!("\"{key}\": {}", self.points(intervals)),
            false => self.points(intervals),
        });
        let keys = keys.collect::<Vec<_>>().join(", ");
        let held = if self.keyed {
            format!("{{{keys}}}")
        } else {
            keys
        };
        format!("{{\"type\": \"tseries\", \"data\": {{\"@s{number}\": {held}}}}}\n")
    }
}

/// The script of a seed, and what it prints.
pub fn program(seed: u64) -> super::Program {
    let mut random = Random::new(seed);
    let count = 1 + random.below(3);
    let mut all: Vec<Series> = (0..count).map(|_| Series::random(&mut random)).collect();
    let longest = all.iter().map(|series| series.length.1).max();
    let mut now = 10 * longest.expect("there is a series") + random.below(1 << 30);
    let mut source = format!("BEGIN {{\n{CLOCK} = (uint64){now};\n");
    let steps = 8 + random.below(25) as usize;
    for step in 0..steps {
        // Each is there at least once.
        let number = match step < all.len() {
            true => step,
            false => random.below(count) as usize,
        };
        let series = &mut all[number];
        if step > 0 && random.below(3) > 0 {
            now += random.below(2 * series.length.1);
        }
        if random.below(12) == 0 {
            now += random.below(8) * series.length.1;
        }
        let key = if series.keyed { random.below(3) } else { 0 };
        let value = match random.below(3) {
            // What JSON has as a number.
            0 => random.below(1 << 40) as i64,
            _ => random.below(100) as i64,
        };
        let value = if series.signed && random.below(3) == 0 {
            -value
        } else {
            value
        };
        let element = if series.keyed {
            format!("[{key}]")
        } else {
            String::new()
        };
        let sign = if series.signed { "" } else { "u" };
        let fold = series
            .fold
            .map_or(String::new(), |fold| format!(", \"{fold}\""));
        let (length, intervals) = (series.length.0, series.count);
        // Writing to a string cannot fail.
        let _ = writeln!(
            source,
            "{CLOCK} = (uint64){now};\n@s{number}{element} = tseries(({sign}int64){value}, {length}, {intervals}{fold});"
        );
        let intervals = series.came.entry(key).or_default();
        intervals
            .entry(now / series.length.1)
            .or_default()
            .push(value);
    }
    let _ = write!(source, "clear({CLOCK});\nexit();\n}}\n");
    let lines = all.iter().enumerate();
    let output: String = lines.map(|(number, series)| series.line(number)).collect();
    super::Program {
        source,
        output: output.into_bytes(),
    }
}
