//! What is true of the running kernel, and of binaries: [`LiveFacts`], what `--info` tells of it, and what `-l` lists.
//!
//! Nothing is read before it is asked for, and nothing twice: a script that names one software event reads neither
//! BTF nor tracefs.

mod describe;
pub(crate) mod files;
pub(crate) mod namespace;
mod probe;
mod record;
pub(crate) mod tracefs;

pub use describe::describe;
pub use record::{Recorded, record};

use crate::elf;
use crate::processes::debug_files::{self, DebugFiles};
use crate::symbols::demangle::Demangler;
use crate::sys;
use pfscript_compiler::btf::{Btf, BtfWriter, Kind};
use pfscript_compiler::facts::{
    Arch, Binary, FactError, Facts, SourcePlace, TracepointFormat, VariableSymbol, WantedTypes,
};
use pfscript_compiler::providers::{tracepoint_format, variants};
use pfscript_probes::{FEATURES, Feature};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The kernel's own types.
const BTF_PATH: &str = "/sys/kernel/btf/vmlinux";

/// Addresses and names of all symbols.
const KALLSYMS_PATH: &str = "/proc/kallsyms";

/// The number of the perf event type that makes kprobes; there if the kernel has them.
const KPROBE_TYPE_PATH: &str = "/sys/bus/event_source/devices/kprobe/type";

/// The number of the perf event type that makes uprobes.
const UPROBE_TYPE_PATH: &str = "/sys/bus/event_source/devices/uprobe/type";

/// Whether a feature is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Present,
    /// The kernel lacks it.
    Absent,
    /// It could not be tried; the reason, such as a missing capability.
    Unknown(String),
}

/// The running kernel, and the files beside it.
#[derive(Debug)]
pub struct LiveFacts {
    btf: OnceLock<Option<Btf>>,
    tracefs: OnceLock<Result<&'static Path, FactError>>,
    tracepoints: OnceLock<Result<Vec<(String, String)>, FactError>>,
    functions: OnceLock<Result<Vec<String>, FactError>>,
    /// The file that lists those functions; `None`: tracefs has it.
    traceable: Option<PathBuf>,
    debug_folders: Vec<PathBuf>,
    thorough: bool,
    /// Whose files `*` stands for.
    process: Option<u32>,
    /// By place in [`FEATURES`].
    features: [OnceLock<Presence>; FEATURES.len()],
    /// By the path that was asked for.
    binaries: Mutex<HashMap<PathBuf, Result<Arc<Binary>, FactError>>>,
    /// The kernel's symbols that were asked for: each takes a look at all of them, and a script is checked several times.
    kernel_symbols: Mutex<HashMap<String, Result<u64, FactError>>>,
}

impl Default for LiveFacts {
    fn default() -> Self {
        LiveFacts::new()
    }
}

impl LiveFacts {
    /// Reads nothing yet.
    pub fn new() -> LiveFacts {
        LiveFacts {
            btf: OnceLock::new(),
            tracefs: OnceLock::new(),
            tracepoints: OnceLock::new(),
            functions: OnceLock::new(),
            traceable: None,
            debug_folders: Vec::new(),
            thorough: false,
            process: None,
            features: [const { OnceLock::new() }; FEATURES.len()],
            binaries: Mutex::default(),
            kernel_symbols: Mutex::default(),
        }
    }

    /// The same, for a script that is checked and not run ([`Facts::thorough`]).
    pub fn for_check() -> LiveFacts {
        LiveFacts {
            thorough: true,
            ..LiveFacts::new()
        }
    }

    /// The same, with the files that a process has mapped: those that `*` stands for, and paths as that process sees them.
    #[must_use]
    pub fn with_process(self, process: Option<u32>) -> LiveFacts {
        LiveFacts { process, ..self }
    }

    /// The same, with the functions that can be traced from a file that lists them as tracefs does.
    #[must_use]
    pub fn with_traceable(self, traceable: Option<PathBuf>) -> LiveFacts {
        LiveFacts { traceable, ..self }
    }

    /// The same, with folders in which what describes programs is looked for before all others.
    #[must_use]
    pub fn with_debug_folders(self, debug_folders: Vec<PathBuf>) -> LiveFacts {
        LiveFacts {
            debug_folders,
            ..self
        }
    }

