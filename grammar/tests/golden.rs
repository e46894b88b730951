//! Golden files: `golden/NAME.pf` is a script, `NAME.ast` its tree or `NAME.err` its diagnostics as they are printed.
//!
//! `UPDATE_GOLDEN=1 cargo test -p pfscript-grammar --test golden` rewrites the expected files.

mod support;

use pfscript_grammar::{dump, parse, render};

#[test]
fn scripts_have_the_tree_or_the_diagnostics_of_their_golden_file() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut differing = Vec::new();
    for (name, path, source) in support::goldens() {
        let (extension, other, text) = match parse(&source) {
            Ok(script) => ("ast", "err", dump(&script)),
            Err(errors) => ("err", "ast", render(&errors, &name, &source, false)),
        };
        let expected = path.with_extension(extension);
        if update {
            std::fs::write(&expected, &text).unwrap();
            let _ = std::fs::remove_file(path.with_extension(other));
        } else if std::fs::read_to_string(&expected).ok().as_deref() != Some(&text) {
            differing.push(format!("{name}, now:\n{text}"));
        }
    }
    assert!(
        differing.is_empty(),
        "{}\n(UPDATE_GOLDEN=1 accepts what is new)",
        differing.join("\n")
    );
}
