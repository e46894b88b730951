//! Facts of a kernel, written down: what tests of the compiler run on, without root and on any machine.
//!
//! A record is four files (see `tests/facts/` of this crate): trimmed BTF, the `format` files of some tracepoints in one
//! text, names of functions and names of features, one a line. `cargo run -p pfscript-runtime --example record_facts`
//! writes them for the running kernel.

mod btf_writer;

use crate::btf::{Btf, BtfError};
use crate::facts::{Arch, FactError, KernelFacts, TracepointFormat};
use crate::providers::tracepoint_format;
use pfscript_probes::{FEATURES, Feature};

pub use btf_writer::{BtfWriter, trim};

/// A kernel as it was recorded.
#[derive(Debug)]
pub struct RecordedFacts {
    arch: Arch,
    btf: Option<Btf>,
    features: Vec<Feature>,
    /// Sorted.
    tracepoints: Vec<(String, String)>,
    /// As `tracepoints`.
    formats: Vec<TracepointFormat>,
    /// Sorted.
    functions: Vec<String>,
    /// Sorted by name.
    symbols: Vec<(String, u64)>,
}

impl RecordedFacts {
    /// A kernel of which nothing is known: no BTF, no features, no tracepoints, no functions.
    pub fn empty(arch: Arch) -> RecordedFacts {
        RecordedFacts {
            arch,
            btf: None,
            features: Vec::new(),
            tracepoints: Vec::new(),
            formats: Vec::new(),
            functions: Vec::new(),
            symbols: Vec::new(),
        }
    }

    /// Linux 6.18 on x86-64 without kprobes and with everything else.
    ///
    /// # Panics
    /// If the files of this crate are damaged.
    pub fn linux_6_18() -> RecordedFacts {
        RecordedFacts::parse(
            Arch::X86_64,
            include_bytes!("../../tests/facts/6.18-x86_64/types.btf"),
            include_str!("../../tests/facts/6.18-x86_64/tracepoints.txt"),
            include_str!("../../tests/facts/6.18-x86_64/functions.txt"),
            include_str!("../../tests/facts/6.18-x86_64/features.txt"),
        )
        // The record is part of this source tree, and a test reads it.
        .expect("a whole record")
    }

    /// A record from its four files.
    ///
    /// # Errors
    /// If the BTF is none.
    pub fn parse(
        arch: Arch,
        btf: &[u8],
        tracepoints: &str,
        functions: &str,
        features: &str,
    ) -> Result<RecordedFacts, BtfError> {
        let mut facts = RecordedFacts::empty(arch);
        facts.btf = Some(Btf::new(btf.to_vec())?);
        let mut formats: Vec<((String, String), TracepointFormat)> = tracepoints
            .split("\ntracepoint:")
            .filter_map(|text| {
                let text = text.strip_prefix("tracepoint:").unwrap_or(text);
                let (title, format) = text.split_once('\n')?;
                let (category, name) = title.trim().split_once(':')?;
                let title = (category.to_owned(), name.to_owned());
                Some((title, tracepoint_format::parse(format)))
            })
            .collect();
        formats.sort_by(|a, b| a.0.cmp(&b.0));
        (facts.tracepoints, facts.formats) = formats.into_iter().unzip();
        facts.functions = lines(functions).map(str::to_owned).collect();
        facts.functions.sort_unstable();
        facts.features = lines(features)
            .filter_map(|name| FEATURES.iter().find(|row| row.name == name))
            .map(|row| row.feature)
            .collect();
        Ok(facts)
    }

    /// The same kernel with a feature.
    #[must_use]
    pub fn with(mut self, feature: Feature) -> RecordedFacts {
        self.features.push(feature);
        self
    }

    /// The same kernel without a feature; without BTF, tracepoints or kprobes, what they tell is gone too.
    #[must_use]
    pub fn without(mut self, feature: Feature) -> RecordedFacts {
        self.features.retain(|&known| known != feature);
        if feature == Feature::Btf {
            self.btf = None;
        }
        self
    }

    /// The same kernel on another architecture; layouts stay those that were recorded.
    #[must_use]
    pub fn on(mut self, arch: Arch) -> RecordedFacts {
        self.arch = arch;
        self
    }

    /// The same kernel with other types.
    #[must_use]
    pub fn with_btf(mut self, btf: Btf) -> RecordedFacts {
        self.btf = Some(btf);
        self.with(Feature::Btf)
    }

    /// The same kernel with one more function that kprobes can attach to.
    #[must_use]
    pub fn with_function(mut self, name: &str) -> RecordedFacts {
        self.functions.push(name.to_owned());
        self.functions.sort_unstable();
        self
    }

    /// The same kernel with a symbol at an address.
    #[must_use]
    pub fn with_symbol(mut self, name: &str, address: u64) -> RecordedFacts {
        self.symbols.push((name.to_owned(), address));
        self
    }
}

/// Lines that are neither empty nor comments.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn unavailable(reason: &str) -> FactError {
    FactError::Unavailable {
        reason: reason.to_owned(),
        help: None,
    }
}

impl KernelFacts for RecordedFacts {
    fn arch(&self) -> Arch {
        self.arch
    }

    fn btf(&self) -> Option<&Btf> {
        self.btf.as_ref()
    }

    fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    fn tracepoint(&self, category: &str, name: &str) -> Result<TracepointFormat, FactError> {
        let tracepoints = self.tracepoints()?;
        tracepoints
            .iter()
            .position(|known| known.0 == category && known.1 == name)
            .and_then(|at| self.formats.get(at).cloned())
            .ok_or(FactError::Unknown)
    }

    fn tracepoints(&self) -> Result<&[(String, String)], FactError> {
        if !self.has(Feature::Tracepoints) {
            return Err(unavailable("tracefs is not mounted"));
        }
        Ok(&self.tracepoints)
    }

    fn functions(&self) -> Result<&[String], FactError> {
        if !self.has(Feature::Kprobes) {
            return Err(unavailable("this kernel has no kprobes"));
        }
        Ok(&self.functions)
    }

    fn kernel_symbol(&self, name: &str) -> Result<u64, FactError> {
        self.symbols
            .iter()
            .find(|symbol| symbol.0 == name)
            .map(|symbol| symbol.1)
            .ok_or(FactError::Unknown)
    }
}
