//! `tseries()`: what numbers were over time. With a map of the script's as the clock, outputs are those that bpftrace 0.27.1 prints
//! for the same scripts with the same variable set.

mod support;

use pfscript_testkit::needs_root;
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};
use support::{Finished, Tracer};

/// Runs a script whose clock is `@ts`, in universal time.
fn run(form: &str, body: &str) -> Finished {
    let script = format!("BEGIN {{ @ts = (uint64)0; {body} clear(@ts); exit(); }}");
    Tracer::new(["-q", "-f", form, "-e", &script])
        .env("BPFTRACE_DUMMY_TS_MAP", "@ts")
        .env("TZ", "UTC")
        .run()
}

#[track_caller]
fn prints(form: &str, body: &str, expected: &str) {
    let finished = run(form, body).ok();
    assert_eq!(finished.text(), expected, "{body}");
    assert_eq!(finished.messages(), "", "{body}");
}

#[test]
fn a_plot_ends_with_the_newest_interval_of_all_keys() {
    needs_root!();
    prints(
        "text",
        r#"@ts = 10s; @a["x"] = tseries(-5, 1s, 3); @ts = 11s; @a["x"] = tseries(5, 1s, 3);
           @a["y"] = tseries(4, 1s, 3); @ts = 12s; @a["y"] = tseries(4, 1s, 3);"#,
        "

@a[x]:
         -5                                                  5
hh:mm:ss |___________________________________________________|
00:00:10 *                         .                         | -5
00:00:11 |                         .                         * 5
00:00:12 |                         .                         | -
         v___________________________________________________v
         -5                                                  5

@a[y]:
         3                                                   5
hh:mm:ss |___________________________________________________|
00:00:11 |                         *                         | 4
00:00:12 |                         *                         | 4
         v___________________________________________________v
         3                                                   5

",
    );
}

#[test]
fn intervals_that_are_too_old_are_gone() {
    needs_root!();
    prints(
        "json",
        r#"@ts = 1s; @a[1, "x"] = tseries(7, 1s, 4); @ts = 18s; @a[2, "y"] = tseries(3, 1s, 4);
           @ts = 20s; @a[2, "y"] = tseries(-3, 1s, 4);"#,
        concat!(
            r#"{"type": "tseries", "data": {"@a": {"1,x": [], "2,y": ["#,
            r#"{"interval_start":"1970-01-01 00:00:18.000000000","value":3},"#,
            r#"{"interval_start":"1970-01-01 00:00:20.000000000","value":-3}]}}}"#,
            "\n"
        ),
    );
}

#[test]
fn values_of_an_interval_are_folded() {
    needs_root!();
    for (fold, expected) in [
        ("", "-2"),
        (", \"none\"", "-2"),
        (", \"sum\"", "5"),
        (", \"avg\"", "1"),
        (", \"min\"", "-2"),
        (", \"max\"", "6"),
    ] {
        let one = |value: &str| format!("@a = tseries((int64){value}, 100ms, 3{fold}); ");
        let values: String = ["1", "6", "-2"].map(one).concat();
        prints(
            "json",
            &format!("@ts = 550ms; {values} @ts = 410ms; @b = tseries(1, 100ms, 3);"),
            &format!(
                "{{\"type\": \"tseries\", \"data\": {{\"@a\": [{{\"interval_start\":\"1970-01-01 00:00:00.500000000\",\
                 \"value\":{expected}}}]}}}}\n\
                 {{\"type\": \"tseries\", \"data\": {{\"@b\": [{{\"interval_start\":\"1970-01-01 00:00:00.400000000\",\
                 \"value\":1}}]}}}}\n"
            ),
        );
    }
    // Unsigned ones are compared and printed as such.
    prints(
        "json",
        "@ts = 9s; @a = tseries((uint64)3, 1s, 3, \"max\"); @a = tseries((uint64)18446744073709551615, 1s, 3, \"max\");",
        "{\"type\": \"tseries\", \"data\": {\"@a\": [{\"interval_start\":\"1970-01-01 00:00:09.000000000\",\
         \"value\":18446744073709551615}]}}\n",
    );
}

#[test]
fn print_shows_all_keys_as_they_are_and_zero_leaves_no_data() {
    needs_root!();
    prints(
        "json",
        "@ts = 9s; @a[2] = tseries(6, 1s, 3); @a[1] = tseries(8, 1s, 3); print(@a, 1, 2); zero(@a); print(@a);",
        concat!(
            r#"{"type": "tseries", "data": {"@a": {"1": [{"interval_start":"1970-01-01 00:00:09.000000000","value":8}], "#,
            r#""2": [{"interval_start":"1970-01-01 00:00:09.000000000","value":6}]}}}"#,
            "\n",
            r#"{"type": "tseries", "data": {"@a": {"1": [], "2": []}}}"#,
            "\n",
            r#"{"type": "tseries", "data": {"@a": {"1": [], "2": []}}}"#,
            "\n"
        ),
    );
}

