//! The language as a tree.

use super::memory::Structure;
use std::rc::Rc;

/// The type of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    Int {
        bytes: u32,
        signed: bool,
    },
    Bool,
    Text,
    Tuple(Vec<Type>),
    /// A tuple with names.
    Record(Vec<(&'static str, Type)>),
    /// Text in a structure, with so many bytes.
    Chars(u32),
    /// Of integers, or of what a structure may have.
    Array(Box<Type>, u32),
    Struct(Rc<Structure>),
    /// To an `int64` in a variable.
    Pointer,
}

pub const I64: Type = Type::Int {
    bytes: 8,
    signed: true,
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    Minus,
    Complement,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    And,
    Or,
    Xor,
    Shl,
    Shr,
    Lt,
    Gt,
    Le,
    Ge,
    Eq,
    Ne,
}

/// The functions that gather values in maps.
pub const GATHERERS: [&str; 6] = ["count", "sum", "min", "max", "avg", "stats"];

/// What a map holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Plain(Type),
    /// What a function gathers of numbers, signed or not.
    Gathered(&'static str, bool),
    /// `hist(n, bits)`
    Hist(u32),
    /// `lhist(n, least, most, step)`
    Linear {
        least: i64,
        most: i64,
        step: i64,
    },
}

/// A map: `@m0`, `@m1`, … by their index.
#[derive(Clone, Debug)]
pub struct Map {
    pub key: Vec<Type>,
    pub content: Content,
    /// The interval whose own it is, until `END`.
    pub owner: Option<usize>,
}

/// `$v0`, `$v1`, …
pub type Variable = usize;

#[derive(Clone, Debug)]
pub enum Expr {
    Number(u64),
    Bool(bool),
    Text(Vec<u8>),
    Variable(Variable),
    Element(usize, Vec<Expr>),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `&&`, or else `||`
    Logical(bool, Box<Expr>, Box<Expr>),
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `if (a) { … b } else { … c }`, as a value.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `a ?: b`
    Elvis(Box<Expr>, Box<Expr>),
    Cast(u32, bool, Box<Expr>),
    Tuple(Vec<Expr>),
    /// `(a = 1, b = 2)`
    Record(Vec<(&'static str, Expr)>),
    /// A number's bytes as an array.
    Bytes(Type, Box<Expr>),
    Item(Box<Expr>, usize),
    /// A part of a record.
    Named(Box<Expr>, &'static str),
    /// What is in the memory of a variable, as a structure.
    View(Rc<Structure>, Variable),
    /// A member of it, by its number.
    Through(Rc<Structure>, Variable, usize),
    /// A member of a value.
    Member(Box<Expr>, Rc<Structure>, usize),
    Index(Box<Expr>, Box<Expr>),
    Step {
        variable: Variable,
        up: bool,
        prefix: bool,
    },
    Strlen(Box<Expr>),
    Strncmp(Box<Expr>, Box<Expr>, u64),
    Strcontains(Box<Expr>, Box<Expr>),
    Concat(Box<Expr>, Box<Expr>),
    Strstr(Box<Expr>, Box<Expr>),
    Memcmp(Box<Expr>, Box<Expr>, u64),
    /// `strcap` of a literal.
    Strcap(Vec<u8>),
    /// `default_str_length()`, without its brackets, or `config.max_strlen`
    MaxStrlen(&'static str),
    /// `buf(text, length)`
    Buffer(Box<Expr>, u64),
    /// `str(text, limit)`
    Beginning(Box<Expr>, Box<Expr>),
    Bswap(Box<Expr>),
    HasKey(usize, Vec<Expr>),
    Delete(usize, Vec<Expr>),
    Len(usize),
    Block(Vec<Stmt>, Box<Expr>),
    /// A call of the macro of that number.
    Macro(usize, Vec<Given>),
    /// What a macro was given.
    Parameter(usize),
    /// `sizeof` of a type, or of what an expression has.
    SizeOfType(Type),
    SizeOf(Box<Expr>, u32),
    /// `offsetof` of a member.
    OffsetOf(Rc<Structure>, usize),
    /// `(typeof($v))e`, of an integer so wide.
    Like(Variable, u32, bool, Box<Expr>),
    /// `find(@m, key, $v)`
    Find(usize, Vec<Expr>, Variable),
    /// `is_integer(e)` and its kin.
    Is(&'static str, Box<Expr>),
    IsErr(Box<Expr>),
    /// `*&$v`
    Behind(Variable),
    /// `&$v`
    Address(Variable),
    /// `*$p`, of a pointer in a variable; `*kptr($p)` is the same.
    Star(&'static str, Variable),
    /// `*&@m[k]`
    BehindElement(usize, Vec<Expr>),
    /// An integer in the memory of a variable: `*((uint8 *)&$v + n)` or `((uint8 *)&$v)[n]`.
    Within {
        variable: Variable,
        bytes: u32,
        signed: bool,
        at: Box<Expr>,
        indexed: bool,
    },
    /// A member of the structure that another member is found to be of.
    Contained {
        structure: Rc<Structure>,
        variable: Variable,
        by: usize,
        member: usize,
    },
    /// `pton("1.2.3.4")`
    Pton([u8; 4]),
    /// `ntop` of an `uint32`.
    Ntop(Box<Expr>),
    /// `macaddr(&$v)`
    Macaddr(Variable),
    /// What a number is called, by a function.
    Called(&'static str, u64, &'static str),
    /// A condition on the machine that always holds.
    Fact(&'static str),
    /// `getopt("name", default)`, where the command line has no such option.
    Option(Box<Expr>),
    /// `$#` or `$1`, which are not there.
    NoParameter(&'static str),
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Let(Variable, Expr),
    /// `let $v: uint8 = e`, or `let $v: typeof($w) = e`: what is stored is cut to that width.
    Declare(Variable, (u32, bool), Option<Variable>, Option<Expr>),
    /// A call of a macro.
    Call(usize, Vec<Given>),
    /// `assert(e || true, "…")`, or what is checked when the script is compiled.
    Assert(&'static str, Expr),
    /// What is written so, and prints the same everywhere.
    Fixed(&'static str, &'static [u8]),
    /// `warnf` or `errorf` of a number, on the standard error.
    Said(&'static str, Expr),
    /// `if comptime`, whose other branch has what would not compile.
    Comptime(Expr, bool, Vec<Stmt>),
    Set(Variable, Expr),
    SetElement(usize, Vec<Expr>, Expr),
    /// `$v += e`
    Change(Variable, Binary, Expr),
    /// `@m[k] += e`
    ChangeElement(usize, Vec<Expr>, Binary, Expr),
    /// `@m[k] = sum(e)`
    Gather(usize, Vec<Expr>, Content, Option<Expr>),
    /// `print(@m, top, div)`
    PrintMap(usize, Option<u64>, Option<i64>),
    Clear(usize),
    Zero(usize),
    If(Vec<(Expr, Vec<Stmt>)>, Option<Vec<Stmt>>),
    Unroll(u64, Vec<Stmt>),
    /// Counts in a variable that is set to 0 before.
    While(Variable, u64, Vec<Stmt>),
    Range(Variable, Expr, Expr, Vec<Stmt>),
    /// The elements of a map, in no order, so that the body must not depend on one.
    Each(Variable, usize, Vec<Stmt>),
    Break,
    Continue,
    Return,
    Print(Expr),
    Printf(Vec<(String, Conversion, Expr)>),
    Discard(Expr),
}

/// `%-5d`
#[derive(Clone, Copy, Debug, Default)]
pub struct Conversion {
    pub left: bool,
    pub zero: bool,
    pub plus: bool,
    pub blank: bool,
    /// `#`
    pub other: bool,
    pub width: usize,
    pub precision: Option<usize>,
    /// `hh`, `h`, `l`, `ll` or nothing; of bytes, `x`, `h` or nothing
    pub length: &'static str,
    pub kind: char,
}

/// When a probe runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Begin,
    /// `interval`, of which there is one: it runs once.
    Once,
    /// One of several intervals that run once. They have maps of their own, and print nothing.
    Apart(usize),
    /// When the tracer gets a signal, which `BEGIN` has sent.
    Signal,
    End,
}

#[derive(Clone, Debug)]
pub struct Probe {
    pub kind: Kind,
    pub predicate: Option<Expr>,
    pub body: Vec<Stmt>,
}

/// What a `config` block sets.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub max_strlen: usize,
    /// What is printed behind strings that were cut.
    pub trailer: &'static str,
    /// Whether maps are printed at the end.
    pub prints: bool,
    /// A setting that changes nothing of what is printed.
    pub other: &'static str,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            max_strlen: 256,
            trailer: "..",
            prints: true,
            other: "",
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Script {
    pub settings: Option<Settings>,
    pub structures: Vec<Rc<Structure>>,
    pub maps: Vec<Map>,
    /// The maps that macros are given, by [`LENT`] and their index.
    pub lent: Vec<Map>,
    pub macros: Vec<Macro>,
    pub probes: Vec<Probe>,
}

/// What is the number of the first map that a macro is given.
pub const LENT: usize = 100;

impl Script {
    pub fn map(&self, number: usize) -> &Map {
        match number.checked_sub(LENT) {
            Some(lent) => &self.lent[lent],
            None => &self.maps[number],
        }
    }
}

/// What a macro takes.
#[derive(Clone, Debug)]
pub enum Param {
    /// An expression, which is evaluated wherever the body has its name: `p0`, `p1`, … by their index.
    Value(Type),
    /// A variable, which is changed in place.
    Variable(Variable, Type),
    /// A map.
    Map(usize),
}

/// What a macro is given.
#[derive(Clone, Debug)]
pub enum Given {
    Value(Expr),
    Variable(Variable),
    Map(usize),
}

/// `mix0`, `mix1`, … by their index.
#[derive(Clone, Debug)]
pub struct Macro {
    pub params: Vec<Param>,
    pub body: Vec<Stmt>,
    pub value: Option<Expr>,
    /// It has loops.
    pub deep: bool,
}

impl Binary {
    pub fn symbol(self) -> &'static str {
        match self {
            Binary::Add => "+",
            Binary::Sub => "-",
            Binary::Mul => "*",
            Binary::Div => "/",
            Binary::Mod => "%",
            Binary::And => "&",
            Binary::Or => "|",
            Binary::Xor => "^",
            Binary::Shl => "<<",
            Binary::Shr => ">>",
            Binary::Eq => "==",
            Binary::Ne => "!=",
            Binary::Lt => "<",
            Binary::Le => "<=",
            Binary::Gt => ">",
            Binary::Ge => ">=",
        }
    }

    pub fn compares(self) -> bool {
        matches!(
            self,
            Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge
        )
    }
}
