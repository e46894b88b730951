//! Attaching programs: one mechanism for each kind of [`Attach`].
//!
//! Everything but BEGIN and END goes through perf_event_open(2). [`open`] opens all events without letting any fire;
//! [`Attached::enable`] then starts them together: tracepoint and kprobe events run their program as soon as they have
//! it, so they get it only then, while others have it early and are enabled. All descriptors close on exec and with
//! the value, so that nothing outlives the process.

use crate::error::{Error, ErrorKind};
use crate::load::{Loaded, no_permission};
use crate::sys::{self, perf};
use aya_obj::generated::{perf_event_attr, perf_type_id};
use pfscript_compiler::ir::ProbeId;
use pfscript_compiler::manifest::{Attach, Manifest, PerfEvent, PerfScope, ProbeManifest, Sample};
use std::cell::OnceCell;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

/// How an event is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// By the ioctl.
    Enable,
    /// By the command's exec; nothing to do.
    OnExec,
    /// By giving it its program.
    SetProgram(ProbeId),
}

/// Events that are open.
#[derive(Debug, Default)]
pub struct Attached {
    events: Vec<(OwnedFd, Start)>,
    points: usize,
}

impl Attached {
    /// How many attach points they are.
    pub fn points(&self) -> usize {
        self.points
    }

    /// Starts all events.
    ///
    /// # Errors
    /// [`ErrorKind::Attach`] with the kernel's reason.
    pub fn enable(&self, loaded: &Loaded, manifest: &Manifest) -> Result<(), Error> {
        for (event, start) in &self.events {
            match *start {
                Start::Enable => perf::enable(event.as_fd()).map_err(|error| {
                    Error::new(ErrorKind::Attach, format!("can't start an event: {error}"))
                })?,
                Start::OnExec => {}
                Start::SetProgram(probe) => {
                    set_program(event.as_fd(), probe, loaded, &manifest.probes[probe])?;
                }
            }
        }
        Ok(())
    }

    /// Stops all events for good.
    pub fn detach(&mut self) {
        for (event, start) in &self.events {
            if !matches!(start, Start::SetProgram(_)) {
                // Stop them all before closing any takes its time; a failure shows in the closing too.
                let _ = perf::disable(event.as_fd());
            }
        }
        self.events.clear();
    }
}

/// Runs the `BEGIN` or `END` probes, in order.
///
/// # Errors
/// [`ErrorKind::Kernel`] if the kernel can't (before 5.10).
pub fn run_once(which: &Attach, loaded: &Loaded, manifest: &Manifest) -> Result<usize, Error> {
    let mut runs = 0;
    for (probe, info) in &manifest.probes {
        for _ in info.attach.iter().filter(|point| *point == which) {
            let program = program(loaded, probe)?;
            sys::bpf::run_program(program).map_err(|error| {
                Error::new(
                    ErrorKind::Kernel,
                    format!("can't run `{}`: {error}", info.name),
                )
                .with_help("running programs at will needs Linux 5.10 or newer")
                .at(info.span)
            })?;
            runs += 1;
        }
    }
    Ok(runs)
}

fn program(loaded: &Loaded, probe: ProbeId) -> Result<BorrowedFd<'_>, Error> {
    loaded
        .program(probe)
        .ok_or_else(|| Error::new(ErrorKind::Bug, format!("probe {probe:?} has no program")))
}

fn set_program(
    event: BorrowedFd<'_>,
    probe: ProbeId,
    loaded: &Loaded,
    info: &ProbeManifest,
) -> Result<(), Error> {
    perf::set_program(event, program(loaded, probe)?)
        .map_err(|error| refused(&error, info, &info.name))
}

/// Opens the events of all probes. Under a command (`command` is its process) events that count everywhere count in
/// its process tree only, from its exec on.
///
/// # Errors
/// [`ErrorKind::Permission`] or [`ErrorKind::Attach`], naming the attach point and what the kernel's answer means.
pub fn open(loaded: &Loaded, manifest: &Manifest, command: Option<u32>) -> Result<Attached, Error> {
    let mut opener = Opener {
        loaded,
        command,
        cpus: OnceCell::new(),
        tracefs: OnceCell::new(),
        kprobe: OnceCell::new(),
        out: Attached::default(),
    };
    sys::lift_open_files_limit();
    for (probe, info) in &manifest.probes {
        for point in &info.attach {
            opener.attach(probe, info, point)?;
        }
    }
    Ok(opener.out)
}

struct Opener<'a> {
    loaded: &'a Loaded,
    command: Option<u32>,
    cpus: OnceCell<Vec<u32>>,
    tracefs: OnceCell<&'static str>,
    kprobe: OnceCell<KprobeUnit>,
    out: Attached,
}

