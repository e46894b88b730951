//! A tracing session as its user sees it: what to trace, where results go, what ends it, and how it went. The session
//! itself happens in `run`. Scripts are not compiled here: a session takes a finished object and its manifest.

mod backlog;
mod gather;
pub(crate) mod opening;
mod output;
mod renewal;
mod run;

use crate::attach::Traced;
use crate::command::Command;
use crate::error::Error;
use crate::loss::Loss;
use crate::pictures::Pictures;
use crate::sinks::{FORMS, Form, Sink, Writers};
pub use crate::stop::{Stop, StopHandle};
use crate::sys::terminal;
use pfscript_compiler::Object;
use pfscript_compiler::manifest::Mode;
use run::Running;
use std::io::{self, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

/// What is traced.
#[derive(Debug, Default)]
pub enum Target {
    /// Everything.
    #[default]
    All,
    /// One process, to which the programs are narrowed when the session begins; the session ends with it.
    Process(u32),
    /// A command and its children, from its exec on; the session ends with it, and with the session all that it started.
    Command(Command),
}

impl Target {
    /// The process that programs are narrowed to.
    pub(crate) fn process(&self) -> Option<u32> {
        match self {
            Target::Process(pid) => Some(*pid),
            // The kernel narrows events to a command's process tree, which is more than one process.
            Target::All | Target::Command(_) => None,
        }
    }

    /// The process of the command that is traced.
    pub(crate) fn command(&self) -> Option<u32> {
        match self {
            Target::Command(command) => Some(command.pid()),
            Target::All | Target::Process(_) => None,
        }
    }
}

/// How a session went.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Outcome {
    /// The script's own: that of `exit(code)`, else 0.
    pub exit_code: u32,
    /// What was lost.
    pub losses: Vec<Loss>,
    /// Whether the reader of the output went away, which ended the session early.
    pub output_closed: bool,
    /// How the command ended, if it ended by itself and not with the session.
    pub command: Option<ExitStatus>,
}

impl Outcome {
    /// The exit status of a command that ran the session: `strict` makes it 3 if anything was lost.
    pub fn status(&self, strict: bool) -> u8 {
        if strict && !self.losses.is_empty() {
            3
        } else {
            // As the system cuts it.
            self.exit_code as u8
        }
    }

    /// The exit status that stands for how the command ended, as a shell has it: 128 and the signal, if one ended it.
    pub fn command_status(&self) -> Option<u8> {
        let status = self.command?;
        let number = status
            .code()
            .or_else(|| Some(128 + status.signal().unwrap_or(0)));
        number.map(|number| number as u8)
    }
}

/// A writer, and the descriptor that it writes to in the end, if there is one.
pub type Opened = (Box<dyn Write>, Option<OwnedFd>);

/// Opens the output.
type MakeOutput = dyn FnOnce() -> Result<Opened, Error>;

/// A session that can be run once.
///
/// ```no_run
/// use pfscript_compiler::Object;
/// use pfscript_runtime::{Session, Stop};
/// # fn compile(_: &str) -> Object { unimplemented!() }
/// let source = "software:page-faults:1 { @[comm] = count(); } interval:s:1 { exit(); }";
/// let outcome = Session::new(compile(source), source)
///     .output(std::io::stdout())
///     .run(&Stop::on_signals()?)?;
/// std::process::exit(outcome.status(false).into());
/// # Ok::<(), pfscript_runtime::Error>(())
/// ```
pub struct Session {
    object: Object,
    script: String,
    source: String,
    target: Target,
    /// `None`: of `form`, to the two writers.
    sink: Option<Box<dyn Sink>>,
    form: &'static Form,
    output: Box<MakeOutput>,
    messages: Box<dyn Write>,
    quiet: bool,
    warnings: bool,
    verbose: bool,
    dry_run: bool,
    print_maps: bool,
    mode: Option<Mode>,
    notify: bool,
    jvm_map: bool,
    pictures: Pictures,
    progress: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("target", &self.target)
            .field("quiet", &self.quiet)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session of everything, with text on the standard output and messages on the standard error. `source` is the
    /// script, for messages.
    pub fn new(object: Object, source: impl Into<String>) -> Session {
        Session {
            object,
            script: "stdin".into(),
            source: source.into(),
            target: Target::All,
            sink: None,
            form: &FORMS[0],
            output: Box::new(|| Ok((Box::new(io::stdout()), None))),
            messages: Box::new(io::stderr()),
            quiet: false,
            warnings: true,
            verbose: false,
            dry_run: false,
            print_maps: true,
            mode: None,
            notify: false,
            jvm_map: false,
            pictures: Pictures::default(),
            progress: false,
        }
    }

    /// What the script is called where it says something itself; "stdin" unless told.
    #[must_use]
    pub fn script_name(mut self, name: impl Into<String>) -> Session {
        self.script = name.into();
        self
    }

