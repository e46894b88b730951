//! Pictures: the folded format, flame graphs and reports, as files and in a real browser.

mod support;

use pfscript_testkit::needs_root;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use support::browser::Browser;
use support::{Finished, Report, Scratch, Tracer, workload};

/// Folded lines: stacks and weights.
#[track_caller]
fn folded(path: &Path) -> BTreeMap<String, u64> {
    let text = fs::read_to_string(path).expect("the file is there");
    let line = |line: &str| {
        let (stack, weight) = line.rsplit_once(' ').expect("a weight");
        (stack.to_owned(), weight.parse().expect("a number"))
    };
    let lines: BTreeMap<String, u64> = text.lines().map(line).collect();
    assert_eq!(lines.len(), text.lines().count(), "no line is there twice");
    lines
}

/// The report that a workload prints among other output.
#[track_caller]
fn report(finished: &Finished) -> Report {
    let line = finished
        .text()
        .lines()
        .find(|line| line.starts_with("pid="));
    Report::parse(line.expect("the workload reports"))
}

fn path_in(scratch: &Scratch, name: &str) -> PathBuf {
    scratch.path().join(name)
}

#[test]
fn folded_stacks_are_those_of_the_map_root_first() {
    needs_root!();
    let scratch = Scratch::new("folded");
    let file = path_in(&scratch, "out.folded");
    let command = format!("{} 300", workload("anon2mmap"));
    let finished = Tracer::script("software:page-faults:1 { @[comm, ustack] = count(); }")
        .args(["-c", &command, "--folded"])
        .arg(&file)
        .run()
        .lossless();
    let lines = folded(&file);
    let (stack, weight) = lines
        .iter()
        .max_by_key(|(_, weight)| **weight)
        .expect("stacks");
    assert_eq!(*weight, report(&finished).get("minflt"), "{lines:?}");
    assert!(stack.starts_with("anon2mmap;_start;"), "{stack}");
    assert!(stack.ends_with(";main"), "{stack}");
    let said = format!(
        "out.folded: {} stacks of @, {} events",
        lines.len(),
        lines.values().sum::<u64>()
    );
    finished.says(&[&said]);
}

#[test]
fn the_shipped_faults_can_be_drawn_with_the_same_bytes() {
    needs_root!();
    let scratch = Scratch::new("shipped");
    let file = path_in(&scratch, "out");
    let command = format!("{} 300", workload("anon2mmap"));
    let finished = Tracer::new(["-q", "faults", "--all", "-c", &command, "--folded"])
        .arg(&file)
        .run()
        .lossless();
    // Rows end in `, 9684, anon2mmap, minor]: { .count = 300, .average = 4096, .total = 1228800 }`.
    let text = String::from_utf8_lossy(&finished.out);
    let bytes = text.lines().filter_map(|line| {
        let (_, total) = line.strip_prefix(", ")?.split_once(".total = ")?;
        total.strip_suffix(" }")?.parse::<i64>().ok()
    });
    let bytes: u64 = bytes.filter_map(|bytes| u64::try_from(bytes).ok()).sum();
    assert!(bytes >= 300 * 4096, "{finished}");
    assert_eq!(folded(&file).values().sum::<u64>(), bytes, "{finished}");
}

#[test]
fn every_kind_of_weight_adds_up() {
    needs_root!();
    let scratch = Scratch::new("weights");
    let script = "BEGIN { for $i : 0..4 { VALUE } exit(); }";
    for (value, expected) in [
        ("@[kstack] = count();", 4),
        ("@[kstack] = sum(5);", 20),
        ("@[kstack] = stats(5);", 20),
        ("@[kstack] = hist(5);", 4),
        ("@[kstack] = lhist(5, 0, 10, 1);", 4),
        ("@[kstack] = 7;", 7),
        ("@[kstack]++;", 4),
    ] {
        let file = path_in(&scratch, "out");
        let script = script.replace("VALUE", value);
        Tracer::script(&script)
            .arg("--folded")
            .arg(&file)
            .run()
            .lossless();
        let lines = folded(&file);
        assert_eq!(lines.values().sum::<u64>(), expected, "{value}: {lines:?}");
        // The kernel's functions are marked, and no function is printed with its offset.
        let (stack, _) = lines.first_key_value().expect("a stack");
        assert!(stack.ends_with("_[k]") && !stack.contains('+'), "{stack}");
    }
}

