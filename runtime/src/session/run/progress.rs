//! What the line on the terminal says of a session.

use super::{Running, Target};
use crate::error::Halt;
use crate::load::Loaded;
use crate::loss;
use crate::progress::Figures;
use crate::results::Event;
use crate::sinks::Sink as _;
use crate::tally::tally;
use pfscript_compiler::manifest::Manifest;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is known of earlier looks.
#[derive(Debug, Default)]
pub struct Seen {
    /// Records that were delivered.
    pub records: u64,
    /// Events that were in maps before they were emptied, and at the last look.
    emptied: u64,
    last: u64,
}

impl Seen {
    /// How many events there were, when maps have so many now.
    fn events(&mut self, now: u64) -> u64 {
        if now < self.last {
            self.emptied += self.last;
        }
        self.last = now;
        (self.emptied + now).max(self.records)
    }
}

impl Running<'_> {
    /// Changes the line on the terminal if it is due. How long it is until it is due again; `None` if there is none. While a command runs
    /// there is none, since the command writes to the terminal as it likes.
    pub(super) fn show_progress(&mut self) -> Option<Duration> {
        let due = self.sink.progress()?.due();
        if let Target::Command(_) = self.session.target {
            return None;
        }
        if !due.is_zero() {
            return Some(due);
        }
        let manifest = &self.session.object.manifest;
        let (loaded, seen) = (&self.loaded, &mut self.seen);
        let records = self.processes.lost_records();
        let progress = self.sink.progress()?;
        progress.go_on(|| figures(loaded, manifest, records, seen));
        Some(progress.due())
    }

    /// Detaches what is still attached, and says so, since that takes the kernel long.
    pub(super) fn detach(&mut self) -> Result<(), Halt> {
        /// That takes more than a moment: some 70 ms each.
        const MANY: usize = 30;
        let points = self.attached.points();
        let attached = &mut self.attached;
        match self.sink.progress() {
            Some(progress) if attached.is_attached() => attached.detach_each(|left| {
                progress.show(&format!("detaching {points} probes … {left} left"));
            }),
            _ => {
                if attached.is_attached() && points > MANY && !self.session.quiet {
                    let text = format!(
                        "all results are printed; the kernel detaches {points} probes, which may take a while"
                    );
                    self.sink.event(&Event::Message(&text))?;
                    self.sink.flush()?;
                }
                attached.detach();
            }
        }
        Ok(())
    }
}

/// How it is now. What cannot be read counts as nothing.
fn figures(loaded: &Loaded, manifest: &Manifest, lost_records: u64, seen: &mut Seen) -> Figures {
    let mut keys = 0;
    // Several maps may count the same events.
    let mut events = 0;
    for info in &manifest.maps {
        let handle = loaded.script_map(&info.symbol);
        let found = handle.and_then(|handle| tally(handle, info).ok());
        let found = found.unwrap_or_default();
        keys += found.keys;
        events = events.max(found.events);
    }
    let losses = loss::read(loaded, manifest, lost_records, &BTreeMap::new());
    let losses = losses.unwrap_or_default();
    let lost = losses.iter().filter(|loss| loss.cause.is_loss());
    Figures {
        events: seen.events(events),
        keys,
        lost: lost.map(|loss| loss.count).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_go_on_when_maps_are_emptied() {
        let mut seen = Seen::default();
        let shown = [5, 9, 2, 4, 0, 0, 3].map(|now| seen.events(now));
        assert_eq!(shown, [5, 9, 11, 13, 13, 13, 16]);
        seen.records = 20;
        assert_eq!(seen.events(3), 20);
    }
}
