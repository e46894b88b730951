//! Signals that end a session, and readers of its output who leave: no result is lost to either.

mod support;

use pfscript_testkit::needs_root;
use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::Duration;
use support::{PFSCRIPT, Scratch, Tracer};

/// Something to lose: what `END` prints, and a map.
const SCRIPT: &str = "BEGIN { @ = 7; } END { printf(\"the end\\n\"); } interval:s:1000 { }";
const RESULT: &str = "the end\n\n\n@: 7\n";

#[test]
fn every_end_signal_prints_the_results() {
    needs_root!();
    let scratch = Scratch::new("signals");
    let file = scratch.path().join("out");
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let tracer = Tracer::script(SCRIPT).start().attached();
        tracer.signal(signal);
        let finished = tracer.finish().ok();
        assert_eq!(finished.text(), RESULT, "{finished}");

        let tracer = Tracer::script(SCRIPT)
            .arg("-o")
            .arg(&file)
            .start()
            .attached();
        tracer.signal(signal);
        let finished = tracer.finish().ok();
        let text = fs::read_to_string(&file).expect("it is written");
        assert_eq!(text, RESULT, "{finished}");
    }
}

/// Both at once, and one somewhat later than the other.
#[test]
fn two_signals_are_one_wish() {
    needs_root!();
    let (int, term, hup) = (libc::SIGINT, libc::SIGTERM, libc::SIGHUP);
    for (first, second) in [
        (int, int),
        (term, term),
        (hup, hup),
        (int, term),
        (term, hup),
    ] {
        for microseconds in [0, 50, 1000, 5000, 20_000, 50_000] {
            let tracer = Tracer::script(SCRIPT).start().attached();
            tracer.signal(first);
            thread::sleep(Duration::from_micros(microseconds));
            tracer.signal(second);
            let finished = tracer.finish().ok();
            assert_eq!(finished.text(), RESULT, "{first}, {second}: {finished}");
        }
    }
}

/// It signals its child, and then its whole group.
#[test]
fn timeout_gets_the_results() {
    needs_root!();
    for _ in 0..10 {
        let finished = Tracer::command("timeout")
            .args([
                "--preserve-status",
                "-s",
                "INT",
                "0.5",
                PFSCRIPT,
                "-e",
                SCRIPT,
            ])
            .own_group()
            .run()
            .ok();
        assert_eq!(finished.text(), RESULT, "{finished}");
    }
}

#[test]
fn an_ignored_hangup_stays_ignored() {
    needs_root!();
    let tracer = Tracer::command("nohup")
        .args([PFSCRIPT, "-e", SCRIPT])
        .start()
        .attached();
    tracer.signal(libc::SIGHUP);
    thread::sleep(Duration::from_millis(200));
    let mut tracer = tracer;
    assert!(!tracer.has_ended());
    tracer.interrupt();
    let finished = tracer.finish().ok();
    assert_eq!(finished.text(), RESULT, "{finished}");
}

/// While it traces, too, a user gets out of a write that does not end.
#[test]
fn a_second_signal_ends_a_write_that_nobody_reads() {
    needs_root!();
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let text = "x".repeat(400);
    let tracer = Tracer::script(&format!("interval:us:100 {{ printf(\"{text}\\n\"); }}"))
        .output(writer)
        .start()
        .attached();
    let mut first = [0; 100];
    reader.read_exact(&mut first).expect("it prints");
    // Until the pipe is full.
    thread::sleep(Duration::from_millis(300));
    tracer.interrupt();
    thread::sleep(Duration::from_millis(1100));
    tracer.interrupt();
    let finished = tracer.finish();
    assert_eq!(finished.status.signal(), Some(libc::SIGINT), "{finished}");
    finished.says(&["stopped by a second signal, so the output is incomplete"]);
}

#[test]
fn a_reader_who_leaves_is_noticed_without_an_event() {
    needs_root!();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let tracer = Tracer::script(SCRIPT).output(writer).start().attached();
    drop(reader);
    tracer.finish().ok();

    // A named pipe, too.
    let scratch = Scratch::new("fifo");
    let fifo = scratch.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.is_ok_and(|status| status.success()));
    let path = fifo.clone();
    let reader = thread::spawn(move || fs::File::open(path).expect("it is there"));
    let tracer = Tracer::script(SCRIPT)
        .arg("-o")
        .arg(&fifo)
        .start()
        .attached();
    drop(reader.join().expect("it opens"));
    tracer.finish().ok();
}
