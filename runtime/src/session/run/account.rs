//! The accounts of resident memory, for scripts that say what becomes of it (`rss_fault()` and the like).

use super::Running;
use crate::bytes::unsigned;
use crate::error::Halt;
use crate::resident::{Accounts, Followed};
use crate::session::Target;
use pfscript_compiler::manifest::{RecordKind, ResidentChange};
use pfscript_probes::abi::RECORD_KIND;

impl Running<'_> {
    /// Opens them, if the script is to have any. Events may come already; a command is not released yet.
    pub(super) fn open_accounts(&mut self) {
        let manifest = &self.session.object.manifest;
        if !manifest.accounts_for_pages {
            return;
        }
        let followed = match &self.session.target {
            Target::All => Followed::All,
            Target::Process(pid) => Followed::Process(*pid),
            Target::Command(command) => Followed::Command(command.pid()),
        };
        self.accounts = Some(Accounts::begin(
            followed,
            manifest.follows_children,
            manifest.puts_together,
        ));
    }

    /// Looks at processes' memory for the last time. What was recorded before may still be delivered.
    pub(super) fn close_accounts(&mut self) {
        if let Some(accounts) = &mut self.accounts {
            accounts.close();
        }
    }

    /// Takes in what a record says of processes' memory, if it says anything.
    pub(super) fn note_change(&mut self, record: &[u8]) -> Result<(), Halt> {
        let number = unsigned(RECORD_KIND.of(record)) as usize;
        let kind = self.session.object.manifest.records.get(number).cloned();
        match kind {
            Some(RecordKind::Resident {
                change: ResidentChange::Print,
                ..
            }) => Ok(()),
            Some(kind @ RecordKind::Resident { .. }) => self.performer().perform(&kind, record),
            _ => Ok(()),
        }
    }

    /// Says by what processes have grown.
    pub(super) fn tell_growth(&mut self) -> Result<(), Halt> {
        self.processes.drain();
        self.performer().print_growth()
    }
}
