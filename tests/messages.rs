//! Mistakes that people make, and what they are told.

mod support;

use pfscript_testkit::needs_root;
use support::{Finished, Tracer};

fn check(script: &str) -> Finished {
    Tracer::new(["--check", "-e", script]).run()
}

#[test]
fn an_assignment_in_a_condition_is_told_the_comparison() {
    for script in [
        "profile:hz:9 /comm = \"x\"/ { @ = 1 }",
        "BEGIN { if (comm = \"x\") { @ = 1 } }",
        "BEGIN { if ($x = 3) { @ = 1 } }",
        "BEGIN { @ = (comm = \"x\") ? 1 : 2 }",
    ] {
        check(script).refuses(&["`=` is not allowed in", "compare with `==`", "^"]);
    }
}

#[test]
fn a_pointer_to_characters_is_printed_as_a_string_by_str() {
    let script = "tracepoint:syscalls:sys_enter_openat { printf(\"%s\", args.filename) }";
    needs_root!();
    check(script).refuses(&[
        "`%s` cannot print a pointer",
        "`str(args.filename)`",
        "`%p`",
    ]);
    check("BEGIN { printf(\"%s\", curtask) }").refuses(&["use `%p`"]);
}

#[test]
fn a_parameter_that_is_not_given_is_named() {
    for script in [
        "interval:s:$1 { }",
        "software:page-faults:$1 { }",
        "tracepoint:$1:x { }",
    ] {
        check(script).refuses(&["the parameter `$1` is not given", "behind the script", "^"]);
    }
    check("interval:s:1, interval:ms:$2 { }").refuses(&["the parameter `$2` is not given"]);
    // In an action it is 0, as in bpftrace.
    check("BEGIN { print($1) }").ok();
}

#[test]
fn a_thread_is_no_process() {
    let (send, receive) = std::sync::mpsc::channel();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let path = std::fs::read_link("/proc/thread-self").unwrap();
        send.send(path.file_name().unwrap().to_owned()).unwrap();
        let _ = stopped.recv();
    });
    let tid = receive.recv().unwrap().into_string().unwrap();
    let process = std::process::id().to_string();
    Tracer::new(["-p", &tid, "-e", "BEGIN { exit(); }"])
        .run()
        .refuses(&[
            &format!("{tid} is a thread of process {process}"),
            &format!("-p {process}"),
        ]);
    drop(stop);
    thread.join().unwrap();
}

#[test]
fn options_of_bpftrace_are_known_by_name() {
    for option in ["--fmt", "--emit-llvm=x", "--verify-llvm-ir"] {
        let finished = Tracer::new([option, "-e", "BEGIN { exit(); }"])
            .run()
            .expect(2);
        let finished = finished.says(&["bpftrace's option", "is not supported yet"]);
        assert!(!finished.messages().contains("--no-maps"), "{finished}");
    }
    // What is mistyped is never taken for the option that drops results.
    let finished = Tracer::new(["--no-map", "-e", "BEGIN { exit(); }"])
        .run()
        .expect(2);
    assert!(!finished.messages().contains("similar"), "{finished}");
    for options in [&["--quiet", "--check"][..], &["--verbose", "--check"]] {
        Tracer::new(options).args(["-e", "BEGIN { }"]).run().ok();
    }
}

#[test]
fn errors_of_attach_points_do_not_hide_those_of_other_actions() {
    let finished = check("nosuch:x { } BEGIN { foo(); } END { print(pdi); @x = @y; }");
    let finished = finished.refuses(&["unknown probe type `nosuch`", "`foo`", "`pdi`"]);
    // What the probe that is missing would have assigned is not known.
    assert!(
        !finished.messages().contains("never assigned"),
        "{finished}"
    );
}

#[test]
fn typographic_quotation_marks_are_named() {
    for script in [
        "BEGIN { print(\u{201c}hi\u{201d}) }",
        "BEGIN { print(\u{2018}a\u{2019}) }",
    ] {
        check(script).refuses(&["typographic quotation mark", "straight double quotes", "^"]);
    }
}

#[test]
fn numbers_that_begin_with_zero_are_octal_in_parameters_too() {
    needs_root!();
    let run = |parameter: &str| {
        let script = "BEGIN { print($1); print(0775); exit(); }";
        Tracer::new(["-q", "-e", script, "--", parameter])
            .run()
            .ok()
            .text()
            .trim_end()
            .to_owned()
    };
    assert_eq!(run("0775"), "509\n509");
    assert_eq!(run("0"), "0\n509");
    assert_eq!(run("-010"), "-8\n509");
    assert_eq!(run("09"), "09\n509");
}

#[test]
fn unsigned_conversions_print_narrow_numbers_as_c_does() {
    needs_root!();
    let script = "BEGIN { @ = (int32)-1; $x = (int16)-2;
        printf(\"%u %x %X %o %d\\n\", (int32)-1, (int8)-1, (int32)-1, (int32)-1, (int32)-1);
        printf(\"%u %x %u %x %u\\n\", @, $x, (uint8)255, (int32)-7, (int64)-1);
        printf(\"100%\\n\"); printf(\"%d%, %%\\n\", 5); exit(); }";
    let finished = Tracer::new(["-q", "--no-maps", "-e", script]).run().ok();
    let expected = "4294967295 ffffffff FFFFFFFF 37777777777 -1\n\
                    4294967295 fffffffe 255 fffffff9 18446744073709551615\n100%\n5%, %";
    assert_eq!(finished.text().trim_end(), expected, "{finished}");
}
