//! Walks of stacks that real programs had, from the registers, the stack and the mappings that they print themselves.

use super::super::walk::{End, Registers, Walker};
use super::super::*;
use super::built::{Folder, run};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

/// Calls through a function of varying frame, one that aligns its stack, libc's qsort(), a recursion and a handler on a stack of
/// its own, or the dynamic linker, on the first thread or on another, and prints what a walk takes and should find. Each function says where it returns.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
static uint64_t returns[256], interrupted; static int depth;
static char *own_stack, *handler_stack; enum { OWN = 1 << 20, HANDLER = 1 << 16 };
volatile int sink;
#ifdef LAZY
extern int found(void); extern void (*hook)(void);
#endif
#define HERE returns[depth++] = (uint64_t)__builtin_return_address(0)
#define NOINLINE __attribute__((noinline, noclone))
static void words(uint64_t from, uint64_t to) {
    for (uint64_t at = from & ~7ull; at < to; at += 8) printf("word %lx %lx\n", at, *(uint64_t *)at);
}
NOINLINE static void print(void) {
    char line[4096]; ucontext_t here; uint64_t top = 0;
    getcontext(&here);
    greg_t *r = here.uc_mcontext.gregs;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps)) {
        unsigned long from, to; sscanf(line, "%lx-%lx", &from, &to);
        if (strstr(line, "[stack]")) top = to;
        printf("map %s", line);
    }
    printf("regs %llx %llx %llx %llx\n", r[REG_RIP], r[REG_RSP], r[REG_RBP], r[REG_RBX]);
    for (int i = depth - 1; i >= 0; i--) printf("return %lx\n", returns[i]);
    words((uint64_t)handler_stack, (uint64_t)handler_stack + HANDLER);
    words(interrupted, own_stack ? (uint64_t)own_stack + OWN : top);
    fflush(stdout);
}
static void hooked(void) {
    HERE; interrupted = (uint64_t)__builtin_frame_address(0) - 32768; print(); sink++;
}
static void handler(int number, siginfo_t *info, void *context) {
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs; interrupted = r[REG_RSP];
    returns[depth++] = r[REG_RIP]; HERE;
    print(); sink++;
}
NOINLINE static int recurses(int n) {
    HERE; 
#ifdef LAZY
    if (n == 0) found(); else
#else
    if (n == 0) raise(SIGUSR1); else
#endif
     recurses(n - 1);
    return sink++;
}
NOINLINE static int aligned(int n, ...) {
    HERE; __attribute__((aligned(64))) volatile char room[64]; room[n] = n;
    volatile char *more = alloca(n * 10); more[0] = n; recurses(n); return sink + room[n] + more[0];
}
static int order(const void *a, const void *b) {
    static int once; HERE; if (!once++) aligned(30, 1); else depth--;
    return sink++ ? *(char *)a - *(char *)b : 0;
}
NOINLINE static int varying(int n) {
    HERE; char *room = alloca(n); memset(room, n, n); qsort(room, n, 1, order); return sink + room[1];
}
static void *start(void *unused) {
    stack_t stack = { .ss_sp = handler_stack = calloc(1, HANDLER), .ss_size = HANDLER };
    sigaltstack(&stack, 0);
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigaction(SIGUSR1, &action, 0);
#ifdef LAZY
    hook = hooked;
#endif
    HERE; varying(500); sink++; return 0;
}
int main(int argc, char **argv) {
    if (argc > 1) {
        own_stack = mmap(0, OWN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        pthread_attr_t attributes; pthread_attr_init(&attributes);
        pthread_attr_setstack(&attributes, own_stack, OWN);
        pthread_t thread; pthread_create(&thread, &attributes, start, 0); pthread_join(thread, 0);
    } else { HERE; start(0); }
    return sink == 0;
}
"#;

/// What a program printed.
#[derive(Default)]
struct Printed {
    /// Of each part of a file that is mapped as code: from, to, offset, path.
    maps: Vec<(u64, u64, u64, String)>,
    registers: Vec<u64>,
    returns: Vec<u64>,
    words: HashMap<u64, u64>,
}

impl Printed {
    fn parse(text: &str) -> Printed {
        let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let mut printed = Printed::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["map", range, flags, offset, _, _, path] if flags.contains('x') => {
                    let (from, to) = range.split_once('-').unwrap();
                    let map = (hex(from), hex(to), hex(offset), path.to_owned());
                    printed.maps.push(map);
                }
                ["regs", ref registers @ ..] => {
                    printed.registers = registers.iter().map(|word| hex(word)).collect();
                }
                ["return", address] => printed.returns.push(hex(address)),
                ["word", address, word] => {
                    printed.words.insert(hex(address), hex(word));
                }
                _ => {}
            }
        }
        printed
    }

    /// The path of the file that an address lies in, and its offset there.
    fn place(&self, address: u64) -> Option<(&str, u64)> {
        let within = |map: &&(u64, u64, u64, String)| (map.0..map.1).contains(&address);
        let (from, _, offset, path) = self.maps.iter().find(within)?;
        Some((path, address - from + offset))
    }
}

