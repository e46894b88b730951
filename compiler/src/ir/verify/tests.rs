//! For each rule, a module that breaks it.

use super::{Rule, verify};
use crate::ir::{
    Arith, Block, Condition, FuncId, Function, FunctionBuilder, Inst, InstData, Kind, LINK_BYTES,
    Literal, MapId, Module, ProbeData, Signature, Slot, SlotPlace, Value, Width,
};
use crate::program::ProgramKind;
use cranelift_entity::EntityRef;
use pfscript_grammar::Span;

fn signature(params: &[Kind], result: Option<Kind>) -> Signature {
    Signature {
        params: params.to_vec(),
        result,
    }
}

/// A function without parameters and result.
fn built(build: impl FnOnce(&mut FunctionBuilder)) -> Function {
    built_as("f", signature(&[], None), build)
}

/// A function that `build` fills; a `return` ends it if nothing else does.
fn built_as(
    symbol: &str,
    signature: Signature,
    build: impl FnOnce(&mut FunctionBuilder),
) -> Function {
    let mut builder = FunctionBuilder::new(symbol, signature);
    build(&mut builder);
    if !builder.is_terminated() {
        builder.ret(None);
    }
    builder.finish()
}

fn module(functions: Vec<Function>) -> Module {
    let mut module = Module::default();
    for function in functions {
        module.functions.push(function);
    }
    module
}

fn probe(module: &mut Module, body: FuncId) {
    module.probes.push(ProbeData {
        kind: ProgramKind::Once,
        narrowed: false,
        stops: false,
        body,
    });
}

fn broken(module: &Module) -> Vec<Rule> {
    let violations = verify(module).err().unwrap_or_default();
    for violation in &violations {
        assert!(!violation.to_string().is_empty());
    }
    violations
        .into_iter()
        .map(|violation| violation.rule)
        .collect()
}

fn broken_by(function: Function) -> Vec<Rule> {
    broken(&module(vec![function]))
}

fn entry() -> Block {
    Block::new(0)
}

fn f(index: usize) -> FuncId {
    FuncId::new(index)
}

#[test]
fn what_keeps_the_rules_passes() {
    let callee = built_as(
        "callee",
        signature(&[Kind::Scalar, Kind::Memory], Some(Kind::Scalar)),
        |b| {
            let (index, memory) = (b.param(0).unwrap(), b.param(1).unwrap());
            b.store(memory, 0, Width::W64, index);
            b.if_else(
                Condition::Eq,
                [index, index],
                |b| b.ret(Some(index)),
                |_| {},
            );
            let zero = b.constant(0);
            b.ret(Some(zero));
        },
    );
    let body = built_as("body", Signature::body(), |b| {
        let slot = b.slot(16, "s");
        let (one, memory) = (b.constant(1), b.address(slot));
        let result = b.call(f(0), vec![one, memory]);
        b.store_word(slot, result);
        let callback = b.func_addr(f(0));
        let zero = b.constant(0);
        b.helper(181, vec![one, callback, memory, zero]);
        b.routine("pf_sdiv", vec![one, result]);
        b.slot_bytes(slot, b"text", 16);
    });
    let mut module = module(vec![callee, body]);
    probe(&mut module, f(1));
    assert_eq!(broken(&module), []);
}

#[test]
fn a_block_ends_in_its_only_terminator() {
    let open = FunctionBuilder::new("f", signature(&[], None)).finish();
    assert_eq!(broken_by(open), [Rule::OneTerminator(entry())]);
    let twice = built(|b| {
        b.ret(None);
        b.ret(None);
    });
    assert_eq!(broken_by(twice), [Rule::OneTerminator(entry())]);
    let behind = built(|b| {
        b.ret(None);
        b.constant(1);
        b.ret(None);
    });
    assert_eq!(broken_by(behind), [Rule::OneTerminator(entry())]);
}

#[test]
fn an_instruction_stands_in_one_block_once() {
    let mut function = built(|b| {
        b.constant(1);
    });
    function.blocks[entry()].insts.insert(0, Inst::new(0));
    assert_eq!(broken_by(function), [Rule::StandsOnce]);
    let mut function = built(|b| {
        b.constant(1);
    });
    function.blocks[entry()].insts.remove(0);
    assert_eq!(broken_by(function), [Rule::StandsOnce]);
}

#[test]
fn a_function_has_a_block() {
    let function = Function::new("f", signature(&[], None));
    assert_eq!(broken_by(function), [Rule::HasBlocks]);
}

