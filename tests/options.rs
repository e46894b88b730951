//! Options of the command as bpftrace has them, in all their spellings, and parameters of scripts by name.

mod support;

use pfscript_testkit::needs_root;
use support::{Finished, Scratch, Tracer};

fn run(arguments: &[&str]) -> Finished {
    Tracer::new(arguments).run()
}

#[test]
fn the_last_script_of_several_is_run() {
    needs_root!();
    let finished = run(&[
        "-q",
        "-e",
        "BEGIN { print(1); exit(); }",
        "-e",
        "BEGIN { print(2); exit(); }",
    ]);
    assert_eq!(finished.text().trim(), "2", "{finished}");
}

#[test]
fn a_filter_takes_probes_by_their_names_and_always_begin_and_end() {
    needs_root!();
    let script = "BEGIN { print(1); } interval:ms:10 { print(2); exit(); } interval:ms:20 { print(3); exit(); } \
                  END { print(4); }";
    let finished = run(&["-q", "--probe-filter", "ms:(2|3)0$", "-e", script]).ok();
    assert_eq!(
        finished.text().split_whitespace().collect::<Vec<_>>(),
        ["1", "3", "4"],
        "{finished}"
    );
    run(&["--check", "--probe-filter", "x", "-e", "interval:s:1 { }"])
        .refuses(&["the filter takes no attach point", "^"]);
    run(&["--check", "--probe-filter", "(", "-e", "interval:s:1 { }"])
        .expect(2)
        .says(&["--probe-filter", "group"]);
}

#[test]
fn a_filter_takes_some_of_what_a_wildcard_stands_for() {
    needs_root!();
    let script = "tracepoint:sched:sched_process_* { @ = count(); }";
    let finished = run(&["--dry-run", "--probe-filter", "ex(ec|it)$", "-e", script]).ok();
    finished.says(&["Attached 2 probes"]);
}

#[test]
fn options_that_change_nothing_here_are_taken() {
    needs_root!();
    for options in [
        &["--unsafe"][..],
        &["--usdt-file-activation"],
        &["-I", "/nowhere", "-I/elsewhere"],
        &["--include", "linux/fs.h", "--include=linux/mm.h"],
        &["-B", "line"],
        &["-Bnone"],
        &["-B", "full"],
        &["--no-warnings"],
        &["--no-feature", "kprobe_multi,uprobe_multi"],
    ] {
        let finished = Tracer::new(options).args(["-q", "-e", "BEGIN { print(7); exit(); }"]);
        let finished = finished.run().ok();
        assert_eq!(finished.text().trim(), "7", "{options:?}: {finished}");
    }
    run(&["-B", "all", "-e", "BEGIN { }"])
        .expect(2)
        .says(&["line, full, none"]);
}

#[test]
fn warnings_are_left_out_where_nobody_wants_them() {
    let script = "config = { license = \"GPL\" } BEGIN { exit(); }";
    let with = run(&["--check", "-e", script]).ok();
    assert!(with.messages().contains("warning"), "{with}");
    let without = run(&["--check", "--no-warnings", "-e", script]).ok();
    assert_eq!(without.messages(), "", "{without}");
}

#[test]
fn stages_have_bpftraces_names_too() {
    let stage = |name: &str| {
        run(&["-d", name, "-e", "BEGIN { exit(); }"])
            .ok()
            .text()
            .to_owned()
    };
    assert_eq!(stage("parse"), stage("ast"));
    assert_eq!(stage("codegen"), stage("ir"));
    assert_eq!(stage("dis"), stage("asm"));
    run(&["-d", "libbpf", "-e", "BEGIN { }"])
        .expect(2)
        .says(&["not supported yet", "object"]);
    run(&["-d", "nosuch", "-e", "BEGIN { }"])
        .expect(2)
        .says(&["the stages are"]);
    let scratch = Scratch::new("emit-elf");
    let file = scratch.path().join("object.o");
    let file = file.to_str().unwrap();
    run(&["--emit-elf", file, "-e", "BEGIN { exit(); }"]).ok();
    assert!(std::fs::read(file).unwrap().starts_with(b"\x7fELF"));
}

#[test]
fn the_probes_of_a_script_are_listed() {
    needs_root!();
    let script =
        "tracepoint:sched:sched_process_ex*, software:page-faults:100 { } interval:s:1 { }";
    let expected = "tracepoint:sched:sched_process_exec\ntracepoint:sched:sched_process_exit\n\
                    software:page-faults:\ninterval:s:\n";
    let finished = run(&["-l", "-e", script]).ok();
    assert_eq!(finished.text(), expected, "{finished}");
    let scratch = Scratch::new("listed-script");
    let file = scratch.file("some.bt", script);
    let finished = run(&["-l", file.to_str().unwrap()]).ok();
    assert_eq!(finished.text(), expected, "{finished}");
    let finished = run(&[
        "-lv",
        "-e",
        "tracepoint:sched:sched_process_exec { nosuch() }",
    ])
    .ok();
    assert!(finished.text().contains("\n    pid_t pid\n"), "{finished}");
    let finished = run(&["-l", "-e", "tracepoint:sched:nosuch { } nosuch:x { }"]).expect(1);
    finished.says(&[
        "nothing matches `tracepoint:sched:nosuch`",
        "unknown probe type `nosuch`",
    ]);
}

#[test]
fn several_patterns_are_listed_in_their_order() {
    needs_root!();
    let finished = run(&["-l", "struct task_struct,struct file, software:page-faults"]).ok();
    let expected = "struct task_struct\nstruct file\nsoftware:page-faults:\n";
    assert_eq!(finished.text(), expected, "{finished}");
}

#[test]
fn parameters_by_name_are_checked() {
    let script = "BEGIN { print((getopt(\"count\", 1, \"how many\"), getopt(\"all\"))); }";
    let check = |parameters: &[&str]| {
        let tracer = Tracer::new(["--check", "-e", script, "--"]);
        tracer.args(parameters).run()
    };
    check(&["--count=5", "--all"]).ok();
    check(&["--count=x"]).refuses(&["`count` takes a number, found `--count=x`", "^"]);
    check(&["--count"]).refuses(&["`--count` without a value"]);
    check(&["--all=3"]).refuses(&["`all` takes `true` or `false`"]);
    check(&["--nosuch=1"]).refuses(&["no parameter --nosuch", "--count=1  how many", "--all"]);
    check(&["--help"]).refuses(&["--count=1  how many", "--all"]);
    run(&["--check", "-e", "BEGIN { }", "--", "--x"]).refuses(&["does not call getopt()"]);
    for (script, error) in [
        (
            "getopt(\"a\", 1) + getopt(\"a\", 2)",
            "another default here: 2, before 1",
        ),
        ("getopt(\"a\", pid)", "must be a constant"),
        ("getopt(\"--a\")", "begins with no `-`"),
        ("getopt(comm)", "takes a constant string"),
    ] {
        run(&["--check", "-e", &format!("BEGIN {{ print({script}); }}")]).refuses(&[error, "^"]);
    }
}

#[test]
fn a_script_can_be_compiled_and_no_more() {
    needs_root!();
    let finished = Tracer::new(["--mode", "codegen", "-c", "echo started"])
        .args(["-e", "BEGIN { print(1); }"])
        .run()
        .ok();
    assert_eq!((finished.text(), finished.messages()), ("", ""));
    let finished = Tracer::new(["--mode", "codegen", "-e", "BEGIN { print(x); }"]).run();
    finished.refuses(&["unknown name `x`"]);
}
