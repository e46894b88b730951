//! Arguments of programs' functions by name, and programs' own types, from each form of DWARF.

mod support;

use pfscript_testkit::needs_root;
use std::path::{Path, PathBuf};
use support::tools::{take_symbols, tool};
use support::{Scratch, Tracer};

const SOURCE: &str = r#"
#include <stdbool.h>

enum color { RED, GREEN = 5, BLUE };
struct part { int weight; struct part *next; };
typedef struct { short x, y; } place_t;
struct order {
    int number;
    char name[8];
    unsigned small : 3, large : 13;
    enum color color;
    place_t places[2];
    int matrix[2][3];
    union { long whole; struct { int low, high; }; };
    const struct part *parts;
    bool done;
};

__attribute__((noinline, noclone)) int handle(const struct order *order, unsigned char kind, char *const text, double rate, enum color color)
{
    __asm__ volatile("" : : "r"(order), "r"(text), "x"(rate), "r"(color) : "memory"); // held
    return kind;
}

int main(void)
{
    struct part last = {7, 0}, first = {-3, &last};
    struct order order = {42, "bolts", 5, 4097, GREEN, {{1, 2}, {3, -4}}, {{1, 2, 3}, {4, 5, 6}}, {0}, &first, true};
    order.low = 11;
    order.high = 12;
    return handle(&order, 200, "text", 1.5, BLUE) != 200;
}
"#;

/// What is printed of it, by the arguments' names alone.
const SCRIPT: &str = r#"uprobe:FILE:handle {
    $o = args.order;
    print(($o.number, $o.name, $o.small, $o.large, $o.color, $o.done));
    print(($o.places[1].y, $o.matrix[1][2], $o.low, $o.high, $o.parts->weight, $o.parts->next->weight));
    print((args.kind, str(args.text), sizeof(struct order), offsetof(struct order, parts), ((place_t *)$o.places).x));
    @order = *$o; print(@order.name); clear(@order);
    exit();
}"#;

const PRINTED: &str = "(42, bolts, 5, 4097, GREEN, true)
(-4, 6, 11, 12, -3, 7)
(200, text, 80, 64, 1)
bolts
";

fn compiled(name: &str, flags: &[&str]) -> (Scratch, PathBuf) {
    let scratch = Scratch::new(name);
    let all: Vec<&str> = ["-O1"].iter().chain(flags).copied().collect();
    let program = scratch.compiled_with("order", SOURCE, &all);
    (scratch, program)
}

#[track_caller]
fn assert_typed(program: &Path, what: &str) {
    let script = SCRIPT.replace("FILE", &program.display().to_string());
    let command = format!("'{}'", program.display());
    let finished = Tracer::new(["-q", "-e", &script, "-c", &command])
        .run()
        .lossless();
    assert_eq!(
        finished.text().trim_end(),
        PRINTED.trim_end(),
        "{what}: {finished}"
    );
}

#[test]
fn arguments_have_names_and_types_in_every_form_of_dwarf() {
    needs_root!();
    let forms: [&[&str]; 6] = [
        &["-gdwarf-5"],
        &["-gdwarf-4"],
        &["-gdwarf-3"],
        &["-gz=zlib"],
        &["-gdwarf-5", "-gsplit-dwarf"],
        &["-gdwarf-4", "-gsplit-dwarf"],
    ];
    for (number, flags) in forms.into_iter().enumerate() {
        let (_scratch, program) = compiled(&format!("typed-{number}"), &[flags, &["-g"]].concat());
        assert_typed(&program, &flags.join(" "));
    }
}

#[test]
fn those_of_a_stripped_program_are_in_its_debug_file() {
    needs_root!();
    let (scratch, program) = compiled("typed-stripped", &["-g"]);
    let folder = scratch.path();
    take_symbols(folder, "order");
    tool(
        folder,
        "objcopy",
        &["--add-gnu-debuglink=order.debug", "order"],
    );
    assert_typed(&program, "a file beside it");
}

#[test]
fn a_list_has_them_too() {
    let (_scratch, program) = compiled("typed-listed", &["-g"]);
    let listed = Tracer::new(["-lv", &format!("uprobe:{}:handle", program.display())]).run();
    let expected = format!(
        "uprobe:{}:handle\n    const struct order* order\n    unsigned char kind\n    char* const text\n    double rate\n    enum color color\n",
        program.display()
    );
    assert_eq!(listed.text(), expected, "{listed}");
}

