//! What maps hold, and how they are printed.

use super::ast::Content;
use super::value::{Int, Value, nothing};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The width of the longest bar of a histogram.
const BAR: i64 = 52;

/// What a function has come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    count: i64,
    total: i64,
    least: i64,
    greatest: i64,
    /// How many values are in each row of a histogram.
    rows: BTreeMap<i128, i64>,
}

#[derive(Clone, Debug)]
pub(super) enum Held {
    Plain(Value),
    Gathered(Gathered),
}

/// The entries of a map.
pub(super) type Entries = Vec<(Vec<Value>, Held)>;

/// The printed part of a map: its greatest entries, or all; values are divided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub top: Option<u64>,
    pub div: i64,
}

impl Held {
    /// What is there before anything comes.
    pub(super) fn nothing(content: &Content) -> Held {
        match content {
            Content::Plain(ty) => Held::Plain(nothing(ty)),
            _ => Held::Gathered(Gathered::default()),
        }
    }

    pub(super) fn gather(&mut self, content: &Content, value: i64) {
        let Held::Gathered(known) = self else {
            panic!("a map holds two kinds of things");
        };
        let first = known.count == 0;
        let above = |a: i64, b: i64| match content {
            Content::Gathered(_, false) => a as u64 > b as u64,
            _ => a > b,
        };
        known.count += 1;
        known.total = known.total.wrapping_add(value);
        if first || above(known.least, value) {
            known.least = value;
        }
        if first || above(value, known.greatest) {
            known.greatest = value;
        }
        if let Some(row) = row(content, value) {
            *known.rows.entry(row).or_default() += 1;
        }
    }

    /// What is read of it.
    pub(super) fn value(&self, content: &Content) -> Value {
        match (self, content) {
            (Held::Plain(value), _) => value.clone(),
            (Held::Gathered(gathered), Content::Gathered(function, signed)) => {
                Value::Int(Int::new(gathered.come_to(function, *signed), 8, *signed))
            }
            _ => panic!("histograms are not read"),
        }
    }
}

impl Gathered {
    fn come_to(&self, function: &str, signed: bool) -> i64 {
        match function {
            "count" => self.count,
            "sum" => self.total,
            "min" => self.least,
            "max" => self.greatest,
            _ if self.count == 0 => 0,
            _ if signed => self.total / self.count,
            _ => (self.total as u64 / self.count as u64) as i64,
        }
    }
}

/// The row of a histogram that a value is in: its first number, with those below and above the rest outside.
fn row(content: &Content, value: i64) -> Option<i128> {
    let value = i128::from(value);
    match *content {
        // Numbers that differ in more bits than the highest of them are in one row.
        Content::Hist(bits) => Some(match value {
            ..0 => -1,
            0 => 0,
            _ => value & !(width(bits, value) - 1),
        }),
        Content::Linear { least, most, step } => {
            let (least, step) = (i128::from(least), i128::from(step));
            let count = (i128::from(most) - least) / step;
            Some(match value < least {
                true => least - 1,
                false => least + step * ((value - least) / step).min(count),
            })
        }
        _ => None,
    }
}

/// How many numbers are in the row of a positive number.
fn width(bits: u32, value: i128) -> i128 {
    1 << value.ilog2().saturating_sub(bits)
}

