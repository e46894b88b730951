//! What traced processes can do to the tracer: each attack, with bounds on the memory and the time that it may cost.
//! `docs/security.md` says what is done against each.

mod support;

use pfscript_testkit::needs_root;
use std::path::PathBuf;
use support::stacks::{self, Row};
use support::{Finished, Scratch, Tracer};

/// Counts page faults by the function that had them.
const BY_FUNCTION: &str = "software:page-faults:1 { @[ustack(1), pid, comm] = count(); }";

/// pfscript under bounds that hold on a busy machine, too: 400 MB of address space, 20 seconds of processor time.
fn bounded(arguments: &[&str]) -> Tracer {
    const BOUNDS: &str = "ulimit -v 400000 && ulimit -t 20 && exec \"$0\" \"$@\"";
    Tracer::command("sh")
        .args(["-c", BOUNDS, support::PFSCRIPT])
        .args(arguments)
}

/// A program with a function for each of these symbols; each of them touches a page.
fn program_with(scratch: &Scratch, symbols: &[String]) -> PathBuf {
    let mut source = String::from("#include \"workload.h\"\n");
    let mut calls = String::new();
    for (number, symbol) in symbols.iter().enumerate() {
        source += &format!(
            "void function{number}(volatile char *page) __asm__(\"{symbol}\");\n\
             __attribute__((noinline)) void function{number}(volatile char *page) {{ *page = 1; }}\n"
        );
        calls += &format!("    function{number}(memory + {number} * page_size());\n");
    }
    source += &format!(
        "int main(void)\n{{\n    volatile char *memory = anonymous({}, MADV_NOHUGEPAGE);\n{calls}    return 0;\n}}\n",
        symbols.len()
    );
    scratch.compiled("symbols", source)
}

/// The functions that a program with these symbols had page faults in, as the tracer calls them.
fn traced_names(scratch: &Scratch, symbols: &[String]) -> Vec<String> {
    let program = program_with(scratch, symbols);
    let command = format!("'{}'", program.display());
    let finished = bounded(&["-e", BY_FUNCTION, "-c", &command])
        .run()
        .lossless();
    let name = |row: &Row| {
        let frame = row.frames.first()?;
        Some(frame.rsplit_once('+')?.0.to_owned())
    };
    stacks::parse(finished.text())
        .iter()
        .filter_map(name)
        .collect()
}

#[test]
fn functions_of_c_are_not_taken_for_types_of_cpp() {
    needs_root!();
    let scratch = Scratch::new("short-names");
    let names = "v w b c a h s t i j l m x y n o f d e g z Pi Pc Rf Kf Ss Sa Si Sd St Dn Da Di Ds Fvv _R ZN1aE _Zz";
    let symbols: Vec<String> = names.split(' ').map(str::to_owned).collect();
    let traced = traced_names(&scratch, &symbols);
    for name in symbols {
        assert!(traced.contains(&name), "{name} is missing: {traced:?}");
    }
}

#[test]
fn names_of_cpp_and_rust_are_readable() {
    needs_root!();
    let scratch = Scratch::new("mangled-names");
    let pairs = [
        ("_ZN5space3fooEibc", "space::foo(int, bool, char)"),
        ("_ZN3std2io5print17h0123456789abcdefE", "std::io::print"),
        ("_RNvC7example4main", "example::main"),
    ];
    let symbols: Vec<String> = pairs.iter().map(|pair| pair.0.to_owned()).collect();
    let traced = traced_names(&scratch, &symbols);
    for (_, readable) in pairs {
        assert!(
            traced.iter().any(|name| name == readable),
            "{readable} is missing: {traced:?}"
        );
    }
}

/// A mangled name in which each template has the one before as an argument twice, so that it stands for a text whose length
/// doubles with each step.
fn bomb(steps: usize) -> String {
    let digit = |number: usize| char::from_digit(number as u32, 36).map(|c| c.to_ascii_uppercase());
    let mut name = String::from("_Z1f1AI1BE");
    for step in 1..steps {
        let last: String = [step / 36, step % 36]
            .into_iter()
            .skip_while(|number| *number == 0)
            .filter_map(digit)
            .collect();
        name += &format!("S_IS{last}_S{last}_E");
    }
    name
}

#[test]
fn a_symbol_that_stands_for_gigabytes_stays_mangled() {
    needs_root!();
    let scratch = Scratch::new("bombs");
    // 210 and 250 bytes, which stand for 20 and 330 MB; longer ones, which never end; and one of Rust's.
    let mut symbols: Vec<String> = [21, 25, 36, 300].map(bomb).into();
    symbols.push(format!("_RIC1a{}E", "TB4_B4_B4_B4_E".repeat(20)));
    symbols.push(format!("_Z1fI{}", "P".repeat(4000)));
    let traced = traced_names(&scratch, &symbols);
    for symbol in &symbols[..4] {
        assert!(traced.contains(symbol), "{symbol} is missing");
    }
    let longest = traced.iter().map(String::len).max();
    assert!(longest < Some(20_000), "{longest:?}");
}

