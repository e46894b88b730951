//! A real browser, without a window: opens a file and does in it what a person would, through the browser's debugging protocol.
//!
//! Messages are JSON, each ended by a zero byte, on two pipes of the browser's own (`--remote-debugging-pipe`).

use super::{LIMIT, MARK, Scratch};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What the browser may be called.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: File,
    messages: Receiver<Value>,
    number: u64,
    session: String,
    // Removed with the value.
    _profile: Scratch,
}

impl Browser {
    /// Opens a file; `None`, with a word on why, where there is no browser.
    pub fn open(file: &Path) -> Option<Browser> {
        let is_there = |name: &&&str| Command::new(name).arg("--version").output().is_ok();
        let Some(name) = NAMES.iter().find(is_there) else {
            println!("skip: Chromium is not installed");
            return None;
        };
        let profile = Scratch::new("browser");
        let (its_input, to) = std::io::pipe().expect("there are descriptors");
        let (from, its_output) = std::io::pipe().expect("there are descriptors");
        let ends: [OwnedFd; 2] = [its_input.into(), its_output.into()];
        let fds = ends.each_ref().map(|end| end.as_raw_fd());
        let mut command = Command::new(name);
        command
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--no-first-run",
                "--remote-debugging-pipe",
                "--window-size=1200,900",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env(MARK, std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        // SAFETY: only takes descriptors and integers, and fcntl(2) and dup2(2) may be called after fork.
        unsafe {
            command.pre_exec(move || {
                // First out of the way: one may be what the other is to become.
                let high = fds.map(|fd| libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 10));
                for (fd, place) in high.into_iter().zip([3, 4]) {
                    if libc::dup2(fd, place) < 0 {
                        return Err(std::io::Error::last_os_error());
                    }
                }
                Ok(())
            });
        }
        let child = command.spawn().expect("the browser can be started");
        drop(ends);
        let (sender, messages) = channel();
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut message = Vec::new();
            while from.read_until(0, &mut message).is_ok_and(|got| got > 0) {
                message.pop();
                let parsed = serde_json::from_slice(&message).expect("the browser speaks JSON");
                if sender.send(parsed).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser = Browser {
            child,
            to: File::from(OwnedFd::from(to)),
            messages,
            number: 0,
            session: String::new(),
            _profile: profile,
        };
        let url = format!("file://{}", file.display());
        let page = browser.call("Target.createTarget", json!({ "url": url }));
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach);
        browser.session = attached["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        browser.wait_for(&format!(
            "location.href.startsWith({url:?}) && document.readyState == 'complete'"
        ));
        Some(browser)
    }

    /// Calls a method of the protocol.
    #[track_caller]
    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).expect("the browser reads");
        loop {
            let answer = self
                .messages
                .recv_timeout(LIMIT)
                .expect("the browser answers");
            if answer["id"] == self.number {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// The value of an expression of JavaScript in the page.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true });
        let result = self.call("Runtime.evaluate", parameters);
        assert!(
            result["exceptionDetails"].is_null(),
            "{expression}: {result}"
        );
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn wait_for(&mut self, expression: &str) {
        let deadline = Instant::now() + LIMIT;
        while self.value(expression) != true {
            assert!(Instant::now() < deadline, "never true: {expression}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Clicks into the middle of what an expression gives.
    #[track_caller]
    pub fn click(&mut self, element: &str) {
        let place = format!(
            "(function (e) {{ e.scrollIntoView({{ block: 'center' }}); var r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})({element})"
        );
        let place = self.value(&place);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Types text into what has the focus.
    #[track_caller]
    pub fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // With all its own processes.
        // SAFETY: takes integers; the child is not reaped yet, so that the group is its own.
        unsafe { libc::kill(-(self.child.id() as i32), libc::SIGKILL) };
        let _ = self.child.wait();
    }
}
