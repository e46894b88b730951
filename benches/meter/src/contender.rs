//! The programs that are measured.

use std::process::{Command, Stdio};

/// A program and how to run it.
pub struct Contender {
    pub name: &'static str,
    words: Vec<String>,
}

impl Contender {
    /// `command` is the program and perhaps arguments that go before all others, as of a wrapper.
    pub fn new(name: &'static str, command: &str) -> Contender {
        Contender {
            name,
            words: command.split_whitespace().map(str::to_owned).collect(),
        }
    }

    /// The command with arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut words = self.words.iter();
        let mut command = Command::new(words.next().map_or("", String::as_str));
        command.args(words).args(arguments).stdin(Stdio::null());
        command
    }

    /// The program itself, without the words of a wrapper.
    pub fn program(&self) -> &str {
        self.words.last().map_or("", String::as_str)
    }

    /// What it says of its version, or that it is not there.
    pub fn version(&self) -> String {
        match self.command(&["--version"]).output() {
            Ok(output) if output.status.success() => {
                let text = String::from_utf8_lossy(&output.stdout);
                text.lines().next().unwrap_or_default().to_owned()
            }
            _ => "not installed".to_owned(),
        }
    }

    /// Whether it can be run.
    pub fn installed(&self) -> bool {
        self.command(&["--version"])
            .output()
            .is_ok_and(|output| output.status.success())
    }
}
