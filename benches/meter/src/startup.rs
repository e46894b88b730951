//! From nothing to the end of a script that leaves at once: wall time, processor time and peak memory.

use crate::Bench;
use crate::contender::Contender;
use crate::process::{self, Usage, median};
use crate::table::{Table, ratio};
use std::process::{Command, Stdio};

const SCRIPTS: [(&str, &str); 2] = [
    (
        "start-up, faults one-liner",
        "software:page-faults:1 { @[ustack, pid, comm] = count(); } BEGIN { exit(); }",
    ),
    ("start-up, BEGIN { exit(); }", "BEGIN { exit(); }"),
];

pub fn measure(bench: &Bench) -> Result<(), String> {
    for (title, script) in SCRIPTS {
        compare(bench, title, script)?;
    }
    Ok(())
}

fn compare(bench: &Bench, title: &str, script: &str) -> Result<(), String> {
    let script = ["-e", script];
    let floor = ["stat", "true"];
    let contenders: Vec<(&str, &Contender, &[&str])> = [
        ("pfscript", &bench.pfscript, script.as_slice()),
        ("bpftrace", &bench.bpftrace, script.as_slice()),
        ("perf stat true", &bench.perf, floor.as_slice()),
    ]
    .into_iter()
    .filter(|(_, contender, _)| contender.installed())
    .collect();

    let mut usages: Vec<Vec<Usage>> = vec![Vec::new(); contenders.len()];
    let mut nothing = Vec::new();
    for _ in 0..bench.rounds {
        for ((_, contender, arguments), usages) in contenders.iter().zip(&mut usages) {
            let mut command = contender.command(arguments);
            usages.push(process::run(
                command.stdout(Stdio::null()).stderr(Stdio::null()),
            )?);
        }
        nothing.push(process::run(&mut Command::new("true"))?);
    }

    let mut table = Table::new(title, &["wall ms", "cpu ms", "peak MiB"]);
    let mut figures = Vec::new();
    for ((name, ..), usages) in contenders.iter().zip(&usages) {
        let medians = medians(usages);
        figures.push((*name, medians));
        table.row(name, cells(medians));
    }
    table.row("true, the floor here", cells(medians(&nothing)));
    let of = |name| {
        figures
            .iter()
            .find(|figure| figure.0 == name)
            .map(|figure| figure.1)
    };
    match (of("pfscript"), of("bpftrace")) {
        (Some(ours), Some(theirs)) => {
            table.row(
                "pfscript / bpftrace",
                (0..3).map(|column| ratio(ours[column], theirs[column])),
            );
            table.row(
                "target",
                ["0.100".to_owned(), String::new(), "0.100".to_owned()],
            );
        }
        _ => table.row("bpftrace", ["not installed".to_owned()]),
    }
    table.print();
    Ok(())
}

/// Wall and processor time in ms, peak in MiB.
fn medians(usages: &[Usage]) -> [f64; 3] {
    let of = |figure: fn(&Usage) -> f64| median(usages.iter().map(figure).collect());
    [
        of(|usage| usage.wall.as_secs_f64() * 1e3),
        of(|usage| usage.cpu.as_secs_f64() * 1e3),
        of(|usage| usage.peak_kib as f64 / 1024.0),
    ]
}

fn cells(figures: [f64; 3]) -> [String; 3] {
    figures.map(|figure| format!("{figure:.1}"))
}
