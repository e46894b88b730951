//! Several probes on one event run in the order in which the script has them, however the kernel keeps them.

mod support;

use pfscript_testkit::needs_root;
use support::{Scratch, Tracer, workload};

/// Three probes on one event, of which the last counts whether the other two ran just before it, the first one first.
fn script(event: &str, predicate: &str) -> String {
    [
        "@step[tid] = 1;",
        "@step[tid] = @step[tid] == 1 ? 2 : 0;",
        "if (@step[tid] == 2) { @right = count(); } else { @wrong = count(); } @step[tid] = 0;",
    ]
    .map(|action| format!("{event} {predicate} {{ {action} }}\n"))
    .concat()
        + "END { clear(@step); }"
}

/// How often they ran in the right order, and how often in another.
#[track_caller]
fn orders(event: &str, target: bool) -> (u64, u64) {
    let scratch = Scratch::new("order");
    // Tests run at the same time, and none may see another's program.
    let (program, comm) = scratch.named("opens", &event[..5]);
    let command = format!("'{}' 300 /no/such/file", program.display());
    let finished = if target {
        // The program is not there before all probes are, and is gone before any is not.
        let script = script(event, &format!("/comm == \"{comm}\"/"));
        Tracer::new(["-q", "-e", &script, "-c", &command])
    } else {
        let script = script(event, "") + " interval:ms:400 { exit(); }";
        Tracer::new(["-q", "-e", &script])
    };
    let finished = finished.run().ok();
    let count = |name: &str| {
        let mut lines = finished.text().lines();
        let found = lines.find_map(|line| line.strip_prefix(name));
        found.map_or(0, |count| count.parse().expect("a count"))
    };
    (count("@right: "), count("@wrong: "))
}

#[track_caller]
fn in_order(event: &str) {
    let (right, wrong) = orders(event, true);
    assert!(
        right > 10 && wrong == 0,
        "{event}: {right} times in order, {wrong} times not"
    );
}

#[test]
fn software_events_run_in_the_order_of_the_script() {
    needs_root!();
    in_order("software:page-faults:1");
    // Opened for each CPU, and not for a process. While they begin and end, some run alone.
    let (right, wrong) = orders("software:page-faults:1", false);
    assert!(
        right > 2 * wrong,
        "{right} times in order, {wrong} times not"
    );
}

#[test]
fn tracepoints_run_in_the_order_of_the_script() {
    needs_root!();
    in_order("tracepoint:syscalls:sys_enter_openat");
    in_order("rawtracepoint:sys_enter");
}

#[test]
fn probes_that_run_once_do_so_in_the_order_of_the_script() {
    needs_root!();
    let script = "BEGIN { printf(\"1\"); } BEGIN { printf(\"2\"); } END { printf(\"3\"); } \
                  END { printf(\"4\\n\"); } BEGIN { exit(); }";
    let finished = Tracer::new(["-q", "-e", script]).run().ok();
    assert_eq!(finished.text().trim_end(), "1234", "{finished}");
}

/// A probe with several places is attached in another way than one with a single one.
#[test]
fn uprobes_run_in_the_order_of_the_script() {
    needs_root!();
    let program = workload("opens");
    let one = format!("uprobe:{program}:main");
    let two = format!("uprobe:{program}:main, uprobe:{program}:_start");
    for events in [[&one, &two, &one], [&two, &one, &two], [&two, &two, &two]] {
        let probes = (1..).zip(events);
        let script: String = probes
            .map(|(number, event)| format!("{event} {{ printf(\"<{number}>\"); }} "))
            .collect();
        let command = format!("{program} 1 /no/such/file");
        let finished = Tracer::new(["-q", "-e", &script, "-c", &command])
            .run()
            .ok();
        assert!(
            finished.text().contains("<1><2><3>"),
            "{script}: {finished}"
        );
    }
}
