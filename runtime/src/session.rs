//! A tracing session from loading to the last line of output.
//!
//! The order is: load, attach, run `BEGIN`, enable all events at once, release the command; deliver records until
//! something ends the session; detach, deliver the rest, run `END`, deliver what it printed, print the maps, and say
//! what was lost.

use crate::attach::{self, Attached};
use crate::command::Command;
use crate::decode::{self, Table};
use crate::error::{Error, ErrorKind};
use crate::format;
use crate::load::{self, Loaded};
use crate::loss::{self, Loss};
use crate::output::{Sink, Text};
use crate::print::MapOptions;
use crate::symbols::{Scope, SymbolNames, Symbols};
use crate::sys::bpf::MapHandle;
use crate::sys::{self, process};
use aya::maps::{Map, MapData, RingBuf};
use pfscript_compiler::manifest::{Action, Attach, Globals, Manifest, MapManifest, MapValue};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// What the compiler made of a script.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// The BPF ELF file.
    pub elf: Vec<u8>,
    /// What is in it.
    pub manifest: Manifest,
}

/// What is traced.
#[derive(Debug, Default)]
pub enum Target {
    /// Everything.
    #[default]
    All,
    /// One process, to which the object's programs were narrowed when it was compiled; the session ends with it.
    Process(u32),
    /// A command and its children, from its exec on; the session ends with it.
    Command(Command),
}

/// What ends a session from outside: signals, or a handle given to another thread.
#[derive(Debug)]
pub struct Stop {
    event: Arc<OwnedFd>,
    signals: Option<process::EndSignals>,
}

/// Ends a session, from any thread.
#[derive(Clone, Debug)]
pub struct StopHandle(Arc<OwnedFd>);

impl StopHandle {
    /// Makes the session stop tracing and print its results.
    pub fn stop(&self) {
        process::raise(self.0.as_fd());
    }
}

impl Stop {
    /// Only by its handles.
    ///
    /// # Errors
    /// If the kernel has no descriptor left.
    pub fn new() -> Result<Stop, Error> {
        let event = process::eventfd()
            .map_err(|error| Error::new(ErrorKind::Kernel, format!("can't wait: {error}")))?;
        Ok(Stop {
            event: Arc::new(event),
            signals: None,
        })
    }

    /// By its handles, and by SIGINT and SIGTERM, whose handlers are installed for the process as long as the value
    /// lives. The first signal stops tracing; the second ends the process at once.
    ///
    /// # Errors
    /// If the process has such a value already.
    pub fn on_signals() -> Result<Stop, Error> {
        let mut stop = Stop::new()?;
        let signals = process::EndSignals::install().map_err(|error| {
            Error::new(ErrorKind::Kernel, format!("can't handle signals: {error}"))
        })?;
        stop.signals = Some(signals);
        Ok(stop)
    }

    /// A handle that ends the session.
    pub fn handle(&self) -> StopHandle {
        StopHandle(Arc::clone(&self.event))
    }
}

/// How a session went.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Outcome {
    /// The script's own: that of `exit(code)`, else 0.
    pub exit_code: u32,
    /// What was lost.
    pub losses: Vec<Loss>,
    /// Whether the reader of the output went away, which ended the session early.
    pub output_closed: bool,
}

impl Outcome {
    /// The exit status of a command that ran the session: `strict` makes it 3 if anything was lost.
    pub fn status(&self, strict: bool) -> u8 {
        if strict && !self.losses.is_empty() {
            3
        } else {
            // As the system cuts it.
            self.exit_code as u8
        }
    }
}

/// A session that can be run once.
///
/// ```no_run
/// use pfscript_runtime::{Object, Session, Stop};
/// # fn compile(_: &str) -> Object { unimplemented!() }
/// let source = "software:page-faults:1 { @[comm] = count(); } interval:s:1 { exit(); }";
/// let outcome = Session::new(compile(source), source)
///     .output(std::io::stdout())
///     .run(&Stop::on_signals()?)?;
/// std::process::exit(outcome.status(false).into());
/// # Ok::<(), pfscript_runtime::Error>(())
/// ```
pub struct Session {
    object: Object,
    source: String,
    target: Target,
    sink: Box<dyn Sink>,
    messages: Box<dyn Write>,
    quiet: bool,
    verbose: bool,
    dry_run: bool,
    print_maps: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("target", &self.target)
            .field("quiet", &self.quiet)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session of everything, with text on the standard output and messages on the standard error. `source` is the
    /// script, for messages.
    pub fn new(object: Object, source: impl Into<String>) -> Session {
        Session {
            object,
            source: source.into(),
            target: Target::All,
            sink: Box::new(Text::new(io::stdout())),
            messages: Box::new(io::stderr()),
            quiet: false,
            verbose: false,
            dry_run: false,
            print_maps: true,
        }
    }

