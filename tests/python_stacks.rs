//! Functions of Python in user stacks: names, order and lines, for each CPython from 3.11 to 3.13 that is on this machine.

mod support;

use pfscript_testkit::needs_root;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{Finished, Scratch, Tracer, own_name};

/// The interpreters that are found in the places where distributions and pyenv put them, and that are of a version which is known.
fn interpreters() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/usr/bin"), PathBuf::from("/usr/local/bin")];
    if let Some(home) = std::env::var_os("HOME") {
        let versions = std::fs::read_dir(Path::new(&home).join(".pyenv/versions"));
        let versions = versions.into_iter().flatten().flatten();
        folders.extend(versions.map(|version| version.path().join("bin")));
    }
    // The last is Debian's build with assertions.
    let known = ["python3.11", "python3.12", "python3.13", "python3.11-dbg"];
    let all = folders
        .iter()
        .flat_map(|folder| known.map(|name| folder.join(name)));
    all.filter(|program| program.is_file()).collect()
}

/// Calls `check` with each interpreter.
fn with_each(check: impl Fn(&Path)) {
    let all = interpreters();
    if all.is_empty() {
        println!("skip: no python3.11, python3.12 or python3.13 is installed");
    }
    for interpreter in all {
        println!("with {}", interpreter.display());
        check(&interpreter);
    }
}

/// What the scripts look at: `os.getppid()`, which nothing else in them calls.
const PROBE: &str = "tracepoint:syscalls:sys_enter_getppid / pid == cpid / { print(ustack); }";

/// The same in another process than that of a command.
fn probe_of(filter: &str) -> String {
    PROBE.replace("pid == cpid", filter)
}

/// Runs a script of Python under a script.
fn traced(interpreter: &Path, probe: &str, python: &Path) -> Finished {
    let command = format!("{} '{}'", interpreter.display(), python.display());
    Tracer::new(["-q", "-e", probe, "-c", &command]).run().ok()
}

/// The functions of the file `x.py` in each stack of an output, one line of `;` for each stack, as `function:line`.
fn functions(output: &str) -> Vec<String> {
    let stacks = output.split("\n\n").map(|stack| {
        let frames = stack.lines().filter_map(|line| {
            let (function, place) = line.trim().rsplit_once(" (")?;
            let line = place.strip_suffix(')')?.rsplit_once("x.py:")?.1;
            Some(format!("{function}:{line}"))
        });
        frames.collect::<Vec<_>>().join(";")
    });
    stacks.filter(|stack| !stack.is_empty()).collect()
}

const KINDS: &str = r"import os

def mark():
    os.getppid()

class Outer:
    class Inner:
        def method(self):
            mark()

    @classmethod
    def of_class(cls):
        cls.Inner().method()

    @staticmethod
    def of_none(
        _a,
        _b,
    ):
        mark()

    def __init__(self):
        mark()

def key(number):
    mark()
    return number

def generator():
    for number in range(1):
        mark()
        yield number

def decorated(function):
    def wrapper():
        return function()
    return wrapper

@decorated
def inside():
    mark()

def nested():
    def inner():
        (
            mark()
        )
    inner()

def main():
    Outer.of_class()
    Outer.of_none(
        1,
        2,
    )
    Outer()
    sorted([1], key=lambda number: key(number))
    list(map(key, [1]))
    list(generator())
    inside()
    nested()
    exec('mark()')
    try:
        raise ValueError
    except ValueError:
        mark()

main()
";

/// From the inside to the outside; what C calls in between is not there.
const KINDS_EXPECTED: &[&str] = &[
    "mark:4;Outer.Inner.method:9;Outer.of_class:13;main:51;<module>:68",
    "mark:4;Outer.of_none:20;main:52;<module>:68",
    "mark:4;Outer.__init__:23;main:56;<module>:68",
    "mark:4;key:26;main.<locals>.<lambda>:57;main:57;<module>:68",
    "mark:4;key:26;main:58;<module>:68",
    "mark:4;generator:31;main:59;<module>:68",
    "mark:4;inside:41;decorated.<locals>.wrapper:36;main:60;<module>:68",
    "mark:4;nested.<locals>.inner:46;nested:48;main:61;<module>:68",
    "mark:4;main:62;<module>:68",
    "mark:4;main:66;<module>:68",
];

