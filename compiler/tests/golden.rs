//! Scripts and what becomes of them, on a recorded kernel and without root.
//!
//! `tests/golden/ok/*.pf` compile: beside each are its types (`.types`), its IR (`.ir`) and its instructions (`.asm`).
//! `tests/golden/err/*.pf` do not: beside each is the message (`.err`). After a change that is meant,
//! `UPDATE_GOLDEN=1 cargo test -p pfscript-compiler --test golden` writes them anew; the diff is for review.

use pfscript_compiler::facts::{Arch, KernelFacts};
use pfscript_compiler::recorded::RecordedFacts;
use pfscript_compiler::{Object, Options, compile, ir_text};
use pfscript_grammar::{Diagnostic, parse, render};
use pfscript_probes::Feature;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The recorded kernel, with kprobes, and with the functions that the scripts name.
fn facts() -> RecordedFacts {
    RecordedFacts::linux_6_18()
        .with(Feature::Kprobes)
        .with_symbol("vfs_read", 0xffff_ffff_8120_0000)
}

fn build(source: &str, name: &str, facts: &dyn KernelFacts) -> Result<Object, Vec<Diagnostic>> {
    let script = parse(source)?;
    compile(&script, name, source, facts, &Options::default())
}

fn scripts(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "pf"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no scripts in {}", folder.display());
    paths
}

/// Compares with the file beside the script, or writes it.
fn golden(script: &Path, extension: &str, text: &str, differences: &mut Vec<String>) {
    let path = script.with_extension(extension);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    } else if std::fs::read_to_string(&path).unwrap_or_default() != text {
        differences.push(format!("{} differs; it is now:\n{text}", path.display()));
    }
}

/// A listing without the templates, which stand behind the script's own code and change by themselves.
fn own_code(listing: &str) -> &str {
    listing
        .find("\n.text: pf_")
        .map_or(listing, |end| &listing[..end])
}

fn file_name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// What the checker found out, as the runtime is told.
fn types(object: &Object) -> String {
    let mut out = String::new();
    for probe in object.manifest.probes.values() {
        writeln!(out, "probe {} as {:?}", probe.name, probe.kind).unwrap();
        for attach in probe.points() {
            writeln!(out, "    {attach:?}").unwrap();
        }
    }
    for map in &object.manifest.maps {
        writeln!(out, "map {} capacity {}", map.name, map.capacity).unwrap();
        if let Some(key) = &map.key {
            writeln!(out, "    key {key:?}").unwrap();
        }
        writeln!(out, "    value {:?}", map.value).unwrap();
    }
    for action in &object.manifest.actions {
        writeln!(out, "action {action:?}").unwrap();
    }
    for warning in &object.warnings {
        writeln!(out, "warning {} at {:?}", warning.message, warning.span).unwrap();
    }
    out
}

#[test]
fn scripts_become_the_recorded_types_ir_and_instructions() {
    let facts = facts();
    let mut differences = Vec::new();
    for path in scripts("ok") {
        let source = std::fs::read_to_string(&path).unwrap();
        match build(&source, file_name(&path), &facts) {
            Ok(object) => {
                golden(&path, "types", &types(&object), &mut differences);
                golden(
                    &path,
                    "ir",
                    &ir_text::print(&object.module),
                    &mut differences,
                );
                golden(&path, "asm", own_code(&object.listing), &mut differences);
            }
            Err(errors) => differences.push(render(&errors, file_name(&path), &source, false)),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn wrong_scripts_get_the_recorded_messages() {
    let facts = facts();
    let mut differences = Vec::new();
    for path in scripts("err") {
        let source = std::fs::read_to_string(&path).unwrap();
        match build(&source, file_name(&path), &facts) {
            Ok(_) => differences.push(format!("{} compiles", path.display())),
            Err(errors) => {
                let text = render(&errors, file_name(&path), &source, false);
                golden(&path, "err", &text, &mut differences);
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_same_script_and_facts_give_the_same_bytes() {
    for path in scripts("ok") {
        let source = std::fs::read_to_string(&path).unwrap();
        let elf = || build(&source, file_name(&path), &facts()).unwrap().elf;
        assert_eq!(elf(), elf(), "{}", path.display());
    }
}

#[test]
fn arguments_are_where_the_architecture_puts_them() {
    let source = "kprobe:vfs_read { @ = arg1; } kretprobe:vfs_read { @r = retval; }";
    let ir = |arch| ir_text::print(&build(source, "t", &facts().on(arch)).unwrap().module);
    // pt_regs: x86-64 has rsi at 104 and rax at 80; arm64 has x1 at 8 and x0 at 0.
    assert!(ir(Arch::X86_64).contains("load u64 v0+104"));
    assert!(ir(Arch::X86_64).contains("load u64 v0+80"));
    assert!(ir(Arch::Aarch64).contains("load u64 v0+8\n"));
    assert!(ir(Arch::Aarch64).contains("load u64 v0+0\n"));
}

#[test]
fn a_feature_that_the_kernel_lacks_is_named_with_the_kernel_that_has_it() {
    let message = |source: &str, facts: RecordedFacts| {
        let errors = build(source, "t", &facts).unwrap_err();
        render(&errors, "t", source, false)
    };
    let vma = "software:faults:1 { @[vma(addr)] = count(); }";
    let text = message(vma, facts().without(Feature::FindVma));
    assert!(
        text.contains("this kernel has no helper bpf_find_vma"),
        "{text}"
    );
    assert!(text.contains("Linux 5.17 and newer have it"), "{text}");
    let text = message(
        "kprobe:vfs_read { @ = 1; }",
        facts().without(Feature::Kprobes),
    );
    assert!(text.contains("CONFIG_KPROBES"), "{text}");
    let cast = "BEGIN { @ = ((struct file *)0)->f_inode; }";
    let text = message(cast, facts().without(Feature::Btf));
    assert!(text.contains("CONFIG_DEBUG_INFO_BTF"), "{text}");
}

#[test]
fn maps_grow_where_the_kernel_lets_them_and_are_preallocated_elsewhere() {
    let flags = |facts: RecordedFacts| {
        let object = build("software:faults:1 { @[pid] = count(); }", "t", &facts).unwrap();
        let map = object.module.maps.values().next().unwrap().clone();
        (map.flags, map.max_entries)
    };
    let (growing, many) = flags(facts());
    let (fixed, few) = flags(facts().without(Feature::HashWithoutPreallocation));
    assert_eq!((growing, fixed), (1, 0));
    assert!(many > few, "{many} {few}");
}

#[test]
fn settings_of_the_script_decide_the_sizes_of_maps_and_strings() {
    let source = "config = { max_map_keys = 7; max_strlen = 60; perf_rb_pages = 3; }
        software:faults:1 { @[str(addr)] = count(); printf(\"%d\", pid); }";
    let object = build(source, "t", &facts()).unwrap();
    let map = |symbol: &str| {
        let mut maps = object.module.maps.values();
        maps.find(|map| map.symbol.starts_with(symbol)).unwrap()
    };
    // Room is rounded up to whole words, pages to a power of two.
    assert_eq!((map("map_0").max_entries, map("map_0").key_size), (7, 64));
    assert_eq!(map("pf_map_events").max_entries, 4 * 4096);
}
