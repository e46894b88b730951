//! The shipped tools that show mappings, shared memory, the kernel's own memory, reclaim and kills: against what programs did, and
//! against `/proc`.

mod support;

use pfscript_testkit::needs_root;
use serde_json::Value;
use std::fs;
use support::limited::Limited;
use support::shipped::{report, tool};
use support::{Running, Scratch, Tracer, Workload, workload};

/// The bytes of a line of `/proc/PID/smaps_rollup`.
#[track_caller]
fn rollup(pid: u32, name: &str) -> i64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("it lives");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
    let rest = lines.next().and_then(|rest| rest.strip_prefix(':'));
    let number = rest.and_then(|rest| rest.split_whitespace().next());
    number
        .and_then(|number| number.parse::<i64>().ok())
        .expect("a number")
        * 1024
}

/// Memory of each kind, and then waits.
const KINDS: &str = r#"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
static void touch(volatile char *memory, long bytes)
{
    for (long i = 0; i < bytes; i += 4096)
        memory[i] = 1;
}
int main(int argc, char **argv)
{
    (void)argc;
    char *anon = mmap(0, 64 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *shared = mmap(0, 32 << 20, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
    if (ftruncate(fd, 16 << 20))
        return 1;
    char *file = mmap(0, 16 << 20, 3, MAP_SHARED, fd, 0);
    touch(anon, 64 << 20);
    touch(shared, 32 << 20);
    touch(file, 16 << 20);
    printf("pid=%d\n", getpid());
    fflush(stdout);
    return getchar() == EOF;
}
"#;

#[test]
fn rss_agrees_with_smaps_rollup() {
    needs_root!();
    let scratch = Scratch::new("rss");
    let program = scratch.compiled("kinds", KINDS);
    let file = scratch.path().join("data");
    let mut workload = Workload::start_at(&program, &[file.to_str().expect("a path")]);
    let pid = workload.pid();
    workload.line();
    let words = ["-f", "json", "-n", "2", "-i", "100", "-p", &pid.to_string()];
    let finished = tool("rss", &words).run().ok();
    let (resident, anonymous) = (rollup(pid, "Rss"), rollup(pid, "Anonymous"));
    let samples: Vec<Value> = finished
        .text()
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|object| object["type"] == "memory")
        .collect();
    // The second is left out where the first takes as long as until then.
    let last = samples
        .last()
        .unwrap_or_else(|| panic!("no sample: {finished}"));
    let row = &last["data"]["rows"][0];
    let of = |kind: &str| row[kind].as_i64().expect("a number");
    for (kind, expected) in [("resident", resident), ("anon", anonymous)] {
        let least = (expected / 100).max(64 * 4096);
        assert!(
            (of(kind) - expected).abs() <= least,
            "{kind} {expected}: {row}"
        );
    }
    for (kind, megabytes) in [("anon", 64), ("shmem", 32), ("file", 16)] {
        let expected = megabytes << 20;
        assert!(
            (expected..expected + (4 << 20)).contains(&of(kind)),
            "{kind}: {row}"
        );
    }
    assert_eq!(
        (&row["pid"], &row["comm"], of("swap")),
        (&pid.into(), &"kinds".into(), 0)
    );
    workload.go();
    workload.end();
}

#[test]
fn rss_shows_the_machine_and_the_largest_processes() {
    needs_root!();
    let finished = tool("rss", &["-q", "-n", "2", "-i", "100", "--top=3"])
        .run()
        .ok();
    let text = finished.text();
    let samples = text.matches("buff/cache").count();
    assert!((1..=2).contains(&samples), "{finished}");
    for words in [
        "buff/cache",
        "\nMem: ",
        "\nSwap: ",
        "\n    PID COMM ",
        " more\n",
    ] {
        assert_eq!(
            text.matches(words).count(),
            samples,
            "{words} in {finished}"
        );
    }
    let bars = |line: &&str| line.contains(['▁', '█']);
    assert_eq!(text.lines().filter(bars).count(), 3 * samples, "{finished}");
    assert!(!text.contains('\x1b'), "{finished}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{finished}"
    );
    // As free counts it.
    let free = fs::read_to_string("/proc/meminfo").expect("it is there");
    assert!(free.contains("MemAvailable:"));
    tool("rss", &["-i", "50"]).run().refuses(&["100 at least"]);
    tool("rss", &["-q", "-n", "1", "--cgroup=/no such group"])
        .run()
        .refuses(&["there is no cgroup /no such group", "/sys/fs/cgroup"]);
}

#[test]
fn a_live_view_is_drawn_in_place_on_a_terminal() {
    needs_root!();
    let command = format!("{} -q rss -n 3 -i 100 --top=2", support::PFSCRIPT);
    let scratch = Scratch::new("live");
    let log = scratch.path().join("log");
    let finished = Tracer::command("script")
        .args(["-qec", &command, log.to_str().expect("a path")])
        .folder(scratch.path())
        .run()
        .ok();
    let samples = finished.text().matches("buff/cache").count();
    assert!((1..=3).contains(&samples), "{finished}");
    assert_eq!(
        finished.text().matches("\x1b[H").count(),
        samples,
        "{finished}"
    );
    assert_eq!(
        finished.text().matches("\x1b[J").count(),
        samples,
        "{finished}"
    );
}

/// A terminal of 80 columns and 24 lines, by `tmux`, which ends with the value.
struct Terminal(String);

impl Terminal {
    fn run(command: &str) -> Terminal {
        let terminal = Terminal(format!("pfscript-{}", std::process::id()));
        terminal.tmux(&["new-session", "-d", "-x", "80", "-y", "24", command]);
        terminal
    }

    fn tmux(&self, words: &[&str]) -> String {
        let output = std::process::Command::new("tmux")
            .args(["-L", &self.0])
            .args(words)
            .output()
            .expect("tmux is there");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn the_table_stays_in_its_place_on_a_terminal_of_80_columns() {
    needs_root!();
    let terminal = Terminal::run(&format!("{} rss -i 100", support::PFSCRIPT));
    let begun = std::time::Instant::now();
    let shown = loop {
        let shown = terminal.tmux(&["capture-pane", "-p"]);
        // Some samples.
        let is_drawn = |line: &&str| {
            line.matches(['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'])
                .count()
                >= 5
        };
        if shown.lines().filter(is_drawn).count() >= 5 {
            break shown;
        }
        assert!(begun.elapsed() < support::LIMIT, "{shown}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    assert_eq!(shown.matches("buff/cache").count(), 1, "{shown}");
    assert!(
        shown
            .lines()
            .next()
            .is_some_and(|line| line.contains("buff/cache")),
        "{shown}"
    );
    let header = shown.lines().nth(4).expect("there are more");
    assert!(
        header.starts_with("    PID COMM ") && header.contains(" SWAP"),
        "{shown}"
    );
    assert!(
        shown.lines().all(|line| line.chars().count() <= 80),
        "{shown}"
    );
}

#[test]
fn mmaps_says_what_is_mapped_and_how() {
    needs_root!();
    let command = format!("{} 4096", workload("anon2mmap"));
    let finished = tool("mmaps", &["-U", "--least=16384", "-c", &command])
        .run()
        .ok();
    let pid = report(&finished).pid();
    let line = format!(
        "{pid:<7} {:<16} rw-  P-A--- {:>10} {:>10} [anon]\n",
        "anon2mmap", 0, 16384
    );
    assert_eq!(finished.text().matches(&line).count(), 1, "{finished}");
    assert!(finished.text().contains("        main+"), "{finished}");
    let finished = tool("mmaps", &["-c", &command]).run().ok();
    assert!(finished.text().contains(" libc"), "{finished}");
    assert!(finished.text().contains(" r-x  PF---- "), "{finished}");
}

#[test]
fn brkstack_counts_the_bytes_that_the_heap_grows_by() {
    needs_root!();
    let command = format!("{} malloc 8", workload("grows"));
    let finished = tool("brkstack", &["--top=1", "-c", &command]).run().ok();
    let row = finished.text().split("@[").nth(1).expect("a row");
    assert!(row.contains("        by_malloc+"), "{finished}");
    let total = row
        .split(".total = ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let total: u64 = total
        .and_then(|total| total.parse().ok())
        .expect("a number");
    assert!((7 << 20..10 << 20).contains(&total), "{finished}");
}

#[test]
fn shmsnoop_shows_calls_with_their_results() {
    needs_root!();
    let scratch = Scratch::new("shm");
    let program = scratch.compiled(
        "shm",
        "#include <stdio.h>\n#include <sys/shm.h>\n#include <unistd.h>\nint main(void)\n{\n\
         int id = shmget(IPC_PRIVATE, 65536, IPC_CREAT | 0600);\n\
         void *at = shmat(id, 0, 0);\n\
         shmdt(at);\n\
         int done = shmctl(id, IPC_RMID, 0);\n\
         printf(\"pid=%d id=%d at=%lx\\n\", getpid(), id, (unsigned long)at);\n\
         return done || shmdt((void *)4096) == 0;\n}\n",
    );
    let finished = tool("shmsnoop", &["-c", program.to_str().expect("a path")])
        .run()
        .ok();
    let report = report(&finished);
    let (pid, id, at) = (report.pid(), report.get("id"), report.text("at").to_owned());
    let address = format!("0x{at}");
    for (call, result, arguments) in [
        (
            "SHMGET",
            id.to_string(),
            "key: 0x0, size: 65536, flags: 0x380".to_owned(),
        ),
        (
            "SHMAT",
            address.clone(),
            format!("id: {id}, addr: 0x0, flags: 0x0"),
        ),
        ("SHMDT", "0".to_owned(), format!("addr: {address}")),
        (
            "SHMCTL",
            "0".to_owned(),
            format!("id: {id}, cmd: 0, buf: 0x0"),
        ),
        ("SHMDT", "-22".to_owned(), "addr: 0x1000".to_owned()),
    ] {
        let line = format!(
            "{pid:<7} {:<16} {call:<6} {result:<16} {arguments}\n",
            "shm"
        );
        assert!(finished.text().contains(&line), "{line}in {finished}");
    }
}

#[test]
fn kmem_counts_what_the_kernel_allocates_for_a_process() {
    needs_root!();
    let command = format!("{} 500 /dev/null", workload("opens"));
    // What the probes themselves allocate is not counted, and said.
    let finished = tool("kmem", &["-c", &command]).run().ok();
    let rows = finished.text().split("@[\n").skip(1);
    let opens: Vec<&str> = rows.filter(|row| row.contains(", opens]: ")).collect();
    let often = |row: &&&str| row.contains(".count = 50");
    assert!(opens.iter().filter(often).count() >= 1, "{finished}");
    assert!(opens.len() <= 20);
}

#[test]
fn hfaults_counts_transparent_huge_pages() {
    needs_root!();
    let enabled = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    if !enabled.is_ok_and(|text| !text.contains("[never]")) {
        return eprintln!("skip: this kernel has no huge pages");
    }
    let command = format!("{} 4096 --huge", workload("anon2mmap"));
    let finished = tool("hfaults", &["-c", &command]).run().ok();
    let pid = report(&finished).pid();
    let row = format!("@[anon2mmap, {pid}, transparent]: ");
    let count = finished
        .text()
        .split(&row)
        .nth(1)
        .and_then(|rest| rest.lines().next());
    let count: u64 = count.and_then(|count| count.parse().ok()).expect("a row");
    assert!((7..=8).contains(&count), "{finished}");
    let command = format!("{} 4096", workload("anon2mmap"));
    let finished = tool("hfaults", &["-c", &command]).run().ok();
    assert!(!finished.text().contains("anon2mmap,"), "{finished}");
}

#[test]
fn hfaults_counts_pages_of_hugetlb() {
    needs_root!();
    const POOL: &str = "/proc/sys/vm/nr_hugepages";
    let Ok(before) = fs::read_to_string(POOL) else {
        return eprintln!("skip: this kernel has no hugetlb");
    };
    let pages: u64 = before.trim().parse().expect("a number");
    let scratch = Scratch::new("hugetlb");
    let program = scratch.compiled(
        "hugetlb",
        "#include <stdio.h>\n#include <sys/mman.h>\n#include <unistd.h>\nint main(void)\n{\n\
         long size = 2 << 20;\n\
         char *memory = mmap(0, 3 * size, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);\n\
         if (memory == MAP_FAILED) return 1;\n\
         for (int i = 0; i < 3; i++) memory[i * size] = memory[i * size + 4096] = 1;\n\
         printf(\"pid=%d\\n\", getpid());\n\
         return 0;\n}\n",
    );
    fs::write(POOL, (pages + 3).to_string()).expect("root may");
    let words = ["--exit-status", "-c", program.to_str().expect("a path")];
    let finished = tool("hfaults", &words).run();
    fs::write(POOL, before).expect("root may");
    if finished
        .text()
        .lines()
        .all(|line| !line.starts_with("pid="))
    {
        return eprintln!("skip: there is no memory for huge pages");
    }
    let row = format!("@[hugetlb, {}, hugetlb]: 3\n", report(&finished).pid());
    assert!(finished.text().contains(&row), "{finished}");
}

fn started(name: &str, arguments: &[&str]) -> Running {
    tool(name, arguments).start().attached()
}

#[test]
fn drsnoop_and_vmscan_see_a_cgroup_meet_its_limit() {
    needs_root!();
    let Some(group) = Limited::new("reclaim") else {
        return eprintln!("skip: there is no cgroup of memory");
    };
    let scratch = Scratch::new("reclaim");
    let file = scratch.path().join("big");
    let file = file.display();
    // A file on disk of which nothing is in memory: what is read of it is given back without waiting for anything.
    let written = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!(
            "dd if=/dev/zero of='{file}' bs=1M count=96 conv=fsync && dd if='{file}' iflag=nocache count=0"
        ))
        .output();
    assert!(written.is_ok_and(|output| output.status.success()));
    let reclaims = started("drsnoop", &["--name=dd"]);
    let scans = started("vmscan", &[]);
    group.run(&format!("dd if='{file}' of=/dev/null bs=1M"));
    scans.interrupt();
    reclaims.interrupt();
    let (reclaims, scans) = (reclaims.finish().ok(), scans.finish().ok());
    let mut lines = reclaims.text().lines();
    assert_eq!(
        lines.next(),
        Some("TIME     COMM             PID     KIND       LAT(ms)  PAGES")
    );
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    assert!(
        !lines.is_empty() && lines.iter().all(|line| line.contains(" dd ")),
        "{reclaims}"
    );
    let pages = lines
        .iter()
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    assert!(pages.sum::<u64>() > 1000, "{reclaims}");
    assert!(
        lines.iter().any(|line| line.contains(" cgroup ")),
        "{reclaims}"
    );
    assert!(scans.text().contains("@cgroup_reclaim_ns:"), "{scans}");
}

#[test]
fn oomkill_says_who_was_killed_and_what_it_had() {
    needs_root!();
    let Some(group) = Limited::new("oom") else {
        return eprintln!("skip: there is no cgroup of memory");
    };
    let killed = started("oomkill", &[]);
    group.run(&format!("exec {} 20000", workload("anon2mmap")));
    let killed = killed.printed("loadavg: ");
    killed.interrupt();
    let killed = killed.finish().ok();
    assert!(
        killed.text().contains("(\"anon2mmap\"), OOM kill of PID "),
        "{killed}"
    );
    let anon = killed
        .text()
        .split("resident: anon ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let anon: u64 = anon.and_then(|anon| anon.parse().ok()).expect("a number");
    assert!((28 << 10..=33 << 10).contains(&anon), "{killed}");
}

#[test]
fn swapin_runs_where_nothing_is_swapped() {
    needs_root!();
    let swapped = started("swapin", &[]);
    // A time of day: a second has passed.
    let swapped = swapped.printed(":");
    swapped.interrupt();
    assert!(!swapped.finish().ok().text().contains("@before"));
}