#[test]
fn what_nothing_describes_is_said_where_it_is_used() {
    needs_root!();
    let (_scratch, program) = compiled("untyped", &["-g0"]);
    let file = program.display();
    let script = format!("uprobe:{file}:handle {{ print(args.kind); }}");
    let finished = Tracer::new(["-e", &script]).run().expect(1);
    let messages = finished.messages();
    assert!(
        messages.contains("nothing says what the arguments of `handle`"),
        "{finished}"
    );
    assert!(
        messages.contains("`arg0` is the first argument"),
        "{finished}"
    );
    let script = format!("uprobe:{file}:handle {{ print(((struct order *)arg0)->number); }}");
    let finished = Tracer::new(["-e", &script]).run();
    assert!(
        finished.messages().contains("no struct `order`"),
        "{finished}"
    );
    // What the script declares itself goes before.
    let (_scratch, program) = compiled("declared", &["-g"]);
    let script = format!(
        "struct order {{ short number; }} uprobe:{}:handle {{ print((sizeof(struct order), args.kind)); exit(); }}",
        program.display()
    );
    let command = format!("'{}'", program.display());
    let finished = Tracer::new(["-q", "-e", &script, "-c", &command])
        .run()
        .lossless();
    assert_eq!(finished.text().trim_end(), "(2, 200)", "{finished}");
}

/// The line of the source with this remark.
fn line(remark: &str) -> usize {
    let remark = format!("// {remark}");
    let found = SOURCE.lines().position(|line| line.ends_with(&remark));
    1 + found.expect("the remark is there")
}

#[test]
fn lines_of_source_are_places_in_every_form_of_dwarf() {
    needs_root!();
    let forms: [&[&str]; 4] = [
        &["-gdwarf-5"],
        &["-gdwarf-4"],
        &["-gdwarf-3"],
        &["-gdwarf-5", "-gsplit-dwarf"],
    ];
    for (number, flags) in forms.into_iter().enumerate() {
        let (_scratch, program) = compiled(&format!("lines-{number}"), &[flags, &["-g"]].concat());
        let file = program.display();
        let script = format!(
            "uprobe:{file}@order.c:{} {{ print((func, arg1)); @ = reg(\"pc\"); }}
            uprobe:{file}:handle {{ @start = reg(\"pc\"); }}
            END {{ print((@ >= @start, @ < @start + 64, @ != 0)); clear(@); clear(@start); }}",
            line("held")
        );
        let command = format!("'{file}'");
        let finished = Tracer::new(["-q", "-e", &script, "-c", &command])
            .run()
            .lossless();
        let expected = "(handle, 200)\n(true, true, true)";
        assert_eq!(
            finished.text().trim_end(),
            expected,
            "{flags:?}: {finished}"
        );
    }
}

#[test]
fn a_line_without_code_is_refused_and_so_is_a_program_without_lines() {
    needs_root!();
    let refused = |program: &Path, place: &str| {
        let script = format!("uprobe:{}@{place} {{ }}", program.display());
        let finished = Tracer::new(["-e", &script]).run().expect(1);
        finished.messages().to_owned()
    };
    let (_scratch, program) = compiled("lines-of-code", &["-g"]);
    for place in ["order.c:1", "order.c:100000", "other.c:30", "rder.c:30"] {
        let message = refused(&program, place);
        assert!(message.contains(&format!("begins at {place}")), "{message}");
    }
    let message = refused(&program, "order.c:0");
    assert!(
        message.contains("expected the number of a line"),
        "{message}"
    );
    let (_scratch, program) = compiled("no-lines", &["-g0"]);
    let message = refused(&program, "order.c:30");
    assert!(
        message.contains("nothing says where the lines of"),
        "{message}"
    );
}

#[test]
fn what_describes_a_program_is_looked_for_in_the_folders_that_are_named() {
    needs_root!();
    let (scratch, program) = compiled("named-folder", &["-g"]);
    let folder = scratch.path();
    // The names of functions stay.
    tool(
        folder,
        "objcopy",
        &["--only-keep-debug", "order", "order.debug"],
    );
    tool(folder, "strip", &["--strip-debug", "order"]);
    tool(
        folder,
        "objcopy",
        &["--add-gnu-debuglink=order.debug", "order"],
    );
    let symbols = folder.join("order.debug");
    let elsewhere = folder.join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("the folder is ours");
    std::fs::rename(symbols, elsewhere.join("order.debug")).expect("it is ours");
    let script = format!(
        "uprobe:{}:handle {{ print(args.kind); exit(); }}",
        program.display()
    );
    let command = format!("'{}'", program.display());
    let run = |option: &str| Tracer::new(["-q", option, "-e", &script, "-c", &command]).run();
    for folder in ["elsewhere".to_owned(), elsewhere.display().to_string()] {
        let finished = run(&format!("--debuginfo={folder}")).lossless();
        assert_eq!(finished.text().trim_end(), "200", "{finished}");
    }
    run("--debuginfo=/").expect(1);
    // One that says no name is known by its build id.
    tool(
        folder,
        "objcopy",
        &["--remove-section=.gnu_debuglink", "order"],
    );
    let finished = run("--debuginfo=/:elsewhere").lossless();
    assert_eq!(finished.text().trim_end(), "200", "{finished}");
    tool(
        &elsewhere,
        "objcopy",
        &["--remove-section=.note.gnu.build-id", "order.debug"],
    );
    run("--debuginfo=elsewhere").expect(1);
}
