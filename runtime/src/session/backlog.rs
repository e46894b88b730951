//! Records that were taken out of the event buffer ahead of a request to print, clear or zero a map, which takes long.
//!
//! In come records, out come the requests that are to be performed, and whether an `exit` waits behind them. While the session
//! traces, all requests are performed. Some time after its end, a request is left out if one like it has been done since it was
//! made: what that one did holds for both. Nothing is emptied that such a request would have printed, nor printed twice. So a
//! backlog, whatever its length, takes the time of the few different requests in it, and keeps nobody waiting.

use crate::bytes::unsigned;
use pfscript_compiler::manifest::{Manifest, RecordKind, Then};
use pfscript_probes::abi::RECORD_KIND;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// For so long after the end everything is done that waits.
const PATIENCE: Duration = Duration::from_secs(1);
/// Records that are taken out of the event buffer at a time, and their bytes: about as much as the buffer holds.
const MAX_RECORDS: usize = 1 << 17;
const MAX_BYTES: usize = 1 << 23;

/// How often a request is done for those that waited when the first of them was done. Twice, since a map that has been
/// printed in between is to be emptied once more.
const MOST: u8 = 2;

/// What a record asks for, if it is a request for maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Request {
    /// The first kind of record that asks for the same.
    kind: usize,
    /// Maps that it prints, by their index in the manifest, and maps that it clears or zeroes.
    prints: Vec<usize>,
    empties: Vec<usize>,
}

impl Request {
    /// Adds what a kind of record asks for; false if it is no request.
    fn add(&mut self, kind: &RecordKind) -> bool {
        match kind {
            RecordKind::PrintMap { map, then, .. } => {
                self.prints.push(*map);
                match then {
                    Then::Keep => {}
                    Then::Clear | Then::Zero => self.empties.push(*map),
                }
                true
            }
            RecordKind::ClearMap { map } | RecordKind::ZeroMap { map } => {
                self.empties.push(*map);
                true
            }
            RecordKind::Several(kinds) => kinds.iter().all(|kind| self.add(kind)),
            RecordKind::Printf { .. }
            | RecordKind::PrintValue { .. }
            | RecordKind::Resident { .. }
            | RecordKind::Time { .. }
            | RecordKind::Memory { .. }
            | RecordKind::Exit => false,
        }
    }

    /// Whether it prints a map, and leaves in it what was printed, that `other` empties.
    fn shows_what_is_emptied_by(&self, other: &Request) -> bool {
        let mut kept = self.prints.iter();
        kept.any(|map| !self.empties.contains(map) && other.empties.contains(map))
    }
}

/// What has been done about a request since `waiting` was filled.
#[derive(Clone, Debug, Default)]
struct Done {
    times: u8,
    /// What it did holds for those like it.
    holds: bool,
}