#[test]
fn what_is_named_exists() {
    let missing = |build: fn(&mut FunctionBuilder)| match broken_by(built(build)).as_slice() {
        [Rule::Exists(what)] => what.clone(),
        other => panic!("{other:?}"),
    };
    let map = |b: &mut FunctionBuilder| {
        b.map_pointer(MapId::new(3));
    };
    assert_eq!(missing(map), "m3");
    let function = |b: &mut FunctionBuilder| {
        b.call(f(7), vec![]);
    };
    assert_eq!(missing(function), "f7");
    assert_eq!(missing(|b| b.jump(Block::new(5))), "b5");
    assert_eq!(missing(|b| b.zero(Slot::new(2), 8)), "s2");
    let address = |b: &mut FunctionBuilder| {
        b.address(Slot::new(2));
    };
    assert!(missing(address).contains("s2"));
    let value = |b: &mut FunctionBuilder| {
        b.extend(Width::W8, false, Value::new(9));
    };
    assert_eq!(missing(value), "v9");
    let routine = |b: &mut FunctionBuilder| {
        b.routine("pf_nothing", vec![]);
    };
    assert_eq!(missing(routine), "pf_nothing");

    let mut function = built(|b| {
        let slot = b.slot(8, "s");
        b.slot_bytes(slot, b"x", 8);
    });
    function.literals.clear();
    assert_eq!(broken_by(function), [Rule::Exists("lit0".to_owned())]);

    let mut module = module(vec![]);
    probe(&mut module, f(0));
    assert!(matches!(broken(&module).as_slice(), [Rule::Exists(_)]));
}

#[test]
fn results_are_where_there_are_any() {
    let mut function = built(|_| {});
    let zero = InstData::Const(0);
    function.blocks[entry()].insts.clear();
    function.insts.clear();
    function.append(entry(), zero, Span::default());
    function.append(entry(), InstData::Return(None), Span::default());
    assert_eq!(broken_by(function), [Rule::ResultIfAny]);
    let mut function = Function::new("f", signature(&[], None));
    let block = function.blocks.push(Default::default());
    function.define(block, InstData::Return(None), Span::default());
    assert_eq!(broken_by(function), [Rule::ResultIfAny]);
}

#[test]
fn a_use_is_dominated_by_its_definition() {
    // In one of two blocks that meet.
    let mut inside = None;
    let function = built(|b| {
        let zero = b.constant(0);
        b.if_else(
            Condition::Eq,
            [zero, zero],
            |b| inside = Some(b.constant(1)),
            |_| {},
        );
        let inside = inside.unwrap();
        b.arith(Arith::Add, inside, inside);
    });
    let inside = inside.unwrap();
    assert_eq!(
        broken_by(function),
        [Rule::Dominated(inside), Rule::Dominated(inside)]
    );
    // Behind its use in the same block.
    let mut function = built(|b| {
        let one = b.constant(1);
        b.extend(Width::W8, false, one);
    });
    function.blocks[entry()].insts.swap(0, 1);
    assert_eq!(broken_by(function), [Rule::Dominated(Value::new(0))]);
    // What is defined in the head of a loop may be used in the loop and behind it.
    let function = built(|b| {
        let (head, inside, after) = (b.block(), b.block(), b.block());
        b.jump(head);
        b.switch_to(head);
        let one = b.constant(1);
        b.branch(Condition::Ne, [one, one], inside, after);
        b.switch_to(inside);
        b.extend(Width::W8, false, one);
        b.jump(head);
        b.switch_to(after);
        b.extend(Width::W8, false, one);
    });
    assert_eq!(broken_by(function), []);
}

#[test]
fn accesses_stay_within_their_slots() {
    let within = |build: fn(&mut FunctionBuilder, Slot)| {
        broken_by(built(|b| {
            let slot = b.slot(8, "s");
            build(b, slot);
        }))
    };
    let rule = |offset, bytes| {
        vec![Rule::WithinSlot {
            slot: Slot::new(0),
            offset,
            bytes,
        }]
    };
    assert_eq!(within(|b, slot| b.zero(slot, 16)), rule(0, 16));
    let load = |b: &mut FunctionBuilder, slot| {
        b.slot_load(SlotPlace::from(slot).at(6), Width::W32, false);
    };
    assert_eq!(within(load), rule(6, 4));
    let behind = broken_by(built(|b| {
        let slot = b.slot(8, "s");
        b.address(SlotPlace::from(slot).at(8));
    }));
    assert_eq!(behind, rule(8, 1));
    let copied = broken_by(built(|b| {
        let (small, big) = (b.slot(8, "small"), b.slot(16, "big"));
        b.copy(big, small, 16);
    }));
    assert_eq!(copied, rule(0, 16));
}

