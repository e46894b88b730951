//! Scripts that are long, deep or made to grow: they work, or are refused with a reason and a place, and what compiling
//! them costs grows no faster than they do.

use pfscript_compiler::recorded::RecordedFacts;
use pfscript_compiler::{Compiled, Options, compile};
use pfscript_grammar::{Diagnostic, parse, render};

fn build(source: &str) -> Result<Compiled, Vec<Diagnostic>> {
    let script = parse(source)?;
    let facts = RecordedFacts::linux_6_18();
    compile(&script, "t", source, &facts, &Options::default())
}

/// `part` for each number below `count`, in a probe.
fn script(before: &str, count: usize, part: impl Fn(usize) -> String, after: &str) -> String {
    let parts: String = (0..count).map(part).collect();
    format!("interval:s:1 {{ {before}{parts}{after} }}")
}

/// The messages that a script is refused with.
fn refusal(source: &str) -> String {
    let errors = build(source).expect_err("the script is refused");
    let text = render(&errors, "t", source, false);
    assert!(
        !text.contains("internal") && !text.contains("bug") && !text.contains("malformed"),
        "{text}"
    );
    text
}

#[track_caller]
fn works(source: &str) {
    if let Err(errors) = build(source) {
        panic!("{}", render(&errors, "t", source, false));
    }
}

#[test]
fn long_rows_of_operators_are_no_deep_trees() {
    for operator in [
        "||", "&&", "+", "-", "*", "/", "%", "|", "^", "&", "==", "<", "<<",
    ] {
        for operands in [256, 300, 2000] {
            let rest = |i| format!(" {operator} (pid - {i})");
            works(&script("@ = pid", operands, rest, ";"));
        }
        let short = script(
            "if (pid",
            300,
            |i| format!(" {operator} (pid - {i})"),
            ") { @++ }",
        );
        works(&short);
    }
    works(&script(
        "@ = pid",
        300,
        |i| format!(" + {i} * tid - {i} / 3"),
        ";",
    ));
    let text = refusal(&script("@ = pid", 5000, |_| " + tid".into(), ";"));
    assert!(text.contains("more than 4096 operands in a row"), "{text}");
    assert!(text.contains("keep a part of it in a variable"), "{text}");
}

#[test]
fn a_row_of_operators_is_computed_from_left_to_right() {
    for (row, value) in [
        ("100 - 10 - 1", 89),
        ("100 / 10 / 5 * 3 % 4", 2),
        ("2 + 3 * 4 - 5", 9),
        ("1 << 2 << 3", 32),
        ("3 > 2 > 1", 0),
        ("10 - (3 - 1)", 8),
        ("(10 - 3) - 1", 6),
    ] {
        let compiled = build(&format!("BEGIN {{ @ = {row} }}")).unwrap();
        let stored = format!("= {value}");
        assert!(
            compiled.listing.to_string().contains(&stored),
            "{row}: {}",
            compiled.listing
        );
    }
}

#[test]
fn chains_of_else_if_are_no_deep_trees() {
    let arm = |i| format!(" else if (pid == {i}) {{ @ = {i} }}");
    for arms in [255, 256, 300, 2000] {
        works(&script(
            "if (pid == 1) { @ = 1 }",
            arms,
            arm,
            " else { @ = 0 }",
        ));
    }
    let text = refusal(&script("if (pid == 1) { @ = 1 }", 6000, arm, ""));
    assert!(text.contains("too long for one program"), "{text}");
    assert!(text.contains("t:1:1"), "{text}");
}

#[test]
fn types_flow_through_long_chains_of_maps_and_variables() {
    let value = |text: &str| format!("@m300 = {text};");
    for end in ["1", "\"abc\"", "kstack", "(1, comm)"] {
        works(&script(
            "",
            300,
            |i| format!("@m{i} = @m{}; ", i + 1),
            &value(end),
        ));
        let through = |i| format!("$x{i} = @m{}; @m{i} = $x{i}; ", i + 1);
        works(&script("", 300, through, &value(end)));
        let declared = |i| format!("let $x{i} = @m{}; @m{i} = $x{i}; ", i + 1);
        works(&script("", 300, declared, &value(end)));
    }
    // One probe reads what the next one assigns.
    let probes: String = (0..200)
        .map(|i| format!("interval:s:{} {{ @m{i} = @m{} }} ", i + 1, i + 1))
        .collect();
    works(&format!("{probes} BEGIN {{ @m200 = \"abc\" }}"));
    works(&script(
        "",
        300,
        |i| format!("@m{i} = @m{} + 1; ", i + 1),
        &value("1"),
    ));

    // What is more than copied may take a pass for each, and is refused with its place where these are too many.
    let chosen = script(
        "",
        300,
        |i| format!("@m{i} = pid ? @m{} : @m0; ", i + 1),
        &value("1"),
    );
    let text = refusal(&chosen);
    assert!(
        text.contains("do not settle") && text.contains("^^^"),
        "{text}"
    );
    assert!(text.contains("assign each map before"), "{text}");
}

