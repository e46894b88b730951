//! Ring buffers that programs write records to.

use crate::error::{Error, ErrorKind, kernel_error};
use crate::sys;
use aya::maps::ring_buf::RingBufItem;
use aya::maps::{Map, MapData, RingBuf};
use std::fmt;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// Maps a ring buffer, to read it.
///
/// # Errors
/// The kernel's.
pub(crate) fn ring_buffer(map: BorrowedFd<'_>) -> Result<RingBuf<MapData>, Error> {
    let fd = map
        .try_clone_to_owned()
        .map_err(kernel_error("can't read a buffer of events"))?;
    MapData::from_fd(fd)
        .and_then(|data| RingBuf::try_from(Map::RingBuf(data)))
        .map_err(|error| {
            Error::new(
                ErrorKind::Kernel,
                format!("can't read a buffer of events: {error}"),
            )
        })
}

/// A ring buffer that is mapped when there first is something in it: few sessions need it, and mapping takes as much time and memory as
/// if all of it were used.
pub(crate) struct LateRing {
    map: OwnedFd,
    state: State,
}

enum State {
    Empty,
    Mapped(Box<RingBuf<MapData>>),
    /// It could not be mapped. What does not arrive is counted where it is missed.
    Failed,
}

impl LateRing {
    /// The ring buffer of a map.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(map: BorrowedFd<'_>) -> Result<LateRing, Error> {
        let map = map
            .try_clone_to_owned()
            .map_err(kernel_error("can't read a buffer of events"))?;
        Ok(LateRing {
            map,
            state: State::Empty,
        })
    }

    /// A descriptor that becomes readable when records wait; `None` if they cannot be read.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        (!matches!(self.state, State::Failed)).then(|| self.map.as_fd())
    }

    /// The next record; `None` if none waits.
    pub fn next(&mut self) -> Option<RingBufItem<'_>> {
        if let State::Empty = self.state {
            let ready = sys::poll(&[self.map.as_fd()], 0).is_ok_and(|ready| ready == [true]);
            if !ready {
                return None;
            }
            self.state = match ring_buffer(self.map.as_fd()) {
                Ok(ring) => State::Mapped(Box::new(ring)),
                Err(_) => State::Failed,
            };
        }
        match &mut self.state {
            State::Mapped(ring) => ring.next(),
            State::Empty | State::Failed => None,
        }
    }
}

impl fmt::Debug for LateRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LateRing").finish_non_exhaustive()
    }
}
