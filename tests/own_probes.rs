//! What the session itself runs: probes of signals to the tracer, benchmarks, and what `BEGIN` and `END` see of themselves.

mod support;

use pfscript_testkit::needs_root;
use support::Tracer;

#[test]
fn a_signal_to_the_tracer_runs_its_probes_in_order() {
    needs_root!();
    let script = "self:signal:SIGUSR1 { printf(\"first\"); } self:signal:SIGUSR1 { printf(\" second\\n\"); exit(); }";
    let tracer = Tracer::script(script).start().attached();
    tracer.signal(libc::SIGUSR1);
    let finished = tracer.finish().lossless();
    assert_eq!(finished.text(), "first second\n\n\n", "{finished}");
}

/// One of them does not run the other's probe, and a session of nothing else waits for them.
#[test]
fn signals_are_told_apart_and_end_nothing() {
    needs_root!();
    let script = "self:signal:SIGUSR1, self:signal:SIGUSR2 { printf(\"%s\\n\", probe); }";
    let tracer = Tracer::script(script).start().attached();
    tracer.signal(libc::SIGUSR2);
    let tracer = tracer.printed("self:signal:SIGUSR2");
    tracer.signal(libc::SIGUSR1);
    let tracer = tracer.printed("self:signal:SIGUSR1");
    tracer.signal(libc::SIGTERM);
    let finished = tracer.finish().lossless();
    assert_eq!(
        finished.text(),
        "self:signal:SIGUSR2\nself:signal:SIGUSR1\n\n\n",
        "{finished}"
    );
}

/// Signals that come faster than they are taken are one, as they are to the kernel, and keep no end waiting.
#[test]
fn a_flood_of_signals_is_bounded() {
    needs_root!();
    let tracer = Tracer::script("self:signal:SIGUSR1 { @ = count(); }")
        .start()
        .attached();
    for _ in 0..20_000 {
        tracer.signal(libc::SIGUSR1);
    }
    tracer.signal(libc::SIGINT);
    let finished = tracer.finish().lossless();
    let runs: i64 = finished
        .text()
        .trim()
        .strip_prefix("@: ")
        .and_then(|runs| runs.parse().ok())
        .unwrap_or_else(|| panic!("{finished}"));
    assert!((1..=20_000).contains(&runs), "{finished}");
}

/// The command has the signals as it would have them without the tracer.
#[test]
fn a_command_does_not_inherit_the_signals() {
    needs_root!();
    let finished = Tracer::script("self:signal:SIGUSR1 { print(1); } BEGIN { @ = 1; }")
        .args(["--exit-status", "-c", "sh -c 'kill -USR1 $$'"])
        .run()
        .expect(128 + libc::SIGUSR1);
    assert_eq!(finished.text(), "\n\n@: 1\n", "{finished}");
}

#[test]
fn benchmarks_run_between_begin_and_end_and_nothing_else_does() {
    needs_root!();
    let script = "BEGIN { printf(\"begin\\n\"); } bench:one { @a = count(); } bench:two { @b++; printf(\"\"); } \
                  interval:us:100 { printf(\"never\\n\"); } END { printf(\"end\\n\"); }";
    let finished = Tracer::new(["--mode", "bench", "-e", script]).run().ok();
    let text = finished.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "begin", "{finished}");
    assert!(lines[1].starts_with("Benchmark "), "{finished}");
    assert_eq!(lines[5], "end", "{finished}");
    assert!(!text.contains("never"), "{finished}");
    for (line, name, map) in [(lines[3], "one", "@a"), (lines[4], "two", "@b")] {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((words[0], words.len()), (name, 3), "{finished}");
        assert!(words[1].parse::<u64>().unwrap() > 0, "{finished}");
        let runs = format!("{map}: {}\n", words[2]);
        assert!(text.contains(&runs), "{finished}");
    }
    let finished = Tracer::new([
        "-q",
        "--bench",
        "-f",
        "json",
        "-e",
        "bench:a { @ = count(); }",
    ])
    .run()
    .ok();
    let line = finished.text().lines().next().unwrap_or_default();
    assert!(
        line.starts_with("{\"type\": \"benchmark_result\", \"data\": {\"a\": {\"average\": "),
        "{finished}"
    );
}

#[test]
fn benchmarks_and_other_probes_are_not_taken_for_each_other() {
    needs_root!();
    Tracer::new(["--mode", "bench", "-e", "BEGIN { }"])
        .run()
        .refuses(&["no benchmarks", "bench:NAME"]);
    Tracer::script("bench:a { }")
        .run()
        .refuses(&["benchmarks alone", "--mode bench"]);
    Tracer::new(["--test", "-e", "bench:a { }"])
        .run()
        .refuses(&["no tests", "test:NAME"]);
    Tracer::script("test:a { }")
        .run()
        .refuses(&["tests alone", "--mode test"]);
    Tracer::new(["--dry-run", "-e", "test:a { }"]).run().ok();
}

