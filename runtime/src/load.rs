//! From ELF bytes to file descriptors: maps created, BTF and programs loaded.
//!
//! aya-obj parses the object and resolves its maps and calls. The kernel's own BTF is never parsed here: an object's
//! types and offsets were settled by the compiler. Programs are loaded without a verifier log; only a rejected one is
//! loaded again with a log, to say which line of the script it was.

mod programs;

use crate::error::{Error, ErrorKind};
use crate::generations::Generations;
use crate::refusal::{exhausted, no_permission};
use crate::stack_tables::StackTables;
use crate::sys;
use crate::sys::bpf::{MapHandle, MapSpec};
use crate::unwind_maps::UnwindMaps;
use aya_obj::generated::BPF_F_RDONLY_PROG;
use pfscript_compiler::ir::ProbeId;
use pfscript_compiler::manifest::{Manifest, SiteTable, StopWord};
use pfscript_probes::maps::BPF_MAP_TYPE_ARRAY_OF_MAPS;
use pfscript_probes::{abi, template};
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

/// What the kernel holds for us, as long as this value lives.
#[derive(Debug)]
pub struct Loaded {
    maps: BTreeMap<String, MapHandle>,
    /// By the ELF symbol of their map.
    generations: BTreeMap<String, Generations>,
    /// In the place of the map of stacks, if stacks are given up.
    stack_tables: Option<StackTables>,
    /// What stacks are walked by, until it is taken.
    unwind: Option<UnwindMaps>,
    programs: Vec<OwnedFd>,
    /// Probes whose places in a file are linked together.
    at_once: HashSet<ProbeId>,
}

impl Loaded {
    /// What stacks are walked by, for who fills it; `None` if it was taken, or none is.
    pub fn take_unwind(&mut self) -> Option<UnwindMaps> {
        self.unwind.take()
    }

    /// A map by its ELF symbol.
    pub fn map(&self, symbol: &str) -> Option<&MapHandle> {
        self.maps.get(symbol)
    }

    /// Makes the programs that read the stop word do nothing from now on; false if none does. Some may still run.
    pub fn stop_programs(&self) -> bool {
        let set = |word: &MapHandle| word.update(&0_u32.to_le_bytes(), &1_u64.to_le_bytes());
        self.map(StopWord::MAP)
            .is_some_and(|word| set(word).is_ok())
    }

    /// The two maps that stand for one of the script's, by its ELF symbol, if there are two.
    pub fn generations(&self, symbol: &str) -> Option<&Generations> {
        self.generations.get(symbol)
    }

    /// The map that programs use for one of the script's, by its ELF symbol.
    pub fn script_map(&self, symbol: &str) -> Option<&MapHandle> {
        let present = self.generations(symbol).map(Generations::present);
        present.or_else(|| self.map(symbol))
    }

    /// The two tables of stacks, if stacks are given up.
    pub fn stack_tables(&self) -> Option<&StackTables> {
        self.stack_tables.as_ref()
    }

    /// All tables that stacks are in, the present one first; none if the object captures none.
    pub fn stacks(&self) -> impl Iterator<Item = &MapHandle> {
        let two = self.stack_tables.iter();
        let two = two.flat_map(|tables| [tables.present(), tables.past()]);
        self.map(abi::map::STACKS).into_iter().chain(two)
    }

    /// Whether all places of a probe in a file are to be linked together.
    pub fn links_at_once(&self, probe: ProbeId) -> bool {
        self.at_once.contains(&probe)
    }

    /// A probe's program.
    pub fn program(&self, probe: ProbeId) -> Option<BorrowedFd<'_>> {
        self.programs
            .get(probe.as_u32() as usize)
            .map(|fd| fd.as_fd())
    }
}

