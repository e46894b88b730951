//! A real terminal: tmux, without anybody who looks at it. What stands on its screen is what a person would see.

use super::{LIMIT, MARK, PFSCRIPT};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Stands below the output of a command that has ended, with its status behind it.
pub const ENDED: &str = "-- ended with";

/// A terminal in which a command runs, or has run.
#[derive(Debug)]
pub struct Terminal {
    /// The name of a server of its own.
    server: String,
}

impl Terminal {
    /// Runs pfscript in a terminal of so many columns, and 24 lines.
    pub fn run(columns: usize, arguments: &[&str]) -> Terminal {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let terminal = Terminal {
            server: format!("pfscript-{}-{number}", std::process::id()),
        };
        let columns = columns.to_string();
        // What it shows stays when the command has ended, and a line behind it says so. Ctrl-C is not for the shell.
        let shell = format!("trap : INT; \"$@\"; echo '{ENDED}' $?; sleep 600");
        let start = "-f /dev/null new-session -d -y 24 -x";
        let mut line: Vec<&str> = start.split(' ').collect();
        line.extend([&columns, "--", "sh", "-c", &shell, "sh", PFSCRIPT]);
        // A semicolon at the end of a word would end tmux's command.
        let escaped: Vec<String> = arguments
            .iter()
            .map(|word| match word.strip_suffix(';') {
                Some(start) => format!("{start}\\;"),
                None => (*word).to_owned(),
            })
            .collect();
        line.extend(escaped.iter().map(String::as_str));
        let started = terminal.tmux(&line);
        assert!(started.status.success(), "{started:?}");
        terminal
    }

    fn tmux(&self, words: &[&str]) -> Output {
        Command::new("tmux")
            .args(["-L", &self.server])
            .args(words)
            .env(MARK, std::process::id().to_string())
            .env_remove("TMUX")
            .env("LANG", "C.UTF-8")
            .output()
            .expect("tmux is installed")
    }

    /// What stands on the screen and what has gone out at its top, without blanks at the ends of lines.
    pub fn screen(&self) -> String {
        let shown = self.tmux(&["capture-pane", "-p", "-S", "-"]);
        String::from_utf8(shown.stdout).expect("tmux prints UTF-8")
    }

    /// Waits until the screen is as it should be. Gives it.
    #[track_caller]
    pub fn wait_for(&self, is_so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "never so:\n{screen}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the command has ended. Gives what stands on the screen then.
    #[track_caller]
    pub fn end(&self) -> String {
        self.wait_for(|screen| screen.contains(ENDED))
    }

    /// Presses a key, by tmux's name of it: `C-c`.
    pub fn press(&self, key: &str) {
        let pressed = self.tmux(&["send-keys", key]);
        assert!(pressed.status.success(), "{pressed:?}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
