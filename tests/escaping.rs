//! What comes from outside reaches the output without any byte that could steer a terminal or forge a line.

mod support;

use pfscript_testkit::needs_root;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use support::{Finished, Scratch, Tracer, repository_file};

/// Names itself by its first argument, opens its second, touches some memory.
const HOSTILE: &str = r#"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    if (argc != 3 || prctl(PR_SET_NAME, argv[1]))
        return 1;
    int file = open(argv[2], O_RDWR | O_CREAT, 0600);
    if (file < 0 || ftruncate(file, 20 * 4096))
        return 1;
    volatile char *memory = mmap(0, 20 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    for (int i = 0; i < 20; i++)
        memory[i * 4096] = 1;
    return 0;
}
"#;

/// An escape sequence, a line feed and a forged row, a byte that is no UTF-8, a C1 control in UTF-8, a delete.
const NAME: &[u8] = b"e\x1b[31m\n@: 9\xff\xc2\x9b\x7f";

/// Fails if there is a control character but line feeds, or anything that is not UTF-8.
#[track_caller]
fn is_clean(finished: &Finished) {
    for bytes in [&finished.out, &finished.err] {
        let text = std::str::from_utf8(bytes).unwrap_or_else(|_| panic!("not UTF-8: {bytes:?}"));
        let raw = text
            .chars()
            .find(|character| character.is_control() && *character != '\n');
        assert_eq!(raw, None, "{text:?} of {:?}", finished.shown);
    }
}

struct Hostile {
    // Removed with the value.
    _scratch: Scratch,
    command: Vec<u8>,
}

/// The command line of a process with a hostile name, which opens and maps a file with one.
fn hostile() -> Hostile {
    let scratch = Scratch::new("hostile");
    let program = scratch.compiled("hostile", HOSTILE);
    let mut command = format!("'{}' '", program.display()).into_bytes();
    command.extend_from_slice(NAME);
    command.extend_from_slice(b"' '");
    command.extend_from_slice(scratch.path().as_os_str().as_bytes());
    command.push(b'/');
    command.extend_from_slice(NAME);
    command.push(b'\'');
    Hostile {
        _scratch: scratch,
        command,
    }
}

impl Hostile {
    fn trace(&self, script: &str) -> Finished {
        // A command line that is no UTF-8 is nothing that `-c` takes, so a script of the shell's stands between.
        let folder = Scratch::new("hostile-command");
        let mut text = b"#!/bin/sh\nexec ".to_vec();
        text.extend_from_slice(&self.command);
        let file = folder.file("run", text);
        let command = format!("sh '{}'", file.display());
        Tracer::new(["-q", "-e", script, "-c", &command]).run().ok()
    }
}

#[test]
fn names_of_processes_are_escaped_wherever_they_are_printed() {
    needs_root!();
    let hostile = hostile();
    // The kernel cuts the name after 15 bytes.
    for (script, shown) in [
        (
            "software:page-faults:1 { @[comm] = count(); }",
            "@[e\\x1b[31m\\x0a@: 9\\xff",
        ),
        (
            "software:page-faults:1 { @[comm, 1] = count(); }",
            "@[e\\x1b[31m\\x0a@: 9\\xff",
        ),
        (
            "software:page-faults:1 { @ = comm; }",
            "@: e\\x1b[31m\\x0a@: 9\\xff",
        ),
        (
            "software:page-faults:1 { printf(\"%s|\\n\", comm); }",
            "e\\x1b[31m\\x0a@: 9\\xff",
        ),
        (
            "software:page-faults:1 { printf(\"%-40s|\\n\", comm); }",
            "e\\x1b[31m\\x0a@: 9\\xff",
        ),
        (
            "software:page-faults:1 { print(comm); }",
            "e\\x1b[31m\\x0a@: 9\\xff",
        ),
        (
            "software:page-faults:1 { print((1, comm)); }",
            "(1, e\\x1b[31m\\x0a@: 9\\xff",
        ),
        (
            "software:page-faults:1 { @[ustack(1), comm] = count(); }",
            ", e\\x1b[31m\\x0a@: 9\\xff",
        ),
        (
            "software:page-faults:1 { @h[comm] = hist(1); }",
            "@h[e\\x1b[31m\\x0a@: 9\\xff",
        ),
        (
            "software:page-faults:1 { printf(\"%s\\n\", str(curtask->comm)); }",
            "e\\x1b[31m\\x0a@: 9\\xff",
        ),
    ] {
        let finished = hostile.trace(script);
        is_clean(&finished);
        assert!(finished.text().contains(shown), "{script}: {finished}");
    }
}

