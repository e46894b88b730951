//! User stacks are whole: from the event to the start of the thread, in code that keeps no frame pointers.
//!
//! The programs are built here without frame pointers, and each has a stack that is known: names and order are compared, to the end.

mod support;

use pfscript_testkit::needs_root;
use std::path::{Path, PathBuf};
use support::frameless::{COMMON, STOCK, stacks};
use support::{Scratch, Tracer, Workload};

/// Traces `mark` of a program, and compares each stack up to `main` or the thread's function, and that it goes on from there to the
/// start of the thread.
#[track_caller]
fn has_stacks(name: &str, text: &str, flags: &[&str], expected: &[&str]) {
    let scratch = Scratch::new(name);
    let flags: Vec<&str> = STOCK.iter().chain(flags).copied().collect();
    let program = scratch.compiled_with(name, format!("{COMMON}{text}"), &flags);
    let script = "uprobe:PROGRAM:mark { print(ustack); }";
    let found = stacks(script, &program, name);
    let begins = |(stack, expected): (&String, &&str)| {
        let rest = stack.strip_prefix(expected).unwrap_or_default();
        // The C library's start of a program, or of a thread.
        rest.ends_with(";_start") || rest.contains(";start_thread;") || rest.ends_with("clone3")
    };
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(begins),
        "{name}: {found:#?}, expected {expected:#?}"
    );
}

#[test]
fn functions_without_frame_pointers() {
    needs_root!();
    has_stacks(
        "plain",
        r"
APART int inner(int n) { int many[40]; memset(many, n, sizeof many); mark(many[n & 31]); return many[3]; }
APART int middle(int n) { return inner(n) + n; }
APART int outer(int n) { char *some = alloca(n * 16 + 8); some[n] = 1; return middle(n) + some[n]; }
int main(void) { return outer(5) & 1 ? 0 : 0; }
",
        &[],
        &["mark;inner;middle;outer;main"],
    );
}

#[test]
fn functions_of_each_kind_of_frame() {
    needs_root!();
    // One whose stack is aligned anew, one of the size of many pages, one that never returns, and one that is called by the C library.
    has_stacks(
        "frames",
        r"
static jmp_buf back;
APART int aligned(int n) { int many[16] __attribute__((aligned(256))); many[n & 15] = n; sink += (long)many & 255; mark(many[n & 15]); return many[2]; }
APART int large(int n) { char many[100000]; memset(many, n, sizeof many); mark(many[n]); return many[7]; }
APART __attribute__((noreturn)) void never(int n) { mark(n); longjmp(back, 1); }
static int compare(const void *a, const void *b) { mark(1); return *(int *)a - *(int *)b; }
APART int tail(int n) { if (!setjmp(back)) never(n); return n; }
int main(void) {
    int two[2] = { 2, 1 };
    aligned(3); large(4); tail(5);
    qsort(two, 2, sizeof(int), compare);
    return 0;
}
",
        &["-mno-red-zone"],
        &[
            "mark;aligned;main",
            "mark;large;main",
            "mark;never;tail;main",
            "mark;compare;",
        ],
    );
}

