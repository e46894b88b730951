//! Opening perf events (perf_event_open(2)): counted events, tracepoints, kprobes and uprobes.
//!
//! In comes an attach point, out come open events that do not fire yet. Which program they run, and when they start, is not
//! decided here.

use super::errors::{cannot, no_place, refused};
use crate::error::{Error, ErrorKind};
use crate::facts::{self, tracefs};
use crate::refusal::no_permission;
use crate::sys::{self, perf};
use aya_obj::generated::{perf_event_attr, perf_type_id};
use pfscript_compiler::facts::FactError;
use pfscript_compiler::manifest::{Attach, PerfEvent, PerfScope, ProbeManifest, Sample};
use pfscript_probes::Feature;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// `pid` or `cpu` of perf_event_open(2): any.
const ANY: i32 = -1;

/// Whose events are wanted: those of all processes, if of nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traced {
    /// The one process that programs are narrowed to. Uprobes are put into that one alone.
    pub process: Option<u32>,
    /// The process of a command that has not begun: events that count everywhere count in it and those that it starts only, from its
    /// exec on.
    pub command: Option<u32>,
    /// A process that runs: they count in it and those that it starts from now on.
    pub tree: Option<u32>,
}

/// Opens events, and remembers what that takes.
pub struct Events {
    /// The one process that the session follows.
    process: Option<u32>,
    /// The process of the command that is traced.
    command: Option<u32>,
    /// One that runs and is traced with those that it starts.
    tree: Option<u32>,
    cpus: OnceCell<Vec<u32>>,
    tracefs: OnceCell<&'static Path>,
    kprobe: OnceCell<ProbeUnit>,
    uprobe: OnceCell<ProbeUnit>,
    /// What the user should know of how attach points were taken.
    notes: RefCell<BTreeSet<String>>,
}

/// A source of events that are made where one asks for them: in the kernel's code or in a file's.
#[derive(Clone, Copy, Debug)]
struct ProbeUnit {
    event_type: u32,
    return_bit: u64,
}

impl Events {
    /// Of what is traced.
    pub fn new(traced: Traced) -> Events {
        Events {
            process: traced.process,
            command: traced.command,
            tree: traced.tree,
            cpus: OnceCell::new(),
            tracefs: OnceCell::new(),
            kprobe: OnceCell::new(),
            uprobe: OnceCell::new(),
            notes: RefCell::default(),
        }
    }

    /// What the user should know of how attach points were taken, each once.
    pub fn into_notes(self) -> BTreeSet<String> {
        self.notes.into_inner()
    }

    /// Opens the events of an attach point. With each goes whether the command's exec will start it.
    ///
    /// # Errors
    /// [`ErrorKind::Permission`] or [`ErrorKind::Attach`], naming the probe and what the kernel's answer means.
    pub fn open(
        &self,
        attach: &Attach,
        info: &ProbeManifest,
    ) -> Result<Vec<(OwnedFd, bool)>, Error> {
        match attach {
            // Without an event.
            Attach::Begin
            | Attach::End
            | Attach::Signal { .. }
            | Attach::Asked { .. }
            | Attach::RawTracepoint { .. } => Ok(Vec::new()),
            Attach::PerfEvent(event) => self.counted(info, event),
            Attach::Tracepoint { category, name } => {
                Ok(vec![(self.tracepoint(info, category, name)?, false)])
            }
            Attach::Kprobe {
                function,
                offset,
                on_return,
            } => self.kprobe(info, function, *offset, *on_return),
            Attach::Uprobe {
                path,
                offset,
                counter,
                on_return,
            } => Ok(vec![(
                self.uprobe(info, path, (*offset, *counter), *on_return)?,
                false,
            )]),
        }
    }

    fn cpus(&self) -> Result<&[u32], Error> {
        if let Some(cpus) = self.cpus.get() {
            return Ok(cpus);
        }
        let list = sys::online_cpus().map_err(|error| {
            Error::new(
                ErrorKind::Kernel,
                format!("can't read the list of CPUs from /sys: {error}"),
            )
        })?;
        Ok(self.cpus.get_or_init(|| list))
    }

    fn first_cpu(&self) -> Result<i32, Error> {
        Ok(self.cpus()?.first().copied().unwrap_or(0) as i32)
    }

