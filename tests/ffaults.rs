//! Page faults by process and mapped file.

mod support;

use pfscript_testkit::needs_root;
use std::fs;
use support::{Running, Scratch, Tracer, repository_file, rows, workload};

/// The counts of a process by what is mapped, from rows `@[comm, pid, kind, what]: count`.
fn by_file(text: &str, comm: &str, pid: u32) -> Vec<(String, i64)> {
    let start = format!("{comm}, {pid}, ");
    let rows = rows(text, "");
    assert!(rows.is_sorted_by_key(|row| row.1), "{text}");
    rows.iter()
        .filter_map(|(key, count)| {
            Some((
                key.strip_prefix(&start)?.split_once(", ")?.1.to_owned(),
                *count,
            ))
        })
        .collect()
}

/// All that counts under a name, of whatever kind.
#[track_caller]
fn count(rows: &[(String, i64)], name: &str) -> i64 {
    let own = || rows.iter().filter(|row| row.0 == name);
    assert!(own().next().is_some(), "no row of {name}: {rows:?}");
    own().map(|row| row.1).sum()
}

fn ffaults(command: &str) -> support::Finished {
    Tracer::new([&repository_file("scripts/ffaults.pf"), "-c", command])
        .run()
        .lossless()
}

/// Faults by file of one process, from now on.
fn attached_to(pid: u32) -> Running {
    let script = repository_file("scripts/ffaults.pf");
    Tracer::new([&script, "-p", &pid.to_string()])
        .start()
        .attached()
}

#[test]
fn anonymous_memory_counts_as_anon_and_the_rest_by_its_file() {
    needs_root!();
    let finished = ffaults(&format!("{} 2000", workload("anon2mmap")));
    let (report, rest) = finished.split_report();
    let rows = by_file(&rest, "anon2mmap", report.pid());
    let anon = count(&rows, "[anon]");
    // The rest is libc's own: the pages behind its data, and what it maps for itself.
    assert!((2000..2030).contains(&anon), "{rows:?}");
    assert!(count(&rows, "[stack]") >= 1);
    assert!(count(&rows, "anon2mmap") >= 1);
    assert!(rows.iter().any(|row| row.0.starts_with("libc")), "{rows:?}");
    assert!(
        !rows
            .iter()
            .any(|row| row.0 == "[unmapped]" || row.0.is_empty()),
        "{rows:?}"
    );
}

/// Runs the workload that touches a file of that name; the faults that it counted itself, and its rows.
fn touch_file(name: &str, how: &str) -> (u64, Vec<(String, i64)>) {
    let scratch = Scratch::new("ffaults");
    let file = scratch.path().join(name);
    let finished = ffaults(&format!(
        "{} '{}' {how}",
        workload("filetouch"),
        file.display()
    ));
    let (report, rest) = finished.split_report();
    let rows = by_file(&rest, "filetouch", report.pid());
    (report.faults(), rows)
}

#[test]
fn a_mapped_file_counts_under_its_name() {
    needs_root!();
    let (faults, rows) = touch_file("mapped data.bin", "333 --private");
    assert_eq!(faults, 333);
    assert_eq!(count(&rows, "mapped data.bin"), 333, "{rows:?}");
}

#[test]
fn a_file_that_is_read_counts_what_the_kernel_faulted() {
    needs_root!();
    let (faults, rows) = touch_file("read.bin", "512 --read");
    // Fewer than pages, by the kernel's fault-around; whatever that is, the counts agree.
    assert_eq!(count(&rows, "read.bin"), faults as i64, "{rows:?}");
}

/// A program that touches so many pages of the heap, of the stack, of its own data.
const AREAS: &str = r#"
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <malloc.h>
static char zeroes[64 * 4096];
int main(void)
{
    char *heap = sbrk(100 * 4096);
    for (int i = 0; i < 100; i++)
        ((volatile char *)heap)[i * 4096] = 1;
    int depth = down(200);
    for (int i = 0; i < 64; i++)
        ((volatile char *)zeroes)[i * 4096] = 1;
    return say(depth);
}
"#;