/// A program that generates code at a fixed address and runs it: the code touches one page. Its arguments say what to write to
/// its file of names, whom that shall belong to, and how many bytes it shall have. It removes the file before it ends.
const GENERATOR: &str = r##"
#include "workload.h"
#include <fcntl.h>

int main(int argc, char **argv)
{
    if (argc < 4)
        usage("generator TEXT OWNER SIZE");
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
    int file = open(path, O_CREAT | O_TRUNC | O_RDWR, 0644);
    if (file < 0 || write(file, argv[1], strlen(argv[1])) < 0 || ftruncate(file, atoll(argv[3])) || fchown(file, atoi(argv[2]), -1))
        refused(path);
    /* movb $1, (%rdi); ret */
    unsigned char code[] = {0xc6, 0x07, 0x01, 0xc3};
    void *place = mmap((void *)0x20000000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (place == MAP_FAILED)
        refused("mmap");
    memcpy(place, code, sizeof code);
    volatile char *memory = anonymous(1, MADV_NOHUGEPAGE);
    usleep(500000);
    ((void (*)(volatile char *))place)(memory);
    usleep(500000);
    unlink(path);
    return 0;
}
"##;

/// The compiled generator.
fn generator(scratch: &Scratch) -> String {
    let program = scratch.compiled("generator", GENERATOR);
    program.display().to_string()
}

/// What the tracer calls the code that a command generates.
fn name_of_code_generated_by(command: &str) -> (String, Finished) {
    let finished = bounded(&["-e", BY_FUNCTION, "-c", command]).run().ok();
    let rows = stacks::parse(finished.text());
    let frames = rows.iter().filter_map(|row| row.frames.first());
    let names: Vec<&String> = frames
        .filter(|frame| *frame == "[anon+0x20000000]" || frame.starts_with("generated_function"))
        .collect();
    assert_eq!(names.len(), 1, "{finished}");
    (names[0].clone(), finished)
}

/// The same, of code that its process wrote down as `text`, followed by zeros up to `size` bytes, in a file of `owner`.
fn name_of_generated_code(text: &str, owner: u32, size: u64) -> (String, Finished) {
    let scratch = Scratch::new("generated");
    let program = generator(&scratch);
    name_of_code_generated_by(&format!("'{program}' '{text}' {owner} {size}"))
}

#[cfg(target_arch = "x86_64")]
#[test]
fn generated_code_has_the_names_that_its_process_wrote_down() {
    needs_root!();
    let text = "20000000 10 generated_function\n";
    let (name, finished) = name_of_generated_code(text, 0, text.len() as u64);
    assert_eq!(name, "generated_function+0", "{finished}");
    finished.lossless();
}

#[cfg(target_arch = "x86_64")]
#[test]
fn generated_code_in_a_container_has_its_names() {
    needs_root!();
    let scratch = Scratch::new("contained");
    generator(&scratch);
    let folder = scratch.path().display();
    // It has a /tmp of its own, and is process 1 there.
    let script = scratch.file(
        "run",
        format!(
            "cd '{folder}' && mount -t tmpfs tmpfs /tmp && exec ./generator '20000000 10 generated_function\n' 0 31\n"
        ),
    );
    let command = format!("unshare --pid --fork --mount sh '{}'", script.display());
    let (name, finished) = name_of_code_generated_by(&command);
    assert_eq!(name, "generated_function+0", "{finished}");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn names_of_generated_code_by_another_user_are_not_believed() {
    needs_root!();
    let text = "20000000 10 generated_function\n";
    let (name, _) = name_of_generated_code(text, 65534, text.len() as u64);
    assert_eq!(name, "[anon+0x20000000]");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_huge_file_of_names_is_read_in_part_and_said_so() {
    needs_root!();
    let text = "20000000 10 generated_function\n";
    let (name, _) = name_of_generated_code(text, 0, 3 << 30);
    assert_eq!(name, "generated_function+0");
    let (name, finished) = name_of_generated_code("10000000 10 another\n", 0, 3 << 30);
    assert_eq!(name, "[anon+0x20000000]");
    assert_eq!(finished.lost("names of generated code"), 1, "{finished}");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn names_that_appear_after_the_process_is_gone_are_not_believed() {
    needs_root!();
    // Removed by the process before it ends; what is there later is somebody else's.
    let scratch = Scratch::new("late-names");
    let program = generator(&scratch);
    let script = scratch.file(
        "run",
        format!(
            "'{program}' '' 65534 0 &\npid=$!\nwait\nsleep 0.1\necho 20000000 10 generated_function > /tmp/perf-$pid.map\n"
        ),
    );
    let script_command = format!("sh '{}'", script.display());
    let tracer = bounded(&["-e", BY_FUNCTION, "-c", &script_command])
        .run()
        .ok();
    let rows = stacks::parse(tracer.text());
    let row = rows.iter().find(|row| {
        row.frames
            .first()
            .is_some_and(|frame| frame == "[anon+0x20000000]")
    });
    let row = row.unwrap_or_else(|| panic!("the code has a name: {tracer}"));
    std::fs::remove_file(format!("/tmp/perf-{}.map", row.pid)).unwrap();
}

/// A library of two functions that call back, and a program that cuts the library short in a call that comes back from the
/// second one.
const CUT_LIBRARY: &str = "void first(void (*callback)(void))\n{ callback(); __asm__ volatile (\"\"); }\n\
                           void second(void (*callback)(void))\n{ callback(); __asm__ volatile (\"\"); }\n";
const CUTTER: &str = r#"
#include "workload.h"
#include <dlfcn.h>

static volatile char *memory;
static const char *library;
static int calls;

static void callback(void)
{
    if (calls && truncate(library, 0))
        refused("truncate");
    memory[calls++ * page_size()] = 1;
    /* While the tracer prints, and so asks for the names of this stack. */
    usleep(500000);
    if (calls > 1) {
        printf("pid=%d\n", getpid());
        fflush(stdout);
        /* The code to return to is gone. */
        _exit(0);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        usage("cutter LIBRARY");
    library = argv[1];
    memory = anonymous(2, MADV_NOHUGEPAGE);
    void *handle = dlopen(library, RTLD_NOW);
    if (!handle)
        refused("dlopen");
    void (*first)(void (*)(void)) = (void (*)(void (*)(void)))dlsym(handle, "first");
    void (*second)(void (*)(void)) = (void (*)(void (*)(void)))dlsym(handle, "second");
    first(callback);
    second(callback);
    return 1;
}
"#;

#[test]
fn a_library_that_is_cut_short_while_it_is_mapped_does_no_harm() {
    needs_root!();
    let scratch = Scratch::new("cut");
    let library = scratch.compiled("libcut.so", CUT_LIBRARY);
    let program = scratch.compiled("cutter", CUTTER);
    let script = "software:page-faults:1 { @[ustack, pid, comm] = count(); } \
                  interval:ms:50 { print(@); } END { clear(@); printf(\"the end\\n\"); }";
    let command = format!("'{}' '{}'", program.display(), library.display());
    let finished = bounded(&["-e", script, "-c", &command]).run().ok();
    let text = finished.text();
    assert!(text.contains("the end\n"), "{finished}");
    // Asked for before the library was cut short, and after.
    for function in ["first+", "second+"] {
        let mut rows = text.split("@[").filter(|row| row.contains("callback+"));
        assert!(
            rows.any(|row| row.contains(function)),
            "no {function}: {finished}"
        );
    }
}

/// Runs many programs, each a file of its own that is deleted at once, and says what the tracer has open when they are over.
fn many_programs(count: u32, limits: &str) -> Finished {
    let scratch = Scratch::new("many");
    let folder = scratch.path().display();
    let program = support::workload("anon2mmap");
    let script = scratch.file(
        "run",
        format!(
            "i=0\n\
             while [ $i -lt {count} ]; do\n\
             cp '{program}' '{folder}/program'\n\
             '{folder}/program' 40 >'{folder}/out'\n\
             rm '{folder}/program'\n\
             i=$((i+1))\n\
             done\n\
             sleep 3\n\
             deleted=$(ls -l /proc/$1/fd | grep -c 'program (deleted)')\n\
             echo pid=0 open=$(ls /proc/$1/fd | wc -l) deleted=$deleted\n"
        ),
    );
    let limited = format!("{limits} && exec \"$0\" \"$@\"");
    let tracer = format!("sh -c 'exec sh \"$0\" $PPID' '{}'", script.display());
    Tracer::command("sh")
        .args(["-c", &limited, support::PFSCRIPT])
        .args(["-e", BY_FUNCTION, "-c", &tracer])
        .keep(scratch)
        .run()
        .ok()
}

/// How many of these programs have a name for the function that touches their pages, and of how many it is reported missing.
fn named_and_lost(finished: &Finished) -> (u64, u64) {
    let (_, rest) = finished.split_report();
    let rows = stacks::parse(&rest);
    let touched = rows
        .iter()
        .filter(|row| row.comm == "program" && row.count >= 40);
    let named = touched.filter(|row| row.is_in("main")).count() as u64;
    (named, finished.lost(" names: "))
}

#[test]
fn many_short_programs_take_few_descriptors_and_no_disk_space() {
    needs_root!();
    let finished = many_programs(300, "ulimit -v 400000");
    let (report, _) = finished.split_report();
    assert!(report.get("open") < 200, "{finished}");
    assert_eq!(report.get("deleted"), 0, "{finished}");
    // One that ended before the tracer could look, on a busy machine, is reported.
    let (named, lost) = named_and_lost(&finished);
    assert_eq!(named + lost, 300, "{finished}");
    assert!(named > 0, "{finished}");
}

#[test]
fn few_descriptors_cost_no_names_without_a_word() {
    needs_root!();
    let finished = many_programs(50, "ulimit -n 48");
    let (named, lost) = named_and_lost(&finished);
    assert_eq!(named + lost, 50, "{finished}");
    assert!(named > 0, "{finished}");
}
