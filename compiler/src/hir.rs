//! The script after checking: names resolved, every expression typed, every builtin and function reduced to a few
//! operations that the lowering knows. The tables in [`crate::language`] write this; [`crate::lower`] reads it.
//!
//! These are data types alone. Registers, slots and layouts of maps come later.

mod visit;

use crate::ir::{Arith, Condition, Width};
use crate::manifest::{Fold, SiteColumn};
use crate::providers::Access;
use crate::types::{Type, round_up};

pub use crate::types::BitField;
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

/// A loop of an action.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Loop(u32);
entity_impl!(Loop, "loop");

/// A scratch variable.
#[derive(Clone, Debug)]
pub struct VarData {
    /// With the `$`.
    pub name: String,
    /// What it holds.
    pub ty: Type,
    /// A path may read it before it is assigned: it starts as zero.
    pub zeroed: bool,
    /// A `let` says its type, which stays.
    pub declared: bool,
    /// The innermost loop that all of its uses are in, behind those around it; none if one is outside of all loops.
    pub home: Vec<Loop>,
}

/// A place: something that can be read, looked into, assigned or pointed to. Fields, elements, what pointers point to,
/// variables and map elements are all places.
#[derive(Clone, Debug)]
pub struct Place {
    /// What it is in.
    pub base: Base,
    /// Where it begins there, in bytes.
    pub offset: u32,
    /// The bits that it has, if it is a bit field.
    pub bits: Option<BitField>,
    /// Whether it is laid out as C does: all memory is, and what is in a structure or an array.
    pub in_c: bool,
    /// What is there.
    pub ty: Type,
}

/// What a place is in.
#[derive(Clone, Debug)]
pub enum Base {
    /// The memory of the kernel or of the process, from an address on. It may be unreadable.
    Memory(Box<Expr>),
    /// A variable.
    Var(Var),
    /// The value of a map element; zero if there is none.
    Element {
        /// The map.
        map: ScriptMap,
        /// The key's parts.
        key: Vec<Expr>,
    },
    /// A value that has no place of its own, such as a tuple that was just made.
    Value(Box<Expr>),
}

impl Place {
    /// All of a base.
    pub fn whole(base: Base, ty: Type) -> Place {
        Place {
            in_c: matches!(base, Base::Memory(_)),
            base,
            offset: 0,
            bits: None,
            ty,
        }
    }

    /// A part of it, `bytes` bytes into it.
    #[must_use]
    pub fn part(self, bytes: u32, ty: Type) -> Place {
        Place {
            offset: self.offset.saturating_add(bytes),
            bits: None,
            ty,
            ..self
        }
    }

