//! Stacks that are known beforehand, of programs that a tracer of C alone would not get right: other languages, exceptions, more frames
//! than there is room for, one program that becomes another, and files that are gone, or are others, when their names are asked for.

mod support;

use pfscript_testkit::needs_root;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::frameless::{COMMON, STOCK, printed, stacks};
use support::{Finished, Scratch, Tracer, own_name};

/// Where the script looks at a program that has a symbol for it.
const AT_MARK: &str = "uprobe:PROGRAM:mark { print(ustack); }";

/// The same without naming a file, for programs whose files are not there: COMM is the process's name.
const AT_CALL: &str =
    "tracepoint:syscalls:sys_enter_getppid /comm == \"COMM\"/ { @[ustack] = count(); }";

/// What programs begin with that are looked at there.
const CALLS: &str = r"
#include <dlfcn.h>
#include <sys/wait.h>
#define CALLED() do { sink += getppid(); } while (0)
APART int inner(int n) { volatile int many[20]; many[n & 7] = n; CALLED(); return many[n & 7]; }
APART int outer(int n) { volatile int many[50]; many[n & 7] = n; return inner(n) + many[n & 7]; }
";

/// The stack from [`CALLS`] on.
const CALLED: &str = "getppid;inner;outer";

#[track_caller]
fn compile(compiler: &str, arguments: &[&str], source: &Path, output: &Path) {
    let mut command = Command::new(compiler);
    command.args(arguments).arg("-o").args([output, source]);
    let done = command.output();
    let done = done.unwrap_or_else(|error| panic!("can't run {compiler}: {error}"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}: {said}", source.display());
}

/// Compares the stacks of a program with the beginnings of the expected ones; all end with the start of the process or its thread.
#[track_caller]
fn assert_stacks(found: &[String], expected: &[&str]) {
    let begins = |(stack, expected): (&String, &&str)| {
        let rest = stack.strip_prefix(expected);
        rest.is_some_and(|rest| rest.ends_with(";_start") || rest.contains(";start_thread;clone"))
    };
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(begins),
        "{found:#?}, expected {expected:#?}"
    );
}

const CPP: &str = r#"
#include <algorithm>
#include <functional>
#include <stdexcept>
#include <vector>
#include <unistd.h>
#define APART __attribute__((noinline, noclone))
extern "C" {
volatile int sink;
APART void mark(int n) { sink += n; __asm__ volatile("" ::: "memory"); }
}
namespace zoo {
struct Animal {
    virtual ~Animal() {}
    virtual int speak(int) = 0;
};
template <typename T> struct Cage : Animal {
    T many[20];
    APART int speak(int n) override { many[n] = n; mark(n); return many[n]; }
};
struct Guard {
    int n;
    APART ~Guard() { mark(n); sink += n; }
};
APART int throws(int n) { Guard guard{n}; if (n) throw std::runtime_error("no"); return sink; }
APART int catches(int n) { try { return throws(n); } catch (const std::exception &) { mark(n + 1); return sink; } }
}
APART int each(std::vector<int> &all, std::function<int(int)> add) { return add(all[0]) + sink; }
static void last() { mark(9); _exit(0); }
int main(int argc, char **)
{
    zoo::Cage<long> cage;
    zoo::Animal *animal = &cage;
    std::vector<int> all{argc, 2, 1};
    sink += animal->speak(argc);
    sink += zoo::catches(argc);
    sink += each(all, [](int n) { mark(n); return n + sink; });
    std::set_terminate(last);
    zoo::throws(argc);
}
"#;

