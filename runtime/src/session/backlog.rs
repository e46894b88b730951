//! Requests to print, clear or zero a map that come faster than they can be done.
//!
//! In come records, out come the records that are to be performed. While the session keeps up, that is all of them. Once it
//! lags, a request is left out if one like it has been done since it was made: what that one did holds for both. So a
//! backlog, whatever its length, takes the time of the few different requests in it, and the end of tracing is not kept
//! waiting.

use pfscript_compiler::manifest::{Manifest, RecordKind, Then};
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// After this without having caught up, the session lags.
const PATIENCE: Duration = Duration::from_millis(250);
/// Records that are taken out of the event buffer at a time, and their bytes: about as much as the buffer holds.
const MAX_RECORDS: usize = 1 << 17;
const MAX_BYTES: usize = 1 << 23;

/// What a record asks for, if it is a request for maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Request {
    /// The first kind of record that asks for the same.
    kind: usize,
    /// The maps that it prints and leaves as they are.
    prints: BTreeSet<usize>,
    /// The maps that it clears or zeroes.
    empties: BTreeSet<usize>,
}

impl Request {
    /// Adds what a kind of record asks for; false if that is not about maps.
    fn add(&mut self, kind: &RecordKind) -> bool {
        match kind {
            RecordKind::PrintMap {
                map,
                then: Then::Keep,
                ..
            } => self.prints.insert(*map),
            RecordKind::PrintMap {
                map,
                then: Then::Clear | Then::Zero,
                ..
            }
            | RecordKind::ClearMap { map }
            | RecordKind::ZeroMap { map } => self.empties.insert(*map),
            RecordKind::Several(kinds) => {
                for kind in kinds {
                    self.add(kind);
                }
                true
            }
            RecordKind::Printf { .. }
            | RecordKind::PrintValue { .. }
            | RecordKind::Time { .. }
            | RecordKind::Exit => false,
        }
    }
}

/// What waits, and what has been done about it.
#[derive(Debug, Default)]
pub struct Backlog {
    /// What each kind of record asks for.
    requests: Vec<Option<Request>>,
    /// Since when the event buffer has not been seen empty.
    behind: Option<Instant>,
    /// Records that waited when the first request in `done` was done, in their order.
    waiting: VecDeque<Box<[u8]>>,
    bytes: usize,
    /// The requests that have been done since `waiting` was filled.
    done: Vec<Request>,
    merged: u64,
}

impl Backlog {
    /// One for a script's kinds of records.
    pub fn new(manifest: &Manifest) -> Backlog {
        let kinds = &manifest.records;
        let request = |kind: &RecordKind| {
            let mut request = Request {
                kind: kinds.iter().position(|other| other == kind)?,
                ..Request::default()
            };
            request.add(kind).then_some(request)
        };
        Backlog {
            requests: kinds.iter().map(request).collect(),
            ..Backlog::default()
        }
    }

    /// The next record that was taken out of the event buffer.
    pub fn next(&mut self) -> Option<Box<[u8]>> {
        let record = self.waiting.pop_front();
        if record.is_none() {
            self.done.clear();
            self.bytes = 0;
        }
        record
    }

    /// Drops what was taken out of the event buffer.
    pub fn discard(&mut self) {
        self.waiting.clear();
        self.done.clear();
        self.bytes = 0;
        self.behind = None;
    }

    /// Notes that the event buffer was empty.
    pub fn caught_up(&mut self) {
        self.behind = None;
    }

    /// Whether a record of this kind is a request for a map, which may take long.
    pub fn is_request(&self, kind: usize) -> bool {
        self.requests.get(kind).is_some_and(Option::is_some)
    }

    /// Whether a record of this kind is to be performed now. `more` gives what else is in the event buffer.
    pub fn admits(&mut self, kind: usize, mut more: impl FnMut() -> Option<Box<[u8]>>) -> bool {
        let behind = *self.behind.get_or_insert_with(Instant::now);
        let Some(Some(request)) = self.requests.get(kind) else {
            return true;
        };
        if self.done.contains(request) {
            self.merged += 1;
            return false;
        }
        if self.waiting.is_empty() && self.done.is_empty() {
            if behind.elapsed() < PATIENCE {
                return true;
            }
            while self.waiting.len() < MAX_RECORDS
                && self.bytes < MAX_BYTES
                && let Some(record) = more()
            {
                self.bytes += record.len();
                self.waiting.push_back(record);
            }
        }
        // What was printed is not to be printed again: a map that was emptied before is to be emptied once more.
        self.done
            .retain(|done| done.empties.is_disjoint(&request.prints));
        self.done.push(request.clone());
        true
    }

    /// How many requests were left out.
    pub fn merged(&self) -> u64 {
        self.merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINT: usize = 0;
    const ZERO: usize = 1;
    const PRINTF: usize = 2;
    const PRINT_TOO: usize = 3;

    fn backlog() -> Backlog {
        let print = || RecordKind::PrintMap {
            map: 0,
            top: 0,
            divisor: 1,
            then: Then::Keep,
        };
        Backlog::new(&Manifest {
            records: vec![
                print(),
                RecordKind::ZeroMap { map: 0 },
                RecordKind::Time {
                    format: String::new(),
                },
                print(),
            ],
            ..Manifest::default()
        })
    }

    /// The kinds that are performed of those in the event buffer.
    fn performed(backlog: &mut Backlog, kinds: &[usize]) -> Vec<usize> {
        let mut buffer: VecDeque<usize> = kinds.iter().copied().collect();
        let mut performed = Vec::new();
        loop {
            let kind = match backlog.next() {
                Some(record) => usize::from(record[0]),
                None => match buffer.pop_front() {
                    Some(kind) => kind,
                    None => return performed,
                },
            };
            let more = || Some(Box::from([buffer.pop_front()? as u8]));
            if backlog.admits(kind, more) {
                performed.push(kind);
            }
        }
    }

    #[test]
    fn while_the_session_keeps_up_everything_is_done() {
        let mut backlog = backlog();
        let all = [PRINT, ZERO, PRINT, PRINT, PRINTF, ZERO];
        assert_eq!(performed(&mut backlog, &all), all);
        assert_eq!(backlog.merged(), 0);
    }

    #[test]
    fn what_waits_behind_a_request_like_it_is_done_with_it() {
        let mut backlog = backlog();
        backlog.behind = Instant::now().checked_sub(2 * PATIENCE);
        let all = [PRINT, ZERO, PRINTF, PRINT, PRINT_TOO, ZERO, PRINTF];
        let expected = [PRINT, ZERO, PRINTF, PRINTF];
        assert_eq!(performed(&mut backlog, &all), expected);
        assert_eq!(backlog.merged(), 3);
        // What has been printed in between is emptied again, but once.
        let all = [ZERO, PRINT, ZERO, PRINT, ZERO];
        assert_eq!(performed(&mut backlog, &all), [ZERO, PRINT, ZERO]);
        assert_eq!(backlog.merged(), 5);
        // What comes later was not waiting then.
        assert_eq!(performed(&mut backlog, &[PRINT]), [PRINT]);
        // And who has caught up does not lag.
        backlog.caught_up();
        assert_eq!(performed(&mut backlog, &[PRINT, PRINT]), [PRINT, PRINT]);
    }
}