/// What waits, and what has been done about it.
#[derive(Debug, Default)]
pub struct Backlog {
    /// What each kind of record asks for.
    requests: Vec<Option<Request>>,
    /// The kind of record that ends the session.
    exit: Option<usize>,
    /// Whether the last record that waits is one.
    exits: bool,
    /// When tracing ended.
    ended: Option<Instant>,
    /// Records that were taken out of the event buffer, in their order.
    waiting: VecDeque<Box<[u8]>>,
    bytes: usize,
    /// What has been done since the end for those that wait, by the request's kind; nothing before that.
    done: Vec<Done>,
    /// Requests that print and were left out, since when none has printed the same maps.
    unprinted: Vec<usize>,
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
            exit: kinds
                .iter()
                .position(|kind| matches!(kind, RecordKind::Exit)),
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
        self.exits = false;
        self.ended = None;
        self.unprinted.clear();
    }

    /// How many bytes of records wait at most.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes what waits in the event buffer, up to an `exit`, as far as there is room: `more` gives the next record. True if
    /// an `exit` waits: what happens from now on is after the end that the script chose.
    pub fn look_ahead(&mut self, mut more: impl FnMut() -> Option<Box<[u8]>>) -> bool {
        while !self.exits
            && self.waiting.len() < MAX_RECORDS
            && self.bytes < MAX_BYTES
            && let Some(record) = more()
        {
            self.bytes += record.len();
            self.exits = self.exit == Some(unsigned(RECORD_KIND.of(&record)) as usize);
            self.waiting.push_back(record);
        }
        self.exits
    }

    /// Notes that tracing has ended.
    pub fn end(&mut self) {
        self.ended.get_or_insert_with(Instant::now);
    }

    /// Whether a record of this kind is a request for a map, which may take long.
    pub fn is_request(&self, kind: usize) -> bool {
        self.requests.get(kind).is_some_and(Option::is_some)
    }

    /// The kinds of requests that are to be performed now, for a record that is a request. What waits behind it has been taken
    /// out of the event buffer.
    pub fn due(&mut self, kind: usize) -> Vec<usize> {
        let Some(Some(request)) = self.requests.get(kind) else {
            return vec![kind];
        };
        let request = request.clone();
        let late = self.ended.is_some_and(|end| end.elapsed() >= PATIENCE);
        if self.done.is_empty() && late {
            self.done = vec![Done::default(); self.requests.len()];
        }
        if let Some(done) = self.done.get(request.kind)
            && (done.holds || done.times == MOST)
        {
            self.merged += 1;
            if !request.prints.is_empty() && !self.unprinted.contains(&request.kind) {
                self.unprinted.push(request.kind);
            }
            return Vec::new();
        }
        // What this one empties is to be printed first, if that was left out.
        let mut due = self.unprinted.clone();
        due.retain(|kind| self.is_lost_to(*kind, &request));
        self.merged -= due.len() as u64;
        due.push(request.kind);
        for kind in &due {
            self.note(*kind);
        }
        due
    }

    /// Whether what a request prints would be emptied by another without being printed.
    fn is_lost_to(&self, kind: usize, other: &Request) -> bool {
        let Some(Some(request)) = self.requests.get(kind) else {
            return false;
        };
        let mut prints = request.prints.iter();
        prints.any(|map| other.empties.contains(map) && !other.prints.contains(map))
    }

    /// Notes that a request is performed.
    fn note(&mut self, kind: usize) {
        let Some(Some(request)) = self.requests.get(kind) else {
            return;
        };
        // What it prints need not be printed for those that were left out.
        let is_printed =
            |other: &Request| other.prints.iter().all(|map| request.prints.contains(map));
        let requests = &self.requests;
        self.unprinted.retain(|other| match requests.get(*other) {
            Some(Some(other)) => !is_printed(other),
            _ => false,
        });
        if let Some(done) = self.done.get_mut(kind) {
            done.times = done.times.saturating_add(1);
            done.holds = true;
        }
        // What was printed is not to be printed again.
        for (other, done) in self.requests.iter().zip(&mut self.done) {
            if let Some(other) = other {
                done.holds &= !request.shows_what_is_emptied_by(other);
            }
        }
    }

    /// How many requests were left out.
    pub fn merged(&self) -> u64 {
        self.merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pfscript_probes::abi::RECORD_HEADER;

    const PRINT: usize = 0;
    const ZERO: usize = 1;
    const PRINTF: usize = 2;
    const PRINT_TOO: usize = 3;
    const PRINT_AND_CLEAR: usize = 4;
    const SEVERAL: usize = 5;
    const EXIT: usize = 6;

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
                RecordKind::PrintMap {
                    map: 0,
                    top: 5,
                    divisor: 1,
                    then: Then::Clear,
                },
                RecordKind::Several(vec![print(), RecordKind::ClearMap { map: 1 }]),
                RecordKind::Exit,
            ],
            ..Manifest::default()
        })
    }

    /// A record of a kind.
    fn record(kind: usize) -> Box<[u8]> {
        let mut record = vec![0; RECORD_HEADER as usize];
        let place = RECORD_KIND.offset as usize;
        record[place..place + 4].copy_from_slice(&(kind as u32).to_ne_bytes());
        record.into()
    }

    /// The kinds that are performed of those in the event buffer.
    fn performed(backlog: &mut Backlog, kinds: &[usize]) -> Vec<usize> {
        let mut buffer: VecDeque<usize> = kinds.iter().copied().collect();
        let mut performed = Vec::new();
        loop {
            let kind = match backlog.next() {
                Some(record) => unsigned(RECORD_KIND.of(&record)) as usize,
                None => match buffer.pop_front() {
                    Some(kind) => kind,
                    None => return performed,
                },
            };
            match backlog.is_request(kind) {
                true => {
                    backlog.look_ahead(|| Some(record(buffer.pop_front()?)));
                    performed.extend(backlog.due(kind));
                }
                false => performed.push(kind),
            }
        }
    }

    #[test]
    fn while_the_session_traces_everything_is_done() {
        let mut backlog = backlog();
        let all = [PRINT, ZERO, PRINT, PRINT, PRINTF, ZERO];
        assert_eq!(performed(&mut backlog, &all), all);
        assert_eq!(backlog.merged(), 0);
    }

    #[test]
    fn an_exit_behind_a_request_is_seen_before_the_request_is_performed() {
        let mut backlog = backlog();
        let mut buffer = VecDeque::from([PRINTF, PRINTF]);
        assert!(!backlog.look_ahead(|| Some(record(buffer.pop_front()?))));
        assert_eq!(backlog.bytes(), 2 * record(PRINTF).len());
        let mut buffer = VecDeque::from([ZERO, EXIT, PRINTF]);
        assert!(backlog.look_ahead(|| Some(record(buffer.pop_front()?))));
        // What is behind it is after the end, and stays.
        assert!(backlog.look_ahead(|| Some(record(buffer.pop_front()?))));
        assert_eq!(buffer, [PRINTF]);
        assert_eq!(performed(&mut backlog, &[]), [PRINTF, PRINTF, ZERO, EXIT]);
        assert_eq!(backlog.bytes(), 0);
    }

    /// What is performed some time after the end, and how many requests are left out.
    #[track_caller]
    fn late(kinds: &[usize], expected: &[usize], merged: u64) -> Backlog {
        let mut backlog = backlog();
        backlog.ended = Instant::now().checked_sub(2 * PATIENCE);
        assert_eq!(performed(&mut backlog, kinds), expected);
        assert_eq!(backlog.merged(), merged);
        backlog
    }

    #[test]
    fn what_waits_behind_a_request_like_it_is_done_with_it() {
        let all = [PRINT, ZERO, PRINTF, PRINT, PRINT_TOO, ZERO, PRINTF];
        late(&all, &[PRINT, ZERO, PRINTF, PRINTF], 3);
        // One step that prints and empties is done once, and leaves nothing that another would have to empty.
        let all = [PRINT_AND_CLEAR, PRINT_AND_CLEAR, SEVERAL, SEVERAL];
        late(&all, &[PRINT_AND_CLEAR, SEVERAL], 2);
    }

    #[test]
    fn what_has_been_printed_is_emptied_and_what_is_emptied_was_printed() {
        let all = [ZERO, PRINT, ZERO, PRINT, ZERO];
        late(&all, &[ZERO, PRINT, ZERO], 2);
        let all = [PRINT, PRINT, ZERO, PRINT, ZERO];
        late(&all, &[PRINT, PRINT, ZERO], 2);
        // Also if what empties comes later.
        let all = [PRINT_AND_CLEAR, PRINT_AND_CLEAR];
        let mut backlog = late(&all, &[PRINT_AND_CLEAR], 1);
        let later = performed(&mut backlog, &[ZERO]);
        assert_eq!(later, [PRINT_AND_CLEAR, ZERO]);
        assert_eq!(backlog.merged(), 0);
    }

    #[test]
    fn what_comes_later_was_not_waiting() {
        let mut backlog = late(&[PRINT, PRINT], &[PRINT], 1);
        assert_eq!(performed(&mut backlog, &[PRINT]), [PRINT]);
        // What `END` asks for is not of that backlog.
        backlog.discard();
        assert_eq!(performed(&mut backlog, &[PRINT, PRINT]), [PRINT, PRINT]);
    }
}