#[test]
fn a_program_of_32_bits_is_walked_by_its_frame_pointers() {
    needs_root!();
    let scratch = Scratch::new("narrow");
    // Without the C library, which need not be there for 32 bits.
    let text = r#"
#define APART __attribute__((noinline, noclone))
static volatile char pages[64][4096];
APART void inner(int first) { for (int i = 0; i < 16; i++) pages[first + i][0] = 1; }
APART void outer(int first) { inner(first); __asm__ volatile("" ::: "memory"); }
APART void other(int first) { inner(first); __asm__ volatile("nop" ::: "memory"); }
APART int deep(int n) {
    int more = 0;
    if (n) more = deep(n - 1); else for (int i = 32; i < 48; i++) pages[i][0] = 1;
    __asm__ volatile("" ::: "memory");
    return more + 1;
}
void run(void) { outer(0); other(16); deep(200); __asm__ volatile("" ::: "memory"); }
__asm__(".globl _start\n.type _start, @function\n_start: call run\nmov $1, %eax\nxor %ebx, %ebx\nint $0x80\n.size _start, . - _start");
"#;
    let flags = [
        "-m32",
        "-O1",
        "-fno-omit-frame-pointer",
        "-static",
        "-nostdlib",
        "-fno-pic",
        "-no-pie",
    ];
    let program = scratch.compiled_with("narrow", text, &flags);
    let script = "software:page-faults:1 { @[ustack] = count(); }";
    let command = format!("'{}'", program.display());
    let finished = Tracer::new(["-e", script, "-c", &command]).run().lossless();
    let mut found = Vec::new();
    for row in finished.text().split("@[").skip(1) {
        let (stack, count) = row.split_once("]: ").expect("a count");
        let stack = functions(stack);
        // The program's own beginning faults, too.
        if stack.starts_with("inner") {
            found.push((stack, count.trim().to_owned()));
        }
    }
    found.sort();
    let expected = [
        ("inner;other;run;_start", "16"),
        ("inner;outer;run;_start", "16"),
    ];
    assert!(
        found
            .iter()
            .map(|(stack, count)| (&stack[..], &count[..]))
            .eq(expected),
        "{finished}"
    );
    // The kernel's own walk has less room.
    let cut = " stacks of software:page-faults:1 end before the start of the thread";
    assert!(finished.messages().contains(cut), "{finished}");
}

#[test]
fn a_signal_handler_on_either_stack() {
    needs_root!();
    has_stacks(
        "signals",
        r"
static void handler(int number) { mark(number); }
APART int raises(int n) { volatile int many[10]; many[n] = 1; raise(SIGUSR1); return many[n]; }
int main(void) {
    static char other[1 << 16];
    stack_t stack = { .ss_sp = other, .ss_size = sizeof other };
    struct sigaction action = { .sa_handler = handler };
    sigaction(SIGUSR1, &action, NULL);
    raises(3);
    sigaltstack(&stack, NULL);
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &action, NULL);
    raises(4);
    return 0;
}
",
        &[],
        &["mark;handler;", "mark;handler;"],
    );
}

#[test]
fn what_a_signal_interrupted_comes_behind_its_handler() {
    needs_root!();
    let scratch = Scratch::new("interrupted");
    let text = format!(
        "{COMMON}{}",
        r"
static void handler(int number) { mark(number); exit(0); }
APART void faults(volatile int *nowhere) { *nowhere = 1; }
APART void outer(void) { volatile int many[20]; many[3] = 1; faults(NULL); sink += many[3]; }
int main(void) { signal(SIGSEGV, handler); outer(); return 1; }
"
    );
    let program = scratch.compiled_with("interrupted", text, STOCK);
    let found = stacks(
        "uprobe:PROGRAM:mark { print(ustack); }",
        &program,
        "interrupted",
    );
    let expected = ["mark;handler;", ";faults;outer;main;", ";_start"];
    let ordered = expected.iter().try_fold(found[0].as_str(), |rest, part| {
        rest.split_once(part).map(|(_, rest)| rest)
    });
    assert!(found.len() == 1 && ordered.is_some(), "{found:#?}");
}

#[test]
fn threads_end_where_they_began() {
    needs_root!();
    has_stacks(
        "threads",
        r"
APART void *work(void *n) { char many[200]; memset(many, 1, sizeof many); mark(many[(long)n]); return NULL; }
int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, work, (void *)3);
    pthread_join(thread, NULL);
    return 0;
}
",
        &[],
        &["mark;work"],
    );
}

