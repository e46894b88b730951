//! What is resident at a moment, as a text: of one process a line, of more a table, and how each came to it as a row of bars.

use super::form::{Outside, push};
use crate::results::{MachineMemory, Memory, MemoryBytes, MemoryRow};
use pfscript_grammar::escape::Keep;

/// From the least to the most.
const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// After so many lines of one process, the names of the columns are printed again.
const LINES: u64 = 20;

/// Characters of a name that are shown.
const NAME: usize = 15;

/// To the upper left corner of a terminal, and, behind the text, what is below is cleared.
const HOME: &[u8] = b"\x1b[H";
const CLEAR_LINE: &[u8] = b"\x1b[K\n";
const CLEAR_BELOW: &[u8] = b"\x1b[J";

/// Appends the text.
pub fn memory(memory: &Memory, outside: Outside, out: &mut Vec<u8>) {
    match &memory.machine {
        None => of_process(memory, out),
        Some(machine) => {
            let start = out.len();
            of_all(memory, machine, outside, out);
            if memory.live {
                let text = out.split_off(start);
                out.extend_from_slice(HOME);
                for line in text.split_inclusive(|byte| *byte == b'\n') {
                    out.extend_from_slice(line.trim_ascii_end());
                    out.extend_from_slice(CLEAR_LINE);
                }
                out.extend_from_slice(CLEAR_BELOW);
            } else {
                out.push(b'\n');
            }
        }
    }
}

/// A line, and sometimes the columns' names before it.
fn of_process(memory: &Memory, out: &mut Vec<u8>) {
    let Some(row) = memory.rows.first() else {
        return;
    };
    if memory.number.is_multiple_of(LINES) {
        push(out, format_args!("{:<8}", "TIME"));
        columns(out);
    }
    out.extend_from_slice(&memory.time);
    sizes(row, out);
}

/// As `free` shows it, and the processes below.
fn of_all(memory: &Memory, machine: &MachineMemory, outside: Outside, out: &mut Vec<u8>) {
    out.extend_from_slice(&memory.time);
    for name in ["total", "used", "free", "shared", "buff/cache", "available"] {
        push(out, format_args!("{name:>11}"));
    }
    let line = |name: &str, numbers: &[u64], out: &mut Vec<u8>| {
        push(out, format_args!("\n{name:<8}"));
        for number in numbers {
            push(out, format_args!("{:>11}", size(*number)));
        }
    };
    let used = machine.total.saturating_sub(machine.available);
    line(
        "Mem:",
        &[
            machine.total,
            used,
            machine.free,
            machine.shared,
            machine.cached,
            machine.available,
        ],
        out,
    );
    let used = machine.swap_total.saturating_sub(machine.swap_free);
    line("Swap:", &[machine.swap_total, used, machine.swap_free], out);
    push(out, format_args!("\n\n{:>7} {:<NAME$}", "PID", "COMM"));
    columns(out);
    for row in &memory.rows {
        match row.process {
            Some(pid) => push(out, format_args!("{pid:>7} ")),
            None => push(out, format_args!("{:>7} ", "cgroup")),
        }
        let mut name = Vec::new();
        outside(&row.name, Keep::Nothing, &mut name);
        let name = String::from_utf8_lossy(&name);
        // Of a path, the end tells more.
        let skipped = name.chars().count().saturating_sub(NAME);
        let name: String = name.chars().skip(skipped).collect();
        push(out, format_args!("{name:<NAME$}"));
        sizes(row, out);
    }
    if memory.others > 0 {
        push(out, format_args!("{:>7} more\n", memory.others));
    }
}

/// The names of the columns of [`sizes`].
fn columns(out: &mut Vec<u8>) {
    for name in ["RSS", "ANON", "FILE", "SHMEM", "SWAP"] {
        push(out, format_args!("{name:>7}"));
    }
    out.push(b'\n');
}

/// What a row has, and how it came to that.
fn sizes(row: &MemoryRow, out: &mut Vec<u8>) {
    let MemoryBytes {
        anonymous,
        file,
        shared,
        swap,
    } = row.now;
    for bytes in [row.now.resident(), anonymous, file, shared, swap] {
        push(out, format_args!("{:>7}", size(bytes)));
    }
    out.extend_from_slice(b"  ");
    bars(&row.history, out);
    out.push(b'\n');
}

