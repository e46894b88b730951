//! What the user can choose beside the script, and what the script's own `config` block chooses.
//!
//! In come names and numbers, out go [`Limits`]. Environment and command line are read by the command.

use pfscript_grammar::Diagnostic;
use pfscript_grammar::ast;
use pfscript_probes::abi::MAX_STRING_BYTES;

/// What the user chose beside the script. What is traced is none of it: an object serves every target.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `$1`, `$2`, …
    pub positional: Vec<String>,
    /// Sizes.
    pub limits: Limits,
}

/// Sizes that a script's `config` block and the environment can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Room for a string, terminator included, in bytes; a multiple of 8.
    pub max_strlen: u32,
    /// Keys that a map holds; `None`: as the kernel's kind of map allows.
    pub max_map_keys: Option<u32>,
    /// Pages of 4 KiB of the event buffer; `None`: as the script's records need.
    pub event_pages: Option<u32>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_strlen: 256,
            max_map_keys: None,
            event_pages: None,
        }
    }
}

/// A number that a `config` block, or the environment, can set.
pub struct Setting {
    /// As `config` names it; in the environment `PFSCRIPT_MAX_STRLEN` and so on.
    pub name: &'static str,
    min: u32,
    max: u32,
    set: fn(&mut Limits, u32),
}

/// All settings.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "max_strlen",
        min: 8,
        max: MAX_STRING_BYTES,
        set: |limits, bytes| limits.max_strlen = crate::types::round_up(bytes),
    },
    Setting {
        name: "max_map_keys",
        min: 1,
        max: u32::MAX,
        set: |limits, keys| limits.max_map_keys = Some(keys),
    },
    Setting {
        name: "perf_rb_pages",
        min: 1,
        max: MAX_EVENT_PAGES,
        set: |limits, pages| limits.event_pages = Some(pages),
    },
];

/// The most pages of the event buffer: an entry of it counts its bytes in 32 bits.
const MAX_EVENT_PAGES: u32 = 1 << 18;

impl Setting {
    /// Sets it.
    ///
    /// # Errors
    /// A message, if the number is out of range.
    pub fn set(&self, limits: &mut Limits, number: u32) -> Result<(), String> {
        if (self.min..=self.max).contains(&number) {
            (self.set)(limits, number);
            return Ok(());
        }
        let name = self.name;
        Err(match self.max {
            u32::MAX => format!("{name} must be at least {}", self.min),
            max => format!("{name} must be between {} and {max}", self.min),
        })
    }
}

/// Settings of bpftrace that need no answer here.
const IGNORED: &[&str] = &[
    "cache_user_symbols",
    "cpp_demangle",
    "debuginfo",
    "lazy_symbolication",
    "license",
    "log_size",
    "max_ast_nodes",
    "max_bpf_progs",
    "max_cat_bytes",
    "max_probes",
    "missing_probes",
    "on_stack_limit",
    "print_maps_on_exit",
    "show_debug_info",
    "stack_mode",
    "str_trunc_trailer",
    "symbol_source",
    "unstable_import",
    "unstable_macro",
    "unstable_map_decl",
    "unstable_tseries",
    "use_blazesym",
    "probe_inline",
];

/// Puts the settings of a script's `config` block in.
pub(super) fn configure(
    entries: &[ast::ConfigEntry],
    limits: &mut Limits,
    errors: &mut Vec<Diagnostic>,
) {
    for entry in entries {
        let name = entry.name.node.as_str();
        let result = match SETTINGS.iter().find(|setting| setting.name == name) {
            Some(setting) => (entry.value.node.parse::<u32>())
                .map_err(|_| format!("expected a number, found `{}`", entry.value.node))
                .and_then(|number| setting.set(limits, number))
                .map_err(|message| Diagnostic::error(entry.value.span, message)),
            None if IGNORED.contains(&name) => Ok(()),
            None => {
                let known = SETTINGS.iter().map(|setting| setting.name);
                Err(
                    Diagnostic::error(entry.name.span, format!("unknown setting `{name}`"))
                        .suggest(name, known.chain(IGNORED.iter().copied())),
                )
            }
        };
        errors.extend(result.err());
    }
}
