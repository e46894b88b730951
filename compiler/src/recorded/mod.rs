//! Facts of a kernel, written down: of one machine for a check on another, or for tests of the compiler, which run on them
//! without root and anywhere.
//!
//! A machine's record is one file (`file`). A record for tests is cut down to what they need and can be read in a diff: four
//! files (see `tests/facts/` of this crate): trimmed BTF, the `format` files of some tracepoints in one text, names of
//! functions and names of features, one a line. `cargo run -p pfscript-runtime --example record_facts` writes them for the
//! running kernel.

mod file;

use crate::btf::{Btf, BtfError};
use crate::facts::{Arch, Binary, FactError, Facts, TracepointFormat};
use crate::glob::Glob;
use crate::providers::tracepoint_format;
use pfscript_probes::{FEATURES, Feature};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use crate::btf::{BtfWriter, trim};
pub use file::{MAX_FILE_BYTES, Part, Record, RecordError, decode, encode};

/// A kernel as it was recorded.
#[derive(Debug)]
pub struct RecordedFacts {
    arch: Arch,
    release: String,
    btf: Option<Btf>,
    page_bytes: u32,
    pid_namespace: Option<u32>,
    features: Vec<Feature>,
    /// What is not known of features, and why.
    unsure: Vec<(Feature, String)>,
    /// Sorted.
    tracepoints: Vec<(String, String)>,
    /// As `tracepoints`: the text of each format.
    formats: Vec<String>,
    /// Sorted.
    functions: Vec<String>,
    thorough: bool,
    /// Sorted by name.
    symbols: Vec<(String, u64)>,
    /// Names of symbols whose address is not recorded, one a line.
    symbol_names: String,
    binaries: Vec<(PathBuf, Arc<Binary>)>,
    missing: Missing,
}

/// Why parts of a record are not there.
#[derive(Debug, Default)]
struct Missing {
    tracepoints: Option<FactError>,
    functions: Option<FactError>,
    symbols: Option<FactError>,
    binaries: Option<FactError>,
}

impl RecordedFacts {
    /// A kernel with pages of 4 KiB of which nothing else is known: no BTF, no features, no tracepoints, no functions.
    pub fn empty(arch: Arch) -> RecordedFacts {
        RecordedFacts {
            arch,
            release: String::new(),
            btf: None,
            page_bytes: 4096,
            pid_namespace: None,
            features: Vec::new(),
            unsure: Vec::new(),
            tracepoints: Vec::new(),
            formats: Vec::new(),
            functions: Vec::new(),
            thorough: false,
            symbols: Vec::new(),
            symbol_names: String::new(),
            binaries: Vec::new(),
            missing: Missing::default(),
        }
    }

    /// A record that has no part yet but may have had.
    fn missing_parts(&mut self) {
        let unrecorded = |what: &str| {
            Some(FactError::Hidden {
                reason: format!("the recorded facts have no {what}"),
                help: Some("record them again, as root".to_owned()),
            })
        };
        self.missing = Missing {
            tracepoints: unrecorded("tracepoints"),
            functions: unrecorded("functions of the kernel"),
            symbols: unrecorded("symbols of the kernel"),
            binaries: unrecorded("programs and libraries"),
        };
    }

    /// The kernel's release; empty if that was not recorded.
    pub fn release(&self) -> &str {
        &self.release
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

    /// The types of another recorded kernel: `5.10`, `6.1`, `6.12` and `7.2` are Debian's for x86-64, `6.12-aarch64` is that for
    /// arm64, `6.18` has no kprobes. For [`RecordedFacts::with_btf`].
    pub fn types_of(kernel: &str) -> Option<Btf> {
        let bytes: &'static [u8] = match kernel {
            "5.10" => include_bytes!("../../tests/facts/5.10-x86_64/types.btf"),
            "6.1" => include_bytes!("../../tests/facts/6.1-x86_64/types.btf"),
            "6.12" => include_bytes!("../../tests/facts/6.12-x86_64/types.btf"),
            "6.12-aarch64" => include_bytes!("../../tests/facts/6.12-aarch64/types.btf"),
            "6.18" => include_bytes!("../../tests/facts/6.18-x86_64/types.btf"),
            "7.2" => include_bytes!("../../tests/facts/7.2-x86_64/types.btf"),
            _ => return None,
        };
        Btf::new(bytes).ok()
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
        facts.set_tracepoints(tracepoints);
        facts.set_functions(functions);
        facts.features = lines(features)
            .filter_map(|name| FEATURES.iter().find(|row| row.name == name))
            .map(|row| row.feature)
            .collect();
        Ok(facts)
    }

