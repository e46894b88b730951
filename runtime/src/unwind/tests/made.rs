//! Tables of files that are made here byte by byte: what compilers seldom do, and what no compiler does.

use super::super::*;
use super::{check_form, table_of};

/// Where the code is in the file, where it is loaded, and how long it is.
const CODE: u64 = 0x1000;
const ADDRESS: u64 = 0x40_1000;
const SIZE: u64 = 0x8000;
/// Where the section is loaded.
const SECTION: u64 = 0x50_0000;

const X86_64: u16 = 62;
const AARCH64: u16 = 183;

/// A file with a section of frames.
fn file(machine: u16, name: &str, section: &[u8]) -> Vec<u8> {
    file_entered_at(0, machine, name, section)
}

/// A file that is run from an address on.
fn file_entered_at(entry: u64, machine: u16, name: &str, section: &[u8]) -> Vec<u8> {
    let names = [b"\0", name.as_bytes(), b"\0.shstrtab\0"].concat();
    let frames = CODE + SIZE;
    let strings = frames + section.len() as u64;
    let sections = strings + names.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let halves = |file: &mut Vec<u8>, numbers: &[u16]| {
        file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    };
    let longs = |file: &mut Vec<u8>, numbers: &[u64]| {
        file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    };
    halves(&mut file, &[3, machine, 1, 0]);
    longs(&mut file, &[entry, 64, sections]);
    halves(&mut file, &[0, 0, 64, 56, 1, 64, 3, 2]);
    // One segment, of code.
    longs(
        &mut file,
        &[1 | 5 << 32, CODE, ADDRESS, ADDRESS, SIZE, SIZE, 0x1000],
    );
    file.resize(frames as usize, 0);
    file.extend(section);
    file.extend(&names);
    let start_of_strings = 1 + name.len() as u64 + 1;
    longs(&mut file, &[0; 8]);
    longs(
        &mut file,
        &[
            1 | 1 << 32,
            2,
            SECTION,
            frames,
            section.len() as u64,
            0,
            8,
            0,
        ],
    );
    let length = names.len() as u64;
    longs(
        &mut file,
        &[start_of_strings | 3 << 32, 0, 0, strings, length, 0, 1, 0],
    );
    file
}

/// A section that is made.
#[derive(Clone, Default)]
struct Frames(Vec<u8>);

/// DWARF's names of the instructions that are used here.
const DEF_CFA: u8 = 0x0c;
const DEF_CFA_REGISTER: u8 = 0x0d;
const DEF_CFA_OFFSET: u8 = 0x0e;
const SET_LOC: u8 = 0x01;
const ADVANCE_1: u8 = 0x02;
const ADVANCE_4: u8 = 0x04;
const UNDEFINED: u8 = 0x07;
const SAME_VALUE: u8 = 0x08;
const REGISTER: u8 = 0x09;
const REMEMBER: u8 = 0x0a;
const RESTORE: u8 = 0x0b;
const VAL_OFFSET: u8 = 0x14;
const NEGATE_RA_STATE: u8 = 0x2d;
const UNKNOWN_INSTRUCTION: u8 = 0x3f;

/// `DW_CFA_offset` of a register below 64.
fn saved(register: u8) -> u8 {
    0x80 | register
}

/// `DW_CFA_advance_loc` of fewer than 64 bytes.
fn advance(bytes: u8) -> u8 {
    0x40 | bytes
}

impl Frames {
    fn entry(&mut self, id: u32, rest: &[u8]) -> usize {
        let at = self.0.len();
        let length = rest.len().next_multiple_of(4) + 4;
        self.0.extend((length as u32).to_le_bytes());
        self.0.extend(id.to_le_bytes());
        self.0.extend(rest);
        self.0.resize(at + 4 + length, 0);
        at
    }

    /// What functions have in common: how their addresses are written, and instructions.
    fn common(
        &mut self,
        augmentation: &str,
        encoding: u8,
        machine: u16,
        instructions: &[u8],
    ) -> usize {
        let ra = if machine == X86_64 { 16 } else { 30 };
        let rest = [
            &[1],
            augmentation.as_bytes(),
            // Code in units of 1, data in units of -8.
            &[0, 1, 0x78, ra, 1, encoding],
            instructions,
        ];
        self.entry(0, &rest.concat())
    }

