//! The tables by which programs walk stacks, in the kernel: one for each file that code is of.
//!
//! In come files and what the kernel knows them by, out go maps that programs find. What is traced from the start is asked for before
//! it. Of other files programs say themselves that they miss the table, so that none is made that nobody needs; it is there a
//! moment later; those of common libraries are made beforehand where any process may come. A thread of its own makes them, and nothing waits for it but who asks to. What a table says is [`crate::unwind`]'s.

use crate::error::{Error, ErrorKind};
use crate::processes::common::{self, Common};
use crate::processes::{missed, own_vdso, startup};
use crate::python::interpreter;
use crate::ring::ring_buffer;
use crate::sys::bpf::{MapHandle, Words};
use crate::sys::{self, process};
use crate::unwind::{Row, Table, View};
use crate::unwind_maps::{Identity, UnwindMaps};
use aya::maps::{MapData, RingBuf};
use pfscript_probes::abi::{UNWIND_TABLE, UNWIND_WANTED};
use pfscript_probes::maps::{MAX_UNWIND_TABLES, UNWIND_WANTED_BYTES};
use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Bytes of all tables. Those of a browser have some 20 MB.
const MAX_BYTES: u64 = 512 << 20;

/// Makes tables.
#[derive(Debug)]
pub struct UnwindTables {
    jobs: Sender<Job>,
    /// A byte for each job; closed, it ends the thread.
    bell: File,
    size: Arc<Size>,
    made: Arc<Made>,
}

/// What the thread has made, for walks in user space.
#[derive(Debug, Default)]
struct Made {
    /// By file; `None` if it has no table.
    tables: Mutex<HashMap<Identity, Option<Arc<Shared>>>>,
    /// Rises with each file.
    changes: AtomicU64,
}

impl Made {
    fn put(&self, identity: Identity, table: Option<Arc<Shared>>) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.insert(identity, table);
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    fn remove(&self, identity: Identity) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.remove(&identity);
    }
}

/// A table that programs and user space look into.
#[derive(Debug)]
pub struct Shared {
    first_chunk: u64,
    chunks: u32,
    words: Words,
}

impl Shared {
    /// The row that holds at an offset in the file.
    pub fn lookup(&self, file_offset: u64) -> Row {
        let view = View {
            first_chunk: self.first_chunk,
            chunks: self.chunks,
            words: &self.words,
        };
        view.lookup(file_offset)
    }
}

/// How much there is.
#[derive(Debug, Default)]
struct Size {
    files: AtomicU64,
    bytes: AtomicU64,
}

/// What the thread is asked.
enum Job {
    /// A table of this file.
    Make(Identity, File),
    /// The same, unless there is one.
    MakeMissing(Identity, File),
    /// Those of files that are common, when there is nothing else to do.
    MakeCommon,
    /// To give up that of a file which is mapped nowhere any more.
    Drop(Identity),
    /// To say when all before is done.
    Tell(Sender<()>),
}

impl UnwindTables {
    /// Begins to make tables for programs that look into these maps.
    ///
    /// # Errors
    /// If the system has no room for a thread.
    pub fn begin(maps: UnwindMaps) -> Result<UnwindTables, Error> {
        let (jobs, asked) = mpsc::channel();
        let cannot = |error| {
            let message = format!("can't make tables to unwind stacks: {error}");
            Error::new(ErrorKind::Kernel, message)
        };
        let (bell, ring) = process::pipe().map_err(cannot)?;
        let missed = ring_buffer(maps.wanted.fd())?;
        let size = Arc::<Size>::default();
        let made = Arc::<Made>::default();
        let maker = Maker {
            maps: Arc::new(maps),
            waiting: Vec::new(),
            files: HashMap::new(),
            slots: HashMap::new(),
            free: (0..MAX_UNWIND_TABLES).rev().collect(),
            hasher: RandomState::new(),
            size: size.clone(),
            made: Arc::clone(&made),
            common: Vec::new(),
        };
        thread::Builder::new()
            .name("unwind".into())
            .spawn(move || maker.work(&asked, &File::from(bell), missed))
            .map_err(cannot)?;
        let tables = UnwindTables {
            jobs,
            bell: File::from(ring),
            size,
            made,
        };
        if let Some(vdso) = own_vdso() {
            tables.add(Identity::default(), vdso);
        }
        Ok(tables)
    }

    /// Has a table made of a file, in the place of what was known by that identity.
    pub fn add(&self, identity: Identity, file: File) {
        self.ask(Job::Make(identity, file));
    }

    /// Has a table made of a file, unless there is one.
    pub fn add_missing(&self, identity: Identity, file: File) {
        self.ask(Job::MakeMissing(identity, file));
    }

    /// The table of a file; `None` if it is not there yet, and within if the file has none.
    #[allow(clippy::option_option)]
    pub fn table(&self, identity: Identity) -> Option<Option<Arc<Shared>>> {
        let tables = self.made.tables.lock();
        let tables = tables.unwrap_or_else(PoisonError::into_inner);
        tables.get(&identity).cloned()
    }

