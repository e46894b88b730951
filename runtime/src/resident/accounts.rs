//! The accounts of all processes that are followed: which those are, when they begin and end, and what sees them at their exit.

use super::account::Account;
use super::exit::ExitWatch;
use super::payers::Payers;
use super::report::{Entries, Entry, Printed};
use super::{Change, Payer, scan};
use crate::facts::namespace;
use crate::processes::{proc_maps, proc_status};
use crate::results::{GrowthReport, Value};
use crate::sys;
use pfscript_compiler::manifest::ResidentChange;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::time::{Duration, Instant};

/// So many processes are followed at a time.
const PROCESSES: usize = 4096;

/// So many ids are known not to be followed before all are asked for again.
const STRANGERS: usize = 1 << 14;

/// Pieces that the memory of all processes that run is kept in when tracing begins; others are looked at when they first touch a page.
const EXTENTS_BEFORE: usize = 400_000;

/// Pieces that the memory of all is kept in, some 25 bytes each, before less is kept; and after how many changes that is looked at.
const EXTENTS: usize = 1 << 20;
const EXTENTS_EVERY: u64 = 1 << 16;

/// Pages that are filled at once without a look at what is mapped.
const FILLED: u64 = 16 << 10;

/// Which processes are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// All.
    All,
    /// One that runs.
    Process(u32),
    /// One that has not begun.
    Command(u32),
}

/// The accounts.
#[derive(Debug)]
pub struct Accounts {
    followed: Followed,
    page: u64,
    began: Instant,
    payers: Payers,
    /// Of those that live.
    live: BTreeMap<u32, Account>,
    /// Processes that have another one's memory, until they execute a program.
    sharing: HashMap<u32, u32>,
    /// Of those that have ended.
    ended: Entries,
    /// Processes that are not followed, or not any more.
    strangers: HashSet<u32>,
    /// Pages that those touched.
    others: u64,
    /// How many changes there were.
    changes: u64,
    /// What sees processes at their exit.
    watch: Option<ExitWatch>,
    /// Why a process could not be held at its end.
    unheld: HashMap<u32, String>,
    /// How long it took until they were looked at for the last time.
    closed: Option<Duration>,
    /// What was printed last.
    printed: Option<Printed>,
    /// When the last report was made, and how long it took.
    reported: Option<(Instant, Duration)>,
}

impl Accounts {
    /// Begins to follow processes that run, or are about to execute their program, `with_children` those that they start, too. They
    /// are held at their exit from now on, unless all are followed. Reports have all of them `together`, if they are to.
    pub fn begin(followed: Followed, with_children: bool, together: bool) -> Accounts {
        let mut accounts = Accounts {
            followed,
            page: sys::page_size() as u64,
            began: Instant::now(),
            payers: Payers::default(),
            live: BTreeMap::new(),
            sharing: HashMap::new(),
            ended: Entries::new(together),
            strangers: HashSet::from([std::process::id()]),
            others: 0,
            changes: 0,
            watch: None,
            unheld: HashMap::new(),
            closed: None,
            printed: None,
            reported: None,
        };
        match followed {
            Followed::All => accounts.note_all(),
            Followed::Process(process) => {
                accounts.watch = ExitWatch::begin(with_children).ok();
                accounts.hold(process);
                let account = Account::of_running(process);
                accounts.live.insert(process, account);
            }
            Followed::Command(process) => {
                accounts.watch = ExitWatch::begin(with_children).ok();
                accounts.hold(process);
                accounts.live.insert(process, Account::default());
            }
        }
        accounts
    }

    /// Opens accounts of all that run, as far as there is room.
    fn note_all(&mut self) {
        let mut extents = 0;
        for process in proc_maps::processes().unwrap_or_default() {
            if extents > EXTENTS_BEFORE || self.live.len() == PROCESSES {
                break;
            }
            if !self.strangers.contains(&process) {
                let account = Account::of_running(process);
                extents += account.extents();
                self.live.insert(process, account);
            }
        }
    }

    fn hold(&mut self, process: u32) {
        let Some(watch) = &self.watch else {
            return;
        };
        if let Err(error) = watch.hold(process) {
            let why = format!(
                "process {process} could not be held at its end ({error}), and was gone then"
            );
            self.unheld.insert(process, why);
        }
    }

