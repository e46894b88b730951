//! What one event costs: the kernel's own figures of the time that a program ran and how often.
//!
//! They are read from `fdinfo` of the descriptors that a tracer holds, so that programs of others do not count.

use crate::Bench;
use crate::faults;
use crate::process::{self, median};
use crate::table::{Table, ratio};
use aya::sys::{Stats, enable_stats};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SCRIPT: &str = "software:page-faults:1 { @[ustack, pid, comm] = count(); }";

/// The same by frame pointers alone, as the other contenders walk.
const LINKED: &str = "software:page-faults:1 { @[ustack(fp), pid, comm] = count(); }";

/// pfscript with that script.
const LINKED_NAME: &str = "pfscript, fp";

/// Events of a workload; each is one page of memory.
const PAGES: u64 = 100_000;

/// How long a tracer may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn measure(bench: &Bench) -> Result<(), String> {
    let _stats =
        enable_stats(Stats::RunTime).map_err(|error| format!("kernel statistics: {error}"))?;
    let pages = PAGES.to_string();
    let mut workloads = vec![
        // The walk ends in the C library, which has no frame pointers, at an address that is none: a fault in itself.
        Workload::new("few frames", bench, "anon2mmap", &[&pages]),
        Workload::new("few frames, static", bench, "static/anon2mmap", &[&pages]),
        Workload::new(
            "20 frames, static",
            bench,
            "static/deepstack",
            &["20", &pages],
        ),
        Workload::new(
            "100 frames, static",
            bench,
            "static/deepstack",
            &["100", &pages],
        ),
        Workload::new(
            "20 frames, static, 1000 processes later",
            bench,
            "static/deepstack",
            &["20", &pages],
        )
        .after(1000, bench),
    ];
    for _ in 0..bench.rounds {
        for (name, mut command) in tracers(bench)? {
            let mut tracer = start(bench, name, command.stdout(Stdio::null()))?;
            let result = workloads
                .iter_mut()
                .try_for_each(|workload| workload.run(name, tracer.id()));
            process::interrupt(&tracer);
            tracer.wait().map_err(|error| format!("{name}: {error}"))?;
            result?;
        }
    }
    for workload in &workloads {
        workload.print(bench);
    }
    Ok(())
}

/// The C program and those of its competitors that are installed: a name, and the command that runs it until SIGINT.
fn tracers(bench: &Bench) -> Result<Vec<(&'static str, Command)>, String> {
    let this = std::env::current_exe().map_err(|error| format!("this executable: {error}"))?;
    let mut c_program = Command::new(this);
    c_program
        .arg(faults::HOLD)
        .arg(bench.scratch.join("faults.bpf.o"))
        .stdin(Stdio::piped());
    let mut tracers = vec![
        ("C", c_program),
        (LINKED_NAME, bench.pfscript.command(&["-e", LINKED])),
    ];
    for tracer in [&bench.pfscript, &bench.bpftrace] {
        if tracer.installed() {
            tracers.push((tracer.name, tracer.command(&["-e", SCRIPT])));
        }
    }
    Ok(tracers)
}

/// A command that causes many page faults, and what each of them cost.
struct Workload {
    title: &'static str,
    words: Vec<String>,
    /// Processes that are run before it, not measured, and the program.
    before: (usize, String),
    /// By contender: ns per event, of each round.
    costs: BTreeMap<&'static str, Vec<f64>>,
}

impl Workload {
    fn new(title: &'static str, bench: &Bench, program: &str, arguments: &[&str]) -> Workload {
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        Workload {
            title,
            words: std::iter::once(bench.workload(program))
                .chain(arguments)
                .collect(),
            before: (0, String::new()),
            costs: BTreeMap::new(),
        }
    }

    /// The same in a session that has gone on for a while: each process has addresses, and so stacks, of its own, and
    /// tables that hold stacks have filled up.
    fn after(mut self, processes: usize, bench: &Bench) -> Workload {
        self.before = (processes, bench.workload("static/anon2mmap"));
        self
    }

