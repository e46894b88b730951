//! The syntax tree of a script, with the span of every node.
//!
//! The tree says what was written, not what it means: names are not resolved and types are not known here.
//! Equality of trees ignores spans, so that `parse(format(tree)) == tree` can be tested directly.

pub mod c;

use crate::span::{Span, Spanned};

/// A whole script.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Script {
    /// Top-level items in source order.
    pub items: Vec<Item>,
}

impl Script {
    /// The probes of the script, in source order.
    pub fn probes(&self) -> impl Iterator<Item = &Probe> {
        self.items.iter().filter_map(|item| match item {
            Item::Probe(probe) => Some(probe),
            _ => None,
        })
    }

    /// The macros that the script defines, in source order.
    pub fn macros(&self) -> impl Iterator<Item = &Macro> {
        self.items.iter().filter_map(|item| match item {
            Item::Macro(definition) => Some(definition),
            _ => None,
        })
    }
}

/// A top-level item.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `probe, probe /predicate/ { … }`
    Probe(Probe),
    /// `#include <linux/mm.h>`: accepted; types come from BTF. The path alone; `"local.h"` keeps its quotes.
    Include(Spanned<String>),
    /// `import "folder";`: files of the language whose macros and probes are the script's, too.
    Import(Spanned<String>),
    /// `config = { name = value; … }`; the values are kept as written.
    Config(Vec<ConfigEntry>),
    /// `macro name($a, @m, b) { … }`
    Macro(Macro),
    /// `let @name = kind(size);`
    MapDeclaration(MapDeclaration),
    /// `struct pair { int a; int b; };` and other declarations of C.
    Declaration(c::Declaration),
    /// A construct of bpftrace's language that is parsed but has no meaning here yet.
    Unsupported(Unsupported),
}

/// `let @name = kind(size);`: what kind of map it is, and how many elements it has room for.
#[derive(Clone, Debug)]
pub struct MapDeclaration {
    /// Without the `@`.
    pub name: Spanned<String>,
    /// The kind, such as `lruhash`.
    pub kind: Spanned<String>,
    /// What stands in the parentheses.
    pub args: Vec<Expr>,
    /// All of it.
    pub span: Span,
}

/// `name = value` of a `config` block.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigEntry {
    /// The setting's name, such as `max_map_keys`.
    pub name: Spanned<String>,
    /// The value as written, quotes removed.
    pub value: Spanned<String>,
}

/// A construct that the grammar knows and the compiler does not: it is answered with "not supported yet".
#[derive(Clone, Debug)]
pub struct Unsupported {
    /// What it is, in the plural, as the message says it: `imports`, `struct definitions`.
    pub what: &'static str,
    /// The source text, as written (the formatter prints it back).
    pub text: String,
    /// The place to point at (a keyword or name, rather than the whole body).
    pub span: Span,
}

impl PartialEq for Unsupported {
    fn eq(&self, other: &Self) -> bool {
        self.what == other.what && self.text == other.text
    }
}

/// One probe: attach points, an optional predicate and a body.
#[derive(Clone, Debug)]
pub struct Probe {
    /// At least one attach point.
    pub attach_points: Vec<AttachPoint>,
    /// The expression between slashes.
    pub predicate: Option<Expr>,
    /// The action.
    pub body: Block,
    /// From the first attach point to the closing brace.
    pub span: Span,
}

/// A definition of what a call, or a bare name, stands for.
#[derive(Clone, Debug)]
pub struct Macro {
    /// How it is called.
    pub name: Spanned<String>,
    /// Its parameters in order.
    pub params: Vec<Spanned<MacroParam>>,
    /// The statements, without `value`.
    pub body: Block,
    /// The expression that closes the body, if no semicolon follows it: what a call gives.
    pub value: Option<Expr>,
    /// From `macro` to the closing brace.
    pub span: Span,
}

/// A parameter of a macro: its name, which says what may be passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MacroParam {
    /// `$name`: a variable.
    Variable(String),
    /// `@name`: a map.
    Map(String),
    /// `name`: any expression, put in wherever the body has the name.
    Name(String),
}

/// `provider:part:part`, split at colons, quotes removed, positional parameters not yet replaced.
#[derive(Clone, Debug)]
pub struct AttachPoint {
    /// The parts: the provider's name (or alias) first. Never empty. A part may hold `*`, `?`, `[…]` and `$1`.
    pub parts: Vec<Spanned<String>>,
    /// The whole attach point.
    pub span: Span,
}

/// `{ statement; … }`
#[derive(Clone, Debug)]
pub struct Block {
    /// The statements in order.
    pub statements: Vec<Stmt>,
    /// From brace to brace.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Where it stands, without the semicolon.
    pub span: Span,
}

