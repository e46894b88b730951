//! What `rssgrow` says, read from its JSON.

use super::{Finished, Report};
use serde_json::Value;

/// Which parts of the growth are meant: with a function in their stacks, a kind, and a piece of a file's path.
pub struct Part<'a> {
    pub function: &'a str,
    pub kind: &'a str,
    pub file: Option<&'a str>,
}

/// All that is said of growth: of each process, or of those of a name.
#[track_caller]
pub fn growths(finished: &Finished) -> Vec<Value> {
    let objects = finished.text().lines().filter(|line| line.starts_with('{'));
    let objects = objects.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let growths = objects.filter(|object| object["type"] == "growth");
    let growths: Vec<Value> = growths.map(|object| object["data"].clone()).collect();
    assert!(!growths.is_empty(), "no growth in\n{finished}");
    growths
}

/// What is said of the one process.
#[track_caller]
pub fn growth(finished: &Finished) -> Value {
    let mut growths = growths(finished);
    assert_eq!(growths.len(), 1, "{finished}");
    growths.remove(0)
}

/// What is said of the processes of a name, or of the one of a process id.
#[track_caller]
pub fn growth_of(finished: &Finished, which: &str, is: impl Into<Value>) -> Value {
    let is = is.into();
    let growths = growths(finished);
    let mut own = growths.iter().filter(|growth| growth[which] == is);
    let found = own.next();
    let found = found.unwrap_or_else(|| panic!("nothing of {is} in\n{finished}"));
    assert_eq!(own.count(), 0, "{is} is there twice in\n{finished}");
    found.clone()
}

/// Calls `check` with what is to stand before a command so that it has an allocator, for each one beside the C library's that is
/// installed, and with the allocator's name.
pub fn with_each_allocator(check: impl Fn(&str, &str)) {
    for library in [
        "libjemalloc.so.2",
        "libmimalloc.so.2",
        "libtcmalloc_minimal.so.4",
    ] {
        let path = format!("/usr/lib/{}-linux-gnu/{library}", std::env::consts::ARCH);
        match std::path::Path::new(&path).exists() {
            true => check(&format!("env LD_PRELOAD={path} "), library),
            false => println!("skip: {library} is not installed"),
        }
    }
}

/// What workloads report.
pub fn reports(finished: &Finished) -> Vec<Report> {
    let lines = finished.text().lines();
    let lines = lines.filter(|line| line.starts_with("pid="));
    lines.map(Report::parse).collect()
}

/// The bytes of the parts that have such a stack, kind and file.
pub fn bytes_of(growth: &Value, part: &Part<'_>) -> u64 {
    let parts = growth["parts"].as_array().expect("there are parts");
    let has = |text: &Value, part: &str| text.as_str().is_some_and(|text| text.contains(part));
    let own = parts.iter().filter(|one| {
        has(&one["by"], &format!("{}+", part.function))
            && one["kind"] == part.kind
            && part.file.is_none_or(|file| has(&one["file"], file))
    });
    own.filter_map(|one| one["bytes"].as_u64()).sum()
}

/// Fails unless two sizes are within 2 %.
#[track_caller]
pub fn alike(found: u64, expected: u64, growth: &Value) {
    assert!(
        found.abs_diff(expected) * 50 <= expected,
        "{found} bytes, not {expected}: {growth:#}"
    );
}

/// Fails unless all parts, what was there before and what of that is gone come to what is there.
#[track_caller]
pub fn adds_up(growth: &Value) {
    let number = |value: &Value| value.as_u64().expect("a number");
    let parts = growth["parts"].as_array().expect("there are parts");
    let all: u64 = parts.iter().map(|part| number(&part["bytes"])).sum();
    let end = number(&growth["after"]) + number(&growth["gone"]);
    assert_eq!(number(&growth["before"]) + all, end, "{growth:#}");
    // What nothing is known of is less than 1 %.
    let unexplained = parts.iter().filter(|part| part["by"].is_null());
    let unexplained: u64 = unexplained.map(|part| number(&part["bytes"])).sum();
    assert!(unexplained * 100 < all, "{growth:#}");
}

/// The workload that touches memory page by page.
pub const BY_ANON: Part<'_> = Part {
    function: "by_anon",
    kind: "anon",
    file: None,
};
