//! `self:signal:NAME`, `bench:NAME` and `test:NAME`: what the session itself runs, when the tracer gets a signal, to see how long it
//! takes, and to see whether it goes well. When that is, the session decides.

use super::{Provider, ProviderInfo, nearest, parts};
use crate::facts::{FactError, Facts};
use crate::manifest::{Attach, Mode, Site};
use crate::program::ProgramKind;
use pfscript_grammar::ast::AttachPoint;
use pfscript_grammar::{Diagnostic, escape};

/// Signals to the tracer.
pub(super) struct OwnSignal(ProviderInfo);

pub(super) static SELF: OwnSignal = OwnSignal(ProviderInfo {
    names: &["self"],
    syntax: "self:signal:NAME",
    doc: "a signal to the tracer, SIGUSR1 or SIGUSR2: `kill -USR1 $(pidof pfscript)`",
    kind: ProgramKind::Once,
    narrowed: false,
    listed: true,
});

/// The signals that a script may have, and their numbers on Linux. Others end a session, or are the tracer's own.
const SIGNALS: [(&str, i32); 2] = [("SIGUSR1", 10), ("SIGUSR2", 12)];

impl Provider for OwnSignal {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }

    fn expand(&self, point: &AttachPoint, _facts: &dyn Facts) -> Result<Vec<Site>, Diagnostic> {
        let [what, name] = parts::parts(point, &self.0, 2..=2)? else {
            // `parts` has seen to it that there are two.
            return Err(Diagnostic::error(point.span, "a part is missing"));
        };
        if what.node != "signal" {
            let message = format!("the tracer has no events `{}`", escape(&what.node));
            return Err(Diagnostic::error(what.span, message).help(format!(
                "such attach points are written `{}`",
                self.0.syntax
            )));
        }
        let names = SIGNALS.map(|row| row.0);
        let Some(&(name, number)) = SIGNALS.iter().find(|row| row.0 == name.node) else {
            let message = format!("a script cannot have the signal `{}`", escape(&name.node));
            let help = nearest::did_you_mean(&name.node, names)
                .unwrap_or_else(|| format!("it can have {}", names.join(" and ")));
            return Err(Diagnostic::error(name.span, message).help(help));
        };
        Ok(vec![Site {
            name: format!("{}:signal:{name}", self.0.names[0]),
            function: None,
            attach: Attach::Signal { number },
        }])
    }

    fn list(&self, _facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        let name = self.0.names[0];
        Ok(SIGNALS
            .map(|(signal, _)| format!("{name}:signal:{signal}"))
            .to_vec())
    }
}

/// What a session is asked for.
pub(super) struct Asked {
    info: ProviderInfo,
    mode: Mode,
}

pub(super) static BENCH: Asked = Asked {
    info: ProviderInfo {
        names: &["bench"],
        syntax: "bench:NAME",
        doc: "what `--mode bench` runs again and again, to see how long it takes; nothing else runs it",
        kind: ProgramKind::Once,
        narrowed: false,
        listed: false,
    },
    mode: Mode::Bench,
};

pub(super) static TEST: Asked = Asked {
    info: ProviderInfo {
        names: &["test"],
        syntax: "test:NAME",
        doc: "what `--mode test` runs once; it fails where it returns or exits with another number than 0, as `assert()` does; nothing \
              else runs it",
        kind: ProgramKind::Once,
        narrowed: false,
        listed: false,
    },
    mode: Mode::Test,
};

impl Provider for Asked {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn expand(&self, point: &AttachPoint, _facts: &dyn Facts) -> Result<Vec<Site>, Diagnostic> {
        let [name] = parts::parts(point, &self.info, 1..=1)? else {
            // `parts` has seen to it that there is one.
            return Err(Diagnostic::error(point.span, "a name is missing"));
        };
        Ok(vec![Site {
            name: format!("{}:{}", self.info.names[0], name.node),
            function: None,
            attach: Attach::Asked {
                mode: self.mode,
                name: name.node.clone(),
            },
        }])
    }

    /// Their names are the script's own.
    fn list(&self, _facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        Ok(vec![format!("{}:", self.info.names[0])])
    }
}
