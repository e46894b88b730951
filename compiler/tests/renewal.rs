//! Which scripts give up stacks while they run, on a recorded kernel and without root: all that leave some behind, since a table
//! of stacks that never frees any is full some day.

use pfscript_compiler::recorded::RecordedFacts;
use pfscript_compiler::{Options, compile};
use pfscript_grammar::{parse, render};

/// Whether the runtime is told to, and whether the object has what that takes; both must be said alike.
fn renews(source: &str) -> bool {
    let facts = RecordedFacts::linux_6_18();
    let compiled = parse(source)
        .and_then(|script| compile(&script, "t", source, &facts, &Options::default()))
        .unwrap_or_else(|errors| panic!("{}", render(&errors, "t", source, false)));
    let renews = compiled.object.manifest.renews_stacks;
    let symbols = compiled.module.maps.values().map(|map| map.symbol.as_str());
    let tables = symbols.filter(|symbol| *symbol == "pf_map_stack_tables");
    assert_eq!(tables.count(), usize::from(renews), "{source}");
    let calls = |routine: &str| compiled.listing.to_string().contains(routine);
    assert_eq!(calls("_renewed"), renews, "{source}");
    renews
}

#[test]
fn scripts_that_hold_every_stack_to_the_end_give_none_up() {
    for body in [
        "@[ustack, pid, comm] = count();",
        "@[ustack] = 1; @n = count();",
        "$s = kstack; @[$s, 1] = hist(pid);",
        "@[ustack] = count(); @other[pid] = count(); if (pid == 1) { delete(@other, pid); }",
    ] {
        let script = format!("software:page-faults:1 {{ {body} }} END {{ clear(@); }}");
        assert!(!renews(&script), "{script}");
    }
    let none = "software:page-faults:1 { @[ustack] = count(); @x++; } interval:s:5 { clear(@x); print(@); }";
    assert!(!renews(none));
}

#[test]
fn scripts_that_leave_stacks_behind_give_them_up() {
    for body in [
        "printf(\"%s\", ustack);",
        "print(kstack);",
        "print((1, ustack));",
        "@last = ustack;",
        "@of[tid] = (pid, kstack); @[ustack] = count();",
        "@[ustack] = count(); print(ustack);",
        "@[ustack] = count(); if (len(ustack) > 20) { @deep++; }",
        "@depth = hist(len(kstack));",
        "@[ustack] = count(); delete(@[ustack]);",
        "@[1, ustack] = count(); if (delete(@, (1, ustack))) { @n++; }",
    ] {
        let script = format!("software:page-faults:1 {{ {body} }}");
        assert!(renews(&script), "{script}");
    }
    for end in ["clear(@)", "zero(@)", "print(@); clear(@)"] {
        let script =
            format!("software:page-faults:1 {{ @[kstack] = count(); }} interval:s:5 {{ {end}; }}");
        assert!(renews(&script), "{script}");
    }
    assert!(renews(
        "let @ = lruhash(100); software:page-faults:1 { @[ustack] = 1; }"
    ));
}
