//! In this kernel: objects of every family load, and what they compute is right.

use crate::build::{Body, FAMILIES, helper, loss_map, map, module};
use crate::kernel::{Loaded, unavailable};
use pfscript_compiler::emit::assemble;
use pfscript_compiler::ir::{Condition, Function, MapId, Module, ProbeData, Width};
use pfscript_grammar::Span;

macro_rules! needs_kernel {
    () => {
        if let Some(reason) = unavailable() {
            println!("skip: {reason}");
            return;
        }
    };
}

/// `@[pid, comm] = count()`, in bare instructions and routines.
fn count_by_comm(map: MapId) -> Function {
    let mut body = Body::new();
    body.span = Span::new(12, 38);
    let key = body.slot("key", 24);
    let pid_tgid = body.helper(helper::GET_CURRENT_PID_TGID, &[]);
    let shift = body.constant(32);
    let pid = body.arith(pfscript_compiler::ir::Arith::LShr, pid_tgid, shift);
    body.slot_store(key, 0, Width::W64, pid);
    let comm = body.value(pfscript_compiler::ir::InstData::SlotAddr {
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

#[test]
fn every_family_loads() {
    needs_kernel!();
    let mut all = Module::default();
    all.maps.push(loss_map());
    let counts = all.maps.push(map("map_counts", 5, 24, 8, 64));
    for (family, section) in FAMILIES {
        all.probes.push(ProbeData {
            family,
            section,
            tgid: std::process::id(),
            body: count_by_comm(counts),
        });
    }
    let source = "software:1 { @[pid, comm] = count(); }";
    let assembled = assemble(&all, "counts.pf", source).unwrap();
    let loaded = Loaded::new(&assembled.elf).unwrap();
    assert_eq!(loaded.programs.len(), FAMILIES.len());
    assert_eq!(loaded.run("p3", &[]).unwrap(), 0);
    println!("{}", assembled.listing);
    println!("{}", loaded.logs["p3"]);
}
