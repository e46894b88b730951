//! Measures pfscript side by side with its peers and prints tables. `benches/run` builds what it needs and starts it.
//!
//! Every figure is a median over several rounds, and in each round all contenders have their turn one after the other,
//! so that a busy machine is busy for all of them. Nothing here passes or fails: the targets are printed beside the
//! figures, as ratios, since times do not carry over from machine to machine.

mod compile;
mod contender;
mod events;
mod faults;
mod memory;
mod process;
mod size;
mod soak;
mod stack_costs;
mod stacks;
mod startup;
mod table;
mod volume;

use contender::Contender;
use std::path::PathBuf;
use std::process::ExitCode;

/// What all measurements share.
struct Bench {
    pfscript: Contender,
    bpftrace: Contender,
    perf: Contender,
    rounds: usize,
    /// Holds the workloads and the compiled C program; results of runs go there.
    scratch: PathBuf,
}

impl Bench {
    fn from_environment() -> Result<Bench, String> {
        let variable = |name: &str| {
            std::env::var(name).map_err(|_| format!("{name} is not set; benches/run sets it"))
        };
        Ok(Bench {
            pfscript: Contender::new("pfscript", &variable("PFSCRIPT")?),
            bpftrace: Contender::new("bpftrace", &variable("BPFTRACE")?),
            perf: Contender::new("perf", &variable("PERF")?),
            rounds: variable("ROUNDS")?
                .parse()
                .ok()
                .filter(|rounds| *rounds > 0)
                .ok_or("ROUNDS must be a number from 1 up")?,
            scratch: variable("SCRATCH")?.into(),
        })
    }

    /// A workload's path: linked with shared libraries as most programs are, or `static/…`, which runs anywhere.
    fn workload(&self, name: &str) -> String {
        self.scratch.join(name).display().to_string()
    }
}

type Part = fn(&Bench) -> Result<(), String>;

/// Those that run unless others are named.
const PARTS: [(&str, Part); 6] = [
    ("startup", startup::measure),
    ("compile", compile::measure),
    ("events", events::measure),
    ("size", size::measure),
    ("keys", volume::keys),
    ("printf", volume::printf),
];

/// Those that run only if they are named.
const LONG_PARTS: [(&str, Part); 4] = [
    ("memory", memory::measure),
    ("soak", soak::measure),
    ("stacks", stacks::measure),
    ("stack_costs", stack_costs::measure),
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benches/run: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    if let [first, object] = &chosen[..]
        && first == faults::HOLD
    {
        return faults::hold(object.as_ref());
    }
    let parts = || PARTS.into_iter().chain(LONG_PARTS);
    if let Some(unknown) = chosen
        .iter()
        .find(|name| parts().all(|part| part.0 != **name))
    {
        let names: Vec<_> = parts().map(|part| part.0).collect();
        return Err(format!(
            "there is no part `{unknown}`; there are {}",
            names.join(", ")
        ));
    }
    let bench = Bench::from_environment()?;
    facts(&bench);
    for (name, part) in parts() {
        let unless_named = chosen.is_empty() && PARTS.iter().any(|part| part.0 == name);
        if unless_named || chosen.iter().any(|choice| choice == name) {
            part(&bench)?;
        }
    }
    Ok(())
}

/// What the figures depend on.
fn facts(bench: &Bench) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown model", |(_, model)| model);
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    println!("kernel    {}", read("/proc/sys/kernel/osrelease").trim());
    println!("CPUs      {cpus}, {model}");
    println!("load      {}", read("/proc/loadavg").trim());
    println!("rounds    {}, medians", bench.rounds);
    for contender in [&bench.pfscript, &bench.bpftrace, &bench.perf] {
        println!("{:<9} {}", contender.name, contender.version());
    }
}
