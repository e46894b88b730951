//! Maps: those of the script, and those that the templates bring with them.
//!
//! In come the types that checking found for a map's keys and values, out go rows of the IR's table of maps and of the
//! manifest. What programs do with them is lowered elsewhere.

use super::Lower;
use crate::facts::Facts;
use crate::hir::{Aggregate, Expr, ExprKind, ScriptMap};
use crate::ir::{MapData, MapId, Module, SlotPlace, Value};
use crate::manifest::{
    Fold, Generations, Globals, Layout, Manifest, MapManifest, MapValue, RecordKind, SiteTable,
};
use crate::sema::{Checked, MapContent, MapInfo};
use crate::types::{Type, TypeTable, fields};
use cranelift_entity::{EntityRef, PrimaryMap};
use pfscript_grammar::Diagnostic;
use pfscript_probes::abi::{KNOWN_STACKS, SCRATCH_LEVELS, helper, map};
use pfscript_probes::features::SHORT_KEY_BYTES;
use pfscript_probes::maps::{
    BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH,
    BPF_MAP_TYPE_PERCPU_HASH, MAX_PER_CPU_VALUE, MAX_PYTHON_KNOWN, MAX_RESTS, MAX_UNWIND_TABLES,
    PYTHON_CODES_BYTES, RESTS_BYTES, UNWIND_WANTED_BYTES,
};
use pfscript_probes::{Feature, MapTemplate};

/// `BPF_F_NO_PREALLOC`
const NO_PREALLOCATION: u32 = 1;
/// Keys that a map holds where maps grow as they are filled.
const GROWING_KEYS: u32 = 262_144;
/// Keys that a map holds where all of its memory is taken at once.
const PREALLOCATED_KEYS: u32 = 16_384;
/// Elements that a CPU has in store of a map that grows, and the largest that it has as many of
/// (`prefill_mem_cache`, kernel/bpf/memalloc.c).
const STORED_ELEMENTS: u32 = 4;
const MAX_STORED_BYTES: u32 = 256;
/// Bytes of an element besides its key and its value (`struct htab_elem`, kernel/bpf/hashtab.c).
const ELEMENT_BYTES: u32 = 48;
/// The most bytes of a map whose memory is taken at once since an event may bring more keys than are in store, and the keys that it
/// has room for whatever they take.
const MAX_FILLED_BYTES: u32 = 16 << 20;
const MIN_FILLED_KEYS: u32 = 4096;
/// The largest time series of a map that grows: the kernel takes each from memory in one piece.
const MAX_GROWING_SERIES: u32 = 32 << 10;
/// The most bytes of all time series of a map whose size the script leaves open, if it grows, and if all memory is taken at
/// once.
const MAX_GROWN_BYTES: u32 = 1 << 30;
const MAX_PREALLOCATED_BYTES: u32 = 256 << 20;
/// Entries that a map without key has room for.
const KEYLESS_ROOM: u32 = 4;
/// Different stacks that are kept, likewise.
const GROWING_STACKS: u32 = 131_072;
const PREALLOCATED_STACKS: u32 = 8_192;
/// Bytes of the event buffer where records carry data, and where they only say what to do.
const EVENT_BYTES: u32 = 4 << 20;
const FEW_EVENT_BYTES: u32 = 64 << 10;
/// What a script means by a page.
const PAGE: u32 = 4096;
/// The longest key that the kernel's hash maps take is larger; this keeps keys within reason.
const MAX_KEY_BYTES: u32 = 1 << 15;

/// The module's ids of the maps.
pub(super) struct Maps {
    /// Those of the script.
    pub(super) script: PrimaryMap<ScriptMap, Access>,
    /// Whether there are atomic instructions for extremes.
    pub(super) exchange: bool,
    /// That which says which generation programs use, if a map has two.
    generations: Option<MapId>,
    /// That of [`Globals`], if the script needs it.
    pub(super) globals: Option<MapId>,
    /// That of the sites, and what is in it, if a program looks its site up.
    pub(super) sites: Option<(MapId, SiteTable)>,
}

