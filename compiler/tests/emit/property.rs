//! Random bodies compute what the reference computes: in a small machine, and in the kernel.

use crate::evaluate::Evaluator;
use crate::machine::{Machine, map_number};
use crate::mixes::{Functions, OUTPUT_BYTES, assemble_functions, mix};
use crate::random::{self, CONTEXT_WORDS, Recipe};
use pfscript_compiler::ir::MapId;
use pfscript_testkit::object::{link, parse};
use pfscript_testkit::random::Random;
use pfscript_testkit::{Loaded, needs_root};

/// The first map of the modules that are made here.
fn output() -> MapId {
    MapId::from_u32(0)
}

fn context(seed: u64) -> Vec<u64> {
    let mut random = Random::new(seed ^ 0xc0ffee);
    (0..CONTEXT_WORDS).map(|_| random.number() as u64).collect()
}

fn expected(functions: &Functions, context: &[u64]) -> Vec<u8> {
    let mut reference = Evaluator::new(functions, context, OUTPUT_BYTES, mix);
    reference.run();
    reference.output
}

fn recipe(seed: u64, loops: bool) -> Recipe {
    let statements = [8, 30, 120][(seed / 3 % 3) as usize];
    let callbacks = statements < 100 && seed % 4 == 3;
    Recipe {
        callbacks,
        loops,
        shuffled: loops && seed.is_multiple_of(2),
        framed: seed % 3 == 2,
        // What functions take of the stack the body lacks, and the longest ones want it all for their values.
        functions: if statements < 100 && !callbacks {
            [0, 1, 3][(seed / 2 % 3) as usize]
        } else {
            0
        },
        statements,
    }
}

/// Maps in the order of the module, which is that of their numbers.
fn number(name: &str) -> i32 {
    let index = ["map_output", "pf_map_loss", "pf_map_scratch"]
        .iter()
        .position(|known| *known == name)
        .expect("the module has no other maps");
    map_number(index)
}

#[test]
fn a_small_machine_computes_what_the_reference_computes() {
    let (mut calls, mut callbacks) = (0, 0);
    for seed in 0..1500 {
        let functions = random::functions(seed, recipe(seed, true), output());
        let context = context(seed);
        let assembled = assemble_functions(functions.clone()).unwrap();
        let mut object = parse(&assembled.elf).unwrap();
        link(&mut object, &number).unwrap();
        calls += assembled.listing.to_string().matches(": call f").count();
        callbacks += assembled
            .listing
            .to_string()
            .matches("= func[callback")
            .count();
        let maps = [OUTPUT_BYTES, 8, 8 + assembled.frame_bytes as usize];
        let mut machine = Machine::new(&object, "p0", &context, &maps);
        machine.run();
        assert!(
            machine.map(0) == expected(&functions, &context),
            "seed {seed} differs:\n{}",
            assembled.listing
        );
    }
    assert!(calls > 500, "only {calls} calls of functions");
    assert!(callbacks > 300, "only {callbacks} functions called back");
}

#[test]
fn the_kernel_computes_what_the_reference_computes() {
    needs_root!();
    for seed in 0..400 {
        let mut recipe = recipe(seed, false);
        recipe.callbacks &= crate::live::has_find_vma();
        let functions = random::functions(seed, recipe, output());
        let context = context(seed);
        let assembled = assemble_functions(functions.clone()).unwrap();
        let loaded = Loaded::new(&assembled.elf)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}\n{}", assembled.listing));
        loaded.run("p0", &context);
        assert!(
            loaded.value("map_output") == expected(&functions, &context),
            "seed {seed} differs:\n{}",
            assembled.listing
        );
    }
}
