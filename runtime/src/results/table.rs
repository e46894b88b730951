//! A map as it was at one moment, entry by entry. Entries are decoded one at a time, when they are asked for, so that a
//! map of a million keys costs its bytes and one entry.

use super::decode::{self, Names};
use super::series;
use super::value::Value;
use crate::raw_table::RawTable;
use pfscript_compiler::manifest::{MapManifest, MapValue};
use std::cell::RefCell;
use std::fmt;

/// A map's entries, in the order of printing: by rising value where values are numbers, else by key.
pub struct Table<'a> {
    info: &'a MapManifest,
    raw: &'a RawTable,
    /// The indexes of the entries that are shown.
    order: Vec<usize>,
    divisor: u64,
    /// The number of the newest interval, of time series.
    newest: Option<u64>,
    names: RefCell<&'a mut dyn Names>,
}

/// Which of a map's entries are shown, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapOptions {
    /// At most so many entries, the largest; 0 for all.
    pub top: u64,
    /// Numbers are divided by it; 0 and 1 leave them.
    pub divisor: u64,
}

impl Default for MapOptions {
    fn default() -> MapOptions {
        MapOptions { top: 0, divisor: 1 }
    }
}

/// What a map holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// What the script assigned.
    Value,
    /// What `count` made: [`Value::UInt`].
    Count,
    /// What `sum` made: an integer.
    Sum,
    /// What `min` made: an integer.
    Min,
    /// What `max` made: an integer.
    Max,
    /// What `avg` made: an integer.
    Avg,
    /// What `stats` made: [`Value::Stats`].
    Stats,
    /// What `hist` or `lhist` made: [`Value::Histogram`].
    Histogram,
    /// What `tseries` made: [`Value::Series`].
    Series,
}

/// A key and what the map holds under it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// `None` in a map without key. Several keys are a tuple.
    pub key: Option<Value>,
    /// The value.
    pub value: Value,
}

impl<'a> Table<'a> {
    pub(crate) fn new(
        info: &'a MapManifest,
        raw: &'a RawTable,
        options: MapOptions,
        names: &'a mut dyn Names,
    ) -> Table<'a> {
        let mut order = raw.order(info);
        let in_time = matches!(info.value, MapValue::Series { .. });
        match usize::try_from(options.top) {
            // None of them is larger than others; bpftrace shows all, too.
            Ok(top @ 1..) if !in_time => {
                order.drain(..order.len().saturating_sub(top));
            }
            _ => {}
        }
        let newest = match in_time {
            true => (0..raw.len())
                .filter_map(|index| series::newest(raw.value(index)))
                .max(),
            false => None,
        };
        Table {
            info,
            raw,
            order,
            divisor: options.divisor,
            newest,
            names: RefCell::new(names),
        }
    }

    /// The map's name as the script writes it: `@`, `@start`.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// What the manifest says of the map.
    pub(crate) fn info(&self) -> &MapManifest {
        self.info
    }

    /// What it holds.
    pub fn kind(&self) -> Kind {
        match self.info.value {
            MapValue::Scalar(_) => Kind::Value,
            MapValue::Count => Kind::Count,
            MapValue::Sum { .. } => Kind::Sum,
            MapValue::Min { .. } => Kind::Min,
            MapValue::Max { .. } => Kind::Max,
            MapValue::Avg { .. } => Kind::Avg,
            MapValue::Stats { .. } => Kind::Stats,
            MapValue::Hist { .. } | MapValue::LHist { .. } => Kind::Histogram,
            MapValue::Series { .. } => Kind::Series,
        }
    }

    /// Whether its entries have keys; a map without has one entry at most.
    pub fn has_key(&self) -> bool {
        self.info.key.is_some()
    }

    /// How many entries are shown.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The entries, each decoded when it is reached.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry> + '_ {
        self.order.iter().map(|index| self.entry(*index))
    }

    fn entry(&self, index: usize) -> Entry {
        // Only this function borrows the names, and what they call knows nothing of the table.
        let mut names = self.names.borrow_mut();
        let key = self.info.key.as_ref();
        let (kind, value) = (&self.info.value, self.raw.value(index));
        Entry {
            key: key.map(|layout| decode::value(layout, self.raw.key(index), &mut **names)),
            value: match kind {
                // All end with the newest interval of all, and values are shown as they are.
                MapValue::Series { .. } => Value::Series(series::decode(kind, value, self.newest)),
                _ => decode::map_value(kind, value, self.divisor, &mut **names),
            },
        }
    }
}

impl fmt::Debug for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("name", &self.name())
            .field("kind", &self.kind())
            .field("entries", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bytes::tests::{int, words};
    use crate::raw_table::tests::map;
    use crate::results::NoNames;

    /// Calls `with` for a table of these entries.
    pub(crate) fn with_table<R>(
        info: &MapManifest,
        entries: &[(Vec<u8>, Vec<u8>)],
        options: MapOptions,
        with: impl FnOnce(Table<'_>) -> R,
    ) -> R {
        let raw = RawTable::from_entries(entries);
        with(Table::new(info, &raw, options, &mut NoNames))
    }

    #[test]
    fn the_largest_entries_are_the_last_ones() {
        let info = map("@x", Some(int(8, true)), MapValue::Count);
        let entries: Vec<_> = (1..=3).map(|n| (words(&[n]), words(&[n]))).collect();
        let shown = |top, divisor| {
            with_table(&info, &entries, MapOptions { top, divisor }, |table| {
                assert_eq!(table.len(), table.entries().len());
                table
                    .entries()
                    .map(|entry| match (entry.key, entry.value) {
                        (Some(Value::Int(key)), Value::UInt(value)) => (key, value),
                        other => panic!("{other:?}"),
                    })
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(shown(2, 1), [(2, 2), (3, 3)]);
        assert_eq!(shown(2, 2), [(2, 1), (3, 1)]);
        assert_eq!(shown(0, 0), [(1, 1), (2, 2), (3, 3)]);
        assert_eq!(shown(9, 1), shown(0, 1));
    }

    #[test]
    fn a_map_without_key_has_entries_without_key() {
        let info = map("@y", None, MapValue::Min { signed: true });
        let entries = [(words(&[0]), words(&[-5, 1]))];
        with_table(&info, &entries, MapOptions::default(), |table| {
            assert!(!table.has_key());
            assert_eq!(table.kind(), Kind::Min);
            let expected = Entry {
                key: None,
                value: Value::Int(-5),
            };
            assert_eq!(table.entries().collect::<Vec<_>>(), [expected]);
        });
    }
}
