//! Stacks through functions of a file that says nothing of how to unwind them, as hand-written assembly and the code that V8 has built in.

mod support;

use pfscript_testkit::needs_root;
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
