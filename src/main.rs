//! The command `pfscript`: arguments to a session.
//!
//! In come arguments, environment and files; out go messages and an exit status. Whatever a library user could want too is
//! in the crates, not here.

mod cli;
mod includes;
mod own_options;

use cli::{Cli, Mode, Stage};
use includes::Sources;
use pfscript::compiler::facts::Facts;
use pfscript::compiler::probe_list::{self, Listing};
use pfscript::compiler::providers::nearest::did_you_mean;
use pfscript::compiler::recorded::{self, RecordedFacts};
use pfscript::compiler::{PREFIXES, Parameter, ParameterDefault, ProbeFilter, SETTINGS, ir};
use pfscript::grammar::escape;
use pfscript::runtime::facts::{self, LiveFacts};
use pfscript::runtime::pictures::{Picture, Pictures};
use pfscript::runtime::{OutputFile, session};
use pfscript::scripts::{SHIPPED, ShippedScript};
use pfscript::{Command, CompileError, Limits, Options, Program, Runtimes, Stop, Target, grammar};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    // Rust ignores SIGPIPE, so that a closed pipe is an error that can be handled: it ends the command quietly.
    match run(cli::parse()) {
        Ok(status) => ExitCode::from(status),
        Err(Failure::Quiet) => ExitCode::SUCCESS,
        Err(Failure::Message(message)) => {
            complain(&message);
            ExitCode::from(1)
        }
    }
}

/// Why the command ends early.
enum Failure {
    /// With a message, complete and rendered.
    Message(String),
    /// The reader of the output went away.
    Quiet,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Quiet,
            _ => failure(format_args!("can't write the output: {error}")),
        }
    }
}

fn failure(message: std::fmt::Arguments<'_>) -> Failure {
    let message = format!("pfscript: {message}");
    // Names in it may hold anything.
    let safe = escape::escape_bytes(message.as_bytes(), escape::Keep::Layout);
    Failure::Message(safe.into_owned())
}

/// Writes to standard error. If that is closed, there is nobody left to tell.
fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "{}", message.trim_end());
}

