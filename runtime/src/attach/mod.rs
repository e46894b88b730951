//! Attaching programs: in come loaded programs and their sites, out comes [`Attached`], which holds what keeps them
//! attached.
//!
//! [`open`] opens all events without letting any fire; [`Attached::enable`] then starts them together: events that run
//! their program as soon as they have it get it only then, while others have it early and are enabled. Links that need no
//! event are made only then too. All descriptors close on exec and with the value, so that nothing outlives the process.
//! How an event is opened is in `perf_event`, what a link is in `link`, programs without events are in `once`. None of
//! this knows providers or the language.

mod errors;
mod link;
mod once;
mod perf_event;
mod places;

pub use once::run_once;

use crate::error::{Error, ErrorKind};
use crate::load::Loaded;
use crate::sys::{self, perf};
use aya_obj::generated::{perf_sw_ids, perf_type_id};
use errors::refused;
use perf_event::Events;
pub use perf_event::Traced;
use pfscript_compiler::ir::ProbeId;
use pfscript_compiler::manifest::{Attach, Manifest, ProbeManifest};
use pfscript_compiler::program::Mechanism;
use std::collections::HashSet;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// How an event is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// By the ioctl.
    Enable,
    /// By the command's exec; nothing to do.
    OnExec,
    /// By giving it its program, which finds its site by the cookie, if it asks for it.
    Program { probe: ProbeId, cookie: Option<u64> },
}

/// An event that is open.
#[derive(Debug)]
struct Opened {
    /// Closed first.
    link: Option<OwnedFd>,
    event: OwnedFd,
    start: Start,
}

/// Sites of a probe that are attached without an event, by one link: one, or all that are in a file ([`places`]).
#[derive(Debug)]
struct Linked {
    probe: ProbeId,
    /// Each with its cookie, if it has one.
    sites: Vec<(usize, Option<u64>)>,
    /// Once it is started.
    link: Option<OwnedFd>,
}

/// So many links are closed at a time.
const LINKS_AT_ONCE: usize = 16;

/// What keeps programs attached.
#[derive(Debug, Default)]
pub struct Attached {
    events: Vec<Opened>,
    links: Vec<Linked>,
    points: usize,
    notes: Vec<String>,
    stopped: bool,
}

impl Attached {
    /// How many attach points they are.
    pub fn points(&self) -> usize {
        self.points
    }

    /// What the user should know of how they were taken.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Starts all events and makes all links.
    ///
    /// # Errors
    /// [`ErrorKind::Attach`] with the kernel's reason.
    pub fn enable(&mut self, loaded: &Loaded, manifest: &Manifest) -> Result<(), Error> {
        for opened in &mut self.events {
            let event = opened.event.as_fd();
            match opened.start {
                Start::Enable => perf::enable(event).map_err(|error| {
                    Error::new(ErrorKind::Attach, format!("can't start an event: {error}"))
                })?,
                Start::OnExec => {}
                Start::Program { probe, cookie } => {
                    let info = &manifest.probes[probe];
                    match cookie {
                        None => set_program(event, program(loaded, probe)?, info)?,
                        Some(cookie) => {
                            let link = link::perf(event, program(loaded, probe)?, cookie, info)?;
                            opened.link = Some(link);
                        }
                    }
                }
            }
        }
        for linked in &mut self.links {
            let info = &manifest.probes[linked.probe];
            let program = program(loaded, linked.probe)?;
            let link = match &linked.sites[..] {
                sites if loaded.links_at_once(linked.probe) => places::link(info, sites, program)?,
                [(site, cookie)] if let Some(site) = info.sites.get(*site) => {
                    link::direct(&site.attach, program, *cookie, info)?
                }
                _ => continue,
            };
            linked.link = Some(link);
        }
        Ok(())
    }

    /// Stops all programs for good: when it returns, none runs any more. Where detaching them takes long, that is left to
    /// be done.
    pub fn stop(&mut self, loaded: &Loaded) {
        if self.stopped {
            return;
        }
        self.stopped = true;
        self.disable();
        if loaded.stop_programs() {
            sys::wait_for_programs();
        } else {
            self.detach();
        }
    }

    /// Whether programs are attached.
    pub fn is_attached(&self) -> bool {
        !self.events.is_empty() || !self.links.is_empty()
    }

    fn disable(&self) {
        for opened in &self.events {
            match opened.start {
                // Stop them all before closing any takes its time; a failure shows in the closing too.
                Start::Enable | Start::OnExec => drop(perf::disable(opened.event.as_fd())),
                // These run until they are closed.
                Start::Program { .. } => {}
            }
        }
    }

    /// Has a site linked when all are started, with those of its probe that are in the same file, if these are linked together.
    fn link(&mut self, info: &ProbeManifest, probe: ProbeId, site: usize, cookie: Option<u64>) {
        let file = |site: usize| match info.sites.get(site).map(|site| &site.attach) {
            Some(Attach::Uprobe { path, .. }) => Some(path),
            _ => None,
        };
        let own = file(site);
        let mut links = self.links.iter_mut().rev();
        let same = links.find(|link| {
            let of_file = link.sites.first().and_then(|(site, _)| file(*site));
            link.probe == probe && own.is_some() && of_file == own
        });
        match same {
            Some(link) => link.sites.push((site, cookie)),
            None => self.links.push(Linked {
                probe,
                sites: vec![(site, cookie)],
                link: None,
            }),
        }
    }

    /// Detaches all programs.
    pub fn detach(&mut self) {
        self.detach_each(|_| ());
    }

