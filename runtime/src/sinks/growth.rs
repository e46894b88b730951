//! By what processes have grown, as a text that is read in ten seconds.
//!
//! The first line says how much, the others whose it is, the largest first: those of a percent or more, and so many that they fit on a
//! screen. Parts that would be printed alike are one, and so is what a collector of garbage has moved. Where more came and went than stayed, it says first whose that was: a program that frees
//! all at its end has grown all the same. What was allocated and not freed stands below, where that is followed.

mod collector;
mod payer;
mod rows;

use super::form::{Outside, push};
use crate::results::{Growth, GrowthReport, Value};
use collector::Collector;
use pfscript_grammar::escape::Keep;
use rows::{merged, whose};
use std::collections::HashMap;

/// Rows at most, beside what sums up the others.
const ROWS: usize = 20;

/// Rows of what stayed at most where more came and went.
const LESS_ROWS: usize = 5;

/// Processes, or names of several, at most.
const PROCESSES: usize = 6;

/// Rows of each at least.
const LEAST_ROWS: usize = 3;

/// Appends the text.
pub fn report(report: &GrowthReport, outside: Outside, out: &mut Vec<u8>) {
    if let Some(time) = report.recent {
        let (recent, all) = (time.as_secs_f64(), report.time.as_secs_f64());
        push(
            out,
            format_args!("\nafter {all:.1} s, with + what came in the last {recent:.1} s\n"),
        );
    }
    let all: u128 = report.processes.iter().map(moved).sum();
    let is_large = |growth: &&Growth| moved(growth) * 100 >= all;
    let (mut first, mut rest): (Vec<&Growth>, Vec<&Growth>) =
        report.processes.iter().partition(is_large);
    rest.extend(first.split_off(first.len().min(PROCESSES)));
    let rows = (ROWS / first.len().max(1)).max(LEAST_ROWS);
    for growth in &first {
        self::growth(growth, rows, outside, out);
    }
    if !rest.is_empty() {
        let grown: i64 = rest.iter().map(|growth| grown(growth)).sum();
        let verb = if grown >= 0 { "grew" } else { "shrank" };
        let by = size(grown.unsigned_abs());
        push(
            out,
            format_args!("{} more {verb} by {by}\n", processes(&rest)),
        );
    }
    if report.processes.is_empty() {
        out.extend_from_slice(b"no process has grown\n");
    }
    if report.others > 0 {
        let touched = size(report.others);
        push(
            out,
            format_args!("not in this: {touched} that processes touched that are not followed\n"),
        );
    }
}

/// How many they are: `3 processes`.
fn processes(all: &[&Growth]) -> String {
    match all.iter().map(|growth| growth.processes).sum::<u32>() {
        1 => "1 process".to_owned(),
        many => format!("{many} processes"),
    }
}

/// By how much it has grown.
fn grown(growth: &Growth) -> i64 {
    growth.after as i64 - growth.before as i64
}

/// How much of its memory came, went, or both.
fn moved(growth: &Growth) -> u128 {
    grown(growth).unsigned_abs().max(growth.returned).into()
}