    /// Runs it under the programs that process `holder` has attached.
    fn run(&mut self, name: &'static str, holder: u32) -> Result<(), String> {
        let (processes, program) = &self.before;
        for _ in 0..*processes {
            process::run(Command::new(program).arg("1").stdout(Stdio::null()))?;
        }
        let before = Runs::of(holder);
        process::run(
            Command::new(&self.words[0])
                .args(&self.words[1..])
                .stdout(Stdio::null()),
        )?;
        let after = Runs::of(holder);
        let events = after.count - before.count;
        if events < PAGES {
            return Err(format!("{name} ran on {events} of {PAGES} events or more"));
        }
        let cost = (after.time_ns - before.time_ns) as f64 / events as f64;
        self.costs.entry(name).or_default().push(cost);
        Ok(())
    }

    /// Medians, and the least of all rounds: events of other processes, with stacks and keys that are new, only add.
    fn print(&self, bench: &Bench) {
        let of = |name: &str| {
            let costs = self.costs.get(name)?;
            let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
            Some((median(costs.clone()), least))
        };
        let (yardstick, least_yardstick) = of("C").unwrap_or_default();
        let title = format!("ns per event, {}", self.title);
        let mut table = Table::new(&title, &["median", "/ C", "least", "/ C"]);
        let mut row = |label: &str, name: &str| match of(name) {
            Some((cost, least)) => table.row(
                label,
                [
                    format!("{cost:.0}"),
                    ratio(cost, yardstick),
                    format!("{least:.0}"),
                    ratio(least, least_yardstick),
                ],
            ),
            None => table.row(label, ["not installed".to_owned()]),
        };
        row("C, by clang, through aya", "C");
        row("pfscript, ustack(fp)", LINKED_NAME);
        row("pfscript", bench.pfscript.name);
        row("bpftrace", bench.bpftrace.name);
        let target = "1.100".to_owned();
        table.row(
            "target of ustack(fp)",
            [String::new(), target.clone(), String::new(), target],
        );
        table.print();
    }
}

/// Starts a tracer of page faults and waits until its program runs on every event. The kernel's statistics are on.
pub fn start(bench: &Bench, name: &str, command: &mut Command) -> Result<Child, String> {
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", name))?;
    let begun = Instant::now();
    // Enough pages that a run of the program on each cannot be chance, and more than one CPU is likely to have its turn.
    const PAGES: u64 = 1000;
    let mut seen = 0;
    while seen < 5 {
        let ended = child
            .try_wait()
            .map_err(|error| format!("{}: {error}", name))?;
        if ended.is_some() || begun.elapsed() > PATIENCE {
            let mut text = String::new();
            // The error is that it did not start; what it said is all there is to add.
            let _ = child.kill();
            let _ = child
                .stderr
                .take()
                .map(|mut stderr| stderr.read_to_string(&mut text));
            return Err(format!("{} did not start: {text}", name));
        }
        let before = Runs::of(child.id());
        let mut warm_up = Command::new(bench.workload("anon2mmap"));
        process::run(warm_up.arg(PAGES.to_string()).stdout(Stdio::null()))?;
        if Runs::of(child.id()).count >= before.count + PAGES {
            seen += 1;
        } else {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(child)
}

/// How long and how often the perf event programs of a process ran.
#[derive(Clone, Copy, Debug, Default)]
struct Runs {
    time_ns: u64,
    count: u64,
}

impl Runs {
    fn of(pid: u32) -> Runs {
        const PERF_EVENT: u64 = 7; // BPF_PROG_TYPE_PERF_EVENT
        let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fdinfo")) else {
            return Runs::default();
        };
        let mut programs = BTreeMap::new();
        for descriptor in descriptors.flatten() {
            // It may have been closed since.
            let Ok(text) = std::fs::read_to_string(descriptor.path()) else {
                continue;
            };
            let field = |name: &str| {
                text.lines()
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                    .and_then(|value| value.trim().parse::<u64>().ok())
            };
            if field("prog_type") == Some(PERF_EVENT)
                && let (Some(id), Some(time_ns), Some(count)) =
                    (field("prog_id"), field("run_time_ns"), field("run_cnt"))
            {
                programs.insert(id, Runs { time_ns, count });
            }
        }
        programs.values().fold(Runs::default(), |all, one| Runs {
            time_ns: all.time_ns + one.time_ns,
            count: all.count + one.count,
        })
    }
}
