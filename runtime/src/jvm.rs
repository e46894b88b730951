//! JVMs that run are asked to write down what their code is called: `/tmp/perf-PID.map`, by HotSpot's diagnostic command
//! `Compiler.perfmap` (JDK 17 and later).
//!
//! In come processes that have a JVM's library mapped, out goes whether each did it, or why not. Each is asked by a child of its own
//! (`sys/jvm_attach.rs`), all at the same time. A JVM that does not take SIGQUIT is never sent one, for that would end it.

use crate::processes::{jvm_options, proc_maps, proc_status};
use crate::sys::jvm_attach::{self, Machine, Stage};
use crate::sys::{self, process};
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

/// Processes that are asked at a time.
const AT_ONCE: usize = 64;

/// How long all may take together.
const LIMIT: Duration = Duration::from_secs(8);

/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 4096;

/// The protocol's version, a command, and its three arguments.
const REQUEST: &[u8] = b"1\0jcmd\0Compiler.perfmap\0\0\0";

/// Asks processes. Those that are gone have no result; of others the error completes a sentence about the process.
pub fn ask(processes: &[u32]) -> Vec<(u32, Result<(), String>)> {
    let end = Instant::now() + LIMIT;
    let mut results = Vec::new();
    for some in processes.chunks(AT_ONCE) {
        let asked: Vec<_> = some
            .iter()
            .filter_map(|tgid| Some((*tgid, begin(*tgid).transpose()?)))
            .collect();
        for (tgid, asked) in asked {
            results.push((tgid, asked.and_then(|asked| asked.answer(end))));
        }
    }
    results
}

/// A child that asks, and what it reports.
struct Asked {
    child: u32,
    report: OwnedFd,
}

/// Begins to ask a process; `None` if it is gone.
fn begin(tgid: u32) -> Result<Option<Asked>, String> {
    // From here on nothing that is sent comes to another process.
    let Ok(pidfd) = process::pidfd(tgid) else {
        return Ok(None);
    };
    let Ok(status) = proc_status::read(tgid) else {
        return Ok(None);
    };
    let mappings =
        proc_maps::read(tgid).map_err(|error| format!("can't see its memory: {error}"))?;
    // OpenJ9's library has the same name.
    let has = |part: &[u8]| {
        let mut paths = mappings.iter().map(|mapping| &mapping.file.path);
        paths.any(|path| path.windows(part.len()).any(|there| there == part))
    };
    if has(b"/libj9vm") {
        return Err("it is OpenJ9, which has no such command".to_owned());
    }
    if status.caught & 1 << (libc::SIGQUIT - 1) == 0 {
        return Err("it takes no SIGQUIT, by which JVMs are asked (-Xrs)".to_owned());
    }
    if jvm_options::has(tgid, jvm_options::DISABLED) {
        return Err("it is not to be asked (-XX:+DisableAttachMechanism)".to_owned());
    }
    let root = root_of(tgid).map_err(|error| format!("can't see its files: {error}"))?;
    let cannot = |error: io::Error| format!("can't ask it: {error}");
    let path = |name: String| CString::new(name).unwrap_or_default();
    let inner = status.inner_pid;
    let (reader, writer) = process::pipe().map_err(cannot)?;
    let child = jvm_attach::fork(
        &Machine {
            pid: tgid,
            pidfd: pidfd.as_fd(),
            root: root.as_ref().map(|root| root.as_fd()),
            user: status.user,
            group: status.group,
            socket: &path(format!("/tmp/.java_pid{inner}")),
            trigger: &path(format!("/tmp/.attach_pid{inner}")),
            output: &path(format!("/tmp/perf-{inner}.map")),
            request: REQUEST,
        },
        &writer,
    );
    Ok(Some(Asked {
        child: child.map_err(cannot)?,
        report: reader,
    }))
}

/// The root folder of a process, if it is another one than ours.
fn root_of(tgid: u32) -> io::Result<Option<OwnedFd>> {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt"));
    let root = process::open_folder_beneath(&CString::new(format!("/proc/{tgid}/root"))?, c"/")?;
    let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
    let is_ours = namespace("self")? == namespace(&tgid.to_string())?
        && identity(File::from(root.try_clone()?).metadata()?) == identity(fs::metadata("/")?);
    Ok((!is_ours).then_some(root))
}