    /// As compilers for x86-64 write it.
    fn usual() -> (Frames, usize) {
        let mut frames = Frames::default();
        let common = frames.common("zR", 0x1b, X86_64, &[DEF_CFA, 7, 8, saved(16), 1]);
        (frames, common)
    }

    /// A function; addresses are relative to where they stand, in 4 bytes.
    fn function(&mut self, common: usize, start: u64, size: u32, instructions: &[u8]) {
        let at = self.0.len() as u64 + 8;
        let relative = (ADDRESS + start).wrapping_sub(SECTION + at) as u32;
        let rest = [
            &relative.to_le_bytes(),
            &size.to_le_bytes(),
            &[0][..],
            instructions,
        ]
        .concat();
        let id = at as usize - 4 - common;
        self.entry(id as u32, &rest);
    }

    fn table(&self) -> Table {
        let table = table_of(&file(X86_64, ".eh_frame", &self.0)).unwrap();
        check_form(&table);
        table
    }
}

fn from(rule: Rule, number: i64, fp: i64) -> Row {
    Row {
        rule,
        number,
        fp,
        ra: -1,
        bx: 0,
    }
}

fn sp(number: i64) -> Row {
    from(Rule::FromSp, number, 0)
}

/// The rows at offsets in the code.
fn at<const N: usize>(table: &Table, offsets: [u64; N]) -> [Row; N] {
    offsets.map(|offset| table.lookup(CODE + offset))
}

const UNKNOWN: Row = Row::UNKNOWN;

#[test]
fn functions_out_of_order_that_overlap_and_gaps() {
    let (mut frames, common) = Frames::usual();
    let depth = |words: u8| [DEF_CFA_OFFSET, words * 8];
    frames.function(common, 0x800, 0x10, &depth(2));
    frames.function(common, 0x100, 0x100, &depth(3));
    // Within the one before; behind its end nothing is known.
    frames.function(common, 0x180, 0x10, &depth(4));
    // The first of two that begin together holds.
    frames.function(common, 0x800, 0x20, &depth(5));
    // Of no bytes, outside of the code, and half outside.
    frames.function(common, 0x140, 0, &depth(6));
    frames.function(common, SIZE, 0x10, &depth(6));
    frames.function(common, SIZE - 8, 0x10, &depth(6));
    frames.function(common, 0x200, 0x10, &depth(7));
    let table = frames.table();
    let found = at(&table, [0, 0xff, 0x100, 0x140, 0x17f, 0x180, 0x18f, 0x190]);
    let (three, four) = (sp(3), sp(4));
    assert_eq!(
        found,
        [UNKNOWN, UNKNOWN, three, three, three, four, four, UNKNOWN]
    );
    let found = at(
        &table,
        [0x1ff, 0x200, 0x20f, 0x210, 0x7ff, 0x800, 0x80f, 0x810],
    );
    let (two, seven) = (sp(2), sp(7));
    assert_eq!(
        found,
        [UNKNOWN, seven, seven, UNKNOWN, UNKNOWN, two, two, UNKNOWN]
    );
    assert_eq!(at(&table, [SIZE - 8, SIZE, u64::MAX - CODE]), [UNKNOWN; 3]);
    assert_eq!(table.lookup(0), UNKNOWN);
    assert_eq!((table.first_chunk, table.chunks), (CODE >> 12, 1));
}

#[test]
fn functions_reach_across_chunks() {
    let (mut frames, common) = Frames::usual();
    let steps = [ADVANCE_4, 0, 0x30, 0, 0, DEF_CFA_OFFSET, 16];
    frames.function(common, 0x10, 0x5000, &steps);
    frames.function(common, 0x5010, 0xff0, &[]);
    let table = frames.table();
    assert_eq!((table.first_chunk, table.chunks), (1, 6));
    let found = at(
        &table,
        [
            0xf, 0x10, 0x1000, 0x2fff, 0x300f, 0x3010, 0x4000, 0x500f, 0x5010, 0x5fff, 0x6000,
        ],
    );
    let (one, two) = (sp(1), sp(2));
    assert_eq!(
        found,
        [
            UNKNOWN, one, one, one, one, two, two, two, one, one, UNKNOWN
        ]
    );
}

