//! What the user can choose beside the script, and what the script's own `config` block chooses.

use pfscript_grammar::Diagnostic;
use pfscript_grammar::ast;

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

/// Settings of `config` that mean something here, and those of bpftrace that need no answer.
pub(super) fn configure(
    entries: &[ast::ConfigEntry],
    limits: &mut Limits,
    errors: &mut Vec<Diagnostic>,
) {
    const KNOWN: &[&str] = &["max_strlen", "max_map_keys", "perf_rb_pages"];
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
    for entry in entries {
        let number = || {
            entry
                .value
                .node
                .parse::<u32>()
                .map_err(|_| Diagnostic::error(entry.value.span, "expected a number"))
        };
        let result = match entry.name.node.as_str() {
            "max_strlen" => number().and_then(|bytes| {
                set_max_strlen(limits, bytes)
                    .map_err(|message| Diagnostic::error(entry.value.span, message))
            }),
            "max_map_keys" => number().map(|keys| limits.max_map_keys = Some(keys.max(1))),
            "perf_rb_pages" => number().map(|pages| limits.event_pages = Some(pages)),
            name if IGNORED.contains(&name) => Ok(()),
            name => Err(
                Diagnostic::error(entry.name.span, format!("unknown setting `{name}`"))
                    .suggest(name, KNOWN.iter().chain(IGNORED).copied()),
            ),
        };
        errors.extend(result.err());
    }
}

/// The longest room for a string, in bytes.
pub const MAX_STRLEN: u32 = 1024;

/// Sets the room for strings, rounded up to what the layout wants.
///
/// # Errors
/// A message, if it is out of range.
pub fn set_max_strlen(limits: &mut Limits, bytes: u32) -> Result<(), String> {
    if !(8..=MAX_STRLEN).contains(&bytes) {
        return Err(format!(
            "max_strlen must be between 8 and {MAX_STRLEN} bytes"
        ));
    }
    limits.max_strlen = crate::types::round_up(bytes);
    Ok(())
}
