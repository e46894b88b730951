//! Warnings about maps that one probe counts into and another one reads and empties in two steps.

use pfscript_compiler::recorded::RecordedFacts;
use pfscript_compiler::{Options, compile};
use pfscript_grammar::parse;

/// The texts that warnings point at.
fn warned(body: &str) -> Vec<String> {
    let source = format!(
        "tracepoint:syscalls:sys_enter_openat {{ @n = count(); @k[pid]++; @plus++; @time = nsecs; }}\n{body}"
    );
    let facts = RecordedFacts::linux_6_18();
    let script = parse(&source).expect(body);
    let compiled = compile(&script, "t", &source, &facts, &Options::default()).expect(body);
    let warnings = compiled.warnings.iter();
    warnings
        .map(|warning| {
            assert!(warning.message.contains("is lost"), "{}", warning.message);
            source[warning.span.start as usize..warning.span.end as usize].to_owned()
        })
        .collect()
}

#[test]
fn a_read_before_an_emptying_is_warned_of() {
    for (body, read) in [
        (
            r#"interval:s:1 { printf("%d\n", @plus); delete(@plus); }"#,
            "@plus",
        ),
        (
            r#"interval:s:1 { printf("%d\n", @plus); clear(@plus); }"#,
            "@plus",
        ),
        (
            r#"interval:s:1 { if (@plus > 5) { zero(@plus); } }"#,
            "@plus",
        ),
        (
            "interval:s:1 { $n = @plus; if (pid) { clear(@plus); } print($n); }",
            "@plus",
        ),
        ("interval:s:1 { print(@k[1]); clear(@k); }", "@k[1]"),
        (
            "tracepoint:syscalls:sys_exit_openat { print(@plus + 1); clear(@plus); }",
            "@plus",
        ),
        (
            "interval:s:1 { print(@plus); if (@plus > 5) { print(pid); } clear(@plus); }",
            "print(@plus)",
        ),
    ] {
        let warned = warned(body);
        assert!(warned.iter().any(|text| text == read), "{body}: {warned:?}");
    }
    let body = "interval:s:1 { for ($kv : @k) { print($kv.1); delete(@k, $kv.0); } }";
    assert_eq!(warned(body).len(), 1);
}

#[test]
fn what_loses_nothing_is_not_warned_of() {
    for body in [
        "interval:s:1 { print(@n); clear(@n); }",
        "interval:s:1 { print(@k); zero(@k); print(@plus); delete(@plus); }",
        "interval:s:1 { if (pid) { print(@k); } else { clear(@k); } }",
        "interval:s:1 { clear(@plus); print(@plus); }",
        "tracepoint:syscalls:sys_exit_openat { $n = nsecs - @time; delete(@time); print($n); }",
        "tracepoint:syscalls:sys_exit_openat { print(@k[pid]); delete(@k, pid); }",
        "interval:s:1 { @ticks++; if (@ticks == 5) { print(@ticks); delete(@ticks); } }",
        "END { print(@plus + 1); clear(@plus); }",
    ] {
        assert_eq!(warned(body), [""; 0], "{body}");
    }
}
