//! Scripts and command lines that are wrong: one clear message, status 1 (2 for the command line), and nothing else.

mod support;

use pfscript_testkit::needs_root;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use support::{Finished, Scratch, Tracer};

/// The message about a script on the command line.
#[track_caller]
fn refused(script: &str, words: &[&str]) -> Finished {
    Tracer::script(script).run().refuses(words)
}

/// Fails unless a message points at this text of the one-line script (where it stands last), with carets under it.
#[track_caller]
fn points_at(finished: &Finished, script: &str, text: &str) {
    let column = script.rfind(text).expect("the text is in the script");
    let lines: Vec<&str> = finished.messages().lines().collect();
    let pointed = lines.windows(2).any(|pair| {
        let Some(start) = pair[0].find(script) else {
            return false;
        };
        // Columns are characters; before the script is only the margin, which is the same in both lines.
        let carets = pair[1].trim_end();
        carets.find('^') == Some(start + column)
            && carets.matches('^').count() == text.chars().count()
    });
    assert!(
        pointed,
        "no carets under {text:?} in\n{}",
        finished.messages()
    );
}

#[test]
fn a_syntax_error_has_a_caret() {
    for (script, at) in [
        ("BEGIN { printf(\"x\" }", "}"),
        ("BEGIN { $x = ; }", ";"),
        ("BEGIN { 5 + / 3; }", "/"),
    ] {
        let finished = refused(script, &["error: "]);
        points_at(&finished, script, at);
    }
    for script in [
        "BEGIN",
        "BEGIN {",
        "BEGIN { printf(\"open }",
        "{ }",
        "BEGIN { if }",
        "/* open",
        "",
    ] {
        refused(script, &["error: "]);
    }
}

#[test]
fn type_errors_point_at_what_is_wrong() {
    for (script, at, words) in [
        (
            r#"BEGIN { $x = 1; $x = "s"; }"#,
            "$x",
            &["integer", "string"][..],
        ),
        (
            r#"BEGIN { @x[1] = 1; @x["s"] = 2; }"#,
            r#"@x["s"]"#,
            &["integer", "string"],
        ),
        (
            r#"BEGIN { printf("%d", "text"); }"#,
            r#""text""#,
            &["%d", "%s"],
        ),
        (
            r#"BEGIN { if ("text" == 5) { } }"#,
            r#""text""#,
            &["==", "string"],
        ),
        (
            "BEGIN { @x = count(); @x = 5; }",
            "@x = 5",
            &["count()", "integer"],
        ),
        (
            r#"BEGIN { printf("%d %d", 1); }"#,
            r#"printf("%d %d", 1)"#,
            &["2", "1"],
        ),
    ] {
        let finished = refused(script, words);
        points_at(&finished, script, at);
    }
}

#[test]
fn unknown_names_are_answered_with_the_nearest_known_ones() {
    for (script, at, suggestion) in [
        ("BEGIN { printff(\"x\"); }", "printff", "printf"),
        ("BEGIN { print(comn); }", "comn", "comm"),
        ("BEGINN { }", "BEGINN", "BEGIN"),
        ("software:page-fault:1 { }", "page-fault", "page-faults"),
        ("sofware:page-faults:1 { }", "sofware", "software"),
        ("BEGIN { print(curtask->piid); }", "piid", "pid"),
        ("BEGIN { @x = coumt(); }", "coumt", "count"),
    ] {
        let finished = refused(script, &["did you mean", suggestion]);
        points_at(&finished, script, at);
    }
    refused("BEGIN { print($x); }", &["$x", "^"]);
    refused("BEGIN { print(@x); }", &["@x", "^"]);
    refused(
        "BEGIN { print(((struct task_strukt *)0)->pid); }",
        &["task_strukt", "task_struct", "^"],
    );
}

