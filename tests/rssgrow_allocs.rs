//! `pfscript rssgrow --allocs`: what is allocated and not freed, against what programs know of themselves.

mod support;

use pfscript_testkit::needs_root;
use serde_json::Value;
use support::growth::{Part, alike, bytes_of, growth, with_each_allocator};
use support::{Finished, Report, Tracer, workload};

fn allocs(command: &str) -> Finished {
    let words = ["-f", "json", "rssgrow", "--allocs", "-c", command];
    Tracer::new(words).run().ok()
}

/// The bytes that such a function has allocated and not freed.
fn allocated(growth: &Value, function: &str) -> u64 {
    let parts = growth["allocated_by"].as_array().expect("there are parts");
    let name = format!("{function}+");
    let has = |part: &&Value| part["by"].as_str().is_some_and(|by| by.contains(&name));
    let own = parts.iter().filter(has);
    own.filter_map(|part| part["bytes"].as_u64()).sum()
}

/// Blocks of 1,008 bytes, of which each is kept; so few that none stands for another.
#[test]
fn what_is_not_freed_is_counted_to_the_byte_with_each_allocator() {
    needs_root!();
    const KEPT: u64 = (1 << 10) * 1008;
    let plain = format!("{} malloc 1", workload("grows"));
    assert_eq!(allocated(&growth(&allocs(&plain)), "by_malloc"), KEPT);
    with_each_allocator(|with, library| {
        let growth = growth(&allocs(&format!("{with}{plain}")));
        assert_eq!(allocated(&growth, "by_malloc"), KEPT, "{library}");
    });
    // Threads that free all they allocate.
    let command = format!("{} 2 300", workload("mallocs"));
    assert_eq!(allocated(&growth(&allocs(&command)), "worker"), 0);
}

/// There are so many that some stand for others; and a program may map its memory itself.
#[test]
fn what_is_not_freed_is_nearly_right_where_there_is_much() {
    needs_root!();
    let command = format!("{} malloc 128", workload("grows"));
    let found = growth(&allocs(&command));
    let bytes = allocated(&found, "by_malloc");
    let kept = (128 << 10) * 1008;
    assert!(bytes.abs_diff(kept) * 20 < kept, "{bytes} of {kept}");
    let command = format!("{} anon 32", workload("grows"));
    let found = growth(&allocs(&command));
    assert_eq!(allocated(&found, "by_anon"), 32 << 20, "{found:#}");
}

#[test]
fn who_holds_memory_that_another_touched_stands_beside_that() {
    needs_root!();
    let finished = allocs(&format!("{} 2", workload("reused")));
    let line = finished
        .text()
        .lines()
        .find(|line| line.starts_with("pid="));
    let report = Report::parse(line.expect("it reports"));
    let growth = growth(&finished);
    assert_eq!(allocated(&growth, "keeps"), report.get("kept"));
    assert_eq!(allocated(&growth, "touches"), 4000);
    let of = |function| {
        let part = Part {
            function,
            kind: "heap",
            file: None,
        };
        bytes_of(&growth, &part)
    };
    // What it writes behind that is its own.
    alike(of("touches"), 2 << 20, &growth);
    assert!(of("keeps") < 1 << 20, "{growth:#}");
    let shown = Tracer::new(["-q", "rssgrow", "--allocs", "-c"])
        .arg(format!("{} 2", workload("reused")))
        .run()
        .ok();
    let rows: Vec<&str> = shown.text().lines().collect();
    let below = rows.iter().position(|row| row.starts_with("of the "));
    let below = below.unwrap_or_else(|| panic!("{shown}"));
    assert!(
        rows[below].ends_with(" that were allocated and not freed"),
        "{shown}"
    );
    assert!(rows[below + 1].contains("  keeps (reused.c:"), "{shown}");
}

#[test]
fn allocators_are_followed_only_where_it_is_asked_for() {
    needs_root!();
    let command = format!("{} anon 1", workload("grows"));
    let finished = Tracer::new(["-f", "json", "rssgrow", "-c", &command])
        .run()
        .ok();
    assert_eq!(growth(&finished)["allocated_by"], serde_json::json!([]));
}
