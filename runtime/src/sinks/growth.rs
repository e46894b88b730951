//! By what a process has grown, as a text that is read in ten seconds.
//!
//! The first line says how much, the others whose it is, the largest first: those of a percent or more, and so many that they fit on a
//! screen. Parts that would be printed alike are one. Where more came and went than stayed, it says whose that was, too.

use super::form::{self, Outside, push};
use crate::results::{Frame, Growth, GrowthPart, MemoryKind, Value};
use pfscript_grammar::escape::Keep;
use std::cmp::Reverse;
use std::collections::HashMap;

/// Rows at most, beside what sums up the others.
const ROWS: usize = 20;

/// Rows of what came and went at most.
const RETURNED_ROWS: usize = 5;

/// Functions of a stack at most; what stands for the others is `…`.
const FUNCTIONS: usize = 10;

/// Appends the text.
pub fn growth(growth: &Growth, outside: Outside, out: &mut Vec<u8>) {
    if let Some(why) = &growth.unseen {
        push(out, format_args!("by page faults alone, since {why}:\n"));
    }
    outside(&growth.comm, Keep::Nothing, out);
    let verb = if growth.after >= growth.before {
        "grew"
    } else {
        "shrank"
    };
    push(
        out,
        format_args!(
            " ({}) {verb} by {} in {:.1} s ({} → {} resident)",
            growth.process,
            size(growth.after.abs_diff(growth.before)),
            growth.time.as_secs_f64(),
            size(growth.before),
            size(growth.after),
        ),
    );
    if growth.returned > 0 {
        push(
            out,
            format_args!("; {} more came and went", size(growth.returned)),
        );
    }
    out.push(b'\n');
    let all: u64 = growth.parts.iter().map(|part| part.bytes).sum();
    let row = |bytes: u64, kind: &str, what: &[u8], out: &mut Vec<u8>| {
        row((bytes, all), kind, what, out);
    };
    let (rows, unexplained) = merged(&growth.parts, outside);
    let large = rows
        .iter()
        .take(ROWS)
        .take_while(|row| percent(row.0, all) > 0)
        .count();
    let (large, small) = rows.split_at(large);
    for (bytes, kind, what) in large {
        row(*bytes, kind.name(), what, out);
    }
    if !small.is_empty() {
        let bytes = small.iter().map(|row| row.0).sum();
        row(
            bytes,
            "",
            format!("{} smaller ones", small.len()).as_bytes(),
            out,
        );
    }
    if unexplained > 0 {
        row(unexplained, "", b"not explained", out);
    }
    if growth.returned > all {
        returned(growth, outside, out);
    }
    if growth.others > 0 {
        let touched = size(growth.others);
        push(
            out,
            format_args!(
                "  not in this: {touched} that other processes touched; to look at one of them, use -p PID\n"
            ),
        );
    }
    if growth.gone > 0 {
        push(
            out,
            format_args!(
                "  {} of what was there before was given back\n",
                size(growth.gone)
            ),
        );
    }
}

/// How many of a hundred, rounded.
fn percent(bytes: u64, all: u64) -> u64 {
    (bytes * 100 + all / 2).checked_div(all).unwrap_or(0)
}

/// Appends a row: bytes and what they are a part of, the kind of memory, and whose it is.
fn row((bytes, all): (u64, u64), kind: &str, what: &[u8], out: &mut Vec<u8>) {
    let (percent, size) = (percent(bytes, all), size(bytes));
    push(
        out,
        format_args!("  {percent:>3} %  {size:>9}  {kind:<6}  "),
    );
    out.extend_from_slice(what);
    out.truncate(out.trim_ascii_end().len());
    out.push(b'\n');
}

/// Appends whose it was that came and went.
fn returned(growth: &Growth, outside: Outside, out: &mut Vec<u8>) {
    push(
        out,
        format_args!("of the {} that came and went\n", size(growth.returned)),
    );
    let mut rows: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut known = HashMap::new();
    for (bytes, by) in &growth.returned_by {
        let mut what = Vec::new();
        payer(by, outside, &mut what);
        let at = *known.entry(what.clone()).or_insert(rows.len());
        match rows.get_mut(at) {
            Some(row) => row.0 += bytes,
            None => rows.push((*bytes, what)),
        }
    }
    rows.sort_by_key(|row| Reverse(row.0));
    let large = rows.iter().take(RETURNED_ROWS);
    for (bytes, what) in large.take_while(|row| percent(row.0, growth.returned) > 0) {
        row((*bytes, growth.returned), "", what, out);
    }
}

/// One row: bytes, what memory it is, and whose.
type Row = (u64, MemoryKind, Vec<u8>);

/// The rows, the largest first, and the bytes that nothing is known of.
fn merged(parts: &[GrowthPart], outside: Outside) -> (Vec<Row>, u64) {
    let mut rows: Vec<Row> = Vec::new();
    let mut known = HashMap::new();
    let mut unexplained = 0;
    for part in parts {
        let Some(by) = &part.by else {
            unexplained += part.bytes;
            continue;
        };
        let mut what = Vec::new();
        let is_named = matches!(
            part.kind,
            MemoryKind::Copied | MemoryKind::File | MemoryKind::Shared
        );
        if let Some(file) = part.file.as_ref().filter(|_| is_named) {
            outside(file, Keep::Nothing, &mut what);
            what.extend_from_slice(b"  ");
        }
        payer(by, outside, &mut what);
        let at = *known.entry((part.kind, what.clone())).or_insert(rows.len());
        match rows.get_mut(at) {
            Some(row) => row.0 += part.bytes,
            None => rows.push((part.bytes, part.kind, what)),
        }
    }
    rows.sort_by_key(|row| Reverse(row.0));
    (rows, unexplained)
}

