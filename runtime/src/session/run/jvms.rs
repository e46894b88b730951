//! Has JVMs that run write down what their code is called, before the first event and when tracing has ended.

use super::Running;
use crate::error::Halt;
use crate::jvm;
use crate::results::Event;
use crate::session::Target;
use crate::sinks::Sink as _;
use std::fs;

impl Running<'_> {
    /// Asks those that are traced, if the session is to; if the script is to, only the process of `-p`.
    pub(super) fn ask_jvms(&mut self) {
        let is_one = matches!(self.session.target, Target::Process(_));
        let asks = is_one && self.session.object.manifest.jvm_map;
        if !self.session.jvm_map && !asks {
            return;
        }
        // Those that ran before are found by their mappings.
        while self.processes.read_some() {}
        self.processes.drain();
        let jvms = self.processes.jvms();
        for tgid in &jvms {
            self.processes.perf_map_asked_for(*tgid);
        }
        for (tgid, answer) in jvm::ask(&jvms) {
            match answer {
                Ok(()) => {
                    self.processes.perf_map_written(tgid);
                    self.unnamed_jvms.remove(&tgid);
                }
                Err(why) => {
                    let name = fs::read_to_string(format!("/proc/{tgid}/comm"));
                    let name = name.unwrap_or_default().trim_end().to_owned();
                    self.unnamed_jvms.insert(tgid, (name, why));
                }
            }
        }
    }

    /// Says which have not done it, and why.
    pub(super) fn tell_unnamed_jvms(&mut self) -> Result<(), Halt> {
        for (tgid, (name, why)) in &self.unnamed_jvms {
            let text = format!(
                "note: process {tgid} ({name}) did not name its Java code: {why}; \
                 if it is started by `-c COMMAND --runtimes` it does when it ends"
            );
            self.sink.event(&Event::Message(&text))?;
        }
        Ok(())
    }
}
