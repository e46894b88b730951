//! One program for many attach points, on this kernel: names, arguments and counts are those of the point that was hit.

mod support;

use pfscript_testkit::needs_root;
use support::{Tracer, rows};

/// Calls `getppid` 300 and `getuid` 200 times and opens files 50 times by each of three system calls; by names that nobody else
/// spells so.
const CALLS: &str = "
import ctypes, os, platform
libc = ctypes.CDLL(None)
for _ in range(300): libc.getppid()
for _ in range(200): libc.getuid()
for _ in range(50):
    os.close(os.open('/dev//null', os.O_RDONLY))
    os.stat('/dev//zero')
    if platform.machine() == 'x86_64':
        os.close(libc.syscall(2, b'/dev//full', 0))
";

fn has_cookies() -> bool {
    use pfscript::compiler::facts::KernelFacts as _;
    let facts = pfscript::runtime::facts::LiveFacts::new();
    facts.has(pfscript::probes::Feature::AttachCookie)
}

/// What a script says of the calls: its output, and the lines of `-v` that name tracepoint programs.
fn trace(script: &str) -> (String, Vec<String>) {
    let scratch = support::Scratch::new("sites");
    let file = scratch.file("calls.py", CALLS);
    let command = format!("python3 {}", file.display());
    let finished = Tracer::script(script).args(["-v", "-c", &command]).run();
    let finished = finished.expect(0);
    let programs = String::from_utf8_lossy(&finished.err)
        .lines()
        .filter(|line| line.contains("Tracepoint program"))
        .map(str::to_owned)
        .collect();
    (
        String::from_utf8_lossy(&finished.out).into_owned(),
        programs,
    )
}

fn count(rows: &[(String, i64)], key: &str) -> i64 {
    let row = rows.iter().find(|(name, _)| name == key);
    row.map_or(0, |(_, count)| *count)
}

#[test]
fn one_program_counts_many_tracepoints_under_their_own_names() {
    needs_root!();
    let (out, programs) = trace(
        "tracepoint:syscalls:sys_enter_get* /pid == cpid/ { @shared[probe] = count(); }
        tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { @ppid[probe] = count(); }
        tracepoint:syscalls:sys_enter_getuid /pid == cpid/ { @uid[probe] = count(); }",
    );
    let shared = rows(&out, "shared");
    let name = |call: &str| format!("tracepoint:syscalls:sys_enter_{call}");
    // Each call is counted twice: by the shared program, and by one of its own.
    for (call, alone, least) in [("getppid", "ppid", 300), ("getuid", "uid", 200)] {
        let counted = count(&shared, &name(call));
        assert!(counted >= least, "{out}");
        assert_eq!(count(&rows(&out, alone), &name(call)), counted, "{out}");
    }
    if has_cookies() {
        assert_eq!(programs.len(), 3, "{programs:?}");
    }
}

#[test]
fn arguments_are_read_where_each_tracepoint_has_them() {
    needs_root!();
    // `openat` and `newfstatat` have their file names at the same place, `open` at another.
    let mut calls = vec![("openat", "/dev//null"), ("newfstatat", "/dev//zero")];
    if cfg!(target_arch = "x86_64") {
        calls.push(("open", "/dev//full"));
    }
    let sites = calls
        .iter()
        .map(|(call, _)| format!("tracepoint:syscalls:sys_enter_{call}"))
        .collect::<Vec<_>>()
        .join(", ");
    let script = format!("{sites} /pid == cpid/ {{ @[probe, str(args.filename)] = count(); }}");
    let (out, programs) = trace(&script);
    let rows = rows(&out, "");
    for (call, file) in calls {
        let key = format!("tracepoint:syscalls:sys_enter_{call}, {file}");
        assert_eq!(count(&rows, &key), 50, "{out}");
    }
    if has_cookies() && cfg!(target_arch = "x86_64") {
        assert_eq!(programs.len(), 2, "{programs:?}");
    }
}
