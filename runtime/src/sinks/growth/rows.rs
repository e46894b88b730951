//! Rows of what has become resident: parts that would be printed alike are one, and so are those of a file.

use super::collector::{self, Collector};
use super::payer::payer;
use crate::results::{GrowthPart, MemoryKind, Value};
use crate::sinks::form::{Outside, push};
use pfscript_grammar::escape::Keep;
use std::cmp::Reverse;
use std::collections::HashMap;

/// One row.
pub(super) struct Row {
    pub bytes: u64,
    /// How many more they are than the last time.
    pub recent: i64,
    pub kind: MemoryKind,
    /// The file, where it is of interest.
    pub file: Vec<u8>,
    /// Who is charged.
    pub by: Vec<u8>,
    /// The collector that moved it there.
    pub mover: Option<&'static Collector>,
}

/// Appends whose it is: who is charged, or the collector that moved it there.
pub(super) fn whose(by: &Value, outside: Outside, out: &mut Vec<u8>) -> Option<&'static Collector> {
    let mover = collector::of(by);
    match mover {
        Some(mover) => push(
            out,
            format_args!(
                "objects that the garbage collector {} has moved or marked",
                mover.name
            ),
        ),
        None => payer(by, outside, out),
    }
    mover
}

/// The rows, the largest first, and the bytes that nothing is known of.
pub(super) fn merged(parts: &[GrowthPart], outside: Outside) -> (Vec<Row>, (u64, i64)) {
    let mut rows: Vec<Row> = Vec::new();
    let mut known = HashMap::new();
    let mut unexplained = (0, 0);
    for part in parts {
        let recent = part.recent.unwrap_or(0);
        let Some(charged) = &part.by else {
            unexplained.0 += part.bytes;
            unexplained.1 += recent;
            continue;
        };
        let (mut file, mut by) = (Vec::new(), Vec::new());
        let is_named = matches!(
            part.kind,
            MemoryKind::Copied | MemoryKind::File | MemoryKind::Shared
        );
        if let Some(name) = part.file.as_ref().filter(|_| is_named) {
            outside(name, Keep::Nothing, &mut file);
        }
        let mover = whose(charged, outside, &mut by);
        let key = (part.kind, file.clone(), by.clone());
        let at = *known.entry(key).or_insert(rows.len());
        match rows.get_mut(at) {
            Some(row) => {
                row.bytes += part.bytes;
                row.recent += recent;
            }
            None => rows.push(Row {
                bytes: part.bytes,
                recent,
                kind: part.kind,
                file,
                by,
                mover,
            }),
        }
    }
    let mut rows = by_file(rows);
    rows.sort_by_key(|row| Reverse(row.bytes));
    (rows, unexplained)
}

/// The same with one row for each file: its pages come by whatever touches them first, in many places of a program that starts. Who is
/// charged for half of them or more is named.
fn by_file(rows: Vec<Row>) -> Vec<Row> {
    let (mut files, mut all): (Vec<Row>, Vec<Row>) = rows
        .into_iter()
        .partition(|row| row.kind == MemoryKind::File && !row.file.is_empty());
    files.sort_by(|a, b| (&a.file, b.bytes).cmp(&(&b.file, a.bytes)));
    for of_one in files.chunk_by_mut(|a, b| a.file == b.file) {
        let bytes: u64 = of_one.iter().map(|row| row.bytes).sum();
        let by = match &of_one[0] {
            largest if largest.bytes * 2 >= bytes => largest.by.clone(),
            _ => format!("{} stacks", of_one.len()).into_bytes(),
        };
        all.push(Row {
            bytes,
            recent: of_one.iter().map(|row| row.recent).sum(),
            kind: MemoryKind::File,
            file: std::mem::take(&mut of_one[0].file),
            by,
            mover: None,
        });
    }
    all
}