fn color() -> bool {
    io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none()
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn run(cli: Cli) -> Result<u8, Failure> {
    if cli.info {
        let text = facts::describe(&LiveFacts::new());
        io::stdout().write_all(text.as_bytes())?;
        return Ok(0);
    }
    if let Some(path) = &cli.record_facts {
        return record(path, cli.quiet);
    }
    if cli.facts.is_some() && !cli.check && cli.dump.is_none() {
        return Err(failure(format_args!(
            "--facts FILE is for --check and -d: a script runs on this machine alone"
        )));
    }
    if cli.list {
        return list(&cli);
    }
    if cli.list_scripts {
        for script in SHIPPED {
            writeln!(io::stdout(), "{:<12}  {}", script.name, script.summary())?;
        }
        return Ok(0);
    }
    if let Some(script) = asks_for_help(&cli) {
        io::stdout().write_all(script.help().as_bytes())?;
        return Ok(0);
    }
    let (sources, parameters) = script(&cli)?;
    let (name, source) = (sources.name(), sources.text());
    let (named, positional) = named(parameters);
    if cli.dump == Some(Stage::Ast) {
        let script =
            grammar::parse(source).map_err(|diagnostics| rendered(&diagnostics, &sources))?;
        return print(&cli, grammar::dump(&script).as_bytes());
    }

    let stop = Stop::on_signals().map_err(|error| failure(format_args!("{error}")))?;
    // The handlers stay to the very end: without them, the twin of the signal that ended the session would kill.
    let stop: &Stop = Box::leak(Box::new(stop));
    let runtimes = match cli.runtimes {
        true => Runtimes::Told,
        false => Runtimes::AsTheyAre,
    };
    let command = match (&cli.command, &cli.run[..]) {
        _ if cli.check || cli.dump.is_some() || cli.emit_elf.is_some() => None,
        _ if cli.mode == Some(Mode::Codegen) => None,
        (Some(line), _) => Some(Command::parse(line, runtimes)),
        (None, []) => None,
        (None, words) => Some(Command::new(words.to_vec(), runtimes)),
    };
    let command = command
        .transpose()
        .map_err(|error| failure(format_args!("{error}")))?;
    let needs_command = [
        ("--exit-status", cli.exit_status),
        ("--runtimes", cli.runtimes),
    ];
    if cli.command.is_none()
        && cli.run.is_empty()
        && let Some((option, _)) = needs_command.iter().find(|(_, given)| *given)
    {
        return Err(failure(format_args!(
            "{option} needs a command: start one with -c COMMAND or --run COMMAND"
        )));
    }
    if let Some(pid) = cli.pid
        && !Path::new("/proc").join(pid.to_string()).exists()
    {
        return Err(failure(format_args!("there is no process {pid}")));
    }
    if let Some((pid, process)) = cli.pid.and_then(|pid| Some((pid, process_of(pid)?)))
        && pid != process
    {
        return Err(failure(format_args!(
            "{pid} is a thread of process {process}; trace the process with -p {process}, and choose the thread in the script: /tid == {pid}/"
        )));
    }
    let (limits, set_outside) = limits(cli.quiet || cli.no_warnings)?;
    let options = Options {
        headers: sources.headers(),
        positional,
        named,
        limits,
        set_outside,
        allows_unsafe: cli.allows_unsafe,
        failures_by_place: cli.failures > 0,
        probe_filter: cli
            .probe_filter
            .clone()
            .map(|regex| ProbeFilter::new(move |name| regex.is_match(name))),
    };
    let warn = |warnings: &[grammar::Diagnostic]| {
        if !cli.quiet && !cli.no_warnings && !warnings.is_empty() {
            complain(&sources.render(warnings, color()));
        }
    };
    let checked = cli.check && cli.dump.is_none();
    let (facts, origin) = known_facts(&cli, checked)?;
    let refused = |error: CompileError| match (rendered(&error.diagnostics, &sources), &origin) {
        (Failure::Message(text), Some(origin)) => {
            Failure::Message(format!("{}\n{origin}", text.trim_end()))
        }
        (failure, _) => failure,
    };
    if checked {
        let verdict = Program::check(name, source, &options, &*facts).map_err(refused)?;
        known(&options.named, &verdict.parameters)?;
        warn(&verdict.warnings);
        if let Some(origin) = origin.filter(|_| !cli.quiet && !verdict.warnings.is_empty()) {
            complain(&origin);
        }
        return Ok(0);
    }
    let program = Program::compile_for(name, source, &options, &*facts).map_err(refused)?;
    known(&options.named, &program.compiled.parameters)?;
    warn(&program.compiled.warnings);
    match cli.dump {
        Some(Stage::Ir) => {
            return print(&cli, ir::text::print(&program.compiled.module).as_bytes());
        }
        Some(Stage::Asm) => return print(&cli, program.compiled.listing.to_string().as_bytes()),
        Some(Stage::Object) => return print(&cli, &program.compiled.object.elf),
        Some(Stage::Ast) | None => {}
    }
    if let Some(path) = &cli.emit_elf {
        return write(Some(path), &program.compiled.object.elf);
    }
    if cli.mode == Some(Mode::Codegen) {
        return Ok(0);
    }
    trace(&cli, &program, &sources, command, stop)
}

/// `--record-facts`
fn record(path: &Path, quiet: bool) -> Result<u8, Failure> {
    let recorded = facts::record(&LiveFacts::new());
    let mut written = OutputFile::open(path).map_err(|error| failure(format_args!("{error}")))?;
    written.write_all(&recorded.file)?;
    for what in recorded.missing.iter().filter(|_| !quiet) {
        complain(&format!("pfscript: {what}"));
    }
    Ok(0)
}

/// The same facts, with what the command line says of them.
fn of_command_line(live: LiveFacts, cli: &Cli) -> LiveFacts {
    live.with_process(cli.pid)
        .with_traceable(cli.traceable_functions.clone())
        .with_debug_folders(cli.debug_folders.clone())
}

/// The facts to compile with, and if they are those of a file, a line that says whose.
fn known_facts(cli: &Cli, for_check: bool) -> Result<(Box<dyn Facts>, Option<String>), Failure> {
    let Some(path) = &cli.facts else {
        let live = match for_check {
            true => LiveFacts::for_check(),
            false => LiveFacts::new(),
        };
        return Ok((Box::new(of_command_line(live, cli)), None));
    };
    let mut facts = recorded_facts(path)?;
    if for_check {
        facts = facts.for_check();
    }
    let release = facts.release();
    let origin = format!(
        "pfscript: \"this kernel\" is Linux {release}, as {} has it",
        path.display()
    );
    Ok((Box::new(facts), Some(escape::escape(&origin).into_owned())))
}

/// The file of `--facts`.
fn recorded_facts(path: &Path) -> Result<RecordedFacts, Failure> {
    let mut bytes = Vec::new();
    // One byte more than the limit is enough to know that it is exceeded.
    let limit = recorded::MAX_FILE_BYTES as u64 + 1;
    std::fs::File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| {
            failure(format_args!(
                "can't read the facts {}: {error}",
                path.display()
            ))
        })?;
    recorded::decode(&bytes).map_err(|error| failure(format_args!("{}: {error}", path.display())))
}

