//! The session's output: the sink, and the descriptor behind it if it is known.
//!
//! What is said to the sink passes through here, so that the answer to signals knows when a write may be blocked, and a
//! reader who left is noticed also while there is nothing to write. Pictures get it first, since they are made also if that reader left.

use crate::pictures::Album;
use crate::progress::Progress;
use crate::results::Event;
use crate::sinks::Sink;
use crate::stop::Stop;
use crate::sys::terminal;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// Where events go.
pub struct Output<'a> {
    sink: Box<dyn Sink>,
    album: Option<Album>,
    progress: Option<Progress>,
    /// Whether results may go to a terminal, too.
    is_seen: bool,
    /// Whether something may wait to be flushed.
    waits: bool,
    fd: Option<OwnedFd>,
    stop: &'a Stop,
}

impl<'a> Output<'a> {
    /// Events for `sink`, which writes to `fd` in the end.
    pub fn new(sink: Box<dyn Sink>, fd: Option<OwnedFd>, stop: &'a Stop) -> Output<'a> {
        Output {
            sink,
            album: None,
            progress: None,
            is_seen: true,
            waits: false,
            fd,
            stop,
        }
    }

    /// Has a line on the terminal that says how it goes on.
    pub fn set_progress(&mut self, progress: Option<Progress>) {
        self.progress = progress;
        self.is_seen = self.fd().is_none_or(|fd| terminal::columns(fd).is_some());
    }

    /// That line, if there is one.
    pub fn progress(&mut self) -> Option<&mut Progress> {
        self.progress.as_mut()
    }

    /// Events are for pictures, too.
    pub fn draw(&mut self, album: Album) {
        self.album = Some(album);
    }

    /// Whether pictures are still to be made.
    pub fn draws(&self) -> bool {
        self.album.is_some()
    }

    /// Has pictures follow a process's memory over time, if they show that.
    pub fn follow(&mut self, process: u32) {
        if let Some(album) = &mut self.album {
            album.follow(process);
        }
    }

    /// Says to the pictures that maps are told for the last time.
    pub fn tracing_ended(&mut self) {
        if let Some(album) = &mut self.album {
            album.tracing_ended();
        }
    }

    /// The pictures, which get no more events.
    pub fn take_album(&mut self) -> Option<Album> {
        self.album.take()
    }

    /// What hangs up when nobody reads the output any more.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(OwnedFd::as_fd)
    }

    /// Takes the line on the terminal away.
    fn make_room(&mut self) {
        if let Some(progress) = &mut self.progress {
            progress.hide();
        }
    }

    fn noted<T>(&mut self, write: impl FnOnce(&mut dyn Sink) -> T) -> T {
        self.stop.writing(true);
        let result = write(&mut *self.sink);
        self.stop.writing(false);
        result
    }
}

/// Whether a form may write it to the standard error, whatever becomes of results.
fn is_message(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::Attached(_) | Event::Lost(_) | Event::Failed(_) | Event::Said(_) | Event::Message(_)
    )
}

impl Sink for Output<'_> {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        if let Some(album) = &mut self.album {
            album.event(event);
        }
        if let Event::Held(_) = event {
            return Ok(());
        }
        if self.is_seen || is_message(event) {
            self.waits = true;
            self.make_room();
        }
        self.noted(|sink| sink.event(event))
    }

    fn flush(&mut self) -> io::Result<()> {
        // The line may have come since what is written now.
        if std::mem::take(&mut self.waits) {
            self.make_room();
        }
        self.noted(|sink| sink.flush())
    }
}