#[test]
fn code_that_a_runtime_made_is_followed_by_its_frame_pointers() {
    needs_root!();
    let scratch = Scratch::new("generated");
    // One function jumps to the other, which comes back to an address that it pushed itself, as interpreters do.
    let text = format!(
        "{COMMON}{}",
        r"
APART void called(void) { volatile int many[10]; many[2] = 1; mark(many[2]); sink += many[2]; }
int main(void) {
    static const unsigned char code[] = {
        0x55, 0x48, 0x89, 0xe5,             /* push rbp; mov rbp, rsp */
        0x48, 0x83, 0xec, 0x20,             /* sub rsp, 32 */
        0x48, 0x8d, 0x05, 3, 0, 0, 0, 0x50, /* lea rax, [rip + 3]; push rax */
        0xff, 0xe6,                         /* jmp rsi */
        0xc9, 0xc3,                         /* leave; ret */
        0x55, 0x48, 0x89, 0xe5,             /* push rbp; mov rbp, rsp */
        0x48, 0x83, 0xec, 0x20,             /* sub rsp, 32 */
        0xff, 0xd7,                         /* call rdi */
        0xc9, 0xc3,                         /* leave; ret */
    };
    char *made = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(made, code, sizeof code);
    ((void (*)(void (*)(void), void *))made)(called, made + 20);
    return 0;
}
"
    );
    let program = scratch.compiled_with("generated", text, STOCK);
    let found = stacks(
        "uprobe:PROGRAM:mark { print(ustack); }",
        &program,
        "generated",
    );
    let frames: Vec<&str> = found[0].split(';').collect();
    assert_eq!(frames[..2], ["mark", "called"], "{found:#?}");
    let made: Vec<bool> = frames[2..5]
        .iter()
        .map(|frame| frame.starts_with("[anon"))
        .collect();
    assert_eq!(made, [true, true, false], "{found:#?}");
    assert_eq!(frames[4], "main", "{found:#?}");
    assert_eq!(frames.last(), Some(&"_start"), "{found:#?}");
}

#[test]
fn a_pending_return_probe_does_not_end_a_stack() {
    needs_root!();
    let scratch = Scratch::new("pending");
    let text = format!(
        "{COMMON}{}",
        r"
APART int inner(int n) { volatile int many[9]; many[n] = 1; mark(n); return many[n]; }
APART int outer(int n) { volatile int many[30]; many[n] = 1; return inner(n) + many[n]; }
int main(void) { return outer(3) == 2 ? 0 : 1; }
"
    );
    let program = scratch.compiled_with("pending", text, STOCK);
    let script = "uretprobe:PROGRAM:inner { @++ } uretprobe:PROGRAM:outer { @++ } uprobe:PROGRAM:mark { print(ustack); } \
                  END { clear(@) }";
    let found = stacks(script, &program, "pending");
    assert!(found[0].starts_with("mark;inner;outer;main;"), "{found:#?}");
    assert!(found[0].ends_with(";_start"), "{found:#?}");
}

#[test]
fn libraries_and_those_loaded_later() {
    needs_root!();
    let scratch = Scratch::new("libraries");
    let library = |name: &str, next: &str| {
        let text = format!(
            "void {next}(int); void {name}(int n) {{ volatile int many[12]; many[3] = n; {next}(n + 1); many[4] = n; }}\n"
        );
        let flags = [STOCK, &["-shared", "-fPIC", "-Wno-unused-but-set-variable"]].concat();
        scratch.compiled_with(&format!("lib{name}.so"), text, &flags)
    };
    let first = library("first", "second");
    let second = library("second", "third");
    let late = library("late", "last");
    let text = format!(
        "{COMMON}#include <dlfcn.h>\n{}",
        r#"
void first(int);
void third(int n) { mark(n); }
void last(int n) { mark(n); }
int main(int argc, char **argv) {
    first(argc);
    void *library = dlopen(LATE, RTLD_NOW);
    void (*late)(int) = (void (*)(int))dlsym(library, "late");
    /* Its table is there a moment later. */
    for (int i = 0; i < 50; i++) { usleep(20000); late(argc); }
    (void)argv;
    return 0;
}
"#
    );
    let late = format!("-DLATE=\"{}\"", late.display());
    let folder = format!("-Wl,-rpath,{}", scratch.path().display());
    let (first, second) = (first.to_str().unwrap(), second.to_str().unwrap());
    let flags = [
        STOCK,
        &[
            "-rdynamic",
            "-Wl,--no-as-needed",
            &late,
            first,
            second,
            &folder,
            "-ldl",
        ],
    ]
    .concat();
    let program = scratch.compiled_with("libraries", text, &flags);
    let script = "uprobe:PROGRAM:mark { @[ustack] = count(); }";
    let script = script.replace("PROGRAM", program.to_str().unwrap());
    let command = format!("'{}'", program.display());
    let finished = Tracer::new(["-q", "-e", &script, "-c", &command])
        .run()
        .lossless();
    let functions: String = finished
        .text()
        .lines()
        .map(|line| line.trim().split('+').next().unwrap_or_default().to_owned() + ";")
        .collect();
    for stack in ["mark;third;second;first;main;", "mark;last;late;main;"] {
        let (_, rest) = functions
            .split_once(stack)
            .unwrap_or_else(|| panic!("{stack}: {finished}"));
        let (rest, _) = rest.split_once(']').expect("it ends");
        assert!(rest.ends_with("_start;"), "{stack}: {finished}");
    }
}

