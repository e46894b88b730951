//! The command that `-c` traces: split into words, forked before tracing begins, held until it may start.
//!
//! In comes a command line, or its words, out goes a child process that waits. It is no shell: nothing is expanded or
//! redirected. The command and all that it starts end with the tracer, however that ends: its guard (`sys::guard`) sees to
//! it.

use crate::error::{Error, ErrorKind};
use crate::runtimes::{self, Runtimes};
use crate::sys::{guard, process};
use std::ffi::{CString, OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// A process that waits to execute its program. Dropped, it is ended with all that it has started.
#[derive(Debug)]
pub struct Command {
    name: String,
    program: PathBuf,
    runtimes: Runtimes,
    pid: u32,
    pidfd: OwnedFd,
    gate: Option<OwnedFd>,
    failure: Option<OwnedFd>,
    status: Option<OwnedFd>,
    exit_status: Option<ExitStatus>,
    guard: Option<Guard>,
}

/// The process that ends the command.
#[derive(Debug)]
struct Guard {
    pid: u32,
    pidfd: OwnedFd,
    control: OwnedFd,
}

impl Command {
    /// Forks the child for a command line, split as a shell would (quotes and backslashes, nothing else).
    ///
    /// The command, and whatever it starts, lives no longer than the calling process.
    ///
    /// # Errors
    /// [`ErrorKind::Target`] if the line is empty or a quote is left open, or if the program is not found or not
    /// executable.
    pub fn parse(line: &str, runtimes: Runtimes) -> Result<Command, Error> {
        let words = split_words(line.as_bytes())
            .map_err(|problem| Error::new(ErrorKind::Target, format!("{problem} in `{line}`")))?;
        let words = words.into_iter().map(OsString::from_vec).collect();
        Command::new(words, runtimes)
    }

    /// Forks the child for a program and its arguments.
    ///
    /// # Errors
    /// As [`Command::parse`].
    pub fn new(words: Vec<OsString>, runtimes: Runtimes) -> Result<Command, Error> {
        let pipes = process::Pipes::new().map_err(|error| {
            Error::new(ErrorKind::Target, format!("can't start a command: {error}"))
        })?;
        Command::start(words, runtimes, pipes)
    }

    /// Forks the child for a line of a shell, and gives what it writes to its standard output.
    ///
    /// # Errors
    /// As [`Command::parse`].
    pub(crate) fn shell(line: Vec<u8>) -> Result<(Command, OwnedFd), Error> {
        let cannot =
            |error| Error::new(ErrorKind::Target, format!("can't start a command: {error}"));
        let mut pipes = process::Pipes::new().map_err(cannot)?;
        let (reader, writer) = process::pipe().map_err(cannot)?;
        let kept = reader.try_clone().map_err(cannot)?;
        pipes.output = Some((reader, writer));
        let words = ["/bin/sh".into(), "-c".into(), OsString::from_vec(line)];
        let command = Command::start(words.into(), Runtimes::AsTheyAre, pipes)?;
        Ok((command, kept))
    }

    fn start(
        words: Vec<OsString>,
        runtimes: Runtimes,
        pipes: process::Pipes,
    ) -> Result<Command, Error> {
        let Some(name) = words.first() else {
            return Err(Error::new(ErrorKind::Target, "the command to run is empty"));
        };
        let shown = name.to_string_lossy().into_owned();
        let path = find_program(name)?;
        let found = path.clone();
        let nul = |_| Error::new(ErrorKind::Target, format!("`{shown}` contains a zero byte"));
        let mut program = process::Program::new(
            CString::new(path.into_os_string().into_vec()).map_err(nul)?,
            words
                .iter()
                .map(|word| CString::new(word.as_bytes()))
                .collect::<Result<_, _>>()
                .map_err(nul)?,
        );
        if runtimes == Runtimes::Told {
            let variables = runtimes::environment(std::env::vars_os());
            let texts = variables.into_iter().map(|(mut text, value)| {
                text.push("=");
                text.push(value);
                CString::new(text.into_vec())
            });
            program = program.environment(texts.collect::<Result<_, _>>().map_err(nul)?);
        }
        let cannot =
            |error| Error::new(ErrorKind::Target, format!("can't start `{shown}`: {error}"));
        let guard = program.fork(&pipes).map_err(cannot)?;
        let guard_pidfd = process::pidfd(guard).map_err(cannot)?;
        // The children's ends close with what is left of the pipes.
        let process::Pipes {
            gate: (_, gate),
            failure: (failure, _),
            control: (_, control),
            status: (status, status_writer),
            output: _,
        } = pipes;
        drop(status_writer);
        let pid = match read_number(&status).map_err(cannot)? {
            Some(pid) if pid > 0 => pid as u32,
            Some(errno) => return Err(cannot(io::Error::from_raw_os_error(-errno))),
            None => return Err(cannot(io::ErrorKind::UnexpectedEof.into())),
        };
        let pidfd = process::pidfd(pid).map_err(cannot)?;
        Ok(Command {
            name: shown,
            program: found,
            runtimes,
            pid,
            pidfd,
            gate: Some(gate),
            failure: Some(failure),
            status: Some(status),
            exit_status: None,
            guard: Some(Guard {
                pid: guard,
                pidfd: guard_pidfd,
                control,
            }),
        })
    }

    /// The file that is executed.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The child's process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether its runtimes are told to name the code that they generate.
    pub(crate) fn runtimes(&self) -> Runtimes {
        self.runtimes
    }

    /// Becomes readable when the child ends.
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Lets the child execute its program, and waits until it does.
    ///
    /// # Errors
    /// [`ErrorKind::Target`] if the kernel can't execute the file.
    pub(crate) fn release(&mut self) -> Result<(), Error> {
        let Some(gate) = self.gate.take() else {
            return Ok(());
        };
        let cannot = |error| {
            Error::new(
                ErrorKind::Target,
                format!("can't execute `{}`: {error}", self.name),
            )
        };
        std::fs::File::from(gate).write_all(b"!").map_err(cannot)?;
        let mut number = Vec::new();
        if let Some(failure) = self.failure.take() {
            // Ends with exec, which closes the child's end, or with its death.
            std::fs::File::from(failure)
                .read_to_end(&mut number)
                .map_err(cannot)?;
        }
        match <[u8; 4]>::try_from(number.as_slice()) {
            Ok(bytes) => Err(cannot(std::io::Error::from_raw_os_error(
                i32::from_ne_bytes(bytes),
            ))),
            Err(_) => Ok(()),
        }
    }

    /// How the command ended, if it has ended by itself, before [`Command::end`].
    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        let ended = crate::sys::poll(&[self.pidfd.as_fd()], 0).is_ok_and(|ended| ended == [true]);
        if ended && let Some(status) = self.status.take() {
            // The guard writes it now, unless somebody has killed that.
            let status = read_number(&status).ok().flatten();
            self.exit_status = status.map(ExitStatus::from_raw);
        }
        self.exit_status
    }

    /// Ends the command and all that it has started, if anything is left of that: SIGTERM, and SIGKILL for what is still
    /// there two seconds later. A command that was never released sees its gate close and ends by itself.
    pub(crate) fn end(&mut self) {
        self.exit_status();
        // What it ends with from here on is not its own.
        self.status = None;
        self.gate = None;
        let Some(guard) = self.guard.take() else {
            return;
        };
        // If the guard is gone there is nobody to ask.
        let _ = std::fs::File::from(guard.control).write_all(&[guard::PLEASE]);
        let deadline = Instant::now() + Duration::from_millis(guard::END_MS as u64);
        while process::try_reap(guard.pid).is_none() && Instant::now() < deadline {
            // Interrupted waits go round again; an error can't be, with a descriptor of our own.
            let _ = crate::sys::poll(&[guard.pidfd.as_fd()], 100);
        }
    }
}

