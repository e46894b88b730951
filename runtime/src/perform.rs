//! What each record in the event buffer asks for.
//!
//! In comes a record, out go events for the sink, or changes of maps (`clear`, `zero`). The order of records and the end of
//! tracing are left to `session::run`.

use crate::bytes::{field, number, shown, slice, unsigned};
use crate::error::{Error, ErrorKind, Halt};
use crate::generations::Generations;
use crate::load::Loaded;
use crate::local_time::local_time;
use crate::memory::Samples;
use crate::outside;
use crate::pictures::is_drawn;
use crate::raw_table::RawTable;
use crate::resident::{Accounts, Change};
use crate::results::{self, Event, MapOptions, Names, Place, Printf, Said, Table, Value};
use crate::sinks::{self, Sink};
use crate::stop::Stop;
use crate::symbols::SymbolNames;
use crate::sys::bpf::MapHandle;
use pfscript_compiler::manifest::{
    FormatPiece, Manifest, MapManifest, MapValue, Purpose, RecordKind, ResidentChange, Then,
};
use pfscript_grammar::Span;
use pfscript_probes::abi::{AVERAGE, JOINED_STRINGS, RECORD_KIND, map};
use std::collections::BTreeSet;
use std::io;

/// What is the same for all records of a session.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// What ends the session.
    pub stop: &'a Stop,
    /// What the script is called.
    pub script: &'a str,
    /// Its text.
    pub source: &'a str,
    /// Whether the script's warnings are said.
    pub warnings: bool,
    /// Whether what maps hold is told when it goes.
    pub draws: bool,
}

/// What that takes.
pub struct Performer<'a> {
    manifest: &'a Manifest,
    sink: &'a mut dyn Sink,
    loaded: &'a Loaded,
    names: SymbolNames<'a>,
    setting: Setting<'a>,
    /// Samples of what is resident, and the process that they are of, if it is one.
    samples: Option<(&'a mut Samples, Option<u32>)>,
    /// The accounts of processes' resident memory, if there are any.
    accounts: Option<&'a mut Accounts>,
    /// Maps whose past generation no program uses any more, and that is still to be read.
    changed: BTreeSet<usize>,
}