/// Templates, virtual functions and lambdas; what runs while an exception is on its way, where it is caught, and where nobody does.
#[test]
fn cpp_with_exceptions() {
    needs_root!();
    // As distributions link, and with everything in one file, at fixed addresses and at any.
    for linked in [&[][..], &["-static"], &["-static-pie"]] {
        let scratch = Scratch::new("cpp");
        let source = scratch.file("zoo.cpp", CPP);
        let program = scratch.path().join("zoo");
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
        compile(&compiler, &[STOCK, linked].concat(), &source, &program);
        let found = stacks(AT_MARK, &program, "cpp");
        let (last, first) = found.split_last().expect("it is not empty");
        let lambda = "std::_Function_handler<int (int), main::{lambda(int)#1}>::_M_invoke(std::_Any_data const&, int&&)";
        let each = "each(std::vector<int, std::allocator<int> >&, std::function<int (int)>)";
        assert_stacks(
            first,
            &[
                "mark;zoo::Cage<long>::speak(int);main;",
                // The compiler moved what only runs after a throw to the end of the file.
                "mark;zoo::Guard::~Guard();zoo::throws(int) [clone .cold];zoo::catches(int);main;",
                "mark;zoo::catches(int) [clone .cold];main;",
                &format!("mark;{lambda};{each};main;"),
            ],
        );
        // Nobody catches it: the library ends the process from within the throw.
        let expected = [
            "mark;last();",
            "std::terminate();__cxa_throw;zoo::throws(int)",
            ";main;",
        ];
        let ordered = expected.iter().try_fold(last.as_str(), |rest, part| {
            rest.split_once(part).map(|(_, rest)| rest)
        });
        assert!(
            ordered.is_some_and(|rest| rest.ends_with(";_start")),
            "{last}"
        );
    }
}

const RUST: &str = r#"
use std::hint::black_box;

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn mark(n: u64) {
    black_box(n);
}

trait Animal {
    fn speak(&self, n: u64) -> u64;
}

struct Cat([u64; 9]);

impl Animal for Cat {
    #[inline(never)]
    fn speak(&self, n: u64) -> u64 {
        let many = black_box([n; 20]);
        mark(many[3]);
        many[4] + self.0[1]
    }
}

mod deep {
    #[inline(never)]
    pub fn apply<T: Fn(u64) -> u64>(f: T, n: u64) -> u64 {
        let many = super::black_box([n; 30]);
        f(many[2]) + many[1]
    }
}

#[inline(never)]
fn panics(n: u64) -> u64 {
    let many = black_box([n; 8]);
    if many[3] == n {
        panic!("no");
    }
    many[1]
}

#[inline(never)]
fn works(n: u64) -> u64 {
    let many = black_box([n; 7]);
    mark(many[1]);
    many[2]
}

fn main() {
    let n = std::env::args().count() as u64;
    let animal: Box<dyn Animal> = black_box(Box::new(Cat([1; 9])));
    black_box(animal.speak(n));
    black_box(deep::apply(|n| works(n) + 1, n));
    std::panic::set_hook(Box::new(|_| mark(7)));
    let _ = std::panic::catch_unwind(|| panics(n));
    let _ = std::thread::spawn(move || works(n)).join();
}
"#;

/// Trait objects, closures, a panic on its way, a thread.
#[test]
fn rust_with_panics() {
    needs_root!();
    let scratch = Scratch::new("rust");
    let source = scratch.file("r.rs", RUST);
    let program = scratch.path().join("r");
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    for mangling in ["legacy", "v0"] {
        let mangling = format!("-Csymbol-mangling-version={mangling}");
        let flags = [
            "--edition=2024",
            "-O",
            "-Cforce-frame-pointers=no",
            &mangling,
        ];
        // Both are stable in one version of the compiler or another.
        let flags = [&flags[..], &["-Zunstable-options"]].concat();
        let mut command = Command::new(&compiler);
        command.env("RUSTC_BOOTSTRAP", "1").args(flags).arg("-o");
        let done = command
            .args([&program, &source])
            .output()
            .expect("there is a compiler");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );

        let found = stacks(AT_MARK, &program, "rust");
        let [speaks, applies, panics, thread] = &found[..] else {
            panic!("{found:#?}");
        };
        let main = ";r::main;std::sys::backtrace::__rust_begin_short_backtrace";
        for (stack, first) in [
            (speaks, "mark;<r::Cat as r::Animal>::speak"),
            (applies, "mark;r::works;r::deep::apply"),
            (panics, "mark;std::panicking::"),
        ] {
            assert!(stack.starts_with(first), "{stack}, expected {first}");
            assert!(
                stack.contains(main) && stack.ends_with(";_start"),
                "{stack}"
            );
        }
        assert!(
            panics.contains(";core::panicking::panic_fmt;r::panics"),
            "{panics}"
        );
        assert!(thread.starts_with("mark;r::works;"), "{thread}");
        assert!(thread.contains("start_thread;clone"), "{thread}");
    }
}

