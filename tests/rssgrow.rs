//! `pfscript rssgrow`: what a process has grown by, against what it really did and what the kernel says.

mod support;

use pfscript_testkit::needs_root;
use serde_json::Value;
use std::process::Command;
use std::time::Duration;
use support::growth::{Part, adds_up, alike, bytes_of, growth, growth_of, reports};
use support::limited::Limited;
use support::{Report, Tracer, Workload, workload};

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
        ("thread", "by_thread", "thread stack"),
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
    for (way, function) in [
        ("populate", "by_populate"),
        ("mlock", "by_mlock"),
        ("future", "by_future"),
    ] {
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

/// Why this machine can't make memory grow in a way, if it can't: a file system or a kernel may be without what that takes.
fn lacks(way: &str) -> Option<String> {
    let run = Command::new(workload("grows"))
        .args([way, "1"])
        .output()
        .expect("the workload runs");
    let why = String::from_utf8_lossy(&run.stderr).trim().to_owned();
    let is_lacking = why.starts_with("O_DIRECT: ") || why.starts_with("io_uring_setup: ");
    is_lacking.then_some(why)
}

#[test]
fn what_is_read_without_the_page_cache_is_charged_to_who_reads() {
    needs_root!();
    for (way, function) in [
        ("direct", "by_direct"),
        ("vector", "by_vector"),
        ("aio", "by_aio"),
        ("uring", "by_uring"),
        ("buffers", "by_buffers"),
        ("resources", "by_resources"),
    ] {
        if let Some(why) = lacks(way) {
            println!("skip: {way}: {why}");
            continue;
        }
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

/// Memory that is there already stays whose it is.
#[test]
fn reading_into_what_is_there_charges_nobody() {
    needs_root!();
    if let Some(why) = lacks("again") {
        return println!("skip: {why}");
    }
    let growth = grows(
        "again",
        &Part {
            function: "touched_again",
            kind: "anon",
            file: None,
        },
    );
    let part = Part {
        function: "read_again",
        kind: "anon",
        file: None,
    };
    assert_eq!(bytes_of(&growth, &part), 0, "{growth:#}");
}

#[test]
fn what_a_process_writes_to_anothers_memory_is_charged_to_it() {
    needs_root!();
    let command = format!("{} others 32", workload("grows"));
    let finished = Tracer::new(["-f", "json", "rssgrow", "-c", &command])
        .run()
        .lossless();
    let report = &reports(&finished)[0];
    let growth = growth_of(&finished, "pid", report.pid());
    let part = Part {
        function: "by_writer",
        kind: "anon",
        file: None,
    };
    alike(bytes_of(&growth, &part), report.get("grown"), &growth);
    adds_up(&growth);
}

/// All that is mapped becomes resident, pages of libraries too.
#[test]
fn what_is_locked_with_all_else_is_charged_to_who_locks_it() {
    needs_root!();
    let command = format!("{} mlockall 32", workload("grows"));
    let finished = Tracer::new(["-f", "json", "rssgrow", "-c", &command])
        .run()
        .lossless();
    let growth = growth(&finished);
    let part = |kind| Part {
        function: "by_mlockall",
        kind,
        file: None,
    };
    alike(bytes_of(&growth, &part("anon")), 32 << 20, &growth);
    assert!(bytes_of(&growth, &part("file")) > 256 << 10, "{growth:#}");
    adds_up(&growth);
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
    // It was not given back either.
    let returned = growth["returned"].as_u64();
    assert!(returned.is_some_and(|bytes| bytes < 1 << 20), "{growth:#}");
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
fn nothing_is_missed_while_the_tracer_ends() {
    needs_root!();
    // Longer than that takes.
    let command = format!("{} slowly 4000", workload("grows"));
    let tracer = Tracer::new(["-f", "json", "rssgrow", "-c", &command])
        .start()
        .printed("attached_probes");
    std::thread::sleep(Duration::from_secs(3));
    tracer.interrupt();
    let growth = growth(&tracer.finish().lossless());
    let part = Part {
        function: "by_and_by",
        kind: "anon",
        file: None,
    };
    // What is touched while its memory is looked at, which takes a moment, nobody tells. Detaching takes more than a second.
    let (explained, all) = (bytes_of(&growth, &part), growth["after"].as_u64());
    assert!(explained > 1 << 20, "{growth:#}");
    assert!(
        all.is_some_and(|all| explained * 10 > all * 9),
        "{growth:#}"
    );
}

#[test]
fn a_process_that_is_killed_since_memory_ran_out_is_told_with_the_limit() {
    needs_root!();
    let Some(group) = Limited::new("grown") else {
        return eprintln!("skip: there is no cgroup of memory");
    };
    let line = group.line(&format!("exec {} 20000", workload("anon2mmap")));
    let finished = Tracer::new(["rssgrow", "--run", "sh", "-c", &line])
        .run()
        .lossless();
    let limit = "is killed, since memory ran out: its cgroup may have 32 MiB\n";
    assert!(finished.text().contains(limit), "{finished}");
    let own = finished.text().lines().find(|line| line.contains(" anon "));
    let own = own.expect("there is anonymous memory");
    let bytes: f64 = own
        .split_whitespace()
        .nth(2)
        .and_then(|size| size.parse().ok())
        .expect("a number");
    assert!(own.contains(" MiB ") && own.contains("main"), "{finished}");
    assert!((28.0..33.0).contains(&bytes), "{finished}");
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
    let words: Vec<&str> = lines[1].split_whitespace().take(9).collect();
    let [
        _,
        percent,
        size,
        unit,
        kind,
        inlined,
        place,
        arrow,
        function,
    ] = words[..]
    else {
        panic!("{finished}");
    };
    assert_eq!(
        [percent, size, unit, kind, inlined, arrow, function],
        ["%", "32.0", "MiB", "anon", "touch", "←", "by_anon"],
        "{finished}"
    );
    assert!(place.starts_with("(grows.c:"), "{finished}");
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
    let (_, stack) = text.split_once("7.8 MiB  unknown  ").expect("it is there");
    assert!(stack.contains(") ← touch ← main"), "{finished}");
}