#[test]
fn states_are_remembered_and_registers_restored() {
    let (mut frames, common) = Frames::usual();
    let steps = [
        &[advance(1), DEF_CFA_OFFSET, 16, saved(6), 2][..],
        &[advance(3), DEF_CFA_REGISTER, 6],
        &[advance(4), REMEMBER, DEF_CFA, 7, 8, 0xc0 | 6],
        &[ADVANCE_1, 1, RESTORE],
        &[advance(1), SAME_VALUE, 6],
        &[advance(1), RESTORE],
    ];
    frames.function(common, 0, 0x20, &steps.concat());
    let table = frames.table();
    let found = at(&table, [0, 1, 4, 8, 9, 10, 11]);
    let framed = from(Rule::FromFp, 2, -2);
    let expected = [
        sp(1),
        from(Rule::FromSp, 2, -2),
        framed,
        sp(1),
        framed,
        from(Rule::FromFp, 2, 0),
    ];
    assert_eq!(found[..6], expected);
    // Nothing was remembered any more.
    assert_eq!(found[6], UNKNOWN);
}

#[test]
fn what_a_row_cannot_say_is_unknown() {
    let (mut frames, common) = Frames::usual();
    let bodies: [&[u8]; 12] = [
        // The CFA from a register that is not looked at, and not in words.
        &[DEF_CFA, 12, 8],
        &[DEF_CFA_OFFSET, 12],
        // The frame pointer in another register, at the CFA, as a number.
        &[REGISTER, 6, 3],
        &[saved(6), 0],
        &[VAL_OFFSET, 6, 2],
        // The return address elsewhere.
        &[saved(16), 2],
        &[SAME_VALUE, 16],
        &[VAL_OFFSET, 16, 1],
        // An expression of another kind; rbp by an expression.
        &[0x0f, 2, 0x77, 8],
        &[0x10, 6, 2, 0x76, 0],
        // An instruction that nobody knows, and one that is cut short.
        &[UNKNOWN_INSTRUCTION],
        &[0x0f, 99, 0],
    ];
    for (number, body) in bodies.iter().enumerate() {
        let body = [&[advance(4)], *body].concat();
        frames.function(common, number as u64 * 0x20, 0x10, &body);
    }
    frames.function(common, 0x800, 0x10, &[advance(4), UNDEFINED, 16]);
    let table = frames.table();
    for number in 0..bodies.len() as u64 {
        let found = at(
            &table,
            [number * 0x20, number * 0x20 + 4, number * 0x20 + 15],
        );
        assert_eq!(
            found,
            [sp(1), UNKNOWN, UNKNOWN],
            "{:x?}",
            bodies[number as usize]
        );
    }
    let outermost = table.lookup(CODE + 0x804).rule;
    assert_eq!(
        (table.lookup(CODE + 0x803), outermost),
        (sp(1), Rule::Outermost)
    );
}

#[test]
fn moves_of_any_kind_and_beyond_the_end() {
    let (mut frames, common) = Frames::usual();
    let to = |offset: u64, at: usize, function: usize| {
        // An encoded address, relative to its own place behind the opcode.
        let place = SECTION + (function + 17 + at + 1) as u64;
        let relative = (ADDRESS + offset).wrapping_sub(place) as u32;
        [&[SET_LOC][..], &relative.to_le_bytes()].concat()
    };
    let start = frames.0.len();
    let body = [to(0x8, 0, start), vec![DEF_CFA_OFFSET, 16]].concat();
    frames.function(common, 0, 0x10, &body);
    let start = frames.0.len();
    // Back, which makes no sense.
    let body = [vec![advance(4), DEF_CFA_OFFSET, 16], to(0x102, 3, start)].concat();
    frames.function(common, 0x100, 0x10, &body);
    // To the end and beyond it: the last state is of no byte.
    frames.function(common, 0x200, 0x10, &[advance(16), DEF_CFA_OFFSET, 16]);
    frames.function(
        common,
        0x210,
        0x10,
        &[ADVANCE_4, 255, 255, 255, 255, DEF_CFA_OFFSET, 24],
    );
    let table = frames.table();
    assert_eq!(
        at(&table, [0, 7, 8, 15, 16]),
        [sp(1), sp(1), sp(2), sp(2), UNKNOWN]
    );
    assert_eq!(
        at(&table, [0x100, 0x103, 0x104, 0x10f]),
        [sp(1), sp(1), UNKNOWN, UNKNOWN]
    );
    assert_eq!(
        at(&table, [0x200, 0x20f, 0x210, 0x21f, 0x220]),
        [sp(1), sp(1), sp(1), sp(1), UNKNOWN]
    );
}

