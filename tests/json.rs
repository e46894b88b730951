//! `-f json`: every line is valid JSON, and the lines are those that bpftrace 0.27.1 prints for the same scripts, but where
//! a test says otherwise.

mod support;

use pfscript_testkit::needs_root;
use serde_json::Value;
use support::{Finished, Tracer};

fn run(script: &str) -> Finished {
    Tracer::new(["-f", "json", "-e", script]).run().ok()
}

/// The lines, each of which is valid JSON by itself.
#[track_caller]
fn lines(finished: &Finished) -> Vec<&str> {
    let lines: Vec<&str> = finished.text().lines().collect();
    for line in &lines {
        let parsed: Result<Value, _> = serde_json::from_str(line);
        assert!(
            parsed.is_ok_and(|value| value["type"].is_string() && !value["data"].is_null()),
            "{line}"
        );
    }
    lines
}

/// Runs `BEGIN { BODY exit(); }` and compares what is printed beside the number of probes.
#[track_caller]
fn prints(body: &str, expected: &[&str]) {
    let finished = run(&format!("BEGIN {{ {body} exit(); }}"));
    let mut printed = lines(&finished);
    printed.retain(|line| !line.starts_with(r#"{"type": "attached_probes""#));
    assert_eq!(printed, expected, "{body}");
    assert_eq!(finished.messages(), "", "{body}");
}

#[test]
fn probes_are_counted_unless_results_alone_are_wanted() {
    needs_root!();
    assert_eq!(
        lines(&run("BEGIN { exit(); } END { }")),
        [r#"{"type": "attached_probes", "count": 2, "data": {"probes": 2}}"#]
    );
    let quiet = Tracer::new(["-q", "-f", "json", "-e", "BEGIN { print(1); exit(); }"]);
    assert_eq!(
        quiet.run().ok().text(),
        "{\"type\": \"value\", \"data\": 1}\n"
    );
}

#[test]
fn values_of_enumerations_are_numbers_and_keys_have_their_names() {
    needs_root!();
    prints(
        r#"print((PIDTYPE_TGID, 1)); printf("%d %s\n", PIDTYPE_TGID, PIDTYPE_TGID); @x[PIDTYPE_TGID] = PIDTYPE_PGID;"#,
        &[
            r#"{"type": "value", "data": [1,1]}"#,
            r#"{"type": "printf", "data": "1 PIDTYPE_TGID\n"}"#,
            r#"{"type": "map", "data": {"@x": {"PIDTYPE_TGID": 2}}}"#,
        ],
    );
}

#[test]
fn formats_and_times_are_strings() {
    needs_root!();
    prints(
        r#"printf("hi %d\n", 5); printf("a\"b\\\x01\x1f\r\t/\n"); printf("no newline"); printf("");
           printf("%5s|%-5s|%c|%5c\n", "ab\x01", "a\"b", 10, 65); printf("%s %x %s\n", (1, "a\"b"), 255, "k");
           time("at\"\n");"#,
        &[
            r#"{"type": "printf", "data": "hi 5\n"}"#,
            r#"{"type": "printf", "data": "a\"b\\\u0001\u001f\r\t/\n"}"#,
            r#"{"type": "printf", "data": "no newline"}"#,
            r#"{"type": "printf", "data": ""}"#,
            r#"{"type": "printf", "data": "  ab\u0001|a\"b  |\n|    A\n"}"#,
            r#"{"type": "printf", "data": "(1, a\"b) ff k\n"}"#,
            r#"{"type": "time", "data": "at\"\n"}"#,
        ],
    );
}

#[test]
fn values_keep_their_types() {
    needs_root!();
    prints(
        r#"print(5); print(-1); print("str"); print(true); print((uint8)200); print((1, "x", (2, 3)));
           print((uint64*)5); print((uint64)-1); print(9007199254740992); print(-9007199254740993);
           print(9223372036854775807); print((int8)-3);"#,
        &[
            r#"{"type": "value", "data": 5}"#,
            r#"{"type": "value", "data": -1}"#,
            r#"{"type": "value", "data": "str"}"#,
            r#"{"type": "value", "data": true}"#,
            r#"{"type": "value", "data": 200}"#,
            r#"{"type": "value", "data": [1,"x",[2,3]]}"#,
            r#"{"type": "value", "data": 5}"#,
            // What 64-bit floating point can't hold is a string.
            r#"{"type": "value", "data": "18446744073709551615"}"#,
            r#"{"type": "value", "data": 9007199254740992}"#,
            r#"{"type": "value", "data": "-9007199254740993"}"#,
            r#"{"type": "value", "data": "9223372036854775807"}"#,
            r#"{"type": "value", "data": -3}"#,
        ],
    );
}

#[test]
fn maps_without_key_are_their_value() {
    needs_root!();
    prints(
        r#"@ = 1; @b = true; @c = count(); @d = sum(-5); @e = avg(5); @e = avg(8); @f = min(3); @g = max(4);
           @h = stats(-7); @h = stats(3); @m = (1, "x", (2, 3)); @p = (uint64*)5; @q = "s\x01"; @s = sum(9007199254740993);"#,
        &[
            r#"{"type": "map", "data": {"@": 1}}"#,
            r#"{"type": "map", "data": {"@b": true}}"#,
            r#"{"type": "map", "data": {"@c": 1}}"#,
            r#"{"type": "map", "data": {"@d": -5}}"#,
            r#"{"type": "stats", "data": {"@e": 6}}"#,
            r#"{"type": "map", "data": {"@f": 3}}"#,
            r#"{"type": "map", "data": {"@g": 4}}"#,
            r#"{"type": "stats", "data": {"@h": {"count": 2, "average": -2, "total": -4}}}"#,
            r#"{"type": "map", "data": {"@m": [1,"x",[2,3]]}}"#,
            r#"{"type": "map", "data": {"@p": 5}}"#,
            r#"{"type": "map", "data": {"@q": "s\u0001"}}"#,
            r#"{"type": "map", "data": {"@s": "9007199254740993"}}"#,
        ],
    );
}

#[test]
fn keys_are_strings_without_blanks() {
    needs_root!();
    prints(
        r#"@a[1] = sum(2); @a[-3] = sum(5); @b[1, "x"] = 3; @c["a\"b c, d"] = sum(4); @d[true] = false; @e[(1, 2)] = 1;
           @f[1, (2, "x")] = 2; @g[(1, 2), 3] = 1; @h["(x)"] = 1; @i[(uint64*)5] = 1; @j[1] = avg(3);
           @k[1, 2] = stats(3); @l["a"] = (1, "b, c"); @m["x"] = max(5); @n[9223372036854775807] = 1;"#,
        &[
            r#"{"type": "map", "data": {"@a": {"1": 2, "-3": 5}}}"#,
            r#"{"type": "map", "data": {"@b": {"1,x": 3}}}"#,
            r#"{"type": "map", "data": {"@c": {"a\"bc,d": 4}}}"#,
            r#"{"type": "map", "data": {"@d": {"true": false}}}"#,
            r#"{"type": "map", "data": {"@e": {"1,2": 1}}}"#,
            r#"{"type": "map", "data": {"@f": {"1,(2,x)": 2}}}"#,
            r#"{"type": "map", "data": {"@g": {"(1,2),3": 1}}}"#,
            r#"{"type": "map", "data": {"@h": {"x": 1}}}"#,
            r#"{"type": "map", "data": {"@i": {"0x5": 1}}}"#,
            r#"{"type": "stats", "data": {"@j": {"1": 3}}}"#,
            r#"{"type": "stats", "data": {"@k": {"1,2": {"count": 1, "average": 3, "total": 3}}}}"#,
            r#"{"type": "map", "data": {"@l": {"a": [1,"b, c"]}}}"#,
            r#"{"type": "map", "data": {"@m": {"x": 5}}}"#,
            r#"{"type": "map", "data": {"@n": {"9223372036854775807": 1}}}"#,
        ],
    );
}

#[test]
fn histograms_are_buckets_with_the_values_that_bound_them() {
    needs_root!();
    prints(
        r#"@ = hist(5); @ = hist(-1); @ = hist(0); @a[1] = hist(1); @b = lhist(5, 0, 10, 5); @b = lhist(-5, 0, 10, 5);
           @b = lhist(50, 0, 10, 5); @c[1, 2] = lhist(3, 0, 10, 1); @d = hist(9, 2); @e = hist(9223372036854775807);
           @f[1] = hist(2); zero(@f);"#,
        &[
            concat!(
                r#"{"type": "hist", "data": {"@": [{"max": -1, "count": 1},{"min": 0, "max": 0, "count": 1},"#,
                r#"{"min": 1, "max": 1, "count": 0},{"min": 2, "max": 3, "count": 0},{"min": 4, "max": 7, "count": 1}]}}"#,
            ),
            r#"{"type": "hist", "data": {"@a": {"1": [{"min": 1, "max": 1, "count": 1}]}}}"#,
            concat!(
                r#"{"type": "hist", "data": {"@b": [{"max": -1, "count": 1},{"min": 0, "max": 4, "count": 0},"#,
                r#"{"min": 5, "max": 9, "count": 1},{"min": 10, "count": 1}]}}"#,
            ),
            r#"{"type": "hist", "data": {"@c": {"1,2": [{"min": 3, "max": 3, "count": 1}]}}}"#,
            r#"{"type": "hist", "data": {"@d": [{"min": 8, "max": 9, "count": 1}]}}"#,
            r#"{"type": "hist", "data": {"@e": [{"min": 4611686018427387904, "max": "9223372036854775807", "count": 1}]}}"#,
            r#"{"type": "hist", "data": {"@f": {"1": []}}}"#,
        ],
    );
}

#[test]
fn maps_are_cut_and_divided_as_the_script_says() {
    needs_root!();
    prints(
        "@a[1] = sum(1); @a[2] = sum(2); @a[3] = sum(3); @h[1] = hist(4); @h[2] = hist(5); @h[2] = hist(5);
         @st[1] = stats(5); @st[2] = stats(55); print(@a); print(@a, 2); print(@a, 2, 2);
         print(@h, 1, 2); print(@st, 1, 2); clear(@a); clear(@h); clear(@st);",
        &[
            r#"{"type": "map", "data": {"@a": {"1": 1, "2": 2, "3": 3}}}"#,
            r#"{"type": "map", "data": {"@a": {"2": 2, "3": 3}}}"#,
            r#"{"type": "map", "data": {"@a": {"2": 1, "3": 1}}}"#,
            r#"{"type": "hist", "data": {"@h": {"2": [{"min": 4, "max": 7, "count": 1}]}}}"#,
            r#"{"type": "stats", "data": {"@st": {"2": {"count": 1, "average": 27, "total": 55}}}}"#,
            // Printed at the end.
            r#"{"type": "stats", "data": {"@st": {}}}"#,
        ],
    );
}

#[test]
fn an_empty_map_is_left_out_unless_it_holds_averages() {
    needs_root!();
    prints(
        "if (pid == 0) { @av = avg(1); @c = count(); @h = hist(1); @k[1] = 1; @st = stats(1); @t[1] = stats(1); @x = 1; }
         print(@av); print(@c); print(@h); print(@k); print(@st); print(@t); print(@x);",
        &[
            r#"{"type": "stats", "data": {"@av": 0}}"#,
            r#"{"type": "map", "data": {"@c": 0}}"#,
            r#"{"type": "stats", "data": {"@st": {"count": 0, "average": 0, "total": 0}}}"#,
            r#"{"type": "stats", "data": {"@t": {}}}"#,
            r#"{"type": "map", "data": {"@x": 0}}"#,
            r#"{"type": "stats", "data": {"@av": {}}}"#,
            r#"{"type": "stats", "data": {"@st": {}}}"#,
            r#"{"type": "stats", "data": {"@t": {}}}"#,
        ],
    );
}

/// bpftrace makes `\uffffffc3` of the first byte of é.
#[test]
fn text_is_utf8_whatever_the_bytes_are() {
    needs_root!();
    prints(
        r#"print("é"); @["a\xffb"] = 1; printf("%-3s|\x7f\xc3\n", "ü");"#,
        &[
            r#"{"type": "value", "data": "é"}"#,
            "{\"type\": \"printf\", \"data\": \"ü |\u{7f}\u{fffd}\\n\"}",
            "{\"type\": \"map\", \"data\": {\"@\": {\"a\u{fffd}b\": 1}}}",
        ],
    );
}

#[test]
fn stacks_and_symbols_are_text() {
    needs_root!();
    let finished = run(r#"profile:hz:99 {
        print(ksym(kaddr("schedule"))); @a[ksym(kaddr("schedule"))] = 1; @b = (1, ksym(kaddr("schedule")));
        @k = kstack(2); @l[kstack(perf, 2), 1] = count(); @r = ustack(raw, 1); exit();
    }"#);
    let printed = lines(&finished);
    assert_eq!(printed[1], r#"{"type": "value", "data": "schedule"}"#);
    // Every CPU may be in the kernel once.
    assert!(
        printed
            .iter()
            .any(|line| line.contains(r#"{"@a": {"schedule": 1"#)),
        "{finished}"
    );
    assert!(
        printed.contains(&r#"{"type": "map", "data": {"@b": [1,"schedule"]}}"#),
        "{finished}"
    );
    for start in [
        r#"{"type": "map", "data": {"@k": "\n"#,
        r#"{"type": "map", "data": {"@l": {"\n"#,
        r#"{"type": "map", "data": {"@r": "\n"#,
    ] {
        assert!(
            printed.iter().any(|line| line.starts_with(start)),
            "{finished}"
        );
    }
}

/// bpftrace's line, with the probe and the reason.
#[test]
fn losses_are_lines() {
    needs_root!();
    let script = "config = { max_map_keys = 2 } BEGIN { @[1] = 1; @[2] = 1; @[3] = 1; exit(); }";
    let finished = run(script);
    let printed = lines(&finished);
    let lost: Value = serde_json::from_str(printed.last().expect("there are lines")).expect("JSON");
    assert_eq!(lost["type"], "lost_events");
    assert_eq!(lost["count"], 1);
    assert_eq!(lost["data"]["events"], 1);
    assert!(lost["data"]["probe"].is_string(), "{lost}");
    assert!(lost["data"]["message"].is_string(), "{lost}");
    assert_eq!(finished.messages(), "");
}

#[test]
fn the_form_goes_to_a_file_too() {
    needs_root!();
    let scratch = support::Scratch::new("json");
    let file = scratch.path().join("out");
    let tracer = Tracer::new(["-q", "-f", "json", "-o"]).arg(&file);
    let finished = tracer.args(["-e", "BEGIN { @ = 1; exit(); }"]).run().ok();
    assert_eq!(finished.text(), "");
    let written = std::fs::read_to_string(&file).expect("it was written");
    assert_eq!(written, "{\"type\": \"map\", \"data\": {\"@\": 1}}\n");
}

#[test]
fn another_form_is_refused() {
    let finished = Tracer::new(["-f", "yaml", "-e", "BEGIN { }"]).run();
    let finished = finished.expect(2);
    assert!(finished.messages().contains("yaml"), "{finished}");
}

#[test]
fn what_commands_write_and_what_is_joined_have_types_of_their_own() {
    needs_root!();
    let script = "BEGIN { system(\"echo a b c\"); }
        tracepoint:syscalls:sys_enter_execve /pid == cpid/ { join(args.argv, \",\"); }";
    let command = [
        "-q",
        "--unsafe",
        "-f",
        "json",
        "-c",
        "/bin/true 'A b'",
        "-e",
    ];
    let finished = Tracer::new(command).arg(script).run().ok();
    let lines: Vec<&str> = finished.text().lines().collect();
    assert_eq!(
        lines,
        [
            r#"{"type": "syscall", "data": "a b c\n"}"#,
            r#"{"type": "join", "data": "/bin/true,A b"}"#
        ]
    );
}

/// `errorf` and `warnf` have their place for themselves. There is no `data` in these.
#[test]
fn what_a_script_says_of_itself_has_its_place() {
    needs_root!();
    let script = "BEGIN { errorf(\"bad \\\"%d\\\"\\n\", 1);\n  warnf(\"w\"); exit(); }";
    let expected = "{\"type\": \"errorf\", \"msg\": \"bad \\\"1\\\"\", \"filename\": \"stdin\", \"line\": 1, \"col\": 9}\n\
                    {\"type\": \"warnf\", \"msg\": \"w\", \"filename\": \"stdin\", \"line\": 2, \"col\": 3}\n";
    let finished = Tracer::new(["-q", "-f", "json", "-e", script]).run().ok();
    assert_eq!(finished.text(), expected);
}

/// Members that the language has no type for are there, and stand for nothing.
#[test]
fn members_of_types_that_the_language_lacks_are_null() {
    needs_root!();
    let types =
        "union either { int i; float f; }; struct all { int m; union either n; double d; };";
    let body = "print(*((struct all *)0)); print((1, *((struct all *)0)));";
    for (form, expected) in [
        (
            "json",
            "{\"type\": \"value\", \"data\": {\"m\": 0, \"n\": {\"i\": 0, \"f\": null}, \"d\": null}}\n\
             {\"type\": \"value\", \"data\": [1,{\"m\": 0, \"n\": {\"i\": 0, \"f\": null}, \"d\": null}]}\n",
        ),
        (
            "text",
            "{ .m = 0, .n = { .i = 0, .f = null }, .d = null }\n\
             (1, { .m = 0, .n = { .i = 0, .f = null }, .d = null })\n\n\n",
        ),
    ] {
        let script = format!("{types} BEGIN {{ {body} exit(); }}");
        let finished = Tracer::new(["-q", "-f", form, "-e", &script]).run().ok();
        assert_eq!(finished.text(), expected);
    }
}

/// Who waits for probes to be attached can ask for a line that says so, in any form; with none but `BEGIN`, it comes first.
#[test]
fn a_line_says_when_probes_are_attached_if_it_is_asked_for() {
    needs_root!();
    const NAME: &str = "__BPFTRACE_NOTIFY_PROBES_ATTACHED";
    let one = "{\"type\": \"value\", \"data\": 1}\n";
    for (script, expected) in [
        ("BEGIN { print(1); exit(); }", format!("{NAME}\n{one}")),
        (
            "BEGIN { print(1); } interval:ms:1 { print(1); exit(); }",
            format!("{one}{NAME}\n{one}"),
        ),
    ] {
        let tracer = || Tracer::new(["-q", "-f", "json", "-e", script]);
        let finished = tracer().env(NAME, "1").run().ok();
        assert_eq!(finished.text(), expected);
        assert!(!tracer().run().ok().text().contains(NAME));
    }
}
