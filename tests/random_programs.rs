//! Random programs over the language print what a reference interpreter says, in this kernel, and they use all of the language that
//! is the same in each run.

mod support;

use pfscript_testkit::needs_root;
use pfscript_testkit::programs::{self, Program, series};
use std::collections::HashSet;
use support::{Scratch, Tracer};

const PROGRAMS: u64 = 60;
const SERIES: u64 = 20;

/// That run programs at the same time.
const THREADS: u64 = 2;

/// So many have each row of the language in one of them at least.
const PROGRAMS_OF_ALL_ROWS: u64 = 600;

/// The tables of `docs/language.md` that say what there is.
const TABLES: [&str; 4] = ["Attach points", "Settings", "Builtins", "Functions"];

/// Why rows are in no program, and which. What has several forms is named with its parameters where only one is left out.
const LEFT_OUT: [(&str, &str); 7] = [
    (
        "fires when something happens elsewhere",
        "software; hardware; profile; tracepoint; rawtracepoint; kprobe; kretprobe; uprobe; uretprobe; usdt; \
         args; arg0; arg1; arg2; arg3; arg4; arg5; arg6; arg7; arg8; arg9; arg10; arg11; \
         sarg0; sarg1; sarg2; sarg3; sarg4; sarg5; sarg6; sarg7; sarg8; sarg9; retval; addr; func; \
         ctx; reg; uaddr",
    ),
    ("is for sessions that run these alone", "bench; test"),
    (
        "differs from machine to machine or from run to run",
        "username; task; cgroup_path; cgroupid; ksym; usym; percpu_kaddr; ntop(int family, any address)",
    ),
    ("is there for sessions with a command", "cpid"),
    ("makes the kernel write to its log", "debugf"),
    (
        "is about the memory of processes",
        "rss_fault; rss_fill; rss_drop; rss_move; rss_stack; rss_alloc; rss_free; rss_together; rss_fork; rss_exit; rss_growth; rss_print",
    ),
    (
        "acts on processes and their memory",
        "signal; signal_thread; write_user; override; join",
    ),
];

/// Runs the programs of so many seeds, and says what the shortest prints that prints other things than expected.
fn compare(
    name: &str,
    programs: u64,
    options: &[&str],
    clock: Option<&str>,
    program: impl Fn(u64) -> Program + Sync,
) {
    let scratch = Scratch::new(name);
    let first = std::env::var("PFSCRIPT_SEED").map_or(0, |seed| seed.parse().expect("a number"));
    let run = |seed: u64| {
        let made = program(seed);
        let script = scratch.file(format!("{seed}.pf"), &made.source);
        let options = options.iter().map(AsRef::as_ref);
        let mut tracer = Tracer::new(options.chain([script.as_os_str()]));
        if let Some(clock) = clock {
            tracer = tracer.env("BPFTRACE_DUMMY_TS_MAP", clock);
        }
        let finished = tracer.run();
        let same = finished.status.code() == Some(0) && finished.out == made.output;
        (!same).then(|| {
            format!(
                "seed {seed}, {}:\n{}\nexpected\n{}\nprinted\n{}\n{}",
                finished.status,
                made.source,
                String::from_utf8_lossy(&made.output),
                String::from_utf8_lossy(&finished.out),
                finished.messages()
            )
        })
    };
    let every = |nth: u64| (first..first + programs).filter(move |seed| seed % THREADS == nth);
    let mut wrong: Vec<String> = std::thread::scope(|scope| {
        let threads = (0..THREADS)
            .map(|nth| scope.spawn(move || every(nth).filter_map(&run).collect::<Vec<_>>()));
        let threads: Vec<_> = threads.collect();
        let results = threads
            .into_iter()
            .map(|thread| thread.join().expect("no run panics"));
        results.flatten().collect()
    });
    wrong.sort_by_key(String::len);
    assert!(
        wrong.is_empty(),
        "{} programs of {programs} went wrong, such as\n{}",
        wrong.len(),
        wrong[0]
    );
}