/// How programs come to a map of the script.
#[derive(Clone, Copy)]
pub(super) enum Access {
    /// There is one.
    Direct(MapId),
    /// There are two, of which they ask for the present one: see [`Generations`].
    Generations {
        /// The map of both.
        pair: MapId,
        /// The element that says which one.
        index: u32,
    },
}

/// Defines all maps of the module.
pub(super) fn define(
    checked: &Checked,
    facts: &dyn Facts,
    module: &mut Module,
    manifest: &mut Manifest,
) -> Result<Maps, Vec<Diagnostic>> {
    // Trying a feature takes longer than compiling: only those are asked for that matter here.
    let keyed = checked.maps.values().any(|map| map.key.is_some());
    let grows = (keyed || checked.needs.stacks > 0) && facts.has(Feature::HashWithoutPreallocation);
    let (flags, keys, stacks) = if grows {
        (NO_PREALLOCATION, GROWING_KEYS, GROWING_STACKS)
    } else {
        (0, PREALLOCATED_KEYS, PREALLOCATED_STACKS)
    };
    let mut script = PrimaryMap::new();
    let mut errors = Vec::new();
    let mut zeros = 0;
    let mut pairs = 0;
    for (index, map) in &checked.maps {
        let template = template(&checked.types, &map.value);
        let key = map.key.as_deref().unwrap_or(&[]);
        let key_size = key_size(&checked.types, key);
        if key_size > MAX_KEY_BYTES {
            errors.push(
                Diagnostic::error(
                    map.span,
                    format!(
                        "the key of `{}` takes {key_size} bytes; the limit is {MAX_KEY_BYTES}",
                        map.name
                    ),
                )
                .help("use fewer or shorter strings in it"),
            );
        }
        if key_size > SHORT_KEY_BYTES && !facts.has(Feature::LongKeys) {
            let message = format!(
                "this kernel has no {}, and the key of `{}` takes {key_size}",
                Feature::LongKeys.info().name,
                map.name
            );
            let since = Feature::LongKeys.info().since;
            errors.push(Diagnostic::error(map.span, message).help(format!(
                "use shorter strings in it: `str(x, 100)`; Linux {since} and newer have longer keys"
            )));
        }
        let too_large = template.per_cpu() && template.value_size() > MAX_PER_CPU_VALUE;
        let map_type = match template.shared_map_type() {
            Some((shared, needs))
                if (!key.is_empty() || map.read_by_programs || too_large)
                    && needs.is_none_or(|needs| facts.has(needs)) =>
            {
                shared
            }
            _ => template.bpf_map_type(),
        };
        let forgets = map.declared.is_some_and(|declared| declared.forgets);
        let map_type = match map_type {
            BPF_MAP_TYPE_HASH if forgets && !key.is_empty() => BPF_MAP_TYPE_LRU_HASH,
            BPF_MAP_TYPE_PERCPU_HASH if forgets && !key.is_empty() => BPF_MAP_TYPE_LRU_PERCPU_HASH,
            other => other,
        };
        // A map without key has one entry. There is room for more, all of it taken at once: while one CPU removes the entry,
        // another may make it anew, and that must neither find a full map nor need memory.
        let (capacity, room, flags) = match (key.is_empty(), map.declared) {
            (true, _) => (1, KEYLESS_ROOM, 0),
            (false, Some(declared)) if declared.forgets => (declared.entries, declared.entries, 0),
            (false, declared) => {
                let series = matches!(template, MapTemplate::Series { .. });
                // A per-CPU map that grows fails when keys come fast, and one of large values when memory is in pieces.
                let large = series && template.value_size() > MAX_GROWING_SERIES;
                let (keys, flags) = match map_type == BPF_MAP_TYPE_PERCPU_HASH || large {
                    true => (PREALLOCATED_KEYS.min(keys), 0),
                    false => (keys, flags),
                };
                let element = ELEMENT_BYTES + key_size + template.value_size();
                let (keys, flags) = match flags {
                    NO_PREALLOCATION if map.new_at_once > stored(element) => {
                        let room = (MAX_FILLED_BYTES / element).max(MIN_FILLED_KEYS);
                        (room.min(keys), 0)
                    }
                    flags => (keys, flags),
                };
                let bytes = match flags {
                    NO_PREALLOCATION => MAX_GROWN_BYTES,
                    _ => MAX_PREALLOCATED_BYTES,
                };
                let keys = match series {
                    true => keys.min((bytes / template.value_size().max(1)).max(1)),
                    false => keys,
                };
                let declared = declared.map(|declared| declared.entries);
                let keys = declared.or(checked.limits.max_map_keys).unwrap_or(keys);
                (keys, keys, flags)
            }
        };
        if template.begins_as_zeros() {
            zeros = zeros.max(template.value_size());
        }
        let id = module.maps.push(MapData {
            symbol: symbol(index, &map.name),
            map_type,
            key_size,
            value_size: template.value_size(),
            max_entries: room,
            flags,
        });
        let symbol = module.maps[id].symbol.clone();
        let generations = map.emptied_while_used.then(|| Generations {
            symbol: symbol.replacen("map_", "pair_", 1),
            index: pairs,
        });
        // The script's maps are walked in order, so the key of each is its own.
        script.push(match &generations {
            None => Access::Direct(id),
            Some(Generations { symbol, index }) => {
                pairs += 1;
                Access::Generations {
                    pair: own(module, MapTemplate::Pair, symbol, 2, 0),
                    index: *index,
                }
            }
        });
        manifest.maps.push(MapManifest {
            id,
            name: map.name.clone(),
            symbol,
            key: key_layout(&checked.types, key),
            value: map_value(&checked.types, map),
            only_added: !map.assigned,
            by_total: checked.limits.stats_by_total,
            capacity,
            generations,
        });
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut own = |template: MapTemplate, symbol: &str, max_entries: u32, flags: u32| {
        own(module, template, symbol, max_entries, flags)
    };
    own(
        MapTemplate::Loss,
        map::LOSS,
        super::counters_of_probes(checked),
        0,
    );
    if checked.needs.stacks > 0 {
        let depth = checked.needs.stacks;
        // Two tables of half the size take no longer to make than one.
        let renews = checked.needs.renews_stacks;
        let stacks = stacks / if renews { 2 } else { 1 };
        let stacks = checked.limits.max_stacks.unwrap_or(stacks);
        own(MapTemplate::Stacks { depth }, map::STACKS, stacks, flags);
        if renews {
            own(MapTemplate::Pair, map::STACK_TABLES, 2, 0);
        }
        let captures = MapTemplate::Captures { depth };
        own(captures, map::CAPTURES, SCRATCH_LEVELS, 0);
        own(MapTemplate::Known, map::KNOWN, KNOWN_STACKS, 0);
        if checked.needs.unwind_tables {
            let files = MapTemplate::UnwindFiles;
            own(files, map::UNWIND_FILES, MAX_UNWIND_TABLES, flags);
            let tables = MapTemplate::UnwindTables;
            own(tables, map::UNWIND_TABLES, MAX_UNWIND_TABLES, 0);
            let wanted = MapTemplate::UnwindWanted;
            own(wanted, map::UNWIND_WANTED, UNWIND_WANTED_BYTES, 0);
            let known = MapTemplate::PythonKnown;
            own(known, map::PYTHON_KNOWN, MAX_PYTHON_KNOWN, flags);
            let codes = MapTemplate::PythonCodes;
            own(codes, map::PYTHON_CODES, PYTHON_CODES_BYTES, 0);
            let scratch = MapTemplate::PythonScratch;
            own(scratch, map::PYTHON_SCRATCH, SCRATCH_LEVELS, 0);
            own(MapTemplate::Rests, map::RESTS, RESTS_BYTES, 0);
            own(MapTemplate::RestCounts, map::REST_COUNTS, MAX_RESTS, flags);
            own(MapTemplate::Rest, map::REST, SCRATCH_LEVELS, 0);
        }
    }
    if !checked.needs.records.is_empty() {
        let prints = checked.needs.records.iter().any(|kind| {
            matches!(
                kind,
                RecordKind::Printf { .. }
                    | RecordKind::PrintValue { .. }
                    | RecordKind::Resident { .. }
            )
        });
        // The kernel wants a power of two pages of its own size.
        let bytes = match checked.limits.event_pages {
            Some(pages) => (pages.next_power_of_two() * PAGE).max(facts.page_bytes()),
            None if prints => EVENT_BYTES,
            None => FEW_EVENT_BYTES,
        };
        own(MapTemplate::Events, map::EVENTS, bytes, 0);
    }
    if zeros > 0 {
        own(MapTemplate::Zeros { size: zeros }, map::ZEROS, 1, 0);
    }
    let generations =
        (pairs > 0).then(|| own(MapTemplate::Generations, map::GENERATIONS, pairs, 0));
    let globals = checked.needs.globals.then(|| {
        own(
            MapTemplate::Globals {
                size: Globals::SIZE,
            },
            map::GLOBALS,
            1,
            0,
        )
    });
    let extremes = checked.maps.values().any(|map| match &map.value {
        MapContent::Aggregate(aggregate, _) => {
            let shared = aggregate_template(*aggregate).shared_map_type();
            shared.is_some_and(|(_, needs)| needs == Some(Feature::AtomicExchange))
        }
        MapContent::Unknown | MapContent::Scalar(_) => false,
    });
    let sites = manifest.sites.clone();
    let sites = sites.map(|table| (super::sites::define(&table, module), table));
    Ok(Maps {
        script,
        exchange: extremes && facts.has(Feature::AtomicExchange),
        generations,
        globals,
        sites,
    })
}

/// Defines a map whose layout its kind decides.
fn own(
    module: &mut Module,
    template: MapTemplate,
    symbol: &str,
    max_entries: u32,
    flags: u32,
) -> MapId {
    module.maps.push(MapData {
        symbol: symbol.to_string(),
        map_type: template.bpf_map_type(),
        key_size: template.key_size().unwrap_or(4),
        value_size: template.value_size(),
        max_entries,
        flags,
    })
}

/// The ELF symbol of a script's map: its number, and as much of its name as is safe.
fn symbol(index: ScriptMap, name: &str) -> String {
    let plain: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .take(40)
        .collect();
    format!("map_{}_{plain}", index.index())
}

/// How many elements of so many bytes each CPU has in store.
fn stored(element: u32) -> u32 {
    match element <= MAX_STORED_BYTES {
        true => STORED_ELEMENTS,
        false => 1,
    }
}

fn template(types: &TypeTable, content: &MapContent) -> MapTemplate {
    match content {
        MapContent::Unknown => MapTemplate::Scalar { size: 8 },
        MapContent::Scalar(ty) => MapTemplate::Scalar {
            size: types.size(*ty).max(8),
        },
        MapContent::Aggregate(aggregate, _) => aggregate_template(*aggregate),
    }
}

/// How a map of aggregations is laid out.
pub(super) fn aggregate_template(aggregate: Aggregate) -> MapTemplate {
    match aggregate {
        Aggregate::Count => MapTemplate::Count,
        Aggregate::Sum => MapTemplate::Sum,
        Aggregate::Min | Aggregate::Max => MapTemplate::MinMax,
        Aggregate::Avg => MapTemplate::Avg,
        Aggregate::Stats => MapTemplate::Stats,
        Aggregate::Hist { bits } => MapTemplate::Hist { bits },
        Aggregate::LHist { min, max, step } => MapTemplate::LHist { min, max, step },
        Aggregate::Series {
            fold, intervals, ..
        } => MapTemplate::Series {
            intervals,
            extremes: matches!(fold, Fold::Min | Fold::Max),
        },
    }
}

fn map_value(types: &TypeTable, map: &MapInfo) -> MapValue {
    match &map.value {
        MapContent::Unknown => MapValue::Scalar(types.layout(Type::I64)),
        MapContent::Scalar(ty) => MapValue::Scalar(types.layout(*ty)),
        MapContent::Aggregate(aggregate, signed) => {
            let signed = *signed;
            match *aggregate {
                Aggregate::Count => MapValue::Count,
                Aggregate::Sum => MapValue::Sum { signed },
                Aggregate::Min => MapValue::Min { signed },
                Aggregate::Max => MapValue::Max { signed },
                Aggregate::Avg => MapValue::Avg { signed },
                Aggregate::Stats => MapValue::Stats { signed },
                Aggregate::Hist { bits } => MapValue::Hist { bits },
                Aggregate::LHist { min, max, step } => MapValue::LHist { min, max, step },
                Aggregate::Series {
                    fold,
                    interval,
                    intervals,
                } => MapValue::Series {
                    fold,
                    interval,
                    intervals,
                    signed,
                },
            }
        }
    }
}

/// Bytes of a key; a map without key has one zero word.
fn key_size(types: &TypeTable, key: &[Type]) -> u32 {
    key.iter()
        .fold(0u32, |size, ty| size.saturating_add(types.size(*ty)))
        .max(8)
}

fn key_layout(types: &TypeTable, key: &[Type]) -> Option<Layout> {
    match key {
        [] => None,
        [one] => Some(types.layout(*one)),
        many => Some(Layout {
            size: key_size(types, many),
            ty: crate::manifest::DataType::Tuple(fields(types, many, 0)),
        }),
    }
}

impl Lower<'_> {
    /// Builds a key in a slot.
    pub(super) fn key(&mut self, map: ScriptMap, key: &[Expr]) -> SlotPlace {
        let checked = self.checked;
        let types = checked.maps[map].key.as_deref().unwrap_or(&[]);
        let place = self
            .builder
            .temporary(key_size(&checked.types, types), "key");
        if types.is_empty() {
            let zero = self.builder.constant(0);
            self.builder.store_word(place, zero);
        }
        match key {
            // A tuple is all of the key's parts.
            [
                tuple @ Expr {
                    ty: Type::Tuple(id),
                    ..
                },
            ] if checked.types.names(*id).is_empty() => match &tuple.kind {
                ExprKind::Tuple(items) => self.store_all(items, place, types),
                _ if checked.types.items(*id) == types => self.store(tuple, place, tuple.ty),
                _ => {
                    let from = self.materialize(tuple);
                    self.convert_all(from, checked.types.items(*id), place, types);
                }
            },
            items => self.store_all(items, place, types),
        }
        place
    }

    /// Bytes of a map's element as a slot holds it.
    pub(super) fn element_size(&self, map: ScriptMap) -> u32 {
        match self.checked.maps[map].value {
            MapContent::Scalar(ty) => self.size(ty),
            // Count, average and total.
            MapContent::Aggregate(Aggregate::Stats, _) => 24,
            MapContent::Unknown | MapContent::Aggregate(..) => 8,
        }
    }

    /// Looks a key up, and does one thing with the pointer to its value or another if there is none.
    pub(super) fn look_up(
        &mut self,
        map: Value,
        key: SlotPlace,
        found: impl FnOnce(&mut Self, Value),
        missing: impl FnOnce(&mut Self),
    ) {
        let key = self.builder.address(key);
        let value = self.builder.helper(helper::MAP_LOOKUP_ELEM, vec![map, key]);
        let (some, none) = (self.builder.block(), self.builder.block());
        let (condition, args) = self.truth(value);
        self.builder.branch(condition, args, some, none);
        self.either([some, none], |this| found(this, value), missing);
    }

    /// A map of the script as helpers and routines take it, the present one if there are two.
    pub(super) fn map_pointer(&mut self, map: ScriptMap) -> Value {
        let (pair, index) = match self.maps.script[map] {
            Access::Direct(map) => return self.builder.map_pointer(map),
            Access::Generations { pair, index } => (pair, index),
        };
        let Some(generations) = self.maps.generations else {
            return self.internal_error(self.action.span, "nothing says which map is present");
        };
        let key = self.builder.temporary(8, "generation");
        let index = self.builder.constant(index.into());
        self.builder.store_word(key, index);
        let generations = self.builder.map_pointer(generations);
        let key = self.builder.address(key);
        let present = self.certain(generations, key);
        let pair = self.builder.map_pointer(pair);
        self.certain(pair, present)
    }

    /// What is in an array at an index that it has. Where the verifier sees nothing, the action ends: no event gets there.
    fn certain(&mut self, array: Value, index: Value) -> Value {
        let found = self
            .builder
            .helper(helper::MAP_LOOKUP_ELEM, vec![array, index]);
        let (some, none) = (self.builder.block(), self.builder.block());
        let (condition, args) = self.truth(found);
        self.builder.branch(condition, args, some, none);
        self.builder.switch_to(none);
        self.leave();
        self.builder.switch_to(some);
        found
    }
}
