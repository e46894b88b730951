//! How many programs an action becomes, on a recorded kernel and without root: one for all sites that can share one.

use pfscript_compiler::ir::text;
use pfscript_compiler::manifest::{Manifest, SiteColumn};
use pfscript_compiler::recorded::RecordedFacts;
use pfscript_compiler::{Compiled, Options, compile};
use pfscript_grammar::{parse, render};
use pfscript_probes::Feature;

fn facts() -> RecordedFacts {
    RecordedFacts::linux_6_18().with(Feature::Kprobes)
}

fn build_on(source: &str, facts: &RecordedFacts) -> Compiled {
    parse(source)
        .and_then(|script| compile(&script, "t", source, facts, &Options::default()))
        .unwrap_or_else(|errors| panic!("{}", render(&errors, "t", source, false)))
}

fn build(source: &str) -> Compiled {
    build_on(source, &facts())
}

fn message(source: &str) -> String {
    let script = parse(source).unwrap();
    let errors = compile(&script, "t", source, &facts(), &Options::default()).unwrap_err();
    render(&errors, "t", source, false)
}

/// The sites of each program, without what all have in common.
fn programs(compiled: &Compiled) -> Vec<Vec<&str>> {
    compiled
        .object
        .manifest
        .probes
        .values()
        .map(|probe| {
            let names = probe.sites.iter().map(|site| site.name.as_str());
            names
                .map(|name| name.rsplit(':').next().unwrap_or(name))
                .collect()
        })
        .collect()
}

/// What the runtime will write into the rows.
fn rows(manifest: &Manifest, column: SiteColumn) -> Vec<String> {
    let table = manifest.sites.as_ref().unwrap();
    let (offset, width) = table.column(column);
    let mut rows = vec![String::new(); table.rows as usize];
    for probe in manifest.probes.values() {
        let Some(first) = probe.rows else { continue };
        for (row, site) in (first..).zip(&probe.sites) {
            let bytes = &table.row(site)[offset as usize..][..width as usize];
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            rows[row as usize] = text.trim_end_matches('\0').to_owned();
        }
    }
    rows
}

#[test]
fn names_are_looked_up_by_one_program() {
    let compiled = build("tracepoint:syscalls:sys_enter_* { @[probe] = count(); }");
    let programs = programs(&compiled);
    assert_eq!(programs.len(), 1);
    assert!(programs[0].len() > 5);
    let names: Vec<String> = compiled
        .object
        .manifest
        .probes
        .values()
        .next()
        .unwrap()
        .sites
        .iter()
        .map(|site| site.name.clone())
        .collect();
    assert_eq!(rows(&compiled.object.manifest, SiteColumn::Probe), names);
    let ir = text::print(&compiled.module);
    assert!(ir.contains("helper get_attach_cookie "), "{ir}");
}

#[test]
fn programs_have_rows_of_their_own() {
    let compiled = build(
        "kprobe:vfs_read, kprobe:vfs_write { @[func] = count(); }
        kprobe:vfs_open { @[func] = count(); }
        kprobe:vfs_readv, kprobe:vfs_writev { @[func] = count(); }",
    );
    let rows_of: Vec<Option<u32>> = compiled
        .object
        .manifest
        .probes
        .values()
        .map(|probe| probe.rows)
        .collect();
    assert_eq!(rows_of, [Some(0), None, Some(2)]);
    assert_eq!(
        rows(&compiled.object.manifest, SiteColumn::Function),
        ["vfs_read", "vfs_write", "vfs_readv", "vfs_writev"]
    );
    // Nobody asks for names.
    let table = compiled.object.manifest.sites.as_ref().unwrap();
    assert_eq!(table.column(SiteColumn::Probe).1, 0);
}

#[test]
fn what_is_the_same_at_all_sites_is_a_constant() {
    for source in [
        "kprobe:vfs_read { @[probe] = count(); }",
        "kprobe:vfs_read, kprobe:vfs_read+4 { @[func] = count(); }",
        "BEGIN, BEGIN { @[probe] = count(); }",
    ] {
        let compiled = build(source);
        assert_eq!(compiled.object.manifest.probes.len(), 1, "{source}");
        assert_eq!(compiled.object.manifest.sites, None, "{source}");
    }
}

