//! Nothing is lost in silence: what was delivered and what is reported lost is, together, what happened.

mod support;

use pfscript_testkit::needs_root;
use std::io::Read;
use std::path::Path;
use support::{Finished, Scratch, Tracer, Workload, rows};

/// A script with a statement for each call of a workload `keys`, which has a name of its own.
fn at_each_close(comm: &str, statement: &str) -> String {
    format!(
        "tracepoint:syscalls:sys_enter_close /comm == \"{comm}\" && args.fd >= 1000000/ {{ {statement} }}"
    )
}

/// Traces `keys N REPEAT` with a statement for each of its calls.
fn trace_closes(
    name: &str,
    config: &str,
    statement: &str,
    numbers: &str,
    flags: &[&str],
) -> Finished {
    let scratch = Scratch::new(name);
    let (keys, comm) = scratch.named("keys", name);
    let script = format!("{config} {}", at_each_close(&comm, statement));
    let command = format!("'{}' {numbers}", keys.display());
    Tracer::new(["-e", &script, "-c", &command])
        .args(flags)
        .run()
}

/// The same, under a limit of map keys.
fn trace_keys(name: &str, limit: u32, statement: &str, numbers: &str, flags: &[&str]) -> Finished {
    let config = format!("config = {{ max_map_keys = {limit} }}");
    trace_closes(name, &config, statement, numbers, flags)
}

#[test]
fn a_full_map_of_counts_is_reported_with_what_it_lost() {
    needs_root!();
    let finished = trace_keys("count", 10, "@[args.fd] = count();", "500 3", &[]).ok();
    let delivered = rows(finished.text(), "");
    assert_eq!(delivered.len(), 10, "{finished}");
    assert!(delivered.iter().all(|row| row.1 == 3), "{finished}");
    assert_eq!(finished.lost("map was full"), 500 * 3 - 30, "{finished}");
    finished.says(&[
        "10 keys",
        "max_map_keys",
        "tracepoint:syscalls:sys_enter_close",
    ]);
}

#[test]
fn a_full_map_of_any_kind_is_reported() {
    needs_root!();
    for (comm, statement) in [
        ("assign", "@[args.fd] = 1;"),
        ("sum", "@[args.fd] = sum(1);"),
        ("max", "@[args.fd] = max(1);"),
        ("plus", "@[args.fd] += 1;"),
        ("increment", "@[args.fd]++;"),
        ("tuple", "@[args.fd, \"text\"] = 1;"),
        ("avg", "@[args.fd] = avg(1);"),
    ] {
        let finished = trace_keys(comm, 7, statement, "100", &[]).ok();
        let delivered = rows(finished.text(), "");
        assert_eq!(delivered.len(), 7, "{finished}");
        assert_eq!(
            delivered.len() as u64 + finished.lost("map was full"),
            100,
            "{finished}"
        );
    }
}

#[test]
fn histograms_and_stats_that_find_no_room_are_reported() {
    needs_root!();
    for (comm, statement) in [
        ("hist", "@[args.fd] = hist(1);"),
        ("lhist", "@[args.fd] = lhist(1, 0, 10, 1);"),
        ("stats", "@[args.fd] = stats(1);"),
        ("string", "@[args.fd] = \"text\";"),
    ] {
        let finished = trace_keys(comm, 7, statement, "100", &[]).ok();
        assert_eq!(finished.text().matches("@[").count(), 7, "{finished}");
        assert_eq!(finished.lost("map was full"), 93, "{finished}");
    }
}

#[test]
fn a_map_that_is_large_enough_loses_nothing() {
    needs_root!();
    let finished = trace_keys(
        "enough",
        20000,
        "@[args.fd] = count();",
        "20000 2",
        &["--strict"],
    )
    .lossless();
    let delivered = rows(finished.text(), "");
    assert_eq!(delivered.len(), 20000);
    assert!(delivered.iter().all(|row| row.1 == 2));
    // Every key is there, once.
    let mut keys: Vec<u64> = delivered
        .iter()
        .map(|row| row.0.parse().expect("a number"))
        .collect();
    keys.sort_unstable();
    assert!(keys.iter().copied().eq(1_000_000..1_020_000));
}

#[test]
fn by_default_a_map_holds_far_more_than_four_thousand_keys() {
    needs_root!();
    let statement = "@[args.fd] = count();";
    let finished = trace_closes("default", "", statement, "100000", &["--strict"]).lossless();
    assert_eq!(rows(finished.text(), "").len(), 100_000);
}

