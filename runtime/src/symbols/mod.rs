//! Names for addresses, of the kernel and of processes, whether these still run or not.
//!
//! An address of a process becomes a place in a file by [`Processes`], and the place is given a name here: by the file's
//! symbols ([`functions`]), or by what a just-in-time compiler wrote down ([`perf_map`], [`jitdump`]). The stacks that an object
//! captured are read in [`stacks`].

pub(crate) mod demangle;
mod functions;
mod jitdump;
mod kernel;
mod perf_map;
mod stacks;

pub use kernel::hidden as hidden_kernel_names;

use crate::bytes::{slice, unsigned};
use crate::error::Error;
use crate::load::Loaded;
use crate::loss::{Cause, Loss};
use crate::naming;
use crate::processes::{Kind, Processes};
use crate::python::codes::Codes;
use crate::raw_table::RawTable;
use crate::rests::Rests;
use crate::results::{Frame, Names, Value};
use functions::{Functions, Pointer, Symbol};
use perf_map::PerfMap;
use pfscript_compiler::manifest::{
    DataType, Layout, Manifest, MapManifest, MapValue, Naming, RecordKind, StackMode,
};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::RandomState;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What addresses were found to be called.
#[derive(Debug)]
pub struct Symbols {
    functions: Functions,
    perf_maps: HashMap<u32, Read>,
    /// Processes with generated code that has no name since too much was written down.
    cut: HashSet<u32>,
    /// JVMs whose stacks go through code that they generated, and that may keep no frame pointers.
    jvms_without_frames: HashSet<u32>,
    python: Codes,
    symbols_without_time: bool,
    source_lines: bool,
}

/// What was read of what a process wrote down.
#[derive(Debug)]
struct Read {
    map: PerfMap,
    at: Instant,
    /// [`Processes::perf_map_changes`] then.
    changes: u64,
}

