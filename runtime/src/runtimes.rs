//! What runtimes with just-in-time compilers must be told, in the environment of a command, so that its stacks are whole and their
//! frames have names: to keep frame pointers, and to write down what generated code is called (`/tmp/perf-PID.map`).
//!
//! In comes the tracer's environment, out goes the command's. What is there already stays, and comes first.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

/// Whether the runtimes of a command are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Runtimes {
    /// The command has the tracer's environment.
    #[default]
    AsTheyAre,
    /// With what is said here.
    Told,
}

/// Variables that runtimes read options from, and the options.
const TOLD: [(&str, &[&str]); 2] = [
    // Without the second, functions that are interpreted have the name of the interpreter.
    (
        "NODE_OPTIONS",
        &["--perf-basic-prof", "--interpreted-frames-native-stack"],
    ),
    // Read by every JVM, where JDK_JAVA_OPTIONS is by `java` alone. Both say so on standard error. JVMs that do not know an option
    // yet, as those before 17 the last one, are not to end over it.
    (
        "JAVA_TOOL_OPTIONS",
        &[
            "-XX:+IgnoreUnrecognizedVMOptions",
            "-XX:+PreserveFramePointer",
            "-XX:+UnlockDiagnosticVMOptions",
            "-XX:+DumpPerfMapAtExit",
        ],
    ),
];

/// An environment in which runtimes are told.
pub fn environment(
    own: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<(OsString, OsString)> {
    let mut variables: Vec<(OsString, OsString)> = own.into_iter().collect();
    for (name, options) in TOLD {
        let place = variables.iter().position(|(other, _)| other == name);
        let place = place.unwrap_or_else(|| {
            variables.push((name.into(), OsString::new()));
            variables.len() - 1
        });
        add(&mut variables[place].1, options);
    }
    variables
}

/// Adds the options that are not there yet.
fn add(value: &mut OsString, options: &[&str]) {
    for option in options {
        let mut words = value.as_bytes().split(u8::is_ascii_whitespace);
        if words.any(|word| word == option.as_bytes()) {
            continue;
        }
        if !value.is_empty() {
            value.push(OsStr::new(" "));
        }
        value.push(option);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(own: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = own.iter().map(|(name, value)| (name.into(), value.into()));
        let text = |text: OsString| text.into_string().unwrap();
        environment(own)
            .into_iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    #[test]
    fn what_is_there_comes_first_and_is_not_said_twice() {
        let all = told(&[
            ("PATH", "/bin"),
            ("NODE_OPTIONS", "--max-old-space-size=64 --perf-basic-prof"),
        ]);
        assert_eq!(all[0], ("PATH".to_owned(), "/bin".to_owned()));
        let node = "--max-old-space-size=64 --perf-basic-prof --interpreted-frames-native-stack";
        assert_eq!(all[1], ("NODE_OPTIONS".to_owned(), node.to_owned()));
        assert_eq!(all[2].0, "JAVA_TOOL_OPTIONS");
        assert!(all[2].1.contains(" -XX:+PreserveFramePointer "));
        let again: Vec<_> = all
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!(told(&again), all);
    }
}
