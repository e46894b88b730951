//! Names for kernel addresses.

mod support;

use pfscript_testkit::needs_root;
use support::Tracer;

#[test]
fn kernel_addresses_that_are_no_symbols_have_no_name() {
    needs_root!();
    // Structures on the heap, a stack, offsets of per-CPU variables, and the last bytes of the address space: there the kernel
    // has neither code nor data, though some symbol's address is always the last one before.
    let script = r#"BEGIN {
        $task = (struct task_struct *)curtask;
        printf("heap %s\n", ksym(curtask));
        printf("files %s\n", ksym($task->files));
        printf("stack %s\n", ksym($task->stack));
        printf("offset %s\n", ksym(0x2c000));
        printf("user %s\n", ksym(0x7f0000001000));
        printf("nothing %s\n", ksym(0xffffffffffffff00));
        printf("code %s\n", ksym(kaddr("schedule")));
        exit();
    }"#;
    let finished = Tracer::script(script).run().lossless();
    let lines: Vec<&str> = finished.text().lines().collect();
    let word = |start: &str| {
        let found = lines.iter().find_map(|line| line.strip_prefix(start));
        found.unwrap_or_else(|| panic!("no {start}: {finished}"))
    };
    for number in ["heap ", "files ", "stack "] {
        assert!(word(number).starts_with("0xff"), "{finished}");
    }
    assert_eq!(word("offset "), "0x2c000");
    assert_eq!(word("user "), "0x7f0000001000");
    assert_eq!(word("nothing "), "0xffffffffffffff00");
    assert_eq!(word("code "), "schedule");
}