    /// A part of a structure or an array, `bytes` bytes into it.
    #[must_use]
    pub fn part_in_c(self, bytes: u32, ty: Type) -> Place {
        Place {
            in_c: true,
            ..self.part(bytes, ty)
        }
    }
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
    /// What is at a place: a scalar, a string (also of characters in memory), a tuple, a structure, an array. What is in
    /// memory is read where it is stored or looked into.
    Load(Place),
    /// The address of a place that is in a variable, or in a map's element; of an element that is not there, 0.
    Address(Place),
    /// The address of one of `count` elements of `size` bytes, from a place on that is no memory; 0 if there are not as many.
    ElementAddress {
        place: Place,
        index: Box<Expr>,
        size: u32,
        count: u32,
    },
    /// The program's context pointer.
    Context,
    /// A value that the provider keeps in the context or on the stack.
    Argument(Access),
    /// What a BPF helper returns; if the type is a string, what it writes into the buffer that comes first, as an address
    /// and its size.
    Helper { helper: u32, args: Vec<Argument> },
    /// What a routine of the template library returns or writes, likewise. The place of the loss counters is appended if
    /// the routine takes one.
    Routine {
        routine: &'static str,
        args: Vec<Argument>,
    },
    /// The id of an interned stack.
    Stack {
        user: bool,
        /// The most frames.
        depth: u32,
        /// A deeper stack is a loss.
        whole: bool,
        /// Walked by tables, not by frame pointers.
        by_tables: bool,
    },
    /// `{ address, tgid }` of a user symbol.
    UserSymbol(Box<Expr>),
    /// A `u64` of `pf_map_globals` at a byte offset.
    Global(u32),
    /// A string from the row of the site that the program runs for.
    SiteText(SiteColumn),
    /// Adds to the number in a variable or a map element; gives the value before, or after if `after`.
    Add {
        place: Place,
        delta: Box<Expr>,
        after: bool,
    },
    /// Arithmetic on 64 bits.
    Arith(Arith, Box<Expr>, Box<Expr>),
    /// A division, or what is left of it: 1 if the divisor is zero, which is counted.
    Divide(Division, Box<Expr>, Box<Expr>),
    /// The index of one of `count` elements, as it is; that there are not as many is counted.
    Index { index: Box<Expr>, count: u32 },
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
    /// `x && y && …`
    And(Vec<Expr>),
    /// `x || y || …`
    Or(Vec<Expr>),
    /// `c ? x : y`
    Ternary(Box<Expr>, Box<Expr>, Box<Expr>),
    /// The low bits of a value.
    Extend {
        width: Width,
        signed: bool,
        value: Box<Expr>,
    },
    /// A string in memory of at most `limit` bytes, terminator included (a value, if the script gives one; else `most`).
    ReadString {
        address: Box<Expr>,
        limit: Option<Box<Expr>>,
        /// The most that `limit` can be, in bytes.
        most: u32,
        end: StringEnd,
    },
    /// The bytes at a place, as many as `length` says, which is cut to `most`, or `most` of them.
    Buffer {
        from: Place,
        length: Option<Box<Expr>>,
        most: u32,
    },
    /// `(a, b)`
    Tuple(Vec<Expr>),
    /// `{ statement; … value }`; of the type of nothing if there is no value.
    Block(Vec<Stmt>, Option<Box<Expr>>),
    /// The number of elements of a map.
    MapLength(ScriptMap),
    /// Removes a map element; gives whether there was one.
    MapDelete { map: ScriptMap, key: Vec<Expr> },
    /// Whether a map has an element.
    MapHasKey { map: ScriptMap, key: Vec<Expr> },
    /// A record to the user: one of the manifest's kinds, and its fields.
    Emit {
        /// Index into the manifest's kinds of records.
        kind: u32,
        /// The fields, from offset 8 on, one behind the other.
        fields: Vec<Expr>,
        /// Leaves the action afterwards (`exit()`).
        leaves: bool,
    },
}

/// Where a string ends that is longer than what is read of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringEnd {
    /// It is cut, which is counted, and shown.
    Cut,
    /// Where the script says: that is no loss.
    Chosen,
    /// It is in an array of that size, and has no terminator if it fills it.
    Array,
}

/// What a division gives, and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// Of signed numbers, rounded towards zero.
    pub signed: bool,
    /// What is left, with the sign of the dividend.
    pub rest: bool,
}

/// What a helper or a routine is given.
#[derive(Clone, Debug)]
pub enum Argument {
    /// A value that fits a register.
    Value(Expr),
    /// A string, as its address and the bytes of room there: the size of its type. It ends within the room, which is
    /// zero-padded.
    Text(Expr),
    /// The address of such a string alone.
    Address(Expr),
    /// The address of a map.
    Map(ScriptMap),
}

/// A checked statement.
#[derive(Clone, Debug)]
pub enum Stmt {
    /// Evaluated for its effect.
    Expr(Expr),
    /// `$x = value`, `@x[key] = value`
    Assign {
        place: Place,
        value: Expr,
        span: Span,
    },
    /// `@x[key] = count()` and its kin.
    Aggregate {
        map: ScriptMap,
        key: Vec<Expr>,
        aggregate: Aggregate,
        /// What is gathered, if anything is; behind it the time, for what goes by time.
        values: Vec<Expr>,
        span: Span,
    },
    /// `if … else if … else`: the first arm whose condition is not zero, else `otherwise`.
    If {
        arms: Vec<(Expr, Vec<Stmt>)>,
        otherwise: Vec<Stmt>,
    },
    /// A loop, whose body is a function that the kernel calls back.
    Loop {
        id: Loop,
        over: Iterated,
        body: Vec<Stmt>,
        span: Span,
    },
    /// The same statements, so many times one behind the other.
    Unroll { times: u32, body: Vec<Stmt> },
    /// A variable's value is zero from here on.
    Clear(Var),
    /// Leaves the innermost loop.
    Break(Span),
    /// Ends this turn of the innermost loop.
    Continue(Span),
    /// Leaves the action.
    Return(Span),
}

