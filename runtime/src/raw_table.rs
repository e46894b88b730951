//! A map of the script as the kernel gives it: keys and values as bytes, the CPUs' parts of a value put together, and
//! the order of the entries. What the bytes mean is told in [`crate::results`].

use crate::bytes::{average, beginning, compare, risen, slice, turn, unsigned};
use crate::series;
use crate::sys::bpf::{Cursor, MapHandle};
use pfscript_compiler::manifest::{DataType, MapManifest, MapValue};
use pfscript_probes::abi::{AVERAGE_TOTAL, EXTREME_RANK, EXTREME_SET};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;

/// Hands the key and the value of every entry of a map to `each`, one after another.
///
/// # Errors
/// The kernel's.
pub fn each_entry(map: &MapHandle, mut each: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
    let mut key: Option<Vec<u8>> = None;
    let mut value = vec![0; map.value_size()];
    // A key removed meanwhile makes the kernel start again; never go round for ever.
    for _ in 0..map.max_entries() {
        let mut next = vec![0; map.key_size()];
        if !map.next_key(key.as_deref(), &mut next)? {
            break;
        }
        if map.lookup(&next, &mut value)? {
            each(&next, &value);
        }
        key = Some(next);
    }
    Ok(())
}

/// The entries of one map, as they stood when they were read; per-CPU values put together.
#[derive(Clone, Debug, Default)]
pub struct RawTable {
    key_size: usize,
    value_size: usize,
    keys: Vec<u8>,
    values: Vec<u8>,
}