#[test]
fn a_running_process_has_whole_stacks_from_its_first_event_on() {
    needs_root!();
    let mut workload = Workload::start("waits", &["50"]);
    let script = "software:page-faults:1 { @[ustack] = count(); }";
    let pid = workload.pid().to_string();
    let tracer = Tracer::new(["-e", script, "-p", &pid]).start().attached();
    workload.go();
    workload.end();
    let finished = tracer.finish().lossless();
    assert!(
        !finished.messages().contains("before the start"),
        "{finished}"
    );
    assert!(!finished.messages().contains("may lack"), "{finished}");
    let ends = finished.text().matches("_start+").count();
    let stacks = finished.text().matches("@[").count();
    assert!(stacks > 0 && ends == stacks, "{finished}");
}

/// The first page faults of a program are in the dynamic linker, before anything of the program runs.
#[test]
fn a_command_has_whole_stacks_from_its_first_instruction_on() {
    needs_root!();
    let script = "software:page-faults:1 { @[ustack] = count(); }";
    let finished = Tracer::new(["-e", script, "-c", "/bin/true"])
        .run()
        .lossless();
    assert!(!finished.messages().contains("may lack"), "{finished}");
    assert!(finished.text().contains("_dl_start+"), "{finished}");
}

#[test]
fn the_method_can_be_chosen() {
    needs_root!();
    let scratch = Scratch::new("method");
    let text = format!(
        "{COMMON}{}",
        r"
APART int inner(int n) { volatile int many[9]; many[n] = 1; mark(n); return many[n]; }
int main(void) { return inner(3) ? 0 : 1; }
"
    );
    let program = scratch.compiled_with("method", text, STOCK);
    let script = "uprobe:PROGRAM:mark { printf(\"%s|%s\", ustack(fp), ustack(dwarf)); }";
    let script = script.replace("PROGRAM", program.to_str().unwrap());
    let command = format!("'{}'", program.display());
    let finished = Tracer::new(["-q", "-e", &script, "-c", &command])
        .run()
        .ok();
    let (by_frame_pointers, by_tables) = finished.text().split_once('|').expect("both are there");
    assert!(!by_frame_pointers.contains("inner"), "{finished}");
    assert!(
        by_tables.contains("inner") && by_tables.contains("_start"),
        "{finished}"
    );
}