    /// Takes a change in.
    pub fn apply(&mut self, change: &Change<'_>) {
        let process = change.process;
        let page = self.page;
        let pages =
            change.address / page..change.address.saturating_add(change.length).div_ceil(page);
        match change.change {
            // Ids of forks are the kernel's own: elsewhere they are another process's.
            ResidentChange::Fork if namespace::pid().is_some() => {}
            ResidentChange::Fork => {
                self.forked(process, change.address as u32, change.length != 0);
            }
            ResidentChange::Exit => self.exited(process, change.by.1),
            ResidentChange::Print => {}
            ResidentChange::Drop if change.address == 0 && change.length == u64::MAX => {
                self.executed(process);
            }
            ResidentChange::Drop => self.with(change, |account, _| account.give_back(pages)),
            ResidentChange::Fault => {
                self.with(change, |account, payers| {
                    account.charge(pages.start, payers.owner(change.by), change.length);
                });
            }
            ResidentChange::Fill => self.filled(change, pages),
            ResidentChange::Move => {
                self.with(change, |account, _| account.shift(pages, change.to / page));
            }
            ResidentChange::Allocate => {
                self.with(change, |account, payers| {
                    let owner = payers.owner(change.by);
                    account.allocate(change.address, change.length, owner);
                });
            }
            ResidentChange::Free => self.with(change, |account, _| account.free(change.address)),
            ResidentChange::Stack => {
                self.with(change, |account, _| account.note_stack(pages.start));
            }
        }
    }

    /// Does something with the account of the process that a change is of; of those of other processes, what they touched is
    /// counted.
    fn with(&mut self, change: &Change<'_>, what: impl FnOnce(&mut Account, &mut Payers)) {
        let memory = self.memory_of(change.process);
        let touches = change.change == ResidentChange::Fault;
        if touches && !self.live.contains_key(&memory) {
            self.adopt(memory);
        }
        match self.live.get_mut(&memory) {
            Some(account) => what(account, &mut self.payers),
            None if memory == std::process::id() => {}
            None if touches => self.others += change.length,
            None => {}
        }
        self.changes += 1;
        if self.changes.is_multiple_of(EXTENTS_EVERY) {
            self.make_room();
        }
    }

    /// Keeps less of the largest accounts, if all of them take too much memory.
    fn make_room(&mut self) {
        let all: usize = self.live.values().map(Account::new_extents).sum();
        let largest = (self.live.values_mut()).max_by_key(|account| account.new_extents());
        if let (true, Some(account)) = (all > EXTENTS, largest) {
            account.thin();
        }
    }

    /// The kernel fills pages, as far as something is mapped: a program may ask for any range.
    fn filled(&mut self, change: &Change<'_>, pages: Range<u64>) {
        let is_large = pages.end - pages.start > FILLED;
        let mapped = is_large.then(|| scan::mapped(change.process, self.page));
        self.with(change, |account, payers| {
            let owner = payers.owner(change.by);
            match mapped {
                Some(mapped) => {
                    for own in mapped.unwrap_or_default() {
                        account.fill(own.start.max(pages.start)..own.end.min(pages.end), owner);
                    }
                }
                None => account.fill(pages, owner),
            }
        });
    }

    /// Whose memory a process has: its own, or its parent's.
    fn memory_of(&self, process: u32) -> u32 {
        self.sharing.get(&process).copied().unwrap_or(process)
    }

    /// Opens the account of a process whose beginning was not told, if it is one to be followed.
    fn adopt(&mut self, process: u32) {
        if self.strangers.contains(&process) {
            return;
        }
        let parent = proc_status::parent(process);
        let is_followed = match self.followed {
            Followed::All => parent.is_some(),
            Followed::Process(_) | Followed::Command(_) => {
                self.watch.is_some() && parent.is_some_and(|parent| self.live.contains_key(&parent))
            }
        };
        if is_followed && self.closed.is_none() && self.live.len() < PROCESSES {
            self.hold(process);
            self.live.insert(process, Account::of_running(process));
        } else {
            self.is_strange(process);
        }
    }

    fn is_strange(&mut self, process: u32) {
        if self.strangers.len() >= STRANGERS {
            self.strangers = HashSet::from([std::process::id()]);
        }
        self.strangers.insert(process);
    }

    fn forked(&mut self, parent: u32, child: u32, shares: bool) {
        let memory = self.memory_of(parent);
        let Some(account) = self.live.get(&memory) else {
            return;
        };
        self.strangers.remove(&child);
        if self.live.len() + self.sharing.len() >= PROCESSES {
            self.is_strange(child);
            return;
        }
        match shares {
            true => drop(self.sharing.insert(child, memory)),
            false => drop(self.live.insert(child, account.of_child())),
        }
        // One that its parent's first thread has started is held already.
        if self.closed.is_none() {
            self.hold(child);
        }
    }

    /// A process has another program, with nothing of the one before.
    fn executed(&mut self, process: u32) {
        if self.sharing.remove(&process).is_some() {
            self.live.insert(process, Account::default());
        } else if let Some(account) = self.live.get_mut(&process) {
            account.execute();
        }
    }

