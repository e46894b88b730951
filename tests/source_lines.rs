//! Source files, lines and inlined functions of frames, from each form in which compilers and distributions leave them.

mod support;

use pfscript_testkit::needs_root;
use std::path::{Path, PathBuf};
use support::tools::{take_symbols, tool};
use support::{Scratch, Tracer, stacks};

/// A function that is inlined into another one touches 50 pages. Lines that are asked for are marked.
const SOURCE: &str = r#"#include "workload.h"

static inline __attribute__((always_inline)) void inlined(volatile char *page)
{
    *page = 1; // touched
}

__attribute__((noinline)) static void touch_each(volatile char *memory)
{
    for (long page = 0; page < 50; page++)
        inlined(memory + page * 4096); // inlined here
    if (memory[0])
        exit(0);
}

/* The call is its last instruction. */
__attribute__((noinline)) static void last_call(volatile char *memory)
{
    touch_each(memory); // called
    __builtin_unreachable();
}

int main(void)
{
    last_call(anonymous(50, MADV_NOHUGEPAGE)); // never returns
    return 0;
}
"#;

/// The line of the source with this remark.
fn line(remark: &str) -> usize {
    let remark = format!("// {remark}");
    let found = SOURCE.lines().position(|line| line.ends_with(&remark));
    1 + found.expect("the remark is there")
}

fn compiled(name: &str, flags: &[&str]) -> (Scratch, PathBuf) {
    let scratch = Scratch::new(name);
    let all: Vec<&str> = ["-O1", "-fno-optimize-sibling-calls", "-fno-shrink-wrap"]
        .iter()
        .chain(flags)
        .copied()
        .collect();
    let program = scratch.compiled_with("lines", SOURCE, &all);
    (scratch, program)
}

/// The stack of the function that touches 50 pages.
#[track_caller]
fn stack(program: &Path, mode: &str) -> Vec<String> {
    let script = format!(
        "config = {{ show_debug_info = true }} software:page-faults:1 /comm == \"lines\"/ {{ @[ustack({mode}, 4)] = count(); }}"
    );
    let command = format!("'{}'", program.display());
    let finished = Tracer::new(["-e", &script, "-c", &command])
        .run()
        .lossless();
    stacks::only(&finished, 50)
}

/// The frames, without the offsets, which are the compiler's.
#[track_caller]
fn assert_lines(program: &Path, what: &str) {
    let frames: Vec<String> = stack(program, "bpftrace")
        .iter()
        .map(|frame| match frame.split_once('+') {
            Some((name, rest)) => {
                let rest = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
                format!("{name}{rest}")
            }
            None => frame.clone(),
        })
        .collect();
    let folder = program.parent().expect("it is in a folder").display();
    let at = |name: &str, remark: &str| format!("{name}@{folder}/lines.c:{}", line(remark));
    let expected = [
        at("[inlined] inlined", "touched"),
        at("touch_each", "inlined here"),
        at("last_call", "called"),
        at("main", "never returns"),
    ];
    assert_eq!(frames[..4], expected, "{what}: {frames:?}");
}

#[test]
fn frames_have_lines_and_inlined_functions_in_every_form_of_dwarf() {
    needs_root!();
    for flags in [
        &[][..],
        &["-gdwarf-4"],
        &["-gz=zlib"],
        &["-gz=zlib-gnu"],
        &["-gdwarf-5", "-gsplit-dwarf"],
        &["-gdwarf-4", "-gsplit-dwarf"],
    ] {
        let (_scratch, program) = compiled("lines", flags);
        assert_lines(&program, &flags.join(" "));
    }
    let (scratch, program) = compiled("zstd", &[]);
    tool(
        scratch.path(),
        "objcopy",
        &[
            "--compress-debug-sections=zstd".as_ref(),
            program.as_os_str(),
        ],
    );
    assert_lines(&program, "zstd");
}

#[test]
fn lines_of_a_stripped_program_are_in_its_debug_file() {
    needs_root!();
    let (scratch, program) = compiled("stripped", &["-gz=zlib"]);
    let folder = scratch.path();
    take_symbols(folder, "lines");
    tool(
        folder,
        "objcopy",
        &["--add-gnu-debuglink=lines.debug", "lines"],
    );
    assert_lines(&program, "a debug file");
}

#[test]
fn split_dwarf_is_found_in_a_package_and_else_in_its_own_file() {
    needs_root!();
    let (scratch, program) = compiled("split", &["-gdwarf-5", "-gsplit-dwarf", "-gz=none"]);
    let folder = scratch.path();
    let split = std::fs::read_dir(folder)
        .expect("it is ours")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension() == Some("dwo".as_ref()))
        .expect("the compiler made one");
    let content = std::fs::read(&split).expect("it is ours");
    // Without it the functions that stay are those of the table of symbols.
    std::fs::remove_file(&split).expect("it is ours");
    let frames = stack(&program, "bpftrace");
    assert!(frames[0].starts_with("touch_each+"), "{frames:?}");
    // One that was made of another source.
    let (other, _) = compiled("other", &["-gdwarf-5", "-gsplit-dwarf", "-DOTHER", "-O2"]);
    let name = split.file_name().expect("it has a name");
    std::fs::copy(other.path().join(name), &split).expect("it is ours");
    let frames = stack(&program, "bpftrace");
    assert!(frames[0].starts_with("touch_each+"), "{frames:?}");
    std::fs::write(&split, content).expect("it is ours");
    assert_lines(&program, "a file of its own");
    // The tool of the binutils packages version 4 alone.
    let (scratch, program) = compiled("package", &["-gdwarf-4", "-gsplit-dwarf"]);
    let folder = scratch.path();
    tool(folder, "dwp", &["-e", "lines", "-o", "lines.dwp"]);
    for entry in std::fs::read_dir(folder).expect("it is ours") {
        let path = entry.expect("it is ours").path();
        if path.extension() == Some("dwo".as_ref()) {
            std::fs::remove_file(path).expect("it is ours");
        }
    }
    assert_lines(&program, "a package");
}

#[test]
fn other_modes_have_no_lines() {
    needs_root!();
    let (_scratch, program) = compiled("modes", &[]);
    let frames = stack(&program, "perf");
    assert!(frames[0].ends_with(" inlined (inlined)"), "{frames:?}");
    let place = format!(" ({})", program.display());
    assert!(
        frames[1].contains(" touch_each+") && frames[1].ends_with(&place),
        "{frames:?}"
    );
    let frames = stack(&program, "raw");
    let is_number = |frame: &String| u64::from_str_radix(frame, 16).is_ok();
    assert!(frames.iter().all(is_number), "{frames:?}");
}

/// The address behind a call that never returns is that of the next function.
#[test]
fn a_function_that_ends_with_a_call_keeps_its_name() {
    needs_root!();
    let (_scratch, program) = compiled("noreturn", &["-g0", "-O2", "-fno-reorder-functions"]);
    let script = "software:page-faults:1 /comm == \"lines\"/ { @[ustack(3)] = count(); }";
    let command = format!("'{}'", program.display());
    let finished = Tracer::new(["-e", script, "-c", &command]).run().lossless();
    let text = finished.text();
    let row = text.split("@[\n").find(|row| row.contains("]: 50\n"));
    let row = row.unwrap_or_else(|| panic!("no row: {finished}"));
    let names: Vec<&str> = row
        .lines()
        .take(3)
        .filter_map(|line| line.trim().split('+').next())
        .collect();
    assert_eq!(names, ["touch_each", "last_call", "main"], "{finished}");
}
