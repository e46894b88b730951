//! Scripts as they come: published ones of any age, from files of any name, from standard input, executable.

mod support;

use pfscript_testkit::needs_root;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use support::{Finished, Scratch, Tracer, rows, workload};

fn has_kprobes() -> bool {
    Path::new("/sys/bus/event_source/devices/kprobe").exists()
}

/// The two published forms of counting faults by stack.
const BY_STACK: &str =
    "#!/usr/bin/env bpftrace\nsoftware:page-faults:1\n{\n\t@[ustack, comm] = count();\n}\n";
const BY_STACK_AND_PID: &str = "software:page-faults:1 { @[ustack,pid, comm] = count(); }";

const BY_NAME: &str = r"#!/usr/bin/bpftrace
/* comment block */
#include <linux/mm.h>

kprobe:handle_mm_fault
{
	$vma = (struct vm_area_struct *)arg0;
	$file = $vma->vm_file->f_path.dentry->d_name.name;
	@[str($file)] = count();
}
";

const BY_PROCESS_AND_NAME: &str = r#"
kprobe:handle_mm_fault {
    $vma = (struct vm_area_struct *)arg0;
    // a comment in any script (UTF-8 too): 检查指针有效性
    if ($vma->vm_file != 0) {
        $file = str($vma->vm_file->f_path.dentry->d_name.name);
    } else {
        $file = "anonymous";
    }
    @[comm, pid, $file] = count();
}
END {
    printf("%-16s %-8s %-40s %s\n", "COMM", "PID", "FILE", "FAULTS");
    //print(@);
}
"#;

/// Runs a script from a file on `anon2mmap PAGES`.
fn run(name: &str, source: &str, pages: u32) -> Finished {
    let scratch = Scratch::new("published");
    let file = scratch.file(name, source);
    Tracer::new(["-c", &format!("{} {pages}", workload("anon2mmap"))])
        .arg(file)
        .run()
}

#[test]
fn faults_by_stack_and_name() {
    needs_root!();
    for name in ["faults.bt", "faults.pf", "faults", "a name.with.dots"] {
        let finished = run(name, BY_STACK, 222).lossless();
        let (_, rest) = finished.split_report();
        let last = rest
            .trim_end()
            .rsplit_once("@[\n")
            .expect("there are rows")
            .1;
        let lines: Vec<&str> = last.lines().collect();
        assert!(lines[0].trim_start().starts_with("main+"), "{last}");
        assert_eq!(lines.last(), Some(&", anon2mmap]: 222"), "{last}");
    }
}

#[test]
fn faults_by_stack_pid_and_name() {
    needs_root!();
    let finished = run("faults.bt", BY_STACK_AND_PID, 333).lossless();
    let (report, rest) = finished.split_report();
    let rows = support::stacks::parse(&rest);
    let last = rows.last().expect("there are rows");
    assert_eq!(
        (last.count, last.pid, last.function(0)),
        (333, report.pid(), "main")
    );
}

/// Where the kernel has kprobes; elsewhere the script is refused, with the reason.
#[track_caller]
fn run_through_kprobe(name: &str, source: &str) -> Option<Finished> {
    let finished = run(name, source, 400);
    if has_kprobes() {
        return Some(finished.ok());
    }
    finished.refuses(&["CONFIG_KPROBES", "kprobe:handle_mm_fault", "^"]);
    None
}

#[test]
fn faults_by_file_through_a_kprobe() {
    needs_root!();
    let Some(finished) = run_through_kprobe("by-name.bt", BY_NAME) else {
        return;
    };
    let (_, rest) = finished.split_report();
    // Every process's faults: those on no file have no name.
    let rows = rows(&rest, "");
    assert!(
        rows.iter().any(|row| row.0.is_empty() && row.1 >= 400),
        "{finished}"
    );
    assert!(
        rows.iter().any(|row| row.0.starts_with("libc")),
        "{finished}"
    );
}

/// The table of faults by process and file: its heading, the workload's anonymous memory, the order of its rows.
fn anonymous_faults_stand_in_order(rest: &str, pid: u32) {
    assert!(
        rest.starts_with(
            "COMM             PID      FILE                                     FAULTS\n"
        ),
        "{rest}"
    );
    let key = format!("anon2mmap, {}, anonymous", pid);
    let all = rows(rest, "");
    let anonymous = all
        .iter()
        .find(|row| row.0 == key)
        .expect("its anonymous memory");
    assert!((400..460).contains(&anonymous.1), "{rest}");
    assert!(all.is_sorted_by_key(|row| row.1), "{rest}");
}