#[test]
fn functions_have_their_names_and_lines_in_order() {
    needs_root!();
    let scratch = Scratch::new("python-kinds");
    let script = scratch.file("x.py", KINDS);
    with_each(|interpreter| {
        let finished = traced(interpreter, PROBE, &script).lossless();
        assert_eq!(functions(finished.text()), KINDS_EXPECTED, "{finished}");
        // Of the interpreter's function that runs them nothing is left, and the stacks are whole.
        let text = finished.text();
        assert!(!text.contains("_PyEval_EvalFrameDefault"), "{finished}");
        assert_eq!(text.matches("_start+").count(), KINDS_EXPECTED.len());
        // What is executed has no file.
        assert!(text.contains("<module> (<string>:1)"), "{finished}");
    });
}

#[test]
fn calls_through_c_are_where_they_happened() {
    needs_root!();
    let scratch = Scratch::new("python-through-c");
    let script = scratch.file(
        "x.py",
        "import os\ndef key(n):\n    os.getppid()\n    return n\ndef main():\n    sorted([1], key=key)\nmain()\n",
    );
    with_each(|interpreter| {
        let finished = traced(interpreter, PROBE, &script).lossless();
        let lines: Vec<_> = finished.text().lines().map(str::trim).collect();
        let at = |start: &str| lines.iter().position(|line| line.starts_with(start));
        let (key, main) = (at("key (").unwrap(), at("main (").unwrap());
        assert!(main > key + 1, "{finished}");
        let inside = at("getppid+").unwrap();
        assert!(inside < key, "{finished}");
    });
}

#[test]
fn threads_have_frames_of_their_own() {
    needs_root!();
    let scratch = Scratch::new("python-threads");
    let script = scratch.file(
        "x.py",
        "import os, threading\n\
         gate = threading.Barrier(3)\n\
         def first():\n    gate.wait(); os.getppid(); gate.wait()\n\
         def second():\n    gate.wait(); gate.wait(); os.getppid()\n\
         threads = [threading.Thread(target=run) for run in (first, second)]\n\
         for thread in threads:\n    thread.start()\n\
         gate.wait()\n\
         gate.wait()\n\
         for thread in threads:\n    thread.join()\n\
         os.getppid()\n",
    );
    with_each(|interpreter| {
        let finished = traced(interpreter, PROBE, &script).lossless();
        assert_eq!(
            functions(finished.text()),
            ["first:4", "second:6", "<module>:14"],
            "{finished}"
        );
        let threads = finished.text().matches("Thread.run (").count();
        assert_eq!(threads, 2, "{finished}");
    });
}

/// The interpreter by a name of its own, which its processes have, and that name.
fn renamed(interpreter: &Path, scratch: &Scratch, name: &str) -> (PathBuf, String) {
    let name = own_name(name);
    let link = scratch.path().join(&name);
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(interpreter, &link).expect("it is linked");
    (link, name)
}

#[test]
fn a_process_that_runs_already() {
    needs_root!();
    let scratch = Scratch::new("python-running");
    let script = scratch.file(
        "x.py",
        "import os, sys\ndef work():\n    os.getppid()\nfor _ in sys.stdin:\n    work()\n    break\n",
    );
    with_each(|interpreter| {
        let mut python = Command::new(interpreter)
            .arg(&script)
            .stdin(Stdio::piped())
            .spawn()
            .expect("it starts");
        let pid = python.id().to_string();
        let probe = probe_of("true");
        let running = Tracer::new(["-e", &probe, "-p", &pid]).start().attached();
        let mut input = python.stdin.take().expect("it has an input");
        input.write_all(b"\n").expect("it reads");
        python.wait().expect("it ends");
        let finished = running.finish().lossless();
        assert_eq!(
            functions(finished.text()),
            ["work:3;<module>:5"],
            "{finished}"
        );
    });
}

/// Calls what the script looks at as often as it is told, with pauses.
const REPEATED: &str = "import os, sys, time
def work():
    os.getppid()
