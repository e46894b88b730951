//! Very many keys and very many lines: how long they take, and what gets lost.

use crate::Bench;
use crate::process::{self, Usage, median};
use crate::table::{Table, ratio};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const KEYS: u64 = 262_144;
const LINES: u64 = 1_000_000;

/// The workload under a name of its own. It closes descriptors that are not open, from 1,000,000 upwards.
const WORKLOAD: &str = "bench_keys";

const KEYS_SCRIPT: &str = "config = { max_map_keys = 300000 }
tracepoint:syscalls:sys_enter_close /comm == \"bench_keys\" && args.fd >= 1000000/ { @[args.fd] = count(); }";
const PRINTF_SCRIPT: &str =
    "tracepoint:syscalls:sys_enter_close /comm == \"bench_keys\" && args.fd >= 1000000/ {
    printf(\"%s %d closes %d\\n\", comm, pid, args.fd);
}";

/// One run under a tracer.
struct Run {
    usage: Usage,
    /// Events that its output tells of.
    delivered: u64,
    /// Events that it says are missing.
    reported: u64,
}

/// The columns, with what becomes of an event.
fn columns(arrived: &'static str) -> [&'static str; 6] {
    [
        "s beyond it",
        "cpu s",
        "peak MiB",
        arrived,
        "lost",
        "reported lost",
    ]
}

pub fn keys(bench: &Bench) -> Result<(), String> {
    let (bare, runs) = compare(bench, KEYS_SCRIPT, KEYS, |line| {
        line.strip_prefix("@[1")
            .and_then(|rest| rest.split_once("]: ")?.1.parse().ok())
    })?;
    let title = format!("{KEYS} distinct keys; the workload alone: {bare:.2} s");
    let mut table = Table::new(&title, &columns("counted"));
    print(bench, &mut table, bare, &runs, KEYS, "0.055");
    Ok(())
}

pub fn printf(bench: &Bench) -> Result<(), String> {
    let (bare, runs) = compare(bench, PRINTF_SCRIPT, LINES, |line| {
        line.contains(" closes ").then_some(1)
    })?;
    let title = format!("{LINES} printf events; the workload alone: {bare:.2} s");
    let mut table = Table::new(&title, &columns("delivered"));
    print(bench, &mut table, bare, &runs, LINES, "");
    Ok(())
}

type Runs = BTreeMap<&'static str, Vec<Run>>;

/// Runs the workload alone and under each tracer; `count` says how many events a line of output tells of.
fn compare(
    bench: &Bench,
    script: &str,
    events: u64,
    count: fn(&str) -> Option<u64>,
) -> Result<(f64, Runs), String> {
    let workload = bench.workload(WORKLOAD);
    std::fs::copy(bench.workload("static/keys"), &workload)
        .map_err(|error| format!("{workload}: {error}"))?;
    let (output, errors) = (bench.scratch.join("output"), bench.scratch.join("errors"));
    let mut bare = Vec::new();
    let mut runs = Runs::new();
    for _ in 0..bench.rounds.div_ceil(5) {
        let mut alone = Command::new(&workload);
        let usage = process::run(alone.arg(events.to_string()).stdout(Stdio::null()))?;
        bare.push(usage.wall.as_secs_f64());
        for tracer in [&bench.pfscript, &bench.bpftrace] {
            if !tracer.installed() {
                continue;
            }
            let create = |path: &Path| {
                File::create(path).map_err(|error| format!("{}: {error}", path.display()))
            };
            let mut command =
                tracer.command(&["-e", script, "-c", &format!("{workload} {events}")]);
            command.stdout(create(&output)?).stderr(create(&errors)?);
            let usage = process::run(&mut command)?;
            let run = Run {
                usage,
                delivered: total(&output, count)?,
                reported: total(&output, lost)? + total(&errors, lost)?,
            };
            runs.entry(tracer.name).or_default().push(run);
        }
    }
    Ok((median(bare), runs))
}

/// The sum of what `count` makes of each line.
fn total(path: &Path, count: fn(&str) -> Option<u64>) -> Result<u64, String> {
    let explain = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut reader = BufReader::new(File::open(path).map_err(explain)?);
    let mut line = Vec::new();
    let mut sum = 0;
    while reader.read_until(b'\n', &mut line).map_err(explain)? > 0 {
        sum += count(String::from_utf8_lossy(&line).trim_end()).unwrap_or(0);
        line.clear();
    }
    Ok(sum)
}

/// The number in a message such as "Lost 12 events" or "WARNING: lost 12 events of …".
fn lost(line: &str) -> Option<u64> {
    let mut words = line
        .split_whitespace()
        .skip_while(|word| !word.eq_ignore_ascii_case("lost"));
    words.nth(1)?.parse().ok()
}

fn print(bench: &Bench, table: &mut Table, bare: f64, runs: &Runs, events: u64, target: &str) {
    let mut beyond = Vec::new();
    for tracer in [&bench.pfscript, &bench.bpftrace] {
        let Some(runs) = runs.get(tracer.name) else {
            table.row(tracer.name, ["not installed".to_owned()]);
            continue;
        };
        let of = |figure: fn(&Run) -> f64| median(runs.iter().map(figure).collect());
        let time = of(|run| run.usage.wall.as_secs_f64()) - bare;
        let delivered = of(|run| run.delivered as f64);
        beyond.push(time);
        table.row(
            tracer.name,
            [
                format!("{time:.2}"),
                format!("{:.2}", of(|run| run.usage.cpu.as_secs_f64())),
                format!("{:.1}", of(|run| run.usage.peak_kib as f64 / 1024.0)),
                format!("{delivered:.0}"),
                format!("{:.0}", events as f64 - delivered),
                format!("{:.0}", of(|run| run.reported as f64)),
            ],
        );
    }
    if let [ours, theirs] = beyond[..] {
        table.row("pfscript / bpftrace", [ratio(ours, theirs)]);
    }
    let same = "= lost".to_owned();
    table.row(
        "target",
        [
            target.to_owned(),
            String::new(),
            String::new(),
            events.to_string(),
            "0".to_owned(),
            same,
        ],
    );
    table.print();
}
