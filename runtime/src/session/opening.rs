//! What a session opens and fills before it begins: the event buffer, the process that it follows, what programs and loader
//! share.

use super::{Session, Target};
use crate::error::{Error, ErrorKind, kernel_error};
use crate::load::Loaded;
use crate::local_time;
use crate::processes::{Processes, Scope};
use crate::runtimes::Runtimes;
use crate::sys::script_signals::ScriptSignal;
use crate::sys::{self, process};
use crate::unwind_tables::UnwindTables;
use pfscript_compiler::manifest::{Attach, Globals, Manifest};
use pfscript_probes::abi::map;
use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;

/// Whether the session has what the script is about: a command.
///
/// # Errors
/// That it has not.
pub(super) fn fits(session: &Session) -> Result<(), Error> {
    let (manifest, target) = (&session.object.manifest, &session.target);
    if let (Some(span), None) = (manifest.needs_command, target.command()) {
        return Err(Error::new(ErrorKind::Target, "`cpid` needs a command")
            .with_help("start one with `-c COMMAND`")
            .at(span));
    }
    Ok(())
}

/// Tells the programs when tracing began and which command is traced.
///
/// # Errors
/// The kernel's, or that the object has no such map.
pub(super) fn fill_globals(loaded: &Loaded, target: &Target) -> Result<(), Error> {
    let missing = || {
        let message = format!("the object has no map `{}`", map::GLOBALS);
        Error::new(ErrorKind::Bug, message)
    };
    let map = loaded.map(map::GLOBALS).ok_or_else(missing)?;
    let command = target.command().unwrap_or(0);
    let (boot, tai) = (
        sys::clock_ns(libc::CLOCK_BOOTTIME),
        sys::clock_ns(libc::CLOCK_TAI),
    );
    let cpus = sys::possible_cpus().map_err(kernel_error("can't count the CPUs"))?;
    let mut value = vec![0; map.value_size()];
    for (place, number) in [
        (Globals::START, boot),
        (Globals::COMMAND, command.into()),
        (Globals::TAI_AHEAD, tai.wrapping_sub(boot)),
        (Globals::CPUS, cpus as u64),
        // Modulo 2^64, as programs add it.
        (Globals::REAL_AHEAD, local_time::real_ahead_ns() as u64),
    ] {
        let place = place as usize;
        value
            .get_mut(place..place + 8)
            .ok_or_else(missing)?
            .copy_from_slice(&number.to_le_bytes());
    }
    map.update(&0_u32.to_le_bytes(), &value)
        .map_err(kernel_error("can't fill the map of globals"))
}

/// Handlers for the signals that the script has probes of.
///
/// # Errors
/// The kernel's.
pub(super) fn script_signals(manifest: &Manifest) -> Result<Vec<ScriptSignal>, Error> {
    let points = manifest.probes.values().flat_map(|probe| probe.points());
    let numbers: BTreeSet<i32> = points
        .filter_map(|point| match point {
            Attach::Signal { number } => Some(*number),
            _ => None,
        })
        .collect();
    let signals = numbers.into_iter().map(ScriptSignal::install);
    signals
        .collect::<io::Result<_>>()
        .map_err(kernel_error("can't handle the signals of the script"))
}

/// The processes whose addresses are to be named, if the script has any; or those that leave files behind which nobody asked for, since
/// they were told to write them.
pub(super) fn scope(target: &Target, manifest: &Manifest) -> Option<Scope> {
    let probes = manifest.probes.values();
    let mut points = probes.flat_map(|probe| probe.points());
    let has_names = manifest.user_symbols;
    match target {
        Target::All => has_names.then_some(Scope::All),
        Target::Process(pid) => has_names.then_some(Scope::Process(*pid)),
        Target::Command(command) => {
            let is_told = command.runtimes() == Runtimes::Told;
            (has_names || is_told).then(|| Scope::Command {
                pid: command.pid(),
                runtimes: command.runtimes(),
                others: has_names && points.any(Attach::fires_in_any_process),
            })
        }
    }
}

/// Watches a process for its end.
///
/// # Errors
/// That there is none of that id, or the kernel's.
pub(super) fn open_process(pid: u32) -> Result<OwnedFd, Error> {
    process::pidfd(pid).map_err(|error| {
        let why = match error.raw_os_error() {
            Some(libc::ESRCH) => format!("there is no process {pid}"),
            Some(libc::EINVAL) => format!("{pid} is not a process: it may be a thread"),
            _ => format!("can't watch process {pid}: {error}"),
        };
        Error::new(ErrorKind::Target, why)
    })
}

/// Has tables made of what is known to be traced, while the session goes on to attach.
pub(super) fn make_tables(unwind: &UnwindTables, target: &Target, processes: &Processes) {
    match target {
        Target::Command(command) => unwind.add_program(command.program()),
        Target::Process(_) => {
            for (identity, file) in processes.opened_files() {
                unwind.add(identity, file);
            }
        }
        Target::All => unwind.add_common(),
    }
}
