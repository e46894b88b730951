//! The script after checking: names resolved, every expression typed, every builtin and function reduced to a few
//! operations that the lowering knows. The tables in [`crate::language`] write this; [`crate::lower`] reads it.

use crate::ir::{Arith, Condition, Width};
use crate::manifest::SiteColumn;
use crate::providers::Access;
use crate::types::Type;
use cranelift_entity::entity_impl;
use pfscript_grammar::Span;

/// A scratch variable of one action.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Var(u32);
entity_impl!(Var, "var");

/// A map of the script, in order of first appearance.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScriptMap(u32);
entity_impl!(ScriptMap, "map");

/// A scratch variable.
#[derive(Clone, Debug)]
pub struct VarData {
    /// With the `$`.
    pub name: String,
    /// What it holds.
    pub ty: Type,
    /// A path may read it before it is assigned: it starts as zero.
    pub zeroed: bool,
}

/// A typed expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What to do.
    pub kind: ExprKind,
    /// What comes out.
    pub ty: Type,
    /// Where it stands.
    pub span: Span,
}

/// The operations. Addresses are 64-bit integers until they are read; reading picks kernel or user memory by the
/// address itself.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A constant.
    Int(i64),
    /// A constant string, without its terminator.
    Str(Vec<u8>),
    /// A variable's value.
    Var(Var),
    /// The program's context pointer.
    Context,
    /// A value that the provider keeps in the context or on the stack.
    Argument(Access),
    /// What a BPF helper returns for constant or computed arguments.
    Helper { helper: u32, args: Vec<Expr> },
    /// A string that a BPF helper `(buffer, size)` writes.
    HelperString { helper: u32 },
    /// What a routine of the template library returns. `loss` appends the loss counter's base.
    Routine {
        routine: &'static str,
        args: Vec<Expr>,
        loss: bool,
    },
    /// The id of an interned stack.
    Stack {
        user: bool,
        depth: u32,
        default_depth: bool,
    },
    /// The frames in an interned stack.
    StackLength(Box<Expr>),
    /// `{ address, tgid }` of a user symbol.
    UserSymbol(Box<Expr>),
    /// A `u64` of `pf_map_globals` at a byte offset.
    Global(u32),
    /// A string from the row of the site that the program runs for.
    SiteText(SiteColumn),
    /// The entries in a map.
    MapLength(ScriptMap),
    /// The value of a map element, zero if there is none.
    MapGet { map: ScriptMap, key: Vec<Expr> },
    /// Adds to a map element; gives the value before, or after if `after`.
    MapAdd {
        map: ScriptMap,
        key: Vec<Expr>,
        delta: Box<Expr>,
        after: bool,
    },
    /// Adds to a variable; gives the value before, or after if `after`.
    VarAdd { var: Var, delta: i64, after: bool },
    /// Arithmetic on 64 bits.
    Arith(Arith, Box<Expr>, Box<Expr>),
    /// A comparison of 64-bit values.
    Compare(Condition, Box<Expr>, Box<Expr>),
    /// A comparison of strings for equality (or inequality).
    CompareStr {
        equal: bool,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `!x`
    Not(Box<Expr>),
    /// `x && y`
    And(Box<Expr>, Box<Expr>),
    /// `x || y`
    Or(Box<Expr>, Box<Expr>),
    /// `c ? x : y`
    Ternary(Box<Expr>, Box<Expr>, Box<Expr>),
    /// The low bits of a value.
    Extend {
        width: Width,
        signed: bool,
        value: Box<Expr>,
    },
    /// An integer or pointer in memory.
    Read {
        address: Box<Expr>,
        width: Width,
        signed: bool,
    },
    /// A bit field in memory: `bits` bits from bit `shift` of the `width` bytes at the address.
    ReadBits {
        address: Box<Expr>,
        width: Width,
        shift: u32,
        bits: u32,
        signed: bool,
    },
    /// A string in memory of at most `limit` bytes, terminator included (a value, if the script gives one).
    ReadString {
        address: Box<Expr>,
        limit: Option<Box<Expr>>,
        /// Constant limit in bytes; the type's size where 0.
        most: u32,
    },
    /// `(a, b)`
    Tuple(Vec<Expr>),
    /// A field of a tuple, `offset` bytes from its start.
    TupleField { tuple: Box<Expr>, offset: u32 },
    /// Removes a map element; gives whether there was one.
    MapDelete { map: ScriptMap, key: Vec<Expr> },
    /// A record to the user: an action of the manifest and its fields.
    Emit {
        /// Index into the manifest's actions.
        action: u32,
        /// The fields, from offset 8 on, one behind the other.
        fields: Vec<Expr>,
        /// Leaves the action afterwards (`exit()`).
        leaves: bool,
    },
}

/// A checked statement.
#[derive(Clone, Debug)]
pub enum Stmt {
    /// Evaluated for its effect.
    Expr(Expr),
    /// `$x = value`
    SetVar { var: Var, value: Expr },
    /// `@x[key] = value`
    SetMap {
        map: ScriptMap,
        key: Vec<Expr>,
        value: Expr,
        span: Span,
    },
    /// `@x[key] = count()` and its kin.
    Aggregate {
        map: ScriptMap,
        key: Vec<Expr>,
        aggregate: Aggregate,
        value: Option<Expr>,
        span: Span,
    },
    /// `if`
    If {
        condition: Expr,
        then: Vec<Stmt>,
        otherwise: Vec<Stmt>,
    },
    /// Leaves the action.
    Return(Span),
}

/// What an aggregating map gathers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// How many.
    Count,
    /// The sum.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The mean.
    Avg,
    /// Count, mean and sum.
    Stats,
    /// By powers of two, each in `2^bits` parts.
    Hist { bits: u32 },
    /// By equal steps.
    LHist { min: i64, max: i64, step: i64 },
}

impl Aggregate {
    /// The function's name.
    pub fn name(self) -> &'static str {
        match self {
            Aggregate::Count => "count",
            Aggregate::Sum => "sum",
            Aggregate::Min => "min",
            Aggregate::Max => "max",
            Aggregate::Avg => "avg",
            Aggregate::Stats => "stats",
            Aggregate::Hist { .. } => "hist",
            Aggregate::LHist { .. } => "lhist",
        }
    }
}

impl Expr {
    /// A constant.
    pub fn int(value: i64, ty: Type, span: Span) -> Expr {
        Expr {
            kind: ExprKind::Int(value),
            ty,
            span,
        }
    }

    /// The value, if the expression is a constant integer.
    pub fn constant(&self) -> Option<i64> {
        match self.kind {
            ExprKind::Int(value) => Some(value),
            _ => None,
        }
    }
}
