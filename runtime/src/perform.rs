//! What each record in the event buffer asks for.
//!
//! In comes a record, out go events for the sink, or changes of maps (`clear`, `zero`). The order of records and the end of
//! tracing are left to `session::run`.

use crate::bytes::field;
use crate::error::{Error, ErrorKind};
use crate::load::Loaded;
use crate::local_time::local_time;
use crate::raw_table::RawTable;
use crate::results::{self, Event, MapOptions, Table};
use crate::sinks::Sink;
use crate::symbols::SymbolNames;
use crate::sys::bpf::MapHandle;
use pfscript_compiler::manifest::{Manifest, MapManifest, MapValue, RecordKind};
use pfscript_probes::abi::AVERAGE;
use std::io;

/// Why delivery stopped.
pub enum Halt {
    /// The sink refuses.
    Output(io::Error),
    /// Anything else.
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

/// What that takes.
pub struct Performer<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) sink: &'a mut dyn Sink,
    pub(crate) loaded: &'a Loaded,
    pub(crate) names: SymbolNames<'a>,
}

impl Performer<'_> {
    /// Does what a record of this kind asks for; `exit` is the caller's to handle.
    ///
    /// # Errors
    /// If a map can't be read or changed, or the sink refuses.
    pub fn perform(&mut self, kind: &RecordKind, record: &[u8]) -> Result<(), Halt> {
        match kind {
            RecordKind::Printf { pieces, fields, .. } => {
                let format = results::printf(pieces, fields, record, &mut self.names);
                self.sink.event(&Event::Printf(format))?;
            }
            RecordKind::PrintValue { field: printed, .. } => {
                let bytes = field(record, printed);
                let value = results::value(&printed.layout, bytes, &mut self.names);
                self.sink.event(&Event::Value(value))?;
            }
            RecordKind::PrintMap { map, top, divisor } => {
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
            RecordKind::ClearMap { map } => self.clear(*map)?,
            RecordKind::ZeroMap { map } => self.zero(*map)?,
            RecordKind::Time { format } => self.sink.event(&Event::Time(local_time(format)))?,
            RecordKind::Exit => {}
        }
        Ok(())
    }

    fn info(&self, index: usize) -> Result<(&MapManifest, &MapHandle), Error> {
        let missing = || Error::new(ErrorKind::Bug, format!("there is no map {index}"));
        let info = self.manifest.maps.get(index).ok_or_else(missing)?;
        let handle = self.loaded.map(&info.symbol).ok_or_else(missing)?;
        Ok((info, handle))
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
                    && !matches!(info.value, MapValue::Hist { .. } | MapValue::LHist { .. }) =>
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
        if let Some(info) = self.manifest.maps.get(index) {
            let table = Table::new(info, raw, options, &mut self.names);
            self.sink.event(&Event::Map(table))?;
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
