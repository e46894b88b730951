//! The rules, and what is said of a module that breaks one.
//!
//! These are data types and their wording; the checks are in the parent and in `function`.

use crate::ir::{Block, FuncId, Inst, Kind, Literal, Slot, Value};
use pfscript_grammar::Span;
use std::fmt;

/// The most arguments of a call, and parameters of a function.
pub(super) const MAX_ARGS: usize = 5;

/// A rule that is broken, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Each block ends in a terminator, and has no other.
    OneTerminator(Block),
    /// Each instruction stands in one block, once.
    StandsOnce,
    /// A function has a block to begin with.
    HasBlocks,
    /// What an instruction or probe names exists.
    Exists(String),
    /// An instruction has a result if and only if it defines a value.
    ResultIfAny,
    /// A value is used only where its definition is on every path.
    Dominated(Value),
    /// An access stays within its slot.
    WithinSlot {
        /// The slot.
        slot: Slot,
        /// The first byte.
        offset: u32,
        /// How many.
        bytes: u32,
    },
    /// A slot's size is a multiple of 8 and not 0.
    SlotSize(Slot),
    /// A literal fits where it is written.
    LiteralFits(Literal),
    /// A call has as many arguments as what it calls has parameters.
    Arity {
        /// What is called.
        callee: String,
        /// How many arguments it takes.
        takes: usize,
        /// How many it gets.
        gets: usize,
    },
    /// Helpers, and functions, take at most five arguments.
    FiveArguments(usize),
    /// Arguments and results are of the kinds that the signature says.
    OfKind {
        /// The value.
        value: Value,
        /// What the signature says.
        wanted: Kind,
        /// What it is.
        is: Kind,
    },
    /// Only what gives a result is used as a value, and `return` gives one if and only if the signature says so.
    NoResult(FuncId),
    /// The address of a function is given only to a helper that calls back, of the signature that it calls.
    CallsBack(FuncId),
    /// No function calls itself, directly or through others.
    NoRecursion,
    /// A symbol is an identifier, and no other function's.
    Symbol(String),
    /// A body has the signature of a body, belongs to one probe, and is not called.
    BodyOfOne(FuncId),
    /// A function takes at most one context and one link, and only a body takes a frame.
    Parameters,
    /// What shares a frame is a body, or called back by one function that does; only it fills links or has context and
    /// slots from one.
    Linked(FuncId),
    /// A slot that stands for an outer one is of its size, and that one is a function's around this one.
    Outer(Slot),
}

/// A rule that is broken, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The function, if it is in one.
    pub function: Option<FuncId>,
    /// The instruction, if it is one.
    pub inst: Option<Inst>,
    /// The place in the script that the instruction comes from.
    pub span: Span,
    /// The rule.
    pub rule: Rule,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(function) = self.function {
            write!(f, "{function}: ")?;
        }
        if let Some(inst) = self.inst {
            write!(f, "{inst}: ")?;
        }
        self.rule.fmt(f)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::OneTerminator(block) => {
                write!(f, "{block} does not end in its only terminator")
            }
            Rule::StandsOnce => f.write_str("the instruction does not stand in one block, once"),
            Rule::HasBlocks => f.write_str("the function has no block"),
            Rule::Exists(what) => write!(f, "{what} does not exist"),
            Rule::ResultIfAny => f.write_str("it has a result and defines none, or the reverse"),
            Rule::Dominated(value) => {
                write!(f, "{value} is used where it is not defined on every path")
            }
            Rule::WithinSlot {
                slot,
                offset,
                bytes,
            } => write!(f, "{bytes} bytes at {offset} are not within {slot}"),
            Rule::SlotSize(slot) => {
                write!(f, "the size of {slot} is 0 or no multiple of 8")
            }
            Rule::LiteralFits(literal) => write!(f, "{literal} is longer than its place"),
            Rule::Arity {
                callee,
                takes,
                gets,
            } => write!(f, "{callee} takes {takes} arguments and gets {gets}"),
            Rule::FiveArguments(count) => {
                write!(
                    f,
                    "{count} arguments or parameters; {MAX_ARGS} are the most"
                )
            }
            Rule::OfKind { value, wanted, is } => {
                write!(f, "{value} is {is:?} and must be {wanted:?}")
            }
            Rule::NoResult(function) => {
                write!(
                    f,
                    "the result of {function} is used or given against its signature"
                )
            }
            Rule::CallsBack(function) => write!(
                f,
                "the address of {function} is given where no function of its signature is called back"
            ),
            Rule::NoRecursion => f.write_str("the function calls itself"),
            Rule::Symbol(symbol) => write!(
                f,
                "the symbol {symbol:?} is no identifier or stands for two functions"
            ),
            Rule::BodyOfOne(function) => write!(
                f,
                "{function} is not the body of one probe alone, with the signature of a body"
            ),
            Rule::Parameters => {
                f.write_str("it takes two contexts or links, or takes a frame and is no body")
            }
            Rule::Linked(function) => write!(
                f,
                "{function} has a link and is not called back by one function with a frame, or lacks what it uses"
            ),
            Rule::Outer(slot) => write!(
                f,
                "{slot} stands for a slot that no function around this one has in that size"
            ),
        }
    }
}
