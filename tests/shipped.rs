//! Shipped scripts by their names: found without a file, with options of their own, and with help.

mod support;

use pfscript_testkit::needs_root;
use std::fs;
use support::{Finished, Scratch, Tracer, repository_file, workload};

/// Runs the command in a folder where no file has a shipped script's name.
fn run(arguments: &[&str]) -> Finished {
    let scratch = Scratch::new("shipped");
    Tracer::new(arguments).folder(scratch.path()).run()
}

#[test]
fn a_shipped_script_runs_by_its_name() {
    needs_root!();
    let command = format!("{} 300", workload("anon2mmap"));
    let finished = run(&["faults", "-c", &command]).lossless();
    let (report, rest) = finished.split_report();
    assert_eq!(report.faults(), 300);
    assert!(
        rest.contains(", anon2mmap, minor]: { .count = 300, "),
        "{rest}"
    );
}

#[test]
fn a_file_of_that_name_comes_first() {
    needs_root!();
    let scratch = Scratch::new("shipped-file");
    scratch.file("faults", "BEGIN { print(7); exit(); }");
    let finished = Tracer::new(["-q", "faults"]).folder(scratch.path());
    assert_eq!(finished.run().ok().text().trim(), "7");
}

#[test]
fn help_is_the_comment_of_the_script() {
    for words in [
        &["faults", "--help"][..],
        &["-q", "faults", "-h"],
        &["faults", "--", "--help"],
    ] {
        let finished = run(words).ok();
        let text = finished.text();
        assert!(
            text.starts_with("faults.pf: page faults by user stack"),
            "{finished}"
        );
        assert!(
            text.contains("\n    pfscript faults -c ./program\n"),
            "{finished}"
        );
        assert!(
            !text.contains('*') && finished.messages().is_empty(),
            "{finished}"
        );
    }
    // That of the command stays what it is.
    let finished = run(&["--help"]).ok();
    assert!(finished.text().contains("\nUSAGE:\n"), "{finished}");
}

#[test]
fn all_are_listed_with_what_they_are() {
    let finished = run(&["--list-scripts"]).ok();
    let names: Vec<&str> = finished
        .text()
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let files = fs::read_dir(repository_file("scripts"))
        .expect("they are shipped")
        .count();
    assert_eq!(names.len(), files, "{finished}");
    assert!(names.contains(&"faults") && names.is_sorted(), "{finished}");
    for line in finished.text().lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn options_that_the_command_does_not_have_are_the_scripts() {
    run(&["--check", "ffaults", "--nosuch=1"]).refuses(&["--nosuch", "does not call getopt()"]);
    run(&["--check", "faults", "--nosuch=1"]).refuses(&["--nosuch", "--all", "--top=20"]);
    // Not so before the name, and of other scripts.
    run(&["--nosuch", "faults"]).expect(2).says(&["--nosuch"]);
    run(&["-e", "BEGIN { }", "--nosuch"])
        .expect(2)
        .says(&["--nosuch"]);
}

#[test]
fn a_name_that_nothing_has_is_answered_with_the_nearest() {
    for (name, words) in [
        (
            "fualts",
            &["no script of that name is shipped", "did you mean `faults`"][..],
        ),
        (
            "faults.pf",
            &[
                "can't read the script faults.pf",
                "did you mean `faults`, `ffaults` or `hfaults`?",
            ],
        ),
        (
            "sortoflikenothing",
            &["no script of that name", "--list-scripts"],
        ),
    ] {
        run(&[name]).refuses(words);
    }
    let finished = run(&["./faults"]).refuses(&["can't read the script ./faults"]);
    assert!(!finished.messages().contains("shipped"), "{finished}");
}
