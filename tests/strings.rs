//! Strings at their limits: longer than a kilobyte, cut, and in arrays without a terminator.

mod support;

use pfscript_testkit::needs_root;
use support::{Scratch, Tracer};

/// Paths of so many bytes are opened, which do not exist.
fn path(bytes: usize) -> String {
    let mut path = "/no/such/folder".to_owned();
    while path.len() < bytes {
        path.push_str("/0123456789abcdef");
    }
    path.truncate(bytes);
    path
}

/// What a script prints of a path of so many bytes, where strings may have `max_strlen`.
fn printed(name: &str, bytes: usize, max_strlen: usize, actions: &str) -> String {
    let scratch = Scratch::new(name);
    let (opens, comm) = scratch.named("opens", name);
    let path = path(bytes);
    let script = format!(
        "tracepoint:syscalls:sys_enter_openat /comm == \"{comm}\"/ {{
             $path = str(args.filename);
             if (strncmp($path, \"/no/such\", 8) == 0) {{ {actions} exit(); }} }}"
    );
    let command = format!("'{}' 1 {path}", opens.display());
    let finished = Tracer::new(["-q", "-e", &script, "-c", &command])
        .env("PFSCRIPT_MAX_STRLEN", &max_strlen.to_string())
        .run()
        .ok();
    // The command says how it went, perhaps before.
    let lines = finished
        .text()
        .lines()
        .filter(|line| !line.starts_with("pid="));
    let lines: Vec<&str> = lines.collect();
    lines.join("\n").trim().replace(&path, "PATH")
}

#[test]
fn strings_of_many_kilobytes_are_whole_wherever_they_stand() {
    needs_root!();
    for (bytes, max_strlen) in [(1020, 1024), (1021, 4095), (4000, 4095)] {
        let text = printed(
            "long",
            bytes,
            max_strlen,
            "printf(\"%s|%d\\n\", $path, strlen($path));
             $copy = $path;
             printf(\"%d\\n\", $copy == $path);
             @[$path] = 1;",
        );
        assert_eq!(
            text,
            format!("PATH|{bytes}\n1\n\n\n@[PATH]: 1"),
            "{max_strlen}"
        );
        let text = printed(
            "inner",
            bytes,
            max_strlen,
            "print((1, (2, $path))); @ = $path; delete(@);",
        );
        assert_eq!(text, "(1, (2, PATH))", "{max_strlen}");
    }
    let text = printed("longest", 4000, 16376, "print(strlen($path));");
    assert_eq!(text, "4000");
    let text = printed(
        "search",
        4000,
        4095,
        "printf(\"%d %d\\n\", strcontains($path, \"def/012\"), strcontains($path, \"fed\"));",
    );
    assert_eq!(text, "1 0");
}

#[test]
fn a_string_is_cut_at_the_byte_and_says_so() {
    needs_root!();
    for max_strlen in [9, 14, 15, 16, 17, 255, 256, 257, 1024, 2000] {
        let text = printed(
            "cut",
            2001,
            max_strlen,
            "printf(\"%s|%d\\n\", $path, strlen($path)); print($path); @[$path] = 1;",
        );
        let cut = &path(2001)[..max_strlen];
        assert_eq!(
            text,
            format!("{cut}..|{max_strlen}\n{cut}..\n\n\n@[{cut}..]: 1"),
            "{max_strlen}"
        );
        // What just fits is not cut.
        let text = printed("fits", max_strlen, max_strlen, "print($path);");
        assert_eq!(text, "PATH", "{max_strlen}");
    }
}
