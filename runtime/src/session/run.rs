//! What happens in a session, in order: load, attach, run `BEGIN`, enable all events at once, release the command;
//! deliver records until something ends it; detach, deliver the rest, run `END`, deliver what it printed, print the
//! maps, and say what was lost.
//!
//! In comes a [`Session`], out goes an [`Outcome`]. What a record asks for is done in `perform`, what is shown in a sink.

mod account;
mod asked;
mod bench;
mod jvms;
mod maps;
mod notes;
mod progress;
mod testing;

use super::backlog::Backlog;
use super::gather::Gather;
use super::opening::{fill_globals, fits, make_tables, open_process, scope, script_signals};
use super::output::Output;
use super::renewal::Renewal;
use super::{Outcome, Session, Stop, Target};
use crate::attach::{self, Attached};
use crate::bytes::{slice, unsigned};
use crate::error::{Error, ErrorKind, Halt, kernel_error};
use crate::facts::namespace;
use crate::load::{self, Loaded};
use crate::loss::{self, Loss};
use crate::memory::Samples;
use crate::perform::{Performer, Setting};
use crate::processes::Processes;
use crate::progress::Progress;
use crate::resident::Accounts;
use crate::rests::Rests;
use crate::results::Event;
use crate::ring::ring_buffer;
use crate::sinks::Sink;
use crate::symbols::Symbols;
use crate::sys;
use crate::sys::script_signals::ScriptSignal;
use crate::sys::signals::Phase;
use crate::unwind_tables::UnwindTables;
use aya::maps::{MapData, RingBuf};
use pfscript_compiler::manifest::{Attach, Mode, Purpose, RecordKind};
use pfscript_probes::abi::{RECORD_HEADER, RECORD_KIND, map};
use progress::Seen;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

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

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waited {
    /// There may be records.
    Records,
    /// The session is to end.
    End,
}

/// A session that has begun.
pub struct Running<'a> {
    session: Session,
    sink: Output<'a>,
    stop: &'a Stop,
    // Detached before what their programs use is closed.
    attached: Attached,
    loaded: Loaded,
    events: Option<RingBuf<MapData>>,
    backlog: Backlog,
    renewal: Option<Renewal>,
    processes: Processes,
    rests: Option<Rests>,
    symbols: Symbols,
    process: Option<OwnedFd>,
    signals: Vec<ScriptSignal>,
    /// Of processes' resident memory, if the script says what becomes of that.
    accounts: Option<Accounts>,
    /// Of what is resident, if the script prints that.
    samples: Samples,
    /// JVMs that were asked to name their code and did not: their names, and why.
    unnamed_jvms: BTreeMap<u32, (String, String)>,
    exit_code: u32,
    command: Option<ExitStatus>,
    /// When tracing was asked to end, while what was recorded before is delivered.
    ending: Option<Instant>,
    /// Commands of the script that waited too long then.
    commands_left_out: u64,
    /// Pictures have what maps hold in the end.
    is_held: bool,
    seen: Seen,
}

/// How long commands of the script that wait when tracing ends are still begun.
const COMMANDS_AT_END: Duration = Duration::from_secs(1);

/// What is the same for all records of a session.
fn setting<'a>(stop: &'a Stop, session: &'a Session, draws: bool) -> Setting<'a> {
    Setting {
        stop,
        script: &session.script,
        source: &session.source,
        warnings: session.warnings,
        draws,
    }
}

