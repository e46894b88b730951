//! Names for addresses, of the kernel and of processes, whether these still run or not.
//!
//! While a session runs, every change of every address space is recorded ([`records`], [`proc_maps`]) and kept
//! ([`address_space`]), and every file is opened when first seen mapped ([`files`]). An address of a stack is then looked
//! up in the address space that was current when the stack was first captured, and the place in the file is given a name
//! ([`functions`], [`perf_map`]). Nothing of this is done for scripts that ask for no user stacks or symbols.

mod address_space;
mod elf;
mod files;
mod functions;
mod perf_map;
mod proc_maps;
mod records;

use crate::decode::{slice, unsigned};
use crate::error::Error;
use crate::load::Loaded;
use crate::print::{Names, push, push_escaped};
use crate::sys::process;
use crate::sys::{self, bpf::MapHandle};
use address_space::{AddressSpaces, Mapping};
use files::{FileId, Files, Kind};
use functions::{Function, Functions};
use perf_map::PerfMap;
use pfscript_compiler::manifest::{
    Action, Attach, DataType, Layout, Manifest, MapValue, StackMode,
};
use pfscript_probes::maps::STACK_HEADER;
use records::{Change, RawMapping, Record, Stream};
use std::collections::{HashMap, HashSet};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

/// Which processes' stacks there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Any.
    All,
    /// One that runs.
    Process(u32),
    /// Those of a command that has not started.
    Command,
}

/// What is known about addresses.
#[derive(Debug)]
pub struct Symbols {
    stream: Option<Stream>,
    spaces: AddressSpaces,
    files: Files,
    functions: Functions,
    perf_maps: HashMap<u32, (PerfMap, Instant)>,
    unread: Unread,
    lost: u64,
    keep_ended: usize,
    symbols_without_time: bool,
}

/// The processes that ran before, whose mappings are still to be read.
#[derive(Debug, PartialEq, Eq)]
enum Unread {
    /// Whichever there are.
    All,
    These(Vec<u32>),
}

/// Processes that ended are looked through for those that no stack needs when there are so many of them.
const KEEP_ENDED: usize = 4096;