#[test]
fn strict_turns_a_loss_into_status_3() {
    needs_root!();
    let finished = trace_keys("strict", 10, "@[args.fd] = count();", "11", &["--strict"]).expect(3);
    assert_eq!(finished.lost("map was full"), 1, "{finished}");
    assert_eq!(rows(finished.text(), "").len(), 10);
    trace_keys(
        "strict_ok",
        11,
        "@[args.fd] = count();",
        "11",
        &["--strict"],
    )
    .lossless();
}

#[test]
fn quiet_hides_no_loss() {
    needs_root!();
    let finished = trace_keys("quiet", 10, "@[args.fd] = count();", "12", &["-q"]).ok();
    assert_eq!(finished.lost("map was full"), 2, "{finished}");
}

/// The pages of a pipe that nobody reads fill up, then the tracer stands still, then its event buffer fills up.
#[test]
fn a_full_event_buffer_is_reported_with_what_it_lost() {
    needs_root!();
    const EVENTS: u64 = 1_500_000;
    let scratch = Scratch::new("events");
    let (keys, comm) = scratch.named("keys", "events");
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let script = at_each_close(
        &comm,
        r#"printf("%d %s\n", args.fd, "and some text to make it longer");"#,
    );
    let tracer = Tracer::new(["--strict", "-e", &script])
        .output(writer)
        .start()
        .attached();
    run_to_its_end(&keys, &[&EVENTS.to_string()]);
    tracer.interrupt();
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("it prints text");
    let finished = tracer.finish().expect(3);
    let mut delivered = 0;
    let mut last = 0;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (number, rest) = line
            .split_once(' ')
            .unwrap_or_else(|| panic!("a line is cut: {line:?}"));
        let number: u64 = number
            .parse()
            .unwrap_or_else(|_| panic!("no number: {line:?}"));
        assert_eq!(rest, "and some text to make it longer");
        assert!(number > last, "out of order");
        last = number;
        delivered += 1;
    }
    let lost = finished.lost("the event buffer was full");
    assert!(
        lost > 0,
        "the buffer holds all of it, so this proves nothing: {finished}"
    );
    assert_eq!(delivered + lost, EVENTS, "{finished}");
}

/// With a reader that keeps up, and with exit statuses that depend on it.
#[test]
fn events_that_find_room_are_all_delivered() {
    needs_root!();
    let statement = r#"printf("%d\n", args.fd);"#;
    let finished = trace_closes("room", "", statement, "20000", &["-q", "--strict"]).lossless();
    let numbers: Vec<u64> = finished
        .text()
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect();
    assert!(
        numbers.iter().copied().eq(1_000_000..1_020_000),
        "{} lines",
        numbers.len()
    );
}

fn run_to_its_end(program: &Path, arguments: &[&str]) {
    let status = std::process::Command::new(program)
        .args(arguments)
        .stdout(std::process::Stdio::null())
        .status()
        .expect("the workload runs");
    assert!(status.success());
}

#[test]
fn strings_that_are_cut_are_counted() {
    needs_root!();
    let scratch = Scratch::new("strings");
    let (opens, comm) = scratch.named("opens", "cut");
    let script = format!(
        "config = {{ max_strlen = 16 }} \
         tracepoint:syscalls:sys_enter_openat /comm == \"{comm}\"/ {{ @[str(args.filename)] = count(); }}"
    );
    let path = "/no/such/folder/with/a/long/name";
    let command = format!("'{}' 40 {path}", opens.display());
    let finished = Tracer::new(["-e", &script, "-c", &command]).run().ok();
    let (_, rest) = finished.split_report();
    let cut: i64 = rows(&rest, "")
        .iter()
        .filter(|row| row.0 == format!("{}..", &path[..16]))
        .map(|row| row.1)
        .sum();
    assert_eq!(cut, 40, "{finished}");
    // Of all paths that it opened, the loader's among them, each one too long is reported.
    let long: i64 = rows(&rest, "")
        .iter()
        .filter(|row| row.0.ends_with(".."))
        .map(|row| row.1)
        .sum();
    assert_eq!(
        finished.lost("longer than max_strlen") as i64,
        long,
        "{finished}"
    );
    finished.says(&["max_strlen"]);
}