#[test]
fn unknown_tracepoints_are_answered_with_the_nearest_known_ones() {
    needs_root!();
    for (script, at, suggestion) in [
        (
            "tracepoint:syscalls:sys_enter_opena { }",
            "sys_enter_opena",
            "sys_enter_openat",
        ),
        (
            "tracepoint:syscals:sys_enter_openat { }",
            "syscals",
            "syscalls",
        ),
        (
            "tracepoint:syscalls:sys_enter_openat { print(args.filname); }",
            "filname",
            "filename",
        ),
    ] {
        let finished = refused(script, &["did you mean", suggestion]);
        points_at(&finished, script, at);
    }
}

/// Every error is told, each with its own place.
#[test]
fn several_errors_are_told_at_once() {
    let finished = refused(
        "BEGIN { print(comn); printff(\"x\"); }",
        &["comn", "printff"],
    );
    assert_eq!(
        finished.messages().matches("error: ").count(),
        2,
        "{finished}"
    );
}

#[test]
fn what_is_not_there_yet_is_said_to_be_not_supported_yet() {
    for script in [
        "fentry:vfs_read { }",
        "fexit:vfs_read { }",
        "kfunc:vfs_read { }",
        "iter:task { }",
        "watchpoint:0x1000:8:w { }",
        "BEGIN { socket_cookie(curtask); }",
        "BEGIN { skboutput(\"x.pcap\", curtask, 1, 0); }",
        "fn f($a : int64) : int64 { return $a; } BEGIN { }",
    ] {
        let finished = refused(script, &["not supported yet", "^"]);
        assert!(!finished.messages().contains("syntax"), "{finished}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let scratch = Scratch::new("bytes");
    let latin = scratch.file("latin.pf", b"BEGIN { printf(\"gr\xf6\xdfe\"); }\n");
    Tracer::new([latin])
        .run()
        .refuses(&["UTF-8", "latin.pf:1:"]);
    let zero = scratch.file("zero.pf", b"BEGIN { \0 }\n");
    Tracer::new([zero]).run().refuses(&["error: "]);
    let garbage = scratch.file(
        "garbage.pf",
        fs::read(support::PFSCRIPT)
            .expect("it is there")
            .get(..65536)
            .unwrap_or(&[]),
    );
    Tracer::new([garbage]).run().refuses(&["error: "]);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let scratch = Scratch::new("files");
    Tracer::new(["/does/not/exist.pf"])
        .run()
        .refuses(&["/does/not/exist.pf", "No such file"]);
    Tracer::new([scratch.path()])
        .run()
        .refuses(&[scratch.path().to_str().expect("UTF-8"), "irectory"]);
    let open = Scratch::open_to_all("files");
    let secret = open.file("secret.pf", "BEGIN { }");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).expect("it is ours");
    support::without_root()
        .arg(&secret)
        .run()
        .refuses(&["secret.pf", "ermission denied"]);
    // A name that would write to the terminal.
    Tracer::new(["\x1b[31mred.pf"])
        .run()
        .refuses(&["red.pf", "\\x1b"]);
}

#[test]
fn ten_megabytes_of_script_are_refused_at_once() {
    let scratch = Scratch::new("huge");
    let huge = "BEGIN { printf(\"x\"); }\n".repeat(10_000_000 / 23 + 1);
    let file = scratch.file("huge.pf", &huge);
    let finished = Tracer::new([&file]).run().refuses(&["huge.pf", "bytes"]);
    assert!(
        finished.messages().len() < 1000,
        "{}",
        finished.messages().len()
    );
    Tracer::new(["-"])
        .input(huge)
        .run()
        .refuses(&["stdin", "bytes"]);
}

#[test]
fn deep_nesting_and_endless_lists_are_answered_without_a_crash() {
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("!", "1", ""),
        ("-", "1", ""),
        ("(1,", "1", ")"),
        ("1 ? 1 : ", "1", ""),
        ("1 + ", "1", ""),
        ("@a[", "1", "]"),
    ] {
        for depth in [50, 5000] {
            let nested = format!(
                "BEGIN {{ $x = {}{middle}{}; }}",
                open.repeat(depth),
                close.repeat(depth)
            );
            let finished = Tracer::new(["--check", "-"]).input(nested).run();
            let code = finished.status.code();
            assert!(
                code == Some(0) || code == Some(1),
                "{open:?} {depth}: {}",
                finished.status
            );
            let finished = finished.has_no_crash();
            assert!(
                code == Some(0) || finished.messages().contains("error: "),
                "{open:?} {depth}: {finished}"
            );
        }
    }
    for depth in [50, 5000] {
        let nested = format!(
            "BEGIN {{ {} {} }}",
            "if (1) { ".repeat(depth),
            "}".repeat(depth)
        );
        let finished = Tracer::new(["--check", "-"])
            .input(nested)
            .run()
            .has_no_crash();
        assert!(
            matches!(finished.status.code(), Some(0 | 1)),
            "{depth}: {}",
            finished.status
        );
    }
}

