//! What a script prints that is not its own: files, and what commands write.
//!
//! In come a path or a command, out go events for the sink. Both are bounded, in what is read of a file, and in how long a command
//! may go on once the session is to end.

use crate::command::Command;
use crate::error::Halt;
use crate::results::Event;
use crate::sinks::Sink;
use crate::stop::Stop;
use crate::sys;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

/// The longest piece of a command's output that is printed at once, in bytes.
const PIECE: usize = 64 << 10;
/// How long a command may go on once the session is to end.
const GRACE: Duration = Duration::from_secs(5);

/// Prints the first `most` bytes of a file, or says why it can't.
///
/// # Errors
/// If the sink refuses.
pub fn cat(path: &[u8], most: u32, sink: &mut dyn Sink) -> Result<(), Halt> {
    match beginning(path, most) {
        Ok(text) => sink.event(&Event::File(text))?,
        Err(error) => {
            // Without the number, as bpftrace says it.
            let text = error.to_string();
            let why = text.split(" (os error").next().unwrap_or(&text);
            let path = String::from_utf8_lossy(path);
            let text = format!("ERROR: failed to open file '{path}' ({why})");
            sink.event(&Event::Message(&text))?;
        }
    }
    Ok(())
}

/// Reads the beginning of a file. Pipes and devices, which may have no end or never answer, are refused.
fn beginning(path: &[u8], most: u32) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(OsStr::from_bytes(path))?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    if !kind.is_file() {
        return Err(io::Error::other("Not a regular file"));
    }
    let mut text = Vec::new();
    file.take(most.into()).read_to_end(&mut text)?;
    Ok(text)
}

/// Runs a command in a shell until it ends, and prints what it writes. What it has started ends with it.
///
/// # Errors
/// If the sink refuses.
pub fn system(line: Vec<u8>, stop: &Stop, sink: &mut dyn Sink) -> Result<(), Halt> {
    // What is printed already comes first, also where the command writes past the session.
    sink.flush()?;
    let (mut command, output) = match Command::shell(line) {
        Ok(started) => started,
        Err(error) => return Ok(sink.event(&Event::Message(&format!("ERROR: {error}")))?),
    };
    if let Err(error) = command.release() {
        return Ok(sink.event(&Event::Message(&format!("ERROR: {error}")))?);
    }
    let ended = follow(&command, output, stop, sink)?;
    let status = command.exit_status();
    command.end();
    let text = match status.map(|status| (status, status.code())) {
        _ if !ended => format!(
            "ERROR: a command was ended, since it went on for {} s after the session's end",
            GRACE.as_secs()
        ),
        None | Some((_, Some(0))) => return Ok(()),
        Some((_, Some(code))) => format!("ERROR: command exited with code {code}"),
        Some((status, None)) => format!("ERROR: command was ended by {status}"),
    };
    Ok(sink.event(&Event::Message(&text))?)
}

/// Prints what a command writes until it ends; gives whether it did so by itself.
fn follow(
    command: &Command,
    output: OwnedFd,
    stop: &Stop,
    sink: &mut dyn Sink,
) -> Result<bool, Halt> {
    let mut output = File::from(output);
    let mut piece = Vec::new();
    let mut deadline: Option<Instant> = None;
    let mut open = true;
    loop {
        let mut fds: Vec<BorrowedFd<'_>> = vec![command.pidfd()];
        fds.extend(open.then(|| output.as_fd()));
        let timeout = match deadline {
            Some(deadline) => deadline.saturating_duration_since(Instant::now()),
            None => {
                fds.extend(stop.fds());
                Duration::MAX
            }
        };
        let timeout_ms = i32::try_from(timeout.as_millis()).map_or(-1, |ms| ms.saturating_add(1));
        let ready = sys::poll(&fds, timeout_ms).unwrap_or_default();
        let at = |index: usize| ready.get(index) == Some(&true);
        let (ended, readable) = (at(0), open && at(1));
        let to_end = ready.iter().skip(1 + usize::from(open)).any(|ready| *ready);
        if readable {
            open = read(&mut output, &mut piece)? > 0;
            print(&mut piece, !open, sink)?;
        } else if ended {
            // All that the command wrote comes before its end.
            print(&mut piece, true, sink)?;
            return Ok(true);
        }
        match deadline {
            None if to_end => {
                deadline = Some(Instant::now() + GRACE);
            }
            Some(deadline) if Instant::now() >= deadline => {
                print(&mut piece, true, sink)?;
                return Ok(false);
            }
            _ => {}
        }
    }
}

/// Appends what can be read at once; 0 at the end.
fn read(from: &mut File, piece: &mut Vec<u8>) -> Result<usize, Halt> {
    let begin = piece.len();
    piece.resize(begin + 4096, 0);
    let got = from.read(&mut piece[begin..]).unwrap_or(0);
    piece.truncate(begin + got);
    Ok(got)
}

/// Prints whole lines, or all that there is if it is much or nothing follows.
fn print(piece: &mut Vec<u8>, all: bool, sink: &mut dyn Sink) -> Result<(), Halt> {
    let whole = match piece.iter().rposition(|byte| *byte == b'\n') {
        _ if all || piece.len() >= PIECE => piece.len(),
        Some(last) => last + 1,
        None => 0,
    };
    if whole > 0 {
        let rest = piece.split_off(whole);
        sink.event(&Event::Command(std::mem::replace(piece, rest)))?;
        sink.flush()?;
    }
    Ok(())
}
