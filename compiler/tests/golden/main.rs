//! Scripts and what becomes of them, on a recorded kernel and without root.
//!
//! `ok/*.pf` compile. Each chooses in a line `// stages: types ir asm` what is recorded beside it: its types (`.types`,
//! which is the default), its IR (`.ir`), its instructions (`.asm`). `err/*.pf` do not compile: beside each is the
//! message (`.err`). After a change that is meant, `UPDATE_GOLDEN=1 cargo test -p pfscript-compiler --test golden` writes
//! them anew; the diff is for review.

mod manifest_text;

use pfscript_compiler::btf::{Btf, Kind};
use pfscript_compiler::facts::{Arch, Facts};
use pfscript_compiler::recorded::{BtfWriter, RecordedFacts};
use pfscript_compiler::{Compiled, Options, compile, ir};
use pfscript_grammar::{Diagnostic, parse, render};
use pfscript_probes::Feature;
use pfscript_testkit::golden::{Golden, without_numbers};
use std::path::{Path, PathBuf};

/// The recorded kernel, with kprobes, and with the functions that the scripts name.
fn facts() -> RecordedFacts {
    RecordedFacts::linux_6_18()
        .with(Feature::Kprobes)
        .with_symbol("vfs_read", 0xffff_ffff_8120_0000)
}

