//! Whatever the bytes: no panic, no overflow of the stack, no more than linear time.

mod support;

use std::time::{Duration, Instant};

use pfscript_grammar::escape::is_unprintable;
use pfscript_grammar::{
    Diagnostic, MAX_DEPTH, MAX_SOURCE_BYTES, decode, dump, format, parse, render,
};
use support::Random;

/// Without optimisation, a part of a size is enough to tell what is not linear.
const SLOWER: usize = if cfg!(debug_assertions) { 32 } else { 1 };

/// Parses and uses what comes of it.
fn exercise(source: &str) -> Result<(), Vec<Diagnostic>> {
    match parse(source) {
        Ok(script) => {
            let text = format(&script);
            assert!(parse(&text).is_ok_and(|again| again == script), "{source}");
            dump(&script);
            Ok(())
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in &errors {
                assert!(
                    error.span.start <= error.span.end && error.span.end as usize <= source.len()
                );
                assert!(
                    source.is_char_boundary(error.span.start as usize),
                    "{error:?}"
                );
                assert!(
                    source.is_char_boundary(error.span.end as usize),
                    "{error:?}"
                );
            }
            let text = render(&errors, "x.pf", source, false);
            assert!(
                !text.chars().any(|c| c != '\n' && is_unprintable(c)),
                "{text:?}"
            );
            Err(errors)
        }
    }
}

/// Fails if more seconds have passed since the start: a bound that leaves room for slow machines.
#[track_caller]
fn assert_within(seconds: u64, start: Instant, what: &str) {
    let took = start.elapsed();
    assert!(took < Duration::from_secs(seconds), "{what}: {took:?}");
}

#[test]
fn mutated_scripts_do_not_panic() {
    let goldens = support::goldens();
    let mut random = Random::new(1);
    let pieces = [
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "\"",
        "'",
        "/",
        "/*",
        "*/",
        "//",
        "\\",
        "\n",
        "#",
        "?",
        ":",
        ";",
        ",",
        "=",
        "$",
        "@",
        "$x",
        "@x[",
        "if",
        "else",
        "while (1) {",
        "1e99",
        "0x",
        "->",
        "..",
        "(u8)",
        "struct x {",
        "检",
        "\u{202e}",
        "\0",
        "\x1b",
        "\u{feff}",
        "typeof(",
        "comptime ",
    ];
    for _ in 0..support::rounds(2000) {
        let (_, _, source) = &goldens[random.below(goldens.len())];
        let mut bytes = source.clone().into_bytes();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len() + 1);
            match random.below(4) {
                0 => drop(bytes.drain(at..(at + random.below(8)).min(bytes.len()))),
                1 => {
                    let piece = random.pick(&pieces).bytes();
                    bytes.splice(at..at, piece);
                }
                2 => bytes.truncate(at),
                _ => {
                    let byte = random.below(256) as u8;
                    bytes.insert(at, byte);
                }
            }
        }
        match decode(&bytes) {
            Ok(source) => drop(exercise(source)),
            Err(error) => {
                let lossy = String::from_utf8_lossy(&bytes);
                assert!(render(&[error], "x.pf", &lossy, true).contains("not UTF-8"));
            }
        }
    }
}

#[test]
fn random_text_does_not_panic() {
    let mut random = Random::new(2);
    let alphabet: Vec<char> = "BEGIN{}()[]/*\\\"'$@#;:,=+-<>!~&|^%?. \n\t\r0123abcdefx_检\u{85}\0"
        .chars()
        .collect();
    for _ in 0..support::rounds(2000) {
        let text: String = (0..random.below(60))
            .map(|_| alphabet[random.below(alphabet.len())])
            .collect();
        let _ = exercise(&text);
        let _ = exercise(&format!("BEGIN {{ {text} }}"));
        let _ = exercise(&format!("k:f /{text}/ {{ }}"));
    }
}

#[test]
fn every_prefix_of_a_script_is_parsed_or_refused() {
    for (_, _, source) in support::goldens() {
        for (at, _) in source.char_indices() {
            let _ = exercise(&source[..at]);
        }
    }
}

/// `open` and `close` around `inner`, `count` times, inside `before` and `after`.
fn nest(before: &str, open: &str, inner: &str, close: &str, after: &str, count: usize) -> String {
    format!(
        "{before}{}{inner}{}{after}",
        open.repeat(count),
        close.repeat(count)
    )
}

