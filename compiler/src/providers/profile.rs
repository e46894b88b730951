//! `profile:UNIT:NUMBER` and `profile:DURATION`: a timer on every CPU: what runs there is sampled.

use super::{Expansion, Provider, ProviderInfo, timer};
use crate::facts::{FactError, KernelFacts};
use crate::manifest::{PerfScope, ProgramType};
use pfscript_grammar::Diagnostic;
use pfscript_grammar::ast::AttachPoint;

pub(super) struct Profile;

static INFO: ProviderInfo = ProviderInfo {
    names: &["profile", "p"],
    syntax: "profile:hz:RATE, profile:s|ms|us:PERIOD or profile:DURATION",
    doc: "a timer on every CPU: what runs there is sampled",
    family: "perf_event",
    section: "perf_event",
    program: ProgramType::PerfEvent,
    filtered: true,
    listed: false,
    needs: None,
};

impl Provider for Profile {
    fn info(&self) -> &'static ProviderInfo {
        &INFO
    }

    fn expand(
        &self,
        point: &AttachPoint,
        _facts: &dyn KernelFacts,
    ) -> Result<Vec<Expansion>, Diagnostic> {
        timer::expand(point, &INFO, PerfScope::EveryCpu)
    }

    fn list(&self, _facts: &dyn KernelFacts) -> Result<Vec<String>, FactError> {
        Ok(timer::list(&INFO))
    }
}
