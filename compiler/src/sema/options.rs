//! What the user can choose beside the script, and what the script's own `config` block chooses.
//!
//! In come names and values, out go [`Limits`]. Environment and command line are read by the command.

use super::named::ProbeFilter;
use crate::manifest::StackMode;
use crate::types::round_up;
use pfscript_grammar::Diagnostic;
use pfscript_grammar::ast;
use pfscript_probes::abi::MAX_STRING_BYTES;
use std::collections::BTreeSet;

/// What the user chose beside the script. What is traced is none of it: an object serves every target.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `$1`, `$2`, …
    pub positional: Vec<String>,
    /// Parameters by name, with their values, for `getopt()`; the last one of a name counts.
    pub named: Vec<(String, Option<String>)>,
    /// Where headers stand in the text, behind the script that includes them.
    pub headers: Option<u32>,
    /// Which attach points are taken; `None`: all.
    pub probe_filter: Option<ProbeFilter>,
    /// The script may do more than look: run commands.
    pub allows_unsafe: bool,
    /// What fails is counted by its place in the script, and so are elements that maps do not have and what is read through a
    /// null pointer.
    pub failures_by_place: bool,
    /// What the environment sets.
    pub limits: Limits,
    /// Which settings those are, by their names: a script's own `config` does not change them.
    pub set_outside: BTreeSet<&'static str>,
}

/// What a script's `config` block and the environment can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest string, in bytes.
    pub max_strlen: u32,
    /// What is shown behind a string that was cut.
    pub str_trunc_trailer: String,
    /// Keys that a map holds; `None`: as the kernel's kind of map allows.
    pub max_map_keys: Option<u32>,
    /// Different stacks that are kept; `None`: as the kernel's kind of map allows.
    pub max_stacks: Option<u32>,
    /// Pages of 4 KiB of the event buffer; `None`: as the script's records need.
    pub event_pages: Option<u32>,
    /// The most attach points; `None`: as many as there are.
    pub max_probes: Option<u32>,
    /// The most programs.
    pub max_programs: u32,
    /// Whether maps are printed at the end.
    pub print_maps: bool,
    /// Whether frames of user stacks are printed with their source lines, and with what was inlined there.
    pub source_lines: bool,
    /// Whether a JVM that is the process of `-p` is asked what its code is called.
    pub jvm_map: bool,
    /// Whether `stats` are printed in the order of their totals, not of their averages.
    pub stats_by_total: bool,
    /// How stacks are printed where the script does not say.
    pub stack_mode: StackMode,
    /// What becomes of attach points that match nothing.
    pub missing_probes: MissingProbes,
    /// The most bytes that `cat()` prints of a file.
    pub max_cat_bytes: u32,
    /// The map whose number `tseries()` takes for its clock, in nanoseconds since 1970; `None`: the clock is the system's.
    pub series_clock: Option<String>,
}

/// What becomes of attach points that match nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingProbes {
    /// The script is refused.
    Error,
    /// They are left out, with a warning for each.
    Warn,
    /// They are left out.
    Ignore,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_strlen: 256,
            str_trunc_trailer: "..".into(),
            max_map_keys: None,
            max_stacks: None,
            event_pages: None,
            max_probes: None,
            max_programs: 1024,
            print_maps: true,
            source_lines: false,
            jvm_map: false,
            stats_by_total: false,
            stack_mode: StackMode::Bpftrace,
            missing_probes: MissingProbes::Error,
            max_cat_bytes: 10 << 10,
            series_clock: None,
        }
    }
}

impl Limits {
    /// Room for the longest string, in bytes: a multiple of 8. Behind its terminator is a last byte, zero unless the string was cut.
    pub fn string_room(&self) -> u32 {
        round_up(self.max_strlen + 2)
    }
}

/// What `str_trunc_trailer` can be at most, in bytes.
const MAX_TRAILER_BYTES: usize = 64;

/// What `max_cat_bytes` can be at most.
const MAX_CAT_BYTES: u32 = 64 << 20;

/// What a `config` block, or the environment, can set.
pub struct Setting {
    /// As `config` names it; in the environment `PFSCRIPT_MAX_STRLEN` and so on.
    pub name: &'static str,
    kind: Kind,
}