for _ in range(int(sys.argv[1])):
    work()
    time.sleep(0.05)
";

/// More often than it takes to make a table, on any machine.
const LONG: &str = "1200";

#[test]
fn processes_that_start_later() {
    needs_root!();
    let scratch = Scratch::new("python-later");
    let script = scratch.file("x.py", REPEATED);
    with_each(|interpreter| {
        let (link, name) = renamed(interpreter, &scratch, "late");
        let probe = probe_of(&format!("comm == \"{name}\""));
        let running = Tracer::new(["-e", &probe]).start().attached();
        let python = |times: &str| {
            let mut command = Command::new(&link);
            command.arg(&script).arg(times).spawn().expect("it starts")
        };
        // The stacks of the first one have C functions alone, until the table is there.
        let mut first = python(LONG);
        let running = running.printed("x.py:3");
        first.kill().expect("it runs");
        first.wait().expect("it ends");
        python("3").wait().expect("it ends");
        running.interrupt();
        let finished = running.finish().lossless();
        let found = functions(finished.text());
        assert!(found.len() > 3, "{finished}");
        assert!(
            found.iter().all(|stack| stack == "work:3;<module>:5"),
            "{finished}"
        );
    });
}

#[test]
fn a_process_that_ends_at_once_and_a_file_that_is_gone() {
    needs_root!();
    let scratch = Scratch::new("python-ends");
    let text =
        "import os\nos.unlink(__file__)\ndef last():\n    os.getppid(); os._exit(0)\nlast()\n";
    with_each(|interpreter| {
        let script = scratch.file("x.py", text);
        let finished = traced(interpreter, PROBE, &script).lossless();
        assert_eq!(
            functions(finished.text()),
            ["last:4;<module>:5"],
            "{finished}"
        );
    });
}

#[test]
fn names_of_any_characters_and_length() {
    needs_root!();
    let scratch = Scratch::new("python-names");
    let long = "n".repeat(300);
    let text = format!(
        "import os\n\
         def caf\u{e9}():\n    os.getppid()\n\
         def \u{416}\u{438}():\n    caf\u{e9}()\n\
         def \u{20000}():\n    \u{416}\u{438}()\n\
         def {long}():\n    \u{20000}()\n\
         {long}.__code__ = {long}.__code__.replace(co_qualname='a\\x1b[31m\\n' + 'n' * 300)\n\
         {long}()\n"
    );
    let script = scratch.file("x.py", text);
    with_each(|interpreter| {
        let finished = traced(interpreter, PROBE, &script).lossless();
        // What a terminal would obey is escaped, and what is too long is cut.
        let cut = format!("a\\x1b[31m\\x0a{}..", "n".repeat(256 - 7));
        let expected = format!("caf\u{e9}:3;\u{416}\u{438}:5;\u{20000}:7;{cut}:9;<module>:11");
        assert_eq!(functions(finished.text()), [expected], "{finished}");
    });
}

/// Programs remember only so many functions to have copied.
#[test]
fn more_functions_than_are_remembered() {
    needs_root!();
    let scratch = Scratch::new("python-many");
    // With pauses, in which the tracer takes what was copied.
    let text = "import os, time
kept = []
for number in range(20000):
    name = f'made_{number}'
    made = {}
    exec(compile(f'def {name}(): os.getppid()', 'x.py', 'exec'), {'os': os}, made)
    kept.append(made[name])
    kept[-1]()
    if number % 100 == 0:
        time.sleep(0.01)
for function in kept[:3]:
    function()
";
    let script = scratch.file("made.py", text);
    let interpreter = interpreters().pop();
    let Some(interpreter) = interpreter else {
        println!("skip: no python3.11, python3.12 or python3.13 is installed");
        return;
    };
    let probe = PROBE.replace("print(ustack)", "@[ustack] = count()");
    let finished = traced(&interpreter, &probe, &script);
    let lines = finished.text().lines().map(str::trim);
    let names: BTreeSet<_> = lines.filter(|line| line.starts_with("made_")).collect();
    // On a busy machine some may be lost, and that is said.
    let lost = finished.lost("of functions of Python") as usize;
    assert_eq!(names.len() + lost, 20_000, "{}", finished.messages());
    assert!(names.len() > 16_384, "{}", finished.messages());
}