    fn set_tracepoints(&mut self, text: &str) {
        let mut formats: Vec<((String, String), String)> = text
            .split("\ntracepoint:")
            .filter_map(|text| {
                let text = text.strip_prefix("tracepoint:").unwrap_or(text);
                let (title, format) = text.split_once('\n')?;
                let (category, name) = title.trim().split_once(':')?;
                let title = (category.to_owned(), name.to_owned());
                Some((title, format.to_owned()))
            })
            .collect();
        formats.sort_by(|a, b| a.0.cmp(&b.0));
        (self.tracepoints, self.formats) = formats.into_iter().unzip();
    }

    fn set_functions(&mut self, text: &str) {
        self.functions = lines(text).map(str::to_owned).collect();
        self.functions.sort_unstable();
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

    /// The same kernel, seen from a pid namespace of that inode number.
    #[must_use]
    pub fn in_pid_namespace(mut self, inode: u32) -> RecordedFacts {
        self.pid_namespace = Some(inode);
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

    /// The same kernel without a function that kprobes can attach to, though its BTF may know it.
    #[must_use]
    pub fn without_function(mut self, name: &str) -> RecordedFacts {
        self.functions.retain(|known| known != name);
        self
    }

    /// The same kernel, for a script that is checked and not run ([`Facts::thorough`]).
    #[must_use]
    pub fn for_check(mut self) -> RecordedFacts {
        self.thorough = true;
        self
    }

    /// The same kernel with a symbol at an address.
    #[must_use]
    pub fn with_symbol(mut self, name: &str, address: u64) -> RecordedFacts {
        self.symbols.push((name.to_owned(), address));
        self
    }

    /// The same machine with a program or library at a path.
    #[must_use]
    pub fn with_binary(mut self, path: impl Into<PathBuf>, binary: Binary) -> RecordedFacts {
        self.binaries.push((path.into(), Arc::new(binary)));
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

impl Facts for RecordedFacts {
    fn arch(&self) -> Arch {
        self.arch
    }

    fn btf(&self) -> Option<&Btf> {
        self.btf.as_ref()
    }

    fn page_bytes(&self) -> u32 {
        self.page_bytes
    }

    fn pid_namespace(&self) -> Option<u32> {
        self.pid_namespace
    }

    fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature) || self.unsure(feature).is_some()
    }

    fn unsure(&self, feature: Feature) -> Option<String> {
        let known = self.unsure.iter().find(|unsure| unsure.0 == feature);
        known.map(|unsure| unsure.1.clone())
    }

    fn tracepoint(&self, category: &str, name: &str) -> Result<TracepointFormat, FactError> {
        let tracepoints = self.tracepoints()?;
        tracepoints
            .iter()
            .position(|known| known.0 == category && known.1 == name)
            .and_then(|at| self.formats.get(at))
            .map(|format| tracepoint_format::parse(format))
            .ok_or(FactError::Unknown)
    }

    fn tracepoints(&self) -> Result<&[(String, String)], FactError> {
        if let Some(error) = &self.missing.tracepoints {
            return Err(error.clone());
        }
        if !self.has(Feature::Tracepoints) {
            return Err(unavailable("tracefs is not mounted"));
        }
        Ok(&self.tracepoints)
    }

    fn thorough(&self) -> bool {
        self.thorough
    }

    fn functions(&self) -> Result<&[String], FactError> {
        if let Some(error) = &self.missing.functions {
            return Err(error.clone());
        }
        if !self.has(Feature::Kprobes) {
            return Err(unavailable("this kernel has no kprobes"));
        }
        Ok(&self.functions)
    }

    fn kernel_symbol(&self, name: &str) -> Result<u64, FactError> {
        if let Some(error) = &self.missing.symbols {
            return Err(error.clone());
        }
        if self.symbol_names.lines().any(|known| known == name) {
            return Ok(0);
        }
        self.symbols
            .iter()
            .find(|symbol| symbol.0 == name)
            .map(|symbol| symbol.1)
            .ok_or(FactError::Unknown)
    }

    fn files(&self, written: &str) -> Vec<PathBuf> {
        let wanted = Glob::new(written);
        let paths = self.binaries.iter().map(|(path, _)| path);
        let matching = |path: &&PathBuf| path.to_str().is_some_and(|path| wanted.matches(path));
        paths.filter(matching).cloned().collect()
    }

    fn binary(&self, path: &Path) -> Result<Arc<Binary>, FactError> {
        let known = self.binaries.iter().find(|known| known.0 == path);
        let missing = self.missing.binaries.clone();
        let error = missing.unwrap_or(FactError::Unknown);
        known.map(|known| known.1.clone()).ok_or(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{Kind, TypeId};

    const KERNELS: [&str; 5] = ["5.10", "6.1", "6.12", "6.18", "7.2"];

    #[test]
    fn every_record_has_the_types_that_scripts_use() {
        for kernel in KERNELS {
            let btf = RecordedFacts::types_of(kernel).unwrap();
            let find = |name: &str| btf.find(Kind::Struct, name).unwrap();
            let path = |start: &str, members: &[&str]| -> TypeId {
                members.iter().fold(find(start), |ty, name| {
                    let ty = btf.pointee(ty).unwrap_or(ty);
                    let member = btf.member(ty, name);
                    member.unwrap_or_else(|| panic!("{name} on {kernel}")).ty
                })
            };
            let name = path(
                "vm_area_struct",
                &["vm_file", "f_path", "dentry", "d_name", "name"],
            );
            assert!(
                btf.c_name(name).starts_with("const unsigned char"),
                "{kernel}"
            );
            assert_eq!(
                btf.size_of(path("task_struct", &["comm"])),
                Some(16),
                "{kernel}"
            );
            path("task_struct", &["mm", "pgd"]);
            path("task_struct", &["real_parent", "tgid"]);
            path("file", &["f_inode", "i_sb", "s_dev"]);
            path("sock", &["__sk_common", "skc_daddr"]);
            let kind = btf.member(find("sk_buff"), "pkt_type").unwrap();
            assert_eq!(kind.bitfield_bits, Some(3), "{kernel}");
            assert_eq!(
                btf.function("vfs_read").unwrap().params.len(),
                4,
                "{kernel}"
            );
            assert_eq!(
                btf.enumerator("PIDTYPE_TGID").map(|(_, value)| value),
                Some(1),
                "{kernel}"
            );
        }
    }

    #[test]
    fn the_record_of_a_record_is_the_same() {
        let btf = RecordedFacts::types_of("6.18").unwrap();
        let keep = [
            "task_struct",
            "file",
            "sk_buff",
            "vfs_read",
            "pid_type",
            "pid_t",
        ];
        let trimmed = Btf::new(trim(&btf, &keep)).unwrap();
        for name in ["task_struct", "file", "sk_buff"] {
            let of = |btf: &Btf| btf.c_definition(btf.find(Kind::Struct, name).unwrap());
            assert_eq!(of(&trimmed), of(&btf), "{name}");
        }
        assert!(trimmed.type_count() < btf.type_count());
        // Behind a pointer and not asked for: declared alone.
        assert_eq!(trimmed.find(Kind::Struct, "mm_struct"), None);
        assert!(trimmed.find(Kind::Forward, "mm_struct").is_some());
    }

    #[test]
    fn records_tell_what_was_recorded() {
        let facts = RecordedFacts::linux_6_18();
        assert!(facts.has(Feature::FindVma) && !facts.has(Feature::Kprobes));
        assert!(facts.functions().is_err());
        let facts = facts.with(Feature::Kprobes).on(Arch::Aarch64);
        assert!(facts.functions().unwrap().is_sorted());
        assert_eq!(facts.arch(), Arch::Aarch64);
        let format = facts.tracepoint("exceptions", "page_fault_user").unwrap();
        assert_eq!(format.fields.len(), 7);
        assert_eq!(facts.tracepoint("no", "such"), Err(FactError::Unknown));
        let facts = facts.with_symbol("jiffies", 64).without(Feature::Btf);
        assert_eq!(facts.kernel_symbol("jiffies"), Ok(64));
        assert!(facts.btf().is_none());
        let mut binary = Binary::default();
        binary.build_id = vec![1, 2];
        let facts = facts.with_binary("/bin/true", binary.clone());
        assert_eq!(facts.binary(Path::new("/bin/true")), Ok(Arc::new(binary)));
        let other = facts.binary(Path::new("/bin/false"));
        assert_eq!(other, Err(FactError::Unknown));
    }
}