#[test]
fn slots_are_whole_words() {
    let function = built(|b| {
        b.slot(12, "s");
    });
    assert_eq!(broken_by(function), [Rule::SlotSize(Slot::new(0))]);
}

#[test]
fn a_literal_fits_where_it_is_written() {
    let function = built(|b| {
        let slot = b.slot(8, "s");
        b.slot_bytes(slot, b"too long", 4);
    });
    assert_eq!(broken_by(function), [Rule::LiteralFits(Literal::new(0))]);
}

#[test]
fn calls_have_the_arguments_that_are_taken() {
    let arity = |callee: &str, takes, gets| Rule::Arity {
        callee: callee.to_owned(),
        takes,
        gets,
    };
    let routine = built(|b| {
        b.routine("pf_sdiv", vec![]);
    });
    assert_eq!(broken_by(routine), [arity("pf_sdiv", 2, 0)]);
    let callee = built_as("callee", signature(&[Kind::Scalar], None), |_| {});
    let caller = built(|b| {
        b.call(f(0), vec![]);
    });
    assert_eq!(broken(&module(vec![callee, caller])), [arity("f0", 1, 0)]);
    let helper = built(|b| {
        let args = (0..6).map(|n| b.constant(n)).collect();
        b.helper(1, args);
    });
    assert_eq!(broken_by(helper), [Rule::FiveArguments(6)]);
    let many = built_as("f", signature(&[Kind::Scalar; 6], None), |_| {});
    assert_eq!(broken_by(many), [Rule::FiveArguments(6)]);
}

#[test]
fn arguments_and_results_are_of_their_kinds() {
    let callee = built_as("callee", signature(&[Kind::MapValue], None), |_| {});
    let caller = built(|b| {
        let one = b.constant(1);
        b.call(f(0), vec![one]);
    });
    let rule = Rule::OfKind {
        value: Value::new(0),
        wanted: Kind::MapValue,
        is: Kind::Scalar,
    };
    assert_eq!(broken(&module(vec![callee, caller])), [rule]);
    let giver = built_as("f", signature(&[Kind::Map], Some(Kind::Scalar)), |b| {
        b.ret(b.param(0));
    });
    let rule = Rule::OfKind {
        value: Value::new(0),
        wanted: Kind::Scalar,
        is: Kind::Map,
    };
    assert_eq!(broken_by(giver), [rule]);
}

#[test]
fn results_are_given_and_used_where_the_signature_has_one() {
    let nothing = built_as("nothing", signature(&[], None), |_| {});
    let user = built(|b| {
        let nothing = b.call(f(0), vec![]);
        b.extend(Width::W8, false, nothing);
    });
    assert_eq!(broken(&module(vec![nothing, user])), [Rule::NoResult(f(0))]);
    let silent = built_as("f", signature(&[], Some(Kind::Scalar)), |_| {});
    assert_eq!(broken_by(silent), [Rule::NoResult(f(0))]);
    let talkative = built(|b| {
        let one = b.constant(1);
        b.ret(Some(one));
    });
    assert_eq!(broken_by(talkative), [Rule::NoResult(f(0))]);
}

#[test]
fn addresses_of_functions_go_to_helpers_that_call_such_functions() {
    let callback = || {
        let params = [Kind::Scalar, Kind::Memory];
        built_as("callback", signature(&params, Some(Kind::Scalar)), |b| {
            let zero = b.constant(0);
            b.ret(Some(zero));
        })
    };
    let user = |helper: u32, argument: usize| {
        built(move |b| {
            let zero = b.constant(0);
            let mut args = vec![zero; 4];
            args[argument] = b.func_addr(f(0));
            b.helper(helper, args);
        })
    };
    let given_to = |helper, argument| broken(&module(vec![callback(), user(helper, argument)]));
    assert_eq!(given_to(181, 1), []);
    // Another argument, a helper that calls back with other arguments, one that never does.
    assert_eq!(given_to(181, 2), [Rule::CallsBack(f(0))]);
    assert_eq!(given_to(164, 1), [Rule::CallsBack(f(0))]);
    assert_eq!(given_to(1, 1), [Rule::CallsBack(f(0))]);
}

