//! Functions that act on what is traced, and the one that writes into the kernel's own trace.

mod support;

use pfscript_testkit::needs_root;
use std::fs;
use std::process;
use support::{Scratch, Tracer, workload};

/// `kill -0 PID` of a number that no process has is how the programs here say where they are.
const NOBODY: u32 = 123_456_789;

#[test]
fn signals_reach_the_process_that_the_event_is_of() {
    needs_root!();
    let scratch = Scratch::new("signalled");
    let program = scratch.program(
        "signalled",
        &format!(
            "#!/bin/sh\ntrap 'echo first' USR1\ntrap 'echo second' USR2\n\
             kill -0 {NOBODY} 2>/dev/null\nkill -0 {NOBODY} 2>/dev/null\necho end\n"
        ),
    );
    let script = format!(
        "tracepoint:syscalls:sys_enter_kill /pid == cpid && args.pid == {NOBODY}/ {{
            @n++;
            if (@n == 1) {{ signal(\"SIGUSR1\"); }} else {{ $number = SIGUSR2; signal_thread($number); }}
        }}"
    );
    let command = ["-q", "-c", program.to_str().unwrap(), "-e", &script];
    let refused = Tracer::new(command).run();
    assert!(!refused.status.success());
    assert!(
        refused.messages().contains("allow it with `--unsafe`"),
        "{}",
        refused.messages()
    );
    let finished = Tracer::new(command).arg("--unsafe").run().ok();
    let text = finished.text();
    assert!(text.starts_with("first\nsecond\nend\n"), "{text}");
}

#[test]
fn memory_of_the_process_is_written() {
    needs_root!();
    let scratch = Scratch::new("written");
    let other = scratch.path().join("one");
    fs::write(&other, "the other file\n").unwrap();
    // `cat` is asked for a file that is not there, and opens the one whose name is written over it.
    let (asked, named) = (scratch.path().join("two"), other.to_str().unwrap());
    let last = named.len() - 3;
    let program = scratch.program(
        "written",
        &format!("#!/bin/sh\nexec cat {}\n", asked.display()),
    );
    let script = format!(
        "tracepoint:syscalls:sys_enter_openat /pid == cpid/ {{
            if (str(args.filename) == \"{}\") {{
                print((write_user(args.filename + {last}, \"one\", 3), write_user(0, \"one\", 3)));
            }}
        }}",
        asked.display()
    );
    let command = ["-q", "-c", program.to_str().unwrap(), "-e", &script];
    let refused = Tracer::new(command).run();
    assert!(
        refused.messages().contains("allow it with `--unsafe`"),
        "{}",
        refused.messages()
    );
    let finished = Tracer::new(command).arg("--unsafe").run();
    if finished.messages().contains("helper bpf_probe_write_user") {
        assert_eq!(finished.status.code(), Some(1));
        eprintln!("skip: this kernel lets no program write to processes");
        return;
    }
    let finished = finished.ok();
    let text = finished.text();
    assert!(text.contains("the other file\n"), "{text}");
    assert!(text.contains("(true, false)\n"), "{text}");
}

#[test]
fn the_kernels_trace_has_what_debugf_prints() {
    needs_root!();
    let own = format!("debugf-{}", process::id());
    let script = format!(
        "config = {{ max_strlen = 7; }}
         BEGIN {{ $name = \"{own}\"; debugf(\"%s: %d %u\", $name, -5, 7); debugf(\"{own}: %x %i\\n\", 255, (int8)-1); }}
         tracepoint:syscalls:sys_enter_openat /pid == cpid/ {{ debugf(\"{own}: cut %s.\", str(args.filename)); exit(); }}"
    );
    let printed = || {
        let command = format!("'{}' 1 /no/such/file", workload("opens"));
        let finished = Tracer::new(["-q", "-e", &script, "-c", &command])
            .run()
            .ok();
        finished.says(&["longer than max_strlen"]);
        let trace = [
            "/sys/kernel/tracing/trace",
            "/sys/kernel/debug/tracing/trace",
        ]
        .iter()
        .find_map(|path| fs::read(path).ok())
        .expect("tracefs is mounted where pfscript reads it");
        let trace = String::from_utf8_lossy(&trace);
        // Of what was cut nothing is printed behind its end, also where its room is full.
        let lines = trace
            .lines()
            .filter(|line| line.contains(&format!("{own}: cut ")));
        let cut: Vec<&str> = lines.collect();
        assert!(
            cut.iter().all(|line| line.ends_with('.')
                && line
                    .split("cut ")
                    .last()
                    .is_some_and(|text| text.len() == 8)),
            "{cut:?}"
        );
        !cut.is_empty()
            && ["-5 7", "ff -1"]
                .iter()
                .all(|line| trace.contains(&format!("bpf_trace_printk: {own}: {line}")))
    };
    // There is one trace for the whole system, which anybody may empty at any time.
    assert!((0..5).any(|_| printed()), "{own} is not in the trace");
}

/// Where the kernel has it, functions that it does not allow that for are refused when the probe is attached.
#[test]
fn functions_are_not_run_where_a_script_may_say_so() {
    let refused = |option: &str, script: &str, reason: &str| {
        let finished = Tracer::new(["-q", option, "-e", script]).run().expect(1);
        assert!(finished.messages().contains(reason), "{finished}");
    };
    refused(
        "--no-warnings",
        "BEGIN { override(1); }",
        "allow it with `--unsafe`",
    );
    let place = "`kprobe` probes run before the function does";
    refused("--unsafe", "BEGIN { override(1); }", place);
    refused("--unsafe", "uprobe:libc:getpid { override(1); }", place);
}
