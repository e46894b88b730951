//! The programs and shared libraries that attach points name.
//!
//! In come a part of an attach point and facts, out come files and what is in them. Which places of a file are probed is left
//! to the providers.

use crate::facts::{Binary, Facts};
use crate::glob;
use pfscript_grammar::{Diagnostic, Spanned, escape};
use std::path::PathBuf;
use std::sync::Arc;

/// The files that were meant, read. Of a pattern, those that are programs or libraries.
pub(super) fn binaries(
    file: &Spanned<String>,
    facts: &dyn Facts,
) -> Result<Vec<(PathBuf, Arc<Binary>)>, Diagnostic> {
    let pattern = glob::is_pattern(&file.node);
    let mut found = Vec::new();
    let missing = || {
        let shown = escape(&file.node);
        match pattern {
            true => format!("no program or shared library matches `{shown}`"),
            false => format!("there is no program or shared library `{shown}`"),
        }
    };
    for path in facts.files(&file.node) {
        match facts.binary(&path) {
            Ok(binary) => found.push((path, binary)),
            Err(_) if pattern => {}
            Err(error) => return Err(error.diagnostic(file.span, missing)),
        }
    }
    if found.is_empty() {
        let help = match file.node.contains('/') || pattern {
            _ if matches!(file.node.as_str(), "" | "*") => {
                "where one process is followed (-p PID), this stands for the files that it has mapped"
            }
            true => "check the path; a relative one counts from the current folder",
            false => {
                "give its path, or the name of a program in PATH or of a library such as `libc`"
            }
        };
        return Err(Diagnostic::error(file.span, missing()).help(help));
    }
    Ok(found)
}

/// What stands in the files that a pattern names: `each` adds the names of one, which it is told as it was written.
pub(super) fn names_of(
    file: &str,
    facts: &dyn Facts,
    each: impl Fn(&str, &Binary, &mut Vec<String>),
) -> Vec<String> {
    let mut names = Vec::new();
    for path in facts.files(file) {
        let Ok(binary) = facts.binary(&path) else {
            continue;
        };
        // A library by its name, not by where it was found.
        let shown = match glob::is_pattern(file) || file.is_empty() {
            true => path.display().to_string(),
            false => file.to_owned(),
        };
        each(&shown, &binary, &mut names);
    }
    names.dedup();
    names
}