    /// The same one after another; `tell` is called before each of them, with how many are left.
    pub fn detach_each(&mut self, mut tell: impl FnMut(usize)) {
        self.disable();
        let links = self.links.len();
        while !self.events.is_empty() {
            tell(links + self.events.len());
            self.events.pop();
        }
        while !self.links.is_empty() {
            tell(self.links.len());
            let rest = self.links.len().saturating_sub(LINKS_AT_ONCE);
            let links = self.links.split_off(rest);
            // Each waits for the kernel, which waits for several at a time as long as for one.
            std::thread::scope(|scope| {
                for linked in links {
                    // What has no thread is closed here.
                    drop(std::thread::Builder::new().spawn_scoped(scope, || drop(linked)));
                }
            });
        }
    }
}

/// The probes whose places in files are to be linked together, in [`Loaded`] ([`places`]).
pub fn at_once(manifest: &Manifest, traced: Traced) -> HashSet<ProbeId> {
    places::at_once(manifest, traced.process.is_some())
}

/// Opens the events of all probes, for what is traced.
///
/// # Errors
/// [`ErrorKind::Permission`] or [`ErrorKind::Attach`], naming the attach point and what the kernel's answer means.
pub fn open(loaded: &Loaded, manifest: &Manifest, traced: Traced) -> Result<Attached, Error> {
    let events = Events::new(traced);
    let mut attached = Attached::default();
    for (probe, row) in in_order(manifest) {
        let info = &manifest.probes[probe];
        let mechanism = info.kind.info().mechanism;
        if let Some(site) = info.sites.get(row as usize) {
            let cookie = info.rows.map(|first| u64::from(first + row));
            let early = match mechanism {
                Mechanism::Once => {
                    // It is there as long as the session, and is to be waited for.
                    attached.points += usize::from(matches!(site.attach, Attach::Signal { .. }));
                    continue;
                }
                Mechanism::PerfEvent => Some(program(loaded, probe)?),
                Mechanism::PerfLink => None,
                Mechanism::Link => {
                    attached.link(info, probe, row as usize, cookie);
                    attached.points += 1;
                    continue;
                }
            };
            // A marker may be in several places, and is one.
            let before = row
                .checked_sub(1)
                .and_then(|row| info.sites.get(row as usize));
            if before.is_none_or(|before| before.name != site.name) {
                attached.points += 1;
            }
            if loaded.links_at_once(probe) {
                attached.link(info, probe, row as usize, cookie);
                continue;
            }
            for (event, on_exec) in events.open(&site.attach, info)? {
                let start = match early {
                    Some(program) => {
                        set_program(event.as_fd(), program, info)?;
                        if on_exec {
                            Start::OnExec
                        } else {
                            Start::Enable
                        }
                    }
                    None => Start::Program { probe, cookie },
                };
                attached.events.push(Opened {
                    link: None,
                    event,
                    start,
                });
            }
        }
    }
    attached.notes.extend(events.into_notes());
    Ok(attached)
}

/// The sites of all probes, each by its number within the probe, in the order in which they are to be attached so that
/// those on one event run in the script's order.
fn in_order(manifest: &Manifest) -> Vec<(ProbeId, u32)> {
    let all = manifest.probes.iter().flat_map(|(probe, info)| {
        let sites = (0..).zip(&info.sites);
        sites.map(move |(row, site)| (probe, row, latest_runs_first(&site.attach)))
    });
    let (mut latest_first, rest): (Vec<_>, Vec<_>) = all.partition(|&(.., latest)| latest);
    latest_first.reverse();
    latest_first
        .into_iter()
        .chain(rest)
        .map(|(probe, row, _)| (probe, row))
        .collect()
}

/// Whether the kernel runs what was attached to an event last before what was there.
fn latest_runs_first(attach: &Attach) -> bool {
    match attach {
        // Events are put at the head of their list: perf_swevent_add (kernel/events/core.c). Clocks are timers instead,
        // of which the first one started fires first.
        Attach::PerfEvent(event) => {
            event.event_type == perf_type_id::PERF_TYPE_SOFTWARE as u32
                && event.config != u64::from(perf_sw_ids::PERF_COUNT_SW_CPU_CLOCK as u32)
                && event.config != u64::from(perf_sw_ids::PERF_COUNT_SW_TASK_CLOCK as u32)
        }
        // A kprobe too: add_new_kprobe (kernel/kprobes.c). On return, those that ran last on entry come first, so that
        // entering in reverse is right.
        Attach::Kprobe { on_return, .. } => !on_return,
        // Put at the head of the list too, and that list is gone through on return as well: consumer_add
        // (kernel/events/uprobes.c).
        Attach::Uprobe { .. } => true,
        // One array of programs, in the order of attaching (bpf_prog_array_copy); one list by priority (func_add).
        Attach::Tracepoint { .. } | Attach::RawTracepoint { .. } => false,
        // Run one after the other by ourselves.
        Attach::Begin | Attach::End | Attach::Signal { .. } | Attach::Asked { .. } => false,
    }
}

/// The program of a probe.
///
/// # Errors
/// If there is none, which is a bug.
pub fn program(loaded: &Loaded, probe: ProbeId) -> Result<BorrowedFd<'_>, Error> {
    loaded
        .program(probe)
        .ok_or_else(|| Error::new(ErrorKind::Bug, format!("probe {probe:?} has no program")))
}

fn set_program(
    event: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    info: &ProbeManifest,
) -> Result<(), Error> {
    perf::set_program(event, program).map_err(|error| refused(&error, info))
}
