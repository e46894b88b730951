//! In this kernel: objects of every kind of program load, and what they compute is right.

use crate::build::{Body, add_probe, helper, loss_map, map, module};
use pfscript_compiler::emit::assemble;
use pfscript_compiler::ir::{Arith, Condition, Function, InstData, MapId, Module, ProbeId, Width};
use pfscript_compiler::program::ProgramKind;
use pfscript_grammar::Span;
use pfscript_testkit::{Loaded, needs_root};

/// `@[pid, comm] = count()`, in bare instructions and routines.
fn count_by_comm(map: MapId) -> Function {
    let mut body = Body::new();
    body.span = Span::new(12, 38);
    let key = body.slot("key", 24);
    let pid_tgid = body.helper(helper::GET_CURRENT_PID_TGID, &[]);
    let shift = body.constant(32);
    let pid = body.arith(Arith::LShr, pid_tgid, shift);
    body.slot_store(key, 0, Width::W64, pid);
    let comm = body.value(InstData::SlotAddr {
        slot: key,
        offset: 8,
    });
    let size = body.constant(16);
    body.helper(helper::GET_CURRENT_COMM, &[comm, size]);
    let map = body.map(map);
    let key = body.slot_addr(key);
    let loss = body.constant(0);
    body.routine("pf_count", &[map, key, loss]);
    body.done()
}

/// A record of 512 bytes, in the frame.
fn emit_record() -> Function {
    let mut body = Body::new();
    body.span = Span::new(12, 38);
    let record = body.zeroed_slot("record", 512);
    let comm = body.value(InstData::SlotAddr {
        slot: record,
        offset: 8,
    });
    let size = body.constant(16);
    body.helper(helper::GET_CURRENT_COMM, &[comm, size]);
    let arguments = [body.slot_addr(record), body.constant(512), body.constant(0)];
    body.routine("pf_emit", &arguments);
    body.done()
}

const SOURCE: &str = "software:1 { @[pid, comm] = count(); }\n";

/// A program of every kind, with these bodies.
fn every_kind(body: &dyn Fn(MapId) -> Function) -> Module {
    let mut module = Module::default();
    module.maps.push(loss_map());
    module.maps.push(map("pf_map_events", 27, 0, 0, 1 << 16));
    let counts = module.maps.push(map("map_counts", 1, 24, 8, 64));
    for kind in ProgramKind::ALL {
        add_probe(&mut module, kind, true, body(counts));
    }
    module
}

#[test]
fn every_kind_loads() {
    needs_root!();
    for body in [&count_by_comm as &dyn Fn(MapId) -> Function, &|_| {
        emit_record()
    }] {
        let assembled = assemble(&every_kind(body), "counts.pf", SOURCE).unwrap();
        let loaded = Loaded::new(&assembled.elf).unwrap();
        assert_eq!(loaded.programs.len(), ProgramKind::ALL.len());
        let once = ProgramKind::ALL
            .iter()
            .position(|&kind| kind == ProgramKind::Once);
        assert_eq!(loaded.run(&format!("p{}", once.unwrap()), &[]), 0);
    }
}

#[test]
fn the_verifier_shows_the_lines_of_the_script() {
    needs_root!();
    let assembled = assemble(&every_kind(&count_by_comm), "counts.pf", SOURCE).unwrap();
    let loaded = Loaded::with_logs(&assembled.elf).unwrap();
    for (name, log) in &loaded.logs {
        // Since 6.7 the file and the line stand behind it.
        let line = "; software:1 { @[pid, comm] = count(); }";
        assert!(log.contains(line), "{name}: {log}");
        assert!(log.contains("; routine pf_count"), "{name}: {log}");
    }
}

#[test]
fn a_program_for_another_process_does_nothing() {
    needs_root!();
    for (process, expected) in [(0, 7), (std::process::id(), 7), (1, 0)] {
        let mut body = Body::new();
        let key = body.zeroed_slot("key", 8);
        let arguments = [body.map(MapId::from_u32(0)), body.slot_addr(key)];
        let entry = body.helper(helper::MAP_LOOKUP_ELEM, &arguments);
        let (found, end) = (body.block(), body.block());
        let zero = body.constant(0);
        body.branch(Condition::Ne, [entry, zero], found, end);
        body.block = found;
        let seven = body.constant(7);
        body.store(entry, 0, Width::W64, seven);
        body.jump(end);
        body.block = end;
        let mut module = module(vec![map("map_seen", 2, 4, 8, 1)], vec![body.done()]);
        module.probes[ProbeId::from_u32(0)].narrowed = true;
        let assembled = assemble(&module, "seen.pf", "").unwrap();
        let guard = assembled.narrowings[0].unwrap() as usize;
        let loaded = Loaded::with_immediate(&assembled.elf, "p0", guard, process as i32).unwrap();
        loaded.run("p0", &[]);
        assert_eq!(loaded.value("map_seen"), u64::to_le_bytes(expected));
    }
}

