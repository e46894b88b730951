//! What whole stacks cost: the traced program, memory for tables, the time until the tracer is ready, and until names are there.

use crate::Bench;
use crate::events;
use crate::process::{self, Usage, median};
use crate::table::{Table, ratio};
use aya::sys::{Stats, enable_stats};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Pages that the program touches whose slowdown is measured, from below so many frames.
const PAGES: &str = "100000";
const FRAMES: &str = "20";

/// Different stacks that are named, of some 40 frames each.
const STACKS: &str = "10000";

/// Processes that run when tracing begins.
const PROCESSES: usize = 500;

/// How long a tracer that is not asked whether it runs gets to begin.
const TIME_TO_BEGIN: Duration = Duration::from_secs(1);

pub fn measure(bench: &Bench) -> Result<(), String> {
    slowdown(bench)?;
    tables(bench)?;
    readiness(bench)?;
    naming(bench)
}

/// Processor time of a program that faults, alone and under tracers of all processes.
fn slowdown(bench: &Bench) -> Result<(), String> {
    let script =
        |stack: &str| format!("software:page-faults:1 {{ @[{stack}, pid, comm] = count(); }}");
    let (by_tables, linked) = (script("ustack"), script("ustack(fp)"));
    let data = bench.scratch.join("perf.data").display().to_string();
    let record = |graph| {
        [
            "record",
            "-q",
            "-a",
            "-e",
            "page-faults:u",
            "-c",
            "1",
            "--call-graph",
            graph,
            "-o",
            &data,
        ]
    };
    let tracers: [(&str, Option<Command>); 6] = [
        ("nothing", None),
        (
            "pfscript",
            Some(bench.pfscript.command(&["-e", &by_tables])),
        ),
        (
            "pfscript, fp",
            Some(bench.pfscript.command(&["-e", &linked])),
        ),
        (
            "bpftrace, fp",
            bench
                .bpftrace
                .installed()
                .then(|| bench.bpftrace.command(&["-e", &by_tables])),
        ),
        (
            "perf, fp",
            bench
                .perf
                .installed()
                .then(|| bench.perf.command(&record("fp"))),
        ),
        (
            "perf, dwarf",
            bench
                .perf
                .installed()
                .then(|| bench.perf.command(&record("dwarf"))),
        ),
    ];
    let mut times: Vec<(&str, Vec<f64>)> = Vec::new();
    for (name, command) in tracers {
        let tracer = match command {
            Some(mut command) => {
                // The statistics that say whether a program runs cost time themselves.
                let _stats = enable_stats(Stats::RunTime)
                    .map_err(|error| format!("kernel statistics: {error}"))?;
                let command = command.stdout(Stdio::null());
                Some(match name.starts_with("perf") {
                    true => begin(command.stderr(Stdio::null()))?,
                    false => events::start(bench, name, command)?,
                })
            }
            None if name == "nothing" => None,
            None => continue,
        };
        let mut cpu = Vec::new();
        let mut result = Ok(());
        for _ in 0..bench.rounds {
            match touch(bench) {
                Ok(usage) => cpu.push(usage.cpu.as_secs_f64() * 1e3),
                Err(error) => result = Err(error),
            }
        }
        if let Some(mut tracer) = tracer {
            process::interrupt(&tracer);
            tracer.wait().map_err(|error| format!("{name}: {error}"))?;
        }
        result?;
        times.push((name, cpu));
    }
    let title = format!("{PAGES} page faults below {FRAMES} frames");
    let mut table = Table::new(
        &title,
        &["cpu ms", "/ nothing", "added ms", "/ perf, dwarf"],
    );
    let of = |name: &str| {
        times
            .iter()
            .find(|time| time.0 == name)
            .map(|time| median(time.1.clone()))
    };
    let alone = of("nothing").unwrap_or_default();
    let worst = of("perf, dwarf").unwrap_or_default() - alone;
    for (name, cpu) in &times {
        let cpu = median(cpu.clone());
        let added = cpu - alone;
        table.row(
            name,
            [
                format!("{cpu:.1}"),
                ratio(cpu, alone),
                format!("{added:.1}"),
                ratio(added, worst),
            ],
        );
    }
    table.row(
        "target of pfscript",
        [
            String::new(),
            String::new(),
            String::new(),
            "0.200".to_owned(),
        ],
    );
    table.print();
    Ok(())
}

fn touch(bench: &Bench) -> Result<Usage, String> {
    let mut workload = Command::new(bench.workload("static/deepstack"));
    process::run(workload.args([FRAMES, PAGES]).stdout(Stdio::null()))
}

fn begin(command: &mut Command) -> Result<Child, String> {
    let child = command
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    thread::sleep(TIME_TO_BEGIN);
    Ok(child)
}

