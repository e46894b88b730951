//! `begin` and `end`: once before any other probe can fire, once after the last one was detached.

use super::{Expansion, Provider, ProviderInfo, parts};
use crate::facts::{FactError, KernelFacts};
use crate::manifest::{Attach, ProgramType};
use pfscript_grammar::Diagnostic;
use pfscript_grammar::ast::AttachPoint;

pub(super) struct Begin;
pub(super) struct End;

static BEGIN: ProviderInfo = info(
    &["begin", "BEGIN"],
    "begin",
    "once, before any other probe fires",
);

static END: ProviderInfo = info(
    &["end", "END"],
    "end",
    "once, after the last other probe has fired",
);

const fn info(
    names: &'static [&'static str],
    syntax: &'static str,
    doc: &'static str,
) -> ProviderInfo {
    ProviderInfo {
        names,
        syntax,
        doc,
        family: "once",
        section: "raw_tracepoint",
        program: ProgramType::RawTracepoint,
        filtered: false,
        listed: false,
        needs: Some(pfscript_probes::Feature::RawTracepointTestRun),
    }
}

fn expand(
    point: &AttachPoint,
    info: &ProviderInfo,
    attach: Attach,
) -> Result<Vec<Expansion>, Diagnostic> {
    parts::parts(point, info, 0..=0)?;
    Ok(vec![Expansion {
        name: info.names[0].to_owned(),
        function: None,
        attach,
    }])
}

impl Provider for Begin {
    fn info(&self) -> &'static ProviderInfo {
        &BEGIN
    }

    fn expand(
        &self,
        point: &AttachPoint,
        _facts: &dyn KernelFacts,
    ) -> Result<Vec<Expansion>, Diagnostic> {
        expand(point, &BEGIN, Attach::Begin)
    }

    fn list(&self, _facts: &dyn KernelFacts) -> Result<Vec<String>, FactError> {
        Ok(vec!["begin".to_owned()])
    }
}

impl Provider for End {
    fn info(&self) -> &'static ProviderInfo {
        &END
    }

    fn expand(
        &self,
        point: &AttachPoint,
        _facts: &dyn KernelFacts,
    ) -> Result<Vec<Expansion>, Diagnostic> {
        expand(point, &END, Attach::End)
    }

    fn list(&self, _facts: &dyn KernelFacts) -> Result<Vec<String>, FactError> {
        Ok(vec!["end".to_owned()])
    }
}
