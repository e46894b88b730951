//! Random programs over the language print what a reference interpreter says, in this kernel.

mod support;

use pfscript_testkit::needs_root;
use pfscript_testkit::programs;
use support::{Scratch, Tracer};

const PROGRAMS: u64 = 150;

#[test]
fn programs_print_what_the_reference_says() {
    needs_root!();
    let scratch = Scratch::new("random-programs");
    let first = std::env::var("PFSCRIPT_SEED").map_or(0, |seed| seed.parse().expect("a number"));
    let mut wrong = Vec::new();
    for seed in first..first + PROGRAMS {
        let made = programs::program(seed, programs::features(seed));
        let script = scratch.file(format!("{seed}.pf"), &made.source);
        let finished = Tracer::new(["-q".as_ref(), script.as_os_str()]).run();
        if finished.status.code() != Some(0) || finished.text() != made.output {
            wrong.push(format!(
                "seed {seed}, {}:\n{}\nexpected\n{}\nprinted\n{}\n{}",
                finished.status,
                made.source,
                made.output,
                finished.text(),
                finished.messages()
            ));
        }
    }
    wrong.sort_by_key(String::len);
    assert!(
        wrong.is_empty(),
        "{} programs of {PROGRAMS} went wrong, such as\n{}",
        wrong.len(),
        wrong[0]
    );
}
