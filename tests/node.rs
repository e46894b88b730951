//! Functions of JavaScript in user stacks of a stock Node: names and order, from the system call to the start of the thread.

mod support;

use pfscript_testkit::needs_root;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Finished, Scratch, Tracer, stacks};

/// What is looked at: `rename(2)`, of the command.
const PROBE: &str =
    "tracepoint:syscalls:sys_enter_rename / pid == cpid / { @[ustack, pid, comm] = count(); }";

/// Keeps objects, many of which V8 moves.
const LEAK: &str = "const kept = [];
function remember(i) { kept.push({ i, text: ('x' + i).repeat(20) }); }
function handle() { for (let i = 0; i < 300000; i++) remember(i); }
handle();
";

const SCRIPT: &str = "const fs = require('fs');

function leaf(name) {
    try { fs.renameSync(name, name); } catch { return; }
}
function middle(name) { leaf(name); }
function outer(name) { middle(name); }
outer(__dirname + '/none');
";

/// The script in a folder, and a command that runs it, with more options of Node; `None` if there is no Node.
fn program(scratch: &Scratch, options: &str) -> Option<String> {
    let there = Command::new("node").arg("--version").output().is_ok();
    if !there {
        println!("skip: Node is not installed");
        return None;
    }
    let script = scratch.file("chain.js", SCRIPT);
    Some(format!("node {options} '{}'", script.display()))
}

/// The stack of the system call is whole, and has the functions of the script in order.
#[track_caller]
fn has_functions(finished: &Finished) {
    let rows = stacks::parse(finished.text());
    assert_eq!(rows.len(), 1, "{finished}");
    let frames = &rows[0].frames;
    // The kind of code that V8 made, and its mark for what is interpreted (`~`) or optimized, come first in a name, the place last.
    let in_order = [
        "rename+",
        "leaf ",
        "middle ",
        "outer ",
        "Builtins_JSEntry+",
        "v8::Function::Call(",
        "node::Start(",
        "_start+",
    ];
    let mut rest = frames.iter();
    for part in in_order {
        assert!(
            rest.any(|frame| frame.contains(part)),
            "no {part:?} behind the others: {finished}"
        );
    }
    assert_eq!(rest.next(), None, "{finished}");
    for (name, place) in [("leaf", "3:"), ("middle", "6:"), ("outer", "7:")] {
        let place = format!("chain.js:{place}");
        let named = |frame: &&String| frame.contains(&format!("{name} "));
        let frame = frames.iter().find(named).expect("it is there");
        assert!(frame.contains(&place), "{frame}");
    }
    let bare = frames.iter().any(|frame| frame.starts_with("[anon"));
    assert!(!bare, "{finished}");
}

/// The files that Node left in a folder for its process.
fn left_behind(folder: &Path, rows: &Finished) -> Vec<PathBuf> {
    let pid = stacks::parse(rows.text())[0].pid;
    [format!("perf-{pid}.map"), format!("jit-{pid}.dump")]
        .iter()
        .map(|name| folder.join(name))
        .filter(|path| path.exists())
        .collect()
}

#[test]
fn runtimes_that_are_told_name_their_functions() {
    needs_root!();
    let scratch = Scratch::new("node-told");
    let Some(command) = program(&scratch, "") else {
        return;
    };
    let tracer = Tracer::new(["--runtimes", "-e", PROBE, "-c", &command]);
    let finished = tracer.folder(scratch.path()).run().lossless();
    has_functions(&finished);
    // What was written for us alone is gone.
    assert_eq!(left_behind(Path::new("/tmp"), &finished).len(), 0);
    let files = std::fs::read_dir(scratch.path()).expect("it is there");
    let files: Vec<_> = files
        .map(|file| file.expect("its name").file_name())
        .collect();
    assert_eq!(files, ["chain.js"]);
}

#[test]
fn beside_what_the_collector_moves_stands_who_made_it() {
    needs_root!();
    let scratch = Scratch::new("node-collector");
    let Some(_) = program(&scratch, "") else {
        return;
    };
    let script = scratch.file("leak.js", LEAK);
    let command = format!("node '{}'", script.display());
    let tracer = Tracer::new(["-q", "rssgrow", "--runtimes", "-c", &command]);
    let finished = tracer.folder(scratch.path()).run().ok();
    let rows: Vec<&str> = finished.text().lines().collect();
    let moved = "objects that the garbage collector V8 has moved or marked";
    let at = rows.iter().position(|row| row.ends_with(moved));
    let at = at.unwrap_or_else(|| panic!("nothing is moved in {finished}"));
    let maker = rows[at + 1];
    assert!(maker.contains(" % of new ones are made by  "), "{finished}");
    assert!(maker.contains("leak.js:"), "{finished}");
}

#[test]
fn what_the_user_told_node_stays() {
    needs_root!();
    let scratch = Scratch::new("node-options");
    let Some(command) = program(&scratch, "") else {
        return;
    };
    let hook = scratch.file("hook.js", "console.log('the hook was run');\n");
    let finished = Tracer::new(["--runtimes", "-o", "/dev/null", "-e", PROBE, "-c", &command])
        .env("NODE_OPTIONS", &format!("--require {}", hook.display()))
        .folder(scratch.path());
    finished.run().lossless().has_line("the hook was run");
}

#[test]
fn a_map_that_the_user_asked_for_is_read_and_stays() {
    needs_root!();
    let scratch = Scratch::new("node-map");
    let options = "--perf-basic-prof --interpreted-frames-native-stack";
    let Some(command) = program(&scratch, options) else {
        return;
    };
    let tracer = Tracer::new(["-e", PROBE, "-c", &command]).folder(scratch.path());
    let finished = tracer.run().lossless();
    has_functions(&finished);
    let left = left_behind(Path::new("/tmp"), &finished);
    assert_eq!(left.len(), 1);
    std::fs::remove_file(&left[0]).expect("it is ours");
}

#[test]
fn a_jitdump_is_read() {
    needs_root!();
    let scratch = Scratch::new("node-dump");
    let Some(command) = program(&scratch, "--perf-prof --interpreted-frames-native-stack") else {
        return;
    };
    // Node writes it where it runs.
    let tracer = Tracer::new(["-e", PROBE, "-c", &command]).folder(scratch.path());
    let finished = tracer.run().lossless();
    has_functions(&finished);
    assert_eq!(left_behind(scratch.path(), &finished).len(), 1);
}

/// Node's children have the environment of their parent, and are gone before anything is printed.
#[test]
fn children_are_told_too() {
    needs_root!();
    let scratch = Scratch::new("node-children");
    let Some(command) = program(&scratch, "") else {
        return;
    };
    let line = format!("sh -c \"{command}; true\"");
    let own = format!("str(args.oldname) == \"{}/none\"", scratch.path().display());
    let probe = PROBE.replace("pid == cpid", &own);
    let finished = Tracer::new(["--runtimes", "-e", &probe, "-c", &line]);
    let finished = finished.run().lossless();
    has_functions(&finished);
    assert_eq!(left_behind(Path::new("/tmp"), &finished).len(), 0);
}
