//! The account of the target's resident memory, for scripts that say what becomes of it (`rss_fault()` and the like).

use super::Running;
use crate::error::Halt;
use crate::resident::Account;
use crate::results::{self, Event, Value};
use crate::session::Target;
use crate::sinks::Sink as _;
use pfscript_compiler::manifest::RecordKind;

impl Running<'_> {
    /// Opens it, if the script is to have one. Events may come already; a command is not released yet.
    pub(super) fn open_account(&mut self) {
        if self.session.object.manifest.needs_target.is_none() {
            return;
        }
        let process = self.session.target.process();
        let Some(pid) = process.or(self.session.target.command()) else {
            return;
        };
        let mut account = Account::begin(pid);
        if let Target::Process(_) = self.session.target {
            account.note_before();
        }
        self.account = Some(account);
    }

    /// Looks at the target's memory for the last time. What was recorded before may still be delivered.
    pub(super) fn close_account(&mut self) {
        if let Some(account) = &mut self.account {
            account.close();
        }
    }

    /// Says by what the target has grown.
    pub(super) fn tell_growth(&mut self) -> Result<(), Halt> {
        let Some(account) = &self.account else {
            return Ok(());
        };
        self.processes.drain();
        let manifest = &self.session.object.manifest;
        let mut names = self.symbols.names(
            &mut self.processes,
            self.rests.as_mut(),
            &self.loaded,
            manifest,
        );
        let growth = account.growth(|(kind, bytes)| {
            let layout = match manifest.records.get(kind as usize) {
                Some(RecordKind::Resident { fields, .. }) => {
                    fields.get(3).map(|field| &field.layout)
                }
                _ => None,
            };
            layout.map_or(Value::Absent, |layout| {
                results::value(layout, bytes, &mut names)
            })
        });
        Ok(self.sink.event(&Event::Growth(&growth))?)
    }
}