    /// Whether the kernel has a feature, as far as it can be tried.
    pub fn presence(&self, feature: Feature) -> Presence {
        let Some(place) = FEATURES.iter().position(|row| row.feature == feature) else {
            return Presence::Absent;
        };
        self.features[place]
            .get_or_init(|| match feature {
                Feature::Btf => exists(BTF_PATH),
                Feature::Kprobes => exists(KPROBE_TYPE_PATH),
                Feature::Uprobes => exists(UPROBE_TYPE_PATH),
                Feature::Tracepoints => match self.tracefs() {
                    Ok(root) => exists(root.join("events")),
                    Err(
                        FactError::Unavailable { reason, .. } | FactError::Hidden { reason, .. },
                    ) => Presence::Unknown(reason),
                    Err(FactError::Unknown) => Presence::Absent,
                },
                Feature::KprobeMulti if self.presence(Feature::Kprobes) == Presence::Absent => {
                    Presence::Absent
                }
                _ => match probe::presence(feature) {
                    Presence::Unknown(reason) => {
                        let types = self.btf();
                        let told = types.and_then(|btf| probe::by_types(feature, btf));
                        told.unwrap_or(Presence::Unknown(reason))
                    }
                    presence => presence,
                },
            })
            .clone()
    }

    /// Where tracefs is mounted. Mounts it if nobody has and we may.
    ///
    /// # Errors
    /// [`FactError::Unavailable`] if it is not there, or not to be read by us.
    pub fn tracefs(&self) -> Result<&'static Path, FactError> {
        self.tracefs.get_or_init(tracefs::find).clone()
    }
}

fn exists(path: impl AsRef<Path>) -> Presence {
    match path.as_ref().try_exists() {
        Ok(true) => Presence::Present,
        Ok(false) => Presence::Absent,
        Err(error) => Presence::Unknown(format!("{}: {error}", path.as_ref().display())),
    }
}

impl Facts for LiveFacts {
    fn arch(&self) -> Arch {
        if cfg!(target_arch = "aarch64") {
            Arch::Aarch64
        } else {
            Arch::X86_64
        }
    }

    fn btf(&self) -> Option<&Btf> {
        self.btf
            .get_or_init(|| {
                let bytes = KernelFile::open(BTF_PATH).ok()?;
                Btf::new(bytes).ok()
            })
            .as_ref()
    }

    fn readable(&self, symbols: &[&str]) -> Vec<String> {
        let mut demangler = Demangler::default();
        let symbols = symbols.iter();
        symbols.map(|symbol| demangler.readable(symbol)).collect()
    }

    fn page_bytes(&self) -> u32 {
        // The kernel's largest pages have 64 KiB.
        crate::sys::page_size() as u32
    }

    fn pid_namespace(&self) -> Option<u32> {
        namespace::pid()
    }

    /// True unless the kernel is known to lack it: where a capability is missing to try, the kernel itself will say so
    /// with the right words when the object is loaded.
    fn has(&self, feature: Feature) -> bool {
        self.presence(feature) != Presence::Absent
    }

    fn unsure(&self, feature: Feature) -> Option<String> {
        match self.presence(feature) {
            Presence::Unknown(reason) => Some(reason),
            Presence::Present | Presence::Absent => None,
        }
    }

    fn tracepoint(&self, category: &str, name: &str) -> Result<TracepointFormat, FactError> {
        let is_name =
            |part: &str| !part.is_empty() && !part.contains('/') && !part.starts_with('.');
        let events = self.tracefs()?.join("events");
        if !is_name(category) || !is_name(name) {
            return Err(FactError::Unknown);
        }
        let path = events.join(category).join(name).join("format");
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(tracepoint_format::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(FactError::Unknown),
            // A part that names one of the directory's files: `events/sched/filter/format`.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(FactError::Unknown),
            Err(error) => Err(tracefs::unreadable(&path, &error)),
        }
    }

    fn tracepoints(&self) -> Result<&[(String, String)], FactError> {
        self.tracepoints
            .get_or_init(|| tracefs::tracepoints(self.tracefs()?))
            .as_ref()
            .map(Vec::as_slice)
            .map_err(Clone::clone)
    }

