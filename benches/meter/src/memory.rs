//! What it costs a program to be asked why its memory grows, and what the tracer itself needs for that.

use crate::Bench;
use crate::process::{self, Usage, median};
use crate::table::{Table, ratio};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Pages that the program touches, as fast as it can.
const PAGES: u32 = 1_000_000;

/// Faults a second, of a program that is busy growing.
const RATE: f64 = 100_000.0;

/// The most of its time that tracing may take such a program, and the most that the tracer may have resident, in MiB.
const TARGET: (&str, &str) = ("4.0", "64");

/// How long a tracer that does not say when it has attached gets to do so.
const TIME_TO_ATTACH: Duration = Duration::from_secs(1);

pub fn measure(bench: &Bench) -> Result<(), String> {
    let script = "software:page-faults:1 { @[ustack, pid, comm] = count(); }";
    // Gigabytes in a file would take the memory that others are measured with.
    let data = "/dev/null";
    let record = [
        "record",
        "-q",
        "-e",
        "page-faults:u",
        "-c",
        "1",
        "--call-graph",
        "dwarf",
        "-o",
        data,
    ];
    let (pfscript, bpftrace, perf) = (&bench.pfscript, &bench.bpftrace, &bench.perf);
    let mut contenders: Vec<(&str, Option<Command>)> = vec![
        ("nothing", None),
        ("pfscript rssgrow", Some(pfscript.command(&["rssgrow"]))),
        ("pfscript faults", Some(pfscript.command(&["faults"]))),
        (
            "pfscript faults.bt",
            Some(pfscript.command(&["-e", script])),
        ),
    ];
    if bpftrace.installed() {
        contenders.push((
            "bpftrace faults.bt",
            Some(bpftrace.command(&["-e", script])),
        ));
    }
    if perf.installed() {
        contenders.push(("perf, dwarf", Some(perf.command(&record))));
    }
    let rounds = bench.rounds.div_ceil(5);
    let mut taken: Vec<(Vec<f64>, Vec<Usage>)> = vec![Default::default(); contenders.len()];
    for _ in 0..rounds {
        for ((name, command), (cpu, tracers)) in contenders.iter_mut().zip(&mut taken) {
            let (program, tracer) = grow(bench, name, command.as_mut())?;
            cpu.push(program.cpu.as_secs_f64());
            tracers.extend(tracer);
        }
    }
    let title = format!("{PAGES} pages of new memory");
    let share = format!("% at {RATE}/s");
    let mut table = Table::new(
        &title,
        &[
            "cpu s",
            "/ nothing",
            "ns a page",
            &share,
            "tracer's cpu s",
            "MiB",
        ],
    );
    let alone = median(taken[0].0.clone());
    for ((name, _), (cpu, tracers)) in contenders.iter().zip(&taken) {
        let cpu = median(cpu.clone());
        let added = (cpu - alone).max(0.0) / f64::from(PAGES);
        let of_tracer = |of: fn(&Usage) -> f64| match tracers.is_empty() {
            true => String::new(),
            false => format!("{:.2}", median(tracers.iter().map(of).collect())),
        };
        table.row(
            name,
            [
                format!("{cpu:.3}"),
                ratio(cpu, alone),
                format!("{:.0}", added * 1e9),
                format!("{:.1}", added * RATE * 100.0),
                of_tracer(|usage| usage.cpu.as_secs_f64()),
                of_tracer(|usage| usage.peak_kib as f64 / 1024.0),
            ],
        );
    }
    let (share, mib) = TARGET;
    let empty = String::new;
    table.row(
        "target of rssgrow",
        [
            empty(),
            empty(),
            empty(),
            share.to_owned(),
            empty(),
            mib.to_owned(),
        ],
    );
    table.print();
    Ok(())
}

/// Lets a program grow under a tracer that has attached to it; what both took.
fn grow(
    bench: &Bench,
    name: &str,
    tracer: Option<&mut Command>,
) -> Result<(Usage, Option<Usage>), String> {
    let failed = |error: std::io::Error| format!("{name}: {error}");
    let mut shell = Command::new("sh");
    // It becomes the program when it has read a line.
    let program = bench.workload("static/anon2mmap");
    shell.args(["-c", &format!("read line; exec {program} {PAGES}")]);
    shell.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut growing = shell.spawn().map_err(failed)?;
    let process = growing.id().to_string();
    let begun = Instant::now();
    let tracing = match tracer {
        Some(tracer) => Some(attach(name, clone_of(tracer).args(["-p", &process]))?),
        None => None,
    };
    if let Some(mut input) = growing.stdin.take() {
        input.write_all(b"\n").map_err(failed)?;
    }
    let (status, program) = process::wait(growing, begun).map_err(failed)?;
    if status != 0 {
        return Err(format!(
            "{name}: the program ended with wait status {status:#x}"
        ));
    }
    let tracer = match tracing {
        Some(tracing) => Some(process::wait(tracing, begun).map_err(failed)?.1),
        None => None,
    };
    Ok((program, tracer))
}

/// The same command once more, without what was added to it before.
fn clone_of(command: &Command) -> Command {
    let mut clone = Command::new(command.get_program());
    clone.args(command.get_args()).stdin(Stdio::null());
    clone
}

/// Starts a tracer, and waits until it has attached.
fn attach(name: &str, command: &mut Command) -> Result<Child, String> {
    let failed = |error: std::io::Error| format!("{name}: {error}");
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let Some(errors) = child.stderr.take() else {
        return Ok(child);
    };
    let mut lines = BufReader::new(errors).lines();
    if name.starts_with("perf") {
        thread::sleep(TIME_TO_ATTACH);
    } else if !lines.any(|line| line.is_ok_and(|line| line.starts_with("Attach"))) {
        return Err(format!("{name} did not attach"));
    }
    // Whoever writes must have a reader.
    thread::spawn(move || lines.for_each(drop));
    if name.starts_with("bpftrace") {
        // It says so before it begins.
        thread::sleep(TIME_TO_ATTACH);
    }
    Ok(child)
}
