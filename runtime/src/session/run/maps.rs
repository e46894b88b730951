//! Maps at the end of a session: printed, and held for pictures.

use super::{Running, setting};
use crate::error::{Error, Halt};
use crate::perform::Performer;
use crate::results::{Event, MapOptions};
use crate::sinks::Sink as _;
use crate::sys::signals::Phase;

impl Running<'_> {
    /// What performs records and requests outside of their order.
    pub(super) fn performer(&mut self) -> Performer<'_> {
        let manifest = &self.session.object.manifest;
        let names = self.symbols.names(
            &mut self.processes,
            self.rests.as_mut(),
            &self.loaded,
            manifest,
        );
        let setting = setting(self.stop, &self.session, self.sink.draws());
        Performer::new(manifest, &mut self.sink, &self.loaded, names, setting)
            .accounts(self.accounts.as_mut())
    }

    /// Prints all maps, by name. Of those that are empty text shows nothing.
    pub(super) fn print_maps(&mut self) -> Result<(), Halt> {
        self.processes.drain();
        let maps = &self.session.object.manifest.maps;
        let mut order: Vec<usize> = (0..maps.len()).collect();
        order.sort_by_key(|index| &maps[*index].name);
        let mut performer = self.performer();
        for index in order {
            let table = performer.read(index)?;
            performer.print(index, &table, MapOptions::default())?;
        }
        Ok(())
    }

    /// Has pictures take what maps hold, now that tracing has ended. Nothing of it is printed.
    pub(super) fn hold_maps(&mut self) -> Result<(), Halt> {
        if !self.sink.draws() || self.is_held {
            return Ok(());
        }
        self.is_held = true;
        self.sink.tracing_ended();
        self.processes.drain();
        self.performer().hold_all()
    }

    /// Makes the pictures, also if nobody reads the output any more.
    ///
    /// # Errors
    /// If one can't be written.
    pub(super) fn draw(&mut self) -> Result<(), Error> {
        self.stop.phase(Phase::Printing);
        let held = self.hold_maps();
        let drawn = self.sink.take_album().map(|album| {
            let quiet = self.session.quiet;
            album.finish(|line| {
                if !quiet {
                    // Whether anybody reads it is seen by others.
                    let _ = self.sink.event(&Event::Message(line));
                }
            })
        });
        self.stop.phase(Phase::Done);
        match held {
            Err(Halt::Error(error)) => return Err(error),
            Ok(()) | Err(Halt::Output(_)) => {}
        }
        drawn.unwrap_or(Ok(()))
    }
}