#[test]
fn names_of_files_are_escaped() {
    needs_root!();
    let hostile = hostile();
    let shown = "e\\x1b[31m\\x0a@: 9\\xff";
    let script = "tracepoint:syscalls:sys_enter_openat /comm != \"sh\"/ { @[str(args.filename)] = count(); }";
    let finished = hostile.trace(script);
    is_clean(&finished);
    assert!(finished.text().contains(&format!("/{shown}")), "{finished}");
    let script = fs::read_to_string(repository_file("scripts/ffaults.pf")).expect("it is shipped");
    let finished = hostile.trace(&script);
    is_clean(&finished);
    let row = finished
        .text()
        .lines()
        .find(|line| line.ends_with("]: 20"))
        .expect("its pages are counted");
    assert_eq!(row.matches(shown).count(), 2, "{finished}");
    // A line feed in a name makes no line.
    assert!(
        !finished.text().lines().any(|line| line.starts_with("@: ")),
        "{finished}"
    );
}

#[test]
fn names_of_functions_are_escaped() {
    needs_root!();
    let scratch = Scratch::new("symbols");
    let program = scratch.compiled(
        "symbols",
        "#include <sys/mman.h>\n\
         void hostile(volatile char *memory) __asm__(\"\\\"evil\\033[31m\\\"\");\n\
         void hostile(volatile char *memory) { for (int i = 0; i < 60; i++) memory[i * 4096] = 1; }\n\
         int main(void)\n{\n\
         void *memory = mmap(0, 60 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n\
         madvise(memory, 60 * 4096, MADV_NOHUGEPAGE);\n\
         hostile(memory);\nreturn 0;\n}\n",
    );
    let script = "software:page-faults:1 { @[ustack, pid, comm] = count(); }";
    let finished = Tracer::new(["-q", "-e", script, "-c", &program.display().to_string()])
        .run()
        .ok();
    is_clean(&finished);
    assert!(finished.text().contains("evil\\x1b[31m+"), "{finished}");
}

#[test]
fn scripts_and_arguments_are_escaped_in_messages() {
    let scratch = Scratch::new("messages");
    let script = "BEGIN { \x1b[31m }";
    let file = scratch.file("red\x1b[31m.pf", script);
    for tracer in [
        Tracer::script(script),
        Tracer::new([&file]),
        Tracer::script("BEGIN { print(\"\x1b[31m\" + 1); }"),
        Tracer::script("BEGIN { /* \u{9b}31m */ nothing(); }"),
        Tracer::new(["/no/such/\x1b[31mfile"]),
        Tracer::new(["-l", "\x1b[31m*"]),
        Tracer::new(["-e", "BEGIN { }", "-c", "/no/such/\x1b[31mcommand"]),
        Tracer::new(["-e", "BEGIN { }", "-o", "/no/such/\x1b[31mfile"]),
        Tracer::new(["-e", "software:$1:1 { }", "\x1b[31m"]),
        Tracer::script("BEGIN { exit(); }").env("PFSCRIPT_MAX_STRLEN", "\x1b[31m"),
    ] {
        let finished = tracer.run().expect(1);
        is_clean(&finished);
        assert!(
            finished.messages().contains("\\x1b")
                || finished.messages().contains("\\xc2\\x9b")
                || finished.messages().contains("\\u{9b}"),
            "{finished:?}"
        );
    }
}

/// What a script prints itself is its own affair: colours are wanted there.
#[test]
fn the_scripts_own_format_passes() {
    needs_root!();
    let finished = Tracer::new([
        "-q",
        "-e",
        "BEGIN { printf(\"\\033[1mbold\\x1b[0m\\n\"); exit(); }",
    ])
    .run()
    .ok();
    assert_eq!(finished.text(), "\x1b[1mbold\x1b[0m\n\n\n");
}

/// What a program says may have lines; what could steer the terminal is escaped there, too, and so are names.
#[test]
fn newlines_of_what_programs_say_pass() {
    needs_root!();
    let scratch = Scratch::new("says");
    let program = scratch.compiled(
        "says",
        "#include <sys/prctl.h>\n\
         __attribute__((noinline, noclone)) void say(const char *text) { __asm__ volatile(\"\" : : \"r\"(text) : \"memory\"); }\n\
         int main(void) { prctl(PR_SET_NAME, \"a\\nb\"); say(\"one\\ttwo\\nthree\\x1b[31m\"); return 0; }\n",
    );
    let program = program.display().to_string();
    let script = format!(
        "uprobe:'{program}':say {{ printf(\"%s|\\n\", str(arg0)); printf(\"%s|\\n\", comm); @ = str(arg0); exit(); }}"
    )
    .replace('\'', "\"");
    let finished = Tracer::new(["-q", "-e", &script, "-c", &program]).run();
    let expected = "one\ttwo\nthree\\x1b[31m|\na\\x0ab|\n\n\n@: one\\x09two\\x0athree\\x1b[31m\n";
    assert_eq!(finished.text(), expected, "{finished}");
}
