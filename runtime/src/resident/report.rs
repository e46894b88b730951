//! What accounts come to, as results: of each process, or of those with one name together where there are many.

use super::ledger::Owner;
use super::sums::{Part, Sums};
use crate::results::{Frame, Growth, GrowthPart, GrowthReport, MemoryKind, Value};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Where there are more processes, those of one name are put together.
const APART: u32 = 5;

/// What all of them are called.
const ALL: &[u8] = b"all";

/// So many names are told apart.
const NAMES: usize = 4096;

/// What one process comes to, or several of one name.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The process, the first of several.
    pub process: u32,
    /// What it was called when it was looked at last.
    pub comm: Vec<u8>,
    /// How many there are.
    pub processes: u32,
    /// Their pages.
    pub sums: Sums,
    /// Why nobody could see what one of them had in the end.
    pub unseen: Option<String>,
}

impl Entry {
    /// The process has ended, and with it all that it had.
    pub fn give_back(&mut self) {
        self.sums.give_back();
        self.unseen = None;
    }
}

/// What processes come to.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    /// Each, as long as they are few.
    each: Vec<Entry>,
    /// By their names, when they are many.
    by_name: BTreeMap<Vec<u8>, Entry>,
    processes: u32,
    /// Whether all are to be one, whatever their names.
    together: bool,
}

impl Entries {
    /// None yet; they are to be one if `together`.
    pub fn new(together: bool) -> Entries {
        Entries {
            together,
            ..Entries::default()
        }
    }

    /// Adds what a process comes to.
    pub fn push(&mut self, entry: Entry) {
        self.processes += entry.processes;
        let apart = if self.together { 1 } else { APART };
        if self.processes <= apart {
            self.each.push(entry);
            return;
        }
        for mut entry in self.each.drain(..).chain([entry]) {
            if self.together {
                entry.comm = ALL.into();
            }
            // What is not told apart has no name.
            let is_full = self.by_name.len() >= NAMES && !self.by_name.contains_key(&entry.comm);
            let name = if is_full {
                Vec::new()
            } else {
                entry.comm.clone()
            };
            match self.by_name.get_mut(&name) {
                Some(own) => {
                    own.processes += entry.processes;
                    own.sums.add(&entry.sums);
                    own.unseen = own.unseen.take().or(entry.unseen);
                }
                None => drop(self.by_name.insert(name, entry)),
            }
        }
    }

    /// All of it as results, the largest first, and what is to be known when it is printed again; `printed` is that of the time before.
    /// `value` says who an owner is.
    pub fn report(
        self,
        page: u64,
        time: Duration,
        printed: Option<&Printed>,
        value: impl FnMut(Owner) -> Value,
    ) -> (GrowthReport, Printed) {
        let mut reader = Reader {
            page,
            value,
            known: HashMap::new(),
        };
        let mut now = Printed {
            time,
            groups: Vec::new(),
        };
        let entries = self.each.into_iter().chain(self.by_name.into_values());
        let mut processes: Vec<Growth> = entries
            .map(|entry| {
                let (growth, group) = reader.growth(entry, time, printed);
                now.groups.push(group);
                growth
            })
            .collect();
        let grown = |growth: &Growth| growth.after as i64 - growth.before as i64;
        processes.sort_by_key(|growth| Reverse((grown(growth), growth.returned)));
        let report = GrowthReport {
            processes,
            time,
            recent: printed.map(|printed| time.saturating_sub(printed.time)),
            others: 0,
        };
        (report, now)
    }
}

/// What was printed, so that the next print can say what is new.
#[derive(Debug)]
pub struct Printed {
    time: Duration,
    groups: Vec<Group>,
}

/// Bytes of a process, or of several of one name.
#[derive(Debug)]
struct Group {
    process: u32,
    comm: Vec<u8>,
    /// How much had grown.
    grown: i64,
    parts: HashMap<Shown, u64>,
}

/// What makes two parts one: kind, file, and who is charged as it is shown.
type Shown = (MemoryKind, Arc<[u8]>, Arc<str>);

/// Reads who is charged.
struct Reader<F> {
    page: u64,
    value: F,
    known: HashMap<Owner, (Value, Arc<str>)>,
}

impl<F: FnMut(Owner) -> Value> Reader<F> {
    fn read(&mut self, owner: Owner) -> &(Value, Arc<str>) {
        self.known.entry(owner).or_insert_with(|| {
            let value = (self.value)(owner);
            let shown = shown(&value).into();
            (value, shown)
        })
    }