#[test]
fn deep_recursion_is_whole() {
    needs_root!();
    let scratch = Scratch::new("python-deep");
    let text = "import os, functools
def deep(n):
    return deep(n - 1) if n else os.getppid()
def through_c(n):
    return functools.reduce(lambda _, n: through_c(n - 1), [n], n) if n else os.getppid()
deep(20)
deep(900)
through_c(100)
";
    let script = scratch.file("x.py", text);
    with_each(|interpreter| {
        let finished = traced(interpreter, PROBE, &script).lossless();
        let found = functions(finished.text());
        for (found, calls) in found.iter().zip([21, 901]) {
            let line = if calls == 21 { 6 } else { 7 };
            let expected = format!("{}<module>:{line}", "deep:3;".repeat(calls));
            assert_eq!(*found, expected, "{finished}");
        }
        let turn = "through_c.<locals>.<lambda>:5;through_c:5;".repeat(100);
        let expected = format!("through_c:5;{turn}<module>:8");
        assert_eq!(found[2], expected, "{finished}");
    });
}

#[test]
fn page_faults_and_time_are_told_by_function() {
    needs_root!();
    let scratch = Scratch::new("python-costs");
    let script = scratch.file(
        "x.py",
        "import time\n\
         def takes_memory():\n    return bytearray(1 << 22)\n\
         def takes_time():\n    end = time.thread_time() + 0.5\n    while time.thread_time() < end:\n        pass\n\
         kept = [takes_memory() for _ in range(4)]\n\
         takes_time()\n",
    );
    with_each(|interpreter| {
        for (probe, function, least) in [
            ("software:page-faults:1", "takes_memory (", 4 << 10),
            ("profile:hz:199", "takes_time (", 60),
        ] {
            let probe = format!("{probe} {{ @[ustack] = count(); }}");
            let finished = traced(interpreter, &probe, &script);
            let counts = finished.text().split("\n@[").filter_map(|row| {
                let count = row.rsplit_once("]: ")?.1.trim().parse::<u64>().ok()?;
                row.contains(function).then_some(count)
            });
            let count: u64 = counts.sum();
            assert!(count >= least, "{function} has {count}: {finished}");
        }
    });
}

#[test]
fn each_form_of_output_has_them() {
    needs_root!();
    let scratch = Scratch::new("python-forms");
    let script = scratch.file("x.py", "import os\ndef f():\n    os.getppid()\nf()\n");
    let place = script.display();
    with_each(|interpreter| {
        let mode = |mode: &str| {
            let probe = PROBE.replace("ustack", &format!("ustack({mode})"));
            let finished = traced(interpreter, &probe, &script).lossless();
            finished.text().to_owned()
        };
        let text = mode("perf");
        let line = format!("\t0 f ({place}:3)\n\t0 <module> ({place}:4)\n");
        assert!(text.contains(&line), "{text}");
        let text = mode("raw");
        let line = format!("\nf ({place}:3)\n<module> ({place}:4)\n");
        assert!(text.contains(&line), "{text}");
        // By frame pointers none is found.
        let text = mode("fp");
        assert!(!text.contains("x.py"), "{text}");
        let command = format!("{} '{place}'", interpreter.display());
        let finished = Tracer::new(["-q", "-f", "json", "-e", PROBE, "-c", &command])
            .run()
            .lossless();
        let line = format!("f ({place}:3)\\n");
        assert!(finished.text().contains(&line), "{finished}");
    });
}