/// Where results go: to a file, or to standard output.
fn open(file: Option<&Path>) -> Result<session::Opened, pfscript::runtime::Error> {
    fn opened(output: impl Write + AsFd + 'static) -> session::Opened {
        // If there is no descriptor left, the next write tells that the reader has gone.
        let reader = output.as_fd().try_clone_to_owned().ok();
        (Box::new(output), reader)
    }
    Ok(match file {
        Some(path) => opened(OutputFile::open(path)?),
        None => opened(io::stdout()),
    })
}

/// The process that a thread belongs to.
fn process_of(thread: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok()
}

/// Asks for a line that says when all probes are attached.
const NOTIFY: &str = "__BPFTRACE_NOTIFY_PROBES_ATTACHED";

/// Runs a compiled script.
fn trace(
    cli: &Cli,
    program: &Program,
    sources: &Sources,
    command: Option<Command>,
    stop: &Stop,
) -> Result<u8, Failure> {
    let target = match (command, cli.pid) {
        (Some(command), _) => Target::Command(command),
        (None, Some(pid)) => Target::Process(pid),
        (None, None) => Target::All,
    };
    let session = program
        .session()
        .target(target)
        .quiet(cli.quiet)
        .warnings(!cli.no_warnings)
        .verbose(cli.verbose)
        .dry_run(cli.dry_run)
        .mode(cli.session_mode())
        .print_maps(!cli.no_maps)
        .jvm_map(cli.jvm_map)
        .progress(!cli.quiet && std::env::var_os("TERM").is_none_or(|term| term != "dumb"))
        .notify(std::env::var_os(NOTIFY).is_some());
    let pictures = [
        (Picture::Folded, &cli.folded),
        (Picture::FlameGraph, &cli.flamegraph),
        (Picture::Report, &cli.report),
    ];
    let pictures =
        pictures.into_iter().fold(
            Pictures::default(),
            |pictures, (picture, path)| match path {
                Some(path) => pictures.with(picture, path),
                None => pictures,
            },
        );
    // A dry run has no results: what an earlier run wrote stays.
    let file = cli.output.clone().filter(|_| !cli.dry_run);
    let session = session
        .form(cli.form)
        .pictures(pictures)
        .output_when_loaded(move || open(file.as_deref()));
    let outcome = session.run(stop).map_err(|error| match error.span {
        Some(span) => {
            let mut diagnostic = grammar::Diagnostic::error(span, error.message.clone());
            diagnostic.help = error.help.clone();
            let mut text = sources.render(&[diagnostic], color());
            if let Some(detail) = &error.detail {
                text.push_str(detail);
            }
            Failure::Message(text)
        }
        None => failure(format_args!("{error}")),
    })?;
    match outcome.command_status() {
        Some(status) if cli.exit_status && status != 0 => Ok(status),
        _ => Ok(outcome.status(cli.strict)),
    }
}

/// The parameters before the `--` of the command line, and those behind it.
type Parameters = (Vec<String>, Vec<String>);

/// A parameter by name, and its value if there is one.
type Named = (String, Option<String>);