/// The kernel's dynamic event source for kprobes.
#[derive(Clone, Copy, Debug)]
struct KprobeUnit {
    event_type: u32,
    return_bit: u64,
}

impl Opener<'_> {
    fn attach(
        &mut self,
        probe: ProbeId,
        info: &ProbeManifest,
        point: &Attach,
    ) -> Result<(), Error> {
        match point {
            Attach::Begin | Attach::End => return Ok(()),
            Attach::PerfEvent(event) => self.perf_event(probe, info, event)?,
            Attach::Tracepoint { category, name } => {
                self.tracepoint(probe, info, category, name)?;
            }
            Attach::Kprobe {
                function,
                offset,
                on_return,
            } => self.kprobe(probe, info, function, *offset, *on_return)?,
        }
        self.out.points += 1;
        Ok(())
    }

    fn cpus(&self) -> Result<&[u32], Error> {
        if self.cpus.get().is_none() {
            let list = sys::online_cpus().map_err(|error| {
                Error::new(
                    ErrorKind::Kernel,
                    format!("can't read the list of CPUs from /sys: {error}"),
                )
            })?;
            let _ = self.cpus.set(list);
        }
        Ok(self.cpus.get().map_or(&[], Vec::as_slice))
    }

    fn perf_event(
        &mut self,
        probe: ProbeId,
        info: &ProbeManifest,
        event: &PerfEvent,
    ) -> Result<(), Error> {
        const ANY: i32 = -1;
        let mut attr = perf::attributes();
        attr.type_ = event.event_type;
        attr.config = event.config;
        attr.set_disabled(1);
        match event.sample {
            Sample::Period(period) => attr.__bindgen_anon_1.sample_period = period,
            Sample::Frequency(frequency) => {
                attr.__bindgen_anon_1.sample_freq = frequency;
                attr.set_freq(1);
            }
        }
        match (event.scope, self.command) {
            (PerfScope::EveryCpu, Some(pid)) => {
                // Threads and children of the command inherit the event, program included.
                attr.set_inherit(1);
                attr.set_enable_on_exec(1);
                self.open_event(probe, info, &attr, (pid as i32, ANY), Start::OnExec)
            }
            (PerfScope::EveryCpu, None) => {
                for cpu in self.cpus()?.to_vec() {
                    self.open_event(probe, info, &attr, (ANY, cpu as i32), Start::Enable)?;
                }
                Ok(())
            }
            (PerfScope::OneCpu, _) => {
                let cpu = self.first_cpu()?;
                self.open_event(probe, info, &attr, (ANY, cpu), Start::Enable)
            }
        }
    }

    fn open_event(
        &mut self,
        probe: ProbeId,
        info: &ProbeManifest,
        attr: &perf_event_attr,
        (pid, cpu): (i32, i32),
        start: Start,
    ) -> Result<(), Error> {
        let event =
            perf::open(attr, pid, cpu).map_err(|error| refused(&error, info, &info.name))?;
        if !matches!(start, Start::SetProgram(_)) {
            set_program(event.as_fd(), probe, self.loaded, info)?;
        }
        self.out.events.push((event, start));
        Ok(())
    }

    fn first_cpu(&self) -> Result<i32, Error> {
        Ok(self.cpus()?.first().copied().unwrap_or(0) as i32)
    }

    /// A tracepoint's program runs wherever the tracepoint fires, whatever CPU the event was opened for.
    fn tracepoint(
        &mut self,
        probe: ProbeId,
        info: &ProbeManifest,
        category: &str,
        name: &str,
    ) -> Result<(), Error> {
        let root = match self.tracefs.get() {
            Some(root) => root,
            None => {
                let root = tracefs().ok_or_else(|| {
                    Error::new(
                        ErrorKind::Attach,
                        format!("can't attach `{}`: tracefs is not mounted", info.name),
                    )
                    .with_help("mount it: mount -t tracefs nodev /sys/kernel/tracing")
                    .at(info.span)
                })?;
                self.tracefs.get_or_init(|| root)
            }
        };
        let path = format!("{root}/events/{category}/{name}/id");
        let id = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::new(
                ErrorKind::Attach,
                format!("there is no tracepoint {category}:{name}"),
            )
            .at(info.span),
            io::ErrorKind::PermissionDenied => {
                no_permission(&format!("read {path}"), "CAP_DAC_READ_SEARCH").at(info.span)
            }
            _ => Error::new(ErrorKind::Attach, format!("can't read {path}: {error}")).at(info.span),
        })?;
        let id = id.trim().parse::<u64>().map_err(|_| {
            Error::new(ErrorKind::Attach, format!("{path} holds no number")).at(info.span)
        })?;
        let mut attr = perf::attributes();
        attr.type_ = perf_type_id::PERF_TYPE_TRACEPOINT as u32;
        attr.config = id;
        attr.__bindgen_anon_1.sample_period = 1;
        attr.set_disabled(1);
        let cpu = self.first_cpu()?;
        self.open_event(probe, info, &attr, (-1, cpu), Start::SetProgram(probe))
    }

    fn kprobe(
        &mut self,
        probe: ProbeId,
        info: &ProbeManifest,
        function: &str,
        offset: u64,
        on_return: bool,
    ) -> Result<(), Error> {
        let unit = match self.kprobe.get() {
            Some(unit) => *unit,
            None => {
                let unit = kprobe_unit().ok_or_else(|| {
                    Error::new(
                        ErrorKind::Attach,
                        format!("can't attach `{}`: this kernel has no kprobes", info.name),
                    )
                    .with_help(
                        "kprobes need a kernel built with CONFIG_KPROBES and CONFIG_KPROBE_EVENTS",
                    )
                    .at(info.span)
                })?;
                *self.kprobe.get_or_init(|| unit)
            }
        };
        let name = CString::new(function)
            .map_err(|_| Error::new(ErrorKind::Bug, "a function's name holds a zero byte"))?;
        let mut attr = perf::attributes();
        attr.type_ = unit.event_type;
        attr.config = if on_return { unit.return_bit } else { 0 };
        attr.__bindgen_anon_3.kprobe_func = name.as_ptr() as u64;
        attr.__bindgen_anon_4.probe_offset = offset;
        attr.set_disabled(1);
        let cpu = self.first_cpu()?;
        self.open_event(probe, info, &attr, (-1, cpu), Start::SetProgram(probe))
    }
}

