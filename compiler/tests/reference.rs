//! The second half of `docs/language.md` is generated from the tables of the language.

use pfscript_compiler::language;
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
    let mut names: Vec<&str> = language::BUILTINS.iter().map(|row| row.name).collect();
    names.extend(language::builtins::LATER);
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);

    let mut names: Vec<&str> = language::FUNCTIONS.iter().map(|row| row.name).collect();
    names.extend(language::functions::LATER);
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
