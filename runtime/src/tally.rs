//! How much is in a map: its keys, and how many events its values stand for. Nothing of it is kept, and of large maps only part is read.

use crate::bytes::{slice, unsigned};
use crate::raw_table::each_entry;
use crate::sys::bpf::{Cursor, MapHandle};
use pfscript_compiler::manifest::{MapManifest, MapValue};
use pfscript_probes::abi::AVERAGE_COUNT;
use std::io;

/// Keys that are read at most.
const MOST: u64 = 200_000;

/// Keys that are read at once.
const BATCH: u32 = 4096;

/// What is in maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many keys there are.
    pub keys: u64,
    /// How many events were counted.
    pub events: u64,
}

/// What is in a map now.
///
/// # Errors
/// The kernel's.
pub fn tally(map: &MapHandle, info: &MapManifest) -> io::Result<Tally> {
    let mut tally = Tally::default();
    let mut add = |value: &[u8]| {
        tally.keys += u64::from(info.key.is_some());
        tally.events += events(info, value, map.value_size() / map.parts());
    };
    let size = map.value_size().max(1);
    let batch = BATCH.min(map.max_entries().max(1));
    let (mut cursor, mut keys, mut values) = (Cursor::default(), Vec::new(), Vec::new());
    let mut read = 0;
    loop {
        keys.clear();
        values.clear();
        match map.lookup_batch(&mut cursor, &mut keys, &mut values, batch, false) {
            Ok((_, more)) => {
                values.chunks_exact(size).for_each(&mut add);
                read += values.len() as u64 / size as u64;
                if !more || read >= MOST {
                    return Ok(tally);
                }
            }
            // Without batches a large map takes too long.
            Err(_) if read == 0 && map.max_entries() <= BATCH => {
                each_entry(map, |_, value| add(value))?;
                return Ok(tally);
            }
            Err(error) => return Err(error),
        }
    }
}

/// How many events a value stands for, of all CPUs, each of which has `size` bytes; 0 of values that say nothing of it.
fn events(info: &MapManifest, value: &[u8], size: usize) -> u64 {
    let words = |part: &[u8]| {
        let words = part.chunks_exact(8).map(unsigned);
        words.fold(0, u64::wrapping_add)
    };
    let parts = value.chunks_exact(size.max(8));
    match info.value {
        MapValue::Count => words(value),
        MapValue::Hist { .. } | MapValue::LHist { .. } => words(value),
        MapValue::Avg { .. } | MapValue::Stats { .. } => parts
            .map(|part| unsigned(AVERAGE_COUNT.of(slice(part, 0, size as u32))))
            .fold(0, u64::wrapping_add),
        MapValue::Scalar(_)
        | MapValue::Sum { .. }
        | MapValue::Min { .. }
        | MapValue::Max { .. }
        | MapValue::Series { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::tests::words;
    use crate::raw_table::tests::map;

    #[test]
    fn values_stand_for_as_many_events_as_were_counted() {
        let of = |kind, value: &[i64], size| events(&map("@", None, kind), &words(value), size);
        assert_eq!(of(MapValue::Count, &[3, 4], 8), 7);
        assert_eq!(
            of(MapValue::Stats { signed: true }, &[2, 500, 3, 700], 16),
            5
        );
        assert_eq!(of(MapValue::Avg { signed: true }, &[2, 500], 16), 2);
        assert_eq!(of(MapValue::Hist { bits: 0 }, &[1, 0, 5], 24), 6);
        assert_eq!(of(MapValue::Sum { signed: true }, &[5], 8), 0);
    }
}
