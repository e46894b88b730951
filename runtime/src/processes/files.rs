//! The files that processes have mapped: each is opened when it is first seen, while its process most likely still runs, so
//! that its symbols can be had after the file, the process and its container are gone.
//!
//! In come paths and identities (device, inode), out go symbols. An open file costs a descriptor, and its disk space if it
//! was deleted. So few are held: of the others the symbols are read into memory, or, where the file is large and can be had
//! by its path again, nothing is kept. What can't be had any more is remembered for [`Files::losses`]. Files that nothing
//! refers to any more are given up, and their ids go to others.

use super::debug_files::{self, DebugFiles};
use super::file_id::FileId;
use super::generated::may_be_generated;
use super::line_tables::LineTables;
use super::opening::{self, Opened, Stamp, Wanted};
use super::records::RawFile;
use crate::elf::lines::Call;
use crate::elf::symbols::SymbolFile;
use crate::loss::{Cause, Loss, Names};
use crate::sys;
use crate::unwind_maps::Identity;
use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

/// Files that are held open, where the limit on descriptors allows as many.
const MAX_OPEN: usize = 128;

/// The part of all descriptors that files may take: the rest is for probes and maps.
const PART_OF_DESCRIPTORS: usize = 4;

/// Bytes of symbols that are kept in memory.
const MAX_SYMBOLS: usize = 128 << 20;

/// Bytes of a file whose symbols are read without being asked for, since that takes less than a millisecond.
const SMALL: u64 = 4 << 20;

/// Bytes of all larger files together whose symbols are read without being asked for: those of deleted ones.
const MAX_UNASKED: u64 = 2 << 30;

/// Bytes of compressed symbols that are inflated in a session.
const MAX_INFLATED: u64 = 1 << 30;

/// What a mapping shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// The kernel's own functions for user space.
    Vdso,
    /// Memory that no file is behind, such as generated code.
    Anonymous,
}

/// One such file.
#[derive(Debug)]
pub struct Mapped {
    /// What it is.
    pub kind: Kind,
    /// Its path as its first process saw it.
    pub path: Arc<[u8]>,
    inode: u64,
    device: (u32, u32),
    state: State,
    /// What it was when it was opened: an inode number may be given to another file once this one is deleted.
    stamp: Option<Stamp>,
    attempts: u32,
    /// The process that had it mapped at the last attempt.
    mapped_by: u32,
    /// Why the last attempt to open it failed, if the file was there.
    refusal: Option<Names>,
    /// When its symbols were asked for.
    used: u64,
    /// Its bytes, if it was large and was read without being asked for.
    unasked: u64,
}

impl Mapped {
    /// What the kernel knows it by.
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            inode: self.inode,
            device: self.device,
        }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            path: Path::new(OsStr::from_bytes(&self.path)),
            inode: self.inode,
            device: self.device,
        }
    }
}

#[derive(Debug)]
enum State {
    /// Not opened, or in vain.
    Unopened,
    Open(Held),
    /// Its symbols are in memory.
    Read(Box<SymbolFile>),
    /// It was closed, and might be opened by its path.
    Closed,
    /// It has no symbols: it is a device, or no program.
    Nothing,
}

/// An open file.
#[derive(Debug)]
struct Held {
    file: File,
    /// The one that its symbols were put into, where only its process can be asked for it.
    beside: Option<File>,
}

/// All of them, each once.
#[derive(Debug, Default)]
pub struct Files {
    by_identity: HashMap<RawFile, FileId>,
    files: Vec<Mapped>,
    /// Ids of files that were given up.
    free: Vec<FileId>,
    /// Those that are open, the oldest first.
    open: VecDeque<FileId>,
    max_open: usize,
    /// Bytes of symbols in memory.
    size: usize,
    /// Bytes of large files that were read without being asked for.
    unasked: u64,
    clock: u64,
    /// For [`Files::take_gone`].
    gone: Vec<Identity>,
    debug_files: DebugFiles,
    /// Bytes that were inflated.
    inflated: u64,
    /// Where source lines are wanted.
    lines: Option<LineTables>,
    lost: HashMap<FileId, Names>,
    /// Of files that were given up, why names of theirs were missed, and of how many.
    lost_before: HashMap<Names, usize>,
}

impl Files {
    /// The files that are open, and what the kernel knows them by.
    pub fn opened(&self) -> Vec<(Identity, File)> {
        let opened = |id: &FileId| {
            let file = &self.files[id.index()];
            match &file.state {
                State::Open(held) => Some((file.identity(), held.file.try_clone().ok()?)),
                _ => None,
            }
        };
        self.open.iter().filter_map(opened).collect()
    }

