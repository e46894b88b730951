//! The account of one process's resident memory: by what it has grown, and who is charged for that.
//!
//! In come changes, in the order of time: pages that were touched, ranges that were filled, given back or moved ([`Change`]). The
//! account keeps who is charged for each page ([`ledger`]). In the end it is laid beside what the process really has resident
//! ([`scan`]), if need be as it exits ([`exit`]), and what is resident and charged to nobody is given to whoever brought it along
//! ([`attribute`]). Out comes a [`Growth`].
//!
//! Scripts, probes and stacks are nothing that is known here: who is charged are bytes, that the caller knows to read.

mod attribute;
mod exit;
mod ledger;
mod scan;

use crate::results::{Growth, GrowthPart, MemoryKind, Value};
use crate::sys;
use attribute::attribute;
use exit::ExitWatch;
use ledger::{Ledger, Owner};
use pfscript_compiler::manifest::ResidentChange;
use scan::Snapshot;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

/// What has changed of a process's resident pages.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// How.
    pub change: ResidentChange,
    /// The process that did it.
    pub process: u32,
    /// Where the range begins.
    pub address: u64,
    /// The length of the range in bytes.
    pub length: u64,
    /// Where it moves to ([`ResidentChange::Move`]).
    pub to: u64,
    /// Who is charged ([`ResidentChange::Fault`], [`ResidentChange::Fill`]).
    pub by: Payer<'a>,
}

/// Who is charged: bytes, and what they are to the caller.
pub type Payer<'a> = (u32, &'a [u8]);

/// The owner of what was resident before.
const BEFORE: Owner = 0;

/// The account of one process.
#[derive(Debug)]
pub struct Account {
    process: u32,
    page: u64,
    began: Instant,
    ledger: Ledger,
    /// Who the owners after [`BEFORE`] are.
    payers: Vec<(u32, Box<[u8]>)>,
    /// The same the other way round, by what the bytes are.
    owners: HashMap<u32, HashMap<Box<[u8]>, Owner>>,
    /// Pages that were resident in the beginning.
    before: u64,
    /// Pages that were charged to somebody and then given back.
    returned: HashMap<Owner, u64>,
    /// Pages that other processes touched.
    others: u64,
    /// What sees the process at its exit, or why nothing does; `None` when the process was looked at for the last time.
    watch: Option<Result<ExitWatch, String>>,
    /// How long it took until then.
    time: Duration,
    /// What was resident in the end, or why nobody knows.
    seen: Result<Snapshot, String>,
}

impl Account {
    /// The account of a process that runs, or is about to execute its program. It is held at its exit from now on.
    pub fn begin(process: u32) -> Account {
        let watch = ExitWatch::begin(process);
        Account {
            process,
            page: sys::page_size() as u64,
            began: Instant::now(),
            ledger: Ledger::default(),
            payers: Vec::new(),
            owners: HashMap::new(),
            before: 0,
            returned: HashMap::new(),
            others: 0,
            watch: Some(watch.map_err(|error| {
                format!(
                    "process {process} could not be held at its end ({error}), and was gone then"
                )
            })),
            time: Duration::ZERO,
            seen: Err(format!("process {process} was not looked at")),
        }
    }

    /// Takes what the process has resident now for what was there before. Changes that come later say what has changed since
    /// [`Account::begin`].
    pub fn note_before(&mut self) {
        // A process that has ended meanwhile is told so at the end.
        let snapshot = scan::read(self.process).unwrap_or_default();
        self.before = snapshot.pages();
        for (pages, _) in snapshot
            .mappings
            .into_iter()
            .flat_map(|mapping| mapping.resident)
        {
            self.ledger.fill(pages, BEFORE);
        }
    }

    /// Takes a change in; of those of other processes, what they touched is counted.
    pub fn apply(&mut self, change: &Change<'_>) {
        if change.process != self.process {
            self.others += u64::from(change.change == ResidentChange::Fault);
            return;
        }
        let page = self.page;
        let pages =
            change.address / page..change.address.saturating_add(change.length).div_ceil(page);
        let returned = &mut self.returned;
        let count = |pages: Range<u64>, owner| {
            if owner != BEFORE {
                *returned.entry(owner).or_default() += pages.end - pages.start;
            }
        };
        match change.change {
            ResidentChange::Fault => {
                let owner = self.owner(change.by);
                self.ledger.charge(pages, owner);
            }
            ResidentChange::Fill => {
                let owner = self.owner(change.by);
                self.ledger.fill(pages, owner);
            }
            ResidentChange::Drop => self.ledger.remove(pages, count),
            ResidentChange::Move => self.ledger.shift(pages, change.to / page, count),
        }
    }