/// What a setting takes, and what becomes of it.
enum Kind {
    Number {
        min: u32,
        max: u32,
        set: fn(&mut Limits, u32),
        get: fn(&Limits) -> Option<u32>,
    },
    Flag(fn(&mut Limits, bool), fn(&Limits) -> bool),
    /// One of these words.
    Word(
        &'static [&'static str],
        fn(&mut Limits, &str),
        fn(&Limits) -> &'static str,
    ),
    /// At most so many bytes of text.
    Text(usize, fn(&mut Limits, &str), fn(&Limits) -> &str),
    /// A map without key.
    Map(fn(&mut Limits, &str)),
    /// One of bpftrace's whose values all come to the same here; what a script finds it to be, and why that is.
    SameHere(Value, &'static str, &'static str),
    /// One of bpftrace's that is had with this value alone; why that is.
    Only(Value, &'static str, &'static str),
}

/// What a setting is.
pub enum SettingValue {
    /// A number; 0 where it is as the kernel allows.
    Number(u32),
    /// Whether it is on.
    Flag(bool),
    /// A word, or text.
    Text(String),
}

/// The values that a setting has in bpftrace.
enum Value {
    Any,
    Number,
    Flag,
    Word(&'static [&'static str]),
}

/// A number from the first to the second of a pair, kept in a member of [`Limits`].
macro_rules! number {
    ($name:literal, ($min:expr, $max:expr), $member:ident) => {
        Setting {
            name: $name,
            kind: Kind::Number {
                min: $min,
                max: $max,
                set: |limits, number| limits.$member = number.into(),
                get: |limits| limits.$member.into(),
            },
        }
    };
}

/// Whether something is on, kept in a member of [`Limits`].
macro_rules! flag {
    ($name:literal, $member:ident) => {
        Setting {
            name: $name,
            kind: Kind::Flag(|limits, on| limits.$member = on, |limits| limits.$member),
        }
    };
}

const fn same_here(
    name: &'static str,
    value: Value,
    is: &'static str,
    why: &'static str,
) -> Setting {
    let kind = Kind::SameHere(value, is, why);
    Setting { name, kind }
}

const fn only(name: &'static str, value: Value, this: &'static str, why: &'static str) -> Setting {
    let kind = Kind::Only(value, this, why);
    Setting { name, kind }
}

const UNSTABLE: Value = Value::Word(&["enable", "warn", "error", "true", "false", "1", "0"]);