    /// What to trace.
    #[must_use]
    pub fn target(mut self, target: Target) -> Session {
        self.target = target;
        self
    }

    /// The form of results and messages, in place of text.
    #[must_use]
    pub fn form(mut self, form: &'static Form) -> Session {
        self.form = form;
        self
    }

    /// Where results go.
    #[must_use]
    pub fn output(mut self, writer: impl Write + 'static) -> Session {
        self.output = Box::new(|| Ok((Box::new(writer), None)));
        self
    }

    /// As [`Session::output`], opened when the script is loaded and nothing has been recorded yet: a file need not be made
    /// for a script that can't run. When the reader of the descriptor has gone, or its terminal, the session ends at once,
    /// not only when it has something to write.
    #[must_use]
    pub fn output_when_loaded(
        mut self,
        open: impl FnOnce() -> Result<Opened, Error> + 'static,
    ) -> Session {
        self.output = Box::new(open);
        self
    }

    /// Where messages go beside text: how many probes were attached, and what was lost.
    #[must_use]
    pub fn messages(mut self, writer: impl Write + 'static) -> Session {
        self.messages = Box::new(writer);
        self
    }

    /// Who takes results and messages, in place of a form and its two writers.
    #[must_use]
    pub fn sink(mut self, sink: impl Sink + 'static) -> Session {
        self.sink = Some(Box::new(sink));
        self
    }

    /// With the warnings of the script's `warnf()`, as it is by default.
    #[must_use]
    pub fn warnings(mut self, warnings: bool) -> Session {
        self.warnings = warnings;
        self
    }

    /// Without the message that says how many probes were attached.
    #[must_use]
    pub fn quiet(mut self, quiet: bool) -> Session {
        self.quiet = quiet;
        self
    }

    /// With a message for each probe and each map.
    #[must_use]
    pub fn verbose(mut self, verbose: bool) -> Session {
        self.verbose = verbose;
        self
    }

    /// Loads, verifies and attaches everything, and leaves before anything fires.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Session {
        self.dry_run = dry_run;
        self
    }

    /// Whether maps that are not empty are printed at the end; they are by default.
    #[must_use]
    pub fn print_maps(mut self, print: bool) -> Session {
        self.print_maps = print;
        self
    }

    /// Whether it runs the script's benchmarks (`bench:NAME`) or its tests (`test:NAME`), between `BEGIN` and `END`, in place of its
    /// other probes.
    #[must_use]
    pub fn mode(mut self, mode: Option<Mode>) -> Session {
        self.mode = mode;
        self
    }

    /// Whether a line among the results says when all probes are attached ([`crate::sinks::NOTICE`]), for whoever waits for it.
    #[must_use]
    pub fn notify(mut self, notify: bool) -> Session {
        self.notify = notify;
        self
    }

    /// Whether JVMs that are traced are asked to write down what their code is called, before the first event and at the end.
    #[must_use]
    pub fn jvm_map(mut self, jvm_map: bool) -> Session {
        self.jvm_map = jvm_map;
        self
    }

    /// Which files with pictures are made of the stacks that maps hold, beside the results.
    #[must_use]
    pub fn pictures(mut self, pictures: Pictures) -> Session {
        self.pictures = pictures;
        self
    }

    /// Whether a line on the terminal that the standard error is says how it goes on: for how long, events, keys and losses. It is gone when
    /// anything is printed. Where the standard error is no terminal there is none.
    #[must_use]
    pub fn progress(mut self, progress: bool) -> Session {
        self.progress = progress;
        self
    }

    /// Runs the session until the script, its target or `stop` ends it.
    ///
    /// # Errors
    /// Everything that keeps it from beginning, and output that can't be written; a closed pipe is no error.
    pub fn run(self, stop: &Stop) -> Result<Outcome, Error> {
        Running::begin(self, stop)?.run()
    }
}

impl Session {
    /// Whose events are wanted.
    fn traced(&self) -> Traced {
        let process = self.target.process();
        let (process, tree) = match self.object.manifest.follows_children {
            true => (None, process),
            false => (process, None),
        };
        Traced {
            process,
            command: self.target.command(),
            tree,
        }
    }

    /// The sink, and the descriptor behind it if it is known.
    fn take_sink(&mut self) -> Result<(Box<dyn Sink>, Option<OwnedFd>), Error> {
        if let Some(sink) = self.sink.take() {
            return Ok((sink, None));
        }
        let nothing: Box<MakeOutput> = Box::new(|| Ok((Box::new(io::sink()), None)));
        let (results, fd) = std::mem::replace(&mut self.output, nothing)()?;
        let messages = std::mem::replace(&mut self.messages, Box::new(io::sink()));
        let terminal = fd.as_ref().and_then(|fd| fd.try_clone().ok());
        let writers = Writers {
            results,
            messages,
            columns: Box::new(move || terminal::columns(terminal.as_ref()?.as_fd())),
        };
        Ok(((self.form.sink)(writers), fd))
    }
}