/// Appends what one process has grown by, or those of a name.
fn growth(growth: &Growth, most: usize, outside: Outside, out: &mut Vec<u8>) {
    if let Some(why) = &growth.unseen {
        let part = if growth.processes > 1 { "in part " } else { "" };
        push(
            out,
            format_args!("{part}by page faults alone, since {why}:\n"),
        );
    }
    match growth.comm.is_empty() {
        true => out.extend_from_slice(b"?"),
        false => outside(&growth.comm, Keep::Nothing, out),
    }
    match growth.processes {
        1 => push(out, format_args!(" ({})", growth.process)),
        many => push(out, format_args!(" ({many} processes)")),
    }
    let grown = grown(growth);
    let verb = if grown >= 0 { "grew" } else { "shrank" };
    push(
        out,
        format_args!(
            " {verb} by {} in {:.1} s ({} → {} resident)",
            size(grown.unsigned_abs()),
            growth.time.as_secs_f64(),
            size(growth.before),
            size(growth.after),
        ),
    );
    if let Some(recent) = growth.recent {
        push(out, format_args!(", {} of it now", signed(recent)));
    }
    if growth.returned > 0 {
        push(
            out,
            format_args!("; {} more came and went", size(growth.returned)),
        );
    }
    out.push(b'\n');
    let all: u64 = growth.parts.iter().map(|part| part.bytes).sum();
    let (rows, unexplained) = merged(&growth.parts, outside);
    let widest = rows.iter().map(|row| row.kind.name().len()).max();
    let columns = Columns {
        all,
        kind: widest.unwrap_or(0).max(6),
        recent: growth.recent.is_some(),
    };
    let comes_and_goes = growth.returned > all;
    let (most, stayed) = match comes_and_goes {
        true => (most, most.min(LESS_ROWS)),
        false => (most, most),
    };
    let large = rows
        .iter()
        .take(stayed)
        .take_while(|row| percent(row.bytes, all) > 0)
        .count();
    let (large, small) = rows.split_at(large);
    if comes_and_goes {
        let what = "that came and went";
        push(
            out,
            format_args!("of the {} {what}\n", size(growth.returned)),
        );
        by_payer(growth, &growth.returned_by, most, outside, out);
        push(out, format_args!("of the {} that stayed\n", size(all)));
    }
    for row in large {
        let mut what = row.file.clone();
        if !what.is_empty() {
            what.extend_from_slice(b"  ");
        }
        what.extend_from_slice(&row.by);
        columns.row((row.bytes, row.recent), row.kind.name(), &what, out);
        columns.makers(row.mover, growth, outside, out);
    }
    if !small.is_empty() {
        let bytes = small.iter().map(|row| row.bytes).sum();
        let recent = small.iter().map(|row| row.recent).sum();
        let what = format!("{} smaller ones", small.len());
        columns.row((bytes, recent), "", what.as_bytes(), out);
    }
    if unexplained.0 > 0 {
        columns.row(unexplained, "", b"not explained", out);
    }
    if growth.sample > 1 {
        push(
            out,
            format_args!(
                "  so many were touched that one in {} was looked at: sizes are exact, shares nearly\n",
                growth.sample
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
    if !growth.allocated_by.is_empty() {
        let allocated = size(sum(&growth.allocated_by));
        push(
            out,
            format_args!("of the {allocated} that were allocated and not freed\n"),
        );
        by_payer(growth, &growth.allocated_by, stayed, outside, out);
    }
}

/// Appends rows of bytes of a process by whose they are, those of a percent or more.
fn by_payer(
    growth: &Growth,
    parts: &[(u64, Value)],
    most: usize,
    outside: Outside,
    out: &mut Vec<u8>,
) {
    let mut rows: HashMap<Vec<u8>, (u64, Option<&Collector>)> = HashMap::new();
    for (bytes, by) in parts {
        let mut what = Vec::new();
        let mover = whose(by, outside, &mut what);
        rows.entry(what).or_insert((0, mover)).0 += bytes;
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by(|(a, first), (b, second)| (second.0, a).cmp(&(first.0, b)));
    let all = sum(parts);
    let columns = Columns {
        all,
        kind: 6,
        recent: false,
    };
    let large = rows.iter().take(most);
    for (what, (bytes, mover)) in large.take_while(|(_, row)| percent(row.0, all) > 0) {
        columns.row((*bytes, 0), "", what, out);
        columns.makers(*mover, growth, outside, out);
    }
}

/// All bytes.
fn sum(parts: &[(u64, Value)]) -> u64 {
    parts.iter().map(|(bytes, _)| bytes).sum()
}

/// How rows are laid out.
struct Columns {
    /// Bytes that are all of it.
    all: u64,
    /// Characters for the kind of memory.
    kind: usize,
    /// Whether there is what came since the last time.
    recent: bool,
}

impl Columns {
    /// Appends a row: bytes and what they are a part of, how many came since the last time, the kind of memory, and whose it is.
    fn row(&self, (bytes, recent): (u64, i64), kind: &str, what: &[u8], out: &mut Vec<u8>) {
        let (percent, size) = (percent(bytes, self.all), size(bytes));
        push(out, format_args!("  {percent:>3} %  {size:>9}  "));
        if self.recent {
            let recent = if recent == 0 {
                String::new()
            } else {
                signed(recent)
            };
            push(out, format_args!("{recent:>10}  "));
        }
        push(out, format_args!("{kind:<width$}  ", width = self.kind));
        out.extend_from_slice(what);
        out.truncate(out.trim_ascii_end().len());
        out.push(b'\n');
    }

    /// Appends below what a collector has moved who made objects in fresh memory.
    fn makers(
        &self,
        mover: Option<&Collector>,
        growth: &Growth,
        outside: Outside,
        out: &mut Vec<u8>,
    ) {
        let recent = if self.recent { 12 } else { 0 };
        for (percent, what) in mover
            .map(|mover| mover.makers(growth, outside))
            .unwrap_or_default()
        {
            let indent = 20 + recent + self.kind;
            push(
                out,
                format_args!("{:indent$}{percent:>3} % of new ones are made by  ", ""),
            );
            out.extend_from_slice(&what);
            out.push(b'\n');
        }
    }
}

/// More bytes or fewer: `+3.1 MiB`.
fn signed(bytes: i64) -> String {
    let sign = if bytes < 0 { '-' } else { '+' };
    format!("{sign}{}", size(bytes.unsigned_abs()))
}

/// How many of a hundred, rounded.
fn percent(bytes: u64, all: u64) -> u64 {
    let (bytes, all) = (u128::from(bytes), u128::from(all));
    let percent = (bytes * 100 + all / 2).checked_div(all);
    percent.unwrap_or(0) as u64
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
    use crate::results::{Frame, GrowthPart, MemoryKind, Stack};
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
            recent: None,
            kind,
            file: file.map(Box::from),
            by,
        }
    }

    fn shown(of: &Growth) -> String {
        let mut out = Vec::new();
        let report = GrowthReport {
            processes: vec![of.clone()],
            time: of.time,
            ..GrowthReport::default()
        };
        super::report(&report, escaped, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn grown(parts: Vec<GrowthPart>) -> Growth {
        let all: u64 = parts.iter().map(|part| part.bytes).sum();
        Growth {
            process: 12,
            processes: 1,
            recent: None,
            sample: 1,
            comm: b"a\x1bb".to_vec(),
            time: Duration::from_millis(30_060),
            before: 3 << 20,
            after: (3 << 20) + all,
            gone: 0,
            returned: 0,
            returned_by: Vec::new(),
            allocated_by: Vec::new(),
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
        growth.after -= growth.gone;
        let expected = "\
a\\x1bb (12) grew by 199.0 MiB in 30.1 s (3.0 MiB → 202.0 MiB resident); 5 KiB more came and went
   50 %  100.0 MiB  heap    add ← main
   25 %   50.0 MiB  copied  /lib/x\\x0a  init
   25 %   50.0 MiB          not explained
  1.0 MiB of what was there before was given back
";
        assert_eq!(shown(&growth), expected);
    }

    #[test]
    fn a_file_is_one_row_and_who_reads_half_of_it_is_named() {
        let file = |mib, name: &'static [u8], by: &[&str]| {
            part(mib, MemoryKind::File, Some(name), stack(by))
        };
        let text = shown(&grown(vec![
            file(60, b"/data", &["read_all", "main"]),
            file(20, b"/data", &["check", "main"]),
            file(5, b"/lib", &["a"]),
            file(5, b"/lib", &["b"]),
            file(5, b"/lib", &["c"]),
            file(5, b"/other", &["a"]),
        ]));
        let expected = "\
   80 %   80.0 MiB  file    /data  read_all ← main
   15 %   15.0 MiB  file    /lib  3 stacks
    5 %    5.0 MiB  file    /other  a
";
        assert!(text.ends_with(expected), "{text}");
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
        let deep: Vec<&str> = ["f", "g"].into_iter().cycle().take(30).collect();
        let text = shown(&grown(vec![part(1, MemoryKind::Heap, None, stack(&deep))]));
        assert!(text.ends_with(" ← g ← …\n"), "{text}");
        // What calls itself is there once, however deep it went.
        let again = |times| {
            part(
                1,
                MemoryKind::Heap,
                None,
                stack(&[&["f"; 9][..times], &["main"]].concat()),
            )
        };
        let text = shown(&grown(vec![again(9), again(2)]));
        assert!(
            text.ends_with("  100 %    2.0 MiB  heap    f ← main\n"),
            "{text}"
        );
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
of the 100.0 MiB that came and went
   70 %   70.0 MiB          a ← main
   30 %   30.0 MiB          5
of the 1.0 MiB that stayed
  100 %    1.0 MiB  heap    3
";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn several_processes_are_a_screenful_too() {
        let row = |row| part(1, MemoryKind::File, None, Some(Value::Int(row)));
        let mut processes: Vec<Growth> = (0..9).map(|_| grown((0..9).map(row).collect())).collect();
        processes[0].processes = 40;
        processes.push(Growth {
            parts: Vec::new(),
            after: 3 << 20,
            ..processes[1].clone()
        });
        let report = GrowthReport {
            processes,
            others: 5 << 20,
            ..GrowthReport::default()
        };
        let mut out = Vec::new();
        super::report(&report, escaped, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().count() < 35, "{text}");
        assert!(
            text.starts_with("a\\x1bb (40 processes) grew by 9.0 MiB in "),
            "{text}"
        );
        let end = "\
4 processes more grew by 27.0 MiB
not in this: 5.0 MiB that processes touched that are not followed
";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn a_print_says_what_came_since_the_last() {
        let mut heap = part(8, MemoryKind::Heap, None, stack(&["add", "main"]));
        heap.recent = Some(3 << 20);
        let mut stacks = part(2, MemoryKind::ThreadStack, None, Some(Value::Int(3)));
        stacks.recent = Some(0);
        let mut growth = grown(vec![heap, stacks]);
        growth.recent = Some(3 << 20);
        let report = GrowthReport {
            processes: vec![growth],
            time: Duration::from_secs(300),
            recent: Some(Duration::from_secs(60)),
            others: 0,
        };
        let mut out = Vec::new();
        super::report(&report, escaped, &mut out);
        let expected = "
after 300.0 s, with + what came in the last 60.0 s
a\\x1bb (12) grew by 10.0 MiB in 30.1 s (3.0 MiB → 13.0 MiB resident), +3.0 MiB of it now
   80 %    8.0 MiB    +3.0 MiB  heap          add ← main
   20 %    2.0 MiB              thread stack  3
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn what_nobody_could_see_is_said_first() {
        let mut growth = grown(Vec::new());
        growth.unseen = Some("it was gone".into());
        assert!(shown(&growth).starts_with("by page faults alone, since it was gone:\n"));
        growth.processes = 2;
        assert!(shown(&growth).starts_with("in part by page faults alone, since it was gone:\n"));
    }
}