/// Ways to nest: before, open, inner, close, after, and how many levels of depth one repetition takes.
const NESTS: &[(&str, &str, &str, &str, &str, usize)] = &[
    ("BEGIN { $x = ", "(", "1", ")", "; }", 1),
    ("BEGIN { $x = ", "(1,", "1", ")", "; }", 1),
    ("BEGIN { $x = ", "@x[", "1", "]", "; }", 1),
    ("BEGIN { $x = ", "$a[", "1", "]", "; }", 1),
    ("BEGIN { $x = ", "f(", "1", ")", "; }", 1),
    ("BEGIN { $x = ", "(u8)(", "1", ")", "; }", 1),
    ("BEGIN { $x = ", "{ ", "1", " }", "; }", 1),
    ("BEGIN { $x = ", "-", "1", "", "; }", 2),
    ("BEGIN { $x = ", "!", "1", "", "; }", 1),
    ("BEGIN { $x = ", "- ", "1", "", "; }", 1),
    ("BEGIN { $x = ", "(u8)", "1", "", "; }", 1),
    ("BEGIN { $x = ", "(typeof(x))", "1", "", "; }", 1),
    ("BEGIN { $x = ", "comptime ", "1", "", "; }", 1),
    ("BEGIN { $x = ", "(typeof(", "1", "))1", "; }", 2),
    ("BEGIN { $x = ", "1 + ", "1", "", "; }", 1),
    ("BEGIN { $x = ", "1 ? 2 : ", "1", "", "; }", 1),
    ("BEGIN { $x = ", "1 ? ", "1", " : 1", "; }", 1),
    ("BEGIN { $x = ", "1 ? : ", "1", "", "; }", 1),
    ("BEGIN { $x = a", ".b", "", "", "; }", 1),
    ("BEGIN { $x = a", ".0", "", "", "; }", 1),
    ("BEGIN { $x = a", "[0]", "", "", "; }", 1),
    ("BEGIN { ", "{ ", "", "} ", "}", 1),
    ("BEGIN { ", "if (1) { ", "", "} ", "}", 1),
    ("BEGIN { ", "if (1) { } else ", "{ }", "", "}", 1),
    ("BEGIN { ", "while (1) { ", "", "} ", "}", 1),
    ("BEGIN { $x = ", "if (1) { ", "", "} ", "}", 1),
    ("k:f /", "(", "1", ")", "/ { }", 1),
    ("k:f / ", "!", "1", "", "/ { }", 1),
    ("struct a ", "{ struct ", "{ int x; }", "; }", ";", 1),
    ("macro f() { ", "{", "", "}", "}", 1),
    ("fn f($x : ", "(", "int8", ")", ") { }", 1),
    ("BEGIN { let $x : ", "(", "int8", ")", "; }", 1),
];

#[test]
fn deep_nesting_is_refused_at_its_place_and_fast() {
    for &(before, open, inner, close, after, _) in NESTS {
        let count = 100_000 / SLOWER;
        for close in [close, ""] {
            let source = nest(before, open, inner, close, after, count);
            let start = Instant::now();
            // What is repeated without recursion may be long; all else is too deep, or was not closed.
            if let Err(errors) = exercise(&source) {
                let at = errors[0].span.start as usize;
                let short = errors[0].message == "this is nested too deeply"
                    && at <= before.len() + (MAX_DEPTH + 1) * open.len();
                assert!(
                    short
                        || !errors[0].message.contains("deep")
                        || close.is_empty()
                        || open.starts_with(['1', '.', '[', 'i']),
                    "{before}{open}: {errors:?}"
                );
            }
            assert_within(20, start, &format!("{before}{open}"));
        }
    }
}

#[test]
fn nesting_within_the_limit_works_on_a_small_stack() {
    for &(before, open, inner, close, after, levels) in NESTS {
        // Two levels for the body and the statement, one for the innermost.
        let source = nest(before, open, inner, close, after, (MAX_DEPTH - 8) / levels);
        if let Err(errors) = exercise(&source) {
            // `--1` is a decrement of what cannot change.
            assert!(open == "-", "{before}{open}: {:?}", errors[0]);
        }
    }
}

