//! The command line: what can be written on it, and its help.
//!
//! Each flag is said once, here; clap makes the parser and `--help` of it. What flags do is in `main`. The settings in the
//! environment are in the help as text; a test holds it to the compiler's table (`SETTINGS`).

use crate::own_options;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};
use pfscript::compiler::manifest;
use pfscript::runtime::{FORMS, Form};
use pfscript::scripts::{ShippedScript, shipped};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

const AFTER_HELP: &str = "\
Examples:
  pfscript faults -c ./program       why its memory grows: page faults by stack
  pfscript faults --run git log -p   the same, of a command word by word
  pfscript ffaults -p 1234           page faults of a running process, by file
  pfscript ffaults --help            what a script that is shipped does
  pfscript -e 'profile:hz:99 { @[kstack] = count(); }'
  pfscript -e 't:syscalls:sys_enter_openat { print(str(args.filename)); }'
  pfscript -l '*page_fault*'         attach points by name; -lv: with arguments

Tracing needs root, or CAP_BPF and CAP_PERFMON. A script runs until Ctrl-C,
until exit(), or until the process of -c or -p ends; then its maps are printed.
SIGTERM and SIGHUP (a closed terminal) end it likewise. Another Ctrl-C, a second
later or more, stops the printing.

Environment (bpftrace's names, BPFTRACE_MAX_STRLEN and so on, are read too):
  PFSCRIPT_MAX_STRLEN          longest string, 1 to 16376 bytes; default 256
  PFSCRIPT_STR_TRUNC_TRAILER   what is printed behind cut strings; default: ..
  PFSCRIPT_MAX_MAP_KEYS        most keys of a map
  PFSCRIPT_MAX_STACKS          most different stacks that are kept
  PFSCRIPT_MAX_CAT_BYTES       most of a file that cat() prints; default 10240
  PFSCRIPT_PERF_RB_PAGES       pages of the buffer for what scripts print
  PFSCRIPT_MAX_PROBES          most attach points; default: as many as match
  PFSCRIPT_MAX_BPF_PROGS       most BPF programs; default 1024
  PFSCRIPT_PRINT_MAPS_ON_EXIT  0: like --no-maps
  PFSCRIPT_STACK_MODE          stacks: as bpftrace, perf, raw or build_id
  PFSCRIPT_STATS_ORDER         stats of maps are sorted by average or total
  PFSCRIPT_SHOW_DEBUG_INFO     1: source lines and inlined functions in stacks
  PFSCRIPT_JVM_MAP             1: like --jvm-map, of the process of -p
  PFSCRIPT_MISSING_PROBES      if nothing matches: error, warn or ignore
  PFSCRIPT_DUMMY_TS_MAP        a map that is the clock of tseries(), for tests
  DEBUGINFOD_URLS              servers (http://) that have debug files
  NO_COLOR                     print messages without colours
  __BPFTRACE_NOTIFY_PROBES_ATTACHED
                               print this name when all probes are attached

Exit status: 0, or the number that the script gave to exit(); 1 on an error; 2
on a wrong command line; 3 if anything was lost and --strict is set. What the
script asked for, as the cut by str(p, 5) or ustack(3), is no loss.";

/// What `--help` prints, with bpftrace's word for the usage.
const HELP: &str = "\
{about-with-newline}
USAGE:
       {usage}

{all-args}{after-help}";

/// What `--version` prints behind the name: the second line tells scripts that ask which bpftrace they speak to.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nbpftrace v0.27 is the language of scripts and the form of output"
);

/// Traces what a Linux system does, with scripts in bpftrace's language and no compiler.
#[derive(Debug, Parser)]
#[command(
    name = "pfscript",
    version = VERSION,
    help_template = HELP,
    after_help = AFTER_HELP,
    disable_version_flag = true,
    override_usage = "pfscript [OPTIONS] FILE [PARAMETER]...\n       pfscript [OPTIONS] NAME [PARAMETER | --NAME=VALUE]...\n       pfscript [OPTIONS] -e SCRIPT [PARAMETER]...\n       pfscript [OPTIONS] FILE [PARAMETER]... -- --NAME=VALUE...\n       pfscript -l [PATTERN | FILE | -e SCRIPT]"
)]
pub struct Cli {
    /// The script (- for standard input, or the name of a shipped one) and its parameters $1, $2, …; parameters alone with -e
    #[arg(value_name = "FILE")]
    pub arguments: Vec<OsString>,

