//! The session's output: the sink, and the descriptor behind it if it is known.
//!
//! What is said to the sink passes through here, so that the answer to signals knows when a write may be blocked, and a
//! reader who left is noticed also while there is nothing to write.

use crate::results::Event;
use crate::sinks::Sink;
use crate::stop::Stop;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// Where events go.
pub struct Output<'a> {
    sink: Box<dyn Sink>,
    fd: Option<OwnedFd>,
    stop: &'a Stop,
}

impl<'a> Output<'a> {
    /// Events for `sink`, which writes to `fd` in the end.
    pub fn new(sink: Box<dyn Sink>, fd: Option<OwnedFd>, stop: &'a Stop) -> Output<'a> {
        Output { sink, fd, stop }
    }

    /// What hangs up when nobody reads the output any more.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(OwnedFd::as_fd)
    }

    fn noted<T>(&mut self, write: impl FnOnce(&mut dyn Sink) -> T) -> T {
        self.stop.writing(true);
        let result = write(&mut *self.sink);
        self.stop.writing(false);
        result
    }
}

impl Sink for Output<'_> {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.noted(|sink| sink.event(event))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.noted(|sink| sink.flush())
    }
}