/// The next four bytes of a pipe, as a number; `None` at its end.
fn read_number(pipe: &OwnedFd) -> io::Result<Option<i32>> {
    let mut bytes = [0; 4];
    match std::fs::File::from(pipe.try_clone()?).read_exact(&mut bytes) {
        Ok(()) => Ok(Some(i32::from_ne_bytes(bytes))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        self.end();
    }
}

/// The file that a command's first word names, searched in `PATH` if it has no slash.
fn find_program(name: &OsStr) -> Result<PathBuf, Error> {
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return match executable(&path) {
            Ok(()) => Ok(path),
            Err(why) => Err(Error::new(
                ErrorKind::Target,
                format!("can't execute `{}`: {why}", path.display()),
            )),
        };
    }
    let search = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"));
    std::env::split_paths(&search)
        .map(|folder| folder.join(name))
        .find(|path| executable(path).is_ok())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Target,
                format!(
                    "can't find the command `{}` in PATH",
                    name.to_string_lossy()
                ),
            )
        })
}

fn executable(path: &std::path::Path) -> Result<(), String> {
    let meta = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        _ => error.to_string(),
    })?;
    if meta.is_dir() {
        return Err("it is a directory".to_owned());
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return Err("it is not executable".to_owned());
    }
    Ok(())
}

