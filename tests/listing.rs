//! What is not tracing: lists of attach points, help, versions, stages of the compiler, outputs.

mod support;

use pfscript_testkit::needs_root;
use std::fs;
use std::path::Path;
use std::process::Command;
use support::{Scratch, Tracer, repository_file};

const ONE_LINER: &str = "software:page-faults:1 { @[ustack, pid, comm] = count(); }";

/// The lines that `-l` prints for a pattern, without any message.
#[track_caller]
fn listed(pattern: &str) -> Vec<String> {
    let finished = Tracer::new(["-l", pattern]).run().ok();
    assert_eq!(finished.messages(), "", "{finished}");
    finished.text().lines().map(str::to_owned).collect()
}

/// The tracepoints of this kernel, from tracefs itself.
fn tracepoints(category: &str) -> Vec<String> {
    let folder = Path::new("/sys/kernel/tracing/events").join(category);
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("tracefs is mounted")
        .flatten()
        .filter(|entry| entry.path().join("format").exists())
        .map(|entry| {
            format!(
                "tracepoint:{category}:{}",
                entry.file_name().to_string_lossy()
            )
        })
        .collect();
    names.sort();
    names
}

#[test]
fn tracepoints_are_those_of_tracefs() {
    needs_root!();
    let mut listed = listed("tracepoint:sched:*");
    listed.sort();
    assert_eq!(listed, tracepoints("sched"));
    assert!(listed.len() > 5);
}

#[test]
fn a_pattern_looks_at_every_family() {
    needs_root!();
    let finished = Tracer::new(["-l", "*page_fault*"]).run().ok();
    let lines: Vec<&str> = finished.text().lines().collect();
    assert!(
        lines.contains(&"tracepoint:exceptions:page_fault_user"),
        "{finished}"
    );
    assert!(
        lines.iter().all(|line| line.contains("page_fault")),
        "{finished}"
    );
    let finished = Tracer::new(["-l", "*page-fault*"]).run().ok();
    finished.has_line("software:page-faults:");
}

#[test]
fn events_are_listed_by_family() {
    needs_root!();
    let software = listed("software:*");
    for event in [
        "page-faults",
        "cpu-clock",
        "context-switches",
        "faults",
        "major-faults",
        "minor-faults",
    ] {
        assert!(
            software.contains(&format!("software:{event}:")),
            "no {event}: {software:?}"
        );
    }
    let hardware = listed("hardware:*");
    for event in ["cycles", "instructions", "cache-misses"] {
        assert!(
            hardware.contains(&format!("hardware:{event}:")),
            "no {event}: {hardware:?}"
        );
    }
    assert_eq!(
        listed("tracepoint:syscalls:sys_enter_openat"),
        ["tracepoint:syscalls:sys_enter_openat"]
    );
    assert_eq!(
        listed("t:syscalls:sys_enter_opena?"),
        ["tracepoint:syscalls:sys_enter_openat"]
    );
    assert_eq!(listed("s:page-faults*"), ["software:page-faults:"]);
}

#[test]
fn the_families_without_names_are_listed_too() {
    needs_root!();
    for (pattern, line) in [
        ("BEGIN", "begin"),
        ("end", "end"),
        ("profile:*", "profile:hz:"),
        ("interval:*", "interval:s:"),
    ] {
        // A pattern without a probe type may bring a note on types that this kernel lacks.
        let finished = Tracer::new(["-l", pattern]).run().ok();
        let mut lines = finished.text().lines();
        assert!(
            lines.any(|listed| listed.eq_ignore_ascii_case(line)),
            "{pattern}: {finished}"
        );
    }
}

#[test]
fn kprobes_are_the_functions_of_the_kernel_or_the_reason_is_told() {
    needs_root!();
    let finished = Tracer::new(["-l", "kprobe:vfs_rea*"]).run().has_no_crash();
    if Path::new("/sys/bus/event_source/devices/kprobe").exists() {
        finished.has_line("kprobe:vfs_read");
    } else {
        finished.refuses(&["CONFIG_KPROBES"]);
    }
}

#[test]
fn all_attach_points_are_listed_once() {
    needs_root!();
    let finished = Tracer::new(["-l"]).run().ok();
    let lines: Vec<&str> = finished.text().lines().collect();
    let mut unique = lines.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(lines.len(), unique.len());
    for category in ["syscalls", "sched", "exceptions"] {
        for tracepoint in tracepoints(category) {
            assert!(
                unique.binary_search(&tracepoint.as_str()).is_ok(),
                "no {tracepoint}"
            );
        }
    }
}

