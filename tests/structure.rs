//! The shape of the source: files that are read at one sitting, and no circle of files that need each other.
//!
//! A module and its parent may use each other, as may all below a module and it. What is left out are macros, and paths that begin
//! with neither `crate`, `self` nor `super`.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use support::repository;

const MAX_LINES: usize = 600;

const CRATES: [&str; 4] = ["grammar", "probes", "compiler", "runtime"];

/// The parts of a module's path below its crate.
type Module = Vec<String>;

/// All files below a folder whose names end so.
fn files(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the source is there") {
        let path = entry.expect("the source is there").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            files(&path, endings, found);
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
}

#[test]
fn no_file_is_too_long_to_be_read() {
    let mut all = Vec::new();
    let endings = [".rs", ".c", ".h", ".pest", ".sh"];
    files(repository(), &endings, &mut all);
    assert!(all.len() > 400, "{} files", all.len());
    let lines = |path: &PathBuf| fs::read_to_string(path).expect("text").lines().count();
    let long: Vec<_> = all.iter().filter(|path| lines(path) > MAX_LINES).collect();
    assert!(long.is_empty(), "over {MAX_LINES} lines: {long:#?}");
}

/// The modules of a crate, each with the text of its file, without comments and the tests at its end.
fn modules(name: &str) -> BTreeMap<Module, String> {
    let root = repository().join(name).join("src");
    let mut paths = Vec::new();
    files(&root, &[".rs"], &mut paths);
    let mut modules = BTreeMap::new();
    for path in paths {
        let inside = path.strip_prefix(&root).expect("it is below");
        let parts = inside.with_extension("");
        let mut module: Module = parts
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        if module == ["lib"] || module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        if module.iter().any(|part| part == "tests") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("text");
        let (code, _) = text.split_once("#[cfg(test)]\nmod ").unwrap_or((&text, ""));
        let code = code
            .lines()
            .map(|line| line.split("//").next().unwrap_or(line));
        modules.insert(module, code.collect::<Vec<_>>().join("\n"));
    }
    modules
}

/// The paths in a text that begin in its crate, with groups (`a::{b, c::d}`) written out.
fn paths(text: &str) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    let starts = ["crate::", "self::", "super::"];
    let mut rest = text;
    while let Some((at, start)) = starts
        .iter()
        .filter_map(|start| Some((rest.find(start)?, start)))
        .min()
    {
        let tail = &rest[at..];
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        // The end of a longer path, such as `pub(in crate::a)` is not, or of a word.
        let begins = !rest[..at].ends_with(|c| is_word(c) || c == ':');
        let end = tail.find(|c| !is_word(c) && c != ':').unwrap_or(tail.len());
        if begins {
            let base: Vec<&str> = tail[..end]
                .split("::")
                .filter(|part| !part.is_empty())
                .collect();
            match tail[end..].strip_prefix('{') {
                Some(group) if tail[..end].ends_with("::") => {
                    for member in members(group) {
                        let more = member.split("::{").next().unwrap_or(member);
                        let more = more.split("::").map(str::trim);
                        found.push(base.iter().copied().chain(more).collect());
                    }
                }
                _ => found.push(base),
            }
        }
        rest = &rest[at + start.len()..];
    }
    found
}

/// The members of a group, each up to a group of its own.
fn members(group: &str) -> Vec<&str> {
    let mut members = Vec::new();
    let (mut depth, mut begin) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                members.push(&group[begin..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                members.push(&group[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    members
}

/// The modules that a module uses, but for those above and below it.
fn used(module: &Module, text: &str, modules: &BTreeMap<Module, String>) -> BTreeSet<Module> {
    let mut used = BTreeSet::new();
    for path in paths(text) {
        let mut at = match path[0] {
            "crate" => Module::new(),
            _ => module.clone(),
        };
        for part in path {
            match part {
                "crate" | "self" => continue,
                "super" => drop(at.pop()),
                part => {
                    at.push(part.to_owned());
                    if !modules.contains_key(&at) {
                        at.pop();
                        break;
                    }
                }
            }
        }
        if !at.starts_with(module) && !module.starts_with(&at) {
            used.insert(at);
        }
    }
    used
}

/// The modules that can be reached from one.
fn reached(from: &Module, graph: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let mut seen = BTreeSet::new();
    let mut left = vec![from];
    while let Some(module) = left.pop() {
        let next = graph.get(module).into_iter().flatten();
        left.extend(next.filter(|next| seen.insert((*next).clone())));
    }
    seen
}

/// The modules that use themselves by way of others.
fn in_circles(modules: &BTreeMap<Module, String>) -> Vec<String> {
    let graph: BTreeMap<Module, BTreeSet<Module>> = modules
        .iter()
        .map(|(module, text)| (module.clone(), used(module, text, modules)))
        .collect();
    graph
        .keys()
        .filter(|module| reached(module, &graph).contains(*module))
        .map(|module| module.join("::"))
        .collect()
}

#[test]
fn no_files_need_each_other_in_a_circle() {
    for name in CRATES {
        let modules = modules(name);
        assert!(modules.len() > 10, "{name}: {} modules", modules.len());
        let circles = in_circles(&modules);
        assert!(circles.is_empty(), "{name}: {circles:#?} need each other");
    }
}

#[test]
fn circles_are_seen() {
    let modules = [
        ("", "mod a; mod b; use crate::a::Thing;"),
        ("a", "use crate::{b::{Thing, other}, c};"),
        ("b", "fn f() -> super::a::Thing {}"),
        ("c", "use self::d::Thing;"),
        ("c::d", "use super::Thing; use crate::c::e;"),
        ("c::e", "use crate::other::Thing;"),
    ];
    let module = |name: &str| -> Module {
        let parts = name.split("::").filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    };
    let modules = modules.map(|(name, text)| (module(name), text.to_owned()));
    assert_eq!(in_circles(&modules.into()), ["a", "b"]);
}
