//! The machine with more types than its kernel has: what a script declares, what traced programs were compiled with.

use super::{
    Arch, Binary, FactError, Facts, SourcePlace, TracepointFormat, VariableSymbol, WantedTypes,
};
use crate::btf::{Btf, BtfWriter};
use pfscript_probes::Feature;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Facts whose types are others than the machine's.
pub struct WithTypes<'a> {
    facts: &'a dyn Facts,
    btf: Btf,
}

impl<'a> WithTypes<'a> {
    /// These facts with these types.
    pub fn new(facts: &'a dyn Facts, btf: Btf) -> WithTypes<'a> {
        WithTypes { facts, btf }
    }
}

impl Facts for WithTypes<'_> {
    fn arch(&self) -> Arch {
        self.facts.arch()
    }

    fn btf(&self) -> Option<&Btf> {
        Some(&self.btf)
    }

    fn page_bytes(&self) -> u32 {
        self.facts.page_bytes()
    }

    fn pid_namespace(&self) -> Option<u32> {
        self.facts.pid_namespace()
    }

    fn has(&self, feature: Feature) -> bool {
        self.facts.has(feature)
    }

    fn unsure(&self, feature: Feature) -> Option<String> {
        self.facts.unsure(feature)
    }

    fn tracepoint(&self, category: &str, name: &str) -> Result<TracepointFormat, FactError> {
        self.facts.tracepoint(category, name)
    }

    fn tracepoints(&self) -> Result<&[(String, String)], FactError> {
        self.facts.tracepoints()
    }

    fn readable(&self, symbols: &[&str]) -> Vec<String> {
        self.facts.readable(symbols)
    }

    fn functions(&self) -> Result<&[String], FactError> {
        self.facts.functions()
    }

    fn thorough(&self) -> bool {
        self.facts.thorough()
    }

    fn kernel_symbol(&self, name: &str) -> Result<u64, FactError> {
        self.facts.kernel_symbol(name)
    }

    fn binary(&self, path: &Path) -> Result<Arc<Binary>, FactError> {
        self.facts.binary(path)
    }

    fn variable(&self, path: &Path, name: &str) -> Result<VariableSymbol, FactError> {
        self.facts.variable(path, name)
    }

    fn cgroup_id(&self, path: &Path) -> Result<u64, FactError> {
        self.facts.cgroup_id(path)
    }

    fn files(&self, written: &str) -> Vec<PathBuf> {
        self.facts.files(written)
    }

    fn statements(&self, path: &Path, place: SourcePlace<'_>) -> Result<Vec<u64>, FactError> {
        self.facts.statements(path, place)
    }

    fn debug_types(
        &self,
        path: &Path,
        wanted: &WantedTypes<'_>,
        writer: &mut BtfWriter,
    ) -> Result<(), FactError> {
        self.facts.debug_types(path, wanted, writer)
    }
}
