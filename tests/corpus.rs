//! The script corpus: each `tests/corpus/NAME.pf` is run as it is, and must print `NAME.out` exactly, and on the standard
//! error `NAME.err` (nothing, if there is no such file).
//!
//! The first lines of a script may say `// args: …`, its parameters, and `// status: N`, how it ends. The expected texts
//! were compared with what bpftrace 0.27 prints; where a script differs on purpose, its first comment says why.
//!
//! `UPDATE_GOLDEN=1 cargo test --test corpus` writes what is printed now.

mod support;

use pfscript_testkit::needs_root;
use std::fs;
use std::path::{Path, PathBuf};
use support::{Finished, Scratch, Tracer};

fn scripts() -> Vec<PathBuf> {
    let folder = support::repository().join("tests/corpus");
    let mut scripts: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pf"))
        .collect();
    scripts.sort();
    scripts
}

/// What a line of the script's first comment says.
fn setting<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    source
        .lines()
        .take_while(|line| line.starts_with("//") || line.starts_with("#!"))
        .find_map(|line| {
            line.strip_prefix("// ")?
                .strip_prefix(name)?
                .strip_prefix(": ")
        })
}

fn run(script: &Path, source: &str) -> Finished {
    let name = script.file_name().expect("a file has a name");
    let parameters = setting(source, "args").unwrap_or("");
    Tracer::new(["-q".as_ref(), name])
        .args(parameters.split_whitespace())
        .folder(script.parent().expect("a file is in a folder"))
        .run()
}

/// Messages but for that which other processes cause by ending while a script traces all.
fn of_script(messages: &str) -> String {
    let others = |line: &&str| line.contains("names: gone before");
    let lines = messages.lines().filter(|line| !others(line));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The difference between an expected file and what was printed; updates the file if asked to.
fn compare(file: &Path, actual: &str) -> Option<String> {
    let expected = fs::read_to_string(file).unwrap_or_default();
    if expected == actual {
        return None;
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        if actual.is_empty() {
            let _ = fs::remove_file(file);
        } else {
            fs::write(file, actual).expect("the corpus can be written");
        }
        return None;
    }
    Some(format!(
        "{}: expected\n{expected}\nbut it printed\n{actual}\n",
        file.display()
    ))
}

#[test]
fn every_script_of_the_corpus_prints_what_it_should() {
    needs_root!();
    let scripts = scripts();
    assert!(scripts.len() > 30, "the corpus is gone");
    let mut differences = Vec::new();
    for script in &scripts {
        let source = fs::read_to_string(script).expect("a script is text");
        let finished = run(script, &source);
        let status =
            setting(&source, "status").map_or(0, |status| status.parse().expect("a number"));
        if finished.status.code() != Some(status) {
            differences.push(format!("{}: {}\n", script.display(), finished.status));
        }
        differences.extend(compare(&script.with_extension("out"), finished.text()));
        differences.extend(compare(
            &script.with_extension("err"),
            &of_script(finished.messages()),
        ));
    }
    assert!(differences.is_empty(), "{}", differences.concat());
}

#[test]
fn every_expected_text_belongs_to_a_script() {
    let scripts = scripts();
    for entry in
        fs::read_dir(support::repository().join("tests/corpus")).expect("the corpus is there")
    {
        let path = entry.expect("the folder can be read").path();
        assert!(
            scripts.contains(&path.with_extension("pf")),
            "{} belongs to nothing",
            path.display()
        );
    }
    for script in &scripts {
        assert!(
            script.with_extension("out").exists(),
            "{} has no expected text",
            script.display()
        );
    }
}

#[test]
fn every_script_passes_a_check_without_root() {
    let scratch = Scratch::open_to_all("corpus-check");
    for script in scripts() {
        let source = fs::read_to_string(&script).expect("a script is text");
        let copy = scratch.file(script.file_name().expect("a name"), &source);
        let parameters = setting(&source, "args").unwrap_or("");
        let mut check = support::without_root();
        check = check
            .arg("--check")
            .arg(copy.file_name().expect("a name"))
            .args(parameters.split_whitespace());
        let finished = check.folder(scratch.path()).run().ok();
        assert_eq!(finished.text(), "", "{}", script.display());
    }
}