    fn functions(&self) -> Result<&[String], FactError> {
        self.functions
            .get_or_init(|| {
                if self.presence(Feature::Kprobes) == Presence::Absent {
                    return Err(FactError::lacking(Feature::Kprobes));
                }
                if let Some(path) = &self.traceable {
                    return tracefs::functions(path);
                }
                // ftrace knows the functions of the kernel and of modules; its list may be closed to us (lockdown), or
                // not be there.
                let traced = self
                    .tracefs()
                    .and_then(|root| tracefs::functions(&root.join(tracefs::FUNCTIONS)));
                traced.or_else(|error| match error {
                    // What types tell is not quite the list, which is good enough to attach, not to say what is there.
                    FactError::Hidden { .. } if self.thorough => Err(error),
                    _ => self.functions_of_btf().ok_or(error),
                })
            })
            .as_ref()
            .map(Vec::as_slice)
            .map_err(Clone::clone)
    }

    fn thorough(&self) -> bool {
        self.thorough
    }

    fn kernel_symbol(&self, name: &str) -> Result<u64, FactError> {
        let known = self.kernel_symbols.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = known.get(name) {
            return address.clone();
        }
        let address = kernel_symbol(name);
        known.insert(name.to_owned(), address.clone());
        address
    }

    fn files(&self, written: &str) -> Vec<PathBuf> {
        files::named(written, self.process)
    }

    fn variable(&self, path: &Path, name: &str) -> Result<VariableSymbol, FactError> {
        elf::variable(path, name)
            .map_err(|error| unreadable(path, &error))?
            .ok_or(FactError::Unknown)
    }

    fn debug_types(
        &self,
        path: &Path,
        wanted: &WantedTypes<'_>,
        writer: &mut BtfWriter,
    ) -> Result<(), FactError> {
        self.described(path, |file, path| {
            elf::debug_types::write(file, path, &debug_files::open, wanted, writer)
        })
    }

    fn statements(&self, path: &Path, place: SourcePlace<'_>) -> Result<Vec<u64>, FactError> {
        self.described(path, |file, path| {
            elf::statements::find(file, path, &debug_files::open, place)
        })
    }

    fn cgroup_id(&self, path: &Path) -> Result<u64, FactError> {
        sys::cgroup_id(path)
            .map_err(|error| unreadable(path, &error))?
            .ok_or_else(|| FactError::Unavailable {
                reason: format!("{} is the folder of no cgroup (version 2)", path.display()),
                help: Some(
                    "such folders are below /sys/fs/cgroup, or /sys/fs/cgroup/unified".to_owned(),
                ),
            })
    }

    fn binary(&self, path: &Path) -> Result<Arc<Binary>, FactError> {
        let known = self.binaries.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        if let Some(binary) = known.get(path) {
            return binary.clone();
        }
        let separate = |file: &File, path: &Path| self.separate(file, path);
        let binary = elf::read(path, separate)
            .map(Arc::new)
            .map_err(|error| unreadable(path, &error));
        known.insert(path.to_owned(), binary.clone());
        binary
    }
}

/// The address of a kernel symbol.
fn kernel_symbol(name: &str) -> Result<u64, FactError> {
    let found = symbols(|address, _, symbol| (symbol == name).then_some(address));
    match found {
        Ok(Some(0)) => Err(FactError::Hidden {
            reason: format!("{KALLSYMS_PATH} hides the address of `{name}`"),
            help: Some("run as root, with the sysctl kernel.kptr_restrict below 2".to_owned()),
        }),
        Ok(Some(address)) => Ok(address),
        Ok(None) => Err(FactError::Unknown),
        Err(error) => Err(FactError::Unavailable {
            reason: format!("cannot read {KALLSYMS_PATH}: {error}"),
            help: None,
        }),
    }
}

/// Why a file can't be read.
fn unreadable(path: &Path, error: &io::Error) -> FactError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FactError::Unknown,
        _ => FactError::Unavailable {
            reason: format!("cannot read {}: {error}", path.display()),
            help: None,
        },
    }
}

impl LiveFacts {
    /// The file that a stripped one's symbols and DWARF were put into.
    fn separate(&self, file: &File, path: &Path) -> Option<File> {
        let path = std::path::absolute(path).ok()?;
        DebugFiles::in_folders(&self.debug_folders).find(file, &path, Path::new("/"))
    }

    /// What is read of the file with a program's DWARF, and of the program's path.
    fn described<T>(
        &self,
        path: &Path,
        read: impl FnOnce(&File, &Path) -> io::Result<T>,
    ) -> Result<T, FactError> {
        let path = std::path::absolute(path).map_err(|_| FactError::Unknown)?;
        let file = File::open(&path).map_err(|_| FactError::Unknown)?;
        let mut files = DebugFiles::in_folders(&self.debug_folders);
        let separate = match elf::lines::has_lines(&file) {
            true => None,
            false => files.find_dwarf(&file, &path, Path::new("/")),
        };
        read(separate.as_ref().unwrap_or(&file), &path).map_err(|_| FactError::Unknown)
    }