/// Goes down as many calls as each argument says, in a library, and calls `last` of the program there.
const LIBRARY: &str = r"
extern volatile int sink;
void last(int);
int down(int n) { volatile int many[4]; many[n & 3] = n; if (n) sink += down(n - 1); else last(n); return many[1] + sink; }
";

/// A program with that library, and as many copies of it as are asked for.
fn descending(scratch: &Scratch, name: &str, copies: usize) -> Vec<PathBuf> {
    let flags = [STOCK, &["-shared", "-fPIC", "-fno-inline"]].concat();
    let library = scratch.compiled_with("libdown.so", LIBRARY, &flags);
    let text = r"
int down(int);
void last(int n) { mark(n); getppid(); }
int main(int argc, char **argv) { for (int i = 1; i < argc; i++) sink += down(atoi(argv[i])); return 0; }
";
    let folder = format!("-Wl,-rpath,{}", scratch.path().display());
    let library = library.to_str().expect("UTF-8");
    let linked = ["-rdynamic", "-Wl,--no-as-needed", library, &folder];
    let program =
        scratch.compiled_with(name, format!("{COMMON}{text}"), &[STOCK, &linked].concat());
    let copy = |number| {
        let copy = scratch.path().join(format!("{name}{number}"));
        std::fs::copy(&program, &copy).expect("there is room");
        copy
    };
    (0..copies).map(copy).collect()
}

