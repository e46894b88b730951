//! `pfscript rssgrow` of programs as people have them: other allocators, arenas, deep stacks, a Python list, much memory in steps of a page.

mod support;

use pfscript_testkit::needs_root;
use serde_json::Value;
use std::process::Command;
use support::growth::{adds_up, alike, growth, growth_of, reports, with_each_allocator};
use support::{Finished, Scratch, Tracer, workload};

fn grown(command: &str) -> Finished {
    let words = ["-f", "json", "rssgrow", "-c", command];
    Tracer::new(words).run().lossless()
}

/// The bytes of all parts in whose stacks such a text is, of any of these kinds.
fn bytes(growth: &Value, text: &str, kinds: &[&str]) -> u64 {
    let parts = growth["parts"].as_array().expect("there are parts");
    let own = parts.iter().filter(|part| {
        let by = part["by"].as_str().unwrap_or_default();
        by.contains(text) && kinds.iter().any(|kind| part["kind"] == *kind)
    });
    own.filter_map(|part| part["bytes"].as_u64()).sum()
}

/// Runs a workload that says by how much it has grown, and looks whether nearly all of that is this function's.
#[track_caller]
fn is_charged(command: &str, function: &str, kinds: &[&str]) {
    let finished = grown(command);
    let growth = growth(&finished);
    let found = bytes(&growth, &format!("{function}+"), kinds);
    alike(found, reports(&finished)[0].get("grown"), &growth);
    adds_up(&growth);
}

#[test]
fn memory_of_each_allocator_is_charged_to_who_allocates() {
    needs_root!();
    with_each_allocator(|with, library| {
        let command = format!("{with}{} malloc 48", workload("grows"));
        let finished = grown(&command);
        let growth = growth(&finished);
        let report = &reports(&finished)[0];
        let kinds = ["anon", "heap", "huge"];
        let found = bytes(&growth, "by_malloc+", &kinds);
        // The program does not name the library, so that the first of its stacks may come before it is known how to unwind it, and end within
        // it.
        let whole = ["main+", "_start+", "_dl_start_user+"];
        let parts = growth["parts"].as_array().expect("there are parts");
        let cut = parts.iter().filter(|part| {
            let by = part["by"].as_str().unwrap_or_default();
            let is_cut = !by.is_empty() && !whole.iter().any(|frame| by.contains(frame));
            is_cut && kinds.iter().any(|kind| part["kind"] == *kind)
        });
        let cut: u64 = cut.filter_map(|part| part["bytes"].as_u64()).sum();
        assert!(found > report.get("grown") / 4 * 3, "{library}: {growth:#}");
        alike(found + cut, report.get("grown"), &growth);
        adds_up(&growth);
    });
}

#[test]
fn arenas_of_threads_are_charged_to_who_allocates() {
    needs_root!();
    is_charged(
        &format!("{} arenas 64", workload("grows")),
        "by_arena",
        &["anon", "heap"],
    );
}

#[test]
fn a_stack_of_100_mib_is_one() {
    needs_root!();
    is_charged(
        &format!("{} stack 100", workload("grows")),
        "by_stack",
        &["stack"],
    );
}

/// More than faults are looked at each.
#[test]
fn much_memory_in_steps_of_a_page_is_charged_to_the_loop() {
    needs_root!();
    const PAGES: u64 = 1 << 18;
    let finished = grown(&format!("{} {PAGES}", workload("anon2mmap")));
    let growth = growth(&finished);
    alike(bytes(&growth, "main+", &["anon"]), PAGES << 12, &growth);
    adds_up(&growth);
}

#[test]
fn a_list_of_python_is_charged_to_its_function() {
    needs_root!();
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skip: python3 is not installed");
        return;
    }
    let scratch = Scratch::new("python-list");
    let script = scratch.file(
        "kept.py",
        "import os

def resident():
    for line in open('/proc/self/smaps_rollup'):
        if line.startswith('Rss:'):
            return int(line.split()[1]) << 10

def remember(kept):
    for number in range(1_000_000):
        kept.append([number, str(number)])

kept = []
before = resident()
remember(kept)
print(f'pid={os.getpid()} grown={resident() - before}', flush=True)
os._exit(0)
",
    );
    let finished = grown(&format!("python3 '{}'", script.display()));
    // Where several versions are installed, a shell chooses one of them.
    let report = &reports(&finished)[0];
    let growth = growth_of(&finished, "pid", report.pid());
    let found = bytes(&growth, "remember", &["anon", "heap", "huge"]);
    alike(found, report.get("grown"), &growth);
    adds_up(&growth);
}
