//! What frames and symbols of processes are called, against what the files' own tools say of them.

mod support;

use pfscript_testkit::needs_root;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Finished, Scratch, Tracer};

/// A library with a function to put a probe on, and one that is stripped of its name.
const LIBRARY: &str = r#"
__attribute__((visibility("default"))) void mark(volatile void *address)
{
    __asm__ volatile("" : : "r"(address));
}
__attribute__((visibility("hidden"))) void hidden_in_library(volatile void *address)
{
    mark(address);
    __asm__ volatile("");
}
__attribute__((visibility("default"))) void mark_from_hidden(volatile void *address)
{
    hidden_in_library(address);
    __asm__ volatile("");
}
__attribute__((visibility("default"))) void *hidden_place(void)
{
    return hidden_in_library;
}
"#;

/// A program that calls `mark` with places in itself, in the library, in the vDSO, in memory that it could execute, and nowhere.
const PROGRAM: &str = r#"
#include "workload.h"
#include <dlfcn.h>
#include <sys/auxv.h>

static void (*mark)(volatile void *);

__attribute__((noinline)) static void own_place(volatile void *address)
{
    void (*from_hidden)(volatile void *) = (void (*)(volatile void *))address;
    from_hidden((void *)16);
    __asm__ volatile("");
}

int main(int argc, char **argv)
{
    if (argc != 2)
        usage("program LIBRARY");
    void *library = dlopen(argv[1], RTLD_NOW);
    if (!library)
        refused("dlopen");
    mark = (void (*)(volatile void *))dlsym(library, "mark");
    void *(*hidden_place)(void) = (void *(*)(void))dlsym(library, "hidden_place");
    void *code = mmap((void *)0x20000000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mark((char *)own_place + 4);
    mark((char *)hidden_place() + 4);
    mark((void *)getauxval(AT_SYSINFO_EHDR));
    mark((char *)code + 8);
    mark((void *)16);
    own_place(dlsym(library, "mark_from_hidden"));
    return 0;
}
"#;

/// The program and its library, and where the functions are that have no names once both are stripped.
struct Stripped {
    scratch: Scratch,
    program: PathBuf,
    library: PathBuf,
    own: u64,
    hidden: u64,
}

impl Stripped {
    fn new(name: &str, flags: &[&str]) -> Stripped {
        let scratch = Scratch::new(name);
        let program = scratch.compiled_with("program", PROGRAM, flags);
        let library = scratch.compiled("libmark.so.1.so", LIBRARY);
        let (own, hidden) = (
            address_of(&program, "own_place"),
            address_of(&library, "hidden_in_library"),
        );
        for file in [&program, &library] {
            run("strip", &[file]);
        }
        Stripped {
            scratch,
            program,
            library,
            own,
            hidden,
        }
    }

    /// Traces the program with a script, in which LIB is the library.
    #[track_caller]
    fn trace(&self, options: &[&str], script: &str) -> Finished {
        let (program, library) = (self.program.display(), self.library.display());
        let script = script.replace("LIB", &library.to_string());
        let command = format!("'{program}' '{library}'");
        let tracer = Tracer::new(options).args(["-e", &script, "-c", &command]);
        tracer.folder(self.scratch.path()).run().lossless()
    }
}

#[track_caller]
fn run<A: AsRef<std::ffi::OsStr>>(program: &str, arguments: &[A]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("can't run {program}: {error}"));
    assert!(output.status.success(), "{program} failed: {output:?}");
    String::from_utf8(output.stdout).expect("it prints text")
}

/// Where a symbol is, by the file's own count.
#[track_caller]
fn address_of(file: &Path, symbol: &str) -> u64 {
    let list = run("nm", &[file]);
    let line = list
        .lines()
        .find(|line| line.ends_with(&format!(" {symbol}")));
    let line = line.unwrap_or_else(|| panic!("no {symbol} in {}", file.display()));
    u64::from_str_radix(&line[..16], 16).expect("an address comes first")
}

#[test]
fn an_address_without_symbol_is_a_place_in_its_file() {
    needs_root!();
    // A program of each kind: at fixed addresses, and not.
    for flags in [&["-pie", "-fPIE"][..], &["-no-pie"]] {
        let stripped = Stripped::new("usym", flags);
        let finished = stripped.trace(
            &["-q"],
            r#"uprobe:LIB:mark { printf("%s\n", usym(arg0)); }"#,
        );
        let printed: Vec<&str> = finished.text().lines().collect();
        let expected = [
            format!("[program+{:#x}]", stripped.own + 4),
            format!("[libmark.so.1.so+{:#x}]", stripped.hidden + 4),
            "[vdso+0x0]".to_owned(),
            "[anon+0x20000008]".to_owned(),
            "0x10".to_owned(),
            "0x10".to_owned(),
        ];
        assert_eq!(printed[..6], expected, "{finished}");
    }
}

/// The two frames behind the first one of stacks of `mark`, which have no symbol: without and with the file in which they are.
#[test]
fn frames_without_symbols_are_places_in_their_files_in_every_form() {
    needs_root!();
    let stripped = Stripped::new("frames", &[]);
    let script = |mode: &str| {
        format!(
            "uprobe:LIB:mark /arg0 == 16/ {{ @n++; if (@n == 2) {{ print(ustack({mode}, 5)); }} }} END {{ clear(@n); }}"
        )
    };
    let frames = |options: &[&str], mode: &str| {
        let finished = stripped.trace(options, &script(mode));
        let text = finished.text().to_owned();
        (text, finished)
    };
    let (program, library) = (stripped.program.display(), stripped.library.display());
    // The kernel knows the caller of a function that was just entered since Linux 6.11, so it may be missing.
    let near = |text: &str, file: &str, start: u64| {
        let offsets = (0..0x100).map(|offset| format!("[{file}+{:#x}]", start + offset));
        offsets
            .into_iter()
            .find(|place| text.contains(place.as_str()))
    };
    for (options, mode) in [
        (&["-q"][..], "bpftrace"),
        (&["-q"], "perf"),
        (&["-q", "-f", "json"], "bpftrace"),
        (&["-q", "-f", "json"], "perf"),
    ] {
        let (text, finished) = frames(options, mode);
        assert!(text.contains("mark+0"), "{finished}");
        assert!(text.contains("mark_from_hidden+"), "{finished}");
        let own = near(&text, "program", stripped.own);
        let own = own.unwrap_or_else(|| panic!("the program's own frame has no name: {finished}"));
        if mode == "perf" {
            assert!(text.contains(&format!(" {own} ({program})")), "{finished}");
            let named = format!("mark+0 ({library})");
            assert!(text.contains(&named), "{finished}");
        }
    }
    let (text, finished) = frames(&["-q"], "raw");
    let mut numbers = text.split_whitespace();
    assert!(
        numbers.all(|word| u64::from_str_radix(word, 16).is_ok()),
        "{finished}"
    );
}