/// A bar for each number, from the least to the most; where these are within 2 %, small differences stay small.
fn bars(numbers: &[u64], out: &mut Vec<u8>) {
    let (Some(least), Some(most)) = (numbers.iter().min(), numbers.iter().max()) else {
        return;
    };
    let range = (most - least).max(most / 50).max(1);
    for number in numbers {
        let height = u128::from(number - least) * 7 / u128::from(range);
        out.extend_from_slice(BARS[height as usize & 7].as_bytes());
    }
}

/// Four digits and a unit of 1024s, as `free -h`.
fn size(bytes: u64) -> String {
    let mut number = bytes as f64 / 1024.0;
    let mut units = ["K", "M", "G", "T"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    while number >= 1000.0
        && let Some(next) = units.next()
    {
        number /= 1024.0;
        unit = next;
    }
    let decimals = match number {
        _ if unit == "K" => 0,
        ..10.0 => 3,
        ..100.0 => 2,
        ..1000.0 => 1,
        _ => 0,
    };
    format!("{number:.decimals$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::text::escaped;

    fn row(process: Option<u32>, name: &str, history: &[u64]) -> MemoryRow {
        MemoryRow {
            process,
            name: name.into(),
            now: MemoryBytes {
                anonymous: 3 << 20,
                file: 1 << 20,
                shared: 0,
                swap: 5 << 10,
            },
            history: history.to_vec(),
        }
    }

    fn sample(machine: Option<MachineMemory>, rows: Vec<MemoryRow>) -> Memory {
        Memory {
            time: b"16:50:01".to_vec(),
            number: 0,
            live: false,
            machine,
            rows,
            others: 0,
        }
    }

    fn shown(sample: &Memory) -> String {
        let mut out = Vec::new();
        memory(sample, escaped, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_process_is_a_line() {
        let mut sample = sample(None, vec![row(Some(5), "x", &[0, 1 << 20, 4 << 20])]);
        let line = "16:50:01 4.000M 3.000M 1.000M     0K     5K  ▁▂█\n";
        let names = "TIME        RSS   ANON   FILE  SHMEM   SWAP\n";
        assert_eq!(shown(&sample), format!("{names}{line}"));
        sample.number = 1;
        assert_eq!(shown(&sample), line);
    }

    #[test]
    fn more_are_a_table_with_what_the_machine_has() {
        let machine = MachineMemory {
            total: 8 << 30,
            free: 1 << 30,
            available: 2 << 30,
            ..MachineMemory::default()
        };
        let rows = vec![
            row(None, "/a/long/path/of/a.service", &[9]),
            row(Some(5), "a\x1b[Jb", &[9, 9]),
        ];
        let mut sample = sample(Some(machine), rows);
        sample.others = 3;
        let text = shown(&sample);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1],
            "Mem:         8.000G     6.000G     1.000G         0K         0K     2.000G"
        );
        assert_eq!(
            lines[5..8],
            [
                " cgroup th/of/a.service 4.000M 3.000M 1.000M     0K     5K  ▁",
                "      5 a\\x1b[Jb        4.000M 3.000M 1.000M     0K     5K  ▁▁",
                "      3 more",
            ]
        );
        assert!(
            lines.iter().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        sample.live = true;
        let live = shown(&sample);
        assert!(live.starts_with("\x1b[H16:50:01") && live.ends_with("more\x1b[K\n\x1b[J"));
    }

    #[test]
    fn sizes_have_four_digits() {
        for (bytes, text) in [
            (0, "0K"),
            (999 << 10, "999K"),
            (1000 << 10, "0.977M"),
            (12_345 << 10, "12.06M"),
            (1234 << 20, "1.205G"),
            (150 << 40, "150.0T"),
            (u64::MAX, "16777216T"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn what_hardly_changes_is_flat() {
        let mut out = Vec::new();
        bars(&[1000, 1001, 1002], &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "▁▁▁");
    }
}