impl Symbols {
    /// Begins to record address spaces, if the object needs them.
    ///
    /// # Errors
    /// If the kernel does not let us.
    pub fn begin(manifest: &Manifest, scope: Scope) -> Result<Symbols, Error> {
        let mut symbols = Symbols {
            stream: None,
            spaces: AddressSpaces::default(),
            files: Files::default(),
            functions: Functions::default(),
            perf_maps: HashMap::new(),
            unread: Unread::These(Vec::new()),
            lost: 0,
            keep_ended: KEEP_ENDED,
            symbols_without_time: has_user_symbols(manifest),
        };
        if !manifest.user_symbols {
            return Ok(symbols);
        }
        sys::lift_open_files_limit();
        symbols.stream = Some(Stream::open()?);
        let everywhere = manifest
            .probes
            .values()
            .flat_map(|probe| probe.points())
            .any(Attach::fires_in_any_process);
        match scope {
            Scope::Process(pid) => symbols.read_process(pid),
            Scope::Command if !everywhere => {}
            Scope::All | Scope::Command => symbols.unread = Unread::All,
        }
        Ok(symbols)
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
    pub fn read_some_processes(&mut self) -> bool {
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
                Some(pid) => self.read_process(pid),
                None => return false,
            }
        }
        self.unread != Unread::These(Vec::new())
    }

    /// Forgets processes that ended and that no captured stack is of.
    pub fn tidy(&mut self, loaded: &Loaded) {
        // A symbol in a map or a record names its process alone; which are needed can't be told, so more are kept.
        let keep = match self.symbols_without_time {
            true => self.keep_ended.saturating_mul(16),
            false => self.keep_ended,
        };
        if self.spaces.ended_processes() <= keep {
            return;
        }
        if let Some(needed) = loaded
            .map("pf_map_stacks")
            .and_then(|map| stack_owners(map).ok())
        {
            self.spaces.prune(|tgid| needed.contains(&tgid));
        }
        self.keep_ended = KEEP_ENDED.max(2 * self.spaces.ended_processes());
    }

    /// Names by what is known now.
    pub fn names<'a>(&'a mut self, loaded: &'a Loaded) -> SymbolNames<'a> {
        SymbolNames {
            symbols: self,
            loaded,
        }
    }

    fn apply(&mut self, record: Record) {
        match record.change {
            Change::Mapped(raw) => {
                let mapping = self.take_in(&raw, record.time);
                self.spaces.mapped(raw.tgid, mapping);
            }
            Change::Executed { tgid } => self.spaces.executed(tgid, record.time),
            Change::Forked { child, parent } => {
                if self.unread != Unread::These(Vec::new()) && self.spaces.is_unknown(parent) {
                    self.read_process(parent);
                }
                self.spaces.forked(child, parent, record.time);
            }
            Change::Ended { tgid } => self.spaces.ended(tgid),
        }
    }

    /// A mapping as it is kept; its file is opened if it is new.
    fn take_in(&mut self, raw: &RawMapping, time: u64) -> Mapping {
        let file = self.files.id(&raw.file);
        if self.files.wants_opening(file) {
            let processes = self.lineage(raw.tgid);
            self.files.open(file, &processes, (raw.start, raw.end));
        }
        Mapping {
            start: raw.start,
            end: raw.end,
            offset: raw.offset,
            file,
            time,
        }
    }

    /// A process and those that it descends from, as far as that was seen.
    fn lineage(&self, tgid: u32) -> Vec<u32> {
        const GENERATIONS: usize = 8;
        std::iter::successors(Some(tgid), |tgid| self.spaces.parent(*tgid))
            .take(GENERATIONS)
            .collect()
    }

    /// Reads a running process's mappings; one that is gone or hidden stays unknown.
    fn read_process(&mut self, tgid: u32) {
        let Ok(raw) = proc_maps::read(tgid) else {
            return;
        };
        let time = sys::clock_ns(libc::CLOCK_MONOTONIC);
        let mappings: Vec<Mapping> = raw.iter().map(|raw| self.take_in(raw, 0)).collect();
        self.spaces.read(tgid, time, mappings);
    }

    /// The function at an address of a process at a time, and what is mapped there.
    fn user_function(
        &mut self,
        tgid: u32,
        time: u64,
        address: u64,
    ) -> (Option<Function>, Option<FileId>) {
        if self.stream.is_some() && self.spaces.is_unknown(tgid) {
            self.read_process(tgid);
        }
        let Some(mapping) = self.spaces.find(tgid, time, address).copied() else {
            return (self.generated(tgid, address), None);
        };
        let kind = self.files.get(mapping.file).kind;
        if kind == Kind::Vdso
            && self.files.get(mapping.file).readable().is_none()
            && let Some(image) = own_vdso()
        {
            self.files.provide(mapping.file, image);
        }
        let file = self.files.get(mapping.file);
        let function = match kind {
            Kind::Anonymous => None,
            Kind::File | Kind::Vdso => {
                self.functions
                    .file(mapping.file, file, mapping.file_offset(address))
            }
        };
        // Code is generated into shared memory, too, which looks like a file.
        let function = function.or_else(|| self.generated(tgid, address));
        (function, Some(mapping.file))
    }

    /// A function that the process generated itself.
    fn generated(&mut self, tgid: u32, address: u64) -> Option<Function> {
        const READ_AGAIN: Duration = Duration::from_secs(1);
        let (map, read) = self
            .perf_maps
            .entry(tgid)
            .or_insert_with(|| (PerfMap::read(tgid, None), Instant::now()));
        if map.find(address).is_none() && read.elapsed() > READ_AGAIN {
            *map = PerfMap::read(tgid, Some(std::mem::take(map)));
            *read = Instant::now();
        }
        map.find(address).map(|(name, offset)| Function {
            name: name.into(),
            offset,
        })
    }
}

/// The processes that captured stacks are of.
fn stack_owners(map: &MapHandle) -> std::io::Result<HashSet<u32>> {
    let mut owners = HashSet::new();
    let mut key: Option<Vec<u8>> = None;
    let mut value = vec![0; map.value_size()];
    for _ in 0..map.max_entries() {
        let mut next = vec![0; map.key_size()];
        if !map.next_key(key.as_deref(), &mut next)? {
            break;
        }
        if map.lookup(&next, &mut value)? {
            owners.insert(unsigned(slice(&value, 0, 4)) as u32);
        }
        key = Some(next);
    }
    Ok(owners)
}