#[test]
fn damaged_entries_do_not_hide_others() {
    let (mut frames, common) = Frames::usual();
    frames.function(common, 0, 0x10, &[]);
    // Of an unknown kind, of another's return address, with an unknown encoding, without a common entry, without a length.
    let strange = frames.common("zX", 0x1b, X86_64, &[DEF_CFA, 7, 8]);
    frames.function(strange, 0x100, 0x10, &[]);
    let foreign = frames.common("zR", 0x1b, AARCH64, &[DEF_CFA, 7, 8, saved(16), 1]);
    frames.function(foreign, 0x200, 0x10, &[]);
    let encoded = frames.common("zR", 0x77, X86_64, &[DEF_CFA, 7, 8, saved(16), 1]);
    frames.function(encoded, 0x300, 0x10, &[]);
    frames.function(common + 4, 0x400, 0x10, &[]);
    frames.0.extend([0; 8]);
    frames.entry(7, &[]);
    frames.function(common, 0x500, 0x10, &[]);
    // Longer than the section.
    frames.0.extend([0xff, 0xff, 0, 0, 0, 0, 0, 0]);
    let table = frames.table();
    let found = at(&table, [0, 0x100, 0x200, 0x300, 0x400, 0x500]);
    assert_eq!(found, [sp(1), UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, sp(1)]);
}

#[test]
fn addresses_are_written_in_many_ways() {
    // Absolute in 8 bytes, relative in 8, absolute in 4, relative in 4.
    for (encoding, base, width) in [(0x00, 0, 8), (0x1c, 1, 8), (0x03, 0, 4), (0x1b, 1, 4)] {
        let mut frames = Frames::default();
        let common = frames.common("zR", encoding, X86_64, &[DEF_CFA, 7, 8, saved(16), 1]);
        let place = frames.0.len() as u64 + 8;
        let start = (ADDRESS + 0x40).wrapping_sub(base * (SECTION + place));
        let rest = [
            &start.to_le_bytes()[..width],
            &16u64.to_le_bytes()[..width],
            &[0],
        ]
        .concat();
        frames.entry(place as u32 - 4 - common as u32, &rest);
        let found = at(&frames.table(), [0x3f, 0x40, 0x4f, 0x50]);
        assert_eq!(found, [UNKNOWN, sp(1), sp(1), UNKNOWN], "{encoding:#x}");
    }
}

#[test]
fn frames_of_arm64() {
    let mut frames = Frames::default();
    let common = frames.common("zR", 0x1b, AARCH64, &[DEF_CFA, 31, 0]);
    let steps = [
        &[advance(4), NEGATE_RA_STATE][..],
        &[advance(4), DEF_CFA_OFFSET, 32, saved(29), 4, saved(30), 3],
        &[advance(4), DEF_CFA_REGISTER, 29],
        &[advance(4), 0xc0 | 29, 0xc0 | 30, DEF_CFA, 31, 0],
        &[advance(4), NEGATE_RA_STATE],
        &[advance(4), UNDEFINED, 30],
    ];
    frames.function(common, 0, 0x20, &steps.concat());
    let signal = frames.common("zRS", 0x1b, AARCH64, &[]);
    frames.function(
        signal,
        0x40,
        8,
        &[DEF_CFA, 29, 0, saved(29), 0, saved(30), 1],
    );
    let table = table_of(&file(AARCH64, ".eh_frame", &frames.0)).unwrap();
    check_form(&table);
    let row = |rule, number, fp, ra| Row {
        rule,
        number,
        fp,
        ra,
        bx: 0,
    };
    let leaf = row(Rule::FromSp, 0, 0, 0);
    let found = at(&table, [0, 4, 8, 12, 16, 20, 24, 0x40]);
    let expected = [
        leaf,
        leaf,
        row(Rule::FromSp, 4, -4, -3),
        row(Rule::FromFp, 4, -4, -3),
        leaf,
        leaf,
        Row::bare(Rule::Outermost),
        Row::bare(Rule::Signal),
    ];
    assert_eq!(found, expected);
}