    /// A number that rises when a table is there that was not.
    pub fn changes(&self) -> u64 {
        self.made.changes.load(Ordering::Relaxed)
    }

    /// Has tables made of all that a program will have mapped when its `main` begins.
    pub fn add_program(&self, program: &Path) {
        for file in startup::files(program) {
            if let Ok(identity) = Identity::of(&file) {
                self.add(identity, file);
            }
        }
    }

    /// Has tables made of the files that many processes have mapped, when there is nothing else to do.
    pub fn add_common(&self) {
        self.ask(Job::MakeCommon);
    }

    /// Gives up what is known by an identity.
    pub fn remove(&self, identity: Identity) {
        self.ask(Job::Drop(identity));
    }

    /// Waits until all tables that were asked for and missed are there; meanwhile does `other` now and then.
    pub fn wait(&self, mut other: impl FnMut()) {
        const PAUSE: Duration = Duration::from_millis(2);
        let (done, told) = mpsc::channel();
        self.ask(Job::Tell(done));
        // Fails otherwise only if the thread is gone, and there is nothing to wait for.
        while let Err(RecvTimeoutError::Timeout) = told.recv_timeout(PAUSE) {
            other();
        }
    }

    fn ask(&self, job: Job) {
        if self.jobs.send(job).is_ok() {
            let _ = (&self.bell).write(&[0]);
        }
    }

    /// Of how many files there are tables, and how many bytes these have.
    pub fn size(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.size.files), read(&self.size.bytes))
    }
}

/// A table that programs have.
#[derive(Debug)]
struct Slot {
    number: u32,
    /// Of how many files it is: copies of a library, in containers, have the same.
    files: u32,
    table: Arc<Shared>,
}

impl Slot {
    fn bytes(&self) -> u64 {
        size_of_val(&self.table.words[..]) as u64
    }
}

/// What the thread has.
struct Maker {
    maps: Arc<UnwindMaps>,
    /// What waits for the kernel.
    waiting: Vec<JoinHandle<bool>>,
    /// By file, the hash of its table; `None` if it has none.
    files: HashMap<Identity, Option<u64>>,
    /// By the hash of the table.
    slots: HashMap<u64, Slot>,
    free: Vec<u32>,
    hasher: RandomState,
    size: Arc<Size>,
    made: Arc<Made>,
    /// Files whose tables are to be made some time, the next one last.
    common: Vec<Common>,
}

impl Maker {
    /// Works until nobody can ask any more: what is asked for comes before what was missed.
    fn work(mut self, asked: &Receiver<Job>, bell: &File, mut missed: RingBuf<MapData>) {
        loop {
            let fds = [bell.as_fd(), missed.as_fd()];
            let timeout = if self.common.is_empty() { -1 } else { 0 };
            let Ok(ready) = sys::poll_all(&fds, &[], timeout) else {
                return;
            };
            if ready.first() == Some(&true) {
                let mut rung = [0; 64];
                if (&*bell).read(&mut rung).unwrap_or(0) == 0 {
                    return;
                }
            }
            while let Ok(job) = asked.try_recv() {
                match job {
                    Job::Make(identity, file) => self.add(identity, &file),
                    Job::MakeMissing(identity, file) => {
                        if !self.files.contains_key(&identity) {
                            self.add(identity, &file);
                        }
                    }
                    Job::MakeCommon => self.common = common::files(),
                    Job::Drop(identity) => self.remove(identity),
                    Job::Tell(done) => {
                        // As many as there may be, should more come all the time.
                        for _ in 0..UNWIND_WANTED_BYTES / UNWIND_WANTED.size() {
                            let Some(record) = missed.next() else {
                                break;
                            };
                            self.make_missed(&record);
                        }
                        let _ = done.send(());
                    }
                }
            }
            if let Some(record) = missed.next() {
                self.make_missed(&record);
            } else if let Some((identity, file)) = self.common.pop().and_then(|next| next.open())
                && !self.files.contains_key(&identity)
            {
                self.add(identity, &file);
            }
            self.tell_size();
        }
    }

    fn tell_size(&self) {
        let bytes = self.slots.values().map(Slot::bytes).sum();
        self.size.bytes.store(bytes, Ordering::Relaxed);
        let files = self.files.values().flatten().count();
        self.size.files.store(files as u64, Ordering::Relaxed);
    }

