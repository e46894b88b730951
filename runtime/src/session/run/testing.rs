//! `--mode test`: the probes `test:NAME` are run once each. One goes well if it neither returns nor exits with another number than 0.
//!
//! In come loaded programs, out go results. Whatever a test prints comes between its begin and its end.

use super::{Delivered, Running, Waited, asked};
use crate::attach;
use crate::error::{Error, ErrorKind, Halt};
use crate::results::{Event, TestResult, Testing};
use crate::sinks::Sink as _;
use crate::sys::bpf;
use pfscript_compiler::manifest::Mode;
use std::time::Instant;

impl Running<'_> {
    /// Runs the tests, one after the other. If one fails, so does the session.
    pub(super) fn run_tests(&mut self) -> Result<(), Halt> {
        let tests = asked::all(&self.session.object.manifest, Mode::Test);
        self.tell(Testing::Begin(tests.len()))?;
        let mut results = Vec::new();
        for (program, name) in tests {
            self.tell(Testing::Runs(&name))?;
            let began = Instant::now();
            bpf::run_program(attach::program(&self.loaded, program)?).map_err(|error| {
                let message = format!("can't run `test:{name}`: {error}");
                Error::new(ErrorKind::Kernel, message)
            })?;
            let took = began.elapsed();
            // What it exits with is its own.
            let passed = match self.deliver_all()? {
                Delivered::UpToExit => std::mem::take(&mut self.exit_code) == 0,
                Delivered::All | Delivered::Some => true,
            };
            let result = TestResult { name, passed, took };
            self.tell(Testing::Ran(&result))?;
            results.push(result);
            if self.wait(0)? == Waited::End {
                break;
            }
        }
        self.exit_code = results.iter().any(|result| !result.passed).into();
        self.tell(Testing::End(&results))
    }

    fn tell(&mut self, testing: Testing<'_>) -> Result<(), Halt> {
        Ok(self.sink.event(&Event::Testing(testing))?)
    }
}
