//! `uprobe` and `uretprobe`, on a made-up program.

use super::*;
use crate::facts::{Binary, FunctionSymbol, Segment};

fn function(name: &str, address: u64, size: u64) -> FunctionSymbol {
    FunctionSymbol {
        name: name.to_owned(),
        address,
        size,
        indirect: false,
    }
}

/// A program whose code begins at 0x401000 and stands 0x1000 bytes into the file. `init` is local to two of its sources.
fn facts() -> RecordedFacts {
    let mut binary = Binary::default();
    binary.segments.push(Segment {
        offset: 0x1000,
        address: 0x40_1000,
        size: 0x1000,
    });
    let binary = binary.with_functions(vec![
        function("main", 0x40_1100, 0x40),
        function("init", 0x40_1000, 0x10),
        function("init", 0x40_1040, 0x10),
        function("initrd", 0x40_1080, 0x10),
        function("elsewhere", 0x50_0000, 0x10),
    ]);
    let facts = RecordedFacts::linux_6_18().with(Feature::Uprobes);
    facts.with_binary("/bin/tool", binary)
}

/// Names, functions and places in the file.
fn sites(text: &str) -> Vec<(String, Option<String>, u64, bool)> {
    let sites = expand_on(text, &facts()).unwrap();
    let place = |site: Site| match site.attach {
        Attach::Uprobe {
            path,
            offset,
            counter: 0,
            on_return,
        } => {
            assert_eq!(path.to_str(), Some("/bin/tool"));
            (site.name, site.function, offset, on_return)
        }
        other => panic!("{other:?}"),
    };
    sites.into_iter().map(place).collect()
}

fn site(
    name: &str,
    function: &str,
    offset: u64,
    on_return: bool,
) -> (String, Option<String>, u64, bool) {
    (
        name.to_owned(),
        Some(function.to_owned()),
        offset,
        on_return,
    )
}

#[test]
fn functions_are_places_in_the_file() {
    assert_eq!(
        sites("u:/bin/tool:main"),
        [site("uprobe:/bin/tool:main", "main", 0x1100, false)]
    );
    assert_eq!(
        sites("uretprobe:/bin/tool:main"),
        [site("uretprobe:/bin/tool:main", "main", 0x1100, true)]
    );
    // Each of the functions that share a name.
    let places: Vec<u64> = sites("u:/bin/tool:init")
        .iter()
        .map(|site| site.2)
        .collect();
    assert_eq!(places, [0x1000, 0x1040]);
    assert_eq!(sites("u:/bin/to*:init*").len(), 3);
    // A function's start by its address, and without an offset.
    assert_eq!(
        sites("u:/bin/tool:0x401100"),
        [site("uprobe:/bin/tool:0x401100", "main", 0x1100, false)]
    );
    assert_eq!(sites("u:/bin/tool:main+0").len(), 1);
}

#[test]
fn what_cannot_be_probed_is_named() {
    let failure = |text: &str| failure_on(text, &facts());
    let (place, message, help) = failure("u:/bin/tool:maim");
    assert_eq!(
        (place.as_str(), help.contains("`main`")),
        ("maim", true),
        "{message}"
    );
    let (place, message, _) = failure("u:/bin/tol:main");
    assert_eq!(place, "/bin/tol");
    assert!(
        message.contains("no program or shared library"),
        "{message}"
    );
    for (text, words) in [
        (
            "u:/bin/tool:main+0x40",
            "behind the end of `main`, which has 64 bytes",
        ),
        ("u:/bin/tool:main+4", "inside of a function"),
        ("u:/bin/tool:0x401104", "inside of a function"),
        ("u:/bin/tool:0x10", "no code at address 0x10"),
        ("u:/bin/tool:main+x", "number of bytes"),
        ("u:/bin/tool:ma*+1", "wildcard"),
        ("ur:/bin/tool:main+1", "takes no offset"),
        ("u:/bin/tool:nothing*", "matches `nothing*`"),
        // A symbol without code in the file.
        ("u:/bin/tool:elsewhere", "`elsewhere`"),
        ("u:/bin/tool", "needs a function name"),
    ] {
        let (_, message, _) = failure(text);
        assert!(message.contains(words), "{text}: {message}");
    }
    let without = facts().without(Feature::Uprobes);
    let (_, message, _) = failure_on("u:/bin/tool:main", &without);
    assert!(message.contains("no uprobes"), "{message}");
}

#[test]
fn arguments_and_results_are_in_registers() {
    let provider = |name: &str| by_name(name).unwrap();
    let builtin = |ty, name| {
        provider(ty)
            .builtin(name, Arch::X86_64)
            .map(|found| found.access)
    };
    assert_eq!(
        builtin("uprobe", "arg0"),
        by_name("kprobe")
            .unwrap()
            .builtin("arg0", Arch::X86_64)
            .map(|found| found.access)
    );
    assert!(builtin("uprobe", "retval").is_none());
    assert!(builtin("uretprobe", "retval").is_some());
    assert!(builtin("uretprobe", "arg0").is_none());
}

#[test]
fn a_file_s_functions_are_listed() {
    let names = by_name("uprobe")
        .unwrap()
        .list_for("/bin/tool:*", &facts())
        .unwrap();
    assert!(
        names.contains(&"uprobe:/bin/tool:main".to_owned()),
        "{names:?}"
    );
    assert_eq!(
        by_name("uprobe").unwrap().list_for("", &facts()),
        Ok(Vec::new())
    );
}
