//! `pfscript rssgrow` of several processes, and again and again: children, all processes, intervals.

mod support;

use pfscript_testkit::needs_root;
use serde_json::Value;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::FromRawFd as _;
use support::growth::{
    BY_ANON, Part, adds_up, alike, bytes_of, growth, growth_of, growths, reports,
};
use support::{Report, Scratch, Tracer, Workload, workload};

#[test]
fn children_are_followed_too() {
    needs_root!();
    let command = format!("sh -c '{} anon 32; true'", workload("grows"));
    let finished = Tracer::new(["-f", "json", "rssgrow", "-c", &command])
        .run()
        .lossless();
    let report = &reports(&finished)[0];
    let child = growth_of(&finished, "pid", report.pid());
    assert_eq!(child["comm"], "grows");
    assert!(child["unseen"].is_null(), "{child:#}");
    alike(bytes_of(&child, &BY_ANON), report.get("grown"), &child);
    adds_up(&child);
    let shell = growth_of(&finished, "comm", "sh");
    assert!(
        shell["after"].as_u64().is_some_and(|after| after < 8 << 20),
        "{shell:#}"
    );
    assert_eq!(shell["others"], 0);
}

#[test]
fn processes_are_one_where_that_is_asked_for() {
    needs_root!();
    let grows = workload("grows");
    let command = format!("sh -c '{grows} anon 8; {grows} anon 16; true'");
    let finished = Tracer::new(["-f", "json", "rssgrow", "--merge", "-c", &command])
        .run()
        .lossless();
    let growth = growth(&finished);
    assert_eq!(
        (&growth["comm"], &growth["processes"]),
        (&"all".into(), &3.into())
    );
    alike(bytes_of(&growth, &BY_ANON), 24 << 20, &growth);
    adds_up(&growth);
}

/// The children of a job, each of which ends within milliseconds.
#[test]
fn forty_short_children_are_one_row() {
    needs_root!();
    let grows = workload("grows");
    let turns: Vec<String> = (0..40).map(|turn| turn.to_string()).collect();
    let line = format!(
        "for turn in {}; do {grows} anon 4 & done; wait",
        turns.join(" ")
    );
    let command = format!("sh -c '{line}'");
    let run = |form: &str| {
        Tracer::new(["-f", form, "rssgrow", "-c", &command])
            .run()
            .lossless()
    };
    let finished = run("json");
    let growth = growth_of(&finished, "comm", "grows");
    assert_eq!(growth["processes"], 40);
    assert!(growth["unseen"].is_null(), "{growth:#}");
    let grown: u64 = reports(&finished)
        .iter()
        .map(|report| report.get("grown"))
        .sum();
    // A little of that is pages of the C library.
    let (anon, expected) = (bytes_of(&growth, &BY_ANON), 40 * (4 << 20));
    alike(anon, expected, &growth);
    assert!(
        expected < grown && grown < expected + 40 * (256 << 10),
        "{finished}"
    );
    adds_up(&growth);
    let parts = growth["parts"].as_array().expect("there are parts");
    let of_it = parts.iter().filter(|part| part["kind"] == "anon");
    let of_it = of_it.filter(|part| {
        part["by"]
            .as_str()
            .is_some_and(|by| by.contains("by_anon+"))
    });
    assert_eq!(of_it.count(), 1, "{growth:#}");
    let text = run("text");
    let found = text
        .text()
        .lines()
        .any(|line| line.starts_with("grows (40 processes) grew by "));
    assert!(found, "{text}");
    let found = text.text().lines().any(|line| {
        line.contains("160.0 MiB  anon    touch (") && line.contains(" ← by_anon ← main")
    });
    assert!(found, "{text}");
}

#[test]
fn what_a_child_writes_to_is_its_own() {
    needs_root!();
    let command = format!("{} forked 32", workload("grows"));
    let finished = Tracer::new(["-f", "json", "rssgrow", "-c", &command])
        .run()
        .lossless();
    let reports = reports(&finished);
    let [child, parent] = &reports[..] else {
        panic!("{finished}");
    };
    let part = |function| Part {
        function,
        kind: "anon",
        file: None,
    };
    let growth = growth_of(&finished, "pid", child.pid());
    alike(bytes_of(&growth, &part("by_child")), 16 << 20, &growth);
    // Which that function has called.
    alike(bytes_of(&growth, &part("by_forked")), 16 << 20, &growth);
    // What it did not write to is its parent's still.
    let before = growth["before"].as_u64().unwrap_or(0);
    assert!((16 << 20..20 << 20).contains(&before), "{growth:#}");
    let growth = growth_of(&finished, "pid", parent.pid());
    alike(bytes_of(&growth, &part("by_forked")), 32 << 20, &growth);
}

#[test]
fn what_a_process_starts_later_is_followed() {
    needs_root!();
    let line = format!("read line; {} anon 32; true", workload("grows"));
    let mut shell = std::process::Command::new("sh")
        .args(["-c", &line])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("there is a shell");
    let pid = shell.id().to_string();
    let tracer = Tracer::new(["-f", "json", "rssgrow", "-p", &pid])
        .start()
        .printed("attached_probes");
    drop(shell.stdin.take());
    let finished = tracer.finish().lossless();
    shell.wait().expect("it has ended");
    let growth = growth_of(&finished, "comm", "grows");
    alike(bytes_of(&growth, &BY_ANON), 32 << 20, &growth);
    adds_up(&growth);
}

