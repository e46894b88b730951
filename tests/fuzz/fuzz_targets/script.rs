//! Scripts, compiled for the running kernel: an object or an error, and the errors can be shown.
#![no_main]

use pfscript_compiler::Options;
use pfscript_runtime::LiveFacts;

thread_local! {
    static FACTS: LiveFacts = LiveFacts::new();
}

libfuzzer_sys::fuzz_target!(|source: &str| {
    let script = pfscript_grammar::parse(source);
    let compiled = script.and_then(|script| {
        FACTS.with(|facts| {
            pfscript_compiler::compile(&script, "fuzz", source, facts, &Options::default())
        })
    });
    if let Err(diagnostics) = compiled {
        pfscript_grammar::render(&diagnostics, "fuzz", source, false);
    }
});
