//! Stacks through functions of a file that says nothing of how to unwind them, as hand-written assembly and the code that V8 has built in.

mod support;

use pfscript_testkit::needs_root;
use std::process::Command;
use support::frameless::{COMMON, STOCK};
use support::{Scratch, Tracer, stacks};

/// A function with a frame pointer, and on top of its stack the address of data that looks like code behind a call. What is there is no
/// return address, and the frame pointer is followed.
#[test]
fn data_behind_what_looks_like_a_call_is_no_caller() {
    needs_root!();
    let scratch = Scratch::new("unsaid");
    let text = format!(
        "{COMMON}{}",
        r#"
volatile char pages[32][4096] __attribute__((aligned(4096)));
unsigned char behind[16] = { 0, 0, 0, 0xe8, 1, 2, 3, 4 };
void touch(volatile char *page, unsigned char *top);
__asm__(".text\n.type touch, @function\ntouch:\n"
        "push %rbp\nmov %rsp, %rbp\npush %rsi\nmovb $1, (%rdi)\nleave\nret\n.size touch, . - touch");
APART void outer(int page) { volatile int many[9]; many[3] = 1; touch(pages[page], behind + 8); sink += many[3]; }
int main(void) { for (int i = 0; i < 32; i++) outer(i); return 0; }
"#
    );
    let program = scratch.compiled_with("unsaid", text, STOCK);
    let script =
        "software:page-faults:1 / comm == \"unsaid\" / { @[ustack, pid, comm] = count(); }";
    let command = format!("'{}'", program.display());
    let finished = Tracer::new(["-e", script, "-c", &command]).run().lossless();
    let rows = stacks::parse(finished.text());
    let touching = rows.iter().filter(|row| row.function(0) == "touch");
    let whole = touching.filter(|row| {
        [(1, "outer"), (2, "main")]
            .iter()
            .all(|(at, name)| row.frames.len() > 3 && row.function(*at) == *name)
    });
    assert_eq!(whole.map(|row| row.count).sum::<u64>(), 32, "{finished}");
}

/// What a frame pointer leads to is a caller if a call is before it, also where the walk goes on in user space, once the file's table is there.
#[test]
fn what_no_call_returns_to_is_no_caller() {
    needs_root!();
    let scratch = Scratch::new("linked");
    let text = format!(
        "{COMMON}{}",
        r#"
void odd(void **frame);
__asm__(".text\n.type odd, @function\nodd:\n"
        "push %rbp\nmov %rdi, %rbp\nmov $1, %edi\ncall mark\npop %rbp\nret\n.size odd, . - odd");
int main(void) { void *frame[2] = { NULL, (char *)main + 2 }; odd(frame); return 0; }
"#
    );
    let program = scratch.compiled_with("linked", text, STOCK);
    let path = program.to_str().expect("UTF-8");
    let script = format!("uprobe:{path}:mark {{ @[ustack, pid, comm] = count(); }}");
    let tracer = Tracer::script(&script).start().attached();
    let status = Command::new(&program).status();
    assert!(status.expect("it runs").success());
    tracer.interrupt();
    let finished = tracer.finish().lossless();
    let rows = stacks::parse(finished.text());
    assert_eq!(rows.len(), 1, "{finished}");
    let functions: Vec<&str> = (0..rows[0].frames.len())
        .map(|at| rows[0].function(at))
        .collect();
    assert_eq!(functions, ["mark", "odd"], "{finished}");
}