impl<'a> Performer<'a> {
    /// Performs by this manifest on these maps.
    pub fn new(
        manifest: &'a Manifest,
        sink: &'a mut dyn Sink,
        loaded: &'a Loaded,
        names: SymbolNames<'a>,
        setting: Setting<'a>,
    ) -> Performer<'a> {
        Performer {
            manifest,
            sink,
            loaded,
            names,
            setting,
            samples: None,
            accounts: None,
            changed: BTreeSet::new(),
        }
    }

    /// With the accounts that changes of resident memory are for.
    #[must_use]
    pub fn accounts(mut self, accounts: Option<&'a mut Accounts>) -> Performer<'a> {
        self.accounts = accounts;
        self
    }

    /// With the samples of what is resident, and the process that they are of; `None`: all.
    #[must_use]
    pub fn samples(mut self, samples: &'a mut Samples, of: Option<u32>) -> Performer<'a> {
        self.samples = Some((samples, of));
        self
    }

    /// Does what a record of this kind asks for; `exit` is the caller's to handle.
    ///
    /// # Errors
    /// If a map can't be read or changed, or the sink refuses.
    pub fn perform(&mut self, kind: &RecordKind, record: &[u8]) -> Result<(), Halt> {
        match kind {
            RecordKind::Printf {
                purpose,
                pieces,
                fields,
                ..
            } => {
                if let (Purpose::Join, [strings]) = (purpose, &fields[..]) {
                    let text = joined(field(record, strings), pieces, self.names.trailer());
                    return Ok(self.sink.event(&Event::Joined(text))?);
                }
                let format = results::printf(pieces, fields, record, &mut self.names);
                match purpose {
                    // Seen above.
                    Purpose::Join => {}
                    Purpose::Print => self.sink.event(&Event::Printf(format))?,
                    Purpose::Cat { most } => {
                        outside::cat(&sinks::formatted(&format), *most, self.sink)?
                    }
                    Purpose::Warning(_) if !self.setting.warnings => {}
                    Purpose::Warning(span) => self.say(false, &format, *span)?,
                    Purpose::Error(span) => self.say(true, &format, *span)?,
                    Purpose::System => {
                        outside::system(sinks::formatted(&format), self.setting.stop, self.sink)?
                    }
                }
            }
            RecordKind::PrintValue { field: printed, .. } => {
                let bytes = field(record, printed);
                let value = results::value(&printed.layout, bytes, &mut self.names);
                self.sink.event(&Event::Value(value))?;
            }
            RecordKind::PrintMap {
                map,
                top,
                divisor,
                then,
            } => {
                let mut table = match then {
                    Then::Keep => self.read(*map)?,
                    Then::Clear => self.take(*map)?,
                    Then::Zero => {
                        let table = self.take(*map)?;
                        self.put_zeros(*map, &table)?;
                        table
                    }
                };
                if table.is_empty() {
                    table = self.absent(*map);
                }
                let options = MapOptions {
                    top: *top,
                    divisor: *divisor,
                };
                self.print(*map, &table, options)?;
                if *then != Then::Keep {
                    self.hold(*map, &table)?;
                }
            }
            RecordKind::ClearMap { map } => {
                let table = self.take(*map)?;
                self.hold(*map, &table)?;
            }
            RecordKind::ZeroMap { map } => {
                let table = self.take(*map)?;
                self.put_zeros(*map, &table)?;
                self.hold(*map, &table)?;
            }
            RecordKind::Time { format } => self.sink.event(&Event::Time(local_time(format)))?,
            RecordKind::Memory { top, cgroup } => {
                if let Some((samples, process)) = &mut self.samples
                    && samples.are_due()
                {
                    let memory = samples.take(*process, Some(cgroup), *top as usize)?;
                    self.sink.event(&Event::Memory(&memory))?;
                }
            }
            RecordKind::Resident {
                change: ResidentChange::Print,
                ..
            } => {
                if self
                    .accounts
                    .as_ref()
                    .is_some_and(|accounts| accounts.may_print())
                {
                    self.print_growth()?;
                }
            }
            RecordKind::Resident { change, fields, .. } => {
                if let Some(accounts) = &mut self.accounts {
                    let number = |index: usize| {
                        let printed = fields.get(index);
                        let found =
                            printed.and_then(|part| number(&part.layout, field(record, part)));
                        found.unwrap_or(0) as u64
                    };
                    let last = fields.get(3).map(|part| field(record, part));
                    accounts.apply(&Change {
                        change: *change,
                        process: number(0) as u32,
                        address: number(1),
                        length: number(2),
                        to: number(3),
                        by: (
                            unsigned(RECORD_KIND.of(record)) as u32,
                            last.unwrap_or_default(),
                        ),
                    });
                }
            }
            RecordKind::Several(kinds) => {
                self.change_over(kinds)?;
                for kind in kinds {
                    self.perform(kind, record)?;
                }
            }
            RecordKind::Exit => {}
        }
        Ok(())
    }

    /// Hands to the sink by what processes have grown.
    ///
    /// # Errors
    /// If the sink refuses.
    pub fn print_growth(&mut self) -> Result<(), Halt> {
        let Some(accounts) = &mut self.accounts else {
            return Ok(());
        };
        let (manifest, names) = (self.manifest, &mut self.names);
        let report = accounts.report(|(kind, bytes)| {
            let layout = match manifest.records.get(kind as usize) {
                Some(RecordKind::Resident { fields, .. }) => {
                    fields.get(3).map(|field| &field.layout)
                }
                _ => None,
            };
            layout.map_or(Value::Absent, |layout| results::value(layout, bytes, names))
        });
        Ok(self.sink.event(&Event::Growth(&report))?)
    }

    /// Hands a message of the script's to the sink, with its line and column.
    fn say(&mut self, error: bool, format: &Printf<'_>, span: Span) -> Result<(), Halt> {
        let text = sinks::formatted(format);
        Ok(self.sink.event(&Event::Said(Said {
            error,
            text: text.strip_suffix(b"\n").unwrap_or(&text),
            place: Place::new(self.setting.script, self.setting.source, span),
        }))?)
    }

    fn info(&self, index: usize) -> Result<(&MapManifest, &MapHandle), Error> {
        let missing = || Error::new(ErrorKind::Bug, format!("there is no map {index}"));
        let info = self.manifest.maps.get(index).ok_or_else(missing)?;
        let handle = self.loaded.script_map(&info.symbol);
        Ok((info, handle.ok_or_else(missing)?))
    }

    /// A map of the manifest as it is now.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn read(&self, index: usize) -> Result<RawTable, Error> {
        let (info, handle) = self.info(index)?;
        RawTable::read(handle, info).map_err(|error| map_error("read", info, &error))
    }

    /// What stands for a map without entries when the script prints it: a single number is 0, else there is nothing.
    fn absent(&self, index: usize) -> RawTable {
        match self.manifest.maps.get(index) {
            Some(info)
                if info.key.is_none()
                    && !matches!(
                        info.value,
                        MapValue::Hist { .. } | MapValue::LHist { .. } | MapValue::Series { .. }
                    ) =>
            {
                let size = match &info.value {
                    MapValue::Scalar(layout) => layout.size as usize,
                    // The longest; what takes less reads the beginning.
                    _ => AVERAGE.size() as usize,
                };
                RawTable::from_entries(&[(vec![0; 8], vec![0; size])])
            }
            _ => RawTable::default(),
        }
    }

    /// Hands a map of the manifest to the sink.
    ///
    /// # Errors
    /// If the sink refuses.
    pub fn print(&mut self, index: usize, raw: &RawTable, options: MapOptions) -> Result<(), Halt> {
        self.tell(index, raw, options, false)
    }

    /// Tells what a map of the manifest held, if anybody draws pictures of such.
    ///
    /// # Errors
    /// If the sink refuses.
    pub fn hold(&mut self, index: usize, raw: &RawTable) -> Result<(), Halt> {
        let info = self.manifest.maps.get(index);
        match self.setting.draws && info.is_some_and(is_drawn) {
            true => self.tell(index, raw, MapOptions::default(), true),
            false => Ok(()),
        }
    }

    /// The same of all maps, of which nothing more is to come.
    ///
    /// # Errors
    /// If one can't be read, or the sink refuses.
    pub fn hold_all(&mut self) -> Result<(), Halt> {
        for index in 0..self.manifest.maps.len() {
            if is_drawn(&self.manifest.maps[index]) {
                let table = self.read(index)?;
                self.hold(index, &table)?;
            }
        }
        Ok(())
    }

    fn tell(
        &mut self,
        index: usize,
        raw: &RawTable,
        options: MapOptions,
        held: bool,
    ) -> Result<(), Halt> {
        if let Some(info) = self.manifest.maps.get(index) {
            let joined = self.names.joined(info, raw);
            let raw = joined.as_ref().unwrap_or(raw);
            let table = Table::new(info, raw, options, &mut self.names);
            let event = match held {
                true => Event::Held(table),
                false => Event::Map(table),
            };
            self.sink.event(&event)?;
        }
        Ok(())
    }

    /// All that is in a map, which is empty afterwards. What programs count meanwhile is either in the one or stays in the
    /// other.
    fn take(&mut self, index: usize) -> Result<RawTable, Error> {
        let changed = self.changed.remove(&index);
        let (info, handle) = self.info(index)?;
        let past = match self.generations(index) {
            Some((generations, _)) if changed => Ok(generations.past()),
            Some((generations, words)) => generations
                .change_over(words)
                .and_then(|()| generations.wait())
                .map(|()| generations.past()),
            // No program runs while such a map is emptied.
            None => Ok(handle),
        };
        past.and_then(|map| RawTable::take(map, info))
            .map_err(|error| map_error("empty", info, &error))
    }

    /// The two generations of a map, if there are two, and the words that programs choose by.
    fn generations(&self, index: usize) -> Option<(&'a Generations, &'a MapHandle)> {
        let info = self.manifest.maps.get(index)?;
        let generations = self.loaded.generations(&info.symbol)?;
        Some((generations, self.loaded.map(map::GENERATIONS)?))
    }

    /// Has programs change over all the maps that are about to be taken, so that there is one wait for all.
    fn change_over(&mut self, kinds: &[RecordKind]) -> Result<(), Error> {
        let mut last = None;
        let mut seen = BTreeSet::new();
        for kind in kinds {
            let (RecordKind::PrintMap { map, .. }
            | RecordKind::ClearMap { map }
            | RecordKind::ZeroMap { map }) = kind
            else {
                continue;
            };
            let takes = !matches!(
                kind,
                RecordKind::PrintMap {
                    then: Then::Keep,
                    ..
                }
            );
            // One that is first printed as it is must be read before.
            if seen.insert(*map)
                && takes
                && let Some((generations, words)) = self.generations(*map)
            {
                let changed = generations.change_over(words);
                changed.map_err(|error| change_error(&error))?;
                self.changed.insert(*map);
                last = Some(generations);
            }
        }
        match last {
            Some(generations) => generations.wait().map_err(|error| change_error(&error)),
            None => Ok(()),
        }
    }

    /// Puts zeros under the keys of what was taken from a map, but for those that came back.
    fn put_zeros(&self, index: usize, taken: &RawTable) -> Result<(), Error> {
        let (info, handle) = self.info(index)?;
        let zero = vec![0; handle.value_size()];
        for entry in 0..taken.len() {
            match handle.insert(taken.key(entry), &zero) {
                Ok(_) => {}
                // So many other keys came that there is no room for those without a count.
                Err(error) if error.raw_os_error() == Some(libc::E2BIG) => break,
                Err(error) => return Err(map_error("zero", info, &error)),
            }
        }
        Ok(())
    }
}

/// The strings of an array, with what stands between them, and three dots for those that there is no room for.
fn joined(strings: &[u8], between: &[FormatPiece], trailer: &[u8]) -> Vec<u8> {
    let count = unsigned(slice(strings, 0, 8)) as usize;
    let each = strings.len().saturating_sub(8) / JOINED_STRINGS as usize;
    let room = strings.get(8..).unwrap_or_default();
    let rooms = room.chunks(each.max(1)).take(count);
    let mut parts: Vec<Vec<u8>> = rooms.map(|room| shown(room, trailer)).collect();
    if count > parts.len() {
        parts.push(b"...".to_vec());
    }
    let between = between.iter().find_map(|piece| match piece {
        FormatPiece::Text(text) => Some(&text[..]),
        FormatPiece::Conversion(_) => None,
    });
    parts.join(between.unwrap_or_default())
}

fn change_error(error: &io::Error) -> Error {
    Error::new(
        ErrorKind::Kernel,
        format!("can't exchange the maps that are to be emptied: {error}"),
    )
}

fn map_error(doing: &str, info: &MapManifest, error: &io::Error) -> Error {
    Error::new(
        ErrorKind::Kernel,
        format!("can't {doing} the map `{}`: {error}", info.name),
    )
}
