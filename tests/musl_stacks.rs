//! Stacks of programs with the C library musl, which says nothing of how to unwind: they end where the program or the thread begins.

mod support;

use pfscript_testkit::needs_root;
use std::process::Command;
use support::Scratch;
use support::frameless::{COMMON, STOCK, stacks};

const PROGRAM: &str = r"
static void handler(int number) { volatile int many[9]; many[2] = 1; mark(number); exit(sink & many[2] & 0); }
APART void *work(void *n) { char many[200]; memset(many, 1, sizeof many); mark(many[(long)n]); return NULL; }
APART int outer(int n) { volatile int many[30]; many[n] = 1; mark(n); return many[n]; }
APART void faults(volatile int *nowhere) { *nowhere = 1; }
APART void handled(void) { volatile int many[20]; many[3] = 1; faults(NULL); sink += many[3]; }
int main(void) {
    pthread_t thread;
    outer(3);
    pthread_create(&thread, NULL, work, (void *)3);
    pthread_join(thread, NULL);
    signal(SIGSEGV, handler);
    handled();
    return 0;
}
";

#[test]
fn programs_threads_and_handlers_of_musl_have_whole_stacks() {
    needs_root!();
    if Command::new("musl-gcc").arg("--version").output().is_err() {
        println!("skip: musl-gcc is not installed");
        return;
    }
    for linked in [&[][..], &["-static"], &["-static-pie"]] {
        let scratch = Scratch::new("musl");
        let source = scratch.file("m.c", format!("{COMMON}{PROGRAM}"));
        let program = scratch.path().join("m");
        let done = Command::new("musl-gcc")
            .args(STOCK)
            .args(linked)
            .arg("-o")
            .args([&program, &source])
            .output();
        let done = done.expect("it runs");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{said}");
        // None is cut.
        let found = stacks("uprobe:PROGRAM:mark { print(ustack); }", &program, "musl");
        let expected = ["mark;outer;main;", "mark;work;", "mark;handler;"];
        let begins = |(stack, expected): (&String, &&str)| stack.starts_with(expected);
        assert!(
            found.len() == expected.len() && found.iter().zip(expected.iter()).all(begins),
            "{linked:?}: {found:#?}"
        );
        assert!(
            found[2].contains(";faults;handled;main;"),
            "{linked:?}: {found:#?}"
        );
    }
}
