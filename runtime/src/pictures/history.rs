//! How a process's resident memory went over time, by kind, as `/proc/PID/status` has it.
//!
//! Samples are close in the beginning, so that short programs have some; when there are many, every other one is dropped, and they come half
//! as often. So there are never more than [`MOST`].

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Samples at most.
const MOST: usize = 600;

/// The first ones are so far apart.
const FIRST: Duration = Duration::from_millis(10);

/// The kinds, in the order of samples: as people call them, and the line in the status.
pub const KINDS: [(&str, &str); 4] = [
    ("anonymous", "RssAnon:"),
    ("files", "RssFile:"),
    ("shared", "RssShmem:"),
    ("swapped out", "VmSwap:"),
];

/// One look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Since the process was first looked at.
    pub at: Duration,
    /// KiB by kind.
    pub kib: [u64; KINDS.len()],
}

/// Samples of one process, taken by a thread of their own: a tracer that is busy with records has no time for them.
#[derive(Debug)]
pub struct History {
    thread: JoinHandle<Samples>,
    /// What ends the thread when it is dropped.
    stop: Sender<()>,
}

impl History {
    /// Begins to take samples of a process.
    ///
    /// # Errors
    /// If there is no such process.
    pub fn begin(process: u32) -> io::Result<History> {
        // Opened once, so that it is never that of another process with the same id.
        let status = File::open(format!("/proc/{process}/status"))?;
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().spawn(move || {
            let mut samples = Samples::default();
            let began = Instant::now();
            loop {
                samples.look(&status, began.elapsed());
                if stopped.recv_timeout(samples.interval) != Err(RecvTimeoutError::Timeout) {
                    return samples;
                }
            }
        })?;
        Ok(History { thread, stop })
    }

    /// All that were kept, in the order of time.
    pub fn end(self) -> Vec<Sample> {
        drop(self.stop);
        let samples = self.thread.join();
        samples.map(|samples| samples.kept).unwrap_or_default()
    }
}

/// Samples, and how far apart they are.
#[derive(Debug)]
struct Samples {
    kept: Vec<Sample>,
    interval: Duration,
}

impl Default for Samples {
    fn default() -> Samples {
        Samples {
            kept: Vec::new(),
            interval: FIRST,
        }
    }
}

impl Samples {
    /// Takes one; of a process that is gone there is none.
    fn look(&mut self, status: &File, at: Duration) {
        let mut text = [0; 4096];
        let got = status.read_at(&mut text, 0).unwrap_or(0);
        if let Some(kib) = parse(&String::from_utf8_lossy(&text[..got])) {
            self.push(Sample { at, kib });
        }
    }

    fn push(&mut self, sample: Sample) {
        self.kept.push(sample);
        if self.kept.len() >= MOST {
            let mut index = 0;
            self.kept.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.interval *= 2;
        }
    }
}

/// The numbers of a status; `None` of one without memory, such as a zombie's.
fn parse(status: &str) -> Option<[u64; KINDS.len()]> {
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    number(KINDS[0].1)?;
    Some(KINDS.map(|(_, name)| number(name).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_status_has_numbers_by_kind() {
        let status = "Name:\ta\nVmRSS:\t 9 kB\nRssAnon:\t     100 kB\nRssFile:\t 7 kB\nRssShmem:\t0 kB\nVmSwap:\t 3 kB\n";
        assert_eq!(parse(status), Some([100, 7, 0, 3]));
        assert_eq!(parse("Name:\tzombie\n"), None);
    }

    #[test]
    fn samples_stay_few_and_cover_all_the_time() {
        let mut samples = Samples::default();
        for number in 0..10_000 {
            samples.push(Sample {
                at: Duration::from_secs(number),
                kib: [number, 0, 0, 0],
            });
        }
        let kept = &samples.kept;
        assert!((MOST / 3..MOST).contains(&kept.len()), "{}", kept.len());
        assert!(kept.windows(2).all(|pair| pair[0].at < pair[1].at));
        assert_eq!(kept[0].at.as_secs(), 0);
        assert!(kept.last().unwrap().at.as_secs() > 9_900);
        assert!(samples.interval > FIRST * 16);
    }

    #[test]
    fn a_process_that_is_gone_has_the_samples_it_had() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let status = File::open(format!("/proc/{}/status", child.id())).unwrap();
        let mut samples = Samples::default();
        samples.look(&status, Duration::ZERO);
        child.kill().unwrap();
        child.wait().unwrap();
        samples.look(&status, Duration::from_secs(1));
        assert_eq!(samples.kept.len(), 1);
        assert!(samples.kept[0].kib.iter().sum::<u64>() > 0);
        assert!(History::begin(child.id()).is_err());
    }

    #[test]
    fn a_history_ends_when_it_is_asked_for() {
        let history = History::begin(std::process::id()).unwrap();
        assert!(!history.end().is_empty());
    }
}
