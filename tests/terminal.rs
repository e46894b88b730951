//! What a person sees in a terminal: the line that says how a session goes on, and histograms within its width.

mod support;

use pfscript_testkit::needs_root;
use support::terminal::{ENDED, Terminal};
use support::{Tracer, workload};

/// The progress line: ends so while nothing is lost.
const LINE_END: &str = "nothing lost";

#[test]
fn a_line_says_how_it_goes_on_and_is_gone_when_output_comes() {
    needs_root!();
    let script = "interval:ms:10 { @[cpu, 1] = count(); } END { printf(\"the end\\n\"); }";
    let terminal = Terminal::run(80, &["-e", script]);
    let screen = terminal.wait_for(|screen| screen.contains(LINE_END));
    let line = screen
        .lines()
        .find(|line| line.contains(LINE_END))
        .expect("it is there");
    assert!(
        line.contains(" events, ") && line.contains(" key"),
        "{screen}"
    );
    // It changes, and is one line.
    let later = terminal.wait_for(|screen| screen.contains(LINE_END) && !screen.contains(line));
    assert_eq!(later.matches(LINE_END).count(), 1, "{later}");
    terminal.press("C-c");
    let screen = terminal.end();
    assert!(
        !screen.contains(LINE_END) && screen.contains("\nthe end\n"),
        "{screen}"
    );
    assert!(screen.contains("Attached 2 probes\n"), "{screen}");
}

#[test]
fn losses_are_in_the_line() {
    needs_root!();
    let script = "let @few = hash(1); software:cpu-clock:1000000 { @few[nsecs] = 1; }";
    let terminal = Terminal::run(80, &["-e", script]);
    terminal.wait_for(|screen| {
        screen.contains(", 1 key, ") && screen.contains(" lost") && !screen.contains(LINE_END)
    });
}

#[test]
fn output_that_comes_often_is_not_mixed_with_it() {
    needs_root!();
    let script = "interval:ms:300 { printf(\"line %d\\n\", @++); if (@ == 10) { exit(); } }";
    let terminal = Terminal::run(80, &["--no-maps", "-e", script]);
    let screen = terminal.end();
    let lines: Vec<&str> = screen
        .lines()
        .filter(|line| line.starts_with("line"))
        .collect();
    let expected: Vec<String> = (0..10).map(|number| format!("line {number}")).collect();
    assert_eq!(lines, expected, "{screen}");
    assert!(!screen.contains(LINE_END), "{screen}");
}

#[test]
fn where_nobody_sees_it_there_is_none() {
    needs_root!();
    let script = "interval:ms:10 { @ = count(); } interval:ms:2500 { exit(); }";
    // The standard error is no terminal.
    let finished = Tracer::script(script).run().lossless();
    assert_eq!(finished.messages(), "Attached 2 probes\n");
    // A command has the terminal to itself, and --quiet is quiet.
    let sleep = ["-c", "sleep 2.5", "-e", "interval:ms:10 { @ = count(); }"];
    for arguments in [&sleep[..], &["-q", "-e", script]] {
        let terminal = Terminal::run(80, arguments);
        let screen = terminal.wait_for(|screen| {
            assert!(!screen.contains(LINE_END), "{screen}");
            screen.contains(ENDED)
        });
        assert!(screen.contains("@: "), "{screen}");
    }
}

#[test]
fn where_detaching_takes_long_it_is_said() {
    needs_root!();
    // More than 16 are stopped first and detached later.
    let script = "tracepoint:syscalls:sys_enter_s* { @ = count(); } interval:ms:100 { exit(); }";
    let terminal = Terminal::run(80, &["-e", script]);
    terminal.wait_for(|screen| screen.contains("detaching ") && screen.contains(" left"));
    let screen = terminal.end();
    assert!(
        !screen.contains("detaching") && screen.contains("@: "),
        "{screen}"
    );
}

#[test]
fn histograms_are_within_the_width() {
    needs_root!();
    let script =
        "BEGIN { for $i : 0..100 { @h[\"key\"] = hist($i); @l = lhist($i, 0, 100, 10); } exit(); }";
    for (columns, widest) in [(80, 79), (60, 60), (40, 40)] {
        let terminal = Terminal::run(columns, &["-q", "-e", script]);
        let screen = terminal.end();
        let rows: Vec<&str> = screen
            .lines()
            .filter(|line| line.starts_with('['))
            .collect();
        assert_eq!(rows.len(), 8 + 10, "{screen}");
        for row in rows {
            assert!(
                row.chars().count() == widest && row.ends_with('|'),
                "{columns}: {row}\n{screen}"
            );
        }
    }
    // Elsewhere they are as wide as bpftrace's.
    let finished = Tracer::script(script).args(["-q"]).run().ok();
    let rows = finished.text().lines().filter(|line| line.starts_with('['));
    assert!(
        rows.clone().count() == 18 && rows.clone().all(|row| row.len() == 79),
        "{finished}"
    );
}

#[test]
fn the_answer_of_rssgrow_stands_on_a_screen() {
    needs_root!();
    let command = format!("{} malloc 8", workload("grows"));
    let terminal = Terminal::run(80, &["rssgrow", "-c", &command]);
    let screen = terminal.end();
    assert!(
        screen.contains("grew by") && screen.contains("by_malloc"),
        "{screen}"
    );
    assert!(!screen.contains(LINE_END), "{screen}");
}