#[test]
fn tests_go_well_unless_they_return_or_exit_with_another_number_than_0() {
    needs_root!();
    let script = "BEGIN { printf(\"begin\\n\"); } test:good { printf(\"said\\n\"); } test:zero { if (1) { return 0; } exit(5); } \
                  test:returns { for ($i : 0..9) { if ($i == 3) { return $i; } } exit(0); } \
                  test:asserts { assert(1 == 2, \"no\"); } test:last { @ran = 1; exit(); } interval:us:100 { exit(9); } \
                  END { printf(\"end\\n\"); }";
    let finished = Tracer::new(["--mode", "test", "-e", script])
        .run()
        .expect(1);
    let timeless = |line: &str| line.split(" (").next().unwrap_or_default().to_owned();
    let lines: Vec<String> = finished.text().lines().map(timeless).collect();
    let expected = "begin\n[==========] Running 5 tests.\n[ RUN      ] good\nsaid\n[       OK ] good\n[ RUN      ] zero\n\
                    [       OK ] zero\n[ RUN      ] returns\n[  FAILED  ] returns\n[ RUN      ] asserts\n[  FAILED  ] asserts\n\
                    [ RUN      ] last\n[       OK ] last\n[==========] 5 tests ran.\n[  PASSED  ] 3 tests.\n\
                    [  FAILED  ] 2 tests, listed below:\n[  FAILED  ] returns\n[  FAILED  ] asserts\nend\n\n\n@ran: 1";
    assert_eq!(lines.join("\n"), expected, "{finished}");
    finished.says(&["ERROR: assert failed: no"]);
    let options = ["-q", "--test", "-f", "json", "-e", "test:a { print(1); }"];
    let finished = Tracer::new(options).run().ok();
    let lines: Vec<&str> = finished.text().lines().collect();
    assert_eq!(lines[0], "{\"type\": \"value\", \"data\": 1}");
    assert!(
        lines[1].starts_with("{\"type\": \"test_result\", \"data\": {\"a\": {\"duration\": "),
        "{finished}"
    );
    assert!(lines[1].ends_with(", \"passed\": true}}}"), "{finished}");
}

#[test]
fn begin_and_end_have_the_stacks_of_the_tracer() {
    needs_root!();
    let script = "BEGIN { @k[kstack] = 1; @u[ustack(raw, 2), \"b\"] = 2; @t = (kstack(3), 1); print(ustack(1)); exit(); } \
                  END { printf(\"%d %d\\n\", len(kstack), len(ustack(raw, 2))); print((kstack(perf, 4), 5)); }";
    let finished = Tracer::script(script).run().lossless();
    let text = finished.text();
    assert!(text.matches("prog_test_run").count() > 1, "{finished}");
    assert!(text.contains("syscall+"), "{finished}");
    assert!(text.contains("\n, b]: 2\n"), "{finished}");
}

/// What the kernel itself calls a task, and what its namespace does.
#[test]
fn ids_are_had_in_the_initial_namespace_too() {
    needs_root!();
    let script = "BEGIN { @ids[pid == pid(curr_ns), tid == tid(curr_ns), pid == pid(init), tid == tid(init)] = count(); \
                  printf(\"%d\\n\", pid(init)); exit(); }";
    let outside = Tracer::script(script).run().lossless();
    let ids = "@ids[true, true, true, true]: 1\n";
    assert!(outside.text().contains(ids), "{outside}");
    let inside = Tracer::command("unshare")
        .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(support::PFSCRIPT)
        .args(["-e", script])
        .run()
        .lossless();
    let ids = "@ids[true, true, false, false]: 1\n";
    assert!(inside.text().contains(ids), "{inside}");
    let global: u32 = inside.text().lines().next().unwrap().parse().unwrap();
    assert!(global > 1, "{inside}");
}

/// The instruction pointer of a function's first instruction is where the function is.
#[test]
fn registers_have_their_names() {
    needs_root!();
    let path = support::workload("anon2mmap");
    let script = format!(
        "uprobe:{path}:main {{ printf(\"%s %d\\n\", usym(reg(\"ip\")), reg(\"di\") == arg0); }}"
    );
    let finished = Tracer::script(&script)
        .args(["-c", &format!("{path} 1")])
        .run()
        .ok();
    finished.has_line("main 1");
}