    /// What to trace.
    #[must_use]
    pub fn target(mut self, target: Target) -> Session {
        self.target = target;
        self
    }

    /// Where results go, as text.
    #[must_use]
    pub fn output(self, writer: impl Write + 'static) -> Session {
        self.sink(Text::new(writer))
    }

    /// Where results go, in a form of the sink's own.
    #[must_use]
    pub fn sink(mut self, sink: impl Sink + 'static) -> Session {
        self.sink = Box::new(sink);
        self
    }

    /// Where messages go: how many probes were attached, and what was lost.
    #[must_use]
    pub fn messages(mut self, writer: impl Write + 'static) -> Session {
        self.messages = Box::new(writer);
        self
    }

    /// Without the message that says how many probes were attached.
    #[must_use]
    pub fn quiet(mut self, quiet: bool) -> Session {
        self.quiet = quiet;
        self
    }

    /// With a message for each probe and each map.
    #[must_use]
    pub fn verbose(mut self, verbose: bool) -> Session {
        self.verbose = verbose;
        self
    }

    /// Loads, verifies and attaches everything, and leaves before anything fires.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Session {
        self.dry_run = dry_run;
        self
    }

    /// Whether maps that are not empty are printed at the end; they are by default.
    #[must_use]
    pub fn print_maps(mut self, print: bool) -> Session {
        self.print_maps = print;
        self
    }

    /// Runs the session until the script, its target or `stop` ends it.
    ///
    /// # Errors
    /// Everything that keeps it from beginning, and output that can't be written; a closed pipe is no error.
    pub fn run(self, stop: &Stop) -> Result<Outcome, Error> {
        Running::begin(self, stop)?.run()
    }
}

/// How a delivery of records ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Delivered {
    /// There are no more for now.
    All,
    /// There may be more.
    Some,
    /// The script called `exit`.
    UpToExit,
}

/// Why delivery stopped.
enum Halt {
    Output(io::Error),
    Error(Error),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Halt {
        Halt::Output(error)
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Halt {
        Halt::Error(error)
    }
}

struct Running<'a> {
    session: Session,
    stop: &'a Stop,
    cpus: usize,
    // Detached before what their programs use is closed.
    attached: Attached,
    loaded: Loaded,
    events: Option<RingBuf<MapData>>,
    symbols: Symbols,
    process: Option<OwnedFd>,
    exit_code: u32,
}

fn kernel_error(doing: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| Error::new(ErrorKind::Kernel, format!("{doing}: {error}"))
}