    /// Behind --: parameters by name, for getopt(), or without --; -- --help lists them
    #[arg(value_name = "--NAME=VALUE", last = true)]
    pub rest: Vec<OsString>,

    /// Run this script; if there are several, the last one
    #[arg(short = 'e', value_name = "SCRIPT", overrides_with = "script")]
    pub script: Option<String>,

    /// Run a command, trace it from its start, and stop when it ends. All that it started ends then, too
    #[arg(
        short = 'c',
        long = "cmd",
        value_name = "COMMAND",
        conflicts_with = "pid"
    )]
    pub command: Option<String>,

    /// As -c, with the rest of the line as the command, word by word: nothing is quoted twice
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true, conflicts_with_all = ["command", "pid"])]
    pub run: Vec<OsString>,

    /// Exit with the status of the command, if that is not 0; 128 and the signal, if one ended it
    #[arg(long)]
    pub exit_status: bool,

    /// Tell Node and the JVM, in the environment of the command, to keep frame pointers and to name the code that they generate
    #[arg(long)]
    pub runtimes: bool,

    /// Ask JVMs that run, when tracing begins and when it ends, what their code is called (JDK 17 and later)
    #[arg(long)]
    pub jvm_map: bool,

    /// Trace only this process, and stop when it ends
    #[arg(short = 'p', long = "pid", value_name = "PID")]
    pub pid: Option<u32>,

    /// Write output to a file, which must not be a symbolic link
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub output: Option<PathBuf>,

    #[arg(short = 'f', long = "format", value_name = "FORM", value_parser = form, default_value = FORMS[0].name, hide_default_value = true, help = forms())]
    pub form: &'static Form,

    /// Draw a flame graph of the stacks that maps have in their keys, as SVG: widths are what the maps count, or what rssgrow finds
    #[arg(long, value_name = "FILE.svg")]
    pub flamegraph: Option<PathBuf>,

    /// Write the same stacks in the folded format, a line each, for other programs
    #[arg(long, value_name = "FILE")]
    pub folded: Option<PathBuf>,

    /// Write a page about what a process has grown by (rssgrow), as HTML: over time, as a flame graph and as a table
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,

    /// Print only results
    #[arg(short = 'q', long = "quiet")]
    pub quiet: bool,

    /// Print what is loaded and attached; with -l, list arguments too
    #[arg(short = 'v', long = "verbose")]
    pub verbose: bool,

    /// List attach points: all, those that match a pattern with * and ?, or those of a script (FILE or -e); with -p, also those of the process's files
    #[arg(short = 'l', long = "list", conflicts_with_all = ["command", "run"])]
    pub list: bool,

    /// List the scripts that are shipped, which run by their names: pfscript faults
    #[arg(long)]
    pub list_scripts: bool,

    /// Check a script without running it; does not need root
    #[arg(long)]
    pub check: bool,

    /// Check, or print a stage of, a script for the machine whose facts are in FILE
    #[arg(long, value_name = "FILE")]
    pub facts: Option<PathBuf>,

    /// Write the facts of this machine to FILE, for --facts on another
    #[arg(long, value_name = "FILE", conflicts_with_all = ["script", "arguments", "command", "run", "pid", "list", "check", "dump", "facts"])]
    pub record_facts: Option<PathBuf>,

    /// Compile, load and attach a script, then exit without running it
    #[arg(long)]
    pub dry_run: bool,

    /// Print a stage of compilation and exit: ast, ir, asm or object
    #[arg(short = 'd', long = "debug", value_name = "STAGE", value_parser = stage)]
    pub dump: Option<Stage>,

    /// Write the ELF object to a file and exit, as -d object -o FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dump", "output"], hide = true)]
    pub emit_elf: Option<PathBuf>,

    /// Take only the probes whose names match a regular expression, and BEGIN and END
    #[arg(long, value_name = "REGEX", value_parser = regex_lite::Regex::new)]
    pub probe_filter: Option<regex_lite::Regex>,

    /// What to do with the script: run its benchmarks (bench) or its tests (test), or compile it and no more (codegen)
    #[arg(long, value_name = "MODE", value_parser = mode)]
    pub mode: Option<Mode>,

    /// As --mode bench
    #[arg(long, hide = true, conflicts_with = "mode")]
    pub bench: bool,

    /// As --mode test
    #[arg(long, hide = true, conflicts_with_all = ["mode", "bench"])]
    pub test: bool,

    /// Take the functions that kprobes can be at from FILE, which lists them as tracefs's available_filter_functions
    #[arg(long, value_name = "FILE")]
    pub traceable_functions: Option<PathBuf>,

    /// Look in DIR first for the files with the symbols and the DWARF of programs that a script names; may be given again, or be
    /// several with colons between
    #[arg(long = "debuginfo", value_name = "DIR", value_delimiter = ':')]
    pub debug_folders: Vec<PathBuf>,

    /// Accepted for compatibility with bpftrace: what these features do is not made use of
    #[arg(long = "no-feature", value_name = "FEATURE", value_delimiter = ',', value_parser = ["kprobe_multi", "kprobe_session", "uprobe_multi"], hide = true)]
    _no_feature: Vec<String>,

    /// Show what this kernel supports
    #[arg(long)]
    pub info: bool,

    /// Exit with status 3 if anything was lost
    #[arg(long)]
    pub strict: bool,

    /// Say at which place of the script something failed: memory or elements of maps that are not there, full maps. The places are
    /// counted, and said at the end
    #[arg(short = 'k', long = "warnings", action = clap::ArgAction::Count, conflicts_with = "no_warnings")]
    pub failures: u8,

    /// Print no warnings about the script and the settings; what was lost is still said
    #[arg(long)]
    pub no_warnings: bool,

    /// Do not print maps at the end
    #[arg(long)]
    pub no_maps: bool,

    /// Print the version
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,

    /// Let the script run commands (`system`)
    #[arg(long = "unsafe")]
    pub allows_unsafe: bool,

    /// Look for the headers of #include in this folder, too
    #[arg(short = 'I', value_name = "DIR")]
    pub folders: Vec<PathBuf>,

    /// Include a header before the script
    #[arg(long = "include", value_name = "FILE")]
    pub headers: Vec<PathBuf>,

    /// Accepted for compatibility with bpftrace: stacks of any process are walked by its call frame information
    #[arg(long = "dwarf-pid", value_name = "PID", hide = true)]
    _unwound: Vec<u32>,

    /// Accepted for compatibility with bpftrace: the kernel itself tells processes that their markers are probed
    #[arg(long = "usdt-file-activation", hide = true)]
    _usdt_file_activation: bool,

    /// Accepted for compatibility with bpftrace: output is written as soon as nothing more is waiting
    #[arg(short = 'B', value_name = "MODE", value_parser = ["line", "full", "none"], hide = true)]
    _buffer: Option<String>,
}

