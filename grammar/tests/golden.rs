//! Golden files: `golden/NAME.pf` is a script, `NAME.ast` its tree or `NAME.err` its diagnostics as they are printed.
//!
//! `UPDATE_GOLDEN=1 cargo test -p pfscript-grammar --test golden` rewrites the expected files.

mod support;

use pfscript_grammar::{dump, parse, render};
use pfscript_testkit::golden::Golden;

#[test]
fn scripts_have_the_tree_or_the_diagnostics_of_their_golden_file() {
    let mut golden = Golden::new();
    for (name, path, source) in support::goldens() {
        let (extension, other, text) = match parse(&source) {
            Ok(script) => ("ast", "err", dump(&script)),
            Err(errors) => ("err", "ast", render(&errors, &name, &source, false)),
        };
        golden.check(&path.with_extension(extension), &text);
        golden.absent(&path.with_extension(other));
    }
    golden.finish();
}
