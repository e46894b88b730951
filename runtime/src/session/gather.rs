//! Records that come fast, one by one, are let gather.
//!
//! Whoever waits for the event buffer is woken for the first record in it, and reads it before the next one is there. At a
//! hundred thousand records a second that is as many wake-ups, which cost traced programs and tracer more than the records
//! do. So when the tracer is woken time and again as soon as it waits, it lets a millisecond pass before it reads.

use std::thread;
use std::time::{Duration, Instant};

/// Whoever is woken sooner than that was waiting for nothing much; and so long records are let gather.
const PAUSE: Duration = Duration::from_millis(1);
/// How often that has to be so, one wake-up after the other.
const TIMES: u32 = 8;

/// How fast records come.
#[derive(Debug, Default)]
pub struct Gather {
    quick: u32,
}

impl Gather {
    /// Takes note of a wait that began then and ended with records; lets some gather if they come fast.
    pub fn woken(&mut self, began: Instant) {
        self.quick = match began.elapsed() < PAUSE {
            true => (self.quick + 1).min(TIMES),
            false => 0,
        };
        if self.quick == TIMES {
            thread::sleep(PAUSE);
        }
    }
}