#[test]
fn what_the_script_asked_for_is_no_loss() {
    needs_root!();
    let scratch = Scratch::new("asked");
    let (opens, comm) = scratch.named("opens", "asked");
    let command = format!("'{}' 40 /no/such/folder/with/a/long/name", opens.display());
    let trace = |statement: &str, status: i32| {
        let script = format!(
            "config = {{ max_strlen = 16 }} \
             tracepoint:syscalls:sys_enter_openat /comm == \"{comm}\"/ {{ {statement} }}"
        );
        Tracer::new(["--strict", "-e", &script, "-c", &command])
            .run()
            .expect(status)
    };
    // A length: a constant, a computed one, the longest there is.
    for length in ["5", "(args.dfd & 0) + 7", "(args.dfd & 0) + 17", "17"] {
        let statement = format!("@[str(args.filename, {length})] = count();");
        let finished = trace(&statement, 0);
        assert!(finished.losses().is_empty(), "{finished}");
    }
    trace("@[ustack(1), kstack(1)] = count();", 0);
    // Not what it asked for: more than there is room for, or no length at all.
    for length in [", 18", ", (args.dfd & 0) + 18", ", args.dfd & 0", ""] {
        let finished = trace(&format!("@[str(args.filename{length})] = count();"), 3);
        assert!(
            finished.lost("longer than max_strlen") >= 40,
            "{length}: {finished}"
        );
    }
}

