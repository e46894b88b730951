//! Sums of pages: what of one process or of several is resident, and whose it is.

use super::attribute::{attribute, windows};
use super::ledger::{Ledger, Owner};
use super::payers::{BEFORE, SAMPLED};
use super::scan::{Mapping, Snapshot};
use crate::results::MemoryKind;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Which pages are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// Who is charged; `None` if nothing tells.
    pub owner: Option<Owner>,
    /// What memory they are.
    pub kind: MemoryKind,
    /// What is mapped there; empty for memory without a name.
    pub name: Arc<[u8]>,
}

/// Pages by whose they are.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    /// What is resident now and was not before.
    pub parts: HashMap<Part, u64>,
    /// What was resident before.
    pub before: u64,
    /// What of that still is.
    pub kept: u64,
    /// What somebody is charged for and is not resident any more.
    pub returned: HashMap<Owner, u64>,
    /// Bytes that somebody has allocated and that are not freed.
    pub allocated: HashMap<Owner, u64>,
    /// Of so many pages that stand alone, one was told apart; 1 or 0 if all were.
    pub sample: u64,
}

/// How many pages some of an owner stand for, if one that stands for others is so many.
pub fn weighed(pages: u64, owner: Owner, of: u64) -> u64 {
    match owner & SAMPLED {
        0 => pages,
        _ => pages * of,
    }
}

impl Sums {
    /// What is resident now.
    pub fn after(&self) -> u64 {
        self.kept + self.parts.values().sum::<u64>()
    }

    /// By what was seen. What is shared since a fork and that nobody was charged for since is its parent's if the process `has_parent`.
    pub fn add_seen(
        &mut self,
        ledger: &Ledger,
        seen: &Snapshot,
        stacks: &BTreeSet<u64>,
        has_parent: bool,
    ) {
        let mut charged: HashMap<Owner, u64> = HashMap::new();
        for (pages, owner) in ledger.all().filter(|(_, owner)| *owner != BEFORE) {
            *charged.entry(owner).or_default() += pages.end - pages.start;
        }
        for mapping in &seen.mappings {
            let of_thread = stacks.range(mapping.pages.clone()).next().is_some();
            let name: Arc<[u8]> = (*mapping.name).into();
            // What was read and never written is not resident, and was not given back.
            for zeros in &mapping.zeros {
                for (pages, owner) in ledger.parts(zeros.clone()) {
                    if let Some(charged) = owner.and_then(|owner| charged.get_mut(&owner)) {
                        *charged -= pages.end - pages.start;
                    }
                }
            }
            for run in &mapping.resident {
                let kind = match run.kind {
                    MemoryKind::Anonymous | MemoryKind::Huge if of_thread => {
                        MemoryKind::ThreadStack
                    }
                    kind => kind,
                };
                let is_parents = has_parent && run.shared;
                let run = (mapping, &run.pages, is_parents);
                self.add_run(ledger, run, &mut charged, |owner| Part {
                    owner: owner.map(|owner| owner & !SAMPLED),
                    kind,
                    name: Arc::clone(&name),
                });
            }
        }
        for (owner, pages) in charged {
            *self.returned.entry(owner & !SAMPLED).or_default() +=
                weighed(pages, owner, self.sample);
        }
    }

    fn add_run(
        &mut self,
        ledger: &Ledger,
        (mapping, resident, is_parents): (&Mapping, &Range<u64>, bool),
        charged: &mut HashMap<Owner, u64>,
        part: impl Fn(Option<Owner>) -> Part,
    ) {
        let count = |pages: &Range<u64>| pages.end - pages.start;
        let mut uncharged = Vec::new();
        for (pages, owner) in ledger.parts(resident.clone()) {
            match owner {
                None => uncharged.push(pages),
                Some(BEFORE) => self.kept += count(&pages),
                Some(owner) => {
                    if let Some(charged) = charged.get_mut(&owner) {
                        *charged -= count(&pages);
                    }
                    *self.parts.entry(part(Some(owner))).or_default() += count(&pages);
                }
            }
        }
        for pages in uncharged {
            if is_parents {
                self.kept += count(&pages);
                continue;
            }
            let windows = windows(self.sample);
            attribute(ledger, &mapping.pages, pages, windows, |pages, owner| {
                *self.parts.entry(part(owner)).or_default() += pages;
            });
        }
    }

    /// By what was charged alone.
    pub fn add_charged(&mut self, ledger: &Ledger) {
        for (pages, owner) in ledger.all() {
            let count = weighed(pages.end - pages.start, owner, self.sample);
            match owner {
                BEFORE => self.kept += count,
                _ => {
                    let part = Part {
                        owner: Some(owner & !SAMPLED),
                        kind: MemoryKind::Unknown,
                        name: Arc::default(),
                    };
                    *self.parts.entry(part).or_default() += count;
                }
            }
        }
    }

    /// All of it is given back: the process has ended.
    pub fn give_back(&mut self) {
        for (part, pages) in self.parts.drain() {
            if let Some(owner) = part.owner {
                *self.returned.entry(owner).or_default() += pages;
            }
        }
        self.allocated.clear();
        self.kept = 0;
    }

    /// With the pages of others.
    pub fn add(&mut self, others: &Sums) {
        for (part, pages) in &others.parts {
            *self.parts.entry(part.clone()).or_default() += pages;
        }
        self.add_returned(&others.returned);
        for (owner, bytes) in &others.allocated {
            let allocated = self.allocated.entry(*owner).or_default();
            *allocated = allocated.saturating_add(*bytes);
        }
        self.before += others.before;
        self.kept += others.kept;
        self.sample = self.sample.max(others.sample);
    }

    /// With what was given back before.
    pub fn add_returned(&mut self, returned: &HashMap<Owner, u64>) {
        for (owner, pages) in returned {
            *self.returned.entry(*owner).or_default() += pages;
        }
    }
}
