//! `interval:UNIT:NUMBER` and `interval:DURATION`: a timer on one CPU: for printing and ending, not for sampling.

use super::{Expansion, Provider, ProviderInfo, timer};
use crate::facts::{FactError, KernelFacts};
use crate::manifest::{PerfScope, ProgramType};
use pfscript_grammar::Diagnostic;
use pfscript_grammar::ast::AttachPoint;

pub(super) struct Interval;

static INFO: ProviderInfo = ProviderInfo {
    names: &["interval", "i"],
    syntax: "interval:hz:RATE, interval:s|ms|us:PERIOD or interval:DURATION",
    doc: "a timer on one CPU: for printing and ending, not for sampling",
    family: "perf_event",
    section: "perf_event",
    program: ProgramType::PerfEvent,
    filtered: false,
    listed: false,
    needs: None,
};

impl Provider for Interval {
    fn info(&self) -> &'static ProviderInfo {
        &INFO
    }

    fn expand(
        &self,
        point: &AttachPoint,
        _facts: &dyn KernelFacts,
    ) -> Result<Vec<Expansion>, Diagnostic> {
        timer::expand(point, &INFO, PerfScope::OneCpu)
    }

    fn list(&self, _facts: &dyn KernelFacts) -> Result<Vec<String>, FactError> {
        Ok(timer::list(&INFO))
    }
}
