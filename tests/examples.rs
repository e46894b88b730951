//! `tests/examples` has scripts for what the corpus cannot run: functions of libraries, commands, what acts on processes. Each passes a
//! check, unless this machine lacks what it says in a line `// or: MESSAGE`.

mod support;

use pfscript_testkit::needs_root;
use support::Tracer;

#[test]
fn every_example_is_right_where_the_kernel_has_what_it_needs() {
    needs_root!();
    let folder = support::repository().join("tests/examples");
    let mut passed = 0;
    for entry in std::fs::read_dir(folder).expect("the examples are there") {
        let path = entry.expect("the folder can be read").path();
        let source = std::fs::read_to_string(&path).expect("a script is text");
        let options = ["--check", "--unsafe", "-c", "true"].map(AsRef::as_ref);
        let finished = Tracer::new(options.into_iter().chain([path.as_os_str()])).run();
        let lacking = (source.lines())
            .filter_map(|line| line.strip_prefix("// or: "))
            .find(|message| finished.messages().contains(message));
        match lacking {
            Some(message) => {
                let errors = finished.messages().matches("\nerror: ").count();
                assert_eq!(errors, 0, "besides: {message}: {finished}");
                println!("skip: {}: {message}", path.display());
            }
            None => {
                assert_eq!(finished.messages(), "", "{}", path.display());
                finished.ok();
                passed += 1;
            }
        }
    }
    assert!(passed >= 2, "{passed} of the examples need nothing special");
}
