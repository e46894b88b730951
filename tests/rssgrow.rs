//! `pfscript rssgrow`: what a process has grown by, against what it really did and what the kernel says.

mod support;

use pfscript_testkit::needs_root;
use serde_json::Value;
use support::{Finished, Report, Scratch, Tracer, Workload, workload};

/// Which parts of the growth are meant: with a function in their stacks, a kind, and a piece of a file's path.
struct Part<'a> {
    function: &'a str,
    kind: &'a str,
    file: Option<&'a str>,
}

/// All that is said of growth: of each process, or of those of a name.
#[track_caller]
fn growths(finished: &Finished) -> Vec<Value> {
    let objects = finished.text().lines().filter(|line| line.starts_with('{'));
    let objects = objects.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let growths = objects.filter(|object| object["type"] == "growth");
    let growths: Vec<Value> = growths.map(|object| object["data"].clone()).collect();
    assert!(!growths.is_empty(), "no growth in\n{finished}");
    growths
}

/// What is said of the one process.
#[track_caller]
fn growth(finished: &Finished) -> Value {
    let mut growths = growths(finished);
    assert_eq!(growths.len(), 1, "{finished}");
    growths.remove(0)
}

/// What is said of the processes of a name, or of the one of a process id.
#[track_caller]
fn growth_of(finished: &Finished, which: &str, is: impl Into<Value>) -> Value {
    let is = is.into();
    let growths = growths(finished);
    let mut own = growths.iter().filter(|growth| growth[which] == is);
    let found = own.next();
    let found = found.unwrap_or_else(|| panic!("nothing of {is} in\n{finished}"));
    assert_eq!(own.count(), 0, "{is} is there twice in\n{finished}");
    found.clone()
}

/// What workloads report.
fn reports(finished: &Finished) -> Vec<Report> {
    let lines = finished.text().lines();
    let lines = lines.filter(|line| line.starts_with("pid="));
    lines.map(Report::parse).collect()
}

/// The bytes of the parts that have such a stack, kind and file.
fn bytes_of(growth: &Value, part: &Part<'_>) -> u64 {
    let parts = growth["parts"].as_array().expect("there are parts");
    let has = |text: &Value, part: &str| text.as_str().is_some_and(|text| text.contains(part));
    let own = parts.iter().filter(|one| {
        has(&one["by"], &format!("{}+", part.function))
            && one["kind"] == part.kind
            && part.file.is_none_or(|file| has(&one["file"], file))
    });
    own.filter_map(|one| one["bytes"].as_u64()).sum()
}

/// Fails unless two sizes are within 2 %.
#[track_caller]
fn alike(found: u64, expected: u64, growth: &Value) {
    assert!(
        found.abs_diff(expected) * 50 <= expected,
        "{found} bytes, not {expected}: {growth:#}"
    );
}

/// Fails unless all parts, what was there before and what of that is gone come to what is there.
#[track_caller]
fn adds_up(growth: &Value) {
    let number = |value: &Value| value.as_u64().expect("a number");
    let parts = growth["parts"].as_array().expect("there are parts");
    let all: u64 = parts.iter().map(|part| number(&part["bytes"])).sum();
    let end = number(&growth["after"]) + number(&growth["gone"]);
    assert_eq!(number(&growth["before"]) + all, end, "{growth:#}");
    // What nothing is known of is less than 1 %.
    let unexplained = parts.iter().filter(|part| part["by"].is_null());
    let unexplained: u64 = unexplained.map(|part| number(&part["bytes"])).sum();
    assert!(unexplained * 100 < all, "{growth:#}");
}

/// Runs a workload that grows by 32 MiB in one way, and looks for that.
#[track_caller]
fn grows(way: &str, part: &Part<'_>) -> Value {
    let command = format!("{} {way} 32", workload("grows"));
    let finished = Tracer::new(["-f", "json", "rssgrow", "-c", &command])
        .run()
        .lossless();
    let line = finished
        .text()
        .lines()
        .find(|line| line.starts_with("pid="));
    let report = Report::parse(line.expect("it reports"));
    let growth = growth(&finished);
    assert_eq!(growth["pid"], report.pid());
    assert_eq!(growth["comm"], "grows");
    assert!(growth["unseen"].is_null(), "{growth:#}");
    alike(bytes_of(&growth, part), report.get("grown"), &growth);
    adds_up(&growth);
    growth
}

#[test]
fn memory_is_charged_to_the_function_that_made_it_resident() {
    needs_root!();
    for (way, function, kind) in [
        ("anon", "by_anon", "anon"),
        ("malloc", "by_malloc", "heap"),
        ("read", "by_read", "anon"),
        ("stack", "by_stack", "stack"),
        ("shared", "by_shared", "shmem"),
    ] {
        grows(
            way,
            &Part {
                function,
                kind,
                file: None,
            },
        );
    }
}

#[test]
fn pages_of_a_file_have_its_name_and_copies_are_told_apart() {
    needs_root!();
    let file = Some("/var/tmp/grows-");
    grows(
        "file",
        &Part {
            function: "by_file",
            kind: "file",
            file,
        },
    );
    grows(
        "copied",
        &Part {
            function: "by_copied",
            kind: "copied",
            file,
        },
    );
}

#[test]
fn pages_that_no_fault_brings_are_charged_too() {
    needs_root!();
    for (way, function) in [("populate", "by_populate"), ("mlock", "by_mlock")] {
        grows(
            way,
            &Part {
                function,
                kind: "anon",
                file: None,
            },
        );
    }
}