    fn exited(&mut self, process: u32, comm: &[u8]) {
        let seen = self.watch.as_ref().and_then(|watch| watch.take(process));
        if self.sharing.remove(&process).is_some() {
            return;
        }
        let Some(mut account) = self.live.remove(&process) else {
            return;
        };
        self.is_strange(process);
        account.see(seen);
        let mut comm = comm;
        while let [rest @ .., 0] = comm {
            comm = rest;
        }
        let mut entry = self.entry(process, &account, comm);
        if self.followed == Followed::All {
            entry.give_back();
        }
        self.unheld.remove(&process);
        self.ended.push(entry);
    }

    /// What the account of a process comes to.
    fn entry(&self, process: u32, account: &Account, comm: &[u8]) -> Entry {
        let gone = || format!("process {process} was gone before its memory could be looked at");
        let unheld = self.unheld.get(&process);
        let unseen = (!account.is_seen()).then(|| unheld.cloned().unwrap_or_else(gone));
        let comm = account.comm().unwrap_or(comm);
        Entry {
            process,
            comm: comm.into(),
            processes: 1,
            sums: account.sums(),
            unseen,
        }
    }

    /// Looks at all processes for the last time. Changes from before may still be taken in.
    pub fn close(&mut self) {
        if self.closed.is_some() {
            return;
        }
        self.closed = Some(self.began.elapsed());
        self.look();
        // Behind that, since one may be held at its exit just now.
        if let Some(watch) = &mut self.watch {
            watch.end();
        }
    }

    fn look(&mut self) {
        for (process, account) in &mut self.live {
            if account.is_touched() || self.followed != Followed::All {
                account.look(*process);
            }
        }
    }

    /// Whether the last report is long enough ago: reports that take longer than the script waits between them would keep the tracer from all
    /// else.
    pub fn may_print(&self) -> bool {
        self.reported
            .is_none_or(|(end, took)| 4 * end.elapsed() >= took)
    }

