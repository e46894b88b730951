//! Maps that are printed and emptied while programs count into them: the sum over all prints is what happened.

mod support;

use pfscript_testkit::needs_root;
use serde_json::Value;
use std::process::{Command, Stdio};
use support::{Finished, Scratch, Tracer, own_name};

/// Keys that each process counts, and how often each one.
const KEYS: u64 = 60;
const PASSES: u64 = 4_000;
/// One for each CPU that the smallest machine of the matrix has.
const PROCESSES: u64 = 2;
/// All that they do.
const EVENTS: u64 = PROCESSES * KEYS * PASSES;

/// When maps are printed and emptied: often, but not so often that a busy machine takes minutes for all of it.
const TICK: &str = "interval:ms:20 /@ticks++ < 40/";

/// Where the workload's calls are counted.
fn calls(name: &str) -> String {
    let comm = own_name(name);
    format!("tracepoint:syscalls:sys_enter_close /comm == \"{comm}\" && args.fd >= 1000000/")
}

/// Traces two processes at once, each busy with [`EVENTS`] / 2 calls.
fn trace(name: &str, script: &str) -> Finished {
    let scratch = Scratch::new(name);
    let (program, _) = scratch.named("keys", name);
    let tracer = Tracer::new(["-f", "json", "--strict", "-e", script]);
    // JSON has no line that says that probes are attached on the messages' side.
    let tracer = tracer.start().printed("attached_probes");
    let mut running: Vec<_> = (0..PROCESSES)
        .map(|_| {
            Command::new(&program)
                .args([KEYS.to_string(), PASSES.to_string()])
                .stdout(Stdio::null())
                .spawn()
                .expect("the workload runs")
        })
        .collect();
    for process in &mut running {
        assert!(process.wait().expect("it is a child").success());
    }
    tracer.interrupt();
    tracer.finish().lossless()
}

/// All that was printed of a map, added up: its numbers, the buckets of its histograms, the counts of its statistics.
fn printed(finished: &Finished, map: &str) -> u64 {
    fn sum(value: &Value) -> u64 {
        match value {
            Value::Number(number) => number.as_u64().expect("no negative number"),
            Value::Array(items) => items.iter().map(sum).sum(),
            Value::Object(fields) => match fields.get("count") {
                Some(count) => sum(count),
                None => fields.values().map(sum).sum(),
            },
            _ => 0,
        }
    }
    let text = finished.text().lines();
    let lines = text.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.map(|line| sum(&line["data"][map])).sum()
}

/// How often a map was printed.
fn prints(finished: &Finished, map: &str) -> usize {
    let text = finished.text().lines();
    let lines = text.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| !line["data"][map].is_null()).count()
}

/// Kinds of maps whose prints can be added up, each with and without key.
const KINDS: [(&str, &str); 12] = [
    ("@count", "@count = count();"),
    ("@counts", "@counts[args.fd] = count();"),
    ("@sum", "@sum = sum(1);"),
    ("@sums", "@sums[args.fd] = sum(1);"),
    ("@stat", "@stat = stats(7);"),
    ("@stats", "@stats[args.fd] = stats(7);"),
    ("@hist", "@hist = hist(args.fd);"),
    ("@hists", "@hists[args.fd] = hist(args.fd);"),
    ("@lhist", "@lhist = lhist(args.fd, 1000000, 1000060, 10);"),
    (
        "@lhists",
        "@lhists[args.fd % 7] = lhist(args.fd, 1000000, 1000060, 10);",
    ),
    ("@plus", "@plus++;"),
    ("@pluses", "@pluses[args.fd] += 1;"),
];

fn every_kind_adds_up(comm: &str, ask: impl Fn(&str) -> String) {
    let count: String = KINDS.iter().map(|(_, statement)| *statement).collect();
    let requests: String = KINDS.iter().map(|(map, _)| ask(map)).collect();
    let script = format!("{} {{ {count} }} {TICK} {{ {requests} }}", calls(comm));
    let finished = trace(comm, &script);
    for (map, _) in KINDS {
        assert!(
            prints(&finished, map) > 3,
            "too few to prove anything: {finished}"
        );
        assert_eq!(printed(&finished, map), EVENTS, "{map} of {comm}");
    }
}

#[test]
fn prints_with_a_clear_after_each_add_up_to_what_happened() {
    needs_root!();
    every_kind_adds_up("clear", |map| format!("print({map}); clear({map});"));
}

#[test]
fn prints_with_a_zero_after_each_add_up_to_what_happened() {
    needs_root!();
    every_kind_adds_up("zero", |map| format!("print({map}); zero({map});"));
}