#[test]
fn common_entries_may_follow_in_debug_frame() {
    let common = [1, 0, 1, 0x78, 16, DEF_CFA, 7, 8, saved(16), 1];
    let mut frames = Frames::default();
    let function = [(ADDRESS + 0x20).to_le_bytes(), 0x10u64.to_le_bytes()].concat();
    let at_end = 8 + function.len() as u32;
    frames.entry(at_end, &function);
    frames.entry(u32::MAX, &common);
    let table = table_of(&file(X86_64, ".debug_frame", &frames.0)).unwrap();
    check_form(&table);
    let found = at(&table, [0x1f, 0x20, 0x2f, 0x30]);
    assert_eq!(found, [UNKNOWN, sp(1), sp(1), UNKNOWN]);
}

#[test]
fn where_a_file_is_run_from_was_called_by_none() {
    let (mut frames, common) = Frames::usual();
    frames.function(common, 0x100, 0x10, &[]);
    frames.function(common, 0x140, 0x10, &[]);
    let outermost = Row::bare(Rule::Outermost);
    let enter = |at: u64, section: &[u8]| {
        let file = file_entered_at(ADDRESS + at, X86_64, ".eh_frame", section);
        let table = table_of(&file).unwrap();
        check_form(&table);
        table
    };
    // Between functions, up to the next.
    let table = enter(0x118, &frames.0);
    let found = at(&table, [0x10f, 0x110, 0x118, 0x13f, 0x140, 0x150]);
    assert_eq!(
        found,
        [sp(1), UNKNOWN, outermost, outermost, sp(1), UNKNOWN]
    );
    // In a function that says how to unwind.
    let table = enter(0x148, &frames.0);
    assert_eq!(at(&table, [0x140, 0x148, 0x150]), [sp(1), sp(1), UNKNOWN]);
    // In a file that says nothing, and outside of the code.
    let table = enter(0x100, &[]);
    let found = at(&table, [0xff, 0x100, SIZE - 1, SIZE]);
    assert_eq!(found, [UNKNOWN, outermost, outermost, UNKNOWN]);
    assert_eq!(enter(SIZE, &[]).chunks, 0);
    // Libraries say that they are run from 0, which is in their code where that is loaded with their header.
    let code = Segment {
        offset: 0,
        address: 0,
        size: SIZE,
    };
    let mut functions = Functions::default();
    functions.begin_at(0, &[code]);
    assert!(functions.ranges.is_empty());
}

#[test]
fn a_file_that_says_nothing_has_an_empty_table() {
    for name in [".eh_frame", ".debug_frame", ".other"] {
        let table = table_of(&file(X86_64, name, &[])).unwrap();
        check_form(&table);
        assert_eq!((table.chunks, &table.words[..]), (0, &[1][..]));
        assert_eq!(table.lookup(CODE), UNKNOWN);
    }
}

#[test]
fn what_costs_much_is_bounded() {
    // Many functions, each with the instructions of a long common entry: run once, and no more.
    let mut frames = Frames::default();
    let mut long = vec![DEF_CFA, 7, 8, saved(16), 1];
    long.resize(1 << 20, 0);
    let common = frames.common("zR", 0x1b, X86_64, &long);
    for number in 0..50_000 {
        frames.function(common, number % SIZE, 1, &[]);
    }
    let table = frames.table();
    assert_eq!(at(&table, [0, SIZE - 1, SIZE]), [sp(1), sp(1), UNKNOWN]);
    // Common entries for which there is no room are as if they were not there.
    let (mut frames, common) = Frames::usual();
    let mut last = common;
    for _ in 0..1 << 16 {
        last = frames.common("zR", 0x1b, X86_64, &[DEF_CFA, 7, 8, saved(16), 1]);
    }
    frames.function(common, 0, 0x10, &[]);
    frames.function(last, 0x100, 0x10, &[]);
    assert_eq!(at(&frames.table(), [0, 0x100]), [sp(1), UNKNOWN]);
    // States that are remembered and never restored.
    let (mut frames, common) = Frames::usual();
    frames.function(common, 0, 0x100, &[REMEMBER; 1 << 16]);
    assert_eq!(at(&frames.table(), [0, 0xff]), [UNKNOWN; 2]);
}
