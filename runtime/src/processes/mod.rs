//! Processes over time: what each had mapped where, and the mapped files with their symbols. Whoever has an address of a process
//! and a moment gets a place in a file; and the files in which processes name the code that they generate.
//!
//! While a session runs, every change of every address space is recorded ([`records`], [`proc_maps`]) and kept
//! ([`address_space`]), and every file is opened when first seen mapped ([`files`]), so that all of it can be asked for
//! after the processes are gone. Which names are asked for is decided in `symbols`.

mod address_space;
mod command_tree;
pub(crate) mod common;
pub(crate) mod debug_files;
mod debuginfod;
mod file_id;
mod files;
mod generated;
pub(crate) mod jvm_options;
mod leftovers;
mod line_tables;
mod map_place;
mod opening;
pub(crate) mod proc_maps;
pub(crate) mod proc_status;
mod records;
pub(crate) mod startup;

use crate::elf::lines::Call;
use crate::elf::symbols::SymbolFile;
use crate::error::Error;
use crate::loss::{Cause, Loss};
use crate::runtimes::Runtimes;
use crate::sys::{self, process};
use crate::unwind_maps::Identity;
use address_space::{AddressSpaces, Mapping};
use files::Files;
use generated::Generated;
use records::{Change, RawMapping, Record, Stream};
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

pub use debuginfod::unasked as unasked_servers;
pub use file_id::FileId;
pub use files::{Kind, Mapped};

/// Which processes there can be addresses of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Any.
    All,
    /// One that runs.
    Process(u32),
    /// Those of a command that has not started.
    Command {
        /// Its process.
        pid: u32,
        /// Whether its runtimes are told to name their code. What they write is removed with the [`Processes`].
        runtimes: Runtimes,
        /// And any other.
        others: bool,
    },
}

/// Every process's mappings and their files. The default one watches nothing and knows nothing.
#[derive(Debug, Default)]
pub struct Processes {
    stream: Option<Stream>,
    spaces: AddressSpaces,
    files: Files,
    generated: Generated,
    looked_at_files: Option<Instant>,
    unread: Unread,
    lost: u64,
    scope: Option<Scope>,
    /// Processes that have a JVM's library mapped, or had, and whether their stacks have all frames as far as is known.
    jvms: HashMap<u32, bool>,
    /// Processes whose mappings we may not see.
    hidden: HashSet<u32>,
    /// Processes that addresses were asked of and whose mappings are not known.
    unknown: HashSet<u32>,
    /// So many processes that ended, and epochs that did, are kept before they are looked through for what nothing needs.
    keep_past: usize,
    /// The same of files.
    keep_files: usize,
}

/// The processes that ran before, whose mappings are still to be read.
#[derive(Debug, PartialEq, Eq)]
enum Unread {
    /// Whichever there are.
    All,
    These(Vec<u32>),
}

impl Default for Unread {
    fn default() -> Unread {
        Unread::These(Vec::new())
    }
}

/// A place in a mapped file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: FileId,
    /// In bytes from its start.
    pub offset: u64,
}

/// The least of [`Processes::keep_past`] and of [`Processes::keep_files`].
const KEEP: usize = 4096;

impl Processes {
    /// Begins to record address spaces.
    ///
    /// # Errors
    /// If the kernel does not let us.
    pub fn watch(scope: Scope) -> Result<Processes, Error> {
        sys::lift_open_files_limit();
        let mut processes = Processes {
            stream: Some(Stream::open()?),
            scope: Some(scope),
            ..Processes::default()
        };
        match scope {
            Scope::Process(pid) => processes.read(pid),
            Scope::Command {
                pid,
                runtimes,
                others,
            } => {
                processes.generated = Generated::of_command(pid, runtimes == Runtimes::Told);
                if others {
                    processes.unread = Unread::All;
                }
            }
            Scope::All => processes.unread = Unread::All,
        }
        Ok(processes)
    }

    /// The files that are known to be mapped and are open, and what the kernel knows them by.
    pub fn opened_files(&self) -> Vec<(Identity, File)> {
        self.files.opened()
    }

    /// A file that is or was mapped, if it can be had.
    pub fn file_again(&mut self, id: FileId) -> Option<File> {
        self.files.again(id)
    }

    /// What the kernel knew those files by that are mapped nowhere any more, or replaced, since this was asked.
    pub fn take_gone(&mut self) -> Vec<Identity> {
        self.files.take_gone()
    }