#[test]
fn what_stands_between_a_print_and_a_clear_does_not_matter() {
    needs_root!();
    let script = format!(
        "{} {{ @a = count(); @b[args.fd] = count(); @c[args.fd] = count(); @d = count(); @n++; }} \
         {TICK} {{
             print(@a); printf(\"%s\\n\", \"between\"); clear(@a);
             print(@b); print(@c); if (@n % 2) {{ clear(@b); }}
             if (@n % 3) {{ print(@c); }} else {{ print(@c, 1); print(@c); }} clear(@c);
             print(@d, 1); print(@d); delete(@d);
         }}",
        calls("between")
    );
    let finished = trace("between", &script);
    assert_eq!(printed(&finished, "@a"), EVENTS, "@a");
    // These are printed also where they are kept, so that only the least can be told.
    for map in ["@b", "@c", "@d"] {
        assert!(printed(&finished, map) >= EVENTS, "{map}");
    }
}

/// A print without a clear shows all that there is, and programs see the same map as the prints do.
#[test]
fn a_map_that_is_seldom_cleared_is_whole_in_every_print_between() {
    needs_root!();
    let script = format!(
        "{} {{ @x++; if (@x > @seen) {{ @seen = @x; }} }} \
         {TICK} {{ print(@x); }} interval:s:100 {{ clear(@x); }}",
        calls("kept")
    );
    let finished = trace("kept", &script);
    let text = finished.text().lines();
    let numbers: Vec<u64> = text
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|line| line["data"]["@x"].as_u64())
        .collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    assert_eq!(numbers.last(), Some(&EVENTS));
    let last = finished
        .text()
        .lines()
        .filter(|line| line.contains("@seen"));
    let seen = printed(&finished, "@seen");
    assert_eq!(last.count(), 1);
    // Two processes may overwrite each other's.
    assert!(seen > EVENTS / 2 && seen <= EVENTS, "{seen}");
}

/// An extreme is one event: it must be in one of the prints.
#[test]
fn no_extreme_is_missing_between_a_print_and_a_clear() {
    needs_root!();
    let script = format!(
        "{} {{ @n++; @max = max(args.fd); @maxes[args.fd % 5] = max(args.fd); @mins[args.fd] = min(args.fd); }} \
         {TICK} {{ print(@max); clear(@max); print(@maxes); clear(@maxes); print(@mins); clear(@mins); }}",
        calls("extreme")
    );
    let finished = trace("extreme", &script);
    let text = finished.text().lines();
    let all: Vec<Value> = text
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    for map in ["@max", "@maxes"] {
        let found = all.iter().map(|line| match &line["data"][map] {
            Value::Object(keys) => keys.values().filter_map(Value::as_u64).max(),
            number => number.as_u64(),
        });
        assert_eq!(found.max(), Some(Some(1_000_000 + KEYS - 1)), "{map}");
    }
    for key in 1_000_000..1_000_000 + KEYS {
        let shown = |line: &Value| line["data"]["@mins"][key.to_string()].as_u64() == Some(key);
        assert!(all.iter().any(shown), "{key}");
    }
}

/// A value that is printed between its parts' being written, or after they were emptied, would be another number.
#[test]
fn averages_and_extremes_are_whole_in_every_print() {
    needs_root!();
    const MAPS: [&str; 4] = ["avg", "min", "max", "stats"];
    let count: String = MAPS
        .iter()
        .map(|map| format!("@{map}[args.fd] = {map}(args.fd); "))
        .collect();
    let ask: String = MAPS
        .iter()
        .map(|map| format!("print(@{map}); clear(@{map}); "))
        .collect();
    let script = format!("{} {{ {count} }} {TICK} {{ {ask} }}", calls("whole"));
    let finished = trace("whole", &script);
    let text = finished.text().lines();
    let all: Vec<Value> = text
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    for map in MAPS {
        let mut seen = 0;
        for (key, value) in all
            .iter()
            .filter_map(|line| line["data"][format!("@{map}")].as_object())
            .flatten()
        {
            let number = value.get("average").unwrap_or(value);
            assert_eq!(number.to_string(), *key, "@{map}: {value}");
            seen += 1;
        }
        assert!(seen > KEYS, "@{map} was printed {seen} times");
    }
    assert_eq!(prints(&finished, "@avg"), prints(&finished, "@stats"));
}

#[test]
fn after_zero_the_keys_are_there_with_nothing_in_them() {
    needs_root!();
    let script = "interval:ms:50 /@n < 3/ { @n++; if (@n == 1) { @c[1] = count(); @c[2] = count(); @s = sum(5); zero(@c); zero(@s); } \
                  if (@n == 3) { print(@c); exit(); } }";
    let finished = Tracer::new(["-q", "-e", script]).run().lossless();
    assert_eq!(
        finished.text(),
        "@c[1]: 0\n@c[2]: 0\n\n\n@c[1]: 0\n@c[2]: 0\n@n: 3\n@s: 0\n"
    );
}