/// Stacks are kept in pieces. What depth one has makes no difference, nor does how it is kept and asked for.
#[test]
fn stacks_of_any_depth_are_whole() {
    needs_root!();
    let scratch = Scratch::new("pieces");
    let program = descending(&scratch, "pieces", 1).remove(0);
    // Around the ends of the first pieces, and far beyond.
    let depths: Vec<usize> = (110..130).chain(240..260).chain([1000, 2030]).collect();
    let list = depths.iter().map(usize::to_string).collect::<Vec<_>>();
    let command = format!("'{}' {}", program.display(), list.join(" "));
    let whole = |depth| format!("mark;last;{}main;__libc_start", "down;".repeat(depth + 1));
    let traced = |script: &str| {
        let script = script.replace("PROGRAM", program.to_str().expect("UTF-8"));
        let tracer = Tracer::new(["-q", "-e", &script, "-c", &command]);
        tracer.run().lossless()
    };
    let finished = traced(r#"uprobe:PROGRAM:mark { printf("%s%d\n\n", ustack, len(ustack)); }"#);
    let stacks = printed(&finished);
    assert_eq!(stacks.len(), depths.len(), "{finished}");
    for (stack, depth) in stacks.iter().zip(&depths) {
        let (stack, length) = stack.rsplit_once(';').expect("a stack and its length");
        assert!(stack.starts_with(&whole(*depth)), "{depth}: {stack}");
        assert!(stack.ends_with(";_start"), "{depth}: {stack}");
        assert_eq!(stack.split(';').count().to_string(), length, "{depth}");
    }
    // As many as are asked for, also where a piece ends.
    let finished = traced(
        "uprobe:PROGRAM:mark { print((ustack(127), ustack(128), ustack(400), ustack(1))); }",
    );
    let lengths = finished.text().split('(').skip(1).map(|row| {
        let stacks = row.split(", ").map(|stack| stack.matches('+').count());
        stacks.collect::<Vec<_>>()
    });
    for (lengths, depth) in lengths.zip(&depths) {
        let all = depth + 7;
        let expected = [127, 128, 400, 1].map(|most| all.min(most));
        assert_eq!(lengths, expected, "{depth}: {finished}");
    }
}

/// Tables of stacks are exchanged all the time, and stacks that a map holds are carried along in all their pieces.
#[test]
fn deep_stacks_that_are_held_stay_whole() {
    needs_root!();
    let scratch = Scratch::new("held");
    let program = descending(&scratch, "held", 1).remove(0);
    let script = r"config = { max_stacks = 64 }
        uprobe:PROGRAM:mark { @held[ustack] = count(); @[ustack(5), nsecs] = count(); }
        interval:ms:50 { clear(@); } END { clear(@); }";
    let script = script.replace("PROGRAM", program.to_str().expect("UTF-8"));
    let depths = ["300", "301", "600"].map(|depth| [depth; 400].join(" "));
    let command = format!("'{}' {}", program.display(), depths.join(" "));
    let finished = Tracer::new(["-q", "-e", &script, "-c", &command])
        .run()
        .lossless();
    let mut rows: Vec<(usize, bool, &str)> = finished
        .text()
        .split("@held[")
        .skip(1)
        .filter_map(|row| row.split_once("]: "))
        .map(|(stack, count)| {
            let depth = stack.matches("down+").count();
            (depth, stack.contains("_start+"), count.trim())
        })
        .collect();
    rows.sort_unstable();
    let expected = [301, 302, 601].map(|depth| (depth, true, "400"));
    assert_eq!(rows, expected, "{finished}");
}

/// A walk in the kernel that comes to a file without table behind more frames than a piece has goes on in user space.
#[test]
fn a_deep_stack_is_finished_behind_its_pieces() {
    needs_root!();
    let scratch = Scratch::new("left");
    let programs = descending(&scratch, "left", 4);
    let script = "tracepoint:syscalls:sys_enter_getppid /comm == \"left0\"/ { print(ustack); }";
    let scripts = (0..4).map(|number| script.replace('0', &number.to_string()));
    let script = scripts.collect::<String>();
    let tracer = Tracer::new(["-e", &script]).start().attached();
    for program in &programs {
        // The library's table is there when the second one comes, that of the program is not.
        let status = Command::new(program).args(["0", "200"]).status();
        assert!(status.expect("it runs").success());
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    tracer.interrupt();
    let finished = tracer.finish().lossless();
    let stacks = printed(&finished);
    assert_eq!(stacks.len(), 8, "{finished}");
    for (stack, depth) in stacks.iter().zip([0, 200].iter().cycle()) {
        let expected = format!("getppid;last;{}main;__libc", "down;".repeat(depth + 1));
        assert!(stack.starts_with(&expected), "{depth}: {finished}");
        assert!(stack.ends_with(";_start"), "{depth}: {finished}");
    }
}

/// The frames nearest to the event are shown, and that there are more is said.
#[test]
fn a_recursion_of_a_hundred_thousand_is_cut_and_that_is_said() {
    needs_root!();
    let scratch = Scratch::new("recursion");
    let text = format!(
        "{COMMON}{}",
        r"
APART int down(int n) { volatile int many[4]; many[n & 3] = n; if (n) sink += down(n - 1); else mark(n); return many[1] + sink; }
int main(void) { return down(100000) & 0; }
"
    );
    let program = scratch.compiled_with("recursion", text, STOCK);
    let script = AT_MARK.replace("PROGRAM", program.to_str().expect("UTF-8"));
    let command = format!("'{}'", program.display());
    let finished = Tracer::new(["-e", &script, "-c", &command]).run().ok();
    assert_eq!(
        printed(&finished),
        ["mark".to_owned() + &";down".repeat(2047)]
    );
    let said = "after 2048 frames";
    assert!(finished.messages().contains(said), "{finished}");
}

/// Runs a command under [`AT_CALL`], and returns its stacks with how many there were of each. COMM is a name that the command makes
/// processes have.
#[track_caller]
fn called(command: &str, comm: &str) -> (Vec<(String, u64)>, Finished) {
    let script = AT_CALL.replace("COMM", comm);
    let finished = Tracer::new(["-e", &script, "-c", command]).run().lossless();
    let rows = finished.text().split("@[").skip(1).map(|row| {
        let (frames, count) = row.rsplit_once("]: ").expect("a row has a value");
        let frames = frames
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        let functions: Vec<&str> = frames
            .map(|frame| frame.rsplit_once('+').map_or(frame, |(name, _)| name))
            .collect();
        (
            functions.join(";"),
            count.trim().parse().expect("it is a number"),
        )
    });
    (rows.collect(), finished)
}

/// A program of [`CALLS`] and more.
fn calling(scratch: &Scratch, name: &str, text: &str, flags: &[&str]) -> PathBuf {
    let flags = [STOCK, flags].concat();
    scratch.compiled_with(name, format!("{COMMON}{CALLS}{text}"), &flags)
}

/// How many stacks begin with this and are whole.
fn whole(rows: &[(String, u64)], first: &str) -> u64 {
    let is_it =
        |(stack, _): &&(String, u64)| stack.starts_with(first) && stack.ends_with(";_start");
    rows.iter().filter(is_it).map(|(_, count)| count).sum()
}

#[test]
fn each_of_two_programs_that_a_process_executes_has_its_own_names() {
    needs_root!();
    let scratch = Scratch::new("executes");
    let name = own_name("ex");
    let second = scratch.path().join("second");
    std::fs::create_dir(&second).expect("the folder is ours");
    let second = second.join(&name);
    // At a fixed address, like the first.
    let text = r"
APART int second(int n) { volatile int many[60]; many[n & 7] = n; return outer(n) + many[n & 7]; }
int main(int argc, char **argv) { (void)argv; for (int i = 0; i < 50; i++) second(argc); return 0; }
";
    let built = calling(&scratch, "built", text, &["-static"]);
    std::fs::rename(built, &second).expect("the folder is ours");
    let text = r"
APART int first(int n) { volatile int many[30]; many[n & 7] = n; return outer(n) + many[n & 7]; }
int main(int argc, char **argv) { for (int i = 0; i < 50; i++) first(argc); execv(argv[1], argv + 1); return 1; }
";
    let program = calling(&scratch, &name, text, &["-static"]);
    let command = format!("'{}' '{}'", program.display(), second.display());
    let (rows, finished) = called(&command, &name);
    assert_eq!(
        whole(&rows, &format!("{CALLED};first;main;")),
        50,
        "{finished}"
    );
    assert_eq!(
        whole(&rows, &format!("{CALLED};second;main;")),
        50,
        "{finished}"
    );
}

/// A library that is closed leaves its addresses to the next one, and so does a child that has ended.
#[test]
fn libraries_that_were_at_the_same_addresses_one_after_the_other_are_told_apart() {
    needs_root!();
    let scratch = Scratch::new("closed");
    let library = |name: &str, size: u32| {
        let text = format!(
            "{COMMON}
APART int called(int n, int (*f)(int)) {{ volatile int many[{size}]; many[n & 7] = n; return f(n) + many[n & 7]; }}
int {name}(int n, int (*f)(int)) {{ volatile int many[9]; many[n & 7] = n; return called(n, f) + many[n & 7]; }}
"
        );
        let path = scratch.compiled_with(&format!("lib{name}.so"), text, STOCK);
        path.to_str().expect("UTF-8").to_owned()
    };
    let (one, other) = (library("one", 20), library("two", 30));
    let text = r#"
int main(int argc, char **argv) {
    void *places[2] = { NULL, NULL };
    for (int i = 0; i < 6; i++) {
        if (argc > 3 && fork()) { wait(NULL); continue; }
        void *library = dlopen(argv[1 + i % 2], RTLD_NOW);
        int (*enter)(int, int (*)(int)) = (int (*)(int, int (*)(int)))dlsym(library, i % 2 ? "two" : "one");
        places[i % 2] = (void *)enter;
        /* Longer than it takes until its table is there. */
        for (int k = 0; k < 10; k++) { enter(argc, outer); usleep(5000); }
        if (argc > 3) return 0;
        dlclose(library);
    }
    return places[0] == places[1] ? 0 : 3;
}
"#;
    let name = own_name("dl");
    let program = calling(&scratch, &name, text, &["-ldl"]);
    for more in ["", "in-children"] {
        let command = format!("'{}' '{one}' '{other}' {more}", program.display());
        let (rows, finished) = called(&command, &name);
        let (first, second) = (
            whole(&rows, &format!("{CALLED};called;one;main;")),
            whole(&rows, &format!("{CALLED};called;two;main;")),
        );
        assert_eq!((first, second), (30, 30), "{finished}");
        // Else the test says nothing.
        assert!(!finished.messages().contains("status 3"), "{finished}");
    }
}

/// A program that removes its own file, puts something else in its place, and another program.
#[test]
fn the_names_of_a_file_that_is_gone_or_replaced_are_its_own() {
    needs_root!();
    let scratch = Scratch::new("replaced");
    let text = r#"
static void put(const char *from, const char *to) {
    char command[4096];
    snprintf(command, sizeof command, "cp -f '%s' '%s'", from, to);
    if (system(command)) exit(1);
}
APART int removed(int n) { return outer(n) + 1; }
APART int replaced(int n) { return outer(n) + 1; }
APART int exchanged(int n) { return outer(n) + 1; }
int main(int argc, char **argv) {
    unlink(argv[0]);
    removed(argc);
    put("/etc/passwd", argv[0]);
    replaced(argc);
    put(argv[1], argv[0]);
    exchanged(argc);
    return 0;
}
"#;
    let name = own_name("gone");
    let program = calling(&scratch, &name, text, &[]);
    let other = scratch.compiled("other", "int main(void) { return 0; }\n");
    let command = format!("'{}' '{}'", program.display(), other.display());
    let (rows, finished) = called(&command, &name);
    for function in ["removed", "replaced", "exchanged"] {
        assert_eq!(
            whole(&rows, &format!("{CALLED};{function};main;")),
            1,
            "{finished}"
        );
    }
}

/// A program that is nowhere but in a file system which its own mount namespace has, with process ids of its own.
#[test]
fn a_program_in_namespaces_of_its_own() {
    needs_root!();
    let scratch = Scratch::new("namespaces");
    let text = r"
APART int contained(int n) { volatile int many[60]; many[n & 7] = n; return outer(n) + many[n & 7]; }
/* Its file can be opened as long as its namespace is there. */
int main(int argc, char **argv) { (void)argv; for (int i = 0; i < 50; i++) contained(argc); sleep(2); return 0; }
";
    let name = own_name("ns");
    let program = calling(&scratch, &name, text, &[]);
    let run = scratch.file(
        "run",
        format!(
            "set -e\nmount -t tmpfs tmpfs /mnt\nmkdir /mnt/bin\ncp '{}' /mnt/bin/\nexec /mnt/bin/{name}\n",
            program.display()
        ),
    );
    let command = format!("unshare --mount --pid --fork sh '{}'", run.display());
    let (rows, finished) = called(&command, &name);
    assert_eq!(
        whole(&rows, &format!("{CALLED};contained;main;")),
        50,
        "{finished}"
    );
}