#[test]
fn a_verbose_list_has_arguments_and_types() {
    needs_root!();
    let expected = "tracepoint:syscalls:sys_enter_openat\n    int __syscall_nr\n    int dfd\n    \
                    const char * filename\n    int flags\n    umode_t mode\n";
    for flags in [&["-lv"][..], &["-l", "-v"], &["-v", "-l"], &["-vl"]] {
        let finished = Tracer::new(flags)
            .arg("tracepoint:syscalls:sys_enter_openat")
            .run()
            .ok();
        assert_eq!(finished.text(), expected, "{flags:?}");
    }
    let finished = Tracer::new(["-lv", "software:page-faults*"]).run().ok();
    assert!(
        finished.text().starts_with("software:page-faults:\n"),
        "{finished}"
    );
}

#[test]
fn a_pattern_that_matches_nothing_is_answered_in_one_message() {
    needs_root!();
    let finished = Tracer::new(["-l", "nothing_is_called_so*"])
        .run()
        .refuses(&["nothing_is_called_so*"]);
    assert_eq!(
        finished.messages().matches("nothing_is_called_so*").count(),
        1,
        "{finished}"
    );
}

#[test]
fn lists_need_no_root_where_the_kernel_lets_them() {
    let finished = support::without_root()
        .args(["-l", "software:*"])
        .run()
        .ok();
    assert!(
        finished.text().contains("software:page-faults:"),
        "{finished}"
    );
    // tracefs is root's alone: the list says what is missing from it.
    if support::is_root() {
        let finished = support::without_root().args(["-l"]).run().has_no_crash();
        assert!(finished.messages().contains("tracepoint"), "{finished}");
        assert!(
            finished.text().contains("software:page-faults:"),
            "{finished}"
        );
    }
}

#[test]
fn info_says_what_the_kernel_can_do() {
    let finished = Tracer::new(["--info"]).run().ok();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("/proc is mounted");
    let kprobes = Path::new("/sys/bus/event_source/devices/kprobe").exists();
    for words in [release.trim(), "BTF", "tracefs", "ring buffer", "software"] {
        assert!(finished.text().contains(words), "no {words:?}: {finished}");
    }
    let line = finished
        .text()
        .lines()
        .find(|line| line.trim_start().starts_with("kprobes "))
        .expect("a line");
    assert_eq!(line.contains("yes"), kprobes, "{line}");
    assert_eq!(line.contains("CONFIG_KPROBES"), !kprobes, "{line}");
    // What scripts look for.
    for words in ["  btf: yes\n", "  kprobe_multi: ", "  uprobe_multi: "] {
        assert!(finished.text().contains(words), "no {words:?}: {finished}");
    }
    assert_eq!(finished.messages(), "");
}

#[test]
fn versions_and_help_are_printed() {
    let expected = format!("pfscript {}\nbpftrace v0.27 ", env!("CARGO_PKG_VERSION"));
    for flag in ["--version", "-V"] {
        let finished = Tracer::new([flag]).run().ok();
        assert!(finished.text().starts_with(&expected), "{finished}");
    }
    for flag in ["--help", "-h"] {
        let finished = Tracer::new([flag]).run().ok();
        for words in [
            "-e",
            "-c",
            "-p",
            "-o",
            "-q",
            "-v",
            "-l",
            "--check",
            "--dry-run",
            "-d",
            "--info",
            "--strict",
            "\nUSAGE:\n",
            "CAP_BPF",
        ] {
            assert!(finished.text().contains(words), "no {words} in {finished}");
        }
        assert!(
            finished
                .text()
                .lines()
                .all(|line| line.chars().count() <= 120),
            "{finished}"
        );
    }
}

#[test]
fn stages_are_printed_without_running_anything() {
    let dump = |stage: &str, script: &str| Tracer::new(["-d", stage, "-e", script]).run().ok();
    let script = "BEGIN { printf(\"never printed\\n\"); exit(); }";
    assert!(dump("ast", script).text().contains("attach BEGIN"));
    assert!(dump("ir", script).text().contains("probe p0"));
    assert!(dump("asm", script).text().contains("exit"));
    assert_eq!(dump("ast", script).messages(), "");
    // The same script gives the same bytes.
    assert_eq!(dump("object", ONE_LINER).out, dump("object", ONE_LINER).out);
}

