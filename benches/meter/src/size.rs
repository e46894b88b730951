//! What has to be installed.

use crate::Bench;
use crate::table::Table;

/// Section headers that a stripped, static ELF file lacks.
const SYMBOL_TABLE: u32 = 2;
const INTERPRETER: u32 = 3;

pub fn measure(bench: &Bench) -> Result<(), String> {
    let path = bench.pfscript.program();
    let elf = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let mut table = Table::new("size", &["MB", "static", "stripped"]);
    let (interpreter, symbols) = (has_interpreter(&elf), has_symbols(&elf));
    let yes = |yes: Option<bool>| match yes {
        Some(true) => "yes".to_owned(),
        Some(false) => "no".to_owned(),
        None => "not ELF".to_owned(),
    };
    table.row(
        "pfscript",
        [
            format!("{:.2}", elf.len() as f64 / 1e6),
            yes(interpreter.map(|found| !found)),
            yes(symbols.map(|found| !found)),
        ],
    );
    table.row(
        "target",
        ["6.00".to_owned(), "yes".to_owned(), "yes".to_owned()],
    );
    table.print();
    Ok(())
}

fn number<const N: usize>(elf: &[u8], at: usize) -> Option<[u8; N]> {
    elf.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// Entries of a table of a 64-bit little-endian ELF file: the word at `word` in each.
fn entries(elf: &[u8], offset_at: usize, size_at: usize, word: usize) -> Option<Vec<u32>> {
    if number(elf, 0)? != *b"\x7fELF\x02\x01" {
        return None;
    }
    let offset = usize::try_from(u64::from_le_bytes(number(elf, offset_at)?)).ok()?;
    let size = usize::from(u16::from_le_bytes(number(elf, size_at)?));
    let count = usize::from(u16::from_le_bytes(number(elf, size_at + 2)?));
    (0..count)
        .map(|entry| {
            Some(u32::from_le_bytes(number(
                elf,
                offset + entry * size + word,
            )?))
        })
        .collect()
}

/// Whether a program header asks for a dynamic loader.
fn has_interpreter(elf: &[u8]) -> Option<bool> {
    Some(entries(elf, 32, 54, 0)?.contains(&INTERPRETER))
}

/// Whether a section is a symbol table.
fn has_symbols(elf: &[u8]) -> Option<bool> {
    Some(entries(elf, 40, 58, 4)?.contains(&SYMBOL_TABLE))
}
