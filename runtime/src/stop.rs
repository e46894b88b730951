//! What ends a session from outside. When it is looked at, and what happens then, is the session's.

use crate::error::{Error, ErrorKind};
use crate::sys::{process, signals};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// What ends a session from outside: signals, or a handle given to another thread.
#[derive(Debug)]
pub struct Stop {
    event: Arc<OwnedFd>,
    signals: Option<signals::EndSignals>,
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

    /// By its handles, and by SIGINT, SIGTERM and SIGHUP, whose handlers are installed for the process as long as the
    /// value lives. The first signal stops tracing. Another one while results are printed, or while the output takes
    /// nothing, ends the process at once and says so; but signals within a second are one wish.
    ///
    /// # Errors
    /// If the process has such a value already.
    pub fn on_signals() -> Result<Stop, Error> {
        let mut stop = Stop::new()?;
        let signals = signals::EndSignals::install().map_err(|error| {
            Error::new(ErrorKind::Kernel, format!("can't handle signals: {error}"))
        })?;
        stop.signals = Some(signals);
        Ok(stop)
    }

    /// Descriptors that become readable when the session is to end.
    pub(crate) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let signals = self.signals.as_ref().map(signals::EndSignals::fd);
        std::iter::once(self.event.as_fd()).chain(signals)
    }

    /// Says to the handlers of signals what the session does.
    pub(crate) fn phase(&self, phase: signals::Phase) {
        if let Some(signals) = &self.signals {
            signals.phase(phase);
        }
    }

    /// Says to the handlers of signals whether the output is being written.
    pub(crate) fn writing(&self, writing: bool) {
        if let Some(signals) = &self.signals {
            signals.writing(writing);
        }
    }

    /// A handle that ends the session.
    pub fn handle(&self) -> StopHandle {
        StopHandle(Arc::clone(&self.event))
    }
}
