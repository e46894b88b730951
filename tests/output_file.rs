//! The file of `-o`: what is written to it, what is not, and when.

mod support;

use pfscript_testkit::needs_root;
use std::fs;
use std::os::unix::fs::symlink;
use support::{Scratch, Tracer};

const SCRIPT: &str = "BEGIN { printf(\"new\\n\"); exit(); }";

#[test]
fn links_are_not_followed() {
    needs_root!();
    let scratch = Scratch::new("links");
    let file = scratch.file("victim", "old");
    let link = scratch.path().join("link");
    symlink(&file, &link).expect("it can be made");
    let dangling = scratch.path().join("dangling");
    symlink(scratch.path().join("made"), &dangling).expect("it can be made");
    for link in [&link, &dangling] {
        for flags in [&[][..], &["-f", "json"], &["-d", "ast"], &["-d", "asm"]] {
            Tracer::script(SCRIPT)
                .args(flags)
                .arg("-o")
                .arg(link)
                .run()
                .refuses(&["symbolic link", "name the file itself"]);
        }
    }
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "old");
    assert!(!scratch.path().join("made").exists());
}

#[test]
fn the_systems_own_links_are_followed() {
    needs_root!();
    for path in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let finished = Tracer::script(SCRIPT).args(["-o", path]).run().ok();
        assert_eq!(finished.text(), "new\n\n\n", "{finished}");
    }
    Tracer::script(SCRIPT).args(["-o", "/dev/null"]).run().ok();
}

#[test]
fn a_script_that_cannot_run_leaves_the_file_alone() {
    needs_root!();
    let scratch = Scratch::new("refused");
    let file = scratch.file("out", "old");
    let fresh = scratch.path().join("fresh");
    for arguments in [
        &["-e", "BEGIN { $x = ; }"][..],
        &["-e", "BEGIN { print(nothing); }"],
        &["-e", "tracepoint:no:such { }"],
        &["-e", "hardware:no-such-event:1 { }"],
        &["-e", "BEGIN { }", "-p", "99999999"],
        &["-e", "BEGIN { }", "-c", "/does/not/exist"],
        &["-e", "BEGIN { @ = cpid; }"],
    ] {
        for output in [&file, &fresh] {
            Tracer::new(arguments)
                .arg("-o")
                .arg(output)
                .run()
                .refuses(&[]);
        }
        assert_eq!(fs::read_to_string(&file).expect("it is there"), "old");
        assert!(!fresh.exists(), "{arguments:?}");
    }
    // Neither does one that is only checked.
    for flag in ["--check", "--dry-run"] {
        let checked = Tracer::script(SCRIPT).args([flag, "-o"]).arg(&file);
        checked.run().ok();
        assert_eq!(fs::read_to_string(&file).expect("it is there"), "old");
    }
    Tracer::script(SCRIPT).arg("-o").arg(&file).run().ok();
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "new\n\n\n");
    // Results of nothing are results, too.
    Tracer::script("BEGIN { exit(); }")
        .args(["--no-maps", "-f", "json", "-o"])
        .arg(&file)
        .run()
        .ok();
    let text = fs::read_to_string(&file).expect("it is there");
    assert!(!text.contains("new"), "{text}");
}