    fn counted(
        &self,
        info: &ProbeManifest,
        event: &PerfEvent,
    ) -> Result<Vec<(OwnedFd, bool)>, Error> {
        let mut attr = perf::attributes();
        attr.type_ = event.event_type;
        attr.config = event.config;
        attr.set_disabled(1);
        match event.sample {
            Sample::Period(period) => attr.__bindgen_anon_1.sample_period = period,
            Sample::Frequency(frequency) => {
                attr.__bindgen_anon_1.sample_freq = frequency;
                attr.set_freq(1);
            }
        }
        match (event.scope, self.command) {
            (PerfScope::EveryCpu, Some(pid)) => {
                // Threads and children of the command inherit the event, program included.
                attr.set_inherit(1);
                attr.set_enable_on_exec(1);
                Ok(vec![(open(info, &attr, (pid as i32, ANY))?, true)])
            }
            (PerfScope::EveryCpu, None) if let Some(pid) = self.tree => {
                attr.set_inherit(1);
                threads(info, &attr, pid)
            }
            (PerfScope::EveryCpu, None) => self
                .cpus()?
                .iter()
                .map(|cpu| Ok((open(info, &attr, (ANY, *cpu as i32))?, false)))
                .collect(),
            (PerfScope::OneCpu, _) => {
                let cpu = self.first_cpu()?;
                Ok(vec![(open(info, &attr, (ANY, cpu))?, false)])
            }
        }
    }

    /// A tracepoint's program runs wherever the tracepoint fires, whatever CPU the event was opened for.
    fn tracepoint(
        &self,
        info: &ProbeManifest,
        category: &str,
        name: &str,
    ) -> Result<OwnedFd, Error> {
        let root = match self.tracefs.get() {
            Some(root) => root,
            None => {
                let root = tracefs::find().map_err(|error| unavailable(error, info))?;
                self.tracefs.get_or_init(|| root)
            }
        };
        let path = root.join("events").join(category).join(name).join("id");
        let shown = path.display();
        let failed = |message: String| Error::new(ErrorKind::Attach, message).at(info.span);
        let id = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => failed(format!("there is no tracepoint {category}:{name}")),
            io::ErrorKind::PermissionDenied => {
                no_permission(&format!("read {shown}"), "CAP_DAC_READ_SEARCH").at(info.span)
            }
            _ => failed(format!("can't read {shown}: {error}")),
        })?;
        let id = (id.trim().parse::<u64>())
            .map_err(|_| failed(format!("expected a number in {shown}, found {id:?}")))?;
        let mut attr = perf::attributes();
        attr.type_ = perf_type_id::PERF_TYPE_TRACEPOINT as u32;
        attr.config = id;
        attr.__bindgen_anon_1.sample_period = 1;
        attr.set_disabled(1);
        open(info, &attr, (ANY, self.first_cpu()?))
    }

    fn kprobe(
        &self,
        info: &ProbeManifest,
        function: &str,
        offset: u64,
        on_return: bool,
    ) -> Result<Vec<(OwnedFd, bool)>, Error> {
        let unit = unit(&self.kprobe, "kprobe")
            .ok_or_else(|| unavailable(FactError::lacking(Feature::Kprobes), info))?;
        let name = CString::new(function)
            .map_err(|_| Error::new(ErrorKind::Bug, "a function's name contains a zero byte"))?;
        let mut attr = perf::attributes();
        attr.__bindgen_anon_3.kprobe_func = name.as_ptr() as u64;
        unit.describe(&mut attr, offset, on_return);
        let cpu = self.first_cpu()?;
        let error = match perf::open(&attr, ANY, cpu) {
            Ok(event) => return Ok(vec![(event, false)]),
            Err(error) => error,
        };
        match error.raw_os_error() {
            // What the compiler has changed has another name.
            Some(libc::ENOENT)
                if let (0, Some(variant)) = (offset, facts::variant_of(function)) =>
            {
                let note = format!(
                    "`{function}` is `{variant}` in this kernel: the compiler may have changed its arguments"
                );
                self.notes.borrow_mut().insert(note);
                self.kprobe(info, &variant, offset, on_return)
            }
            Some(libc::ENOENT) => Err(no_function(info, function)),
            // Several functions have that name: all of them are meant.
            Some(libc::EADDRNOTAVAIL) => {
                let addresses = facts::addresses_of(function);
                if addresses.is_empty() {
                    let why = "several functions have that name, and their addresses are hidden";
                    return Err(cannot(info, why).with_help(
                        "run as root, with kernel.kptr_restrict at 0 or 1, to probe all of them",
                    ));
                }
                attr.__bindgen_anon_3.kprobe_func = 0;
                let each = addresses.iter().map(|address| {
                    attr.__bindgen_anon_4.kprobe_addr = address.wrapping_add(offset);
                    let event = perf::open(&attr, ANY, cpu);
                    Ok((event.map_err(|error| not_probed(&error, info))?, false))
                });
                each.collect()
            }
            _ => Err(not_probed(&error, info)),
        }
    }

    /// Where one process is followed, the kernel changes the code of that process alone, so that others pay nothing.
    fn uprobe(
        &self,
        info: &ProbeManifest,
        path: &Path,
        (offset, counter): (u64, u64),
        on_return: bool,
    ) -> Result<OwnedFd, Error> {
        let unit = unit(&self.uprobe, "uprobe")
            .ok_or_else(|| unavailable(FactError::lacking(Feature::Uprobes), info))?;
        let name = CString::new(path.as_os_str().as_bytes())
            .map_err(|_| Error::new(ErrorKind::Bug, "a file's name contains a zero byte"))?;
        let mut attr = perf::attributes();
        attr.__bindgen_anon_3.uprobe_path = name.as_ptr() as u64;
        unit.describe(&mut attr, offset, on_return);
        // `ref_ctr_offset` (Linux 4.20).
        attr.config |= counter << 32;
        let target = match self.process {
            Some(process) => (process as i32, ANY),
            None => (ANY, self.first_cpu()?),
        };
        perf::open(&attr, target.0, target.1).map_err(|error| no_place(&error, path, offset, info))
    }
}