#[test]
fn faults_by_process_and_file_through_a_kprobe() {
    needs_root!();
    let Some(finished) = run_through_kprobe("by-process.bt", BY_PROCESS_AND_NAME) else {
        return;
    };
    let (report, rest) = finished.split_report();
    anonymous_faults_stand_in_order(&rest, report.pid());
}

/// Where there are no kprobes, all of the script but its probe is right: the answer is about that alone.
#[test]
fn a_missing_kprobe_is_the_only_complaint() {
    needs_root!();
    if has_kprobes() {
        println!("skip: this kernel has kprobes");
        return;
    }
    for script in [BY_NAME, BY_PROCESS_AND_NAME] {
        let finished = run("script.bt", script, 10).refuses(&["CONFIG_KPROBES"]);
        assert_eq!(
            finished.messages().matches("error: ").count(),
            1,
            "{finished}"
        );
    }
}

/// The same body as the second, on the event that every kernel has.
#[test]
fn the_body_of_the_second_runs_at_a_software_event() {
    needs_root!();
    let script = BY_PROCESS_AND_NAME
        .replace("kprobe:handle_mm_fault", "software:page-faults:1")
        .replace("(struct vm_area_struct *)arg0", "vma(addr)")
        .replace(
            "if ($vma->vm_file != 0)",
            "if ($vma != 0 && $vma->vm_file != 0)",
        );
    let finished = run("by-process.bt", &script, 400).lossless();
    let (report, rest) = finished.split_report();
    anonymous_faults_stand_in_order(&rest, report.pid());
}

#[test]
fn a_script_may_come_from_standard_input() {
    needs_root!();
    let script = "BEGIN { printf(\"%s %d\\n\", str($1), $#); exit(); }";
    let finished = Tracer::new(["-q", "-", "first", "second"])
        .input(script)
        .run()
        .ok();
    assert_eq!(finished.text(), "first 2\n\n\n");
    Tracer::new(["-"])
        .input("BEGIN { nothing(); }")
        .run()
        .refuses(&["stdin:1:9", "nothing"]);
    Tracer::new(["-"]).input("").run().refuses(&["error: "]);
}

#[test]
fn a_script_with_a_shebang_is_a_command() {
    needs_root!();
    let scratch = Scratch::new("shebang");
    let source = format!(
        "#!{}\nbegin {{ printf(\"%s|%d\\n\", str($1), $2); exit(3); }}\nend {{ printf(\"end\\n\"); }}\n",
        support::PFSCRIPT
    );
    let file = scratch.program("tool", &source);
    let finished = Tracer::command(&file).args(["a b", "5"]).run().expect(3);
    assert_eq!(finished.text(), "a b|5\nend\n\n\n");
}

#[test]
fn the_shipped_scripts_have_a_shebang_and_may_be_executed() {
    for entry in fs::read_dir(support::repository().join("scripts")).expect("they are shipped") {
        let path = entry.expect("the folder can be read").path();
        let source = fs::read_to_string(&path).expect("a script is text");
        assert!(
            source.starts_with("#!/usr/bin/env pfscript\n"),
            "{}",
            path.display()
        );
        let mode = fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o111, 0o111, "{}", path.display());
    }
}

#[test]
fn carriage_returns_and_a_byte_order_mark_are_no_obstacle() {
    needs_root!();
    let scratch = Scratch::new("line-ends");
    let windows = scratch.file(
        "windows.bt",
        "// a comment\r\nBEGIN\r\n{\r\n    printf(\"x\\n\");\r\n    exit();\r\n}\r\n",
    );
    assert_eq!(
        Tracer::new(["-q"]).arg(windows).run().ok().text(),
        "x\n\n\n"
    );
    let mark = scratch.file("mark.bt", "\u{feff}BEGIN { printf(\"y\\n\"); exit(); }\n");
    assert_eq!(Tracer::new(["-q"]).arg(mark).run().ok().text(), "y\n\n\n");
}

#[test]
fn includes_are_accepted_and_need_no_headers() {
    needs_root!();
    let script = "#include <linux/mm.h>\n#include <linux/no/such/header.h>\n\
                  BEGIN { printf(\"%d\\n\", ((struct task_struct *)curtask)->pid == tid); exit(); }\n";
    assert_eq!(
        Tracer::new(["-q", "-"]).input(script).run().ok().text(),
        "1\n\n\n"
    );
}