#[test]
fn programs_print_what_the_reference_says() {
    needs_root!();
    // Some send the tracer a signal by `system`.
    compare(
        "random-programs",
        PROGRAMS,
        &["--unsafe", "-q"],
        None,
        |seed| programs::program(seed, programs::features(seed)),
    );
}

#[test]
fn time_series_are_what_the_reference_says() {
    needs_root!();
    let options = ["-q", "-f", "json"];
    compare(
        "random-series",
        SERIES,
        &options,
        Some(series::CLOCK),
        series::program,
    );
}

/// A row of a table, and how its like begins in a script.
struct Row {
    /// As [`LEFT_OUT`] may name it: `len(stack s)`.
    whole: String,
    name: String,
    table: &'static str,
}

fn rows() -> Vec<Row> {
    let language = std::fs::read_to_string(support::repository_file("docs/language.md"));
    let language = language.expect("the reference is there");
    let (mut table, mut rows) = (None, Vec::new());
    for line in language.lines() {
        if line.starts_with('#') {
            let title = line.trim_start_matches(['#', ' ']);
            table = TABLES.into_iter().find(|known| *known == title);
        }
        let (Some(table), true) = (table, line.starts_with("| ")) else {
            continue;
        };
        let column = if table == "Settings" { 2 } else { 1 };
        let cell = line.replace("\\|", "\u{0}");
        let cell = cell.split('|').nth(column).expect("rows have columns");
        // Some are several: `BEGIN`, `END`.
        for written in cell.split('`').skip(1).step_by(2) {
            let written = written.replace('\u{0}', "|");
            let whole = match written.find(')') {
                Some(end) => &written[..=end],
                None => &written,
            };
            let name = whole
                .split(['(', ':'])
                .next()
                .expect("split gives one at least");
            let abbreviation = table == "Attach points" && name.len() <= 2;
            if !abbreviation {
                rows.push(Row {
                    whole: whole.to_owned(),
                    name: name.to_owned(),
                    table,
                });
            }
        }
    }
    rows
}

/// What a script has of its own words: those that are called, and the others. Strings are left out.
fn words(source: &str, used: &mut HashSet<String>) {
    let code: String = source.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '@');
    let mut rest = &code[..];
    while let Some(start) = rest.find(is_word) {
        rest = &rest[start..];
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let call = if rest[end..].starts_with('(') {
            "("
        } else {
            ""
        };
        used.insert(format!("{}{call}", &rest[..end]));
        rest = &rest[end..];
    }
}

#[test]
fn each_row_of_the_language_is_in_a_program_or_left_out_for_a_reason() {
    let mut used = HashSet::new();
    for seed in 0..PROGRAMS_OF_ALL_ROWS {
        words(
            &programs::program(seed, programs::features(seed)).source,
            &mut used,
        );
        words(&series::program(seed).source, &mut used);
    }
    let rows = rows();
    let left_out: Vec<&str> = (LEFT_OUT.iter())
        .flat_map(|(_, names)| names.split("; "))
        .collect();
    let mut wrong = Vec::new();
    for row in &rows {
        let out = left_out
            .iter()
            .any(|name| **name == row.name || **name == row.whole);
        let word = match row.table {
            "Functions" => format!("{}(", row.name),
            _ => row.name.clone(),
        };
        match (out, used.contains(&word)) {
            (false, false) => wrong.push(format!("no program has `{}` ({})", row.whole, row.table)),
            (true, true) if left_out.contains(&&row.name[..]) => {
                wrong.push(format!(
                    "`{}` is in programs, and said to be left out",
                    row.whole
                ));
            }
            _ => {}
        }
    }
    for name in left_out {
        let known = rows.iter().any(|row| row.name == name || row.whole == name);
        if !known {
            wrong.push(format!("`{name}` is left out, but no row of the language"));
        }
    }
    assert!(rows.len() > 150, "the tables are read: {} rows", rows.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