    fn owner(&mut self, (kind, bytes): Payer<'_>) -> Owner {
        let owners = self.owners.entry(kind).or_default();
        if let Some(owner) = owners.get(bytes) {
            return *owner;
        }
        self.payers.push((kind, bytes.into()));
        let owner = self.payers.len() as Owner;
        owners.insert(bytes.into(), owner);
        owner
    }

    /// Looks at the process for the last time, or takes what was seen at its exit. Changes from before may still be taken in.
    pub fn close(&mut self) {
        let Some(watch) = self.watch.take() else {
            return;
        };
        self.time = self.began.elapsed();
        // Before it is let go: it may be held at its exit just now.
        let now = scan::read(self.process)
            .ok()
            .filter(|seen| seen.pages() > 0);
        let (at_exit, why) = match watch {
            Ok(watch) => (watch.end(), None),
            Err(why) => (None, Some(why)),
        };
        let gone = || {
            format!(
                "process {} was gone before its memory could be looked at",
                self.process
            )
        };
        self.seen = at_exit.or(now).ok_or_else(|| why.unwrap_or_else(gone));
    }

    /// By what the process has grown, as far as it was looked at. `read` says what bytes of who is charged are.
    pub fn growth(&self, mut read: impl FnMut(Payer<'_>) -> Value) -> Growth {
        let payers: Vec<Value> = self
            .payers
            .iter()
            .map(|(kind, bytes)| read((*kind, bytes)))
            .collect();
        let mut sums = Sums::default();
        match &self.seen {
            Ok(seen) => sums.add_seen(&self.ledger, seen),
            Err(_) => sums.add_charged(&self.ledger),
        }
        let bytes = |pages: u64| pages * self.page;
        let mut parts: Vec<GrowthPart> = sums
            .parts
            .into_iter()
            .map(|((owner, kind, name), pages)| GrowthPart {
                bytes: bytes(pages),
                kind,
                file: (!name.is_empty()).then(|| name.into()),
                by: owner.and_then(|owner| payers.get(owner as usize - 1).cloned()),
            })
            .collect();
        parts.sort_by(|a, b| (b.bytes, a.kind, &a.file).cmp(&(a.bytes, b.kind, &b.file)));
        let grown: u64 = parts.iter().map(|part| part.bytes).sum();
        let mut returned = sums.returned;
        for (owner, pages) in &self.returned {
            *returned.entry(*owner).or_default() += pages;
        }
        let by_owner = returned.into_iter().filter(|(_, pages)| *pages > 0);
        let mut returned_by: Vec<(u64, Value)> = by_owner
            .filter_map(|(owner, pages)| {
                Some((bytes(pages), payers.get(owner as usize - 1)?.clone()))
            })
            .collect();
        returned_by.sort_by_key(|(bytes, _)| Reverse(*bytes));
        let gone = bytes(self.before.saturating_sub(sums.before));
        let seen = self.seen.as_ref().ok();
        Growth {
            process: self.process,
            comm: seen.map(|seen| seen.comm.clone()).unwrap_or_default(),
            time: self.time,
            before: bytes(self.before),
            after: bytes(sums.before) + grown,
            gone,
            returned: returned_by.iter().map(|(bytes, _)| bytes).sum(),
            returned_by,
            others: bytes(self.others),
            parts,
            unseen: self.seen.as_ref().err().cloned(),
        }
    }
}

/// Pages by whose they are.
#[derive(Default)]
struct Sums<'a> {
    /// What is resident now and was not before; the owner is `None` if nothing tells.
    parts: HashMap<(Option<Owner>, MemoryKind, &'a [u8]), u64>,
    /// What was resident before, and still is.
    before: u64,
    /// What somebody is charged for and is not resident any more.
    returned: HashMap<Owner, u64>,
}

impl<'a> Sums<'a> {
    /// By what was seen in the end.
    fn add_seen(&mut self, ledger: &Ledger, seen: &'a Snapshot) {
        for (pages, owner) in ledger.all().filter(|(_, owner)| *owner != BEFORE) {
            *self.returned.entry(owner).or_default() += pages.end - pages.start;
        }
        for mapping in &seen.mappings {
            for (resident, kind) in &mapping.resident {
                for (pages, owner) in ledger.parts(resident.clone()) {
                    if let Some(charged) = owner.and_then(|owner| self.returned.get_mut(&owner)) {
                        *charged -= pages.end - pages.start;
                    }
                }
                attribute(
                    ledger,
                    &mapping.pages,
                    resident.clone(),
                    BEFORE,
                    |pages, owner| match owner {
                        Some(BEFORE) => self.before += pages,
                        _ => *self.parts.entry((owner, *kind, &mapping.name)).or_default() += pages,
                    },
                );
            }
        }
    }

