//! What runs out is named as what it is: open files, maps of a program.

mod support;

use pfscript_testkit::needs_root;
use support::{Finished, PFSCRIPT, Tracer};

/// Runs a script with so many open files allowed, as the soft and as the hard limit.
fn with_files(limits: &str, script: &str) -> Finished {
    let command = format!("ulimit {limits} && exec \"$@\"");
    Tracer::command("sh")
        .args([
            "-c",
            &command,
            "sh",
            PFSCRIPT,
            "-q",
            "--no-maps",
            "-e",
            script,
        ])
        .run()
}

fn maps(count: usize) -> String {
    let maps: String = (0..count).map(|i| format!("@m{i}[1] = 1; ")).collect();
    format!("BEGIN {{ {maps} exit(); }}")
}

fn probes(count: usize) -> String {
    let probes: String = (1..=count)
        .map(|i| format!("interval:s:{i} {{ @[{i}] = count(); }} "))
        .collect();
    probes + "BEGIN { exit(); }"
}

#[test]
fn too_few_open_files_are_named_with_the_remedy() {
    needs_root!();
    for files in [8, 12, 16, 20, 30] {
        for script in [maps(40), probes(40)] {
            with_files(&format!("-n {files}"), &script)
                .refuses(&["may not open more files", "ulimit -n"]);
        }
    }
}

#[test]
fn the_soft_limit_of_open_files_is_raised() {
    needs_root!();
    for script in [maps(40), probes(40)] {
        with_files("-S -n 20", &script).ok();
    }
}

#[test]
fn too_many_maps_are_named_with_the_remedy() {
    needs_root!();
    for count in [70, 200] {
        let words = ["more than 64 maps", "use keys instead of maps"];
        let finished = Tracer::script(&maps(count)).run().expect(1).says(&words);
        assert!(!finished.messages().contains("bug"), "{finished}");
        let finished = Tracer::new(["--check", "-e", &maps(count)]).run().ok();
        finished.says(&[
            "warning: the kernel will refuse this",
            "one program may use 64",
        ]);
    }
    let finished = Tracer::script(&maps(60)).run().ok();
    assert!(!finished.messages().contains("refuse"), "{finished}");
}
