//! Functions assembled with routines that mix their arguments, so that each argument and its place counts.

use crate::build::{add_probe, loss_map, map, module};
use cranelift_entity::PrimaryMap;
use pfscript_compiler::emit::asm::{ARGUMENTS, Insn, R0, Reg, alu};
use pfscript_compiler::emit::{AssembleError, Assembled, assemble_with};
use pfscript_compiler::ir::{FuncId, Function, verify_with};
use pfscript_compiler::program::ProgramKind;
use pfscript_probes::Template;
use std::sync::LazyLock;

/// Bytes of the map's value, where results go.
pub const OUTPUT_BYTES: usize = 1024;
/// The functions of a module, the body last.
pub type Functions = PrimaryMap<FuncId, Function>;

/// The body of [`Functions`].
pub fn body_of(functions: &Functions) -> &Function {
    functions.values().next_back().expect("there is a body")
}

/// Routines of 0 to 5 arguments, that depend on all of them and their order.
pub const MIXES: [&str; 6] = ["mix0", "mix1", "mix2", "mix3", "mix4", "mix5"];

/// What these routines compute.
pub fn mix(_: &str, args: &[u64]) -> u64 {
    args.iter()
        .fold(7, |hash, &arg| hash.wrapping_mul(31).wrapping_add(arg))
}

fn mix_template(count: usize) -> Template<'static> {
    let mut insns = vec![Insn::alu64_imm(alu::MOV, R0, 7)];
    for argument in &ARGUMENTS[..count] {
        insns.push(Insn::alu64_imm(alu::MUL, R0, 31));
        insns.push(Insn::alu64(alu::ADD, R0, *argument));
    }
    // A routine may do what it likes with these.
    insns.extend((1..6).map(|register| Insn::alu64_imm(alu::MOV, Reg(register), -1)));
    insns.push(Insn::exit());
    Template {
        name: MIXES[count],
        signature: "",
        code: insns.iter().flat_map(|insn| insn.encode()).collect(),
        relocations: &[],
    }
}

/// Assembles a body with the routines above beside the library's.
pub fn assemble_mixed(body: Function) -> Result<Assembled, AssembleError> {
    assemble_functions([body].into_iter().collect())
}

/// Assembles a body and what it calls, likewise.
pub fn assemble_functions(functions: Functions) -> Result<Assembled, AssembleError> {
    static MIX: LazyLock<Vec<Template<'static>>> =
        LazyLock::new(|| (0..MIXES.len()).map(mix_template).collect());
    let output = map("map_output", 2, 4, OUTPUT_BYTES as u32, 1);
    let mut module = module(vec![output, loss_map()], vec![]);
    let body = body_of(&functions).clone();
    let callees = functions.len() - 1;
    for function in functions
        .into_iter()
        .map(|(_, function)| function)
        .take(callees)
    {
        module.functions.push(function);
    }
    add_probe(&mut module, ProgramKind::Once, false, body);
    let arity = |name: &str| MIXES.iter().position(|mix| *mix == name);
    verify_with(&module, &arity).expect("what is made here keeps the rules");
    let library = pfscript_probes::library();
    assemble_with(&module, "random.pf", "", &|name| {
        let found = MIX.iter().find(|template| template.name == name);
        found.or_else(|| library.get(name))
    })
}
