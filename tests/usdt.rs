//! `usdt`: markers of a program fire with their arguments, in all places that they were copied to; the process knows by the
//! semaphore that somebody listens; and nothing is left of it afterwards.

mod support;

use pfscript_testkit::needs_root;
use support::{Report, Tracer, rows, workload};

fn trace(script: &str) -> (String, Report) {
    support::trace_workload(script, "markers", 50)
}

#[test]
fn markers_fire_with_their_arguments() {
    needs_root!();
    let (out, _) = trace(
        "usdt:FILE:workload:plain /pid == cpid/ { @plain[arg0, str(arg1)] = count(); @sum = sum(arg2); }
        usdt:FILE:workload:copied /pid == cpid/ { @copied[arg0] = count(); @name[probe] = count(); }",
    );
    assert_eq!(rows(&out, "plain"), [("-7, seven".to_owned(), 50)], "{out}");
    assert!(out.contains(&format!("@sum: {}\n", 50 * 49 / 2)), "{out}");
    let mut copied = rows(&out, "copied");
    copied.sort();
    assert_eq!(
        copied,
        [("1".to_owned(), 50), ("2".to_owned(), 50)],
        "{out}"
    );
    assert_eq!(rows(&out, "name").len(), 1, "{out}");
}

#[test]
fn the_process_knows_that_somebody_listens() {
    needs_root!();
    let (_, report) = trace("usdt:FILE:workload:plain /pid == cpid/ { @ = count(); }");
    assert_eq!(report.get("heard"), 0);
    let (out, report) = trace("usdt:FILE:workload:asked /pid == cpid/ { @ = count(); }");
    assert!(out.contains("@: 50\n"), "{out}");
    assert_eq!(report.get("heard"), 50);
}

#[test]
fn markers_are_listed_and_missing_ones_named() {
    let program = workload("markers");
    let finished = Tracer::new(["-l", &format!("usdt:{program}:*")]).run();
    let out = String::from_utf8_lossy(&finished.expect(0).out).into_owned();
    for marker in ["plain", "copied", "asked"] {
        let line = format!("usdt:{program}:workload:{marker}");
        assert_eq!(
            out.lines().filter(|found| *found == line).count(),
            1,
            "{out}"
        );
    }
    let finished = Tracer::script(&format!("usdt:{program}:workload:plainn {{}}")).run();
    let err = String::from_utf8_lossy(&finished.expect(1).err).into_owned();
    assert!(err.contains("did you mean `plain`?"), "{err}");
}
