//! Lines of instructions, by the table that a code object has of them (`co_linetable`).
//!
//! The table is a row of entries, each for some units of 2 bytes of the bytecode, in order; a line is told by its difference from the
//! one before (Objects/locations.md of CPython 3.11 and later).

/// The line of an instruction, which is so many units from the first; `None` if it has none or the table ends before.
pub fn line(table: &[u8], first_line: u32, instruction: u32) -> Option<u32> {
    /// An entry's first byte: this bit is set in no other.
    const FIRST: u8 = 0x80;
    /// Kinds of entries. Those below have columns in one more byte, and the same line as the entry before.
    const ONE_LINE: u8 = 10;
    const NO_COLUMNS: u8 = 13;
    const LONG: u8 = 14;
    const NO_LINE: u8 = 15;
    let mut line = i64::from(first_line);
    let mut end = 0;
    let mut bytes = table.iter().copied();
    while let Some(first) = bytes.next() {
        if first & FIRST == 0 {
            // What is left of an entry before.
            continue;
        }
        let kind = first >> 3 & 0xf;
        end += u32::from(first & 7) + 1;
        line += match kind {
            ONE_LINE..NO_COLUMNS => i64::from(kind - ONE_LINE),
            NO_COLUMNS | LONG => signed(&mut bytes)?,
            _ => 0,
        };
        if instruction < end {
            return (kind != NO_LINE)
                .then(|| u32::try_from(line).ok())
                .flatten();
        }
    }
    None
}

/// A signed number: 6 bits a byte, the lowest first, of which the first is the sign.
fn signed(bytes: &mut impl Iterator<Item = u8>) -> Option<i64> {
    const MORE: u8 = 0x40;
    let mut number = 0_i64;
    // No line has more bits.
    for place in 0..6 {
        let byte = bytes.next()?;
        number |= i64::from(byte & (MORE - 1)) << (place * 6);
        if byte & MORE == 0 {
            let size = number >> 1;
            return Some(if number & 1 == 0 { size } else { -size });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What CPython 3.11 has for
    /// ```python
    /// def f(a):
    ///     b = a + 1
    ///
    ///     return g(
    ///         b)
    /// ```
    const TABLE: &[u8] = &[
        0x80, 0x00, 0xd8, 0x08, 0x09, 0x88, 0x41, 0x89, 0x05, 0x80, 0x41, 0xe5, 0x0b, 0x0c, 0xd8,
        0x08, 0x09, 0xf1, 0x03, 0x01, 0x0c, 0x0b, 0xf4, 0x00, 0x01, 0x0c, 0x0b, 0xf0, 0x00, 0x01,
        0x05, 0x0b,
    ];

    #[test]
    fn instructions_have_lines() {
        let lines = [0, 1, 5, 6, 11, 12, 13, 20, 21].map(|at| line(TABLE, 1, at));
        let expected = [1, 2, 2, 4, 4, 5, 4, 4].map(Some);
        assert_eq!(lines[..8], expected);
        assert_eq!(lines[8], None);
    }

    #[test]
    fn entries_of_all_kinds() {
        // One unit each: no line; two lines on; without columns, back by three; long, on by 70.
        let table = [
            0xf8, 0xe0, 1, 2, 0xe8, 0x07, 0xf0, 0x4c, 0x02, 0x01, 0x01, 0x01,
        ];
        let lines: Vec<_> = (0..5).map(|at| line(&table, 10, at)).collect();
        assert_eq!(lines, [None, Some(12), Some(9), Some(79), None]);
    }

    #[test]
    fn a_damaged_table_has_no_lines() {
        assert_eq!(line(&[], 1, 0), None);
        assert_eq!(line(&[0x12; 40], 1, 0), None);
        assert_eq!(line(&[0xe8], 1, 0), None);
        assert_eq!(
            line(&[0xe8, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f], 1, 0),
            None
        );
        // Back to before the first line.
        assert_eq!(line(&[0xe8, 0x3f], 1, 0), None);
    }
}
