//! Page faults by user stack: the main job, counted against what the workloads really did.

mod support;

use pfscript_testkit::needs_root;
use support::stacks::{self, Row, total};
use support::{Finished, Report, Scratch, Tracer, Workload, faults_so_far, workload};

const ONE_LINER: &str = "software:page-faults:1 { @[ustack, pid, comm] = count(); }";

/// Runs the one-liner on a command.
fn trace(command: &str) -> Finished {
    Tracer::new(["-e", ONE_LINER, "-c", command]).run()
}

/// The workload's report and the rows of the one-liner's output.
#[track_caller]
fn rows_of(finished: &Finished) -> (Report, Vec<Row>) {
    let (report, rest) = finished.split_report();
    (report, stacks::parse(&rest))
}

/// The rows of one process.
fn of_process(rows: &[Row], pid: u32) -> Vec<&Row> {
    rows.iter().filter(|row| row.pid == pid).collect()
}

#[test]
fn each_touched_page_counts_in_the_stack_that_touched_it() {
    needs_root!();
    let command = format!("{} 4096", workload("anon2mmap"));
    let finished = trace(&command).lossless();
    let first = finished.messages().lines().next();
    assert_eq!(first, Some("Attached 1 probe"), "{finished}");
    let (report, rows) = rows_of(&finished);
    assert_eq!(report.faults(), 4096);
    let last = rows.last().expect("there are rows");
    // The loop is one instruction that faults; its row has these faults and no others.
    assert_eq!(last.count, 4096, "{rows:#?}");
    assert!(last.is_in("main"), "{last:?}");
    // Below it is the C library's start, which has a name if the library's symbols are there.
    let start = last.frames.get(1).expect("main has a caller");
    assert!(
        start.starts_with("__libc_start") || start.starts_with("[libc"),
        "{last:?}"
    );
    assert!(
        rows.iter()
            .all(|row| row.pid == report.pid() && row.comm == "anon2mmap"),
        "{rows:#?}"
    );
}

/// The kernel counts page faults twice. The event `software:page-faults` fires for each fault that a process takes. The
/// resource usage also counts what the kernel faults in on the process's behalf, without an exception: at exec, the
/// pages that get the strings of arguments and environment (`get_user_pages_remote` in `fs/exec.c`). An environment that
/// is empty and short arguments fit one page.
const PAGES_OF_EXEC: u64 = 1;

#[test]
fn the_sum_of_counts_is_the_kernels_own_count_of_the_command() {
    needs_root!();
    let command = format!("{} {} 300", workload("counted"), workload("anon2mmap"));
    let finished = Tracer::new(["-e", ONE_LINER, "-c", &command])
        .run()
        .lossless();
    let counted = finished
        .text()
        .lines()
        .find(|line| line.starts_with("counted="))
        .expect("it reports");
    let counted = counted.to_owned();
    let text = finished.text().replacen(&format!("{counted}\n"), "", 1);
    let (report, rows) = rows_of(&Finished {
        out: text.into_bytes(),
        ..finished
    });
    let counted = Report::parse(&counted);
    let rows = of_process(&rows, counted.get("counted") as u32);
    let after_exec = total(rows.iter().copied().filter(|row| row.comm == "anon2mmap"));
    assert_eq!(after_exec, counted.get("events"));
    // With what the child did between fork and exec it is the usage of its whole life.
    assert_eq!(
        total(rows.iter().copied()) + PAGES_OF_EXEC,
        counted.get("usage"),
        "{rows:#?}"
    );
    // And the workload saw at its end all but the faults of exec's page and of its exit.
    assert!(report.get("total") <= counted.get("usage"));
    assert!(after_exec >= 300);
}

#[test]
fn a_process_given_by_pid_is_counted_from_attaching_to_its_end() {
    needs_root!();
    let mut workload = Workload::start("waits", &["500"]);
    let pid = workload.pid();
    assert_eq!(Report::parse(&workload.line()).pid(), pid);
    workload.waits();
    let before = faults_so_far(pid);
    let tracer = Tracer::new(["-e", ONE_LINER, "-p", &pid.to_string()])
        .start()
        .attached();
    workload.go();
    let (_, faults) = workload.end();
    // It ends by itself, since the process does; its names are looked up when the process is gone.
    let finished = tracer.finish().lossless();
    let rows = stacks::parse(finished.text());
    assert_eq!(total(&rows), faults - before, "{rows:#?}");
    assert!(
        rows.iter().all(|row| row.pid == pid && row.comm == "waits"),
        "{rows:#?}"
    );
    stacks::assert_last(&rows, 500, &["touch", "main"]);
}