#[test]
fn parameters_and_the_environment_reach_into_probes() {
    needs_root!();
    let finished = Tracer::new([
        "-q",
        "-e",
        "interval:$1:$2 { printf(\"%s\\n\", probe); exit(); }",
        "ms",
        "5",
    ])
    .run()
    .ok();
    assert_eq!(finished.text(), "interval:ms:5\n\n\n");
    let finished = Tracer::new(["-q", "-e", "BEGIN { @[1] = 1; @[2] = 1; exit(); }"])
        .env("PFSCRIPT_MAX_MAP_KEYS", "1")
        .run()
        .ok();
    assert_eq!(finished.lost("a map was full (1 keys"), 1, "{finished}");
    let finished = Tracer::new(["-q", "-e", "BEGIN { @[1] = 1; @[2] = 1; exit(); }"])
        .env("BPFTRACE_MAX_MAP_KEYS", "1")
        .run()
        .ok();
    assert_eq!(finished.lost("a map was full"), 1, "{finished}");
}

#[test]
fn the_length_of_a_map_can_be_compared_and_computed_with() {
    needs_root!();
    let script = "BEGIN { @a[1] = 1; @a[2] = 1; @h[1] = hist(3); @c[7] = count(); @c[8] = count();
        if (len(@a) == 2) { printf(\"two\\n\") }
        if (len(@a) > 5 || len(@c) < 2) { printf(\"never\\n\") }
        $x = len(@a) * 3 - len(@h); if ($x > 3 && $x < 7) { @a[$x] = 1; }
        $limit = len(@a); if (pid > $limit) { @c[$limit]= count() }
        printf(\"%d %d %d %d\\n\", $x, len(@a), len(@c), len(@h)); exit(); }";
    let finished = Tracer::new(["-q", "--no-maps", "-e", script]).run().ok();
    assert_eq!(finished.text().trim_end(), "two\n5 3 3 1", "{finished}");
}

#[test]
fn maps_are_not_printed_where_a_setting_says_so() {
    needs_root!();
    let script = "config = { print_maps_on_exit = 0 } BEGIN { @ = 1; exit(); }";
    let finished = Tracer::new(["-q", "-e", script]).run().ok();
    assert_eq!(finished.text().trim(), "", "{finished}");
    for (value, printed) in [("0", ""), ("1", "@: 1")] {
        let finished = Tracer::new(["-q", "-e", "BEGIN { @ = 1; exit(); }"])
            .env("BPFTRACE_PRINT_MAPS_ON_EXIT", value)
            .run()
            .ok();
        assert_eq!(finished.text().trim(), printed, "{finished}");
    }
}

#[test]
fn intervals_and_profiles_fire() {
    needs_root!();
    // What an interval does after exit() is not printed, though the kernel may have done it.
    let script = "interval:ms:5 { @n++; printf(\"%d\\n\", @n); if (@n == 4) { exit(); } }";
    let finished = Tracer::new(["-q", "--no-maps", "-e", script]).run().ok();
    assert_eq!(finished.text().trim_end(), "1\n2\n3\n4");
    let script = "profile:hz:500 { @ = count(); } interval:ms:200 { exit(); }";
    let finished = Tracer::new(["-q", "-e", script]).run().ok();
    assert!(finished.text().contains("@: "), "{finished}");
}

#[test]
fn every_call_of_a_tracepoint_is_seen_with_its_arguments() {
    needs_root!();
    let scratch = Scratch::new("opens");
    let (program, comm) = scratch.named("opens", "args");
    let script = format!(
        "tracepoint:syscalls:sys_enter_openat /comm == \"{comm}\" && args.dfd == -100/ \
         {{ @[str(args.filename), args.flags & 3] = count(); }} \
         tracepoint:syscalls:sys_exit_openat /comm == \"{comm}\"/ {{ @ret[args.ret == -2] = count(); }}"
    );
    let command = format!("'{}' 1234 /no/such/file", program.display());
    let finished = Tracer::new(["-e", &script, "-c", &command])
        .run()
        .lossless();
    let (report, rest) = finished.split_report();
    assert_eq!(report.get("failed"), 1234);
    assert!(rest.contains("@[/no/such/file, 0]: 1234\n"), "{rest}");
    assert!(
        rest.contains("@ret[1]: 1234\n") || rest.contains("@ret[true]: 1234\n"),
        "{rest}"
    );
}