    /// Functions that BTF describes and that still have code of their own.
    fn functions_of_btf(&self) -> Option<Vec<String>> {
        let btf = self.btf()?;
        let mut with_code = Vec::new();
        symbols(|_, kind, symbol| {
            if matches!(kind, 't' | 'T' | 'w' | 'W') {
                with_code.push(symbol.to_owned());
            }
            None::<()>
        })
        .ok()?;
        let known: HashSet<&str> = btf.names(Kind::Func).collect();
        let in_btf = |symbol: &String| {
            variants::origin(symbol).is_some_and(|function| known.contains(function))
        };
        let mut names = with_code;
        names.retain(in_btf);
        names.sort_unstable();
        names.dedup();
        (!names.is_empty()).then_some(names)
    }
}

/// The names of what the compiler made of a function.
pub(crate) fn variants_of(function: &str) -> Vec<String> {
    let mut variants = Vec::new();
    // Without the list there are no names to propose.
    let _ = symbols(|_, kind, symbol| {
        let variant = variants::is_variant(symbol, function);
        if variant && matches!(kind, 't' | 'T') && variants.len() < 4 {
            variants.push(symbol.to_owned());
        }
        None::<()>
    });
    variants
}

/// The one name of a function that the compiler has changed as a whole.
pub(crate) fn variant_of(function: &str) -> Option<String> {
    variants::of_whole(variants_of(function))
}

/// Where the kernel's functions of a name are: files of its source may have one each. Empty if that is hidden from us.
pub(crate) fn addresses_of(function: &str) -> Vec<u64> {
    let mut addresses = Vec::new();
    // Whoever asks says what cannot be done without them.
    let _ = symbols(|address, kind, symbol| {
        if symbol == function && matches!(kind, 't' | 'T') && address != 0 {
            addresses.push(address);
        }
        None::<()>
    });
    addresses
}

/// Goes through the kernel's own symbols (address, kind, name), until `visit` gives an answer.
fn symbols<T>(mut visit: impl FnMut(u64, char, &str) -> Option<T>) -> io::Result<Option<T>> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(KALLSYMS_PATH)?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let mut words = line.split_ascii_whitespace();
        if let (Some(address), Some(kind), Some(name), None) =
            (words.next(), words.next(), words.next(), words.next())
            && let (Ok(address), Some(kind)) =
                (u64::from_str_radix(address, 16), kind.chars().next())
            && let Some(answer) = visit(address, kind, name)
        {
            return Ok(Some(answer));
        }
        line.clear();
    }
    Ok(None)
}

/// A file of sysfs as bytes: mapped where the kernel maps such files (BTF since 6.16), else read.
enum KernelFile {
    Mapped(Mapping),
    Read(Vec<u8>),
}

impl KernelFile {
    fn open(path: &str) -> io::Result<KernelFile> {
        let file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
        if let Some(mapping) = Mapping::of(&file, length) {
            return Ok(KernelFile::Mapped(mapping));
        }
        Ok(KernelFile::Read(std::fs::read(path)?))
    }
}

impl AsRef<[u8]> for KernelFile {
    fn as_ref(&self) -> &[u8] {
        match self {
            KernelFile::Mapped(mapping) => mapping.bytes(),
            KernelFile::Read(bytes) => bytes,
        }
    }
}

/// A private, read-only mapping of a whole file whose pages belong to the kernel and never change.
struct Mapping {
    start: *const u8,
    length: usize,
}

// SAFETY: the mapping is read-only for its whole life, so that any thread may read it.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn of(file: &File, length: usize) -> Option<Mapping> {
        if length == 0 {
            return None;
        }
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory in use.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                0,
            )
        };
        (start != libc::MAP_FAILED).then_some(Mapping {
            start: start.cast_const().cast(),
            length,
        })
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `start` is a mapping of `length` bytes that lives as long as `self`; the kernel's BTF does not change
        // and cannot be cut short.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `of`, and borrows of its bytes have ended.
        unsafe {
            libc::munmap(self.start.cast_mut().cast(), self.length);
        }
    }
}