/// All settings.
pub const SETTINGS: &[Setting] = &[
    number!("max_strlen", (1, MAX_STRING_BYTES - 8), max_strlen),
    Setting {
        name: "str_trunc_trailer",
        kind: Kind::Text(
            MAX_TRAILER_BYTES,
            |limits, text| {
                limits.str_trunc_trailer = text.to_owned();
            },
            |limits| &limits.str_trunc_trailer,
        ),
    },
    number!("max_map_keys", (1, u32::MAX), max_map_keys),
    number!("max_stacks", (1, u32::MAX), max_stacks),
    number!("perf_rb_pages", (1, MAX_EVENT_PAGES), event_pages),
    number!("max_probes", (1, u32::MAX), max_probes),
    number!("max_bpf_progs", (1, u32::MAX), max_programs),
    flag!("print_maps_on_exit", print_maps),
    flag!("show_debug_info", source_lines),
    flag!("jvm_map", jvm_map),
    Setting {
        name: "stack_mode",
        kind: Kind::Word(
            &StackMode::NAMES,
            |limits, word| {
                limits.stack_mode = StackMode::named(word).unwrap_or(StackMode::Bpftrace);
            },
            |limits| limits.stack_mode.name(),
        ),
    },
    Setting {
        name: "stats_order",
        kind: Kind::Word(
            &["average", "total"],
            |limits, word| limits.stats_by_total = word == "total",
            |limits| match limits.stats_by_total {
                true => "total",
                false => "average",
            },
        ),
    },
    Setting {
        name: "missing_probes",
        kind: Kind::Word(
            &["error", "warn", "ignore"],
            |limits, word| {
                limits.missing_probes = match word {
                    "warn" => MissingProbes::Warn,
                    "ignore" => MissingProbes::Ignore,
                    _ => MissingProbes::Error,
                };
            },
            |limits| match limits.missing_probes {
                MissingProbes::Error => "error",
                MissingProbes::Warn => "warn",
                MissingProbes::Ignore => "ignore",
            },
        ),
    },
    same_here(
        "license",
        Value::Word(&[
            "GPL",
            "GPL v2",
            "GPL and additional rights",
            "Dual BSD/GPL",
            "Dual MIT/GPL",
            "Dual MPL/GPL",
        ]),
        "GPL",
        "programs are always loaded as `GPL`, and the kernel treats all of these alike",
    ),
    same_here(
        "on_stack_limit",
        Value::Number,
        "32",
        "each program uses as much of its stack as fits",
    ),
    same_here(
        "log_size",
        Value::Number,
        "1000000",
        "the room for the verifier's log grows as it is needed",
    ),
    same_here(
        "cache_user_symbols",
        Value::Word(&["PER_PID", "PER_PROGRAM", "NONE"]),
        "PER_PROGRAM",
        "each file's symbols are read once, when a name is asked for",
    ),
    same_here(
        "lazy_symbolication",
        Value::Flag,
        "true",
        "names are found when they are printed, also of processes that are gone",
    ),
    same_here(
        "use_blazesym",
        Value::Flag,
        "true",
        "names are always found in the same way",
    ),
    number!("max_cat_bytes", (0, MAX_CAT_BYTES), max_cat_bytes),
    same_here(
        "max_ast_nodes",
        Value::Number,
        "0",
        "a script is bounded by its bytes and its depth",
    ),
    same_here("max_type_res_iterations", Value::Number, "", DEPRECATED),
    same_here("symbol_source", Value::Any, "", DEPRECATED),
    same_here("unstable_import", UNSTABLE, "", DEPRECATED),
    same_here("unstable_macro", UNSTABLE, "", DEPRECATED),
    same_here("unstable_map_decl", UNSTABLE, "", DEPRECATED),
    same_here("unstable_addr", UNSTABLE, "", DEPRECATED),
    same_here(
        "unstable_import_statement",
        UNSTABLE,
        "",
        "`import` is always there",
    ),
    same_here(
        "unstable_typeinfo",
        UNSTABLE,
        "",
        "`typeinfo()` is always there",
    ),
    same_here(
        "unstable_dw_ustack",
        UNSTABLE,
        "",
        "`dw_ustack()` is always there",
    ),
    same_here(
        "unstable_tseries",
        UNSTABLE,
        "",
        "`tseries()` is always there",
    ),
    Setting {
        name: "dummy_ts_map",
        kind: Kind::Map(|limits, map| limits.series_clock = Some(map.to_owned())),
    },
    only(
        "cpp_demangle",
        Value::Flag,
        "true",
        "names are always demangled",
    ),
];

const DEPRECATED: &str = "bpftrace has given it up too";

/// The most pages of the event buffer: an entry of it counts its bytes in 32 bits.
const MAX_EVENT_PAGES: u32 = 1 << 18;

/// What names of settings begin with in the environment, and may in a `config` block: ours, and bpftrace's.
pub const PREFIXES: [&str; 2] = ["PFSCRIPT_", "BPFTRACE_"];

impl Setting {
    /// The setting that a `config` block names: as it is, or as the environment would.
    fn named(written: &str) -> Option<&'static Setting> {
        let bare = PREFIXES.iter().find_map(|prefix| {
            let name = written.strip_prefix(prefix)?;
            (name.to_uppercase() == name).then(|| name.to_lowercase())
        });
        let name = bare.as_deref().unwrap_or(written);
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// What a script finds it to be; `None` if there is nothing to be said of it.
    pub fn value(&self, limits: &Limits) -> Option<SettingValue> {
        let written = |values: &Value, is: &str| match (values, is) {
            (_, "") => None,
            (Value::Number, is) => is.parse().ok().map(SettingValue::Number),
            (Value::Flag, is) => Some(SettingValue::Flag(is == "true")),
            (Value::Any | Value::Word(_), is) => Some(SettingValue::Text(is.to_owned())),
        };
        match &self.kind {
            Kind::Number { get, .. } => Some(SettingValue::Number(get(limits).unwrap_or(0))),
            Kind::Flag(_, get) => Some(SettingValue::Flag(get(limits))),
            Kind::Word(_, _, get) => Some(SettingValue::Text(get(limits).to_owned())),
            Kind::Text(_, _, get) => Some(SettingValue::Text(get(limits).to_owned())),
            Kind::Map(_) => None,
            Kind::SameHere(values, is, _) | Kind::Only(values, is, _) => written(values, is),
        }
    }