    /// A file itself, once more, if it can be had.
    pub fn again(&mut self, id: FileId) -> Option<File> {
        let file = &self.files[id.index()];
        match &file.state {
            State::Open(held) => held.file.try_clone().ok(),
            State::Read(_) | State::Closed => {
                let stamp = file.stamp;
                match self.open(id, &[], (0, 0)) {
                    Opened::File(file, found) if Some(found) == stamp => Some(file),
                    _ => None,
                }
            }
            State::Unopened | State::Nothing => None,
        }
    }

    /// What the kernel knew those files by that were given up since this was asked, or whose inode number is another's now.
    pub fn take_gone(&mut self) -> Vec<Identity> {
        std::mem::take(&mut self.gone)
    }

    /// Source lines will be asked for.
    pub fn want_lines(&mut self) {
        self.lines = Some(LineTables::default());
    }

    /// The id of a file, new or known, as the process `tgid` maps it: `processes` are that process and then those that it
    /// descends from, `range` is where it is mapped. The file is opened if that is worth an attempt.
    pub fn take_in(
        &mut self,
        raw: &RawFile,
        tgid: u32,
        processes: impl FnOnce() -> Vec<u32>,
        range: (u64, u64),
    ) -> FileId {
        const ATTEMPTS: u32 = 4;
        let id = self.id(raw);
        let file = &self.files[id.index()];
        if file.kind != Kind::File {
            return id;
        }
        match file.state {
            State::Open(_) => id,
            State::Unopened if file.attempts >= ATTEMPTS && file.mapped_by == tgid => id,
            State::Unopened => {
                // What another process maps may be another file, with the inode number of the one that was gone too early.
                let id = match file.attempts > 0 && file.mapped_by != tgid && self.may_grow() {
                    true => self.add(raw),
                    false => id,
                };
                self.files[id.index()].mapped_by = tgid;
                let processes = processes();
                let opened = self.open(id, &processes, range);
                self.accept(id, opened, &processes);
                id
            }
            State::Read(_) | State::Closed | State::Nothing if self.is_at_its_path(id) => id,
            State::Read(_) | State::Closed | State::Nothing => {
                let processes = processes();
                let opened = self.open(id, &processes, range);
                let same = match &opened {
                    Opened::File(_, now) => Some(*now) == self.files[id.index()].stamp,
                    Opened::Nothing => true,
                    Opened::Absent | Opened::Refused | Opened::Hidden => false,
                };
                if same || !self.may_grow() {
                    return id;
                }
                // Another file with this inode number, or perhaps another one.
                self.gone.push(self.files[id.index()].identity());
                let id = self.add(raw);
                self.files[id.index()].mapped_by = tgid;
                self.accept(id, opened, &processes);
                id
            }
        }
    }

    /// The file with this id.
    pub fn get(&self, id: FileId) -> &Mapped {
        &self.files[id.index()]
    }

    /// Gives back the descriptors of files that were deleted, so that their disk space is free.
    pub fn close_deleted(&mut self) {
        let deleted = |id: &FileId| match &self.files[id.index()].state {
            State::Open(held) => held.file.metadata().is_ok_and(|meta| meta.nlink() == 0),
            _ => false,
        };
        let ids: Vec<FileId> = self.open.iter().copied().filter(deleted).collect();
        for id in ids {
            self.close(id);
        }
    }

    /// Whether any file is open.
    pub fn any_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The symbols of a file, as far as they can be had. `image` is asked for the vDSO.
    pub fn symbols(
        &mut self,
        id: FileId,
        image: impl FnOnce() -> Option<File>,
    ) -> Option<&SymbolFile> {
        let file = &mut self.files[id.index()];
        match (&file.state, file.kind) {
            (State::Unopened, Kind::Vdso) => match image() {
                Some(image) => {
                    file.state = State::Open(Held::alone(image));
                    self.read(id);
                }
                None => file.state = State::Nothing,
            },
            (State::Open(_), _) => self.read(id),
            (State::Closed, _) => {
                let stamp = file.stamp;
                if let Opened::File(open, found) = self.open(id, &[], (0, 0))
                    && Some(found) == stamp
                {
                    self.files[id.index()].state = State::Open(Held::alone(open));
                    self.read(id);
                }
            }
            (State::Unopened | State::Read(_) | State::Nothing, _) => {}
        }
        self.clock += 1;
        let file = &mut self.files[id.index()];
        file.used = self.clock;
        if let State::Read(symbols) = &mut file.state
            && let Some(build_id) = symbols.take_missing()
            && let Some(beside) = self.debug_files.fetch(&build_id)
        {
            let before = symbols.size();
            symbols.add_beside(beside, self.lines.is_some());
            self.size += symbols.size() - before;
        }
        match &self.files[id.index()].state {
            State::Read(symbols) => Some(symbols),
            _ => None,
        }
    }

