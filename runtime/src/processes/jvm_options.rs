//! What a JVM was told when it started: the options of its command line and of the variables that it reads.

use std::fs;

/// The option of JVMs whose compiled code keeps frame pointers.
pub const FRAME_POINTERS: &str = "-XX:+PreserveFramePointer";
/// That of JVMs that run no compiled code.
pub const INTERPRETED: &str = "-Xint";
/// That of JVMs that do not listen to whoever asks them, and print a dump of their threads when they are made to.
pub const DISABLED: &str = "-XX:+DisableAttachMechanism";

/// Whether a process that lives was told this. What it was told in a file is not known.
pub fn has(tgid: u32, option: &str) -> bool {
    ["cmdline", "environ"].iter().any(|name| {
        let text = fs::read(format!("/proc/{tgid}/{name}")).unwrap_or_default();
        says(&text, option.as_bytes())
    })
}

/// Whether an option is among the words of a text, or of the values in it.
fn says(text: &[u8], option: &[u8]) -> bool {
    let mut words = text.split(|byte| byte.is_ascii_whitespace() || matches!(byte, 0 | b'='));
    words.any(|word| word == option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_whole_words() {
        let text = b"java\0-Xint\0JAVA_TOOL_OPTIONS=-Da=b -XX:+PreserveFramePointer\0";
        assert!(says(text, b"-Xint") && says(text, FRAME_POINTERS.as_bytes()));
        assert!(!says(text, b"-Xin") && !says(text, DISABLED.as_bytes()));
        assert!(!has(std::process::id(), "-no-such-option"));
    }
}