/// Splits a command line at blanks; `'…'` is kept as it is, `"…"` too but for `\"`, `\\`, `\$` and `` \` ``, and a
/// backslash elsewhere takes the next byte as it is. Nothing is expanded.
fn split_words(line: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut bytes = line.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\n' => words.extend(word.take()),
            b'\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match bytes.next() {
                        Some(b'\'') => break,
                        Some(byte) => word.push(byte),
                        None => return Err("unclosed single quote"),
                    }
                }
            }
            b'"' => {
                let word = word.get_or_insert_default();
                loop {
                    match bytes.next() {
                        Some(b'"') => break,
                        Some(b'\\') => match bytes.next() {
                            Some(byte @ (b'"' | b'\\' | b'$' | b'`')) => word.push(byte),
                            Some(byte) => word.extend([b'\\', byte]),
                            None => return Err("unclosed double quote"),
                        },
                        Some(byte) => word.push(byte),
                        None => return Err("unclosed double quote"),
                    }
                }
            }
            b'\\' => match bytes.next() {
                Some(byte) => word.get_or_insert_default().push(byte),
                None => return Err("nothing follows the last backslash"),
            },
            byte => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split_words(line.as_bytes())
            .unwrap()
            .into_iter()
            .map(|word| String::from_utf8(word).unwrap())
            .collect()
    }

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        assert_eq!(words("  ls -l  /tmp "), ["ls", "-l", "/tmp"]);
        assert_eq!(words(r#"sh -c "exit 5""#), ["sh", "-c", "exit 5"]);
        assert_eq!(
            words(r#"a 'b "c" \d' e\ f "" g"h"'i'"#),
            ["a", r#"b "c" \d"#, "e f", "", "ghi"]
        );
        assert_eq!(words(r#""a\"b\\c\n""#), [r#"a"b\c\n"#]);
        assert!(words("").is_empty());
    }

    #[test]
    fn open_quotes_are_errors() {
        for line in ["'a", "\"a", "a\\", "\"a\\"] {
            assert!(split_words(line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_executed_is_an_error_before_anything_starts() {
        let message = |line: &str| {
            Command::parse(line, Runtimes::AsTheyAre)
                .unwrap_err()
                .message
        };
        assert_eq!(
            message("no-such-command-here a"),
            "can't find the command `no-such-command-here` in PATH"
        );
        assert_eq!(
            message("/no/such/file"),
            "can't execute `/no/such/file`: no such file"
        );
        assert_eq!(message("/"), "can't execute `/`: it is a directory");
        assert_eq!(
            message("/etc/passwd"),
            "can't execute `/etc/passwd`: it is not executable"
        );
        assert_eq!(message(" "), "the command to run is empty");
    }

    #[test]
    fn the_child_waits_for_its_release() {
        let mut command = Command::parse("true", Runtimes::AsTheyAre).unwrap();
        let comm = std::fs::read_to_string(format!("/proc/{}/comm", command.pid())).unwrap();
        assert_ne!(comm.trim(), "true");
        assert_eq!(command.exit_status(), None);
        command.release().unwrap();
        crate::sys::poll(&[command.pidfd()], 60_000).unwrap();
        assert!(command.exit_status().unwrap().success());
    }

    #[test]
    fn a_child_that_is_not_released_ends_with_its_command() {
        let command = Command::parse("sleep 1000", Runtimes::AsTheyAre).unwrap();
        let pid = command.pid();
        let pidfd = process::pidfd(pid).unwrap();
        drop(command);
        assert_eq!(crate::sys::poll(&[pidfd.as_fd()], 0).unwrap(), [true]);
    }

    #[test]
    fn a_command_ends_with_all_that_it_has_started() {
        // A child, and a daemon in a session of its own, whose parent is gone.
        let line = "sh -c 'setsid sh -c \"sleep 1000 & sleep 1000 &\" & sleep 1000 & wait'";
        let mut command = Command::parse(line, Runtimes::AsTheyAre).unwrap();
        command.release().unwrap();
        let guard = command.guard.as_ref().unwrap().pid;
        let below = |parent: u32| -> Vec<u32> {
            let path = format!("/proc/{parent}/task/{parent}/children");
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.split(' ').filter_map(|pid| pid.parse().ok()).collect()
        };
        // The command, its child, and what the daemon left behind.
        let all = loop {
            let all = [below(guard), below(command.pid())].concat();
            if all.len() == 4 {
                break all;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let pidfds: Vec<_> = all
            .iter()
            .map(|pid| process::pidfd(*pid).unwrap())
            .collect();
        command.end();
        for pidfd in pidfds {
            assert_eq!(crate::sys::poll(&[pidfd.as_fd()], 0).unwrap(), [true]);
        }
        assert_eq!(command.exit_status(), None, "it did not end by itself");
    }
}