impl<'a> Running<'a> {
    /// Loads and opens everything; nothing fires yet.
    fn begin(session: Session, stop: &'a Stop) -> Result<Running<'a>, Error> {
        let manifest = &session.object.manifest;
        let (process, command, scope) = match &session.target {
            Target::All => (None, None, Scope::All),
            Target::Process(pid) => (Some(open_process(*pid)?), None, Scope::Process(*pid)),
            Target::Command(command) => (None, Some(command.pid()), Scope::Command),
        };
        let cpus = sys::possible_cpus().map_err(kernel_error("can't read the number of CPUs"))?;
        let loaded = load::load(&session.object.elf, manifest, &session.source)?;
        let events = match loaded.map("pf_map_events") {
            Some(map) => Some(ring_buffer(map.fd())?),
            None => None,
        };
        let symbols = Symbols::begin(manifest, scope)?;
        let attached = attach::open(&loaded, manifest, command)?;
        Ok(Running {
            session,
            stop,
            cpus,
            attached,
            loaded,
            events,
            symbols,
            process,
            exit_code: 0,
        })
    }

    fn run(mut self) -> Result<Outcome, Error> {
        if self.session.verbose {
            self.describe();
        }
        if self.session.dry_run {
            let begins = self.once(&Attach::Begin);
            self.announce(begins);
            return Ok(Outcome::default());
        }
        let ended = self.trace();
        let output_closed = match ended {
            Ok(()) => false,
            Err(Halt::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => true,
            Err(Halt::Output(error)) => {
                return Err(Error::new(
                    ErrorKind::Output,
                    format!("can't write the output: {error}"),
                ));
            }
            Err(Halt::Error(error)) => return Err(error),
        };
        self.attached.detach();
        let manifest = &self.session.object.manifest;
        let losses = loss::read(
            &self.loaded,
            manifest,
            self.cpus,
            self.symbols.lost_records(),
        )
        .map_err(kernel_error("can't read what was lost"))?;
        for loss in &losses {
            self.session.message(&format!("WARNING: {loss}"));
        }
        Ok(Outcome {
            exit_code: self.exit_code,
            losses,
            output_closed,
        })
    }

    /// From `BEGIN` to the last map.
    fn trace(&mut self) -> Result<(), Halt> {
        if self.session.object.manifest.globals {
            fill_globals(&self.loaded)?;
        }
        let begun = self.run_once(&Attach::Begin)?;
        if self.deliver(usize::MAX)? == Delivered::UpToExit {
            self.announce(begun);
        } else {
            self.attached
                .enable(&self.loaded, &self.session.object.manifest)?;
            self.announce(begun);
            self.session.sink.flush()?;
            let mut has_command = false;
            if let Target::Command(command) = &mut self.session.target {
                command.release()?;
                has_command = true;
            }
            // With nothing to wait for, a script of `BEGIN` and `END` alone ends at once.
            if self.attached.points() > 0 || has_command {
                self.watch()?;
            }
        }
        self.attached.detach();
        self.discard();
        self.session.sink.flush()?;
        if let Target::Command(command) = &mut self.session.target {
            command.end();
        }
        self.run_once(&Attach::End)?;
        self.deliver(usize::MAX)?;
        self.session.sink.end()?;
        if self.session.print_maps {
            self.print_maps()?;
        }
        self.session.sink.flush()?;
        Ok(())
    }

    fn run_once(&mut self, which: &Attach) -> Result<usize, Error> {
        attach::run_once(which, &self.loaded, &self.session.object.manifest)
    }

    /// How many probes run once, at the beginning or at the end.
    fn once(&self, which: &Attach) -> usize {
        let probes = self.session.object.manifest.probes.values();
        probes
            .flat_map(|probe| &probe.attach)
            .filter(|point| *point == which)
            .count()
    }

    /// Says what was loaded.
    fn describe(&mut self) {
        let manifest = &self.session.object.manifest;
        let mut lines = Vec::new();
        for probe in manifest.probes.values() {
            let points = probe.attach.len();
            let ends = if points == 1 { "" } else { "s" };
            let name = pfscript_grammar::escape(&probe.name);
            lines.push(format!(
                "{name}: {:?} program, {points} attach point{ends}",
                probe.program
            ));
        }
        for map in &manifest.maps {
            let name = pfscript_grammar::escape(&map.name);
            lines.push(format!("{name}: at most {} keys", map.capacity));
        }
        for line in lines {
            self.session.message(&line);
        }
    }

    fn announce(&mut self, begun: usize) {
        if self.session.quiet {
            return;
        }
        let at_end = self.once(&Attach::End);
        let count = begun + self.attached.points() + at_end;
        let probes = if count == 1 { "probe" } else { "probes" };
        self.session.message(&format!("Attached {count} {probes}"));
    }

    /// Delivers records until the session is to end. What was recorded before any end but `exit` is delivered; records
    /// behind the script's `exit` were made after the end that it chose.
    fn watch(&mut self) -> Result<(), Halt> {
        /// So that an end is seen while records keep coming.
        const AT_ONCE: usize = 4096;
        loop {
            let timeout = match self.deliver(AT_ONCE)? {
                Delivered::UpToExit => return Ok(()),
                Delivered::Some => 0,
                Delivered::All => {
                    self.session.sink.flush()?;
                    if self.symbols.read_some_processes() {
                        0
                    } else {
                        -1
                    }
                }
            };
            self.symbols.tidy(&self.loaded);
            if self.wait(timeout)? {
                self.attached.detach();
                self.deliver(usize::MAX)?;
                return Ok(());
            }
        }
    }

    /// Waits for records or an end; true at an end.
    fn wait(&mut self, timeout_ms: i32) -> Result<bool, Error> {
        let mut fds: Vec<BorrowedFd<'_>> = vec![self.stop.event.as_fd()];
        if let Some(signals) = &self.stop.signals {
            fds.push(signals.fd());
        }
        if let Some(process) = &self.process {
            fds.push(process.as_fd());
        }
        if let Target::Command(command) = &self.session.target {
            fds.push(command.pidfd());
        }
        let ends = fds.len();
        if let Some(events) = &self.events {
            fds.push(events.as_fd());
        }
        fds.extend(self.symbols.fds());
        let ready = sys::poll(&fds, timeout_ms).map_err(kernel_error("can't wait for events"))?;
        Ok(ready.iter().take(ends).any(|ready| *ready))
    }

    /// Does what up to `limit` records ask for.
    fn deliver(&mut self, limit: usize) -> Result<Delivered, Halt> {
        // First of all what was mapped where, since records may hold addresses.
        self.symbols.drain();
        let Some(events) = &mut self.events else {
            return Ok(Delivered::All);
        };
        for _ in 0..limit {
            let Some(record) = events.next() else {
                return Ok(Delivered::All);
            };
            let action = decode::slice(&record, 0, 4);
            let action = self
                .session
                .object
                .manifest
                .actions
                .get(decode::unsigned(action) as usize)
                .ok_or_else(|| Error::new(ErrorKind::Bug, "a record has no meaning"))?;
            if let Action::Exit = action {
                self.exit_code = decode::unsigned(decode::slice(&record, 8, 4)) as u32;
                return Ok(Delivered::UpToExit);
            }
            let mut performer = Performer {
                manifest: &self.session.object.manifest,
                sink: &mut *self.session.sink,
                loaded: &self.loaded,
                names: self.symbols.names(&self.loaded),
                cpus: self.cpus,
            };
            performer.perform(action, &record)?;
        }
        Ok(Delivered::Some)
    }

    /// Drops what is left in the event buffer.
    fn discard(&mut self) {
        if let Some(events) = &mut self.events {
            while events.next().is_some() {}
        }
    }

    /// Prints all maps that are not empty, by name.
    fn print_maps(&mut self) -> Result<(), Halt> {
        self.symbols.drain();
        let manifest = &self.session.object.manifest;
        let mut order: Vec<usize> = (0..manifest.maps.len()).collect();
        order.sort_by_key(|index| &manifest.maps[*index].name);
        let mut performer = Performer {
            manifest,
            sink: &mut *self.session.sink,
            loaded: &self.loaded,
            names: self.symbols.names(&self.loaded),
            cpus: self.cpus,
        };
        for index in order {
            let table = performer.read(index)?;
            if !table.is_empty() {
                performer.print(index, &table, MapOptions::default())?;
            }
        }
        Ok(())
    }
}

/// What actions need.
struct Performer<'a> {
    manifest: &'a Manifest,
    sink: &'a mut dyn Sink,
    loaded: &'a Loaded,
    names: SymbolNames<'a>,
    cpus: usize,
}

impl Performer<'_> {
    fn perform(&mut self, action: &Action, record: &[u8]) -> Result<(), Halt> {
        match action {
            Action::Printf { pieces, fields, .. } => {
                let mut text = Vec::new();
                format::printf(pieces, fields, record, &mut self.names, &mut text);
                self.sink.text(&text)?;
            }
            Action::PrintValue { field, .. } => {
                let bytes = decode::field(record, field);
                self.sink.value(&field.layout, bytes, &mut self.names)?;
            }
            Action::PrintMap { map, top, divisor } => {
                let mut table = self.read(*map)?;
                if table.is_empty() {
                    table = self.absent(*map);
                }
                let options = MapOptions {
                    top: *top,
                    divisor: *divisor,
                };
                self.print(*map, &table, options)?;
            }
            Action::ClearMap { map } => self.clear(*map)?,
            Action::ZeroMap { map } => self.zero(*map)?,
            Action::Time { format } => self.sink.text(&format::local_time(format))?,
            Action::Exit => {}
        }
        Ok(())
    }