    /// The calls that an address of a file belongs to, by the file's own count, if source lines are wanted and its symbols are there.
    pub fn calls(&mut self, id: FileId, address: u64) -> Vec<Call> {
        let file = &self.files[id.index()];
        let (Some(lines), State::Read(symbols)) = (&mut self.lines, &file.state) else {
            return Vec::new();
        };
        let Some(debug) = symbols.debug() else {
            return Vec::new();
        };
        let program = Path::new(OsStr::from_bytes(&file.path));
        lines.calls(id, debug, program, address).unwrap_or_else(|| {
            self.lost.insert(id, Names::TooLarge);
            Vec::new()
        })
    }

    /// A place in a file was found no name for. If that is since the file's symbols could not be had, it is counted.
    pub fn missed(&mut self, id: FileId) {
        let file = &self.files[id.index()];
        let reason = match &file.state {
            State::Unopened if file.kind != Kind::File || may_be_generated(&file.path) => return,
            State::Unopened => file.refusal.unwrap_or(Names::Gone),
            State::Closed => Names::NoRoom,
            State::Read(symbols) if symbols.is_too_large() => Names::TooLarge,
            State::Read(_) | State::Open(_) | State::Nothing => return,
        };
        self.lost.insert(id, reason);
    }

    /// How many files' names were missed, by reason.
    pub fn losses(&self) -> Vec<Loss> {
        let of = |reason: Names| {
            let before = self.lost_before.get(&reason).copied().unwrap_or(0);
            let count = before + self.lost.values().filter(|other| **other == reason).count();
            (count > 0).then_some(Loss {
                probe: None,
                cause: Cause::Names(reason),
                count: count as u64,
                capacity: None,
            })
        };
        Names::ALL.into_iter().filter_map(of).collect()
    }

    /// How many files are known.
    pub fn known(&self) -> usize {
        self.files.len() - self.free.len()
    }

    /// Gives up the files that are not `needed`. Their ids are others' from now on.
    pub fn prune(&mut self, needed: &HashSet<FileId>) {
        let unneeded: HashSet<FileId> = (0..self.files.len() as u32)
            .map(FileId::new)
            .filter(|id| !needed.contains(id))
            .collect();
        self.by_identity.retain(|_, id| needed.contains(id));
        self.open.retain(|id| needed.contains(id));
        for &id in &unneeded {
            let file = &mut self.files[id.index()];
            if let State::Read(symbols) = std::mem::replace(&mut file.state, State::Nothing) {
                self.size -= symbols.size();
            }
            self.unasked -= std::mem::take(&mut file.unasked);
            file.path = Arc::default();
            let identity = file.identity();
            if std::mem::take(&mut file.inode) != 0 {
                self.gone.push(identity);
            }
            if let Some(reason) = self.lost.remove(&id) {
                *self.lost_before.entry(reason).or_default() += 1;
            }
        }
        if let Some(lines) = &mut self.lines {
            lines.forget();
        }
        self.free = unneeded.into_iter().collect();
    }

    /// Whether files that can't be told apart are worth an entry each.
    fn may_grow(&self) -> bool {
        const MAX_FILES: usize = 1 << 17;
        self.known() < MAX_FILES
    }

    fn id(&mut self, raw: &RawFile) -> FileId {
        match self.by_identity.get(&identity(raw)) {
            Some(id) => *id,
            None => self.add(raw),
        }
    }