impl Symbols {
    /// Knows no name yet.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(manifest: &Manifest, loaded: &Loaded) -> Result<Symbols, Error> {
        Ok(Symbols {
            functions: Functions::default(),
            perf_maps: HashMap::new(),
            cut: HashSet::new(),
            jvms_without_frames: HashSet::new(),
            symbols_without_time: has_user_symbols(manifest),
            python: Codes::new(loaded)?,
            source_lines: manifest.source_lines,
        })
    }

    /// A descriptor that becomes readable when names wait that processes are to be asked for no more.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.python.fd()
    }

    /// Takes in the names that wait.
    pub fn drain(&mut self, loaded: &Loaded) {
        self.python.drain(loaded);
    }

    /// Forgets processes that ended and that no captured stack is of, and what was remembered of these.
    pub fn tidy(&mut self, processes: &mut Processes, loaded: &Loaded) {
        // A symbol in a map or a record names its process alone; which are needed can't be told, so more are kept.
        let more = if self.symbols_without_time { 16 } else { 1 };
        if processes.tidy(more, || stacks::owners(loaded).ok()) {
            self.functions.forget_files();
            self.perf_maps.retain(|tgid, _| processes.is_known(*tgid));
            self.python.retain(|tgid| processes.is_known(tgid));
        }
    }

    /// Names by what is known now.
    pub fn names<'a>(
        &'a mut self,
        processes: &'a mut Processes,
        rests: Option<&'a mut Rests>,
        loaded: &'a Loaded,
        manifest: &'a Manifest,
    ) -> SymbolNames<'a> {
        self.drain(loaded);
        SymbolNames {
            symbols: self,
            processes,
            rests,
            loaded,
            trailer: manifest.str_trunc_trailer.as_bytes(),
        }
    }

    /// The names that should have been found and were not.
    pub fn losses(&self) -> impl Iterator<Item = Loss> {
        let counts = [
            (Cause::GeneratedCode, self.cut.len()),
            (Cause::JvmFrames, self.jvms_without_frames.len()),
        ];
        let some = counts.into_iter().filter(|(_, count)| *count > 0);
        let losses = some.map(|(cause, count)| Loss {
            probe: None,
            cause,
            count: count as u64,
            capacity: None,
        });
        losses.chain(self.python.losses())
    }

    /// Notes the process of a stack that may lack frames, since it goes through compiled code of a JVM.
    fn note_jvm(&mut self, processes: &mut Processes, stack: &stacks::Captured) {
        let tgid = stack.tgid;
        if !processes.is_jvm_without_frames(tgid) || self.jvms_without_frames.contains(&tgid) {
            return;
        }
        let is_generated = |frame: stacks::CapturedFrame| {
            let place = processes.locate(tgid, stack.first_ns, frame.address);
            place.is_some_and(|place| processes.file(place.file).kind == Kind::Anonymous)
        };
        if stack.frames().any(is_generated) {
            self.jvms_without_frames.insert(tgid);
        }
    }

    fn kernel_frame(&mut self, address: u64) -> Frame {
        named(Frame::at(address), self.functions.kernel(address))
    }

    /// What was at an address of a process at a time.
    fn user_frame(
        &mut self,
        processes: &mut Processes,
        tgid: u32,
        time: u64,
        address: u64,
        pointer: Pointer,
    ) -> Frame {
        let mut frame = Frame::at(address);
        let Some(place) = processes.locate(tgid, time, address) else {
            return named(frame, self.generated(processes, tgid, address));
        };
        let file = processes.file(place.file);
        frame.module = Some(match &*file.path {
            // As the kernel's records call it, where /proc has nothing.
            b"" => b"//anon".as_slice().into(),
            _ => file.path.clone(),
        });
        let symbol = match file.kind {
            Kind::Anonymous => {
                frame.module_address = Some(address);
                None
            }
            Kind::File | Kind::Vdso => {
                let found = self.functions.file(processes, place, pointer);
                frame.module_offset = Some(place.offset);
                frame.module_address = Some(found.address.unwrap_or(place.offset));
                found.symbol
            }
        };
        // Code is generated into shared memory, too, which looks like a file.
        let symbol = symbol.or_else(|| self.generated(processes, tgid, address));
        if symbol.is_none() {
            processes.missed(place.file);
        }
        named(frame, symbol)
    }

    /// A frame of a process with the functions that were inlined there before it, and all of their source lines, if the script asks for
    /// them.
    fn user_frames(
        &mut self,
        processes: &mut Processes,
        (tgid, time): (u32, u64),
        address: u64,
        pointer: Pointer,
        frames: &mut Vec<Frame>,
    ) {
        let mut frame = self.user_frame(processes, tgid, time, address, pointer);
        if self.source_lines
            && frame.module_offset.is_some()
            && let Some(own) = frame.module_address
            && let Some(place) = processes.locate(tgid, time, address)
        {
            let at = match pointer {
                Pointer::Instruction => own,
                Pointer::Return => own.wrapping_sub(1),
            };
            let calls = self.functions.calls(processes, place.file, at);
            if let Some((last, inlined)) = calls.split_last() {
                frames.extend(inlined.iter().map(|call| Frame {
                    function: call.function.as_deref().map(Arc::from),
                    offset: 0,
                    inlined: true,
                    file: call.file.as_deref().map(Arc::from),
                    line: call.line,
                    ..frame.clone()
                }));
                frame.file = last.file.as_deref().map(Arc::from);
                frame.line = last.line;
            }
        }
        frames.push(frame);
    }

    /// A function that the process generated itself.
    fn generated(&mut self, processes: &mut Processes, tgid: u32, address: u64) -> Option<Symbol> {
        const READ_AGAIN: Duration = Duration::from_secs(1);
        /// Bytes that the names of all processes together may take.
        const ROOM: usize = 256 << 20;
        let changes = processes.perf_map_changes();
        let is_old = |read: &Read| {
            let is_new = || read.map.find(address).is_none() && read.at.elapsed() > READ_AGAIN;
            read.changes != changes || is_new()
        };
        if self.perf_maps.get(&tgid).is_none_or(is_old) {
            let mut map = self.perf_maps.remove(&tgid).map(|read| read.map);
            let map = map.get_or_insert_default();
            let others: usize = self.perf_maps.values().map(|read| read.map.size()).sum();
            if let Some(file) = processes.perf_map(tgid) {
                map.update(file, ROOM.saturating_sub(others));
            }
            if let Some(file) = processes.jit_dump(tgid) {
                map.update_dump(file, ROOM.saturating_sub(others));
            }
            let read = Read {
                map: std::mem::take(map),
                at: Instant::now(),
                // Looking for the file may have been one.
                changes: processes.perf_map_changes(),
            };
            self.perf_maps.insert(tgid, read);
        }
        let map = &self.perf_maps.get(&tgid)?.map;
        let found = map.find(address);
        if found.is_none() && (map.is_cut() || processes.is_perf_map_refused(tgid)) {
            self.cut.insert(tgid);
        }
        found.map(|(name, offset)| Symbol {
            name: name.into(),
            offset,
        })
    }
}