#[test]
fn what_holds_itself_is_refused() {
    for source in [
        "BEGIN { @a = (1, @a) }",
        "BEGIN { @a = (1, @b); @b = (@a, 1) }",
        "BEGIN { @a[(1, @b)] = 1; @b = (@c, 1); @c = @b }",
        "BEGIN { @a = (1, @a) } END { @b = @a; @a = @b }",
    ] {
        let text = refusal(source);
        assert!(
            text.contains("16 deep within each other"),
            "{source}: {text}"
        );
        assert!(text.contains("that it is assigned to"), "{source}: {text}");
        assert!(text.contains('^'), "{text}");
    }
}

#[test]
fn tuples_that_double_are_refused_before_they_are_large() {
    let double = |i| format!("$b{} = ($b{i}, $b{i}); ", i + 1);
    works(&script("$b0 = (1, 2); ", 3, double, ""));
    for count in [40, 300] {
        let text = refusal(&script("$b0 = (1, 2); ", count, double, ""));
        assert!(text.contains("takes more than 32768 bytes"), "{text}");
    }
    let strings = "$a = (str(0), str(0)); $b = ($a, $a, $a); $c = $b; print($c.2.1);";
    works(&format!(
        "config = {{ max_strlen = 1024 }} BEGIN {{ {strings} }}"
    ));
    let wide = |i| format!("@b{} = (@b{i}, @b{i}); ", i + 1);
    let text = refusal(&script("@b0 = 1; ", 40, wide, ""));
    assert!(text.contains("takes more than 32768 bytes"), "{text}");
}

#[test]
fn more_variables_than_there_is_memory_for_are_refused() {
    works(&script("", 1000, |i| format!("$v{i} = pid; "), ""));
    for count in [5000, 10_000] {
        let text = refusal(&script("", count, |i| format!("$v{i} = pid + {i}; "), ""));
        assert!(text.contains("its variables"), "{text}");
        assert!(text.contains("use fewer of them"), "{text}");
        assert!(text.contains("t:1:1") && text.contains("^^^"), "{text}");
    }
}

/// CPU time of this thread in nanoseconds, which other processes hardly touch.
fn cpu_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn cost(source: &str) -> u64 {
    let start = cpu_time();
    let _ = build(source);
    (cpu_time() - start).max(1)
}

/// Fails unless four times as much script costs about four times as much. Quadratic would be 16 times. Other processes
/// can make one run dear, but not three.
#[track_caller]
fn grows_as_it_is_long(name: &str, [short, long]: [String; 2]) {
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (short, long) = (cost(&short), cost(&long));
        if long < 9 * short {
            return;
        }
        seen.push((short, long));
    }
    panic!("{name}: nanoseconds for a script and for one four times as long: {seen:?}");
}

#[test]
fn what_compiling_costs_grows_as_the_script_does() {
    type Part = fn(usize) -> String;
    let parts: [(&str, &str, Part, &str); 12] = [
        ("maps", "", |i| format!("@m{i} = {i}; "), ""),
        ("keys", "", |i| format!("@m[comm, {i}] = {i}; "), ""),
        ("printf", "", |i| format!("printf(\"%d x\\n\", {i}); "), ""),
        ("strings", "", |_| "printf(\"%s\\n\", comm); ".into(), ""),
        (
            "blocks",
            "",
            |i| format!("if (pid == {i}) {{ $x = {i}; @ = $x }} "),
            "",
        ),
        (
            "names",
            "",
            |i| format!("if (pid == {i}) {{ $x{i} = {i}; @ = $x{i} }} "),
            "",
        ),
        (
            "else if",
            "if (0) { }",
            |i| format!(" else if (pid == {i}) {{ @ = {i} }}"),
            "",
        ),
        ("sum", "@ = pid", |i| format!(" + (pid - {i})"), ""),
        ("conditions", "@ = pid", |i| format!(" || (pid == {i})"), ""),
        ("errors", "", |i| format!("@m{i} = $y{i}; "), ""),
        ("warnings", "", |i| format!("pid + {i}; "), ""),
        (
            "chain",
            "",
            |i| format!("@m{i} = @m{}; ", i + 1),
            "@m500 = 1; @m2000 = 1",
        ),
    ];
    for (name, before, part, after) in parts {
        grows_as_it_is_long(
            name,
            [500, 2000].map(|count| script(before, count, part, after)),
        );
    }
}

#[test]
fn what_many_probes_and_macros_cost_grows_as_their_number_does() {
    let probes = |count: usize| -> String {
        let one = |i| {
            format!(
                "interval:s:{} {{ printf(\"%d\\n\", {i}); @m{i} = 1 }}\n",
                i + 1
            )
        };
        (0..count).map(one).collect()
    };
    let macros = |count: usize| -> String {
        let definitions: String = (0..count)
            .map(|i| format!("macro m{i}(x) {{ x + {i} }}\n"))
            .collect();
        definitions + &script("$x = 1; ", count, |i| format!("@[{i}] = m{i}($x); "), "")
    };
    grows_as_it_is_long("probes", [200, 800].map(probes));
    grows_as_it_is_long("macros", [500, 2000].map(macros));
}