impl Cli {
    /// What its session is for that does not trace.
    pub fn session_mode(&self) -> Option<manifest::Mode> {
        match (self.mode, self.bench, self.test) {
            (Some(Mode::Bench), ..) | (_, true, _) => Some(manifest::Mode::Bench),
            (Some(Mode::Test), ..) | (.., true) => Some(manifest::Mode::Test),
            (Some(Mode::Codegen) | None, ..) => None,
        }
    }
}

/// The form of output that `-f` names.
fn form(name: &str) -> Result<&'static Form, String> {
    FORMS.iter().find(|form| form.name == name).ok_or_else(|| {
        let names: Vec<&str> = FORMS.iter().map(|form| form.name).collect();
        format!("the forms are {}", names.join(", "))
    })
}

/// The help of `-f`.
fn forms() -> String {
    let forms = FORMS
        .iter()
        .map(|form| format!("{} {}", form.name, form.doc));
    format!("Output format: {}", forms.collect::<Vec<_>>().join(", "))
}

/// Options of bpftrace that there are not.
const LATER: &[&str] = &["--fmt", "--verify-llvm-ir", "--emit-llvm"];

/// The shipped script that a word in the script's place names; a file of that name comes first.
pub fn shipped_script(word: &OsStr) -> Option<&'static ShippedScript> {
    let script = shipped(word.to_str()?)?;
    (!Path::new(word).exists()).then_some(script)
}