fn named(mut frame: Frame, symbol: Option<Symbol>) -> Frame {
    if let Some(symbol) = symbol {
        frame.function = Some(symbol.name);
        frame.offset = symbol.offset;
    }
    frame
}

/// The build id of what a process had mapped at an address at a time.
fn build_id(
    processes: &mut Processes,
    (tgid, time): (u32, u64),
    address: u64,
) -> Option<Arc<[u8]>> {
    let place = processes.locate(tgid, time, address)?;
    let build_id = processes.symbols(place.file)?.build_id();
    (!build_id.is_empty()).then(|| Arc::clone(build_id))
}

/// Whether a map or a record holds user symbols, which name their process but no time.
fn has_user_symbols(manifest: &Manifest) -> bool {
    fn within(layout: &Layout) -> bool {
        match &layout.ty {
            DataType::UserSymbol => true,
            DataType::Tuple(fields) => fields.iter().any(|field| within(&field.layout)),
            DataType::Record(members) => members.iter().any(|member| within(&member.field.layout)),
            DataType::Array { element, .. } => within(element),
            _ => false,
        }
    }
    let in_maps = manifest.maps.iter().any(|map| {
        map.key.as_ref().is_some_and(within)
            || matches!(&map.value, MapValue::Scalar(layout) if within(layout))
    });
    let in_records = manifest.records.iter().any(|kind| match kind {
        RecordKind::Printf { fields, .. } | RecordKind::Resident { fields, .. } => {
            fields.iter().any(|field| within(&field.layout))
        }
        RecordKind::PrintValue { field, .. } => within(&field.layout),
        _ => false,
    });
    in_maps || in_records
}

/// Names for what one object captured.
pub struct SymbolNames<'a> {
    symbols: &'a mut Symbols,
    processes: &'a mut Processes,
    rests: Option<&'a mut Rests>,
    loaded: &'a Loaded,
    trailer: &'a [u8],
}

