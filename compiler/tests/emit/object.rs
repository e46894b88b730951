//! The object file, and the errors instead of one.

use crate::build::{Body, loss_map, map, module};
use pfscript_compiler::emit::{ErrorKind, assemble, assemble_with};
use pfscript_compiler::ir::{Function, InstData, Module, ProbeId, Value, Width};
use pfscript_compiler::program::ProgramKind;
use pfscript_probes::{Referent, Relocation, Template};
use pfscript_testkit::object::parse;

fn sized(bytes: u32) -> Function {
    let mut body = Body::new();
    let slot = body.slot("big", bytes);
    let zero = body.constant(0);
    body.slot_store(slot, bytes - 8, Width::W64, zero);
    body.done()
}

fn error(module: &Module) -> (Option<ProbeId>, ErrorKind) {
    let error = assemble(module, "test.pf", "").unwrap_err();
    (error.probe, error.kind)
}

#[test]
fn the_same_module_gives_the_same_bytes() {
    let module = module(vec![loss_map()], vec![sized(8), sized(4096)]);
    let first = assemble(&module, "a.pf", "BEGIN { }").unwrap();
    let second = assemble(&module, "a.pf", "BEGIN { }").unwrap();
    assert_eq!(first.elf, second.elf);
    assert_eq!(first.listing.to_string(), second.listing.to_string());
}

#[test]
fn only_the_templates_that_are_reached_are_in_the_object() {
    let mut body = Body::new();
    let (a, b) = (body.constant(7), body.constant(2));
    body.routine("pf_sdiv", &[a, b]);
    let assembled = assemble(&module(vec![loss_map()], vec![body.done()]), "a.pf", "").unwrap();
    assert_eq!(assembled.templates, ["pf_sdiv"]);
    let object = parse(&assembled.elf).unwrap();
    let mut names: Vec<_> = object
        .functions
        .values()
        .map(|function| &function.name)
        .collect();
    names.sort();
    assert_eq!(names, ["p0", "pf_sdiv"]);
}

#[test]
fn the_scratch_map_has_room_for_the_biggest_frame() {
    let bodies = vec![sized(8), sized(4000), sized(1000)];
    let assembled = assemble(&module(vec![loss_map()], bodies), "a.pf", "").unwrap();
    assert_eq!(assembled.frame_bytes, 4000);
    let object = parse(&assembled.elf).unwrap();
    let scratch = &object.maps["pf_map_scratch"];
    assert_eq!(scratch.map_type(), 6);
    assert_eq!((scratch.key_size(), scratch.value_size()), (4, 4008));
    assert_eq!(scratch.max_entries(), 4);
}

#[test]
fn without_frames_there_is_no_scratch_map() {
    let assembled = assemble(&module(vec![loss_map()], vec![sized(320)]), "a.pf", "").unwrap();
    assert_eq!(assembled.frame_bytes, 0);
    assert!(
        !parse(&assembled.elf)
            .unwrap()
            .maps
            .contains_key("pf_map_scratch")
    );
}

#[test]
fn a_module_without_probes_is_an_object() {
    let assembled = assemble(&Module::default(), "empty.pf", "").unwrap();
    assert!(parse(&assembled.elf).unwrap().programs.is_empty());
}

#[test]
fn the_biggest_frame_fits_and_a_bigger_one_is_refused() {
    let limit = (32 << 10) - 8;
    let bodies = vec![sized(8), sized(limit)];
    assemble(&module(vec![loss_map()], bodies), "a.pf", "").unwrap();
    let bodies = vec![sized(8), sized(limit + 8)];
    let (probe, kind) = error(&module(vec![loss_map()], bodies));
    assert_eq!(probe, Some(ProbeId::from_u32(1)));
    assert_eq!(
        kind,
        ErrorKind::FrameTooBig {
            bytes: limit + 8,
            limit
        }
    );
}

#[test]
fn what_is_not_there_is_named() {
    let mut body = Body::new();
    body.routine("pf_nothing", &[]);
    let (_, kind) = error(&module(vec![loss_map()], vec![body.done()]));
    assert_eq!(kind, ErrorKind::UnknownTemplate("pf_nothing".to_owned()));

    let mut body = Body::new();
    let index = body.constant(0);
    body.routine("pf_loss", &[index]);
    let (_, kind) = error(&module(vec![], vec![body.done()]));
    assert_eq!(kind, ErrorKind::UnknownMap("pf_map_loss".to_owned()));
}

#[test]
fn an_unknown_parameter_is_an_error() {
    let library = pfscript_probes::library();
    let mut entry = library.get("pf_enter_framed").unwrap().clone();
    let mut relocations = entry.relocations.to_vec();
    for relocation in &mut relocations {
        if let Referent::Parameter(name) = &mut relocation.referent {
            *name = "pf_param_colour";
        }
    }
    entry.relocations = relocations.leak();
    let module = module(vec![loss_map()], vec![sized(4000)]);
    let error = assemble_with(&module, "a.pf", "", &|_| Some(&entry)).unwrap_err();
    let expected = ErrorKind::UnknownParameter("pf_param_colour".to_owned());
    assert_eq!(error.kind, expected);
}