fn rows(content: &Content, gathered: &Gathered) -> String {
    let counted = |row: &i128| gathered.rows.get(row).copied().unwrap_or(0);
    let greatest = gathered.rows.values().max().copied().unwrap_or(0);
    let (Some(first), Some(last)) = (
        gathered.rows.keys().next().copied(),
        gathered.rows.keys().next_back().copied(),
    ) else {
        return String::new();
    };
    let (mut row, mut text) = (first, String::new());
    while row <= last {
        let (label, next) = match *content {
            Content::Hist(bits) => match row {
                -1 => ("(..., 0)".to_owned(), 0),
                _ => {
                    let next = row + if row == 0 { 1 } else { width(bits, row) };
                    match next - row {
                        1 => (format!("[{}]", short(bits, row)), next),
                        _ => (
                            format!("[{}, {})", short(bits, row), short(bits, next)),
                            next,
                        ),
                    }
                }
            },
            Content::Linear { least, most, step } => {
                let end = i128::from(least + step * ((most - least) / step));
                let (least, step) = (i128::from(least), i128::from(step));
                match row {
                    _ if row < least => (format!("(..., {least})"), least),
                    _ if row >= end => (format!("[{row}, ...)"), row + 1),
                    _ if step == 1 => (format!("[{row}]"), row + 1),
                    _ => (format!("[{row}, {})", row + step), row + step),
                }
            }
            _ => panic!("no histogram"),
        };
        let count = counted(&row);
        let bar = "@".repeat((count * BAR / greatest) as usize);
        text += &format!("{label:<16}{count:>8} |{bar:<52}|\n");
        row = next;
    }
    text
}

/// The first number of a row, in the unit of 1024 that its width is not below.
fn short(bits: u32, number: i128) -> String {
    let unit = match number {
        0 => 0,
        _ => width(bits, number).ilog2() / 10,
    };
    let letter = ["", "K", "M", "G", "T", "P", "E"][unit as usize];
    format!("{}{letter}", number >> (10 * unit))
}

/// The order of printing: by rising value, if these are numbers, then by key.
fn order(content: &Content, a: &Held, b: &Held) -> Ordering {
    match (a, b) {
        (Held::Plain(Value::Int(a)), Held::Plain(Value::Int(b))) => a.compare(*b),
        (Held::Gathered(a), Held::Gathered(b)) => match content {
            Content::Gathered(function, signed) => {
                let number = |of: &Gathered| Int::new(of.come_to(function, *signed), 8, *signed);
                number(a).compare(number(b))
            }
            _ => {
                let all = |of: &Gathered| of.rows.values().sum::<i64>();
                all(a).cmp(&all(b))
            }
        },
        _ => Ordering::Equal,
    }
}

fn divided(value: Value, by: i64) -> Value {
    match value {
        Value::Int(int) if by != 1 => {
            let bits = match int.signed {
                true => int.bits / by,
                false => (int.bits as u64 / by as u64) as i64,
            };
            Value::Int(Int { bits, ..int })
        }
        other => other,
    }
}

/// The lines of a map.
pub(super) fn shown(number: usize, content: &Content, entries: &Entries, what: Shown) -> Vec<u8> {
    let mut entries: Vec<_> = entries.iter().collect();
    let by_key = |a: &[Value], b: &[Value]| {
        let mut pairs = a.iter().zip(b).map(|(a, b)| a.compare(b));
        pairs.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    };
    entries
        .sort_by(|(key_a, a), (key_b, b)| order(content, a, b).then_with(|| by_key(key_a, key_b)));
    let top = what.top.map_or(entries.len(), |top| top as usize);
    let from = entries.len().saturating_sub(top);
    let mut text = Vec::new();
    for (keys, held) in &entries[from..] {
        let keys: Vec<Vec<u8>> = keys.iter().map(Value::shown).collect();
        text.extend(format!("@m{number}").bytes());
        if !keys.is_empty() {
            text.extend([b"[", &keys.join(&b", "[..])[..], b"]"].concat());
        }
        text.push(b':');
        let held = match (content, held) {
            (Content::Gathered("stats", signed), Held::Gathered(gathered)) => {
                let average = Int::new(gathered.come_to("avg", *signed), 8, *signed);
                let average = divided(Value::Int(average), what.div).int().text();
                let total = Int::new(gathered.total, 8, *signed).text();
                let count = gathered.count;
                format!(" {{ .count = {count}, .average = {average}, .total = {total} }}")
                    .into_bytes()
            }
            (Content::Hist(_) | Content::Linear { .. }, Held::Gathered(gathered)) => {
                format!("\n{}", rows(content, gathered)).into_bytes()
            }
            _ => {
                let value = divided(held.value(content), what.div).shown();
                [b" ", &value[..]].concat()
            }
        };
        text.extend(held);
        text.push(b'\n');
    }
    text
}
