//! Functions that bodies call or have the kernel call back: what they compute, in this kernel, and what is refused.

use crate::build::{Body, add_probe, helper, loss_map, map, module, output_of, with_output, word};
use pfscript_compiler::emit::{AssembleError, ErrorKind, assemble};
use pfscript_compiler::ir::{
    Arith, Block, FuncId, Function, InstData, Kind, LINK_BYTES, MapId, Module, ProbeId, Signature,
    Slot, Value, Width, verify,
};
use pfscript_compiler::program::ProgramKind;
use pfscript_grammar::Span;
use pfscript_testkit::object::parse;
use pfscript_testkit::{Loaded, is_root, needs_root};

const MAP_UPDATE_ELEM: u32 = 2;
const FOR_EACH_MAP_ELEM: u32 = 164;
const LOOP: u32 = 181;

/// Words of the array `map_output`.
const WORDS: usize = 8;

fn signature(params: &[Kind]) -> Signature {
    Signature {
        params: params.to_vec(),
        result: Some(Kind::Scalar),
    }
}

/// A module with the maps `map_output` (m0) and `map_counts` (m1), and these functions, f0 and up.
fn with_functions(functions: Vec<Function>) -> Module {
    let output = map("map_output", 2, 4, 8 * WORDS as u32, 1);
    let counts = map("map_counts", 1, 8, 8, 16);
    let mut module = module(vec![output, counts, loss_map()], vec![]);
    for function in functions {
        module.functions.push(function);
    }
    module
}

fn call(body: &mut Body, function: u32, args: &[Value]) -> Value {
    body.value(InstData::Call {
        function: FuncId::from_u32(function),
        args: args.to_vec(),
    })
}

fn address(body: &mut Body, function: u32) -> Value {
    body.value(InstData::FuncAddr(FuncId::from_u32(function)))
}

/// Adds the body to the module; what it leaves in the output after a run in this kernel, if it can be used.
fn run(mut module: Module, body: Function, context: &[u64]) -> Option<Vec<u64>> {
    add_probe(&mut module, ProgramKind::Once, false, body);
    verify(&module).unwrap();
    let assembled = assemble(&module, "functions.pf", "").unwrap();
    if !is_root() {
        println!("skip: loading programs needs root");
        return None;
    }
    let loaded = Loaded::new(&assembled.elf)
        .unwrap_or_else(|error| panic!("{error}\n{}", assembled.listing));
    assert_eq!(loaded.run("p0", context), 0);
    let value = loaded.value("map_output");
    let (words, _) = value.as_chunks::<8>();
    Some(words.iter().copied().map(u64::from_le_bytes).collect())
}

fn refused(mut module: Module, body: Function) -> AssembleError {
    add_probe(&mut module, ProgramKind::Once, false, body);
    assemble(&module, "functions.pf", "").unwrap_err()
}

/// `x * 31 + y` over numbers.
fn mix(numbers: &[u64]) -> u64 {
    numbers
        .iter()
        .fold(7, |mixed, &n| mixed.wrapping_mul(31).wrapping_add(n))
}

/// The same over the parameters of a function; `between` is done before, so that all of them live across it.
fn mixing(count: usize, between: impl FnOnce(&mut Body)) -> Function {
    let mut body = Body::of(
        &format!("mix_{count}"),
        signature(&vec![Kind::Scalar; count]),
    );
    between(&mut body);
    let mut mixed = body.constant(7);
    let factor = body.constant(31);
    for index in 0..count {
        let param = body.param(index);
        mixed = body.arith(Arith::Mul, mixed, factor);
        mixed = body.arith(Arith::Add, mixed, param);
    }
    body.gives(mixed)
}