#[test]
fn a_wrong_command_line_is_status_2_with_its_usage() {
    for arguments in [
        &["--no-such-flag"][..],
        &["-x"],
        &["-p", "text", "-e", "BEGIN { }"],
        &["-p"],
        &["-c", "true", "-p", "1", "-e", "BEGIN { }"],
        &["-d", "nothing", "-e", "BEGIN { }"],
    ] {
        let finished = Tracer::new(arguments)
            .run()
            .expect(2)
            .says(&["error: ", "--help"]);
        assert_eq!(finished.text(), "", "{finished}");
    }
}

#[test]
fn without_a_script_it_says_how_to_give_one() {
    Tracer::new::<&str>([]).run().refuses(&["-e", "--help"]);
}

#[test]
fn settings_of_the_environment_are_checked() {
    let run = |name: &str, value: &str| Tracer::script("BEGIN { exit(); }").env(name, value).run();
    run("PFSCRIPT_MAX_STRLEN", "many").refuses(&["PFSCRIPT_MAX_STRLEN", "many"]);
    run("PFSCRIPT_MAX_STRLEN", "100000000").refuses(&["PFSCRIPT_MAX_STRLEN"]);
    run("BPFTRACE_MAX_MAP_KEYS", "-1").refuses(&["BPFTRACE_MAX_MAP_KEYS", "-1"]);
    // What is blamed is what was set.
    for (value, words) in [("0", "between 1 and 16376"), ("many", "found `many`")] {
        let finished = run("BPFTRACE_MAX_STRLEN", value).refuses(&["BPFTRACE_MAX_STRLEN", words]);
        assert!(!finished.messages().contains("PFSCRIPT_"), "{finished}");
    }
    run("BPFTRACE_STR_TRUNC_TRAILER", &"~".repeat(65))
        .refuses(&["BPFTRACE_STR_TRUNC_TRAILER", "64"]);
    let check = |name: &str, value: &str| {
        Tracer::new(["--check", "-e", "BEGIN { exit(); }"])
            .env(name, value)
            .run()
            .ok()
    };
    let finished = check("BPFTRACE_CACHE_USER_SYMBOLS", "PER_PID");
    finished.says(&["BPFTRACE_CACHE_USER_SYMBOLS has no effect"]);
}

#[test]
fn config_is_checked() {
    refused(
        "config = { max_strln = 5 } BEGIN { }",
        &["max_strln", "max_strlen", "^"],
    );
    refused("config = { max_map_keys = \"many\" } BEGIN { }", &["^"]);
    refused("config = { max_strlen = 1000000 } BEGIN { }", &["^"]);
}

#[test]
fn parameters_are_checked_where_they_are_used() {
    Tracer::new(["-e", "BEGIN { print($1 * 2); }", "text"])
        .run()
        .refuses(&["string", "$1 * 2", "^"]);
    Tracer::new(["-e", "software:$1:1 { }", "page-fault"])
        .run()
        .refuses(&["page-fault", "page-faults"]);
}