/// Where tracefs is mounted.
fn tracefs() -> Option<&'static str> {
    ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"]
        .into_iter()
        .find(|root| Path::new(root).join("events").exists())
}

fn kprobe_unit() -> Option<KprobeUnit> {
    const ROOT: &str = "/sys/bus/event_source/devices/kprobe";
    let event_type = std::fs::read_to_string(format!("{ROOT}/type")).ok()?;
    let bit = std::fs::read_to_string(format!("{ROOT}/format/retprobe")).ok()?;
    Some(KprobeUnit {
        event_type: event_type.trim().parse().ok()?,
        return_bit: 1_u64.checked_shl(bit.trim().strip_prefix("config:")?.parse().ok()?)?,
    })
}

/// What the kernel's refusal of an event means.
fn refused(error: &io::Error, info: &ProbeManifest, name: &str) -> Error {
    let attach = |why: &str| {
        Error::new(ErrorKind::Attach, format!("can't attach `{name}`: {why}")).at(info.span)
    };
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => {
            no_permission(&format!("attach `{name}`"), "CAP_PERFMON").at(info.span)
        }
        Some(libc::ENOENT) => attach("this machine has no such event").with_help(
            "virtual machines often lack hardware events; `software:` events are always there",
        ),
        Some(libc::EOPNOTSUPP) => attach("this machine does not support the event"),
        Some(libc::ENODEV) => attach("this machine has no device that counts it"),
        Some(libc::EMFILE | libc::ENFILE) => {
            attach("too many open files").with_help("raise the limit: ulimit -n 65536")
        }
        Some(libc::ESRCH) => attach("the process to trace is gone"),
        Some(libc::EADDRNOTAVAIL) => attach("the function can't be probed"),
        Some(libc::EINVAL) => attach("the kernel takes the event for invalid"),
        Some(libc::EBUSY) => attach("the event is in use"),
        _ => attach(&error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pfscript_compiler::manifest::ProgramType;
    use pfscript_grammar::Span;

    fn probe() -> ProbeManifest {
        ProbeManifest {
            symbol: "p0".into(),
            name: "hardware:cycles:100".into(),
            span: Span::new(0, 3),
            program: ProgramType::PerfEvent,
            attach: Vec::new(),
        }
    }

    #[test]
    fn refusals_are_explained() {
        let explain = |code| {
            refused(
                &io::Error::from_raw_os_error(code),
                &probe(),
                "hardware:cycles:100",
            )
        };
        assert_eq!(
            explain(libc::ENOENT).message,
            "can't attach `hardware:cycles:100`: this machine has no such event"
        );
        assert_eq!(explain(libc::EPERM).kind, ErrorKind::Permission);
        assert_eq!(explain(libc::EINVAL).span, Some(Span::new(0, 3)));
    }
}
