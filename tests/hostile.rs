//! What traced processes can do to the tracer: each attack, with bounds on the memory and the time that it may cost.
//! `docs/security.md` says what is done against each.

mod support;

use pfscript_testkit::needs_root;
use std::path::PathBuf;
use support::stacks::{self, Row};
use support::{Scratch, Tracer};

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
    let source = scratch.file("symbols.c", source);
    let program = scratch.path().join("symbols");
    let headers = support::repository_file("tests/workloads");
    support::compile(&source, &program, &["-I", &headers]);
    program
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
    // 206 and 246 bytes; longer ones; and one of Rust's.
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