/// Bytes of tables, for the code of a program and of the libraries that it names.
fn tables(bench: &Bench) -> Result<(), String> {
    let mut table = Table::new(
        "tables to unwind by",
        &["files", "KiB", "MiB of code", "KiB / MiB"],
    );
    for program in [
        "/usr/bin/ls",
        "/usr/bin/git",
        "/usr/bin/openssl",
        "/usr/bin/python3",
    ] {
        let script = "software:page-faults:1 { @[ustack] = count(); }";
        let line = format!("{program} --version");
        let output = bench
            .pfscript
            .command(&["-v", "-e", script, "-c", &line])
            .output();
        let output = output.map_err(|error| format!("pfscript: {error}"))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        let said = errors.lines().find_map(|line| {
            let (_, rest) = line.split_once("by the tables of ")?;
            let (files, rest) = rest.split_once(" files, which took ")?;
            let size: f64 = rest.split(' ').next()?.parse().ok()?;
            Some((files.to_owned(), size))
        });
        let Some((files, size)) = said else {
            table.row(program, ["not installed".to_owned()]);
            continue;
        };
        let code = code_of(program) as f64 / f64::from(1 << 20);
        table.row(
            program,
            [
                files,
                format!("{size:.0}"),
                format!("{code:.2}"),
                format!("{:.0}", size / code),
            ],
        );
    }
    table.print();
    Ok(())
}

/// Bytes of code that a program and the libraries that it names have mapped.
fn code_of(program: &str) -> u64 {
    let listed = Command::new(program)
        .env("LD_TRACE_LOADED_OBJECTS", "1")
        .output();
    let listed = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let listed = listed.unwrap_or_default();
    let libraries = listed
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    let files = libraries.chain([program]);
    files
        .map(|file| executable_bytes(&fs::read(file).unwrap_or_default()))
        .sum()
}

/// Bytes of the segments of a 64-bit ELF file that are code.
fn executable_bytes(file: &[u8]) -> u64 {
    let word = |at: usize, size: usize| {
        let bytes = file.get(at..at + size).unwrap_or_default();
        bytes
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u64::from(*byte))
    };
    let (table, entry, count) = (
        word(32, 8) as usize,
        word(54, 2) as usize,
        word(56, 2) as usize,
    );
    let segments = (0..count).map(|index| table + index * entry);
    // PT_LOAD, with PF_X.
    let code = segments.filter(|&at| word(at, 4) == 1 && word(at + 4, 4) & 1 != 0);
    code.map(|at| word(at + 32, 8)).sum()
}

/// Until the tracer says that it has attached its probes, with many processes there and with few.
fn readiness(bench: &Bench) -> Result<(), String> {
    let title = format!("time until attached, with {PROCESSES} more processes");
    let mut table = Table::new(&title, &["few, ms", "many, ms"]);
    for tracer in [&bench.pfscript, &bench.bpftrace] {
        if !tracer.installed() {
            continue;
        }
        let ready = |children: &mut Vec<Child>| -> Result<f64, String> {
            let mut times = Vec::new();
            for _ in 0..bench.rounds {
                let script = "software:page-faults:1 { @[ustack, pid, comm] = count(); }";
                let begun = Instant::now();
                let mut command = tracer.command(&["-e", script]);
                let mut child = command
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .map_err(|error| format!("{}: {error}", tracer.name))?;
                let stderr = child.stderr.take().ok_or("its messages are not there")?;
                let mut attached = BufReader::new(stderr).lines().map_while(Result::ok);
                let said = attached.any(|line| line.starts_with("Attached"));
                times.push(begun.elapsed().as_secs_f64() * 1e3);
                process::interrupt(&child);
                let ended = child.wait_with_output();
                ended.map_err(|error| format!("{}: {error}", tracer.name))?;
                if !said {
                    return Err(format!(
                        "{} did not attach; with {} processes",
                        tracer.name,
                        children.len()
                    ));
                }
            }
            Ok(median(times))
        };
        let mut children = Vec::new();
        let few = ready(&mut children)?;
        for _ in 0..PROCESSES {
            let child = Command::new("sleep").arg("1000").spawn();
            children.push(child.map_err(|error| format!("sleep: {error}"))?);
        }
        let many = ready(&mut children);
        for mut child in children {
            let _ = child.kill();
            let _ = child.wait();
        }
        table.row(tracer.name, [format!("{few:.1}"), format!("{:.1}", many?)]);
    }
    table.print();
    Ok(())
}

/// What names cost at the end: a run with as many different stacks, printed by name and as addresses.
fn naming(bench: &Bench) -> Result<(), String> {
    let title = format!("{STACKS} different stacks, printed");
    let mut table = Table::new(&title, &["names, ms", "addresses, ms", "difference"]);
    let line = format!("{} {STACKS}", bench.workload("branches"));
    for tracer in [&bench.pfscript, &bench.bpftrace] {
        if !tracer.installed() {
            continue;
        }
        let run = |stack: &str| -> Result<f64, String> {
            let script = format!("software:page-faults:1 {{ @[{stack}] = count(); }}");
            let mut walls = Vec::new();
            for _ in 0..bench.rounds {
                let mut command = tracer.command(&["-q", "-e", &script, "-c", &line]);
                let usage = process::run(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
                walls.push(usage.wall.as_secs_f64() * 1e3);
            }
            Ok(median(walls))
        };
        let (names, addresses) = (run("ustack")?, run("ustack(raw)")?);
        table.row(
            tracer.name,
            [
                format!("{names:.0}"),
                format!("{addresses:.0}"),
                format!("{:.0}", names - addresses),
            ],
        );
    }
    table.row("target", [String::new(), String::new(), "500".to_owned()]);
    table.print();
    Ok(())
}