#[test]
fn a_function_gets_its_arguments_and_gives_its_result() {
    for count in 0..=5 {
        for across_a_call in [false, true] {
            let function = mixing(count, |body| {
                if across_a_call {
                    body.helper(helper::KTIME_GET_NS, &[]);
                }
            });
            let (mut body, output) = with_output();
            let mut words: Vec<Value> = (0..count as i32).map(|n| word(&mut body, n)).collect();
            let first = call(&mut body, 0, &words);
            body.store(output, 0, Width::W64, first);
            // Used twice, once with the arguments the other way round.
            words.reverse();
            if let Some(last) = words.last_mut() {
                *last = first;
            }
            let second = call(&mut body, 0, &words);
            body.store(output, 8, Width::W64, second);
            body.store(output, 16, Width::W64, first);
            let context = [3, 5, 7, 11, 13];
            let Some(words) = run(with_functions(vec![function]), body.done(), &context) else {
                return;
            };
            let first = mix(&context[..count]);
            let mut turned: Vec<u64> = context[..count].iter().rev().copied().collect();
            if let Some(last) = turned.last_mut() {
                *last = first;
            }
            assert_eq!(
                words[..3],
                [first, mix(&turned), first],
                "{count} {across_a_call}"
            );
        }
    }
}

#[test]
fn parameters_that_live_long_are_spilled_and_found_again() {
    // More values live across calls than there are registers that calls preserve.
    let function = {
        let mut body = Body::of("spilling", signature(&[Kind::Scalar; 5]));
        let values: Vec<Value> = (0..4)
            .map(|_| body.helper(helper::GET_SMP_PROCESSOR_ID, &[]))
            .collect();
        let zero = body.constant(0);
        let mut sum = zero;
        for value in values {
            let none = body.arith(Arith::And, value, zero);
            sum = body.arith(Arith::Add, sum, none);
        }
        let ten = body.constant(10);
        for index in 0..5 {
            let param = body.param(index);
            sum = body.arith(Arith::Mul, sum, ten);
            sum = body.arith(Arith::Add, sum, param);
        }
        body.gives(sum)
    };
    let (mut body, output) = with_output();
    let words: Vec<Value> = (0..5).map(|n| word(&mut body, n)).collect();
    let sum = call(&mut body, 0, &words);
    body.store(output, 0, Width::W64, sum);
    if let Some(words) = run(
        with_functions(vec![function]),
        body.done(),
        &[1, 2, 3, 4, 5],
    ) {
        assert_eq!(words[0], 12345);
    }
}

#[test]
fn pointers_are_arguments_and_functions_call_functions() {
    // f0 stores a number at a map value and in its caller's memory, f1 hands it what a word of the context says.
    let mut inner = Body::of(
        "inner",
        signature(&[Kind::MapValue, Kind::Memory, Kind::Scalar]),
    );
    let (value, memory, number) = (inner.param(0), inner.param(1), inner.param(2));
    inner.store(value, 0, Width::W64, number);
    inner.store(memory, 8, Width::W64, number);
    let twice = inner.arith(Arith::Add, number, number);
    let inner = inner.gives(twice);

    let mut outer = Body::of(
        "outer",
        signature(&[Kind::MapValue, Kind::Context, Kind::Memory]),
    );
    let context = outer.param(1);
    let number = outer.load(context, 8, Width::W64);
    let arguments = [outer.param(0), outer.param(2), number];
    let twice = call(&mut outer, 0, &arguments);
    let outer = outer.gives(twice);

    let (mut body, output) = with_output();
    let memory = body.zeroed_slot("memory", 16);
    let arguments = [output, body.context(), body.slot_addr(memory)];
    let twice = call(&mut body, 1, &arguments);
    body.store(output, 8, Width::W64, twice);
    let stored = body.slot_load(memory, 8, Width::W64, false);
    body.store(output, 16, Width::W64, stored);
    if let Some(words) = run(with_functions(vec![inner, outer]), body.done(), &[1, 21]) {
        assert_eq!(words[..3], [21, 42, 21]);
    }
}

