//! Stacks of Go programs: through what runs on a thread's own stack, to the goroutine that had it run.

mod support;

use pfscript_testkit::needs_root;
use std::path::PathBuf;
use std::process::Command;
use support::{Scratch, Tracer, stacks};

/// Goroutines with deep stacks that grow, memory that the collector looks through, and a system call from a known place.
const PROGRAM: &str = r#"
package main

import (
	"runtime"
	"sync"
	"syscall"
)

type tree struct {
	left, right *tree
	some        []byte
}

//go:noinline
func build(depth int) *tree {
	made := &tree{some: make([]byte, 256)}
	if depth > 0 {
		made.left = build(depth - 1)
		made.right = build(depth - 1)
	}
	return made
}

//go:noinline
func down(n int) int {
	var many [64]int
	many[n&63] = n
	if n == 0 {
		return 0
	}
	return down(n-1) + many[3]
}

//go:noinline
func leaf() {
	syscall.Rename("/none/such", "/none/such")
}

//go:noinline
func outer() int {
	var many [64]int
	leaf()
	return many[runtime.NumCPU()&63]
}

func main() {
	outer()
	var all sync.WaitGroup
	for i := 0; i < 8; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := 0; i < 10; i++ {
				build(10)
				down(100)
				runtime.Gosched()
			}
		}()
	}
	all.Wait()
	runtime.GC()
}
"#;

/// Functions of C that are called, and one of Go that they call.
const WITH_C: &str = r#"
package main

/*
#include <stdio.h>
static int down(int n) {
	volatile char many[4096];
	many[n] = 1;
	if (n > 0) return down(n - 1) + many[n];
	return rename("/none/such", "/none/such");
}
extern int back(int);
static int there(int n) { volatile int many[10]; many[3] = back(n); return many[3]; }
*/
import "C"
import "syscall"

//export back
func back(n C.int) C.int {
	syscall.Rename("/none/such", "/none/such")
	return n
}

func main() {
	C.down(5)
	C.there(1)
}
"#;

/// A program, built with these options of the Go command; `None` if there is no Go.
fn program(scratch: &Scratch, source: &str, options: &[&str]) -> Option<PathBuf> {
    if Command::new("go").arg("version").output().is_err() {
        println!("skip: Go is not installed");
        return None;
    }
    let source = scratch.file("many.go", source);
    let program = scratch.path().join("many");
    let done = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .args(options)
        .arg(&source)
        .env("GOCACHE", std::env::temp_dir().join("pfscript-go-cache"))
        .output()
        .expect("Go runs");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    Some(program)
}

/// As programs are built, without what debuggers need, and at any address.
const WAYS: [&[&str]; 3] = [&[], &["-ldflags=-s -w"], &["-buildmode=pie"]];

#[test]
fn functions_of_go_have_names_and_an_order_in_stripped_programs_too() {
    needs_root!();
    for options in WAYS {
        let scratch = Scratch::new("go-order");
        let Some(program) = program(&scratch, PROGRAM, options) else {
            return;
        };
        let script = "tracepoint:syscalls:sys_enter_renameat / pid == cpid / { @[ustack, pid, comm] = count(); }";
        let command = format!("'{}'", program.display());
        let finished = Tracer::new(["-q", "-e", script, "-c", &command])
            .run()
            .lossless();
        let rows = stacks::parse(finished.text());
        assert_eq!(rows.len(), 1, "{finished}");
        let functions = rows[0].frames.iter().map(|frame| {
            let name = frame.split('+').next().unwrap_or_default();
            name.trim_end_matches(".abi0")
        });
        let known = ["main.leaf", "main.outer", "main.main", "runtime.main"];
        let functions: Vec<&str> = functions.collect();
        let first = functions.iter().position(|name| *name == known[0]);
        let rest = &functions[first.unwrap_or_default()..];
        let expected = [&known[..], &["runtime.goexit"]].concat();
        assert_eq!(rest, expected, "{options:?}: {finished}");
    }
}

