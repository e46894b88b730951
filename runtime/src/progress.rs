//! A line on the terminal that says how a session goes on, and is gone when anything else comes.
//!
//! It stands where the cursor is, and takes no line of its own: it is taken away before output, and comes again when there has been none
//! for a second. In the background, where it would stand in somebody else's line, there is none.

use crate::sys::terminal;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

/// How often it changes, and how long there has been no output when it comes.
const PAUSE: Duration = Duration::from_secs(1);

/// To the beginning of the line, and nothing behind it.
const CLEAR: &str = "\r\x1b[K";

/// How wide terminals are that do not know.
const COLUMNS: usize = 80;

/// The line, and when it is due.
#[derive(Debug)]
pub struct Progress {
    terminal: OwnedFd,
    began: Instant,
    next: Instant,
    is_shown: bool,
    /// What was found last.
    figures: Figures,
    /// When to look again.
    stale: Instant,
}

/// What it says of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What was counted or recorded.
    pub events: u64,
    /// Keys that maps have.
    pub keys: u64,
    /// What was lost.
    pub lost: u64,
}

impl Progress {
    /// On the terminal that the standard error is; `None` if it is none.
    pub fn on_terminal() -> Option<Progress> {
        let terminal = io::stderr().as_fd().try_clone_to_owned().ok()?;
        let began = Instant::now();
        terminal::columns(terminal.as_fd())?;
        Some(Progress {
            terminal,
            began,
            next: began + PAUSE,
            is_shown: false,
            figures: Figures::default(),
            stale: began,
        })
    }

    /// How long it is until it is due.
    pub fn due(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// Says how the session goes on. `find` looks at it, which is not asked for more than a hundredth of the time.
    pub fn go_on(&mut self, find: impl FnOnce() -> Figures) {
        let began = Instant::now();
        if began >= self.stale {
            self.figures = find();
            self.stale = Instant::now() + began.elapsed() * 100;
        }
        let text = worded(self.began.elapsed(), self.figures);
        self.show(&text);
        self.next = Instant::now() + PAUSE;
    }

    /// Says what is being done.
    pub fn show(&mut self, text: &str) {
        if !terminal::is_foreground(self.terminal.as_fd()) {
            return;
        }
        let columns = terminal::columns(self.terminal.as_fd()).unwrap_or(COLUMNS);
        // A line that is full would go on in the next.
        let text: String = text.chars().take(columns.saturating_sub(1)).collect();
        self.write(&format!("{CLEAR}{text}"));
        self.is_shown = true;
    }

    /// Takes it away for output.
    pub fn hide(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            self.write(CLEAR);
        }
        self.next = self.next.max(Instant::now() + PAUSE);
    }

    fn write(&self, text: &str) {
        if let Ok(fd) = self.terminal.try_clone() {
            // Without a terminal there is nobody to see it.
            let _ = std::fs::File::from(fd).write_all(text.as_bytes());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.hide();
    }
}

/// `75 s, 1,234 events, 12 keys, nothing lost`
fn worded(elapsed: Duration, figures: Figures) -> String {
    let seconds = elapsed.as_secs();
    let time = match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    };
    let counted = |number: u64, one: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{} {one}s", grouped(number)),
    };
    let lost = match figures.lost {
        0 => "nothing lost".to_owned(),
        number => format!("{} lost", grouped(number)),
    };
    format!(
        "{time}, {}, {}, {lost}",
        counted(figures.events, "event"),
        counted(figures.keys, "key")
    )
}

/// `1,234,567`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_time_events_keys_and_losses() {
        let figures = |events, keys, lost| Figures { events, keys, lost };
        for (seconds, figures, expected) in [
            (0, figures(0, 0, 0), "0 s, 0 events, 0 keys, nothing lost"),
            (119, figures(1, 1, 1), "119 s, 1 event, 1 key, 1 lost"),
            (
                3725,
                figures(1_234_567, 12_345, 1_000),
                "62 min 5 s, 1,234,567 events, 12,345 keys, 1,000 lost",
            ),
            (
                7325,
                figures(999, 0, 0),
                "2 h 2 min, 999 events, 0 keys, nothing lost",
            ),
        ] {
            assert_eq!(worded(Duration::from_secs(seconds), figures), expected);
        }
    }
}