    /// Bytes by who is charged, the largest first: so many of each owner, in units of so many bytes.
    fn by_owner(&mut self, owners: &HashMap<Owner, u64>, unit: u64) -> Vec<(u64, Value)> {
        let mut merged: HashMap<Arc<str>, (u64, Value)> = HashMap::new();
        for (owner, units) in owners.iter().filter(|(_, units)| **units > 0) {
            let (value, shown) = self.read(*owner);
            let known = merged.entry(Arc::clone(shown));
            let known = known.or_insert_with(|| (0, value.clone()));
            known.0 = known.0.saturating_add(units.saturating_mul(unit));
        }
        let mut merged: Vec<(Arc<str>, (u64, Value))> = merged.into_iter().collect();
        merged.sort_by(|(a, first), (b, second)| (second.0, a).cmp(&(first.0, b)));
        merged.into_iter().map(|(_, by)| by).collect()
    }

    fn growth(
        &mut self,
        entry: Entry,
        time: Duration,
        printed: Option<&Printed>,
    ) -> (Growth, Group) {
        let page = self.page;
        let is_one = entry.processes == 1;
        let before: Vec<&Group> = printed
            .iter()
            .flat_map(|printed| &printed.groups)
            .filter(|group| match is_one {
                true => group.process == entry.process,
                false => group.comm == entry.comm,
            })
            .collect();
        // Stacks of several processes are one if they look alike.
        let mut merged: HashMap<Shown, (u64, Option<Value>)> = HashMap::new();
        for (part, pages) in &entry.sums.parts {
            let Part { owner, kind, name } = part;
            let (by, shown) = match owner {
                Some(owner) => {
                    let (value, shown) = self.read(*owner);
                    (Some(value.clone()), Arc::clone(shown))
                }
                None => (None, Arc::default()),
            };
            let key = (*kind, Arc::clone(name), shown);
            merged.entry(key).or_insert((0, by)).0 += pages * page;
        }
        let recent = |key: &Shown, bytes: u64| {
            let then: u64 = before.iter().filter_map(|group| group.parts.get(key)).sum();
            printed.map(|_| bytes as i64 - then as i64)
        };
        let mut parts: Vec<(&Shown, GrowthPart)> = merged
            .iter()
            .map(|(key, (bytes, by))| {
                let part = GrowthPart {
                    bytes: *bytes,
                    recent: recent(key, *bytes),
                    kind: key.0,
                    file: (!key.1.is_empty()).then(|| key.1.as_ref().into()),
                    by: by.clone(),
                };
                (key, part)
            })
            .collect();
        parts.sort_by(|(a, first), (b, second)| (second.bytes, a).cmp(&(first.bytes, b)));
        let parts = parts.into_iter().map(|(_, part)| part).collect();
        let sums = &entry.sums;
        let returned_by = self.by_owner(&sums.returned, page);
        let allocated_by = self.by_owner(&sums.allocated, 1);
        let grown = (page * sums.after()) as i64 - (page * sums.before) as i64;
        let then: i64 = before.iter().map(|group| group.grown).sum();
        let growth = Growth {
            process: entry.process,
            processes: entry.processes,
            comm: entry.comm.clone(),
            time,
            before: page * sums.before,
            after: page * sums.after(),
            gone: page * sums.before.saturating_sub(sums.kept),
            recent: printed.map(|_| grown - then),
            returned: returned_by.iter().map(|(bytes, _)| bytes).sum(),
            returned_by,
            allocated_by,
            sample: sums.sample.max(1),
            parts,
            unseen: entry.unseen,
        };
        let bytes = merged.into_iter().map(|(key, (bytes, _))| (key, bytes));
        let group = Group {
            process: entry.process,
            comm: entry.comm,
            grown,
            parts: bytes.collect(),
        };
        (growth, group)
    }
}

/// Who is charged, as far as it is alike in several processes: of a stack what its functions are called, and not their addresses.
fn shown(value: &Value) -> String {
    let Value::Stack(stack) = value else {
        return format!("{value:?}");
    };
    let frame = |frame: &Frame| match (&frame.function, &frame.module) {
        (Some(function), _) => format!("{function}+{}", frame.offset),
        (None, Some(module)) => format!("{module:?}+{:?}", frame.module_offset),
        (None, None) => format!("{:#x}", frame.address),
    };
    let frames: Vec<String> = stack.frames.iter().map(frame).collect();
    frames.join("\n")
}
