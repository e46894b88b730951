//! Programs without frame pointers, and the stacks that a script prints of them.

use super::{Finished, Tracer};
use std::path::Path;

/// How they are built: as distributions build what they ship.
pub const STOCK: &[&str] = &["-O2", "-fomit-frame-pointer", "-fno-optimize-sibling-calls"];

/// What all of them begin with. `mark` is where the script looks.
pub const COMMON: &str = r#"
#include <alloca.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define APART __attribute__((noinline, noclone))
volatile int sink;
APART void mark(int n) { sink += n; __asm__ volatile("" ::: "memory"); }
"#;

/// The functions of the stacks that `script` prints of a program, without offsets, one line of `;` for each. PROGRAM in the script
/// is the program.
#[track_caller]
pub fn stacks(script: &str, program: &Path, name: &str) -> Vec<String> {
    let script = script.replace("PROGRAM", program.to_str().expect("UTF-8"));
    let command = format!("'{}'", program.display());
    // Without -q, which would leave out what is said of cut stacks.
    let finished = Tracer::new(["-e", &script, "-c", &command])
        .run()
        .lossless();
    let stacks = printed(&finished);
    assert!(!stacks.is_empty(), "{name}: {finished}");
    assert!(
        !finished.messages().contains("before the start"),
        "{name}: {finished}"
    );
    stacks
}

/// The stacks of an output that has nothing else, in the same form.
pub fn printed(finished: &Finished) -> Vec<String> {
    let stacks = finished.text().split("\n\n").map(|stack| {
        let frames = stack.lines().map(str::trim).filter(|line| !line.is_empty());
        let functions = frames.map(|frame| frame.rsplit_once('+').map_or(frame, |(name, _)| name));
        functions.collect::<Vec<_>>().join(";")
    });
    stacks.filter(|stack| !stack.is_empty()).collect()
}
