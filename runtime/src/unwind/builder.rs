//! Rows in the order of offsets become the words of a table.

use super::row::{CHUNK, offset};
use super::{Table, invalid};
use pfscript_probes::abi::UNWIND_CHUNK_BITS;
use std::io;

/// Chunks of a table: 1 GiB of code. A browser has a quarter of that.
const MAX_CHUNKS: u64 = 1 << 18;

/// Rows of a table, 64 MiB of them: enough for the largest programs that are there, with room.
pub(super) const MAX_ROWS: usize = 1 << 23;

/// Takes rows in the order of offsets and puts them into chunks.
pub(super) struct Builder {
    /// The number of the first chunk, counted from the beginning of the file.
    first: u64,
    /// For each chunk, how many rows are before it.
    starts: Vec<u64>,
    rows: Vec<u64>,
    /// The rule that holds from the last row on.
    rule: u64,
}

impl Builder {
    /// Begins a table whose first row will be at this offset in the file.
    pub fn new(start: u64) -> Builder {
        Builder {
            first: start >> UNWIND_CHUNK_BITS,
            starts: Vec::new(),
            rows: Vec::new(),
            rule: 0,
        }
    }

    /// From this offset on a rule holds: a word for offset 0. Offsets never fall, and are never before the first one.
    ///
    /// # Errors
    /// If there is no room for more.
    pub fn put(&mut self, at: u64, rule: u64) -> io::Result<()> {
        self.reach(at)?;
        if rule == self.rule {
            return Ok(());
        }
        self.rule = rule;
        let row = rule | (at & (CHUNK - 1));
        match self.rows.last_mut() {
            // What held for no byte is not kept.
            Some(last) if offset(*last) == offset(row) => {
                *last = row;
                self.merge();
            }
            _ => self.rows.push(row),
        }
        Ok(())
    }

    /// Has all chunks up to the one of this offset.
    fn reach(&mut self, at: u64) -> io::Result<()> {
        let chunk = (at >> UNWIND_CHUNK_BITS) - self.first;
        if chunk >= MAX_CHUNKS || self.first > u32::MAX.into() {
            return Err(invalid("its code is spread too far"));
        }
        if self.rows.len() as u64 + chunk >= MAX_ROWS as u64 {
            return Err(invalid("too much is said about how to unwind its frames"));
        }
        // The first row of each chunk says what holds at its beginning.
        while self.starts.len() as u64 <= chunk {
            self.starts.push(self.rows.len() as u64);
            self.rows.push(self.rule);
        }
        Ok(())
    }

    /// From this offset on, nothing is known any more.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn end(&mut self, at: u64, unknown: u64) -> io::Result<()> {
        match offset(at) {
            // Behind the last chunk all is unknown.
            0 => at.checked_sub(1).map_or(Ok(()), |last| self.reach(last)),
            _ => self.put(at, unknown),
        }
    }

    /// Drops the last row of a chunk if the one before says the same.
    fn merge(&mut self) {
        let start = self.starts.last().map_or(0, |start| *start as usize);
        if let [.., before, last] = &self.rows[start..]
            && before - offset(*before) == last - offset(*last)
        {
            self.rows.pop();
        }
    }

    /// The table.
    pub fn finish(self) -> Table {
        let chunks = self.starts.len();
        let before = chunks as u64 + 1;
        let end = before + self.rows.len() as u64;
        let mut words = Vec::with_capacity(end as usize);
        words.extend(self.starts.iter().map(|start| before + start));
        words.push(end);
        words.extend(self.rows);
        Table {
            first_chunk: self.first,
            words,
            chunks: chunks as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unwind::tests::check_form;

    /// Rules that differ, by numbers.
    fn rule(number: u64) -> u64 {
        number << 12
    }

    fn build(rows: &[(u64, u64)]) -> Table {
        let mut builder = Builder::new(rows[0].0);
        for (at, number) in rows {
            builder.put(*at, rule(*number)).unwrap();
        }
        let table = builder.finish();
        check_form(&table);
        table
    }

    #[test]
    fn each_chunk_says_what_holds_at_its_beginning() {
        let table = build(&[(0x5010, 2), (0x6ff0, 3), (0x8000, 4), (0x8001, 0)]);
        assert_eq!((table.first_chunk, table.chunks), (5, 4));
        let expected = [
            [5, 7, 9, 10, 12].as_slice(),
            &[rule(0), rule(2) | 0x10],
            &[rule(2), rule(3) | 0xff0],
            &[rule(3)],
            &[rule(4), rule(0) | 1],
        ]
        .concat();
        assert_eq!(table.words, expected);
    }

    #[test]
    fn equal_neighbours_are_one_row() {
        let table = build(&[(0x10, 2), (0x20, 2), (0x30, 0), (0x30, 2), (0x40, 3)]);
        assert_eq!(table.words, [2, 5, 0, rule(2) | 0x10, rule(3) | 0x40]);
        let table = build(&[(0, 2), (0x1000, 0), (0x1000, 2), (0x1008, 3)]);
        assert_eq!(table.words, [3, 4, 6, rule(2), rule(2), rule(3) | 8]);
    }

    #[test]
    fn the_last_rule_holds_up_to_the_end() {
        for (end, chunks) in [(0x11, 1), (0x1000, 1), (0x1001, 2), (0x3000, 3)] {
            let mut builder = Builder::new(0x10);
            builder.put(0x10, rule(2)).unwrap();
            builder.end(end, rule(0)).unwrap();
            let table = builder.finish();
            check_form(&table);
            assert_eq!(table.chunks, chunks, "{end:#x}");
            let found = [0xf, 0x10, end - 1, end].map(|at| table.lookup(at).rule as u64);
            assert_eq!(found, [0, 2, 2, 0], "{end:#x}");
        }
    }

    #[test]
    fn code_that_is_spread_far_is_refused() {
        let mut builder = Builder::new(0x1000);
        builder.put(0x1000, rule(2)).unwrap();
        builder.put(MAX_CHUNKS * CHUNK, rule(3)).unwrap();
        let error = builder.put((MAX_CHUNKS + 1) * CHUNK, rule(2)).unwrap_err();
        assert_eq!(error.to_string(), "its code is spread too far");
        // The kernel's programs count chunks in 32 bits.
        let error = Builder::new(1 << 44).put(1 << 44, rule(2)).unwrap_err();
        assert_eq!(error.to_string(), "its code is spread too far");
    }
}