/// Adds keys, values and one to the words of its context.
fn summing() -> Function {
    let params = [Kind::Map, Kind::MapKey, Kind::MapValue, Kind::Memory];
    let mut body = Body::of("sum", signature(&params));
    body.span = Span::new(0, 12);
    let context = body.param(3);
    let [key, value] = [1, 2].map(|index| {
        let pointer = body.param(index);
        body.load(pointer, 0, Width::W64)
    });
    let one = body.constant(1);
    for (offset, number) in [(0, key), (8, value), (16, one)] {
        let before = body.load(context, offset, Width::W64);
        let sum = body.arith(Arith::Add, before, number);
        body.store(context, offset, Width::W64, sum);
    }
    let go_on = body.constant(0);
    body.gives(go_on)
}

/// A body that puts `key: 100 * key` for 1 to 4 into `map_counts`, sums them up by f0, and leaves the sums.
fn summed(context_bytes: u32, other_bytes: u32) -> Function {
    let (mut body, output) = with_output();
    let context = body.zeroed_slot("context", context_bytes);
    let other = body.zeroed_slot("other", other_bytes);
    let (key, value) = (body.slot("key", 8), body.slot("value", 8));
    for number in 1..=4 {
        let (number, hundred) = (body.constant(number), body.constant(100 * number));
        body.slot_store(key, 0, Width::W64, number);
        body.slot_store(value, 0, Width::W64, hundred);
        let arguments = [
            body.map(MapId::from_u32(1)),
            body.slot_addr(key),
            body.slot_addr(value),
            body.constant(0),
        ];
        body.helper(MAP_UPDATE_ELEM, &arguments);
    }
    let arguments = [
        body.map(MapId::from_u32(1)),
        address(&mut body, 0),
        body.slot_addr(context),
        body.constant(0),
    ];
    let visited = body.helper(FOR_EACH_MAP_ELEM, &arguments);
    for offset in [0, 8, 16] {
        let sum = body.slot_load(context, offset as u32, Width::W64, false);
        body.store(output, offset, Width::W64, sum);
    }
    body.store(output, 24, Width::W64, visited);
    let other = body.slot_load(other, 0, Width::W64, false);
    body.store(output, 32, Width::W64, other);
    body.done()
}

#[test]
fn a_callback_sums_over_a_map_in_memory_of_its_caller() {
    // The second time all slots are too much for the stack, and the biggest but one must be there all the same.
    for (context_bytes, other_bytes) in [(24, 8), (208, 200)] {
        let body = summed(context_bytes, other_bytes);
        if let Some(words) = run(with_functions(vec![summing()]), body, &[]) {
            assert_eq!(words[..5], [10, 1000, 4, 4, 0], "{context_bytes}");
        }
    }
}

/// Three loops within each other, which share a number of the outermost, context and frame, and have big slots of their own.
#[test]
fn loops_within_each_other_share_a_frame() {
    const TURNS: i64 = 3;
    let params = [Kind::Scalar, Kind::Link];
    let sum = Slot::from_u32(0);
    let body_id = FuncId::from_u32(3);
    let link = |body: &mut Body, callback: u32| {
        let link = body.slot("link", LINK_BYTES);
        body.push(InstData::Link {
            slot: link,
            context: true,
        });
        let arguments = [
            body.constant(TURNS),
            address(body, callback),
            body.slot_addr(link),
            body.constant(0),
        ];
        body.helper(LOOP, &arguments)
    };
    // f0 is called by f1, that by f2, that by the body.
    let level = |level: u32| {
        let mut body = Body::of(&format!("level{level}"), signature(&params));
        let shared = body.slot("sum", 8);
        body.function.slots[shared].outer = Some((body_id, sum));
        let own = body.zeroed_slot("own", 400);
        let index = body.param(0);
        body.slot_store(own, 392, Width::W64, index);
        if level > 0 {
            link(&mut body, level - 1);
        }
        // What is its own is not what the functions that it has called back have.
        let kept = body.slot_load(own, 392, Width::W64, false);
        let context = body.value(InstData::Context);
        let word = body.load(context, 0, Width::W64);
        let add = body.arith(Arith::Add, kept, word);
        let before = body.slot_load(shared, 0, Width::W64, false);
        let after = body.arith(Arith::Add, before, add);
        body.slot_store(shared, 0, Width::W64, after);
        let go_on = body.constant(0);
        body.gives(go_on)
    };
    let functions = vec![level(0), level(1), level(2)];
    let (mut body, output) = {
        let mut body = Body::new();
        let sum = body.zeroed_slot("sum", 8);
        assert_eq!(sum, Slot::from_u32(0));
        output_of(body)
    };
    link(&mut body, 2);
    let total = body.slot_load(sum, 0, Width::W64, false);
    body.store(output, 0, Width::W64, total);
    let module = with_functions(functions);
    if let Some(words) = run(module, body.done(), &[1000]) {
        // Of 27 + 9 + 3 turns, a third has each index.
        assert_eq!(words[0], 39 * 1000 + 13 * 3);
    }
}

