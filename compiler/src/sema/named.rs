//! What a script's named parameters are, and which of its probes are taken: what the command line says beside `$1`.

use std::fmt;
use std::sync::Arc;

/// A parameter that a script asks for by name, with `getopt()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// What it is where the command line does not say, and of which type.
    pub default: ParameterDefault,
    /// What the script says of it.
    pub description: Option<String>,
}

/// The default of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterDefault {
    /// `true` or `false`; `--name` alone is `true`.
    Flag(bool),
    /// A signed number of 64 bits.
    Number(i64),
    /// A string.
    Text(Vec<u8>),
}

impl fmt::Display for ParameterDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParameterDefault::Flag(value) => write!(f, "{value}"),
            ParameterDefault::Number(value) => write!(f, "{value}"),
            ParameterDefault::Text(bytes) => write!(f, "\"{}\"", String::from_utf8_lossy(bytes)),
        }
    }
}

/// Which attach points of a script are taken, by their full names. `BEGIN` and `END` always are.
#[derive(Clone)]
pub struct ProbeFilter(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl ProbeFilter {
    /// Those whose names `takes` is true of.
    pub fn new(takes: impl Fn(&str) -> bool + Send + Sync + 'static) -> ProbeFilter {
        ProbeFilter(Arc::new(takes))
    }

    /// Whether a name is taken.
    pub fn takes(&self, name: &str) -> bool {
        (self.0)(name)
    }
}

impl fmt::Debug for ProbeFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProbeFilter")
    }
}
