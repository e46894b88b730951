//! What a script prints that is not its own: files and the output of commands, in the order of records, and within bounds.

mod support;

use pfscript_testkit::needs_root;
use std::time::{Duration, Instant};
use support::{Scratch, Tracer};

#[test]
fn files_are_printed_in_place_and_up_to_their_limit() {
    needs_root!();
    let scratch = Scratch::new("cat");
    let file = scratch.file("text.txt", "one\ttwo\n\x1b[31mthree\n");
    let path = file.to_str().unwrap();
    let folder = scratch.path().to_str().unwrap();
    let script = format!(
        "config = {{ max_cat_bytes = 14 }} BEGIN {{ $name = \"text\"; print(1); cat(\"{folder}/%s.txt\", $name);
         printf(\"\\n2\\n\"); cat(\"{folder}/%d\", 5); cat(\"{folder}\"); cat(\"/dev/zero\"); print(3); exit(); }}"
    );
    let finished = Tracer::new(["-q", "-e", &script]).run().ok();
    // Escaped as all that comes from outside.
    assert_eq!(
        finished.text(),
        "1\none\ttwo\n\\x1b[31mt\n2\n3\n\n\n",
        "{path}"
    );
    assert_eq!(
        finished.messages(),
        format!(
            "ERROR: failed to open file '{folder}/5' (No such file or directory)\n\
             ERROR: failed to open file '{folder}' (Is a directory)\n\
             ERROR: failed to open file '/dev/zero' (Not a regular file)\n"
        )
    );
    let json = Tracer::new(["-q", "-f", "json", "-e", &script]).run().ok();
    assert!(
        json.text()
            .contains("{\"type\": \"cat\", \"data\": \"one\\ttwo\\n\\u001b[31mt\"}\n"),
        "{}",
        json.text()
    );
}

#[test]
fn messages_of_the_script_have_their_place_and_go_to_the_standard_error() {
    needs_root!();
    let script = "BEGIN { print(1);\n  warnf(\"%d of %s\\n\", 3, comm);\n  errorf(\"no \\x1b %r\", buf(\"a\", 2)); exit(); }";
    let finished = Tracer::new(["-q", "-e", script]).run().ok();
    assert_eq!(finished.text(), "1\n\n\n");
    let error = "stdin:3:3-36: ERROR: no \\x1b a\\x00\n";
    assert_eq!(
        finished.messages(),
        format!("stdin:2:3-31: WARNING: 3 of pfscript\n{error}")
    );
    let silent = Tracer::new(["-q", "--no-warnings", "-e", script])
        .run()
        .ok();
    assert_eq!(silent.messages(), error);
}

#[test]
fn strings_of_an_array_are_joined() {
    needs_root!();
    let scratch = Scratch::new("join");
    let many: Vec<String> = (1..=20).map(|number| number.to_string()).collect();
    let program = scratch.program(
        "starts",
        &format!(
            "#!/bin/sh\n/bin/echo 'a b' c\n/bin/echo {}\n",
            many.join(" ")
        ),
    );
    let script = "tracepoint:syscalls:sys_enter_execve /ppid == cpid/ { join(args.argv); join(args.argv, \"|\"); }";
    let finished = Tracer::new(["-q", "-c", program.to_str().unwrap(), "-e", script])
        .run()
        .ok();
    let first = many[..15].join(" ");
    for line in [
        "/bin/echo a b c\n".to_owned(),
        "/bin/echo|a b|c\n".to_owned(),
        format!("/bin/echo {first} ...\n"),
    ] {
        assert!(
            finished.text().contains(&line),
            "{line} {}",
            finished.text()
        );
    }
}

#[test]
fn commands_need_a_word_of_consent_and_print_in_place() {
    needs_root!();
    let script = "BEGIN { print(1); system(\"echo %s; echo %d >&1; exit 3\", \"a b\", 2); print(3); exit(); }
                  END { system(\"echo end\"); }";
    let refused = Tracer::new(["-q", "-e", script]).run();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        refused.messages().contains("`--unsafe`"),
        "{}",
        refused.messages()
    );
    let finished = Tracer::new(["-q", "--unsafe", "-e", script]).run().ok();
    assert_eq!(finished.text(), "1\na b\n2\n3\nend\n\n\n");
    assert_eq!(finished.messages(), "ERROR: command exited with code 3\n");
}

#[test]
fn what_a_command_leaves_running_ends_with_it() {
    needs_root!();
    let scratch = Scratch::new("left-running");
    let folder = scratch.path().to_str().unwrap();
    let script =
        format!("BEGIN {{ system(\"sleep 1000 & echo $! >{folder}/pid\"); print(1); exit(); }}");
    let finished = Tracer::new(["-q", "--unsafe", "-e", &script]).run().ok();
    assert_eq!(finished.text(), "1\n\n\n");
    let pid = std::fs::read_to_string(format!("{folder}/pid")).unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{}", pid.trim())).exists());
}

#[test]
fn commands_that_wait_when_tracing_ends_do_not_keep_it() {
    needs_root!();
    // Far more commands than can be run, asked for until the session is interrupted.
    let script =
        "tracepoint:sched:sched_switch { system(\"sleep 0.2\"); } END { system(\"echo end\"); }";
    let tracer = Tracer::new(["--unsafe", "-e", script]).start().attached();
    std::thread::sleep(Duration::from_millis(1500));
    let begin = Instant::now();
    tracer.interrupt();
    let finished = tracer.finish();
    assert!(
        begin.elapsed() < Duration::from_secs(60),
        "{:?}",
        begin.elapsed()
    );
    assert!(finished.text().contains("end\n"), "{}", finished.text());
    assert!(
        finished
            .messages()
            .contains("commands of system(), which waited"),
        "{}",
        finished.messages()
    );
}
