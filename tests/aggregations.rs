//! What aggregations have come to, read by the script itself: all CPUs' parts, as the map is printed.

mod support;

use pfscript_testkit::needs_root;
use support::Tracer;

/// What each event adds.
const GATHER: &str = "software:page-faults:1 { @cpus[cpu] = 1; @count = count(); @sum = sum(cpu + 1); \
     @least = min(-cpu); @greatest = max(cpu); @avg = avg(cpu * 1000); @of[1] = max(cpu); }";

/// The CPUs that we may use.
fn cpus() -> Vec<String> {
    let status = std::fs::read_to_string("/proc/self/status").expect("we have a status");
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .expect("it says which CPUs we may use");
    let ranges = list.trim().split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.parse::<u32>().expect("a CPU is a number");
        number(first)..=number(last)
    });
    ranges.flatten().map(|cpu| cpu.to_string()).collect()
}

#[test]
fn a_program_reads_what_all_cpus_have_gathered() {
    needs_root!();
    let cpus = cpus();
    let pinned: Vec<String> = cpus
        .iter()
        .map(|cpu| format!("taskset -c {cpu} true"))
        .collect();
    let script = format!(
        "{GATHER} END {{ printf(\"read %d %d %d %d %d %d\\n\", (int64)@count, (int64)@sum, (int64)@least, \
         (int64)@greatest, (int64)@avg, (int64)@of[1]); }}"
    );
    let command = format!("sh -c '{}'", pinned.join("; "));
    let finished = Tracer::script(&script).args(["-c", &command]).run().ok();
    let text = finished.text();
    let printed = |map: &str| {
        let start = format!("{map}: ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {map} in {text}"))
            .to_owned()
    };
    let maps = ["@count", "@sum", "@least", "@greatest", "@avg", "@of[1]"].map(printed);
    let read = text.lines().find_map(|line| line.strip_prefix("read "));
    assert_eq!(read, Some(&*maps.join(" ")), "{text}");
    let seen = text.lines().filter(|line| line.starts_with("@cpus["));
    assert!(seen.count() >= cpus.len(), "{text}");
}
