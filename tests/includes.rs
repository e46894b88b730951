//! Headers that a script includes: where they are looked for, what is taken from them, and what is said when something is wrong.

mod support;

use pfscript_testkit::needs_root;
use support::{Finished, Scratch, Tracer};

const HEADER: &str = "\
#ifndef TYPES_H
#define TYPES_H
#define LIMIT 42
#define TWICE(x) ((x) * 2)
struct pair { int a; char b; };
typedef struct pair pair_t;
enum color { RED = 3, GREEN };
#endif
";

/// Whether a script compiles; needs no root.
fn check(scratch: &Scratch, arguments: &[&str]) -> Finished {
    let arguments = [&["--check"], arguments].concat();
    Tracer::new(arguments).folder(scratch.path()).run()
}

#[test]
fn types_and_constants_come_from_headers_beside_the_script() {
    needs_root!();
    let scratch = Scratch::new("includes");
    scratch.file("types.h", HEADER);
    std::fs::create_dir(scratch.path().join("more")).expect("a folder can be made");
    // It is found beside the header that asks for it, and each header is taken once.
    scratch.file(
        "more/outer.h",
        "#include \"../types.h\"\n#include \"outer.h\"\nstruct outer { pair_t pair; int rest; };\n",
    );
    // The script's own declarations count behind those of its headers, wherever they stand.
    let script = scratch.file(
        "script.bt",
        "#include \"more/outer.h\" // what it is about\n#include <linux/sched.h>\n#include <stdio.h>\n\
         struct own { struct outer outer; long last; };\n#if 0\n#include \"gone.h\"\n#endif\n\
         BEGIN { printf(\"%d %d %d %d\\n\", sizeof(struct own), LIMIT, TWICE(4), GREEN); print(RED); exit(); }",
    );
    let finished = Tracer::new(["-q".as_ref(), script.as_os_str()]).run().ok();
    assert_eq!(finished.text(), "24 42 8 4\nRED\n\n\n", "{finished}");
}

#[test]
fn folders_and_headers_can_be_named_on_the_command_line() {
    let scratch = Scratch::new("include-options");
    let folder = Scratch::new("include-folder");
    folder.file("types.h", HEADER);
    let folder = folder.path().display().to_string();
    for script in [
        "#include \"types.h\"\nBEGIN { print(LIMIT); }",
        "#include <types.h>\nBEGIN { print(sizeof(pair_t)); }",
    ] {
        check(&scratch, &["-I", &folder, "-e", script]).ok();
    }
    let script = "BEGIN { print(sizeof(struct pair) + LIMIT); }";
    check(
        &scratch,
        &["-I", &folder, "--include", "types.h", "-e", script],
    )
    .ok();
    let header = format!("{folder}/types.h");
    check(&scratch, &["--include", &header, "-e", script]).ok();
    check(&scratch, &["--include", "gone.h", "-e", script]).refuses(&["no header gone.h"]);
}

#[test]
fn what_is_wrong_is_said_at_its_place_in_its_file() {
    let scratch = Scratch::new("include-errors");
    let refuses = |script: &str, words: &[&str]| {
        check(&scratch, &["-e", script]).refuses(words);
    };
    refuses(
        "#include \"gone.h\"\nBEGIN { }",
        &["no header `gone.h`", "-e:1:1", "beside the file", "-I"],
    );
    refuses(
        "#include <gone/gone.h>\nBEGIN { }",
        &["no header `gone/gone.h`"],
    );
    scratch.file("asks.h", "\n#include \"gone.h\"\n");
    refuses(
        "#include \"asks.h\"\nBEGIN { }",
        &["no header `gone.h`", "asks.h:2:1"],
    );
    scratch.file("open.h", "\nstruct open { int x;\n");
    refuses(
        "#include \"open.h\"\nBEGIN { }",
        &["open.h:2:13", "opened here"],
    );
    scratch.file("types.h", HEADER);
    refuses(
        "#include \"types.h\"\nBEGIN {\n print(nonsense); }",
        &["unknown name `nonsense`", "-e:3:8"],
    );
    scratch.file("bytes.h", b"\xff");
    refuses("#include \"bytes.h\"\nBEGIN { }", &["bytes.h is not UTF-8"]);
    scratch.file("long.h", " ".repeat(1 << 20));
    refuses("#include \"long.h\"\nBEGIN { }", &["too long", "1 MiB"]);
    for index in 0..40 {
        let next = format!("#include \"{}.h\"\n", index + 1);
        scratch.file(format!("{index}.h"), next);
    }
    refuses("#include \"0.h\"\nBEGIN { }", &["include too many others"]);
}

/// What is imported is as if it stood in the script: a file, or the scripts and headers of a folder.
#[test]
fn scripts_are_imported() {
    needs_root!();
    let scratch = Scratch::new("imports");
    scratch.file(
        "lib.bt",
        "#!/usr/bin/env bpftrace\nmacro one(x) { x + 1 }\nEND { printf(\"end %d\\n\", one(1)); }",
    );
    std::fs::create_dir(scratch.path().join("more")).expect("a folder can be made");
    scratch.file(
        "more/a.bt",
        "import \"../lib.bt\";\nmacro two(x) { one(one(x)) }\n",
    );
    scratch.file("more/b.h", HEADER);
    scratch.file("more/notes.txt", "no script");
    let script = scratch.file(
        "script.bt",
        "import \"stdlib\";\nimport \"more\";\nBEGIN { print(two(LIMIT)); exit(); }",
    );
    let finished = Tracer::new(["-q".as_ref(), script.as_os_str()]).run().ok();
    assert_eq!(finished.text(), "44\nend 2\n\n\n", "{finished}");
    check(&scratch, &["-e", "import \"gone\";\nBEGIN { }"])
        .refuses(&["no file or folder `gone`", "-e:1:1"]);
    scratch.file("wrong.bt", "macro wrong(x) {\n x + }\n");
    check(&scratch, &["-e", "import \"wrong.bt\"; BEGIN { }"]).refuses(&["wrong.bt:2:6"]);
}