/// Loads an object, narrowed to one process if `process` is given. `source` is the script, for messages; places in files of the
/// probes that are `at_once` are linked together.
///
/// # Errors
/// [`ErrorKind::Permission`] if a capability is missing, [`ErrorKind::Kernel`] if a map is too big for the kernel,
/// [`ErrorKind::Bug`] if the object is malformed or the verifier rejects a program.
pub fn load(
    elf: &[u8],
    manifest: &Manifest,
    source: &str,
    process: Option<u32>,
    at_once: HashSet<ProbeId>,
) -> Result<Loaded, Error> {
    // The first that takes descriptors by the dozen.
    sys::lift_open_files_limit();
    let mut object = aya_obj::Object::parse(elf).map_err(|error| malformed(&error))?;
    if let Some(process) = process {
        narrow(&mut object, manifest, process).ok_or_else(|| malformed(&"a guard is missing"))?;
    }
    let cpus = sys::possible_cpus().map_err(|error| {
        let doing = "read the number of CPUs from /sys";
        exhausted(&error, doing)
            .unwrap_or_else(|| Error::new(ErrorKind::Kernel, format!("can't {doing}: {error}")))
    })?;
    let mut maps = create_maps(&object, cpus)?;
    if let Some(table) = maps.get(abi::map::STACKS) {
        warm_up(table);
    }
    let generations = create_generations(&object, manifest, &mut maps, cpus)?;
    let stack_tables = match manifest.renews_stacks {
        true => Some(create_stack_tables(&object, &mut maps, cpus)?),
        false => None,
    };
    let unwind = match manifest.unwind_tables {
        true => Some(create_unwind_maps(&object, &mut maps, cpus)?),
        false => None,
    };
    if let Some(table) = &manifest.sites {
        fill_sites(table, manifest, &maps)?;
    }

    let text: HashSet<usize> = object
        .functions
        .keys()
        .map(|(section, _)| *section)
        .collect();
    let definitions = std::mem::take(&mut object.maps);
    object
        .relocate_maps(
            definitions.iter().filter_map(|(name, map)| {
                let own = maps.get(name).map(MapHandle::fd);
                let stacks = stack_tables
                    .as_ref()
                    .filter(|_| name == abi::map::STACK_TABLES);
                let pair = || generations.pair(name).or(stacks.map(StackTables::pair));
                let unwind = || unwind.as_ref()?.fd(name);
                let fd = own.or_else(pair).or_else(unwind)?;
                Some((name.as_str(), fd.as_raw_fd(), map))
            }),
            &text,
        )
        .and_then(|()| object.relocate_calls(&text))
        .map_err(|error| malformed(&error))?;

    // Without BTF a program that needs no callbacks loads all the same, so that a refusal is not the end; if one does
    // need it, the verifier says so.
    let btf = object
        .btf
        .as_ref()
        .and_then(|btf| sys::bpf::load_btf(&btf.to_bytes()).ok());

    let loading = programs::Loading {
        object: &object,
        btf: btf.as_ref().map(OwnedFd::as_fd),
        source,
        at_once: &at_once,
    };
    let programs = loading.programs(manifest)?;
    Ok(Loaded {
        maps,
        generations: generations.0,
        stack_tables,
        unwind,
        programs,
        at_once,
    })
}

/// Puts the process's id into the guards of the programs that are narrowed to one; `None` if one has no such guard.
fn narrow(object: &mut aya_obj::Object, manifest: &Manifest, process: u32) -> Option<()> {
    for probe in manifest.probes.values() {
        if let Some(index) = probe.narrowing {
            let key = object.programs.get(&probe.symbol)?.function_key();
            let function = object.functions.get_mut(&key)?;
            // A process's id is below 2^22 (`PID_MAX_LIMIT`).
            function.instructions.get_mut(index as usize)?.imm = process as i32;
        }
    }
    Some(())
}

/// Makes a table of stacks ready for the first event.
///
/// A map that grows takes its elements from a stock of each CPU, which for big elements begins with one and is filled
/// up only after the first was taken (`bpf_mem_alloc`, Linux 6.1): an event that captures two stacks would lose one.
fn warm_up(stacks: &MapHandle) {
    let key = vec![0; stacks.key_size()];
    let value = vec![0; stacks.value_size()];
    let cpus = sys::online_cpus().unwrap_or_default();
    sys::on_each_cpu(&cpus, || {
        // Should it fail, the first event does what this was for.
        if stacks.update(&key, &value).is_ok() {
            let _ = stacks.delete(&key);
        }
    });
}

