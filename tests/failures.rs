//! `-k`: what fails when a script runs is said with its place, and counted there.

mod support;

use pfscript_testkit::needs_root;
use support::{Finished, Tracer};

fn failures(options: &[&str], script: &str) -> Finished {
    let finished = Tracer::new(["-q"]).args(options).args(["-e", script]).run();
    finished.ok()
}

#[test]
fn elements_that_are_not_there_are_said_with_their_place() {
    needs_root!();
    let finished = failures(&["-k"], "BEGIN { @[1] = 1; print(@[2]); exit(); }");
    assert_eq!(
        finished.messages(),
        "stdin:1:25-29: WARNING: Can't lookup map element because it does not exist.\n\
         Additional Info - helper: map_lookup_elem, retcode: 0\n\
         BEGIN { @[1] = 1; print(@[2]); exit(); }\n\
         \x20                       ~~~~\n",
        "{finished}"
    );
    assert_eq!(finished.text().lines().next(), Some("0"), "{finished}");
}

#[test]
fn what_fails_more_than_once_is_counted() {
    needs_root!();
    let script = "BEGIN { $p = (uint64 *)(nsecs * 0);\n\tunroll(3) { print(*$p); } exit(); }";
    for option in ["-k", "-kk", "--warnings"] {
        let finished = failures(&[option], script);
        assert_eq!(
            finished.messages(),
            "stdin:2:20-23: WARNING: Bad address\n\
             Additional Info - helper: probe_read_user, retcode: -14, times: 3\n \
             unroll(3) { print(*$p); } exit(); }\n\
             \x20                  ~~~\n",
            "{finished}"
        );
    }
    // What null points to is no loss, and a script that does not ask hears nothing.
    assert_eq!(failures(&[], script).messages(), "");
}

#[test]
fn each_failure_is_a_line_of_json() {
    needs_root!();
    let script = "let @a = hash(1);
BEGIN { @a[1] = 1; @a[2] = 1;
    $p = (uint64 *)(nsecs * 0); $q = (uint64)0xffffffffffff0000; $z = nsecs * 0;
    print(*$p);
    print(str($p));
    print(str($q));
    print(7 / $z);
    print(7 / $z);
    exit(); }";
    let finished = failures(&["-k", "-f", "json"], script);
    let helper = |text: &str, helper: &str, code: i32, line: u32, column: u32| {
        format!(
            r#"{{"type": "helper_error", "msg": "{text}", "helper": "{helper}", "retcode": {code}, "filename": "stdin", "line": {line}, "col": {column}}}"#
        )
    };
    for expected in [
        helper("Argument list too long", "map_update_elem", -7, 2, 20),
        helper("Bad address", "probe_read_user", -14, 4, 11),
        helper("Bad address", "probe_read_user_str", -14, 5, 11),
        helper("Bad address", "probe_read_kernel_str", -14, 6, 11),
    ] {
        assert!(
            finished.text().lines().any(|line| line == expected),
            "{expected}\n{finished}"
        );
    }
    for line in [7, 8] {
        let place = format!(
            r#"is being used as the result.", "filename": "stdin", "line": {line}, "col": 11}}"#
        );
        let found =
            |text: &&str| text.starts_with(r#"{"type": "runtime_error""#) && text.ends_with(&place);
        assert_eq!(
            finished.text().lines().filter(found).count(),
            1,
            "{finished}"
        );
    }
}

#[test]
fn what_is_said_of_a_place_is_not_said_of_the_probe() {
    needs_root!();
    let script = "BEGIN { print(((struct task_struct *)0xffffffffffff0000)->pid); exit(); }";
    let finished = failures(&["-k"], script);
    assert!(
        finished
            .messages()
            .contains("helper: probe_read_kernel, retcode: -14"),
        "{finished}"
    );
    assert!(finished.losses().is_empty(), "{finished}");
    // It is a loss all the same.
    let strict = Tracer::new(["-q", "-k", "--strict", "-e", script]).run();
    strict.expect(3);
}

#[test]
fn whoever_wants_no_warnings_asks_for_none() {
    Tracer::new(["-k", "--no-warnings", "-e", "BEGIN { }"])
        .run()
        .expect(2)
        .says(&["--no-warnings", "cannot be used with"]);
}
