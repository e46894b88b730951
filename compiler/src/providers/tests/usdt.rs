//! `usdt`, on a made-up program.

use super::*;
use crate::facts::{Binary, Marker, Segment};
use crate::ir::Width;

fn marker(provider: &str, name: &str, address: u64, arguments: &str) -> Marker {
    Marker {
        provider: provider.to_owned(),
        name: name.to_owned(),
        address,
        semaphore: if name == "start" { 0x40_3010 } else { 0 },
        arguments: arguments.to_owned(),
    }
}

/// A program with a marker of one place and one of two, whose arguments are not alike.
fn facts() -> RecordedFacts {
    let mut binary = Binary::default();
    for (offset, address) in [(0x1000, 0x40_1000), (0x3000, 0x40_3000)] {
        binary.segments.push(Segment {
            offset,
            address,
            size: 0x1000,
        });
    }
    binary.markers = vec![
        marker("app", "done", 0x40_1100, "-4@%eax 8@-16(%rbp)"),
        marker("app", "done", 0x40_1200, "-4@$7"),
        marker("app", "start", 0x40_1000, ""),
    ];
    let facts = RecordedFacts::linux_6_18().with(Feature::Uprobes);
    facts.with_binary("/bin/tool", binary)
}

/// Names, places in the file and counters.
fn sites(text: &str) -> Vec<(String, u64, u64)> {
    let sites = expand_on(text, &facts()).unwrap();
    let place = |site: Site| match site.attach {
        Attach::Uprobe {
            offset, counter, ..
        } => (site.name, offset, counter),
        other => panic!("{other:?}"),
    };
    sites.into_iter().map(place).collect()
}

#[test]
fn markers_are_places_in_the_file() {
    let start = || ("usdt:/bin/tool:app:start".to_owned(), 0x1000, 0x3010);
    for text in [
        "usdt:/bin/tool:app:start",
        "U:/bin/tool:start",
        "U:/bin/tool::st*",
    ] {
        assert_eq!(sites(text), [start()], "{text}");
    }
    let places: Vec<u64> = sites("U:/bin/tool:done")
        .iter()
        .map(|site| site.1)
        .collect();
    assert_eq!(places, [0x1100, 0x1200]);
    assert_eq!(sites("U:/bin/t*:*").len(), 3);
}

#[test]
fn arguments_are_those_of_the_place() {
    let provider = by_name("usdt").unwrap();
    let sites = expand_on("U:/bin/tool:done", &facts()).unwrap();
    let arguments = |site: usize| {
        let all = provider.arguments(&sites[site], &facts()).unwrap();
        all.into_iter()
            .map(|found| (found.name, found.access))
            .collect::<Vec<_>>()
    };
    let register = Access::Context {
        offset: 80,
        width: Width::W32,
        signed: true,
    };
    let first = arguments(0);
    assert_eq!(first[0], ("arg0".to_owned(), register));
    assert_eq!(first[1].0, "arg1");
    assert_eq!(arguments(1), [("arg0".to_owned(), Access::Constant(7))]);
}

#[test]
fn what_is_not_marked_is_said() {
    let failure = |text: &str| failure_on(text, &facts());
    let (place, message, help) = failure("U:/bin/tool:app:strat");
    assert_eq!(place, "strat");
    assert_eq!(message, "`/bin/tool` has no marker `strat`");
    assert!(help.contains("`start`"), "{help}");
    let (_, message, _) = failure("U:/bin/tool");
    assert!(message.contains("needs"), "{message}");
    let (_, _, help) = failure("U:*:app:start:more");
    assert!(help.contains("usdt:FILE"), "{help}");
}
