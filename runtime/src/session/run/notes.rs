//! What a session says of itself: what was loaded, how many probes are attached, what was left out or lost.

use super::Running;
use crate::error::Halt;
use crate::loss::{Cause, Loss};
use crate::processes::unasked_servers;
use crate::results::{Event, Failure, Place};
use crate::sinks::Sink as _;
use crate::symbols;
use pfscript_compiler::manifest::Attach;

impl Running<'_> {
    /// Says how the command ended, if that is not what is hoped for, and which requests were left out.
    pub(super) fn tell_notes(&mut self) -> Result<(), Halt> {
        if self.session.quiet {
            return Ok(());
        }
        if let Some(status) = self.command.filter(|status| !status.success()) {
            let text = match status.code() {
                Some(code) => format!("the command ended with status {code}"),
                None => format!("the command was ended by {status}").replace(": ", " "),
            };
            self.sink.event(&Event::Message(&text))?;
        }
        self.tell_unnamed_jvms()?;
        if self.commands_left_out > 0 {
            let text = format!(
                "note: {} commands of system(), which waited when tracing ended, were not run",
                self.commands_left_out
            );
            self.sink.event(&Event::Message(&text))?;
        }
        if let (Some(rests), true) = (&self.rests, self.session.verbose) {
            let (files, bytes) = rests.tables.size();
            let text = format!(
                "stacks were walked by the tables of {files} files, which took {} KiB",
                bytes.div_ceil(1024)
            );
            self.sink.event(&Event::Message(&text))?;
        }
        let merged = self.backlog.merged();
        if merged > 0 {
            let text = format!(
                "note: {merged} requests to print, clear or zero a map, which waited when tracing ended, were left out, \
                 since others like them were done"
            );
            self.sink.event(&Event::Message(&text))?;
        }
        Ok(())
    }

    pub(super) fn tell_losses(&mut self, losses: &[Loss]) -> Result<(), Halt> {
        for loss in losses {
            if let Cause::Fault { span, .. } = loss.cause {
                let place = Place::new(&self.session.script, &self.session.source, span);
                self.sink.event(&Event::Failed(Failure { place, loss }))?;
            } else if loss.cause.is_loss() {
                self.sink.event(&Event::Lost(loss))?;
            } else if !self.session.quiet {
                self.sink.event(&Event::Message(&format!("note: {loss}")))?;
            }
        }
        Ok(self.sink.flush()?)
    }

    /// Says beforehand what will be without names.
    pub(super) fn warn(&mut self) -> Result<(), Halt> {
        let manifest = &self.session.object.manifest;
        let loud = !self.session.quiet;
        let asked =
            |wanted: bool, ask: fn() -> Option<String>| (wanted && loud).then(ask).flatten();
        let kernel = asked(manifest.kernel_symbols, symbols::hidden_kernel_names);
        let user = asked(manifest.user_symbols, unasked_servers);
        for why in [kernel, user].into_iter().flatten() {
            self.sink
                .event(&Event::Message(&format!("warning: {why}")))?;
        }
        Ok(())
    }

    /// Says what was loaded.
    pub(super) fn describe(&mut self) -> Result<(), Halt> {
        let manifest = &self.session.object.manifest;
        for probe in manifest.probes.values() {
            let points = probe.sites.len();
            let ends = if points == 1 { "" } else { "s" };
            let text = format!(
                "{}: {:?} program, {points} attach point{ends}",
                probe.name, probe.kind
            );
            self.sink.event(&Event::Message(&text))?;
        }
        for map in &manifest.maps {
            let text = format!("{}: at most {} keys", map.name, map.capacity);
            self.sink.event(&Event::Message(&text))?;
        }
        Ok(())
    }

    pub(super) fn announce(&mut self, begun: usize) -> Result<(), Halt> {
        for note in self.attached.notes() {
            self.sink.event(&Event::Message(&format!("note: {note}")))?;
        }
        if !self.session.quiet {
            let count = begun + self.attached.points() + self.once(&Attach::End);
            self.sink.event(&Event::Attached(count))?;
        }
        Ok(())
    }
}
