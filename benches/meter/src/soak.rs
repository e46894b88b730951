//! Minutes of a rolling profile of everything, beside a hundred short processes a second: does the tracer's memory level
//! off, do its descriptors, and do stacks keep their frames? Where not, it fails.

use crate::Bench;
use crate::process;
use crate::table::Table;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Page faults by stack, printed and forgotten every five seconds. Those of execve(), which writes zeros behind a program's data before any of
/// its code runs, have no user stack.
const SCRIPT: &str =
    "software:page-faults:1 /!curtask->in_execve/ { @[ustack, pid, comm] = count(); }
interval:s:5 { print(@); clear(@); }";

/// From one short process to the next.
const PAUSE: Duration = Duration::from_millis(10);

/// What was printed since someone last looked.
#[derive(Clone, Copy, Default)]
struct Printed {
    /// Stacks, which are rows of the map.
    stacks: u64,
    /// Stacks without a frame.
    blank: u64,
    /// Frames.
    frames: u64,
    /// Frames that are an address and no name.
    unnamed: u64,
}

/// What a minute came to.
#[derive(Clone, Copy)]
struct Minute {
    /// Resident memory in KiB.
    rss: u64,
    descriptors: usize,
    blank: u64,
}

/// Runs for `SOAK_MINUTES`, ten unless told.
///
/// # Errors
/// If what it measures does not hold.
pub fn measure(bench: &Bench) -> Result<(), String> {
    let minutes: u32 = match std::env::var("SOAK_MINUTES") {
        Ok(text) => text
            .parse()
            .map_err(|_| "SOAK_MINUTES must be a number".to_owned())?,
        Err(_) => 10,
    };
    let mut tracer = bench
        .pfscript
        .command(&["-e", SCRIPT])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("pfscript: {error}"))?;
    let pid = tracer.id();
    let (Some(output), Some(mut errors)) = (tracer.stdout.take(), tracer.stderr.take()) else {
        return Err("pfscript has no output".to_owned());
    };
    let printed = Mutex::new(Printed::default());
    let title = format!("soak of {minutes} minutes, by minute");
    let columns = [
        "RSS MiB",
        "descriptors",
        "stacks",
        "blank",
        "frames",
        "without name",
    ];
    let mut table = Table::new(&title, &columns);
    let mut messages = String::new();
    let mut soaked = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| count(output, &printed));
        let told = scope.spawn(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).map(|_| text)
        });
        let result: Result<(), String> = (1..=minutes).try_for_each(|minute| {
            load(bench)?;
            let (rss, descriptors) = size(pid).map_err(|error| format!("pfscript: {error}"))?;
            let seen = printed
                .lock()
                .map(|mut seen| std::mem::take(&mut *seen))
                .map_err(|_| "counting failed".to_owned())?;
            soaked.push(Minute {
                rss,
                descriptors,
                blank: seen.blank,
            });
            table.row(
                &minute.to_string(),
                [
                    format!("{:.1}", rss as f64 / 1024.0),
                    descriptors.to_string(),
                    seen.stacks.to_string(),
                    seen.blank.to_string(),
                    seen.frames.to_string(),
                    seen.unnamed.to_string(),
                ],
            );
            Ok(())
        });
        process::interrupt(&tracer);
        if let Ok(Ok(text)) = told.join() {
            messages = text;
        }
        result
    })?;
    let (status, _) = process::wait(tracer, Instant::now()).map_err(|error| error.to_string())?;
    table.print();
    println!("  messages of pfscript, which ended with wait status {status:#x}:");
    for line in messages.lines() {
        println!("    {line}");
    }
    verdict(&soaked)
}

/// Whether memory and descriptors level off, and no stack is blank. The first third of the minutes may still fill caches.
fn verdict(minutes: &[Minute]) -> Result<(), String> {
    let blank: u64 = minutes.iter().map(|minute| minute.blank).sum();
    if blank > 0 {
        return Err(format!("{blank} stacks are blank"));
    }
    let third = minutes.len() / 3;
    let most = |part: &[Minute]| {
        let rss = part.iter().map(|minute| minute.rss).max();
        let descriptors = part.iter().map(|minute| minute.descriptors).max();
        rss.zip(descriptors)
    };
    let middle = most(&minutes[third..2 * third]);
    let last = most(&minutes[2 * third..]);
    let (Some((rss, descriptors)), Some((last_rss, last_descriptors))) = (middle, last) else {
        return Ok(());
    };
    if last_rss > rss + rss / 10 {
        return Err(format!(
            "resident memory does not level off: {rss} KiB in the second third, {last_rss} KiB in the last"
        ));
    }
    if last_descriptors > descriptors + descriptors / 4 {
        return Err(format!(
            "descriptors do not level off: {descriptors} in the second third, {last_descriptors} in the last"
        ));
    }
    Ok(())
}

/// A minute of short processes.
fn load(bench: &Bench) -> Result<(), String> {
    let start = Instant::now();
    let mut next = start;
    while start.elapsed() < Duration::from_secs(60) {
        let mut short = Command::new(bench.workload("anon2mmap"));
        process::run(short.arg("16").stdout(Stdio::null()))?;
        next += PAUSE;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// Resident memory in KiB, and open descriptors.
fn size(pid: u32) -> std::io::Result<(u64, usize)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let rss = status.lines().find_map(|line| {
        let (number, _) = line.strip_prefix("VmRSS:")?.trim().split_once(' ')?;
        number.parse().ok()
    });
    Ok((
        rss.unwrap_or(0),
        fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
    ))
}

/// Reads what is printed: rows begin with `@[`, frames are indented, and a frame without name begins with a digit.
fn count(output: impl Read, printed: &Mutex<Printed>) {
    let mut in_stack = false;
    let mut empty = false;
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let Ok(mut printed) = printed.lock() else {
            return;
        };
        if line.starts_with("@[") {
            printed.stacks += 1;
            (in_stack, empty) = (true, true);
        } else if in_stack && line.starts_with(' ') {
            empty = false;
            printed.frames += 1;
            let named = line.trim_start().starts_with(|c: char| !c.is_ascii_digit());
            printed.unnamed += u64::from(!named);
        }
        if in_stack && line.contains("]: ") {
            printed.blank += u64::from(empty);
            in_stack = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(rss: [u64; 6], descriptors: [usize; 6], blank: u64) -> Vec<Minute> {
        rss.into_iter()
            .zip(descriptors)
            .map(|(rss, descriptors)| Minute {
                rss,
                descriptors,
                blank,
            })
            .collect()
    }

    #[test]
    fn what_grows_or_is_blank_fails() {
        let flat = [31; 6];
        assert_eq!(verdict(&[]), Ok(()));
        assert_eq!(verdict(&minutes([5, 8, 9, 9, 9, 9], flat, 0)), Ok(()));
        let grows = verdict(&minutes([9, 10, 11, 12, 13, 14], flat, 0));
        assert!(grows.unwrap_err().contains("memory"));
        let leaks = verdict(&minutes([9; 6], [10, 12, 14, 16, 18, 21], 0));
        assert!(leaks.unwrap_err().contains("descriptors"));
        let blank = verdict(&minutes([9; 6], flat, 1));
        assert_eq!(blank, Err("6 stacks are blank".to_owned()));
    }
}
