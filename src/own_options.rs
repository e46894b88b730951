//! Which options behind the name of a shipped script are the script's own: those that the command does not have.
//!
//! In come the words of a command line. Out go those for the command's parser, and the script's, such as `--all` or `--top=5`. A letter
//! of the script's own, such as `-U`, stands for what the script's help says (`-U, --user`). Where a script is about a command, all from the
//! first word on that is no option is the command (`--run`).
//! What the options mean is left to the parser and to the script (`getopt()`).

use clap::{Arg, Command};
use pfscript::scripts::ShippedScript;
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

/// Splits the words of a command line, of which the first is the program. `command` is built, and `shipped` finds the
/// shipped script that a word in the script's place names.
pub fn split(
    command: &Command,
    words: impl IntoIterator<Item = OsString>,
    shipped: impl Fn(&OsStr) -> Option<&'static ShippedScript>,
) -> Split {
    let mut words = words.into_iter();
    let mut split = Split::default();
    split.command.extend(words.next());
    let mut named: Option<&ShippedScript> = None;
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
                    Some(_) if named.is_some() && name == "help" => {
                        split.script.push(word);
                        continue;
                    }
                    None if let Some(script) = named => {
                        let mut option = word.clone();
                        // Its value may be the next word.
                        if script.takes_value(long)
                            && let Some(value) = words.next()
                        {
                            option.push("=");
                            option.push(value);
                        }
                        split.script.push(option);
                        continue;
                    }
                    Some(option) if !long.contains('=') => takes(option),
                    Some(_) | None => Takes::Nothing,
                }
            }
            (None, Some("h")) if named.is_some() => {
                split.script.push("--help".into());
                continue;
            }
            (None, Some(short)) if !short.is_empty() => {
                if let Some(script) = named
                    && let Some(own) = own_letters(command, script, short, &mut words)
                {
                    split.script.extend(own);
                    continue;
                }
                behind_short(command, short)
            }
            // A command word by word.
            _ if named.is_some_and(ShippedScript::takes_command) => {
                split.command.push("--run".into());
                Takes::All
            }
            _ if named.is_some() => Takes::Nothing,
            _ => {
                named = shipped(&word);
                match named {
                    Some(_) => Takes::Nothing,
                    // Another script, whose parameters follow.
                    None => Takes::All,
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

/// The script's options that letters written together stand for, the last perhaps with its value, which may be the next word; `None`
/// unless all letters are the script's, and none of them the command's.
fn own_letters(
    command: &Command,
    script: &ShippedScript,
    letters: &str,
    words: &mut impl Iterator<Item = OsString>,
) -> Option<Vec<OsString>> {
    let mut own = Vec::new();
    for (at, letter) in letters.char_indices() {
        let is_commands = |arg: &Arg| arg.get_short() == Some(letter);
        let (name, has_value) = script
            .option_of(letter)
            .filter(|_| !command.get_arguments().any(is_commands))?;
        let mut option = OsString::from(format!("--{name}"));
        if has_value {
            let rest = &letters[at + letter.len_utf8()..];
            let value = match rest {
                "" => words.next(),
                _ => Some(rest.into()),
            };
            option.push("=");
            option.push(value.unwrap_or_default());
            own.push(option);
            break;
        }
        own.push(option);
    }
    Some(own)
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
    use pfscript::scripts::ShippedScript;
    use std::ffi::{OsStr, OsString};

    static TOOL: ShippedScript = ShippedScript {
        name: "tool",
        source: "/*\n * tool.pf: a tool.\n *\n *     -U, --user        x\n *     -D, --duration=S  x\n *     -p, --other=X     x\n */\n",
    };

    static ABOUT_A_COMMAND: ShippedScript = ShippedScript {
        name: "stat",
        source: "/*\n * stat.pf: a tool.\n *\n *     pfscript stat COMMAND\n */\n",
    };

    /// Both parts of a line whose words are separated by blanks.
    fn parts(line: &str) -> (String, String) {
        let mut command = Cli::command();
        command.build();
        let words = line.split_whitespace().map(OsString::from);
        let split = split(&command, words, |word| {
            [&TOOL, &ABOUT_A_COMMAND]
                .into_iter()
                .find(|script| word == OsStr::new(script.name))
        });
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
            ("p tool --duration 5 x", "p tool x", "--duration=5"),
            ("p tool --duration", "p tool", "--duration"),
            ("p tool --user 5", "p tool 5", "--user"),
            ("p -o tool tool --a", "p -o tool tool", "--a"),
            ("p --output tool tool --a", "p --output tool tool", "--a"),
            ("p --output=x tool --a", "p --output=x tool", "--a"),
            ("p -otool tool --a", "p -otool tool", "--a"),
            ("p tool --help -q", "p tool -q", "--help"),
            ("p tool -h", "p tool", "--help"),
            ("p tool -U -qp5 x", "p tool -qp5 x", "--user"),
            ("p tool -UD5 x", "p tool x", "--user --duration=5"),
            ("p tool -D 5 -p 7 x", "p tool -p 7 x", "--duration=5"),
            ("p tool -D", "p tool", "--duration="),
            ("p tool -UX -Uq", "p tool -UX -Uq", ""),
            (
                "p stat -q --top=5 ls -l --all",
                "p stat -q --run ls -l --all",
                "--top=5",
            ),
            ("p stat -c ls --top=5", "p stat -c ls", "--top=5"),
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