#[test]
fn without_cookies_each_site_has_its_program() {
    let facts = facts().without(Feature::AttachCookie);
    let compiled = build_on(
        "kprobe:vfs_read, kprobe:vfs_write { @[func] = count(); }",
        &facts,
    );
    assert_eq!(programs(&compiled), [["vfs_read"], ["vfs_write"]]);
    assert_eq!(compiled.object.manifest.sites, None);
    // What does not ask is shared all the same.
    let compiled = build_on("kprobe:vfs_read, kprobe:vfs_write { @ = count(); }", &facts);
    assert_eq!(programs(&compiled), [["vfs_read", "vfs_write"]]);
}

/// Children of the command inherit such an event without its cookie.
#[test]
fn counted_events_never_share_a_program_that_asks() {
    let compiled = build("software:faults:1, software:cs:1 { @[probe] = count(); }");
    assert_eq!(compiled.object.manifest.probes.len(), 2);
    assert_eq!(compiled.object.manifest.sites, None);
}

#[test]
fn arguments_of_one_layout_are_shared_and_others_are_split() {
    let open = "tracepoint:syscalls:sys_enter_open, tracepoint:syscalls:sys_enter_openat";
    // At other places in the record.
    let compiled = build(&format!("{open} {{ @[str(args.filename)] = count(); }}"));
    assert_eq!(
        programs(&compiled),
        [["sys_enter_open"], ["sys_enter_openat"]]
    );
    // The number of the system call is in the same one.
    let compiled = build(&format!("{open} {{ @[args.__syscall_nr] = count(); }}"));
    assert_eq!(
        programs(&compiled),
        [["sys_enter_open", "sys_enter_openat"]]
    );
    // The first arguments of these are of the same type; their names are looked up.
    let source = "kprobe:vfs_open, kprobe:vfs_read, kprobe:vfs_write /args.file != 0/ { @[func] = count(); }";
    assert_eq!(
        programs(&build(source)),
        [vec!["vfs_open"], vec!["vfs_read", "vfs_write"]]
    );
}

#[test]
fn only_the_arguments_that_are_used_count() {
    let sites = "kprobe:vfs_read, kprobe:vfs_write";
    // One has `char *buf`, the other `const char *buf`: the same once it is read.
    for (argument, programs) in [("args.file", 1), ("args.count", 1), ("args.buf", 1)] {
        let compiled = build(&format!("{sites} {{ @ = {argument}; }}"));
        assert_eq!(
            compiled.object.manifest.probes.len(),
            programs,
            "{argument}"
        );
    }
}

#[test]
fn an_argument_that_a_site_lacks_is_an_error_that_names_the_site() {
    let source = "tracepoint:syscalls:sys_enter_openat, tracepoint:syscalls:sys_enter_read { @ = args.filename; }";
    let text = message(source);
    assert!(
        text.contains("`tracepoint:syscalls:sys_enter_read` has no argument `filename`"),
        "{text}"
    );
}

#[test]
fn programs_of_a_part_of_the_sites_say_so() {
    let source = "tracepoint:syscalls:sys_exit_* , tracepoint:syscalls:sys_enter_openat { @[args.__syscall_nr, probe] = count(); }";
    let compiled = build(source);
    assert_eq!(compiled.object.manifest.probes.len(), 1);
    let source = "kprobe:vfs_open, kprobe:vfs_read, kprobe:vfs_write { @ = args.file; }";
    let compiled = build(source);
    let names: Vec<&str> = compiled
        .object
        .manifest
        .probes
        .values()
        .map(|probe| probe.name.as_str())
        .collect();
    assert_eq!(names, ["kprobe:vfs_open", "kprobe:vfs_read and 1 more"]);
}

#[test]
fn the_process_and_the_command_are_not_in_the_object() {
    let compiled = build("profile:hz:99 { @[cpid] = count(); } interval:s:1 { exit(); }");
    let source = "profile:hz:99 { @[cpid] = count(); } interval:s:1 { exit(); }";
    let place = compiled.object.manifest.needs_command.unwrap();
    assert_eq!(&source[place.range()], "cpid");
    // The timer that samples is narrowed by what the loader says, the one that ends is not.
    let guards = compiled.listing.to_string().matches(" = process\n").count();
    assert_eq!(guards, 1, "{}", compiled.listing);
    assert_eq!(
        build("BEGIN { @ = 1; }").object.manifest.needs_command,
        None
    );
}
