//! The second half of `docs/language.md` is generated from the tables of the language.

use pfscript_compiler::language;
use pfscript_compiler::language::later::{Kind, LATER};
use pfscript_compiler::language::prelude::PRELUDE;
use std::path::Path;

const MARK: &str =
    "<!-- What follows is generated from the tables in compiler/src/language/. -->\n";

#[test]
fn the_language_reference_is_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/language.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (written, generated) = text.split_once(MARK).unwrap();
    let reference = format!("\n{}", language::reference());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{written}{MARK}{reference}")).unwrap();
    } else {
        assert_eq!(
            generated, reference,
            "run UPDATE_GOLDEN=1 cargo test -p pfscript-compiler"
        );
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
