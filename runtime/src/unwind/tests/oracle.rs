//! Holds the table of a file against what gimli's own machine says of its `.eh_frame`: at the first and the last byte of each of
//! its rows, both find the same caller from the same registers, in a memory of made up words.

use super::super::walk::{End, Registers, Walker};
use super::super::*;
use super::check_form;
use crate::elf::frames::{self, Frames};
use gimli::{
    CfaRule, CieOrFde, Encoding, EndianSlice, EvaluationResult, Expression, Format, Register,
    RegisterRule, UnwindContext, UnwindSection as _, UnwindTableRow, Value,
};
use pfscript_compiler::facts::Segment;
use std::collections::HashMap;
use std::path::Path;

type Section<'a> = EhFrame<EndianSlice<'a, LittleEndian>>;

const RBX: Register = Register(3);
const RBP: Register = Register(6);
const RSP: Register = Register(7);
const RIP: Register = Register(16);

/// Made up words, which differ from address to address.
fn memory(address: u64) -> u64 {
    let mixed = (address ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ mixed >> 32
}

fn registers(ip: u64) -> Registers {
    Registers {
        ip,
        sp: 0x7fff_1234_5000,
        fp: 0x7fff_5678_9000,
        lr: 0,
        bx: 0x7fff_9abc_d000,
        scratch: [11, 10, 9, 8, 0].map(|number| 0x7fff_6000_0000 + (number << 16)),
    }
}

/// What an expression computes.
fn evaluate(
    expression: Expression<EndianSlice<LittleEndian>>,
    at: Registers,
    initial: Option<u64>,
) -> Option<u64> {
    let encoding = Encoding {
        address_size: 8,
        format: Format::Dwarf32,
        version: 4,
    };
    let mut evaluation = expression.evaluation(encoding);
    if let Some(initial) = initial {
        evaluation.set_initial_value(initial);
    }
    let mut result = evaluation.evaluate().ok()?;
    loop {
        result = match result {
            EvaluationResult::Complete => break,
            EvaluationResult::RequiresRegister { register, .. } => {
                let value = match register {
                    RBX => at.bx,
                    RBP => at.fp,
                    RSP => at.sp,
                    RIP => at.ip,
                    // Others are not known.
                    _ => return None,
                };
                evaluation
                    .resume_with_register(Value::Generic(value))
                    .ok()?
            }
            EvaluationResult::RequiresMemory {
                address, size: 8, ..
            } => evaluation
                .resume_with_memory(Value::Generic(memory(address)))
                .ok()?,
            _ => return None,
        };
    }
    match evaluation.as_result() {
        [
            gimli::Piece {
                location: gimli::Location::Address { address },
                ..
            },
        ] => Some(*address),
        _ => None,
    }
}

/// The caller by gimli's row. `None`: it takes registers that a walk does not have.
fn caller(
    section: &Section,
    row: &UnwindTableRow<usize>,
    at: Registers,
) -> Option<Result<Registers, End>> {
    let saved = |register, cfa: u64| match row.register(register) {
        None | Some(RegisterRule::SameValue) => Some(None),
        Some(RegisterRule::Offset(bytes)) => Some(Some(memory(cfa.wrapping_add_signed(bytes)))),
        Some(RegisterRule::Expression(expression)) => {
            let address = evaluate(expression.get(section).ok()?, at, Some(cfa))?;
            Some(Some(memory(address)))
        }
        _ => None,
    };
    if row.register(RIP) == Some(RegisterRule::Undefined) {
        return Some(Err(End::Outermost));
    }
    let cfa = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => {
            let base = match *register {
                RBX => at.bx,
                RBP => at.fp,
                RSP => at.sp,
                Register(11) => at.scratch[0],
                Register(10) => at.scratch[1],
                Register(9) => at.scratch[2],
                Register(8) => at.scratch[3],
                Register(0) => at.scratch[4],
                _ => return None,
            };
            base.wrapping_add_signed(*offset)
        }
        CfaRule::Expression(expression) => evaluate(expression.get(section).ok()?, at, None)?,
    };
    Some(Ok(Registers {
        ip: saved(RIP, cfa)??,
        fp: saved(RBP, cfa)?.unwrap_or(at.fp),
        // A signal's frame says so of this register, too.
        sp: saved(RSP, cfa)?.unwrap_or(cfa),
        lr: 0,
        // What a row cannot say of it is left out.
        bx: saved(RBX, cfa).flatten().unwrap_or(at.bx),
        scratch: [0; 5],
    }))
}

/// What came of a comparison.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// gimli's rows.
    pub rows: usize,
    /// Those of which the table knows nothing, though a walk has all that they take.
    pub unsaid: usize,
    /// Those that take registers that a walk does not have.
    pub others: usize,
    /// How many rows were right by each rule.
    pub right: HashMap<Rule, usize>,
}

/// Compares the table of a file, of which every `one_of`th function is looked at.
///
/// # Panics
/// If the table says anything else than the file.
pub(super) fn compare(path: &Path, one_of: usize) -> Comparison {
    let file = File::open(path).unwrap();
    let table = Table::read(&file).unwrap();
    check_form(&table);
    let frames = frames::read(&file).unwrap();
    let mut section = Section::new(&frames.eh_frame.as_ref().unwrap().bytes, LittleEndian);
    section.set_address_size(8);
    let bases = &frames.bases;
    let mut context = UnwindContext::new();
    let mut seen = Comparison::default();
    let mut number = 0;
    for entry in section.entries(bases) {
        let CieOrFde::Fde(function) = entry.unwrap() else {
            continue;
        };
        number += 1;
        if number % one_of != 0 {
            continue;
        }
        let function = function.parse(Section::cie_from_offset).unwrap();
        let mut rows = function.rows(&section, bases, &mut context).unwrap();
        while let Some(row) = rows.next_row().unwrap() {
            if row.start_address() == row.end_address() {
                continue;
            }
            seen.rows += 1;
            let ends = [row.start_address(), row.end_address() - 1];
            let [first, last] = ends.map(|at| check(&table, &frames, &section, row, at));
            assert_eq!(first, last, "{} {row:?}", path.display());
            let (found, sayable) = first;
            if found.rule == Rule::Unknown {
                seen.unsaid += usize::from(sayable);
                seen.others += usize::from(!sayable);
            }
            *seen.right.entry(found.rule).or_default() += 1;
        }
    }
    seen
}

/// What the table says of one address of a row, and whether a walk has what that row takes.
fn check(
    table: &Table,
    frames: &Frames,
    section: &Section,
    row: &UnwindTableRow<usize>,
    address: u64,
) -> (Row, bool) {
    let within = |code: &&Segment| (code.address..code.address + code.size).contains(&address);
    let place = frames.code.iter().find(within).unwrap();
    let found = table.lookup(address - place.address + place.offset);
    let at = registers(address);
    let expected = caller(section, row, at);
    if found.rule != Rule::Unknown {
        let got = Walker::X86_64.caller(found, at, |at| Some(memory(at)));
        // Where there is no room for it, a row says nothing of rbx.
        let bx = got
            .ok()
            .filter(|_| [Rule::AtSp, Rule::AtFp, Rule::FromScratch].contains(&found.rule));
        let expected = match (expected, bx) {
            (Some(Ok(expected)), Some(Registers { bx, .. })) => {
                Some(Ok(Registers { bx, ..expected }))
            }
            _ => expected,
        };
        assert_eq!(Some(got), expected, "{address:#x}: {row:?}");
    }
    (found, expected.is_some())
}
