use super::*;

/// What is left of a text, and its macros as they are written in scripts.
fn done(source: &str) -> (String, Vec<String>) {
    let (text, macros) = preprocess(source, 0).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(text.len(), source.len());
    let macros = macros.iter().map(|definition| {
        let mut script = crate::ast::Script::default();
        script
            .items
            .push(crate::ast::Item::Macro(definition.clone()));
        let text = crate::format(&script);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    (text.replace(' ', ""), macros.collect())
}

/// What is said of a text, behind the place that it is said of.
fn refusal(source: &str) -> String {
    let error = preprocess(source, 0).map(|_| ()).expect_err(source);
    format!("{}: {}", &source[error.span.range()], error.message)
}

#[test]
fn conditions_choose_what_is_left() {
    for (source, left) in [
        (
            "#ifdef BPFTRACE_HAVE_BTF\na\n#else\nb\n#endif\nc",
            "\na\n\n\n\nc",
        ),
        (
            "#ifndef BPFTRACE_HAVE_BTF\na\n#else\nb\n#endif",
            "\n\n\nb\n",
        ),
        (
            "#if 0\na\n#elif 1\nb\n#elif 1\nc\n#else\nd\n#endif",
            "\n\n\nb\n\n\n\n\n",
        ),
        (
            "#if 0\n#if 1\na\n#else\nb\n#endif\n#else\nc\n#endif",
            "\n\n\n\n\n\n\nc\n",
        ),
        (
            "#define A 3\n#if A > 2 && defined A && !defined(B)\na\n#endif",
            "\n\na\n",
        ),
        (
            "#define A\n#ifdef A\na\n#endif\n#undef A\n#ifdef A\nb\n#endif",
            "\n\na\n\n\n\n\n",
        ),
        (
            "#define A B\n#define B 2\n#if A == 2 ? 1 : 1 / 0\na\n#endif",
            "\n\n\na\n",
        ),
        ("#if UNKNOWN || (1 << 3) != 8\na\n#endif\n", "\n\n\n"),
        ("  #  if 1 // why\r\na\n #endif", "\na\n"),
        ("#if 1 \\\n && 0\na\n#endif", "\n\n\n"),
        (
            "#pragma once\n#if 0\n#error no\n#bad\n#endif\na",
            "\n\n\n\n\na",
        ),
        (
            "#if 0\n#include <x>\n#endif\n#include <y>",
            "\n\n\n#include<y>",
        ),
    ] {
        assert_eq!(done(source).0, left, "{source}");
    }
}

#[test]
fn definitions_are_macros() {
    for (source, macros) in [
        ("#define A 2 /* two */", &["macro A() { 2 }"][..]),
        (
            "#define A(a, b) \\\n  ((a) > (b))",
            &["macro A(a, b) { a > b }"],
        ),
        (
            "#define A (1)\n#define B \"text // no comment\"",
            &["macro A() { 1 }", "macro B() { \"text // no comment\" }"],
        ),
        (
            "#define A(x) \\\n (x) /* \n */ + 2\n",
            &["macro A(x) { x + 2 }"],
        ),
        ("#define A 1\n#define A 2", &["macro A() { 2 }"]),
        (
            "#define FLAG\n#define TYPE struct task_struct *\n#define HALF (1 +",
            &[],
        ),
        ("#define A 1\n#undef A", &[]),
        ("#if 0\n#define A 1\n#endif", &[]),
    ] {
        assert_eq!(done(source).1, macros, "{source}");
    }
}

#[test]
fn what_only_looks_like_a_directive_is_left() {
    for source in [
        "/*\n#if 0\n*/ a",
        "BEGIN { /* x\n#endif\n*/ printf(\"/*\"); }\n",
        "a // /* \n",
        "uprobe:/lib/*/libc.so:f { }\n",
    ] {
        assert_eq!(preprocess(source, 0).unwrap().0, source);
    }
    let source = "uprobe:/lib/*/libc.so:f { }\n#if 0\na\n#endif /* x */\nb";
    assert_eq!(done(source).0, "uprobe:/lib/*/libc.so:f{}\n\n\n\nb");
}

#[test]
fn mistakes_are_shown_at_their_place() {
    for (source, said) in [
        ("a\n#if 1\nb", "#if: no `#endif` ends this condition"),
        ("a\n#endif", "#endif: there is no `#if` before this"),
        ("#else\n", "#else: there is no `#if` before this"),
        (
            "#if 1\n#else\n#else\n#endif",
            "#else: this condition had its `#else`",
        ),
        ("#if 1 +\n#endif", "1 +: expected a condition"),
        (
            "#if f(1)\n#endif",
            "f(1): a part of this is no number that is known here",
        ),
        ("#if 1 / 0\n#endif", "1 / 0: division by zero"),
        (
            "#define A A\n#if A\n#endif",
            "A: these definitions name each other without end",
        ),
        ("#ifdef\n#endif", ": expected a name"),
        ("#define A(a", "(: no `)` closes these parameters"),
        ("#define A(1 b) a", "1 b: expected the name of a parameter"),
        ("#error not here\n", "#error: the script says: not here"),
        ("#defin A 1\n", "#defin: there is no directive `#defin`"),
    ] {
        assert_eq!(refusal(source), said);
    }
}

/// A few lines of definitions can ask for very much work.
#[test]
fn conditions_that_double_and_double_are_refused() {
    let mut source = String::from("#define A0 1\n");
    for n in 1..60 {
        source += &format!("#define A{n} A{0} + A{0}\n", n - 1);
    }
    source += "#if A59\n#endif\n";
    assert_eq!(
        refusal(&source),
        "A59: this takes too many steps to compute"
    );
}
