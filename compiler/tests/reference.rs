//! The second half of `docs/language.md` is generated from the tables of the language.

use pfscript_compiler::language;
use pfscript_compiler::language::later::{Kind, LATER};
use pfscript_compiler::language::prelude::PRELUDE;
use std::collections::BTreeMap;
use std::path::Path;

const MARK: &str =
    "<!-- What follows is generated from the tables in compiler/src/language/. -->\n";

#[test]
fn the_language_reference_is_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/language.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (written, generated) = text.split_once(MARK).unwrap();
    let scripts = scripts();
    let reference = format!("\n{}", language::reference(|name| example(&scripts, name)));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{written}{MARK}{reference}")).unwrap();
    } else {
        assert_eq!(
            generated, reference,
            "run UPDATE_GOLDEN=1 cargo test -p pfscript-compiler"
        );
    }
}

/// Arguments beyond the second, which are used as that is.
const AS_THE_FIRST: [&str; 19] = [
    "arg2", "arg3", "arg4", "arg5", "arg6", "arg7", "arg8", "arg9", "arg10", "arg11", "sarg1",
    "sarg2", "sarg3", "sarg4", "sarg5", "sarg6", "sarg7", "sarg8", "sarg9",
];

/// The scripts that show the language: those of the corpus, which are run, and those that need other processes, functions of programs,
/// commands or `--unsafe`, which are checked.
const FOLDERS: [&str; 2] = ["tests/corpus", "tests/examples"];

/// The scripts by their paths in the repository, without comments: those of the corpus first.
fn scripts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let of_folder = |folder: &str| {
        let files = std::fs::read_dir(root.join(folder)).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        let scripts = paths.filter(|path| path.extension().is_some_and(|ending| ending == "pf"));
        let named = scripts.map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let lines = text.lines().filter(|line| !line.starts_with("//"));
            let name = path.file_stem().unwrap().to_str().unwrap();
            (
                format!("{folder}/{name}"),
                lines.collect::<Vec<_>>().join("\n"),
            )
        });
        named.collect::<BTreeMap<_, _>>()
    };
    FOLDERS.into_iter().flat_map(of_folder).collect()
}

/// Whether a script uses a builtin or calls a function.
fn uses(script: &str, name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    script.match_indices(name).any(|(at, _)| {
        let before = script[..at].chars().next_back();
        let after = script[at + name.len()..].chars().next();
        !before.is_some_and(|c| part(c) || "$@.:".contains(c)) && !after.is_some_and(part)
    })
}

/// A link to a script that uses a name, one that is named after it if there is such; nothing if there is none.
fn example(scripts: &[(String, String)], name: &str) -> String {
    let users = || scripts.iter().filter(|(_, script)| uses(script, name));
    let about = name.replace('_', "-");
    let named = users().find(|(script, _)| script.contains(&about));
    match named.or_else(|| users().next()) {
        Some((script, _)) => {
            let title = script.rsplit('/').next().unwrap();
            format!("[{title}](../{script}.pf)")
        }
        None => String::new(),
    }
}

#[test]
fn each_name_has_an_example() {
    let scripts = scripts();
    let functions = language::functions::all().map(|row| row.name);
    let prelude = PRELUDE.iter().map(|row| row.definition.name.node.as_str());
    let names = language::BUILTINS.iter().map(|row| row.name);
    for name in names.chain(functions).chain(prelude) {
        let missing = example(&scripts, name).is_empty();
        assert_eq!(missing, AS_THE_FIRST.contains(&name), "`{name}`");
    }
}

#[test]
fn every_name_has_one_meaning_and_is_not_also_called_missing() {
    let later = |kind| LATER.iter().filter(move |row| row.1 == kind);
    let mut builtins: Vec<&str> = language::BUILTINS.iter().map(|row| row.name).collect();
    builtins.extend(later(Kind::Builtin).map(|row| row.0));
    let mut functions: Vec<&str> = language::functions::all().map(|row| row.name).collect();
    for row in PRELUDE.iter() {
        let name = row.definition.name.node.as_str();
        match row.definition.params.is_empty() {
            true => builtins.push(name),
            false => functions.push(name),
        }
    }
    // The ways to call one function are rows of their own, next to each other.
    functions.dedup();
    functions.extend(later(Kind::Function).map(|row| row.0));
    for mut names in [builtins, functions] {
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