/// Reads the command line; ends the command if it is wrong, or asks for help.
pub fn parse() -> Cli {
    let mut command = Cli::command();
    command.build();
    let split = own_options::split(&command, std::env::args_os(), shipped_script);
    let mut cli = read(split.command);
    cli.rest.extend(split.script);
    cli
}

/// Reads the words that are for the command.
fn read(words: Vec<OsString>) -> Cli {
    Cli::try_parse_from(words).unwrap_or_else(|mut error| {
        if let (ErrorKind::UnknownArgument, Some(ContextValue::String(name))) =
            (error.kind(), error.get(ContextKind::InvalidArg))
        {
            if LATER.contains(&name.as_str()) {
                let message = format!("bpftrace's option {name} is not supported yet");
                let command = &mut Cli::command();
                command.error(ErrorKind::UnknownArgument, message).exit();
            }
            // Whoever mistypes shall not be led to drop results.
            if let Some(ContextValue::String(near)) = error.get(ContextKind::SuggestedArg)
                && near == "--no-maps"
            {
                error.remove(ContextKind::SuggestedArg);
            }
        }
        error.exit()
    })
}

/// The stages by their names, bpftrace's behind ours.
const STAGES: &[(&str, Stage)] = &[
    ("ast", Stage::Ast),
    ("ir", Stage::Ir),
    ("asm", Stage::Asm),
    ("object", Stage::Object),
    ("parse", Stage::Ast),
    ("codegen", Stage::Ir),
    ("codegen-opt", Stage::Ir),
    ("dis", Stage::Asm),
];

/// The stages of bpftrace that there are not.
const LATER_STAGES: &[&str] = &["all", "types", "libbpf", "verifier"];

/// The stage that `-d` names.
fn stage(name: &str) -> Result<Stage, String> {
    if let Some((_, stage)) = STAGES.iter().find(|row| row.0 == name) {
        return Ok(*stage);
    }
    let known = "the stages are ast, ir, asm and object";
    Err(match LATER_STAGES.contains(&name) {
        true => format!("this stage is not supported yet; {known}"),
        false => known.to_owned(),
    })
}

/// The modes of bpftrace that there are not.
const LATER_MODES: &[&str] = &["compiler-bench", "format"];

/// What `--mode` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Benchmarks are run, and no other probes
    Bench,
    /// Tests are run, and no other probes
    Test,
    /// It is compiled, and that is all
    Codegen,
}

/// The mode that `--mode` names.
fn mode(name: &str) -> Result<Mode, String> {
    match name {
        "bench" => Ok(Mode::Bench),
        "test" => Ok(Mode::Test),
        "codegen" => Ok(Mode::Codegen),
        _ if LATER_MODES.contains(&name) => {
            Err("this mode is not supported yet; there are bench, test and codegen".to_owned())
        }
        _ => Err("the modes are bench, test and codegen".to_owned()),
    }
}

/// What `-d` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The syntax tree
    Ast,
    /// The intermediate representation
    Ir,
    /// The instructions
    Asm,
    /// The ELF object, as bytes
    Object,
}

#[cfg(test)]
mod tests {
    use super::{AFTER_HELP, Cli};
    use clap::CommandFactory;
    use pfscript::compiler::SETTINGS;

    #[test]
    fn the_help_fits_80_columns() {
        for line in AFTER_HELP.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_names_every_setting() {
        for setting in SETTINGS.iter().filter(|setting| setting.has_effect()) {
            let variable = format!("  PFSCRIPT_{} ", setting.name.to_uppercase());
            assert!(AFTER_HELP.contains(&variable), "{variable}");
        }
    }
}