#[test]
fn stacks_of_go_are_whole_where_a_thread_works_for_a_goroutine() {
    needs_root!();
    for options in WAYS {
        let scratch = Scratch::new("go-whole");
        let Some(program) = program(&scratch, PROGRAM, options) else {
            return;
        };
        let script = "software:page-faults:1 / pid == cpid / { @[ustack, pid, comm] = count(); }";
        let command = format!("'{}'", program.display());
        let finished = Tracer::new(["-q", "-e", script, "-c", &command])
            .run()
            .lossless();
        let rows = stacks::parse(finished.text());
        let of = |holds: &dyn Fn(&[String]) -> bool| {
            let rows = rows.iter().filter(|row| holds(&row.frames));
            rows.map(|row| row.count).sum::<u64>()
        };
        let position = |frames: &[String], name: &str| {
            let mut names = frames.iter();
            names.position(|frame| frame.split(['+', '.']).nth(1) == Some(name))
        };
        // Nothing but the thread's own business has no goroutine behind it.
        let outermost = [
            "goexit",
            "rt0_go",
            "mstart",
            "mcall",
            "clone",
            "_rt0_amd64_linux",
        ];
        let whole = of(&|frames| {
            let last = frames.last().map(String::as_str).unwrap_or_default();
            let names = outermost.map(|name| format!("runtime.{name}"));
            // What is preempted gives up its goroutine, and looks for the next one.
            let gave_up = position(frames, "goschedImpl").is_some();
            gave_up
                || names.iter().any(|name| last.starts_with(name.as_str()))
                || last.starts_with("_")
        });
        let all = of(&|_| true);
        assert!(
            100 * whole >= 99 * all,
            "{options:?}: {whole} of {all}: {finished}"
        );
        // The heap grows on the thread's stack, for who allocates on the goroutine's.
        let grown = of(&|frames| {
            let from = position(frames, "systemstack");
            from.is_some_and(|from| {
                frames[from + 1..]
                    .iter()
                    .any(|frame| frame.starts_with("main.build+"))
            })
        });
        assert!(grown > 0, "{options:?}: {finished}");
        // So do stacks of goroutines.
        let deeper = of(&|frames| {
            let from = position(frames, "morestack");
            let behind = from.and_then(|from| frames.get(from + 1));
            behind.is_some_and(|frame| frame.starts_with("main."))
        });
        assert!(deeper > 0, "{options:?}: {finished}");
    }
}

/// C runs on the thread's stack. Who called it is on a goroutine's, and so is what it calls in Go, which has its functions left out.
#[test]
fn calls_of_c_and_calls_back_are_whole() {
    needs_root!();
    let scratch = Scratch::new("go-and-c");
    let Some(program) = program(&scratch, WITH_C, &[]) else {
        return;
    };
    let script =
        "tracepoint:syscalls:sys_enter_rename* / pid == cpid / { @[ustack, pid, comm] = count(); }";
    let command = format!("'{}'", program.display());
    let finished = Tracer::new(["-q", "-e", script, "-c", &command])
        .run()
        .lossless();
    let rows = stacks::parse(finished.text());
    let begins = |row: &&stacks::Row, name| row.function(0).ends_with(name);
    for (first, known) in [
        (
            "rename",
            [
                "down",
                "runtime.asmcgocall",
                "main._Cfunc_down",
                "main.main",
            ],
        ),
        (
            "syscall.Syscall6",
            [
                "_cgoexp_",
                "runtime.cgocallback",
                "main._Cfunc_there",
                "main.main",
            ],
        ),
    ] {
        let row = rows
            .iter()
            .find(|row| begins(row, first) || row.passes(first));
        let row = row.unwrap_or_else(|| panic!("{first}: {finished}"));
        let mut rest = row.frames.iter();
        for part in known.iter().chain(&["runtime.goexit"]) {
            assert!(
                rest.any(|frame| frame.starts_with(part)),
                "{part}: {finished}"
            );
        }
        assert_eq!(rest.next(), None, "{finished}");
    }
}