/// A program through two libraries that nobody has seen before. `mark` is called by turns from two places, as often as the first
/// argument says, and each time the stack holds other addresses.
fn unseen(scratch: &Scratch) -> PathBuf {
    let library = |name: &str, next: &str| {
        let text = format!(
            "#include <stdlib.h>\n#include <string.h>\nvoid {next}(int);\n\
             void {name}(int n) {{ void *volatile some = malloc(100 + n % 50); char many[2000]; memset(many, n, 2000); \
             {next}(n); many[n & 7] = *(char *volatile)(many + 3); if (n % 3) free(some); }}\n"
        );
        let flags = [STOCK, &["-shared", "-fPIC", "-Wno-unused-but-set-variable"]];
        scratch.compiled_with(&format!("lib{name}.so"), text, &flags.concat())
    };
    let (near, far) = (library("near", "last"), library("far", "near"));
    let text = format!(
        "{COMMON}{}",
        r"
void far(int);
void last(int n) { mark(n); }
APART void odd(int n) { far(n); sink += n; }
APART void even(int n) { char *some = alloca(n * 16 + 8); some[n] = 1; far(n); sink += some[n]; }
int main(int argc, char **argv) {
    for (int i = 0; i < atoi(argv[argc - 1]); i++) (i & 1 ? odd : even)(i);
    return 0;
}
"
    );
    let folder = format!("-Wl,-rpath,{}", scratch.path().display());
    let (near, far) = (near.to_str().unwrap(), far.to_str().unwrap());
    let linked = ["-rdynamic", "-Wl,--no-as-needed", far, near, &folder];
    scratch.compiled_with("unseen", text, &[STOCK, &linked].concat())
}

/// Traces all processes by a script, and runs a program once that is so.
fn started_later(script: &str, program: &Path, arguments: &[&str]) -> support::Finished {
    let script = script.replace("PROGRAM", program.to_str().expect("UTF-8"));
    let tracer = Tracer::script(&script).start().attached();
    let status = std::process::Command::new(program).args(arguments).status();
    assert!(status.expect("it runs").success());
    tracer.interrupt();
    tracer.finish().lossless()
}

/// The functions of a stack as it is printed, without offsets.
fn functions(stack: &str) -> String {
    let frames = stack.lines().map(str::trim).filter(|line| !line.is_empty());
    let functions = frames.map(|frame| frame.split('+').next().unwrap_or(frame));
    functions.collect::<Vec<_>>().join(";")
}

const UNSEEN: [&str; 2] = [
    "mark;last;near;far;even;main;__libc_start_call_main;__libc_start_main;_start",
    "mark;last;near;far;odd;main;__libc_start_call_main;__libc_start_main;_start",
];

#[test]
fn programs_that_start_later_have_whole_stacks_from_their_first_event_on() {
    needs_root!();
    let scratch = Scratch::new("later");
    let program = unseen(&scratch);
    let script = "uprobe:PROGRAM:mark { @[ustack, comm] = count(); @at[1, ustack] = max(arg0); }";
    let finished = started_later(script, &program, &["400"]);
    assert!(!finished.messages().contains("note:"), "{finished}");
    // However many different stacks there were, each place has one row, and all of its events.
    let mut rows: Vec<(String, &str)> = finished
        .text()
        .split("\n@")
        .filter_map(|row| row.split_once('[')?.1.split_once("]: "))
        .map(|(key, value)| (functions(&key.replace(", unseen", "")), value.trim()))
        .collect();
    rows.sort();
    let [even, odd] = UNSEEN.map(str::to_owned);
    let expected = [
        (format!("1,;{even}"), "398"),
        (format!("1,;{odd}"), "399"),
        (even, "200"),
        (odd, "200"),
    ];
    let rows: Vec<_> = rows
        .iter()
        .map(|(stack, value)| (stack.clone(), *value))
        .collect();
    assert_eq!(rows, expected, "{finished}");
}

#[test]
fn stacks_that_are_printed_one_by_one_are_whole_too() {
    needs_root!();
    let scratch = Scratch::new("printed");
    let program = unseen(&scratch);
    let script = r#"uprobe:PROGRAM:mark /arg0 == 0/ { @first = ustack; printf("%s|", ustack); }
                     uprobe:PROGRAM:mark /arg0 == 1/ { print(ustack(5)); }"#;
    let finished = started_later(script, &program, &["2"]);
    assert!(!finished.messages().contains("note:"), "{finished}");
    let [even, odd] = UNSEEN;
    let (first, rest) = finished.text().split_once('|').expect("both are there");
    let (second, kept) = rest.split_once("@first:").expect("it is kept");
    assert_eq!(functions(first), even, "{finished}");
    assert_eq!(
        functions(second),
        odd.split_at(odd.find(";main").unwrap()).0
    );
    assert_eq!(functions(kept), even, "{finished}");
}

