//! The account of one process: what it had before, who is charged for which of its pages, and what it gave back.

use super::ledger::{Ledger, Owner};
use super::payers::BEFORE;
use super::scan::{self, Snapshot};
use super::sums::Sums;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

/// Extents of a parent that a child gets its own of at most: to copy more would take long at each fork.
const INHERITED: usize = 1 << 16;

/// Stacks of threads that are known at most.
const STACKS: usize = 1 << 14;

/// What has become of one process's pages.
#[derive(Debug, Default)]
pub struct Account {
    ledger: Ledger,
    /// Pages that were resident in the beginning.
    before: u64,
    /// It began with a copy of its parent's memory.
    has_parent: bool,
    /// Pages that were charged to somebody and then given back.
    returned: HashMap<Owner, u64>,
    /// Pages in the stacks of threads.
    stacks: BTreeSet<u64>,
    /// Something has changed since it began.
    touched: bool,
    /// What was resident when it was looked at last, and is not to be asked again.
    seen: Option<Snapshot>,
}

impl Account {
    /// That of a process that runs: what it has resident now was there before. Changes that come later say what has changed since.
    pub fn of_running(process: u32) -> Account {
        let mut account = Account::default();
        // A process that has ended meanwhile is told so at the end.
        let snapshot = scan::read(process).unwrap_or_default();
        account.before = snapshot.pages();
        let mappings = snapshot.mappings.into_iter();
        for run in mappings.flat_map(|mapping| mapping.resident) {
            account.ledger.fill(run.pages, BEFORE);
        }
        account
    }

    /// That of a child that begins with a copy of this one's memory.
    pub fn of_child(&self) -> Account {
        let mut account = Account {
            has_parent: true,
            ..Account::default()
        };
        if self.ledger.extents() <= INHERITED {
            for (pages, _) in self.ledger.all() {
                account.ledger.charge(pages, BEFORE);
            }
        }
        account
    }

    /// So many pieces its memory is kept in.
    pub fn extents(&self) -> usize {
        self.ledger.extents()
    }

    /// Whether anything has changed since it began.
    pub fn is_touched(&self) -> bool {
        self.touched
    }

    /// Charges who has touched pages.
    pub fn charge(&mut self, pages: Range<u64>, owner: Owner) {
        self.touched = true;
        self.ledger.charge(pages, owner);
    }

    /// Charges who had the kernel fill pages.
    pub fn fill(&mut self, pages: Range<u64>, owner: Owner) {
        self.touched = true;
        self.ledger.fill(pages, owner);
    }

    /// Takes the charge from pages that are given back.
    pub fn give_back(&mut self, pages: Range<u64>) {
        self.touched = true;
        let gone: Vec<u64> = self.stacks.range(pages.clone()).copied().collect();
        for page in gone {
            self.stacks.remove(&page);
        }
        self.ledger.remove(pages, counted(&mut self.returned));
    }

    /// Moves pages to another place.
    pub fn shift(&mut self, pages: Range<u64>, to: u64) {
        self.ledger.shift(pages, to, counted(&mut self.returned));
    }

    /// A page is in the stack of a thread.
    pub fn note_stack(&mut self, page: u64) {
        if self.stacks.len() < STACKS {
            self.stacks.insert(page);
        }
    }

    /// The process executes a program, with nothing of what it had from its parent.
    pub fn execute(&mut self) {
        self.give_back(0..u64::MAX);
        self.has_parent = false;
    }

    /// Takes what was seen of the process for what it has in the end, if anything was.
    pub fn see(&mut self, snapshot: Option<Snapshot>) {
        if snapshot.is_some() {
            self.seen = snapshot;
        }
    }

    /// Looks at the process; false if there is nothing to be seen any more.
    pub fn look(&mut self, process: u32) -> bool {
        let now = scan::read(process).ok();
        self.seen = now.filter(|seen| seen.pages() > 0);
        self.seen.is_some()
    }

    /// What was seen is old, and no more to be gone by.
    pub fn forget_seen(&mut self) {
        self.seen = None;
    }

    /// What it was called when it was looked at.
    pub fn comm(&self) -> Option<&[u8]> {
        self.seen.as_ref().map(|seen| &seen.comm[..])
    }

    /// What it comes to, by what was seen, failing that by what was charged alone.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums {
            before: self.before,
            ..Sums::default()
        };
        match &self.seen {
            Some(seen) => sums.add_seen(&self.ledger, seen, &self.stacks, self.has_parent),
            None => sums.add_charged(&self.ledger),
        }
        sums.add_returned(&self.returned);
        if self.has_parent {
            // What a child writes to is its own, and was not before.
            sums.before = sums.kept;
        }
        sums
    }

    /// Whether it was looked at.
    pub fn is_seen(&self) -> bool {
        self.seen.is_some()
    }
}

/// Counts pages that are given back.
fn counted(returned: &mut HashMap<Owner, u64>) -> impl FnMut(Range<u64>, Owner) {
    |pages, owner| {
        if owner != BEFORE {
            *returned.entry(owner).or_default() += pages.end - pages.start;
        }
    }
}