/// Tells parameters by name, which begin with `--`, from the others: of those behind the `--` of the command line.
fn named((before, behind): Parameters) -> (Vec<Named>, Vec<String>) {
    let mut positional = before;
    let mut named = Vec::new();
    for parameter in behind {
        match parameter.strip_prefix("--").filter(|name| !name.is_empty()) {
            Some(name) => named.push(match name.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (name.to_owned(), None),
            }),
            None => positional.push(parameter),
        }
    }
    (named, positional)
}

/// Refuses parameters by name that the script does not ask for; `--help` among them prints those that it does.
fn known(named: &[Named], parameters: &BTreeMap<String, Parameter>) -> Result<(), Failure> {
    let unknown = named
        .iter()
        .find(|(name, _)| !parameters.contains_key(name));
    let Some((unknown, _)) = unknown else {
        return Ok(());
    };
    let mut message = match &unknown[..] {
        "help" => "-- --help: the parameters of this script are".to_owned(),
        _ if parameters.is_empty() => {
            let message = "the script has no parameters by name: it does not call getopt()";
            return Err(failure(format_args!("--{unknown}: {message}")));
        }
        _ => format!("the script has no parameter --{unknown}; it has"),
    };
    for (name, parameter) in parameters {
        message += &format!("\n  --{name}");
        match &parameter.default {
            ParameterDefault::Flag(false) => {}
            default => message += &format!("={default}"),
        }
        if let Some(description) = &parameter.description {
            message += &format!("  {description}");
        }
    }
    Err(failure(format_args!("{message}")))
}

/// The shipped script that the command line names, if it asks for its help.
fn asks_for_help(cli: &Cli) -> Option<&'static ShippedScript> {
    let asked = cli.script.is_none() && cli.rest.iter().any(|word| word == "--help");
    let first = cli.arguments.first().filter(|_| asked)?;
    cli::shipped_script(first)
}

/// The script with its headers, and its parameters.
fn script(cli: &Cli) -> Result<(Sources, Parameters), Failure> {
    let (name, path, source, parameters) = script_alone(cli)?;
    let source = decode(&name, &source)?;
    let mut sources = Sources::new(&name, source, path.as_deref());
    sources
        .include(&cli.folders, &cli.headers, color())
        .map_err(Failure::Message)?;
    Ok((sources, parameters))
}

/// A script's name, path, bytes and parameters.
type Script = (String, Option<PathBuf>, Vec<u8>, Parameters);

fn script_alone(cli: &Cli) -> Result<Script, Failure> {
    let text = |argument: &OsString| {
        argument.clone().into_string().map_err(|argument| {
            failure(format_args!(
                "this parameter is not UTF-8: {}",
                argument.to_string_lossy()
            ))
        })
    };
    let texts = |all: &[OsString]| all.iter().map(text).collect::<Result<Vec<_>, _>>();
    if let Some(script) = &cli.script {
        let parameters = (texts(&cli.arguments)?, texts(&cli.rest)?);
        return Ok(("-e".into(), None, script.clone().into_bytes(), parameters));
    }
    let (before, behind) = match cli.arguments[..] {
        [] => (&cli.rest[..], &[][..]),
        _ => (&cli.arguments[..], &cli.rest[..]),
    };
    let Some((file, before)) = before.split_first() else {
        return Err(failure(format_args!(
            "no script given: name a file, or use -e SCRIPT; see --help"
        )));
    };
    let parameters = (texts(before)?, texts(behind)?);
    let mut source = Vec::new();
    // One byte more than the limit is enough to know that it is exceeded.
    let limit = grammar::MAX_SOURCE_BYTES as u64 + 1;
    if file == "-" {
        io::stdin()
            .lock()
            .take(limit)
            .read_to_end(&mut source)
            .map_err(|error| failure(format_args!("can't read standard input: {error}")))?;
        return Ok(("stdin".into(), None, source, parameters));
    }
    let name = escape::escape(&file.to_string_lossy()).into_owned();
    let read = std::fs::File::open(file).and_then(|file| file.take(limit).read_to_end(&mut source));
    match (read, cli::shipped_script(file)) {
        (Ok(_), _) => Ok((name, Some(file.into()), source, parameters)),
        (Err(_), Some(script)) => Ok((name, None, script.source.into(), parameters)),
        (Err(error), None) => Err(unreadable(&name, &error)),
    }
}

