//! Tracing inside a pid namespace, as in a container: ids are the namespace's own, as a process there sees them.

mod support;

use pfscript_testkit::needs_root;
use support::{PFSCRIPT, Scratch, Tracer, workload};

/// A shell that runs a script inside so many pid namespaces, each within the one before, with `/proc` of the innermost.
fn inside(depth: usize, script: &str) -> Tracer {
    let mut words = Vec::new();
    for _ in 0..depth {
        words.extend(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    }
    words.extend(["sh", "-c", script]);
    Tracer::command(words[0])
        .args(&words[1..])
        .env("PFSCRIPT", PFSCRIPT)
        .env("ANON", &workload("anon2mmap"))
}

/// What is behind `NAME=` in a text.
#[track_caller]
fn value(text: &str, name: &str) -> u64 {
    let start = format!("{name}=");
    text.split_whitespace()
        .find_map(|word| word.strip_prefix(&*start)?.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[test]
fn a_command_has_the_ids_and_names_of_its_namespace() {
    needs_root!();
    let source =
        r#"software:page-faults:1 / pid == cpid / { @[pid, tid == pid, ustack(2)] = count(); }"#;
    for depth in [1, 2] {
        // Some processes before it, so that its id is not the first.
        let script =
            format!("true & true & wait; $PFSCRIPT --strict -e '{source}' -c \"$ANON 300\"");
        let finished = inside(depth, &script).run();
        let text = finished.text();
        let pid = value(text, "pid");
        assert!(pid < 30, "{depth}: {finished}");
        let key = format!("@[{pid}, true, \n");
        let main = text
            .split(&key)
            .any(|row| row.trim_start().starts_with("main+") && row.contains("]: 300\n"));
        assert!(main, "{depth}: {finished}");
    }
}

#[test]
fn a_process_is_followed_by_its_id_in_the_namespace() {
    needs_root!();
    let source = r#"profile:hz:199 { printf("pid=%d tid=%d\n", pid, tid); exit(); }"#;
    for depth in [1, 2] {
        let script = format!(
            "true & true & wait; while :; do :; done & busy=$!; echo busy=$busy; $PFSCRIPT -e '{source}' -p $busy"
        );
        let finished = inside(depth, &script).run();
        let text = finished.text();
        let busy = value(text, "busy");
        assert!(busy < 30, "{depth}: {finished}");
        assert_eq!(
            (value(text, "pid"), value(text, "tid")),
            (busy, busy),
            "{depth}: {finished}"
        );
    }
}

#[test]
fn a_process_in_a_namespace_within_has_the_id_that_the_tracer_sees() {
    needs_root!();
    let scratch = Scratch::new("namespaces");
    let (program, comm) = scratch.named("anon2mmap", "anon");
    let source = format!(
        r#"software:page-faults:1 / comm == "{comm}" / {{ @[pid, ustack(2)] = count(); }}"#
    );
    let command = "unshare --pid --fork --mount-proc $ANON 300";
    let finished = inside(
        1,
        &format!("true & true & wait; $PFSCRIPT --strict -e '{source}' -c \"{command}\""),
    )
    .env("ANON", program.to_str().expect("UTF-8"))
    .run();
    let text = finished.text();
    // To itself it is the first; the tracer, unshare and it are at least the fifth to the seventh outside.
    assert_eq!(value(text, "pid"), 1, "{finished}");
    let row = text
        .split("\n@[")
        .find(|row| row.contains("main+") && row.contains("]: 300"));
    let row = row.unwrap_or_else(|| panic!("{finished}"));
    let pid: u64 = row.split(',').next().unwrap().parse().unwrap();
    assert!((5..30).contains(&pid), "{finished}");
}

#[test]
fn a_foreign_proc_is_refused_where_it_would_mislead() {
    needs_root!();
    let run = |arguments: &str| {
        let script = format!("$PFSCRIPT {arguments}");
        let shell = ["--pid", "--fork", "--kill-child", "sh", "-c", &script];
        Tracer::command("unshare")
            .args(shell)
            .env("PFSCRIPT", PFSCRIPT)
            .run()
    };
    for arguments in [
        "-e 'BEGIN { exit(); }' -c true",
        "-e 'BEGIN { exit(); }' -p 1",
        "-e 'software:page-faults:1 { @[ustack] = count(); }'",
    ] {
        run(arguments).refuses(&["/proc", "another pid namespace", "mount"]);
    }
    // What needs no process runs.
    let finished = run("-q -e 'BEGIN { printf(\"%d\\n\", pid > 0); exit(); }'").ok();
    assert!(finished.text().starts_with("1\n"), "{finished}");
}