#[test]
fn without_a_target_everything_is_traced_until_ctrl_c() {
    needs_root!();
    let tracer = Tracer::script(ONE_LINER).own_group().start().attached();
    let mut workload = Workload::start("waits", &["700"]);
    let pid = workload.pid();
    workload.line();
    workload.go();
    let (_, faults) = workload.end();
    tracer.signal_group(libc::SIGINT);
    let finished = tracer.finish().ok();
    let rows = stacks::parse(finished.text());
    let rows = of_process(&rows, pid);
    // All of its life, from the fork on.
    assert_eq!(
        total(rows.iter().copied()) + PAGES_OF_EXEC,
        faults,
        "{rows:#?}"
    );
    let touch: Vec<_> = rows.iter().filter(|row| row.is_in("touch")).collect();
    assert_eq!(
        touch.iter().map(|row| row.count).max(),
        Some(700),
        "{rows:#?}"
    );
}

#[test]
fn sigterm_ends_tracing_as_ctrl_c_does() {
    needs_root!();
    let tracer = Tracer::script("BEGIN { @ = 7; } END { printf(\"end\\n\"); }")
        .start()
        .attached();
    tracer.signal(libc::SIGTERM);
    assert_eq!(tracer.finish().ok().text(), "end\n\n\n@: 7\n");
}

#[test]
fn forked_children_of_a_command_are_counted() {
    needs_root!();
    let command = format!("{} 5 200", workload("nproc_faults"));
    let finished = trace(&command).lossless();
    let (report, rows) = rows_of(&finished);
    let children: Vec<u32> = report
        .text("pids")
        .split(',')
        .map(|pid| pid.parse().expect("a pid"))
        .collect();
    assert_eq!(children.len(), 5);
    let mut all = 0;
    for child in children {
        let rows = of_process(&rows, child);
        let loops: Vec<_> = rows
            .iter()
            .filter(|row| row.is_in("child") && row.count >= 200)
            .collect();
        assert_eq!(loops.len(), 1, "{rows:#?}");
        assert_eq!(loops[0].count, 200);
        all += total(rows.iter().copied());
    }
    // The children's usage, from fork to end; they execute nothing, so nothing is faulted in for them.
    assert_eq!(all, report.faults(), "{rows:#?}");
}

#[test]
fn threads_are_counted_under_their_own_names() {
    needs_root!();
    let command = format!("{} 4 150", workload("threads"));
    let finished = trace(&command).lossless();
    let (report, rows) = rows_of(&finished);
    let mut loops = 0;
    for thread in 0..4 {
        let name = format!("worker{thread}");
        let row = rows
            .iter()
            .filter(|row| row.comm == name && row.is_in("worker"))
            .max_by_key(|row| row.count);
        let row = row.unwrap_or_else(|| panic!("no row of {name}: {rows:#?}"));
        assert_eq!((row.count, row.pid), (150, report.pid()));
        loops += row.count;
    }
    assert_eq!(loops, report.faults());
}

#[test]
fn a_deep_stack_is_walked_to_its_end() {
    needs_root!();
    for depth in [100, 600] {
        let command = format!("{} {depth} 50", workload("deepstack"));
        let finished = trace(&command).lossless();
        let (_, rows) = rows_of(&finished);
        let last = rows.last().expect("there are rows");
        assert_eq!(last.count, 50);
        let functions: Vec<&str> = (0..last.frames.len())
            .map(|frame| last.function(frame))
            .collect();
        assert!(functions[..depth].iter().all(|name| *name == "descend"));
        assert_eq!(functions[depth], "main");
    }
}

#[test]
fn a_stack_that_is_too_deep_is_cut_and_reported() {
    needs_root!();
    let command = format!("{} 3000 50", workload("deepstack"));
    let finished = trace(&command).ok();
    let (_, rows) = rows_of(&finished);
    let last = rows.last().expect("there are rows");
    // The kernel has memory ready for some ten new pieces of stacks, so that the first of these events may have less.
    let short = finished.lost("could not allocate");
    assert!((50 - short..=50).contains(&last.count), "{finished}");
    assert_eq!(last.frames.len(), 2048);
    let deep = |row: &&Row| row.frames.len() == 2048;
    let cut = rows.iter().filter(deep);
    assert_eq!(finished.lost("after 2048 frames"), total(cut), "{finished}");
}

#[test]
fn a_depth_that_the_script_chose_cuts_without_a_loss() {
    needs_root!();
    let command = format!("{} 100 50", workload("deepstack"));
    let script = "software:page-faults:1 { @[ustack(3), pid, comm] = count(); }";
    let finished = Tracer::new(["-e", script, "-c", &command]).run().lossless();
    let (_, rows) = rows_of(&finished);
    let last = rows.last().expect("there are rows");
    let functions: Vec<&str> = (0..last.frames.len())
        .map(|frame| last.function(frame))
        .collect();
    assert_eq!((last.count, functions), (50, vec!["descend"; 3]));
}

