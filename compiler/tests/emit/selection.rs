//! What instructions are chosen, seen in the listing of a body, and the corners that random bodies rarely reach.

use crate::build::{Body, helper, with_output, word};
use crate::machine::{Machine, map_number};
use crate::mixes::{MIXES, OUTPUT_BYTES, assemble_mixed, mix};
use pfscript_compiler::ir::{Arith, Condition, Function, InstData, MapId, Value, Width};
use pfscript_testkit::object::{link, parse};

/// The lines of a body's listing, without numbers.
fn listed(body: Function) -> Vec<String> {
    let listing = assemble_mixed(body).unwrap().listing.to_string();
    let body = listing.split("\nraw_tracepoint/p0: ").nth(1).unwrap();
    let body = body.split("\n\n").next().unwrap();
    body.lines()
        .skip(1)
        .filter_map(|line| Some(line.split_once(": ")?.1.to_owned()))
        .collect()
}

/// The first words of the output after a run in the small machine.
fn run(body: Function, context: &[u64]) -> Vec<u64> {
    let assembled = assemble_mixed(body).unwrap();
    let mut object = parse(&assembled.elf).unwrap();
    link(&mut object, &|name| match name {
        "map_output" => map_number(0),
        "pf_map_loss" => map_number(1),
        _ => map_number(2),
    })
    .unwrap();
    let maps = [OUTPUT_BYTES, 8, 8 + assembled.frame_bytes as usize];
    let mut machine = Machine::new(&object, "p0", context, &maps);
    machine.run();
    let (words, _) = machine.map(0).as_chunks::<8>();
    words.iter().copied().map(u64::from_le_bytes).collect()
}

#[test]
fn arguments_in_a_circle_are_exchanged() {
    for count in 2..=3 {
        let mut body = Body::new();
        let slot = body.slot("out", 8);
        // The first value is in the way while the second is placed, and gone when the last is.
        let first = word(&mut body, 0);
        let mut args: Vec<Value> = (1..count).map(|n| word(&mut body, n)).collect();
        body.slot_store(slot, 0, Width::W64, first);
        args.push(word(&mut body, count));
        let mixed = body.routine(MIXES[count as usize], &args);
        body.slot_store(slot, 0, Width::W64, mixed);
        let address = body.slot_addr(slot);
        let map_pointer = body.map(MapId::from_u32(0));
        let key = body.zeroed_slot("key", 8);
        let key = body.slot_addr(key);
        let output = body.helper(helper::MAP_LOOKUP_ELEM, &[map_pointer, key]);
        let mixed = body.load(address, 0, Width::W64);
        body.store(output, 0, Width::W64, mixed);
        let body = body.done();
        let lines = listed(body.clone());
        assert!(
            lines.contains(&"r0 = r2".to_owned()) || lines.contains(&"r0 = r1".to_owned()),
            "{lines:#?}"
        );
        let context = [3, 5, 7, 11];
        let expected = mix("", &context[1..=count as usize]);
        assert_eq!(run(body, &context)[0], expected, "{lines:#?}");
    }
}

#[test]
fn values_across_calls_survive_however_many_they_are() {
    for count in [1, 2, 3, 4, 5, 12, 30] {
        let (mut body, output) = with_output();
        let values: Vec<Value> = (0..count)
            .map(|n| {
                let n = body.constant(n);
                body.routine(MIXES[1], &[n])
            })
            .collect();
        let mut sum = body.constant(0);
        for value in values {
            sum = body.arith(Arith::Add, sum, value);
        }
        body.store(output, 0, Width::W64, sum);
        let expected: u64 = (0..count).map(|n| mix("", &[n as u64])).sum();
        assert_eq!(run(body.done(), &[])[0], expected, "{count} values");
    }
}

#[test]
fn an_extension_of_an_extension_is_both() {
    const WIDTHS: [Width; 4] = [Width::W8, Width::W16, Width::W32, Width::W64];
    let numbers = [
        0x7f,
        0x80,
        0xff80,
        0x7fff_8080,
        0x8080_8080,
        u64::MAX,
        1 << 63,
    ];
    for (inner, inner_signed) in WIDTHS.into_iter().flat_map(|w| [(w, false), (w, true)]) {
        for (outer, outer_signed) in WIDTHS.into_iter().flat_map(|w| [(w, false), (w, true)]) {
            let (mut body, output) = with_output();
            for index in 0..numbers.len() as i32 {
                let number = word(&mut body, index);
                let once = body.extend(inner, inner_signed, number);
                let twice = body.extend(outer, outer_signed, once);
                body.store(output, index * 8, Width::W64, twice);
            }
            let extend = |width: Width, signed, number: u64| {
                let shift = 64 - 8 * width.bytes();
                if signed {
                    ((number << shift) as i64 >> shift) as u64
                } else {
                    number << shift >> shift
                }
            };
            let results = run(body.done(), &numbers);
            for (number, result) in numbers.into_iter().zip(results) {
                let once = extend(inner, inner_signed, number);
                assert_eq!(
                    result,
                    extend(outer, outer_signed, once),
                    "{inner:?} {outer:?}"
                );
            }
        }
    }
}