#[test]
fn maps_that_are_printed_and_cleared_have_one_row_for_each_place_too() {
    needs_root!();
    let scratch = Scratch::new("rolling");
    let program = unseen(&scratch);
    let script = r#"uprobe:PROGRAM:mark { @[ustack] = count(); }
                     interval:ms:20 { print(@); clear(@); printf("|"); }"#;
    let finished = started_later(script, &program, &["2000"]);
    assert!(!finished.messages().contains("stacks of"), "{finished}");
    let mut counts = UNSEEN.map(|stack| (stack.to_owned(), 0));
    for print in finished.text().split('|') {
        let mut seen = Vec::new();
        for row in print.split("@[").skip(1) {
            let (stack, count) = row.split_once("]: ").expect("a count");
            let stack = functions(stack);
            assert!(!seen.contains(&stack), "{stack} twice: {finished}");
            let (_, sum) = counts
                .iter_mut()
                .find(|(known, _)| *known == stack)
                .unwrap_or_else(|| panic!("{stack}: {finished}"));
            *sum += count.trim().parse::<u64>().expect("a number");
            seen.push(stack);
        }
    }
    assert_eq!(counts.map(|(_, count)| count), [1000, 1000], "{finished}");
}

#[test]
fn what_exceeds_the_copy_of_a_stack_is_counted() {
    needs_root!();
    let scratch = Scratch::new("exceeds");
    let text = format!(
        "{COMMON}{}",
        "APART int large(int n) { char many[100000]; memset(many, n, sizeof many); mark(many[n]); return many[7]; }\n\
         int main(void) { return large(0); }\n"
    );
    let program = scratch.compiled_with("exceeds", text, STOCK);
    let script = "uprobe:PROGRAM:mark { @[ustack] = count(); }";
    let finished = started_later(script, &program, &[]);
    // Nothing was known of the program, and it has one event.
    let early = "note: 1 stack of uprobe:";
    assert!(finished.messages().contains(early), "{finished}");
    assert!(
        finished.messages().contains("may lack frames"),
        "{finished}"
    );
    assert!(finished.text().contains("mark+"), "{finished}");
}

/// Compilers touch the pages of a large frame one after the other. The register that says where the frame is while they do, calls do not keep.
#[test]
fn large_frames_whose_pages_are_touched_first() {
    needs_root!();
    let scratch = Scratch::new("touched");
    let text = format!(
        "{COMMON}{}",
        r"
APART int large(int n) { volatile char many[400000]; many[n] = 1; return many[n]; }
APART int outer(int n) { volatile int many[4]; many[1] = n; return large(n) + many[1]; }
int main(int argc, char **argv) { (void)argv; return outer(argc) & 0; }
"
    );
    let flags = [STOCK, &["-fstack-clash-protection"]].concat();
    let program = scratch.compiled_with("touched", text, &flags);
    let script = "software:page-faults:1 { @[ustack] = count(); }";
    let command = format!("'{}'", program.display());
    let finished = Tracer::new(["-e", script, "-c", &command]).run().lossless();
    let rows = finished.text().split("@[").skip(1);
    let rows = rows.filter_map(|row| {
        let (stack, count) = row.split_once("]: ")?;
        let stack = functions(stack);
        stack
            .starts_with("large;")
            .then_some((stack, count.trim().parse::<u64>().ok()?))
    });
    let rows: Vec<(String, u64)> = rows.collect();
    let whole = |(stack, _): &&(String, u64)| {
        stack.starts_with("large;outer;main;") && stack.ends_with(";_start")
    };
    let faults: u64 = rows.iter().filter(whole).map(|row| row.1).sum();
    assert!(
        faults > 80 && rows.iter().all(|row| whole(&row)),
        "{finished}"
    );
}
