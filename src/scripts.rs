//! The scripts that pfscript ships: the files of `scripts/`, in the executable.
//!
//! Each begins with a comment that says what it shows, its options and examples: the script's help. The first line of that is
//! its name and what it is in one line.

/// A script that is shipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShippedScript {
    /// What it is called on the command line: `faults`.
    pub name: &'static str,
    /// Its text.
    pub source: &'static str,
}

macro_rules! shipped {
    ($($name:literal)*) => {
        &[$(ShippedScript {
            name: $name,
            source: include_str!(concat!("../scripts/", $name, ".pf")),
        }),*]
    };
}

/// All of them, by name.
pub const SHIPPED: &[ShippedScript] = shipped! {
    "brkstack"
    "drsnoop"
    "faults"
    "faultstat"
    "ffaults"
    "hfaults"
    "kmem"
    "mmaps"
    "oomkill"
    "rss"
    "rssgrow"
    "shmsnoop"
    "stackcount"
    "swapin"
    "trace"
    "vmscan"
};

/// The shipped script of that name.
pub fn shipped(name: &str) -> Option<&'static ShippedScript> {
    SHIPPED.iter().find(|script| script.name == name)
}

impl ShippedScript {
    /// The comment at its beginning, without what marks it as one.
    pub fn help(&self) -> String {
        let lines = self.source.lines().skip_while(|line| *line != "/*").skip(1);
        let lines = lines.take_while(|line| *line != " */");
        lines
            .map(|line| line.strip_prefix(" *").unwrap_or(line))
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .flat_map(|line| [line, "\n"])
            .collect()
    }

    /// The option that a letter stands for, and whether it has a value: by the line `-D, --duration=S` of its help.
    pub fn option_of(&self, letter: char) -> Option<(String, bool)> {
        let start = format!("    -{letter}, --");
        let help = self.help();
        let line = help.lines().find_map(|line| line.strip_prefix(&start))?;
        let option = line.split(' ').next()?;
        Some(match option.split_once('=') {
            Some((name, _)) => (name.to_owned(), true),
            None => (option.to_owned(), false),
        })
    }

    /// Whether an option has a value, by the line `--top=N` or `-D, --duration=S` of its help.
    pub fn takes_value(&self, option: &str) -> bool {
        let help = self.help();
        let mut options = help.lines().filter_map(|line| {
            let line = line.strip_prefix("    -")?;
            let long = line.split_once(", -").map_or(line, |(_, long)| long);
            long.strip_prefix('-')?.split(' ').next()?.split_once('=')
        });
        options.any(|(name, _)| name == option)
    }

    /// Whether words behind its name are a command to be traced: its help has the line `pfscript NAME COMMAND`.
    pub fn takes_command(&self) -> bool {
        let call = format!("    pfscript {} COMMAND", self.name);
        self.help().lines().any(|line| line.starts_with(&call))
    }

    /// What it is in one line, without its name.
    pub fn summary(&self) -> String {
        let help = self.help();
        let first = help.lines().next().unwrap_or_default();
        let said = first.split_once(": ").map_or(first, |(_, said)| said);
        said.trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{SHIPPED, shipped};
    use std::collections::BTreeSet;
    use std::fs;

    #[test]
    fn every_file_is_shipped_and_the_names_are_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts");
        let files = fs::read_dir(folder).unwrap().map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".pf").expect("a script").to_owned()
        });
        let files: BTreeSet<String> = files.collect();
        let names: Vec<&str> = SHIPPED.iter().map(|script| script.name).collect();
        assert_eq!(
            files.iter().collect::<Vec<_>>(),
            names.iter().collect::<Vec<_>>()
        );
        assert_eq!(shipped("faults").map(|script| script.name), Some("faults"));
        assert_eq!(shipped("faults.pf"), None);
    }

    #[test]
    fn every_script_says_what_it_is_and_how_it_is_called() {
        for script in SHIPPED {
            let (name, help) = (script.name, script.help());
            assert!(help.starts_with(&format!("{name}.pf: ")), "{help}");
            let call = format!("    pfscript {name}");
            let calls = |line: &str| {
                (line.strip_prefix(&call))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            };
            assert!(help.lines().any(calls), "{help}");
            let summary = script.summary();
            // Behind a name of up to 12 characters and 2 blanks.
            assert!((10..=66).contains(&summary.len()), "{summary}");
        }
    }

    #[test]
    fn every_parameter_is_in_the_help() {
        for script in SHIPPED {
            for call in script.source.split("getopt(\"").skip(1) {
                let name = call.split('"').next().unwrap();
                assert!(
                    script.help().contains(&format!("    --{name}"))
                        || script.help().contains(&format!(", --{name}")),
                    "--{name} of {}",
                    script.name
                );
            }
        }
    }
}