    /// By what processes have grown: now, or when they were looked at for the last time. `read` says what bytes of who is charged are.
    pub fn report(&mut self, mut read: impl FnMut(Payer<'_>) -> Value) -> GrowthReport {
        let began = Instant::now();
        if self.closed.is_none() {
            self.look();
        }
        let mut entries = self.ended.clone();
        let live: Vec<u32> = self.live.keys().copied().collect();
        for process in live {
            let Some(account) = self.live.get_mut(&process) else {
                continue;
            };
            if !account.is_touched() && self.followed == Followed::All {
                continue;
            }
            if !account.is_seen() {
                account.see(self.watch.as_ref().and_then(|watch| watch.take(process)));
            }
            if !account.is_seen() {
                account.look(process);
            }
            if let Some(account) = self.live.get(&process) {
                let mut entry = self.entry(process, account, b"");
                if self.followed == Followed::All && !account.is_seen() {
                    // It has ended, which is told a little later.
                    entry.give_back();
                }
                entries.push(entry);
            }
        }
        let payers = &self.payers;
        let value = |owner| match payers.get(owner) {
            Some(payer) => read(payer),
            None => Value::Literal(b"what there was no room to tell apart".into()),
        };
        let time = self.closed.unwrap_or_else(|| self.began.elapsed());
        let printed = self.printed.take();
        let (mut report, printed) = entries.report(self.page, time, printed.as_ref(), value);
        report.others = self.others * self.page;
        self.reported = Some((Instant::now(), began.elapsed()));
        if self.closed.is_none() {
            self.live.values_mut().for_each(Account::forget_seen);
        }
        self.printed = Some(printed);
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(change: ResidentChange, process: u32, address: u64, length: u64) -> Change<'static> {
        Change {
            change,
            process,
            address,
            length,
            to: 0,
            by: (0, b"somebody"),
        }
    }

    fn text((_, bytes): Payer<'_>) -> Value {
        Value::Str(bytes.to_vec())
    }

    /// What is charged for memory of this process, which is found in it again.
    #[test]
    fn the_growth_of_this_process_is_explained() {
        let own = std::process::id();
        // Nobody can hold himself.
        let mut accounts = Accounts::begin(Followed::Process(own), false, false);
        let page = sys::page_size();
        let memory = vec![0_u8; 32 << 20];
        let start = memory.as_ptr() as usize;
        let mut memory = std::hint::black_box(memory);
        for at in (0..memory.len()).step_by(page) {
            memory[at] = 1;
            let by: &[u8] = if at < 8 << 20 { b"first" } else { b"second" };
            accounts.apply(&Change {
                by: (0, by),
                ..change(ResidentChange::Fault, own, (start + at) as u64, 1)
            });
        }
        // Another process's memory is not ours.
        accounts.apply(&change(ResidentChange::Fault, 1, start as u64, 1));
        accounts.close();
        let report = accounts.report(text);
        let [growth] = &report.processes[..] else {
            panic!("{report:?}");
        };
        let of = |name: &[u8]| -> u64 {
            let parts = growth.parts.iter();
            let own = parts.filter(|part| part.by == Some(Value::Str(name.to_vec())));
            own.map(|part| part.bytes).sum()
        };
        assert_eq!(growth.unseen, None);
        assert!(of(b"first").abs_diff(8 << 20) < 1 << 20, "{growth:?}");
        assert!(of(b"second").abs_diff(24 << 20) < 1 << 20, "{growth:?}");
        assert_eq!(of(b"somebody"), 0);
        assert_eq!(report.others, page as u64);
        let parts: u64 = growth.parts.iter().map(|part| part.bytes).sum();
        assert_eq!(growth.after + growth.gone, growth.before + parts);
        assert_eq!(std::hint::black_box(&memory)[0], 1);
    }

    /// Accounts of a process that is gone, and its id.
    fn of_nobody() -> (Accounts, u32, u64) {
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        child.wait().unwrap();
        let accounts = Accounts::begin(Followed::Command(child.id()), true, false);
        (accounts, child.id(), sys::page_size() as u64)
    }

    #[test]
    fn what_cannot_be_looked_at_is_told_by_faults_alone() {
        let (mut accounts, process, page) = of_nobody();
        for (kind, address, length) in [
            (ResidentChange::Fault, 10 * page, 1),
            (ResidentChange::Fill, 10 * page, 8 * page),
            (ResidentChange::Drop, 12 * page + 1, 1),
        ] {
            accounts.apply(&change(kind, process, address, length));
        }
        accounts.close();
        let growth = accounts.report(text).processes.remove(0);
        assert!(growth.unseen.is_some());
        assert_eq!((growth.before, growth.after), (0, 7 * page));
        assert_eq!((growth.returned, growth.parts.len()), (page, 1));
    }

    #[test]
    fn children_begin_with_what_they_have_from_their_parent() {
        let (mut accounts, parent, page) = of_nobody();
        // Ids that no process has.
        let (copy, same, program) = (u32::MAX - 1, u32::MAX - 2, u32::MAX - 3);
        let mut apply = |kind, process, address, length| {
            accounts.apply(&change(kind, process, address, length));
        };
        use ResidentChange::{Drop, Exit, Fault, Fork};
        for at in 0..10 {
            apply(Fault, parent, at * page, 1);
        }
        for (child, shares) in [(copy, 0), (same, 1), (program, 1)] {
            apply(Fork, parent, child.into(), shares);
        }
        for at in 4..14 {
            apply(Fault, copy, at * page, 1);
        }
        apply(Fault, same, 20 * page, 1);
        apply(Fault, program, 21 * page, 1);
        apply(Drop, program, 0, u64::MAX);
        for at in 0..3 {
            apply(Fault, program, at * page, 1);
        }
        for child in [copy, same, program] {
            apply(Exit, child, 0, 0);
        }
        accounts.close();
        let report = accounts.report(text);
        let found: BTreeMap<u32, (u64, u64)> = report
            .processes
            .iter()
            .map(|growth| (growth.process, (growth.before / page, growth.after / page)))
            .collect();
        // One that has its parent's memory is no process of its own.
        let expected = [(parent, (0, 12)), (copy, (4, 14)), (program, (0, 3))];
        assert_eq!(found, BTreeMap::from(expected));
    }

    #[test]
    fn many_of_one_name_are_one_and_the_next_print_says_what_is_new() {
        let (mut accounts, parent, page) = of_nobody();
        let born = |child: u32, accounts: &mut Accounts| {
            let fork = change(ResidentChange::Fork, parent, child.into(), 0);
            accounts.apply(&fork);
            for at in 0..2 {
                accounts.apply(&change(ResidentChange::Fault, child, at * page, 1));
            }
            accounts.apply(&Change {
                by: (0, b"cc1\0\0"),
                ..change(ResidentChange::Exit, child, 0, 0)
            });
        };
        for child in 0..9 {
            born(u32::MAX - 1 - child, &mut accounts);
        }
        let first = accounts.report(text);
        let many = &first.processes[0];
        assert_eq!((&many.comm[..], many.processes), (&b"cc1"[..], 9));
        assert_eq!((many.parts.len(), many.after), (1, 18 * page));
        assert_eq!((many.recent, first.recent), (None, None));
        born(u32::MAX - 20, &mut accounts);
        accounts.close();
        let second = accounts.report(text);
        let many = &second.processes[0];
        assert_eq!((many.processes, many.after), (10, 20 * page));
        let recent = (many.recent, many.parts[0].recent);
        assert_eq!(recent, (Some(2 * page as i64), Some(2 * page as i64)));
    }
}