/// Who is charged: of a stack the functions, the innermost first.
fn payer(by: &Value, outside: Outside, out: &mut Vec<u8>) {
    let Value::Stack(stack) = by else {
        return form::value(by, outside, out);
    };
    for (index, frame) in stack.frames.iter().enumerate() {
        let arrow: &[u8] = if index == 0 { b"" } else { " ← ".as_bytes() };
        out.extend_from_slice(arrow);
        if index == FUNCTIONS {
            out.extend_from_slice("…".as_bytes());
            break;
        }
        function(frame, outside, out);
    }
}

/// A function's name, failing that its file, failing that the address.
fn function(frame: &Frame, outside: Outside, out: &mut Vec<u8>) {
    match (&frame.function, &frame.module) {
        (Some(name), _) => outside(name.as_bytes(), Keep::Nothing, out),
        (None, Some(module)) => {
            let name = module.rsplit(|byte| *byte == b'/').next().unwrap_or(module);
            outside(name, Keep::Nothing, out);
        }
        (None, None) => push(out, format_args!("{:#x}", frame.address)),
    }
}

/// Bytes as people read them: `117.3 MiB`.
pub fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    let units = [("GiB", 30), ("MiB", 20)];
    let unit = units
        .iter()
        .find(|(_, shift)| bytes >= (1_u64 << shift) as f64);
    match unit {
        Some((unit, shift)) => format!("{:.1} {unit}", bytes / (1_u64 << shift) as f64),
        None => format!("{:.0} KiB", bytes / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Stack;
    use crate::sinks::text::escaped;
    use pfscript_compiler::manifest::StackMode;
    use std::time::Duration;

    fn stack(functions: &[&str]) -> Option<Value> {
        let frame = |(index, name): (usize, &&str)| {
            let mut frame = Frame::at(16 + index as u64);
            frame.function = Some((*name).into());
            frame
        };
        Some(Value::Stack(Stack {
            user: true,
            mode: StackMode::Bpftrace,
            frames: functions.iter().enumerate().map(frame).collect(),
        }))
    }

    fn part(mib: u64, kind: MemoryKind, file: Option<&[u8]>, by: Option<Value>) -> GrowthPart {
        GrowthPart {
            bytes: mib << 20,
            kind,
            file: file.map(Box::from),
            by,
        }
    }

    fn shown(of: &Growth) -> String {
        let mut out = Vec::new();
        growth(of, escaped, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn grown(parts: Vec<GrowthPart>) -> Growth {
        let all: u64 = parts.iter().map(|part| part.bytes).sum();
        Growth {
            process: 12,
            comm: b"a\x1bb".to_vec(),
            time: Duration::from_millis(30_060),
            before: 3 << 20,
            after: (3 << 20) + all,
            gone: 0,
            returned: 0,
            returned_by: Vec::new(),
            others: 0,
            parts,
            unseen: None,
        }
    }

    #[test]
    fn the_largest_comes_first_and_like_rows_are_one() {
        let mut growth = grown(vec![
            part(
                60,
                MemoryKind::Heap,
                Some(b"[heap]"),
                stack(&["add", "main"]),
            ),
            part(50, MemoryKind::Copied, Some(b"/lib/x\n"), stack(&["init"])),
            part(
                40,
                MemoryKind::Heap,
                Some(b"[heap]"),
                stack(&["add", "main"]),
            ),
            part(50, MemoryKind::Anonymous, None, None),
        ]);
        growth.returned = 5 << 10;
        growth.gone = 1 << 20;
        growth.others = 7 << 20;
        growth.after -= growth.gone;
        let expected = "\
a\\x1bb (12) grew by 199.0 MiB in 30.1 s (3.0 MiB → 202.0 MiB resident); 5 KiB more came and went
   50 %  100.0 MiB  heap    add ← main
   25 %   50.0 MiB  copied  /lib/x\\x0a  init
   25 %   50.0 MiB          not explained
  not in this: 7.0 MiB that other processes touched; to look at one of them, use -p PID
  1.0 MiB of what was there before was given back
";
        assert_eq!(shown(&growth), expected);
    }

    #[test]
    fn a_screenful_is_shown_and_the_rest_summed() {
        let rows = (0..50).map(|row| part(1, MemoryKind::File, None, Some(Value::Int(row))));
        let text = shown(&grown(rows.collect()));
        assert_eq!(text.lines().count(), 1 + ROWS + 1, "{text}");
        assert!(
            text.ends_with("   60 %   30.0 MiB          30 smaller ones\n"),
            "{text}"
        );
        let deep = ["f"; 30];
        let text = shown(&grown(vec![part(1, MemoryKind::Heap, None, stack(&deep))]));
        assert!(text.ends_with(" ← f ← …\n"), "{text}");
    }

    #[test]
    fn where_more_came_and_went_than_stayed_it_is_said_whose() {
        let mut growth = grown(vec![part(1, MemoryKind::Heap, None, Some(Value::Int(3)))]);
        growth.returned_by = vec![
            (60 << 20, stack(&["a", "main"]).unwrap()),
            (30 << 20, Value::Int(5)),
            (10 << 20, stack(&["a", "main"]).unwrap()),
        ];
        growth.returned = 100 << 20;
        let text = shown(&growth);
        let expected = "\
  100 %    1.0 MiB  heap    3
of the 100.0 MiB that came and went
   70 %   70.0 MiB          a ← main
   30 %   30.0 MiB          5
";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn what_nobody_could_see_is_said_first() {
        let mut growth = grown(Vec::new());
        growth.unseen = Some("it was gone".into());
        assert!(shown(&growth).starts_with("by page faults alone, since it was gone:\n"));
    }
}
