//! Requests for maps that wait when tracing ends: they keep nobody waiting.

mod support;

use pfscript_testkit::needs_root;
use std::time::Instant;
use support::{Tracer, workload};

/// Tens of thousands of requests, each of which walks a map of tens of thousands of keys.
#[test]
fn a_backlog_of_requests_does_not_keep_ctrl_c_waiting() {
    needs_root!();
    for requests in [
        "zero(@);",
        "print(@, 1); zero(@);",
        "clear(@); print(@, 1);",
    ] {
        let script = format!(
            "tracepoint:syscalls:sys_enter_close /args.fd >= 1000000/ \
             {{ @[args.fd] = count(); {requests} }}"
        );
        let tracer = Tracer::script(&script).start().attached();
        let keys = std::process::Command::new(workload("keys"))
            .args(["40000", "2"])
            .output()
            .expect("it runs");
        assert!(keys.status.success());
        let begin = Instant::now();
        tracer.interrupt();
        let finished = tracer.finish().ok();
        println!("{requests} {:?} after the signal", begin.elapsed());
        finished.says(&["which waited when tracing ended, were left out"]);
    }
}

/// Whoever asks for the same a second time gets it a second time, as long as there is time for it.
#[test]
fn without_a_backlog_nothing_is_left_out() {
    needs_root!();
    let script =
        "BEGIN { @ = 1; print(@); print(@); zero(@); print(@); print(@); clear(@); exit(); }";
    let finished = Tracer::script(script).run().ok();
    assert_eq!(
        finished.text(),
        "@: 1\n@: 1\n@: 0\n@: 0\n\n\n",
        "{finished}"
    );
    assert_eq!(finished.messages(), "Attached 1 probe\n", "{finished}");
}
