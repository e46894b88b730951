//! The parser that pest generates from `pfscript.pest`, and the names of its rules. Nothing here is written by hand.

mod generated {
    #[derive(pest_derive::Parser)]
    #[grammar = "../pfscript.pest"]
    pub(crate) struct ScriptParser;
}
pub(crate) use generated::{Rule, ScriptParser};