    /// Whether it changes anything; others are there for scripts that were written for bpftrace.
    pub fn has_effect(&self) -> bool {
        match self.kind {
            Kind::Number { .. }
            | Kind::Flag(..)
            | Kind::Word(..)
            | Kind::Text(..)
            | Kind::Map(_) => true,
            Kind::SameHere(..) | Kind::Only(..) => false,
        }
    }

    /// Sets it, which is called `name` where it was written; gives what to warn of.
    ///
    /// # Errors
    /// A message, if the value is not one that it takes.
    pub fn set(
        &self,
        name: &str,
        value: &str,
        limits: &mut Limits,
    ) -> Result<Option<String>, String> {
        match &self.kind {
            Kind::Number { min, max, set, .. } => {
                let number = parse_number(value)?;
                if !(u64::from(*min)..=u64::from(*max)).contains(&number) {
                    return Err(match *max {
                        u32::MAX => format!("{name} must be at least {min} and fit 32 bits"),
                        max => format!("{name} must be between {min} and {max}"),
                    });
                }
                set(limits, number as u32);
            }
            Kind::Flag(set, _) => set(limits, parse_flag(value)?),
            Kind::Word(words, set, _) => {
                one_of(words, value)?;
                set(limits, value);
            }
            Kind::Text(most, set, _) => match value.len() <= *most {
                true => set(limits, value),
                false => return Err(format!("{name} must have at most {most} bytes")),
            },
            Kind::Map(set) => {
                let name = value.strip_prefix('@').unwrap_or_default();
                if !name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                    || !value.starts_with('@')
                {
                    return Err(format!("expected a map, such as `@time`, found `{value}`"));
                }
                set(limits, value);
            }
            Kind::SameHere(values, _, why) => {
                values.check(value)?;
                return Ok(Some(format!("{name} has no effect: {why}")));
            }
            Kind::Only(values, only, why) => {
                values.check(value)?;
                let same = match values {
                    Value::Flag => parse_flag(value)? == parse_flag(only)?,
                    Value::Any | Value::Number | Value::Word(_) => value == *only,
                };
                if !same {
                    let shown = match *only {
                        "" => "\"\"",
                        only => only,
                    };
                    return Err(format!("{name} can only be {shown}: {why}"));
                }
            }
        }
        Ok(None)
    }
}

impl Value {
    fn check(&self, value: &str) -> Result<(), String> {
        match self {
            Value::Any => Ok(()),
            Value::Number => parse_number(value).map(drop),
            Value::Flag => parse_flag(value).map(drop),
            Value::Word(words) => one_of(words, value),
        }
    }
}

fn parse_number(value: &str) -> Result<u64, String> {
    value
        .parse()
        .map_err(|_| format!("expected a number, found `{value}`"))
}

/// As bpftrace takes it: any number but 0 is true.
fn parse_flag(value: &str) -> Result<bool, String> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => (value.parse::<u64>())
            .map(|number| number != 0)
            .map_err(|_| format!("expected true, false, 1 or 0, found `{value}`")),
    }
}

fn one_of(words: &[&str], value: &str) -> Result<(), String> {
    match words.contains(&value) {
        true => Ok(()),
        false => Err(format!("expected {}, found `{value}`", words.join(", "))),
    }
}

/// Puts the settings of a script's `config` block in, but for those that the environment sets.
pub(super) fn configure(
    entries: &[ast::ConfigEntry],
    options: &mut Options,
    warnings: &mut Vec<Diagnostic>,
    errors: &mut Vec<Diagnostic>,
) {
    for entry in entries {
        let name = entry.name.node.as_str();
        let Some(setting) = Setting::named(name) else {
            let known = SETTINGS.iter().map(|setting| setting.name);
            errors.push(
                Diagnostic::error(entry.name.span, format!("unknown setting `{name}`"))
                    .suggest(name, known),
            );
            continue;
        };
        let mut unused = options.limits.clone();
        let limits = match options.set_outside.contains(setting.name) {
            true => &mut unused,
            false => &mut options.limits,
        };
        match setting.set(name, &entry.value.node, limits) {
            Ok(None) => {}
            Ok(Some(warning)) => warnings.push(Diagnostic::warning(entry.name.span, warning)),
            Err(message) => errors.push(Diagnostic::error(entry.value.span, message)),
        }
    }
}