impl<'a> Running<'a> {
    /// Loads and opens everything; nothing fires yet.
    ///
    /// # Errors
    /// Everything that keeps it from beginning.
    pub fn begin(mut session: Session, stop: &'a Stop) -> Result<Running<'a>, Error> {
        fits(&session)?;
        let manifest = &session.object.manifest;
        // A dry run says whether all of a script loads.
        if !session.dry_run || session.mode.is_some() {
            asked::are_there(manifest, session.mode)?;
        }
        session.pictures.fit(manifest)?;
        let by_id = !matches!(session.target, Target::All) || manifest.user_symbols;
        if by_id && namespace::proc_is_foreign() {
            let message = "/proc shows the processes of another pid namespace";
            return Err(Error::new(ErrorKind::Target, message).with_help(
                "mount this one's: `mount -t proc proc /proc`, or `unshare --mount-proc`",
            ));
        }
        let process = match &session.target {
            Target::Process(pid) => Some(open_process(*pid)?),
            Target::All | Target::Command(_) => None,
        };
        let traced = session.traced();
        let mut loaded = load::load(
            &session.object.elf,
            manifest,
            &session.source,
            traced.process,
            attach::at_once(manifest, traced),
        )?;
        let events = match loaded.map(map::EVENTS) {
            Some(map) => Some(ring_buffer(map.fd())?),
            None => None,
        };
        let rests = match loaded.take_unwind() {
            Some(maps) => Rests::begin(UnwindTables::begin(maps)?, &loaded)?,
            None => None,
        };
        let mut processes = match scope(&session.target, manifest) {
            Some(scope) => Processes::watch(scope)?,
            None => Processes::default(),
        };
        if manifest.source_lines {
            processes.want_lines();
        }
        if let Some(rests) = &rests {
            make_tables(&rests.tables, &session.target, &processes);
        }
        let symbols = Symbols::new(manifest, &loaded)?;
        let attached = attach::open(&loaded, manifest, traced)?;
        let backlog = Backlog::new(&session.object.manifest);
        let renewal = Renewal::new(&session.object.manifest);
        let signals = script_signals(&session.object.manifest)?;
        let (sink, reader) = session.take_sink()?;
        let mut sink = Output::new(sink, reader, stop);
        if !session.pictures.is_empty() && !session.dry_run {
            let manifest = &session.object.manifest;
            sink.draw(session.pictures.open(manifest, &session.script)?);
        }
        let samples = Samples::new(sink.fd().is_some_and(|fd| fd.is_terminal()));
        if session.progress && !session.dry_run {
            sink.set_progress(Progress::on_terminal());
        }
        Ok(Running {
            session,
            sink,
            stop,
            attached,
            loaded,
            events,
            backlog,
            renewal,
            processes,
            rests,
            symbols,
            process,
            signals,
            accounts: None,
            samples,
            unnamed_jvms: BTreeMap::new(),
            exit_code: 0,
            command: None,
            ending: None,
            commands_left_out: 0,
            is_held: false,
            seen: Seen::default(),
        })
    }

    /// Traces until something ends it.
    ///
    /// # Errors
    /// If `BEGIN` or `END` can't run, the command can't start, or the output can't be written.
    pub fn run(mut self) -> Result<Outcome, Error> {
        let ended = self.trace();
        let mut output_closed = output_closed(ended)?;
        if self.session.dry_run {
            return Ok(Outcome::default());
        }
        self.attached.stop(&self.loaded);
        let drawn = self.draw();
        let mut losses = self
            .counted_losses()
            .map_err(kernel_error("can't read what was lost"))?;
        losses.extend(self.processes.losses());
        losses.extend(self.symbols.losses());
        output_closed |= self::output_closed(self.tell_notes())?;
        output_closed |= self::output_closed(self.tell_losses(&losses))?;
        losses.retain(|loss| loss.cause.is_loss());
        output_closed |= self::output_closed(self.detach())?;
        drawn?;
        Ok(Outcome {
            exit_code: self.exit_code,
            command: self.command,
            losses,
            output_closed,
        })
    }

    /// What programs counted, and what became of the stacks that they left.
    fn counted_losses(&mut self) -> io::Result<Vec<Loss>> {
        let mut rests = BTreeMap::new();
        if let Some(left) = &mut self.rests {
            left.settle_all(&mut self.processes);
            rests = left.losses(&self.loaded)?;
        }
        let manifest = &self.session.object.manifest;
        let lost = self.processes.lost_records();
        loss::read(&self.loaded, manifest, lost, &rests)
    }

    /// From `BEGIN` to the last map.
    fn trace(&mut self) -> Result<(), Halt> {
        self.warn()?;
        if self.session.verbose {
            self.describe()?;
        }
        if self.session.dry_run {
            let begins = self.once(&Attach::Begin);
            self.announce(begins)?;
            return Ok(self.sink.flush()?);
        }
        if self.session.object.manifest.globals {
            fill_globals(&self.loaded, &self.session.target)?;
        }
        // With no probe to wait for, that is all there is.
        let begins_all = self.attached.points() == 0;
        if begins_all {
            self.notify()?;
        }
        let begun = self.run_once(&Attach::Begin)?;
        if self.deliver_all()? == Delivered::UpToExit {
            self.announce(begun)?;
        } else if let Some(mode) = self.session.mode {
            match mode {
                Mode::Bench => self.run_benchmarks()?,
                Mode::Test => self.run_tests()?,
            }
        } else {
            self.stop.phase(Phase::Tracing);
            self.wait_for_tables();
            self.ask_jvms();
            self.attached
                .enable(&self.loaded, &self.session.object.manifest)?;
            self.open_accounts();
            let target = &self.session.target;
            if let Some(process) = target.process().or(target.command()) {
                self.sink.follow(process);
            }
            if !begins_all {
                self.notify()?;
            }
            self.announce(begun)?;
            self.sink.flush()?;
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
        self.attached.stop(&self.loaded);
        self.close_accounts();
        self.discard()?;
        self.sink.flush()?;
        self.ask_jvms();
        if let Target::Command(command) = &mut self.session.target {
            self.command = command.exit_status();
            command.end();
        }
        self.run_once(&Attach::End)?;
        self.stop.phase(Phase::Printing);
        self.deliver_all()?;
        self.hold_maps()?;
        self.sink.event(&Event::Ended)?;
        if self.session.print_maps && !self.session.object.manifest.silent_maps {
            self.print_maps()?;
        }
        self.tell_growth()?;
        self.sink.flush()?;
        self.stop.phase(Phase::Done);
        Ok(())
    }

    /// Runs the probes of signals that have come.
    fn run_signalled(&mut self) -> Result<(), Error> {
        for signal in self.signals.iter().filter(|signal| signal.take()) {
            let number = signal.number();
            let manifest = &self.session.object.manifest;
            attach::run_once(&Attach::Signal { number }, &self.loaded, manifest)?;
        }
        Ok(())
    }

    fn run_once(&mut self, which: &Attach) -> Result<usize, Error> {
        attach::run_once(which, &self.loaded, &self.session.object.manifest)
    }

    /// How many probes run once, at the beginning or at the end.
    fn once(&self, which: &Attach) -> usize {
        let probes = self.session.object.manifest.probes.values();
        probes
            .flat_map(|probe| probe.points())
            .filter(|point| *point == which)
            .count()
    }

    /// Prints the line that says so when all probes are attached, if one was asked for.
    fn notify(&mut self) -> Result<(), Halt> {
        if self.session.notify {
            self.sink.event(&Event::Notice)?;
            self.sink.flush()?;
        }
        Ok(())
    }

    /// Delivers records until the session is to end. What was recorded before any end but `exit` is delivered; records
    /// behind the script's `exit` were made after the end that it chose.
    fn watch(&mut self) -> Result<(), Halt> {
        /// So that an end is seen while records keep coming.
        const AT_ONCE: usize = 4096;
        let mut gather = Gather::default();
        loop {
            self.run_signalled()?;
            let delivered = self.deliver(AT_ONCE)?;
            if delivered == Delivered::UpToExit {
                return Ok(());
            }
            if delivered == Delivered::All {
                self.sink.flush()?;
            }
            self.renew_stacks(delivered == Delivered::All)?;
            let busy = self.processes.read_some() || delivered == Delivered::Some;
            let renewal = self.renewal.as_ref();
            let renewal = renewal.map(|renewal| renewal.interval(&self.loaded));
            let waits = self.processes.look_around().into_iter().chain(renewal);
            let waits = waits.chain(self.show_progress());
            let timeout = match waits.min() {
                _ if busy => 0,
                Some(wait) => wait.as_millis() as i32 + 1,
                None => -1,
            };
            self.symbols.tidy(&mut self.processes, &self.loaded);
            let began = Instant::now();
            if self.wait(timeout)? == Waited::End {
                self.run_signalled()?;
                self.attached.stop(&self.loaded);
                self.close_accounts();
                self.backlog.end();
                self.ending = Some(Instant::now());
                self.deliver_all()?;
                self.ending = None;
                return Ok(());
            }
            if !busy {
                gather.woken(began);
            }
        }
    }

    /// Waits for the tables of what is known to be traced, so that stacks are whole from the first event on.
    fn wait_for_tables(&mut self) {
        if let Some(rests) = &self.rests {
            rests.tables.wait(|| self.processes.drain());
        }
    }

    /// Gives up the tables of files that are mapped nowhere any more.
    fn drop_tables(&mut self) {
        let gone = self.processes.take_gone();
        if let Some(rests) = &self.rests {
            gone.into_iter()
                .for_each(|identity| rests.tables.remove(identity));
        }
    }

    /// Gives up stacks that nothing holds any more, if it is time. `all` says that all records are delivered.
    fn renew_stacks(&mut self, all: bool) -> Result<(), Error> {
        let manifest = &self.session.object.manifest;
        match &mut self.renewal {
            Some(renewal) => renewal
                .step(&self.loaded, manifest, all, self.backlog.bytes())
                .map_err(kernel_error("can't give up stacks")),
            None => Ok(()),
        }
    }

    /// Waits for records or an end.
    fn wait(&mut self, timeout_ms: i32) -> Result<Waited, Halt> {
        let mut fds: Vec<BorrowedFd<'_>> = self.stop.fds().collect();
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
        fds.extend(self.rests.as_ref().and_then(Rests::fd));
        fds.extend(self.processes.fds());
        fds.extend(self.symbols.fd());
        fds.extend(self.signals.iter().map(ScriptSignal::fd));
        let reader: Vec<_> = self.sink.fd().into_iter().collect();
        let ready = sys::poll_all(&fds, &reader, timeout_ms)
            .map_err(kernel_error("can't wait for events"))?;
        let any = |ready: &[bool]| ready.contains(&true);
        let (ready, gone) = ready.split_at(fds.len());
        if any(gone) {
            return Err(Halt::Output(io::ErrorKind::BrokenPipe.into()));
        }
        match ready.iter().take(ends).any(|ready| *ready) {
            true => Ok(Waited::End),
            false => Ok(Waited::Records),
        }
    }

    /// Does what all records ask for.
    fn deliver_all(&mut self) -> Result<Delivered, Halt> {
        loop {
            let delivered = self.deliver(usize::MAX)?;
            if delivered != Delivered::Some {
                return Ok(delivered);
            }
        }
    }

    /// Does what up to `limit` records ask for, and fewer if that takes long.
    fn deliver(&mut self, limit: usize) -> Result<Delivered, Halt> {
        /// A request that has taken longer is the last for now, so that an end is seen.
        const LONG: Duration = Duration::from_millis(50);
        let begin = Instant::now();
        // First of all what was mapped where, since records may hold addresses.
        self.processes.drain();
        self.symbols.drain(&self.loaded);
        if let Some(rests) = &mut self.rests {
            rests.settle(&mut self.processes);
            let tidied = rests.tidy(&self.loaded);
            tidied.map_err(kernel_error("can't give up stacks"))?;
        }
        self.drop_tables();
        let Some(events) = &mut self.events else {
            return Ok(Delivered::All);
        };
        for _ in 0..limit {
            let taken = self.backlog.next();
            let found = match &taken {
                Some(_) => None,
                None => match events.next() {
                    Some(record) => Some(record),
                    None => return Ok(Delivered::All),
                },
            };
            let record: &[u8] = match (&taken, &found) {
                (Some(record), _) => record,
                (None, Some(record)) => record,
                (None, None) => &[],
            };
            self.seen.records += 1;
            let number = unsigned(RECORD_KIND.of(record)) as usize;
            let manifest = &self.session.object.manifest;
            let kind = manifest
                .records
                .get(number)
                .ok_or_else(|| Error::new(ErrorKind::Bug, "a record is of unknown kind"))?;
            if let RecordKind::Exit = kind {
                self.exit_code = unsigned(slice(record, RECORD_HEADER, 4)) as u32;
                return Ok(Delivered::UpToExit);
            }
            let runs = matches!(
                kind,
                RecordKind::Printf {
                    purpose: Purpose::System,
                    ..
                }
            );
            if runs
                && self
                    .ending
                    .is_some_and(|end| end.elapsed() > COMMANDS_AT_END)
            {
                self.commands_left_out += 1;
                continue;
            }
            let names = self.symbols.names(
                &mut self.processes,
                self.rests.as_mut(),
                &self.loaded,
                manifest,
            );
            let setting = setting(self.stop, &self.session, self.sink.draws());
            let target = &self.session.target;
            let target = target.process().or(target.command());
            let mut performer =
                Performer::new(manifest, &mut self.sink, &self.loaded, names, setting)
                    .accounts(self.accounts.as_mut())
                    .samples(&mut self.samples, target);
            if !self.backlog.is_request(number) {
                performer.perform(kind, record)?;
                if let Some(renewal) = &mut self.renewal {
                    renewal.delivered(record.len());
                }
                if runs && begin.elapsed() > LONG {
                    return Ok(Delivered::Some);
                }
                continue;
            }
            // A request is all in its kind. Its record gives its place in the event buffer back, before others are taken.
            drop(found);
            // To empty a map takes many milliseconds, in which a timer would fire again and again behind the script's `exit`.
            let more = || events.next().map(|record| Box::from(&*record));
            if self.backlog.look_ahead(more) {
                self.attached.stop(&self.loaded);
            }
            for kind in self.backlog.due(number) {
                if let Some(kind) = manifest.records.get(kind) {
                    performer.perform(kind, &[])?;
                }
            }
            if begin.elapsed() > LONG {
                return Ok(Delivered::Some);
            }
        }
        Ok(Delivered::Some)
    }

    /// Drops what is left in the event buffer, but for what was seen of processes' memory, which is looked at behind the end.
    fn discard(&mut self) -> Result<(), Halt> {
        while let Some(record) = self.next_record() {
            self.note_change(&record)?;
        }
        self.backlog.discard();
        Ok(())
    }

    /// The next record, taken out of the event buffer.
    fn next_record(&mut self) -> Option<Box<[u8]>> {
        let events = &mut self.events;
        let taken = self.backlog.next();
        taken.or_else(|| Some(Box::from(&*events.as_mut()?.next()?)))
    }
}

/// Whether the output was closed, which is no error.
fn output_closed(ended: Result<(), Halt>) -> Result<bool, Error> {
    match ended {
        Ok(()) => Ok(false),
        Err(Halt::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        Err(Halt::Output(error)) => Err(Error::new(
            ErrorKind::Output,
            format!("can't write the output: {error}"),
        )),
        Err(Halt::Error(error)) => Err(error),
    }
}