#[test]
fn the_object_is_an_elf_file_that_other_tools_read() {
    let object = Tracer::new(["-d", "object", "-e", ONE_LINER])
        .run()
        .ok()
        .out;
    assert_eq!(object[..4], *b"\x7fELF");
    assert_eq!(
        object[18..20],
        247_u16.to_le_bytes(),
        "the machine is EM_BPF"
    );
    let scratch = Scratch::new("object");
    let file = scratch.file("object.o", &object);
    let mut read = 0;
    for (tool, arguments, word) in [
        ("readelf", &["--wide", "--section-headers"][..], "license"),
        ("llvm-readelf", &["--section-headers"], "license"),
        ("llvm-objdump", &["-d"], "call"),
        ("llvm-objdump-19", &["-d"], "call"),
    ] {
        let Ok(output) = Command::new(tool).args(arguments).arg(&file).output() else {
            continue;
        };
        read += 1;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains(word),
            "{tool}: {text}"
        );
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{tool}");
    }
    if read == 0 {
        println!("skip: no readelf and no llvm-objdump here");
    }
}

#[test]
fn output_goes_to_a_file_and_messages_do_not() {
    needs_root!();
    let scratch = Scratch::new("output");
    let file = scratch.path().join("out put");
    let script = "BEGIN { printf(\"line\\n\"); @ = 5; exit(); }";
    let finished = Tracer::new(["-e", script, "-o"]).arg(&file).run().ok();
    assert_eq!(
        (finished.text(), finished.messages()),
        ("", "Attached 1 probe\n")
    );
    assert_eq!(
        fs::read_to_string(&file).expect("it is written"),
        "line\n\n\n@: 5\n"
    );
    // What was there before is gone.
    Tracer::new(["-e", "BEGIN { exit(); }", "-o"])
        .arg(&file)
        .run()
        .ok();
    assert_eq!(fs::read_to_string(&file).expect("it is written"), "\n\n");
    Tracer::new(["-d", "ast", "-e", script, "-o"])
        .arg(&file)
        .run()
        .ok();
    assert!(
        fs::read_to_string(&file)
            .expect("it is written")
            .contains("attach BEGIN")
    );
}

#[test]
fn quiet_prints_results_alone() {
    needs_root!();
    let script = "BEGIN { @ = 5; exit(); }";
    let finished = Tracer::new(["-q", "-e", script]).run().ok();
    assert_eq!((finished.text(), finished.messages()), ("\n\n@: 5\n", ""));
    let finished = Tracer::new(["--no-maps", "-e", script]).run().ok();
    assert!(!finished.text().contains('@'), "{finished}");
}

#[test]
fn attached_probes_are_counted() {
    needs_root!();
    for (script, count) in [
        ("BEGIN { exit(); }", "1 probe"),
        ("BEGIN { exit(); } END { }", "2 probes"),
        ("BEGIN { } END { } interval:ms:1 { exit(); }", "3 probes"),
        (
            "tracepoint:syscalls:sys_enter_open, tracepoint:syscalls:sys_enter_openat { } interval:ms:1 { exit(); }",
            "3 probes",
        ),
    ] {
        let finished = Tracer::script(script).run().ok();
        assert_eq!(
            finished.messages(),
            format!("Attached {count}\n"),
            "{script}"
        );
    }
}

#[test]
fn a_check_says_nothing_about_a_good_script_and_everything_about_a_bad_one() {
    for script in ["scripts/faults.pf", "scripts/ffaults.pf"] {
        let finished = Tracer::new(["--check", &repository_file(script)])
            .run()
            .ok();
        assert_eq!((finished.text(), finished.messages()), ("", ""), "{script}");
    }
    Tracer::new(["--check", "-e", "BEGIN { printf(\"%d\\n\"); }"])
        .run()
        .refuses(&["error: ", "^"]);
}

#[test]
fn a_dry_run_attaches_and_runs_nothing() {
    needs_root!();
    let script =
        "BEGIN { printf(\"begin\\n\"); @ = 1; } END { printf(\"end\\n\"); } interval:s:1000 { }";
    let finished = Tracer::new(["--dry-run", "-e", script]).run().ok();
    assert_eq!(
        (finished.text(), finished.messages()),
        ("", "Attached 3 probes\n")
    );
    // What fails at load or attach fails here as well.
    Tracer::new(["--dry-run", "-e", "hardware:cycles:$1 { }", "0"])
        .run()
        .has_no_crash()
        .expect(1);
}

#[test]
fn verbose_says_what_is_loaded_and_attached() {
    needs_root!();
    let command = "true";
    let finished = Tracer::new(["-v", "-e", ONE_LINER, "-c", command])
        .run()
        .lossless();
    assert!(
        finished.messages().contains("software:page-faults:1"),
        "{finished}"
    );
    assert!(
        finished.messages().contains("Attached 1 probe"),
        "{finished}"
    );
    let quiet = Tracer::new(["-e", ONE_LINER, "-c", command])
        .run()
        .lossless();
    assert!(quiet.messages().len() < finished.messages().len());
}