#[test]
fn a_template_that_is_cut_off_is_refused() {
    let template = |code: &'static [u8], relocations: Vec<Relocation<'static>>| Template {
        name: "pf_enter_framed",
        signature: "pf_enter_framed(void *ctx)",
        code: code.into(),
        relocations: relocations.leak(),
    };
    let hole = Relocation {
        instruction: 1,
        referent: Referent::Hole,
    };
    for bad in [
        template(&[0x95, 0, 0], vec![]),
        template(&[], vec![]),
        template(&[0x95, 0, 0, 0, 0, 0, 0, 0], vec![hole]),
    ] {
        let module = module(vec![loss_map()], vec![sized(4000)]);
        let error = assemble_with(&module, "a.pf", "", &|_| Some(&bad)).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::BadTemplate(_)), "{error}");
    }
}

#[test]
fn broken_bodies_are_refused() {
    let unterminated = Body::new().function;
    let (probe, kind) = error(&module(vec![loss_map()], vec![unterminated]));
    assert_eq!(probe, Some(ProbeId::from_u32(0)));
    assert!(matches!(kind, ErrorKind::Malformed(_)));

    let mut outside = Body::new();
    let slot = outside.slot("small", 8);
    let value = outside.constant(1);
    outside.slot_store(slot, 8, Width::W64, value);
    let (_, kind) = error(&module(vec![loss_map()], vec![outside.done()]));
    assert!(matches!(kind, ErrorKind::Malformed(_)));

    let mut many = Body::new();
    let args: Vec<_> = (0..6).map(|n| many.constant(n)).collect();
    many.helper(1, &args);
    let (_, kind) = error(&module(vec![loss_map()], vec![many.done()]));
    assert!(matches!(kind, ErrorKind::Malformed(_)));
}

#[test]
fn more_than_can_be_unrolled_is_refused() {
    let mut body = Body::new();
    let slot = body.slot("big", 2048);
    body.push(InstData::SlotZero {
        slot,
        offset: 0,
        bytes: 1032,
    });
    let (_, kind) = error(&module(vec![loss_map()], vec![body.done()]));
    assert_eq!(kind, ErrorKind::TooManyBytes(1032));
}

#[test]
fn more_values_than_the_stack_holds_are_refused() {
    let mut body = Body::new();
    let values: Vec<_> = (0..60).map(|_| body.helper(5, &[])).collect();
    let slot = body.slot("sum", 8);
    for value in values {
        body.slot_store(slot, 0, Width::W64, value);
    }
    let (_, kind) = error(&module(vec![loss_map()], vec![body.done()]));
    assert_eq!(kind, ErrorKind::TooManyValues);
}

/// A body that takes all of the stack that bodies may have, and perhaps a frame.
fn full(framed: bool) -> (Body, Value) {
    let mut body = Body::new();
    let full = body.slot("full", 320);
    let value = body.constant(0);
    body.slot_store(full, 0, Width::W64, value);
    if framed {
        let more = body.slot("more", 400);
        body.slot_store(more, 0, Width::W64, value);
    }
    (body, value)
}

/// A body of the greatest size leaves enough stack for every entry and routine of the library.
#[test]
fn the_stack_is_enough_for_every_template() {
    for routine in pfscript_probes::library().routines() {
        for (kind, framed) in ProgramKind::ALL
            .into_iter()
            .flat_map(|kind| [(kind, false), (kind, true)])
        {
            let (mut body, value) = full(framed);
            let args = vec![value; routine.params().count()];
            body.routine(routine.name, &args);
            let mut maps = vec![loss_map()];
            for name in [
                "pf_map_events",
                "pf_map_stacks",
                "pf_map_stack_tables",
                "pf_map_known",
                "pf_map_captures",
                "pf_map_unwind_files",
                "pf_map_unwind_tables",
                "pf_map_unwind_wanted",
                "pf_map_python_known",
                "pf_map_python_codes",
                "pf_map_python_scratch",
                "pf_map_rest",
                "pf_map_rest_counts",
                "pf_map_rests",
                "pf_map_zeros",
                "pf_map_globals",
            ] {
                maps.push(map(name, 2, 4, 8, 1));
            }
            let mut module = module(maps, vec![body.done()]);
            module.probes[ProbeId::from_u32(0)].kind = kind;
            let parameters = pfscript_probes::library().parameters(routine.name);
            module.parameters = parameters.into_iter().map(|name| (name, 8)).collect();
            let result = assemble(&module, "a.pf", "");
            assert!(result.is_ok(), "{kind:?} {}: {result:?}", routine.name);
        }
    }
}

#[test]
fn too_much_stack_in_a_chain_of_calls_is_refused() {
    let mut entry = pfscript_probes::library()
        .get("pf_enter_framed")
        .unwrap()
        .clone();
    // *(u64 *)(r10 -200) = 0
    entry
        .code
        .to_mut()
        .splice(0..0, [0x7a, 0x0a, 0x38, 0xff, 0, 0, 0, 0]);
    let mut relocations = entry.relocations.to_vec();
    for relocation in &mut relocations {
        relocation.instruction += 1;
    }
    entry.relocations = relocations.leak();
    let module = module(vec![loss_map()], vec![full(true).0.done()]);
    let library = pfscript_probes::library();
    let templates = |name: &str| match name {
        "pf_enter_framed" => Some(&entry),
        other => library.get(other),
    };
    let error = assemble_with(&module, "a.pf", "", &templates).unwrap_err();
    assert_eq!(error.kind, ErrorKind::StackTooDeep { bytes: 224 + 320 });
}
