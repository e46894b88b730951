//! How a process's resident memory went over time, by kind, as `/proc/PID/status` has it.
//!
//! Samples are close in the beginning, so that short programs have some; when there are many, every other one is dropped, and they come half
//! as often. So there are never more than [`MOST`].

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
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
    /// Since the first one.
    pub at: Duration,
    /// KiB by kind.
    pub kib: [u64; KINDS.len()],
}

/// Samples of one process.
#[derive(Debug)]
pub struct History {
    /// Opened once, so that it is never that of another process with the same id.
    status: File,
    began: Instant,
    interval: Duration,
    next: Instant,
    samples: Vec<Sample>,
}

impl History {
    /// Takes the first sample of a process.
    ///
    /// # Errors
    /// If there is no such process.
    pub fn begin(process: u32) -> io::Result<History> {
        let began = Instant::now();
        let mut history = History {
            status: File::open(format!("/proc/{process}/status"))?,
            began,
            interval: FIRST,
            next: began,
            samples: Vec::new(),
        };
        history.sample();
        Ok(history)
    }

    /// Takes a sample if it is time, and says how long it is until the next.
    pub fn sample(&mut self) -> Duration {
        let now = Instant::now();
        if now >= self.next {
            self.next = now + self.interval;
            let mut text = [0; 4096];
            let got = self.status.read_at(&mut text, 0).unwrap_or(0);
            if let Some(kib) = parse(&String::from_utf8_lossy(&text[..got])) {
                self.push(Sample {
                    at: now - self.began,
                    kib,
                });
            }
        }
        self.next.saturating_duration_since(now)
    }

    fn push(&mut self, sample: Sample) {
        self.samples.push(sample);
        if self.samples.len() >= MOST {
            let mut index = 0;
            self.samples.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.interval *= 2;
        }
    }

    /// All that were kept, in the order of time.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
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

    #[test]
    fn a_status_has_numbers_by_kind() {
        let status = "Name:\ta\nVmRSS:\t 9 kB\nRssAnon:\t     100 kB\nRssFile:\t 7 kB\nRssShmem:\t0 kB\nVmSwap:\t 3 kB\n";
        assert_eq!(parse(status), Some([100, 7, 0, 3]));
        assert_eq!(parse("Name:\tzombie\n"), None);
    }

    #[test]
    fn samples_stay_few_and_cover_all_the_time() {
        let mut history = History::begin(std::process::id()).unwrap();
        assert_eq!(history.samples().len(), 1);
        assert!(history.samples()[0].kib[0] > 0);
        for number in 1..10_000 {
            history.push(Sample {
                at: Duration::from_secs(number),
                kib: [number, 0, 0, 0],
            });
        }
        let samples = history.samples();
        assert!(
            (MOST / 3..MOST).contains(&samples.len()),
            "{}",
            samples.len()
        );
        assert!(samples.windows(2).all(|pair| pair[0].at < pair[1].at));
        assert_eq!(samples[0].at.as_secs(), 0);
        assert!(samples.last().unwrap().at.as_secs() > 9_900);
        assert!(history.interval > FIRST * 16);
    }

    #[test]
    fn a_process_that_is_gone_has_the_samples_it_had() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let mut history = History::begin(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let before = history.samples().len();
        history.next = Instant::now();
        history.sample();
        assert_eq!(history.samples().len(), before);
    }
}
