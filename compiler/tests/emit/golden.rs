//! Listings of modules built by hand, compared with files in `golden/`. `UPDATE_GOLDEN=1` writes them anew.

use crate::build::{Body, add_probe, helper, loss_map, map, module};
use pfscript_compiler::emit::assemble;
use pfscript_compiler::ir::{Arith, Condition, InstData, Module, Width, verify};
use pfscript_compiler::program::ProgramKind;
use pfscript_grammar::Span;
use pfscript_testkit::golden::{Golden, without_numbers};
use std::path::Path;

/// Compares the listing, without the routines of the template library.
fn check(name: &str, module: &Module, source: &str) {
    verify(module).unwrap();
    let listing = assemble(module, &format!("{name}.pf"), source)
        .unwrap()
        .listing
        .to_string();
    let listing = listing
        .split("\n\n")
        .map(str::trim_end)
        .filter(|part| !part.starts_with(".text: pf_"))
        .collect::<Vec<_>>()
        .join("\n\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/emit/golden")
        .join(format!("{name}.txt"));
    let mut golden = Golden::new();
    golden.check(&path, &without_numbers(&listing));
    golden.finish();
}

/// The span of `part` in `source`.
fn span(source: &str, part: &str) -> Span {
    let start = source.find(part).unwrap();
    Span::new(start, start + part.len())
}

#[test]
fn count_by_process() {
    let source = "software:page-faults:1 {\n  @[pid, comm] = count();\n}\n";
    let mut body = Body::new();
    body.span = span(source, "pid");
    let key = body.slot("key of @", 24);
    let pid_tgid = body.helper(helper::GET_CURRENT_PID_TGID, &[]);
    let shift = body.constant(32);
    let pid = body.arith(Arith::LShr, pid_tgid, shift);
    body.slot_store(key, 0, Width::W64, pid);
    body.span = span(source, "comm");
    let comm = body.value(InstData::SlotAddr {
        slot: key,
        offset: 8,
    });
    let size = body.constant(16);
    body.helper(helper::GET_CURRENT_COMM, &[comm, size]);
    body.span = span(source, "@[pid, comm] = count()");
    let mut module = module(vec![loss_map()], vec![]);
    let counts = module.maps.push(map("map_0_", 5, 24, 8, 4096));
    let arguments = [body.map(counts), body.slot_addr(key), body.constant(0)];
    body.routine("pf_count", &arguments);
    add_probe(&mut module, ProgramKind::PerfEvent, false, body.done());
    check("count_by_process", &module, source);
}

/// `BEGIN { @start = nsecs } END { if (@start != 0) { $d = nsecs - @start; printf(…, $d / 1000) } }`, roughly.
#[test]
fn lookup_branch_and_record() {
    let source = "END {\n  if (@start != 0) {\n    printf(\"took %d us\\n\", (nsecs - @start) / 1000);\n  }\n}\n";
    let mut body = Body::new();
    let (found, differs, end) = (body.block(), body.block(), body.block());
    body.span = span(source, "@start != 0");
    let start = body.zeroed_slot("@start", 8);
    let key = body.slot("key of @start", 8);
    body.push(InstData::SlotZero {
        slot: key,
        offset: 0,
        bytes: 8,
    });
    let mut module = module(
        vec![loss_map(), map("pf_map_events", 27, 0, 0, 1 << 16)],
        vec![],
    );
    let starts = module.maps.push(map("map_0_start", 1, 8, 8, 1));
    let arguments = [body.map(starts), body.slot_addr(key)];
    let entry = body.helper(helper::MAP_LOOKUP_ELEM, &arguments);
    let zero = body.constant(0);
    body.branch(Condition::Ne, [entry, zero], found, differs);
    body.block = found;
    let value = body.load(entry, 0, Width::W64);
    body.slot_store(start, 0, Width::W64, value);
    body.jump(differs);
    body.block = differs;
    let value = body.slot_load(start, 0, Width::W64, false);
    let truth = body.compare(Condition::Ne, value, zero);
    let inside = body.block();
    body.branch(Condition::Ne, [truth, zero], inside, end);
    body.block = inside;
    body.span = span(source, "printf");
    let record = body.slot("record", 16);
    let action = body.constant(3);
    body.slot_store(record, 0, Width::W32, action);
    body.slot_store(record, 4, Width::W32, zero);
    body.span = span(source, "(nsecs - @start) / 1000");
    let now = body.helper(helper::KTIME_GET_NS, &[]);
    let passed = body.arith(Arith::Sub, now, value);
    let thousand = body.constant(1000);
    let micros = body.arith(Arith::UDiv, passed, thousand);
    body.slot_store(record, 8, Width::W64, micros);
    body.span = span(source, "printf");
    let arguments = [body.slot_addr(record), body.constant(16), body.constant(0)];
    body.routine("pf_emit", &arguments);
    body.jump(end);
    body.block = end;
    let body = body.done();
    add_probe(&mut module, ProgramKind::Once, true, body);
    check("lookup_branch_and_record", &module, source);
}

/// A record too big for the stack, and a literal.
#[test]
fn framed() {
    let source = "BEGIN { printf(\"%s %s\\n\", \"some text\", str(arg0)); }";
    let mut body = Body::new();
    body.span = span(source, "printf");
    let record = body.slot("record", 400);
    let text = body.literal(b"some text");
    let action = body.constant(0);
    body.slot_store(record, 0, Width::W64, action);
    body.push(InstData::SlotBytes {
        slot: record,
        offset: 8,
        literal: text,
        bytes: 16,
    });
    body.span = span(source, "str(arg0)");
    let context = body.context();
    let address = body.load(context, 0, Width::W64);
    let into = body.value(InstData::SlotAddr {
        slot: record,
        offset: 24,
    });
    let arguments = [into, body.constant(64), address, body.constant(0)];
    body.routine("pf_read_str", &arguments);
    let arguments = [body.slot_addr(record), body.constant(88), body.constant(0)];
    body.routine("pf_emit", &arguments);
    let maps = vec![loss_map(), map("pf_map_events", 27, 0, 0, 1 << 16)];
    check("framed", &module(maps, vec![body.done()]), source);
}