    fn info(&self, index: usize) -> Result<(&MapManifest, &MapHandle), Error> {
        let missing = || Error::new(ErrorKind::Bug, format!("there is no map {index}"));
        let info = self.manifest.maps.get(index).ok_or_else(missing)?;
        let handle = self.loaded.map(&info.symbol).ok_or_else(missing)?;
        Ok((info, handle))
    }

    fn read(&self, index: usize) -> Result<Table, Error> {
        let (info, handle) = self.info(index)?;
        Table::read(handle, info, self.cpus).map_err(|error| map_error("read", info, &error))
    }

    /// What stands for a map without entries when the script prints it: a single number is 0, else there is nothing.
    fn absent(&self, index: usize) -> Table {
        match self.manifest.maps.get(index) {
            Some(info)
                if info.key.is_none()
                    && !matches!(info.value, MapValue::Hist { .. } | MapValue::LHist { .. }) =>
            {
                let size = match &info.value {
                    MapValue::Scalar(layout) => layout.size as usize,
                    _ => 16,
                };
                Table::from_entries(&[(vec![0; 8], vec![0; size])])
            }
            _ => Table::default(),
        }
    }

    fn print(&mut self, index: usize, table: &Table, options: MapOptions) -> Result<(), Halt> {
        if let Some(info) = self.manifest.maps.get(index) {
            self.sink.map(info, table, options, &mut self.names)?;
        }
        Ok(())
    }

