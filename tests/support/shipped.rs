//! Shipped scripts, run by their names.

use super::{Finished, Report, Scratch, Tracer};

/// A shipped script, in a folder where no file has its name.
pub fn tool(name: &str, arguments: &[&str]) -> Tracer {
    let scratch = Scratch::new("tools");
    let words = [&[name][..], arguments].concat();
    let tracer = Tracer::new(words).folder(scratch.path());
    tracer.keep(scratch)
}

/// The report of a workload, wherever it stands.
#[track_caller]
pub fn report(finished: &Finished) -> Report {
    let mut lines = finished.text().lines();
    Report::parse(
        lines
            .find(|line| line.starts_with("pid="))
            .expect("a report"),
    )
}