impl SymbolNames<'_> {
    /// The stack with an id, to its end.
    fn captured(&mut self, id: u64) -> Option<stacks::Captured> {
        let mut stack = stacks::read(self.loaded, id)?;
        if stack.is_unfinished() {
            let rest = self
                .rests
                .as_mut()
                .map(|rests| rests.of(id, self.processes));
            stack.finish(rest.unwrap_or_default());
        }
        Some(stack)
    }

    /// A map's entries, with one for each key. Programs have several for a stack that they left to user space: by what was on the
    /// stack beside its frames, and by those alone when all tables were there. `None` if there is none of the sort.
    pub fn joined(&mut self, info: &MapManifest, raw: &RawTable) -> Option<RawTable> {
        let stacks = info.key.as_ref()?.stacks();
        let rests = self.rests.as_mut().filter(|_| !stacks.is_empty())?;
        rests.settle(self.processes);
        if rests.is_empty() {
            return None;
        }
        let ids = self.ids_of(raw, &stacks);
        if ids.is_empty() {
            return None;
        }
        Some(raw.joined(info, |key| {
            let mut last = u64::MAX;
            for offset in &stacks {
                let place = *offset as usize..*offset as usize + 8;
                if let Some(place) = key.get_mut(place)
                    && let Some((id, time)) = ids.get(&unsigned(place))
                {
                    place.copy_from_slice(&id.to_le_bytes());
                    last = last.min(*time);
                }
            }
            // What programs walked to the end comes after what they left.
            last
        }))
    }

    /// Of each stack in keys that programs left to user space, the id of the same stack that stands for all of these, and when it was
    /// captured.
    fn ids_of(&mut self, raw: &RawTable, stacks: &[u32]) -> HashMap<u64, (u64, u64)> {
        let keys = (0..raw.len()).map(|index| raw.key(index));
        let all = keys.flat_map(|key| stacks.iter().map(|at| unsigned(slice(key, *at, 8))));
        let all: BTreeSet<u64> = all.collect();
        let hasher = RandomState::new();
        let mut alike: HashMap<u64, Vec<u64>> = HashMap::new();
        let mut left = Vec::new();
        for id in all {
            match stacks::read(self.loaded, id) {
                Some(stack) if stack.is_unfinished() => left.push(id),
                Some(stack) => alike.entry(stack.hash(&hasher)).or_default().push(id),
                None => {}
            }
        }
        let mut ids = HashMap::new();
        for id in left {
            let Some(stack) = self.captured(id) else {
                continue;
            };
            let others = alike.entry(stack.hash(&hasher)).or_default();
            let same = others
                .iter()
                .copied()
                .find(|other| self.is_same(&stack, *other));
            if same.is_none() {
                others.push(id);
            }
            ids.insert(id, (same.unwrap_or(id), stack.first_ns));
        }
        ids
    }

    /// Whether a stack has the same frames as the one of that id, in the same files: other code may be at the same addresses later.
    fn is_same(&mut self, stack: &stacks::Captured, other: u64) -> bool {
        let Some(other) = self.captured(other) else {
            return false;
        };
        let pairs = stack.frames().zip(other.frames());
        stack.tgid == other.tgid
            && stack.frames().len() == other.frames().len()
            && pairs.into_iter().all(|(one, another)| {
                let mut place = |stack: &stacks::Captured, address| {
                    self.processes.locate(stack.tgid, stack.first_ns, address)
                };
                one == another && place(stack, one.address) == place(&other, another.address)
            })
    }
}

impl Names for SymbolNames<'_> {
    fn stack(&mut self, id: u64, user: bool, mode: StackMode, depth: u32) -> Vec<Frame> {
        let Some(stack) = self.captured(id) else {
            return Vec::new();
        };
        if user {
            self.symbols.note_jvm(self.processes, &stack);
        }
        let process = (stack.tgid, stack.first_ns);
        let mut frames = Vec::with_capacity(stack.frames().len());
        for captured in stack.frames().take(depth as usize) {
            let address = captured.address;
            if captured.is_python
                && let Some(frame) = self.symbols.python.frame(stack.tgid, address)
            {
                frames.push(frame);
                continue;
            }
            let pointer = match captured.is_next {
                true => Pointer::Instruction,
                false => Pointer::Return,
            };
            match (mode, user) {
                (StackMode::Raw, _) => frames.push(Frame::at(address)),
                (StackMode::BuildId, _) => {
                    let symbols = &mut self.symbols;
                    let (tgid, time) = process;
                    let mut frame =
                        symbols.user_frame(self.processes, tgid, time, address, pointer);
                    frame.build_id = build_id(self.processes, process, address);
                    frames.push(frame);
                }
                (StackMode::Bpftrace | StackMode::Perf, false) => {
                    frames.push(self.symbols.kernel_frame(address));
                }
                (StackMode::Bpftrace | StackMode::Perf, true) => {
                    self.symbols
                        .user_frames(self.processes, process, address, pointer, &mut frames)
                }
            }
        }
        frames
    }

    fn kernel_symbol(&mut self, address: u64) -> Frame {
        self.symbols.kernel_frame(address)
    }

    fn named(&mut self, naming: &Naming, number: u64) -> Value {
        naming::name(naming, number)
    }

    fn trailer(&self) -> &[u8] {
        self.trailer
    }

    fn user_symbol(&mut self, address: u64, tgid: u32) -> Frame {
        self.symbols.user_frame(
            self.processes,
            tgid,
            u64::MAX,
            address,
            Pointer::Instruction,
        )
    }
}