    /// Makes the table of a file. What has none is walked by frame pointers.
    fn add(&mut self, identity: Identity, file: &File) {
        let table = Table::read(file).ok().filter(|table| table.chunks > 0);
        let hash = table.and_then(|table| self.keep(&table).map(|hash| (hash, table)));
        let mut value = vec![0; UNWIND_TABLE.size() as usize];
        if let Some((hash, table)) = &hash {
            let slot = self.slots.get(hash).map_or(0, |slot| slot.number);
            for (name, number) in [
                ("slot", slot),
                ("first_chunk", table.first_chunk as u32),
                ("chunks", table.chunks),
            ] {
                UNWIND_TABLE.extent(name).set(&mut value, number.into());
            }
        }
        if let Ok(Some(row)) = interpreter::row(file) {
            UNWIND_TABLE.extent("is_python").set(&mut value, 1);
            UNWIND_TABLE.extent("python").fill(&mut value, &row);
        }
        let set = self.maps.files.update(&identity.key(), &value);
        let hash = hash.map(|(hash, _)| hash);
        let table = hash.and_then(|hash| self.slots.get(&hash));
        self.made
            .put(identity, table.map(|slot| Arc::clone(&slot.table)));
        if set.is_err() {
            self.release(hash);
        } else if let Some(before) = self.files.insert(identity, hash) {
            self.release(before);
        }
    }

    /// Gives up what is known by an identity.
    fn remove(&mut self, identity: Identity) {
        if let Some(hash) = self.files.remove(&identity) {
            let _ = self.maps.files.delete(&identity.key());
            self.made.remove(identity);
            self.release(hash);
        }
    }

    /// Puts a table where programs find it, unless it is there; its hash. `None` if there is no room.
    fn keep(&mut self, table: &Table) -> Option<u64> {
        let hash = self.hasher.hash_one((table.first_chunk, &table.words));
        if let Some(slot) = self.slots.get_mut(&hash) {
            slot.files += 1;
            return Some(hash);
        }
        let bytes = table.words.len() as u64 * 8;
        let all: u64 = self.slots.values().map(Slot::bytes).sum();
        if all + bytes > MAX_BYTES {
            return None;
        }
        let number = self.free.pop()?;
        let put = || {
            let map = UnwindMaps::table(u32::try_from(table.words.len()).ok()?).ok()?;
            let words = map.fill(&table.words).ok()?;
            Some((words, map))
        };
        let put = put().filter(|(_, map)| self.show(number, map));
        let Some((words, _)) = put else {
            self.free.push(number);
            return None;
        };
        let slot = Slot {
            number,
            files: 1,
            table: Arc::new(Shared {
                first_chunk: table.first_chunk,
                chunks: table.chunks,
                words,
            }),
        };
        self.slots.insert(hash, slot);
        Some(hash)
    }

    /// Shows a table to programs; false if that cannot be. The kernel does it at once, and then waits until no program uses what was in that place
    /// before (`maybe_wait_bpf_programs`, some 15 ms). That was nothing, so a thread waits in our place.
    fn show(&mut self, number: u32, map: &MapHandle) -> bool {
        const WAITING: usize = 16;
        const PAUSE: Duration = Duration::from_micros(20);
        if self.waiting.len() >= WAITING {
            for thread in self.waiting.drain(..) {
                let _ = thread.join();
            }
        }
        let Ok(fd) = map.fd().try_clone_to_owned() else {
            return false;
        };
        let (key, maps) = (number.to_le_bytes(), Arc::clone(&self.maps));
        let update = move || {
            let shown = fd.as_raw_fd().to_le_bytes();
            maps.tables.update(&key, &shown).is_ok()
        };
        let Ok(thread) = thread::Builder::new().spawn(update) else {
            return false;
        };
        // What is there is told by its id.
        let is_there = || matches!(self.maps.tables.lookup(&key, &mut [0; 4]), Ok(true));
        loop {
            let is_over = thread.is_finished();
            if is_there() {
                self.waiting.push(thread);
                return true;
            }
            if is_over {
                return false;
            }
            thread::sleep(PAUSE);
        }
    }

    /// One file less has this table.
    fn release(&mut self, hash: Option<u64>) {
        let Some(hash) = hash else {
            return;
        };
        if let Some(slot) = self.slots.get_mut(&hash) {
            slot.files -= 1;
            if slot.files == 0 {
                // The kernel keeps it as long as a program uses it.
                let _ = self.maps.tables.delete(&slot.number.to_le_bytes());
                self.free.push(slot.number);
                self.slots.remove(&hash);
            }
        }
    }

    /// Makes the table that programs missed.
    fn make_missed(&mut self, record: &[u8]) {
        use crate::bytes::unsigned;
        let identity = Identity::of_key(UNWIND_WANTED.extent("file").of(record));
        let tgid = unsigned(UNWIND_WANTED.extent("tgid").of(record)) as u32;
        let address = unsigned(UNWIND_WANTED.extent("address").of(record));
        if self.files.contains_key(&identity) {
            return;
        }
        // Another file may be mapped there by now. Its device is not compared, which some file systems tell in another way.
        let is_it = |file: &File| Identity::of(file).is_ok_and(|now| now.inode == identity.inode);
        match missed(tgid, address).filter(is_it) {
            Some(file) => self.add(identity, &file),
            // Who comes next may still be there when its file is looked for.
            None => drop(self.maps.files.delete(&identity.key())),
        }
    }
}