fn build(source: &str, name: &str, facts: &dyn Facts) -> Result<Compiled, Vec<Diagnostic>> {
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

/// The stages that files can be compared of, and which are if the script does not say.
const STAGES: [&str; 3] = ["types", "ir", "asm"];
const DEFAULT_STAGES: &str = "types";

/// The stages that a script chooses in a line `// stages: types ir`.
fn stages(source: &str) -> Vec<&str> {
    let chosen = source
        .lines()
        .find_map(|line| line.strip_prefix("// stages: "));
    let stages: Vec<&str> = chosen.unwrap_or(DEFAULT_STAGES).split(' ').collect();
    for stage in &stages {
        assert!(STAGES.contains(stage), "there is no stage {stage}");
    }
    stages
}

/// What became of a script at a stage.
fn text(stage: &str, compiled: &Compiled, name: &str, source: &str) -> String {
    match stage {
        "types" => {
            let warnings = render(&compiled.warnings, name, source, false);
            manifest_text::print(&compiled.object.manifest) + &warnings
        }
        "ir" => ir::text::print(&compiled.module),
        _ => own_code(&compiled.listing.to_string()),
    }
}

/// A listing without the templates, which stand behind the script's own code and change by themselves, without the
/// maps, which the IR shows too, and without the instructions' numbers.
fn own_code(listing: &str) -> String {
    let end = listing.find("\n.text: pf_").unwrap_or(listing.len());
    let (_maps, code) = listing[..end].split_once("\n\n").unwrap_or_default();
    without_numbers(code)
}

fn file_name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn scripts_become_what_is_recorded_at_the_stages_that_they_choose() {
    let facts = facts();
    let mut golden = Golden::new();
    for path in scripts("ok") {
        let source = std::fs::read_to_string(&path).unwrap();
        let name = file_name(&path);
        match build(&source, name, &facts) {
            Ok(compiled) => {
                let chosen = stages(&source);
                for stage in STAGES {
                    let file = path.with_extension(stage);
                    if chosen.contains(&stage) {
                        golden.check(&file, &text(stage, &compiled, name, &source));
                    } else {
                        golden.absent(&file);
                    }
                }
            }
            Err(errors) => golden.differ(&render(&errors, name, &source, false)),
        }
    }
    golden.finish();
}

#[test]
fn wrong_scripts_get_the_recorded_messages() {
    let facts = facts();
    let mut golden = Golden::new();
    for path in scripts("err") {
        let source = std::fs::read_to_string(&path).unwrap();
        match build(&source, file_name(&path), &facts) {
            Ok(_) => golden.differ(&format!("{} compiles", path.display())),
            Err(errors) => {
                let text = render(&errors, file_name(&path), &source, false);
                golden.check(&path.with_extension("err"), &text);
            }
        }
    }
    golden.finish();
}

#[test]
fn the_same_script_and_facts_give_the_same_bytes() {
    for path in scripts("ok") {
        let source = std::fs::read_to_string(&path).unwrap();
        let elf = || {
            build(&source, file_name(&path), &facts())
                .unwrap()
                .object
                .elf
        };
        assert_eq!(elf(), elf(), "{}", path.display());
    }
}

#[test]
fn arguments_are_where_the_architecture_puts_them() {
    let source = "kprobe:vfs_read { @ = arg1; } kretprobe:vfs_read { @r = retval; }";
    let text = |arch| ir::text::print(&build(source, "t", &facts().on(arch)).unwrap().module);
    // pt_regs: x86-64 has rsi at 104 and rax at 80; arm64 has x1 at 8 and x0 at 0.
    assert!(text(Arch::X86_64).contains("load u64 context+104"));
    assert!(text(Arch::X86_64).contains("load u64 context+80"));
    assert!(text(Arch::Aarch64).contains("load u64 context+8\n"));
    assert!(text(Arch::Aarch64).contains("load u64 context+0\n"));
}

#[test]
fn a_feature_that_the_kernel_lacks_is_named_with_the_kernel_that_has_it() {
    let message = |source: &str, facts: RecordedFacts| {
        let errors = build(source, "t", &facts).unwrap_err();
        render(&errors, "t", source, false)
    };
    let len = "BEGIN { @[1] = 1; @n = len(@); }";
    let text = message(len, facts().without(Feature::ForEachMapElement));
    assert!(
        text.contains("this kernel has no helper bpf_for_each_map_elem"),
        "{text}"
    );
    assert!(text.contains("Linux 5.13 and newer have it"), "{text}");
    let elements = "BEGIN { @[1] = 1; for ($kv : @) { } }";
    let text = message(elements, facts().without(Feature::ForEachMapElement));
    assert!(text.contains("no helper bpf_for_each_map_elem"), "{text}");
    for loops in ["BEGIN { for ($i : 0..3) { } }", "BEGIN { while (1) { } }"] {
        let text = message(loops, facts().without(Feature::Loop));
        assert!(text.contains("no helper bpf_loop"), "{text}");
        assert!(text.contains("Linux 5.17 and newer have it"), "{text}");
    }
    let text = message(
        "kprobe:vfs_read { @ = 1; }",
        facts().without(Feature::Kprobes),
    );
    assert!(text.contains("CONFIG_KPROBES"), "{text}");
    let cast = "BEGIN { @ = ((struct file *)0)->f_inode; }";
    let text = message(
        "BEGIN { @[str(0), str(0)] = 1; @[str(1, 8), str(1)] = 1; }",
        facts().without(Feature::LongKeys),
    );
    assert!(
        text.contains("hash keys of more than 512 bytes, and the key of `@` takes 528"),
        "{text}"
    );
    let text = message(cast, facts().without(Feature::Btf));
    assert!(text.contains("CONFIG_DEBUG_INFO_BTF"), "{text}");
}

/// What is mapped is found by the tree that the kernel has, and by its helper where that is of an unknown kind.
#[test]
fn what_is_mapped_is_found_in_the_kernels_own_way() {
    let source = "software:faults:1 { @[vma(addr)] = count(); }";
    let calls = |facts: &RecordedFacts, routine: &str| {
        let listing = build(source, "t", facts).unwrap().listing.to_string();
        listing.contains(&format!("call {routine}\n"))
    };
    for (kernel, expected) in [
        ("5.10", "pf_vma_red_black"),
        ("6.1", "pf_vma_maple"),
        ("6.18", "pf_vma_maple"),
        ("7.2", "pf_vma_maple"),
    ] {
        let btf = RecordedFacts::types_of(kernel).unwrap();
        let facts = facts().with_btf(btf).without(Feature::FindVma);
        assert!(calls(&facts, expected), "{kernel}");
    }
    let mut types = BtfWriter::new();
    types.structure(Kind::Struct, "vm_area_struct", 8, &[]);
    let other = facts().with_btf(Btf::new(types.finish()).unwrap());
    assert!(calls(&other, "pf_vma"));
    let errors = build(source, "t", &other.without(Feature::FindVma)).unwrap_err();
    let text = render(&errors, "t", source, false);
    assert!(text.contains("no helper bpf_find_vma"), "{text}");
}

/// The guard, the builtins, names of addresses and stacks alike.
#[test]
fn process_ids_are_those_of_the_pid_namespace() {
    let source = "software:faults:1 { @[pid, tid, usym(addr), ustack] = count(); }";
    let listing = |facts: &RecordedFacts| build(source, "t", facts).unwrap().listing.to_string();
    let (helper, routine) = ("call bpf_get_current_pid_tgid", "call pf_pid_tgid\n");
    let plain = listing(&facts());
    let inside = listing(&facts().in_pid_namespace(4_026_532_000));
    let calls = plain.matches(helper).count();
    assert!(calls >= 4, "{plain}");
    assert!(!plain.contains(routine), "{plain}");
    assert_eq!(inside.matches(routine).count(), calls, "{inside}");
    assert!(!inside.contains(helper), "{inside}");
    for kernel in ["5.10", "6.1", "6.12", "7.2"] {
        let btf = RecordedFacts::types_of(kernel).unwrap();
        listing(&facts().with_btf(btf).in_pid_namespace(1));
    }
    let bare = facts().without(Feature::Btf).in_pid_namespace(1);
    let errors = build("BEGIN { @ = pid; }", "t", &bare).unwrap_err();
    let text = render(&errors, "t", source, false);
    assert!(text.contains("pid namespace"), "{text}");
    assert!(text.contains("CONFIG_DEBUG_INFO_BTF"), "{text}");
}

#[test]
fn maps_grow_where_the_kernel_lets_them_and_are_preallocated_elsewhere() {
    let flags = |facts: RecordedFacts| {
        let compiled = build("software:faults:1 { @[pid] = count(); }", "t", &facts).unwrap();
        let map = compiled.module.maps.values().next().unwrap().clone();
        (map.flags, map.max_entries)
    };
    let (growing, many) = flags(facts());
    let (fixed, few) = flags(facts().without(Feature::HashWithoutPreallocation));
    assert_eq!((growing, fixed), (1, 0));
    assert!(many > few, "{many} {few}");
}

#[test]
fn extremes_are_shared_where_the_kernel_can_exchange_them_and_per_cpu_elsewhere() {
    let source = "software:faults:1 { @[pid] = max(cpu); }";
    let made = |facts: RecordedFacts| {
        let compiled = build(source, "t", &facts).unwrap();
        let map = compiled.module.maps.values().next().unwrap().clone();
        let text = ir::text::print(&compiled.module);
        (map.map_type, map.flags, text.contains("pf_extreme"))
    };
    assert_eq!(made(facts()), (1, 1, true));
    let without = facts().without(Feature::AtomicExchange);
    assert_eq!(made(without), (5, 0, false));
}

#[test]
fn settings_of_the_script_decide_the_sizes_of_maps_and_strings() {
    let source = "config = { max_map_keys = 7; max_strlen = 60; perf_rb_pages = 3; }
        software:faults:1 { @[str(addr)] = count(); printf(\"%d\", pid); }";
    let compiled = build(source, "t", &facts()).unwrap();
    let map = |symbol: &str| {
        let mut maps = compiled.module.maps.values();
        maps.find(|map| map.symbol.starts_with(symbol)).unwrap()
    };
    // Room is rounded up to whole words, pages to a power of two.
    assert_eq!((map("map_0").max_entries, map("map_0").key_size), (7, 64));
    assert_eq!(map("pf_map_events").max_entries, 4 * 4096);
}
