//! The account of one process: what it had before, who is charged for which of its pages, and what it gave back.

use super::ledger::{Ledger, Owner};
use super::payers::{BEFORE, OTHERS, SAMPLED};
use super::scan::{self, Snapshot};
use super::sums::{Sums, weighed};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

/// Extents of a parent that a child gets its own of at most: to copy more would take long at each fork.
const INHERITED: usize = 1 << 16;

/// Stacks of threads that are known at most.
const STACKS: usize = 1 << 14;

/// Blocks that are allocated and known at most.
const BLOCKS: usize = 1 << 18;

/// What has become of one process's pages.
#[derive(Debug, Default)]
pub struct Account {
    ledger: Ledger,
    /// Pages that were resident in the beginning.
    before: u64,
    /// Pieces that these were in.
    extents_before: usize,
    /// It began with a copy of its parent's memory.
    has_parent: bool,
    /// Pages that were charged to somebody and then given back.
    returned: HashMap<Owner, u64>,
    /// Pages in the stacks of threads.
    stacks: BTreeSet<u64>,
    /// Blocks that are allocated, by where they begin: their bytes, and who has allocated them.
    blocks: HashMap<u64, (u64, Owner)>,
    /// Bytes of those that there was no room for.
    unknown_blocks: u64,
    /// Of so many pages that were touched, one was told.
    told_of: u64,
    /// The page that was touched last.
    last: u64,
    /// How often pages that stand alone were thinned.
    thinned: u32,
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
        account.extents_before = account.extents();
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

    /// So many more than in the beginning.
    pub fn new_extents(&self) -> usize {
        self.ledger.extents().saturating_sub(self.extents_before)
    }

    /// Whether anything has changed since it began.
    pub fn is_touched(&self) -> bool {
        self.touched
    }

    /// Charges who has touched a page, which stands for so many that were touched.
    pub fn charge(&mut self, page: u64, owner: Owner, of: u64) {
        self.touched = true;
        self.told_of = self.told_of.max(of);
        let owner = if of > 1 { owner | SAMPLED } else { owner };
        // Memory that is touched in order is few pieces anyway. What is charged already must not stay another's.
        let goes_on = self.last.abs_diff(page) == 1 && self.ledger.owner(self.last) == Some(owner);
        if self.keeps(page) || goes_on || self.ledger.owner(page).is_some() {
            self.ledger.charge(page..page + 1, owner);
        }
        self.last = page;
    }

    /// Whether a page that stands alone is kept.
    fn keeps(&self, page: u64) -> bool {
        // Fibonacci hashing: pages in a row fall evenly.
        let hash = page.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash.leading_zeros() >= self.thinned
    }

    /// Forgets every other page that stands alone, and of those to come as many, until nearly none is left.
    pub fn thin(&mut self) {
        const MOST: u32 = 10;
        self.thinned = (self.thinned + 1).min(MOST);
        let mut ledger = std::mem::take(&mut self.ledger);
        ledger.thin(|page, owner| owner == BEFORE || self.keeps(page));
        self.ledger = ledger;
    }

    /// Of so many pages that stand alone, one is told apart.
    pub fn sample(&self) -> u64 {
        self.told_of.max(1) << self.thinned
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
        let of = self.sample();
        self.ledger.remove(pages, counted(&mut self.returned, of));
    }

    /// Moves pages to another place.
    pub fn shift(&mut self, pages: Range<u64>, to: u64) {
        let of = self.sample();
        self.ledger
            .shift(pages, to, counted(&mut self.returned, of));
    }

    /// A block is allocated.
    pub fn allocate(&mut self, address: u64, bytes: u64, owner: Owner) {
        self.touched = true;
        if self.blocks.len() < BLOCKS || self.blocks.contains_key(&address) {
            self.blocks.insert(address, (bytes, owner));
        } else {
            self.unknown_blocks = self.unknown_blocks.saturating_add(bytes);
        }
    }