/// The image of the vDSO, which is the same in every process, in a file of its own.
fn own_vdso() -> Option<std::fs::File> {
    let own = proc_maps::read(std::process::id()).ok()?;
    let place = own.iter().find(|mapping| mapping.file.path == b"[vdso]")?;
    let mut image = vec![0; usize::try_from(place.end - place.start).ok()?];
    std::fs::File::open("/proc/self/mem")
        .ok()?
        .read_exact_at(&mut image, place.start)
        .ok()?;
    let file = std::fs::File::from(process::memory_file(c"vdso").ok()?);
    file.write_all_at(&image, 0).ok()?;
    Some(file)
}

/// Whether a map or a record holds user symbols, which name their process but no time.
fn has_user_symbols(manifest: &Manifest) -> bool {
    fn within(layout: &Layout) -> bool {
        match &layout.ty {
            DataType::UserSymbol => true,
            DataType::Tuple(fields) => fields.iter().any(|field| within(&field.layout)),
            DataType::Array { element, .. } => within(element),
            _ => false,
        }
    }
    let in_maps = manifest.maps.iter().any(|map| {
        map.key.as_ref().is_some_and(within)
            || matches!(&map.value, MapValue::Scalar(layout) if within(layout))
    });
    let in_records = manifest.actions.iter().any(|action| match action {
        Action::Printf { fields, .. } => fields.iter().any(|field| within(&field.layout)),
        Action::PrintValue { field, .. } => within(&field.layout),
        _ => false,
    });
    in_maps || in_records
}

/// Names for what one object captured.
pub struct SymbolNames<'a> {
    symbols: &'a mut Symbols,
    loaded: &'a Loaded,
}

impl SymbolNames<'_> {
    fn frame(
        &mut self,
        mode: StackMode,
        owner: Option<(u32, u64)>,
        address: u64,
        out: &mut Vec<u8>,
    ) {
        if mode == StackMode::Raw {
            push(out, format_args!("{address:x}\n"));
            return;
        }
        let (function, file) = match owner {
            Some((tgid, time)) => self.symbols.user_function(tgid, time, address),
            None => (self.symbols.functions.kernel(address), None),
        };
        match mode {
            StackMode::Perf => push(out, format_args!("\t{address:x} ")),
            _ => out.extend_from_slice(b"        "),
        }
        match function {
            Some(function) => {
                push_escaped(out, function.name.as_bytes());
                push(out, format_args!("+{}", function.offset));
            }
            None => push(out, format_args!("{address:#x}")),
        }
        if mode == StackMode::Perf && owner.is_some() {
            let path = file
                .map(|file| self.symbols.files.get(file).path.as_slice())
                .filter(|path| !path.is_empty())
                .unwrap_or(b"[unknown]");
            out.extend_from_slice(b" (");
            push_escaped(out, path);
            out.push(b')');
        }
        out.push(b'\n');
    }
}

impl Names for SymbolNames<'_> {
    fn stack(&mut self, id: u64, user: bool, mode: StackMode, depth: u32, out: &mut Vec<u8>) {
        let Some(map) = self.loaded.map("pf_map_stacks") else {
            return;
        };
        let mut value = vec![0; map.value_size()];
        if id == 0 || !map.lookup(&id.to_le_bytes(), &mut value).unwrap_or(false) {
            return;
        }
        let tgid = unsigned(slice(&value, 0, 4)) as u32;
        let frames = unsigned(slice(&value, 4, 4)) as usize;
        let first_ns = unsigned(slice(&value, 8, 8));
        let addresses = value.get(STACK_HEADER as usize..).unwrap_or_default();
        let owner = user.then_some((tgid, first_ns));
        for address in addresses.chunks_exact(8).take(frames.min(depth as usize)) {
            self.frame(mode, owner, unsigned(address), out);
        }
    }

    fn kernel_symbol(&mut self, address: u64, out: &mut Vec<u8>) {
        match self.symbols.functions.kernel(address) {
            Some(function) => push_escaped(out, function.name.as_bytes()),
            None => push(out, format_args!("{address:#x}")),
        }
    }

    fn user_symbol(&mut self, address: u64, tgid: u32, out: &mut Vec<u8>) {
        match self.symbols.user_function(tgid, u64::MAX, address).0 {
            Some(function) => push_escaped(out, function.name.as_bytes()),
            None => push(out, format_args!("{address:#x}")),
        }
    }
}