#[test]
fn stacks_of_programs_are_walked_to_their_start() {
    let folder = Folder::new("live");
    let ways: [&[&str]; 5] = [
        &["-O0", "-pthread"],
        &["-O2", "-pthread"],
        &["-O2", "-pthread", "-fno-omit-frame-pointer"],
        &["-O2", "-pthread", "-fno-pie", "-no-pie", "-Wl,-z,lazy"],
        &["-O2", "-pthread", "-static"],
    ];
    for (number, flags) in ways.iter().enumerate() {
        let flags = [*flags, &["-fno-optimize-sibling-calls"]].concat();
        let path = folder.compile(&format!("way{number}"), SOURCE, &flags);
        for thread in [false, true] {
            check(&path, thread, if thread { 37 } else { 38 });
        }
    }
}

/// A library with a function of which there are several, one of which it picks when the function is first called.
const LIBRARY: &str = r#"
void (*hook)(void);
static int picked(void) { return 1; }
static void *pick(void) { hook(); return picked; }
int found(void) __attribute__((ifunc("pick")));
"#;

#[test]
fn functions_are_found_when_they_are_first_called() {
    let folder = Folder::new("lazy");
    let flags = ["-O2", "-fPIC", "-shared", "-fno-optimize-sibling-calls"];
    let library = folder.compile("library", LIBRARY, &flags);
    let library = library.to_str().unwrap();
    for level in ["-O0", "-O2"] {
        let flags = [
            level,
            "-pthread",
            "-DLAZY",
            "-fno-optimize-sibling-calls",
            "-Wl,-z,lazy",
            library,
        ];
        let path = folder.compile(&format!("lazy{level}"), SOURCE, &flags);
        for thread in [false, true] {
            check(&path, thread, if thread { 36 } else { 37 });
        }
    }
}

/// Runs a program and walks the stack that it prints, which has so many functions of its own.
fn check(path: &Path, thread: bool, functions: usize) {
    let mut program = Command::new(path);
    let text = run(program.args(thread.then_some("thread")));
    let printed = Printed::parse(&String::from_utf8(text).unwrap());
    let mut tables: HashMap<&str, Table> = HashMap::new();
    let registers = Registers {
        ip: printed.registers[0],
        sp: printed.registers[1],
        fp: printed.registers[2],
        lr: 0,
        bx: printed.registers[3],
        scratch: [0; 5],
    };
    let lookup = |address| {
        let (path, offset) = printed.place(address)?;
        let table = tables
            .entry(path)
            .or_insert_with(|| Table::read(&File::open(path).unwrap()).unwrap());
        Some(table.lookup(offset))
    };
    let memory = |address| printed.words.get(&address).copied();
    let (frames, end) = Walker::X86_64.walk(registers, true, 127, lookup, memory);
    let frames: Vec<u64> = frames.iter().map(|frame| frame.address).collect();
    let what = format!("{} {thread}: {frames:x?}", path.display());
    assert_eq!(end, End::Outermost, "{what}");
    // Every function returns where it said, in this order; those of libc are between them.
    let mut rest = frames.iter();
    for address in &printed.returns {
        assert!(rest.any(|frame| frame == address), "{address:x} of {what}");
    }
    assert_eq!(printed.returns.len(), functions, "{what}");
    for frame in &frames {
        assert!(printed.place(*frame).is_some(), "{frame:x} of {what}");
    }
}