fn malformed(error: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Bug,
        format!("the compiled object is malformed: {error}"),
    )
    .with_help(PLEASE_REPORT)
}

const PLEASE_REPORT: &str = "this is a bug in pfscript; please report it with the script";

fn create_maps(
    object: &aya_obj::Object,
    cpus: usize,
) -> Result<BTreeMap<String, MapHandle>, Error> {
    let mut maps = BTreeMap::new();
    for (name, map) in &object.maps {
        if map.map_type() == BPF_MAP_TYPE_ARRAY_OF_MAPS {
            continue;
        }
        let handle = create_map(name, map, None, cpus)?;
        if map.map_flags() & BPF_F_RDONLY_PROG != 0 {
            // Read-only data: constant before any program is loaded.
            handle
                .update(&0_u32.to_le_bytes(), map.data())
                .and_then(|()| handle.freeze())
                .map_err(|error| cannot_fill(name, &error))?;
        }
        maps.insert(name.clone(), handle);
    }
    Ok(maps)
}

fn create_map(
    name: &str,
    map: &aya_obj::Map,
    inner: Option<BorrowedFd<'_>>,
    cpus: usize,
) -> Result<MapHandle, Error> {
    let spec = MapSpec {
        name: name.strip_prefix(template::MAP_PREFIX).unwrap_or(name),
        map_type: map.map_type(),
        key_size: map.key_size(),
        value_size: map.value_size(),
        max_entries: map.max_entries(),
        flags: map.map_flags(),
        inner,
    };
    MapHandle::create(&spec, cpus)
        .or_else(|error| {
            // Before Linux 5.11 maps counted as locked memory.
            if error.raw_os_error() == Some(libc::EPERM) && sys::lift_memory_lock_limit() {
                MapHandle::create(&spec, cpus)
            } else {
                Err(error)
            }
        })
        .map_err(|error| map_refused(&error, &spec, name))
}

/// Of each map that is emptied while programs use it, the two generations, by its symbol.
struct AllGenerations(BTreeMap<String, Generations>);

impl AllGenerations {
    /// The map of two maps that has this symbol.
    fn pair(&self, symbol: &str) -> Option<BorrowedFd<'_>> {
        let mut all = self.0.values();
        all.find(|generations| generations.symbol() == symbol)
            .map(Generations::pair)
    }
}

/// Makes the second generation of the maps that have one, and takes the first out of `maps`.
fn create_generations(
    object: &aya_obj::Object,
    manifest: &Manifest,
    maps: &mut BTreeMap<String, MapHandle>,
    cpus: usize,
) -> Result<AllGenerations, Error> {
    let mut all = BTreeMap::new();
    for info in &manifest.maps {
        let Some(described) = &info.generations else {
            continue;
        };
        let symbol = &described.symbol;
        let (two, pair) = create_pair(object, maps, &info.symbol, symbol, cpus)?;
        let generations =
            Generations::new(two, pair, described).map_err(|error| cannot_fill(symbol, &error))?;
        all.insert(info.symbol.clone(), generations);
    }
    Ok(AllGenerations(all))
}

/// Makes the second table of stacks, and takes the first out of `maps`.
fn create_stack_tables(
    object: &aya_obj::Object,
    maps: &mut BTreeMap<String, MapHandle>,
    cpus: usize,
) -> Result<StackTables, Error> {
    let symbol = abi::map::STACK_TABLES;
    let (two, pair) = create_pair(object, maps, abi::map::STACKS, symbol, cpus)?;
    warm_up(&two[1]);
    StackTables::new(two, pair).map_err(|error| cannot_fill(symbol, &error))
}

