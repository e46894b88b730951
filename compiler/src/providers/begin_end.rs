//! `begin` and `end`: once before any other probe can fire, once after the last one was detached. When that is, the session
//! decides.

use super::{Provider, ProviderInfo, parts};
use crate::facts::{FactError, Facts};
use crate::manifest::{Attach, Site};
use crate::program::ProgramKind;
use pfscript_grammar::Diagnostic;
use pfscript_grammar::ast::AttachPoint;

/// A probe without attach points of its own.
pub(super) struct Once {
    info: ProviderInfo,
    attach: Attach,
}

pub(super) static BEGIN: Once = once(
    &["begin", "BEGIN"],
    "begin",
    "once, before any other probe fires",
    Attach::Begin,
);

pub(super) static END: Once = once(
    &["end", "END"],
    "end",
    "once, after the last other probe has fired",
    Attach::End,
);

const fn once(
    names: &'static [&'static str],
    syntax: &'static str,
    doc: &'static str,
    attach: Attach,
) -> Once {
    Once {
        info: ProviderInfo {
            names,
            syntax,
            doc,
            kind: ProgramKind::Once,
            narrowed: false,
            listed: false,
        },
        attach,
    }
}

impl Provider for Once {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn expand(&self, point: &AttachPoint, _facts: &dyn Facts) -> Result<Vec<Site>, Diagnostic> {
        parts::parts(point, &self.info, 0..=0)?;
        Ok(vec![Site {
            name: self.info.names[0].to_owned(),
            function: None,
            attach: self.attach.clone(),
        }])
    }

    fn list(&self, _facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        Ok(vec![self.info.names[0].to_owned()])
    }
}