#[test]
fn scripts_of_the_largest_size_take_linear_time() {
    let cases: &[(&str, &str, &str)] = &[
        ("", "BEGIN{}\n", ""),
        ("", "struct a{}\n", "BEGIN{}"),
        ("", "struct a;\n", ""),
        ("", "let @a = x(1)\n", ""),
        ("", "import \"x\";", ""),
        ("", "#include <a>\n", ""),
        ("", "#define a \\\n", "x"),
        ("", "config = { }", ""),
        ("", "k:f,", "k:g { }"),
        ("k", ":a", "{ }"),
        ("k:", "a/", "b { }"),
        ("k:/", "*/", "b { }"),
        ("k:\"", "\\\"", "\" { }"),
        ("k:f /", "x &&", "x/ { }"),
        ("", "// /*\n", "BEGIN { }"),
        ("", "/* // */", "BEGIN { }"),
        ("BEGIN { ", "/* */", "}"),
        ("BEGIN { ", "x;", "}"),
        ("BEGIN { ", ";", "}"),
        ("BEGIN { ", "{}", "}"),
        ("BEGIN { ", "if(x){}", "}"),
        ("BEGIN { ", "let $x;", "}"),
        ("BEGIN { ", "$x=(a,b,);", "}"),
        ("BEGIN { ", "$x=(u8)(a)-(b);", "}"),
        ("BEGIN { ", "$x=a?b:c;", "}"),
        ("BEGIN { ", "@x[1,2]=count();", "}"),
        ("BEGIN { ", "while(1){}", "}"),
        ("BEGIN { while (1) { ", "x;", "} }"),
        ("BEGIN { f(", "1,", "1) }"),
        ("BEGIN { print(\"", "\\n", "\"); }"),
        ("BEGIN { $x = ", "1+", "1 }"),
        ("BEGIN { $x = ", "(", "1 }"),
        ("BEGIN { $x = ", "x / ", "{ }"),
        ("BEGIN { $x = ", "x /", "/* */ /* */ {"),
        ("BEGIN { ", "/", " }"),
        ("BEGIN { ", "/*", " }"),
        ("BEGIN { ", "\"", " }"),
        ("BEGIN { ", "'", " }"),
        ("BEGIN { ", "'\\", " }"),
        ("BEGIN { $", "1", " }"),
        ("BEGIN { $x = 1", "_0", " }"),
        ("BEGIN { $x = ", "x", " }"),
        ("BEGIN { $x = (", "x", ")1 }"),
        ("BEGIN { $x = (", "long ", ")1 }"),
        ("BEGIN { $x = (x ", "*", ")1 }"),
        ("BEGIN { $x = (x ", "[]", ")1 }"),
        ("", "\n", ""),
        ("", "x ", ""),
        ("", "é", ""),
    ];
    for &(before, repeated, after) in cases {
        let size = MAX_SOURCE_BYTES / SLOWER;
        let count = (size - before.len() - after.len()) / repeated.len();
        let source = nest(before, repeated, after, "", "", count);
        let start = Instant::now();
        if let Err(errors) = parse(&source) {
            assert!(render(&errors, "x.pf", &source, false).len() < 30_000);
        }
        // A quadratic cost would be minutes; the bound leaves room for slow machines.
        assert_within(30, start, &format!("{before}{repeated}"));
    }
}

#[test]
fn failing_deep_inside_does_not_multiply_the_work() {
    for &(before, open, _, close, after, levels) in NESTS {
        let count = (MAX_DEPTH - 8) / levels / 2;
        for wrong in [
            "~", "1 1", "$", "=", ")", "]", "}", ";", "if", "let", "\"", "/*", "#",
        ] {
            let source = nest(before, open, wrong, close, after, count);
            let start = Instant::now();
            let _ = parse(&source);
            assert_within(5, start, &format!("{before}{open}{wrong}"));
        }
    }
}

#[test]
fn scripts_beyond_the_largest_size_are_refused() {
    let source = "x".repeat(10 << 20);
    let errors = parse(&source).unwrap_err();
    assert_eq!(errors[0].message, "the script is too large");
    assert!(render(&errors, "x.pf", &source, false).len() < 1000);
}

#[test]
fn bytes_that_are_not_utf8_are_named_at_their_place() {
    let bytes = b"BEGIN { }\n// \xff\xfe";
    let error = decode(bytes).unwrap_err();
    assert_eq!((error.span.start, error.span.end), (13, 14));
    let text = render(&[error], "x.pf", &String::from_utf8_lossy(bytes), false);
    assert!(
        text.contains("x.pf:2:4") && text.contains("the byte 0xff"),
        "{text}"
    );
    assert_eq!(decode("é".as_bytes()), Ok("é"));
}