/// Makes the map of tables that stacks are walked by, and takes those that go with it out of `maps`.
fn create_unwind_maps(
    object: &aya_obj::Object,
    maps: &mut BTreeMap<String, MapHandle>,
    cpus: usize,
) -> Result<UnwindMaps, Error> {
    let symbol = abi::map::UNWIND_TABLES;
    let missing = |symbol: &str| malformed(&format!("there is no map `{symbol}`"));
    let definition = object.maps.get(symbol).ok_or_else(|| missing(symbol))?;
    let inner = UnwindMaps::table(1).map_err(|error| cannot_fill(symbol, &error))?;
    let tables = create_map(symbol, definition, Some(inner.fd()), cpus)?;
    let mut take = |symbol: &str| maps.remove(symbol).ok_or_else(|| missing(symbol));
    let files = take(abi::map::UNWIND_FILES)?;
    let wanted = take(abi::map::UNWIND_WANTED)?;
    Ok(UnwindMaps {
        files,
        tables,
        wanted,
    })
}

/// Takes a map out of `maps`, and makes another one like it and the map of both, whose symbol is `pair`.
fn create_pair(
    object: &aya_obj::Object,
    maps: &mut BTreeMap<String, MapHandle>,
    symbol: &str,
    pair: &str,
    cpus: usize,
) -> Result<([MapHandle; 2], MapHandle), Error> {
    let definition = |symbol: &str| {
        let missing = || malformed(&format!("there is no map `{symbol}`"));
        object.maps.get(symbol).ok_or_else(missing)
    };
    let first = match maps.remove(symbol) {
        Some(first) => first,
        None => create_map(symbol, definition(symbol)?, None, cpus)?,
    };
    let second = create_map(symbol, definition(symbol)?, None, cpus)?;
    let both = create_map(pair, definition(pair)?, Some(first.fd()), cpus)?;
    Ok(([first, second], both))
}

fn cannot_fill(symbol: &str, error: &io::Error) -> Error {
    Error::new(
        ErrorKind::Kernel,
        format!("can't fill the map `{symbol}`: {error}"),
    )
}

/// Writes the rows of the sites that programs look up.
fn fill_sites(
    table: &SiteTable,
    manifest: &Manifest,
    maps: &BTreeMap<String, MapHandle>,
) -> Result<(), Error> {
    let symbol = abi::map::SITES;
    let map = maps
        .get(symbol)
        .ok_or_else(|| malformed(&format!("there is no map `{symbol}`")))?;
    for probe in manifest.probes.values() {
        let Some(first) = probe.rows else {
            continue;
        };
        for (row, site) in (first..).zip(&probe.sites) {
            map.update(&row.to_le_bytes(), &table.row(site))
                .map_err(|error| cannot_fill(symbol, &error))?;
        }
    }
    Ok(())
}

fn map_refused(error: &io::Error, spec: &MapSpec<'_>, symbol: &str) -> Error {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => no_permission("create BPF maps", "CAP_BPF"),
        Some(libc::EMFILE | libc::ENFILE | libc::EAGAIN) => {
            let shown = format!("make the map `{symbol}`");
            exhausted(error, &shown).unwrap_or_else(|| malformed(error))
        }
        Some(libc::ENOMEM | libc::E2BIG | libc::ENOSPC) => Error::new(
            ErrorKind::Kernel,
            format!(
                "could not allocate the map `{symbol}` of {} entries, {} bytes each",
                spec.max_entries,
                u64::from(spec.key_size) + u64::from(spec.value_size)
            ),
        )
        .with_help("make the maps smaller: `config = { max_map_keys = … }`"),
        _ => Error::new(
            ErrorKind::Kernel,
            format!(
                "the kernel rejected the map `{symbol}` (type {}, keys of {} bytes, values of {}, {} entries): {error}",
                spec.map_type, spec.key_size, spec.value_size, spec.max_entries
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_is_no_elf_is_our_bug() {
        let error = load(b"nonsense", &Manifest::default(), "", None, HashSet::new()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Bug);
    }
}