/// Before programs that go down their stack, by some bytes more than a page each time, and say how deep they were.
const DOWN: &str = "#include <stdio.h>
#include <unistd.h>
static __attribute__((noinline)) int down(int pages)
{
    volatile char page[4096];
    page[0] = 1;
    return pages > 1 ? down(pages - 1) + page[0] : page[0];
}
static int say(int depth)
{
    char line[64];
    int length = snprintf(line, sizeof line, \"pid=%d depth=%d\\n\", getpid(), depth);
    return write(1, line, length) != length;
}
";

/// The rows of a program in C.
fn rows_of_program(name: &str, text: &str) -> Vec<(String, i64)> {
    let scratch = Scratch::new(&format!("ffaults-{name}"));
    let program = scratch.compiled(name, format!("{DOWN}{text}"));
    let finished = ffaults(&program.display().to_string());
    let (report, rest) = finished.split_report();
    by_file(&rest, name, report.pid())
}

#[test]
fn heap_and_stack_have_the_names_of_proc_maps() {
    needs_root!();
    let rows = rows_of_program("areas", AREAS);
    // sbrk's first page may be one that the allocator has touched before.
    let heap = count(&rows, "[heap]");
    assert!((99..=104).contains(&heap), "{rows:?}");
    // 200 frames of a page and some bytes each, and what was there before.
    let stack = count(&rows, "[stack]");
    assert!((200..=212).contains(&stack), "{rows:?}");
    // Its zeroes lie behind its file's data, in anonymous memory but for the page that they share with it.
    let anon = count(&rows, "[anon]");
    assert!((63..=90).contains(&anon), "{rows:?}");
}

/// While one thread changes what is mapped, the others fault.
#[test]
fn threads_that_map_and_unmap_have_no_unmapped_faults() {
    needs_root!();
    let finished = ffaults(&format!("{} 4 500", workload("mallocs")));
    let (report, rest) = finished.split_report();
    let rows = by_file(&rest, "mallocs", report.pid());
    let names: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    assert!(!names.contains(&"[unmapped]"), "{rows:?}");
    // The threads' stacks and what starts them are anonymous, too.
    let (anon, faults) = (count(&rows, "[anon]"), report.faults() as i64);
    assert!((faults..faults + 100).contains(&anon), "{faults}: {rows:?}");
}

/// A stack that grows by more than most may, and addresses that nothing is at, each of which faults once. Address 0 is not among
/// them: since Linux 6.2 the kernel leaves that of the event unset where it is 0 (`perf_sample_data_init`).
const DEEP: &str = r#"
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
static sigjmp_buf back;
static void caught(int signal)
{
    (void)signal;
    siglongjmp(back, 1);
}
static void touch(char *nothing)
{
    if (!sigsetjmp(back, 1))
        *(volatile char *)nothing = 1;
}
int main(void)
{
    char here = 0;
    struct rlimit limit = {32 << 20, 32 << 20};
    if (setrlimit(RLIMIT_STACK, &limit) || signal(SIGSEGV, caught) == SIG_ERR)
        return 1;
    touch((char *)4096);
    touch(&here - (40 << 20));
    int depth = down(5000);
    return say(depth);
}
"#;

#[test]
fn a_stack_counts_as_one_as_far_as_it_may_grow() {
    needs_root!();
    let rows = rows_of_program("deep", DEEP);
    let stack = count(&rows, "[stack]");
    assert!((5000..5100).contains(&stack), "{rows:?}");
    assert_eq!(count(&rows, "[unmapped]"), 2, "{rows:?}");
}

/// Whatever is in the rows beside names and counts.
#[test]
fn memory_has_its_kind() {
    needs_root!();
    let scratch = Scratch::within_memory("ffaults-kinds");
    let file = scratch.path().join("shared.bin");
    let finished = ffaults(&format!(
        "{} '{}' 100",
        workload("filetouch"),
        file.display()
    ));
    let (report, rest) = finished.split_report();
    let pid = report.pid();
    for kind in [
        "stack, [stack]",
        "file, filetouch",
        "heap, [heap]",
        "shmem, shared.bin",
    ] {
        let row = format!("@[filetouch, {pid}, {kind}]: ");
        assert!(rest.contains(&row), "{row} in {rest}");
    }
    let finished = ffaults(&format!("{} 2 50", workload("threads")));
    let (report, rest) = finished.split_report();
    let row = format!(", {}, thread stack, [anon]]: ", report.pid());
    assert!(rest.contains(&row), "{row} in {rest}");
}

#[test]
fn a_process_given_by_pid_is_the_only_one_counted() {
    needs_root!();
    let mut workload = support::Workload::start("waits", &["250"]);
    let pid = workload.pid();
    workload.line();
    workload.waits();
    let before = support::faults_so_far(pid);
    let tracer = attached_to(pid);
    workload.go();
    let (_, faults) = workload.end();
    let finished = tracer.finish().lossless();
    let all = rows(finished.text(), "");
    let own = by_file(finished.text(), "waits", pid);
    assert_eq!(all.len(), own.len(), "{finished}");
    assert_eq!(
        own.iter().map(|row| row.1).sum::<i64>() as u64,
        faults - before,
        "{own:?}"
    );
    assert!(count(&own, "[anon]") >= 250);
}

#[test]
fn every_area_is_named_as_proc_maps_names_it() {
    needs_root!();
    // The names of the areas of a live process, from the kernel itself; a trace of it must use no other.
    let mut workload = support::Workload::start("waits", &["10"]);
    let pid = workload.pid();
    workload.line();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the process lives");
    let mut names: Vec<String> = maps
        .lines()
        .map(|line| {
            line.splitn(6, ' ')
                .nth(5)
                .unwrap_or("")
                .trim()
                .rsplit('/')
                .next()
                .unwrap_or("")
                .to_owned()
        })
        .map(|name| {
            if name.is_empty() {
                "[anon]".to_owned()
            } else {
                name
            }
        })
        .collect();
    names.push("[anon]".to_owned());
    let tracer = attached_to(pid);
    workload.go();
    workload.end();
    let finished = tracer.finish().lossless();
    let rows = by_file(finished.text(), "waits", pid);
    assert!(!rows.is_empty());
    for (name, _) in &rows {
        assert!(names.contains(name), "{name} is in no line of\n{maps}");
    }
}