#[test]
fn without_a_target_all_processes_are_followed() {
    needs_root!();
    let scratch = Scratch::new("rssgrow-all");
    let (stays, stays_name) = scratch.named("grows", "stays");
    let (ends, ends_name) = scratch.named("grows", "ends");
    let tracer = Tracer::new(["-f", "json", "rssgrow"])
        .start()
        .printed("attached_probes");
    let mut stays = Workload::start_at(&stays, &["anon", "32", "stay"]);
    let report = Report::parse(&stays.line());
    let status = std::process::Command::new(&ends)
        .args(["anon", "32"])
        .status();
    assert!(status.is_ok_and(|status| status.success()));
    tracer.interrupt();
    let finished = tracer.finish().ok();
    let growth = growth_of(&finished, "comm", &*stays_name);
    alike(bytes_of(&growth, &BY_ANON), report.get("grown"), &growth);
    adds_up(&growth);
    stays.end();
    // One that has ended has given all back.
    let growth = growth_of(&finished, "comm", &*ends_name);
    assert_eq!(growth["after"], 0);
    // On a busy machine some of it is told by samples, and some stacks end early.
    let returned = growth["returned_by"].as_array().expect("there are parts");
    let own = returned.iter().filter(|part| {
        part["by"]
            .as_str()
            .is_some_and(|by| by.contains("by_anon+"))
    });
    let bytes: u64 = own.filter_map(|part| part["bytes"].as_u64()).sum();
    assert!(bytes.abs_diff(32 << 20) < 2 << 20, "{growth:#}");
}

#[test]
fn it_is_said_every_so_many_seconds_and_nothing_twice() {
    needs_root!();
    let mut workload = Workload::start("waits", &["5000"]);
    let pid = workload.pid().to_string();
    workload.line();
    workload.waits();
    let tracer = Tracer::new(["-f", "json", "rssgrow", "-p", &pid, "--interval=1"])
        .start()
        .printed("\"growth\"");
    workload.go();
    workload.end();
    let finished = tracer.finish().lossless();
    let all = growths(&finished);
    assert!(all.len() >= 2, "{finished}");
    let number = |growth: &Value, name: &str| growth[name].as_i64().expect("a number");
    let grown = |growth: &Value| number(growth, "after") - number(growth, "before");
    assert!(all[0]["recent"].is_null(), "{finished}");
    for two in all.windows(2) {
        let recent = grown(&two[1]) - grown(&two[0]);
        assert_eq!(number(&two[1], "recent"), recent, "{finished}");
        assert!(two[1]["recent_seconds"].as_f64().is_some(), "{finished}");
    }
    let part = Part {
        function: "touch",
        kind: "anon",
        file: None,
    };
    let last = &all[all.len() - 1];
    alike(bytes_of(last, &part), 5000 * 4096, last);
    adds_up(last);
}

#[test]
fn it_ends_after_so_many_times() {
    needs_root!();
    let workload = Workload::start("waits", &["5000"]);
    let pid = workload.pid().to_string();
    let finished = Tracer::new(["rssgrow", "-p", &pid, "--interval=1", "--count=3"])
        .run()
        .lossless();
    let lines = |words: &str| {
        finished
            .text()
            .lines()
            .filter(|line| line.contains(words))
            .count()
    };
    assert_eq!(lines(&format!("waits ({pid}) ")), 3, "{finished}");
    assert_eq!(lines(" s, with + what came in the last "), 2, "{finished}");
    workload.end();
}

/// A terminal: the side that shows it, and the side that a program writes to.
fn terminal() -> (File, File) {
    let (mut master, mut slave) = (0, 0);
    let nothing = std::ptr::null_mut();
    let size = libc::winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the kernel's two descriptors are written; no name and no settings are given, and the size is read.
    let opened =
        unsafe { libc::openpty(&mut master, &mut slave, nothing, std::ptr::null(), &size) };
    assert_eq!(opened, 0);
    // SAFETY: the descriptors are open, and nobody else's.
    unsafe { (File::from_raw_fd(master), File::from_raw_fd(slave)) }
}

#[test]
fn in_a_terminal_a_print_takes_the_place_of_the_one_before() {
    needs_root!();
    let workload = Workload::start("waits", &["5000"]);
    let pid = workload.pid().to_string();
    let (mut screen, output) = terminal();
    let options = ["rssgrow", "-p", &pid, "-i", "1", "-n", "3"];
    let tracer = Tracer::new(options).output(output).start();
    let mut shown = Vec::new();
    // It ends with an error when nobody has the other side any more.
    let _ = screen.read_to_end(&mut shown);
    tracer.finish().lossless();
    let shown = String::from_utf8(shown).expect("text");
    let screens: Vec<&str> = shown.split("\x1b[H\x1b[2J").collect();
    assert_eq!(screens.len(), 3, "{shown:?}");
    for screen in screens {
        let own = format!("waits ({pid}) ");
        assert_eq!(screen.matches(&own).count(), 1, "{shown:?}");
    }
    workload.end();
}
