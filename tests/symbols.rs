//! Names for kernel addresses.

mod support;

use pfscript_testkit::needs_root;
use support::Tracer;

#[test]
fn kernel_addresses_that_are_no_symbols_have_no_name() {
    needs_root!();
    // A structure on the heap, and the last bytes of the address space, where the kernel has neither code nor data.
    let script = r#"BEGIN {
        printf("heap %s\n", ksym(curtask));
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
    assert!(word("heap ").starts_with("0x"), "{finished}");
    assert_eq!(word("nothing "), "0xffffffffffffff00");
    assert_eq!(word("code "), "schedule");
}
