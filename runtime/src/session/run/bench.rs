//! `--mode bench`: the probes `bench:NAME` are run again and again, and the kernel says how long they took.
//!
//! In come loaded programs, out go averages. The kernel's own count (`BPF_ENABLE_STATS`, Linux 5.8) has the time within the
//! program alone: without the system call that runs it, but with the two looks at the clock.

use super::{Running, Waited, asked};
use crate::attach;
use crate::error::{Error, ErrorKind, Halt};
use crate::load::Loaded;
use crate::results::{Benchmark, Event};
use crate::sinks::Sink as _;
use crate::sys::bpf;
use pfscript_compiler::ir::ProbeId;
use pfscript_compiler::manifest::Mode;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How long each is run, in wall-clock time.
const TIME: Duration = Duration::from_millis(200);

/// Runs before somebody looks at the records that were made. Fewer where they take long.
const ROUND: u64 = 1000;

/// A benchmark that is being run.
struct Bench {
    name: String,
    program: ProbeId,
    began: Instant,
    before: bpf::RunTime,
    /// As long as it is open, the kernel counts.
    _counting: OwnedFd,
}

impl Running<'_> {
    /// Runs the benchmarks, one after the other.
    pub(super) fn run_benchmarks(&mut self) -> Result<(), Halt> {
        let mut results = Vec::new();
        for (program, name) in asked::all(&self.session.object.manifest, Mode::Bench) {
            let bench = Bench::begin(program, name, &self.loaded)?;
            let mut ended = false;
            while !ended && bench.round(&self.loaded)? {
                self.deliver_all()?;
                ended = self.wait(0)? == Waited::End;
            }
            self.deliver_all()?;
            results.push(bench.result(&self.loaded)?);
            if ended {
                break;
            }
        }
        Ok(self.sink.event(&Event::Benchmarks(&results))?)
    }
}

impl Bench {
    /// Begins one of them.
    ///
    /// # Errors
    /// The kernel's.
    fn begin(program: ProbeId, name: String, loaded: &Loaded) -> Result<Bench, Error> {
        let counting = bpf::enable_run_time().map_err(unknown)?;
        Ok(Bench {
            name,
            program,
            began: Instant::now(),
            before: run_time(program, loaded)?,
            _counting: counting,
        })
    }

    /// Runs it some times; whether it is to go on.
    ///
    /// # Errors
    /// The kernel's.
    fn round(&self, loaded: &Loaded) -> Result<bool, Error> {
        let program = attach::program(loaded, self.program)?;
        for _ in 0..ROUND {
            bpf::run_program(program).map_err(|error| {
                let message = format!("can't run `bench:{}`: {error}", self.name);
                Error::new(ErrorKind::Kernel, message)
            })?;
            if self.began.elapsed() >= TIME {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What came out.
    ///
    /// # Errors
    /// The kernel's.
    fn result(self, loaded: &Loaded) -> Result<Benchmark, Error> {
        let after = run_time(self.program, loaded)?;
        let runs = after.runs.saturating_sub(self.before.runs);
        let nanoseconds = after.nanoseconds.saturating_sub(self.before.nanoseconds);
        Ok(Benchmark {
            name: self.name,
            average_ns: nanoseconds.checked_div(runs).unwrap_or(0),
            iterations: runs,
        })
    }
}

fn run_time(program: ProbeId, loaded: &Loaded) -> Result<bpf::RunTime, Error> {
    bpf::run_time(attach::program(loaded, program)?).map_err(unknown)
}

fn unknown(error: std::io::Error) -> Error {
    Error::new(
        ErrorKind::Kernel,
        format!("the kernel does not say how long programs run: {error}"),
    )
}