/// Many intervals are shared by the CPUs, since each CPU's own would not fit.
#[test]
fn a_series_may_have_many_intervals() {
    needs_root!();
    prints(
        "json",
        "@ts = 1s; @a = tseries(1, 1ms, 100000, \"max\"); @b[1] = tseries(1, 1ms, 5000, \"sum\");
         @ts = 100999ms; @a = tseries(2, 1ms, 100000, \"max\");",
        concat!(
            r#"{"type": "tseries", "data": {"@a": [{"interval_start":"1970-01-01 00:00:01.000000000","value":1},"#,
            r#"{"interval_start":"1970-01-01 00:01:40.999000000","value":2}]}}"#,
            "\n",
            r#"{"type": "tseries", "data": {"@b": {"1": [{"interval_start":"1970-01-01 00:00:01.000000000","value":1}]}}}"#,
            "\n"
        ),
    );
}

fn nanoseconds_now() -> i128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_nanos() as i128
}

/// Intervals begin at multiples of their length since 1970, by the wall clock.
#[test]
fn times_are_those_of_the_wall_clock() {
    needs_root!();
    let before = nanoseconds_now();
    let script = "BEGIN { @a = tseries(1, 100ms, 5); exit(); }";
    let finished = Tracer::new(["-q", "-f", "json", "-e", script]).run().ok();
    let after = nanoseconds_now();
    let line: Value = serde_json::from_str(finished.text()).expect("a line of JSON");
    let start = line["data"]["@a"][0]["interval_start"]
        .as_str()
        .expect("a time");
    let (second, fraction) = start.split_once('.').expect("a fraction");
    let date = std::process::Command::new("date")
        .args(["-u", "-d", second, "+%s"])
        .output()
        .expect("date runs");
    let seconds: i128 = String::from_utf8_lossy(&date.stdout)
        .trim()
        .parse()
        .expect("seconds");
    let start = seconds * 1_000_000_000 + fraction.parse::<i128>().expect("digits");
    assert_eq!(start % 100_000_000, 0, "{line}");
    // A clock that is set meanwhile may be some milliseconds off.
    let slack = 1_000_000_000;
    assert!(
        (before - slack..after + slack).contains(&start),
        "{before} {start} {after}"
    );
}

/// What CPUs bring at once, into the series of one key and into that of none, is all there.
#[test]
fn what_many_cpus_bring_is_added_up() {
    needs_root!();
    // It ends by what came, however long that takes; the intervals reach back further than a test may run.
    let script = "profile:hz:999 { @all = tseries(1, 1s, 1000, \"sum\"); @key[1] = tseries(1, 1s, 1000, \"sum\"); @n = count(); \
                  if (@n >= 1000) { exit(); } }";
    let finished = Tracer::new(["-q", "-f", "json", "-e", script]).run().ok();
    let mut sums = std::collections::BTreeMap::new();
    for line in finished.text().lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        for (name, data) in line["data"].as_object().expect("a map") {
            let points = data.as_array().or_else(|| data["1"].as_array());
            let sum = match points {
                Some(points) => points
                    .iter()
                    .map(|point| point["value"].as_u64().unwrap())
                    .sum(),
                None => data.as_u64().unwrap(),
            };
            sums.insert(name.clone(), sum);
        }
    }
    assert!(sums["@n"] >= 1000, "{sums:?}");
    // What is detached has run to its end when the maps are read.
    for name in ["@all", "@key"] {
        assert_eq!(sums["@n"], sums[name], "{sums:?}");
    }
    assert_eq!(finished.messages(), "");
}

#[test]
fn the_clock_is_a_number_without_key() {
    needs_root!();
    let refused = |value: &str, script: &str, words: &[&str]| {
        let tracer = Tracer::new(["-e", script]).env("BPFTRACE_DUMMY_TS_MAP", value);
        tracer.run().refuses(words);
    };
    let script = "BEGIN { @x[1] = 1; @s = \"a\"; @ = tseries(1, 1s, 3); exit(); }";
    refused(
        "ts",
        script,
        &["BPFTRACE_DUMMY_TS_MAP", "expected a map", "`ts`"],
    );
    refused("@x", script, &["`@x`", "key"]);
    refused("@s", script, &["`@s`", "holds no integer"]);
}