#[test]
fn no_function_calls_itself() {
    let calling = |symbol: &str, callee| {
        built_as(symbol, signature(&[], None), |b| {
            b.call(f(callee), vec![]);
        })
    };
    let one = module(vec![calling("a", 0)]);
    assert_eq!(broken(&one), [Rule::NoRecursion]);
    let three = module(vec![calling("a", 1), calling("b", 2), calling("c", 0)]);
    assert_eq!(broken(&three), [Rule::NoRecursion]);
    let both = module(vec![
        built_as("a", signature(&[], None), |b| {
            b.call(f(1), vec![]);
            b.call(f(2), vec![]);
        }),
        calling("b", 2),
        built_as("c", signature(&[], None), |_| {}),
    ]);
    assert_eq!(broken(&both), []);
}

#[test]
fn symbols_are_identifiers_and_differ() {
    let named = |symbol: &str| built_as(symbol, signature(&[], None), |_| {});
    let symbol = |symbol: &str| [Rule::Symbol(symbol.to_owned())];
    assert_eq!(broken_by(named("")), symbol(""));
    assert_eq!(broken_by(named("a b")), symbol("a b"));
    assert_eq!(broken(&module(vec![named("a"), named("a")])), symbol("a"));
}

#[test]
fn a_body_belongs_to_one_probe_and_is_not_called() {
    let body = || built_as("body", Signature::body(), |_| {});
    let mut shared = module(vec![body()]);
    probe(&mut shared, f(0));
    probe(&mut shared, f(0));
    assert_eq!(broken(&shared), [Rule::BodyOfOne(f(0))]);
    let mut other = module(vec![built(|_| {})]);
    probe(&mut other, f(0));
    assert_eq!(broken(&other), [Rule::BodyOfOne(f(0))]);
    let caller = built_as("caller", Signature::body(), |b| {
        let arguments = [0, 1].map(|index| b.param(index).unwrap());
        b.call(f(0), arguments.to_vec());
    });
    let mut called = module(vec![body(), caller]);
    probe(&mut called, f(0));
    probe(&mut called, f(1));
    assert_eq!(broken(&called), [Rule::BodyOfOne(f(0))]);
}

#[test]
fn functions_take_one_context_and_no_frame() {
    for params in [[Kind::Context, Kind::Context], [Kind::Context, Kind::Frame]] {
        let function = built_as("f", signature(&params, None), |_| {});
        assert_eq!(broken_by(function), [Rule::Parameters]);
    }
}

/// A function that is called back with a link, and uses a slot of f1.
fn linked(outer: Slot, bytes: u32) -> Function {
    let params = [Kind::Scalar, Kind::Link];
    built_as("linked", signature(&params, Some(Kind::Scalar)), |b| {
        let slot = b.outer_slot(bytes, "shared", f(1), outer);
        let value = b.load_word(slot);
        b.ret(Some(value));
    })
}

/// Has f0 called back with a link.
fn linking(b: &mut FunctionBuilder) {
    b.slot(8, "shared");
    let link = b.slot(LINK_BYTES, "link");
    b.link(link, false);
    let zero = b.constant(0);
    let args = vec![zero, b.func_addr(f(0)), b.address(link), zero];
    b.helper(181, args);
}

#[test]
fn a_frame_is_shared_with_what_is_called_back() {
    let shared = Slot::from_u32(0);
    let with = |linked: Function, users: Vec<Function>| {
        let mut module = module([vec![linked], users].concat());
        let bodies = module.functions.keys().skip(1).collect::<Vec<_>>();
        for body in bodies {
            if module.functions[body].signature == Signature::body() {
                probe(&mut module, body);
            }
        }
        broken(&module)
    };
    let user = |symbol: &str| built_as(symbol, Signature::body(), linking);
    assert_eq!(with(linked(shared, 8), vec![user("a")]), []);
    // A slot of another size, one that there is not, one of a function that does not have it called back.
    let outer = [Rule::Outer(shared)];
    assert_eq!(with(linked(shared, 16), vec![user("a")]), outer);
    let no_slot = linked(Slot::from_u32(9), 8);
    assert_eq!(with(no_slot, vec![user("a")]), outer);
    let idle = built_as("a", Signature::body(), |b| {
        b.slot(8, "shared");
    });
    assert_eq!(with(linked(shared, 8), vec![idle]), outer);
    // Two that have it called back, and one that has no frame to give.
    let two = with(linked(shared, 8), vec![user("a"), user("b")]);
    assert!(two.contains(&Rule::Linked(f(0))), "{two:?}");
    let without = with(
        linked(shared, 8),
        vec![built_as("a", signature(&[], None), linking)],
    );
    assert!(without.contains(&Rule::Linked(f(0))), "{without:?}");
}