impl ProbeUnit {
    /// What is alike in all attributes of the unit's events.
    fn describe(self, attr: &mut perf_event_attr, offset: u64, on_return: bool) {
        attr.type_ = self.event_type;
        attr.config = if on_return { self.return_bit } else { 0 };
        attr.__bindgen_anon_4.probe_offset = offset;
        attr.set_disabled(1);
    }
}

/// A place in the kernel's code that takes no kprobe.
fn not_probed(error: &io::Error, info: &ProbeManifest) -> Error {
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::ENOENT | libc::EILSEQ) => {
            cannot(info, "the kernel lets no probe be put there")
                .with_help("it may be marked `notrace`; is the offset that of an instruction?")
        }
        _ => refused(error, info),
    }
}

/// There is no function of this name to put a kprobe on.
fn no_function(info: &ProbeManifest, function: &str) -> Error {
    let why = format!("the kernel has no function `{function}` that can be probed");
    let variants = facts::variants_of(function);
    let help = match &variants[..] {
        [] => format!("see `pfscript -l 'kprobe:*{function}*'`"),
        variants => format!("the compiler made `{}` of it", variants.join("` and `")),
    };
    cannot(info, &why).with_help(help)
}

fn open(
    info: &ProbeManifest,
    attr: &perf_event_attr,
    (pid, cpu): (i32, i32),
) -> Result<OwnedFd, Error> {
    perf::open(attr, pid, cpu).map_err(|error| refused(&error, info))
}

/// An event for each thread of a process, which those inherit that it starts. One that begins meanwhile is found when they are listed
/// again.
fn threads(
    info: &ProbeManifest,
    attr: &perf_event_attr,
    pid: u32,
) -> Result<Vec<(OwnedFd, bool)>, Error> {
    let folder = format!("/proc/{pid}/task");
    let mut known = BTreeSet::new();
    let mut events = Vec::new();
    loop {
        let listed = std::fs::read_dir(&folder).into_iter().flatten();
        let threads = listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let new: Vec<i32> = threads.filter(|thread| known.insert(*thread)).collect();
        if new.is_empty() {
            return Ok(events);
        }
        for thread in new {
            match perf::open(attr, thread, ANY) {
                Ok(event) => events.push((event, false)),
                // It has ended.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                Err(error) => return Err(refused(&error, info)),
            }
        }
    }
}

/// tracefs cannot be used.
fn unavailable(error: FactError, info: &ProbeManifest) -> Error {
    match error {
        FactError::Unknown => cannot(info, "there is no tracefs"),
        FactError::Unavailable { reason, help } | FactError::Hidden { reason, help } => {
            let error = cannot(info, &reason);
            match help {
                Some(help) => error.with_help(help),
                None => error,
            }
        }
    }
}

/// The unit of that name, read once; `None` if this kernel has none.
fn unit(known: &OnceCell<ProbeUnit>, name: &str) -> Option<ProbeUnit> {
    if let Some(unit) = known.get() {
        return Some(*unit);
    }
    let root = Path::new("/sys/bus/event_source/devices").join(name);
    let event_type = std::fs::read_to_string(root.join("type")).ok()?;
    let bit = std::fs::read_to_string(root.join("format/retprobe")).ok()?;
    let unit = ProbeUnit {
        event_type: event_type.trim().parse().ok()?,
        return_bit: 1_u64.checked_shl(bit.trim().strip_prefix("config:")?.parse().ok()?)?,
    };
    Some(*known.get_or_init(|| unit))
}