    fn clear(&self, index: usize) -> Result<(), Error> {
        let table = self.read(index)?;
        let (info, handle) = self.info(index)?;
        handle
            .delete_all(table.keys())
            .map_err(|error| map_error("clear", info, &error))
    }

    fn zero(&self, index: usize) -> Result<(), Error> {
        let table = self.read(index)?;
        let (info, handle) = self.info(index)?;
        let zero = vec![0; handle.value_size()];
        (0..table.len())
            .try_for_each(|entry| handle.update(table.key(entry), &zero))
            .map_err(|error| map_error("zero", info, &error))
    }
}

fn map_error(doing: &str, info: &MapManifest, error: &io::Error) -> Error {
    Error::new(
        ErrorKind::Kernel,
        format!("can't {doing} the map `{}`: {error}", info.name),
    )
}

impl Session {
    /// Messages are best effort: a closed standard error does not end a session.
    fn message(&mut self, text: &str) {
        let _ = writeln!(self.messages, "{text}");
    }
}

/// Tells the programs when tracing began.
fn fill_globals(loaded: &Loaded) -> Result<(), Error> {
    let missing = || Error::new(ErrorKind::Bug, "the object lacks the map pf_map_globals");
    let map = loaded.map("pf_map_globals").ok_or_else(missing)?;
    let mut value = vec![0; map.value_size()];
    let place = Globals::START as usize;
    value
        .get_mut(place..place + 8)
        .ok_or_else(missing)?
        .copy_from_slice(&sys::clock_ns(libc::CLOCK_BOOTTIME).to_le_bytes());
    map.update(&0_u32.to_le_bytes(), &value)
        .map_err(kernel_error("can't write pf_map_globals"))
}

fn ring_buffer(map: BorrowedFd<'_>) -> Result<RingBuf<MapData>, Error> {
    let fd = map
        .try_clone_to_owned()
        .map_err(kernel_error("can't read the event buffer"))?;
    MapData::from_fd(fd)
        .and_then(|data| RingBuf::try_from(Map::RingBuf(data)))
        .map_err(|error| {
            Error::new(
                ErrorKind::Kernel,
                format!("can't read the event buffer: {error}"),
            )
        })
}

fn open_process(pid: u32) -> Result<OwnedFd, Error> {
    process::pidfd(pid).map_err(|error| {
        let why = match error.raw_os_error() {
            Some(libc::ESRCH) => format!("there is no process {pid}"),
            Some(libc::EINVAL) => format!("{pid} is a thread, or no process at all"),
            _ => format!("can't watch process {pid}: {error}"),
        };
        Error::new(ErrorKind::Target, why)
    })
}