#[test]
fn two_programs_of_one_process_have_their_own_names() {
    needs_root!();
    let command = format!("{} 120 {} 130", workload("relay"), workload("anon2mmap"));
    let finished = trace(&command).lossless();
    let (report, rows) = rows_of(&finished);
    let rows = of_process(&rows, report.pid());
    let count = |comm: &str, function: &str| {
        rows.iter()
            .filter(|row| row.comm == comm && row.is_in(function))
            .map(|row| row.count)
            .max()
    };
    assert_eq!(count("relay", "baton"), Some(120), "{rows:#?}");
    assert_eq!(count("anon2mmap", "main"), Some(130), "{rows:#?}");
}

/// Runs a program that is deleted as soon as it has ended: how many faults it had in `main`, and in how many files names were
/// lost. A tracer that has the processor too late, on a busy machine, finds the file gone, and must say so.
fn faults_of_a_deleted_program() -> (Option<u64>, u64) {
    let scratch = Scratch::new("deleted");
    let program = scratch.path().join("shortlived");
    support::copy_program(workload("anon2mmap"), &program);
    let script = scratch.file(
        "run",
        format!("#!/bin/sh\n'{0}' 90 &\nwait\nrm '{0}'\n", program.display()),
    );
    let finished = Tracer::new(["-e", ONE_LINER, "-c", &format!("sh '{}'", script.display())])
        .run()
        .ok();
    assert!(!program.exists());
    let (report, rows) = rows_of(&finished);
    let rows = of_process(&rows, report.pid());
    let main = rows.iter().filter(|row| row.is_in("main"));
    let (named, lost) = (main.map(|row| row.count).max(), finished.lost(" names: "));
    assert!(named.is_some() || lost > 0, "{finished}");
    (named, lost)
}

#[test]
fn a_program_that_was_deleted_while_it_ran_keeps_its_names_or_they_are_counted() {
    needs_root!();
    const ATTEMPTS: usize = 20;
    let named = (0..ATTEMPTS).find_map(|_| match faults_of_a_deleted_program() {
        (named, 0) => named,
        _ => None,
    });
    assert_eq!(named, Some(90));
}

#[test]
fn a_library_that_is_opened_and_closed_again_keeps_its_names() {
    needs_root!();
    let scratch = Scratch::new("library");
    let object = scratch.compiled(
        "libtouched.so",
        "#include <sys/mman.h>\nvoid touched(volatile char *memory, long pages)\n\
         { for (long i = 0; i < pages; i++) memory[i * 4096] = 1; }\n",
    );
    let program = scratch.compiled(
        "opener",
        "#include <dlfcn.h>\n#include <stdio.h>\n#include <sys/mman.h>\n#include <unistd.h>\n\
         int main(int argc, char **argv)\n{\n\
         (void)argc;\n\
         char *memory = mmap(NULL, 80 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n\
         madvise(memory, 80 * 4096, MADV_NOHUGEPAGE);\n\
         void *library = dlopen(argv[1], RTLD_NOW);\n\
         if (!library) return 1;\n\
         void (*touched)(volatile char *, long) = (void (*)(volatile char *, long))dlsym(library, \"touched\");\n\
         touched(memory, 80);\n\
         if (dlclose(library)) return 1;\n\
         printf(\"pid=%d pages=80\\n\", getpid());\n\
         return 0;\n}\n",
    );
    let command = format!("'{}' '{}'", program.display(), object.display());
    let finished = Tracer::new(["-e", ONE_LINER, "-c", &command])
        .run()
        .lossless();
    let (_, rows) = rows_of(&finished);
    stacks::assert_last(&rows, 80, &["touched", "main"]);
}

#[test]
fn the_commands_output_passes_through_and_its_status_is_not_ours() {
    needs_root!();
    let command = "sh -c 'echo to-output; echo to-errors >&2; exit 9'";
    let finished = Tracer::new(["-q", "-e", "BEGIN { @ = 1; }", "-c", command])
        .run()
        .ok();
    assert_eq!(finished.text(), "to-output\n\n\n@: 1\n");
    assert_eq!(finished.messages(), "to-errors\n");
}

#[test]
fn the_command_sees_its_arguments_as_quoted() {
    needs_root!();
    let command = r#"printf '%s|' one 'two words' "it's" back\ slash "#;
    let finished = Tracer::new(["-q", "-e", "BEGIN { }", "-c", command])
        .run()
        .ok();
    assert_eq!(finished.text(), "one|two words|it's|back slash|\n\n");
}