impl Asked {
    /// Waits for the answer, until `end` at most.
    fn answer(self, end: Instant) -> Result<(), String> {
        let mut report = Vec::new();
        let mut piece = [0; 512];
        let mut pipe = File::from(self.report.try_clone().map_err(|error| error.to_string())?);
        while report.len() < MAX_ANSWER {
            let left = end.saturating_duration_since(Instant::now()).as_millis();
            let ready = sys::poll(&[self.report.as_fd()], left as i32).unwrap_or_default();
            match ready.first() {
                Some(true) => {}
                // Interrupted, or nothing came.
                _ if left > 0 => continue,
                _ => break,
            }
            match pipe.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(got) => report.extend_from_slice(&piece[..got]),
            }
        }
        outcome(&report)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        process::end_child(self.child);
    }
}

/// What a child's report says: the stage, an `errno`, and the answer.
fn outcome(report: &[u8]) -> Result<(), String> {
    let silent = || Err("it did not answer in time".to_owned());
    let Some((&[stage, a, b, c, d], answer)) = report.split_first_chunk() else {
        return silent();
    };
    let errno = i32::from_ne_bytes([a, b, c, d]);
    let why = |what: &str| {
        let error = io::Error::from_raw_os_error(errno);
        Err(format!("{what}: {error}"))
    };
    match Stage::from_byte(stage) {
        Some(Stage::Entering) => why("can't act as its user"),
        Some(Stage::Output) => Err("its /tmp/perf-PID.map is not a file of its own".to_owned()),
        Some(Stage::Triggering) => why("can't have it listen"),
        Some(Stage::Foreign) => Err("its socket /tmp/.java_pidPID is not its own".to_owned()),
        Some(Stage::Asking) => why("can't ask it"),
        Some(Stage::Listening) | None => silent(),
        Some(Stage::Answered) => said(&String::from_utf8_lossy(answer)),
    }
}

/// What a JVM's answer says: a number, 0 if all is well, and text.
fn said(answer: &str) -> Result<(), String> {
    let (number, text) = answer.split_once('\n').unwrap_or((answer, ""));
    match number {
        "0" => Ok(()),
        "" => Err("it did not answer in time".to_owned()),
        _ => {
            let line = text.lines().find(|line| !line.trim().is_empty());
            Err(format!("it answers \"{}\"", line.unwrap_or(number).trim()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(stage: Stage, errno: i32, answer: &str) -> Result<(), String> {
        let mut bytes = vec![stage as u8];
        bytes.extend(errno.to_ne_bytes());
        bytes.extend(answer.bytes());
        outcome(&bytes)
    }

    #[test]
    fn answers_are_told_apart() {
        assert_eq!(report(Stage::Answered, 0, "0\n"), Ok(()));
        assert_eq!(report(Stage::Answered, 0, "0"), Ok(()));
        let unknown = report(Stage::Answered, 0, "1\nUnknown diagnostic command\nmore");
        assert_eq!(
            unknown.unwrap_err(),
            "it answers \"Unknown diagnostic command\""
        );
        let old = report(Stage::Answered, 0, "101");
        assert_eq!(old.unwrap_err(), "it answers \"101\"");
        let entering = report(Stage::Entering, libc::EPERM, "");
        assert!(entering.unwrap_err().starts_with("can't act as its user: "));
        for nothing in [&b""[..], b"\x06", b"\xff\0\0\0\0"] {
            assert_eq!(outcome(nothing).unwrap_err(), "it did not answer in time");
        }
        assert!(report(Stage::Answered, 0, "").is_err());
    }

    #[test]
    fn processes_that_take_no_sigquit_are_left_alone() {
        let mut sleep = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let results = ask(&[sleep.id(), u32::MAX]);
        assert_eq!(results.len(), 1);
        assert!(results[0].1.as_ref().unwrap_err().contains("SIGQUIT"));
        assert!(sleep.try_wait().unwrap().is_none());
        sleep.kill().unwrap();
        sleep.wait().unwrap();
    }
}
