//! How long compiling takes by the number of statements: linear means the same for each of them, however many there are.

use crate::Bench;
use crate::process::{self, median};
use crate::table::{Table, ratio};
use std::process::Stdio;

const STATEMENTS: [usize; 3] = [1_000, 4_000, 10_000];

/// A statement by its number.
type Statement = fn(usize) -> String;

const KINDS: [(&str, Statement); 3] = [
    ("assignments to maps", |number| {
        format!("@m[{number}] = {number};\n")
    }),
    ("printf", |number| format!("printf(\"%d\\n\", {number});\n")),
    ("probes", |number| format!("}} END {{ @p[{number}] = 1;\n")),
];

/// `--check` of scripts of several lengths.
pub fn measure(bench: &Bench) -> Result<(), String> {
    let columns = ["1,000: µs each", "4,000", "10,000", "10,000 / 1,000"];
    let mut table = Table::new("compiling, by statements", &columns);
    for (name, statement) in KINDS {
        let mut each = Vec::new();
        for count in STATEMENTS {
            // Attach points are bounded, so that there are fewer probes than statements.
            let count = if name == "probes" { count / 10 } else { count };
            each.push(one(bench, statement, count)? / count as f64);
        }
        let last = each.last().copied().unwrap_or(0.0);
        let mut cells: Vec<String> = each.iter().map(|us| format!("{us:.2}")).collect();
        cells.push(ratio(last, each[0]));
        table.row(name, cells);
    }
    table.print();
    Ok(())
}

/// What a script of so many statements takes beyond an empty one, in microseconds of processor time.
fn one(bench: &Bench, statement: Statement, count: usize) -> Result<f64, String> {
    let path = bench.scratch.join("statements.pf");
    let mut times = Vec::new();
    for _ in 0..bench.rounds.div_ceil(3) {
        let mut micros = [0.0; 2];
        for (micros, count) in micros.iter_mut().zip([0, count]) {
            let body: String = (0..count).map(statement).collect();
            std::fs::write(&path, format!("BEGIN {{\n{body}}}\n"))
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let file = path.display().to_string();
            let mut command = bench.pfscript.command(&["--check", &file]);
            let usage = process::run(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
            *micros = usage.cpu.as_secs_f64() * 1e6;
        }
        times.push(micros[1] - micros[0]);
    }
    Ok(median(times))
}