#[test]
fn huge_pages_count_with_their_size() {
    needs_root!();
    let enabled = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    if enabled.is_ok_and(|enabled| !enabled.contains("[never]")) {
        grows(
            "huge",
            &Part {
                function: "by_huge",
                kind: "huge",
                file: None,
            },
        );
    } else {
        println!("skip: this kernel gives no huge pages");
    }
}

#[test]
fn what_is_given_back_is_no_growth() {
    needs_root!();
    let growth = grows(
        "dontneed",
        &Part {
            function: "touched_again",
            kind: "anon",
            file: None,
        },
    );
    alike(growth["returned"].as_u64().unwrap_or(0), 32 << 20, &growth);
    let growth = grows(
        "unmapped",
        &Part {
            function: "by_unmapped",
            kind: "anon",
            file: None,
        },
    );
    alike(growth["returned"].as_u64().unwrap_or(0), 96 << 20, &growth);
    // More came and went than stayed: whose that was is said, too.
    let largest = &growth["returned_by"][0];
    alike(largest["bytes"].as_u64().unwrap_or(0), 96 << 20, &growth);
    assert!(
        largest["by"]
            .as_str()
            .is_some_and(|by| by.contains("by_unmapped+")),
        "{growth:#}"
    );
}

#[test]
fn memory_that_moves_keeps_who_is_charged() {
    needs_root!();
    grows(
        "remapped",
        &Part {
            function: "by_remapped",
            kind: "anon",
            file: None,
        },
    );
}

#[test]
fn the_zero_page_is_nobodys() {
    needs_root!();
    let command = format!("{} zeros 32", workload("grows"));
    let finished = Tracer::new(["-f", "json", "rssgrow", "-c", &command])
        .run()
        .lossless();
    let growth = growth(&finished);
    let part = Part {
        function: "by_zeros",
        kind: "anon",
        file: None,
    };
    assert_eq!(bytes_of(&growth, &part), 0, "{growth:#}");
    assert!(
        growth["after"]
            .as_u64()
            .is_some_and(|after| after < 4 << 20),
        "{growth:#}"
    );
}

#[test]
fn a_process_that_runs_is_looked_at_from_now_on() {
    needs_root!();
    let mut workload = Workload::start("waits", &["5000"]);
    let pid = workload.pid().to_string();
    workload.line();
    workload.waits();
    let tracer = Tracer::new(["-f", "json", "rssgrow", "-p", &pid])
        .start()
        .printed("attached_probes");
    workload.go();
    workload.end();
    let growth = growth(&tracer.finish().lossless());
    assert!(
        growth["before"]
            .as_u64()
            .is_some_and(|before| before > 100 << 10),
        "{growth:#}"
    );
    let part = Part {
        function: "touch",
        kind: "anon",
        file: None,
    };
    alike(bytes_of(&growth, &part), 5000 * 4096, &growth);
    adds_up(&growth);
}

#[test]
fn text_is_read_in_ten_seconds() {
    needs_root!();
    let command = format!("{} anon 32", workload("grows"));
    let finished = Tracer::new(["rssgrow", "-c", &command]).run().lossless();
    let (report, rest) = finished.split_report();
    let lines: Vec<&str> = rest.trim().lines().collect();
    let pid = report.pid();
    assert!(
        lines[0].starts_with(&format!("grows ({pid}) grew by 33.")),
        "{finished}"
    );
    assert!(lines[0].contains("(0 KiB → 33."), "{finished}");
    let words: Vec<&str> = lines[1].split_whitespace().take(8).collect();
    assert_eq!(
        words[1..],
        ["%", "32.0", "MiB", "anon", "by_anon", "←", "main"],
        "{finished}"
    );
    assert!(lines.len() < 25, "{finished}");
}

#[test]
fn a_command_that_is_stopped_is_looked_at_as_it_is() {
    needs_root!();
    let command = format!("{} 3000", workload("waits"));
    let tracer = Tracer::new(["rssgrow", "-c", &command])
        .start()
        .printed("pid=");
    tracer.interrupt();
    let finished = tracer.finish().ok();
    assert!(finished.text().contains("waits ("), "{finished}");
    assert!(
        !finished.text().contains("by page faults alone"),
        "{finished}"
    );
}

const BY_ANON: Part<'_> = Part {
    function: "by_anon",
    kind: "anon",
    file: None,
};

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
    let found = text
        .text()
        .lines()
        .any(|line| line.contains("160.0 MiB  anon    by_anon ← main"));
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
    let largest = &growth["returned_by"][0];
    alike(largest["bytes"].as_u64().unwrap_or(0), 32 << 20, &growth);
    assert!(
        largest["by"]
            .as_str()
            .is_some_and(|by| by.contains("by_anon+")),
        "{growth:#}"
    );
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

#[test]
fn a_process_that_a_debugger_holds_is_told_by_its_faults() {
    needs_root!();
    let mut workload = Workload::start("waits", &["2000"]);
    let pid = workload.pid().to_string();
    workload.line();
    workload.waits();
    // There can be one.
    let first = Tracer::new(["rssgrow", "-p", &pid]).start().attached();
    let second = Tracer::new(["rssgrow", "-p", &pid]).start().attached();
    workload.go();
    workload.end();
    let finished = first.finish().lossless();
    assert!(
        !finished.text().contains("by page faults alone"),
        "{finished}"
    );
    let finished = second.finish().lossless();
    let text = finished.text().trim();
    assert!(
        text.starts_with("by page faults alone, since process"),
        "{finished}"
    );
    assert!(
        text.contains("7.8 MiB  unknown  touch ← main"),
        "{finished}"
    );
}