    fn add(&mut self, raw: &RawFile) -> FileId {
        let file = Mapped {
            kind: kind(raw),
            path: raw.path.as_slice().into(),
            inode: raw.inode,
            device: raw.device,
            state: State::Unopened,
            stamp: None,
            attempts: 0,
            mapped_by: 0,
            refusal: None,
            used: 0,
            unasked: 0,
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.files[id.index()] = file;
                id
            }
            None => {
                self.files.push(file);
                FileId::new(self.files.len() as u32 - 1)
            }
        };
        self.by_identity.insert(identity(raw), id);
        id
    }

    /// Keeps what opening a file gave.
    fn accept(&mut self, id: FileId, opened: Opened, processes: &[u32]) {
        let file = &mut self.files[id.index()];
        file.attempts += 1;
        match opened {
            Opened::File(open, stamp) => {
                file.stamp = Some(stamp);
                let beside = self.only_beside(id, &open, processes);
                self.files[id.index()].state = State::Open(Held { file: open, beside });
                self.open.push_back(id);
                if self.max_open == 0 {
                    let share = sys::open_files_limit() / PART_OF_DESCRIPTORS;
                    self.max_open = share.clamp(1, MAX_OPEN);
                }
                while self.descriptors() > self.max_open && !self.open.is_empty() {
                    self.close_oldest();
                }
            }
            Opened::Nothing => file.state = State::Nothing,
            Opened::Absent => {}
            Opened::Refused => file.refusal = Some(Names::TooManyOpen),
            Opened::Hidden => file.refusal = Some(Names::Hidden),
        }
    }

    /// Opens a file; where too many are open, after closing those that can be done without.
    fn open(&mut self, id: FileId, processes: &[u32], range: (u64, u64)) -> Opened {
        loop {
            let file = &self.files[id.index()];
            match opening::open(file.wanted(), processes, range) {
                Opened::Refused if !self.open.is_empty() => {
                    for _ in 0..self.open.len().div_ceil(2) {
                        self.close_oldest();
                    }
                }
                opened => return opened,
            }
        }
    }

    /// The file with a file's symbols where only its process can be asked for it, as in a container. What we have ourselves comes
    /// first for a file that we see at the same path, and can be had later.
    fn only_beside(&mut self, id: FileId, file: &File, processes: &[u32]) -> Option<File> {
        let process = *processes.first()?;
        let ours = self.is_at_its_path(id);
        if ours && debug_files::sees_what_we_see(process) {
            return None;
        }
        let path = Arc::clone(&self.files[id.index()].path);
        let path = Path::new(OsStr::from_bytes(&path));
        if ours && self.debug_files.find(file, path, Path::new("/")).is_some() {
            return None;
        }
        let root = format!("/proc/{process}/root");
        self.debug_files.find(file, path, Path::new(&root))
    }

    /// Descriptors of files that are open.
    fn descriptors(&self) -> usize {
        let of = |id: &FileId| match &self.files[id.index()].state {
            State::Open(held) => 1 + usize::from(held.beside.is_some()),
            _ => 0,
        };
        self.open.iter().map(of).sum()
    }

    fn close_oldest(&mut self) {
        if let Some(id) = self.open.front() {
            self.close(*id);
        }
    }

    /// Closes an open file, and keeps its symbols where that takes little time or there is no other way to have them later.
    fn close(&mut self, id: FileId) {
        let size = self.files[id.index()].stamp.map_or(0, |stamp| stamp.size);
        if size > SMALL {
            let unasked = self.unasked.saturating_add(size);
            if self.is_at_its_path(id) || unasked > MAX_UNASKED {
                self.open.retain(|other| *other != id);
                self.files[id.index()].state = State::Closed;
                return;
            }
            self.unasked = unasked;
            self.files[id.index()].unasked += size;
        }
        self.read(id);
    }

    /// Reads the symbols of an open file, and closes it.
    fn read(&mut self, id: FileId) {
        self.open.retain(|other| *other != id);
        let file = &mut self.files[id.index()];
        let State::Open(held) = std::mem::replace(&mut file.state, State::Nothing) else {
            return;
        };
        let path = Path::new(OsStr::from_bytes(&file.path));
        let beside = held
            .beside
            .or_else(|| self.debug_files.find(&held.file, path, Path::new("/")));
        let mut left = MAX_INFLATED - self.inflated;
        let symbols = SymbolFile::read(held.file, beside, &mut left, self.lines.is_some());
        self.inflated = MAX_INFLATED - left;
        if let Ok(symbols) = symbols {
            self.size += symbols.size();
            file.state = State::Read(Box::new(symbols));
            self.clock += 1;
            file.used = self.clock;
        }
        while self.size > MAX_SYMBOLS && self.forget_oldest(id) {}
    }

    /// Gives up the symbols that were not asked for the longest time; false if there are none but those of `keep`.
    fn forget_oldest(&mut self, keep: FileId) -> bool {
        let read =
            self.files.iter_mut().enumerate().filter(|(index, file)| {
                *index != keep.index() && matches!(file.state, State::Read(_))
            });
        let Some((_, file)) = read.min_by_key(|(_, file)| file.used) else {
            return false;
        };
        if let State::Read(symbols) = std::mem::replace(&mut file.state, State::Closed) {
            self.size -= symbols.size();
        }
        true
    }

    /// Whether a file's path, as this process sees it, leads to the very file.
    fn is_at_its_path(&self, id: FileId) -> bool {
        let file = &self.files[id.index()];
        let path = Path::new(OsStr::from_bytes(&file.path));
        std::fs::metadata(path).is_ok_and(|meta| Some(Stamp::new(&meta)) == file.stamp)
    }
}

impl Held {
    fn alone(file: File) -> Held {
        Held { file, beside: None }
    }
}

/// One inode is one file, whatever paths lead to it.
fn identity(raw: &RawFile) -> RawFile {
    match raw.inode {
        0 => raw.clone(),
        inode => RawFile {
            device: raw.device,
            inode,
            path: Vec::new(),
        },
    }
}

fn kind(file: &RawFile) -> Kind {
    match file.path.as_slice() {
        b"[vdso]" => Kind::Vdso,
        path if file.inode != 0 && path.first() == Some(&b'/') => Kind::File,
        _ => Kind::Anonymous,
    }
}

#[cfg(test)]
mod tests;