    /// A block is freed.
    pub fn free(&mut self, address: u64) {
        self.blocks.remove(&address);
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
        self.blocks.clear();
        self.unknown_blocks = 0;
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
            sample: self.sample(),
            ..Sums::default()
        };
        match &self.seen {
            Some(seen) => sums.add_seen(&self.ledger, seen, &self.stacks, self.has_parent),
            None => sums.add_charged(&self.ledger),
        }
        sums.add_returned(&self.returned);
        let blocks = self.blocks.values().copied();
        let unknown = Some((self.unknown_blocks, OTHERS)).filter(|(bytes, _)| *bytes > 0);
        for (bytes, owner) in blocks.chain(unknown) {
            let allocated = sums.allocated.entry(owner).or_default();
            *allocated = allocated.saturating_add(bytes);
        }
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

/// Counts pages that are given back; one that stands for others is so many.
fn counted(returned: &mut HashMap<Owner, u64>, of: u64) -> impl FnMut(Range<u64>, Owner) {
    move |pages, owner| {
        let count = pages.end - pages.start;
        if owner != BEFORE {
            *returned.entry(owner & !SAMPLED).or_default() += weighed(count, owner, of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::{Mapping, Run};
    use super::*;
    use crate::results::MemoryKind;

    const PAGES: u64 = 1 << 15;

    /// A process with so many pages of one kind.
    fn all_resident() -> Snapshot {
        let run = Run {
            pages: 0..PAGES,
            kind: MemoryKind::Anonymous,
            shared: false,
        };
        Snapshot {
            comm: b"x".to_vec(),
            mappings: vec![Mapping {
                pages: 0..PAGES,
                name: Box::default(),
                resident: vec![run],
                zeros: Vec::new(),
            }],
        }
    }

    /// Pages in no order, three of four for owner 8, the others for owner 9.
    fn scattered() -> impl Iterator<Item = (u64, Owner)> {
        let mut state = 7_u64;
        (0..PAGES).map(move |number| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let owner = if state >> 62 == 0 { 9 } else { 8 };
            // An odd factor goes through all of them.
            (number * 12_345_677 % PAGES, owner)
        })
    }

    /// The pages of each owner, and how many of a hundred that is.
    fn shares(account: &Account) -> (u64, HashMap<Option<Owner>, u64>) {
        let sums = account.sums();
        let all = sums.after();
        let mut shares = HashMap::new();
        for (part, pages) in &sums.parts {
            *shares.entry(part.owner).or_insert(0) += pages * 100 / all;
        }
        (all, shares)
    }

    #[track_caller]
    fn are_right(account: &mut Account) {
        account.see(Some(all_resident()));
        let (all, shares) = shares(account);
        assert_eq!(all, PAGES);
        assert!(shares[&Some(8)].abs_diff(75) <= 3, "{shares:?}");
        assert!(shares[&Some(9)].abs_diff(25) <= 3, "{shares:?}");
    }

    #[test]
    fn what_is_thinned_keeps_its_shares() {
        let mut account = Account::default();
        for (number, (page, owner)) in scattered().enumerate() {
            account.charge(page, owner, 1);
            if number % 8192 == 8191 {
                account.thin();
            }
        }
        assert!(
            account.extents() < PAGES as usize / 8,
            "{}",
            account.extents()
        );
        assert_eq!(account.sample(), 16);
        are_right(&mut account);
    }

    #[test]
    fn pages_that_stand_for_others_are_as_many_when_they_are_given_back() {
        let mut account = Account::default();
        for (page, owner) in scattered().filter(|(page, _)| page % 16 == 5) {
            account.charge(page, owner, 16);
        }
        are_right(&mut account);
        account.give_back(0..PAGES);
        account.see(Some(Snapshot::default()));
        let returned = account.sums().returned;
        assert_eq!(returned[&8] + returned[&9], PAGES);
        assert!(
            returned[&8].abs_diff(PAGES * 3 / 4) < PAGES / 32,
            "{returned:?}"
        );
    }
}