impl RawTable {
    /// Reads all entries of a map, in batches where the kernel has them.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn read(map: &MapHandle, info: &MapManifest) -> io::Result<RawTable> {
        RawTable::read_or_take(map, info, false)
    }

    /// Reads all entries of a map and removes them. Of a map that programs use meanwhile, what they add between the one and
    /// the other is lost.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn take(map: &MapHandle, info: &MapManifest) -> io::Result<RawTable> {
        RawTable::read_or_take(map, info, true)
    }

    fn read_or_take(map: &MapHandle, info: &MapManifest, take: bool) -> io::Result<RawTable> {
        let mut table = RawTable::new(map);
        if !table.read_batches(map, info, take)? {
            // Nothing was removed: a kernel without batches refuses the first one.
            table.keys.clear();
            table.values.clear();
            each_entry(map, |key, value| {
                table.keys.extend_from_slice(key);
                table.push_value(info, value);
            })?;
            if take {
                map.delete_all(&table.keys)?;
            }
        }
        Ok(table)
    }

    fn new(map: &MapHandle) -> RawTable {
        RawTable {
            key_size: map.key_size(),
            value_size: map.value_size() / map.parts(),
            keys: Vec::new(),
            values: Vec::new(),
        }
    }

    /// A table of given entries, for tests and other sources than the kernel.
    pub fn from_entries(entries: &[(Vec<u8>, Vec<u8>)]) -> RawTable {
        RawTable {
            key_size: entries.first().map_or(0, |entry| entry.0.len()),
            value_size: entries.first().map_or(0, |entry| entry.1.len()),
            keys: entries.iter().flat_map(|entry| entry.0.clone()).collect(),
            values: entries.iter().flat_map(|entry| entry.1.clone()).collect(),
        }
    }

    /// False if the kernel has no batches for this map.
    fn read_batches(
        &mut self,
        map: &MapHandle,
        info: &MapManifest,
        take: bool,
    ) -> io::Result<bool> {
        const BYTES_AT_ONCE: usize = 1 << 20;
        let mut cursor = Cursor::default();
        let per_entry = (map.key_size() + map.value_size()).max(1);
        let most = (BYTES_AT_ONCE / per_entry).clamp(64, 4096) as u32;
        let most = most.min(map.max_entries().max(1));
        // A batch must have room for the fullest hash bucket. Most maps are small, so the first batch is.
        let mut batch = most.min(256);
        let mut raw = Vec::new();
        loop {
            raw.clear();
            match map.lookup_batch(&mut cursor, &mut self.keys, &mut raw, batch, take) {
                Ok((_, more)) => {
                    for value in raw.chunks_exact(map.value_size().max(1)) {
                        self.push_value(info, value);
                    }
                    if !more {
                        return Ok(true);
                    }
                    batch = batch.max(most.min(batch * 4));
                }
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) && batch < 1 << 20 => {
                    batch *= 4;
                }
                Err(error) => {
                    return match error.raw_os_error() {
                        // What was taken must not be read again.
                        _ if take && !self.keys.is_empty() => Err(error),
                        Some(libc::EINVAL | libc::ENOSPC | 524) => Ok(false),
                        _ => Err(error),
                    };
                }
            }
        }
    }

    fn push_value(&mut self, info: &MapManifest, value: &[u8]) {
        if matches!(info.value, MapValue::Scalar(_)) {
            self.values.extend_from_slice(value);
        } else {
            let start = self.values.len();
            self.values.resize(start + self.value_size, 0);
            merge(&info.value, value, &mut self.values[start..]);
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.keys.len().checked_div(self.key_size).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An entry's key.
    pub fn key(&self, index: usize) -> &[u8] {
        &self.keys[index * self.key_size..(index + 1) * self.key_size]
    }

    /// An entry's value.
    pub fn value(&self, index: usize) -> &[u8] {
        &self.values[index * self.value_size..(index + 1) * self.value_size]
    }

    /// The same entries, after `rename` changed their keys: those that have the same then are put together. Of values that the script
    /// assigned that of the entry stays which `rename` gave the greatest number for.
    pub(crate) fn joined(
        &self,
        info: &MapManifest,
        mut rename: impl FnMut(&mut [u8]) -> u64,
    ) -> RawTable {
        let mut table = RawTable {
            key_size: self.key_size,
            value_size: self.value_size,
            ..RawTable::default()
        };
        let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut renamed: Vec<(u64, Vec<u8>, usize)> = (0..self.len())
            .map(|index| {
                let mut key = self.key(index).to_vec();
                (rename(&mut key), key, index)
            })
            .collect();
        renamed.sort_by_key(|(rank, ..)| *rank);
        for (_, key, index) in renamed {
            match places.entry(key) {
                Entry::Occupied(known) => {
                    let begin = known.get() * table.value_size;
                    let place = &mut table.values[begin..begin + self.value_size];
                    join(info, place, self.value(index));
                }
                Entry::Vacant(new) => {
                    table.keys.extend_from_slice(new.key());
                    table.values.extend_from_slice(self.value(index));
                    new.insert(table.len() - 1);
                }
            }
        }
        table
    }

    /// The entries in the order of printing: by rising value where values are numbers, else by key; equal ones by key.
    pub fn order(&self, info: &MapManifest) -> Vec<usize> {
        let mut order: Vec<Place> = (0..self.len())
            .map(|index| Place {
                weight: weight(info, self.value(index)),
                beginning: info
                    .key
                    .as_ref()
                    .map_or(0, |layout| beginning(layout, self.key(index))),
                index,
            })
            .collect();
        order.sort_unstable_by(|a, b| {
            (a.weight, a.beginning)
                .cmp(&(b.weight, b.beginning))
                .then_with(|| match &info.key {
                    Some(layout) => compare(layout, self.key(a.index), self.key(b.index)),
                    None => Ordering::Equal,
                })
        });
        order.into_iter().map(|place| place.index).collect()
    }
}

/// What an entry's place among the others depends on.
struct Place {
    weight: u64,
    /// Of the key.
    beginning: u64,
    index: usize,
}

/// Puts the CPUs' values together into `out`, which is zero and has the size of one.
fn merge(kind: &MapValue, per_cpu: &[u8], out: &mut [u8]) {
    let parts = || per_cpu.chunks_exact(out_size(per_cpu, out.len()));
    match kind {
        MapValue::Min { signed } | MapValue::Max { signed } => {
            let best = parts()
                .filter(|part| unsigned(EXTREME_SET.of(part)) != 0)
                .map(|part| unsigned(EXTREME_RANK.of(part)))
                .max();
            if let Some(rank) = best {
                let least = matches!(kind, MapValue::Min { .. });
                // From here on the value itself stands where its rank was.
                EXTREME_RANK.set(out, turn(rank, least, *signed));
                EXTREME_SET.set(out, 1);
            }
        }
        MapValue::Series { fold, signed, .. } => series::merge(*fold, *signed, per_cpu, out),
        _ => {
            for part in parts() {
                for (sum, word) in out.chunks_exact_mut(8).zip(part.chunks_exact(8)) {
                    let total = unsigned(sum).wrapping_add(unsigned(word));
                    sum.copy_from_slice(&total.to_le_bytes());
                }
            }
        }
    }
}

/// Puts two values of a map together, each of which [`merge`] has made of the CPUs' ones.
fn join(info: &MapManifest, one: &mut [u8], other: &[u8]) {
    let kind = &info.value;
    if matches!(kind, MapValue::Scalar(_)) && !info.only_added {
        return one.copy_from_slice(other);
    }
    let mut parts = [&*one, other].concat();
    for part in parts.chunks_exact_mut(one.len().max(1)) {
        match kind {
            MapValue::Min { signed } | MapValue::Max { signed } => {
                let least = matches!(kind, MapValue::Min { .. });
                EXTREME_RANK.set(part, turn(unsigned(EXTREME_RANK.of(part)), least, *signed));
            }
            MapValue::Series { fold, signed, .. } => series::turn_extremes(*fold, *signed, part),
            _ => {}
        }
    }
    one.fill(0);
    merge(kind, &parts, one);
}

/// All values of per-CPU maps here are whole `u64`s, so that one CPU's part is as long as the result.
fn out_size(per_cpu: &[u8], out: usize) -> usize {
    out.clamp(1, per_cpu.len().max(1))
}

/// What a map's entries are ordered by, as an unsigned number; 0 for all where values are no numbers.
fn weight(info: &MapManifest, value: &[u8]) -> u64 {
    let word = |index: u32| unsigned(slice(value, index * 8, 8));
    match &info.value {
        MapValue::Stats { signed } if info.by_total => {
            risen(unsigned(AVERAGE_TOTAL.of(value)), *signed)
        }
        MapValue::Scalar(layout) => match layout.ty {
            DataType::Int { .. } => beginning(layout, value),
            _ => 0,
        },
        MapValue::Count => word(0),
        MapValue::Sum { signed } | MapValue::Min { signed } | MapValue::Max { signed } => {
            risen(word(0), *signed)
        }
        // An average of 64-bit numbers is one.
        MapValue::Avg { signed } | MapValue::Stats { signed } => {
            risen(average(value, *signed) as u64, *signed)
        }
        MapValue::Hist { .. } | MapValue::LHist { .. } => value
            .chunks_exact(8)
            .map(unsigned)
            .fold(0, u64::saturating_add),
        // By key alone.
        MapValue::Series { .. } => 0,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bytes::tests::{int, words};
    use pfscript_compiler::ir::MapId;
    use pfscript_compiler::manifest::Layout;

    pub(crate) fn map(name: &str, key: Option<Layout>, value: MapValue) -> MapManifest {
        MapManifest {
            id: MapId::from_u32(0),
            name: name.into(),
            symbol: "m0".into(),
            key,
            value,
            capacity: 4096,
            only_added: false,
            by_total: false,
            generations: None,
        }
    }

    fn merged(kind: &MapValue, per_cpu: &[i64], size: usize) -> Vec<u8> {
        let mut out = vec![0; size];
        merge(kind, &words(per_cpu), &mut out);
        out
    }

    #[test]
    fn the_cpus_parts_are_put_together() {
        assert_eq!(merged(&MapValue::Count, &[1, 2, 3], 8), words(&[6]));
        assert_eq!(
            merged(&MapValue::Sum { signed: true }, &[-5, 2], 8),
            words(&[-3])
        );
        assert_eq!(
            merged(&MapValue::Stats { signed: true }, &[1, 10, 2, -30], 16),
            words(&[3, -20])
        );
        assert_eq!(
            merged(&MapValue::Hist { bits: 0 }, &[1, 0, 2, 3, 0, 4], 24),
            words(&[4, 0, 6])
        );
    }

    #[test]
    fn entries_whose_keys_become_the_same_are_put_together() {
        let info = |value| map("@", Some(int(8, false)), value);
        let joined = |value: MapValue, entries: &[(i64, &[i64])]| {
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| (words(&[*key]), words(value)))
                .collect();
            let table = RawTable::from_entries(&entries);
            // An odd key becomes the even one below.
            let joined = table.joined(&info(value), |key| {
                key[0] &= !1;
                0
            });
            (0..joined.len())
                .map(|index| (joined.key(index).to_vec(), joined.value(index).to_vec()))
                .collect::<Vec<_>>()
        };
        let expected = |entries: &[(i64, &[i64])]| {
            let entries = entries.iter();
            entries
                .map(|(key, value)| (words(&[*key]), words(value)))
                .collect::<Vec<_>>()
        };
        for (value, one, other, both) in [
            (MapValue::Count, &[3][..], &[4][..], &[7][..]),
            (MapValue::Min { signed: true }, &[-3, 1], &[2, 1], &[-3, 1]),
            (MapValue::Max { signed: false }, &[3, 1], &[-2, 1], &[-2, 1]),
            (MapValue::Max { signed: true }, &[0, 0], &[-2, 1], &[-2, 1]),
            (MapValue::Avg { signed: true }, &[2, 5], &[1, -9], &[3, -4]),
            (
                MapValue::Hist { bits: 0 },
                &[1, 0, 2],
                &[0, 5, 1],
                &[1, 5, 3],
            ),
            (MapValue::Scalar(int(8, true)), &[3], &[4], &[4]),
        ] {
            let entries = [(2, one), (5, other), (3, other)];
            let expected = expected(&[(2, both), (4, other)]);
            assert_eq!(joined(value.clone(), &entries), expected, "{value:?}");
        }
    }

    #[test]
    fn of_assigned_values_the_last_stays_and_added_ones_are_summed() {
        let table = RawTable::from_entries(&[
            (words(&[1]), words(&[10])),
            (words(&[3]), words(&[30])),
            (words(&[2]), words(&[20])),
        ]);
        let mut info = map("@", Some(int(8, false)), MapValue::Scalar(int(8, true)));
        let only = |info: &MapManifest| {
            let joined = table.joined(info, |key| u64::from(std::mem::take(&mut key[0])));
            assert_eq!(joined.len(), 1);
            joined.value(0).to_vec()
        };
        assert_eq!(only(&info), words(&[30]));
        info.only_added = true;
        assert_eq!(only(&info), words(&[60]));
    }

    #[test]
    fn extremes_leave_out_cpus_that_saw_nothing() {
        for (least, signed, expected) in [
            (true, true, -3),
            (false, true, 7),
            (false, false, -3),
            (true, false, 7),
        ] {
            let kind = match least {
                true => MapValue::Min { signed },
                false => MapValue::Max { signed },
            };
            let rank = |value: i64| turn(value as u64, least, signed) as i64;
            let parts = [0, 0, rank(-3), 1, rank(7), 1];
            assert_eq!(merged(&kind, &parts, 16), words(&[expected, 1]), "{kind:?}");
            assert_eq!(merged(&kind, &[0, 0], 16), words(&[0, 0]), "{kind:?}");
        }
    }

    fn printed_order(info: &MapManifest, entries: &[(&[i64], &[i64])]) -> Vec<usize> {
        let entries: Vec<_> = entries.iter().map(|(k, v)| (words(k), words(v))).collect();
        RawTable::from_entries(&entries).order(info)
    }

    #[test]
    fn entries_are_ordered_by_value_then_key() {
        let info = map("@", Some(int(8, true)), MapValue::Scalar(int(8, true)));
        let entries: [(&[i64], &[i64]); 4] =
            [(&[2], &[5]), (&[1], &[5]), (&[0], &[7]), (&[-3], &[-9])];
        assert_eq!(printed_order(&info, &entries), [3, 1, 0, 2]);
        let info = map("@", Some(int(8, true)), MapValue::Stats { signed: false });
        let entries: [(&[i64], &[i64]); 3] =
            [(&[1], &[1, 50]), (&[2], &[2, 70]), (&[3], &[1, 100])];
        assert_eq!(printed_order(&info, &entries), [1, 0, 2]);
        let info = MapManifest {
            by_total: true,
            ..info
        };
        assert_eq!(printed_order(&info, &entries), [0, 1, 2]);
        let info = map("@", Some(int(8, true)), MapValue::Hist { bits: 0 });
        let entries: [(&[i64], &[i64]); 2] = [(&[1], &[2, 0]), (&[2], &[0, 1])];
        assert_eq!(printed_order(&info, &entries), [1, 0]);
    }

    #[test]
    fn values_that_are_no_numbers_are_ordered_by_key() {
        let text = Layout {
            size: 8,
            ty: DataType::String,
        };
        let info = map(
            "@",
            Some(text),
            MapValue::Scalar(Layout {
                size: 8,
                ty: DataType::Pointer,
            }),
        );
        let key = |text: &str| {
            let mut key = text.as_bytes().to_vec();
            key.resize(8, 0);
            key
        };
        let table = RawTable::from_entries(&[
            (key("b"), words(&[1])),
            (key("bb"), words(&[0])),
            (key("a"), words(&[9])),
        ]);
        assert_eq!(table.order(&info), [2, 0, 1]);
    }
}