/// The kinds of statement.
#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    /// A call, `$x++`, or any other expression whose value is dropped.
    Expr(Expr),
    /// `target = value`, or `target op= value` when `op` is there. The target is a variable or a map element.
    Assign {
        /// [`ExprKind::Variable`] or [`ExprKind::Map`]; the compiler answers anything else.
        target: Expr,
        /// The operator of a compound assignment.
        op: Option<Spanned<BinaryOp>>,
        /// The right-hand side.
        value: Expr,
    },
    /// `let $x`, `let $x = value`, `let $x : type = value`
    Let {
        /// Without the `$`.
        name: Spanned<String>,
        /// The declared type.
        ty: Option<TypeName>,
        /// The initial value.
        value: Option<Expr>,
    },
    /// `if cond { … } else if cond { … } else { … }`, the whole chain in one node, however long it is.
    If {
        /// Conditions and what is run for the first that is not zero; at least one.
        arms: Vec<(Expr, Block)>,
        /// Run when all are zero.
        otherwise: Option<Block>,
    },
    /// `while (condition) { … }`
    While {
        /// Asked before each turn.
        condition: Expr,
        /// Run while it is not zero.
        body: Block,
    },
    /// `for ($name : @map) { … }` or `for ($name : first..end) { … }`
    For {
        /// Without the `$`.
        name: Spanned<String>,
        /// What it goes over.
        over: Iterated,
        /// Run for each element or number.
        body: Block,
    },
    /// `unroll(count) { … }`
    Unroll {
        /// How often; a constant.
        count: Expr,
        /// Run so often.
        body: Block,
    },
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `return` or `return value`
    Return(Option<Expr>),
    /// `{ … }` by itself
    Block(Block),
    /// Parsed, but without meaning yet.
    Unsupported(Unsupported),
}

/// What a `for` goes over.
#[derive(Clone, Debug, PartialEq)]
pub enum Iterated {
    /// The elements of a map, as `(key, value)`. [`ExprKind::Map`] without keys; the compiler answers anything else.
    Elements(Expr),
    /// The numbers from the first, up to and without the second.
    Range(Expr, Expr),
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// An integer or character literal.
    Int(u64),
    /// A string literal, escapes resolved (bytes: `\xff` is one byte).
    Str(Vec<u8>),
    /// `true` or `false`
    Bool(bool),
    /// A builtin such as `pid`, or any other bare name.
    Ident(String),
    /// `$1`; zero-based numbers do not exist, so at least 1.
    Positional(u32),
    /// `$#`
    PositionalCount,
    /// `$name`, held without the `$`.
    Variable(String),
    /// `@name` or `@name[keys]`, held without the `@`; the anonymous map is "".
    Map {
        /// The map's name without the `@`.
        name: String,
        /// The keys, if brackets were written (never empty then).
        keys: Option<Vec<Expr>>,
    },
    /// `name(arguments)`
    Call {
        /// The function.
        name: Spanned<String>,
        /// Its arguments.
        args: Vec<Expr>,
    },
    /// `-x`, `!x`, `~x`, `*x`, `&x`
    Unary {
        /// The operator.
        op: UnaryOp,
        /// Its operand.
        operand: Box<Expr>,
    },
    /// `x++`, `--x` and so on; the operand is a variable or a map element.
    IncDec {
        /// What is changed.
        target: Box<Expr>,
        /// True for `++`.
        increment: bool,
        /// True where the operator stands before the operand.
        prefix: bool,
    },
    /// `x op y op z`: operators of one precedence, applied from left to right. However many there are, it is one node, so
    /// that long sums and conditions are no deep trees.
    Binary {
        /// The leftmost operand. It is no `Binary` of this precedence.
        first: Box<Expr>,
        /// Operators with their right operands; at least one.
        rest: Vec<(BinaryOp, Expr)>,
    },
    /// `condition ? then : otherwise`
    Ternary {
        /// The condition.
        condition: Box<Expr>,
        /// The value when it is not zero; `None` for the condition itself, which is evaluated once: `a ?: b`.
        then: Option<Box<Expr>>,
        /// The value when it is zero.
        otherwise: Box<Expr>,
    },
    /// `x.name` or `x->name`
    Field {
        /// The structure or the pointer to it.
        base: Box<Expr>,
        /// The member.
        name: Spanned<String>,
        /// True for `->`.
        arrow: bool,
    },
    /// `x.0`
    TupleField {
        /// The tuple.
        base: Box<Expr>,
        /// Zero-based.
        index: Spanned<u32>,
    },
    /// `x[index]` of anything that is not a map
    Index {
        /// The array or pointer.
        base: Box<Expr>,
        /// The index.
        index: Box<Expr>,
    },
    /// `(type)x`
    Cast {
        /// The type.
        ty: TypeName,
        /// The operand.
        operand: Box<Expr>,
    },
    /// `comptime x`: what is known before the script runs.
    Comptime(Box<Expr>),
    /// `typeof(x)`, as the argument of a macro or a function that takes a type.
    TypeOf(TypeName),
    /// `sizeof(type)`, `sizeof(x)`
    SizeOf(Measured),
    /// `typeinfo(type)`, `typeinfo(x)`
    TypeInfo(Measured),
    /// `offsetof(type, member.member)`
    OffsetOf {
        /// The structure, or a value that is one.
        of: Measured,
        /// The members, each of the one before; at least one.
        path: Vec<Spanned<String>>,
    },
    /// `(a, b)`: at least two, or one followed by a comma.
    Tuple(Vec<Expr>),
    /// `(a = 1, b = 2)`: values by name, at least one. No two have the same name.
    Record(Vec<(Spanned<String>, Expr)>),
    /// `{ statement; … value }`
    Block {
        /// The statements, without `value`.
        body: Block,
        /// The expression that closes the block, if no semicolon follows it: what the block gives.
        value: Option<Box<Expr>>,
    },
    /// `if cond { … value } else { … value }`, the whole chain in one node.
    If {
        /// Conditions, and what is given for the first that is not zero (an [`ExprKind::Block`]); at least one.
        arms: Vec<(Expr, Expr)>,
        /// What is given when all are zero.
        otherwise: Option<Box<Expr>>,
    },
    /// Parsed, but without meaning yet.
    Unsupported(Unsupported),
}