    /// Descriptors that become readable when records wait.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.stream.iter().flat_map(Stream::fds)
    }

    /// How many records of mappings were lost.
    pub fn lost_records(&self) -> u64 {
        self.lost
    }

    /// Takes in the records that wait.
    pub fn drain(&mut self) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        let records = stream.read();
        if stream.lost() > self.lost {
            // What was missed may still be seen in the processes that run.
            self.lost = stream.lost();
            self.unread = Unread::All;
        }
        for record in records {
            self.apply(record);
        }
    }

    /// Reads the mappings of some processes that ran before, for a few milliseconds at most; true if some are left.
    /// They have to be read while they run, and nobody should wait for that.
    pub fn read_some(&mut self) -> bool {
        const BUDGET: Duration = Duration::from_millis(3);
        if self.unread == Unread::All {
            self.unread = Unread::These(proc_maps::processes().unwrap_or_default());
        }
        let since = Instant::now();
        while since.elapsed() < BUDGET {
            let next = match &mut self.unread {
                Unread::All => None,
                Unread::These(pids) => pids.pop(),
            };
            match next {
                Some(pid) => self.read(pid),
                None => return false,
            }
        }
        self.unread != Unread::default()
    }

    /// Once too much is kept that is over, `more` times as much as usual, forgets what `needed` does not say to be so: it
    /// gives the times since when processes are needed, and is asked only then; `None` keeps all. Files that are mapped
    /// nowhere any more are given up. True if anything was: ids of files may be others' then.
    pub fn tidy(
        &mut self,
        more: usize,
        needed: impl FnOnce() -> Option<HashMap<u32, u64>>,
    ) -> bool {
        let keep = |keep: usize| keep.max(KEEP).saturating_mul(more);
        let past = self.spaces.past() > keep(self.keep_past);
        if past {
            let now = sys::clock_ns(libc::CLOCK_MONOTONIC);
            if let Some(needed) = needed() {
                self.spaces.prune(now, |tgid| needed.get(&tgid).copied());
                self.generated.prune(|tgid| self.spaces.is_known(tgid));
                self.jvms.retain(|tgid, _| self.spaces.is_known(*tgid));
            }
            self.keep_past = 2 * self.spaces.past();
        }
        let files = self.files.known() > keep(self.keep_files);
        if files {
            self.files.prune(&self.spaces.files());
            self.keep_files = 2 * self.files.known();
        }
        past || files
    }

    /// Whether anything is known of a process.
    pub fn is_known(&self, tgid: u32) -> bool {
        self.spaces.is_known(tgid)
    }

    /// What a process had mapped at an address at a time, `u64::MAX` for now. One that was not seen before is read, if it runs.
    pub fn locate(&mut self, tgid: u32, time: u64, address: u64) -> Option<Place> {
        // An event may be here before what happened ahead of it: a library is opened and calls what has a probe.
        let read_at = self.stream.as_ref().map_or(u64::MAX, Stream::read_at);
        if time > read_at && (time < u64::MAX || self.spaces.find(tgid, time, address).is_none()) {
            self.drain();
        }
        if self.stream.is_some() && self.spaces.is_unknown(tgid) {
            self.read(tgid);
        }
        let Some(mapping) = self.spaces.find(tgid, time, address).copied() else {
            if self.stream.is_some() && self.spaces.is_unknown(tgid) {
                self.unknown.insert(tgid);
            }
            return None;
        };
        Some(Place {
            file: mapping.file,
            offset: mapping.file_offset(address),
        })
    }

    /// Whether a process is a JVM, or was, whose compiled code is not known to keep frame pointers.
    pub fn is_jvm_without_frames(&self, tgid: u32) -> bool {
        self.jvms.get(&tgid) == Some(&false)
    }

    /// Those of the processes that there can be addresses of that are JVMs, or were.
    pub fn jvms(&self) -> Vec<u32> {
        let is_traced = |tgid: u32| match self.scope {
            Some(Scope::Process(pid)) => tgid == pid,
            Some(Scope::Command { others: false, .. }) => self.generated.command().contains(tgid),
            _ => true,
        };
        let jvms = self.jvms.keys().copied();
        jvms.filter(|tgid| is_traced(*tgid)).collect()
    }

    /// A process is about to be made to write its map.
    pub fn perf_map_asked_for(&mut self, tgid: u32) {
        self.generated.will_write(tgid);
    }

    /// A process wrote its map.
    pub fn perf_map_written(&mut self, tgid: u32) {
        self.generated.rewritten(tgid);
    }

    /// Changes when there is more to be read in such files as [`Processes::perf_map`]'s, or something else.
    pub fn perf_map_changes(&self) -> u64 {
        self.generated.changes()
    }

    /// The file in which a process wrote down what the code is called that it generated, if there is one to be believed.
    pub fn perf_map(&mut self, tgid: u32) -> Option<&File> {
        self.generated.file(tgid)
    }

    /// The file `jit-PID.dump` of a process, if it has one mapped that is to be believed.
    pub fn jit_dump(&self, tgid: u32) -> Option<&File> {
        self.generated.dump(tgid)
    }

    /// Whether a process has such a file and it was not opened, since too many are open.
    pub fn is_perf_map_refused(&self, tgid: u32) -> bool {
        self.generated.is_refused(tgid)
    }

    /// Does what is to be done now and then while processes live. Returns how long until it should be called again; `None`
    /// if there is nothing to wait for.
    pub fn look_around(&mut self) -> Option<Duration> {
        /// How long a deleted file may keep its disk space.
        const LOOK_AT_FILES: Duration = Duration::from_secs(1);
        self.generated.look_again();
        let mut next = self.generated.next_look();
        if self.files.any_open() {
            let now = Instant::now();
            let looked = *self.looked_at_files.get_or_insert(now);
            if now.duration_since(looked) >= LOOK_AT_FILES {
                self.files.close_deleted();
                self.looked_at_files = Some(now);
            }
            next = Some(next.unwrap_or(LOOK_AT_FILES).min(LOOK_AT_FILES));
        }
        next
    }

    /// The symbols of a mapped file, as far as they can be had.
    pub fn symbols(&mut self, id: FileId) -> Option<&SymbolFile> {
        self.files.symbols(id, own_vdso)
    }

    /// Source lines will be asked for.
    pub fn want_lines(&mut self) {
        self.files.want_lines();
    }

    /// The calls that an address of a file belongs to, by the file's own count: those that were inlined first, then the function's
    /// own. None unless source lines are wanted and known.
    pub fn calls(&mut self, id: FileId, address: u64) -> Vec<Call> {
        // They may have been given up since.
        self.files.symbols(id, own_vdso);
        self.files.calls(id, address)
    }

    /// A place in a mapped file was found no name for.
    pub fn missed(&mut self, id: FileId) {
        self.files.missed(id);
    }

    /// The names that could not be had since files or mappings could not be read.
    pub fn losses(&self) -> Vec<Loss> {
        let mut losses = self.files.losses();
        let hidden = self.unknown.intersection(&self.hidden).count();
        for (cause, count) in [
            (Cause::Processes, self.unknown.len() - hidden),
            (Cause::HiddenProcesses, hidden),
        ] {
            if count > 0 {
                losses.push(Loss {
                    probe: None,
                    cause,
                    count: count as u64,
                    capacity: None,
                });
            }
        }
        losses
    }

    /// A mapped file.
    pub fn file(&self, id: FileId) -> &Mapped {
        self.files.get(id)
    }

    fn apply(&mut self, record: Record) {
        match record.change {
            Change::Mapped(raw) => {
                let mapping = self.take_in(&raw, record.time);
                self.spaces.mapped(raw.tgid, mapping);
                if self.spaces.is_crowded(raw.tgid) {
                    let present = proc_maps::read(raw.tgid).unwrap_or_default();
                    let present = present.iter().map(|raw| (raw.start, raw.end)).collect();
                    self.spaces.make_room(raw.tgid, &present);
                }
            }
            Change::Executed { tgid } => {
                self.spaces.executed(tgid, record.time);
                self.jvms.remove(&tgid);
            }
            Change::Forked { child, parent } => {
                if self.unread != Unread::default() && self.spaces.is_unknown(parent) {
                    self.read(parent);
                }
                self.spaces.forked(child, parent, record.time);
                self.generated.begun(child, parent);
                self.jvms.remove(&child);
            }
            Change::Ended { tgid } => {
                self.spaces.ended(tgid);
                self.generated.ended(tgid, record.time);
            }
        }
    }

    /// A mapping as it is kept; its file is opened if it is new.
    fn take_in(&mut self, raw: &RawMapping, time: u64) -> Mapping {
        let lineage = || self.spaces.lineage(raw.tgid);
        let range = (raw.start, raw.end);
        let file = self.files.take_in(&raw.file, raw.tgid, lineage, range);
        if generated::may_be_generated(&raw.file.path) {
            self.generated.seen(raw.tgid);
        }
        if raw.file.path.ends_with(b"/libjvm.so") {
            let options = [jvm_options::FRAME_POINTERS, jvm_options::INTERPRETED];
            let keeps = options
                .iter()
                .any(|option| jvm_options::has(raw.tgid, option));
            self.jvms.insert(raw.tgid, keeps);
        }
        if generated::is_dump(&raw.file.path) {
            self.generated.dump_mapped(raw.tgid, &raw.file);
        }
        Mapping {
            start: raw.start,
            end: raw.end,
            offset: raw.offset,
            file,
            time,
        }
    }

    /// Reads a running process's mappings; one that is gone or hidden stays unknown.
    fn read(&mut self, tgid: u32) {
        let raw = match proc_maps::read(tgid) {
            Ok(raw) => raw,
            Err(error) => {
                if error.kind() == io::ErrorKind::PermissionDenied {
                    self.hidden.insert(tgid);
                }
                return;
            }
        };
        let time = sys::clock_ns(libc::CLOCK_MONOTONIC);
        let mappings: Vec<Mapping> = raw.iter().map(|raw| self.take_in(raw, 0)).collect();
        self.spaces.read(tgid, time, mappings);
    }
}

