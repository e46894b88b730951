//! Many probes: they all stop at once, and results do not wait for the kernel, which detaches them one by one.

mod support;

use pfscript_testkit::needs_root;
use support::Tracer;

const MANY: &str = "tracepoint:syscalls:sys_enter_* { @all = count(); @[comm] = count(); }";

/// END and the maps at the end see the same numbers, though the tracer's own system calls would be counted in between.
#[test]
fn many_probes_stop_at_once_and_their_results_come_first() {
    needs_root!();
    let script = format!("{MANY} BEGIN {{ @all = count(); }} END {{ print(@all); print(@all); }}");
    for stop in ["interval:ms:200 { exit(); }", ""] {
        let mut tracer = Tracer::script(&format!("{script} {stop}"));
        if stop.is_empty() {
            tracer = tracer.args(["-c", "sh -c 'ls / >/dev/null'"]);
        }
        let finished = tracer.run().ok();
        let counts: Vec<&str> = finished
            .text()
            .lines()
            .filter_map(|line| line.strip_prefix("@all: "))
            .collect();
        let [first, rest @ ..] = &counts[..] else {
            panic!("no counts in {finished}");
        };
        assert!(first.parse::<u64>().expect("a number") > 1, "{finished}");
        assert_eq!(rest, [*first, *first], "{finished}");
        finished.says(&["all results are printed; the kernel detaches", "probes"]);
    }
}

/// Results are there for whoever reads them while the kernel detaches, and quiet is quiet.
#[test]
fn few_probes_are_detached_without_a_word() {
    needs_root!();
    let script = "tracepoint:syscalls:sys_enter_open* { @ = count(); }";
    let finished = Tracer::new(["-e", script, "-c", "true"]).run().ok();
    assert!(!finished.messages().contains("detach"), "{finished}");
    let script = format!("{MANY} interval:ms:50 {{ exit(); }}");
    let finished = Tracer::new(["-q", "-e", &script]).run().ok();
    assert_eq!(finished.messages(), "", "{finished}");
}

/// To empty a map takes longer than the interval: a timer that fired meanwhile would count on, behind the end.
#[test]
fn nothing_is_counted_behind_an_exit_that_waits_for_maps_to_be_emptied() {
    needs_root!();
    let clears = r#"clear(@x); printf("x"); "#.repeat(60);
    let script = format!(
        "BEGIN {{ @x = 1; @all = 0; }} interval:ms:100 {{ @x = 1; @all++; {clears} print(@all); exit(); }}"
    );
    let finished = Tracer::new(["-q", "-e", &script]).run().ok();
    let expected = format!("\n\n{}@all: 1\n\n\n@all: 1\n", "x".repeat(60));
    assert_eq!(finished.text().trim(), expected.trim(), "{finished}");
}