#[test]
fn a_body_that_is_the_program_itself_calls_and_is_called_back() {
    let mut module = with_functions(vec![summing(), keeping("keep", 8)]);
    let mut body = summed(24, 8);
    // Before all that `summed` does.
    let first = Block::from_u32(0);
    let rest = std::mem::take(&mut body.blocks[first].insts);
    let number = body.define(first, InstData::Const(1), Span::default());
    let args = vec![number];
    let function = FuncId::from_u32(1);
    body.define(first, InstData::Call { function, args }, Span::default());
    body.blocks[first].insts.extend(rest);
    add_probe(&mut module, ProgramKind::PerfEvent, false, body);
    verify(&module).unwrap();
    let assembled = assemble(&module, "sum.pf", "").unwrap();
    assert_eq!(assembled.templates, Vec::<String>::new());
    needs_root!();
    Loaded::new(&assembled.elf).unwrap();
}

#[test]
fn the_verifier_shows_the_lines_of_functions() {
    let mut module = with_functions(vec![summing()]);
    add_probe(&mut module, ProgramKind::Once, false, summed(24, 8));
    let assembled = assemble(&module, "sum.pf", "fn sum(m, c)\n").unwrap();
    assert!(assembled.listing.to_string().contains(".text: sum"));
    assert!(assembled.listing.to_string().contains("= func[sum] ll"));
    needs_root!();
    let loaded = Loaded::with_logs(&assembled.elf).unwrap();
    assert!(loaded.logs["p0"].contains("; fn sum(m, c)"));
}

#[test]
fn a_loop_calls_back_with_its_index() {
    if !crate::live::has_find_vma() {
        println!("skip: this kernel has no bpf_loop, which came with bpf_find_vma");
        return;
    }
    let mut step = Body::of("step", signature(&[Kind::Scalar, Kind::Memory]));
    let (index, sum) = (step.param(0), step.param(1));
    let before = step.load(sum, 0, Width::W64);
    let after = step.arith(Arith::Add, before, index);
    step.store(sum, 0, Width::W64, after);
    let go_on = step.constant(0);
    let step = step.gives(go_on);

    let (mut body, output) = with_output();
    let sum = body.zeroed_slot("sum", 8);
    let arguments = [
        body.constant(100),
        address(&mut body, 0),
        body.slot_addr(sum),
        body.constant(0),
    ];
    let turns = body.helper(LOOP, &arguments);
    body.store(output, 0, Width::W64, turns);
    let sum = body.slot_load(sum, 0, Width::W64, false);
    body.store(output, 8, Width::W64, sum);
    if let Some(words) = run(with_functions(vec![step]), body.done(), &[]) {
        assert_eq!(words[..2], [100, 4950]);
    }
}

