//! The command line: what can be written on it, and its help.

use clap::{Parser, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Examples:
  pfscript faults.pf -c ./program     why its memory grows: page faults by user stack
  pfscript ffaults.pf -p 1234         page faults of a running process, by file
  pfscript -e 'profile:hz:99 { @[kstack] = count(); }'
  pfscript -e 't:syscalls:sys_enter_openat { printf(\"%s %s\\n\", comm, str(args.filename)); }'
  pfscript -l '*page_fault*'          attach points by name; -lv with their arguments

Tracing needs root, or CAP_BPF and CAP_PERFMON. A script runs until Ctrl-C, until exit(), or
until the process of -c or -p ends; then its maps are printed. A second Ctrl-C stops that too.

Environment (bpftrace's names, BPFTRACE_MAX_STRLEN and so on, are read too):
  PFSCRIPT_MAX_STRLEN      room for a string in bytes, 8 to 1024; 256 by default
  PFSCRIPT_MAX_MAP_KEYS    how many keys a map holds
  PFSCRIPT_PERF_RB_PAGES   pages of the buffer for what scripts print; 1024 by default
  NO_COLOR                 no colours in messages

Exit status: 0, or the script's own from exit(); 1 when something is wrong; 2 for a wrong command
line; 3 with --strict when anything was lost.";

/// Traces what a Linux system does, with scripts in bpftrace's language and no compiler.
#[derive(Debug, Parser)]
#[command(
    name = "pfscript",
    version,
    after_help = AFTER_HELP,
    disable_version_flag = true,
    override_usage = "pfscript [OPTIONS] FILE [PARAMETER]...\n       pfscript [OPTIONS] -e SCRIPT [PARAMETER]...\n       pfscript -l [PATTERN]"
)]
pub struct Cli {
    /// The script (- for standard input) and its parameters $1, $2, …; parameters alone with -e
    #[arg(value_name = "FILE")]
    pub arguments: Vec<OsString>,

    /// Run this script
    #[arg(short = 'e', value_name = "SCRIPT")]
    pub script: Option<String>,

    /// Run a command, trace it from its start, and stop when it ends
    #[arg(short = 'c', value_name = "COMMAND", conflicts_with = "pid")]
    pub command: Option<String>,

    /// Trace one process alone, and stop when it ends
    #[arg(short = 'p', value_name = "PID")]
    pub pid: Option<u32>,

    /// Write output to a file
    #[arg(short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Form of the output: text, or json, an object a line
    #[arg(short = 'f', long = "format", value_name = "FORM", value_enum, default_value_t = Form::Text, hide_default_value = true, hide_possible_values = true)]
    pub form: Form,

    /// Print results alone
    #[arg(short = 'q')]
    pub quiet: bool,

    /// Print more: what is loaded and attached; with -l, arguments
    #[arg(short = 'v')]
    pub verbose: bool,

    /// List attach points: all, or those that match a pattern with * and ?
    #[arg(short = 'l', conflicts_with_all = ["script", "command", "pid"])]
    pub list: bool,

    /// Check a script without running it; needs no root
    #[arg(long)]
    pub check: bool,

    /// Compile, load, verify and attach a script, then leave
    #[arg(long)]
    pub dry_run: bool,

    /// Print what a script becomes, and leave: ast, ir, asm or object
    #[arg(short = 'd', value_name = "STAGE", hide_possible_values = true)]
    pub dump: Option<Stage>,

    /// Say what this kernel can do
    #[arg(long)]
    pub info: bool,

    /// End with status 3 if anything was lost
    #[arg(long)]
    pub strict: bool,

    /// Do not print maps at the end
    #[arg(long)]
    pub no_maps: bool,

    /// Print the version
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,

    /// Accepted for bpftrace's sake
    #[arg(long = "unsafe", hide = true)]
    _unsafe: bool,

    /// Accepted for bpftrace's sake: types come from BTF
    #[arg(short = 'I', long = "include", hide = true)]
    _include: Vec<String>,

    /// Accepted for bpftrace's sake: output is written whenever there is nothing more to read
    #[arg(short = 'B', hide = true)]
    _buffer: Option<String>,
}

/// The forms of `-f`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// bpftrace's text
    Text,
    /// bpftrace's JSON
    Json,
}

/// What `-d` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
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