#[test]
fn what_is_printed_and_cleared_is_in_the_picture_and_what_is_only_cleared_is_not() {
    needs_root!();
    let scratch = Scratch::new("cleared");
    let file = path_in(&scratch, "out");
    for (script, expected) in [
        // At most one of them is printed: all are drawn.
        (
            "BEGIN { @[kstack, 1] = count(); @[kstack, 2] = count(); print(@, 1); clear(@); @[kstack, 3] = count(); exit(); }",
            3,
        ),
        (
            "BEGIN { @[kstack] = count(); print(@); @[kstack] = count(); exit(); }",
            2,
        ),
        ("BEGIN { @[kstack] = count(); clear(@); exit(); }", 0),
        (
            "BEGIN { @[kstack] = count(); exit(); } END { print(@); print(1); clear(@); }",
            1,
        ),
    ] {
        for more in [&[][..], &["--no-maps"]] {
            Tracer::script(script)
                .args(more)
                .arg("--folded")
                .arg(&file)
                .run()
                .lossless();
            let lines = folded(&file);
            assert_eq!(lines.values().sum::<u64>(), expected, "{script}: {lines:?}");
        }
    }
}

#[test]
fn several_maps_are_told_apart_and_named() {
    needs_root!();
    let scratch = Scratch::new("several");
    let file = path_in(&scratch, "out");
    let script = "BEGIN { @a[kstack] = count(); @b[kstack, \"x\"] = sum(3); @c[kstack] = avg(2); @d[1] = count(); exit(); }";
    let finished = Tracer::script(script)
        .arg("--folded")
        .arg(&file)
        .run()
        .lossless();
    finished.says(&["2 stacks of @a, @b, 4 in all"]);
    let lines = folded(&file);
    let of = |front: &str| {
        lines
            .iter()
            .filter(|(stack, _)| stack.starts_with(front))
            .map(|(_, weight)| *weight)
            .sum::<u64>()
    };
    assert_eq!(
        (of("@a;"), of("@b;x;"), lines.len()),
        (1, 3, 2),
        "{lines:?}"
    );
}

#[test]
fn what_cannot_be_drawn_is_said_before_tracing() {
    needs_root!();
    let scratch = Scratch::new("undrawn");
    let file = path_in(&scratch, "out.svg");
    let touched = path_in(&scratch, "touched");
    let command = format!("touch {}", touched.display());
    let refused = |script: &str, option: &str, file: &Path, words: &[&str]| {
        Tracer::script(script)
            .args(["-c", &command, option])
            .arg(file)
            .run()
            .refuses(words);
        assert!(!touched.exists(), "the command ran: {script}");
    };
    let events = "software:page-faults:1 { @[ustack] = count(); }";
    refused(
        "BEGIN { @[comm] = count(); }",
        "--flamegraph",
        &file,
        &[
            "no map of the script has a stack in its key",
            "@[ustack, comm] = count()",
        ],
    );
    let avg = "BEGIN { @a[kstack] = avg(1); @b[kstack] = max(1); }";
    refused(
        avg,
        "--folded",
        &file,
        &["@a (avg())", "@b (max())", "count()"],
    );
    refused(events, "--report", &file, &["rssgrow"]);
    refused(
        events,
        "--flamegraph",
        &path_in(&scratch, "no/out.svg"),
        &["no/out.svg", "No such file"],
    );
    let link = path_in(&scratch, "link.svg");
    symlink("elsewhere", &link).expect("it can be made");
    refused(events, "--flamegraph", &link, &["symbolic link"]);
    assert!(!file.exists());
}