#[test]
fn an_interpreter_in_another_pid_namespace() {
    needs_root!();
    let scratch = Scratch::new("python-namespace");
    let script = scratch.file("x.py", REPEATED);
    with_each(|interpreter| {
        let (link, name) = renamed(interpreter, &scratch, "away");
        let command = format!(
            "unshare --pid --fork --mount-proc '{}' '{}' {LONG}",
            link.display(),
            script.display()
        );
        let probe = probe_of(&format!("comm == \"{name}\""));
        let tracer = Tracer::new(["-q", "-e", &probe, "-c", &command]);
        let running = tracer.start().printed("x.py:3");
        running.interrupt();
        let finished = running.finish();
        let found = functions(finished.text());
        assert!(!found.is_empty(), "{finished}");
        assert!(
            found.iter().all(|stack| stack == "work:3;<module>:5"),
            "{finished}"
        );
    });
}

/// A process that says it is an interpreter, and whose frames go in circles, everywhere and nowhere.
#[test]
fn a_process_that_lies_has_wrong_names_and_no_more() {
    needs_root!();
    let scratch = Scratch::new("python-lies");
    let text = r#"
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
const unsigned long Py_Version = 0x030b02f0;
char PyCode_Type[64];
uint64_t _PyRuntime[16];
static uint64_t interpreter[32], thread[64], frames[2][16], code[32], name[128], nothing[32];
static void put_byte(void *at, int offset, char byte) { ((char *)at)[offset] = byte; }
__attribute__((noinline)) static void run(int kind)
{
	volatile uint64_t anchor[4] = {0};
	anchor[1] = (uint64_t)frames[0];
	/* The anchor before it is the same. */
	anchor[2] = (uint64_t)anchor;
	thread[56 / 8] = (uint64_t)anchor;
	getppid();
	anchor[1] = kind;
}
int main(void)
{
	_PyRuntime[40 / 8] = (uint64_t)interpreter;
	interpreter[0] = (uint64_t)interpreter;
	for (int kind = 0; kind < 7; kind++) {
		memset(thread, 0, sizeof thread);
		interpreter[16 / 8] = (uint64_t)thread;
		/* No thread is this one, and the list of them has no end. */
		thread[152 / 8] = kind == 0 ? 1 : (uint64_t)pthread_self();
		thread[8 / 8] = (uint64_t)thread;
		for (int i = 0; i < 2; i++) {
			/* The last has none that is of code. */
			frames[i][32 / 8] = (uint64_t)(kind < 6 ? code : nothing);
			/* In circles, to nowhere, or into the kernel. */
			frames[i][48 / 8] = kind < 3 || kind == 6 ? (uint64_t)frames[!i] : kind == 3 ? 8 : ~0ull << 47;
			frames[i][56 / 8] = kind * 0x123456789ull;
		}
		put_byte(frames[1], 68, kind == 5);
		code[1] = (uint64_t)PyCode_Type;
		code[128 / 8] = code[112 / 8] = (uint64_t)name;
		code[136 / 8] = kind == 2 ? 8 : (uint64_t)name;
		/* Longer than anything, and of characters of 7 bytes. */
		name[16 / 8] = ~0ull >> kind;
		name[32 / 8] = (kind + 2) << 2 | 1 << 6;
		memset(name + 6, 0x1b, 512);
		code[0] = kind;
		run(kind);
	}
	return 0;
}
"#;
    let flags = ["-O1", "-rdynamic", "-fomit-frame-pointer", "-w"];
    let program = scratch.compiled_with("lies", text, &flags);
    let command = format!("'{}'", program.display());
    let finished = Tracer::new(["-e", PROBE, "-c", &command])
        .run()
        .has_no_crash();
    let stacks: Vec<_> = finished.text().split("\n\n").collect();
    assert!(stacks.len() >= 7, "{finished}");
    // Those that run in circles fill the stack, or are given up, and those that lead nowhere end.
    let words = |stack: &str| stack.lines().filter(|line| line.contains(" (")).count();
    let counts: Vec<_> = stacks.iter().map(|stack| words(stack)).collect();
    assert_eq!(counts[..7], [0, 2047, 2047, 1, 1, 1, 0], "{finished}");
    let given_up = "1 stack of tracepoint:syscalls:sys_enter_getppid ends before the start";
    assert!(finished.messages().contains(given_up), "{finished}");
    // What is outside of Python is as it was.
    assert!(stacks[0].contains("main+"), "{finished}");
    assert!(!finished.text().contains('\x1b'), "{finished}");
}