#[test]
fn constants_are_immediates_and_wide_ones_are_loaded() {
    let mut body = Body::new();
    let slot = body.slot("x", 16);
    let x = word(&mut body, 0);
    let (small, wide) = (body.constant(-5), body.constant(0x1_0000_0000));
    let sum = body.arith(Arith::Add, small, x);
    let product = body.arith(Arith::Xor, sum, wide);
    body.slot_store(slot, 0, Width::W64, product);
    body.slot_store(slot, 8, Width::W64, small);
    assert_eq!(
        listed(body.done()),
        [
            "r6 = r1",
            "r1 = *(u64 *)(r6 +0)",
            "r1 += -5",
            "r5 = 0x100000000 ll",
            "r1 ^= r5",
            "*(u64 *)(r10 -16) = r1",
            "*(u64 *)(r10 -8) = -5",
            "r0 = 0",
            "exit",
        ]
    );
}

#[test]
fn powers_of_two_need_no_division() {
    let mut body = Body::new();
    let slot = body.slot("x", 8);
    let x = word(&mut body, 0);
    let (eight, big) = (body.constant(8), body.constant(1 << 20));
    let mut y = body.arith(Arith::Mul, eight, x);
    y = body.arith(Arith::UMod, y, big);
    y = body.arith(Arith::UDiv, y, eight);
    body.slot_store(slot, 0, Width::W64, y);
    let lines = listed(body.done());
    assert_eq!(lines[2..5], ["r1 <<= 3", "r1 &= 1048575", "r1 >>= 3"]);
}

#[test]
fn a_comparison_that_only_a_branch_uses_is_one_jump() {
    let mut body = Body::new();
    let (then, end) = (body.block(), body.block());
    let slot = body.slot("x", 8);
    let x = word(&mut body, 0);
    let (ten, zero) = (body.constant(10), body.constant(0));
    let less = body.compare(Condition::SLt, ten, x);
    let not = body.compare(Condition::Eq, less, zero);
    body.branch(Condition::Ne, [not, zero], then, end);
    body.block = then;
    body.slot_store(slot, 0, Width::W64, ten);
    body.jump(end);
    body.block = end;
    let lines = listed(body.done());
    assert_eq!(
        lines[2..4],
        ["if r1 s> 0xa goto L1", "*(u64 *)(r10 -8) = 10"]
    );
}

#[test]
fn dead_values_and_blocks_are_left_out_and_calls_are_kept() {
    let mut body = Body::new();
    let (never, end) = (body.block(), body.block());
    let x = word(&mut body, 0);
    let y = body.arith(Arith::Mul, x, x);
    body.arith(Arith::Add, y, x);
    body.helper(helper::KTIME_GET_NS, &[]);
    let (one, two) = (body.constant(1), body.constant(2));
    body.branch(Condition::Eq, [one, two], never, end);
    body.block = never;
    body.helper(helper::GET_SMP_PROCESSOR_ID, &[]);
    body.jump(end);
    body.block = end;
    assert_eq!(
        listed(body.done()),
        ["call bpf_ktime_get_ns#5", "r0 = 0", "exit"]
    );
}

#[test]
fn a_pointer_that_is_spilled_is_checked_where_it_is_used() {
    let mut body = Body::new();
    let key = body.zeroed_slot("key", 8);
    // Fill the preserved registers with values that are needed sooner than the pointer.
    let pointer = {
        let map = body.map(MapId::from_u32(0));
        let key = body.slot_addr(key);
        body.helper(helper::MAP_LOOKUP_ELEM, &[map, key])
    };
    let values: Vec<Value> = (0..6).map(|_| body.routine(MIXES[0], &[])).collect();
    for value in values {
        body.slot_store(key, 0, Width::W64, value);
    }
    let (found, end) = (body.block(), body.block());
    let zero = body.constant(0);
    body.branch(Condition::Ne, [pointer, zero], found, end);
    body.block = found;
    body.store(pointer, 0, Width::W64, zero);
    body.jump(end);
    body.block = end;
    let lines = listed(body.done());
    let check = lines.iter().position(|line| line == "if r4 == 0x0 goto L1");
    let check = check.unwrap_or_else(|| panic!("{lines:#?}"));
    assert!(lines[check - 1].starts_with("r4 = *(u64 *)(r10 -"));
    assert!(lines[check + 1].starts_with("r5 = *(u64 *)(r10 -"));
    assert_eq!(lines[check + 2], "*(u64 *)(r5 +0) = 0");
}

#[test]
fn stores_are_aligned_pieces() {
    let mut body = Body::new();
    let slot = body.slot("x", 24);
    let literal = body.literal(b"abcdefghijk");
    body.push(InstData::SlotBytes {
        slot,
        offset: 4,
        literal,
        bytes: 15,
    });
    let lines = listed(body.done());
    assert_eq!(
        lines[..4],
        [
            format!("*(u32 *)(r10 -20) = {}", u32::from_le_bytes(*b"abcd")),
            format!("*(u32 *)(r10 -16) = {}", u32::from_le_bytes(*b"efgh")),
            format!("*(u32 *)(r10 -12) = {}", u32::from_le_bytes(*b"ijk\0")),
            "*(u16 *)(r10 -8) = 0".to_owned(),
        ]
    );
}