/// Touches pages: half of them 300 calls deep, half with a frame pointer that leads round in a circle of data.
#[cfg(target_arch = "x86_64")]
const DEEP_OR_ASTRAY: &str = r#"
#include <string.h>
#include <sys/mman.h>
static volatile char *next;
static void *ring[2] = { ring, ring };
static __attribute__((noinline)) void astray(void)
{
    __asm__ volatile("mov %%rbp, %%r12; mov %1, %%rbp; movb $1, (%0); mov %%r12, %%rbp"
                     : : "r"(next), "r"(ring) : "r12", "memory");
    next += 4096;
}
static __attribute__((noinline)) int deep(int depth)
{
    if (depth > 0)
        return deep(depth - 1) + 1;
    *next = 1;
    next += 4096;
    return 0;
}
int main(int argc, char **argv)
{
    (void)argc;
    next = mmap(NULL, 200 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise((void *)next, 200 * 4096, MADV_NOHUGEPAGE);
    for (int i = 0; i < 100; i++)
        if (!strcmp(argv[1], "deep"))
            deep(300);
        else
            astray();
    return 0;
}
"#;

#[cfg(target_arch = "x86_64")]
#[test]
fn a_walk_that_went_astray_is_told_from_a_stack_that_is_deeper() {
    needs_root!();
    let scratch = Scratch::new("astray");
    let program = scratch.compiled("walks", DEEP_OR_ASTRAY);
    let trace = |way: &str, script: &str, status| {
        let command = format!("'{}' {way}", program.display());
        Tracer::new(["--strict", "-e", script, "-c", &command])
            .run()
            .expect(status)
    };
    let script = "software:page-faults:1 { @[ustack(fp)] = count(); }";
    let finished = trace("deep", script, 3);
    // The stack itself takes pages as it grows.
    let cut = finished.lost("cut ");
    assert!((100..150).contains(&cut), "{finished}");
    finished.says(&["after 127 frames"]);

    let finished = trace("astray", script, 0);
    assert!(finished.losses().is_empty(), "{finished}");
    let note = "note: the walk of ";
    let finished = finished.says(&[note, "went astray", "code without frame pointers"]);
    let (_, rest) = finished.messages().split_once(note).expect("it is there");
    let number: u32 = rest
        .split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .expect("a number follows");
    assert!(number >= 100, "{finished}");
    // Who asks for a depth hears nothing of either.
    for way in ["deep", "astray"] {
        let script = "software:page-faults:1 { @[ustack(fp, 127)] = count(); }";
        let finished = trace(way, script, 0);
        assert!(!finished.messages().contains("astray"), "{finished}");
    }
}

#[test]
fn memory_that_cannot_be_read_is_counted() {
    needs_root!();
    let finished = trace_keys(
        "keys_read",
        10,
        "@ = sum(((struct task_struct *)0xffffffffffff0000)->pid);",
        "25",
        &[],
    )
    .ok();
    assert_eq!(finished.lost("could not be read"), 25, "{finished}");
    assert!(finished.text().ends_with("@: 0\n"), "{finished}");
}

/// A pointer that is null is an answer, also where a script goes on through it: there was nothing to lose.
#[test]
fn what_null_points_to_is_no_loss() {
    needs_root!();
    let finished = trace_keys(
        "keys_null",
        10,
        "$file = (struct file *)0; @[str($file->f_path.dentry->d_name.name), $file->f_inode->i_ino] = count();",
        "25",
        &[],
    )
    .lossless();
    assert!(finished.text().ends_with("@[, 0]: 25\n"), "{finished}");
}

/// A program with as many different stacks as nodes of a binary tree: each node touches a page.
const TREE: &str = r#"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
static volatile char *next;
static void left(int depth);
static void right(int depth);
static __attribute__((noinline)) void touch(void) { *next = 1; next += 4096; }
static __attribute__((noinline)) void left(int depth) { touch(); if (depth > 1) { left(depth - 1); right(depth - 1); } }
static __attribute__((noinline)) void right(int depth) { touch(); if (depth > 1) { left(depth - 1); right(depth - 1); } }
int main(void)
{
    size_t length = 4095 * 4096;
    next = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise((void *)next, length, MADV_NOHUGEPAGE);
    left(12);
    printf("pid=%d stacks=4095\n", getpid());
    return 0;
}
"#;

#[test]
fn thousands_of_different_stacks_are_all_told_apart() {
    needs_root!();
    let scratch = Scratch::new("tree");
    let program = scratch.compiled("tree", TREE);
    let script = "software:page-faults:1 { @[ustack, pid, comm] = count(); }";
    let finished = Tracer::new(["-e", script, "-c", &program.display().to_string()])
        .run()
        .lossless();
    let (_, rest) = finished.split_report();
    let rows = support::stacks::parse(&rest);
    let touches = rows
        .iter()
        .filter(|row| row.is_in("touch") && row.count == 1)
        .count();
    assert_eq!(touches, 4095);
}

#[test]
fn stacks_that_find_no_room_are_reported() {
    needs_root!();
    let scratch = Scratch::new("tree_full");
    let program = scratch.compiled("tree", TREE);
    let script = "config = { max_map_keys = 100 } \
                  software:page-faults:1 { @[ustack, pid, comm] = count(); @total = count(); }";
    let finished = Tracer::new(["-e", script, "-c", &program.display().to_string()])
        .run()
        .ok();
    let (_, rest) = finished.split_report();
    let (rows, total) = rest.split_once("@total: ").expect("a total");
    let rows = support::stacks::parse(rows);
    let total: u64 = total.trim().parse().expect("a number");
    assert!(total > 4095, "{finished}");
    assert!(rows.len() <= 100);
    // A stack without room leaves its event without frames; an event without room is lost.
    let delivered = support::stacks::total(&rows);
    assert_eq!(
        delivered + finished.lost("a map was full"),
        total,
        "{}",
        finished.messages()
    );
}

#[test]
fn a_full_table_of_stacks_is_reported_with_the_remedy() {
    needs_root!();
    let scratch = Scratch::new("tree_table");
    let program = scratch.compiled("tree", TREE);
    let command = program.display().to_string();
    let body = "software:page-faults:1 { @[ustack] = count(); @total = count(); }";
    let total = |finished: &Finished| -> u64 {
        let (_, rest) = finished.split_report();
        let (_, total) = rest.split_once("@total: ").expect("a total");
        total.trim().parse().expect("a number")
    };
    let config = format!("config = {{ max_stacks = 50 }} {body}");
    let finished = Tracer::new(["-e", &config, "-c", &command]).run().ok();
    let lost = finished.lost("the table of stacks was full");
    assert!(lost > 4000 && lost < total(&finished), "{finished}");
    finished.says(&["(50 different stacks; raise it with config max_stacks)"]);
    // The environment sets it too, and one that is large enough is not full.
    let set = |stacks| Tracer::new(["-e", body, "-c", &command]).env("PFSCRIPT_MAX_STACKS", stacks);
    set("60").run().ok().says(&["(60 different stacks;"]);
    set("200000").run().lossless();
    Tracer::script(body)
        .env("PFSCRIPT_MAX_STACKS", "0")
        .run()
        .refuses(&["PFSCRIPT_MAX_STACKS", "at least 1"]);
}

#[test]
fn loops_that_would_go_on_are_ended_and_reported() {
    needs_root!();
    // The turns of all such loops of a run count together.
    let script = "BEGIN { while (1) { @turns++; } while (1) { @turns++; } exit(); }
        END { for ($i : 0..0x7fffffff) { if ($i > 5) { break; } }
              for ($i : 0..0x7fffffff) { @last = $i; } }";
    let finished = Tracer::new(["-e", script]).run().ok();
    let rest = String::from_utf8_lossy(&finished.out);
    assert!(rest.contains("@turns: 1048576\n"), "{finished}");
    assert!(rest.contains("@last: 8388607\n"), "{finished}");
    let stderr = String::from_utf8_lossy(&finished.err);
    assert!(stderr.contains("ended 2 loops of begin"), "{finished}");
    assert!(stderr.contains("ended 1 loop of end"), "{finished}");
}

#[test]
fn a_process_that_was_counted_is_unaffected() {
    needs_root!();
    // Tracing that is stopped and started again leaves the workload's own counts alone.
    let mut workload = Workload::start("waits", &["100"]);
    workload.line();
    workload.waits();
    let before = support::faults_so_far(workload.pid());
    let tracer = Tracer::new([
        "-e",
        "software:page-faults:1 { @ = count(); }",
        "-p",
        &workload.pid().to_string(),
    ]);
    let tracer = tracer.start().attached();
    tracer.interrupt();
    tracer.finish().ok();
    assert_eq!(support::faults_so_far(workload.pid()), before);
    workload.go();
    workload.end();
}

/// Values that take much memory, and come faster than the kernel brings memory for each CPU.
#[test]
fn many_new_keys_of_any_kind_find_memory() {
    needs_root!();
    for (comm, statement, keys) in [
        ("fast_hist", "hist(args.fd)", 60_000_u64),
        ("fast_lhist", "lhist(args.fd, 0, 2000000, 20000)", 60_000),
        ("fast_min", "min(args.fd)", 200_000),
        ("fast_max", "max(args.fd)", 200_000),
    ] {
        let finished = trace_keys(
            comm,
            400_000,
            &format!("@[args.fd] = {statement};"),
            &keys.to_string(),
            &["--strict"],
        )
        .lossless();
        let delivered = finished.text().matches("@[").count() as u64;
        assert_eq!(delivered, keys, "{comm}");
    }
}

/// An interrupt that brings many keys at once, before the kernel can get memory for another one.
#[test]
fn keys_that_one_interrupt_brings_are_all_kept() {
    needs_root!();
    for (keys, statements) in [
        (3000, "for ($i : 0..3000) { @[$i] = $i; }"),
        (3000, "for ($i : 0..3000) { @[$i] = count(); }"),
        (1000, "$i = 0; while ($i < 1000) { @[$i++] = hist($i); }"),
        (
            1000,
            "for ($i : 0..1000) { $x = { @[$i]++; 1 }; if ($x == 2) { exit(); } }",
        ),
        (20, "$i = 0; unroll(20) { @[$i++] = max($i); }"),
        (3, "@[1] = hist(1); @[2] = hist(2); @[3] = hist(3);"),
    ] {
        let script = format!(
            "interval:ms:20 {{ {statements} printf(\"%d\\n\", len(@)); exit(); }} end {{ clear(@); }}"
        );
        let finished = Tracer::new(["-q", "--strict", "-e", &script])
            .run()
            .lossless();
        assert_eq!(finished.text().trim(), keys.to_string(), "{statements}");
    }
}

/// In each key, values in an order that makes every one the least or the greatest so far, then none.
#[test]
fn extremes_of_many_keys_are_those_of_all_their_values() {
    needs_root!();
    let statement = "@least[args.fd % 100] = min((int64)1500000 - args.fd); \
                     @greatest[args.fd % 100] = max(args.fd); @low[args.fd % 7] = min(args.fd);";
    let finished = trace_keys("extremes", 1000, statement, "5000 2", &[]).lossless();
    for (map, key, expected) in [
        ("@least", 99, 495_001),
        ("@greatest", 99, 1_004_999),
        ("@greatest", 0, 1_004_900),
        ("@low", 1, 1_000_000),
    ] {
        let line = format!("{map}[{key}]: {expected}\n");
        assert!(finished.text().contains(&line), "no {line:?} in {finished}");
    }
}