/// The answer to the name of a script that is no file that can be read, and none that is shipped.
fn unreadable(name: &str, error: &io::Error) -> Failure {
    let mut message = format!("can't read the script {name}: {error}");
    if error.kind() == io::ErrorKind::NotFound && !name.contains('/') {
        let stem = name.strip_suffix(".pf").unwrap_or(name);
        let nearest = did_you_mean(stem, SHIPPED.iter().map(|script| script.name));
        let help = nearest.unwrap_or_else(|| "--list-scripts lists those that are".to_owned());
        message += &format!(", and no script of that name is shipped; {help}");
    }
    failure(format_args!("{message}"))
}

fn decode<'a>(name: &str, source: &'a [u8]) -> Result<&'a str, Failure> {
    grammar::decode(source).map_err(|diagnostic| {
        let lossy = String::from_utf8_lossy(source);
        Failure::Message(grammar::render(&[diagnostic], name, &lossy, color()))
    })
}

fn rendered(diagnostics: &[grammar::Diagnostic], sources: &Sources) -> Failure {
    Failure::Message(sources.render(diagnostics, color()))
}

/// What the environment sets, and which settings those are; our own names come before bpftrace's.
fn limits(quiet: bool) -> Result<(Limits, BTreeSet<&'static str>), Failure> {
    let mut limits = Limits::default();
    let mut set = BTreeSet::new();
    let environment: BTreeMap<String, OsString> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    if environment.is_empty() {
        return Ok((limits, set));
    }
    for setting in SETTINGS {
        let found = PREFIXES.iter().find_map(|prefix| {
            environment.get_key_value(&format!("{prefix}{}", setting.name.to_uppercase()))
        });
        let Some((name, value)) = found else {
            continue;
        };
        set.insert(setting.name);
        let value = value.to_string_lossy();
        let warning = setting.set(name, &value, &mut limits).map_err(|message| {
            match message.starts_with(name.as_str()) {
                true => failure(format_args!("{message}")),
                false => failure(format_args!("{name}: {message}")),
            }
        })?;
        if let Some(warning) = warning
            && !quiet
        {
            complain(&format!("pfscript: {warning}"));
        }
    }
    Ok((limits, set))
}

/// Writes to standard output, or to the file of `-o`.
fn print(cli: &Cli, bytes: &[u8]) -> Result<u8, Failure> {
    write(cli.output.as_deref(), bytes)
}

/// Writes to a file, or to standard output.
fn write(file: Option<&Path>, bytes: &[u8]) -> Result<u8, Failure> {
    match file {
        Some(path) => OutputFile::open(path)
            .map_err(|error| failure(format_args!("{error}")))?
            .write_all(bytes)?,
        None => {
            let mut out = io::stdout().lock();
            out.write_all(bytes)?;
            out.flush()?;
        }
    }
    Ok(0)
}

/// `-l`
fn list(cli: &Cli) -> Result<u8, Failure> {
    let facts = of_command_line(LiveFacts::new(), cli);
    let arguments = [&cli.arguments[..], &cli.rest[..]].concat();
    let is_file = |argument: &OsString| Path::new(argument).is_file();
    if cli.script.is_some() || arguments.first().is_some_and(is_file) {
        let (sources, _) = script(cli)?;
        let script = grammar::parse(sources.text())
            .map_err(|diagnostics| rendered(&diagnostics, &sources))?;
        return listed(&probe_list::of_script(&facts, &script, cli.verbose));
    }
    let pattern = match &arguments[..] {
        [] => None,
        [pattern] => Some(pattern.to_string_lossy()),
        _ => {
            return Err(failure(format_args!(
                "-l takes one pattern; quote it, so that the shell leaves it alone"
            )));
        }
    };
    listed(&probe_list::list(&facts, pattern.as_deref(), cli.verbose))
}

/// Prints a list.
fn listed(listing: &Listing) -> Result<u8, Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in &listing.lines {
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    for note in &listing.notes {
        complain(&format!("pfscript: {note}"));
    }
    // The notes say why there is nothing.
    Ok(u8::from(listing.lines.is_empty()))
}