    /// By what was charged alone.
    fn add_charged(&mut self, ledger: &Ledger) {
        for (pages, owner) in ledger.all() {
            let count = pages.end - pages.start;
            match owner {
                BEFORE => self.before += count,
                _ => {
                    let key = (Some(owner), MemoryKind::Unknown, &b""[..]);
                    *self.parts.entry(key).or_default() += count;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: ResidentChange, process: u32, address: u64, length: u64) -> Change<'static> {
        Change {
            change: kind,
            process,
            address,
            length,
            to: 0,
            by: (0, b""),
        }
    }

    /// What is charged for memory of this process, which is found in it again.
    #[test]
    fn the_growth_of_this_process_is_explained() {
        let own = std::process::id();
        // Nobody can hold himself.
        let mut account = Account::begin(own);
        account.note_before();
        let page = sys::page_size();
        let memory = vec![0_u8; 32 << 20];
        let fault = |account: &mut Account, address: usize, by: &'static [u8]| {
            account.apply(&Change {
                by: (0, by),
                ..change(ResidentChange::Fault, own, address as u64, 1)
            });
        };
        let start = memory.as_ptr() as usize;
        let mut memory = std::hint::black_box(memory);
        for at in (0..memory.len()).step_by(page) {
            memory[at] = 1;
            fault(
                &mut account,
                start + at,
                if at < 8 << 20 { b"first" } else { b"second" },
            );
        }
        // Another process's memory is not ours.
        account.apply(&Change {
            by: (0, b"third"),
            ..change(ResidentChange::Fault, own + 1, start as u64, 32 << 20)
        });
        account.close();
        let growth = account.growth(|(_, bytes)| Value::Str(bytes.to_vec()));
        let of = |name: &[u8]| -> u64 {
            let parts = growth.parts.iter();
            let own = parts.filter(|part| part.by == Some(Value::Str(name.to_vec())));
            own.map(|part| part.bytes).sum()
        };
        assert_eq!(growth.unseen, None);
        assert!(of(b"first").abs_diff(8 << 20) < 1 << 20, "{growth:?}");
        assert!(of(b"second").abs_diff(24 << 20) < 1 << 20, "{growth:?}");
        assert_eq!(of(b"third"), 0);
        assert_eq!(growth.others, page as u64);
        let parts: u64 = growth.parts.iter().map(|part| part.bytes).sum();
        assert_eq!(growth.after + growth.gone, growth.before + parts);
        assert_eq!(std::hint::black_box(&memory)[0], 1);
    }

    #[test]
    fn what_cannot_be_looked_at_is_told_by_faults_alone() {
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        child.wait().unwrap();
        let mut account = Account::begin(child.id());
        let page = sys::page_size() as u64;
        for (kind, address, length) in [
            (ResidentChange::Fault, 10 * page, 1),
            (ResidentChange::Fill, 10 * page, 8 * page),
            (ResidentChange::Drop, 12 * page + 1, 1),
        ] {
            account.apply(&change(kind, child.id(), address, length));
        }
        account.close();
        let growth = account.growth(|_| Value::Int(1));
        assert!(growth.unseen.is_some());
        assert_eq!((growth.before, growth.after), (0, 7 * page));
        assert_eq!((growth.returned, growth.parts.len()), (page, 1));
    }
}
