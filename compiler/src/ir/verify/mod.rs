//! The rules of the IR, checked: what lowering promises and the emitter relies on.
//!
//! In comes a module, out come all its [`Violation`]s. Debug builds check every module that is lowered, and tests those
//! that they build; release builds do not. What the kernel's verifier checks of pointers (their bounds, whether they
//! were compared with null) is left to it.

mod function;
mod rule;
#[cfg(test)]
mod tests;

pub use rule::{Rule, Violation};

use super::{FuncId, Function, Kind, Module, ProbeId, Signature};
use cranelift_entity::SecondaryMap;
use function::Checker;
use pfscript_grammar::Span;
use pfscript_probes::library;
use rule::MAX_ARGS;
use std::collections::HashSet;

/// Checks a module that calls the routines of the template library.
///
/// # Errors
/// All that breaks a rule.
pub fn verify(module: &Module) -> Result<(), Vec<Violation>> {
    verify_with(module, &|name| {
        library().get(name).map(|routine| routine.params().count())
    })
}

/// Checks a module that calls other routines too; `arity` says how many arguments each takes.
///
/// # Errors
/// All that breaks a rule.
pub fn verify_with(
    module: &Module,
    arity: &dyn Fn(&str) -> Option<usize>,
) -> Result<(), Vec<Violation>> {
    let mut violations = Vec::new();
    check_probes(module, &mut violations);
    check_symbols(module, &mut violations);
    let reached = module.reached(module.functions.keys());
    violations.extend(
        (reached.recursive.into_iter()).map(|callee| in_function(callee, Rule::NoRecursion)),
    );
    check_links(module, &mut violations);
    for id in module.functions.keys() {
        Checker::new(module, arity, id, &mut violations).check();
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(violations)
    }
}

fn in_function(function: FuncId, rule: Rule) -> Violation {
    Violation {
        function: Some(function),
        inst: None,
        span: Span::default(),
        rule,
    }
}

fn check_probes(module: &Module, violations: &mut Vec<Violation>) {
    let mut owners: SecondaryMap<FuncId, Option<ProbeId>> = SecondaryMap::new();
    for (probe, data) in &module.probes {
        let Some(body) = module.functions.get(data.body) else {
            let rule = Rule::Exists(format!("{}, the body of {probe},", data.body));
            violations.push(in_function(data.body, rule));
            continue;
        };
        let taken = owners[data.body].replace(probe).is_some();
        if taken || body.signature != Signature::body() {
            violations.push(in_function(data.body, Rule::BodyOfOne(data.body)));
        }
    }
    for (id, function) in &module.functions {
        for callee in function.callees() {
            if owners[callee].is_some() {
                violations.push(in_function(id, Rule::BodyOfOne(callee)));
            }
        }
        let count = |kind| {
            let params = function.signature.params.iter();
            params.filter(|&&param| param == kind).count()
        };
        if function.signature.params.len() > MAX_ARGS {
            let rule = Rule::FiveArguments(function.signature.params.len());
            violations.push(in_function(id, rule));
        }
        if count(Kind::Context) > 1
            || count(Kind::Link) > 1
            || (count(Kind::Frame) > 0 && owners[id].is_none())
        {
            violations.push(in_function(id, Rule::Parameters));
        }
    }
}

fn check_symbols(module: &Module, violations: &mut Vec<Violation>) {
    let mut known = HashSet::new();
    for (id, function) in &module.functions {
        let symbol = function.symbol.as_str();
        let plain = symbol
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_');
        if symbol.is_empty() || !plain || !known.insert(symbol) {
            violations.push(in_function(id, Rule::Symbol(symbol.to_owned())));
        }
    }
}

/// Checks who shares a frame with whom, and the slots that stand for those of functions around.
fn check_links(module: &Module, violations: &mut Vec<Violation>) {
    let mut around: SecondaryMap<FuncId, Option<FuncId>> = SecondaryMap::new();
    for (id, function) in &module.functions {
        for callee in function.callees() {
            let linked = module
                .functions
                .get(callee)
                .is_some_and(Function::is_linked);
            if linked && (around[callee].is_some() || !function.has_frame()) {
                violations.push(in_function(id, Rule::Linked(callee)));
            }
            if linked {
                around[callee] = Some(id);
            }
        }
    }
    for (id, function) in &module.functions {
        for (slot, data) in &function.slots {
            let Some((owner, outer)) = data.outer else {
                continue;
            };
            // As many steps as there are functions, at most: what calls itself is refused elsewhere.
            let mut above = around[id];
            for _ in 0..module.functions.len() {
                if above == Some(owner) {
                    break;
                }
                above = above.and_then(|above| around[above]);
            }
            let real = module
                .functions
                .get(owner)
                .and_then(|owner| owner.slots.get(outer));
            let fits = real.is_some_and(|real| real.size == data.size && real.outer.is_none());
            if above != Some(owner) || !fits || data.zeroed {
                violations.push(in_function(id, Rule::Outer(slot)));
            }
        }
    }
}