/// A function that keeps a number in this many bytes.
fn keeping(symbol: &str, bytes: u32) -> Function {
    let mut body = Body::of(symbol, signature(&[Kind::Scalar]));
    let slot = body.slot("kept", bytes);
    let number = body.param(0);
    body.slot_store(slot, bytes - 8, Width::W64, number);
    let kept = body.slot_load(slot, bytes - 8, Width::W64, false);
    body.gives(kept)
}

#[test]
fn what_functions_take_of_the_stack_the_body_leaves() {
    let body = |bytes| {
        let (mut body, output) = with_output();
        let slot = body.slot("own", bytes);
        let number = word(&mut body, 0);
        body.slot_store(slot, bytes - 8, Width::W64, number);
        let kept = call(&mut body, 0, &[number]);
        let own = body.slot_load(slot, bytes - 8, Width::W64, false);
        let sum = body.arith(Arith::Add, kept, own);
        body.store(output, 0, Width::W64, sum);
        body.done()
    };
    for (own, called) in [(120, 160), (200, 200), (256, 312), (400, 8)] {
        let module = with_functions(vec![keeping("keep", called)]);
        if let Some(words) = run(module, body(own), &[21]) {
            assert_eq!(words[0], 42, "{own} {called}");
        }
    }
    let error = refused(with_functions(vec![keeping("keep", 328)]), body(8));
    assert_eq!(error.function, Some(FuncId::from_u32(0)));
    assert_eq!(error.probe, None);
    let kind = ErrorKind::StackTooSmall {
        bytes: 328,
        limit: 320,
    };
    assert_eq!(error.kind, kind);
}

#[test]
fn a_context_of_a_callback_that_the_stack_cannot_hold_is_refused() {
    let error = refused(with_functions(vec![summing()]), summed(304, 8));
    assert_eq!(error.probe, Some(ProbeId::from_u32(0)));
    let kind = ErrorKind::StackTooSmall {
        bytes: 304,
        limit: 320 - 32,
    };
    assert_eq!(error.kind, kind);
}

#[test]
fn more_calls_than_the_kernel_allows_are_refused() {
    // The program and eight functions.
    let functions = (0..8u32).map(|index| {
        let symbol = format!("deep_{index}");
        if index == 0 {
            return keeping(&symbol, 8);
        }
        let mut body = Body::of(&symbol, signature(&[Kind::Scalar]));
        let number = body.param(0);
        let result = call(&mut body, index - 1, &[number]);
        body.gives(result)
    });
    let functions: Vec<Function> = functions.collect();
    let calling = |function| {
        let (mut body, output) = with_output();
        let number = word(&mut body, 0);
        let result = call(&mut body, function, &[number]);
        body.store(output, 0, Width::W64, result);
        body.done()
    };
    let error = refused(with_functions(functions.clone()), calling(7));
    assert_eq!(error.kind, ErrorKind::TooManyCalls);
    if let Some(words) = run(with_functions(functions), calling(6), &[9]) {
        assert_eq!(words[0], 9);
    }
}

#[test]
fn a_function_that_calls_itself_is_refused() {
    let mut endless = Body::of("endless", signature(&[]));
    let result = call(&mut endless, 0, &[]);
    let endless = endless.gives(result);
    let (mut body, _) = with_output();
    call(&mut body, 0, &[]);
    let error = refused(with_functions(vec![endless]), body.done());
    assert!(matches!(error.kind, ErrorKind::Malformed(_)), "{error}");
}

#[test]
fn only_the_functions_that_are_reached_are_in_the_object() {
    let functions = vec![keeping("used", 8), keeping("unused", 8)];
    let (mut body, _) = with_output();
    let number = body.constant(1);
    call(&mut body, 0, &[number]);
    let mut module = with_functions(functions);
    add_probe(&mut module, ProgramKind::Once, false, body.done());
    let object = parse(&assemble(&module, "a.pf", "").unwrap().elf).unwrap();
    let mut names: Vec<_> = object
        .functions
        .values()
        .map(|function| function.name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["p0", "used"]);
}
