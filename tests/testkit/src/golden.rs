//! Golden files: what a test expects, in a file beside its input.
//!
//! In come texts and the paths that they belong to. With the environment variable `UPDATE_GOLDEN` set the files are
//! written, for review as a diff; without it, differences are gathered, and the test fails with all of them at once.

use std::fs;
use std::path::Path;

/// The comparisons of one test.
#[derive(Debug, Default)]
#[must_use = "differences fail the test in `finish`"]
pub struct Golden {
    differences: Vec<String>,
}

impl Golden {
    /// None yet.
    pub fn new() -> Golden {
        Golden::default()
    }

    /// Compares a text with a file, or writes the file.
    pub fn check(&mut self, path: &Path, text: &str) {
        if updating() {
            let folder = path.parent().expect("a file is in a folder");
            fs::create_dir_all(folder).expect("the folder can be made");
            fs::write(path, text).expect("the file can be written");
        } else if fs::read_to_string(path).ok().as_deref() != Some(text) {
            self.differ(&format!("{} differs; it is now:\n{text}", path.display()));
        }
    }

    /// Fails if there is such a file, or removes it.
    pub fn absent(&mut self, path: &Path) {
        if path.exists() {
            if updating() {
                fs::remove_file(path).expect("the file can be removed");
            } else {
                self.differ(&format!("{} is of no use any more", path.display()));
            }
        }
    }

    /// Fails the test for a reason of its own.
    pub fn differ(&mut self, message: &str) {
        self.differences.push(message.to_owned());
    }

    /// Fails the test if anything differed.
    #[track_caller]
    pub fn finish(self) {
        assert!(
            self.differences.is_empty(),
            "{}\n(UPDATE_GOLDEN=1 accepts what is new)",
            self.differences.join("\n")
        );
    }
}

/// A listing of instructions without their numbers, of which all change when one instruction is added.
///
/// ```
/// let listing = "f\n   0: r0 = 0\n; x.pf:1: y\n   1: exit\n";
/// let bare = pfscript_testkit::golden::without_numbers(listing);
/// assert_eq!(bare, "f\n    r0 = 0\n; x.pf:1: y\n    exit\n");
/// ```
pub fn without_numbers(listing: &str) -> String {
    let bare = listing.lines().map(|line| match line.split_once(": ") {
        Some((number, text)) if number.trim_start().parse::<usize>().is_ok() => {
            format!("    {text}\n")
        }
        _ => format!("{line}\n"),
    });
    bare.collect()
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}