/// What a loop goes over.
#[derive(Clone, Debug)]
pub enum Iterated {
    /// As long as a condition holds, which is asked in the loop.
    While(Expr),
    /// The numbers from the first, up to and without the second.
    Range { var: Var, first: Expr, end: Expr },
    /// The elements of a map: key and value. The type is that of such a tuple.
    Elements { map: ScriptMap, var: Var, ty: Type },
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
    /// By time: so many intervals of so many nanoseconds.
    Series {
        fold: Fold,
        interval: u64,
        intervals: u32,
    },
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
            Aggregate::Series { .. } => "tseries",
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

    /// An integer literal.
    pub fn literal(value: u64, span: Span) -> Expr {
        let ty = match i64::try_from(value) {
            Ok(_) => Type::Int {
                bytes: 8,
                signed: true,
                literal: true,
                enumeration: None,
            },
            Err(_) => Type::U64,
        };
        Expr::int(value as i64, ty, span)
    }

    /// The size of the smallest integer type that holds a literal.
    pub fn literal_bytes(&self) -> Option<u32> {
        let Type::Int { literal: true, .. } = self.ty else {
            return None;
        };
        let number = self.constant()?;
        let fits = |bytes: &u32| {
            let unused = 64 - 8 * bytes;
            let kept = (number as u64) << unused;
            kept >> unused == number as u64 || (kept as i64) >> unused == number
        };
        Some([1, 2, 4].into_iter().find(fits).unwrap_or(8))
    }

    /// A constant string.
    pub fn string(bytes: &[u8], span: Span) -> Expr {
        let room = u32::try_from(bytes.len() + 1).unwrap_or(u32::MAX - 7);
        Expr {
            kind: ExprKind::Str(bytes.to_vec()),
            ty: Type::Str {
                bytes: round_up(room),
            },
            span,
        }
    }

    /// The value, if it is known before the script runs.
    pub fn known(&self) -> Option<i64> {
        Some(match &self.kind {
            ExprKind::Int(value) => *value,
            ExprKind::Arith(op, left, right) => op.apply(left.known()?, right.known()?),
            ExprKind::Compare(condition, left, right) => {
                condition.holds(left.known()?, right.known()?).into()
            }
            ExprKind::Not(value) => (value.known()? == 0).into(),
            ExprKind::And(values) => {
                let mut all = true;
                for value in values {
                    all &= value.known()? != 0;
                }
                all.into()
            }
            ExprKind::Or(values) => {
                let mut any = false;
                for value in values {
                    any |= value.known()? != 0;
                }
                any.into()
            }
            ExprKind::Ternary(condition, then, otherwise) => match condition.known()? {
                0 => otherwise.known()?,
                _ => then.known()?,
            },
            ExprKind::Extend {
                width,
                signed,
                value,
            } => width.extend(*signed, value.known()?),
            ExprKind::CompareStr { equal, left, right } => (left.is(right)? == *equal).into(),
            _ => return None,
        })
    }

    /// Whether two values are equal, if that is known before the script runs.
    fn is(&self, other: &Expr) -> Option<bool> {
        match (&self.kind, &other.kind) {
            (ExprKind::Str(one), ExprKind::Str(other)) => Some(one == other),
            (ExprKind::Tuple(one), ExprKind::Tuple(others)) if one.len() == others.len() => {
                let mut all = true;
                for (one, other) in one.iter().zip(others) {
                    all &= one.is(other)?;
                }
                Some(all)
            }
            _ => Some(self.known()? == other.known()?),
        }
    }

    /// Whether all of the value is written in the script, or was found before it runs.
    pub fn is_written(&self) -> bool {
        match &self.kind {
            ExprKind::Int(_) | ExprKind::Str(_) => true,
            ExprKind::Tuple(items) => items.iter().all(Expr::is_written),
            _ => false,
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