#[test]
fn a_file_is_complete_or_as_it_was() {
    needs_root!();
    let scratch = Scratch::new("complete");
    let file = scratch.file("out.svg", "old");
    let others = || fs::read_dir(scratch.path()).expect("it is there").count();
    let script = "interval:ms:10 { @[kstack] = count(); }";
    let running = Tracer::script(script)
        .arg("--flamegraph")
        .arg(&file)
        .start()
        .attached();
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "old");
    assert_eq!(others(), 1, "nothing else is there meanwhile");
    running.interrupt();
    running.finish().lossless();
    assert!(
        fs::read_to_string(&file)
            .expect("it is there")
            .trim_end()
            .ends_with("</svg>")
    );
    // Killed, it leaves nothing behind.
    let file = scratch.file("out.svg", "old");
    let running = Tracer::script(script)
        .arg("--flamegraph")
        .arg(&file)
        .start()
        .attached();
    running.signal(libc::SIGKILL);
    running.finish();
    assert_eq!(
        (fs::read_to_string(&file).expect("it is there"), others()),
        ("old".to_owned(), 1)
    );
    // A dry run draws nothing.
    Tracer::script(script)
        .arg("--dry-run")
        .arg("--flamegraph")
        .arg(&file)
        .run()
        .ok();
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "old");
}

#[test]
fn pictures_are_made_though_nobody_reads_the_output() {
    needs_root!();
    let scratch = Scratch::new("unread");
    let file = path_in(&scratch, "out");
    let script = "interval:ms:10 { @[kstack] = count(); print(1); }";
    let line = format!(
        "{} -e '{script}' --folded {} | head -1",
        support::PFSCRIPT,
        file.display()
    );
    Tracer::command("sh").args(["-c", &line]).run().ok();
    assert!(folded(&file).values().sum::<u64>() > 0);
}

#[test]
fn names_from_outside_stay_names() {
    needs_root!();
    let scratch = Scratch::new("evil");
    let (folded_file, svg) = (path_in(&scratch, "out"), path_in(&scratch, "out.svg"));
    let program = path_in(&scratch, "<b>;a 5\n'\"&");
    support::copy_program(workload("anon2mmap"), &program);
    let command = program.to_str().expect("UTF-8").to_owned();
    let finished = Tracer::script("software:page-faults:1 { @[comm, ustack] = count(); }")
        .arg("--folded")
        .arg(&folded_file)
        .arg("--flamegraph")
        .arg(&svg)
        .args(["--run", &command, "100"])
        .run()
        .lossless();
    let lines = folded(&folded_file);
    let own = "<b>\\x3ba 5\\x0a'\"&;";
    let own: u64 = lines
        .iter()
        .filter(|(stack, _)| stack.starts_with(own))
        .map(|(_, weight)| *weight)
        .sum();
    assert!(own >= 100, "{finished}: {lines:?}");
    let text = fs::read_to_string(&svg).expect("it is there");
    assert!(
        text.contains("&lt;b&gt;\\x3ba 5\\x0a") && !text.contains("<b>"),
        "{text}"
    );
}

#[test]
fn inlined_functions_are_marked() {
    needs_root!();
    let scratch = Scratch::new("inlined");
    let source = "#include \"workload.h\"\n\
        static inline __attribute__((always_inline)) void inlined(volatile char *page) { *page = 1; }\n\
        __attribute__((noinline)) static void each(volatile char *memory) { for (long page = 0; page < 50; page++) inlined(memory + page * 4096); }\n\
        int main(void) { each(anonymous(50, MADV_NOHUGEPAGE)); return 0; }\n";
    let program = scratch.compiled_with("marks", source, &["-O1", "-g"]);
    let (folded_file, svg) = (path_in(&scratch, "out"), path_in(&scratch, "out.svg"));
    Tracer::script(
        "config = { show_debug_info = 1 } software:page-faults:1 { @[ustack] = count(); }",
    )
    .args(["-c", program.to_str().expect("UTF-8"), "--folded"])
    .arg(&folded_file)
    .arg("--flamegraph")
    .arg(&svg)
    .run()
    .lossless();
    let lines = folded(&folded_file);
    let found: u64 = lines
        .iter()
        .filter(|(stack, _)| stack.ends_with(";each;inlined_[i]"))
        .map(|(_, weight)| *weight)
        .sum();
    assert_eq!(found, 50, "{lines:?}");
    let text = fs::read_to_string(&svg).expect("it is there");
    assert!(text.contains("inlined [inlined] (50 events"), "{text}");
}

/// `rssgrow` of a workload that grows by 32 MiB in a function, with all pictures.
#[track_caller]
fn grown(scratch: &Scratch) -> u64 {
    let command = format!("{} malloc 32", workload("grows"));
    let finished = Tracer::new(["rssgrow", "-c", &command])
        .arg("--folded")
        .arg(path_in(scratch, "out.folded"))
        .arg("--flamegraph")
        .arg(path_in(scratch, "out.svg"))
        .arg("--report")
        .arg(path_in(scratch, "out.html"))
        .run()
        .lossless();
    report(&finished).get("grown")
}

