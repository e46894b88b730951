//! Which options behind the name of a shipped script are the script's own: those that the command does not have.
//!
//! In come the words of a command line. Out go those for the command's parser, and the script's, such as `--all` or `--top=5`.
//! What the options mean is left to the parser and to the script (`getopt()`).

use clap::{Arg, Command};
use std::ffi::{OsStr, OsString};

/// A command line in two parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// For the command's parser.
    pub command: Vec<OsString>,
    /// The script's, in their order.
    pub script: Vec<OsString>,
}

/// How many of the words behind an option are its values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    One,
    /// Up to the end of the line.
    All,
}

fn takes(option: &Arg) -> Takes {
    let range = option.get_num_args().unwrap_or_default();
    match (range.takes_values(), range.max_values()) {
        (false, _) => Takes::Nothing,
        (true, 1) => Takes::One,
        (true, _) => Takes::All,
    }
}

/// Splits the words of a command line, of which the first is the program. `command` is built, and `is_shipped` says whether a
/// word in the script's place names a shipped script.
pub fn split(
    command: &Command,
    words: impl IntoIterator<Item = OsString>,
    is_shipped: impl Fn(&OsStr) -> bool,
) -> Split {
    let mut words = words.into_iter();
    let mut split = Split::default();
    split.command.extend(words.next());
    let mut named = false;
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        let taken = match (text.strip_prefix("--"), text.strip_prefix('-')) {
            (Some(""), _) => Takes::All,
            (Some(long), _) => {
                let name = long.split('=').next().unwrap_or(long);
                match command
                    .get_arguments()
                    .find(|arg| arg.get_long() == Some(name))
                {
                    Some(_) if named && name == "help" => {
                        split.script.push(word);
                        continue;
                    }
                    None if named => {
                        split.script.push(word);
                        continue;
                    }
                    Some(option) if !long.contains('=') => takes(option),
                    Some(_) | None => Takes::Nothing,
                }
            }
            (None, Some("h")) if named => {
                split.script.push("--help".into());
                continue;
            }
            (None, Some(short)) if !short.is_empty() => behind_short(command, short),
            _ if named => Takes::Nothing,
            _ => {
                named = is_shipped(&word);
                match named {
                    true => Takes::Nothing,
                    // Another script, whose parameters follow.
                    false => Takes::All,
                }
            }
        };
        split.command.push(word);
        match taken {
            Takes::Nothing => {}
            Takes::One => split.command.extend(words.next()),
            Takes::All => split.command.extend(words.by_ref()),
        }
    }
    split
}

/// What options of one letter, written together, take of the words behind them: the first that has a value takes what is left
/// of the word, if anything is.
fn behind_short(command: &Command, letters: &str) -> Takes {
    for (at, letter) in letters.char_indices() {
        let option = command
            .get_arguments()
            .find(|arg| arg.get_short() == Some(letter));
        let taken = option.map_or(Takes::Nothing, takes);
        if taken != Takes::Nothing {
            let is_last = at + letter.len_utf8() == letters.len();
            return if is_last { taken } else { Takes::Nothing };
        }
    }
    Takes::Nothing
}

#[cfg(test)]
mod tests {
    use super::split;
    use crate::cli::Cli;
    use clap::CommandFactory;
    use std::ffi::{OsStr, OsString};

    /// Both parts of a line whose words are separated by blanks.
    fn parts(line: &str) -> (String, String) {
        let mut command = Cli::command();
        command.build();
        let words = line.split_whitespace().map(OsString::from);
        let split = split(&command, words, |word| word == OsStr::new("tool"));
        let text = |words: &[OsString]| words.join(OsStr::new(" ")).into_string().unwrap();
        (text(&split.command), text(&split.script))
    }

    #[test]
    fn options_that_the_command_does_not_have_are_the_scripts() {
        for (line, command, script) in [
            ("p tool", "p tool", ""),
            ("p -q tool --all -p 5 x", "p -q tool -p 5 x", "--all"),
            (
                "p -qp 5 -f json tool --top=5",
                "p -qp 5 -f json tool",
                "--top=5",
            ),
            ("p -o tool tool --a", "p -o tool tool", "--a"),
            ("p --output tool tool --a", "p --output tool tool", "--a"),
            ("p --output=x tool --a", "p --output=x tool", "--a"),
            ("p -otool tool --a", "p -otool tool", "--a"),
            ("p tool --help -q", "p tool -q", "--help"),
            ("p tool -h", "p tool", "--help"),
            ("p tool --quiet -- --quiet", "p tool --quiet -- --quiet", ""),
            (
                "p tool --all --run ls --all",
                "p tool --run ls --all",
                "--all",
            ),
        ] {
            assert_eq!(
                parts(line),
                (command.to_owned(), script.to_owned()),
                "{line}"
            );
        }
    }

    #[test]
    fn other_lines_are_left_as_they_are() {
        for line in [
            "p",
            "p --help",
            "p -h",
            "p --nosuch tool",
            "p file tool --all",
            "p -e tool --all tool2",
            "p --run tool --all",
            "p -- tool --all",
        ] {
            assert_eq!(parts(line), (line.to_owned(), String::new()), "{line}");
        }
    }
}