/// The file that a running process has mapped as code at an address.
pub fn missed(tgid: u32, address: u64) -> Option<File> {
    let mappings = proc_maps::read(tgid).ok()?;
    let holds = |raw: &&RawMapping| (raw.start..raw.end).contains(&address);
    let raw = mappings.iter().find(holds)?;
    let wanted = opening::Wanted {
        path: Path::new(OsStr::from_bytes(&raw.file.path)),
        inode: raw.file.inode,
        device: raw.file.device,
    };
    match opening::open(wanted, &[tgid], (raw.start, raw.end)) {
        opening::Opened::File(file, _) => Some(file),
        _ => None,
    }
}

/// The image of the vDSO, which is the same in every process, in a file of its own.
pub fn own_vdso() -> Option<File> {
    let own = proc_maps::read(std::process::id()).ok()?;
    let place = own.iter().find(|mapping| mapping.file.path == b"[vdso]")?;
    let mut image = vec![0; usize::try_from(place.end - place.start).ok()?];
    File::open("/proc/self/mem")
        .ok()?
        .read_exact_at(&mut image, place.start)
        .ok()?;
    let file = File::from(process::memory_file(c"vdso").ok()?);
    file.write_all_at(&image, 0).ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_watches_nothing_knows_nothing() {
        let mut processes = Processes::default();
        processes.drain();
        assert!(!processes.read_some());
        assert_eq!(processes.locate(std::process::id(), 1, 0x1000), None);
        assert_eq!(processes.fds().count(), 0);
    }

    #[test]
    fn own_code_has_a_place_in_its_file() {
        let mut processes = Processes::default();
        processes.read(std::process::id());
        let address = own_code_has_a_place_in_its_file as fn() as usize as u64;
        let place = processes.locate(std::process::id(), u64::MAX, address);
        let id = place.expect("it is mapped").file;
        assert!(processes.symbols(id).is_some());
        let file = processes.file(id);
        let own = std::env::current_exe().unwrap();
        use std::os::unix::ffi::OsStrExt as _;
        assert_eq!(&*file.path, own.as_os_str().as_bytes());
    }

    #[test]
    fn what_is_over_is_kept_as_long_as_it_is_needed_and_not_without_bound() {
        let mut processes = Processes::default();
        let mut apply = |time, change| {
            processes.apply(Record { time, change });
            let needed = || Some(HashMap::from([(7, 50)]));
            processes.tidy(1, needed);
            processes.spaces.past()
        };
        let mut most = 0;
        for turn in 0..10 {
            for tgid in 2..5000 {
                let parent = 1;
                let child = tgid;
                let time = 10_000 * turn + u64::from(tgid);
                apply(time, Change::Forked { child, parent });
                apply(time, Change::Executed { tgid });
                apply(time, Change::Executed { tgid: 1 });
                most = most.max(apply(time, Change::Ended { tgid }));
            }
        }
        assert!(most <= KEEP + 1, "{most}");
        assert!(processes.is_known(7));
    }
}