#[test]
fn the_guard_of_a_program_for_every_process_is_a_move() {
    needs_root!();
    let instructions = |narrowed| {
        let mut module = module(vec![loss_map()], vec![Body::new().done()]);
        module.probes[ProbeId::from_u32(0)].narrowed = narrowed;
        let elf = assemble(&module, "a.pf", "").unwrap().elf;
        Loaded::new(&elf).unwrap().programs["p0"]
            .instructions()
            .unwrap()
    };
    // The verifier has removed the rest.
    assert_eq!(instructions(true), instructions(false) + 1);
}

/// The verifier knows a map's value again when it comes back from the stack.
#[test]
fn a_spilled_pointer_is_still_a_pointer() {
    needs_root!();
    let mut body = Body::new();
    let key = body.zeroed_slot("key", 8);
    let arguments = [body.map(MapId::from_u32(0)), body.slot_addr(key)];
    let entry = body.helper(helper::MAP_LOOKUP_ELEM, &arguments);
    let values: Vec<_> = (0..6)
        .map(|_| body.helper(helper::GET_SMP_PROCESSOR_ID, &[]))
        .collect();
    for value in values {
        body.slot_store(key, 0, Width::W64, value);
    }
    let (found, end) = (body.block(), body.block());
    let zero = body.constant(0);
    body.branch(Condition::Ne, [entry, zero], found, end);
    body.block = found;
    body.helper(helper::KTIME_GET_NS, &[]);
    let seven = body.constant(7);
    body.store(entry, 0, Width::W64, seven);
    body.jump(end);
    body.block = end;
    let module = module(vec![map("map_seen", 2, 4, 8, 1)], vec![body.done()]);
    let assembled = assemble(&module, "seen.pf", "").unwrap();
    assert!(
        assembled
            .listing
            .to_string()
            .contains("r4 = *(u64 *)(r10 -"),
        "{}",
        assembled.listing
    );
    let loaded = Loaded::new(&assembled.elf).unwrap();
    loaded.run("p0", &[]);
    assert_eq!(loaded.value("map_seen"), u64::to_le_bytes(7));
}

/// `pf_vma` hands the kernel a callback. `bpf_find_vma` is there from 5.17 on.
#[test]
fn a_routine_with_a_callback_loads() {
    needs_root!();
    if !has_find_vma() {
        println!("skip: this kernel has no bpf_find_vma");
        return;
    }
    let assembled = assemble(&counting_mappings("pf_vma"), "vma.pf", SOURCE).unwrap();
    Loaded::new(&assembled.elf).unwrap();
}

/// Those for other kernels than this one, too: the verifier does not know the constants' sense.
#[test]
fn routines_that_walk_trees_load_on_any_kernel() {
    needs_root!();
    for routine in ["pf_vma_maple", "pf_vma_red_black"] {
        let mut module = counting_mappings(routine);
        let parameters = pfscript_probes::library().parameters(routine);
        module.parameters = parameters.into_iter().map(|name| (name, 8)).collect();
        let assembled = assemble(&module, "vma.pf", SOURCE).unwrap();
        Loaded::new(&assembled.elf).unwrap();
    }
}

/// A program that counts by the mapping of the address that faulted.
fn counting_mappings(routine: &'static str) -> Module {
    let mut module = Module::default();
    module.maps.push(loss_map());
    let counts = module.maps.push(map("map_counts", 1, 8, 8, 64));
    let mut body = Body::new();
    let key = body.slot("key", 8);
    let context = body.context();
    // `addr` of `struct bpf_perf_event_data`: behind `struct pt_regs` and the period.
    let address = body.load(
        context,
        if cfg!(target_arch = "x86_64") {
            176
        } else {
            280
        },
        Width::W64,
    );
    let loss = body.constant(0);
    let vma = body.routine(routine, &[address, loss]);
    body.slot_store(key, 0, Width::W64, vma);
    let arguments = [body.map(counts), body.slot_addr(key), loss];
    body.routine("pf_count", &arguments);
    add_probe(&mut module, ProgramKind::PerfEvent, false, body.done());
    module
}

/// Whether the running kernel is 5.17 or newer.
pub fn has_find_vma() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(5), Some(17))
}