/// What `sizeof`, `offsetof`, `typeof` and `typeinfo` look at. An expression is not evaluated.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// A type.
    Type(TypeName),
    /// The type of an expression.
    Value(Box<Expr>),
}

/// A type as written: `struct vm_area_struct *`, `uint64`, `unsigned long`, `uint8[4]`.
#[derive(Clone, Debug)]
pub struct TypeName {
    /// `struct`, `union` or `enum`, if written.
    pub tag: Option<TypeTag>,
    /// The words of the name, joined by single spaces: `vm_area_struct`, `uint64`, `unsigned long`. Empty in a `typeof`.
    pub name: String,
    /// What it is the type of: `typeof($x)`, `typeof(struct file *)`.
    pub of: Option<Box<Measured>>,
    /// How many `*` follow.
    pub pointers: u32,
    /// `[n]` or `[]` after it.
    pub array: Option<Option<u64>>,
    /// Where it stands, without the parentheses of a cast.
    pub span: Span,
}

/// The keyword before a type's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeTag {
    /// `struct`
    Struct,
    /// `union`
    Union,
    /// `enum`
    Enum,
}

/// Operators with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-x`
    Neg,
    /// `!x`
    Not,
    /// `~x`
    BitNot,
    /// `*x`
    Deref,
    /// `&x`
    AddressOf,
}

/// Operators with two operands, C's precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the symbol says it all: see BinaryOp::symbol")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    BitAnd,
    BitOr,
    BitXor,
    Shl,
    Shr,
    And,
    Or,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl BinaryOp {
    /// How tightly it binds: C's precedence, from 1 (`||`) to 10 (`*`).
    pub fn precedence(self) -> u8 {
        match self {
            BinaryOp::Or => 1,
            BinaryOp::And => 2,
            BinaryOp::BitOr => 3,
            BinaryOp::BitXor => 4,
            BinaryOp::BitAnd => 5,
            BinaryOp::Eq | BinaryOp::Ne => 6,
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => 7,
            BinaryOp::Shl | BinaryOp::Shr => 8,
            BinaryOp::Add | BinaryOp::Sub => 9,
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => 10,
        }
    }

    /// The operator as it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "%",
            BinaryOp::BitAnd => "&",
            BinaryOp::BitOr => "|",
            BinaryOp::BitXor => "^",
            BinaryOp::Shl => "<<",
            BinaryOp::Shr => ">>",
            BinaryOp::And => "&&",
            BinaryOp::Or => "||",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
        }
    }
}

/// Equality that ignores spans, for the nodes that carry one.
macro_rules! eq_without_span {
    ($($ty:ident { $($field:ident),+ })+) => {$(
        impl PartialEq for $ty {
            fn eq(&self, other: &Self) -> bool {
                $(self.$field == other.$field)&&+
            }
        }
    )+};
}

eq_without_span! {
    Probe { attach_points, predicate, body }
    Macro { name, params, body, value }
    MapDeclaration { name, kind, args }
    AttachPoint { parts }
    Block { statements }
    Stmt { kind }
    Expr { kind }
    TypeName { tag, name, of, pointers, array }
}