#[test]
fn growth_is_drawn_in_bytes() {
    needs_root!();
    let scratch = Scratch::new("growth");
    let grown = grown(&scratch);
    let lines = folded(&path_in(&scratch, "out.folded"));
    let own = |line: &&str| {
        line.starts_with("grows (")
            && line.contains(";heap;_start;")
            && line.contains(";main;by_malloc;")
    };
    let own: u64 = lines
        .iter()
        .filter(|(stack, _)| own(&stack.as_str()))
        .map(|(_, weight)| *weight)
        .sum();
    assert!(
        own.abs_diff(grown) * 50 <= grown,
        "{own} bytes, not {grown}: {lines:?}"
    );
}

/// The box of a flame graph whose function is this one.
fn a_box(name: &str) -> String {
    format!(
        "[...document.querySelectorAll('#frames > g')].find(g => g.querySelector('title').textContent.startsWith('{name} ('))"
    )
}

/// How wide it is, in percent.
fn width(browser: &mut Browser, name: &str) -> f64 {
    let width = format!(
        "parseFloat({}.querySelector('rect').getAttribute('width'))",
        a_box(name)
    );
    browser.value(&width).as_f64().expect("a number")
}

#[test]
fn a_browser_searches_and_zooms_a_flame_graph() {
    needs_root!();
    let scratch = Scratch::new("flame");
    grown(&scratch);
    let Some(mut browser) = Browser::open(&path_in(&scratch, "out.svg")) else {
        return;
    };
    let before = width(&mut browser, "by_malloc");
    assert!((80.0..100.0).contains(&before), "{before} %");
    browser.value("search('^by_malloc')");
    browser.wait_for("document.getElementById('matched').textContent.startsWith('Matched: 9')");
    assert_eq!(
        browser.value(&format!(
            "{}.querySelector('rect').getAttribute('fill')",
            a_box("by_malloc")
        )),
        "rgb(230,0,230)"
    );
    browser.click(&format!("{}.querySelector('rect')", a_box("by_malloc")));
    assert_eq!(width(&mut browser, "by_malloc"), 100.0);
    browser.click("document.getElementById('unzoom')");
    assert_eq!(width(&mut browser, "by_malloc"), before);
}

#[test]
fn a_browser_searches_and_zooms_a_report_and_loads_nothing() {
    needs_root!();
    let scratch = Scratch::new("report");
    let grown = grown(&scratch);
    let Some(mut browser) = Browser::open(&path_in(&scratch, "out.html")) else {
        return;
    };
    assert_eq!(
        browser.value("performance.getEntriesByType('resource').length"),
        0
    );
    let title = browser.value("document.title");
    assert!(
        title
            .as_str()
            .is_some_and(|title| title.starts_with("What grows (")),
        "{title}"
    );
    // The largest row of the table.
    let bytes = browser.value("parseInt(document.querySelector('tbody td').title)");
    assert!(
        bytes.as_u64().is_some_and(|bytes| bytes * 10 > grown * 8),
        "{bytes} of {grown}"
    );
    assert!(
        browser
            .value("document.querySelectorAll('.chart polygon').length")
            .as_u64()
            >= Some(1)
    );
    assert!(
        browser
            .value("document.getElementById('flame').firstElementChild.clientWidth")
            .as_u64()
            > Some(800)
    );
    let rows = browser.value("document.querySelectorAll('tbody tr:not([hidden])').length");
    browser.click("document.getElementById('query')");
    browser.type_text("BY_malloc");
    browser.wait_for("document.getElementById('found').textContent.includes('Matched: 9')");
    let shown = browser.value("document.querySelectorAll('tbody tr:not([hidden])').length");
    assert!(
        shown.as_u64() < rows.as_u64() && shown.as_u64() > Some(0),
        "{shown} of {rows}"
    );
    browser.click(&format!("{}.querySelector('rect')", a_box("by_malloc")));
    assert_eq!(width(&mut browser, "by_malloc"), 100.0);
    browser.click("document.getElementById('unzoom')");
    assert!(width(&mut browser, "by_malloc") < 100.0);
}
