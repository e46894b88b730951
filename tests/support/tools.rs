//! The tools that come with compilers, and what they do to files of ours.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a tool in a folder. Gives what it prints.
#[track_caller]
pub fn tool<A: AsRef<OsStr>>(folder: &Path, program: &str, arguments: &[A]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output();
    let output = output.unwrap_or_else(|error| panic!("can't run {program}: {error}"));
    assert!(output.status.success(), "{program} failed: {output:?}");
    String::from_utf8(output.stdout).expect("it prints text")
}

/// Takes the symbols out of a file, and puts them into one beside it: `NAME.debug`.
#[track_caller]
pub fn take_symbols(folder: &Path, name: &str) -> PathBuf {
    let symbols = format!("{name}.debug");
    tool(folder, "objcopy", &["--only-keep-debug", name, &symbols]);
    tool(folder, "strip", &[name]);
    folder.join(symbols)
}

/// The build id of a file, in hexadecimal.
#[track_caller]
pub fn build_id(file: &Path) -> String {
    let notes = tool(
        Path::new("/"),
        "readelf",
        &["-n".as_ref(), file.as_os_str()],
    );
    let id = notes
        .lines()
        .find_map(|line| line.trim().strip_prefix("Build ID: "));
    id.expect("it has a build id").to_owned()
}
