//! Sessions that capture more different stacks than their table holds: those that nothing holds any more are given up, and
//! all that is printed has its frames.

mod support;

use pfscript_testkit::needs_root;
use std::path::PathBuf;
use support::stacks::Row;
use support::{Finished, Scratch, Tracer, Workload, own_name};

/// For each line of its input, a hundred page faults, each with a stack that no other one has: the path to the leaf of a
/// binary tree, by the bits of a number that counts on. Then a call that tells the tracer.
const LEAVES: &str = r#"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
static volatile char *next;
static void left(unsigned leaf, int depth);
static void right(unsigned leaf, int depth);
static __attribute__((noinline)) void touch(void) { *next = 1; next += 4096; }
static __attribute__((noinline)) void step(unsigned leaf, int depth)
{
    if (depth == 0) { touch(); }
    else if (leaf & 1) { left(leaf >> 1, depth - 1); }
    else { right(leaf >> 1, depth - 1); }
}
static __attribute__((noinline)) void left(unsigned leaf, int depth) { step(leaf, depth); }
static __attribute__((noinline)) void right(unsigned leaf, int depth) { step(leaf, depth); }
int main(void)
{
    size_t length = 16384 * 4096;
    unsigned leaf = 0;
    char go;
    next = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise((void *)next, length, MADV_NOHUGEPAGE);
    while (read(0, &go, 1) == 1) {
        for (int i = 0; i < 100; i++) { step(leaf++, 14); }
        close(1000000 + leaf / 100);
    }
    return 0;
}
"#;

/// Stacks that the workload has in a round.
const AT_ONCE: usize = 100;

/// How often a table for 1,000 stacks is filled.
const ROUNDS: usize = 40;

/// Traces the rounds, each of which begins when the one before was printed. `fault` is done at each page fault, `ask` after
/// each round.
fn trace(name: &str, fault: &str, ask: &str) -> Finished {
    let scratch = Scratch::new(name);
    let comm = own_name(name);
    let program: PathBuf = scratch.compiled(&comm, LEAVES);
    let script = format!(
        "config = {{ max_stacks = 1000 }} \
         software:page-faults:1 /comm == \"{comm}\" && @on/ {{ {fault} }} \
         tracepoint:syscalls:sys_enter_close /comm == \"{comm}\" && args.fd >= 1000000/ {{ \
             @on = 1; {ask} printf(\"round %d.\\n\", args.fd - 1000000); }}"
    );
    let mut workload = Workload::start_at(&program, &[]);
    let mut tracer = Tracer::new(["--strict", "-e", &script]).start().attached();
    for round in 1..=ROUNDS {
        workload.go();
        tracer = tracer.printed(&format!("round {round}.\n"));
    }
    workload.end();
    tracer.interrupt();
    tracer.finish().lossless()
}

/// The rows of a map in what was printed.
fn rows(text: &str, map: &str) -> Vec<Row> {
    let first = format!("{map}[");
    let mut found = "\n\n".to_owned();
    let mut lines = text.lines();
    while lines.any(|line| line == first) {
        found += "@[\n";
        for line in lines.by_ref() {
            found += line;
            found += "\n";
            if line.starts_with(", ") {
                break;
            }
        }
    }
    support::stacks::parse(&found)
}

/// Fails unless these are as many different stacks of the workload as it has in a round.
#[track_caller]
fn are_those_of_a_round(rows: &[Row]) {
    let mut paths: Vec<&[String]> = rows
        .iter()
        .filter(|row| row.is_in("touch"))
        .map(|row| row.frames.as_slice())
        .collect();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), AT_ONCE);
    for row in rows {
        assert!(!row.frames.is_empty(), "{row:?}");
        assert!(row.passes("main"), "{row:?}");
    }
}

#[test]
fn a_rolling_profile_never_runs_out_of_room_for_stacks() {
    needs_root!();
    let finished = trace(
        "rolling",
        "@[ustack, pid, comm] = count(); \
         if (@rounds == 1) { @kept[ustack, pid, comm] = count(); @one = ustack; } \
         if (@rounds < 30) { @last[pid] = (1, ustack); }",
        "print(@); clear(@); @rounds++;",
    );
    let (prints, end) = finished
        .text()
        .rsplit_once(&format!("round {ROUNDS}.\n"))
        .expect("the last round");
    // Nothing is counted in the first round, which ends with what turns counting on.
    for round in prints.split("round ").skip(2) {
        let (_, print) = round.split_once('\n').expect("a line");
        are_those_of_a_round(&rows(print, "@"));
    }
    // What was captured in the second round is held to the end, long after all the rest has gone.
    are_those_of_a_round(&rows(end, "@kept"));
    let frames = |after: &str| {
        let (_, rest) = end
            .split_once(after)
            .unwrap_or_else(|| panic!("no {after:?}: {end}"));
        let frames = rest
            .lines()
            .skip(1)
            .take_while(|line| line.starts_with("        "));
        frames.count()
    };
    assert!(frames("@one: ") > 14, "{end}");
    assert!(frames("]: (1,") > 14, "{end}");
}

#[test]
fn stacks_that_are_only_printed_never_run_out_of_room() {
    needs_root!();
    let finished = trace(
        "printed",
        "printf(\"@[%s, %d, %s]: 1\\n\", ustack, pid, comm);",
        "",
    );
    for round in finished.text().split("round ").skip(1).take(ROUNDS - 1) {
        let (_, print) = round.split_once('\n').expect("a line");
        are_those_of_a_round(&rows(print, "@"));
    }
}
